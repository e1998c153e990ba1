"""Restore of a backup into an empty data folder: whole or not at all, and it may be broken off anywhere and run again.

Everything is copied into a folder of its own within the data folder, its digests compared on the way. Only when all
is there and right does a note say so, and what was brought is moved up by renaming. The server does not start over a
folder in between; a restore that is run again keeps what is right, or goes on with the renaming. A folder within and
not one beside: the data folder may be a disk of its own.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from storage.backup_files import (
    DATA,
    About,
    BackupError,
    Copier,
    Progress,
    Tell,
    damaged,
    digest_of,
    read_about,
    read_sums,
    size,
)
from storage.journal_files import sync_names
from storage.space import free_bytes
from storage.upgrade import RESTORING, hold

COMPLETE = "complete"
"""Within the folder: all is there. It holds the digest of the backup's digests."""
NO_MATTER = frozenset({RESTORING, "lock", "lost+found"})
"""What an empty data folder may hold."""
MARGIN = 16 << 20


@dataclass(frozen=True, slots=True)
class Restored:
    """What is there now; ``bytes`` of the data folder's files."""

    about: About
    files: int
    bytes: int


def restore(backup: Path, data: Path, tell: Tell = lambda text: None) -> Restored:
    """Put the data of a backup into ``data``, which is made if it is not there. Raises
    :class:`~storage.upgrade.FolderError`, most of them :class:`BackupError`; then nothing has been put in place."""
    about = read_about(backup)
    sums = read_sums(backup, about)
    _check_sizes(backup, about, sums)
    if backup.resolve().is_relative_to(data.resolve()):
        raise BackupError(
            f"{backup} lies within {data}: move it elsewhere, or choose another data folder.",
            f"{backup} 位于 {data} 之内：请移到别处，或另选数据目录。",
        )
    data.mkdir(parents=True, exist_ok=True)
    handle = hold(data)
    try:
        new = data / RESTORING
        if not _is_complete(new, about, backup):
            _check_empty(data)
            wanted = {name[len(DATA) + 1 :]: sums[name] for name in sums if name.startswith(f"{DATA}/")}
            _bring(backup, about, wanted, new, tell)
        _put_in_place(data, new)
    finally:
        os.close(handle)
    return Restored(about, len(sums), about.size)


def _check_sizes(backup: Path, about: About, sums: dict[str, str]) -> None:
    """A backup that lacks files, or half of one, is told before an hour has gone by."""
    missing, found = [], 0
    for name in sums:
        try:
            found += (backup / name).stat().st_size
        except OSError:
            missing.append(name)
    if missing or found != about.size:
        raise damaged(backup, missing or [f"{size(abs(about.size - found))} of {size(about.size)}"])


def _check_empty(data: Path) -> None:
    there = sorted(path.name for path in data.iterdir() if path.name not in NO_MATTER)
    if there:
        raise BackupError(
            f"{data} is not empty (there is {there[0]}); a restore puts nothing over what is there. Move it away "
            f"(mv {data} {data}.before), or name another data folder in the settings.",
            f"{data} 不是空目录（其中有 {there[0]}）；恢复不会覆盖已有内容。请先移走（mv {data} {data}.before），"
            "或在设置中另指定数据目录。",
        )


def _is_complete(new: Path, about: About, backup: Path) -> bool:
    """Whether all of this backup has been brought already. Raises BackupError if it was all of another one."""
    try:
        told = (new / COMPLETE).read_text()
    except FileNotFoundError:
        return False
    if told != about.sums:
        raise BackupError(
            f"The restore of another backup than {backup} was broken off in {new.parent} when all was there: run that "
            f"one again, or delete what is in {new.parent}.",
            f"{new.parent} 中另一个备份（不是 {backup}）的恢复在最后一步中断：请重新恢复那个备份，"
            f"或清空 {new.parent}。",
        )
    return True


def _bring(backup: Path, about: About, wanted: dict[str, str], new: Path, tell: Tell) -> None:
    """Copy everything into ``new``, and note that it is complete. ``wanted``: digests by name."""
    new.mkdir(mode=0o700, exist_ok=True)
    sync_names(new.parent)
    for path in sorted(new.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(new).as_posix() not in wanted:
            path.unlink()  # of another backup, or not whole
    there = sum(path.stat().st_size for path in new.rglob("*") if path.is_file())
    if free_bytes(new) + there < about.size + MARGIN:
        raise _no_room(new.parent, about)
    progress = Progress("restored 已恢复", about.size, tell)
    copier = Copier(new, progress.moved)
    wrong = []
    try:
        for name, digest in sorted(wanted.items()):
            path = new / name
            source = backup / DATA / name
            if path.is_file() and path.stat().st_size == source.stat().st_size and digest_of(path) == digest:
                copier.keep(name)
            elif copier.copy(source, name) != digest:
                wrong.append(f"{DATA}/{name}")
        if wrong:
            shutil.rmtree(new)
            raise damaged(backup, wrong)
        _give_to_owner(new)
        copier.finish()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(new.parent, about) from None
        raise
    finally:
        copier.close()
    note = Copier(new, lambda count: None)
    note.write(f"{COMPLETE}.new", about.sums.encode())
    (new / f"{COMPLETE}.new").rename(new / COMPLETE)
    sync_names(new)


def _give_to_owner(new: Path) -> None:
    """Root restores for the user that the server runs as: the owner of the data folder."""
    owner = new.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        for path in [new.parent / "lock", new, *new.rglob("*")]:
            os.chown(path, owner.st_uid, owner.st_gid)


def _put_in_place(data: Path, new: Path) -> None:
    for path in sorted(new.iterdir()):
        if path.name != COMPLETE:
            path.rename(data / path.name)
    sync_names(data)
    (new / COMPLETE).unlink()
    with suppress(OSError):
        new.rmdir()
    sync_names(data)


def _no_room(data: Path, about: About) -> BackupError:
    free = free_bytes(data)
    return BackupError(
        f"There is no room in {data}: {size(about.size + MARGIN)} are needed and {size(free)} are free. Make room, or "
        "name a data folder on a larger disk in the settings.",
        f"{data} 空间不足：需要 {size(about.size + MARGIN)}，可用 {size(free)}。请腾出空间，"
        "或在设置中把数据目录指定到更大的磁盘。",
    )
