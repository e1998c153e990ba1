"""What the journal holds of the tracker: plain tuples, so that a replay sees exactly what the live line saw.

A report's record is ``(REPORT, device, unit, duty, server_time, device_time, fix_time, latitude, longitude,
altitude, speed, course, accuracy, status, alarm, marks, items, original)`` in the units of
:mod:`protocols.report`; an entity's is ``(ENTITY, server_time, type, id, fields or None)``. An event's has the same
form under ``EVENT``: what was asked of devices and what came of it, which is nothing that live state carries.
A record that begins with none of the three was one of somebody whose data was removed
(:data:`storage.journal_scrub.TOMBSTONE`): everybody passes over it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgpack

REPORT = 1
ENTITY = 2
EVENT = 3

ACCOUNT = "account"
ACCESS = "access"
"""Type of the events that say who looked at whom. No state follows from them, and they have a class of their own in the
archive."""
SHIFT = "shift"
ASSIGNMENT = "assignment"
SEAT = "seat"
OUTAGE = "outage"
BINDING = "binding"
MASK = "*"
"""Stands for what was somebody's whose data has been removed: there, as often as that had bytes."""
PRIVATE = frozenset({ACCOUNT, SHIFT, ASSIGNMENT, OUTAGE, BINDING})
"""Types of entities that other programs do not read in live state: accounts hold password hashes, the rota of a year is
larger than all the rest, and whose a device is stands in the device."""


class ReportRecord(NamedTuple):
    """A report's record by name, for what is off the per-report path."""

    kind: int
    device: str
    unit: str
    duty: int
    server_time: int
    device_time: int | None
    fix_time: int | None
    latitude: int | None
    longitude: int | None
    altitude: int | None
    speed: int | None
    course: int | None
    accuracy: int | None
    status: int
    alarm: int
    marks: int
    items: dict[str, Any] | None
    original: tuple[int, int] | None

    @property
    def identity(self) -> tuple[object, ...]:
        """A point is the same point in whatever message it comes: device, fix time, position, status, alarm."""
        return (self.device, self.fix_time, self.latitude, self.longitude, self.status, self.alarm)


def is_access(record: Sequence[Any]) -> bool:
    """Whether a journal record says who looked at whom."""
    return bool(record[0] == EVENT and record[2] == ACCESS)


def masked(record: Sequence[Any]) -> tuple[Any, ...]:
    """Such a record without whose data it was, why, and which: who looked, when and at what stays. As many bytes as
    before when it is packed."""
    fields = dict(record[4])
    about = {name: _stars(value) if isinstance(value, str) else value for name, value in fields["about"].items()}
    fields |= {"unit": _stars(fields["unit"]), "reason": _stars(fields["reason"]), "about": about}
    return (*record[:4], fields)


def _stars(text: str) -> str:
    return MASK * len(text.encode())


def unpack_track(data: bytes) -> Iterator[ReportRecord]:
    """The records of a track: packed records one after another."""
    unpacker = msgpack.Unpacker(use_list=False, strict_map_key=False, max_buffer_size=len(data) + 1)
    unpacker.feed(data)
    for record in unpacker:
        yield ReportRecord._make(record)
