"""The archivist's child as a real process: a job on its standard input, lines on its standard output."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.storage.helpers import ROOT
from tests.tracker.archive_house import HOUR, ZONE, ArchiveHouse
from tests.tracker.helpers import record

EIGHT = 1_795_392_000_000


def child(data: Path, job: str, **arguments: Any) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tracker.archiving"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    request = {"job": job, "data": str(data), "zone": ZONE, "now": EIGHT + HOUR, "arguments": arguments}
    process.stdin.write(json.dumps(request).encode())
    process.stdin.close()
    process.stdin = None
    return process


def answers(process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    out, _ = process.communicate(timeout=60)
    return [json.loads(line) for line in out.splitlines()]


def test_it_seals_when_it_gets_the_lock(tmp_path: Path) -> None:
    house = ArchiveHouse(tmp_path, EIGHT)
    house.put(record(EIGHT))
    with house.archive.layout.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = child(tmp_path, "seal", upto=1, before=EIGHT + HOUR)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"progress": {"waiting": "lock"}}
        assert house.archive.sealed == 0
    assert answers(process)[-1] == {"done": {"runs": 1, "records": 1, "sealed": 1}}
    assert process.returncode == 0
    assert house.parts() == [record(EIGHT)]


def test_what_it_cannot_do_it_says(tmp_path: Path) -> None:
    process = child(tmp_path, "no such job")
    assert answers(process) == [{"failed": "KeyError: 'no such job'"}]
    assert process.returncode == 1
