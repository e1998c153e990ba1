"""Who can go and what it costs, against the rule told once more in plain Python, a pair at a time."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.model import Candidate, Task
from dispatch.ranking import NONE, REASONS, Crew, Reason, Round, Standing, Weights, rank
from dispatch.travel import SPEEDS, Travel
from tests.dispatch.street import MINUTE, NOW, at, task, unit

WEIGHTS, TRAVEL = Weights(), Travel()


def reason_of(one: Candidate, of: Task) -> str | None:
    """The hard filters, in their order."""
    start = one.committed[-1][0] if one.committed else one.spot
    metres = TRAVEL.seconds(start, of.spot, one.mode) / TRAVEL.pace(one.mode) if start else 0.0
    stranger = bool(of.street and one.streets and of.street not in one.streets and of.grid not in one.areas)
    tests = {
        "off_duty": not one.on_duty,
        "resting": one.resting,
        "suspect": one.suspect,
        "no_position": one.spot is None,
        "stale": one.age > 900,
        "busy": len(one.committed) >= 3,
        "wrong_role": one.kind == "vehicle" and of.level < 2,
        "wrong_area": stranger and of.level < 2,
        "reporter": of.independent == one.unit,
        "declined": one.unit in of.declined and of.declined[one.unit] > NOW - 15 * MINUTE,
        "too_far": metres > (1500, 2500, 4000, 4000, 4000)[of.level],
    }
    return next((word for word, failed in tests.items() if failed), None)


def terms_of(one: Candidate, of: Task, everybody: list[Candidate]) -> dict[str, float]:
    backlog, start = 0.0, one.spot
    for spot, scene in one.committed:
        backlog += (TRAVEL.seconds(start, spot, one.mode) if start else 0.0) + scene
        start = spot
    assert start is not None
    travel = TRAVEL.seconds(start, of.spot, one.mode)
    done = [other.done for other in everybody if other.on_duty and not other.resting]
    return {
        "backlog": backlog,
        "travel": travel,
        "late": 2 * max(0.0, backlog + travel + 300 - (of.due - NOW) / 1000),
        "foreign": 0 if of.grid and of.grid in one.areas else 120,
        "accuracy": one.accuracy / SPEEDS[one.mode],
        "stale": 60 if one.age > 90 else 0,
        "fair": min(90.0, max(-90.0, 30 * (one.done - (sum(done) / len(done) if done else 0)))),
    }


GRIDS, STREETS = ["g1", "g2", ""], ["s1", "s2", ""]
spots = st.builds(at, st.integers(-3000, 3000), st.integers(-3000, 3000))


def words(of: list[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from([word for word in of if word]), max_size=2)


@st.composite
def crews(draw: Any, most: int = 6) -> list[Candidate]:
    seldom = st.integers(0, 7).map(lambda n: n == 0)
    return [
        unit(
            f"u{n}", 0, spot=None if draw(seldom) else draw(spots), age=draw(st.sampled_from([0.0, 90.0, 91.0, 901.0])),
            accuracy=draw(st.sampled_from([0.0, 8.0, 40.0])), mode=draw(st.sampled_from(list(SPEEDS))),
            on_duty=not draw(seldom), resting=draw(seldom), kind="vehicle" if draw(seldom) else "person",
            areas=draw(words(GRIDS)), streets=draw(words(STREETS)), suspect=draw(seldom), done=draw(st.integers(0, 9)),
            committed=tuple(draw(st.lists(st.tuples(spots, st.integers(0, 600)), max_size=3))),
        )
        for n in range(draw(st.integers(0, most)))
    ]  # fmt: skip


@st.composite
def tasks(draw: Any, most: int = 4) -> list[Task]:
    minutes = st.integers(-60, 60)
    ago = minutes.map(lambda count: NOW - MINUTE * abs(count))
    return [
        task(
            f"t{n}", spot=draw(spots), grid=draw(st.sampled_from(GRIDS)), street=draw(st.sampled_from(STREETS)),
            level=draw(st.integers(0, 4)), due=NOW + MINUTE * draw(minutes),
            independent=draw(st.sampled_from(["", "", "u0", "u1"])),
            declined=draw(st.dictionaries(st.sampled_from(["u0", "u2", "gone"]), ago)),
        )
        for n in range(draw(st.integers(0, most)))
    ]  # fmt: skip


@given(tasks(), crews())
def test_every_pair_is_what_the_rule_says(of: list[Task], candidates: list[Candidate]) -> None:
    crew = Crew(candidates, WEIGHTS, TRAVEL)
    open = Round(of, crew, NOW)
    cells = open.matrix()
    assert cells.cost.shape == (len(of), len(candidates))
    for row, one_task in enumerate(of):
        found = {one.unit: one for one in open.standings(row)}
        assert len(found) == len(candidates)
        for column, one in enumerate(candidates):
            code = int(cells.reason[row, column])
            told = None if code == NONE else str(REASONS[code])
            assert told == reason_of(one, one_task) == found[one.unit].reason
            if one.spot is None:
                continue
            terms, standing = terms_of(one, one_task, candidates), found[one.unit]
            for name, value in terms.items():
                # Lateness is of whole seconds, twice.
                assert getattr(standing, name) == pytest.approx(value, abs=2.6 if name == "late" else 0.55), name
            assert standing.cost == cells.cost[row, column]
            assert standing.eta == standing.backlog + standing.travel


@given(tasks(), crews(), st.randoms(use_true_random=False))
def test_the_order_of_input_does_not_matter(of: list[Task], candidates: list[Candidate], chance: random.Random) -> None:
    before = [rank(one, Crew(candidates, WEIGHTS, TRAVEL), NOW) for one in of]
    chance.shuffle(candidates)
    assert [rank(one, Crew(candidates, WEIGHTS, TRAVEL), NOW) for one in of] == before


@given(tasks(1), crews())
def test_the_list_is_in_order(of: list[Task], candidates: list[Candidate]) -> None:
    for one_task in of:
        found = rank(one_task, Crew(candidates, WEIGHTS, TRAVEL), NOW)
        able = [(one.cost, one.unit) for one in found if one.reason is None]
        assert able == sorted(able)
        assert [one.reason is None for one in found] == [True] * len(able) + [False] * (len(found) - len(able))


def test_all_pairs_and_some_are_the_same() -> None:
    chance = random.Random(4)
    everybody = [
        unit(
            f"u{n}",
            0,
            spot=at(*(chance.uniform(-3000, 3000) for _ in "ab")),
            done=n % 4,
            areas=frozenset({f"g{n % 9}"}),
        )
        for n in range(60)
    ]
    of = [
        task(f"t{n}", chance.uniform(-3000, 3000), grid=f"g{n % 9}", declined={f"u{n}": NOW}, independent=f"u{n + 1}")
        for n in range(40)
    ]
    open = Round(of, Crew(everybody, WEIGHTS, TRAVEL), NOW)
    rows, columns = np.indices((len(of), len(everybody))).reshape(2, -1)
    matrix, pairs = open.matrix(), open.pairs(rows, columns)
    for name in ("reason", "metres", "travel", "foreign", "late", "cost"):
        assert np.array_equal(getattr(matrix, name).reshape(-1), getattr(pairs, name)), name


def test_the_terms_of_somebody_with_two_tasks() -> None:
    """From where the last one is: 660 m and then 330 m by e-bike, with four and five minutes there."""
    busy = unit("a", 0, committed=((at(660), 240.0), (at(990), 300.0)), accuracy=33.0, age=120.0, done=3)
    idle = unit("b", 5000, done=1)
    [standing, _] = rank(task(east=1650, due=NOW + 20 * MINUTE), Crew([busy, idle], WEIGHTS, TRAVEL), NOW)
    assert standing == Standing(
        unit=busy.unit, reason=None, metres=660, backlog=270 + 240 + 135 + 300, travel=270, late=2 * 315, foreign=120,
        accuracy=10, stale=60, fair=30,
    )  # fmt: skip
    assert standing.eta == 1215
    assert standing.cost == 1215 + 630 + 120 + 10 + 60 + 30


def test_the_rules_are_the_citys() -> None:
    weights = Weights(
        foreign=10, lateness=0.0, interval=1.0, stale=7, fair_each=1, fair_most=2, cooldown=1, backlog=1, caps=(100.0,),
        anybody=0,
    )  # fmt: skip
    everybody = [
        unit("a", 99, age=4.0, kind="vehicle", done=10, streets=frozenset({"s2"})),
        unit("b", 101),
        unit("c", 0, committed=((at(0), 1.0),)),
    ]
    of = task(declined={"a": NOW - 1001}, street="s1", due=NOW)
    found = rank(of, Crew(everybody, weights, Travel({"ebike": 1.0})), NOW)
    assert [(one.unit, one.reason) for one in found] == [("a", None), ("c", "busy"), ("b", "too_far")]
    assert found[0].cost == 30 + 10 + 7 + 2


def test_nobody_and_nothing() -> None:
    assert rank(task(), Crew([], WEIGHTS, TRAVEL), NOW) == []
    assert Round([], Crew([unit("a", 0)], WEIGHTS, TRAVEL), NOW).matrix().cost.shape == (0, 1)


def test_reasons_have_room() -> None:
    assert len(Reason) < NONE
