"""Watches the positions of those who have a task: who sets out, who arrives, and who was there when he answered.

It is told every fix as it comes to the disk, also those that a phone had kept without a network, so an arrival that
nobody saw is found when they come; and an answer is judged anew when they do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dispatch.arrival import Fix, Watch
from dispatch.desk import Desk
from dispatch.draft import Step
from dispatch.model import AttemptInput, AttemptState, Spot, Task, TaskId
from dispatch.results import Where, evidence
from dispatch.rules import SURVEY
from dispatch.steps import Steps
from dispatch.travel import TRIP, ratio
from tracker.admission import Admitted
from tracker.intake import Intake, StoreFailed
from tracker.model import UnitId
from tracker.record import ReportRecord
from tracker.refusal import Refusal
from tracker.roster import Carrier

KEPT = 256
"""Fixes of a unit that has a task: 20 minutes at one in five seconds."""
JUDGED_MS = 86_400_000
"""For so long after an answer the fixes around it may come: a phone that was without a network all day."""
AHEAD_MS = 120_000
"""A fix further ahead of the clock says nothing."""
_TRAVELS = frozenset({AttemptState.ACCEPTED, AttemptState.EN_ROUTE})
_ORDER = ("seen_once", "no_proof", "not_on_scene")
"""The marks of proof, the better first; nothing is best."""
_MARKS = {Where.ELSEWHERE: ("not_on_scene",), Where.ONCE: ("seen_once",), Where.UNKNOWN: ("no_proof",)}

_UNIT = ReportRecord._fields.index("unit")
_Key = tuple[TaskId, int]


@dataclass(slots=True)
class _Unit:
    """What is watched of one unit. ``answers``: where and when it answered."""

    watches: dict[_Key, tuple[Spot, Watch]] = field(default_factory=dict)
    answers: dict[_Key, tuple[Spot, int]] = field(default_factory=dict)
    fixes: deque[Fix] = field(default_factory=lambda: deque(maxlen=KEPT))


class Geofence:
    """``vehicles``: how units go is how their kind goes, people as the city's rules say."""

    def __init__(self, intake: Intake, desk: Desk, steps: Steps) -> None:
        self._intake, self._desk, self._steps = intake, desk, steps
        self._units: dict[UnitId, _Unit] = {}
        self._begun = intake.wall()
        for task in desk.book.all():
            self._watch(task)
        steps.taken.append(self._taken)
        intake.stored.append(self.stored)

    def __len__(self) -> int:
        return len(self._units)

    def mode(self, unit: UnitId) -> str:
        """How a unit goes."""
        known = self._intake.roster.units.get(unit)
        return "vehicle" if known is not None and known.kind == "vehicle" else self._desk.rules.ranking.mode

    def marks(self, unit: UnitId, task: Task, at: int) -> tuple[str, ...]:
        """What the positions known now show of an answer that was given at a time (ms)."""
        if task.kind == SURVEY:
            return ()
        known = self._units.get(unit)
        return self._marks(task.spot, at, known.fixes if known is not None else ())

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit any more."""
        self._units.pop(unit, None)

    def _marks(self, spot: Spot, at: int, fixes: Sequence[Fix]) -> tuple[str, ...]:
        rules = self._desk.rules
        return _MARKS.get(evidence(rules.proof, rules.arrival.accuracy_m, spot, at, fixes).where, ())

    # -- who is watched

    def _taken(self, step: Step) -> None:
        for id in dict.fromkeys(TaskId(id) for kind, id, _ in step.events if kind == "task"):
            task = self._desk.book.get(id)
            if task is not None:
                self._watch(task)

    def _watch(self, task: Task) -> None:
        if task.kind == SURVEY:
            return  # of a whole grid: it is nowhere in particular
        now = self._intake.wall()
        for attempt in task.attempts:
            key = (task.id, attempt.number)
            known = self._units.get(attempt.unit)
            if attempt.state in _TRAVELS:
                known = known or self._units.setdefault(attempt.unit, _Unit())
                there = known.watches.get(key)
                if there is None or there[0] != task.spot:
                    since = attempt.at.get(AttemptState.ACCEPTED, now)
                    watch = Watch(task.spot, since, self._desk.rules.arrival)
                    known.watches[key] = task.spot, watch
            elif known is not None:
                known.watches.pop(key, None)
            if attempt.state is AttemptState.ON_SCENE and known is None:
                self._units[attempt.unit] = _Unit()  # he will answer
        # Who was asked to answer again is judged by where he was then.
        for result in (*task.kept, task.result):
            if result is not None and now - result.at < JUDGED_MS:
                known = self._units.setdefault(result.unit, _Unit())
                known.answers[task.id, result.attempt] = task.spot, result.said or result.at
        self._tidy(task, now)

    def _tidy(self, task: Task, now: int) -> None:
        for unit in {attempt.unit for attempt in task.attempts}:
            known = self._units.get(unit)
            if known is None:
                continue
            for key in [key for key, (_, at) in known.answers.items() if now - at > JUDGED_MS]:
                del known.answers[key]
            if known.watches or self._desk.book.held(unit):
                continue
            if known.answers:
                kept = [fix for fix in known.fixes if self._proves(known, fix)]
                known.fixes.clear()
                known.fixes.extend(kept)
            else:
                del self._units[unit]

    def _proves(self, known: _Unit, fix: Fix) -> bool:
        """Whether it says something of where an answer was given."""
        window = 1000 * self._desk.rules.proof.window_s
        return any(abs(fix.at - at) <= window for _, at in known.answers.values())

    # -- where they are

    def stored(self, carrier: Carrier, records: Sequence[Admitted]) -> None:
        """These are on disk."""
        newest = self._intake.wall() + AHEAD_MS
        for packed in records:
            known = self._units.get(packed[_UNIT])  # type: ignore[call-overload]
            if known is None:
                continue
            record = ReportRecord._make(packed)
            if record.latitude is None or record.longitude is None or record.fix_time is None:
                continue
            if record.fix_time > newest:
                continue
            accuracy = None if record.accuracy is None else record.accuracy / 10
            speed = None if record.speed is None else record.speed / 100
            fix = Fix(record.fix_time, record.latitude, record.longitude, accuracy, speed)
            unit = UnitId(record.unit)
            if known.watches or self._proves(known, fix) or self._desk.book.held(unit):
                known.fixes.append(fix)
                self._look(unit, known, fix)

    def _look(self, unit: UnitId, known: _Unit, fix: Fix) -> None:
        for (task, attempt), (_, watch) in list(known.watches.items()):
            for sighting in watch.receive_fix(fix):
                self._sighted(unit, task, attempt, watch, sighting.what, sighting.at)
        window = 1000 * self._desk.rules.proof.window_s
        for (task, attempt), (spot, at) in known.answers.items():
            if abs(fix.at - at) <= window:
                self._prove(unit, task, attempt, self._marks(spot, at, known.fixes), at - window < self._begun)

    def _prove(self, unit: UnitId, id: TaskId, attempt: int, found: tuple[str, ...], partly: bool) -> None:
        """``partly``: some of the fixes came before the start, and are not here. They made no good proof worse."""
        book = self._desk.book

        def plan(now: int) -> Step:
            task = book.get(id)
            given = (task.result, *task.kept) if task is not None else ()
            marks = next((one.marks for one in given if one and (one.unit, one.attempt) == (unit, attempt)), ())
            others = tuple(mark for mark in marks if mark not in _ORDER)
            if partly and _rank(found) > _rank(marks):
                return Step()
            return book.plan_proof(id, attempt, unit, (*found, *others), now)

        self._desk.attempt([id], plan)

    def _sighted(self, unit: UnitId, task: TaskId, attempt: int, watch: Watch, what: AttemptInput, at: int) -> None:
        desk, mode, origin = self._desk, self.mode(unit), watch.origin

        def plan(now: int) -> Step:
            step = desk.book.plan_told(task, attempt, unit, what, now, when=at)
            known = desk.book.get(task)
            if what is AttemptInput.ARRIVE and step.events and known is not None and watch.departed and origin:
                start = Spot(origin.latitude, origin.longitude)
                took = ratio(start, known.spot, (at - watch.departed) / 1000, mode)
                if took is not None:
                    step.events.append((TRIP, mode, {"ratio": took}))
            return step

        def failed(failure: Any) -> None:
            """It is to be seen again."""
            failure.trap(Refusal, StoreFailed)
            known, about = self._units.get(unit), desk.book.get(task)
            there = known.watches.get((task, attempt)) if known is not None else None
            if known is not None and about is not None and there is not None and there[1] is watch:
                del known.watches[task, attempt]
                self._watch(about)

        self._steps.carry_out([task], plan).addErrback(failed)


def _rank(marks: Sequence[str]) -> int:
    """How little they prove."""
    return max((_ORDER.index(mark) for mark in marks if mark in _ORDER), default=-1)
