"""The table of rights is whole, and what labels leave of a right."""

from __future__ import annotations

from typing import Any

import pytest

from tracker.model import Area, AreaId, Unit, UnitId
from webmap.rights import MATRIX, UNDIVIDED, Action, Reach, Role, Scope, Who, with_street

HERE = Unit(UnitId("p1"), "person", "n", "one", "east")


def scope(reach: Reach, **labels: Any) -> Scope:
    return Scope(reach, UnitId(labels.get("unit", "")), frozenset(labels.get("streets", ())),
                 frozenset(labels.get("teams", ())))  # fmt: skip


def test_every_role_has_an_entry_for_every_action() -> None:
    assert set(MATRIX) == set(Action)
    assert all(set(row) == set(Role) for row in MATRIX.values())


@pytest.mark.parametrize(
    "action",
    [Action.COMMAND, Action.ROLL_CALL, Action.DUTY, Action.DEVICES_CHANGE, Action.REMOVE, Action.DISPATCH],
)
def test_an_auditor_reads_and_gives_no_orders(action: Action) -> None:
    assert not Who("n", Role.AUDITOR).may(action)


@pytest.mark.parametrize("action", [Action.LIVE, Action.TRACK, Action.NEARBY, Action.ATTENDANCE, Action.EXPORT])
def test_the_case_system_sends_tasks_and_knows_not_where_people_are(action: Action) -> None:
    assert Who("n", Role.SYSTEM).may(Action.DISPATCH)
    assert not Who("n", Role.SYSTEM).may(action)


def test_originals_are_for_auditors() -> None:
    assert [role for role in Role if MATRIX[Action.ORIGINALS][role] is not Reach.NONE] == [Role.AUDITOR]


@pytest.mark.parametrize("role", list(Role))
def test_who_changes_something_may_see_it(role: Role) -> None:
    for seen, changed in (("PEOPLE", "PEOPLE_CHANGE"), ("DEVICES", "DEVICES_CHANGE"), ("GRIDS", "GRIDS_CHANGE"),
                          ("ROTA", "ROTA_CHANGE"), ("SEATS", "SEATS_CHANGE"),
                          ("TASKS", "DISPATCH"), ("TASKS", "DECISIONS"), ("TASKS", "ORIGINALS")):  # fmt: skip
        assert MATRIX[Action[seen]][role] >= MATRIX[Action[changed]][role]


@pytest.mark.parametrize(
    ("given", "covered"),
    [
        (scope(Reach.NONE), False),
        (scope(Reach.NONE, unit="p1", streets=["east"]), False),
        (scope(Reach.OWN, unit="p1"), True),
        (scope(Reach.OWN, unit="p2"), False),
        (scope(Reach.OWN), False),
        (scope(Reach.AREA), False),
        (scope(Reach.AREA, streets=["east"]), True),
        (scope(Reach.AREA, streets=["west"]), False),
        (scope(Reach.AREA, teams=["one"]), True),
        (scope(Reach.AREA, streets=["east"], teams=["two"]), False),
        (scope(Reach.AREA, streets=["west", "east"], teams=["two", "one"]), True),
        (scope(Reach.CITY), True),
        (scope(Reach.CITY, streets=["west"]), False),
        (scope(Reach.CITY, teams=["two"]), False),
    ],
)
def test_whom_a_scope_covers(given: Scope, covered: bool) -> None:
    assert given.covers(HERE) is covered
    if not given.teams and given.reach is not Reach.OWN:  # teams have no streets of their own
        assert given.covers_street(HERE.street) is covered
    assert not given.everything or covered


def test_a_unit_without_labels_is_nobodys_who_is_narrowed() -> None:
    unit = Unit(UnitId("p1"), "person", "n")
    assert not scope(Reach.CITY, streets=["east"]).covers(unit)
    assert not scope(Reach.AREA, teams=["one"]).covers(unit)
    assert not scope(Reach.OWN).covers(Unit(UnitId(""), "person", "n"))


def test_which_areas_a_scope_covers() -> None:
    grid, cell = Area(AreaId("g"), "grid", "g", "", "east"), Area(AreaId("c"), "cell", "c", "g")
    cell = with_street(cell, grid)
    assert cell.street == "east"
    assert with_street(Area(AreaId("d"), "cell", "d", "g", "west"), grid).street == "west"
    for area in (grid, cell):
        assert scope(Reach.OWN).covers_area(area, "g")
        assert not scope(Reach.OWN).covers_area(area, "")
        assert not scope(Reach.OWN).covers_area(area, "h")
        assert not scope(Reach.NONE).covers_area(area, "g")
        assert not scope(Reach.AREA).covers_area(area)
        assert scope(Reach.AREA, streets=["east"]).covers_area(area)
        assert not scope(Reach.CITY, streets=["west"]).covers_area(area)
        assert scope(Reach.CITY, teams=["one"]).covers_area(area)


@pytest.mark.parametrize("labels", [{"streets": frozenset(["east"])}, {"teams": frozenset(["one"])}])
def test_who_is_narrowed_does_not_make_accounts(labels: dict[str, frozenset[str]]) -> None:
    """Or it would make one that is not."""
    assert Who("n", Role.ADMIN).may(Action.ACCOUNTS)
    for action in (one for one in Action if Who("n", Role.ADMIN).may(one)):
        narrowed = Who("n", Role.ADMIN, **labels)  # type: ignore[arg-type]
        assert narrowed.may(action) is (action not in UNDIVIDED)
        assert (narrowed.scope(action).reach is Reach.NONE) is (action in UNDIVIDED)
