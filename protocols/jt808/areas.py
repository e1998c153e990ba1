"""Areas that a terminal watches by itself: circles, boxes and polygons, set by 0x8600, 0x8602 and 0x8604 and taken
away by 0x8601, 0x8603 and 0x8605.

An area is id u32, attributes u16, its shape, then what the attributes announce: a period of 2 x BCD[6] (bit 0), and
speed limit u16 km/h with seconds u8 (bit 1). Since 2019 a speed limit at night u16 (bit 1) and a name (length u16,
GBK) follow; in a polygon behind its points. Latitudes and longitudes are u32 in 1e-6 degrees without sign, bits 6 and
7 say south and west. Here they are in 1e-7 degrees with sign, as everywhere in the house.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.jt808.bcd import encode_time
from protocols.jt808.parameters import gbk

AREAS_LIMIT: Final = 255
"""Areas in one message: their count is a byte."""
POINTS_LIMIT: Final = 1000
"""Points of a polygon: nine frames. The wire could say 65,535, which no terminal has the memory for."""
NAME_LIMIT: Final = 64
"""Bytes of a name: a line on a terminal's display."""

SPEED_S: Final = 10
"""Seconds above a limit until it counts, unless said otherwise."""

_TIMED: Final = 0x01
_SPEED: Final = 0x02
_SOUTH: Final = 0x40
_WEST: Final = 0x80
ENTER_DRIVER: Final = 0x04
ENTER_PLATFORM: Final = 0x08
LEAVE_DRIVER: Final = 0x10
LEAVE_PLATFORM: Final = 0x20
_RESERVED: Final = _TIMED | _SPEED | _SOUTH | _WEST


class Shape(IntEnum):
    """Shapes with the id of the message that sets them; one more takes them away."""

    CIRCLE = 0x8600
    BOX = 0x8602
    POLYGON = 0x8604


class Mode(IntEnum):
    """What becomes of the areas of that shape that the terminal has already."""

    REPLACE = 0
    APPEND = 1
    CHANGE = 2


@dataclass(frozen=True, slots=True)
class Period:
    """When an area is in force: six BCD bytes each, GMT+8. With all zeros for the date it is so every day."""

    start: bytes
    end: bytes

    def __post_init__(self) -> None:
        if len(self.start) != 6 or len(self.end) != 6 or not (self.start + self.end).hex().isdecimal():
            raise ValueError("a period is twice six BCD bytes")

    @classmethod
    def daily(cls, start: int, end: int) -> Period:
        """Every day, in minutes after midnight, 0 to 1439."""
        if not (0 <= start < 1440 and 0 <= end < 1440):
            raise ValueError("a day has the minutes 0..1439")
        return cls(*(bytes.fromhex(f"000000{at // 60:02}{at % 60:02}00") for at in (start, end)))

    @classmethod
    def between(cls, start: int, end: int) -> Period:
        """From one moment to another, UTC milliseconds."""
        if start >= end:
            raise ValueError("a period ends after its start")
        try:
            return cls(encode_time(start), encode_time(end))
        except (LocalProtocolError, OverflowError) as error:
            raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds in an area. ``alerts``: who is told what, bits ENTER_* and LEAVE_* (and others that terminals know).

    ``speed`` and ``night_speed`` in km/h (the second only since 2019; without it the first holds at night too),
    ``speed_s``: seconds above it until it counts.
    """

    alerts: int = ENTER_PLATFORM | LEAVE_PLATFORM
    period: Period | None = None
    speed: int | None = None
    speed_s: int = SPEED_S
    night_speed: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.alerts <= 0xFFFF or self.alerts & _RESERVED:
            raise ValueError("alerts are bits beside those that say what follows")
        if self.speed is None and self.night_speed is not None:
            raise ValueError("a speed limit at night needs one by day")
        for value, high in ((self.speed, 0xFFFF), (self.night_speed, 0xFFFF), (self.speed_s, 255)):
            if value is not None and not 0 <= value <= high:
                raise ValueError(f"a speed limit of {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Area:
    shape: ClassVar[Shape]
    ident: int
    rules: Rules = Rules()
    name: str = ""

    def _check(self, latitudes: list[int], longitudes: list[int]) -> None:
        if not 0 <= self.ident <= 0xFFFFFFFF:
            raise ValueError("an area's id has 32 bits")
        if len(gbk(self.name)) > NAME_LIMIT:
            raise ValueError(f"an area's name has up to {NAME_LIMIT} bytes")
        for values, bound in ((latitudes, 900_000_000), (longitudes, 1_800_000_000)):
            if any(abs(value) > bound for value in values):
                raise ValueError("a point outside the earth")
            if min(values) < 0 < max(values):
                raise ValueError("an area lies on one side of equator and meridian")

    def _head(self, latitudes: list[int], longitudes: list[int]) -> bytes:
        rules = self.rules
        attributes = (
            rules.alerts
            | (_TIMED if rules.period is not None else 0)
            | (_SPEED if rules.speed is not None else 0)
            | (_SOUTH if min(latitudes) < 0 else 0)
            | (_WEST if min(longitudes) < 0 else 0)
        )
        return self.ident.to_bytes(4, "big") + attributes.to_bytes(2, "big")

    def _limits(self) -> bytes:
        rules = self.rules
        period = b"" if rules.period is None else rules.period.start + rules.period.end
        return period if rules.speed is None else period + rules.speed.to_bytes(2, "big") + bytes([rules.speed_s])

    def _newer(self, version: int | None) -> bytes:
        if version is None:
            return b""
        rules, name = self.rules, gbk(self.name)
        night = rules.speed if rules.night_speed is None else rules.night_speed
        return (b"" if night is None else night.to_bytes(2, "big")) + len(name).to_bytes(2, "big") + name


def _degrees(*values: int) -> bytes:
    return b"".join(((abs(value) + 5) // 10).to_bytes(4, "big") for value in values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle(_Area):
    """``radius`` in metres."""

    shape = Shape.CIRCLE
    latitude: int
    longitude: int
    radius: int

    def __post_init__(self) -> None:
        self._check([self.latitude], [self.longitude])
        if not 1 <= self.radius <= 0xFFFFFFFF:
            raise ValueError(f"a radius of {self.radius} m")

    def encode(self, version: int | None) -> bytes:
        """One item of 0x8600."""
        where = _degrees(self.latitude, self.longitude) + self.radius.to_bytes(4, "big")
        return self._head([self.latitude], [self.longitude]) + where + self._limits() + self._newer(version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box(_Area):
    """Edges of a rectangle; on the wire its north-west and its south-east corner."""

    shape = Shape.BOX
    north: int
    west: int
    south: int
    east: int

    def __post_init__(self) -> None:
        self._check([self.north, self.south], [self.west, self.east])
        if self.north < self.south or self.east < self.west:
            raise ValueError("a box has its north above its south and its east right of its west")

    def encode(self, version: int | None) -> bytes:
        """One item of 0x8602."""
        where = _degrees(self.north, self.west, self.south, self.east)
        return (
            self._head([self.north, self.south], [self.west, self.east]) + where + self._limits() + self._newer(version)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygon(_Area):
    """``points``: (latitude, longitude), three or more, not closed."""

    shape = Shape.POLYGON
    points: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if not 3 <= len(self.points) <= POINTS_LIMIT:
            raise ValueError(f"a polygon has 3..{POINTS_LIMIT} points")
        self._check([point[0] for point in self.points], [point[1] for point in self.points])

    def encode(self, version: int | None) -> bytes:
        """The body of 0x8604."""
        head = self._head([point[0] for point in self.points], [point[1] for point in self.points])
        where = len(self.points).to_bytes(2, "big") + b"".join(_degrees(*point) for point in self.points)
        return head + self._limits() + where + self._newer(version)


Area = Circle | Box | Polygon


class AreaReader:
    """Takes areas one after the other. Raises ``bad_body`` when the bytes end, :class:`ValueError` for odd values."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.at = 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        self.at += size
        if self.at > len(self._body):
            raise RemoteProtocolError("bad_body", "an area is cut off")
        return self._body[self.at - size : self.at]

    def number(self, size: int) -> int:
        """The next unsigned number."""
        return int.from_bytes(self.take(size), "big")

    def degrees(self, attributes: int) -> tuple[int, int]:
        """A latitude and a longitude in 1e-7 degrees."""
        latitude, longitude = self.number(4) * 10, self.number(4) * 10
        return -latitude if attributes & _SOUTH else latitude, -longitude if attributes & _WEST else longitude

    @property
    def done(self) -> bool:
        """Nothing is left."""
        return self.at == len(self._body)

    def area(self, shape: Shape, version: int | None) -> Area:
        """One area, as a message of the header ``version`` has it."""
        ident, attributes = self.number(4), self.number(2)
        corners = [] if shape is Shape.POLYGON else [self.degrees(attributes)]
        radius = self.number(4) if shape is Shape.CIRCLE else 0
        if shape is Shape.BOX:
            corners.append(self.degrees(attributes))
        period = Period(self.take(6), self.take(6)) if attributes & _TIMED else None
        speed, speed_s = (self.number(2), self.number(1)) if attributes & _SPEED else (None, SPEED_S)
        if shape is Shape.POLYGON:
            corners = [self.degrees(attributes) for _ in range(self.number(2))]
        night, name = None, ""
        if version is not None:
            night = self.number(2) if attributes & _SPEED else None
            name = self.take(self.number(2)).decode("gbk")
        rules = Rules(attributes & ~_RESERVED, period, speed, speed_s, night)
        if shape is Shape.CIRCLE:
            (latitude, longitude), *_ = corners
            return Circle(ident=ident, rules=rules, name=name, latitude=latitude, longitude=longitude, radius=radius)
        if shape is Shape.BOX:
            (north, west), (south, east) = corners
            return Box(ident=ident, rules=rules, name=name, north=north, west=west, south=south, east=east)
        return Polygon(ident=ident, rules=rules, name=name, points=tuple(corners))
