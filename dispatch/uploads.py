"""Which uploads are under way, how far each has come, and what may begin. A pure core: the bytes are the shell's.

An upload is known by its device and by the SHA-256 of what is to come, so whoever has lost the connection, or the
whole of his memory but for the file, asks how far it is and goes on there. Offsets are bytes, times ms.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from dispatch.media import LIMITS, Sort
from tracker.model import DeviceId, UnitId
from tracker.refusal import Refusal

EACH = 20
"""Uploads of one device; who begins another gives up the one that nothing came to for longest. A phone sends one at a
time, so there are more only if it forgets what it had begun."""
ROOM = 512 << 20
"""Bytes that all of them may come to, as they are announced."""
KEPT_MS = 7 * 86_400_000
"""Nothing has come for so long: the phone has it no more, or nobody has the phone."""


@dataclass(slots=True)
class Upload:
    """One that is not on record yet. ``token`` names its files, ``name`` the file that it becomes, once that is
    chosen."""

    token: str
    device: DeviceId
    unit: UnitId
    sha: str
    length: int
    offset: int
    touched: int
    name: str = ""

    @property
    def whole(self) -> bool:
        return self.offset == self.length


class Misplaced(Refusal):
    """It goes on elsewhere: at ``offset``."""

    def __init__(self, offset: int) -> None:
        super().__init__("offset", f"go on at byte {offset}", f"请从第 {offset} 字节继续")
        self.offset = offset


class Uploads:
    """All of them; ``each`` of one device, ``room`` in bytes."""

    def __init__(self, *, each: int = EACH, room: int = ROOM) -> None:
        self._each, self._room = each, room
        self._all: dict[tuple[DeviceId, str], Upload] = {}
        """The one that was touched last comes last."""
        self.promised = 0
        """Bytes that all of them come to."""

    def __len__(self) -> int:
        return len(self._all)

    def find(self, device: DeviceId, sha: str) -> Upload | None:
        return self._all.get((device, sha))

    def check(self, upload: Upload | None, offset: int, length: int, size: int, sort: Sort | None) -> None:
        """Whether the next ``size`` bytes may come at ``offset``. Raises Refusal, for the wrong place
        :class:`Misplaced`."""
        if sort is None:
            raise Refusal("media", "only photos and voice notes are taken", "仅接收照片和语音")
        if not 0 < length <= LIMITS[sort]:
            raise _too_long(sort)
        at = 0 if upload is None else upload.offset
        if upload is not None and upload.length != length:
            raise Refusal("length", f"it was announced with {upload.length} bytes", f"此前声明的长度为 {upload.length}")
        if offset != at:
            raise Misplaced(at)
        if offset + size > length:
            raise _too_long(sort)
        if upload is None and self.promised + length > self._room:
            raise Refusal("uploads_full", "too much is being sent at once: try later", "同时上传的内容过多，请稍后再试")

    def add(self, upload: Upload) -> list[Upload]:
        """It has begun; the ones that its device gives up for it."""
        self._all[upload.device, upload.sha] = upload
        self.promised += upload.length
        theirs = [one for one in self._all.values() if one.device == upload.device]
        return self.drop(theirs[: max(0, len(theirs) - self._each)])

    def came(self, upload: Upload, size: int, now: int) -> None:
        """So many bytes more are on disk."""
        upload.offset += size
        upload.touched = now
        if self._all.pop((upload.device, upload.sha), None) is upload:
            self._all[upload.device, upload.sha] = upload

    def drop(self, uploads: Iterable[Upload]) -> list[Upload]:
        """Know nothing of these any more; those that were known."""
        gone = []
        for one in uploads:
            if self._all.get((one.device, one.sha)) is one:
                del self._all[one.device, one.sha]
                self.promised -= one.length
                gone.append(one)
        return gone

    def drop_stale(self, now: int) -> list[Upload]:
        """Those that nobody goes on with."""
        return self.drop([one for one in self._all.values() if not now - KEPT_MS <= one.touched <= now + KEPT_MS])

    def forget(self, unit: UnitId, devices: Collection[DeviceId] = ()) -> list[Upload]:
        """A unit's data goes."""
        return self.drop([one for one in self._all.values() if one.unit == unit or one.device in devices])


def _too_long(sort: Sort) -> Refusal:
    limit, zh = LIMITS[sort] >> 20, "照片" if sort is Sort.PHOTO else "语音"
    text = f"a {sort} has 1 byte to {limit} MB, and no more than was announced"
    return Refusal("too_long", text, f"{zh}不能超过 {limit} MB，也不能超过声明的长度")
