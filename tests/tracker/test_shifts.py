"""Shifts: their hours on a day, and as the journal has them."""

from __future__ import annotations

import msgpack

from tracker.shifts import STEPS_LIMIT, Shift, amended

DAY = Shift("s1", "白班", ((480, 720), (840, 1080)), 2)


def test_hours_change_step_by_step() -> None:
    first = amended(DAY, {"periods": ["09:00-17:00"]}, []).since("2026-11-24", DAY)
    second = amended(first, {"periods": ["10:00-18:00"]}, []).since("2026-12-01", first)
    hours = [second.on(day)[0][0] // 60 for day in ("2026-11-23", "2026-11-24", "2026-11-30", "2026-12-01")]
    assert hours == [8, 9, 9, 10]
    assert amended(second, {"name": "早班"}, []).since("2026-12-05", second).earlier == second.earlier


def test_steps_are_bounded() -> None:
    shift = DAY
    for n in range(STEPS_LIMIT + 5):
        changed = amended(shift, {"periods": [f"08:{n:02d}-18:00"]}, [])
        shift = changed.since(f"2026-{1 + n // 28:02d}-{1 + n % 28:02d}", shift)
    assert len(shift.earlier) == STEPS_LIMIT
    assert shift.on("2026-01-10") == ((489, 1080),)


def test_a_shift_comes_back_from_the_journal_as_it_was() -> None:
    shift = amended(DAY, {"periods": ["22:00-06:00"], "retired": True}, []).since("2026-11-24", DAY)
    assert Shift.of(msgpack.unpackb(msgpack.packb(shift.fields()), use_list=False)) == shift


def test_the_name_of_a_retired_shift_is_free() -> None:
    others = [Shift("s2", "夜班", ((0, 60),), retired=True)]
    assert amended(DAY, {"name": " 夜班 "}, others).name == "夜班"
