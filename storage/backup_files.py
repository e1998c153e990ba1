"""What backup and restore have in common: a backup's form, and copying files so that they are on disk, with digests.

A backup is a folder of its own::

    backup.json     what it is (:class:`About`), with the digest of the next
    SHA256SUMS      digest and name of every file, as sha256sum -c reads it
    city.toml       the settings, under the name that they had
    data/…          the data folder, with the journal's days as whole files

It has its name when it is whole; until then, and while it is being deleted, the name ends in ``.partial``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from storage.journal_files import sync_names
from storage.upgrade import FolderError, check_format

SCHEMA_VERSION = 1
ABOUT, SUMS, DATA, PARTIAL = "backup.json", "SHA256SUMS", "data", ".partial"
BLOCK = 1 << 20
SYNC_EVERY = 16 << 20
"""Bytes after which what was written is synced: the journal's next sync waits for all that is on its way there."""
TELL_S = 5.0
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n\\]+)\n")
_SUM = re.compile(r"[0-9a-f]{64}")

Tell = Callable[[str], None]
"""Takes a line for whoever watches."""


class BackupError(FolderError):
    """It cannot be done. The text says why and what to do next, in English and then in Chinese."""


@dataclass(frozen=True, slots=True)
class About:
    """What a backup is of. ``format`` is the data folder's; ``journal`` its journal's id, ``first`` and ``last`` the
    records of it that are there; ``settings`` the name of the settings file, or empty; ``sums`` the digest of the file
    of digests; ``size`` is in bytes. Whoever keeps it deletes it after ``delete_after``."""

    version: str
    format: int
    city: str
    made: datetime
    delete_after: datetime
    journal: str
    first: int
    last: int
    settings: str
    files: int
    size: int
    sums: str

    def encode(self) -> bytes:
        told = {"program": "gridbeat", "schema": SCHEMA_VERSION, **asdict(self)}
        told |= {"made": self.made.isoformat(), "delete_after": self.delete_after.isoformat()}
        return json.dumps(told, ensure_ascii=False, indent=2).encode() + b"\n"


def read_about(backup: Path) -> About:
    """What a backup is. Raises :class:`BackupError` for what is none or not whole, FolderError for a newer one."""
    if backup.name.endswith(PARTIAL):
        raise BackupError(
            f"{backup} was broken off and is not whole: use another backup.",
            f"{backup} 未完成，不完整：请使用其他备份。",
        )
    try:
        told = json.loads((backup / ABOUT).read_bytes())
        known = {**told, "made": _moment(told["made"]), "delete_after": _moment(told["delete_after"])}
        schema = int(known["schema"])
        about = About(**{name: known[name] for name in About.__slots__})
        texts = (about.version, about.city, about.journal, about.settings, about.sums)
        numbers = (about.format, about.first, about.last, about.files, about.size)
        if not all(type(text) is str for text in texts) or not all(type(number) is int for number in numbers):
            raise ValueError
        if not _SUM.fullmatch(about.sums) or (about.settings and not _is_name(about.settings)):
            raise ValueError
    except FileNotFoundError:
        raise BackupError(
            f"{backup} is no backup: there is no {ABOUT} in it. Name one of the folders gridbeat-… that ./run backup "
            "has made.",
            f"{backup} 不是备份：其中没有 {ABOUT}。请指定 ./run backup 生成的 gridbeat-… 目录。",
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise damaged(backup, [ABOUT]) from None
    check_format(max(about.format, schema if schema > SCHEMA_VERSION else 0), str(backup))
    return about


def damaged(backup: Path, names: list[str]) -> BackupError:
    """What to say of files that are missing or not as they were written."""
    listed = "\n".join(f"  {name}" for name in names[:10])
    more = f"\n  … {len(names) - 10}" if len(names) > 10 else ""
    return BackupError(
        f"{backup} is damaged; nothing was put in place. Use another backup. Missing or changed:\n{listed}{more}",
        f"{backup} 已损坏，未恢复任何内容；请使用其他备份。以上文件缺失或已改变。",
    )


def read_sums(backup: Path, about: About) -> dict[str, str]:
    """The digest of every file, by name. Raises :class:`BackupError` if the list is not as it was written."""
    try:
        data = (backup / SUMS).read_bytes()
    except FileNotFoundError:
        data = b""
    if hashlib.sha256(data).hexdigest() != about.sums:
        raise damaged(backup, [SUMS])
    found = {match[2]: match[1] for match in _LINE.finditer(data.decode("utf-8", "surrogateescape"))}
    # Written by us, as its digest says; but whoever wrote a digest of his own is still kept to his folder.
    if len(found) != about.files or not all(map(_is_name, found)):
        raise damaged(backup, [SUMS])
    return found


def encode_sums(sums: Mapping[str, str]) -> bytes:
    """The file of digests."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode("utf-8", "surrogateescape")


def may_be_named(name: str) -> bool:
    """Whether a file of this name can stand in the list of digests."""
    return not re.search(r"[\n\\]", name)


def backups(target: Path) -> Iterator[tuple[Path, About]]:
    """The whole backups in a folder, oldest first."""
    found = []
    for path in target.iterdir():
        if path.name.startswith("gridbeat-") and path.is_dir():
            with suppress(FolderError, OSError):
                found.append((path, read_about(path)))
    yield from sorted(found, key=lambda one: (one[1].made, one[0]))


class Progress:
    """How far it is, told every few seconds: ``what`` was done of ``total`` bytes."""

    def __init__(self, what: str, total: int, tell: Tell) -> None:
        self._what, self._total, self._tell = what, total, tell
        self._done = 0
        self._next = time.monotonic() + TELL_S

    def moved(self, count: int) -> None:
        """So many bytes more are done."""
        self._done += count
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + TELL_S
            self._tell(f"{self._what} {size(self._done)} / {size(max(self._total, self._done))}")


class Copier:
    """Puts files below ``root``, readable by us alone; they are on disk when :meth:`finish` has returned.

    Every file keeps its time, by which the next backup sees whether it has changed.
    """

    def __init__(self, root: Path, moved: Callable[[int], None]) -> None:
        self._root, self._moved = root, moved
        self._open: list[int] = []
        self._unsynced = 0
        self._folders = {root}
        self._block = bytearray(BLOCK)

    def place(self, name: str) -> Path:
        """The path for a file, in a folder that is there."""
        path = self._root / name
        missing = []
        folder = path.parent
        while folder not in self._folders:
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
            self._folders.add(folder)
        return path

    def copy(self, source: Path, name: str) -> str:
        """Copy a file; the digest of what was written. What is there under the name is replaced."""
        path = self.place(name)
        path.unlink(missing_ok=True)  # and not written over: another backup may hold it too
        digest = hashlib.sha256()
        with source.open("rb", buffering=0) as file:
            about = os.fstat(file.fileno())
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._open.append(handle)
            block = memoryview(self._block)
            while count := file.readinto(block):
                part = block[:count]
                digest.update(part)
                while part:
                    part = part[os.write(handle, part) :]
                self._moved(count)
                self._written(count)
        os.utime(path, ns=(about.st_mtime_ns, about.st_mtime_ns))
        return digest.hexdigest()

    def keep(self, name: str) -> None:
        """A file that is there already, perhaps not on disk."""
        path = self.place(name)
        self._open.append(os.open(path, os.O_RDONLY))
        self._moved(path.stat().st_size)
        self._written(0)

    def write(self, name: str, data: bytes) -> None:
        """A small file of our own."""
        path = self.place(name)
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def link(self, source: Path, name: str) -> bool:
        """Let the same file stand under this name too; False where that cannot be."""
        try:
            os.link(source, self.place(name))
        except OSError:  # no such file system, or too many names for one file
            return False
        return True

    def _written(self, count: int) -> None:
        self._unsynced += count
        # Handles too: a year of photos are ten thousands.
        if self._unsynced >= SYNC_EVERY or len(self._open) >= 256:
            self.sync()

    def sync(self) -> None:
        """Put what was copied so far on disk."""
        for handle in self._open[:-1]:
            os.fsync(handle)
            os.close(handle)
        del self._open[:-1]
        for handle in self._open:  # the last may be written on
            os.fsync(handle)
            # It will not be read again soon; what the server reads should stay in memory instead.
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        self._unsynced = 0

    def finish(self) -> None:
        """All files are on disk, with their names."""
        self.sync()
        self.close()
        for folder in sorted(self._folders, reverse=True):
            sync_names(folder)

    def close(self) -> None:
        """Let go of what is open."""
        for handle in self._open:
            os.close(handle)
        self._open.clear()


def digest_of(path: Path, moved: Callable[[int], None] = lambda count: None) -> str:
    """The SHA-256 of a file."""
    digest, block = hashlib.sha256(), bytearray(BLOCK)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(block):
            digest.update(memoryview(block)[:count])
            moved(count)
    return digest.hexdigest()


def size(count: int) -> str:
    """Bytes for a person."""
    for unit, step in (("GB", 1 << 30), ("MB", 1 << 20)):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{-(-count // 1024)} KB"


def _moment(told: Any) -> datetime:
    moment = datetime.fromisoformat(told)
    if moment.tzinfo is None:
        raise ValueError(told)
    return moment


def _is_name(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and "\0" not in name and "/".join(parts) == name
