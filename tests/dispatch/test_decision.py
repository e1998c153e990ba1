"""Decision records: packed, put away and made again, they give the same choice."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import msgpack
import pytest
from hypothesis import given

from dispatch import decision
from dispatch.decision import recompute, record, standings, written
from dispatch.matching import match
from dispatch.model import NOBODY, Candidate, Task
from dispatch.ranking import Crew, Weights, rank
from dispatch.travel import Travel
from tests.dispatch.street import NOW, at, task, unit
from tests.dispatch.test_matching import city
from tests.dispatch.test_ranking import crews, tasks
from tracker.dispatch_events import is_masked, without
from tracker.model import UnitId

WEIGHTS = Weights()


def put_away(made: dict[str, Any]) -> dict[str, Any]:
    taken: dict[str, Any] = msgpack.unpackb(msgpack.packb(made))
    assert taken == made
    return taken


def check(of: list[Task], crew: Crew, dense: int) -> list[dict[str, Any]]:
    """Decide a round, put all its choices away, and make them again."""
    found = match(of, crew, NOW, dense=dense)
    chosen = {one.task: one for one in found}
    kept = []
    for one in of:
        mine = chosen.get(one.id)
        taken = {other.unit: other.task for other in found}
        kept.append(put_away(record(one, crew, NOW, mine.unit if mine else NOBODY, taken)))
        assert recompute(kept[-1]) == kept[-1]["chosen"] == (mine.unit if mine else "")
        assert standings(kept[-1]) == written(kept[-1])
    return kept


@given(tasks(), crews())
def test_every_choice_is_made_again(of: list[Task], candidates: list[Candidate]) -> None:
    crew = Crew(candidates, WEIGHTS, Travel({"ebike": 1.5}))
    for one, kept in zip(of, check(of, crew, 1 << 60), strict=True):
        assert standings(kept) == rank(one, crew, NOW)
        assert kept["left_out"] == {}


@pytest.mark.parametrize("dense", [0, 1 << 60])
def test_those_of_a_city_too(dense: int) -> None:
    """More than are listed, and tasks that compete."""
    of, candidates = city(3, 400, 60, 1200)
    kept = check(of, Crew(candidates, WEIGHTS, Travel()), dense)
    for one in kept:
        assert len(one["units"]) + sum(one["left_out"].values()) == 400
        assert 100 <= len(one["units"]) <= 201
    assert any(one["left_out"].get("") for one in kept)
    assert len(msgpack.packb(kept[0])) < 20_000


def test_somebody_better_who_was_sent_elsewhere_is_named() -> None:
    crew = Crew([unit("a", -1400), unit("b", 100)], WEIGHTS, Travel())
    one, other = check([task("t1", 0), task("t2", 300)], crew, 1 << 60)
    assert (one["chosen"], other["chosen"]) == ("a", "b")
    assert [(row[0], row[-1]) for row in one["units"]] == [("b", "t2"), ("a", "")]


def test_what_a_dispatcher_chose_is_kept_beside_what_the_rules_would_have() -> None:
    crew = Crew([unit("a", 50), unit("b", 900), unit("c", 10, resting=True)], WEIGHTS, Travel())
    kept = put_away(record(task(), crew, NOW, crew.candidates[2].unit, {}, by="chen"))
    assert (kept["by"], kept["chosen"], recompute(kept)) == ("chen", "c", "a")


def test_nobody_is_a_choice() -> None:
    crew = Crew([unit("a", 0, on_duty=False), unit("b", 0, spot=None)], WEIGHTS, Travel())
    kept = put_away(record(task(), crew, NOW, NOBODY, {}))
    assert recompute(kept) == NOBODY
    assert [row[0] for row in kept["terms"]] == ["off_duty", "no_position"]


def test_a_record_says_by_which_rules() -> None:
    weights = Weights(version="anyang-3", foreign=0, caps=(500.0,))
    crew = Crew([unit("a", 400), unit("b", 300, areas=frozenset({"g1"}))], weights, Travel({"ebike": 2.0}))
    kept = put_away(record(task(), crew, NOW, crew.candidates[1].unit, {}))
    assert kept["weights"]["version"] == "anyang-3"
    assert kept["factors"] == {"walk": 1.35, "ebike": 2.0, "vehicle": 1.35}
    assert recompute(kept) == "b"


def test_one_by_unknown_rules_is_refused() -> None:
    kept = record(task(), Crew([], WEIGHTS, Travel()), NOW, NOBODY, {})
    with pytest.raises(ValueError, match="rules 99"):
        recompute({**kept, "rules": 99})


OLD: dict[str, Any] = {
    "rules": 1,
    "way": "straight_line",
    "weights": {
        "version": "default", "foreign": 120, "lateness": 2.0, "scene": 300, "interval": 30.0, "stale": 60,
        "oldest": 900.0, "fair_each": 30, "fair_most": 90, "cooldown": 900, "backlog": 3,
        "caps": [1500.0, 2500.0, 4000.0], "anybody": 2, "later": 600,
    },
    "factors": {"walk": 1.35, "ebike": 1.35, "vehicle": 1.35},
    "at": 1790000000000,
    "task": ["t", 312304000, 1214737000, "g1", "s1", 0, 1790001800000, ""],
    "mean": 2.33,
    "units": [
        ["a", [312304000, 1214842141], 120.0, 33.0, "ebike", 1, [[312304000, 1214789570, 60.0]], 4, None, ""],
        ["b", [312304000, 1214747514], 5.0, 0.0, "walk", 17, [], 0, None, "t9"],
        ["c", [312304000, 1214747514], 5.0, 0.0, "ebike", 33, [], 3, None, ""],
    ],
    "terms": [],
    "left_out": {},
    "by": "round",
    "chosen": "a",
}  # fmt: skip


def test_one_of_the_first_rules_is_still_what_it_was() -> None:
    """Whoever changes this changes what auditors find, and counts :data:`decision.RULES` on."""
    assert decision.RULES == 1
    assert recompute(OLD) == OLD["chosen"]
    assert [astuple(one) for one in standings(OLD)] == [
        ("b", None, 100, 0, 108, 0, 0, 0, 0, -70, None),
        ("a", None, 500, 264, 204, 0, 120, 10, 60, 50, None),
        ("c", "wrong_area", 100, 0, 41, 0, 120, 0, 0, 20, None),
    ]


def test_whoever_was_chosen_by_hand_is_listed() -> None:
    """However far down he is."""
    everybody = [unit(f"u{n:03d}", 3 * n) for n in range(300)]
    crew = Crew([*everybody, unit("z", 0, spot=at(9000))], WEIGHTS, Travel())
    for chosen in (UnitId("u250"), UnitId("z")):
        kept = put_away(record(task(), crew, NOW, chosen, {}, by="chen"))
        assert [row[0] for row in kept["units"]].count(chosen) == 1
        assert recompute(kept) == "u000"


def test_a_record_without_somebody_is_not_made_again() -> None:
    crew = Crew([unit("a", 100), unit("b", 300)], WEIGHTS, Travel())
    (before,) = check([task("t1", 0)], crew, 1 << 60)
    masked = without("b", before)
    assert is_masked(masked)
    with pytest.raises(ValueError, match="taken out"):
        recompute(masked)
    # What was written of the others can be read.
    assert [one.unit for one in written(masked)] == [UnitId("a"), UnitId("*")]
