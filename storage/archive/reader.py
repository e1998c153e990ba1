"""Questions to the archive's Parquet files, in threads: one DuckDB of bounded memory, a cursor for each question.

It reads below one folder and nothing else: no network, no extension, no file of its own. A file may have been merged,
closed or deleted between the moment it was listed and the moment it is opened: that is :class:`Gone`, and whoever asked
lists anew. One that lies there and cannot be read is :class:`Damaged`, remembered by name until it can be read again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from storage.archive.parquet import connect, table, text

MEMORY = "384MB"
"""What all questions together may take. One unit's day takes some 10 MB, a crowd's day that is sorted 200."""
DAMAGED_LIMIT = 1000
"""Damaged files that are remembered by name."""

Columns = dict[str, Any]
"""Numpy arrays by column, all of one length; masked ones where a value may be missing."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What ``select`` takes from files: ``{files}`` in it stands for their rows, one file after the other and each in
    its own order, and its question marks for ``parameters``."""

    select: str
    files: Sequence[Path]
    parameters: Sequence[Any] = ()


class Gone(Exception):
    """A file is no longer there, or is being replaced: list the archive's files and ask again."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name} is not there")
        self.path = path


class Damaged(Exception):
    """A file cannot be read; the text names it and says why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path.name} cannot be read: {reason}")
        self.path = path
        self.reason = reason


class TooLarge(Exception):
    """The question takes more memory than there is for it."""


class Reader:
    """Reads the Parquet files below ``root``. Every method may be called from any thread but the reactor's."""

    def __init__(self, root: Path, *, memory: str = MEMORY) -> None:
        self._root = root.absolute()
        self._memory = memory
        self._lock = threading.Lock()
        self._db: duckdb.DuckDBPyConnection | None = None
        self._damaged: dict[Path, str] = {}

    def open(self) -> None:
        """Open the database before anybody asks: it takes 20 ms, and as long again to load the library."""
        self._cursor().close()

    def close(self) -> None:
        """Let go of everything. A question that comes later opens it anew."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    @property
    def damaged(self) -> Mapping[Path, str]:
        """The files that could not be read when last asked for, with why."""
        with self._lock:
            return dict(self._damaged)

    def note(self, path: Path, reason: str) -> None:
        """Remember that a file is damaged, or with an empty reason that it is not."""
        with self._lock:
            if not reason:
                self._damaged.pop(path, None)
            elif len(self._damaged) < DAMAGED_LIMIT:
                self._damaged[path] = reason

    def ask(self, query: str, rows: Mapping[str, Rows], tables: Mapping[str, Columns] | None = None) -> Columns:
        """The columns that a question answers. What it names after FROM are ``rows`` of files or ``tables`` of arrays.

        Raises :class:`Gone`, :class:`Damaged` or :class:`TooLarge`.
        """
        try:
            found = self._run(query, rows, tables)
        except duckdb.OutOfMemoryException:
            raise TooLarge from None
        except duckdb.Error:
            self._blame(rows)
            raise  # none of the files: the question itself is wrong
        if self._damaged:
            for path in (path for one in rows.values() for path in one.files):
                self.note(path, "")
        return found

    def _run(self, query: str, rows: Mapping[str, Rows], tables: Mapping[str, Columns] | None = None) -> Columns:
        cursor = self._cursor()
        try:
            for name, columns in (tables or {}).items():
                cursor.register(name, columns)
            heads = [
                f"{name} AS ({one.select.replace('{files}', table([path.absolute() for path in one.files]))})"
                for name, one in rows.items()
            ]
            parameters = [value for one in rows.values() for value in one.parameters]
            head = f"WITH {', '.join(heads)} " if heads else ""
            return dict(cursor.execute(head + query, parameters).fetchnumpy())
        finally:
            cursor.close()

    def _blame(self, rows: Mapping[str, Rows]) -> None:
        """Which of the files it was."""
        for one in rows.values():
            for path in one.files:
                if not path.exists():
                    raise Gone(path)
        for one in rows.values():
            for path in one.files:
                try:
                    # Of every value that was asked for, whatever was made of it then.
                    self._run("SELECT max(hash(alone)) FROM alone", {"alone": replace(one, files=[path])})
                except duckdb.OutOfMemoryException:
                    raise TooLarge from None
                except duckdb.Error as error:
                    if not path.exists():
                        raise Gone(path) from None
                    reason = str(error).partition("\n")[0].replace(str(path.absolute()), path.name)
                    self.note(path, reason)
                    raise Damaged(path, reason) from None

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._db is None:
                self._db = connect(memory=self._memory)
                self._db.execute(f"SET allowed_directories=[{text(f'{self._root}/')}]")
                self._db.execute("SET enable_external_access=false")
                self._db.execute("SET lock_configuration=true")
            return self._db.cursor()
