"""Ways lead along the streets, are the shortest there are, and end where they should."""

from __future__ import annotations

import itertools
import math
from random import Random

import pytest

from simulator.city import City, make_city
from simulator.routes import Routes, Trip
from simulator.streets import Edge, StreetGraph
from simulator.terrain import Point, Projection, length
from simulator.walker import ON_FOOT, Walker, beat_in_grid

START = 1_790_000_000_000


@pytest.fixture(scope="module")
def city() -> City:
    return make_city()


@pytest.fixture(scope="module")
def routes(city: City) -> Routes:
    return Routes(city.streets, city.projection)


def lattice(size: int) -> StreetGraph:
    """A lattice of 100 m."""
    nodes = tuple(Point(100.0 * x, 100.0 * y) for y in range(size) for x in range(size))
    edges = []
    for n, place in enumerate(nodes):
        for other in (n + 1 if (n + 1) % size else -1, n + size):
            if 0 <= other < len(nodes):
                edges.append(Edge(n, other, 0, False, 0, True, (place, nodes[other]), 100.0, ()))
    return StreetGraph(nodes, tuple(edges))


def test_the_shortest_way_on_a_lattice() -> None:
    routes = Routes(lattice(6), Projection(30, 117))
    way = routes.way(Point(40, 0), Point(460, 290))
    assert length(way) == pytest.approx(420 + 300 + 10), "the last ten metres from the street to the place"
    assert way[0] == Point(40, 0)
    assert way[-1] == Point(460, 290)
    manhattan = Routes(lattice(6), Projection(30, 117)).way(Point(0, 0), Point(500, 500))
    assert length(manhattan) == pytest.approx(1000)


def test_along_one_street_and_back() -> None:
    routes = Routes(lattice(3), Projection(30, 117))
    assert routes.way(Point(20, 0), Point(80, 0)) == [Point(20, 0), Point(80, 0)]
    assert routes.way(Point(80, 0), Point(20, 0)) == [Point(80, 0), Point(20, 0)]
    assert length(routes.way(Point(20, 0), Point(20, 0))) == 0
    assert length(routes.way(Point(50, -30), Point(50, 30))) == pytest.approx(60)


def test_without_streets_straight_on() -> None:
    routes = Routes(StreetGraph((), ()), Projection(30, 117))
    assert routes.way(Point(0, 0), Point(5, 5)) == [Point(0, 0), Point(5, 5)]


def test_ways_through_the_town_keep_to_its_streets(city: City, routes: Routes) -> None:
    random = Random(3)
    on_streets = [place for edge in city.streets.edges for place in edge.path]
    for _ in range(10):
        a, b = random.choice(city.streets.nodes), Point(random.uniform(-1800, 1800), random.uniform(-1800, 1800))
        way = routes.way(a, b)
        assert (way[0], way[-1]) == (a, b)
        assert math.dist(a, b) <= length(way) <= 3 * math.dist(a, b) + 1500
        for p, q in itertools.pairwise(way[:-2]):
            assert math.dist(p, q) < 400
        assert all(min(math.dist(p, s) for s in on_streets) < 130 for p in way[:-1])


def test_a_trip_goes_at_its_speed() -> None:
    trip = Trip([Point(0, 0), Point(0, 100), Point(50, 100)], 5.0)
    assert (trip.place, trip.heading, trip.over) == (Point(0, 0), 0.0, False)
    trip.go(24)
    assert (trip.place, trip.heading) == (Point(20, 100), 90.0)
    trip.go(100)
    assert trip.over
    assert trip.place == Point(50, 100)


def test_a_walker_goes_there_stays_and_comes_back(city: City, routes: Routes) -> None:
    walker = Walker(beat_in_grid(city.streets, 12, city.projection), ON_FOOT, Random(1), START)
    home, now = walker.place, START
    goal = city.streets.nodes[0]
    walker.set_out(routes, goal, 3.3)
    assert walker.away
    speeds = []
    while not walker.there:
        now += 5000
        sighting = walker.step(now)
        speeds.append(sighting.speed)
        assert now < START + 3_600_000
    assert walker.place == goal
    assert sum(speeds) / len(speeds) > 3
    for _ in range(20):
        now += 5000
        assert walker.step(now).speed == 0
    assert walker.place == goal, "and waits"
    walker.come_back(routes, 3.3)
    assert not walker.away
    assert not walker.there
    while walker.place != home:
        now += 5000
        walker.step(now)
        assert now < START + 7_200_000
    walker.step(now + 5000)
    assert math.dist(walker.place, home) < 20, "and walks on"
