"""What history may take, and what goes first: retention, budgets, a full disk, and how long it will last."""

from __future__ import annotations

from storage.archive.budgets import (
    EXPORTS,
    HORIZON,
    JOURNAL,
    LADDER,
    RECENT,
    RESERVE,
    Goes,
    Level,
    Limit,
    Reason,
    Usage,
    Way,
    alarming,
    expired,
    full_in,
    limits_from,
    over_budget,
    rate,
    refused,
    to_shed,
)
from storage.archive.layout import CLASSES, EVENTS, FIXES, PHOTOS, SNAPSHOTS, shifted

TODAY = "2026-11-23"
ROOMY = {kind: Limit(10_000) for kind in CLASSES}


def back(days: int) -> str:
    return shifted(TODAY, -days)


def closed(first: int, last: int, size: int = 10) -> dict[str, int]:
    """A closed day of so many bytes for each of the days from ``first`` days ago to ``last`` days ago."""
    return {back(days): size for days in range(first, last - 1, -1)}


def days_of(gone: list[Goes]) -> list[tuple[str, str]]:
    return [(one.kind, one.day) for one in gone]


def test_the_settings_as_limits() -> None:
    sizes = {"fixes_mb": 0, "events_mb": 1, "access_mb": 4, "photos_mb": 2, "snapshots_mb": 3}
    assert limits_from({"fixes_days": 100, "events_days": 200, "access_days": 300, "photos_days": 9, **sizes}) == {
        "fixes": Limit(100, 0),
        "events": Limit(200, 1 << 20),
        "access": Limit(300, 4 << 20),
        "photos": Limit(9, 2 << 20),
        "snapshots": Limit(100, 3 << 20),
    }


def test_a_day_goes_when_it_is_older_than_it_is_kept() -> None:
    usages = {FIXES: Usage(closed(12, 8), closed(7, 0)), EVENTS: Usage(closed(12, 8)), SNAPSHOTS: Usage(closed(20, 15))}
    gone = list(expired(usages, {FIXES: Limit(10), EVENTS: Limit(12), SNAPSHOTS: Limit(10)}, TODAY))
    assert {one.reason for one in gone} == {Reason.RETENTION}
    kept = [(SNAPSHOTS, back(days)) for days in range(20, 15, -1)]
    assert days_of(gone) == [(FIXES, back(12)), (FIXES, back(11)), *kept], "the newest snapshot stays"


def test_what_came_for_a_day_that_is_gone_goes_too() -> None:
    usages = {FIXES: Usage({}, {back(400): 5, back(3): 5})}
    assert days_of(list(expired(usages, {FIXES: Limit(365)}, TODAY))) == [(FIXES, back(400))]


def test_a_budget_is_kept_with_room_for_a_day() -> None:
    usage = Usage(closed(20, 8), closed(7, 0))  # 13 closed, 8 open, 10 bytes each
    assert not list(over_budget({FIXES: usage}, {FIXES: Limit(999, 220)}, TODAY))
    gone = list(over_budget({FIXES: usage}, {FIXES: Limit(999, 219)}, TODAY))
    assert days_of(gone) == [(FIXES, back(20))]
    assert gone[0].reason is Reason.BUDGET
    gone = list(over_budget({FIXES: usage}, {FIXES: Limit(999, 150)}, TODAY))
    assert days_of(gone) == [(FIXES, back(days)) for days in range(20, 13, -1)]
    gone = list(over_budget({FIXES: usage}, {FIXES: Limit(999, 1)}, TODAY))
    assert days_of(gone) == [(FIXES, day) for day in closed(20, 8)], "open days never go"
    assert not list(over_budget({FIXES: usage}, {FIXES: Limit(999, 0)}, TODAY)), "0 is no budget"


def test_a_class_that_was_full_for_a_week_gets_room_again() -> None:
    usage = Usage(closed(100, 50, 100))
    assert rate(usage, TODAY) == 0
    assert len(list(over_budget({PHOTOS: usage}, {PHOTOS: Limit(999, usage.used + 1)}, TODAY))) == 2


def test_a_camera_cannot_push_out_this_month_s_photos() -> None:
    usage = Usage(closed(RECENT + 2, 1, 100))
    gone = list(over_budget({PHOTOS: usage}, {PHOTOS: Limit(999, 100)}, TODAY))
    assert days_of(gone) == [(PHOTOS, back(RECENT + 2)), (PHOTOS, back(RECENT + 1))]


def test_one_day_out_of_all_measure_costs_a_tenth_at_most() -> None:
    usage = Usage(closed(200, 8, 10), {back(1): 7000})
    gone = list(over_budget({FIXES: usage}, {FIXES: Limit(999, usage.used)}, TODAY))
    assert sum(usage.closed[one.day] for one in gone) <= usage.used / 10 + 10


def test_the_newest_snapshot_never_goes() -> None:
    usage = Usage(closed(300, 298))
    assert len(list(over_budget({SNAPSHOTS: usage}, {SNAPSHOTS: Limit(999, 1)}, TODAY))) == 2
    assert len(list(to_shed({SNAPSHOTS: usage}, TODAY))) == 2


def test_the_order_in_which_a_full_disk_costs_history() -> None:
    usages = {
        EVENTS: Usage(closed(500, 8)),
        FIXES: Usage(closed(32, 8)),
        PHOTOS: Usage(closed(33, 1)),
        SNAPSHOTS: Usage(closed(32, 8)),
    }
    gone = list(to_shed(usages, TODAY))
    assert {one.reason for one in gone} == {Reason.DISK}
    assert days_of(gone)[:7] == [
        (SNAPSHOTS, back(32)),
        (SNAPSHOTS, back(31)),
        (PHOTOS, back(33)),
        (FIXES, back(32)),
        (PHOTOS, back(32)),
        (FIXES, back(31)),
        (PHOTOS, back(31)),
    ]
    assert days_of(gone)[7:] == [(EVENTS, back(days)) for days in range(500, RECENT, -1)]


def test_the_ladder() -> None:
    """What is refused or freed without a loss stands above what costs history, and the reserve below everything."""
    ways = [rung.way for rung in LADDER]
    assert ways == sorted(ways, key=[Way.REFUSE, Way.DROP, Way.SHED, Way.GIVE].index)
    assert [rung.what for rung in LADDER if rung.way is Way.DROP] == [(JOURNAL,)]
    assert LADDER[-1].what == (RESERVE,)
    assert [rung.at for rung in LADDER] == [Level.LOW] * 6 + [Level.CRITICAL]
    assert {kind for rung in LADDER if rung.way is Way.SHED for kind in rung.what} == set(CLASSES)
    assert [refused(what, level) for what in (EXPORTS, PHOTOS, FIXES) for level in Level] == [
        *(False, True, True),
        *(False, True, True),
        *(False, False, False),
    ]


def test_the_rate_is_that_of_the_last_whole_days() -> None:
    assert rate(Usage(), TODAY) == 0
    assert rate(Usage({}, {TODAY: 50}), TODAY) == 0, "today is not over"
    assert rate(Usage({}, {back(1): 30, TODAY: 999}), TODAY) == 30
    assert rate(Usage({}, {back(2): 30}), TODAY) == 15, "a day on which nothing came counts"
    assert rate(Usage(closed(30, 8, 70), {back(1): 70}), TODAY) == 10


def test_when_a_budget_will_be_full() -> None:
    usage = Usage(closed(20, 8), closed(7, 1))  # 200 bytes, 10 a day
    forever = Limit(100_000)
    assert full_in(0, [(usage, forever)], TODAY) == 0
    assert full_in(10, [(usage, forever)], TODAY) == 1
    assert full_in(95, [(usage, forever)], TODAY) == 10
    assert full_in(10 * HORIZON + 1, [(usage, forever)], TODAY) is None, "nobody plans for more than ten years"
    assert full_in(95, [(usage, Limit(20))], TODAY) is None, "as much goes as comes"
    assert full_in(95, [(usage, Limit(25))], TODAY) is None, "five more days fit"
    assert full_in(45, [(usage, Limit(25))], TODAY) == 5
    assert full_in(95, [(Usage(), forever)], TODAY) is None
    assert full_in(100, [(usage, forever), (usage, forever)], TODAY) == 5, "several share a disk"


def test_a_forecast_is_what_would_happen() -> None:
    """Against the plain calculation, day by day, with days that differ."""
    sizes = {back(days): 37 * days % 23 for days in range(60, 0, -1)}
    usage, limit = Usage({}, sizes), Limit(40)
    each = rate(usage, TODAY)
    for room in range(1, 400, 13):
        days = dict(sizes)
        free, told = room, None
        for ahead in range(1, 42):
            today = shifted(TODAY, ahead)
            for day in [day for day in days if day < shifted(today, -limit.keep)]:
                free += days.pop(day)
            days[shifted(today, -1)] = days.get(shifted(today, -1), 0) + each
            free -= each
            if free <= 0:
                told = ahead
                break
        assert full_in(room, [(usage, limit)], TODAY) == told


def test_the_alarm_is_at_four_fifths() -> None:
    assert not alarming(Usage({back(9): 79}), Limit(1, 100))
    assert alarming(Usage({back(9): 79}, {back(1): 1}), Limit(1, 100))
    assert not alarming(Usage({back(9): 1 << 40}), Limit(1, 0))
