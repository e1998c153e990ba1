"""What a GT06 tracker sends, for tests and load. Times in ms since 1970, positions in 1e-7 degrees."""

from __future__ import annotations

import struct

from protocols.gt06.framing import crc_itu, frame
from protocols.gt06.messages import LOCATED, NORTH, WEST, time_to

SOS = 0x01
_CELL = bytes.fromhex("01cc00287d001f71")


def login(imei: str, serial: int = 1, zone: int | None = None) -> bytes:
    """``zone``: minutes ahead of UTC that the tracker declares."""
    content = bytes.fromhex(imei.rjust(16, "0"))
    if zone is not None:
        hours, minutes = divmod(abs(zone), 60)
        content += b"\x36\x08" + ((hours * 100 + minutes) << 4 | (8 if zone < 0 else 0)).to_bytes(2, "big")
    return frame(0x01, content, serial)


def fix(at: int, latitude: int, longitude: int, speed: int = 0, course: int = 0, located: bool = True) -> bytes:
    """The 18 bytes with which positions begin. ``speed`` in km/h."""
    flags = course | (LOCATED if located else 0) | (NORTH if latitude >= 0 else 0) | (WEST if longitude < 0 else 0)
    north, east = round(abs(latitude) * 9 / 50), round(abs(longitude) * 9 / 50)
    return time_to(at) + struct.pack(">BIIBH", 0xC9, north, east, speed, flags)


def position(at: int, latitude: int, longitude: int, serial: int = 1, *, stored: bool = False, speed: int = 0) -> bytes:
    """0x22, with ignition on."""
    return frame(0x22, fix(at, latitude, longitude, speed) + _CELL + bytes((1, 0, stored)), serial)


def alarm(at: int, latitude: int, longitude: int, serial: int = 1, what: int = SOS) -> bytes:
    """0x26, with battery level 4 and signal 3."""
    state = bytes((0x02, 4, 3, what, 2))
    return frame(0x26, fix(at, latitude, longitude) + b"\x09" + _CELL + state, serial)


def heartbeat(serial: int = 1, level: int = 4, signal: int = 4, state: int = 0x04) -> bytes:
    """0x13; the state says "charging" unless told otherwise."""
    return frame(0x13, bytes((state, level, signal, 0, 2)), serial)


def answers(data: bytes) -> list[tuple[int, int]]:
    """Type and serial of each answer of the server; raises :class:`ValueError` for bytes that are none."""
    found = []
    while data:
        size = data[2] + 5
        whole, data = data[:size], data[size:]
        if whole[:2] != b"\x78\x78" or crc_itu(whole[2:-4]) != int.from_bytes(whole[-4:-2], "big"):
            raise ValueError(whole.hex())
        found.append((whole[3], int.from_bytes(whole[-6:-4], "big")))
    return found
