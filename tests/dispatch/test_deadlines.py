"""Deadlines by a virtual clock: lunch, night, weekend, holiday, a weekend that is worked, and a clock that is set."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.deadlines import Deadline, Deadlines, Light
from dispatch.rules import Limit, Shares, TimeKind
from storage.hours import Period, read_periods
from tracker.workdays import Calendar, read_calendar
from tracker.working_time import NoWorkingTime, WorkingTime

MINUTE, HOUR = 60_000, 3_600_000
SHANGHAI, BERLIN, SANTIAGO = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin"), ZoneInfo("America/Santiago")
CHINA = read_calendar("cn")
WORKING = WorkingTime(CHINA, read_periods(["08:00-12:00", "14:00-18:00"]), SHANGHAI)
OFFICE = Deadlines(WORKING, Shares())
ALWAYS = Calendar(range(1, 8))
CLOCK, HOURS, DAYS, CALENDAR = TimeKind


def at(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def told(ms: int, zone: ZoneInfo = SHANGHAI) -> str:
    return datetime.fromtimestamp(ms / 1000, zone).strftime("%m-%d %H:%M")


def minutes(count: int) -> Limit:
    return Limit(HOURS, count * MINUTE)


@pytest.mark.parametrize(
    ("start", "limit", "warn", "critical", "due"),
    [
        # Round the clock, whatever the clock shows.
        ("2026-11-23 11:50", Limit(CLOCK, 30 * MINUTE), "11-23 12:05", "11-23 12:14", "11-23 12:20"),
        ("2026-10-01 23:50", Limit(CLOCK, 30 * MINUTE), "10-02 00:05", "10-02 00:14", "10-02 00:20"),
        # Working hours: lunch, night, weekend, holiday, a Saturday that is worked, from a Sunday, three days.
        ("2026-11-23 11:00", minutes(120), "11-23 12:00", "11-23 14:36", "11-23 15:00"),
        ("2026-11-23 12:30", minutes(120), "11-23 15:00", "11-23 15:36", "11-23 16:00"),
        ("2026-11-23 17:00", minutes(120), "11-23 18:00", "11-24 08:36", "11-24 09:00"),
        ("2026-11-20 17:30", minutes(120), "11-23 08:30", "11-23 09:06", "11-23 09:30"),
        ("2026-09-30 17:00", minutes(120), "09-30 18:00", "10-08 08:36", "10-08 09:00"),
        ("2026-10-09 17:00", minutes(120), "10-09 18:00", "10-10 08:36", "10-10 09:00"),
        ("2026-11-22 03:00", minutes(60), "11-23 08:30", "11-23 08:48", "11-23 09:00"),
        ("2026-11-23 09:00", minutes(24 * 60), "11-24 15:00", "11-25 14:12", "11-26 09:00"),
        ("2026-11-23 08:00", minutes(240), "11-23 10:00", "11-23 11:12", "11-23 12:00"),
        # Working days: the day of the beginning does not count.
        ("2026-11-23 09:00", Limit(DAYS, 1), "11-24 08:30", "11-24 15:00", "11-24 18:00"),
        ("2026-11-20 23:00", Limit(DAYS, 1), "11-23 12:00", "11-23 16:24", "11-23 18:00"),
        ("2026-09-30 12:30", Limit(DAYS, 3), "10-09 10:00", "10-10 10:24", "10-10 18:00"),
        # Calendar days go on over weekends and holidays, and end at midnight.
        ("2026-11-23 09:00", Limit(CALENDAR, 3), "11-25 04:30", "11-26 06:36", "11-27 00:00"),
        ("2026-09-30 00:00", Limit(CALENDAR, 1), "10-01 00:00", "10-01 14:24", "10-02 00:00"),
    ],
)
def test_moments(start: str, limit: Limit, warn: str, critical: str, due: str) -> None:
    found = OFFICE.begin(limit, at(start))
    assert [told(one) for one in (found.warn, found.critical, found.due)] == [warn, critical, due]
    assert (found.yellow, found.red) == (found.critical, found.due)
    assert OFFICE.of(found.time, found.limit, found.due) == found


def test_days_on_which_the_clock_is_set() -> None:
    berlin = Deadlines(WorkingTime(ALWAYS, read_periods(["22:00-06:00"]), BERLIN), Shares())
    spring = berlin.begin(Limit(CALENDAR, 1), at("2026-03-28 12:00", BERLIN))
    assert (told(spring.due, BERLIN), spring.limit) == ("03-30 00:00", 35 * HOUR)
    autumn = berlin.begin(Limit(CALENDAR, 1), at("2026-10-24 12:00", BERLIN))
    assert (told(autumn.due, BERLIN), autumn.limit) == ("10-26 00:00", 37 * HOUR)
    assert told(berlin.begin(Limit(CLOCK, 24 * HOUR), at("2026-03-28 12:00", BERLIN)).due, BERLIN) == "03-29 13:00"
    night = berlin.begin(Limit(HOURS, 8 * HOUR), at("2026-03-28 20:00", BERLIN))
    assert [told(one, BERLIN) for one in (night.warn, night.critical, night.due)] == [
        "03-29 03:00", "03-29 05:24", "03-29 23:00",
    ]  # fmt: skip
    long = berlin.begin(Limit(HOURS, 8 * HOUR), at("2026-10-24 20:00", BERLIN))
    assert [told(one, BERLIN) for one in (long.warn, long.due)] == ["10-25 02:00", "10-25 05:00"]
    # A midnight that does not exist: the day ends when the clock is set forward.
    santiago = Deadlines(WorkingTime(ALWAYS, ((480, 720),), SANTIAGO), Shares())
    gone = santiago.begin(Limit(CALENDAR, 1), at("2026-09-04 12:00", SANTIAGO))
    assert gone.due == int(datetime(2026, 9, 6, 4, tzinfo=UTC).timestamp()) * 1000


def test_lights() -> None:
    found = OFFICE.begin(minutes(100), at("2026-11-23 11:00"))
    lights = {time: found.light(at(f"2026-11-23 {time}")) for time in ("11:00", "14:19", "14:20", "14:39", "14:40")}
    assert list(lights.values()) == [Light.GREEN, Light.GREEN, Light.YELLOW, Light.YELLOW, Light.RED]
    city = Deadlines(WORKING, Shares(warn=10, critical=90, yellow=60, red=120))
    found = city.begin(minutes(100), at("2026-11-23 11:00"))
    moments = (found.warn, found.yellow, found.critical, found.due, found.red)
    assert [told(one)[6:] for one in moments] == ["11:10", "12:00", "14:30", "14:40", "15:00"]


def test_what_is_left() -> None:
    due = at("2026-11-23 15:00")
    assert OFFICE.left(HOURS, due, at("2026-11-23 11:00")) == 2 * HOUR
    assert OFFICE.left(HOURS, due, at("2026-11-23 13:00")) == HOUR
    assert OFFICE.left(HOURS, due, at("2026-11-24 09:00")) == -4 * HOUR
    assert OFFICE.left(CLOCK, due, at("2026-11-23 11:00")) == 4 * HOUR


@pytest.mark.parametrize(
    ("limit", "stopped", "resumed", "warn", "critical", "due"),
    [
        (minutes(120), "11-23 10:00", "11-24 17:30", "11-24 17:30", "11-25 08:06", "11-25 08:30"),
        # Put aside over lunch, or a weekend, nothing of the working time is gained.
        (minutes(180), "11-23 12:00", "11-23 13:30", "11-23 10:30", "11-23 11:24", "11-23 12:00"),
        (minutes(240), "11-23 12:00", "11-23 14:00", "11-23 11:00", "11-23 14:12", "11-23 15:00"),
        (Limit(CLOCK, 4 * HOUR), "11-23 12:00", "11-30 12:00", "11-30 11:00", "11-30 12:12", "11-30 13:00"),
        (Limit(CALENDAR, 1), "11-24 12:00", "12-24 18:00", "12-24 10:30", "12-24 22:12", "12-25 06:00"),
        (Limit(DAYS, 1), "11-24 15:00", "11-26 10:00", "11-25 15:30", "11-26 10:00", "11-26 15:00"),
    ],
)
def test_the_clock_stands_while_a_task_is_put_aside(
    limit: Limit, stopped: str, resumed: str, warn: str, critical: str, due: str
) -> None:
    begun = OFFICE.begin(limit, at("2026-11-23 09:00"))
    found = OFFICE.resume(begun, at(f"2026-{stopped}"), at(f"2026-{resumed}"))
    assert [told(one) for one in (found.warn, found.critical, found.due)] == [warn, critical, due]
    assert found.limit == begun.limit


def test_what_was_overdue_stays_so() -> None:
    found = OFFICE.begin(minutes(120), at("2026-11-23 09:00"))
    assert OFFICE.resume(found, found.due, found.due + HOUR) == found
    assert OFFICE.resume(found, found.due + 1, found.due + 9 * HOUR) == found
    assert OFFICE.resume(found, found.due - 1, found.due - 1) == found
    assert OFFICE.resume(found, found.due - 1, found.due - HOUR) == found, "a server's clock that was set back"


def test_a_city_that_does_not_work() -> None:
    never = Deadlines(WorkingTime(Calendar([]), ((480, 720),), SHANGHAI), Shares())
    for limit in (minutes(1), Limit(DAYS, 1)):
        with pytest.raises(NoWorkingTime):
            never.begin(limit, at("2026-11-23 09:00"))
    with pytest.raises(NoWorkingTime):
        never.of(HOURS, HOUR, at("2026-11-23 09:00"))
    assert never.begin(Limit(CALENDAR, 1), at("2026-11-23 09:00")).due == at("2026-11-25 00:00")


# Against a clock that goes forward only.

STARTS = st.integers(at("2026-01-02 00:00"), at("2026-12-20 00:00"))
WHERE = st.sampled_from([SHANGHAI, BERLIN, SANTIAGO, ZoneInfo("Australia/Lord_Howe")])
DAY_HOURS = st.sampled_from([
    read_periods(["08:00-12:00", "14:00-18:00"]), read_periods(["22:00-06:00"]), read_periods(["00:00-24:00"]),
    read_periods(["07:30-12:00", "12:00-13:00", "20:00-02:30"]),
])  # fmt: skip
SHARES = Shares(warn=37, critical=71, yellow=83, red=113)


@given(zone=WHERE, periods=DAY_HOURS, start=STARTS, limit=st.integers(1000, 60 * HOUR))
def test_moments_are_the_first_at_which_so_much_has_gone_by(
    zone: ZoneInfo, periods: tuple[Period, ...], start: int, limit: int
) -> None:
    working = WorkingTime(CHINA, periods, zone)
    found = Deadlines(working, SHARES).begin(Limit(HOURS, limit), start)
    assert [found.warn, found.critical, found.yellow, found.due, found.red] == [
        working.deadline(start, limit * share // 100) for share in (37, 71, 83, 100, 113)
    ]


@given(
    kind=st.sampled_from(TimeKind),
    zone=WHERE,
    periods=DAY_HOURS,
    start=STARTS,
    waits=st.lists(st.tuples(st.integers(0, 9 * HOUR), st.integers(0, 90 * HOUR)), max_size=4),
)
def test_all_the_time_of_a_limit_goes_by_outside_of_what_was_put_aside(
    kind: TimeKind, zone: ZoneInfo, periods: tuple[Period, ...], start: int, waits: list[tuple[int, int]]
) -> None:
    city = Deadlines(WorkingTime(CHINA, periods, zone), SHARES)
    begun = found = city.begin(Limit(kind, 2 if kind in (DAYS, CALENDAR) else 20 * HOUR), start)
    now, used = start, 0
    for run, stop in waits:
        stopped = now + run
        if stopped >= found.due:
            break
        used += city.left(kind, stopped, now)
        light = found.light(stopped)
        found = city.resume(found, stopped, stopped + stop)
        now = stopped + stop
        assert found.light(now) == light
        assert city.left(kind, found.due, now) == begun.limit - used
    assert isinstance(found, Deadline)
    assert found.warn <= found.critical <= found.yellow <= found.due <= found.red
