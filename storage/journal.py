"""The journal: every accepted input is on disk before anybody is told so.

One SQLite file in WAL mode with full sync for each day of receipt (UTC), one row for each group of records
that came together, a group being what came in 10 ms or 500 records. Records are numbered from 1
without a gap, across files. A record is a tuple; what it means is its writer's business. When the clock is set
back the newest file stays the one that is written, so that numbers never go down from file to file.

The writer runs in one thread, one commit under way at a time, so that a failed commit uses up no number.
The caller's ``done`` is called on the reactor's thread with the number of its first record once the commit
has returned, or with None when it failed; nothing may change state or be acknowledged before.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from storage.journal_files import ROOM, SCHEMA_VERSION, Batch, JournalFiles, Record, day_files, day_of, sync_names
from storage.journal_scrub import OVERWRITES
from storage.space import free_bytes

Done = Callable[[int | None], None]
_Row = tuple[int, int, int, int, bytes]
"""A row of the table: first, count, received, rare, body."""
_Call = tuple[Sequence[Record], list[bytes], Done, bool]
"""One call of :meth:`Journal.append`: records, the same packed, done, rare."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batch(
  first INTEGER PRIMARY KEY, count INTEGER NOT NULL, received INTEGER NOT NULL, rare INTEGER NOT NULL,
  body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS rare_batch ON batch(first) WHERE rare > 0;
CREATE TABLE IF NOT EXISTS about(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""

_INSERT = "INSERT INTO batch VALUES(?,?,?,?,?)"


class JournalFull(Exception):
    """More is waiting for the disk than may wait. Nothing was taken; the sender should come again later."""


@dataclass(eq=False, slots=True)
class _Group:
    """A batch on its way, who is to be told of it, and its row."""

    batch: Batch
    dones: list[tuple[int, Done]]
    row: _Row
    failed: bool = False


class Journal:
    """Writer and reader of one journal folder. Used from the reactor's thread only.

    ``max_waiting`` bounds the records that wait for the disk: beyond it :meth:`append` refuses, because a
    stalled disk must cost the senders a retry and not the server its memory. ``group_records`` ends a group:
    the listeners work through a group in one go, and what holds the interpreter for long is heard elsewhere.
    ``groups_at_once`` are synced together when so many wait: a disk that takes seconds for a sync then still takes
    more than a city sends, and nobody waits so long that he gives his link up.

    ``floor`` is an id and a record number that other files of the city know this journal by: when the journal's own
    files are gone, all or the last of them, it goes on after that number under that id, so that no number means two
    records.

    ``make_room`` is called in the writer's thread when the disk refuses a commit; when it answers True the commit is
    tried once more.
    """

    def __init__(
        self,
        folder: Path,
        reactor: Any,
        pool: ThreadPool,
        wall: Callable[[], int],
        *,
        group_delay: float = 0.01,
        group_records: int = 500,
        max_waiting: int = 50_000,
        groups_at_once: int = 32,
        floor: tuple[str, int] = ("", 0),
        make_room: Callable[[], bool] = lambda: False,
    ) -> None:
        self._folder = folder
        self._reactor = reactor
        self._pool = pool
        self._wall = wall
        self._group_delay = group_delay
        self._group_records = group_records
        self._max_waiting = max_waiting
        self._groups_at_once = groups_at_once
        self._make_room = make_room
        self._calls: deque[_Call] = deque()
        self._queued = 0
        self._under_way = 0
        self._timer: Any = None
        self._db: sqlite3.Connection | None = None
        self._spent = False
        self._doubt: tuple[str, list[_Row]] | None = None
        self._untold: deque[_Group] = deque()
        self._untold_records = 0
        self._telling = False
        self._closing: Deferred[None] | None = None
        self._listeners: list[Callable[[Batch], None]] = []
        self._packer = msgpack.Packer(use_bin_type=True, autoreset=True)
        self._log = Logger(namespace="gridbeat.journal")
        self.failing_since: int | None = None
        """When commits began to fail (ms), or None while they succeed."""
        self.failure = ""
        self.commits = 0
        folder.mkdir(parents=True, exist_ok=True)
        sync_names(folder.absolute().parent)
        self._files = JournalFiles(folder)
        identity, last = self._files.newest()
        self.id = identity or floor[0] or uuid.uuid4().hex
        self.last = max(last, floor[1])
        self._written = self.last  # what is on disk; ``last`` follows when the listeners have been told
        files = day_files(folder)
        self._day = files[-1].stem if files else ""

    # -- writing

    def listen(self, listener: Callable[[Batch], None]) -> None:
        """Call ``listener`` with each committed batch, in order, before the batch's ``done`` callbacks."""
        self._listeners.append(listener)

    @property
    def waiting(self) -> int:
        """Records that wait for the disk, the ones under way included, and those whose callers are still to be told."""
        return self._queued + self._under_way + self._untold_records

    def append(self, records: Sequence[Record], done: Done, *, rare: bool = False) -> None:
        """Queue records that are committed together. ``rare`` marks what must be found again without a full scan.

        Raises :class:`JournalFull` beyond the bound, and TypeError, ValueError or OverflowError for a record
        that msgpack cannot hold; then nothing was queued and ``done`` is not called.
        """
        if not records:
            raise ValueError("nothing to append")
        if self.waiting + len(records) > self._max_waiting or self._closing is not None:
            raise JournalFull(f"{self.waiting} records wait for the disk")
        # Packed here and not with the group: what cannot be packed is the trouble of its own caller only.
        pack = self._packer.pack
        self._calls.append((records, [pack(record) for record in records], done, rare))
        self._queued += len(records)
        if self._under_way:
            return
        if self._queued >= self._group_records:
            self._flush()
        elif self._timer is None:
            self._timer = self._reactor.callLater(self._group_delay, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            if self._timer.active():
                self._timer.cancel()
            self._timer = None
        groups: list[_Group] = []
        received, first = self._wall(), self._written + 1
        while self._calls and len(groups) < self._groups_at_once:
            group = self._group(first, received)
            groups.append(group)
            first = group.batch.last + 1
        self._under_way = first - self._written - 1
        self._queued -= self._under_way
        rows = [group.row for group in groups]
        d = deferToThreadPool(self._reactor, self._pool, self._commit, rows)
        d.addCallbacks(self._committed, self._failed, callbackArgs=(groups,), errbackArgs=(groups,))
        d.addErrback(lambda f: self._log.failure("after a commit", failure=f))

    def _group(self, first: int, received: int) -> _Group:
        """The next calls, as one row."""
        records: list[Record] = []
        packed: list[bytes] = []
        dones: list[tuple[int, Done]] = []
        rare = 0
        while self._calls and len(records) < self._group_records:
            own, own_packed, done, is_rare = self._calls.popleft()
            dones.append((len(records), done))
            records.extend(own)
            packed.extend(own_packed)
            rare += len(own) if is_rare else 0
        body = self._packer.pack_array_header(len(packed)) + b"".join(packed)
        row = (first, len(records), received, rare, body)
        return _Group(Batch(first, received, records, packed), dones, row)

    def _commit(self, rows: list[_Row]) -> None:
        """In the writer's thread."""
        try:
            self._write(rows)
        except Exception:
            if not self._make_room():
                raise
            self._write(rows)

    def _write(self, rows: list[_Row]) -> None:
        if free_bytes(self._folder) < ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        received = rows[0][2]
        try:
            self._undo()
            today = day_of(received)
            day = max(today, self._day)
            if self._db is None or self._spent or day != self._day:
                fresh = _open(self._folder / f"{day}.db", self.id)
                self._close_file()
                self._db, self._day, self._spent = fresh, day, False
            if today < day:
                self._db.execute("INSERT OR IGNORE INTO about VALUES('earlier', ?)", (today,))
            self._doubt = (day, rows)
            if len(rows) == 1:
                # One statement in autocommit mode is one transaction: one hand-over of the interpreter's lock.
                self._db.execute(_INSERT, rows[0])
            else:
                self._db.execute("BEGIN")
                self._db.executemany(_INSERT, rows)
                self._db.execute("COMMIT")
            self._doubt = None
        except BaseException:
            # A handle that met a full disk may keep the error; the next commit opens the file anew. This one stays
            # until then: the last one that is closed takes the memory map of the log's index with it, and making a
            # new one on a disk that is full kills the process (SIGBUS) where a page is more than one block.
            self._spent = True
            if self._db is not None and self._db.in_transaction:
                try:
                    self._db.execute("ROLLBACK")
                except sqlite3.Error:
                    self._close_file()
            raise

    def _undo(self) -> None:
        """Take out what a failed commit may have left: when only its sync failed, opening the file brings it back."""
        if self._doubt is None:
            return
        day, rows = self._doubt
        db = _open(self._folder / f"{day}.db", self.id)
        try:
            # All or none, or a kill in between would leave a gap in the numbers.
            db.execute("BEGIN")
            left = [(first, received, body) for first, _, received, _, body in rows]
            db.executemany("DELETE FROM batch WHERE first=? AND received=? AND body=?", left)
            db.execute("COMMIT")
        finally:
            db.close()
        self._doubt = None

    def _committed(self, _: None, groups: list[_Group]) -> None:
        self._written = groups[-1].batch.last
        self.commits += 1
        if self.failing_since is not None:
            self._log.info("the journal's disk answers again", failed_ms=self._wall() - self.failing_since)
            self.failing_since, self.failure = None, ""
        self._ended(groups)

    def _failed(self, failure: Failure, groups: list[_Group]) -> None:
        if self.failing_since is None:
            self.failing_since = self._wall()
            self._log.error("the journal cannot write: {reason}", reason=failure.getErrorMessage())
        self.failure = failure.getErrorMessage()
        for group in groups:
            group.failed = True
        self._ended(groups)

    def _ended(self, groups: list[_Group]) -> None:
        self._untold_records += self._under_way
        self._under_way = 0
        # The next groups start before these are told, so that the disk works while we do.
        if self._calls:
            self._flush()
        self._untold.extend(groups)
        if not self._telling:
            self._tell_next()

    def _tell_next(self) -> None:
        """Tell of one group; the others follow in the reactor's next turns, for each takes some milliseconds."""
        group = self._untold.popleft()
        batch = group.batch
        self._untold_records -= len(batch.records)
        if not group.failed:
            self.last = batch.last
            for listener in self._listeners:
                try:
                    listener(batch)
                except Exception:
                    self._log.failure("a listener of the journal failed")
        for offset, done in group.dones:
            self._tell(done, None if group.failed else batch.first + offset)
        self._telling = bool(self._untold)
        if self._telling:
            self._reactor.callLater(0, self._tell_next)
        self._close_if_idle()

    def _tell(self, done: Done, first: int | None) -> None:
        try:
            done(first)
        except Exception:
            self._log.failure("a caller of the journal failed")

    def close(self) -> Deferred[None]:
        """Refuse new records, commit what waits, close the file. Fires when everybody has been told."""
        assert self._closing is None
        self._closing = Deferred()
        closed = self._closing.addCallback(lambda _: deferToThreadPool(self._reactor, self._pool, self._close_file))
        if self._calls and not self._under_way:
            self._flush()
        self._close_if_idle()
        return closed

    def _close_if_idle(self) -> None:
        if self._closing is not None and not self._closing.called and not self.waiting:
            self._closing.callback(None)

    def _close_file(self) -> None:
        """In the writer's thread: closing moves what the log still holds into the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    # -- reading

    def _open_day(self) -> str:
        """The day whose file the writer has open; empty while it has none."""
        return "" if self._db is None else self._day

    def read(self, first: int, limit: int, *, rare: bool = False) -> list[Batch]:
        """As :meth:`JournalFiles.read`. Never more than :attr:`last`, which the listeners have been told of."""
        return self._files.read(first, limit, last=self.last, rare=rare, open_day=self._open_day())

    def first_since(self, received: int) -> int:
        """As :meth:`JournalFiles.first_since`."""
        return self._files.first_since(received, last=self.last, open_day=self._open_day())

    def scan(self, received_from: int, received_to: int) -> Iterator[Batch]:
        """As :meth:`JournalFiles.scan`."""
        return self._files.scan(received_from, received_to, last=self.last, open_day=self._open_day())


def _open(path: Path, identity: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA busy_timeout=2000")
        db.execute("PRAGMA secure_delete=ON")
        db.executescript(_SCHEMA)
        db.execute("INSERT OR IGNORE INTO about SELECT ?, '1' WHERE NOT EXISTS (SELECT 1 FROM batch)", (OVERWRITES,))
        db.execute("INSERT OR IGNORE INTO about VALUES('journal', ?)", (identity,))
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        # A file that exists already may be one whose first opening failed half way: this is done every time.
        sync_names(path.parent)
    except BaseException:
        db.close()
        raise
    return db
