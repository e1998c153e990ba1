"""JT/T 808 over UDP: the same session, a peer being an address instead of a connection."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from twisted.internet import protocol
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from tracker.counters import Counters
from tracker.jt808_session import JT808Session
from tracker.tcp import LinkLimits

NAME = "jt808"
Address = tuple[str, int]


class JT808Datagrams(protocol.DatagramProtocol):
    """One session per address. A terminal that changes its port has to authenticate again."""

    SWEEP_S = 5.0

    def __init__(
        self, make_session: Callable[..., JT808Session], counters: Counters, limits: LinkLimits, reactor: Any
    ) -> None:
        self._make_session = make_session
        self._counters = counters
        self._limits = limits
        self._now: Callable[[], float] = reactor.seconds
        # Ordered by last activity, oldest first: session, when it began, when it was last heard, bytes used.
        self._peers: OrderedDict[Address, tuple[JT808Session, float, float, int]] = OrderedDict()
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
        known = self._peers.pop(addr, None)
        if known is None:
            if len(self._peers) >= self._limits.connections and not self._make_room():
                self._counters.refuse(NAME, "too_many_connections")
                return
            made: JT808Session = self._make_session(
                addr[0], lambda frames: self._send(addr, frames), lambda: self._drop(addr, made)
            )
            session = made
            opened, used = now, 0
        else:
            session, opened, _, used = known
        fast = used > self._limits.burst
        self._peers[addr] = (session, opened, now, used if fast else used + len(datagram))
        if session.full or fast:
            # Not taken and not answered: the terminal sends it again.
            self._counters.refuse(NAME, "slowed_down" if fast else "busy")
            return
        session.receive(datagram, datagram=True)

    def _make_room(self) -> bool:
        """Source addresses cost nothing to invent: the one not heard of for longest goes, if it never logged in."""
        address, (session, *_) = next(iter(self._peers.items()))
        if session.authenticated:
            return False
        self._counters.refuse(NAME, "no_login")
        self._drop(address, session)
        return True

    def _send(self, address: Address, frames: list[bytes]) -> None:
        if self.transport is not None:
            for frame in frames:
                self.transport.write(frame, address)

    def _drop(self, address: Address, session: JT808Session) -> None:
        """The session is over. A newer one of the same address stays."""
        known = self._peers.get(address)
        if known is not None and known[0] is session:
            del self._peers[address]
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
