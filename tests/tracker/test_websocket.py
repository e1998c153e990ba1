"""Handhelds over WebSocket: a real connection to a real site; what is said is tested with the session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.web.resource import Resource
from twisted.web.server import Site

from protocols.handheld import Client
from protocols.handheld.events import Acknowledged, Rejected, Welcome
from tests.reactor import reactor, run, until
from tests.tracker.helpers import LAT, LON, NOON, House
from tracker.model import DeviceId
from tracker.service import make_listeners
from tracker.tcp import LinkLimits

D1 = DeviceId("d1")


class Socket(WebSocketClientProtocol):  # type: ignore[misc]
    """The device's end."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = False
        self.received: list[bytes] = []
        self.closed: tuple[bool, Any] | None = None

    def onOpen(self) -> None:
        self.opened = True

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        assert isBinary
        self.received.append(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.closed = (wasClean, code)


class Place:
    def __init__(self, house: House, **limits: Any) -> None:
        self.house = house
        self.device = house.register("handheld", "h1")
        self.clock = Clock()
        self.links = house.make_links()
        self.sockets = make_listeners(house.intake, self.links, LinkLimits(**limits), reactor()).handheld_sockets
        self.sockets.now = self.clock.seconds
        self.sockets._looked = 0.0
        self._open: list[Socket] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Place]:
        root: Any = Resource()  # type: ignore[no-untyped-call]
        root.putChild(b"handheld", self.sockets.as_resource())
        site: Any = Site(root)  # type: ignore[no-untyped-call]
        site.timeOut = None
        port = reactor().listenTCP(0, site, interface="127.0.0.1")
        self._port = port.getHost().port
        try:
            yield self
        finally:
            for socket in self._open:
                socket.dropConnection(abort=True)
            await until(lambda: all(s.closed for s in self._open))
            for link in list(self.sockets.links):
                link.dropConnection(abort=True)  # one that is not read does not see that its peer has gone
            await until(lambda: not self.sockets.links)
            await port.stopListening().asFuture(asyncio.get_running_loop())

    async def connect(self) -> Socket:
        factory = WebSocketClientFactory(f"ws://127.0.0.1:{self._port}/handheld", reactor=reactor())
        factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0, autoPingInterval=0)
        made = Socket()
        made.factory = factory
        factory.buildProtocol = lambda addr: made
        reactor().connectTCP("127.0.0.1", self._port, factory)
        await until(lambda: made.opened or made.closed)
        self._open.append(made)
        return made

    def client(self) -> Client:
        client = Client("h1", self.house.token(self.device))
        client.connected(NOON)
        return client

    async def talk(self, socket: Socket, client: Client, answers: int) -> list[Any]:
        """Say what the device has to say, and wait for so many messages."""
        for message in client.messages_to_send(NOON):
            socket.sendMessage(message, isBinary=True)
        while len(socket.received) < answers:
            self.house.settle()
            await asyncio.sleep(0.001)
        got, socket.received = socket.received, []
        return [event for message in got for event in client.receive_message(message, NOON)]


@pytest.fixture
def place(house: House) -> Place:
    return Place(house)


def test_from_hello_to_the_acknowledgement(place: Place) -> None:
    async def work() -> None:
        async with place.listening():
            socket, client = await place.connect(), place.client()
            assert [type(e) for e in await place.talk(socket, client, 1)] == [Welcome]
            assert place.links.connected(D1)
            client.add_position(NOON, LAT, LON)
            assert [type(e) for e in await place.talk(socket, client, 1)] == [Acknowledged]
            assert len(place.house.records) == 1
            assert place.house.intake.counters.connections["handheld"] == 1
            socket.sendClose(1000)
            await until(lambda: not place.links.connected(D1))
            assert place.house.intake.counters.connections["handheld"] == 0

    run(work())


def test_a_refusal_is_told_before_the_close(place: Place) -> None:
    async def work() -> None:
        async with place.listening():
            socket = await place.connect()
            client = Client("h1", "wrong")
            client.connected(NOON)
            assert [type(e) for e in await place.talk(socket, client, 1)] == [Rejected]
            await until(lambda: socket.closed)
            assert socket.closed == (True, 1000)

    run(work())


def test_what_is_stored_after_the_goodbye_is_not_acknowledged_any_more(place: Place) -> None:
    async def work() -> None:
        async with place.listening():
            socket, client = await place.connect(), place.client()
            await place.talk(socket, client, 1)
            client.add_position(NOON, LAT, LON)
            for message in client.messages_to_send(NOON):
                socket.sendMessage(message, isBinary=True)
            (link,) = place.sockets.links
            await until(lambda: link.session is not None and link.session._stored)
            with capturedLogs() as told:
                link._close()
                place.house.settle()
            assert len(place.house.records) == 1
            assert [event for event in told if "log_failure" in event] == []
            await until(lambda: socket.closed)
            assert socket.received == []

    run(work())


def test_text_is_no_message(place: Place) -> None:
    async def work() -> None:
        async with place.listening():
            socket = await place.connect()
            socket.sendMessage(b"hello", isBinary=False)
            await until(lambda: socket.closed)
            assert socket.closed == (True, 3003)
            assert place.house.refused("handheld") == {"text_message": 1}

    run(work())


def test_a_message_that_is_too_long_ends_the_link(place: Place) -> None:
    async def work() -> None:
        async with place.listening():
            socket = await place.connect()
            socket.sendMessage(b"\x00" * (256 * 1024 + 1), isBinary=True)
            await until(lambda: socket.closed)
            await until(lambda: not place.sockets.links)

    run(work())


def test_connections_are_limited(house: House) -> None:
    place = Place(house, connections=1)

    async def work() -> None:
        async with place.listening():
            stranger = await place.connect()
            first, client = await place.connect(), place.client()
            await until(lambda: stranger.closed)  # who does not say who he is keeps nobody out
            assert house.refused("handheld") == {"no_login": 1}
            await place.talk(first, client, 1)
            second = await place.connect()
            await until(lambda: second.closed)
            assert second.closed == (True, 4013)
            assert not first.closed
            assert house.refused("handheld") == {"no_login": 1, "too_many_connections": 1}

    run(work())


def test_strangers_and_silent_devices_are_cut_off(place: Place) -> None:
    async def work() -> None:
        async with place.listening():
            stranger = await place.connect()
            socket, client = await place.connect(), place.client()
            await place.talk(socket, client, 1)
            place.clock.advance(14)
            place.sockets._look()
            assert len(place.sockets.links) == 2
            place.clock.advance(2)
            place.sockets._look()
            await until(lambda: stranger.closed)
            assert not socket.closed
            client.ping(NOON)
            await place.talk(socket, client, 1)
            place.clock.advance(179)
            place.sockets._look()
            assert not socket.closed
            place.clock.advance(2)
            place.sockets._look()
            await until(lambda: socket.closed)
            await until(lambda: not place.links.connected(D1))
            assert place.house.refused("handheld") == {"no_login": 1, "idle": 1}

    run(work())


def test_a_device_that_does_not_read_is_not_read(place: Place) -> None:
    async def work() -> None:
        async with place.listening():
            socket, client = await place.connect(), place.client()
            await place.talk(socket, client, 1)
            (link,) = place.sockets.links
            assert link.transport.producer is link
            link.pauseProducing()  # what the transport calls when its buffer is full
            client.ping(NOON)
            for message in client.messages_to_send(NOON):
                socket.sendMessage(message, isBinary=True)
            await asyncio.sleep(0.02)
            assert socket.received == []
            link.resumeProducing()
            assert len(await place.talk(socket, client, 1)) == 1

    run(work())


def test_a_device_that_sends_too_much_is_slowed_down(house: House) -> None:
    place = Place(house, rate=1000, burst=2000)

    async def work() -> None:
        async with place.listening():
            socket, client = await place.connect(), place.client()
            await place.talk(socket, client, 1)
            for _ in range(200):
                client.ping(NOON)
            for message in client.messages_to_send(NOON):
                socket.sendMessage(message, isBinary=True)
            await until(lambda: house.refused("handheld"))
            assert house.refused("handheld") == {"slowed_down": 1}
            while len(socket.received) < 200:
                place.clock.advance(1)
                place.sockets._look()
                await asyncio.sleep(0.001)

    run(work())


def test_the_sweep_can_be_started_and_stopped(place: Place) -> None:
    place.sockets.start()
    assert place.sockets._sweep.running
    place.sockets.stop()
    place.sockets.stop()
    assert not place.sockets._sweep.running
