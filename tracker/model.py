"""The nouns of the tracker: who is who, what a point may be doubted for, and how present a unit is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import NewType

DeviceId = NewType("DeviceId", str)
UnitId = NewType("UnitId", str)
"""A person or vehicle; on duty it is a unit."""
AreaId = NewType("AreaId", str)

FOREVER = 1 << 62
"""The end of a duty interval that is still running."""


class Presence(IntEnum):
    """Connected and located are two facts; off shift beats both."""

    ONLINE_FIX = 0
    ONLINE_NO_FIX = 1
    STALE = 2
    OFFLINE = 3
    OFF_SHIFT = 4


class Mark(IntFlag):
    """What admission knows of a report for certain; stored with it."""

    UNAUTHENTICATED = 1
    """Its protocol has no secret: whoever knows the id could have sent it."""
    BACKFILL = 2
    """The device had stored it and sent it later."""
    CONVERTED = 4
    """It came in GCJ-02 or BD-09; what came is kept beside it."""


class Doubt(IntFlag):
    """Why a point is not taken as the unit's position. Provisional live, final in fix-time order."""

    DUPLICATE = 1
    FUTURE = 2
    """Its fix time is more than two minutes ahead of the server."""
    LATE = 4
    """Older than the position that is already known (live only)."""
    SECONDARY = 8
    """From another device than the one the unit is followed by."""
    JUMP = 16
    """No person or vehicle gets there that fast."""
    INACCURATE = 32
    SKEW = 64
    """A message about now whose fix is more than ten minutes old: the clock is off. Believed all the same."""
    NO_FIX = 128


DISBELIEVED = Doubt.DUPLICATE | Doubt.FUTURE | Doubt.LATE | Doubt.SECONDARY | Doubt.JUMP | Doubt.INACCURATE


@dataclass(frozen=True, slots=True)
class Unit:
    """A person or vehicle. Team and street are the labels that dispatchers filter by; ``grid`` is its own area."""

    id: UnitId
    kind: str  # person | vehicle
    name: str
    team: str = ""
    street: str = ""
    grid: str = ""
    duty: str = "always"
    """How it comes to be on duty: always; by the rota; by events, told by a device or at a seat; or with its crew."""
    vehicle: str = ""
    """The vehicle that a person crews."""


DUTY_MODES = {"person": ("always", "rota", "events"), "vehicle": ("always", "rota", "events", "crew")}
"""What :attr:`Unit.duty` may be, by kind."""


@dataclass(frozen=True, slots=True)
class Device:
    """A handheld, phone or terminal, accepted only in ``protocol`` and only as ``external_id``.

    ``unit`` is whose it is now; empty for one that was taken back. ``token`` is the digest of its token, empty without
    one, ``None`` in what was written when tokens were derived; ``token_serial`` was their generation. ``next`` is that
    of a code which a JT/T 808 terminal was handed and has not used yet. ``revoked``: it is shut out. ``networks`` are
    the source networks a device without a secret is accepted from; empty means that its id is one we issued. ``header``
    forces a JT/T 808 header year for terminals that set the 2019 flag on a 2013 body (0: as flagged). ``coordinates``
    is the system it reports in where its protocol does not say: wgs84, gcj02 or bd09. ``lenient`` takes its messages
    with a wrong checksum too, where its protocol can be read all the same.
    """

    id: DeviceId
    protocol: str
    external_id: str
    unit: UnitId
    token_serial: int = 0
    networks: tuple[str, ...] = ()
    header: int = 0
    coordinates: str = "wgs84"
    lenient: bool = False
    token: str | None = None
    next: str = ""
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty interval of a unit, ms, end excluded. ``number`` is counted per unit. ``by``: what says so, which is
    always, rota, device, seat or crew. One that ends where it starts was taken back."""

    unit: UnitId
    number: int
    start: int
    end: int = FOREVER
    by: str = "always"


@dataclass(frozen=True, slots=True)
class Area:
    """A responsibility grid or a cell; ``geometry`` is a GeoJSON Polygon or MultiPolygon, WGS-84."""

    id: AreaId
    level: str  # grid | cell
    name: str
    parent: str = ""
    street: str = ""
    owner: str = ""
    geometry: dict[str, object] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
