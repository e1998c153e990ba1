"""Whether somebody has set out for a task, and has arrived: a watch over the fixes of one unit for one attempt.

A fix alone says neither: whoever drives by is within the radius for a moment, and one fix in fifty lies a block away.
So it is departure when two fixes in a row are away from where the unit was and nearer to the task; and arrival when the
unit was within the radius for a while by fixes of which none is further apart from the next than :data:`GAP`, and has
hardly come forward meanwhile. How far it came forward is read from the line that fits those fixes best, so that a
single bad one counts little, and twice their error is added: noise may have hidden so much. Where a device says itself
that it moves, it is believed. So whoever rides by is not taken for one who has come; of 100 who walk by, past the
middle or off it, none with errors of up to 5 m, 1 with 8 m, 3 with 15 m. Whoever comes on foot has arrived some 20 s
after he has stopped, by bicycle 35 s, with errors of 15 m up to a minute.

Fixes may come in any order and more than once: they are put in order of their own time, and all the stretches that a
late one is part of are looked at again. Fixes that are too inaccurate are as if they had not come; one without an
accuracy is taken, for some protocols have none. What the tracker disbelieves for other reasons than being late is not
to be told here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, hypot, radians

from dispatch.model import AttemptInput, Spot
from dispatch.rules import Arrival
from tracker.coordinates import EARTH_RADIUS, distance

KEPT = 128
"""Fixes of one watch, some 12 kB: half an hour at one in 15 s, far more than a stretch is long."""
GAP = 90_000
"""ms: three intervals of a handheld. Who was not seen for longer may have been anywhere."""
STRETCHES = (2, 3)
"""How often the time that somebody must stay the stretches last that are looked at, if he is there for so long: the
longer one, the less speed noise pretends, and the later somebody has arrived who comes fast."""
HIDDEN_LEAST, HIDDEN_MOST = 0.5, 1.25
"""What noise may hide, in times of the way that is too far for the shortest stretch."""
_METRES = radians(1e-7) * EARTH_RADIUS
"""Of 1e-7 degrees to the north."""
_HALF = 1_800_000_000
"""Half a turn, in 1e-7 degrees."""


@dataclass(frozen=True, slots=True, order=True)
class Fix:
    """Where a unit was: ms, 1e-7 degrees, metres, metres a second."""

    at: int
    latitude: int
    longitude: int
    accuracy: float | None = None
    speed: float | None = None


def usable(fix: Fix, accuracy: float) -> bool:
    """Whether a fix is accurate enough, as far as it says so."""
    return fix.accuracy is None or fix.accuracy <= accuracy


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen: DEPART or ARRIVE, and the time of the fix that showed it."""

    what: AttemptInput
    at: int


class Watch:
    """One attempt, from when it was accepted (``since``) on. Fixes before that say nothing of it."""

    def __init__(self, spot: Spot, since: int, rule: Arrival) -> None:
        self._spot = spot
        self._since = since
        self._rule = rule
        self._times: list[int] = []
        self._fixes: list[tuple[Fix, float]] = []
        """In order of time, each with its distance from the task."""
        self._first: tuple[Fix, float] | None = None
        """The earliest of all, which the newest may have pushed out."""
        self.departed: int | None = None
        self.arrived: int | None = None

    def receive_fix(self, fix: Fix) -> list[Sighting]:
        """Take one fix in; what it shows that was not known before. After the arrival nothing is looked for."""
        if self.arrived is not None or fix.at < self._since or not usable(fix, self._rule.accuracy_m):
            return []
        place = self._put(fix)
        if place is None:
            return []
        found = []
        arrived = next((self._fixes[n][0].at for n in self._ends(place) if self._stayed(n)), None)
        if arrived is None and self.departed is None:
            departed = next((self._fixes[n][0].at for n in self._pairs(place) if self._left(n)), None)
            if departed is not None:
                self.departed = departed
                found.append(Sighting(AttemptInput.DEPART, departed))
        if arrived is not None:
            self.arrived = arrived
            self._times.clear()
            self._fixes.clear()
            found.append(Sighting(AttemptInput.ARRIVE, arrived))
        return found

    @property
    def origin(self) -> Fix | None:
        """Where it was when it had the task first."""
        return None if self._first is None else self._first[0]

    # -- fixes in their order

    def _put(self, fix: Fix) -> int | None:
        """Its place in the order; ``None`` if there is one of this time that counts more, or none is kept so old."""
        away = distance(fix.latitude, fix.longitude, self._spot.latitude, self._spot.longitude)
        place = bisect_left(self._times, fix.at)
        if place < len(self._times) and self._times[place] == fix.at:
            # Two places at one time: the more accurate one, and always the same of two that are alike.
            if _rank(self._fixes[place][0]) <= _rank(fix):
                return None
            self._fixes[place] = fix, away
        else:
            if len(self._times) == KEPT:
                if place == 0:
                    return None
                del self._times[0], self._fixes[0]
                place -= 1
            self._times.insert(place, fix.at)
            self._fixes.insert(place, (fix, away))
        if self._first is None or fix.at <= self._first[0].at:
            self._first = fix, away
        return place

    def _ends(self, place: int) -> Iterator[int]:
        """The fixes at which a stretch may end that a new one at this place is part of."""
        latest = self._times[place] + GAP + STRETCHES[-1] * 1000 * self._rule.stay_s
        for n in range(place, len(self._times)):
            if self._times[n] > latest:
                return
            yield n

    # -- arrival

    def _stayed(self, end: int) -> bool:
        """Whether the stretch that ends with this fix shows that the unit is there."""
        last, away = self._fixes[end]
        rule = self._rule
        if away > rule.radius_m or (last.speed is not None and last.speed >= rule.speed):
            return False
        return any(self._stood(end, 1000 * rule.stay_s * times) for times in STRETCHES)

    def _stood(self, end: int, longest: int) -> bool:
        """The same of the stretch of so many ms, or, where fixes are rare, back to the first that is old enough."""
        rule, at = self._rule, self._times[end]
        shortest = at - 1000 * rule.stay_s
        begin = end
        while begin and (self._times[begin] > shortest or self._times[begin - 1] >= at - longest):
            if self._times[begin] - self._times[begin - 1] > GAP or self._fixes[begin - 1][1] > rule.radius_m:
                break
            begin -= 1
        if self._times[begin] > shortest:
            return False
        fixes = [fix for fix, _ in self._fixes[begin : end + 1]]
        errors = [fix.accuracy for fix in fixes if fix.accuracy is not None]
        far = rule.speed * rule.stay_s
        hidden = 2 * sum(errors) / len(errors) if errors else 0.0
        hidden = min(max(hidden, HIDDEN_LEAST * far), HIDDEN_MOST * far)
        seconds = (at - self._times[begin]) / 1000
        return _net_speed(fixes) * seconds + hidden < rule.speed * seconds

    # -- departure

    def _pairs(self, place: int) -> Iterator[int]:
        """The fixes that a new one at this place makes a second of two, or is the second of two itself; all of them
        where it is the first of all, from which the way is measured."""
        if self._first is not None and self._first[0].at == self._times[place]:
            yield from range(1, len(self._times))
        else:
            yield from range(max(1, place), min(place + 2, len(self._times)))

    def _left(self, second: int) -> bool:
        assert self._first is not None
        start, before = self._first
        return all(
            away < before
            and distance(start.latitude, start.longitude, fix.latitude, fix.longitude) > self._rule.depart_m
            for fix, away in self._fixes[second - 1 : second + 1]
        )


def _rank(fix: Fix) -> tuple[float, int, int, float]:
    accuracy, speed = (1e9 if value is None else value for value in (fix.accuracy, fix.speed))
    return accuracy, fix.latitude, fix.longitude, speed


def _net_speed(fixes: list[Fix]) -> float:
    """Metres a second of the line that fits best; there are two fixes at least, of different times."""
    middle = sum(fix.at for fix in fixes) / len(fixes)
    north = east = spread = 0.0
    first = fixes[0]
    wide = cos(radians(first.latitude * 1e-7))
    for fix in fixes:
        off = (fix.at - middle) / 1000
        north += off * (fix.latitude - first.latitude) * _METRES
        east += off * ((fix.longitude - first.longitude + _HALF) % (2 * _HALF) - _HALF) * _METRES * wide
        spread += off * off
    return hypot(north, east) / spread
