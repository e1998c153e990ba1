"""JT/T 808 frames: delimiters, escapes, check code; from a stream or from datagrams (clause 4.4 of the 2013 text).

On the wire a message is ``7e | header | body | xor | 7e``. The check code is the exclusive or of header and
body; then 7e is written ``7d 02`` and 7d ``7d 01``. So 7e can stand nowhere but between frames: the framer cuts
at every 7e, and after any damage it is in step again at the next one. What is called *payload* here is header
and body together, unescaped and without check code.
"""

from __future__ import annotations

from typing import Final

DELIMITER: Final = b"\x7e"


class BadFrame:
    """A stretch between two delimiters that is no frame; ``reason`` is a counter's name."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __repr__(self) -> str:
        return f"<BadFrame {self.reason}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BadFrame) and other.reason == self.reason

    def __hash__(self) -> int:
        return hash(self.reason)


GARBAGE: Final = BadFrame("garbage")
"""Bytes before the first delimiter of a stream or datagram."""
TOO_LONG: Final = BadFrame("too_long")
"""More bytes than a frame can have."""
BAD_ESCAPE: Final = BadFrame("bad_escape")
"""A 7d followed by neither 01 nor 02."""
BAD_CHECKSUM: Final = BadFrame("bad_checksum")
TRUNCATED: Final = BadFrame("truncated")
"""A datagram ended inside a frame: the rest will never come."""

FRAME_LIMIT: Final = 4096
"""Escaped bytes between two delimiters. The longest legal frame has 21 + 1023 + 1 bytes, twice that when every
byte is escaped; the rest is kindness to vendors who ignore the 10 bits of the length (refused later, by name)."""


def checksum(data: bytes) -> int:
    """Exclusive or of all bytes, 0 to 255.

    The bytes are taken as one integer that is folded onto itself: some seven shifts instead of a step for
    each byte.
    """
    value = int.from_bytes(data, "big")
    width = 256
    if len(data) > 64:
        width = 1 << (len(data).bit_length() + 2)
        while width > 256:
            value ^= value >> width
            width >>= 1
    value ^= value >> 256
    value ^= value >> 128
    value ^= value >> 64
    value ^= value >> 32
    value ^= value >> 16
    return (value ^ value >> 8) & 0xFF


def frame(payload: bytes) -> bytes:
    """The whole frame of a payload (header and body): check code, escapes and both delimiters."""
    data = payload + checksum(payload).to_bytes(1, "big")
    if b"\x7d" in data:
        data = data.replace(b"\x7d", b"\x7d\x01")
    if DELIMITER in data:
        data = data.replace(DELIMITER, b"\x7d\x02")
    return DELIMITER + data + DELIMITER


def unframe(piece: bytes) -> bytes | BadFrame:
    """The payload of what stood between two delimiters, or why there is none."""
    if b"\x7d" in piece:
        if piece.count(b"\x7d") != piece.count(b"\x7d\x01") + piece.count(b"\x7d\x02"):
            return BAD_ESCAPE
        # 02 first: the other way round, 7d 01 02 would be read twice.
        piece = piece.replace(b"\x7d\x02", DELIMITER).replace(b"\x7d\x01", b"\x7d")
    if checksum(piece):  # the check code takes part, so a sound piece folds to zero
        return BAD_CHECKSUM
    return piece[:-1]


class Framer:
    """Cuts a TCP stream into payloads. Any split of the stream gives the same results.

    Feed every read to :meth:`receive_data`. It never raises: damage is a :class:`BadFrame` among the results.
    """

    __slots__ = ("_begun", "_limit", "_lost", "_rest")

    def __init__(self, *, limit: int = FRAME_LIMIT) -> None:
        """``limit``: bytes kept of a frame under way, so that a peer that never ends one cannot fill the memory."""
        self._limit = limit
        self._begun = False
        self._rest = b""
        self._lost: BadFrame | None = None

    def receive_data(self, data: bytes) -> list[bytes | BadFrame]:
        """Takes any bytes of the stream; returns payloads and damages in their order."""
        *pieces, rest = (self._rest + data if self._rest else data).split(DELIMITER)
        results: list[bytes | BadFrame] = []
        for piece in pieces:
            if self._lost is not None:
                results.append(self._lost)
                self._lost = None
            elif not piece:
                pass
            elif not self._begun:
                results.append(GARBAGE)
            elif len(piece) > self._limit:
                results.append(TOO_LONG)
            else:
                results.append(unframe(piece))
            self._begun = True
        if not self._begun:
            # Nothing before the first delimiter can become a frame: only remember that there was something.
            if rest:
                self._lost = GARBAGE
            rest = b""
        elif len(rest) > self._limit:
            self._lost = TOO_LONG
            rest = b""
        elif self._lost is not None:
            rest = b""
        self._rest = rest
        return results


def split_datagram(data: bytes, *, limit: int = FRAME_LIMIT) -> list[bytes | BadFrame]:
    """Payloads and damages of one UDP datagram, which holds one or more whole frames."""
    head, *pieces = data.split(DELIMITER)
    results: list[bytes | BadFrame] = [GARBAGE] if head else []
    if not pieces:
        return results
    rest = pieces.pop()
    results += [unframe(piece) if len(piece) <= limit else TOO_LONG for piece in pieces if piece]
    if rest:
        results.append(TRUNCATED)
    return results
