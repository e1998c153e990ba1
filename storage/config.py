"""The settings file of a city: TOML in, frozen values out, and every mistake in it named by its line.

:func:`read` checks the whole file before anything starts and raises one :class:`ConfigError` that lists all that
is wrong, such as ``city.toml:12: [jt808] port must be 1..65535, not 70000``. Without a file, :func:`defaults` is
the demo city. ``city.toml.example`` describes each setting for the operator.

A setting is one line in one of the classes below: its name, its default and its check. The class is the section;
``section`` and ``key`` say so where the file calls it otherwise. The checks are in storage/checks.py.
"""

# ruff: noqa: RUF009 - setting() and group() are dataclasses.field() with less to write.

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from storage.basemaps import SECTION_LIMIT, Basemap, read_basemap
from storage.checks import (
    LOOPBACK,
    Check,
    address,
    center,
    file,
    folder,
    head_url,
    origins,
    port,
    redis_url,
    text,
    whole,
    yes_or_no,
    zone,
)
from storage.hours import Period, read_country, read_periods, read_weekdays
from storage.networks import Network, networks
from storage.toml import ConfigError, Place, Source, parse

PROJECT = Path(__file__).resolve().parents[1]
DAY = 86_400
FILE_LIMIT = 256 * 1024
"""Bytes of a settings file: hundreds of times what it needs; a wrong path may name anything."""
BASEMAP = "basemap"
"""The section of base maps: as a table, or as a list of them."""


# Settings.


def setting(default: Any, check: Check, section: str = "", key: str = "") -> Any:
    """A field that is read from the file."""
    return dataclasses.field(default=default, metadata={"check": check, "section": section, "key": key})


def group(kind: Callable[..., Any], **given: Any) -> Any:
    """A field that is a section of its own, by the field's name; ``given`` are defaults that differ."""
    return dataclasses.field(default_factory=partial(kind, **given))


@dataclass(frozen=True, slots=True)
class City:
    """What the city is called and where it is; ``center`` None: the middle of its grids."""

    name: str = setting("Gridbeat", text)
    zone: str = setting("Asia/Shanghai", zone)
    center: tuple[float, float] | None = setting(None, center)


@dataclass(frozen=True, slots=True)
class Listener:
    """Where one door is. An empty ``bind`` becomes that of ``[server]`` before anybody sees it."""

    bind: str = setting("", address)
    port: int = setting(0, port)
    networks: tuple[Network, ...] | None = setting(None, networks)


@dataclass(frozen=True, slots=True)
class SecureListener(Listener):
    """One whose protocol goes over TLS; ``tls`` None: where there is a certificate. See storage/doors.py."""

    tls: bool | None = setting(None, yes_or_no)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM: the certificate with those that it was issued by, and its key, which may be in the same file."""

    certificate: Path | None = setting(None, file)
    key: Path | None = setting(None, file)


@dataclass(frozen=True, slots=True)
class Presence:
    """Ages of the last sign of life, in seconds: up to the first a unit is online, beyond the second offline."""

    online_s: int = setting(120, whole(5, DAY))
    offline_s: int = setting(900, whole(5, 7 * DAY))


@dataclass(frozen=True, slots=True)
class DutyRules:
    """Whether a vehicle that gets a crew is on duty with it from then on."""

    vehicles_follow_crew: bool = setting(True, yes_or_no)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a listener bears: connections in all and from one address (a whole fleet may come through one mobile
    network's gateway), seconds without a byte, and seconds until a device must have said who it is."""

    connections: int = setting(20_000, whole(1, 1_000_000))
    per_address: int = setting(12_000, whole(1, 1_000_000))
    idle_s: int = setting(180, whole(5, DAY))
    login_s: int = setting(15, whole(1, 600))


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How long history is kept, in days, and how many MB of the disk it may take, by class; 0 MB is as much as there
    is. No less than eight days: a day stays open for points that come late for seven. Snapshots are kept as long as
    fixes, for they are what fixes are read with."""

    fixes_days: int = setting(1095, whole(8, 36_500))
    fixes_mb: int = setting(0, whole(0, 1_000_000_000))
    events_days: int = setting(1825, whole(8, 36_500))
    events_mb: int = setting(0, whole(0, 1_000_000_000))
    access_days: int = setting(1095, whole(8, 36_500))
    access_mb: int = setting(0, whole(0, 1_000_000_000))
    photos_days: int = setting(365, whole(8, 36_500))
    photos_mb: int = setting(20_480, whole(0, 1_000_000_000))
    snapshots_mb: int = setting(0, whole(0, 1_000_000_000))


@dataclass(frozen=True, slots=True)
class Work:
    """When the city works: hours of a day, days of the week, whose holidays, and a file of the city's own days."""

    hours: tuple[Period, ...] = setting(((480, 720), (840, 1080)), read_periods)
    weekdays: tuple[int, ...] = setting((1, 2, 3, 4, 5), read_weekdays)
    country: str = setting("cn", read_country)
    holidays: Path | None = setting(None, file)


@dataclass(frozen=True, slots=True)
class HeadWays:
    """Where the heads of the archive's chains go once a day: a file on another disk, an address, both, or nowhere."""

    file: Path | None = setting(None, file, "archive", "head_file")
    url: str | None = setting(None, head_url, "archive", "head_url")


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The city's rules of dispatch, and its roads as ``./run build-graph`` has made them; ``None``: those that are
    shipped, and straight lines."""

    rules: Path | None = setting(None, file)
    roads: Path | None = setting(None, file)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the case system is told what becomes of tasks; ``secret_file`` None: one in the data folder."""

    url: str | None = setting(None, head_url)
    secret_file: Path | None = setting(None, file)


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. ``demo`` is true without a settings file; one that says so runs the demo city elsewhere."""

    bind: str = setting(LOOPBACK, address, "server")
    data: Path = setting(Path("data"), folder, "server")
    reserve_mb: int = setting(512, whole(1, 1_000_000), "server")
    redis_url: str | None = setting(None, redis_url, "redis", "url")
    city: City = group(City)
    console: SecureListener = group(SecureListener, port=8080)
    origins: tuple[str, ...] = setting((), origins, "console")
    field: SecureListener = group(SecureListener, port=8081)
    jt808: Listener = group(Listener, port=6808)
    handheld: SecureListener = group(SecureListener, port=6900)
    phones: SecureListener = group(SecureListener, port=5055)
    tls: Certificate = group(Certificate)
    presence: Presence = group(Presence)
    duty: DutyRules = group(DutyRules)
    limits: Limits = group(Limits)
    archive: ArchiveLimits = group(ArchiveLimits)
    heads: HeadWays = group(HeadWays)
    working_time: Work = group(Work)
    dispatch: Dispatch = group(Dispatch)
    webhook: Webhook = group(Webhook)
    demo: bool = setting(False, yes_or_no, "server")
    trackers: Mapping[str, Listener] = dataclasses.field(default_factory=dict)
    """A section each for the simple trackers' protocols, by its name; the root says which there are."""
    basemaps: tuple[Basemap, ...] = ()
    """``[basemap]``, or each ``[[basemap]]``: what lies under the grids. storage/basemaps.py says what it may hold."""
    source: Source = dataclasses.field(default=Source(), compare=False)
    """Where it was read, for what is found wrong later."""


Ports = Mapping[str, int]
"""The simple trackers' protocols with the ports that they usually have."""


def defaults(trackers: Ports) -> Settings:
    """The demo city. Its data has a folder of its own, so that no real city ever starts with the demo's people."""
    return dataclasses.replace(_bound(_initial(trackers)), data=PROJECT / "data" / "demo", demo=True)


def read(path: Path, trackers: Ports) -> Settings:
    """The settings in the file; raises :class:`ConfigError` with everything that is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise ConfigError([f"{path}: {(error.strerror or 'cannot be read').lower()}"]) from None
    if len(data) > FILE_LIMIT:
        raise ConfigError([f"{path}: larger than {FILE_LIMIT // 1024} KiB, so no settings file"])
    reader = _Reader(path.name, *parse(path.name, data))
    settings = _bound(reader.build(_initial(trackers), ""))
    settings = dataclasses.replace(settings, basemaps=reader.basemaps(path.resolve().parent))
    reader.report_unknown(known(trackers))
    reader.cross_check(settings)
    if reader.problems:
        raise ConfigError([line for _, line in sorted(reader.problems)])
    beside, heads, work, tls = path.resolve().parent, settings.heads, settings.working_time, settings.tls
    webhook = settings.webhook
    if heads.file is not None:
        heads = dataclasses.replace(heads, file=beside / heads.file)
    if work.holidays is not None:
        work = dataclasses.replace(work, holidays=beside / work.holidays)
    if tls.certificate is not None:
        tls = Certificate(beside / tls.certificate, beside / (tls.key or tls.certificate))
    rules, roads = (
        None if path is None else beside / path for path in (settings.dispatch.rules, settings.dispatch.roads)
    )
    if webhook.secret_file is not None:
        webhook = dataclasses.replace(webhook, secret_file=beside / webhook.secret_file)
    return dataclasses.replace(
        settings, data=beside / settings.data, heads=heads, working_time=work, tls=tls, webhook=webhook,
        dispatch=Dispatch(rules, roads), source=reader.source,
    )  # fmt: skip


def known(trackers: Ports) -> dict[str, dict[str, str]]:
    """Every section with its keys, each with the name of its value among the defaults (``jt808.port``)."""
    sections: dict[str, dict[str, str]] = {}
    for section, key, name in _walk(_initial(trackers), "", ""):
        sections.setdefault(section, {})[key] = name
    return sections


# How it is done.


def _initial(trackers: Ports) -> Settings:
    return Settings(trackers={name: Listener(port=usual) for name, usual in trackers.items()})


class _Reader:
    """One file on its way to settings; collects the problems with their line numbers."""

    def __init__(self, name: str, document: dict[str, Any], lines: dict[Place, int]) -> None:
        self._name = name
        self._document = document
        self._lines = lines
        self.source = Source(name, lines)
        self.problems: list[tuple[int, str]] = []

    def build(self, default: Any, section: str) -> Any:
        """``default`` with everything that the file says otherwise."""
        changes = {}
        for field in dataclasses.fields(default):
            value = getattr(default, field.name)
            if dataclasses.is_dataclass(value):
                changes[field.name] = self.build(value, field.name)
            elif isinstance(value, Mapping):
                changes[field.name] = {name: self.build(one, name) for name, one in value.items()}
            elif "check" in field.metadata:
                changes[field.name] = self._value(*_place(field, section), field.metadata["check"], value)
        return dataclasses.replace(default, **changes)

    def _value(self, section: str, key: str, check: Check, default: Any) -> Any:
        table = self._document.get(section)
        if not isinstance(table, dict) or key not in table:
            return default
        try:
            return check(table[key])
        except ValueError as error:
            self._complain((section, key), f"[{section}] {key} {error}")
            return default

    def basemaps(self, folder: Path) -> tuple[Basemap, ...]:
        """The base maps, in the order of the file."""
        given = self._document.get(BASEMAP, [])
        one = isinstance(given, dict)
        tables = [given] if one else given
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._complain((BASEMAP,), f"{BASEMAP} must be a section: write [{BASEMAP}] on a line of its own")
            return ()
        if len(tables) > SECTION_LIMIT:
            told = f"[[{BASEMAP}]] there are more than {SECTION_LIMIT}"
            self._complain((BASEMAP, str(SECTION_LIMIT)), told)
            return ()
        found = []
        for number, table in enumerate(tables):
            place: Place = (BASEMAP,) if one else (BASEMAP, str(number))
            head = f"[{BASEMAP}]" if one else f"[[{BASEMAP}]]"

            def problem(key: str | None, told: str, place: Place = place, head: str = head) -> None:
                self._complain((*place, key) if key else place, f"{head} {told}")

            file_line = self._lines.get((*place, "file")) or self._lines.get(place, 1)
            basemap = read_basemap(table, f"{self._name}:{file_line}: {head}", folder, problem)
            if basemap is not None:
                found.append(basemap)
        return tuple(found)

    def report_unknown(self, sections: dict[str, dict[str, str]]) -> None:
        """What the file names and nobody reads is a mistake, or the operator believes that it works."""
        sections = {**sections, BASEMAP: {}}
        for section, table in self._document.items():
            if section == BASEMAP:
                continue
            if section in sections and isinstance(table, dict):
                for key in table.keys() - sections[section].keys():
                    hint = _hint(key, sections[section], "{}")
                    self._complain((section, key), f"[{section}] {key} is not a setting; {hint}")
            elif section in sections:
                self._complain((section,), f"{section} must be a section: write [{section}] on a line of its own")
            elif isinstance(table, dict):
                self._complain((section,), f"[{section}] is not a section; {_hint(section, sections, '[{}]')}")
            else:
                self._complain((section,), f"{section} stands before the first section; every setting belongs to one")

    def cross_check(self, settings: Settings) -> None:
        """What two settings must be to each other."""
        presence = settings.presence
        if presence.offline_s <= presence.online_s:
            place = ("presence", "offline_s" if ("presence", "offline_s") in self._lines else "online_s")
            told = f"[presence] offline_s must be more than online_s ({presence.online_s}), not {presence.offline_s}"
            self._complain(place, told)
        if settings.tls.key is not None and settings.tls.certificate is None:
            self._complain(("tls", "key"), "[tls] key needs the certificate that it is the key of")
        taken: list[tuple[str, Listener]] = []
        for name, listener in listeners(settings):
            for other, before in taken:
                if listener.port and listener.port == before.port and _overlap(listener.bind, before.bind):
                    place = (name, "port") if (name, "port") in self._lines else (other, "port")
                    self._complain(place, f"[{name}] port {listener.port} is that of [{other}] too")
            taken.append((name, listener))

    def _complain(self, place: Place, told: str) -> None:
        line = self.source.line(*place)
        self.problems.append((line, f"{self._name}:{line}: {told}"))


def _place(field: dataclasses.Field[Any], section: str) -> tuple[str, str]:
    return field.metadata["section"] or section, field.metadata["key"] or field.name


def _walk(default: Any, section: str, prefix: str) -> Iterator[tuple[str, str, str]]:
    for field in dataclasses.fields(default):
        value = getattr(default, field.name)
        if dataclasses.is_dataclass(value):
            yield from _walk(value, field.name, f"{field.name}.")
        elif isinstance(value, Mapping):
            for name, one in value.items():
                yield from _walk(one, name, f"{field.name}.{name}.")
        elif "check" in field.metadata:
            yield *_place(field, section), prefix + field.name


def listeners(settings: Settings) -> Iterator[tuple[str, Listener]]:
    """Every listener by the name of its section."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Listener):
            yield field.name, value
    yield from settings.trackers.items()


def _bound(settings: Settings) -> Settings:
    """Listeners without an address of their own get the common one."""
    bound = {
        name: dataclasses.replace(listener, bind=listener.bind or settings.bind)
        for name, listener in listeners(settings)
    }
    trackers = {name: bound.pop(name) for name in settings.trackers}
    changes: dict[str, Any] = {**bound, "trackers": trackers}
    return dataclasses.replace(settings, **changes)


def _overlap(one: str, other: str) -> bool:
    """Whether two listeners on these addresses would meet; "::" takes IPv4 too on most machines."""
    first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    if first == second or "::" in (one, other):
        return True
    return first.version == second.version and (first.is_unspecified or second.is_unspecified)


def _hint(word: str, choices: dict[str, Any], form: str) -> str:
    near = difflib.get_close_matches(word.lower(), choices, 1)
    if near:
        return f"did you mean {form.format(near[0])}?"
    return "there are " + ", ".join(form.format(one) for one in sorted(choices))
