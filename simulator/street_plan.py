"""What a day brings, whatever anybody decides: its tasks, who is absent, who is offline when, noise and answers.

Everything is drawn here, from one seed, before the day begins: so all rules of dispatch meet the same day.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.lattice import Lattice, LatticePlan

ANSWERS = 12
"""Drawn for each task; who is asked the thirteenth time answers like the first."""
REPORTS = 2880
"""Errors of positions drawn for each collector: a whole day of them, then the same again."""


@dataclass(frozen=True, slots=True)
class Customs:
    """The numbers of a day, from a data file; seconds, metres and m/s."""

    hours: float
    rush: tuple[float, ...]
    rush_factor: float
    demand_sigma: float
    limits: tuple[float, ...]
    absent: float
    lunch: tuple[float, ...]
    lunch_length: float
    patrol: float
    speeds: dict[str, float]
    spread: float
    scene_mean: float
    scene_sigma: float
    scene_least: float
    scene_most: float
    every: float
    noise: float
    outliers: float
    outlier: float
    offline_spells: int
    offline_least: float
    offline_most: float
    accepted: float
    declined: float
    answer_median: float
    answer_sigma: float
    unanswered: float
    undelivered: float
    cool_down: float


FILE = Path(__file__).with_name("street_day.toml")


def read_plan(path: Path = FILE) -> tuple[LatticePlan, Customs]:
    """The city and its customs as a data file gives them."""
    told: dict[str, dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))
    day, trips, scene, answers = told["day"], dict(told["trips"]), told["scene"], dict(told["answers"])
    for name in ("rush", "limits", "lunch"):
        day[name] = tuple(day[name])
    spread = trips.pop("spread")
    return LatticePlan(**told["lattice"]), Customs(
        **day,
        **told["positions"],
        **{f"scene_{name}": value for name, value in scene.items()},
        answer_median=answers.pop("median"),
        answer_sigma=answers.pop("sigma"),
        **answers,
        speeds=trips,
        spread=spread,
    )


@dataclass(frozen=True, slots=True)
class Errand:
    """A task as it will turn out: where, when (s), how long a trip to it takes against what one would expect (1: as
    long), how long it takes there, and what those who are asked say (a chance of 0..1, and a normal one for the
    delay)."""

    number: int
    crossing: int
    grid: int
    created: float
    limit: float
    pace: float
    scene: float
    answers: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class DayPlan:
    """A day of one seed with so many tasks a collector. ``offline`` has each collector's spells without a network,
    ``phase`` the second of its first position, ``errors`` the metres by which its positions are wrong."""

    seed: int
    errands: tuple[Errand, ...]
    absent: frozenset[int]
    offline: tuple[tuple[tuple[float, float], ...], ...]
    phase: tuple[float, ...]
    errors: NDArray[np.float64]


def plan_day(lattice: Lattice, customs: Customs, seed: int, load: float) -> DayPlan:
    """Draw it. ``load`` is the expected number of tasks by grid."""
    people = lattice.grids_a_side**2
    random = Random(seed)
    absent = frozenset(random.sample(range(people), round(people * customs.absent)))
    offline = tuple(_spells(random, customs) for _ in range(people))
    phase = tuple(random.uniform(0, customs.every) for _ in range(people))
    numbers = np.random.default_rng(seed)
    errors = numbers.normal(0, customs.noise, (people, REPORTS, 2))
    angles = numbers.uniform(0, 2 * math.pi, (people, REPORTS))
    far = numbers.random((people, REPORTS)) < customs.outliers
    errors[far] = np.stack([np.cos(angles[far]), np.sin(angles[far])], axis=1) * customs.outlier
    return DayPlan(
        seed, tuple(_errands(lattice, customs, Random(seed + 1_000_003), load)), absent, offline, phase, errors
    )


def _spells(random: Random, customs: Customs) -> tuple[tuple[float, float], ...]:
    starts = [random.uniform(0, customs.hours * 3600) for _ in range(customs.offline_spells)]
    lengths = [random.uniform(customs.offline_least, customs.offline_most) for _ in starts]
    return tuple(sorted((start, start + length) for start, length in zip(starts, lengths, strict=True)))


def _errands(lattice: Lattice, customs: Customs, random: Random, load: float) -> list[Errand]:
    places: list[list[int]] = [[] for _ in range(lattice.grids_a_side**2)]
    for node in lattice.crossings:
        places[lattice.grid[node]].append(node)
    demand = _demand(len(places), customs.demand_sigma)
    random.shuffle(demand)
    rates = _rates(customs)
    # Poisson over the day: the gaps between tasks are exponential on a clock that runs as fast as tasks come.
    whole, at, found = sum(length * rate for _, length, rate in rates), 0.0, list[Errand]()
    while True:
        at += random.expovariate(1.0) * whole / (load * len(places))
        if at >= whole:
            return found
        grid = random.choices(range(len(places)), demand)[0]
        mu = math.log(customs.scene_mean) - customs.scene_sigma**2 / 2
        scene = random.lognormvariate(mu, customs.scene_sigma)
        found.append(
            Errand(
                len(found),
                random.choice(places[grid]),
                grid,
                _when(rates, at),
                random.choice(customs.limits),
                random.uniform(1 - customs.spread, 1 + customs.spread),
                min(customs.scene_most, max(customs.scene_least, scene)),
                tuple((random.random(), random.gauss(0, 1)) for _ in range(ANSWERS)),
            )
        )


def _demand(grids: int, sigma: float) -> list[float]:
    """Log-normal, one from each of so many equal parts: what the busiest grids have decides how a rule fares that
    follows the grids, and ten days would not average it."""
    normal = NormalDist(0.0, sigma)
    return [math.exp(normal.inv_cdf((n + 0.5) / grids)) for n in range(grids)]


def _rates(customs: Customs) -> list[tuple[float, float, float]]:
    """The day as pieces of (beginning, length, relative rate)."""
    end = customs.hours * 3600
    marks = sorted({0.0, end, *(h * 3600 for h in customs.rush), *((h + 1) * 3600 for h in customs.rush)})
    busy = {h * 3600 for h in customs.rush}
    return [(a, b - a, customs.rush_factor if a in busy else 1.0) for a, b in pairwise(marks) if b <= end]


def _when(rates: list[tuple[float, float, float]], at: float) -> float:
    for begin, length, rate in rates:
        if at < length * rate:
            return begin + at / rate
        at -= length * rate
    raise ValueError("after the end of the day")
