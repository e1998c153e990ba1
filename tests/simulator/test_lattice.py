"""The lattice has the streets that its plan asks for, and its distances and ways are those of the streets."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import numpy as np
import pytest

from simulator.lattice import Lattice, LatticePlan
from simulator.street_plan import read_plan

PLAN = LatticePlan(
    seed=3, step=100.0, side=20, grid=10, main_every=5, missing=0.35,
    river_row=7, bridge_first=5, bridge_every=10, railway_column=12, crossing_first=10, crossing_every=10,
)  # fmt: skip


@pytest.fixture(scope="module")
def small() -> Lattice:
    return Lattice(PLAN)


@pytest.fixture(scope="module")
def city() -> Lattice:
    return Lattice(read_plan()[0])


def steps_by_hand(lattice: Lattice, goal: int) -> dict[int, int]:
    known, queue = {goal: 0}, deque([goal])
    while queue:
        node = queue.popleft()
        for near in lattice.ways[node]:
            if near not in known:
                known[near] = known[node] + 1
                queue.append(near)
    return known


def test_the_city_is_as_large_as_it_should_be(city: Lattice) -> None:
    assert len(city.x) == 81 * 81
    assert (city.x.max(), city.y.max()) == (8000.0, 8000.0)
    assert sorted(set(city.grid)) == list(range(64))
    assert len(city.crossings) > 0.95 * 81 * 81
    assert city.centre(0) == (500.0, 500.0)
    assert city.centre(63) == (7500.0, 7500.0)


def test_as_many_minor_streets_are_missing_as_should_be_and_no_main_one(city: Lattice) -> None:
    plan, columns = read_plan()[0], 81
    minor = there = 0
    for row in range(columns):
        for column in range(columns - 1):
            node = row * columns + column
            if column == plan.railway_column:
                continue
            if row % plan.main_every:
                minor += 1
                there += node + 1 in city.ways[node]
            else:
                assert node + 1 in city.ways[node]
    assert there / minor == pytest.approx(1 - plan.missing, abs=0.03)


def test_the_river_is_crossed_on_bridges_and_the_railway_at_crossings(small: Lattice) -> None:
    columns = PLAN.side + 1
    bridges = [
        c for c in range(columns) if (PLAN.river_row + 1) * columns + c in small.ways[PLAN.river_row * columns + c]
    ]
    assert bridges == [5, 15]
    crossings = [
        r
        for r in range(columns)
        if r * columns + PLAN.railway_column + 1 in small.ways[r * columns + PLAN.railway_column]
    ]
    assert crossings == [0, 10, 20]


def test_distances_are_the_shortest(small: Lattice) -> None:
    for goal in small.crossings[::37]:
        known = steps_by_hand(small, goal)
        steps = small.steps_to(goal)
        assert {node: int(steps[node]) for node in small.crossings} == known
        assert all(steps[node] == -1 for node in range(len(small.x)) if node not in known)


def test_a_path_is_as_long_as_the_distance_and_follows_streets(small: Lattice) -> None:
    for start in small.crossings[::29]:
        for goal in small.crossings[::41]:
            path = small.path(start, goal)
            assert (path[0], path[-1]) == (start, goal)
            assert (len(path) - 1) * small.step == small.metres(start, goal)
            assert all(b in small.ways[a] for a, b in pairwise(path))


def test_the_nearest_crossing_can_be_reached_and_is_the_nearest(small: Lattice) -> None:
    random = np.random.default_rng(1)
    x, y = random.uniform(-300, 2300, 300), random.uniform(-300, 2300, 300)
    found = small.nearest(x, y)
    assert set(found.tolist()) <= set(small.crossings)
    inside = small.nearest(small.x[small.crossings] + 30, small.y[small.crossings] - 30)
    assert inside.tolist() == small.crossings
