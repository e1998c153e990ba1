"""Watch messages: ``[maker*id*length*content]``, in some families with a running number before the length.

The maker has two characters, the length four hexadecimal digits. Contents may be voice or pictures; those go by unheld.
Some watches state a wrong length: when no bracket stands where the content should end, the next one ends it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

CONTENT_LIMIT: Final = 4096
"""Bytes of one content that are held: positions with seven cells and five access points have some 400."""

_HEAD: Final = re.compile(rb"\[([A-Za-z0-9]{2})\*(\d{5,20})\*(?:([0-9A-Fa-f]{4})\*)?([0-9A-Fa-f]{4})\*")
_HALF_HEAD: Final = re.compile(
    rb"\[(?:[A-Za-z0-9]{0,2}|[A-Za-z0-9]{2}\*(?:\d{0,20}|\d{5,20}\*(?:[0-9A-Fa-f]{4}\*)?[0-9A-Fa-f]{0,4}))"
)
"""What may become a head: 36 bytes at most."""
_HALF_LENGTH: Final = re.compile(rb"[0-9A-Fa-f]{0,4}")


@dataclass(frozen=True, slots=True)
class Message:
    """``index`` is the running number as it was sent, ``None`` in families that have none."""

    maker: str
    ident: str
    content: bytes
    index: str | None = None


def frame(maker: str, ident: str, content: bytes, index: str | None = None) -> bytes:
    """A whole message."""
    number = "" if index is None else f"{index}*"
    return f"[{maker}*{ident}*{number}{len(content):04x}*".encode() + content + b"]"


class Framer:
    """Bytes in any cut -> messages, and reasons (``str``) for bytes that are none."""

    def __init__(self) -> None:
        self._held = b""
        self._lost = False
        self._passing = 0

    def receive(self, data: bytes) -> list[Message | str]:
        """``garbage`` is told once for all bytes up to the next message, ``too_long`` for contents that pass by."""
        found: list[Message | str] = []
        data = self._held + data if self._held else data
        at, end = 0, len(data)
        while at < end:
            if self._passing:
                step = min(self._passing, end - at)
                self._passing -= step
                at += step
                continue
            if data[at] != 0x5B:
                if data[at] <= 0x20:  # line ends and such between messages are nothing to tell of
                    at += 1
                    continue
                self._tell(found)
                following = data.find(b"[", at)
                at = end if following < 0 else following
                continue
            head = _HEAD.match(data, at)
            size = self._size(head, data, end) if head else 0 if _HALF_HEAD.fullmatch(data, at) else -1
            if size == 0:
                break
            if head is None or size < 0:
                self._tell(found)
                at += 1
                continue
            self._lost = False
            if size > CONTENT_LIMIT:
                found.append("too_long")
                self._passing = size + 1
                at = head.end()
                continue
            index = head[3].decode() if head[3] else None
            content = data[head.end() : head.end() + size - 1]
            found.append(Message(head[1].decode(), head[2].decode(), content, index))
            at = head.end() + size
        self._held = data[at:]
        return found

    def _tell(self, found: list[Message | str]) -> None:
        if not self._lost:
            self._lost = True
            found.append("garbage")

    @staticmethod
    def _size(head: re.Match[bytes], data: bytes, end: int) -> int:
        """Bytes from the content to the bracket: 0 while that cannot be said, −1 when there is no end."""
        start = head.end()
        if head[3] is None and end - start < 5 and _HALF_LENGTH.fullmatch(data, start):
            return 0  # what was taken for the length may be the running number
        length = int(head[4], 16)
        if length > CONTENT_LIMIT:
            return length
        if end - start <= length:
            return 0
        if data[start + length] == 0x5D:
            return length + 1
        stop = data.find(b"]", start, start + CONTENT_LIMIT)
        if stop >= 0:
            return stop + 1 - start if data.find(b"[", start, stop) < 0 else -1
        return 0 if end - start < CONTENT_LIMIT else -1
