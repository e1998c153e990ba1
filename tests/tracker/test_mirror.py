"""The fleet in memory follows the store, whatever is missed, and tells who has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import msgpack
import pytest

from storage.client import Client
from tests.reactor import run, until
from tests.tracker.helpers import LAT, NO_AREAS, NOON, record
from tests.tracker.stores import Fickle, valkey
from tracker.mirror import Mirror
from tracker.model import Duty, Presence, UnitId
from tracker.pipeline import Pipeline
from tracker.presence import PresenceLimits
from tracker.store import MemoryLiveStore, RedisLiveStore, Update

J = "journal"
P1, P2 = UnitId("p1"), UnitId("p2")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nap(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.002))

    monkeypatch.setattr("tracker.mirror.asyncio", SimpleNamespace(sleep=nap))


class Bench:
    """A store that is written to as the applier does it, and a mirror of it."""

    def __init__(self, store: Any) -> None:
        self.store = Fickle(store)
        self.line = Pipeline(lambda: NO_AREAS)
        self.last = 0
        self.now = NOON
        self.off: set[UnitId] = set()
        self.told: list[set[UnitId]] = []
        self.mirror = Mirror(
            self.store,
            lambda: self.now,
            lambda unit, at: None if unit in self.off else Duty(unit, 1, 0),
            PresenceLimits(),
        )
        self.mirror.listen(lambda units: self.told.append(set(units)))

    def update(self, *records: Any) -> Update:
        for each in records:
            self.line.take(each)
        live = {unit: self.line.states[unit].pack() for unit in {each.unit for each in records}}
        update = Update(self.last + 1, self.last + len(records), live={str(k): v for k, v in live.items()})
        update.message = msgpack.packb([J, update.first, update.last, list(live.values())])
        self.last = update.last
        return update

    async def write(self, *records: Any) -> None:
        update = self.update(*records)
        assert await self.store.inner.apply(J, update) == update.last

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Mirror]:
        task = asyncio.ensure_future(self.mirror.run())
        try:
            await until(lambda: self.mirror.linked or task.done())
            yield self.mirror
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def same(self) -> bool:
        return {u: s.pack() for u, s in self.mirror.units.items()} == {u: s.pack() for u, s in self.line.states.items()}


def bench() -> Bench:
    return Bench(MemoryLiveStore())


def test_it_begins_with_what_is_there() -> None:
    async def work() -> None:
        b = bench()
        await b.write(record(), record(unit="p2", device="d2"))
        async with b.running() as mirror:
            assert b.same()
            assert mirror.last == 2
            assert b.told == [{P1, P2}]

    run(work())


def test_it_follows_the_messages_without_asking_again() -> None:
    async def work() -> None:
        b = bench()
        await b.write(record())
        async with b.running() as mirror:
            b.store.away = True
            b.told.clear()
            memory: Any = b.store.inner
            memory._publish(b"")  # as a part of a restore does
            await b.write(record(NOON + 1000, LAT + 5))
            await b.write(record(NOON + 2000, LAT + 5), record(NOON, unit="p2", device="d2"))
            await until(lambda: mirror.last == 4)
            assert b.same()
            assert b.told == [{P1}, {P1, P2}]

    run(work())


def test_a_message_that_was_missed_loads_everything_anew() -> None:
    async def work() -> None:
        b = bench()
        async with b.running() as mirror:
            await b.write(record())
            await until(lambda: mirror.last == 1)
            memory: Any = b.store.inner
            publish, memory._publish = memory._publish, lambda message: None
            await b.write(record(unit="p2", device="d2"))
            memory._publish = publish
            await b.write(record(NOON + 1000))
            await until(lambda: mirror.last == 3)
            assert b.same()

    run(work())


def test_what_was_in_the_load_already_is_not_taken_back() -> None:
    async def work() -> None:
        b = bench()
        old = b.update(record())
        await b.store.inner.apply(J, old)
        await b.write(record(NOON + 1000, LAT + 5))
        async with b.running() as mirror:
            memory: Any = b.store.inner
            b.store.away = True  # loading anew would hide it
            memory._publish(old.message)
            await b.write(record(NOON + 2000, unit="p2", device="d2"))
            await until(lambda: mirror.last == 3)
            assert b.same()

    run(work())


def test_a_restore_and_another_journal_load_everything_anew() -> None:
    async def work() -> None:
        b = bench()
        await b.write(record(), record(unit="p2", device="d2"))
        async with b.running() as mirror:
            only = b.line.states[P2].pack()
            await b.store.inner.restore(
                "next", 1, Update(6, 5, live={"p2": only}, message=msgpack.packb(["next", 0, 5, []]))
            )
            await until(lambda: mirror.last == 5)
            assert list(mirror.units) == [P2]

    run(work())


def test_it_comes_back_when_the_store_does() -> None:
    async def work() -> None:
        b = bench()
        b.store.away = True
        task = asyncio.ensure_future(b.mirror.run())
        await asyncio.sleep(0.01)
        assert not b.mirror.linked
        await b.write(record())
        b.store.away = False
        await until(lambda: b.mirror.linked)
        assert b.same()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(work())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with valkey() as address:
        yield address


def test_it_follows_a_real_server_through_a_restore_and_a_cut(url: str) -> None:
    async def work() -> None:
        client = Client(url)
        try:
            b = Bench(RedisLiveStore(client))
            await b.write(record())
            async with b.running() as mirror:
                await b.write(record(NOON + 1000))
                await until(lambda: mirror.last == 2)
                assert b.same()
                live = {str(u): s.pack() for u, s in b.line.states.items()}
                restored = Update(b.last + 1, b.last, live=live, message=msgpack.packb([J, 0, b.last, []]))
                mirror.units.clear()
                await b.store.inner.restore(J, 1, restored)
                await until(b.same)
                # The server closes every subscription.
                await client._redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")  # type: ignore[no-untyped-call]
                await b.write(record(NOON + 2000))
                await until(b.same)
        finally:
            await client.close()

    run(work())


# -- presence


def test_presence_is_told_when_time_goes_by() -> None:
    async def work() -> None:
        b = bench()
        await b.write(record(server_time=NOON))
        async with b.running() as mirror:
            seen = []
            b.told.clear()
            for at in (NOON, NOON + 120_000, NOON + 120_001, NOON + 130_000, NOON + 900_001):
                b.now = at
                mirror.sweep([P1])
                seen.append((mirror.presence(P1), bool(b.told)))
                b.told.clear()
            assert seen == [
                (Presence.ONLINE_FIX, True),
                (Presence.ONLINE_FIX, False),
                (Presence.STALE, True),
                (Presence.STALE, False),
                (Presence.OFFLINE, True),
            ]
            b.off.add(P1)
            mirror.sweep([P1, P2])
            assert b.told == [{P1, P2}]
            assert mirror.presence(P1) is Presence.OFF_SHIFT
            assert mirror.presence(P2) is Presence.OFFLINE

    run(work())


def test_a_sign_of_life_that_is_stored_nowhere_counts() -> None:
    async def work() -> None:
        b = bench()
        await b.write(record(server_time=NOON))
        async with b.running() as mirror:
            b.now = NOON + 500_000
            assert mirror.presence(P1) is Presence.STALE
            mirror.heard(P1)
            assert mirror.presence(P1) is Presence.ONLINE_NO_FIX
            assert mirror.last_message(P1) == b.now
            mirror.heard(P2)
            assert mirror.last_message(P2) == b.now
            assert mirror.last_message(UnitId("p3")) is None

    run(work())


def test_a_sign_of_life_from_before_the_servers_clock_was_set_back_is_forgotten() -> None:
    b = Bench(MemoryLiveStore())

    async def work() -> None:
        await b.write(record(device="d2", unit="p2"))
        async with b.running() as mirror:
            b.now = NOON + 86_400_000
            mirror.heard(P1)
            b.now = NOON + 1500
            assert mirror.presence(P1) is Presence.OFFLINE
            await b.write(record(server_time=NOON + 1000))
            await until(lambda: mirror.last == 2)
            assert (mirror.last_message(P1), mirror.presence(P1)) == (NOON + 1000, Presence.ONLINE_FIX)

    run(work())
