"""The vector layer of the invented town: what makes the map a map without the internet.

A GeoJSON FeatureCollection in drawing order. ``properties.kind`` says what a feature is: water, river, park, block,
building (polygons), street_minor, street_major, bridge, rail (lines) and label (points). ``name`` and ``name_en``
are there where the thing has a name; a block and a building have ``use``, a label has ``rank`` (1 town, 2 quarter
or river, 3 main street, park and station, 4 minor street).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import Any

from simulator import names
from simulator.names import Name
from simulator.streets import BANK, Block, ParkSite, Street, StreetGraph
from simulator.terrain import GRID_METRES, Point, Projection, Terrain, area

GeoJson = dict[str, Any]

_BUILDINGS = 900
"""At most: the layer is fetched once by every viewer and should stay below 600 kB."""


class Waters:
    """Lines on the plan that the streets must respect: the creek and the railway."""

    def __init__(self, random: Random, terrain: Terrain) -> None:
        rows, columns = terrain.rows, terrain.columns
        phase, base = random.uniform(0, 6.28), columns * 0.69
        steps = max(12, rows * 14)
        top = rows + 1.1
        self.creek = [
            Point(
                base + 0.11 * math.sin(2.3 * v + phase) + 0.05 * math.sin(5.1 * v + 2 * phase),
                v,
            )
            for v in (terrain.river + (top - terrain.river) * i / steps for i in range(steps + 1))
        ]
        steps = max(12, columns * 12)
        self.rail = [
            Point(u, rows * 0.872 + 0.16 * math.sin(0.75 * u + 0.6) - 0.03 * (u - columns / 2))
            for u in (-1.1 + (columns + 2.2) * i / steps for i in range(steps + 1))
        ]

    def station(self, terrain: Terrain) -> Point:
        """On the railway, a little west of the town's middle line."""
        return min(self.rail, key=lambda place: abs(place.x - (terrain.columns / 2 - 0.1)))


def park_sites(terrain: Terrain, waters: Waters) -> list[ParkSite]:
    """Where parks and squares are kept free, as shares of the town, so that larger towns have them too."""
    rows, columns = terrain.rows, terrain.columns
    station = waters.station(terrain)
    return [
        ParkSite(Point(columns * 0.28, rows * 0.70), 0.42, 0),
        ParkSite(Point(columns * 0.515, rows * 0.53), 0.17, 1),
        ParkSite(Point(station.x, station.y - 0.1), 0.24, 2),
        ParkSite(Point(columns * 0.66, rows * 0.26), 0.27, 3),
        ParkSite(Point(columns * 0.86, rows * 0.55), 0.26, 4),
        ParkSite(Point(columns * 0.16, rows * 0.24), 0.30, 5),
    ]


class Draughtsman:
    """Collects features; one method per kind of thing. ``collection`` returns them in drawing order."""

    _ORDER = ("park", "block", "water", "river", "building", "street_minor", "street_major", "bridge", "rail", "label")

    def __init__(self, terrain: Terrain, projection: Projection) -> None:
        self.terrain = terrain
        self.projection = projection
        self._features: list[GeoJson] = []

    def collection(self) -> GeoJson:
        features = sorted(self._features, key=lambda f: self._ORDER.index(f["properties"]["kind"]))
        return {"type": "FeatureCollection", "features": features}

    def polygon(self, kind: str, ring: Sequence[Point], name: Name | None = None, **more: str) -> None:
        closed = [*ring, ring[0]]
        if area(closed) < 0:
            closed.reverse()
        self._add(kind, "Polygon", [[self.projection.lonlat(p) for p in closed]], name, more)

    def line(self, kind: str, line: Sequence[Point], name: Name | None = None) -> None:
        self._add(kind, "LineString", [self.projection.lonlat(p) for p in line], name, {})

    def label(self, place: Point, name: Name, rank: int, of: str) -> None:
        self._add("label", "Point", self.projection.lonlat(place), name, {"rank": rank, "of": of})

    def _add(self, kind: str, shape: str, coordinates: object, name: Name | None, more: dict[str, Any]) -> None:
        properties: dict[str, Any] = {"kind": kind, **more}
        if name is not None:
            properties |= {"name": name.zh, "name_en": name.en}
        geometry = {"type": shape, "coordinates": coordinates}
        self._features.append({"type": "Feature", "properties": properties, "geometry": geometry})

    # things

    def ring(self, corners: Sequence[Point], step: float = 0.15) -> list[Point]:
        """A polygon of the plan on the ground, without the closing point."""
        return self.terrain.line([*corners, corners[0]], step)[:-1]

    def waters(self, waters: Waters) -> None:
        terrain = self.terrain
        if terrain.river:
            us = [-1.2 + (terrain.columns + 2.4) * i / (terrain.columns * 20) for i in range(terrain.columns * 20 + 1)]
            half = [0.030 + 0.006 * math.sin(2.7 * u) for u in us]
            north = [Point(u, terrain.river + h) for u, h in zip(us, half, strict=True)]
            south = [Point(u, terrain.river - h) for u, h in zip(us, half, strict=True)]
            self.polygon("river", [terrain.bend(*p) for p in north + south[::-1]], names.RIVER)
            for side in (-1, 1):
                outer = [
                    Point(u, terrain.river + side * (BANK - 0.006)) for u in us if -0.4 < u < terrain.columns + 0.4
                ]
                inner = [Point(p.x, terrain.river + side * 0.035) for p in outer]
                self.polygon("park", [terrain.bend(*p) for p in outer + inner[::-1]])
            for share in (0.12, 0.5, 0.88):
                place = terrain.bend(terrain.columns * share, terrain.river)
                self.label(place, names.RIVER, 2, "river")
        sides = [[Point(p.x + side, p.y) for p in waters.creek] for side in (-0.009, 0.009)]
        self.polygon("river", [terrain.bend(*p) for p in sides[0] + sides[1][::-1]], names.CREEK)
        self.label(terrain.bend(*waters.creek[len(waters.creek) // 2]), names.CREEK, 3, "river")

    def railway(self, waters: Waters) -> None:
        terrain = self.terrain
        self.line("rail", [terrain.bend(*p) for p in waters.rail], names.RAILWAY)
        station = waters.station(terrain)
        u, v = station
        siding = [Point(p.x, p.y + 0.014) for p in waters.rail if abs(p.x - u) < 0.36]
        self.line("rail", [terrain.bend(u - 0.4, siding[0].y - 0.014), *(terrain.bend(*p) for p in siding)])
        hall = [
            Point(u - 0.07, v - 0.035),
            Point(u + 0.07, v - 0.035),
            Point(u + 0.07, v - 0.012),
            Point(u - 0.07, v - 0.012),
        ]
        self.polygon("building", self.ring(hall), names.STATION, use="station")
        self.label(terrain.bend(u, v + 0.03), names.STATION, 3, "station")

    def streets(self, streets: Sequence[Street], graph: StreetGraph) -> None:
        """Streets as drawn lines: the graph's edges of one street joined again where they follow each other."""
        lines: list[tuple[int, bool, list[Point]]] = []
        last = -1
        for edge in graph.edges:
            if lines and lines[-1][0] == edge.street and last == edge.a:
                lines[-1][2].extend(edge.path[1:])
            else:
                lines.append((edge.street, edge.major, list(edge.path)))
            last = edge.b
            if edge.bridge:
                self.line("bridge", edge.bridge)
        for index, major, line in lines:
            self.line("street_major" if major else "street_minor", line, streets[index].name)
        labelled: set[Name] = set()
        for index, major, line in lines:
            name = streets[index].name
            if name is None or name in labelled or len(line) < 3:
                continue
            labelled.add(name)
            self.label(line[len(line) // 2 if not major else len(line) // 3], name, 3 if major else 4, "street")

    def bridge_names(self) -> None:
        if self.terrain.river and self.terrain.columns < len(names.BRIDGES):
            for column in range(1, self.terrain.columns):
                place = self.terrain.bend(column, self.terrain.river)
                self.label(place, names.BRIDGES[column], 4, "bridge")

    def land(self, random: Random, blocks: Sequence[Block], centre: Point, waters: Waters) -> None:
        """Blocks with their use, parks, and the buildings of the denser quarters. Land at the edge stays open."""
        buildings: list[tuple[list[Point], str]] = []
        lines = [self.terrain.bend(*p) for p in (*waters.creek, *waters.rail)]
        for block in blocks:
            if block.park is not None:
                self._park(random, block)
                continue
            use = self._use(random, block, centre)
            if use == "open":
                continue
            if use == "green":
                self.polygon("park", self.ring(block.corners))
                continue
            self.polygon("block", self.ring(block.corners), use=use)
            if use != "farm":
                rings = self._buildings(random, block, use)
                buildings += [(ring, use) for ring in rings if min(math.dist(ring[0], p) for p in lines) > 70]
        for ring, use in sorted(random.sample(buildings, min(_BUILDINGS, len(buildings)))):
            self.polygon("building", ring, use=use)

    def _use(self, random: Random, block: Block, centre: Point) -> str:
        away = math.dist(block.centre, centre) / (max(self.terrain.rows, self.terrain.columns) / 2)
        chance = random.random()
        if away > 0.98:
            return "farm" if chance < 0.45 else "open" if chance < 0.75 else "village"
        if away > 0.72:
            return (
                "industry" if chance < 0.34 else "residential" if chance < 0.66 else "farm" if chance < 0.8 else "open"
            )
        if away < 0.2:
            return "commercial" if chance < 0.55 else "residential"
        if chance < 0.06:
            return "green"
        return "school" if chance < 0.12 else "commercial" if chance < 0.22 else "residential"

    def _buildings(self, random: Random, block: Block, use: str) -> list[list[Point]]:
        """Slabs in rows facing south, halls for industry, a few houses for a village: never on the block's edge."""
        a, b, _, d = block.corners
        width, depth = math.dist(a, b) * GRID_METRES, math.dist(a, d) * GRID_METRES
        slab, row, fill = {
            "residential": (62.0, 44.0, 0.34),
            "commercial": (55.0, 55.0, 0.5),
            "industry": (120.0, 90.0, 0.6),
            "school": (70.0, 60.0, 0.4),
            "village": (40.0, 45.0, 0.3),
        }[use]
        across, rows = max(1, int((width - 30) / slab)), max(1, int((depth - 30) / row))
        chance = {"village": 0.12, "residential": 0.42}.get(use, 0.6)
        rings = []
        for j in range(rows):
            for i in range(across):
                if random.random() > chance:
                    continue
                s, t = (i + 0.5) / across, (j + 0.5) / rows
                # 16 m free on each side for the street and its pavement.
                s, t = 0.5 + (s - 0.5) * (1 - 32 / width), 0.5 + (t - 0.5) * (1 - 32 / depth)
                ds, dt = 0.36 * random.uniform(0.8, 1.15) / across, 0.5 * fill * random.uniform(0.8, 1.1) / rows
                corners = [block.at(s + x * ds, t + y * dt) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
                rings.append([self.terrain.bend(*p) for p in corners])
        return rings

    def _park(self, random: Random, block: Block) -> None:
        number = block.park or 0
        name = names.PARKS[number % len(names.PARKS)]
        square = "广场" in name.zh
        self.polygon("park", self.ring(block.corners), name, use="square" if square else "park")
        self.label(self.terrain.bend(*block.centre), name, 3, "park")
        if number == 0:
            shore = blob(random, Point(0.47, 0.45), 0.27)
            self.polygon("water", [self.terrain.bend(*block.at(*p)) for p in shore], names.LAKE)

    def hills(self, random: Random) -> None:
        """Two wooded hills outside the town."""
        rows, columns = self.terrain.rows, self.terrain.columns
        places = (Point(columns - 0.5, rows + 0.62), 0.45), (Point(-0.7, 0.5), 0.44)
        for name, (place, radius) in zip(names.HILLS, places, strict=True):
            self.polygon("park", [self.terrain.bend(*p) for p in blob(random, place, radius)], name, use="hill")
            self.label(self.terrain.bend(*place), name, 3, "park")


def blob(random: Random, centre: Point, radius: float, points: int = 40) -> list[Point]:
    """A soft, irregular shape around a place: a lake's shore, the foot of a hill."""
    waves = [(k, random.uniform(0, 2 * math.pi), random.uniform(0.3, 1.0) * 0.22 / k) for k in (2, 3, 5)]
    ring = []
    for i in range(points):
        angle = 2 * math.pi * i / points
        r = radius * (1 + sum(size * math.sin(k * angle + phase) for k, phase, size in waves))
        ring.append(Point(centre.x + r * math.cos(angle), centre.y + 0.8 * r * math.sin(angle)))
    return ring
