"""Hears every call for help as it comes to the disk, and tells the seats and the nearest colleagues.

Also one that a phone had kept without a network, and one of somebody off duty, of whom nothing else is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from dispatch.desk import Desk
from dispatch.draft import Step
from dispatch.model import Spot
from dispatch.sos import NO_DEVICE, SOS, Call, Near, SosBook, SosId
from dispatch.steps import Steps
from protocols.report import ALARM_SOS
from tracker.admission import Admitted
from tracker.catalogue import CATALOGUE
from tracker.commands_model import State
from tracker.coordinates import distance
from tracker.intake import Intake
from tracker.links import Links
from tracker.mirror import Mirror
from tracker.model import DeviceId, Presence, UnitId
from tracker.record import ReportRecord
from tracker.refusal import Change, Refusal
from tracker.roster import Carrier

COLLEAGUES = 3
LIVE_MS = 120_000
"""A message that is older says nothing of whether the alarm was taken back."""
TEXT_S = 600
LOOKED_AT = 100
"""Commands of a terminal among which it is looked for whether it was told already."""
_SAID = frozenset({State.QUEUED, State.SENT, State.ACCEPTED, State.DONE})
"""It waits for its terminal, or was shown there."""
_ALARM, _UNIT = ReportRecord._fields.index("alarm"), ReportRecord._fields.index("unit")


class SosWatch:
    """``book`` has what the journal holds; ``called`` is told of a unit that calls."""

    def __init__(
        self,
        intake: Intake,
        links: Links,
        mirror: Mirror,
        desk: Desk,
        steps: Steps,
        book: SosBook,
        called: Callable[[UnitId], object],
    ) -> None:
        self._intake, self._links, self._mirror, self._desk, self._steps = intake, links, mirror, desk, steps
        self._called = called
        self._log = Logger(namespace="gridbeat.dispatch")
        self.book = book
        steps.attach(SOS, book.replay)
        steps.taken.append(self._taken)
        intake.stored.append(self.stored)
        mirror.listen(self._seen)

    # -- what comes

    def stored(self, carrier: Carrier, records: Sequence[Admitted]) -> None:
        """These are on disk."""
        for packed in records:
            if packed[_ALARM] & ALARM_SOS:  # type: ignore[operator]
                record = ReportRecord._make(packed)
                place = record.latitude is not None and record.longitude is not None
                spot = Spot(record.latitude, record.longitude) if place else None  # type: ignore[arg-type]
                accuracy = None if record.accuracy is None else record.accuracy / 10
                at = record.server_time if record.fix_time is None else record.fix_time
                self._alarm(UnitId(record.unit), at, spot, accuracy, carrier.device.id)
            elif (call := self.book.running(packed[_UNIT])) is not None and not call.ended:  # type: ignore[arg-type]
                record = ReportRecord._make(packed)
                fix_time = record.fix_time
                # Out of a queue there may come what is older than the call.
                if fix_time is not None and record.server_time - fix_time < LIVE_MS and fix_time > call.at:
                    self._quiet(UnitId(record.unit), carrier.device.id)

    def _seen(self, units: Any) -> None:
        """A call that was on disk when the server was killed, and nobody was told of: live state has it."""
        for unit in units:
            state = self._mirror.units.get(unit)
            if state is not None and state.alarm & ALARM_SOS and self.book.running(unit) is None:
                place = state.latitude is not None and state.longitude is not None
                spot = Spot(state.latitude, state.longitude) if place else None  # type: ignore[arg-type]
                self._alarm(unit, state.alarm_time or state.seen, spot, None)

    def _quiet(self, unit: UnitId, device: DeviceId) -> None:
        self._do(unit, lambda now: self.book.plan_quiet(unit, now, device))

    def _alarm(
        self, unit: UnitId, at: int, spot: Spot | None, accuracy: float | None, device: DeviceId = NO_DEVICE
    ) -> None:
        def plan(now: int) -> list[Change]:
            return self._told(unit, self.book.plan_alarm(unit, at, spot, accuracy, now, device), now)

        self._do(unit, plan)

    def _told(self, unit: UnitId, events: list[Change], now: int) -> list[Change]:
        """With who is told of it."""
        for _, id, fields in list(events):
            if fields is None or fields["what"] not in ("raise", "place"):
                continue
            spot = self._known(unit) if fields["spot"] is None else Spot(*fields["spot"])
            if spot is not None:
                call = self.book.get(SosId(id))
                told = {one.unit for one in call.near} if call is not None else set()
                near = [one for one in self._nearest(unit, spot) if one.unit not in told]
                events += self.book.plan_told(SosId(id), near, now)
        return events

    def _known(self, unit: UnitId) -> Spot | None:
        """Where somebody was last who calls without a place: near enough to send for help."""
        state = self._mirror.units.get(unit)
        if state is None or state.latitude is None or state.longitude is None or not self._mirror.shows(unit):
            return None
        return Spot(state.latitude, state.longitude)

    def _do(self, unit: UnitId, plan: Callable[[int], list[Change]]) -> None:
        done = self._steps.carry_out([f"sos:{unit}"], lambda now: Step(plan(now)))
        done.addErrback(lambda failure: self._log.failure("a call for help is not on disk", failure=failure))

    def _nearest(self, unit: UnitId, spot: Spot) -> list[Near]:
        now, found = self._intake.wall(), []
        for other, state in self._mirror.units.items():
            if other == unit or state.latitude is None or state.longitude is None:
                continue
            if self._intake.roster.on_duty(other, now) is None or not self._mirror.shows(other):
                continue
            if self._mirror.presence(other) is Presence.OFFLINE:
                continue
            metres = distance(spot.latitude, spot.longitude, state.latitude, state.longitude)
            found.append((metres, other))
        return [Near(other, round(metres)) for metres, other in sorted(found)[:COLLEAGUES]]

    # -- who hears of it

    async def acknowledge(self, id: SosId, by: str) -> Call:
        """A seat takes care of it. Raises Refusal and StoreFailed."""
        call = self.book.get(id)
        if call is None:
            raise Refusal("no_sos", "there is no such call", "没有这个求助")
        await self._steps.carry_out([f"sos:{call.unit}"], lambda now: Step(self.book.plan_acknowledge(id, by, now)))
        return call

    def _taken(self, step: Step) -> None:
        renewed = False
        for kind, identity, fields in step.events:
            if kind != SOS or fields is None:
                continue
            renewed = True
            call = self.book.get(SosId(identity))
            if call is None:
                continue
            what, unit = fields["what"], UnitId(fields["unit"])
            if what == "raise":
                self._called(unit)
            elif what == "told":
                self._tell(unit, call, "colleague", fields["metres"])
            elif what == "acknowledge":
                self._tell(call.unit, call, "acknowledged", 0)
                for one in call.near:
                    self._tell(one.unit, call, "over", one.metres)
        if renewed:
            self._desk.renew()

    def _tell(self, unit: UnitId, call: Call, what: str, metres: int) -> None:
        known = self._intake.roster.units.get(call.unit)
        name = known.name if known is not None else call.unit
        spot = call.spot or Spot(0, 0)
        about = {"what": what, "id": call.id, "unit": name, "lat": spot.latitude, "lon": spot.longitude,
                 "at": call.at, "metres": metres}  # fmt: skip
        for device in self._intake.roster.devices_of(unit):
            told = self._links.tell(device.id, "sos", about)
            if not told and what == "colleague" and "text" in CATALOGUE[device.protocol].commands:
                text = f"【紧急求助】{name}，距您约{metres}米，请立即联系并前往。"
                texts = self._links.commands.of(device.id, LOOKED_AT)
                if any(one.arguments.get("sos") == call.id and one.state in _SAID for one in texts):
                    continue
                arguments = {"text": text, "urgent": True, "display": True, "speak": True, "sos": call.id}
                asked = Deferred.fromCoroutine(self._links.ask(device.id, "text", arguments, TEXT_S))
                asked.addErrback(self._not_told)

    def _not_told(self, failure: Failure) -> None:
        self._log.error("a terminal was not told of a call for help: {reason}", reason=failure.getErrorMessage())

    def come(self, unit: UnitId) -> None:
        """A device of somebody who was told, or who calls, is there again."""
        for call in self.book.shown(self._intake.wall()):
            if call.ringing:
                for one in call.near:
                    if one.unit == unit:
                        self._tell(unit, call, "colleague", one.metres)
            elif call.unit == unit:
                self._tell(unit, call, "acknowledged", 0)
