"""What is in a GT06 message: positions, cells, alarms and the state of the tracker, as reports.

A position is 18 bytes: UTC as six bytes, length and satellites as two half bytes, latitude and longitude in 1/30,000
minute, km/h, and a word of course and flags. Then comes the cell that the tracker hears, and what its type has besides.
The makers agree on the first 18 bytes and on little else. Where a tail fits no layout known here it is left alone:
a position is never lost for its tail's sake.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from protocols.alarms import bits_of
from protocols.report import Report

LATE_MS: Final = 600_000
"""A message that cannot say whether it was stored counts as stored when it is so much older than its receipt."""

LOCATED: Final = 0x1000
WEST: Final = 0x0800
NORTH: Final = 0x0400
_COURSE: Final = 0x03FF
_FIX: Final = struct.Struct(">BIIBH")
FIX_SIZE: Final = 18
"""Bytes of a position with its time."""
_FURTHEST: Final = (162_000_000, 324_000_000)
"""90° and 180°."""

WIDE: Final = frozenset({0xA0, 0xA1, 0xA2, 0xA3, 0xA4})
"""Types of 4G trackers: area and cell take 4 and 8 bytes instead of 2 and 3."""
ALARMING: Final = frozenset({0x16, 0x26, 0x27, 0xA3, 0xA4})
"""A position, the cell with its length before it, the state of the tracker with an alarm."""
PLACING: Final = frozenset({0x12, 0x22, 0x24, 0x2D, 0x37, 0x38, 0xA0, 0xA2})
"""A position, the cell, and perhaps ignition, cause and whether it was stored."""
CELLS: Final = frozenset({0x11, 0x18, 0x24, 0x28, 0x2C, 0x2E, 0x33, 0x34, 0xA1, 0xA2})
"""A time and the cells around, because there is no fix."""

ALARM_WORDS: Final[dict[int, str]] = {
    0x01: "sos",
    0x02: "power_cut",
    0x03: "vibration",
    0x04: "fence_in",
    0x05: "fence_out",
    0x06: "overspeed",
    0x09: "moved",
    0x0A: "blind_area",
    0x0C: "power_on",
    0x0E: "low_external",
    0x0F: "low_external",
    0x10: "sim_changed",
    0x11: "power_off",
    0x12: "low_external",
    0x13: "tamper",
    0x14: "door",
    0x15: "low_battery",
    0x16: "sound",
    0x17: "false_station",
    0x18: "removed",
    0x19: "low_battery",
    0x23: "fall",
    0x29: "hard_acceleration",
    0x2A: "hard_turn",
    0x2B: "hard_turn",
    0x2C: "collision",
    0x30: "hard_braking",
    0x32: "unplugged",
    0x90: "hard_acceleration",
    0x91: "hard_braking",
    0x92: "hard_turn",
    0x93: "collision",
}
"""The alarm byte; values that are no alarm (first fix, ignition on and off) and unknown ones have no word."""
_STATE_ALARMS: Final = ("", "vibration", "power_cut", "low_battery", "sos", "", "", "removed")
"""Bits 3 to 5 of the state."""
_LEVELS: Final = (0, 5, 15, 30, 60, 80, 100)
"""Battery levels 0 to 6 in %: the protocol has words from "no power" to "very high" for them."""


class Fix(NamedTuple):
    """The first 18 bytes: ``time`` in ms, the others in the units of a report; ``flags`` the course's word."""

    time: int
    satellites: int
    latitude: int
    longitude: int
    speed: int
    course: int | None
    flags: int


def time_of(content: bytes, at: int) -> int | None:
    """Six bytes, two digits of the year to seconds, as ms since 1970; ``None`` when they are no time."""
    try:
        year, month, day, hour, minute, second = content[at : at + 6]
        return int(datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC).timestamp()) * 1000
    except ValueError:
        return None


def time_to(at: int) -> bytes:
    """ms since 1970 as six bytes."""
    told = datetime.fromtimestamp(at // 1000, UTC)
    return bytes((told.year - 2000, told.month, told.day, told.hour, told.minute, told.second))


def fix_of(content: bytes, at: int) -> Fix | None:
    """The position at ``at``, or ``None`` when what stands there can be none."""
    if len(content) < at + FIX_SIZE:
        return None
    time = time_of(content, at)
    satellites, latitude, longitude, speed, flags = _FIX.unpack_from(content, at + 6)
    if time is None or latitude > _FURTHEST[0] or longitude > _FURTHEST[1]:
        return None
    return _fix(time, satellites & 0x0F, latitude, longitude, speed, flags)


def _fix(time: int, satellites: int, latitude: int, longitude: int, speed: int, flags: int) -> Fix:
    latitude, longitude = (latitude * 50 + 4) // 9, (longitude * 50 + 4) // 9
    course = flags & _COURSE
    return Fix(
        time,
        satellites,
        latitude if flags & NORTH else -latitude,
        -longitude if flags & WEST else longitude,
        (speed * 250 + 4) // 9,
        course if course < 360 else 0 if course == 360 else None,
        flags,
    )


def placed(fix: Fix, items: dict[str, object], *, live: bool, status: int = 0) -> Report:
    """The report of a position. Without a fix there is none: what stood there goes to ``unlocated``."""
    alarm = bits_of(items["alarms"]) if "alarms" in items else 0  # type: ignore[arg-type]
    latitude: int | None = fix.latitude
    longitude: int | None = fix.longitude
    if fix.satellites:
        items["satellites"] = fix.satellites
    if not fix.flags & LOCATED:
        if latitude or longitude:
            items["unlocated"] = [latitude, longitude]
        latitude = longitude = None
    return Report(
        fix.time,
        latitude,
        longitude,
        None,
        fix.speed,
        fix.course,
        None,
        status << 8 | fix.flags >> 10,
        alarm,
        live,
        None,
        items or None,
    )


def unplaced(time: int | None, items: dict[str, object], *, live: bool = True, status: int = 0) -> Report:
    """The report of a message without a position."""
    alarm = bits_of(items["alarms"]) if "alarms" in items else 0  # type: ignore[arg-type]
    return Report(
        time,
        None,
        None,
        status=status << 8,
        alarm=alarm,
        live=live,
        items=items or None,
    )


def state_items(items: dict[str, object], state: bytes) -> int:
    """Read "state, battery, signal, alarm, language", the last two perhaps missing. Answers the byte of the state.

    Some trackers tell the battery in %, some the voltage outside in two bytes, which pushes the signal on.
    """
    flags, level, signal = state[:3]
    rest = 3
    if level <= 0x40 and signal > 100:
        items["power_v"] = (level << 8 | signal) / 100
        signal = state[3] if len(state) > 3 else 0
        rest = 4
    elif level < len(_LEVELS):
        items["battery"] = _LEVELS[level]
    elif level <= 100:
        items["battery"] = level
    if signal <= 100:
        items["signal"] = signal
    items["charging"] = bool(flags & 0x04)
    items["ignition"] = bool(flags & 0x02)
    words = [_STATE_ALARMS[flags >> 3 & 7], ALARM_WORDS.get(state[rest], "") if len(state) > rest + 1 else ""]
    raised = list(dict.fromkeys(word for word in words if word))
    if raised:
        items["alarms"] = raised
    return flags


def _cell_size(content: bytes, at: int, wide: bool) -> int:
    """Bytes of network, area and cell at ``at``; the top bit of the country says that the network takes two."""
    if not wide:
        return 8
    return 16 if len(content) > at and content[at] & 0x80 else 15


def _network(content: bytes, at: int, wide: bool) -> tuple[int, int, int]:
    """Country, network, and where areas begin."""
    country = content[at] << 8 | content[at + 1]
    if wide and country & 0x8000:
        return country & 0x7FFF, content[at + 2] << 8 | content[at + 3], at + 4
    return country, content[at + 2], at + 3


def cells_of(content: bytes, at: int, wide: bool, most: int = 7) -> tuple[list[list[int]], int]:
    """[country, network, area, cell, strength] of each cell, and where they end."""
    area, cell = (4, 8) if wide else (2, 3)
    step = area + cell + 1
    if len(content) < at + 4:
        return [], at
    country, network, at = _network(content, at, wide)
    found = []
    while most and at + step <= len(content):
        here = int.from_bytes(content[at : at + area], "big"), int.from_bytes(content[at + area : at + step - 1], "big")
        if any(here):
            found.append([country, network, *here, content[at + step - 1]])
        at += step
        most -= 1
    return found, at


def access_points(content: bytes, at: int, count: int) -> list[list[object]]:
    """[address, dBm] of each: six bytes, and the strength with its sign or without."""
    found: list[list[object]] = []
    for start in range(at, min(at + 7 * count, len(content) - 6), 7):
        if any(content[start : start + 6]):
            strength = content[start + 6]
            found.append([content[start : start + 6].hex(":"), strength - 256 if strength & 0x80 else -strength])
    return found


# -- by type; each answers None when the content is not what the type says

Reader = Callable[[int, bytes, int], Report | None]


def position(kind: int, content: bytes, now: int) -> Report | None:
    """A type whose content begins with a position, perhaps after the id of the tracker and a second time."""
    at = 0
    if time_of(content, 0) is None:
        # Makers put bits first (4 bytes), or the IMEI (8), or a flag, the IMEI and the time of sending (1 + 8 + 6).
        at = next((one for one in (8, 15, 4) if time_of(content, one) is not None), 0)
    fix = fix_of(content, at)
    if fix is None:
        return None
    items: dict[str, object] = {}
    status = 0
    stored = now - fix.time > LATE_MS
    end = at + FIX_SIZE
    wide = kind in WIDE
    if kind in ALARMING:
        state = _state_at(content, end, wide)
        if len(content) >= state + 3:
            status = state_items(items, content[state : state + 5])
            if len(content) == state + 13:
                items["driver"] = content[state + 5 :].hex()
    elif kind in PLACING:
        rest = content[end + _cell_size(content, end, wide) :]
        if len(rest) in (2, 3, 7):
            items["ignition"] = rest[0] == 1
            stored = rest[2] == 1 if len(rest) > 2 else stored
            if len(rest) == 7:
                items["mileage_m"] = int.from_bytes(rest[3:], "big")
        elif len(rest) in (4, 5):
            status = state_items(items, rest)
    altitude = _MORE[kind](items, content[end:]) if kind in _MORE else None
    if not fix.flags & LOCATED:
        around = _cells_behind(kind, content, end)
        if around:
            items["cells"] = around
    report = placed(fix, items, live=not stored, status=status)
    report.altitude = altitude
    return report


def _cells_behind(kind: int, content: bytes, at: int) -> list[list[int]]:
    """The cells behind a position: several in 0x1E, in the others one that has no strength."""
    wide = kind in WIDE
    if kind == 0x1E:
        return cells_of(content, at, wide)[0]
    if kind in ALARMING:
        at += 1
    return cells_of(content[: at + _cell_size(content, at, wide)] + b"\0", at, wide, 1)[0]


def _state_at(content: bytes, at: int, wide: bool) -> int:
    """Where the state begins behind a position at whose end a cell stands, usually after its length.

    The length counts itself or not; the oldest trackers have none.
    """
    size = _cell_size(content, at + 1, wide)
    if not wide and len(content) == at + 8 + 5 and content[at] not in (8, 9):
        return at + 8
    if not wide and content[at : at + 1] == b"\x0a":
        size += 1
    return at + 1 + size


def _signed(two: bytes) -> int:
    return int.from_bytes(two, "big", signed=True)


def _more_31(items: dict[str, object], rest: bytes) -> int | None:
    """Cell of 9 bytes, signal, ignition, cause, stored, mileage, altitude."""
    if len(rest) < 19:
        return None
    items["ignition"] = rest[10] == 1
    return _signed(rest[17:19])


def _more_32(items: dict[str, object], rest: bytes) -> int | None:
    """Length and cell of 9 bytes, then a state of its own and the altitude at its end."""
    return _signed(rest[16:18]) if len(rest) == 18 else None


def _more_36(items: dict[str, object], rest: bytes) -> None:
    """Cell of 9 bytes, six bytes of state, battery in %, volts outside and inside."""
    if len(rest) >= 19 and rest[15] <= 100:
        items["battery"] = rest[15]
        items["power_v"] = (rest[16] << 8 | rest[17]) / 100
        items["battery_v"] = rest[18] / 10


_MORE: Final[dict[int, Callable[[dict[str, object], bytes], int | None]]] = {
    0x31: _more_31,
    0x32: _more_32,
    0x36: _more_36,
}
"""What stands behind the position in some other types; the altitude in metres is answered."""


def surroundings(kind: int, content: bytes, now: int) -> Report | None:
    """A time and the cells and access points around."""
    time = time_of(content, 0)
    if time is None:
        return None
    wide = kind in WIDE
    items: dict[str, object] = {}
    if kind == 0x24 and content[6:7] == b"\0" and len(content) > 10:
        cells, at = cells_of(content[:10] + content[11:], 7, False, min(content[10], 7))
    else:
        cells, at = cells_of(content, 6, wide)
        if not cells:  # one cell that has no strength
            cells, _ = cells_of(content[: 6 + _cell_size(content, 6, wide)] + b"\0", 6, wide, 1)
    if cells:
        items["cells"] = cells
    if kind in (0x2C, 0xA2, 0x33) and len(content) > at + 1:
        wifi = access_points(content, at + 2, content[at + 1])
        if wifi:
            items["wifi"] = wifi
    return unplaced(time, items, live=now - time <= LATE_MS)


def sectioned(kind: int, content: bytes, now: int) -> Report | None:
    """0x32 and 0x33 after ``79 79``: time, a position after its length, which may be 0, a cell after its length."""
    if len(content) > 7 and content[6]:
        fix = fix_of(content[:6] + content[7:], 0)
        return placed(fix, {}, live=now - fix.time <= LATE_MS) if fix else None
    return surroundings(0x11, content[:6] + content[8:], now)
