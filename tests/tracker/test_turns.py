"""Turns: one by one, a few milliseconds at a time, none while the disk has enough and few while the map lags."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.internet.task import Clock

from tracker.turns import PAUSE, SHARE, SLICE, Turns


class Link:
    """Holds so many parts, each of which takes so many seconds."""

    def __init__(self, name: str, parts: int, house: House, cost: float = 0.0) -> None:
        self.name, self.parts, self.house, self.cost = name, parts, house, cost

    def take_turn(self) -> None:
        self.parts -= 1
        self.house.taken.append(self.name)
        self.house.clock.rightNow += self.cost
        if self.parts:
            self.house.turns.wait(self)


class House:
    def __init__(self, **may: Any) -> None:
        self.clock = Clock()
        self.taken: list[str] = []
        self.turns = Turns(self.clock, **may)


def test_everybody_is_taken_in_turn() -> None:
    house = House()
    for name, parts in (("a", 3), ("b", 1), ("c", 2)):
        house.turns.wait(Link(name, parts, house))
    assert house.taken == [], "not now: who has little to say comes first"
    assert len(house.turns) == 3
    house.clock.advance(0)
    assert house.taken == list("abcaca")
    assert (len(house.turns), house.turns.given) == (0, 6)
    assert not house.clock.getDelayedCalls()


def test_after_a_slice_of_time_everybody_else_comes_first() -> None:
    house = House()
    house.turns.wait(Link("a", 10, house, cost=SLICE / 2))
    rounds = []

    def others() -> None:
        rounds.append(len(house.taken))
        if house.turns:
            house.clock.callLater(0, others)

    house.clock.callLater(0, others)
    while house.clock.getDelayedCalls():
        house.clock.advance(0)
    assert all(later - earlier <= 3 for earlier, later in pairwise(rounds))
    assert len(rounds) >= 4
    assert len(house.taken) == 10


def test_none_while_the_disk_has_enough_and_they_go_on_by_themselves() -> None:
    full = [True]
    house = House(open=lambda: not full[0])
    house.turns.wait(Link("a", 2, house))
    house.clock.pump([PAUSE] * 10)
    assert house.taken == []
    full[0] = False
    house.clock.advance(PAUSE)
    assert house.taken == ["a", "a"]


def test_the_disk_is_asked_before_every_turn() -> None:
    house = House(open=lambda: len(house.taken) < 3)
    for name in "abcdef":
        house.turns.wait(Link(name, 1, house))
    house.clock.advance(0)
    assert house.taken == list("abc")


def test_few_while_the_map_is_behind_but_never_none() -> None:
    behind = [True]
    house = House(hurry=lambda: not behind[0])
    house.turns.wait(Link("a", 50, house))
    house.clock.advance(0)
    assert len(house.taken) == 1
    for number in range(2, 6):
        house.clock.advance(PAUSE)
        assert len(house.taken) == number
    behind[0] = False
    house.clock.advance(PAUSE)
    assert len(house.taken) == 50


def test_while_the_map_is_behind_turns_have_a_share_of_the_time() -> None:
    house = House(hurry=lambda: False)
    house.turns.wait(Link("a", 50, house, cost=0.1))
    house.clock.advance(0)
    assert len(house.taken) == 1
    house.clock.advance(0.1 * SHARE - 0.01)
    assert len(house.taken) == 1
    house.clock.advance(0.01)
    assert len(house.taken) == 2
