"""The desk: what people, programs, devices and time do to tasks, and who has to hear of it.

It judges nothing itself: :class:`~dispatch.book.TaskBook` does, in steps that :class:`~dispatch.steps.Steps` writes
down. What goes to units is handed to ``to_unit``, what seats are told is in ``notes``, and whatever a seat may see has
a version, so that a page asks for what is new to it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from dispatch.book import TaskBook
from dispatch.deadlines import Deadline, Deadlines
from dispatch.deeds import TASK_EVENT
from dispatch.desk_model import NewTask, Note
from dispatch.draft import Answer, Send, Step
from dispatch.duplicates import DuplicateIndex, Link
from dispatch.model import NOBODY, OPEN, AttemptInput, Result, Spot, Task, TaskId, TaskState
from dispatch.rules import Limit, Rules, TimeKind
from dispatch.steps import Steps
from tracker.intake import Intake, StoreFailed
from tracker.model import UnitId
from tracker.refusal import Change, Refusal
from tracker.telling import tell_all
from tracker.working_time import NoWorkingTime

NOTES = 1000
"""That are kept for seats: a bad day's; what they are about is in the tasks."""
SHOWN_MS = 86_400_000
"""For so long after its end a task is among those that a seat is shown at once."""
AGAIN_S = 1.0
"""Until a timer is looked at again that the disk did not take."""
TOGETHER_S = 0.25
"""Timers that are due within so long are carried out together: a commit for each would cost ten times as much."""
LOOK_S = 60.0
"""The clock may be set: it is looked at that often though nothing is due."""


class Desk:
    """``book`` has what the journal holds. ``clock`` calls later, ``new_id`` makes ids. ``to_unit`` is given what is
    to be sent to a unit; the root connects it."""

    def __init__(
        self, intake: Intake, book: TaskBook, steps: Steps, rules: Rules, deadlines: Deadlines, clock: Any,
        new_id: Callable[[], str],
    ) -> None:  # fmt: skip
        self._intake, self._steps, self._clock, self._new_id = intake, steps, clock, new_id
        self.book, self.rules, self.deadlines = book, rules, deadlines
        self.notes: deque[Note] = deque(maxlen=NOTES)
        self.to_unit: Callable[[Send], object] = lambda send: None
        # Higher than any that a page may have of before a restart.
        self.version = intake.wall()
        self._versions: OrderedDict[TaskId, int] = OrderedDict()
        self._listeners: list[Callable[[], object]] = []
        self._lights: dict[TaskId, Deadline] = {}
        self._duplicates = DuplicateIndex(rules.duplicates)
        self._timer: Any = None
        self._timer_due: int | None = None
        self._firing = False
        self._stopped = False
        self._log = Logger(namespace="gridbeat.dispatch")
        steps.taken.append(self._taken)
        for task in book.all():
            self._show(task.id, self.version)
            self._duplicates.add(task.id, task.klass, task.spot, task.created)

    # -- starting and stopping

    def start(self) -> None:
        """Let time go on."""
        self._wait()

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def forget(self, unit: UnitId) -> None:
        """Say nothing more of a unit; the book has forgotten it."""
        kept = [note for note in self.notes if note.unit != unit]
        self.notes.clear()
        self.notes.extend(kept)
        self.renew()

    # -- looking

    def listen(self, listener: Callable[[], object]) -> None:
        """Call it when there is something new for seats."""
        self._listeners.append(listener)

    def renew(self) -> int:
        """Something that seats see has changed; the version of that."""
        self.version += 1
        tell_all(self._listeners)
        return self.version

    def version_of(self, id: TaskId) -> int:
        return self._versions.get(id, 0)

    def changed(self, since: int) -> list[Task]:
        """What is new after this version, the oldest change first; of 0, all that is open or ended a day ago at the
        most."""
        newest = self._intake.wall() - SHOWN_MS
        found = []
        for id, version in reversed(self._versions.items()):
            if version <= since:
                break
            task = self.book.get(id)
            if task is not None and (since or task.state in OPEN or task.since >= newest):
                found.append(task)
        return found[::-1]

    def history(self, id: TaskId) -> list[dict[str, Any]]:
        """Every deed of a task, in order."""
        return self.book.history(id)

    def light(self, task: Task, now: int) -> str:
        """How it stands: as it stood when it was answered or put aside, or stands now."""
        at = now if task.result is None and task.state not in (TaskState.SUSPENDED, TaskState.CLOSED) else task.since
        return str(self._deadline(task).light(task.result.at if task.result is not None else at))

    def links(self, task: Task) -> list[Link]:
        """Others that may be about the same."""
        return self._duplicates.links(task.id)

    def near(self, klass: str, spot: Spot) -> list[Link]:
        """The same for one that is not there yet."""
        return self._duplicates.near(klass, spot, self._intake.wall())

    def place(self, spot: Spot) -> tuple[str, str]:
        """The grid and the street that something lies in; empty where there are none."""
        grid, _ = self._intake.areas().locate(spot.latitude, spot.longitude)
        area = None if grid is None else self._intake.roster.areas.get(grid)
        return ("", "") if area is None else (area.id, area.street)

    def _deadline(self, task: Task) -> Deadline:
        known = self._lights.get(task.id)
        if known is None or known.due != task.due:
            known = self._lights[task.id] = self.deadlines.of(TimeKind(task.time), task.limit, task.due)
        return known

    # -- beginning

    async def create(self, new: NewTask, by: str) -> tuple[Task, bool]:
        """A new task; ``False`` if one of this id is there already, which is left as it is. Raises Refusal and
        StoreFailed."""
        id = new.id or TaskId(self._new_id())
        known: list[Task] = []

        def plan(now: int) -> Step:
            there = self.book.get(id)
            if there is not None:
                known.append(there)
                return Step()
            return self.book.plan_create(self._new(id, new, by, now), now)

        await self._steps.carry_out([id], plan)
        return self._of(id), not known

    def _new(self, id: TaskId, new: NewTask, by: str, now: int) -> Task:
        kind = self.rules.kinds.get(new.kind)
        if kind is None:
            words = ", ".join(self.rules.kinds)
            raise Refusal("bad_kind", f"kind must be one of {words}", f"kind 须为 {words} 之一")
        for unit in (new.pinned, new.independent):
            if unit != NOBODY:
                self._there(unit)
        try:
            if new.due is None:
                deadline = self.deadlines.begin(self.rules.limit(new.kind, new.klass), now)
            elif new.due > now:
                deadline = self.deadlines.begin(Limit(TimeKind.CLOCK, new.due - now), now)
            else:
                raise Refusal(
                    "bad_due",
                    "due must lie ahead: milliseconds since 1970",
                    "due 须晚于当前时间（1970 年以来的毫秒数）",
                )
        except NoWorkingTime as error:
            raise Refusal("no_working_time", str(error), "十年内没有足够的工作时间") from None
        grid, street = self.place(new.spot)
        return Task(
            id=id, kind=new.kind, klass=new.klass, spot=new.spot, address=new.address, text=new.text,
            source=new.source or by, created=now, limit=deadline.limit, warn=deadline.warn,
            critical=deadline.critical, due=deadline.due, time=str(deadline.time), grid=grid, street=street,
            pinned=new.pinned, independent=new.independent if kind.independent else NOBODY,
            times=self.rules.times(new.kind),
        )  # fmt: skip

    def _there(self, unit: UnitId) -> None:
        if unit not in self._intake.roster.units:
            raise Refusal("no_unit", f"there is no unit {unit!r}", f"没有编号为 {unit} 的人员或车辆")

    # -- what people decide; all of them raise Refusal and StoreFailed

    async def amend(
        self, id: TaskId, by: str, seen: str = "", *, text: str | None = None, address: str | None = None,
        klass: str | None = None, spot: Spot | None = None,
    ) -> Task:  # fmt: skip
        """What the case system knows better now."""
        given = {"text": text, "address": address, "klass": klass}
        better: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if spot is not None:
            grid, street = self.place(spot)
            better |= {"spot": (spot.latitude, spot.longitude), "grid": grid, "street": street}
        return await self._change(id, lambda now: self.book.plan_amend(id, by, now, seen=seen, **better))

    async def assign(self, id: TaskId, unit: UnitId, by: str, seen: str = "", eta: int = 0) -> Task:
        """``eta``: seconds, as the seat was shown them."""

        def plan(now: int) -> Step:
            self._there(unit)
            return self.book.plan_assign(id, unit, by, eta, now, seen=seen)

        return await self._change(id, plan)

    async def unpin(self, id: TaskId, by: str, seen: str = "") -> Task:
        return await self._change(id, lambda now: self.book.plan_unpin(id, by, now, seen=seen))

    async def recall(self, id: TaskId, by: str, reason: str, seen: str = "") -> Task:
        return await self._change(id, lambda now: self.book.plan_recall(id, by, reason, now, seen=seen))

    async def return_(self, id: TaskId, by: str, reason: str, seen: str = "") -> Task:
        return await self._change(id, lambda now: self.book.plan_return(id, by, reason, now, seen=seen))

    async def adopt(self, id: TaskId, attempt: int, at: int, by: str, seen: str = "") -> Task:
        return await self._change(id, lambda now: self.book.plan_adopt(id, attempt, at, by, now, seen=seen))

    async def close(self, id: TaskId, by: str, seen: str = "") -> Task:
        return await self._change(id, lambda now: self.book.plan_close(id, by, now, seen=seen))

    async def suspend(self, id: TaskId, by: str, reason: str, seen: str = "") -> Task:
        return await self._change(id, lambda now: self.book.plan_suspend(id, by, reason, now, seen=seen))

    async def cancel(self, id: TaskId, by: str, reason: str, seen: str = "") -> Task:
        return await self._change(id, lambda now: self.book.plan_cancel(id, by, reason, now, seen=seen))

    async def resume(self, id: TaskId, by: str, seen: str = "") -> Task:
        def plan(now: int) -> Step:
            task = self.book.get(id)
            lights = None
            if task is not None and task.state is TaskState.SUSPENDED:
                try:
                    found = self.deadlines.resume(self._deadline(task), task.since, now)
                except NoWorkingTime as error:
                    raise Refusal("no_working_time", str(error), "十年内没有足够的工作时间") from None
                lights = found.warn, found.critical, found.due
            return self.book.plan_resume(id, by, now, lights=lights, seen=seen)

        return await self._change(id, plan)

    async def told_by_phone(
        self, id: TaskId, attempt: int, what: str, by: str, reason: str = "", seen: str = ""
    ) -> Task:
        """A seat notes what somebody has said on the telephone: accept or decline."""

        def plan(now: int) -> Step:
            task = self._of(id)
            if seen and seen != task.seen:
                raise Refusal("changed", "it has changed meanwhile: look again", "该任务已有变化，请刷新后再操作")
            holder = task.attempt
            if what not in ("accept", "decline") or holder is None or holder.number != attempt:
                raise Refusal("not_now", "nobody is being asked for it now", "该任务当前没有待答复的派发")
            # As a reason it shows in the time line who has noted it.
            step = self.book.plan_told(
                id, attempt, holder.unit, AttemptInput(what), now, reason=reason or f"phone:{by}"
            )
            if step.answer is not None and step.answer.code != "ok":
                raise Refusal("not_now", f"it is {holder.state}", "该任务当前状态不允许此操作")
            return step

        return await self._change(id, plan)

    async def _change(self, id: TaskId, plan: Callable[[int], Step]) -> Task:
        await self._steps.carry_out([id], plan)
        return self._of(id)

    def _of(self, id: TaskId) -> Task:
        task = self.book.get(id)
        if task is None:
            raise Refusal("no_task", f"there is no task {id!r}", f"没有编号为 {id} 的任务")
        return task

    # -- what devices say, and what is found out of them

    async def told(
        self, id: TaskId, attempt: int, unit: UnitId, what: AttemptInput, event: str = "", reason: str = ""
    ) -> Answer:
        """One of ``dispatch.book.TOLD``. Raises StoreFailed."""
        return await self._answered(
            id, lambda now: self.book.plan_told(id, attempt, unit, what, now, event=event, reason=reason)
        )

    async def reported(self, id: TaskId, event: str, make: Callable[[Task, int], Result]) -> Answer:
        """An answer; ``make`` judges it once it is its turn. Raises Refusal and StoreFailed."""

        def plan(now: int) -> Step:
            task = self.book.get(id)
            if task is None:
                return Step(answer=Answer("unknown", id))
            return self.book.plan_report(id, event, make(task, now), now)

        return await self._answered(id, plan)

    async def acknowledged(self, id: TaskId, attempt: int, unit: UnitId) -> Answer:
        """Its device knows that it has it no more, or that it is to answer again. Raises StoreFailed."""
        return await self._answered(id, lambda now: self.book.plan_acknowledged(id, attempt, unit, now))

    async def note_photo(self, id: TaskId, attempt: int, unit: UnitId, sha256: str) -> None:
        """A photo is on disk. Raises StoreFailed."""
        await self._answered(id, lambda now: self.book.plan_photo(id, attempt, unit, sha256, now))

    async def abandon(self, id: TaskId, attempt: int, reason: str) -> None:
        """Whoever has it cannot do it. Raises StoreFailed."""
        await self._steps.carry_out([id], lambda now: self.book.plan_abandon(id, attempt, reason, now))

    def proof(self, id: TaskId, attempt: int, unit: UnitId, marks: tuple[str, ...]) -> None:
        """What positions show of an answer."""
        self.attempt([id], lambda now: self.book.plan_proof(id, attempt, unit, marks, now))

    def heard(self, unit: UnitId) -> None:
        """Something has come from a unit."""
        if self.book.suspect(unit):
            # It may be about several tasks: it waits for all of them.
            keys = [task.id for task in self.book.unsettled(unit)]
            self.attempt(keys, lambda now: self.book.plan_heard(unit, now))

    async def _answered(self, id: TaskId, plan: Callable[[int], Step]) -> Answer:
        step = await self._steps.carry_out([id], plan)
        assert step.answer is not None
        return step.answer

    def attempt(self, keys: Iterable[str], plan: Callable[[int], Step]) -> None:
        """What comes again by itself if it cannot be now."""
        self._steps.carry_out(keys, plan).addErrback(_passed_over)

    # -- time

    def _wait(self) -> None:
        if self._stopped or self._firing:
            return
        due = self.book.get_timer()
        if self._timer is not None and self._timer.active():
            if due == self._timer_due:
                return
            self._timer.cancel()
        self._timer_due = due
        wait = LOOK_S if due is None else min(LOOK_S, max(TOGETHER_S, (due - self._intake.wall()) / 1000))
        self._timer = self._clock.callLater(wait, self._due)

    def _due(self) -> None:
        timers = self.book.due(self._intake.wall())
        if not timers:
            self._wait()
            return
        self._firing = True

        async def fire() -> None:
            jobs = [
                self._steps.carry_out([timer.task], lambda now, timer=timer: self.book.plan_timer(timer, now))  # type: ignore[misc]
                for timer in timers
            ]
            failed = False
            for job in jobs:
                try:
                    await job
                except (Refusal, StoreFailed) as error:
                    failed = True
                    self._log.error("a timer could not be carried out: {reason}", reason=str(error))
            if failed:
                await deferLater(self._clock, AGAIN_S)

        def fired(result: Any) -> None:
            self._firing = False
            self._wait()

        Deferred.fromCoroutine(fire()).addErrback(
            lambda failure: self._log.failure("timers of tasks", failure=failure)
        ).addBoth(fired)  # fmt: skip

    # -- when it is on disk

    def _taken(self, step: Step) -> None:
        touched = dict.fromkeys(TaskId(id) for kind, id, _ in step.events if kind == TASK_EVENT)
        version = self.version + 1
        for id in touched:
            self._show(id, version)
            self._index(id, step.events)
        now = self._intake.wall()
        for send in step.sends:
            if send.to == "unit":
                tell_all([self.to_unit], send)
            else:
                self.notes.append(
                    Note(version, now, send.to, send.what, send.task, send.attempt, send.unit, send.reason)
                )
        if touched:
            self.renew()
            self._wait()

    def _show(self, id: TaskId, version: int) -> None:
        self._versions[id] = version
        self._versions.move_to_end(id)
        if len(self._versions) > 2 * len(self.book) + 1000:
            for gone in [each for each in self._versions if self.book.get(each) is None]:
                del self._versions[gone]
                self._lights.pop(gone, None)
                self._duplicates.remove(gone)

    def _index(self, id: TaskId, events: Iterable[Change]) -> None:
        if any((fields or {}).get("what") in ("task", "amend") for _, each, fields in events if each == id):
            task = self.book.get(id)
            if task is not None:
                self._duplicates.add(id, task.klass, task.spot, task.created)


def _passed_over(failure: Failure) -> None:
    failure.trap(Refusal, StoreFailed)  # type: ignore[no-untyped-call]
