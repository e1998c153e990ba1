"""The UDP shell: a session for each address, with limits; what is said is tested with the session."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport

from protocols.jt808 import Terminal
from tests.tracker.helpers import LAT, LON, NOON, House
from tracker.core_session import WAITING_LIMIT
from tracker.model import DeviceId
from tracker.service import make_listeners
from tracker.tcp import LinkLimits

HERE = ("192.0.2.1", 4000)
THERE = ("192.0.2.2", 4000)
D1 = DeviceId("d1")


class Place:
    def __init__(self, house: House, **limits: Any) -> None:
        self.house = house
        self.clock = Clock()
        self.links = house.make_links()
        self.server = make_listeners(house.intake, self.links, LinkLimits(**limits), self.clock).udp["jt808"]
        self.transport = FakeDatagramTransport()  # type: ignore[no-untyped-call]
        self.server.makeConnection(self.transport)
        house.register("jt808", "139")

    def terminal(self, token: str | None = None, address: tuple[str, int] = HERE) -> Terminal:
        carrier = self.house.roster.find("jt808", "139")
        assert carrier is not None
        terminal = Terminal("139", token=self.house.token(carrier.device) if token is None else token)
        terminal.authenticate()
        self.say(terminal, address)
        return terminal

    def say(self, terminal: Terminal, address: tuple[str, int] = HERE) -> None:
        for datagram in terminal.data_to_send():
            self.server.datagramReceived(datagram, address)
        self.hear(terminal, address)

    def hear(self, terminal: Terminal, address: tuple[str, int] = HERE) -> None:
        written, self.transport.written = self.transport.written, []
        for datagram, to in written:
            assert to == address
            terminal.receive_data(datagram)

    def advance(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)


@pytest.fixture
def place(house: House) -> Place:
    return Place(house)


def test_a_position_is_acknowledged_when_it_is_on_disk(place: Place) -> None:
    terminal = place.terminal()
    assert terminal.authenticated
    terminal.position(NOON, LAT, LON)
    place.say(terminal)
    assert terminal.unacknowledged == 1
    place.house.settle()
    place.hear(terminal)
    assert terminal.unacknowledged == 0
    assert len(place.house.records) == 1


def test_another_address_has_to_authenticate_again(place: Place) -> None:
    terminal = place.terminal()
    terminal.position(NOON, LAT, LON)
    place.say(terminal, THERE)
    place.house.settle()
    assert place.house.records == []
    assert place.house.refused("jt808") == {"not_authenticated": 1}
    place.terminal(address=THERE)
    assert place.links.connected(D1)
    assert list(place.server._peers) == [THERE]  # the first session was taken over


def test_a_refused_terminal_is_told_and_forgotten(place: Place) -> None:
    terminal = place.terminal(token="wrong")
    assert not terminal.authenticated
    assert not place.server._peers


def test_a_session_that_was_ended_does_not_end_its_follower(place: Place) -> None:
    terminal = place.terminal()
    place.house.hands.hold()
    terminal.position(NOON, LAT, LON)
    terminal.authenticate("wrong")
    place.say(terminal)
    assert not place.links.connected(D1)
    again = place.terminal()
    assert again.authenticated
    place.house.settle()
    place.house.hands.release()
    assert place.links.connected(D1)
    again.position(NOON + 1, LAT, LON)
    place.say(again)
    place.house.settle()
    assert len(place.house.records) == 2


def test_addresses_are_limited_and_invented_ones_make_room(house: House) -> None:
    place = Place(house, connections=2)
    terminal = place.terminal()
    for port in range(4):
        place.server.datagramReceived(b"\x7e\x00\x7e", ("192.0.2.9", port))
    assert list(place.server._peers) == [HERE, ("192.0.2.9", 3)]
    assert house.refused("jt808")["no_login"] == 3
    # The terminal has been silent for longest, and keeps nobody out for that.
    other = Terminal("140", token=house.token(house.register("jt808", "140")))
    other.authenticate()
    place.say(other, THERE)
    assert other.authenticated
    place.server.datagramReceived(b"\x7e\x00\x7e", ("192.0.2.9", 4))
    assert house.refused("jt808")["too_many_connections"] == 1
    assert terminal.authenticated


def test_invented_addresses_do_not_keep_a_terminal_out(house: House) -> None:
    place = Place(house, connections=2)
    for port in range(4):
        place.server.datagramReceived(b"\x7e\x00\x7e", ("192.0.2.9", port))
    assert place.terminal().authenticated
    assert len(place.server._peers) == 2


def test_strangers_and_silent_peers_are_forgotten(place: Place) -> None:
    terminal = place.terminal()
    place.server.datagramReceived(b"rubbish", THERE)
    assert len(place.server._peers) == 2
    place.advance(20)
    assert list(place.server._peers) == [HERE]
    place.advance(100)
    terminal.heartbeat()
    place.say(terminal)
    place.advance(170)
    assert place.links.connected(D1)
    place.advance(20)
    assert not place.server._peers
    assert not place.links.connected(D1)


def test_what_is_too_much_is_neither_taken_nor_answered(place: Place) -> None:
    terminal = place.terminal()
    place.house.hands.hold()
    for i in range(WAITING_LIMIT + 3):
        terminal.position(NOON + i, LAT, LON)
        place.say(terminal)
    assert place.house.refused("jt808") == {"busy": 3}
    place.house.settle()
    place.house.hands.release()
    place.house.settle()
    place.hear(terminal)
    assert terminal.unacknowledged == 3


def test_a_terminal_that_sends_too_much_is_slowed_down(house: House) -> None:
    place = Place(house, rate=100, burst=1000)
    terminal = place.terminal()
    for _ in range(200):
        terminal.heartbeat()
        place.say(terminal)
    refused = house.refused("jt808")["slowed_down"]
    assert 100 < refused < 199
    place.advance(10)
    terminal.heartbeat()
    place.say(terminal)
    assert house.refused("jt808")["slowed_down"] == refused


def test_stopping_ends_every_session(place: Place) -> None:
    place.terminal()
    place.server.stopProtocol()
    assert not place.links.connected(D1)
    assert not place.clock.getDelayedCalls()
