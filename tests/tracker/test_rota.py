"""The rota: what may be planned, what comes of it, and that its changes alone build it again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.helpers import apply_all, square
from tracker.model import AreaId, UnitId
from tracker.person import Person
from tracker.record import ASSIGNMENT, ENTITY
from tracker.roster import Refusal, Roster
from tracker.rota import ENTRIES_LIMIT, KEPT_DAYS, OFF, SHIFTS_LIMIT, Assigned, Rota
from tracker.workdays import read_calendar

ZONE = ZoneInfo("Asia/Shanghai")
TODAY = "2026-11-23"
ZHANG, LI, CAR = UnitId("p1"), UnitId("p2"), UnitId("v1")
worked = lambda day: read_calendar("cn").day(day).worked  # noqa: E731


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


def stored(value: Any) -> Any:
    """As it comes back from the journal."""
    return msgpack.unpackb(msgpack.packb(value), use_list=False, strict_map_key=False)


@pytest.fixture
def roster() -> Roster:
    roster = Roster()
    areas = [square("g1", "grid", 0, 0, 1, 1), square("g2", "grid", 1, 0, 2, 1), square("c1", "cell", 0, 0, 1, 1)]
    apply_all(roster, roster.plan_areas(areas))
    apply_all(
        roster,
        roster.plan_units([{"name": "张伟", "grid": "g1"}, {"name": "李娜"}, {"name": "巡逻", "kind": "vehicle"}]),
    )
    return roster


@pytest.fixture
def rota(roster: Roster) -> Rota:
    rota = Rota(roster, ZONE)
    roster.attach(rota)
    shift(rota, name="白班", periods=["08:00-12:00", "14:00-18:00"])
    shift(rota, name="夜班", periods=["22:00-06:00"], colour=3)
    return rota


def shift(rota: Rota, **wanted: Any) -> str:
    made, changes = rota.plan_shift(wanted)
    for change in changes:
        rota.apply(stored(change))
    return made.id


def plan(rota: Rota, *entries: tuple[str, str, str | None], **more: Any) -> int:
    wanted = [{"unit": unit, "day": day, "shift": given, **more} for unit, day, given in entries]
    number, changes = rota.plan_assignments(wanted, TODAY)
    for change in changes:
        rota.apply(stored(change))
    return number


def pattern(rota: Rota, **wanted: Any) -> int:
    number, changes = rota.plan_pattern(wanted, TODAY, worked)
    assert len(changes) <= number
    for change in changes:
        rota.apply(stored(change))
    return number


def row(rota: Rota, unit: UnitId, first: str, last: str) -> list[str]:
    found = {day: assigned.shift for _, day, assigned in rota.assignments([unit], first, last)}
    return [found.get(day, "-") for day in rota.days.days(first, last)]


def refusal(call: Any) -> str:
    with pytest.raises(Refusal) as caught:
        call()
    assert caught.value.zh
    return caught.value.code


# -- what is planned


def test_a_shift_gives_the_moments_of_a_day(rota: Rota) -> None:
    assert plan(rota, (ZHANG, TODAY, "s1"), (LI, TODAY, "s2"), (CAR, TODAY, OFF)) == 3
    assert rota.planned(ZHANG, TODAY) == (
        (at("2026-11-23 08:00"), at("2026-11-23 12:00")), (at("2026-11-23 14:00"), at("2026-11-23 18:00")),
    )  # fmt: skip
    assert rota.planned(LI, TODAY) == ((at("2026-11-23 22:00"), at("2026-11-24 06:00")),)
    assert rota.planned(CAR, TODAY) == rota.planned(ZHANG, "2026-11-24") == rota.planned(UnitId("p9"), TODAY) == ()
    assert rota.of(CAR, TODAY) == Assigned(OFF)


def test_grids_are_those_of_the_shift_or_of_the_roster(rota: Rota) -> None:
    plan(rota, (ZHANG, TODAY, "s1"), (LI, TODAY, "s2"), grids=["g2", "g2", "g1"])
    plan(rota, (ZHANG, "2026-11-24", "s1"))
    both, own = (AreaId("g2"), AreaId("g1")), (AreaId("g1"),)
    assert rota.grids(ZHANG, at("2026-11-23 07:59")) == own
    assert rota.grids(ZHANG, at("2026-11-23 08:00")) == both
    assert rota.grids(ZHANG, at("2026-11-23 13:00")) == both  # its lunch
    assert rota.grids(ZHANG, at("2026-11-23 18:00")) == own
    assert rota.grids(ZHANG, at("2026-11-24 08:00")) == own
    assert rota.grids(LI, at("2026-11-24 05:59")) == both  # the night of the day before
    assert rota.grids(LI, at("2026-11-24 06:00")) == ()
    assert rota.grids(UnitId("p9"), at("2026-11-24 06:00")) == ()
    assert rota.at(ZHANG, 0) is None


def test_other_hours_hold_from_a_day_on(rota: Rota) -> None:
    plan(rota, *((ZHANG, f"2026-11-{day}", "s1") for day in (22, 23, 24, 25)))
    for since, periods in (("2026-11-24", ["09:00-17:00"]), ("2026-11-25", ["10:00-18:00"])):
        changed, changes = rota.plan_shift_change("s1", {"periods": periods, "from": since}, TODAY)
        for change in changes:
            rota.apply(stored(change))
    starts = [rota.planned(ZHANG, f"2026-11-{day}")[0][0] for day in (22, 23, 24, 25)]
    assert starts == [at(f"2026-11-{text}:00") for text in ("22 08", "23 08", "24 09", "25 10")]
    # From an earlier day again: the steps after it are no more.
    changed, changes = rota.plan_shift_change("s1", {"periods": ["07:00-08:00"]}, TODAY)
    assert [before for before, _ in changed.earlier] == [TODAY]
    renamed, _ = rota.plan_shift_change("s1", {"name": "早班", "colour": 5}, TODAY)
    assert (renamed.name, renamed.colour, renamed.earlier) == ("早班", 5, rota.shifts["s1"].earlier)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({}, "bad_name"),
        ({"name": "x" * 41, "periods": ["08:00-09:00"]}, "bad_name"),
        ({"name": "a\x00b", "periods": ["08:00-09:00"]}, "bad_name"),
        ({"name": "白班", "periods": ["08:00-09:00"]}, "exists"),
        ({"name": "中班"}, "bad_periods"),
        ({"name": "中班", "periods": ["8 to 12"]}, "bad_periods"),
        ({"name": "中班", "periods": ["08:00-09:00"], "colour": 10}, "bad_colour"),
        ({"name": "中班", "periods": ["08:00-09:00"], "colour": True}, "bad_colour"),
        ({"name": "中班", "periods": ["08:00-09:00"], "retired": 1}, "bad_retired"),
    ],
)
def test_shifts_that_cannot_be(rota: Rota, wanted: dict[str, Any], code: str) -> None:
    assert refusal(lambda: rota.plan_shift(wanted)) == code


def test_a_shift_goes_or_is_retired(rota: Rota) -> None:
    assert refusal(lambda: rota.plan_shift_removal("s9", TODAY)) == "no_shift"
    plan(rota, (ZHANG, "2026-11-20", "s1"), (LI, "2026-11-24", "s2"))
    assert refusal(lambda: rota.plan_shift_removal("s2", TODAY)) == "in_use"
    retired, changes = rota.plan_shift_removal("s1", TODAY)
    apply_all(rota._roster, changes)
    assert retired
    assert rota.shifts["s1"].retired
    assert rota.planned(ZHANG, "2026-11-20")
    assert refusal(lambda: plan(rota, (ZHANG, TODAY, "s1"))) == "no_shift"
    assert shift(rota, name="白班", periods=["08:00-16:00"]) == "s3"
    assert refusal(lambda: rota.plan_shift_change("s1", {"retired": False}, TODAY)) == "exists"
    retired, changes = rota.plan_shift_removal("s3", TODAY)
    apply_all(rota._roster, changes)
    assert not retired
    assert "s3" not in rota.shifts
    assert shift(rota, name="晚班", periods=["18:00-22:00"]) == "s4"


def test_shifts_are_bounded(rota: Rota) -> None:
    for n in range(SHIFTS_LIMIT - 2):
        shift(rota, name=f"班{n}", periods=["08:00-09:00"])
    assert refusal(lambda: rota.plan_shift({"name": "一", "periods": ["08:00-09:00"]})) == "too_many"


# -- planning many


def test_the_same_again_is_no_change(rota: Rota) -> None:
    assert plan(rota, (ZHANG, TODAY, "s1"), (ZHANG, "2026-12-01", "s1")) == 2
    assert plan(rota, (ZHANG, TODAY, "s1"), (ZHANG, "2026-12-01", "s1")) == 0
    assert rota.plan_assignments([{"unit": ZHANG, "day": TODAY, "shift": "s1"}], TODAY) == (0, [])
    assert plan(rota, (ZHANG, TODAY, None), (ZHANG, TODAY, None), (LI, TODAY, None)) == 1
    assert rota.of(ZHANG, TODAY) is None


def test_a_month_of_a_unit_is_one_change(rota: Rota) -> None:
    wanted = [{"unit": ZHANG, "day": f"2026-12-{day:02d}", "shift": "s1"} for day in range(1, 32)]
    number, changes = rota.plan_assignments(wanted, TODAY)
    assert (number, [(kind, identity) for kind, identity, _ in changes]) == (31, [(ASSIGNMENT, "p1:2026-12")])
    rota.apply(changes[0])
    number, changes = rota.plan_assignments([{**entry, "shift": None} for entry in wanted], TODAY)
    assert (number, changes) == (31, [(ASSIGNMENT, "p1:2026-12", None)])
    rota.apply(changes[0])
    assert [kind for kind, _, _ in rota.changes()] == ["shift", "shift"]


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"unit": "p9"}, "no_unit"),
        ({"unit": None}, "no_unit"),
        ({"day": "2026-11-31"}, "bad_day"),
        ({"day": "20261123"}, "bad_day"),
        ({"day": 20261123}, "bad_day"),
        ({"day": "2028-01-01"}, "bad_day"),
        ({"day": "2025-01-01"}, "bad_day"),
        ({"shift": "s9"}, "no_shift"),
        ({"shift": ["s1"]}, "no_shift"),
        ({"grids": "g1"}, "bad_grids"),
        ({"grids": [1]}, "bad_grids"),
        ({"grids": ["g1"] * 21}, "bad_grids"),
        ({"grids": ["g9"]}, "no_grid"),
        ({"grids": ["c1"]}, "no_grid"),
    ],
)
def test_entries_that_cannot_be(rota: Rota, entry: dict[str, Any], code: str) -> None:
    good = {"unit": ZHANG, "day": TODAY, "shift": "s1"}
    with pytest.raises(Refusal) as caught:
        rota.plan_assignments([good, {**good, **entry}], TODAY)
    assert (caught.value.code, caught.value.entry) == (code, 2)


def test_who_is_out_of_reach_does_not_exist(rota: Rota) -> None:
    told = []
    for unit in (LI, "p9"):
        with pytest.raises(Refusal) as caught:
            rota.plan_assignments([{"unit": unit, "day": TODAY, "shift": "s1"}], TODAY, lambda unit: unit == ZHANG)
        told.append((caught.value.code, str(caught.value), caught.value.zh, caught.value.entry))
    assert told[0] == told[1]
    wanted = {"units": [ZHANG, LI], "from": TODAY, "to": TODAY, "repeat": 7}
    assert refusal(lambda: rota.plan_pattern(wanted, TODAY, worked, lambda unit: unit == ZHANG)) == "no_unit"


def test_last_week_again(rota: Rota) -> None:
    week = [(ZHANG, f"2026-11-{16 + n}", given) for n, given in enumerate(["s1", "s1", "s2", OFF, "s1", None, OFF])]
    plan(rota, *week)
    plan(rota, (LI, "2026-11-23", "s2"), (LI, "2026-11-16", "s1"), grids=["g2"])
    assert pattern(rota, units=[ZHANG, LI], **{"from": "2026-11-23", "to": "2026-12-06", "repeat": 7}) == 14
    assert row(rota, ZHANG, "2026-11-23", "2026-12-06") == ["s1", "s1", "s2", OFF, "s1", "-", OFF] * 2
    assert row(rota, LI, "2026-11-23", "2026-12-06") == ["s1", *["-"] * 6] * 2
    assert rota.of(LI, "2026-11-30") == Assigned("s1", (AreaId("g2"),))


def test_a_retired_shift_is_not_repeated(rota: Rota) -> None:
    plan(rota, (ZHANG, "2026-11-16", "s1"))
    apply_all(rota._roster, rota.plan_shift_removal("s1", TODAY)[1])
    assert pattern(rota, units=[ZHANG], **{"from": TODAY, "to": TODAY, "repeat": 7}) == 0


def test_a_pattern_rotates_and_leaves_holidays_free(rota: Rota) -> None:
    span = {"from": "2026-09-28", "to": "2026-10-11"}
    assert pattern(rota, units=[ZHANG, LI, CAR], pattern=["s1", "s2", OFF], rotate=1, **span) == 42
    assert row(rota, ZHANG, "2026-09-28", "2026-10-01") == ["s1", "s2", OFF, "s1"]
    assert row(rota, LI, "2026-09-28", "2026-10-01") == ["s2", OFF, "s1", "s2"]
    assert row(rota, CAR, "2026-09-28", "2026-10-01") == [OFF, "s1", "s2", OFF]
    pattern(rota, units=[ZHANG], pattern=["s1", "s2"], workdays=True, **span)
    # Monday to Wednesday, National Day for seven days, Thursday and Friday, a Saturday that is made up.
    assert row(rota, ZHANG, first="2026-09-28", last="2026-10-11") == [
        "s1", "s2", "s1", *[OFF] * 7, "s2", "s1", "s2", OFF,
    ]  # fmt: skip
    assert pattern(rota, units=[ZHANG], pattern=[None], **span) == 14


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"units": []}, "no_units"),
        ({"units": "p1"}, "no_units"),
        ({"units": ["p9"]}, "no_unit"),
        ({"from": "2026-11-24"}, "bad_span"),
        ({"to": None}, "bad_day"),
        ({"repeat": 0}, "bad_repeat"),
        ({"repeat": True}, "bad_repeat"),
        ({"pattern": []}, "bad_pattern"),
        ({"pattern": "s1"}, "bad_pattern"),
        ({"pattern": ["s9"]}, "no_shift"),
        ({"pattern": ["s1"], "rotate": -1}, "bad_rotate"),
        ({"pattern": ["s1"], "workdays": 1}, "bad_workdays"),
        ({"units": ["p1"] * ENTRIES_LIMIT, "to": "2026-11-24", "repeat": 7}, "too_many"),
    ],
)
def test_patterns_that_cannot_be(rota: Rota, wanted: dict[str, Any], code: str) -> None:
    good = {"units": ["p1"], "from": TODAY, "to": TODAY}
    assert refusal(lambda: rota.plan_pattern({**good, **wanted}, TODAY, worked)) == code


def test_what_is_too_much_at_once(rota: Rota, roster: Roster) -> None:
    entry = {"unit": ZHANG, "day": TODAY, "shift": "s1"}
    assert refusal(lambda: rota.plan_assignments([entry] * (ENTRIES_LIMIT + 1), TODAY)) == "too_many"
    apply_all(roster, roster.plan_units([{"name": f"n{n}"} for n in range(4001)]))
    many = {"units": [u for u in roster.units if u.startswith("p")], "from": TODAY, "to": TODAY, "pattern": ["s1"]}
    assert refusal(lambda: rota.plan_pattern(many, TODAY, worked)) == "too_many"


def test_old_months_are_forgotten_when_something_is_planned(rota: Rota) -> None:
    plan(rota, (ZHANG, TODAY, "s1"), (LI, TODAY, "s1"))
    later = "2028-02-01"
    number, changes = rota.plan_assignments([{"unit": ZHANG, "day": later, "shift": "s1"}], later)
    assert number == 1
    assert (ASSIGNMENT, "p1:2026-11", None) in changes
    assert len(changes) == 2
    assert KEPT_DAYS > 366


# -- taking in


def test_a_unit_that_goes_takes_its_plan_along(rota: Rota, roster: Roster) -> None:
    plan(rota, (ZHANG, TODAY, "s1"), (LI, TODAY, "s1"))
    roster.remove(ZHANG)
    assert rota.planned(ZHANG, TODAY) == ()
    assert [identity for kind, identity, _ in rota.changes() if kind == ASSIGNMENT] == ["p2:2026-11"]


def test_a_plan_is_of_the_unit_that_it_plans_for(rota: Rota) -> None:
    """So that it is exported with the rest, and goes with it."""
    plan(rota, (ZHANG, TODAY, "s1"), (LI, TODAY, "s1"))
    person = Person(ZHANG)
    assert [identity for change in rota.changes() if person.has(ENTITY, *change) for identity in change[1:2]] == [
        "p1:2026-11"
    ]
    assert person.has(ENTITY, ASSIGNMENT, "p1:2026-11", None)


DAYS = st.dates(min_value=datetime(2026, 6, 1).date(), max_value=datetime(2027, 6, 1).date()).map(str)
ENTRY = st.fixed_dictionaries(
    {"unit": st.sampled_from([ZHANG, LI, CAR]), "day": DAYS, "shift": st.sampled_from(["s1", "s2", OFF, None])},
    optional={"grids": st.lists(st.sampled_from(["g1", "g2"]), max_size=2)},
)


@settings(max_examples=60, deadline=None)
@given(plans=st.lists(st.lists(ENTRY, max_size=12), max_size=5))
def test_the_changes_alone_build_it_again(plans: list[list[dict[str, Any]]]) -> None:
    roster = Roster()
    apply_all(roster, roster.plan_areas([square("g1", "grid", 0, 0, 1, 1), square("g2", "grid", 1, 0, 2, 1)]))
    apply_all(roster, roster.plan_units([{"name": "a"}, {"name": "b"}, {"name": "c", "kind": "vehicle"}]))
    rota, again, whole = Rota(roster, ZONE), Rota(roster, ZONE), Rota(roster, ZONE)
    for name in ("白班", "夜班"):
        for change in rota.plan_shift({"name": name, "periods": ["22:00-06:00"]})[1]:
            rota.apply(change)
            again.apply(stored(change))
    expected: dict[tuple[str, str], Assigned] = {}
    for entries in plans:
        before = dict(expected)
        for entry in entries:
            key = entry["unit"], entry["day"]
            expected.pop(key, None)
            if entry["shift"]:
                expected[key] = Assigned(entry["shift"], tuple(dict.fromkeys(entry.get("grids", []))))
        number, changes = rota.plan_assignments(entries, TODAY)
        assert number == sum(before.get(key) != expected.get(key) for key in before.keys() | expected.keys())
        for change in changes:
            rota.apply(change)
            again.apply(stored(change))
    for change in rota.changes():
        whole.apply(stored(change))
    for one in (rota, again, whole):
        held = {
            (unit, day): given for unit, day, given in one.assignments([ZHANG, LI, CAR], "2026-01-01", "2027-12-31")
        }
        assert held == expected
        assert one.shifts == rota.shifts
