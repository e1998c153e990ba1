"""Lengths and check codes put right, for each protocol that has them: what a fuzzer changes would else end there."""

from __future__ import annotations

import re
from collections.abc import Callable

from protocols.jt808.framing import frame as jt808_frame

_WATCH = re.compile(rb"(\[[^\[\]*]*\*[^\[\]*]*\*(?:[^\[\]*]*\*)?)([0-9A-Fa-f]{4})\*([^\[\]]*)\]")


def jt808(data: bytes) -> bytes:
    """The length in each header and the check code at the end."""
    whole = []
    for piece in data.split(b"\x7e"):
        payload = bytearray(piece.replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")[:-1])
        if len(payload) < 4:
            continue
        size = len(payload) - (17 if payload[2] & 0x40 else 12) - (4 if payload[2] & 0x20 else 0)
        if 0 <= size < 1024:
            payload[2:4] = (payload[2] & 0xFC | size >> 8, size & 0xFF)
        whole.append(jt808_frame(bytes(payload)))
    return b"".join(whole)


def handheld(data: bytes) -> bytes:
    """The length of the last message; of those before it there is nothing else to tell where they end."""
    at = 0
    while at + 4 <= len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            return data[:at] + (len(data) - at - 4).to_bytes(4, "big") + data[at + 4 :]
        at = end
    return data


def watch(data: bytes) -> bytes:
    """The length of each content."""
    return _WATCH.sub(lambda found: b"%s%04x*%s]" % (found[1], len(found[3]), found[3]), data)


MENDING: dict[str, Callable[[bytes], bytes]] = {"jt808": jt808, "handheld": handheld, "watch": watch}
