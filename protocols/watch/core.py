"""A watch's conversation: every message says who it is from; the link is kept with LK, which wants its answer."""

from __future__ import annotations

from typing import Final

from protocols.alarms import Held
from protocols.dialogue import Answering, Event, Heartbeat, Login, Peer, Refused, Reported
from protocols.watch.framing import Framer, Message, frame
from protocols.watch.messages import READINGS, position, reading

FIELDS_LIMIT: Final = 160
"""Fields of one message that are looked at."""

PLACING: Final = ("UD", "AL", "WT", "WAD", "WG", "PP")
"""How the types begin that hold a position."""
ANSWERS: Final = {
    "INIT": b"INIT,1",
    "CONFIG": b"CONFIG,1",
    "TKQ": b"TKQ",
    "TKQ2": b"TKQ2",
    "TK": b"TK,0",
    "oxygen": b"oxygen,1",
}
"""Answers that are more than the type, and of types that are neither position nor reading. We have no voice messages to
hand out and keep none: TK is told that its message was not taken."""


class Watch(Answering):
    """Implements :class:`protocols.dialogue.TrackerCore`."""

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self._framer = Framer()
        self._id = ""
        self._beat: dict[str, object] | None = None
        self._calls = Held() if peer.calls is None else peer.calls

    def receive_data(self, data: bytes, now: int) -> list[Event]:
        return self._take(self._framer.receive(data), now)

    def receive_datagram(self, data: bytes, now: int) -> list[Event]:
        return self._take(Framer().receive(data), now)

    def _take(self, found: list[Message | str], now: int) -> list[Event]:
        events: list[Event] = []
        for one in found:
            if isinstance(one, str):
                events.append(Refused(one))
            else:
                self._message(one, now, events)
        return events

    def _message(self, message: Message, now: int, events: list[Event]) -> None:
        if message.ident != self._id:
            self._id, self._beat = message.ident, None
            events.append(Login(message.ident))
        fields = message.content.decode("latin-1").split(",", FIELDS_LIMIT)[:FIELDS_LIMIT]
        kind = fields[0]
        answer = _answer(message, kind)
        small = kind.lower()
        if small in READINGS:
            report = reading(small, fields)
            if report is None or (small == "lk" and report.items == self._beat):
                events.append(Heartbeat(answer))
                return
            if small == "lk":
                self._beat = report.items
            events.append(Reported([report], answer))
        elif kind.startswith(PLACING):
            report = position(fields, now)
            if report is not None:
                report.alarm = self._calls.take(self._id, report.alarm, report.live, now)
                events.append(Reported([report], answer))
                return
            events.append(Refused("bad_body"))
            # Answered all the same: the watch would repeat for ever what cannot be read any better then.
            events.append(Heartbeat(answer))
        else:
            events.append(Heartbeat(answer))


def _answer(message: Message, kind: str) -> bytes:
    """The answer to a message of this type; empty for those that want none, as positions do not."""
    if kind in ANSWERS:
        content = ANSWERS[kind]
    elif kind.lower() in READINGS:
        content = kind.encode("ascii")
    elif kind.startswith("AL"):
        content = b"AL"
    else:
        return b""
    return frame(message.maker, message.ident, content, message.index)
