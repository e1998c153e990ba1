"""What the tracker's parts are told of each other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import succeed

from tracker.assembly import Tracker
from tracker.attendance import Attendance, State
from tracker.day_facts import DayFacts
from tracker.model import DeviceId, UnitId


def tracker() -> tuple[Any, list[str]]:
    """One whose parts note of whom they were told."""
    told: list[str] = []
    made: Any = Tracker.__new__(Tracker)

    def part(name: str) -> Any:
        return SimpleNamespace(forget=lambda whom: told.append(f"{name} {whom}"))

    made.duty, made.off_duty, made.exports, made.roll_calls, made.coordinates = map(part, "abcde")
    made.forgotten = [lambda whom: told.append(f"f {whom}")]
    made.day_facts = DayFacts()
    for unit in ("p1", "p2"):
        made.day_facts.keep((UnitId(unit), "2026-11-23"), "basis", 1, Attendance(State.PRESENT))
    made._wall, made._log = lambda: 7, None
    made._ground = SimpleNamespace(heads=SimpleNamespace(send=lambda now: succeed(told.append(f"heads {now}"))))
    return made, told


def test_every_part_forgets_who_is_removed() -> None:
    made, told = tracker()
    made._forget(UnitId("p1"), [DeviceId("d1")])
    assert sorted(told) == ["a p1", "b p1", "c p1", "d p1", "e d1", "f p1"]
    assert len(made.day_facts) == 1
    assert made.day_facts.of((UnitId("p1"), "2026-11-23"), "basis", 0) is None


def test_after_a_night_heads_go_out_and_nothing_is_left_of_days_that_went() -> None:
    made, told = tracker()
    made._after_night()
    assert told == ["heads 7"]
    assert len(made.day_facts) == 0
