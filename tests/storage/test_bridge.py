"""Where asyncio and Twisted meet, and the client that lives beyond, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from redis import Redis
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail, succeed

from storage import keys
from storage.bridge import as_deferred, as_future, end_if_cancelled
from storage.client import Client, Unavailable
from tests.storage.helpers import valkey

T = TypeVar("T")
NAMES = (keys.HEAD, keys.LIVE, keys.GEO, keys.HOLES, keys.CHANNEL)


# -- the bridge


def _in_reactor_loop(work: Callable[[], Awaitable[T]]) -> T:
    """Run on the reactor's own loop, which is where tasks live in the server."""

    async def run() -> T:
        return await work()

    loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop  # type: ignore[attr-defined]
    return loop.run_until_complete(run())


def test_a_coroutines_result_arrives_in_a_deferred() -> None:
    async def double(n: int) -> int:
        await asyncio.sleep(0)
        return 2 * n

    results: list[int] = []

    async def work() -> None:
        deferred = as_deferred(double(21)).addCallback(results.append)
        assert results == []
        await as_future(deferred)

    _in_reactor_loop(work)
    assert results == [42]


def test_a_coroutines_error_arrives_in_a_deferred() -> None:
    async def break_off() -> None:
        raise LookupError("on purpose")

    async def work() -> None:
        with pytest.raises(LookupError, match="on purpose"):
            await as_future(as_deferred(break_off()))

    _in_reactor_loop(work)


def test_cancelling_the_deferred_ends_the_task() -> None:
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("task")

    async def work() -> None:
        deferred = as_deferred(wait())
        await asyncio.sleep(0)
        deferred.addErrback(lambda failure: ended.append(type(failure.value).__name__))
        deferred.cancel()
        while len(ended) < 2:
            await asyncio.sleep(0)

    _in_reactor_loop(work)
    # Not Twisted's error of that name: whoever cancels has to expect asyncio's.
    assert sorted(ended) == ["CancelledError", "task"]


def test_another_reactor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> None:
        raise AssertionError

    monkeypatch.delattr(reactor, "_asyncioEventloop")
    with pytest.raises(RuntimeError, match="asyncio reactor"):
        as_deferred(never())


def test_a_future_of_a_deferred() -> None:
    async def work() -> None:
        assert await as_future(succeed(7)) == 7
        with pytest.raises(LookupError):
            await as_future(fail(LookupError()))
        later: Deferred[str] = Deferred()
        future = as_future(later)
        await asyncio.sleep(0)
        assert not future.done()
        later.callback("now")
        assert await future == "now"

    asyncio.run(work())


@pytest.mark.parametrize("answers", [True, False])
def test_cancelling_the_future_cancels_the_deferred(answers: bool) -> None:
    deferred: Deferred[None] = Deferred()

    async def work() -> None:
        waiting = as_future(deferred)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(work())
    assert deferred.called
    # What comes too late is let go without a word.
    if answers:
        deferred.callback(None)
    else:
        deferred.errback(CancelledError())


# -- the client


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey(tmp_path_factory.mktemp("client")) as url:
        yield url


def _with_client(url: str, work: Callable[[Client], Awaitable[T]]) -> T:
    async def run() -> T:
        client = Client(url)
        try:
            return await work(client)
        finally:
            await client.close()

    with Redis.from_url(url, protocol=2) as redis:
        redis.flushall()
        redis.function_flush()
    return asyncio.run(run())


def _apply(client: Client, first: int, last: int, message: bytes = b"") -> Awaitable[list[Any]]:
    return client.call("gb_apply", NAMES, ["j", first, last, 10, 10, message, 1, "u", b"x", 0, 0, 0])


def test_an_empty_server_has_no_head_and_lists_nothing(url: str) -> None:
    async def work(client: Client) -> None:
        await client.ready()
        assert await client.head() == ("", 0)
        assert await client.hash(keys.LIVE) == {}
        assert await client.strings([]) == []
        assert await client.strings([keys.track("u", 1), keys.track("u", 2)]) == [None, None]

    _with_client(url, work)


def test_functions_that_were_lost_are_loaded_again(url: str) -> None:
    async def work(client: Client) -> None:
        assert await _apply(client, 1, 5) == [1, 5, []]
        assert await client.head() == ("j", 5)
        with Redis.from_url(url, protocol=2) as redis:
            redis.function_flush()
        assert await _apply(client, 6, 6) == [1, 6, []]
        assert await client.hash(keys.LIVE) == {b"u": b"x"}

    _with_client(url, work)


def test_another_error_of_the_server_is_raised(url: str) -> None:
    async def work(client: Client) -> None:
        with Redis.from_url(url, protocol=2) as redis:
            redis.set(keys.LIVE, b"not a hash")
        with pytest.raises(Unavailable, match="WRONGTYPE"):
            await _apply(client, 1, 1)

    _with_client(url, work)


def test_messages_begin_with_none_and_follow_each_other(url: str) -> None:
    async def work(client: Client) -> None:
        messages = client.messages()
        assert await anext(messages) is None
        for number in range(1, 4):
            await _apply(client, number, number, b"\x00%d" % number)
        assert [await anext(messages) for _ in range(3)] == [b"\x001", b"\x002", b"\x003"]
        await messages.aclose()  # type: ignore[attr-defined]

    _with_client(url, work)


def test_remove_takes_every_name_that_matches(url: str) -> None:
    async def work(client: Client) -> None:
        with Redis.from_url(url, protocol=2) as redis:
            redis.mset({keys.track(f"u{i}", 1): b"x" for i in range(2500)})
            redis.set(f"{keys.TAG}tracked", b"stays")
            await client.remove(keys.TRACKS)
            assert redis.keys("*") == [f"{keys.TAG}tracked".encode()]

    _with_client(url, work)


def test_a_server_that_is_away_is_unavailable_and_found_again(tmp_path: Path) -> None:
    async def expect_nobody(client: Client) -> None:
        for call in (client.ping, client.ready, client.head, lambda: _apply(client, 1, 1)):
            with pytest.raises(Unavailable):
                await call()

    with asyncio.Runner() as loop:
        client = Client(f"unix://{tmp_path / 's'}")
        loop.run(expect_nobody(client))
        with valkey(tmp_path):
            loop.run(client.ready())
            messages = client.messages()
            assert loop.run(anext(messages)) is None  # type: ignore[arg-type]
        with pytest.raises(Unavailable):
            loop.run(anext(messages))  # type: ignore[arg-type]
        loop.run(expect_nobody(client))
        with valkey(tmp_path):
            assert loop.run(_apply(client, 1, 1)) == [1, 1, []]  # type: ignore[arg-type]
        loop.run(client.close())


def test_a_loop_ends_although_its_cancellation_was_taken_for_something_else() -> None:
    async def work() -> None:
        rounds = 0
        waiting = asyncio.Event()

        async def loop() -> None:
            nonlocal rounds
            while True:
                end_if_cancelled()
                rounds += 1
                waiting.set()
                with suppress(asyncio.CancelledError):  # what a library may do
                    await asyncio.sleep(3600)

        task = asyncio.ensure_future(loop())
        await waiting.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert rounds == 1

    asyncio.run(work())
