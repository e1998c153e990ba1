"""Live state outside the process: the port, its Redis implementation, and the fake that passes the same tests.

Every write carries the journal's record numbers and takes effect only if it follows on what is stored; the
answer says what is stored, and the caller goes on from there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgpack

from storage import keys
from storage.client import HOT_SECONDS, TRACK_LIMIT, Client
from tracker.record import ReportRecord, unpack_track

RESTORE_PART = 2000
"""Units written by one call of a restore: some 10 ms of the server's time."""


Place = tuple[float, float, str]
"""Longitude, latitude, unit."""
Nowhere = tuple[str, str, str]
"""Two empty texts and a unit that has no place."""


@dataclass(slots=True)
class Update:
    """What the records ``first`` .. ``last`` of the journal change. ``message`` is published with it."""

    first: int
    last: int
    live: dict[str, bytes] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    entities: list[tuple[str, str, bytes]] = field(default_factory=list)  # type, id, packed fields or empty
    tracks: dict[tuple[str, int], bytes] = field(default_factory=dict)  # (unit, hour) -> packed records
    message: bytes = b""


class LiveStore(Protocol):
    """Where live state is kept. Every method may raise one of :data:`storage.client.Unavailable`."""

    async def head(self) -> tuple[str, int]:
        """Whose journal is stored (``""``: nothing), and up to which record."""

    async def place(self) -> tuple[str, int]:
        """As :meth:`head`, for those who only read: one question that makes nothing ready."""

    async def load(self) -> list[bytes]:
        """The packed live states of all units."""

    async def apply(self, journal: str, update: Update) -> int:
        """Take an update in. Answers the last record stored: ``update.last``, or where the caller has to go on."""

    async def restore(self, journal: str, first: int, update: Update, since: int = 0) -> None:
        """Write whole state, whatever was there. Stored is then ``update.last``, but the points from ``first``
        on, or from ``since`` if that is later, are a hole until :meth:`fill` closes it."""

    async def holes(self) -> list[tuple[int, int]]:
        """Record ranges whose points are missing from the tracks."""

    async def fill(self, journal: str, update: Update) -> bool:
        """Add the points of the first part of a hole. False if that hole is not there (any more)."""

    async def forget(self, unit: str, entities: Sequence[tuple[str, str]], message: bytes) -> None:
        """Hold nothing of a unit any more, nor of these entities (type, id), and publish a message."""

    async def amend(self, live: Mapping[str, bytes], places: Sequence[Place | Nowhere], message: bytes) -> None:
        """Put states and places in the place of those that are there, and publish a message."""

    async def thin(self, unit: str, hours: Sequence[int], stays: Callable[[ReportRecord], bool]) -> int:
        """Take records out of a unit's tracks of these hours; how many went."""

    async def track(self, unit: str, hours: Sequence[int]) -> list[bytes]:
        """The packed records of a unit in these hours since 1970; as many parts as there are hours."""

    def messages(self) -> AsyncIterator[bytes | None]:
        """The published messages; ``None`` first, when from now on none is missed."""


class RedisLiveStore:
    """Live state in Redis or Valkey, one function call a batch."""

    _KEYS = (keys.HEAD, keys.LIVE, keys.GEO, keys.HOLES, keys.CHANNEL)

    def __init__(self, client: Client) -> None:
        self._client = client

    async def head(self) -> tuple[str, int]:
        await self._client.ready()
        return await self._client.head()

    async def place(self) -> tuple[str, int]:
        return await self._client.head()

    async def load(self) -> list[bytes]:
        return list((await self._client.hash(keys.LIVE)).values())

    async def apply(self, journal: str, update: Update) -> int:
        arguments: list[Any] = [journal, update.first, update.last, HOT_SECONDS, TRACK_LIMIT, update.message]
        arguments += self._state(update.live, update.places, update.entities) + self._tracks(update)
        taken, stored, *rest = await self._client.call("gb_apply", self._KEYS, arguments)
        if taken:
            await self._compact(rest[0])
        return int(stored)

    async def restore(self, journal: str, first: int, update: Update, since: int = 0) -> None:
        await self._client.call("gb_restore", self._KEYS, [journal, first, -2, b""])
        if first == 1:
            # Nothing of this journal was there; what is there belongs to another.
            await self._client.remove(keys.TRACKS)
        live = list(update.live.items())
        for start in range(0, len(live), RESTORE_PART):
            part = self._state(dict(live[start : start + RESTORE_PART]), [], [])
            await self._client.call("gb_restore", self._KEYS, [journal, 0, -1, b"", *part])
        last = self._state({}, update.places, update.entities)
        hole = max(first, since)
        await self._client.call("gb_restore", self._KEYS, [journal, hole, update.last, update.message, *last])

    async def holes(self) -> list[tuple[int, int]]:
        stored = await self._client.hash(keys.HOLES)
        return sorted((int(first), int(last)) for first, last in stored.items())

    async def fill(self, journal: str, update: Update) -> bool:
        arguments = [journal, update.first, update.last, HOT_SECONDS, TRACK_LIMIT, *self._tracks(update)]
        taken, _, *rest = await self._client.call("gb_fill", self._KEYS, arguments)
        if taken:
            await self._compact(rest[0])
        return bool(taken)

    async def forget(self, unit: str, entities: Sequence[tuple[str, str]], message: bytes) -> None:
        await self._client.remove(keys.tracks_of(unit))
        gone = [(kind, identity, b"") for kind, identity in entities]
        triples = self._state({}, [], gone)[2:]
        await self._client.call("gb_forget", self._KEYS, [unit, message, *triples])

    async def amend(self, live: Mapping[str, bytes], places: Sequence[Place | Nowhere], message: bytes) -> None:
        arguments = self._state(live, places, [])[:-1]
        await self._client.call("gb_amend", self._KEYS, [message, *arguments])

    async def thin(self, unit: str, hours: Sequence[int], stays: Callable[[ReportRecord], bool]) -> int:
        gone = 0
        for hour in hours:
            name, done = keys.track(unit, hour), False
            while not done:  # it has grown meanwhile, as a hole was filled
                (old,) = await self._client.strings([name])
                new, count = thinned(old or b"", stays)
                done = not count or bool(await self._client.call("gb_compact", [name], [len(old or b""), new]))
            gone += count
        return gone

    async def track(self, unit: str, hours: Sequence[int]) -> list[bytes]:
        return [part or b"" for part in await self._client.strings([keys.track(unit, hour) for hour in hours])]

    def messages(self) -> AsyncIterator[bytes | None]:
        return self._client.messages()

    @staticmethod
    def _state(
        live: Mapping[str, bytes],
        places: Sequence[Place | Nowhere],
        entities: Sequence[tuple[str, str, bytes]],
    ) -> list[Any]:
        arguments: list[Any] = [len(live)]
        for pair in live.items():
            arguments += pair
        arguments.append(len(places))
        for place in places:
            arguments += place
        arguments.append(len(entities))
        for kind, identity, packed in entities:
            arguments += (keys.entity(kind), identity, packed)
        return arguments

    @staticmethod
    def _tracks(update: Update) -> list[Any]:
        arguments: list[Any] = [len(update.tracks)]
        for (unit, hour), packed in update.tracks.items():
            arguments += (keys.track(unit, hour), packed)
        return arguments

    async def _compact(self, names: Sequence[bytes]) -> None:
        """A track that grew beyond what an hour can hold is full of repetitions: keep each point once."""
        for name in names:
            (old,) = await self._client.strings([name.decode()])
            if old:
                await self._client.call("gb_compact", [name.decode()], [len(old), distinct(old)])


class MemoryLiveStore:
    """The fake: the same promises in memory, for tests of what stands on the port."""

    def __init__(self) -> None:
        self.clear()
        self._subscribers: list[Any] = []

    def clear(self) -> None:
        """What FLUSHALL does."""
        self._head = ("", 0)
        self._live: dict[str, bytes] = {}
        self._holes: dict[int, int] = {}
        self._tracks: dict[tuple[str, int], bytes] = {}
        self.places: dict[str, tuple[float, float]] = {}
        self.entities: dict[tuple[str, str], bytes] = {}

    async def head(self) -> tuple[str, int]:
        return self._head

    async def place(self) -> tuple[str, int]:
        return self._head

    async def load(self) -> list[bytes]:
        return list(self._live.values())

    async def apply(self, journal: str, update: Update) -> int:
        known, last = self._head
        if known not in ("", journal):
            return -1
        if update.first != last + 1:
            return last
        self._put(update)
        self._append(update)
        self._head = (journal, update.last)
        self._publish(update.message)
        return update.last

    async def restore(self, journal: str, first: int, update: Update, since: int = 0) -> None:
        self._live, self.places = {}, {}
        if first == 1:
            self._holes, self._tracks = {}, {}
        self._put(update)
        self._head = (journal, update.last)
        if max(first, since) <= update.last:
            self._holes[max(first, since)] = update.last
        self._publish(update.message)

    async def holes(self) -> list[tuple[int, int]]:
        return sorted(self._holes.items())

    async def fill(self, journal: str, update: Update) -> bool:
        if self._head[0] != journal or update.last > self._holes.get(update.first, 0):
            return False
        end = self._holes.pop(update.first)
        if end > update.last:
            self._holes[update.last + 1] = end
        self._append(update)
        return True

    async def forget(self, unit: str, entities: Sequence[tuple[str, str]], message: bytes) -> None:
        self._live.pop(unit, None)
        self.places.pop(unit, None)
        for key in [key for key in self._tracks if key[0] == unit]:
            del self._tracks[key]
        for entity in entities:
            self.entities.pop(entity, None)
        self._publish(message)

    async def amend(self, live: Mapping[str, bytes], places: Sequence[Place | Nowhere], message: bytes) -> None:
        self._live.update(live)
        for longitude, latitude, unit in places:
            self.places.pop(unit, None)
            if isinstance(longitude, float) and isinstance(latitude, float):
                self.places[unit] = (longitude, latitude)
        self._publish(message)

    async def thin(self, unit: str, hours: Sequence[int], stays: Callable[[ReportRecord], bool]) -> int:
        gone = 0
        for hour in hours:
            self._tracks[unit, hour], count = thinned(self._tracks.get((unit, hour), b""), stays)
            gone += count
        return gone

    async def track(self, unit: str, hours: Sequence[int]) -> list[bytes]:
        return [self._tracks.get((unit, hour), b"") for hour in hours]

    async def messages(self) -> AsyncIterator[bytes | None]:
        import asyncio

        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._subscribers.append(queue)
        yield None
        while True:
            yield await queue.get()

    def _put(self, update: Update) -> None:
        self._live.update(update.live)
        self.places.update({unit: (longitude, latitude) for longitude, latitude, unit in update.places})
        for kind, identity, packed in update.entities:
            if packed:
                self.entities[(kind, identity)] = packed
            else:
                self.entities.pop((kind, identity), None)

    def _append(self, update: Update) -> None:
        for key, packed in update.tracks.items():
            grown = self._tracks.get(key, b"") + packed
            self._tracks[key] = distinct(grown) if len(grown) > TRACK_LIMIT else grown

    def _publish(self, message: bytes) -> None:
        for queue in self._subscribers:
            queue.put_nowait(message)


def thinned(track: bytes, stays: Callable[[ReportRecord], bool]) -> tuple[bytes, int]:
    """The track without records that do not stay, and how many those are."""
    packer = msgpack.Packer(use_bin_type=True, autoreset=True)
    records = list(unpack_track(track))
    kept = [packer.pack(tuple(record)) for record in records if stays(record)]
    return b"".join(kept), len(records) - len(kept)


def distinct(track: bytes) -> bytes:
    """The track with each point once, the copy that was received first; order of arrival kept."""
    seen = set()
    packer = msgpack.Packer(use_bin_type=True, autoreset=True)
    parts = []
    for record in unpack_track(track):
        identity = record.identity if record.latitude is not None else record
        key = identity if identity is not record else packer.pack(tuple(record))
        if key not in seen:
            seen.add(key)
            parts.append(packer.pack(tuple(record)))
    return b"".join(parts)
