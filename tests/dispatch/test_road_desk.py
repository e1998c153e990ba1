"""Nobody waits for the roads: what is there in time is used, for the rest the straight line is, and that is counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
from twisted.logger import globalLogPublisher

from dispatch import road_desk
from dispatch.decision import recompute, record
from dispatch.matching import match
from dispatch.ranking import NO_WAYS, Crew, Weights
from dispatch.road_desk import PATIENCE_S, RoadDesk
from dispatch.roads import Net, Reach, Roads, Standpoints
from dispatch.travel import Travel
from tests.dispatch.street import NOW, task, unit
from tests.dispatch.town import riverside

CREW = Crew([unit("across", 0, -200), unit("along", 700)], Weights(), Travel())
WAIT_S = 30.0
"""For what comes at once unless it never comes."""


@contextmanager
def at_work(roads: Roads, patience: float = WAIT_S) -> Iterator[RoadDesk]:
    desk = RoadDesk(roads, patience)
    desk.start()
    try:
        yield desk
    finally:
        desk.stop()
        desk._thread.join(WAIT_S)
        assert not desk._thread.is_alive()


class Slow(Net):
    """Its searches take as long as somebody lets them."""

    def __init__(self) -> None:
        super().__init__(riverside().nets["ebike"].streets)
        self.begun, self.let = Event(), Event()

    def search(self, task: Standpoints, limit: float = 3000.0) -> Reach | None:
        self.begun.set()
        assert self.let.wait(WAIT_S)
        return super().search(task, limit)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """Whoever waits for it has waited long enough as soon as a search has begun."""
    net = Slow()

    class Impatient(Event):
        def wait(self, timeout: float | None = None) -> bool:
            if timeout != PATIENCE_S:
                return super().wait(timeout)
            assert net.begun.wait(WAIT_S)
            return self.is_set()

    monkeypatch.setattr(road_desk, "Event", Impatient)
    return net


def over(net: Net) -> Roads:
    roads = Roads({})
    roads.nets = {"ebike": net}
    return roads


def goes(desk: RoadDesk, *, way: str) -> str:
    ways = desk.ways([task()], CREW)
    [found] = match([task()], CREW, NOW, ways=ways)
    kept = record(task(), CREW, NOW, found.unit, {}, ways=ways)
    assert recompute(kept) == found.unit
    assert kept["way"] == way
    return found.unit


def test_what_is_there_in_time_is_used() -> None:
    with at_work(riverside()) as desk:
        assert desk.known([task()], CREW) == NO_WAYS
        assert goes(desk, way="roads") == "along"
        assert (desk.asked, desk.late, desk.searches, desk.failures) == (1, 0, 1, 0)
        assert goes(desk, way="roads") == "along"
        assert desk.searches == 1
        assert set(desk.known([task(), task("other", 10)], CREW).of) == {"t"}


def test_for_what_is_not_the_straight_line_holds(slow: Slow) -> None:
    with at_work(over(slow), PATIENCE_S) as desk:
        assert goes(desk, way="straight_line") == "across"
        assert (desk.asked, desk.late) == (1, 1)
        # While that search is under way others wait as little.
        assert goes(desk, way="straight_line") == "across"
        assert (desk.asked, desk.late) == (2, 2)
        slow.let.set()
    with at_work(over(slow)) as desk:
        assert goes(desk, way="roads") == "along"


def test_a_search_that_came_too_late_is_there_for_the_next_round(slow: Slow) -> None:
    with at_work(over(slow), PATIENCE_S) as desk:
        assert desk.ways([task("t1"), task("t2", 100)], CREW) == NO_WAYS
        slow.let.set()
    # The one that was under way; the other was not begun.
    assert desk.searches == 1
    assert set(desk.known([task("t1"), task("t2", 100)], CREW).of) == {"t1"}


def test_before_it_is_started_and_after_it_was_stopped_there_are_straight_lines() -> None:
    desk = RoadDesk(riverside(), 0.0)
    assert goes(desk, way="straight_line") == "across"
    desk.stop()
    desk.start()
    desk._thread.join(WAIT_S)
    assert goes(desk, way="straight_line") == "across"
    assert desk.late == 2


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []

    def note(event: dict[str, Any]) -> None:
        if event["log_namespace"] == "gridbeat.dispatch":
            events.append(event)

    globalLogPublisher.addObserver(note)
    yield events
    globalLogPublisher.removeObserver(note)


def test_a_search_that_fails_costs_nobody_anything(logged: list[dict[str, Any]]) -> None:
    net = Slow()
    net.let.set()

    def fails(reach: Reach, start: Standpoints) -> Any:
        raise ArithmeticError

    with at_work(over(net)) as desk:
        net.metres = fails
        assert goes(desk, way="straight_line") == "across"
        assert (desk.late, desk.failures) == (1, 1)
        del net.metres
        assert goes(desk, way="roads") == "along"
        assert (desk.late, desk.failures) == (1, 1)
    assert [event["log_level"].name for event in logged] == ["critical"]
