"""Keeps one client's link alive: connects, drives its core by the clock, and comes back after every loss.

The shells (tcp.py, websocket.py) bring the bytes and share everything else, which is here. A link is made when
the device can have one, is cut when the weather takes it away, and is tried again with growing pauses; positions
go on being collected meanwhile and follow later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from protocols.errors import RemoteProtocolError
from simulator.manner import Network
from simulator.weather import Backoff

GREETING_SECONDS = 30.0
"""A link on which the server has not taken the device on by then is given up: it may be a port that only accepts."""
NOTICED_SECONDS = (0.5, 4.0)
"""Until somebody notices that a link carries nothing any more."""
CLOSING_SECONDS = 5.0
"""How long a closing link may still write; a peer that reads no more would hold it for ever."""


class Device(Protocol):
    """A client core as the keeper drives it; times are ms of the true clock."""

    name: str
    served: bool

    @property
    def reachable(self) -> bool: ...

    @property
    def closing(self) -> bool: ...

    def tick(self, now: int) -> None: ...

    def connected(self, now: int) -> None: ...

    def disconnected(self) -> None: ...

    def receive(self, payload: bytes, now: int) -> list[str]: ...

    def to_send(self, now: int) -> list[bytes]: ...

    def get_timer(self) -> int | None: ...

    def handle_timer(self, now: int) -> None: ...


class Link(Protocol):
    """One connection as the keeper sees it."""

    def send(self, messages: Sequence[bytes]) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class Keeper:
    """One device with its link. ``connect(keeper)`` begins to connect; the link then calls the three verbs below.

    ``interval`` in seconds; ``now`` is the wall clock in ms, the reactor's clock only measures pauses. What goes over a
    bad ``network`` may be lost, and its link with it.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        device: Device,
        connect: Callable[[Keeper], Deferred[Any]],
        *,
        interval: float,
        backoff: Backoff,
        now: Callable[[], int],
        network: Network | None = None,
        random: Random | None = None,
    ) -> None:
        self._reactor = reactor
        self._network = network or Network()
        self._random = random or Random(0)
        self._dead = False
        """The link carries nothing any more, and nobody has noticed."""
        self._device = device
        self._connect = connect
        self._interval = interval
        self._backoff = backoff
        self._now = now
        self._link: Link | None = None
        self._attempt: Deferred[Any] | None = None
        self._connecting = False
        self._ending = False
        self._guard: IDelayedCall | None = None
        self._ticking: IDelayedCall | None = None
        self._retrying: IDelayedCall | None = None
        self._timer: IDelayedCall | None = None
        self._stopped = False

    def start(self, delay: float) -> None:
        """The first look around in ``delay`` seconds: a city does not switch its devices on in one moment."""
        self._ticking = self._reactor.callLater(delay, self._tick)

    def stop(self) -> None:
        """Cuts the link and does nothing any more."""
        self._stopped = True
        for call in (self._ticking, self._retrying, self._timer, self._guard):
            _cancel(call)
        if self._attempt is not None:
            self._attempt.cancel()
        if self._link is not None:
            self._link.abort()

    # What a link says.

    def linked(self, link: Link) -> None:
        """The connection stands."""
        self._connecting = self._ending = self._dead = False
        self._link = link
        self._guard_link(GREETING_SECONDS)
        self._device.connected(self._now())
        self._attend()

    def received(self, payload: bytes) -> None:
        """The server sent something."""
        if self._dead or not self._carries():
            return
        was_served = self._device.served
        try:
            notes = self._device.receive(payload, self._now())
        except RemoteProtocolError as fault:
            notes = [f"server broke the protocol: {fault.reason}"]
            if self._link is not None:
                self._link.abort()
        for note in notes:
            self._log.info("{device}: {note}", device=self._device.name, note=note)
        if self._device.served and not was_served:
            self._backoff.reset()
            if not self._dead:
                _cancel(self._guard)
        self._attend()

    def lost(self) -> None:
        """The connection is gone, whoever ended it; it may have ended before it was a link."""
        self._connecting = False
        _cancel(self._guard)
        _cancel(self._timer)
        if self._link is not None:
            self._link = None
            self._device.disconnected()
        if not self._stopped:
            self._log.info("{device}: link lost", device=self._device.name)
            self._retry()

    # The clock.

    def _tick(self) -> None:
        self._ticking = self._reactor.callLater(self._interval, self._tick)
        self._device.tick(self._now())
        self._attend()

    def _attend(self) -> None:
        """Brings the link into the state that the device needs, then sends what waits."""
        if self._stopped:
            return
        device = self._device
        if self._link is None:
            if device.reachable and not self._connecting and not _waits(self._retrying):
                self._try()
            return
        if not device.reachable:
            self._log.info("{device}: no network or no power", device=device.name)
            self._link.abort()
            return
        messages = [] if self._dead else device.to_send(self._now())
        if messages and self._carries():
            self._link.send(messages)
        if device.closing:
            if not self._ending:
                self._ending = True
                self._link.close()
                self._guard_link(CLOSING_SECONDS)
            return
        self._set_timer()

    def _carries(self) -> bool:
        """Whether this sending arrives; if it does not, or its confirmation does not, the link is dead."""
        if self._network.good:
            return True
        fate = self._network.fate(self._random)
        if fate != "arrives":
            self._dead = True
            self._guard_link(self._random.uniform(*NOTICED_SECONDS))
        return fate != "lost"

    def _set_timer(self) -> None:
        _cancel(self._timer)
        due = self._device.get_timer()
        if due is not None and self._link is not None:
            self._timer = self._reactor.callLater(max(0.0, (due - self._now()) / 1000), self._time_came)

    def _time_came(self) -> None:
        if self._link is not None:
            self._device.handle_timer(self._now())
            self._attend()

    def _guard_link(self, seconds: float) -> None:
        """Aborts this link in ``seconds`` unless something better has happened to it."""
        link = self._link
        _cancel(self._guard)

        def give_up() -> None:
            if link is not None and link is self._link:
                link.abort()

        self._guard = self._reactor.callLater(seconds, give_up)

    def _try(self) -> None:
        self._connecting = True
        self._attempt = self._connect(self)
        # Not ``_connecting = False`` on success: a WebSocket is a link only after its handshake.
        self._attempt.addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self._connecting = False
        if not self._stopped:
            self._log.info("{device}: not connected: {why}", device=self._device.name, why=type(failure.value).__name__)
            self._retry()

    def _retry(self) -> None:
        if not _waits(self._retrying):
            self._retrying = self._reactor.callLater(self._backoff.next(), self._attend)


def _waits(call: IDelayedCall | None) -> bool:
    return call is not None and call.active()


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
