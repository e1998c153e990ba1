"""Walkers stay on the streets of their grid, at a walking pace, and their GPS errs as a GPS does."""

from __future__ import annotations

import math
from random import Random
from statistics import mean

import pytest
from shapely.geometry import LineString, MultiLineString, shape
from shapely.geometry import Point as ShapelyPoint

from simulator.city import City, make_city
from simulator.walker import DRIVING, ON_FOOT, Habits, Sighting, Walker, beat_in_grid, beat_of_vehicle

START = 1_790_000_000_000


@pytest.fixture(scope="module")
def city() -> City:
    return make_city()


def collector(city: City, grid: int, seed: int = 1, habits: Habits = ON_FOOT) -> Walker:
    return Walker(beat_in_grid(city.streets, grid, city.projection), habits, Random(seed), START)


def test_the_same_chance_gives_the_same_walk(city: City) -> None:
    first, second = collector(city, 3), collector(city, 3)
    for i in range(1, 200):
        assert first.step(START + i * 5000) == second.step(START + i * 5000)


def test_every_collector_stays_on_the_streets_inside_the_grid(city: City) -> None:
    for grid, feature in enumerate(city.grids["features"]):
        ring = shape(feature["geometry"])
        streets = MultiLineString([LineString(e.path) for e in city.streets.edges if e.grid == grid])
        walker = collector(city, grid, seed=grid)
        for i in range(1, 500):
            walker.step(START + i * 7000)
            latitude, longitude = city.projection.degrees(walker.place)
            assert ring.contains(ShapelyPoint(longitude, latitude))
            assert streets.distance(ShapelyPoint(walker.place)) < 0.01


def test_what_is_reported_lies_inside_the_grid_too_nearly_always(city: City) -> None:
    inside = 0
    for grid, feature in enumerate(city.grids["features"]):
        ring, walker = shape(feature["geometry"]), collector(city, grid)
        for i in range(1, 201):
            sighting = walker.step(START + i * 5000)
            if sighting.latitude is None:
                inside += 1
            else:
                inside += ring.contains(ShapelyPoint(sighting.longitude, sighting.latitude))
    assert inside / (25 * 200) > 0.98


def test_pace_pauses_and_coverage_of_a_collector(city: City) -> None:
    walker = collector(city, 12)
    places, moving = [walker.place], 0
    for i in range(1, 3601):
        sighting = walker.step(START + i * 2000)
        places.append(walker.place)
        moved = math.dist(places[-1], places[-2])
        assert moved <= 1.4 * 2 + 1e-6
        moving += sighting.speed > 0
    assert 0.5 < moving / 3600 < 0.97
    assert len({(round(p.x / 100), round(p.y / 100)) for p in places}) > 25, "two hours should show many cells"


def test_the_error_is_some_metres_and_drifts(city: City) -> None:
    walker = collector(city, 7)
    errors, jumps, last = [], [], None
    for i in range(1, 4000):
        sighting = walker.step(START + i * 1000)
        if sighting.latitude is None or sighting.longitude is None:
            last = None
            continue
        seen = city.projection.metres(sighting.latitude, sighting.longitude)
        error = (seen.x - walker.place.x, seen.y - walker.place.y)
        errors.append(math.hypot(*error))
        if last is not None:
            jumps.append(math.dist(error, last))
        last = error
        assert sighting.accuracy is not None
        assert 1 < sighting.accuracy < 25
    assert 3 < mean(errors) < 10
    assert mean(jumps) < mean(errors) / 2
    assert max(errors) < 37


def test_indoors_there_is_no_fix_and_no_position(city: City) -> None:
    walker = collector(city, 0)
    before = walker.place
    sighting = walker.step(START + 5000, indoors=True)
    assert sighting == Sighting(
        START + 5000, "none", None, None, 0.0, sighting.course, None, sighting.altitude, sighting.battery
    )
    assert walker.place == before
    often = Habits(1.0, 1.4, 240, (15, 80), indoors_every=60, indoors=(30, 60))
    walker = collector(city, 0, habits=often)
    assert {walker.step(START + i * 5000).fix for i in range(1, 100)} >= {"none", "3d"}


def test_the_vehicle_drives_main_streets_all_over_the_town(city: City) -> None:
    main = MultiLineString([LineString(e.path) for e in city.streets.edges if e.major])
    walker = Walker(beat_of_vehicle(city.streets, city.projection), DRIVING, Random(5), START)
    grids = [shape(f["geometry"]) for f in city.grids["features"]]
    seen, fastest, last = set(), 0.0, walker.place
    for i in range(1, 2000):
        walker.step(START + i * 5000)
        fastest = max(fastest, math.dist(walker.place, last) / 5)
        last = walker.place
        assert main.distance(ShapelyPoint(walker.place)) < 0.01
        latitude, longitude = city.projection.degrees(walker.place)
        seen |= {n for n, ring in enumerate(grids) if ring.distance(ShapelyPoint(longitude, latitude)) < 1e-4}
    assert 6 <= fastest <= 9 + 1e-6
    assert len(seen) >= 15


def test_the_battery_runs_down_and_a_long_sleep_is_bounded(city: City) -> None:
    walker = collector(city, 4)
    first = walker.step(START + 1000).battery
    place = walker.place
    after = walker.step(START + 24 * 3_600_000).battery
    assert after <= first
    assert math.dist(walker.place, place) <= 1.4 * 600
    for i in range(25, 60):
        assert walker.step(START + i * 3_600_000).battery >= 1


def test_time_that_runs_backwards_moves_nobody(city: City) -> None:
    walker = collector(city, 4)
    walker.step(START + 5000)
    place = walker.place
    walker.step(START)
    assert walker.place == place
