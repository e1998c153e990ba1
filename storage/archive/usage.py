"""What history takes of the disk now, by class and city day, and what lies beside it. Some 10 ms for three years."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from storage.archive.archive import Archive
from storage.archive.budgets import Usage
from storage.archive.layout import PHOTOS, SEALED, SNAPSHOTS, day_in


@dataclass(frozen=True, slots=True)
class Measured:
    """``journal`` bytes by UTC day of receipt; ``live`` is what Redis has on the disk, if it is ours; ``total`` is the
    disk's size."""

    classes: dict[str, Usage]
    journal: dict[str, int]
    live: int
    total: int


def measure(archive: Archive, data: Path) -> Measured:
    """Look at the data folder. Files that go meanwhile are no trouble."""
    about = os.statvfs(data)
    journal: dict[str, int] = {}
    for path, size in _files(data / "journal"):
        with suppress(ValueError):
            day = day_in(path.name)
            journal[day] = journal.get(day, 0) + size
    live = sum(size for folder, _, _ in os.walk(data / "redis") for _, size in _files(Path(folder)))
    return Measured(usages(archive, data / "media"), journal, live, about.f_blocks * about.f_frsize)


def usages(archive: Archive, media: Path) -> dict[str, Usage]:
    """By class; photos lie in ``media``."""
    archive.refresh()
    found = {kind: _of_class(archive, kind) for kind in (*SEALED, SNAPSHOTS)}
    for run in _folders(archive.layout.open):
        for path, size in _files(run):
            kind, _, rest = path.name.partition(".")
            with suppress(ValueError, KeyError):
                usage, day = found[kind], day_in(rest)
                usage.open[day] = usage.open.get(day, 0) + size
    return {**found, PHOTOS: _of_photos(archive, media)}


@dataclass(frozen=True, slots=True)
class _Filling(Usage):
    closed: dict[str, int]
    open: dict[str, int]


def _of_class(archive: Archive, kind: str) -> _Filling:
    usage, known = _Filling({}, {}), archive.chains[kind].files()
    for path, size in _files(archive.layout.folder(kind)):
        with suppress(ValueError):
            # What is not in the chain is a file that a killed child had not finished, or had not deleted yet.
            days = usage.closed if path.name in known else usage.open
            day = day_in(path.name)
            days[day] = days.get(day, 0) + size
    return usage


def _of_photos(archive: Archive, media: Path) -> _Filling:
    usage = _Filling({}, {})
    for entry, file in archive.chains[PHOTOS].files().values():
        usage.closed[entry.day] = usage.closed.get(entry.day, 0) + file.bytes
    there = {folder.name: folder for folder in _folders(media)}
    for day in usage.closed.keys() - there.keys():
        del usage.closed[day]  # moved away
    for day in there.keys() - usage.closed.keys():
        with suppress(ValueError):
            usage.open[day_in(day)] = sum(size for _, size in _files(there[day]))
    return usage


def photo_counts(archive: Archive, media: Path) -> Usage:
    """How many photos there are by day, where the others have bytes: the store has a bound for that too."""
    usage = _of_photos(archive, media)
    closed = dict.fromkeys(usage.closed, 0)
    for entry, _ in archive.chains[PHOTOS].files().values():
        if entry.day in closed:
            closed[entry.day] += 1
    return Usage(closed, {day: sum(1 for _ in _files(media / day)) for day in usage.open})


def _folders(folder: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            if entry.is_dir():
                yield Path(entry.path)


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    with suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            with suppress(FileNotFoundError):
                if entry.is_file():
                    yield Path(entry.path), entry.stat().st_size
