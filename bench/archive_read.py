"""What a question to history costs: one unit's day, and who was near a place, out of a month and out of a year.

    python -m bench.archive_read                    # 500 units, a fix each 5 s for 8 hours; some ten minutes to make
    python -m bench.archive_read --keep /var/tmp/y  # make it once, ask again and again
    python -m bench.archive_read --no-peers

One day is walked, journalled, sealed, merged and closed as the server does it. Thirty days are that day with other
dates; the rest of the year's files are these again under other names, which are listed and never opened. Peers hold the
same rows in SQLite, and in PostgreSQL where the machine has it, inserted as they came in.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.internet import asyncioreactor

from bench import databases, days
from bench.server import PROJECT
from storage.archive import parquet
from storage.archive.archive import Archive
from storage.archive.chain import SealedFile
from storage.archive.layout import FIXES, details_of, shifted
from storage.archive.reader import Reader

ZONE = "Asia/Shanghai"
START = 1_794_700_800_000
"""2026-11-15 08:00 in Shanghai."""
LAST_DAY = "2026-11-15"
DAY = 86_400_000
WHOLE_DAYS, ALL_DAYS = 30, 366
LATER = START + 9 * DAY
PLACE = (306_600_000, 1_174_900_000)


def make(data: Path, units: int, every: int, hours: float) -> None:
    """A year of history. The whole days are the last ones."""
    from tracker.archiving import do

    last = days.write(data / "journal", days.day(units, every, hours, START))
    before = START + int(hours + 2) * 3_600_000
    for job, arguments in (("seal", {"upto": last, "before": before}), ("merge", {}), ("close", {})):
        do({"job": job, "data": data, "zone": ZONE, "now": LATER, "arguments": arguments}, lambda _: None)
    shutil.rmtree(data / "journal")
    archive = Archive(data / "archive", ZONE)
    folder = archive.layout.folder(FIXES)
    rows = next(iter(archive.chains[FIXES].files().values()))[1].rows
    for back in range(1, ALL_DAYS):
        name = f"{shifted(LAST_DAY, -back)}.parquet"
        if back < WHOLE_DAYS:
            redate(folder, name, -back * DAY)
        else:
            like = f"{shifted(LAST_DAY, -(back % WHOLE_DAYS))}.parquet"
            for one in (str, details_of):
                os.link(folder / one(like), folder / one(name))
        files = [SealedFile(one(name), 0, rows, "0" * 64) for one in (str, details_of)]
        archive.chains[FIXES].append("day", name[:10], LATER, files=files, upto=last)


def redate(folder: Path, name: str, by: int) -> None:
    """The last day's files as those of another day."""
    from tracker.closing import DETAILS_DELTAS, MAIN_DELTAS

    for one, columns, deltas in (
        (str, ("fix_time",), MAIN_DELTAS),
        (details_of, ("moment", "device_time", "server_time"), DETAILS_DELTAS),
    ):
        moved = ", ".join(f"{column} + {by} AS {column}" for column in columns)
        source = parquet.table([folder / one(f"{LAST_DAY}.parquet")])
        db = parquet.connect()
        with parquet.SealedWriter(folder / one(name), deltas) as writer:
            writer.add(db, f"SELECT * REPLACE ({moved}) FROM {source}")
        db.close()


class Server:
    """As much of a server as answers: everything is closed, nothing is hot."""

    def __init__(self, data: Path) -> None:
        from twisted.internet import reactor
        from twisted.python.threadpool import ThreadPool

        from storage.journal import Journal
        from tracker.applier import Applier
        from tracker.areas import AreaIndex
        from tracker.pipeline import Pipeline
        from tracker.store import MemoryLiveStore
        from tracker.tracks import Tracks

        self.pool = ThreadPool(1, 2)
        self.pool.start()
        areas, empty = AreaIndex(), tempfile.mkdtemp()
        journal = Journal(Path(empty), reactor, self.pool, lambda: LATER)
        shutil.rmtree(empty)
        store = MemoryLiveStore()
        applier = Applier(journal, Pipeline(lambda: areas), store, reactor, self.pool, lambda: LATER, list)
        self.reader = Reader(data / "archive")
        archive = Archive(data / "archive", ZONE)
        self.tracks = Tracks(
            journal, store, applier, lambda: areas, archive, self.reader, reactor, self.pool, lambda: LATER
        )
        gc.collect()
        gc.freeze()  # as the server does

    def close(self) -> None:
        self.pool.stop()
        self.reader.close()
        gc.unfreeze()  # or DuckDB counts at the end what it takes for leaks

    async def track(self, unit: str, back: int) -> list[Any]:
        """A unit's day: its points, as the API is given them."""
        start = START - back * DAY
        found = await self.tracks.read(unit, start, start + DAY // 2)
        return found.points

    async def nearby(self, radius: float, back: int) -> list[Any]:
        """Who was within so many metres of the middle of the city on a day."""
        from tracker.nearby import Circle

        start = START - back * DAY
        found = await self.tracks.nearby(Circle(*PLACE, radius), start, start + DAY // 2)
        return found.visits


async def measure(name: str, ask: Callable[[int], Awaitable[Any]], rounds: int, limit: int) -> None:
    """The medians of many questions after a few that warm up."""
    walls, cpus, found = [], [], 0
    for number in range(rounds + 3):
        began, used = time.perf_counter(), time.process_time()
        answer = await ask(number)
        walls.append((time.perf_counter() - began) * 1000)
        cpus.append((time.process_time() - used) * 1000)
        found = len(answer)
    row(name, statistics.median(walls[3:]), statistics.median(cpus[3:]), limit, found)


def row(name: str, wall: float, cpu: float | None, limit: int, found: int) -> None:
    told = "" if cpu is None else f"{cpu:.1f}"
    print(f"{name:<58} | {wall:>8.1f} | {told:>7} | {limit or '':>5} | {found:>6}", flush=True)


async def ours(data: Path, units: int, rounds: int) -> None:
    from tracker.tracks import view

    server = Server(data)
    chance = random.Random(1)

    def unit() -> str:
        return f"c{chance.randrange(units):05d}"

    async def rendered(_: int) -> list[Any]:
        points = await server.track(unit(), chance.randrange(WHOLE_DAYS))
        json.dumps([view(*point) for point in points], ensure_ascii=False, separators=(",", ":"))
        return points

    async def week(number: int) -> list[Any]:
        start = START - (number % 20 + 6) * DAY
        return (await server.tracks.read(unit(), start, start + 6 * DAY + DAY // 2)).points

    month = lambda _: server.track(unit(), chance.randrange(WHOLE_DAYS))  # noqa: E731
    await measure("one unit's day among a year of days, warm", month, rounds, 50)
    await measure("the same as JSON, as the API sends it", rendered, rounds, 0)
    await measure("one unit's week", week, rounds // 3, 0)
    for radius in (100.0, 1000.0, 5000.0):
        near = lambda number, radius=radius: server.nearby(radius, number % WHOLE_DAYS)  # noqa: E731
        await measure(f"who was within {radius:.0f} m on a day", near, max(3, rounds // 3), 500)
    server.close()


def forget(data: Path) -> None:
    """Have the files read from the disk again."""
    for path in (data / "archive" / FIXES).iterdir():
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


async def cold(data: Path, unit: str, back: int) -> None:
    """A new process' first question, told in milliseconds: until it can ask, and the question."""
    forget(data)
    began = time.perf_counter()
    server = Server(data)
    server.reader.open()
    opened = time.perf_counter()
    points = await server.track(unit, back)
    print((opened - began) * 1000, (time.perf_counter() - opened) * 1000, len(points))
    server.close()


def colds(data: Path, units: int, rounds: int) -> None:
    opened, asked, found = [], [], 0
    chance = random.Random(2)
    for _ in range(rounds):
        unit, back = f"c{chance.randrange(units):05d}", str(chance.randrange(WHOLE_DAYS))
        script = [sys.executable, "-m", "bench.archive_read", "--cold", str(data), unit, back]
        told = subprocess.run(script, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split()
        opened.append(float(told[0]))
        asked.append(float(told[1]))
        found = int(told[2])
    row("one unit's day among a year of days, cold: the question", statistics.median(asked), None, 300, found)
    row("    and what a new process does before it", statistics.median(opened), None, 0, 0)


def peers(data: Path, units: int, rounds: int, number: int) -> None:
    """The same questions to rows in databases."""
    folder = data / "archive" / FIXES
    files = [folder / f"{shifted(LAST_DAY, -back)}.parquet" for back in range(number)]
    ours = sum(path.stat().st_size + path.with_name(details_of(path.name)).stat().st_size for path in files)
    chance = random.Random(3)
    for peer in (databases.SQLite, databases.PostgreSQL):
        with tempfile.TemporaryDirectory(prefix="gridbeat-bench-") as place, ExitStack() as stack:
            if not peer.there():
                print(f"{peer.__name__}: not on this machine, not measured")
                continue
            database = peer(Path(place), stack)
            rows = database.load(files)
            name = f"{peer.__name__}, {number} days"
            print(f"{name}: {database.size() / rows:.1f} B a fix with its index; {ours / rows:.1f} B here, all of it")
            backs = [chance.randrange(number) for _ in range(rounds + 3)]
            tracks = [database.track(f"c{chance.randrange(units):05d}", *span(back)) for back in backs]
            near = [database.nearby(*box(1000), *span(back)) for back in backs]
            for what, took in (("one unit's day", tracks[3:]), ("who was within 1000 m on a day", near[3:])):
                walls, cpus = [one.wall for one in took], [one.cpu for one in took]
                row(f"{name}: {what}", statistics.median(walls), statistics.mean(cpus), 0, took[-1].rows)


def span(back: int) -> tuple[int, int]:
    return START - back * DAY, START - back * DAY + DAY // 2


def box(radius: float) -> tuple[int, int, int, int]:
    """South, west, north, east: what a database without a spherical distance is asked for."""
    from tracker.nearby import Circle

    return Circle(*PLACE, radius).boxes()[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=500)
    parser.add_argument("--every", type=int, default=5, help="seconds between fixes")
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--keep", type=Path, help="a folder for the data, to be used again")
    parser.add_argument("--peer-days", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--cold", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    loop = asyncio.new_event_loop()
    asyncioreactor.install(loop)
    if given.cold:
        data, unit, back = given.cold
        loop.run_until_complete(cold(Path(data), unit, int(back)))
        return
    with tempfile.TemporaryDirectory(prefix="gridbeat-bench-") as place:
        data = given.keep or Path(place)
        if not (data / "archive").exists():
            began = time.monotonic()
            make(data, given.units, given.every, given.hours)
            print(f"made in {time.monotonic() - began:.0f} s")
        print(f"{'question':<58} | wall ms  | CPU ms  | limit | found")
        loop.run_until_complete(ours(data, given.units, given.rounds))
        colds(data, given.units, max(5, given.rounds // 6))
        if not given.no_peers:
            peers(data, given.units, max(5, given.rounds // 6), given.peer_days)


if __name__ == "__main__":
    main()
