"""The other side of bench/dispatch.py: handhelds that are told of tasks, and a program that makes tasks.

``python -m bench.dispatch_client devices PORT FOLDER EVERY ACCEPT`` connects everybody, each standing on a grid that is
laid over the town, who says each ``EVERY`` seconds where he is. Whoever is asked says at once that he was, and with
``ACCEPT`` also that he goes. ``... tasks PORT TOKEN NUMBER RATE`` makes so many tasks over two connections that are
kept, as fast as they are taken (``RATE`` 0) or so many a second. Both say ``ready``, and what they noted when their
standard input ends: wall clock, ms.
"""

from __future__ import annotations

import http.client
import json
import random
import resource
import select
import socket
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

import msgpack

from protocols.handheld import frame
from simulator.city import make_city

CONNECTIONS = 2
"""Of the program that makes tasks: an answer takes as long as the disk does, and another goes on meanwhile."""
MARGIN = 0.05
"""Of the town's width and height, at its edges, where nobody stands."""


def box() -> tuple[float, float, float, float]:
    """South, west, north, east of the town, without its edges; degrees."""
    points = [point for grid in make_city().grids["features"] for point in grid["geometry"]["coordinates"][0]]
    west, south = (min(point[axis] for point in points) for axis in (0, 1))
    east, north = (max(point[axis] for point in points) for axis in (0, 1))
    wide, high = MARGIN * (east - west), MARGIN * (north - south)
    return south + high, west + wide, north - high, east - wide


def standing(number: int) -> list[tuple[int, int]]:
    """So many places on a grid, 1e-7 degrees."""
    south, west, north, east = box()
    side = 1
    while side * side < number:
        side += 1
    return [
        (round(1e7 * (south + (n // side + 0.5) / side * (north - south))),
         round(1e7 * (west + (n % side + 0.5) / side * (east - west))))
        for n in range(number)
    ]  # fmt: skip


def places(number: int, seed: int) -> list[tuple[float, float]]:
    """Where tasks are: in cells anywhere in the town."""
    chance = random.Random(seed)
    corners = [cell["geometry"]["coordinates"][0][:4] for cell in make_city().cells["features"]]
    chosen = [chance.choice(corners) for _ in range(number)]
    return [(sum(y for _, y in each) / 4, sum(x for x, _ in each) / 4) for each in chosen]


def now() -> float:
    return time.time_ns() / 1e6


class Walker:
    """A handheld. ``sent`` has the number of each answer until it is acknowledged, with what it answers."""

    def __init__(self, port: int, known: dict[str, str], spot: tuple[int, int]) -> None:
        self.spot = spot
        self.seq, self._rest = 0, b""
        self.sent: dict[int, tuple[str, int]] = {}
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = {"t": "hello", "v": 1, "device": known["id"], "token": known["token"], "app": "1.0.0", "crs": "wgs84",
                 "now": round(now()), "tasks": True}  # fmt: skip
        self.sock.sendall(frame(msgpack.packb(hello)))

    def begin(self) -> None:
        """Wait for the welcome, and say where it stands."""
        if self.received()[0]["t"] != "welcome":
            raise RuntimeError("the server does not let a device in")
        self.fix()

    def send(self, **fields: Any) -> None:
        self.seq += 1
        self.sock.send(frame(msgpack.packb({**fields, "seq": self.seq})))

    def fix(self) -> None:
        at = round(now())
        self.send(t="fix", now=at, live=True, p=[[at, *self.spot, 50, 0, 0, 10, 0, 0]])

    def answer(self, task: str, attempt: int, what: str) -> None:
        self.send(t="answer", task=task, attempt=attempt, what=what, event=f"{what}-{task}-{attempt}", at=round(now()))
        self.sent[self.seq] = (task, attempt)

    def received(self) -> list[dict[str, Any]]:
        data = self.sock.recv(1 << 16)
        if not data:
            raise RuntimeError("the server closed a connection")
        data, at, found = self._rest + data, 0, []
        while at + 4 <= len(data):
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                break
            found.append(msgpack.unpackb(data[at + 4 : end]))
            at = end
        self._rest = data[at:]
        return found


def devices(port: str, folder: str, every: str, accept: str) -> None:
    known = json.loads((Path(folder) / "devices.json").read_text())
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    each = [Walker(int(port), one, spot) for one, spot in zip(known, standing(len(known)), strict=True)]
    for walker in each:
        walker.begin()
    walkers = {walker.sock.fileno(): walker for walker in each}
    poll = select.epoll()
    for handle in [*walkers, sys.stdin.fileno()]:
        poll.register(handle, select.EPOLLIN)
    print(json.dumps({"ready": len(walkers)}), flush=True)
    offers: dict[tuple[str, int], list[float]] = {}
    """When each was shown, and when the server had on disk that it was."""
    began, sent, pace = time.monotonic(), 0, len(each) / float(every)
    while True:
        for handle, _ in poll.poll(max(0.0, began + (sent + 1) / pace - time.monotonic())):
            if handle == sys.stdin.fileno():
                noted = [[task, attempt, *times] for (task, attempt), times in offers.items()]
                print(json.dumps({"offers": noted, "fixes": sent}), flush=True)
                return
            walker = walkers[handle]
            for message in walker.received():
                if message["t"] == "ack":
                    at = now()
                    for seq in [seq for seq in walker.sent if seq <= message["seq"]]:
                        offers[walker.sent.pop(seq)].append(at)
                elif message["t"] == "task" and message["what"] == "offer":
                    key = message["task"], message["attempt"]
                    offers.setdefault(key, [now()])
                    walker.answer(*key, "delivered")
                    if int(accept):
                        walker.answer(*key, "accept")
                elif message["t"] == "error":
                    raise RuntimeError(f"the server says {message}")
        while sent < (time.monotonic() - began) * pace:
            each[sent % len(each)].fix()
            sent += 1


def tasks(port: str, token: str, number: str, rate: str) -> None:
    """``seed`` is the port, so that no two servers have the same tasks."""
    where, pace, made = places(int(number), int(port)), float(rate), []
    print(json.dumps({"ready": len(where)}), flush=True)
    sys.stdin.readline()
    began = time.monotonic()

    def make(first: int) -> None:
        link = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
        headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
        for n in range(first, len(where), CONNECTIONS):
            if pace:
                time.sleep(max(0.0, began + n / pace - time.monotonic()))
            id = f"b{n:05d}"
            task = {"id": id, "kind": "verify", "klass": "0101", "lat": where[n][0], "lon": where[n][1],
                    "crs": "wgs84", "address": "东街1号", "text": "井盖缺失"}  # fmt: skip
            asked = now()
            link.request("POST", "/api/v1/tasks", json.dumps(task), {**headers, "idempotency-key": id})
            answer = link.getresponse()
            told = answer.read()
            if answer.status != 201:
                raise RuntimeError(f"{answer.status}: {told.decode()}")
            made.append((id, asked, now()))

    threads = [Thread(target=make, args=(first,)) for first in range(CONNECTIONS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    print(json.dumps({"made": made, "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    {"devices": devices, "tasks": tasks}[sys.argv[1]](*sys.argv[2:])
