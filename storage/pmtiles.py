"""PMTiles version 3: one file of map tiles, found by directories inside it. Bytes and meaning; reading is passed in.

A tile's number counts along a Hilbert curve through all zooms. The root directory names runs of tiles and leaf
directories; a directory is five lists of varints one after another: how many, numbers (as differences), run lengths
(0: a leaf directory), lengths, and offsets (0: right behind the one before).
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Read = Callable[[int, int], bytes]
"""``read(offset, length)``: that part of the file, shorter at its end."""

HEADER = struct.Struct("<7sB11Q6B4iB2i")
NONE, GZIP = 1, 2
DIRECTORY_LIMIT = 4 * 2**20
"""Bytes of a directory when unpacked, a million entries: writers keep them below a hundredth of it."""
METADATA_LIMIT = 2**20
DIRECTORIES_KEPT = 64
"""Directories held unpacked: a screen of tiles needs one or two of them, again and again."""
_DEPTH = 4
"""Directories on the way to a tile, at most, as the format says."""


class PMTilesError(Exception):
    """The file is no PMTiles, or one that is not read here; the text says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is needed of the first 127 bytes. ``bounds``: west, south, east, north in degrees."""

    tile_type: int
    tile_compression: int
    min_zoom: int
    max_zoom: int
    bounds: tuple[float, float, float, float]
    root: tuple[int, int]
    metadata: tuple[int, int]
    leaves: int
    tiles: int
    internal_compression: int


class PMTiles:
    """One archive. Raises :class:`PMTilesError` if it cannot be read; :meth:`tile` may be called from any thread."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.header = _header(read(0, HEADER.size))
        self._directory = lru_cache(DIRECTORIES_KEPT)(self._unpack_directory)
        self._directory(*self.header.root)

    def metadata(self) -> dict[str, Any]:
        """The JSON beside the tiles; empty if there is none that can be read."""
        offset, length = self.header.metadata
        try:
            value = json.loads(self._unpack(offset, length, METADATA_LIMIT))
        except (PMTilesError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def tile(self, zoom: int, x: int, y: int, limit: int) -> bytes | None:
        """The bytes of a tile, counted from the north-west; ``None`` if it is not there or longer than ``limit``."""
        wanted = tile_number(zoom, x, y)
        offset, length = self.header.root
        for _ in range(_DEPTH):
            numbers, runs, lengths, offsets = self._directory(offset, length)
            i = int(np.searchsorted(numbers, wanted, side="right")) - 1
            if i < 0:
                return None
            if runs[i]:
                found = wanted - int(numbers[i]) < int(runs[i]) and int(lengths[i]) <= limit
                return self._read(self.header.tiles + int(offsets[i]), int(lengths[i])) if found else None
            offset, length = self.header.leaves + int(offsets[i]), int(lengths[i])
        return None

    def _unpack(self, offset: int, length: int, limit: int) -> bytes:
        if length > limit:
            raise PMTilesError("a directory of it is too long")
        data = self._read(offset, length)
        if len(data) < length:
            raise PMTilesError("it ends too early; was it copied whole?")
        if self.header.internal_compression == NONE:
            return data
        try:
            unpacker = zlib.decompressobj(wbits=31)
            unpacked = unpacker.decompress(data, limit)
        except zlib.error:
            raise PMTilesError("a directory of it is damaged") from None
        if not unpacker.eof:
            raise PMTilesError("a directory of it is damaged or too long")
        return unpacked

    def _unpack_directory(self, offset: int, length: int) -> tuple[NDArray[np.int64], ...]:
        values = varints(self._unpack(offset, length, DIRECTORY_LIMIT))
        count = int(values[0]) if len(values) else -1
        if count < 0 or len(values) < 1 + 4 * count:
            raise PMTilesError("a directory of it is damaged")
        differences, runs, lengths, stated = values[1 : 1 + 4 * count].reshape(4, count)
        # An offset of 0 means: right behind the one before. So each belongs to the last that was stated, and lies as
        # far behind it as everything in between is long.
        place = np.arange(count)
        last = np.maximum.accumulate(np.where(stated > 0, place, 0))
        behind = np.cumsum(lengths) - lengths
        offsets = stated[last] - 1 + behind - behind[last]
        if count and (stated[0] == 0 or offsets.min() < 0):
            raise PMTilesError("a directory of it is damaged")
        return np.cumsum(differences), runs, lengths, offsets


def _header(data: bytes) -> Header:
    if len(data) < HEADER.size or data[:7] != b"PMTiles":
        raise PMTilesError("it is no PMTiles file")
    if data[7] != 3:
        raise PMTilesError(f"it is PMTiles of version {data[7]}; version 3 is read here")
    (
        _, _, root, root_length, metadata, metadata_length, leaves, _, tiles, _, _, _, _,
        _, internal, compression, kind, min_zoom, max_zoom, west, south, east, north, _, _, _,
    ) = HEADER.unpack(data)  # fmt: skip
    if internal not in (NONE, GZIP):
        raise PMTilesError("its directories are packed in a way other than gzip")
    bounds = (west / 1e7, south / 1e7, east / 1e7, north / 1e7)
    return Header(
        kind, compression, min_zoom, max_zoom, bounds, (root, root_length), (metadata, metadata_length), leaves,
        tiles, internal,
    )  # fmt: skip


def tile_number(zoom: int, x: int, y: int) -> int:
    """A tile's number: all zooms above it, then along the Hilbert curve of its own."""
    number = ((1 << (2 * zoom)) - 1) // 3
    for level in range(zoom - 1, -1, -1):
        side = 1 << level
        right, down = (x >> level) & 1, (y >> level) & 1
        number += side * side * ((3 * right) ^ down)
        x, y = x & (side - 1), y & (side - 1)
        if not down:
            # This quarter of the curve is entered from its other side.
            if right:
                x, y = side - 1 - x, side - 1 - y
            x, y = y, x
    return number


def varints(data: bytes) -> NDArray[np.int64]:
    """Numbers of 7 bits a byte, low ones first, the last byte of each below 128; raises :class:`PMTilesError`."""
    parts = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(parts < 0x80)
    if not len(ends):
        return np.empty(0, np.int64)
    parts = parts[: ends[-1] + 1]
    starts = np.concatenate(([0], ends[:-1] + 1))
    place = np.arange(len(parts)) - np.repeat(starts, ends - starts + 1)
    if place.max() > 8:
        raise PMTilesError("a directory of it holds a number beyond 63 bits")
    return np.add.reduceat((parts & 0x7F).astype(np.int64) << (7 * place), starts)
