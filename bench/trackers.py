"""The simple trackers of the benchmarks, with the encoders of their protocols."""

from __future__ import annotations

from bench.devices import Device
from protocols.gt06 import client as gt06
from protocols.h02 import client as h02
from protocols.nmea.encoder import encode_epoch, encode_identity
from protocols.report import Report
from protocols.watch import client as watch
from protocols.watch.framing import frame as watch_frame

_CELLS = ",7,255,460,1,9529,21809,158,9529,63555,133,9529,63554,129,9529,21405,126,9529,21242,124,0,40.7"
"""What a watch hears around it, as it tells it with every position."""


class Nmea(Device):
    """RMC and GGA for each fix. A report is whole when the next one begins, or after a pause."""

    def login(self, device: dict[str, str]) -> bytes:
        return encode_identity(device["id"])

    def welcomed(self, data: bytes) -> bool:
        return not data

    def messages(self, number: int) -> bytes:
        return b"".join(
            encode_epoch(
                Report(at, lat + self.beside, lon, altitude, speed, course, accuracy, items={"satellites": 11})
            )
            for at, (lat, lon, accuracy, speed, course, altitude) in self.fixes(number)
        )

    def acknowledged(self, data: bytes) -> int:
        raise RuntimeError("an NMEA device is answered")


class Gt06(Device):
    def login(self, device: dict[str, str]) -> bytes:
        self.serial = 1
        return gt06.login(device["id"])

    def welcomed(self, data: bytes) -> bool:
        return gt06.answers(data) == [(0x01, 1)]

    def messages(self, number: int) -> bytes:
        parts = []
        for at, (lat, lon, _, speed, _, _) in self.fixes(number):
            self.serial = self.serial % 0xFFFF + 1
            parts.append(gt06.position(at, lat + self.beside, lon, self.serial, speed=speed * 36 // 1000))
        return b"".join(parts)

    def acknowledged(self, data: bytes) -> int:
        return len(gt06.answers(data))


class H02(Device):
    def login(self, device: dict[str, str]) -> bytes:
        self.ident = device["id"]
        return h02.heartbeat(self.ident)

    def welcomed(self, data: bytes) -> bool:
        return data.endswith(b",HTBT#")

    def messages(self, number: int) -> bytes:
        return b"".join(
            h02.position(self.ident, at, lat + self.beside, lon, knots=speed / 51.4, tail=",460,0,9529,21809")
            for at, (lat, lon, _, speed, _, _) in self.fixes(number)
        )

    def acknowledged(self, data: bytes) -> int:
        number = data.count(b",V4,V1,")
        if not data.endswith(b"#") or number != data.count(b"#"):
            raise RuntimeError(f"the server answers {data!r}")
        return number


class Watch(Device):
    """Positions are not answered; the link message at the beginning is."""

    def login(self, device: dict[str, str]) -> bytes:
        self.ident = device["id"]
        return watch_frame("3G", self.ident, b"LK")

    def welcomed(self, data: bytes) -> bool:
        return data.endswith(b"*LK]")

    def messages(self, number: int) -> bytes:
        return b"".join(
            watch.position(self.ident, at, lat + self.beside, lon, speed=speed * 0.036, tail=_CELLS)
            for at, (lat, lon, _, speed, _, _) in self.fixes(number)
        )

    def acknowledged(self, data: bytes) -> int:
        raise RuntimeError("a watch's position is answered")
