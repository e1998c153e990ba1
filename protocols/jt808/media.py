"""Photos and other media (clauses 8.53 to 8.56 of 2013), and asking for lost fragments again (8.4).

0x0801: id u32, kind u8, format u8, event u8, channel u8, position (28 bytes, not in 2011), data.
0x0805: serial of our 0x8801 u16, result u8, then with result 0 count u16 and ids u32.
0x8800: id u32; if fragments are missing count u8 and their indices u16.
0x8003 and 0x0005: serial of the first fragment u16, count u8 (u16 since 2019), indices u16.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from protocols.errors import RemoteProtocolError
from protocols.jt808.positions import BASE_SIZE

_HEAD: Final = struct.Struct(">IBBBB")
_JPEG: Final = 0
_JPEG_START: Final = b"\xff\xd8"
INDICES_LIMIT: Final = 255
"""Indices in one request: a byte counts them in most of its layouts. What is missing beyond is asked for later."""


def _numbers(raw: bytes, size: int) -> tuple[int, ...]:
    return tuple(int.from_bytes(raw[at : at + size], "big") for at in range(0, len(raw), size))


def _joined(numbers: Sequence[int], size: int) -> bytes:
    return b"".join(number.to_bytes(size, "big") for number in numbers)


@dataclass(frozen=True, slots=True)
class MediaBody:
    """0x0801. ``position``: the 28 bytes of a 0x0200, empty in the layout of 2011."""

    ident: int
    kind: int
    format: int
    event: int
    channel: int
    position: bytes = field(repr=False)
    data: bytes = field(repr=False)

    @classmethod
    def decode(cls, body: bytes, long: bool) -> MediaBody:
        """``long``: it came under a 17-byte header. Raises ``bad_body`` below 8 bytes, or 36 with a position.

        2011 and 2013 share their header: a JPEG that begins where a position would stand is one of 2011.
        """
        if len(body) < _HEAD.size:
            raise RemoteProtocolError("bad_body", f"{len(body)} bytes of media")
        ident, kind, form, event, channel = _HEAD.unpack_from(body)
        start = _HEAD.size
        old = not long and form == _JPEG and body.startswith(_JPEG_START, start)
        if not old:
            start += BASE_SIZE
            if len(body) < start:
                raise RemoteProtocolError("bad_body", f"{len(body)} bytes of media")
        return cls(ident, kind, form, event, channel, body[_HEAD.size : start], body[start:])

    def encode(self) -> bytes:
        """Byte for byte what was decoded."""
        return _HEAD.pack(self.ident, self.kind, self.format, self.event, self.channel) + self.position + self.data


@dataclass(frozen=True, slots=True)
class PhotoAnswer:
    """0x0805. ``ids`` is ``None`` when nothing follows the result."""

    serial: int
    result: int
    ids: tuple[int, ...] | None = None

    @classmethod
    def decode(cls, body: bytes) -> PhotoAnswer:
        """Raises ``bad_body`` when ids are cut off or too many."""
        if len(body) < 3 or (len(body) > 3 and len(body) != 5 + 4 * int.from_bytes(body[3:5], "big")):
            raise RemoteProtocolError("bad_body", f"{len(body)} bytes of photo answer")
        return cls(body[0] << 8 | body[1], body[2], _numbers(body[5:], 4) if len(body) > 3 else None)

    def encode(self) -> bytes:
        """Byte for byte what was decoded."""
        head = self.serial.to_bytes(2, "big") + bytes([self.result])
        return head if self.ids is None else head + len(self.ids).to_bytes(2, "big") + _joined(self.ids, 4)


@dataclass(frozen=True, slots=True)
class MediaAnswer:
    """0x8800: all of a medium has come, or these fragments have not. ``missing`` ``None``: nothing behind the id."""

    ident: int
    missing: tuple[int, ...] | None = None

    @classmethod
    def decode(cls, body: bytes) -> MediaAnswer:
        """Raises ``bad_body`` when the list is cut off or too long."""
        if len(body) < 4 or (len(body) > 4 and len(body) != 5 + 2 * body[4]):
            raise RemoteProtocolError("bad_body", f"{len(body)} bytes of media answer")
        return cls(int.from_bytes(body[:4], "big"), _numbers(body[5:], 2) if len(body) > 4 else None)

    def encode(self) -> bytes:
        """Byte for byte what was decoded."""
        head = self.ident.to_bytes(4, "big")
        return head if self.missing is None else head + bytes([len(self.missing)]) + _joined(self.missing, 2)


@dataclass(frozen=True, slots=True)
class ResendRequest:
    """0x8003 to a terminal, 0x0005 from one: these fragments of the message that began with ``serial`` again.

    ``wide``: the count is u16, as since 2019.
    """

    serial: int
    indices: tuple[int, ...]
    wide: bool

    @classmethod
    def decode(cls, body: bytes, long: bool) -> ResendRequest:
        """``long``: it came under a 17-byte header; the other width of the count is taken where it fits alone.

        Raises ``bad_body``.
        """
        for wide in (long, not long):
            start = 4 if wide else 3
            if len(body) >= start and len(body) == start + 2 * int.from_bytes(body[2:start], "big"):
                return cls(body[0] << 8 | body[1], _numbers(body[start:], 2), wide)
        raise RemoteProtocolError("bad_body", f"{len(body)} bytes of resend request")

    def encode(self) -> bytes:
        """Byte for byte what was decoded."""
        count = len(self.indices).to_bytes(2 if self.wide else 1, "big")
        return self.serial.to_bytes(2, "big") + count + _joined(self.indices, 2)
