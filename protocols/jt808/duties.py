"""What a terminal does when its platform asks: parameters, areas, temporary tracking. For the simulator and for tests.

:meth:`Duties.obey` takes a downlink and says what happened and what is answered. Photos need a camera, so they are
handed back to whoever drives the terminal (client.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import Final, NamedTuple, TypeAlias

from protocols.jt808.areas import Area, Mode, Shape
from protocols.jt808.downlinks import (
    DeleteAreas,
    Follow,
    Photo,
    QueryParameters,
    SetCircles,
    SetParameters,
    SetPolygon,
    SetRectangles,
    Text,
)
from protocols.jt808.messages import GeneralAnswer, MessageId, Result
from protocols.jt808.parameters import ParameterList, ParametersBody, Value, checked

REPORT_S: Final = 0x0029
"""The parameter with the seconds between two positions."""
DEFAULTS: Final[dict[int, Value]] = {
    0x0001: 30,
    0x0013: "127.0.0.1",
    0x0018: 6808,
    0x0020: 0,
    0x0027: 300,
    0x0028: 5,
    REPORT_S: 30,
    0x0030: 30,
    0x0055: 80,
    0x0056: 10,
    0x005A: 7200,
    0x0070: 5,
}
"""What a terminal has before anybody sets something."""


@dataclass(slots=True)
class Told:
    """0x8300: a text to be shown or spoken."""

    text: str = field(repr=False)
    urgent: bool
    display: bool
    speak: bool


@dataclass(slots=True)
class ParametersSet:
    """0x8103: these parameters have new values."""

    ids: tuple[int, ...]


@dataclass(slots=True)
class ParametersTold:
    """0x8104 or 0x8106: so many parameters are on their way."""

    count: int


@dataclass(slots=True)
class AreasChanged:
    """0x8600 to 0x8605: the terminal has so many areas of this shape now."""

    shape: Shape
    count: int


@dataclass(slots=True)
class Followed:
    """0x8202: see :meth:`Duties.interval`."""

    interval: int
    duration: int


@dataclass(slots=True)
class PhotoAsked:
    """0x8801. Next: :meth:`Terminal.photos` with the pictures; nothing is answered before."""

    serial: int
    photo: Photo


DutyEvent: TypeAlias = Told | ParametersSet | ParametersTold | AreasChanged | Followed | PhotoAsked


class Done(NamedTuple):
    """What a downlink led to: the event, and message id and body of the answer (``None``: later)."""

    event: DutyEvent
    answer: tuple[int, bytes] | None


def _agreed(event: DutyEvent, serial: int, message_id: int) -> Done:
    return Done(event, (MessageId.TERMINAL_ANSWER, GeneralAnswer(serial, message_id, Result.OK).encode()))


class Duties:
    """The settings of one terminal. Public state: ``parameters`` as their bytes by id, ``areas`` by shape and id."""

    def __init__(self) -> None:
        self.parameters: dict[int, bytes] = {ident: checked(ident, value) for ident, value in DEFAULTS.items()}
        self.areas: dict[Shape, dict[int, Area]] = {shape: {} for shape in Shape}
        self._follow: tuple[int, int] | None = None  # interval in s, end in ms

    def interval(self, now: int) -> int:
        """Seconds between two positions at ``now``, ms: those of 0x8202 while it lasts, else parameter 0x0029."""
        if self._follow is not None and now < self._follow[1]:
            return self._follow[0]
        return int.from_bytes(self.parameters[REPORT_S], "big")

    def followed(self, now: int) -> bool:
        """Whether temporary tracking is on at ``now``, ms."""
        return self._follow is not None and now < self._follow[1]

    @singledispatchmethod
    def obey(self, downlink: object, serial: int, now: int) -> Done:
        """Does what a downlink with this serial says, at ``now``, ms."""
        raise TypeError(type(downlink).__name__)

    @obey.register
    def _(self, downlink: Text, serial: int, now: int) -> Done:
        told = Told(downlink.text, downlink.urgent, downlink.display, downlink.speak)
        return _agreed(told, serial, downlink.message_id)

    @obey.register
    def _(self, downlink: SetParameters, serial: int, now: int) -> Done:
        self.parameters |= {ident: checked(ident, value) for ident, value in downlink.values.items()}
        return _agreed(ParametersSet(tuple(downlink.values)), serial, downlink.message_id)

    @obey.register
    def _(self, downlink: QueryParameters, serial: int, now: int) -> Done:
        ids = downlink.ids or sorted(self.parameters)
        items = tuple((ident, self.parameters[ident]) for ident in ids if ident in self.parameters)
        body = ParametersBody(serial, ParameterList(len(items), items)).encode()
        return Done(ParametersTold(len(items)), (MessageId.PARAMETERS_ANSWER, body))

    @obey.register
    def _(self, downlink: Follow, serial: int, now: int) -> Done:
        self._follow = (downlink.interval, now + 1000 * downlink.duration) if downlink.interval else None
        return _agreed(Followed(downlink.interval, downlink.duration), serial, downlink.message_id)

    @obey.register
    def _(self, downlink: SetCircles | SetRectangles, serial: int, now: int) -> Done:
        held = self.areas[downlink.shape]
        if downlink.mode is Mode.REPLACE:
            held.clear()
        held |= {area.ident: area for area in downlink.areas}
        return _agreed(AreasChanged(downlink.shape, len(held)), serial, downlink.message_id)

    @obey.register
    def _(self, downlink: SetPolygon, serial: int, now: int) -> Done:
        held = self.areas[Shape.POLYGON]
        held[downlink.area.ident] = downlink.area
        return _agreed(AreasChanged(Shape.POLYGON, len(held)), serial, downlink.message_id)

    @obey.register
    def _(self, downlink: DeleteAreas, serial: int, now: int) -> Done:
        held = self.areas[downlink.shape]
        for ident in downlink.ids or list(held):
            held.pop(ident, None)
        return _agreed(AreasChanged(downlink.shape, len(held)), serial, downlink.message_id)

    @obey.register
    def _(self, downlink: Photo, serial: int, now: int) -> Done:
        return Done(PhotoAsked(serial, downlink), None)
