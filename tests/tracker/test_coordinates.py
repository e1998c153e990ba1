"""Coordinate systems against published values, and their inverses against themselves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.coordinates import (
    EARTH_RADIUS,
    bd09_to_gcj02,
    distance,
    gcj02_to_bd09,
    gcj02_to_wgs84,
    wgs84_to_gcj02,
)

# A metre is about 9e-6 degrees; published values have 11 decimals and more.
EXACT = 1e-10
CENTIMETRE = 9e-8

inside = st.tuples(st.floats(1.5, 55.0), st.floats(73.0, 137.0))


@pytest.mark.parametrize(
    ("wgs84", "gcj02"),
    [
        ((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215)),
        ((39.911954, 116.377817), (39.91334545536069, 116.38404722455657)),
        ((22.543847, 113.912316), (22.540796131694766, 113.9171764808363)),
        ((39.915, 116.404), (39.91640428150164, 116.41024449916938)),
    ],
)
def test_gcj02_of_published_points(wgs84: tuple[float, float], gcj02: tuple[float, float]) -> None:
    assert wgs84_to_gcj02(*wgs84) == pytest.approx(gcj02, abs=EXACT)
    assert gcj02_to_wgs84(*gcj02) == pytest.approx(wgs84, abs=1e-9)


def test_bd09_of_published_points() -> None:
    assert gcj02_to_bd09(39.915, 116.404) == pytest.approx((39.92133699351021, 116.41036949371029), abs=EXACT)
    assert bd09_to_gcj02(39.915, 116.404) == pytest.approx((39.90865673957631, 116.39762729119315), abs=EXACT)


@given(inside)
def test_the_way_back_from_gcj02_is_exact_to_a_centimetre(point: tuple[float, float]) -> None:
    assert gcj02_to_wgs84(*wgs84_to_gcj02(*point)) == pytest.approx(point, abs=CENTIMETRE)


@given(inside)
def test_the_way_back_from_bd09_is_good_to_two_metres(point: tuple[float, float]) -> None:
    latitude, longitude = bd09_to_gcj02(*gcj02_to_bd09(*point))
    north = math.radians(latitude - point[0]) * EARTH_RADIUS
    east = math.radians(longitude - point[1]) * EARTH_RADIUS * math.cos(math.radians(point[0]))
    assert math.hypot(north, east) < 2


@given(inside)
def test_the_shift_is_hundreds_of_metres_and_never_a_kilometre(point: tuple[float, float]) -> None:
    latitude, longitude = wgs84_to_gcj02(*point)
    assert 20 < distance(*(round(v * 1e7) for v in (*point, latitude, longitude))) < 1000


@pytest.mark.parametrize("point", [(0.8, 116.0), (55.9, 116.0), (39.9, 72.0), (39.9, 137.9), (-33.9, 151.2)])
def test_nothing_is_shifted_outside_the_box(point: tuple[float, float]) -> None:
    assert wgs84_to_gcj02(*point) == point
    assert gcj02_to_wgs84(*point) == point


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        ((0, 0), (0, 0), 0.0),
        ((0, 0), (10_000_000, 0), 111_195.08),  # one degree of a sphere of mean radius
        ((0, 0), (0, 10_000_000), 111_195.08),
        ((600_000_000, 0), (600_000_000, 10_000_000), 55_597.0),
        ((0, 0), (0, 1_800_000_000), math.pi * EARTH_RADIUS),
        ((0, 1_799_999_000), (0, -1_799_999_000), 22.24),  # across the date line
    ],
)
def test_distance(a: tuple[int, int], b: tuple[int, int], metres: float) -> None:
    assert distance(*a, *b) == pytest.approx(metres, rel=1e-4, abs=0.01)
    assert distance(*b, *a) == distance(*a, *b)
