"""Other places for the same fixes: rows with an index on unit and time, in SQLite and in PostgreSQL.

Rows go in as the fixes came in, unit by unit in turn, and so they lie on the disk: a unit's day is in as many pages as
it has fixes. That is what a table of positions is, unless somebody sorts it again and again.
"""

from __future__ import annotations

import os
import pwd
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.archive import parquet
from storage.archive.layout import details_of

_COLUMNS = "unit, fix_time, device, latitude, longitude, altitude, speed, course, accuracy, status, alarm, flags, delay"
CHUNK = 100_000


@dataclass(frozen=True, slots=True)
class Took:
    """A question: milliseconds by the clock and of CPU, and how many rows came back."""

    wall: float
    cpu: float
    rows: int


def rows_of(files: Sequence[Path]) -> str:
    """All rows of closed days in the order in which they came in, as a query."""
    days = [
        f"""SELECT * FROM {parquet.table([path])} POSITIONAL JOIN
            (SELECT device, altitude, status, alarm FROM {parquet.table([path.with_name(details_of(path.name))])}
             WHERE located)"""
        for path in sorted(files)
    ]
    return f"SELECT {_COLUMNS} FROM ({' UNION ALL '.join(days)}) ORDER BY fix_time + delay"


class SQLite:
    """A table of its own file; ``place`` is an empty folder."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self._path = place / "fixes.db"
        self._db = stack.enter_context(closing(sqlite3.connect(self._path)))

    @staticmethod
    def there() -> bool:
        return True

    def load(self, files: Sequence[Path]) -> int:
        types = _COLUMNS.replace(", ", " INTEGER, ").replace("unit INTEGER", "unit TEXT") + " INTEGER"
        self._db.execute(f"CREATE TABLE fix ({types.replace('device INTEGER', 'device TEXT')})")
        source, count = parquet.connect(self._path.parent / "spill"), 0
        cursor = source.execute(rows_of(files))
        while chunk := cursor.fetchmany(CHUNK):
            self._db.executemany(f"INSERT INTO fix VALUES ({','.join('?' * 13)})", chunk)
            count += len(chunk)
        source.close()
        self._db.execute("CREATE INDEX fix_unit ON fix(unit, fix_time)")
        self._db.commit()
        return count

    def size(self) -> int:
        return self._path.stat().st_size

    def track(self, unit: str, start: int, end: int) -> Took:
        query = f"SELECT {_COLUMNS} FROM fix WHERE unit = ? AND fix_time BETWEEN ? AND ? ORDER BY fix_time"
        return self._ask(query, (unit, start, end))

    def nearby(self, south: int, west: int, north: int, east: int, start: int, end: int) -> Took:
        query = """SELECT unit, count(*), min(fix_time), max(fix_time) FROM fix WHERE fix_time BETWEEN ? AND ?
            AND latitude BETWEEN ? AND ? AND longitude BETWEEN ? AND ? GROUP BY unit"""
        return self._ask(query, (start, end, south, north, west, east))

    def _ask(self, query: str, parameters: tuple[Any, ...]) -> Took:
        began, used = time.perf_counter(), time.process_time()
        found = self._db.execute(query, parameters).fetchall()
        return Took((time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000, len(found))


class PostgreSQL:
    """A server of its own on a socket in ``place``, as it is installed: nothing is tuned. CPU is that of its process
    for us; the client is psql, whose own work is in the clock's time only."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self._place = place
        self._user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:
            shutil.chown(place, self._user)
        place.chmod(0o755)
        data = place / "data"
        self._run(_program("initdb"), "-D", str(data), "-A", "trust")
        options = f"-c listen_addresses='' -c unix_socket_directories={place}"
        self._run(_program("pg_ctl"), "-D", str(data), "-w", "-l", str(place / "log"), "-o", options, "start")
        stack.callback(self._run, _program("pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
        self._session = subprocess.Popen(
            self._as_user("psql", "-h", str(place), "-d", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        stack.callback(self._session.communicate)
        (pid,) = self._say("SELECT pg_backend_pid();")
        self._backend = Path(f"/proc/{pid}/stat")

    @staticmethod
    def there() -> bool:
        return _program("initdb") != "" and _program("pg_ctl") != "" and shutil.which("psql") is not None

    def load(self, files: Sequence[Path]) -> int:
        types = _COLUMNS.replace(", ", " integer, ") + " bigint"
        for name, kind in (("unit", "text"), ("device", "text"), ("fix_time", "bigint"), ("status", "bigint")):
            types = types.replace(f"{name} integer", f"{name} {kind}")
        self._say(f"CREATE TABLE fix ({types.replace('alarm integer', 'alarm bigint')});")
        table = self._place / "rows.csv"
        db = parquet.connect(self._place / "spill")
        csv = f"COPY ({rows_of(files)}) TO {parquet.text(table)} (FORMAT csv, HEADER false)"
        count = db.execute(csv).fetchone()
        db.close()
        table.chmod(0o644)
        self._say(
            f"\\copy fix FROM {parquet.text(table)} CSV\nCREATE INDEX ON fix(unit, fix_time);\nVACUUM ANALYZE fix;"
        )
        table.unlink()
        assert count is not None
        return int(count[0])

    def size(self) -> int:
        return int(self._say("SELECT pg_total_relation_size('fix');")[0])

    def track(self, unit: str, start: int, end: int) -> Took:
        return self._ask(
            f"SELECT {_COLUMNS} FROM fix WHERE unit = '{unit}' AND fix_time BETWEEN {start} AND {end} ORDER BY fix_time"
        )

    def nearby(self, south: int, west: int, north: int, east: int, start: int, end: int) -> Took:
        return self._ask(
            f"SELECT unit, count(*), min(fix_time), max(fix_time) FROM fix WHERE fix_time BETWEEN {start} AND {end} "
            f"AND latitude BETWEEN {south} AND {north} AND longitude BETWEEN {west} AND {east} GROUP BY unit"
        )

    def _ask(self, query: str) -> Took:
        used, began = self._cpu(), time.perf_counter()
        found = self._say(f"{query};")
        return Took((time.perf_counter() - began) * 1000, self._cpu() - used, len(found))

    def _cpu(self) -> float:
        """Milliseconds that our server process has used; it counts by hundredths of a second."""
        fields = self._backend.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def _say(self, text: str) -> list[str]:
        """The rows that psql answers."""
        assert self._session.stdin is not None
        assert self._session.stdout is not None
        self._session.stdin.write(f"{text}\n\\echo -- done --\n")
        self._session.stdin.flush()
        rows = []
        for line in self._session.stdout:
            if line == "-- done --\n":
                return rows
            rows.append(line.rstrip("\n"))
        raise RuntimeError("psql ended")

    def _run(self, *command: str) -> None:
        subprocess.run(self._as_user(*command), check=True, stdout=subprocess.DEVNULL, cwd=self._place)

    def _as_user(self, *command: str) -> list[str]:
        return ["runuser", "-u", self._user, "--", *command] if os.getuid() == 0 else list(command)


def _program(name: str) -> str:
    """Where Debian keeps the programs of its newest PostgreSQL, or wherever else one is found."""
    for path in _newest():
        if (path / name).exists():
            return str(path / name)
    return shutil.which(name) or ""


def _newest() -> Iterator[Path]:
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
