"""What is said about tasks over a handheld's link: values, without behaviour.

``(task, attempt)`` is the token of everything that is said about a task. ``event`` is the device's own id of what it
says, by which it is known when it comes twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocols.report import CoordinateSystem

# The server's side: what the device said. Both are acknowledged as a Batch is, whatever they hold.


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person or the device says to a task; a ``standing`` under the same ``event`` answers it."""

    seq: int
    task: str
    attempt: int
    what: str
    """One of :data:`protocols.handheld.task_messages.WHATS`, or empty if ``bad``."""
    event: str
    at: int | None
    """When, by the device's clock, ms; ``None`` if that was not told or is impossible."""
    reason: str = ""
    """Why it was declined: a word of the city's, or the person's own."""
    word: str = ""
    """Of a report: which result."""
    text: str = ""
    photos: tuple[str, ...] = ()
    """SHA-256, lower-case hex."""
    bad: str = ""
    """It cannot be understood, and never will be: why. Count it, and acknowledge it. What could be read is there."""
    refused: int = 0
    """Things that were left out because their type or range was wrong: count them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The person reports something that nobody asked for; a ``standing`` under the same ``event`` answers it."""

    seq: int
    event: str
    at: int | None
    latitude: int | None
    """1e-7 degrees in ``crs``, as the device's positions are; ``None`` (both) without a place."""
    longitude: int | None
    accuracy: int | None
    """dm"""
    klass: str
    text: str
    photos: tuple[str, ...] = ()
    voice: str = ""
    """The SHA-256 of a voice note."""
    crs: CoordinateSystem = CoordinateSystem.WGS84
    bad: str = ""
    refused: int = 0


# The device's side: what the server said.


@dataclass(frozen=True, slots=True)
class TaskTold:
    """One task, as it is now. ``what`` says why this comes; the words are in docs/wire/handheld.md."""

    task: str
    attempt: int
    what: str
    state: str
    kind: str
    klass: str
    latitude: int
    """1e-7 degrees, WGS-84, whatever the device's own system is."""
    longitude: int
    address: str = ""
    text: str = ""
    due: int = 0
    """ms of the server's clock."""
    until: int = 0
    """Of an offer: when its answer is due, ms of the server's clock; 0 of all else."""
    reason: str = ""
    photos: tuple[str, ...] = ()
    """Photos that the answer names and that the server does not have yet."""
    more: int = 0
    """Photos that have still to be taken."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """This attempt is over, whatever the device thinks: take the task away, and answer ``revoked``."""

    task: str
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """All that this unit has. Any other task on the device is over; one that it does not know will be told."""

    tasks: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """The server's answer to an answer or a problem: it is on its disk, and this is where the task stands."""

    event: str
    code: str
    task: str
    attempt: int
    state: str
    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """How something is called."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class ResultWords(Phrase):
    """One result: how many photos it must have, and whether it must say why."""

    photos: int = 0
    text: bool = False


@dataclass(frozen=True, slots=True)
class KindWords(Phrase):
    """One kind of tasks, and what an answer to it may say."""

    photos: int = 0
    results: Mapping[str, ResultWords] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Words:
    """The city's vocabulary. ``photo_limit``: bytes of one photo."""

    version: str
    kinds: Mapping[str, KindWords]
    declines: Mapping[str, Phrase]
    classes: Mapping[str, Phrase]
    photo_limit: int


@dataclass(frozen=True, slots=True)
class SosTold:
    """An SOS: of a colleague near by, or what became of this device's own. ``metres`` from here, 0 if unknown."""

    what: str
    id: str
    unit: str
    latitude: int | None
    longitude: int | None
    at: int
    metres: int


@dataclass(frozen=True, slots=True)
class NoticeTold:
    """Something that everybody should know. Answer ``shown``, and ``read`` when the person says so, with ``id`` for the
    task and attempt 1. ``until``: after that it is of no use."""

    id: str
    text: str
    by: str
    at: int
    until: int


Told = TaskTold | Revoked | Held | Standing | Words | SosTold | NoticeTold
