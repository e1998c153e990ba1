"""What the journal holds and the archive does not yet: whose point each record is, when and where, as columns.

A sealing takes an hour's records out of here and into files; until then a question about a point that came late, or
about everybody near a place, would have to read all of them. So each is noted as it is committed: 33 bytes and half a
microsecond a point. Where this has no room left, or has just begun, it says from which record on the journal itself is
to be read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from storage.journal_files import Batch
from tracker.pipeline import ACCURACY_LIMIT, FUTURE_MS
from tracker.record import REPORT

POINTS_LIMIT = 4_000_000
"""Points noted (130 MB): five hours of 1,000 units at one fix in five seconds. Beyond it the journal is read."""
BLOCK = 65_536

Values = Any
"""A numpy array."""


@dataclass(frozen=True, slots=True)
class Points:
    """Points as arrays of one length. ``unit`` are places in ``units``; coordinates in 1e-7 degrees; ``doubted`` those
    that are out of time or inaccurate by themselves."""

    number: Values
    unit: Values
    fix_time: Values
    latitude: Values
    longitude: Values
    doubted: Values

    def where(self, mask: Values) -> Points:
        return Points(
            self.number[mask], self.unit[mask], self.fix_time[mask], self.latitude[mask], self.longitude[mask],
            self.doubted[mask],
        )  # fmt: skip


class Tail:
    """Begins to note with :meth:`begin`. Used from the reactor's thread only."""

    def __init__(self, *, points_limit: int = POINTS_LIMIT) -> None:
        self._limit = points_limit
        self._blocks: list[Points] = []
        """All but the last are full and never written again; each is dropped whole."""
        self._lasts: list[int] = []
        """Of each block the last record of the journal that it covers."""
        self._filled = 0
        """Points in the last block."""
        self._codes: dict[str, int] = {}
        self.units: list[str] = []
        self.sealed = 0
        """The archive holds all up to this record."""
        self.last = -1
        """The points of all records after :attr:`sealed` up to this one are noted; -1 before :meth:`begin`."""

    def begin(self, sealed: int) -> None:
        """Nothing is noted yet of what comes after this record."""
        self.sealed = self.last = sealed

    @property
    def full(self) -> bool:
        return len(self) >= self._limit

    def __len__(self) -> int:
        return max(0, len(self._blocks) - 1) * BLOCK + self._filled

    def take(self, batch: Batch) -> None:
        """Note a batch if it follows on what is noted; the part of it that is noted already is passed over."""
        if self.last < 0 or batch.last <= self.last or self.full:
            return
        if batch.first > self.last + 1:
            return
        skip = self.last + 1 - batch.first
        found = [
            (number, r[2], r[6], r[7], r[8], (r[12] or 0) > ACCURACY_LIMIT or r[6] - r[4] > FUTURE_MS)
            for number, r in enumerate(batch.records[skip:] if skip else batch.records, batch.first + skip)
            if r[0] == REPORT and r[7] is not None
        ]
        self.last = batch.last
        while found:
            room = BLOCK - self._filled
            if not self._blocks or not room:
                self._blocks.append(_empty())
                self._lasts.append(0)
                self._filled, room = 0, BLOCK
            self._put(found[:room])
            found = found[room:]
            self._lasts[-1] = found[0][0] - 1 if found else self.last

    def passed(self, last: int) -> None:
        """The journal has nothing from where we stand up to this record."""
        self.last = max(self.last, last)

    def _put(self, found: Sequence[tuple[Any, ...]]) -> None:
        numbers, units, fixes, latitudes, longitudes, doubted = zip(*found, strict=True)
        codes = self._codes
        for unit in units:
            if unit not in codes:
                codes[unit] = len(self.units)
                self.units.append(unit)
        block, start, end = self._blocks[-1], self._filled, self._filled + len(found)
        block.number[start:end] = numbers
        block.unit[start:end] = [codes[unit] for unit in units]
        block.fix_time[start:end] = fixes
        block.latitude[start:end] = latitudes
        block.longitude[start:end] = longitudes
        block.doubted[start:end] = doubted
        self._filled = end

    def drop(self, sealed: int) -> None:
        """The archive holds all up to this record. What is noted of it goes a block at a time."""
        self.sealed = max(self.sealed, sealed)
        self.last = max(self.last, sealed)
        while self._lasts and self._lasts[0] <= self.sealed:
            del self._lasts[0], self._blocks[0]
        if not self._blocks:
            self._filled = 0

    def find(self, unit: str, start: int, end: int) -> list[int]:
        """The records of a unit's points with ``start <= fix time <= end``, in the journal's order."""
        code = self._codes.get(unit)
        if code is None:
            return []
        numbers: list[int] = []
        for points in self.points():
            mask = (points.unit == code) & (points.fix_time >= start) & (points.fix_time <= end)
            mask &= points.number > self.sealed
            numbers += points.number[mask].tolist()
        return numbers

    def forget(self, unit: str) -> None:
        """Nothing of a unit's points is noted any more: they are nobody's, and nowhere near anything."""
        code = self._codes.pop(unit, None)
        if code is None:
            return
        self.units[code] = ""
        for block in self._blocks:
            mask = block.unit == code
            block.number[mask] = 0
            block.fix_time[mask] = block.latitude[mask] = block.longitude[mask] = 0
            block.doubted[mask] = True

    def forget_span(self, unit: str, start: int, end: int, stay: Collection[int]) -> None:
        """The same for a unit's points with ``start <= fix time < end`` but for the fix times in ``stay``."""
        code = self._codes.get(unit)
        for block in self._blocks if code is not None else ():
            mask = (block.unit == code) & (block.fix_time >= start) & (block.fix_time < end)
            mask &= ~np.isin(block.fix_time, list(stay))
            block.number[mask] = 0
            block.fix_time[mask] = block.latitude[mask] = block.longitude[mask] = 0
            block.doubted[mask] = True

    def points(self) -> list[Points]:
        """All that is noted, up to now, to be read in a thread too: nothing of it changes any more. It may begin with
        some that are in the archive by now."""
        blocks = list(self._blocks)
        if blocks:
            blocks[-1] = blocks[-1].where(slice(0, self._filled))
        return blocks


def _empty() -> Points:
    wide, narrow = (lambda: np.empty(BLOCK, np.int64)), (lambda: np.empty(BLOCK, np.int32))
    return Points(wide(), narrow(), wide(), narrow(), narrow(), np.empty(BLOCK, np.bool_))


def spans(numbers: Sequence[int], *, gap: int = 5000, most: int = 20) -> list[tuple[int, int]]:
    """Ranges of the journal that hold these records, in order: each costs a search of the files, each record between
    them a microsecond or two."""
    while True:
        found: list[tuple[int, int]] = []
        for number in numbers:
            if found and number - found[-1][1] <= gap:
                found[-1] = (found[-1][0], number)
            else:
                found.append((number, number))
        if len(found) <= most:
            return found
        gap *= 4
