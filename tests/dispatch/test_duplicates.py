"""Tasks that may be the same: an index against everybody with everybody, and how little it looks at."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch import duplicates
from dispatch.duplicates import LINKS, DuplicateIndex
from dispatch.model import Spot, TaskId
from dispatch.rules import Duplicates
from tests.dispatch.walks import START, spot
from tracker.coordinates import distance

HOUR = 3_600_000
RULE = Duplicates(distance_m=50, hours=24)
T = TaskId


def ids(index: DuplicateIndex, task: str) -> list[str]:
    return [link.task for link in index.links(T(task))]


def index_of(*tasks: tuple[str, str, Spot, int], rule: Duplicates = RULE) -> DuplicateIndex:
    index = DuplicateIndex(rule)
    for task, klass, where, created in tasks:
        index.add(T(task), klass, where, created)
    return index


def test_one_class_near_and_soon() -> None:
    index = index_of(
        ("a", "0203", spot(0, 0), START),
        ("b", "0203", spot(30, 39), START + 24 * HOUR),
        ("c", "0203", spot(0, 20), START - 24 * HOUR),
        ("farther", "0203", spot(31, 40), START),
        ("other", "0204", spot(0, 0), START),
        ("later", "0203", spot(0, 0), START + 24 * HOUR + 1),
    )
    assert ids(index, "a") == ["c", "b"]
    assert [(round(link.metres), link.later) for link in index.links(T("a"))] == [(20, -24 * HOUR), (49, 24 * HOUR)]
    assert ids(index, "other") == []
    assert ids(index, "nobody") == []
    assert [link.task for link in index.near("0204", spot(9, 0), START)] == ["other"]


@pytest.mark.parametrize("seed", range(20))
def test_what_was_asked_before_is_answered_as_it_is_now(seed: int) -> None:
    """Links are kept until something comes or goes near them."""
    random = Random(seed)
    index, known = DuplicateIndex(RULE), dict[str, tuple[str, Spot, int]]()
    for _ in range(60):
        task = f"t{random.randrange(12)}"
        if random.random() < 0.3:
            index.remove(T(task))
            known.pop(task, None)
        else:
            known[task] = (random.choice("12"), spot(random.randrange(120), random.randrange(120)), START)
            index.add(T(task), *known[task])
        fresh = index_of(*((task, *about) for task, about in known.items()))
        for task in known:
            assert index.links(T(task)) == fresh.links(T(task))


def test_tasks_come_and_go() -> None:
    index = index_of(("a", "1", spot(0, 0), START), ("b", "1", spot(9, 0), START))
    assert ids(index, "a") == ["b"]
    index.add(T("b"), "1", spot(400, 0), START)
    assert (ids(index, "a"), ids(index, "b"), len(index)) == ([], [], 2)
    index.add(T("b"), "1", spot(0, 9), START)
    assert ids(index, "b") == ["a"]
    index.remove(T("a"))
    index.remove(T("a"))
    assert (ids(index, "b"), len(index)) == ([], 1)
    index.remove(T("b"))
    assert not index._cells


def test_a_place_that_is_wrong_every_day() -> None:
    index = index_of(*((f"{n:02}", "1", spot(0, 0), START) for n in range(40)))
    assert ids(index, "00") == [f"{n:02}" for n in range(1, LINKS + 1)]
    assert ids(index, "39") == [f"{n:02}" for n in range(LINKS)]


@pytest.mark.parametrize("latitude", [0.0, 31.0, -67.0, 89.99, 89.9999999, -90.0])
@pytest.mark.parametrize("longitude", [121.5, 180.0, -179.9999])
def test_anywhere_on_the_globe(latitude: float, longitude: float) -> None:
    centre = Spot(round(latitude * 1e7), round(longitude * 1e7))
    random = Random(5)
    index, there = DuplicateIndex(Duplicates(distance_m=300, hours=1)), {}
    for n in range(60):
        north = max(-900_000_000, min(900_000_000, centre.latitude + random.randint(-40_000, 40_000)))
        east = (centre.longitude + random.randint(-90_000, 90_000) + 1_800_000_000) % 3_600_000_000 - 1_800_000_000
        there[T(f"{n:02}")] = Spot(north, east)
        index.add(T(f"{n:02}"), "1", Spot(north, east), START)
    for task, one in there.items():
        ways = {other: distance(one.latitude, one.longitude, at.latitude, at.longitude) for other, at in there.items()}
        nearest = sorted((way, other) for other, way in ways.items() if way <= 300 and other != task)
        assert [(link.metres, link.task) for link in index.links(task)] == nearest[:LINKS]


TASKS = st.lists(
    st.tuples(st.sampled_from("12"), st.integers(-90, 90), st.integers(-90, 90), st.integers(0, 40)), max_size=14
)


@given(tasks=TASKS)
def test_links_are_what_everybody_compared_with_everybody_gives(tasks: list[tuple[str, int, int, int]]) -> None:
    rows = [(f"{n:02}", klass, spot(x, y), START + hours * HOUR) for n, (klass, x, y, hours) in enumerate(tasks)]
    index = index_of(*rows)
    assert index.near("3", spot(0, 0), START) == []
    for task, klass, where, created in rows:
        expected = {
            other
            for other, of, there, then in rows
            if other != task and of == klass and abs(then - created) <= 24 * HOUR
            and distance(where.latitude, where.longitude, there.latitude, there.longitude) <= 50
        }  # fmt: skip
        assert set(ids(index, task)) == expected
        assert all(task in ids(index, other) for other in expected), "both ways"
    turned = index_of(*reversed(rows))
    assert all(turned.links(T(task)) == index.links(T(task)) for task, *_ in rows), "whatever the order"


def test_ten_thousand_open_tasks_are_hardly_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(1)
    index = DuplicateIndex(RULE)
    for n in range(10_000):
        where = spot(random.uniform(-4000, 4000), random.uniform(-4000, 4000))
        index.add(T(str(n)), f"{random.randrange(20):02}", where, START + random.randrange(48) * HOUR)
    looked = 0

    def counted(*places: int) -> float:
        nonlocal looked
        looked += 1
        return distance(*places)

    monkeypatch.setattr(duplicates, "distance", counted)
    for n in range(10_000):
        index.links(T(str(n)))
    assert looked < 30_000
