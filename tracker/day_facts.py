"""What has been worked out of units' days, as long as what it was worked out from is the same. A pure core.

Whoever asks says what he would work it out from: plan, duty, grids, outages, and the files that hold the fixes with
what changes when they are written anew. If that is what it was before, so is the answer. So nothing has to be told that
something has changed, but for one thing: of somebody who is removed nothing is kept.
"""

from __future__ import annotations

from collections import OrderedDict

from tracker.attendance import Attendance
from tracker.model import UnitId

KEPT = 20_000
"""Days of units, some 20 MB: a month of 645 people."""

Key = tuple[UnitId, str]


class DayFacts:
    """``most`` of them, those that were asked for last."""

    def __init__(self, *, most: int = KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[Key, tuple[object, int, Attendance]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, key: Key, basis: object, since: int) -> tuple[int, Attendance] | None:
        """What was worked out of this basis at ``since`` (ms) or later, and when that was."""
        known = self._kept.get(key)
        if known is None or known[1] < since or known[0] != basis:
            return None
        self._kept.move_to_end(key)
        return known[1:]

    def keep(self, key: Key, basis: object, at: int, found: Attendance) -> None:
        """It was worked out of this basis at a moment (ms)."""
        self._kept[key] = basis, at, found
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit any more."""
        for key in [key for key in self._kept if key[0] == unit]:
            del self._kept[key]

    def clear(self) -> None:
        """Know nothing any more. Every night: of days whose fixes have been deleted nothing is left here either."""
        self._kept.clear()
