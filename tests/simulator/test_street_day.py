"""A day in the lattice city: the same seed gives the same day, no task is lost, nobody is at two places."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from simulator.lattice import Lattice
from simulator.lattice_walk import LatticeWalk
from simulator.street_day import Seen, StreetDay, Waiting
from simulator.street_plan import Customs, DayPlan, plan_day, read_plan

PLAN = replace(
    read_plan()[0], side=30, grid=10, river_row=12, bridge_first=5, bridge_every=10, railway_column=17
)  # fmt: skip
CUSTOMS = replace(read_plan()[1], hours=2.0, rush=(0.5,), lunch=(2400.0, 4200.0), lunch_length=600.0, absent=0.2)
SPEED = CUSTOMS.speeds["ebike"]


@pytest.fixture(scope="module")
def lattice() -> Lattice:
    return Lattice(PLAN)


def plan(lattice: Lattice, seed: int = 1, load: float = 6.0, customs: Customs = CUSTOMS) -> DayPlan:
    return plan_day(lattice, customs, seed, load)


class Watching:
    """A rule that asks the first who may be asked, and writes down what it sees."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, tuple[Waiting, ...], tuple[Seen, ...]]] = []
        self.offers: list[tuple[float, int, int]] = []

    def __call__(self, now: float, tasks: Sequence[Waiting], people: Sequence[Seen]) -> list[tuple[int, int]]:
        self.seen.append((now, tuple(tasks), tuple(people)))
        found = []
        for task in tasks:
            able = [w for w in people if not w.resting and not w.suspect and task.refused.get(w.number, 0) <= now]
            if able:
                found.append((task.number, min(able, key=lambda w: (len(w.committed), w.number)).number))
        self.offers += [(now, task, who) for task, who in found]
        return found


def test_the_same_seed_gives_the_same_day_and_another_another(lattice: Lattice) -> None:
    ends = [StreetDay(lattice, CUSTOMS, plan(lattice, seed), "ebike", Watching()).run() for seed in (1, 1, 2)]
    assert ends[0] == ends[1]
    assert ends[0] != ends[2]


def test_every_task_is_done_once_and_in_order(lattice: Lattice) -> None:
    day, rule = plan(lattice), Watching()
    visits = StreetDay(lattice, CUSTOMS, day, "ebike", rule).run()
    assert [visit.errand for visit in visits] == list(day.errands)
    asked = Counter(task for _, task, _ in rule.offers)
    for visit in visits:
        errand = visit.errand
        assert errand.created < visit.accepted <= visit.departed <= visit.arrived < visit.done < math.inf
        assert visit.done - visit.arrived == pytest.approx(errand.scene)
        assert visit.by not in day.absent
        assert visit.asked == asked[errand.number]
        holders = [who for _, task, who in rule.offers if task == errand.number]
        assert holders[-1] == visit.by
        assert visit.on_time == (visit.done - errand.created <= errand.limit)
    assert any(visit.asked > 1 for visit in visits)


def test_nobody_is_at_two_places(lattice: Lattice) -> None:
    day = StreetDay(lattice, CUSTOMS, plan(lattice), "ebike", Watching())
    visits = day.run()
    people = {visit.by for visit in visits}
    for who in people:
        own = sorted((v for v in visits if v.by == who), key=lambda v: v.departed)
        assert all(before.done <= after.departed for before, after in pairwise(own))
        for visit in own:
            spot = (lattice.x[visit.errand.crossing], lattice.y[visit.errand.crossing])
            for moment in (visit.arrived, (visit.arrived + visit.done) / 2, visit.done):
                assert day.place(who, moment) == pytest.approx(spot, abs=0.01)
        for second in range(0, 7200, 5):
            a, b = day.place(who, second), day.place(who, second + 5)
            # A trip may be quicker than one would expect by the spread.
            assert math.dist(a, b) <= 5 * SPEED / (1 - CUSTOMS.spread) + 0.01


def test_a_trip_takes_the_streets_at_the_speed_of_the_mode(lattice: Lattice) -> None:
    for mode, speed in CUSTOMS.speeds.items():
        day = StreetDay(lattice, CUSTOMS, plan(lattice), mode, Watching())
        for visit in day.run():
            x, y = day.place(visit.by, visit.departed)
            crow = math.dist((x, y), (lattice.x[visit.errand.crossing], lattice.y[visit.errand.crossing]))
            assert (visit.arrived - visit.departed) * speed / visit.errand.pace >= crow - 0.01


def test_a_task_is_open_or_held_by_one(lattice: Lattice) -> None:
    rule = Watching()
    StreetDay(lattice, CUSTOMS, plan(lattice), "ebike", rule).run()
    for now, tasks, people in rule.seen:
        assert all(task.created <= now for task in tasks)
        assert len({task.number for task in tasks}) == len(tasks)
        assert [who.number for who in people] == sorted({who.number for who in people})


def test_what_is_seen_is_late_and_wrong_by_what_it_should_be(lattice: Lattice) -> None:
    calm = replace(CUSTOMS, offline_spells=0, noise=0.0, outliers=0.0)
    rule = Watching()
    day = StreetDay(lattice, calm, plan(lattice, customs=calm), "ebike", rule)
    day.run()
    for now, _, people in rule.seen:
        for who in people:
            assert 0 <= who.age <= calm.every + 0.001
            if now > calm.every:
                assert (who.x, who.y) == pytest.approx(day.place(who.number, now - who.age))
    rule = Watching()
    StreetDay(lattice, CUSTOMS, plan(lattice), "ebike", rule).run()
    ages = [who.age for _, _, people in rule.seen for who in people]
    assert CUSTOMS.every < max(ages) <= 2 * CUSTOMS.offline_most + CUSTOMS.every


def test_people_eat_and_are_seen_to(lattice: Lattice) -> None:
    rule = Watching()
    StreetDay(lattice, CUSTOMS, plan(lattice, load=30), "ebike", rule).run()
    people = {who.number for _, _, seen in rule.seen for who in seen}
    rested = {who.number for _, _, seen in rule.seen for who in seen if who.resting}
    assert rested == people
    assert not [1 for now, _, seen in rule.seen for who in seen if who.resting and now < CUSTOMS.lunch[0]]


def test_a_device_without_a_network_is_not_reached_and_its_owner_suspect(lattice: Lattice) -> None:
    gone = replace(CUSTOMS, offline_spells=1, offline_least=7200.0, offline_most=7200.0, absent=0.0)
    drawn = plan(lattice, customs=gone)
    drawn = replace(drawn, offline=(((0.0, 3600.0),), *((),) * (len(drawn.offline) - 1)))
    rule = Watching()
    visits = StreetDay(lattice, gone, drawn, "ebike", rule).run()
    holders = {visit.by for visit in visits if visit.accepted < 3600}
    assert holders
    assert 0 not in holders
    suspects = [(now, who.suspect) for now, _, people in rule.seen for who in people if who.number == 0]
    assert any(suspect for now, suspect in suspects if now < 3600)
    assert not any(suspect for now, suspect in suspects if now > 3600 + gone.every)


def test_who_refused_is_not_offered_it_again_soon(lattice: Lattice) -> None:
    unwilling = replace(CUSTOMS, accepted=0.5, declined=0.3)
    rule = Watching()
    StreetDay(lattice, unwilling, plan(lattice, customs=unwilling), "ebike", rule).run()
    refused = [task for _, tasks, _ in rule.seen for task in tasks if task.refused]
    assert refused
    assert {len(task.refused) for task in refused} > {1}


def test_all_policies_meet_the_same_day(lattice: Lattice) -> None:
    first, second = plan(lattice, 5), plan(lattice, 5)
    assert first.errands == second.errands
    assert first.offline == second.offline
    assert (first.errors == second.errors).all()


def test_tasks_come_as_often_as_they_should_and_more_in_the_rush() -> None:
    streets, customs = read_plan()
    city = Lattice(streets)
    days = [plan_day(city, customs, seed, 16.0) for seed in range(4)]
    assert sum(len(day.errands) for day in days) == pytest.approx(4 * 64 * 16, rel=0.05)
    hours = Counter(int(errand.created // 3600) for day in days for errand in day.errands)
    assert set(hours) == set(range(8))
    rush = [hours[int(hour)] for hour in customs.rush]
    calm = [count for hour, count in hours.items() if hour not in customs.rush]
    assert sum(rush) / len(rush) / (sum(calm) / len(calm)) == pytest.approx(customs.rush_factor, rel=0.15)
    assert {errand.limit for day in days for errand in day.errands} == set(customs.limits)


def test_a_patrol_keeps_to_its_grid_and_comes_back_to_it() -> None:
    small = Lattice(PLAN)
    beat = [node for node in small.crossings if small.grid[node] == 0]
    walk = LatticeWalk(small, beat, 1.0, Random(4))
    for second in range(0, 3600, 10):
        x, y = walk.place(second)
        assert x <= 900
        assert y <= 900
    goal = max(small.crossings)
    there = walk.go(3600, goal, 3.0)
    assert walk.place(there) == pytest.approx((small.x[goal], small.y[goal]))
    walk.patrol(there + 60, 3.0)
    x, y = walk.place(there + 3600)
    assert x <= 900
    assert y <= 900
    # On the way something else comes up: it turns where it is.
    walk.go(there + 7200, goal, 3.0)
    before = walk.place(there + 7250)
    walk.stand(there + 7250)
    assert walk.place(there + 7250) == pytest.approx(before)
    assert walk.place(there + 9000) == pytest.approx(before)
