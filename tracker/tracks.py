"""Where a unit has been: one reader over hot tracks, archive and journal, each point once, in fix-time order.

What is recent comes from the hot tracks, what is older from the archive's files, and what is not sealed yet from the
journal, by :mod:`tracker.tail`. Where hot tracks have a hole, or the store is away, the archive and the journal have
everything. Records are asked for in the direction in which they move: those of the journal are looked up first, the
archive is listed last, so that a point is found twice on its way and not at no place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from protocols.report import ALARM_SOS
from storage.archive.archive import Archive
from storage.archive.reader import Columns, Reader, TooLarge
from storage.bridge import as_future
from storage.client import HOT_SECONDS, Unavailable
from storage.journal import Journal
from tracker.admission import EARLIEST, LATEST
from tracker.applier import HOUR, Applier
from tracker.archive_nearby import ArchiveNearby, Found, columns_of_points, is_doubted
from tracker.archive_tracks import ALL, ArchiveTracks, Lost, TooMuch, Wish
from tracker.areas import AreaIndex
from tracker.bindings import Label
from tracker.model import DISBELIEVED, Doubt, Mark, UnitId
from tracker.nearby import Circle
from tracker.pipeline import judge, lead_in
from tracker.record import REPORT, ReportRecord, unpack_track
from tracker.store import LiveStore
from tracker.tail import Tail, spans

RECORDS_LIMIT = 500_000
"""Records that one question may bring together: a month at one fix in five seconds, some 200 MB for a moment."""
READ_RECORDS = 20_000
NOTE_RECORDS = 5000
"""Records noted by the tail at a time while it catches up: 3 ms of everybody's time."""
TAIL_SECONDS = 5.0
LOOK_MS = 60_000
"""What the disk said longer ago is asked again before an answer is built on it."""
HOT_HOURS = HOT_SECONDS // 3600 - 1
"""Hours back of which the store is asked: a key goes two days after its hour began, and a question takes a moment."""
_DISBELIEVED = int(DISBELIEVED)


def as_stored(unit: UnitId, start: int, end: int) -> tuple[frozenset[UnitId], Label | None]:
    """Every point is of the unit that it was stored for."""
    return frozenset(), None


T = TypeVar("T")
Judged = tuple[ReportRecord, int, str | None]
"""A point as history has it: record, doubts, responsibility grid."""
Range = tuple[int, int]
"""Records of the journal, both included."""


@dataclass(frozen=True, slots=True)
class Track:
    """A unit's points; ``unreadable`` are the city days of which something is missing, because a file is damaged."""

    points: list[Judged]
    unreadable: list[str]


@dataclass(slots=True)
class _Plan:
    """What a question has to read: packed records, ranges of the journal, and what of the archive."""

    unit: str
    start: int
    end: int
    packed: list[bytes]
    ranges: list[Range]
    wishes: list[Wish]


class Tracks:
    """Reads tracks. Runs on asyncio's side."""

    def __init__(
        self,
        journal: Journal,
        store: LiveStore,
        applier: Applier,
        areas: Callable[[], AreaIndex],
        archive: Archive,
        reader: Reader,
        reactor: Any,
        pool: ThreadPool,
        wall: Callable[[], int],
        relabelled: Callable[[UnitId, int, int], tuple[frozenset[UnitId], Label | None]] = as_stored,
    ) -> None:
        """``relabelled``: whose points of a span may be a unit's by now, and how to tell (tracker/bindings.py)."""
        self._relabelled = relabelled
        self._journal = journal
        self._store = store
        self._applier = applier
        self._areas = areas
        self._days = archive.days
        self.archive = ArchiveTracks(archive, reader)
        self.tail = Tail()
        self._reactor = reactor
        self._pool = pool
        self._wall = wall
        self._log = Logger(namespace="gridbeat.tracks")
        self._looked = 0
        self._early = 0
        """What the journal received before this record may be of hot hours only by clocks that are days ahead, and
        such points are not stored with the hot tracks."""
        journal.listen(self.tail.take)

    async def run(self) -> None:
        """Keep note of what is not sealed yet, for ever."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            pause = TAIL_SECONDS
            try:
                await self._in_thread(self.archive.reader.open)
                await self.catch_up()
            except Exception:
                # Questions go on: what is not noted is read from the journal itself.
                self._log.failure("the tail cannot be kept")

    async def catch_up(self) -> None:
        """Bring the tail to where archive and journal are."""
        await self._look()
        tail, journal = self.tail, self._journal
        while not tail.full and tail.last < journal.last:
            last = journal.last
            batches = await self._in_thread(partial(journal.read, tail.last + 1, NOTE_RECORDS))
            for batch in batches:
                tail.passed(batch.first - 1)
                tail.take(batch)
            if not batches:
                tail.passed(last)

    async def _look(self) -> None:
        """Ask the disk how far the archive is."""
        now = self._wall()
        sealed, early = await self._in_thread(
            lambda: (self.archive.archive.sealed, self._journal.first_since(now - HOT_SECONDS * 1000))
        )
        if self.tail.last < 0:
            self.tail.begin(sealed)
        self.tail.drop(sealed)
        self._early, self._looked = early, now

    async def _look_if_stale(self) -> None:
        if abs(self._wall() - self._looked) > LOOK_MS:
            await self._look()

    async def read(self, unit: str, start: int, end: int, *, most: int = RECORDS_LIMIT) -> Track:
        """The points of a unit with ``start <= fix time <= end`` (ms). Beyond ``most`` it may stop with any day.

        Raises :class:`TooMuch`.
        """
        start, end = max(start, EARLIEST), min(end, LATEST)
        if start > end:
            return Track([], [])
        await self._look_if_stale()
        first = max(lead_in(start), self._days.span(self._days.day_of(start))[0])
        others, label = self._relabelled(UnitId(unit), first, end)
        plans = [await self._plan(each, first, end) for each in (unit, *sorted(others))]
        areas = self._areas()
        # A day at one fix in five seconds takes 150 ms: in a thread nobody else waits for it.
        return await self._in_thread(lambda: self._read(plans, label, start, areas, most))

    async def nearby(self, circle: Circle, start: int, end: int) -> Found:
        """The units with a fix in the circle at ``start <= fix time <= end`` (ms).

        Raises :class:`TooMuch` when that is too much to look at in one go.
        """
        await self._look_if_stale()
        sealed, noted, last = self.tail.sealed, self.tail.last, self._journal.last
        units, blocks = self.tail.units, self.tail.points()

        def fresh() -> Iterator[Columns]:
            for block in blocks:
                mask = (block.number > sealed) & (block.fix_time >= start) & (block.fix_time <= end)
                near = block.where(mask & circle.within(block.latitude, block.longitude))
                yield {
                    "unit": np.array([units[code] for code in near.unit], dtype=object),
                    "fix_time": near.fix_time,
                    "latitude": near.latitude,
                    "longitude": near.longitude,
                    "doubted": near.doubted,
                }
            south, _, north, _ = circle.boxes()[0]
            found = []
            for record in self._reports(noted + 1, last):
                if start <= (record[6] or 0) <= end and south <= record[7] <= north:
                    found.append((record[2], record[6], record[7], record[8], is_doubted(record)))
                    if len(found) > RECORDS_LIMIT:
                        raise TooMuch
            columns = columns_of_points(found)
            if columns is not None:
                yield columns

        def work() -> Found:
            try:
                return ArchiveNearby(self.archive).find(circle, start, end, list(fresh()))
            except TooLarge:
                raise TooMuch from None

        return await self._in_thread(work)

    # -- what to read

    async def _plan(self, unit: str, start: int, end: int) -> _Plan:
        now_hour = self._wall() // HOUR
        hours = range(max(start // HOUR, now_hour - HOT_HOURS + 1), min(end // HOUR, now_hour + 1) + 1)
        if hours:
            try:
                plan = await self._hot(unit, start, end, hours)
            except Unavailable:
                plan = None
            if plan is not None:
                return plan
        return self._cold(_Plan(unit, start, end, [], [], [(start, end, ALL)]))

    async def _hot(self, unit: str, start: int, end: int, hours: range) -> _Plan | None:
        """With these hours from the store. None where it lacks something that is sealed already."""
        stored = self._applier.stored
        # What is missing first: a point that gets there meanwhile is then found twice, and not at no place.
        holes = await self._store.holes()
        missing = [*holes, (stored + 1, self._journal.last)] if stored < self._journal.last else holes
        if any(first <= self.tail.sealed for first, _ in missing):
            return None
        begin, close = max(start, hours[0] * HOUR), min(end, (hours[-1] + 1) * HOUR - 1)
        wishes = [(start, begin - 1, ALL), (begin, close, self._early), (close + 1, end, ALL)]
        plan = self._cold(_Plan(unit, start, end, [], [], [wish for wish in wishes if wish[0] <= wish[1] and wish[2]]))
        for first, last in missing:
            plan.ranges += self._noted(unit, begin, close, first, last)
        plan.packed = await self._store.track(unit, hours)
        # A store that was emptied meanwhile, or of which nobody has noticed it yet, is not what we take it for.
        emptied = any(not any(a <= first and last <= b for a, b in holes) for first, last in await self._store.holes())
        whose, upto = await self._store.place()
        return None if emptied or whose != self._applier.name or upto < stored else plan

    def _cold(self, plan: _Plan) -> _Plan:
        """With the ranges of the journal that hold what the archive may lack of its wishes."""
        for start, end, before in plan.wishes:
            last = min(self._journal.last, before - 1)
            plan.ranges += self._noted(plan.unit, start, end, self.tail.sealed + 1, last)
        return plan

    def _noted(self, unit: str, start: int, end: int, first: int, last: int) -> list[Range]:
        """Where in these records of the journal the unit's points of a span are, as far as that is noted."""
        numbers = [number for number in self.tail.find(unit, start, end) if first <= number <= last]
        beyond = max(first, self.tail.last + 1)  # not noted yet
        return [*spans(numbers), *([(beyond, last)] if beyond <= last else [])]

    # -- in a thread

    def _read(self, plans: list[_Plan], label: Label | None, start: int, areas: AreaIndex, most: int) -> Track:
        """``plans``: the unit's own first; of all that they bring together, what ``label`` says is the unit's."""
        fresh: dict[str, list[ReportRecord]] = {}
        count = 0
        for record in chain.from_iterable(map(self._fresh, plans)):
            fresh.setdefault(self._days.day_of(record.fix_time or 0), []).append(record)
            count += 1
            if count > RECORDS_LIMIT:
                raise TooMuch

        def work(lost: Lost) -> Track:
            return self._judged(plans, label, fresh, count, start, areas, most, lost)

        return self.archive.retrying(work)

    def _fresh(self, plan: _Plan) -> Iterator[ReportRecord]:
        """What comes from the store and from the journal."""
        for part in plan.packed:
            for record in unpack_track(part):
                if record.latitude is not None and plan.start <= (record.fix_time or 0) <= plan.end:
                    yield record
        for first, last in plan.ranges:
            for found in self._reports(first, last):
                if found[2] == plan.unit and plan.start <= found[6] <= plan.end:
                    yield ReportRecord._make(found)

    def _reports(self, first: int, last: int) -> Iterator[tuple[Any, ...]]:
        """The located reports among these records of the journal."""
        while first <= last and (batches := self._journal.read(first, min(READ_RECORDS, last - first + 1))):
            for batch in batches:
                for number, record in enumerate(batch.records, batch.first):
                    if record[0] == REPORT and first <= number <= last and record[7] is not None:
                        yield record
            first = batches[-1].last + 1

    def _judged(
        self, plans: list[_Plan], label: Label | None, fresh: dict[str, list[ReportRecord]], count: int, start: int,
        areas: AreaIndex, most: int, lost: Lost,
    ) -> Track:  # fmt: skip
        sources = [self.archive.sources(plan.wishes) for plan in plans]
        for plan, files in zip(plans, sources, strict=True):
            self.archive.count(plan.unit, files, lost, RECORDS_LIMIT - count)
        points: list[Judged] = []
        for day in sorted({*fresh}.union(*sources)):
            days = [
                self.archive.day(plan.unit, files.get(day, ()), lost)
                for plan, files in zip(plans, sources, strict=True)
            ]
            count += sum(len(stored.records) + len(stored.others) for stored in days)
            if count > RECORDS_LIMIT:
                raise TooMuch
            new = fresh.get(day, [])
            if label is None and days[0].final and not new:
                points += _after(start, _placed(days[0].records, days[0].doubts, areas))
            else:
                found = [*chain.from_iterable((*stored.records, *stored.others) for stored in days), *new]
                points += _after(start, judge(found if label is None else _labelled(found, label), areas))
            if len(points) > most:
                break
        return Track(points, sorted(lost.days))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await as_future(deferToThreadPool(self._reactor, self._pool, work))


def _labelled(records: Iterable[ReportRecord], label: Label) -> list[ReportRecord]:
    return [one for one in records if label(one.device, one.fix_time or 0, bool(one.alarm & ALARM_SOS), one.unit)]


def _placed(records: Sequence[ReportRecord], doubts: Sequence[int], areas: AreaIndex) -> Iterator[Judged]:
    """Points that were judged when their day was closed."""
    for record, doubt in zip(records, doubts, strict=True):
        assert record.latitude is not None
        assert record.longitude is not None
        yield record, doubt, None if doubt & _DISBELIEVED else areas.locate(record.latitude, record.longitude)[0]


def _after(start: int, points: Iterable[Judged]) -> list[Judged]:
    return [point for point in points if (point[0].fix_time or 0) >= start]


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
        "flags": _names(record.marks, doubts),
    }
    if record.original is not None:
        point["original"] = [record.original[0] / 1e7, record.original[1] / 1e7]
    return point


@lru_cache(maxsize=4096)
def _names(marks: int, doubts: int) -> tuple[str, ...]:
    """Marks and doubts in words. Asked for every point, of which most are alike."""
    flags = [*(mark for mark in Mark if marks & mark), *(doubt for doubt in Doubt if doubts & doubt)]
    return tuple((flag.name or "").lower() for flag in flags)
