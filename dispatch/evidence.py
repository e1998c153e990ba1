"""The way of a photo in: each stretch on disk before it is answered; when it is whole the file is on disk under its
SHA-256, then the journal names it, then its task hears of it, then the device is told that it may forget it.

Whatever is killed in between: there is no row of the journal without its file, and the device, which was not told yet,
asks how far it is and goes on.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from dispatch.exhibits import USES, Exhibit, Exhibits, Use
from dispatch.media import HEAD, LIMITS, Medium, Sort, medium_of
from dispatch.uploads import Upload, Uploads
from storage import uploads as files
from storage.blobs import Blobs, BlobsFull
from storage.journal_files import day_of
from tracker.intake import Intake, StoreFailed
from tracker.model import DeviceId, UnitId
from tracker.refusal import Refusal
from tracker.roster import Carrier

PIECE = 512 << 10
"""Bytes of one request."""
TIDY_S = 3600.0
PROTOCOL = "handheld"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Desk(Protocol):
    """What an upload is for, as far as it must be known here."""

    def whose(self, use: Use, device: DeviceId, now: int) -> UnitId:
        """Who has sent it; empty for nobody."""

    def belongs(self, use: Use, unit: UnitId) -> bool:
        """Whether the unit has, or had, this attempt, or has reported this problem."""

    async def arrived(self, use: Use, unit: UnitId, sha: str) -> None:
        """It is on record. May be told again. Raises StoreFailed."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The next bytes of something: of what the device says that it is, so long, and what it is for."""

    sha: str
    offset: int
    length: int
    sort: Sort | None
    use: Use
    data: bytes


class Evidence:
    """Runs from :meth:`start` to :meth:`stop`; takes from when ``desk`` is set. ``new_id`` makes names that nobody can
    guess: a file's must not say whose it is, and may not be another one's."""

    desk: Desk

    def __init__(
        self, data: Path, intake: Intake, blobs: Blobs, reactor: Any, pool: ThreadPool, new_id: Callable[[], str],
        exhibits: Exhibits | None = None,
    ) -> None:  # fmt: skip
        self._data, self._intake, self._blobs = data, intake, blobs
        self._reactor, self._pool, self._new_id = reactor, pool, new_id
        self.exhibits = Exhibits() if exhibits is None else exhibits
        self.uploads = Uploads()
        self._locks: dict[tuple[DeviceId, str], tuple[DeferredLock, list[object]]] = {}
        self._loop = LoopingCall(self.tidy)
        self._loop.clock = reactor
        self._log = Logger(namespace="gridbeat.evidence")

    # -- starting and stopping

    def begin(self) -> None:
        """Find what was under way, when the journal has been replayed and before anything listens."""
        for one in files.found(self._data):
            note = one.note
            device, unit = DeviceId(note.device), UnitId(note.unit)
            carrier = self._intake.roster.carrier(device)
            if carrier is None or self.exhibits.get(note.sha, unit) is not None:
                files.drop(self._data, note.token)
                continue
            self.uploads.add(
                Upload(note.token, device, unit, note.sha, note.length, one.offset, one.touched, note.name)
            )  # fmt: skip

    def start(self) -> None:
        self._loop.start(TIDY_S)

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()

    def tidy(self) -> None:
        """Give up what nobody goes on with."""
        self._throw_away(self.uploads.drop_stale(self._intake.wall()))

    def forget(self, unit: UnitId, devices: Sequence[DeviceId] = ()) -> None:
        """A unit's data is being removed."""
        self.exhibits.forget(unit)
        self._throw_away(self.uploads.forget(unit, devices))

    def stored(self, unit: UnitId, photos: Collection[str]) -> list[str]:
        """Which of these the unit has sent already: an answer may come after its photos."""
        return [sha for sha in photos if self.exhibits.get(sha, unit) is not None]

    # -- what devices ask

    def state(self, carrier: Carrier, sha: str) -> tuple[int, int] | None:
        """How many bytes are here, and of how many; ``None`` of what has not begun. What is whole may still have to be
        finished: by one more piece, which may be empty."""
        upload = self.uploads.find(carrier.device.id, sha)
        if upload is not None:
            return upload.offset, upload.length
        mine = (one for one in self.exhibits.of(sha) if carrier.device.id == one.device or carrier.unit.id == one.unit)
        known = next(mine, None)
        return None if known is None else (known.size, known.size)

    async def take(self, carrier: Carrier, piece: Piece) -> Exhibit | int:
        """Take the next bytes of something; it when it is on record, else how far it is. Raises Refusal, StoreFailed
        and OSError; each of them leaves it where it was, unless that cannot be kept at all."""
        async with self._alone(carrier.device.id, piece.sha):
            return await self._take(carrier, piece)

    async def _take(self, carrier: Carrier, piece: Piece) -> Exhibit | int:
        device, now = carrier.device.id, self._intake.wall()
        unit, roster = self.desk.whose(piece.use, device, now), self._intake.roster
        known = self.exhibits.get(piece.sha, unit)
        if known is not None:
            return await self._use(known, piece.use)
        if roster.on_duty(unit, now) is None and not self.desk.belongs(piece.use, unit):
            raise Refusal(
                "off_duty", "off duty only what belongs to an answer or a report is taken: send that first",
                "下班后仅接收已有反馈或上报的附件，请先发送反馈或上报",
            )  # fmt: skip
        upload = self.uploads.find(device, piece.sha)
        if upload is not None and upload.unit != unit:
            self._throw_away(self.uploads.drop([upload]))  # the device is another one's now
            upload = None
        self.uploads.check(upload, piece.offset, piece.length, len(piece.data), piece.sort)
        if piece.offset == 0 and len(piece.data) >= HEAD and medium_of(piece.data[:HEAD]) is None:
            raise _no_medium()
        if upload is None:
            upload = await self._begin(device, unit, piece, now)
        if piece.data:
            at, token = upload.offset, upload.token
            await self._disk(lambda: files.write_piece(self._data, token, at, piece.data))
            self._still(carrier, upload)
            self.uploads.came(upload, len(piece.data), now)
        return await self._finish(carrier, upload, piece.use) if upload.whole else upload.offset

    async def _begin(self, device: DeviceId, unit: UnitId, piece: Piece, now: int) -> Upload:
        if self._blobs.full:
            self._blobs.recount()
            raise _full()
        upload = Upload(self._new_id(), device, unit, piece.sha, piece.length, 0, now)
        # Promised before the first wait, or as many as like could begin at one moment.
        self._throw_away(self.uploads.add(upload), "upload_dropped")
        try:
            await self._disk(lambda: files.write_note(self._data, _note(upload)))
        except BaseException:
            self.uploads.drop([upload])
            raise
        return upload

    async def _finish(self, carrier: Carrier, upload: Upload, use: Use) -> Exhibit:
        path = files.part_of(self._data, upload.token)

        def read() -> tuple[bytes, str]:
            data = path.read_bytes()
            return data, hashlib.sha256(data).hexdigest()

        data, sha = await self._disk(read)
        medium = medium_of(data[:HEAD])
        if sha != upload.sha or medium is None or len(data) > LIMITS[medium.sort]:
            self._throw_away(self.uploads.drop([upload]))
            if sha != upload.sha:
                text = "what came is not what was announced: send it again from the beginning"
                raise Refusal("bad_digest", text, "内容与声明的 SHA-256 不符，请从头重新上传")
            raise _no_medium()
        await self._keep(upload, data, medium)
        self._still(carrier, upload)
        exhibit = Exhibit(
            sha, upload.unit, upload.device, len(data), medium.type, self._intake.wall(), upload.name, (use,)
        )  # fmt: skip
        event = exhibit.event(use)
        await self._intake.keep([event])
        if carrier is self._intake.roster.carrier(upload.device):
            self.exhibits.take(event)
        self._throw_away(self.uploads.drop([upload]))
        await self.desk.arrived(use, upload.unit, sha)
        return exhibit

    async def _keep(self, upload: Upload, data: bytes, medium: Medium) -> None:
        """Put the file where it stays, on disk with its name when this returns."""
        if not upload.name:
            name = f"{day_of(self._intake.wall())}/{upload.sha}-{self._new_id()}.{medium.ending}"
            note = _note(upload, name)
            await self._disk(lambda: files.write_note(self._data, note))
            upload.name = name
        written: Deferred[bool] = Deferred()
        try:
            self._blobs.write(upload.name, data, written.callback)
        except BlobsFull:
            raise _full() from None
        if not await written:
            raise StoreFailed("the photo could not be written")

    async def _use(self, known: Exhibit, use: Use) -> Exhibit:
        """The same file for something else, or told again because our answer was lost."""
        if use not in known.uses and len(known.uses) < USES:
            event = known.event(use)
            await self._intake.keep([event])
            if self.exhibits.get(known.sha, known.unit) is not None:
                known = self.exhibits.take(event)
        await self.desk.arrived(use, known.unit, known.sha)
        return known

    def _still(self, carrier: Carrier, upload: Upload) -> None:
        """Raises Refusal if the unit's data was removed while the disk had the bytes, or it was given up for others."""
        if self._intake.roster.carrier(upload.device) is carrier and self.uploads.find(upload.device, upload.sha):
            return
        self._throw_away([upload])
        raise Refusal("gone", "this upload was given up: begin it again", "该上传已放弃，请重新开始")

    # -- the disk

    @asynccontextmanager
    async def _alone(self, device: DeviceId, sha: str) -> Any:
        """One request after another for each upload; a device that has lost the connection sends the same again."""
        key, me = (device, sha), object()
        lock, waiting = self._locks.setdefault(key, (DeferredLock(), []))
        waiting.append(me)
        await lock.acquire()
        try:
            yield
        finally:
            waiting.remove(me)
            if not waiting:
                del self._locks[key]
            lock.release()

    async def _disk(self, work: Callable[[], Any]) -> Any:
        try:
            return await deferToThreadPool(self._reactor, self._pool, work)
        except OSError as error:
            if error.errno in _FULL:
                raise _full() from None
            raise StoreFailed(error.strerror or "the disk failed") from None

    def _throw_away(self, uploads: Sequence[Upload], reason: str = "") -> None:
        """Take their files away; they are known no more. What was kept already, and is on no record, goes too."""
        if reason and uploads:
            self._intake.counters.refuse(PROTOCOL, reason, len(uploads))
        for one in uploads:
            if one.name and self.exhibits.get(one.sha, one.unit) is None:
                self._blobs.delete(one.name)
        tokens = [one.token for one in uploads]

        def drop() -> None:
            for token in tokens:
                with suppress(OSError):  # the next start finds it
                    files.drop(self._data, token)

        if tokens:
            d = deferToThreadPool(self._reactor, self._pool, drop)
            d.addErrback(lambda failure: self._log.failure("uploads could not be deleted", failure=failure))


def _note(upload: Upload, name: str = "") -> files.Note:
    return files.Note(upload.token, upload.device, upload.unit, upload.sha, upload.length, name)


def _no_medium() -> Refusal:
    return Refusal("media", "only JPEG, PNG, WebP, HEIC, WebM, Ogg and M4A are taken",
                   "仅接收 JPEG、PNG、WebP、HEIC 照片和 WebM、Ogg、M4A 语音")  # fmt: skip


def _full() -> Refusal:
    return Refusal(
        "media_full", "the server has no room for photos now: keep it and try again; an admin finds why at /storage",
        "服务器暂无空间存放照片：请保留，稍后自动重试；管理员请查看“存储”页面",
    )  # fmt: skip
