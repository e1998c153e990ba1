"""Rounds over roads: what is searched for them, what is kept of it, and what becomes of choices and their records."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import astuple, replace
from typing import Any
from unittest.mock import patch

import msgpack
import numpy as np
import pytest

from dispatch import matching
from dispatch.decision import recompute, record, standings, written
from dispatch.matching import Match, match
from dispatch.model import NOBODY, Candidate, Spot, Task
from dispatch.ranking import NO_WAYS, NONE, ROADS, STRAIGHT, Crew, Round, Ways, Weights, rank
from dispatch.roads import Roads
from dispatch.roads_survey import Reaches, Survey
from dispatch.travel import SPEEDS, Travel
from tests.dispatch.street import NOW, at, task, unit
from tests.dispatch.test_decision import OLD
from tests.dispatch.test_roads import BAY
from tests.dispatch.town import helsinki, riverside

WEIGHTS = Weights()


def crew_of(*everybody: Candidate) -> Crew:
    return Crew(everybody, WEIGHTS, Travel())


def ways_of(tasks: Iterable[Task], crew: Crew, roads: Roads | None = None) -> Ways:
    survey = Survey(tasks, crew, roads or riverside(), Reaches())
    for _ in survey.run():
        pass
    assert not survey.missing
    return survey.ways()


def known(ways: Ways, crew: Crew, of: Task) -> dict[str, float]:
    columns, metres = ways.of[of.id]
    return {crew.candidates[n].unit: far for n, far in zip(columns.tolist(), metres.tolist(), strict=True)}


def test_everybody_near_is_measured_from_where_he_sets_out() -> None:
    crew = crew_of(
        unit("north", 300), unit("south", 0, -200), unit("walks", 300, mode="walk"),
        unit("busy", 900, committed=((at(100), 60.0),)), unit("far", -1600), unit("park", -100, 500),
        unit("lost", 0, spot=None), unit("round", -700, -200),
    )  # fmt: skip
    found = known(ways_of([task()], crew), crew, task())
    assert {id: round(metres, -1) for id, metres in found.items()} == {
        "north": 300, "south": 2200, "walks": 300, "busy": 100, "round": 2900,
    }  # fmt: skip
    # So are those for whom it is farther than anybody is sent: a metre more than was searched.
    crew = crew_of(unit("round", -900, -200), unit("near", 10))
    assert known(ways_of([task()], crew), crew, task()) == {"near": 10, "round": 3001}
    raised = task(level=1)
    assert known(ways_of([raised], crew), crew, raised)["round"] == pytest.approx(3100, abs=5)


def test_a_standing_says_how_it_was_measured() -> None:
    crew = crew_of(unit("near", 500), unit("south", 0, -200), unit("park", -100, 500), unit("round", -900, -200))
    found = {one.unit: one for one in rank(task(), crew, NOW, ways_of([task()], crew))}
    assert {id: (one.way, one.roads, one.reason) for id, one in found.items()} == {
        "near": (ROADS, 500, None), "south": (ROADS, pytest.approx(2200, abs=3), None), "park": (STRAIGHT, None, None),
        "round": (ROADS, 3001, "too_far"),
    }  # fmt: skip
    assert found["near"].travel == round(500 / SPEEDS["ebike"])
    assert found["park"].travel == round(510 * 1.35 / SPEEDS["ebike"])
    assert [one.metres for one in found.values()] == [500, 510, 200, 922]
    assert {one.way for one in rank(task(), crew, NOW)} == {STRAIGHT}


def test_what_was_searched_is_not_searched_again() -> None:
    reaches = Reaches()
    crew = crew_of(unit("a", 300), unit("b", 400, mode="walk"))

    def searches(*tasks: Task) -> list[bool]:
        return list(Survey(tasks, crew, riverside(), reaches).run())

    assert searches(task()) == [True, True]
    assert searches(task(), task("t2")) == [False] * 4
    assert searches(task(level=1)) == [True, True]
    # Nobody who could go is near, or of that mode.
    assert list(Survey([task()], crew_of(unit("c", 10, resting=True)), riverside(), Reaches()).run()) == []
    everybody = crew_of(unit("a", 300), unit("car", 10, kind="vehicle", mode="vehicle"))
    assert list(Survey([task()], everybody, riverside(), Reaches()).run()) == [True]
    assert list(Survey([task(level=2)], everybody, riverside(), Reaches()).run()) == [True, True]
    assert searches(task("t3", -1900)) == []
    assert len(reaches) == 4


def test_what_is_kept_is_bounded_and_what_was_used_last_stays() -> None:
    reaches, crew = Reaches(1000), crew_of(unit("a", 0))
    first = ("ebike", at(0), 3000.0)
    for n in range(100):
        for _ in Survey([task(east=n), task("t2")], crew, riverside(), reaches).run():
            pass
    assert reaches.nodes <= 1000
    assert 5 < len(reaches) < 100
    assert first in reaches
    assert ("ebike", at(99), 3000.0) in reaches
    assert ("ebike", at(1), 3000.0) not in reaches


def test_without_searching_there_is_what_was_kept() -> None:
    reaches, crew = Reaches(), crew_of(unit("a", 300), unit("b", 400, mode="walk"))
    list(Survey([task()], crew, riverside(), reaches).run())
    both = Survey([task(), task("new", 10)], crew, riverside(), reaches)
    assert list(both.run(searching=False)) == [False, False]
    assert set(both.ways().of) == {"t"}
    assert both.missing == {"new"}


def test_the_most_urgent_task_is_first() -> None:
    crew = crew_of(unit("a", 0))
    survey = Survey([task("t1", 0), task("t2", 100, due=NOW)], crew, riverside(), Reaches())
    steps = survey.run()
    assert [next(steps), next(steps)] == [True, True]
    assert set(survey.ways().of) == {"t2"}
    assert survey.missing == {"t1"}


def test_with_nobody_and_nothing_there_is_nothing() -> None:
    assert ways_of([], crew_of(unit("a", 0))) == ways_of([task()], crew_of()) == NO_WAYS
    assert ways_of([task()], crew_of(unit("a", 0, spot=None))) == NO_WAYS
    assert match([task()], crew_of(unit("a", 0, spot=None)), NOW, ways=NO_WAYS) == []


# Choices.


def town(seed: int, units: int, of: int) -> tuple[list[Task], Crew]:
    """Along the river, on both banks, some of them in the park; more of everything than there are people."""
    chance = random.Random(seed)

    def spot() -> Spot:
        return at(chance.uniform(-1900, 1900), chance.choice([0, 0, -200, -200, 480]))

    everybody = [
        unit(f"u{n:03}", 0, spot=spot(), mode=chance.choice(["walk", "ebike", "ebike", "vehicle"]),
             committed=tuple((spot(), 60.0) for _ in range(chance.choice([0, 0, 0, 1]))), done=chance.randrange(5))
        for n in range(units)
    ]  # fmt: skip
    made = [task(f"t{n:03}", level=chance.choice([0, 0, 0, 1]), spot=spot()) for n in range(of)]
    return made, Crew(everybody, WEIGHTS, Travel({"ebike": 1.6}))


def put_away(made: dict[str, Any]) -> dict[str, Any]:
    taken: dict[str, Any] = msgpack.unpackb(msgpack.packb(made))
    assert taken == made
    return taken


def value(open: Round, found: list[Match]) -> tuple[int, float]:
    cost, rows = open.matrix().cost, {one.id: n for n, one in enumerate(open.tasks)}
    return -len(found), float(
        sum(cost[rows[one.task], open.crew.index[one.unit]] - open.later[rows[one.task]] for one in found)
    )


@pytest.mark.parametrize("seed", range(6))
def test_each_way_of_matching_finds_as_good_an_answer(seed: int) -> None:
    """By road somebody may be nearer than by the straight line with its factor: none of them must miss him."""
    of, crew = town(seed, 150, 40)
    ways = ways_of(of, crew)
    open = Round(of, crew, NOW, ways)
    whole = match(of, crew, NOW, ways=ways)
    assert whole != match(of, crew, NOW)
    for one in match(of, crew, NOW, dense=0, ways=ways), whole:
        assert value(open, one) == value(open, whole)
    with patch.object(matching, "_within", return_value=None):
        assert value(open, match(of, crew, NOW, dense=0, ways=ways)) == value(open, whole)


@pytest.mark.parametrize("seed", range(3))
def test_every_choice_is_made_again(seed: int) -> None:
    of, crew = town(seed, 130, 30)
    # For every fourth task the roads came too late.
    ways = ways_of([one for n, one in enumerate(of) if n % 4], crew)
    found = match(of, crew, NOW, ways=ways)
    taken, chosen = {one.unit: one.task for one in found}, {one.task: one.unit for one in found}
    assert 10 < len(ways.of) < 25
    for one in of:
        kept = put_away(record(one, crew, NOW, chosen.get(one.id, NOBODY), taken, ways=ways))
        assert recompute(kept) == kept["chosen"]
        assert standings(kept) == written(kept)
        listed = {standing.unit for standing in written(kept)}
        ranked = [standing for standing in rank(one, crew, NOW, ways) if standing.unit in listed]
        assert standings(kept) == ranked
        assert kept["way"] == (ROADS if one.id in ways.of else STRAIGHT)
        assert ("roads" in kept) == (one.id in ways.of)


def test_a_record_without_roads_is_what_it_was() -> None:
    of, crew = town(1, 20, 1)
    plain = record(of[0], crew, NOW, NOBODY, {})
    assert record(of[0], crew, NOW, NOBODY, {}, ways=Ways({of[0].id: (np.zeros(0, np.int64), np.zeros(0))})) == plain
    assert "roads" not in plain
    assert [len(terms) for terms in plain["terms"]] == [9] * len(plain["units"])


def test_one_of_the_first_rules_is_still_what_it_was() -> None:
    """Whoever changes this changes what auditors find, and counts ``decision.RULES`` on."""
    old = {**OLD, "way": "roads", "roads": [700, None, 3001], "units": [list(row) for row in OLD["units"]]}
    old["units"][2][5] = 1
    assert [astuple(one) for one in standings(old)] == [
        ("b", None, 100, 0, 108, 0, 0, 0, 0, -70, None),
        ("a", None, 500, 264, 212, 0, 120, 10, 60, 50, 700),
        ("c", "too_far", 100, 0, 909, 0, 120, 0, 0, 20, 3001),
    ]
    assert recompute(old) == "a"


def test_in_helsinki_whoever_is_on_the_same_shore_goes() -> None:
    west, east, down = BAY
    crew = crew_of(unit("across", 0, spot=east), unit("along", 0, spot=down))
    of = replace(task(), spot=west)
    ways = ways_of([of], crew, helsinki())
    assert [one.unit for one in match([of], crew, NOW)] == ["across"]
    assert [one.unit for one in match([of], crew, NOW, ways=ways)] == ["along"]
    kept = put_away(record(of, crew, NOW, crew.candidates[1].unit, {}, ways=ways))
    assert (kept["way"], recompute(kept), kept["units"][0][0]) == (ROADS, "along", "along")
    assert [metres > 2000 for metres in kept["roads"]] == [False, True]


def test_tables_hold_what_pairs_do() -> None:
    of, crew = town(2, 30, 10)
    open = Round(of, crew, NOW, ways_of(of[::2], crew))
    whole = open.matrix()
    assert whole.roads is not None
    assert (whole.reason == NONE).any()
    for row in range(len(open.tasks)):
        one = open.pairs(np.full(len(crew), row), np.arange(len(crew)))
        assert np.array_equal(one.roads, whole.roads[row], equal_nan=True)
        assert np.array_equal(one.cost, whole.cost[row])
        assert np.array_equal(one.reason, whole.reason[row])
