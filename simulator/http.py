"""Phones over HTTP: each report is one POST to the phone port, over a connection that is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from simulator.phone import Phone, Request
from simulator.weather import Backoff

TIMEOUT = 15.0
"""Seconds for one request: the server answers in milliseconds, so what takes longer is a link that is gone."""


@implementer(IBodyProducer)
class Body:
    """A body that is in memory already."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        consumer.write(self._body)
        done.callback(None)
        return done

    def pauseProducing(self) -> None:
        """Nothing to pause: the body was written at once."""

    def resumeProducing(self) -> None:
        """See :meth:`pauseProducing`."""

    def stopProducing(self) -> None:
        """See :meth:`pauseProducing`."""


class _Rest(Protocol):
    """Reads an answer's body to its end and keeps nothing of it; only then can the connection be used again."""

    def __init__(self) -> None:
        self.read: Deferred[None] = Deferred()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.read.callback(None)


class PhoneKeeper:
    """Drives one phone: a look around in every interval, and requests one after another while they are answered."""

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        phone: Phone,
        agent: IAgent,
        url: bytes,
        *,
        interval: float,
        backoff: Backoff,
        now: Callable[[], int],
    ) -> None:
        self._reactor = reactor
        self._phone = phone
        self._agent = agent
        self._url = url
        self._interval = interval
        self._backoff = backoff
        self._now = now
        self._ticking: IDelayedCall | None = None
        self._pausing: IDelayedCall | None = None
        self._under_way: Deferred[Any] | None = None
        self._healthy: bool | None = None

    def start(self, delay: float) -> None:
        """The first look around in ``delay`` seconds."""
        self._ticking = self._reactor.callLater(delay, self._tick)

    def stop(self) -> None:
        """Gives up what is under way and does nothing any more."""
        for call in (self._ticking, self._pausing):
            if call is not None and call.active():
                call.cancel()
        self._ticking = None
        if self._under_way is not None:
            self._under_way.cancel()

    def _tick(self) -> None:
        self._ticking = self._reactor.callLater(self._interval, self._tick)
        self._phone.tick(self._now())
        if self._pausing is None or not self._pausing.active():
            self._send()

    def _send(self) -> None:
        request = self._phone.request()
        if request is not None:
            answer = self._post(request)
            self._under_way = answer
            answer.addCallbacks(self._answered, self._failed)

    def _post(self, request: Request) -> Deferred[int]:
        url = self._url + (b"?" + request.query if request.query else b"")
        headers = Headers({"User-Agent": ["Traccar Client"]})
        if request.content_type is not None:
            headers.addRawHeader("Content-Type", request.content_type)

        async def post() -> int:
            response: IResponse = await self._agent.request(b"POST", url, headers, Body(request.body))
            rest = _Rest()
            response.deliverBody(rest)  # type: ignore[no-untyped-call]
            await rest.read
            return int(response.code)

        return Deferred.fromCoroutine(post()).addTimeout(TIMEOUT, self._reactor)

    def _answered(self, status: int) -> None:
        delivered = self._phone.answered(status)
        self._note(delivered, f"status {status}")
        self._go_on(delivered)

    def _failed(self, failure: Failure) -> None:
        self._phone.answered(None)
        if self._ticking is not None:
            self._note(False, type(failure.value).__name__)
            self._go_on(False)

    def _go_on(self, delivered: bool) -> None:
        # Through the reactor either way: a long queue must not become a deep stack.
        if delivered:
            self._backoff.reset()
        self._pausing = self._reactor.callLater(0 if delivered else self._backoff.next(), self._send)

    def _note(self, healthy: bool, why: str) -> None:
        if healthy is not self._healthy:
            self._healthy = healthy
            note = "delivering" if healthy else f"not delivered: {why}"
            self._log.info("{device}: {note}", device=self._phone.name, note=note)
