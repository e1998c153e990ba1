"""Map tiles from files of ours: ``/tiles/{number}/{zoom}/{column}/{row}``, behind the login.

Reading a file waits for a disk, so it happens in threads, two at a time: a slow disk must not take the threads that
tracks and passwords need. The address of a tile holds the file's edition, so a browser may keep what it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from storage.basemaps import Basemap
from storage.tile_files import ZOOM_LIMIT, TileFile, TileFileError, open_tiles, picture_type
from storage.toml import ConfigError

AT_ONCE = 2
WAITING_LIMIT = 2000
"""Requests that wait for a disk: a hundred viewers with all that a browser asks for at once. More are told to try
again later, or they would be held in memory."""
KEEP = "private, max-age=2592000"


def open_all(basemaps: Sequence[Basemap]) -> dict[int, TileFile]:
    """The files among the base maps, by their number; raises :class:`ConfigError` naming each that cannot be used."""
    files, problems = {}, []
    for number, basemap in enumerate(basemaps):
        if basemap.kind not in ("mbtiles", "pmtiles"):
            continue
        try:
            files[number] = open_tiles(basemap.kind, basemap.file)
        except TileFileError as error:
            problems.append(f"{basemap.where} file {basemap.file} {error}")
    if problems:
        raise ConfigError(problems)
    return files


class Tiles:
    """What answers requests for tiles."""

    def __init__(self, files: Mapping[int, TileFile], reactor: Any, pool: ThreadPool) -> None:
        self._files = files
        self._defer = partial(deferToThreadPool, reactor, pool)
        self._turns = DeferredSemaphore(AT_ONCE)
        self._waiting = 0
        self._log = Logger(namespace="gridbeat.tiles")

    async def answer(self, request: Any, number: int, zoom: int, x: int, y: int) -> bytes:
        """A picture; 204 where the file has none, 404 for what no file can have, 503 when the disk is behind."""
        file = self._files.get(number)
        if file is None or zoom > ZOOM_LIMIT or max(x, y) >> zoom:
            request.setResponseCode(404)
            return b""
        tag = f'"{file.edition}"'
        if tag.encode() in (request.getHeader(b"if-none-match") or b""):
            _lasting(request, tag)
            request.setResponseCode(304)
            return b""
        if self._waiting >= WAITING_LIMIT:
            return _later(request)
        self._waiting += 1
        try:
            data = await self._turns.run(self._defer, file.tile, zoom, x, y)
        except OSError as error:
            # Not the place: nobody needs to know from a log where somebody looked.
            self._log.warn("a tile could not be read: {reason}", reason=str(error))
            return _later(request)
        finally:
            self._waiting -= 1
        kind = None if data is None else picture_type(data)
        _lasting(request, tag)
        if data is None or kind is None:
            request.setResponseCode(204)
            return b""
        request.setHeader("content-type", kind)
        body: bytes = data
        return body


def _lasting(request: Any, tag: str) -> None:
    request.setHeader("cache-control", KEEP)
    request.setHeader("etag", tag)


def _later(request: Any) -> bytes:
    request.setResponseCode(503)
    request.setHeader("retry-after", "5")
    request.setHeader("cache-control", "no-store")
    return b""
