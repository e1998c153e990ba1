"""What everything stands on: the data folder's disk, its threads, the journal, the archive, photos and Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.threadpool import ThreadPool

from storage.archive.archive import Archive
from storage.archive.head_sender import HeadSender
from storage.archive.reader import Reader
from storage.blobs import Blobs
from storage.bridge import as_deferred
from storage.client import Client
from storage.config import Settings
from storage.embedded import EmbeddedServer
from storage.journal import Journal
from storage.space import MEGABYTE, Space


class Foundation:
    """Made from the settings; started first and stopped last. ``floor`` is what other files of the
    city know of its journal (see :class:`~storage.journal.Journal`), ``wall`` gives ms since 1970.

    ``rewrite`` makes Redis write its file anew, ``rewritten`` waits for that as well; ``None`` for a Redis that is not
    ours."""

    def __init__(
        self, settings: Settings, archive: Archive, floor: tuple[str, int], reactor: Any, wall: Callable[[], int]
    ) -> None:
        data = settings.data
        self.writer, self.threads = ThreadPool(1, 1, "journal"), ThreadPool(1, 4, "work")
        self.space = Space(data, settings.reserve_mb * MEGABYTE, reactor, self.threads)
        self.embedded = None if settings.redis_url else EmbeddedServer(data / "redis", reactor)
        self.client = (
            Client(self.embedded.url, self.embedded.answered) if self.embedded else Client(settings.redis_url or "")
        )
        self.rewrite: Callable[[], Deferred[None]] | None = None
        self.rewritten: Callable[[], Awaitable[None]] | None = None
        if self.embedded:
            self.rewrite = lambda: as_deferred(self.client.rewrite())
            self.rewritten = lambda: as_deferred(self.client.rewritten())
        self.journal = Journal(
            data / "journal", reactor, self.writer, wall, floor=floor, make_room=self.space.make_room
        )
        self.blobs = Blobs(
            data / "media", reactor, self.threads, self.space.may_store_photos,
            limit=settings.archive.photos_mb * MEGABYTE,
        )  # fmt: skip
        self.archive, self.reader = archive, Reader(archive.layout.root)
        self.heads = HeadSender(
            data / "heads.json", archive.chains, settings.city.name, reactor, self.threads, wall,
            file=settings.heads.file, url=settings.heads.url,
        )  # fmt: skip

    def start(self) -> None:
        if self.embedded:
            self.embedded.start()
        self.writer.start()
        self.threads.start()
        self.space.start()
        self.heads.start()

    async def stop(self) -> None:
        self.space.stop()
        self.heads.stop()
        await as_deferred(self.client.close())
        if self.embedded:
            await self.embedded.stop()
        self.writer.stop()
        self.threads.stop()
        self.reader.close()
