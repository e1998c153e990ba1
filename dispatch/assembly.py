"""Dispatch put together: tasks, who is asked, what devices say, and who hears of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from dispatch.answers import Answers
from dispatch.books import Books
from dispatch.copies import Copies
from dispatch.courier import Courier
from dispatch.deadlines import Deadlines
from dispatch.deeds import TASK_EVENT
from dispatch.desk import Desk
from dispatch.evidence import Evidence
from dispatch.exhibits import EVIDENCE
from dispatch.field import Field
from dispatch.geofence import Geofence
from dispatch.media import LIMITS, Sort
from dispatch.minder import Minder
from dispatch.notifier import Notifier
from dispatch.past import Past
from dispatch.reporting import Reporting
from dispatch.road_desk import RoadDesk
from dispatch.roads import Roads
from dispatch.rounds import Rounds
from dispatch.rules import Rules
from dispatch.rules_file import CITIES, read_rules
from dispatch.sos_watch import SosWatch
from dispatch.steps import Steps
from dispatch.surveys import Surveys
from dispatch.travel import TRIP
from dispatch.webhook_sender import WebhookSender, read_secret
from dispatch.webhooks import HOOK
from storage.archive.budgets import Level
from storage.config import Settings
from storage.foundation import Foundation
from tracker.assembly import Tracker
from tracker.model import DeviceId, UnitId


@dataclass(frozen=True, slots=True)
class Given:
    """What the operator has given besides the settings: the city's rules, its roads, and what webhooks are signed
    with."""

    rules: Rules
    roads: Roads | None
    secret: bytes

    @classmethod
    def read(cls, settings: Settings) -> Given:
        """Raises :class:`storage.toml.ConfigError` and :class:`dispatch.roads_file.RoadsError`, for the operator."""
        rules = read_rules(settings.dispatch.rules or CITIES / "round-the-clock.toml")
        roads = None if settings.dispatch.roads is None else Roads.load(settings.dispatch.roads)
        return cls(rules, roads, b"" if settings.webhook.url is None else read_secret(settings))


class Part(Protocol):
    """What runs."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Dispatch:
    """Stands on ``tracker``; ``books`` have what the journal holds."""

    def __init__(
        self, settings: Settings, ground: Foundation, tracker: Tracker, books: Books, given: Given, reactor: Any,
        wall: Callable[[], int],
    ) -> None:  # fmt: skip
        intake, links, mirror = tracker.intake, tracker.links, tracker.mirror
        rules = given.rules
        self.books = books
        self.past = Past(ground.journal, ground.archive, ground.reader)
        self.steps = steps = Steps(intake)
        by_type = books.by_type()
        for kind in (TASK_EVENT, TRIP, EVIDENCE):
            steps.attach(kind, by_type[kind].replay)
        self.desk = desk = Desk(
            intake, books.tasks, steps, rules, Deadlines(tracker.working_time, rules.shares), reactor,
            lambda: secrets.token_hex(6),
        )  # fmt: skip
        self.courier = Courier(intake, links, desk, reactor, ZoneInfo(settings.city.zone), LIMITS[Sort.PHOTO])
        self.geofence = Geofence(intake, desk, steps)
        self.minder = Minder(intake, mirror, desk, reactor)
        self.field = Field(
            intake, mirror, tracker.rota, books.tasks, self.courier.reaches, self.geofence.mode,
            float(rules.ranking.scene_s), books.sos.needs_help,
        )  # fmt: skip
        self.roads = None if given.roads is None else RoadDesk(given.roads)
        self.rounds = Rounds(intake, desk, steps, self.field, books.detours, reactor, ground.threads,
                             self.roads)  # fmt: skip
        self.sos = SosWatch(intake, links, mirror, desk, steps, books.sos, self.minder.called)
        self.evidence = Evidence(
            settings.data, intake, ground.blobs, reactor, ground.threads, lambda: secrets.token_hex(16), books.exhibits
        )
        self.copies = Copies(settings.data, reactor, ground.threads, lambda: ground.space.level < Level.CRITICAL)
        self.notifier = Notifier(intake, links, desk, steps, books.notices, lambda: secrets.token_hex(6))
        self.surveys = Surveys(intake, tracker.rota, desk)
        self.reporting = Reporting(intake, desk, steps, books.problems, books.exhibits)
        self.evidence.desk = self.reporting
        Answers(intake, links, desk, self.geofence.marks, self._stored, self.reporting.problem, self.notifier.said)
        self.webhooks: WebhookSender | None = None
        if settings.webhook.url is not None:
            self.webhooks = WebhookSender(books.outbox, intake, settings.webhook.url, given.secret, reactor)
            steps.attach(HOOK, books.outbox.replay)
            steps.beside.append(books.outbox.plan)
            desk.listen(self.webhooks.look)
        links.came.append(self._came)
        # Whoever an offer did not reach can be asked again as soon as anything comes from him.
        intake.stored.append(lambda carrier, records: desk.heard(carrier.unit.id))
        tracker.forgotten.append(self.forget)
        self._parts: list[Part] = [self.desk, self.rounds, self.minder, self.evidence, self.copies]
        self._parts += [part for part in (self.webhooks, self.roads) if part is not None]
        self._roster = intake.roster

    def start(self) -> None:
        self.evidence.begin()
        for part in self._parts:
            part.start()
        log = Logger(namespace="gridbeat.dispatch")
        Deferred.fromCoroutine(self.reporting.begin()).addErrback(
            lambda failure: log.failure("photos of before the start", failure=failure)
        )

    def stop(self) -> None:
        """Begin nothing more."""
        for part in self._parts:
            part.stop()

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit any more."""
        books = self.books
        for part in (books.tasks, books.tally, books.sos, books.problems, books.notices, books.outbox, self.evidence,
                     self.field, self.geofence, self.rounds):  # fmt: skip
            part.forget(unit)
        self.desk.forget(unit)

    def _came(self, device: DeviceId) -> None:
        known = self._roster.devices.get(device)
        if known is not None and known.unit:
            self.sos.come(known.unit)
        self.rounds.poke()

    def _stored(self, unit: UnitId, photo: str) -> bool:
        return self.books.exhibits.get(photo, unit) is not None
