"""What somebody narrowed to streets and teams may add and amend: what lies within, under the labels that keep it there,
and nothing is said of what lies elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from tracker.model import Area, AreaId, Device, DeviceId, Unit, UnitId
from tracker.roster import Refusal, Roster
from webmap.reach import areas_wanted, own_grid, plan_device, plan_devices, unit_within, units_wanted
from webmap.rights import Action, Role, Scope, Who

EVERYTHING = Who("n", Role.LEADER).scope(Action.PEOPLE_CHANGE)


def narrowed(*streets: str, teams: tuple[str, ...] = ()) -> Scope:
    return Who("n", Role.LEADER, streets=frozenset(streets), teams=frozenset(teams)).scope(Action.PEOPLE_CHANGE)


def area(identity: str, street: str = "", level: str = "grid", parent: str = "") -> Area:
    return Area(AreaId(identity), level, identity, parent, street)


@pytest.fixture
def roster() -> Roster:
    made = Roster()
    for identity, street in (("here", "east"), ("there", "west")):
        made.apply(("unit", identity, asdict(Unit(UnitId(identity), "person", "n", "one", street, f"g-{identity}"))))
        device = Device(DeviceId(f"d-{identity}"), "handheld", f"x-{identity}", UnitId(identity))
        made.apply(("device", device.id, asdict(device)))
        made.apply(("area", f"g-{identity}", asdict(area(f"g-{identity}", street))))
        made.apply(("area", f"c-{identity}", asdict(area(f"c-{identity}", "", "cell", f"g-{identity}"))))
    return made


def refused(call: Any) -> tuple[str, int, str]:
    with pytest.raises(Refusal) as caught:
        call()
    assert caught.value.zh
    return caught.value.code, caught.value.entry, str(caught.value)


# Units.


def test_whose_reach_has_no_borders_is_not_looked_at(roster: Roster) -> None:
    wanted: list[dict[str, Any]] = [{"id": "there", "name": "n"}, {"name": "n", "street": "west"}]
    assert units_wanted(roster, EVERYTHING, wanted) is wanted
    areas = [area("g-there", "north")]
    assert areas_wanted(roster, EVERYTHING, areas) is areas
    assert plan_device(roster, EVERYTHING, {"protocol": "handheld", "external_id": "y", "unit": "there"})


def test_new_units_get_the_label_that_there_is(roster: Roster) -> None:
    scope = narrowed("east", teams=("one", "two"))
    found = units_wanted(roster, scope, [{"name": "n", "team": " two "}, {"id": "here", "name": "m", "team": "one"}])
    assert found == [
        {"name": "n", "team": "two", "street": "east"}, {"id": "here", "name": "m", "team": "one", "street": "east"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "entry", "code"),
    [
        (narrowed("east"), {"name": "n", "street": "west"}, "out_of_reach"),
        (narrowed("east"), {"name": "n", "street": ["east"]}, "out_of_reach"),
        (narrowed("east", "north"), {"name": "n"}, "out_of_reach"),
        (narrowed("east", teams=("two",)), {"id": "here", "name": "n", "team": "one"}, "no_unit"),
        (narrowed("east"), {"id": "here", "name": "n", "street": "west"}, "out_of_reach"),
        (narrowed("east"), {"id": "there", "name": "n", "street": "east"}, "no_unit"),
        (narrowed("east"), {"id": "nobody", "name": "n", "street": "east"}, "no_unit"),
        (narrowed(teams=("two",)), {"name": "n", "team": "one"}, "out_of_reach"),
    ],
)
def test_nobody_is_amended_into_reach_or_out_of_it(roster: Roster, scope: Scope, entry: Any, code: str) -> None:
    good = {"name": "n", "street": "east", "team": "two"}
    assert refused(lambda: units_wanted(roster, scope, [good, entry]))[:2] == (code, 2)


def test_who_is_out_of_reach_is_refused_like_who_does_not_exist(roster: Roster) -> None:
    texts = set()
    for unit in ("there", "nobody"):
        wanted = [{"id": unit, "name": "n"}]
        texts.add(
            refused(lambda wanted=wanted: units_wanted(roster, narrowed("east"), wanted))[2].replace(repr(unit), "")
        )
    assert len(texts) == 1
    assert unit_within(roster, narrowed("east"), "there") is unit_within(roster, narrowed("east"), "nobody") is None


# Devices.


def test_a_device_is_registered_for_a_unit_within(roster: Roster) -> None:
    scope = narrowed("east")
    device, _ = plan_device(roster, scope, {"protocol": "handheld", "external_id": "y", "unit": "here"})
    assert device.unit == "here"
    device, changes = plan_device(roster, scope, {"protocol": "handheld", "external_id": "z"})
    units = [fields for kind, _, fields in changes if kind == "unit"]
    assert [(fields or {})["street"] for fields in units] == ["east"]
    texts = set()
    for unit in ("there", "nobody"):
        wanted = {"protocol": "handheld", "external_id": "y", "unit": unit}
        code, _, text = refused(lambda wanted=wanted: plan_device(roster, scope, wanted))
        assert code == "no_unit"
        texts.add(text.replace(repr(unit), ""))
    assert len(texts) == 1


def test_a_list_of_devices_is_judged_one_by_one(roster: Roster) -> None:
    wanted: list[dict[str, Any]] = [
        {"protocol": "handheld", "external_id": "a", "unit": "there"},
        {"protocol": "handheld", "external_id": "b", "unit": "here"},
        {"protocol": "handheld", "external_id": "b"},
        {"protocol": "handheld", "external_id": "x-here"},
        {"protocol": "msgpack", "external_id": "x-there"},
        {"protocol": "handheld", "external_id": "c", "street": "west"},
        {"protocol": "nothing"},
    ]
    results, changes = plan_devices(roster, narrowed("east"), wanted)
    told = [(one.code, one.entry) if isinstance(one, Refusal) else one.external_id for one in results]
    assert told == [("no_unit", 1), "b", ("exists", 3), ("exists", 4), ("exists", 5), ("out_of_reach", 6),
                    ("bad_protocol", 7)]  # fmt: skip
    assert "d-here" in str(results[3])
    assert "d-there" not in str(results[4]) + results[4].zh  # type: ignore[union-attr]
    assert [kind for kind, _, _ in changes] == ["device"]


# Areas.


def test_grids_are_put_in_within_the_streets(roster: Roster) -> None:
    scope = narrowed("east")
    wanted = [area("g-new"), area("g-here", "east"), area("c-new", "", "cell", "g-new"),
              area("c-here", "", "cell", "g-here")]  # fmt: skip
    assert [one.street for one in areas_wanted(roster, scope, wanted)] == ["east", "east", "", ""]
    teams = narrowed(teams=("one",))
    assert areas_wanted(roster, teams, [area("g-there", "west")]), "teams have no areas of their own"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (area("g-new", "west"), "out_of_reach"),
        (area("g-here", "west"), "out_of_reach"),
        (area("g-there", "east"), "taken"),
        (area("c-new", "", "cell", "g-there"), "out_of_reach"),
        (area("c-new", "", "cell", ""), "out_of_reach"),
        (area("c-there", "", "cell", "g-here"), "taken"),
    ],
)
def test_grids_elsewhere_are_left_alone(roster: Roster, wanted: Area, code: str) -> None:
    assert refused(lambda: areas_wanted(roster, narrowed("east"), [area("g-here", "east"), wanted]))[:2] == (code, 2)


def test_the_grid_of_ones_own(roster: Roster) -> None:
    assert own_grid(roster, Who("n", Role.COLLECTOR, UnitId("here"))) == "g-here"
    assert (
        own_grid(roster, Who("n", Role.COLLECTOR)) == own_grid(roster, Who("n", Role.COLLECTOR, UnitId("gone"))) == ""
    )
