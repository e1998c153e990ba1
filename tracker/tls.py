"""TLS in front of a listener's factory, and what is told to whoever speaks plain HTTP to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory

Plain = Callable[[bytes, str, int], bytes]
"""What a listener says to a plain request: from its first bytes, and the address and port that it came to, the whole
answer."""


class TlsLink(BufferingTLSTransport):
    """One connection."""

    factory: Any
    transport: Any
    _heard = False

    def makeConnection(self, transport: Any) -> None:
        # What Twisted's HTTP asks of plain sockets alone; an answer of two records would wait for an acknowledgement.
        with suppress(AttributeError):
            transport.setTcpNoDelay(True)
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        if not self._heard:
            self._heard = True
            plain = self.factory.plain
            # TLS begins with the byte 22; a method of HTTP with a letter.
            if plain is not None and data[:1].isalpha():
                host = self.transport.getHost()
                self.transport.write(plain(data, host.host, host.port))
                self.transport.loseConnection()
                return
        super().dataReceived(data)


class TlsFactory(TLSMemoryBIOFactory):
    """A listener's factory behind TLS. ``certificates`` makes the connections (storage/certificates.py); ``plain``
    answers a plain request, for sites."""

    protocol = TlsLink

    def __init__(self, certificates: Any, wrapped: Any, reactor: Any, plain: Plain | None = None) -> None:
        super().__init__(certificates, False, wrapped, reactor)
        self.plain = plain

    def buildProtocol(self, addr: Any) -> Any:
        inner = self.wrappedFactory.buildProtocol(addr)
        # Turned away before anything of TLS is made.
        return None if inner is None else self.protocol(self, inner)
