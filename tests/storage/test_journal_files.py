"""The journal's files from beside: which there are, and that they may go while somebody reads."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage import journal_files
from storage.journal_files import Batch, DayFile, JournalFiles, day_files
from tests.storage.helpers import DAY, NOON, Bench, numbered, program

NAMES = ["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-26"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Four days: records 1..3, 4, 5..7 and 8."""
    bench = Bench(tmp_path)
    for day, words in enumerate(("abc", "d", "efg", "h")):
        bench.now = NOON + day * DAY
        bench.write(*((word,) for word in words), rare=day == 1)
    return bench


def test_the_days_with_their_records(bench: Bench, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "2026-11-27.db").close()
    (tmp_path / "2026-11-27.db").touch()
    found = JournalFiles(tmp_path).days()
    assert found == [
        DayFile(NAMES[0], 1, 3),
        DayFile(NAMES[1], 4, 4),
        DayFile(NAMES[2], 5, 7),
        DayFile(NAMES[3], 8, 8),
        DayFile("2026-11-27", 0, 0),
    ]
    assert JournalFiles(tmp_path / "nowhere").days() == []
    bench.close()


def test_only_files_that_are_needed_are_read(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "2026-11-27.db").touch()  # its writer was killed before it had tables
    files = JournalFiles(tmp_path)
    read: list[str] = []
    rows = journal_files._rows

    def watched(path: Path, *others: Any) -> Iterator[Batch]:
        read.append(path.stem)
        return rows(path, *others)

    monkeypatch.setattr(journal_files, "_rows", watched)
    batches = {0: [1, 4, 5, 8], 1: [1, 4, 5, 8], 4: [4, 5, 8], 7: [5, 8], 8: [8], 9: []}
    for first, wanted in {0: NAMES, 1: NAMES, 4: NAMES[1:], 7: NAMES[2:], 8: NAMES[3:], 9: NAMES[3:]}.items():
        read.clear()
        assert [batch.first for batch in files.read(first, 100)] == batches[first]
        assert read == [*wanted, "2026-11-27"]
    files.delete(NAMES[0])
    assert [batch.first for batch in files.read(1, 100)] == [4, 5, 8]
    bench.close()


def test_where_a_time_begins(bench: Bench, tmp_path: Path) -> None:
    files = JournalFiles(tmp_path)
    midnight = NOON - DAY // 2
    starts = {0: 1, NOON: 1, midnight + DAY - 1: 1, midnight + DAY: 4, NOON + 2 * DAY: 5, NOON + 3 * DAY: 8}
    assert {at: files.first_since(at) for at in starts} == starts
    assert {at: bench.journal.first_since(at) for at in starts} == starts
    assert files.first_since(NOON + 4 * DAY) == 9
    assert files.first_since(NOON + 4 * DAY, last=50) == 51
    files.delete(NAMES[1])
    assert files.first_since(NOON + DAY) == 5
    assert JournalFiles(tmp_path / "nowhere").first_since(NOON) == 1
    bench.close()


def test_a_deleted_day_is_gone_with_all_that_belongs_to_it(bench: Bench, tmp_path: Path) -> None:
    files = JournalFiles(tmp_path)
    for ending in ("-wal", "-shm"):
        (tmp_path / f"{NAMES[0]}.db{ending}").touch()
    for day in NAMES[:2]:
        files.delete(day)
    files.delete(NAMES[0])  # once more is no trouble
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(tuple(NAMES[:2]))]
    # Readers who ask for what was before get what there is.
    assert numbered(files.read(1, 1 << 30)) == [(5, ("e",)), (6, ("f",)), (7, ("g",)), (8, ("h",))]
    assert files.read(1, 1 << 30, rare=True) == []
    assert numbered(list(files.scan(0, NOON + 9 * DAY)))[0] == (5, ("e",))
    # The writer never notices.
    assert bench.write(("i",)) == 9
    bench.close()
    again = Bench(tmp_path)
    assert (again.journal.last, again.journal.id) == (9, bench.journal.id)
    again.close()


@pytest.mark.parametrize("moment", ["before it is opened", "once it is open", "between two rows"])
def test_a_file_that_goes_while_it_is_read(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    files = JournalFiles(tmp_path)
    bench.now = NOON
    reading = journal_files._reading
    opened = reading._opened

    def goes(self: journal_files._reading) -> sqlite3.Connection:
        if moment == "before it is opened" and self._path.stem == NAMES[1]:
            files.delete(NAMES[1])
        found = opened(self)
        if moment == "once it is open" and self._path.stem == NAMES[1]:
            files.delete(NAMES[1])
        return found

    monkeypatch.setattr(reading, "_opened", goes)
    asked = files.scan(0, NOON + 9 * DAY)
    found = []
    for batch in asked:
        found.append(batch)
        if moment == "between two rows":
            files.delete(NAMES[0])
    numbers = [number for number, _ in numbered(found)]
    assert numbers[-4:] == [5, 6, 7, 8]
    assert numbers[:3] == [1, 2, 3]
    assert numbers[3:-4] in ([], [4])
    monkeypatch.undo()
    assert not list(tmp_path.glob(f"{NAMES[0] if moment == 'between two rows' else NAMES[1]}.db"))
    assert len(day_files(tmp_path)) == 3
    bench.close()


@pytest.mark.parametrize("ask", ["newest", "days", "first_since", "has_earlier"])
def test_every_question_stands_it(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: str) -> None:
    files = JournalFiles(tmp_path)
    listed = day_files(tmp_path)
    monkeypatch.setattr(journal_files, "day_files", lambda folder: listed)
    bench.close()
    files.delete(NAMES[3])
    files.delete(NAMES[0])
    if ask == "newest":
        assert files.newest()[1] == 7
    elif ask == "days":
        assert [file.day for file in files.days()] == NAMES[1:3]
    elif ask == "first_since":
        assert files.first_since(0) == 4
        assert files.first_since(NOON + 3 * DAY) == 8
    else:
        assert numbered(list(files.scan(NOON + DAY, NOON + DAY))) == [(4, ("d",))]


def test_a_damaged_file_is_not_taken_for_one_that_is_gone(bench: Bench, tmp_path: Path) -> None:
    bench.close()
    (tmp_path / f"{NAMES[1]}.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        JournalFiles(tmp_path).read(1, 1 << 30)


def test_days_go_while_a_writer_and_readers_are_at_work(tmp_path: Path) -> None:
    """A writer in another process, whose days last half a second; this one deletes them and reads all the time."""
    files, stop = JournalFiles(tmp_path), threading.Event()
    failures: list[BaseException] = []

    def reads() -> None:
        try:
            while not stop.is_set():
                numbers = [number for number, _ in numbered(files.read(1, 1 << 30))]
                assert numbers == sorted(numbers)
                files.newest()
                files.days()
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=reads) for _ in range(2)]
    deleted = 0
    with program("writer", tmp_path, "busy", 0, time.time()) as writer:
        told = int(writer.line().split()[0])
        for reader in readers:
            reader.start()
        while deleted < 3:
            told = int(writer.line().split()[0])
            for path in day_files(tmp_path)[:-2]:
                files.delete(path.stem)
                deleted += 1
        writer.kill()
        told = max([told, *(int(line.split()[0]) for line in writer.lines)])
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    bench = Bench(tmp_path)
    there = [number for number, _ in bench.everything()]
    assert there == [*range(there[0], bench.journal.last + 1)]
    assert bench.journal.last >= told
    bench.close()
