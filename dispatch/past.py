"""What has happened to a task, however long ago: read from the journal and the archive, and made a task of again.

Everything runs in a thread. A file that is damaged is named, and the rest is answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dispatch.book import TaskBook
from dispatch.deeds import TASK_EVENT
from dispatch.model import Task, TaskId
from dispatch.rounds import DECISION
from storage.archive.archive import Archive
from storage.archive.layout import EVENTS
from storage.archive.reader import Reader
from storage.journal import Journal
from tracker.archive_tracks import ArchiveTracks, Lost
from tracker.person import FIRST_DAY, LAST_DAY, unpacked
from tracker.record import EVENT
from tracker.refusal import Change

READ_RECORDS = 20_000
DAYS_AT_ONCE = 31
"""City days of which the files are asked at a time: a task that was looked for lately is mostly found at once."""
QUIET_DAYS = 400
"""After so many days before the first that is known of a task nothing more is looked for: none is open for so long."""

_QUERY = "SELECT number, kind, id, fields FROM {files} WHERE kind = ? AND id = ? OR kind = ? AND starts_with(id, ?)"


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of a task: itself, its deeds in order, and the decisions by ``attempt``. Of the city days in
    ``unreadable`` something is missing, because a file is damaged."""

    task: Task | None = None
    deeds: Sequence[dict[str, Any]] = ()
    decisions: dict[int, dict[str, Any]] = field(default_factory=dict)
    unreadable: Sequence[str] = ()


class Past:
    """Answers questions, in threads."""

    def __init__(self, journal: Journal, archive: Archive, reader: Reader) -> None:
        self._journal, self._archive = journal, archive
        self._files = ArchiveTracks(archive, reader)

    def read(self, id: TaskId) -> Story:
        """Everything of a task."""
        # The journal first: what is sealed meanwhile is found twice then, and not at no place.
        fresh = dict(self._fresh(id, self._archive.sealed + 1))

        def work(lost: Lost) -> Story:
            found = dict(fresh)
            quiet = 0
            for days, paths in self._listed():
                before = len(found)
                for columns in lost.asked(_QUERY, paths, [TASK_EVENT, id, DECISION, f"{id}:"]):
                    rows = zip(*(columns[name].tolist() for name in ("number", "kind", "id", "fields")), strict=True)
                    found |= {number: (kind, one, unpacked(fields)) for number, kind, one, fields in rows}
                quiet = 0 if len(found) > before else quiet + days
                if found and quiet >= QUIET_DAYS:
                    break
            return _story(id, [found[number] for number in sorted(found)], sorted(lost.days))

        return self._files.retrying(work)

    def _listed(self) -> Iterator[tuple[int, list[Any]]]:
        """The archive's files, some days at a time, the newest first; with how many days these are."""
        paths: dict[str, list[Any]] = {}
        for source in self._archive.sources(EVENTS, FIRST_DAY, LAST_DAY):
            paths.setdefault(source.day, []).append(source.path)
        newest = sorted(paths, reverse=True)
        for at in range(0, len(newest), DAYS_AT_ONCE):
            some = newest[at : at + DAYS_AT_ONCE]
            yield len(some), [path for day in some for path in paths[day]]

    def _fresh(self, id: TaskId, first: int) -> Iterator[tuple[int, Change]]:
        """Of the records of the journal from ``first`` on."""
        last = self._journal.last
        start = first
        while start <= last and (batches := self._journal.read(start, READ_RECORDS, rare=True)):
            for batch in batches:
                for number, record in enumerate(batch.records, batch.first):
                    if first <= number <= last and record[0] == EVENT and _about(id, record[2], record[3]):
                        yield number, (record[2], record[3], record[4])
            start = batches[-1].last + 1


def _about(id: TaskId, kind: str, of: str) -> bool:
    return (kind == TASK_EVENT and of == id) or (kind == DECISION and of.startswith(f"{id}:"))


def _story(id: TaskId, events: Sequence[Change], unreadable: Sequence[str]) -> Story:
    book, decisions = TaskBook(), {}
    for kind, one, fields in events:
        if kind == TASK_EVENT and one == id:
            book.replay((kind, one, fields))
        elif kind == DECISION and fields is not None:
            decisions[int(one.rpartition(":")[2])] = fields
    return Story(book.get(id), book.history(id), decisions, unreadable)
