"""Backup of a data folder while its server runs, or not: each a folder of its own in ``target``, complete in itself.

What the newest backup there has of the same name, size and time is not copied again but given another name by a hard
link, where the file system has them: so a daily backup costs one day. What counts as the same is never written to
once it is there: archive, photos, and the journal's days when the next one has begun.

The archive's lock is held while files are copied, so nothing is sealed, merged or deleted meanwhile. The journal comes
first: a photo's file is on disk before the record that names it, so all photos that the copied journal knows are there
to be copied after it. The journal's open day is read through SQLite in one transaction while it is written to.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from storage.backup_files import (
    ABOUT,
    DATA,
    PARTIAL,
    SUMS,
    About,
    BackupError,
    Copier,
    Progress,
    Tell,
    backups,
    digest_of,
    encode_sums,
    may_be_named,
    read_sums,
    size,
)
from storage.backup_journal import copy_day, range_of, unreadable
from storage.journal_files import JournalFiles, day_files, sync_names
from storage.space import free_bytes
from storage.upgrade import RESTORING, VERSION, FolderError, format_of

LEFT_OUT = frozenset({"redis", "log", "exports", "copies", "uploads", "reserve", "lock", RESTORING, "lost+found"})
"""Of the data folder: what is made again by itself or on request, and what is of this machine only."""
PASSING = (".new", ".part", "-wal", "-shm", "-journal")
"""Endings of what is not whole yet; the first two are ours, the others SQLite's, which copies what they hold."""
MARGIN = 16 << 20
"""Bytes that must be free in the target besides what is copied: for names, folders and what is received meanwhile."""
LOCK = "lock"
"""Of a backup that is being written."""


@dataclass(frozen=True, slots=True)
class Made:
    """A new backup: bytes that were copied and that were there already, and words on what is odd."""

    path: Path
    about: About
    copied: int
    linked: int
    odd: tuple[str, ...]


def make(
    data: Path,
    target: Path,
    *,
    settings: Path | None,
    city: str,
    zone: ZoneInfo,
    keep_days: int,
    now: int,
    tell: Tell = lambda text: None,
) -> Made:
    """Back ``data`` and the settings file up into a new folder in ``target``. Raises :class:`BackupError`.

    ``keep_days``: after so many days the backup is to be deleted. ``now``: ms since 1970.
    """
    made = datetime.fromtimestamp(now / 1000, zone).replace(microsecond=0)
    _check(data, target)
    found = format_of(data)
    _sweep(target)
    partial = _begin(target, f"gridbeat-{made:%Y-%m-%d-%H%M%S}")
    work = _Backup(data, partial, tell)
    held = -1
    try:
        held = os.open(partial / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        with suppress(OSError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with _undisturbed(data / "archive", tell):
            work.plan(target, settings)
            work.copy()
        limit, journal = made + timedelta(days=keep_days), work.journal()
        about = About(VERSION, found, city, made, limit, *journal, settings.name if settings else "", *work.sums())
        work.copier.write(ABOUT, about.encode())
        work.copier.finish()
        (partial / LOCK).unlink()
        path = partial.with_name(partial.name.removesuffix(PARTIAL))
        partial.rename(path)
        sync_names(target)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, sqlite3.Error):
            raise unreadable(data / "journal", error) from None
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(target, work.needed) from None
        raise
    finally:
        if held >= 0:
            os.close(held)
    return Made(path, about, work.copied, work.linked, tuple(work.odd))


def expired(target: Path, journal: str, now: datetime) -> list[tuple[Path, About]]:
    """The backups of one city in ``target`` that are past their limit, oldest first."""
    return [(path, about) for path, about in backups(target) if about.journal == journal and about.delete_after < now]


def remove(backup: Path) -> None:
    """Delete a backup. It counts no more before anything of it is gone."""
    doomed = backup.with_name(backup.name + PARTIAL)
    backup.rename(doomed)
    sync_names(backup.parent)
    shutil.rmtree(doomed)


def _check(data: Path, target: Path) -> None:
    if (data / RESTORING).exists():
        raise BackupError(
            f"A restore into {data} was broken off: run it again before you make a backup.",
            f"恢复到 {data} 的过程曾中断：请先重新运行恢复，再做备份。",
        )
    if not (data / "journal").is_dir() or not (data / "secret").exists():
        raise BackupError(
            f"There is nothing to back up: {data} holds no data. Are these the right settings (--config city.toml)?",
            f"没有可备份的内容：{data} 中没有数据。设置文件（--config city.toml）是否正确？",
        )
    if not target.is_dir():
        raise BackupError(
            f"There is no folder {target}. Is its disk mounted? If so, make the folder first: mkdir -p {target}",
            f"目录 {target} 不存在。磁盘是否已挂载？若已挂载，请先创建目录：mkdir -p {target}",
        )
    if target.resolve().is_relative_to(data.resolve()):
        raise BackupError(
            f"{target} lies within the data folder: choose a folder elsewhere, best on another disk.",
            f"{target} 位于数据目录之内：请另选目录，最好在另一块磁盘上。",
        )


def _sweep(target: Path) -> None:
    """Delete what killed backups have left, unless one is still at work."""
    for left in target.glob(f"gridbeat-*{PARTIAL}"):
        with suppress(OSError):  # of disks without locks
            handle = os.open(left / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BackupError(
                    f"Another backup is being written to {target}: wait until it has ended.",
                    f"另一个备份正在写入 {target}：请等待其完成。",
                ) from None
            finally:
                os.close(handle)
        shutil.rmtree(left)


def _begin(target: Path, name: str) -> Path:
    """A folder under a name that does not count yet."""
    for number in range(1, 1000):
        wanted = target / (name if number == 1 else f"{name}-{number}")
        if not wanted.exists():
            partial = wanted.with_name(wanted.name + PARTIAL)
            try:
                partial.mkdir(mode=0o700)
            except OSError as error:
                raise BackupError(
                    f"Nothing can be written to {target}: {error.strerror}.", f"无法写入 {target}：{error.strerror}。"
                ) from None
            return partial
    raise BackupError(f"{target} is full of backups of this second.", f"{target} 中同一秒的备份过多。")


@contextmanager
def _undisturbed(archive: Path, tell: Tell) -> Iterator[None]:
    """Nothing is sealed, merged, deleted or rewritten within the block."""
    if not archive.is_dir():
        yield  # a folder of the first release
        return
    try:
        handle = os.open(archive / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        yield  # where no lock can be made nothing else can be made either
        return
    try:
        if os.geteuid() == 0:
            owner = archive.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)  # or its server could not open it any more
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("waiting until the archive's work has ended 等待归档任务结束 …")
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class _File:
    """A file to be in the backup; ``same`` is the copy of it that is in the last one."""

    name: str
    path: Path
    bytes: int
    same: Path | None = None
    day: str = ""
    """Of the journal: through SQLite."""


class _Backup:
    """One backup on its way."""

    def __init__(self, data: Path, partial: Path, tell: Tell) -> None:
        self.needed = self.copied = self.linked = 0
        self.odd: list[str] = []
        self._data, self._partial, self._tell = data, partial, tell
        self._files: list[_File] = []
        self._sums: dict[str, str] = {}
        self._days = JournalFiles(data / "journal")
        self._last: Path | None = None
        self._last_sums: dict[str, str] = {}
        self.copier = Copier(partial, lambda count: None)

    # -- what there is to do

    def plan(self, target: Path, settings: Path | None) -> None:
        """Look through everything; raises BackupError if there is no room for it."""
        self._find_last(target)
        # The journal first: see above.
        self._files += self._journal()
        self._files += [self._file(f"{DATA}/{name}", path) for name, path in self._contents()]
        if settings is not None:
            self._files.append(self._file(settings.name, settings))
        self.needed = sum(file.bytes for file in self._files if file.same is None) + MARGIN
        if free_bytes(target) < self.needed:
            raise _no_room(target, self.needed)

    def _find_last(self, target: Path) -> None:
        identity = self._days.newest()[0]
        for path, about in backups(target):
            if about.journal == identity:
                with suppress(FolderError):
                    self._last, self._last_sums = path, read_sums(path, about)
        if self._last is not None:
            probe = self._partial / "probe"
            try:
                os.link(self._last / ABOUT, probe)
                probe.unlink()
            except OSError:
                self._last = None

    def _journal(self) -> Iterator[_File]:
        paths = day_files(self._data / "journal")
        held = {file.day for file in self._days.days() if file.last}
        for number, path in enumerate(paths):
            name = f"{DATA}/journal/{path.name}"
            log = path.with_name(path.name + "-wal")
            log_bytes = log.stat().st_size if log.exists() else 0
            if not log_bytes and any(later.stem in held for later in paths[number + 1 :]):
                yield self._file(name, path)
            else:
                yield _File(name, path, path.stat().st_size + log_bytes, day=path.stem)

    def _contents(self) -> Iterator[tuple[str, Path]]:
        """Everything else that belongs into a backup: what nobody has said to leave out."""
        yield from self._below(self._data, "", {self._data.resolve()})

    def _below(self, folder: Path, prefix: str, above: set[Path]) -> Iterator[tuple[str, Path]]:
        for path in sorted(folder.iterdir()):
            name = prefix + path.name
            if name in LEFT_OUT or name == "journal" or name == "archive/lock" or name.endswith(PASSING):
                continue
            if path.is_dir():
                # A folder may be on another disk, by a link; another city's within this one is not ours.
                real = path.resolve()
                if real not in above and not (path / "journal").is_dir():
                    yield from self._below(path, f"{name}/", above | {real})
            elif not may_be_named(name):
                self.odd.append(f"left out, for its name cannot be listed 文件名无法列出，未备份: {path!r}")
            elif path.is_file():
                yield name, path

    def _file(self, name: str, path: Path) -> _File:
        about = path.stat()
        if self._last is not None and name in self._last_sums:
            same = self._last / name
            with suppress(OSError):
                then = same.stat()
                # Network disks keep no nanoseconds.
                if (then.st_size, then.st_mtime_ns // 1000) == (about.st_size, about.st_mtime_ns // 1000):
                    return _File(name, path, about.st_size, same)
        return _File(name, path, about.st_size)

    # -- doing it

    def copy(self) -> None:
        """All of it."""
        total = sum(file.bytes for file in self._files if file.same is None)
        moved = Progress("copied 已复制", total, self._tell).moved
        self.copier = Copier(self._partial, moved)
        for file in self._files:
            if file.same is not None and self.copier.link(file.same, file.name):
                self._sums[file.name] = self._last_sums[file.name]
                self.linked += file.bytes
                continue
            try:
                if file.day:
                    copied = self.copier.place(file.name)
                    copy_day(file.path, copied, moved)
                    self._sums[file.name] = digest_of(copied)
                else:
                    self._sums[file.name] = self.copier.copy(file.path, file.name)
            except FileNotFoundError:
                if file.path.exists():
                    raise
                continue  # an operator has taken it away meanwhile
            self.copied += file.bytes

    def journal(self) -> tuple[str, int, int]:
        """Id, first and last record number of the journal in the backup."""
        identity, first, last = "", 0, 0
        for path in day_files(self._partial / DATA / "journal"):
            found = range_of(path)
            if found is None:
                continue
            identity, start, end = found
            if last and start != last + 1:
                self.odd.append(f"the journal lacks records {last + 1}..{start - 1} 日志缺少这些记录")
            first, last = first or start, end
        return identity, first, last

    def sums(self) -> tuple[int, int, str]:
        """Number of files, their bytes, and the digest of the list of digests, which is written."""
        self.copier.write(SUMS, encode_sums(self._sums))
        total = sum((self._partial / name).stat().st_size for name in self._sums)
        return len(self._sums), total, digest_of(self._partial / SUMS)


def _no_room(target: Path, needed: int) -> BackupError:
    free = free_bytes(target)
    return BackupError(
        f"There is no room in {target}: {size(needed)} are needed and {size(free)} are free. Delete old backups "
        "(--prune deletes those past their limit), or take another disk.",
        f"{target} 空间不足：需要 {size(needed)}，可用 {size(free)}。请删除旧备份"
        "（--prune 会删除过期备份）或更换磁盘。",
    )
