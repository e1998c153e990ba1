"""Photos of devices: what is known of each, and which there are. Pure; the bytes are in storage/blobs.py.

A photo's id is a digest of its device, the terminal's number for it and its bytes: one that a terminal sends again,
because our answer was lost, is the same photo and is kept once.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from protocols.report import Report
from tracker.model import DeviceId, UnitId

JPEG = "image/jpeg"
UNKNOWN_TYPE = "application/octet-stream"
IMAGE = 0
"""The kind of media that is kept."""
KNOWN = 50_000
"""Photos that are known, some 40 MB: as many as there may be files, whatever days have been moved away."""
ON_COMMAND = 0
"""The event code of what was asked for; others are timers, alarms and doors."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a terminal sent. ``kind`` and ``event`` are its codes; ``report`` is where and when, if it says so."""

    media_id: int
    kind: int
    event: int
    channel: int
    report: Report | None
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Photo:
    """One that is on disk under ``name``. ``taken`` by the device's clock and ``received`` by ours, ms; ``command`` is
    the command that it answers, if it answers one."""

    id: str
    device: DeviceId
    unit: UnitId
    command: str | None
    media_id: int
    channel: int
    event: int
    taken: int | None
    received: int
    size: int
    type: str
    name: str

    def fields(self) -> dict[str, Any]:
        """What the journal holds of it."""
        fields = asdict(self)
        del fields["id"]
        return fields

    def told(self) -> dict[str, Any]:
        """What its command's result says of it."""
        return {"id": self.id, "media_id": self.media_id, "size": self.size}


def identity(device: DeviceId, media_id: int, data: bytes) -> str:
    """The id of a photo: 120 bits, as 24 letters and digits that may stand in a path."""
    digest = hashlib.sha256(b"%s\0%d\0" % (device.encode(), media_id))
    digest.update(data)
    return base64.b32encode(digest.digest()[:15]).decode().lower()


def type_of(data: bytes) -> str:
    """JPEG by its first bytes, or nothing that a browser would show."""
    return JPEG if data[:3] == b"\xff\xd8\xff" else UNKNOWN_TYPE


class PhotoIndex:
    """The last photos that are in the journal, at most ``most``."""

    def __init__(self, most: int = KNOWN) -> None:
        self._most = most
        self._photos: dict[str, Photo] = {}
        self._of: dict[DeviceId, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._photos)

    def get(self, id: str) -> Photo | None:
        return self._photos.get(id)

    def of(self, device: DeviceId, limit: int) -> list[Photo]:
        """A device's photos, the last received first."""
        return [self._photos[id] for id in islice(reversed(self._of.get(device, {})), limit)]

    def all(self) -> Iterable[Photo]:
        """The oldest first."""
        return self._photos.values()

    def add(self, photo: Photo) -> None:
        self._photos[photo.id] = photo
        self._of.setdefault(photo.device, {})[photo.id] = None
        if len(self._photos) > self._most:
            oldest = self._photos.pop(next(iter(self._photos)))
            theirs = self._of[oldest.device]
            del theirs[oldest.id]
            if not theirs:
                del self._of[oldest.device]

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit's photos any more."""
        self.drop([photo.id for photo in self._photos.values() if photo.unit == unit])

    def drop(self, ids: Iterable[str]) -> None:
        """Know nothing of these any more."""
        for photo in [self._photos[id] for id in ids if id in self._photos]:
            del self._photos[photo.id]
            theirs = self._of[photo.device]
            del theirs[photo.id]
            if not theirs:
                del self._of[photo.device]

    def replay(self, id: str, fields: Mapping[str, Any]) -> Photo:
        """Take in what the journal holds of a photo."""
        photo = Photo(id=id, **fields)
        self.add(photo)
        return photo
