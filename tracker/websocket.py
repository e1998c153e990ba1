"""Handhelds over WebSocket, at ``/handheld`` on the field site: one binary message, one message of the protocol."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from protocols.handheld import MESSAGE_LIMIT
from tracker.counters import Counters
from tracker.cutter import Cutter
from tracker.handheld_session import HandheldSession
from tracker.tcp import LinkLimits
from tracker.turns import PROMPT_BYTES, Turns

NAME = "handheld"


@implementer(IPushProducer)
class HandheldSocket(WebSocketServerProtocol):
    """One handheld's WebSocket."""

    session: HandheldSession | None = None
    used = 0
    held = False
    paused = False
    waits = False

    def onOpen(self) -> None:
        factory = self.factory
        if len(factory.links) >= factory.limits.connections and not factory.make_room():
            factory.counters.refuse(NAME, "too_many_connections")
            self.sendClose(4013, "too many connections")
            return
        self.opened = self.active = factory.now()
        self.rest: deque[bytes] = deque()  # the messages of one read: while they are there, nothing is read
        # Told when the device does not read our answers: then we do not read it either. twisted.web's channel has
        # registered itself there before.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        self.session = factory.make_session(self.transport.getPeer().host, self._send, self._close)
        factory.links.add(self)
        factory.strangers[self] = None
        factory.counters.connections[NAME] += 1

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.session is None:
            return
        self.active = self.factory.now()
        self.used += len(payload)
        if self.used > self.factory.limits.burst and not self.held:
            self.held = True
            self.factory.counters.refuse(NAME, "slowed_down")
            self.transport.pauseProducing()
        if not isBinary:
            self.factory.counters.refuse(NAME, "text_message")
            self.sendClose(3003, "messages are binary msgpack")
            return
        if self.rest or len(payload) > PROMPT_BYTES:
            self.rest.append(payload)
            self.transport.pauseProducing()
            self._wait()
            return
        self.session.receive([payload])

    def take_turn(self) -> None:
        """One message of those that were too much to be taken at once."""
        self.waits = False
        if self.session is not None and self.rest:
            self.session.receive([self.rest.popleft()])
            self._resume()

    def _wait(self) -> None:
        if not self.waits:
            self.waits = True
            self.factory.turns.wait(self)

    def refill(self, allowance: int) -> None:
        """Time went by: the device may send so many bytes more."""
        self.used = max(0, self.used - allowance)
        if self.held and self.used <= self.factory.limits.burst:
            self.held = False
            self._resume()

    def _resume(self) -> None:
        if self.rest:
            self._wait()
        elif not (self.held or self.paused):
            self.transport.resumeProducing()

    def pauseProducing(self) -> None:
        self.paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.paused = False
        self._resume()

    def stopProducing(self) -> None:
        pass

    def _send(self, messages: list[bytes]) -> None:
        if self.state != self.STATE_OPEN:
            return  # what was stored after the goodbye: the device hears nothing of it and sends it again
        for message in messages:
            self.sendMessage(message, isBinary=True)

    def _close(self) -> None:
        self.sendClose(1000)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.session is not None:
            self.factory.links.discard(self)
            self.factory.strangers.pop(self, None)
            self.factory.cutter.forget(self)
            self.factory.counters.connections[NAME] -= 1
            if self.rest:
                self.session.receive(list(self.rest))
            self.session.ended()
            self.session = None


class HandheldSockets(WebSocketServerFactory):
    """The handhelds' WebSockets of one site."""

    protocol = HandheldSocket
    SWEEP_S = 5.0

    def __init__(
        self,
        make_session: Callable[..., HandheldSession],
        counters: Counters,
        limits: LinkLimits,
        reactor: Any,
        turns: Turns | None = None,
    ) -> None:
        super().__init__(server="", reactor=reactor)
        self.make_session = make_session
        self.turns = Turns(reactor) if turns is None else turns
        self.counters = counters
        self.limits = limits
        self.now: Callable[[], float] = reactor.seconds
        self.links: set[HandheldSocket] = set()
        self.strangers: dict[HandheldSocket, None] = {}  # as those of TCP
        self._looked = self.now()
        # webStatus: a page of the library's own for whoever comes without a socket, with an open redirect in it.
        self.setProtocolOptions(
            maxMessagePayloadSize=MESSAGE_LIMIT, maxFramePayloadSize=MESSAGE_LIMIT,
            openHandshakeTimeout=limits.login_s, closeHandshakeTimeout=2, autoPingInterval=0,
            tcpNoDelay=True, failByDrop=True, webStatus=False,
        )  # fmt: skip
        self.cutter = Cutter(reactor, lambda link: link.dropConnection(abort=True))
        self._sweep = LoopingCall(self._look)
        self._sweep.clock = reactor

    def start(self) -> None:
        """Begin to look for silent links."""
        self._sweep.start(self.SWEEP_S, now=False)

    def stop(self) -> None:
        self.cutter.stop()
        if self._sweep.running:
            self._sweep.stop()

    def as_resource(self) -> WebSocketResource:
        """To be put under ``/handheld``."""
        return WebSocketResource(self)

    def make_room(self) -> bool:
        """Whether there is a place: of those that have not said who they are, the one that came first goes."""
        while self.strangers:
            link = next(iter(self.strangers))
            del self.strangers[link]
            if link.session is not None and not link.session.authenticated:
                self.counters.refuse(NAME, "no_login")
                link.dropConnection(abort=True)
                return True
        return False

    def _look(self) -> None:
        now = self.now()
        allowance = round((now - self._looked) * self.limits.rate)
        self._looked = now
        cut = []
        for link in list(self.links):
            session = link.session
            if session is None or link in self.cutter:
                continue
            late = not session.authenticated and now - link.opened > self.limits.login_s
            if late or now - link.active > self.limits.idle_s:
                self.counters.refuse(NAME, "no_login" if late else "idle")
                cut.append(link)
            else:
                link.refill(allowance)
                session.tick()
        self.cutter.add(cut)
