"""Circles on a globe: the box leaves nobody out, anywhere; distances are those of everything else."""

from __future__ import annotations

from collections.abc import Iterator
from math import asin, atan2, cos, degrees, pi, radians, sin

import duckdb
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracker.coordinates import EARTH_RADIUS, distance
from tracker.nearby import Circle, Visit, together

E7 = 10_000_000
latitudes = st.integers(-90 * E7, 90 * E7)
longitudes = st.integers(-180 * E7, 180 * E7)
circles = st.builds(Circle, latitudes, longitudes, st.floats(1, 5000))


def away(circle: Circle, bearing: float, metres: float) -> tuple[int, int]:
    """The point so many metres from a circle's middle in this direction (radians)."""
    a, reach = radians(circle.latitude / E7), metres / EARTH_RADIUS
    b = asin(max(-1.0, min(1.0, sin(a) * cos(reach) + cos(a) * sin(reach) * cos(bearing))))
    turn = atan2(sin(bearing) * sin(reach) * cos(a), cos(reach) - sin(a) * sin(b))
    longitude = (circle.longitude + round(degrees(turn) * E7) + 180 * E7) % (360 * E7) - 180 * E7
    return round(degrees(b) * E7), longitude


@given(circles, st.floats(0, 2 * pi), st.floats(0, 1))
@example(Circle(90 * E7, 0, 5000), 1.0, 1.0)
@example(Circle(-90 * E7 + 3, 180 * E7, 5000), 3.0, 0.5)
@example(Circle(0, 180 * E7, 5000), pi / 2, 1.0)
@example(Circle(0, -180 * E7, 5000), -pi / 2, 0.0)
def test_nobody_inside_is_left_out(circle: Circle, bearing: float, part: float) -> None:
    latitude, longitude = away(circle, bearing, circle.radius * part * 0.999999)
    for same in {longitude, -longitude} if abs(longitude) == 180 * E7 else {longitude}:
        assert distance(circle.latitude, circle.longitude, latitude, same) <= circle.radius + 0.02
        assert circle.within(np.array([latitude]), np.array([same])).all()
    for south, west, north, east in circle.boxes():
        assert -90 * E7 <= south <= north <= 90 * E7
        assert -180 * E7 <= west <= east <= 180 * E7


@given(circles)
def test_a_box_is_not_much_larger_than_its_circle(circle: Circle) -> None:
    for south, west, north, east in circle.boxes():
        assert (north - south) * EARTH_RADIUS * radians(1 / E7) <= 2 * circle.radius + 0.2
        if abs(circle.latitude) < 80 * E7:
            narrowest = cos(radians((abs(circle.latitude) + 500_000) / E7))
            assert (east - west) * EARTH_RADIUS * radians(1 / E7) * narrowest <= 2.1 * circle.radius + 0.2


@pytest.fixture(scope="module")
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        yield opened


@given(circles, st.lists(st.tuples(latitudes, longitudes), min_size=1, max_size=20))
def test_the_database_measures_as_everything_else_does(
    db: duckdb.DuckDBPyConnection, circle: Circle, points: list[tuple[int, int]]
) -> None:
    points = [*points, (circle.latitude, circle.longitude)]
    given_latitudes, given_longitudes = (np.array(values, np.int32) for values in zip(*points, strict=True))
    db.register("points", {"latitude": given_latitudes, "longitude": given_longitudes})
    found = db.execute(f"SELECT {circle.distance_sql()} AS m, {circle.box_sql()} AS b FROM points").fetchnumpy()
    for metres, point in zip(found["m"].tolist(), points, strict=True):
        # On the other side of the world an arcsine is steep.
        expected = distance(circle.latitude, circle.longitude, *point)
        assert metres == pytest.approx(expected, rel=1e-9, abs=1e-6 if expected < 1e7 else 1.0)
    assert found["b"].tolist() == circle.within(given_latitudes, given_longitudes).tolist()


def test_visits_of_several_days_come_together() -> None:
    visits = [
        Visit("p2", 1, 0, 50, 50, 7.0, 50),
        Visit("p1", 3, 1, 10, 30, 9.5, 20),
        Visit("p1", 2, 2, 110, 130, 9.5, 110),
        Visit("p2", 1, 0, 40, 40, 8.0, 40),
    ]
    assert together(visits) == [Visit("p2", 2, 0, 40, 50, 7.0, 50), Visit("p1", 5, 3, 10, 130, 9.5, 20)]
