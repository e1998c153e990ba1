"""Long messages on their way out: cut into fragments, and kept for a while for who asks for one again.

Both sides use it: the platform for its downlinks, the terminal for its photos. A fragment that is sent again is
the same to the byte, its serial included, as the standard wants it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocols.errors import RemoteProtocolError
from protocols.jt808.framing import frame
from protocols.jt808.header import BODY_LIMIT, Header

FRAGMENT_SIZE: Final = 1000
"""Bytes of body in a fragment: a little below what a frame holds, since some terminals have round buffers."""
MESSAGES_LIMIT: Final = 4
BYTES_LIMIT: Final = 128 * 1024
RESENDS_LIMIT: Final = 5


def fragments(message_id: int, phone: bytes, version: int | None, serial: int, body: bytes) -> list[bytes]:
    """The frames of a message that begins with ``serial``: one, or as many as it takes, with serials in a row."""
    if len(body) <= BODY_LIMIT:
        return [frame(Header.of(message_id, phone, serial, version).encode(body))]
    pieces = [body[at : at + FRAGMENT_SIZE] for at in range(0, len(body), FRAGMENT_SIZE)]
    total = len(pieces)
    return [
        frame(Header.of(message_id, phone, (serial + at) & 0xFFFF, version, total, at + 1).encode(piece))
        for at, piece in enumerate(pieces)
    ]


class _Long:
    __slots__ = ("frames", "resends")

    def __init__(self, frames: list[bytes]) -> None:
        self.frames = frames
        self.resends = 0


class LongMessages:
    """The long messages that were sent last, by the serial of their first fragment, oldest first."""

    def __init__(
        self,
        *,
        max_messages: int = MESSAGES_LIMIT,
        max_bytes: int = BYTES_LIMIT,
        max_resends: int = RESENDS_LIMIT,
    ) -> None:
        """``max_messages`` and ``max_bytes``: a terminal that missed a fragment says so within seconds; one message is
        kept even above ``max_bytes``.

        ``max_resends``: requests answered for each message. A request is a few bytes and its answer may be
        a hundred thousand: asking for ever must not pay.
        """
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._max_resends = max_resends
        self._kept: dict[int, _Long] = {}

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes_held(self) -> int:
        """Bytes of all frames that are kept."""
        return sum(len(data) for kept in self._kept.values() for data in kept.frames)

    def remember(self, serial: int, frames: list[bytes]) -> None:
        """Keeps the frames of a message that has just been sent, and no message that had one of these serials."""
        for at in range(len(frames)):
            self.forget((serial + at) & 0xFFFF)
        if len(frames) > 1:
            self._kept[serial] = _Long(frames)
            while len(self._kept) > self._max_messages or (len(self._kept) > 1 and self.bytes_held > self._max_bytes):
                del self._kept[next(iter(self._kept))]

    def original(self, serial: int) -> int:
        """The serial of the first fragment, if ``serial`` is that of any; else ``serial`` itself."""
        for first, kept in self._kept.items():
            if (serial - first) & 0xFFFF < len(kept.frames):
                return first
        return serial

    def forget(self, serial: int) -> None:
        """Drops the message that has a fragment of this serial, if there is one."""
        if self._kept:
            self._kept.pop(self.original(serial), None)

    def again(self, serial: int, indices: Iterable[int]) -> list[bytes]:
        """The frames of these fragments (from 1), each once. Raises ``fragments_gone`` when there are none."""
        kept = self._kept.get(self.original(serial))
        if kept is None or kept.resends >= self._max_resends:
            raise RemoteProtocolError("fragments_gone")
        frames = [kept.frames[index - 1] for index in sorted(set(indices)) if 1 <= index <= len(kept.frames)]
        if not frames:
            raise RemoteProtocolError("fragments_gone")
        kept.resends += 1
        return frames
