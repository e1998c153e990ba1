"""A small moving town for the console's stand-in server: plain, seeded, and the same at every start.

It knows nothing of protocols, journals or presence rules; it only moves dots along the invented town's streets
and gives each a state, so that every sign of the page is on the map from the first second.
"""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random
from typing import Any

from simulator.city import City, make_city

ONLINE, NO_FIX, STALE, OFFLINE, OFF_SHIFT = range(5)
AGES = {ONLINE: 3_000, NO_FIX: 95_000, STALE: 340_000, OFFLINE: 2_900_000, OFF_SHIFT: 14 * 3_600_000}


class Walker:
    """One unit on its way from crossing to crossing."""

    def __init__(self, number: int, city: City, beat: list[int], random: Random, state: int) -> None:
        self.random = random
        self.city = city
        self.beat = set(beat)
        self.edge = random.choice(beat)
        self.at = city.streets.edges[self.edge].a
        self.to = city.streets.edges[self.edge].b
        self.along = random.random() * city.streets.edges[self.edge].length
        self.id = f"u{number:04d}"
        self.state = state
        self.alarm = 0
        self.speed = 1.3
        self.battery = random.randrange(35, 100)
        self.about: dict[str, Any] = {}
        self.course = 0
        self.latitude = self.longitude = 0.0
        self.fix: int | None = None
        self.trail: list[tuple[int, float, float]] = []

    def step(self, seconds: float) -> None:
        """Goes on along the streets of the beat."""
        edges = self.city.streets.edges
        self.along += self.speed * seconds
        while self.along >= edges[self.edge].length:
            self.along -= edges[self.edge].length
            here = self.to
            ways = [i for i in self.beat if here in (edges[i].a, edges[i].b)]
            onward = [i for i in ways if i != self.edge] or ways
            self.edge = self.random.choice(sorted(onward))
            self.at, self.to = here, edges[self.edge].b if edges[self.edge].a == here else edges[self.edge].a
        edge = edges[self.edge]
        path = edge.path if edge.a == self.at else edge.path[::-1]
        left = self.along
        for a, b in pairwise(path):
            piece = math.dist(a, b)
            if left <= piece or b is path[-1]:
                break
            left -= piece
        share = min(1.0, left / max(piece, 0.01))
        place = type(a)(a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share)
        self.latitude, self.longitude = self.city.projection.degrees(place)
        self.course = round(math.degrees(math.atan2(b.x - a.x, b.y - a.y))) % 360


class Town:
    """All units. ``step(now)`` moves those that are online; ``row`` is a unit as the feed tells it."""

    def __init__(self, now: int, seed: int = 7, crowd: int = 0) -> None:
        self.city = make_city()
        random = Random(seed)
        self.walkers: dict[str, Walker] = {}
        states = {3: STALE, 8: NO_FIX, 14: OFFLINE, 19: OFF_SHIFT, 22: OFF_SHIFT}
        for person in self.city.people:
            walker = Walker(
                person.index,
                self.city,
                self.city.streets.in_grid(person.index),
                random,
                states.get(person.index, ONLINE),
            )
            walker.about = {
                "name": person.name.zh,
                "kind": "person",
                "team": person.team.zh,
                "street": person.street.zh,
                "grid": person.grid,
                "device_protocol": ("handheld", "traccar")[person.index % 2],
            }
            self.walkers[walker.id] = walker
        patrol = Walker(25, self.city, self.city.streets.main(), random, ONLINE)
        patrol.speed = 7.5
        vehicle = self.city.vehicle
        patrol.about = {
            "name": f"{vehicle.name.zh} {vehicle.plate}",
            "kind": "vehicle",
            "team": vehicle.team.zh,
            "street": "",
            "grid": None,
            "device_protocol": "jt808",
        }
        self.walkers[patrol.id] = patrol
        for number in range(26, 26 + crowd):
            walker = Walker(number, self.city, self.city.streets.main(), random, number % 5 if number % 3 == 0 else 0)
            walker.about = {**self.walkers["u0000"].about, "name": f"Crowd {number}", "team": "Crowd"}
            self.walkers[walker.id] = walker
        for walker in self.walkers.values():
            for back in range(120, 0, -1):
                walker.step(5.0)
                walker.trail.append((now - AGES[walker.state] - back * 5_000, walker.latitude, walker.longitude))
            walker.fix = now - AGES[walker.state]

    def step(self, now: int, seconds: float) -> list[Walker]:
        """Moves the town; answers who moved."""
        moved = []
        for walker in self.walkers.values():
            if walker.state != ONLINE:
                continue
            walker.step(seconds)
            walker.fix = now
            walker.trail = [*walker.trail[-239:], (now, walker.latitude, walker.longitude)]
            moved.append(walker)
        return moved

    def row(self, walker: Walker, now: int) -> list[Any]:
        """The feed's row of a unit."""
        seen = now - 1_000 if walker.state in (ONLINE, NO_FIX) else walker.fix
        moving = walker.state == ONLINE
        return [
            walker.id,
            round(walker.latitude, 6),
            round(walker.longitude, 6),
            walker.course if moving else None,
            walker.speed if moving else None,
            walker.state,
            walker.fix,
            seen,
            12 if walker.state == ONLINE else 85,
            walker.alarm,
            walker.battery,
            None if (grid := self.city.streets.edges[walker.edge].grid) is None else self.city.grid_ids[grid],
            None,
            0,
        ]

    def geojson(self) -> dict[str, Any]:
        """Grids and cells together, as the API gives them."""
        return {
            "type": "FeatureCollection",
            "features": [*self.city.grids["features"], *self.city.cells["features"]],
        }
