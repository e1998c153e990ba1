"""Exports of persons' data: asked for, made by the archivist's child one after another, kept for some days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from storage import exports
from storage.exports import Export
from storage.space import Space
from tracker.archivist import Archivist
from tracker.export_files import device_told, duty_told
from tracker.intake import Intake
from tracker.model import UnitId
from tracker.roster import Refusal

T = TypeVar("T")
TIDY_S = 3600.0
WAITING = 10
"""Exports that wait or are being made: each takes the archive for seconds, one of years for a minute."""


@dataclass(slots=True)
class Making:
    """An export that was asked for. ``problem``: why there is none; ``progress`` as the child told it last."""

    export: Export
    problem: str = ""
    done: bool = False
    progress: Mapping[str, Any] = field(default_factory=dict)


class NoRoom(Exception):
    """The disk is filling up: exports go without first."""


class Exports:
    """Runs from :meth:`start` to :meth:`stop`. ``new_id`` makes ids that nobody can guess."""

    def __init__(
        self,
        data: Path,
        intake: Intake,
        archivist: Archivist,
        space: Space,
        reactor: Any,
        pool: ThreadPool,
        new_id: Callable[[], str],
    ) -> None:
        self._data = data
        self._intake = intake
        self._archivist = archivist
        self._space = space
        self._reactor, self._pool = reactor, pool
        self._new_id = new_id
        self._making: dict[UnitId, Making] = {}
        self._loop = LoopingCall(self._tidy)
        self._loop.clock = reactor
        self._log = Logger(namespace="gridbeat.exports")

    def start(self) -> None:
        self._loop.start(TIDY_S)

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()

    def _tidy(self) -> Deferred[None]:
        busy = {one.export.ticket for one in self._making.values() if not one.done}
        d = self._in_thread(lambda: exports.tidy(self._data, self._intake.wall(), busy=busy))
        return d.addErrback(lambda failure: self._log.failure("exports could not be tidied", failure=failure))

    def making(self, unit: UnitId) -> Making | None:
        """What was asked for last since the start, while it is not there."""
        making = self._making.get(unit)
        running = self._archivist.running
        if making is not None and running is not None and running.arguments.get("ticket") == making.export.ticket:
            making.progress = running.progress
        return making

    async def newest(self, unit: UnitId) -> Export | None:
        """The newest that can be fetched."""
        now = self._intake.wall()
        found = await self._in_thread(lambda: exports.exports(self._data))
        return next((one for one in found if one.unit == unit and one.bytes and now < one.expires), None)

    async def open(self, unit: UnitId) -> tuple[Export, BinaryIO] | None:
        """The newest with its file. Whoever asks closes it."""
        export = await self.newest(unit)
        if export is None:
            return None
        try:
            return export, await self._in_thread(lambda: exports.file_of(self._data, export.ticket).open("rb"))
        except FileNotFoundError:
            return None  # its time had come meanwhile

    async def ask(self, unit: UnitId) -> Making:
        """Begin, unless one is being made. Raises :class:`NoRoom`, Refusal and OSError."""
        making = self._making.get(unit)
        if making is not None and not making.done:
            return making
        if not self._space.may_export():
            raise NoRoom
        if sum(not one.done for one in self._making.values()) >= WAITING:
            raise Refusal("queue_full", f"{WAITING} exports are being made", f"已有 {WAITING} 个导出在进行，请稍后再试")
        roster = self._intake.roster
        about = {
            "unit": asdict(roster.units[unit]),
            "devices": [device_told(asdict(device)) for device in roster.devices_of(unit)],
            "duties": [duty_told(duty) for duty in roster.duties_of(unit)],
        }
        making = self._making[unit] = Making(Export(self._new_id(), unit, self._intake.wall()))
        export = making.export
        try:
            await self._in_thread(lambda: exports.announce(self._data, export))
        except OSError:
            making.done = True
            raise
        arguments = {
            "ticket": export.ticket, "unit": unit, "upto": self._intake.journal.last, "about": about,
            "floor": self._space.low,
        }  # fmt: skip
        self._archivist.ask("export_person", arguments).addCallbacks(
            lambda _: self._made(unit, making), lambda failure: self._failed(making, failure)
        )
        return making

    def _made(self, unit: UnitId, making: Making) -> None:
        making.done = True
        if self._making.get(unit) is making:
            del self._making[unit]
        self._older(unit, making.export.ticket)

    def _older(self, unit: UnitId, ticket: str) -> None:
        """One of each unit is enough."""

        def drop() -> None:
            for one in exports.exports(self._data):
                if one.unit == unit and one.ticket != ticket:
                    exports.drop(self._data, one.ticket)

        self._in_thread(drop).addBoth(lambda _: self._tidy())

    def _failed(self, making: Making, failure: Failure) -> None:
        making.done, making.problem = True, failure.getErrorMessage().removeprefix("ExportFailed: ")
        self._tidy()

    def forget(self, unit: UnitId) -> None:
        """Its data is being removed; what lies there goes with it."""
        self._making.pop(unit, None)

    def _in_thread(self, work: Callable[[], T]) -> Deferred[T]:
        found: Deferred[T] = deferToThreadPool(self._reactor, self._pool, work)
        return found
