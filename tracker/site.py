"""HTTP with bounds, for every site of ours: twisted.web has no deadline for headers, no limit on bodies and no
cap on connections of its own.

A connection owes us a whole request from its first byte on; one that has not delivered it in time is cut,
however busily it drips.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.server import Request, Site

from tracker.tcp import write_now

REQUEST_SECONDS = 30
"""A whole request takes at most so long; an import of 30 MB over an intranet takes two."""
IDLE_SECONDS = 75
"""Between the requests of one connection: a browser comes back within a minute or not at all."""
CONNECTIONS = 5000
FORM_LIMIT = 64 * 1024
"""Bytes of a form: a phone's has some 300, and it is taken apart all in one go."""
UPLOAD_LIMIT = 64 << 20
"""Bytes of a body on the console: 100,000 cells are some 40 MB of GeoJSON."""


_FORMS = (b"application/x-www-form-urlencoded", b"multipart/form-data")


class BoundedRequest(Request):
    """A request whose body is refused by its announced length, or cut when it grows past the limit unannounced."""

    def gotLength(self, length: int | None) -> None:
        self._taken = 0
        self._refused = length is not None and length > self._limit()
        super().gotLength(0 if self._refused else length)

    def _limit(self) -> int:
        limit: int = self.channel.site.body_limit  # type: ignore[attr-defined]
        kind = (self.getHeader(b"content-type") or b"").lower()
        return min(limit, FORM_LIMIT) if kind.startswith(_FORMS) else limit

    def handleContentChunk(self, data: bytes) -> None:
        self._taken += len(data)
        if self._taken > self._limit():
            self._refused = True
        if not self._refused:
            super().handleContentChunk(data)

    def process(self) -> None:
        connection = getattr(self.channel.transport, "delivered", None)
        if connection is not None:
            connection()
        if self._refused:
            self.setResponseCode(413)
            self.setHeader("content-type", "text/plain; charset=utf-8")
            self.setHeader("connection", "close")
            self.write(b"the body is too large")
            channel = self.channel
            self.finish()
            channel.loseConnection()
            return
        super().process()


class _Connection(ProtocolWrapper):
    """Knows since when a request is owed."""

    owed_since: float | None = None
    _http: Any = None

    def dataReceived(self, data: bytes) -> None:
        if self._http is None:
            self._http = self.wrappedProtocol
        # After a WebSocket's handshake the socket is another protocol's, with limits of its own.
        if self.owed_since is None and self.wrappedProtocol is self._http:
            self.owed_since = self.factory.now()
        super().dataReceived(data)

    def delivered(self) -> None:
        """A whole request has come."""
        self.owed_since = None

    def write(self, data: bytes) -> None:
        write_now(self.transport, data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        write_now(self.transport, b"".join(data))


class BoundedSite(WrappingFactory):
    """``Site`` of a resource behind the bounds. ``body_limit`` in bytes."""

    protocol = _Connection

    def __init__(self, resource: Any, reactor: Any, *, body_limit: int, connections: int = CONNECTIONS) -> None:
        # A body is read by whom it is for: to look for a form in each took a fifth of all that a phone's request costs.
        site = Site(resource, BoundedRequest, timeout=IDLE_SECONDS, reactor=reactor, parsePOSTFormSubmission=False)
        site.body_limit = body_limit  # type: ignore[attr-defined]
        site.displayTracebacks = False
        # The log holds no address lines: query strings of phone apps carry coordinates.
        site.log = lambda request: None  # type: ignore[method-assign]
        site.noisy = False
        super().__init__(site)
        self.noisy = False
        self.now = reactor.seconds
        self.turned_away = 0
        self._connections = connections
        self._sweep = LoopingCall(self._look)
        self._sweep.clock = reactor

    def doStart(self) -> None:
        super().doStart()
        if not self._sweep.running:
            self._sweep.start(5.0, now=False).addErrback(
                lambda failure: Logger(namespace="gridbeat.site").failure("the sweep failed", failure=failure)
            )

    def doStop(self) -> None:
        super().doStop()
        if self._sweep.running:
            self._sweep.stop()

    def buildProtocol(self, addr: Any) -> Any:
        if len(self.protocols) >= self._connections:
            self.turned_away += 1
            return None
        return super().buildProtocol(addr)

    def _look(self) -> None:
        now = self.now()
        for connection in list(self.protocols):
            owed = connection.owed_since
            if owed is not None and now - owed > REQUEST_SECONDS:
                connection.abortConnection()
