"""Taking what turned out to be off duty out of everything that lies on the disk: the job ``remove_off_duty``.

It is a removal of a stretch of somebody's time, and goes the way of :mod:`tracker.archive_removal`, from the journal to
snapshots, with the same steps; it may be killed anywhere and begun anew. Calls for help stay: of those with a place the
ones that are named, which are the first of each call, and all that have none. Of the journal only what can hold it is
looked through, because this has to be done within a minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import msgpack

from protocols.report import ALARM_SOS
from storage import exports
from storage.archive import parquet, snapshots
from storage.archive.layout import EVENTS, FIXES
from storage.archive.parquet import text
from storage.journal_scrub import scrub
from tracker import dispatch_events, sealing
from tracker.archive_context import Arguments, Context, Result
from tracker.archive_removal import Work, finish, remove_photos, rewrite_days, rewrite_parts, rewrite_snapshots
from tracker.person import listed
from tracker.record import EVENT, REPORT
from tracker.roll_call import ROLL_CALL

REASON = "off_duty"
_PLACED = (msgpack.packb("place") + b"\x85" + msgpack.packb("at") + b"\xcf").hex().upper()
"""What stands before the time of a place among the packed fields of a roll call's answer."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A unit's time from ``start`` to before ``end`` (ms), the fix times of the calls for help in it that stay, and by
    id the files of its photos."""

    unit: str
    start: int
    end: int
    stay: frozenset[int]
    photos: Mapping[str, str]

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Stretch:
        return cls(plain["unit"], plain["start"], plain["end"], frozenset(plain["stay"]), dict(plain["photos"]))

    def takes(self, record: Sequence[Any]) -> bool:
        """Whether a report's record goes."""
        if record[2] != self.unit or not self.start <= self.moment(record) < self.end:
            return False
        return not (record[6] in self.stay if record[7] is not None else record[14] & ALARM_SOS)

    @staticmethod
    def moment(record: Sequence[Any]) -> int:
        """When it was: by the fix, or by the server where there is none."""
        at: int = record[4] if record[6] is None else record[6]
        return at

    def places(self, id: str, fields: Mapping[str, Any]) -> bool:
        """Whether an event of a roll call says where the unit was then. A call for help stays where it is: not here."""
        place = fields.get("place")
        return id.partition(":")[2] == self.unit and place is not None and self.start <= place["at"] < self.end

    @property
    def placed(self) -> str:
        """The same of a row of events, as a condition. Fields are packed: of numbers of eight bytes the hexadecimal
        digits have the order of the numbers."""
        first, last = (f"'{max(0, at):016X}'" for at in (self.start, self.end - 1))
        at = f"regexp_extract(hex(fields), '{_PLACED}([0-9A-F]{{16}})', 1)"
        return (
            f"(what = {EVENT} AND kind = '{ROLL_CALL}' AND split_part(id, ':', 2) = {text(self.unit)}"
            f" AND {at} BETWEEN {first} AND {last})"
        )

    def where(self, columns: Collection[str]) -> str:
        """The same of a row of fixes: of a part, or of either file of a closed day."""
        unit = f"unit = {text(self.unit)}"
        if "moment" not in columns:  # the main file: all have a place, and a fix time
            return f"({unit} AND fix_time >= {self.start} AND fix_time < {self.end} AND NOT {self._stays('fix_time')})"
        located = "located" if "located" in columns else "latitude IS NOT NULL"
        stays = f"CASE WHEN {located} THEN {self._stays('moment')} ELSE alarm % 2 = 1 END"
        return f"({unit} AND moment >= {self.start} AND moment < {self.end} AND NOT coalesce({stays}, false))"

    def _stays(self, column: str) -> str:
        return f"({column} IN ({', '.join(map(str, sorted(self.stay)))}))" if self.stay else "false"

    def knew(self, at: float) -> bool:
        """Whether a decision that rests on where the unit was at this time goes without it."""
        return self.start <= at < self.end

    def taints(self, fields: Mapping[str, Any]) -> bool:
        """Whether a unit's state knows of what goes. It is not mended but left out: the next report begins it anew."""
        times = (fields.get("fix_time"), fields.get("jump_time"), fields.get("seen"))
        return fields["unit"] == self.unit and any(
            at is not None and self.start <= at < self.end and at not in self.stay for at in times
        )


@dataclass(frozen=True, slots=True)
class OffDuty:
    """The subject of the steps: all stretches of one job."""

    stretches: Sequence[Stretch]
    kinds: tuple[str, ...] = (FIXES, EVENTS)

    @property
    def photos(self) -> dict[str, str]:
        return {id: name for stretch in self.stretches for id, name in stretch.photos.items()}

    @property
    def units(self) -> tuple[str, ...]:
        return tuple({stretch.unit for stretch in self.stretches})

    def without(self, fields: dict[str, Any]) -> dict[str, Any]:
        for stretch in self.stretches:
            fields = dispatch_events.without(stretch.unit, fields, stretch.knew)
        return fields

    def goes(self, number: int, record: Sequence[Any]) -> bool | tuple[Any, ...]:
        """Whether a record of the journal goes, or what is to stand in its place."""
        if record[0] == REPORT:
            return any(stretch.takes(record) for stretch in self.stretches)
        if record[0] == EVENT and record[2] == dispatch_events.DECISION:
            left = self.without(record[4])
            return left != record[4] and (*record[:4], left)
        return record[0] == EVENT and self._tells(record[2], record[3], record[4])

    def _tells(self, kind: str, id: str, fields: Mapping[str, Any]) -> bool:
        """Whether an event goes: a photo, or where somebody was who answered a roll call."""
        if kind == "photo":
            return id in self.photos
        return kind == ROLL_CALL and any(stretch.places(id, fields) for stretch in self.stretches)

    def where(self, kind: str, columns: Collection[str]) -> str:
        if kind == EVENTS:
            photos = f"(what = {EVENT} AND kind = 'photo' AND id IN ({listed(self.photos)}))"
            return " OR ".join([photos, *(stretch.placed for stretch in self.stretches)])
        return " OR ".join(stretch.where(columns) for stretch in self.stretches)

    def judged(self, snapshot: snapshots.Snapshot) -> Iterable[tuple[bool, tuple[Any, ...]]]:
        fields = snapshot.about.fields
        for state in snapshot.states():
            known = dict(zip(fields, state, strict=True))
            yield not any(stretch.taints(known) for stretch in self.stretches), (snapshots.STATE, state)
        for word, (kind, id, told) in snapshot.changes():
            yield not (word == snapshots.EVENT and self._tells(kind, id, told or {})), (word, kind, id, told)


def remove_off_duty(context: Context, arguments: Arguments) -> Result:
    """Remove the ``stretches`` from the records ``first`` .. ``upto`` and all that was made of them. Answers counts by
    what it was."""
    subject = OffDuty([Stretch.of(plain) for plain in arguments["stretches"]])
    context.archive.refresh()
    sealing.tidy(context.layout)
    finish(context)
    counts = Counter[str]()
    markers = {bytes(msgpack.packb(stretch.unit)) for stretch in subject.stretches}
    counts["records"] += scrub(
        context.journal.folder, int(arguments["upto"]), subject.goes, *markers, first=int(arguments["first"]),
        tell=lambda day, count: context.tell({"step": "journal", "day": day}),
    )  # fmt: skip
    with sealing.Spill(context.layout) as spill, closing(parquet.connect(spill)) as db:
        work = Work(context, subject, spill, db, counts, REASON)
        rewrite_parts(work)
        rewrite_days(work)
        rewrite_snapshots(work)
    remove_photos(context, subject.photos.values(), counts, REASON)
    for stretch in subject.stretches:
        for export in exports.exports(context.data):
            # A copy of before may hold it too; another can be asked for.
            if export.unit == stretch.unit and export.bytes and export.made >= stretch.start:
                exports.drop(context.data, export.ticket)
                counts["exports"] += 1
    context.tell({"step": "files"})
    return {"counts": dict(counts)}
