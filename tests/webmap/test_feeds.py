"""Scoped feeds: who is shown whom, and that nobody out of reach is in anything that goes out, however labels change."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.model import Unit, UnitId
from tracker.roster import Roster
from webmap.changes import Brief
from webmap.feed import Viewer
from webmap.feeds import Feeds
from webmap.rights import Action, Role, Scope, Who

WORLD = [-90, -180, 90, 180]
STREETS, TEAMS = ("east", "west"), ("one", "two")


class City:
    """Feeds over a roster, and viewers who remember all that they were told."""

    def __init__(self) -> None:
        self.roster = Roster()
        self.asked: list[str] = []
        self.made = 0
        self.feeds = Feeds(self.roster, self._row, lambda now: {"city": {"name": "c"}}, self._instance)
        self.now = 0

    def _instance(self) -> str:
        self.made += 1
        return f"i{self.made}"

    def _row(self, unit: str) -> tuple[float | None, float | None, Brief, list[Any]]:
        self.asked.append(unit)
        return 1.0, 2.0, (0, 0), [unit, 1.0, 2.0, None, None, 0, self.now, *[None] * 7]

    def unit(self, identity: str, street: str = "east", team: str = "one", name: str = "") -> None:
        self.roster.apply(("unit", identity, asdict(Unit(UnitId(identity), "person", name or identity, team, street))))
        self.feeds.update([UnitId(identity)])  # as the mirror's sweep tells of whoever is new

    def come(self, who: Who) -> Screen:
        return Screen(self, who)

    def flush(self) -> None:
        self.now += 100
        for feed in self.feeds.all():
            feed.flush(self.now, 0)


class Screen:
    """One viewer's browser: what it shows, and every unit that it was ever told of."""

    def __init__(self, city: City, who: Who) -> None:
        self.city, self.scope = city, who.scope(Action.LIVE)
        self.shown: set[str] = set()
        self.names: dict[str, str] = {}
        self.told: set[str] = set()
        self.rosters = 0
        self.viewer = Viewer(self._take)
        self.feed = city.feeds.join(self.viewer, self.scope, city.now)
        assert self.feed.watch(self.viewer, {"op": "watch", "box": WORLD, "follow": None})

    def _take(self, message: bytes) -> None:
        told = json.loads(message)
        if told["op"] == "roster":
            self.rosters += 1
            self.names = {unit: about["name"] for unit, about in told["units"].items()}
            self.shown &= set(self.names)
            self.told |= set(self.names)
        if told["op"] in ("full", "delta"):
            if told["op"] == "full":
                self.shown = set()
            rows = {row[0] for row in told["units"]}
            self.shown |= rows
            self.told |= rows | {state[0] for state in told["states"]} | set(told["gone"])

    def leave(self) -> None:
        self.city.feeds.leave(self.viewer, self.scope, self.feed)


@pytest.fixture
def city() -> City:
    made = City()
    for number, (street, team) in enumerate([(s, t) for s in STREETS for t in TEAMS]):
        made.unit(f"p{number}", street, team)
    return made


def who(role: Role, **labels: Any) -> Who:
    return Who("n", role, **labels)


EAST = who(Role.STREET, streets=frozenset(["east"]))
ALL = {"p0", "p1", "p2", "p3"}


@pytest.mark.parametrize(
    ("account", "seen"),
    [
        (who(Role.ADMIN), ALL),
        (who(Role.DISPATCHER), ALL),
        (who(Role.AUDITOR), ALL),
        (EAST, {"p0", "p1"}),
        (who(Role.STREET, streets=frozenset(["east", "west"])), ALL),
        (who(Role.STREET, teams=frozenset(["two"])), {"p1", "p3"}),
        (who(Role.STREET), set()),
        (who(Role.LEADER, streets=frozenset(["west"]), teams=frozenset(["one"])), {"p2"}),
        (who(Role.LEADER, teams=frozenset(["nobody"])), set()),
        (who(Role.COLLECTOR, unit=UnitId("p3")), {"p3"}),
        (who(Role.COLLECTOR), set()),
        (who(Role.CREW, unit=UnitId("gone")), set()),
    ],
)
def test_everybody_is_shown_their_own(city: City, account: Who, seen: set[str]) -> None:
    screen = city.come(account)
    city.flush()
    assert screen.shown == set(screen.names) == screen.told == seen
    city.feeds.update([UnitId(unit) for unit in (*ALL, "stranger")])
    city.flush()
    assert screen.shown == screen.told == seen


def test_those_who_reach_the_same_share_a_feed_and_its_rows(city: City) -> None:
    first, second = city.come(EAST), city.come(who(Role.LEADER, streets=frozenset(["west"])))
    third = city.come(replace(EAST, name="another", session="another"))
    assert first.feed is third.feed is not second.feed
    city.flush()
    assert sorted(city.asked) == ["p0", "p1", "p2", "p3"], "a row is made once for those who share it"
    assert city.feeds.viewers == 3


def test_a_feed_goes_with_its_last_viewer_and_the_whole_citys_stays(city: City) -> None:
    first, second, whole = city.come(EAST), city.come(EAST), city.come(who(Role.ADMIN))
    assert len(city.feeds.all()) == 2
    for screen in (first, whole, second, second):
        screen.leave()
    assert len(city.feeds.all()) == 1
    assert city.feeds.viewers == 0
    again = city.come(EAST)
    assert again.feed.instance != first.feed.instance, "nobody goes on where another feed ended"
    again.leave()
    first.leave()
    assert city.come(who(Role.ADMIN)).feed is whole.feed


def test_who_leaves_late_leaves_the_new_feed_alone(city: City) -> None:
    old = city.come(EAST)
    old.leave()
    new = city.come(EAST)
    old.leave()
    city.flush()
    assert new.shown == {"p0", "p1"}


def test_a_unit_whose_labels_change_leaves_and_enters(city: City) -> None:
    east, west, admin = (
        city.come(EAST),
        city.come(who(Role.LEADER, streets=frozenset(["west"]))),
        city.come(who(Role.ADMIN)),
    )
    city.flush()
    city.unit("p0", "west", "one")
    city.feeds.update([UnitId("p0")])
    city.flush()
    assert (east.shown, set(east.names)) == ({"p1"}, {"p1"})
    assert west.shown == set(west.names) == {"p0", "p2", "p3"}
    assert admin.shown == ALL
    east.told.clear()
    for _ in range(3):
        city.feeds.update([UnitId("p0")])
        city.flush()
    assert "p0" not in east.told


def test_a_change_out_of_reach_is_not_felt(city: City) -> None:
    east = city.come(EAST)
    city.flush()
    city.unit("p3", "west", "two", name="renamed")
    city.unit("p9", "west", "two")
    city.flush()
    assert east.rosters == 1
    city.unit("p0", "east", "one", name="renamed")
    city.flush()
    assert (east.rosters, east.names["p0"]) == (2, "renamed")


def test_a_removed_unit_is_forgotten_everywhere(city: City) -> None:
    east, own, admin = city.come(EAST), city.come(who(Role.CREW, unit=UnitId("p0"))), city.come(who(Role.ADMIN))
    city.flush()
    city.roster.remove(UnitId("p0"))
    city.feeds.forget(UnitId("p0"))
    city.feeds.update([UnitId("p0")])
    city.flush()
    assert (east.shown, own.shown, admin.shown) == ({"p1"}, set(), ALL - {"p0"})


def test_who_is_followed_out_of_reach_is_as_one_who_does_not_exist(city: City) -> None:
    told: dict[str, list[Any]] = {"p2": [], "p7": []}
    for follow, heard in told.items():
        east = city.come(EAST)
        east.viewer.send = lambda message, heard=heard: heard.append(json.loads(message))  # type: ignore[misc]
        assert east.feed.watch(east.viewer, {"op": "watch", "box": None, "follow": follow})
    for _ in range(3):
        city.feeds.update([UnitId("p2")])
        city.flush()
    assert [one["op"] for one in told["p2"]][:1] == ["full"]
    assert told["p2"] == [{**one, **({"follow": "p2"} if "follow" in one else {})} for one in told["p7"]]


labels = st.tuples(st.sampled_from(["p0", "p1", "p2", "p3", "p4"]), st.sampled_from(STREETS), st.sampled_from(TEAMS))
accounts = st.builds(
    who,
    st.sampled_from(list(Role)),
    unit=st.sampled_from([UnitId("p0"), UnitId("p4"), UnitId("")]),
    streets=st.frozensets(st.sampled_from(STREETS), max_size=2),
    teams=st.frozensets(st.sampled_from(TEAMS), max_size=2),
)


@given(st.lists(accounts, min_size=1, max_size=4), st.lists(st.one_of(labels, st.integers(0, 3)), max_size=12))
def test_nobody_out_of_reach_is_ever_told_of(viewers: list[Who], steps: list[Any]) -> None:
    """Labels change, units are removed, viewers come and go: at every frame each shows exactly whom it reaches, and
    was never told of another."""
    city = City()
    screens: dict[int, Screen] = {}

    def expected(scope: Scope) -> set[str]:
        return {unit.id for unit in city.roster.units.values() if scope.covers(unit)}

    for step in [("p0", "east", "one"), *steps]:
        if isinstance(step, tuple):
            city.unit(*step)
            city.feeds.update([UnitId(step[0])])
        elif step in screens:
            screens.pop(step).leave()
        elif step < len(viewers):
            screens[step] = city.come(viewers[step])
        elif city.roster.units:
            gone = next(iter(city.roster.units))
            city.roster.remove(gone)
            city.feeds.forget(gone)
        allowed = {n: expected(screen.scope) for n, screen in screens.items()}
        for n, screen in screens.items():
            assert screen.told <= allowed[n], "when it came"
            screen.told.clear()
        city.flush()
        for n, screen in screens.items():
            assert screen.told <= allowed[n]
            assert screen.shown == set(screen.names) == allowed[n]
            screen.told.clear()
