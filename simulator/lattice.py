"""The streets of a square city as a lattice: main streets every few blocks, minor ones of which some are missing, a
river that is crossed on bridges and a railway that is crossed at crossings.

Crossings of streets are numbered row by row from the south-west. All distances are whole streets, so they are kept as
small whole numbers: how far it is from everywhere to one crossing is worked out once and remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra


@dataclass(frozen=True, slots=True)
class LatticePlan:
    """How the city is laid out. Lengths are in streets, the pieces between two crossings, each ``step`` metres long."""

    seed: int
    step: float
    side: int
    grid: int
    """Side of a responsibility grid."""
    main_every: int
    missing: float
    """Share of the minor streets that are not there."""
    river_row: int
    """The river flows between this row of crossings and the next one to the north."""
    bridge_first: int
    bridge_every: int
    railway_column: int
    """The railway runs between this column and the next one to the east."""
    crossing_first: int
    crossing_every: int


class Lattice:
    """Where one can go, and how far it is.

    ``x`` and ``y`` are the metres of every crossing east and north of the south-west corner, ``grid`` the index of the
    responsibility grid that it lies in (row by row from the south-west), ``ways`` the crossings next to it.
    """

    def __init__(self, plan: LatticePlan) -> None:
        self.step = plan.step
        self.grids_a_side = plan.side // plan.grid
        self._columns = plan.side + 1
        count = self._columns**2
        numbers = np.arange(count)
        column, row = numbers % self._columns, numbers // self._columns
        self.x: NDArray[np.float64] = (column * plan.step).astype(np.float64)
        self.y: NDArray[np.float64] = (row * plan.step).astype(np.float64)
        last = self.grids_a_side - 1
        self.grid: list[int] = [
            min(r // plan.grid, last) * self.grids_a_side + min(c // plan.grid, last)
            for c, r in zip(column.tolist(), row.tolist(), strict=True)
        ]
        ways: list[list[int]] = [[] for _ in range(count)]
        for a, b in self._streets(plan):
            ways[a].append(b)
            ways[b].append(a)
        self._graph = _graph(ways)
        _, part = connected_components(self._graph, directed=False)
        reached = part == np.bincount(part).argmax()
        self.ways: list[tuple[int, ...]] = [tuple(near) if reached[node] else () for node, near in enumerate(ways)]
        self.crossings: list[int] = np.flatnonzero(reached).tolist()
        """Those that can be reached from each other; nobody is, and nothing happens, at the others."""
        self._snapped = self._snap(reached)
        self._steps: dict[int, NDArray[np.int16]] = {}

    def _streets(self, plan: LatticePlan) -> list[tuple[int, int]]:
        random, found = Random(plan.seed), []
        for row in range(self._columns):
            for column in range(self._columns):
                node = row * self._columns + column
                # Drawn for every street, so that the river moves without changing the streets.
                east, north = random.random() >= plan.missing, random.random() >= plan.missing
                if column < plan.side and (east or row % plan.main_every == 0):
                    over = (row - plan.crossing_first) % plan.crossing_every == 0
                    if column != plan.railway_column or over:
                        found.append((node, node + 1))
                if row < plan.side and (north or column % plan.main_every == 0):
                    over = (column - plan.bridge_first) % plan.bridge_every == 0
                    if row != plan.river_row or over:
                        found.append((node, node + self._columns))
        return found

    def _snap(self, reached: NDArray[np.bool_]) -> NDArray[np.int64]:
        """For every crossing the nearest one that can be reached: itself, for nearly all."""
        nearest = np.arange(len(reached))
        good = np.flatnonzero(reached)
        for node in np.flatnonzero(~reached):
            away = (self.x[good] - self.x[node]) ** 2 + (self.y[good] - self.y[node]) ** 2
            nearest[node] = good[away.argmin()]
        return nearest

    def nearest(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
        """The crossings nearest to these places (metres), whether inside the city or not."""
        column = np.clip(np.rint(x / self.step), 0, self._columns - 1).astype(np.int64)
        row = np.clip(np.rint(y / self.step), 0, self._columns - 1).astype(np.int64)
        found: NDArray[np.int64] = self._snapped[row * self._columns + column]
        return found

    def steps_to(self, goal: int) -> NDArray[np.int16]:
        """How many streets it is from every crossing to ``goal``; -1 from those that nobody reaches. Remembered: 13 kB
        each, 86 MB when every crossing has been asked for."""
        known = self._steps.get(goal)
        if known is None:
            away = dijkstra(self._graph, indices=goal, unweighted=True)
            known = self._steps[goal] = np.where(np.isinf(away), -1, away).astype(np.int16)
        return known

    def metres(self, start: int, goal: int) -> float:
        """The shortest way between two crossings."""
        return float(self.steps_to(goal)[start]) * self.step

    def path(self, start: int, goal: int) -> list[int]:
        """The crossings of a shortest way, both ends included; always the same one."""
        steps, path = self.steps_to(goal), [start]
        for left in range(int(steps[start]) - 1, -1, -1):
            path.append(next(near for near in self.ways[path[-1]] if steps[near] == left))
        return path

    def centre(self, grid: int) -> tuple[float, float]:
        """Of a responsibility grid, in metres."""
        side = (self._columns - 1) * self.step / self.grids_a_side
        return (grid % self.grids_a_side + 0.5) * side, (grid // self.grids_a_side + 0.5) * side


def _graph(ways: Sequence[Sequence[int]]) -> csr_array:
    heads = [a for a, near in enumerate(ways) for _ in near]
    tails = [b for near in ways for b in near]
    return csr_array((np.ones(len(heads)), (heads, tails)), shape=(len(ways), len(ways)))
