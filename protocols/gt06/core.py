"""A GT06 tracker's conversation: who it is, what it reports, what it is answered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from protocols.alarms import Held
from protocols.dialogue import Answering, Event, Heartbeat, Login, Peer, Refused, Reported
from protocols.gt06.framing import Framer, Message, frame, plain_frame
from protocols.gt06.messages import CELLS, FIX_SIZE, position, sectioned, surroundings, time_of, time_to
from protocols.gt06.readings import READERS, plain_position, plain_state, plain_wifi
from protocols.report import Report

LOGIN: Final = 0x01
TIME: Final = 0x8A
HEARTBEATS: Final = frozenset({0x08, 0x13, 0x23})
"""Stored only when they say something else than the one before, or raise an alarm."""
ANSWERS: Final = frozenset({0x15, 0x21})
"""Answers to a command: not answered in turn."""
REQUESTS: Final = frozenset({0x17, 0x1A, 0x1F, 0x2A, 0xA7})
"""A street address or a clock of another kind is asked for. We have none: no answer, and the tracker goes on."""
SILENT: Final = ANSWERS | REQUESTS
"""Taken without an answer."""

POSITIONS: Final = frozenset(
    {0x10, 0x11, 0x12, 0x16, 0x1E, 0x22, 0x24, 0x25, 0x26, 0x27, 0x2D, 0x31, 0x32, 0x36, 0x37, 0x38}
) | frozenset({0xA0, 0xA2, 0xA3, 0xA4})
"""Types that begin with a position."""

SECTIONED: Final = frozenset({0x32, 0x33})
"""Types that have the length of each part when they come after ``79 79``."""

NEAR_MS: Final = 900_000
"""A clock that is so near to ours shows which time the tracker keeps."""


class Gt06(Answering):
    """Implements :class:`protocols.dialogue.TrackerCore`."""

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self._lenient = peer.lenient
        self._framer = Framer()
        self._trusted = False
        self._declared = 0
        self._ahead = 0
        self._beat: dict[str, object] | None = None
        self._calls = Held() if peer.calls is None else peer.calls
        self._ident = ""

    def receive_data(self, data: bytes, now: int) -> list[Event]:
        events: list[Event] = []
        for found in self._framer.receive(data):
            if isinstance(found, str):
                events.append(Refused(found))
            else:
                self._message(found, now, events)
        return events

    def receive_datagram(self, data: bytes, now: int) -> list[Event]:
        """The protocol knows TCP only; a datagram is read as a stream of its own."""
        self._framer = Framer()
        return self.receive_data(data, now)

    def _message(self, message: Message, now: int, events: list[Event]) -> None:
        if message.kind == LOGIN:
            self._login(message, events)
        elif not message.sound and not self._trusted:
            events.append(Refused("bad_checksum"))
        elif message.serial is None:
            self._plain(message, now, events)
        elif message.kind == TIME:
            events.append(Heartbeat(frame(TIME, time_to(now), message.serial)))
        else:
            self._common(message, now, events)

    def _login(self, message: Message, events: list[Event]) -> None:
        told = message.content[:8].hex()
        if len(told) < 16 or not told.isdigit():
            events.append(Refused("bad_login"))
            return
        imei = told[1:] if told[0] == "0" else told
        trusted = imei in self._lenient or imei.lstrip("0") in self._lenient  # registered ids have no leading zeros
        if not message.sound and not trusted:
            events.append(Refused("bad_checksum"))
            return
        self._trusted, self._beat, self._ident = trusted, None, imei
        self._declared = _zone(message.content[10:12])
        self._ahead = 0
        answer = plain_frame(LOGIN) if message.serial is None else frame(LOGIN, serial=message.serial)
        events.append(Login(imei, answer))

    def _common(self, message: Message, now: int, events: list[Event]) -> None:
        kind, content = message.kind, message.content
        answer = b"" if kind in SILENT else frame(kind, serial=message.serial or 0, long=message.long)
        if kind in REQUESTS or not content:
            events.append(Heartbeat(answer))  # nothing in it to store
            return
        report = None
        if message.long and kind in SECTIONED:
            report = sectioned(kind, content, now)
        elif _begins_with_fix(message):
            report = position(kind, content, now)
        if report is None and kind in CELLS:
            report = surroundings(kind, content, now)
        if report is None and kind in READERS:
            report = READERS[kind](content, now)
        if report is not None:
            self._reported(kind, report, answer, now, events)
            return
        if kind not in READERS:
            events.append(Refused("bad_body" if kind in POSITIONS or kind in CELLS else "unsupported"))
        # Answered all the same: the tracker would repeat for ever what cannot be read any better then.
        events.append(Heartbeat(answer))

    def _plain(self, message: Message, now: int, events: list[Event]) -> None:
        """Pocket trackers want the time of a position back, and nothing is read of types that are not listed here."""
        kind, content = message.kind, message.content
        report = None
        answer = b""
        if kind in (0x10, 0x11):
            report = plain_position(content, now, live=kind == 0x10)
            answer = plain_frame(kind, content[:6])
        elif kind in (0x69, 0x17):
            report = plain_wifi(content, now, message.count, live=kind == 0x69)
            answer = plain_frame(kind, content[:6], 0)
        elif kind == 0x13:
            report = plain_state(content, now)
            answer = plain_frame(kind, content[2:3])
        elif kind == 0x30:
            told = datetime.fromtimestamp(now // 1000, UTC)
            answer = plain_frame(kind, told.year.to_bytes(2, "big") + time_to(now)[1:], 7)
        elif kind != 0x08:
            events.append(Refused("unsupported"))
            return
        if report is not None:
            self._reported(kind, report, answer, now, events)
        elif kind in (0x10, 0x11, 0x69, 0x17):
            events.append(Refused("bad_body"))
        else:
            events.append(Heartbeat(answer))

    def _reported(self, kind: int, report: Report, answer: bytes, now: int, events: list[Event]) -> None:
        if kind in HEARTBEATS:
            if report.items == self._beat and not report.alarm:
                events.append(Heartbeat(answer))
                return
            self._beat = report.items
        if self._declared and report.fix_time is not None:
            self._shift(report, now)
        report.alarm = self._calls.take(self._ident, report.alarm, report.live, now)
        events.append(Reported([report], answer))

    def _shift(self, report: Report, now: int) -> None:
        """Trackers that declare a time zone at login tell UTC or the time of that zone. Which one is seen at the first
        message of about now; until then it is taken for UTC, as the newer texts have it."""
        time = report.fix_time or 0
        if abs(now - time) <= NEAR_MS:
            self._ahead = 0
        elif abs(now - time + self._declared) <= NEAR_MS:
            self._ahead = self._declared
        report.fix_time = time - self._ahead
        if self._ahead and abs(now - report.fix_time) <= NEAR_MS:
            report.live = True


def _begins_with_fix(message: Message) -> bool:
    """Whether to read the content as a position.

    Some types hold a position or cells. The byte of the satellites tells: its upper half is the length of the position,
    12, in some trackers a little less, where cells have the country. An unknown type that states 12 is taken too.
    """
    kind, content = message.kind, message.content
    if len(content) < FIX_SIZE:
        return False
    if kind in CELLS:
        return content[6] >> 4 >= 9 or time_of(content, 0) is None
    return kind in POSITIONS or (kind not in READERS and content[6] >> 4 == 12)


def _zone(told: bytes) -> int:
    """Hours × 100 and minutes in the upper 12 bits, bit 3 for west; ms that the clock is ahead of UTC."""
    if len(told) < 2:
        return 0
    word = told[0] << 8 | told[1]
    hours, minutes = divmod(word >> 4, 100)
    if hours > 14 or minutes > 59:
        return 0
    return (-1 if word & 8 else 1) * (hours * 60 + minutes) * 60_000
