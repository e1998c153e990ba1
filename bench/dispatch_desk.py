"""The rule that a server goes by, for the simulated city: the product's own ranking and matching, with its default
weights, and levels of escalation that rise when they would.

Like the server it makes rounds until nobody is asked any more, and it knows of people what positions, offers and
answers have told it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from dispatch.escalation import can_rise, next_rise, too_many_failures
from dispatch.matching import match, widened
from dispatch.model import Candidate, Spot, Task, TaskId
from dispatch.ranking import NO_WAYS, NONE, Crew, Round, Ways, Weights
from dispatch.travel import SPEEDS, Travel
from simulator.lattice import Lattice
from simulator.street_day import Seen, Waiting
from tracker.model import UnitId

CORNER = Spot(312_000_000, 1_214_000_000)
NORTH, EAST = 89.932, 105.14
"""Degrees times 1e7 for each metre, at the latitude of the corner."""
ACCURACY = 20.0
CRITICAL = 0.8
"""Of the limit."""


class Desk:
    """One day's rule. ``speed`` is that of a mode of :data:`dispatch.travel.SPEEDS`; ``by_roads`` has it know the
    streets."""

    def __init__(self, lattice: Lattice, speed: float, by_roads: bool = False, weights: Weights | None = None) -> None:
        self._lattice, self._by_roads = lattice, by_roads
        self._weights = weights or Weights()
        self._mode = next(mode for mode, one in SPEEDS.items() if one == speed)
        self._tasks: dict[int, Task] = {}
        self._asked: set[int] = set()
        self._spots = [_spot(x, y) for x, y in zip(lattice.x.tolist(), lattice.y.tolist(), strict=True)]
        self._crossings: dict[Spot, int] = {spot: n for n, spot in enumerate(self._spots)}

    def __call__(self, now: float, waiting: Sequence[Waiting], people: Sequence[Seen]) -> list[tuple[int, int]]:
        at = round(now * 1000)
        tasks = {task.id: task for one in waiting for task in (self._task(one, at),)}
        everybody = {one.unit: one for who in people for one in (self._candidate(who, now),)}
        offers: list[tuple[int, int]] = []
        while tasks:
            crew = Crew(everybody.values(), self._weights, Travel())
            ways = self._ways(tasks.values(), crew) if self._by_roads else NO_WAYS
            found = match(widened(list(tasks.values()), crew, at, ways), crew, at, ways=ways)
            for one in found:
                task, who = tasks.pop(one.task), everybody[one.unit]
                committed = (*who.committed, (task.spot, float(self._weights.scene)))
                everybody[one.unit] = replace(who, committed=committed)
                offers.append((int(one.task), int(one.unit)))
            if not self._nobody_goes(list(tasks.values()), crew, ways, at) and not found:
                break
        self._asked.update(number for number, _ in offers)
        return offers

    def _nobody_goes(self, tasks: list[Task], crew: Crew, ways: Ways, at: int) -> bool:
        """Whether there are tasks to which nobody may be sent, for the first time; their level rises."""
        open = Round((task for task in tasks if task.level == 0), crew, at, ways)
        able = (open.matrix().reason == NONE).any(axis=1).tolist() if open.tasks else []
        lonely = [task for task, can in zip(open.tasks, able, strict=True) if not can]
        for task in lonely:
            _rise(task, at)
        return bool(lonely)

    def _task(self, one: Waiting, at: int) -> Task:
        task = self._tasks.get(one.number)
        if task is None:
            created, limit = round(one.created * 1000), round(one.limit * 1000)
            critical = created + round(CRITICAL * limit)
            task = self._tasks[one.number] = Task(
                id=TaskId(f"{one.number:05d}"), kind="verify", klass="", spot=self._spots[one.crossing], address="",
                text="", source="", created=created, limit=limit, warn=created, critical=critical,
                due=created + limit, grid=str(one.grid), since=created, raised=created,
            )  # fmt: skip
        cooldown = self._weights.cooldown
        task.declined = {_unit(n): round((until - cooldown) * 1000) for n, until in one.refused.items()}
        if one.number in self._asked:
            self._asked.remove(one.number)
            task.failed += 1
        for mark, due in (("critical", task.critical), ("overdue", task.due)):
            if at >= due and mark not in task.marks:
                task.marks[mark] = at
                _rise(task, at)
        rises = next_rise(task)
        if too_many_failures(task) or (rises is not None and at >= rises):
            _rise(task, at)
        return task

    def _candidate(self, who: Seen, now: float) -> Candidate:
        scene = float(self._weights.scene)
        left = [scene] * len(who.committed)
        if who.arrived is not None:
            left[0] = max(0.0, scene - (now - who.arrived))
        return Candidate(
            unit=_unit(who.number),
            spot=_spot(who.x, who.y),
            age=who.age,
            accuracy=ACCURACY,
            mode=self._mode,
            on_duty=True,
            resting=who.resting,
            kind="person",
            areas=frozenset({str(who.number)}),
            streets=frozenset(),
            committed=tuple((self._spots[n], seconds) for n, seconds in zip(who.committed, left, strict=True)),
            suspect=who.suspect,
            done=who.done,
        )

    def _ways(self, tasks: Iterable[Task], crew: Crew) -> Ways:
        lattice = self._lattice
        spots = [one.committed[-1][0] if one.committed else one.spot for one in crew.candidates]
        x = np.array([(spot.longitude - CORNER.longitude) / EAST for spot in spots if spot])
        y = np.array([(spot.latitude - CORNER.latitude) / NORTH for spot in spots if spot])
        starts, columns = lattice.nearest(x, y), np.arange(len(crew))
        return Ways({
            task.id: (columns, lattice.steps_to(self._crossings[task.spot])[starts] * lattice.step) for task in tasks
        })  # fmt: skip


def _rise(task: Task, at: int) -> None:
    if can_rise(task):
        task.level, task.raised, task.failed = task.level + 1, at, 0


def _unit(number: int) -> UnitId:
    return UnitId(f"{number:02d}")


def _spot(x: float, y: float) -> Spot:
    return Spot(CORNER.latitude + round(y * NORTH), CORNER.longitude + round(x * EAST))
