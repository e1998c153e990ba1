"""Snapshots: everything that is known beside the tracks, as it was after so many journal records. One file a day.

A file is a gzip stream of msgpack values: a map that says what it is (:class:`About`), then an array for each unit's
state (``["state", [value of each field]]``), for each thing of the city (``["entity", type, id, fields]``) and for each
event that still matters (``["event", type, id, fields]``), in the order in which they are to be taken in. The map names
the fields of the states, so a release that knows others can read them all the same.

What was written whole has the right checksum at its end: one that has not is damaged, and the file before it counts.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

import msgpack

from storage.archive.archive import ArchiveError, whole
from storage.archive.chain import SealedFile

SCHEMA_VERSION = 1
ENDING = ".snapshot"
STATE, ENTITY, EVENT = "state", "entity", "event"
BLOCK = 1 << 16
LEVEL = 6
"""Of compression: 9 takes three times as long for two per cent."""
VALUE_LIMIT = 256 << 20
"""Bytes of one value: four times what the console takes as one body. It bounds what a damaged length can ask for."""

Change = tuple[str, str, dict[str, Any] | None]
"""Type, id, fields."""


class SnapshotNewer(ArchiveError):
    """A newer version of Gridbeat wrote this; the text says so."""


class SnapshotDamaged(Exception):
    """This cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class About:
    """What a snapshot is of: entities and events up to record ``last`` of the journal with the id ``journal``, states
    up to ``states_last`` with the named ``fields``. ``day`` is the city day that had ended, ``made`` when (ms)."""

    journal: str
    day: str
    made: int
    last: int
    states_last: int
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file that is sound from its first to its last byte."""

    path: Path
    about: About

    def states(self) -> Iterator[tuple[Any, ...]]:
        """The states, each as the values of ``about.fields``."""
        for value in _values(self.path):
            if value[0] != STATE:
                return
            yield value[1]

    def changes(self) -> Iterator[tuple[str, Change]]:
        """Entities and events, each with the word for which it is."""
        for value in _values(self.path):
            if value[0] in (ENTITY, EVENT):
                word, kind, identity, fields = value
                yield word, (kind, identity, fields)


LOOKED_AT = 8
"""Snapshots whose record numbers decide which is the newest; of those before them their days do."""


def read(path: Path) -> Snapshot:
    """Read what a file is and see that it is sound. Raises :class:`SnapshotNewer` and :class:`SnapshotDamaged`."""
    about = next(_unpacked(path))
    version = about.get("schema") if isinstance(about, dict) else None
    if not isinstance(version, int):
        raise SnapshotDamaged(f"{path.name} is not a snapshot")
    if version > SCHEMA_VERSION:
        raise SnapshotNewer(f"{path.name} was written by a newer version of Gridbeat; use that one")
    for _ in _blocks(path):
        pass
    try:
        told = About(**{name: about[name] for name in About.__slots__})
    except KeyError as error:
        raise SnapshotDamaged(f"{path.name} does not say its {error}") from None
    return Snapshot(path, told)


def _in_order(paths: list[Path]) -> list[Path]:
    """From the newest on. By its day, one that was made while the clock was ahead would stay the newest for years:
    up to which record each goes decides. One that does not say so keeps its place behind its neighbour."""
    places, place = {}, math.inf
    for path in paths[:LOOKED_AT]:
        with suppress(SnapshotDamaged, OSError, LookupError, TypeError, ValueError):
            place = float(next(_unpacked(path))["last"])
        places[path] = place
    return [*sorted(places, key=places.__getitem__, reverse=True), *paths[LOOKED_AT:]]


def newest(folder: Path, damaged: Callable[[str], None], *, journal: str = "") -> Snapshot | None:
    """The newest sound snapshot in a folder, of this journal if one is named. ``damaged`` is told of each that had to
    be passed over, and why. Raises :class:`SnapshotNewer`."""
    for path in _in_order(sorted(folder.glob(f"????-??-??{ENDING}"), reverse=True)):
        try:
            found = read(path)
        except FileNotFoundError:
            continue  # its time had come meanwhile
        except SnapshotDamaged as error:
            damaged(str(error))
            continue
        if journal in ("", found.about.journal):
            return found
        damaged(f"{path.name} is of another journal")
    return None


def write(
    folder: Path, about: About, states: Iterable[bytes], changes: Iterable[tuple[str, Change]], *, name: str = ""
) -> SealedFile:  # fmt: skip
    """Put a snapshot there under ``name``, or that of its day; on disk when this returns. ``states`` are packed arrays
    of the fields' values. Memory does not grow with what is written."""
    path = folder / (name or f"{about.day}{ENDING}")
    packer = msgpack.Packer(use_bin_type=True, autoreset=True)
    head = packer.pack_array_header(2) + packer.pack(STATE)
    rows = 0
    with whole(path) as part:
        with part.open("wb") as out, gzip.GzipFile("", "wb", LEVEL, cast(IO[bytes], out), mtime=0) as stream:
            stream.write(packer.pack({"schema": SCHEMA_VERSION, **asdict(about)}))
            for state in states:
                stream.write(head + state)
                rows += 1
            for word, change in changes:
                stream.write(packer.pack((word, *change)))
                rows += 1
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = part.stat().st_size
    return SealedFile(path.name, size, rows, digest)


def _values(path: Path) -> Iterator[Any]:
    """The values after the first one."""
    values = _unpacked(path)
    next(values)
    return values


def _unpacked(path: Path) -> Iterator[Any]:
    """All values. Raises :class:`SnapshotDamaged`, also where there is none."""
    unpacker = msgpack.Unpacker(use_list=False, strict_map_key=False, max_buffer_size=VALUE_LIMIT)
    try:
        count = 0
        for block in _blocks(path):
            unpacker.feed(block)
            for value in unpacker:
                count += 1
                yield value
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise SnapshotDamaged(f"{path.name} is damaged: {error}") from None
    if not count:
        raise SnapshotDamaged(f"{path.name} is empty")


def _blocks(path: Path) -> Iterator[bytes]:
    """What the stream holds, a block at a time, and at its end whether the checksum is right."""
    try:
        with gzip.open(path, "rb") as stream:
            while block := stream.read(BLOCK):
                yield block
    except FileNotFoundError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise SnapshotDamaged(f"{path.name} is damaged: {error}") from None
