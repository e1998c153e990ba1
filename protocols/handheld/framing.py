"""Cuts a TCP stream into handheld messages: a big-endian length of four bytes, then that many bytes of msgpack.

On a WebSocket every binary message is one handheld message already, and this file is not used.
"""

from __future__ import annotations

from protocols.errors import RemoteProtocolError

MESSAGE_LIMIT = 256 * 1024
"""Bytes of one message. A full batch of 500 positions takes at most 32 kB; the rest is room for later fields."""


def frame(payload: bytes) -> bytes:
    """One message as it goes over TCP."""
    return len(payload).to_bytes(4, "big") + payload


class Framer:
    """Bytes in any split in, whole messages out.

    It holds at most one unfinished message, so ``limit`` bounds what a peer can make us keep (and what it
    can make us keep before it has said who it is).
    """

    __slots__ = ("_buffer", "_limit")

    def __init__(self, *, limit: int = MESSAGE_LIMIT) -> None:
        self._buffer = bytearray()
        self._limit = limit

    def receive_data(self, data: bytes) -> list[bytes]:
        """The messages that ``data`` completes, in order.

        Raises :class:`RemoteProtocolError` (``too_long``) when a length beyond the limit is announced. The
        stream cannot be read on from there: refuse the peer and close. What came before it in the same read
        is lost with it, which is safe: nothing of it was acknowledged.
        """
        buffer = self._buffer
        buffer += data
        messages: list[bytes] = []
        start, size = 0, len(buffer)
        while size - start >= 4:
            length = int.from_bytes(buffer[start : start + 4], "big")
            if length > self._limit:
                raise RemoteProtocolError("too_long", f"{length} bytes announced, {self._limit} allowed")
            end = start + 4 + length
            if end > size:
                break
            messages.append(bytes(buffer[start + 4 : end]))
            start = end
        if start:
            del buffer[:start]
        return messages
