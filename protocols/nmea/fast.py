"""Sentences written as they nearly always are, each read by one regular expression at a fifth of pynmea2's cost.

What does not match to the last character, a void fix for one, goes to pynmea2. The tests prove that both read the
same values wherever this module answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache

from protocols.nmea.sentences import (
    DIMENSIONS,
    EPOCH,
    KNOT,
    MODES,
    QUALITIES,
    Sentence,
    altitude_of,
    course_of,
    dop_of,
    on_earth,
    read_with_pynmea2,
    speed_of,
)

_TALKER = "([A-OQ-Z][A-Z])"
_TIME = r"([01]\d|2[0-3])([0-5]\d)([0-5]\d)(?:\.(\d{1,3}))?"
_PLACE = r"(\d{1,2})([0-5]\d\.\d{1,9}),([NS]),(\d{1,3})([0-5]\d\.\d{1,9}),([EW])"
_NUMBER = r"(\d{1,4}(?:\.\d{1,6})?)?"
_MODE = "([A-MO-Z])?"

_RMC = re.compile(
    rf"{_TALKER}RMC,{_TIME},A,{_PLACE},{_NUMBER},{_NUMBER},(\d{{6}})(?:,[^,*]*,[^,*]*(?:,{_MODE}(?:,[^*]*)?)?)?",
    re.ASCII,
)
_GGA = re.compile(
    rf"{_TALKER}GGA,{_TIME},{_PLACE},([1-8]),(\d{{1,3}})?,{_NUMBER},(-?\d{{1,5}}(?:\.\d{{1,6}})?)?,M,[^*]*", re.ASCII
)
_GLL = re.compile(rf"{_TALKER}GLL,{_PLACE},{_TIME},A(?:,{_MODE})?", re.ASCII)
_GSA = re.compile(rf"{_TALKER}GSA,[AM]?,([123]),(?:\d*,){{12}}[\d.]*,{_NUMBER},[\d.]*(?:,[^*]*)?", re.ASCII)
_VTG = re.compile(rf"{_TALKER}VTG,{_NUMBER},T,[\d.]*,M,(\d{{1,4}}(?:\.\d{{1,6}})?),N,[\d.]*,K(?:,{_MODE})?", re.ASCII)


def read(body: str) -> Sentence | None:
    """A sentence of one of :data:`~protocols.nmea.sentences.KINDS`, from behind ``$`` to before ``*``; ``None`` if it
    makes no sense."""
    return read_fast(body) or read_with_pynmea2(body)


def read_fast(body: str) -> Sentence | None:
    """The same, and ``None`` too for what is left to pynmea2."""
    reader = _READERS.get(body[2:5])
    return reader(body) if reader else None


def _rmc(body: str) -> Sentence | None:
    found = _RMC.fullmatch(body)
    if found is None:
        return None
    talker, h, m, s, ms, a, b, c, d, e, f, speed, course, day, mode = found.groups()
    days = _day_of(day)
    place = _place_of(a, b, c, d, e, f)
    if days is None or place is None:
        return None
    return Sentence(
        "RMC", talker, _time_of(h, m, s, ms), days, False, place[0], place[1],
        speed_of(float(speed), KNOT) if speed else None, course_of(float(course)) if course else None,
        quality=MODES.get(mode),
    )  # fmt: skip


def _gga(body: str) -> Sentence | None:
    found = _GGA.fullmatch(body)
    if found is None:
        return None
    talker, h, m, s, ms, a, b, c, d, e, f, quality, satellites, hdop, altitude = found.groups()
    place = _place_of(a, b, c, d, e, f)
    if place is None:
        return None
    return Sentence(
        "GGA", talker, _time_of(h, m, s, ms), None, False, place[0], place[1], None, None,
        altitude_of(float(altitude)) if altitude else None, dop_of(float(hdop)) if hdop else None,
        int(satellites) if satellites else None, QUALITIES[int(quality)],
    )  # fmt: skip


def _gll(body: str) -> Sentence | None:
    found = _GLL.fullmatch(body)
    if found is None:
        return None
    talker, a, b, c, d, e, f, h, m, s, ms, mode = found.groups()
    place = _place_of(a, b, c, d, e, f)
    if place is None:
        return None
    return Sentence("GLL", talker, _time_of(h, m, s, ms), None, False, *place, quality=MODES.get(mode))


def _gsa(body: str) -> Sentence | None:
    found = _GSA.fullmatch(body)
    if found is None:
        return None
    talker, dimension, hdop = found.groups()
    return Sentence("GSA", talker, hdop=dop_of(float(hdop)) if hdop else None, dimension=DIMENSIONS[dimension])


def _vtg(body: str) -> Sentence | None:
    found = _VTG.fullmatch(body)
    if found is None:
        return None
    talker, course, speed, _ = found.groups()
    knots = speed_of(float(speed), KNOT)
    if knots is None:
        return None
    return Sentence("VTG", talker, speed=knots, course=course_of(float(course)) if course else None)


_READERS: dict[str, Callable[[str], Sentence | None]] = {
    "RMC": _rmc,
    "GGA": _gga,
    "GLL": _gll,
    "GSA": _gsa,
    "VTG": _vtg,
}


def _time_of(hour: str, minute: str, second: str, fraction: str | None) -> int:
    whole = (int(hour) * 60 + int(minute)) * 60 + int(second)
    return whole * 1000 + int((fraction + "00")[:3] if fraction else 0)


@lru_cache(maxsize=256)  # a city's devices tell the same few days again and again
def _day_of(text: str) -> int | None:
    """The same window as pynmea2's: 69 to 99 are of the last century. A week roll-over stays what it says."""
    year = int(text[4:])
    try:
        return date(year + (1900 if year >= 69 else 2000), int(text[2:4]), int(text[:2])).toordinal() - EPOCH
    except ValueError:
        return None


def _place_of(a: str, b: str, north: str, c: str, d: str, east: str) -> tuple[int, int] | None:
    latitude, longitude = int(a) + float(b) / 60, int(c) + float(d) / 60
    return on_earth(-latitude if north == "S" else latitude, -longitude if east == "W" else longitude)
