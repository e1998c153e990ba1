"""The city's listeners on their ports: behind TLS where they speak it, each with the networks that it takes in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import maybeDeferred

from storage.certificates import Certificates
from storage.doors import Door
from tracker.counters import Counters
from tracker.site import BoundedSite
from tracker.sources import Sources
from tracker.tls import Plain, TlsFactory

BACKLOG = 1024
DATAGRAM = 2048
"""Bytes of one: more than any device's."""


class Listening:
    """Made from the settings; :meth:`open` binds the ports. ``numbers`` has their numbers then, by the listener's name,
    and ``transports`` what is spoken there. ``wall`` gives ms since 1970."""

    def __init__(
        self,
        doors: Mapping[str, Door],
        certificates: Certificates | None,
        counters: Counters,
        wall: Callable[[], int],
        reactor: Any,
    ) -> None:
        self.doors = doors
        self.certificates = certificates
        self.sources = {name: Sources(name, door.networks, counters, wall) for name, door in doors.items()}
        self.numbers: dict[str, int] = {}
        self.transports: dict[str, tuple[str, ...]] = {}
        self._reactor = reactor
        self._ports: list[Any] = []

    def open(
        self, sites: Mapping[str, BoundedSite], tcp: Mapping[str, Any], udp: Mapping[str, Any], plain: Plain
    ) -> None:
        """Bind all of them. ``plain`` answers whoever speaks plain HTTP to a site behind TLS. Raises Twisted's
        ``CannotListenError``."""
        for name, site in sites.items():
            site.sources = self.sources[name]
            # Of an authority of our own a browser may lose sight, and then nobody could pass its warning.
            site.lasting = self.certificates is not None and not self.certificates.private
        for name, door in self.doors.items():
            factory = sites.get(name) or tcp.get(name)
            if factory is not None:
                if door.tls:
                    answer = plain if name in sites else None
                    factory = TlsFactory(self.certificates, factory, self._reactor, answer)
                port = self._reactor.listenTCP(door.port, factory, interface=door.bind, backlog=BACKLOG)
                self._opened(name, "tls" if door.tls else "tcp", port)
            if name in udp:
                number = self.numbers.get(name, door.port)
                port = self._reactor.listenUDP(number, udp[name], interface=door.bind, maxPacketSize=DATAGRAM)
                self._opened(name, "udp", port)
        if self.certificates is not None:
            self.certificates.start()

    def _opened(self, name: str, transport: str, port: Any) -> None:
        self._ports.append(port)
        self.numbers.setdefault(name, port.getHost().port)
        self.transports[name] = (*self.transports.get(name, ()), transport)

    async def close(self) -> None:
        """Take no more connections."""
        if self.certificates is not None:
            self.certificates.stop()
        for port in self._ports:
            await maybeDeferred(port.stopListening)

    def address(self, name: str, scheme: str) -> str:
        """Where a listener is, for the terminal; ``scheme`` is what it is without TLS."""
        door = self.doors[name]
        if door.tls:
            scheme = {"http": "https"}.get(scheme, "tls")
        host = f"[{door.bind}]" if ":" in door.bind else door.bind
        return f"{scheme}://{host}:{self.numbers[name]}"

    def in_the_clear(self) -> dict[tuple[str, ...], list[str]]:
        """The listeners without TLS that other machines reach, by the networks that they take connections from."""
        found: dict[tuple[str, ...], list[str]] = {}
        for name, door in self.doors.items():
            if not (door.tls or door.local):
                found.setdefault(tuple(door.sources or ()), []).append(name)
        return found
