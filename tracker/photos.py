"""The way of a photo in: file, then journal, then the terminal is told. Nothing is acknowledged before both."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from protocols.report import Report
from storage.blobs import Blobs, BlobsFull
from storage.journal import JournalFull
from storage.journal_files import day_of
from tracker.intake import Intake
from tracker.media import IMAGE, Photo, PhotoIndex, Taken, identity, type_of
from tracker.roster import Carrier, duty_at


class Fate(Enum):
    """What becomes of a photo. The terminal is told that it may forget it, but for ``LATER``."""

    KEPT = 0
    KNOWN = 1
    """It was kept before."""
    UNWANTED = 2
    """Sound or film: it is not kept."""
    OFF_DUTY = 3
    LATER = 4
    """Nothing can be stored now."""


Told = Callable[[Fate, Photo | None], None]
"""The second is the photo, if it is a new one that is kept."""


class Photos:
    """Takes photos in and keeps the index of those that are."""

    def __init__(self, intake: Intake, blobs: Blobs) -> None:
        self._intake = intake
        self.blobs = blobs
        self.index = PhotoIndex()
        self._under_way: dict[str, list[Told]] = {}

    def keep(self, carrier: Carrier, taken: Taken, command: str | None, told: Told) -> None:
        """Store a photo, and the position in it. ``told`` may be called at once.

        What is refused for good (sound and film, off duty) is answered like what was stored, or the terminal would
        send it for ever; what cannot be stored now is not answered.
        """
        device, counters, now = carrier.device, self._intake.counters, self._intake.wall()
        report = taken.report
        at = now if report is None or report.fix_time is None else report.fix_time
        if taken.kind != IMAGE:
            # Sound from a cabin would be listening in by another way.
            counters.refuse(device.protocol, "media_kind")
            told(Fate.UNWANTED, None)
            return
        unit, duties = carrier.at(at)
        if duty_at(duties, at) is None:
            counters.refuse(device.protocol, "off_duty")
            told(Fate.OFF_DUTY, None)
            return
        id = identity(device.id, taken.media_id, taken.data)
        if self.index.get(id) is not None:
            told(Fate.KNOWN, None)
            return
        if id in self._under_way:
            # Sent again over a new link while the disk has it: each link is told, or this one waits for ever.
            self._under_way[id].append(told)
            return
        type = type_of(taken.data)
        photo = Photo(
            id, device.id, unit.id, command, taken.media_id, taken.channel, taken.event,
            None if report is None else report.fix_time, now, len(taken.data), type,
            f"{day_of(now)}/{id}{'.jpg' if type == 'image/jpeg' else '.bin'}",
        )  # fmt: skip

        def ended(kept: bool) -> None:
            first, *others = self._under_way.pop(id)
            if kept:
                self.index.add(photo)
            first(Fate.KEPT if kept else Fate.LATER, photo if kept else None)
            for other in others:
                other(Fate.KNOWN if kept else Fate.LATER, None)

        def written(ok: bool) -> None:
            if ok:
                self._note(carrier, report, photo, ended)
            else:
                counters.refuse(device.protocol, "media_disk")
                ended(False)

        self._under_way[id] = [told]
        try:
            self.blobs.write(photo.name, taken.data, written)
        except BlobsFull:
            counters.refuse(device.protocol, "media_full")
            ended(False)

    def _note(self, carrier: Carrier, report: Report | None, photo: Photo, ended: Callable[[bool], None]) -> None:
        """The position first: commits keep the order, so with the photo it is on disk too."""
        if self._intake.roster.carrier(carrier.device.id) is not carrier:
            # Its unit's data was removed while the disk had the photo.
            self.blobs.delete(photo.name)
            ended(False)
            return
        try:
            if report is not None and report.latitude is not None:
                self._intake.submit(carrier, [report], lambda first: None)
            self._intake.note([("photo", photo.id, photo.fields())], lambda first: ended(first is not None))
        except JournalFull:
            ended(False)
