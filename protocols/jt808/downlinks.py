"""What a platform asks of a terminal: values with their bodies, in both layouts (clauses 8.9 to 8.59 of 2013).

Each is a frozen value that is checked when it is made (:class:`ValueError` says what is wrong), has a ``message_id``
and ``encode(version)``, where ``version`` is that of the header: ``None`` up to 2013, the version byte since 2019.
:meth:`Connection.send` takes one of these and nothing else, so what has no class here cannot be asked.

That is on purpose for everything that would let somebody listen in unseen: the listening call (0x8400 of
type 1), sound alone (0x9101 of type 3) and the phone number for it (parameter 0x0048, see parameters.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeAlias

from protocols.errors import RemoteProtocolError
from protocols.jt808.areas import AREAS_LIMIT, Area, AreaReader, Box, Circle, Mode, Polygon, Shape
from protocols.jt808.parameters import ParameterList, Value, checked, gbk

TEXT_LIMIT: Final = 1024
"""Bytes of GBK in a text, so 512 Chinese characters."""

_URGENT: Final = 0x01
_DISPLAY: Final = 0x04
_SPEAK: Final = 0x08
_URGENT_2019: Final = 0x02
_NOTICE_2019: Final = 0x03
_NOTICE: Final = 1
"""Type byte of 2019: 1 a notice, 2 a service."""


def _range(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be {low}..{high}, not {value!r}")


@dataclass(frozen=True, slots=True)
class Text:
    """0x8300: flags u8, since 2019 a type u8, text in GBK. Answered with 0x0001."""

    message_id: ClassVar[int] = 0x8300
    text: str = field(repr=False)
    urgent: bool = False
    display: bool = True
    speak: bool = True

    def __post_init__(self) -> None:
        size = len(gbk(self.text))
        if not 1 <= size <= TEXT_LIMIT:
            raise ValueError(f"a text has 1..{TEXT_LIMIT} bytes of GBK, not {size}")

    def encode(self, version: int | None) -> bytes:
        """Up to 2013 bit 0 is urgent; since 2019 bits 0 and 1 are 2 urgent or 3 notice."""
        flags = (_DISPLAY if self.display else 0) | (_SPEAK if self.speak else 0)
        if version is None:
            return bytes([flags | (_URGENT if self.urgent else 0)]) + gbk(self.text)
        return bytes([flags | (_URGENT_2019 if self.urgent else _NOTICE_2019), _NOTICE]) + gbk(self.text)

    @classmethod
    def decode(cls, body: bytes, version: int | None) -> Text:
        """Flags and types that we do not write are read as the nearest."""
        head = 1 if version is None else 2
        if len(body) <= head:
            raise RemoteProtocolError("bad_body", "no text")
        flags, text = body[0], body[head:].rstrip(b"\0").decode("gbk", "replace").replace("\ufffd", "?")
        urgent = bool(flags & _URGENT) if version is None else flags & 0x03 == _URGENT_2019
        return cls(text, urgent, bool(flags & _DISPLAY), bool(flags & _SPEAK))


@dataclass(frozen=True, slots=True, eq=False)
class SetParameters:
    """0x8103: parameters by id, each of its kind and in its range (parameters.py). Answered with 0x0001."""

    message_id: ClassVar[int] = 0x8103
    values: Mapping[int, Value] = field(repr=False)  # passwords of access points among them

    def __post_init__(self) -> None:
        _range("the number of parameters", len(self.values), 1, 255)
        values = {int(ident): value for ident, value in self.values.items()}
        for ident, value in values.items():
            checked(ident, value)
        object.__setattr__(self, "values", MappingProxyType(values))

    def encode(self, version: int | None) -> bytes:
        """The same in both layouts. Each value is checked once more: nothing else may leave this house."""
        parts = [bytes([len(self.values)])]
        for ident, value in self.values.items():
            raw = checked(ident, value)
            parts.append(ident.to_bytes(4, "big") + bytes([len(raw)]) + raw)
        return b"".join(parts)

    @classmethod
    def decode(cls, body: bytes, version: int | None) -> SetParameters:
        """Raises ``bad_body``, and :class:`ValueError` for what :meth:`encode` would not write."""
        listed = ParameterList.decode(body)
        if not listed.whole:
            raise RemoteProtocolError("bad_body", "a list of parameters is cut off")
        return cls(listed.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SetParameters) and dict(self.values) == dict(other.values)

    __hash__ = None  # type: ignore[assignment]  # holds a mapping


@dataclass(frozen=True, slots=True)
class QueryParameters:
    """0x8104 asks for all parameters, 0x8106 for those of ``ids``. Answered with 0x0104."""

    ids: Sequence[int] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", tuple(self.ids))
        _range("the number of parameters", len(self.ids), 0, 255)
        for ident in self.ids:
            _range("a parameter's id", ident, 0, 0xFFFFFFFF)

    @property
    def message_id(self) -> int:
        """Which of the two it is."""
        return 0x8106 if self.ids else 0x8104

    def encode(self, version: int | None) -> bytes:
        """Nothing, or count u8 and ids u32."""
        if not self.ids:
            return b""
        return bytes([len(self.ids)]) + b"".join(ident.to_bytes(4, "big") for ident in self.ids)


@dataclass(frozen=True, slots=True)
class Locate:
    """0x8201: where are you? Answered with 0x0201."""

    message_id: ClassVar[int] = 0x8201

    def encode(self, version: int | None) -> bytes:
        """Empty."""
        return b""


@dataclass(frozen=True, slots=True)
class Follow:
    """0x8202: a position every ``interval`` s for ``duration`` s; ``interval`` 0 ends it. Answered with 0x0001."""

    message_id: ClassVar[int] = 0x8202
    interval: int
    duration: int = 0

    def __post_init__(self) -> None:
        _range("the interval", self.interval, 0, 0xFFFF)
        _range("the duration", self.duration, 1 if self.interval else 0, 0xFFFFFFFF)

    def encode(self, version: int | None) -> bytes:
        """interval u16, duration u32. The second may be left out with 0; it is not, for fixed-length readers."""
        return self.interval.to_bytes(2, "big") + self.duration.to_bytes(4, "big")

    @classmethod
    def decode(cls, body: bytes, version: int | None) -> Follow:
        """Raises ``bad_body``."""
        if len(body) < 2:
            raise RemoteProtocolError("bad_body", "no interval")
        return cls(int.from_bytes(body[:2], "big"), int.from_bytes(body[2:6], "big"))


@dataclass(frozen=True, slots=True)
class _SetAreas:
    shape: ClassVar[Shape]
    message_id: ClassVar[int]
    areas: Sequence[Any]
    mode: Mode = Mode.REPLACE

    def __post_init__(self) -> None:
        object.__setattr__(self, "areas", tuple(self.areas))
        object.__setattr__(self, "mode", Mode(self.mode))
        _range("the number of areas", len(self.areas), 1, AREAS_LIMIT)
        if any(getattr(area, "shape", None) is not self.shape for area in self.areas):
            raise ValueError(f"an area that is no {self.shape.name.lower()}")

    def encode(self, version: int | None) -> bytes:
        """mode u8, count u8, areas."""
        return bytes([self.mode, len(self.areas)]) + b"".join(area.encode(version) for area in self.areas)

    @classmethod
    def decode(cls, body: bytes, version: int | None) -> Any:
        """Raises ``bad_body``, and :class:`ValueError` for areas that are none."""
        reader = AreaReader(body)
        mode, count = reader.number(1), reader.number(1)
        areas = [reader.area(cls.shape, version) for _ in range(count)]
        if not reader.done:
            raise RemoteProtocolError("bad_body", "more than the areas")
        return cls(areas, Mode(mode))


@dataclass(frozen=True, slots=True)
class SetCircles(_SetAreas):
    """0x8600. By default they take the place of all circles of the terminal, so sending twice does no harm."""

    shape = Shape.CIRCLE
    message_id = 0x8600
    areas: Sequence[Circle]


@dataclass(frozen=True, slots=True)
class SetRectangles(_SetAreas):
    """0x8602, otherwise as circles."""

    shape = Shape.BOX
    message_id = 0x8602
    areas: Sequence[Box]


@dataclass(frozen=True, slots=True)
class SetPolygon:
    """0x8604: one polygon, beside those that the terminal has; one with the same id is replaced."""

    message_id: ClassVar[int] = 0x8604
    area: Polygon

    def __post_init__(self) -> None:
        if not isinstance(self.area, Polygon):
            raise ValueError("an area that is no polygon")

    def encode(self, version: int | None) -> bytes:
        """The polygon alone."""
        return self.area.encode(version)

    @classmethod
    def decode(cls, body: bytes, version: int | None) -> SetPolygon:
        """Raises ``bad_body``, and :class:`ValueError` for areas that are none."""
        reader = AreaReader(body)
        area = reader.area(Shape.POLYGON, version)
        if not reader.done or not isinstance(area, Polygon):
            raise RemoteProtocolError("bad_body", "more than the polygon")
        return cls(area)


@dataclass(frozen=True, slots=True)
class DeleteAreas:
    """0x8601, 0x8603 or 0x8605 by ``shape``: the areas of these ids, or all of that shape. Answered with 0x0001."""

    shape: Shape
    ids: Sequence[int] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", Shape(self.shape))
        object.__setattr__(self, "ids", tuple(self.ids))
        # Up to 2013 the text allows 125 in one message.
        _range("the number of areas", len(self.ids), 0, 125)
        for ident in self.ids:
            _range("an area's id", ident, 0, 0xFFFFFFFF)

    @property
    def message_id(self) -> int:
        """The id behind that which sets such areas."""
        return self.shape + 1

    def encode(self, version: int | None) -> bytes:
        """count u8 (0 all), ids u32."""
        return bytes([len(self.ids)]) + b"".join(ident.to_bytes(4, "big") for ident in self.ids)


@dataclass(frozen=True, slots=True)
class Photo:
    """0x8801: take ``count`` photos with camera ``channel``, one every ``interval`` s (0: as fast as it can).

    ``save``: keep them in the terminal instead of sending them. ``resolution``: 1 320x240, 2 640x480, 3 800x600,
    4 1024x768, 5 176x144, 6 352x288, 7 704x288, 8 704x576. ``quality``: 1 best to 10 smallest.
    Answered with 0x0805 (0x0001 by terminals of 2011), then each photo comes as 0x0801.
    """

    message_id: ClassVar[int] = 0x8801
    channel: int
    count: int = 1
    interval: int = 0
    save: bool = False
    resolution: int = 2
    quality: int = 5
    brightness: int = 128
    contrast: int = 64
    saturation: int = 64
    chroma: int = 128

    def __post_init__(self) -> None:
        _range("the channel", self.channel, 1, 255)
        # 0 ends a series and 0xffff is a film: neither is asked for here.
        _range("the number of photos", self.count, 1, 0xFFFE)
        _range("the interval", self.interval, 0, 0xFFFF)
        for name, low, high in (
            ("resolution", 1, 8),
            ("quality", 1, 10),
            ("brightness", 0, 255),
            ("contrast", 0, 127),
            ("saturation", 0, 127),
            ("chroma", 0, 255),
        ):
            _range(f"the {name}", getattr(self, name), low, high)

    def encode(self, version: int | None) -> bytes:
        """Twelve bytes."""
        return (
            bytes([self.channel])
            + self.count.to_bytes(2, "big")
            + self.interval.to_bytes(2, "big")
            + bytes([bool(self.save), self.resolution, self.quality])
            + bytes([self.brightness, self.contrast, self.saturation, self.chroma])
        )

    @classmethod
    def decode(cls, body: bytes, version: int | None) -> Photo:
        """Raises ``bad_body``, and :class:`ValueError` for what is no photo."""
        if len(body) != 12:
            raise RemoteProtocolError("bad_body", f"{len(body)} bytes of shooting")
        count, interval = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        return cls(body[0], count, interval, bool(body[5]), *body[6:])


Downlink: TypeAlias = (
    Text
    | SetParameters
    | QueryParameters
    | Locate
    | Follow
    | SetCircles
    | SetRectangles
    | SetPolygon
    | DeleteAreas
    | Photo
)
DOWNLINKS: Final[tuple[type, ...]] = (
    Text,
    SetParameters,
    QueryParameters,
    Locate,
    Follow,
    SetCircles,
    SetRectangles,
    SetPolygon,
    DeleteAreas,
    Photo,
)
"""All that may be asked of a terminal: a closed list, and exactly these types."""


def _ids(body: bytes) -> list[int]:
    if not body or len(body) != 1 + 4 * body[0]:
        raise RemoteProtocolError("bad_body", "a list of ids is cut off")
    return [int.from_bytes(body[at : at + 4], "big") for at in range(1, len(body), 4)]


def _some_parameters(body: bytes, version: int | None) -> QueryParameters:
    ids = _ids(body)
    if not ids:
        raise RemoteProtocolError("bad_body", "no parameter is asked for")
    return QueryParameters(ids)


def _deletion(shape: Shape) -> Callable[[bytes, int | None], DeleteAreas]:
    return lambda body, version: DeleteAreas(shape, _ids(body))


_DECODERS: Final[dict[int, Callable[[bytes, int | None], Downlink]]] = {
    **{
        kind.message_id: kind.decode
        for kind in (Text, SetParameters, Follow, SetCircles, SetRectangles, SetPolygon, Photo)
    },
    **{shape + 1: _deletion(shape) for shape in Shape},
    0x8104: lambda body, version: QueryParameters(),
    0x8106: _some_parameters,
    0x8201: lambda body, version: Locate(),
}


def decode_downlink(message_id: int, body: bytes, version: int | None) -> Downlink:
    """The terminal's reading of a platform's message.

    Raises ``unsupported`` for ids that are not here, and ``bad_body`` for what cannot be read or what no value of
    ours can be (a parameter out of its range, a polygon of two points).
    """
    decoder = _DECODERS.get(message_id)
    if decoder is None:
        raise RemoteProtocolError("unsupported", f"message {message_id:#06x}")
    try:
        return decoder(body, version)
    except ValueError as error:
        raise RemoteProtocolError("bad_body", str(error)) from None


__all__ = [
    "DOWNLINKS",
    "Area",
    "DeleteAreas",
    "Downlink",
    "Follow",
    "Locate",
    "Photo",
    "QueryParameters",
    "SetCircles",
    "SetParameters",
    "SetPolygon",
    "SetRectangles",
    "Text",
    "decode_downlink",
]
