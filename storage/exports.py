"""Exports of persons' data: ZIP files that somebody asked for, each with a note of whose it is. They lie there for some
days, never many, and go with the person.

``exports/<ticket>.json`` is there before ``<ticket>.zip``, so that no file lies there of which nobody knows whose it
is.
"""

from __future__ import annotations

import json
from collections.abc import Container
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from storage.archive.archive import write_whole

FOLDER = "exports"
KEPT_MS = 7 * 86_400_000
"""How long an export can be fetched."""
MOST = 20
"""Exports that are kept; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Export:
    """``made`` in ms; ``bytes`` is 0 while there is no file yet."""

    ticket: str
    unit: str
    made: int
    bytes: int = 0

    @property
    def expires(self) -> int:
        return self.made + KEPT_MS


def file_of(data: Path, ticket: str) -> Path:
    """The ZIP of an export."""
    return data / FOLDER / f"{ticket}.zip"


def half_of(data: Path, ticket: str) -> Path:
    """The same while it is being written."""
    return data / FOLDER / f"{ticket}.zip.part"


def announce(data: Path, export: Export) -> None:
    """Say whose the file will be."""
    folder = data / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    told = {name: value for name, value in asdict(export).items() if name != "bytes"}
    write_whole(folder / f"{export.ticket}.json", json.dumps(told).encode())


def exports(data: Path) -> list[Export]:
    """All that are announced, the newest first."""
    found = []
    for path in (data / FOLDER).glob("*.json"):
        with suppress(FileNotFoundError, ValueError, TypeError):
            told = json.loads(path.read_text())
            size = 0
            with suppress(FileNotFoundError):
                size = file_of(data, path.stem).stat().st_size
            found.append(Export(path.stem, told["unit"], told["made"], size))
    return sorted(found, key=lambda one: (-one.made, one.ticket))


def drop(data: Path, ticket: str) -> None:
    """Delete an export, whole or half."""
    for path in (file_of(data, ticket), half_of(data, ticket), data / FOLDER / f"{ticket}.json"):
        path.unlink(missing_ok=True)


def drop_exports(data: Path, unit: str) -> int:
    """Delete all exports of a unit; how many."""
    theirs = [one for one in exports(data) if one.unit == unit]
    for one in theirs:
        drop(data, one.ticket)
    return len(theirs)


def tidy(data: Path, now: int, *, busy: Container[str] = ()) -> None:
    """Delete what is too old or too much, and what nobody goes on with: all that have no file but those that are
    being made."""
    for kept, one in enumerate(exports(data), 1):
        if one.ticket not in busy and (not one.bytes or not one.made <= now < one.expires or kept > MOST):
            drop(data, one.ticket)
    known = {one.ticket for one in exports(data)}
    for path in (data / FOLDER).glob("*"):
        if path.name.partition(".")[0] not in known:
            path.unlink(missing_ok=True)
