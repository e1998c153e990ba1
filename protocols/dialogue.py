"""What is common to the simple trackers' protocols: the events of a core, and the verbs with which it is answered.

A handheld and a JT/T 808 terminal have conversations of their own. The cheap trackers (NMEA, GT06, H02, watches)
have not: a device says who it is, in a message of its own or in each; it reports; some want an answer. One core
for each protocol turns their bytes into these events, one session (tracker/tracker_session.py) serves them all,
and the entry in tracker/catalogue.py is all that a new protocol needs besides its core.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from protocols.alarms import Held
from protocols.report import Report


@dataclass(frozen=True, slots=True)
class Login:
    """From here on this device speaks. The session answers with :meth:`TrackerCore.accept` or ``refuse`` before it
    looks at the next event. ``ticket`` is the core's own: what it needs to answer."""

    device_id: str
    ticket: Any = None


@dataclass(frozen=True, slots=True)
class Reported:
    """One message's reports, at least one; they may be without a position (battery, alarms, no fix). Acknowledged when
    they are on disk."""

    reports: list[Report]
    ticket: Any = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life that holds nothing to store, acknowledged at once."""

    ticket: Any = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that cannot be taken, to be counted under ``reason``, a short stable word."""

    reason: str


Event: TypeAlias = Login | Reported | Heartbeat | Refused


class TrackerCore(Protocol):
    """One device's conversation, sans-I/O. Nothing that a peer sends raises. Times in ms since 1970 UTC.

    ``closing``: write what is queued, then close.
    """

    closing: bool

    def receive_data(self, data: bytes, now: int) -> list[Event]:
        """Bytes of a TCP stream, cut anywhere."""

    def receive_datagram(self, data: bytes, now: int) -> list[Event]:
        """One UDP datagram: one or more whole messages."""

    def get_timer(self) -> int | None:
        """When :meth:`handle_timer` wants to be called, or ``None``."""

    def handle_timer(self, now: int) -> list[Event]:
        """The time asked for has come."""

    def accept(self, event: Login) -> None:
        """The device is known and may speak: queue the answer that it waits for, if any."""

    def refuse(self, event: Login) -> None:
        """It is not, or may not: queue the refusal if the protocol has one, and set ``closing``."""

    def acknowledge(self, event: Reported | Heartbeat) -> None:
        """What was reported is on disk: queue the answer that the device waits for, if any."""

    def data_to_send(self) -> list[bytes]:
        """All queued messages in order: one datagram each, or joined for TCP. Empties the queue."""


class Answering:
    """What most cores do alike, to build on: a ticket is the answer in bytes (empty or ``None`` for none), nothing
    waits for a time, and whoever is refused is hung up on without a word."""

    def __init__(self) -> None:
        self.closing = False
        self._out: list[bytes] = []

    def get_timer(self) -> int | None:
        return None

    def handle_timer(self, now: int) -> list[Event]:
        return []

    def accept(self, event: Login) -> None:
        self.acknowledge(event)

    def refuse(self, event: Login) -> None:
        self.closing = True

    def acknowledge(self, event: Login | Reported | Heartbeat) -> None:
        if event.ticket:
            self._out.append(event.ticket)

    def data_to_send(self) -> list[bytes]:
        out, self._out = self._out, []
        return out


@dataclass(frozen=True, slots=True)
class Peer:
    """What a core may know of the other end before it has said anything: its source address, which devices
    of the protocol (external ids) are to be read leniently, and the calls for help that stand of them."""

    address: str
    lenient: Container[str] = ()
    calls: Held | None = None
