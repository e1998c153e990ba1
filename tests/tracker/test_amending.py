"""A stretch of somebody's time is taken out of live state, whatever is away meanwhile: tracks, the live state and its
place are then what the rest says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgpack import packb

from storage.client import Client
from tests.reactor import run, until
from tests.tracker.applier_bench import Bench
from tests.tracker.helpers import HOUR, LAT, LON, NO_AREAS, NOON, record
from tests.tracker.stores import valkey
from tracker.model import UnitId
from tracker.pipeline import UnitState, advance
from tracker.record import ReportRecord, unpack_track
from tracker.store import LiveStore, MemoryLiveStore, RedisLiveStore, Update

pytestmark = pytest.mark.usefixtures("hurry")
UNIT = UnitId("p1")
OFF = NOON + 300_000
"""From here on it was off duty."""


def walk(unit: str, number: int = 20) -> list[Any]:
    """A point a minute, a hundred metres apart."""
    return [record(NOON + n * 60_000, LAT + n * 9000, LON, unit=unit, device=f"d{unit}") for n in range(number)]


def stays(one: ReportRecord) -> bool:
    return (one.fix_time or 0) < OFF


def taints(state: UnitState) -> bool:
    return (state.fix_time or 0) >= OFF


def state_of(records: list[Any]) -> UnitState:
    state = UnitState(UNIT)
    for one in records:
        advance(state, one, NO_AREAS)
    return state


async def thinned_and_amended(store: LiveStore) -> None:
    packed = {unit: state_of(walk(unit)).pack() for unit in ("p1", "p2")}
    hour = NOON // HOUR
    tracks = {(unit, hour): b"".join(packb(tuple(one)) for one in walk(unit)) for unit in packed}
    places = [(117.0, 30.0, unit) for unit in packed]
    assert await store.apply("j", Update(1, 5, packed, places, [], tracks, b"")) == 5
    assert await store.thin("p1", [hour - 1, hour, hour + 1], stays) == 15
    assert await store.thin("p1", [hour], stays) == 0
    for unit, number in (("p1", 5), ("p2", 20)):
        (part,) = await store.track(unit, [hour])
        assert [one.fix_time for one in unpack_track(part)] == [one.fix_time for one in walk(unit, number)]
    await store.amend({"p1": b"anew"}, [("", "", "p1")], b"")
    assert sorted(await store.load()) == sorted([b"anew", packed["p2"]])
    assert await store.head() == ("j", 5), "nothing else follows on anything else than before"


def test_a_store_takes_points_out_and_puts_a_state_in_place_of_another() -> None:
    store = MemoryLiveStore()
    run(thinned_and_amended(store))
    assert store.places.keys() == {"p2"}


def test_redis_does_the_same() -> None:
    async def work() -> None:
        client = Client(url)
        try:
            await thinned_and_amended(RedisLiveStore(client))
            assert await client._redis.zrange("{s0}geo", 0, -1) == [b"p2"]
        finally:
            await client.close()

    with valkey() as url:
        run(work())


def nothing(bench: Bench) -> None:
    pass


def away_before(bench: Bench) -> None:
    bench.store.away = True


def away_after_thinning(bench: Bench) -> None:
    thin = bench.store.thin

    async def last(*given: Any) -> int:
        gone = await thin(*given)
        bench.store.away, bench.store.thin = True, thin  # type: ignore[method-assign]
        return gone

    bench.store.thin = last  # type: ignore[method-assign]


def away_before_the_state(bench: Bench) -> None:
    amend = bench.store.amend

    async def never(*given: Any) -> None:
        bench.store.away, bench.store.amend = True, amend  # type: ignore[method-assign]
        await amend(*given)

    bench.store.amend = never  # type: ignore[method-assign]


@pytest.mark.parametrize("trouble", [nothing, away_before, away_after_thinning, away_before_the_state])
def test_live_state_is_what_the_rest_says(bench: Bench, trouble: Callable[[Bench], None]) -> None:
    async def work() -> None:
        async with bench.running() as applier:
            bench.write([one for pair in zip(walk("p1"), walk("p2"), strict=True) for one in pair])
            await bench.settled()
            other = applier.pipeline.states[UnitId("p2")].pack()
            done: list[int] = []
            trouble(bench)
            applier.amend(UNIT, stays, taints, bench.journal.last, done.append)
            if trouble is not nothing:
                await until(lambda: bool(applier.problem))
                assert done == []
                bench.store.away = False
            await until(lambda: bool(done))
            expected = state_of(walk("p1", 5))
            kept = {state.unit: state for state in map(UnitState.unpack, await bench.store.load())}
            for state in (applier.pipeline.states[UNIT], kept[UNIT]):
                assert (state.fix_time, state.latitude) == (expected.fix_time, expected.latitude)
                assert state.distance == pytest.approx(expected.distance)
            assert kept[UnitId("p2")].pack() == other
            (part,) = await bench.store.track("p1", [NOON // HOUR])
            assert len(list(unpack_track(part))) == 5

    run(work())
