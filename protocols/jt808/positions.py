"""Positions on the wire: 0x0200, the batch 0x0704 and the answer 0x0201 (clauses 8.18, 8.49, 8.24 of 2013).

The first 28 bytes: alarm u32, status u32, latitude u32 and longitude u32 in 1e-6 degrees without sign, altitude
u16 in m, speed u16 in 0.1 km/h, course u16 in degrees, time BCD[6] of GMT+8. Then items (items.py).
Status bits used here: 1 located, 2 south, 3 west, 5 passed the secrecy plug-in, so shifted (GCJ-02).

Two readers stand side by side: :func:`decode_report` goes straight to the record of the house, on the
per-report path; :class:`Position` keeps each field as the wire has it, to write it again byte for byte.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.jt808.bcd import decode_time, encode_time
from protocols.jt808.items import decode_items, encode_items, join_items, speed_from_wire, speed_to_wire, split_items
from protocols.report import CoordinateSystem, Report

LOCATED: Final = 0x02
SOUTH: Final = 0x04
WEST: Final = 0x08
SHIFTED: Final = 0x20
BASE_SIZE: Final = 28

_READ: Final = struct.Struct(">IIIIHHH5sB")
_WRITE: Final = struct.Struct(">IIIIHHH6s")
_BATCH: Final = struct.Struct(">HB")
_WGS84: Final = int(CoordinateSystem.WGS84)
_GCJ02: Final = int(CoordinateSystem.GCJ02)


def decode_report(body: bytes, live: bool) -> Report:
    """The report of one 0x0200 body. Raises ``bad_body`` (shorter than 28 bytes) and ``bad_time``.

    A position with the located bit off has no latitude and longitude; what stood there is kept, in 1e-7 degrees,
    under ``items["unlocated"]``. Altitude is read as signed (Turpan lies below the sea), a course above 360
    is no course. The terminal has one clock: what it says about now carries its device time too.
    Whether the values are possible on this earth is for the caller to judge.
    """
    size = len(body)
    if size < BASE_SIZE:
        raise RemoteProtocolError("bad_body", f"{size} bytes of position")
    alarm, status, latitude, longitude, altitude, speed, course, minute, second = _READ.unpack_from(body)
    fix_time = decode_time(minute, second)
    latitude *= 10
    longitude *= 10
    if status & (SOUTH | WEST):
        if status & SOUTH:
            latitude = -latitude
        if status & WEST:
            longitude = -longitude
    items = decode_items(body, BASE_SIZE) if size > BASE_SIZE else None
    if not status & LOCATED:
        if items is None:
            items = {}
        items["unlocated"] = [latitude, longitude]
        latitude = longitude = None
    return Report(
        fix_time,
        latitude,
        longitude,
        altitude if altitude < 0x8000 else altitude - 0x10000,
        speed_from_wire(speed),
        course if course < 360 else 0 if course == 360 else None,
        None,
        status,
        alarm,
        live,
        fix_time if live else None,
        items or None,
        _GCJ02 if status & SHIFTED else _WGS84,
    )


@dataclass(frozen=True, slots=True)
class Position:
    """A 0x0200 body as the wire has it: units of the wire, ``time`` six BCD bytes, items with their raw values."""

    alarm: int
    status: int
    latitude: int
    longitude: int
    altitude: int
    speed: int
    course: int
    time: bytes
    items: tuple[tuple[int, bytes], ...] = ()
    tail: bytes = b""

    @classmethod
    def decode(cls, body: bytes) -> Position:
        """Raises ``bad_body`` when it is shorter than 28 bytes; no other field is judged."""
        if len(body) < BASE_SIZE:
            raise RemoteProtocolError("bad_body", f"{len(body)} bytes of position")
        alarm, status, latitude, longitude, altitude, speed, course, time = _WRITE.unpack_from(body)
        items, tail = split_items(body, BASE_SIZE)
        return cls(alarm, status, latitude, longitude, altitude, speed, course, time, items, tail)

    def encode(self) -> bytes:
        """The bytes it was decoded from, or those of a position of ours."""
        base = _WRITE.pack(
            self.alarm,
            self.status,
            self.latitude,
            self.longitude,
            self.altitude,
            self.speed,
            self.course,
            self.time,
        )
        return base + join_items(self.items, self.tail)

    @classmethod
    def of(
        cls,
        fix_time: int,
        latitude: int | None,
        longitude: int | None,
        *,
        altitude: int = 0,
        speed: int = 0,
        course: int = 0,
        status: int = 0,
        alarm: int = 0,
        items: dict[str, object] | None = None,
    ) -> Position:
        """From the units of a report (protocols/report.py); the status bits located, south and west are set here."""
        status &= ~(LOCATED | SOUTH | WEST)
        if latitude is not None and longitude is not None:
            status |= LOCATED | (SOUTH if latitude < 0 else 0) | (WEST if longitude < 0 else 0)
        north, east = abs(latitude or 0), abs(longitude or 0)
        try:
            position = cls(
                alarm,
                status,
                (north + 5) // 10,
                (east + 5) // 10,
                altitude & 0xFFFF,
                speed_to_wire(speed),
                course,
                encode_time(fix_time),
                encode_items(items) if items else (),
            )
            position.encode()
        except (struct.error, ValueError) as error:
            raise LocalProtocolError("bad_position", str(error)) from None
        return position


@dataclass(frozen=True, slots=True)
class Batch:
    """0x0704: ``count`` as declared, ``kind`` 0 collected, 1 blind area, the 0x0200 bodies, bytes left over."""

    count: int
    kind: int
    bodies: tuple[bytes, ...]
    tail: bytes = b""

    @classmethod
    def decode(cls, body: bytes) -> Batch:
        """Raises ``bad_body`` when it has no head; bodies that are cut off go to ``tail``."""
        if len(body) < _BATCH.size:
            raise RemoteProtocolError("bad_body", f"{len(body)} bytes of batch")
        count, kind = _BATCH.unpack_from(body)
        bodies: list[bytes] = []
        at, end = _BATCH.size, len(body)
        while at + 2 <= end:
            following = at + 2 + (body[at] << 8 | body[at + 1])
            if following > end:
                break
            bodies.append(body[at + 2 : following])
            at = following
        return cls(count, kind, tuple(bodies), body[at:])

    def encode(self) -> bytes:
        """Byte for byte what was decoded."""
        parts = [_BATCH.pack(self.count, self.kind)]
        for body in self.bodies:
            parts += (len(body).to_bytes(2, "big"), body)
        return b"".join(parts) + self.tail


@dataclass(frozen=True, slots=True)
class LocationAnswer:
    """0x0201: the serial of our 0x8201 and the position asked for."""

    serial: int
    position: bytes

    @classmethod
    def decode(cls, body: bytes) -> LocationAnswer:
        """Raises ``bad_body`` when there is no serial; the position is judged by its own reader."""
        if len(body) < 2:
            raise RemoteProtocolError("bad_body", "no serial")
        return cls(body[0] << 8 | body[1], body[2:])

    def encode(self) -> bytes:
        """Byte for byte what was decoded."""
        return self.serial.to_bytes(2, "big") + self.position
