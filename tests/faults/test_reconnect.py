"""A whole fleet comes back at once, each device with an hour of positions: where they are now is seen before that is
through, nothing waits without a bound, and everything is there once."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from storage.journal_files import day_files
from tests.faults.fleet import Device, found_city, wall
from tests.faults.load import STEP
from tests.faults.server import Server, resident, until
from tests.faults.traffic import Traffic, reports_in
from tracker.turns import BEHIND_RECORDS, WAITING_RECORDS

BACKLOG = 720
"""An hour at a position in five seconds."""
BYSTANDERS = 20
PACE = 3.0
PATIENCE = 60.0
"""As real devices have it."""
AT_ONCE = 10_000
"""Records that may come beyond both limits: what is under way when they are reached, and what is live."""
LOOK = 0.5
"""Seconds between two looks: a look at a thousand units costs the server as much as a thousand reports."""
MEGABYTE = 1 << 20


def _memory_bound(devices: int) -> int:
    """Bytes: records that wait for disk and map (some 2.5 kB each as objects), what the pipeline remembers of points
    (40 MB), the state of a link (its read, its framing, its session and its answers), and room for the allocator."""
    return (WAITING_RECORDS + BEHIND_RECORDS) * 2500 + 40 * MEGABYTE + devices * 48 * 1024 + 64 * MEGABYTE


def _live_since(device: Device) -> int:
    return device.start + device.backlog * STEP


def test_mass_reconnect(server: Server, long_run: bool) -> None:
    count = 5000 if long_run else 1000
    kinds = ("handheld", "handheld", "handheld", "jt808")
    city = found_city(server.data, count + BYSTANDERS, kinds=kinds)
    roster = sum(1 for _ in reports_in(server.data / "journal", all_kinds=True))
    server.start()
    until(lambda: server.health()["live"]["stored"] >= roster, "the city is there")
    before = resident(server.pid)
    now = wall() // 1000 * 1000
    fleet = [replace(device, start=now - BACKLOG * STEP, backlog=BACKLOG) for device in city[:count]]
    bystanders = [replace(device, start=now) for device in city[count:]]
    backlog = count * BACKLOG
    most = lag = waiting = 0
    seen: set[tuple[str, int]] = set()
    through: int | None = None
    began = time.monotonic()
    with Traffic(server, [*bystanders, *fleet], pace=PACE, patience=PATIENCE) as traffic:

        def look() -> bool:
            """One look at the server; whether all of the backlog is acknowledged."""
            nonlocal most, lag, waiting, through
            time.sleep(LOOK)
            view = server.health()
            most = max(most, resident(server.pid))
            lag = max(lag, view["journal"]["last"] - view["live"]["stored"])
            waiting = max(waiting, view["journal"]["waiting"])
            where = {unit["id"]: unit["position"] for unit in server.api("/api/v1/units")["units"]}
            fixes = {unit: place["fix_time"] for unit, place in where.items() if place}
            seen.update((device.unit, fixes[device.unit]) for device in bystanders if device.unit in fixes)
            if through is None and all(fixes.get(one.unit, 0) >= _live_since(one) for one in fleet):
                through = server.health()["journal"]["last"] - roster
            return traffic.acknowledged >= backlog

        until(look, "the backlog is through", 600)
        took = time.monotonic() - began
        told = traffic.drain()
    assert through is not None, "every device was seen where it is"
    assert through < backlog, "and that before the backlog was through"
    assert len({unit for unit, _ in seen}) == BYSTANDERS, "who had no backlog was followed meanwhile"
    assert lag <= WAITING_RECORDS + BEHIND_RECORDS + AT_ONCE
    assert waiting <= WAITING_RECORDS + AT_ONCE
    until(server.settled, "live state is complete")
    made = {device.unit: told[device.unit]["made"] for device in [*fleet, *bystanders]}
    stored = Counter(unit for unit, _ in {(unit, at) for unit, at in reports_in(server.data / "journal")})
    assert stored == made
    sample = [*fleet[::50], *bystanders]
    traffic.check_some(told, sample)
    print(
        f"{count} devices, {backlog} points of backlog in {took:.0f} s; the last live position was on the map after "
        f"{through} records; never more than {lag} records between disk and map and {waiting} before the disk; "
        f"{(most - before) / MEGABYTE:.0f} MB more memory; {_repeated(server.data / 'journal')} points came twice; "
        f"{traffic.marks}"
    )
    assert most - before < _memory_bound(count)


def _repeated(folder: Path) -> int:
    assert day_files(folder)
    points = list(reports_in(folder))
    return len(points) - len(set(points))
