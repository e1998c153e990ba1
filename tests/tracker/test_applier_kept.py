"""A store that is empty begins with the states that were kept, and reads of the journal only what is later."""

from __future__ import annotations

import asyncio
from typing import Any

import msgpack
import pytest

from storage.journal import Journal
from tests.reactor import run, until
from tests.tracker.applier_bench import DAY, Bench, stored_name
from tests.tracker.helpers import HOUR, NO_AREAS, NOON, House, record
from tracker.pipeline import Pipeline, UnitState
from tracker.store import MemoryLiveStore, Update

pytestmark = pytest.mark.usefixtures("hurry")


class KeptBench(Bench):
    """With the states after so many records kept, and note of what is read."""

    def __init__(self, house: House) -> None:
        self.kept: tuple[int, list[UnitState]] = (0, [])
        self.asked = 0
        super().__init__(house, MemoryLiveStore(), kept=self._kept)

    def _kept(self) -> tuple[int, list[UnitState]]:
        self.asked += 1
        return self.kept

    def keep(self) -> None:
        """What is in the journal now is kept."""
        self.kept = (self.journal.last, [UnitState.unpack(packed) for packed in self.straight().values()])

    @property
    def memory(self) -> MemoryLiveStore:
        inner = self.store.inner
        assert isinstance(inner, MemoryLiveStore)
        return inner


@pytest.fixture
def bench(house: House) -> KeptBench:
    return KeptBench(house)


def reads(bench: KeptBench, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first records that are asked for from now on."""
    asked: list[int] = []
    read = bench.journal.read

    def noted(first: int, limit: int, *, rare: bool = False) -> Any:
        asked.append(first)
        return read(first, limit, rare=rare)

    monkeypatch.setattr(bench.journal, "read", noted)
    return asked


@pytest.mark.parametrize("whose", ["nobody's", "another journal's", "another version's", "ahead"])
def test_it_begins_with_what_was_kept(bench: KeptBench, whose: str) -> None:
    async def work() -> None:
        bench.commit(700)
        bench.keep()
        bench.commit(40)
        ghost = {"ghost": UnitState("ghost").pack()}  # type: ignore[arg-type]
        names = {
            "another journal's": "k:1",
            "another version's": f"{bench.journal.id}:1",
            "ahead": stored_name(bench.journal),
        }
        if whose in names:
            await bench.memory.apply(names[whose], Update(1, 9000, live=ghost))
        async with bench.running() as applier:
            await bench.check()
            assert bench.store.restored == [(1, 700)]
            assert bench.store.applied[0][0] == 701
            assert applier.resyncs == 1
            bench.commit(5)
            await bench.check()
        assert bench.asked == 1

    run(work())


def test_a_store_that_is_ours_is_taken_as_it_is(bench: KeptBench) -> None:
    async def work() -> None:
        async with bench.running():
            bench.commit(50)
            bench.keep()
            bench.commit(50)
            await bench.check()
        async with bench.running():
            await bench.check()
        assert bench.asked == 1  # by the first, which had nothing

    run(work())


def test_it_does_not_matter_that_the_days_before_are_gone(bench: KeptBench) -> None:
    async def work() -> None:
        bench.house.now = NOON - 9 * DAY
        bench.write([record(NOON - 9 * DAY + i, unit="p1", device="dp1") for i in range(10)])
        bench.points.clear()
        bench.house.now = NOON
        bench.commit(300)
        bench.keep()
        bench.commit(300)
        whole = bench.straight()
        bench.journal._files.delete("2026-11-14")
        async with bench.running():
            await bench.settled()
            assert {UnitState.unpack(p).unit: p for p in await bench.store.load()} == whole
            await bench.check_tracks()

    run(work())


def test_what_was_said_before_is_still_known(bench: KeptBench) -> None:
    async def work() -> None:
        bench.commit(60)
        bench.keep()
        bench.write([point._replace(server_time=point.server_time + 5000, marks=2) for point in bench.points[-20:]])
        del bench.points[-20:]
        async with bench.running() as applier:
            await bench.check()
            assert applier.pipeline.duplicates == 20
            await bench.check_once()

    run(work())


def test_the_store_goes_away_in_the_middle_of_the_start(bench: KeptBench) -> None:
    async def work() -> None:
        bench.commit(30)
        bench.keep()
        bench.commit(30)
        restore, failed = bench.memory.restore, 0

        async def fails(*given: Any) -> None:
            nonlocal failed
            failed += 1
            if failed < 3:
                raise ConnectionError
            await restore(*given)

        bench.memory.restore = fails  # type: ignore[method-assign]
        await bench.memory.apply(stored_name(bench.journal), Update(1, 9000))  # ours, and ahead
        async with bench.running():
            await bench.check()
        assert failed == 3

    run(work())


def test_what_was_kept_of_records_that_are_not_there_is_nothing(bench: KeptBench) -> None:
    async def work() -> None:
        bench.commit(30)
        bench.kept = (31, [UnitState("ghost")])  # type: ignore[arg-type]
        async with bench.running():
            await bench.check()

    run(work())


@pytest.mark.parametrize("when", ["at start", "in between"])
def test_only_days_that_tracks_are_kept_of_are_read_for_them(
    bench: KeptBench, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    async def work() -> None:
        for day in range(9, 2, -1):
            bench.house.now = NOON - day * DAY
            bench.write([record(bench.house.now + i, unit="p1", device="dp1") for i in range(200)])
        first = bench.journal.last + 1
        bench.points.clear()
        bench.house.now = NOON
        bench.commit(50)
        bench.keep()
        if when == "at start":
            monkeypatch.setattr(Pipeline, "remember", lambda self, each: None)
            asked: list[int] = []
            async with bench.running():
                await bench.settled()
        else:
            async with bench.running():
                await bench.settled()
                asked = reads(bench, monkeypatch)
                bench.memory.clear()
                bench.commit(1)
                await bench.settled()
                assert min(asked) == first
        assert await bench.hot("p1")
        for hour in range(NOON // HOUR - 9 * 24, NOON // HOUR - 50):
            assert await bench.memory.track("p1", [hour]) == [b""]

    run(work())


def test_where_everybody_is_comes_before_where_he_was(bench: KeptBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.applier.FILL_BEHIND", 600)
    behind: list[int] = []

    async def work() -> None:
        bench.commit(1500)
        bench.keep()
        for _ in range(10):
            bench.commit(500)
        fill, apply = bench.memory.fill, bench.memory.apply

        async def slow(journal: str, update: Update) -> int:
            await asyncio.sleep(0.01)
            return await apply(journal, update)

        bench.memory.apply = slow  # type: ignore[method-assign]

        async def noted(journal: str, update: Update) -> bool:
            behind.append(bench.journal.last - bench.applier.applied)
            return await fill(journal, update)

        bench.memory.fill = noted  # type: ignore[method-assign]
        async with bench.running():
            await bench.check()
        assert behind
        assert max(behind) <= 600

    run(work())


def test_numbers_that_no_file_has_are_passed_over(house: House) -> None:
    """All of the journal is gone but for what others know of it."""
    hands: Any = house.hands
    house.journal = Journal(house.folder / "other", hands, hands, lambda: house.now, floor=("j" * 32, 500))
    bench = KeptBench(house)

    async def work() -> None:
        state = UnitState("p9")  # type: ignore[arg-type]
        bench.kept = (300, [state])
        async with bench.running() as applier:
            await bench.settled()
            assert await bench.store.head() == (f"{stored_name(bench.journal)}", 500)
            assert bench.journal.id == "j" * 32
            bench.commit(3)
            await bench.settled()
            live = {UnitState.unpack(p).unit: p for p in await bench.store.load()}
            assert live == bench.straight() | {"p9": state.pack()}
            assert applier.behind(house.now) == 0
            assert bench.journal.last == 503

    run(work())


def test_a_viewer_hears_of_numbers_that_were_passed_over(house: House) -> None:
    hands: Any = house.hands
    house.journal = Journal(house.folder / "other", hands, hands, lambda: house.now, floor=("j" * 32, 500))
    bench = KeptBench(house)

    async def work() -> None:
        messages = bench.memory.messages()
        assert await anext(messages) is None
        bench.kept = (300, [])
        async with bench.running() as applier:
            await until(lambda: applier.stored == 500)
        heard = [msgpack.unpackb(await anext(messages)) for _ in range(2)]
        assert [each[1:3] for each in heard] == [[0, 300], [301, 500]]

    run(work())


def test_the_states_are_of_one_run(bench: KeptBench) -> None:
    """Begun again and again from what was kept, it comes to what one run comes to."""

    async def work() -> None:
        for _ in range(5):
            bench.commit(37)
            bench.keep()
            bench.commit(11)
            bench.memory.clear()
            async with bench.running() as applier:
                await bench.check()
                line = Pipeline(lambda: NO_AREAS)
                line.begin(applier.pipeline.states.values())
                assert {unit: state.pack() for unit, state in line.states.items()} == bench.straight()

    run(work())
