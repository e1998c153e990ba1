"""What devices say of tasks, from their links to the desk, and back to them where the task stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from dispatch.desk import Desk
from dispatch.draft import Answer
from dispatch.model import AttemptInput, Result, Task, TaskId
from dispatch.results import missing, read_answer
from protocols.handheld import Answer as Said
from protocols.handheld import Problem
from tracker.intake import Intake, StoreFailed
from tracker.links import Links
from tracker.model import UnitId
from tracker.refusal import Refusal
from tracker.roster import Carrier

_INPUTS = {
    "delivered": AttemptInput.DELIVER, "accept": AttemptInput.ACCEPT, "decline": AttemptInput.DECLINE,
    "start": AttemptInput.DEPART, "arrive": AttemptInput.ARRIVE,
}  # fmt: skip
_NOTICES = frozenset({"shown", "read"})
_KNOWS = frozenset({"revoked", "informed"})


class Answers:
    """``proof`` answers what positions show of an answer that a unit has given to a task at a time (ms), as marks;
    ``stored`` whether a photo of a unit is on disk; ``problem`` takes in what somebody has seen and nobody asked for,
    and answers a code; ``notice`` that a notice was shown or read, and answers whether there is one."""

    def __init__(
        self,
        intake: Intake,
        links: Links,
        desk: Desk,
        proof: Callable[[UnitId, Task, int], tuple[str, ...]],
        stored: Callable[[UnitId, str], bool],
        problem: Callable[[UnitId, Problem], Any],
        notice: Callable[[str, UnitId, str], Any],
    ) -> None:
        self._intake, self._links, self._desk = intake, links, desk
        self._proof, self._stored, self._problem, self._notice = proof, stored, problem, notice
        self._log = Logger(namespace="gridbeat.dispatch")
        intake.said = self.said

    def said(self, carrier: Carrier, said: Said | Problem, done: Callable[[bool], None]) -> None:
        """Something has come; ``done`` is told whether it is on disk, or will never be."""
        now = self._intake.wall()
        unit = self._who(carrier, said, now)
        device = carrier.device.id
        if said.refused:
            self._intake.counters.refuse(carrier.device.protocol, "bad_answer", said.refused)

        self._desk.heard(unit)

        async def take() -> None:
            try:
                answer, text = await self._take(unit, said)
            except StoreFailed:
                done(False)
                return
            self._links.tell(device, "standing", {
                "event": said.event, "code": answer.code, "task": answer.task, "attempt": answer.attempt,
                "state": answer.state, "text": text,
            })  # fmt: skip
            done(True)

        def failed(failure: Any) -> None:
            # Ours to mend. Sent again it would fail again, and nothing behind it would ever come through.
            self._log.failure("what a device said of a task", failure=failure)
            done(True)

        Deferred.fromCoroutine(take()).addErrback(failed)

    def _who(self, carrier: Carrier, said: Said | Problem, now: int) -> UnitId:
        """What was said offline was said by whoever had the device then. Nobody answers before he was asked: a clock
        that says so is wrong, and it was he if the device was his when he was asked, else whoever has it now."""
        device, at = carrier.device.id, now if said.at is None else min(said.at, now)
        task = self._desk.book.get(TaskId(said.task)) if isinstance(said, Said) else None
        attempt = None if task is None or not isinstance(said, Said) else task.find(said.attempt)
        if attempt is not None and at < (asked := min(attempt.at.values())):
            his = self._intake.roster.carried_by(device, min(asked, now)) == attempt.unit
            at = min(asked, now) if his else now
        return self._intake.roster.carried_by(device, at)

    async def _take(self, unit: UnitId, said: Said | Problem) -> tuple[Answer, str]:
        if isinstance(said, Problem):
            return Answer(await self._problem(unit, said), TaskId("")), ""
        task, desk = TaskId(said.task), self._desk
        if said.what in _NOTICES:
            known = await self._notice(said.task, unit, said.what)
            return Answer("ok" if known else "unknown", task, said.attempt), ""
        try:
            if said.what == "report":
                answer = await desk.reported(task, said.event, lambda of, now: self._result(unit, of, said, now))
            elif said.what in _KNOWS:
                answer = await desk.acknowledged(task, said.attempt, unit)
            else:
                what = _INPUTS[said.what]
                reason = said.reason or said.text
                answer = await desk.told(task, said.attempt, unit, what, said.event, reason)
        except Refusal as refusal:
            self._intake.counters.refuse("handheld", refusal.code)
            return Answer("bad", task, said.attempt), str(refusal)
        return answer, ""

    def _result(self, unit: UnitId, task: Task, said: Said, now: int) -> Result:
        kind, at = self._desk.rules.kinds.get(task.kind), now if said.at is None else said.at
        marks = self._proof(unit, task, at)
        if kind is None:
            # The rules have been changed since it was made: for a dispatcher to judge.
            arrived = tuple(photo for photo in said.photos if self._stored(unit, photo))
            return Result(said.word, unit, said.attempt, now, said.text, at, 0, said.photos, arrived, marks=marks)
        given = read_answer(kind, {"word": said.word, "at": at, "text": said.text, "photos": said.photos})
        arrived = tuple(photo for photo in given.photos if self._stored(unit, photo))
        lacks = missing(kind, given, arrived)
        if lacks.text:
            marks = (*marks, "no_text")
        return Result(
            given.word, unit, said.attempt, now, given.text, at, kind.photos_of(given.word), given.photos, arrived,
            closes=kind.results[given.word].closes and not lacks.text, marks=marks,
        )  # fmt: skip
