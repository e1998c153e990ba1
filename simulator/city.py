"""The invented town as one value: its map, its responsibility grids and cells, its streets and its people.

Everything follows from the seed: the same seed gives the same town, byte for byte, on every machine. Codes are
modelled on DOMAIN.md, section 1: a cell has 15 digits, six for the county, three for the street (街道), three for
the community and three for the cell, numbered from west to east and from north to south; a responsibility grid
is named by the first twelve of them. The county 349921 does not exist.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from random import Random
from typing import NewType

from simulator import names
from simulator.basemap import Draughtsman, GeoJson, Waters, park_sites
from simulator.names import Name
from simulator.streets import Street, StreetGraph, build_graph, cut_land, main_streets
from simulator.terrain import Point, Projection, Terrain

GridId = NewType("GridId", str)

COUNTY = "349921"
CENTRE = (30.66, 117.49)
"""Latitude and longitude of the town's middle."""

CELLS_ACROSS = 10
"""Cells along each side of a grid: with grids of about 1 km that gives cells of about 100 m."""


@dataclass(frozen=True, slots=True)
class Collector:
    """A person who walks a grid and reports: index in the city, names, company, street and own grid."""

    index: int
    name: Name
    team: Name
    street: Name
    grid: GridId


@dataclass(frozen=True, slots=True)
class PatrolVehicle:
    """The vehicle that goes round the whole town; its plate belongs to no county."""

    name: Name
    plate: str
    team: Name


@dataclass(frozen=True, slots=True)
class City:
    """The whole town. ``grids`` and ``cells`` are GeoJSON with ``feature.id``; for ``basemap`` see basemap.py."""

    name: Name
    seed: int
    centre: tuple[float, float]
    projection: Projection
    basemap: GeoJson
    grids: GeoJson
    cells: GeoJson
    streets: StreetGraph
    grid_ids: tuple[GridId, ...]
    """Row by row from the north-west: the index is the one that the street graph's edges use."""
    people: tuple[Collector, ...]
    vehicle: PatrolVehicle


def make_city(seed: int = 25, rows: int = 5, columns: int = 5) -> City:
    """Makes the town of ``rows`` by ``columns`` responsibility grids of about 1 km² each, with a collector for each."""
    # One stream of chance for each part: a change in one of them leaves the others as they were.
    terrain = Terrain(Random(f"terrain {seed}"), rows, columns)
    projection = Projection(*CENTRE)
    waters = Waters(Random(f"waters {seed}"), terrain)
    centre = Point(columns * 0.49, terrain.river + 0.12 * rows)
    minor, blocks = cut_land(Random(f"land {seed}"), terrain, park_sites(terrain, waters), centre)
    streets: list[Street] = [*main_streets(Random(f"streets {seed}"), terrain), *minor]
    graph = build_graph(terrain, streets, [waters.creek, waters.rail])

    ids = grid_ids(terrain)
    draughtsman = Draughtsman(terrain, projection)
    draughtsman.hills(Random(f"hills {seed}"))
    draughtsman.land(Random(f"blocks {seed}"), blocks, centre, waters)
    draughtsman.waters(waters)
    draughtsman.streets(streets, graph)
    draughtsman.bridge_names()
    draughtsman.railway(waters)
    draughtsman.label(terrain.bend(columns * 0.5, rows * 0.5 + 0.45), names.TOWN, 1, "town")
    _label_subdistricts(draughtsman, terrain)
    return City(
        name=names.TOWN,
        seed=seed,
        centre=CENTRE,
        projection=projection,
        basemap=draughtsman.collection(),
        grids=_grids(terrain, projection, ids),
        cells=_cells(terrain, projection, ids),
        streets=graph,
        grid_ids=ids,
        people=_people(Random(f"people {seed}"), terrain, ids),
        vehicle=PatrolVehicle(Name("巡查1号车", "Patrol 1"), "皖Z0T001", names.TEAMS[0]),
    )


def subdistrict(terrain: Terrain, row: int, column: int) -> int:
    """Index of the street (街道) that a grid belongs to: the old town, the north, the south bank, the east."""
    v, u = 1 - (row + 0.5) / terrain.rows, (column + 0.5) / terrain.columns
    if v < terrain.river / terrain.rows:
        return 2 if u < 0.6 else 3
    if v > 0.8 or u < 0.2:
        return 1
    return 3 if u > 0.8 else 0


def grid_ids(terrain: Terrain) -> tuple[GridId, ...]:
    """Codes of all grids, row by row from the north-west; communities count up within their street."""
    counts: dict[int, int] = defaultdict(int)
    ids = []
    for row in range(terrain.rows):
        for column in range(terrain.columns):
            street = subdistrict(terrain, row, column)
            counts[street] += 1
            ids.append(GridId(f"{COUNTY}{street + 1:03d}{counts[street]:03d}"))
    return tuple(ids)


def _corners(west: float, south: float, side: float) -> list[Point]:
    east, north = west + side, south + side
    return [Point(west, south), Point(east, south), Point(east, north), Point(west, north), Point(west, south)]


def _feature(code: str, ring: list[list[float]], properties: dict[str, object]) -> GeoJson:
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "id": code, "properties": {"id": code, **properties}, "geometry": geometry}


def _grids(terrain: Terrain, projection: Projection, ids: tuple[GridId, ...]) -> GeoJson:
    features = []
    for index, code in enumerate(ids):
        row, column = divmod(index, terrain.columns)
        name = names.grid_name(index, len(ids))
        street = names.SUBDISTRICTS[subdistrict(terrain, row, column)]
        # The same points as the cells' corners along the border, so that the two levels agree exactly.
        ring = terrain.line(_corners(column, terrain.rows - row - 1, 1.0), 1 / CELLS_ACROSS)
        properties: dict[str, object] = {
            "name": name.zh,
            "name_en": name.en,
            "level": "grid",
            "parent": None,
            "street": street.zh,
            "street_en": street.en,
            "owner": None,
        }
        features.append(_feature(code, [projection.lonlat(p) for p in ring], properties))
    return {"type": "FeatureCollection", "features": features}


def _cells(terrain: Terrain, projection: Projection, ids: tuple[GridId, ...]) -> GeoJson:
    features = []
    side = 1 / CELLS_ACROSS
    for index, code in enumerate(ids):
        row, column = divmod(index, terrain.columns)
        for number in range(CELLS_ACROSS**2):
            down, across = divmod(number, CELLS_ACROSS)
            west, south = column + across * side, terrain.rows - row - (down + 1) * side
            cell = f"{code}{number + 1:03d}"
            ring = [projection.lonlat(terrain.bend(*p)) for p in _corners(west, south, side)]
            properties: dict[str, object] = {"name": cell, "level": "cell", "parent": code}
            features.append(_feature(cell, ring, properties))
    return {"type": "FeatureCollection", "features": features}


def _people(random: Random, terrain: Terrain, ids: tuple[GridId, ...]) -> tuple[Collector, ...]:
    start = random.randrange(400)
    people = []
    for index, code in enumerate(ids):
        row, column = divmod(index, terrain.columns)
        street = subdistrict(terrain, row, column)
        # Companies hold streets by contract; the largest street is shared by two of them.
        team = names.TEAMS[street % len(names.TEAMS)]
        people.append(Collector(index, names.person_name(start + index), team, names.SUBDISTRICTS[street], code))
    return tuple(people)


def _label_subdistricts(draughtsman: Draughtsman, terrain: Terrain) -> None:
    members: dict[int, list[Point]] = defaultdict(list)
    for row in range(terrain.rows):
        for column in range(terrain.columns):
            members[subdistrict(terrain, row, column)].append(Point(column + 0.5, terrain.rows - row - 0.5))
    for street, places in sorted(members.items()):
        middle = Point(sum(p.x for p in places) / len(places), sum(p.y for p in places) / len(places))
        place = min(places, key=lambda p: (math.dist(p, middle), p))
        draughtsman.label(terrain.bend(place.x, place.y - 0.25), names.SUBDISTRICTS[street], 2, "quarter")
