"""What is left of somebody in a data folder: every file is read as what it is, whatever packs or compresses it."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb
import msgpack

from storage.archive import parquet

Place = tuple[int, int]
"""Latitude and longitude, 1e-7 degrees."""


def traces(data: Path, words: Sequence[str], places: Sequence[Place] = ()) -> list[str]:
    """``file: what`` for each word, and each latitude that is found in a file below a folder, or in a file's name."""
    while True:
        # What is being written anew goes under one name and comes under another: then all are looked at once more.
        with suppress(FileNotFoundError):
            return _traces(data, words, places)


def _traces(data: Path, words: Sequence[str], places: Sequence[Place]) -> list[str]:
    found = []
    needles = {word: word.encode() for word in words}
    latitudes = {latitude for latitude, _ in places}
    numbers = {f"latitude {latitude}": msgpack.packb(latitude) for latitude in latitudes}
    numbers |= {f"degrees {latitude}": f"{latitude / 1e7}".encode() for latitude in latitudes}
    db = parquet.connect()
    for path in sorted(one for one in data.rglob("*") if one.is_file()):
        name = path.relative_to(data).as_posix()
        found += [f"{name}: its name" for word in words if word in name]
        if path.suffix == ".parquet":
            content, values = _columns(db, path)
            found += [f"{name}: latitude {one}" for one in sorted(latitudes & values)]
        else:
            content = b"\0".join(_contents(path))
        found += [f"{name}: {word}" for word, needle in {**needles, **numbers}.items() if needle in content]
    db.close()
    return found


def _contents(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()
    if path.suffix == ".snapshot":
        with gzip.open(path) as stream:
            yield stream.read()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                yield member.encode()
                yield archive.read(member)


def _columns(db: duckdb.DuckDBPyConnection, path: Path) -> tuple[bytes, set[int]]:
    """All values of a file: texts and bytes in one, and those of the latitude's column."""
    cursor = db.execute(f"SELECT * FROM {parquet.table([path])}")
    names = [column[0] for column in cursor.description or ()]
    rows = cursor.fetchall()
    about = db.execute(f"SELECT * FROM parquet_metadata({parquet.text(path)})").fetchall()
    at = names.index("latitude") if "latitude" in names else None
    values = {row[at] for row in rows if row[at] is not None} if at is not None else set()
    return b"\0".join([path.read_bytes(), *_bytes(rows), *_bytes(about)]), values


def _bytes(rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    for row in rows:
        for value in row:
            if isinstance(value, bytes):
                yield value
            elif isinstance(value, str):
                yield value.encode()
