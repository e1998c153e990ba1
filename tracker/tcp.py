"""Devices over TCP: one listener a protocol, one session a connection.

The shell owns what TCP is about: limits on connections, links that never log in or fall silent, a peer that
does not read. What is said is the session's business.
"""

from __future__ import annotations

import fcntl
import struct
import termios
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from twisted.internet import protocol, tcp
from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from protocols.errors import RemoteProtocolError
from protocols.handheld import Framer, frame
from tracker.counters import Counters
from tracker.cutter import Cutter
from tracker.handheld_session import HandheldSession
from tracker.sources import Sources
from tracker.turns import PROMPT_BYTES, READ_BYTES, Turns


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """``connections`` in all and ``per_address`` (a mobile network puts thousands behind one), ``login_s`` until a
    device must have logged in, ``idle_s`` of silence after which a link counts as half open.

    ``rate`` in bytes a second and ``burst`` in bytes bound what one device may send: 2,000 reports a second for as
    long as it likes, and a day's backlog at once. Beyond that it is read more slowly; nothing of it is lost."""

    connections: int = 20_000
    per_address: int = 12_000
    login_s: int = 15
    idle_s: int = 180
    rate: int = 128 * 1024
    burst: int = 4 << 20


class LinkSession(Protocol):
    """What the shell needs of a session."""

    authenticated: bool
    on_drained: Callable[[], None]

    @property
    def full(self) -> bool: ...
    def tick(self) -> None: ...
    def ended(self) -> None: ...


def write_now(transport: Any, data: bytes) -> None:
    """Write to a socket at once if nothing waits before it.

    Handed to the reactor, each message would cost two changes to its poll and one more round: a quarter of all
    that a report costs. What the kernel does not take, and a link that is lost, stay the transport's business.
    """
    if (
        isinstance(transport, tcp.Connection)
        and transport.connected
        and not (transport.dataBuffer or transport._tempDataBuffer or transport.disconnecting)
    ):
        sent = transport.writeSomeData(data)
        if sent == len(data):
            return
        if type(sent) is int:
            # As its write() does, but without a copy: a thousand viewers that do not read wait for the same bytes.
            transport._tempDataBuffer.append(memoryview(data)[sent:])  # type: ignore[arg-type]
            transport._tempDataLen += len(data) - sent
            transport._maybePauseProducer()
            transport.startWriting()
            return
    # TLS is one of those: what is written goes through it.
    transport.write(data)


def socket_of(transport: Any) -> tcp.Connection | None:
    """The connection under TLS and whatever else is wrapped around it; ``None`` for what is no socket."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    return transport if isinstance(transport, tcp.Connection) else None


def unread(transport: Any) -> int:
    """Bytes that were written and have not arrived at the other end: ours to send, and the kernel's; as they go over
    the wire. 0 for what is no socket."""
    link = socket_of(transport)
    if link is None or not link.connected:
        return 0
    return len(link.dataBuffer) - link.offset + link._tempDataLen + queued(link)


def queued(handle: Any) -> int:
    """Bytes that the kernel has of ours and the other end has not."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(handle.fileno(), termios.TIOCOUTQ, bytes(4)))[0])
    except (OSError, ValueError):
        return 0


@implementer(IPushProducer)
class DeviceLink(protocol.Protocol, ABC):
    """One device's connection. Subclasses turn bytes into what their session receives."""

    transport: Any
    factory: DeviceFactory
    session: Any
    host = ""

    def connectionMade(self) -> None:
        self.active = self.opened = self.factory.now()
        self._paused = self._held = self._waits = False
        self._rest = b""  # at most one read: while it is there, nothing is read
        self._closed = False
        self.used = 0
        link = socket_of(self.transport)
        if link is not None:
            link.bufferSize = READ_BYTES
        self.transport.setTcpNoDelay(True)
        self.transport.setTcpKeepAlive(True)
        # Told when the peer does not read our answers: then we do not read it either.
        self.transport.registerProducer(self, True)
        self.start(self.transport.getPeer().host)
        self.session.on_drained = self._resume
        self.factory.links.add(self)
        self.factory.strangers[self] = None

    @abstractmethod
    def start(self, address: str) -> None:
        """Make ``self.session``."""

    @abstractmethod
    def received(self, data: bytes) -> None:
        """Hand bytes to the session."""

    def dataReceived(self, data: bytes) -> None:
        if self._closed:
            return  # TLS reads on until the other end has said goodbye too
        self.active = self.factory.clock_now
        self.used += len(data)
        if self.used > self.factory.limits.burst and not self._held:
            self._held = True
            self.factory.counters.refuse(self.factory.name, "slowed_down")
        # One read may hold several records of TLS: those after one that was enough wait with it.
        if self._rest or self.session.full or len(data) > PROMPT_BYTES:
            self._rest += data
            self.transport.pauseProducing()
            self._wait()
            return
        self.received(data)
        if (self._held or self.session.full) and not self._paused:
            self.transport.pauseProducing()

    def take_turn(self) -> None:
        """What was too much to be taken at once is taken now."""
        self._waits = False
        if not self.session.full:
            data, self._rest = self._rest, b""
            if data:
                self.received(data)
            self._resume()

    def _wait(self) -> None:
        if not (self._waits or self.session.full):
            self._waits = True
            self.factory.turns.wait(self)

    def refill(self, allowance: int) -> None:
        """Time went by: the device may send so many bytes more."""
        self.used = max(0, self.used - allowance)
        if self._held and self.used <= self.factory.limits.burst:
            self._held = False
            self._resume()

    def _resume(self) -> None:
        if self._rest:
            self._wait()
        elif not (self._paused or self._held or self.session.full) and self.transport is not None:
            self.transport.resumeProducing()

    def pauseProducing(self) -> None:
        self._paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        self._resume()

    def stopProducing(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        """To the peer, at once if nothing waits before it."""
        if self.transport is not None:
            write_now(self.transport, data)

    def close(self) -> None:
        """After what is queued has been written. A peer that never reads it is cut off by the sweep."""
        if self.transport is not None:
            self._closed = True
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self.factory.forget(self)
        # Some send what they have, wait for no answer and hang up.
        data, self._rest = self._rest, b""
        if data:
            self.received(data)
        self.session.ended()


class HandheldLink(DeviceLink):
    """Length-prefixed messages."""

    def start(self, address: str) -> None:
        self._framer = Framer()
        make = cast(Callable[..., HandheldSession], self.factory.make_session)
        self.session = make(address, self._send, self.close)

    def received(self, data: bytes) -> None:
        try:
            messages = self._framer.receive_data(data)
        except RemoteProtocolError as error:
            self.session.broken(error)
            return
        if messages:
            self.session.receive(messages)

    def _send(self, messages: list[bytes]) -> None:
        self.write(b"".join([frame(message) for message in messages]))


class StreamLink(DeviceLink):
    """Bytes that the session's core cuts into messages."""

    def start(self, address: str) -> None:
        self.session = self.factory.make_session(address, self._send, self.close)

    def received(self, data: bytes) -> None:
        self.session.receive(data)

    def _send(self, messages: list[bytes]) -> None:
        self.write(b"".join(messages))


class DeviceFactory(protocol.ServerFactory):
    """The connections of one listener. ``now`` gives seconds of a clock that only goes forward. When all places are
    taken, whoever comes gets that of the one who has been there for longest without saying who it is."""

    SWEEP_S = 5.0  # a pass over 10,000 links takes some 10 ms; every 2 s it was a sixth of all that idle ones cost

    def __init__(
        self,
        name: str,
        link: type[DeviceLink],
        make_session: Callable[..., Any],
        counters: Counters,
        limits: LinkLimits,
        reactor: Any,
        turns: Turns | None = None,
        sources: Sources | None = None,
    ) -> None:
        self.name = name
        self.sources = sources
        self.turns = Turns(reactor) if turns is None else turns
        self.link = link
        self.make_session = make_session
        self.links: set[DeviceLink] = set()
        self.strangers: dict[DeviceLink, None] = {}
        """Those that may not have logged in yet, in the order in which they came."""
        self.now: Callable[[], float] = reactor.seconds
        self.clock_now = self.now()
        self.counters = counters
        self.limits = limits
        self._addresses: defaultdict[str, int] = defaultdict(int)
        self._cutter = Cutter(reactor, lambda link: link.transport.abortConnection())
        self._sweep = LoopingCall(self._look)
        self._sweep.clock = reactor
        self._log = Logger(namespace="gridbeat.tcp")
        self.noisy = False

    def startFactory(self) -> None:
        self._sweep.start(self.SWEEP_S, now=False).addErrback(
            lambda failure: self._log.failure("the sweep of idle links failed", failure=failure)
        )

    def stopFactory(self) -> None:
        self._cutter.stop()
        if self._sweep.running:
            self._sweep.stop()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        host = cast(Any, addr).host
        if self.sources is not None and not self.sources.admit(host):
            return None
        if len(self.links) >= self.limits.connections and not self._make_room():
            self.counters.refuse(self.name, "too_many_connections")
            return None
        if self._addresses[host] >= self.limits.per_address:
            self.counters.refuse(self.name, "too_many_from_address")
            return None
        self._addresses[host] += 1
        self.counters.connections[self.name] += 1
        link = self.link()
        link.factory = self
        link.host = host
        return link

    def forget(self, link: DeviceLink) -> None:
        """The connection is gone."""
        self.links.discard(link)
        self.strangers.pop(link, None)
        self._cutter.forget(link)
        host: str = link.host
        self.counters.connections[self.name] -= 1
        self._addresses[host] -= 1
        if not self._addresses[host]:
            del self._addresses[host]

    def _make_room(self) -> bool:
        while self.strangers:
            link = next(iter(self.strangers))
            del self.strangers[link]
            if not link.session.authenticated:
                self.counters.refuse(self.name, "no_login")
                link.transport.abortConnection()
                return True
        return False

    def _look(self) -> None:
        """Close what never logged in or fell silent. One pass over all links instead of a timer for each:
        ``clock_now`` is the time of the last pass, so ``active`` may be that much older than the last byte."""
        now = self.now()
        limits = self.limits
        allowance = round((now - self.clock_now) * limits.rate)
        self.clock_now = now
        cut = []
        for link in list(self.links):
            session = link.session
            if link in self._cutter:
                continue
            if not session.authenticated and now - link.opened > limits.login_s:
                self.counters.refuse(self.name, "no_login")
                cut.append(link)
            elif now - link.active > limits.idle_s + self.SWEEP_S:
                self.counters.refuse(self.name, "idle")
                cut.append(link)
            else:
                if link.used:
                    link.refill(allowance)
                session.tick()
        self._cutter.add(cut)
