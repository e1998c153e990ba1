"""Attendance: what a unit's day was beside what the rota planned, from its duty and its fixes. A pure core.

Times are ms since 1970 UTC, durations ms. What nobody knows is ``None`` and blamed on nobody: time without a fix is not
time away from one's post, and while the server did not hear, nobody was late. Breaks between the periods of a shift
count for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np

from tracker.working_time import Span

TOLD = frozenset({"device", "seat", "crew"})
"""Who says of a duty interval that it began or ended: somebody who was there. The rota says only what was planned."""
STRETCHES_LIMIT = 50
"""Absences from one's grid that are told one by one; all of them are counted."""


class Where(IntEnum):
    """Where a fix is, seen from the unit's own grids. On the edge is within the tolerance outside: who was inside still
    is, and who was outside is not back yet."""

    INSIDE = 0
    EDGE = 1
    OUTSIDE = 2


class State(StrEnum):
    """What came of the plan."""

    FREE = "free"
    """Nothing was planned."""
    AHEAD = "ahead"
    """It has not begun."""
    AWAITED = "awaited"
    """It has begun, and nobody has come."""
    PRESENT = "present"
    ABSENT = "absent"
    """It has ended, and nobody came."""
    UNKNOWN = "unknown"
    """The server did not hear at the time."""


Values = Any
"""A numpy array."""


@dataclass(frozen=True, slots=True)
class Rules:
    """``hold``: how long a fix says where a unit is, unless another follows. ``grace``: what is neither late nor early.
    ``away``: longer outside one's grid than this is off post. ``silence``: so long without a fix ends an absence from
    the grid: nobody knows that it went on."""

    hold: int = 120_000
    grace: int = 180_000
    away: int = 300_000
    silence: int = 900_000


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a unit's day. ``planned`` are the periods of its shift. ``duties`` are its duty intervals with
    whether somebody told of them (a device, a seat), so that their ends mean something. ``times`` are those of the
    believed fixes, in order, and ``where`` what :class:`Where` says of each, as arrays. ``outages`` are spans in which
    the server did not hear. ``owns``: whether it has grids."""

    planned: Sequence[Span]
    duties: Sequence[tuple[int, int, bool]]
    times: Values
    where: Values
    outages: Sequence[Span] = ()
    owns: bool = True


@dataclass(frozen=True, slots=True)
class Attendance:
    """``late`` and ``early`` are planned time before one came and after one left; ``off_post`` is time outside its
    grids in ``stretches`` longer than the rule; ``on_duty`` is planned time on duty so far. ``in_grid`` is a share of
    the time with a fix, ``with_fix`` of the time on duty; 0 to 1. ``told``: whether coming and leaving were told, not
    seen from fixes."""

    state: State
    planned: int = 0
    on_duty: int = 0
    late: int | None = None
    early: int | None = None
    off_post: int | None = None
    in_grid: float | None = None
    with_fix: float | None = None
    first_fix: int | None = None
    last_fix: int | None = None
    stretches: tuple[Span, ...] = ()
    told: bool = False


def attendance(facts: Facts, now: int, rules: Rules | None = None) -> Attendance:
    """What a day was as far as ``now`` knows."""
    rules = rules or Rules()
    if not facts.planned:
        return Attendance(State.FREE)
    begin, end = facts.planned[0][0], facts.planned[-1][1]
    planned = _length(facts.planned)
    times = facts.times
    first, last = (int(times[0]), int(times[-1])) if len(times) else (None, None)
    if now < begin:
        return Attendance(State.AHEAD, planned, first_fix=first, last_fix=last)
    told = [(start, stop) for start, stop, is_told in facts.duties if is_told and start < end and stop > begin]
    seen = times[(times > begin - rules.hold) & (times < min(end, now + rules.hold))]
    if not told and not len(seen):
        return _nobody(facts, planned, begin, end, now, rules, (first, last))
    came = min([start for start, _ in told] + seen[:1].tolist())
    left = max([stop for _, stop in told] + (seen[-1:] + rules.hold).tolist())
    work = list(_common(facts.planned, _merged((start, min(stop, now)) for start, stop, _ in facts.duties)))
    pieces = _pieces(facts, rules)
    heard = work
    if facts.outages:
        # What was sent later of an outage is known all the same.
        heard = list(_without(work, list(_without(_merged(facts.outages), pieces.spans()))))
    within = [pieces.within(start, stop) for start, stop in heard]
    covered = sum(each.length() for each in within)
    inside = covered - sum(each.length(each.out) for each in within)
    stretches = [stretch for each in within for stretch in _stretches(each, rules)] if facts.owns else []
    share = covered / total if (total := _length(heard)) else None
    return Attendance(
        State.PRESENT,
        planned,
        _length(work),
        _missed(facts, begin, came, rules),
        _missed(facts, left, end, rules) if now >= end else None,
        sum(time for _, _, time in stretches) if facts.owns and covered else None,
        inside / covered if facts.owns and covered else None,
        share,
        first,
        last,
        tuple((start, stop) for start, stop, _ in stretches[:STRETCHES_LIMIT]),
        bool(told),
    )


def _nobody(
    facts: Facts, planned: int, begin: int, end: int, now: int, rules: Rules, fixes: tuple[int | None, int | None]
) -> Attendance:
    """Nobody came, or nobody would have been heard."""
    state = State.ABSENT if now >= end else State.AWAITED
    if any(True for _ in _common(facts.planned, _merged(facts.outages))):
        state = State.UNKNOWN
    late = _missed(facts, begin, now, rules) if state is State.AWAITED else None
    return Attendance(state, planned, late=late, first_fix=fixes[0], last_fix=fixes[1])


def _missed(facts: Facts, start: int, stop: int, rules: Rules) -> int | None:
    """Planned time between two moments; 0 within the grace, unknown if the server did not hear in it."""
    missed = list(_common(facts.planned, [(start, stop)]))
    if any(True for _ in _common(missed, _merged(facts.outages))):
        return None
    time = _length(missed)
    return time if time > rules.grace else 0


@dataclass(frozen=True, slots=True)
class _Pieces:
    """From when to when each fix says where the unit is, and whether that is outside its grids: arrays, in order, none
    over another."""

    start: Values
    stop: Values
    out: Values

    def spans(self) -> list[Span]:
        """The same time in spans that do not touch."""
        if not len(self.start):
            return []
        apart = self.start[1:] > self.stop[:-1]
        starts, stops = self.start[np.append(True, apart)], self.stop[np.append(apart, True)]
        return list(zip(starts.tolist(), stops.tolist(), strict=True))

    def within(self, begin: int, end: int) -> _Pieces:
        """What is of them in a span."""
        start, stop = np.maximum(self.start, begin), np.minimum(self.stop, end)
        some = start < stop
        return _Pieces(start[some], stop[some], self.out[some])

    def length(self, some: Values = slice(None)) -> int:
        return int((self.stop[some] - self.start[some]).sum())


def _pieces(facts: Facts, rules: Rules) -> _Pieces:
    times, where = facts.times, facts.where
    if not len(times):
        return _Pieces(times, times, times > 0)
    edge = where == Where.EDGE
    # On the edge one is where one was, and after a long silence within.
    back = edge & np.append(False, np.diff(times) > rules.silence)
    back[0] |= edge[0]
    says = np.maximum.accumulate(np.where(~edge | back, np.arange(len(times)), 0))
    out = (where == Where.OUTSIDE)[says]
    stop = np.minimum(np.append(times[1:], times[-1] + rules.hold), times + rules.hold)
    some = stop > times
    return _Pieces(times[some], stop[some], out[some])


def _stretches(pieces: _Pieces, rules: Rules) -> Iterator[tuple[int, int, int]]:
    """Absences from the grid that are long enough: from when to when, and how much of it is known."""
    if not pieces.out.any():
        return
    start, stop = pieces.start[pieces.out], pieces.stop[pieces.out]
    number = np.flatnonzero(pieces.out)
    another = (np.diff(number) > 1) | (start[1:] - stop[:-1] > rules.silence)
    first = np.flatnonzero(np.append(True, another))
    known = np.add.reduceat(stop - start, first)
    last = np.append(first[1:], len(start)) - 1
    for one in np.flatnonzero(known > rules.away).tolist():
        yield int(start[first[one]]), int(stop[last[one]]), int(known[one])


def _length(spans: Iterable[Span]) -> int:
    return sum(stop - start for start, stop in spans)


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The same time in spans that are in order and do not touch."""
    merged: list[Span] = []
    for start, stop in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def _common(one: Iterable[Span], other: Sequence[Span]) -> Iterator[Span]:
    """What is in both."""
    for start, stop in one:
        for begin, end in other:
            if max(start, begin) < min(stop, end):
                yield max(start, begin), min(stop, end)


def _without(spans: Iterable[Span], taken: Sequence[Span]) -> Iterator[Span]:
    """What is in the first and not in the second, which is in order."""
    for start, stop in spans:
        for begin, end in taken:
            if begin < stop and end > start:
                if begin > start:
                    yield start, begin
                start = max(start, end)
        if start < stop:
            yield start, stop
