"""What rules of dispatch reach in the simulated city of 64 collectors on 64 km²: the same ten days under each.

    python -m bench.dispatch_city                                  # the whole table
    python -m bench.dispatch_city --days 16 --rules owner straight # one column, two rules
    python -m bench.dispatch_city --seeds 3 --days foot
    python -m bench.dispatch_city --first 11 --days 16 --rules owner idle

Each cell is the mean of the minutes until somebody is there, and the share of results within the limit; in brackets
the published figures. *In 5 min* is the share of tasks where somebody is there within five minutes, *held* the most
that anybody had accepted at a time, both over all days; the last column is the CPU of a day of one seed.
*roads* and *straight* are the product's own ranking and matching with its default weights (bench/dispatch_desk.py);
*posts* is *straight* with waiting points by the demand so far (bench/dispatch_posts.py), which no server gives out.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from bench.dispatch_desk import Desk
from bench.dispatch_posts import Posts
from simulator.lattice import Lattice
from simulator.street_day import Rule, Seen, StreetDay, Visit, Waiting
from simulator.street_plan import Customs, DayPlan, plan_day, read_plan

SPEEDS = {"ebike": 3.3, "foot": 1.25}
"""m/s, as a server believes them."""
ON_SCENE, AT_LEAST = 300.0, 60.0
"""Seconds that a server expects somebody to be on the scene, and to be there still, however long it has been."""
BACKLOG = 3
CAP = 2000.0
TELEPHONE = 900.0
"""Seconds until somebody has read of a task, looked up the owner and got him on the line: what the telephone costs in
the published figures, with few tasks as with many."""
FREE = 0.4
"""Tasks a collector and day, so few that everybody is always free."""

DAYS = {"8": (8.0, "ebike"), "16": (16.0, "ebike"), "24": (24.0, "ebike"), "foot": (10.0, "foot")}
"""Tasks a collector and day, and how people travel."""
PUBLISHED = {
    "telephone": ((26.8, 72.0), (45.7, 58.1), (77.7, 48.1), (59.7, 51.2)),
    "owner": ((12.2, 93.3), (30.2, 78.7), (61.1, 63.0), (48.3, 67.6)),
    "dot": ((8.7, 96.3), (17.0, 87.8), (32.6, 73.8), (29.5, 75.1)),
    "idle": ((5.8, 99.8), (64.4, 37.8), (193.6, 15.6), (148.7, 20.5)),
    "idle-2km": ((5.7, 99.9), (7.6, 99.6), (10.5, 97.0), (18.2, 87.3)),
    "greedy": ((5.2, 99.9), (6.5, 99.9), (10.5, 97.8), (14.3, 94.4)),
    "roads": ((5.4, 99.9), (6.6, 99.9), (9.6, 98.7), (14.3, 95.4)),
    "straight": ((5.7, 99.9), (6.9, 99.8), (10.1, 98.4), (15.2, 93.6)),
    "free": ((4.1, 100.0), (4.1, 100.0), (4.1, 100.0), (9.6, 100.0)),
}

Offers = list[tuple[int, int]]


def may(task: Waiting, who: Seen, now: float) -> bool:
    """Whether somebody can be asked at all."""
    return not who.resting and not who.suspect and task.refused.get(who.number, 0.0) <= now


def apart(lattice: Lattice, task: Waiting, who: Seen) -> float:
    """Metres as the crow flies, from the last dot."""
    return float(np.hypot(lattice.x[task.crossing] - who.x, lattice.y[task.crossing] - who.y))


def owner_always(lattice: Lattice, speed: float, told: float = 0.0) -> Rule:
    """The owner of the grid, whatever he has to do; while he eats or his device is not reached he is waited for. If he
    is absent all day or has said no, the owner of the next grid nearest to the place stands in. ``told`` is after how
    many seconds he hears of it."""
    homes = np.array([lattice.centre(n) for n in range(lattice.grids_a_side**2)])
    in_turn: dict[int, list[int]] = {}

    def near(task: Waiting) -> list[int]:
        if task.crossing not in in_turn:
            x, y = homes.T
            away = np.hypot(x - lattice.x[task.crossing], y - lattice.y[task.crossing])
            away[task.grid] = -1.0
            in_turn[task.crossing] = np.argsort(away, kind="stable").tolist()
        return in_turn[task.crossing]

    def rule(now: float, tasks: Sequence[Waiting], people: Sequence[Seen]) -> Offers:
        known, offers = {who.number: who for who in people}, []
        for task in tasks:
            able = (known[n] for n in near(task) if n in known)
            who = next((who for who in able if task.refused.get(who.number, 0.0) <= now), None)
            if who and may(task, who, now) and now >= task.created + told:
                offers.append((task.number, who.number))
        return offers

    return rule


def by_telephone(lattice: Lattice, speed: float) -> Rule:
    """The same, a quarter of an hour later."""
    return owner_always(lattice, speed, TELEPHONE)


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
    """When everybody would be at a task by the streets, what is committed first."""

    def __init__(self, lattice: Lattice, speed: float) -> None:
        self._lattice, self._speed = lattice, speed

    def travel(self, x: NDArray[np.float64], y: NDArray[np.float64], crossing: int) -> NDArray[np.float64]:
        """Seconds from these places (metres)."""
        lattice = self._lattice
        steps = lattice.steps_to(crossing)[lattice.nearest(x, y)]
        return np.asarray(steps * (lattice.step / self._speed), float)

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


def straight(lattice: Lattice, speed: float) -> Rule:
    """The product, as it is installed."""
    return Desk(lattice, speed)


def roads(lattice: Lattice, speed: float) -> Rule:
    """The product with a road graph."""
    return Desk(lattice, speed, by_roads=True)


def posted(lattice: Lattice, speed: float) -> Rule:
    """The product as it is installed, and whoever is idle waits where something is to be expected."""
    return Posts(lattice, speed, Desk(lattice, speed))


RULES: dict[str, Callable[[Lattice, float], Rule]] = {
    "telephone": by_telephone,
    "owner": owner_always,
    "dot": nearest_dot,
    "idle": nearest_idle,
    "idle-2km": nearest_idle_within,
    "greedy": greedy,
    "roads": roads,
    "straight": straight,
    "posts": posted,
    "free": greedy,
}


def minutes(visits: Sequence[Visit]) -> float:
    return mean(visit.response for visit in visits) / 60


def share(visits: Sequence[Visit]) -> float:
    return 100 * mean(visit.on_time for visit in visits)


def soon(visits: Sequence[Visit]) -> float:
    return 100 * mean(visit.response <= 300 for visit in visits)


def held(visits: Sequence[Visit]) -> int:
    """The most that anybody had accepted at a time."""
    steps = sorted(step for visit in visits for step in ((visit.accepted, 1, visit.by), (visit.done, -1, visit.by)))
    now, most = Counter[int](), 0
    for _, step, who in steps:
        now[who] += step
        most = max(most, now[who])
    return most


def spend(lattice: Lattice, customs: Customs, plan: DayPlan, mode: str, rule: Rule) -> list[Visit]:
    """A day under a rule, at its posts if it gives any."""
    return StreetDay(lattice, customs, plan, mode, rule, rule.give if isinstance(rule, Posts) else None).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--days", nargs="+", choices=DAYS, default=list(DAYS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=1)
    given = parser.parse_args()
    layout, customs = read_plan()
    lattice = Lattice(layout)
    print(f"{'':<10}" + "".join(f"| {name:^29} " for name in given.days) + "| in 5 min | held | CPU s")
    for name in given.rules:
        cells, early, most, began = [], [], 0, time.process_time()
        for day in given.days:
            load, mode = DAYS[day]
            load = FREE if name == "free" else load
            ends = [
                spend(
                    lattice, customs, plan_day(lattice, customs, seed, load), mode, RULES[name](lattice, SPEEDS[mode])
                )
                for seed in range(given.first, given.first + given.seeds)
            ]
            was = PUBLISHED[name][list(DAYS).index(day)] if name in PUBLISHED else None
            told = f"{mean(map(minutes, ends)):5.1f} {mean(map(share, ends)):5.1f} %"
            cells.append(f"| {told} {f'({was[0]:5.1f} {was[1]:5.1f} %)' if was else '':<15} ")
            early.append(f"{mean(map(soon, ends)):.0f}")
            most = max(most, *map(held, ends))
        spent = (time.process_time() - began) / (len(given.days) * given.seeds)
        print(f"{name:<10}{''.join(cells)}| {' '.join(early)} | {most:>4} | {spent:5.1f}", flush=True)


if __name__ == "__main__":
    main()
