"""Handhelds on a WebSocket of the field site: every binary message is one handheld message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from simulator.keeper import Keeper

PATH = "handheld"


class WebSocketLink(WebSocketClientProtocol):  # type: ignore[misc]  # autobahn carries no types
    """One WebSocket of one keeper, which the factory brings."""

    def onOpen(self) -> None:
        self.factory.keeper.linked(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if isBinary:
            self.factory.keeper.received(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.factory.keeper.lost()

    def send(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            self.sendMessage(message, isBinary=True)

    def close(self) -> None:
        self.sendClose()

    def abort(self) -> None:
        self.dropConnection(abort=True)


def connector(reactor: IReactorTime, endpoint: IStreamClientEndpoint, site: str) -> Callable[[Keeper], Deferred[Any]]:
    """How a keeper connects to the field site at the URL ``site``; ``endpoint`` leads there."""

    def connect(keeper: Keeper) -> Deferred[Any]:
        factory = WebSocketClientFactory(site + PATH, reactor=reactor)
        factory.protocol = WebSocketLink
        factory.keeper = keeper
        # The server's frames are small; a peer that sends large ones is not our server.
        factory.setProtocolOptions(maxMessagePayloadSize=262_144, openHandshakeTimeout=10, closeHandshakeTimeout=3)
        return endpoint.connect(factory)

    return connect
