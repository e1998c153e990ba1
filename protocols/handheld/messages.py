"""What a handheld message means: bounded msgpack to checked values and back, without any conversation.

Everything here is a function of bytes. A message that cannot be read raises
:class:`~protocols.errors.RemoteProtocolError`; a single position or reading that cannot be accepted is left
out and counted, because an error would make the device send the same message again for ever.

Types are exact: ``True`` is no integer, ``3.0`` is no integer. Units are those of
:class:`~protocols.report.Report`, so nothing is converted on the way.
"""

from __future__ import annotations

from typing import Any

import msgpack

from protocols.errors import RemoteProtocolError
from protocols.report import CoordinateSystem, Report

VERSION = 1
BATCH_MAX = 500
"""Positions in one message: a journal row of some 15 kB, decoded in a third of a millisecond."""

EARLIEST = 946_684_800_000
"""2000-01-01 in ms. A device with a dead clock says 1970 or 1980; its fix time is no time."""
LATEST = 4_102_444_800_000
"""2100-01-01 in ms."""
SEQ_LIMIT = 1 << 53
"""Above this a client written in JavaScript could no longer count."""

STRING_LIMIT = 4096
"""Bytes: a thousand characters of any script."""
BINARY_LIMIT = 1024
MAP_LIMIT = 32
TOLD_MAP_LIMIT = 1024
"""In what the server says: a city has some hundred classes, and the device is told how each of them is called."""

COORDINATE_SYSTEMS = {
    "wgs84": CoordinateSystem.WGS84,
    "cgcs2000": CoordinateSystem.WGS84,  # differs by centimetres: the same for us
    "gcj02": CoordinateSystem.GCJ02,
    "bd09": CoordinateSystem.BD09,
}
NETWORKS = frozenset({"none", "2g", "3g", "4g", "5g", "wifi"})
FIX_STATES = frozenset({"none", "2d", "3d", "off", "denied"})

Message = dict[str, Any]

# One packer for the process: it keeps a buffer of its own, too large to have one for each connection.
_pack = msgpack.Packer(use_bin_type=True).pack


def encode(message: Message) -> bytes:
    """The msgpack of one message."""
    packed: bytes = _pack(message)
    return packed


def decode(payload: bytes, *, map_limit: int = MAP_LIMIT) -> Message:
    """The map in ``payload``; raises ``malformed``. The limits keep a small message from becoming large objects."""
    try:
        message = msgpack.unpackb(
            payload,
            raw=False,
            strict_map_key=True,
            max_str_len=STRING_LIMIT,
            max_bin_len=BINARY_LIMIT,  # no field is one, but inside a position it costs that position only
            max_ext_len=BINARY_LIMIT,
            max_array_len=BATCH_MAX,
            max_map_len=map_limit,
        )
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise RemoteProtocolError("malformed", str(error)[:120] or "not msgpack, or nested too deep") from None
    if type(message) is not dict or type(message.get("t")) is not str:
        raise RemoteProtocolError("malformed", 'a message is a map with a string under "t"')
    return message


def whole(message: Message, name: str, low: int, high: int) -> int | None:
    """The integer field ``name`` if it is one and ``low <= it <= high``; else ``None``."""
    value = message.get(name)
    return value if type(value) is int and low <= value <= high else None


def text(message: Message, name: str, limit: int, *, required: bool = False) -> str:
    """The string field ``name``; ``malformed`` if it is another type, longer than ``limit``, or not printable."""
    value = message.get(name, "")
    if type(value) is not str or len(value) > limit or not value.isprintable() or (required and not value):
        raise RemoteProtocolError("malformed", f'"{name}" is not a printable string of up to {limit} characters')
    return value


def number(message: Message, name: str, low: int = 0, high: int = 1 << 53) -> int:
    """The integer field ``name`` of a message of the server; ``malformed`` if it is none within the bounds."""
    value = whole(message, name, low, high)
    if value is None:
        raise RemoteProtocolError("malformed", f'"{name}" is not an integer from {low} to {high}')
    return value


def string(message: Message, name: str, *, required: bool = False) -> str:
    """The string field ``name`` of a message of the server, empty if it is none; ``malformed`` if that may not be."""
    value = message.get(name)
    if type(value) is str and value:
        return value
    if required:
        raise RemoteProtocolError("malformed", f'"{name}" is not a string')
    return ""


def sequence(message: Message) -> int:
    """``seq``; ``malformed`` without one, because then the message could never be acknowledged."""
    seq = message.get("seq")
    if type(seq) is not int or not 0 <= seq < SEQ_LIMIT:
        raise RemoteProtocolError("malformed", '"seq" is not an integer from 0 to 2^53 - 1')
    return seq


def clock(message: Message) -> int | None:
    """``now``, the device's own time in ms; ``None`` when it is not told or impossible."""
    return whole(message, "now", EARLIEST, LATEST - 1)


def read_positions(message: Message, crs: int) -> tuple[list[Report], int]:
    """The reports of a ``fix`` message in its order, and how many positions were refused."""
    positions = message.get("p")
    if type(positions) is not list:
        return [], 1
    now = clock(message)
    reports: list[Report] = []
    add = reports.append
    report: Report | None = None
    # The hot path: a whole position of exact types is checked in one expression, without a call. Whatever it
    # does not let through, shorter lists among them, is looked at again by _careful, which decides.
    for position in positions:
        if type(position) is list and len(position) == 9:
            fix, lat, lon, accuracy, speed, course, altitude, status, alarm = position
            if (
                type(fix) is int
                and 946_684_800_000 <= fix < 4_102_444_800_000
                and type(lat) is int
                and -900_000_000 <= lat <= 900_000_000
                and type(lon) is int
                and -1_800_000_000 <= lon <= 1_800_000_000
                and (accuracy is None or (type(accuracy) is int and 0 <= accuracy <= 1_000_000))
                and (speed is None or (type(speed) is int and 0 <= speed <= 100_000))
                and (course is None or (type(course) is int and 0 <= course < 360))
                and (altitude is None or (type(altitude) is int and -1_000 <= altitude <= 20_000))
                and type(status) is int
                and 0 <= status <= 0xFFFFFFFF
                and type(alarm) is int
                and 0 <= alarm <= 0xFFFFFFFF
            ):
                report = Report(fix, lat, lon, altitude, speed, course, accuracy, status, alarm, False, now, None, crs)
                add(report)
                continue
        report = _careful(position, crs, now)
        if report is not None:
            add(report)
    if report is not None and message.get("live") is True:
        report.live = True
    return reports, len(positions) - len(reports)


_ABSENT = (None, None, None, None, None, None, None, 0, 0)
_RANGES = (
    (EARLIEST, LATEST - 1),
    (-900_000_000, 900_000_000),
    (-1_800_000_000, 1_800_000_000),
    (0, 1_000_000),
    (0, 100_000),
    (0, 360),
    (-1_000, 20_000),
    (0, 0xFFFFFFFF),
    (0, 0xFFFFFFFF),
)
_POSITION_LIMIT = 16
"""Elements after the ninth belong to a later version and are not looked at, but not any number of them."""


def _careful(position: object, crs: int, now: int | None) -> Report | None:
    """One position in any allowed shape, or ``None``: the rules in full, where the hot path takes the usual case."""
    if type(position) is not list or not 3 <= len(position) <= _POSITION_LIMIT:
        return None
    values = [*position[:9], *_ABSENT[len(position) :]]
    for index, (low, high) in enumerate(_RANGES):
        value = values[index]
        if value is None:
            values[index] = _ABSENT[index]
        elif type(value) is not int or not low <= value <= high:
            return None
    fix, lat, lon, accuracy, speed, course, altitude, status, alarm = values
    if fix is None or (lat is None) is not (lon is None):
        return None
    if course == 360:  # a rounded 359.6
        course = 0
    return Report(fix, lat, lon, altitude, speed, course, accuracy, status, alarm, False, now, None, crs)


def read_duty(message: Message) -> tuple[bool, int | None, str]:
    """On or off, when (ms; ``None`` if any of this cannot be read), and the device's own id of the event."""
    on, id = message.get("on"), message.get("id")
    at = whole(message, "at", EARLIEST, LATEST - 1)
    if type(on) is not bool or type(id) is not str or not 0 < len(id) <= 64 or not id.isprintable():
        return False, None, ""
    return on, at, id


def read_health(message: Message, crs: int) -> tuple[Report, int]:
    """A report without a fix whose ``items`` are the readings, and how many readings were refused.

    A reading that the device leaves out or sends as nil is not in ``items``.
    """
    items: dict[str, object] = {}
    told = 0
    for name, low, high in (("battery", 0, 100), ("uptime", 0, 0xFFFFFFFF), ("queue", 0, 0xFFFFFFFF)):
        if message.get(name) is not None:
            told += 1
            number = whole(message, name, low, high)
            if number is not None:
                items[name] = number
    for name in ("charging", "screen"):
        flag = message.get(name)
        if flag is not None:
            told += 1
            if type(flag) is bool:
                items[name] = flag
    for name, words in (("net", NETWORKS), ("fix", FIX_STATES)):
        word = message.get(name)
        if word is not None:
            told += 1
            if type(word) is str and word in words:
                items[name] = word
    report = Report(None, None, None, device_time=clock(message), items=items, crs=crs)
    return report, told - len(items)
