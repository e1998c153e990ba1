"""What it costs to seal a day, how small it gets, and whether live reports wait for it.

    python -m bench.sealing size              # 1,000 units, a fix each 5 s for 14 hours: ten million fixes
    python -m bench.sealing size --hours 8    # a shift
    python -m bench.sealing acks              # the same work beside a live city, in turns with none

``size`` does what the server's archivist does on such a day: a child for each hour, one that merges, one that closes.
CPU is that of those children, start and imports included. ``acks`` has 1,000 handhelds say a fix every five seconds to
a real server and measures from the socket's send to the acknowledgement, while the same children work over the
same data folder, and while they do not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import days
from bench.connections import connect
from bench.devices import MODES, Device
from bench.load import walks
from bench.server import PROJECT, Server, stage
from storage.archive import parquet
from storage.archive.layout import FIXES, Layout, details_of

ZONE = "Asia/Shanghai"
START = 1_794_700_800_000
"""2026-11-15 08:00 in Shanghai."""
HOUR = 3_600_000
LATER = START + 9 * 24 * HOUR
"""When that day may be closed."""
LIMIT_BYTES, LIMIT_CPU, LIMIT_MS = 7.5, 60.0, 20.0


def child(data: Path, job: str, now: int, **arguments: int) -> tuple[float, float, int]:
    """Do a job as the archivist has it done: seconds of CPU, seconds, and the most memory that it held, MB."""
    request = {"job": job, "data": str(data), "zone": ZONE, "now": now, "arguments": arguments}
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tracker.archiving"], cwd=PROJECT, stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps(request).encode())
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the job {job} failed")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss // 1024


def size(units: int, every: int, hours: float) -> None:
    with tempfile.TemporaryDirectory(prefix="gridbeat-bench-") as place:
        data = Path(place)
        last = days.write(data / "journal", days.day(units, every, hours, START))
        on_disk = sum(path.stat().st_size for path in (data / "journal").iterdir())
        cpu = {"seal": 0.0, "merge": 0.0, "close": 0.0}
        most = 0
        for hour in range(1, int(hours) + 2):
            now = START + hour * HOUR + 60_000
            used, _, memory = child(data, "seal", now, upto=last, before=START + hour * HOUR)
            cpu["seal"] += used
            most = max(most, memory)
        for job in ("merge", "close"):
            cpu[job], _, memory = child(data, job, LATER)
            most = max(most, memory)
        main = Layout(data / "archive").folder(FIXES) / "2026-11-15.parquet"
        db = parquet.connect()
        fixes = parquet.rows(db, main)
        db.close()
        bytes_main, bytes_details = (path.stat().st_size for path in (main, main.with_name(details_of(main.name))))
    print(f"{last:,} records, {fixes:,} fixes, {units:,} units; journal {on_disk / last:.1f} B a record")
    print(f"nine columns  {bytes_main / fixes:6.2f} B a fix (limit {LIMIT_BYTES})")
    print(f"details       {bytes_details / fixes:6.2f} B a fix")
    parts = ", ".join(f"{job} {seconds:.1f}" for job, seconds in cpu.items())
    print(f"CPU           {sum(cpu.values()):6.1f} s of one core (limit {LIMIT_CPU:.0f}): {parts}")
    print(f"              {sum(cpu.values()) / last * 1e6:6.1f} µs a record; at most {most} MB")


def live(devices: list[Device], seconds: float, every: float) -> list[float]:
    """Each device says a fix every so many seconds; milliseconds from send to acknowledgement."""
    poll = select.epoll()
    by_handle = {device.sock.fileno(): device for device in devices}
    for handle in by_handle:
        poll.register(handle, select.EPOLLIN)
    sent_at: dict[int, float] = {}
    took: list[float] = []
    chance, began, number = random.Random(1), time.monotonic(), 0
    order = list(by_handle)
    chance.shuffle(order)
    pace = len(devices) / every
    while (now := time.monotonic()) - began < seconds or sent_at:
        until = began + (number + 1) / pace - now
        for handle, _ in poll.poll(max(0.0, until) if now - began < seconds else 10):
            if by_handle[handle].acknowledged(by_handle[handle].sock.recv(65536)):
                by_handle[handle].waiting = 0
                took.append((time.monotonic() - sent_at.pop(handle)) * 1000)
        while time.monotonic() - began < seconds and number < (time.monotonic() - began) * pace:
            handle = order[number % len(order)]
            number += 1
            if handle not in sent_at:
                sent_at[handle] = time.monotonic()
                by_handle[handle].waiting = 1
                by_handle[handle].sock.send(by_handle[handle].messages(1))
    return took


def acks(units: int, every: int, hours: float, rounds: int, seconds: float) -> None:
    mode = MODES["msgpack1"]
    print("round | with sealing | median ms | p99 ms | worst ms")
    gathered: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory(prefix="gridbeat-bench-") as place:
        folder, beside = Path(place) / "data", Path(place) / "beside"
        known = stage(folder, {"handheld": units})
        # The children's journal lies on the same disk, in a folder beside: the live one holds no day to seal yet.
        last = days.write(beside / "journal", days.day(units, every, hours, START))
        with Server(folder) as server:
            devices = connect(mode, server.ports["handheld"], known, walks("handheld"))
            live(devices, 5, every)
            for number in range(rounds):
                for busy in (False, True):
                    stop = sealing(beside, last, hours) if busy else lambda: None
                    took = live(devices, seconds, every)
                    stop()
                    gathered[busy] += took
                    print(f"{number + 1:>5} | {'yes' if busy else 'no':<12} | {told(took)}", flush=True)
    growth = percentile(gathered[True], 0.99) - percentile(gathered[False], 0.99)
    print(f"  all | no           | {told(gathered[False])}")
    print(f"  all | yes          | {told(gathered[True])}")
    print(f"p99 grows by {growth:.1f} ms (limit {LIMIT_MS:.0f})")


def sealing(data: Path, last: int, hours: float) -> Callable[[], None]:
    """Seal, merge and close that day over and over, until what this answers is called."""
    script = [sys.executable, "-m", "bench.sealing", "work", str(data), str(last), str(hours)]
    process = subprocess.Popen(script, cwd=PROJECT, stdout=subprocess.DEVNULL, start_new_session=True)

    def stop() -> None:
        os.killpg(process.pid, signal.SIGKILL)  # its children are of its group
        process.wait()
        time.sleep(1)

    return stop


def work(data: Path, last: int, hours: float) -> Iterator[None]:
    while True:
        subprocess.run(["rm", "-rf", str(data / "archive")], check=True)
        for hour in range(1, int(hours) + 2):
            child(data, "seal", START + hour * HOUR + 60_000, upto=last, before=START + hour * HOUR)
        child(data, "merge", LATER)
        child(data, "close", LATER)
        yield


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def told(took: list[float]) -> str:
    return f"{percentile(took, 0.5):9.1f} | {percentile(took, 0.99):6.1f} | {max(took):8.1f}"


def main() -> None:
    if sys.argv[1:2] == ["work"]:
        for _ in work(Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])):
            pass
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["size", "acks"])
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--hours", type=float)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=40)
    given = parser.parse_args()
    if given.what == "size":
        size(given.units, given.every, given.hours or 14)
    else:
        acks(given.units, given.every, given.hours or 1, given.rounds, given.seconds)


if __name__ == "__main__":
    main()
