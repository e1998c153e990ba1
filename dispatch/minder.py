"""Looks after those who have tasks: who went off duty, or has not been heard of for long, has them no more."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import LoopingCall

from dispatch.desk import Desk
from dispatch.model import AttemptState, Task
from dispatch.rules import SURVEY
from tracker.intake import Intake
from tracker.mirror import Mirror
from tracker.model import UnitId

EVERY_S = 10.0
END_OF_SHIFT, SILENT, SOS = "end_of_shift", "silent", "sos"


class Minder:
    """``clock`` calls later."""

    def __init__(self, intake: Intake, mirror: Mirror, desk: Desk, clock: Any) -> None:
        self._intake, self._mirror, self._desk = intake, mirror, desk
        self._loop = LoopingCall(self.look)
        self._loop.clock = clock

    def start(self) -> None:
        self._loop.start(EVERY_S, now=False)

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()

    def look(self) -> None:
        """At everybody who has accepted something."""
        now = self._intake.wall()
        for unit in self._desk.book.holders():
            for task, attempt in self._desk.book.held(unit):
                accepted = attempt.at.get(AttemptState.ACCEPTED)
                if accepted is None or task.kind == SURVEY:
                    continue
                reason = self._gone(unit, accepted, now)
                if reason:
                    self._abandon(task, attempt.number, reason)

    def called(self, unit: UnitId) -> None:
        """Whoever calls for help does nothing else."""
        for task, attempt in self._desk.book.held(unit):
            self._abandon(task, attempt.number, SOS)

    def _abandon(self, task: Task, attempt: int, reason: str) -> None:
        self._desk.attempt([task.id], lambda now: self._desk.book.plan_abandon(task.id, attempt, reason, now))

    def _gone(self, unit: UnitId, accepted: int, now: int) -> str:
        """Why a unit cannot do what it accepted then. Whom a dispatcher has asked though he was off duty may do it."""
        duties = self._intake.roster.duties_of(unit)
        if any(duty.start <= accepted < duty.end <= now for duty in duties):
            return END_OF_SHIFT if self._intake.roster.on_duty(unit, now) is None else ""
        heard = self._mirror.last_message(unit)
        silent = 1000 * self._desk.rules.waits.silent_s
        return SILENT if heard is not None and now - max(heard, accepted) > silent else ""
