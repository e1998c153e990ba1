"""Where somebody is on the lattice at any moment: legs of straight going, one after the other.

A leg is a chain of crossings that is followed at one speed from a start on its first street. A patrol is a leg without
an end: it is drawn while it is asked for. Past legs are kept, because a device tells where it was, not where it is.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from random import Random

from simulator.lattice import Lattice


class _Leg:
    __slots__ = ("chain", "offset", "roams", "speed")

    def __init__(self, chain: list[int], offset: float, speed: float, roams: bool = False) -> None:
        self.chain = chain
        self.offset = offset
        """Metres behind the first crossing at which it starts."""
        self.speed = speed
        self.roams = roams


class LatticeWalk:
    """One person's way through a day, in seconds since its beginning. ``beat`` are the crossings of the own grid;
    ``patrol`` is the speed of walking them."""

    def __init__(self, lattice: Lattice, beat: Sequence[int], patrol: float, random: Random) -> None:
        self._lattice, self._patrol, self._random = lattice, patrol, random
        self._beat = beat
        self._own = frozenset(beat)
        self._starts = [0.0]
        self._legs = [_Leg([random.choice(beat)], 0.0, patrol, roams=True)]

    def place(self, now: float) -> tuple[float, float]:
        """Metres east and north at ``now``."""
        behind, ahead, metres = self._at(now)
        x, y, part = self._lattice.x, self._lattice.y, metres / self._lattice.step
        return (
            float(x[behind] + (x[ahead] - x[behind]) * part),
            float(y[behind] + (y[ahead] - y[behind]) * part),
        )

    def go(self, now: float, goal: int, speed: float) -> float:
        """Turn to a crossing, the shortest way; when that will be reached."""
        behind, ahead, metres = self._at(now)
        step, steps = self._lattice.step, self._lattice.steps_to(goal)
        back, on = float(steps[behind]) * step + metres, float(steps[ahead]) * step + step - metres
        if metres == 0:
            chain, offset, far = self._lattice.path(behind, goal), 0.0, float(steps[behind]) * step
        elif on <= back:
            chain, offset, far = [behind, *self._lattice.path(ahead, goal)], metres, on
        else:
            chain, offset, far = [ahead, *self._lattice.path(behind, goal)], step - metres, back
        self._turn(now, _Leg(chain, offset, speed))
        return now + far / speed

    def stand(self, now: float) -> None:
        """Stay there."""
        behind, ahead, metres = self._at(now)
        self._turn(now, _Leg([behind, ahead] if metres else [behind], metres, 0.0))

    def patrol(self, now: float, speed: float) -> None:
        """Patrol the own grid; whoever is outside of it goes to a crossing of it first, at ``speed``."""
        behind, ahead, metres = self._at(now)
        if behind not in self._own:
            goal = self._random.choice(self._beat)
            self._starts.append(self.go(now, goal, speed))
            self._legs.append(_Leg([goal], 0.0, self._patrol, roams=True))
        else:
            self._turn(now, _Leg([behind, ahead] if metres else [behind], metres, self._patrol, roams=True))

    def _turn(self, now: float, leg: _Leg) -> None:
        while self._starts and self._starts[-1] >= now and len(self._starts) > 1:
            self._starts.pop()
            self._legs.pop()
        self._starts.append(now)
        self._legs.append(leg)

    def _at(self, now: float) -> tuple[int, int, float]:
        """The crossing behind, the one ahead, and the metres between the one behind and where one is."""
        index = max(0, bisect.bisect_right(self._starts, now) - 1)
        leg = self._legs[index]
        gone = leg.offset + leg.speed * max(0.0, now - self._starts[index])
        passed = int(gone // self._lattice.step)
        while leg.roams and passed >= len(leg.chain) - 1:
            leg.chain.append(self._next(leg.chain))
        if passed >= len(leg.chain) - 1:
            return leg.chain[-1], leg.chain[-1], 0.0
        behind, ahead = leg.chain[passed], leg.chain[passed + 1]
        return behind, ahead, gone - passed * self._lattice.step if ahead != behind else 0.0

    def _next(self, chain: list[int]) -> int:
        """Not back where one came from, unless the street ends; not out of the own grid."""
        near = [node for node in self._lattice.ways[chain[-1]] if node in self._own]
        onward = [node for node in near if len(chain) < 2 or node != chain[-2]]
        return self._random.choice(onward or near or [chain[-1]])
