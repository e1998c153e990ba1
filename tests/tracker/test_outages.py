"""When the server did not hear."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tracker.model import UnitId
from tracker.outages import KEPT, LEAST_MS, Outages, last_heard
from tracker.record import ENTITY, EVENT, REPORT

NOON = 1_795_406_400_000


def noted(outages: Outages, last: int | None, now: int) -> int:
    _, changes = outages.plan(last, now)
    for change in changes:
        outages.apply(change)
    return len(changes)


def test_a_pause_is_noted_and_a_restart_is_not() -> None:
    outages = Outages()
    assert noted(outages, NOON, NOON + LEAST_MS - 1) == 0
    assert noted(outages, NOON + 1, NOON) == 0  # a clock that was set back
    assert noted(outages, NOON, NOON + LEAST_MS) == 1
    assert outages.within(NOON - 10, NOON + 1) == [(NOON, NOON + LEAST_MS)]
    assert outages.within(NOON - 10, NOON) == outages.within(NOON + LEAST_MS, NOON * 2) == []


def test_before_its_first_start_it_has_never_heard() -> None:
    outages = Outages()
    assert noted(outages, None, NOON) == 1
    assert outages.within(NOON - 2, NOON - 1) == [(0, NOON)]
    assert outages.within(NOON, NOON + 1) == []


def test_the_oldest_are_forgotten() -> None:
    outages, again = Outages(), Outages()
    for n in range(KEPT + 5):
        noted(outages, NOON + n * 10 * LEAST_MS, NOON + (n * 10 + 2) * LEAST_MS)
    assert len(outages.within(0, NOON * 2)) == KEPT
    assert outages.within(0, NOON + 40 * LEAST_MS) == []
    outages.remove(UnitId("p1"))
    for change in outages.changes():
        again.apply(change)
    assert again.within(0, NOON * 2) == outages.within(0, NOON * 2)


def test_the_last_that_was_heard() -> None:
    report: Any = (REPORT, "d1", "p1", 1, NOON + 5)
    tombstone: Any = (0, b"", b"", 0, NOON * 2)
    batches: Any = [SimpleNamespace(records=[(ENTITY, NOON, "unit", "p1", {}), report, tombstone]),
                    SimpleNamespace(records=[(EVENT, NOON + 1, "photo", "x", {})])]  # fmt: skip
    assert last_heard(batches) == NOON + 5
    assert last_heard([]) is None
