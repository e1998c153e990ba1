"""What the two sides of a handheld conversation tell their shells: values, without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocols.handheld.task_events import Answer, Problem, Told
from protocols.report import CoordinateSystem, Report

# The server's side: what the device said.


@dataclass(frozen=True, slots=True)
class Hello:
    """The device says who it is. The shell answers with ``welcome``, ``refuse`` or ``busy``."""

    device: str
    token: str = field(repr=False)
    app: str
    crs: CoordinateSystem
    now: int | None = None
    """The device's clock, ms; ``None`` if it was not told or impossible."""
    tasks: bool = False
    """It can show tasks."""


@dataclass(slots=True)
class Batch:
    """Positions. When they are on disk (or will never be accepted), the shell calls ``acknowledge(seq)``."""

    seq: int
    reports: list[Report]
    refused: int
    """Positions that can never be accepted: count them, and acknowledge them with the rest."""


@dataclass(slots=True)
class Health:
    """The device's state, as a report without a fix; acknowledged as a :class:`Batch` is."""

    seq: int
    report: Report
    refused: int = 0
    """Readings that were left out because their type, word or range was wrong."""


@dataclass(frozen=True, slots=True)
class Duty:
    """The person came on duty or went off; acknowledged as a :class:`Batch` is, before which it was sent."""

    seq: int
    on: bool
    at: int | None
    """When, by the device's clock, ms. ``None``: it cannot be read, and never will be. Count it, and acknowledge it."""
    id: str


@dataclass(frozen=True, slots=True)
class Ping:
    """A sign of life; the shell answers ``pong(now)``."""

    now: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """The device's answer to a command of ours."""

    id: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Bye:
    """The device leaves on purpose; the conversation is closing."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Something of the peer's was not taken. It was fatal if the conversation is ``closing`` now."""

    reason: str
    """A short stable word: the error code that the peer was told, or ``unknown_message``. A counter's name."""
    detail: str = ""


Event = Hello | Batch | Health | Duty | Answer | Problem | Ping | Done | Bye | Refused


# The device's side: what the server said.


@dataclass(frozen=True, slots=True)
class Welcome:
    """The server serves us. ``now``: its clock, ms; ``heartbeat``: seconds; versions are advice to the user;
    ``reconnect``: ms, see :meth:`Client.reconnect_delay`."""

    name: str
    now: int
    heartbeat: int
    app_min: str
    app_latest: str
    reconnect: int = 0


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Everything up to ``seq`` is on the server's disk and forgotten here."""

    seq: int


@dataclass(frozen=True, slots=True)
class Command:
    """The server asks for something; answer with :meth:`Client.done`. The same may come again: do it once.

    ``until``: ms of the server's clock after which nobody waits for the answer; 0 if that was not told."""

    id: str
    kind: str
    until: int = 0


@dataclass(frozen=True, slots=True)
class Pong:
    """The server's clock, ms."""

    now: int


@dataclass(frozen=True, slots=True)
class Busy:
    """Nothing was taken; the client goes on by itself after ``seconds``."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server will not serve us and closes; ``code`` as in docs/wire/handheld.md."""

    code: str
    text: str


ClientEvent = Welcome | Acknowledged | Command | Pong | Busy | Rejected | Told
