"""The load as a test holds it: starts the process of load.py, sees what it tells, and checks what the server kept."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgpack

from storage.journal_files import day_files
from tests.faults.fleet import HOUR, Device
from tests.faults.load import STEP, UNANSWERED
from tests.faults.server import ROOT, Server, until
from tracker.record import REPORT

DRAIN = 120.0
"""Seconds until every device has had its last acknowledgement, on any machine."""


class Traffic:
    """Devices that report. ``pace``: seconds between two points of one device; ``patience``: seconds without an
    answer after which it gives its link up."""

    def __init__(
        self,
        server: Server,
        fleet: Sequence[Device],
        *,
        pace: float = 0.5,
        seed: int | None = None,
        patience: float = UNANSWERED,
    ) -> None:
        self._server = server
        self._fleet = fleet
        self.seed = random.randrange(1 << 32) if seed is None else seed
        plan = {
            "ports": server.ports,
            "pace": pace,
            "seed": self.seed,
            "patience": patience,
            "out": str(server.folder / "load-out.json"),
            "devices": [asdict(device) for device in fleet],
        }
        self._plan = server.folder / "load-plan.json"
        self._plan.write_text(json.dumps(plan))
        self._out = Path(str(plan["out"]))
        self._status: dict[str, Any] = {"made": 0, "acknowledged": 0, "by_kind": {}, "marks": {}}

    def __enter__(self) -> Traffic:
        words = [sys.executable, "-m", "tests.faults.load", str(self._plan)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._status = json.loads(line)

    @property
    def made(self) -> int:
        """Points made so far, a tenth of a second ago."""
        return int(self._status["made"])

    @property
    def acknowledged(self) -> int:
        """Points acknowledged so far."""
        return int(self._status["acknowledged"])

    @property
    def by_kind(self) -> Counter[str]:
        """Points acknowledged so far, by protocol."""
        return Counter(self._status["by_kind"])

    @property
    def marks(self) -> Counter[str]:
        """What the devices met: connections, refusals, by protocol."""
        return Counter(self._status["marks"])

    def flows(self, points: int = 200) -> None:
        """Wait until so many more points have been acknowledged."""
        before = self.acknowledged
        until(lambda: self.acknowledged >= before + points, f"{points} points are acknowledged ({self.marks})")

    def drain(self) -> dict[str, dict[str, Any]]:
        """Make no more points, wait until every one is acknowledged; by unit: what was made and acknowledged."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(DRAIN)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(DRAIN)
        told: dict[str, dict[str, Any]] = json.loads(self._out.read_text())
        return told

    def check(self, told: dict[str, dict[str, Any]]) -> str:
        """Every acknowledged point is there exactly once, nothing else is; a line with the figures."""
        points = self.check_some(told, self._fleet)
        records = _check_journal(self._server.data / "journal")
        repeated = records - points
        return f"{points} points of {len(self._fleet)} devices, each there once; {repeated} records more in the journal"

    def check_some(self, told: dict[str, dict[str, Any]], fleet: Sequence[Device]) -> int:
        """The same for some of the devices; how many points they have made."""
        points = 0
        for device in fleet:
            made, acknowledged = told[device.unit]["made"], told[device.unit]["acknowledged"]
            wanted = {
                device.start + n * STEP: (device.latitude + n * 10, device.longitude + n * 10) for n in range(made)
            }
            found = self._track(device)
            times = [at for at, _ in found]
            twice = [at for at, count in Counter(times).items() if count > 1]
            lost = sorted(set(acknowledged) - set(times))
            strange = [at for at, place in found if wanted.get(at) != place]
            assert not lost, (
                f"seed {self.seed}: {device.kind} {device.unit} lost {len(lost)} acknowledged points: {lost[:5]}"
            )
            assert not twice, (
                f"seed {self.seed}: {device.kind} {device.unit} has {len(twice)} points twice: {twice[:5]}"
            )
            assert not strange, f"seed {self.seed}: {device.kind} {device.unit} has points never sent: {strange[:5]}"
            assert acknowledged == sorted(wanted), (
                f"seed {self.seed}: {device.kind} {device.unit} still waits for {made - len(acknowledged)} of {made}"
            )
            points += made
        return points

    def _track(self, device: Device) -> list[tuple[int, tuple[int, int]]]:
        end = device.start + 8 * HOUR + HOUR
        track = self._server.api(f"/api/v1/units/{device.unit}/track?from={device.start}&to={end}&reason=test")
        assert track["next"] is None
        return [
            (point["fix_time"], (round(point["lat"] * 1e7), round(point["lon"] * 1e7))) for point in track["points"]
        ]


def _check_journal(folder: Path) -> int:
    """The files are whole and the numbers without a gap; how many records there are, the roster's left out."""
    following, reports = 1, 0
    for path in day_files(folder):
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            for first, count, rare in db.execute("SELECT first, count, rare FROM batch ORDER BY first"):
                assert first == following, f"record {following} is not in the journal"
                following += count
                reports += count - rare
    return reports


def reports_in(folder: Path, *, all_kinds: bool = False) -> Iterator[tuple[str, int]]:
    """Unit and fix time of every report in the journal, or with ``all_kinds`` something for every record."""
    for path in day_files(folder):
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            for (body,) in db.execute("SELECT body FROM batch ORDER BY first"):
                for record in msgpack.unpackb(body, use_list=False, strict_map_key=False):
                    if all_kinds or record[0] == REPORT:
                        yield record[2], record[6] if record[0] == REPORT else 0
