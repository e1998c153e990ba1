"""What the archive holds now, for those who read it: which files count for a span of days.

Only the archivist's child changes an archive, one job at a time under ``lock``; a reader takes a look
(:meth:`Archive.sources`), and takes another when a file that was there a moment ago has been merged or closed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.archive.chain import Chain
from storage.archive.layout import CLASSES, Days, Layout, Run, day_in
from storage.journal_files import sync_names

SCHEMA_VERSION = 1


class ArchiveError(Exception):
    """This archive cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that counts. ``kind`` is day, supplement or part; ``first`` and ``last`` are a part's journal records."""

    path: Path
    day: str
    kind: str
    first: int = 0
    last: int = 0


class Archive:
    """One archive folder, made when it is not there. Raises :class:`ArchiveError`.

    ``zone`` is that of the city's days; an archive keeps the one it was made with.
    """

    def __init__(self, root: Path, zone: str) -> None:
        self.layout = Layout(root)
        for folder in (self.layout.open, *(self.layout.folder(kind) for kind in CLASSES)):
            folder.mkdir(parents=True, exist_ok=True)
        self._check(zone)
        self.days = Days(zone)
        self.chains = {kind: Chain(self.layout.chain(kind)) for kind in CLASSES}

    def _check(self, zone: str) -> None:
        about = self.layout.about
        try:
            told: dict[str, Any] = json.loads(about.read_text())
        except FileNotFoundError:
            write_whole(about, json.dumps({"schema": SCHEMA_VERSION, "zone": zone}).encode())
            return
        except ValueError:
            raise ArchiveError(f"{about} is damaged; take it from a backup") from None
        if told.get("schema", 0) > SCHEMA_VERSION:
            raise ArchiveError("the archive was made by a newer version of Gridbeat; use that one")
        if told.get("zone") != zone:
            raise ArchiveError(
                f'the archive\'s days are those of "{told.get("zone")}" and cannot become those of "{zone}": '
                f'set zone = "{told.get("zone")}" in [city], or choose a new data folder'
            )

    def refresh(self) -> None:
        """Take in what the child has added to the chains."""
        for chain in self.chains.values():
            chain.refresh()

    @property
    def sealed(self) -> int:
        """The last journal record that is in the archive; the newest run always stays, so that this is known."""
        runs = self.layout.runs()
        return runs[-1].last if runs else 0

    def sources(self, kind: str, first_day: str, last_day: str) -> list[Source]:
        """The files of a class that count for these city days, both included: by day, and within a day oldest first."""
        # Runs first: the chain's word on what it has taken in is asked last, so that a part that is closed meanwhile is
        # found in its day. What the chain says of files and of numbers is of one moment: others refresh it too.
        parts = self._parts(kind, first_day, last_day)
        self.chains[kind].refresh()
        links = self.chains[kind].links
        found = []
        for name, (entry, _) in links.files.items():
            if first_day <= entry.day <= last_day and ".details." not in name:
                found.append(Source(self.layout.folder(kind) / name, entry.day, _kind_of(name)))
        found += [part for part in parts if part.first > links.upto.get(part.day, 0)]
        return sorted(found, key=lambda source: (source.day, source.kind != "day", source.kind == "part", source.path))

    def _parts(self, kind: str, first_day: str, last_day: str) -> list[Source]:
        runs = self.layout.runs()
        while True:
            parts = [
                Source(path, day, "part", run.first, run.last)
                for run in runs
                for day, path in run.parts(kind, first_day, last_day).items()
            ]
            # Runs that were merged while they were listed had no parts any more; the one they became has.
            before, runs = runs, self.layout.runs()
            if runs == before:
                return parts


def _kind_of(name: str) -> str:
    return "supplement" if name.startswith(f"{day_in(name)}.late-") else "day"


def open_parts(runs: list[Run], kind: str) -> dict[str, list[tuple[Run, Path]]]:
    """The parts of a class by city day, in journal order."""
    found: dict[str, list[tuple[Run, Path]]] = {}
    for run in runs:
        for day, path in run.parts(kind).items():
            found.setdefault(day, []).append((run, path))
    return dict(sorted(found.items()))


def write_whole(path: Path, data: bytes) -> None:
    """Put a file there as a whole or not at all, on disk with its name when this returns."""
    with whole(path) as part:
        part.write_bytes(data)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name to write under; the file gets its own when the block is left, synced, and goes away if that fails."""
    part = path.with_name(path.name + ".new")
    try:
        yield part
        sync_file(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_names(path.parent)


def sync_file(path: Path) -> None:
    """Put a file's bytes on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
