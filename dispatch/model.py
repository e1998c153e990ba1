"""The nouns of dispatch: tasks, the attempts to have one done, and the two tables of what may follow what.

Times are ms since 1970 by the server's clock, places degrees times 1e7 in WGS-84. A task has one holder at the most:
the one of its attempts that is active. ``(task, attempt)`` is the token that every message about it carries; what
comes with an older one changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

from tracker.model import UnitId

TaskId = NewType("TaskId", str)
NOBODY = UnitId("")


class TaskState(StrEnum):
    """Where a task is."""

    QUEUED = "queued"
    """Nobody has it; it is in every round."""
    ASSIGNED = "assigned"
    """Somebody has been asked, and has not said no."""
    IN_PROGRESS = "in_progress"
    """Somebody has accepted it."""
    RESULTED = "resulted"
    """There is an answer; evidence may still be on its way."""
    SUSPENDED = "suspended"
    """挂账: put aside by the case system, its clock stands."""
    CLOSED = "closed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """So late that nobody wants the answer any more."""


class TaskInput(StrEnum):
    """What can happen to a task."""

    OFFER = "offer"
    ACCEPT = "accept"
    REQUEUE = "requeue"
    """Its attempt has ended without an answer."""
    REPORT = "report"
    RETURN = "return"
    """纠错: a dispatcher wants the answer again, from the same person."""
    CLOSE = "close"
    SUSPEND = "suspend"
    RESUME = "resume"
    CANCEL = "cancel"
    EXPIRE = "expire"


_Q, _A, _P, _R, _S = (
    TaskState.QUEUED, TaskState.ASSIGNED, TaskState.IN_PROGRESS, TaskState.RESULTED, TaskState.SUSPENDED,
)  # fmt: skip
_ENDS = {
    TaskInput.SUSPEND: _S, TaskInput.CANCEL: TaskState.CANCELLED, TaskInput.EXPIRE: TaskState.EXPIRED,
}  # fmt: skip

TASK: dict[TaskState, dict[TaskInput, TaskState]] = {
    _Q: {TaskInput.OFFER: _A, **_ENDS},
    _A: {TaskInput.ACCEPT: _P, TaskInput.REQUEUE: _Q, **_ENDS},
    _P: {TaskInput.REPORT: _R, TaskInput.REQUEUE: _Q, **_ENDS},
    _R: {TaskInput.CLOSE: TaskState.CLOSED, TaskInput.RETURN: _P, TaskInput.REQUEUE: _Q, **_ENDS},
    _S: {TaskInput.RESUME: _Q, TaskInput.CANCEL: TaskState.CANCELLED},
    TaskState.CLOSED: {},
    TaskState.CANCELLED: {},
    TaskState.EXPIRED: {},
}
"""The whole life of a task. What is not in it is refused."""


class AttemptState(StrEnum):
    """Where an attempt is."""

    OFFERED = "offered"
    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    EN_ROUTE = "en_route"
    ON_SCENE = "on_scene"
    REPORTED = "reported"
    DONE = "done"
    DECLINED = "declined"
    UNDELIVERED = "undelivered"
    UNANSWERED = "unanswered"
    RECALLED = "recalled"
    ABANDONED = "abandoned"
    SUPERSEDED = "superseded"
    """Another one's answer was taken."""


class AttemptInput(StrEnum):
    """What can happen to an attempt."""

    DELIVER = "deliver"
    """The device has acknowledged the offer."""
    ACCEPT = "accept"
    DECLINE = "decline"
    UNDELIVERED = "undelivered"
    UNANSWERED = "unanswered"
    DEPART = "depart"
    ARRIVE = "arrive"
    REPORT = "report"
    RETURN = "return"
    RECALL = "recall"
    ABANDON = "abandon"
    SUPERSEDE = "supersede"
    FINISH = "finish"


_OFF = {AttemptInput.RECALL: AttemptState.RECALLED, AttemptInput.SUPERSEDE: AttemptState.SUPERSEDED}
_WORK = {**_OFF, AttemptInput.ABANDON: AttemptState.ABANDONED, AttemptInput.REPORT: AttemptState.REPORTED}

ATTEMPT: dict[AttemptState, dict[AttemptInput, AttemptState]] = {
    AttemptState.OFFERED: {
        AttemptInput.DELIVER: AttemptState.DELIVERED, AttemptInput.UNDELIVERED: AttemptState.UNDELIVERED,
        # The acknowledgement was lost, or the device answered before it.
        AttemptInput.ACCEPT: AttemptState.ACCEPTED, AttemptInput.DECLINE: AttemptState.DECLINED, **_OFF,
    },
    AttemptState.DELIVERED: {
        AttemptInput.ACCEPT: AttemptState.ACCEPTED, AttemptInput.DECLINE: AttemptState.DECLINED,
        AttemptInput.UNANSWERED: AttemptState.UNANSWERED, **_OFF,
    },
    AttemptState.ACCEPTED: {
        AttemptInput.DEPART: AttemptState.EN_ROUTE, AttemptInput.ARRIVE: AttemptState.ON_SCENE, **_WORK,
    },
    AttemptState.EN_ROUTE: {AttemptInput.ARRIVE: AttemptState.ON_SCENE, **_WORK},
    AttemptState.ON_SCENE: _WORK,
    AttemptState.REPORTED: {
        AttemptInput.FINISH: AttemptState.DONE, AttemptInput.RETURN: AttemptState.ACCEPTED, **_OFF,
    },
    AttemptState.DONE: {},
    AttemptState.DECLINED: {},
    AttemptState.UNDELIVERED: {},
    AttemptState.UNANSWERED: {},
    AttemptState.RECALLED: {},
    AttemptState.ABANDONED: {},
    AttemptState.SUPERSEDED: {},
}  # fmt: skip
"""The whole life of an attempt. Late answers of one that has ended are kept beside the task, and change nothing."""

ACTIVE = frozenset(state for state, ways in ATTEMPT.items() if ways)
"""An attempt in one of these holds its task."""
OPEN = frozenset(state for state, ways in TASK.items() if ways)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something is, in 1e-7 degrees, WGS-84. Nothing of dispatch knows another system: what came in one is
    converted, and what came without one refused, at the door."""

    latitude: int
    longitude: int


@dataclass(slots=True)
class Attempt:
    """One try to have a task done, by one unit. ``at`` has when it came to each of its states."""

    number: int
    unit: UnitId
    by: str
    """``round``, or the account that chose."""
    state: AttemptState
    at: dict[AttemptState, int]
    eta: int
    """Seconds from the offer to the arrival, as expected then, backlog included."""
    reason: str = ""
    """Why it was declined, recalled or abandoned: a word of the city's vocabulary, or the person's own."""

    @property
    def active(self) -> bool:
        return self.state in ACTIVE


@dataclass(slots=True)
class Task:
    """Something that somebody has to see with his own eyes. ``kind`` and ``klass`` are words of the city's rules, which
    give ``limit`` (ms) and the times that follow from it; all of them are written down with the task, so that later
    rules change nothing of it."""

    id: TaskId
    kind: str
    klass: str
    spot: Spot
    address: str
    text: str
    source: str
    """Who asked: an account, or the name of the system that did."""
    created: int
    limit: int
    warn: int
    critical: int
    due: int
    grid: str = ""
    street: str = ""
    state: TaskState = TaskState.QUEUED
    attempts: list[Attempt] = field(default_factory=list)
    """In order; the last one is the newest. Bounded by ``ATTEMPTS``."""
    level: int = 0
    """Of escalation."""
    pinned: UnitId = NOBODY
    """Whom a dispatcher has chosen; no round gives it to another."""
    overdue: bool = False
    independent: UnitId = NOBODY
    """Who must not do it: who reported what is to be checked."""
    declined: dict[UnitId, int] = field(default_factory=dict)
    """Who said no, and when."""
    result: Mapping[str, Any] | None = None

    @property
    def attempt(self) -> Attempt | None:
        """The one that holds it."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].active else None


ATTEMPTS = 30
"""Of one task; whoever is asked after that is asked by a dispatcher on the telephone."""


@dataclass(frozen=True, slots=True)
class Timer:
    """Something that has to be looked at when it is due. It does nothing if the task is no longer as it was expected
    to be: another attempt, or another state."""

    due: int
    task: TaskId
    attempt: int
    """0: of the task itself."""
    expects: str
    what: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit as a round sees it. ``spot`` is its believed position; seconds and metres."""

    unit: UnitId
    spot: Spot | None
    age: float
    """Seconds since that fix."""
    accuracy: float
    mode: str
    """walk, ebike or vehicle."""
    on_duty: bool
    resting: bool
    kind: str
    """person or vehicle."""
    areas: frozenset[str]
    """The grids that it owns now."""
    streets: frozenset[str]
    committed: tuple[tuple[Spot, float], ...] = ()
    """What it has accepted or been asked for, in order: where, and the seconds on the scene still expected there."""
    suspect: bool = False
    """An offer did not reach it, and nothing has come from it since."""
