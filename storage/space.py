"""Room on the disk of the data folder: a reserve for journal and live state, and who goes without before it is used.

A file of a fixed size beside journal and append-only file holds room that nobody else can take. Two limits of free
space, both from the reserve's size: below the first what the city can do without (photos, exports) is refused and the
oldest history goes, as the ladder in :mod:`storage.archive.budgets` says; below the second the reserve is deleted, so
that its room is the journal's and Redis's. When there is room again it is made again.

The disk is asked once a second in a thread, for a disk that hangs must not stop the reactor. A commit that fails in
between does not wait for that: :meth:`Space.make_room` gives the reserve up at once, and the commit is tried again.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from storage.archive.budgets import EXPORTS, Level, refused
from storage.archive.layout import PHOTOS

MEGABYTE = 1 << 20
NAME = "reserve"
LEAST = 4 * MEGABYTE
"""The second limit of a small reserve: well above what the journal wants to see free before it writes."""
_NO_ALLOCATION = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


def free_bytes(folder: Path) -> int:
    """What may still be written to the file system of a folder. Raises OSError."""
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize


class Space:
    """Watches the disk of ``folder`` and keeps a reserve of ``reserve`` bytes there.

    ``low`` and ``critical`` are the limits of free bytes; ``regain`` is what must be free before the reserve is made
    again, so much that nothing is refused afterwards. ``free`` is what was free when last asked.
    """

    def __init__(
        self,
        folder: Path,
        reserve: int,
        reactor: Any,
        pool: ThreadPool,
        *,
        ask: Callable[[Path], int] = free_bytes,
        every: float = 1.0,
    ) -> None:
        self.reserve = reserve
        self.critical = max(reserve // 8, LEAST)
        self.low = max(reserve, 2 * self.critical)
        self.regain = reserve + self.low + self.critical
        self._folder = folder
        self._path = folder / NAME
        self._reactor = reactor
        self._pool = pool
        self._ask = ask
        self._every = every
        self._watch = LoopingCall(self.look)
        self._watch.clock = reactor
        self._lock = threading.Lock()
        self._asking = False
        self._stopped = False
        self._low = False
        self._told = Level.OK
        self._log = Logger(namespace="gridbeat.space")
        self.failure = ""
        """Why the reserve cannot be made although there is room; empty while it can."""
        self.released = 0
        """How many times the reserve was given up."""
        self.free = ask(folder)
        self.held = self._found()

    @property
    def level(self) -> Level:
        """A disk with room for the reserve is well while that is being made."""
        if not self.held and (self.failure or self.free < self.regain):
            return Level.CRITICAL
        return Level.LOW if self._low or self.free < self.low else Level.OK

    def may_store_photos(self) -> bool:
        """Whether there is room for photos."""
        return not refused(PHOTOS, self.level)

    def may_export(self) -> bool:
        """Whether there is room for an export. One that is under way asks again as it writes."""
        return not refused(EXPORTS, self.level)

    @property
    def well(self) -> int:
        """Bytes that must be free before a disk that was low is well again."""
        return self.low + self.critical

    def start(self) -> None:
        """Make the reserve if there is none, and go on watching."""
        self._watch.start(self._every)

    def stop(self) -> None:
        """Watch no more. A thread that is at the disk ends by itself."""
        self._stopped = True
        if self._watch.running:
            self._watch.stop()

    def look(self) -> None:
        """Ask the disk now, unless somebody is asking it: a disk that hangs gets one question, not one a second."""
        if not (self._asking or self._stopped):
            self._asking = True
            deferToThreadPool(self._reactor, self._pool, self._measure).addCallbacks(self._measured, self._failed)

    def make_room(self) -> bool:
        """Called in the thread of a writer that was refused: whether there is more room now than there was."""
        # Whoever holds the lock is making the reserve, and found much more room than a writer needs.
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if not self.held or self._ask(self._folder) >= self.critical:
                return False
            self._give_up()
        except OSError:
            return False
        finally:
            self._lock.release()
        self._reactor.callFromThread(self.look)
        return True

    # -- in a thread

    def _measure(self) -> None:
        with self._lock:
            free = self._ask(self._folder)
            if self.held and not self._path.exists():
                self.held = False  # an operator's quickest way to room
            if self.held and free < self.critical:
                self._give_up()
                free = self._ask(self._folder)
            elif not self.held and free >= self.regain:
                self._make()
                free = self._ask(self._folder)
            self.free = free

    def _found(self) -> bool:
        """Whether a whole reserve is there; one that was copied may be a hole with a size."""
        try:
            about = self._path.stat()
        except OSError:
            return False
        return about.st_size == self.reserve and about.st_blocks * 512 >= self.reserve

    def _give_up(self) -> None:
        self._path.unlink(missing_ok=True)
        self.held = False
        self.released += 1

    def _make(self) -> None:
        # Under another name until it is whole: a kill on the way leaves no half reserve that counts as one.
        new = self._path.with_name(NAME + ".new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self._fill(handle)
            new.replace(self._path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        self.held = True

    def _fill(self, handle: int) -> None:
        try:
            os.posix_fallocate(handle, 0, self.reserve)
        except OSError as error:
            if error.errno not in _NO_ALLOCATION:
                raise
        else:
            return
        # Noise, because zeros take no room on a file system that compresses. Synced part by part, or the journal's
        # next sync would wait for half a gigabyte.
        noise = os.urandom(MEGABYTE)
        left = self.reserve
        while left:
            if self._stopped:
                raise InterruptedError("stopped while the reserve was being made")
            left -= os.write(handle, noise[: min(left, MEGABYTE)])
            os.fdatasync(handle)

    # -- on the reactor's thread

    def _measured(self, _: None) -> None:
        self._asking, self.failure = False, ""
        self._tell()

    def _failed(self, failure: Failure) -> None:
        """The disk cannot be asked, or the reserve not be made."""
        self._asking = False
        if self._stopped:
            return
        reason = failure.getErrorMessage()
        if reason != self.failure:
            self._log.warn("the reserve cannot be kept: {reason}", reason=reason)
        self.failure = reason
        self._tell()

    def _tell(self) -> None:
        # Left again only with a little more room than it was entered with: no flapping at the limit.
        self._low = self.free < (self.well if self._low else self.low)
        level, before = self.level, self._told
        self._told = level
        if level is Level.OK and before is not level:
            self._log.info("the data folder's disk has room again", free=self.free)
        elif level is Level.LOW and before is not level:
            self._log.warn("the data folder's disk is filling up: nothing optional is stored", free=self.free)
        elif before is not level:
            self._log.error("the data folder's disk is nearly full: the reserve is given up", free=self.free)
