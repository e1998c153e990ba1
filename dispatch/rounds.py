"""Rounds: whenever something has changed, all that nobody has is matched with everybody who could go.

A round works in a thread, on what it was given; what it finds is judged anew when it is written down, for the city goes
on meanwhile. Up to five a second while one costs less than 10 ms, else one. Each choice is journalled in the commit of
its offer, with all that it was made from (dispatch/decision.py), and so is that there was nobody to choose.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import thread_time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from dispatch.decision import Record, record
from dispatch.desk import Desk
from dispatch.draft import Step
from dispatch.field import Field
from dispatch.matching import Match, match, widened
from dispatch.model import NOBODY, Candidate, Task, TaskId, TaskState
from dispatch.ranking import NO_WAYS, NONE, Crew, Round, Standing, rank
from dispatch.road_desk import RoadDesk
from dispatch.rules import SURVEY
from dispatch.steps import Steps
from dispatch.travel import Detours
from tracker.intake import Intake, StoreFailed
from tracker.model import UnitId
from tracker.refusal import Change, Refusal

DECISION = "decision"
"""The type of the events that say why somebody was asked."""
OFTEN_S, SELDOM_S = 0.2, 1.0
CHEAP_S = 0.010
LOOK_S = 5.0
"""While somebody is waited for, a round is made that often though nothing was heard: people move, and rest ends."""
CHOICES = 100
"""Of one round that are carried out, the most urgent ones: a record takes a millisecond, and the others are matched
again a second later."""
KNOWN = 100
"""Decisions that are at hand; the journal has all of them. Each is some thousand objects, and looking through those of
two thousand for what is garbage holds everything up for a tenth of a second."""


@dataclass(frozen=True, slots=True)
class _Found:
    """``nobody``: tasks to which nobody may be sent, with the record of that."""

    matches: Sequence[tuple[Match, Record]]
    nobody: Sequence[tuple[TaskId, Record]]
    cost: float


class Rounds:
    """``roads`` are the city's, where it has given them."""

    def __init__(
        self, intake: Intake, desk: Desk, steps: Steps, field: Field, detours: Detours, clock: Any, pool: ThreadPool,
        roads: RoadDesk | None = None,
    ) -> None:  # fmt: skip
        self._intake, self._desk, self._steps, self._field = intake, desk, steps, field
        self._detours, self._clock, self._pool, self.roads = detours, clock, pool, roads
        self._weights = desk.rules.weights()
        self._queued = {task.id for task in desk.book.open() if task.state is TaskState.QUEUED}
        self._copies: dict[TaskId, Task] = {}
        """Of those that wait, as they were when a round began: somebody may say no while it is looked at who has said
        no. Made anew when something has happened to them."""
        self._timer: Any = None
        self._running = self._again = self._stopped = False
        self._pause = OFTEN_S
        self._last = float("-inf")
        self._log = Logger(namespace="gridbeat.dispatch")
        self.rounds = 0
        self.seconds = 0.0
        """Of CPU, of all rounds."""
        self.decisions: OrderedDict[str, Record] = OrderedDict()
        steps.attach(DECISION, self.replay)
        steps.taken.append(self._taken)

    def __len__(self) -> int:
        """How many tasks wait for somebody."""
        return len(self._queued)

    # -- starting and stopping

    def start(self) -> None:
        self.poke()

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    # -- looking

    def standings(self, task: Task) -> list[Standing]:
        """Everybody for a task now: who can go by cost, then who cannot by distance."""
        now = self._intake.wall()
        crew = self._crew([_without(task, one) for one in self._field.candidates(now)])
        ways = self.roads.known([task], crew) if self.roads is not None else NO_WAYS
        (task,) = widened([task], crew, now, ways)
        return rank(task, crew, now, ways)

    def replay(self, event: Change) -> None:
        """A decision is in the journal."""
        _, id, fields = event
        assert fields is not None
        self.decisions[id] = fields
        if len(self.decisions) > KNOWN:
            self.decisions.popitem(last=False)

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit any more: decisions in which it is are read from the journal, where it is not."""
        self._copies.clear()
        for id in [id for id, one in self.decisions.items() if any(row[0] == unit for row in one["units"])]:
            del self.decisions[id]
        # What it had waits for somebody again.
        self._queued = {task.id for task in self._desk.book.open() if task.state is TaskState.QUEUED}
        self.poke()

    # -- when

    def poke(self) -> None:
        """Somebody has come who may be asked."""
        if not self._queued or self._stopped:
            return
        self._in(self._pause)

    def _in(self, seconds: float) -> None:
        """A round in so many seconds, unless there is one before, and not too soon after the last one."""
        seconds = max(seconds, self._last + self._pause - self._clock.seconds())
        if self._running:
            self._again = True
            return
        if self._timer is not None and self._timer.active():
            if self._timer.getTime() <= self._clock.seconds() + seconds:
                return
            self._timer.cancel()
        self._timer = self._clock.callLater(seconds, self._go)

    def _taken(self, step: Step) -> None:
        changed = False
        for kind, id, fields in step.events:
            if kind == "task":
                changed |= fields is not None and not _can_wait(fields)
                self._field.took((kind, id, fields))
                self._copies.pop(TaskId(id), None)
                task = self._desk.book.get(TaskId(id))
                if task is not None and task.state is TaskState.QUEUED:
                    self._queued.add(task.id)
                else:
                    self._queued.discard(TaskId(id))
        if changed and self._queued and not self._stopped:
            # A new task does not wait for others to come.
            self._in(0.0 if self._pause <= OFTEN_S else SELDOM_S)

    def _go(self) -> None:
        self._running, self._again = True, False
        self._last = self._clock.seconds()
        Deferred.fromCoroutine(self._round()).addErrback(
            lambda failure: self._log.failure("a round of dispatch failed", failure=failure)
        ).addBoth(self._went)

    def _went(self, result: Any) -> None:
        self._running = False
        if self._queued and not self._stopped:
            self._in(self._pause if self._again else LOOK_S)

    # -- a round

    def _crew(self, everybody: Iterable[Candidate]) -> Crew:
        return Crew(everybody, self._weights, self._detours.travel())

    async def _round(self) -> None:
        tasks = [task for id in self._queued if (task := self._copy(id)) is not None]
        now = self._intake.wall()
        await self._ask_pinned([task for task in tasks if task.pinned != NOBODY], now)
        free = [task for task in tasks if task.pinned == NOBODY]
        if not free:
            return
        found: _Found = await deferToThreadPool(self._clock, self._pool, self._find, free, now)
        self.rounds += 1
        self.seconds += found.cost
        self._pause = OFTEN_S if found.cost < CHEAP_S else SELDOM_S
        asked = [self._offer(one, why) for one, why in found.matches]
        asked += [self._nobody(task, why) for task, why in found.nobody]
        for each in asked:
            try:
                await each
            except Refusal:
                self._again = True  # it is not as it was any more
            except StoreFailed as failed:
                self._log.error("an offer could not be written: {reason}", reason=str(failed))
                self._pause = SELDOM_S
        if len(found.matches) >= CHOICES:
            self._again = True

    def _copy(self, id: TaskId) -> Task | None:
        copy = self._copies.get(id)
        if copy is None:
            task = self._desk.book.get(id)
            if task is None:
                return None
            copy = self._copies[id] = replace(task, declined=dict(task.declined))
        return copy

    def _find(self, tasks: list[Task], now: int) -> _Found:
        """In a thread."""
        begun = thread_time()
        crew = self._crew(self._field.candidates(now))
        ways = self.roads.ways(tasks, crew) if self.roads is not None else NO_WAYS
        sought = widened(tasks, crew, now, ways)
        matches = match(sought, crew, now, ways=ways)
        by_id = {task.id: task for task in sought}
        taken = {one.unit: one.task for one in matches}
        urgent = sorted(matches, key=lambda one: (by_id[one.task].due, one.task))[:CHOICES]
        cost = thread_time() - begun
        chosen = [(one, record(by_id[one.task], crew, now, one.unit, taken, ways=ways)) for one in urgent]
        matched = {one.task for one in matches}
        # From level 1 on time does it; and who can go, but is needed elsewhere, comes in the next round.
        left = [task for task in tasks if task.id not in matched and task.level == 0][:CHOICES]
        nobody = []
        if left:
            each = Round(left, crew, now, ways)
            able = (each.matrix().reason == NONE).any(axis=1)
            nobody = [(task.id, record(task, crew, now, NOBODY, taken, ways=ways)) for task, can in
                      zip(each.tasks, able.tolist(), strict=True) if not can]  # fmt: skip
        return _Found(chosen, nobody, cost)

    def _offer(self, one: Match, why: Record) -> Deferred[Step]:
        def plan(now: int) -> Step:
            if self._intake.roster.on_duty(one.unit, now) is None:
                raise Refusal("off_duty", "it has gone off duty", "该人员已下班")
            step = self._desk.book.plan_offer(one.task, one.unit, one.eta, now)
            number = next(fields["attempt"] for _, _, fields in step.events if fields and fields["what"] == "offer")
            step.events.append((DECISION, f"{one.task}:{number}", why))
            return step

        # Two tasks must not both go to somebody who had room for one: what a unit gets is one thing after another.
        return self._steps.carry_out([one.task, f"unit:{one.unit}"], plan, heavy=True)

    def _nobody(self, task: TaskId, why: Record) -> Deferred[Step]:
        def plan(now: int) -> Step:
            step = self._desk.book.plan_no_candidate(task, now)
            if step.events:
                step.events.append((DECISION, f"{task}:0", why))
            return step

        return self._steps.carry_out([task], plan, heavy=True)

    async def _ask_pinned(self, tasks: Sequence[Task], now: int) -> None:
        """Whom a dispatcher has chosen is asked again as soon as he can be, and nobody else is."""
        for task in tasks:
            unit = self._intake.roster.units.get(task.pinned)
            if unit is None:
                continue
            one = self._field.candidate(unit, now)
            no = task.declined.get(task.pinned)
            if one.suspect or not one.linked or (no is not None and now < no + task.times.cool_down):
                continue
            if self._field.calls(unit.id, now):
                continue
            found = [each for each in rank(task, self._crew([one]), now) if each.unit == unit.id]
            self._desk.attempt([task.id], self._plan_pinned(task.id, unit.id, found[0].eta))

    def _plan_pinned(self, task: TaskId, unit: UnitId, eta: int) -> Callable[[int], Step]:
        return lambda now: self._desk.book.plan_offer(task, unit, eta, now)


def _without(task: Task, one: Candidate) -> Candidate:
    """Who has the task already does not have to do it first to get there."""
    held = task.attempt
    spots = [spot for spot, _ in one.committed]
    if held is None or held.unit != one.unit or task.kind == SURVEY or task.spot not in spots:
        return one
    own = spots.index(task.spot)
    return replace(one, committed=one.committed[:own] + one.committed[own + 1 :])


def _can_wait(fields: Mapping[str, Any]) -> bool:
    """Whether a deed makes no round of its own. That somebody was reminded changes nobody's choice, though that he was
    heard of does; and who is sent from farther off after minutes is found when the next round looks."""
    if fields["what"] == "raise":
        return bool(fields["reason"] != "no_candidate")
    return bool(fields["what"] == "mark" and fields["mark"] != "heard")
