"""How far the devices' clocks are off the server's, and from all of them whether it is the server's that is wrong.

A message that says when it was sent tells the offset itself. One that holds a fix only tells that the clock is ahead of
us at least as far as the fix is: it may have waited anywhere. The least delayed of the last minutes is near the
truth, but what seems far behind may be a queue that empties, and is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from statistics import median

Clock = tuple[int, int, int, int]
"""Offset in ms (device minus server), when it was measured (server time), and of a device that does not say when it
sends: the largest offset since, and since when (else 0)."""

WINDOW_MS = 600_000
"""What was measured longer ago says nothing of now."""
QUEUE_MS = 60_000
"""A fix that is older than this may have waited."""
FLEET_LIMIT_MS = 60_000
FLEET_LEAST = 5
"""So many devices do not err together."""
CLOCKS_LIMIT = 16
"""Devices of one unit whose clock is remembered: nobody carries more, the one not heard of for longest is forgotten."""


def note(clocks: MutableMapping[str, Clock], device: str, server_time: int, device_time: int | None, fix: int) -> None:
    """Take in a message about now. ``device_time`` is when the device says it was sent; without it the fix time counts.

    On the per-report path: half a microsecond.
    """
    before = clocks.get(device)
    if before is None and len(clocks) >= CLOCKS_LIMIT:
        del clocks[min(clocks, key=lambda name: clocks[name][1])]
    if device_time is not None:
        clocks[device] = (device_time - server_time, server_time, 0, 0)
        return
    offset = fix - server_time
    if before is None:
        clocks[device] = (offset, server_time, offset, server_time)
        return
    largest, at, best, since = before
    if since == 0 and abs(server_time - at) <= WINDOW_MS:
        return  # it says when it sends, only not in this message
    age = server_time - since
    if 0 <= age < WINDOW_MS:
        if offset > best:
            best = offset
        clocks[device] = (offset if offset > largest else largest, server_time, best, since)
    else:
        # The last window counts until the next is full: an offset lasts from ten minutes to twenty.
        largest = best if 0 <= age < 2 * WINDOW_MS and best > offset else offset
        clocks[device] = (largest, server_time, offset, server_time)


def skew_of(clock: Clock | None) -> int | None:
    """Device clock minus server clock, ms; ``None`` where it cannot be told."""
    if clock is None:
        return None
    offset, _, _, since = clock
    return None if since and offset < -QUEUE_MS else offset


def server_ahead(clocks: Iterable[Clock], now: int) -> int | None:
    """How far the server's clock is ahead of the fleet's (negative: behind), ms; ``None`` while it is right or nobody
    can tell. ``clocks``: one for each device."""
    told = (skew_of(clock) for clock in clocks if abs(now - clock[1]) <= WINDOW_MS)
    offsets = [-skew for skew in told if skew is not None]
    if len(offsets) < FLEET_LEAST:
        return None
    ahead = round(median(offsets))
    return ahead if abs(ahead) > FLEET_LIMIT_MS else None
