"""The phones of the benchmarks: each app's requests over a connection that is kept, with the app's own encoder."""

from __future__ import annotations

import gzip
from abc import abstractmethod
from base64 import b64encode

from bench.devices import Device
from protocols import batch, gpslogger, overland, owntracks, traccar
from protocols.report import Report

_GZIP_LEVEL = 1
"""The server unpacks either at the same cost; the load must not be what is waited for."""


class Phone(Device):
    """Subclasses make the request of one message."""

    def login(self, device: dict[str, str]) -> bytes:
        self.ident, self.token = device["id"], device["token"]
        self.sent = 0
        return b""

    def welcomed(self, data: bytes) -> bool:
        return not data

    @abstractmethod
    def request(self, reports: list[Report]) -> bytes:
        """One request with these reports."""

    def messages(self, number: int) -> bytes:
        parts = []
        for _ in range(number):
            reports = [
                Report(at, lat + self.beside, lon, altitude, speed, course, accuracy, items={"battery": 70})
                for at, (lat, lon, accuracy, speed, course, altitude) in self.fixes(self.mode.reports)
            ]
            parts.append(self.request(reports))
        return b"".join(parts)

    def post(self, path: str, kind: str, body: bytes, more: str = "") -> bytes:
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(body)}"
        return head.encode() + b"\r\n\r\n" + body

    def basic(self) -> str:
        return "Authorization: Basic " + b64encode(f"{self.ident}:{self.token}".encode()).decode() + "\r\n"

    def bearer(self) -> str:
        return f"Authorization: Bearer {self.token}\r\n"

    def acknowledged(self, data: bytes) -> int:
        data, number = self.rest + data, 0
        while (end := data.find(b"\r\n\r\n")) >= 0:
            head = data[:end].lower()
            size = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            if len(data) < end + 4 + size:
                break
            answer, data = data[end + 4 : end + 4 + size], data[end + 4 + size :]
            if not head.startswith(b"http/1.1 200") or b'"rejected":[{' in answer:
                raise RuntimeError(f"the server answers {head!r} {answer[:200]!r}")
            number += 1
        self.rest = data
        return number


class Traccar(Phone):
    def request(self, reports: list[Report]) -> bytes:
        if self.mode.form == "json":
            return self.post("/", "application/json", traccar.encode_json(self.ident, reports[0]))
        return b"GET /?" + traccar.encode_query(self.ident, reports[0]) + b" HTTP/1.1\r\nHost: bench\r\n\r\n"


class OwnTracks(Phone):
    def request(self, reports: list[Report]) -> bytes:
        body = owntracks.encode(reports[0], tid="be", topic=f"owntracks/{self.ident}/phone")
        return self.post("/owntracks", "application/json", body, self.basic())


class GpsLogger(Phone):
    def request(self, reports: list[Report]) -> bytes:
        return self.post(
            f"/gpslogger?id={self.ident}",
            "application/x-www-form-urlencoded",
            gpslogger.encode(reports[0]),
            self.basic(),
        )


class Overland(Phone):
    def request(self, reports: list[Report]) -> bytes:
        return self.post("/overland", "application/json", overland.encode(self.ident, reports), self.bearer())


class Batch(Phone):
    """With an id for each record."""

    def request(self, reports: list[Report]) -> bytes:
        self.sent += 1
        body = batch.encode(self.ident, [(f"{self.sent}-{number}", report) for number, report in enumerate(reports)])
        if self.mode.form == "gzip":
            packed = gzip.compress(body, _GZIP_LEVEL, mtime=0)
            return self.post("/batch", "application/json", packed, self.bearer() + "Content-Encoding: gzip\r\n")
        return self.post("/batch", "application/json", body, self.bearer())
