"""The data folder before anything else opens it: one server at a time, a format that we know, and ours afterwards.

A data folder has a format, one number in its file ``format``; a folder without the file is of format 1, which is what
the first release left. :data:`STEPS` is the one table of how a folder of each released format becomes the next. They
run at start, in place. Every step may be killed anywhere and run again, and its number is written when it is done. A
folder of a newer format is not touched: an older release would make a roster of half the history and carry on.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from storage.journal_files import ROOM, day_files, sync_names
from storage.space import free_bytes

VERSION = "0.1.0"
FORMAT = 2
NAME = "format"
RESTORING = "restoring"
"""A folder within the data folder: what a restore has brought so far. See :mod:`storage.restore`."""
NEEDED = 4 * ROOM
"""Bytes that must be free for a step: no more is ever written, however large the folder."""


class FolderError(Exception):
    """The data folder cannot be used. The text says why and what to do, in English and then in Chinese."""

    def __init__(self, text: str, chinese: str) -> None:
        super().__init__(f"{text}\n{chinese}")


@dataclass(frozen=True, slots=True)
class Step:
    """How a folder becomes one of format ``to``. ``work`` takes the folder and the zone of the city's days."""

    to: int
    work: Callable[[Path, str], None]


def prepare(data: Path, zone: str) -> int:
    """Take the folder (made if there is none) and bring it to our format. Raises :class:`FolderError`.

    Answers the handle that holds its lock: keep it open as long as the folder is used.
    """
    data.mkdir(parents=True, exist_ok=True)
    handle = hold(data)
    try:
        _bring_up(data, zone)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _bring_up(data: Path, zone: str) -> None:
    if (data / "secret").exists():
        with suppress(OSError):
            (data / RESTORING).rmdir()  # empty: all had been put in place
    if (data / RESTORING).exists():
        raise FolderError(
            f"A restore into {data} was broken off. Run ./run restore again with the same backup: it goes on where "
            "it stopped.",
            f"恢复到 {data} 的过程曾中断。请用同一备份再次运行 ./run restore，它会从中断处继续。",
        )
    found = format_of(data)
    if found < FORMAT and free_bytes(data) < NEEDED:
        raise FolderError(
            f"{data} is to be upgraded from format {found} to {FORMAT}, and its disk is full: make {NEEDED >> 20} MB "
            "of room, for example by deleting the file reserve in it, and start again.",
            f"{data} 需要从格式 {found} 升级到 {FORMAT}，但磁盘已满：请腾出 {NEEDED >> 20} MB（例如删除其中的 reserve "
            "文件）后重新启动。",
        )
    for step in STEPS:
        if found < step.to:
            step.work(data, zone)
            _write(data / NAME, f"{step.to}\n".encode())


def hold(data: Path) -> int:
    """A handle that holds the folder's lock. Raises :class:`FolderError` while a server has it."""
    handle = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise FolderError(
            f"Another Gridbeat is running over {data}. Stop it first, or choose another data folder.",
            f"另一个 Gridbeat 正在使用 {data}。请先停止它，或另选数据目录。",
        ) from None
    return handle


def format_of(data: Path) -> int:
    """The folder's format. Raises :class:`FolderError` for one that is newer than ours, or that cannot be told."""
    try:
        told = (data / NAME).read_text("ascii").strip()
    except FileNotFoundError:
        return 1
    except UnicodeDecodeError:
        told = ""
    if not told.isdecimal() or int(told) < 1:
        raise FolderError(
            f"{data / NAME} should hold a number and does not: the folder is damaged. Take it from a backup "
            "(./run restore).",
            f"{data / NAME} 中应为一个数字：该目录已损坏。请从备份恢复（./run restore）。",
        )
    check_format(int(told), str(data))
    return int(told)


def check_format(found: int, what: str) -> None:
    """Raise :class:`FolderError` if ``what`` is of a newer format than this version knows."""
    if found > FORMAT:
        raise FolderError(
            f"{what} was written by a newer version of Gridbeat (format {found}; this one, {VERSION}, knows up to "
            f"{FORMAT}). Nothing was touched. Start that newer version, or restore a backup that was made before "
            "the upgrade.",
            f"{what} 由更新版本的 Gridbeat 写入（格式 {found}；本版本 {VERSION} 最高支持 {FORMAT}）。未作任何改动。"
            "请运行更新的版本，或恢复升级之前的备份。",
        )


# The steps. What a step does stays as it was released: later formats have steps of their own.


def _with_archive(data: Path, zone: str) -> None:
    """Format 2: sealed days leave the journal for an archive, whose days are those of one zone for ever.

    The first release has no look at ``format``. It would start over the journal that is left and know nobody whose
    entry has been sealed; but it does refuse a journal file with a higher number than its own.
    """
    for path in day_files(data / "journal"):
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", isolation_level=None, uri=True)) as db:
            db.execute("PRAGMA synchronous=FULL")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version < 2:
                db.execute("PRAGMA user_version=2")
    archive = data / "archive"
    archive.mkdir(exist_ok=True)
    sync_names(data)
    if not (archive / "about.json").exists():
        _write(archive / "about.json", json.dumps({"schema": 1, "zone": zone}).encode())


STEPS = (Step(2, _with_archive),)
"""One for every format after the first, in order."""


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, and on disk with its name."""
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_names(path.parent)
