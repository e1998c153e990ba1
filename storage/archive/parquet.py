"""Parquet as we use it. DuckDB asks and writes what is open: one thread, bounded memory, nothing fetched from anywhere.
What is closed for years is written by pyarrow, whose finer delta blocks make a fix a tenth smaller."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

MEMORY = "512MB"
"""What one process may take; beyond it sorting goes to files."""
ROW_GROUP = 40_960
"""Rows that are read at the least: some seven units' day at one fix in five seconds. Smaller groups make a file larger,
larger ones a question slower."""


def connect(spill: Path | None = None, memory: str = MEMORY) -> duckdb.DuckDBPyConnection:
    """A connection of its own; ``spill`` is a folder for what does not fit into memory, None forbids that."""
    return duckdb.connect(
        config={
            "threads": 1,
            "memory_limit": memory,
            "temp_directory": "" if spill is None else str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
        }
    )


def write(db: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    """The rows of a query, in its order, as a file; how many. The file is not synced."""
    done = db.execute(
        f"COPY ({query}) TO {text(path)} "
        f"(FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE {ROW_GROUP})"
    ).fetchone()
    assert done is not None
    return int(done[0])


class SealedWriter:
    """A file that is written once and kept for years, some rows at a time. ``deltas`` are the integer columns whose
    differences are stored; the values of the others are numbered."""

    def __init__(self, path: Path, deltas: Sequence[str]) -> None:
        self._path = path
        self._deltas = deltas
        self._writer: Any = None
        self.rows = 0

    def __enter__(self) -> SealedWriter:
        return self

    def add(self, db: duckdb.DuckDBPyConnection, query: str) -> None:
        """The rows of a query, in its order."""
        # Here and not above: half a second and 60 MB that whoever only reads does not have to pay.
        import pyarrow.parquet

        table = db.sql(query).to_arrow_table()
        if self._writer is None:
            self._writer = pyarrow.parquet.ParquetWriter(
                self._path,
                table.schema,
                compression="zstd",
                compression_level=9,
                use_dictionary=[name for name in table.schema.names if name not in self._deltas],
                column_encoding=dict.fromkeys(self._deltas, "DELTA_BINARY_PACKED"),
                store_schema=False,
            )
        self._writer.write_table(table, row_group_size=ROW_GROUP)
        self.rows += table.num_rows

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()


def rows(db: duckdb.DuckDBPyConnection, path: Path) -> int:
    """How many rows a file has."""
    found = db.execute(f"SELECT num_rows FROM parquet_file_metadata({text(path)})").fetchone()
    assert found is not None
    return int(found[0])


def table(paths: Sequence[Path]) -> str:
    """What to put after FROM to read these files, as one table."""
    return f"read_parquet([{', '.join(text(path) for path in paths)}])"


def text(value: object) -> str:
    """A literal: DuckDB takes no parameters where file names stand."""
    return "'" + str(value).replace("'", "''") + "'"
