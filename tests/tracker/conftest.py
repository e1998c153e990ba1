"""Fixtures of the tracker's tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.tracker.applier_bench import Bench
from tests.tracker.helpers import House
from tests.tracker.stores import valkey
from tracker.store import MemoryLiveStore


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The applier's pauses, shortened: what is tested is what happens and not when."""

    async def nap(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.002))

    monkeypatch.setattr(
        "tracker.applier.asyncio", SimpleNamespace(sleep=nap, Event=asyncio.Event, wait_for=asyncio.wait_for)
    )


@pytest.fixture
def bench(house: House, hurry: None) -> Bench:
    return Bench(house, MemoryLiveStore())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with valkey() as address:
        yield address
