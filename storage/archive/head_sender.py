"""Sends the heads of the chains out of the house, once a day: to a file on another disk, to an address, or to both.

A head that could not go waits on disk, across restarts, and is tried again at longer and longer intervals; those that
wait go in their order. Nothing else waits for this, and nothing of it waits for the reactor: files are written in
threads.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from storage.archive.archive import write_whole
from storage.archive.chain import Chain
from storage.archive.head_post import NotDelivered, host_of, post
from storage.archive.heads import Head, body_of, head_of, line_of, parse
from storage.journal_files import sync_names

FIRST_PAUSE_S = 60.0
LONGEST_PAUSE_S = 3600.0
"""Between two tries, doubled from the first to the second."""
MOST_WAITING = 400
"""Heads that wait for one way: more than a year of days. Beyond it the oldest go; a newer one proves as much, only
later."""
PATIENCE_MS = 2 * 86_400_000
"""How long heads may fail to go out before it is a problem: a weekend without the network is none."""
AGAIN_MS = 20 * 3_600_000
"""A head that says what the last one said does not go out sooner: a night that is tried again and again is one."""
FILE, URL = "file", "url"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Heads have not gone this ``way`` (``file`` or ``url``) since ``since`` (ms), ``waiting`` of them."""

    way: str
    since: int
    waiting: int
    reason: str


@dataclass(slots=True)
class _Way:
    """One way out. ``failing`` is when the first head of those that wait could not go (ms), 0 if none has failed."""

    name: str
    give: Callable[[Head], Deferred[None]]
    waiting: deque[Head] = field(default_factory=lambda: deque(maxlen=MOST_WAITING))
    delivered: int = 0
    failing: int = 0
    reason: str = ""
    apart: bool = False
    """The file lay on another disk than the data folder."""
    pause: float = FIRST_PAUSE_S
    again: Any = None
    lock: DeferredLock = field(default_factory=DeferredLock)


class HeadSender:
    """``state`` is the file that remembers what waits. Without ``file`` and ``url`` it does nothing."""

    def __init__(
        self,
        state: Path,
        chains: Mapping[str, Chain],
        city: str,
        reactor: Any,
        pool: ThreadPool,
        wall: Callable[[], int],
        *,
        file: Path | None = None,
        url: str | None = None,
        post: Callable[[str, bytes, Any], Deferred[None]] = post,
    ) -> None:
        self._state = state
        self._chains = chains
        self._city = city
        self._reactor = reactor
        self._pool = pool
        self._wall = wall
        self._log = Logger(namespace="gridbeat.heads")
        self._running = False
        self._saving = DeferredLock()
        self._last: Head | None = None
        self._ways: list[_Way] = []
        if file is not None:
            way = _Way(FILE, lambda head: self._in_thread(self._add, way, file, head))
            self._ways.append(way)
        if url is not None:
            target = url
            self._ways.append(_Way(URL, lambda head: post(target, json.dumps(body_of(head)).encode(), reactor)))
        self._target = {FILE: str(file), URL: host_of(url or "")}
        self._remember()

    @property
    def configured(self) -> bool:
        """Whether heads go anywhere."""
        return bool(self._ways)

    def delivered(self) -> int:
        """When a head last went out by any way, ms; 0 if never."""
        return max((way.delivered for way in self._ways), default=0)

    def troubles(self, now: int) -> Sequence[Trouble]:
        """The ways that heads have not gone for so long that somebody should look."""
        return [
            Trouble(way.name, way.failing, len(way.waiting), way.reason)
            for way in self._ways
            if way.failing and now - way.failing > PATIENCE_MS
        ]

    def start(self) -> None:
        """Try what waits from before."""
        self._running = True
        for way in self._ways:
            if way.waiting:
                self._try_later(way, 0.0)

    def stop(self) -> None:
        """Try nothing more; what waits is on disk."""
        self._running = False
        for way in self._ways:
            if way.again is not None:
                way.again.cancel()
                way.again = None

    def send(self, now: int) -> Deferred[bool]:
        """Send the heads as they are now (``now`` in ms), if they say anything new or the last went a day ago.

        Fires when each way has been tried once: with whether nothing waits any more. Never fails for a way that is
        closed; it is tried again by itself.
        """
        return Deferred.fromCoroutine(self._send(now))

    async def _send(self, now: int) -> bool:
        if not self._ways:
            return True
        head = await self._in_thread(self._head, now)
        last, self._last = self._last, head
        if last is not None and head.heads == last.heads and 0 <= now - last.at < AGAIN_MS:
            self._last = last
            return not any(way.waiting for way in self._ways)
        for way in self._ways:
            way.waiting.append(head)
        await self._save()
        tries = [self._try(way) for way in self._ways]  # at the same time
        return all([await one for one in tries])

    def _head(self, now: int) -> Head:
        for chain in self._chains.values():
            chain.refresh()
        return head_of(self._city, now, self._chains)

    # -- trying

    def _try(self, way: _Way) -> Deferred[bool]:
        return way.lock.run(lambda: Deferred.fromCoroutine(self._empty(way)))

    async def _empty(self, way: _Way) -> bool:
        """Send what waits, oldest first, until there is nothing or something fails."""
        while way.waiting:
            head = way.waiting[0]
            try:
                await way.give(head)
            except (NotDelivered, OSError) as error:
                await self._failed(way, error)
                return False
            if way.waiting and way.waiting[0] is head:  # unless so many came meanwhile that it was let go
                way.waiting.popleft()
            if way.failing:
                self._log.info("heads go out by {way} again", way=way.name)
            way.delivered, way.failing, way.reason, way.pause = self._wall(), 0, "", FIRST_PAUSE_S
            await self._save()
        return True

    async def _failed(self, way: _Way, error: Exception) -> None:
        reason = f"{error.strerror}: {self._target[FILE]}" if isinstance(error, OSError) else str(error)
        if not way.failing:
            self._log.warn("no head goes out by {way}: {reason}", way=way.name, reason=reason)
            way.failing = self._wall()
        way.reason = reason
        self._try_later(way, way.pause)
        way.pause = min(2 * way.pause, LONGEST_PAUSE_S)
        await self._save()

    def _try_later(self, way: _Way, seconds: float) -> None:
        if not self._running:
            return
        if way.again is not None:
            way.again.cancel()

        def again() -> None:
            way.again = None
            self._try(way).addErrback(lambda failure: self._log.failure("a head was not sent", failure=failure))

        way.again = self._reactor.callLater(seconds, again)

    # -- files

    def _in_thread(self, work: Callable[..., Any], *words: Any) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._pool, work, *words)

    def _add(self, way: _Way, path: Path, head: Head) -> None:
        """A line more in the file, on disk when this returns."""
        apart = path.parent.stat().st_dev != self._state.parent.stat().st_dev
        if way.apart and not apart:
            # The folder that a disk is mounted on is still there without it.
            raise NotDelivered(f"the disk of {path} is not mounted")
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            with suppress(OSError):
                os.fchmod(handle, 0o644)  # it is for others to read; a USB disk may know no modes
            size = os.fstat(handle).st_size
            # A disk that was pulled out in the middle of a line: the next one is a line of its own.
            torn = size and os.pread(handle, 1, size - 1) != b"\n"
            data = (b"\n" if torn else b"") + line_of(head)
            if os.write(handle, data) != len(data):
                raise OSError(28, "No space left on device")
            os.fsync(handle)
        finally:
            os.close(handle)
        sync_names(path.parent)
        way.apart = apart

    async def _save(self) -> None:
        """What waits, on disk. A disk that does not take it costs nothing but what a restart would have remembered."""
        await self._saving.run(lambda: Deferred.fromCoroutine(self._write()))

    async def _write(self) -> None:
        state = {
            way.name: {
                "waiting": [body_of(head) for head in way.waiting],
                "delivered": way.delivered,
                "failing": way.failing,
                "reason": way.reason,
                "apart": way.apart,
            }
            for way in self._ways
        }
        try:
            await self._in_thread(write_whole, self._state, json.dumps(state, ensure_ascii=False).encode())
        except OSError as error:
            self._log.warn("what waits to go out is not on disk: {reason}", reason=error.strerror)

    def _remember(self) -> None:
        try:
            state = json.loads(self._state.read_bytes())
            for way in self._ways:
                told = state.get(way.name, {})
                way.waiting.extend(map(parse, told.get("waiting", [])))
                way.delivered, way.failing = int(told.get("delivered", 0)), int(told.get("failing", 0))
                way.reason, way.apart = str(told.get("reason", "")), bool(told.get("apart", False))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, AttributeError):
            self._log.warn("{name} is damaged and was not read", name=self._state.name)
