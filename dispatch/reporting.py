"""Reports from the street on their way to the desk, and what an upload is for: between devices, the books of tasks and
of reports, and what is on disk."""

from __future__ import annotations

from collections.abc import Callable

from dispatch.desk import Desk
from dispatch.desk_model import NewTask
from dispatch.draft import Step
from dispatch.exhibits import Exhibits, Use
from dispatch.model import Spot, Task, TaskId
from dispatch.problems import PROBLEM, ProblemBook, Report, Told, no_problem, task_of
from dispatch.steps import Steps
from protocols.handheld import Problem
from protocols.report import CoordinateSystem
from tracker.admission import to_wgs84
from tracker.intake import Intake
from tracker.model import DeviceId, UnitId
from tracker.refusal import Change, Refusal

AHEAD_MS = 120_000
"""A clock that is further ahead than this does not say when it was."""


class Reporting:
    """``book`` has what the journal holds of reports; ``exhibits`` what is on disk of photos."""

    def __init__(self, intake: Intake, desk: Desk, steps: Steps, book: ProblemBook, exhibits: Exhibits) -> None:
        self._intake, self._desk, self._steps = intake, desk, steps
        self.book, self._exhibits = book, exhibits
        steps.attach(PROBLEM, book.replay)

    async def begin(self) -> None:
        """Tell tasks of photos that are on record and that they have not heard of: a kill may have come between.
        Raises StoreFailed."""
        for task in self._desk.book.open():
            for one in [*task.kept, *([] if task.result is None else [task.result])]:
                for sha in one.photos:
                    if sha not in one.arrived and self._exhibits.get(sha, one.unit) is not None:
                        await self._desk.note_photo(task.id, one.attempt, one.unit, sha)

    async def problem(self, unit: UnitId, said: Problem) -> str:
        """Take in what somebody reports; a code for the device when it is on disk. Raises StoreFailed."""
        now = self._intake.wall()
        at = now if said.at is None or said.at > now + AHEAD_MS else said.at
        if said.bad or unit not in self._intake.roster.units:
            return "bad"
        if self._intake.roster.on_duty(unit, at) is None:
            self._intake.counters.refuse("handheld", "off_duty")
            return "bad"
        spot = None
        if said.latitude is not None and said.longitude is not None:
            place = said.latitude, said.longitude
            spot = Spot(*(place if said.crs == CoordinateSystem.WGS84 else to_wgs84(said.crs, *place)))
        told = Told(said.event, at, spot, said.accuracy, said.klass, said.text, said.photos, said.voice)
        code = ["bad"]

        def plan(now: int) -> list[Change]:
            events, code[0] = self.book.plan_report(unit, told, now)
            return events

        try:
            await self._write(f"{unit}:{said.event}", plan)
        except Refusal as refusal:
            self._intake.counters.refuse("handheld", refusal.code)
            return "bad"
        return code[0]

    async def seen(self, id: str, by: str) -> Report:
        """Somebody has read it, and there is nothing to do. Raises Refusal and StoreFailed."""
        await self._write(id, lambda now: self.book.plan_seen(id, by, now))
        return self._of(id)

    async def make_task(self, id: str, kind: str, by: str) -> tuple[Task, bool]:
        """Make a task of it; ``False`` if there is one already. Raises Refusal and StoreFailed."""
        report = self._of(id)
        if report.told.spot is None:
            raise Refusal(
                "no_position", "it has no place: make the task on the map", "该上报没有位置，请在地图上新建任务"
            )
        new = NewTask(
            kind, report.told.spot, task_of(id), report.told.klass, "", report.told.text, by, independent=report.unit
        )
        task, made = await self._desk.create(new, by)
        # Killed here, the same is done again: its id follows from the report's.
        await self._write(id, lambda now: self.book.plan_task(id, by, now))
        return task, made

    async def _write(self, id: str, plan: Callable[[int], list[Change]]) -> None:
        step = await self._steps.carry_out([f"{PROBLEM} {id}"], lambda now: Step(plan(now)))
        if step.events:
            self._desk.renew()

    def _of(self, id: str) -> Report:
        report = self.book.get(id)
        if report is None:
            raise no_problem(id)
        return report

    # -- what an upload is for

    def whose(self, use: Use, device: DeviceId, now: int) -> UnitId:
        """Who has sent it: whoever had the device when the task was theirs, for a phone may be another one's by the
        time that it has a network again."""
        roster = self._intake.roster
        task = self._desk.book.get(TaskId(use.task))
        attempt = None if task is None else task.find(use.attempt)
        if attempt is not None and roster.carried_by(device, min(attempt.at.values())) == attempt.unit:
            return attempt.unit
        return roster.carried_by(device, now)

    def belongs(self, use: Use, unit: UnitId) -> bool:
        """Whether the unit has, or had, this attempt, or has reported this problem."""
        task = self._desk.book.get(TaskId(use.task))
        attempt = None if task is None else task.find(use.attempt)
        return (attempt is not None and attempt.unit == unit) or self.book.has(unit, use.problem)

    async def arrived(self, use: Use, unit: UnitId, sha: str) -> None:
        """It is on disk and on record. Raises StoreFailed."""
        if use.task:
            await self._desk.note_photo(TaskId(use.task), use.attempt, unit, sha)
        else:
            self._desk.renew()
