"""Streets and blocks of the invented town, and the graph that its people walk.

Main streets are the borders of the responsibility grids, the two river banks, a ring road and an avenue. Inside
each grid the land is halved again and again, never quite in the middle and never quite straight, until the
blocks are as small as that part of the town asks for: the cuts are the minor streets. Everything happens on the
plan (see terrain.py), where lines are straight, so crossings are exact.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from simulator.names import AVENUE, BANKS, RING, SOUTH_TO_NORTH, WEST_TO_EAST, Name, joined, line_name
from simulator.terrain import Point, Terrain, length

BANK = 0.055
"""Distance of the bank roads from the middle of the river, in grids."""

_ROAD = Name("路", "Road")
_STREET = Name("街", "Street")
_LANE = Name("巷", "Lane")


@dataclass(frozen=True, slots=True)
class Street:
    """One street on the plan; a minor one stays inside one grid and stops at the railway and the creek."""

    name: Name | None
    major: bool
    plan: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Land between streets: a quadrilateral on the plan (south-west, south-east, north-east, north-west)."""

    corners: tuple[Point, Point, Point, Point]
    grid: int
    park: int | None = None

    @property
    def centre(self) -> Point:
        return Point(sum(c.x for c in self.corners) / 4, sum(c.y for c in self.corners) / 4)

    def at(self, s: float, t: float) -> Point:
        """The place ``s`` of the way to the east and ``t`` of the way to the north."""
        a, b, c, d = self.corners
        west, east = _between(a, d, t), _between(b, c, t)
        return _between(west, east, s)


@dataclass(frozen=True, slots=True)
class Edge:
    """A piece of street between two nodes of the graph, as a line on the ground from ``a`` to ``b``."""

    a: int
    b: int
    street: int
    major: bool
    grid: int | None
    """Index of the responsibility grid that it lies in; None on a border and across the river."""
    in_town: bool
    path: tuple[Point, ...]
    length: float
    bridge: tuple[Point, ...]
    """The part of it that crosses the river, the creek or the railway; empty if none does."""


@dataclass(frozen=True, slots=True)
class StreetGraph:
    """Where one can walk and drive, in metres around the town's centre."""

    nodes: tuple[Point, ...]
    edges: tuple[Edge, ...]

    def component(self, edges: Sequence[int]) -> list[int]:
        """The longest connected part (in metres) of the given edges, in their order."""
        at_node: dict[int, list[int]] = defaultdict(list)
        for index in edges:
            at_node[self.edges[index].a].append(index)
            at_node[self.edges[index].b].append(index)
        seen: set[int] = set()
        best: set[int] = set()
        best_length = -1.0
        for start in edges:
            if start in seen:
                continue
            part, stack = {start}, [start]
            while stack:
                edge = self.edges[stack.pop()]
                fresh = [i for node in (edge.a, edge.b) for i in at_node[node] if i not in part]
                part.update(fresh)
                stack += fresh
            seen |= part
            total = sum(self.edges[i].length for i in sorted(part))
            if total > best_length:
                best, best_length = part, total
        return [index for index in edges if index in best]

    def in_grid(self, grid: int) -> list[int]:
        """The connected streets inside one responsibility grid: a collector's beat."""
        return self.component([i for i, edge in enumerate(self.edges) if edge.grid == grid])

    def main(self) -> list[int]:
        """The connected main streets of the town without the roads that lead out of it: the vehicle's round."""
        return self.component([i for i, edge in enumerate(self.edges) if edge.major and edge.in_town])


@dataclass(frozen=True, slots=True)
class ParkSite:
    """A place that is kept free while the land is cut: it becomes one block of about ``size`` grids."""

    centre: Point
    size: float
    name: int


def main_streets(random: Random, terrain: Terrain) -> list[Street]:
    """The grid borders, the two banks, the ring road and the avenue."""
    rows, columns, river = terrain.rows, terrain.columns, terrain.river

    def out() -> float:
        """How far a road leads out of the town: most of them not far."""
        return random.choice((0.0, 0.25, 0.4, 0.9, 1.6))

    streets = [
        Street(line_name(WEST_TO_EAST, i, columns + 1, _ROAD), True, (Point(i, -out()), Point(i, rows + out())))
        for i in range(columns + 1)
    ]
    for i in range(rows + 1):
        name = line_name(SOUTH_TO_NORTH, i, rows + 1, _STREET)
        if i != river or not river:
            streets.append(Street(name, True, (Point(-out(), i), Point(columns + out(), i))))
    if river:
        streets += [
            Street(name, True, (Point(-0.4, river + side), Point(columns + 0.4, river + side)))
            for name, side in zip(BANKS, (-BANK, BANK), strict=True)
        ]
    middle, half = Point(columns / 2, rows / 2), Point(columns / 2 - 0.27, rows / 2 - 0.23)
    if rows > 2 and columns > 2:
        # A rounded square: |x|^4 + |y|^4 = 1, so that the ring keeps off the outer corners.
        ring = []
        for step in range(97):
            angle = 2 * math.pi * (step % 96) / 96
            x, y = math.cos(angle), math.sin(angle)
            radius = (x**4 + y**4) ** -0.25
            ring.append(Point(middle.x + half.x * radius * x, middle.y + half.y * radius * y))
        streets.append(Street(RING, True, tuple(ring)))
        start = Point(math.floor(middle.x), river - BANK)
        streets.append(Street(AVENUE, True, (start, Point(columns - 0.43, 0.0), Point(columns + 0.3, -0.9))))
    return streets


def cut_land(
    random: Random, terrain: Terrain, sites: Sequence[ParkSite], centre: Point
) -> tuple[list[Street], list[Block]]:
    """Cuts every grid into blocks; returns the minor streets and the blocks, grids row by row from the north-west."""
    streets: list[Street] = []
    blocks: list[Block] = []
    for row in range(terrain.rows):
        for column in range(terrain.columns):
            south, north = float(terrain.rows - row - 1), float(terrain.rows - row)
            south += BANK if south == terrain.river and south else 0.0
            north -= BANK if north == terrain.river else 0.0
            west, east = float(column), float(column + 1)
            corners = (Point(west, south), Point(east, south), Point(east, north), Point(west, north))
            _cut(random, Block(corners, row * terrain.columns + column), 0, sites, centre, streets, blocks)
    return streets, blocks


def _cut(
    random: Random,
    block: Block,
    depth: int,
    sites: Sequence[ParkSite],
    centre: Point,
    streets: list[Street],
    blocks: list[Block],
) -> None:
    a, b, c, d = block.corners
    width, height = (math.dist(a, b) + math.dist(d, c)) / 2, (math.dist(a, d) + math.dist(b, c)) / 2
    for site in sites:
        if _inside(block, site.centre) and max(width, height) <= site.size * 1.6:
            blocks.append(Block(block.corners, block.grid, site.name))
            return
    away = math.dist(block.centre, centre)
    target = (0.105 + 0.085 * away) * random.uniform(0.85, 1.3)
    if depth >= 2 and max(width, height) <= target * 1.5:
        blocks.append(block)
        return
    # Always across the longer side: so a new street meets the one before it, and a grid's streets hang together.
    middle, tilt = 0.5 + random.uniform(-0.12, 0.12), random.uniform(-0.06, 0.06)
    if width >= height:
        p, q = _between(a, b, middle + tilt), _between(d, c, middle - tilt)
        halves = (a, p, q, d), (p, b, c, q)
    else:
        p, q = _between(a, d, middle + tilt), _between(b, c, middle - tilt)
        halves = (a, b, q, p), (p, q, c, d)
    name = None
    if depth <= 2:
        base = joined(len(streets))
        kind = _ROAD if depth == 0 else _STREET if width < height else _LANE
        name = Name(base.zh + kind.zh, f"{base.en} {kind.en}")
    streets.append(Street(name, False, (p, q)))
    for half in halves:
        _cut(random, Block(half, block.grid), depth + 1, sites, centre, streets, blocks)


def build_graph(terrain: Terrain, streets: Sequence[Street], barriers: Sequence[Sequence[Point]]) -> StreetGraph:
    """Cuts all streets at their crossings. Minor streets do not cross a barrier, except every third by a bridge."""
    pieces = [
        (index, a, b)
        for index, street in enumerate(streets)
        for start, end in itertools.pairwise(street.plan)
        for a, b in _unit_pieces(start, end)
    ]
    places: list[set[float]] = [{0.0, 1.0} for _ in pieces]
    for i, j in _near_pairs([(a, b) for _, a, b in pieces]):
        if pieces[i][0] != pieces[j][0]:
            crossing = _crossing(*pieces[i][1:], *pieces[j][1:])
            if crossing is not None:
                places[i].add(crossing[0])
                places[j].add(crossing[1])
    walls = [pair for barrier in barriers for pair in itertools.pairwise(barrier)]
    nodes: dict[tuple[int, int], int] = {}
    ground: list[Point] = []
    edges: list[Edge] = []

    def node(place: Point) -> int:
        key = round(place.x * 1e5), round(place.y * 1e5)
        if key not in nodes:
            nodes[key] = len(ground)
            ground.append(terrain.bend(*place))
        return nodes[key]

    crossed = 0
    for (index, start, end), cuts in zip(pieces, places, strict=True):
        street = streets[index]
        stops = [_between(start, end, t) for t in sorted(cuts)]
        for a, b in itertools.pairwise(stops):
            first, second = node(a), node(b)
            if first == second:
                continue
            river = min(a.y, b.y) < terrain.river - 0.01 and max(a.y, b.y) > terrain.river + 0.01
            wall = next((t for t in (_meets(a, b, *pair) for pair in walls) if t is not None), None)
            if wall is not None and not street.major:
                crossed += 1
                if crossed % 3:
                    continue
            path = tuple(terrain.line([a, b]))
            bridge: tuple[Point, ...] = ()
            if river and terrain.river:
                bridge = path
            elif wall is not None:
                reach = min(0.5, 0.022 / math.dist(a, b))
                ends = (_between(a, b, max(0.0, wall - reach)), _between(a, b, min(1.0, wall + reach)))
                bridge = tuple(terrain.line(list(ends)))
            u, v = (a.x + b.x) / 2, (a.y + b.y) / 2
            inside = -1e-6 < u < terrain.columns + 1e-6 and -1e-6 < v < terrain.rows + 1e-6
            grid = None if river else _grid_of(terrain, a, b)
            edges.append(Edge(first, second, index, street.major, grid, inside, path, length(path), bridge))
    return StreetGraph(tuple(ground), tuple(edges))


def _unit_pieces(a: Point, b: Point) -> Iterator[tuple[Point, Point]]:
    """Pieces of a line of at most one grid: long lines would meet every other in the search for crossings."""
    count = max(1, math.ceil(math.dist(a, b) - 1e-9))
    for i in range(count):
        yield _between(a, b, i / count), _between(a, b, (i + 1) / count)


def _near_pairs(pieces: Sequence[tuple[Point, Point]]) -> list[tuple[int, int]]:
    buckets: dict[tuple[int, int], list[int]] = defaultdict(list)
    size = 0.5
    for index, (a, b) in enumerate(pieces):
        for x in range(math.floor((min(a.x, b.x) - 1e-6) / size), math.floor((max(a.x, b.x) + 1e-6) / size) + 1):
            for y in range(math.floor((min(a.y, b.y) - 1e-6) / size), math.floor((max(a.y, b.y) + 1e-6) / size) + 1):
                buckets[x, y].append(index)
    return sorted({(i, j) for inside in buckets.values() for i in inside for j in inside if i < j})


def _crossing(a: Point, b: Point, c: Point, d: Point) -> tuple[float, float] | None:
    """Where two pieces meet, as the way along each from 0 to 1; ends that touch count as meeting."""
    ux, uy, vx, vy = b.x - a.x, b.y - a.y, d.x - c.x, d.y - c.y
    cross = ux * vy - uy * vx
    if abs(cross) < 1e-9:
        return None
    s = ((c.x - a.x) * vy - (c.y - a.y) * vx) / cross
    t = ((c.x - a.x) * uy - (c.y - a.y) * ux) / cross
    slack = 1e-7
    if -slack <= s <= 1 + slack and -slack <= t <= 1 + slack:
        return min(1.0, max(0.0, s)), min(1.0, max(0.0, t))
    return None


def _meets(a: Point, b: Point, c: Point, d: Point) -> float | None:
    """Where on the first piece the second crosses it."""
    if max(a.x, b.x) < min(c.x, d.x) or max(c.x, d.x) < min(a.x, b.x):
        return None
    crossing = _crossing(a, b, c, d)
    return None if crossing is None else crossing[0]


def _grid_of(terrain: Terrain, a: Point, b: Point) -> int | None:
    for first, second in ((a.x, b.x), (a.y, b.y)):
        if abs(first - second) < 1e-6 and abs(first - round(first)) < 1e-6:
            return None
    u, v = (a.x + b.x) / 2, (a.y + b.y) / 2
    if not (0 < u < terrain.columns and 0 < v < terrain.rows):
        return None
    return (terrain.rows - 1 - math.floor(v)) * terrain.columns + math.floor(u)


def _inside(block: Block, place: Point) -> bool:
    ring = block.corners
    return all(
        (q.x - p.x) * (place.y - p.y) - (q.y - p.y) * (place.x - p.x) >= 0
        for p, q in zip(ring, ring[1:] + ring[:1], strict=True)
    )


def _between(a: Point, b: Point, t: float) -> Point:
    return Point(a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t)
