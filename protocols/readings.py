"""Values as phone apps write them, in a query string or in JSON: numbers, times, flags, words, unknown keys.

Every function takes whatever came and answers ``None`` when it is not what it should be; only the time of a record is
worth an error, because nothing can be stored without one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from protocols.errors import RemoteProtocolError

ATTRIBUTE_LIMIT = 32
"""Unknown keys that are kept. They are stored for years with the position."""
TEXT_LIMIT = 256
"""Characters of one text that are kept."""


EARLIEST = 946_684_800_000
LATEST = 4_102_444_800_000
"""2000 to 2100 in ms: a time outside was told by a dead clock."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII | re.I)
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,14})", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9]\d{0,14})\.\d{1,15}", re.ASCII)


def number_of(value: object) -> float | None:
    """A finite number, of JSON or as text; never a bool."""
    if type(value) is str:
        if len(value) > 32 or not _NUMBER.fullmatch(value):
            return None
    elif type(value) is not float and (type(value) is not int or abs(value) >= 1 << 63):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def scaled(value: object, unit: float, low: int, high: int) -> int | None:
    """A number times its unit, rounded, if that lies between ``low`` and ``high``."""
    number = number_of(value)
    if number is None:
        return None
    product = number * unit
    # Tested before it is rounded: a number times its unit may be infinite.
    return round(product) if low <= product <= high else None


def position_of(latitude: object, longitude: object) -> tuple[int, int]:
    """Degrees in 1e-7 degrees; ``bad_position`` if one is no number or outside the Earth."""
    numbers = number_of(latitude), number_of(longitude)
    if numbers[0] is None or numbers[1] is None:
        raise RemoteProtocolError("bad_position", "latitude and longitude are two numbers")
    if abs(numbers[0]) > 90 or abs(numbers[1]) > 180:
        raise RemoteProtocolError("bad_position", "latitude or longitude out of range")
    return round(numbers[0] * 1e7), round(numbers[1] * 1e7)


_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:(Z)|([+ -])(\d\d):?(\d\d)?)?",
    re.ASCII | re.I,
)


def time_of(stamp: object) -> int:
    """ms since 1970 of any of the forms; ``bad_time`` if it is none or outside 2000 to 2100. No zone means UTC."""
    told = number_of(stamp)
    if told is not None:
        moment: float = told * 1000 if told < 1 << 31 else told
    else:
        match = _ISO.fullmatch(stamp) if type(stamp) is str and len(stamp) <= 40 else None
        if match is None:
            raise RemoteProtocolError("bad_time", "no known form of a timestamp")
        *parts, fraction, _, sign, hours, minutes = match.groups()
        try:
            start = datetime(*(int(part or 0) for part in parts), tzinfo=UTC)  # type: ignore[arg-type,misc]
        except ValueError:
            raise RemoteProtocolError("bad_time", "no such day or hour") from None
        moment = (start - EPOCH) // timedelta(milliseconds=1)
        moment += int(((fraction or "") + "000")[:3])
        if sign:  # a plus that was not percent-encoded arrives as a space
            moment -= (-1 if sign == "-" else 1) * (int(hours) * 60 + int(minutes or 0)) * 60_000
    if not EARLIEST <= moment < LATEST:
        raise RemoteProtocolError("bad_time", "outside 2000 to 2100")
    return round(moment)


def clock_of(stamp: object) -> int | None:
    """The same for a clock that is told besides: ``None`` if it is none, because one that has no time yet, as after
    a dead battery, takes nothing from what was recorded before."""
    try:
        return time_of(stamp)
    except RemoteProtocolError:
        return None


def flag_of(value: object) -> bool | None:
    """true or false, of JSON or as text, 1 and 0 included."""
    if type(value) is str:
        return {"true": True, "1": True, "false": False, "0": False}.get(value.lower())
    return value if type(value) is bool else None


def clean(text: str) -> str:
    """Words for people, cut and without control characters or halves of a surrogate pair, which no file could hold."""
    return "".join(c if c.isprintable() else " " for c in text[:TEXT_LIMIT])


def typed(text: str) -> object:
    """A query's unknown value as JSON would have typed it; what begins with a zero may be a code and stays text."""
    if text in ("true", "false"):
        return text == "true"
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text


def attributes_of(extras: Mapping[str, object]) -> dict[str, object]:
    """What of the unknown keys is kept: scalars under short names, so many and no more."""
    kept: dict[str, object] = {}
    for name, value in extras.items():
        if len(kept) == ATTRIBUTE_LIMIT:
            break
        if not name or len(name) > 64 or not name.isprintable():
            continue
        if type(value) is str:
            kept[name] = clean(value)
        elif type(value) is bool or number_of(value) is not None:
            kept[name] = value
    return kept
