"""Messages that came in fragments, put together again in bounded memory (clause 4.4.3, packet item).

The fragments of a message carry consecutive serials, so serial minus index names the message; that lets them come
in any order and several messages at once. Some terminals send other messages in between (captured frames show
serials 1233 and 1250 for the two halves): where the transport keeps the order, a fragment that is the next one
of the only message of its kind under way is taken too.

Lost ones are asked for again when nothing new has come for a while, with growing pauses; each new fragment starts
that anew. A fragment that is sent again has to be what it was, serial included: one with a new serial could as well
belong to the next photo, and a photo of two halves would be worse than none.

A copy that comes late, when its message is complete, looks like the beginning of the same message once more.
It may be that (our answer was lost), so it is kept like any other, but nothing is asked for until more than half of
it has come.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final, NamedTuple

from protocols.errors import RemoteProtocolError
from protocols.jt808.header import Header
from protocols.jt808.media import INDICES_LIMIT, MediaAnswer, ResendRequest

MESSAGES_LIMIT: Final = 4
BYTES_LIMIT: Final = 2 * 1024 * 1024
MESSAGE_BYTES_LIMIT: Final = 128 * 1024
"""Bytes of one message that is no medium: some 4,000 positions, what a day without network leaves behind."""
TIMEOUT_MS: Final = 60_000
ASK_MS: Final = (5_000, 15_000, 35_000)
"""When missing fragments are asked for, counted from the last new one: a 2G link stalls for seconds, and what did not
help twice is given more time."""
_MEDIA: Final = 0x0801
_RESEND: Final = 0x8003
_MEDIA_ANSWER: Final = 0x8800
_OVERHEAD: Final = 128
"""Bytes counted for a fragment besides its body, or empty ones would be free."""
_DONE_LIMIT: Final = 8
"""Finished messages that are remembered by their numbers: late copies come soon."""


class Missing(NamedTuple):
    """Fragments to be asked for again.

    ``header`` is that of a fragment that came, ``first`` the serial of the message's first fragment, ``indices`` the
    missing ones (the first 255), ``attempt`` 0, 1 or 2, ``start`` the first fragment's body, if it has come.
    """

    header: Header
    first: int
    indices: tuple[int, ...]
    attempt: int
    start: bytes

    def question(self) -> tuple[int, bytes]:
        """Message id and body that ask for them: 0x8003, and once between for a photo 0x8800 with a list.

        Terminals of 2011 know only the second, which needs the id that stands in the first fragment.
        """
        if self.attempt == 1 and self.header.message_id == _MEDIA and len(self.start) >= 4:
            return _MEDIA_ANSWER, MediaAnswer(int.from_bytes(self.start[:4], "big"), self.indices).encode()
        return _RESEND, ResendRequest(self.first, self.indices, self.header.version is not None).encode()


class Budget:
    """Bytes of unfinished messages that all terminals of a server may hold together: ``limit``.

    Each may hold 2 MB, and ten thousand of them more than any machine has. 128 MB are some 400 photos on their way.
    """

    __slots__ = ("held", "limit")

    def __init__(self, limit: int = 128 * 1024 * 1024) -> None:
        self.limit = limit
        self.held = 0


class _Partial:
    __slots__ = ("attempt", "base", "bytes", "first", "header", "kind", "latest", "old", "parts", "since")

    def __init__(self, header: Header, base: int, old: bool) -> None:
        self.kind = (header.message_id, header.total)
        self.header = header
        self.base = base  # serial that fragment 0 would have
        self.first: int | None = None  # serial that fragment 1 had
        self.old = old  # a message with these numbers has been complete before
        self.parts: dict[int, bytes] = {}
        self.bytes = 0
        self.since = 0  # when the last new fragment came
        self.attempt = 0  # how often the missing ones have been asked for since
        self.latest = 0  # index that came last

    def missing(self) -> Missing:
        absent = (index for index in range(1, self.kind[1] + 1) if index not in self.parts)
        first = (self.base + 1) & 0xFFFF if self.first is None else self.first
        return Missing(self.header, first, tuple(islice(absent, INDICES_LIMIT)), self.attempt, self.parts.get(1, b""))


class Reassembler:
    """One terminal's unfinished messages.

    ``dropped`` collects reasons and ``wanted`` what is to be asked for; the caller takes both away.
    """

    def __init__(
        self,
        *,
        max_messages: int = MESSAGES_LIMIT,
        max_bytes: int = BYTES_LIMIT,
        timeout: int = TIMEOUT_MS,
        budget: Budget | None = None,
    ) -> None:
        """Limits of one connection, and the ``budget`` that it shares with others.

        ``max_messages``: unfinished at a time; a terminal sends one after the other, the rest are leftovers.
        ``max_bytes``: of all of them together: a few photos of some 300 kB. What is no medium has a limit of its own,
        see :data:`MESSAGE_BYTES_LIMIT`.
        ``timeout``: milliseconds from the last new fragment; 2G links stall for half a minute.
        """
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._partials: list[_Partial] = []  # oldest first
        self._done: deque[tuple[tuple[int, int], int]] = deque(maxlen=_DONE_LIMIT)
        self._budget = budget or Budget()
        self._counted = 0  # of ours in the budget
        self.dropped: list[str] = []
        self.wanted: list[Missing] = []

    def __len__(self) -> int:
        return len(self._partials)

    @property
    def bytes_held(self) -> int:
        """Bytes of memory that unfinished messages are counted with."""
        return sum(partial.bytes for partial in self._partials)

    def receive(self, header: Header, body: bytes, now: int, *, ordered: bool) -> tuple[int, bytes] | None:
        """Takes a fragment; returns serial of the last fragment and whole body when the message is complete.

        ``ordered``: the transport keeps the order (TCP). A fragment that came before is ignored.
        Raises ``bad_fragment`` (impossible numbers) and ``fragments_overflow`` (message above its limit).
        """
        try:
            return self._receive(header, body, now, ordered)
        finally:
            self._count()

    def _receive(self, header: Header, body: bytes, now: int, ordered: bool) -> tuple[int, bytes] | None:
        total, index = header.total, header.index
        if not 1 <= index <= total:
            raise RemoteProtocolError("bad_fragment", f"{index} of {total}")
        self._expire(now)
        if total == 1:
            return header.serial, body
        partial = self._find(header, ordered)
        if index in partial.parts:
            return None
        partial.parts[index] = body
        partial.latest = index
        partial.bytes += len(body) + _OVERHEAD
        partial.since = now
        partial.attempt = 0
        if index == 1:
            partial.first = header.serial
        if len(partial.parts) == total:
            self._partials.remove(partial)
            self._done.append((partial.kind, partial.base))
            return (partial.base + total) & 0xFFFF, b"".join(partial.parts[at] for at in range(1, total + 1))
        self._bound(partial)
        return None

    def clear(self) -> None:
        """Forgets everything: the terminal has begun anew, and its serials may, or its link has ended."""
        self.dropped += ["fragments_restart"] * len(self._partials)
        self._partials.clear()
        self._done.clear()
        self._count()

    def get_timer(self) -> int | None:
        """When :meth:`handle_timer` has something to do, or ``None``."""
        return min((self._due(partial) for partial in self._partials), default=None)

    def handle_timer(self, now: int) -> None:
        """Forgets messages whose missing fragments did not come in time, and asks for those that still may."""
        self._expire(now)
        for partial in self._partials:
            if self._due(partial) <= now:
                self.wanted.append(partial.missing())
                # After a pause of ours one request is enough, whatever has been due meanwhile.
                partial.attempt = sum(partial.since + pause <= now for pause in ASK_MS)

    def _due(self, partial: _Partial) -> int:
        quiet = partial.old and 2 * len(partial.parts) <= partial.kind[1]
        if quiet or partial.attempt >= len(ASK_MS):
            return partial.since + self._timeout
        return partial.since + min(ASK_MS[partial.attempt], self._timeout)

    def _expire(self, now: int) -> None:
        if self._partials and any(partial.since + self._timeout <= now for partial in self._partials):
            kept = [partial for partial in self._partials if partial.since + self._timeout > now]
            self.dropped += ["fragments_timeout"] * (len(self._partials) - len(kept))
            self._partials = kept
            self._count()

    def _count(self) -> None:
        """Tell the budget what is held now."""
        held = self.bytes_held
        self._budget.held += held - self._counted
        self._counted = held

    def _find(self, header: Header, ordered: bool) -> _Partial:
        kind, base = (header.message_id, header.total), (header.serial - header.index) & 0xFFFF
        alike = [partial for partial in self._partials if partial.kind == kind]
        for partial in alike:
            if partial.base == base or (partial.first is not None and partial.first == (base + 1) & 0xFFFF):
                return partial
        if ordered and len(alike) == 1:
            partial = alike[0]
            gap = (base - partial.base) & 0xFFFF
            if partial.latest == len(partial.parts) == header.index - 1 and gap < 0x8000:
                partial.base = base
                return partial
        partial = _Partial(header, base, (kind, base) in self._done)
        self._partials.append(partial)
        return partial

    def _bound(self, newest: _Partial) -> None:
        limit = self._max_bytes if newest.kind[0] == _MEDIA else min(self._max_bytes, MESSAGE_BYTES_LIMIT)
        if newest.bytes > limit:
            self._partials.remove(newest)
            raise RemoteProtocolError("fragments_overflow", "message too long")
        if self._budget.held - self._counted + self.bytes_held > self._budget.limit:
            # The one that wants more has to come again later; nothing is taken from those who were there before.
            self._partials.remove(newest)
            raise RemoteProtocolError("fragments_overflow", "too many messages under way")
        while len(self._partials) > self._max_messages or self.bytes_held > self._max_bytes:
            oldest = self._partials.pop(0)
            if oldest is newest:
                raise RemoteProtocolError("fragments_overflow", "message too long")
            self.dropped.append("fragments_overflow")
