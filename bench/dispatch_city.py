"""What rules of dispatch reach in the simulated city of 64 collectors on 64 km²: the same ten days under each.

    python -m bench.dispatch_city                                  # the whole table
    python -m bench.dispatch_city --days 16 --rules owner matched  # one column, two rules
    python -m bench.dispatch_city --seeds 3 --days foot

Each cell is the mean of the minutes until somebody is there, and the share of results within the limit; in brackets
the published figures. The last column is the CPU of a day of one seed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import mean

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from simulator.lattice import Lattice
from simulator.street_day import Rule, Seen, StreetDay, Visit, Waiting
from simulator.street_plan import plan_day, read_plan

SPEEDS = {"ebike": 3.3, "foot": 1.25}
"""m/s, as a server believes them."""
ON_SCENE, AT_LEAST = 300.0, 60.0
"""Seconds that a server expects somebody to be on the scene, and to be there still, however long it has been."""
BACKLOG = 3
CAP = 2000.0
OWNER, LATENESS, STALE, STALE_AFTER, ACCURACY = 120.0, 2.0, 60.0, 90.0, 20.0
DETOUR = 1.35
NEVER = 1e9

DAYS = {"8": (8.0, "ebike"), "16": (16.0, "ebike"), "24": (24.0, "ebike"), "foot": (10.0, "foot")}
"""Tasks a collector and day, and how people travel."""
PUBLISHED = {
    "owner": ((12.2, 93.3), (30.2, 78.7), (61.1, 63.0), (48.3, 67.6)),
    "dot": ((8.7, 96.3), (17.0, 87.8), (32.6, 73.8), (29.5, 75.1)),
    "idle": ((5.8, 99.8), (64.4, 37.8), (193.6, 15.6), (148.7, 20.5)),
    "idle-2km": ((5.7, 99.9), (7.6, 99.6), (10.5, 97.0), (18.2, 87.3)),
    "greedy": ((5.2, 99.9), (6.5, 99.9), (10.5, 97.8), (14.3, 94.4)),
    "matched": ((5.4, 99.9), (6.6, 99.9), (9.6, 98.7), (14.3, 95.4)),
    "straight": ((5.7, 99.9), (6.9, 99.8), (10.1, 98.4), (15.2, 93.6)),
}

Offers = list[tuple[int, int]]


def may(task: Waiting, who: Seen, now: float) -> bool:
    """Whether somebody can be asked at all."""
    return not who.resting and not who.suspect and task.refused.get(who.number, 0.0) <= now


def apart(lattice: Lattice, task: Waiting, who: Seen) -> float:
    """Metres as the crow flies, from the last dot."""
    return float(np.hypot(lattice.x[task.crossing] - who.x, lattice.y[task.crossing] - who.y))


def owner_always(lattice: Lattice, speed: float) -> Rule:
    """The owner of the grid; who is absent, eats or said no is stood in for by the owner of the nearest grid. Whose
    device is not reached is waited for."""
    homes = [lattice.centre(n) for n in range(lattice.grids_a_side**2)]

    def near(grid: int) -> list[int]:
        x, y = homes[grid]
        return sorted(range(len(homes)), key=lambda n: ((homes[n][0] - x) ** 2 + (homes[n][1] - y) ** 2, n))

    in_turn = [near(grid) for grid in range(len(homes))]

    def rule(now: float, tasks: Sequence[Waiting], people: Sequence[Seen]) -> Offers:
        known, offers = {who.number: who for who in people}, []
        for task in tasks:
            able = (known[n] for n in in_turn[task.grid] if n in known and not known[n].resting)
            who = next((who for who in able if task.refused.get(who.number, 0.0) <= now), None)
            if who and not who.suspect:
                offers.append((task.number, who.number))
        return offers

    return rule


def nearest_dot(lattice: Lattice, speed: float) -> Rule:
    """Who was last seen nearest, busy or not."""

    def rule(now: float, tasks: Sequence[Waiting], people: Sequence[Seen]) -> Offers:
        offers = []
        for task in tasks:
            able = [who for who in people if may(task, who, now)]
            if able:
                offers.append((task.number, min(able, key=lambda who: apart(lattice, task, who)).number))
        return offers

    return rule


def nearest_idle(lattice: Lattice, speed: float) -> Rule:
    """The oldest task first: whoever is idle and nearest, however far."""

    def rule(now: float, tasks: Sequence[Waiting], people: Sequence[Seen]) -> Offers:
        idle, offers = [who for who in people if not who.committed], []
        for task in tasks:
            able = [who for who in idle if may(task, who, now)]
            if able:
                who = min(able, key=lambda who: apart(lattice, task, who))
                idle.remove(who)
                offers.append((task.number, who.number))
            if not idle:
                break
        return offers

    return rule


def nearest_idle_within(lattice: Lattice, speed: float) -> Rule:
    """The closest pair of an open task and somebody idle first, none that are further apart than the cap."""

    def rule(now: float, tasks: Sequence[Waiting], people: Sequence[Seen]) -> Offers:
        idle = [who for who in people if not who.committed]
        pairs = sorted(
            (away, task.number, who.number)
            for task in tasks
            for who in idle
            if may(task, who, now) and (away := apart(lattice, task, who)) <= CAP
        )
        given, taken = dict[int, int](), set[int]()
        for _, task, who in pairs:
            if task not in given and who not in taken:
                given[task] = who
                taken.add(who)
        return list(given.items())

    return rule


class Arrivals:
    """When everybody would be at a task: what is committed first, by the streets or as the crow flies."""

    def __init__(self, lattice: Lattice, speed: float, by_streets: bool = True) -> None:
        self._lattice, self._speed, self._by_streets = lattice, speed, by_streets

    def travel(self, x: NDArray[np.float64], y: NDArray[np.float64], crossing: int) -> NDArray[np.float64]:
        """Seconds from these places (metres)."""
        lattice = self._lattice
        if self._by_streets:
            seconds = lattice.steps_to(crossing)[lattice.nearest(x, y)] * (lattice.step / self._speed)
        else:
            seconds = np.hypot(lattice.x[crossing] - x, lattice.y[crossing] - y) * (DETOUR / self._speed)
        return np.asarray(seconds, float)

    def free(self, now: float, people: Sequence[Seen]) -> tuple[NDArray[np.float64], ...]:
        """Where and in how many seconds everybody has done what is committed."""
        x, y = np.array([who.x for who in people]), np.array([who.y for who in people])
        wait = np.zeros(len(people))
        for n, who in enumerate(people):
            for place, crossing in enumerate(who.committed):
                if place == 0 and who.arrived is not None:
                    wait[n] += max(AT_LEAST, ON_SCENE - (now - who.arrived))
                else:
                    wait[n] += self.travel(x[n : n + 1], y[n : n + 1], crossing)[0] + ON_SCENE
                x[n], y[n] = self._lattice.x[crossing], self._lattice.y[crossing]
        return x, y, wait


def greedy(lattice: Lattice, speed: float) -> Rule:
    """The oldest task first: whoever is there first, backlog included."""
    arrivals = Arrivals(lattice, speed)

    def rule(now: float, tasks: Sequence[Waiting], people: Sequence[Seen]) -> Offers:
        x, y, wait = arrivals.free(now, people)
        held, offers = [len(who.committed) for who in people], []
        for task in tasks:
            eta = wait + arrivals.travel(x, y, task.crossing)
            able = [n for n, who in enumerate(people) if held[n] < BACKLOG and may(task, who, now)]
            if able:
                n = min(able, key=lambda n: eta[n])
                offers.append((task.number, people[n].number))
                held[n] += 1
                wait[n] = eta[n] + ON_SCENE
                x[n], y[n] = lattice.x[task.crossing], lattice.y[task.crossing]
        return offers

    return rule


def matched(lattice: Lattice, speed: float, by_streets: bool = True) -> Rule:
    """All open tasks at once, at the least sum of arrivals and soft terms."""
    arrivals = Arrivals(lattice, speed, by_streets)

    def rule(now: float, tasks: Sequence[Waiting], people: Sequence[Seen]) -> Offers:
        x, y, wait = arrivals.free(now, people)
        stale = np.array([STALE * (who.age > STALE_AFTER) for who in people]) + ACCURACY / speed
        cost = np.empty((len(tasks), len(people)))
        for row, task in enumerate(tasks):
            eta = wait + arrivals.travel(x, y, task.crossing)
            late = np.maximum(0.0, now - task.created + eta + ON_SCENE - task.limit)
            others = np.array([OWNER * (who.number != task.grid) for who in people])
            able = np.array([len(who.committed) < BACKLOG and may(task, who, now) for who in people])
            cost[row] = np.where(able, eta + others + LATENESS * late + stale, NEVER)
        rows, columns = linear_sum_assignment(cost)
        return [
            (tasks[row].number, people[column].number)
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
            if cost[row, column] < NEVER
        ]

    return rule


def matched_straight(lattice: Lattice, speed: float) -> Rule:
    """The same without a map of the streets."""
    return matched(lattice, speed, by_streets=False)


RULES: dict[str, Callable[[Lattice, float], Rule]] = {
    "owner": owner_always,
    "dot": nearest_dot,
    "idle": nearest_idle,
    "idle-2km": nearest_idle_within,
    "greedy": greedy,
    "matched": matched,
    "straight": matched_straight,
}


def minutes(visits: Sequence[Visit]) -> float:
    return mean(visit.response for visit in visits) / 60


def share(visits: Sequence[Visit]) -> float:
    return 100 * mean(visit.on_time for visit in visits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--days", nargs="+", choices=DAYS, default=list(DAYS))
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    plan, customs = read_plan()
    lattice = Lattice(plan)
    print(f"{'':<10}" + "".join(f"{name:^32}" for name in given.days) + "CPU s")
    for name in given.rules:
        cells, began = [], time.process_time()
        for day in given.days:
            load, mode = DAYS[day]
            ends = [
                StreetDay(lattice, customs, plan_day(lattice, customs, seed, load), mode, rule).run()
                for seed in range(1, given.seeds + 1)
                for rule in (RULES[name](lattice, SPEEDS[mode]),)
            ]
            was = PUBLISHED[name][list(DAYS).index(day)]
            told = f"{mean(map(minutes, ends)):5.1f} {mean(map(share, ends)):5.1f} %"
            cells.append(f"{told} ({was[0]:5.1f} {was[1]:5.1f} %)".center(32))
        spent = (time.process_time() - began) / (len(given.days) * given.seeds)
        print(f"{name:<10}" + "".join(cells) + f"{spent:5.1f}", flush=True)


if __name__ == "__main__":
    main()
