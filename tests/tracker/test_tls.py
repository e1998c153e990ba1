"""Listeners behind TLS, over real sockets on a clock that is moved by hand: bytes go through TLS, who does not read is
not written to without end, and nobody holds a connection for nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from protocols.jt808 import Terminal
from storage import authority
from storage.certificates import Certificates, files_of
from tests.reactor import reactor, run, until
from tests.tracker.helpers import LAT, LON, NOON, House
from tests.tracker.test_tcp import Place
from tracker.core_session import WAITING_LIMIT
from tracker.model import DeviceId
from tracker.site import CLOSE_SECONDS, READ_SECONDS, REQUEST_SECONDS, BoundedSite
from tracker.tcp import unread
from tracker.tls import TlsFactory

PIECE = bytes(64 * 1024)
LARGE = 256 << 20
"""Bytes of an answer that no kernel keeps."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data")
    authority.make(data / "tls", "Town", ["127.0.0.1"], datetime.now(UTC))
    return data


@implementer(IPushProducer)
class Flood:
    """Writes for as long as it may."""

    def __init__(self, request: Any) -> None:
        self.request, self.going, self.produced = request, True, 0

    def resumeProducing(self) -> None:
        self.going = True
        self.go()

    def go(self) -> None:
        while self.going and self.produced < LARGE:
            self.produced += len(PIECE)
            self.request.write(PIECE)

    def pauseProducing(self) -> None:
        self.going = False

    def stopProducing(self) -> None:
        self.going = False


class Answers(Resource):
    """``/small``, ``/large`` all at once, ``/flood`` by a producer."""

    isLeaf = True
    flood: Flood
    secure: bool

    def render_GET(self, request: Any) -> Any:
        self.secure = request.isSecure()
        if request.path == b"/large":
            return bytes(32 << 20)
        if request.path == b"/flood":
            self.flood = Flood(request)
            request.registerProducer(self.flood, True)
            self.flood.go()
            return NOT_DONE_YET
        return b"hello"


class Door:
    """A site on a real port, in the clear or behind TLS."""

    def __init__(self, data: Path, tls: bool, connections: int = 100) -> None:
        self.clock = Clock()
        self.answers = Answers()
        self.site = BoundedSite(self.answers, self.clock, body_limit=1000, connections=connections)
        self.tls = tls
        self.trust = ssl.create_default_context(cafile=data / "tls" / "ca.crt")
        files = files_of(data, None, None)
        assert files is not None
        certificates = Certificates(files, data, self.clock, lambda: NOON)
        factory = TlsFactory(certificates, self.site, reactor()) if tls else self.site
        self._port = reactor().listenTCP(0, factory, interface="127.0.0.1")
        self.number = self._port.getHost().port

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client that keeps little in its own buffers."""
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        link.setblocking(False)
        await asyncio.get_running_loop().sock_connect(link, ("127.0.0.1", self.number))
        context = {"ssl": self.trust, "server_hostname": "127.0.0.1"} if self.tls else {}
        reader, writer = await asyncio.open_connection(sock=link, limit=1024, **context)  # type: ignore[arg-type]
        await until(lambda: self.site.protocols)
        return reader, writer

    async def ask(self, path: str, *lines: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self.connect()
        writer.write("\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode())
        await writer.drain()
        return reader, writer

    @property
    def only(self) -> Any:
        (connection,) = self.site.protocols
        return connection

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / 5)):
            self.clock.advance(5)

    async def close(self) -> None:
        for connection in list(self.site.protocols):
            connection.abortConnection()
        await until(lambda: not self.site.protocols)
        await self._port.stopListening().asFuture(asyncio.get_running_loop())
        for call in self.clock.getDelayedCalls():
            call.cancel()


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


Work = Callable[[Door], Awaitable[None]]


@pytest.fixture
def at(data: Path, tls: bool) -> Callable[[Work], None]:
    """Runs work against a door of this kind."""

    def go(work: Work) -> None:
        async def all_of_it() -> None:
            door = Door(data, tls)
            try:
                await work(door)
            finally:
                await door.close()

        run(all_of_it())

    return go


async def gone(door: Door) -> None:
    await until(lambda: not door.site.protocols)


def test_a_request_is_answered_and_knows_how_it_came(at: Callable[[Work], None], tls: bool) -> None:
    async def work(door: Door) -> None:
        reader, writer = await door.ask("/small", "Connection: close")
        assert (await reader.read()).endswith(b"hello")
        assert door.answers.secure is tls
        writer.close()
        await gone(door)

    at(work)


def test_a_large_answer_comes_whole(at: Callable[[Work], None]) -> None:
    async def work(door: Door) -> None:
        reader, writer = await door.ask("/large", "Connection: close")
        got = 0
        while part := await reader.read(1 << 20):
            got += len(part)
        assert got > 32 << 20
        writer.close()
        await gone(door)

    at(work)


def test_whoever_does_not_read_is_not_written_to_without_end(at: Callable[[Work], None]) -> None:
    async def work(door: Door) -> None:
        _, writer = await door.ask("/flood")
        await until(lambda: hasattr(door.answers, "flood") and not door.answers.flood.going)
        assert door.answers.flood.produced < 32 << 20
        writer.transport.abort()
        await gone(door)

    at(work)


def test_whoever_does_not_read_its_answer_is_cut_off(at: Callable[[Work], None]) -> None:
    async def work(door: Door) -> None:
        _, writer = await door.ask("/large")
        await until(lambda: unread(door.only.transport))
        door.advance(READ_SECONDS)
        assert door.site.protocols
        door.advance(10)
        await gone(door)
        writer.transport.abort()

    at(work)


def test_whoever_reads_slowly_but_reads_is_not(at: Callable[[Work], None]) -> None:
    async def work(door: Door) -> None:
        reader, writer = await door.ask("/large")
        await until(lambda: unread(door.only.transport))
        for _ in range(10):
            door.advance(READ_SECONDS - 5)
            before = unread(door.only.transport)
            got = 0
            while got < 1 << 20 or unread(door.only.transport) > before - (256 << 10):
                got += len(await reader.read(1 << 16))
        assert door.site.protocols
        writer.transport.abort()
        await gone(door)

    at(work)


def test_an_idle_connection_costs_no_look_at_its_socket(
    at: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(door: Door) -> None:
        reader, writer = await door.ask("/small")
        while b"hello" not in await reader.read(1000):
            pass
        await until(lambda: not unread(door.only.transport))
        door.advance(5)
        looks: list[Any] = []
        monkeypatch.setattr("tracker.site.unread", lambda transport: looks.append(transport) or 0)
        door.advance(30)
        assert looks == []
        writer.transport.abort()
        await gone(door)

    at(work)


def test_a_handshake_that_never_comes_to_its_end_is_cut(data: Path) -> None:
    async def work() -> None:
        door = Door(data, True)
        for said in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"):
            _, writer = await asyncio.open_connection("127.0.0.1", door.number)
            writer.write(said)
            await until(lambda: door.site.protocols)
            door.advance(REQUEST_SECONDS)
            assert door.site.protocols
            door.advance(10)
            await gone(door)
            writer.transport.abort()
        await door.close()

    run(work())


def test_a_goodbye_that_never_comes_is_not_waited_for(data: Path) -> None:
    """The client reads the answer and the alert, and then neither answers nor hangs up."""

    async def work() -> None:
        door = Door(data, True)
        link = socket.create_connection(("127.0.0.1", door.number))
        link.setblocking(False)
        inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = door.trust.wrap_bio(inward, outward, server_hostname="127.0.0.1")
        loop = asyncio.get_running_loop()
        answer = b""
        asked = False
        while b"hello" not in answer:
            try:
                if not asked:
                    client.do_handshake()
                    client.write(b"GET /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    asked = True
                answer += client.read(65536)
            except ssl.SSLWantReadError:
                if outward.pending:
                    await loop.sock_sendall(link, outward.read())
                inward.write(await loop.sock_recv(link, 65536))
            if outward.pending:
                await loop.sock_sendall(link, outward.read())
        await until(lambda: door.only.closing and not unread(door.only.transport))
        door.advance(CLOSE_SECONDS)
        assert door.site.protocols
        door.advance(10)
        await gone(door)
        link.close()
        await door.close()

    run(work())


def test_half_open_connections_keep_nobody_out(data: Path) -> None:
    async def work() -> None:
        door = Door(data, True, connections=10)
        held = [await asyncio.open_connection("127.0.0.1", door.number) for _ in range(15)]
        held[0][1].write(b"\x16\x03\x01\x02\x00\x01")
        await until(lambda: door.site.pushed_out == 5)
        reader, writer = await door.ask("/small", "Connection: close")
        assert (await reader.read()).endswith(b"hello")
        for _, one in (*held, (reader, writer)):
            one.transport.abort()
        await gone(door)
        await door.close()

    run(work())


# Devices.


def secured(place: Place, data: Path, name: str) -> TlsFactory:
    files = files_of(data, None, None)
    assert files is not None
    certificates = Certificates(files, data, place.clock, lambda: NOON)
    factory = place.listeners.tcp[name]
    factory.stopFactory()  # listenTCP starts it
    return TlsFactory(certificates, factory, reactor())


def test_a_device_over_tls_is_held_back_between_records(house: House, data: Path) -> None:
    """One read of the socket has many records; those after the one that was enough are not lost and not taken yet."""
    house.register("jt808", "139")
    place = Place(house)

    async def work() -> None:
        port = reactor().listenTCP(0, secured(place, data, "jt808"), interface="127.0.0.1")
        trust = ssl.create_default_context(cafile=data / "tls" / "ca.crt")
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port.getHost().port, ssl=trust, server_hostname="127.0.0.1"
        )
        carrier = house.roster.find("jt808", "139")
        assert carrier is not None
        terminal = Terminal("139", token=house.token(carrier.device))
        terminal.authenticate()
        writer.write(b"".join(terminal.data_to_send()))
        await until(lambda: place.links.connected(DeviceId("d1")))
        terminal.receive_data(await reader.read(65536))
        house.hands.hold()
        sent = WAITING_LIMIT * 2
        for number in range(sent):
            terminal.position(NOON + number * 1000, LAT, LON)
            writer.write(b"".join(terminal.data_to_send()))  # a record each
        (link,) = place.listeners.tcp["jt808"].links
        await until(lambda: link.session.full and link._rest)
        assert house.journal.waiting <= WAITING_LIMIT + 8
        house.hands.release()

        async def rest() -> None:
            while terminal.unacknowledged:
                terminal.receive_data(await reader.read(65536))

        reading = asyncio.ensure_future(rest())
        while not reading.done():
            house.settle()
            place.clock.advance(0.1)
            await asyncio.sleep(0.001)
        writer.close()
        await until(lambda: not place.links.connected(DeviceId("d1")))
        await port.stopListening().asFuture(asyncio.get_running_loop())
        assert len(house.records) == sent

    run(work())


def test_a_device_that_was_sent_away_is_heard_no_more(house: House, data: Path) -> None:
    """TLS reads on until the other end has said goodbye."""
    house.register("jt808", "139")
    place = Place(house)

    async def work() -> None:
        port = reactor().listenTCP(0, secured(place, data, "jt808"), interface="127.0.0.1")
        trust = ssl.create_default_context(cafile=data / "tls" / "ca.crt")
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port.getHost().port, ssl=trust, server_hostname="127.0.0.1"
        )
        terminal = Terminal("139", token="wrong")
        terminal.authenticate()
        writer.write(b"".join(terminal.data_to_send()))
        factory = place.listeners.tcp["jt808"]
        await until(lambda: house.refused("jt808"))
        heard: list[bytes] = []
        for link in factory.links:
            link.received = heard.append  # type: ignore[method-assign]
        writer.write(b"\x7e" * 10)
        await until(lambda: not factory.links)
        assert heard == []
        writer.close()
        await port.stopListening().asFuture(asyncio.get_running_loop())

    run(work())
