"""What a terminal's conversation tells its shell. Values to be looked at, and handed back to be answered.

Every event but a refusal has ``header`` (the header of the message, which an answer needs) and ``phone`` (the terminal
number as decimal digits without leading zeros). Nothing of a position, a token or a plate shows in a ``repr``: events
end up in logs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from protocols.jt808.header import Header
from protocols.report import Report


@dataclass(slots=True)
class Registration:
    """0x0100. Next: :meth:`Connection.answer_registration`. ``colour`` 0: ``plate`` is the VIN."""

    header: Header = field(repr=False)
    phone: str
    province: int
    city: int
    maker: str
    model: str
    terminal: str
    colour: int
    plate: str = field(repr=False)


@dataclass(slots=True)
class Authentication:
    """0x0102. Next: :meth:`Connection.answer_authentication`. IMEI and software only since 2019."""

    header: Header = field(repr=False)
    phone: str
    token: str = field(repr=False)
    imei: str | None = None
    software: str | None = None


@dataclass(slots=True)
class Positions:
    """0x0200, 0x0704 or 0x0201. Next, when they are on disk: :meth:`Connection.acknowledge`.

    ``serial`` is what is acknowledged: of a message in fragments, the last one's. ``answers`` is the serial of our
    0x8201 that an 0x0201 answers, else ``None``.
    """

    reports: list[Report]
    header: Header = field(repr=False)
    phone: str
    serial: int
    message_id: int
    answers: int | None = None


@dataclass(slots=True)
class Heartbeat:
    """0x0002. Next: :meth:`Connection.acknowledge`."""

    header: Header = field(repr=False)
    phone: str


@dataclass(slots=True)
class Logout:
    """0x0003: the terminal gives up its registration; it has to authenticate again. Next: ``acknowledge``."""

    header: Header = field(repr=False)
    phone: str


@dataclass(slots=True)
class TimeRequest:
    """0x0004 (2019). Next: :meth:`Connection.answer_time`."""

    header: Header = field(repr=False)
    phone: str


@dataclass(slots=True)
class Answer:
    """0x0001: how the terminal took our message ``serial`` of ``message_id``; ``result`` is a Result or unknown.

    ``serial`` is what ``send`` returned, whichever fragment of a long message the terminal named.
    """

    header: Header = field(repr=False)
    phone: str
    serial: int
    message_id: int
    result: int


@dataclass(slots=True)
class ParametersAnswer:
    """0x0104: the terminal's parameters by id (parameters.py); ``answers`` is the serial of the question."""

    header: Header = field(repr=False)
    phone: str
    answers: int
    values: dict[int, int | str | bytes] = field(repr=False)


@dataclass(slots=True)
class PhotoTaken:
    """0x0805: how the terminal took our 0x8801; ``result`` 0 taken, 1 failed, 2 no such camera. The photos follow."""

    header: Header = field(repr=False)
    phone: str
    answers: int
    result: int
    media_ids: tuple[int, ...]


@dataclass(slots=True)
class Media:
    """0x0801: a photo, sound or film, whole. Next, when it is on disk: :meth:`Connection.acknowledge_media`.

    ``kind`` 0 photo, 1 sound, 2 film; ``format`` 0 JPEG, 1 TIF, 2 MP3, 3 WAV, 4 WMV; ``event`` why: 0 asked for, 1
    timed, others alarms and doors; ``channel`` the camera. ``report`` is where it was taken: ``None`` from terminals of
    2011, which do not say, and where it cannot be read. The same may come again until it is acknowledged.
    """

    media_id: int
    kind: int
    format: int
    event: int
    channel: int
    report: Report | None
    data: bytes = field(repr=False)
    header: Header = field(repr=False)
    phone: str


@dataclass(slots=True)
class Refused:
    """Something was refused and, where the protocol has an answer to it, answered: count it under ``reason``.

    ``phone`` and ``message_id`` are ``None`` when it was no message at all.
    """

    reason: str
    phone: str | None = None
    message_id: int | None = None


Event: TypeAlias = (
    Registration
    | Authentication
    | Positions
    | Heartbeat
    | Logout
    | TimeRequest
    | Answer
    | ParametersAnswer
    | PhotoTaken
    | Media
    | Refused
)
