"""The ground under the invented town: how the plan bends into metres, and metres into latitude and longitude.

The whole town is first drawn on a *plan*: a plane whose unit is one responsibility grid, u to the east and v to
the north, where grid borders are the whole numbers and the river is the line ``v = river``. One smooth map,
:class:`Terrain`, then bends the plan into metres: the river meanders, streets curve with it, and what tiled
the plan without overlap still tiles the ground, because the map never folds. That is why no polygon library
is needed here.
"""

from __future__ import annotations

import itertools
import math
from random import Random
from typing import NamedTuple

GRID_METRES = 1000.0
"""Side of a responsibility grid before bending."""

_METRES_PER_DEGREE = 111_195.0
"""Of latitude, on a sphere of 6,371 km: the town is its own survey, so the ellipsoid would only add digits."""


class Point(NamedTuple):
    """A place on the plan (u, v) or on the ground (metres east and north of the town's centre)."""

    x: float
    y: float


class Projection:
    """Metres around a centre to WGS-84 degrees and back: a plane touching the sphere, good for a town."""

    def __init__(self, latitude: float, longitude: float) -> None:
        self.latitude = latitude
        self.longitude = longitude
        self._east = _METRES_PER_DEGREE * math.cos(math.radians(latitude))

    def degrees(self, point: Point) -> tuple[float, float]:
        """Latitude and longitude of a place on the ground."""
        return self.latitude + point.y / _METRES_PER_DEGREE, self.longitude + point.x / self._east

    def metres(self, latitude: float, longitude: float) -> Point:
        """The place on the ground with this latitude and longitude."""
        return Point((longitude - self.longitude) * self._east, (latitude - self.latitude) * _METRES_PER_DEGREE)

    def lonlat(self, point: Point) -> list[float]:
        """GeoJSON's order, rounded to six digits: 0.1 m."""
        latitude, longitude = self.degrees(point)
        return [round(longitude, 6), round(latitude, 6)]


class Terrain:
    """The smooth bend from plan to ground for one seed.

    The amplitudes are chosen so that no slope of the bend reaches 1: the map stays one to one, and a grid
    stays between about 0.8 and 1.25 km².
    """

    def __init__(self, random: Random, rows: int, columns: int) -> None:
        self.rows = rows
        self.columns = columns
        self.river = float(max(1, round(rows * 0.4))) if rows > 1 else 0.0
        self._angle = math.radians(random.choice((-1, 1)) * random.uniform(6, 11))
        self._phases = [random.uniform(0, 2 * math.pi) for _ in range(7)]

    def bend(self, u: float, v: float) -> Point:
        """Metres east and north of the town's centre for a place on the plan."""
        p = self._phases
        meander = 165 * math.sin(1.45 * u + p[0]) + 60 * math.sin(2.9 * u + p[1])
        x, y = GRID_METRES * (u - self.columns / 2), GRID_METRES * (v - self.rows / 2)
        x += 95 * math.sin(1.1 * v + p[2]) + 45 * math.sin(1.9 * u + 0.9 * v + p[3])
        y += (
            70 * math.sin(0.9 * u + 0.4 * v + p[4])
            + 35 * math.sin(2.1 * v + 0.5 * u + p[5])
            + 10 * math.sin(4.3 * u + p[6])
        )
        y += meander * math.exp(-(((v - self.river) / 1.15) ** 2))
        cosine, sine = math.cos(self._angle), math.sin(self._angle)
        return Point(cosine * x - sine * y, sine * x + cosine * y)

    def line(self, plan: list[Point], step: float = 0.12) -> list[Point]:
        """A line of straight pieces on the plan as a line on the ground, with a point at least every ``step``."""
        ground: list[Point] = []
        for a, b in itertools.pairwise(plan):
            pieces = max(1, math.ceil(math.dist(a, b) / step - 1e-9))
            ground += [self.bend(a.x + (b.x - a.x) * i / pieces, a.y + (b.y - a.y) * i / pieces) for i in range(pieces)]
        ground.append(self.bend(*plan[-1]))
        return ground


def area(ring: list[Point]) -> float:
    """Signed area of a closed ring on the ground in m²; positive when it runs counter-clockwise."""
    return sum(a.x * b.y - b.x * a.y for a, b in itertools.pairwise(ring)) / 2


def length(line: list[Point] | tuple[Point, ...]) -> float:
    """Length of a line in its own units."""
    return sum(math.dist(a, b) for a, b in itertools.pairwise(line))
