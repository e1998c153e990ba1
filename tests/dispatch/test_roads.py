"""How far it is by road: over streets drawn by hand, over random ones against a plain search, and over a real city."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.model import Spot
from dispatch.roads import Net, Roads
from dispatch.roads_file import Streets
from dispatch.travel import SPEEDS, places
from tests.dispatch.street import at
from tests.dispatch.town import Town, helsinki, riverside
from tracker.coordinates import distance

HERE = at(0, 0)


def ways(roads: Roads, task: Spot, *starts: Spot, mode: str = "ebike", limit: float = 3000.0) -> list[float | None]:
    return roads.reach(task, starts, mode, limit)


def about(metres: float) -> object:
    """The towns are drawn on a plane, and the earth is none."""
    return pytest.approx(metres, abs=3)


def test_the_other_bank_is_as_far_as_the_bridge() -> None:
    roads = riverside()
    for mode in SPEEDS:
        near, across, bridge = ways(roads, HERE, at(300), at(0, -200), at(1000, -100), mode=mode)
        assert (near, across, bridge) == (about(300), about(2200), about(1100))


def test_vehicles_keep_to_one_way_streets_and_others_do_not() -> None:
    roads, task = riverside(), at(300, 300)
    assert ways(roads, task, at(400, 300), at(0, 100), mode="vehicle") == [about(1700), about(500)]
    for mode in ("walk", "ebike"):
        assert ways(roads, task, at(400, 300), at(0, 100), mode=mode) == [about(100), about(500)]


def test_stairs_are_for_feet() -> None:
    assert ways(riverside(), at(-500, 150), at(-500, 0), mode="walk") == [about(150)]
    assert ways(riverside(), at(-500, 150), at(-500, 0)) == [about(2150)]


def test_a_search_ends_at_its_limit() -> None:
    roads = riverside()
    assert ways(roads, HERE, at(-1900), at(1900, -200), limit=2000.0) == [about(1900), math.inf]
    assert ways(roads, HERE, at(1900, -200), limit=4000.0) == [about(2100)]
    assert ways(roads, at(0, -200), at(0, 0), limit=10.0) == [math.inf]


def test_off_the_roads_nothing_is_known() -> None:
    roads = riverside()
    assert ways(roads, HERE, at(-100, 149), at(-100, 500), Spot(0, 0)) == [about(250), None, None]
    assert ways(roads, at(-100, 500), HERE) == [None]
    assert ways(roads, HERE) == ways(roads, at(-100, 500)) == []
    assert ways(Roads({}), HERE, HERE) == [None]


def test_a_task_beside_the_street_is_as_much_farther_as_it_lies_off() -> None:
    assert ways(riverside(), at(0, -80), at(500, 60)) == [about(640)]


def test_where_one_stands_it_is_no_way() -> None:
    assert ways(riverside(), HERE, HERE, at(10)) == [0, about(10)]


def test_a_vehicle_may_stand_on_either_side_of_a_divided_road() -> None:
    """Lanes of 20 m apart: whoever is sent along the road is on the lane that leads there; on a bicycle and for two
    lanes that are farther apart it is the nearest that counts."""
    divided = (
        Town()
        .way((-900, 0), (900, 0), oneway="yes").way((900, 20), (-900, 20), oneway="yes")
        .way((900, 0), (900, 20)).way((-900, 20), (-900, 0)).roads()
    )  # fmt: skip
    assert ways(divided, at(0, 0), at(300, 2), at(-300, 18), mode="vehicle") == [about(338), about(318)]
    canal = Town().way((-900, 0), (900, 0)).way((-900, 20), (900, 20)).way((900, 0), (900, 20)).roads()
    assert ways(canal, at(0, 0), at(0, 20), at(0, 12)) == [about(1820), about(1828)]


def test_through_a_tunnel_goes_who_does_not_stand_in_it() -> None:
    """Whoever seems to stand on it stands above it."""
    town = Town().way((-200, 0), (0, 0)).way((0, 0), (0, 400), tunnel="yes").way((0, 400), (-200, 400)).roads()
    assert ways(town, at(-200, 0), at(-200, 400)) == [about(800)]
    assert ways(town, at(-200, 0), at(0, 200)) == [None]


# Against a plain search.


@st.composite
def nets(draw: st.DrawFn) -> Streets:
    """Some crossings and streets between them, of any length. Their marks lie on one line, those of each edge far from
    the others'."""
    nodes = draw(st.integers(2, 7))
    edges = draw(
        st.lists(
            st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1), st.integers(1, 400), st.booleans()),
            min_size=1, max_size=14,
        )
    )  # fmt: skip
    marks = [
        (n, share * metres / 2, at(1000.0 * n + 300.0 * share))
        for n, (_, _, metres, _) in enumerate(edges)
        for share in range(3)
    ]
    return Streets(
        ends=np.array([(first, second) for first, second, _, _ in edges], np.int32),
        metres=np.array([metres for _, _, metres, _ in edges], np.float32),
        both=np.array([both for _, _, _, both in edges], np.bool_),
        spots=np.array([(spot.latitude, spot.longitude) for _, _, spot in marks], np.int32),
        edge=np.array([edge for edge, _, _ in marks], np.int32),
        along=np.array([along for _, along, _ in marks], np.float32),
    )


def plain(streets: Streets, start: int, end: int) -> float:
    """From mark to mark, in the direction of travel, mark by mark."""
    onward: dict[tuple[str, int], list[tuple[tuple[str, int], float]]] = defaultdict(list)

    def join(one: tuple[str, int], other: tuple[str, int], metres: float, both: bool) -> None:
        onward[one].append((other, metres))
        if both:
            onward[other].append((one, metres))

    for edge, ((first, second), metres, both) in enumerate(
        zip(streets.ends.tolist(), streets.metres.tolist(), streets.both.tolist(), strict=True)
    ):
        stops = [("node", first), *(("mark", 3 * edge + n) for n in range(3)), ("node", second)]
        for one, other, share in zip(stops, stops[1:], (0.0, 0.5, 0.5, 0.0), strict=False):
            join(one, other, share * metres, both)
    known: dict[tuple[str, int], float] = {}
    heap = [(0.0, ("mark", start))]
    while heap:
        metres, stop = heapq.heappop(heap)
        if stop not in known:
            known[stop] = metres
            for other, more in onward[stop]:
                heapq.heappush(heap, (metres + more, other))
    return known.get(("mark", end), math.inf)


@settings(max_examples=settings().max_examples // 2)
@given(nets(), st.sampled_from([0.0, 30.0]))
def test_it_is_the_shortest_way_there_is(streets: Streets, near: float) -> None:
    net = Net(streets, near)
    place = places([Spot(*spot) for spot in streets.spots.tolist()])
    stands = net.locate(place)
    for end in range(len(place)):
        reach = net.search(stands[end], 1000.0)
        assert reach is not None
        for start, metres in enumerate(net.metres(reach, stands).tolist()):
            wanted = plain(streets, start, end)
            # A mark where an edge ends may be searched from as if it lay a hair off.
            assert metres == (pytest.approx(wanted, abs=1.0) if wanted <= 1000 else math.inf), (start, end)


# A real city.

BAY = [Spot(601790000, 249384000), Spot(601785000, 249450000), Spot(601752000, 249372000)]
"""A bay with a railway along it: on its west shore, on its east shore, and on the west shore farther down."""


def straight(one: Spot, other: Spot) -> float:
    return distance(one.latitude, one.longitude, other.latitude, other.longitude)


def test_in_helsinki_the_way_goes_round_the_bay() -> None:
    west, east, down = BAY
    assert straight(west, east) < 380 < straight(west, down)
    for mode in ("walk", "ebike"):
        across, along = ways(helsinki(), west, east, down, mode=mode)
        assert across is not None
        assert along is not None
        assert along < 600
        assert 2000 < across < 3000


def test_in_helsinki_no_way_is_shorter_than_the_straight_line_and_few_are_much_longer() -> None:
    roads = helsinki()
    for mode, net in roads.nets.items():
        spots = [Spot(*spot) for spot in net.streets.spots[::40].tolist()]
        ratios = []
        for task in spots[::4]:
            for spot, metres in zip(spots, ways(roads, task, *spots, mode=mode, limit=6000.0), strict=True):
                assert metres is not None
                assert metres >= straight(task, spot) - 1.0
                if 300 < straight(task, spot) < 1000:
                    ratios.append(metres / straight(task, spot))
        assert 1.2 < float(np.median(ratios)) < (1.8 if mode == "vehicle" else 1.5), mode


def test_in_helsinki_one_way_streets_are_longer_one_way() -> None:
    roads = helsinki()
    spots = [Spot(*spot) for spot in roads.nets["vehicle"].streets.spots[::100].tolist()]
    there = [ways(roads, spots[0], spot, mode="vehicle", limit=6000.0)[0] for spot in spots]
    back = ways(roads, spots[0], *spots, mode="vehicle", limit=6000.0)
    assert there == back
    assert ways(roads, spots[3], spots[9], mode="vehicle") != ways(roads, spots[9], spots[3], mode="vehicle")
    assert ways(roads, spots[3], spots[9], mode="walk") != [None]
