"""A desk for tests: a book with its journal, where every plan is on disk at once."""

from __future__ import annotations

from typing import Any

from dispatch.book import TaskBook
from dispatch.draft import Step
from dispatch.model import Attempt, AttemptInput, Result, Spot, Task, TaskId
from tracker.model import UnitId
from tracker.refusal import Change

S, MINUTE, HOUR = 1000, 60_000, 3_600_000
NOON = 1_700_000_000_000
T = TaskId("t1")
A, B, C = UnitId("a"), UnitId("b"), UnitId("c")


def task(id: str = "t1", **others: Any) -> Task:
    """One with 30 minutes from noon on."""
    fields = {
        "kind": "verify", "klass": "0101", "spot": Spot(311_000_000, 1_214_000_000), "address": "东街1号",
        "text": "井盖缺失", "source": "hotline", "created": NOON, "limit": 30 * MINUTE, "warn": NOON + 15 * MINUTE,
        "critical": NOON + 24 * MINUTE, "due": NOON + 30 * MINUTE, "grid": "g1", "street": "s1", **others,
    }  # fmt: skip
    return Task(id=TaskId(id), **fields)


class Desk:
    """``now`` moves only by :meth:`wait`."""

    def __init__(self, *tasks: Task, **limits: int) -> None:
        self.book, self.now = TaskBook(**limits), NOON
        self.journal: list[Change] = []
        for one in tasks:
            self.do(self.book.plan_create(one, self.now))

    def do(self, step: Step) -> Step:
        self.journal += step.events
        self.book.take(step.events)
        return step

    def wait(self, ms: int) -> list[Step]:
        """Time goes by, and every timer fires when it is due."""
        end, steps = self.now + ms, []
        while (due := self.book.get_timer()) is not None and due <= end:
            self.now = max(self.now, due)
            for timer in self.book.due(self.now):
                steps.append(self.do(self.book.plan_timer(timer, self.now)))
        self.now = end
        return steps

    @property
    def task(self) -> Task:
        found = self.book.get(T)
        assert found is not None
        return found

    @property
    def holder(self) -> Attempt | None:
        return self.task.attempt

    @property
    def states(self) -> tuple[str, ...]:
        """Of the task, then of its attempts."""
        return (str(self.task.state), *(str(one.state) for one in self.task.attempts))

    def offer(self, unit: UnitId = A, eta: int = 200) -> Step:
        return self.do(self.book.plan_offer(T, unit, eta, self.now))

    def told(self, *whats: str, unit: UnitId = A, attempt: int = 1, **others: Any) -> list[Step]:
        return [
            self.do(self.book.plan_told(T, attempt, unit, AttemptInput(what), self.now, **others)) for what in whats
        ]  # fmt: skip

    def report(self, unit: UnitId = A, attempt: int = 1, event: str = "e", word: str = "exist", **others: Any) -> Step:
        result = Result(word, unit, attempt, self.now, **others)
        return self.do(self.book.plan_report(T, event, result, self.now))


def rebuilt(events: list[Change]) -> TaskBook:
    book = TaskBook()
    for event in events:
        book.replay(event)
    return book


def told_to(*steps: Step) -> list[tuple[str, str, str]]:
    return [(send.to, send.what, send.unit) for step in steps for send in step.sends]


def same(one: TaskBook, other: TaskBook) -> bool:
    """Whether two books hold the same, with the same timers."""
    return picture(one) == picture(other)


def picture(book: TaskBook) -> tuple[Any, ...]:
    return book._tasks, list(book._ended), book._units, {id: book.timers.of(id) for id in book._tasks}, len(book.timers)
