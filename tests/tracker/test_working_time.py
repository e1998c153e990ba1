"""Working time against a clock that is looked at minute by minute, and its two directions against each other."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.hours import Period, read_periods
from tracker.workdays import Calendar, read_calendar
from tracker.working_time import EARLIEST, LATEST, NoWorkingTime, WorkingTime, moment, spans

MINUTE, HOUR = 60_000, 3_600_000
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
CHINA = read_calendar("cn")
OFFICE = WorkingTime(CHINA, read_periods(["08:00-12:00", "14:00-18:00"]), SHANGHAI)
NIGHT = WorkingTime(CHINA, read_periods(["22:00-06:00"]), SHANGHAI)


def at(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def told(ms: int, zone: ZoneInfo = SHANGHAI) -> str:
    return datetime.fromtimestamp(ms / 1000, zone).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("start", "hours", "deadline"),
    [
        ("2026-11-23 09:00", 1, "2026-11-23 10:00"),
        ("2026-11-23 11:30", 1, "2026-11-23 14:30"),  # lunch
        ("2026-11-23 17:00", 2, "2026-11-24 09:00"),  # night
        ("2026-11-20 17:00", 2, "2026-11-23 09:00"),  # weekend
        ("2026-11-23 12:00", 1, "2026-11-23 15:00"),  # the end of a period
        ("2026-11-23 13:00", 1, "2026-11-23 15:00"),
        ("2026-11-23 08:00", 4, "2026-11-23 12:00"),  # used up when lunch begins
        ("2026-11-23 08:00", 8, "2026-11-23 18:00"),
        ("2026-11-23 03:00", 0, "2026-11-23 03:00"),
        ("2026-11-22 03:00", 1, "2026-11-23 09:00"),  # from a Sunday
        ("2026-09-30 17:00", 2, "2026-10-08 09:00"),  # National Day
        ("2026-10-07 23:00", 1, "2026-10-08 09:00"),  # the last holiday
        ("2026-10-09 17:00", 2, "2026-10-10 09:00"),  # a Saturday that is made up
        ("2026-02-13 17:00", 9, "2026-02-14 18:00"),
        ("2026-02-13 17:00", 10, "2026-02-24 09:00"),
    ],
)
def test_deadlines(start: str, hours: int, deadline: str) -> None:
    assert told(OFFICE.deadline(at(start), hours * HOUR)) == deadline


def test_a_period_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    assert told(NIGHT.deadline(at("2026-11-20 23:00"), 3 * HOUR)) == "2026-11-21 02:00"  # Friday's night
    assert told(NIGHT.deadline(at("2026-11-21 02:00"), 4 * HOUR)) == "2026-11-21 06:00"
    assert told(NIGHT.deadline(at("2026-11-21 05:00"), 2 * HOUR)) == "2026-11-23 23:00"
    assert NIGHT.worked(at("2026-11-20 00:00"), at("2026-11-23 00:00")) == 14 * HOUR


def test_what_was_worked() -> None:
    assert OFFICE.worked(at("2026-11-23 00:00"), at("2026-11-30 00:00")) == 40 * HOUR
    assert OFFICE.worked(at("2026-09-28 00:00"), at("2026-10-12 00:00")) == 6 * 8 * HOUR
    assert OFFICE.worked(at("2026-11-23 11:00"), at("2026-11-23 15:00")) == 2 * HOUR
    assert OFFICE.worked(at("2026-11-23 15:00"), at("2026-11-23 11:00")) == -2 * HOUR
    assert OFFICE.worked(at("2026-11-23 12:00"), at("2026-11-23 14:00")) == 0


def test_a_clock_that_is_set_forward_and_back() -> None:
    plain = Calendar(range(1, 8))
    nights = WorkingTime(plain, read_periods(["22:00-06:00"]), BERLIN)
    assert nights.worked(at("2026-03-28 12:00", BERLIN), at("2026-03-29 12:00", BERLIN)) == 7 * HOUR
    assert nights.worked(at("2026-10-24 12:00", BERLIN), at("2026-10-25 12:00", BERLIN)) == 9 * HOUR
    assert told(nights.deadline(at("2026-10-24 22:00", BERLIN), 9 * HOUR), BERLIN) == "2026-10-25 06:00"
    assert told(nights.deadline(at("2026-03-28 22:00", BERLIN), 7 * HOUR), BERLIN) == "2026-03-29 06:00"


def test_hours_that_do_not_exist_or_come_twice() -> None:
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    change = at("2026-03-29 03:00", BERLIN)
    assert moment(spring, 119, BERLIN) == change - MINUTE
    assert [moment(spring, minute, BERLIN) for minute in (120, 150, 180)] == [change] * 3
    assert spans("2026-03-29", ((120, 180),), BERLIN) == ()
    assert spans("2026-03-29", ((60, 150),), BERLIN) == ((change - HOUR, change),)
    first = int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()) * 1000
    assert moment(autumn, 150, BERLIN) == first
    assert moment(autumn, 180, BERLIN) == first + HOUR + 30 * MINUTE


def test_without_working_time_there_is_no_deadline() -> None:
    never = WorkingTime(Calendar([]), ((480, 720),), SHANGHAI)
    with pytest.raises(NoWorkingTime):
        never.deadline(at("2026-11-23 08:00"), 1)
    assert never.deadline(at("2026-11-23 08:00"), 0) == at("2026-11-23 08:00")
    for far in (EARLIEST - 1, LATEST + 1):
        with pytest.raises(NoWorkingTime):
            OFFICE.deadline(far, 1)
        with pytest.raises(NoWorkingTime):
            OFFICE.worked(at("2026-11-23 08:00"), far)
    assert OFFICE.worked(EARLIEST, EARLIEST + HOUR * 24 * 7) > 0
    assert OFFICE.worked(LATEST - HOUR * 24 * 7, LATEST) > 0


# Against the clock on the wall.


def works(working: WorkingTime, clock: datetime) -> bool:
    """Whether a minute on the city's clock is worked."""
    minute = clock.hour * 60 + clock.minute
    today, yesterday = clock.date(), clock.date() - timedelta(days=1)
    return any(
        (begin <= minute < end and working.calendar.day(today.isoformat()).worked)
        or (begin <= minute + 1440 < end and working.calendar.day(yesterday.isoformat()).worked)
        for begin, end in working.hours
    )


def counted(working: WorkingTime, start: int, end: int) -> int:
    minutes = (datetime.fromtimestamp(ms / 1000, working.zone) for ms in range(start, end, MINUTE))
    return sum(works(working, clock) for clock in minutes) * MINUTE


@st.composite
def hours(draw: st.DrawFn) -> tuple[Period, ...]:
    """Periods of a day, the last perhaps over midnight."""
    marks = sorted(draw(st.lists(st.integers(0, 1439), min_size=2, max_size=6, unique=True)))
    marks = marks[: len(marks) // 2 * 2]
    if draw(st.booleans()):
        marks = [*marks[1:], marks[0] + 1440]
    return tuple((marks[n], marks[n + 1]) for n in range(0, len(marks), 2))


# Around National Day and the Spring Festival, with their weekends that are worked.
STARTS = st.sampled_from([at("2026-09-18 00:00"), at("2026-02-10 00:00"), at("2026-04-25 00:00")])
MINUTES = st.integers(0, 20 * 1440)


@settings(max_examples=40, deadline=None)
@given(periods=hours(), base=STARTS, first=MINUTES, length=st.integers(0, 6 * 1440))
def test_worked_is_what_the_clock_counts(periods: tuple[Period, ...], base: int, first: int, length: int) -> None:
    working = WorkingTime(CHINA, periods, SHANGHAI)
    start = base + first * MINUTE
    end = start + length * MINUTE
    assert working.worked(start, end) == counted(working, start, end)


@settings(max_examples=150, deadline=None)
@given(
    periods=hours(),
    zone=st.sampled_from([SHANGHAI, BERLIN, ZoneInfo("America/Santiago"), ZoneInfo("Australia/Lord_Howe")]),
    start=st.integers(at("2026-01-01 00:00"), at("2026-12-31 00:00")),
    limit=st.integers(1, 90 * HOUR),
)
def test_a_deadline_is_the_first_moment_by_which_the_limit_was_worked(
    periods: tuple[Period, ...], zone: ZoneInfo, start: int, limit: int
) -> None:
    working = WorkingTime(CHINA, periods, zone)
    end = working.deadline(start, limit)
    assert working.worked(start, end) == limit
    assert working.worked(start, end - 1) == limit - 1
    assert working.deadline(start, limit) >= start + limit


@settings(max_examples=100, deadline=None)
@given(
    periods=hours(),
    moments=st.lists(st.integers(at("2026-03-20 00:00"), at("2026-11-10 00:00")), min_size=3, max_size=3),
)
def test_worked_adds_up(periods: tuple[Period, ...], moments: list[int]) -> None:
    working = WorkingTime(CHINA, periods, BERLIN)
    a, b, c = moments
    assert working.worked(a, b) + working.worked(b, c) == working.worked(a, c)
