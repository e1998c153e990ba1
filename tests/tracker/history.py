"""A city's years made short: records come in every possible way while the archive's jobs run, and at any moment a track
is what :func:`tracker.pipeline.judge` makes of everything that was ever journalled."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from storage.archive.archive import Archive
from storage.archive.reader import Columns
from storage.journal_files import JournalFiles
from tests.tracker.applier_bench import DAY, Bench
from tests.tracker.helpers import HOUR, LAT, LON, NO_AREAS, NOON, record
from tracker.archive_context import Context, Result
from tracker.archiving import JOBS
from tracker.coordinates import distance
from tracker.nearby import Circle
from tracker.pipeline import judge
from tracker.record import ReportRecord
from tracker.tracks import Judged

ZONE = "Asia/Shanghai"
MINUTE = 60_000


class History:
    """Moves a bench through time. ``jobs`` wait to be done in the middle of the next questions: one before each file
    that is opened."""

    def __init__(self, bench: Bench, random: Random) -> None:
        self.bench, self.random = bench, random
        self.all: list[ReportRecord] = []
        self.jobs: list[str] = []
        self.done: list[str] = []
        bench.house.now = NOON - 12 * DAY

    @property
    def now(self) -> int:
        return self.bench.house.now

    # -- what comes in

    def put(self, *records: Any) -> None:
        self.bench.journal.append([tuple(r) for r in records], lambda first: None)
        self.bench.house.settle()
        self.all += records

    def some(self, number: int) -> None:
        """Points of now, of before, of clocks that are off, and such as came before."""
        random = self.random
        self.put(*[self.again() if self.all and random.random() < 0.2 else self.fresh() for _ in range(number)])

    def fresh(self) -> ReportRecord:
        random, now = self.random, self.now
        late = random.random() < 0.3
        ahead = random.choice([0] * 30 + [3 * MINUTE, 2 * HOUR, 30 * HOUR, 4 * DAY - HOUR, 4 * DAY + HOUR, 9 * DAY])
        at = now - random.randrange(10 * DAY) if late else now + ahead - random.randrange(5 * MINUTE)
        # Whole minutes, so that points meet; far away now and then.
        at -= at % (MINUTE // 2)
        strange: dict[str, Any] = {"altitude": 1 << 40} if random.random() < 0.05 else {}
        located = random.random() < 0.95
        return record(
            at, LAT + random.choice([0, 0, 0, 40_000_000]) + random.randrange(3000) if located else None,
            LON + random.randrange(3000) if located else None, unit=random.choice(["p1", "p1", "p2"]),
            device=random.choice(["d1", "d2"]), server_time=now, marks=2 if late else 0,
            accuracy=random.choice([None, 50, 9000]), alarm=random.choice([0, 0, 1]), status=random.choice([0, 2]),
            device_time=random.choice([None, now - 11 * MINUTE]), duty=1, speed=random.choice([None, 120]),
            items=random.choice([None, {"battery": 50, "cells": (1, b"x")}]),
            original=random.choice([None, (LAT, LON)]), **strange,
        )  # fmt: skip

    def again(self) -> ReportRecord:
        """A point that came before, as another message."""
        old = self.random.choice(self.all)
        return old._replace(server_time=self.now, marks=self.random.choice([0, 2]), speed=self.random.choice([1, 2]))

    def wait(self) -> None:
        self.bench.house.now += self.random.choice([MINUTE, 20 * MINUTE, HOUR, 7 * HOUR, DAY, 3 * DAY])

    # -- the archive

    def do(self, job: str) -> Result:
        data = self.bench.house.folder.parent
        context = Context(
            data, Archive(data / "archive", ZONE), JournalFiles(data / "journal"), self.now, lambda _: None
        )
        arguments = {"upto": self.bench.journal.last, "before": self.now + 1} if job == "seal" else {}
        self.done.append(job)
        return JOBS[job](context, arguments)

    def interrupt(self) -> None:
        """From now on files change under the reader's hands."""
        ask = self.bench.reader.ask

        def interrupted(*arguments: Any) -> Columns:
            if self.jobs:
                self.do(self.jobs.pop(0))
            return ask(*arguments)

        self.bench.reader.ask = interrupted  # type: ignore[method-assign]

    # -- what is asked

    def expected(self, unit: str, start: int, end: int) -> list[Judged]:
        days: dict[str, list[ReportRecord]] = {}
        for each in self.all:
            if each.unit == unit and each.latitude is not None:
                days.setdefault(self.bench.archive.days.day_of(each.fix_time or 0), []).append(each)
        points = [point for _, of in sorted(days.items()) for point in judge(of, NO_AREAS)]
        return [point for point in points if start <= (point[0].fix_time or 0) <= end]

    async def check(self, spans: Sequence[tuple[int, int]] = ()) -> None:
        random, now = self.random, self.now
        edge = [now - random.randrange(14 * DAY), now - random.randrange(2 * DAY), now - random.randrange(HOUR)]
        for start, end in spans or [
            (edge[0], edge[1]),
            (edge[1], now + DAY),
            (edge[2], now),
            (NOON - 30 * DAY, NOON + 99 * DAY),
        ]:
            for unit in ("p1", "p2"):
                found = await self.bench.read(unit, start, end)
                assert found == self.expected(unit, start, end)

    async def check_nearby(self) -> None:
        """Who was near a place is found by looking at all that was ever journalled."""
        random = self.random
        latitude, longitude = LAT + random.choice([0, 3000, 40_000_000]), LON + random.randrange(3000)
        circle = Circle(latitude, longitude, random.choice([5, 50, 500]))
        start = self.now - random.randrange(14 * DAY)
        for end in (start + random.randrange(2 * DAY), self.now + DAY):
            near: dict[str, dict[tuple[Any, ...], float]] = {}
            for one in self.all:
                if one.latitude is not None and one.longitude is not None and start <= (one.fix_time or 0) <= end:
                    metres = distance(circle.latitude, circle.longitude, one.latitude, one.longitude)
                    if metres <= circle.radius:
                        near.setdefault(one.unit, {})[one.fix_time, one.latitude, one.longitude] = metres
            found = await self.bench.tracks.nearby(circle, start, end)
            assert found.unreadable == []
            assert [visit.nearest for visit in found.visits] == sorted(visit.nearest for visit in found.visits)
            assert {visit.unit for visit in found.visits} == set(near)
            for visit in found.visits:
                times, nearest = sorted(key[0] for key in near[visit.unit]), min(near[visit.unit].values())
                assert (visit.fixes, visit.first, visit.last) == (len(times), times[0], times[-1])
                assert visit.nearest == pytest.approx(nearest, abs=0.01)
                assert visit.nearest_at in [
                    key[0] for key, metres in near[visit.unit].items() if metres < nearest + 0.01
                ]
                assert 0 <= visit.doubted <= visit.fixes
