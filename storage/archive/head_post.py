"""One message to one address, such as a head: a POST of JSON over HTTPS that is delivered when the answer is 2xx.

The server's certificate is checked against the authorities that this machine trusts. An answer that points elsewhere
is a refusal like any other: a head goes where the operator said, or nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import defer, error
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

TIMEOUT_S = 30.0
"""From the first byte asked for to the answer's status: a head is 600 bytes."""

_TIMEOUTS = (defer.TimeoutError, defer.CancelledError, error.TimeoutError)


class NotDelivered(Exception):
    """It is not there; the text says why, and never holds the address, which may hold a secret. ``status`` is that of
    the answer, 0 without one."""

    def __init__(self, told: str, status: int = 0) -> None:
        super().__init__(told)
        self.status = status


def post(
    url: str,
    body: bytes,
    reactor: Any,
    *,
    timeout: float = TIMEOUT_S,
    policy: IPolicyForHTTPS | None = None,
    more: Mapping[bytes, bytes] | None = None,
) -> Deferred[None]:
    """Fires when the other side has it. ``more`` headers go with it. Fails with :class:`NotDelivered`."""
    pool = HTTPConnectionPool(reactor, persistent=False)  # type: ignore[no-untyped-call]
    trusting = policy or BrowserLikePolicyForHTTPS()  # type: ignore[no-untyped-call]
    agent = Agent(reactor, trusting, connectTimeout=timeout, pool=pool)  # type: ignore[no-untyped-call]
    headers = Headers({b"content-type": [b"application/json"], b"user-agent": [b"Gridbeat"]})
    for name, value in (more or {}).items():
        headers.addRawHeader(name, value)
    asked: Deferred[IResponse] = agent.request(b"POST", url.encode("ascii"), headers, _Body(body))
    asked.addTimeout(timeout, reactor)
    return asked.addCallbacks(_judge, lambda failure: _failed(failure, url))


def host_of(url: str) -> str:
    """What may be told of an address: its host."""
    return urlsplit(url).hostname or "?"


def _judge(response: IResponse) -> None:
    """The status is the answer; nobody waits for what follows it."""
    if response.length is UNKNOWN_LENGTH or response.length:
        response.deliverBody(_Drop())  # type: ignore[no-untyped-call]
    if not 200 <= response.code < 300:
        raise NotDelivered(f"it answered {response.code}", response.code)


def _failed(failure: Failure, url: str) -> None:
    cause: Any = failure.value
    if isinstance(cause, ResponseFailed):
        cause = cause.reasons[0].value
    if isinstance(cause, _TIMEOUTS):
        raise NotDelivered(f"{host_of(url)} did not answer in time")
    if isinstance(cause, VerificationError):
        told = "its certificate is for another name"
    elif isinstance(cause, SSL.Error):
        told = ", ".join(str(one[-1]) for one in cause.args[0]) if cause.args else ""  # (library, function, reason)
    else:
        told = str(cause)
    raise NotDelivered(f"{host_of(url)}: {told or type(cause).__name__}")


class _Drop(Protocol):
    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        pass


@implementer(IBodyProducer)
class _Body:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass
