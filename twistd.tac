"""The composition root: reads the settings, builds the parts, connects them and starts them. Run by twistd.

It is the only file that knows every package; whatever a part needs is handed to it here.
"""

import contextlib
import dataclasses
import gc
import os
import resource
import secrets
import sys
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# redis-py needs asyncio's loop. With twistd's --reactor=asyncio it is there already.
if "twisted.internet.reactor" not in sys.modules:
    from twisted.internet import asyncioreactor

    asyncioreactor.install()

import json
from zoneinfo import ZoneInfo

import msgpack
from twisted.application.service import Application, Service
from twisted.internet import defer, reactor, task, threads
from twisted.internet.error import CannotListenError
from twisted.logger import ILogObserver, Logger
from twisted.python.threadpool import ThreadPool

import demo
from simulator.city import make_city
from storage import config, log, upgrade
from storage.archive.archive import Archive, ArchiveError
from storage.archive.budgets import limits_from
from storage.archive.head_sender import HeadSender
from storage.archive.reader import Reader
from storage.blobs import Blobs
from storage.bridge import as_deferred
from storage.certificates import CertificateError, Certificates, files_of
from storage.client import Client
from storage.doors import doors
from storage.embedded import EmbeddedServer
from storage.journal import Journal
from storage.space import MEGABYTE, Level, Space
from tracker.access_log import AccessLog
from tracker.applier import Applier
from tracker.archivist import HOUR, Archivist
from tracker.catalogue import CATALOGUE, DOORS, PORTS
from tracker.checkpoint import Kept
from tracker.coordinate_watch import CoordinateWatch
from tracker.device_plans import plan_digests, plan_shift_ends
from tracker.duty import DutyBook
from tracker.duty_clerk import DutyClerk, within
from tracker.duty_events import DUTY, OFF_DUTY
from tracker.enrolment import Enrolments
from tracker.exporting import Exports
from tracker.http import PhoneReports
from tracker.intake import Intake, StoreFailed
from tracker.links import Links
from tracker.listening import Listening
from tracker.mirror import Mirror
from tracker.off_duty import OffDutyRemovals
from tracker.outages import Outages, last_heard
from tracker.photos import Photos
from tracker.pipeline import Pipeline
from tracker.presence import PresenceLimits
from tracker.record import PRIVATE
from tracker.removals import Removals
from tracker.roll_call import ROLL_CALL, RollBook
from tracker.roll_caller import RollCaller
from tracker.rota import Rota
from tracker.seats import Seats, SeatWatch
from tracker.service import make_listeners
from tracker.steward import Steward
from tracker.store import RedisLiveStore
from tracker.tcp import LinkLimits
from tracker.tokens import derived
from tracker.tracks import Tracks
from tracker.turns import BEHIND_RECORDS, WAITING_RECORDS, Turns
from tracker.workdays import CalendarError, read_calendar
from tracker.working_time import WorkingTime
from webmap.access import Access
from webmap.accounts import Accounts
from webmap.authority_page import AuthorityPage
from webmap.basemaps import choices
from webmap.codes import Codes
from webmap.desks import Desks
from webmap.feeds import Feeds
from webmap.lost_password import SECONDS as LOST_SECONDS
from webmap.lost_password import LostPassword
from webmap.page import STATIC
from webmap.passwords import FirstAdmin
from webmap.reach import unit_within
from webmap.rights import Action
from webmap.routes import Gate
from webmap.safe import secret_of
from webmap.service import make_console, make_field, make_phones
from webmap.services import CityInfo, Services
from webmap.session_store import RedisSessionStore
from webmap.sessions import Sessions
from webmap.sign_in import SignIn
from webmap.tiles import open_all
from webmap.views import feed_row
from webmap.websocket import FeedSockets

NO_BASEMAP = b'{"type":"FeatureCollection","features":[]}'


def wall():
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


class Gridbeat(Service):
    """The whole server. Everything is made in ``__init__``, started in order, and stopped in the opposite order."""

    def __init__(self, settings, listeners, certificates, tiles, archive, kept, calendar):
        self.settings, self.log = settings, Logger(namespace="gridbeat")
        self.basemaps = choices(settings.basemaps, tiles), tiles
        data = settings.data
        self.writer, self.threads = ThreadPool(1, 1, "journal"), ThreadPool(1, 4, "work")
        self.space = Space(data, settings.reserve_mb * MEGABYTE, reactor, self.threads)
        if settings.redis_url:
            self.embedded, self.client = None, Client(settings.redis_url)
        else:
            self.embedded = EmbeddedServer(data / "redis", reactor)
            self.client = Client(self.embedded.url, self.embedded.answered)
        self.town = make_city() if settings.demo else None

        secret = secret_of(data)
        journal = Journal(
            data / "journal", reactor, self.writer, wall, floor=kept.floor, make_room=self.space.make_room
        )
        self.intake = intake = Intake(journal, wall)
        self.listening = Listening(listeners, certificates, intake.counters, wall, reactor)
        self.authority = AuthorityPage(STATIC, settings.city.name,
                                       lambda: certificates.authority if certificates else None)  # fmt: skip
        self.accounts = Accounts(intake.roster)
        intake.roster.attach(self.accounts)
        zone = ZoneInfo(settings.city.zone)
        self.working_time = WorkingTime(calendar, settings.working_time.hours, zone)
        self.rota = Rota(intake.roster, zone)
        intake.roster.attach(self.rota)
        self.outages = Outages()
        intake.roster.follow_crew = settings.duty.vehicles_follow_crew
        self.book = book = DutyBook(intake.roster, within(self.rota.planned, archive.days))
        intake.roster.attach(self.outages)
        seats = Seats()
        intake.roster.attach(seats)
        blobs = Blobs(data / "media", reactor, self.threads, self.space.may_store_photos,
                      limit=settings.archive.photos_mb * MEGABYTE)  # fmt: skip
        photos = Photos(intake, blobs)
        self.links = links = Links(intake, photos, reactor, lambda: secrets.token_urlsafe(9))
        removed, late, calls = [], [], RollBook()

        def happened(event):
            links.replay(event)
            if event[0] == ROLL_CALL:
                calls.replay(event)
            if event[0] == "removal":
                removed.append(event)
            elif event[0] == DUTY:
                book.replay(event)
            elif event[0] == OFF_DUTY:
                late.append(event)

        lost = intake.replay(happened, kept.newest(journal.id))
        self.silent = last_heard(journal.read(max(1, journal.last), 1)), wall()
        if lost:
            self.log.error("{lost} records between the snapshot and the journal are gone: enter again what was changed "
                           "in them", lost=lost)  # fmt: skip
        store = RedisLiveStore(self.client)
        applier = Applier(journal, Pipeline(intake.areas), store, reactor, self.threads, wall, self.entities,
                          kept=lambda: kept.states(journal.id))  # fmt: skip
        online, offline = settings.presence.online_s, settings.presence.offline_s
        mirror = Mirror(store, wall, intake.roster.on_duty, PresenceLimits(online * 1000, offline * 1000))
        intake.heard = lambda carrier: carrier.device.unit and mirror.heard(carrier.unit.id)
        city = self.city()
        about = {"city": {"name": city.name, "center": city.center, "zone": str(city.zone)}, "demo": city.demo,
                 "limits": {"online_s": online, "offline_s": offline}}  # fmt: skip
        feed = Feeds(intake.roster, lambda unit: feed_row(mirror, unit), lambda _: about, lambda: secrets.token_hex(8))
        mirror.listen(feed.update)
        coordinates = CoordinateWatch(intake.areas)
        mirror.listen(lambda units: coordinates.look(units, mirror.units, intake.roster))
        self.roll_calls = RollCaller(intake, links, mirror, calls, reactor, lambda: secrets.token_urlsafe(9))
        mirror.listen(self.roll_calls.seen)
        links.ended = self.roll_calls.ended
        self.reader = Reader(archive.layout.root)
        tracks = Tracks(
            journal,
            store,
            applier,
            intake.areas,
            archive,
            self.reader,
            reactor,
            self.threads,
            wall,
            intake.roster.bindings.relabelled,
        )
        self.heads = HeadSender(data / "heads.json", archive.chains, settings.city.name, reactor, self.threads, wall,
                                file=settings.heads.file, url=settings.heads.url)  # fmt: skip
        self.archivist = Archivist(data, archive, settings.city.zone, wall, reactor, {
            "seal": lambda: {"upto": journal.last, "before": wall() // HOUR * HOUR},
            "snapshot": lambda: {"upto": journal.last, "redis": self.client.url},
            "states": lambda: {"redis": self.client.url},
            "close": lambda: self.steward.arguments(),
            "tidy": lambda: self.steward.arguments(),
        }, may_write=lambda: self.space.level < Level.CRITICAL, after_night=self.send_heads)  # fmt: skip
        rewrite = (lambda: as_deferred(self.client.rewrite())) if self.embedded else None
        self.steward = Steward(data, archive, limits_from(dataclasses.asdict(settings.archive)), self.space,
                               self.archivist, blobs, reactor, self.threads, wall, rewrite)  # fmt: skip

        self.exports = Exports(data, intake, self.archivist, self.space, reactor, self.threads,
                               lambda: secrets.token_hex(16))  # fmt: skip

        self.off_duty = OffDutyRemovals(
            intake, links, applier, mirror, tracks, self.archivist, reactor, lambda: secrets.token_hex(8),
            (lambda: as_deferred(self.client.rewritten())) if self.embedded else None)  # fmt: skip
        self.off_duty.take(late)
        self.clerk = DutyClerk(intake, book, archive.days, reactor, self.off_duty.promised, self.off_duty.take,
                               mirror.sweep)  # fmt: skip

        def forgotten(unit, devices):
            book.forget(unit)
            self.off_duty.forget(unit)
            feed.forget(unit)
            self.exports.forget(unit)
            self.roll_calls.forget(unit)
            for device in devices:
                coordinates.forget(device)

        self.removals = Removals(data, secret, intake, links, applier, mirror, tracks.tail, self.archivist, reactor,
                                 self.threads, lambda: secrets.token_hex(8), forgotten,
                                 (lambda: as_deferred(self.client.rewritten())) if self.embedded else None)  # fmt: skip
        self.removals.begin(removed)
        log_of_looks = AccessLog(journal, archive, self.reader)
        self.first, codes, access = FirstAdmin(data), Codes(secret), Access(intake, log_of_looks)
        self.sessions = sessions = Sessions(self.accounts, RedisSessionStore(self.client), wall)
        sign_in = SignIn(self.accounts, codes, secret, reactor, self.threads, wall)
        self.lost = LostPassword(data, intake, self.accounts, access, self.first)
        self.desks = Desks(seats, self.accounts, SeatWatch(seats, calendar, zone, wall()),
                           lambda: {each.who.name for each in self.feed_sockets.sockets}, wall)  # fmt: skip
        services = Services(intake, links, applier, mirror, tracks, feed, self.accounts, sessions, city,
                            reactor, self.threads, wall, upgrade.VERSION, self.space, self.phone_door,
                            coordinates, archive, self.archivist, self.steward, self.heads,
                            self.embedded is not None, self.removals, self.exports, access, self.rota,
                            self.outages, self.working_time, sign_in,
                            codes, self.first,
                            enrolments=Enrolments(lambda: f"{secrets.randbelow(1_000_000):06}",
                                                  lambda: secrets.token_urlsafe(16)),
                            roll_calls=self.roll_calls, desks=self.desks,
                            clerk=self.clerk, duty=book, off_duty=self.off_duty, listening=self.listening)  # fmt: skip
        link_limits = LinkLimits(settings.limits.connections, settings.limits.per_address,
                                 settings.limits.login_s, settings.limits.idle_s)  # fmt: skip
        # A backlog waits for the disk, and for the map unless that waits for something itself.
        turns = Turns(reactor, lambda: journal.waiting < WAITING_RECORDS,
                      lambda: bool(applier.problem) or journal.last - applier.stored < BEHIND_RECORDS)  # fmt: skip
        sources = self.listening.sources
        self.listeners = make_listeners(intake, links, link_limits, reactor, turns=turns, sources=sources)

        def followed(who, unit):
            if unit != who.unit and unit_within(intake.roster, who.scope(Action.LIVE), unit) is not None:
                services.access.looked(who, "follow", unit)

        gate = Gate(services)
        self.feed_sockets = FeedSockets(
            feed, gate.of_session, lambda: applier.behind(wall()), wall, settings.origins, reactor,
            lambda: self.accounts.version, followed, gate.must_wait,
        )  # fmt: skip
        sessions.ended(self.feed_sockets.ended)
        self.console = make_console(services, self.feed_sockets, reactor, settings.origins,
                                    self.authority)  # fmt: skip
        phones = PhoneReports(intake)
        self.field = make_field(phones, self.listeners.handheld_sockets, reactor, self.authority, services)
        self.phones = make_phones(phones, reactor)
        self.loops = {"applier": applier.run, "filler": applier.fill, "mirror": mirror.run,
                      "sessions": sessions.run, "tail": tracks.run}  # fmt: skip
        self.sweep = task.LoopingCall(lambda: mirror.sweep(intake.roster.units))
        self.shift_look = task.LoopingCall(lambda: defer.Deferred.fromCoroutine(self.end_shifts()))
        self.derived = lambda device: derived(secret, device)
        self.rounds = task.LoopingCall(self.desks.look)
        self.lost_look = task.LoopingCall(lambda: defer.Deferred.fromCoroutine(self.find_lost()))
        self.tasks, self.simulator = [], None

    def entities(self):
        """Who is who, as live state holds it for other programs."""
        roster = self.intake.roster
        changes = [change for change in roster.changes() if change[0] not in PRIVATE]
        return [(kind, identity, msgpack.packb(fields)) for kind, identity, fields in changes]

    def city(self):
        settings, zone = self.settings, ZoneInfo(self.settings.city.zone)
        if self.town:
            basemap = json.dumps(self.town.basemap, ensure_ascii=False, separators=(",", ":")).encode()
            return CityInfo(self.town.name.zh, self.town.centre, zone, basemap, True, *self.basemaps)
        center = settings.city.center or self.intake.areas().center() or (35.0, 105.0)
        return CityInfo(settings.city.name, center, zone, NO_BASEMAP, False, *self.basemaps)

    def startService(self):
        super().startService()
        # One handle a device: the usual limit of 1,024 is for programs that use select().
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        # Threads last: a start that fails before them ends the process, one that fails after would hang in them.
        try:
            self.listen()
        except CannotListenError as error:
            self.log.error("cannot listen: {reason}", reason=error)
            sys.exit(f"Port {error.port} on {error.interface} cannot be used ({error.socketError}). Is another server "
                     "running? Ports are set in the settings file; see city.toml.example.")  # fmt: skip
        if self.embedded:
            self.embedded.start()
        self.writer.start()
        self.threads.start()
        self.space.start()
        self.tasks = [as_deferred(loop()).addErrback(self.died, name) for name, loop in self.loops.items()]
        self.links.start()
        self.roll_calls.start()
        self.rounds.start(5.0, now=False)
        self.sweep.start(5.0, now=False)  # some 15 ms for 10,000 units
        self.shift_look.start(30.0, now=False)
        self.archivist.start()
        self.removals.start()
        self.off_duty.start()
        self.clerk.start()
        self.exports.start()
        self.steward.start()
        self.heads.start()
        self.feed_sockets.start()
        self.listeners.handheld_sockets.start()
        defer.Deferred.fromCoroutine(self.begin()).addErrback(
            lambda failure: self.log.failure("the start did not come to its end", failure=failure)
        )
        # What was made until now stays for ever; looking through it again and again is time lost.
        gc.collect()
        gc.freeze()

    def listen(self):
        sites = {"console": self.console, "field": self.field, "phones": self.phones}
        self.listening.open(sites, self.listeners.tcp, self.listeners.udp, self.authority.plain)

    def phone_door(self):
        return self.settings.phones.bind, self.listening.numbers["phones"]

    def died(self, failure, name):
        if self.running:
            self.log.failure("the {name} loop ended", failure=failure, name=name)

    def send_heads(self):
        self.heads.send(wall()).addErrback(lambda failure: self.log.failure("the heads were not read", failure=failure))

    async def begin(self):
        """What a start writes: digests of tokens, the first account, and the demo city."""
        await self.write_digests()
        while not self.accounts.by_name:
            made = await threads.deferToThreadPool(reactor, self.threads, self.first.make)
            wanted = {"name": self.first.name, "role": "admin"}
            try:
                await self.intake.change(lambda: self.accounts.plan_new(wanted, made))  # noqa: B023 - it is called at once
            except StoreFailed as failed:
                self.log.error("the first account cannot be written: {reason}", reason=str(failed))
                await task.deferLater(reactor, 5.0)
        self.first.done()
        try:
            await self.intake.change(lambda: self.outages.plan(*self.silent))
        except StoreFailed as failed:
            self.log.error("when the server was away cannot be written: {reason}", reason=str(failed))
        self.lost_look.start(LOST_SECONDS)
        self.tell()
        if self.town:
            await self.start_demo()

    async def find_lost(self):
        """A password that ./run new-password has asked for."""
        try:
            if await self.lost.look():
                self.log.info("an account has a new password by command")
        except Exception:
            self.log.failure("a request for a new password was not taken up")

    async def write_digests(self):
        """Tokens were derived from the folder's secret once: the digests of those are written."""
        changes = lambda: plan_digests(self.intake.roster, self.derived)  # noqa: E731
        while changes():
            try:
                await self.intake.change(lambda: (None, changes()))
            except StoreFailed as failed:
                self.log.error("the devices' digests cannot be written: {reason}", reason=str(failed))
                await task.deferLater(reactor, 5.0)

    async def end_shifts(self):
        """Phones that were given for a shift which has ended are nobody's."""
        with contextlib.suppress(StoreFailed):  # the next look is in half a minute
            await self.intake.change(lambda: (None, plan_shift_ends(self.intake.roster, wall())))

    async def start_demo(self):
        issued = await demo.enter(self.intake, self.town)
        await demo.enter_rota(self.intake, self.rota, self.working_time, wall())
        self.simulator = demo.Simulator(self.town, issued, self.listening.numbers, reactor)
        self.simulator.start()

    def tell(self):
        """What a newcomer needs to know, on the terminal."""
        rows = [("console 控制台", "console", "http"), ("field 外场", "field", "http"),
                ("phone apps 手机", "phones", "http"), ("handhelds 手持终端", "handheld", "tcp"),
                ("JT/T 808", "jt808", "tcp+udp")]  # fmt: skip
        rows += [(CATALOGUE[name].title, name, "+".join(door.transports)) for name, door in DOORS.items()]
        lines = ["", "Gridbeat is running" + (" the demo city 演示城市" if self.town else "") + "."]
        for label, name, scheme in rows:
            lines.append(f"  {label:<20} {self.listening.address(name, scheme)}")
        for networks, names in self.listening.in_the_clear().items():
            lines += [f"  without TLS 无加密    {', '.join(names)}", f"    only from 仅限 {', '.join(networks)}"]
        password = self.first.password()
        if password:
            lines.append(
                f"  login 登录            {self.first.name} / {password} (noted in {self.first.note}; delete that)"
            )
        else:
            lines.append("  login 登录            (as you know it)")
        print("\n".join([*lines, ""]), file=sys.__stdout__, flush=True)  # twistd turns sys.stdout into the log

    async def stop(self):
        """Refuse first, then write what was taken, then let go of the store."""
        if self.simulator:
            self.simulator.stop()
        self.sweep.stop()
        self.shift_look.stop()
        self.rounds.stop()
        self.roll_calls.stop()
        if self.lost_look.running:
            self.lost_look.stop()
        self.feed_sockets.stop()
        self.listeners.handheld_sockets.stop()
        await self.listening.close()
        self.links.stop()
        self.space.stop()
        self.clerk.stop()
        self.off_duty.stop()
        self.removals.stop()
        self.exports.stop()
        self.steward.stop()
        self.heads.stop()
        await self.archivist.stop()
        await self.intake.journal.close()
        for loop in self.tasks:
            loop.cancel()
        await as_deferred(self.sessions.close())
        await as_deferred(self.client.close())
        if self.embedded:
            await self.embedded.stop()
        self.writer.stop()
        self.threads.stop()
        self.reader.close()

    def stopService(self):
        super().stopService()
        return defer.Deferred.fromCoroutine(self.stop())


# Where people were is nobody else's business on this machine: all that we and our children make is for our user alone.
os.umask(0o077)
try:
    given = os.environ.get("GRIDBEAT_CONFIG")
    settings = config.read(Path(given), PORTS) if given else config.defaults(PORTS)
    pem = files_of(settings.data, settings.tls.certificate, settings.tls.key)
    certificates = Certificates(pem, settings.data, reactor, wall) if pem else None
    listeners = doors(settings, certificates is not None)
    tiles = open_all(settings.basemaps)
    # Before anything else opens the folder. The handle is held to the end: with it goes the folder's lock.
    folder = upgrade.prepare(settings.data, settings.city.zone)
    archive = Archive(settings.data / "archive", settings.city.zone)
    kept = Kept(archive.layout, lambda reason: Logger(namespace="gridbeat").error("{reason}", reason=reason))
    days = settings.working_time
    calendar = read_calendar(days.country, days.weekdays, days.holidays)
except config.ConfigError as error:
    sys.exit(f"The settings cannot be used:\n{error}")
except CertificateError as error:
    sys.exit(f"The settings cannot be used:\n{settings.source.place('tls', 'certificate')}: [tls] {error}")
except (upgrade.FolderError, ArchiveError, CalendarError) as error:
    sys.exit(str(error))

application = Application("gridbeat")
application.setComponent(ILogObserver, log.observer(settings.data / "log"))
Gridbeat(settings, listeners, certificates, tiles, archive, kept, calendar).setServiceParent(application)
