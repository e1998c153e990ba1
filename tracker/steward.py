"""Who looks after the disk: measures what history takes, has the oldest go while the disk is filling up, and after
each night's tidying sees to it that nothing that was deleted lives on in files of live state.

What goes, and in which order, is said in :mod:`storage.archive.budgets`; the deleting is the job ``tidy`` of the
archivist's child.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from storage.archive.archive import Archive
from storage.archive.budgets import Level, Limits, full_in
from storage.archive.daybook import Daybook
from storage.archive.usage import Measured, measure
from storage.blobs import Blobs
from storage.space import Space
from tracker.archive_context import Result
from tracker.archive_tidy import limits_of
from tracker.archivist import Archivist

TICK = 1.0
MEASURE_MS = 60_000
"""Between two looks at what history takes: it grows by the hour."""
PAUSE_MS = 300_000
"""Until the archive is asked again for room, when it had none to give or its job failed."""


@dataclass(frozen=True, slots=True)
class Stock:
    """What was found at ``at`` (ms) on city day ``today``. ``full_in``: days until each class has used up its budget,
    and until the whole disk is low; only those that will."""

    at: int
    today: str
    measured: Measured
    daybook: Daybook
    full_in: Mapping[str, int]
    disk_full_in: int | None


class Steward:
    """Runs from :meth:`start` to :meth:`stop`, on the reactor's thread. ``rewrite`` has live state write its files
    anew without what has expired; ``None`` where those are not ours."""

    def __init__(
        self,
        data: Path,
        archive: Archive,
        limits: Limits,
        space: Space,
        archivist: Archivist,
        blobs: Blobs,
        reactor: Any,
        pool: ThreadPool,
        wall: Callable[[], int],
        rewrite: Callable[[], Deferred[None]] | None = None,
    ) -> None:
        self.limits = limits
        self.stock: Stock | None = None
        """The newest; ``None`` until the first look is over."""
        self.exhausted = False
        """The disk is low, and history has nothing more to give."""
        self.rewrites = 0
        """Times that live state was told to write its files anew."""
        self._data, self._archive = data, archive
        self._space, self._archivist, self._blobs = space, archivist, blobs
        self._reactor, self._pool, self._wall = reactor, pool, wall
        self._rewrite = rewrite
        self._heads: dict[str, tuple[int, str]] = {}
        self._daybook = Daybook()
        self._measuring = self._again = False
        self._asking = False
        self._not_before = 0
        self._tidied = 0
        self._loop = LoopingCall(self.tick)
        self._loop.clock = reactor
        self._log = Logger(namespace="gridbeat.steward")

    def start(self) -> None:
        self._loop.start(TICK)

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()

    def arguments(self) -> dict[str, Any]:
        """Of the nightly tidying."""
        return {"limits": limits_of(self.limits), "room": self._wanted()}

    def _wanted(self) -> int:
        """Bytes that are to be free; 0 while there is room."""
        if self._space.level is Level.OK:
            return 0
        # With the reserve given up, so much that it can be made again.
        return self._space.well if self._space.held else self._space.regain

    def tick(self) -> None:
        """Look at the disk, and at the clock."""
        now = self._wall()
        outcome = self._archivist.outcomes.get("tidy")
        if outcome is not None and outcome.at != self._tidied:
            self._tidied = outcome.at
            self._after_tidying(outcome.result)
        elif not self._measuring and (self.stock is None or not 0 <= now - self.stock.at < MEASURE_MS):
            self.measure()
        if self._space.level is Level.OK:
            self.exhausted, self._not_before = False, 0
        elif not self._asking and now >= self._not_before:
            self._asking = True
            self._archivist.ask("tidy", self.arguments(), urgent=True).addCallbacks(self._made_room, self._failed)

    def _made_room(self, result: Result) -> None:
        self._asking = False
        days = result["journal_days"] + sum(sum(reasons.values()) for reasons in result["deleted"].values())
        if days:
            self._log.warn(
                "the disk is filling up: {days} days of history and journal were deleted",
                days=days, bytes=result["bytes"], free=result["free"],
            )  # fmt: skip
        if not result["enough"]:
            self._not_before = self._wall() + PAUSE_MS
            if not self.exhausted:
                self._log.error("the disk is filling up and history has no more to give", free=result["free"])
        self.exhausted = not result["enough"]

    def _failed(self, failure: Failure) -> None:
        self._asking = False
        self._not_before = self._wall() + PAUSE_MS
        self._log.error("no room could be made: {reason}", reason=failure.getErrorMessage())

    def _after_tidying(self, result: Result) -> None:
        self._blobs.count_anew()
        self.measure()
        # It writes a new file beside the old one: not on a disk without room for that.
        if self._rewrite is not None and result and self._space.level is Level.OK:
            self.rewrites += 1
            self._rewrite().addErrback(
                lambda failure: self._log.warn(
                    "live state did not write its file anew: {reason}", reason=failure.getErrorMessage()
                )
            )

    # -- measuring

    def measure(self) -> None:
        """Look in a thread; then :attr:`stock` is new. One look at a time, and another if somebody asked meanwhile."""
        if self._measuring:
            self._again = True
            return
        self._measuring, self._again = True, False
        d = deferToThreadPool(self._reactor, self._pool, self._look, self._wall())
        d.addCallbacks(self._looked, self._not_looked)

    def _looked(self, stock: Stock) -> None:
        self.stock = stock
        self._measuring = False
        if self._again:
            self.measure()

    def _not_looked(self, failure: Failure) -> None:
        self._measuring = False
        self._log.error("history cannot be measured: {reason}", reason=failure.getErrorMessage())

    def _look(self, now: int) -> Stock:
        """In a thread."""
        measured = measure(self._archive, self._data)
        heads = {kind: chain.head for kind, chain in self._archive.chains.items()}
        if heads != self._heads:
            self._daybook = Daybook()
            for kind, chain in self._archive.chains.items():
                self._daybook.take(kind, chain.entries)
            self._heads = heads
        today = self._archive.days.day_of(now)
        forecasts = {}
        for kind, limit in self.limits.items():
            usage = measured.classes[kind]
            days = full_in(limit.budget - usage.used, [(usage, limit)], today) if limit.budget else None
            if days is not None:
                forecasts[kind] = days
        together = [(measured.classes[kind], limit) for kind, limit in self.limits.items()]
        disk = full_in(self._space.free - self._space.low, together, today)
        return Stock(now, today, measured, self._daybook, forecasts, disk)
