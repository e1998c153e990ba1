"""The client of Redis or Valkey: our functions, loaded when they are missing, and the published batches.

Lives on asyncio's side (redis-py); :mod:`storage.bridge` is how the rest talks to it. No command is retried
here: after a broken call nobody knows whether it took effect, and the caller finds out by the record number.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from redis import Redis, retry
from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

from storage import keys

Unavailable = (RedisError, OSError, asyncio.TimeoutError, EOFError)
"""What a call raises when the server is away, loading, or answers with an error."""


def refuses_writes(error: BaseException) -> bool:
    """Whether this is the answer of a server that cannot write its own file, or has no memory left: it still reads."""
    if isinstance(error, ReadOnlyError | OutOfMemoryError):
        return True
    return isinstance(error, ResponseError) and str(error).startswith("MISCONF")


_FUNCTIONS = Path(__file__).with_name("functions.lua").read_text()
TRACK_LIMIT = 1 << 20
"""Bytes of one unit's hour from which it is compacted: an hour at one fix a second is about 220 kB."""
HOT_SECONDS = 48 * 3600
"""How long a track stays in Redis, from the beginning of its hour on."""
AHEAD_SECONDS = 4 * 24 * 3600
"""How far ahead of us the hour of a track may lie: what is further ahead is kept in the journal and archive only."""


def stored_states(url: str) -> tuple[str, int, list[bytes]]:
    """What a server holds at one moment: whose states, up to which record, and the packed states. For a process without
    a loop; it waits. Raises one of :data:`Unavailable`."""
    server = Redis.from_url(
        url, socket_timeout=30.0, socket_connect_timeout=2.0, retry=retry.Retry(NoBackoff(), 0), protocol=2
    )
    try:
        with server.pipeline(transaction=True) as both:
            both.hmget(keys.HEAD, ["journal", "last"])
            both.hvals(keys.LIVE)
            (name, last), states = both.execute()
        return (name or b"").decode(), int(last or 0), states
    finally:
        server.close()


class Client:
    """One server, given by ``url`` (``redis://…``, ``rediss://…`` or ``unix:///path``).

    ``on_ready`` is called whenever it answers after we had to ask.
    """

    def __init__(self, url: str, on_ready: Callable[[], None] = lambda: None) -> None:
        self.url = url
        self._on_ready = on_ready
        self._loaded = False
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=10.0,
            socket_connect_timeout=2.0,
            # redis-py's default goes on for minutes at a dead server; our callers have their own pace.
            retry=Retry(NoBackoff(), 0),
            decode_responses=False,
            protocol=2,
        )

    async def ready(self) -> None:
        """Check that the server answers commands, and load our functions if it takes writes. Raises one of
        :data:`Unavailable`."""
        try:
            await self._load()
        except ResponseError as error:
            # On a full disk it answers reads only, and not even a ping. What it holds can be shown all the same.
            if not refuses_writes(error):
                raise
        self._on_ready()

    async def _load(self) -> None:
        self._loaded = False
        await cast(Any, self._redis.function_load(_FUNCTIONS, replace=True))
        self._loaded = True

    async def head(self) -> tuple[str, int]:
        """The journal's id and last record number that are stored; ``("", 0)`` in an empty server."""
        journal, last = await cast(Any, self._redis.hmget(keys.HEAD, ["journal", "last"]))
        return (journal or b"").decode(), int(last or 0)

    async def call(self, function: str, names: Sequence[str], arguments: Sequence[Any]) -> list[Any]:
        """Call one of our functions; loads them first when the server has lost them or could not take them."""
        if not self._loaded:
            await self._load()
        try:
            return cast(list[Any], await cast(Any, self._redis.fcall(function, len(names), *names, *arguments)))
        except ResponseError as error:
            if "Function not found" not in str(error):
                raise
        await self._load()
        return cast(list[Any], await cast(Any, self._redis.fcall(function, len(names), *names, *arguments)))

    async def hash(self, key: str) -> dict[bytes, bytes]:
        """A whole hash."""
        return cast(dict[bytes, bytes], await cast(Any, self._redis.hgetall(key)))

    async def field(self, key: str, name: str) -> bytes | None:
        """One field of a hash."""
        return cast(bytes | None, await cast(Any, self._redis.hget(key, name)))

    async def amend(self, key: str, put: Mapping[str, bytes], gone: Sequence[str]) -> None:
        """Put some fields of a hash and remove others, all or nothing."""
        async with self._redis.pipeline(transaction=True) as both:
            if put:
                both.hset(key, mapping=cast(Any, put))
            if gone:
                both.hdel(key, *gone)
            await both.execute()

    async def strings(self, names: Sequence[str]) -> list[bytes | None]:
        """Several strings."""
        return cast(list[bytes | None], await cast(Any, self._redis.mget(list(names)))) if names else []

    async def remove(self, pattern: str) -> None:
        """Remove every key whose name matches, a part at a time."""
        async for name in self._redis.scan_iter(match=pattern, count=1000):
            await cast(Any, self._redis.unlink(name))

    async def messages(self) -> AsyncIterator[bytes | None]:
        """The published batches; first ``None`` once the subscription stands, so that the caller can load then."""
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(keys.CHANNEL)
            while True:
                message = await subscription.get_message(timeout=None)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    yield None
                elif message["type"] == "message":
                    yield message["data"]

    async def rewrite(self) -> None:
        """Have the append-only file written anew, in the background: without what has expired or was removed. No
        trouble while that is being done already."""
        try:
            await cast(Any, self._redis.bgrewriteaof())
        except ResponseError as error:
            if "already in progress" not in str(error):
                raise

    async def rewritten(self) -> None:
        """The same, begun now and done when this returns: nothing of what was removed before is in the file then.
        Raises one of :data:`Unavailable`."""
        while await self._rewriting():
            await asyncio.sleep(0.1)
        await self.rewrite()
        while await self._rewriting():
            await asyncio.sleep(0.1)
        about = await cast(Any, self._redis.info("persistence"))
        if about["aof_last_bgrewrite_status"] != "ok":
            raise RedisError("the append-only file could not be written anew")

    async def _rewriting(self) -> bool:
        about = await cast(Any, self._redis.info("persistence"))
        return bool(about["aof_rewrite_in_progress"] or about["aof_rewrite_scheduled"])

    async def ping(self) -> None:
        await cast(Any, self._redis.ping())

    async def close(self) -> None:
        await self._redis.aclose()
