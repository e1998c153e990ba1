"""The journal on real files: numbers, groups, failures, kills, and that nothing is told before it is on disk."""

from __future__ import annotations

import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from storage.journal import Journal, JournalFull
from storage.journal_files import Batch, day_files, day_of
from tests.storage.helpers import DAY, NOON, Bench, Threads, numbered, program


def _words(n: int, start: int = 0) -> list[tuple[str]]:
    return [(f"w{i}",) for i in range(start, start + n)]


# -- numbers


def test_numbers_run_without_gap_over_groups_days_and_reopening(tmp_path: Path) -> None:
    expected: list[tuple[int, object]] = []
    for opening in range(3):
        bench = Bench(tmp_path)
        for group in range(4):
            bench.now = NOON + (opening * 4 + group) * DAY * 2 // 3
            words = _words(random.randint(1, 5), len(expected))
            assert bench.write(*words) == len(expected) + 1
            expected += [(len(expected) + 1 + i, word) for i, word in enumerate(words)]
        assert bench.everything() == expected
        bench.close()
    assert len(day_files(tmp_path)) == 8


def test_the_id_stays_the_same_over_days_and_reopening(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.write(("a",))
    first.now += DAY
    first.write(("b",))
    first.close()
    again = Bench(tmp_path)
    assert again.journal.id == first.journal.id
    assert len(first.journal.id) == 32
    assert Bench(tmp_path / "other").journal.id != first.journal.id


def test_a_clock_set_back_over_midnight_changes_no_order(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.now = NOON + DAY
    bench.write(*_words(3))
    bench.now = NOON
    assert bench.write(*_words(2, 3)) == 4
    assert [path.stem for path in day_files(tmp_path)] == ["2026-11-24"]
    bench.close()

    bench = Bench(tmp_path)
    assert bench.journal.last == 5
    bench.now = NOON - DAY
    assert bench.write(("w5",)) == 6
    bench.now = NOON + 2 * DAY
    assert bench.write(("w6",)) == 7
    assert [record for _, record in bench.everything()] == _words(7)
    # The records are found under the time that the clock told, in whichever file they are.
    assert numbered(list(bench.journal.scan(NOON, NOON))) == [(4, ("w3",)), (5, ("w4",))]
    assert numbered(list(bench.journal.scan(NOON - DAY, NOON - DAY))) == [(6, ("w5",))]
    bench.close()


# -- groups


def test_a_group_is_what_comes_in_ten_milliseconds(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.append(("a",))
    bench.hands.clock.advance(0.005)
    bench.append(("b",), ("c",))
    bench.hands.clock.advance(0.004)
    assert not bench.hands.jobs
    bench.hands.clock.advance(0.0011)
    assert len(bench.hands.jobs) == 1
    assert bench.told == []
    bench.hands.work()
    assert bench.told == [1, 2]
    assert [batch.records for batch in bench.heard] == [[("a",), ("b",), ("c",)]]
    bench.close()


def test_a_full_group_does_not_wait_for_its_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.append(*_words(499))
    assert not bench.hands.jobs
    bench.append(("last",))
    assert len(bench.hands.jobs) == 1
    bench.hands.settle()
    assert bench.told == [1, 500]
    assert bench.journal.commits == 1
    bench.close()


def test_what_comes_during_a_commit_is_the_next_groups(tmp_path: Path) -> None:
    bench = Bench(tmp_path, group_records=10)
    bench.append(*_words(10))
    for start in range(10, 34, 4):
        bench.append(*_words(4, start))
    assert len(bench.hands.jobs) == 1
    assert bench.journal.waiting == 34
    bench.hands.work()
    assert len(bench.hands.jobs) == 1, "the next commit is on its way by itself"
    bench.hands.settle()
    # The records of one call stay together, so a group may pass its bound by one call.
    assert [len(batch.records) for batch in bench.heard] == [10, 12, 12]
    assert bench.told == [1, 11, 15, 19, 23, 27, 31]
    assert bench.journal.waiting == 0
    bench.close()


def test_callers_are_told_after_the_listeners(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    order: list[object] = []

    def listener(batch: Batch) -> None:
        order.append(("listener", batch.first, batch.last, bench.journal.last))

    bench.journal.listen(listener)
    bench.journal.append([("a",), ("b",)], lambda first: order.append(first))
    bench.journal.append([("c",)], lambda first: order.append(first))
    bench.hands.settle()
    assert order == [("listener", 1, 3, 3), 1, 3]
    assert bench.heard[0].packed == [b"\x91\xa1a", b"\x91\xa1b", b"\x91\xa1c"]
    bench.close()


@pytest.mark.usefixtures("quiet")
def test_a_failing_listener_or_caller_stops_nobody_else(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def bad(_: object) -> None:
        raise LookupError("on purpose")

    bench.journal.listen(bad)
    bench.journal.append([("a",)], bad)
    assert bench.write(("b",)) == 2
    assert bench.write(("c",)) == 3
    bench.close()


# -- refusals


def test_more_than_may_wait_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_waiting=10)
    bench.append(*_words(6))
    with pytest.raises(JournalFull):
        bench.append(*_words(5))
    bench.append(*_words(4, 6))
    bench.hands.clock.advance(1)
    with pytest.raises(JournalFull):
        bench.append(("under way counts too",))
    bench.hands.settle()
    assert bench.told == [1, 7]
    assert bench.write(*_words(10, 10)) == 11
    assert [record for _, record in bench.everything()] == _words(20)
    bench.close()


@pytest.mark.parametrize("poison", [1 << 64, -(1 << 63) - 1, "\ud800", object(), {1, 2}])
def test_what_cannot_be_packed_is_refused_alone(tmp_path: Path, poison: object) -> None:
    bench = Bench(tmp_path)
    bench.append(("before",))
    with pytest.raises((TypeError, ValueError, OverflowError)):
        bench.append(("good",), ("bad", poison))
    bench.append(("after",))
    bench.hands.settle()
    assert bench.told == [1, 2]
    assert bench.everything() == [(1, ("before",)), (2, ("after",))]
    bench.close()


def test_a_call_without_records_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing"):
        Bench(tmp_path).append()


# -- failures of the disk


@pytest.mark.usefixtures("quiet")
def test_a_failed_commit_uses_no_number_and_tells_each_caller(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(("a",))
    bench.now += DAY
    (tmp_path / "2026-11-24.db").mkdir()
    bench.append(("lost",))
    bench.append(("lost too",), ("and this",))
    bench.hands.clock.advance(1)
    bench.append(("came meanwhile",))
    bench.hands.settle()
    assert bench.told == [1, None, None, None]
    assert bench.journal.failing_since == bench.now
    assert "unable to open" in bench.journal.failure
    assert bench.journal.waiting == 0
    assert len(bench.heard) == 1

    (tmp_path / "2026-11-24.db").rmdir()
    assert bench.write(("b",)) == 2
    assert bench.journal.failing_since is None
    assert bench.journal.failure == ""
    assert bench.everything() == [(1, ("a",)), (2, ("b",))]
    bench.close()
    assert Bench(tmp_path).journal.last == 2


@pytest.mark.usefixtures("quiet")
def test_a_disk_that_is_full_for_a_while(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.write(("a",)) == 1
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        for _ in range(3):
            assert bench.write((b"x" * 300_000,)) is None
        assert bench.write(("small", 1)) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert bench.write((b"y" * 300_000,)) == 3
    assert bench.everything() == [(1, ("a",)), (2, ("small", 1)), (3, (b"y" * 300_000,))]
    bench.close()


# -- closing


def test_close_commits_what_waits_and_then_refuses(tmp_path: Path) -> None:
    bench = Bench(tmp_path, group_records=2)
    for start in range(5):
        bench.append((start,))
    order: list[object] = []
    bench.journal.append([("last",)], order.append)
    bench.journal.close().addCallback(lambda _: order.append("closed"))
    with pytest.raises(JournalFull):
        bench.append(("late",))
    bench.hands.settle()
    assert order == [6, "closed"]
    assert bench.told == [1, 2, 3, 4, 5]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["2026-11-23.db"], "the log is in the file"
    assert Bench(tmp_path).journal.last == 6


def test_an_idle_journal_closes_at_once(tmp_path: Path) -> None:
    Bench(tmp_path).close()
    assert day_files(tmp_path) == []


@pytest.mark.usefixtures("quiet")
def test_close_ends_though_the_disk_fails(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (tmp_path / "2026-11-23.db").mkdir()
    bench.append(("lost",))
    bench.close()
    assert bench.told == [None]


# -- reading


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    records = [
        (),
        (None, True, False),
        (0, -1, 2**63 - 1, -(2**63), 2**64 - 1),
        ("", "新华路", "a\x00b", b"", b"\x00\xff" * 100),
        (1.5, -0.0, 1e300),
        ((1, (2, (3, None))), {"k": (1, b"v"), 7: "seven", b"b": {}}),
        ("x" * 100_000,),
    ]
    bench = Bench(tmp_path)
    bench.write(*records)
    (batch,) = bench.journal.read(1, 1)
    assert list(batch.records) == records
    assert [[type(value) for value in record] for record in batch.records] == [
        [type(value) for value in record] for record in records
    ]
    assert (batch.first, batch.last, batch.received) == (1, 7, NOON)
    bench.close()
    assert [record for _, record in Bench(tmp_path).everything()] == records


def test_read_begins_with_the_batch_that_holds_the_record(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for day in range(3):
        bench.now = NOON + day * DAY
        bench.write(*_words(4))
        bench.write(*_words(3))
    firsts = [1, 5, 8, 12, 15, 19]

    def read(first: int, limit: int) -> list[int]:
        return [batch.first for batch in bench.journal.read(first, limit)]

    for first in range(1, 22):
        held = [f for f in firsts if f <= first][-1:]
        assert read(first, 1000) == held + [f for f in firsts if f > first]
        assert read(first, 1) == held
    assert read(1, 4) == [1]
    assert read(1, 5) == [1, 5]
    assert read(6, 8) == [5, 8, 12]
    assert read(22, 1000) == []
    bench.close()


def test_read_of_rare_records_only(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for day in range(3):
        bench.now = NOON + day * DAY
        bench.write(("common",), ("common",))
        bench.write(("rare", day), rare=True)
        bench.append(("common",))
        bench.append(("mixed", day), rare=True)
        bench.hands.settle()
    assert [batch.first for batch in bench.journal.read(1, 1000, rare=True)] == [3, 4, 8, 9, 13, 14]
    assert [batch.first for batch in bench.journal.read(5, 1000, rare=True)] == [4, 8, 9, 13, 14]
    assert [batch.first for batch in bench.journal.read(6, 3, rare=True)] == [8, 9]
    bench.close()


def test_scan_finds_what_was_received_between_two_times(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    times = [NOON, NOON + 1, NOON + DAY // 2 - 1, NOON + DAY // 2, NOON + DAY, NOON + 3 * DAY]
    for at, bench.now in enumerate(times):
        bench.write((at,))

    def scan(start: int, end: int) -> list[object]:
        return [record[0] for batch in bench.journal.scan(start, end) for record in batch.records]

    for start in range(len(times)):
        for end in range(len(times)):
            assert scan(times[start], times[end]) == list(range(start, end + 1))
    assert scan(NOON - DAY, NOON - 1) == []
    bench.close()


def test_reading_shows_nothing_that_the_listeners_have_not_heard_of(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(("a",))
    bench.append(("b",))
    bench.hands.clock.advance(1)
    bench.hands.jobs.popleft()()
    assert bench.everything() == [(1, ("a",))]
    bench.hands.settle()
    assert bench.everything() == [(1, ("a",)), (2, ("b",))]
    bench.close()


# -- files that are not as they should be


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(("a",))
    bench.close()
    with closing(sqlite3.connect(day_files(tmp_path)[0])) as db:
        db.execute("PRAGMA user_version=3")
    with pytest.raises(RuntimeError, match=r"2026-11-23\.db was written by a newer version"):
        Bench(tmp_path)


@pytest.mark.parametrize("state", ["empty", "no tables", "no rows"])
def test_a_writer_killed_while_it_made_a_days_file(tmp_path: Path, state: str) -> None:
    bench = Bench(tmp_path)
    bench.write(("a",))
    bench.close()
    with closing(sqlite3.connect(tmp_path / "2026-11-24.db")) as db:
        if state != "empty":
            db.execute("PRAGMA journal_mode=WAL")
        if state == "no rows":
            db.execute("CREATE TABLE batch(first INTEGER PRIMARY KEY, count, received, rare, body)")
    (tmp_path / "2026-11-24.db").touch()

    bench = Bench(tmp_path)
    assert (bench.journal.last, len(bench.journal.id)) == (1, 32)
    assert bench.everything() == [(1, ("a",))]
    bench.now += DAY
    assert bench.write(("b",)) == 2
    assert bench.everything() == [(1, ("a",)), (2, ("b",))]
    bench.close()


def test_a_log_cut_short_loses_only_what_was_never_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "a")
    for word in _words(20):
        bench.write(word)
    copy = tmp_path / "b"
    shutil.copytree(tmp_path / "a", copy)
    bench.close()
    log = copy / "2026-11-23.db-wal"
    whole = log.read_bytes()
    (copy / "2026-11-23.db-shm").unlink()
    log.write_bytes(whole[: len(whole) - 100])
    torn = Bench(copy)
    assert torn.journal.last == 19
    assert torn.write(("again",)) == 20
    assert [record for _, record in torn.everything()] == [*_words(19), ("again",)]
    torn.close()


# -- threads and processes


def test_many_groups_through_a_real_thread_pool_with_readers_beside(tmp_path: Path) -> None:
    threads = Threads()
    try:
        now = [NOON]
        journal = Journal(tmp_path, threads, threads.pool, lambda: now[0], group_records=50)
        told: dict[int, int] = {}
        reads: list[list[int]] = []
        for call in range(300):
            now[0] += DAY // 100
            journal.append([(call, i) for i in range(7)], lambda first, call=call: told.update({call: first or 0}))
            if call % 30 == 0:
                threads.pool.callInThread(
                    lambda: reads.append([number for number, _ in numbered(journal.read(1, 1 << 30))])
                )
            if call % 10 == 0:
                threads.run_until(lambda: journal.waiting < 100)
        ended: list[object] = []
        journal.close().addBoth(ended.append)
        threads.run_until(lambda: bool(ended))
        assert ended == [None]
        assert told == {call: call * 7 + 1 for call in range(300)}
        assert numbered(journal.read(1, 1 << 30)) == [(n + 1, (n // 7, n % 7)) for n in range(2100)]
        assert len(day_files(tmp_path)) == 4
    finally:
        threads.stop()
    assert len(reads) == 10
    for numbers in reads:
        assert numbers == list(range(1, len(numbers) + 1))


def test_killed_writers_keep_what_they_were_told(tmp_path: Path) -> None:
    told: dict[int, str] = {}
    began = time.time()
    for turn in range(10):
        ends_itself = turn % 2 == 1
        with program("writer", tmp_path, "busy", 0.5 if ends_itself else 0, began) as writer:
            if not ends_itself:
                for _ in range(random.randint(1, 400)):
                    _take(told, writer.line())
                writer.kill()
            for line in writer.lines:
                _take(told, line)
            assert writer.wait() == (9 if ends_itself else -signal.SIGKILL)

        bench = Bench(tmp_path)
        there = bench.everything()
        assert [number for number, _ in there] == list(range(1, len(there) + 1))
        assert bench.journal.last == len(there)
        words = [record[0] for _, record in there]
        assert len(set(words)) == len(words)
        assert all(words[number - 1] == word for number, word in told.items())
        bench.close()
    assert len(told) > 100
    assert len(day_files(tmp_path)) > 1


def _take(told: dict[int, str], line: str) -> None:
    first, *words = line.split()
    for at, word in enumerate(words):
        assert told.setdefault(int(first) + at, word) == word


def _strace_works() -> bool:
    command = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "true"]
    return shutil.which("strace") is not None and subprocess.run(command, capture_output=True).returncode == 0


needs_strace = pytest.mark.skipif(
    not _strace_works(), reason="strace is not installed or not permitted: the order of syncs was not looked at"
)


@needs_strace
def test_nobody_is_told_before_the_sync_that_covers_it(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    before = ("strace", "-f", "-y", "-s", "100000", "-o", str(trace), "-e", "trace=write,pwrite64,fdatasync,fsync")
    words = [[f"call{call}word{i};" for i in range(call % 4 + 1)] for call in range(40)]
    with program("writer", tmp_path / "journal", "asked", before=before) as writer:
        assert writer.line() == "ready"
        for call in words:
            assert writer.ask(" ".join(call)).isdigit()
        assert writer.end() == 0
    assert _told_too_early(trace.read_text(), words) == []


def _told_too_early(trace: str, words: list[list[str]]) -> list[str]:
    """Records that were acknowledged before the log file was synced after they had been written to it."""
    dirty: set[str] = set()
    synced: set[str] = set()
    syncing: dict[str, set[str]] = {}
    early: list[str] = []
    calls = iter(words)
    for line in trace.splitlines():
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.startswith("pwrite64(") and "-wal>" in call:
            dirty |= set(re.findall(r"call\d+word\d+;", call))
        elif call.startswith(("fdatasync(", "fsync(")) and "-wal>" in call:
            syncing[thread] = set(dirty)
        if re.match(r"(<\.\.\. )?(fdatasync|fsync)\b.* = 0$", call) and thread in syncing:
            synced |= syncing.pop(thread)
        elif re.match(r'write\(1<.*, "\d+\\n"', call):
            early += [word for word in next(calls) if word not in synced]
    assert next(calls, None) is None, "the trace has every acknowledgement"
    return early


@needs_strace
def test_a_commit_whose_sync_failed_is_not_found_later(tmp_path: Path) -> None:
    """Its rows are in the log whole; opening the file anew would bring them back under numbers that were not used."""
    with program("writer", tmp_path, "asked") as writer:
        assert writer.line() == "ready"
        assert writer.ask("a b") == "1"
        with subprocess.Popen(
            ["strace", "-f", "-p", str(writer.pid), "-o", "/dev/null", "-e", "inject=fdatasync,fsync:error=EIO"],
            stderr=subprocess.PIPE,
            text=True,
        ) as strace:
            assert strace.stderr is not None
            assert "attached" in strace.stderr.readline()
            answers = [writer.ask("failed1 x y"), writer.ask("failed2")]
            strace.send_signal(signal.SIGINT)
        assert answers == ["None", "None"]
        assert writer.ask("c") == "3"
        assert writer.ask("d e") == "4"
        assert writer.end() == 0
    bench = Bench(tmp_path)
    assert [record[0] for _, record in bench.everything()] == ["a", "b", "c", "d", "e"]


def test_day_names_are_utc() -> None:
    assert day_of(NOON) == "2026-11-23"
    assert day_of(NOON + DAY // 2 - 1) == "2026-11-23"
    assert day_of(NOON + DAY // 2) == "2026-11-24"
