"""The way through the streets from one place to another, for somebody who has to be there."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from simulator.streets import StreetGraph
from simulator.terrain import Point, Projection

CELL = 200.0
"""m: a place is looked for in squares of this size, its own first."""


class _Spot(NamedTuple):
    """The place on a street that is nearest to another: ``metres`` along the edge from its first node."""

    away: float
    edge: int
    metres: float
    place: Point


class Routes:
    """The streets of a town, as far as they hang together."""

    def __init__(self, graph: StreetGraph, projection: Projection) -> None:
        self.projection = projection
        self._graph = graph
        self._at_node: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self._cells: dict[tuple[int, int], list[tuple[int, float, Point, Point]]] = defaultdict(list)
        for index in graph.component(range(len(graph.edges))):
            edge, along = graph.edges[index], 0.0
            self._at_node[edge.a].append((edge.b, index))
            self._at_node[edge.b].append((edge.a, index))
            for p, q in itertools.pairwise(edge.path):
                for cell in _cells(p, q):
                    self._cells[cell].append((index, along, p, q))
                along += math.dist(p, q)

    def way(self, start: Point, goal: Point) -> list[Point]:
        """The shortest way along the streets, from ``start`` to ``goal`` themselves; straight on if there is none."""
        first, last = self._nearest(start), self._nearest(goal)
        if first is None or last is None:
            return [start, goal]
        if first.edge == last.edge:
            between = self._along(first.edge, first.metres, last.metres)
        else:
            between = self._shortest(first, last)
        return _tidy([start, first.place, *between, last.place, goal])

    def _nearest(self, place: Point) -> _Spot | None:
        x, y = math.floor(place.x / CELL), math.floor(place.y / CELL)
        best: _Spot | None = None
        for ring in range(20):
            if best is not None and best.away <= (ring - 1) * CELL:
                break
            for cell in _ring(x, y, ring):
                for index, along, p, q in self._cells.get(cell, ()):
                    foot = _foot(place, p, q)
                    spot = _Spot(math.dist(place, foot), index, along + math.dist(p, foot), foot)
                    best = spot if best is None else min(best, spot)
        return best

    def _shortest(self, first: _Spot, last: _Spot) -> list[Point]:
        edges = self._graph.edges
        near, far = edges[first.edge], edges[last.edge]
        ends = {far.a: last.metres, far.b: far.length - last.metres}
        best = {near.a: first.metres, near.b: near.length - first.metres}
        came: dict[int, tuple[int, int]] = {}
        heap = [(way, node) for node, way in best.items()]
        heapq.heapify(heap)
        reached, shortest = -1, math.inf
        while heap:
            way, node = heapq.heappop(heap)
            if way >= shortest:
                break
            if way > best[node]:
                continue
            if node in ends and way + ends[node] < shortest:
                reached, shortest = node, way + ends[node]
            for other, index in self._at_node[node]:
                there = way + edges[index].length
                if there < best.get(other, math.inf):
                    best[other], came[other] = there, (node, index)
                    heapq.heappush(heap, (there, other))
        pieces = [self._along(last.edge, 0.0 if reached == far.a else far.length, last.metres)]
        while reached in came:
            reached, index = came[reached]
            edge, line = edges[index], list(edges[index].path)
            pieces.append(line if edge.a == reached else line[::-1])
        pieces.append(self._along(first.edge, first.metres, 0.0 if reached == near.a else near.length))
        return list(itertools.chain.from_iterable(reversed(pieces)))

    def _along(self, index: int, start: float, end: float) -> list[Point]:
        """The corners of an edge between two places on it."""
        path, at, found = self._graph.edges[index].path, 0.0, []
        for p, q in itertools.pairwise(path):
            if min(start, end) <= at <= max(start, end):
                found.append(p)
            at += math.dist(p, q)
        if min(start, end) <= at <= max(start, end):
            found.append(path[-1])
        return found if start <= end else found[::-1]


class Trip:
    """Somebody on a way of two points or more, at so many m/s."""

    def __init__(self, path: Sequence[Point], speed: float) -> None:
        self.path = path
        self.speed = speed
        self.metres = 0.0
        self._along = [0.0, *itertools.accumulate(math.dist(p, q) for p, q in itertools.pairwise(path))]

    @property
    def over(self) -> bool:
        return self.metres >= self._along[-1]

    def go(self, seconds: float) -> None:
        """So much time goes by on the way."""
        self.metres = min(self._along[-1], self.metres + self.speed * seconds)

    @property
    def place(self) -> Point:
        i = self._piece()
        a, b = self.path[i], self.path[i + 1]
        share = (self.metres - self._along[i]) / ((self._along[i + 1] - self._along[i]) or 1.0)
        return Point(a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share)

    @property
    def heading(self) -> float:
        """Degrees clockwise from north."""
        i = self._piece()
        a, b = self.path[i], self.path[i + 1]
        return math.degrees(math.atan2(b.x - a.x, b.y - a.y)) % 360

    def _piece(self) -> int:
        return next((i for i in range(len(self.path) - 2) if self.metres < self._along[i + 1]), len(self.path) - 2)


def _cells(p: Point, q: Point) -> set[tuple[int, int]]:
    """Squares that a piece of street touches, and some beside it."""
    low_x, high_x = sorted((math.floor(p.x / CELL), math.floor(q.x / CELL)))
    low_y, high_y = sorted((math.floor(p.y / CELL), math.floor(q.y / CELL)))
    return {(x, y) for x in range(low_x, high_x + 1) for y in range(low_y, high_y + 1)}


def _ring(x: int, y: int, ring: int) -> list[tuple[int, int]]:
    span = range(-ring, ring + 1)
    return [(x + i, y + j) for i in span for j in span if max(abs(i), abs(j)) == ring]


def _foot(place: Point, p: Point, q: Point) -> Point:
    ux, uy = q.x - p.x, q.y - p.y
    size = ux * ux + uy * uy
    t = min(1.0, max(0.0, ((place.x - p.x) * ux + (place.y - p.y) * uy) / size)) if size else 0.0
    return Point(p.x + ux * t, p.y + uy * t)


def _tidy(path: list[Point]) -> list[Point]:
    """Without points that are the same as the one before."""
    found = [path[0], *(q for p, q in itertools.pairwise(path) if math.dist(p, q) > 0.01)]
    return found if len(found) > 1 else [path[0], path[-1]]
