"""What is remembered of phones between their requests: how much each has sent lately, and ids that were stored.

Both are bounded and only in memory. Forgetting does no harm: a phone may send a little more, and a record whose id
is forgotten is taken again and stored once all the same, because a point's identity is its own (tracker/pipeline.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice

RATE = 20
"""Reports a second that one phone may send for as long as it likes,"""
BURST = 20_000
"""and at once: a day's backlog, one by one. Beyond that it is told to come again."""
PHONES = 20_000
"""Phones whose use is remembered; the one not heard of for longest is forgotten."""
IDS = 131_072
"""Ids of records remembered over all devices, some 15 MB: what a client repeats, it repeats within minutes."""


class Rates:
    """How much each has had of something lately: so much at once, and ``rate`` a second for as long as it likes. The
    ``most`` that were heard of last are remembered."""

    def __init__(self, rate: float = RATE, burst: float = BURST, most: int = PHONES) -> None:
        self._rate = rate
        self._burst = burst
        self._most = most
        self._used: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def allows(self, who: str, amount: int, now: int) -> bool:
        """Whether it may have so much now (ms), which then counts. More than the burst at once is never allowed, so no
        request may hold as many."""
        used, at = self._used.pop(who, (0.0, now))
        used = max(0.0, used - max(0, now - at) / 1000 * self._rate)
        allowed = used + amount <= self._burst
        self._used[who] = (used + amount if allowed else used, now)
        if len(self._used) > self._most:
            self._used.popitem(last=False)
        return allowed


class RecentIds:
    """The ids of records that are on disk, by device."""

    def __init__(self) -> None:
        self._known: dict[int, None] = {}

    def knows(self, device: str, id: str) -> bool:
        return hash((device, id)) in self._known

    def add(self, device: str, ids: Iterable[str]) -> None:
        for id in ids:
            self._known[hash((device, id))] = None
        if len(self._known) > IDS:
            for old in list(islice(self._known, len(self._known) - IDS + IDS // 8)):
                del self._known[old]
