"""Hours of a day as people write them, ``08:00-12:00``: where working hours and shifts begin and end.

A period that does not end after it begins ends on the next day: 22:00-06:00 is eight hours, 08:00-08:00 a whole day.
"""

from __future__ import annotations

import re
from typing import Any

Period = tuple[int, int]
"""Minutes of the day from midnight on, end excluded; an end beyond 1440 is on the next day."""

DAY_MINUTES = 1440
PERIODS_LIMIT = 6
"""Periods of one day: morning, noon and evening with a break in each."""

_PERIOD = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*[-–—~～]\s*(?:([01]?\d|2[0-3]):([0-5]\d)|24:00)")


def read_periods(given: Any) -> tuple[Period, ...]:
    """The periods of a list of texts, in order. Raises :class:`ValueError`; its words go on after the list's name."""
    if not isinstance(given, list | tuple) or not 0 < len(given) <= PERIODS_LIMIT:
        raise ValueError(f'must be a list of 1 to {PERIODS_LIMIT} periods such as ["08:00-12:00", "14:00-18:00"]')
    found = []
    for one in given:
        match = _PERIOD.fullmatch(one.strip()) if isinstance(one, str) else None
        if match is None:
            raise ValueError(f"holds {str(one)[:40]!r}, which is not like 08:00-12:00")
        start = 60 * int(match[1]) + int(match[2])
        end = DAY_MINUTES if match[3] is None else 60 * int(match[3]) + int(match[4])
        found.append((start, end if end > start else end + DAY_MINUTES))
    found.sort()
    # The last one may reach into the next day, whose first is the same as this one's.
    following = [*found[1:], (found[0][0] + DAY_MINUTES, 0)]
    for (_, end), (start, _) in zip(found, following, strict=True):
        if end > start:
            raise ValueError("holds two periods that overlap")
    return tuple(found)


def read_weekdays(given: Any) -> tuple[int, ...]:
    """Days of the week, 1 is Monday. Raises :class:`ValueError` like :func:`read_periods`."""
    if not isinstance(given, list) or not all(type(day) is int and 1 <= day <= 7 for day in given):
        raise ValueError("must be a list of days from 1 (Monday) to 7, such as [1, 2, 3, 4, 5]")
    return tuple(sorted(set(given)))


def read_country(given: Any) -> str:
    """Two letters, or nothing. Raises :class:`ValueError` like :func:`read_periods`."""
    if not isinstance(given, str) or not re.fullmatch(r"([A-Za-z]{2})?", given):
        raise ValueError('must be the two letters of a country such as "cn", or "" for none')
    return given.lower()


def spelled(period: Period) -> str:
    """The period as it is written."""
    start, end = period
    return f"{_clock(start)}-{_clock(end if end <= DAY_MINUTES else end - DAY_MINUTES)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
