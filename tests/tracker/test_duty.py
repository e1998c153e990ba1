"""On and off duty: what was told in any order gives the intervals that a look at every moment gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.tracker.helpers import NOON, apply_all
from tracker.duty import AHEAD_MS, KEPT_MS, LONGEST_MS, MOST, OVERTIME_MS, DutyBook, Step
from tracker.duty_spans import Span, merged
from tracker.model import FOREVER, UnitId
from tracker.roster import Refusal, Roster

HOUR = 3_600_000
DAY = 24 * HOUR
P1, P2, V1, V2 = UnitId("p1"), UnitId("p2"), UnitId("v1"), UnitId("v2")
EVENTS = {"id": "p1", "name": "甲", "duty": "events"}


class House:
    """A roster and what was told of it; steps are taken in as the journal would have them."""

    def __init__(self, *wanted: dict[str, Any]) -> None:
        self.roster = Roster()
        self.plan: dict[UnitId, list[Span]] = {}
        self.book = DutyBook(self.roster, self.planned)
        self.events: list[Any] = []
        self.enter(*(wanted or (EVENTS,)))

    def planned(self, unit: UnitId, since: int, until: int) -> list[Span]:
        return [span for span in self.plan.get(unit, []) if since <= span[0] <= until]

    def enter(self, *wanted: dict[str, Any]) -> None:
        apply_all(self.roster, self.roster.plan_units(wanted))

    def take(self, step: Step) -> Step:
        apply_all(self.roster, step.changes)
        for event in step.events:
            self.book.replay(event)
        self.events += step.events
        for unit in self.roster.units:
            spans = [(d.start, d.end) for d in self.roster.duties_of(unit) if d.end > d.start]
            assert sum(b - a for a, b in spans) == sum(b - a for a, b in merged(spans)), "two intervals overlap"
        return step

    def on(self, at: int, unit: UnitId = P1, by: str = "device", now: int = NOON) -> Step:
        return self.take(self.book.plan_on(unit, at, by, now))

    def off(self, at: int, unit: UnitId = P1, by: str = "device", now: int = NOON) -> Step:
        return self.take(self.book.plan_off(unit, at, by, now))

    def time(self, now: int, looked: int | None = None) -> Step:
        return self.take(self.book.plan_time(list(self.roster.units), now, now - DAY if looked is None else looked))

    def spans(self, unit: UnitId = P1) -> list[Span]:
        return [(d.start, d.end) for d in self.roster.duties_of(unit) if d.end > d.start]


def refused(code: str, house: House, at: int, by: str = "seat", unit: UnitId = P1) -> None:
    with pytest.raises(Refusal) as refusal:
        house.book.plan_on(unit, at, by, NOON)
    assert refusal.value.code == code


# -- what was told


def test_on_and_off_make_an_interval_and_the_same_event_again_makes_nothing() -> None:
    house = House()
    assert house.spans() == []
    step = house.on(NOON - HOUR)
    assert house.spans() == [(NOON - HOUR, NOON - HOUR + LONGEST_MS)]
    assert step.events[0][1] == f"p1:{NOON - HOUR}:on:device"
    house.off(NOON)
    assert house.spans() == [(NOON - HOUR, NOON)]
    assert not house.on(NOON - HOUR)
    assert not house.off(NOON)
    assert house.spans() == [(NOON - HOUR, NOON)]
    assert [duty.by for duty in house.roster.duties_of(P1)] == ["device"]


def test_an_off_before_its_on_waits_for_it() -> None:
    house = House()
    house.off(NOON)
    assert house.spans() == []
    house.on(NOON - HOUR)
    assert house.spans() == [(NOON - HOUR, NOON)]


def test_a_late_off_says_which_time_is_gone() -> None:
    house = House()
    house.on(NOON - 3 * HOUR)
    step = house.off(NOON - HOUR)
    assert step.gone == [(P1, NOON - HOUR, NOON - 3 * HOUR + LONGEST_MS)]
    assert house.on(NOON).gone == []
    (number, other) = (duty.number for duty in house.roster.duties_of(P1))
    assert (number, other) == (1, 2)


@st.composite
def _told(draw: Any) -> list[tuple[bool, int, str]]:
    whens = st.integers(0, 48).map(lambda n: NOON - 2 * DAY + n * HOUR)
    drawn: list[tuple[bool, int, str]] = draw(
        st.lists(st.tuples(st.booleans(), whens, st.sampled_from(["device", "seat"])), max_size=14)
    )
    return drawn


def _oracle(told: list[tuple[bool, int, str]], at: int) -> bool:
    """An on that reaches this moment, with no off between them."""
    offs = [when for on, when, _ in told if not on]
    return any(
        on and when <= at < when + LONGEST_MS and not any(when <= off <= at for off in offs) for on, when, _ in told
    )


@settings(max_examples=150, deadline=None)
@given(_told(), st.randoms(use_true_random=False))
@example([(True, NOON - HOUR, "device"), (False, NOON - HOUR, "seat")], None)
def test_any_order_and_repetition_gives_the_same_intervals(told: list[tuple[bool, int, str]], random: Any) -> None:
    shuffled = [*told, *told[: len(told) // 2]]
    if random is not None:
        random.shuffle(shuffled)
    house, again = House(), House()
    for on, at, by in shuffled:
        (house.on if on else house.off)(at, by=by)
    for on, at, by in told:
        (again.on if on else again.off)(at, by=by)
    assert house.spans() == again.spans()
    moments = {at + shift for _, at, _ in told for shift in (-1, 0, 1, HOUR // 2, LONGEST_MS - 1, LONGEST_MS)}
    for at in moments:
        assert (house.roster.on_duty(P1, at) is not None) == _oracle(told, at)


@settings(max_examples=100, deadline=None)
@given(_told(), st.data())
def test_gone_is_what_was_on_duty_and_is_not(told: list[tuple[bool, int, str]], data: Any) -> None:
    house = House()
    for on, at, by in told:
        before = [at for at in range(NOON - 3 * DAY, NOON + 2 * DAY, HOUR // 2) if house.roster.on_duty(P1, at)]
        step = (house.on if on else house.off)(at, by=by)
        lost = [at for at in before if house.roster.on_duty(P1, at) is None]
        assert lost == [at for at in before if any(start <= at < end for _, start, end in step.gone)]


@settings(max_examples=60, deadline=None)
@given(_told())
def test_events_alone_build_the_same_book_again(told: list[tuple[bool, int, str]]) -> None:
    house = House()
    for on, at, by in told:
        (house.on if on else house.off)(at, by=by)
    again = DutyBook(house.roster)
    for event in [*house.events, *reversed(house.events)]:
        again.replay(event)
    assert not again.plan_time([P1], NOON, NOON)
    for event in house.events:
        fields: Any = event[2]
        plan = again.plan_on if fields["on"] else again.plan_off
        assert not plan(P1, fields["at"], fields["by"], NOON)


def test_what_cannot_be_told() -> None:
    house = House(EVENTS, {"id": "p2", "name": "乙"}, {"id": "v1", "name": "车", "kind": "vehicle", "duty": "crew"})
    refused("no_unit", house, NOON, unit=UnitId("p9"))
    refused("always", house, NOON, unit=P2)
    refused("follows_crew", house, NOON, unit=V1)
    refused("too_old", house, NOON - KEPT_MS - 1)
    refused("future", house, NOON + 60_001)
    refused("future", house, NOON + DAY + 1, by="device")


def test_a_device_of_a_unit_that_is_always_on_duty_is_heard_and_changes_nothing() -> None:
    house = House({"id": "p1", "name": "甲"})
    step = house.off(NOON)
    assert len(step.events) == 1
    assert not step.changes
    assert house.roster.on_duty(P1, NOON) is not None


def test_a_button_that_somebody_plays_with_is_not_remembered_for_ever() -> None:
    house = House()
    for n in range(MOST):
        (house.on if n % 2 else house.off)(NOON - DAY + n * 1000)
    refused("too_many", house, NOON, by="device")
    assert len(house.roster.duties_of(P1)) <= MOST
    house.time(NOON + KEPT_MS)
    house.on(NOON + KEPT_MS, now=NOON + KEPT_MS)
    assert len(house.roster.duties_of(P1)) <= 2


def test_what_is_older_than_what_is_kept_stays_as_it_was_until_it_is_forgotten() -> None:
    house = House()
    house.on(NOON - HOUR)
    house.off(NOON)
    later = NOON + KEPT_MS - HOUR // 2  # the on is no longer known, its interval still is
    house.time(later)
    house.on(later, now=later)
    assert house.spans() == [(NOON - HOUR, NOON), (later, later + LONGEST_MS)]
    house.time(later + HOUR)
    assert house.spans() == [(later, later + LONGEST_MS)]


# -- corrections


def test_a_correction_makes_a_time_on_duty_whatever_was_told_of_it() -> None:
    house = House()
    house.on(NOON - 4 * HOUR)
    house.off(NOON - 3 * HOUR)
    house.take(house.book.plan_correction(P1, NOON - 3 * HOUR, NOON - HOUR, True, NOON, who="王"))
    assert house.spans() == [(NOON - 4 * HOUR, NOON - HOUR)]
    assert not house.off(NOON - 3 * HOUR), "the device says again what was taken back"
    assert house.spans() == [(NOON - 4 * HOUR, NOON - HOUR)]


def test_a_correction_makes_a_time_off_duty_and_leaves_what_is_after_it() -> None:
    house = House()
    house.on(NOON - 6 * HOUR)
    house.on(NOON - 4 * HOUR)
    end = NOON - 4 * HOUR + LONGEST_MS
    step = house.take(house.book.plan_correction(P1, NOON - 5 * HOUR, NOON - HOUR, False, NOON))
    assert step.gone == [(P1, NOON - 5 * HOUR, NOON - HOUR)]
    assert house.spans() == [(NOON - 6 * HOUR, NOON - 5 * HOUR), (NOON - HOUR, end)]


def test_an_off_that_is_taken_back_was_never_said() -> None:
    house = House()
    house.on(NOON - HOUR)
    house.off(NOON, by="seat")
    house.take(house.book.plan_undo(P1, NOON, False, NOON + 5))
    assert house.spans() == [(NOON - HOUR, NOON - HOUR + LONGEST_MS)]
    with pytest.raises(Refusal):
        house.book.plan_undo(P1, NOON - 1, False, NOON)


def test_an_on_that_is_taken_back_leaves_nothing() -> None:
    house = House()
    house.on(NOON, by="seat")
    step = house.take(house.book.plan_undo(P1, NOON, True, NOON + 5))
    assert step.gone == [(P1, NOON, NOON + LONGEST_MS)]
    assert house.spans() == []


# -- the rota


ROTA = {"id": "p1", "name": "甲", "duty": "rota"}


def test_a_planned_shift_is_on_duty_to_the_millisecond() -> None:
    house = House(ROTA)
    house.plan[P1] = [(NOON, NOON + 4 * HOUR)]
    assert not house.time(NOON - AHEAD_MS - 1)
    house.time(NOON - AHEAD_MS)
    assert house.spans() == [(NOON, NOON + 4 * HOUR)]
    assert not house.time(NOON + HOUR)
    assert house.roster.duties_of(P1)[0].by == "rota"


def test_a_shift_that_is_entered_late_or_begins_while_the_server_is_away_counts_from_its_beginning() -> None:
    house = House(ROTA)
    house.plan[P1] = [(NOON, NOON + HOUR), (NOON + 2 * HOUR, NOON + 4 * HOUR)]
    house.time(NOON + 3 * HOUR)
    assert house.spans() == [(NOON, NOON + HOUR), (NOON + 2 * HOUR, NOON + 4 * HOUR)]


def test_a_plan_that_is_changed_takes_nothing_away_of_what_was() -> None:
    house = House(ROTA)
    house.plan[P1] = [(NOON, NOON + 4 * HOUR)]
    house.time(NOON)
    house.plan[P1] = [(NOON, NOON + HOUR)]
    step = house.time(NOON + 2 * HOUR)
    assert house.spans() == [(NOON, NOON + 2 * HOUR)]
    assert step.gone == [(P1, NOON + 2 * HOUR, NOON + 4 * HOUR)]
    house.plan[P1] = []
    assert not house.time(NOON + 3 * HOUR)
    house.plan[P1] = [(NOON, NOON + 5 * HOUR)]
    house.time(NOON + 3 * HOUR)
    assert house.spans() == [(NOON, NOON + 5 * HOUR)]


def test_a_shift_that_is_cancelled_before_it_begins_never_was() -> None:
    house = House(ROTA)
    house.plan[P1] = [(NOON, NOON + HOUR)]
    house.time(NOON - 1000)
    house.plan[P1] = []
    house.time(NOON - 500)
    assert house.spans() == []
    assert not house.time(NOON + 10)


def test_overtime_ends_an_hour_after_the_shift_and_an_early_off_ends_it() -> None:
    house = House(ROTA)
    house.plan[P1] = [(NOON, NOON + 4 * HOUR)]
    house.on(NOON - 600_000, now=NOON - 600_000)
    house.time(NOON)
    assert house.spans() == [(NOON - 600_000, NOON + 4 * HOUR + OVERTIME_MS)]
    house.off(NOON + 3 * HOUR, now=NOON + 3 * HOUR)
    assert house.spans() == [(NOON - 600_000, NOON + 3 * HOUR)]
    assert not house.time(NOON + 3 * HOUR)


def test_a_change_of_the_setting_opens_and_closes() -> None:
    house = House({"id": "p1", "name": "甲"})
    assert house.spans() == [(0, FOREVER)]
    house.enter(EVENTS)
    house.time(NOON)
    assert house.spans() == [(0, NOON)]
    house.on(NOON + HOUR, now=NOON + HOUR)
    house.enter({**EVENTS, "duty": "always"})
    house.time(NOON + 2 * HOUR)
    assert merged(house.spans()) == [(0, NOON), (NOON + HOUR, FOREVER)]
    house.enter({**EVENTS, "duty": "rota"})
    house.off(NOON + 3 * HOUR, now=NOON + 3 * HOUR)
    house.plan[P1] = [(NOON + 4 * HOUR, NOON + 5 * HOUR)]
    house.time(NOON + 4 * HOUR)
    house.enter(EVENTS)
    house.time(NOON + 4 * HOUR + 60_000)
    assert house.spans()[-1] == (NOON + 4 * HOUR, NOON + 4 * HOUR + 60_000)


# -- crews


def crewed() -> House:
    house = House(
        EVENTS, {"id": "p2", "name": "乙", "duty": "events"}, {"id": "v1", "name": "车", "kind": "vehicle"},
        {"id": "v2", "name": "车", "kind": "vehicle", "duty": "crew"},
    )  # fmt: skip
    house.time(NOON - HOUR)
    house.enter({**EVENTS, "vehicle": "v1"}, {"id": "p2", "name": "乙", "vehicle": "v1"})
    house.time(NOON - HOUR)
    return house


def test_a_vehicle_is_on_duty_while_any_of_its_crew_is() -> None:
    house = crewed()
    assert house.roster.units[V1].duty == "crew"
    assert house.spans(V1) == [(0, NOON - HOUR)]
    house.on(NOON, P1)
    house.off(NOON + HOUR, P1)
    house.on(NOON + HOUR // 2, P2)
    house.off(NOON + 2 * HOUR, P2)
    assert house.spans(V1) == [(0, NOON - HOUR), (NOON, NOON + 2 * HOUR)]
    house.off(NOON + HOUR + 5, P2)
    assert house.spans(V1)[-1] == (NOON, NOON + HOUR + 5)
    assert house.roster.duties_of(V1)[-1].by == "crew"


def test_whoever_changes_the_vehicle_takes_nothing_along() -> None:
    house = crewed()
    house.on(NOON, P1)
    house.enter({**EVENTS, "vehicle": "v2"})
    house.time(NOON + HOUR)
    assert house.spans(V1)[-1] == (NOON, NOON + HOUR)
    assert house.spans(V2) == [(NOON + HOUR, NOON + LONGEST_MS)]
    step = house.off(NOON + HOUR // 2, P1)
    assert house.spans(V1)[-1] == (NOON, NOON + HOUR // 2)
    assert {unit for unit, _, _ in step.gone} == {P1, V1, V2}


def test_what_a_vehicle_did_stays_when_its_crew_is_forgotten() -> None:
    house = crewed()
    house.on(NOON, P1)
    house.off(NOON + HOUR, P1)
    house.roster.remove(P1)
    house.book.forget(P1)
    house.on(NOON + HOUR // 2, P2, now=NOON + 2 * HOUR)
    house.off(NOON + HOUR // 2 + 5, P2, now=NOON + 2 * HOUR)
    assert house.spans(V1)[1:] == [(NOON, NOON + HOUR)]
    house.time(NOON + 2 * HOUR)
    house.on(NOON + 2 * HOUR, P2)
    assert house.spans(V1)[1:] == [(NOON, NOON + HOUR), (NOON + 2 * HOUR, NOON + 2 * HOUR + LONGEST_MS)]
    assert any(event[2]["by"] == "crew" and not event[2]["person"] for event in house.events)


def test_a_vehicle_without_a_crew_is_off_duty() -> None:
    house = crewed()
    house.on(NOON, P1)
    house.roster.remove(P2)
    house.book.forget(P2)
    house.enter({**EVENTS, "vehicle": ""})
    house.time(NOON + HOUR)
    assert house.spans(V1)[-1] == (NOON, NOON + HOUR)
    house.time(NOON + 2 * HOUR)
    assert house.spans(V1)[-1] == (NOON, NOON + HOUR)
    assert house.roster.units[V1].duty == "crew"


def test_the_last_of_a_crew_is_forgotten() -> None:
    house = crewed()
    for person in (P2, P1):
        house.on(NOON, person)
    for person in (P2, P1):
        house.roster.remove(person)
        house.book.forget(person)
    house.time(NOON + HOUR)
    assert house.spans(V1)[-1] == (NOON, NOON + HOUR)


def test_a_city_may_have_it_otherwise() -> None:
    house = House({"id": "v1", "name": "车", "kind": "vehicle"})
    house.roster.follow_crew = False
    house.enter({**EVENTS, "vehicle": "v1"})
    house.time(NOON)
    assert house.spans(V1) == [(0, FOREVER)]
    house.roster.follow_crew = True
    house.enter({"id": "v1", "name": "车", "kind": "vehicle", "duty": "always"}, {**EVENTS, "vehicle": "v1"})
    assert house.roster.units[V1].duty == "always"
