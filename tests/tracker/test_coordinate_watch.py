"""A forgotten coordinate system is told, an honest device never is, and the suspicion goes when it is mended."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.areas import AreaIndex, read_areas
from tracker.coordinate_watch import LEAST, SYSTEMS, CoordinateWatch, as_sent, read_as
from tracker.model import DeviceId, Mark, UnitId
from tracker.pipeline import UnitState
from tracker.roster import Roster

SOUTH, WEST = 31.20, 121.40
SIDE = 0.0090, 0.0105  # a kilometre
START = 1_750_000_000_000
UNIT, DEVICE = UnitId("p1"), DeviceId("d1")


def square(row: int, column: int) -> dict[str, object]:
    south, west = SOUTH + row * SIDE[0], WEST + column * SIDE[1]
    ring = [[west, south], [west + SIDE[1], south], [west + SIDE[1], south + SIDE[0]], [west, south + SIDE[0]]]
    properties = {"id": f"g{row}{column}"}
    geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


AREAS = AreaIndex(
    read_areas(
        {"type": "FeatureCollection", "features": [square(row, column) for row in range(5) for column in range(5)]}
    )
)


class Walk:
    """A collector in the middle grid whose device sends one system and is registered for another."""

    def __init__(self, sends: str, declared: str, grid: str = "g22", seed: int = 1) -> None:
        self.roster = Roster()
        for change in self.roster.plan_units([{"id": "p1", "name": "A", "grid": grid}]):
            self.roster.apply(change)
        _, changes = self.roster.plan_device(
            {"protocol": "osmand", "external_id": "100", "unit": "p1", "coordinates": declared}
        )
        for change in changes:
            self.roster.apply(change)
        self.watch = CoordinateWatch(lambda: AREAS)
        self.sends, self.now, self.chance = sends, START, Random(seed)
        self.looked = 0

    def amend(self, coordinates: str) -> None:
        for change in self.roster.plan_amendment(DEVICE, {"coordinates": coordinates})[1]:
            self.roster.apply(change)

    @property
    def declared(self) -> str:
        return self.roster.devices[DEVICE].coordinates

    @property
    def suspected(self) -> str | None:
        return self.watch.suspected(DEVICE, self.declared)

    def be(self, latitude: float, longitude: float, after_ms: int = 30_000) -> None:
        """The unit really is there, and its device says so in its own system."""
        self.now += after_ms
        read = read_as(self.declared, *as_sent(self.sends, latitude, longitude))
        state = UnitState(UNIT)
        state.device, state.fix_time = DEVICE, self.now
        state.latitude, state.longitude = round(read[0] * 1e7), round(read[1] * 1e7)
        state.marks = 0 if self.declared == "wgs84" else int(Mark.CONVERTED)
        self.watch.look([UNIT], {UNIT: state}, self.roster)

    def work(self, points: int, row: int = 2, column: int = 2) -> None:
        for _ in range(points):
            self.be(SOUTH + (row + self.chance.random()) * SIDE[0], WEST + (column + self.chance.random()) * SIDE[1])


@pytest.mark.parametrize("sends", SYSTEMS)
@pytest.mark.parametrize("declared", SYSTEMS)
@pytest.mark.parametrize("seed", range(10))
def test_what_is_sent_is_found_whatever_was_declared(sends: str, declared: str, seed: int) -> None:
    walk = Walk(sends, declared, seed=seed)
    walk.work(40)
    assert walk.suspected == (None if sends == declared else sends)
    assert walk.watch.all(walk.roster) == ([] if sends == declared else [DEVICE])


def test_not_before_enough_points() -> None:
    walk = Walk("gcj02", "wgs84")
    walk.work(LEAST - 1)
    assert walk.suspected is None
    walk.work(21)
    assert walk.suspected == "gcj02"


def test_it_goes_at_once_when_the_device_is_amended_and_stays_away() -> None:
    walk = Walk("gcj02", "wgs84")
    walk.work(40)
    walk.amend("gcj02")
    assert walk.suspected is None
    assert walk.watch.all(walk.roster) == []
    walk.work(40)
    assert walk.suspected is None
    walk.amend("wgs84")
    walk.work(40)
    assert walk.suspected == "gcj02"


def test_it_goes_when_the_points_fit() -> None:
    walk = Walk("gcj02", "wgs84")
    walk.work(40)
    walk.sends = "wgs84"  # the phone was set right instead
    walk.work(40)
    assert walk.suspected is None


def test_who_sits_is_one_point_and_who_reports_fast_too() -> None:
    walk = Walk("gcj02", "wgs84")
    for _ in range(200):
        walk.be(SOUTH + 2.5 * SIDE[0], WEST + 2.9 * SIDE[1], after_ms=5_000)
    assert walk.suspected is None
    for _ in range(LEAST):
        walk.be(SOUTH + 2.5 * SIDE[0], WEST + 2.9 * SIDE[1], after_ms=180_000)
    assert walk.suspected == "gcj02"


@pytest.mark.parametrize(("row", "column"), [(2, 3), (1, 2), (4, 4), (0, 2)])
def test_an_honest_device_that_also_works_next_door_is_not_suspected(row: int, column: int) -> None:
    walk = Walk("wgs84", "wgs84")
    for _ in range(20):
        walk.work(3)
        walk.work(2, row, column)
        assert walk.suspected is None


def test_who_works_elsewhere_is_not_suspected() -> None:
    walk = Walk("gcj02", "wgs84")
    walk.work(60, 4, 4)
    assert walk.suspected is None


def test_units_without_a_grid_and_reports_that_say_their_system_are_left_alone() -> None:
    walk = Walk("gcj02", "wgs84", grid="")
    walk.work(60)
    assert walk.suspected is None
    walk = Walk("gcj02", "wgs84")
    for _ in range(60):
        walk.now += 60_000
        state = UnitState(UNIT)
        state.device, state.fix_time, state.marks = DEVICE, walk.now, int(Mark.CONVERTED)
        state.latitude, state.longitude = round((SOUTH + 2.5 * SIDE[0]) * 1e7), round((WEST + 3.2 * SIDE[1]) * 1e7)
        walk.watch.look([UNIT], {UNIT: state}, walk.roster)
    assert walk.suspected is None


def test_points_that_say_little_are_not_counted() -> None:
    walk = Walk("gcj02", "wgs84")
    state = UnitState(UNIT)
    for number in range(60):
        state.device, state.fix_time, state.accuracy = DEVICE, START + number * 600_000, 1500
        state.latitude, state.longitude = round((SOUTH + 2.5 * SIDE[0]) * 1e7), round((WEST + 3.2 * SIDE[1]) * 1e7)
        walk.watch.look([UNIT, UnitId("nobody")], {UNIT: state}, walk.roster)
    assert walk.suspected is None


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SYSTEMS), st.floats(18.0, 53.0), st.floats(74.0, 134.0))
def test_what_was_sent_is_found_again(system: str, latitude: float, longitude: float) -> None:
    back = read_as(system, *as_sent(system, latitude, longitude))
    # BD-09 has no exact way back; a metre does not matter here
    assert back == pytest.approx((latitude, longitude), abs=2e-5 if system == "bd09" else 1e-7)
