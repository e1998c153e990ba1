"""Calls for help: when one begins, lasts and ends, and that the journal makes the same book again."""

from __future__ import annotations

import pytest

from dispatch.model import Spot
from dispatch.sos import OVER_MS, Near, SosBook, SosId
from tracker.model import UnitId
from tracker.refusal import Change, Refusal

A, B, C = UnitId("a"), UnitId("b"), UnitId("c")
NOW = 1_700_000_000_000
HERE = Spot(311_000_000, 1_214_000_000)


class Seat:
    def __init__(self, kept: int = 200) -> None:
        self.book, self.journal = SosBook(kept=kept), list[Change]()

    def do(self, events: list[Change]) -> list[str]:
        self.journal += events
        for event in events:
            self.book.replay(event)
        return [fields["what"] for _, _, fields in events if fields is not None]

    def alarm(self, at: int, unit: UnitId = A, spot: Spot | None = HERE, now: int | None = None) -> list[str]:
        return self.do(self.book.plan_alarm(unit, at, spot, 5.0, now or at))


def test_the_messages_of_one_call_are_one_call() -> None:
    seat = Seat()
    assert seat.alarm(NOW, spot=None) == ["raise"]
    assert seat.alarm(NOW + 1000) == ["place"], "its first place"
    assert seat.alarm(NOW + 2000) == []
    assert seat.alarm(NOW + OVER_MS) == ["again"]
    (call,) = seat.book.all()
    assert (call.at, call.spot, call.accuracy, call.ringing) == (NOW, HERE, 5.0, True)


def test_it_rings_until_a_seat_has_acknowledged_it_whatever_the_device_does() -> None:
    seat = Seat()
    seat.alarm(NOW)
    assert seat.do(seat.book.plan_quiet(A, NOW + 5000)) == ["end"]
    (call,) = seat.book.all()
    assert call.ringing
    assert seat.do(seat.book.plan_acknowledge(call.id, "wang", NOW + 6000)) == ["acknowledge"]
    assert seat.do(seat.book.plan_acknowledge(call.id, "li", NOW + 7000)) == [], "twice is no trouble"
    assert (call.ringing, call.by, call.acknowledged) == (False, "wang", NOW + 6000)
    with pytest.raises(Refusal, match="no such call"):
        seat.book.plan_acknowledge(SosId("x"), "wang", NOW)


@pytest.mark.parametrize(
    ("quiet", "after", "new"),
    [(True, 10_000, True), (False, 10_000, False), (False, OVER_MS, False), (False, 2 * OVER_MS + 20_000, True)],
)
def test_when_an_alarm_is_a_new_call(quiet: bool, after: int, new: bool) -> None:
    """After the device took it back, or long after a seat has acknowledged it."""
    seat = Seat()
    seat.alarm(NOW)
    (call,) = seat.book.all()
    seat.do(seat.book.plan_acknowledge(call.id, "wang", NOW + 1000))
    if quiet:
        seat.do(seat.book.plan_quiet(A, NOW + 2000))
    seat.alarm(NOW + after)
    assert len(seat.book.all()) == 1 + new


def test_what_a_phone_had_kept_of_a_call_that_is_over_is_no_new_one() -> None:
    seat = Seat()
    seat.alarm(NOW)
    (call,) = seat.book.all()
    seat.do(seat.book.plan_acknowledge(call.id, "wang", NOW + 1000))
    seat.do(seat.book.plan_quiet(A, NOW + 2000))
    assert seat.alarm(NOW - 60_000, now=NOW + 3000) == []


def test_a_call_that_a_phone_had_kept_is_one() -> None:
    seat = Seat()
    assert seat.alarm(NOW - 3_600_000, now=NOW) == ["raise"]
    (call,) = seat.book.all()
    assert (call.at, call.came, call.ringing) == (NOW - 3_600_000, NOW, True)


def test_journal_and_snapshot_make_the_same_book_and_whoever_is_forgotten_is_nowhere() -> None:
    seat = Seat()
    seat.alarm(NOW)
    seat.alarm(NOW + 1, unit=B)
    first, second = seat.book.all()
    seat.do(seat.book.plan_told(first.id, [Near(B, 300), Near(C, 500)], NOW))
    seat.do(seat.book.plan_told(second.id, [Near(A, 300)], NOW))
    seat.do(seat.book.plan_acknowledge(first.id, "wang", NOW + 9000))
    seat.do(seat.book.plan_quiet(A, NOW + 9500))
    for events in (seat.journal, list(seat.book.events())):
        book = SosBook()
        for event in events:
            book.replay(event)
        assert book.all() == seat.book.all()
    assert all((fields or {})["unit"] in (A, B, C) for _, _, fields in seat.journal), "each is about one unit"
    seat.book.forget(A)
    (left,) = seat.book.all()
    assert (left.unit, left.near) == (B, [])
    book = SosBook()
    for event in seat.journal:
        if (event[2] or {})["unit"] != A:
            book.replay(event)
    assert book.all() == seat.book.all()


def test_what_is_kept_has_a_bound_and_what_rings_stays_longest() -> None:
    seat = Seat(kept=3)
    for n in range(5):
        seat.alarm(NOW + n, unit=UnitId(f"u{n}"))
        if n == 1:
            seat.do(seat.book.plan_acknowledge(seat.book.all()[-1].id, "wang", NOW + n))
    assert [call.unit for call in seat.book.all()] == ["u2", "u3", "u4"]
    assert [call.unit for call in seat.book.shown(NOW + 10)] == ["u2", "u3", "u4"]
