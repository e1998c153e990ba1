"""Indicators: the published figures come out, each task counts once, and nothing is counted twice by a restart."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from dispatch.book import TaskBook
from dispatch.draft import Step
from dispatch.indicators import CITY_DAYS, TALLY, UNIT_DAYS, Sums, Tally, percent
from tests.dispatch.desk import HOUR, MINUTE, NOON, A, B, Desk, T, task
from tests.dispatch.test_interleavings import STEPS, Life, Message
from tracker.refusal import Change, Refusal

DAY = 24 * HOUR


def day_of(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()


TODAY = day_of(NOON)


class Counted(Desk):
    def __init__(self, *tasks: Any) -> None:
        self.tally = Tally(day_of)
        super().__init__(*tasks)

    def do(self, step: Step) -> Step:
        super().do(step)
        self.tally.take(step.events)
        return step

    def total(self, kind: str = "verify", first: str = "", last: str = "9") -> Sums:
        found = Sums()
        for _, one, _, sums in self.tally.city(first, last):
            if one == kind:
                found.merge(sums)
        return found


def sums_of(tally: Tally) -> tuple[Any, ...]:
    empty = Sums()
    return (
        {key: sums for key, sums in tally._city.items() if sums != empty},
        {key: sums for key, sums in tally._units.items() if sums != empty},
    )


def again(events: list[Change]) -> Tally:
    tally = Tally(day_of)
    tally.take(event for event in events if event[0] in ("task", TALLY))
    return tally


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [
        (911, 972, 93.72), (737, 972, 75.82), (902, 956, 94.35), (9, 16, 56.25), (953, 996, 95.68),
        (25234, 28168, 89.58), (19901, 25234, 78.87), (0, 7, 0.0), (7, 7, 100.0), (1, 8, 12.5), (1, 800, 0.13),
        (0, 0, None),
    ],
)  # fmt: skip
def test_published_figures(part: int, whole: int, told: float | None) -> None:
    assert percent(part, whole) == told


def test_a_published_month_out_of_what_happened() -> None:
    """972 due of which 737 in time, and 16 of the other kind of which 9."""
    tally = Tally(day_of)
    for kind, due, on_time in (("verify", 972, 737), ("check", 16, 9)):
        for n in range(due):
            id, at = f"{kind}{n}", NOON + n * 40 * MINUTE
            head = {"what": "task", "at": at, "kind": kind, "street": "s", "created": at, "due": at + HOUR,
                    "state": "queued", "overdue": False}  # fmt: skip
            deeds = [head, {"what": "offer", "at": at, "attempt": 1, "unit": A}]
            deeds += [{"what": "mark", "mark": "overdue", "attempt": 0, "at": at + HOUR}] if n >= on_time else []
            deeds += [{"what": "report", "at": at + (50 if n < on_time else 70) * MINUTE, "attempt": 1, "unit": A}]
            tally.take(("task", id, fields) for fields in deeds)
    found = {"verify": Sums(), "check": Sums()}
    for _, kind, _, sums in tally.city("", "9"):
        found[kind].merge(sums)
    assert [(s.on_time, s.due, percent(s.on_time, s.due)) for s in found.values()] == [
        (737, 972, 75.82),
        (9, 16, 56.25),
    ]
    assert found["verify"].late == 972 - 737
    assert found["verify"].answered == 972


def test_how_soon() -> None:
    desk = Counted(task())
    desk.offer()
    desk.now += MINUTE
    desk.told("deliver", "accept", "depart")
    desk.now += 3 * MINUTE
    desk.told("arrive")
    desk.now += 2 * MINUTE
    desk.report()
    measured = {
        "due": 1, "on_time": 1, "accepted": 1, "accept_ms": MINUTE, "travelled": 1, "travel_ms": 3 * MINUTE,
        "reached": 1, "reach_ms": 4 * MINUTE, "answered": 1, "answer_ms": 6 * MINUTE,
    }  # fmt: skip
    expected = Sums()
    expected.add(measured)
    assert list(desk.tally.city(TODAY, TODAY)) == [(TODAY, "verify", "s1", expected)]
    assert list(desk.tally.units(TODAY, TODAY)) == [(TODAY, "verify", A, expected)]
    assert list(desk.tally.city("2000-01-01", "2000-12-31")) == []


def test_what_is_late_is_due_once_and_stays_late() -> None:
    desk = Counted(task())
    desk.offer()
    desk.told("accept", "arrive")
    desk.wait(30 * MINUTE)
    assert (desk.total().due, desk.total().late, desk.total().on_time) == (1, 1, 0)
    desk.report()
    assert (desk.total().due, desk.total().late, desk.total().answered) == (1, 1, 1)


def test_an_answer_after_its_time_is_late_without_a_timer() -> None:
    desk = Counted(task())
    desk.offer()
    desk.told("accept")
    desk.now += 31 * MINUTE
    desk.report()
    assert (desk.total().due, desk.total().late, desk.total().on_time) == (1, 1, 0)


def test_an_answer_that_is_sent_back_counts_no_more() -> None:
    desk = Counted(task())
    desk.offer()
    desk.told("accept")
    desk.report()
    desk.do(desk.book.plan_return(T, "zhou", "dark", desk.now))
    assert (desk.total().due, desk.total().on_time, desk.total().answered) == (0, 0, 0)
    desk.now += 29 * MINUTE
    desk.report(event="e2")
    assert (desk.total().due, desk.total().on_time, desk.total().answered) == (1, 1, 1)


def test_an_answer_that_is_adopted_counts_from_when_it_was_given() -> None:
    desk = Counted(task())
    desk.offer()
    desk.told("accept")
    desk.do(desk.book.plan_assign(T, B, "zhou", 10, desk.now))
    given = desk.now
    desk.report()
    assert desk.total().answered == 0
    desk.now += 5 * MINUTE
    desk.do(desk.book.plan_adopt(T, 1, given, "zhou", desk.now))
    assert (desk.total().on_time, desk.total().answer_ms) == (1, 0)
    assert [unit for _, _, unit, sums in desk.tally.units("", "9") if sums.on_time] == [A]


@pytest.mark.parametrize("what", ["cancel", "suspend"])
def test_what_is_called_off_was_never_due(what: str) -> None:
    desk = Counted(task())
    desk.offer()
    desk.do(getattr(desk.book, f"plan_{what}")(T, "case", "", desk.now))
    desk.wait(2 * HOUR)
    assert desk.total().due == 0


def test_what_was_put_aside_has_its_time_later() -> None:
    desk = Counted(task())
    desk.do(desk.book.plan_suspend(T, "case", "", desk.now))
    desk.wait(HOUR)
    desk.do(desk.book.plan_resume(T, "case", desk.now))
    desk.offer()
    desk.told("accept")
    desk.now += 20 * MINUTE
    desk.report()
    assert (desk.total().due, desk.total().on_time) == (1, 1)


def test_sums_go_when_they_are_old() -> None:
    desk = Counted(task("t1"))
    desk.offer()
    desk.told("accept")
    desk.report()
    for days, city, units in ((UNIT_DAYS - 1, 1, 1), (UNIT_DAYS + 1, 1, 0), (CITY_DAYS + 1, 0, 0)):
        at = NOON + days * DAY
        desk.now = at
        id = f"t{days}"
        desk.do(desk.book.plan_create(task(id, created=at, due=at + HOUR), at))
        desk.do(desk.book.plan_offer(id, B, 1, at))  # type: ignore[arg-type]
        desk.do(desk.book.plan_told(id, 1, B, "accept", at))  # type: ignore[arg-type]
        assert len(list(desk.tally.city(TODAY, TODAY))) == city
        assert len(list(desk.tally.units(TODAY, TODAY))) == units


def test_of_who_is_removed_the_city_keeps_the_sums() -> None:
    desk = Counted(task())
    desk.offer()
    desk.told("accept")
    desk.report()
    before = desk.total()
    desk.tally.forget(A)
    assert list(desk.tally.units("", "9")) == []
    assert desk.total() == before
    desk.do(desk.book.plan_return(T, "zhou", "", desk.now))
    assert desk.total().answered == 0
    assert not [fields for _, _, fields in desk.tally.events() if fields and fields.get("unit") == A]


def test_every_event_names_one_unit_by_itself() -> None:
    desk = Counted(task())
    desk.offer()
    desk.told("accept")
    for _, id, fields in desk.tally.events():
        assert fields is not None
        assert (fields.get("unit") == A) is id.startswith("a:")
        assert A not in fields.get("key", ())


class Straight(Life):
    """A random life of two tasks in which every step is on disk before the next is planned."""

    def live(self) -> list[Change]:
        deeds = (self.hear, self.say, self.say, self.choose, self.choose, self.decide, self.pass_time)
        for _ in range(3 * STEPS):
            self.random.choice(deeds)()
        assert self.book.passed_over == 0
        return self.journal

    def plan(self, message: Message) -> None:
        with suppress(Refusal):
            self.do(message())


@pytest.mark.parametrize("seed", range(40))
def test_a_restart_changes_nothing(seed: int) -> None:
    """From the journal alone, and from a snapshot with the rest of the journal, wherever that begins."""
    random = Random(seed)
    journal = Straight(seed).live()
    straight = again(journal)
    cut = random.randrange(len(journal) + 1)
    book, tally = TaskBook(), Tally(day_of)
    for event in journal[:cut]:
        book.replay(event)
        tally.replay(event)
    snapshot = [*book.events(), *tally.events()]
    rest = again([*snapshot, *journal[cut:]])
    assert sums_of(rest) == sums_of(straight)
