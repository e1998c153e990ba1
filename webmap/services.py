"""What the console needs of the rest of the house, handed over by the root."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from twisted.python.threadpool import ThreadPool

from dispatch.copies import Copies
from dispatch.desk import Desk
from dispatch.evidence import Evidence
from dispatch.indicators import Tally
from dispatch.notifier import Notifier
from dispatch.past import Past
from dispatch.reporting import Reporting
from dispatch.rounds import Rounds
from dispatch.sos_watch import SosWatch
from dispatch.surveys import Surveys
from dispatch.webhook_sender import WebhookSender
from storage.archive.archive import Archive
from storage.archive.head_sender import HeadSender
from storage.config import Settings
from storage.space import Space
from storage.tile_files import TileFile
from tracker.applier import Applier
from tracker.archivist import Archivist
from tracker.areas import AreaIndex
from tracker.coordinate_watch import CoordinateWatch
from tracker.day_facts import DayFacts
from tracker.duty import DutyBook
from tracker.duty_clerk import DutyClerk
from tracker.enrolment import Enrolments
from tracker.exporting import Exports
from tracker.intake import Intake
from tracker.links import Links
from tracker.listening import Listening
from tracker.mirror import Mirror
from tracker.off_duty import OffDutyRemovals
from tracker.outages import Outages
from tracker.removals import Removals
from tracker.roll_caller import RollCaller
from tracker.rota import Rota
from tracker.steward import Steward
from tracker.tracks import Tracks
from tracker.working_time import WorkingTime
from webmap.access import Access
from webmap.accounts import Accounts
from webmap.basemaps import Choice
from webmap.codes import Codes
from webmap.desks import Desks
from webmap.feeds import Feeds
from webmap.passwords import FirstAdmin
from webmap.sessions import Sessions
from webmap.sign_in import SignIn

CHINA = (35.0, 105.0)
NO_BASEMAP = b'{"type":"FeatureCollection","features":[]}'


@dataclass(frozen=True, slots=True)
class CityInfo:
    """The city as pages show it: ``center`` latitude and longitude in degrees, ``basemap`` GeoJSON as bytes."""

    name: str
    center: tuple[float, float]
    zone: ZoneInfo
    basemap: bytes
    demo: bool = False
    basemaps: tuple[Choice, ...] = ()
    """Base maps of pictures that the page can show, and the files behind those that lie here, by their number."""
    tiles: Mapping[int, TileFile] = field(default_factory=dict)

    @classmethod
    def of(
        cls, settings: Settings, areas: AreaIndex, maps: tuple[Choice, ...], tiles: Mapping[int, TileFile]
    ) -> CityInfo:
        """That of the settings. Without a centre there it is the middle of its grids; of nothing, that of China."""
        center = settings.city.center or areas.center() or CHINA
        return cls(settings.city.name, center, ZoneInfo(settings.city.zone), NO_BASEMAP, False, maps, tiles)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything is passed in, nothing is looked up."""

    intake: Intake
    links: Links
    applier: Applier
    mirror: Mirror
    tracks: Tracks
    feed: Feeds
    accounts: Accounts
    sessions: Sessions
    city: CityInfo
    reactor: Any
    pool: ThreadPool
    wall: Callable[[], int]
    version: str
    space: Space
    phones: Callable[[], tuple[str, int]]
    """Where the phone apps' own door is: the address that it is bound to, and its port."""
    coordinates: CoordinateWatch
    archive: Archive
    archivist: Archivist
    steward: Steward
    heads: HeadSender
    embedded: bool
    """Whether Redis is ours, and its files are on the data folder's disk."""
    removals: Removals
    exports: Exports
    access: Access
    rota: Rota
    outages: Outages
    working_time: WorkingTime
    roll_calls: RollCaller = field(kw_only=True)
    desks: Desks = field(kw_only=True)
    listening: Listening = field(kw_only=True)
    clerk: DutyClerk = field(kw_only=True)
    duty: DutyBook = field(kw_only=True)
    desk: Desk = field(kw_only=True)
    rounds: Rounds = field(kw_only=True)
    past: Past = field(kw_only=True)
    notifier: Notifier = field(kw_only=True)
    surveys: Surveys = field(kw_only=True)
    sos: SosWatch = field(kw_only=True)
    reporting: Reporting = field(kw_only=True)
    evidence: Evidence = field(kw_only=True)
    copies: Copies = field(kw_only=True)
    tally: Tally = field(kw_only=True)
    webhooks: WebhookSender | None = field(kw_only=True)
    """``None`` where nobody is to be told."""
    off_duty: OffDutyRemovals = field(kw_only=True)
    enrolments: Enrolments = field(kw_only=True)
    day_facts: DayFacts = field(kw_only=True)
    sign_in: SignIn
    codes: Codes
    first: FirstAdmin
