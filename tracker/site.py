"""HTTP with bounds, for every site of ours: twisted.web has no deadline for headers, no limit on bodies, no cap on
connections and no deadline for the reading of answers of its own.

A connection owes us a whole request from its first byte on, or a handshake before it; one that has not delivered it in
time is cut, however busily it drips. So is one that does not read its answer, or reads it too slowly, and one that does
not end when it should.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, islice
from typing import Any

from twisted.internet.interfaces import IHandshakeListener, IPushProducer, ISSLTransport, ITransport
from twisted.internet.protocol import Protocol
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.http import HTTPChannel
from twisted.web.server import Request, Site
from zope.interface import directlyProvides, implementer, providedBy

from tracker.cutter import Cutter
from tracker.sources import Sources
from tracker.tcp import unread, write_now

REQUEST_SECONDS = 30
"""A whole request takes at most so long; an import of 30 MB over an intranet takes two."""
IDLE_SECONDS = 75
"""Between the requests of one connection: a browser comes back within a minute or not at all."""
READ_SECONDS = 30
READ_BYTES = 16 * 1024
"""Of an answer so much is read in that time, or all of it: 4 kbit/s, less than the worst mobile network carries."""
CLOSE_SECONDS = 10
"""Until the other end has said goodbye to TLS too; most never do, they hang up."""
STRICT = b"max-age=15552000"
"""Half a year for which a browser asks for https alone. Of this host only; on any port of it."""
CONNECTIONS = 5000
FORM_LIMIT = 64 * 1024
"""Bytes of a form: a phone's has some 300, and it is taken apart all in one go."""
UPLOAD_LIMIT = 64 << 20
"""Bytes of a body of those who may upload: 100,000 cells are some 40 MB of GeoJSON."""
LOOKED_AT = 50
"""Idle connections that are looked at for one that has read its last answer, before somebody is turned away."""


_FORMS = (b"application/x-www-form-urlencoded", b"multipart/form-data")


class BoundedRequest(Request):
    """A request whose body is refused by its announced length, or cut when it grows past the limit unannounced."""

    _secure = False

    def isSecure(self) -> bool:
        """Whether it came over TLS."""
        return self._secure

    def gotLength(self, length: int | None) -> None:
        connection = self.channel.transport
        self._secure = isinstance(connection, _Connection) and connection.secure
        self._taken, self._limit = 0, self._allowed(length)
        self._refused = length is not None and length > self._limit
        super().gotLength(0 if self._refused else length)

    def _allowed(self, length: int | None) -> int:
        """Bytes that its body may have; ``length`` is what it announces."""
        site: Any = self.channel.site  # type: ignore[attr-defined]
        limit: int = site.body_limit
        if (self.getHeader(b"content-type") or b"").lower().startswith(_FORMS):
            return min(limit, FORM_LIMIT)
        # Asked before anything of it is kept: what strangers send must fill neither memory nor disk.
        if (length is None or length > limit) and site.uploads is not None and site.uploads(self):
            return UPLOAD_LIMIT
        return limit

    def handleContentChunk(self, data: bytes) -> None:
        self._taken += len(data)
        if self._taken > self._limit:
            self._refused = True
        if not self._refused:
            super().handleContentChunk(data)

    def process(self) -> None:
        connection = self.channel.transport
        if isinstance(connection, _Connection):
            connection.delivered()
            if self._secure and connection.factory.lasting:
                self.setHeader(b"strict-transport-security", STRICT)
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


class _Channel(HTTPChannel):
    """One connection's requests."""

    def requestDone(self, request: Any) -> None:
        """It is answered; the next may have come already."""
        if isinstance(self.transport, _Connection):
            self.transport.answered()
        super().requestDone(request)

    def timeoutConnection(self) -> None:
        """Nothing has come for a while. Who still reads an answer is given the time for that, by :meth:`overdue`."""
        if unread(self.transport):
            self.setTimeout(self.timeOut)
        else:
            self.loseConnection()


@implementer(IPushProducer, IHandshakeListener)
class _Connection(ProtocolWrapper):
    """Knows what is owed to us and since when: a handshake, a request, an answer to be read, the end."""

    owed_since: float | None = None
    """Since when a whole request is owed, or a handshake of TLS."""
    secure = False
    closing = False
    sent = 0
    """Bytes that were written, ever; and how many when all of them had been read."""
    _settled = 0
    _read = _written = 0
    _marked_at: float | None = None
    """Of bytes that wait: how many had been read and written when that was looked at last."""
    _ending_at: float | None = None
    _produced = False
    _http: Any = None
    transport: Any
    factory: BoundedSite

    def makeConnection(self, transport: Any) -> None:
        self.secure = ISSLTransport.providedBy(transport)
        # TLS says of what is under it neither that it is a socket nor that it can be paused, and twisted.web would
        # write on and on. Not that this is TLS: autobahn then asks for what only TLS itself can tell.
        provided = [ITransport] if self.secure else [providedBy(transport)]
        directlyProvides(self, *provided)
        Protocol.makeConnection(self, transport)
        self.factory.registerProtocol(self)
        if self.secure:
            self.owed_since = self.factory.now()
        self.wrappedProtocol.makeConnection(self)  # type: ignore[arg-type]

    def handshakeCompleted(self) -> None:
        self.owed_since = None

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
        self.factory.busy(self)

    def answered(self) -> None:
        """Its last request has been."""
        self.factory.idle(self)

    @property
    def has_read(self) -> bool:
        """Whether all that was said to it has arrived."""
        return not unread(self.transport)

    def write(self, data: bytes) -> None:
        self.sent += len(data)
        write_now(self.transport, data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        self.closing = True
        # TLS would wait for the producer before it says goodbye.
        if self._produced:
            self.unregisterProducer()
        super().loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        self._produced = True

    def unregisterProducer(self) -> None:
        self._produced = False
        super().unregisterProducer()

    def pauseProducing(self) -> None:
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        self.transport.loseConnection()

    def overdue(self, now: float) -> bool:
        """Whether what is owed has not come in time."""
        if self.owed_since is not None and now - self.owed_since > REQUEST_SECONDS:
            return True
        if not self.closing and (self.sent == self._settled or self.wrappedProtocol is not self._http):
            return False
        waiting = unread(self.transport)
        if not waiting:
            self._settled, self._marked_at = self.sent, None
            if self.closing and self._ending_at is None:
                self._ending_at = now
            return self._ending_at is not None and now - self._ending_at > CLOSE_SECONDS
        read = self.sent - waiting
        # Some of it is under way at any moment: what counts is what was read of what was written by then.
        if self._marked_at is None or read - self._read >= READ_BYTES or read >= self._written:
            self._read, self._written, self._marked_at = read, self.sent, now
        return now - self._marked_at > READ_SECONDS


class BoundedSite(WrappingFactory[_Connection]):
    """``Site`` of a resource behind the bounds. ``body_limit`` in bytes; whose request ``uploads`` says so of may have
    one of :data:`UPLOAD_LIMIT`; ``sources``: from where it may be reached.

    When all places are taken, whoever comes gets that of the one who has been there for longest without a whole
    request, else of the one who has asked nothing for longest: connections that are only held keep nobody out."""

    protocol = _Connection
    lasting = False
    """Whether browsers are told to come over TLS alone from now on: with a certificate that they know by themselves."""

    def __init__(
        self,
        resource: Any,
        reactor: Any,
        *,
        body_limit: int,
        connections: int = CONNECTIONS,
        sources: Sources | None = None,
        uploads: Callable[[Any], bool] | None = None,
    ) -> None:
        # A body is read by whom it is for: to look for a form in each took a fifth of all that a phone's request costs.
        site = Site(resource, BoundedRequest, timeout=IDLE_SECONDS, reactor=reactor, parsePOSTFormSubmission=False)
        site.protocol = _Channel  # type: ignore[assignment, method-assign]
        site.body_limit, site.uploads = body_limit, uploads  # type: ignore[attr-defined]
        site.displayTracebacks = False
        # The log holds no address lines: query strings of phone apps carry coordinates.
        site.log = lambda request: None  # type: ignore[method-assign]
        site.noisy = False
        super().__init__(site)
        self.noisy = False
        self.sources = sources
        self.now = reactor.seconds
        self.turned_away = 0
        self.pushed_out = 0
        self._connections = connections
        # Who has not sent a whole request yet, in the order in which they came.
        self._strangers: dict[_Connection, None] = {}
        # Whose last request has been answered, in that order.
        self._idle: dict[_Connection, None] = {}
        self._cutter = Cutter(reactor, lambda connection: connection.abortConnection())
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
        self._cutter.stop()
        if self._sweep.running:
            self._sweep.stop()

    def buildProtocol(self, addr: Any) -> Any:
        if self.sources is not None and not self.sources.admit(addr.host):
            return None
        if len(self.protocols) >= self._connections and not self._make_room():
            self.turned_away += 1
            return None
        return super().buildProtocol(addr)

    def registerProtocol(self, connection: _Connection) -> None:
        super().registerProtocol(connection)
        self._strangers[connection] = None

    def unregisterProtocol(self, connection: _Connection) -> None:
        super().unregisterProtocol(connection)
        self.busy(connection)
        self._cutter.forget(connection)

    def busy(self, connection: _Connection) -> None:
        """A connection has sent a whole request, or is gone."""
        self._strangers.pop(connection, None)
        self._idle.pop(connection, None)

    def idle(self, connection: _Connection) -> None:
        """A connection has nothing to wait for."""
        self._idle[connection] = None

    def _make_room(self) -> bool:
        idle = (one for one in islice(self._idle, LOOKED_AT) if one.has_read)
        oldest = next(chain(self._strangers, idle), None)
        if oldest is None:
            return False
        self.pushed_out += 1
        self.busy(oldest)
        oldest.abortConnection()
        return True

    def _look(self) -> None:
        now = self.now()
        self._cutter.add([connection for connection in self.protocols if connection.overdue(now)])
