"""The server's system calls as strace tells them: which bytes went where, and when what was on disk.

strace writes one file for each thread, so every line is a whole call; the times are those of one clock. A call began
at its time and had ended after the seconds at its end.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from tests.faults.server import until

STRACE = shutil.which("strace")
_SYNCS = ("fdatasync", "fsync")
_WRITES = ("pwrite64", "write", "writev", "pwritev")
_SENDS = ("sendto", "sendmsg", "write", "writev")
_LINE = re.compile(r"^(\d+\.\d+) (\w+)\((\d+)<(.*?)>(?=[,)])(.*) = (-?\d+)(?: .*)? <(\d+\.\d+)>$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """One call that did what it was asked; times in seconds, ``file`` a path or both ends of a connection."""

    name: str
    file: str
    data: bytes
    began: Decimal
    ended: Decimal


def may_trace() -> str:
    """Empty if a process of ours can be traced here; else why not."""
    if STRACE is None:
        return "strace is not installed"
    tried = subprocess.run([STRACE, "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()[:200]}"


@contextmanager
def traced(pid: int, folder: Path) -> Iterator[list[Call]]:
    """Trace all threads of a process; the list is filled, in order of the calls' beginnings, at the end."""
    assert STRACE is not None
    folder.mkdir()
    names = ",".join(sorted({*_SYNCS, *_WRITES, *_SENDS}))
    # -yy: paths and addresses beside the numbers; -xx: strings as hex; -s: more than a page of SQLite's log.
    words = [STRACE, "-ff", "-ttt", "-T", "-yy", "-xx", "-s", "9000", "-e", f"trace={names}", "-o", str(folder / "t")]
    with (folder / "strace.txt").open("wb") as said:
        tracer = subprocess.Popen([*words, "-p", str(pid)], stderr=said)
    calls: list[Call] = []
    try:
        until(lambda: _threads(pid) <= _attached(folder), "every thread is traced")
        yield calls
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
    for path in folder.glob("t.*"):
        calls += read_calls(path.read_text().splitlines())
    calls.sort(key=lambda call: call.began)


@contextmanager
def injected(pid: int, folder: Path, calls: str, fault: str) -> Iterator[None]:
    """These calls of a process meet a fault, in strace's words: ``error=EIO``, ``delay_enter=3000000`` (µs)."""
    assert STRACE is not None
    words = [STRACE, "-f", "-qq", "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}", "-o", "/dev/null"]
    with (folder / "strace.txt").open("wb") as said:
        tracer = subprocess.Popen([*words, "-p", str(pid)], stderr=said)
    try:
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def _attached(folder: Path) -> int:
    time.sleep(0.1)
    return sum(int(status.read_text().partition("TracerPid:")[2].split()[0]) != 0 for status in _statuses(folder))


def _statuses(folder: Path) -> Iterable[Path]:
    for path in folder.glob("t.*"):
        status = Path(f"/proc/{path.suffix[1:]}/status")
        if status.exists():
            yield status


def read_calls(lines: Iterable[str]) -> Iterator[Call]:
    """The calls that succeeded."""
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        at, name, _, file, arguments, result, took = found.groups()
        if int(result) < 0:
            continue
        data = b"".join(_bytes(part) for part in _STRING.findall(arguments))
        path = _bytes(file).decode() if file.startswith("\\x") else file
        yield Call(name, path, data, Decimal(at), Decimal(at) + Decimal(took))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def safe_from(calls: Iterable[Call], marker: bytes) -> Decimal | None:
    """When bytes that hold ``marker`` were on disk: the end of the first sync of that file that began after the
    first write of them to the journal's log had ended; ``None`` for never."""
    written: Call | None = None
    for call in calls:
        if written is None:
            if call.name in _WRITES and call.file.endswith(".db-wal") and marker in call.data:
                written = call
        elif call.name in _SYNCS and call.file == written.file and call.began >= written.ended:
            return call.ended
    return None


def sent_to(calls: Iterable[Call], port: int) -> list[Call]:
    """What went to the peer on this port of 127.0.0.1, in order."""
    return [call for call in calls if call.name in _SENDS and call.file.endswith(f"->127.0.0.1:{port}]")]
