"""An H02 tracker's conversation: every message says who it is from, most are answered."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from protocols.dialogue import Answering, Event, Heartbeat, Login, Peer, Refused, Reported
from protocols.h02.framing import PAUSE_MS, Framer
from protocols.h02.messages import binary, cells, heartbeat, link, neighbours, position, position_or_cells
from protocols.report import Report

_ID: Final = re.compile(r"\d{1,20}", re.ASCII)
_TYPE: Final = re.compile(r"[A-Za-z0-9]{1,8}", re.ASCII)
FIELDS_LIMIT: Final = 160
"""Fields of one message that are looked at."""

READERS: Final[dict[str, Callable[[list[str], int], Report | None]]] = {
    "NBR": neighbours,
    "V3": cells,
    "LINK": link,
    "HTBT": heartbeat,
    "VP1": position_or_cells,
}
"""Types that have a form of their own. All others are searched for a position."""
EMPTY: Final = frozenset({"HTBT", "LINK", "BS", "V0", "VP1", "XT", "R12"})
"""Types that may hold nothing that we store."""
CONFIRMING: Final = "V4"
"""What a tracker answers to a command: not answered in turn."""
ASKING: Final = "VI1"
"""It asks for a street address. We have none: the position is taken, the question is not answered."""
REPEATING: Final = frozenset({"HTBT", "LINK"})
"""Stored only when they say something else than the one before, or raise an alarm."""


class H02(Answering):
    """Implements :class:`protocols.dialogue.TrackerCore`."""

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self._framer = Framer()
        self._due: int | None = None
        self._id = ""
        self._beat: dict[str, object] | None = None

    def receive_data(self, data: bytes, now: int) -> list[Event]:
        events = self._take(self._framer.receive(data), now)
        self._due = now + PAUSE_MS if self._framer.waiting else None
        return events

    def receive_datagram(self, data: bytes, now: int) -> list[Event]:
        return self._take(Framer().receive(data, last=True), now)

    def get_timer(self) -> int | None:
        return self._due

    def handle_timer(self, now: int) -> list[Event]:
        if self._due is None or now < self._due:
            return []
        self._due = None
        return self._take(self._framer.settle(), now)

    def _take(self, found: list[bytes | str], now: int) -> list[Event]:
        events: list[Event] = []
        for one in found:
            if isinstance(one, str):
                events.append(Refused(one))
            elif one[:1] == b"$":
                ident, report = binary(one, now)
                if report is None:
                    events.append(Refused("bad_body"))
                else:
                    self._called(ident, events)
                    events.append(Reported([report], b""))
            else:
                self._text(one[1:-1].decode("latin-1").split(",", FIELDS_LIMIT), now, events)
        return events

    def _text(self, fields: list[str], now: int, events: list[Event]) -> None:
        if len(fields) < 3 or not _TYPE.fullmatch(fields[2]):
            events.append(Refused("bad_body"))
            return
        maker, ident, kind = fields[0], fields[1] or self._id, fields[2]
        if not _ID.fullmatch(ident) or not _TYPE.fullmatch(maker):
            events.append(Refused("bad_login"))
            return
        self._called(ident, events)
        answer = _answer(maker, ident, kind, now)
        fields = fields[2:FIELDS_LIMIT]
        report = READERS.get(kind, position)(fields, now)
        if report is None:
            if kind not in EMPTY and kind != CONFIRMING:
                events.append(Refused("bad_body"))
            # Answered all the same: the tracker would repeat for ever what cannot be read any better then.
            events.append(Heartbeat(answer))
        elif kind in REPEATING and report.items == self._beat and not report.alarm:
            events.append(Heartbeat(answer))
        else:
            if kind in REPEATING:
                self._beat = report.items
            events.append(Reported([report], answer))

    def _called(self, ident: str, events: list[Event]) -> None:
        if ident != self._id:
            self._id, self._beat = ident, None
            events.append(Login(ident))


def _answer(maker: str, ident: str, kind: str, now: int) -> bytes:
    """The answer to a message of this type; empty for those that want none."""
    if kind in (CONFIRMING, ASKING):
        return b""
    if kind == "HTBT":
        return f"*{maker},{ident},HTBT#".encode()
    told = datetime.fromtimestamp(now // 1000, UTC).strftime("%Y%m%d%H%M%S")
    if kind == "R12":
        return f"*{maker},{ident},R12,{told}#".encode()
    return f"*{maker},{ident},V4,{kind},{told}#".encode()
