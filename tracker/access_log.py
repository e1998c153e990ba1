"""Who looked at whom, as it is read: from the archive's class ``access``, and from the journal what is not sealed yet.

An entry lies in a closed day, in a part or in the journal, and for a moment in two of them; it is found once, by its
journal number. Entries are ordered by the server's time, newest first, and a page goes on behind the last of the one
before. Everything runs in a thread.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from storage.archive import parquet
from storage.archive.archive import Archive
from storage.archive.layout import ACCESS
from storage.archive.reader import Columns, Reader
from storage.journal import Journal
from tracker.admission import LATEST
from tracker.archive_columns import ACCESS_TYPES, access_row
from tracker.archive_context import Context
from tracker.archive_tracks import ArchiveTracks, Lost
from tracker.person import FIRST_DAY, LAST_DAY
from tracker.record import MASK, is_access

MOST = 50_000
"""Entries of one answer at the most: some 30 MB for a moment."""
DAYS_AT_ONCE = 31
"""City days that are asked at a time: what is asked for is mostly in the newest ones."""
READ_RECORDS = 20_000
READ_ROWS = 2000

Place = tuple[int, int]
"""Server time and journal number of an entry."""
END: Place = (1 << 62, 0)
"""Behind every entry."""


@dataclass(frozen=True, slots=True)
class Question:
    """Entries at ``start <= server time <= end`` (ms) and before ``after``. ``who``, ``unit`` and ``what`` are empty
    for all. With ``units``, only those about one of these, or made by the account ``own``."""

    start: int
    end: int
    after: Place = END
    who: str = ""
    unit: str = ""
    what: str = ""
    units: Set[str] | None = None
    own: str = ""
    most: int = 100


@dataclass(frozen=True, slots=True)
class Look:
    """An entry, as docs/archive.md explains it."""

    number: int
    server_time: int
    id: str
    who: str
    role: str
    what: str
    unit: str
    reason: str
    address: str
    about: Mapping[str, Any]

    @property
    def place(self) -> Place:
        return self.server_time, self.number

    @property
    def removed(self) -> bool:
        """Whether whoever was looked at has been removed since."""
        return self.unit == MASK


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first; ``after`` is where the next page begins, if there is more. Of the city days in
    ``unreadable`` something is missing, because a file is damaged."""

    looks: list[Look]
    after: Place | None
    unreadable: list[str] = field(default_factory=list)


class AccessLog:
    """Answers questions, in threads."""

    def __init__(self, journal: Journal, archive: Archive, reader: Reader) -> None:
        self._journal = journal
        self._archive = archive
        self._files = ArchiveTracks(archive, reader)

    def read(self, question: Question) -> Page:
        """The newest entries that are asked for."""
        # No column holds any number.
        start, end = max(question.start, 0), min(question.end, END[0])
        question = replace(question, start=start, end=end, most=min(question.most, MOST))
        most = question.most
        # The journal first: what is sealed meanwhile is found twice then, and not at no place.
        sealed = self._archive.sealed
        fresh = heapq.nlargest(most + 1, self._fresh(question, sealed + 1), key=lambda look: look.place)

        def work(lost: Lost) -> Page:
            found = {look.number: look for look in fresh}
            for begin, paths in self._listed(question):
                for columns in lost.asked(*_query(question, most + 1, paths)):
                    found |= {look.number: look for look in _looks(columns)}
                # What is left is of the days before that.
                if sum(look.server_time >= begin for look in found.values()) > most:
                    break
            looks = heapq.nlargest(most + 1, found.values(), key=lambda look: look.place)
            after = looks[most - 1].place if len(looks) > most else None
            return Page(looks[:most], after, sorted(lost.days))

        return self._files.retrying(work)

    def _listed(self, question: Question) -> Iterator[tuple[int, list[Path]]]:
        """The files that may hold entries, some days at a time, the newest first; with when these days begin."""
        days = self._archive.days
        start, end = question.start, min(question.end, question.after[0], LATEST)
        if start > end:
            return
        paths: dict[str, list[Path]] = {}
        for source in self._archive.sources(ACCESS, days.day_of(start), days.day_of(end)):
            paths.setdefault(source.day, []).append(source.path)
        newest = sorted(paths, reverse=True)
        for at in range(0, len(newest), DAYS_AT_ONCE):
            some = newest[at : at + DAYS_AT_ONCE]
            yield days.span(some[-1])[0], [path for day in some for path in paths[day]]

    def _fresh(self, question: Question, first: int) -> Iterator[Look]:
        """Of the records of the journal from ``first`` on."""
        last = self._journal.last
        start = first
        while start <= last and (batches := self._journal.read(start, READ_RECORDS, rare=True)):
            for batch in batches:
                for number, record in enumerate(batch.records, batch.first):
                    if first <= number <= last and is_access(record):
                        look = _look(access_row(number, record))
                        if _asked_for(question, look):
                            yield look
            start = batches[-1].last + 1


def looks(context: Context, where: str, goes: Callable[[Look], bool], upto: int) -> Iterator[Look]:
    """For a job: what the archive has that meets a condition of SQL, then what the journal has up to record ``upto``
    that ``goes`` takes; each once, oldest first. Raises ``duckdb.Error`` for a file that is damaged."""
    context.archive.refresh()
    sealed = context.archive.sealed
    files = [source.path for source in context.archive.sources(ACCESS, FIRST_DAY, LAST_DAY)]
    if files:
        with closing(parquet.connect()) as db:
            select = f"SELECT {', '.join(ACCESS_TYPES)} FROM {parquet.table(files)} WHERE {where} ORDER BY number"
            cursor = db.execute(select)
            while rows := cursor.fetchmany(READ_ROWS):
                yield from map(_look, rows)
    start = sealed + 1
    while batches := context.journal.read(start, READ_RECORDS, last=upto, rare=True):
        for batch in batches:
            for number, record in enumerate(batch.records, batch.first):
                if sealed < number <= upto and is_access(record):
                    look = _look(access_row(number, record))
                    if goes(look):
                        yield look
        start = batches[-1].last + 1


def _asked_for(question: Question, look: Look) -> bool:
    wanted = ((question.who, look.who), (question.unit, look.unit), (question.what, look.what))
    return (
        question.start <= look.server_time <= question.end
        and look.place < question.after
        and all(not one or one == other for one, other in wanted)
        and (question.units is None or look.unit in question.units or look.who == question.own != "")
    )


def _query(question: Question, most: int, paths: Sequence[Path]) -> tuple[str, Sequence[Path], list[Any]]:
    """The same of files."""
    time, number = question.after
    where = ["server_time BETWEEN ? AND ?", "(server_time < ? OR server_time = ? AND number < ?)"]
    values: list[Any] = [question.start, question.end, time, time, number]
    for name in ("who", "unit", "what"):
        if wanted := getattr(question, name):
            where.append(f"{name} = ?")
            values.append(wanted)
    if question.units is not None:
        where.append("(unit IN (SELECT unnest(?::VARCHAR[])) OR who <> '' AND who = ?)")
        values += [sorted(question.units), question.own]
    select = f"SELECT {', '.join(ACCESS_TYPES)} FROM {{files}} WHERE {' AND '.join(where)}"
    return f"{select} ORDER BY server_time DESC, number DESC LIMIT {most}", paths, values


def _looks(columns: Columns) -> Iterable[Look]:
    return map(_look, zip(*(columns[name].tolist() for name in ACCESS_TYPES), strict=True))


def _look(row: Sequence[Any]) -> Look:
    number, server_time, id, who, role, what, unit, reason, address, about = row
    return Look(number, server_time, id, who, role, what, unit, reason, address, json.loads(about))
