"""Asks the units of a roll call over the links that there are, and tells the call what comes back.

A call and all the commands that ask for it are one commit: either it is there with everybody asked, or nothing has
happened. Commands wait for their devices and go out again by themselves (tracker/commands.py); positions come over the
live map's batches like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from protocols.report import ALARM_SOS
from storage.journal import JournalFull
from tracker.catalogue import CATALOGUE
from tracker.commands_model import Command, State
from tracker.intake import Intake
from tracker.links import Links, Wanted
from tracker.mirror import Mirror
from tracker.model import DeviceId, UnitId
from tracker.roll_call import ROLL_CALL, Asked, Place, RollBook, RollCall, Way
from tracker.roster import Change

TICK_SECONDS = 1.0
WRITTEN_AT_ONCE = 500
"""Events in one commit, and one commit under way: the answers of a whole city must not crowd out its reports."""
NOTICE = "点名：请保持在岗，位置正在上报。"
"""What a vehicle's terminal shows and says to its crew; it cannot be answered there."""
_TELLS = {"display": True, "speak": True, "urgent": False, "text": NOTICE}


class RollCaller:
    """``clock`` calls later, ``new_id`` makes ids that nobody can guess; ``book`` has what the journal holds. The root
    connects :meth:`seen` to the mirror and :meth:`ended` to the links."""

    def __init__(
        self, intake: Intake, links: Links, mirror: Mirror, book: RollBook, clock: Any, new_id: Callable[[], str]
    ) -> None:
        self._intake = intake
        self._links = links
        self._mirror = mirror
        self._clock = clock
        self._new_id = new_id
        self._timer: Any = None
        self._writing = False
        self._stopped = False
        self.book = book

    # -- starting and stopping

    def start(self) -> None:
        """Go on with what was open; positions come when the mirror is loaded."""
        for call in self.book.open:
            for one in call.units.values():
                command = self._links.commands.get(one.command)
                if command is not None:
                    self.ended(command)
        self._go_on()

    def stop(self) -> None:
        """Nothing more is written."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    # -- asking

    async def call(self, units: Sequence[UnitId], by: str, seconds: int | None, about: Mapping[str, str]) -> RollCall:
        """Ask these units; that is in the journal. Raises Refusal and StoreFailed."""
        id, now = self._new_id(), self._intake.wall()
        ways = {unit: self._way(unit) for unit in units}
        asked = {unit: Asked(unit, way) for unit, (way, _) in ways.items()}
        call = self.book.plan(id, by, asked.values(), seconds, about, now)
        lasts = (call.ends - now) // 1000
        wanted: list[Wanted] = []
        of: list[UnitId | None] = []
        for unit, (way, device) in ways.items():
            if device is not None:
                confirms = way is Way.CONFIRM
                wanted.append(
                    (device, ROLL_CALL if confirms else "locate", {"until": call.ends} if confirms else {}, lasts)
                )
                of.append(unit)
                if not confirms:
                    wanted.append((device, "text", _TELLS, lasts))
                    of.append(None)

        def beside(commands: Sequence[Command | None]) -> list[Change]:
            for unit, command in zip(of, commands, strict=True):
                if unit is not None and command is not None:
                    asked[unit].command = command.id
            return [call.event(), *(call.event_of(one) for one in asked.values())]

        await self._links.ask_all(wanted, beside)
        self.book.add(call)
        self._go_on()
        return call

    def _way(self, unit: UnitId) -> tuple[Way, DeviceId | None]:
        """How a unit is asked best, and over which of its devices: one that is there, one that asks the person."""
        best: tuple[tuple[bool, bool], Way, DeviceId] | None = None
        for device in self._intake.roster.devices_of(unit):
            kinds = CATALOGUE[device.protocol].commands
            if "locate" not in kinds:
                continue
            confirms = ROLL_CALL in kinds
            rank = self._links.connected(device.id), confirms
            if best is None or rank > best[0]:
                best = rank, Way.CONFIRM if confirms else Way.LOCATE, device.id
        return (Way.WAIT, None) if best is None else best[1:]

    # -- what comes back

    def seen(self, units: Iterable[UnitId]) -> None:
        """The live map knows something new of these units."""
        if not self.book.open:
            return
        now = self._intake.wall()
        for unit in units:
            state, about = self._mirror.units.get(unit), self._intake.roster.units.get(unit)
            if state is None or about is None or not self.book.wants(unit):
                continue
            if state.fix_time is not None and state.latitude is not None and state.longitude is not None:
                # Live state has for a moment yet what a late "off" has just taken away.
                if self._intake.roster.on_duty(unit, state.fix_time) is None and not state.alarm & ALARM_SOS:
                    continue
                own = state.grid == about.grid if about.grid else None
                place = Place(state.fix_time, state.latitude, state.longitude, state.accuracy, own)
                self.book.located(unit, place, now)
        self._write()

    def ended(self, command: Command) -> None:
        """A command has ended, and that is in the journal."""
        if command.kind == ROLL_CALL and command.state in (State.DONE, State.FAILED):
            at = self._intake.wall() if command.answered is None else command.answered
            self.book.answered(command.id, command.state is State.DONE, command.text, at)
            self._write()

    def displaced(self, unit: UnitId, start: int, end: int) -> None:
        """A unit turns out to have been off duty from ``start`` to before ``end``."""
        self.book.displaced(unit, start, end)
        self._go_on()

    def forget(self, unit: UnitId) -> None:
        """A unit's data is being removed."""
        self.book.forget(unit)

    # -- going on

    def look(self) -> None:
        """Bring up to date who has been reached; for whoever shows a call now."""
        commands = self._links.commands

        def reached(id: str) -> bool:
            command = commands.get(id)
            return command is not None and command.tries > 0

        self.book.reached(reached)

    def _go_on(self) -> None:
        if self._stopped or (self._timer is not None and self._timer.active()):
            return
        self._timer = self._clock.callLater(TICK_SECONDS, self._tick) if self.book.busy else None

    def _tick(self) -> None:
        if self.book.open:
            self.look()
            self.book.handle_timer(self._intake.wall())
        self._write()
        self._timer = None
        self._go_on()

    def _write(self) -> None:
        events = [] if self._writing or self._stopped else self.book.events_to_write(WRITTEN_AT_ONCE)
        if not events:
            return
        self._writing = True

        def done(first: int | None) -> None:
            self._writing = False
            if first is None:
                self.book.unwritten(events)
            self._go_on()  # the next tick tries again, or goes on

        try:
            self._intake.note(events, done)
        except JournalFull:
            done(None)
