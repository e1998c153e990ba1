"""Attendance of fixture days: lunch, weekend, holiday, a night over midnight, and what nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.hours import read_periods
from tracker.attendance import STRETCHES_LIMIT, Attendance, Facts, State, Where, attendance
from tracker.model import FOREVER
from tracker.workdays import read_calendar
from tracker.working_time import Span, WorkingTime, spans

MINUTE, HOUR = 60_000, 3_600_000
ZONE = ZoneInfo("Asia/Shanghai")
IN, EDGE, OUT = Where.INSIDE, Where.EDGE, Where.OUTSIDE
DAY = "2026-11-23"
LUNCH = spans(DAY, read_periods(["09:00-13:00", "15:00-18:00"]), ZONE)
NIGHT = spans(DAY, read_periods(["22:00-06:00"]), ZONE)
ALWAYS = ((0, FOREVER, False),)

Fix = tuple[int, Where]


def at(clock: str, day: str = DAY) -> int:
    """``08:30``, or ``+02:00`` on the next day."""
    later = 24 * HOUR if clock.startswith("+") else 0
    return int(datetime.fromisoformat(f"{day} {clock.lstrip('+')}").replace(tzinfo=ZONE).timestamp() * 1000) + later


def fixes(*walks: tuple[str, str, Where], every: int = 30) -> list[Fix]:
    """Fixes each so many seconds from one time to another, the second excluded."""
    return [(ms, where) for begin, end, where in walks for ms in range(at(begin), at(end), every * 1000)]


def facts(
    planned: Sequence[Span], duties: Sequence[tuple[int, int, bool]], seen: Sequence[Fix],
    outages: Sequence[Span] = (), owns: bool = True,
) -> Facts:  # fmt: skip
    times, where = np.array([at for at, _ in seen], np.int64), np.array([one for _, one in seen], np.int8)
    return Facts(planned, duties, times, where, outages, owns)


def judged(
    seen: Sequence[Fix], planned: Sequence[Span] = LUNCH, duties: Sequence[tuple[int, int, bool]] = ALWAYS,
    outages: Sequence[Span] = (), now: str = "+12:00", owns: bool = True,
) -> Attendance:  # fmt: skip
    return attendance(facts(planned, duties, seen, outages, owns), at(now))


def test_a_whole_day() -> None:
    found = judged(fixes(("08:58", "13:00", IN), ("15:00", "18:00", IN)))
    assert (found.state, found.late, found.early, found.off_post) == (State.PRESENT, 0, 0, 0)
    assert (found.planned, found.on_duty, found.in_grid, found.with_fix) == (7 * HOUR, 7 * HOUR, 1.0, 1.0)
    assert (found.first_fix, found.last_fix, found.told) == (at("08:58"), at("17:59:30"), False)


def test_lunch_is_no_absence() -> None:
    """Two hours far from the grid at noon, and home in between."""
    found = judged(fixes(("09:00", "13:00", IN), ("13:00", "15:00", OUT), ("15:00", "18:00", IN)))
    assert (found.off_post, found.in_grid, found.with_fix, found.stretches) == (0, 1.0, 1.0, ())
    # Four minutes before lunch and four after it are two short absences, not one long one.
    found = judged(fixes(("09:00", "12:56", IN), ("12:56", "15:04", OUT), ("15:04", "18:00", IN)))
    assert found.off_post == 0
    assert found.in_grid == pytest.approx(1 - 8 / 420)


def test_late_and_early_count_planned_time_alone() -> None:
    found = judged(fixes(("09:20", "13:00", IN), ("15:00", "17:30", IN)))
    assert (found.late, found.early) == (20 * MINUTE, 28 * MINUTE + 30_000)  # the last fix counts for two minutes
    found = judged(fixes(("15:10", "18:00", IN)))
    assert (found.late, found.early) == (4 * HOUR + 10 * MINUTE, 0)
    found = judged(fixes(("09:00", "13:00", IN)))
    assert (found.late, found.early) == (0, 3 * HOUR)
    found = judged(fixes(("09:02:30", "13:00", IN), ("15:00", "17:56", IN)))
    assert (found.late, found.early) == (0, 0)  # within the grace


def test_what_was_told_counts_more_than_fixes() -> None:
    duties = ((at("08:50"), at("13:02"), True), (at("14:55"), at("17:00"), True))
    found = judged(fixes(("09:40", "13:00", IN), ("15:00", "16:00", IN)), duties=duties)
    assert (found.late, found.early, found.told) == (0, HOUR, True)
    assert found.on_duty == 6 * HOUR
    assert found.with_fix == pytest.approx((200 + 60 + 1.5) / 360)
    # Who told of nothing else is here without a single fix, and nothing is said of the grid.
    found = judged([], duties=((at("09:30"), at("18:00"), True),))
    assert (found.state, found.late, found.early, found.with_fix) == (State.PRESENT, 30 * MINUTE, 0, 0.0)
    assert (found.off_post, found.in_grid, found.first_fix) == (None, None, None)
    # What the rota alone says proves nothing.
    assert judged([], duties=((at("09:00"), at("18:00"), False),)).state is State.ABSENT


def test_off_post_is_more_than_five_minutes_outside() -> None:
    def absent(clock: str) -> Attendance:
        return judged(
            fixes(("09:00", "10:00", IN), ("10:00", clock, OUT), (clock, "13:00", IN), ("15:00", "18:00", IN))
        )

    assert absent("10:05").off_post == 0
    found = absent("10:05:30")
    assert (found.off_post, found.stretches) == (330_000, ((at("10:00"), at("10:05:30")),))
    assert absent("11:00").off_post == HOUR
    assert absent("11:00").in_grid == pytest.approx(6 / 7)


def test_the_edge_keeps_what_one_was() -> None:
    """Along the border the receiver's error carries fixes out and in again: nobody has left."""
    border = [(ms, EDGE if n % 3 else IN) for n, ms in enumerate(range(at("09:00"), at("13:00"), 30_000))]
    found = judged([*border, *fixes(("15:00", "18:00", EDGE))])
    assert (found.off_post, found.in_grid) == (0, 1.0)
    # Who has gone is back inside the border, not near it.
    found = judged(
        fixes(("09:00", "10:00", IN), ("10:00", "10:10", OUT), ("10:10", "10:30", EDGE), ("10:30", "13:00", IN))
    )
    assert found.stretches == ((at("10:00"), at("10:30")),)


def test_silence_is_not_absence() -> None:
    found = judged(
        fixes(("09:00", "10:00", IN), ("10:00", "10:02", OUT), ("12:30", "13:00", IN), ("15:00", "18:00", IN))
    )
    assert found.off_post == 0
    assert found.with_fix == pytest.approx((60 + 3.5 + 30 + 180) / 420)
    # Between two fixes outside, what is not known does not count; after a quarter of an hour it is another absence.
    far = [(at("10:00") + n * 5 * MINUTE, OUT) for n in range(7)]
    assert judged(far, planned=LUNCH[:1]).off_post == 14 * MINUTE
    far = [(at("10:00") + n * 20 * MINUTE, OUT) for n in range(6)]
    assert judged(far, planned=LUNCH[:1]).off_post == 0
    # After a long silence the edge is no sign of anything.
    found = judged([(at("09:00"), OUT), *fixes(("10:00", "13:00", EDGE))], planned=LUNCH[:1])
    assert found.off_post == 0


def test_nobody_came() -> None:
    found = judged([])
    assert (found.state, found.planned, found.late, found.early, found.off_post) == (
        State.ABSENT,
        7 * HOUR,
        None,
        None,
        None,
    )
    assert judged(fixes(("07:00", "08:30", IN))).state is State.ABSENT
    found = judged([], now="10:00")
    assert (found.state, found.late) == (State.AWAITED, HOUR)
    assert judged([], now="09:02").late == 0
    assert judged([], now="08:59").state is State.AHEAD
    assert judged([], planned=()).state is State.FREE


def test_a_day_that_goes_on() -> None:
    found = judged(fixes(("09:00", "11:00", IN)), now="11:00")
    assert (found.state, found.late, found.early, found.on_duty) == (State.PRESENT, 0, None, 2 * HOUR)
    assert found.with_fix == 1.0


def test_a_server_that_did_not_hear_blames_nobody() -> None:
    away = [(at("08:30"), at("10:00"))]
    found = judged(fixes(("10:00", "13:00", IN), ("15:00", "18:00", IN)), outages=away)
    assert (found.state, found.late, found.early) == (State.PRESENT, None, 0)
    assert found.with_fix == 1.0
    assert judged([], outages=away).state is State.UNKNOWN
    assert judged([], outages=away, now="12:00").state is State.UNKNOWN
    found = judged(fixes(("09:00", "13:00", IN), ("15:00", "16:00", IN)), outages=[(at("16:00"), at("20:00"))])
    assert (found.late, found.early) == (0, None)
    # An outage at lunch changes nothing.
    assert judged([], outages=[(at("13:00"), at("15:00"))]).state is State.ABSENT
    # In the middle of an absence only what was sent later of it counts.
    away = [(at("10:10"), at("10:50"))]
    parts = fixes(("09:00", "10:00", IN), ("10:00", "10:10", OUT), ("10:50", "11:00", OUT), ("11:00", "13:00", IN))
    found = judged(parts, planned=LUNCH[:1], outages=away)
    assert (found.off_post, found.with_fix) == (21 * MINUTE + 30_000, 1.0)
    whole = fixes(("09:00", "10:00", IN), ("10:00", "11:00", OUT), ("11:00", "13:00", IN))
    assert judged(whole, planned=LUNCH[:1], outages=away).off_post == HOUR


def test_without_grids_nothing_is_said_of_them() -> None:
    found = judged(fixes(("09:00", "13:00", OUT), ("15:00", "18:00", OUT)), owns=False)
    assert (found.off_post, found.in_grid, found.with_fix) == (None, None, 1.0)


def test_a_night_over_midnight() -> None:
    seen = fixes(("22:15", "23:30", IN), ("23:30", "+01:00", OUT), ("+01:00", "+05:00", IN))
    found = judged(seen, planned=NIGHT)
    assert (found.late, found.early, found.off_post) == (15 * MINUTE, HOUR - 90_000, 90 * MINUTE)
    assert found.planned == 8 * HOUR


def test_weekends_and_holidays_have_no_plan() -> None:
    """With working hours as the plan: a Saturday, a day of National Day, and a Saturday that is made up."""
    office = WorkingTime(read_calendar("cn"), read_periods(["08:00-12:00", "14:00-18:00"]), ZONE)
    seen = [(at("09:00", day), OUT) for day in ("2026-11-21", "2026-10-05", "2026-10-10")]
    states = [
        attendance(facts(office.periods(day), ALWAYS, seen), at("23:00", day)).state
        for day in ("2026-11-21", "2026-10-05", "2026-10-10")
    ]
    assert states == [State.FREE, State.FREE, State.PRESENT]


def test_stretches_are_bounded() -> None:
    walk = [(at("00:00") + n * MINUTE, OUT if n % 10 < 7 else IN) for n in range(1440)]
    found = judged(walk, planned=((at("00:00"), at("+00:00")),))
    assert len(found.stretches) == STRETCHES_LIMIT
    assert found.off_post == 144 * 7 * MINUTE


# What holds of any day.

WALK = st.lists(st.tuples(st.integers(0, 24 * 60), st.sampled_from([IN, EDGE, OUT])), max_size=60)
SPAN = st.tuples(st.integers(0, 24 * 60), st.integers(1, 600)).map(
    lambda span: (at("00:00") + span[0] * MINUTE, at("00:00") + (span[0] + span[1]) * MINUTE)
)


def walked(walk: list[tuple[int, Where]]) -> list[Fix]:
    return [(at("00:00") + minute * MINUTE, where) for minute, where in sorted(walk)]


@settings(max_examples=200, deadline=None)
@given(walk=WALK, told=st.lists(SPAN, max_size=3), outages=st.lists(SPAN, max_size=2), now=st.integers(0, 36 * 60))
def test_shares_and_durations_stay_within_the_plan(
    walk: list[tuple[int, Where]], told: list[Span], outages: list[Span], now: int
) -> None:
    duties = tuple((start, end, True) for start, end in told)
    moment = at("00:00") + now * MINUTE
    found = attendance(facts(LUNCH, duties or ALWAYS, walked(walk), outages), moment)
    for share in (found.in_grid, found.with_fix):
        assert share is None or 0.0 <= share <= 1.0
    for time in (found.late, found.early, found.off_post, found.on_duty):
        assert time is None or 0 <= time <= found.planned
    assert all(start < end for start, end in found.stretches)
    if found.state in (State.ABSENT, State.AWAITED):
        assert not duties or not any(start < LUNCH[-1][1] and end > LUNCH[0][0] for start, end in told)


@settings(max_examples=100, deadline=None)
@given(walk=WALK, less=st.data())
def test_fewer_fixes_never_make_more_absence_within_the_minute(
    walk: list[tuple[int, Where]], less: st.DataObject
) -> None:
    """Of fixes that are all outside, each that is lost is time that nobody knows of."""
    whole = walked([(minute, OUT) for minute, _ in walk])
    kept = less.draw(st.lists(st.sampled_from(whole), unique=True).map(sorted)) if whole else []
    full, part = (judged(seen).off_post or 0 for seen in (whole, kept))
    assert part <= full


def test_the_cases_can_fail() -> None:
    """The day of these tests is one on which the clock does what one expects."""
    check: Callable[[str], int] = at
    assert check("+00:00") - check("00:00") == 24 * HOUR
