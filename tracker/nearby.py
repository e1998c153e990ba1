"""Who was near a place: the circle on the globe, a box around it that leaves nobody out, and what adds up to a visit.

Positions are WGS-84 in 1e-7 degrees, distances those of :func:`tracker.coordinates.distance` in metres. The box comes
first because a file is searched by it without any trigonometry; near a pole it takes all longitudes, and where it
crosses the 180th meridian there are two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import asin, cos, degrees, radians, sin
from typing import Any

import numpy as np

from tracker.coordinates import EARTH_RADIUS

RADIUS_LIMIT = 5000.0
"""Metres: beyond that it is a district and not a place."""
_DEGREE = 10_000_000
_TURN = 360 * _DEGREE
_HALF = 180 * _DEGREE
_POLE = 90 * _DEGREE
_MARGIN = 2
"""1e-7 degrees by which a box is larger than it must be: two centimetres for what is lost in rounding."""

Box = tuple[int, int, int, int]
"""South, west, north, east; all included, west never above east."""
Values = Any
"""A numpy array."""


@dataclass(frozen=True, slots=True)
class Circle:
    """A place and ``radius`` metres around it."""

    latitude: int
    longitude: int
    radius: float

    def boxes(self) -> list[Box]:
        """One box or two with all of the circle in them."""
        reach = self.radius / EARTH_RADIUS
        north = self.latitude + _up(reach)
        south = self.latitude - _up(reach)
        if north >= _POLE or south <= -_POLE:
            return [(max(south, -_POLE), -_HALF, min(north, _POLE), _HALF)]
        wide = _up(asin(min(1.0, sin(reach) / cos(radians(self.latitude / _DEGREE)))))
        west, east = self.longitude - wide, self.longitude + wide
        boxes = [(south, max(west, -_HALF), north, min(east, _HALF))]
        if west <= -_HALF:
            boxes.append((south, west + _TURN, north, _HALF))
        if east >= _HALF:
            boxes.append((south, -_HALF, north, east - _TURN))
        return boxes

    def within(self, latitudes: Values, longitudes: Values) -> Values:
        """Which of these points may be inside: those in a box."""
        found = np.zeros(len(latitudes), np.bool_)
        for south, west, north, east in self.boxes():
            found |= (latitudes >= south) & (latitudes <= north) & (longitudes >= west) & (longitudes <= east)
        return found

    def box_sql(self) -> str:
        """The same as a condition on the columns ``latitude`` and ``longitude``."""
        return " OR ".join(
            f"(latitude BETWEEN {south} AND {north} AND longitude BETWEEN {west} AND {east})"
            for south, west, north, east in self.boxes()
        )

    def distance_sql(self) -> str:
        """Metres from the place to the point in the columns ``latitude`` and ``longitude``: the haversine formula."""
        unit = radians(1 / _DEGREE)
        half_lat = f"sin((latitude::DOUBLE - {self.latitude}) * {unit / 2!r})"
        half_lon = f"sin((longitude::DOUBLE - {self.longitude}) * {unit / 2!r})"
        across = f"{cos(self.latitude * unit)!r} * cos(latitude * {unit!r})"
        root = f"sqrt({half_lat} * {half_lat} + {across} * {half_lon} * {half_lon})"
        return f"({2 * EARTH_RADIUS!r} * asin(least(1.0::DOUBLE, {root})))"


def _up(angle: float) -> int:
    """An angle in radians as 1e-7 degrees, never too small."""
    return int(degrees(angle) * _DEGREE) + _MARGIN


@dataclass(slots=True)
class Visit:
    """What a unit's fixes in the circle come to: ``first`` and ``last`` of their times and the ``nearest``, in metres
    and when that was. ``doubted`` of the ``fixes`` are such as no position is taken from."""

    unit: str
    fixes: int
    doubted: int
    first: int
    last: int
    nearest: float
    nearest_at: int

    def add(self, other: Visit) -> None:
        """Take in another part of the time asked for."""
        self.fixes += other.fixes
        self.doubted += other.doubted
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.nearest, self.nearest_at = min((self.nearest, self.nearest_at), (other.nearest, other.nearest_at))


def together(visits: Iterable[Visit]) -> list[Visit]:
    """One visit a unit, the nearest first."""
    found: dict[str, Visit] = {}
    for visit in visits:
        if visit.unit in found:
            found[visit.unit].add(visit)
        else:
            found[visit.unit] = visit
    return sorted(found.values(), key=lambda visit: (visit.nearest, visit.unit))
