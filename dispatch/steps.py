"""The one way into the book of tasks: what was planned is journalled, then taken in, then carried out.

Plans wait in a line. Each commit takes as many of them as are about different things, for the steps of one task must be
planned one after the other; so a thousand devices that answer in the same second need a handful of commits, and nobody
is judged by what the disk has not got yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from dispatch.draft import Step
from tracker.intake import Intake, StoreFailed
from tracker.refusal import Change, Refusal

AT_ONCE, HEAVY = 100, 20
"""Plans of one commit, and how many of them may be heavy: some 5 ms of judging and packing, and as much of taking in,
for which nobody else is looked after."""
WAITING = 20_000
"""Plans that wait; more come in only if the disk stands still, and devices keep what they have to say."""

Replay = Callable[[Change], object]


@dataclass(eq=False, slots=True)
class _Job:
    keys: frozenset[str]
    plan: Callable[[int], Step]
    heavy: bool
    done: Deferred[Step] = field(default_factory=Deferred)
    step: Step | None = None


class Steps:
    """``beside`` is asked for each step what else belongs into its commit; ``taken`` is told of each step that is on
    disk and in the books, before the next is planned."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._books: dict[str, Replay] = {}
        self._jobs: list[_Job] = []
        self._working = False
        self._log = Logger(namespace="gridbeat.dispatch")
        self.beside: list[Callable[[Step], Sequence[Change]]] = []
        self.taken: list[Callable[[Step], object]] = []

    def attach(self, kind: str, replay: Replay) -> None:
        """Events of this kind go into this book."""
        self._books[kind] = replay

    def carry_out(self, keys: Iterable[str], plan: Callable[[int], Step], *, heavy: bool = False) -> Deferred[Step]:
        """``plan`` is called with now (ms) when nothing that it is about (``keys``) is under way. Fires with its step
        when that is in the journal and in the books; fails with Refusal or StoreFailed. ``heavy``: it is large, as
        a decision with all that it was made from is; of many such others need not wait for the end."""
        job = _Job(frozenset(keys), plan, heavy)
        if len(self._jobs) >= WAITING:
            job.done.errback(StoreFailed("too much waits for the disk"))
            return job.done
        self._jobs.append(job)
        if not self._working:
            self._working = True
            Deferred.fromCoroutine(self._work())
        return job.done

    async def _work(self) -> None:
        alone = False
        while self._jobs:
            batch: list[_Job] = []
            try:
                await self._intake.happen(lambda: self._plan(batch, 1 if alone else AT_ONCE), self._take)  # noqa: B023
            except Refusal as refusal:
                # Something of it cannot be written: each by itself shows whose it is.
                if len(batch) > 1:
                    self._jobs[:0] = batch
                    alone = True
                    continue
                self._fail(batch, refusal)
            except StoreFailed as failed:
                self._fail(batch, failed)
            except Exception as error:
                self._log.failure("a step of dispatch failed")
                self._fail(batch, error)
            else:
                for job in batch:
                    if job.step is not None:
                        job.done.callback(job.step)
            alone = alone and bool(self._jobs)
        self._working = False

    def _fail(self, batch: Iterable[_Job], error: Exception) -> None:
        for job in batch:
            if not job.done.called:
                job.done.errback(error)

    def _plan(self, batch: list[_Job], most: int) -> tuple[list[_Job], list[Change], list[Change]]:
        now, events = self._intake.wall(), []
        busy: set[str] = set()
        heavy = 0
        waiting, self._jobs = self._jobs, []
        for place, job in enumerate(waiting):
            if len(batch) == most:
                self._jobs += waiting[place:]
                break
            if job.keys & busy or (job.heavy and heavy == HEAVY):
                # Whatever is about the same, or comes behind it, keeps its order.
                self._jobs.append(job)
                busy |= job.keys
                continue
            busy |= job.keys
            heavy += job.heavy
            try:
                step = job.plan(now)
                if step.events:
                    for more in self.beside:
                        step.events += more(step)
            except Exception as error:
                job.done.errback(error)
                continue
            job.step = step
            batch.append(job)
            events += step.events
        return batch, events, []

    def _take(self, batch: list[_Job]) -> None:
        for job in batch:
            if job.step is not None and job.step.events:
                for event in job.step.events:
                    try:
                        self._books[event[0]](event)
                    except Exception:
                        # The other books are to go on with what the journal has.
                        self._log.failure("what is on disk is not in its book")
                for told in self.taken:
                    try:
                        told(job.step)
                    except Exception:
                        # It is on disk: whoever asked is to hear that, and the others are to be told.
                        self._log.failure("after a step of dispatch")
