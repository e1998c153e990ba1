"""The nouns of dispatch: tasks, the attempts to have one done, and the two tables of what may follow what.

Times are ms since 1970 by the server's clock, places degrees times 1e7 in WGS-84. A task has one holder at the most:
the one of its attempts that is active. ``(task, attempt)`` is the token that every message about it carries; what
comes with an older one changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, NewType

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
    ADOPT = "adopt"
    """A dispatcher takes the answer of one who held it before."""
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
    _Q: {TaskInput.OFFER: _A, TaskInput.ADOPT: _R, **_ENDS},
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


@dataclass(frozen=True, slots=True)
class Times:
    """How long is waited for what, ms. Those of a task are written down with it; cities, kinds and classes differ."""

    deliver: int = 30_000
    """Until the device has acknowledged an offer."""
    answer: int = 60_000
    """Until its person has said yes or no; at half of it there is one reminder. For CHECK twice as long."""
    depart: int = 180_000
    """Until he sets out; he is reminded once, then it goes to another."""
    travel_percent: int = 150
    """Of the estimate, and ``travel_more`` besides, until he is asked where he is; once more, then it goes to
    another."""
    travel_more: int = 120_000
    question: int = 1_200_000
    """On the scene until he is asked, and until the seat is told."""
    alert: int = 1_800_000
    photo: int = 600_000
    """For each photo that is missing."""
    revoke: int = 30_000
    """Until the device of who has lost it has acknowledged that; then somebody calls."""
    cool_down: int = 900_000
    """For so long after a no it is not offered to the same unit."""
    levels: tuple[int, ...] = (120_000, 180_000, 300_000)
    """From level 1, 2 and 3 of escalation to the next."""
    failed: int = 2
    """Attempts that come to nothing, and the level rises."""
    review: int = 3_600_000
    """An answer that nobody closes is shown to the seat again."""
    suspended: int = 86_400_000
    """So is what has been put aside."""
    expire: int = 86_400_000
    """After the deadline."""


@dataclass(frozen=True, slots=True)
class Result:
    """An answer. ``at`` is when it came, ``said`` when it was given as the device says. ``required`` photos belong to
    it; ``photos`` are the hashes that it names, ``arrived`` those that are on disk.
    ``closes``: once it has all of them the task is closed without a dispatcher."""

    word: str
    unit: UnitId
    attempt: int
    at: int
    text: str = ""
    said: int = 0
    required: int = 0
    photos: tuple[str, ...] = ()
    arrived: tuple[str, ...] = ()
    closes: bool = False
    marks: tuple[str, ...] = ()
    """What a dispatcher should know of it, such as that there is no proof of having been there."""

    @property
    def missing(self) -> int:
        """How many photos."""
        return max(self.required, len(self.photos)) - len(self.arrived)


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
    marks: dict[str, int] = field(default_factory=dict)
    """Which of its timers have fired, and what its device has acknowledged since it ended, with when."""
    seen: tuple[str, ...] = ()
    """The client event ids of its messages: what comes twice counts once. Bounded by ``SEEN``."""

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
    time: str = "clock"
    """What time its limit counts in."""
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
    """Who said no, did not answer, gave it up, or had it taken from him by hand, and when."""
    result: Result | None = None
    kept: list[Result] = field(default_factory=list)
    """Answers that are not, or not any more, the one: of those who held it before, and returned ones. Bounded by
    ``RESULTS``."""
    times: Times = field(default_factory=Times)
    since: int = 0
    """When it came to its state."""
    raised: int = 0
    """When it came to its level, or into the queue again after somebody had accepted it or it was put aside."""
    failed: int = 0
    """Attempts since then that came to nothing."""
    marks: dict[str, int] = field(default_factory=dict)
    """Which of its own timers have fired, with when."""

    @property
    def seen(self) -> str:
        """What somebody sees who looks at it. Who decides names it, and is refused if it is not so any more."""
        return f"{self.state}.{self.attempts[-1].number if self.attempts else 0}"

    def find(self, number: int) -> Attempt | None:
        return next((attempt for attempt in reversed(self.attempts) if attempt.number == number), None)

    @property
    def attempt(self) -> Attempt | None:
        """The one that holds it."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].active else None


ATTEMPTS = 30
"""Of one task; whoever is asked after that is asked by a dispatcher on the telephone."""
SEEN = 32
"""Messages of one attempt whose ids are known: a handful, and as many again that were answered and got lost."""
RESULTS = 10
"""Of one task besides the one that counts; the journal has all of them."""
PHOTOS = 20
"""Hashes that a result names at the most; nobody waits for more."""


class Timer(NamedTuple):
    """Something that has to be looked at when it is due. It does nothing if the task is no longer as it was expected
    to be: another attempt, or another state. ``attempt`` is 0 if it is of the task itself."""

    due: int
    task: TaskId
    attempt: int
    expects: str
    what: str


@dataclass(slots=True)  # nobody changes one; frozen it takes five times as long to make, and rounds make everybody's
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
    device: bool = True
    """Whether it has one that can be asked."""
    linked: bool = True
    """Whether such a one has a link now."""
    done: int = 0
    """Tasks that it has done this shift."""
