"""From the journal to parts: the job ``seal``, and the job ``merge`` that keeps their number small.

A sealing takes the journal's records in order, from where the last one ended to the end of the hour that is over,
and puts them by class and city day into the files of one run. The run appears by one rename, so a child that is
killed leaves nothing that counts, and the next one begins where the last whole run ended.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from storage.archive import parquet
from storage.archive.archive import sync_file
from storage.archive.layout import ACCESS, EVENTS, FIXES, MERGED, Layout, Run
from storage.journal_files import Batch, sync_names
from tracker.admission import LATEST
from tracker.archive_columns import (
    ACCESS_TYPES,
    EVENT_TYPES,
    TYPES,
    access_columns_of,
    columns_of,
    event_columns_of,
    selected,
)
from tracker.archive_context import Arguments, Context, JobIncomplete, Result
from tracker.record import ENTITY, EVENT, REPORT, is_access

RUN_RECORDS = 2_000_000
"""Records of one run: what a child holds at a time is then some 300 MB, the rest lies in files beside it."""
CHUNK_RECORDS = 20_000
"""Records that are Python objects at a time."""
HOUR = 3_600_000
MERGE_BYTES = 4 << 30
"""Bytes of runs that are made one, which need as much room again meanwhile: some days of 10,000 units."""
FOLD_RUNS = 24
"""So many runs of former nights are made one: a good two weeks after the first of them, all but the last eight hold
nothing but days to come. Each question lists them all."""
FOLD_BYTES = 32 << 20
"""What is written again then, at the most."""

SORTED = {
    FIXES: "unit, moment, device, latitude, longitude, status, alarm",
    EVENTS: "number",
    ACCESS: "number",
}
"""By what the rows of a part are sorted."""


def seal(context: Context, arguments: Arguments) -> Result:
    """Seal what the journal received up to ``before`` (ms), if that is not after the record ``upto``.

    Answers how many records and runs that were.
    """
    upto, before = int(arguments["upto"]), int(arguments["before"])
    tidy(context.layout)
    first = start = context.archive.sealed + 1
    runs = 0
    # Where the journal's days before are gone, a run begins with what there is.
    while there := context.journal.read(first, 1, last=upto):
        begin = max(first, there[0].first)
        last = _seal_run(context, begin, upto, before)
        if last < begin:
            break
        first, runs = last + 1, runs + 1
        context.tell({"sealed": last, "of": upto})
    return {"runs": runs, "records": first - start, "sealed": first - 1}


def tidy(layout: Layout) -> None:
    """Take away what a child that was killed had not finished, and runs that have been merged."""
    for path in layout.obsolete():
        remove_folder(path)


def remove_folder(path: Path) -> None:
    """Take a run or what is left of one away."""
    shutil.rmtree(path)


def _seal_run(context: Context, first: int, upto: int, before: int) -> int:
    """One run from ``first`` on; its last record, or ``first - 1`` if there was nothing to seal."""
    layout = context.layout
    # Never beyond a closing: a part counts by the first record of its run. Only an archive that lost its runs is before
    # one.
    context.archive.refresh()
    closed = {at for chain in context.archive.chains.values() for at in chain.links.upto.values()}
    upto = min([upto, *(at for at in closed if at >= first)])
    with Spill(layout) as spill:
        db = parquet.connect(spill)
        db.execute(f"CREATE TABLE fixes({_declared(TYPES)}, day VARCHAR)")
        db.execute(f"CREATE TABLE events({_declared(EVENT_TYPES)}, day VARCHAR)")
        db.execute(f"CREATE TABLE access({_declared(ACCESS_TYPES)}, day VARCHAR)")
        last = first - 1
        for batches in _chunks(context, first, upto, before):
            last = min(batches[-1].last, upto)
            _insert(context, db, batches, first, upto)
            if last - first >= RUN_RECORDS:
                break
        if last >= first:
            with new_run(layout, first, last) as folder:
                for kind, order in SORTED.items():
                    for (day,) in db.execute(f"SELECT DISTINCT day FROM {kind} ORDER BY day").fetchall():
                        query = f"SELECT * EXCLUDE day FROM {kind} WHERE day = '{day}' ORDER BY {order}"
                        parquet.write(db, query, folder / f"{kind}.{day}.parquet")
        db.close()
    return last


def _chunks(context: Context, first: int, upto: int, before: int) -> Iterable[list[Batch]]:
    """The journal's batches from ``first`` on, until one was received in the hour that is not over."""
    while first <= upto and (read := context.journal.read(first, CHUNK_RECORDS, last=upto)):
        # What was received after now was so by a clock that has been set back since: it will never be earlier.
        batches = [batch for batch in read if batch.received < before or batch.received > context.now]
        if len(batches) < len(read):
            whole = next(i for i, batch in enumerate(read) if before <= batch.received <= context.now)
            batches = read[:whole]
        if batches:
            yield batches
        if len(batches) < len(read):
            return
        first = read[-1].last + 1


def _insert(context: Context, db: duckdb.DuckDBPyConnection, batches: list[Batch], first: int, upto: int) -> None:
    reports, events, numbers, looks = [], [], [], []
    for batch in batches:
        for number, record in enumerate(batch.records, batch.first):
            if not first <= number <= upto:
                continue
            if record[0] == REPORT:
                reports.append(record)
            elif is_access(record):
                looks.append((number, record))
            elif record[0] in (ENTITY, EVENT):
                events.append(record)
                numbers.append(number)
    day_of = context.archive.days.day_of
    if reports:
        columns = columns_of(reports)
        columns["day"] = _days(columns["moment"], day_of)
        _into(db, FIXES, TYPES, columns)
    if events:
        columns = event_columns_of(numbers, events)
        columns["day"] = _days(columns["server_time"], day_of)
        _into(db, EVENTS, EVENT_TYPES, columns)
    if looks:
        columns = access_columns_of(looks)
        columns["day"] = _days(columns["server_time"], day_of)
        _into(db, ACCESS, ACCESS_TYPES, columns)


def _into(db: duckdb.DuckDBPyConnection, kind: str, types: Mapping[str, str], columns: dict[str, Any]) -> None:
    db.register("chunk", columns)
    db.execute(f"INSERT INTO {kind} SELECT {selected(types)}, day FROM chunk")
    db.unregister("chunk")


def _days(moments: Any, day_of: Callable[[int], str]) -> Any:
    """The city day of each moment. Almost all of a chunk are of the same hour."""
    moments = moments.clip(0, LATEST)  # what no clock says has a day all the same
    hours = moments // HOUR
    # Zones are ahead of UTC by whole quarters of an hour; a day begins within an hour only where a zone says so.
    found = {hour: (day_of(hour * HOUR), day_of(hour * HOUR + HOUR - 1)) for hour in set(hours.tolist())}
    days = moments.astype(object)
    for i, (hour, moment) in enumerate(zip(hours.tolist(), moments.tolist(), strict=True)):
        early, late = found[hour]
        days[i] = early if early == late else day_of(moment)
    return days


def merge(context: Context, arguments: Arguments) -> Result:
    """Make one run of those that were sealed since the last merging, so that a day is read from few files; and one of
    what is left of many older ones, when their days were closed and a clock that is ahead has put points into days to
    come. Raises :class:`JobIncomplete` when that failed for some of them.
    """
    layout = context.layout
    tidy(layout)
    context.archive.refresh()
    merged, failures = 0, []
    for fresh, limit in ((True, MERGE_BYTES), (False, FOLD_BYTES)):
        for runs in _groups([_Weighed.of(run, context) for run in layout.runs()], fresh, limit):
            context.tell({"merging": len(runs)})
            try:
                _merge(context, runs)
                merged += len(runs)
            except duckdb.Error as error:
                failures.append(f"{runs[0].first}-{runs[-1].last}: {error}")
    tidy(layout)
    if failures:
        raise JobIncomplete(failures)
    return {"runs": merged}


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A run with the bytes of its parts that count, and the record up to which a day of one of them has been closed."""

    run: Run
    merged: bool
    size: int
    closed: int

    @classmethod
    def of(cls, run: Run, context: Context) -> _Weighed:
        parts = [(path, upto) for kind in SORTED for path, upto in _counting(context, run, kind).values()]
        size = sum(path.stat().st_size for path, _ in parts)
        return cls(run, (run.path / MERGED).exists(), size, max((upto for _, upto in parts), default=0))


def _groups(runs: Sequence[_Weighed], fresh: bool, limit: int) -> list[list[Run]]:
    """Neighbours that are to become one: ``fresh`` ones, or enough old ones that are small.

    A part counts by the first record of its run. So a run does not join one from before a closing of its own days.
    """
    group: list[_Weighed] = []
    groups = [group]
    for one in runs:
        skipped = fresh and one.merged
        if skipped or (
            group and (one.closed >= group[0].run.first or sum(each.size for each in group) + one.size > limit)
        ):
            group = []
            groups.append(group)
        if not skipped:
            group.append(one)
    least = 1 if fresh else FOLD_RUNS
    return [[each.run for each in group] for group in groups if len(group) >= least]


def _counting(context: Context, run: Run, kind: str) -> dict[str, tuple[Path, int]]:
    """The run's parts of a class that no closing has taken in, by day, with the record up to which it was closed."""
    closed = context.archive.chains[kind].links.upto
    return {
        day: (path, closed.get(day, 0)) for day, path in run.parts(kind).items() if run.first > closed.get(day, 0)
    }  # fmt: skip


def _merge(context: Context, runs: Sequence[Run]) -> None:
    if len(runs) == 1:
        (runs[0].path / MERGED).touch()
        return
    layout = context.layout
    with Spill(layout) as spill, new_run(layout, runs[0].first, runs[-1].last) as folder:
        db = parquet.connect(spill)
        for kind, order in SORTED.items():
            days: dict[str, list[Path]] = {}
            for run in runs:
                for day, (path, _) in _counting(context, run, kind).items():
                    days.setdefault(day, []).append(path)
            for day, paths in sorted(days.items()):
                context.tell({"merging": len(runs), "day": day})
                source = parquet.table(paths)
                parquet.write(db, f"SELECT * FROM {source} ORDER BY {order}", folder / f"{kind}.{day}.parquet")
        (folder / MERGED).touch()
        db.close()


@contextmanager
def new_run(layout: Layout, first: int, last: int) -> Iterator[Path]:
    """A folder to fill; it becomes the run when the block is left, all of it on disk, or goes away if that fails."""
    path = layout.run(first, last)
    new = path.with_name(path.name + ".new")
    new.mkdir()
    try:
        yield new
        for file in new.iterdir():
            sync_file(file)
        sync_names(new)
        new.replace(path)
    except BaseException:
        shutil.rmtree(new)
        raise
    sync_names(path.parent)


class Spill:
    """A folder for what does not fit into memory, gone afterwards."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.open / "spill"

    def __enter__(self) -> Path:
        self._path.mkdir(exist_ok=True)
        return self._path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


def _declared(types: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in types.items())
