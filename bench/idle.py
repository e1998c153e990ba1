"""What ten thousand silent connections cost: CPU of the server and resident memory for each.

    python -m bench.idle [--connections 10000] [--seconds 60] [--every 30] [handheld|jt808 ...]

Each connection is a known device that has logged in and then says a heartbeat every 30 s, spread evenly. For each
protocol a server of its own is measured without connections, and again with all of them. The child that holds
the connections is this file too.
"""

from __future__ import annotations

import argparse
import json
import resource
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.connections import connect
from bench.devices import Mode
from bench.server import PROJECT, Server, cost_of, stage

LIMIT_CORE = 3.0
"""Per cent of a core."""
LIMIT_KB = 40.0
"""Kilobytes of memory a connection."""
QUIET_S = 20
"""Seconds for which the server is measured without connections."""


def hold(protocol: str, port: str, folder: str, every: str) -> None:
    """The child: connect all, say so, then only heartbeats until the standard input ends."""
    known = json.loads((Path(folder) / "devices.json").read_text())
    middle = len(known) // 2
    mode = Mode(protocol, 1, 1)
    devices = connect(mode, int(port), known[:middle], [[]])
    print(json.dumps({"half": middle}), flush=True)
    sys.stdin.readline()
    devices += connect(mode, int(port), known[middle:], [[]])
    poll = select.epoll()
    by_handle = {device.sock.fileno(): device for device in devices}
    for handle in [*by_handle, sys.stdin.fileno()]:
        poll.register(handle, select.EPOLLIN)
    print(json.dumps({"ready": len(devices)}), flush=True)
    began, sent, answered = time.monotonic(), 0, 0
    pace = len(devices) / float(every)
    while True:
        # One by one, as devices that know nothing of each other would: each wakes the server for itself.
        until = began + (sent + 1) / pace - time.monotonic()
        for handle, _ in poll.poll(max(0.0, until)):
            if handle == sys.stdin.fileno():
                print(json.dumps({"sent": sent, "answered": answered}), flush=True)
                return
            if not by_handle[handle].sock.recv(4096):
                raise RuntimeError("the server closed a connection")
            answered += 1
        while sent < (time.monotonic() - began) * pace:
            device = devices[sent % len(devices)]
            device.sock.send(device.heartbeat())
            sent += 1


def measure(protocol: str, connections: int, seconds: float, every: float) -> str:
    """A line of the table."""
    with tempfile.TemporaryDirectory(prefix="gridbeat-bench-") as place:
        folder = Path(place) / "data"
        stage(folder, {protocol: connections})
        with Server(folder) as server:
            server.caught_up()
            time.sleep(3)
            before = cost_of(server.pid)
            time.sleep(QUIET_S)
            empty = cost_of(server.pid)
            words = [sys.executable, "-m", "bench.idle", "--hold", protocol, str(server.ports[protocol]), str(folder)]
            child = subprocess.Popen(
                [*words, str(every)], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            assert child.stdout is not None
            assert child.stdin is not None
            half = json.loads(child.stdout.readline())["half"]
            # The first half goes into memory that the start has left free: the second tells what one takes.
            at_half = cost_of(server.pid).resident
            child.stdin.write("go on\n")
            child.stdin.flush()
            ready = json.loads(child.stdout.readline())["ready"]
            assert ready == connections
            # One round of heartbeats: from then on nothing is new to the server.
            time.sleep(every)
            full = cost_of(server.pid)
            time.sleep(seconds)
            after = cost_of(server.pid)
            connected = server.ask("GET", "/healthz")["devices_connected"]
            said = json.loads(child.communicate()[0])
            if connected != connections or said["sent"] - said["answered"] > connections / every:
                raise RuntimeError(f"{connected} of {connections} connected, {said}")
        quiet = 100 * (empty.cpu - before.cpu) / QUIET_S
        busy = 100 * (after.cpu - full.cpu) / seconds
        each = (after.resident - at_half) / (connections - half) / 1000
        return (
            f"{protocol:<8} | {connections:>11} | {connections / every:12.0f} | {quiet:7.2f} % | {busy:7.2f} % "
            f"| {each:16.1f}"
        )


def main() -> None:
    if sys.argv[1:2] == ["--hold"]:
        hold(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--every", type=float, default=30)
    parser.add_argument("protocols", nargs="*", default=["handheld", "jt808"], metavar="handheld|jt808")
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if given.connections + 200 > hard:
        sys.exit(f"only {hard} open files are allowed here (ulimit -Hn): take fewer --connections")
    print("protocol | connections | heartbeats/s | without   | with      | kB a connection")
    print("---------|-------------|--------------|-----------|-----------|----------------")
    for protocol in given.protocols:
        print(measure(protocol, given.connections, given.seconds, given.every), flush=True)
    print(f"wanted   |             |              |           | {LIMIT_CORE:7.2f} % | {LIMIT_KB:16.1f}")


if __name__ == "__main__":
    main()
