"""From the journal to parts: the job ``seal``, and the job ``merge`` that keeps their number small.

A sealing takes the journal's records in order, from where the last one ended to the end of the hour that is over,
and puts them by class and city day into the files of one run. The run appears by one rename, so a child that is
killed leaves nothing that counts, and the next one begins where the last whole run ended.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from storage.archive import parquet
from storage.archive.archive import open_parts, sync_file
from storage.archive.layout import EVENTS, FIXES, MERGED, Layout, Run
from storage.journal_files import Batch, sync_names
from tracker.archive_columns import EVENT_TYPES, TYPES, columns_of, event_columns_of, selected
from tracker.archive_context import Arguments, Context, Result
from tracker.record import ENTITY, EVENT, REPORT

RUN_RECORDS = 2_000_000
"""Records of one run: what a child holds at a time is then some 300 MB, the rest lies in files beside it."""
CHUNK_RECORDS = 20_000
"""Records that are Python objects at a time."""
HOUR = 3_600_000

SORTED = {
    FIXES: "unit, moment, device, latitude, longitude, status, alarm",
    EVENTS: "number",
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
    while True:
        last = _seal_run(context, first, upto, before)
        if last < first:
            return {"runs": runs, "records": first - start, "sealed": first - 1}
        first, runs = last + 1, runs + 1
        context.tell({"sealed": last, "of": upto})


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
    upto = min([upto, *(at for at in closings(context) if at >= first)])
    with Spill(layout) as spill:
        db = parquet.connect(spill)
        db.execute(f"CREATE TABLE fixes({_declared(TYPES)}, day VARCHAR)")
        db.execute(f"CREATE TABLE events({_declared(EVENT_TYPES)}, day VARCHAR)")
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
    reports, events, numbers = [], [], []
    for batch in batches:
        for number, record in enumerate(batch.records, batch.first):
            if not first <= number <= upto:
                continue
            if record[0] == REPORT:
                reports.append(record)
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


def _into(db: duckdb.DuckDBPyConnection, kind: str, types: Mapping[str, str], columns: dict[str, Any]) -> None:
    db.register("chunk", columns)
    db.execute(f"INSERT INTO {kind} SELECT {selected(types)}, day FROM chunk")
    db.unregister("chunk")


def _days(moments: Any, day_of: Callable[[int], str]) -> Any:
    """The city day of each moment. Almost all of a chunk are of the same hour."""
    hours = moments // HOUR
    # Zones are ahead of UTC by whole quarters of an hour; a day begins within an hour only where a zone says so.
    found = {hour: (day_of(hour * HOUR), day_of(hour * HOUR + HOUR - 1)) for hour in set(hours.tolist())}
    days = moments.astype(object)
    for i, (hour, moment) in enumerate(zip(hours.tolist(), moments.tolist(), strict=True)):
        early, late = found[hour]
        days[i] = early if early == late else day_of(moment)
    return days


def merge(context: Context, arguments: Arguments) -> Result:
    """Make one run of those that were sealed since the last merging, so that a day is read from few files.

    Runs before and after a closing are not mixed: a part counts by the first record of its run.
    """
    layout = context.layout
    tidy(layout)
    closed = closings(context)
    merged = 0
    fresh = [run for run in layout.runs() if not _is_merged(run)]
    for _, group in groupby(fresh, key=lambda run: sum(upto < run.first for upto in closed)):
        runs = list(group)
        context.tell({"merging": len(runs)})
        _merge(layout, runs)
        merged += len(runs)
    tidy(layout)
    return {"runs": merged}


def closings(context: Context) -> set[int]:
    """The record numbers up to which days were closed."""
    context.archive.refresh()
    return {entry.upto for chain in context.archive.chains.values() for entry in chain.entries if entry.upto}


def _is_merged(run: Run) -> bool:
    return (run.path / MERGED).exists()


def _merge(layout: Layout, runs: list[Run]) -> None:
    if len(runs) == 1:
        (runs[0].path / MERGED).touch()
        return
    with Spill(layout) as spill, new_run(layout, runs[0].first, runs[-1].last) as folder:
        db = parquet.connect(spill)
        for kind, order in SORTED.items():
            for day, parts in open_parts(runs, kind).items():
                source = parquet.table([path for _, path in parts])
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
