"""How people and vehicles move through the town, and what their GPS makes of it.

A :class:`Beat` is a connected part of the street graph: one grid's streets for a collector, all main streets for
the vehicle. A :class:`Walker` goes along it, prefers where it has not been lately, pauses, goes indoors now and then
and answers :meth:`Walker.step` with a :class:`Sighting`: what the device would say at that moment. Who is sent
somewhere (:meth:`Walker.set_out`) leaves the beat, stays there, and comes back to it when told. Time and chance come in
as arguments; nothing here knows a clock.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from simulator.routes import Routes, Trip
from simulator.streets import Edge, StreetGraph
from simulator.terrain import Point, Projection

FixState = Literal["3d", "2d", "none"]

BORDER_METRES = 25.0
"""A collector turns round this far before the end of a street that leads out of the grid: GPS noise stays inside."""

_LONGEST_STEP = 600.0
"""Seconds that one step moves at most: after a longer sleep the walker goes on from where it was."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How somebody moves: speeds in m/s; the mean seconds between pauses and stays indoors, and how long they last."""

    slowest: float
    fastest: float
    pause_every: float
    pause: tuple[float, float]
    indoors_every: float
    indoors: tuple[float, float]
    wait_at_crossing: float = 0.0
    drain_per_hour: float = 8.0


ON_FOOT = Habits(1.0, 1.4, pause_every=240, pause=(15, 80), indoors_every=2700, indoors=(90, 300))
DRIVING = Habits(
    6.0,
    9.0,
    pause_every=500,
    pause=(30, 120),
    indoors_every=math.inf,
    indoors=(0, 0),
    wait_at_crossing=0.3,
    drain_per_hour=0,
)

_SKY: dict[str, tuple[float, FixState]] = {"open": (3.5, "3d"), "street": (5.5, "3d"), "narrow": (12.0, "2d")}
"""One sigma of the position in metres under each kind of sky, and what the receiver calls its fix."""
_SKY_SECONDS = 90.0
_NOISE_SECONDS = 40.0
"""How long a position error takes to forget itself: noise of a GPS drifts, it does not jump."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a device knows at ``time`` (ms UTC): degrees, m/s, metres; without a fix the position is None."""

    time: int
    fix: FixState
    latitude: float | None
    longitude: float | None
    speed: float
    course: int
    accuracy: float | None
    altitude: int
    battery: int


class Beat:
    """A connected set of edges, ready to be walked. ``outside`` are the nodes at which a walker turns round."""

    def __init__(self, graph: StreetGraph, edges: Sequence[int], projection: Projection, fenced: bool) -> None:
        if not edges:
            raise ValueError("a beat needs at least one street")
        self.projection = projection
        self.edges: list[Edge] = [graph.edges[i] for i in edges]
        self.at_node: dict[int, list[int]] = defaultdict(list)
        self.lengths: list[list[float]] = []
        for index, edge in enumerate(self.edges):
            self.at_node[edge.a].append(index)
            self.at_node[edge.b].append(index)
            along = [0.0]
            for p, q in itertools.pairwise(edge.path):
                along.append(along[-1] + math.dist(p, q))
            self.lengths.append(along)
        self.outside: frozenset[int] = frozenset()
        if fenced:
            grid = self.edges[0].grid
            beyond = {node for edge in graph.edges if edge.grid != grid for node in (edge.a, edge.b)}
            self.outside = frozenset(beyond & self.at_node.keys())

    def place(self, edge: int, metres: float) -> Point:
        """The place ``metres`` along an edge from its first node."""
        path, along = self.edges[edge].path, self.lengths[edge]
        i = min(max(bisect.bisect_right(along, metres), 1), len(path) - 1)
        a, b, share = path[i - 1], path[i], (metres - along[i - 1]) / ((along[i] - along[i - 1]) or 1.0)
        return Point(a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share)

    def heading(self, edge: int, metres: float, forward: bool) -> float:
        """Degrees clockwise from north of somebody going along an edge."""
        path, along = self.edges[edge].path, self.lengths[edge]
        i = min(max(bisect.bisect_right(along, metres), 1), len(path) - 1)
        a, b = (path[i - 1], path[i]) if forward else (path[i], path[i - 1])
        return math.degrees(math.atan2(b.x - a.x, b.y - a.y)) % 360


def beat_in_grid(graph: StreetGraph, grid: int, projection: Projection) -> Beat:
    """A collector's beat: the streets inside one grid."""
    return Beat(graph, graph.in_grid(grid), projection, fenced=True)


def beat_of_vehicle(graph: StreetGraph, projection: Projection) -> Beat:
    """The vehicle's round: the main streets of the town."""
    return Beat(graph, graph.main(), projection, fenced=False)


class Walker:
    """One person or vehicle on a beat from ``now`` (ms) on."""

    def __init__(self, beat: Beat, habits: Habits, random: Random, now: int) -> None:
        self._beat = beat
        self._habits = habits
        self._random = random
        self._now = now
        self._edge = random.randrange(len(beat.edges))
        self._forward = random.random() < 0.5
        self._metres = beat.lengths[self._edge][-1] * random.uniform(0.4, 0.6)
        self._visits: Counter[int] = Counter()
        self._pace = random.uniform(habits.slowest, habits.fastest)
        self._still_until = now
        self._inside_until = now
        self._sky = "open"
        self._noise = Point(random.gauss(0, 3), random.gauss(0, 3))
        self._battery = random.uniform(72, 100)
        self._altitude = random.randrange(14, 40)
        self._trip: Trip | None = None
        self._comes_back = False
        self.charge()

    @property
    def place(self) -> Point:
        """Where the walker really is, in metres around the town's centre."""
        return self._trip.place if self._trip is not None else self._beat.place(self._edge, self._metres)

    @property
    def away(self) -> bool:
        """Whether somebody has sent the walker somewhere, and not back yet."""
        return self._trip is not None and not self._comes_back

    @property
    def there(self) -> bool:
        """Whether the walker has come to where it was sent."""
        return self._trip is not None and self._trip.over and not self._comes_back

    def set_out(self, routes: Routes, goal: Point, speed: float) -> None:
        """Goes to ``goal``, whatever the walker was doing, and stays there."""
        self._trip = Trip(routes.way(self.place, goal), speed)
        self._comes_back = False
        self._still_until = self._inside_until = self._now

    def come_back(self, routes: Routes, speed: float) -> None:
        """Returns to the beat, and walks on."""
        self.set_out(routes, self._beat.place(self._edge, self._metres), speed)
        self._comes_back = True

    def charge(self) -> None:
        """A fresh battery."""
        self._battery = self._random.uniform(72, 100)

    def step(self, now: int, indoors: bool = False) -> Sighting:
        """Goes on until ``now`` and says what the device sees; ``indoors`` keeps it without a fix from outside."""
        seconds = min(max((now - self._now) / 1000, 0.0), _LONGEST_STEP)
        habits, random = self._habits, self._random
        inside = indoors or self._now < self._inside_until
        still = inside or self._now < self._still_until
        self._now = max(now, self._now)
        self._battery = max(1.0, self._battery - habits.drain_per_hour * seconds / 3600)
        trip = self._trip
        if trip is not None:
            # Nobody on the way to something goes for a break.
            still = trip.over or inside
            if not still:
                trip.go(seconds)
            if trip.over and self._comes_back:
                self._trip = None
        elif not still:
            self._walk(seconds)
            if random.random() < seconds / habits.pause_every:
                self._still_until = now + int(1000 * random.uniform(*habits.pause))
            if random.random() < seconds / habits.indoors_every:
                self._inside_until = now + int(1000 * random.uniform(*habits.indoors))
        self._drift(seconds)
        heading = trip.heading if trip is not None else self._beat.heading(self._edge, self._metres, self._forward)
        course = int(heading + random.gauss(0, 4)) % 360
        battery = round(self._battery)
        if inside:
            return Sighting(now, "none", None, None, 0.0, course, None, self._altitude, battery)
        sigma, fix = _SKY[self._sky]
        place = self.place
        latitude, longitude = self._beat.projection.degrees(Point(place.x + self._noise.x, place.y + self._noise.y))
        pace = trip.speed if trip is not None else self._pace
        speed = 0.0 if still else max(0.0, pace + random.gauss(0, 0.08))
        accuracy = sigma * random.uniform(0.8, 1.3)
        return Sighting(now, fix, latitude, longitude, speed, course, accuracy, self._altitude, battery)

    def _walk(self, seconds: float) -> None:
        habits, random = self._habits, self._random
        self._pace += random.gauss(0, 0.05 * (habits.fastest - habits.slowest) * math.sqrt(seconds))
        self._pace = min(habits.fastest, max(habits.slowest, self._pace))
        left = self._pace * seconds
        while left > 0:
            edge = self._beat.edges[self._edge]
            end, total = (edge.b if self._forward else edge.a), self._beat.lengths[self._edge][-1]
            # On a street too short for the margin the walker turns in its middle.
            margin = min(BORDER_METRES, total / 2) if end in self._beat.outside else 0.0
            ahead = max(0.0, (total - self._metres if self._forward else self._metres) - margin)
            go = min(left, ahead)
            self._metres += go if self._forward else -go
            left -= go
            if go < ahead:
                return
            if margin:
                self._forward = not self._forward
                # Both ends fenced and no room between them: stand here until the next step.
                if total <= 2 * BORDER_METRES and {edge.a, edge.b} <= self._beat.outside:
                    return
                continue
            self._turn_into(end)
            if random.random() < habits.wait_at_crossing:
                self._still_until = self._now + int(1000 * random.uniform(5, 30))
                return

    def _turn_into(self, node: int) -> None:
        """Takes the street least walked so far; back the same way only from a dead end."""
        self._visits[self._edge] += 1
        choices = [i for i in self._beat.at_node[node] if i != self._edge] or [self._edge]
        self._edge = min(choices, key=lambda i: (self._visits[i], self._random.random()))
        self._forward = self._beat.edges[self._edge].a == node
        self._metres = 0.0 if self._forward else self._beat.lengths[self._edge][-1]

    def _drift(self, seconds: float) -> None:
        random = self._random
        if random.random() < seconds / _SKY_SECONDS:
            self._sky = random.choices(("open", "street", "narrow"), (5, 4, 1))[0]
        keep = math.exp(-seconds / _NOISE_SECONDS)
        sigma = _SKY[self._sky][0]
        fresh = sigma * math.sqrt(1 - keep * keep)
        x, y = self._noise.x * keep + random.gauss(0, fresh), self._noise.y * keep + random.gauss(0, fresh)
        # A receiver throws out what is worse than three sigma of its own statement.
        size = math.hypot(x, y)
        scale = min(1.0, 3 * sigma / size) if size else 1.0
        self._noise = Point(x * scale, y * scale)
