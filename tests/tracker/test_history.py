"""History is the same whatever became of its records: hot, in the journal, in parts, closed, or on their way."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.reactor import run
from tests.tracker.applier_bench import Bench
from tests.tracker.helpers import House
from tests.tracker.history import History
from tracker.store import MemoryLiveStore

pytestmark = pytest.mark.usefixtures("hurry", "impatient")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that was emptied is noticed at once."""
    monkeypatch.setattr("tracker.applier.IDLE_CHECK", 0.01)


def walk(folder: Path, seed: int, steps: int) -> History:
    random = Random(seed)
    house = House(folder / "journal")
    bench = Bench(house, MemoryLiveStore())
    history = History(bench, random)
    history.interrupt()

    async def life() -> None:
        for _ in range(3):
            async with bench.running():
                if random.random() < 0.5:
                    await bench.tracks.catch_up()
                for _ in range(steps):
                    history.some(random.randrange(1, 40))
                    if random.random() < 0.7:
                        await bench.settled()
                    history.jobs = random.sample(["seal", "merge", "close"], random.randrange(4))
                    await history.check()
                    history.jobs += random.sample(["seal", "merge", "close"], random.randrange(3))
                    await history.check_nearby()
                    while history.jobs:
                        history.do(history.jobs.pop())
                    if random.random() < 0.2:
                        bench.store.inner.clear()  # type: ignore[attr-defined]
                    if random.random() < 0.5:
                        await bench.tracks.catch_up()
                    history.wait()
                await bench.settled()
                await history.check()

    try:
        run(life())
    finally:
        bench.reader.close()
        house.close()
    return history


@pytest.mark.parametrize("seed", range(2))
def test_history_is_the_same_whatever_became_of_its_records(tmp_path: Path, seed: int) -> None:
    walk(tmp_path, seed, 4)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_history_is_the_same_in_many_lives(tmp_path: Path, seed: int) -> None:
    walk(tmp_path, seed, 8)
