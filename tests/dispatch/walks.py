"""Made-up ways of one unit around a task, as the fixes that its device would send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import cos, exp, hypot, radians, sqrt
from random import Random

from dispatch.arrival import Fix
from dispatch.model import Spot

SPOT = Spot(311_774_276, 1_215_272_106)
START = 1_795_400_000_000
METRE = 1e7 / 111_195.08
WALK, EBIKE = 1.25, 3.3

Way = Callable[[float], tuple[float, float]]
"""Where the unit is at a second: metres east and north of the task."""


def spot(east: float, north: float) -> Spot:
    wide = METRE / cos(radians(SPOT.latitude / 1e7))
    return Spot(SPOT.latitude + round(north * METRE), SPOT.longitude + round(east * wide))


def fix(seconds: float, east: float, north: float, accuracy: float | None = 5.0, speed: float | None = None) -> Fix:
    there = spot(east, north)
    return Fix(START + round(1000 * seconds), there.latitude, there.longitude, accuracy, speed)


def standing(east: float, north: float) -> Way:
    return lambda seconds: (east, north)


def passing(speed: float, off: float, begin: float = -400.0) -> Way:
    """Eastwards, so many metres north of the task."""
    return lambda seconds: (begin + speed * seconds, off)


def arriving(speed: float, way: float, off: float = 0.0) -> Way:
    """Over so many metres to a place ``off`` metres from the task."""
    return lambda seconds: (min(0.0, -way + speed * seconds), off)


def seen(way: Way, seconds: float, interval: float, noise: float, seed: int, memory: float = 60.0) -> Iterator[Fix]:
    """The fixes of a way. ``noise`` is how far off they are, root mean square in metres; it forgets itself over
    ``memory`` seconds, for a receiver's error wanders slowly."""
    random = Random(seed)
    sigma = noise / sqrt(2)
    keep = exp(-interval / memory) if memory else 0.0
    east, north = random.gauss(0, sigma), random.gauss(0, sigma)
    at = random.uniform(0, interval)
    while at < seconds:
        x, y = way(at)
        yield fix(at, x + east, y + north, max(5.0, noise))
        at += interval
        fresh = sigma * sqrt(1 - keep * keep)
        east, north = keep * east + random.gauss(0, fresh), keep * north + random.gauss(0, fresh)


def metres(one: Fix) -> float:
    """How far a fix is from the task, about."""
    return hypot(
        (one.latitude - SPOT.latitude) / METRE,
        (one.longitude - SPOT.longitude) / METRE * cos(radians(SPOT.latitude / 1e7)),
    )
