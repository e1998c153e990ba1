"""The live store and its fake: one set of promises, kept by both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import msgpack
import pytest

from storage import keys
from storage.client import TRACK_LIMIT, Client
from tests.reactor import run
from tests.tracker.helpers import NOON, record
from tests.tracker.stores import valkey
from tracker.record import unpack_track
from tracker.store import LiveStore, MemoryLiveStore, RedisLiveStore, Update, distinct

J = "journal-one"
HOUR = 498_732
Check = Callable[[LiveStore], Awaitable[None]]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with valkey() as address:
        yield address


@pytest.fixture(params=["memory", "redis"])
def check(request: pytest.FixtureRequest) -> Callable[[Check], None]:
    """Runs a check over an empty store of each kind."""

    def go(work: Check) -> None:
        async def over() -> None:
            if request.param == "memory":
                await work(MemoryLiveStore())
                return
            client = Client(request.getfixturevalue("url"))
            await client._redis.flushall()
            try:
                await work(RedisLiveStore(client))
            finally:
                await client.close()

        run(over())

    return go


def packed(at: int, **others: Any) -> bytes:
    data: bytes = msgpack.packb(tuple(record(at, **others)))
    return data


def update(first: int, last: int, **others: Any) -> Update:
    return Update(first, last, message=b"m%d" % last, **others)


def test_an_empty_store_has_nothing(check: Callable[[Check], None]) -> None:
    async def work(store: LiveStore) -> None:
        assert await store.head() == ("", 0)
        assert await store.load() == []
        assert await store.holes() == []
        assert await store.track("p1", [HOUR, HOUR + 1]) == [b"", b""]
        assert await store.track("p1", []) == []

    check(work)


def test_updates_are_taken_in_order(check: Callable[[Check], None]) -> None:
    async def work(store: LiveStore) -> None:
        assert await store.apply(J, update(1, 10, live={"p1": b"one", "p2": b"two"})) == 10
        assert await store.apply(J, update(11, 11, live={"p1": b"new"}, tracks={("p1", HOUR): b"a"})) == 11
        assert await store.apply(J, update(12, 20, tracks={("p1", HOUR): b"b", ("p2", HOUR + 1): b"c"})) == 20
        assert await store.head() == (J, 20)
        assert sorted(await store.load()) == [b"new", b"two"]
        assert await store.track("p1", [HOUR - 1, HOUR]) == [b"", b"ab"]
        assert await store.track("p2", [HOUR, HOUR + 1]) == [b"", b"c"]

    check(work)


@pytest.mark.parametrize("first", [1, 10, 12, 40])
def test_a_repetition_and_a_gap_change_nothing_and_say_where_to_go_on(
    check: Callable[[Check], None], first: int
) -> None:
    async def work(store: LiveStore) -> None:
        await store.apply(J, update(1, 10, live={"p1": b"one"}, tracks={("p1", HOUR): b"a"}))
        wrong = update(
            first, first + 5, live={"p1": b"x", "p9": b"x"}, places=[(1.0, 1.0, "p9")], entities=[("unit", "p9", b"x")],
            tracks={("p1", HOUR): b"x"},
        )  # fmt: skip
        assert await store.apply(J, wrong) == 10
        assert await store.head() == (J, 10)
        assert await store.load() == [b"one"]
        assert await store.track("p1", [HOUR]) == [b"a"]

    check(work)


def test_another_journals_updates_are_refused(check: Callable[[Check], None]) -> None:
    async def work(store: LiveStore) -> None:
        await store.apply(J, update(1, 10, live={"p1": b"one"}))
        assert await store.apply("other", update(11, 12, live={"p1": b"x"})) == -1
        assert await store.apply("other", update(1, 12, live={"p1": b"x"})) == -1
        assert await store.head() == (J, 10)
        assert await store.load() == [b"one"]

    check(work)


def test_a_restore_writes_whole_state_and_leaves_a_hole_that_is_filled_in_parts(
    check: Callable[[Check], None],
) -> None:
    async def work(store: LiveStore) -> None:
        await store.apply(J, update(1, 10, live={"p1": b"one", "gone": b"x"}, tracks={("p1", HOUR): b"a"}))
        await store.restore(J, 11, update(31, 30, live={"p1": b"late"}))
        assert await store.head() == (J, 30)
        assert await store.load() == [b"late"]
        assert await store.holes() == [(11, 30)]
        assert await store.track("p1", [HOUR]) == [b"a"]
        # Life goes on while the hole is there.
        assert await store.apply(J, update(31, 31, tracks={("p1", HOUR): b"d"})) == 31
        assert await store.fill(J, update(11, 20, tracks={("p1", HOUR): b"b"})) is True
        assert await store.holes() == [(21, 30)]
        assert await store.fill(J, update(21, 30, tracks={("p1", HOUR): b"c"})) is True
        assert await store.holes() == []
        assert await store.track("p1", [HOUR]) == [b"adbc"]

    check(work)


@pytest.mark.parametrize(
    ("journal", "first", "last"), [(J, 12, 20), (J, 10, 20), (J, 31, 40), ("other", 11, 20), (J, 11, 31)]
)
def test_what_is_no_hole_is_not_filled(check: Callable[[Check], None], journal: str, first: int, last: int) -> None:
    async def work(store: LiveStore) -> None:
        await store.apply(J, update(1, 10))
        await store.restore(J, 11, update(31, 30))
        assert await store.fill(journal, update(first, last, tracks={("p1", HOUR): b"x"})) is False
        assert await store.holes() == [(11, 30)]
        assert await store.track("p1", [HOUR]) == [b""]

    check(work)


def test_a_part_of_a_hole_is_filled_once(check: Callable[[Check], None]) -> None:
    async def work(store: LiveStore) -> None:
        await store.restore(J, 1, update(31, 30))
        part = update(1, 20, tracks={("p1", HOUR): b"a"})
        assert [await store.fill(J, part), await store.fill(J, part)] == [True, False]
        assert await store.track("p1", [HOUR]) == [b"a"]

    check(work)


def test_two_holes_stay_two(check: Callable[[Check], None]) -> None:
    async def work(store: LiveStore) -> None:
        await store.restore(J, 1, update(31, 30))
        await store.restore(J, 41, update(51, 50))
        assert await store.holes() == [(1, 30), (41, 50)]
        assert await store.fill(J, update(41, 50)) is True
        assert await store.holes() == [(1, 30)]

    check(work)


def test_a_restore_from_the_first_record_clears_what_was_another_journals(check: Callable[[Check], None]) -> None:
    async def work(store: LiveStore) -> None:
        await store.apply("old", update(1, 10, live={"old": b"x"}, tracks={("old", HOUR): b"x"}))
        await store.restore("old", 5, update(11, 10, live={"old": b"x"}))
        await store.restore(J, 1, update(1, 0))
        assert await store.head() == (J, 0)
        assert await store.holes() == []
        assert await store.load() == []
        assert await store.track("old", [HOUR]) == [b""]
        assert await store.apply(J, update(1, 2)) == 2

    check(work)


def test_a_restore_of_many_units_is_whole(check: Callable[[Check], None]) -> None:
    async def work(store: LiveStore) -> None:
        live = {f"p{i}": b"state %d" % i for i in range(5000)}
        places = [(100 + i / 1000, 30.0, f"p{i}") for i in range(5000)]
        await store.restore(J, 1, update(8, 7, live=live, places=places, entities=[("unit", "p1", b"u")]))
        assert sorted(await store.load()) == sorted(live.values())
        assert await store.head() == (J, 7)

    check(work)


def test_a_track_that_is_full_of_repetitions_is_made_short(check: Callable[[Check], None]) -> None:
    async def work(store: LiveStore) -> None:
        points = [packed(NOON + i, status=2) for i in range(50)]
        health = packed(None, latitude=None, longitude=None, items={"battery": 3})  # type: ignore[arg-type]
        once = b"".join([*points, health])
        times = TRACK_LIMIT // len(once) + 1
        await store.apply(J, update(1, 1, tracks={("p1", HOUR): once * (times - 1)}))
        assert len((await store.track("p1", [HOUR]))[0]) == len(once) * (times - 1)
        await store.apply(J, update(2, 2, tracks={("p1", HOUR): once}))
        assert await store.track("p1", [HOUR]) == [once]
        # The same when a hole is filled.
        await store.restore(J, 3, update(4, 3))
        await store.fill(J, update(3, 3, tracks={("p1", HOUR): once * times}))
        assert await store.track("p1", [HOUR]) == [once]

    check(work)


def test_of_copies_the_first_that_came_is_kept() -> None:
    track = packed(NOON, server_time=5) + packed(NOON + 1) + packed(NOON, server_time=4, marks=2)
    assert [(r.fix_time, r.server_time) for r in unpack_track(distinct(track))] == [(NOON, 5), (NOON + 1, NOON + 1001)]


async def next_message(messages: AsyncIterator[bytes | None]) -> bytes | None:
    """The next one that says anything: the parts of a restore publish nothing, or nothing that counts."""
    while (message := await anext(messages)) == b"":
        pass
    return message


def test_every_update_is_published_to_whoever_listens(check: Callable[[Check], None]) -> None:
    async def work(store: LiveStore) -> None:
        await store.apply(J, update(1, 1))
        messages = store.messages()
        assert await next_message(messages) is None
        await store.apply(J, update(2, 2))
        await store.apply(J, update(2, 2))  # refused, so not published
        await store.restore(J, 3, update(4, 3, live={"p1": b"x"}))
        await store.apply(J, update(4, 4))
        assert [await next_message(messages) for _ in range(3)] == [b"m2", b"m3", b"m4"]
        await messages.aclose()  # type: ignore[attr-defined]

    check(work)


# -- what only the real one has: keys that other programs read


def over_redis(url: str, work: Callable[[RedisLiveStore, Any], Awaitable[None]]) -> None:
    async def over() -> None:
        client = Client(url)
        await client._redis.flushall()
        try:
            await work(RedisLiveStore(client), client._redis)
        finally:
            await client.close()

    run(over())


def test_places_and_entities_lie_where_other_programs_look(url: str) -> None:
    async def work(store: RedisLiveStore, redis: Any) -> None:
        await store.apply(
            J,
            update(
                1,
                1,
                places=[(117.49, 30.66, "p1"), (2.0, 1.0, "p2")],
                entities=[("unit", "p1", b"u"), ("area", "g", b"a")],
            ),
        )
        ((longitude, latitude),) = await redis.geopos(keys.GEO, "p1")
        assert (longitude, latitude) == pytest.approx((117.49, 30.66), abs=1e-5)
        assert await redis.hgetall(keys.entity("unit")) == {b"p1": b"u"}
        await store.apply(J, update(2, 2, entities=[("area", "g", b"")]))
        assert await redis.hgetall(keys.entity("area")) == {}

    over_redis(url, work)


def test_a_track_goes_by_itself_two_days_after_its_hour_began(url: str) -> None:
    async def work(store: RedisLiveStore, redis: Any) -> None:
        now = (await redis.time())[0] // 3600
        # So far ahead, and the days that its key then stays.
        hours = {-3: 2.0, 0: 2.0, 24: 3.0, 72: 5.0, 1000: 6.0}
        await store.apply(J, update(1, 1, tracks={("p1", now + ahead): b"a" for ahead in hours}))
        for ahead, days in hours.items():
            left = await redis.ttl(keys.track("p1", now + ahead))
            assert days * 86_400 - 3601 < left <= days * 86_400

    over_redis(url, work)


def test_a_restore_that_breaks_off_is_seen_as_one(url: str) -> None:
    async def work(store: RedisLiveStore, redis: Any) -> None:
        await store.apply(J, update(1, 5))
        calls = 0
        call = store._client.call

        async def breaks(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise ConnectionError
            return await call(*arguments)

        store._client.call = breaks  # type: ignore[method-assign,assignment]
        with pytest.raises(ConnectionError):
            await store.restore(J, 3, update(6, 5, live={"p1": b"x"}))
        assert await store.head() == ("", 0)

    over_redis(url, work)


def test_functions_that_the_server_has_lost_are_loaded_again(url: str) -> None:
    async def work(store: RedisLiveStore, redis: Any) -> None:
        await store.apply(J, update(1, 1))
        await redis.function_flush()
        assert await store.apply(J, update(2, 2)) == 2

    over_redis(url, work)
