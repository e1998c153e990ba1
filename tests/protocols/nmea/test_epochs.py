"""Sentences become reports: what belongs together, when it ends, and which day it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.nmea.epochs import DAY, Epochs
from protocols.nmea.fast import read
from protocols.report import Report

NOON = 1_795_435_200_000
"""2026-11-23 12:00:00 UTC."""
PLACE = "3110.64566,N,12131.63264,E"
LAT, LON = 311_774_277, 1_215_272_107


def rmc(time: str, date: str = "231126", *, status: str = "A", talker: str = "GN", speed: str = "1.0") -> str:
    place = PLACE if status == "A" else ",,,"
    return f"{talker}RMC,{time},{status},{place},{speed},90.0,{date},,,{'A' if status == 'A' else 'N'}"


def gga(time: str, *, quality: int = 1, talker: str = "GN", satellites: int = 9) -> str:
    return f"{talker}GGA,{time},{PLACE if quality else ',,,'},{quality},{satellites},1.2,4.0,M,,M,,"


def gsa(dimension: int = 3, *, talker: str = "GN", hdop: str = "1.3") -> str:
    return f"{talker}GSA,A,{dimension},,,,,,,,,,,,,2.0,{hdop},1.5"


def reports(*bodies: str, now: int = NOON, step: int = 0) -> list[Report]:
    """All of them, one after another, ``step`` ms apart, and the last epoch when no more come."""
    epochs = Epochs()
    found = []
    for body in bodies:
        sentence = read(body)
        assert sentence is not None, body
        found.append(epochs.take(sentence, now))
        now += step
    found.append(epochs.finish())
    assert epochs.finish() is None
    return [report for report in found if report is not None]


def test_an_epoch_is_one_report() -> None:
    (report,) = reports(rmc("120000.00"), "GNVTG,91.0,T,,M,2.0,N,3.7,K,A", gga("120000.00"), gsa(), gsa(2),
                        f"GNGLL,{PLACE},120000.00,A,A", "GNZDA,120000.00,23,11,2026,00,00")  # fmt: skip
    assert (report.fix_time, report.latitude, report.longitude) == (NOON, LAT, LON)
    assert (report.speed, report.course, report.altitude, report.accuracy) == (51, 90, 4, 60)
    assert report.items == {"satellites": 9, "fix": "3d", "fix_quality": "autonomous"}
    assert (report.live, report.device_time, report.alarm, report.status) == (True, None, 0, 0)


@given(st.permutations([rmc("120000"), "GNVTG,90.0,T,,M,1.0,N,3.7,K,A", gga("120000.000"), gsa(hdop="1.2")]))
def test_the_order_of_the_sentences_does_not_matter(bodies: list[str]) -> None:
    (report,) = reports(*bodies)
    assert (report.fix_time, report.speed, report.accuracy) == (NOON, 51, 60)
    assert report.items == {"satellites": 9, "fix": "3d", "fix_quality": "autonomous"}


@pytest.mark.parametrize(
    ("bodies", "times"),
    [
        ([rmc("120000"), gga("120000"), rmc("120001"), gga("120001")], [0, 1000]),
        ([rmc("120000"), rmc("120001"), rmc("120002")], [0, 1000, 2000]),
        ([rmc("120000.0"), rmc("120000.2"), rmc("120000.4")], [0, 200, 400]),
        ([gga("120000"), gsa(), rmc("120000"), gga("120001"), gsa(), rmc("120001")], [0, 1000]),
        ([gsa(), gsa(), rmc("120000"), gsa(), gsa(), rmc("120001")], [0, 1000]),
        ([rmc("120000"), rmc("120000")], [0, 0]),  # the same once more
        ([rmc("120000", talker="GP"), rmc("120000", talker="GN")], [0]),  # one for each system
        ([rmc("120000"), "GNZDA,120001.00,23,11,2026,00,00"], [0]),
        (["GNZDA,120000.00,23,11,2026,00,00", gsa(), "GNVTG,,T,,M,1.0,N,1.9,K"], []),  # nothing of a position
    ],
)
def test_an_epoch_ends_where_another_time_begins_or_a_kind_repeats(bodies: list[str], times: list[int]) -> None:
    assert [(report.fix_time or 0) - NOON for report in reports(*bodies)] == times


def test_quality_is_said_best_by_gga() -> None:
    (report,) = reports(rmc("120000"), gga("120000", quality=4))
    assert (report.items or {})["fix_quality"] == "rtk"


@pytest.mark.parametrize(
    "bodies",
    [
        [rmc("120000", status="V")],
        [gga("120000", quality=0)],
        [rmc("120000"), gga("120000", quality=0)],
        [gga("120000"), rmc("120000", status="V")],
        ["GNGNS,120000,,,,,NN,0,,,,,"],
        ["GNGLL,,,,,120000,V,N"],
    ],
)
def test_a_void_fix_is_a_report_without_a_place(bodies: list[str]) -> None:
    (report,) = reports(*bodies)
    assert (report.fix_time, report.latitude, report.longitude) == (NOON, None, None)
    assert (report.speed, report.course, report.accuracy) == (None, None, None)
    assert "fix_quality" not in (report.items or {})


def test_a_receiver_that_has_not_found_the_time() -> None:
    (unknown,) = reports("GPRMC,,V,,,,,,,,,,N", "GPGGA,,,,,,0,00,99.9,,,,,,", gsa(1))
    assert (unknown.fix_time, unknown.latitude) == (None, None)
    assert unknown.items == {"satellites": 0, "fix": "none"}
    (early,) = reports(rmc("000012", "060180", status="V"))
    assert early.fix_time is None


def test_a_week_roll_over_stays_what_it_says() -> None:
    (report,) = reports(rmc("161223.000", "011196"))
    assert report.fix_time == 846_864_743_000


# -- the date


@pytest.mark.parametrize(
    ("time", "now", "expected"),
    [
        ("120000", NOON, NOON),
        ("235959", NOON + DAY // 2, NOON + DAY // 2 - 1000),  # a second ago, yesterday
        ("000001", NOON + DAY // 2 - 1000, NOON + DAY // 2 + 1000),  # the device is two seconds ahead
        ("000000", NOON - 1, NOON - DAY // 2),  # as far from one as from the other
    ],
)
def test_without_a_date_it_is_the_day_nearest_to_now(time: str, now: int, expected: int) -> None:
    (report,) = reports(gga(time), now=now)
    assert report.fix_time == expected


def test_midnight_passes_between_a_sentence_with_a_date_and_one_without() -> None:
    found = reports(rmc("235959"), gga("000000"), gga("000001"), rmc("000002", "241126"), gga("000002"), now=NOON)
    midnight = NOON + DAY // 2
    assert [report.fix_time for report in found] == [midnight - 1000, midnight, midnight + 1000, midnight + 2000]


def test_a_backlog_stays_in_its_day() -> None:
    """Two hours of five days ago sent at once, with a date now and then."""
    found = reports(rmc("230000", "181126"), gga("233000"), gga("000000"), gga("003000"), now=NOON)
    start = NOON - 5 * DAY + 11 * 3_600_000
    assert [report.fix_time for report in found] == [start + n * 1_800_000 for n in range(4)]


def test_a_link_that_was_silent_for_hours_knows_what_day_it_is() -> None:
    found = reports(rmc("120000"), gga("020000"), gga("160000"), now=NOON, step=14 * 3_600_000)
    assert [(report.fix_time or 0) - NOON for report in found] == [0, 14 * 3_600_000, 28 * 3_600_000]


def test_the_date_of_a_void_fix_is_its_own_only() -> None:
    found = reports(rmc("000012", "060180", status="V"), gga("120000"))
    assert [report.fix_time for report in found] == [None, NOON]


def test_another_device_has_another_date() -> None:
    epochs = Epochs()
    first: Any = read(rmc("120000", "010120"))
    second: Any = read(gga("120000"))
    epochs.take(first, NOON)
    epochs.finish()
    epochs.forget()
    epochs.take(second, NOON)
    report = epochs.finish()
    assert report is not None
    assert report.fix_time == NOON
