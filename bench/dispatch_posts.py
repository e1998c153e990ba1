"""Where those who have nothing to do wait, by the demand so far: nothing of it is in the server, it is tried here.

Every few minutes everybody idle is given a post, in the own grid or next to it, such that what may be asked next is
near somebody: points all over the city count for as much as has been asked around them, each goes to whoever would be
there first, and each post moves to the middle of what goes to it. Whoever is busy keeps a place in that where he will
be free, and so much later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.dispatch_desk import Desk
from simulator.lattice import Lattice
from simulator.street_day import Seen, Waiting

PRIOR = 16.0
"""Tasks that every grid is thought to have had before the day began."""
PARTS = 2
"""Points along each side of a grid."""
TURNS = 8
EACH = 540.0
"""Seconds that whoever is busy needs for a task, with the way to it."""
DETOUR = 1.35


class Posts:
    """One day's posts, beside the desk that sees its tasks."""

    def __init__(self, lattice: Lattice, speed: float, desk: Desk) -> None:
        self._lattice, self._desk, self._pace = lattice, desk, DETOUR / speed
        grids = lattice.grids_a_side**2
        self._homes = np.array([lattice.centre(n) for n in range(grids)])
        self._side = 2 * lattice.centre(0)[0]
        steps = (np.arange(PARTS) + 0.5) / PARTS - 0.5
        around = np.array([(x, y) for y in steps for x in steps]) * self._side
        self._points = (self._homes[:, None] + around[None]).reshape(-1, 2)
        self._count = np.full(grids, PRIOR)
        self._known: set[int] = set()
        self._last = self._homes.copy()

    def __call__(self, now: float, waiting: Sequence[Waiting], people: Sequence[Seen]) -> list[tuple[int, int]]:
        for one in waiting:
            if one.number not in self._known:
                self._known.add(one.number)
                self._count[one.grid] += 1
        return self._desk(now, waiting, people)

    def give(self, people: Sequence[Seen]) -> Mapping[int, int]:
        """The crossing for each who is idle, by number."""
        people = [who for who in people if not who.resting]
        idle = np.array([not who.committed for who in people])
        if not idle.any():
            return {}
        numbers = np.array([who.number for who in people])
        places = np.where(idle[:, None], self._last[numbers], [self._end(who) for who in people])
        wait = np.array([len(who.committed) * EACH for who in people])
        weights = np.repeat(self._count, PARTS**2)
        least, most = self._homes[numbers] - 1.5 * self._side, self._homes[numbers] + 1.5 * self._side
        for _ in range(TURNS):
            away = np.hypot(*(self._points[:, None] - places[None]).transpose(2, 0, 1)) * self._pace + wait
            first = away.argmin(axis=1)
            sums = np.bincount(first, weights, len(people))
            for axis in (0, 1):
                middle = np.bincount(first, weights * self._points[:, axis], len(people)) / np.maximum(sums, 1e-9)
                moved = np.clip(middle, least[:, axis], most[:, axis])
                places[:, axis] = np.where(idle & (sums > 0), moved, places[:, axis])
        self._last[numbers[idle]] = places[idle]
        crossings = self._lattice.nearest(places[:, 0], places[:, 1])
        return {int(n): int(at) for n, at, free in zip(numbers, crossings, idle, strict=True) if free}

    def _end(self, who: Seen) -> tuple[float, float]:
        if not who.committed:
            return who.x, who.y
        last = who.committed[-1]
        return float(self._lattice.x[last]), float(self._lattice.y[last])
