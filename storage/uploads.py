"""Photos and voice notes on their way in: what has come of each so far, in two files that a restart goes on from.

``uploads/<token>.json`` says whose it is and is there first; ``uploads/<token>.part`` holds the bytes, of which each
stretch is on disk before the device is told of it. What is whole is copied to where it is kept; then both go.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from storage.archive.archive import write_whole
from storage.journal_files import sync_names

FOLDER = "uploads"


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of one: by whose ``device`` for which ``unit``, the digest that is promised and how many bytes.
    ``name`` is where it is going to be kept, once that is known: whoever takes the unit's data away looks there too."""

    token: str
    device: str
    unit: str
    sha: str
    length: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One that lies there: with so many bytes of it, the last of which came at ``touched`` (ms)."""

    note: Note
    offset: int
    touched: int


def part_of(data: Path, token: str) -> Path:
    """The bytes of an upload, as far as they have come."""
    return data / FOLDER / f"{token}.part"


def write_note(data: Path, note: Note) -> None:
    """Say whose it is, or where it goes."""
    (data / FOLDER).mkdir(mode=0o700, exist_ok=True)
    write_whole(_note_of(data, note.token), json.dumps(asdict(note)).encode())


def write_piece(data: Path, token: str, offset: int, piece: bytes) -> None:
    """Put the next bytes on disk; what a killed server had written beyond ``offset`` goes. Raises OSError."""
    path = part_of(data, token)
    new = not path.exists()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.ftruncate(handle, offset)
        rest, at = memoryview(piece), offset
        while rest:
            written = os.pwrite(handle, rest, at)
            rest, at = rest[written:], at + written
        os.fsync(handle)
    finally:
        os.close(handle)
    if new:
        sync_names(path.parent)


def found(data: Path) -> list[Found]:
    """All that lie there; halves of pairs are taken away."""
    return list(_found(data))


def _found(data: Path) -> Iterator[Found]:
    folder = data / FOLDER
    known = set()
    for path in sorted(folder.glob("*.json")):
        try:
            note = Note(**json.loads(path.read_text()))
        except (ValueError, TypeError):
            path.unlink(missing_ok=True)
            continue
        known.add(path.stem)
        part = part_of(data, note.token)
        about = (part if part.exists() else path).stat()
        yield Found(note, min(about.st_size, note.length) if part.exists() else 0, int(about.st_mtime * 1000))
    for path in folder.glob("*"):
        if path.name.partition(".")[0] not in known:
            path.unlink(missing_ok=True)


def drop(data: Path, token: str) -> None:
    """Take one away, if it is there. The note last: without it nobody would know whose the bytes are."""
    part_of(data, token).unlink(missing_ok=True)
    _note_of(data, token).unlink(missing_ok=True)


def drop_uploads(data: Path, unit: str) -> int:
    """Take away all of a unit; how many."""
    theirs = [one.note.token for one in found(data) if one.note.unit == unit]
    for token in theirs:
        drop(data, token)
    if theirs:
        sync_names(data / FOLDER)
    return len(theirs)


def _note_of(data: Path, token: str) -> Path:
    return data / FOLDER / f"{token}.json"
