"""The way in, the same for every transport: admission, journal, and the changes of who is who."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock

from protocols.report import Report
from storage.archive import snapshots
from storage.archive.snapshots import Snapshot
from storage.journal import Done, Journal, JournalFull
from tracker.admission import Admitted, admit
from tracker.areas import AreaIndex
from tracker.counters import Counters
from tracker.login_limits import LoginLimits
from tracker.record import ENTITY, EVENT, is_access
from tracker.roster import Carrier, Change, Refusal, Roster, admits
from tracker.telling import tell_all

T = TypeVar("T")

CHANGES_AT_ONCE = 5000
"""Changes in one commit: a city's 100,000 cells are imported in parts, between which reports are committed."""
UNKNOWN_LIMIT = 1000
"""Unknown devices remembered, for an admin to adopt; the oldest are forgotten first."""


class StoreFailed(Exception):
    """The journal could not write. ``written`` changes of a large plan were in already, else none; try again."""

    written = 0


def _nobody(carrier: Carrier, on: bool, at: int, id: str, done: Callable[[bool], None]) -> None:
    done(False)


def _nothing(carrier: Carrier, said: Any, done: Callable[[bool], None]) -> None:
    done(True)


class Intake:
    """Holds the roster and writes to the journal. ``wall`` gives ms since 1970, UTC."""

    def __init__(self, journal: Journal, wall: Callable[[], int]) -> None:
        self.journal = journal
        self.wall = wall
        self.roster = Roster()
        self.counters = Counters()
        self.logins = LoginLimits(self.counters)
        self.unknown: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()
        """(protocol, external id) -> (times seen, last time); nothing else is kept of unknown devices."""
        self.heard: Callable[[Carrier], None] = lambda carrier: None
        """Told of a sign of life that holds nothing to store (a heartbeat); the root connects it."""
        self.told: Callable[[Carrier, bool, int, str, Callable[[bool], None]], None] = _nobody
        """Told that a device said on or off, at which ms, under which id of its own; it answers whether that is on
        disk. The root connects it."""
        self.stored: list[Callable[[Carrier, Sequence[Admitted]], object]] = []
        """Told of each device's records when they are on disk, before anybody has judged them."""
        self.said: Callable[[Carrier, Any, Callable[[bool], None]], None] = _nothing
        """Told what a device says of tasks, and of problems that somebody has seen, as an event of its protocol; it
        answers whether that needs not come again. The root connects it."""
        self.ready = True
        """Whether all is known that a report is judged by; until then devices are told to come again."""
        self._lock = DeferredLock()
        self._index = AreaIndex()
        self._index_version = 0

    def replay(self, happened: Callable[[Change], None] = lambda event: None, snapshot: Snapshot | None = None) -> int:
        """Build the roster from a snapshot and what the journal holds since, and tell ``happened`` of each event. At
        start, before anything listens. Answers how many records in between are nowhere."""
        last = 0
        if snapshot is not None:
            last = snapshot.about.last
            for word, change in snapshot.changes():
                (self.roster.apply if word == snapshots.ENTITY else happened)(change)
        there = self.journal.read(last + 1, 1)
        lost = (there[0].first if there else self.journal.last + 1) - last - 1
        first = last + 1
        while batches := self.journal.read(first, 20_000, rare=True):
            for batch in batches:
                for number, record in enumerate(batch.records, batch.first):
                    if number <= last:
                        continue
                    if record[0] == ENTITY:
                        self.roster.apply((record[2], record[3], record[4]))
                    elif record[0] == EVENT and not is_access(record):
                        happened((record[2], record[3], record[4]))
            first = batches[-1].last + 1
        return max(0, lost)

    def areas(self) -> AreaIndex:
        """The spatial index of the current areas."""
        if self._index_version != self.roster.areas_version:
            self._index_version = self.roster.areas_version
            self._index = AreaIndex(self.roster.areas.values())
        return self._index

    # -- reports

    def find(self, protocol: str, external_id: str, address: str) -> Carrier | None:
        """The device with this id, if it may speak from this address; otherwise counted and remembered as unknown."""
        carrier = self.roster.find(protocol, external_id)
        if carrier is None:
            self.counters.refuse(protocol, "unknown_device")
            key = (protocol, external_id[:64])
            times, _ = self.unknown.pop(key, (0, 0))
            self.unknown[key] = (times + 1, self.wall())
            if len(self.unknown) > UNKNOWN_LIMIT:
                self.unknown.popitem(last=False)
            return None
        if carrier.device.revoked:
            self.counters.refuse(protocol, "revoked")
            return None
        if carrier.device.networks and not admits(carrier.device, address):
            self.counters.refuse(protocol, "foreign_network")
            return None
        return carrier

    def submit(self, carrier: Carrier, reports: Sequence[Report], done: Done) -> None:
        """Admit and journal. ``done`` gets a number when everything that was admitted is on disk (0 if nothing
        was), None when the disk failed. Raises :class:`~storage.journal.JournalFull`: nothing was taken.
        """
        if not self.ready:
            self.counters.refuse(carrier.device.protocol, "busy", len(reports))
            raise JournalFull("the server has just begun")
        now = self.wall()
        records: list[Admitted] = []
        refused: list[str] = []
        if self.roster.carrier(carrier.device.id) is not carrier:
            # Its unit's data has been removed since the device logged in. An alarm would still be admitted.
            self.counters.refuse(carrier.device.protocol, "unknown_device", len(reports))
            done(0)
            return
        for report in reports:
            admitted = admit(report, carrier, now)
            if type(admitted) is tuple:
                records.append(admitted)
            else:
                refused.append(str(admitted))
        protocol, counters = carrier.device.protocol, self.counters
        if records:

            def stored(first: int | None) -> None:
                if first is not None:
                    counters.accepted[protocol] += len(records)
                    tell_all(self.stored, carrier, records)
                done(first)

            try:
                self.journal.append(records, stored)
            except JournalFull:
                counters.refuse(protocol, "busy", len(records))
                raise
            except (TypeError, ValueError, OverflowError):
                # A value that no decoder should have let through. Sent again it would be the same: let it pass.
                counters.refuse(protocol, "unstorable", len(records))
                records = []
        counters.messages[protocol] += 1
        for reason in refused:
            counters.refuse(protocol, reason)
        if not records:
            done(0)

    # -- changes

    async def change(self, plan: Callable[[], tuple[T, list[Change]]]) -> T:
        """Judge, journal, take in; one at a time, so that nothing is judged against what is about to change.

        ``plan`` raises :class:`~tracker.roster.Refusal`. Raises :class:`StoreFailed` when the disk does.
        """
        await self._lock.acquire()
        try:
            result, changes = plan()
            for start in range(0, len(changes), CHANGES_AT_ONCE):
                try:
                    await self._write(changes[start : start + CHANGES_AT_ONCE])
                except StoreFailed as failed:
                    failed.written = start
                    raise
            return result
        finally:
            self._lock.release()

    async def happen(
        self, plan: Callable[[], tuple[T, Sequence[Change], Sequence[Change]]], taken: Callable[[T], object]
    ) -> T:
        """Judge what has happened and what follows from it: events and changes in one commit, then ``taken`` is told
        the plan's result before anything else is judged. Raises like :meth:`change`."""
        await self._lock.acquire()
        try:
            result, events, changes = plan()
            if events or changes:
                await self._commit((EVENT, events), (ENTITY, changes))
                for change in changes:
                    self.roster.apply(change)
                taken(result)
            return result
        finally:
            self._lock.release()

    def soon(self, plan: Callable[[], tuple[Any, list[Change]]], done: Callable[[bool], None]) -> None:
        """The same for sessions, which cannot wait: ``done`` is told whether it is on disk."""

        async def work() -> None:
            try:
                await self.change(plan)
            except (StoreFailed, Refusal):
                done(False)
            else:
                done(True)

        Deferred.fromCoroutine(work())

    async def alone(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something while no change is judged or written."""
        await self._lock.acquire()
        try:
            return await work()
        finally:
            self._lock.release()

    async def keep(self, events: Sequence[Change]) -> None:
        """Journal what has happened; raises like :meth:`change`."""
        await self._commit((EVENT, events))

    def note(self, events: Sequence[Change], done: Done) -> None:
        """The same for those who wait for nothing. Raises :class:`~storage.journal.JournalFull`."""
        now = self.wall()
        self.journal.append([(EVENT, now, *event) for event in events], done, rare=True)

    async def _write(self, changes: Sequence[Change]) -> None:
        await self._commit((ENTITY, changes))
        for change in changes:
            self.roster.apply(change)

    async def _commit(self, *parts: tuple[int, Sequence[Change]]) -> None:
        written: Deferred[int | None] = Deferred()
        now = self.wall()
        try:
            records = [(what, now, kind, identity, fields) for what, of in parts for kind, identity, fields in of]
            self.journal.append(records, written.callback, rare=True)
        except JournalFull as error:
            raise StoreFailed(str(error)) from None
        except (TypeError, ValueError, OverflowError):
            text = "a text or a number in it cannot be stored"
            raise Refusal("bad_value", text, "其中的文字或数字无法保存") from None
        if await written is None:
            raise StoreFailed(self.journal.failure)
