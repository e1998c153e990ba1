"""The journal: every accepted input is on disk before anybody is told so.

One SQLite file in WAL mode with full sync for each day of receipt (UTC), one row for each group of records
that was committed together, a group being what came in 10 ms or 500 records. Records are numbered from 1
without a gap, across files. A record is a tuple; what it means is its writer's business.

The writer runs in one thread, one commit under way at a time, so that a failed commit uses up no number.
The caller's ``done`` is called on the reactor's thread with the number of its first record once the commit
has returned, or with None when it failed; nothing may change state or be acknowledged before.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgpack
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

Record = tuple[Any, ...]
Done = Callable[[int | None], None]

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS batch(
  first INTEGER PRIMARY KEY, count INTEGER NOT NULL, received INTEGER NOT NULL, rare INTEGER NOT NULL,
  body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS rare_batch ON batch(first) WHERE rare > 0;
CREATE TABLE IF NOT EXISTS about(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""


class JournalFull(Exception):
    """More is waiting for the disk than may wait. Nothing was taken; the sender should come again later."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One committed group: records ``first`` .. ``first + len(records) - 1``, committed at ``received`` ms."""

    first: int
    received: int
    records: Sequence[Record]
    packed: Sequence[bytes] | None = None

    @property
    def last(self) -> int:
        return self.first + len(self.records) - 1


class Journal:
    """Writer and reader of one journal folder. Used from the reactor's thread only.

    ``max_waiting`` bounds the records that wait for the disk: beyond it :meth:`append` refuses, because a
    stalled disk must cost the senders a retry and not the server its memory.
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
    ) -> None:
        self._folder = folder
        self._reactor = reactor
        self._pool = pool
        self._wall = wall
        self._group_delay = group_delay
        self._group_records = group_records
        self._max_waiting = max_waiting
        self._records: list[Record] = []
        self._dones: list[tuple[int, Done]] = []
        self._rare = 0
        self._under_way = 0
        self._timer: Any = None
        self._db: sqlite3.Connection | None = None
        self._day = ""
        self._closing: Deferred[None] | None = None
        self._listeners: list[Callable[[Batch], None]] = []
        self._packer = msgpack.Packer(use_bin_type=True, autoreset=True)
        self._log = Logger(namespace="gridbeat.journal")
        self.failing_since: int | None = None
        """When commits began to fail (ms), or None while they succeed."""
        self.failure = ""
        self.commits = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.id, self.last = self._open_existing()

    # -- writing

    def listen(self, listener: Callable[[Batch], None]) -> None:
        """Call ``listener`` with each committed batch, in order, before the batch's ``done`` callbacks."""
        self._listeners.append(listener)

    @property
    def waiting(self) -> int:
        """Records that wait for the disk, the ones under way included."""
        return len(self._records) + self._under_way

    def append(self, records: Sequence[Record], done: Done, *, rare: bool = False) -> None:
        """Queue records that are committed together. ``rare`` marks what must be found again without a full scan.

        Raises :class:`JournalFull` beyond the bound; then nothing was queued and ``done`` is not called.
        """
        if self.waiting + len(records) > self._max_waiting or self._closing is not None:
            raise JournalFull(f"{self.waiting} records wait for the disk")
        self._dones.append((len(self._records), done))
        self._records.extend(records)
        if rare:
            self._rare += len(records)
        if self._under_way:
            return
        if len(self._records) >= self._group_records:
            self._flush()
        elif self._timer is None:
            self._timer = self._reactor.callLater(self._group_delay, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            if self._timer.active():
                self._timer.cancel()
            self._timer = None
        records, dones, rare = self._records, self._dones, self._rare
        if not records:
            return
        self._records, self._dones, self._rare = [], [], 0
        self._under_way = len(records)
        received = self._wall()
        pack = self._packer.pack
        packed = [pack(record) for record in records]
        body = self._packer.pack_array_header(len(packed)) + b"".join(packed)
        batch = Batch(self.last + 1, received, records, packed)
        d = deferToThreadPool(self._reactor, self._pool, self._commit, batch.first, len(records), received, rare, body)
        d.addCallbacks(self._committed, self._failed, callbackArgs=(batch, dones), errbackArgs=(dones,))
        d.addErrback(lambda f: self._log.failure("after a commit", failure=f))

    def _commit(self, first: int, count: int, received: int, rare: int, body: bytes) -> None:
        """In the writer's thread. One statement in autocommit mode is one transaction: one hand-over of the lock."""
        day = day_of(received)
        if self._db is None or day != self._day:
            if self._db is not None:
                self._db.close()
            self._db = None
            self._db = _open(self._folder / f"{day}.db", self.id)
            self._day = day
        self._db.execute("INSERT INTO batch VALUES(?,?,?,?,?)", (first, count, received, rare, body))

    def _committed(self, _: None, batch: Batch, dones: list[tuple[int, Done]]) -> None:
        self.last = batch.last
        self.commits += 1
        self._under_way = 0
        if self.failing_since is not None:
            self._log.info("the journal's disk answers again", failed_ms=self._wall() - self.failing_since)
            self.failing_since, self.failure = None, ""
        # The next group starts before this one is told, so that the disk works while we do.
        self._next()
        for listener in self._listeners:
            try:
                listener(batch)
            except Exception:
                self._log.failure("a listener of the journal failed")
        for offset, done in dones:
            self._tell(done, batch.first + offset)

    def _failed(self, failure: Failure, dones: list[tuple[int, Done]]) -> None:
        self._under_way = 0
        if self.failing_since is None:
            self.failing_since = self._wall()
            self._log.error("the journal cannot write: {reason}", reason=failure.getErrorMessage())
        self.failure = failure.getErrorMessage()
        if self._db is not None:
            # A handle that met a full disk may keep the error; the next commit opens the file anew.
            self._db.close()
            self._db = None
        for _, done in dones:
            self._tell(done, None)
        self._next()

    def _tell(self, done: Done, first: int | None) -> None:
        try:
            done(first)
        except Exception:
            self._log.failure("a caller of the journal failed")

    def _next(self) -> None:
        if self._records:
            self._flush()
        elif self._closing is not None:
            self._closing.callback(None)

    def close(self) -> Deferred[None]:
        """Refuse new records, commit what waits, close the file."""
        assert self._closing is None
        self._closing = Deferred()
        if not self._under_way:
            self._next() if not self._records else self._flush()
        return self._closing.addCallback(self._close_file)

    def _close_file(self, _: None) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    # -- reading

    def _open_existing(self) -> tuple[str, int]:
        """The journal's id and last record number, from the newest file that has any."""
        identity, last = "", 0
        for path in reversed(day_files(self._folder)):
            with _reading(path) as db:
                if not _has_tables(db):
                    continue
                row = db.execute("SELECT value FROM about WHERE key='journal'").fetchone()
                identity = identity or (row[0] if row else "")
                row = db.execute("SELECT first + count - 1 FROM batch ORDER BY first DESC LIMIT 1").fetchone()
                if row is not None:
                    last = row[0]
                    break
        return identity or uuid.uuid4().hex, last

    def read(self, first: int, limit: int, *, rare: bool = False) -> list[Batch]:
        """Committed batches from the one that holds record ``first`` on, up to about ``limit`` records.

        May be called from a thread. Empty when there is nothing at or after ``first``. With ``rare`` only
        batches that hold rare records.
        """
        batches: list[Batch] = []
        count = 0
        for path in day_files(self._folder):
            for batch in _rows(path, first, rare):
                batches.append(batch)
                count += len(batch.records)
                if count >= limit:
                    return batches
        return batches

    def scan(self, received_from: int, received_to: int) -> Iterator[Batch]:
        """Batches received between two times (ms, both included), in order. For a thread: it reads whole days."""
        first_day, last_day = day_of(received_from), day_of(received_to)
        for path in day_files(self._folder):
            if first_day <= path.stem <= last_day:
                for batch in _rows(path, 0, False):
                    if received_from <= batch.received <= received_to:
                        yield batch


def day_of(ms: int) -> str:
    """The UTC day of a time in ms, as the journal names its files."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")


def day_files(folder: Path) -> list[Path]:
    """The journal's files, oldest first."""
    return sorted(folder.glob("????-??-??.db"))


def _open(path: Path, identity: str) -> sqlite3.Connection:
    new = not path.exists()
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA busy_timeout=2000")
        db.executescript(_SCHEMA)
        db.execute("INSERT OR IGNORE INTO about VALUES('journal', ?)", (identity,))
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        if new:
            # The file's name is in the folder, and the folder has its own cache.
            handle = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except BaseException:
        db.close()
        raise
    return db


class _reading:
    """A read-only connection for one ``with`` block."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        self._db = sqlite3.connect(self._path, isolation_level=None)
        try:
            self._db.execute("PRAGMA busy_timeout=2000")
            self._db.execute("PRAGMA query_only=1")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise RuntimeError(f"{self._path.name} was written by a newer version of Gridbeat")
        except BaseException:
            self._db.close()
            raise
        return self._db

    def __exit__(self, *_: object) -> None:
        self._db.close()


def _has_tables(db: sqlite3.Connection) -> bool:
    """False for a file whose writer was killed between making the file and its tables."""
    query = "SELECT count(*) FROM sqlite_master WHERE name IN ('batch', 'about')"
    return bool(db.execute(query).fetchone()[0] == 2)


def _rows(path: Path, first: int, rare: bool) -> Iterator[Batch]:
    where = "rare > 0 AND " if rare else ""
    with _reading(path) as db:
        if not _has_tables(db):
            return
        start = db.execute("SELECT max(first) FROM batch WHERE first <= ?", (first,)).fetchone()[0]
        if start is None:
            start = 0
        query = f"SELECT first, received, body FROM batch WHERE {where}first >= ? ORDER BY first"
        for number, received, body in db.execute(query, (start,)):
            records = msgpack.unpackb(body, use_list=False, strict_map_key=False)
            if number + len(records) > first:
                yield Batch(number, received, records)
