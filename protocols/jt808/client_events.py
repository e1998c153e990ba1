"""What a terminal's core tells whoever drives it. What comes of a platform's wishes is in duties.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from protocols.jt808.duties import DutyEvent


@dataclass(slots=True)
class Registered:
    """0x8100. With result 0 the token is kept for :meth:`Terminal.authenticate`."""

    result: int
    token: str = field(repr=False)


@dataclass(slots=True)
class Authenticated:
    """The answer to 0x0102; with result 0 the unacknowledged positions have been queued again."""

    result: int


@dataclass(slots=True)
class Acknowledged:
    """0x8001 for our message ``serial``; ``positions`` of ours are settled by it (0 when it was refused)."""

    serial: int
    message_id: int
    result: int
    positions: int


@dataclass(slots=True)
class Located:
    """0x8201 came; the answer 0x0201 with the newest position is queued already."""

    serial: int


@dataclass(slots=True)
class TimeTold:
    """0x8004: the platform's time in UTC milliseconds."""

    time: int


@dataclass(slots=True)
class Unsupported:
    """A message that this terminal does not know; answered 0x0001 with result 3."""

    message_id: int
    serial: int


@dataclass(slots=True)
class Broken:
    """What came is no message, or one for somebody else."""

    reason: str


@dataclass(slots=True)
class Resent:
    """0x8003 or a list in 0x8800: so many fragments go out once more."""

    count: int


@dataclass(slots=True)
class MediaTaken:
    """0x8800: the platform has the medium; it is forgotten here."""

    media_id: int


ClientEvent: TypeAlias = (
    Registered
    | Authenticated
    | Acknowledged
    | Located
    | TimeTold
    | Resent
    | MediaTaken
    | Unsupported
    | Broken
    | DutyEvent
)
