"""The console put together: accounts and their sessions, the living map's feed, the sites, and every listener."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from dispatch.assembly import Dispatch
from storage.bridge import as_deferred
from storage.certificates import Certificates
from storage.config import Settings
from storage.doors import Door
from storage.foundation import Foundation
from storage.upgrade import VERSION
from tracker.access_log import AccessLog
from tracker.assembly import AGAIN_S, Tracker
from tracker.enrolment import Enrolments
from tracker.http import PhoneReports
from tracker.intake import StoreFailed
from tracker.listening import Listening
from tracker.seats import SeatWatch
from tracker.service import make_listeners
from tracker.tcp import LinkLimits
from tracker.turns import BEHIND_RECORDS, WAITING_RECORDS, Turns
from tracker.workdays import Calendar
from webmap.access import Access
from webmap.accounts import Accounts
from webmap.authority_page import AuthorityPage
from webmap.codes import Codes
from webmap.desks import Desks
from webmap.feeds import Feeds
from webmap.lost_password import SECONDS as LOST_S
from webmap.lost_password import LostPassword
from webmap.page import STATIC
from webmap.passwords import FirstAdmin
from webmap.reach import unit_within
from webmap.rights import Action, Who
from webmap.routes import Gate
from webmap.service import make_console, make_field, make_phones
from webmap.services import CityInfo, Services
from webmap.session_store import RedisSessionStore
from webmap.sessions import Sessions
from webmap.sign_in import SignIn
from webmap.views import feed_row
from webmap.websocket import FeedSockets

ROUNDS_S = 5.0
"""Between two looks at which seats are empty."""


class Console:
    """What people use, over a ``tracker``, and the doors that devices and people come in by. ``secret`` is the data
    folder's; ``wall`` gives ms since 1970."""

    def __init__(
        self,
        settings: Settings,
        ground: Foundation,
        tracker: Tracker,
        dispatch: Dispatch,
        accounts: Accounts,
        doors: Mapping[str, Door],
        certificates: Certificates | None,
        city: CityInfo,
        calendar: Calendar,
        secret: bytes,
        reactor: Any,
        wall: Callable[[], int],
    ) -> None:
        self.first = FirstAdmin(settings.data)
        self._accounts = accounts
        self._intake, self._pool, self._reactor, self._wall = tracker.intake, ground.threads, reactor, wall
        self._log = Logger(namespace="gridbeat.console")
        intake, zone = tracker.intake, ZoneInfo(settings.city.zone)
        self.listening = Listening(doors, certificates, intake.counters, wall, reactor)
        authority = AuthorityPage(STATIC, settings.city.name, lambda: certificates.authority if certificates else None)
        about = {
            "city": {"name": city.name, "center": city.center, "zone": str(zone)}, "demo": city.demo,
            "limits": {"online_s": settings.presence.online_s, "offline_s": settings.presence.offline_s},
        }  # fmt: skip
        feeds = Feeds(
            intake.roster, lambda unit: feed_row(tracker.mirror, unit), lambda _: about, lambda: secrets.token_hex(8)
        )
        tracker.mirror.listen(feeds.update)
        tracker.forgotten.append(feeds.forget)

        access, codes = Access(intake, AccessLog(ground.journal, ground.archive, ground.reader)), Codes(secret)
        self._sessions = Sessions(accounts, RedisSessionStore(ground.client), wall)
        self._lost = LostPassword(settings.data, intake, accounts, access, self.first)
        self._desks = Desks(
            tracker.seats, accounts, SeatWatch(tracker.seats, calendar, zone, wall()),
            lambda: {each.who.name for each in self._sockets.sockets}, wall,
        )  # fmt: skip
        services = Services(
            intake=intake, links=tracker.links, applier=tracker.applier, mirror=tracker.mirror, tracks=tracker.tracks,
            feed=feeds, accounts=accounts, sessions=self._sessions, city=city, reactor=reactor, pool=ground.threads,
            wall=wall, version=VERSION, space=ground.space, coordinates=tracker.coordinates, archive=ground.archive,
            phones=lambda: (settings.phones.bind, self.listening.numbers["phones"]), archivist=tracker.archivist,
            steward=tracker.steward, heads=ground.heads, embedded=ground.embedded is not None,
            removals=tracker.removals, exports=tracker.exports, access=access, rota=tracker.rota,
            outages=tracker.outages, working_time=tracker.working_time, codes=codes, first=self.first,
            sign_in=SignIn(accounts, codes, secret, reactor, ground.threads, wall),
            enrolments=Enrolments(lambda: f"{secrets.randbelow(1_000_000):06}", lambda: secrets.token_urlsafe(16)),
            roll_calls=tracker.roll_calls, desks=self._desks, clerk=tracker.clerk, duty=tracker.duty,
            desk=dispatch.desk, rounds=dispatch.rounds, past=dispatch.past, sos=dispatch.sos,
            notifier=dispatch.notifier, surveys=dispatch.surveys,
            reporting=dispatch.reporting, evidence=dispatch.evidence, copies=dispatch.copies,
            webhooks=dispatch.webhooks,
            tally=dispatch.books.tally,
            off_duty=tracker.off_duty, listening=self.listening, day_facts=tracker.day_facts,
        )  # fmt: skip

        def followed(who: Who, unit: str) -> None:
            if unit != who.unit and unit_within(intake.roster, who.scope(Action.LIVE), unit) is not None:
                access.looked(who, "follow", unit)

        gate = Gate(services)
        self._sockets = FeedSockets(
            feeds, gate.of_session, lambda: tracker.applier.behind(wall()), wall, settings.origins, reactor,
            lambda: accounts.version, followed, gate.must_wait,
        )  # fmt: skip
        self._sessions.ended(self._sockets.ended)
        dispatch.desk.listen(lambda: self._sockets.desk(dispatch.desk.version))

        limits, journal, applier = settings.limits, ground.journal, tracker.applier
        # A backlog waits for the disk, and for the map unless that waits for something itself.
        turns = Turns(
            reactor, lambda: journal.waiting < WAITING_RECORDS,
            lambda: bool(applier.problem) or journal.last - applier.stored < BEHIND_RECORDS,
        )  # fmt: skip
        self._devices = make_listeners(
            intake, tracker.links,
            LinkLimits(limits.connections, limits.per_address, limits.login_s, limits.idle_s), reactor,
            turns=turns, sources=self.listening.sources,
        )  # fmt: skip
        phones = PhoneReports(intake)
        self._sites = {
            "console": make_console(services, self._sockets, reactor, settings.origins, authority),
            "field": make_field(phones, self._devices.handheld_sockets, reactor, authority, services),
            "phones": make_phones(phones, reactor),
        }
        self._plain = authority.plain
        self._rounds = LoopingCall(self._desks.look)
        self._lost_look = LoopingCall(lambda: Deferred.fromCoroutine(self._find_lost()))
        self._keeping: Deferred[None] | None = None

    def listen(self) -> None:
        """Bind every port. Raises Twisted's ``CannotListenError``."""
        self.listening.open(self._sites, self._devices.tcp, self._devices.udp, self._plain)

    def start(self) -> None:
        self._keeping = as_deferred(self._sessions.run()).addErrback(self._died)
        self._rounds.start(ROUNDS_S, now=False)
        self._sockets.start()
        self._devices.handheld_sockets.start()

    async def begin(self) -> None:
        """Make the first account of a city that has none, and look for lost passwords from now on."""
        wanted = {"name": self.first.name, "role": "admin"}
        while not self._accounts.by_name:
            made = await deferToThreadPool(self._reactor, self._pool, self.first.make)
            try:
                await self._intake.change(lambda: self._accounts.plan_new(wanted, made))  # noqa: B023 - it is called at once
            except StoreFailed as failed:
                self._log.error("the first account cannot be written: {reason}", reason=str(failed))
                await deferLater(self._reactor, AGAIN_S)
        self.first.done()
        self._lost_look.start(LOST_S)

    async def stop(self) -> None:
        """Take nobody in any more."""
        self._rounds.stop()
        if self._lost_look.running:
            self._lost_look.stop()
        self._sockets.stop()
        self._devices.handheld_sockets.stop()
        await self.listening.close()
        if self._keeping is not None:
            self._keeping.cancel()
        await as_deferred(self._sessions.close())

    async def _find_lost(self) -> None:
        """A password that ./run new-password has asked for."""
        try:
            if await self._lost.look():
                self._log.info("an account has a new password by command")
        except Exception:
            self._log.failure("a request for a new password was not taken up")

    def _died(self, failure: Failure) -> None:
        if self._rounds.running:
            self._log.failure("the sessions' loop ended", failure=failure)
