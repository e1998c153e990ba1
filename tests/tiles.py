"""Small tile files for tests, made of pictures that say by their colours where they are."""

# pmtiles, the reference, carries no types to check this file against.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import math
import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

SIDE = 256
Colour = tuple[int, int, int]
Place = tuple[int, int, int]
"""Zoom, column, row from the north."""


def png(side: int, colour: Callable[[int, int], Colour]) -> bytes:
    """A square picture; ``colour(x, y)`` of each pixel from the upper left."""
    return _png(side, (b"".join(bytes(colour(x, y)) for x in range(side)) for y in range(side)))


def _png(side: int, rows: Iterable[bytes | bytearray]) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(row) for row in rows)))
        + chunk(b"IEND", b"")
    )


class Picture:
    """A tile in the making: a plain ground with squares on it."""

    def __init__(self, zoom: int, x: int, y: int, ground: Colour = (236, 232, 222)) -> None:
        self._zoom, self._left, self._top = zoom, x * SIDE, y * SIDE
        self._rows = [bytearray(bytes(ground) * SIDE) for _ in range(SIDE)]

    def mark(self, latitude: float, longitude: float, colour: Colour, half: int) -> None:
        """A square of ``2 * half + 1`` pixels with its middle at a place of the tiles' own system."""
        middle_x, middle_y = (int(value) for value in pixel(latitude, longitude, self._zoom))
        for y in range(middle_y - half - self._top, middle_y + half + 1 - self._top):
            for x in range(middle_x - half - self._left, middle_x + half + 1 - self._left):
                if 0 <= x < SIDE and 0 <= y < SIDE:
                    self._rows[y][3 * x : 3 * x + 3] = bytes(colour)

    def png(self) -> bytes:
        return _png(SIDE, self._rows)


def pixel(latitude: float, longitude: float, zoom: int) -> tuple[float, float]:
    """Where a place is in the whole world's picture at a zoom (Web Mercator, tiles of 256)."""
    sine = math.sin(math.radians(latitude))
    size = SIDE * 2**zoom
    return (longitude + 180) / 360 * size, (0.5 - math.log((1 + sine) / (1 - sine)) / (4 * math.pi)) * size


def make_mbtiles(path: Path, tiles: Mapping[Place, bytes], **metadata: str) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE metadata (name text, value text)")
    database.execute(
        "CREATE TABLE tiles (zoom_level integer, tile_column integer, tile_row integer, tile_data blob,"
        " PRIMARY KEY (zoom_level, tile_column, tile_row))"
    )
    database.executemany("INSERT INTO metadata VALUES (?, ?)", metadata.items())
    rows = [(zoom, x, 2**zoom - 1 - y, data) for (zoom, x, y), data in tiles.items()]
    database.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", rows)
    database.commit()
    database.close()


def make_pmtiles(
    path: Path,
    tiles: Mapping[Place, bytes],
    *,
    kind: TileType = TileType.PNG,
    compression: Compression = Compression.NONE,
    **metadata: str,
) -> None:
    with path.open("wb") as file:
        writer = Writer(file)
        for place, data in sorted(tiles.items(), key=lambda item: zxy_to_tileid(*item[0])):
            writer.write_tile(zxy_to_tileid(*place), data)
        zooms = [zoom for zoom, _, _ in tiles]
        header = {
            "tile_type": kind, "tile_compression": compression, "min_zoom": min(zooms), "max_zoom": max(zooms),
            "min_lon_e7": -1_800_000_000, "min_lat_e7": -850_000_000, "max_lon_e7": 1_800_000_000,
            "max_lat_e7": 850_000_000, "center_zoom": 0, "center_lon_e7": 0, "center_lat_e7": 0,
        }  # fmt: skip
        writer.finalize(header, json.loads(json.dumps(metadata)))
