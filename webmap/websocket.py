"""The console's feed over WebSocket, at ``/feed``: sessions, back-pressure, and nothing of what is said."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from tracker.tcp import write_now
from webmap.feed import Feed, Viewer

VIEWERS = 2000
MESSAGE_LIMIT = 4096
"""Bytes of a viewer's message: it names a box and a unit."""
FLUSH_SECONDS = 0.1
"""A browser draws 5,000 units in 15 ms: more often would be seen by nobody and felt by the map."""
FRAMES_A_SECOND = 400
"""To all viewers together: up to 60 hear ten times a second, 200 twice. What they cost has a bound."""
SESSION_SECONDS = 5.0
"""Between two looks at whether a viewer's session has run out: that takes as long as telling it what has changed."""
SESSION_ENDED = 4401
TRY_LATER = 4013


@implementer(IPushProducer)
class FeedSocket(WebSocketServerProtocol):
    """One browser."""

    viewer: Viewer | None = None
    session: str | None = None
    answered = 0.0
    """When it was last told at once what it had begun to look at."""

    def onConnect(self, request: Any) -> None:
        self.session = self.factory.session_of(request.headers)

    def onOpen(self) -> None:
        factory = self.factory
        if self.session is None or factory.name_of(self.session) is None:
            self.sendClose(SESSION_ENDED, "log in first")
            return
        if len(factory.feed.viewers) >= VIEWERS:
            self.sendClose(TRY_LATER, "too many viewers")
            return
        # Under the site's bounds is the socket itself.
        self.link = getattr(self.transport, "transport", self.transport)
        # A browser that does not read pauses us. twisted.web's channel has registered itself there before.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        self.viewer = Viewer(self._send)
        factory.sockets.add(self)
        factory.feed.join(self.viewer, factory.wall())

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.viewer is None:
            return
        try:
            message = json.loads(payload)
        except (ValueError, RecursionError):
            message = None
        if self.factory.feed.watch(self.viewer, message):
            self.factory.answer(self)
        else:
            self.sendClose(3003, "not understood")

    def _send(self, message: bytes) -> None:
        # One that is closing is told nothing more: an error here would cost the others their frame.
        if self.state == self.STATE_OPEN:
            # Not the library's way, which takes 60 to 80 us for each viewer, most of it for what is the same for all.
            write_now(self.link, self.factory.frame(message))

    def pauseProducing(self) -> None:
        if self.viewer is not None:
            self.viewer.paused = True

    def resumeProducing(self) -> None:
        if self.viewer is not None:
            self.viewer.paused = False

    def stopProducing(self) -> None:
        pass

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.viewer is not None:
            self.factory.sockets.discard(self)
            self.factory.feed.leave(self.viewer)
            self.viewer = None


class FeedSockets(WebSocketServerFactory):
    """All browsers. ``name_of`` reads a session's text; ``origins`` are accepted besides the page's own."""

    protocol = FeedSocket

    def __init__(
        self,
        feed: Feed,
        name_of: Callable[[str], str | None],
        behind: Callable[[], int],
        wall: Callable[[], int],
        origins: tuple[str, ...],
        reactor: Any,
    ) -> None:
        super().__init__(server="", reactor=reactor)
        self.feed = feed
        self.name_of = name_of
        self.wall = wall
        self.sockets: set[FeedSocket] = set()
        self._behind = behind
        self._origins = origins
        # webStatus: a page of the library's own for whoever comes without a socket, with an open redirect in it.
        self.setProtocolOptions(
            maxMessagePayloadSize=MESSAGE_LIMIT, maxFramePayloadSize=MESSAGE_LIMIT, openHandshakeTimeout=15,
            closeHandshakeTimeout=2, autoPingInterval=30, autoPingTimeout=20, tcpNoDelay=True, failByDrop=True,
            webStatus=False,
        )  # fmt: skip
        self._framed = (b"", b"")
        self._flushed = self._looked = 0.0
        self._now: Callable[[], float] = reactor.seconds
        self._ticker = LoopingCall(self._tick)
        self._ticker.clock = reactor
        self._log = Logger(namespace="gridbeat.feed")

    def start(self) -> None:
        self._ticker.start(FLUSH_SECONDS, now=False).addErrback(
            lambda failure: self._log.failure("the feed stopped", failure=failure)
        )

    def stop(self) -> None:
        if self._ticker.running:
            self._ticker.stop()
        for socket in list(self.sockets):
            socket.sendClose(1001, "the server stops")

    def as_resource(self) -> WebSocketResource:
        """To be put under ``/feed``."""
        return WebSocketResource(self)

    def session_of(self, headers: dict[str, str]) -> str | None:
        """The session in the handshake's cookie, unless another site's page opened the socket."""
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins:
            host = headers.get("host", "")
            if origin.partition("://")[2] != host:
                return None
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == "session":
                return value
        return None

    def answer(self, socket: FeedSocket) -> None:
        """Tells a viewer at once what it looks at now, if it does not ask too often; else with the next frame."""
        now = self._now()
        if socket.viewer is not None and now - socket.answered >= FLUSH_SECONDS:
            socket.answered = now
            self.feed.answer(socket.viewer, self.wall(), self._behind())

    def frame(self, message: bytes) -> bytes:
        """A text message as it goes over the wire (RFC 6455, 5.2), made once for viewers who get the same."""
        if self._framed[0] is not message:
            size = len(message)
            if size < 126:
                head = struct.pack(">BB", 0x81, size)
            elif size < 1 << 16:
                head = struct.pack(">BBH", 0x81, 126, size)
            else:
                head = struct.pack(">BBQ", 0x81, 127, size)
            self._framed = (message, head + message)
        return self._framed[1]

    def _end_sessions(self) -> None:
        for socket in list(self.sockets):
            if socket.session is None or self.name_of(socket.session) is None:
                socket.sendClose(SESSION_ENDED, "the session has ended")

    def _tick(self) -> None:
        now = self._now()
        # Half a tick is what the clock may be early.
        if now - self._flushed < len(self.sockets) / FRAMES_A_SECOND - FLUSH_SECONDS / 2:
            return
        self._flushed = now
        try:
            self.feed.flush(self.wall(), self._behind())
            if now - self._looked >= SESSION_SECONDS:
                self._looked = now
                self._end_sessions()
        except Exception:
            self._log.failure("a frame could not be made")
