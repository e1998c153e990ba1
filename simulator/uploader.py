"""Photos over HTTP: the pieces of one device, one after the other, over a connection that is kept."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import readBody
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from simulator.http import TIMEOUT, Body
from simulator.uploads import Piece, Uploads
from simulator.weather import Backoff


class Uploader:
    """Sends what ``uploads`` has to send whenever the device is ``reachable``."""

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        name: str,
        token: str,
        uploads: Uploads,
        agent: IAgent,
        site: str,
        *,
        reachable: Callable[[], bool],
        backoff: Backoff,
    ) -> None:
        self._reactor = reactor
        self._name = name
        self._who = b"Basic " + b64encode(f"{name}:{token}".encode())
        self._uploads = uploads
        self._agent = agent
        self._site = site
        self._reachable = reachable
        self._backoff = backoff
        self._pausing: IDelayedCall | None = None
        self._under_way: Deferred[Any] | None = None
        self._stopped = False
        uploads.on_wanted = self._go_on

    def stop(self) -> None:
        """Gives up what is under way and does nothing any more."""
        self._stopped = True
        if self._pausing is not None and self._pausing.active():
            self._pausing.cancel()
        if self._under_way is not None:
            self._under_way.cancel()

    def _go_on(self) -> None:
        if not self._stopped and not (self._pausing is not None and self._pausing.active()):
            self._pausing = self._reactor.callLater(0, self._send)

    def _send(self) -> None:
        if not self._reachable():
            self._wait()
        elif (piece := self._uploads.request()) is not None:
            self._under_way = self._patch(piece)
            self._under_way.addCallbacks(lambda answer: self._answered(*answer), self._failed)

    def _wait(self) -> None:
        self._pausing = self._reactor.callLater(self._backoff.next(), self._send)

    def _patch(self, piece: Piece) -> Deferred[tuple[int, object]]:
        headers = Headers({b"Authorization": [self._who]})
        for name, value in piece.headers:
            headers.addRawHeader(name, value)

        async def patch() -> tuple[int, object]:
            url = (self._site + piece.path).encode()
            response: IResponse = await self._agent.request(b"PATCH", url, headers, Body(piece.body))
            return int(response.code), _offset(await readBody(response))

        return Deferred.fromCoroutine(patch()).addTimeout(TIMEOUT, self._reactor)

    def _answered(self, status: int, offset: object) -> None:
        before = self._uploads.sent
        again = self._uploads.answered(status, offset)
        if self._uploads.sent > before:
            self._log.info("{device}: a photo is safe", device=self._name)
        elif status >= 400:
            self._log.info("{device}: photo: status {status}", device=self._name, status=status)
        if again:
            self._backoff.reset()
            self._go_on()
        else:
            self._wait()

    def _failed(self, failure: Failure) -> None:
        self._uploads.answered(None)
        if not self._stopped:
            self._log.info("{device}: photo: {why}", device=self._name, why=type(failure.value).__name__)
            self._wait()


def _offset(body: bytes) -> object:
    try:
        return json.loads(body).get("offset")
    except (ValueError, AttributeError):
        return None
