"""A track is whole wherever its points are: hot, in a hole, older than the store keeps, or not stored yet."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.reactor import run, until
from tests.tracker.applier_bench import DAY, Bench
from tests.tracker.helpers import HOUR, LAT, NOON, record
from tests.tracker.history import History
from tracker.admission import LATEST
from tracker.applier import Applier
from tracker.pipeline import UnitState
from tracker.store import Update
from tracker.tracks import HOT_HOURS

pytestmark = pytest.mark.usefixtures("hurry")


def test_old_points_are_read_from_the_journal_and_new_ones_from_the_store(bench: Bench) -> None:
    async def work() -> None:
        bench.house.now = NOON - 5 * DAY
        old = [record(NOON - 5 * DAY - i * 1000, LAT + i) for i in range(20)]
        bench.write(old)
        bench.house.now = NOON
        late = [record(NOON - 3 * DAY + i, LAT + i, server_time=NOON, marks=2) for i in range(5)]
        async with bench.running():
            bench.write(late)
            bench.commit(50)
            await bench.check()
            assert len(await bench.read("p1", NOON - 6 * DAY, NOON - 4 * DAY)) == 20
            assert len(await bench.read("p1", NOON - 3 * DAY, NOON - 2 * DAY)) == 5
            assert len(await bench.read("p1", NOON - 3 * DAY + 1, NOON - 3 * DAY + 3)) == 3
            assert await bench.read("nobody", NOON - 6 * DAY, NOON + DAY) == []

    run(work())


def test_tracks_are_whole_at_every_moment_of_a_loss_and_its_repair(bench: Bench) -> None:
    async def work() -> None:
        filled = 0
        fill = bench.store.fill

        async def watched(journal: str, update: Update) -> bool:
            nonlocal filled
            await bench.check_tracks()
            done = await fill(journal, update)
            await bench.check_tracks()
            filled += 1
            return done

        bench.store.fill = watched  # type: ignore[method-assign]
        async with bench.running():
            for _ in range(8):
                bench.commit(400)
            await bench.settled()
            bench.store.inner.clear()  # type: ignore[attr-defined]
            bench.commit(1)
            await until(lambda: filled > 2)
            await bench.check()

    run(work())


def test_what_is_stored_while_a_track_is_read_is_not_missed(bench: Bench) -> None:
    async def work() -> None:
        async with bench.running():
            bench.commit(20)
            await bench.settled()
            track = bench.store.track

            async def reads(unit: str, hours: Any) -> list[bytes]:
                found = await track(unit, hours)
                bench.commit(10)
                await until(lambda: bench.applier.stored == bench.journal.last)
                return found

            bench.store.track = reads  # type: ignore[method-assign]
            before = {r.identity for r in bench.points if r.unit == "p1"}
            assert before <= {r.identity for r, _, _ in await bench.read("p1", NOON, NOON + DAY)}

            # The same when a hole is closed meanwhile.
            bench.store.track = track  # type: ignore[method-assign]
            holes = bench.store.holes
            memory: Any = bench.store.inner
            (packed,) = await memory.track("p1", [NOON // HOUR])
            memory._tracks.clear()
            memory._holes = {1: bench.journal.last}

            async def closing(unit: str, hours: Any) -> list[bytes]:
                found = await track(unit, hours)
                memory._holes.clear()
                memory._tracks["p1", NOON // HOUR] = packed
                return found

            bench.store.track = closing  # type: ignore[method-assign]
            bench.store.holes = holes  # type: ignore[method-assign]
            assert before <= {r.identity for r, _, _ in await bench.read("p1", NOON, NOON + DAY)}

    async def still(self: Applier, first: int, last: int) -> bool:
        return False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Applier, "_fill_part", still)
        run(work())


def test_the_future_is_kept_in_the_track_and_not_live(bench: Bench) -> None:
    async def work() -> None:
        async with bench.running():
            ahead = record(NOON + 5 * HOUR, server_time=NOON)
            bench.write([record(), ahead])
            await bench.check()
            (state,) = map(UnitState.unpack, await bench.store.load())
            assert state.fix_time == NOON
            assert [r.fix_time for r, _, _ in await bench.read("p1", NOON, NOON + DAY)] == [NOON, ahead.fix_time]

    run(work())


def test_a_question_without_an_end_asks_the_store_for_no_century(bench: Bench) -> None:
    async def work() -> None:
        asked: list[int] = []
        track = bench.store.track

        async def counted(unit: str, hours: Any) -> list[bytes]:
            asked.append(len(hours))
            return await track(unit, hours)

        async with bench.running():
            times = [NOON, NOON + DAY, NOON + 30 * DAY]
            bench.write([record(at, server_time=NOON) for at in times])
            await bench.settled()
            bench.store.track = counted  # type: ignore[method-assign]
            for start, end in ((NOON, LATEST), (0, LATEST), (NOON, NOON + HOUR), (NOON + DAY, LATEST)):
                found = [r.fix_time for r, _, _ in await bench.read("p1", start, end)]
                assert found == [at for at in times if start <= at <= end]
            assert asked == [3, HOT_HOURS + 1, 3]

    run(work())


def test_what_is_on_disk_and_not_stored_yet_is_in_the_track(bench: Bench) -> None:
    async def work() -> None:
        gate = bench.gate()
        async with bench.running() as applier:
            bench.commit(10)
            await bench.settled()
            gate.clear()
            bench.commit(10)
            await until(lambda: applier.applied == 20)
            bench.commit(10)
            assert applier.stored == 10
            await bench.check_tracks()
            gate.set()
            await bench.check()

    run(work())


def test_a_question_reads_what_it_needs_and_no_more(bench: Bench) -> None:
    """Recent points: no file. Old ones: neither store nor journal, but for what came late and is not sealed yet."""

    async def work() -> None:
        history = History(bench, Random(1))
        bench.house.now = NOON - 20 * DAY
        async with bench.running():
            old = [record(bench.house.now + i * 1000, LAT + i) for i in range(20)]
            history.put(*old)
            history.do("seal")
            bench.house.now = NOON
            new = [record(NOON - HOUR + i * 1000, LAT + i) for i in range(20)]
            history.put(*new)
            history.do("seal")
            history.do("close")
            late = record(NOON - 20 * DAY + 500, server_time=NOON, marks=2)
            history.put(*new, late)
            await bench.settled()
            await bench.tracks.catch_up()

            reads: list[tuple[int, int]] = []
            journal_read, track = bench.journal.read, bench.store.track

            def read(first: int, limit: int, **others: Any) -> Any:
                reads.append((first, limit))
                return journal_read(first, limit, **others)

            def never(*_: Any) -> Any:
                raise AssertionError("nobody asks this")

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(bench.journal, "read", read)
                patch.setattr(bench.reader, "ask", never)
                assert len(await bench.read("p1", NOON - HOUR, NOON)) == 20
            assert reads == []
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(bench.journal, "read", read)
                patch.setattr(bench.store, "track", never)
                assert len(await bench.read("p1", NOON - 20 * DAY, NOON - 19 * DAY)) == 21
            assert reads == [(61, 1)], "the one point that came late"
            assert bench.store.track == track

    run(work())


def test_tracks_are_whole_while_the_store_is_away(bench: Bench) -> None:
    async def work() -> None:
        history = History(bench, Random(2))
        async with bench.running():
            bench.house.now = NOON
            history.some(200)
            history.do("seal")
            bench.house.now += 1000
            history.some(200)
            await bench.settled()
            bench.store.away = True
            bench.house.now += 1000
            history.some(50)
            await history.check()
            await bench.tracks.catch_up()
            await history.check()
            bench.store.away = False
            await bench.settled()
            await history.check()

    run(work())
