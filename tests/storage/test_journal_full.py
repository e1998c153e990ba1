"""The journal on a disk without room: commits refused, tried again, or taken together; reading all the same."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from storage import journal as module
from storage.journal import Journal
from storage.journal_files import JournalFiles, day_files, day_of
from tests.storage.helpers import DAY, NOON, Bench, numbered

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the disk has free, in bytes; the tests change it."""
    left = [1 << 30]
    monkeypatch.setattr(module, "free_bytes", lambda folder: left[0])
    return left


def _words(count: int, start: int = 0) -> list[tuple[str]]:
    return [(f"w{number}",) for number in range(start, start + count)]


def test_a_refused_commit_is_tried_again_when_room_was_made(tmp_path: Path, room: list[int]) -> None:
    asked: list[int] = []

    def make_room() -> bool:
        asked.append(room[0])
        room[0] += 1 << 20
        return True

    bench = Bench(tmp_path, make_room=make_room)
    assert bench.write(("a",)) == 1
    assert asked == []
    room[0] = 0
    assert bench.write(("b",)) == 2
    assert asked == [0]
    assert bench.journal.failing_since is None, "nobody has noticed"
    bench.close()


def test_without_room_nothing_is_told_as_stored_and_the_numbers_stay(tmp_path: Path, room: list[int]) -> None:
    bench = Bench(tmp_path)
    bench.write(("a",))
    room[0] = module.ROOM - 1
    assert bench.write(("lost",)) is None
    assert "No space left" in bench.journal.failure
    room[0] = module.ROOM
    assert bench.write(("b",)) == 2
    assert bench.everything() == [(1, ("a",)), (2, ("b",))]
    bench.close()


def test_room_is_made_once_and_not_for_ever(tmp_path: Path, room: list[int]) -> None:
    asked: list[bool] = []

    def make_room() -> bool:
        asked.append(True)
        return True

    bench = Bench(tmp_path, make_room=make_room)
    room[0] = 0
    assert bench.write(("a",)) is None
    assert len(asked) == 1


def test_groups_that_wait_are_synced_together_and_told_one_after_the_other(tmp_path: Path) -> None:
    bench = Bench(tmp_path, group_records=10, groups_at_once=3)
    turns: list[list[int]] = []
    later = bench.hands.callLater

    def call_later(delay: float, f: Any, *args: Any) -> Any:
        turns.append([batch.first for batch in bench.heard])
        return later(delay, f, *args)

    for start in range(0, 60, 5):
        bench.append(*_words(5, start))
    bench.hands.callLater = call_later  # type: ignore[method-assign]
    bench.hands.work()
    assert bench.journal.commits == 1
    bench.hands.settle()
    assert bench.journal.commits == 3
    assert [len(batch.records) for batch in bench.heard] == [10] * 6
    assert bench.told == list(range(1, 60, 5))
    assert [record for _, record in bench.everything()] == _words(60)
    assert [11] in [seen[-1:] for seen in turns], "the reactor had its turn between two groups"
    assert bench.journal.waiting == 0
    bench.close()


def test_of_groups_that_are_refused_together_none_is_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path, group_records=10)
    assert bench.write(*_words(10)) == 1
    bench.append(*_words(10, 10))
    for start in (20, 30):
        bench.append(*_words(10, start))
    bench.hands.work()
    assert bench.told == [1, 11]
    (path,) = day_files(tmp_path)
    with closing(sqlite3.connect(path)) as other:
        # The second of the two that wait has its place taken, and so both are refused.
        other.execute("INSERT INTO batch VALUES(31, 1, 0, 0, x'')")
        other.commit()
        bench.hands.settle()
        assert bench.told == [1, 11, None, None]
        assert bench.journal.last == 20
        assert bench.journal.waiting == 0
        other.execute("DELETE FROM batch WHERE first=31")
        other.commit()
    assert bench.write(("again",)) == 21
    assert bench.everything()[-1] == (21, ("again",))
    bench.close()
    assert Bench(tmp_path).journal.last == 21


def test_closing_waits_until_everybody_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, group_records=1)
    for word in _words(5):
        bench.append(word)
    bench.close()
    assert bench.told == [1, 2, 3, 4, 5]


def test_a_full_disk_is_read_without_leaving_a_trace(tmp_path: Path, room: list[int]) -> None:
    bench = Bench(tmp_path / "journal")
    bench.write(("old",))
    bench.now += DAY
    bench.write(("new",))
    room[0] = 0
    before = sorted(path.name for path in (tmp_path / "journal").iterdir())
    assert bench.everything() == [(1, ("old",)), (2, ("new",))], "an old day, and the one that is written"
    assert numbered(list(bench.journal.scan(NOON, NOON + 2 * DAY))) == bench.everything()
    assert sorted(path.name for path in (tmp_path / "journal").iterdir()) == before
    # What a killed server leaves: the newest file with its log, and nobody who has it open.
    shutil.copytree(tmp_path / "journal", tmp_path / "killed")
    for path in (tmp_path / "killed").glob("*-shm"):
        path.unlink()
    bench.close()
    again = Bench(tmp_path / "killed")
    assert again.journal.last == 2
    assert again.everything() == [(1, ("old",)), (2, ("new",))]
    assert not list((tmp_path / "killed").glob("*-shm")), "no index was made"
    assert again.write(("refused",)) is None
    room[0] = 1 << 30
    assert again.write(("later",)) == 3
    again.close()


def test_another_process_reads_what_the_server_has_open_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archivist's child, which has to make room then, and a backup."""
    bench = Bench(tmp_path)
    bench.write(("a",))
    monkeypatch.setattr("storage.journal_files.free_bytes", lambda folder: 0)
    assert (tmp_path / f"{day_of(NOON)}.db-wal").stat().st_size > 0
    other = JournalFiles(tmp_path)
    assert other.newest() == (bench.journal.id, 1)
    assert [(file.first, file.last) for file in other.days()] == [(1, 1)]
    monkeypatch.undo()
    assert bench.write(("b",)) == 2, "and the server was not hindered"
    bench.close()


def test_the_journal_opens_on_a_full_disk(tmp_path: Path, room: list[int]) -> None:
    bench = Bench(tmp_path)
    bench.write(("a",))
    bench.close()
    room[0] = 0
    opened = Bench(tmp_path)
    assert isinstance(opened.journal, Journal)
    assert (opened.journal.last, opened.journal.id) == (1, bench.journal.id)
