"""The journal's files as they lie there: for the writer's process, and for those beside it that only read.

One SQLite file in WAL mode for each day of receipt (UTC), named by it. What a row holds is said in
:mod:`storage.journal`, which writes them.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgpack

from storage.space import free_bytes

Record = tuple[Any, ...]
SCHEMA_VERSION = 2
"""2 holds what 1 did; but the days before may be sealed, and a release that knows nothing of that must not read it."""
ROOM = 1 << 20
"""Bytes that must be free before anything is written: SQLite maps the index of its log into memory, and a page of
that for which the disk has no block ends the process."""
_NUMBERS = (1 << 63) - 1


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


@dataclass(frozen=True, slots=True)
class DayFile:
    """The file of one day of receipt (UTC) with its first and last record numbers; both 0 for one without records."""

    day: str
    first: int
    last: int


class _Gone(Exception):
    """The file has been deleted meanwhile."""


class JournalFiles:
    """Reads one journal folder. Every method may be called from a thread, or in another process than the writer's; a
    file that is deleted meanwhile is passed over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._begins: dict[str, int] = {}
        """By day, the first record of its file, which never changes: no number is used twice."""

    def newest(self) -> tuple[str, int]:
        """The journal's id and last record number, from the newest file that has any; ``("", 0)`` without."""
        identity, last = "", 0
        for path in reversed(day_files(self.folder)):
            with suppress(_Gone), _reading(path, False) as db:
                if not _has_tables(db):
                    continue
                row = db.execute("SELECT value FROM about WHERE key='journal'").fetchone()
                identity = identity or (row[0] if row else "")
                row = db.execute("SELECT first + count - 1 FROM batch ORDER BY first DESC LIMIT 1").fetchone()
                if row is not None:
                    last = row[0]
                    break
        return identity, last

    def days(self) -> list[DayFile]:
        """The files with the records that they hold, oldest first."""
        found = []
        for path in day_files(self.folder):
            with suppress(_Gone), _reading(path, False) as db:
                row = (None, None)
                if _has_tables(db):
                    row = db.execute("SELECT min(first), max(first + count) - 1 FROM batch").fetchone()
                found.append(DayFile(path.stem, row[0] or 0, row[1] or 0))
        return found

    def first_since(self, received: int, *, last: int = 0, open_day: str = "") -> int:
        """The first record that is here of what was received since that time (ms), or one of the same day before it:
        files are looked at and not records. With none it is the next number, ``last`` being one that was used."""
        since = day_of(received)
        for path in day_files(self.folder):
            if path.stem >= since and (first := _begin_of(path, path.stem == open_day)):
                return first
        return max(last, self.newest()[1]) + 1

    def delete(self, day: str) -> None:
        """Delete a day's file, which nobody writes any more; on disk when this returns. Readers that have it open read
        it to its end."""
        path = self.folder / f"{day}.db"
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        sync_names(self.folder)

    def read(
        self, first: int, limit: int, *, last: int = _NUMBERS, rare: bool = False, open_day: str = ""
    ) -> list[Batch]:
        """Committed batches from the one that holds record ``first`` on, up to about ``limit`` records, none that
        begins after ``last``.

        Empty when there is nothing at or after ``first``; where the days before are gone, it begins with what there
        is. With ``rare`` only batches that hold rare records.
        ``open_day`` is the day whose file the writer has open, if that is in this process.
        """
        batches: list[Batch] = []
        count = 0
        for path in self._from(first, open_day):
            for batch in _rows(path, first, last, rare, path.stem == open_day):
                batches.append(batch)
                count += len(batch.records)
                if count >= limit:
                    return batches
        return batches

    def _from(self, first: int, open_day: str) -> list[Path]:
        """The files from the one that holds record ``first`` on: who reads a year of them in pieces opens each for its
        own pieces only."""
        paths = day_files(self.folder)
        for at in range(len(paths) - 1, 0, -1):
            day = paths[at].stem
            begins = self._begins.get(day, 0)
            if not begins:
                with suppress(sqlite3.Error):  # told of by whoever reads that far
                    begins = _begin_of(paths[at], day == open_day)
            if begins:
                self._begins[day] = begins
                if begins <= first:
                    return paths[at:]
        return paths

    def scan(
        self, received_from: int, received_to: int, *, last: int = _NUMBERS, open_day: str = ""
    ) -> Iterator[Batch]:
        """Batches received between two times (ms, both included), in order. It reads whole days."""
        first_day, last_day = day_of(received_from), day_of(received_to)
        for path in day_files(self.folder):
            is_open = path.stem == open_day
            if path.stem < first_day or (path.stem > last_day and not _has_earlier(path, is_open)):
                continue
            for batch in _rows(path, 0, last, False, is_open):
                if received_from <= batch.received <= received_to:
                    yield batch


def day_of(ms: int) -> str:
    """The UTC day of a time in ms, as the journal names its files."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")


def day_files(folder: Path) -> list[Path]:
    """The journal's files, oldest first."""
    return sorted(folder.glob("????-??-??.db"))


def sync_names(folder: Path) -> None:
    """Put a folder's list of names on disk: it has a cache of its own."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _reading:
    """A read-only connection for one ``with`` block. ``is_open``: the writer has the file open."""

    def __init__(self, path: Path, is_open: bool) -> None:
        self._path = path
        self._is_open = is_open

    def __enter__(self) -> sqlite3.Connection:
        """Raises :class:`_Gone` when there is no such file (any more)."""
        try:
            return self._opened()
        except (OSError, sqlite3.Error):
            if self._path.exists():
                raise
            raise _Gone from None

    def _opened(self) -> sqlite3.Connection:
        if free_bytes(self._path.parent) >= ROOM:
            self._db = self._connect("mode=rw")  # and not rwc: a file deleted a moment ago must not come back empty
            return self._db
        # Even a reader makes an index of the log, for which there is no room. A file without a log is read as it lies
        # there. One with a log is read with the index that its writer has, in whatever process that is, or if it has
        # none with one in memory.
        log = self._path.with_name(self._path.name + "-wal")
        if not (log.exists() and log.stat().st_size):
            self._db = self._connect("mode=ro&immutable=1")
        elif self._is_open:
            self._db = self._connect("mode=rw")
        else:
            try:
                self._db = self._connect("mode=rw", alone=True)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                self._db = self._connect("mode=rw")
        return self._db

    def _connect(self, how: str, *, alone: bool = False) -> sqlite3.Connection:
        db = sqlite3.connect(f"{self._path.absolute().as_uri()}?{how}", isolation_level=None, uri=True)
        try:
            db.execute(f"PRAGMA busy_timeout={0 if alone else 2000}")
            if alone:
                db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("PRAGMA query_only=1")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise RuntimeError(f"{self._path.name} was written by a newer version of Gridbeat")
        except BaseException:
            db.close()
            raise
        return db

    def __exit__(self, kind: object, error: object, _: object) -> None:
        self._db.close()
        if isinstance(error, sqlite3.Error) and not self._path.exists():
            raise _Gone from None


def _has_tables(db: sqlite3.Connection) -> bool:
    """False for a file whose writer was killed between making the file and its tables."""
    query = "SELECT count(*) FROM sqlite_master WHERE name IN ('batch', 'about')"
    return bool(db.execute(query).fetchone()[0] == 2)


def _begin_of(path: Path, is_open: bool) -> int:
    """The first record of a file; 0 for one that has none, or is gone."""
    with suppress(_Gone), _reading(path, is_open) as db:
        if _has_tables(db):
            return int(db.execute("SELECT min(first) FROM batch").fetchone()[0] or 0)
    return 0


def _has_earlier(path: Path, is_open: bool) -> bool:
    """True for a file that was written on after the clock had been set back to an earlier day."""
    with suppress(_Gone), _reading(path, is_open) as db:
        return _has_tables(db) and db.execute("SELECT 1 FROM about WHERE key='earlier'").fetchone() is not None
    return False


def _rows(path: Path, first: int, last: int, rare: bool, is_open: bool) -> Iterator[Batch]:
    where = "rare > 0 AND " if rare else ""
    with suppress(_Gone), _reading(path, is_open) as db:
        if not _has_tables(db):
            return
        start = db.execute("SELECT max(first) FROM batch WHERE first <= ?", (first,)).fetchone()[0] or 0
        query = f"SELECT first, received, body FROM batch WHERE {where}first BETWEEN ? AND ? ORDER BY first"
        for number, received, body in db.execute(query, (start, last)):
            records = msgpack.unpackb(body, use_list=False, strict_map_key=False)
            if number + len(records) > first:
                yield Batch(number, received, records)
