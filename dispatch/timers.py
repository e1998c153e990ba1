"""What has to be looked at, and when: the timers of a task follow from what it is.

So none is ever forgotten or left over: after each change, and after a restart, they are what :func:`rows` says. A
timer that fires always leaves something in the journal (a step, or a mark that it has fired), which takes its row
away. Every open task has one.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from dispatch.escalation import next_rise
from dispatch.model import OPEN, Attempt, AttemptState, Task, TaskId, TaskState, Timer, Times

REVOKED = frozenset({
    AttemptState.UNDELIVERED, AttemptState.UNANSWERED, AttemptState.RECALLED, AttemptState.ABANDONED,
    AttemptState.SUPERSEDED,
})  # fmt: skip
"""Whoever held it has to be told that he does not any more."""
STOPPED = REVOKED - {AttemptState.UNDELIVERED, AttemptState.UNANSWERED}
"""Somebody may be at work for nothing: if his device does not acknowledge, he is called."""


def owes(attempt: Attempt) -> bool:
    """Whether its device has not acknowledged yet that the attempt is over."""
    return attempt.state in REVOKED and "revoked" not in attempt.marks


def rows(task: Task) -> list[Timer]:
    """The timers of a task, in the order in which they are due."""
    # Lights and levels hold for more than one state: for as long as there is no answer, until somebody has accepted.
    expects = str(task.state) if task.state in (TaskState.RESULTED, TaskState.SUSPENDED) else "open"
    found = [Timer(due, task.id, 0, expects, what) for due, what in _of_task(task)]
    for attempt in task.attempts:
        for due, what in _of_attempt(attempt, task.times):
            found.append(Timer(due, task.id, attempt.number, str(attempt.state), what))
    return sorted(found)


def _of_task(task: Task) -> Iterator[tuple[int, str]]:
    times, marks = task.times, task.marks
    if task.state is TaskState.SUSPENDED:
        yield max(task.since, marks.get("suspended", 0)) + times.suspended, "suspended"
    elif task.state is TaskState.RESULTED:
        yield max(task.since, marks.get("review", 0)) + times.review, "review"
        missing = 0 if task.result is None else task.result.missing
        if missing > 0 and "evidence" not in marks:
            yield max(task.since, marks.get("photo", 0)) + times.photo * missing, "evidence"
    elif task.state in OPEN:
        for due, what in ((task.warn, "warn"), (task.critical, "critical"), (task.due, "overdue")):
            if what not in marks:
                yield due, what
        rise = next_rise(task)
        if rise is not None:
            yield rise, "level"
        yield task.due + times.expire, "expire"


def _of_attempt(attempt: Attempt, times: Times) -> Iterator[tuple[int, str]]:
    marks, state = attempt.marks, attempt.state
    since = attempt.at[state]
    if state is AttemptState.OFFERED:
        yield since + times.deliver, "deliver"
    elif state is AttemptState.DELIVERED:
        if "remind" not in marks:
            yield since + times.answer // 2, "remind"
        yield since + times.answer, "answer"
    elif state is AttemptState.ACCEPTED:
        yield max(since, marks.get("depart", 0), marks.get("busy", 0)) + times.depart, "depart"
    elif state is AttemptState.EN_ROUTE:
        wait = attempt.eta * 10 * times.travel_percent + times.travel_more
        yield max(since, marks.get("travel", 0)) + wait, "travel"
    elif state is AttemptState.ON_SCENE:
        for wait, what in ((times.question, "question"), (times.alert, "alert")):
            if what not in marks:
                yield since + wait, what
    elif state in STOPPED and owes(attempt) and "call" not in marks:
        yield since + times.revoke, "call"


class Timers:
    """The timers of all tasks."""

    def __init__(self) -> None:
        self._rows: dict[TaskId, frozenset[Timer]] = {}
        self._heap: list[Timer] = []
        """Entries that no longer hold are passed over, and swept out when they are many."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def of(self, task: TaskId) -> frozenset[Timer]:
        return self._rows.get(task, frozenset())

    def put(self, task: TaskId, found: Sequence[Timer]) -> None:
        """These are the timers of a task from now on."""
        before, after = self.of(task), frozenset(found)
        for timer in after - before:
            heapq.heappush(self._heap, timer)
        if after:
            self._rows[task] = after
        else:
            self._rows.pop(task, None)
        self._count += len(after) - len(before)
        if len(self._heap) > 2 * self._count + 64:
            self._heap = [timer for timers in self._rows.values() for timer in timers]
            heapq.heapify(self._heap)

    def get_timer(self) -> int | None:
        """When the next one is due, ms."""
        self._clean()
        return self._heap[0].due if self._heap else None

    def due(self, now: int, limit: int) -> list[Timer]:
        """What is due, the first first, so many at the most. They stay until their task is another."""
        out: list[Timer] = []
        self._clean()
        while self._heap and self._heap[0].due <= now and len(out) < limit:
            timer = heapq.heappop(self._heap)
            if not out or out[-1] != timer:
                out.append(timer)
            self._clean()
        for timer in out:
            heapq.heappush(self._heap, timer)
        return out

    def _clean(self) -> None:
        while self._heap and self._heap[0] not in self.of(self._heap[0].task):
            heapq.heappop(self._heap)
