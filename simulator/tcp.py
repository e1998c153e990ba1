"""Clients on a TCP stream: handhelds in frames, and the vehicle's terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from simulator.keeper import Keeper


class StreamLink(Protocol):
    """One TCP connection of one keeper."""

    transport: ITCPTransport

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._keeper.linked(self)

    def dataReceived(self, data: bytes) -> None:
        self._keeper.received(data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._keeper.lost()

    def send(self, messages: Sequence[bytes]) -> None:
        self.transport.write(b"".join(messages))

    def close(self) -> None:
        self.transport.loseConnection()

    def abort(self) -> None:
        self.transport.abortConnection()


def connector(endpoint: IStreamClientEndpoint) -> Callable[[Keeper], Deferred[Any]]:
    """How a keeper connects to a TCP port."""

    def connect(keeper: Keeper) -> Deferred[Any]:
        return endpoint.connect(Factory.forProtocol(lambda: StreamLink(keeper)))

    return connect
