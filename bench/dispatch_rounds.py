"""What a round of dispatch costs in the server, and for how long nobody else is looked after meanwhile.

    python -m bench.dispatch_rounds            # two minutes

The city of bench/matching.py, but as the server has it: units with devices and links, duty and a shift, a state in the
mirror, and the tasks that they are on their way to in the book. *CPU* is what the round's thread spends until it is
known who is asked, from asking for everybody's place (*where*) on; *all* is that and the decision records of those who
are asked.

A clock looks each 2 ms whether it is called in time, on the reactor's thread. *Round* is how late it was while the
thread of a round was at work, *storm* while all tasks are given out, round after round, each offer with its commit: of
every moment at which the clock should have been called, so that a long stall counts for as long as it was, but of no
moment more than this process has had of the machine meanwhile.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from time import process_time, thread_time
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgpack
from twisted.internet import asyncioreactor, task
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from bench.matching import CROWD_KM2, LIMITS, MINUTE, city
from dispatch.book import TaskBook
from dispatch.courier import Courier
from dispatch.deadlines import Deadlines
from dispatch.deeds import TASK_EVENT
from dispatch.desk import Desk
from dispatch.field import Field
from dispatch.model import AttemptInput, Candidate, Task, TaskId, TaskState
from dispatch.rounds import Rounds
from dispatch.rules_file import CITIES, read_rules
from dispatch.steps import Steps
from dispatch.travel import Detours
from storage.journal import Journal
from tracker.intake import Intake
from tracker.links import Links
from tracker.mirror import Mirror
from tracker.model import Duty, Unit
from tracker.pipeline import UnitState
from tracker.presence import PresenceLimits
from tracker.record import ASSIGNMENT
from tracker.rota import Rota
from tracker.tokens import hashed, new_token
from tracker.workdays import read_calendar
from tracker.working_time import WorkingTime

ZONE = ZoneInfo("Asia/Shanghai")
TICK_S = 0.002
STALL_MS = 10.0
"""Late at the 99th percentile, as is wanted."""


def wall() -> int:
    return time.time_ns() // 1_000_000


class Link:
    """A handheld that shows tasks; what it is told is made into bytes."""

    def carry_out(self, command: object) -> bool:
        return True

    def take_over(self) -> None:
        pass

    def shows_tasks(self) -> bool:
        return True

    def tell(self, what: str, about: Any) -> bool:
        msgpack.packb({"t": what, **about})
        return True


@dataclass
class Lateness:
    """Of a clock that should go each ``TICK_S``, as far as this process was at work meanwhile: while others have the
    machine it is late for everything."""

    reactor: Any
    late: list[float] = field(default_factory=list)
    _on: bool = False
    _due: float = 0.0
    _spent: float = 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        self._on = True
        self._next()
        try:
            yield
        finally:
            self._on = False

    def _next(self) -> None:
        self._due, self._spent = time.perf_counter() + TICK_S, process_time()
        self.reactor.callLater(TICK_S, self._tick)

    def _tick(self) -> None:
        if not self._on:
            return
        held = max(0.0, min(time.perf_counter() - self._due, process_time() - self._spent))
        while held >= 0.0:
            self.late.append(held)
            held -= TICK_S
        self._next()

    def at(self, part: float) -> float:
        """Milliseconds."""
        found = sorted(self.late)
        return 1000 * found[int(part * (len(found) - 1))] if found else 0.0


class Town:
    """The parts of dispatch over a journal of their own, everybody linked."""

    def __init__(self, reactor: Any, folder: Path, threads: ThreadPool, writer: ThreadPool, seed: int,
                 units: int, tasks: int, km2: float) -> None:  # fmt: skip
        candidates, waiting = city(units, tasks, km2, seed)
        self.now = wall()
        self.journal = Journal(folder, reactor, writer, wall)
        self.intake = intake = Intake(self.journal, wall)
        rota = Rota(intake.roster, ZONE)
        intake.roster.attach(rota)
        self.mirror = Mirror(cast(Any, None), wall, intake.roster.on_duty, PresenceLimits(120_000, 900_000))
        _, made = rota.plan_shift({"name": "day", "periods": ["00:00-24:00"], "colour": 0})
        for change in made:
            rota.apply(change)
        for number, one in enumerate(candidates):
            self._enter(one, number, next(iter(rota.shifts)), rota)
        book = TaskBook()
        self._fill(book, candidates, waiting)
        links = Links(intake, cast(Any, None), reactor, lambda: "c")
        rules = read_rules(CITIES / "round-the-clock.toml")
        steps = Steps(intake)
        steps.attach(TASK_EVENT, book.replay)
        hours = WorkingTime(read_calendar("cn", (1, 2, 3, 4, 5), None), ((480, 1080),), ZONE)
        self.desk = Desk(intake, book, steps, rules, Deadlines(hours, rules.shares), reactor, lambda: "t")
        courier = Courier(intake, links, self.desk, reactor, ZONE, 1 << 20)
        vehicles = {one.unit for one in candidates if one.kind == "vehicle"}
        around = Field(intake, self.mirror, rota, book, courier.reaches,
                       lambda unit: "vehicle" if unit in vehicles else "ebike", 300.0)  # fmt: skip
        self.rounds = Rounds(intake, self.desk, steps, around, Detours(), reactor, threads)
        for device in list(intake.roster.devices):
            links.login(device, Link())
        self.links = links

    def _enter(self, one: Candidate, number: int, shift: str, rota: Rota) -> None:
        roster, today = self.intake.roster, rota.days.day_of(self.now)
        (grid,) = one.areas
        roster.apply(("unit", one.unit, asdict(Unit(one.unit, one.kind, one.unit, grid=grid, duty="events"))))
        if one.on_duty:
            roster.apply(("duty", f"{one.unit}:1", asdict(Duty(one.unit, 1, self.now - 60 * MINUTE))))
        wish = {"protocol": "handheld", "external_id": f"B{number:05d}", "unit": one.unit, "token": hashed(new_token())}
        for change in roster.plan_device(wish)[1]:
            roster.apply(change)
        rota.apply((ASSIGNMENT, f"{one.unit}:{today[:7]}", {"days": {today[8:]: (shift, ())}}))
        state = self.mirror.units[one.unit] = UnitState(one.unit)
        assert one.spot is not None
        state.seen, state.fix_time = self.now, self.now - round(1000 * one.age)
        state.latitude, state.longitude = one.spot.latitude, one.spot.longitude
        state.accuracy = round(10 * one.accuracy)

    def _fill(self, book: TaskBook, candidates: list[Candidate], waiting: list[Task]) -> None:
        """What people are on their way to, and what waits."""
        now = self.now
        for one in waiting:
            book.take(book.plan_create(replace(one, due=one.due - one.created + now), now).events)
        for who in candidates:
            for number, (spot, _) in enumerate(who.committed):
                id = TaskId(f"{who.unit}-{number}")
                made = replace(waiting[0], id=id, spot=spot, due=now + 30 * MINUTE, attempts=[], marks={})
                book.take(book.plan_create(made, now).events)
                book.take(book.plan_offer(id, who.unit, 300, now).events)
                for what in (AttemptInput.DELIVER, AttemptInput.ACCEPT):
                    book.take(book.plan_told(id, 1, who.unit, what, now).events)

    def find(self) -> tuple[float, float, float, int]:
        """A round, in its thread: ms of CPU to ask where everybody is, until it is known who is asked, and with the
        records; and how many are asked."""
        tasks, began = [one for one in self.desk.book.open() if one.state is TaskState.QUEUED], thread_time()
        self.rounds._field.candidates(self.now)
        asked = thread_time()
        found = self.rounds._find(tasks, self.now)
        return 1000 * (asked - began), 1000 * found.cost, 1000 * (thread_time() - asked), len(found.matches)

    async def storm(self, reactor: Any, seconds: float = 30.0) -> int:
        """Rounds until nobody else can be asked; how many."""
        self.rounds.start()
        until, waiting = time.monotonic() + seconds, -1
        while self.rounds and len(self.rounds) != waiting and time.monotonic() < until:
            waiting = len(self.rounds)
            await deferLater(reactor, 2.5)
        return self.rounds.rounds

    async def close(self) -> None:
        self.rounds.stop()
        self.desk.stop()
        self.links.stop()
        await self.journal.close()


@dataclass
class Line:
    """Of the table."""

    around: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    asked: int = 0

    def take(self, found: tuple[float, float, float, int]) -> None:
        around, cpu, whole, self.asked = found
        self.around.append(around)
        self.cpu.append(cpu)
        self.whole.append(whole)


async def measure(reactor: Any, units: int, tasks: int, km2: float, towns: int, rounds: int) -> str:
    threads, writer = ThreadPool(1, 4, "work"), ThreadPool(1, 1, "journal")
    threads.start()
    writer.start()
    line, alone, storm, stormy = Line(), Lateness(reactor), Lateness(reactor), 0
    try:
        for seed in range(towns):
            with tempfile.TemporaryDirectory(prefix="gridbeat-bench-") as place:
                town = Town(reactor, Path(place) / "journal", threads, writer, seed, units, tasks, km2)
                gc.collect()
                gc.freeze()  # as the server does
                for _ in range(rounds):
                    with alone.measured():
                        line.take(await deferToThreadPool(reactor, threads, town.find))
                with storm.measured():
                    stormy = await town.storm(reactor)
                await town.close()
                gc.unfreeze()
    finally:
        threads.stop()
        writer.stop()
    return (
        f"{units:>6} × {tasks:<5} | {'crowded' if km2 == CROWD_KM2 < units else '1 a km²':<8} "
        f"| {median(line.around):>6.1f} | {median(line.cpu):>6.1f} | {max(line.cpu):>6.1f} "
        f"| {LIMITS.get((units, tasks), ''):>6} | {median(line.whole):>6.1f} | {alone.at(0.99):>6.1f} "
        f"| {stormy:>4} | {storm.at(0.99):>6.1f} | {storm.at(1):>6.1f} | load {os.getloadavg()[0]:.1f}"
    )


async def run(reactor: Any, towns: int, rounds: int) -> None:
    print("               |          | where  |        |        |        | all    | round  |      | storm  |        |")
    print("units × tasks  | city     | ms     | CPU ms | worst  | wanted | CPU ms | p99 ms | more | p99 ms | worst  |")
    print("---------------|----------|--------|--------|--------|--------|--------|--------|------|--------|--------|")
    for units, tasks in ((100, 100), (1000, 1000), (10_000, 1000)):
        print(await measure(reactor, units, tasks, float(units), towns, rounds), flush=True)
        if units > 100:
            print(await measure(reactor, units, tasks, CROWD_KM2, towns, rounds), flush=True)
    print(f"late at the 99th percentile, as is wanted: {STALL_MS} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--towns", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5, help="of each town, before the storm")
    given = parser.parse_args()
    sys.setswitchinterval(0.001)  # as the server does
    asyncioreactor.install()  # type: ignore[no-untyped-call]
    task.react(lambda reactor: Deferred.fromCoroutine(run(reactor, given.towns, given.rounds)))


if __name__ == "__main__":
    main()
