"""Devices over UDP: the sessions of TCP, a peer being an address instead of a connection."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet import protocol
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from tracker.counters import Counters
from tracker.sources import Sources
from tracker.tcp import LinkLimits, LinkSession

Address = tuple[str, int]


class DatagramSession(LinkSession, Protocol):
    """What the shell needs of a session."""

    def receive(self, data: bytes, *, datagram: bool = False) -> None: ...


class DeviceDatagrams(protocol.DatagramProtocol):
    """One session per address. A device that changes its port has to say again who it is."""

    SWEEP_S = 5.0

    def __init__(
        self,
        name: str,
        make_session: Callable[..., DatagramSession],
        counters: Counters,
        limits: LinkLimits,
        reactor: Any,
        sources: Sources | None = None,
    ) -> None:
        self._name = name
        self._sources = sources
        self._make_session = make_session
        self._counters = counters
        self._limits = limits
        self._now: Callable[[], float] = reactor.seconds
        # Session, when it began, when it was last heard, bytes used.
        self._peers: dict[Address, tuple[DatagramSession, float, float, int]] = {}
        # Those that were not logged in when they were last heard, the one not heard of for longest first.
        self._strangers: OrderedDict[Address, None] = OrderedDict()
        self._looked = self._now()
        self._sweep = LoopingCall(self._look)
        self._sweep.clock = reactor
        self._log = Logger(namespace="gridbeat.udp")
        self.noisy = False

    def startProtocol(self) -> None:
        self._sweep.start(self.SWEEP_S, now=False).addErrback(
            lambda failure: self._log.failure("the sweep of silent peers failed", failure=failure)
        )

    def stopProtocol(self) -> None:
        if self._sweep.running:
            self._sweep.stop()
        for address, (session, *_) in list(self._peers.items()):
            self._drop(address, session)

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:
        now = self._now()
        known = self._peers.get(addr)
        if known is None:
            if self._sources is not None and not self._sources.admit(addr[0]):
                return
            if len(self._peers) >= self._limits.connections and not self._make_room():
                self._counters.refuse(self._name, "too_many_connections")
                return
            made: DatagramSession = self._make_session(
                addr[0], lambda frames: self._send(addr, frames), lambda: self._drop(addr, made)
            )
            session = made
            opened, used = now, 0
        else:
            session, opened, _, used = known
        fast = used > self._limits.burst
        self._peers[addr] = (session, opened, now, used if fast else used + len(datagram))
        if session.full or fast:
            # Not taken and not answered: the device sends it again, if it is one that does.
            self._counters.refuse(self._name, "slowed_down" if fast else "busy")
            return
        session.receive(datagram, datagram=True)
        self._strangers.pop(addr, None)
        if not session.authenticated and addr in self._peers:
            self._strangers[addr] = None

    def _make_room(self) -> bool:
        """Source addresses cost nothing to invent: of those that are not logged in, the one not heard of for longest
        goes."""
        while self._strangers:
            address, _ = self._strangers.popitem(last=False)
            session = self._peers[address][0]
            if not session.authenticated:
                self._counters.refuse(self._name, "no_login")
                self._drop(address, session)
                return True
        return False

    def _send(self, address: Address, frames: list[bytes]) -> None:
        if self.transport is not None:
            for frame in frames:
                self.transport.write(frame, address)

    def _drop(self, address: Address, session: DatagramSession) -> None:
        """The session is over. A newer one of the same address stays."""
        known = self._peers.get(address)
        if known is not None and known[0] is session:
            del self._peers[address]
            self._strangers.pop(address, None)
        session.ended()

    def _look(self) -> None:
        now = self._now()
        allowance = round((now - self._looked) * self._limits.rate)
        self._looked = now
        for address, (session, opened, active, used) in list(self._peers.items()):
            late = not session.authenticated and now - opened > self._limits.login_s
            if late or now - active > self._limits.idle_s:
                self._drop(address, session)
            else:
                if used:
                    self._peers[address] = (session, opened, active, max(0, used - allowance))
                session.tick()
