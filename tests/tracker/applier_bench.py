"""A journal moved by hand, a store that may fail, and an applier over both, for the tests of what stands on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgpack

from storage.archive.archive import Archive
from storage.archive.reader import Reader
from storage.journal import Journal
from tests.tracker.helpers import HOUR, LAT, LON, NO_AREAS, NOON, House, record
from tests.tracker.stores import Fickle
from tracker.applier import Applier
from tracker.pipeline import STATE_FORMAT, Pipeline, UnitState
from tracker.record import ENTITY, ReportRecord
from tracker.store import LiveStore, Update
from tracker.tracks import Judged, Tracks

DAY = 24 * HOUR


def stored_name(journal: Journal) -> str:
    """How the store names what it has: whose journal, and how the states are packed."""
    return f"{journal.id}:{STATE_FORMAT}"


class Bench:
    """A journal moved by hand, a store that may fail, and an applier that can be started again."""

    def __init__(self, house: House, store: LiveStore, **options: Any) -> None:
        self.house = house
        self.journal = house.journal
        self.store = Fickle(store)
        self.entities: list[tuple[str, str, bytes]] = []
        self.archive = Archive(house.folder.parent / "archive", "Asia/Shanghai")
        self.reader = Reader(self.archive.layout.root)
        self._options = options
        self._random = Random(7)
        self._at = NOON
        self.points: list[ReportRecord] = []

    def make(self) -> Applier:
        """A server's start: everything in memory is new."""
        hands: Any = self.house.hands
        self.applier = Applier(
            self.journal, Pipeline(lambda: NO_AREAS), self.store, hands, hands, lambda: self.house.now,
            lambda: self.entities, **self._options,
        )  # fmt: skip
        self.tracks = Tracks(
            self.journal, self.store, self.applier, lambda: NO_AREAS, self.archive, self.reader, hands, hands,
            lambda: self.house.now,
        )  # fmt: skip
        return self.applier

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Applier]:
        applier = self.make()
        tasks = [asyncio.ensure_future(applier.run()), asyncio.ensure_future(applier.fill())]
        try:
            yield applier
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.journal._listeners.remove(applier.committed)
            self.journal._listeners.remove(self.tracks.tail.take)

    def gate(self) -> asyncio.Event:
        """A store that takes nothing while this is cleared, and does not fail either."""
        gate = asyncio.Event()
        gate.set()
        apply = self.store.apply

        async def slow(journal: str, update: Update) -> int:
            await gate.wait()
            return await apply(journal, update)

        self.store.apply = slow  # type: ignore[method-assign]
        return gate

    def commit(self, number: int = 10) -> None:
        """So many points of three units on disk."""
        made = []
        for _ in range(number):
            self._at += 1000
            unit = self._random.choice(["p1", "p2", "p3"])
            made.append(
                record(
                    self._at, LAT + self._random.randrange(3000), LON + self._random.randrange(3000), unit=unit,
                    device=f"d{unit}", alarm=self._random.choice([0, 0, 1]),
                )
            )  # fmt: skip
        self.write(made)

    def write(self, records: list[Any]) -> None:
        before = self.journal.last
        self.journal.append([tuple(r) for r in records], lambda first: None)
        self.house.settle()
        assert self.journal.last == before + len(records)
        self.points += [r for r in records if isinstance(r, ReportRecord) and r.latitude is not None]
        self.house.now = max(self.house.now, self._at + 1000)

    def straight(self) -> dict[str, bytes]:
        """The states of one run over the whole journal."""
        line = Pipeline(lambda: NO_AREAS)
        for batch in self.journal.read(1, 1 << 30):
            for each in batch.records:
                if each[0] != ENTITY:
                    line.take(each)
        return {unit: state.pack() for unit, state in line.states.items()}

    async def settled(self) -> None:
        async def done() -> bool:
            return (
                self.applier.stored == self.journal.last
                and not self.applier.problem
                and await self.store.inner.holes() == []
            )

        while not await done():
            await asyncio.sleep(0.001)

    async def check(self) -> None:
        """All is as if nothing had happened."""
        await self.settled()
        assert await self.store.head() == (stored_name(self.journal), self.journal.last)
        assert {UnitState.unpack(p).unit: p for p in await self.store.load()} == self.straight()
        await self.check_tracks()
        assert self.applier.behind(self.house.now + 5000) == 0

    async def check_tracks(self) -> None:
        """Each point is in the tracks, once: in what is hot, which the store has, and over all, with the journal."""
        for unit in ("p1", "p2", "p3"):
            for start in (NOON - 2 * HOUR, NOON - 9 * DAY):
                found = [r.identity for r, _, _ in await self.read(unit, start, NOON + 9 * DAY)]
                wanted = {r.identity for r in self.points if r.unit == unit and (r.fix_time or 0) >= start}
                assert len(found) == len(set(found))
                assert set(found) == wanted

    async def read(self, unit: str, start: int, end: int) -> list[Judged]:
        """The points of a track, all of which can be read."""
        track = await self.tracks.read(unit, start, end)
        assert track.unreadable == []
        return track.points

    async def check_once(self) -> None:
        """Nothing was stored twice."""
        for unit in ("p1", "p2", "p3"):
            once = sum(len(msgpack.packb(tuple(r))) for r in self.points if r.unit == unit)
            assert len(await self.hot(unit)) == once

    async def hot(self, unit: str) -> bytes:
        """What lies in the store itself, of the hours around noon."""
        return b"".join(await self.store.inner.track(unit, range(NOON // HOUR - 60, NOON // HOUR + 60)))
