"""Taking records out of the journal for good: each is written over, in its place and its length, by one that says
nothing.

Such a record is ``(TOMBSTONE, zeros)``, or one of the caller's that says less than before. Its number stays used, so
that nobody's count is disturbed, and it has as many bytes as the one before it, so that SQLite writes it into the very
same place and moves nothing. The files are worked on
beside their writer, whose handle need not know of it: SQLite's own lock keeps the two apart, for some milliseconds at a
time. What an older release has written may hold copies in pages that were left over, because it did not overwrite what
it freed; such a file is made anew when something in it has to go.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgpack

from storage.journal_files import SCHEMA_VERSION, Record, day_files
from storage.space import free_bytes

TOMBSTONE = 0
"""The first value of a record that says nothing."""
OVERWRITES = "overwrites"
"""A key in a file's ``about``: since its first record, what was freed in it has been overwritten."""
ROWS = 200
"""Rows that are read at a time, and at the most written in one transaction: the journal's writer waits that long."""
PATIENCE_S = 60.0
"""Until readers have let go of a file's log: each of them has it for seconds at the most."""

Goes = Callable[[int, Record], "bool | Record"]
"""Whether a record, with its number, has to go; or what is to stand in its place, which must be as long when packed. It
may be asked again about what is gone already."""


class JournalBusy(Exception):
    """A file's log could not be emptied, because somebody goes on reading it; nothing is lost by trying again."""


def scrub(
    folder: Path,
    last: int,
    goes: Goes,
    *markers: bytes,
    tell: Callable[[str, int], None] = lambda day, count: None,
    first: int = 1,
) -> int:
    """Write over every record from ``first`` to ``last`` that ``goes``; how many. No byte of one is left in the files.

    Only rows that hold rare records, or one of the ``markers`` somewhere, are looked into. ``tell`` hears of each day
    that is done, with how many records it were. It may be killed anywhere and begun anew. Raises OSError without room,
    sqlite3.Error, and :class:`JournalBusy`.
    """
    gone = 0
    for path in day_files(folder):
        count = _scrub_file(path, first, last, lambda number, record: number >= first and goes(number, record), markers)
        tell(path.stem, count)
        gone += count
    return gone


def written_over(body: bytes, first: int, last: int, goes: Goes) -> tuple[bytes, int]:
    """A row's body with tombstones where records go, and how many that were."""
    pack = msgpack.Packer(use_bin_type=True, autoreset=True).pack
    unpacker = msgpack.Unpacker(use_list=False, strict_map_key=False, max_buffer_size=len(body) + 1)
    unpacker.feed(body)
    count = unpacker.read_array_header()
    parts, gone, end = [body[: unpacker.tell()]], 0, unpacker.tell()
    for number in range(first, first + count):
        record, start, end = unpacker.unpack(), end, unpacker.tell()
        verdict = number <= last and record[0] != TOMBSTONE and goes(number, record)
        if verdict:
            new = tombstone(end - start) if verdict is True else pack(verdict)
            if len(new) != end - start:
                raise ValueError(f"{len(new)} bytes in the place of {end - start}")
            parts.append(new)
            gone += 1
        else:
            parts.append(body[start:end])
    return (b"".join(parts), gone) if gone else (body, 0)


def tombstone(size: int) -> bytes:
    """A packed record of so many bytes, four at the least, that says nothing."""
    rest = size - 4  # an array of two, the 0, and the shortest head of a value of bytes
    if rest < 0:
        raise ValueError(f"a record of {size} bytes")
    if rest < 1 << 8:
        return b"\x92\x00\xc4" + rest.to_bytes(1) + bytes(rest)
    if rest - 1 < 1 << 16:
        return b"\x92\x00\xc5" + (rest - 1).to_bytes(2) + bytes(rest - 1)
    return b"\x92\x00\xc6" + (rest - 3).to_bytes(4) + bytes(rest - 3)


def _scrub_file(path: Path, start: int, last: int, goes: Goes, markers: Sequence[bytes]) -> int:
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", isolation_level=None, uri=True)
    except sqlite3.OperationalError:
        if path.exists():
            raise
        return 0  # its time had come meanwhile
    with closing(db):
        db.execute("PRAGMA busy_timeout=30000")
        db.execute("PRAGMA secure_delete=ON")
        db.execute("PRAGMA synchronous=FULL")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise RuntimeError(f"{path.name} was written by a newer version of Gridbeat")
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'batch'").fetchone():
            return 0
        gone, looked = 0, False
        for rows in _rows(db, start, last):
            looked = True
            changed = []
            for first, rare, body in rows:
                if rare or any(marker in body for marker in markers):
                    new, count = written_over(body, first, last, goes)
                    if count:
                        changed.append((new, first))
                        gone += count
            if changed:
                _need(path, sum(len(new) for new, _ in changed))
                db.execute("BEGIN IMMEDIATE")
                db.executemany("UPDATE batch SET body = ? WHERE first = ?", changed)
                db.execute("COMMIT")
        if not looked:
            return 0
        if not db.execute("SELECT 1 FROM about WHERE key = ?", (OVERWRITES,)).fetchone():
            _make_anew(db, path)
        _empty_log(db, path)
        return gone


def _rows(db: sqlite3.Connection, start: int, last: int) -> Iterator[list[tuple[int, int, bytes]]]:
    """A part at a time, with no question left open between: the log could not be emptied while one is."""
    # The row that holds the first record may begin before it; in a file that ends before it there is none to look at.
    (before,) = db.execute("SELECT max(first) FROM batch WHERE first <= ?", (start,)).fetchone()
    (newest,) = db.execute("SELECT max(first + count - 1) FROM batch").fetchone()
    if newest is None or newest < start:
        return
    after = 0 if before is None else before - 1
    query = "SELECT first, rare, body FROM batch WHERE first > ? AND first <= ? ORDER BY first LIMIT ?"
    while rows := db.execute(query, (after, last, ROWS)).fetchall():
        yield rows
        after = rows[-1][0]


def _make_anew(db: sqlite3.Connection, path: Path) -> None:
    """Every page from its rows alone. The file and its log are each written once more meanwhile; when it is the one
    that is being written to, nothing is committed for as long as that takes."""
    _need(path, 2 * path.stat().st_size)
    with _temporary_files_in(path.parent):
        db.execute("VACUUM")
    db.execute("INSERT OR IGNORE INTO about VALUES(?, '1')", (OVERWRITES,))


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """What SQLite puts aside stays on the disk of the data, where there is room and where it may be."""
    before = os.environ.get("SQLITE_TMPDIR")
    os.environ["SQLITE_TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SQLITE_TMPDIR"]
        else:
            os.environ["SQLITE_TMPDIR"] = before


def _empty_log(db: sqlite3.Connection, path: Path) -> None:
    """The log holds pages as they were before: into the file with what is new, and down to no byte."""
    end = time.monotonic() + PATIENCE_S
    while db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > end:
            raise JournalBusy(f"the log of {path.name} is being read all the time")
        time.sleep(0.05)


def _need(path: Path, size: int) -> None:
    """Room for the log, or nobody should begin: a page of its index without a block on the disk ends the process."""
    if free_bytes(path.parent) < size + (8 << 20):
        raise OSError(f"{path.name} cannot be rewritten: there is too little room on the disk")
