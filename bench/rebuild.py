"""How soon live state is back when Redis has lost everything and the server starts: from snapshots, and without.

``python -m bench.rebuild [--units 10000] [--days 7] [--hourly 6] [--keep FOLDER]``. It writes a journal of so many days
with ``--hourly`` reports of each unit an hour, lets the archivist's child keep a snapshot a day before the end and the
states an hour before it, and then starts a server with an empty Redis three times over the same folder: with all that
was kept, with the day's snapshot alone, and with nothing but the journal.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.python.threadpool import ThreadPool

from bench.server import PROJECT, Server, cost_of
from bench.staging import changes
from storage import keys
from storage.embedded import socket_path
from storage.journal import Journal
from tracker.record import ENTITY, REPORT
from tracker.roster import Roster

HOUR = 3_600_000
DAY = 24 * HOUR
PATIENCE = 3600.0
GROUP = 5000
ZONE = "Asia/Shanghai"
LAT, LON = 306_600_000, 1_174_900_000


def wall() -> int:
    return time.time_ns() // 1_000_000


# -- the journal, written in a process of its own


def reports(units: int, hourly: int, begin: int, end: int) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
    """What is received at each moment from ``begin`` on: everybody reports once in each part of an hour."""
    rng = random.Random(begin)
    step = HOUR // hourly // (units // 100)
    at, number = begin, 0
    while at < end:
        made = []
        for unit in range(number, number + 100):
            walked = (at - begin) // 1000
            place = LAT + unit * 1000 + walked, LON + unit * 700 + walked
            spread = rng.randrange(900)
            made.append(
                (REPORT, f"d{unit + 1}", f"p{unit + 1}", 1, at, None, at - spread, *place, None, 120, 45, 30, 0, 0, 0,
                 {"battery": 60}, None)
            )  # fmt: skip
        yield at, made
        number = (number + 100) % units
        at += step


def write(folder: Path, units: int, hourly: int, begin: int, end: int, roster: bool) -> int:
    """Put all that was received between two times into the journal; how many records that are."""
    now, count = begin, 0
    pool = ThreadPool(1, 1)
    pool.start()

    async def work(reactor: Any) -> None:
        nonlocal now, count
        journal = Journal(folder / "journal", reactor, pool, lambda: now, group_records=GROUP, group_delay=0)

        def put(records: list[tuple[Any, ...]], rare: bool) -> Deferred[int | None]:
            done: Deferred[int | None] = Deferred()
            journal.append(records, done.callback, rare=rare)
            return done

        if roster:
            entered = [(ENTITY, begin, *change) for change in changes(Roster(), {"handheld": units})]
            for start in range(0, len(entered), GROUP):
                await put(entered[start : start + GROUP], True)
        gathered: list[tuple[Any, ...]] = []
        for at, made in reports(units, hourly, begin, end):
            gathered += made
            if len(gathered) >= GROUP or at + HOUR // hourly >= end:
                now, count = at, count + len(gathered)
                await put(gathered, False)
                gathered = []
        await journal.close()

    try:
        task.react(lambda reactor: Deferred.fromCoroutine(work(reactor)))
    except SystemExit as ended:
        if ended.code:
            raise
    finally:
        pool.stop()
    return count


def written(folder: Path, *given: Any) -> int:
    """:func:`write` in a child: a reactor runs once."""
    words = [sys.executable, "-m", "bench.rebuild", "--write", json.dumps([str(folder), *given])]
    told = subprocess.run(words, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    return int(told.split()[-1])


# -- the server


class Bare(Server):
    """A server that need not be well to be asked."""

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while not self._token:
            try:
                name, password = (self.folder / "first-login.txt").read_text().split()
                self._token = self.ask("POST", "/api/v1/login", {"name": name, "password": password})["token"]
            except (OSError, KeyError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def until_stored(self, units: int) -> int:
        """Wait until live state has every record and every unit; the last record's number. It asks Redis, because a
        health page looks at all units."""
        last: int = self.ask("GET", "/healthz")["journal"]["last"]
        deadline = time.monotonic() + PATIENCE
        with closing(redis_of(self.folder)) as redis:
            while True:
                try:
                    if int(redis.hget(keys.HEAD, "last") or 0) >= last and redis.hlen(keys.LIVE) == units:
                        return last
                except RedisError:
                    pass  # it is being started
                if time.monotonic() > deadline:
                    raise RuntimeError("live state does not come back")
                time.sleep(0.05)


def redis_of(folder: Path) -> Any:
    return Redis(unix_socket_path=str(socket_path(folder / "redis")), protocol=2)


def job(folder: Path, name: str, ahead: int = 0, **arguments: Any) -> Any:
    """A job of the archivist's child, ``ahead`` ms from now: its answer, with the seconds of CPU and the memory that it
    took."""
    request = {"job": name, "data": str(folder), "zone": ZONE, "now": wall() + ahead, "arguments": arguments}
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "tracker.archiving"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(request).encode())
    child.stdin.close()
    said = child.stdout.read().splitlines()
    child.stdout.close()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    done = json.loads(said[-1])["done"]
    return {**done, "cpu_s": round(used.ru_utime + used.ru_stime, 2), "peak_mb": used.ru_maxrss // 1024}


def seal(folder: Path) -> None:
    """As the hours have done it: no server that starts has anything to seal."""
    job(folder, "seal", upto=1 << 60, before=wall())


def caught_up(folder: Path, units: int, name: str) -> Any:
    """Let a server take the journal in, and have a job done beside it."""
    with Bare(folder) as server:
        last = server.until_stored(units)
        # Tomorrow's, for that of the night before is there.
        return job(folder, name, DAY, upto=last, redis=f"unix://{socket_path(folder.resolve() / 'redis')}")


def rebuilt(folder: Path, units: int) -> tuple[float, float, float, float]:
    """Start with an empty Redis. Seconds from then until every unit is where it was, and until the tracks are full;
    seconds of CPU until then, of the server and of Valkey."""
    shutil.rmtree(folder / "redis", ignore_errors=True)
    began = time.monotonic()
    with Bare(folder) as server:
        server.until_stored(units)
        state = time.monotonic() - began
        with closing(redis_of(folder)) as redis:
            while redis.hlen(keys.HOLES):
                time.sleep(0.05)
            tracks = time.monotonic() - began
        return state, tracks, cost_of(server.pid).cpu, cost_of(server.valkey).cpu


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--units", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--hourly", type=int, default=6)
    parser.add_argument("--keep", type=Path, help="a folder to work in, which stays")
    parser.add_argument("--write", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.write:
        folder, *given = json.loads(asked.write)
        print(write(Path(folder), *given))
        return
    root = asked.keep or Path(tempfile.mkdtemp(prefix="gridbeat-rebuild"))
    try:
        measure(root, asked.units, asked.days, asked.hourly)
    finally:
        if not asked.keep:
            shutil.rmtree(root)


def measure(root: Path, units: int, days: int, hourly: int) -> None:
    folder = root / "data"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.chmod(folder, 0o700)
    end = wall() - 10_000
    stretches = [(end - days * DAY, end - DAY), (end - DAY, end - HOUR), (end - HOUR, end)]
    counts = [written(folder, units, hourly, *stretches[0], True)]
    seal(folder)
    job(folder, "snapshot", upto=0, redis="unix:///nowhere")  # so that no server thinks that a night has been missed
    told = [caught_up(folder, units, "snapshot")]
    counts.append(written(folder, units, hourly, *stretches[1], False))
    seal(folder)
    told.append(caught_up(folder, units, "states"))
    counts.append(written(folder, units, hourly, *stretches[2], False))
    seal(folder)
    print(f"{units:,} units, {sum(counts):,} reports; {counts[1] + counts[2]:,} of the last day, {counts[2]:,} of the "
          f"last hour")  # fmt: skip
    for name, each in zip(("snapshot", "states"), told, strict=True):
        print(f"{name}: {each['bytes']:,} bytes, {each['cpu_s']} s of CPU, {each['peak_mb']} MB at its peak")
    print("from                 | live state s | tracks full s | server CPU s | Valkey CPU s")
    archive = folder / "archive"
    # A server that runs for long enough writes the states again.
    hour, day = ["states.snapshot"], ["states.snapshot", "snapshots/*.snapshot"]
    for name, lost in {"hour's states": [], "day's snapshot": hour, "journal alone": day}.items():
        for pattern in lost:
            for path in archive.glob(pattern):
                path.unlink()
        state, tracks, cpu, valkey = rebuilt(folder, units)
        print(f"{name:<20} | {state:12.1f} | {tracks:13.1f} | {cpu:12.1f} | {valkey:12.1f}", flush=True)


if __name__ == "__main__":
    main()
