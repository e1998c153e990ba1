"""The days of a city: one after the other without a gap, in zones whose days have 23 hours, 25, 23½ or none."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from storage.archive.layout import Days, shifted
from tracker.sealing import _days

MINUTE = 60_000
HOUR = 60 * MINUTE


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Asia/Shanghai", "2026-11-23", 24),
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("America/Sao_Paulo", "2018-11-04", 23),  # midnight itself is left out
        ("America/Sao_Paulo", "2018-02-17", 25),  # the last hour before midnight comes twice
        ("America/Havana", "2026-11-01", 25),  # the first hour after midnight comes twice
        ("Pacific/Apia", "2011-12-30", 0),  # a day that was left out
    ],
)
def test_a_day_is_as_long_as_its_zone_says(zone: str, day: str, hours: float) -> None:
    start, end = Days(zone).span(day)
    assert end - start == hours * HOUR


@pytest.mark.parametrize(
    ("zone", "around"),
    [
        ("America/New_York", "2026-11-01"), ("America/New_York", "2026-03-08"), ("Australia/Lord_Howe", "2026-10-04"),
        ("Australia/Lord_Howe", "2026-04-05"), ("America/Sao_Paulo", "2018-11-04"),
        ("America/Sao_Paulo", "2018-02-18"), ("America/Havana", "2026-11-01"), ("Pacific/Apia", "2011-12-30"),
        ("Asia/Kathmandu", "2026-01-01"),
    ],
)  # fmt: skip
def test_every_moment_is_in_one_day(zone: str, around: str) -> None:
    days = Days(zone)
    first = at(around) - 50 * HOUR
    moments = np.array([first + i * 5 * MINUTE - late for i in range(1200) for late in (1, 0)])
    told = [days.day_of(int(moment)) for moment in moments]
    assert told == sorted(told)
    assert list(_days(moments, days.day_of)) == told
    for moment, day in zip(moments, told, strict=True):
        start, end = days.span(day)
        assert start <= moment < end
    for day in set(told):
        assert days.span(day)[1] == days.span(shifted(day, 1))[0]
        assert Days(zone).day_of(days.span(day)[0]) == day
