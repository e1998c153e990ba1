"""BCD times ``YYMMDDhhmmss``, by the clock of GMT+8 as the standard wants it, whatever the terminal's place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from protocols.errors import LocalProtocolError, RemoteProtocolError

GMT8_MS: Final = 8 * 3_600_000
"""Milliseconds by which the clock of the wire is ahead of UTC."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS: Final = tuple(
    (byte >> 4) * 10_000 + (byte & 15) * 1000 if byte >> 4 < 6 and byte & 15 < 10 else -1 for byte in range(256)
)
"""BCD byte -> milliseconds of the second, or -1."""
_MINUTES: dict[bytes, int] = {}
"""``YYMMDDhhmm`` -> UTC milliseconds. Nearly every report of a fleet falls into one of a few minutes, and building
a date costs ten times a look-up."""
_MINUTES_LIMIT: Final = 4096
"""Entries before the cache starts anew: three days of minutes, so that a peer's dates cannot grow it."""


def decode_minute(minute: bytes) -> int:
    """UTC milliseconds of a five-byte ``YYMMDDhhmm``; raises ``bad_time``."""
    known = _MINUTES.get(minute)
    if known is not None:
        return known
    digits = minute.hex()
    try:
        if not digits.isdecimal():
            raise ValueError("not decimal")
        year, month, day, hour, least = (int(digits[at : at + 2]) for at in range(0, 10, 2))
        moment = datetime(2000 + year, month, day, hour, least, tzinfo=UTC)
    except ValueError as error:
        raise RemoteProtocolError("bad_time", str(error)) from None
    value = (moment - _EPOCH) // timedelta(milliseconds=1) - GMT8_MS
    if len(_MINUTES) >= _MINUTES_LIMIT:
        _MINUTES.clear()
    _MINUTES[minute] = value
    return value


def decode_time(minute: bytes, second: int) -> int:
    """UTC milliseconds of ``YYMMDDhhmm`` and the byte ``ss`` (00 to 59); raises ``bad_time``."""
    value = _SECONDS[second]
    if value < 0:
        raise RemoteProtocolError("bad_time", "second")
    known = _MINUTES.get(minute)
    return (decode_minute(minute) if known is None else known) + value


def encode_time(moment: int, offset: int = GMT8_MS) -> bytes:
    """Six BCD bytes of UTC milliseconds (rounded down to the second) on a clock ``offset`` ms ahead of UTC."""
    local = _EPOCH + timedelta(milliseconds=moment + offset)
    if not 2000 <= local.year <= 2099:
        raise LocalProtocolError("bad_time", "the wire has two digits for the year")
    return bytes.fromhex(local.strftime("%y%m%d%H%M%S"))
