"""The removal of a person's data, from the promise to the last byte, whatever is killed meanwhile.

A removal has a ticket. What is journalled of it holds the ticket, why, how far it has come, and a digest of the unit's
id that is made with the data folder's secret: ids may be staff numbers, and a list of those who asked for it would be
the next thing to remove. Who it is stands in a note beside the journal, which goes when it is done. The promise is the
event in the journal; a note without one was promised to nobody, and is thrown away at start.

From the promise on the unit is nobody: its devices are unknown, its links closed. A second event marks the last record
that can be about it. When live state has applied that, it forgets the unit; then the archivist's child takes everything
from the disk (:mod:`tracker.archive_removal`); then live state forgets it once more, because tracks may have been
filled meanwhile from a journal that still had its points, and writes its files anew. Every step can be done again, and
all of them are after a restart.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from storage.archive.archive import write_whole
from storage.client import Unavailable
from storage.exports import exports
from tracker.applier import Applier
from tracker.archive_removal import NOTES, note_path
from tracker.archivist import Archivist, JobFailed
from tracker.intake import Intake, StoreFailed
from tracker.links import Links
from tracker.mirror import Mirror
from tracker.model import DeviceId, UnitId
from tracker.roster import Change, Refusal
from tracker.tail import Tail

REMOVAL = "removal"
"""The journal's word for an event of one."""

_NOBODY = UnitId("")
PROBLEMS = (JobFailed, StoreFailed, OSError, *Unavailable)
RETRY_S = 60.0
"""Until it is tried again when something was away or failed."""


@dataclass(slots=True)
class Removal:
    """One removal. ``unit`` is empty when it is done, or cannot be told any more; times in ms; ``step`` is the one that
    is under way: stored, live, archive, files, done. ``problem``: why it waits."""

    ticket: str
    digest: str
    reason: str
    asked: int
    unit: UnitId = _NOBODY
    step: str = "stored"
    done: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    problem: str = ""

    def fields(self) -> dict[str, Any]:
        """What the journal holds of it."""
        fields = asdict(self)
        for name in ("ticket", "unit", "problem"):
            del fields[name]
        return fields


@dataclass(frozen=True, slots=True)
class Holdings:
    """What would go with a unit, as far as that is known without looking through everything."""

    devices: int
    photos: int
    exports: int


class Removals:
    """All removals. ``forgotten`` is told of each unit with its devices when it is nobody any more, more than once;
    ``rewrite`` has live state write its files anew and waits for that, None where those are not ours."""

    def __init__(
        self,
        data: Path,
        secret: bytes,
        intake: Intake,
        links: Links,
        applier: Applier,
        mirror: Mirror,
        tail: Tail,
        archivist: Archivist,
        reactor: Any,
        pool: ThreadPool,
        new_id: Callable[[], str],
        forgotten: Callable[[UnitId, Sequence[DeviceId]], object],
        rewrite: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._data = data
        self._secret = secret
        self._intake, self._links = intake, links
        self._applier, self._mirror, self._tail = applier, mirror, tail
        self._archivist = archivist
        self._reactor, self._pool = reactor, pool
        self._new_id = new_id
        self._forgotten = forgotten
        self._rewrite = rewrite
        self._notes: dict[str, Mapping[str, Any]] = {}
        """By ticket: the unit, its devices, and its entities in live state."""
        self._anew: dict[str, list[Change]] = {}
        """By ticket: what is to be said once more without the unit, because every record that names it goes."""
        self._running: dict[str, Deferred[None]] = {}
        self._stopped = False
        self._log = Logger(namespace="gridbeat.removals")
        self.all: dict[str, Removal] = {}
        """By ticket, in the order in which they were asked for."""

    # -- starting and stopping

    def begin(self, events: Iterable[Change]) -> None:
        """Take in the events that the journal holds, at start: whoever was promised to be nobody is nobody. Before
        anything listens."""
        for kind, ticket, fields in events:
            if kind == REMOVAL:
                assert fields is not None
                self.all[ticket] = Removal(ticket, **fields)
        for path in (self._data / NOTES).glob("*"):
            removal = self.all.get(path.stem)
            if removal is None or removal.done is not None or path.suffix != ".json":
                path.unlink()
            else:
                self._notes[path.stem] = json.loads(path.read_text())
        for removal in self.all.values():
            if removal.done is None and removal.ticket in self._notes:
                removal.unit = UnitId(self._notes[removal.ticket]["unit"])
                self._take_leave(removal)
            elif removal.done is None:
                removal.problem = "its note is gone from the data folder; ask for it again"

    def start(self) -> None:
        """Go on with what was open."""
        for removal in self.all.values():
            if removal.unit:
                self._go(removal)

    def stop(self) -> None:
        """Nothing more is begun; the next start goes on."""
        self._stopped = True
        for running in list(self._running.values()):
            running.cancel()

    # -- asking

    def of(self, unit: str) -> Removal | None:
        """The last removal of a unit with this id."""
        digest = self._digest(unit)
        return next((one for one in reversed(self.all.values()) if one.digest == digest), None)

    @property
    def waiting(self) -> list[Removal]:
        """Those that cannot go on now."""
        return [one for one in self.all.values() if one.unit and one.problem]

    def holdings(self, unit: UnitId) -> Holdings:
        """What would go. Looks at the folder of exports."""
        photos = sum(photo.unit == unit for photo in self._links.photos.index.all())
        theirs = sum(one.unit == unit for one in exports(self._data))
        return Holdings(len(self._intake.roster.devices_of(unit)), photos, theirs)

    async def ask(self, unit: UnitId, reason: str) -> Removal:
        """Promise it: that is in the journal, and begun. Raises Refusal and StoreFailed; then nothing has happened."""

        async def promise() -> Removal:
            roster = self._intake.roster
            if unit not in roster.units:
                raise Refusal("no_unit", f"there is no unit {unit!r}", f"没有编号为 {unit} 的人员或车辆")
            self._check(unit, reason)
            removal = Removal(self._new_id(), self._digest(unit), reason, self._intake.wall(), unit)
            note = self._note(unit)
            try:
                await self._in_thread(lambda: self._write_note(removal.ticket, note))
                await self._intake.keep([(REMOVAL, removal.ticket, removal.fields())])
            except BaseException as error:
                with suppress(OSError):  # the next start throws it away
                    await self._in_thread(lambda: note_path(self._data, removal.ticket).unlink(missing_ok=True))
                if isinstance(error, OSError):
                    raise StoreFailed(str(error)) from None
                raise
            self.all[removal.ticket], self._notes[removal.ticket] = removal, note
            self._take_leave(removal)
            return removal

        removal = await self._intake.alone(promise)
        self._log.info("a removal was asked for", ticket=removal.ticket)
        self._go(removal)
        return removal

    def _check(self, unit: UnitId, reason: str) -> None:
        """The reason stays, so it must not name anybody."""
        roster = self._intake.roster
        devices = roster.devices_of(unit)
        names = [unit, roster.units[unit].name, *(name for one in devices for name in (one.id, one.external_id))]
        if any(len(name) > 1 and name.lower() in reason.lower() for name in names):
            text = "the reason is kept: it must not hold the name, the id or a device of the unit"
            raise Refusal("named", text, "删除原因会保留，其中不能出现姓名、编号或设备号")

    def _digest(self, unit: str) -> str:
        told = b"removal\0" + unit.encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, told, hashlib.sha256).hex()[:32]

    def _note(self, unit: UnitId) -> dict[str, Any]:
        roster = self._intake.roster
        devices = [device.id for device in roster.devices_of(unit)]
        gone = [device for device in devices if not roster.bindings.carried(device) - {unit}]
        entities = [["unit", unit], *(["device", device] for device in gone)]
        entities += [["duty", f"{unit}:{duty.number}"] for duty in roster.duties_of(unit)]
        return {"unit": unit, "devices": devices, "entities": entities}

    def _write_note(self, ticket: str, note: Mapping[str, Any]) -> None:
        (self._data / NOTES).mkdir(mode=0o700, exist_ok=True)
        write_whole(note_path(self._data, ticket), json.dumps(note, ensure_ascii=False).encode())

    # -- the course

    def _take_leave(self, removal: Removal) -> None:
        """The unit is nobody from now on."""
        self._anew[removal.ticket] = self._intake.roster.remove(removal.unit)
        self._leave_memory(removal)

    def _leave_memory(self, removal: Removal) -> None:
        devices = self._notes[removal.ticket]["devices"]
        self._links.forget(removal.unit, devices)
        self._mirror.forget(removal.unit)
        self._tail.forget(removal.unit)
        self._forgotten(removal.unit, devices)

    def _go(self, removal: Removal) -> None:
        if not self._stopped:
            running = Deferred.fromCoroutine(self._carry_out(removal))
            self._running[removal.ticket] = running
            running.addErrback(lambda failure: failure.trap(CancelledError)).addErrback(
                lambda failure: self._log.failure("a removal broke off", failure=failure)
            )

    async def _carry_out(self, removal: Removal) -> None:
        while not self._stopped:
            try:
                await self._steps(removal)
                return
            except CancelledError:
                raise
            except Exception as error:
                if self._stopped:
                    return
                if not isinstance(error, PROBLEMS):
                    # Ours to mend; what was promised is tried again all the same.
                    self._log.failure("a removal broke off")
                removal.problem = str(error) or type(error).__name__
                self._log.warn("a removal waits: {reason}", reason=removal.problem, ticket=removal.ticket)
            await self._pause(RETRY_S)

    async def _steps(self, removal: Removal) -> None:
        journal = self._intake.journal
        removal.step = "live"
        again = {(kind, id) for kind, id, _ in self._anew[removal.ticket]}
        if again:
            await self._intake.change(lambda: (None, self._intake.roster.said_of(again)))
        await self._intake.keep([(REMOVAL, removal.ticket, removal.fields())])
        upto = journal.last
        await self._leave_live(removal, upto)
        removal.step = "archive"
        found = await self._archivist.ask("remove_person", {"ticket": removal.ticket, "upto": upto})
        removal.step, removal.problem = "files", ""
        for name, count in found["counts"].items():
            removal.counts[name] = removal.counts.get(name, 0) + count
        self._links.photos.blobs.count_anew()
        await self._leave_live(removal, upto)
        if self._rewrite is not None:
            await self._rewrite()
        ended = replace(removal, step="done", done=self._intake.wall())
        await self._intake.keep([(REMOVAL, removal.ticket, ended.fields())])
        await self._in_thread(lambda: note_path(self._data, removal.ticket).unlink(missing_ok=True))
        removal.step, removal.done = ended.step, ended.done
        self._intake.roster.leaving.discard(removal.unit)
        removal.unit, removal.problem = _NOBODY, ""
        self._notes.pop(removal.ticket)
        self._anew.pop(removal.ticket, None)
        self._running.pop(removal.ticket, None)
        self._log.info("a removal is done", ticket=removal.ticket)

    async def _leave_live(self, removal: Removal, upto: int) -> None:
        entities = [(kind, id) for kind, id in self._notes[removal.ticket]["entities"]]
        gone: Deferred[None] = Deferred()
        self._applier.forget(removal.unit, entities, upto, lambda: None if gone.called else gone.callback(None))
        await gone
        self._leave_memory(removal)

    async def _pause(self, seconds: float) -> None:
        over: Deferred[None] = Deferred()
        call = self._reactor.callLater(seconds, over.callback, None)
        try:
            await over
        finally:
            if call.active():
                call.cancel()

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await deferToThreadPool(self._reactor, self._pool, work)
