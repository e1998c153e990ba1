"""Additional items of a position (0x0200, after the first 28 bytes): id u8, length u8, value.

One table tells for each standard item its length, its name in :attr:`Report.items` and how to read and write it.
An item of the standard with another length, or bytes that are no item, go to ``malformed``; ids of vendors go to
``raw`` as ``[id, bytes]`` in their order. Id 00 is what terminals pad with: it ends the list. Nothing in here
raises on a peer's bytes: a position is never lost for an item's sake.

Where the public sources leave a unit open, the raw number is kept. Speeds are turned into centimetres a second,
distances into metres, as everywhere in a report.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from protocols.errors import LocalProtocolError

ITEMS_LIMIT: Final = 4096
"""Bytes of items that are read, four full frames of them: a body put together from fragments may be far longer,
and each two bytes could ask for an object of their own. What follows is cut off as malformed, up to as much again."""


class Item(NamedTuple):
    """A standard item: ``id``, its legal ``sizes`` in bytes, ``name``, unit, and both directions of its value."""

    id: int
    sizes: tuple[int, ...]
    name: str
    unit: str
    decode: Callable[[bytes], object]
    encode: Callable[[Any], bytes]


def speed_from_wire(value: int) -> int:
    """0.1 km/h -> cm/s, rounded."""
    return (value * 50 + 9) // 18


def speed_to_wire(value: int) -> int:
    """cm/s -> 0.1 km/h, rounded: gives back exactly what :func:`speed_from_wire` was given."""
    return (value * 18 + 25) // 50


def _unsigned(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _word(size: int) -> Callable[[int], bytes]:
    return lambda value: value.to_bytes(size, "big")


def _plain(ident: int, size: int, name: str, unit: str) -> Item:
    return Item(ident, (size,), name, unit, _unsigned, _word(size))


def _tyres(value: bytes) -> list[int | None]:
    return [None if byte == 0xFF else byte for byte in value.rstrip(b"\xff")]


def _tyres_to_wire(value: list[int | None]) -> bytes:
    return bytes(0xFF if wheel is None else wheel for wheel in value).ljust(30, b"\xff")


def _temperature(value: bytes) -> int:
    # The top bit says "below zero", the others are the amount: not two's complement.
    word = _unsigned(value)
    return -(word & 0x7FFF) if word & 0x8000 else word


def _temperature_to_wire(value: int) -> bytes:
    return (value if value >= 0 else 0x8000 | -value).to_bytes(2, "big")


def _overspeed(value: bytes) -> dict[str, int | None]:
    return {"place": value[0], "area": _unsigned(value[1:]) if len(value) == 5 else None}


def _overspeed_to_wire(value: dict[str, int | None]) -> bytes:
    area = value["area"]
    return bytes([value["place"] or 0]) + (b"" if area is None else area.to_bytes(4, "big"))


_AREA: Final = struct.Struct(">BIB")
_ROUTE: Final = struct.Struct(">IHB")
_DRIVING: Final = struct.Struct(">HB")


def _record(layout: struct.Struct, *names: str) -> tuple[Callable[[bytes], object], Callable[[Any], bytes]]:
    return (
        lambda value: dict(zip(names, layout.unpack(value), strict=True)),
        lambda value: layout.pack(*(value[name] for name in names)),
    )


STANDARD: Final = (
    Item(0x01, (4,), "mileage_m", "m", lambda v: _unsigned(v) * 100, lambda v: (v // 100).to_bytes(4, "big")),
    Item(0x02, (2,), "fuel_l", "l", lambda v: _unsigned(v) / 10, lambda v: round(v * 10).to_bytes(2, "big")),
    Item(
        0x03,
        (2,),
        "recorder_speed",
        "cm/s",
        lambda v: speed_from_wire(_unsigned(v)),
        lambda v: speed_to_wire(v).to_bytes(2, "big"),
    ),
    _plain(0x04, 2, "event", "id of the event that a person has to confirm"),
    Item(
        0x05, (30,), "tyre_pressure", "list, front to back and left to right; None = no wheel", _tyres, _tyres_to_wire
    ),
    Item(0x06, (2,), "carriage_temperature", "°C", _temperature, _temperature_to_wire),
    Item(
        0x11, (1, 5), "overspeed", "place 0 none 1 circle 2 box 3 polygon 4 road; area", _overspeed, _overspeed_to_wire
    ),
    Item(
        0x12, (6,), "area", "place as in 11; area; direction 0 in 1 out", *_record(_AREA, "place", "area", "direction")
    ),
    Item(0x13, (7,), "route_time", "road; time_s; result 0 short 1 long", *_record(_ROUTE, "road", "time_s", "result")),
    _plain(0x14, 4, "video_alarm", "bits"),
    _plain(0x15, 4, "video_signal_lost", "bits, one a channel"),
    _plain(0x16, 4, "video_signal_blocked", "bits, one a channel"),
    _plain(0x17, 2, "storage_fault", "bits, one a memory"),
    Item(
        0x18, (3,), "abnormal_driving", "behaviour bits; fatigue 0 to 100", *_record(_DRIVING, "behaviour", "fatigue")
    ),
    _plain(0x25, 4, "signals", "bits of the vehicle's lamps and switches"),
    _plain(0x2A, 2, "io", "bits: 0 deep sleep, 1 sleep"),
    Item(
        0x2B,
        (4,),
        "analog",
        "[AD0, AD1]",
        lambda v: [_unsigned(v[2:]), _unsigned(v[:2])],
        lambda v: v[1].to_bytes(2, "big") + v[0].to_bytes(2, "big"),
    ),
    _plain(0x30, 1, "signal", "strength of the mobile network as the terminal states it"),
    _plain(0x31, 1, "satellites", "satellites in use"),
)

_BY_ID: Final = {item.id: item for item in STANDARD}
_BY_NAME: Final = {item.name: item for item in STANDARD}
_BY_HEAD: Final = {item.id << 8 | size: (item.name, item.decode) for item in STANDARD for size in item.sizes}
"""Id and length together -> name and reader: one look-up checks both."""


def decode_items(body: bytes, at: int) -> dict[str, object]:
    """The items of ``body`` from offset ``at`` on, under their names; empty when there is none."""
    items: dict[str, object] = {}
    end = len(body)
    raw: list[list[object]] = []
    malformed: list[bytes] = []
    last = end if end - at <= ITEMS_LIMIT else at + ITEMS_LIMIT
    while at < last:
        ident = body[at]
        if not ident:
            tail = body[at : at + ITEMS_LIMIT]
            if tail.count(0) != len(tail):
                malformed.append(tail)
            break
        if at + 2 > end:
            malformed.append(body[at:])
            break
        size = body[at + 1]
        following = at + 2 + size
        if following > end:
            malformed.append(body[at:])
            break
        known = _BY_HEAD.get(ident << 8 | size)
        if known is not None:
            items[known[0]] = known[1](body[at + 2 : following])
        elif ident in _BY_ID:
            malformed.append(body[at:following])
        else:
            raw.append([ident, body[at + 2 : following]])
        at = following
    else:
        if at < end:
            malformed.append(body[at : at + ITEMS_LIMIT])
    if raw:
        items["raw"] = raw
    if malformed:
        items["malformed"] = b"".join(malformed)
    return items


def split_items(body: bytes, at: int) -> tuple[tuple[tuple[int, bytes], ...], bytes]:
    """All items as id and value, and the bytes after the last whole one: nothing is judged, nothing is lost."""
    found: list[tuple[int, bytes]] = []
    end = len(body)
    while at + 2 <= end and at + 2 + body[at + 1] <= end:
        following = at + 2 + body[at + 1]
        found.append((body[at], body[at + 2 : following]))
        at = following
    return tuple(found), body[at:]


def join_items(items: Iterable[tuple[int, bytes]], tail: bytes = b"") -> bytes:
    """The bytes of items: the inverse of :func:`split_items`."""
    return b"".join(bytes((ident, len(value))) + value for ident, value in items) + tail


def encode_items(items: dict[str, object]) -> tuple[tuple[int, bytes], ...]:
    """Named items as a terminal sends them: those of :data:`STANDARD` in the caller's order, and ``raw``."""
    found: list[tuple[int, bytes]] = []
    for name, value in items.items():
        if name == "raw" and isinstance(value, list):
            found += [(ident, data) for ident, data in value]
            continue
        item = _BY_NAME.get(name)
        if item is None:
            raise LocalProtocolError("unknown_item", name)
        try:
            found.append((item.id, item.encode(value)))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error) as error:
            raise LocalProtocolError("bad_item", f"{name}: {error}") from None
    return tuple(found)
