"""GT06 messages that are no common position: heartbeats, readings in many forms, texts, and the plain frames.

Each reader takes a message's content and ``now`` (ms) and answers its report, or ``None`` when there is nothing in it
to store.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from protocols.gt06.messages import (
    ALARM_WORDS,
    FIX_SIZE,
    LATE_MS,
    LOCATED,
    Fix,
    access_points,
    fix_of,
    placed,
    state_items,
    time_of,
    unplaced,
)
from protocols.report import Report

TEXT_LIMIT: Final = 256
"""Characters of a text that are kept."""

Items = dict[str, object]


def _only(items: Items, now: int, status: int = 0) -> Report | None:
    """Readings of now without a position."""
    return unplaced(None, items, status=status) if items else None


def heartbeat(content: bytes, now: int) -> Report | None:
    """0x13: the tracker's state, or one of 14 bytes with the voltage outside and a temperature."""
    items: Items = {}
    if len(content) == 14:
        items["charging"] = bool(content[0] & 0x04)
        items["ignition"] = bool(content[0] & 0x02)
        if any(content[7:9]):
            items["power_v"] = (content[7] << 8 | content[8]) / 100
        items["temperature"] = int.from_bytes(content[12:14], "big", signed=True) / 10
        return _only(items, now, content[0])
    if len(content) < 3:
        return None
    return _only(items, now, state_items(items, content[:5]))


def heartbeat_volts(content: bytes, now: int) -> Report | None:
    """0x23: state, voltage in two bytes, signal, language."""
    if len(content) < 4:
        return None
    flags = content[0]
    items: Items = {"charging": bool(flags & 4), "ignition": bool(flags & 2)}
    items["battery_v"] = (content[1] << 8 | content[2]) / 100
    if content[3] <= 100:
        items["signal"] = content[3]
    return _only(items, now, flags)


def cell_state(content: bytes, now: int) -> Report | None:
    """0x19: one cell, and the state."""
    if len(content) < 11:
        return None
    country, area = content[0] << 8 | content[1], content[3] << 8 | content[4]
    items: Items = {"cells": [[country, content[2], area, int.from_bytes(content[5:8], "big"), 0]]}
    return _only(items, now, state_items(items, content[8:13]))


def alarm(content: bytes, now: int) -> Report | None:
    """0x95: time, perhaps a position without satellites and speed, an alarm, names of recordings."""
    time = time_of(content, 0)
    if time is None or len(content) < 7:
        return None
    live = now - time <= LATE_MS
    if len(content) < FIX_SIZE:
        word = ALARM_WORDS.get(content[6])
        return unplaced(time, {"alarms": [word]} if word else {}, live=live)
    word = ALARM_WORDS.get(content[16])
    items: Items = {"alarms": [word]} if word else {}
    # The common form has the satellites before and the speed within what stands here.
    fix = fix_of(content[:6] + b"\0" + content[6:14] + b"\0" + content[14:16], 0)
    return placed(fix, items, live=live) if fix else None


def engine(content: bytes, now: int) -> Report | None:
    """0x8C: time, readings of the engine as text, and the rest of a position at the end."""
    fix = fix_of(content[:6] + content[-12:], 0) if len(content) > FIX_SIZE else None
    if fix is None:
        return None
    return placed(fix, {"engine": _clean(content[8:-12])}, live=now - fix.time <= LATE_MS)


# -- 0x94: whatever has no place elsewhere, by a byte in front


def _states(content: bytes) -> Items:
    found: Items = {}
    for part in _clean(content).split(";")[:32]:
        name, mark, value = part.partition("=")
        if mark and value:
            found[name[:16]] = value
    return {"settings": found} if found else {}


def _numbers(content: bytes) -> Items:
    if len(content) < 26:
        return {}
    return {"imsi": content[8:16].hex().lstrip("0"), "iccid": content[16:26].hex().rstrip("f")}


def _air(content: bytes) -> Items:
    if len(content) < 8:
        return {}
    signed = int.from_bytes(content[:4], "big", signed=True)
    return {"temperature": signed / 10, "humidity": int.from_bytes(content[4:8], "big") / 10}


_INFORMATION: Final[dict[int, Callable[[bytes], Items]]] = {
    0x00: lambda c: {"power_v": int.from_bytes(c[:2], "big") / 100},
    0x04: _states,
    0x05: lambda c: {"door": bool(c[-1] & 1)} if c else {},
    0x0A: _numbers,
    0x0D: lambda c: {"fuel": _clean(c)},
    0x1B: lambda c: {"tag": _clean(c)},
    0x1E: _air,
}


def information(content: bytes, now: int) -> Report | None:
    """0x94."""
    read = _INFORMATION.get(content[0]) if content else None
    return _only(read(content[1:]), now) if read else None


def module(content: bytes, now: int) -> Report | None:
    """0x9B: what a module behind the tracker says, as text if it is one."""
    data = content[1:]
    text = data.rstrip(b"\r\n\0")
    shown = text.decode("ascii") if text.isascii() and text.decode("ascii").isprintable() else data[:128].hex()
    return _only({"module": shown} if shown else {}, now)


# -- 0x70: readings with an id and a length each, two bytes both


def _tagged(content: bytes, at: int) -> dict[int, bytes] | None:
    """The readings from ``at`` on, if they fill the content exactly."""
    found: dict[int, bytes] = {}
    while at + 4 <= len(content):
        size = content[at + 2] << 8 | content[at + 3]
        found[content[at] << 8 | content[at + 1]] = content[at + 4 : at + 4 + size]
        at += 4 + size
    return found if at == len(content) else None


def readings(content: bytes, now: int) -> Report | None:
    """0x70, perhaps with five bytes in front. The position has seconds since 1970 and a form of its own."""
    found = _tagged(content, 0) or _tagged(content, 5)
    if not found:
        return None
    items: Items = {}
    if found.get(0x35) == b"\x01":
        items["alarms"] = ["removed"]
    if len(found.get(0x18, b"")) == 2:
        items["battery_v"] = int.from_bytes(found[0x18], "big") / 100
    if len(found.get(0x7F, b"")) >= 13:
        tag = found[0x7F]
        items["tag"] = tag[:6].hex(":")
        items["tag_battery"] = tag[8]
        items["temperature"] = int.from_bytes(tag[9:11], "big", signed=True) / 10
        items["humidity"] = int.from_bytes(tag[11:13], "big") / 10
    place = found.get(0x33, b"")
    if len(place) == 18 and any(place):
        time = int.from_bytes(place[:4], "big") * 1000
        # Time, satellites, altitude, and what the common form has behind its satellites.
        fix = fix_of(b"\0\1\1\0\0\0" + place[4:5] + place[7:], 0)
        if fix is not None and time:
            report = placed(fix._replace(time=time), items, live=now - time <= LATE_MS)
            report.altitude = int.from_bytes(place[5:7], "big", signed=True)
            return report
    told = found.get(0x2C, b"")
    time = int.from_bytes(told, "big") * 1000
    return unplaced(time or None, items, live=not time or now - time <= LATE_MS) if items else None


# -- texts: what a tracker answers to a command, ours or one that came by SMS

_SPOKEN: Final = re.compile(
    r"Lat:([NS])(\d{1,2}\.\d{1,8}),Lon:([EW])(\d{1,3}\.\d{1,8}),Course:(\d{1,3})(?:\.\d*)?,Speed:(\d{1,3}(?:\.\d{1,4})?)"
    r",DateTime:(\d{4})-(\d\d)-(\d\d) {1,2}(\d\d):(\d\d):(\d\d)",
    re.ASCII,
)


def answer_text(content: bytes, now: int) -> Report | None:
    """0x21: mark, kind of text, text. 0x15 ends with a language and has a length in front: see :func:`answer_old`."""
    if len(content) < 6:
        return None
    text = content[5:].decode("utf-16-be", "replace") if content[4] == 2 else content[5:].decode("ascii", "replace")
    return _spoken(text, now)


def answer_old(content: bytes, now: int) -> Report | None:
    """0x15."""
    return _spoken(content[5:-2].decode("ascii", "replace"), now) if len(content) > 7 else None


def _spoken(text: str, now: int) -> Report | None:
    match = _SPOKEN.search(text[:TEXT_LIMIT])
    if match is not None:
        south, latitude, west, longitude, course, speed, *time = match.groups()
        try:
            at = int(datetime(*map(int, time), tzinfo=UTC).timestamp()) * 1000  # type: ignore[misc,arg-type]
        except ValueError:
            return None
        return placed(
            Fix(
                at,
                0,
                round(float(latitude) * 1e7) * (-1 if south == "S" else 1),
                round(float(longitude) * 1e7) * (-1 if west == "W" else 1),
                round(float(speed) * 250 / 9),
                int(course) % 360,
                LOCATED,
            ),
            {},
            live=now - at <= LATE_MS,
        )
    shown = "".join(c if c.isprintable() else " " for c in text[:TEXT_LIMIT]).strip(" \ufffd")
    return _only({"answer": shown} if shown else {}, now)


def _clean(content: bytes) -> str:
    text = content[:TEXT_LIMIT].decode("ascii", "replace")
    return "".join(c if c.isprintable() else " " for c in text).strip()


READERS: Final[dict[int, Callable[[bytes, int], Report | None]]] = {
    0x13: heartbeat,
    0x15: answer_old,
    0x19: cell_state,
    0x21: answer_text,
    0x23: heartbeat_volts,
    0x70: readings,
    0x8C: engine,
    0x94: information,
    0x95: alarm,
    0x9B: module,
}


# -- plain frames


def _digits(content: bytes) -> int | None:
    """Six bytes of two decimal digits each, as a time."""
    try:
        return time_of(bytes(int(f"{byte:02x}") for byte in content[:6]), 0)
    except ValueError:
        return None


def plain_position(content: bytes, now: int, *, live: bool) -> Report | None:
    """0x10 about now, 0x11 stored: a position."""
    fix = fix_of(content, 0)
    return placed(fix, {}, live=live) if fix else None


def plain_wifi(content: bytes, now: int, count: int, *, live: bool) -> Report | None:
    """0x69 about now, 0x17 stored: time in decimal digits, ``count`` access points, cells after their number."""
    time = _digits(content)
    if time is None:
        return None
    items: Items = {}
    wifi = access_points(content, 6, count)
    if wifi:
        items["wifi"] = wifi
    at = 6 + 7 * count
    cells = []
    if len(content) >= at + 4:
        country, network = content[at + 1] << 8 | content[at + 2], content[at + 3]
        for start in range(at + 4, min(at + 4 + 5 * content[at], len(content) - 4), 5):
            area, cell = content[start] << 8 | content[start + 1], content[start + 2] << 8 | content[start + 3]
            cells.append([country, network, area, cell, content[start + 4]])
    if cells:
        items["cells"] = cells
    return unplaced(time, items, live=live)


def plain_state(content: bytes, now: int) -> Report | None:
    """0x13: battery in %, version, minutes between two of these, perhaps the signal."""
    items: Items = {"battery": content[0]} if content and content[0] <= 100 else {}
    if len(content) > 3 and content[3] <= 100:
        items["signal"] = content[3]
    return _only(items, now)
