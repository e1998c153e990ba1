"""The keeper connects, comes back after every loss, and cuts a link that the weather takes away; time is the test's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock

from protocols.errors import RemoteProtocolError
from simulator.keeper import CLOSING_SECONDS, GREETING_SECONDS, NOTICED_SECONDS, Keeper
from simulator.manner import Network
from simulator.weather import Backoff


class Device:
    """A device that does what the test says and writes down what happens to it."""

    def __init__(self) -> None:
        self.name = "device"
        self.served = False
        self.reachable = True
        self.closing = False
        self.happened: list[str] = []
        self.out: list[bytes] = []
        self.due: int | None = None

    def tick(self, now: int) -> None:
        self.out.append(b"tick")

    def connected(self, now: int) -> None:
        self.happened.append("connected")

    def disconnected(self) -> None:
        self.happened.append("disconnected")
        self.served = self.closing = False

    def receive(self, payload: bytes, now: int) -> list[str]:
        if payload == b"nonsense":
            raise RemoteProtocolError("malformed")
        self.served = True
        return ["welcomed"]

    def to_send(self, now: int) -> list[bytes]:
        out, self.out = self.out, []
        return out

    def get_timer(self) -> int | None:
        return self.due

    def handle_timer(self, now: int) -> None:
        self.happened.append("timer")
        self.due = None


class Link:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.ended: list[str] = []

    def send(self, messages: Sequence[bytes]) -> None:
        self.sent += messages

    def close(self) -> None:
        self.ended.append("close")

    def abort(self) -> None:
        self.ended.append("abort")


class World:
    def __init__(self, network: Network | None = None) -> None:
        self.clock = Clock()
        self.device = Device()
        self.attempts: list[Deferred[object]] = []
        backoff = Backoff(Random(1), first=2.0, limit=30.0)
        self.keeper = Keeper(
            self.clock, self.device, self.connect, interval=5.0, backoff=backoff, now=self.now, network=network,
            random=Random(1),
        )  # fmt: skip

    def now(self) -> int:
        return int(self.clock.seconds() * 1000)

    def connect(self, keeper: Keeper) -> Deferred[object]:
        self.attempts.append(Deferred())
        return self.attempts[-1]

    def link(self) -> Link:
        link = Link()
        self.attempts[-1].callback(None)
        self.keeper.linked(link)
        return link

    def pass_seconds(self, seconds: float) -> None:
        self.clock.pump([0.5] * int(seconds * 2))


@pytest.fixture
def world() -> World:
    world = World()
    world.keeper.start(1.0)
    world.pass_seconds(1)
    return world


def test_it_connects_at_the_first_look_and_sends_what_is_seen(world: World) -> None:
    assert len(world.attempts) == 1
    world.pass_seconds(10)
    assert len(world.attempts) == 1, "one attempt at a time"
    link = world.link()
    world.keeper.received(b"welcome")
    world.pass_seconds(5)
    assert link.sent == [b"tick"] * 4
    assert world.device.happened == ["connected"]


def test_pauses_grow_while_nobody_listens_and_the_collecting_goes_on(world: World) -> None:
    times = []
    for _ in range(2000):
        if not world.attempts[-1].called:
            times.append(world.clock.seconds())
            world.attempts[-1].errback(Refused())
        world.clock.advance(0.5)
    pauses = [b - a for a, b in pairwise(times)]
    assert pauses[0] <= 3
    assert 15 <= max(pauses) <= 31
    assert len(world.device.out) > 150


def test_a_lost_link_is_made_again(world: World) -> None:
    world.link()
    world.keeper.received(b"welcome")
    world.keeper.lost()
    assert world.device.happened == ["connected", "disconnected"]
    world.pass_seconds(5)
    assert len(world.attempts) == 2


def test_a_connection_that_never_becomes_a_link_counts_as_lost(world: World) -> None:
    # A WebSocket whose handshake is refused: the connection stood, the link did not.
    world.attempts[-1].callback(None)
    world.pass_seconds(20)
    assert len(world.attempts) == 1
    world.keeper.lost()
    world.pass_seconds(5)
    assert len(world.attempts) == 2
    assert world.device.happened == []


def test_without_network_the_link_is_cut_and_none_is_tried(world: World) -> None:
    link = world.link()
    world.keeper.received(b"welcome")
    world.device.reachable = False
    world.pass_seconds(5)
    assert link.ended[0] == "abort"
    world.keeper.lost()
    world.pass_seconds(120)
    assert len(world.attempts) == 1
    world.device.reachable = True
    world.pass_seconds(5)
    assert len(world.attempts) == 2


def test_a_server_that_breaks_the_protocol_loses_its_link(world: World) -> None:
    link = world.link()
    world.keeper.received(b"nonsense")
    assert link.ended == ["abort"]


def test_a_port_that_only_accepts_is_left(world: World) -> None:
    link = world.link()
    world.pass_seconds(GREETING_SECONDS + 1)
    assert link.ended == ["abort"]


def test_a_served_link_is_not_left(world: World) -> None:
    link = world.link()
    world.keeper.received(b"welcome")
    world.pass_seconds(10 * GREETING_SECONDS)
    assert link.ended == []


def test_closing_is_asked_once_and_then_forced(world: World) -> None:
    link = world.link()
    world.keeper.received(b"welcome")
    world.device.closing = True
    world.pass_seconds(5)
    assert link.ended == ["close"]
    world.pass_seconds(CLOSING_SECONDS + 5)
    assert link.ended == ["close", "abort"]


def test_timers_of_the_core_are_kept(world: World) -> None:
    world.link()
    world.device.due = world.now() + 2000
    world.keeper.received(b"welcome")
    world.pass_seconds(1.5)
    assert "timer" not in world.device.happened
    world.pass_seconds(1)
    assert world.device.happened == ["connected", "timer"]


def test_stop_leaves_nothing_behind(world: World) -> None:
    link = world.link()
    world.keeper.received(b"welcome")
    world.keeper.stop()
    world.keeper.lost()
    assert link.ended == ["abort"]
    assert world.clock.getDelayedCalls() == []


def test_stop_during_an_attempt_cancels_it(world: World) -> None:
    world.keeper.stop()
    assert world.attempts[0].called
    assert world.clock.getDelayedCalls() == []


@pytest.mark.parametrize(("network", "arrives"), [(Network(loss=0.9), 0), (Network(duplicates=0.9), 1)])
def test_on_a_bad_network_a_link_dies_and_its_end_is_noticed_later(network: Network, arrives: int) -> None:
    world = World(network)
    world.keeper.start(1.0)
    world.pass_seconds(1)
    sent = []
    for _ in range(10):
        link = world.link()
        world.device.out.append(b"hello")
        world.pass_seconds(5)
        world.keeper.received(b"welcome")
        world.pass_seconds(NOTICED_SECONDS[1])
        assert link.ended[:1] == ["abort"]
        sent.append(len(link.sent))
        world.keeper.lost()
        world.pass_seconds(40)
    assert sum(sent) >= 8 * arrives
    assert min(sent) == arrives
