"""Copies of the journal's days, made through SQLite while they are written to."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from storage.backup_files import BackupError
from storage.journal_files import ROOM
from storage.space import free_bytes
from storage.upgrade import FolderError, hold

PAGES = 4096
"""At a time, 16 MB: then they are synced."""


def copy_day(source: Path, target: Path, moved: Callable[[int], None]) -> None:
    """Copy a day of the journal as it is at this moment, with what its log holds, into one file."""
    handle = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with closing(_reader(source)) as old, closing(sqlite3.connect(target, isolation_level=None)) as new:
            new.execute("PRAGMA journal_mode=OFF")
            new.execute("PRAGMA synchronous=OFF")
            # Within one transaction: else a step that finds the file changed begins again, and so would never end.
            old.execute("BEGIN")
            (page,) = old.execute("PRAGMA page_size").fetchone()
            left = old.execute("PRAGMA page_count").fetchone()[0]

            def step(_: int, remaining: int, total: int) -> None:
                nonlocal left
                os.fdatasync(handle)
                moved(max(0, left - remaining) * page)
                left = remaining

            old.backup(new, pages=PAGES, progress=step)
        os.fsync(handle)
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
        raise unreadable(source, error) from None
    finally:
        os.close(handle)


def unreadable(what: Path, error: sqlite3.Error) -> BackupError:
    """What to say of a journal that SQLite cannot read."""
    return BackupError(
        f"{what} cannot be read ({error}). Is its disk well? Look at the system's log, and keep older backups.",
        f"无法读取 {what}（{error}）。请检查磁盘和系统日志，并保留旧备份。",
    )


def _reader(path: Path) -> sqlite3.Connection:
    log = path.with_name(path.name + "-wal")
    has_log = log.exists() and log.stat().st_size > 0
    full = free_bytes(path.parent) < ROOM
    how = "mode=ro&immutable=1" if full and not has_log else "mode=rw"
    db = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", isolation_level=None, uri=True)
    if full and has_log and not _is_running(path.parents[1]):
        # The log's index is a file that is mapped into memory, and there is no room for one: see storage.journal_files.
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
    db.execute("PRAGMA busy_timeout=10000")
    db.execute("PRAGMA query_only=1")
    return db


def _is_running(data: Path) -> bool:
    try:
        os.close(hold(data))
    except FolderError:
        return True
    return False


def range_of(path: Path) -> tuple[str, int, int] | None:
    """Journal's id, first and last record number in a copied day, None without records. Nothing is made beside it."""
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, isolation_level=None, uri=True)) as db:
        if db.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('batch', 'about')").fetchone() != (2,):
            return None
        (identity,) = db.execute("SELECT max(value) FROM about WHERE key='journal'").fetchone()
        first, last = db.execute("SELECT min(first), max(first + count) - 1 FROM batch").fetchone()
        return None if first is None else (str(identity or ""), first, last)
