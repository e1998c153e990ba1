"""The archivist's child, killed at random moments and on a disk that is full: every point is there, once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from storage.archive.archive import Archive
from tests.faults.disks import fill, small_disk
from tests.storage.helpers import ROOT
from tests.tracker.archive_city import EIGHT, NIGHT, City
from tests.tracker.archive_house import DAY, HOUR, ZONE


def child(data: Path, city: City, job: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tracker.archiving"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    arguments = city.sealable if job == "seal" else {}
    request = {"job": job, "data": str(data), "zone": ZONE, "now": city.house.now, "arguments": arguments}
    assert process.stdin is not None
    process.stdin.write(json.dumps(request).encode())
    process.stdin.close()
    process.stdin = None
    return process


def answer(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    out, _ = process.communicate(timeout=120)
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def furnish(city: City, hours: int) -> None:
    """Hours of points, some of them late and some of the future; the last hour is over."""
    for hour in range(hours):
        city.house.now = EIGHT + hour * HOUR
        for _ in range(10):
            city.put(*range(0, 600_000, 2000), 6 * DAY, 30 * DAY, -DAY)
    city.house.now += HOUR


def test_killed_at_any_moment(tmp_path: Path, rng: random.Random, long_run: bool) -> None:
    city = City(tmp_path / "city")
    killed = 0
    for days in (0, 9):
        furnish(city, 6)
        city.house.now += days * DAY
        for job in NIGHT:
            for _ in range(30 if long_run else 2):
                process = child(city.house.data, city, job)
                time.sleep(rng.uniform(0.3, 1.5))
                process.kill()
                process.communicate(timeout=120)
                killed += process.returncode != 0
                city.check()
            assert "done" in answer(child(city.house.data, city, job))
            city.check()
    city.settle()
    print(f"{killed} children killed at work")


def test_on_a_disk_without_room(tmp_path: Path, long_run: bool) -> None:
    refused: list[str] = []
    with small_disk(tmp_path / "city", 24):
        city = City(tmp_path / "city")
        furnish(city, 6)
        city.do("seal")
        furnish(city, 8)
        city.house.bench.close()
        ballast = tmp_path / "city" / "ballast"
        for job, days in (*((job, 0) for job in NIGHT), ("close", 9)):
            city.house.now += days * DAY
            for kilobytes in (4, 8, 12, 16, 24, 32, 48, 64, 96, 128) if long_run else (4, 16):
                fill(ballast, kilobytes << 10)
                if "failed" in answer(child(city.house.data, city, job)):
                    refused.append(job)
                city.check()
                assert Archive(city.house.data / "archive", ZONE).layout.obsolete() == []
                ballast.unlink()
            assert "done" in answer(child(city.house.data, city, job))
            city.check()
        city.settle()
    assert set(refused) == set(NIGHT)
