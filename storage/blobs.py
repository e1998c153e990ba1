"""Files of bytes that were promised to be kept: photos. Each is on disk, with its name, before its writer is told.

A file is written under a name of its own, synced, renamed, and the folder's list of names synced: so there is never
half a file under a name that counts. Names are ``<UTC day>/<name>``, so that keeping for so many days is deleting
folders. What a killed server left half written goes away at the next start.

A full store refuses; it does not delete the oldest to make room. Photos are evidence, and a camera that is set off
again and again must not be able to push out what somebody asked for. Days go by the rules of
:mod:`storage.archive.budgets`, at night, never those of the last month; a full store looks at the folder again now and
then (:meth:`Blobs.recount`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

LIMIT = 20 << 30
"""Bytes of all files, unless the settings say otherwise: 70,000 photos of a phone's camera, a county's half year."""
MOST = 500_000
"""Files: a month of a thousand collectors. A start counts them, which takes some seconds, and the chain holds a name
and a digest of each, some 150 MB."""
WAITING = 64 << 20
"""Bytes that wait for the disk. Beyond it writers are refused: they have their photo still."""
NEXT = 512 << 10
"""Bytes of the largest photo that comes in practice: with less room than that a store is said to be full."""
RECOUNT_S = 60
"""Seconds between two looks of a full store at its folder: 500,000 files take a thread five seconds."""
_PART = ".part"


class BlobsFull(Exception):
    """There is no room. Nothing was taken."""


class Blobs:
    """One folder of files, of at most ``limit`` bytes (0: as many as the disk has). ``may_store``: whether the disk has
    room for what the city can do without."""

    def __init__(
        self,
        folder: Path,
        reactor: Any,
        pool: ThreadPool,
        may_store: Callable[[], bool] = lambda: True,
        *,
        limit: int = LIMIT,
        most: int = MOST,
        waiting: int = WAITING,
    ) -> None:
        self._folder = folder
        self._reactor = reactor
        self._pool = pool
        self._may_store = may_store
        self._limit, self._most, self._most_waiting = limit or 1 << 62, most, waiting
        self._log = Logger(namespace="gridbeat.blobs")
        self.waiting = 0
        self._writes = 0  # begun, ever
        self._writing = 0  # under way
        self._looked = float("-inf")
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob(f"*/*{_PART}"):
            path.unlink()
        self.count, self.used = _measured(folder)

    @property
    def at_limit(self) -> bool:
        """It holds all that it may; nothing that is deleted elsewhere on the disk makes room."""
        return self.used + NEXT > self._limit or self.count >= self._most

    @property
    def full(self) -> bool:
        """Nothing more is to be asked for now; what is small may be taken yet."""
        return self.at_limit or not self._may_store()

    def recount(self) -> None:
        """If it is at its limit, look in a thread whether days have gone. Call as often as you like."""
        if self.at_limit and self._reactor.seconds() - self._looked >= RECOUNT_S:
            self.count_anew()

    def count_anew(self) -> None:
        """Look in a thread what is there, because somebody has deleted some. Not while anything is being written: what
        is seen then is not what there will be."""
        if self._writing:
            return
        self._looked, writes = self._reactor.seconds(), self._writes

        def found(counted: tuple[int, int]) -> None:
            if self._writes == writes:
                self.count, self.used = counted

        d = deferToThreadPool(self._reactor, self._pool, _measured, self._folder)
        d.addCallback(found)
        d.addErrback(lambda failure: self._log.failure("the files could not be counted", failure=failure))

    def write(self, name: str, data: bytes, done: Callable[[bool], None]) -> None:
        """Put a file there. ``done`` is told, on the reactor's thread, whether it is on disk.

        Raises :class:`BlobsFull`. The same name with the same bytes again is no trouble.
        """
        no_room = self.used + len(data) > self._limit or self.count >= self._most or not self._may_store()
        if no_room or self.waiting + len(data) > self._most_waiting:
            self.recount()
            raise BlobsFull(f"{self.used} bytes in {self.count} files, {self.waiting} waiting")
        # Counted from here on: what waits must not be more than there is room for.
        self._writes += 1
        self._under_way(1, len(data))
        self._count(1, len(data))

        def written(new: bool) -> None:
            self._under_way(-1, -len(data))
            if not new:
                self._count(-1, -len(data))
            done(True)

        def failed(failure: Failure) -> None:
            self._under_way(-1, -len(data))
            self._count(-1, -len(data))
            self._log.error("a file could not be written: {reason}", reason=failure.getErrorMessage())
            done(False)

        d = deferToThreadPool(self._reactor, self._pool, self._write, self._folder / name, data)
        d.addCallbacks(written, failed)
        d.addErrback(lambda failure: self._log.failure("after a file was written", failure=failure))

    def _under_way(self, files: int, size: int) -> None:
        self._writing += files
        self.waiting += size

    def _count(self, files: int, size: int) -> None:
        self.count += files
        self.used += size

    def _write(self, path: Path, data: bytes) -> bool:
        """In a thread; whether it is a new file."""
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            _sync(self._folder)
        new = not path.exists()
        part = path.with_name(path.name + _PART)
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync(path.parent)
        return new

    def delete(self, name: str) -> None:
        """Take a file away, if it is there."""
        d = deferToThreadPool(self._reactor, self._pool, (self._folder / name).unlink, True)
        d.addCallback(lambda _: self.count_anew())
        d.addErrback(lambda failure: self._log.failure("a file could not be deleted", failure=failure))

    def read(self, name: str) -> Deferred[bytes]:
        """The bytes of a file. Fails with OSError, FileNotFoundError when somebody has taken it away."""
        return deferToThreadPool(self._reactor, self._pool, (self._folder / name).read_bytes)


def _measured(folder: Path) -> tuple[int, int]:
    """Files and their bytes; whoever moves them away while we count is no trouble."""
    files = size = 0
    for day in filter(os.DirEntry.is_dir, os.scandir(folder)):
        with suppress(FileNotFoundError):
            for entry in os.scandir(day.path):
                with suppress(FileNotFoundError):
                    size += entry.stat().st_size
                    files += 1
    return files, size


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
