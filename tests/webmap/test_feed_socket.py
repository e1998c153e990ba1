"""The feed over its real socket, cut at any byte in either direction: what a browser shows is right again after it has
come back, nothing is missed and no change is applied twice.

Everything of ours is real: the WebSocket, its frames, the feed. Only the network is a pair of byte strings of which
as much arrives as hypothesis likes before the link is cut.
"""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.webmap.test_feed import UNITS, boxes, inside, places
from tracker.tcp import queued, unread
from webmap.changes import Brief
from webmap.feed import RECENT, Feed
from webmap.feeds import Alike
from webmap.rights import Role, Who
from webmap.websocket import FLUSH_SECONDS, SESSION_SECONDS, UNREAD, FeedSockets

HANDSHAKE = (
    b"GET /feed HTTP/1.1\r\nHost: console\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nCookie: session=s\r\n\r\n"
)


def anybody(session: str) -> Who | None:
    """Everybody is an admin here."""
    return Who("admin", Role.ADMIN, session=session)


def masked(text: str) -> bytes:
    """A browser's text message; a mask of zeros is one too."""
    payload = text.encode()
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else bytes((0x81, 0x80 | 126)) + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + payload


class Browser:
    """The page's side: it reads whole messages, applies them, and says after a break what it has."""

    def __init__(self) -> None:
        self.units: dict[str, list[Any]] = {}
        self.states: dict[str, int] = {}
        self.applied: dict[str, int] = {}
        """The newest change of each unit that was applied."""
        self.seq: int | None = None
        self.instance: str | None = None
        self.had: dict[str, Any] | None = None
        self._rest = b""
        self._greeted = False

    def connected(self) -> None:
        self._rest, self._greeted = b"", False

    def watch(self, box: Any, follow: str | None, *, first: bool) -> bytes:
        message: dict[str, Any] = {"op": "watch", "box": box, "follow": follow}
        if first and self.seq is not None:
            message |= {"since": self.seq, "instance": self.instance, "had": self.had}
        return masked(json.dumps(message))

    def receive(self, data: bytes) -> None:
        self._rest += data
        if not self._greeted:
            head, end, rest = self._rest.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._rest, self._greeted = rest, True
        while len(self._rest) >= 2:
            size, body = self._rest[1], 2
            if size > 125:
                width = 2 if size == 126 else 8
                if len(self._rest) < 2 + width:
                    return
                size, body = int.from_bytes(self._rest[2 : 2 + width], "big"), 2 + width
            if len(self._rest) < body + size:
                return
            code, payload, self._rest = self._rest[0], self._rest[body : body + size], self._rest[body + size :]
            assert code == 0x81, "a whole text message, and nothing else while all is well"
            self._apply(json.loads(payload))

    def _apply(self, message: dict[str, Any]) -> None:
        if message["op"] == "hello":
            if message["instance"] != self.instance:
                self.seq = None
            self.instance = message["instance"]
        if message["op"] not in ("full", "delta"):
            return
        if message["op"] == "full":
            self.units, self.applied = {}, {}
            self.had = {"box": message["box"], "follow": message["follow"]}
        for row in message["units"]:
            assert row[6] > self.applied.get(row[0], 0), "a change came twice"
            self.units[row[0]], self.states[row[0]], self.applied[row[0]] = row, row[5], row[6]
        for unit, state, _, _ in message["states"]:
            self.states[unit] = state
        for unit in message["gone"]:
            self.units.pop(unit, None)
        self.seq = message["seq"]


class Link(RuleBasedStateMachine):
    """Units change, the browser looks elsewhere, bytes arrive in pieces, the link is cut anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.rows: dict[str, tuple[Any, Any, int, int]] = {}
        self.changes = 0
        self.server = 0
        self.socket: Any = None
        self.browser = Browser()
        self.box: Any = None
        self.follow: str | None = None
        self.up = self.down = b""
        self.current = False

    def _serve(self) -> None:
        """A server that has just started."""
        self.server += 1
        self.feed = Feed(f"i{self.server}", self._row, lambda: (1, "{}"), lambda now: {})
        self.sockets = FeedSockets(Alike(self.feed), anybody, lambda: 0, self._wall, (), self.clock)
        self.feed.update(self.rows)

    def _wall(self) -> int:
        return round(self.clock.seconds() * 1000)

    def _row(self, unit: str) -> tuple[Any, Any, Brief, list[Any]]:
        latitude, longitude, state, change = self.rows[unit]
        return latitude, longitude, (state, 0), [unit, latitude, longitude, None, None, state, change]

    @initialize()
    def begin(self) -> None:
        self._serve()

    @rule(
        changed=st.lists(st.tuples(st.sampled_from(UNITS), places, st.integers(0, 4)), min_size=1, max_size=4),
        times=st.sampled_from([1, 1, 1, RECENT + 1]),
    )
    def change(self, changed: list[tuple[str, tuple[Any, Any], int]], times: int) -> None:
        for _ in range(times):
            for unit, (latitude, longitude), state in changed:
                self.changes += 1
                self.rows[unit] = (latitude, longitude, state, self.changes)
                self.feed.update([unit])
            if times > 1:
                self._tick()
        self.current = False

    def _tick(self) -> None:
        self.clock.advance(FLUSH_SECONDS)
        self.sockets._tick()
        if self.socket is not None:
            self.down += self.socket.transport.value()
            self.socket.transport.clear()

    @rule()
    @precondition(lambda self: self.socket is None)
    def connect(self) -> None:
        self.socket = self.sockets.buildProtocol(None)
        transport = StringTransport()
        transport.registerProducer(object(), True)  # as the site's channel has done
        self.socket.makeConnection(transport)
        self.browser.connected()
        self.up, self.down = HANDSHAKE + self.browser.watch(self.box, self.follow, first=True), b""
        self.current = False

    @rule(box=boxes, follow=st.none() | st.sampled_from(UNITS))
    def look_elsewhere(self, box: Any, follow: str | None) -> None:
        self.box, self.follow = box, follow
        if self.socket is not None:
            self.up += self.browser.watch(box, follow, first=False)
        self.current = False

    @rule(size=st.integers(1, 400))
    @precondition(lambda self: self.up)
    def say(self, size: int) -> None:
        """So many bytes of the browser reach the server."""
        data, self.up = self.up[:size], self.up[size:]
        self.socket.dataReceived(data)

    @rule(size=st.integers(1, 600))
    @precondition(lambda self: self.down)
    def hear(self, size: int) -> None:
        """So many bytes of the server reach the browser."""
        data, self.down = self.down[:size], self.down[size:]
        self.browser.receive(data)

    @rule(paused=st.booleans())
    @precondition(lambda self: self.socket is not None and self.socket.viewer is not None)
    def read_or_not(self, paused: bool) -> None:
        (self.socket.pauseProducing if paused else self.socket.resumeProducing)()
        self.current = False

    @rule()
    @precondition(lambda self: self.socket is not None)
    def cut(self) -> None:
        """What is on its way is lost."""
        self.socket.connectionLost(Failure(ConnectionError()))  # type: ignore[no-untyped-call]
        self.socket, self.up, self.down = None, b"", b""
        assert not self.feed.viewers

    @rule()
    @precondition(lambda self: self.socket is None)
    def restart(self) -> None:
        self._serve()

    @rule()
    def tick(self) -> None:
        self._tick()

    @rule()
    @precondition(lambda self: self.socket is not None)
    def settle(self) -> None:
        """The network is kind for a while."""
        if self.up:
            self.say(len(self.up))
        if self.socket.viewer is not None and self.socket.viewer.paused:
            self.read_or_not(False)
        self._tick()
        if self.down:
            self.hear(len(self.down))
        self.current = True

    @rule(
        changed=st.lists(st.tuples(st.sampled_from(UNITS), places, st.integers(0, 4)), max_size=3),
        heard=st.integers(0, 600),
        look=st.none() | st.tuples(boxes, st.none() | st.sampled_from(UNITS)),
        restarted=st.booleans(),
    )
    @precondition(lambda self: self.current and self.socket is not None)
    def break_and_return(self, changed: list[Any], heard: int, look: Any, restarted: bool) -> None:
        """What happens most: all was well, the link is cut within a frame, and comes back; meanwhile the map was
        moved, or the server started anew."""
        self.change(changed, 1)
        self._tick()
        self.browser.receive(self.down[:heard])
        self.cut()
        if look is not None:
            self.look_elsewhere(*look)
        if restarted:
            self.restart()
        self.change(changed[:1], 1)
        self.connect()
        self.settle()

    @invariant()
    def shows_what_is(self) -> None:
        if not self.current:
            return
        wanted = {
            unit: self._row(unit)[3]
            for unit, (latitude, longitude, *_) in self.rows.items()
            if unit == self.follow or inside(self.box, latitude, longitude)
        }
        assert self.browser.units == wanted
        assert self.browser.states == {unit: row[2] for unit, row in self.rows.items()}

    def teardown(self) -> None:
        if self.socket is not None:
            self.cut()
        for call in self.clock.getDelayedCalls():
            call.cancel()


TestLink = Link.TestCase


@pytest.mark.parametrize("text", ["", "watch", "[" * 2000, '{"op":"watch","box":[1,2,3,1' + "0" * 400 + "]}"])
def test_what_is_not_understood_ends_the_link_with_a_word(text: str) -> None:
    sockets = FeedSockets(
        Alike(Feed("i", lambda unit: (None, None, (0, 0), []), lambda: (1, "{}"), lambda now: {})),
        anybody, lambda: 0, lambda: 0, (), Clock(),
    )  # fmt: skip
    socket = sockets.buildProtocol(None)
    transport = StringTransport()
    transport.registerProducer(object(), True)
    socket.makeConnection(transport)
    socket.dataReceived(HANDSHAKE)
    transport.clear()
    socket.dataReceived(masked(text))
    assert transport.value() == b"\x88\x10" + (3003).to_bytes(2, "big") + b"not understood"
    socket.connectionLost(Failure(ConnectionError()))  # type: ignore[no-untyped-call]
    for call in sockets.reactor.getDelayedCalls():
        call.cancel()


def test_a_session_that_has_ended_ends_the_socket_and_is_not_asked_for_in_each_frame() -> None:
    clock, asked, valid = Clock(), 0, True

    def who_of(session: str) -> Who | None:
        nonlocal asked
        asked += 1
        return anybody(session) if valid else None

    feed = Feed("i", lambda unit: (1.0, 1.0, (1, 0), [unit]), lambda: (1, "{}"), lambda now: {})
    sockets = FeedSockets(Alike(feed), who_of, lambda: 0, lambda: round(clock.seconds() * 1000), (), clock)
    socket: Any = sockets.buildProtocol(None)
    transport = StringTransport()
    transport.registerProducer(object(), True)
    socket.makeConnection(transport)
    socket.dataReceived(HANDSHAKE)
    at_first = asked
    for _ in range(100):
        clock.advance(FLUSH_SECONDS)
        sockets._tick()
    assert 1 <= asked - at_first <= 100 * FLUSH_SECONDS / SESSION_SECONDS + 1
    valid = False
    transport.clear()
    for _ in range(round(SESSION_SECONDS / FLUSH_SECONDS) + 1):
        clock.advance(FLUSH_SECONDS)
        sockets._tick()
    assert b"the session has ended" in transport.value()  # type: ignore[no-untyped-call]


def test_who_has_not_read_the_last_frame_waits_for_the_next_and_slows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred viewers of whom one reads: that one hears as often as if it were alone, the others nothing."""
    clock, places, unread = Clock(), {"u": 1.0}, {}
    feed = Feed("i", lambda unit: (places[unit], 1.0, (0, 0), [unit, places[unit], 1.0, 0, 0, 0, 1]), lambda: (1, "{}"),
                lambda now: {})  # fmt: skip
    sockets = FeedSockets(Alike(feed), anybody, lambda: 0, lambda: round(clock.seconds() * 1000), (), clock)
    monkeypatch.setattr("webmap.websocket.unread", lambda link: unread.get(link, 0))

    def come() -> tuple[Any, StringTransport]:
        socket: Any = sockets.buildProtocol(None)
        transport = StringTransport()
        transport.registerProducer(object(), True)
        socket.makeConnection(transport)
        socket.dataReceived(HANDSHAKE)
        socket.dataReceived(masked('{"op":"watch","box":[-90,-180,90,180]}'))
        return socket, transport

    def frames(transport: StringTransport) -> int:
        return transport.value().count(b'"units":[["u"')

    come_in = [come() for _ in range(100)]
    for _, transport in come_in[1:]:
        unread[transport] = UNREAD + 1
    ticks = 30

    def run() -> None:
        for n in range(ticks):
            places["u"] = float(n % 80)
            feed.update(["u"])
            clock.advance(FLUSH_SECONDS)
            sockets._tick()

    run()
    assert frames(come_in[0][1]) == ticks
    assert all(frames(transport) == 0 for _, transport in come_in[1:])
    unread.update(dict.fromkeys(unread, UNREAD))
    run()
    assert frames(come_in[0][1]) == 2 * ticks, "who is slow to tell costs no turn either"
    unread.clear()
    for _ in range(20):
        run()
    assert all(frames(transport) > 0 for _, transport in come_in)
    for call in clock.getDelayedCalls():
        call.cancel()


def test_what_a_peer_has_not_read_is_known() -> None:
    """Over real sockets: all that fits the other end has arrived; what does not is counted."""
    with socket.create_server(("127.0.0.1", 0)) as door, socket.create_connection(door.getsockname()) as ours:
        theirs = door.accept()[0]
        assert queued(ours) == 0
        ours.setblocking(False)
        sent = 0
        with suppress(BlockingIOError):
            while True:
                sent += ours.send(bytes(65536))
        assert 0 < queued(ours) < sent
        while queued(ours):
            theirs.recv(1 << 20)
        theirs.close()
    assert unread(StringTransport()) == 0


def test_the_desks_version_comes_once_with_the_next_frame_and_waits_for_who_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, unread = Clock(), {}
    feed = Feed("i", lambda unit: (1.0, 1.0, (1, 0), [unit]), lambda: (1, "{}"), lambda now: {})
    sockets = FeedSockets(Alike(feed), anybody, lambda: 0, lambda: round(clock.seconds() * 1000), (), clock)
    monkeypatch.setattr("webmap.websocket.unread", lambda link: unread.get(link, 0))
    links = []
    for _ in range(2):
        socket: Any = sockets.buildProtocol(None)
        transport = StringTransport()
        transport.registerProducer(object(), True)
        socket.makeConnection(transport)
        socket.dataReceived(HANDSHAKE)
        links.append(transport)

    def told() -> list[list[int]]:
        clock.advance(FLUSH_SECONDS)
        sockets._tick()
        found = []
        for link in links:
            pieces = link.value().split(b'{"op": "desk", "version": ')[1:]  # type: ignore[no-untyped-call]
            found.append([int(piece.partition(b"}")[0]) for piece in pieces])
            link.clear()
        return found

    assert told() == [[], []]
    unread[links[1]] = UNREAD + 1
    for version in (7, 8):
        sockets.desk(version)
    assert told() == [[8], []], "any number of changes are one message"
    assert told() == [[], []]
    unread.clear()
    assert [told()[1] for _ in range(3)].count([8]) == 1, "who reads again is told"
    for call in clock.getDelayedCalls():
        call.cancel()
