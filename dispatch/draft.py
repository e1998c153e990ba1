"""What a plan answers: the deeds to journal, what is to be sent to whom, and the timers that start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dispatch.deeds import TASK_EVENT, apply, clone
from dispatch.escalation import LEVELS, too_many_failures
from dispatch.model import NOBODY, Task, TaskId, Timer
from dispatch.timers import rows
from tracker.model import UnitId
from tracker.refusal import Change


@dataclass(frozen=True, slots=True)
class Send:
    """One message. ``to``: unit, seat, leader, group (whoever is near), or call: a voice call to the unit. What goes to
    others than the unit is about it. (task, attempt) is the token that comes back with every answer."""

    to: str
    what: str
    task: TaskId
    attempt: int = 0
    unit: UnitId = NOBODY
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device hears. ``code``: ok; again (known already); kept (an answer that is not the one); stale (changes
    nothing); unknown. Then where the task stands for this unit: its newest attempt and its state, 0 if it has none."""

    code: str
    task: TaskId
    attempt: int = 0
    state: str = ""


@dataclass(slots=True)
class Step:
    """``events`` go to the journal, in one piece; when they are there, into the book, and then is sent what is to be
    sent. ``answer`` is the device's, if one asked."""

    events: list[Change] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    answer: Answer | None = None

    def __bool__(self) -> bool:
        return bool(self.events)


SENDS: dict[str, tuple[tuple[str, str], ...]] = {
    "offer": (("unit", "offer"),),
    "decline": (("seat", "declined"),),
    "undelivered": (("unit", "revoke"), ("seat", "undelivered")),
    "unanswered": (("unit", "revoke"), ("call", "unanswered")),
    # The positions may have shown it: then the device does not know it yet.
    "arrive": (("unit", "hold"),),
    "report": (("seat", "report"),),
    "amend": (("unit", "amended"),),
    "adopt": (("unit", "adopted"),),
    "return": (("unit", "return"),),
    "recall": (("unit", "revoke"),),
    "supersede": (("unit", "revoke"),),
    "abandon": (("unit", "revoke"), ("seat", "abandoned")),
    "suspend": (("seat", "suspended"),),
    "resume": (("seat", "resumed"),),
    "cancel": (("seat", "cancelled"),),
    "expire": (("seat", "expired"),),
    "close": (("seat", "closed"),),
    "mark.remind": (("unit", "remind"),),
    "mark.depart": (("unit", "remind"),),
    "mark.travel": (("unit", "question"),),
    "mark.question": (("unit", "question"),),
    "mark.alert": (("seat", "alert"),),
    "mark.call": (("call", "revoke"), ("seat", "not_revoked")),
    "mark.evidence": (("unit", "evidence"), ("seat", "evidence")),
    "mark.review": (("seat", "review"),),
    "mark.suspended": (("seat", "review"),),
    "mark.warn": (("unit", "warn"),),
    "mark.critical": (("unit", "critical"), ("seat", "critical")),
    "mark.overdue": (("unit", "overdue"), ("seat", "overdue")),
}
"""Who hears of a deed, and as what. What is for a unit and has none is for nobody."""


class Draft:
    """A task as it would be, and the step that makes it so."""

    def __init__(self, task: Task, now: int) -> None:
        self.task = clone(task)
        self.step = Step()
        self._now = now
        self._before = frozenset(rows(task))

    def do(self, what: str, **fields: Any) -> None:
        """One deed more. Raises LookupError if it cannot be."""
        fields = {"what": what, "at": self._now, **fields}
        apply(self.task, fields)
        self.step.events.append((TASK_EVENT, self.task.id, fields))
        holder = self.task.find(fields["attempt"]) if fields.get("attempt") else self.task.attempt
        number, unit = (0, NOBODY) if holder is None else (holder.number, holder.unit)
        if what == "raise":
            tells = LEVELS[self.task.level].tells
        else:
            tells = SENDS.get(f"mark.{fields['mark']}" if what == "mark" else what, ())
        for to, word in tells:
            if unit != NOBODY or to not in ("unit", "call"):
                self.step.sends.append(Send(to, word, self.task.id, number, unit, fields.get("reason", "")))

    def rise(self, why: str) -> None:
        self.do("raise", level=self.task.level + 1, reason=why)

    def done(self, answer: Answer | None = None) -> Step:
        """The whole of it."""
        if too_many_failures(self.task):
            self.rise("failed")
        self.step.timers = [timer for timer in rows(self.task) if timer not in self._before]
        self.step.answer = answer
        return self.step
