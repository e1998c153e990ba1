"""What browsers are shown of photos and voice notes: copies, each made once by a child (:mod:`dispatch.copying`), one
at a time, and kept while there is room. The original itself is shown to no browser."""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet import protocol
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from dispatch.copying import USELESS
from dispatch.exhibits import Exhibit
from storage.copies import LIMIT, copy_of, tidy

PATIENCE_S = 60.0
"""For a child, on a machine that has other things to do."""
WAITING = 50
"""Who waits for a copy; a page of a task asks for some."""
UNUSABLE = 2000
"""Originals that are known to give no copy."""
_PROJECT = str(Path(__file__).resolve().parents[1])


class NoCopy(Exception):
    """None can be made of it: it is no picture, or a broken one."""


class NotNow(Exception):
    """Too many are asked for, or the machine has no room for it; later there will be one."""


class Copies:
    """Of the files in ``media`` of the folder ``data``. ``may_write``: whether the disk has room for them, which
    are few: what is to be seen is seen on a disk that is filling up too."""

    def __init__(
        self, data: Path, reactor: Any, pool: ThreadPool, may_write: Callable[[], bool], *, limit: int = LIMIT
    ) -> None:
        self._data, self._reactor, self._pool, self._limit = data, reactor, pool, limit
        self._may_write = may_write
        self._one = DeferredLock()
        self._waiting = 0
        self._child: _Child | None = None
        self._unusable: OrderedDict[str, None] = OrderedDict()
        self._log = Logger(namespace="gridbeat.copies")
        self.made = 0

    def start(self) -> None:
        """Throw away what is too much, or half."""
        d = self._in_thread(lambda: tidy(self._data, self._limit))
        d.addErrback(lambda failure: self._log.failure("the copies could not be tidied", failure=failure))

    def stop(self) -> None:
        if self._child is not None:
            self._child.end()

    async def get(self, exhibit: Exhibit) -> bytes:
        """The copy's bytes. Raises FileNotFoundError when the original is gone, :class:`NoCopy` and :class:`NotNow`."""
        name, path = exhibit.name, copy_of(self._data, exhibit.name)

        def there() -> bytes | None:
            original.stat()  # what is gone is not shown either
            with suppress(FileNotFoundError):
                os.utime(path)
                return path.read_bytes()
            return None

        original = self._data / "media" / name
        if name in self._unusable:
            raise NoCopy(name)
        found = await self._in_thread(there)
        if found is not None:
            return bytes(found)
        if self._waiting >= WAITING or not self._may_write():
            raise NotNow
        self._waiting += 1
        try:
            async with self._one:
                # Somebody before us may have asked for the same.
                found = await self._in_thread(there)
                return bytes(found) if found is not None else await self._make(exhibit, original, path)
        finally:
            self._waiting -= 1

    async def _make(self, exhibit: Exhibit, original: Path, path: Path) -> bytes:
        await self._in_thread(lambda: path.parent.mkdir(mode=0o700, parents=True, exist_ok=True))
        way = "photo" if exhibit.type.startswith("image/") else "voice"
        self._child = _Child()
        command = [sys.executable, "-P", "-m", "dispatch.copying", way, str(original), str(path)]
        try:
            self._reactor.spawnProcess(
                self._child, sys.executable, command, env={"PYTHONPATH": _PROJECT, "PATH": os.defpath}, path=_PROJECT
            )
        except OSError as error:  # no memory, no handles, no process more
            raise NotNow from error
        late = self._reactor.callLater(PATIENCE_S, self._child.end)
        status = await self._child.ended
        ours = not late.active()  # it was ended for its time, on a machine that has none for it
        if late.active():
            late.cancel()
        if ours or status == 1:
            raise NotNow
        if status != 0:
            self._unusable[exhibit.name] = None
            if len(self._unusable) > UNUSABLE:
                self._unusable.popitem(last=False)
            self._log.warn("no copy can be made of what was sent", type=exhibit.type, size=exhibit.size)
            raise NoCopy(exhibit.name)
        self.made += 1

        def read() -> bytes:
            data = path.read_bytes()
            tidy(self._data, self._limit)
            return data

        return bytes(await self._in_thread(read))

    def _in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._pool, work)


class _Child(protocol.ProcessProtocol):
    """One copy's process. ``ended`` fires with its exit status; whatever a signal has ended was too much for it."""

    transport: Any

    def __init__(self) -> None:
        self.ended: Deferred[int] = Deferred()

    def connectionMade(self) -> None:
        self.transport.closeStdin()

    def processEnded(self, reason: Failure) -> None:
        code = 0 if isinstance(reason.value, ProcessDone) else getattr(reason.value, "exitCode", None)
        self.ended.callback(USELESS if code is None else code)

    def end(self) -> None:
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")
