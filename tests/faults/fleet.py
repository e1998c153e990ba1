"""A city's roster, written into a fresh data folder before the server's first start: thousands in one commit."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.threadpool import ThreadPool

from protocols.report import Report
from storage.journal import Journal
from tests.reactor import reactor, run_deferred
from tracker.admission import admit
from tracker.record import ENTITY
from tracker.roster import Roster
from tracker.tokens import hashed, new_token

HOUR = 3_600_000
KINDS = ("handheld", "handheld", "handheld", "jt808", "traccar")
"""The mix of devices, repeated."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the load, and what it needs to send points that nobody else sends. Times in ms, 1e-7 degrees."""

    kind: str
    external_id: str
    token: str
    unit: str
    start: int
    latitude: int
    longitude: int
    backlog: int = 0
    """Points that it has made before it connects for the first time."""


def wall() -> int:
    return time.time_ns() // 1_000_000


def found_city(
    data: Path, devices: int, *, reports: int = 0, kinds: tuple[str, ...] = KINDS, days_ago: int = 0
) -> list[Device]:
    """Make the folder of a city of so many units with a device each, and ``reports`` points of every unit. All that
    was journalled so many days ago; the devices are those of today."""
    data.mkdir(parents=True, exist_ok=True)
    roster = Roster()
    now, ago = wall(), 24 * HOUR * days_ago
    fleet: list[Device] = []
    entities: list[tuple[Any, ...]] = []
    records: list[tuple[Any, ...]] = []
    for number in range(devices):
        kind = kinds[number % len(kinds)]
        external = f"{13_900_000_000 + number}" if kind == "jt808" else f"fault-{number:05}"
        token = new_token()
        wanted = {"protocol": kind, "external_id": external, "name": f"巡查 {number}", "token": hashed(token)}
        device, changes = roster.plan_device(wanted)
        for change in changes:
            roster.apply(change)
            entities.append((ENTITY, now - ago, *change))
        # Whole seconds, because JT/T 808 has no finer ones, and so far back that nobody gets into the future.
        start = now // 1000 * 1000 - 8 * HOUR
        latitude, longitude = 311_000_000 + number * 1000, 1_215_000_000 + number * 1000
        fleet.append(Device(kind, external, token, device.unit, start, latitude, longitude))
        carrier = roster.carrier(device.id)
        assert carrier is not None
        for back in range(reports):
            record = admit(Report(start - HOUR + back * 1000 - ago, latitude, longitude), carrier, now - ago)
            assert isinstance(record, tuple)
            records.append(record)
    _write(data / "journal", entities, ago, rare=True)
    if records:
        _write(data / "journal", records, ago, rare=False)
    return fleet


def _write(folder: Path, records: list[tuple[Any, ...]], ago: int, *, rare: bool) -> None:
    pool = ThreadPool(1, 1)
    pool.start()
    try:
        then = lambda: wall() - ago  # noqa: E731
        journal = Journal(folder, reactor(), pool, then, group_records=5000, max_waiting=len(records) + 1)
        told: list[Deferred[int | None]] = []
        for at in range(0, len(records), 5000):
            done: Deferred[int | None] = Deferred()
            journal.append(records[at : at + 5000], done.callback, rare=rare)
            told.append(done)
        for done in told:
            assert run_deferred(done) is not None
        run_deferred(journal.close())
    finally:
        pool.stop()
