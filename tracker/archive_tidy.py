"""Keeping history within its bounds: the job ``tidy``, and the job ``close_photos`` that seals the photos of a day.

A day goes in two steps: the chain of its class says so, then its files are deleted. A child that is killed in between
leaves files that the chain no longer knows; the next one deletes them. So the chain verifies at every moment, and says
of every day that is gone when that was and why.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from storage.archive.archive import write_whole
from storage.archive.budgets import Goes, Limit, Reason, expired, over_budget, to_shed
from storage.archive.chain import SealedFile
from storage.archive.layout import PHOTOS, shifted
from storage.archive.usage import photo_counts, usages
from storage.blobs import MOST
from storage.copies import drop_copies
from storage.journal_files import day_of, sync_names
from storage.space import free_bytes
from tracker.archive_context import Arguments, Context, Result
from tracker.archive_journal import drop_days

PHOTOS_OPEN = 2
"""A day of photos is closed when the one after it has ended too: nobody waits for the disk that long."""
ROOM = "room"
ROOM_BYTES = 1 << 20
"""A file of this size lies in the archive, so that a deletion can be recorded on a disk that is full to the brim."""
_COUNTS = {PHOTOS: Limit(0, MOST)}
FREE = free_bytes
"""What is free on the disk of a folder; tests have disks of their own."""


def tidy(context: Context, arguments: Arguments) -> Result:
    """Delete what is older than it is kept, and what is beyond its budget.

    ``limits`` are days and bytes by class. With ``room``, the disk is filling up: journal days and then the oldest
    history go until so many bytes are free. Answers what went, by class and reason, how many bytes that were, and
    whether there is ``enough`` room.
    """
    limits = {kind: Limit(*values) for kind, values in arguments["limits"].items()}
    room, today = int(arguments.get("room", 0)), context.archive.days.day_of(context.now)
    gone: dict[str, dict[str, int]] = {}
    freed = 0
    context.archive.refresh()
    _finish(context)
    closed = 0
    if not room:
        closed = close_photos(context, {})["days"]
        _keep_room(context)

    def go(one: Goes) -> None:
        nonlocal freed
        freed += _delete(context, one)
        reasons = gone.setdefault(one.kind, {})
        reasons[one.reason.value] = reasons.get(one.reason.value, 0) + 1
        context.tell({"deleted": one.day, "class": one.kind, "reason": one.reason.value})

    for one in expired(usages(context.archive, _media(context)), limits, today):
        go(one)
    for one in over_budget(usages(context.archive, _media(context)), limits, today):
        go(one)
    for one in over_budget({PHOTOS: photo_counts(context.archive, _media(context))}, _COUNTS, today):
        go(one)
    tomorrow = shifted(day_of(context.now), 1)
    journal = drop_days(context, tomorrow)
    if FREE(context.data) < room:
        journal += drop_days(context, tomorrow, early=True)
        for one in to_shed(usages(context.archive, _media(context)), today):
            if FREE(context.data) >= room:
                break
            go(one)
    free = FREE(context.data)
    return {
        "deleted": gone, "journal_days": journal, "photo_days": closed, "bytes": freed, "free": free,
        "enough": free >= room,
    }  # fmt: skip


def close_photos(context: Context, arguments: Arguments) -> Result:
    """Seal the folders of photos that nothing comes to any more: one chain entry a day, with each file's digest. What
    is found in a sealed folder later gets an entry of its own. Answers how many days and files that were."""
    chain, today = context.archive.chains[PHOTOS], day_of(context.now)
    known = chain.files()
    closed = {entry.day for entry, _ in known.values()}
    days = files = 0
    for folder in sorted(_media(context).glob("????-??-??")):
        day = folder.name
        if shifted(day, PHOTOS_OPEN) > today:
            continue
        names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".part")
        fresh = [name for name in names if f"{day}/{name}" not in known]
        if fresh:
            context.tell({"photos": day, "files": len(fresh)})
            sealed = [_sealed(folder / name, f"{day}/{name}") for name in fresh]
            chain.append("supplement" if day in closed else "day", day, context.now, files=sealed)
            days, files = days + 1, files + len(fresh)
    return {"days": days, "files": files}


def _media(context: Context) -> Path:
    return context.data / "media"


def _sealed(path: Path, name: str) -> SealedFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return SealedFile(name, path.stat().st_size, 0, digest)


def _folder(context: Context, kind: str) -> Path:
    """What the names in the chain of a class are relative to."""
    return _media(context) if kind == PHOTOS else context.layout.folder(kind)


def _finish(context: Context) -> None:
    """Delete what the chains say is gone: whoever said so may have been killed before he did it."""
    for kind, chain in context.archive.chains.items():
        known = chain.files()
        gone = {name for entry in chain.entries for name in entry.gone if name not in known}
        if gone:
            _unlink(_folder(context, kind), gone)
            if kind == PHOTOS:
                drop_copies(context.data, gone)


def _delete(context: Context, one: Goes) -> int:
    """Answers how many bytes that were."""
    chain = context.archive.chains[one.kind]
    freed, names = 0, sorted(name for name, (entry, _) in chain.files().items() if entry.day == one.day)
    if names:
        _with_room(context, lambda: chain.append("deletion", one.day, context.now, gone=names, reason=one.reason.value))
        freed = _unlink(_folder(context, one.kind), names)
    if one.kind == PHOTOS:
        drop_copies(context.data, names)
    return freed + (_delete_open(context, one) if one.reason is Reason.RETENTION else 0)


def _delete_open(context: Context, one: Goes) -> int:
    """What came for the day and was never closed. No chain has heard of it, so none has to say that it is gone."""
    if one.kind == PHOTOS:
        folder = _media(context) / one.day
        names = [f"{one.day}/{path.name}" for path in folder.iterdir()] if folder.is_dir() else []
        drop_copies(context.data, names)
        return _unlink(_media(context), names)
    parts = [run.parts(one.kind).get(one.day) for run in context.layout.runs()]
    return sum(_unlink(part.parent, [part.name]) for part in parts if part is not None)


def _unlink(folder: Path, names: Iterable[str]) -> int:
    """Delete files, and the folders below ``folder`` that are empty then; their bytes. What is gone already is no
    trouble."""
    touched: set[Path] = set()
    freed = 0
    for name in names:
        path = folder / name
        with suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            touched.add(path.parent)
            freed += size
    for parent in touched:
        if parent != folder:
            with suppress(OSError):
                parent.rmdir()  # refused while anything is in it
                parent = folder
        if parent.exists():
            sync_names(parent)
    return freed


def _keep_room(context: Context) -> None:
    path = context.layout.root / ROOM
    if not path.exists():
        # No zeros: they take no room on a file system that compresses.
        write_whole(path, hashlib.shake_128(b"room").digest(ROOM_BYTES))


def _with_room(context: Context, record: Callable[[], Any]) -> None:
    """Record a deletion; on a disk that is full, in the room that was kept for that."""
    try:
        record()
    except OSError as error:
        path = context.layout.root / ROOM
        if error.errno != errno.ENOSPC or not path.exists():
            raise
        path.unlink()
        record()


def limits_of(limits: Mapping[str, Limit]) -> dict[str, list[int]]:
    """Limits as the job's argument."""
    return {kind: [limit.keep, limit.budget] for kind, limit in limits.items()}
