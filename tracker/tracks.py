"""Where a unit has been: one reader over the hot tracks and the journal, each point once, in fix-time order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from storage.bridge import as_future
from storage.client import HOT_SECONDS, Unavailable
from storage.journal import Journal
from storage.journal_files import Batch
from tracker.admission import EARLIEST, LATEST
from tracker.applier import HOUR, Applier
from tracker.areas import AreaIndex
from tracker.model import Doubt, Mark
from tracker.pipeline import judge
from tracker.record import REPORT, ReportRecord, unpack_track
from tracker.store import LiveStore

RECORDS_LIMIT = 500_000
"""Records that one question may bring together: a month at one fix in five seconds, some 200 MB for a moment."""
READ_RECORDS = 20_000
AHEAD_HOURS = 31 * 24
"""Hours ahead of now that the store is asked for: a question may have no end, and each hour is a key."""


class TooMuch(Exception):
    """The span holds more records than :data:`RECORDS_LIMIT`; ask for a shorter one."""


class Tracks:
    """Reads tracks. Runs on asyncio's side."""

    def __init__(
        self,
        journal: Journal,
        store: LiveStore,
        applier: Applier,
        areas: Callable[[], AreaIndex],
        reactor: Any,
        pool: ThreadPool,
        wall: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._store = store
        self._applier = applier
        self._areas = areas
        self._reactor = reactor
        self._pool = pool
        self._wall = wall

    async def read(self, unit: str, start: int, end: int) -> list[tuple[ReportRecord, int, str | None]]:
        """The points of a unit with ``start <= fix time <= end`` (ms): record, doubts, responsibility grid.

        Raises :class:`TooMuch`.
        """
        start, end = max(start, EARLIEST), min(end, LATEST)
        records = await self._records(unit, start, end)
        areas = self._areas()

        def final() -> list[tuple[ReportRecord, int, str | None]]:
            inside = (r for r in records if r.fix_time is not None and start <= r.fix_time <= end)
            return judge(inside, areas)

        # A day at one fix in five seconds takes 150 ms: in a thread nobody else waits for it.
        return await as_future(deferToThreadPool(self._reactor, self._pool, final))

    async def _records(self, unit: str, start: int, end: int) -> list[ReportRecord]:
        hot_from = self._wall() // HOUR - HOT_SECONDS // 3600 + 1
        last_hour = min(end // HOUR, self._wall() // HOUR + AHEAD_HOURS)
        hours = range(max(start // HOUR, hot_from), last_hour + 1)
        records: list[ReportRecord] = []
        try:
            # What is missing first: a point that gets there meanwhile is then found twice, and not at no place.
            stored = self._applier.stored
            missing = await self._store.holes()
            parts = await self._store.track(unit, hours)
        except Unavailable:
            missing, parts = [(1, self._journal.last)], []
        else:
            if stored < self._journal.last:
                missing.append((stored + 1, self._journal.last))
            if start // HOUR < hot_from:
                missing = [(1, self._journal.last)]
        for part in parts:
            records += unpack_track(part)
        for first, last in missing:
            records += await self._from_journal(unit, start, end, first, last)
        return records

    async def _from_journal(self, unit: str, start: int, end: int, first: int, last: int) -> list[ReportRecord]:
        def read() -> list[ReportRecord]:
            found = []
            for record in _matching(self._batches(start, first, last), unit, start, end, first, last):
                found.append(record)
                if len(found) > RECORDS_LIMIT:
                    raise TooMuch
            return found

        return await as_future(deferToThreadPool(self._reactor, self._pool, read))

    def _batches(self, start: int, first: int, last: int) -> Iterator[Batch]:
        """In a thread. Nothing is received before it was fixed, but for clocks that are ahead by minutes."""
        if first == 1:
            # What a clock that is ahead by more than a day sends is kept in the file, but not looked for here.
            yield from self._journal.scan(start - 86_400_000, self._wall() + 1000)
            return
        while first <= last and (batches := self._journal.read(first, READ_RECORDS)):
            yield from batches
            first = batches[-1].last + 1


def _matching(
    batches: Iterator[Batch], unit: str, start: int, end: int, first: int, last: int
) -> Iterator[ReportRecord]:
    for batch in batches:
        for number, record in enumerate(batch.records, batch.first):
            if (
                record[0] == REPORT
                and record[2] == unit
                and first <= number <= last
                and record[6] is not None
                and start <= record[6] <= end
            ):
                yield ReportRecord._make(record)


def view(record: ReportRecord, doubts: int, grid: str | None) -> dict[str, Any]:
    """A point as the API shows it: degrees, metres, m/s, ms."""
    assert record.latitude is not None
    assert record.longitude is not None
    point: dict[str, Any] = {
        "fix_time": record.fix_time,
        "device_time": record.device_time,
        "server_time": record.server_time,
        "lat": record.latitude / 1e7,
        "lon": record.longitude / 1e7,
        "altitude": record.altitude,
        "speed": None if record.speed is None else record.speed / 100,
        "course": record.course,
        "accuracy": None if record.accuracy is None else record.accuracy / 10,
        "alarm": record.alarm,
        "status": record.status,
        "device": record.device,
        "grid": grid,
        "flags": [mark.name.lower() for mark in Mark if record.marks & mark and mark.name]
        + [doubt.name.lower() for doubt in Doubt if doubts & doubt and doubt.name],
    }
    if record.original is not None:
        point["original"] = [record.original[0] / 1e7, record.original[1] / 1e7]
    return point
