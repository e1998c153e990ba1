"""What is about one unit, a person or vehicle, among all that is kept: learned from the history of events, then asked
of any record, event or state.

Reports name their unit. Commands name a device, and how they ended names nothing but the command; so who is asked must
have seen the history of events in the journal's order first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

from storage.archive import parquet, snapshots
from storage.archive.layout import EVENTS, SNAPSHOTS
from storage.archive.parquet import text
from tracker import dispatch_events
from tracker.archive_context import Context
from tracker.duty_events import DUTY, OFF_DUTY
from tracker.record import ACCESS, ACCOUNT, ASSIGNMENT, BINDING, ENTITY, EVENT, REPORT, is_access, masked
from tracker.sealing import Spill

READ_RECORDS = 20_000
ROWS = 2000
"""Events of the archive that are Python objects at a time."""
FIRST_DAY, LAST_DAY = "0000-00-00", "9999-99-99"

Event = tuple[int, int, int, str, str, "dict[str, Any] | None"]
"""Record number, server time, ENTITY or EVENT, type, id, fields."""


@dataclass(slots=True)
class Person:
    """A unit, and by which ids else it is known. ``devices`` at first are those that it carries now; ``photos`` are
    their files' names by id, voice notes among them."""

    unit: str
    devices: set[str] = field(default_factory=set)
    commands: set[str] = field(default_factory=set)
    photos: dict[str, str] = field(default_factory=dict)
    accounts: set[str] = field(default_factory=set)
    """Names with which the person has signed in."""
    _carried: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._carried |= self.devices

    def learn(self, what: int, kind: str, id: str, fields: Mapping[str, Any] | None) -> None:
        """Take in the next event of the history, in its order."""
        if fields is None:
            return
        if what == ENTITY and kind == "device":
            if fields["unit"] == self.unit:
                self.devices.add(id)
                self._carried.add(id)
            else:
                self._carried.discard(id)
        elif what == ENTITY and kind == ACCOUNT:
            if fields["unit"] == self.unit:
                self.accounts.add(id)
        elif what == EVENT and kind == "command":
            if fields.get("device") in self._carried:
                self.commands.add(id)
        elif what == EVENT and kind in ("photo", dispatch_events.EVIDENCE) and fields["unit"] == self.unit:
            self.photos[id] = fields["name"]

    def has(self, what: int, kind: str, id: str, fields: Mapping[str, Any] | None) -> bool:
        """Whether an event is about the unit."""
        if what == EVENT:
            if kind in (DUTY, OFF_DUTY):
                return fields is not None and self.unit in (fields["unit"], fields.get("person"))
            if kind in dispatch_events.KINDS:
                return dispatch_events.is_about(self.unit, kind, id, fields)
            if kind == "roll_call":
                return id.partition(":")[2] == self.unit
            return id in (self.commands if kind == "command" else self.photos if kind == "photo" else ())
        if kind == "device":
            return id in self.devices if fields is None else fields["unit"] == self.unit
        if kind in (ACCOUNT, BINDING):
            return fields is not None and fields["unit"] == self.unit
        return kind in ("unit", "duty", ASSIGNMENT) and id.partition(":")[0] == self.unit

    def has_record(self, record: Sequence[Any]) -> bool:
        """The same for a record of the journal."""
        if record[0] == REPORT:
            return bool(record[2] == self.unit)
        if is_access(record):
            return self.unit in (record[4]["unit"], *record[4]["about"].values())
        return record[0] in (ENTITY, EVENT) and self.has(record[0], record[2], record[3], record[4])

    def without(self, record: Sequence[Any]) -> tuple[Any, ...] | None:
        """What is to stand in the place of a record of the journal that names the person among others; ``None`` for
        any other."""
        if record[0] != EVENT:
            return None
        if is_access(record):
            return masked(record) if self.has_record(record) else None
        if record[2] != dispatch_events.DECISION:
            return None
        left = dispatch_events.without(self.unit, record[4])
        return None if left == record[4] else (*record[:4], left)

    @property
    def marker(self) -> bytes:
        """Bytes that every packed report of the unit holds."""
        return bytes(msgpack.packb(self.unit))

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "unit": self.unit, "devices": sorted(self.devices), "commands": sorted(self.commands),
            "photos": self.photos,
        }  # fmt: skip

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Person:
        return cls(plain["unit"], set(plain["devices"]), set(plain["commands"]), dict(plain["photos"]))


def learned(context: Context, person: Person, upto: int) -> Person:
    """The same person, after all that is kept of what has happened up to record ``upto``."""
    # A snapshot knows commands and photos whose events are no longer kept.
    newest = snapshots.newest(context.layout.folder(SNAPSHOTS), lambda reason: None)
    if newest is not None:
        words = {snapshots.ENTITY: ENTITY, snapshots.EVENT: EVENT}
        for word, (kind, id, fields) in newest.changes():
            person.learn(words[word], kind, id, fields)
    for _, _, what, kind, id, fields in events(context, upto):
        person.learn(what, kind, id, fields)
    return person


def events(context: Context, upto: int) -> Iterator[Event]:
    """Everything that has happened up to record ``upto`` but for areas: from the archive, then from the journal."""
    archive = context.archive
    archive.refresh()
    files = [source.path for source in archive.sources(EVENTS, FIRST_DAY, LAST_DAY)]
    if files:
        with Spill(context.layout) as spill:
            yield from _archived(files, spill)
    first = archive.sealed + 1
    start = first
    while batches := context.journal.read(start, READ_RECORDS, last=upto, rare=True):
        for batch in batches:
            for number, record in enumerate(batch.records, batch.first):
                # The archive has who looked at whom in a class of its own.
                if first <= number <= upto and record[0] in (ENTITY, EVENT) and record[2] not in ("area", ACCESS):
                    yield number, record[1], record[0], record[2], record[3], record[4]
        start = batches[-1].last + 1


def _archived(files: Sequence[Path], spill: Path) -> Iterator[Event]:
    db = parquet.connect(spill)
    try:
        cursor = db.execute(
            f"SELECT number, server_time, what, kind, id, fields FROM {parquet.table(files)} "
            f"WHERE kind <> {text('area')} ORDER BY number"
        )
        while rows := cursor.fetchmany(ROWS):
            for number, server_time, what, kind, id, fields in rows:
                yield number, server_time, what, kind, id, unpacked(fields)
    finally:
        db.close()


def unpacked(fields: bytes | None) -> dict[str, Any] | None:
    """The fields of an archived event."""
    if fields is None:
        return None
    found: dict[str, Any] = msgpack.unpackb(fields, use_list=False, strict_map_key=False)
    return found


def listed(ids: Iterable[str]) -> str:
    """Ids as a list that stands after IN, which cannot be empty."""
    return ", ".join(["''", *map(text, sorted(ids))])
