"""What connections that never get anywhere do to the service: thousands of them, and somebody who is at work.

    python -m bench.half_open                   # two minutes: 2,000 of them, on a server with TLS
    python -m bench.half_open --number 500

They are held by a process of their own, which opens each again as soon as the server has cut it: a quarter say nothing
at all, a quarter begin the handshake of TLS, a quarter half a request, a quarter open the handhelds' WebSocket and are
silent then, on every port that there is. Meanwhile one program asks ``/api/v1/me`` and one handheld says where it is,
each ten times a second; the same is done before without the others, and once more while they all come at once.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import multiprocessing
import os
import selectors
import socket
import ssl
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.server import Server, stage
from protocols.handheld import Acknowledged, Client, Framer, Welcome, frame
from storage import authority

KINDS = ("silent", "handshake", "header", "socket")
SECURE = ("console", "field", "phones", "handheld")
SITES = ("console", "field", "phones")
EACH_S = 0.1
LIMIT_MS = 200.0
PATIENCE_S = 30.0
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""The beginning of a handshake: its length says 512 bytes, and they do not come."""


def trusting(data: Path) -> ssl.SSLContext:
    """A client of a server with a certificate of its own authority."""
    return ssl.create_default_context(cafile=data / "tls" / "ca.crt")


def half_open(kind: str, number: int, ports: dict[str, int], trust: ssl.SSLContext) -> socket.socket:
    """One connection that gets no further. ``number`` spreads them over the ports."""
    names = {"silent": tuple(ports), "handshake": SECURE, "header": SITES, "socket": ("field",)}[kind]
    name = names[number % len(names)]
    link = socket.create_connection(("127.0.0.1", ports[name]), PATIENCE_S)
    if kind == "handshake":
        link.sendall(HELLO)
    elif kind == "header":
        link = trust.wrap_socket(link, server_hostname="127.0.0.1")
        link.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Half: ")
    elif kind == "socket":
        link = trust.wrap_socket(link, server_hostname="127.0.0.1")
        key = base64.b64encode(os.urandom(16)).decode()
        link.sendall(
            f"GET /handheld HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
    return link


def hold(number: int, ports: dict[str, int], data: Path, ready: Event) -> None:
    """Open so many, and each again when it is cut, until this process is ended."""
    trust, watched = trusting(data), selectors.DefaultSelector()
    waiting = list(range(number))
    while True:
        for each in waiting:
            with suppress(OSError):
                link = half_open(KINDS[each % len(KINDS)], each // len(KINDS), ports, trust)
                link.setblocking(False)
                watched.register(link, selectors.EVENT_READ, each)
                continue
            time.sleep(0.01)
        waiting = []
        ready.set()
        for key, _ in watched.select(1.0):
            link = key.fileobj
            assert isinstance(link, socket.socket)
            try:
                told = link.recv(4096)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            except OSError:
                told = b""
            if not told:
                watched.unregister(link)
                link.close()
                waiting.append(key.data)


class Asker:
    """A program that asks over one connection."""

    def __init__(self, server: Server, data: Path) -> None:
        self._link = http.client.HTTPSConnection("127.0.0.1", server.ports["console"], context=trusting(data))
        self._headers = {"authorization": f"Bearer {server.session}"}

    def once(self) -> None:
        self._link.request("GET", "/api/v1/me", headers=self._headers)
        answer = self._link.getresponse()
        answer.read()
        assert answer.status == 200


class Newcomer:
    """One that comes anew each time, with a handshake."""

    def __init__(self, server: Server, data: Path) -> None:
        self._make = lambda: Asker(server, data)

    def once(self) -> None:
        self._make().once()


class Walker:
    """A handheld: from its send to the acknowledgement, which follows the disk."""

    def __init__(self, server: Server, data: Path, device: dict[str, str]) -> None:
        link = socket.create_connection(("127.0.0.1", server.ports["handheld"]), PATIENCE_S)
        self._link = trusting(data).wrap_socket(link, server_hostname="127.0.0.1")
        self._client, self._framer = Client(device["id"], device["token"]), Framer()
        self._client.connected(_now_ms())
        self._until(Welcome)

    def _until(self, kind: type) -> None:
        self._link.sendall(b"".join(frame(one) for one in self._client.messages_to_send(_now_ms())))
        while True:
            for message in self._framer.receive_data(self._link.recv(65536)):
                events = self._client.receive_message(message, _now_ms())
                if any(isinstance(event, kind) for event in events):
                    return

    def once(self) -> None:
        self._client.add_position(_now_ms(), 312_300_000, 1_214_700_000)
        self._until(Acknowledged)


def measured(workers: dict[str, Asker | Newcomer | Walker], seconds: float) -> dict[str, list[float]]:
    """Milliseconds of each, ten times a second, one after the other."""
    found: dict[str, list[float]] = {name: [] for name in workers}
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        for name, worker in workers.items():
            at = time.perf_counter()
            worker.once()
            found[name].append((time.perf_counter() - at) * 1000)
        time.sleep(max(0.0, EACH_S - (time.monotonic() - began)))
    return found


def rows(what: str, found: dict[str, list[float]]) -> Iterator[str]:
    for name, took in found.items():
        p99 = statistics.quantiles(took, n=100, method="inclusive")[98]
        verdict = "" if p99 < LIMIT_MS else "  MORE THAN WANTED"
        yield f"{what:<22} | {name:<10} | {statistics.median(took):8.1f} | {p99:7.1f} | {max(took):7.1f}{verdict}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--number", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    with TemporaryDirectory(prefix="gridbeat-half-open-") as folder:
        data = Path(folder) / "data"
        (device,) = stage(data, {"handheld": 1})
        authority.make(data / "tls", "bench", ["127.0.0.1"], datetime.now(UTC))
        with Server(data) as server:
            workers = {
                "me": Asker(server, data),
                "new": Newcomer(server, data),
                "handheld": Walker(server, data, device),
            }
            measured(workers, 3)
            print(f"{'':<22} | {'':<10} | median ms |  p99 ms |   worst")
            print("\n".join(rows("alone", measured(workers, given.seconds))), flush=True)
            ready = multiprocessing.Event()
            holder = multiprocessing.Process(target=hold, args=(given.number, server.ports, data, ready), daemon=True)
            before = server.resident
            holder.start()
            try:
                print("\n".join(rows("while all come", measured(workers, 10))), flush=True)
                ready.wait(120)
                print("\n".join(rows(f"beside {given.number}", measured(workers, given.seconds))), flush=True)
                grown = (server.resident - before) / given.number / 1024
                print(f"{grown:.1f} kB of memory for each of them")
            finally:
                holder.terminate()
                holder.join()


if __name__ == "__main__":
    main()
