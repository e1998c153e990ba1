"""Spreads what would else happen at once: devices that lost their link in one moment come back one by one."""

from __future__ import annotations

from zlib import crc32

RECONNECTS_A_SECOND = 200
"""Logins that cost a tenth of a processor."""
LEAST_SPREAD_MS = 2_000
MOST_SPREAD_MS = 60_000
"""A city without positions for longer than a minute would be too high a price."""


def spread(key: str, width: int) -> int:
    """A number from 0 to ``width`` - 1, another for each key and always the same for one."""
    return crc32(key.encode()) % width


def reconnect_ms(key: str, devices: int) -> int:
    """How long this one of so many devices waits before it connects again, ms."""
    width = devices * 1000 // RECONNECTS_A_SECOND
    return spread(key, min(max(width, LEAST_SPREAD_MS), MOST_SPREAD_MS))
