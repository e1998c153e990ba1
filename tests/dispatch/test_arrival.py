"""Arrival and departure over made-up walks: who comes is seen to come, who passes by is not."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.arrival import GAP, KEPT, Fix, Sighting, Watch
from dispatch.model import AttemptInput
from dispatch.rules import Arrival
from tests.dispatch.walks import (
    EBIKE,
    SPOT,
    START,
    WALK,
    Way,
    arriving,
    fix,
    metres,
    passing,
    seen,
    standing,
)

RULE = Arrival()
ARRIVE, DEPART = AttemptInput.ARRIVE, AttemptInput.DEPART


def watch(fixes: list[Fix], since: int = START, rule: Arrival = RULE) -> Watch:
    found = Watch(SPOT, since, rule)
    for one in fixes:
        found.receive_fix(one)
    return found


def arrived(fixes: list[Fix]) -> float | None:
    """Seconds."""
    at = watch(fixes).arrived
    return None if at is None else (at - START) / 1000


def steps(way: Way, *seconds: float) -> list[Fix]:
    return [fix(at, *way(at)) for at in seconds]


def every(way: Way, end: int, interval: int) -> list[Fix]:
    return steps(way, *range(0, end, interval))


# Without noise.


@pytest.mark.parametrize(("speed", "way"), [(WALK, 300.0), (EBIKE, 600.0), (8.0, 900.0)])
@pytest.mark.parametrize("interval", [1, 5, 10])
def test_who_comes_has_arrived_when_he_has_stood_there_for_a_while(speed: float, way: float, interval: int) -> None:
    entered, stopped = (way - 80) / speed, way / speed
    at = arrived(every(arriving(speed, way), round(stopped) + 90, interval))
    assert at is not None
    assert entered + 20 <= at <= stopped + 40 + interval
    assert at >= stopped


@pytest.mark.parametrize("interval", [1, 5, 10, 15, 30])
@pytest.mark.parametrize("speed", [1.05, WALK, 1.6, EBIKE, 7.0, 14.0])
@pytest.mark.parametrize("off", [0.0, 40.0, 79.0])
def test_who_passes_by_has_not_arrived(speed: float, off: float, interval: int) -> None:
    assert arrived(every(passing(speed, off), round(900 / speed), interval)) is None


def test_who_stands_there_already_has_arrived_after_the_time_that_it_takes() -> None:
    assert arrived(every(standing(30, 20), 100, 10)) == 20
    assert arrived(every(standing(30, 20), 300, 30)) == 30
    assert arrived(every(standing(30, 20), 300, 60)) == 60
    assert arrived(every(standing(81, 0), 900, 10)) is None
    # Fixes that are so rare say nothing of what was between them.
    assert arrived(every(standing(0, 0), 3600, GAP // 1000)) == GAP // 1000
    assert arrived(every(standing(0, 0), 3600, GAP // 1000 + 1)) is None


def test_one_fix_never() -> None:
    assert arrived([fix(0, 0, 0)] * 50) is None
    assert arrived([fix(0, 0, 0), fix(19.9, 0, 0)]) is None
    assert arrived([fix(0, 0, 0), fix(20, 0, 0)]) == 20
    # One of many, a block away from the others.
    strays = every(standing(300, 0), 600, 10)
    strays[30] = fix(300, 0, 0)
    assert arrived(strays) is None


def test_who_leaves_the_radius_begins_anew() -> None:
    there = standing(0, 0)
    assert arrived([*steps(there, 0, 10), fix(19, 90, 0), *steps(there, 21, 30, 40)]) is None
    assert arrived([*steps(there, 0, 10), fix(19, 90, 0), *steps(there, 21, 30, 41)]) == 41


def test_inaccurate_fixes_are_as_if_they_had_not_come() -> None:
    there = steps(standing(0, 0), 0, 10, 20)
    assert arrived([replace(one, accuracy=50.1) for one in there]) is None
    assert arrived([there[0], fix(5, 200, 0, 120.0), *there[1:]]) == 20
    assert arrived([replace(one, accuracy=None) for one in there]) == 20


def test_a_device_that_says_that_it_moves_is_believed() -> None:
    there = steps(standing(0, 0), 0, 10, 20, 30)
    there[2] = replace(there[2], speed=3.0)
    there[3] = replace(there[3], speed=0.2)
    assert arrived(there) == 30


def test_what_was_before_the_attempt_says_nothing_of_it() -> None:
    there = every(standing(0, 0), 100, 10)
    assert watch(there, since=START + 35_000).arrived == START + 60_000


def test_after_the_arrival_nothing_is_looked_for() -> None:
    found = watch(every(standing(0, 0), 60, 10))
    assert found.receive_fix(fix(100, 300, 0)) == []
    assert found.departed is None


def test_a_city_with_another_rule() -> None:
    rule = Arrival(radius_m=30, stay_s=60, accuracy_m=10, speed=0.5)
    assert watch(every(standing(29, 0), 200, 10), rule=rule).arrived == START + 60_000
    assert watch(every(standing(31, 0), 200, 10), rule=rule).arrived is None


def test_noise_may_have_hidden_that_somebody_moves() -> None:
    def slow(accuracy: float | None) -> float | None:
        return arrived([fix(at, 0.7 * at, 0, accuracy) for at in range(0, 300, 10)])

    assert slow(None) == 40
    assert slow(5.0) == 40
    assert slow(10.0) is None
    assert arrived([fix(at, 0, 0, 50.0) for at in range(0, 300, 10)]) == 30


# With noise.


@pytest.mark.parametrize("interval", [5.0, 10.0])
@pytest.mark.parametrize(("speed", "way"), [(WALK, 250.0), (EBIKE, 400.0)])
def test_real_arrivals(speed: float, way: float, interval: float, long_run: bool) -> None:
    times = []
    for seed in range(2000 if long_run else 150):
        fixes = list(seen(arriving(speed, way, seed % 30), way / speed + 200, interval, 8.0, seed))
        at = arrived(fixes)
        assert at is not None
        entered = next(one.at for one in fixes if metres(one) <= 80)
        assert at - (entered - START) / 1000 >= 20
        times.append(at - way / speed)
    times.sort()
    assert times[len(times) * 95 // 100] <= 40 + interval


@pytest.mark.parametrize("memory", [0.0, 60.0])
@pytest.mark.parametrize("interval", [5.0, 10.0, 30.0])
def test_standing_next_to_it_with_noise(interval: float, memory: float, long_run: bool) -> None:
    times = []
    for seed in range(2000 if long_run else 150):
        at = arrived(list(seen(standing(seed % 30, 0), 400, interval, 15.0, seed, memory)))
        assert at is not None
        times.append(at)
    assert sorted(times)[len(times) // 2] <= max(45 + interval, 3 * interval)


@pytest.mark.parametrize("interval", [5.0, 10.0, 30.0])
@pytest.mark.parametrize(("speed", "noise"), [(WALK, 5.0), (EBIKE, 15.0), (7.0, 15.0)])
def test_passing_by_with_noise(speed: float, noise: float, interval: float, long_run: bool) -> None:
    for seed in range(2000 if long_run else 100):
        fixes = list(seen(passing(speed, seed % 75, -150), 300 / speed, interval, noise, seed))
        assert arrived(fixes) is None, seed


def test_few_who_walk_by_with_much_noise(long_run: bool) -> None:
    count = 2000 if long_run else 200
    ways = (seen(passing(WALK, seed % 75, -150), 240, 10.0, 15.0, seed) for seed in range(count))
    assert sum(arrived(list(way)) is not None for way in ways) <= count // 20


# In any order, and more than once.


def test_fixes_that_come_late_are_put_in_their_place() -> None:
    there = steps(standing(10, 0), 0, 12, 24)
    for order in permutations(there):
        assert arrived(list(order)) == 24
    # Between two that are too far apart.
    assert arrived([fix(0, 0, 0), fix(95, 0, 0)]) is None
    assert arrived([fix(0, 0, 0), fix(95, 0, 0), fix(50, 0, 0)]) == 50
    # One that shows that he was not there meanwhile.
    assert arrived([fix(0, 0, 0), fix(15, 200, 0), fix(25, 0, 0)]) is None
    assert arrived([fix(15, 200, 0), fix(25, 0, 0), fix(0, 0, 0)]) is None


def test_two_places_at_one_time() -> None:
    there = steps(standing(0, 0), 0, 10, 20)
    other = fix(20, 500, 0, 30.0)
    assert arrived([other, *there]) == 20, "the more accurate one counts"
    assert arrived([replace(other, accuracy=3.0), *there]) is None
    one, two = fix(0, 0, 0), fix(0, 300, 0)
    for order in permutations([one, two, fix(30, 0, 0)]):
        assert arrived(list(order)) == 30


MIXED = st.lists(
    st.tuples(st.integers(0, 300), st.integers(-150, 150), st.sampled_from([5.0, 40.0, 70.0])), min_size=2, max_size=40
)


@given(rows=MIXED, seed=st.integers(0, 1000))
def test_the_same_fixes_in_any_order(rows: list[tuple[int, int, float]], seed: int) -> None:
    """Once all have come the order has made no difference, but that a stretch may have been believed of which a later
    message shows that it was interrupted."""
    fixes = [fix(at, east, 0, accuracy) for at, east, accuracy in {row[0]: row for row in rows}.values()]
    ordered = sorted(fixes)
    by_time = watch(ordered)
    mixed = fixes + fixes
    Random(seed).shuffle(mixed)
    found = watch(mixed)
    if by_time.arrived is not None:
        assert found.arrived is not None
    for at in (by_time.arrived, found.arrived):
        assert at is None or any(one.at == at and metres(one) <= 80.1 for one in fixes)
    assert watch(mixed).arrived == found.arrived


@given(rows=MIXED)
def test_arrived_is_who_was_within_the_radius_for_long_enough(rows: list[tuple[int, int, float]]) -> None:
    fixes = sorted(fix(at, east, 0, accuracy) for at, east, accuracy in {row[0]: row for row in rows}.values())
    at = watch(fixes).arrived
    if at is not None:
        usable = [one for one in fixes if one.accuracy != 70 and one.at <= at]
        before = [one for one in usable if one.at <= at - 20_000][-1:]
        stretch = before + [one for one in usable if one.at > at - 20_000]
        assert before
        assert all(metres(one) <= 80.1 for one in stretch)
        assert all(two.at - one.at <= GAP for one, two in pairwise(stretch))


def test_memory_has_a_bound() -> None:
    found = Watch(SPOT, START, RULE)
    for n in range(1000):
        found.receive_fix(fix(10 * n, 500 + n % 7, 0))
    assert len(found._fixes) == len(found._times) == KEPT
    assert found.receive_fix(fix(1, 0, 0)) == []
    assert found.receive_fix(fix(10_000, 0, 0)) == []
    assert found.receive_fix(fix(10_020, 0, 0)) == [Sighting(ARRIVE, START + 10_020_000)]


# Departure.


def test_departure_is_away_and_nearer_twice() -> None:
    found = Watch(SPOT, START, RULE)
    seen_ = [found.receive_fix(one) for one in every(arriving(1.2, 400), 100, 10)]
    assert [n for n, sightings in enumerate(seen_) if sightings] == [6]
    assert seen_[6] == [Sighting(DEPART, START + 60_000)]
    assert found.departed == START + 60_000


@pytest.mark.parametrize(
    "fixes",
    [
        every(standing(400, 0), 300, 10),
        every(lambda at: (400 + WALK * at, 0.0), 300, 10),  # the other way
        every(lambda at: (400 + 20 * (at % 20) / 10, 0.0), 300, 10),  # up and down
        [fix(0, 400, 0), fix(10, 300, 0), fix(20, 400, 0), fix(30, 300, 0), fix(40, 400, 0)],  # strays
        [fix(0, 400, 0), *(fix(at, 200, 0, 60.0) for at in range(10, 90, 10))],
    ],
)
def test_no_departure(fixes: list[Fix]) -> None:
    assert watch(fixes).departed is None


def test_departure_in_any_order() -> None:
    fixes = [*every(arriving(1.2, 400), 80, 20), fix(70, -300, 0)]
    found = {watch(list(order)).departed for order in permutations(fixes)}
    assert found == {START + 70_000}


def test_whoever_is_nearer_than_that_arrives_without_having_departed() -> None:
    found = watch(every(arriving(WALK, 40), 90, 10))
    assert found.arrived is not None
    assert found.departed is None
