"""Every protocol that a device can be registered for, each by one entry.

An entry says how its devices are named and whether the protocol has a secret. A simple tracker's entry has a door
besides: the port, the transports and the core, which the one session for all of them drives. So a new tracker
protocol is a core and its entry here; settings, listeners, registration, API and metrics follow from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal

from protocols.dialogue import Peer, TrackerCore
from protocols.gt06 import Gt06
from protocols.h02 import H02
from protocols.nmea import IDS as NMEA_IDS
from protocols.nmea import NmeaCore
from protocols.watch import Watch
from tracker.commands_model import KINDS


@dataclass(frozen=True, slots=True)
class Door:
    """Where a simple tracker comes in. ``port`` is what settings have until the operator says otherwise. ``quiet_s``:
    seconds for which its devices are silent though all is well; a shorter limit of the settings does not cut them."""

    port: int
    transports: tuple[Literal["tcp", "udp"], ...]
    core: Callable[[Peer], TrackerCore]
    quiet_s: int = 0


@dataclass(frozen=True, slots=True)
class DeviceProtocol:
    """``secret``: a device proves who it is with a token of ours; without one its id is issued by us or bound to
    networks, and its points are marked. ``kind``: what carries it unless said otherwise. ``ids``: the whole of an
    external id as a regular expression, told to people as ``ids_told``. ``strip``: characters that do not count at
    the front of an id. ``issued``: an id can be typed into the device, so we make one if none is given.
    ``addressed``: a device that never says its id has the address that it sends from for one. ``commands``: the kinds
    of tracker/commands_model.py that it can do."""

    name: str
    title: str
    secret: bool
    kind: Literal["person", "vehicle"] = "person"
    ids: str = r".{1,64}"
    ids_told: tuple[str, str] = ("external_id must be 1 to 64 characters", "external_id 须为 1 至 64 个字符")
    strip: str = ""
    issued: bool = False
    addressed: bool = False
    aliases: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    door: Door | None = None

    def normal(self, external_id: str) -> str:
        """The form in which an external id is compared."""
        if self.addressed and (address := address_of(external_id)):
            return str(address)
        return external_id.lstrip(self.strip) or self.strip if self.strip else external_id

    def names(self, external_id: str) -> bool:
        """Whether this can be the id of such a device."""
        return external_id.isprintable() and re.fullmatch(self.ids, external_id) is not None


def address_of(external_id: str) -> IPv4Address | IPv6Address | None:
    """The network address that an id is, if it is one."""
    try:
        return ip_address(external_id)
    except ValueError:
        return None


_ENTRIES = (
    DeviceProtocol("handheld", "Handheld", True, aliases=("msgpack",), commands=("locate", "roll_call")),
    DeviceProtocol(
        "jt808",
        "JT/T 808",
        True,
        kind="vehicle",
        ids=r"[0-9]{1,20}",
        ids_told=("a JT/T 808 terminal number has up to 20 digits", "终端手机号为至多 20 位数字"),
        strip="0",
        aliases=("jt/t808", "jtt808"),
        commands=tuple(kind for kind in KINDS if kind != "roll_call"),
    ),
    DeviceProtocol("traccar", "Traccar Client", False, issued=True, aliases=("osmand",)),
    DeviceProtocol("owntracks", "OwnTracks", True, issued=True),
    DeviceProtocol("gpslogger", "GPSLogger", True, issued=True),
    DeviceProtocol("overland", "Overland", True, issued=True),
    DeviceProtocol("batch", "Batch", True, issued=True),
    DeviceProtocol(
        "nmea",
        "NMEA 0183",
        False,
        ids=NMEA_IDS,
        ids_told=(
            "an NMEA id has up to 64 letters, digits, spaces or . _ : - and begins with a letter or a digit",
            "NMEA 设备号至多 64 位，可含字母、数字、空格与 . _ : -，以字母或数字开头",
        ),
        issued=True,
        addressed=True,
        aliases=("nmea0183",),
        door=Door(5005, ("tcp", "udp"), NmeaCore),
    ),
    DeviceProtocol(
        "gt06",
        "GT06",
        False,
        ids=r"[0-9]{15,16}",
        ids_told=("a GT06 tracker is named by its IMEI, 15 digits", "GT06 定位器以 15 位 IMEI 标识"),
        strip="0",
        door=Door(5023, ("tcp",), Gt06, quiet_s=600),
    ),
    DeviceProtocol(
        "h02",
        "H02",
        False,
        ids=r"[0-9]{1,20}",
        ids_told=("an H02 tracker is named by up to 20 digits", "H02 定位器以至多 20 位数字标识"),
        door=Door(5013, ("tcp", "udp"), H02, quiet_s=600),
    ),
    DeviceProtocol(
        "watch",
        "GPS watch",
        False,
        ids=r"[0-9]{5,20}",
        ids_told=("a watch is named by 5 to 20 digits, usually 10", "手表以 5 至 20 位数字标识，通常为 10 位"),
        door=Door(5093, ("tcp",), Watch, quiet_s=900),
    ),
)

CATALOGUE: dict[str, DeviceProtocol] = {entry.name: entry for entry in _ENTRIES}
"""By name."""
ALIASES: dict[str, str] = {alias: entry.name for entry in _ENTRIES for alias in entry.aliases}
DOORS: dict[str, Door] = {entry.name: entry.door for entry in _ENTRIES if entry.door}
"""The simple trackers' doors, by the protocol's name: also the name of their section in the settings."""
PORTS: dict[str, int] = {name: door.port for name, door in DOORS.items()}
"""What the settings have for them until the operator says otherwise."""
