"""What is in an H02 message: a position, cells, or the tracker's health, as a report.

The text form is a list of fields that every maker has lengthened in its own way. So a position is looked for by its
look: a time, ``A`` or ``V``, degrees with ``N`` or ``S``, degrees with ``E`` or ``W``, speed, course, date, state. What
stands before is the answer to a command, what stands behind are the cell and the battery, or something else.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from protocols.alarms import bits_of
from protocols.report import Report

LATE_MS: Final = 600_000
"""The protocol has no word for a stored position: so much older than its receipt it counts as one."""
ALL_QUIET: Final = 0xFFFFFFFF
"""The state of a tracker that tells none: its bits are true when they are 0."""

_ALARMS: Final = (
    (0, "vibration"),
    (1, "sos"),
    (2, "overspeed"),
    (4, "fence_in"),
    (7, "fence_out"),
    (18, "sos"),
    (19, "power_cut"),
)
"""Bits of the state that are alarms when they are 0."""
_QUIET_ALARMS: Final = sum(1 << bit for bit, _ in _ALARMS)
_IGNITION: Final = 1 << 10
_LEVELS: Final = (None, 0, 10, 20, 60, 80, 100)
"""Battery levels 0 to 6 in %; greater numbers are % themselves."""
CELLS_LIMIT: Final = 16
"""Cells of one message that are kept."""

_CLOCK: Final = re.compile(r"\d{6}", re.ASCII)
_STATE: Final = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_DEGREES: Final = re.compile(r"(?:(-?\d{1,3})-)?(\d{0,5}(?:\.\d{1,8})?)", re.ASCII)
_NUMBER: Final = re.compile(r" *(\d{1,5}(?:\.\d{0,5})?)", re.ASCII)

Items = dict[str, object]


def time_of(date: str, clock: str) -> int | None:
    """DDMMYY and HHMMSS as ms since 1970; ``None`` when they are no time."""
    try:
        day, month, year = int(date[:2]), int(date[2:4]), 2000 + int(date[4:6])
        told = datetime(year, month, day, int(clock[:2]), int(clock[2:4]), int(clock[4:6]), tzinfo=UTC)
    except ValueError:
        return None
    return int(told.timestamp()) * 1000


def degrees(text: str, mark: str) -> int | None:
    """``DDDMM.MMMM``, or ``-DD-MM.MMMM``, and the half of the globe, as 1e-7 degrees."""
    match = _DEGREES.fullmatch(text.strip())
    if match is None or not match[2] or match[2] == ".":
        return None
    minutes = float(match[2])
    if match[1] is not None:
        whole = abs(int(match[1]))
    else:
        whole, minutes = divmod(minutes, 100)  # type: ignore[assignment]
    if minutes >= 60:
        return None
    value = round((whole + minutes / 60) * 1e7)
    if value > (900_000_000 if mark in "NS" else 1_800_000_000):
        return None
    return -value if mark in "SW" else value


def number(text: str) -> float | None:
    """A number without a sign."""
    match = _NUMBER.fullmatch(text)
    return float(match[1]) if match else None


def battery(items: Items, told: int) -> None:
    """A level of 1 to 6, or %."""
    value = _LEVELS[told] if told < len(_LEVELS) else told
    if value is not None and value <= 100:
        items["battery"] = value


def state_items(items: Items, state: int) -> int:
    """Ignition and alarms of the state; answers the alarms' bits."""
    if state == ALL_QUIET:
        return 0
    items["ignition"] = bool(state & _IGNITION)
    if state & _QUIET_ALARMS == _QUIET_ALARMS:
        return 0
    words = list(dict.fromkeys(word for bit, word in _ALARMS if not state >> bit & 1))
    items["alarms"] = words
    return bits_of(words)


def _report(
    now: int,
    time: int | None,
    where: tuple[int, int] | None,
    fixed: bool,
    speed: int | None,
    course: int | None,
    state: int,
    items: Items,
) -> Report:
    alarm = state_items(items, state)
    latitude = longitude = None
    if where is not None:
        if fixed:
            latitude, longitude = where
        elif where != (0, 0):
            items["unlocated"] = list(where)
    live = time is None or now - time <= LATE_MS
    return Report(time, latitude, longitude, None, speed, course, None, state, alarm, live, None, items or None)


# -- text


def position(fields: list[str], now: int) -> Report | None:
    """The position in these fields, which begin with the type of the message; ``None`` when there is none."""
    for at in range(1, len(fields) - 6):
        if fields[at + 2] in ("N", "S") and fields[at + 4] in ("E", "W") and len(fields[at]) < 2:
            return _position(fields, at, now)
    return None


def _position(fields: list[str], at: int, now: int) -> Report | None:
    latitude, longitude = degrees(fields[at + 1], fields[at + 2]), degrees(fields[at + 3], fields[at + 4])
    if latitude is None or longitude is None:
        return None
    clock = fields[at - 1] if _CLOCK.fullmatch(fields[at - 1]) else ""
    # Usually behind the course; some put one more number between.
    date = next((one for one in range(at + 6, min(at + 9, len(fields))) if _CLOCK.fullmatch(fields[one])), None)
    if date is None:
        return None
    time = time_of(fields[date], clock) if clock else _day(fields[date], now)
    if time is None:
        return None
    speed, course = number(fields[at + 5]), number(fields[at + 6]) if date > at + 6 else None
    state, behind = ALL_QUIET, date + 1
    if behind < len(fields) and _STATE.fullmatch(fields[behind]):
        state, behind = int(fields[behind], 16), behind + 1
    elif behind < len(fields) and _STATE.fullmatch(fields[-1]):
        state, behind = int(fields[-1], 16), len(fields)
    items: Items = {}
    _behind(items, fields[behind:])
    return _report(
        now,
        time,
        (latitude, longitude),
        fields[at] in ("A", "B"),
        None if speed is None else round(speed * 463 / 9),
        None if course is None or course > 360 else int(course) % 360,
        state,
        items,
    )


def _day(date: str, now: int) -> int | None:
    """The form without a clock: today it is about now, else somewhen that day."""
    start = time_of(date, "000000")
    return now if start is not None and start <= now < start + 86_400_000 else start


def _behind(items: Items, rest: list[str]) -> None:
    """Country, network, area, cell and the battery, as most have it. Other tails are none of our business."""
    if len(rest) == 5 and rest[-1].isdecimal() and len(rest[-1]) <= 3 and any(one.strip("0") for one in rest[:4]):
        battery(items, int(rest[-1]))


def _cells(fields: list[str], count: str, step: int, country: int, network: int) -> list[list[int]]:
    found = []
    most = min(int(count) if count.isdecimal() and len(count) < 4 else 0, CELLS_LIMIT)
    for at in range(0, min(most * step, len(fields)), step):
        area, cell, strength = fields[at : at + 3] if at + 3 <= len(fields) else ("", "", "")
        if area.isdecimal() and cell.isdecimal() and len(area) < 10 and len(cell) < 10:
            heard = int(strength) if strength.isdecimal() and len(strength) < 4 else 0
            found.append([country, network, int(area), int(cell), heard])
    return found


def _ends(fields: list[str]) -> tuple[str, int, int]:
    """The date, the state, and where the date stands, looked for from the end."""
    for at in range(len(fields) - 2, 0, -1):
        if _CLOCK.fullmatch(fields[at]) and _STATE.fullmatch(fields[at + 1]):
            return fields[at], int(fields[at + 1], 16), at
    return "", ALL_QUIET, len(fields)


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def neighbours(fields: list[str], now: int) -> Report | None:
    """NBR: time, country, network, timing advance, number, that many cells, date, state, perhaps the battery."""
    date, state, at = _ends(fields)
    if len(fields) < 6 or not date:
        return None
    items: Items = {}
    cells = _cells(fields[6:at], fields[5], 3, _whole(fields[2]), _whole(fields[3]))
    if cells:
        items["cells"] = cells
    if len(fields) == at + 3 and _whole(fields[-1]):
        battery(items, _whole(fields[-1]))
    return _report(now, time_of(date, fields[1]), None, False, None, None, state, items)


def cells(fields: list[str], now: int) -> Report | None:
    """V3: time, country and network in one, number, area, cell, two strengths each, date, state."""
    date, state, at = _ends(fields)
    if len(fields) < 5 or not date or len(fields[2]) < 4:
        return None
    found = _cells(fields[4:at], fields[3], 4, _whole(fields[2][:3]), _whole(fields[2][3:]))
    items: Items = {"cells": found} if found else {}
    return _report(now, time_of(date, fields[1]), None, False, None, None, state, items)


def link(fields: list[str], now: int) -> Report | None:
    """LINK: time, signal, satellites, battery in %, steps, turns, date, state."""
    if len(fields) < 8:
        return None
    items: Items = {}
    for name, told in zip(("signal", "satellites", "battery", "steps", "turns"), fields[2:7], strict=True):
        if told.isdecimal() and len(told) < 8:
            items[name] = int(told)
    if items.get("battery", 0) > 100:  # type: ignore[operator]
        del items["battery"]
    date, state, _ = _ends(fields)
    return _report(now, time_of(date or fields[7], fields[1]), None, False, None, None, state, items)


def position_or_cells(fields: list[str], now: int) -> Report | None:
    """VP1: a position without a clock, or after ``V`` country, network, and cells that each end with a ``Y``."""
    if len(fields) < 5 or fields[1] != "V" or not fields[2].isdecimal():
        return position(fields, now)
    found = []
    for one in ",".join(fields[4:]).split("Y"):
        found += _cells(one.split(","), "1", 3, _whole(fields[2]), _whole(fields[3]))
    return _report(now, None, None, False, None, None, ALL_QUIET, {"cells": found[:CELLS_LIMIT]}) if found else None


def heartbeat(fields: list[str], now: int) -> Report | None:
    """HTBT, perhaps with the battery in %."""
    if len(fields) < 2 or not fields[1].isdecimal() or len(fields[1]) > 3 or int(fields[1]) > 100:
        return None
    return Report(None, None, None, items={"battery": int(fields[1])})


# -- binary: two decimal digits a byte


def binary(data: bytes, now: int) -> tuple[str, Report | None]:
    """Id and report: id 5 bytes, time, date, latitude 4, battery, longitude 9 digits and flags, speed and course of 3
    digits each, state; the longer form has more behind, which every maker uses as it likes."""
    text = data.hex()
    ident = text[2:12]
    time = time_of(text[18:24], text[12:18])
    latitude, longitude, flags = text[24:32], text[34:43], text[43]
    if time is None or not (latitude + longitude).isdigit():
        return ident, None
    bits = int(flags, 16)
    north = degrees(f"{latitude[:4]}.{latitude[4:]}", "N" if bits & 4 else "S")
    east = degrees(f"{longitude[:5]}.{longitude[5:]}", "E" if bits & 8 else "W")
    if north is None or east is None:
        return ident, None
    speed, course = text[44:47], text[47:50]
    items: Items = {}
    if text[32:34].isdigit():
        battery(items, int(text[32:34]))
    report = _report(
        now,
        time,
        (north, east),
        bool(bits & 2),
        round(int(speed) * 463 / 9) if speed.isdigit() else None,
        int(course) % 360 if course.isdigit() and int(course) <= 360 else None,
        int(text[50:58], 16),
        items,
    )
    return ident, report
