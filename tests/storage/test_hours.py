"""Hours of a day as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from storage.hours import PERIODS_LIMIT, read_country, read_periods, read_weekdays, spelled


@pytest.mark.parametrize(
    ("given", "periods"),
    [
        (["08:00-12:00", "14:00-18:00"], ((480, 720), (840, 1080))),
        (["14:00–18:00", " 8:00 - 12:00 "], ((480, 720), (840, 1080))),
        (["22:00-06:00"], ((1320, 1800),)),
        (["00:00-24:00"], ((0, 1440),)),
        (["00:00-00:00"], ((0, 1440),)),
        (["08:00-08:00"], ((480, 1920),)),
        (["06:00-08:00", "20:00-06:00"], ((360, 480), (1200, 1800))),
        (["12:00-13:00", "13:00-14:00"], ((720, 780), (780, 840))),
    ],
)
def test_what_people_write(given: list[str], periods: tuple[tuple[int, int], ...]) -> None:
    assert read_periods(given) == periods
    assert read_periods([spelled(period) for period in periods]) == periods


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "must be a list"),
        ("08:00-12:00", "must be a list"),
        (None, "must be a list"),
        (["08:00-09:00"] * (PERIODS_LIMIT + 1), "must be a list"),
        (["8-12"], "'8-12', which is not like"),
        (["25:00-26:00"], "which is not like"),
        (["08:60-09:00"], "which is not like"),
        (["24:00-08:00"], "which is not like"),
        ([480], "which is not like"),
        (["08:00-12:00", "11:59-13:00"], "overlap"),
        (["22:00-06:00", "05:59-07:00"], "overlap"),
        (["08:00-08:00", "09:00-10:00"], "overlap"),
    ],
)
def test_what_cannot_be(given: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_periods(given)


def test_days_of_the_week_and_countries() -> None:
    assert read_weekdays([5, 1, 1]) == (1, 5)
    assert read_weekdays([]) == ()
    assert read_country("CN") == "cn"
    assert read_country("") == ""
    for days in ([0], [8], ["1"], [True], 5, None):
        with pytest.raises(ValueError, match="must be a list of days"):
            read_weekdays(days)
    for country in ("china", "c", "../", None, 1):
        with pytest.raises(ValueError, match="two letters"):
            read_country(country)
