"""From committed batches to live state: the one loop that runs the pipeline and writes to the store.

It takes batches as the journal commits them and, whenever it has fallen behind or lost its place, reads
them from the journal. Start-up, a killed store, FLUSHALL and a failover are one path, :meth:`Applier._resync`:
ask the store what it has, and go on from there. While the store is away the pipeline stands still, so the
memory used is one update and a bounded queue; the devices do not notice, their journal goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from storage.bridge import as_future, end_if_cancelled
from storage.client import AHEAD_SECONDS, HOT_SECONDS, Unavailable, refuses_writes
from storage.journal import Journal
from storage.journal_files import Batch
from tracker.model import UnitId
from tracker.pipeline import STATE_FORMAT, Pipeline, UnitState
from tracker.record import ENTITY, PRIVATE, REPORT, ReportRecord
from tracker.store import LiveStore, Nowhere, Place, Update

STEP_RECORDS = 500
"""Records applied at a time: about 4 ms of work, so that nothing else waits longer."""
QUEUE_RECORDS = 50_000
"""Records kept in memory while the store is slow or away; the rest is in the journal anyway."""
FILL_BEHIND = 20_000
"""Records that the map may be behind while tracks are filled: where everybody is comes before where he was."""
IDLE_CHECK = 2.0
"""Seconds without a report after which the store is asked whether it still has everything."""
GATHER = 0.02
"""Seconds for which batches are gathered into one call."""
HOUR = 3_600_000


class OutOfStep(Exception):
    """The store answered that it stands somewhere else than we thought."""


@dataclass(frozen=True, slots=True)
class _Leaving:
    """A unit that is to go when record ``upto`` has been applied."""

    unit: UnitId
    entities: Sequence[tuple[str, str]]
    upto: int
    done: Callable[[], object]


@dataclass(eq=False, slots=True)
class _Amending:
    """A unit that is to have been nowhere at some time, when record ``upto`` has been applied. ``before``: its tracks
    as they were when that was begun; ``gone``: how many points went so far."""

    unit: UnitId
    stays: Callable[[ReportRecord], bool]
    taints: Callable[[UnitState], bool]
    upto: int
    done: Callable[[int], object]
    before: list[bytes] | None = None
    gone: int = 0


class Applier:
    """Runs from :meth:`run` until that task is cancelled. ``wall`` gives ms since 1970; ``kept``, in a thread, states
    to begin with where the store has none that we can use, and the last record that is in them."""

    def __init__(
        self,
        journal: Journal,
        pipeline: Pipeline,
        store: LiveStore,
        reactor: Any,
        pool: ThreadPool,
        wall: Callable[[], int],
        entities: Callable[[], list[tuple[str, str, bytes]]],
        *,
        queue_records: int = QUEUE_RECORDS,
        kept: Callable[[], tuple[int, list[UnitState]]] = lambda: (0, []),
    ) -> None:
        self._journal = journal
        self.pipeline = pipeline
        self._store = store
        self._reactor = reactor
        self._pool = pool
        self._wall = wall
        self._entities = entities
        self._kept = kept
        self._queue: deque[Batch] = deque()
        self._queued = 0
        self._queue_records = queue_records
        self._wake = asyncio.Event()
        # The store is ours if it was fed from this journal, and by a version that packs states as we do.
        self.name = f"{journal.id}:{STATE_FORMAT}"
        """What the store calls whatever it was fed by us."""
        self._pending: Update | None = None
        self._started = False
        self.applied = 0
        """The last record that the pipeline has taken."""
        self.stored = 0
        """The last record that the store has confirmed."""
        self.problem = "starting"
        """Why the store is not written to, in words; empty while all is well."""
        self.resyncs = 0
        self._leaving: list[_Leaving] = []
        self._amending: list[_Amending] = []
        self.misjudged = 0
        """Records that the pipeline could not take; they stay in the journal."""
        self._oldest: int | None = None
        self._packer = msgpack.Packer(use_bin_type=True, autoreset=True)
        self._log = Logger(namespace="gridbeat.applier")
        journal.listen(self.committed)

    def committed(self, batch: Batch) -> None:
        """A batch is on disk: remember it if there is room, else it will be read."""
        if self._oldest is None:
            self._oldest = batch.received
        if self._queued + len(batch.records) <= self._queue_records:
            self._queue.append(batch)
            self._queued += len(batch.records)
        self._wake.set()

    def forget(self, unit: UnitId, entities: Sequence[tuple[str, str]], upto: int, done: Callable[[], object]) -> None:
        """Take a unit out of live state, with these entities (type, id), when record ``upto``, the last that may be
        about it, has been applied. ``done`` is called when the store holds nothing of it."""
        self._leaving.append(_Leaving(unit, entities, upto, done))
        self._wake.set()

    def amend(
        self,
        unit: UnitId,
        stays: Callable[[ReportRecord], bool],
        taints: Callable[[UnitState], bool],
        upto: int,
        done: Callable[[int], object],
    ) -> None:
        """Take out of live state all of a unit that does not stay, when record ``upto``, the last that may be of that
        kind, has been applied; what is known of the unit, if that ``taints`` it, is then what the rest says. ``done``
        is told how many points went."""
        self._amending.append(_Amending(unit, stays, taints, upto, done))
        self._wake.set()

    def behind(self, now: int) -> int:
        """How old the oldest committed record is that the store does not have yet, ms; 0 when it has all."""
        return 0 if self._oldest is None else max(0, now - self._oldest)

    async def run(self) -> None:
        """Keep the store in step, for ever."""
        pause = 0.1
        while True:
            end_if_cancelled()
            try:
                await self._resync()
                self.problem, pause = "", 0.1
                while True:
                    end_if_cancelled()
                    await self._step()
            except OutOfStep:
                self.problem = "the store lost data; writing it anew"
                await asyncio.sleep(0.05)  # another server over the same store would else be a race without a pause
            except Unavailable as error:
                if not self.problem:
                    self._log.warn("the store is away: {reason}", reason=type(error).__name__)
                if refuses_writes(error):
                    self.problem = "the store takes no writes: its disk is full, or it has no memory left"
                else:
                    self.problem = f"the store does not answer ({type(error).__name__})"
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
            except Exception:
                # Ours to mend; the devices' reports are safe in the journal meanwhile, and /healthz says it.
                self._log.failure("the applier failed")
                self.problem = "internal error in the applier; see the log"
                await asyncio.sleep(pause)
                pause = min(pause * 2, 30.0)

    # -- one step

    async def _step(self) -> None:
        for leaving in [one for one in self._leaving if one.upto <= self.applied]:
            self.pipeline.forget(leaving.unit)
            # As after a restore: whoever holds what was published loads everything anew.
            message = self._packer.pack([self.name, 0, self.applied, []])
            await self._store.forget(leaving.unit, leaving.entities, message)
            self._leaving.remove(leaving)
            leaving.done()
        for amending in [one for one in self._amending if one.upto <= self.applied]:
            gone = await self._amend(amending)
            self._amending.remove(amending)
            amending.done(gone)
        last = self._journal.last
        batches = await self._take()
        if batches:
            await self._send(self._build(batches))
        elif self.applied < last:
            # The journal no longer has what there was up to here.
            update = Update(self.applied + 1, last)
            update.message = self._packer.pack([self.name, update.first, last, []])
            self.applied = last
            await self._send(update)
        elif self.applied >= self._journal.last:
            self._oldest = None
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), IDLE_CHECK)
            except TimeoutError:
                # Nobody reports anything: a store that was emptied meanwhile would go unnoticed.
                if await self._store.head() != (self.name, self.applied):
                    raise OutOfStep from None
            else:
                await asyncio.sleep(GATHER)

    async def _amend(self, amending: _Amending) -> int:
        """The tracks of the last days hold what the unit's state is made of; what it walked then is counted anew."""
        unit, pipeline = amending.unit, self.pipeline
        oldest, newest = self._hot_hours()
        hours = range(oldest, newest + 1)
        again = amending.before is not None  # the store went away in the middle: some of it is done
        before = amending.before = amending.before or await self._store.track(unit, hours)
        state = pipeline.states.get(unit)
        amending.gone += await self._store.thin(unit, hours, amending.stays)
        if state is not None and (again or amending.gone or amending.taints(state)):
            rebuilt = pipeline.rebuilt(state, before, await self._store.track(unit, hours))
            update = Update(self.applied + 1, self.applied)
            self._put_states(update, [rebuilt])
            places: list[Place | Nowhere] = [*update.places] if update.places else [("", "", unit)]
            message = self._packer.pack([self.name, 0, self.applied, []])
            await self._store.amend(update.live, places, message)
            pipeline.states[unit] = rebuilt
        return amending.gone

    async def _take(self) -> Sequence[Batch]:
        """The next batches in journal order, from memory or from disk; empty when there are none."""
        queue = self._queue
        while queue and queue[0].last <= self.applied:
            self._queued -= len(queue.popleft().records)
        if not queue or queue[0].first > self.applied + 1:
            if self.applied >= self._journal.last:
                return ()
            read = self._journal.read
            batches = await as_future(
                deferToThreadPool(self._reactor, self._pool, read, self.applied + 1, 4 * STEP_RECORDS)
            )
            while queue and batches and queue[0].first <= batches[-1].last:
                self._queued -= len(queue.popleft().records)  # it has been read too
            queue.extendleft(reversed(batches))
            self._queued += sum(len(batch.records) for batch in batches)
        taken: list[Batch] = []
        # What was just read may begin beyond our place: the journal no longer has what was before it.
        count, following = 0, queue[0].first if queue else 0
        # What did not fit is missing in the middle, not only at the end: no further than to there.
        while queue and count < STEP_RECORDS and queue[0].first <= following:
            batch = queue.popleft()
            taken.append(batch)
            count += len(batch.records)
            following = batch.last + 1
        self._queued -= count
        return taken

    def _build(self, batches: Sequence[Batch]) -> Update:
        """Run the pipeline over the batches; what that changes."""
        update = Update(self.applied + 1, batches[-1].last)
        changed: set[str] = set()
        tracks: dict[tuple[str, int], list[bytes]] = {}
        oldest_hour, newest_hour = self._hot_hours()
        take, pack = self.pipeline.take, self._packer.pack
        for batch in batches:
            packed = batch.packed
            skip = self.applied + 1 - batch.first  # a batch read from disk may begin before our place
            for i, record in enumerate(batch.records):
                if i < skip:
                    continue
                if record[0] == REPORT:
                    changed.add(record[2])
                    try:
                        fresh = take(record)
                    except Exception:
                        # One record that we cannot judge must not keep all that follow from the map.
                        self._log.failure("a record could not be judged", number=batch.first + i)
                        self.misjudged += 1
                        continue
                    if fresh:
                        fix_time = record[6]
                        hour = (record[4] if fix_time is None else fix_time) // HOUR
                        if oldest_hour <= hour <= newest_hour:
                            bytes_ = packed[i] if packed is not None else pack(record)
                            key = (record[2], hour)
                            if key in tracks:
                                tracks[key].append(bytes_)
                            else:
                                tracks[key] = [bytes_]
                elif record[0] == ENTITY:
                    _, _, kind, identity, fields = record
                    if kind not in PRIVATE:
                        update.entities.append((kind, identity, b"" if fields is None else self._packer.pack(fields)))
        update.tracks = {key: b"".join(parts) for key, parts in tracks.items()}
        states = self.pipeline.states
        self._put_states(update, [states[unit] for unit in changed if unit in states])  # type: ignore[index]
        update.message = self._packer.pack([self.name, update.first, update.last, list(update.live.values())])
        self.applied = update.last
        return update

    def _hot_hours(self) -> tuple[int, int]:
        """The first and the last hour that tracks are stored of."""
        now = self._wall()
        return (now - HOT_SECONDS * 1000) // HOUR, (now + AHEAD_SECONDS * 1000) // HOUR

    def _put_states(self, update: Update, states: Sequence[UnitState]) -> None:
        for state in states:
            update.live[state.unit] = state.pack()
            if state.latitude is not None and state.longitude is not None and abs(state.latitude) <= 850_511_287:
                # Redis keeps no place beyond the web map's latitudes.
                update.places.append((state.longitude / 1e7, state.latitude / 1e7, state.unit))

    async def _send(self, update: Update) -> None:
        self._pending = update
        stored = await self._store.apply(self.name, update)
        if stored != update.last:
            raise OutOfStep
        self._confirmed(update)

    def _confirmed(self, update: Update) -> None:
        self._pending = None
        self.stored = update.last
        self._oldest = (
            self._queue[0].received if self._queue else (None if self.applied >= self._journal.last else self._oldest)
        )

    # -- finding the place

    async def _resync(self) -> None:
        """Ask the store what it has, and go on from there."""
        self.resyncs += 1
        journal, stored = await self._store.head()
        ours = journal == self.name
        if not self._started:
            await self._start(ours, stored)
        elif ours and stored == self.applied:
            self._pending = None
        elif ours and self._pending is not None and stored == self._pending.first - 1:
            await self._send(self._pending)
        else:
            await self._restore(stored if ours else 0)
        self.stored = self.applied

    async def _start(self, ours: bool, stored: int) -> None:
        if ours and 0 < stored <= self._journal.last:
            self.pipeline.load(await self._store.load())
            self.applied = stored
        else:
            if journal_is_behind(ours, stored, self._journal.last):
                self._log.error(
                    "the store is ahead of the journal: the journal counts", stored=stored, journal=self._journal.last
                )
            last, states = await as_future(deferToThreadPool(self._reactor, self._pool, self._kept))
            if last > self._journal.last:
                last, states = 0, []
            self.pipeline.begin(states)
            self.applied = last
            await self._restore(0)
        await self._remember()
        self._started = True
        if self.applied < self._journal.last:
            self._oldest = self._wall()
            self._log.info("reading the journal", first=self.applied + 1, last=self._journal.last)

    async def _remember(self) -> None:
        """Know the newest points again: what devices repeat as we were gone is not stored twice. About a second."""
        start = first = max(1, self.applied + 1 - self.pipeline.remembered)
        read = self._journal.read
        while first <= self.applied:
            batches = await as_future(deferToThreadPool(self._reactor, self._pool, read, first, 4 * STEP_RECORDS))
            if not batches:
                break
            for batch in batches:
                for number, record in enumerate(batch.records, batch.first):
                    if start <= number <= self.applied and record[0] == REPORT:
                        self.pipeline.remember(record)
            first = batches[-1].last + 1

    async def _restore(self, stored: int) -> None:
        """The store lost what came after ``stored``: write the state that we hold, and leave its points to fill."""
        update = Update(self.applied + 1, self.applied)
        self._put_states(update, list(self.pipeline.states.values()))
        update.entities = self._entities()
        update.message = self._packer.pack([self.name, 0, self.applied, []])
        # Tracks are kept for so long; what came before is not looked for. They go by whole hours, and a device's clock
        # may be a little ahead of ours.
        hot = self._wall() - HOT_SECONDS * 1000 - 2 * HOUR
        since = await as_future(deferToThreadPool(self._reactor, self._pool, self._journal.first_since, hot))
        await self._store.restore(self.name, stored + 1, update, since)
        self._pending = None
        self.stored = self.applied
        self._log.warn("live state written anew", units=len(update.live), stored=stored, applied=self.applied)

    # -- filling the tracks

    async def fill(self) -> None:
        """Close the holes that a restore leaves, a little at a time, for ever."""
        while True:
            end_if_cancelled()
            worked = False
            try:
                if not self.problem and self._journal.last - self.applied <= FILL_BEHIND:
                    for first, last in await self._store.holes():
                        worked = await self._fill_part(first, last) or worked
            except Unavailable:
                pass
            except Exception:
                self._log.failure("the tracks cannot be filled")
            await asyncio.sleep(0.02 if worked else 1.0)

    async def _fill_part(self, first: int, last: int) -> bool:
        read = self._journal.read
        batches = await as_future(deferToThreadPool(self._reactor, self._pool, read, first, 2 * STEP_RECORDS))
        if not batches:
            return await self._store.fill(self.name, Update(first, last))
        oldest_hour, newest_hour = self._hot_hours()
        end = min(batches[-1].last, last)
        tracks: dict[tuple[str, int], bytes] = {}
        for batch in batches:
            for number, record in enumerate(batch.records, batch.first):
                if first <= number <= end and record[0] == REPORT:
                    hour = (record[4] if record[6] is None else record[6]) // HOUR
                    if oldest_hour <= hour <= newest_hour:
                        key = (record[2], hour)
                        tracks[key] = tracks.get(key, b"") + self._packer.pack(record)
        return await self._store.fill(self.name, Update(first, end, tracks=tracks))


def journal_is_behind(ours: bool, stored: int, last: int) -> bool:
    """A store that has records which the journal does not: the journal was lost or replaced by an older one."""
    return ours and stored > last
