"""DuckDB as we use it: one thread, bounded memory, nothing fetched from anywhere, files written one way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
