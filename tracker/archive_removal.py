"""Taking a person's data out of everything that lies on the disk: the job ``remove_person``.

It goes the way that data goes, from where it comes in to where it ends: journal, parts, closed days, snapshots. So
nothing that is clean already can be filled again from something that is not: whatever is sealed, closed or written down
between two attempts is made of what is before it. But all of it is preceded by one step: what is known by which id
(commands and photos) is written into the removal's note, because it follows from the very events that go. Photos and
exports are files of their own and are made of nothing else; they go when it is known which they are.

A closed file and its entry in the chain cannot change at the same moment. The new file is laid beside the old one, the
chain says that it counts, then it takes the old one's name; after a kill in between its digest says that it counts.
Every step looks at what is there and not at what was done, so the job may be killed anywhere and begun anew. Nothing of
the person's is in the chain: entries name days and files, and photos by ids that are digests.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb
import msgpack

from storage import uploads
from storage.archive import parquet, snapshots
from storage.archive.archive import sync_file, write_whole
from storage.archive.chain import SealedFile
from storage.archive.layout import ACCESS, EVENTS, FIXES, PHOTOS, SEALED, SNAPSHOTS, day_in
from storage.archive.parquet import text
from storage.copies import drop_copies
from storage.exports import drop_exports
from storage.journal_files import sync_names
from storage.journal_scrub import scrub
from storage.space import free_bytes
from tracker import dispatch_events, sealing
from tracker.archive_context import Arguments, Context, Result
from tracker.person import Person, learned, listed, unpacked
from tracker.record import ENTITY, EVENT, MASK

NOTES = "removals"
"""In the data folder, the notes of removals that are not done yet: the only place that names who it is."""
REASON = "request"
STAGED = ".part"
"""How the name of a file ends that is to take another one's place."""
DECISIONS = 200
"""Of the archive that are Python objects at a time: some 20 kB each."""
SPARE = 64 << 20
"""Bytes that stay free beside what is written."""


def remove_person(context: Context, arguments: Arguments) -> Result:
    """Remove the person that the note ``ticket`` names from all records up to ``upto``. Answers counts by what it
    was. Raises :class:`RemovalFailed`."""
    note = note_path(context.data, str(arguments["ticket"]))
    try:
        return _remove(context, note, int(arguments["upto"]))
    except Exception as error:
        # What fails quotes what it was about, and its words go into the log.
        raise RemovalFailed(f"{type(error).__name__}: {_nameless(error, note)}") from None


class RemovalFailed(Exception):
    """It did not come to its end; the text says why and names nobody."""


def _nameless(error: Exception, note: Path) -> str:
    words = str(error).partition("\n")[0]
    with suppress(OSError, ValueError):
        told = json.loads(note.read_text())
        names = {told["unit"], *told["devices"], *told.get("commands", ()), *told.get("photos", ())}
        for name in sorted(names, key=len, reverse=True):
            words = words.replace(name, "…")
    return words[:300]


def _remove(context: Context, note: Path, upto: int) -> Result:
    told: dict[str, Any] = json.loads(note.read_text())
    context.archive.refresh()
    sealing.tidy(context.layout)
    finish(context)
    if "commands" not in told:
        context.tell({"step": "looking"})
        told |= learned(context, Person(told["unit"], set(told["devices"])), upto).plain()
        write_whole(note, json.dumps(told, ensure_ascii=False).encode())
    person = Person.of(told)
    counts = Counter[str]()

    def of_day(day: str, count: int) -> None:
        context.tell({"step": "journal", "day": day})

    def goes(number: int, record: Sequence[Any]) -> bool | tuple[Any, ...]:
        left = person.without(record)
        return person.has_record(record) if left is None else left

    counts["records"] += scrub(context.journal.folder, upto, goes, person.marker, tell=of_day)
    with sealing.Spill(context.layout) as spill, closing(parquet.connect(spill)) as db:
        work = Work(context, Everything(person), spill, db, counts)
        rewrite_parts(work)
        rewrite_days(work)
        rewrite_snapshots(work)
    half = [one.note.name for one in uploads.found(context.data) if one.note.unit == person.unit and one.note.name]
    remove_photos(context, [*person.photos.values(), *half], counts)
    counts["uploads"] += uploads.drop_uploads(context.data, person.unit)
    counts["exports"] += drop_exports(context.data, person.unit)
    context.tell({"step": "files"})
    return {"counts": dict(counts)}


class Subject(Protocol):
    """What is to be taken out."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Classes of the archive in which there may be something of it."""

    @property
    def units(self) -> tuple[str, ...]:
        """Whose it is."""

    def where(self, kind: str, columns: Collection[str]) -> str:
        """Which rows of a file of this class, with these columns, go, as a condition."""

    def without(self, fields: dict[str, Any]) -> dict[str, Any]:
        """What is left of a decision; the same if there is nothing of it."""

    def judged(self, snapshot: snapshots.Snapshot) -> Iterable[tuple[bool, tuple[Any, ...]]]:
        """Each value of a snapshot, with whether it stays."""


@dataclass(frozen=True, slots=True)
class Everything:
    """All that is about a person."""

    person: Person
    kinds: tuple[str, ...] = SEALED

    def where(self, kind: str, columns: Collection[str]) -> str:
        return where(kind, self.person)

    @property
    def units(self) -> tuple[str, ...]:
        return (self.person.unit,)

    def without(self, fields: dict[str, Any]) -> dict[str, Any]:
        return dispatch_events.without(self.person.unit, fields)

    def judged(self, snapshot: snapshots.Snapshot) -> Iterable[tuple[bool, tuple[Any, ...]]]:
        return _judged(snapshot, self.person)


@dataclass(frozen=True, slots=True)
class Work:
    """What all steps are given; ``spill`` is a folder for what is being written, ``reason`` what the chain says."""

    context: Context
    subject: Subject
    spill: Path
    db: duckdb.DuckDBPyConnection
    counts: Counter[str]
    reason: str = REASON


def note_path(data: Path, ticket: str) -> Path:
    """Where the note of a removal lies."""
    return data / NOTES / f"{ticket}.json"


def where(kind: str, person: Person) -> str:
    """Which rows of a file of this class are about the person, as a condition."""
    unit = text(person.unit)
    if kind == FIXES:
        return f"unit = {unit}"
    if kind == ACCESS:
        return f"(unit = {unit} OR contains(about, {text(json.dumps(person.unit, ensure_ascii=False))}))"
    return (
        f"(what = {EVENT} AND (kind = 'command' AND id IN ({listed(person.commands)})"
        f" OR kind = 'photo' AND id IN ({listed(person.photos)})"
        f" OR kind = 'roll_call' AND split_part(id, ':', 2) = {unit}"
        f" OR kind IN ('duty', 'off_duty') AND (contains(hex(fields), {text(_carries(person.unit))})"
        f" OR split_part(id, ':', 1) = {unit})"
        f" OR kind IN ({listed(dispatch_events.KINDS)}) AND contains(hex(fields), {text(_carries(person.unit))})"
        f" OR kind IN ({listed(dispatch_events.FIRST)}) AND split_part(id, ':', 1) = {unit}"
        f" OR kind = '{dispatch_events.EVIDENCE}' AND substr(id, {dispatch_events.SHA + 2}) = {unit}))"
        f" OR (what = {ENTITY} AND (kind IN ('unit', 'duty', 'assignment') AND split_part(id, ':', 1) = {unit}"
        # Fields are packed: a key and a value, one after the other.
        f" OR kind IN ('account', 'binding') AND contains(hex(fields), {text(_carries(person.unit))})"
        f" OR kind = 'device' AND (id IN ({listed(person.devices)}) AND fields IS NULL"
        f" OR contains(hex(fields), {text(_carries(person.unit))}))))"
    )


def _carries(unit: str) -> str:
    return bytes(msgpack.packb("unit") + msgpack.packb(unit)).hex().upper()


def _packed(unit: str) -> str:
    return bytes(msgpack.packb(unit)).hex().upper()


# -- parts, which no chain has heard of


def rewrite_parts(work: Work) -> None:
    """Take it out of what is not closed."""
    for run in work.context.layout.runs():
        for kind in work.subject.kinds:
            for day, path in run.parts(kind).items():
                if _rewritten(work, kind, path) is not None:
                    _put(work.spill / path.name, path)
                    work.context.tell({"step": "parts", "day": day})


def _rewritten(work: Work, kind: str, path: Path) -> int | None:
    """Whether there is anything about the person in a file: then its rows without that are in ``spill`` under its
    name, so many. Who looked at the person stays, when and at what; that it was the person, and why, goes."""
    columns = [row[0] for row in work.db.execute(f"DESCRIBE SELECT * FROM {parquet.table([path])}").fetchall()]
    condition, new = work.subject.where(kind, columns), work.spill / path.name
    partly = _named(work.subject.units) if kind == EVENTS else "false"
    counted = f"SELECT count_if({condition}), count_if({partly}) FROM {parquet.table([path])}"
    found = work.db.execute(counted).fetchone()
    assert found is not None
    less = _decisions(work, path, partly) if found[1] else 0
    if not found[0] + less:
        return None
    _need(work.context, path.stat().st_size)
    query = f"SELECT * FROM {parquet.table([path])} WHERE NOT coalesce({condition}, false)"
    if less:
        query = (
            "SELECT * EXCLUDE (of, rest) REPLACE (coalesce(rest, fields) AS fields) "
            f"FROM {parquet.table([path])} LEFT JOIN less ON number = of "
            f"WHERE NOT coalesce({condition}, false) ORDER BY number"
        )
    if kind == ACCESS:
        masks = ", ".join(
            f"CASE WHEN {condition} AND {name} <> '' THEN {text(mask)} ELSE {name} END AS {name}"
            for name, mask in (("unit", MASK), ("reason", MASK), ("about", "{}"))
        )
        query = f"SELECT * REPLACE ({masks}) FROM {parquet.table([path])}"
    rows = parquet.write(work.db, query, new)
    work.counts["rows"] += int(found[0]) + less
    sync_file(new)
    return rows


def _named(units: Iterable[str]) -> str:
    """Which rows of a file of events are decisions that may name one of these, as a condition."""
    names = " OR ".join(f"contains(hex(fields), {text(_packed(unit))})" for unit in units)
    return f"what = {EVENT} AND kind = '{dispatch_events.DECISION}' AND ({names})"


def _decisions(work: Work, path: Path, where: str) -> int:
    """How many decisions of a file of events name somebody who goes; what is left of each is in the table ``less``."""
    query = f"SELECT number, fields FROM {parquet.table([path])} WHERE {where}"
    work.db.execute("CREATE OR REPLACE TEMP TABLE less(of BIGINT, rest BLOB)")
    count, looking = 0, work.db.cursor()
    looking.execute(query)
    while rows := looking.fetchmany(DECISIONS):
        left = []
        for number, packed in rows:
            fields = unpacked(packed)
            assert fields is not None
            rest = work.subject.without(fields)
            if rest != fields:
                left.append((number, msgpack.packb(rest)))
        if left:
            work.db.executemany("INSERT INTO less VALUES (?, ?)", left)
            count += len(left)
    return count


# -- closed days and supplements


def rewrite_days(work: Work) -> None:
    """Take it out of what is closed."""
    for kind in work.subject.kinds:
        _days(work, kind)


def _days(work: Work, kind: str) -> None:
    context = work.context
    chain, folder = context.archive.chains[kind], context.layout.folder(kind)
    days: dict[str, list[str]] = {}
    for name, (entry, _) in sorted(chain.files().items()):
        days.setdefault(entry.day, []).append(name)
    for path in folder.iterdir():
        # What a closing that was killed has left is written again by the next one, out of what is clean now.
        if path.suffix in (".parquet", ".new") and path.name not in chain.files():
            path.unlink()
    for day, names in days.items():
        staged = []
        for name in names:
            path = folder / name
            if not path.exists():
                continue  # its time had come, or somebody took it away: verify says so
            rows = _rewritten(work, kind, path)
            if rows is not None:
                (work.spill / name).replace(_staged(path))
                staged.append(_sealed(_staged(path), name, rows))
        if staged:
            _swap(work, kind, day, staged)


def _swap(work: Work, kind: str, day: str, staged: Sequence[SealedFile]) -> None:
    """Let the staged files of a day take the place of those that they are of."""
    context = work.context
    folder = context.layout.folder(kind)
    sync_names(folder)
    context.tell({"step": "staged", "class": kind, "day": day})
    context.archive.chains[kind].append("removal", day, context.now, files=staged, reason=work.reason)
    context.tell({"step": "recorded", "class": kind, "day": day})
    for one in staged:
        _staged(folder / one.name).replace(folder / one.name)
    sync_names(folder)
    context.tell({"step": "closed", "class": kind, "day": day})


def finish(context: Context) -> None:
    """What was staged when somebody was killed: it counts if the chain says so, and else it is nothing."""
    for kind in (*SEALED, SNAPSHOTS):
        folder, known = context.layout.folder(kind), context.archive.chains[kind].files()
        for path in folder.glob(f"*{STAGED}"):
            name = path.name.removesuffix(STAGED)
            if name in known and _sealed(path, name, 0).sha256 == known[name][1].sha256:
                path.replace(folder / name)
            else:
                path.unlink()
            sync_names(folder)


# -- snapshots


def rewrite_snapshots(work: Work) -> None:
    """Take it out of what a start is built from."""
    context, judged, spill = work.context, work.subject.judged, work.spill
    chain, folder = context.archive.chains[SNAPSHOTS], context.layout.folder(SNAPSHOTS)
    for hourly in context.layout.root.glob(f"{context.layout.states.name}*"):
        hourly.unlink()  # it is written again within the hour
    for half in folder.glob("*.new"):
        half.unlink()  # its writer was killed
    for path in [*sorted(folder.glob(f"*{snapshots.ENDING}")), context.layout.states]:
        try:
            snapshot = snapshots.read(path)
        except FileNotFoundError:
            continue
        except snapshots.SnapshotDamaged:
            # It is of no use to anybody and may hold anything.
            _drop(work, path)
            continue
        count = sum(not stays for stays, _ in judged(snapshot))
        if not count:
            continue
        _need(context, path.stat().st_size)
        states = (value for stays, value in judged(snapshot) if stays and value[0] == snapshots.STATE)
        changes = (value for stays, value in judged(snapshot) if stays and value[0] != snapshots.STATE)
        sealed = snapshots.write(
            spill, snapshot.about, (msgpack.packb(value[1]) for value in states),
            ((value[0], (value[1], value[2], value[3])) for value in changes), name=path.name,
        )  # fmt: skip
        work.counts["rows"] += count
        if path.name in chain.files():
            (spill / path.name).replace(_staged(path))
            _swap(work, SNAPSHOTS, day_in(path.name), [sealed])
        else:
            _put(spill / path.name, path)


def _judged(snapshot: snapshots.Snapshot, person: Person) -> Iterable[tuple[bool, tuple[Any, ...]]]:
    """Each value of a snapshot, with whether it stays."""
    at = snapshot.about.fields.index("unit") if "unit" in snapshot.about.fields else None
    for state in snapshot.states():
        yield at is None or state[at] != person.unit, (snapshots.STATE, state)
    for word, (kind, id, fields) in snapshot.changes():
        what = ENTITY if word == snapshots.ENTITY else EVENT
        # It may tell of a command whose own event is no longer kept.
        person.learn(what, kind, id, fields)
        yield not person.has(what, kind, id, fields), (word, kind, id, fields)


def _drop(work: Work, path: Path) -> None:
    context = work.context
    chain = context.archive.chains[SNAPSHOTS]
    if path.name in chain.files():
        chain.append("removal", day_in(path.name), context.now, gone=[path.name], reason=work.reason)
    path.unlink()
    sync_names(path.parent)


# -- photos


def remove_photos(context: Context, photos: Iterable[str], counts: Counter[str], reason: str = REASON) -> None:
    """Delete files of photos, by their names. The chain first: a file that it says is gone is deleted by the next
    tidying if not by us."""
    chain, media = context.archive.chains[PHOTOS], context.data / "media"
    days: dict[str, list[str]] = {}
    for name in sorted(photos):
        days.setdefault(name.partition("/")[0], []).append(name)
    for day, names in days.items():
        gone = [name for name in names if name in chain.files()]
        if gone:
            chain.append("removal", day, context.now, gone=gone, reason=reason)
            context.tell({"step": "recorded", "class": PHOTOS, "day": day})
        drop_copies(context.data, names)
        for name in names:
            with suppress(FileNotFoundError):
                (media / name).unlink()
                counts["photos"] += 1
        if (media / day).exists():
            sync_names(media / day)
        context.tell({"step": "photos", "day": day})


# -- files


def _staged(path: Path) -> Path:
    return path.with_name(path.name + STAGED)


def _put(new: Path, path: Path) -> None:
    sync_file(new)
    new.replace(path)
    sync_names(path.parent)


def _sealed(path: Path, name: str, rows: int) -> SealedFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return SealedFile(name, path.stat().st_size, rows, digest)


def _need(context: Context, size: int) -> None:
    if free_bytes(context.data) < 2 * size + SPARE:
        raise OSError(f"there is too little room on the disk to write {size >> 20} MB anew")
