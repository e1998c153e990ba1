"""What may enter: duty at the fix time, possible times and places, coordinate systems."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.report import ALARM_SOS, CoordinateSystem
from tests.tracker.helpers import LAT, LON, NOON, report
from tracker.admission import EARLIEST, LATEST, admit
from tracker.coordinates import distance
from tracker.model import Device, DeviceId, Duty, Mark, Unit, UnitId
from tracker.record import REPORT, ReportRecord
from tracker.roster import Carrier

P1 = UnitId("p1")


def carrier(*duties: tuple[int, int], authenticated: bool = True) -> Carrier:
    intervals = tuple(Duty(P1, number, start, end) for number, (start, end) in enumerate(duties, 1))
    device = Device(DeviceId("d1"), "handheld", "h1", P1)
    return Carrier(device, Unit(P1, "person", "One"), intervals, authenticated)


ALWAYS = carrier((0, 1 << 62))


def admitted(what: Any, by: Carrier = ALWAYS, now: int = NOON) -> ReportRecord:
    found = admit(what, by, now)
    assert isinstance(found, tuple), found
    return ReportRecord._make(found)


def test_the_record_says_all_that_the_report_said() -> None:
    given = report(
        NOON - 5000, altitude=12, speed=340, course=271, accuracy=45, status=3, alarm=2, device_time=NOON - 10,
        items={"battery": 55},
    )  # fmt: skip
    assert admitted(given) == ReportRecord(
        REPORT, "d1", "p1", 1, NOON, NOON - 10, NOON - 5000, LAT, LON, 12, 340, 271, 45, 3, 2, 0, {"battery": 55}, None
    )


@pytest.mark.parametrize(
    ("at", "number"),
    [
        (NOON - 1, None),
        (NOON, 1),
        (NOON + 9, 1),
        (NOON + 10, None),
        (NOON + 19, None),
        (NOON + 20, 2),
        (NOON + 30, None),
    ],
)
def test_duty_is_judged_at_the_fix_time_its_end_excluded(at: int, number: int | None) -> None:
    by = carrier((NOON, NOON + 10), (NOON + 20, NOON + 30))
    found = admit(report(at), by, NOON + 1_000_000)
    assert (found == "off_duty") if number is None else (found[3] == number)


def test_the_one_interval_of_a_carrier_ends_too() -> None:
    by = carrier((NOON, NOON + 10))
    assert admit(report(NOON + 9), by, NOON)[3] == 1
    assert admit(report(NOON + 10), by, NOON) == "off_duty"
    assert admit(report(NOON - 1), by, NOON) == "off_duty"


def test_duty_of_what_has_no_fix_time_is_judged_when_it_comes() -> None:
    by = carrier((NOON, NOON + 10))
    assert admit(report(None, None, None), by, NOON + 5)[3] == 1
    assert admit(report(None, None, None), by, NOON + 10) == "off_duty"


def test_without_any_duty_nothing_enters() -> None:
    assert admit(report(), carrier(), NOON) == "off_duty"


def test_a_call_for_help_passes_off_duty_with_no_duty_number() -> None:
    found = admitted(report(alarm=ALARM_SOS | 4), carrier())
    assert (found.duty, found.alarm, found.latitude) == (0, 5, LAT)
    assert admit(report(alarm=4), carrier(), NOON) == "off_duty"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (report(EARLIEST - 1), "impossible_time"),
        (report(LATEST + 1), "impossible_time"),
        (report(0, None, None), "impossible_time"),
        (report(None, LAT, LON), "no_fix_time"),
        (report(latitude=900_000_001), "impossible_position"),
        (report(latitude=-900_000_001), "impossible_position"),
        (report(longitude=1_800_000_001), "impossible_position"),
        (report(longitude=-1_800_000_001), "impossible_position"),
        (report(latitude=-900_000_000, crs=int(CoordinateSystem.BD09)), "impossible_position"),
        (report(longitude=-1_800_000_000, crs=int(CoordinateSystem.BD09)), "impossible_position"),
    ],
)
def test_what_cannot_be_is_refused(what: Any, reason: str) -> None:
    assert admit(what, ALWAYS, NOON) == reason


@pytest.mark.parametrize("at", [EARLIEST, LATEST])
def test_the_bounds_themselves_are_possible(at: int) -> None:
    assert admitted(report(at, 900_000_000, -1_800_000_000)).fix_time == at


@pytest.mark.parametrize(
    ("crs", "given"),
    [
        (CoordinateSystem.GCJ02, (399_164_043, 1_164_102_445)),
        # GCJ-02 39.91640428,116.4102445 written in BD-09
        (CoordinateSystem.BD09, (399_226_996, 1_164_166_272)),
    ],
)
def test_other_coordinate_systems_are_converted_and_kept(crs: CoordinateSystem, given: tuple[int, int]) -> None:
    found = admitted(report(latitude=given[0], longitude=given[1], crs=int(crs)))
    assert found.latitude is not None
    assert found.longitude is not None
    assert distance(found.latitude, found.longitude, 399_150_000, 1_164_040_000) < 2
    assert found.original == given
    assert found.marks == Mark.CONVERTED


def test_wgs84_is_left_as_it_came() -> None:
    found = admitted(report())
    assert (found.latitude, found.longitude, found.original, found.marks) == (LAT, LON, None, 0)


def test_a_report_without_a_fix_has_nothing_to_convert() -> None:
    found = admitted(report(None, None, None, crs=int(CoordinateSystem.GCJ02)))
    assert (found.latitude, found.original, found.marks) == (None, None, 0)


def test_marks() -> None:
    assert admitted(report(live=False)).marks == Mark.BACKFILL
    assert admitted(report(), carrier((0, 1 << 62), authenticated=False)).marks == Mark.UNAUTHENTICATED
    both = admitted(report(live=False, crs=1), carrier((0, 1 << 62), authenticated=False))
    assert both.marks == Mark.BACKFILL | Mark.UNAUTHENTICATED | Mark.CONVERTED
