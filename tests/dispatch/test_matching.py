"""Rounds: the best of all assignments, whichever way it is found, and always the same one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch import matching
from dispatch.matching import Match, match, widened
from dispatch.model import Candidate, Task, TaskState
from dispatch.ranking import NONE, Cells, Crew, Round, Weights
from dispatch.travel import SPEEDS, Travel
from tests.dispatch.street import MINUTE, NOW, at, task, unit
from tests.dispatch.test_ranking import crews, tasks
from tracker.model import UnitId

WEIGHTS, TRAVEL = Weights(), Travel()
WHOLE, SPARSE, CLOSE = 1 << 60, 0, -1
"""As a matrix; everybody within the caps; as where too many stand close together for that."""
EACH = pytest.mark.parametrize("dense", [WHOLE, SPARSE, CLOSE], ids=["whole", "sparse", "close"])
HALF = settings(max_examples=settings().max_examples // 2)
"""Of the examples of other tests: each is tried three ways."""


def go(of: list[Task], candidates: list[Candidate], dense: int = WHOLE) -> list[Match]:
    crew = Crew(candidates, WEIGHTS, TRAVEL)
    if dense != CLOSE:
        return match(of, crew, NOW, dense=dense)
    with patch.object(matching, "_within", return_value=None):
        return match(of, crew, NOW, dense=0)


def pairs(found: list[Match]) -> dict[str, str]:
    return {one.task: one.unit for one in found}


def value(open: Round, found: Sequence[tuple[int, int]]) -> tuple[int, float]:
    """How good an assignment is, the least best: tasks left, then seconds beside leaving them."""
    cost = open.matrix().cost
    return -len(found), float(sum(cost[row, column] - open.later[row] for row, column in found))


def best(open: Round) -> tuple[int, float]:
    """Of all assignments there are."""
    can = open.matrix().reason == NONE

    def rest(row: int, used: frozenset[int]) -> list[list[tuple[int, int]]]:
        if row == len(open.tasks):
            return [[]]
        out = rest(row + 1, used)
        for column in np.flatnonzero(can[row]).tolist():
            if column not in used:
                out = out + [[(row, column), *more] for more in rest(row + 1, used | {column})]
        return out

    return min(value(open, one) for one in rest(0, frozenset()))


def cells_of(open: Round, found: list[Match]) -> list[tuple[int, int]]:
    rows = {one.id: n for n, one in enumerate(open.tasks)}
    return [(rows[one.task], open.crew.index[one.unit]) for one in found]


def check(open: Round, found: list[Match]) -> Cells:
    """Nobody is asked twice or for what he cannot do, and nobody who is free is better than who goes: not in seconds,
    nor by his id. Nothing waits for which somebody is free."""
    cells = open.matrix()
    at = cells_of(open, found)
    assert len({row for row, _ in at}) == len({column for _, column in at}) == len(found)
    free = np.ones(len(open.crew), np.bool_)
    free[[column for _, column in at]] = False
    choice = np.where((cells.reason == NONE) & free, cells.cost, np.inf)
    chosen = dict(at)
    for row, one in enumerate(open.tasks):
        column = chosen.get(row)
        first = choice[row].argmin() if len(open.crew) else 0
        if column is None:
            assert not len(open.crew) or choice[row, first] == np.inf, one.id
        else:
            assert cells.reason[row, column] == NONE
            assert (cells.cost[row, column], column) < (choice[row, first], first)
    for match_, (row, column) in zip(found, at, strict=True):
        assert match_.cost == cells.cost[row, column]
        assert match_.eta == cells.travel[row, column] + open.crew.backlog[column]
    return cells


@EACH
@HALF
@given(of=tasks(), candidates=crews(5))
def test_it_is_the_best_there_is(dense: int, of: list[Task], candidates: list[Candidate]) -> None:
    open = Round(of, Crew(candidates, WEIGHTS, TRAVEL), NOW)
    found = go(of, candidates, dense)
    check(open, found)
    assert value(open, cells_of(open, found)) == best(open)


@EACH
@HALF
@given(of=tasks(), candidates=crews(), chance=st.randoms(use_true_random=False))
def test_the_order_of_input_does_not_matter(
    dense: int, of: list[Task], candidates: list[Candidate], chance: random.Random
) -> None:
    before = go(of, candidates, dense)
    chance.shuffle(of)
    chance.shuffle(candidates)
    assert go(of, candidates, dense) == before


def city(seed: int, units: int, of: int, size: float) -> tuple[list[Task], list[Candidate]]:
    """A square of so many metres with people in it."""
    chance = random.Random(seed)

    def spot() -> tuple[float, float]:
        return chance.uniform(0, size), chance.uniform(0, size)

    candidates = [
        unit(
            f"u{n:04d}", *spot(), mode=chance.choices(list(SPEEDS), (3, 6, 1))[0], areas=frozenset({f"g{n % 50}"}),
            age=chance.choice((5.0, 20.0, 200.0)), accuracy=chance.choice((5.0, 20.0, 200.0)), done=chance.randrange(8),
            streets=frozenset({f"s{n % 3}"} if n % 3 else ()), on_duty=chance.random() < 0.95,
            kind="vehicle" if n % 17 == 0 else "person",
            committed=tuple((at(*spot()), 300.0) for _ in range(chance.choice((0, 0, 0, 1, 2, 3)))),
        )
        for n in range(units)
    ]  # fmt: skip
    made = [
        task(
            f"t{n:04d}", *spot(), grid=f"g{n % 50}", street=f"s{n % 3}", level=chance.choice((0, 0, 0, 1, 2)),
            due=NOW + chance.randrange(-30, 60) * MINUTE, declined={f"u{chance.randrange(units):04d}": NOW - 1000},
        )
        for n in range(of)
    ]  # fmt: skip
    return made, candidates


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("units", "of", "size"), [(300, 80, 6000), (200, 120, 2000), (80, 200, 4000), (400, 60, 300)])
def test_all_ways_agree(
    monkeypatch: pytest.MonkeyPatch, long_run: bool, seed: int, units: int, of: int, size: float
) -> None:
    if seed > 1 and not long_run:
        return
    made, candidates = city(seed, units, of, size)
    open = Round(made, Crew(candidates, WEIGHTS, TRAVEL), NOW)
    whole = go(made, candidates)
    check(open, whole)
    count, cost = value(open, cells_of(open, whole))
    sparse = go(made, candidates, SPARSE)
    check(open, sparse)
    usual = matching.LOOK
    if np.mean((open.matrix().metres < open.cap[:, None]).sum(axis=1)) < usual / 2:
        assert value(open, cells_of(open, sparse)) == (count, cost)
    for look in (1, 5, usual, 1000):
        monkeypatch.setattr(matching, "LOOK", look)
        found = go(made, candidates, CLOSE)
        check(open, found)
        some_count, some_cost = value(open, cells_of(open, found))
        if look == 1000 or (look == usual and units > 3 * of):
            # Everybody was looked at, or there are people enough for all.
            assert (some_count, some_cost) == (count, cost)


@EACH
@pytest.mark.parametrize("nearer", [0, 48, 49, 100])
def test_the_owner_goes_within_the_bonus(dense: int, nearer: int) -> None:
    """At 3.3 m/s and a factor of 1.35 the bonus of 120 s is 293 m."""
    owner, other = unit("z", 1000, areas=frozenset({"g1"})), unit("a", 1000 - 290 - nearer)
    assert pairs(go([task()], [owner, other], dense)) == {"t": "z" if nearer == 0 else "a"}


@EACH
def test_the_nearest_of_both_is_not_always_sent(dense: int) -> None:
    """b is nearest to both tasks, but a can reach only one of them."""
    everybody, of = [unit("a", -1400), unit("b", 100)], [task("t1", 0), task("t2", 300)]
    assert pairs(go(of, everybody, dense)) == {"t1": "a", "t2": "b"}
    assert pairs(go(of[:1], everybody, dense)) == {"t1": "b"}


@EACH
def test_as_many_as_can_be_come_first(dense: int) -> None:
    """Only b can reach t2, though t1 is at his door."""
    everybody, of = [unit("a", -1490), unit("b", 0)], [task("t1", 0), task("t2", 1490)]
    assert pairs(go(of, everybody, dense)) == {"t1": "a", "t2": "b"}


@EACH
def test_a_task_that_is_late_is_not_left_for_one_that_is_not(dense: int) -> None:
    """Its cost is higher for everybody, and would be higher still later."""
    late = task("late", 400, due=NOW - 120 * MINUTE)
    assert pairs(go([late, task("new", 300)], [unit("a", 0)], dense)) == {"late": "a"}


@EACH
def test_of_equals_the_smaller_id_goes(dense: int) -> None:
    everybody = [unit(f"u{n}", 500) for n in (7, 3, 9, 5)]
    assert pairs(go([task()], everybody, dense)) == {"t": "u3"}
    assert {one.unit for one in go([task("t1"), task("t2", 10)], everybody, dense)} == {"u3", "u5"}


@EACH
def test_at_a_task_already(dense: int) -> None:
    """A cost of nothing is a cost."""
    everybody = [unit("a", 0, areas=frozenset({"g1"})), unit("b", 900)]
    [found] = go([task()], everybody, dense)
    assert found == Match(found.task, UnitId("a"), 0, 0)


@EACH
@pytest.mark.parametrize("state", [state for state in TaskState if state is not TaskState.QUEUED])
def test_what_is_not_queued_is_left_alone(dense: int, state: TaskState) -> None:
    assert go([task(state=state)], [unit("a", 0)], dense) == []


@EACH
def test_what_a_dispatcher_has_given_to_somebody_is_left_alone(dense: int) -> None:
    given_ = task("t1", pinned="b")
    assert go([given_], [unit("a", 0), unit("b", 800)], dense) == []
    assert pairs(go([given_, task("t2")], [unit("a", 0), unit("b", 800)], dense)) == {"t2": "a"}


@EACH
def test_nobody_is_asked_for_two_at_a_time(dense: int) -> None:
    of = [task(f"t{n}", 100 * n) for n in range(5)]
    assert Counter(one.unit for one in go(of, [unit("a", 0), unit("b", 50)], dense)) == {"a": 1, "b": 1}


@EACH
def test_nobody_and_nothing(dense: int) -> None:
    assert go([], [unit("a", 0)], dense) == []
    assert go([task()], [], dense) == []
    assert go([task()], [unit("a", 0, on_duty=False), unit("b", 90_000)], dense) == []


def test_an_owner_beyond_all_who_were_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "LOOK", 1)
    monkeypatch.setattr(matching, "NEAREST", 1)
    everybody = [unit(f"a{n}", 300 + n) for n in range(30)] + [unit("z", 500, areas=frozenset({"g1"}))]
    assert pairs(go([task()], everybody, CLOSE)) == {"t": "z"}


def test_where_the_best_within_the_cap_would_be_late_it_is_looked_farther_at_once() -> None:
    """Somebody near has two tasks to do first; somebody far off would be there in time."""
    busy, free = unit("busy", 0, committed=((at(0), 600.0), (at(0), 600.0))), unit("free", 2200)
    crew = Crew([busy, free], WEIGHTS, TRAVEL)

    def asked(minutes: int) -> list[str]:
        sought = widened([task("t", due=NOW + minutes * MINUTE)], crew, NOW)
        return [f"{one.unit} {sought[0].level}" for one in match(sought, crew, NOW)]

    assert asked(60) == ["busy 0"], "in time"
    assert asked(24) == ["free 2"]
    assert asked(1) == ["free 2"], "late in any case, and least so by who is free"
    with patch.object(matching, "DENSE", 1):
        assert asked(24) == ["busy 0"], "a large round has no time for that"
    alone = Crew([free], WEIGHTS, TRAVEL)
    assert widened([task("t")], alone, NOW)[0].level == 0, "nobody at all: that raises the level, and is told"
