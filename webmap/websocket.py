"""The console's feed over WebSocket, at ``/feed``: who is looking, back-pressure, and nothing of what is said.

A socket belongs to a session. What it is shown follows from the rights that its account had when it was opened: when
these change it is closed and the browser comes again, and when the session ends it is closed for good.
"""

from __future__ import annotations

import json
import socket
import struct
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from tracker.outbox import Outbox
from tracker.tcp import socket_of, unread, write_now
from webmap.cookies import SESSION, in_header
from webmap.feed import Feed, Viewer
from webmap.feeds import Alike, Feeds
from webmap.front import is_ours
from webmap.rights import Action, Who

VIEWERS = 2000
MESSAGE_LIMIT = 4096
"""Bytes of a viewer's message: it names a box and a unit."""
FLUSH_SECONDS = 0.1
"""A browser draws 5,000 units in 15 ms: more often would be seen by nobody and felt by the map."""
FRAMES_A_SECOND = 400
"""To all viewers who read: up to 60 hear ten times a second, 200 twice. What they cost has a bound."""
KERNEL_BUFFER = 256 * 1024
"""Bytes that the kernel may keep for a viewer: a large frame takes its 4 MB otherwise, for each that does not read.
Enough for a fifth of a second of a line of 10 Mbit/s."""
UNREAD = 128 * 1024
"""Bytes that may be on their way to a viewer when the next frame goes out: a kernel is slow to say what has arrived."""
SELDOM = 20
"""After so many frames that could not go out, every tenth time it is looked whether the next one can."""
FRAMED = 4
"""Messages that are kept as they go over the wire: those that come next are the same ones."""
SESSION_SECONDS = 5.0
"""Between two looks at whether a viewer's session has run out: that takes as long as telling it what has changed. What
ends one or changes its rights is told at once."""
SESSION_ENDED = 4401
NO_RIGHT = 4403
RIGHTS_CHANGED = 4001
TRY_LATER = 4013
NOT_UNDERSTOOD = 3003


@implementer(IPushProducer)
class FeedSocket(WebSocketServerProtocol):
    """One browser."""

    viewer: Viewer | None = None
    session: str | None = None
    who: Who
    feed: Feed
    """These two while there is a viewer."""
    _misses = _wait = 0
    held = False
    """The transport has too much that the kernel does not take."""
    out: Outbox | None = None
    """Over TLS: what waits for it."""
    answered = 0.0
    """When it was last told at once what it had begun to look at."""
    desk: int | None = None
    """The desk's version that it was told last."""

    def onConnect(self, request: Any) -> None:
        self.session = self.factory.session_of(request.headers, secure=getattr(self.transport, "secure", False))

    def onOpen(self) -> None:
        factory = self.factory
        who = None if self.session is None else factory.who_of(self.session)
        if who is None:
            if self.session is not None and factory.must_wait(self.session):
                self.sendClose(TRY_LATER, "the server has just started")
            else:
                self.sendClose(SESSION_ENDED, "log in first")
            return
        if not who.may(Action.LIVE):
            self.sendClose(NO_RIGHT, "no right to the live map")
            return
        if len(factory.sockets) >= VIEWERS:
            self.sendClose(TRY_LATER, "too many viewers")
            return
        # Under the site's bounds is the socket itself, or TLS.
        self.link = getattr(self.transport, "transport", self.transport)
        bare = socket_of(self.link)
        if bare is not None and bare is not self.link:
            self.out = Outbox(self.link)
        # A browser that does not read pauses us. twisted.web's channel has registered itself there before.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        if bare is not None:
            with suppress(OSError):
                bare.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        self.viewer, self.who = Viewer(self._send), who
        factory.sockets.add(self)
        self.feed = factory.feeds.join(self.viewer, who.scope(Action.LIVE), factory.wall())

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.viewer is None:
            return
        try:
            message = json.loads(payload)
        except (ValueError, RecursionError):
            message = None
        op = message.get("op") if isinstance(message, dict) else None
        action, handle = MESSAGES.get(op if isinstance(op, str) else "", (None, None))
        if action is None or handle is None:
            self.sendClose(NOT_UNDERSTOOD, "not understood")
        elif not self.who.may(action):
            self.sendClose(NO_RIGHT, "no right to do this")
        elif not handle(self, message):
            self.sendClose(NOT_UNDERSTOOD, "not understood")

    def watch(self, message: Any) -> bool:
        """The browser says what it looks at."""
        assert self.viewer is not None
        before = self.viewer.follow
        if not self.feed.watch(self.viewer, message):
            return False
        if self.viewer.follow is not None and self.viewer.follow != before:
            self.factory.followed(self.who, self.viewer.follow)
        self.factory.answer(self)
        return True

    def nudge(self, version: int, message: bytes) -> None:
        """The desk has come to a version. Who does not read is told the newest one when it does."""
        if self.viewer is None or self.viewer.paused or self.desk == version or not self.who.may(Action.TASKS):
            return
        self.desk = version
        self._send(message)

    def _send(self, message: bytes) -> None:
        # One that is closing is told nothing more: an error here would cost the others their frame.
        if self.state == self.STATE_OPEN:
            # Not the library's way, which takes 60 to 80 us for each viewer, most of it for what is the same for all.
            frame = self.factory.frame(message)
            if self.out is None:
                write_now(self.link, frame)
            else:
                self.out.put(frame)

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        # What the library writes itself must not come in the middle of a frame.
        if self.out:
            self.out.put(data)
        else:
            super().sendData(data, sync, chopsize)

    def ready(self) -> bool:
        """Whether all that was sent has arrived. Who has too much before it is not told the next frame: what changes
        until then comes in one, and neither the kernel nor we keep more for one who reads slowly or not at all."""
        if self.viewer is None:
            return False
        if self._wait > 0:
            self._wait -= 1
            return False
        waiting = unread(self.link)
        self.viewer.paused = self.held or waiting > UNREAD
        # Whoever does not read is asked less and less often, at last once in so many frames.
        self._misses = min(self._misses + 1, SELDOM) if self.viewer.paused else 0
        self._wait = self._misses // 2
        return waiting == 0 and not self.held

    def pauseProducing(self) -> None:
        self.held = True
        if self.out is not None:
            self.out.hold()
        if self.viewer is not None:
            self.viewer.paused = True

    def resumeProducing(self) -> None:
        self.held = False
        self._wait = 0
        if self.viewer is not None:
            self.viewer.paused = False
        if self.out is not None:
            self.out.go_on()

    def stopProducing(self) -> None:
        pass

    def end(self, code: int, reason: str) -> None:
        """Show nothing more, and close."""
        self._leave()
        self.sendClose(code, reason)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._leave()

    def _leave(self) -> None:
        if self.viewer is not None:
            self.factory.sockets.discard(self)
            self.factory.feeds.leave(self.viewer, self.who.scope(Action.LIVE), self.feed)
            self.viewer = None


MESSAGES: Mapping[str, tuple[Action, Callable[[FeedSocket, Any], bool]]] = {"watch": (Action.LIVE, FeedSocket.watch)}
"""All that a browser can say over the socket: ``op`` -> what one must have a right to, and who takes it; that answers
False if it makes no sense."""


class FeedSockets(WebSocketServerFactory):
    """All browsers. ``who_of`` tells whose session a text is; ``origins`` are accepted besides the page's own;
    ``rights`` gives a number that grows whenever accounts change; ``followed`` is told who watches whom."""

    protocol = FeedSocket

    def __init__(
        self,
        feeds: Feeds | Alike,
        who_of: Callable[[str], Who | None],
        behind: Callable[[], int],
        wall: Callable[[], int],
        origins: tuple[str, ...],
        reactor: Any,
        rights: Callable[[], int] = lambda: 0,
        followed: Callable[[Who, str], None] = lambda who, unit: None,
        must_wait: Callable[[str], bool] = lambda session: False,
    ) -> None:
        super().__init__(server="", reactor=reactor)
        self.feeds = feeds
        self.who_of = who_of
        self.wall = wall
        self.followed = followed
        self.must_wait = must_wait
        """Whether nobody can say yet whose session it is."""
        self._rights = rights
        self._known_rights = rights()
        self.sockets: set[FeedSocket] = set()
        self._readers = 0
        """Those to whom all before the last frame had arrived: the others slow nobody."""
        self._behind = behind
        self._origins = origins
        # webStatus: a page of the library's own for whoever comes without a socket, with an open redirect in it.
        self.setProtocolOptions(
            maxMessagePayloadSize=MESSAGE_LIMIT, maxFramePayloadSize=MESSAGE_LIMIT, openHandshakeTimeout=15,
            closeHandshakeTimeout=2, autoPingInterval=30, autoPingTimeout=20, tcpNoDelay=True, failByDrop=True,
            webStatus=False,
        )  # fmt: skip
        self._framed: deque[tuple[bytes, bytes]] = deque(maxlen=FRAMED)
        self._desk: tuple[int, bytes] | None = None
        """Its version, and what tells browsers of that."""
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
        for each in list(self.sockets):
            each.sendClose(1001, "the server stops")

    def as_resource(self) -> WebSocketResource:
        """To be put under ``/feed``."""
        return WebSocketResource(self)

    def session_of(self, headers: dict[str, str], *, secure: bool) -> str | None:
        """The session in the handshake's cookie, unless another site's page opened the socket."""
        origin = headers.get("origin")
        if origin is not None and not is_ours(origin, headers.get("host", ""), self._origins, secure=secure):
            return None
        return in_header(headers.get("cookie", ""), SESSION, secure=secure) or None

    def answer(self, viewer: FeedSocket) -> None:
        """Tells a viewer at once what it looks at now, if it does not ask too often; else with the next frame."""
        now = self._now()
        if viewer.viewer is not None and now - viewer.answered >= FLUSH_SECONDS:
            viewer.answered = now
            viewer.feed.answer(viewer.viewer, self.wall(), self._behind())

    def desk(self, version: int) -> None:
        """The desk has come to a version: browsers that may see tasks are told so with the next frame, and ask. It is a
        number only: what each of them may see is judged where they ask."""
        self._desk = (version, json.dumps({"op": "desk", "version": version}).encode())

    def frame(self, message: bytes) -> bytes:
        """A text message as it goes over the wire (RFC 6455, 5.2), made once for viewers who get the same."""
        for given, framed in self._framed:
            if given is message:
                return framed
        size = len(message)
        if size < 126:
            head = struct.pack(">BB", 0x81, size)
        elif size < 1 << 16:
            head = struct.pack(">BBH", 0x81, 126, size)
        else:
            head = struct.pack(">BBQ", 0x81, 127, size)
        self._framed.append((message, head + message))
        return self._framed[-1][1]

    def ended(self, sessions: Collection[str]) -> None:
        """These sessions (:attr:`Who.session`) have ended: their sockets do at once."""
        for each in list(self.sockets):
            if each.who.session in sessions:
                each.end(SESSION_ENDED, "the session has ended")

    def _look(self) -> None:
        """Every socket's session and rights as they are now."""
        for each in list(self.sockets):
            who = None if each.session is None else self.who_of(each.session)
            if who is None:
                each.end(SESSION_ENDED, "the session has ended")
            elif who != each.who:
                each.end(RIGHTS_CHANGED, "the rights have changed")

    def _tick(self) -> None:
        now = self._now()
        if now - self._looked >= SESSION_SECONDS or self._rights() != self._known_rights:
            self._looked, self._known_rights = now, self._rights()
            try:
                self._look()
            except Exception:
                self._log.failure("sessions could not be looked at")
        # Half a tick is what the clock may be early.
        if now - self._flushed < self._readers / FRAMES_A_SECOND - FLUSH_SECONDS / 2:
            return
        self._flushed = now
        self._readers = sum(each.ready() for each in self.sockets)
        wall, behind = self.wall(), self._behind()
        for feed in self.feeds.all():
            try:
                feed.flush(wall, behind)
            except Exception:
                self._log.failure("a frame could not be made")
        if self._desk is not None:
            for each in list(self.sockets):
                each.nudge(*self._desk)
