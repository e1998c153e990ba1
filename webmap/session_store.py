"""Where sessions outlive the process: the port, its Redis implementation, and the fake that passes the same tests.

What is stored opens nothing: a session is named by the SHA-256 of its text, never by the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from storage import keys
from storage.client import Client

_MARK = "mark"
"""A field that no digest can be."""


class SessionStore(Protocol):
    """Packed sessions by digest. Every method may raise one of :data:`storage.client.Unavailable`."""

    async def load(self) -> dict[str, bytes]:
        """All of them."""

    async def write(self, mark: str, put: Mapping[str, bytes], gone: Sequence[str]) -> None:
        """Put some and remove others, all or nothing, and leave a mark."""

    async def mark(self) -> str:
        """The mark that was left last: another one, or none, when the store has lost what was put."""


class RedisSessionStore:
    """One hash in Redis or Valkey."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def load(self) -> dict[str, bytes]:
        stored = await self._client.hash(keys.SESSIONS)
        return {digest.decode("latin-1"): packed for digest, packed in stored.items() if digest != _MARK.encode()}

    async def write(self, mark: str, put: Mapping[str, bytes], gone: Sequence[str]) -> None:
        await self._client.amend(keys.SESSIONS, {**put, _MARK: mark.encode()}, gone)

    async def mark(self) -> str:
        return (await self._client.field(keys.SESSIONS, _MARK) or b"").decode("latin-1")


class MemorySessionStore:
    """The fake: the same promises in memory."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """What FLUSHALL does."""
        self._stored: dict[str, bytes] = {}
        self._mark = ""

    async def load(self) -> dict[str, bytes]:
        return dict(self._stored)

    async def write(self, mark: str, put: Mapping[str, bytes], gone: Sequence[str]) -> None:
        self._stored.update(put)
        for digest in gone:
            self._stored.pop(digest, None)
        self._mark = mark

    async def mark(self) -> str:
        return self._mark
