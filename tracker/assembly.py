"""The tracker put together: everything between a device's bytes and what is kept of them, and who is who."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgpack
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from storage.archive.budgets import Level, limits_from
from storage.bridge import as_deferred
from storage.config import Settings
from storage.foundation import Foundation
from tracker.applier import Applier
from tracker.archivist import HOUR, Archivist
from tracker.checkpoint import Kept
from tracker.coordinate_watch import CoordinateWatch
from tracker.day_facts import DayFacts
from tracker.device_plans import plan_digests, plan_shift_ends
from tracker.duty import DutyBook
from tracker.duty_clerk import DutyClerk, within
from tracker.duty_events import DUTY, OFF_DUTY
from tracker.exporting import Exports
from tracker.intake import Intake, StoreFailed
from tracker.ledger import Book
from tracker.links import Links
from tracker.mirror import Mirror
from tracker.model import DeviceId, UnitId
from tracker.off_duty import OffDutyRemovals
from tracker.outages import Outages, last_heard
from tracker.photos import Photos
from tracker.pipeline import Pipeline
from tracker.presence import PresenceLimits
from tracker.record import PRIVATE
from tracker.removals import REMOVAL, Removals
from tracker.roll_call import ROLL_CALL, RollBook
from tracker.roll_caller import RollCaller
from tracker.roster import Carrier, Register
from tracker.rota import Rota
from tracker.seats import Seats
from tracker.steward import Steward
from tracker.store import RedisLiveStore
from tracker.tokens import derived
from tracker.tracks import Tracks
from tracker.workdays import Calendar
from tracker.working_time import WorkingTime

AGAIN_S = 5.0
"""Seconds until what a start writes is tried again when the disk refuses it."""
SWEEP_S = 5.0
"""Between two looks at who has fallen silent: some 15 ms for 10,000 units."""
SHIFT_ENDS_S = 30.0


class Tracker:
    """Stands on ``ground``; ``intake`` has its registers, and nothing is replayed yet: that is done here.

    ``books`` are told events of other types, ``archiving`` is the module that the archivist's child runs.
    ``forgotten`` are told of a person who was removed, with that person's devices. ``secret`` is the data folder's;
    ``wall`` gives ms since 1970."""

    def __init__(
        self,
        settings: Settings,
        ground: Foundation,
        intake: Intake,
        kept: Kept,
        calendar: Calendar,
        secret: bytes,
        reactor: Any,
        wall: Callable[[], int],
        books: Mapping[str, Book],
        archiving: str,
    ) -> None:
        self.intake = intake
        self._books = books
        self._archiving = archiving
        self.forgotten: list[Callable[[UnitId], object]] = []
        self._reactor, self._wall, self._secret = reactor, wall, secret
        self._log = Logger(namespace="gridbeat.tracker")
        self._ground, self._journal = ground, ground.journal
        self._know(settings, calendar)
        self._replay(kept)
        self._show(settings, kept)
        self._keep(settings)
        self._loops = {
            "applier": self.applier.run, "filler": self.applier.fill, "mirror": self.mirror.run,
            "tail": self.tracks.run,
        }  # fmt: skip
        self._running: list[Deferred[None]] = []
        self._stopping = False
        self._sweep = LoopingCall(lambda: self.mirror.sweep(intake.roster.units))
        self._shift_look = LoopingCall(lambda: Deferred.fromCoroutine(self._end_shifts()))
        for loop in (self._sweep, self._shift_look):
            loop.clock = reactor

    # -- the parts

    def _know(self, settings: Settings, calendar: Calendar) -> None:
        """Who is who, who works when, and what was asked of whom."""
        roster, zone = self.intake.roster, ZoneInfo(settings.city.zone)
        roster.follow_crew = settings.duty.vehicles_follow_crew
        self.working_time = WorkingTime(calendar, settings.working_time.hours, zone)
        self.rota, self.outages, self.seats = Rota(roster, zone), Outages(), Seats()
        registers: list[Register] = [self.rota, self.outages, self.seats]
        for register in registers:
            roster.attach(register)
        self.day_facts = DayFacts()
        self.duty = DutyBook(roster, within(self.rota.planned, self._ground.archive.days))
        self.photos = Photos(self.intake, self._ground.blobs)
        self.links = Links(self.intake, self.photos, self._reactor, lambda: secrets.token_urlsafe(9))
        self._calls = RollBook()

    def _replay(self, kept: Kept) -> None:
        """Everything that a record says, and what was begun and has not ended."""
        self._removed: list[Any] = []
        self._late: list[Any] = []
        heard = {
            ROLL_CALL: self._calls.replay, DUTY: self.duty.replay, REMOVAL: self._removed.append,
            OFF_DUTY: self._late.append,
        }  # fmt: skip

        def happened(event: Any) -> None:
            self.links.replay(event)
            if event[0] in heard:
                heard[event[0]](event)
            elif event[0] in self._books:
                self._books[event[0]].replay(event)

        lost = self.intake.replay(happened, kept.newest(self._journal.id))
        self._silent = last_heard(self._journal.read(max(1, self._journal.last), 1)), self._wall()
        if lost:
            self._log.error(
                "{lost} records between the snapshot and the journal are gone: enter again what was changed in them",
                lost=lost,
            )

    def _show(self, settings: Settings, kept: Kept) -> None:
        """Live state and history."""
        intake, ground, wall = self.intake, self._ground, self._wall
        roster, presence = intake.roster, settings.presence
        store = RedisLiveStore(ground.client)
        self.applier = Applier(
            self._journal, Pipeline(intake.areas), store, self._reactor, ground.threads, wall, self._entities,
            kept=lambda: kept.states(self._journal.id),
        )  # fmt: skip
        self.mirror = Mirror(
            store, wall, roster.on_duty, PresenceLimits(presence.online_s * 1000, presence.offline_s * 1000)
        )
        intake.heard = self._heard
        self.coordinates = CoordinateWatch(intake.areas)
        self.mirror.listen(lambda units: self.coordinates.look(units, self.mirror.units, roster))
        self.roll_calls = RollCaller(
            intake, self.links, self.mirror, self._calls, self._reactor, lambda: secrets.token_urlsafe(9)
        )
        self.mirror.listen(self.roll_calls.seen)
        self.links.ended.append(self.roll_calls.ended)
        self.tracks = Tracks(
            self._journal, store, self.applier, intake.areas, ground.archive, ground.reader, self._reactor,
            ground.threads, wall, roster.relabelled,
        )  # fmt: skip

    def _keep(self, settings: Settings) -> None:
        """What is kept for years, and what is deleted for good."""
        data, intake, ground, reactor, wall = settings.data, self.intake, self._ground, self._reactor, self._wall
        self.archivist = Archivist(data, ground.archive, settings.city.zone, wall, reactor, {
            "seal": lambda: {"upto": self._journal.last, "before": wall() // HOUR * HOUR},
            "snapshot": lambda: {"upto": self._journal.last, "redis": ground.client.url},
            "states": lambda: {"redis": ground.client.url},
            "close": lambda: self.steward.arguments(),
            "tidy": lambda: self.steward.arguments(),
        }, may_write=lambda: ground.space.level < Level.CRITICAL, after_night=self._after_night,
            module=self._archiving)  # fmt: skip
        self.steward = Steward(
            data, ground.archive, limits_from(dataclasses.asdict(settings.archive)), ground.space, self.archivist,
            ground.blobs, reactor, ground.threads, wall, ground.rewrite,
        )  # fmt: skip
        self.exports = Exports(
            data, intake, self.archivist, ground.space, reactor, ground.threads, lambda: secrets.token_hex(16)
        )
        self.off_duty = OffDutyRemovals(
            intake, self.links, self.applier, self.mirror, self.tracks, self.archivist, reactor,
            lambda: secrets.token_hex(8), ground.rewritten, self.roll_calls.displaced,
        )  # fmt: skip
        self.off_duty.take(self._late)
        self.clerk = DutyClerk(
            intake, self.duty, ground.archive.days, reactor, self.off_duty.promised, self.off_duty.take,
            self.mirror.sweep,
        )  # fmt: skip
        self.removals = Removals(
            data, self._secret, intake, self.links, self.applier, self.mirror, self.tracks.tail, self.archivist,
            reactor, ground.threads, lambda: secrets.token_hex(8), self._forget, ground.rewritten,
        )  # fmt: skip
        self.removals.begin(self._removed)

    # -- starting and stopping

    def start(self) -> None:
        self._running = [as_deferred(loop()).addErrback(self._died, name) for name, loop in self._loops.items()]
        self.links.start()
        self.roll_calls.start()
        self._sweep.start(SWEEP_S, now=False)
        self._shift_look.start(SHIFT_ENDS_S, now=False)
        self.archivist.start()
        self.removals.start()
        self.off_duty.start()
        self.clerk.start()
        self.exports.start()
        self.steward.start()

    async def begin(self) -> None:
        """Write what every start writes: the digests of tokens that an earlier release derived, and how long the
        server did not hear."""
        plan = lambda: plan_digests(self.intake.roster, lambda device: derived(self._secret, device))  # noqa: E731
        while plan():
            try:
                await self.intake.change(lambda: (None, plan()))
            except StoreFailed as failed:
                self._log.error("the devices' digests cannot be written: {reason}", reason=str(failed))
                await deferLater(self._reactor, AGAIN_S)
        try:
            await self.intake.change(lambda: self.outages.plan(*self._silent))
        except StoreFailed as failed:
            self._log.error("when the server was away cannot be written: {reason}", reason=str(failed))

    async def stop(self) -> None:
        """Begin nothing more, then write what was taken. Nobody listens any more."""
        self._stopping = True
        self._sweep.stop()
        self._shift_look.stop()
        self.roll_calls.stop()
        self.links.stop()
        self.clerk.stop()
        self.off_duty.stop()
        self.removals.stop()
        self.exports.stop()
        self.steward.stop()
        await self.archivist.stop()
        await self._journal.close()
        for loop in self._running:
            loop.cancel()

    # -- what the parts ask of each other

    def _entities(self) -> list[tuple[str, str, bytes]]:
        """Who is who, as live state holds it for other programs."""
        changes = [change for change in self.intake.roster.changes() if change[0] not in PRIVATE]
        return [(kind, identity, msgpack.packb(fields)) for kind, identity, fields in changes]

    def _heard(self, carrier: Carrier) -> None:
        if carrier.device.unit:
            self.mirror.heard(carrier.unit.id)

    def _forget(self, unit: UnitId, devices: Sequence[DeviceId]) -> None:
        parts = (self.duty, self.off_duty, self.exports, self.roll_calls, self.day_facts)
        for forget in (*(part.forget for part in parts), *self.forgotten):
            forget(unit)
        for device in devices:
            self.coordinates.forget(device)

    async def _end_shifts(self) -> None:
        """Phones that were given for a shift which has ended are nobody's."""
        with contextlib.suppress(StoreFailed):  # the next look is soon
            await self.intake.change(lambda: (None, plan_shift_ends(self.intake.roster, self._wall())))

    def _after_night(self) -> None:
        self.day_facts.clear()
        self._ground.heads.send(self._wall()).addErrback(
            lambda failure: self._log.failure("the heads were not read", failure=failure)
        )

    def _died(self, failure: Failure, name: str) -> None:
        if not self._stopping:
            self._log.failure("the {name} loop ended", failure=failure, name=name)
