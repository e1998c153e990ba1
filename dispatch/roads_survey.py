"""What a round has to know of the roads: for each of its tasks a search, and from that everybody's way to it.

What was searched for a place is kept (:class:`Reaches`), for streets do not change and a task is looked at in many
rounds. A :class:`Survey` goes from search to search, the most urgent task first, so that whoever has waited long enough
takes what there is: for the tasks that are missing the straight line holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.spatial import cKDTree

from dispatch.model import Spot, Task, TaskId
from dispatch.ranking import NONE, ROUND_ABOUT, Crew, Ways
from dispatch.roads import Reach, Roads, Standpoints
from dispatch.travel import SPEEDS, Array, places

NODES = 4_000_000
"""That all kept searches have found: some 50 MB, the open tasks of a large city."""

Key = tuple[str, Spot, float]
"""Mode, place and limit of a search."""


class Reaches:
    """Searches that were made, those used last. One thread puts in; any may get."""

    def __init__(self, nodes: int = NODES) -> None:
        self._most = nodes
        self._found: dict[Key, Reach | None] = {}
        self.nodes = 0

    def __contains__(self, key: Key) -> bool:
        return key in self._found

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: Key) -> Reach | None:
        """``None`` too if the place lies at no street."""
        return self._found.get(key)

    def put(self, key: Key, reach: Reach | None) -> None:
        """Of what has been found, or used again."""
        if key in self._found:
            del self._found[key]
        else:
            self.nodes += _size(reach)
        self._found[key] = reach
        while self.nodes > self._most and len(self._found) > 1:
            self.nodes -= _size(self._found.pop(next(iter(self._found))))


def _size(reach: Reach | None) -> int:
    return 1 if reach is None else 1 + len(reach.nodes)


class Survey:
    """For these tasks and this crew. ``missing`` has the tasks of which not all that is wanted is there."""

    def __init__(self, tasks: Iterable[Task], crew: Crew, roads: Roads, reaches: Reaches) -> None:
        # As they are now: a survey may still be at work when they have changed.
        weights = crew.weights
        self._tasks = sorted(
            (task.due, task.id, task.spot, weights.cap(task.level), task.level >= weights.anybody) for task in tasks
        )
        self._crew, self._roads, self._reaches = crew, roads, reaches
        self._found: dict[TaskId, tuple[Array, Array]] = {}
        self.missing = {id for _, id, *_ in self._tasks}

    def __len__(self) -> int:
        return len(self._tasks)

    def ways(self) -> Ways:
        """What is known by now."""
        return Ways(dict(self._found))

    def run(self, searching: bool = True) -> Iterator[bool]:
        """Do all of it, in steps of some milliseconds at the most; whether the next one is a search.
        ``searching`` false: with what was kept, and no more."""
        if not self._tasks or not len(self._crew):
            self.missing.clear()
            return
        near = self._near()
        stands = self._stands(near)
        can = self._crew.reason == NONE
        can_at_first = can & ~self._crew.vehicle
        for (_, id, spot, cap, anybody), columns in zip(self._tasks, near, strict=True):
            limit, whole = ROUND_ABOUT * cap, True
            at: list[Array] = []
            metres: list[Array] = []
            for mode, (rows, stand) in stands.items():
                those = columns[rows[columns] >= 0]
                if not len(those):
                    continue
                net, key = self._roads.nets[mode], (mode, spot, limit)
                kept = key in self._reaches
                # Nobody of this mode can go: no search for how far they would have to.
                if not kept and not (can if anybody else can_at_first)[those].any():
                    continue
                if not kept and not searching:
                    whole = False
                    continue
                yield not kept
                reach = self._reaches.get(key) if kept else net.search(net.locate(places([spot])), limit)
                if searching:
                    self._reaches.put(key, reach)
                if reach is not None:
                    found = net.metres(reach, stand.take(rows[those]))
                    known = ~np.isnan(found)
                    at.append(those[known])
                    # Farther than the search went: a metre more than that says so, and is a number.
                    metres.append(np.minimum(found[known], np.floor(limit) + 1.0))
            if at:
                both, far = np.concatenate(at), np.concatenate(metres)
                order = np.argsort(both)
                self._found[id] = both[order], far[order]
            if whole:
                self.missing.discard(id)

    def _near(self) -> list[Array]:
        """The columns that are within each task's cap straight: nobody else can go."""
        known = np.flatnonzero(self._crew.known)
        if not len(known):
            return [known for _ in self._tasks]
        caps = np.array([cap for _, _, _, cap, _ in self._tasks])
        tree = cKDTree(self._crew.place[known])
        found = tree.query_ball_point(
            places(spot for _, _, spot, *_ in self._tasks), caps * 1000.0 + 1.0, return_sorted=True
        )
        return [known[near] for near in found]

    def _stands(self, near: list[Array]) -> dict[str, tuple[Array, Standpoints]]:
        """Where those of each mode stand who are near any of them, and the row of each column; -1 of the others."""
        there = np.zeros(len(self._crew), np.bool_)
        there[np.concatenate(near)] = True
        found = {}
        for n, mode in enumerate(SPEEDS):
            columns = np.flatnonzero(there & (self._crew.mode == n))
            if len(columns) and mode in self._roads.nets:
                rows = np.full(len(self._crew), -1)
                rows[columns] = np.arange(len(columns))
                found[mode] = rows, self._roads.nets[mode].locate(self._crew.place[columns])
        return found
