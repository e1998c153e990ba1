"""How far it is by road: from a task outwards over a city's streets, to everybody within a limit.

One search for a task finds everybody's way to it. It goes from the task against the direction of travel, so that
one-way streets count as those who come would have to take them. Streets are those of the file that
``./run build-graph`` makes (dispatch/roads_file.py); who stands at none of them is not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from dispatch.model import Spot
from dispatch.roads_file import Streets, load
from dispatch.travel import Array, places, points

LIMIT = 3000.0
"""Metres by road that a search goes, if nobody says otherwise: twice what is asked for straight at first."""
OFF_ROAD = 150.0
"""Metres from the nearest street; beyond, the map does not know how one gets there."""
NEAR: Mapping[str, float] = {"vehicle": 30.0}
"""A vehicle's position says not on which side of a divided road it is: every street that is at the most so much farther
than the nearest may be its. For the others it is the nearest one, or they would step over a canal."""
SEEDS = 4
"""Marks that are looked at then."""


@dataclass(frozen=True, slots=True)
class Standpoints:
    """Where spots lie on the streets: arrays, spots × places that they may stand at. ``gap`` is metres to the street,
    infinite if it is none."""

    edge: Array
    along: Array
    gap: Array

    def __getitem__(self, n: int) -> Standpoints:
        return Standpoints(self.edge[n : n + 1], self.along[n : n + 1], self.gap[n : n + 1])

    def take(self, rows: Array) -> Standpoints:
        return Standpoints(self.edge[rows], self.along[rows], self.gap[rows])


@dataclass(frozen=True, slots=True)
class Reach:
    """What a search found: how far it is from each node to the task, as far as ``limit`` metres. Some 12 bytes a
    node."""

    limit: float
    task: Standpoints
    nodes: Array
    """int32, in order."""
    metres: Array


class Net:
    """The streets of one mode, to be searched. One thread at a time may :meth:`search`; the rest only reads."""

    def __init__(self, streets: Streets, near: float = 0.0) -> None:
        self.streets, self._near = streets, near
        self._count = 1 if not near else SEEDS
        self._tree = cKDTree(points(*streets.spots.T.astype(np.float64)))
        self.nodes = streets.nodes
        first, second = streets.ends.T
        # Against the direction of travel: what leads from first to second is searched from second to first.
        rows = np.concatenate((second, first[streets.both]))
        columns = np.concatenate((first, second[streets.both]))
        metres = np.concatenate((streets.metres, streets.metres[streets.both])).astype(np.float64)
        order = np.argsort(rows, kind="stable")
        self._spare = len(rows)
        # One node more, from which each search sets out: its edges lead to where the task lies between two others.
        spare = 2 * SEEDS
        starts = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=self.nodes)), [len(rows) + spare]))
        self._graph = csr_matrix(
            (
                np.concatenate((metres[order], np.ones(spare))),
                np.concatenate((columns[order], np.full(spare, self.nodes))).astype(np.int32),
                starts.astype(np.int32),
            ),
            shape=(self.nodes + 1, self.nodes + 1),
        )

    def locate(self, place: Array) -> Standpoints:
        """Of points as :func:`dispatch.travel.places` makes them. ``gap`` is infinite throughout for one that is
        farther from any street than :data:`OFF_ROAD`."""
        gap, mark = self._tree.query(place, k=range(1, self._count + 1), distance_upper_bound=OFF_ROAD * 1000.0)
        none = mark >= len(self.streets.edge)
        mark = np.where(none, 0, mark)
        along, gap = self.streets.along[mark].astype(np.float64), gap / 1000.0
        for step in (-1, 1):
            along, gap = self._between(place[:, None], mark, mark + step, along, gap)
        gap[none] = np.inf
        gap[gap > gap.min(axis=1, keepdims=True) + self._near] = np.inf
        return Standpoints(self.streets.edge[mark], along, gap)

    def _between(self, place: Array, mark: Array, other: Array, along: Array, gap: Array) -> tuple[Array, Array]:
        """Somewhere between a mark and the next one of its edge it may be nearer than at the mark: how far along, and
        how far off."""
        other = np.clip(other, 0, len(self.streets.edge) - 1)
        other = np.where(self.streets.edge[other] == self.streets.edge[mark], other, mark)
        start = self._tree.data[mark]
        line = self._tree.data[other] - start
        share = ((place - start) * line).sum(axis=2) / np.maximum((line * line).sum(axis=2), 1.0)
        share = np.clip(share, 0.0, 1.0)
        off = np.sqrt(((start + share[:, :, None] * line - place) ** 2).sum(axis=2)) / 1000.0
        there = self.streets.along[mark] + share * (self.streets.along[other] - self.streets.along[mark])
        nearer = off < gap
        return np.where(nearer, there, along), np.where(nearer, off, gap)

    def search(self, task: Standpoints, limit: float = LIMIT) -> Reach | None:
        """From one task; ``None`` if it lies at no street."""
        known = np.isfinite(task.gap[0])
        if not known.any():
            return None
        edge, along, gap = task.edge[0][known], task.along[0][known], task.gap[0][known]
        both, ends = self.streets.both[edge], self.streets.ends[edge]
        # One comes to it from an edge's first node, and from its second if it may be used both ways.
        seeds = np.concatenate((ends[:, 0], ends[both, 1]))
        metres = np.concatenate((gap + along, (gap + self.streets.metres[edge] - along)[both]))
        spare = slice(self._spare, self._spare + 2 * SEEDS)
        self._graph.indices[spare] = self.nodes
        self._graph.data[spare] = 1.0
        self._graph.indices[self._spare : self._spare + len(seeds)] = seeds
        # An edge of zero is no edge to scipy.
        self._graph.data[self._spare : self._spare + len(seeds)] = np.maximum(metres, 0.001)
        found = dijkstra(self._graph, indices=self.nodes, limit=limit)[: self.nodes]
        nodes = np.flatnonzero(np.isfinite(found))
        return Reach(limit, task, nodes.astype(np.int32), found[nodes])

    def metres(self, reach: Reach, start: Standpoints) -> Array:
        """From each spot to the task of a search, whole metres: NaN where the map does not know how one gets there, and
        infinite where it is farther than the search went."""
        first, second = self.streets.ends[start.edge].transpose(2, 0, 1)
        both, length = self.streets.both[start.edge], self.streets.metres[start.edge]
        way = _from(reach, second) + (length - start.along)
        way = np.minimum(way, np.where(both, _from(reach, first) + start.along, np.inf))
        for edge, along, gap in zip(reach.task.edge[0], reach.task.along[0], reach.task.gap[0], strict=True):
            ahead = along - start.along
            here = (start.edge == edge) & (both | (ahead >= 0.0))
            way = np.minimum(way, np.where(here, np.abs(ahead) + gap, np.inf))
        way = np.rint((way + start.gap).min(axis=1))
        found = np.where(way > reach.limit, np.inf, way)
        return np.where(np.isinf(start.gap).all(axis=1), np.nan, found)


def _from(reach: Reach, nodes: Array) -> Array:
    if not len(reach.nodes):
        return np.full(nodes.shape, np.inf)
    at = np.minimum(np.searchsorted(reach.nodes, nodes), len(reach.nodes) - 1)
    return np.where(reach.nodes[at] == nodes, reach.metres[at], np.inf)


class Roads:
    """A city's streets, by mode."""

    def __init__(self, streets: Mapping[str, Streets]) -> None:
        self.nets = {mode: Net(one, NEAR.get(mode, 0.0)) for mode, one in streets.items()}

    @classmethod
    def load(cls, path: Path) -> Roads:
        """Reads what ``./run build-graph`` made: a second for a large city. Raises
        :class:`dispatch.roads_file.RoadsError`, whose text is for the operator."""
        return cls(load(path))

    def reach(self, task: Spot, starts: Iterable[Spot], mode: str, limit: float = LIMIT) -> list[float | None]:
        """Whole metres by road from each start to the task: ``None`` where that is not known, infinite where it is more
        than ``limit``."""
        place = places([task, *starts])
        net = self.nets.get(mode)
        if net is None:
            return [None] * (len(place) - 1)
        found = net.search(net.locate(place[:1]), limit)
        if found is None:
            return [None] * (len(place) - 1)
        metres = net.metres(found, net.locate(place[1:])).tolist() if len(place) > 1 else []
        return [None if one != one else one for one in metres]
