"""Timers as rows: they are what the task says, fire in order, and are there again after a restart."""

from __future__ import annotations

import pytest

from dispatch.deeds import begin, events_of
from dispatch.model import OPEN, AttemptState, TaskId, TaskState, Timer
from dispatch.timers import Timers, rows
from tests.dispatch.desk import HOUR, MINUTE, NOON, A, Desk, S, T, rebuilt, task


def whats(desk: Desk, attempt: int) -> dict[str, int]:
    return {row.what: row.due - desk.now for row in rows(desk.task) if row.attempt == attempt}


def test_each_state_has_its_timers() -> None:
    desk = Desk(task())
    assert whats(desk, 0) == {
        "warn": 15 * MINUTE, "critical": 24 * MINUTE, "overdue": 30 * MINUTE, "expire": 24 * HOUR + 30 * MINUTE,
    }  # fmt: skip
    desk.offer(eta=200)
    assert whats(desk, 1) == {"deliver": 30 * S}
    desk.told("deliver")
    assert whats(desk, 1) == {"remind": 30 * S, "answer": 60 * S}
    desk.told("accept")
    assert whats(desk, 1) == {"depart": 180 * S}
    desk.told("depart")
    assert whats(desk, 1) == {"travel": 420 * S}
    desk.told("arrive")
    assert whats(desk, 1) == {"question": 20 * MINUTE, "alert": 30 * MINUTE}
    desk.report(photos=("h1", "h2"), required=3)
    assert (whats(desk, 0), whats(desk, 1)) == ({"evidence": 30 * MINUTE, "review": HOUR}, {})
    desk.do(desk.book.plan_suspend(T, "case", "", desk.now))
    assert (whats(desk, 0), whats(desk, 1)) == ({"suspended": 24 * HOUR}, {"call": 30 * S})


@pytest.mark.parametrize("state", list(TaskState))
def test_every_open_task_has_one(state: TaskState) -> None:
    found = task()
    found.state = state
    found.marks = dict.fromkeys(("warn", "critical", "overdue"), NOON)
    assert bool(rows(found)) == (state in OPEN)


def test_a_timer_whose_task_has_gone_on_does_nothing() -> None:
    desk = Desk(task())
    desk.offer()
    (timer,) = [row for row in rows(desk.task) if row.what == "deliver"]
    assert timer == Timer(NOON + 30 * S, T, 1, str(AttemptState.OFFERED), "deliver")
    assert desk.book.plan_timer(timer, NOON + 30 * S - 1).events == []
    desk.told("deliver")
    assert desk.book.plan_timer(timer, NOON + 30 * S).events == []
    assert desk.book.plan_timer(timer._replace(task=TaskId("none")), NOON + HOUR).events == []


def test_timers_survive_a_restart_and_fire_late() -> None:
    desk = Desk(task())
    desk.offer()
    book = rebuilt(desk.journal)
    assert book.timers.of(T) == desk.book.timers.of(T)
    desk.book, desk.now = book, NOON + HOUR
    desk.wait(0)
    assert desk.states == ("queued", "undelivered")
    assert desk.task.overdue


def test_a_timer_stays_until_its_step_is_on_disk() -> None:
    desk = Desk(task())
    desk.offer()
    desk.now += 30 * S
    (timer,) = desk.book.due(desk.now)
    step = desk.book.plan_timer(timer, desk.now)
    assert desk.book.due(desk.now) == [timer]
    desk.do(step)
    assert desk.book.due(desk.now) == []


def timer(due: int, id: str, what: str = "x") -> Timer:
    return Timer(due, TaskId(id), 0, "queued", what)


def test_the_first_is_first_and_no_more_than_asked_for() -> None:
    timers = Timers()
    for id, due in (("c", 5), ("a", 5), ("b", 3), ("d", 9)):
        timers.put(TaskId(id), [timer(due, id)])
    assert (timers.get_timer(), len(timers)) == (3, 4)
    assert [found.task for found in timers.due(5, 10)] == ["b", "a", "c"]
    assert [found.task for found in timers.due(5, 2)] == ["b", "a"]
    timers.put(TaskId("b"), [])
    assert timers.get_timer() == 5
    assert timers.due(4, 10) == []


def test_rows_that_come_and_go_fill_no_memory() -> None:
    timers = Timers()
    for n in range(10_000):
        timers.put(TaskId("a"), [timer(n % 3, "a", "x"), timer(7, "a", "y")])
    assert len(timers) == 2
    assert len(timers._heap) < 100
    assert timers.due(10, 10) == [timer(0, "a", "x"), timer(7, "a", "y")]


def test_one_that_comes_back_fires_once() -> None:
    timers = Timers()
    for found in ([timer(1, "a")], [], [timer(1, "a")]):
        timers.put(TaskId("a"), found)
    assert timers.due(1, 10) == [timer(1, "a")]
    assert timers.due(1, 10) == [timer(1, "a")]


def test_a_task_of_its_events_has_the_same_rows() -> None:
    found = task(pinned=A)
    (_, id, fields), *_ = events_of(found)
    assert fields is not None
    assert rows(begin(TaskId(id), fields)) == rows(found)
