"""The message header in its two lengths: 12 bytes up to 2013, 17 bytes since 2019 (clause 4.4.3).

2011/2013: id u16, attributes u16, terminal number BCD[6], serial u16.
2019: id u16, attributes u16 with bit 14, version u8, terminal number BCD[10], serial u16.
Both: if attribute bit 13 is set, total u16 and index u16 (from 1) of a fragment follow.
Attributes: bits 0-9 length of the body, 10-12 encryption (0 none, bit 10 RSA), 13 fragment, 14 version flag,
15 reserved. Everything is kept, so that a header encodes to the bytes that it was decoded from.

Some terminals set the version flag on a 12-byte header. ``version`` forces one reading for all frames;
``misflagged`` names the terminals that are known for it. The second is safe on a shared port: the declared
length fits one of both readings only, so a sound 2019 frame is never read as anything else.
"""

from __future__ import annotations

import struct
from collections.abc import Container
from functools import lru_cache
from typing import Final

from protocols.errors import LocalProtocolError, RemoteProtocolError

LENGTH_MASK: Final = 0x03FF
ENCRYPTION_MASK: Final = 0x1C00
FRAGMENT_BIT: Final = 0x2000
VERSION_BIT: Final = 0x4000
RESERVED_BIT: Final = 0x8000
BODY_LIMIT: Final = LENGTH_MASK
"""Bytes of body in one frame."""

_SHORT: Final = struct.Struct(">HH6sH")
_LONG: Final = struct.Struct(">HHB10sH")
_PART: Final = struct.Struct(">HH")


@lru_cache(maxsize=16384)  # a city's fleet; the same few bytes come with every frame
def phone_text(raw: bytes) -> str:
    """Terminal number as decimal digits without leading zeros; raises ``bad_header`` when it is not BCD."""
    digits = raw.hex()
    if not digits.isdecimal():
        raise RemoteProtocolError("bad_header", "terminal number is not decimal")
    return digits.lstrip("0") or "0"


def phone_bytes(phone: str, version: int | None) -> bytes:
    """The BCD of a terminal number: 6 bytes, or 10 when ``version`` (the header's version byte) is given."""
    width = 12 if version is None else 20
    if not (phone.isascii() and phone.isdecimal() and len(phone) <= width):
        raise LocalProtocolError("bad_phone", f"a terminal number has up to {width} digits")
    return bytes.fromhex(phone.zfill(width))


class Header:
    """One message's header. ``version`` is the 2019 version byte or ``None``; ``phone`` is the raw BCD.

    ``total`` and ``index`` (from 1) are 0 for a message that is not a fragment.
    """

    __slots__ = ("attributes", "index", "message_id", "phone", "serial", "total", "version")

    def __init__(
        self,
        message_id: int,
        attributes: int,
        version: int | None,
        phone: bytes,
        serial: int,
        total: int = 0,
        index: int = 0,
    ) -> None:
        self.message_id = message_id
        self.attributes = attributes
        self.version = version
        self.phone = phone
        self.serial = serial
        self.total = total
        self.index = index

    @classmethod
    def of(
        cls, message_id: int, phone: bytes, serial: int, version: int | None, total: int = 0, index: int = 0
    ) -> Header:
        """A header of ours: flags from the other arguments, length filled in by :meth:`encode`."""
        attributes = (FRAGMENT_BIT if total else 0) | (VERSION_BIT if version is not None else 0)
        return cls(message_id, attributes, version, phone, serial, total, index)

    @property
    def encryption(self) -> int:
        """Bits 10-12: 0 none, 1 RSA, others are not defined."""
        return (self.attributes & ENCRYPTION_MASK) >> 10

    def encode(self, body: bytes) -> bytes:
        """Header and body as one payload; the length is the body's."""
        if len(body) > BODY_LIMIT:
            raise LocalProtocolError("body_too_long", f"{len(body)} bytes in one frame")
        attributes = self.attributes & ~LENGTH_MASK | len(body)
        if self.version is None:
            head = _SHORT.pack(self.message_id, attributes, self.phone, self.serial)
        else:
            head = _LONG.pack(self.message_id, attributes, self.version, self.phone, self.serial)
        if attributes & FRAGMENT_BIT:
            head += _PART.pack(self.total, self.index)
        return head + body

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Header):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # mutable, compared in tests only

    def __repr__(self) -> str:
        return f"<Header {self.message_id:#06x} serial={self.serial} {self.index}/{self.total}>"


def decode_header(payload: bytes, version: int | None = None, misflagged: Container[str] = ()) -> tuple[Header, bytes]:
    """Header and body of a payload.

    ``version``: ``None`` believes the version flag, 2011 or 2013 forces the 12-byte header, 2019 the 17-byte
    header. ``misflagged``: terminal numbers that set the flag on a 12-byte header.
    Raises ``bad_header`` (shorter than a header), ``bad_length`` (the declared length is not what came) and
    ``wrong_version`` (it would be if the flag were ignored: the terminal wants one of both overrides).
    """
    size = len(payload)
    if size < 12:
        raise RemoteProtocolError("bad_header", f"{size} bytes")
    attributes = payload[2] << 8 | payload[3]
    long = bool(attributes & VERSION_BIT) if version is None else version >= 2019
    fragment = attributes & FRAGMENT_BIT
    length = attributes & LENGTH_MASK
    part = 4 if fragment else 0
    if long:
        start = 17 + part
        if size != start + length:
            if version is None and size == 12 + part + length:
                if phone_text(payload[4:10]) not in misflagged:
                    raise RemoteProtocolError("wrong_version", "version flag on a 2013 header")
                long, start = False, 12 + part
            else:
                raise RemoteProtocolError("bad_length", f"{size - start} bytes for {length}")
    else:
        start = 12 + part
        if size != start + length:
            raise RemoteProtocolError("bad_length", f"{size - start} bytes for {length}")
    if long:
        header = Header(*_LONG.unpack_from(payload))
    else:
        message_id, attributes, phone, serial = _SHORT.unpack_from(payload)
        header = Header(message_id, attributes, None, phone, serial)
    if fragment:
        header.total, header.index = _PART.unpack_from(payload, start - 4)
    return header, payload[start:]
