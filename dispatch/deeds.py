"""What happens to a task, one deed after another: how each of them changes it.

A deed is a plain event ``("task", id, fields)``: ``fields["what"]`` names it, ``fields["at"]`` has when. What is
planned is tried on a copy by the very functions that take in what the journal holds, so that a replay makes the same
of it. A deed names one unit at the most, so that the data of one person can be taken out of the journal; what is left
without him still makes a task. A deed that the tables do not allow raises LookupError and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from dispatch.model import (
    ATTEMPT,
    NOBODY,
    RESULTS,
    SEEN,
    TASK,
    Attempt,
    AttemptInput,
    AttemptState,
    Result,
    Spot,
    Task,
    TaskId,
    TaskInput,
    TaskState,
    Times,
)
from tracker.model import UnitId
from tracker.refusal import Change

TASK_EVENT = "task"
"""The type of the events."""
ROUND = "round"
"""Who chose, where it was no person."""
Fields = Mapping[str, Any]

FOLLOWS: dict[AttemptInput, TaskInput] = {
    AttemptInput.ACCEPT: TaskInput.ACCEPT,
    AttemptInput.DECLINE: TaskInput.REQUEUE,
    AttemptInput.UNDELIVERED: TaskInput.REQUEUE,
    AttemptInput.UNANSWERED: TaskInput.REQUEUE,
    AttemptInput.REPORT: TaskInput.REPORT,
    AttemptInput.RETURN: TaskInput.RETURN,
    AttemptInput.RECALL: TaskInput.REQUEUE,
    AttemptInput.ABANDON: TaskInput.REQUEUE,
    AttemptInput.SUPERSEDE: TaskInput.REQUEUE,
}
"""What happens to a task when this happens to the attempt that holds it."""

FAILURES = frozenset(
    {AttemptInput.DECLINE, AttemptInput.UNDELIVERED, AttemptInput.UNANSWERED, AttemptInput.ABANDON}
)  # fmt: skip
BARS = FAILURES - {AttemptInput.UNDELIVERED}
"""After these the next round asks somebody else. Who could not be reached is suspect until he can be."""

_HEAD = (
    "kind", "klass", "address", "text", "source", "created", "limit", "warn", "critical", "due", "time", "grid",
    "street", "level", "overdue", "since", "raised", "failed",
)  # fmt: skip


def apply(task: Task, fields: Fields) -> None:
    """A deed has been done. Raises LookupError if it cannot be."""
    _DEEDS[fields["what"]](task, fields)


def begin(id: TaskId, fields: Fields) -> Task:
    """The task of its head; who is named with it comes in deeds of his own."""
    plain = {name: fields[name] for name in _HEAD}
    times = Times(**{**fields["times"], "levels": tuple(fields["times"]["levels"])})
    return Task(id=id, spot=Spot(*fields["spot"]), state=TaskState(fields["state"]), marks=dict(fields["marks"]),
                times=times, **plain)  # fmt: skip


def events_of(task: Task) -> Iterator[Change]:
    """What comes to the same task: of a new one what is journalled first, of any other what a snapshot holds."""
    head = {name: getattr(task, name) for name in _HEAD}
    spot = (task.spot.latitude, task.spot.longitude)
    yield _event(
        task, "task", **head, state=str(task.state), spot=spot, marks=dict(task.marks), times=asdict(task.times)
    )
    for name, unit in (("independent", task.independent), ("pin", task.pinned)):
        if unit != NOBODY:
            yield _event(task, name, unit=unit)
    for attempt in task.attempts:
        fields = {name: getattr(attempt, name) for name in ("unit", "number", "by", "eta", "reason", "seen")}
        at = {str(state): at for state, at in attempt.at.items()}
        yield _event(task, "attempt", **fields, state=str(attempt.state), came=at, marks=dict(attempt.marks))
    for unit, when in task.declined.items():
        yield _event(task, "declined", unit=unit, when=when)
    for result in task.kept:
        yield _event(task, "result", kept=True, **result_fields(result), given=result.at)
    if task.result is not None:
        yield _event(task, "result", kept=False, **result_fields(task.result), given=task.result.at)


def _event(task: Task, what: str, **fields: Any) -> Change:
    return TASK_EVENT, task.id, {"what": what, "at": task.since, **fields}


def result_fields(result: Result) -> dict[str, Any]:
    """As the journal holds it, without when."""
    fields = asdict(result)
    del fields["at"]
    return fields


def clone(task: Task) -> Task:
    """One that can be changed without the other."""
    attempts = [replace(one, at=dict(one.at), marks=dict(one.marks)) for one in task.attempts]
    return replace(task, attempts=attempts, declined=dict(task.declined), kept=list(task.kept), marks=dict(task.marks))


def find_kept(task: Task, attempt: int, at: int) -> Result | None:
    """A kept answer by the attempt that gave it and when."""
    return next((one for one in task.kept if (one.attempt, one.at) == (attempt, at)), None)


def forget(task: Task, unit: UnitId) -> None:
    """Know nothing of a unit any more. What it held is open again; what it did is not there."""
    holder = task.attempt
    if holder is not None and holder.unit == unit:
        task.state = TaskState.QUEUED
    task.attempts = [one for one in task.attempts if one.unit != unit]
    task.declined.pop(unit, None)
    task.kept = [result for result in task.kept if result.unit != unit]
    if task.result is not None and task.result.unit == unit:
        task.result = None
    if task.pinned == unit:
        task.pinned = NOBODY
    if task.independent == unit:
        task.independent = NOBODY


# -- deeds


def _step(task: Task, fields: Fields) -> None:
    """What the table of attempts says, and the table of tasks after it."""
    what, at = AttemptInput(fields["what"]), fields["at"]
    attempt = _attempt(task, fields)
    _check_new(attempt, fields)
    after = ATTEMPT[attempt.state][what]
    if what in FOLLOWS:
        _move(task, FOLLOWS[what], at)
    if attempt.state is AttemptState.REPORTED and what is not AttemptInput.FINISH:
        _set_aside(task)
    attempt.state = after
    attempt.at[after] = at
    attempt.reason = fields.get("reason", attempt.reason)
    _remember(attempt, fields)
    task.failed += what in FAILURES
    if what in BARS or fields.get("bar"):
        task.declined[attempt.unit] = at
    if what is AttemptInput.RETURN:
        attempt.marks = {"returned": at}


def _offer(task: Task, fields: Fields) -> None:
    _check_number(task, fields["attempt"])
    _move(task, TaskInput.OFFER, fields["at"])
    unit, at = UnitId(fields["unit"]), {AttemptState.OFFERED: fields["at"]}
    task.attempts.append(
        Attempt(fields["attempt"], unit, fields["by"], AttemptState.OFFERED, at, fields["eta"])
    )  # fmt: skip


def _report(task: Task, fields: Fields) -> None:
    """An answer, which is never refused: it is kept if it is not, or not any more, the one."""
    attempt = _attempt(task, fields)
    _check_new(attempt, fields)
    result = _result(fields, fields["at"])
    if AttemptInput.REPORT in ATTEMPT[attempt.state]:
        _step(task, fields)
        task.result = result
    else:
        _keep(task, result)
        _remember(attempt, fields)


def _photo(task: Task, fields: Fields) -> None:
    """A photo is on disk, which the answers of this unit name, or lack."""

    def with_it(result: Result) -> Result:
        named = fields["hash"] in result.photos
        room = len(result.photos) < result.required and result.attempt == fields["attempt"]
        if result.unit != fields["unit"] or fields["hash"] in result.arrived or not (named or room):
            return result
        photos = result.photos if named else (*result.photos, fields["hash"])
        return replace(result, photos=photos, arrived=(*result.arrived, fields["hash"]))

    before = [task.result, *task.kept]
    task.kept = [with_it(result) for result in task.kept]
    if task.result is not None:
        task.result = with_it(task.result)
        if before[0] != task.result:
            task.marks["photo"] = fields["at"]
    if before == [task.result, *task.kept]:
        raise LookupError("no answer lacks this photo")


def _adopt(task: Task, fields: Fields) -> None:
    """Who held it before holds it again, as somebody who has answered."""
    result = find_kept(task, fields["of"], fields["given"])
    if result is None:
        raise LookupError("there is no such answer")
    _check_number(task, fields["attempt"])
    _move(task, TaskInput.ADOPT, fields["at"])
    task.kept.remove(result)
    number, at = fields["attempt"], {AttemptState.REPORTED: fields["at"]}
    task.attempts.append(Attempt(number, result.unit, fields["by"], AttemptState.REPORTED, at, 0))
    task.result = replace(result, attempt=number)


def _mark(task: Task, fields: Fields) -> None:
    """A timer has fired, or a device has acknowledged something."""
    marks = _attempt(task, fields).marks if fields["attempt"] else task.marks
    marks[fields["mark"]] = fields["at"]
    task.overdue |= fields["mark"] == "overdue" and not fields["attempt"]


def _raise(task: Task, fields: Fields) -> None:
    task.level, task.raised, task.failed = fields["level"], fields["at"], 0


def _pin(task: Task, fields: Fields) -> None:
    task.pinned = UnitId(fields.get("unit", NOBODY))


def _independent(task: Task, fields: Fields) -> None:
    task.independent = UnitId(fields["unit"])


def _amend(task: Task, fields: Fields) -> None:
    """The case system knows better. What is not named stays."""
    task.text, task.address = fields.get("text", task.text), fields.get("address", task.address)
    task.klass = fields.get("klass", task.klass)
    if "spot" in fields:
        task.spot = Spot(*fields["spot"])
        task.grid, task.street = fields["grid"], fields["street"]


def _proof(task: Task, fields: Fields) -> None:
    """What the positions around an answer show of where it was given."""

    def with_it(result: Result) -> Result:
        mine = (result.unit, result.attempt) == (fields["unit"], fields["attempt"])
        return replace(result, marks=tuple(fields["marks"])) if mine else result

    task.kept = [with_it(result) for result in task.kept]
    if task.result is not None:
        task.result = with_it(task.result)


def _end(task: Task, fields: Fields) -> None:
    """Whoever holds it has been recalled before."""
    if task.attempt is not None:
        raise LookupError("somebody holds it")
    _move(task, TaskInput(fields["what"]), fields["at"])


def _close(task: Task, fields: Fields) -> None:
    """The attempt that it names is done. If the journal has nothing of that any more, since it was somebody's, the task
    is closed from wherever it is."""
    done = task.find(fields["attempt"])
    if task.attempt is not None or not TASK[task.state] or (done and done.state is not AttemptState.DONE):
        raise LookupError("somebody holds it, or it has ended")
    task.state, task.since = TaskState.CLOSED, fields["at"]


def _resume(task: Task, fields: Fields) -> None:
    _move(task, TaskInput.RESUME, fields["at"])
    task.warn, task.critical, task.due = fields["warn"], fields["critical"], fields["due"]


def _attempt_row(task: Task, fields: Fields) -> None:
    at = {AttemptState(state): at for state, at in fields["came"].items()}
    task.attempts.append(
        Attempt(fields["number"], UnitId(fields["unit"]), fields["by"], AttemptState(fields["state"]), at,
                fields["eta"], fields["reason"], dict(fields["marks"]), tuple(fields["seen"]))
    )  # fmt: skip


def _declined_row(task: Task, fields: Fields) -> None:
    task.declined[UnitId(fields["unit"])] = fields["when"]


def _result_row(task: Task, fields: Fields) -> None:
    result = _result(fields, fields["given"])
    if fields["kept"]:
        task.kept.append(result)
    else:
        task.result = result


_DEEDS: dict[str, Callable[[Task, Fields], None]] = {
    **{str(what): _step for what in AttemptInput},
    "offer": _offer,
    "report": _report,
    "photo": _photo,
    "adopt": _adopt,
    "mark": _mark,
    "raise": _raise,
    "pin": _pin,
    "amend": _amend,
    "proof": _proof,
    "independent": _independent,
    "close": _close,
    "suspend": _end,
    "cancel": _end,
    "expire": _end,
    "resume": _resume,
    "attempt": _attempt_row,
    "declined": _declined_row,
    "result": _result_row,
}


def _move(task: Task, what: TaskInput, at: int) -> None:
    after = TASK[task.state][what]
    if after is TaskState.QUEUED and task.state is not TaskState.ASSIGNED:
        task.raised = at
    task.state, task.since = after, at


def _attempt(task: Task, fields: Fields) -> Attempt:
    attempt = task.find(fields["attempt"])
    if attempt is None:
        raise LookupError("there is no such attempt")
    return attempt


def _check_new(attempt: Attempt, fields: Fields) -> None:
    if fields.get("event") and fields["event"] in attempt.seen:
        raise LookupError("it is known already")


def _check_number(task: Task, number: int) -> None:
    if task.attempts and number <= task.attempts[-1].number:
        raise LookupError("there is such an attempt already")


def _remember(attempt: Attempt, fields: Fields) -> None:
    if fields.get("event"):
        attempt.seen = (*attempt.seen, fields["event"])[-SEEN:]


def _set_aside(task: Task) -> None:
    if task.result is not None:
        _keep(task, task.result)
        task.result = None
    task.marks.pop("photo", None)
    task.marks.pop("evidence", None)
    task.marks.pop("review", None)


def _keep(task: Task, result: Result) -> None:
    task.kept = [*task.kept, result][-RESULTS:]


def _result(fields: Fields, at: int) -> Result:
    plain: dict[str, Any] = {name: fields[name] for name in ("word", "attempt", "text", "said", "required", "closes")}
    plain |= {name: tuple(fields[name]) for name in ("photos", "arrived", "marks")}
    return Result(unit=UnitId(fields["unit"]), at=at, **plain)
