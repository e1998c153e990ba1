"""Questions to the archive's Parquet files, in threads: one DuckDB of bounded memory, a cursor for each question.

It reads below one folder and nothing else: no network, no extension, no file of its own. A file may have been merged,
closed or deleted between the moment it was listed and the moment it is opened: that is :class:`Gone`, and whoever asked
lists anew. One that lies there and cannot be read is :class:`Damaged`, remembered by name until it can be read again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
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

    def forget(self, sound: Sequence[Path]) -> None:
        """These files could be read."""
        if self._damaged:
            for path in sound:
                self.note(path, "")

    def ask(
        self,
        query: str,
        files: Sequence[Path],
        parameters: Sequence[Any] = (),
        tables: Mapping[str, Columns] | None = None,
    ) -> Columns:
        """The columns that a question answers. ``{files}`` in it stands for the rows of these files, one after the
        other in their own order; ``tables`` are arrays that it may name beside them.

        Raises :class:`Gone`, :class:`Damaged` or :class:`TooLarge`.
        """
        try:
            found = self._run(query, files, parameters, tables)
        except duckdb.OutOfMemoryException:
            raise TooLarge from None
        except duckdb.Error as error:
            self._blame(query, files, parameters, tables)
            raise error
        self.forget(files)
        return found

    def _run(
        self, query: str, files: Sequence[Path], parameters: Sequence[Any], tables: Mapping[str, Columns] | None
    ) -> Columns:
        cursor = self._cursor()
        try:
            for name, columns in (tables or {}).items():
                cursor.register(name, columns)
            asked = query.replace("{files}", table([path.absolute() for path in files]))
            return dict(cursor.execute(asked, list(parameters)).fetchnumpy())
        finally:
            cursor.close()

    def _blame(
        self, query: str, files: Sequence[Path], parameters: Sequence[Any], tables: Mapping[str, Columns] | None
    ) -> None:
        """Which of the files it was. None of them: the question itself is wrong."""
        for path in files:
            if not path.exists():
                raise Gone(path)
        for path in files:
            try:
                self._run(query, [path], parameters, tables)
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
