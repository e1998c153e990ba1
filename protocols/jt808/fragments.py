"""Messages that came in fragments, put together again in bounded memory (clause 4.4.3, packet item).

The fragments of a message carry consecutive serials, so serial minus index names the message; that lets them come
in any order and several messages at once. Some terminals send other messages in between (captured frames show
serials 1233 and 1250 for the two halves): where the transport keeps the order, a fragment that is the next one
of the only message of its kind under way is taken too.

What terminals expect as the answer: one general answer for the whole message, with the serial of its last
fragment. They answer our long messages so themselves. An answer for each fragment would acknowledge bytes that
are not on disk yet, and be taken for the whole by those that wait for one.
"""

from __future__ import annotations

from typing import Final

from protocols.errors import RemoteProtocolError
from protocols.jt808.header import Header

MESSAGES_LIMIT: Final = 4
BYTES_LIMIT: Final = 128 * 1024
TIMEOUT_MS: Final = 60_000
_OVERHEAD: Final = 128
"""Bytes counted for a fragment besides its body, or empty ones would be free."""


class _Partial:
    __slots__ = ("base", "bytes", "deadline", "kind", "latest", "parts")

    def __init__(self, kind: tuple[int, int], base: int) -> None:
        self.kind = kind  # message id and number of fragments
        self.base = base  # serial that fragment 0 would have
        self.parts: dict[int, bytes] = {}
        self.bytes = 0
        self.deadline = 0
        self.latest = 0  # index that came last


class Reassembler:
    """One terminal's unfinished messages. ``dropped`` collects reasons; the caller takes them away."""

    def __init__(
        self,
        *,
        max_messages: int = MESSAGES_LIMIT,
        max_bytes: int = BYTES_LIMIT,
        timeout: int = TIMEOUT_MS,
    ) -> None:
        """Limits of one connection.

        ``max_messages``: unfinished at a time; a terminal sends one after the other, the rest are leftovers.
        ``max_bytes``: of all of them together, some 4,000 positions: what a day without network leaves behind;
        ten thousand terminals at the limit at once would take 1.3 GB.
        ``timeout``: milliseconds from the last new fragment; 2G links stall for half a minute.
        """
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._partials: list[_Partial] = []  # oldest first
        self.dropped: list[str] = []

    def __len__(self) -> int:
        return len(self._partials)

    @property
    def bytes_held(self) -> int:
        """Bytes of memory that unfinished messages are counted with."""
        return sum(partial.bytes for partial in self._partials)

    def receive(self, header: Header, body: bytes, now: int, *, ordered: bool) -> tuple[int, bytes] | None:
        """Takes a fragment; returns serial of the last fragment and whole body when the message is complete.

        ``ordered``: the transport keeps the order (TCP). A fragment that came before is ignored.
        Raises ``bad_fragment`` (impossible numbers) and ``fragments_overflow`` (message above ``max_bytes``).
        """
        total, index = header.total, header.index
        if not 1 <= index <= total:
            raise RemoteProtocolError("bad_fragment", f"{index} of {total}")
        self.expire(now)
        if total == 1:
            return header.serial, body
        partial = self._find(header, ordered)
        if index in partial.parts:
            return None
        partial.parts[index] = body
        partial.latest = index
        partial.bytes += len(body) + _OVERHEAD
        partial.deadline = now + self._timeout
        if len(partial.parts) == total:
            self._partials.remove(partial)
            return (partial.base + total) & 0xFFFF, b"".join(partial.parts[at] for at in range(1, total + 1))
        self._bound(partial)
        return None

    def get_timer(self) -> int | None:
        """When :meth:`expire` has something to do, or ``None``."""
        return min((partial.deadline for partial in self._partials), default=None)

    def expire(self, now: int) -> None:
        """Forgets messages whose missing fragments did not come in time."""
        if self._partials and any(partial.deadline <= now for partial in self._partials):
            kept = [partial for partial in self._partials if partial.deadline > now]
            self.dropped += ["fragments_timeout"] * (len(self._partials) - len(kept))
            self._partials = kept

    def _find(self, header: Header, ordered: bool) -> _Partial:
        kind, base = (header.message_id, header.total), (header.serial - header.index) & 0xFFFF
        alike = [partial for partial in self._partials if partial.kind == kind]
        for partial in alike:
            if partial.base == base:
                return partial
        if ordered and len(alike) == 1:
            partial = alike[0]
            gap = (base - partial.base) & 0xFFFF
            if partial.latest == len(partial.parts) == header.index - 1 and gap < 0x8000:
                partial.base = base
                return partial
        partial = _Partial(kind, base)
        self._partials.append(partial)
        return partial

    def _bound(self, newest: _Partial) -> None:
        while len(self._partials) > self._max_messages or self.bytes_held > self._max_bytes:
            oldest = self._partials.pop(0)
            if oldest is newest:
                raise RemoteProtocolError("fragments_overflow", "message too long")
            self.dropped.append("fragments_overflow")
