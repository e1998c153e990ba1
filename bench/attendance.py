"""What attendance costs: a month of a hundred people, the same again, and a day that goes on.

    python -m bench.attendance                    # two minutes to make, one to ask
    python -m bench.attendance --keep /var/tmp/m  # make it once, ask again and again

Everybody walks for eight hours a day, says a fix each five seconds, and has a shift with a break and one of the demo
town's grids. Twenty-three days are closed, seven are open and lie there as a night leaves them, and of the last one
four hours are in live state and in the journal alone. What is asked goes the way of the API's requests, but for HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import shutil
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred

from bench import archive_read, days
from bench.archive_read import DAY, LAST_DAY, START, ZONE
from simulator.city import make_city
from storage.archive import parquet
from storage.archive.layout import FIXES, Layout, shifted
from storage.bridge import as_future
from tracker.model import Area, AreaId

HOUR = 3_600_000
CLOSED, OPEN = 23, 7
TODAY = shifted(LAST_DAY, OPEN + 1)
NOW = START + (OPEN + 1) * DAY + 4 * HOUR
"""Noon of the day that goes on: the rest of the day before was sealed in the night."""
SHIFT = {"name": "day", "periods": ["08:00-12:00", "13:00-16:00"]}
TIMES = ("moment", "fix_time", "device_time", "server_time")
UNIT_DAYS = 400
"""In one of the page's questions."""


def make(data: Path, units: int, every: int) -> None:
    """A month that ends with :data:`TODAY`."""
    from tracker.archiving import do

    def work(folder: Path, job: str, **arguments: int) -> None:
        do({"job": job, "data": folder, "zone": ZONE, "now": NOW, "arguments": arguments}, lambda _: None)

    # A day as the night leaves it before it is closed, then the closed ones; both under as many dates as there are.
    last = days.write(data / "seed" / "journal", days.day(units, every, 8.0, START))
    work(data / "seed", "seal", upto=last, before=START + 10 * HOUR)
    work(data / "seed", "merge")
    archive_read.make(data, units, every, 8.0)
    part = Layout(data / "seed" / "archive").runs()[0].parts(FIXES)[LAST_DAY]
    first = last + 1
    for ahead in range(1, OPEN + 1):
        run = Layout(data / "archive").run(first, first + last - 1)
        run.mkdir()
        moved = ", ".join(f"{name} + {ahead * DAY} AS {name}" for name in TIMES)
        db = parquet.connect()
        query = f"SELECT * REPLACE ({moved}) FROM {parquet.table([part])}"
        parquet.write(db, query, run / f"{FIXES}.{shifted(LAST_DAY, ahead)}.parquet")
        db.close()
        first += last
    shutil.rmtree(data / "seed")
    days.write(data / "journal", days.day(units, every, 4.0, NOW - 4 * HOUR), first)


class Town:
    """As much of a server as answers, and what it knows of ``units`` people. ``now`` is what its clock says."""

    def __init__(self, data: Path, units: int) -> None:
        from twisted.internet import reactor
        from twisted.python.threadpool import ThreadPool

        from storage.archive.archive import Archive
        from storage.archive.reader import Reader
        from storage.journal import Journal
        from tracker.applier import Applier
        from tracker.areas import AreaIndex
        from tracker.day_facts import DayFacts
        from tracker.outages import Outages
        from tracker.pipeline import Pipeline
        from tracker.presence import PresenceLimits
        from tracker.roster import Roster
        from tracker.rota import Rota
        from tracker.store import MemoryLiveStore
        from tracker.tracks import Tracks
        from webmap.attendance_days import AttendanceDays

        self.now = NOW
        self.month = [shifted(TODAY, by) for by in range(-CLOSED - OPEN, 1)]
        self.pool = ThreadPool(1, 4)
        self.pool.start()
        self.roster = roster = Roster()
        self.rota = Rota(roster, ZoneInfo(ZONE))
        roster.attach(self.rota)
        self._enter(units)
        archive = Archive(data / "archive", ZONE)
        self.journal = Journal(data / "journal", reactor, self.pool, self.wall)
        areas, store = AreaIndex(), MemoryLiveStore()
        self.applier = Applier(self.journal, Pipeline(lambda: areas), store, reactor, self.pool, self.wall, list)
        self.reader = Reader(data / "archive")
        self.tracks = Tracks(
            self.journal, store, self.applier, lambda: areas, archive, self.reader, reactor, self.pool, self.wall
        )
        self._services: Any = SimpleNamespace(
            tracks=self.tracks, intake=SimpleNamespace(roster=roster, journal=self.journal), rota=self.rota,
            outages=Outages(), day_facts=DayFacts(), reactor=reactor, pool=self.pool, wall=self.wall,
            mirror=SimpleNamespace(limits=PresenceLimits(120_000, 900_000)),
        )  # fmt: skip
        self.days = AttendanceDays(self._services)

    def fresh(self) -> Town:
        """The same with nothing known of any day."""
        self._services.day_facts.clear()
        return self

    def wall(self) -> int:
        return self.now

    def _enter(self, units: int) -> None:
        """Everybody with a grid, and a shift on each day of the month."""
        from tracker.areas import read_areas

        roster, city = self.roster, make_city()
        grids = [area.geometry for area in read_areas(json.loads(json.dumps(city.grids)))]
        areas = [Area(AreaId(f"g{n}"), "grid", f"g{n}", geometry=grid) for n, grid in enumerate(grids)]
        wanted = [
            {"id": f"c{n:05d}", "kind": "person", "name": "c", "grid": f"g{n % len(grids)}"} for n in range(units)
        ]
        for change in (*roster.plan_areas(areas), *roster.plan_units(wanted)):
            roster.apply(change)
        shift, changes = self.rota.plan_shift(SHIFT)
        for change in changes:
            self.rota.apply(change)
        plan = [{"unit": unit, "day": day, "shift": shift.id} for unit in roster.units for day in self.month]
        for change in self.rota.plan_assignments(plan, TODAY)[1]:
            self.rota.apply(change)

    async def begin(self) -> None:
        """Take in the journal, as a server that has been up all morning has."""
        run = asyncio.ensure_future(self.applier.run())
        while self.applier.stored < self.journal.last:
            await asyncio.sleep(0.05)
        run.cancel()
        self.reader.open()
        await self.tracks.catch_up()
        gc.collect()
        gc.freeze()  # as the server does

    async def ask(self, *days: str) -> int:
        """These days of everybody, as the page asks for them: so many people at a time."""
        units, found = list(self.roster.units.values()), 0
        size = max(1, UNIT_DAYS // len(days))
        for n in range(0, len(units), size):
            asked = await as_future(Deferred.fromCoroutine(self.days.begin(units[n : n + size], days[0], days[-1])))
            for day in days:
                rows = await as_future(Deferred.fromCoroutine(asked.of(units[n : n + size], day)))
                found += sum(one.state == "present" for _, one in rows)
        return found

    def close(self) -> None:
        self.pool.stop()
        self.reader.close()
        gc.unfreeze()


async def measure(name: str, asked: Awaitable[int]) -> None:
    """Seconds, CPU by unit-day, and how long the reactor's thread did not look after anybody else."""
    stalls, over = [0.0], False

    async def heartbeat() -> None:
        while not over:
            began = time.perf_counter()
            await asyncio.sleep(0)
            stalls.append(time.perf_counter() - began)
            await asyncio.sleep(0.001)

    beating = asyncio.ensure_future(heartbeat())
    wall, cpu, own = time.perf_counter(), time.process_time(), time.thread_time()
    found = await asked
    wall, cpu, own = time.perf_counter() - wall, time.process_time() - cpu, time.thread_time() - own
    over = True
    await beating
    stalls.sort()
    print(
        f"{name:<34} | {found:>6} | {wall:>6.2f} | {cpu:>6.2f} | {cpu / max(1, found) * 1000:>6.2f} | {own:>6.2f} | "
        f"{stalls[int(len(stalls) * 0.99)] * 1000:>5.1f} | {stalls[-1] * 1000:>5.1f}",
        flush=True,
    )


async def ask(data: Path, units: int) -> None:
    town = Town(data, units)
    try:
        await town.begin()
        before = town.month[:-1]
        print("asked                              | days   | s      | CPU s  | ms/day | reactor| p99   | worst ms")
        await measure("a month, nothing known", town.ask(*before))
        await measure("the same again", town.ask(*before))
        await measure("closed days alone, nothing known", town.fresh().ask(*before[:CLOSED]))
        await measure("open days alone, nothing known", town.fresh().ask(*before[CLOSED:]))
        await measure("today", town.ask(TODAY))
        await measure("today, again at once", town.ask(TODAY))
        await measure("the month with today, at once", town.ask(*town.month))
    finally:
        town.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--every", type=int, default=5, help="seconds between fixes")
    parser.add_argument("--keep", type=Path, help="a folder for the data, to be used again")
    given = parser.parse_args()
    loop = asyncio.new_event_loop()
    asyncioreactor.install(loop)
    with tempfile.TemporaryDirectory(prefix="gridbeat-bench-") as place:
        data = given.keep or Path(place)
        if not (data / "archive").exists():
            began = time.monotonic()
            make(data, given.units, given.every)
            print(f"made in {time.monotonic() - began:.0f} s")
        loop.run_until_complete(ask(data, given.units))


if __name__ == "__main__":
    main()
