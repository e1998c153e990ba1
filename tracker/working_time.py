"""Arithmetic of working time: when a limit has gone by, and how much was worked between two moments.

Moments are ms since 1970 UTC, limits and answers ms of working time. Working hours are periods of the workdays on the
city's clock, so a day on which that is set forward or back is as long as it is there: a period that begins in the hour
that does not exist begins when the clock is set forward, and one that ends in the hour that comes twice ends the first
time. A period over midnight belongs to the day on which it begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from storage.hours import DAY_MINUTES, Period
from tracker.workdays import Calendar

EARLIEST = 946_684_800_000  # 2000-01-01
LATEST = 4_102_444_800_000  # 2100-01-01
HORIZON_DAYS = 3700
"""Days that are looked through for a deadline: ten years, some 30 ms."""

Span = tuple[int, int]
"""Two moments, the second excluded."""


class NoWorkingTime(ValueError):
    """There is not so much working time within ten years, or the moment is none of this century."""


class WorkingTime:
    """The working time of a city: which days, which hours, on which clock."""

    def __init__(self, calendar: Calendar, hours: Sequence[Period], zone: ZoneInfo) -> None:
        self.calendar = calendar
        self.hours = tuple(hours)
        self.zone = zone

    def deadline(self, start: int, limit: int) -> int:
        """The first moment at which ``limit`` of working time has gone by since ``start``; ``start`` itself for 0.

        So a limit that is used up at the end of a period ends there, and not when the next one begins. Raises
        :class:`NoWorkingTime`.
        """
        if limit <= 0:
            return _checked(start)
        left = limit
        for begin, end in self._spans(_checked(start)):
            there = end - max(begin, start)
            if there >= left:
                return max(begin, start) + left
            left -= max(0, there)
        raise NoWorkingTime("there is not so much working time within ten years")

    def worked(self, start: int, end: int) -> int:
        """How much working time there is from one moment to another; less than nothing if ``end`` is before."""
        if end < start:
            return -self.worked(end, start)
        total = 0
        for begin, stop in self._spans(_checked(start), days=(_checked(end) - start) // 86_400_000 + 4):
            if begin >= end:
                break
            total += max(0, min(stop, end) - max(begin, start))
        return total

    def periods(self, day: str) -> tuple[Span, ...]:
        """What is worked on a city day; nothing if it is no workday."""
        return spans(day, self.hours, self.zone) if self.calendar.day(day).worked else ()

    def _spans(self, start: int, days: int = HORIZON_DAYS) -> Iterator[Span]:
        """Working periods from the day before ``start`` on, whose last may reach over midnight."""
        first = datetime.fromtimestamp(start / 1000, self.zone).date() - timedelta(days=1)
        for n in range(days):
            yield from self.periods((first + timedelta(days=n)).isoformat())


@lru_cache(maxsize=4096)  # a city asks for a few shifts of a few days, for everybody
def spans(day: str, periods: tuple[Period, ...], zone: ZoneInfo) -> tuple[Span, ...]:
    """When the periods of a city day begin and end. One that lies wholly in an hour that does not exist is left out."""
    first = date.fromisoformat(day)
    found = ((moment(first, begin, zone), moment(first, end, zone)) for begin, end in periods)
    return tuple((begin, end) for begin, end in found if begin < end)


def moment(day: date, minute: int, zone: ZoneInfo) -> int:
    """When it is this minute of a day on a zone's clock. Minutes beyond 1440 are those of the next day."""
    clock = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minute % DAY_MINUTES)
    clock += timedelta(days=minute // DAY_MINUTES)
    later = clock.replace(fold=1)
    if clock.utcoffset() != later.utcoffset():
        # Twice on this clock, or not at all. Where it is not, the two readings lie on either side of the change.
        before, after = later.astimezone(UTC), clock.astimezone(UTC)
        if after > before:
            return _change(int(before.timestamp()), int(after.timestamp()), zone) * 1000
    return int(clock.timestamp()) * 1000


def _change(before: int, after: int, zone: ZoneInfo) -> int:
    """The second at which a zone's offset changes between two."""
    offset = datetime.fromtimestamp(before, zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def _checked(at: int) -> int:
    if not EARLIEST <= at <= LATEST:
        raise NoWorkingTime("the moment must be between 2000 and 2100")
    return at
