"""Map tiles in one file on this machine: MBTiles and PMTiles with PNG, JPEG or WebP pictures.

:func:`open_tiles` looks at the file once at start and refuses what a browser could not show, such as vector tiles,
with a sentence for the operator. Reading blocks; :meth:`TileFile.tile` is called in threads.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from storage.pmtiles import PMTiles, PMTilesError

TILE_LIMIT = 2 * 2**20
"""Bytes of a tile: a picture of 256 or 512 pixels has a few tens of thousands."""
ATTRIBUTION_LIMIT = 200
ZOOM_LIMIT = 22

_PMTILES_PICTURES = frozenset({2, 3, 4})
_PMTILES_VECTOR = frozenset({1, 6})
_VECTOR = (
    "holds vector tiles, which this map does not draw: make picture tiles of them (PNG, JPEG or WebP); "
    "docs/basemaps.md says how"
)


class TileFileError(Exception):
    """The file cannot be used as a base map; the text says why and goes on after the file's name."""


Tile = Callable[[int, int, int], bytes | None]


@dataclass(frozen=True, slots=True)
class TileFile:
    """``tile(zoom, x, y)``, rows from the north, answers a picture's bytes or ``None``, and raises ``OSError``.
    ``bounds`` is west, south, east, north in degrees; ``edition`` changes when the file does."""

    tile: Tile
    min_zoom: int
    max_zoom: int
    bounds: tuple[float, float, float, float] | None
    attribution: str
    edition: str


def picture_type(data: bytes) -> str | None:
    """The media type of a picture by its first bytes; ``None`` for what is none of the three."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def open_tiles(kind: str, path: Path) -> TileFile:
    """Look at a file of ``kind`` mbtiles or pmtiles; raises :class:`TileFileError`."""
    try:
        about = path.stat()
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise TileFileError(f"cannot be read: {(error.strerror or 'unknown reason').lower()}") from None
    edition = hashlib.sha256(f"{path}:{about.st_size}:{about.st_mtime_ns}".encode()).hexdigest()[:12]
    return (_open_mbtiles if kind == "mbtiles" else _open_pmtiles)(path, edition)


def _open_pmtiles(path: Path, edition: str) -> TileFile:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        archive = PMTiles(lambda offset, length: os.pread(descriptor, length, offset))
        header = archive.header
        if header.tile_type in _PMTILES_VECTOR:
            raise TileFileError(_VECTOR)
        if header.tile_type not in _PMTILES_PICTURES or header.tile_compression > 1:
            raise TileFileError("holds tiles that are not PNG, JPEG or WebP pictures")
        if header.min_zoom > header.max_zoom or header.max_zoom > ZOOM_LIMIT:
            raise TileFileError(f"says zooms {header.min_zoom} to {header.max_zoom}, which cannot be")
    except PMTilesError as error:
        os.close(descriptor)
        raise TileFileError(f"cannot be used: {error}") from None
    except TileFileError:
        os.close(descriptor)
        raise

    def tile(zoom: int, x: int, y: int) -> bytes | None:
        try:
            return archive.tile(zoom, x, y, TILE_LIMIT)
        except PMTilesError as error:
            raise OSError(str(error)) from None

    attribution = _plain(archive.metadata().get("attribution"))
    return TileFile(tile, header.min_zoom, header.max_zoom, _bounds(header.bounds), attribution, edition)


def _open_mbtiles(path: Path, edition: str) -> TileFile:
    # Nobody writes to it while it is served: without that promise SQLite wants to make files beside it.
    uri = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    lock = threading.Lock()
    try:
        database = sqlite3.connect(uri, uri=True, check_same_thread=False)
        about = {str(name): value for name, value in database.execute("SELECT name, value FROM metadata LIMIT 200")}
        first = database.execute("SELECT tile_data FROM tiles LIMIT 1").fetchone()
        lowest, highest = database.execute("SELECT min(zoom_level), max(zoom_level) FROM tiles").fetchone()
    except sqlite3.Error as error:
        raise TileFileError(f"is no MBTiles file ({error})") from None
    if first is None:
        raise TileFileError("holds no tile")
    data = first[0] if isinstance(first[0], bytes) else b""
    if str(about.get("format", "")).lower() in ("pbf", "mvt") or data.startswith(b"\x1f\x8b"):
        raise TileFileError(_VECTOR)
    if picture_type(data) is None:
        raise TileFileError("holds tiles that are not PNG, JPEG or WebP pictures")
    if type(lowest) is not int or type(highest) is not int or not 0 <= lowest <= highest <= ZOOM_LIMIT:
        raise TileFileError(f"says zooms {lowest} to {highest}, which cannot be")

    def tile(zoom: int, x: int, y: int) -> bytes | None:
        # Rows are counted from the south in these files.
        place = (zoom, x, (1 << zoom) - 1 - y, TILE_LIMIT)
        try:
            with lock:
                row = database.execute(
                    "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?"
                    " AND length(tile_data) <= ?",
                    place,
                ).fetchone()
        except sqlite3.Error as error:
            raise OSError(str(error)) from None
        return row[0] if row is not None and isinstance(row[0], bytes) else None

    bounds: tuple[float, ...] = ()
    if re.fullmatch(r"\s*-?[\d.]+(\s*,\s*-?[\d.]+){3}\s*", str(about.get("bounds", ""))):
        with suppress(ValueError):  # dots in the wrong places
            bounds = tuple(map(float, str(about["bounds"]).split(",")))
    return TileFile(tile, lowest, highest, _bounds(bounds), _plain(about.get("attribution")), edition)


def _bounds(given: tuple[float, ...]) -> tuple[float, float, float, float] | None:
    """West, south, east, north; ``None`` if what is given bounds nothing, as many writers leave it."""
    if len(given) != 4:
        return None
    west, south, east, north = given
    return (west, south, east, north) if -180 <= west < east <= 180 and -90 <= south < north <= 90 else None


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _plain(value: Any) -> str:
    """An attribution without its tags: it is shown as text."""
    if not isinstance(value, str):
        return ""
    reader = _Words()
    reader.feed(value[: 10 * ATTRIBUTION_LIMIT])
    reader.close()
    return " ".join("".join(reader.words).split())[:ATTRIBUTION_LIMIT]
