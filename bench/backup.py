"""What a backup costs, how long it takes, and whether live reports wait for it.

    python -m bench.backup [--megabytes 1024] [--rounds 3] [--target FOLDER]

A data folder gets a history of so many megabytes: closed days of 4 MB each, and photos of 50 kB, a fifth of it. 1,000
handhelds say a fix every five seconds to a real server over it, and the time from the socket's send to the
acknowledgement is measured: while nothing else happens, while the first backup is made, and while the second one is,
which finds nearly all in the first. At the end a restore into an empty folder. The target is on the disk of the data,
which is the worst place for it, unless ``--target`` names another.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench.connections import connect
from bench.devices import MODES
from bench.load import walks
from bench.sealing import live, told
from bench.server import PROJECT, Server, stage

DAY_BYTES, PHOTO_BYTES = 4 << 20, 50_000
UNITS, EVERY = 1000, 5


def fill(data: Path, megabytes: int) -> int:
    """A history that no file system can make smaller; how many files."""
    rng, files = random.Random(1), 0
    for share, size, folder, ending in (
        (0.8, DAY_BYTES, "archive/fixes", ".parquet"), (0.2, PHOTO_BYTES, "media/2026-01-01", ".jpg"),
    ):  # fmt: skip
        (data / folder).mkdir(parents=True, exist_ok=True)
        for number in range(int(share * (megabytes << 20)) // size):
            (data / folder / f"{number:05}{ending}").write_bytes(rng.randbytes(size))
            files += 1
    os.sync()
    return files


def command(*words: object) -> tuple[float, float]:
    """Run it: seconds of CPU, seconds."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tracker.backups", *map(str, words)], cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(said.decode())
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began


def beside(devices: list[object], *words: object) -> tuple[str, list[float]]:
    """The load while a command runs: what that cost, and the milliseconds of the load."""
    cost: list[tuple[float, float]] = []
    thread = threading.Thread(target=lambda: cost.append(command(*words)))
    thread.start()
    took: list[float] = []
    while thread.is_alive():
        took += live(devices, 1.0, EVERY)  # type: ignore[arg-type]
    thread.join()
    ((cpu, seconds),) = cost
    return f"{cpu:6.1f} | {seconds:5.1f}", took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--target", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gridbeat-bench-") as place:
        data = Path(place) / "data"
        known = stage(data, {"handheld": UNITS})
        files = fill(data, given.megabytes)
        print(f"{given.megabytes} MB in {files} files")
        print("round | what    | CPU s  |   s   | median ms | p99 ms | worst ms")
        with Server(data) as server:
            devices = connect(MODES["msgpack1"], server.ports["handheld"], known, walks("handheld"))
            live(devices, 5, EVERY)
            for number in range(given.rounds):
                target = Path(tempfile.mkdtemp(prefix="gridbeat-bench-usb-", dir=given.target or place))
                words = ("backup", target, "--config", data / "bench.toml")
                print(f"{number + 1:>5} | nothing |        |       | {told(live(devices, 15, EVERY))}", flush=True)
                for what in ("first", "second"):
                    cost, took = beside(devices, *words)
                    print(f"{number + 1:>5} | {what:<7} | {cost} | {told(took)}", flush=True)
                if number < given.rounds - 1:
                    shutil.rmtree(target)
        (newest, *_) = sorted(target.iterdir(), reverse=True)
        config = Path(place) / "restored" / "bench.toml"
        config.parent.mkdir()
        config.write_text('[server]\ndata = "data"\n')
        cpu, seconds = command("restore", newest, "--config", config)
        print(f"      | restore | {cpu:6.1f} | {seconds:5.1f} |")
        shutil.rmtree(target)


if __name__ == "__main__":
    main()
