"""GT06 frames: ``78 78``, length (one byte; two after ``79 79``), type, content, serial, CRC, ``0D 0A``.

The length counts from the type to the CRC, the CRC (CRC-ITU, X.25) is of all from the length to the serial. A family
of pocket trackers uses the same first bytes without serial and CRC, and with lengths of its own making; such a frame
is called *plain* here and is told by its type and length.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from dataclasses import dataclass
from typing import Final

LENGTH_LIMIT: Final = 2048
"""Declared length of the longest frame that is waited for: readings of an engine have some 300 bytes, texts fewer.
With it one peer can make us hold 2 kB and what one read brought."""

_SHORT: Final = b"\x78\x78"
_LONG: Final = b"\x79\x79"
_STOP: Final = b"\x0d\x0a"
_HEAD: Final = re.compile(rb"\x78\x78(?:.?\Z|.[^\x78\x79])|\x79\x79(?:\Z|[\x00-\x08])|[\x78\x79]\Z", re.DOTALL)
"""What may begin a frame, or become that with more bytes: one pass finds it, however often bytes look like a head.
Where the type should stand is no head of another frame; the upper byte of a length is within its limit."""

_MIRROR: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc_itu(data: bytes) -> int:
    """The CRC of X.25. The library has it for bits that go the other way: so mirror what goes in and what comes out."""
    turned = crc_hqx(data.translate(_MIRROR), 0xFFFF)
    return (_MIRROR[turned & 0xFF] << 8 | _MIRROR[turned >> 8]) ^ 0xFFFF


@dataclass(frozen=True, slots=True)
class Message:
    """``serial`` is ``None`` in a plain frame. ``sound``: the CRC is right. ``long``: it came after ``79 79``.
    ``count``: the length as it was told, which in some plain frames is a number of something else."""

    kind: int
    content: bytes
    serial: int | None = None
    sound: bool = True
    long: bool = False
    count: int = 0


def frame(kind: int, content: bytes = b"", serial: int = 0, *, long: bool = False) -> bytes:
    """A whole frame. Raises :class:`OverflowError` when it does not fit its length."""
    body = bytes((kind,)) + content + serial.to_bytes(2, "big")
    body = (len(body) + 2).to_bytes(2 if long else 1, "big") + body
    return (_LONG if long else _SHORT) + body + crc_itu(body).to_bytes(2, "big") + _STOP


def plain_frame(kind: int, content: bytes = b"", length: int | None = None) -> bytes:
    """A frame without serial and CRC; the length is that of type and content unless told otherwise."""
    return _SHORT + bytes((len(content) + 1 if length is None else length, kind)) + content + _STOP


_CELL: Final = 5  # LAC 2, cell 2, strength 1
_ACCESS_POINT: Final = 7  # address 6, strength 1
_WIFI_LIMIT: Final = 32
"""Access points of a plain 0x17; a larger "length" is the length of a common 0x17."""


class Framer:
    """Bytes in any cut -> messages, and reasons (``str``) for bytes that are none."""

    def __init__(self) -> None:
        self._held = b""
        self._lost = False

    def receive(self, data: bytes) -> list[Message | str]:
        """``garbage`` is told once for all bytes up to the next whole frame."""
        data = self._held + data if self._held else data
        found: list[Message | str] = []
        at, end = 0, len(data)
        while at < end:
            head = _HEAD.search(data, at)
            begin = head.start() if head else end
            size = _size(data, begin, end) if end - begin >= 2 else 0
            whole = size > 0 and data[begin + size - 2 : begin + size] == _STOP
            if (begin > at or (size and not whole)) and not self._lost:
                self._lost = True
                found.append("garbage")
            at = begin
            if size == 0:
                break
            if whole:
                self._lost = False
                found.append(_message(data[at : at + size]))
            at += size if whole else 1
        self._held = data[at:]
        return found


def _size(data: bytes, at: int, end: int) -> int:
    """Bytes of the frame at ``at``: 0 while it is not whole, −1 when there is none."""
    head = data[at : at + 2]
    if head != _SHORT and head != _LONG:
        return -1
    have = end - at
    if have < 4:
        return 0
    if head == _LONG:
        length = data[at + 2] << 8 | data[at + 3]
        size = length + 6 if 5 <= length <= LENGTH_LIMIT else -1
    else:
        size = _short_size(data, at, end)
    return size if have >= size else 0


def _short_size(data: bytes, at: int, end: int) -> int:
    """Bytes of the frame that begins with ``78 78``, which may not all be there; −1 when it cannot be one."""
    length, kind = data[at + 2], data[at + 3]
    if _of_wifi(kind, length):
        # The length is the number of access points; BCD time, them, cells, which have a number of their own.
        cells = at + 4 + 6 + length * _ACCESS_POINT
        return cells - at + 4 + data[cells] * _CELL + 2 if cells < end else cells - at + 1
    if kind in (0x10, 0x11) and length in (18, 21):  # a common one has 19 (a cell) or at least 23
        return length + 6
    if kind == 0x01 and length == 13 and _stops(data, at + 15, end) and not _stops(data, at + 18, end):
        return 15
    return length + 5 if length else -1


def _of_wifi(kind: int, length: int) -> bool:
    return kind == 0x69 or (kind == 0x17 and length <= _WIFI_LIMIT)


def _stops(data: bytes, at: int, end: int) -> bool:
    return at <= end and data[at - 2 : at] == _STOP


def _message(whole: bytes) -> Message:
    """One frame from its head to its stop."""
    long = whole[0] == 0x79
    body = 5 if long else 4
    kind = whole[body - 1]
    length = whole[2] << 8 | whole[3] if long else whole[2]
    if not long and (
        len(whole) != length + 5 or length < 5 or (kind == 0x13 and length < 10) or _of_wifi(kind, length)
    ):
        return Message(kind, whole[body:-2], count=length)
    sound = crc_itu(whole[2:-4]) == whole[-4] << 8 | whole[-3]
    return Message(kind, whole[body:-6], whole[-6] << 8 | whole[-5], sound, long)
