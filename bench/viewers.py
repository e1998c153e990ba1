"""What viewers cost and how soon they see: the way of a report from a device's socket to a browser's.

    python -m bench.viewers [--rounds 3] [--seconds 20] [cost] [cut] [street] [delay] [deaf]

*cost*: 1,000 units change once a second; CPU of the server's process with 200 viewers of the whole town less that
without any, in turns over the same server, in per cent of a core. *cut*: the same, but half of the viewers have
zoomed in: each looks at a box of its own that cuts through the town, so that what it is sent is its own too. *street*:
200 who see all, and 200 of whom each looks at a twenty-fifth of the town. *delay*:
2,000 reports a second of 1,000 units, each sent when its time has come, and 50 viewers, of whom some note when a
unit's fix arrives; milliseconds from the device's ``send`` to the viewer's ``recv``, all in this machine. A report
that was overtaken by the unit's next one within a frame counts with the arrival of that. *deaf*: 50 viewers who read,
in turns alone and among 1,000 who never do; CPU, delay, and what the server's memory grows by for each of the 1,000.

Viewers and devices are two child processes (this file too), so that neither waits for the other.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench.connections import connect
from bench.devices import Mode
from bench.load import walks
from bench.server import PROJECT, Server, cost_of, stage
from simulator.city import make_city

UNITS = 1000
WORLD = (-90.0, -180.0, 90.0, 180.0)
COST_VIEWERS, COST_RATE, COST_LIMIT = 200, 1000, 2.0
"""Viewers, changed units a second, per cent of a core."""
DELAY_VIEWERS, DELAY_RATE, DELAY_LIMIT = 50, 2000, 150.0
"""Viewers, reports a second, ms at the 99th percentile."""
DEAF, DEAF_LIMIT = 1000, 10.0
"""Viewers that never read, per cent by which they may slow the others."""
NOTING = 5
"""Viewers that read what they get; reading all fifty would need more cores than the server."""
WARM_UP = 3.0


# Children.


def devices(port: str, folder: str, rate: str) -> None:
    """Send ``rate`` reports a second, evenly; at the end, when each was sent: ``[[unit, fix time, s]...]``."""
    known = [one for one in json.loads((Path(folder) / "devices.json").read_text()) if one["protocol"] == "handheld"]
    mode = Mode("handheld", 1, 1)
    all_devices = connect(mode, int(port), known, walks("handheld"))
    poll = select.epoll()
    handles = {each.sock.fileno(): each for each in all_devices}
    for handle in [*handles, sys.stdin.fileno()]:
        poll.register(handle, select.EPOLLIN)
    print(json.dumps({"ready": len(handles)}), flush=True)
    began, number, sent, pace = time.monotonic(), 0, [], float(rate)
    while True:
        for handle, _ in poll.poll(max(0.0, began + (number + 1) / pace - time.monotonic())):
            if handle == sys.stdin.fileno():
                print(json.dumps(sent), flush=True)
                return
            handles[handle].sock.recv(65536)
        while number < (time.monotonic() - began) * pace:
            device = all_devices[number % len(all_devices)]
            # Now is the time of the fix, and a key by which the viewers' notes are found again.
            device.fix_time = time.time_ns() // 1_000_000 - 1
            message = device.messages(1)
            sent.append((number % len(all_devices), device.fix_time, time.monotonic()))
            device.sock.send(message)
            number += 1


class Watcher:
    """A browser: a WebSocket that watches a box. ``notes``: when each message came, and what it said."""

    def __init__(self, port: int, session: str, noting: bool, box: tuple[float, ...]) -> None:
        self.noting, self.frames, self.bytes = noting, 0, 0
        self.notes: list[tuple[float, bytes]] = []
        self._rest = b""
        self.sock = socket.create_connection(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /feed HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", f"Cookie: session={session}", "", "",
        ]  # fmt: skip
        self.sock.sendall("\r\n".join(lines).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.sock.recv(4096)
        self._rest = head.partition(b"\r\n\r\n")[2]
        self.send(1, json.dumps({"op": "watch", "box": box, "follow": None}).encode())

    def send(self, code: int, payload: bytes) -> None:
        self.sock.sendall(bytes((0x80 | code, 0x80 | len(payload))) + b"\0\0\0\0" + payload)

    def receive(self) -> None:
        data, now = self.sock.recv(1 << 20), time.monotonic()
        if not data:
            raise RuntimeError("the server closed a viewer's socket")
        self.bytes += len(data)
        data, at = self._rest + data, 0
        while at + 2 <= len(data):
            length, body = data[at + 1] & 0x7F, at + 2
            if length == 126 and body + 2 <= len(data):
                length, body = struct.unpack_from(">H", data, body)[0], body + 2
            elif length == 127 and body + 8 <= len(data):
                length, body = struct.unpack_from(">Q", data, body)[0], body + 8
            elif length > 125:
                break
            if body + length > len(data):
                break
            code, payload, at = data[at] & 0x0F, data[body : body + length], body + length
            if code == 9:
                self.send(10, payload)
            elif code == 1:
                self.frames += 1
                if self.noting:
                    self.notes.append((now, payload))
        self._rest = data[at:]

    def fixes(self) -> dict[str, list[tuple[int, float]]]:
        """By unit: the fix times that were shown, and when."""
        found: dict[str, list[tuple[int, float]]] = {}
        for at, payload in self.notes:
            frame = json.loads(payload)
            for row in frame["units"] if frame["op"] == "delta" else ():
                found.setdefault(row[0], []).append((row[6], at))
        return found


def cuts(number: int, share: float) -> list[tuple[float, ...]]:
    """So many boxes, each such a share of the town's width and height, somewhere in it."""
    points = [point for grid in make_city().grids["features"] for point in grid["geometry"]["coordinates"][0]]
    west, south = (min(point[axis] for point in points) for axis in (0, 1))
    width, height = (max(point[axis] for point in points) - low for axis, low in ((0, west), (1, south)))
    chance = random.Random(7)
    found = []
    for _ in range(number):
        left = west + chance.random() * width * (1 - share)
        bottom = south + chance.random() * height * (1 - share)
        found.append((bottom, left, bottom + height * share, left + width * share))
    return found


def deaf(port: str, session: str, number: str) -> None:
    """Ask for everything and never read any of it, until told to end."""
    held = [Watcher(int(port), session, False, WORLD) for _ in range(int(number))]
    print(json.dumps({"ready": len(held)}), flush=True)
    sys.stdin.read()
    print(json.dumps({}), flush=True)


def viewers(port: str, session: str, number: str, cutting: str, share: str, noting: str) -> None:
    """Watch until told to end; then ``{"frames", "bytes", "notes"}``, the notes of each viewer that made them."""
    boxes = cuts(int(cutting), float(share))
    boxes += [WORLD] * (int(number) - len(boxes))
    watchers = [Watcher(int(port), session, n < int(noting), box) for n, box in enumerate(boxes)]
    poll = select.epoll()
    handles = {watcher.sock.fileno(): watcher for watcher in watchers}
    for handle in [*handles, sys.stdin.fileno()]:
        poll.register(handle, select.EPOLLIN)
    print(json.dumps({"ready": len(watchers)}), flush=True)
    while True:
        for handle, _ in poll.poll():
            if handle == sys.stdin.fileno():
                notes = [watcher.fixes() for watcher in watchers if watcher.noting]
                sums = {name: sum(getattr(each, name) for each in watchers) for name in ("frames", "bytes")}
                print(json.dumps({**sums, "notes": notes}), flush=True)
                return
            handles[handle].receive()


class Child:
    """One of the two, ended by :meth:`end`, which answers what it noted."""

    def __init__(self, *words: object) -> None:
        command = [sys.executable, "-m", "bench.viewers", "--child", *map(str, words)]
        self._process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a child ended; its error is above")
        return json.loads(line)

    def end(self) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.close()
        told = self._read()
        self._process.wait()
        return told


# What is measured.


VIEWS = {
    "cost": {"all": (COST_VIEWERS, 0, 1.0)},
    "cut": {"cut": (COST_VIEWERS, COST_VIEWERS // 2, 0.5)},
    "street": {"all": (COST_VIEWERS, 0, 1.0), "street": (COST_VIEWERS, COST_VIEWERS, 0.2)},
}
"""Of each measurement, who watches: how many, how many of them zoomed in, to what share of the town's sides."""


def cost(server: Server, session: str, seconds: float, rounds: int, what: str) -> list[str]:
    """Lines of the table: turns without viewers and with each kind over one server, under the same load."""
    load = Child("devices", server.ports["handheld"], server.folder, COST_RATE)
    kinds = {"none": (0, 0, 1.0), **VIEWS[what]}
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    told: dict[str, dict[str, int]] = {}
    for _ in range(rounds):
        for kind, (number, cutting, share) in kinds.items():
            watching = Child("viewers", server.ports["console"], session, number, cutting, share, 0) if number else None
            time.sleep(WARM_UP)
            before = cost_of(server.pid).cpu
            time.sleep(seconds)
            found[kind].append(100 * (cost_of(server.pid).cpu - before) / seconds)
            told[kind] = watching.end() if watching else {"frames": 0, "bytes": 0}
            print(
                f"{kind}: {found[kind][-1]:.2f} %, {told[kind]['frames']} frames, {told[kind]['bytes'] / 1e6:.0f} MB, "
                f"load {os.getloadavg()[0]:.1f}",
                file=sys.stderr,
            )
    load.end()
    lines = []
    for kind in VIEWS[what]:
        more = median(b - a for a, b in zip(found["none"], found[kind], strict=True))
        sent = told[kind]["bytes"] / (seconds + WARM_UP) / COST_VIEWERS / 1e3
        lines.append(
            f"{kind:<6} | {COST_VIEWERS:>7} | {COST_RATE:>5}/s "
            f"| without {median(found['none']):5.2f} %, with {median(found[kind]):5.2f} %: {more:5.2f} % of a core, "
            f"{sent:.1f} kB/s each" + (f" (limit {COST_LIMIT} %)" if what == "cost" else "")
        )
    return lines


def delay(server: Server, session: str, seconds: float) -> str:
    """A line of the table."""
    late = _late(server, session, seconds)
    at = lambda part: 1000 * late[int(part * (len(late) - 1))]  # noqa: E731
    return (
        f"delay  | {DELAY_VIEWERS:>7} | {DELAY_RATE:>5}/s | median {at(0.5):4.0f} ms, p95 {at(0.95):4.0f} ms, "
        f"p99 {at(0.99):4.0f} ms, worst {at(1):4.0f} ms of {len(late):,} (limit p99 {DELAY_LIMIT:.0f} ms)"
    )


def _late(server: Server, session: str, seconds: float) -> list[float]:
    """Seconds of every report's way to those who note, shortest first."""
    watching = Child("viewers", server.ports["console"], session, DELAY_VIEWERS, 0, 1.0, NOTING)
    load = Child("devices", server.ports["handheld"], server.folder, DELAY_RATE)
    time.sleep(WARM_UP + seconds)
    sent = load.end()
    time.sleep(1)
    notes = watching.end()["notes"]
    units = json.loads((server.folder / "units.json").read_text())
    start = sent[0][2] + WARM_UP
    return sorted(way for seen in notes for way in _ways(sent, seen, units, start))


def among_deaf(server: Server, session: str, seconds: float, rounds: int) -> list[str]:
    """Lines of the table: those who read, alone and among those who do not, in turns over one server."""
    found: dict[int, list[tuple[float, float, float]]] = {0: [], DEAF: []}
    grown = 0.0
    for number in range(rounds):
        for many, runs in found.items():
            before = cost_of(server.pid)
            around = Child("deaf", server.ports["console"], session, many) if many else None
            time.sleep(WARM_UP)
            if many and not number:  # later rounds find memory that the first has left free
                grown = (cost_of(server.pid).resident - before.resident) / many
            started, spent = time.monotonic(), cost_of(server.pid).cpu
            late = _late(server, session, seconds)
            spent = (cost_of(server.pid).cpu - spent) / (time.monotonic() - started)
            if many and not number:
                grown = max(grown, (cost_of(server.pid).resident - before.resident) / many)
            runs.append((100 * spent, 1000 * late[len(late) // 2], 1000 * late[int(0.99 * len(late))]))
            print(f"{many} deaf: {runs[-1]}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
            if around:
                around.end()
    lines = []
    for many, runs in found.items():
        spent, middle, high = (median(run[n] for run in runs) for n in range(3))
        slower = median(100 * (b[1] / a[1] - 1) for a, b in zip(found[0], runs, strict=True))
        about = f": {slower:+.0f} % (limit {DEAF_LIMIT:.0f} %), {grown / 1e3:.0f} kB each" if many else ""
        lines.append(
            f"deaf   | {many:>7} | {DELAY_RATE:>5}/s | {DELAY_VIEWERS} who read: {spent:5.2f} % of a core, "
            f"median {middle:4.0f} ms, p99 {high:4.0f} ms{about}"
        )
    return lines


def _ways(sent: list[Any], seen: dict[str, list[list[float]]], units: list[str], start: float) -> list[float]:
    """Seconds of each report's way to one viewer: until it was shown this report or a newer one."""
    ways = []
    for number, fix, at in sent:
        if at < start:
            continue
        arrival = next((when for told, when in seen[units[number]] if told >= fix), None)
        if arrival is None:
            raise RuntimeError(f"a report of {units[number]} never reached a viewer")
        ways.append(arrival - at)
    return ways


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        {"devices": devices, "viewers": viewers, "deaf": deaf}[sys.argv[2]](*sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("what", nargs="*", default=[*VIEWS, "delay", "deaf"], metavar="cost|cut|street|delay|deaf")
    given = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory(prefix="gridbeat-bench-") as place:
        for what in given.what:
            folder = Path(place) / what
            stage(folder, {"handheld": UNITS})
            with Server(folder) as server:
                server.caught_up()
                known = {one["external_id"]: one["unit"] for one in server.ask("GET", "/api/v1/devices")["devices"]}
                named = [known[one["id"]] for one in json.loads((folder / "devices.json").read_text())]
                (folder / "units.json").write_text(json.dumps(named))
                session = server.session
                if what in VIEWS:
                    lines += cost(server, session, given.seconds, given.rounds, what)
                elif what == "deaf":
                    lines += among_deaf(server, session, given.seconds, given.rounds)
                else:
                    lines += [delay(server, session, given.seconds) for _ in range(given.rounds)]
    print("what   | viewers | reports | found")
    print("-------|---------|---------|------")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
