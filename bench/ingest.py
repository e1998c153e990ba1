"""What a report costs: CPU of the server and of its Valkey per report that is stored and acknowledged.

    python -m bench.ingest [--rounds 3] [--seconds 10] [--connections 1000] [--profile FILE] [MODE ...]

Each run starts a server of its own over a fresh data folder with the demo town and 2,000 units, 1,000 of them with a
device of the mode's protocol, and the load in a process of its own. CPU is read from /proc while everything is at
rest: after a warm-up, and after all reports are acknowledged and live state holds them all. A run in which a report
was refused, doubted as a duplicate, or acknowledged and not counted, is an error. The modes alternate over the
rounds; the table has medians.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.connections import door
from bench.devices import MODES
from bench.server import PROJECT, Server, cost_of, stage

FLOORS = {"msgpack10": 30_000, "msgpack1": 12_000, "jt808x4": 15_000, "jt808x1": 9_000}
"""Reports a second and core that are wanted, where somebody has said so."""
REDIS_LIMIT = 25.0
"""Microseconds of Valkey's CPU a report that are allowed."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run. ``server`` and ``valkey``: microseconds of CPU a report."""

    reports: int
    seconds: float
    server: float
    valkey: float
    journal: float
    generator: float

    @property
    def per_core(self) -> float:
        return 1e6 / self.server


class Generator:
    """bench/load.py as a child."""

    def __init__(self, mode: str, server: Server, connections: int) -> None:
        port = server.ports[door(MODES[mode].protocol)]
        told = mode, port, server.folder, connections, server.ports["console"], server.session
        words = [sys.executable, "-m", "bench.load", *map(str, told)]
        self.process = subprocess.Popen(words, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def _read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the load ended; its error is above")
        return json.loads(line)

    def run(self, seconds: float) -> Any:
        """Load for so long; what came of it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"run {seconds}\n")
        self.process.stdin.flush()
        return self._read()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def check(server: Server, protocol: str, acknowledged: int, stored: int) -> None:
    """Raises unless exactly what was acknowledged was accepted and stored, and nothing was refused or repeated."""
    counters = server.ask("GET", "/api/v1/counters")
    of_ours = counters["protocols"][protocol]
    refused = {name: view["refused"] for name, view in counters["protocols"].items() if view["refused"]}
    aside = {name: number for name, number in counters["kept_aside"].items() if number}
    if refused or aside or of_ours["accepted"] != acknowledged or stored != acknowledged:
        raise RuntimeError(
            f"acknowledged {acknowledged}, accepted {of_ours['accepted']}, stored {stored}, refused {refused}, "
            f"kept aside {aside}"
        )


def measure(mode: str, staged: Path, seconds: float, warm_up: float, connections: int, profile: str) -> Figures:
    """One run over a copy of the staged folder."""
    with tempfile.TemporaryDirectory(prefix="gridbeat-bench-") as place:
        folder = Path(place) / "data"
        shutil.copytree(staged, folder)
        with Server(folder) as server:
            protocol = MODES[mode].protocol
            first = server.caught_up()
            load = Generator(mode, server, connections)
            warm = load.run(warm_up)
            begin = server.caught_up()
            profiler = _profiler(server.pid, profile, seconds) if profile else None
            bytes_before = server.journal_bytes()
            before = [cost_of(pid) for pid in (server.pid, server.valkey, load.process.pid)]
            seen = load.run(seconds)
            last = server.caught_up()
            after = [cost_of(pid) for pid in (server.pid, server.valkey, load.process.pid)]
            if profiler is not None:
                profiler.wait()
            check(server, protocol, warm["acknowledged"] + seen["acknowledged"], last - first)
            reports = seen["acknowledged"]
            assert reports == last - begin
            costs = [1e6 * (b.cpu - a.cpu) / reports for a, b in zip(before, after, strict=True)]
            size = (server.journal_bytes() - bytes_before) / reports
            load.end()
        return Figures(reports, seen["seconds"], costs[0], costs[1], size, costs[2])


def _profiler(pid: int, file: str, seconds: float) -> subprocess.Popen[bytes]:
    words = [
        "py-spy",
        "record",
        "--pid",
        str(pid),
        "--duration",
        str(int(seconds)),
        "--rate",
        "500",
        "--gil",
        "--nonblocking",
    ]
    return subprocess.Popen([*words, "--format", "raw", "--threads", "--output", file], stdout=subprocess.DEVNULL)


def table(found: dict[str, list[Figures]]) -> str:
    """Medians over the rounds, a line a mode."""
    lines = [
        "mode         | reports | s    | server µs | reports/s/core | floor  |   x  | Valkey µs | load µs | journal B",
        "-------------|---------|------|-----------|----------------|--------|------|-----------|---------|----------",
    ]
    for mode, runs in found.items():
        server = median(run.server for run in runs)
        floor = FLOORS.get(mode)
        wanted = f"{floor:>6,} | {1e6 / server / floor:4.2f}" if floor else "       |     "
        lines.append(
            f"{mode:<12} | {sum(run.reports for run in runs):>7} | {sum(run.seconds for run in runs):4.0f} "
            f"| {server:9.1f} | {1e6 / server:14,.0f} | {wanted} "
            f"| {median(run.valkey for run in runs):9.1f} | {median(run.generator for run in runs):7.1f} "
            f"| {median(run.journal for run in runs):9.0f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-up", type=float, default=2)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--profile", default="", help="record with py-spy (to be installed) into this file")
    parser.add_argument("modes", nargs="*", default=list(MODES), metavar="MODE", help=", ".join(MODES))
    given = parser.parse_args()
    found: dict[str, list[Figures]] = {mode: [] for mode in given.modes}
    with tempfile.TemporaryDirectory(prefix="gridbeat-bench-") as place:
        for number in range(given.rounds):
            for mode in given.modes:
                protocol = MODES[mode].protocol
                # Two thousand units in every mode: those of the other thousand devices are silent.
                beside = "jt808" if protocol == "handheld" else "handheld"
                staged = Path(place) / protocol
                if not staged.exists():
                    stage(staged, {protocol: given.connections, beside: given.connections})
                run = measure(mode, staged, given.seconds, given.warm_up, given.connections, given.profile)
                found[mode].append(run)
                print(
                    f"round {number + 1} {mode}: {run.server:.1f} µs server, {run.valkey:.1f} µs Valkey, "
                    f"{run.reports / run.seconds:,.0f} reports/s seen",
                    file=sys.stderr,
                )
    print(table(found))


if __name__ == "__main__":
    main()
