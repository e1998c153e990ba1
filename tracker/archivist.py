"""Who seals, closes and tidies: starts the archive's jobs at their time, one after another, each in a child process.

Every hour what the journal received in the hour before is sealed, and the units' states are kept (:data:`HOURLY`).
Once in each city day, half an hour after it began or as soon as the server runs again, follows the rest
(:data:`NIGHTLY`). A job that fails is told of and tried again an hour later; none depends on the one before it for the
archive to be whole.
"""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from storage.archive.archive import Archive
from storage.archive.layout import SNAPSHOTS, shifted
from storage.archive.snapshots import ENDING
from tracker.archive_context import AFTER_MIDNIGHT, Result

HOUR = 3_600_000
GRACE = 60_000
"""Milliseconds after the hour until it is sealed: its last records are on disk by then, whatever the disk does."""
TICK = 20.0
LINE_LIMIT = 1 << 20
"""Bytes of one line of a child; more is no answer of ours."""
HURRY_S = 20.0
"""What is urgent waits so long for another job's end; then that is ended, and begun anew behind it."""
QUEUE_LIMIT = 50
"""Jobs that wait."""

HOURLY = ("seal", "states")
NIGHTLY = ("seal", "merge", "close", "snapshot", "tidy")
_PROJECT = str(Path(__file__).resolve().parents[1])


READING = frozenset({"verify"})
"""Jobs that change nothing and may take half an hour: they give way."""


class JobFailed(Exception):
    """A job did not come to its end; the text says why."""


@dataclass(eq=False, slots=True)
class Task:
    """A job that waits or runs. ``progress`` is what its child said last."""

    job: str
    arguments: Mapping[str, Any]
    done: Deferred[Result] = field(default_factory=Deferred)
    progress: Result = field(default_factory=dict)
    began: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last run of a job ended: at ms, after ms, with its result or with why it failed."""

    at: int
    took: int
    result: Result
    failure: str = ""


class Archivist:
    """Runs from :meth:`start` to :meth:`stop`. ``arguments`` makes those of a job when it is started by its time;
    ``may_write`` says whether the disk has room for jobs that need some; ``module`` is what the child runs."""

    def __init__(
        self,
        data: Path,
        archive: Archive,
        zone: str,
        wall: Callable[[], int],
        reactor: Any,
        arguments: Mapping[str, Callable[[], Mapping[str, Any]]],
        *,
        hourly: tuple[str, ...] = HOURLY,
        nightly: tuple[str, ...] = NIGHTLY,
        may_write: Callable[[], bool] = lambda: True,
        after_night: Callable[[], object] = lambda: None,
        module: str = "tracker.archiving",
    ) -> None:
        self._data = data
        self._archive = archive
        self._zone = zone
        self._wall = wall
        self._reactor = reactor
        self._arguments = arguments
        self._hourly = hourly
        self._nightly = nightly
        self._may_write = may_write
        self._after_night = after_night
        self._module = module
        self._queue: deque[Task] = deque()
        self._child: _Child | None = None
        self._stopped: Deferred[None] | None = None
        self._loop = LoopingCall(self.tick)
        self._loop.clock = reactor
        self._sealed_hour = 0
        self._interrupted: Task | None = None
        self._log = Logger(namespace="gridbeat.archivist")
        self.running: Task | None = None
        self.outcomes: dict[str, Outcome] = {}
        """By job, how its last run ended."""

    def start(self) -> None:
        """Begin to look at the time."""
        self._loop.start(TICK, now=False)

    def stop(self) -> Deferred[None]:
        """Start nothing more and end what runs; every job may be ended anywhere."""
        if self._loop.running:
            self._loop.stop()
        self._stopped = Deferred()
        while self._queue:
            self._queue.popleft().done.errback(JobFailed("the server was stopped"))
        if self._child is None:
            self._stopped.callback(None)
        else:
            self._child.end()
        return self._stopped

    @property
    def problems(self) -> list[tuple[str, str]]:
        """The jobs whose last run failed, with why."""
        return [(job, outcome.failure) for job, outcome in self.outcomes.items() if outcome.failure]

    @property
    def next_seal(self) -> int:
        """When the next hour is sealed, ms."""
        return (self._wall() // HOUR + 1) * HOUR + GRACE

    def tick(self) -> None:
        """Start what is due."""
        now = self._wall()
        # Abreast with UTC's hours, in zones whose hours begin at other times too: only the days are the city's.
        hour = (now - GRACE) // HOUR
        # Another hour, and not a later one: a clock that was ahead for a moment must not stop everything until then.
        if hour == self._sealed_hour or not self._may_write():
            return
        self._sealed_hour = hour
        again = [job for job in self._nightly if job in self.outcomes and self.outcomes[job].failure]
        for job in self._nightly if self._is_night(now) else dict.fromkeys([*self._hourly, *again]):
            self._begin(job)

    def _is_night(self, now: int) -> bool:
        """Whether the day that ended last has no snapshot: each night makes one."""
        chain = self._archive.chains[SNAPSHOTS]
        chain.refresh()
        return f"{shifted(self._archive.days.day_of(now - AFTER_MIDNIGHT), -1)}{ENDING}" not in chain.files()

    def _begin(self, job: str) -> None:
        if any(task.job == job for task in self._queue):
            return
        done = self.ask(job).addErrback(lambda failure: None)  # told where it ended
        if job == self._nightly[-1]:
            done.addCallback(lambda _: self._after_night())

    def ask(self, job: str, arguments: Mapping[str, Any] | None = None, *, urgent: bool = False) -> Deferred[Result]:
        """Have a job done when those before it are; an ``urgent`` one is next, and ends one that only reads (it may be
        asked for again). Fails with :class:`JobFailed`."""
        task = Task(job, self._made(job) if arguments is None else arguments)
        if self._stopped is not None or len(self._queue) >= QUEUE_LIMIT:
            task.done.errback(JobFailed("the archive takes no more jobs now"))
            return task.done
        if urgent:
            self._queue.appendleft(task)
            if self._child is not None and self.running is not None and self.running.job in READING:
                self._child.end()
            elif self._child is not None:
                self._reactor.callLater(HURRY_S, self._hurry, task)
        else:
            self._queue.append(task)
        self._next()
        return task.done

    def _hurry(self, urgent: Task) -> None:
        """Every job may be ended anywhere."""
        if urgent in self._queue and self._child is not None and self.running not in (None, self._interrupted):
            self._interrupted = self.running
            self._child.end()

    def _made(self, job: str) -> Mapping[str, Any]:
        return self._arguments[job]() if job in self._arguments else {}

    def _next(self) -> None:
        if self._child is not None or not self._queue:
            return
        task = self.running = self._queue.popleft()
        task.began = self._wall()
        request = {
            "job": task.job, "data": str(self._data), "zone": self._zone, "now": task.began,
            "arguments": dict(task.arguments),
        }  # fmt: skip
        self._child = _Child(json.dumps(request).encode(), task, self._ended)
        environment = {**os.environ, "PYTHONPATH": _PROJECT}
        command = [sys.executable, "-P", "-m", self._module]
        try:
            self._reactor.spawnProcess(self._child, sys.executable, command, env=environment, path=_PROJECT)
        except OSError as error:  # no memory, no handles, no process more
            self._ended(task, None, f"no process can be started: {error}")

    def _ended(self, task: Task, result: Result | None, failure: str) -> None:
        self._child = self.running = None
        now = self._wall()
        if self._stopped is not None:
            task.done.errback(JobFailed("the server was stopped"))
            self._stopped.callback(None)
            return
        interrupted, self._interrupted = self._interrupted is task, None
        if interrupted and result is None:
            # Right behind what it was ended for: a night goes on in its order.
            self._queue.insert(1, task)
            self._next()
            return
        self.outcomes[task.job] = Outcome(now, now - task.began, result or {}, failure)
        if result is None:
            self._log.error("the archive's job {job} failed: {reason}", job=task.job, reason=failure)
            task.done.errback(JobFailed(failure))
        else:
            self._log.info("the archive's job {job} is done", job=task.job, took_ms=now - task.began)
            task.done.callback(result)
        self._next()


class _Child(protocol.ProcessProtocol):
    """One job's process: the request goes in, lines come out."""

    transport: Any

    def __init__(self, request: bytes, task: Task, ended: Callable[[Task, Result | None, str], None]) -> None:
        self._request = request
        self._task = task
        self._ended = ended
        self._rest = b""
        self._result: Result | None = None
        self._failure = ""
        self._errors = b""

    def connectionMade(self) -> None:
        self.transport.write(self._request)
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_LIMIT:
            self._rest = b""
            self.end()
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            self._task.progress = message.get("progress", self._task.progress)
            self._result = message.get("done", self._result)
            self._failure = message.get("failed", self._failure)

    def errReceived(self, data: bytes) -> None:
        self._errors = (self._errors + data)[-4000:]

    def processEnded(self, reason: Failure) -> None:
        failure = self._failure
        if self._result is None and not failure:
            last = self._errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
            failure = last[:300] or reason.getErrorMessage()
        self._ended(self._task, self._result, failure)

    def end(self) -> None:
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("TERM")
