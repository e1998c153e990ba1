"""One NMEA 0183 sentence read into values: the seven kinds that tell of position, movement and time.

pynmea2 is the parser of record. :mod:`protocols.nmea.fast` reads what is written as it nearly always is.
"""

from __future__ import annotations

import math
from datetime import date
from typing import Any, NamedTuple

import pynmea2

LINE_LIMIT = 1024
"""Bytes of a line. The standard says 82; gateways put names in front and readings behind."""

KINDS = frozenset({"RMC", "GGA", "GNS", "GLL", "GSA", "VTG", "ZDA"})
POSITIONS = frozenset({"RMC", "GGA", "GNS", "GLL"})
"""Those that tell of a fix or of none; the others only add to them."""

KNOT = 51.444_444
"""cm/s."""
DOP_UNKNOWN = 99.0
"""Receivers write 99.9 or so when they have no figure."""

EPOCH = date(1970, 1, 1).toordinal()
_FOLDS = tuple(8 << step for step in range(10, -1, -1))
_SHORT_FOLDS = _FOLDS[-7:]

QUALITIES = ("", "autonomous", "differential", "precise", "rtk", "rtk_float", "estimated", "manual", "simulated")
MODES = {
    "A": "autonomous", "D": "differential", "P": "precise", "R": "rtk", "F": "rtk_float", "E": "estimated",
    "M": "manual", "S": "simulated",
}  # fmt: skip
DIMENSIONS = {"1": 1, "2": 2, "3": 3}


class Sentence(NamedTuple):
    """What one sentence says. ``void``: it tells of a position, and that there is none. ``None``: it does not say."""

    kind: str
    talker: str
    time: int | None = None  # ms of the UTC day
    day: int | None = None  # days since 1970
    void: bool = False
    latitude: int | None = None  # 1e-7 degrees
    longitude: int | None = None
    speed: int | None = None  # cm/s
    course: int | None = None  # degrees, 0 to 359
    altitude: int | None = None  # metres above mean sea level
    hdop: float | None = None
    satellites: int | None = None
    quality: str | None = None
    dimension: int | None = None  # of the fix: 1 none, 2, 3


def checksum(body: bytes) -> int:
    """All bytes between ``$`` and ``*`` by exclusive or. Up to 2,048 bytes."""
    folded = int.from_bytes(body, "big")
    for shift in _SHORT_FOLDS if len(body) <= 128 else _FOLDS:
        folded ^= folded >> shift
    return folded & 0xFF


def kind_of(body: str) -> str:
    """The kind of a sentence that we read, else an empty text. A maker's own sentences begin with a P."""
    kind = body[2:5].upper()
    return kind if kind in KINDS and body[5:6] == "," and body[0] not in "Pp" else ""


# -- bounds of what a field may say; outside them it says nothing


def speed_of(value: float, unit: float) -> int | None:
    return round(value * unit) if 0 <= value <= 5000 else None


def course_of(value: float) -> int | None:
    return round(value) % 360 if 0 <= value <= 360 else None


def altitude_of(value: float) -> int | None:
    return round(value) if -20_000 <= value <= 100_000 else None


def dop_of(value: float) -> float | None:
    return value if 0 < value < DOP_UNKNOWN else None


def on_earth(latitude: float, longitude: float) -> tuple[int, int] | None:
    """Degrees as 1e-7 degrees."""
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return round(latitude * 1e7), round(longitude * 1e7)


# -- the parser of record


def read_with_pynmea2(body: str) -> Sentence | None:
    """A sentence of one of :data:`KINDS`, from behind ``$`` to before ``*``; ``None`` if it makes no sense."""
    try:
        parsed: Any = pynmea2.parse(body)
        return _READERS[parsed.sentence_type](parsed)
    except (ValueError, TypeError, KeyError, OverflowError):
        # Its own ParseError is a ValueError; a ZDA with words or a very large number for a day gives the others.
        return None


def _rmc(parsed: Any) -> Sentence:
    mode = parsed.mode_indicator[:1]
    time, day = _pynmea_time(parsed.timestamp), _pynmea_day(parsed.datestamp)
    void = parsed.status != "A" or mode == "N"
    latitude, longitude = (None, None) if void else _pynmea_place(parsed, time)
    return Sentence(
        "RMC", parsed.talker, time, day, void, latitude, longitude,
        _within(speed_of, parsed.spd_over_grnd, KNOT), _within(course_of, parsed.true_course),
        quality=MODES.get(mode),
    )  # fmt: skip


def _gga(parsed: Any) -> Sentence:
    time, grade = _pynmea_time(parsed.timestamp), parsed.gps_qual
    void = type(grade) is not int or not 0 < grade < len(QUALITIES)
    latitude, longitude = (None, None) if void else _pynmea_place(parsed, time)
    metres = parsed.altitude if parsed.altitude_units in ("M", "m", "") else None
    return Sentence(
        "GGA", parsed.talker, time, None, void, latitude, longitude, None, None, _within(altitude_of, metres),
        _within(dop_of, parsed.horizontal_dil), _count_of(parsed.num_sats), None if void else QUALITIES[grade],
    )  # fmt: skip


def _gns(parsed: Any) -> Sentence:
    time, modes = _pynmea_time(parsed.timestamp), parsed.mode_indicator.replace("N", "")
    latitude, longitude = _pynmea_place(parsed, time) if modes else (None, None)
    return Sentence(
        "GNS", parsed.talker, time, None, not modes, latitude, longitude, None, None,
        _within(altitude_of, parsed.altitude), _within(dop_of, parsed.hdop), _count_of(parsed.num_sats),
        MODES.get(modes[:1]),
    )  # fmt: skip


def _gll(parsed: Any) -> Sentence:
    time, mode = _pynmea_time(parsed.timestamp), parsed.faa_mode[:1]
    void = parsed.status != "A" or mode == "N"
    latitude, longitude = (None, None) if void else _pynmea_place(parsed, time)
    return Sentence(
        "GLL", parsed.talker, time, None, void, latitude, longitude, quality=MODES.get(mode)
    )  # fmt: skip


def _gsa(parsed: Any) -> Sentence:
    dimension = DIMENSIONS.get(parsed.mode_fix_type)
    return Sentence("GSA", parsed.talker, hdop=_within(dop_of, parsed.hdop), dimension=dimension)


def _vtg(parsed: Any) -> Sentence:
    if parsed.faa_mode[:1] == "N":
        return Sentence("VTG", parsed.talker)
    speed = _within(speed_of, parsed.spd_over_grnd_kts, KNOT)
    if speed is None:
        speed = _within(speed_of, parsed.spd_over_grnd_kmph, 100 / 3.6)
    return Sentence("VTG", parsed.talker, speed=speed, course=_within(course_of, parsed.true_track))


def _zda(parsed: Any) -> Sentence:
    if not (parsed.timestamp or parsed.day or parsed.month or parsed.year):
        return Sentence("ZDA", parsed.talker)
    return Sentence("ZDA", parsed.talker, _pynmea_time(parsed.timestamp), _pynmea_day(parsed.datestamp))


_READERS = {"RMC": _rmc, "GGA": _gga, "GNS": _gns, "GLL": _gll, "GSA": _gsa, "VTG": _vtg, "ZDA": _zda}


def _pynmea_time(told: Any) -> int | None:
    """ms of the day. pynmea2 hands a field that it cannot convert through as it came."""
    if told is None:
        return None
    if type(told) is str:
        raise ValueError("no time of the day")
    seconds = (told.hour * 60 + told.minute) * 60 + told.second
    return int(seconds * 1000 + round(told.microsecond / 1000))


def _pynmea_day(told: Any) -> int | None:
    if told is None:
        return None
    if type(told) is str:
        raise ValueError("no date")
    return int(told.toordinal()) - EPOCH


def _pynmea_place(parsed: Any, time: int | None) -> tuple[int, int]:
    """Of a sentence that says it has a fix: then it has to have place and time. pynmea2 takes an empty place, and one
    without a direction, for 0."""
    directed = parsed.lat_dir in ("N", "S") and parsed.lon_dir in ("E", "W")
    if time is None or not parsed.lat or not parsed.lon or not directed:
        raise ValueError("a fix without a place or a time")
    place = on_earth(parsed.latitude, parsed.longitude)
    if place is None:
        raise ValueError("no place on Earth")
    return place


def _within(bound: Any, told: Any, *unit: float) -> Any:
    """A field as a number within its bounds, ``None`` if it is none."""
    try:
        value = float(told)
    except (TypeError, ValueError):
        return None
    return bound(value, *unit) if math.isfinite(value) else None


def _count_of(told: str) -> int | None:
    return int(told) if told.isascii() and told.isdigit() and len(told) <= 3 else None
