"""The functions in a real server: what a call changes, what it refuses, and that a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from storage import keys
from tests.storage.helpers import valkey

NAMES = (keys.HEAD, keys.LIVE, keys.GEO, keys.HOLES, keys.CHANNEL)
TTL = 1000
LIMIT = 100
PERSON = keys.entity("person")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with (
        valkey(tmp_path_factory.mktemp("functions")) as url,
        Redis.from_url(url, protocol=2) as redis,
    ):
        source = Path(keys.__file__).with_name("functions.lua").read_text()
        redis.function_load(source)
        yield redis


@pytest.fixture
def redis(server: Redis) -> Redis:
    server.flushall()
    return server


def _flat(*lists: list[tuple[Any, ...]]) -> list[Any]:
    arguments: list[Any] = []
    for rows in lists:
        arguments.append(len(rows))
        for row in rows:
            arguments += row
    return arguments


def _apply(
    redis: Redis,
    first: int,
    last: int,
    *,
    journal: str = "j",
    message: bytes = b"",
    live: list[tuple[Any, ...]] | None = None,
    geo: list[tuple[Any, ...]] | None = None,
    entities: list[tuple[Any, ...]] | None = None,
    tracks: list[tuple[Any, ...]] | None = None,
) -> Any:
    lists = _flat(live or [], geo or [], entities or [], tracks or [])
    return redis.fcall("gb_apply", len(NAMES), *NAMES, journal, first, last, TTL, LIMIT, message, *lists)


def _restore(
    redis: Redis,
    first: int,
    last: int,
    *,
    journal: str = "j",
    message: bytes = b"",
    live: list[tuple[Any, ...]] | None = None,
    geo: list[tuple[Any, ...]] | None = None,
    entities: list[tuple[Any, ...]] | None = None,
) -> Any:
    lists = _flat(live or [], geo or [], entities or [])
    return redis.fcall("gb_restore", len(NAMES), *NAMES, journal, first, last, message, *lists)


def _fill(redis: Redis, first: int, last: int, tracks: list[tuple[Any, ...]], journal: str = "j") -> Any:
    return redis.fcall("gb_fill", len(NAMES), *NAMES, journal, first, last, TTL, LIMIT, *_flat(tracks))


def _state(redis: Redis) -> dict[bytes, bytes | None]:
    """All that is stored, for comparing."""
    return {name: redis.dump(name) for name in sorted(redis.keys("*"))}


def _head(redis: Redis) -> dict[bytes, bytes]:
    return redis.hgetall(keys.HEAD)


# -- apply


def test_apply_writes_all_its_parts_and_publishes(redis: Redis) -> None:
    track = keys.track("u1", 7)
    with redis.pubsub() as subscriber:
        subscriber.subscribe(keys.CHANNEL)
        assert subscriber.get_message(timeout=10)["type"] == "subscribe"
        answer = _apply(
            redis,
            1,
            3,
            message=b"\x00payload\xff",
            live=[("u1", b"\x00state\xff"), ("u2", b"two")],
            geo=[("120.5", "30.25", "u1")],
            entities=[(PERSON, "p1", b"Li"), (PERSON, "p2", b"Wang"), (keys.entity("device"), "d", b"x")],
            tracks=[(track, b"\x91\x00"), (keys.track("u2", 7), b"b")],
        )
        message = subscriber.get_message(timeout=10)
    assert answer == [1, 3, []]
    assert message["data"] == b"\x00payload\xff"
    assert _head(redis) == {b"journal": b"j", b"last": b"3"}
    assert redis.hgetall(keys.LIVE) == {b"u1": b"\x00state\xff", b"u2": b"two"}
    ((longitude, latitude),) = redis.geopos(keys.GEO, "u1")
    assert (longitude, latitude) == pytest.approx((120.5, 30.25), abs=1e-5)
    assert redis.hgetall(PERSON) == {b"p1": b"Li", b"p2": b"Wang"}
    assert redis.get(track) == b"\x91\x00"
    assert 0 < redis.ttl(track) <= TTL

    redis.expire(track, 500)
    assert _apply(redis, 4, 4, entities=[(PERSON, "p1", b"")], tracks=[(track, b"\x91\x01")]) == [1, 4, []]
    assert redis.hgetall(PERSON) == {b"p2": b"Wang"}
    assert redis.get(track) == b"\x91\x00\x91\x01"
    assert redis.ttl(track) <= 500, "the time to live counts from the track's beginning"


@pytest.mark.parametrize(
    ("journal", "first", "last", "answer"),
    [
        ("j", 1, 3, 3),
        ("j", 2, 5, 3),
        ("j", 3, 3, 3),
        ("j", 5, 9, 3),
        ("other", 4, 5, -1),
        ("other", 1, 5, -1),
    ],
)
def test_apply_refuses_what_does_not_follow(redis: Redis, journal: str, first: int, last: int, answer: int) -> None:
    track = keys.track("u1", 7)
    _apply(redis, 1, 3, live=[("u1", b"s")], geo=[("120", "30", "u1")], tracks=[(track, b"t")])
    before = _state(redis)
    with redis.pubsub() as subscriber:
        subscriber.subscribe(keys.CHANNEL)
        assert subscriber.get_message(timeout=10)["type"] == "subscribe"
        refused = _apply(
            redis,
            first,
            last,
            journal=journal,
            message=b"wrong",
            live=[("u1", b"wrong")],
            geo=[("10", "10", "u1")],
            entities=[(PERSON, "p", b"wrong")],
            tracks=[(track, b"wrong")],
        )
        assert refused == [0, answer]
        redis.publish(keys.CHANNEL, b"right")
        assert subscriber.get_message(timeout=10)["data"] == b"right"
    assert _state(redis) == before


def test_an_empty_server_begins_with_the_first_record_only(redis: Redis) -> None:
    assert _apply(redis, 2, 3) == [0, 0]
    assert _state(redis) == {}
    assert _apply(redis, 1, 3) == [1, 3, []]


def test_apply_tells_which_tracks_are_long(redis: Redis) -> None:
    tracks = [(keys.track(unit, 1), b"x" * size) for unit, size in (("a", 100), ("b", 101), ("c", 60))]
    assert _apply(redis, 1, 1, tracks=tracks) == [1, 1, [tracks[1][0].encode()]]
    again = _apply(redis, 2, 2, tracks=[(keys.track("c", 1), b"x" * 60), (keys.track("b", 1), b"x")])
    assert again == [1, 2, [keys.track("c", 1).encode(), keys.track("b", 1).encode()]]


def test_lists_longer_than_luas_stack(redis: Redis) -> None:
    count = 9_001
    answer = _apply(
        redis,
        1,
        count,
        live=[(f"u{i}", f"s{i}") for i in range(count)],
        geo=[(f"{100 + i / 1000}", f"{20 + i / 1000}", f"u{i}") for i in range(count)],
        entities=[(PERSON, f"p{i}", f"n{i}") for i in range(count)],
        tracks=[(keys.track(f"u{i}", 1), f"t{i}") for i in range(count)],
    )
    assert answer == [1, count, []]
    assert redis.hgetall(keys.LIVE) == {f"u{i}".encode(): f"s{i}".encode() for i in range(count)}
    assert redis.zcard(keys.GEO) == count
    ((longitude, latitude),) = redis.geopos(keys.GEO, "u8999")
    assert (longitude, latitude) == pytest.approx((108.999, 28.999), abs=1e-4)
    assert redis.hlen(PERSON) == count
    assert redis.mget([keys.track(f"u{i}", 1) for i in (0, 4000, 9000)]) == [b"t0", b"t4000", b"t9000"]


@pytest.mark.parametrize("place", [("10", "85.06"), ("10", "-90"), ("180.1", "0"), ("nan", "nan"), ("x", "1")])
def test_a_place_that_geo_cannot_hold_stops_nothing(redis: Redis, place: tuple[str, str]) -> None:
    _apply(redis, 1, 1, geo=[("10", "20", "u1"), ("10", "20", "u2")])
    answer = _apply(
        redis,
        2,
        2,
        live=[("u1", b"s")],
        geo=[("11", "20", "u3"), (*place, "u1"), ("12", "20", "u2")],
        tracks=[(keys.track("u1", 1), b"t")],
    )
    assert answer == [1, 2, []]
    assert set(redis.zrange(keys.GEO, 0, -1)) == {b"u2", b"u3"}
    assert redis.geopos(keys.GEO, "u2")[0][0] == pytest.approx(12, abs=1e-4)
    assert redis.hget(keys.LIVE, "u1") == b"s"


# -- restore and fill


def test_restore_in_parts_puts_state_in_the_place_of_whatever_was_there(redis: Redis) -> None:
    _apply(redis, 1, 50, journal="old", live=[("gone", b"g")], geo=[("1", "1", "gone")])
    redis.hset(keys.HOLES, mapping={"5": "9"})
    assert _restore(redis, 1, -2) == [1, 0]
    assert _state(redis) == {}, "a restore that breaks off here is seen by its missing head"
    assert _restore(redis, 0, -1, live=[("u1", b"1")]) == [1, -1]
    assert _restore(redis, 0, -1, live=[("u2", b"2")]) == [1, -1]
    assert _head(redis) == {}
    assert _restore(redis, 1, 70, geo=[("120", "30", "u1")], entities=[(PERSON, "p", b"n")]) == [1, 70]
    assert _head(redis) == {b"journal": b"j", b"last": b"70"}
    assert redis.hgetall(keys.LIVE) == {b"u1": b"1", b"u2": b"2"}
    assert redis.zrange(keys.GEO, 0, -1) == [b"u1"]
    assert redis.hgetall(PERSON) == {b"p": b"n"}
    assert redis.hgetall(keys.HOLES) == {b"1": b"70"}
    assert _apply(redis, 71, 72) == [1, 72, []]


def test_restore_of_the_same_journal_keeps_the_holes_it_has(redis: Redis) -> None:
    _apply(redis, 1, 50)
    redis.hset(keys.HOLES, mapping={"5": "9"})
    _restore(redis, 51, -2)
    _restore(redis, 51, 70)
    assert redis.hgetall(keys.HOLES) == {b"5": b"9", b"51": b"70"}


def test_restore_without_a_record_leaves_no_hole(redis: Redis) -> None:
    _restore(redis, 1, 0)
    assert redis.exists(keys.HOLES) == 0
    assert _apply(redis, 1, 1) == [1, 1, []]


def test_restore_publishes(redis: Redis) -> None:
    with redis.pubsub() as subscriber:
        subscriber.subscribe(keys.CHANNEL)
        assert subscriber.get_message(timeout=10)["type"] == "subscribe"
        _restore(redis, 1, 5, message=b"reload")
        assert subscriber.get_message(timeout=10)["data"] == b"reload"


def test_a_hole_is_filled_in_parts_and_each_part_once(redis: Redis) -> None:
    track = keys.track("u", 1)
    _restore(redis, 1, 100)
    _apply(redis, 101, 110, tracks=[(track, b"live ")])
    parts = [(1, 40, b"a "), (41, 41, b"b "), (42, 100, b"c ")]
    for at, (first, last, points) in enumerate(parts):
        assert _fill(redis, first, last, [(track, points)]) == [1, last, []]
        for earlier_first, earlier_last, again in parts[: at + 1]:
            assert _fill(redis, earlier_first, earlier_last, [(track, again)]) == [0, 0]
        for later_first, later_last, early in parts[at + 2 :]:
            assert _fill(redis, later_first, later_last, [(track, early)]) == [0, 0]
    assert redis.get(track) == b"live a b c "
    assert redis.exists(keys.HOLES) == 0
    assert _head(redis)[b"last"] == b"110", "filling does not move the head"


def test_fill_refuses_another_journal_and_more_than_the_hole(redis: Redis) -> None:
    track = keys.track("u", 1)
    _restore(redis, 1, 10)
    assert _fill(redis, 1, 5, [(track, b"x")], journal="other") == [0, -1]
    assert _fill(redis, 1, 11, [(track, b"x")]) == [0, 10]
    assert redis.exists(track) == 0
    assert redis.hgetall(keys.HOLES) == {b"1": b"10"}
    redis.flushall()
    assert _fill(redis, 1, 5, [(track, b"x")]) == [0, -1]


def test_fill_gives_new_tracks_their_time_to_live_and_tells_long_ones(redis: Redis) -> None:
    track = keys.track("u", 1)
    _restore(redis, 1, 10)
    assert _fill(redis, 1, 10, [(track, b"x" * 101)]) == [1, 10, [track.encode()]]
    assert 0 < redis.ttl(track) <= TTL


# -- compact


def test_compact_only_what_has_not_grown(redis: Redis) -> None:
    track = keys.track("u", 1)
    _apply(redis, 1, 1, tracks=[(track, b"aabb")])
    redis.expire(track, 300)
    assert redis.fcall("gb_compact", 1, track, 3, b"ab") == 0
    assert redis.get(track) == b"aabb"
    assert redis.fcall("gb_compact", 1, track, 4, b"ab") == 1
    assert redis.get(track) == b"ab"
    assert 0 < redis.ttl(track) <= 300


def test_compact_does_not_bring_back_an_expired_track(redis: Redis) -> None:
    assert redis.fcall("gb_compact", 1, keys.track("u", 1), 4, b"ab") == 0
    assert redis.exists(keys.track("u", 1)) == 0
