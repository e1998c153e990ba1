"""All tasks, and the judge of what happens to them. A pure core; all times are ms of the server's clock.

A ``plan_*`` method judges an input and answers the :class:`~dispatch.draft.Step` to journal. Nothing has changed until
:meth:`TaskBook.take` is given the events that are on disk; so what was promised survives everything, and a step that
the disk did not take has never been. The steps of one task are planned one after the other; if one comes in between
all the same, what the tables do not allow any more is passed over, live and in a replay alike, and an answer is kept.

What is a person's at a desk is judged hard: a plan that cannot be raises Refusal, and so does one that was made up
before something else happened (``seen``). What is a device's is answered with where the task stands, whatever it sent:
old tokens, messages that come twice (``event``) and answers to what is over change nothing, but no result is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dispatch.deeds import ROUND, events_of, find_kept, result_fields
from dispatch.draft import Answer, Draft, Send, Step
from dispatch.firing import fire
from dispatch.model import (
    ATTEMPT,
    ATTEMPTS,
    NOBODY,
    OPEN,
    PHOTOS,
    RESULTS,
    Attempt,
    AttemptInput,
    AttemptState,
    Result,
    Task,
    TaskId,
    TaskState,
    Timer,
)
from dispatch.shelf import Shelf, is_suspect
from dispatch.timers import owes, rows
from tracker.model import UnitId
from tracker.refusal import Refusal

TOLD = frozenset(
    {AttemptInput.DELIVER, AttemptInput.ACCEPT, AttemptInput.DECLINE, AttemptInput.DEPART, AttemptInput.ARRIVE}
)  # fmt: skip
"""What a device says, or its positions."""
_BEGUN = frozenset({AttemptState.OFFERED, AttemptState.DELIVERED})
_WORKING = frozenset({AttemptState.EN_ROUTE, AttemptState.ON_SCENE})


class TaskBook(Shelf):
    """The tasks, and the judge of what happens to them."""

    # -- beginning

    def plan_create(self, task: Task, now: int) -> Step:
        """A new task in the queue, with its times. ``pinned`` and ``independent`` may be set. Raises Refusal."""
        if task.id in self._tasks:
            raise Refusal("known", f"there is a task {task.id!r} already", f"编号为 {task.id} 的任务已存在")
        if len(self._tasks) - len(self._ended) >= self._most:
            text = f"{self._most} tasks are open already; close or cancel some"
            raise Refusal("too_many", text, f"未完成的任务已有 {self._most} 个，请先结案或撤销一些")
        task.since = task.raised = now
        return Step(list(events_of(task)), [Send("seat", "new", task.id)], rows(task))

    # -- who is asked

    def plan_offer(self, id: TaskId, unit: UnitId, eta: int, now: int) -> Step:
        """A round has chosen a unit; ``eta`` in seconds. Until somebody has accepted it a round may take it back from
        whom a round has asked, but never undo what a dispatcher has set. Raises Refusal."""
        task = self._task(id)
        holder, no = task.attempt, task.declined.get(unit)
        reasons = {
            "pinned": task.pinned not in (NOBODY, unit),
            "independent": task.independent == unit,
            "suspect": self.suspect(unit),
            "declined": no is not None and now < no + task.times.cool_down,
            "held": holder is not None and (holder.unit == unit or holder.by != ROUND or holder.state not in _BEGUN),
            "too_many": len(task.attempts) >= ATTEMPTS,
        }
        for code, true in reasons.items():
            if true:
                raise Refusal(code, f"it cannot be offered to {unit}: {code}", f"不能派给 {unit}")
        draft = Draft(task, now)
        if holder is not None:
            self._do(draft, "recall", **_of(holder), by=ROUND, reason="better")
        self._do(draft, "offer", **_next(task, unit), by=ROUND, eta=eta)
        return draft.done()

    def plan_no_candidate(self, id: TaskId, now: int) -> Step:
        """A round has found nobody who may be asked. The first time that raises the level; later, time does."""
        task = self._task(id)
        draft = Draft(task, now)
        if task.state is TaskState.QUEUED and task.level == 0:
            draft.rise("no_candidate")
        return draft.done()

    def plan_assign(self, id: TaskId, unit: UnitId, by: str, eta: int, now: int, *, seen: str = "") -> Step:
        """A dispatcher chooses who does it: it is taken from whoever has it, and no round gives it to another. Raises
        Refusal."""
        task = self._task(id, seen)
        holder = task.attempt
        if task.independent == unit:
            text = "who reported it must not check it: choose somebody else"
            raise Refusal("independent", text, "上报人不得核查本人上报的案件，请另选人员")
        if len(task.attempts) >= ATTEMPTS:
            text = f"{ATTEMPTS} attempts have been made: telephone, or cancel it and make a new one"
            raise Refusal("too_many", text, f"该任务已派发 {ATTEMPTS} 次，请电话联系，或撤销后重新建立")
        if task.state is TaskState.RESULTED:
            raise Refusal("resulted", "it has an answer: return it or close it", "该任务已有反馈，请退回纠错或结案")
        draft = Draft(task, now)
        if holder is None or holder.unit != unit:
            if holder is not None:
                self._do(draft, "recall", **_of(holder), by=by, reason="reassigned", bar=True)
            self._do(draft, "offer", **_next(task, unit), by=by, eta=eta)
        if task.pinned != unit:
            self._do(draft, "pin", unit=unit, by=by)
        return draft.done()

    def plan_amend(self, id: TaskId, by: str, now: int, *, seen: str = "", **better: Any) -> Step:
        """The case system knows better: ``text``, ``address``, ``klass``, or ``spot`` with its ``grid`` and ``street``.
        Raises Refusal."""
        task = self._task(id, seen)
        if task.state not in OPEN:
            raise Refusal("not_now", f"it is {task.state}: make a new one", "该任务已结束，请另建任务")
        draft = Draft(task, now)
        self._do(draft, "amend", by=by, **better)
        return draft.done()

    def plan_proof(self, id: TaskId, attempt: int, unit: UnitId, marks: tuple[str, ...], now: int) -> Step:
        """Fixes that have come since show something else of where an answer was given. Nothing if they do not."""
        task = self._tasks.get(id)
        if task is None:
            return Step()
        given = [one for one in (task.result, *task.kept) if one and (one.unit, one.attempt) == (unit, attempt)]
        if not given or given[0].marks == marks:
            return Step()
        draft = Draft(task, now)
        draft.do("proof", attempt=attempt, unit=unit, marks=marks)
        return draft.done()

    def plan_unpin(self, id: TaskId, by: str, now: int, *, seen: str = "") -> Step:
        """Rounds may choose again. Raises Refusal."""
        draft = Draft(self._task(id, seen), now)
        if draft.task.pinned != NOBODY:
            self._do(draft, "pin", by=by)
        return draft.done()

    # -- time

    def plan_timer(self, timer: Timer, now: int) -> Step:
        """What comes of a timer; nothing if its task is not as it was expected to be any more."""
        task = self.get(timer.task)
        if task is None or timer.due > now or timer not in self.timers.of(timer.task):
            return Step()
        attempt, draft = task.find(timer.attempt), Draft(task, now)
        elsewhere = self.held(attempt.unit) if attempt is not None else ()
        fire(draft, timer, any(one.state in _WORKING for _, one in elsewhere))
        return draft.done()

    # -- what devices say

    def plan_told(
        self, id: TaskId, attempt: int, unit: UnitId, what: AttemptInput, now: int, *, event: str = "",
        reason: str = "", when: int = 0,
    ) -> Step:  # fmt: skip
        """One of ``TOLD``. Who sets out or arrives has accepted, even if nothing has come of that. ``when``: as the
        positions show it, if it was before."""
        assert what in TOLD

        def judge(draft: Draft, mine: Attempt) -> str:
            if what in (AttemptInput.DEPART, AttemptInput.ARRIVE) and mine.state in _BEGUN:
                draft.do("accept", **_of(mine))
            elif what not in ATTEMPT[mine.state]:
                return "stale"
            extra: dict[str, Any] = {name: text for name, text in (("event", event), ("reason", reason)) if text}
            extra |= {"when": when} if when else {}
            draft.do(str(what), **_of(mine), **extra)
            return "ok"

        return self._told(id, attempt, unit, event, now, judge)

    def plan_report(self, id: TaskId, event: str, result: Result, now: int) -> Step:
        """An answer of ``result.unit`` to ``result.attempt``. It is the task's, or kept beside it for a dispatcher."""

        def judge(draft: Draft, mine: Attempt) -> str:
            if mine.state in _BEGUN:
                draft.do("accept", **_of(mine))
            kept = sum(one.attempt == mine.number for one in draft.task.kept)
            if AttemptInput.REPORT not in ATTEMPT[mine.state] and kept >= RESULTS:
                return "stale"  # it would be kept: more than a person has to say, and each pushes out another's
            before = draft.task.result
            draft.do("report", event=event, **result_fields(replace(result, photos=result.photos[:PHOTOS])))
            if draft.task.result is before:
                return "kept"
            self._close_if_whole(draft)
            return "ok"

        return self._told(id, result.attempt, result.unit, event, now, judge)

    def plan_photo(self, id: TaskId, attempt: int, unit: UnitId, hash: str, now: int) -> Step:
        """A photo of this unit is on disk. It belongs to every answer of it that names it; to that of this attempt if
        that lacks one."""

        def judge(draft: Draft, mine: Attempt) -> str:
            try:
                draft.do("photo", **_of(mine), hash=hash)
            except LookupError:
                return "stale"
            self._close_if_whole(draft)
            return "ok"

        return self._told(id, attempt, unit, "", now, judge)

    def plan_acknowledged(self, id: TaskId, attempt: int, unit: UnitId, now: int) -> Step:
        """Its device knows that the attempt is over, or that its answer was returned."""

        def judge(draft: Draft, mine: Attempt) -> str:
            mark = "revoked" if owes(mine) else "informed" if "returned" in mine.marks else ""
            if not mark or mark in mine.marks:
                return "stale"
            draft.do("mark", attempt=attempt, mark=mark)
            return "ok"

        return self._told(id, attempt, unit, "", now, judge)

    def plan_heard(self, unit: UnitId, now: int) -> Step:
        """Something has come from a unit, whatever it is: it is suspect no more. Costs nothing if it was not."""
        step = Step()
        for task in self._of(unit) if self.suspect(unit) else ():
            draft = Draft(task, now)
            for one in task.attempts:
                if one.unit == unit and is_suspect(one):
                    draft.do("mark", attempt=one.number, mark="heard")
            step.events += draft.done().events
        return step

    def _told(
        self, id: TaskId, attempt: int, unit: UnitId, event: str, now: int, judge: Callable[[Draft, Attempt], str]
    ) -> Step:
        task = self._tasks.get(id)
        if task is None:
            return Step(answer=Answer("unknown", id))
        mine = task.find(attempt)
        if mine is None or mine.unit != unit:
            return Step(answer=_standing("stale", task, unit))
        if event and event in mine.seen:
            return Step(answer=_standing("again", task, unit))
        draft = Draft(task, now)
        code = judge(draft, mine)
        return draft.done(_standing(code, draft.task, unit))

    def _close_if_whole(self, draft: Draft) -> None:
        result, holder = draft.task.result, draft.task.attempt
        if result is None or holder is None or holder.state is not AttemptState.REPORTED:
            return
        if result.closes and result.missing <= 0:
            draft.do("finish", **_of(holder))
            draft.do("close", attempt=holder.number, by="rule")

    # -- what dispatchers and the case system decide

    def plan_recall(self, id: TaskId, by: str, reason: str, now: int, *, seen: str = "") -> Step:
        """Take it from whoever has it, who is not asked again for a while. Raises Refusal."""
        task = self._task(id, seen)
        holder = self._holder(task)
        draft = Draft(task, now)
        self._do(draft, "recall", **_of(holder), by=by, reason=reason, bar=True)
        if task.pinned == holder.unit:
            self._do(draft, "pin", by=by)
        return draft.done()

    def plan_abandon(self, id: TaskId, attempt: int, reason: str, now: int) -> Step:
        """Its holder cannot do it: end of shift, SOS, silence. Who has answered already has done it."""
        task = self._task(id)
        holder, draft = task.attempt, Draft(task, now)
        if holder is not None and holder.number == attempt and holder.state is not AttemptState.REPORTED:
            what = "recall" if holder.state in _BEGUN else "abandon"
            self._do(draft, what, **_of(holder), reason=reason)
        return draft.done()

    def plan_return(self, id: TaskId, by: str, reason: str, now: int, *, seen: str = "") -> Step:
        """纠错: the same person is to answer again; what he answered is kept. Raises Refusal."""
        task = self._task(id, seen)
        draft = Draft(task, now)
        self._do(draft, "return", **_of(self._holder(task)), by=by, reason=reason)
        return draft.done()

    def plan_adopt(self, id: TaskId, attempt: int, at: int, by: str, now: int, *, seen: str = "") -> Step:
        """Take a kept answer, named by its attempt and when it came, for the task's. Raises Refusal."""
        task = self._task(id, seen)
        result = find_kept(task, attempt, at)
        if result is None:
            raise Refusal("no_result", "there is no such answer any more", "该反馈已不存在")
        draft = Draft(task, now)
        if task.attempt is not None:
            self._do(draft, "supersede", **_of(task.attempt), by=by)
        self._do(draft, "adopt", **_next(task, result.unit), by=by, of=attempt, given=at)
        return draft.done()

    def plan_close(self, id: TaskId, by: str, now: int, *, seen: str = "") -> Step:
        """Its answer is good, with all of its photos or without. Raises Refusal."""
        task = self._task(id, seen)
        if task.state is not TaskState.RESULTED:
            raise Refusal("no_result", "it has no answer yet: cancel it instead", "该任务尚无反馈，如不再需要请撤销")
        draft = Draft(task, now)
        if task.attempt is not None:
            self._do(draft, "finish", **_of(task.attempt))
        self._do(draft, "close", attempt=task.attempts[-1].number, by=by)
        return draft.done()

    def plan_suspend(self, id: TaskId, by: str, reason: str, now: int, *, seen: str = "") -> Step:
        """挂账: put it aside; its clock stands. Raises Refusal."""
        return self._end(self._task(id, seen), "suspend", by, reason, now)

    def plan_cancel(self, id: TaskId, by: str, reason: str, now: int, *, seen: str = "") -> Step:
        """Nobody wants it any more. Raises Refusal."""
        return self._end(self._task(id, seen), "cancel", by, reason, now)

    def plan_resume(
        self, id: TaskId, by: str, now: int, *, lights: tuple[int, int, int] | None = None, seen: str = ""
    ) -> Step:
        """Into the queue again. ``lights``: when it warns, gets critical and is due, if its time is not round the
        clock; else all of them are as much later as it was put aside. Raises Refusal."""
        task = self._task(id, seen)
        draft, later = Draft(task, now), now - task.since
        warn, critical, due = lights or (task.warn + later, task.critical + later, task.due + later)
        self._do(draft, "resume", by=by, warn=warn, critical=critical, due=due)
        return draft.done()

    def _end(self, task: Task, what: str, by: str, reason: str, now: int) -> Step:
        draft = Draft(task, now)
        if task.attempt is not None:
            self._do(draft, "recall", **_of(task.attempt), by=by, reason=what)
        self._do(draft, what, by=by, reason=reason)
        return draft.done()

    def _task(self, id: TaskId, seen: str = "") -> Task:
        task = self._tasks.get(id)
        if task is None:
            raise Refusal("no_task", f"there is no task {id!r}", f"没有编号为 {id} 的任务")
        if seen and seen != task.seen:
            raise Refusal("changed", "it has changed meanwhile: look again", "该任务已有变化，请刷新后再操作")
        return task

    def _holder(self, task: Task) -> Attempt:
        if task.attempt is None:
            raise Refusal("nobody", "nobody holds it", "该任务当前无人承办")
        return task.attempt

    def _do(self, draft: Draft, what: str, **fields: object) -> None:
        try:
            draft.do(what, **fields)
        except LookupError:
            text, zh = f"it is {draft.task.state}: {what} is not possible now", "该任务当前状态不允许此操作"
            raise Refusal("not_now", text, zh) from None


def _of(attempt: Attempt) -> dict[str, object]:
    return {"attempt": attempt.number, "unit": attempt.unit}


def _next(task: Task, unit: UnitId) -> dict[str, object]:
    return {"attempt": task.attempts[-1].number + 1 if task.attempts else 1, "unit": unit}


def _standing(code: str, task: Task, unit: UnitId) -> Answer:
    mine = next((one for one in reversed(task.attempts) if one.unit == unit), None)
    return Answer(code, task.id) if mine is None else Answer(code, task.id, mine.number, str(mine.state))
