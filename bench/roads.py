"""What ways by road cost: one search for a task, a round's survey of everybody's ways, and the round with them, in CPU.

    python -m bench.roads                             # two minutes
    python -m bench.roads --extract city.osm.pbf      # a search over real streets too

The city is a lattice of streets each 100 m, a third of the minor ones missing and main streets every 500 m, over as
many km² as there are collectors; *large* is one of 3,600 km². A search goes 3 km by road, from a task to all within
that; *wide* is one of 8 km, for a task that has been escalated twice. *Survey* is what a round waits for, with all
searches new and with all of them kept. *Stall* is how late another thread of the process comes meanwhile, that wants to
be called each millisecond.
"""

from __future__ import annotations

import argparse
import gc
import io
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, sleep

import numpy as np

from bench.matching import NOW, city
from dispatch.matching import match
from dispatch.model import Spot, Task
from dispatch.ranking import Crew, Weights
from dispatch.road_desk import RoadDesk
from dispatch.roads import Roads
from dispatch.roads_build import Drawn, draw, streets
from dispatch.roads_file import Streets, save
from dispatch.roads_survey import Reaches, Survey
from dispatch.roads_tags import BOTH, HIGHWAYS
from dispatch.travel import Travel, places

BLOCK, MAIN, MISSING = 100.0, 5, 0.35
LARGE = 3600.0
SEARCHES = 200


def spot(east: float, north: float) -> tuple[int, int]:
    """As bench/matching.py lays its cities out."""
    return 312_000_000 + round(north * 89.93), 1_214_000_000 + round(east * 105.1)


def lattice(km2: float, seed: int = 1) -> dict[str, Streets]:
    chance = random.Random(seed)
    count = round(km2**0.5 * 1000 / BLOCK) + 1
    drawn, both = Drawn(), dict.fromkeys(HIGHWAYS, BOTH)

    def node(x: int, y: int) -> tuple[int, int, int]:
        return (x * count + y, *spot(x * BLOCK, y * BLOCK))

    for n in range(count):
        for along in range(count - 1):
            for ends in (((n, along), (n, along + 1)), ((along, n), (along + 1, n))):
                if n % MAIN == 0 or chance.random() >= MISSING:
                    drawn.add(both, False, [node(*end) for end in ends])
    return {mode: one for mode in HIGHWAYS if (one := streets(drawn, mode)) is not None}


def searches(name: str, roads: Roads, mode: str) -> str:
    """CPU of searches from places on the streets, to a hundred others, as a survey makes them."""
    net = roads.nets[mode]
    marks = np.random.default_rng(2).integers(len(net.streets.spots), size=SEARCHES + 100)
    spots = [Spot(*each) for each in net.streets.spots[marks].tolist()]
    crowd = net.locate(places(spots[SEARCHES:]))
    told = []
    for limit in (3000.0, 8000.0):
        each, reached = [], 0
        for task in spots[:SEARCHES]:
            began = process_time()
            reach = net.search(net.locate(places([task])), limit)
            assert reach is not None
            net.metres(reach, crowd)
            each.append((process_time() - began) * 1000)
            reached += len(reach.nodes)
        each.sort()
        told += [f"{median(each):>6.2f} | {each[-3]:>6.2f}", f"{reached // SEARCHES:>7,}"]
    return f"{name:<10} | {mode:<7} | {net.nodes:>9,} | {' | '.join(told)}"


def stalls(tasks: Sequence[Task], crew: Crew, roads: Roads) -> list[float]:
    """Of this thread, ms, while another one waits for ways, with more patience than a server has."""
    desk = RoadDesk(roads, 60.0)
    desk.start()
    worker = threading.Thread(target=desk.ways, args=(tasks, crew))
    late, before = [], perf_counter()
    worker.start()
    while worker.is_alive():
        sleep(0.001)
        now = perf_counter()
        late.append((now - before) * 1000 - 1)
        before = now
    desk.stop()
    return late


def idle() -> list[float]:
    """As :func:`stalls` with nothing to do: what the machine's other users cost."""
    late = []
    for _ in range(1000):
        before = perf_counter()
        sleep(0.001)
        late.append((perf_counter() - before) * 1000 - 1)
    return late


def percentile(late: Sequence[float]) -> float:
    return sorted(late)[int(len(late) * 0.99)]


def rounds(name: str, roads: Roads, km2: float, units: int, tasks: int, count: int) -> str:
    cold, warm, plain, by_road, asked, late = [], [], [], [], [], []
    for seed in range(count):
        candidates, made = city(units, tasks, km2, seed)
        crew, reaches = Crew(candidates, Weights(), Travel()), Reaches()
        gc.collect()
        gc.freeze()
        for told in (cold, warm):
            survey = Survey(made, crew, roads, reaches)
            began = process_time()
            for _ in survey.run():
                pass
            told.append((process_time() - began) * 1000)
        began = process_time()
        match(made, crew, NOW)
        plain.append((process_time() - began) * 1000)
        began = process_time()
        found = match(made, crew, NOW, ways=survey.ways())
        by_road.append((process_time() - began) * 1000)
        asked.append(len(found))
        gc.unfreeze()
        late += stalls(made, crew, roads)
    return (
        f"{name:<10} | {units:>5} × {tasks:<5} | {round(median(asked)):>5} | {median(cold):>6.1f} | "
        f"{median(warm):>6.1f} | {median(plain):>6.1f} | {median(by_road):>7.1f} | "
        f"{percentile(late):>7.1f} | {max(late):>5.1f}"
    )


def size(name: str, of: dict[str, Streets]) -> str:
    file = io.BytesIO()
    save(file, of)
    began = process_time()
    Roads(of)
    return f"{name}: a file of {len(file.getvalue()) / 1e6:.1f} MB, made ready in {process_time() - began:.1f} s of CPU"


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extract", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args(words)
    print(f"nothing at work: {percentile(idle()):.1f} ms late at 99 %, {max(idle()):.1f} at most\n")
    maps = {"100 km²": (100.0, lattice(100.0)), "large": (LARGE, lattice(LARGE))}
    if given.extract:
        drawn = draw(given.extract, lambda ways: None)
        maps["extract"] = (0.0, {mode: one for mode in HIGHWAYS if (one := streets(drawn, mode)) is not None})
    for name, (_, of) in maps.items():
        print(size(name, of), flush=True)
    ready = {name: Roads(of) for name, (_, of) in maps.items()}
    print("\nstreets    | mode    | crossings | CPU ms | worst  | reached | wide   | worst  | reached")
    print("-----------|---------|-----------|--------|--------|---------|--------|--------|--------")
    for name, roads in ready.items():
        for mode in roads.nets if name == "extract" else ("ebike", "vehicle"):
            print(searches(name, roads, mode), flush=True)
    print("\nstreets    | units × tasks | asked | survey | kept   | match  | by road | stall99 | worst")
    print("-----------|---------------|-------|--------|--------|--------|---------|---------|------")
    for name, units, tasks in (("100 km²", 100, 20), ("100 km²", 100, 100), ("large", 3600, 100)):
        print(rounds(name, ready[name], maps[name][0], units, tasks, given.rounds), flush=True)


if __name__ == "__main__":
    main()
