"""The store catches up, whatever becomes of it: afterwards it holds what a straight run over the journal makes."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest

from storage.client import Client
from tests.reactor import run, until
from tests.tracker.applier_bench import DAY, Bench, stored_name
from tests.tracker.helpers import HOUR, LAT, LON, NO_AREAS, NOON, House, record
from tracker.applier import Applier
from tracker.pipeline import Pipeline, UnitState
from tracker.record import ENTITY
from tracker.store import MemoryLiveStore, RedisLiveStore, Update

pytestmark = pytest.mark.usefixtures("hurry")


# -- starting


def test_from_an_empty_store(bench: Bench) -> None:
    async def work() -> None:
        bench.commit(700)
        bench.commit(5)
        async with bench.running() as applier:
            await bench.check()
            bench.commit(30)
            await bench.check()
            assert applier.resyncs == 1

    run(work())


def test_from_a_store_that_has_all(bench: Bench) -> None:
    async def work() -> None:
        async with bench.running():
            bench.commit(30)
            await bench.check()
        bench.store.applied.clear()
        async with bench.running():
            await bench.check()
            assert bench.store.applied == []
            bench.commit(3)
            await bench.check()

    run(work())


def test_from_a_store_that_has_some(bench: Bench) -> None:
    async def work() -> None:
        async with bench.running():
            bench.commit(30)
            await bench.check()
        bench.commit(40)
        bench.commit(1300)
        bench.store.applied.clear()
        async with bench.running():
            await bench.check()
            assert bench.store.applied[0][0] == 31

    run(work())


def test_from_the_middle_of_a_batch_on(bench: Bench) -> None:
    """Another process of the past may have cut its updates elsewhere."""

    async def work() -> None:
        bench.commit(30)
        line = Pipeline(lambda: NO_AREAS)
        (batch,) = bench.journal.read(1, 100)
        tracks: dict[tuple[str, int], bytes] = {}
        for each in batch.records[:17]:
            line.take(each)
            key = (each[2], each[6] // HOUR)
            tracks[key] = tracks.get(key, b"") + msgpack.packb(each)
        live = {str(unit): state.pack() for unit, state in line.states.items()}
        await bench.store.apply(stored_name(bench.journal), Update(1, 17, live=live, tracks=tracks))
        async with bench.running():
            await bench.check()
            await bench.check_once()

    run(work())


def test_from_a_store_that_is_away_at_first(bench: Bench) -> None:
    async def work() -> None:
        bench.commit()
        bench.store.away = True
        async with bench.running() as applier:
            await until(lambda: applier.resyncs > 3)
            assert "ConnectionError" in applier.problem
            bench.commit()
            assert applier.behind(bench.house.now + 5000) > 0
            bench.store.away = False
            await bench.check()

    run(work())


def test_from_the_store_of_another_journal(bench: Bench) -> None:
    async def work() -> None:
        other = UnitState("ghost")  # type: ignore[arg-type]
        await bench.store.apply(
            "another", Update(1, 5, live={"ghost": other.pack()}, tracks={("p1", NOON // HOUR): b"?"})
        )
        bench.commit(20)
        async with bench.running():
            await bench.check()

    run(work())


def test_from_a_store_that_another_version_wrote(bench: Bench) -> None:
    """Its states cannot be read, so nothing of them is: the journal builds them anew."""

    async def work() -> None:
        bench.commit(20)
        live = {"p1": msgpack.packb(["p1", "d1", 1])}
        await bench.store.apply(f"{bench.journal.id}:older", Update(1, 20, live=live))
        async with bench.running():
            await bench.check()

    run(work())


def test_from_a_store_that_is_ahead_of_the_journal(bench: Bench) -> None:
    async def work() -> None:
        ghost = UnitState("ghost")  # type: ignore[arg-type]
        await bench.store.apply(stored_name(bench.journal), Update(1, 5000, live={"ghost": ghost.pack()}))
        bench.commit(20)
        async with bench.running():
            await bench.check()

    run(work())


def test_from_an_empty_store_when_the_journals_first_days_are_gone(bench: Bench) -> None:
    async def work() -> None:
        bench.house.now = NOON - 3 * DAY
        bench.write([record(NOON - 3 * DAY + i) for i in range(10)])
        bench.points.clear()
        bench.house.now = NOON
        bench.commit(700)
        bench.commit(700)
        sorted((bench.house.folder).glob("*.db"))[0].unlink()
        async with bench.running():
            await bench.check()
            bench.commit(3)
            await bench.check()

    run(work())


def test_from_an_empty_store_and_an_empty_journal(bench: Bench) -> None:
    async def work() -> None:
        async with bench.running() as applier:
            await until(lambda: not applier.problem)
            assert await bench.store.head() == (stored_name(bench.journal), 0)
            bench.commit()
            await bench.check()

    run(work())


# -- while running


def test_flushall_in_between(bench: Bench) -> None:
    async def work() -> None:
        async with bench.running():
            bench.commit(1700)
            await bench.settled()
            bench.store.inner.clear()  # type: ignore[attr-defined]
            bench.commit(5)
            await bench.check()
            assert await bench.hot("p1")  # and not only through the journal

    run(work())


def test_flushall_is_noticed_though_nobody_reports(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.applier.IDLE_CHECK", 0.02)

    async def work() -> None:
        async with bench.running() as applier:
            bench.commit(50)
            await bench.settled()
            before = applier.resyncs
            bench.store.inner.clear()  # type: ignore[attr-defined]
            await until(lambda: applier.resyncs > before)
            await bench.check()

    run(work())


def test_a_record_that_cannot_be_judged_stops_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with bench.running() as applier:
            take = applier.pipeline.take
            poison = iter([True])

            def takes(record: Any) -> bool:
                if next(poison, False):
                    raise ZeroDivisionError
                return take(record)

            monkeypatch.setattr(applier.pipeline, "take", takes)
            bench.commit(20)
            await bench.settled()
            assert applier.misjudged == 1
            assert applier.stored == bench.journal.last
            assert not applier.problem

    run(work())


def test_flushall_while_the_holes_are_being_filled(bench: Bench) -> None:
    async def work() -> None:
        memory: Any = bench.store.inner
        async with bench.running():
            bench.commit(4000)
            await bench.settled()
            memory.clear()
            bench.commit(1)
            await until(lambda: memory._holes and 1 not in memory._holes)
            memory.clear()
            bench.commit(1)
            await bench.check()

    run(work())


def test_the_store_is_away_while_the_devices_go_on(bench: Bench) -> None:
    async def work() -> None:
        async with bench.running() as applier:
            bench.commit()
            await bench.settled()
            bench.store.away = True
            for _ in range(20):
                bench.commit(50)
            await until(lambda: applier.problem)
            assert await bench.store.inner.head() == (stored_name(bench.journal), 10)
            assert applier.behind(bench.house.now) > 0
            await bench.check_tracks()  # from the journal meanwhile
            bench.store.away = False
            await bench.check()
            await bench.check_once()
            assert bench.store.restored == [(1, 0)]  # it came back as it was

    run(work())


@pytest.mark.parametrize("sizes", [[60, 60, 30], [100, 1, 1], [90, 20, 10, 5, 300, 7], [10] * 40, [101]])
def test_the_memory_is_bounded_and_nothing_is_lost_by_it(house: House, sizes: list[int]) -> None:
    bench = Bench(house, MemoryLiveStore(), queue_records=100)

    async def work() -> None:
        async with bench.running() as applier:
            bench.commit(1)
            await bench.settled()
            bench.store.away = True
            for size in sizes:
                bench.commit(size)
                assert sum(len(b.records) for b in applier._queue) <= 100
            await until(lambda: applier.problem)
            bench.store.away = False
            bench.commit(3)
            await bench.check()
            assert applier._queued == 0

    run(work())


def test_what_does_not_fit_while_the_store_is_slow_is_read_from_the_journal(house: House) -> None:
    """The queue has room again before what did not fit has been read: a gap in its middle."""
    bench = Bench(house, MemoryLiveStore(), queue_records=100)

    async def work() -> None:
        gate = bench.gate()
        async with bench.running() as applier:
            bench.commit(1)
            await bench.settled()
            gate.clear()
            bench.commit(50)
            await until(lambda: applier.applied == 51)
            for size in (60, 60, 30, 40, 2):
                bench.commit(size)
            gate.set()
            await bench.check()

    run(work())


def test_an_answer_that_got_lost(bench: Bench) -> None:
    async def work() -> None:
        async with bench.running():
            bench.commit()
            await bench.settled()
            for _ in range(3):
                bench.store.swallow_answer = True
                bench.commit()
                await bench.settled()
            await bench.check()
            await bench.check_once()
            assert bench.store.restored == [(1, 0)]

    run(work())


@pytest.mark.parametrize("updates", [1, 3])
@pytest.mark.parametrize("notice", ["by the next update", "by a broken call"])
def test_a_store_that_has_lost_its_last_updates(bench: Bench, updates: int, notice: str) -> None:
    """A server that syncs its file once a second, killed: it comes back as it was."""

    async def work() -> None:
        memory: Any = bench.store.inner
        async with bench.running():
            bench.commit()
            await bench.settled()
            kept = copy.deepcopy({k: v for k, v in vars(memory).items() if k != "_subscribers"})
            for _ in range(updates):
                bench.commit()
                await bench.settled()
            if notice == "by a broken call":
                bench.store.away = True
                bench.commit()
                await until(lambda: bench.applier.problem)
            vars(memory).update(kept)
            bench.store.away = False
            bench.commit()
            await bench.check()

    run(work())


def test_a_stranger_writes_into_the_store(bench: Bench) -> None:
    async def work() -> None:
        memory: Any = bench.store.inner
        async with bench.running():
            bench.commit()
            await bench.settled()
            memory.clear()
            await memory.apply("another", Update(1, 99))
            bench.commit()
            await bench.check()

    run(work())


def test_repetitions_are_stored_once_and_all_is_the_same_again_after_flushall(bench: Bench) -> None:
    async def work() -> None:
        async with bench.running():
            bench.commit(30)
            again = [r._replace(server_time=r.server_time + 5000, marks=2) for r in bench.points[:20]]
            bench.write(again)
            await bench.check()
            once = await bench.hot("p1")
            bench.store.inner.clear()  # type: ignore[attr-defined]
            bench.commit(1)
            await bench.check()
            assert len(await bench.hot("p1")) >= len(once)

    run(work())


def test_a_fault_of_ours_is_told_and_does_not_end_the_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with bench.running() as applier:
            bench.commit()
            await bench.settled()
            broken = True
            read = bench.journal.read

            def reads(first: int, limit: int, *, rare: bool = False) -> Any:
                if broken:
                    raise OSError("the disk")
                return read(first, limit, rare=rare)

            monkeypatch.setattr(bench.journal, "read", reads)
            applier._queue_records = 0
            bench.commit()
            await until(lambda: applier.problem)
            broken = False
            await bench.check()

    run(work())


def test_filling_goes_on_after_a_fault(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        faults = 0
        part = Applier._fill_part

        async def fails(self: Applier, first: int, last: int) -> bool:
            nonlocal faults
            faults += 1
            if faults < 3:
                raise ValueError("a damaged file")
            return await part(self, first, last)

        monkeypatch.setattr(Applier, "_fill_part", fails)
        async with bench.running():
            bench.commit(20)
            await bench.settled()
            bench.store.inner.clear()  # type: ignore[attr-defined]
            bench.commit(1)
            await bench.check()
            assert faults >= 3

    run(work())


def test_entities_go_along(bench: Bench) -> None:
    async def work() -> None:
        memory: Any = bench.store.inner
        async with bench.running():
            bench.write([(ENTITY, NOON, "unit", "p1", {"name": "A"}), (ENTITY, NOON, "area", "g1", {"name": "G"})])
            bench.write([(ENTITY, NOON, "area", "g1", None)])
            await bench.settled()
            assert memory.entities == {("unit", "p1"): msgpack.packb({"name": "A"})}
            bench.entities = [("unit", "p1", b"whole")]
            memory.clear()
            bench.commit(1)
            await bench.settled()
            assert memory.entities == {("unit", "p1"): b"whole"}

    run(work())


def test_places_are_degrees_and_end_where_the_map_does(bench: Bench) -> None:
    async def work() -> None:
        memory: Any = bench.store.inner
        async with bench.running():
            bench.write([record(), record(unit="p2", device="d2", latitude=890_000_000)])
            await bench.check()
            assert memory.places == {"p1": (LON / 1e7, LAT / 1e7)}

    run(work())


# -- the real store


async def over_valkey(url: str, folder: Path, work: Callable[[Bench, Any], Awaitable[None]]) -> None:
    client = Client(url)
    house = House(folder / "journal")
    try:
        await client._redis.flushall()
        await work(Bench(house, RedisLiveStore(client)), client._redis)
    finally:
        await client.close()
        house.close()


def test_the_same_over_a_real_server(url: str, tmp_path: Path) -> None:
    async def work(bench: Bench, redis: Any) -> None:
        bench.commit(700)
        async with bench.running():
            await bench.check()
            await redis.flushall()
            await redis.function_flush()
            bench.commit(5)
            await bench.check()
            bench.store.away = True
            bench.commit(800)
            await until(lambda: bench.applier.problem)
            bench.store.away = False
            await bench.check()
            bench.store.swallow_answer = True
            bench.commit(5)
            await bench.check()
        bench.commit(600)
        async with bench.running():
            await bench.check()

    run(over_valkey(url, tmp_path, work))
