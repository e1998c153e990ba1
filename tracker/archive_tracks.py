"""A unit's points out of the archive's files: which files to ask, and records again from their columns.

A closed day lies in two files whose rows belong together one by one, with final flags; parts have everything in one
and are judged when they are read. A file that cannot be read costs the points that are in it and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar, cast

import msgpack
import numpy as np

from storage.archive.archive import Archive, Source
from storage.archive.layout import FIXES, details_of
from storage.archive.reader import Columns, Damaged, Gone, Reader, Rows
from tracker.record import REPORT, ReportRecord

ATTEMPTS = 6
"""How often a question is begun anew because files were merged or closed meanwhile: each job swaps a day once."""
DAYS_UNCOUNTED = 5
"""Days of one unit that are read without counting first: less than the limit even at a fix a second."""

_MAIN = """SELECT fix_time, latitude, longitude, speed, course, accuracy, flags, fix_time + delay AS server_time
    FROM {files} WHERE unit = ? AND fix_time BETWEEN ? AND ?"""
_DETAILS = """SELECT located, device, duty, device_time, altitude, status, alarm, items, original_latitude,
    original_longitude, raw FROM {files} WHERE unit = ? AND moment BETWEEN ? AND ? AND (located OR raw IS NOT NULL)"""
_PARTS = """SELECT fix_time, latitude, longitude, speed, course, accuracy, marks, server_time, device, duty,
    device_time, altitude, status, alarm, items, original_latitude, original_longitude, raw FROM {files}
    WHERE unit = ? AND moment BETWEEN ? AND ? AND (latitude IS NOT NULL AND fix_time IS NOT NULL OR raw IS NOT NULL)"""
_COUNT = "SELECT count(*) AS n FROM {files} WHERE unit = ?"

T = TypeVar("T")
Span = tuple[int, int]
"""Fix times, both included, ms."""
ALL = 1 << 62
Wish = tuple[int, int, int]
"""Fix times, both included, and the journal record that a part must begin before to count: :data:`ALL` takes every
part."""
Listed = tuple[Source, int, int]
"""A file, and the fix times in it that are wanted."""


class TooMuch(Exception):
    """The span holds more records than a question may bring together; ask for a shorter one."""


@dataclass(slots=True)
class DayPoints:
    """What the archive has of a unit's day: ``records`` of what is final with their ``doubts``, and ``others``, which
    make all of it subject to judgement."""

    records: list[ReportRecord] = field(default_factory=list)
    doubts: list[int] = field(default_factory=list)
    others: list[ReportRecord] = field(default_factory=list)
    final: bool = True


class ArchiveTracks:
    """Reads units' days. Everything runs in a thread."""

    def __init__(self, archive: Archive, reader: Reader) -> None:
        self.archive = archive
        self.reader = reader
        self.days = archive.days

    def sources(self, wishes: Iterable[Wish]) -> dict[str, list[Listed]]:
        """The files that may hold points of these spans, by day, in order."""
        found: dict[str, list[Listed]] = {}
        for start, end, before in wishes:
            for source in self.archive.sources(FIXES, self.days.day_of(start), self.days.day_of(end)):
                if source.first < before:
                    begin, close = self.days.span(source.day)
                    found.setdefault(source.day, []).append((source, max(start, begin), min(end, close - 1)))
        return dict(sorted(found.items()))

    def retrying(self, work: Callable[[Lost], T]) -> T:
        """Do ``work``, which lists the files and reads them, again when some went meanwhile. A file that ought to be
        there and is not counts as damaged."""
        lost = Lost(self)
        for _ in range(ATTEMPTS):
            try:
                return work(lost)
            except Gone as gone:
                lost.look(gone.path)
        raise RuntimeError("the archive's files are swapped faster than they can be read")

    def count(self, unit: str, sources: dict[str, list[Listed]], lost: Lost, limit: int) -> None:
        """Raises :class:`TooMuch` when the files of many days hold more than ``limit`` records of the unit."""
        if len(sources) <= DAYS_UNCOUNTED:
            return
        # Whole days only: those at either end may be wanted in part.
        listed = [source for day in list(sources.values())[1:-1] for source, _, _ in day]
        number = 0
        for parts in (False, True):
            files = [source.path for source in listed if (source.kind == "part") is parts]
            for columns in lost.asked(_COUNT, files, (unit,)):
                number += int(columns["n"][0])
        if number > limit:
            raise TooMuch

    def day(self, unit: str, listed: Sequence[Listed], lost: Lost) -> DayPoints:
        """The unit's points in these files of one day."""
        found = DayPoints()
        parts: dict[Span, list[Path]] = {}
        for source, start, end in listed:
            if source.kind == "part":
                parts.setdefault((start, end), []).append(source.path)
            else:
                self._closed(found, unit, source, start, end, lost)
        for span, paths in parts.items():
            for columns in lost.asked(_PARTS, paths, (unit, *span)):
                found.others += records_of_columns(unit, columns)
        found.final = found.final and not found.others
        return found

    def _closed(self, found: DayPoints, unit: str, source: Source, start: int, end: int, lost: Lost) -> None:
        details = source.path.with_name(details_of(source.path.name))
        for columns in lost.pair(source.path, details, (unit, start, end)):
            raw = columns.pop("raw")
            located = columns.pop("located")
            if not located.all():
                columns = {name: values[located] for name, values in columns.items()}
            flags = columns.pop("flags")
            records = records_of_columns(unit, {**columns, "marks": flags & 0xFF})
            if records and (source.kind != "day" or found.records):
                found.final = False
            found.records += records
            found.doubts += (flags >> 8).tolist()
            if np.ma.count(raw):
                found.others += [_unpacked(one) for one in raw.tolist() if one is not None]


class Lost:
    """What could not be read while a question was answered: ``days`` that have gaps because of it."""

    def __init__(self, tracks: ArchiveTracks) -> None:
        self._tracks = tracks
        self._reader = tracks.reader
        self._paths: set[Path] = set()
        self._missing: set[Path] = set()
        self._seen: dict[Path, int] = {}
        self.days: set[str] = set()

    def look(self, path: Path) -> None:
        """A file was not there, or its two halves did not fit: if that is so again after a new look, it is damaged."""
        self._seen[path] = self._seen.get(path, 0) + 1
        if self._seen[path] > 1:
            reason = "its two files do not belong together" if path.exists() else "it is missing"
            self._reader.note(path, reason)
            self._paths.add(path)

    def asked(self, query: str, files: Sequence[Path], parameters: Sequence[Any]) -> Iterable[Columns]:
        """What the files answer that can be read: nothing or once. The others are noted."""
        rows = {"found": Rows(query, files, parameters)}
        while rows := self.sound(rows):
            try:
                yield self._reader.ask("FROM found", rows)
                return
            except Damaged as damaged:
                self.damaged(damaged.path)

    def pair(self, main: Path, details: Path, parameters: Sequence[Any]) -> Iterable[Columns]:
        """The rows of a closed day's two files, side by side; nothing if one of them cannot be read."""
        return self.joined(Rows(_MAIN, [main], parameters), Rows(_DETAILS, [details], parameters))

    def joined(self, main: Rows, details: Rows) -> Iterable[Columns]:
        """The same of what is taken of them: ``fix_time`` of the one and ``located`` of the other must be among it."""
        rows = {"main": main, "details": details}
        if len(self.sound(rows)) < 2:
            return
        try:
            found = self._reader.ask("FROM main POSITIONAL JOIN details", rows)
        except Damaged as damaged:
            self.damaged(damaged.path)
            self.sound(rows)
            return
        located = found["located"]
        if np.ma.count(located) < len(located) or np.ma.count(found["fix_time"]) != located.sum():
            raise Gone(details.files[0])  # one of them has been replaced since the other was opened
        yield found

    def sound(self, rows: Mapping[str, Rows]) -> dict[str, Rows]:
        """The same of the files that can be read, as far as is known; without those of which none can."""
        left = {}
        for name, one in rows.items():
            self.days |= {_day_of(path) for path in one.files if path in self._paths}
            files = [path for path in one.files if path not in self._paths]
            if files:
                left[name] = replace(one, files=files)
        return left

    def damaged(self, path: Path) -> None:
        """A file turned out to be damaged."""
        self._paths.add(path)


def _day_of(path: Path) -> str:
    """The city day that a file is about, by its name: a part's follows its class."""
    return (path.name if path.name[0].isdigit() else path.name.partition(".")[2])[:10]


def records_of_columns(unit: str, columns: Columns) -> list[ReportRecord]:
    """A unit's reports from a part's columns, in their order. A row with ``raw`` is that."""
    count = len(columns["fix_time"])
    lists = {name: values.tolist() for name, values in columns.items()}
    items, originals, raw = lists["items"], cast(Iterable[Any], repeat(None, count)), lists.get("raw")
    if np.ma.count(columns["original_latitude"]):
        pairs = zip(lists["original_latitude"], lists["original_longitude"], strict=True)
        originals = [None if pair[0] is None else pair for pair in pairs]
    if np.ma.count(columns["items"]):
        items = [None if packed is None else _unpacked_items(packed) for packed in items]
    rows = zip(
        repeat(REPORT, count), lists["device"], repeat(unit, count), lists["duty"], lists["server_time"],
        lists["device_time"], lists["fix_time"], lists["latitude"], lists["longitude"], lists["altitude"],
        lists["speed"], lists["course"], lists["accuracy"], lists["status"], lists["alarm"], lists["marks"], items,
        originals, strict=True,
    )  # fmt: skip
    records = list(map(ReportRecord._make, rows))
    if raw is not None and np.ma.count(columns["raw"]):
        records = [record if one is None else _unpacked(one) for record, one in zip(records, raw, strict=True)]
    return records


def _unpacked_items(packed: bytes) -> Any:
    return msgpack.unpackb(packed, use_list=False, strict_map_key=False)


def _unpacked(raw: bytes) -> ReportRecord:
    return ReportRecord._make(msgpack.unpackb(raw, use_list=False, strict_map_key=False))
