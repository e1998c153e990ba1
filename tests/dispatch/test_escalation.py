"""Levels: what raises them, when, and who hears of it."""

from __future__ import annotations

import pytest

from dispatch.escalation import HIGHEST, LEVELS
from dispatch.model import Times
from tests.dispatch.desk import MINUTE, NOON, A, B, C, Desk, S, T, task, told_to
from tracker.model import UnitId


@pytest.fixture
def desk() -> Desk:
    return Desk(task(warn=NOON + 60 * MINUTE, critical=NOON + 70 * MINUTE, due=NOON + 80 * MINUTE))


def none(desk: Desk) -> None:
    desk.do(desk.book.plan_no_candidate(T, desk.now))


def test_who_is_asked_at_each_level() -> None:
    assert [level.everybody for level in LEVELS] == [False, False, True, True, True]
    assert HIGHEST == 4


def test_levels_come_after_two_three_and_five_minutes(desk: Desk) -> None:
    desk.wait(10 * MINUTE)
    assert desk.task.level == 0
    none(desk)
    assert desk.task.level == 1
    none(desk)
    assert desk.task.level == 1
    heard = []
    for minutes in (2, 3, 5):
        assert told_to(*desk.wait(minutes * MINUTE - 1)) == []
        heard.append(told_to(*desk.wait(1)))
    assert heard == [[], [("seat", "ranked", ""), ("group", "call", "")], [("leader", "call", "")]]
    assert desk.task.level == 4
    assert told_to(*desk.wait(30 * MINUTE)) == []


def test_two_attempts_that_come_to_nothing_raise_it(desk: Desk) -> None:
    for n, unit in enumerate((A, B, C, UnitId("d"))):
        desk.offer(unit)
        desk.told("decline", unit=unit, attempt=n + 1)
        assert desk.task.level == (n + 1) // 2


def test_what_is_taken_back_is_no_failure(desk: Desk) -> None:
    for unit in (A, B, C):
        desk.offer(unit)
    desk.do(desk.book.plan_recall(T, "wang", "", desk.now))
    assert (desk.task.level, desk.task.failed) == (0, 0)


def test_critical_and_overdue_raise_what_nobody_has_accepted() -> None:
    desk = Desk(task())
    assert told_to(*desk.wait(24 * MINUTE)) == [("seat", "critical", "")]
    assert desk.task.level == 1
    desk = Desk(task(warn=NOON + MINUTE, critical=NOON + 60 * S, due=NOON + 90 * S))
    desk.wait(89 * S)
    assert desk.task.level == 1
    desk.wait(S)
    assert (desk.task.level, desk.task.overdue) == (2, True)


def test_time_does_not_raise_what_is_accepted(desk: Desk) -> None:
    none(desk)
    desk.offer()
    desk.told("accept", "arrive")
    desk.wait(15 * MINUTE)
    assert desk.task.level == 1
    desk.do(desk.book.plan_recall(T, "wang", "", desk.now))
    desk.wait(2 * MINUTE - 1)
    assert desk.task.level == 1
    desk.wait(1)
    assert desk.task.level == 2


def test_offers_do_not_stop_the_time(desk: Desk) -> None:
    none(desk)
    desk.wait(MINUTE)
    desk.offer()
    desk.wait(30 * S)
    desk.offer(B)
    desk.told("deliver", unit=B, attempt=2)
    desk.wait(30 * S)
    assert (desk.task.level, desk.states) == (2, ("assigned", "undelivered", "delivered"))


def test_a_city_has_its_own_times() -> None:
    desk = Desk(task(times=Times(levels=(1000, 2000, 3000), failed=1)))
    desk.offer()
    desk.told("decline")
    assert desk.task.level == 1
    desk.wait(3 * S)
    assert desk.task.level == 3
