"""H02 messages in a stream: ``*`` to ``#`` is text; ``$`` begins a binary one of 32 or 45 bytes that has no end mark.

How long a binary message is, its tracker alone knows. With the next message behind it, or 33 bytes of it, it can be
seen; when 32 bytes stand alone, a moment's silence says that there are no more.
"""

from __future__ import annotations

from typing import Final

TEXT_LIMIT: Final = 1024
"""Bytes of one text message; those with seven cells have some 200."""
SHORT: Final = 32
LONG: Final = 45
PAUSE_MS: Final = 500
"""Silence after which 32 bytes are a whole message: the rest of 45 would have come with them or at once."""


class Framer:
    """Bytes in any cut -> messages, and reasons (``str``) for bytes that are none."""

    def __init__(self) -> None:
        self._held = b""
        self._lost = False
        self._size = 0
        self.waiting = False
        """32 bytes stand alone: call :meth:`settle` after :data:`PAUSE_MS` without a byte."""

    def receive(self, data: bytes, *, last: bool = False) -> list[bytes | str]:
        """``last``: nothing more comes behind this. ``garbage`` is told once for all bytes up to the next message."""
        data = self._held + data if self._held else data
        found: list[bytes | str] = []
        at, end = 0, len(data)
        self.waiting = False
        while at < end:
            size = self._text(data, at) if data[at] == 0x2A else self._binary(data, at, end, last)
            if size == 0:
                break
            if size > 0:
                self._lost = False
                found.append(data[at : at + size])
                at += size
                continue
            # Line ends and such between messages are none of them, and nothing to tell of.
            if data[at] > 0x20 and not self._lost:
                self._lost = True
                found.append("garbage")
            at += 1
        self._held = data[at:]
        return found

    def settle(self) -> list[bytes | str]:
        """The pause is over: what stands alone is whole."""
        return self.receive(b"", last=True) if self.waiting else []

    @staticmethod
    def _text(data: bytes, at: int) -> int:
        stop = data.find(b"#", at, at + TEXT_LIMIT)
        if stop >= 0:
            # A message that was cut off has the next one's beginning before its end.
            return stop + 1 - at if data.find(b"*", at + 1, stop) < 0 else -1
        return 0 if len(data) - at < TEXT_LIMIT else -1

    def _binary(self, data: bytes, at: int, end: int, last: bool) -> int:
        if data[at] != 0x24:
            return -1
        have = end - at
        if have < SHORT:
            return 0
        if not data[at + 1 : at + 6].hex().isdigit():
            return -1
        size = self._size
        if not size:
            following = _begins(data, at + SHORT)
            if following is None:  # nothing to see yet
                self.waiting = have == SHORT and not last
                return SHORT if have == SHORT and last else 0
            size = self._size = SHORT if following else LONG
        return size if have >= size else 0


def _begins(data: bytes, at: int) -> bool | None:
    """Whether a message begins here; ``None`` while too little is there to say it."""
    first = data[at : at + 4]
    if not first:
        return None
    if first[:1] not in (b"*", b"$"):
        return False
    if len(first) < 4:
        return None
    return first[1:3].isalpha() if first[:1] == b"*" else first[1:].hex().isdigit()
