"""The duties of units as they will be, and what makes them so: the working copy on which a step is worked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from tracker.duty_events import DUTY, KEPT_MS
from tracker.duty_spans import without
from tracker.model import FOREVER, Duty, Unit, UnitId
from tracker.roster import Change, Roster


class Draft:
    """The duties of units as they will be."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._duties: dict[UnitId, dict[int, Duty]] = {}
        self._gone: dict[UnitId, set[int]] = {}

    def of(self, unit: UnitId) -> list[Duty]:
        known = self._duties.get(unit)
        return list(self._roster.duties_of(unit)) if known is None else list(known.values())

    def put(self, duty: Duty) -> None:
        self._mine(duty.unit)[duty.number] = duty

    def next_number(self, unit: UnitId) -> int:
        return max((duty.number for duty in self.of(unit)), default=0) + 1

    def prune(self, unit: UnitId, now: int) -> None:
        """Know nothing of what ended so long ago that nothing of it comes any more; the last number stays used."""
        old = [duty for duty in self.of(unit) if duty.end < now - KEPT_MS]
        for duty in old:
            if duty.number != self.next_number(unit) - 1:
                del self._mine(unit)[duty.number]

    def _mine(self, unit: UnitId) -> dict[int, Duty]:
        if unit not in self._duties:
            self._duties[unit] = {duty.number: duty for duty in self._roster.duties_of(unit)}
        return self._duties[unit]

    @property
    def touched(self) -> list[UnitId]:
        return list(self._duties)

    def changes(self) -> list[Change]:
        """What makes them so."""
        found: list[Change] = []
        for unit, duties in self._duties.items():
            before = {duty.number: duty for duty in self._roster.duties_of(unit)}
            found += [(DUTY, f"{unit}:{number}", None) for number in before if number not in duties]
            found += [(DUTY, f"{unit}:{n}", asdict(duty)) for n, duty in duties.items() if before.get(n) != duty]
        return found

    def gone(self) -> list[tuple[UnitId, int, int]]:
        """The time that was on duty and will not be. What is pruned is past and not gone."""
        found = []
        for unit, duties in self._duties.items():
            before = [(d.start, d.end) for d in self._roster.duties_of(unit) if d.number in duties]
            after = [(duty.start, duty.end) for duty in duties.values()]
            found += [(unit, start, end) for start, end in without(before, after)]
        return found


def follow_setting(draft: Draft, unit: Unit, now: int) -> None:
    """Always, or no longer; a vehicle with its crew, or no longer."""
    opened = [duty for duty in draft.of(unit.id) if duty.by == "always" and duty.end > now]
    if unit.duty == "always" and not opened:
        draft.put(Duty(unit.id, draft.next_number(unit.id), now, FOREVER, "always"))
    for duty in draft.of(unit.id):
        wrong = duty.by == "always" != unit.duty or duty.by == "crew" != unit.duty
        if wrong and duty.end > now:
            draft.put(replace(duty, end=max(now, duty.start)))


def put_layer(
    draft: Draft, unit: UnitId, wanted: Sequence[tuple[int, int, str]], layer: frozenset[str], first: int
) -> None:
    """Make a layer, from ``first`` on, what is wanted. Intervals keep their numbers, for points name them."""
    mine = [duty for duty in draft.of(unit) if duty.by in layer and duty.start >= first]
    others = [(duty.start, duty.end) for duty in draft.of(unit) if duty not in mine]
    cut = [(a, b, by) for start, end, by in wanted for a, b in without([(start, end)], others)]
    left = {duty.number: duty for duty in mine}
    matched: dict[int, tuple[int, int, str]] = {}
    for fits in (_begins_with, _overlaps):
        for span in cut:
            if span not in matched.values():
                number = next((n for n, duty in left.items() if fits(duty, span)), None)
                if number is not None:
                    matched[number] = span
                    del left[number]
    for number, (start, end, by) in matched.items():
        draft.put(Duty(unit, number, start, end, by))
    for span in cut:
        if span not in matched.values():
            draft.put(Duty(unit, draft.next_number(unit), *span))
    for duty in left.values():
        draft.put(replace(duty, end=duty.start))


def _begins_with(duty: Duty, span: tuple[int, int, str]) -> bool:
    return duty.start == span[0]


def _overlaps(duty: Duty, span: tuple[int, int, str]) -> bool:
    return duty.start < span[1] and span[0] < duty.end
