"""The devices of the benchmarks: what a handheld and a vehicle's terminal say, bytes and window, on a socket.
The simple trackers are in bench/trackers.py, phones in bench/phones.py.

Quick rather than complete: what is sent is what the protocols' own clients would send, what comes back is only
looked at as far as needed to see that it is the answer that was wanted.
"""

from __future__ import annotations

import socket
import struct
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import msgpack

from protocols.handheld import frame as handheld_frame
from protocols.jt808.bcd import encode_time
from protocols.jt808.client import Terminal
from protocols.jt808.framing import frame as jt808_frame

BEGIN_MS = 540_000
"""How far back the first fix is: from ten minutes on a live message would be blamed for its clock."""
BACKLOG_MS = 18_000_000
"""The same for messages of a hundred: they are what a phone has gathered, and nobody calls them live."""
STEP_MS = 1000

Place = tuple[int, int, int, int, int, int]
"""Latitude, longitude in 1e-7 degrees, accuracy in dm, speed in cm/s, course, altitude in m."""


@dataclass(frozen=True, slots=True)
class Mode:
    """``reports`` in a message, ``window`` messages in flight a connection; ``form``: which of a protocol's forms.
    ``silent``: nothing is answered, so the server's own counters tell what has come."""

    protocol: str
    reports: int
    window: int
    form: str = ""
    silent: bool = False


MODES = {
    "msgpack10": Mode("handheld", 10, 1),
    "msgpack1": Mode("handheld", 1, 1),
    "jt808x4": Mode("jt808", 1, 4),
    "jt808x1": Mode("jt808", 1, 1),
    "nmea": Mode("nmea", 1, 1, silent=True),
    "gt06": Mode("gt06", 1, 1),
    "h02": Mode("h02", 1, 1),
    "watch": Mode("watch", 1, 1, silent=True),
    "traccar": Mode("traccar", 1, 1, "query"),
    "traccar-json": Mode("traccar", 1, 1, "json"),
    "owntracks": Mode("owntracks", 1, 1),
    "gpslogger": Mode("gpslogger", 1, 1),
    "overland100": Mode("overland", 100, 1),
    "batch100": Mode("batch", 100, 1),
    "batch100gz": Mode("batch", 100, 1, "gzip"),
}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Device(ABC):
    """One connection. Subclasses know the bytes; ``waiting`` messages are not acknowledged yet."""

    whole_seconds: ClassVar[bool] = True
    """The protocol tells no milliseconds. A little ahead of the clock is still within what is believed."""

    def __init__(self, mode: Mode, walk: list[Place], beside: int) -> None:
        self.mode = mode
        self.walk = walk
        self.beside = beside
        self.step = 0
        self.fix_time = now_ms() - (BACKLOG_MS if mode.reports >= 100 else BEGIN_MS)
        self.waiting = 0
        self.rest = b""
        self.sock: socket.socket = socket.socket()

    def fixes(self, number: int) -> list[tuple[int, Place]]:
        """The next ``number`` fixes: a second apart as long as that is not ahead of the clock, then closer, and where
        the last one was, since nobody walks a metre in a millisecond."""
        found, now = [], now_ms()
        for _ in range(number):
            step = STEP_MS if self.whole_seconds or self.fix_time + STEP_MS < now else 1
            self.fix_time += step
            found.append((self.fix_time, self.walk[self.step % len(self.walk)]))
            self.step += step == STEP_MS
        return found

    @abstractmethod
    def login(self, device: dict[str, str]) -> bytes:
        """What says who we are, as it goes over the wire; empty if each message says it."""

    @abstractmethod
    def welcomed(self, data: bytes) -> bool:
        """Whether the answer to the login lets us in; asked with nothing if none is waited for."""

    @abstractmethod
    def messages(self, number: int) -> bytes:
        """The next messages as they go over the wire."""

    @abstractmethod
    def acknowledged(self, data: bytes) -> int:
        """How many messages these bytes acknowledge. Raises for any other answer."""

    def heartbeat(self) -> bytes:
        """A sign of life as it goes over the wire."""
        raise TypeError(f"{self.mode.protocol} has none")


class Handheld(Device):
    whole_seconds = False
    pack = staticmethod(msgpack.Packer(use_bin_type=True).pack)
    seq = 0

    def login(self, device: dict[str, str]) -> bytes:
        hello = {"t": "hello", "v": 1, "device": device["id"], "token": device["token"], "app": "1.0.0",
                 "crs": "wgs84", "now": now_ms()}  # fmt: skip
        return handheld_frame(self.pack(hello))

    def welcomed(self, data: bytes) -> bool:
        return bool(msgpack.unpackb(data[4:])["t"] == "welcome")

    def messages(self, number: int) -> bytes:
        parts = []
        for _ in range(number):
            self.seq += 1
            aside = self.beside
            positions = [
                [at, lat + aside, lon, accuracy, speed, course, altitude, 0, 0]
                for at, (lat, lon, accuracy, speed, course, altitude) in self.fixes(self.mode.reports)
            ]
            message = {"t": "fix", "seq": self.seq, "now": positions[-1][0], "live": True, "p": positions}
            parts.append(handheld_frame(self.pack(message)))
        return b"".join(parts)

    def acknowledged(self, data: bytes) -> int:
        if self.rest:
            data, self.rest = self.rest + data, b""
        at, seq = 0, None
        while at + 4 <= len(data):
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                break
            message = msgpack.unpackb(data[at + 4 : end])
            if message["t"] != "ack":
                raise RuntimeError(f"the server says {message}")
            seq, at = message["seq"], end
        self.rest = data[at:]
        # Cumulative: what is still under way are the numbers above it.
        return 0 if seq is None else self.waiting - (self.seq - seq)

    def heartbeat(self) -> bytes:
        return handheld_frame(self.pack({"t": "ping", "now": now_ms()}))


class Vehicle(Device):
    base = struct.Struct(">HH6sHIIIIHHH6sBBIBBBB")

    def login(self, device: dict[str, str]) -> bytes:
        terminal = Terminal(device["id"])
        terminal.authenticate(device["token"])
        self.phone = bytes.fromhex(device["id"].zfill(12))
        self.serial = 1
        self.metres = 0
        return b"".join(terminal.data_to_send())

    def welcomed(self, data: bytes) -> bool:
        return self._answers(data) == 1

    def messages(self, number: int) -> bytes:
        parts = []
        for at, (lat, lon, _, speed, course, altitude) in self.fixes(number):
            self.metres += speed // 100
            # Items that every terminal sends: mileage, signal, satellites.
            payload = self.base.pack(
                0x0200, 40, self.phone, self.serial, 0, 3, (lat + self.beside) // 10, lon // 10, altitude,
                speed * 36 // 100, course, encode_time(at), 0x01, 4, self.metres // 100, 0x30, 1, 21, 0x31,
            ) + b"\x01\x0b"  # fmt: skip
            self.serial = (self.serial + 1) & 0xFFFF
            parts.append(jt808_frame(payload))
        return b"".join(parts)

    def acknowledged(self, data: bytes) -> int:
        return self._answers(data)

    def heartbeat(self) -> bytes:
        payload = struct.pack(">HH6sH", 0x0002, 0, self.phone, self.serial)
        self.serial = (self.serial + 1) & 0xFFFF
        return jt808_frame(payload)

    def _answers(self, data: bytes) -> int:
        *pieces, self.rest = (self.rest + data).split(b"\x7e")
        number = 0
        for piece in pieces:
            if not piece:
                continue
            if b"\x7d" in piece:
                piece = piece.replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
            if piece[:2] != b"\x80\x01" or piece[16]:
                raise RuntimeError(f"the server answers {piece.hex()}")
            number += 1
        return number
