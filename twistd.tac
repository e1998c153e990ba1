"""The composition root: reads the settings, builds the parts, connects them and starts them. Run by twistd.

It is the only file that knows every package. Each package puts its own parts together in its ``assembly``; whatever one
needs of another is handed to it here.
"""

import gc
import os
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# redis-py needs asyncio's loop. With twistd's --reactor=asyncio it is there already.
if "twisted.internet.reactor" not in sys.modules:
    from twisted.internet import asyncioreactor

    asyncioreactor.install()

from twisted.application.service import Application, Service
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import ILogObserver, Logger

import demo
import demo_tasks
from dispatch.assembly import Dispatch, Given
from dispatch.books import Books
from dispatch.roads_file import RoadsError
from simulator.city import make_city
from storage import config, log, upgrade
from storage.archive.archive import Archive, ArchiveError
from storage.certificates import CertificateError, Certificates, files_of
from storage.doors import doors
from storage.foundation import Foundation
from tracker.assembly import Tracker
from tracker.catalogue import PORTS
from tracker.checkpoint import Kept
from tracker.intake import Intake
from tracker.workdays import CalendarError, read_calendar
from webmap.accounts import Accounts
from webmap.assembly import Console
from webmap.basemaps import choices
from webmap.greeting import greeting
from webmap.safe import secret_of
from webmap.services import CityInfo
from webmap.tiles import open_all


def wall():
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


class Gridbeat(Service):
    """The whole server. Everything is made in ``__init__``, started in order, and stopped in the opposite order."""

    def __init__(self, settings, doors, certificates, tiles, archive, kept, calendar, given):
        self.town, self.shows = make_city() if settings.demo else None, ()
        self.log, secret = Logger(namespace="gridbeat"), secret_of(settings.data)
        self.ground = Foundation(settings, archive, kept.floor, reactor, wall)
        self.intake = Intake(self.ground.journal, wall)
        accounts = Accounts(self.intake.roster)
        self.intake.roster.attach(accounts)
        books = Books(archive.days.day_of)
        self.tracker = Tracker(settings, self.ground, self.intake, kept, calendar, secret, reactor, wall,
                               books.by_type(), "dispatch.archiving")  # fmt: skip
        self.dispatch = Dispatch(settings, self.ground, self.tracker, books, given, reactor, wall)
        city = CityInfo.of(settings, self.intake.areas(), choices(settings.basemaps, tiles), tiles)
        if self.town:
            city = demo.shown(self.town, city)
        self.console = Console(settings, self.ground, self.tracker, self.dispatch, accounts, doors, certificates, city,
                               calendar, secret, reactor, wall)  # fmt: skip

    def startService(self):
        super().startService()
        # One handle a device: the usual limit of 1,024 is for programs that use select().
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        # Threads later: a start that fails before them ends the process, one that fails after would hang in them.
        try:
            self.console.listen()
        except CannotListenError as error:
            self.log.error("cannot listen: {reason}", reason=error)
            sys.exit(f"Port {error.port} on {error.interface} cannot be used ({error.socketError}). Is another server "
                     "running? Ports are set in the settings file; see city.toml.example.")  # fmt: skip
        for part in (self.ground, self.tracker, self.dispatch, self.console):
            part.start()
        Deferred.fromCoroutine(self.begin()).addErrback(
            lambda failure: self.log.failure("the start did not come to its end", failure=failure)
        )
        # What was made until now stays for ever; looking through it again and again is time lost.
        gc.collect()
        gc.freeze()

    async def begin(self):
        """What needs the disk: what every start writes, the first account, and the demo city."""
        await self.tracker.begin()
        await self.console.begin()
        # twistd turns sys.stdout into the log.
        told = greeting(self.console.listening, self.console.first, self.town is not None)
        print(told, file=sys.__stdout__, flush=True)
        if self.town:
            issued = await demo.enter(self.intake, self.town)
            await demo.enter_rota(self.intake, self.tracker.rota, self.tracker.working_time, wall())
            desk = self.dispatch.desk
            self.shows = (demo.Simulator(self.town, issued, self.console.listening, reactor),
                          demo_tasks.make(self.town, desk.create, lambda: len(desk.book.open()), reactor))  # fmt: skip
            for show in self.shows:
                show.start()

    async def stop(self):
        """Refuse first, then write what was taken, then let go of the store."""
        for show in self.shows:
            show.stop()
        await self.console.stop()
        self.dispatch.stop()
        await self.tracker.stop()
        await self.ground.stop()

    def stopService(self):
        super().stopService()
        return Deferred.fromCoroutine(self.stop())


# Where people were is nobody else's business on this machine: all that we and our children make is for our user alone.
os.umask(0o077)
# A thread that calculates (a round of dispatch) gives way to the reactor after a millisecond instead of five.
sys.setswitchinterval(0.001)
try:
    file = os.environ.get("GRIDBEAT_CONFIG")
    settings = config.read(Path(file), PORTS) if file else config.defaults(PORTS)
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
    given = Given.read(settings)
except config.ConfigError as error:
    sys.exit(f"The settings cannot be used:\n{error}")
except CertificateError as error:
    sys.exit(f"The settings cannot be used:\n{settings.source.place('tls', 'certificate')}: [tls] {error}")
except (upgrade.FolderError, ArchiveError, CalendarError, RoadsError) as error:
    sys.exit(str(error))

application = Application("gridbeat")
application.setComponent(ILogObserver, log.observer(settings.data / "log"))
Gridbeat(settings, listeners, certificates, tiles, archive, kept, calendar, given).setServiceParent(application)
