"""Connections to a server: who speaks which protocol, and how all are brought in."""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable

from bench.devices import Device, Handheld, Mode, Place, Vehicle
from bench.phones import Batch, GpsLogger, Overland, OwnTracks, Traccar
from bench.trackers import H02, Gt06, Nmea, Watch

BESIDE = 300
"""1e-7 degrees between two who follow one walker: about 3 m."""
BUFFER = 1 << 18
"""Bytes that a socket takes at once: a message of a hundred reports has some 30,000."""

MAKERS: dict[str, Callable[[Mode, list[Place], int], Device]] = {
    "handheld": Handheld,
    "jt808": Vehicle,
    "nmea": Nmea,
    "gt06": Gt06,
    "h02": H02,
    "watch": Watch,
    "traccar": Traccar,
    "owntracks": OwnTracks,
    "gpslogger": GpsLogger,
    "overland": Overland,
    "batch": Batch,
}
PHONES = frozenset({"traccar", "owntracks", "gpslogger", "overland", "batch"})
_UNANSWERED = PHONES | {"nmea"}
"""Whose beginning is not answered."""


def door(protocol: str) -> str:
    """The section of the settings with the port of this protocol."""
    return "phones" if protocol in PHONES else protocol


def connect(mode: Mode, port: int, known: list[dict[str, str]], walks: list[list[Place]]) -> list[Device]:
    """Connect and authenticate the known devices; those that share a walk go side by side."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    devices: list[Device] = []
    for number, one in enumerate(known):
        device = MAKERS[mode.protocol](mode, walks[number % len(walks)], number // len(walks) * BESIDE)
        if mode.reports >= 100:
            device.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        device.sock.connect(("127.0.0.1", port))
        device.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        device.sock.sendall(device.login(one))
        devices.append(device)
    for device in devices:
        if not device.welcomed(b"" if mode.protocol in _UNANSWERED else device.sock.recv(4096)):
            raise RuntimeError("the server does not let a device in")
        device.rest = b""
        device.sock.setblocking(False)
    return devices
