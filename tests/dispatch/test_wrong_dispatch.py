"""Wrong dispatches, each as somebody would complain of it: who looked right, why he is not asked, and who goes.

Whoever goes is of an e-bike, idle and on duty if nothing else is said; the task is at 0, in grid g1, and numbers are
metres east of it. :func:`tests.dispatch.town.riverside` says what the roads are where there are any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from dispatch.decision import recompute, record
from dispatch.matching import match
from dispatch.model import NOBODY, Candidate, Spot, Task, TaskState
from dispatch.ranking import NO_WAYS, ROADS, STRAIGHT, Crew, Weights, rank
from dispatch.roads import Roads
from dispatch.roads_survey import Reaches, Survey
from dispatch.travel import Travel
from protocols.report import CoordinateSystem
from tests.dispatch.street import MINUTE, NOW, at, task, unit
from tests.dispatch.town import riverside
from tracker.admission import to_wgs84
from tracker.coordinates import gcj02_to_bd09, wgs84_to_gcj02
from tracker.model import UnitId


@dataclass(frozen=True)
class Case:
    """``right`` goes, or nobody. ``wrong`` are excluded for these reasons; those of ``dearer`` could go too."""

    complaint: str
    everybody: list[Candidate]
    right: str
    wrong: dict[str, str] = field(default_factory=dict)
    dearer: tuple[str, ...] = ()
    of: Task = field(default_factory=task)
    roads: Callable[[], Roads] | None = None
    straight: tuple[str, ...] = ()
    """Whose way is measured straight all the same."""


def owner(id: str, east: float, north: float = 0.0, **about: Any) -> Candidate:
    return unit(id, east, north, areas=frozenset({"g1"}), **about)


def walker(id: str, east: float, north: float = 0.0) -> Candidate:
    return unit(id, east, north, mode="walk")


def car(id: str, east: float, north: float = 0.0) -> Candidate:
    return unit(id, east, north, kind="vehicle", mode="vehicle")


def shifted(spot: Spot, system: int) -> Spot:
    """As a map or a case system says it that speaks another system."""
    latitude, longitude = wgs84_to_gcj02(spot.latitude / 1e7, spot.longitude / 1e7)
    if system == CoordinateSystem.BD09:
        latitude, longitude = gcj02_to_bd09(latitude, longitude)
    return Spot(round(latitude * 1e7), round(longitude * 1e7))


def taken(spot: Spot, system: int) -> Spot:
    """As the server takes it whose system is said."""
    return Spot(*to_wgs84(system, spot.latitude, spot.longitude))


GCJ, BD = CoordinateSystem.GCJ02, CoordinateSystem.BD09
AMAP, BAIDU = shifted(at(0), GCJ), shifted(at(0), BD)
"""The scene, as two maps give it: about 500 m and 1 km off."""
FAR = unit("far", 1400)
SCENE = (at(0), 300.0)
THERE, ELSEWHERE = frozenset({"s1"}), frozenset({"s2"})
CASES = [
    # Positions that are none.
    Case("the dot was from this morning", [unit("ghost", 50, age=4 * 3600.0), FAR], "far", {"ghost": "stale"}),
    Case("the dot was a second older than anything counts", [unit("ghost", 50, age=901.0), FAR], "far",
         {"ghost": "stale"}),
    Case("the dot was from before the tunnel", [unit("old", 300, age=200.0), unit("new", 400)], "new", dearer=("old",)),
    Case("his dot was two minutes old, and somebody came from the other end", [unit("here", 50, age=120.0), FAR],
         "here", dearer=("far",)),
    Case("nobody knew where he was, and he was asked", [unit("lost", 0, spot=None), FAR], "far",
         {"lost": "no_position"}),
    Case("the dot was somewhere within a kilometre", [unit("cell", 100, accuracy=1000.0), unit("exact", 500)], "exact",
         dearer=("cell",)),
    # Duty.
    Case("he had gone home", [unit("home", 10, on_duty=False), FAR], "far", {"home": "off_duty"}),
    Case("he had gone home, and it was urgent enough to ask anybody", [unit("home", 10, on_duty=False)], "",
         {"home": "off_duty"}, of=task(level=4)),
    Case("he was at lunch", [unit("eats", 10, resting=True), FAR], "far", {"eats": "resting"}),
    Case("he was at lunch, and it was overdue", [unit("eats", 10, resting=True), unit("end", 2400)], "end",
         {"eats": "resting"}, of=task(level=1, due=NOW - MINUTE, overdue=True)),
    Case("he had gone home at lunch, and was said to be eating", [unit("both", 10, on_duty=False, resting=True), FAR],
         "far", {"both": "off_duty"}),
    # What he has already.
    Case("he had three already", [unit("full", 10, committed=(SCENE,) * 3), FAR], "far", {"full": "busy"}),
    Case("he stood there, but with two things to do first",
         [unit("near", 10, committed=(SCENE,) * 2), unit("free", 700)], "free", dearer=("near",)),
    Case("the nearest dot was on its way to the other end",
         [unit("leaves", 10, committed=((at(1400), 60.0),)), unit("stays", 900)], "stays", dearer=("leaves",)),
    Case("somebody idle was sent across town, past one who was about to be done there",
         [unit("done", 200, committed=((at(100), 30.0),)), unit("idle", 1450)], "done", dearer=("idle",)),
    Case("he was near now, but not where he would be", [unit("turns", 10, committed=((at(2600), 60.0),)), FAR], "far",
         {"turns": "too_far"}),
    Case("he was far now, and nobody saw that he was on his way here",
         [unit("comes", 2000, committed=((at(100), 60.0),)), unit("end", 1450, mode="walk")], "comes",
         dearer=("end",)),
    # What was said.
    Case("he had just said no", [unit("no", 10), FAR], "far", {"no": "declined"},
         of=task(declined={"no": NOW - 14 * MINUTE})),
    Case("he had said no in the morning and was never asked again", [unit("no", 10), FAR], "no", dearer=("far",),
         of=task(declined={"no": NOW - 16 * MINUTE})),
    Case("everybody had said no, and the first was asked again at once", [unit("a", 10), unit("b", 20)], "",
         {"a": "declined", "b": "declined"}, of=task(declined={"a": NOW - 5 * MINUTE, "b": NOW - MINUTE})),
    Case("he had said no, and on the next level he was asked again a minute later", [unit("no", 10), FAR], "far",
         {"no": "declined"}, of=task(level=3, declined={"no": NOW - MINUTE})),
    Case("he had not answered for an hour, and got one after the other", [unit("mute", 10, suspect=True), FAR], "far",
         {"mute": "suspect"}),
    Case("there was nobody else, and it went to a device that does not answer", [unit("mute", 10, suspect=True)], "",
         {"mute": "suspect"}),
    # Owners.
    Case("it waited for the owner, who was ill", [owner("ill", 10, on_duty=False), FAR], "far", {"ill": "off_duty"}),
    Case("it waited for the owner, who was at lunch", [owner("eats", 10, resting=True), FAR], "far",
         {"eats": "resting"}),
    Case("it waited for the owner, whose device was off", [owner("off", 10, age=3600.0), FAR], "far", {"off": "stale"}),
    Case("the owner was two streets off and a stranger was sent", [owner("own", 300), unit("stranger", 50)], "own",
         dearer=("stranger",)),
    Case("the owner was at the other end of his grid, and somebody stood beside it",
         [owner("own", 900), unit("beside", 50)], "beside", dearer=("own",)),
    Case("the owner had two to do first", [owner("own", 10, committed=(SCENE,) * 2), unit("next", 400)], "next",
         dearer=("own",)),
    Case("it went to the owner of the grid beside it", [unit("next", 60, areas=frozenset({"g2"})), owner("own", 200)],
         "own", dearer=("next",)),
    Case("two own it, and it went to the one who was farther", [owner("one", 600), owner("other", 300)], "other",
         dearer=("one",)),
    # Who checks.
    Case("he checked what he had reported himself", [owner("self", 10), FAR], "far", {"self": "reporter"},
         of=task(kind="check", independent="self")),
    Case("nobody else came, and in the end he checked himself", [owner("self", 10)], "", {"self": "reporter"},
         of=task(kind="check", independent="self", level=4)),
    # Streets and roles.
    Case("it was another street's", [unit("theirs", 10, streets=ELSEWHERE), unit("ours", 1200, streets=THERE)], "ours",
         {"theirs": "wrong_area"}, of=task(street="s1")),
    Case("nobody of the street was there, and nobody else was asked, twice", [unit("theirs", 10, streets=ELSEWHERE)],
         "theirs", of=task(street="s1", level=2)),
    Case("his grid lies in two streets, and it was not given to him", [owner("own", 10, streets=ELSEWHERE), FAR], "own",
         dearer=("far",), of=task(street="s1")),
    Case("he is of no street, and was passed over for that", [unit("any", 10), unit("ours", 1200, streets=THERE)],
         "any", dearer=("ours",), of=task(street="s1")),
    Case("nobody knew which street's it was, and nobody was sent", [unit("theirs", 10, streets=ELSEWHERE)], "theirs"),
    Case("the patrol vehicle was sent for a picture", [car("car", 10), FAR], "far", {"car": "wrong_role"}),
    Case("nobody could come, and the patrol vehicle went by", [car("car", 10)], "car", of=task(level=2)),
    Case("everybody was asked but the vehicle, which would have been there first", [car("car", 1300), FAR], "car",
         dearer=("far",), of=task(level=2)),
    # How far.
    Case("he was sent from the other end of town", [unit("end", 1600)], "", {"end": "too_far"}),
    Case("it was escalated, and he still was not asked", [unit("end", 1600)], "end", of=task(level=1)),
    Case("it was escalated once, and somebody was sent from another district", [unit("end", 2600)], "",
         {"end": "too_far"}, of=task(level=1)),
    Case("it was escalated twice, and that one still was not asked", [unit("end", 2600)], "end", of=task(level=2)),
    Case("it was escalated, and somebody from another town was asked", [unit("town", 4100)], "", {"town": "too_far"},
         of=task(level=4)),
    Case("he was on foot, and the bicycle came from farther and sooner", [walker("foot", 500), unit("bike", 1000)],
         "bike", dearer=("foot",)),
    Case("it was on the way of one who was sure to be late",
         [owner("late", 100, committed=((at(0), 1300.0),)), unit("able", 1300)], "able", dearer=("late",)),
    # Fairness.
    Case("it was always the same one", [unit("again", 100, done=9), unit("rests", 200, done=1)], "rests",
         dearer=("again",)),
    Case("it was not his turn, and he came ten minutes late for that", [unit("again", 100, done=9), unit("turn", 1400)],
         "again", dearer=("turn",)),
    Case("two stood together, and it was never the same one twice", [unit("b", 100), unit("a", 100)], "a",
         dearer=("b",)),
    # Coordinate systems.
    Case("the case system spoke as Amap does, and who stood 500 m off was sent",
         [unit("there", 60), unit("off", 0, spot=AMAP)], "there", dearer=("off",), of=task(spot=taken(AMAP, GCJ))),
    Case("the hotline's point was Baidu's, and it was outside of everybody's reach",
         [unit("there", 60), unit("off", 0, spot=BAIDU)], "there", dearer=("off",), of=task(spot=taken(BAIDU, BD))),
    Case("his telephone speaks as Amap does, and he seemed to be at the next crossing but three",
         [unit("there", 0, spot=taken(AMAP, GCJ)), unit("between", 300)], "there", dearer=("between",)),
    # Over a river.
    Case("he stood on the other bank, and the bridge was a kilometre away",
         [unit("across", 0, -200), unit("bank", 900)], "bank", dearer=("across",), roads=riverside),
    Case("nobody had given the server a map of roads, and he stood on the other bank",
         [unit("across", 0, -200), unit("bank", 900)], "across", dearer=("bank",)),
    Case("he was asked first, though he was on the other bank, for it was his grid",
         [owner("across", 0, -200), unit("bank", 900)], "bank", dearer=("across",), roads=riverside),
    Case("he stood beside the bridge, and the one on this bank at the end of the street was sent",
         [unit("bridge", 900, -200), unit("end", -600)], "bridge", dearer=("end",), of=task(east=900), roads=riverside),
    Case("nobody was on this bank, and nobody was sent", [unit("across", 0, -200)], "across", roads=riverside),
    Case("he was 220 m off, and had four kilometres to go", [unit("across", -900, -200)], "", {"across": "too_far"},
         of=task(east=-900), roads=riverside),
    Case("it was escalated, and he still was not asked, four kilometres round about", [unit("across", -900, -200)],
         "across", of=task(east=-900, level=1), roads=riverside),
    Case("he had one thing to do on this bank, and was counted for the other",
         [unit("soon", 0, -200, committed=((at(100), 60.0),)), unit("bank", 1300)], "soon", dearer=("bank",),
         roads=riverside),
    Case("he was here, and had one thing to do on the other bank",
         [unit("goes", 10, committed=((at(0, -200), 60.0),)), unit("bank", 1300)], "bank", dearer=("goes",),
         roads=riverside),
    Case("the stairs were before his bicycle", [unit("bike", -450), walker("foot", -400)], "foot", dearer=("bike",),
         of=task(east=-500, north=150), roads=riverside),
    Case("the vehicle had passed it in a one-way street", [car("passed", 400, 300), car("behind", -500)], "behind",
         dearer=("passed",), of=task(east=300, north=300, level=2), roads=riverside),
    Case("he stood in a park, where the map has no roads, and was forgotten", [unit("park", -100, 500), FAR], "park",
         dearer=("far",), roads=riverside, straight=("park",)),
    Case("the task was in the park, and everybody was measured to the street",
         [unit("street", 0, 300), unit("park", -200, 600)], "park", dearer=("street",),
         of=task(east=-200, north=500), roads=riverside, straight=("street", "park")),
]  # fmt: skip


def test_there_are_enough() -> None:
    assert len({case.complaint for case in CASES}) == len(CASES) >= 50


@pytest.mark.parametrize("case", CASES, ids=[case.complaint for case in CASES])
def test_it_ends_right(case: Case) -> None:
    crew = Crew(case.everybody, Weights(), Travel())
    ways = NO_WAYS
    if case.roads is not None:
        survey = Survey([case.of], crew, case.roads(), Reaches())
        assert all(survey.run()) or not survey.missing
        ways = survey.ways()
    assert [one.unit for one in match([case.of], crew, NOW, ways=ways)] == ([case.right] if case.right else [])
    found = rank(case.of, crew, NOW, ways)
    assert {one.unit: one.reason for one in found if one.reason} == case.wrong
    assert [one.unit for one in found if one.reason is None] == [*([case.right] if case.right else []), *case.dearer]
    kept = record(case.of, crew, NOW, found[0].unit if case.right else NOBODY, {}, ways=ways)
    assert recompute(kept) == case.right
    by_road = {one.unit for one in found if one.way == ROADS}
    assert by_road == (set() if case.roads is None else {one.unit for one in case.everybody} - set(case.straight))
    assert kept["way"] == (ROADS if by_road else STRAIGHT)


# A dispatcher, and a task that is not to be given out.


@pytest.mark.parametrize(
    ("complaint", "of"),
    [
        ("the dispatcher had given it to her, and a round gave it to another", task(pinned="wang")),
        ("it had been given out, and somebody else was sent as well", task(state=TaskState.ASSIGNED)),
        ("he was on his way, and somebody nearer was sent as well", task(state=TaskState.IN_PROGRESS)),
        ("it had been answered, and somebody was sent again", task(state=TaskState.RESULTED)),
        ("it had been put aside, and somebody was sent", task(state=TaskState.SUSPENDED)),
        ("the case had been withdrawn, and somebody was sent", task(state=TaskState.CANCELLED)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nobody_else_is_sent(complaint: str, of: Task) -> None:
    assert match([of], Crew([unit("near", 10), unit("wang", 900)], Weights(), Travel()), NOW) == []


def test_whom_a_dispatcher_chose_is_written_down_beside_whom_the_rules_would_have() -> None:
    crew = Crew([unit("near", 10), unit("wang", 900)], Weights(), Travel())
    kept = record(task(pinned="wang"), crew, NOW, UnitId("wang"), {}, by="chen")
    assert (kept["chosen"], kept["by"], recompute(kept)) == ("wang", "chen", "near")


# Several at once.


@pytest.mark.parametrize(
    ("complaint", "of", "everybody", "pairs"),
    [
        ("both went to the same one, and the other stood about",
         [task("t1", 0), task("t2", 100)], [unit("a", 50), unit("b", 700)], {"t1": "a", "t2": "b"}),
        ("the nearest was sent to the first, and for the second there was nobody in reach",
         [task("t1", 0), task("t2", 300)], [unit("a", -1400), unit("b", 100)], {"t1": "a", "t2": "b"}),
        ("one was there for two, and took the one that had time", [task("t1", 0), task("t2", 0, due=NOW + 9 * MINUTE)],
         [unit("a", 50)], {"t2": "a"}),
        ("one who could go anywhere was taken from the one whose only candidate she was",
         [task("t1", 0, independent="b"), task("t2", 0)], [unit("a", 10), unit("b", 400)], {"t1": "a", "t2": "b"}),
    ],
)  # fmt: skip
def test_together_they_end_right(
    complaint: str, of: list[Task], everybody: list[Candidate], pairs: dict[str, str]
) -> None:
    crew = Crew(everybody, Weights(), Travel())
    assert {one.task: one.unit for one in match(of, crew, NOW)} == pairs
