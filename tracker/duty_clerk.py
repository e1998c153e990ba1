"""The clerk of duty: takes down what devices and seats tell, and turns the rota, the settings and the crews into facts.

Whatever it writes is one commit: what was told, the intervals that follow, and what is to be removed because it turns
out to have been off duty. Once a second it looks at those whose entry has changed and at a thirtieth of all others, so
that everybody is looked at every half minute; shifts are entered two minutes before they begin. After a start nothing
is admitted before everybody who goes by the rota was looked at once: what began meanwhile is on duty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from storage.archive.layout import Days, shifted
from tracker.duty import DUTY, DutyBook, Step
from tracker.duty_spans import Span
from tracker.intake import Intake, StoreFailed
from tracker.model import Unit, UnitId
from tracker.roster import Carrier, Change, Refusal

ROUND = 30
"""Ticks in which everybody is looked at."""
AT_ONCE = 500
"""Units looked at in one go: some 5 ms with the rota."""
BACK_DAYS = 3
"""Days back that a start looks for shifts that began while the server was away; later rounds look at yesterday."""

ByDay = Callable[[UnitId, str], Sequence[Span]]
"""The spans of work of a unit that begin on a city day."""


def within(planned: ByDay, days: Days) -> Callable[[UnitId, int, int], Sequence[Span]]:
    """The same by moments: those that begin between two, both included (ms)."""

    def found(unit: UnitId, since: int, until: int) -> Sequence[Span]:
        day, last = days.day_of(since), days.day_of(until)
        spans: list[Span] = []
        while day <= last:
            spans += [span for span in planned(unit, day) if since <= span[0] <= until]
            day = shifted(day, 1)
        return spans

    return found


class DutyClerk:
    """``promised`` makes the events of a removal of time that is gone, and ``gone`` is told of them when they are in
    the journal; ``changed`` is told of units whose duty has."""

    def __init__(
        self,
        intake: Intake,
        book: DutyBook,
        days: Days,
        clock: Any,
        promised: Callable[[Sequence[tuple[UnitId, int, int]], int], list[Change]] = lambda gone, now: [],
        gone: Callable[[Sequence[Change]], object] = lambda events: None,
        changed: Callable[[Iterable[UnitId]], object] = lambda units: None,
    ) -> None:
        self._intake, self._book, self._days = intake, book, days
        self._promised, self._gone, self._changed = promised, gone, changed
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock
        self._seen: dict[UnitId, Unit] = {}
        self._version = -1
        self._turn = 0
        self._looking: Deferred[None] | None = None
        self._log = Logger(namespace="gridbeat.duty")
        intake.told = self._heard
        if any(unit.duty == "rota" for unit in intake.roster.units.values()):
            intake.ready = False

    def start(self) -> None:
        """Begin to look."""
        self._loop.start(1.0, now=True).addErrback(lambda failure: self._log.failure("duty stands", failure=failure))

    def stop(self) -> None:
        """Look no more."""
        if self._loop.running:
            self._loop.stop()
        if self._looking is not None:
            self._looking.cancel()

    # -- what is told

    async def carry_out(self, plan: Callable[[], Step]) -> Step:
        """Judge, journal, take in. Raises Refusal and StoreFailed."""

        def judged() -> tuple[Step, Sequence[Change], Sequence[Change]]:
            step = plan()
            step.events += self._promised(step.gone, self._intake.wall())
            return step, step.events, step.changes

        step = await self._intake.happen(judged, self._take)
        if step.changes:
            self._changed(dict.fromkeys(UnitId(id.rpartition(":")[0]) for _, id, _ in step.changes))
        return step

    def _take(self, step: Step) -> None:
        for event in step.events:
            if event[0] == DUTY:
                self._book.replay(event)
        self._gone([event for event in step.events if event[0] != DUTY])

    def _heard(self, carrier: Carrier, on: bool, at: int, id: str, done: Callable[[bool], None]) -> None:
        """A device told it; ``done`` is told whether that needs not come again."""
        unit, protocol = carrier.unit, carrier.device.protocol
        if at < carrier.since:
            unit, _ = carrier.earlier(carrier.device.id, at)
        counters = self._intake.counters
        counters.messages[protocol] += 1
        plan = self._book.plan_on if on else self._book.plan_off

        async def take_down() -> None:
            try:
                await self.carry_out(lambda: plan(unit.id, at, "device", self._intake.wall(), id=id))
            except Refusal as refusal:
                counters.refuse(protocol, f"duty_{refusal.code}")
            except StoreFailed:
                done(False)
                return
            done(True)

        Deferred.fromCoroutine(take_down()).addErrback(
            lambda failure: self._log.failure("a duty event was not taken down", failure=failure)
        )

    # -- what follows by itself

    def _tick(self) -> None:
        if self._looking is None:
            looking = self._looking = Deferred.fromCoroutine(self._look())
            looking.addErrback(lambda failure: failure.trap(CancelledError)).addErrback(
                lambda failure: self._log.failure("duty cannot be looked at", failure=failure)
            ).addBoth(self._looked)

    def _looked(self, _: object) -> None:
        self._looking = None

    async def _look(self) -> None:
        try:
            if not self._intake.ready:
                await self._plan(list(self._intake.roster.units), BACK_DAYS)
                self._intake.ready = True
            else:
                await self._plan(self._due(), 1)
        except StoreFailed as failed:
            self._log.warn("duty is not written: {reason}", reason=str(failed))

    async def _plan(self, units: list[UnitId], back: int) -> None:
        for first in range(0, len(units), AT_ONCE):
            some = units[first : first + AT_ONCE]

            def plan(some: list[UnitId] = some) -> Step:
                now = self._intake.wall()
                looked = self._days.span(shifted(self._days.day_of(now), -back))[0]
                return self._book.plan_time(some, now, looked)

            await self.carry_out(plan)

    def _due(self) -> list[UnitId]:
        """Whose entry is another than at the last look, and those whose turn it is."""
        roster, seen = self._intake.roster, self._seen
        due: list[UnitId] = []
        if roster.duty_version != self._version:
            self._version = roster.duty_version
            units = roster.units
            due = [id for id, unit in units.items() if seen.get(id) is not unit]
            vehicles = {seen[id].vehicle for id in due if id in seen} | {units[id].vehicle for id in due}
            due += [UnitId(vehicle) for vehicle in vehicles if vehicle in units]
            self._seen = dict(units)
        everybody = list(roster.units)
        self._turn = (self._turn + 1) % ROUND
        return list(dict.fromkeys(due + everybody[self._turn :: ROUND]))
