"""The line of plans: what is about the same waits, the rest goes in one commit, nobody suffers for another's fault."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from dispatch import steps as module
from dispatch.draft import Step
from dispatch.steps import Steps
from tests.tracker.helpers import House
from tracker.intake import StoreFailed
from tracker.refusal import Change, Refusal


class Line:
    def __init__(self, house: House) -> None:
        self.house = house
        self.steps = Steps(house.intake)
        self.book: list[Change] = []
        self.planned: list[str] = []
        self.steps.attach("note", self.book.append)

    def put(self, name: str, *keys: str, fields: Any = None, heavy: bool = False) -> Deferred[Step]:
        def plan(now: int) -> Step:
            self.planned.append(f"{name} sees {len(self.book)}")
            return Step([("note", name, fields or {"at": now})])

        done = self.steps.carry_out(keys or (name,), plan, heavy=heavy)
        done.addErrback(lambda failure: failure)
        return done

    @property
    def names(self) -> list[str]:
        return [id for _, id, _ in self.book]

    @property
    def commits(self) -> list[list[str]]:
        return [[record[3] for record in batch.records] for batch in self.house.batches]


@pytest.fixture
def line(house: House) -> Line:
    return Line(house)


def failure_of(done: Deferred[Any]) -> Exception:
    found: list[Any] = []
    done.addErrback(found.append)
    (failure,) = found
    error: Exception = failure.value
    return error


def test_what_is_about_different_things_is_one_commit_and_what_is_about_the_same_waits(line: Line) -> None:
    line.put("first")
    for name, key in (("a", "x"), ("b", "y"), ("c", "x"), ("d", "z"), ("e", "x")):
        line.put(name, key)
    for _ in range(6):
        line.house.settle()
    assert line.commits == [["first"], ["a", "b", "d"], ["c"], ["e"]]
    assert line.planned == ["first sees 0", "a sees 1", "b sees 1", "d sees 1", "c sees 4", "e sees 5"]


def test_of_heavy_ones_a_few_are_one_commit_and_what_is_light_does_not_wait_for_the_rest(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAVY", 2)
    line.put("first")
    for name in ("a", "b", "c", "d", "e"):
        line.put(name, heavy=True)
    for name, key in (("light", "x"), ("behind", "d")):
        line.put(name, key)
    for _ in range(4):
        line.house.settle()
    assert line.commits == [["first"], ["a", "b", "light"], ["c", "d"], ["e", "behind"]]


def test_whoever_comes_behind_one_that_waits_keeps_its_order(line: Line) -> None:
    """c waits for a; d is about what c is about too, so it must not overtake c."""
    line.put("first")
    line.put("a", "x")
    line.put("c", "x", "y")
    line.put("d", "y")
    for _ in range(6):
        line.house.settle()
    assert line.commits == [["first"], ["a"], ["c"], ["d"]]


def test_a_refusal_is_its_own_and_the_others_go(line: Line) -> None:
    def refuse(now: int) -> Step:
        raise Refusal("no", "no", "不")

    line.put("first")
    one, other = line.steps.carry_out(["x"], refuse), line.put("b")
    line.house.settle()
    line.house.settle()
    assert isinstance(failure_of(one), Refusal)
    assert isinstance(other.result, Step)
    assert line.names == ["first", "b"]


def test_what_cannot_be_written_harms_nobody_else(line: Line) -> None:
    line.put("first")
    bad, good = line.put("bad", fields={"text": "\ud800"}), line.put("good")
    for _ in range(6):
        line.house.settle()
    assert isinstance(failure_of(bad), Refusal)
    assert isinstance(good.result, Step)
    assert line.names == ["first", "good"]


def test_a_disk_that_fails_fails_those_that_were_on_their_way_and_the_next_go(line: Line) -> None:
    line.house.hands.broken = True
    one, two = line.put("a"), line.put("b")
    for _ in range(4):
        line.house.settle()
    assert isinstance(failure_of(one), StoreFailed)
    assert isinstance(failure_of(two), StoreFailed)
    assert line.book == []
    line.house.hands.broken = False
    three = line.put("c")
    for _ in range(20):
        line.house.hands.clock.advance(1)
        line.house.settle()
    assert isinstance(three.result, Step)
    assert line.names == ["c"]


def test_beside_a_step_more_goes_into_its_commit(line: Line) -> None:
    hooks: list[Change] = []
    line.steps.attach("hook", hooks.append)
    line.steps.beside.append(lambda step: [("hook", id, {}) for _, id, _ in step.events])
    line.put("a")
    line.house.settle()
    assert line.commits == [["a", "a"]]
    assert [id for _, id, _ in hooks] == ["a"]


def test_whoever_fails_after_it_is_on_disk_changes_nothing_of_that(line: Line) -> None:
    def told(step: Step) -> None:
        raise ValueError("a listener's fault")

    heard: list[Step] = []
    line.steps.taken += [told, heard.append]
    done = line.put("a")
    with capturedLogs() as logged:
        line.house.settle()
    assert isinstance(done.result, Step)
    assert len(heard) == 1
    assert [event["log_format"] for event in logged] == ["after a step of dispatch"]


def test_what_fails_beside_one_step_or_in_one_book_fails_that_one_alone(line: Line) -> None:
    def beside(step: Step) -> list[Change]:
        if step.events[0][1] == "bad":
            raise ValueError("a fault of ours")
        return []

    def broken(event: Change) -> None:
        raise ValueError("a fault of ours")

    line.steps.beside.append(beside)
    line.steps.attach("broken", broken)
    line.put("first")
    bad, good = line.put("bad"), line.put("good")
    torn = line.steps.carry_out(["torn"], lambda now: Step([("broken", "torn", {}), ("note", "torn", {})]))
    behind = line.put("behind")
    with capturedLogs() as logged:
        for _ in range(6):
            line.house.settle()
    assert isinstance(failure_of(bad), ValueError)
    assert all(isinstance(each.result, Step) for each in (good, torn, behind))
    assert line.names == ["first", "good", "torn", "behind"]
    assert [event["log_format"] for event in logged] == ["what is on disk is not in its book"]


def test_the_line_has_an_end(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING", 3)
    line.put("first")
    waiting = [line.put(name) for name in "abcd"]
    assert isinstance(failure_of(waiting[-1]), StoreFailed)
    line.house.settle()
    line.house.settle()
    assert line.names == ["first", "a", "b", "c"]
