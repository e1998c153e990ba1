"""What turns out to have been off duty is removed: from the promise to the last byte, whatever is killed meanwhile.

A late "off", or a correction, takes time away that was on duty, and points of that time may be stored. The promise to
remove them is an event in the same commit as the change of duty; from that on nothing more of that time is admitted.
What comes of it: nothing in most cases, because the device said "off" at once and has sent nothing since; then that is
all. Otherwise live state forgets it first, so that no map shows it, then the archivist's child takes it from the disk
(:mod:`tracker.archive_off_duty`), and live state once more, because tracks may have been filled meanwhile from a
journal that still had it. A last event says that it is done; what has none is begun anew at the next start.

A call for help stays, with its one position: of a row of messages that call, the first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from protocols.report import ALARM_SOS
from storage.bridge import as_deferred
from storage.client import Unavailable
from tracker.admission import LATEST
from tracker.applier import Applier
from tracker.archive_off_duty import Stretch
from tracker.archive_tracks import TooMuch
from tracker.archivist import Archivist, JobFailed
from tracker.duty_events import OFF_DUTY
from tracker.intake import Intake, StoreFailed
from tracker.links import Links
from tracker.mirror import Mirror
from tracker.model import UnitId
from tracker.pipeline import UnitState
from tracker.record import ReportRecord
from tracker.roster import Change
from tracker.tracks import Judged, Tracks

GATHER_S = 2.0
"""For so long promises are gathered into one job: at the end of a shift they come by the hundred."""
RETRY_S = 10.0
AT_ONCE = 200
"""Promises that one job keeps."""
CALL_MS = 3_600_000
"""How far before it one looks for the beginning of a call for help."""
PROBLEMS = (JobFailed, StoreFailed, OSError, *Unavailable)


class OffDutyRemovals:
    """Those that are open. ``rewrite`` has live state write its files anew and waits for that, None where those are not
    ours; ``displaced`` is told whose places from when to when are not to be shown or written any more."""

    def __init__(
        self,
        intake: Intake,
        links: Links,
        applier: Applier,
        mirror: Mirror,
        tracks: Tracks,
        archivist: Archivist,
        reactor: Any,
        new_id: Callable[[], str],
        rewrite: Callable[[], Awaitable[None]] | None,
        displaced: Callable[[UnitId, int, int], object] = lambda unit, start, end: None,
    ) -> None:
        self._intake, self._links = intake, links
        self._applier, self._mirror, self._tracks = applier, mirror, tracks
        self._archivist = archivist
        self._reactor = reactor
        self._new_id = new_id
        self._rewrite, self._displaced = rewrite, displaced
        self._open: dict[str, Change] = {}
        self._running: Deferred[None] | None = None
        self._stopped = True
        self._log = Logger(namespace="gridbeat.off_duty")
        self.removed = 0
        """Points that were taken out of live state since the start."""
        self.problem = ""
        """Why it waits."""

    def __len__(self) -> int:
        return len(self._open)

    # -- promises

    def promised(self, gone: Sequence[tuple[UnitId, int, int]], now: int) -> list[Change]:
        """The events that promise a removal, for the commit that takes the time away."""
        return [
            (
                OFF_DUTY,
                f"{unit}:{self._new_id()}",
                {"unit": unit, "start": start, "end": min(end, LATEST), "asked": now, "done": None, "stay": None},
            )
            for unit, start, end in gone
        ]

    def take(self, events: Iterable[Change]) -> None:
        """They are in the journal: begin. Of those that the journal holds at start, too, before :meth:`start`."""
        for event in events:
            fields = event[2]
            assert fields is not None
            if fields["done"] is None:
                self._open[event[1]] = event
                # At once: what is written down of it before the next look at the journal is in what is looked through.
                self._displaced(UnitId(fields["unit"]), int(fields["start"]), int(fields["end"]))
            else:
                self._open.pop(event[1], None)
        self._go()

    def forget(self, unit: UnitId) -> None:
        """All of a unit's data goes: there is nothing left to do here."""
        self._open = {id: event for id, event in self._open.items() if event[2] and event[2]["unit"] != unit}

    def start(self) -> None:
        """Go on with what was open."""
        self._stopped = False
        self._go()

    def stop(self) -> None:
        """Nothing more is begun; the next start goes on."""
        self._stopped = True
        if self._running is not None:
            self._running.cancel()

    # -- the course

    def _go(self) -> None:
        if self._stopped or self._running is not None or not self._open:
            return
        self._running = Deferred.fromCoroutine(self._carry_out())
        self._running.addErrback(lambda failure: failure.trap(CancelledError)).addErrback(
            lambda failure: self._log.failure("a removal broke off", failure=failure)
        ).addBoth(self._ended)

    def _ended(self, _: object) -> None:
        self._running = None

    async def _carry_out(self) -> None:
        while self._open and not self._stopped:
            try:
                await deferLater(self._reactor, GATHER_S)
                await self._steps([*self._open][:AT_ONCE])
                self.problem = ""
            except CancelledError:
                raise
            except Exception as error:
                if self._stopped:
                    return
                if not isinstance(error, PROBLEMS):
                    # Ours to mend; what was promised is tried again all the same.
                    self._log.failure("a removal broke off")
                self.problem = str(error) or type(error).__name__
                self._log.warn("what was off duty waits to be removed: {reason}", reason=self.problem)
                await deferLater(self._reactor, RETRY_S)

    async def _steps(self, ids: Sequence[str]) -> None:
        journal, intake = self._intake.journal, self._intake
        # Whatever was admitted before the change of duty is in the journal when this is.
        await intake.keep([self._open[ids[0]]])
        upto = journal.last
        stretches: dict[str, Stretch] = {}
        first = upto
        for id in ids:
            found = await self._found(id) if id in self._open else None
            if found is not None:
                stretches[id], since = found
                first = min(first, since)
        told = [self._told(id, stretch, first) for id, stretch in stretches.items() if self._is_new(id)]
        if told:
            # What stays is in the journal before anything goes, or it could not be told any more.
            await intake.keep(told)
            self._open |= {event[1]: event for event in told}
        if stretches:
            await self._leave_live(stretches.values(), upto)
            plain = [
                {"unit": one.unit, "start": one.start, "end": one.end, "stay": sorted(one.stay), "photos": one.photos}
                for one in stretches.values()
            ]
            arguments = {"stretches": plain, "first": first, "upto": upto}
            result = await self._archivist.ask("remove_off_duty", arguments, urgent=True)
            self._links.photos.blobs.count_anew()
            await self._leave_live(stretches.values(), upto)
            if self._rewrite is not None:
                await self._rewrite()
            self._log.info("what was off duty is removed", units=len(stretches), records=result["counts"]["records"])
        now = intake.wall()
        done = [(OFF_DUTY, id, {**(self._open[id][2] or {}), "done": now}) for id in ids if id in self._open]
        await intake.keep(done)
        for id in ids:
            self._open.pop(id, None)

    # -- what there is

    async def _found(self, id: str) -> tuple[Stretch, int] | None:
        """What is to be removed, and from which record on it may lie in the journal; None if there is nothing."""
        fields = self._open[id][2]
        assert fields is not None
        if fields["stay"] is not None:
            return Stretch.of(fields), int(fields["first"])  # it has been begun: how far is not looked at
        unit, start, end = UnitId(fields["unit"]), int(fields["start"]), int(fields["end"])
        photos = {
            photo.id: photo.name
            for photo in self._links.photos.index.all()
            if photo.unit == unit and start <= (photo.received if photo.taken is None else photo.taken) < end
        }
        points: list[Judged] | None
        try:
            track = await as_deferred(self._tracks.read(unit, start - CALL_MS, end - 1))
            points = track.points
        except TooMuch:
            points = None
        inside = [one for one in points or () if start <= (one[0].fix_time or 0) < end]
        state = self._mirror.units.get(unit)
        if points is not None and not inside and not photos and (state is None or state.seen < start):
            return None
        stretch = Stretch(unit, start, end, frozenset(_calls(points, start)), photos)
        # What is received before its time comes from a clock that is ahead.
        since = min([start, *(record.server_time for record, _, _ in inside)])
        return stretch, self._intake.journal.first_since(since)

    def _is_new(self, id: str) -> bool:
        fields = self._open[id][2]
        return fields is not None and fields["stay"] is None

    def _told(self, id: str, stretch: Stretch, first: int) -> Change:
        found = {"stay": sorted(stretch.stay), "photos": dict(stretch.photos), "first": first}
        fields = {**(self._open[id][2] or {}), **found}
        return OFF_DUTY, id, fields

    async def _leave_live(self, stretches: Iterable[Stretch], upto: int) -> None:
        for stretch in stretches:
            ended: Deferred[int] = Deferred()

            def stays(record: ReportRecord, stretch: Stretch = stretch) -> bool:
                return not stretch.takes(record)

            def taints(state: UnitState, stretch: Stretch = stretch) -> bool:
                return stretch.taints(
                    {name: getattr(state, name) for name in ("unit", "fix_time", "jump_time", "seen")}
                )

            def done(gone: int, ended: Deferred[int] = ended) -> None:
                if not ended.called:
                    ended.callback(gone)

            self._applier.amend(UnitId(stretch.unit), stays, taints, upto, done)
            self.removed += await ended
            self._tracks.tail.forget_span(stretch.unit, stretch.start, stretch.end, stretch.stay)
            self._links.photos.index.drop(stretch.photos)


def _calls(points: Sequence[Judged] | None, start: int) -> list[int]:
    """The fix times of calls for help that stay: of each row of messages of a device that call, the first, if it is
    from ``start`` on."""
    stay: list[int] = []
    calling: dict[str, bool] = {}
    for record, _, _ in points or ():
        calls = bool(record.alarm & ALARM_SOS)
        if calls and not calling.get(record.device) and (record.fix_time or 0) >= start:
            stay.append(record.fix_time or 0)
        calling[record.device] = calls
    return stay


__all__ = ["OffDutyRemovals"]
