"""What is in a watch's message: a position with its surroundings, the health of its wearer, its battery."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from protocols.alarms import bits_of
from protocols.report import Report

LATE_MS: Final = 600_000
"""So much older than its receipt, a position was stored, whatever its type."""
STORED: Final = "UD2"
"""The type for positions that could not be sent at their time."""

ALARM_BITS: Final = (
    (16, "sos"),
    (17, "low_battery"),
    (18, "fence_out"),
    (19, "fence_in"),
    (20, "removed"),
    (21, "fall"),
    (22, "health"),
)
"""Bits of the state from 16 on are alarms; those below are states."""
_ALARMING: Final = 0x7F0000
AROUND_LIMIT: Final = 16
"""Cells, and access points, of one message that are kept."""

_CLOCK: Final = re.compile(r"\d{6}", re.ASCII)
_STATE: Final = re.compile(r"[0-9A-Fa-f]{4,8}", re.ASCII)
_ANGLE: Final = re.compile(r" *(-?)(\d{1,5}(?:\.\d{1,10})?)", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,7}(?:\.\d{0,7})?", re.ASCII)

Items = dict[str, object]


def number(fields: list[str], at: int) -> float | None:
    """The number that stands there, if it is one."""
    return float(fields[at]) if at < len(fields) and _NUMBER.fullmatch(fields[at]) else None


def whole(fields: list[str], at: int, most: int) -> int | None:
    """The whole number from 0 to ``most`` that stands there, if it is one."""
    told = number(fields, at)
    return int(told) if told is not None and 0 <= told <= most else None


def angle(text: str, mark: str, most: int) -> int | None:
    """Degrees, negative by their sign or by the letter behind them, as 1e-7 degrees. What is too much for
    degrees may be degrees and minutes, DDMM.MMMM."""
    match = _ANGLE.fullmatch(text)
    if match is None:
        return None
    value = float(match[2])
    if value > most:
        degrees, minutes = divmod(value, 100)
        value = degrees + minutes / 60
        if not degrees or minutes >= 60 or value > most:
            return None
    return round(-value * 1e7 if match[1] or mark in ("S", "W") else value * 1e7)


def _time(date: str, clock: str) -> int | None:
    try:
        day, month, year = int(date[:2]), int(date[2:4]), 2000 + int(date[4:])
        told = datetime(year, month, day, int(clock[:2]), int(clock[2:4]), int(clock[4:]), tzinfo=UTC)
    except ValueError:
        return None
    return int(told.timestamp()) * 1000


def position(fields: list[str], now: int) -> Report | None:
    """Date, time, A or V, latitude, longitude, km/h, course, altitude, satellites, signal, battery, steps, turns,
    state, surroundings, accuracy. ``fields`` begin with the type; ``None`` when there is no position in them."""
    at = next(
        (
            one
            for one in range(1, min(4, len(fields) - 7))
            if _CLOCK.fullmatch(fields[one]) and _CLOCK.fullmatch(fields[one + 1]) and fields[one + 2] in ("A", "V")
        ),
        0,
    )
    time = _time(fields[at], fields[at + 1]) if at else None
    if time is None:
        return None
    latitude = angle(fields[at + 3], fields[at + 4], 90)
    longitude = angle(fields[at + 5], fields[at + 6], 180)
    if latitude is None or longitude is None:
        return None
    items: Items = {}
    _numbers(items, fields, at + 10, _POSITION_ITEMS)
    told = fields[at + 15] if at + 15 < len(fields) else ""
    state = int(told, 16) if _STATE.fullmatch(told) else 0
    if state & _ALARMING:
        items["alarms"] = [word for bit, word in ALARM_BITS if state >> bit & 1]
    fixed = fields[at + 2] == "A"
    accuracy = _around(items, fields, at + 16, keep=not fixed)
    where: tuple[int | None, int | None] = (latitude, longitude)
    if not fixed:
        if latitude or longitude:
            items["unlocated"] = [latitude, longitude]
        where = (None, None)
    speed, course, altitude = (number(fields, at + 7 + place) for place in range(3))
    live = fields[0] != STORED and now - time <= LATE_MS
    return Report(
        time,
        *where,
        None if altitude is None else round(altitude),
        None if speed is None or not 0 <= speed < 2000 else round(speed * 250 / 9),
        None if course is None or not 0 <= course <= 360 else int(course) % 360,
        accuracy if fixed else None,
        state,
        bits_of(items["alarms"]) if "alarms" in items else 0,  # type: ignore[arg-type]
        live,
        None,
        items or None,
    )


_POSITION_ITEMS: Final = (
    ("satellites", 99),
    ("signal", 100),
    ("battery", 100),
    ("steps", 10_000_000),
    ("turns", 10_000_000),
)


def _numbers(items: Items, fields: list[str], at: int, names: tuple[tuple[str, int], ...]) -> None:
    for place, (name, most) in enumerate(names, at):
        value = whole(fields, place, most)
        if value is not None:
            items[name] = value


def _around(items: Items, fields: list[str], at: int, *, keep: bool) -> int | None:
    """Cells and access points, kept where there is no fix; answers the accuracy behind them in decimetres."""
    count = whole(fields, at, AROUND_LIMIT)
    if count is None:
        return None
    country, network = whole(fields, at + 2, 999), whole(fields, at + 3, 999)
    behind = at + 4 + 3 * count if count else at + 2
    if count and keep:
        found = []
        for start in range(at + 4, min(behind, len(fields) - 2), 3):
            area, cell = _cell_number(fields[start]), _cell_number(fields[start + 1])
            if country is not None and network is not None and area is not None and cell is not None:
                found.append([country, network, area, cell, whole(fields, start + 2, 999) or 0])
        if found:
            items["cells"] = found
    points = whole(fields, behind, AROUND_LIMIT)
    if points is None:
        return None
    if points and keep:
        heard: list[list[object]] = []
        for start in range(behind + 1, min(behind + 1 + 3 * points, len(fields) - 2), 3):
            strength = number(fields, start + 2)
            if re.fullmatch(r"[0-9A-Fa-f:]{17}", fields[start + 1]) and strength is not None:
                heard.append([fields[start + 1].lower(), int(strength)])
        if heard:
            items["wifi"] = heard
    told = number(fields, behind + 1 + 3 * points)
    return round(told * 10) if told is not None and 0 < told < 100_000 else None


def _cell_number(text: str) -> int | None:
    """Decimal, or hexadecimal when it looks so."""
    if len(text) > 9 or not re.fullmatch(r"[0-9A-Fa-f]+", text):
        return None
    return int(text, 10 if text.isdecimal() else 16)


# -- readings: type in small letters -> what its fields are


def _one(name: str, at: int, most: int) -> Callable[[list[str]], Items]:
    def read(fields: list[str]) -> Items:
        value = whole(fields, at, most)
        return {name: value} if value else {}

    return read


def _degrees(at: int) -> Callable[[list[str]], Items]:
    def read(fields: list[str]) -> Items:
        value = number(fields, at)
        return {"temperature": value} if value is not None and 20 <= value <= 50 else {}

    return read


def _link(fields: list[str]) -> Items:
    items: Items = {}
    _numbers(items, fields, 1, (("steps", 10_000_000), ("turns", 10_000_000), ("battery", 100)))
    return items


def _pressure(fields: list[str]) -> Items:
    upper, lower = whole(fields, 1, 300), whole(fields, 2, 300)
    return {"blood_pressure": [upper, lower]} if upper and lower else {}


READINGS: Final[dict[str, Callable[[list[str]], Items]]] = {
    "lk": _link,
    "heart": _one("heart_rate", 1, 300),
    "pulse": _one("heart_rate", 1, 300),
    "blood": _pressure,
    "bphrt": lambda fields: {**_pressure(fields), **_one("heart_rate", 3, 300)(fields)},
    "oxygen": _one("oxygen", 2, 100),
    "temp": _degrees(1),
    "btemp2": _degrees(2),
}
"""0 means "not measured" in all of them."""


def reading(kind: str, fields: list[str]) -> Report | None:
    """A message of :data:`READINGS`, or ``None`` when there is nothing in it to store."""
    items = READINGS[kind](fields)
    return Report(None, None, None, items=items) if items else None
