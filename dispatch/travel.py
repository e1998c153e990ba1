"""How long it takes from one spot to another: straight over the globe, times a detour factor, at the speed of the mode.

The detour factor says how much longer streets are than the straight line. A city begins with :data:`DETOUR` and learns
its own from finished trips (:class:`Detours`), one for each mode, because a bridge for people is none for vehicles.
Whoever walks slower than the speed in the table has a larger factor: it is the seconds that must be right.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import pi
from statistics import median
from typing import Any

import numpy as np

from dispatch.model import Spot
from tracker.coordinates import EARTH_RADIUS, distance
from tracker.refusal import Change

SPEEDS: Mapping[str, float] = {"walk": 1.25, "ebike": 3.3, "vehicle": 7.0}
"""Metres a second, stops at crossings included, by mode."""
TRIP = "trip"
"""The type of the events that say how long a trip took."""
DETOUR = 1.35
DETOUR_LEAST, DETOUR_MOST = 1.0, 2.5
"""No city's streets are beyond that; a factor that is says something of clocks or of what counts as a trip."""

TRIPS = 500
"""Of each mode that are remembered: some weeks of a district, so that a new bridge shows within that time."""
TRIP_LEAST = 200.0
"""Metres, straight: over less it is unlocking the bike that takes the time."""
RATIO_LEAST, RATIO_MOST = 0.5, 5.0
"""Beyond that nobody went straight there by the mode that he is known for."""
PRIOR = 20
"""As many trips with :data:`DETOUR` are thought to have been made before the first."""

_E7 = 1e-7 * pi / 180.0
Array = Any
"""A numpy array."""


@dataclass(frozen=True, slots=True)
class Travel:
    """A city's travel times. ``factors`` has the detour factor of each mode that differs from :data:`DETOUR`."""

    factors: Mapping[str, float] = field(default_factory=dict)

    def factor(self, mode: str) -> float:
        return self.factors.get(mode, DETOUR)

    def pace(self, mode: str) -> float:
        """Seconds for each metre of the straight line."""
        return self.factor(mode) / SPEEDS[mode]

    def seconds(self, start: Spot, end: Spot, mode: str) -> float:
        metres = distance(start.latitude, start.longitude, end.latitude, end.longitude)
        return metres * self.pace(mode)


def ratio(start: Spot, end: Spot, seconds: float, mode: str) -> float | None:
    """How much longer than the straight line a trip took; ``None`` if it says nothing of streets."""
    metres = distance(start.latitude, start.longitude, end.latitude, end.longitude)
    if mode not in SPEEDS or metres < TRIP_LEAST:
        return None
    found = round(seconds * SPEEDS[mode] / metres, 3)
    return found if RATIO_LEAST <= found <= RATIO_MOST else None


class Detours:
    """What a city's finished trips say of its detour factors: the median of the last ones, so that a third of them may
    be nonsense. Told the same trips in the same order after a restart, it says the same."""

    def __init__(self) -> None:
        self._ratios: dict[str, deque[float]] = {mode: deque(maxlen=TRIPS) for mode in SPEEDS}

    def add(self, start: Spot, end: Spot, seconds: float, mode: str) -> bool:
        """A trip from where it began to where it arrived, and how long that took; whether it says anything."""
        found = ratio(start, end, seconds, mode)
        if found is not None:
            self._ratios[mode].append(found)
        return found is not None

    def replay(self, event: Change) -> None:
        """A trip of the journal. It says by which mode and how much longer, not whose it was or where."""
        _, mode, fields = event
        if mode in self._ratios and fields is not None:
            self._ratios[mode].append(fields["ratio"])

    def events(self) -> Iterator[Change]:
        """What :meth:`replay` makes the same of."""
        for mode, ratios in self._ratios.items():
            for each in ratios:
                yield TRIP, mode, {"ratio": each}

    def factor(self, mode: str) -> float:
        found = median([*self._ratios[mode], *[DETOUR] * PRIOR])
        return min(max(found, DETOUR_LEAST), DETOUR_MOST)

    def travel(self) -> Travel:
        """Rounded, so that a decision can be written down with it and made again."""
        return Travel({mode: round(self.factor(mode), 3) for mode in SPEEDS})


def places(spots: Iterable[Spot]) -> Array:
    """Spots as points in space, n × 3, millimetres from the middle of the earth.

    The line between two of them is as long as the great circle but for a millimetre at 10 km and a metre at 100 km.
    Whole numbers, so that squares and sums are exact and a distance is the same whatever it is calculated beside.
    """
    each = list(spots)
    return points(
        np.array([spot.latitude for spot in each], np.float64), np.array([spot.longitude for spot in each], np.float64)
    )


def points(latitude: Array, longitude: Array) -> Array:
    """As :func:`places`, of two arrays of 1e-7 degrees."""
    latitude, longitude = latitude * _E7, longitude * _E7
    flat = np.cos(latitude)
    space = np.column_stack((flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)))
    return np.rint(space * (EARTH_RADIUS * 1000.0))
