"""Seconds between two spots, and what trips say of a city's streets."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.model import Spot
from dispatch.travel import DETOUR, DETOUR_LEAST, DETOUR_MOST, SPEEDS, TRIPS, Detours, Travel, places
from tests.dispatch.street import at
from tracker.coordinates import distance

E7 = 10_000_000


@pytest.mark.parametrize(
    ("mode", "seconds"), [("walk", 1000 * 1.35 / 1.25), ("ebike", 1000 * 1.35 / 3.3), ("vehicle", 1000 * 1.35 / 7)]
)
def test_a_kilometre(mode: str, seconds: float) -> None:
    assert Travel().seconds(at(0), at(600, 800), mode) == pytest.approx(seconds, rel=1e-4)
    assert Travel({mode: 1.5}).seconds(at(0), at(600, 800), mode) == pytest.approx(seconds * 1.5 / 1.35, rel=1e-4)


@given(
    st.integers(-89 * E7, 89 * E7), st.integers(-180 * E7, 180 * E7), st.integers(-E7 // 20, E7 // 20),
    st.integers(-E7 // 20, E7 // 20),
)  # fmt: skip
def test_the_line_is_as_long_as_the_great_circle(latitude: int, longitude: int, north: int, east: int) -> None:
    a, b = Spot(latitude, longitude), Spot(latitude + north, longitude + east)
    ends = places([a, b])
    line = float(np.sqrt(((ends[0] - ends[1]) ** 2).sum())) / 1000
    assert line == pytest.approx(distance(a.latitude, a.longitude, b.latitude, b.longitude), rel=1e-6, abs=0.003)


def test_no_places() -> None:
    assert places([]).shape == (0, 3)


def trips(detours: Detours, factor: float, count: int, mode: str = "ebike", seed: int = 1) -> None:
    chance = random.Random(seed)
    for _ in range(count):
        end = at(chance.uniform(300, 2000), chance.uniform(-2000, 2000))
        straight = Travel({mode: factor}).seconds(at(0), end, mode)
        assert detours.add(at(0), end, straight * chance.uniform(0.88, 1.12), mode)


def test_a_city_begins_with_the_usual_factor() -> None:
    assert Detours().travel() == Travel(dict.fromkeys(SPEEDS, DETOUR))


@pytest.mark.parametrize("factor", [1.15, 1.35, 1.8])
def test_what_trips_say_is_learnt_for_their_mode_alone(factor: float) -> None:
    detours = Detours()
    trips(detours, factor, 300)
    assert detours.factor("ebike") == pytest.approx(factor, rel=0.03)
    assert detours.factor("walk") == DETOUR


def test_a_few_trips_change_little() -> None:
    detours = Detours()
    trips(detours, 2.4, 5)
    assert detours.factor("ebike") == pytest.approx(DETOUR, abs=0.01)


def test_a_third_may_be_nonsense() -> None:
    detours, chance = Detours(), random.Random(2)
    trips(detours, 1.5, 200)
    for _ in range(100):
        detours.add(at(0), at(1000), chance.choice((170.0, 1500.0)), "ebike")
    assert detours.factor("ebike") == pytest.approx(1.5, rel=0.06)


@pytest.mark.parametrize(
    ("metres", "seconds", "mode"),
    [
        (150, 60.0, "ebike"),  # no way to speak of
        (1000, 4000.0, "ebike"),  # he had lunch
        (1000, 10.0, "ebike"),  # somebody has set a clock
        (1000, -300.0, "ebike"),
        (1000, float("nan"), "ebike"),
        (1000, 400.0, "boat"),
    ],
)
def test_what_says_nothing_is_not_counted(metres: float, seconds: float, mode: str) -> None:
    assert not Detours().add(at(0), at(metres), seconds, mode)


@given(st.lists(st.tuples(st.floats(0, 5000), st.floats(0, 20_000)), max_size=60))
def test_it_stays_within_bounds(told: list[tuple[float, float]]) -> None:
    detours = Detours()
    for metres, seconds in told:
        detours.add(at(0), at(metres), seconds, "walk")
    assert DETOUR_LEAST <= detours.factor("walk") <= DETOUR_MOST


def test_a_city_that_changes_is_learnt_anew() -> None:
    detours = Detours()
    trips(detours, 1.9, 2 * TRIPS)
    trips(detours, 1.2, TRIPS, seed=3)
    assert detours.factor("ebike") == pytest.approx(1.2, rel=0.03)
