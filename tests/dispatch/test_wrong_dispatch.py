"""Wrong dispatches, each as somebody would complain of it: who looked right, why he is not asked, and who goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from dispatch.decision import recompute, record
from dispatch.matching import match
from dispatch.model import NOBODY, Candidate, Task
from dispatch.ranking import Crew, Weights, rank
from dispatch.travel import Travel
from tests.dispatch.street import MINUTE, NOW, at, task, unit


@dataclass(frozen=True)
class Case:
    """``right`` goes, or nobody. ``wrong`` are excluded for these reasons; those of ``dearer`` could go too."""

    complaint: str
    everybody: list[Candidate]
    right: str
    wrong: dict[str, str] = field(default_factory=dict)
    dearer: tuple[str, ...] = ()
    of: Task = field(default_factory=task)


def owner(id: str, east: float, **about: Any) -> Candidate:
    return unit(id, east, areas=frozenset({"g1"}), **about)


FAR = unit("far", 1400)
SCENE = (at(0), 300.0)
CASES = [
    Case("the dot was from this morning", [unit("ghost", 50, age=4 * 3600.0), FAR], "far", {"ghost": "stale"}),
    Case("the dot was from before the tunnel", [unit("old", 300, age=200.0), unit("new", 400)], "new", dearer=("old",)),
    Case("nobody knew where he was, and he was asked", [unit("lost", 0, spot=None), FAR], "far",
         {"lost": "no_position"}),
    Case("he had gone home", [unit("home", 10, on_duty=False), FAR], "far", {"home": "off_duty"}),
    Case("he was at lunch", [unit("eats", 10, resting=True), FAR], "far", {"eats": "resting"}),
    Case("he had three already", [unit("full", 10, committed=(SCENE,) * 3), FAR], "far", {"full": "busy"}),
    Case("he stood there, but with two things to do first",
         [unit("near", 10, committed=(SCENE,) * 2), unit("free", 700)], "free", dearer=("near",)),
    Case("the nearest dot was on its way to the other end",
         [unit("leaves", 10, committed=((at(1400), 60.0),)), unit("stays", 900)], "stays", dearer=("leaves",)),
    Case("somebody idle was sent across town, past one who was about to be done there",
         [unit("done", 200, committed=((at(100), 30.0),)), unit("idle", 1450)], "done", dearer=("idle",)),
    Case("he had just said no", [unit("no", 10), FAR], "far", {"no": "declined"},
         of=task(declined={"no": NOW - 14 * MINUTE})),
    Case("he had said no in the morning and was never asked again", [unit("no", 10), FAR], "no", dearer=("far",),
         of=task(declined={"no": NOW - 16 * MINUTE})),
    Case("everybody had said no, and the first was asked again at once", [unit("a", 10), unit("b", 20)], "",
         {"a": "declined", "b": "declined"}, of=task(declined={"a": NOW - 5 * MINUTE, "b": NOW - MINUTE})),
    Case("it waited for the owner, who was ill", [owner("ill", 10, on_duty=False), FAR], "far", {"ill": "off_duty"}),
    Case("it waited for the owner, who was at lunch", [owner("eats", 10, resting=True), FAR], "far",
         {"eats": "resting"}),
    Case("the owner was two streets off and a stranger was sent", [owner("own", 300), unit("stranger", 50)], "own",
         dearer=("stranger",)),
    Case("the owner was at the other end of his grid, and somebody stood beside it",
         [owner("own", 900), unit("beside", 50)], "beside", dearer=("own",)),
    Case("the owner had two to do first", [owner("own", 10, committed=(SCENE,) * 2), unit("next", 400)], "next",
         dearer=("own",)),
    Case("he checked what he had reported himself", [owner("self", 10), FAR], "far", {"self": "reporter"},
         of=task(kind="check", independent="self")),
    Case("it was another street's",
         [unit("theirs", 10, streets=frozenset({"s2"})), unit("ours", 1200, streets=frozenset({"s1"}))], "ours",
         {"theirs": "wrong_area"}, of=task(street="s1")),
    Case("nobody of the street was there, and nobody else was asked, twice",
         [unit("theirs", 10, streets=frozenset({"s2"}))], "theirs", of=task(street="s1", level=2)),
    Case("his grid lies in two streets, and it was not given to him",
         [owner("own", 10, streets=frozenset({"s2"})), FAR], "own", dearer=("far",), of=task(street="s1")),
    Case("the patrol vehicle was sent for a picture", [unit("car", 10, kind="vehicle", mode="vehicle"), FAR], "far",
         {"car": "wrong_role"}),
    Case("nobody could come, and the patrol vehicle went by", [unit("car", 10, kind="vehicle", mode="vehicle")], "car",
         of=task(level=2)),
    Case("he was sent from the other end of town", [unit("end", 1600)], "", {"end": "too_far"}),
    Case("it was escalated, and he still was not asked", [unit("end", 1600)], "end", of=task(level=1)),
    Case("it was escalated, and somebody from another town was asked", [unit("town", 4100)], "", {"town": "too_far"},
         of=task(level=4)),
    Case("he was near now, but not where he would be", [unit("turns", 10, committed=((at(2600), 60.0),)), FAR], "far",
         {"turns": "too_far"}),
    Case("he had not answered for an hour, and got one after the other", [unit("mute", 10, suspect=True), FAR], "far",
         {"mute": "suspect"}),
    Case("he was on foot, and the bicycle came from farther and sooner",
         [unit("foot", 500, mode="walk"), unit("bike", 1000)], "bike", dearer=("foot",)),
    Case("the dot was somewhere within a kilometre", [unit("cell", 100, accuracy=1000.0), unit("exact", 500)], "exact",
         dearer=("cell",)),
    Case("it was always the same one", [unit("again", 100, done=9), unit("rests", 200, done=1)], "rests",
         dearer=("again",)),
    Case("it was not his turn, and he came ten minutes late for that", [unit("again", 100, done=9), unit("turn", 1400)],
         "again", dearer=("turn",)),
    Case("it was on the way of one who was sure to be late",
         [owner("late", 100, committed=((at(0), 1300.0),)), unit("able", 1300)], "able", dearer=("late",)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.complaint for case in CASES])
def test_it_ends_right(case: Case) -> None:
    crew = Crew(case.everybody, Weights(), Travel())
    assert [one.unit for one in match([case.of], crew, NOW)] == ([case.right] if case.right else [])
    found = rank(case.of, crew, NOW)
    assert {one.unit: one.reason for one in found if one.reason} == case.wrong
    assert [one.unit for one in found if one.reason is None] == [*([case.right] if case.right else []), *case.dearer]
    kept = record(case.of, crew, NOW, found[0].unit if case.right else NOBODY, {})
    assert recompute(kept) == case.right
    assert kept["way"] == "straight_line"
