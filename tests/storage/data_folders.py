"""Data folders for the tests of backup and restore: small, with one of everything, and a journal that was written."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from storage.backup import Made, make
from storage.backup_files import read_about, read_sums
from storage.journal_files import JournalFiles
from storage.upgrade import prepare
from tests.storage.helpers import DAY, NOON, Bench, numbered

ZONE = ZoneInfo("Asia/Shanghai")


def found(data: Path, *, days: int = 2) -> Bench:
    """A folder as a server leaves it that was killed just now; its journal is open."""
    os.close(prepare(data, ZONE.key))
    bench = Bench(data / "journal")
    for day in range(days):
        bench.now = NOON + day * DAY
        bench.write(*[(day, number, "词" * 30) for number in range(50)])
    for name, text in {
        "secret": "s" * 32, "account.json": "{}", "first-login.txt": "admin\npassword\n",
        "archive/fixes/chain.jsonl": "entry\n", "archive/fixes/2026-11-20.parquet": "P" * 3000,
        "archive/open/000000000001-000000000050/fixes.2026-11-21.parquet": "Q" * 500,
        "archive/snapshots/2026-11-20.snapshot": "S" * 700,
        "media/2026-11-20/a.jpg": "A" * 900, "media/2026-11-21/相.jpg": "B" * 900,
        # What is made again, is of this machine, or is not whole.
        "reserve": "R", "redis/dump.rdb": "r", "log/gridbeat.log": "l", "lost+found/x": "x",
        "archive/lock": "", "archive/fixes/2026-11-21.parquet.new": "n", "media/2026-11-21/c.jpg.part": "c",
        "demo/journal/2026-11-20.db": "another city's", "demo/secret": "t" * 32,
    }.items():  # fmt: skip
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return bench


KEPT = {
    "format", "secret", "account.json", "first-login.txt", "archive/about.json", "archive/fixes/chain.jsonl",
    "archive/fixes/2026-11-20.parquet", "archive/open/000000000001-000000000050/fixes.2026-11-21.parquet",
    "archive/snapshots/2026-11-20.snapshot", "media/2026-11-20/a.jpg", "media/2026-11-21/相.jpg",
    "journal/2026-11-23.db", "journal/2026-11-24.db",
}  # fmt: skip
"""What of it is in a backup."""


def back_up(data: Path, target: Path, *, now: int = NOON + 2 * DAY, **more: Any) -> Made:
    target.mkdir(exist_ok=True)
    options: dict[str, Any] = {"settings": None, "city": "滨江", "zone": ZONE, "keep_days": 30} | more
    return make(data, target, now=now, **options)


def verify(backup: Path) -> set[str]:
    """A backup is what its digests say, to the file; the names of its files."""
    sums = read_sums(backup, read_about(backup))
    for name, digest in sums.items():
        assert hashlib.sha256((backup / name).read_bytes()).hexdigest() == digest, name
    there = {path.relative_to(backup).as_posix() for path in backup.rglob("*") if path.is_file()}
    assert there == sums.keys() | {"backup.json", "SHA256SUMS"}
    return set(sums)


def records(journal: Path) -> list[tuple[int, Any]]:
    """What a journal holds, with its numbers."""
    return numbered(JournalFiles(journal).read(1, 1 << 40))
