"""A copy of all that is kept of somebody: the job ``export_person``, which writes it into one ZIP.

A city day at a time, so that memory does not grow with the years: the archive's points of the day, those that the
journal alone has, judged as a track is. The journal is read once, from where the archive ends; hot tracks hold nothing
that these two do not. Nothing counts until the whole file has its name.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from storage import exports
from storage.archive import parquet
from storage.archive.archive import Source, sync_file
from storage.archive.chain import line_of
from storage.archive.layout import CLASSES, FIXES, PHOTOS, SNAPSHOTS, details_of
from storage.journal_files import sync_names
from storage.space import free_bytes
from tracker.access_log import Look, looks
from tracker.archive_columns import records_of
from tracker.archive_context import Arguments, Context, Result
from tracker.areas import AreaIndex
from tracker.dispatch_events import DECISION, EVIDENCE, HOOK, NOTICE, PROBLEM, SOS, TASK, own_row
from tracker.duty_events import DUTY, OFF_DUTY
from tracker.export_files import (
    DEED_HEAD,
    LOOK_HEAD,
    MESSAGE_HEAD,
    PHOTO_HEAD,
    POINT_HEAD,
    README,
    device_told,
    gpx,
    message_row,
    moment,
    point_row,
    table,
    text_of,
)
from tracker.model import FOREVER
from tracker.person import FIRST_DAY, LAST_DAY, READ_RECORDS, Person, events, learned, listed
from tracker.pipeline import judge
from tracker.record import ACCOUNT, ASSIGNMENT, ENTITY, EVENT, REPORT, ReportRecord

FREE = free_bytes
"""What is free on the disk of a folder; tests have disks of their own."""
MADE = (2026, 1, 1, 0, 0, 0)
COPY = 1 << 20

ACCOUNT_TOLD = ("name", "role", "unit", "streets", "teams", "disabled")
"""What is told of an account: nothing that opens it."""

Judged = tuple[ReportRecord, int]


class ExportFailed(Exception):
    """It did not come to its end; the text says why and names nobody."""


def export_person(context: Context, arguments: Arguments) -> Result:
    """Write the export ``ticket`` of ``unit``, from all records up to ``upto``. ``about`` is who it is now; ``floor``
    bytes stay free on the disk. Answers points, photos and bytes. Raises :class:`ExportFailed`."""
    ticket, unit = str(arguments["ticket"]), str(arguments["unit"])
    half = exports.half_of(context.data, ticket)
    try:
        with half.open("wb") as file:
            result = _Export(context, arguments, unit).write(file)
        sync_file(half)
        half.replace(exports.file_of(context.data, ticket))
        sync_names(half.parent)
    except ExportFailed:
        half.unlink(missing_ok=True)
        raise
    except Exception as error:
        half.unlink(missing_ok=True)
        words = str(error).partition("\n")[0].replace(unit, "…")
        raise ExportFailed(f"{type(error).__name__}: {words}"[:300]) from None
    return {**result, "bytes": exports.file_of(context.data, ticket).stat().st_size}


class _Export:
    """One of them, on its way into a file."""

    def __init__(self, context: Context, arguments: Arguments, unit: str) -> None:
        self._context, self._unit = context, unit
        self._about: Mapping[str, Any] = arguments["about"]
        self._upto, self._floor = int(arguments["upto"]), int(arguments["floor"])
        self._zone: ZoneInfo = context.archive.days.zone
        self._person = Person(unit, {device["id"] for device in self._about["devices"]})
        self._points = self._photos = 0

    def write(self, file: Any) -> Result:
        context = self._context
        context.archive.refresh()
        learned(context, self._person, self._upto)
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        with self._zip:
            name = str(self._about["unit"]["name"])
            made = moment(context.now, self._zone)
            self._text("README.txt", [README.format(name=name, id=self._unit, made=made, zone=self._zone.key)])
            self._text("about.json", [json.dumps(self._about, ensure_ascii=False, indent=2)])
            days = self._days(name)
            self._history()
            self._looks()
            self._photo_files()
            self._proof(days)
        return {"points": self._points, "photos": self._photos, "days": len(days)}

    # -- files

    def _text(self, name: str, lines: Iterable[str]) -> None:
        """A file of text, if there is any line."""
        waiting = iter(lines)
        first = next(waiting, None)
        if first is None:
            return
        self._look()
        with self._zip.open(self._info(name), "w") as raw, io.TextIOWrapper(raw, "utf-8", newline="") as out:
            out.write(first.encode("utf-8", "replace").decode())
            for number, line in enumerate(waiting):
                out.write(line.encode("utf-8", "replace").decode())
                if number % 10_000 == 0:
                    self._look()

    def _info(self, name: str, way: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, MADE)
        info.compress_type = way
        info.external_attr = 0o600 << 16
        return info

    def _look(self) -> None:
        """An export is the first to go without when the disk is filling up."""
        if FREE(self._context.data) < self._floor:
            raise ExportFailed("the disk is filling up: exports must wait until there is room")

    # -- points

    def _days(self, name: str) -> list[str]:
        """Where it was and what its devices said, day by day; the days of which there is something."""
        fresh, archive = self._fresh(), self._context.archive
        sources: dict[str, list[Source]] = {}
        for source in archive.sources(FIXES, FIRST_DAY, LAST_DAY):
            sources.setdefault(source.day, []).append(source)
        found, unreadable = [], []
        with closing(parquet.connect()) as db:
            days = sorted({*sources, *fresh})
            for number, day in enumerate(days, 1):
                records, final = list(fresh.get(day, ())), list[Judged]()
                for source in sources.get(day, ()):
                    try:
                        stored, doubts = _stored(db, source, self._unit)
                    except duckdb.Error:
                        unreadable.append(f"{source.path.name}\n")
                        continue
                    records += stored
                    if source.kind == "day":
                        final = list(zip(stored, doubts, strict=False))
                located = [one for one in records if one.latitude is not None and one.fix_time is not None]
                # What was closed and never added to was judged when it was closed.
                points = final if len(final) == len(located) else [one[:2] for one in judge(located, AreaIndex())]
                bare = [one for one in records if one.latitude is None or one.fix_time is None]
                if points or bare:
                    found.append(day)
                    self._day(day, name, points, bare)
                self._context.tell({"day": day, "done": number, "of": len(days)})
        self._text("unreadable.txt", unreadable)
        return found

    def _day(self, day: str, name: str, points: list[Judged], bare: list[ReportRecord]) -> None:
        self._points += len(points)
        if points:
            rows = (point_row(one, doubts, self._zone) for one, doubts in points)
            self._text(f"points/{day}.csv", table(POINT_HEAD, rows))
            self._text(f"tracks/{day}.gpx", gpx(f"{name} {day}", points))
        if bare:
            bare.sort(key=lambda one: one.server_time)
            self._text(f"messages/{day}.csv", table(MESSAGE_HEAD, (message_row(one, self._zone) for one in bare)))

    def _fresh(self) -> dict[str, list[ReportRecord]]:
        """The unit's reports that the archive does not have yet, by city day."""
        found: dict[str, list[ReportRecord]] = {}
        context = self._context
        first = start = context.archive.sealed + 1
        while batches := context.journal.read(start, READ_RECORDS, last=self._upto):
            for batch in batches:
                for number, one in enumerate(batch.records, batch.first):
                    if one[0] == REPORT and one[2] == self._unit and first <= number <= self._upto:
                        record = ReportRecord._make(one)
                        at = record.server_time if record.fix_time is None else record.fix_time
                        found.setdefault(context.archive.days.day_of(at), []).append(record)
            start = batches[-1].last + 1
        return found

    # -- events

    def _history(self) -> None:
        """Who it was, and what was asked of its devices."""

        def lines(what: int, kinds: tuple[str, ...]) -> Iterator[str]:
            for number, at, found, kind, id, fields in events(self._context, self._upto):
                theirs = found == what and kind in kinds and self._person.has(what, kind, id, fields)
                # Who heard a call for help is somebody else, and so is who called.
                if theirs and not (kind == SOS and fields is not None and fields["unit"] != self._unit):
                    told = {
                        "record": number,
                        "time": moment(at),
                        "type": kind,
                        "id": "" if kind == SOS and id.partition(":")[0] != self._unit else id,
                        "fields": told_of(kind, fields),
                    }
                    yield text_of(told) + "\n"

        self._text("history.jsonl", lines(ENTITY, ("unit", "device", "binding", "duty", ASSIGNMENT, ACCOUNT)))
        self._text("commands.jsonl", lines(EVENT, ("command",)))
        self._text("roll_calls.jsonl", lines(EVENT, ("roll_call",)))
        self._text("duty.jsonl", lines(EVENT, (DUTY, OFF_DUTY)))
        self._text("tasks.jsonl", lines(EVENT, (TASK,)))
        self._text("decisions.jsonl", self._decisions())
        self._text("problems.jsonl", lines(EVENT, (PROBLEM,)))
        self._text("sos.jsonl", lines(EVENT, (SOS,)))
        self._text("notices.jsonl", lines(EVENT, (NOTICE,)))
        self._text("webhooks.jsonl", lines(EVENT, (HOOK,)))

    def _decisions(self) -> Iterator[str]:
        """What was known of the person each time that somebody was chosen; the others' rows are not the person's."""
        for number, at, what, kind, id, fields in events(self._context, self._upto):
            if what == EVENT and kind == DECISION and fields is not None:
                own = own_row(self._unit, fields)
                if own is not None:
                    told = {"record": number, "time": moment(at), "decision": id, "known": own[0], "terms": own[1],
                            "chosen": fields["chosen"] == self._unit}  # fmt: skip
                    yield text_of(told) + "\n"

    def _looks(self) -> None:
        """Who looked at the person; and what was done with the person's account, while it was that."""
        unit, held = self._unit, _held(self._context, self._unit, self._upto)

        def mine(look: Look) -> bool:
            return any(start < look.number < end for start, end in held.get(look.who, ()))

        at, by = [], []
        accounts = f"who IN ({listed(held)})"
        where = f"unit = {parquet.text(unit)} OR {accounts}"
        for look in looks(self._context, where, lambda look: look.unit == unit or look.who in held, self._upto):
            times = (moment(look.server_time), moment(look.server_time, self._zone))
            if look.unit == unit:
                at.append((*times, look.who, look.role, look.what, look.reason, text_of(look.about)))
            if mine(look):
                # At whom is somebody else's.
                by.append((*times, look.who, look.what, look.unit if look.unit == unit else "", look.address))
        if at:
            self._text("looked_at.csv", table(LOOK_HEAD, at))
        if by:
            self._text("account.csv", table(DEED_HEAD, by))

    def _photo_files(self) -> None:
        rows, listed = [], set[str]()
        for _, _, what, kind, id, fields in events(self._context, self._upto):
            if what != EVENT or kind not in ("photo", EVIDENCE) or fields is None:
                continue
            if self._person.has(what, kind, id, fields) and fields["name"] not in listed:
                name = fields["name"]
                listed.add(name)  # one that was sent for two tasks has two events
                path = self._context.data / "media" / name
                kept = path.exists()
                received = fields["at"] if kind == EVIDENCE else fields["received"]
                rows.append((name, moment(received), moment(fields.get("taken")), fields["device"],
                             fields.get("command") or "", fields["size"], "yes" if kept else "no"))  # fmt: skip
                if kept:
                    self._copy(path, f"photos/{name}")
        if rows:
            self._text("photos.csv", table(PHOTO_HEAD, rows))

    def _copy(self, path: Path, name: str) -> None:
        self._look()
        with suppress(FileNotFoundError), path.open("rb") as file:
            with self._zip.open(self._info(name, zipfile.ZIP_STORED), "w") as out:
                while block := file.read(COPY):
                    out.write(block)
            self._photos += 1

    # -- what proves it

    def _proof(self, days: list[str]) -> None:
        """The entries of the chains about these days; of photos only the files that are the unit's."""
        known, photos = {*days}, {*self._person.photos.values()}
        heads = {}
        for kind in CLASSES:
            chain = self._context.archive.chains[kind]
            number, digest = chain.head
            heads[kind] = {"number": number, "digest": digest}
            if kind == PHOTOS:
                files = (
                    text_of({"entry": entry.number, "digest": entry.digest, "day": entry.day, "file": file.name,
                             "bytes": file.bytes, "sha256": file.sha256}) + "\n"
                    for entry in chain.entries for file in entry.files if file.name in photos
                )  # fmt: skip
                self._text("proof/photos.jsonl", files)
            elif kind != SNAPSHOTS:
                lines = (line_of(entry).decode() + "\n" for entry in chain.entries if entry.day in known)
                self._text(f"proof/{kind}.jsonl", lines)
        self._text("proof/heads.json", [json.dumps(heads, indent=2)])


def _stored(db: duckdb.DuckDBPyConnection, source: Source, unit: str) -> tuple[list[ReportRecord], list[int]]:
    """The unit's reports in a file of a day, those with a position first, with the doubts about these if it is
    closed."""
    where = f"WHERE unit = {parquet.text(unit)}"
    if source.kind == "part":
        return list(records_of(_rows(db, source.path, where))), []
    main = _rows(db, source.path, where)
    details = _rows(db, source.path.with_name(details_of(source.path.name)), where)
    located = [row for row in details if row["located"]]
    records: list[ReportRecord] = []
    doubts: list[int] = []
    for one, more in zip(main, located, strict=True):
        flags = one.pop("flags")
        server_time = one["fix_time"] + one.pop("delay")
        records += records_of([{**more, **one, "marks": flags & 0xFF, "server_time": server_time}])
        doubts.append(flags >> 8)
    nothing = dict.fromkeys(("fix_time", "latitude", "longitude", "speed", "course", "accuracy"))
    others = [{**nothing, **row, "marks": 0} for row in details if not row["located"]]
    return [*records, *records_of(others)], doubts


def _rows(db: duckdb.DuckDBPyConnection, path: Path, where: str) -> list[dict[str, Any]]:
    cursor = db.execute(f"SELECT * FROM {parquet.table([path])} {where}")
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _held(context: Context, unit: str, upto: int) -> dict[str, list[tuple[int, int]]]:
    """The person's accounts by name, with the records between which each was the person's."""
    held: dict[str, list[tuple[int, int]]] = {}
    for number, _, what, kind, id, fields in events(context, upto):
        if what == ENTITY and kind == ACCOUNT:
            spans = held.get(id, [])
            is_theirs, was = fields is not None and fields["unit"] == unit, bool(spans) and spans[-1][1] == FOREVER
            if is_theirs and not was:
                held.setdefault(id, []).append((number, FOREVER))
            elif was and not is_theirs:
                spans[-1] = (spans[-1][0], number)
    return held


def told_of(kind: str, fields: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The fields of an event as they are handed out."""
    if fields is None:
        return None
    if kind == ACCOUNT:
        return {name: fields[name] for name in ACCOUNT_TOLD if name in fields}
    return device_told(fields) if kind == "device" else fields
