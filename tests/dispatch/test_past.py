"""A task of long ago: out of the journal, out of parts, out of closed days, and after the snapshot of the night."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch.book import TaskBook
from dispatch.books import Books
from dispatch.model import TaskId, TaskState
from dispatch.past import Past
from storage.archive import snapshots
from storage.archive.layout import SNAPSHOTS
from storage.archive.reader import Reader
from tests.dispatch.desk import A, Desk, T, same, task
from tests.tracker.archive_house import DAY, HOUR, ArchiveHouse
from tests.tracker.helpers import record
from tracker.archive_context import Context
from tracker.checkpoint import snapshot
from tracker.record import EVENT
from tracker.refusal import Change

EIGHT = 1_795_392_000_000
"""2026-11-23 08:00 in the city."""


class Office:
    def __init__(self, data: Path) -> None:
        self.house = ArchiveHouse(data, EIGHT)
        self.reader = Reader(self.house.archive.layout.root)
        self.past = Past(self.house.bench.journal, self.house.archive, self.reader)
        self.desk = Desk(task("t1"), task("t10"))
        self.written = 0

    def write(self, *more: Change) -> None:
        """What the desk has done since goes to the journal."""
        events = [*self.desk.journal[self.written :], *more]
        self.written = len(self.desk.journal)
        for kind, id, fields in events:
            self.house.bench.write((EVENT, self.house.now, kind, id, fields), rare=True)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.reader.close()


def test_its_story_is_whole_wherever_it_lies(office: Office) -> None:
    desk, house = office.desk, office.house
    desk.offer()
    office.write(("decision", "t1:1", {"chosen": "a"}), ("decision", "t10:1", {"chosen": "b"}))
    house.put(record(house.now))
    house.seal()
    house.now += DAY
    desk.told("deliver", "accept")
    office.write()
    house.put(record(house.now))
    house.seal()
    house.do("merge")
    house.now += 9 * DAY
    assert house.close_days()
    desk.report(closes=True)
    office.write()
    story = office.past.read(T)
    assert story.task == desk.task
    assert [deed["what"] for deed in story.deeds] == ["task", "offer", "deliver", "accept", "report", "finish", "close"]
    assert story.decisions == {1: {"chosen": "a"}}
    assert not story.unreadable
    assert office.past.read(TaskId("t1:1")).task is None
    assert office.past.read(TaskId("nobody")).task is None


def test_a_snapshot_holds_all_tasks_with_their_past_and_their_sums(office: Office) -> None:
    desk, house = office.desk, office.house
    desk.offer()
    desk.told("deliver", "accept")
    desk.report(closes=True)
    office.write()
    house.put(record(house.now))
    house.now += DAY + HOUR
    context = house.context()
    with_books = Context(context.data, context.archive, context.journal, context.now, context.tell,
                         lambda day_of: Books(day_of).by_type())  # fmt: skip
    made = snapshot(with_books, {"upto": house.bench.journal.last, "redis": "unix:///nowhere"})
    assert made["made"], made
    newest = snapshots.newest(house.archive.layout.folder(SNAPSHOTS), lambda reason: None)
    assert newest is not None
    books, whole = Books(house.archive.days.day_of), Books(house.archive.days.day_of)
    held, all_held = books.by_type(), whole.by_type()
    for word, change in newest.changes():
        if word == snapshots.EVENT and change[0] in held:
            held[change[0]].replay(change)
    for event in desk.journal:
        all_held[event[0]].replay(event)
    assert same(books.tasks, desk.book)
    assert books.tasks.history(T) == desk.book.history(T)
    found = books.tasks.get(T)
    assert found is not None
    assert (found.state, found.result and found.result.unit) == (TaskState.CLOSED, A)
    assert list(books.tally.city("", "9")) == list(whole.tally.city("", "9")) != []


def test_an_empty_book_is_not_what_was_written(office: Office) -> None:
    """The comparison above can fail."""
    office.desk.offer()
    assert not same(TaskBook(), office.desk.book)
