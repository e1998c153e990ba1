"""Tasks that may be about the same thing: of one class, near each other, made within some hours. They are linked, never
merged: whether two reports of a broken kerb are one kerb is for somebody to say who sees it.

The tasks lie in an index by class and by cells as wide as the distance, so that a question looks at some cells and not
at every task.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest

from dispatch.model import Spot, TaskId
from dispatch.rules import Duplicates
from tracker.coordinates import distance
from tracker.nearby import Circle

LINKS = 20
"""Of one task: a page shows no more, and what has more is no pair of reports but a place that is wrong every day."""
_COLUMNS = 1_000
"""Cells in a row that are looked at one by one; there are more only near a pole."""


@dataclass(frozen=True, slots=True)
class Link:
    """Another task that may be the same: metres away, ms later (less than nothing: earlier)."""

    task: TaskId
    metres: float
    later: int


@dataclass(frozen=True, slots=True)
class _Entry:
    klass: str
    spot: Spot
    created: int


_Cell = tuple[str, int, int]


class DuplicateIndex:
    """The tasks among which others are looked for. It is as large as the number of tasks in it."""

    def __init__(self, rule: Duplicates) -> None:
        self._reach = float(rule.distance_m)
        self._window = rule.hours * 3_600_000
        self._side = max(1, Circle(0, 0, self._reach).boxes()[0][2])
        """Of a cell, in 1e-7 degrees either way."""
        self._entries: dict[TaskId, _Entry] = {}
        self._cells: dict[_Cell, dict[TaskId, _Entry]] = {}
        self._known: dict[TaskId, list[Link]] = {}
        """Links that somebody has asked for: a page asks for those of all tasks, again and again."""

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, task: TaskId, klass: str, spot: Spot, created: int) -> None:
        """Put a task in, or put it where it is now."""
        self.remove(task)
        entry = self._entries[task] = _Entry(klass, spot, created)
        self._cells.setdefault(self._cell(entry), {})[task] = entry
        self._changed(entry)

    def remove(self, task: TaskId) -> None:
        """Take a task out, if it is there."""
        entry = self._entries.pop(task, None)
        if entry is not None:
            self._changed(entry)
            cell = self._cell(entry)
            del self._cells[cell][task]
            if not self._cells[cell]:
                del self._cells[cell]

    def links(self, task: TaskId) -> list[Link]:
        """Those that may be the same as a task in the index. Whatever is linked to one, that one is linked to, unless
        either has more than :data:`LINKS`."""
        entry = self._entries.get(task)
        if entry is None:
            return []
        known = self._known.get(task)
        if known is None:
            found = self.near(entry.klass, entry.spot, entry.created)
            known = self._known[task] = [link for link in found if link.task != task][:LINKS]
        return known

    def near(self, klass: str, spot: Spot, created: int) -> list[Link]:
        """Those that may be the same as one that is not there yet: the nearest first, of one place by their ids."""
        found = (
            Link(task, metres, entry.created - created)
            for task, entry in self._around(klass, spot)
            if abs(entry.created - created) <= self._window and (metres := _metres(entry.spot, spot)) <= self._reach
        )
        # One more, for the task itself may be among them.
        return nsmallest(LINKS + 1, found, key=lambda link: (link.metres, link.task))

    def _changed(self, entry: _Entry) -> None:
        """What is near an entry that comes or goes, itself among them, may have other links."""
        for task, _ in self._around(entry.klass, entry.spot):
            self._known.pop(task, None)

    def _around(self, klass: str, spot: Spot) -> Iterator[tuple[TaskId, _Entry]]:
        boxes = Circle(spot.latitude, spot.longitude, self._reach).boxes()
        if any(east - west > _COLUMNS * self._side for _, west, _, east in boxes):
            yield from ((task, entry) for task, entry in self._entries.items() if entry.klass == klass)
            return
        for south, west, north, east in boxes:
            for row in range(south // self._side, north // self._side + 1):
                for column in range(west // self._side, east // self._side + 1):
                    yield from self._cells.get((klass, row, column), {}).items()

    def _cell(self, entry: _Entry) -> _Cell:
        return entry.klass, entry.spot.latitude // self._side, entry.spot.longitude // self._side


def _metres(one: Spot, other: Spot) -> float:
    return distance(one.latitude, one.longitude, other.latitude, other.longitude)
