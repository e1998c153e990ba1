"""The load: a thousand devices in one process, each with its window of messages in flight.

Run by bench/ingest.py as ``python -m bench.load MODE PORT FOLDER CONNECTIONS``. It connects and authenticates, says
``ready``, and then obeys its standard input: ``run SECONDS`` sends as fast as answers come and, when the time is
over, waits for the last ones; it answers with a line of JSON. One epoll loop without any framework, so that the
machine's second core is enough for it.

The reports are those of the demo town's people, walked beforehand: each connection follows a walker some metres
beside the others, a fix a second from nine minutes ago on (time goes faster here, it may not go beyond now).
"""

from __future__ import annotations

import json
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

from protocols.handheld import frame as handheld_frame
from protocols.jt808.bcd import encode_time
from protocols.jt808.client import Terminal
from protocols.jt808.framing import frame as jt808_frame
from simulator.city import make_city
from simulator.walker import DRIVING, ON_FOOT, Walker, beat_in_grid, beat_of_vehicle

WALKERS = 100
STEPS = 700
BEGIN_MS = 540_000
"""How far back the first fix is: from ten minutes on a live message would be blamed for its clock."""
STEP_MS = 1000
BESIDE = 300
"""1e-7 degrees between two who follow one walker: about 3 m."""

Place = tuple[int, int, int, int, int, int]
"""Latitude, longitude in 1e-7 degrees, accuracy in dm, speed in cm/s, course, altitude in m."""


@dataclass(frozen=True, slots=True)
class Mode:
    """``reports`` in a message, ``window`` messages in flight a connection."""

    protocol: str
    reports: int
    window: int


MODES = {
    "msgpack10": Mode("handheld", 10, 1),
    "msgpack1": Mode("handheld", 1, 1),
    "jt808x4": Mode("jt808", 1, 4),
    "jt808x1": Mode("jt808", 1, 1),
}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def walks(driving: bool) -> list[list[Place]]:
    """What each walker's device sees, a second apart; moments without a fix are left out."""
    city = make_city()
    found = []
    for number in range(WALKERS):
        grid = number % len(city.grid_ids)
        beat = (
            beat_of_vehicle(city.streets, city.projection)
            if driving
            else beat_in_grid(city.streets, grid, city.projection)
        )
        walker = Walker(beat, DRIVING if driving else ON_FOOT, random.Random(number), 0)
        places: list[Place] = []
        at = 0
        while len(places) < STEPS:
            at += STEP_MS
            seen = walker.step(at)
            if seen.latitude is not None and seen.longitude is not None and seen.accuracy is not None:
                places.append(
                    (
                        round(seen.latitude * 1e7), round(seen.longitude * 1e7), round(seen.accuracy * 10),
                        round(seen.speed * 100), seen.course, seen.altitude,
                    )
                )  # fmt: skip
        found.append(places)
    return found


class Device:
    """One connection. Subclasses know the bytes; ``waiting`` messages are not acknowledged yet."""

    def __init__(self, mode: Mode, number: int, walk: list[Place]) -> None:
        self.mode = mode
        self.walk = walk
        self.beside = number // WALKERS * BESIDE
        self.step = 0
        self.fix_time = now_ms() - BEGIN_MS
        self.waiting = 0
        self.rest = b""
        self.sock: socket.socket = socket.socket()

    def fixes(self, number: int) -> list[tuple[int, Place]]:
        """The next ``number`` fixes: a second apart as long as that is not ahead of the clock, then closer."""
        found, now = [], now_ms()
        for _ in range(number):
            # A terminal tells whole seconds only; a little ahead of the clock is still within what is believed.
            step = STEP_MS if self.mode.protocol == "jt808" or self.fix_time + STEP_MS < now else 1
            self.fix_time += step
            found.append((self.fix_time, self.walk[self.step % STEPS]))
            self.step += 1
        return found

    def login(self, device: dict[str, str]) -> bytes:
        raise NotImplementedError

    def welcomed(self, data: bytes) -> bool:
        """Whether the answer to the login lets us in."""
        raise NotImplementedError

    def messages(self, number: int) -> bytes:
        """The next messages as they go over the wire."""
        raise NotImplementedError

    def acknowledged(self, data: bytes) -> int:
        """How many messages these bytes acknowledge. Raises for any other answer."""
        raise NotImplementedError


class Handheld(Device):
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


class Load:
    """All connections."""

    def __init__(self, mode: Mode, port: int, devices: list[dict[str, str]]) -> None:
        self.mode = mode
        self._poll = select.epoll()
        self._devices: dict[int, Device] = {}
        make: Callable[..., Device] = Handheld if mode.protocol == "handheld" else Vehicle
        paths = walks(mode.protocol == "jt808")
        for number, known in enumerate(devices):
            device = make(mode, number, paths[number % WALKERS])
            device.sock.connect(("127.0.0.1", port))
            device.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            device.sock.sendall(device.login(known))
            self._devices[device.sock.fileno()] = device
            self._poll.register(device.sock.fileno(), select.EPOLLIN)
        for device in self._devices.values():
            if not device.welcomed(device.sock.recv(4096)):
                raise RuntimeError("the server does not let a device in")
            device.rest = b""
            device.sock.setblocking(False)

    def run(self, seconds: float) -> dict[str, Any]:
        """Send for so long, then wait for what is not acknowledged."""
        mode, devices, poll = self.mode, self._devices, self._poll
        began = time.monotonic()
        sent = acknowledged = in_flight = 0
        for device in devices.values():
            device.sock.send(device.messages(mode.window))
            device.waiting = mode.window
            sent += mode.window
        in_flight = sent
        end, last = began + seconds, began
        while in_flight:
            ready = poll.poll(10)
            last = time.monotonic()
            if not ready:
                raise RuntimeError(f"{in_flight} messages are not acknowledged")
            for handle, _ in ready:
                device = devices[handle]
                data = device.sock.recv(65536)
                if not data:
                    raise RuntimeError("the server closed a connection")
                number = device.acknowledged(data)
                device.waiting -= number
                acknowledged += number
                in_flight -= number
                if number and last < end:
                    # What one read brings is a few hundred bytes, and no more is on its way: it fits the buffer.
                    device.sock.send(device.messages(number))
                    device.waiting += number
                    sent += number
                    in_flight += number
        each = mode.reports
        return {"sent": sent * each, "acknowledged": acknowledged * each, "seconds": last - began}


def main(mode: str, port: str, folder: str, connections: str) -> None:
    known = json.loads((Path(folder) / "devices.json").read_text())
    chosen = [device for device in known if device["protocol"] == MODES[mode].protocol][: int(connections)]
    load = Load(MODES[mode], int(port), chosen)
    print(json.dumps({"ready": len(chosen)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(load.run(float(line.split()[1]))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
