"""In the demo city something happens now and then, in the town, in words that its rules know."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from twisted.internet.task import Clock

from demo_tasks import CASES, FIRST_S, MOST_OPEN, PAUSE_S, DemoTasks, Town
from dispatch.desk_model import NewTask
from dispatch.rules import CHECK, VERIFY
from dispatch.rules_file import read_rules
from simulator.city import City, make_city
from tracker.refusal import Refusal

SHIPPED = Path(__file__).resolve().parents[1] / "dispatch" / "cities"


@pytest.fixture(scope="module")
def city() -> City:
    return make_city()


def test_what_happens_is_in_the_town_and_the_rules_know_it(city: City) -> None:
    town = Town(city, Random(1))
    rules = read_rules(SHIPPED / "round-the-clock.toml")
    ring = [point for feature in city.grids["features"] for point in feature["geometry"]["coordinates"][0]]
    west, east = min(x for x, _ in ring), max(x for x, _ in ring)
    south, north = min(y for _, y in ring), max(y for _, y in ring)
    tasks = [town.happens() for _ in range(200)]
    for task in tasks:
        assert task.kind in rules.kinds
        assert task.klass in rules.classes
        assert west < task.spot.longitude / 1e7 < east
        assert south < task.spot.latitude / 1e7 < north
        assert task.address.endswith("号附近")
    assert {task.kind for task in tasks} == {VERIFY, CHECK}
    assert {klass for klass, _ in CASES} == {task.klass for task in tasks}
    assert len({task.spot for task in tasks}) > 190


def test_tasks_come_one_after_the_other_while_there_is_room(city: City) -> None:
    clock, made, open = Clock(), list[NewTask](), [0]

    async def create(new: NewTask, by: str) -> None:
        assert by == "demo"
        made.append(new)
        if len(made) == 2:
            raise Refusal("too_many", "", "")

    tasks = DemoTasks(Town(city, Random(1)), create, lambda: open[0], clock, Random(1))
    tasks.start()
    clock.advance(FIRST_S - 1)
    assert made == []
    clock.pump([1.0] * (1 + 10 * round(PAUSE_S[1])))
    assert 10 <= len(made) <= 40
    before, open[0] = len(made), MOST_OPEN
    clock.pump([1.0] * 1000)
    assert len(made) == before
    tasks.stop()
    assert clock.getDelayedCalls() == []
