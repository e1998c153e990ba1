"""Time and order: whatever comes late, twice, in other parts or with a wrong clock, the track is the same and the live
position never moves back.

A device is a list of points with the time at which each was true; its clock may be a day off either way. A *way* is one
way in which all of it may come: in any order, parts and copies, over some minutes. Which way it came must not be seen.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reactor import run, until
from tests.tracker.applier_bench import DAY, Bench
from tests.tracker.helpers import HOUR, LAT, LON, NO_AREAS, NOON, House, record
from tracker.model import DISBELIEVED, Doubt, Mark, UnitId
from tracker.pipeline import FUTURE_MS, Pipeline, UnitState, judge
from tracker.record import ReportRecord
from tracker.store import MemoryLiveStore

MINUTE = 60_000
METRE = 90
BACKFILL = int(Mark.BACKFILL)
P1 = UnitId("p1")
ARRIVALS = NOON + MINUTE
"""When the first of it comes: everything was true before, what is about now within the minute before."""
READ = (NOON - 3 * DAY, NOON + 3 * DAY)


@dataclass(frozen=True)
class Sent:
    """One point. ``live``: sent at once, else stored and sent later."""

    device: str
    true: int
    clock: int
    north: int
    live: bool
    timed: bool
    alarm: int
    accuracy: int | None

    def arrive(self, server_time: int, stored: bool = False) -> ReportRecord:
        """Its record. ``stored``: as sent again from the device's store."""
        live = self.live and not stored
        made: ReportRecord = record(
            self.true + self.clock, LAT + self.north * METRE, LON, device=self.device, server_time=server_time,
            device_time=self.true + self.clock if live and self.timed else None, marks=0 if live else BACKFILL,
            alarm=self.alarm, accuracy=self.accuracy, speed=self.north,
        )  # fmt: skip
        return made


CLOCKS = {"d1": (0, DAY, -DAY), "d2": (0, HOUR), "d3": (0,)}
"""d2 is an hour ahead: believed again once it has waited for an hour, so that it has no backlog in these tests."""


@st.composite
def points(draw: st.DrawFn) -> list[Sent]:
    made = []
    for device, clocks in CLOCKS.items():
        clock, timed = draw(st.sampled_from(clocks)), draw(st.booleans())
        ages = st.integers(0, 12).map(lambda n: n * 5000)
        if device != "d2":
            ages = st.one_of(ages, st.integers(0, 12).map(lambda n: HOUR + n * 20 * MINUTE))
        for age in draw(st.lists(ages, max_size=6)):
            made.append(
                Sent(
                    device, NOON - age, clock, draw(st.sampled_from([0, 1, 30, 400, 20_000])), age <= MINUTE, timed,
                    draw(st.sampled_from([0, 0, 0, 1])), draw(st.sampled_from([None, 30, 5000])),
                )
            )  # fmt: skip
    # Of copies that differ in their readings the first counts; here a point says one thing only.
    return list({one.arrive(0).identity: one for one in made}.values())


Way = list[list[ReportRecord]]
"""Batches in the order in which they come, a second apart."""


@st.composite
def ways(draw: st.DrawFn, sent: list[Sent]) -> Way:
    """All points at least once and up to three times, copies now and then as the device had stored them."""
    copies = [(one, False) for one in sent]
    if sent:
        copies += draw(st.lists(st.tuples(st.sampled_from(sent), st.booleans()), max_size=2 * len(sent)))
    order = draw(st.permutations(copies))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=6)))
    parts = [order[a:b] for a, b in itertools.pairwise([0, *cuts, len(order)])]
    return [
        [one.arrive(ARRIVALS + number * 1000, stored) for one, stored in part]
        for number, part in enumerate(part for part in parts if part)
    ]


histories = points().flatmap(lambda sent: st.tuples(st.just(sent), ways(sent), ways(sent)))


def seen(judged: list[tuple[ReportRecord, int, str | None]]) -> list[tuple[Any, ...]]:
    """A track without when it came."""
    return [(*each._replace(server_time=0), doubts, grid) for each, doubts, grid in judged]


@pytest.fixture
def benches(tmp_path: Path, hurry: None) -> Iterator[Any]:
    """As many as wanted, each with a journal and a store of its own."""
    numbers = itertools.count()
    houses: list[House] = []

    def make(**options: Any) -> Bench:
        houses.append(House(tmp_path / str(next(numbers))))
        return Bench(houses[-1], MemoryLiveStore(), **options)

    yield make
    for house in houses:
        house.close()


few = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


async def bring(bench: Bench, way: Way) -> None:
    """Write the batches as they come and have the store take them in."""
    for batch in way:
        bench.house.now = max(bench.house.now, batch[0].server_time)
        bench.write(list(batch))
    await bench.settled()


# -- the track


@given(histories)
def test_a_track_is_the_same_whatever_way_it_came(history: tuple[list[Sent], Way, Way]) -> None:
    _, one, other = history
    first, second = (judge(itertools.chain(*way), NO_AREAS) for way in (one, other))
    assert seen(first) == seen(second)


@few
@given(histories)
def test_a_track_that_is_read_back_is_the_same_whatever_way_it_came(
    benches: Any, history: tuple[list[Sent], Way, Way]
) -> None:
    sent, *both = history
    tracks = []
    for way in both:
        bench: Bench = benches()

        async def work(bench: Bench = bench, way: Way = way) -> None:
            async with bench.running():
                await bring(bench, way)
                tracks.append(seen(await bench.read("p1", *READ)))

        run(work())
    assert tracks[0] == tracks[1]
    assert len(tracks[0]) == len({one.arrive(0).identity for one in sent})


def test_two_places_of_one_moment_have_one_order_whichever_came_first() -> None:
    here, there = record(), record(latitude=LAT + 20_000 * METRE)
    after = [record(NOON + n * 1000, LAT + 20_000 * METRE) for n in range(1, 3)]
    ways_ = [[here, there._replace(server_time=NOON + 9000)], [here._replace(server_time=NOON + 9000), there]]
    first, second = (seen(judge([*way, *after], NO_AREAS)) for way in ways_)
    assert first == second


def test_of_copies_the_one_sent_at_once_counts_and_the_time_of_the_first() -> None:
    stored = record(server_time=NOON + 1000, marks=BACKFILL, speed=1)
    live = record(server_time=NOON + 5000, speed=2, device_time=NOON)
    later = record(server_time=NOON + 3000, speed=3, device_time=NOON)
    for order in itertools.permutations([stored, live, later]):
        ((kept, _, _),) = judge(order, NO_AREAS)
        assert (kept.speed, kept.server_time, kept.marks) == (3, NOON + 1000, 0)


def test_the_copy_that_counts_is_stored_also_when_it_comes_second() -> None:
    line = Pipeline(lambda: NO_AREAS)
    stored, live = record(marks=BACKFILL), record(server_time=NOON + 9000)
    assert [line.take(each) for each in (stored, stored, live, live, stored)] == [True, False, True, False, False]


# -- the store


@few
@given(histories)
def test_what_comes_again_leaves_the_store_as_it_was(benches: Any, history: tuple[list[Sent], Way, Way]) -> None:
    """A file of all points, sent again three times as loggers do, out of order."""
    sent, way, _ = history
    bench: Bench = benches()

    async def work() -> None:
        async with bench.running():
            await bring(bench, way)
            before, track = await bench.hot("p1"), await bench.read("p1", *READ)
            places = {state.unit: (state.fix_time, state.latitude) for state in map(UnitState.unpack, await load())}
            for turn in range(3):
                at = ARRIVALS + (turn + 1) * MINUTE
                again = [one.arrive(at, stored=True) for one in reversed(sent)]
                await bring(bench, [again[:3], again[3:]] if len(again) > 3 else [again] if again else [])
            assert await bench.hot("p1") == before
            assert await bench.read("p1", *READ) == track
            assert places == {
                state.unit: (state.fix_time, state.latitude) for state in map(UnitState.unpack, await load())
            }

    async def load() -> list[bytes]:
        return await bench.store.load()

    run(work())


def test_what_devices_repeat_after_a_restart_is_not_stored_twice(benches: Any) -> None:
    bench: Bench = benches()
    points = [record(NOON + n * 1000, LAT + n * METRE, marks=n % 2 * BACKFILL) for n in range(50)]

    async def work() -> None:
        async with bench.running():
            await bring(bench, [points])
            before = await bench.hot("p1")
        bench.write([(2, NOON, "unit", "p2", None), *points[:10]])  # while nobody applies
        async with bench.running():
            await bring(bench, [points, [each._replace(server_time=NOON + HOUR) for each in points]])
            assert await bench.hot("p1") == before

    run(work())


def test_a_restart_knows_as_many_points_again_as_it_remembers(benches: Any) -> None:
    bench: Bench = benches()
    points = [record(NOON + n * 1000) for n in range(5000)]

    async def work() -> None:
        async with bench.running():
            await bring(bench, [points])
        applier = bench.make()
        applier.pipeline.remembered = 3000
        task = asyncio.ensure_future(applier.run())
        await until(lambda: not applier.problem)
        task.cancel()
        bench.journal._listeners.remove(applier.committed)
        assert len(applier.pipeline._identities) == 3000
        assert applier.pipeline.take(points[2000]) is False
        assert applier.pipeline.take(points[1999]) is True

    run(work())


# -- the live position


@given(histories)
def test_the_live_position_never_moves_back_and_is_never_of_the_future(history: tuple[list[Sent], Way, Way]) -> None:
    line = Pipeline(lambda: NO_AREAS)
    last = None
    for each in itertools.chain(*history[1]):
        line.take(each)
        state = line.states[P1]
        if state.fix_time is not None:
            assert last is None or state.fix_time >= last
            assert state.fix_time <= each.server_time + FUTURE_MS
            last = state.fix_time


@given(histories)
def test_a_wrong_clock_does_not_keep_the_next_good_fix_from_the_map(history: tuple[list[Sent], Way, Way]) -> None:
    line = Pipeline(lambda: NO_AREAS)
    for each in itertools.chain(*history[1]):
        line.take(each)
    place = line.states[P1].latitude if P1 in line.states else None
    later = ARRIVALS + 10 * MINUTE
    line.take(record(later, LAT if place is None else place, server_time=later + 500, device="d9"))
    state = line.states[P1]
    assert (state.device, state.fix_time) == ("d9", later)


@given(histories)
def test_what_is_ahead_is_kept_flagged_and_never_live(history: tuple[list[Sent], Way, Way]) -> None:
    sent, way, _ = history
    ahead = {one.arrive(0).identity for one in sent if one.clock > 0}
    line = Pipeline(lambda: NO_AREAS)
    for each in itertools.chain(*way):
        line.take(each)
    live = line.states[P1].fix_time if P1 in line.states else None
    assert live is None or live <= NOON
    for each, doubts, _ in judge(itertools.chain(*way), NO_AREAS):
        assert bool(doubts & Doubt.FUTURE) == (each.identity in ahead)
        assert not doubts & Doubt.LATE
        if each.identity in ahead:
            assert doubts & DISBELIEVED


def test_a_server_clock_that_was_set_back_hides_no_call_for_help_and_ends_one() -> None:
    line = Pipeline(lambda: NO_AREAS)
    line.take(record(NOON, server_time=NOON + DAY, alarm=0x80))  # a day ahead, until now
    state = line.states[P1]
    line.take(record(NOON + MINUTE, device="d2", alarm=1))
    assert (state.alarm, state.alarm_device, state.seen) == (1, "d2", NOON + MINUTE + 1000)
    line.take(record(NOON + MINUTE, server_time=NOON + 2 * MINUTE, device="d2", alarm=1))
    assert state.seen == NOON + 2 * MINUTE  # it came again
    line.take(record(NOON - MINUTE, server_time=NOON + 2 * MINUTE, device="d2", marks=BACKFILL))
    assert state.alarm == 1
    line.take(record(NOON + 2 * MINUTE, device="d2"))
    assert state.alarm == 0


def test_a_phone_an_hour_ahead_is_flagged_and_not_believed() -> None:
    line = Pipeline(lambda: NO_AREAS)
    phone = [record(NOON + HOUR + n * 5000, server_time=NOON + n * 5000 + 300, device="d1") for n in range(20)]
    other = [
        record(NOON + n * 5000, LAT + 5 * METRE, server_time=NOON + n * 5000 + 400, device="d2") for n in range(20)
    ]
    for pair in zip(phone, other, strict=True):
        for each in pair:
            line.take(each)
    state = line.states[P1]
    assert (state.device, state.fix_time, state.latitude) == ("d2", other[-1].fix_time, LAT + 5 * METRE)
    flagged = {each.device for each, doubts, _ in judge([*phone, *other], NO_AREAS) if doubts & Doubt.FUTURE}
    assert flagged == {"d1"}
    assert state.clocks["d1"][0] == pytest.approx(HOUR, abs=1000)
