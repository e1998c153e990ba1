"""Candidates and tasks around one place, told in metres east and north of it."""

from __future__ import annotations

from math import cos, pi, radians
from typing import Any

from dispatch.model import Candidate, Spot, Task, TaskId
from tracker.coordinates import EARTH_RADIUS
from tracker.model import UnitId

NOW = 1_790_000_000_000
LATITUDE, LONGITUDE = 31.2304, 121.4737
_DEGREE = EARTH_RADIUS * pi / 180
MINUTE = 60_000


def at(east: float, north: float = 0.0) -> Spot:
    return Spot(
        round((LATITUDE + north / _DEGREE) * 1e7),
        round((LONGITUDE + east / _DEGREE / cos(radians(LATITUDE))) * 1e7),
    )


def unit(id: str, east: float, north: float = 0.0, **about: Any) -> Candidate:
    """Somebody on an e-bike, on duty and idle, whose position is new and exact."""
    known = {
        "spot": at(east, north), "age": 5.0, "accuracy": 0.0, "mode": "ebike", "on_duty": True, "resting": False,
        "kind": "person", "areas": frozenset(), "streets": frozenset(),
    }  # fmt: skip
    return Candidate(unit=UnitId(id), **{**known, **about})


def task(id: str = "t", east: float = 0.0, north: float = 0.0, **about: Any) -> Task:
    """Something to be seen within half an hour, in grid ``g1``."""
    known = {
        "kind": "verify", "klass": "0101", "spot": at(east, north), "address": "", "text": "", "source": "case",
        "created": NOW, "limit": 30 * MINUTE, "warn": NOW + 15 * MINUTE, "critical": NOW + 24 * MINUTE,
        "due": NOW + 30 * MINUTE, "grid": "g1",
    }  # fmt: skip
    return Task(id=TaskId(id), **{**known, **about})
