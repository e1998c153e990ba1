"""Seats: which hours they have, and the alarm when nobody is there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tracker.roster import Change, Refusal
from tracker.seats import GRACE_MS, Manning, Seat, Seats, SeatWatch
from tracker.workdays import Calendar, read_calendar

ZONE = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


MONDAY = at("2026-11-23 09:00")


class City:
    """Seats, and who is at them."""

    def __init__(self, count: int = 0, started: int = at("2026-11-23 07:00")) -> None:
        self.seats = Seats()
        self.there: set[str] = set()
        for number in range(1, count + 1):
            self.make(name=f"街道 {number}", street=f"街道 {number}")
        self.watch = SeatWatch(self.seats, Calendar(), ZONE, started)

    def make(self, **wanted: Any) -> Seat:
        seat: Seat = self.take(self.seats.plan_new(wanted))
        return seat

    def take(self, planned: tuple[Any, list[Change]]) -> Any:
        for change in planned[1]:
            self.seats.apply(change)
        return planned[0]

    def look(self, now: int) -> None:
        self.watch.look(lambda seat: seat.id in self.there, now)

    def of(self, id: str, now: int) -> tuple[Manning, int | None]:
        state, since, _ = self.watch.of(self.seats.all[id], now)
        return state, since

    def absent(self, now: int) -> list[str]:
        return [id for id in self.seats.all if self.of(id, now)[0] is Manning.ABSENT]


def test_of_23_seats_exactly_the_7_that_are_empty_are_named() -> None:
    city = City(23)
    away = {f"s{n}" for n in (2, 3, 5, 7, 11, 13, 23)}
    city.there = city.seats.all.keys() - away
    for minute in range(0, 120, 5):
        city.look(at("2026-11-23 07:00") + minute * MINUTE)
    assert set(city.absent(MONDAY)) == away
    assert city.of("s2", MONDAY) == (Manning.ABSENT, at("2026-11-23 08:00"))
    assert city.of("s1", MONDAY) == (Manning.MANNED, at("2026-11-23 07:00"))


def test_a_seat_may_be_empty_for_five_minutes() -> None:
    city = City(1)
    city.there = {"s1"}
    city.look(MONDAY)
    city.there = set()
    left = MONDAY + 5000
    city.look(left)
    assert city.of("s1", left) == (Manning.WAITED_FOR, MONDAY)
    assert city.of("s1", MONDAY + GRACE_MS - 1) == (Manning.WAITED_FOR, MONDAY)
    assert city.of("s1", MONDAY + GRACE_MS) == (Manning.ABSENT, MONDAY)
    city.there = {"s1"}
    city.look(MONDAY + GRACE_MS + 1)
    assert city.of("s1", MONDAY + GRACE_MS + 2) == (Manning.MANNED, MONDAY + GRACE_MS + 1)


def test_a_start_gives_the_grace_again() -> None:
    started = MONDAY + 30 * MINUTE
    city = City(1, started=started)
    city.look(started)
    assert city.of("s1", started + MINUTE) == (Manning.WAITED_FOR, started)
    assert city.of("s1", started + GRACE_MS) == (Manning.ABSENT, started)
    # A clock that is set back says nothing of times to come.
    assert city.of("s1", started - MINUTE) == (Manning.WAITED_FOR, started - MINUTE)


@pytest.mark.parametrize(
    ("moment", "weekdays", "periods", "open"),
    [
        ("2026-11-23 08:00", (), ["08:00-12:00"], True),
        ("2026-11-23 12:00", (), ["08:00-12:00"], False),
        ("2026-11-23 13:00", (), ["08:00-12:00", "14:00-18:00"], False),
        ("2026-11-22 09:00", (), ["08:00-12:00"], False),  # a Sunday
        ("2026-11-22 09:00", (7,), ["08:00-12:00"], True),
        ("2026-11-24 05:00", (1,), ["22:00-06:00"], True),  # Monday's night
        ("2026-11-23 05:00", (1,), ["22:00-06:00"], False),
        ("2026-10-01 09:00", (), ["08:00-12:00"], False),  # a holiday
        ("2026-10-10 09:00", (), ["08:00-12:00"], True),  # a Saturday that is worked for it
    ],
)
def test_the_hours_in_which_a_seat_should_be_manned(
    moment: str, weekdays: tuple[int, ...], periods: list[str], open: bool
) -> None:
    seat = City().make(name="a", street="b", weekdays=list(weekdays) or None, periods=periods)
    assert (seat.hours(at(moment), read_calendar("cn"), ZONE) is not None) is open


def test_seats_as_they_were_are_made_of_the_journal() -> None:
    city = City(2)
    city.take(city.seats.plan_change("s1", {"accounts": ["A", "a", " b "], "weekdays": [5, 1], "street": ""}))
    city.take(city.seats.plan_removal("s2"))
    assert city.seats.all["s1"].accounts == ("a", "b")
    again = Seats()
    for change in city.seats.changes():
        again.apply(change)
    assert again.all == city.seats.all
    assert city.make(name="new", street="x").id == "s3", "an id is given once"


Ask = Callable[[City], Any]


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda city: city.make(street="a"), "bad_name"),
        (lambda city: city.make(name="x" * 61, street="a"), "bad_name"),
        (lambda city: city.make(name="街道 1", street="a"), "exists"),
        (lambda city: city.make(name="a"), "nobody"),
        (lambda city: city.make(name="a", street=7), "nobody"),
        (lambda city: city.make(name="a", street="b", periods=["25:00-26:00"]), "bad_periods"),
        (lambda city: city.make(name="a", street="b", weekdays=[8]), "bad_weekdays"),
        (lambda city: city.make(name="a", street="b", accounts="a"), "bad_accounts"),
        (lambda city: city.seats.plan_change("s9", {}), "no_seat"),
        (lambda city: city.seats.plan_removal("s9"), "no_seat"),
    ],
)
def test_seats_that_cannot_be(ask: Ask, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        ask(City(1))
    assert caught.value.code == code
