"""Records that have to go: nothing of them is left in the files, and nothing else is touched."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import journal_scrub
from storage.journal_files import JournalFiles, Record
from storage.journal_scrub import OVERWRITES, TOMBSTONE, JournalBusy, scrub, tombstone, written_over
from tests.storage.helpers import DAY, Bench

SECRET = "那个人王伟"
MARKER = msgpack.packb("p17")


def theirs(number: int, record: Record) -> bool:
    return "p17" in record or SECRET in record


def report(n: int, unit: str, size: int = 40) -> Record:
    return (1, f"d-{unit}", unit, n, f"{SECRET}{n}" if unit == "p17" else "x" * 9, b"\x55" * size)


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def clean(folder: Path) -> bool:
    data = bytes_of(folder)
    return SECRET.encode() not in data and b"d-p17" not in data


@given(st.integers(4, 70_000))
def test_a_tombstone_has_the_size_that_is_asked_for(size: int) -> None:
    packed = tombstone(size)
    assert len(packed) == size
    first, zeros = msgpack.unpackb(packed, use_list=False)
    assert first == TOMBSTONE
    assert not any(zeros)


def test_nothing_is_smaller_than_the_smallest() -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        tombstone(3)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=300), st.text(max_size=80)), min_size=1, max_size=20))
def test_a_row_keeps_its_length_and_all_that_stays(values: list[tuple[bool, bytes, str]]) -> None:
    records: list[Record] = [(1, "p17" if goes else "p18", *rest) for goes, *rest in values]
    body = msgpack.packb(records)
    new, gone = written_over(body, 5, 5 + len(records) - 2, theirs)
    assert len(new) == len(body)
    found = msgpack.unpackb(new, use_list=False)
    assert len(found) == len(records)
    for number, (record, now) in enumerate(zip(records, found, strict=True), 5):
        kept = record[1] != "p17" or number > 5 + len(records) - 2
        assert now == record if kept else now[0] == TOMBSTONE
    assert gone == sum(1 for one in found if one[0] == TOMBSTONE)
    assert written_over(new, 5, 5 + len(records) - 2, theirs) == (new, 0)


def test_less_may_be_said_in_as_many_bytes() -> None:
    records = [(1, "p17", "secret"), (1, "p18", "public")]
    body = msgpack.packb(records)
    new, gone = written_over(body, 1, 2, lambda number, record: record[1] == "p17" and (1, "***", "******"))
    assert (msgpack.unpackb(new, use_list=False), gone) == (((1, "***", "******"), (1, "p18", "public")), 1)
    with pytest.raises(ValueError, match="4 bytes in the place of 13"):
        written_over(body, 1, 2, lambda number, record: (1, "", ""))


def test_files_hold_nothing_of_them_afterwards(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for _ in range(3):
        for n in range(300):
            bench.append(report(n, "p17", n * 7), report(n, "p18"), report(n, "p19", 3 * n))
            if n % 20 == 0:
                bench.write((3, n, "command", SECRET), rare=True)
        bench.hands.settle()
        bench.now += DAY
    before = bench.everything()
    assert not clean(tmp_path)
    told = []
    gone = scrub(tmp_path, bench.journal.last, theirs, MARKER, tell=lambda day, count: told.append((day, count)))
    assert gone == sum(theirs(*one) for one in before) == sum(count for _, count in told)
    assert len(told) == 3
    assert clean(tmp_path)
    after = bench.everything()
    assert [number for number, _ in after] == [number for number, _ in before]
    assert [one for one in after if one[1][0] != TOMBSTONE] == [one for one in before if not theirs(*one)]
    # Its writer goes on as if nothing had been, in the same file too.
    assert bench.write(report(1, "p17")) == len(before) + 1
    assert scrub(tmp_path, len(before), theirs, MARKER) == 0
    assert bench.everything()[-1] == (len(before) + 1, report(1, "p17"))
    bench.close()
    assert JournalFiles(tmp_path).newest()[1] == len(before) + 1


def test_rare_records_are_looked_at_without_the_marker(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write((3, 1, "command", SECRET), rare=True)
    bench.write((1, "d", "p18", SECRET))
    assert scrub(tmp_path, 2, theirs, MARKER) == 1
    assert [number for batch in bench.journal.read(1, 9, rare=True) for number in [batch.first]] == [1]
    bench.close()


def test_what_an_older_release_freed_goes_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(report(1, "p18"))
    bench.close()
    (path,) = tmp_path.glob("*.db")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA secure_delete=OFF")
    db.execute("DELETE FROM about WHERE key=?", (OVERWRITES,))
    for n in range(2, 60):
        body = msgpack.packb([report(n, "p17", 500)])
        db.execute("INSERT INTO batch VALUES(?,1,1,0,?)", (n, body))
    db.execute("DELETE FROM batch WHERE first > 30")
    db.close()
    assert SECRET.encode() + b"55" in path.read_bytes()
    assert scrub(tmp_path, 100, theirs, MARKER) == 29
    assert clean(tmp_path)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT 1 FROM about WHERE key=?", (OVERWRITES,)).fetchone()
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_a_file_that_goes_meanwhile_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_scrub, "day_files", lambda folder: [folder / "2026-11-23.db"])
    assert scrub(tmp_path, 1, theirs, MARKER) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_is_read_all_the_time_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_scrub, "PATIENCE_S", 0)
    bench = Bench(tmp_path)
    bench.write(report(1, "p17"))
    (path,) = tmp_path.glob("*.db")
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM batch").fetchone()
    original = sqlite3.connect

    def hasty(*a: object, **k: object) -> sqlite3.Connection:
        return original(*a, **{**k, "factory": Hasty})  # type: ignore[arg-type]

    monkeypatch.setattr(journal_scrub.sqlite3, "connect", hasty)
    with pytest.raises(JournalBusy):
        scrub(tmp_path, 1, theirs, MARKER)
    reader.close()
    assert scrub(tmp_path, 1, theirs, MARKER) == 0
    assert clean(tmp_path)
    bench.close()


class Hasty(sqlite3.Connection):
    """Waits for nobody."""

    def execute(self, sql: str, *a: object) -> sqlite3.Cursor:  # type: ignore[override]
        return super().execute("PRAGMA busy_timeout=0" if "busy_timeout" in sql else sql, *a)  # type: ignore[arg-type]


def test_without_room_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    bench.write(report(1, "p17"))
    monkeypatch.setattr(journal_scrub, "free_bytes", lambda folder: 1 << 20)
    with pytest.raises(OSError, match="too little room"):
        scrub(tmp_path, 1, theirs, MARKER)
    assert bench.everything() == [(1, report(1, "p17"))]
    bench.close()
