"""The TCP shell: limits, silence, back-pressure and rates; what is said is tested with the sessions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IConsumer
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from protocols.handheld import Client, Framer, frame
from protocols.jt808 import Terminal
from tests.reactor import reactor, run, until
from tests.tracker.helpers import LAT, LON, NOON, House
from tracker.core_session import WAITING_LIMIT
from tracker.model import DeviceId
from tracker.service import Listeners, make_listeners
from tracker.tcp import DeviceFactory, DeviceLink, LinkLimits


@implementer(IConsumer)
class Transport(StringTransport):
    """A connection in memory that tells how it was treated."""

    aborted = False

    def __init__(self, address: IPv4Address) -> None:
        super().__init__(peerAddress=address)  # type: ignore[no-untyped-call]
        self.link: DeviceLink | None = None

    def taken(self) -> bytes:
        """What was written since the last time."""
        written: bytes = self.value()  # type: ignore[no-untyped-call]
        self.clear()  # type: ignore[no-untyped-call]
        return written

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.keep_alive = enabled

    def abortConnection(self) -> None:
        self.aborted = True
        assert self.link is not None
        self.link.connectionLost()

    @property
    def reading(self) -> bool:
        return bool(self.producerState == "producing")


class Place:
    def __init__(self, house: House, **limits: Any) -> None:
        self.house = house
        self.clock = Clock()
        self.links = house.make_links()
        self.listeners: Listeners = make_listeners(house.intake, self.links, LinkLimits(**limits), self.clock)
        for factory in (self.listeners.tcp["handheld"], self.listeners.tcp["jt808"]):
            factory.startFactory()

    def connect(self, factory: DeviceFactory, host: str = "192.0.2.1") -> tuple[DeviceLink, Transport] | None:
        address = IPv4Address("TCP", host, 4000)
        link = factory.buildProtocol(address)
        if link is None:
            return None
        transport = Transport(address)
        transport.link = link
        link.makeConnection(transport)
        return link, transport

    def terminal(self) -> tuple[DeviceLink, Transport, Terminal]:
        made = self.connect(self.listeners.tcp["jt808"])
        assert made is not None
        link, transport = made
        device = self.house.roster.find("jt808", "139")
        terminal = Terminal("139", token=self.house.token(device.device) if device else "")
        terminal.authenticate()
        self.send(link, terminal)
        terminal.receive_data(transport.taken())
        return link, transport, terminal

    @staticmethod
    def send(link: DeviceLink, terminal: Terminal) -> None:
        link.dataReceived(b"".join(terminal.data_to_send()))

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.clock.advance(1)


def lost(link: DeviceLink) -> None:
    link.connectionLost()


@pytest.fixture
def place(house: House) -> Place:
    house.register("jt808", "139")
    house.register("handheld", "h1")
    return Place(house)


def connections(place: Place) -> int:
    return place.house.intake.counters.connections["jt808"]


def test_connections_are_limited_in_all_and_by_address(house: House) -> None:
    place = Place(house, connections=3, per_address=2)
    factory = place.listeners.tcp["jt808"]
    first = place.connect(factory, "192.0.2.1")
    assert place.connect(factory, "192.0.2.1") is not None
    assert place.connect(factory, "192.0.2.1") is None
    assert place.connect(factory, "192.0.2.2") is not None
    assert house.refused("jt808") == {"too_many_from_address": 1}
    assert connections(place) == 3
    assert first is not None
    lost(first[0])
    assert connections(place) == 2
    assert place.connect(factory, "192.0.2.1") is not None
    # The other protocol has limits of its own.
    assert place.connect(place.listeners.tcp["handheld"], "192.0.2.1") is not None


def test_who_does_not_log_in_keeps_nobody_out(house: House) -> None:
    house.register("jt808", "139")
    place = Place(house, connections=3)
    factory = place.listeners.tcp["jt808"]
    known = place.terminal()[1]
    strangers = [made[1] for _ in range(2) if (made := place.connect(factory))]
    assert place.connect(factory) is not None
    assert [one.aborted for one in (known, *strangers)] == [False, True, False]
    assert connections(place) == 3
    assert house.refused("jt808") == {"no_login": 1}


def test_devices_keep_their_places(house: House) -> None:
    house.register("jt808", "139")
    place = Place(house, connections=1)
    known = place.terminal()[1]
    assert place.connect(place.listeners.tcp["jt808"]) is None
    assert not known.aborted
    assert house.refused("jt808") == {"too_many_connections": 1}


def test_whoever_does_not_log_in_is_cut_off(place: Place) -> None:
    made = place.connect(place.listeners.tcp["jt808"])
    assert made is not None
    _, stranger = made
    _, known, _ = place.terminal()
    place.advance(15)
    assert not stranger.aborted
    place.advance(6)
    assert stranger.aborted
    assert not known.aborted
    assert place.house.refused("jt808")["no_login"] >= 1


def test_a_stranger_that_keeps_talking_is_cut_off_too(place: Place) -> None:
    made = place.connect(place.listeners.tcp["jt808"])
    assert made is not None
    link, transport = made
    for _ in range(20):
        link.dataReceived(b"\x7e")
        place.advance(1)
    assert transport.aborted


def test_a_silent_link_is_cut_off_and_a_living_one_is_not(place: Place) -> None:
    link, living, terminal = place.terminal()
    place.advance(170)
    terminal.heartbeat()
    place.send(link, terminal)
    place.advance(170)
    assert not living.aborted
    place.advance(20)
    assert living.aborted
    assert place.house.refused("jt808") == {"idle": 1}


def test_the_sweep_lets_old_fragments_go(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    link, _, _ = place.terminal()
    ticks: list[int] = []
    monkeypatch.setattr(type(link.session), "tick", lambda self: ticks.append(1))
    place.advance(6)
    assert ticks


def test_stopping_ends_the_sweep(place: Place) -> None:
    for factory in (place.listeners.tcp["handheld"], place.listeners.tcp["jt808"]):
        factory.stopFactory()
    assert not place.clock.getDelayedCalls()


def test_a_terminal_is_read_no_further_while_its_messages_wait_for_the_disk(place: Place) -> None:
    link, transport, terminal = place.terminal()
    place.house.hands.hold()
    for i in range(WAITING_LIMIT):
        assert transport.reading
        terminal.position(NOON + i, LAT, LON)
        place.send(link, terminal)
    assert not transport.reading
    place.house.settle()
    place.house.hands.release()
    place.house.settle()
    assert transport.reading


def test_a_peer_that_does_not_read_is_not_read(place: Place) -> None:
    link, transport, _ = place.terminal()
    assert transport.producer is link
    assert transport.streaming
    link.pauseProducing()  # what the transport calls when its buffer is full
    assert not transport.reading
    link.resumeProducing()
    assert transport.reading


def test_both_reasons_have_to_end_before_it_is_read_on(place: Place) -> None:
    link, transport, terminal = place.terminal()
    place.house.hands.hold()
    for i in range(WAITING_LIMIT):
        terminal.position(NOON + i, LAT, LON)
        place.send(link, terminal)
    link.pauseProducing()
    link.resumeProducing()
    assert not transport.reading  # the disk still owes
    link.pauseProducing()
    place.house.settle()
    place.house.hands.release()
    place.house.settle()
    assert not transport.reading  # the peer does
    link.resumeProducing()
    assert transport.reading


def test_a_device_that_sends_too_much_is_slowed_down(house: House) -> None:
    house.register("jt808", "139")
    place = Place(house, rate=100, burst=1000)
    link, transport, terminal = place.terminal()
    while transport.reading:
        terminal.heartbeat()
        place.send(link, terminal)
        assert terminal.pending == frozenset()
    assert house.refused("jt808") == {"slowed_down": 1}
    place.advance(6)
    assert transport.reading


def test_a_refused_terminal_is_told_before_it_is_closed(place: Place) -> None:
    made = place.connect(place.listeners.tcp["jt808"])
    assert made is not None
    link, transport = made
    terminal = Terminal("139", token="wrong")
    terminal.authenticate()
    place.send(link, terminal)
    assert [event.result for event in terminal.receive_data(transport.taken())] == [1]  # type: ignore[union-attr]
    assert transport.disconnecting
    assert transport.producer is None


def test_a_take_over_closes_the_first_link(place: Place) -> None:
    _, first, _ = place.terminal()
    _, second, _ = place.terminal()
    assert first.disconnecting
    assert not second.disconnecting


def test_a_link_that_goes_down_logs_its_device_out(place: Place) -> None:
    link, _, _ = place.terminal()
    assert place.links.connected(DeviceId("d1"))
    lost(link)
    assert not place.links.connected(DeviceId("d1"))
    assert connections(place) == 0


def handheld(place: Place) -> tuple[DeviceLink, Transport, Client]:
    made = place.connect(place.listeners.tcp["handheld"])
    assert made is not None
    carrier = place.house.roster.find("handheld", "h1")
    assert carrier is not None
    client = Client("h1", place.house.token(carrier.device))
    client.connected(NOON)
    return (*made, client)


def test_a_handhelds_messages_may_come_in_any_split(place: Place) -> None:
    link, transport, client = handheld(place)
    answers = Framer()
    heard: list[Any] = []
    client.add_position(NOON, LAT, LON)
    for _ in range(3):
        for message in client.messages_to_send(NOON):
            for at in range(len(frame(message))):
                link.dataReceived(frame(message)[at : at + 1])
        place.house.settle()
        for answer in answers.receive_data(transport.taken()):
            heard += client.receive_message(answer, NOON)
    assert [type(event).__name__ for event in heard] == ["Welcome", "Acknowledged"]
    assert len(place.house.records) == 1


def test_a_message_that_is_too_long_is_refused_at_its_announcement(place: Place) -> None:
    link, transport, client = handheld(place)
    link.dataReceived((1 << 30).to_bytes(4, "big"))
    (answer,) = Framer().receive_data(transport.taken())
    assert [event.code for event in client.receive_message(answer, NOON)] == ["too_long"]  # type: ignore[union-attr]
    assert transport.disconnecting
    assert place.house.refused("handheld") == {"too_long": 1}


def test_over_a_real_connection(place: Place) -> None:
    """Answers written past the reactor's round arrive whole and in order."""

    async def work() -> None:
        port = reactor().listenTCP(0, place.listeners.tcp["jt808"], interface="127.0.0.1")
        reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
        carrier = place.house.roster.find("jt808", "139")
        assert carrier is not None
        terminal = Terminal("139", token=place.house.token(carrier.device))
        terminal.authenticate()
        try:
            for i in range(50):
                writer.write(b"".join(terminal.data_to_send()))
                await writer.drain()
                await until(lambda: place.links.connected(DeviceId("d1")))
                if i == 0:
                    terminal.receive_data(await reader.read(65536))
                    assert terminal.authenticated
                else:
                    await until(lambda: place.house.journal.waiting)
                    place.house.settle()
                    while terminal.unacknowledged:
                        terminal.receive_data(await reader.read(65536))
                terminal.position(NOON + i * 1000, LAT, LON)
        finally:
            writer.close()
            await until(lambda: not place.links.connected(DeviceId("d1")))
            await port.stopListening().asFuture(asyncio.get_running_loop())
        assert len(place.house.records) == 49

    place.listeners.tcp["jt808"].stopFactory()  # listenTCP starts it
    run(work())
