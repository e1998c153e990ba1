"""What tasks cost the server: how soon whoever is asked has been told so, and what thousands of open tasks cost.

    python -m bench.dispatch            # ten minutes
    python -m bench.dispatch --rounds 1 offers

*offers*: 1,000 handhelds stand on a grid over the town, and 1,000 tasks are made, as fast as they are taken and twenty
a second. *open*: the CPU of a server with 1,000 handhelds that say each five seconds where they are, without tasks,
with 10,000 for whom nobody can be sent, and with 10,000 of which everybody has accepted seven, in turns. What a round
itself costs is in bench/dispatch_rounds.py.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any, cast

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.python.threadpool import ThreadPool

from bench.dispatch_client import places
from bench.server import PROJECT, Server, cost_of, stage
from dispatch.book import TaskBook
from dispatch.model import AttemptInput, Spot, Task, TaskId
from dispatch.rules_file import CITIES, read_rules
from storage.journal import Journal
from tracker.intake import Intake
from tracker.model import UnitId
from tracker.record import EVENT

UNITS, TASKS, OPEN = 1000, 1000, 10_000
EVERY_S = 5
"""Between two positions of a handheld."""
LIMIT_MS = 300.0
"""From an offer to its acknowledgement, at the 99th percentile."""
LIMIT_CORE = 5.0
"""Per cent of a core, for 10,000 open tasks."""
MINUTE = 60_000
ACCEPTED = 7
"""Tasks that each has accepted: more than a round gives anybody, 7,000 in all."""
AWAY = 0.5
"""Degrees from the town to where nobody can go."""
SPAN = 30 * MINUTE
"""Over which the open tasks came: within it all of their lights and levels lie."""
WARM_UP_S = 12.0


class Child:
    """The other side, ended by :meth:`end`, which answers what it noted."""

    def __init__(self, *words: object) -> None:
        command = [sys.executable, "-m", "bench.dispatch_client", *map(str, words)]
        self._process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a child ended; its error is above")
        return json.loads(line)

    def end(self) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.close()
        told = self._read()
        self._process.wait()
        return told


# Tasks that are in the journal before the server starts.


async def fill(reactor: Any, folder: Path, accepted: bool) -> None:
    def wall() -> int:
        return time.time_ns() // 1_000_000

    writer = ThreadPool(1, 1, "journal")
    writer.start()
    intake = Intake(Journal(folder / "journal", reactor, writer, wall), wall)
    intake.replay()
    units, book, now, chance = list(intake.roster.units), TaskBook(), wall(), random.Random(1)
    times = read_rules(CITIES / "round-the-clock.toml").times("verify")
    events = []

    def do(step: Any) -> None:
        events.extend(step.events)
        book.take(step.events)

    for n, (latitude, longitude) in enumerate(places(OPEN, 1)):
        at = now - chance.randrange(SPAN)
        holder = UnitId(units[n % len(units)]) if accepted and n < ACCEPTED * len(units) else None
        away = 0.0 if holder else AWAY
        one = Task(
            id=TaskId(f"o{n:05d}"), kind="verify", klass="0101", spot=Spot(round(1e7 * (latitude + away)),
            round(1e7 * longitude)), address="东街1号", text="井盖缺失", source="bench", created=at, limit=30 * MINUTE,
            warn=at + 15 * MINUTE, critical=at + 24 * MINUTE, due=at + 30 * MINUTE, times=times,
        )  # fmt: skip
        do(book.plan_create(one, at))
        if holder:
            do(book.plan_offer(one.id, holder, 300, at))
            # Everybody is at work on one, and has put the others off.
            there = (AttemptInput.DEPART, AttemptInput.ARRIVE) if n < len(units) else ()
            for what in (AttemptInput.DELIVER, AttemptInput.ACCEPT, *there):
                do(book.plan_told(one.id, 1, holder, what, at + 1000))
        else:
            do(book.plan_no_candidate(one.id, at))
    # What time has done to them since.
    while (due := book.get_timer()) is not None and due <= now:
        for timer in book.due(due):
            do(book.plan_timer(timer, due))
    for start in range(0, len(events), 5000):
        await intake.keep(events[start : start + 5000])
    await intake.journal.close()
    writer.stop()
    print(dict(Counter(str(one.state) for one in book.open())), file=sys.stderr)


# What is measured.


def staged(place: str, name: str, kind: str = "none") -> Path:
    folder = Path(place) / name
    stage(folder, {"handheld": UNITS})
    if kind != "none":
        subprocess.run([sys.executable, "-m", "bench.dispatch", "--fill", str(folder), kind], cwd=PROJECT, check=True)
    return folder


def deeds(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """All that the journal says of tasks, in order."""
    journal = Journal(folder / "journal", cast(Any, None), cast(Any, None), lambda: 0)
    found, first = [], 1
    while batches := journal.read(first, 20_000, rare=True):
        for batch in batches:
            found += [(record[3], record[4]) for record in batch.records if record[0] == EVENT and record[2] == "task"]
        first = batches[-1].last + 1
    return found


def offers(place: str, name: str, rate: int) -> str:
    """A line of the table."""
    folder = staged(place, name)
    with Server(folder) as server:
        server.caught_up()
        carried = Child("devices", server.ports["handheld"], folder, EVERY_S, 1)
        time.sleep(3 + EVERY_S)
        before, began = cost_of(server.pid).cpu, time.monotonic()
        time.sleep(EVERY_S)
        quiet = (cost_of(server.pid).cpu - before) / (time.monotonic() - began)
        maker = Child("tasks", server.ports["console"], server.session, TASKS, rate)
        before, began = cost_of(server.pid).cpu, time.monotonic()
        made = maker.end()
        while server.ask("GET", "/api/v1/tasks?state=queued&limit=1")["tasks"]:
            time.sleep(1)
        time.sleep(2)
        server.caught_up()
        spent = cost_of(server.pid).cpu - before - quiet * (time.monotonic() - began)
        told = carried.end()
    asked = {(id, fields["attempt"]): fields["at"] for id, fields in deeds(folder) if fields["what"] == "offer"}
    posted = {id: at for id, at, _ in made["made"]}
    shown = [times[0] - asked[task, attempt] for task, attempt, *times in told["offers"]]
    heard = [times[1] - asked[task, attempt] for task, attempt, *times in told["offers"] if len(times) > 1]
    whole = [times[0] - posted[task] for task, attempt, *times in told["offers"] if attempt == 1]
    if len(heard) != len(asked) or len(asked) < TASKS:
        raise RuntimeError(f"{len(asked)} offers, {len(shown)} shown, {len(heard)} acknowledged")
    return (
        f"{'at once' if not rate else f'{rate}/s':<7} | {TASKS / made['seconds']:>5.0f}/s | {len(asked):>6} "
        f"| {pair(whole)} | {pair(shown)} | {pair(heard)} | {1000 * spent / TASKS:>6.2f} | {os.getloadavg()[0]:>4.1f}"
    )


def pair(found: list[float]) -> str:
    """Median and 99th percentile."""
    ordered = sorted(found)
    return f"{ordered[len(ordered) // 2]:>6.0f} {ordered[int(0.99 * (len(ordered) - 1))]:>6.0f}"


KINDS = ("none", "nobody", "accepted")


def opened(place: str, name: str, kind: str, seconds: float) -> tuple[float, float]:
    """Per cent of a core, and bytes."""
    folder = staged(place, name, kind)
    with Server(folder) as server:
        server.caught_up()
        carried = Child("devices", server.ports["handheld"], folder, EVERY_S, 0)
        time.sleep(WARM_UP_S)
        server.caught_up()
        before, began = cost_of(server.pid).cpu, time.monotonic()
        time.sleep(seconds)
        after = cost_of(server.pid)
        found = 100 * (after.cpu - before) / (time.monotonic() - began), float(after.resident)
        carried.end()
    print(f"{kind}: {found[0]:.2f} %, {found[1] / 1e6:.0f} MB, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return found


def openly(place: str, seconds: float, rounds: int) -> list[str]:
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for number in range(rounds):
        for kind, runs in found.items():
            runs.append(opened(place, f"{kind}{number}", kind, seconds))
    lines = []
    for kind, runs in found.items():
        share, more = (median(run[0] for run in runs),
                       median(b[0] - a[0] for a, b in zip(found["none"], runs, strict=True)))  # fmt: skip
        each = median(b[1] - a[1] for a, b in zip(found["none"], runs, strict=True)) / OPEN / 1000
        lines.append(
            f"{kind:<8} | {0 if kind == 'none' else OPEN:>6} | {share:>8.2f} % | {more:>5.2f} % | {each:>9.1f} "
            f"| {os.getloadavg()[0]:>4.1f}"
        )
    return lines


def main() -> None:
    if sys.argv[1:2] == ["--fill"]:
        folder, accepted = Path(sys.argv[2]), sys.argv[3] == "accepted"
        task.react(lambda reactor: Deferred.fromCoroutine(fill(reactor, folder, accepted)))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("what", nargs="*", default=["offers", "open"], metavar="offers|open")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gridbeat-bench-") as place:
        if "offers" in given.what:
            print("tasks   | taken   | offers | to screen ms  | offer to      | acknowledged  | CPU ms | load")
            print("        |         |        | p50    p99    | screen        | p50    p99    | a task |")
            print("--------|---------|--------|---------------|---------------|---------------|--------|-----")
            for number in range(given.rounds):
                for rate in (0, 20):
                    print(offers(place, f"offers{number}-{rate}", rate), flush=True)
            print(f"wanted  |         |        |               |               |    {LIMIT_MS:>10.0f} |        |")
        if "open" in given.what:
            print("who      | open   | of a core  | more    | kB a task | load")
            print("---------|--------|------------|---------|-----------|-----")
            print("\n".join(openly(place, given.seconds, given.rounds)), flush=True)
            print(f"wanted   | {OPEN:>6} |            | {LIMIT_CORE:>5.2f} % |           |")


if __name__ == "__main__":
    main()
