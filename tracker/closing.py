"""From parts to a sealed day: the job ``close``.

A city day that ended :data:`OPEN_DAYS` ago or earlier is made one file: points that are the same point are kept once,
by the rule of :func:`tracker.pipeline.judge`, with their final flags, and the file's digest goes into the chain. What
comes for that day later makes a supplement, dated by the day of the closing that found it.

The work is done for some units at a time, so that memory does not grow with the day. The entry in the chain is what
makes a file count and its parts not; a child that is killed before it leaves files that the next one writes again, one
that is killed after it leaves parts that the next one takes away.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import numpy as np

from storage.archive import parquet
from storage.archive.archive import open_parts, sync_file, write_whole
from storage.archive.chain import Kind, SealedFile
from storage.archive.layout import FIXES, MERGED, SEALED, Layout, Run, details_of, shifted
from storage.journal_files import sync_names
from tracker.archive_columns import records_of
from tracker.archive_context import Arguments, Context, JobIncomplete, Result
from tracker.areas import AreaIndex
from tracker.model import Doubt, Mark
from tracker.pipeline import ACCURACY_LIMIT, FUTURE_MS, JUMP_DISTANCE, JUMP_SPEED, SKEW_MS, judge
from tracker.sealing import SORTED, Spill, remove_folder, tidy

OPEN_DAYS = 7
"""Days for which a city day stays open after it has ended: a phone that was away for a holiday still gets in."""
CHUNK_ROWS = 400_000
"""Rows of the units that are worked on at a time: some 200 MB."""
DAY_MS = 86_400_000
MOST_NAMES = 1000
"""Files that the answer names."""

_IDENTITY = "device, fix_time, latitude, longitude, status, alarm"
_ORDER = f"unit, fix_time, {_IDENTITY.replace('device, fix_time', 'device')}"
_BEST = f"marks & {int(Mark.BACKFILL)}, server_time, duty, " + ", ".join(
    f"{name} NULLS FIRST"
    for name in (
        *("device_time", "altitude", "speed", "course", "accuracy", "original_latitude", "original_longitude"),
        *("marks", "items"),
    )
)
"""Which of the copies of a point counts: as in :func:`tracker.pipeline.judge`."""
MAIN = (
    "unit, fix_time, latitude, longitude, speed, course, accuracy, "
    "(marks | (doubts << 8))::INTEGER AS flags, server_time - fix_time AS delay"
)
"""The nine columns of a closed day."""
DETAILS = (
    "unit, moment, located, device, duty, device_time, altitude, status, alarm, "
    "CASE WHEN located THEN NULL ELSE server_time END AS server_time, "
    "items, original_latitude, original_longitude, raw"
)
"""What else is known, in a second file: the located rows in the main file's order, and those without a fix."""
MAIN_DELTAS = ("fix_time", "latitude", "longitude", "course", "delay")
DETAILS_DELTAS = ("moment", "device_time", "server_time")
"""What is small as differences; of the other columns there are few values."""


def close(context: Context, arguments: Arguments) -> Result:
    """Close every city day that has been over for long enough; supplements for those that were closed before. Raises
    :class:`JobIncomplete` when that failed for some of them, with files that cannot be read.

    With ``limits``, as the job ``tidy`` takes them, days past their keep are left to that: a device whose clock tells
    any time would make thousands of files a night, to be deleted the same night.
    """
    archive, layout = context.archive, context.layout
    tidy(layout)
    archive.refresh()
    _take_back(context)
    today = archive.days.day_of(context.now)
    closed: list[str] = []
    failures: list[str] = []
    with Spill(layout) as spill, closing(parquet.connect(spill)) as db:
        for kind in SEALED:
            work = _Closing(context, kind, today, spill, db)
            limits = arguments.get("limits", {})
            oldest = shifted(today, -limits[kind][0]) if kind in limits else ""
            for day, parts in open_parts(layout.runs(), kind).items():
                if archive.days.span(day)[1] + OPEN_DAYS * DAY_MS > context.now:
                    break
                if day < oldest:
                    continue
                try:
                    closed += work.close(day, parts)
                except duckdb.Error as error:
                    failures.append(f"{kind} of {day}: {error}")
    drop_empty(layout)
    if failures:
        raise JobIncomplete(failures)
    return {"days": len(closed), "closed": closed[:MOST_NAMES], "open_since": shifted(today, -OPEN_DAYS)}


class _Closing:
    """Closes the days of one class. What the chain says is looked up once: there may be thousands of days, when a clock
    has told any time."""

    def __init__(self, context: Context, kind: str, today: str, spill: Path, db: duckdb.DuckDBPyConnection) -> None:
        self._context = context
        self._spill = spill
        self._db = db
        self._kind = kind
        self._today = today
        self._chain = context.archive.chains[kind]
        self._folder = context.layout.folder(kind)
        self._late = {entry.day for entry in self._chain.entries if entry.kind == "day"}
        self._sealed = context.archive.sealed
        self._earlier: dict[str, list[Path]] = {}
        for name, (entry, _) in self._chain.files().items():
            if ".details." not in name:
                self._earlier.setdefault(entry.day, []).append(self._folder / name)

    def close(self, day: str, parts: Sequence[tuple[Run, Path]]) -> list[str]:
        """Close a day that has these parts; the name of the file, if one came of it."""
        upto, late = self._chain.upto(day), day in self._late
        _drop(path for run, path in parts if run.first <= upto)
        paths = [path for run, path in parts if run.first > upto]
        name = f"{day}.late-{self._today}.parquet" if late else f"{day}.parquet"
        if not paths or name in self._chain.files():
            return []  # a second supplement on one day waits for the next
        self._context.tell({"closing": day, "class": self._kind})
        names = self._write(paths, self._earlier.get(day, ()), name)
        if names:
            files = [_sealed(self._folder / one, rows) for one, rows in names]
            kind: Kind = "supplement" if late else "day"
            self._chain.append(kind, day, self._context.now, files=files, upto=self._sealed)
        self._context.layout.placed.unlink(missing_ok=True)
        _drop(paths)
        return [name] if names else []

    def _write(self, parts: Sequence[Path], earlier: Sequence[Path], name: str) -> list[tuple[str, int]]:
        """The files of a day, on disk under their names; with their rows. Nothing if there is nothing new in the
        parts."""
        if self._kind == FIXES:
            written = _write_fixes(self._context, self._db, parts, earlier, self._spill / name)
        else:
            query = f"SELECT * FROM {parquet.table(parts)} ORDER BY {SORTED[self._kind]}"
            written = [(name, parquet.write(self._db, query, self._spill / name))]
        names = [one for one, _ in written]
        if not written[-1][1]:
            return []
        for one in names:
            sync_file(self._spill / one)
        write_whole(self._context.layout.placed, json.dumps({"class": self._kind, "names": names}).encode())
        for one in names:
            (self._spill / one).replace(self._folder / one)
        sync_names(self._folder)
        return written


def _drop(paths: Iterable[Path]) -> None:
    """Take away parts that have been taken in."""
    for path in paths:
        path.unlink(missing_ok=True)


def drop_empty(layout: Layout) -> None:
    """Take away the runs of which nothing is left but the newest, as a place to go on from."""
    for run in layout.runs()[:-1]:
        if all(path.name == MERGED for path in run.path.iterdir()):
            remove_folder(run.path)


def _take_back(context: Context) -> None:
    """A child that was killed after it had put a day's files there, and before the chain knew of them, left them: the
    day's parts count still, and its next file may have another name."""
    if not context.layout.placed.exists():
        return
    told = json.loads(context.layout.placed.read_text())
    known = context.archive.chains[told["class"]].files()
    for name in told["names"]:
        if name not in known:
            (context.layout.folder(told["class"]) / name).unlink(missing_ok=True)
    context.layout.placed.unlink()


def _sealed(path: Path, rows: int) -> SealedFile:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return SealedFile(path.name, path.stat().st_size, rows, digest.hexdigest())


def _write_fixes(
    context: Context, db: duckdb.DuckDBPyConnection, parts: Sequence[Path], earlier: Sequence[Path], path: Path
) -> list[tuple[str, int]]:  # fmt: skip
    source, done, details = parquet.table(parts), 0, path.with_name(details_of(path.name))
    counts = db.execute(f"SELECT unit, count(*) FROM {source} GROUP BY unit ORDER BY unit").fetchall()
    with parquet.SealedWriter(path, MAIN_DELTAS) as main, parquet.SealedWriter(details, DETAILS_DELTAS) as rest:
        for first, last, units in _groups(counts):
            judge_units(db, source, earlier, first, last)
            main.add(db, f"SELECT {MAIN} FROM kept WHERE located ORDER BY n")
            rest.add(db, f"SELECT {DETAILS} FROM kept ORDER BY n")
            done += units
            context.tell({"closing": path.name[:10], "units": done, "of": len(counts)})
    return [(path.name, main.rows), (details.name, rest.rows)]


def _groups(counts: Sequence[tuple[str, int]]) -> Iterable[tuple[str, str, int]]:
    """First unit, last unit, how many: some units at a time, in order."""
    start = rows = 0
    for i, (unit, count) in enumerate(counts):
        rows += count
        if rows >= CHUNK_ROWS or i + 1 == len(counts):
            yield counts[start][0], unit, i + 1 - start
            start, rows = i + 1, 0


def judge_units(db: duckdb.DuckDBPyConnection, source: str, earlier: Sequence[Path], first: str, last: str) -> None:
    """Make the table ``kept``: the rows of these units, each point once, with ``located``, ``doubts`` and ``n``, their
    place in the file."""
    span = f"unit BETWEEN {parquet.text(first)} AND {parquet.text(last)}"
    known = ""
    if earlier:
        _known_points(db, earlier, span)
        # A copy that was sent at once counts before one that had been stored, whenever it comes.
        better = f"(p.marks & {int(Mark.BACKFILL)}) < (k.flags & {int(Mark.BACKFILL)})"
        same = " AND ".join(f"p.{name} = k.{name}" for name in ("unit", *_IDENTITY.split(", ")))
        known = f"AND NOT EXISTS (SELECT 1 FROM known k WHERE {same} AND NOT {better})"
    db.execute(f"""
        CREATE OR REPLACE TABLE kept AS
        SELECT *, 0 AS doubts, row_number() OVER (ORDER BY unit, NOT located, n_time, {_ORDER}, {_BEST}) AS n FROM (
            SELECT * EXCLUDE (server_time, copy, came), came AS server_time, true AS located, fix_time AS n_time FROM (
                SELECT *, row_number() OVER (PARTITION BY unit, {_IDENTITY} ORDER BY {_BEST}) AS copy,
                       min(server_time) OVER (PARTITION BY unit, {_IDENTITY}) AS came
                FROM {source} p WHERE {span} AND latitude IS NOT NULL AND fix_time IS NOT NULL {known}
            ) WHERE copy = 1
            UNION ALL BY NAME
            SELECT *, false AS located, moment AS n_time
            FROM {source} WHERE {span} AND (latitude IS NULL OR fix_time IS NULL)
        )""")
    _judge(db)


def _known_points(db: duckdb.DuckDBPyConnection, earlier: Sequence[Path], span: str) -> None:
    """The points of the day's files before this one: the two files of each belong together row by row."""
    pairs = [
        f"""SELECT * FROM (SELECT unit, fix_time, latitude, longitude, flags FROM {parquet.table([path])} WHERE {span})
            POSITIONAL JOIN (SELECT device, status, alarm FROM {parquet.table([path.with_name(details_of(path.name))])}
                             WHERE located AND {span})"""
        for path in earlier
    ]
    db.execute(f"CREATE OR REPLACE TABLE known AS {' UNION ALL '.join(pairs)}")


def _judge(db: duckdb.DuckDBPyConnection) -> None:
    """Final flags. Where nothing is in doubt, one question answers for all; the units where something may be are judged
    point by point, by the steps that judge live."""
    db.execute(
        f"UPDATE kept SET doubts = {int(Doubt.SKEW)} WHERE located AND (marks & {int(Mark.BACKFILL)}) = 0 "
        f"AND device_time IS NOT NULL AND server_time - fix_time > {SKEW_MS}"
    )
    metres = 111_195e-7
    suspects = db.execute(f"""
        SELECT unit FROM (
            SELECT *, fix_time - lag(fix_time) OVER line AS ms,
                   (lat - lag(lat) OVER line) * {metres} AS north,
                   (lon - lag(lon) OVER line) * {metres} * cos(radians(lat / 1e7)) AS east
            FROM (SELECT *, latitude::DOUBLE AS lat, longitude::DOUBLE AS lon FROM kept WHERE located)
            WINDOW line AS (PARTITION BY unit ORDER BY n)
        ) GROUP BY unit
        HAVING count(DISTINCT device) > 1 OR bool_or(fix_time - server_time > {FUTURE_MS})
            OR bool_or(coalesce(accuracy > {ACCURACY_LIMIT}, false)) OR bool_or(coalesce(ms = 0, false))
            OR bool_or(coalesce(north * north + east * east > {(0.95 * JUMP_DISTANCE) ** 2}
                                AND north * north + east * east > ({0.95 * JUMP_SPEED} * ms / 1000) ** 2, false))
        ORDER BY unit""").fetchall()
    # The coarse distance is within a few per mille of the great circle's; 5 per cent make it err on the safe side.
    for (unit,) in suspects:
        cursor = db.execute(f"SELECT * FROM kept WHERE located AND unit = {parquet.text(unit)} ORDER BY n")
        names = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        judged = judge(records_of(rows), AreaIndex())
        columns = {
            "n": np.array([row["n"] for row in rows], dtype=np.int64),
            "doubts": np.array([doubts for _, doubts, _ in judged], dtype=np.int64),
        }
        db.register("judged", columns)
        db.execute("UPDATE kept SET doubts = judged.doubts FROM judged WHERE kept.n = judged.n")
        db.unregister("judged")
