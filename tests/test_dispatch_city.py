"""The product's rule in the simulated city: it asks whom it may, and people are there in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bench.dispatch_city import SPEEDS, held, minutes, owner_always, share
from bench.dispatch_desk import Desk
from bench.dispatch_posts import Posts
from dispatch.ranking import Weights
from simulator.lattice import Lattice
from simulator.street_day import Seen, StreetDay, Waiting
from simulator.street_plan import plan_day, read_plan

CITY, CUSTOMS = read_plan()
SMALL = replace(CITY, side=30, grid=10, river_row=12, bridge_first=5, bridge_every=10, railway_column=17)
SPEED = SPEEDS["ebike"]


@pytest.fixture(scope="module")
def small() -> Lattice:
    return Lattice(SMALL)


def somebody(number: int, x: float, y: float, *committed: int, resting: bool = False, suspect: bool = False) -> Seen:
    return Seen(number, x, y, 5.0, resting, suspect, committed, None)


def task(lattice: Lattice, number: int, x: int, y: int, **refused: float) -> Waiting:
    crossing = y // 100 * (SMALL.side + 1) + x // 100
    return Waiting(number, crossing, lattice.grid[crossing], 0.0, 1800.0, {int(n[1:]): at for n, at in refused.items()})


def test_a_day_of_the_product_is_in_time() -> None:
    lattice = Lattice(CITY)
    visits = StreetDay(lattice, CUSTOMS, plan_day(lattice, CUSTOMS, 1, 16.0), "ebike", Desk(lattice, SPEED)).run()
    assert minutes(visits) < 7.2
    assert share(visits) > 98.0
    assert held(visits) <= Weights().backlog


@pytest.mark.parametrize("by_roads", [False, True])
def test_nobody_is_asked_who_may_not_be(small: Lattice, by_roads: bool) -> None:
    customs, asked = replace(CUSTOMS, hours=1.0, rush=(), lunch=(900.0, 1800.0), lunch_length=600.0, absent=0.2), []
    desk = Desk(small, SPEED, by_roads)

    def rule(now: float, tasks: Sequence[Waiting], people: Sequence[Seen]) -> list[tuple[int, int]]:
        found = desk(now, tasks, people)
        known, open = {who.number: who for who in people}, {one.number: one for one in tasks}
        load = {who.number: len(who.committed) for who in people}
        for number, n in found:
            load[n] += 1
            assert load[n] <= Weights().backlog
            assert not known[n].resting
            assert not known[n].suspect
            assert open[number].refused.get(n, 0.0) <= now
        asked.extend(found)
        return found

    visits = StreetDay(small, customs, plan_day(small, customs, 3, 4.0), "ebike", rule).run()
    assert len(visits) > 20
    assert len(asked) >= len(visits)


def test_the_round_goes_on_until_nobody_is_asked_any_more(small: Lattice) -> None:
    one = somebody(4, 1500, 1500)
    tasks = [task(small, n, 1400 + 100 * n, 1500) for n in range(5)]
    assert sorted(who for _, who in Desk(small, SPEED)(10.0, tasks, [one])) == [4] * Weights().backlog


def test_whom_the_river_keeps_away_is_not_asked_where_streets_are_known(small: Lattice) -> None:
    # The task is at the north bank in the middle between two bridges; 400 m away, over the river, somebody stands.
    opposite, beside = somebody(1, 1000, 1000), somebody(7, 1000, 2200)
    place = task(small, 0, 1000, 1400)
    over = small.metres(10 * (SMALL.side + 1) + 10, place.crossing)
    assert over > small.metres(22 * (SMALL.side + 1) + 10, place.crossing)
    assert Desk(small, SPEED)(10.0, [place], [opposite, beside]) == [(0, 1)]
    assert Desk(small, SPEED, by_roads=True)(10.0, [place], [opposite, beside]) == [(0, 7)]


def test_where_nobody_is_near_the_next_level_looks_further(small: Lattice) -> None:
    far = somebody(8, 2900, 2900)
    desk, place = Desk(small, SPEED), task(small, 0, 1500, 1500)
    assert desk(10.0, [place], [far]) == [(0, 8)]  # 1980 m: nobody within the first cap, and at once the second
    desk, place = Desk(small, SPEED), task(small, 0, 0, 0)
    assert desk(10.0, [place], [far]) == []  # 4101 m
    assert desk(10.0 + 600.0, [place], [far]) == []
    assert desk(10.0 + 600.0, [place], [somebody(8, 2700, 2700)]) == [(0, 8)]  # 3818 m, after two levels by time


def test_who_said_no_is_passed_over_for_a_quarter_of_an_hour(small: Lattice) -> None:
    near, other = somebody(4, 1500, 1500), somebody(5, 2300, 1500)
    desk = Desk(small, SPEED)
    assert desk(10.0, [task(small, 0, 1500, 1500)], [near, other]) == [(0, 4)]
    assert desk(40.0, [task(small, 0, 1500, 1500, n4=935.0)], [near, other]) == [(0, 5)]
    assert desk(936.0, [task(small, 0, 1500, 1500, n4=935.0)], [near, other]) == [(0, 4)]


def test_the_owner_is_waited_for_and_stood_in_for_by_who_is_nearest(small: Lattice) -> None:
    place = task(small, 0, 1900, 1500)  # of grid 4, near 5
    four, five = somebody(4, 1500, 1500), somebody(5, 2500, 1500)
    rule = owner_always(small, SPEED)
    assert rule(10.0, [place], [four, five]) == [(0, 4)]
    assert rule(10.0, [place], [replace(four, resting=True), five]) == []
    assert rule(10.0, [place], [replace(four, suspect=True), five]) == []
    assert rule(10.0, [place], [somebody(1, 1500, 500), five]) == [(0, 5)]
    assert rule(10.0, [task(small, 0, 1900, 1500, n4=900.0)], [four, five]) == [(0, 5)]
    assert owner_always(small, SPEED, 60.0)(10.0, [place], [four, five]) == []


def test_posts_are_in_the_own_grid_or_next_to_it_and_go_where_more_is_asked(small: Lattice) -> None:
    posts = Posts(small, SPEED, Desk(small, SPEED))
    people = [somebody(n, *small.centre(n)) for n in range(9) if n != 4]
    before = posts.give(people)
    posts(10.0, [task(small, n, 1500 + n % 5 * 100, 1500) for n in range(60)], [])
    after = posts.give(people)
    assert set(before) == set(after) == set(range(9)) - {4}
    middle = small.centre(4)

    def away(n: int, crossing: int) -> float:
        return float(max(abs(small.x[crossing] - small.centre(n)[0]), abs(small.y[crossing] - small.centre(n)[1])))

    assert all(away(n, crossing) <= 1600 for n, crossing in after.items())
    near = [
        sum(abs(small.x[at] - middle[0]) + abs(small.y[at] - middle[1]) for at in found.values())
        for found in (before, after)
    ]
    assert near[1] < near[0]
    busy = [replace(one, committed=(45,)) if one.number == 3 else one for one in people]
    busy = [replace(one, resting=True) if one.number == 5 else one for one in busy]
    assert set(posts.give(busy)) == set(range(9)) - {3, 4, 5}


def test_whoever_is_idle_is_at_his_post(small: Lattice) -> None:
    customs = replace(CUSTOMS, hours=1.0, rush=(), lunch=(20_000.0,), absent=0.0)
    rule, post = Desk(small, SPEED), max(small.crossings)
    plan = plan_day(small, customs, 3, 0.5)
    day = StreetDay(small, customs, plan, "ebike", rule, lambda people: {8: post})
    visits = [visit for visit in day.run() if visit.by == 8]
    last = max((visit.done for visit in visits), default=0.0)
    assert day.place(8, last + 4000.0) == (small.x[post], small.y[post])
