"""Attendance of many units and days for a request: what is known already, and what is to be worked out.

What lies in files is read for some fifty units of a day at once, in a thread; who cannot be answered that way is read
as a track. The reactor's own part is a millisecond or two at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from twisted.internet.defer import DeferredLock
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool

from storage.archive.layout import shifted
from storage.bridge import as_deferred
from tracker.archive_tracks import TooMuch
from tracker.attendance import TOLD, Attendance, Facts, Rules, attendance
from tracker.day_fixes import DayFixes, Fixes, Look
from tracker.model import DISBELIEVED, AreaId, Unit, UnitId
from tracker.own_grid import OwnGrid, OwnGrids
from tracker.pipeline import lead_in
from tracker.tracks import Track
from tracker.working_time import Span
from webmap.services import Services

UNITS_AT_ONCE = 50
"""In one question to a day's files: some 300,000 rows at a fix in five seconds, and a tenth of a second in a thread."""
AROUND_MS = 3_600_000
"""So long before and after a shift the first and the last fix are looked for."""
RUNNING_MS = 30_000
"""What a day that goes on has come to is worked out anew after this."""
_DISBELIEVED = int(DISBELIEVED)
_NOTHING = np.empty(0, np.int64), np.empty(0, np.int8)

T = TypeVar("T")


class _Basis(NamedTuple):
    """What a unit's day is worked out from, but for ``now`` and the fixes: of those ``files`` says whether they are the
    same; ``None`` if they may be others with each record that comes."""

    planned: tuple[Span, ...]
    duties: tuple[tuple[int, int, bool], ...]
    outages: tuple[Span, ...]
    grids: tuple[AreaId, ...]
    grids_version: int
    corrections: int
    """Of whose a device was."""
    rules: Rules
    files: tuple[Any, ...] | None

    @property
    def span(self) -> Span:
        """The fix times that are looked at, both included."""
        return self.planned[0][0] - AROUND_MS, self.planned[-1][1] + AROUND_MS


_NO_PLAN = _Basis((), (), (), (), 0, 0, Rules(), None)


class AttendanceDays:
    """Asked by all requests; they read in turns, so that a long one waits for others and they for it."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.fixes = DayFixes(services.tracks.archive)
        self.grids = OwnGrids(services.intake.roster)
        self.reading = DeferredLock()

    async def begin(self, units: Sequence[Unit], first: str, last: str) -> Asked:
        """A request about these days, both included."""
        tail, journal = self.services.tracks.tail, self.services.intake.journal
        sealed, names, points = tail.sealed, tail.units, tail.points()
        look = None
        if tail.last >= journal.last:
            # A shift may end on the day after; an hour before it may be the day before.
            days = shifted(first, -1), shifted(last, 1)
            look = await self.in_thread(lambda: self.fixes.look(*days, sealed, names, points))
        return Asked(self, look, units, first, last)

    async def in_thread(self, work: Callable[[], T]) -> T:
        return await deferToThreadPool(self.services.reactor, self.services.pool, work)


class Asked:
    """One request. ``now`` is the moment that its answers are of: the earliest of them."""

    def __init__(self, days: AttendanceDays, look: Look | None, units: Sequence[Unit], first: str, last: str) -> None:
        services = days.services
        self._days, self._services, self._look = days, services, look
        self.now = services.wall()
        limits, span_of = services.mirror.limits, services.rota.days.span
        self._rules = Rules(hold=limits.online, silence=limits.offline)
        begin, end = span_of(first)[0], span_of(shifted(last, 1))[1]
        self._duties = {
            unit.id: [one for one in services.intake.roster.duties_of(unit.id) if one.start < end and one.end > begin]
            for unit in units
        }

    async def of(self, units: Sequence[Unit], day: str) -> list[tuple[Unit, Attendance]]:
        """What came of a day for each of these units."""
        found: list[tuple[Unit, Attendance]] = []
        for n in range(0, len(units), UNITS_AT_ONCE):
            some = units[n : n + UNITS_AT_ONCE]
            known = await self._some([unit.id for unit in some], day)
            found += [(unit, known[unit.id]) for unit in some]
        return found

    async def _some(self, units: Sequence[UnitId], day: str) -> dict[UnitId, Attendance]:
        services, facts = self._services, self._services.day_facts
        await deferLater(services.reactor, 0)  # others come in between
        now = services.wall()
        known: dict[UnitId, Attendance] = {}
        missing: dict[UnitId, _Basis] = {}
        for unit in units:
            basis = self._basis(unit, day)
            if not basis.planned or now <= basis.span[0]:
                known[unit] = attendance(Facts(basis.planned, (), *_NOTHING), now)
            elif (kept := facts.of((unit, day), basis, self._since(basis, now))) is not None:
                known[unit] = kept[1]
                if now <= basis.span[1]:
                    self.now = min(self.now, kept[0])
            else:
                missing[unit] = basis
        for unit, found in (await self._worked_out(missing, now)).items():
            known[unit] = found
            # Who has been removed meanwhile is nobody, and what changes with each record is not known for long.
            if unit in services.intake.roster.units and self._since(missing[unit], now) <= now:
                facts.keep((unit, day), missing[unit], now, found)
        return known

    @staticmethod
    def _since(basis: _Basis, now: int) -> int:
        """When what is known at ``now`` must have been worked out."""
        if now <= basis.span[1]:
            return now - RUNNING_MS
        return now + 1 if basis.files is None else 0

    def _basis(self, unit: UnitId, day: str) -> _Basis:
        services = self._services
        rota, roster = services.rota, services.intake.roster
        planned = rota.planned(unit, day)
        if not planned:
            return _NO_PLAN
        begin, end = planned[0][0], planned[-1][1]
        duties = tuple(
            (one.start, one.end, one.by in TOLD) for one in self._duties[unit] if one.start < end and one.end > begin
        )
        outages, files = services.outages.within(begin, end), None
        if self._look is not None:
            first, last = rota.days.day_of(begin - AROUND_MS), rota.days.day_of(end + AROUND_MS)
            days = [one for one in self._look.files if first <= one <= last]
            if not any(unit in self._look.fresh[one] for one in days):
                files = tuple(self._look.files[one] for one in days)
            if any(one in self._look.gone for one in days):
                # What nobody can read any more, nobody can be blamed for.
                outages = [(begin, end)]
        grids = rota.own_grids(unit, rota.of(unit, day))
        return _Basis(
            planned, duties, tuple(outages), grids, roster.areas_version, roster.bindings.corrections, self._rules,
            files,
        )  # fmt: skip

    async def _worked_out(self, missing: dict[UnitId, _Basis], now: int) -> dict[UnitId, Attendance]:
        days, relabelled = self._days, self._services.intake.roster.bindings.relabelled
        own = {unit: days.grids.of(basis.grids) for unit, basis in missing.items()}
        plain = {
            str(unit): basis.span for unit, basis in missing.items()
            if basis.files is not None and relabelled(unit, lead_in(basis.span[0]), basis.span[1])[1] is None
        }  # fmt: skip
        found: dict[UnitId, Attendance] = {}

        def together() -> None:
            for unit, fixes in days.fixes.read(plain).items():
                found[UnitId(unit)] = _judged(missing[UnitId(unit)], own[UnitId(unit)], fixes, now)

        if plain:
            async with days.reading:
                await days.in_thread(together)
        for unit in missing.keys() - found.keys():
            async with days.reading:
                found[unit] = await self._by_track(unit, missing, own[unit], now)
        return found

    async def _by_track(self, unit: UnitId, missing: dict[UnitId, _Basis], own: OwnGrid | None, now: int) -> Attendance:
        basis = missing[unit]
        try:
            track = await as_deferred(self._services.tracks.read(unit, *basis.span))
        except TooMuch:
            track = Track([], ["too much"])
        if track.unreadable:
            # A damaged file, or more than there can be: nobody can be blamed for that either. It may be whole again.
            basis = missing[unit] = basis._replace(outages=((basis.planned[0][0], basis.planned[-1][1]),), files=None)
        return await self._days.in_thread(lambda: _judged(basis, own, _fixes_of(track), now))


def _judged(basis: _Basis, own: OwnGrid | None, fixes: Fixes, now: int) -> Attendance:
    where = np.zeros(len(fixes.times), np.int8) if own is None else own.where(fixes.latitudes, fixes.longitudes)
    facts = Facts(basis.planned, basis.duties, fixes.times, where, basis.outages, own is not None)
    return attendance(facts, now, basis.rules)


def _fixes_of(track: Track) -> Fixes:
    points = [
        (record.fix_time or 0, record.latitude or 0, record.longitude or 0)
        for record, doubts, _ in track.points
        if not doubts & _DISBELIEVED and record.duty
    ]
    return Fixes(*np.array(points, np.int64).reshape(-1, 3).T)
