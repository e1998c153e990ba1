"""What a round costs: from candidates and tasks to who is asked for what, in CPU.

    python -m bench.matching            # half a minute

A city has a collector for each km², as cities have; *crowded* is the same number on 64 km². Three in ten are on the way
to something, everybody has a grid and a street, one task in four is late or escalated. *Crew* is the part of it that
makes columns of candidates. *Record* is what writing down one decision costs, which is not part of a round.
"""

from __future__ import annotations

import argparse
import gc
import random
from statistics import median
from time import process_time

import msgpack

from dispatch.decision import record
from dispatch.matching import match
from dispatch.model import NOBODY, Candidate, Spot, Task, TaskId
from dispatch.ranking import Crew, Weights
from dispatch.travel import Travel
from tracker.model import UnitId

NOW = 1_790_000_000_000
MINUTE = 60_000
CROWD_KM2 = 64.0
LIMITS = {(100, 100): 5.0, (1000, 1000): 60.0, (10_000, 1000): 100.0}
"""CPU ms that a round of so many units and tasks may cost."""


def city(units: int, tasks: int, km2: float, seed: int = 1) -> tuple[list[Candidate], list[Task]]:
    chance = random.Random(seed)
    size = km2**0.5 * 1000

    def near(spot: Spot | None, metres: float) -> Spot:
        east, north = (
            (chance.uniform(0, metres), chance.uniform(0, metres)) if spot is None
            else (chance.gauss(0, metres), chance.gauss(0, metres))
        )  # fmt: skip
        start = spot or Spot(312_000_000, 1_214_000_000)
        return Spot(start.latitude + round(north * 89.93), start.longitude + round(east * 105.1))

    candidates = []
    for n in range(units):
        spot = near(None, size)
        count = chance.choices((0, 1, 2, 3), (70, 18, 10, 2))[0]
        vehicle = chance.random() < 0.03
        candidates.append(
            Candidate(
                unit=UnitId(f"c{n:05d}"),
                spot=spot,
                age=chance.uniform(0, 40),
                accuracy=chance.uniform(3, 30),
                mode="vehicle" if vehicle else chance.choices(("ebike", "walk"), (85, 15))[0],
                on_duty=chance.random() < 0.92,
                resting=chance.random() < 0.05,
                kind="vehicle" if vehicle else "person",
                areas=frozenset({f"g{n}"}),
                streets=frozenset(),
                committed=tuple((near(spot, 400.0), 300.0) for _ in range(count)),
                done=chance.randrange(9),
            )
        )
    made = []
    for n in range(tasks):
        level = chance.choices((0, 1, 2), (90, 7, 3))[0]
        made.append(
            Task(
                id=TaskId(f"t{n:05d}"), kind="verify", klass="0101", spot=near(None, size), address="", text="",
                source="bench", created=NOW, limit=30 * MINUTE, warn=NOW, critical=NOW,
                due=NOW + chance.randrange(-10, 50) * MINUTE, grid=f"g{chance.randrange(units)}", street="s1",
                level=level,
            )
        )  # fmt: skip
    chance.shuffle(candidates)
    return candidates, made


def measure(units: int, tasks: int, km2: float, rounds: int) -> str:
    whole, first, kept, size, asked = [], [], [], 0, 0
    for seed in range(rounds):
        candidates, made = city(units, tasks, km2, seed)
        gc.collect()
        gc.freeze()  # as the server does
        began = process_time()
        crew = Crew(candidates, Weights(), Travel())
        between = process_time()
        found = match(made, crew, NOW)
        ended = process_time()
        whole.append((ended - began) * 1000)
        first.append((between - began) * 1000)
        gc.unfreeze()
        taken = {one.unit: one.task for one in found}
        chosen = {one.task: one.unit for one in found}
        some = made[:20]
        began = process_time()
        records = [record(one, crew, NOW, chosen.get(one.id, NOBODY), taken) for one in some]
        kept.append((process_time() - began) * 1000 / len(some))
        size, asked = max(len(msgpack.packb(one)) for one in records), len(found)
    limit = LIMITS.get((units, tasks), "")
    return (
        f"{units:>6} × {tasks:<5} | {'crowded' if km2 == CROWD_KM2 < units else '1 a km²':<8} | {asked:>6} | "
        f"{median(whole):>7.1f} | {max(whole):>7.1f} | {limit:>6} | {median(first):>6.1f} | "
        f"{median(kept):>6.2f} | {size / 1000:>5.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    given = parser.parse_args()
    print("units × tasks  | city     | asked  | CPU ms  | worst   | wanted | crew   | record | kB")
    print("---------------|----------|--------|---------|---------|--------|--------|--------|------")
    for units, tasks in ((100, 100), (400, 400), (1000, 100), (1000, 1000), (10_000, 100), (10_000, 1000)):
        print(measure(units, tasks, float(units), given.rounds), flush=True)
        if units > 100:
            print(measure(units, tasks, CROWD_KM2, given.rounds), flush=True)


if __name__ == "__main__":
    main()
