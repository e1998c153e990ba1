"""Snapshots as files: what was written is read, a damaged one is passed over, a newer one stops the start."""

from __future__ import annotations

import gzip
import hashlib
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgpack
import pytest

from storage.archive import snapshots
from storage.archive.snapshots import ENTITY, EVENT, About, Change, SnapshotDamaged, SnapshotNewer, newest, read, write
from tests.storage.helpers import ROOT

FIELDS = ("unit", "seen")
STATES = [("p1", 5), ("p2", None)]
CHANGES: list[tuple[str, Change]] = [
    (ENTITY, ("unit", "p1", {"id": "p1", "name": "王强"})),
    (ENTITY, ("area", "g1", {"geometry": {"type": "Polygon", "coordinates": (((117.1, 30.5),),)}})),
    (EVENT, ("command", "c1", {"arguments": {}, "created": 1})),
]


def about(day: str = "2026-11-23", journal: str = "j") -> About:
    return About(journal, day, 1_795_435_200_000, 10, 8, FIELDS)


def put(folder: Path, day: str = "2026-11-23", journal: str = "j") -> Path:
    write(folder, about(day, journal), map(msgpack.packb, STATES), CHANGES)
    return folder / f"{day}.snapshot"


def test_what_was_written_is_read(tmp_path: Path) -> None:
    sealed = write(tmp_path, about(), map(msgpack.packb, STATES), CHANGES)
    path = tmp_path / "2026-11-23.snapshot"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    data = path.read_bytes()
    assert (sealed.name, sealed.bytes, sealed.rows) == (path.name, len(data), 5)
    assert sealed.sha256 == hashlib.sha256(data).hexdigest()
    found = read(path)
    assert found.about == about()
    assert list(found.states()) == STATES
    assert list(found.changes()) == CHANGES


def test_the_same_is_the_same_file(tmp_path: Path) -> None:
    first = put(tmp_path).read_bytes()
    assert put(tmp_path).read_bytes() == first


def test_one_without_states_or_changes(tmp_path: Path) -> None:
    write(tmp_path, about(), (), ())
    found = newest(tmp_path, pytest.fail)
    assert found is not None
    assert (list(found.states()), list(found.changes())) == ([], [])
    write(tmp_path, about(), (), CHANGES)
    found = newest(tmp_path, pytest.fail)
    assert found is not None
    assert (list(found.states()), list(found.changes())) == ([], CHANGES)


@pytest.mark.parametrize("cut", [0, 1, 10, 60, -9, -8, -1])
def test_a_file_that_was_cut_is_passed_over(tmp_path: Path, cut: int) -> None:
    put(tmp_path, "2026-11-22")
    path = put(tmp_path)
    path.write_bytes(path.read_bytes()[:cut])
    told: list[str] = []
    found = newest(tmp_path, told.append)
    assert found is not None
    assert found.about.day == "2026-11-22"
    assert len(told) == 1
    assert told[0].startswith("2026-11-23.snapshot is")


def test_no_changed_byte_goes_unnoticed(tmp_path: Path) -> None:
    """But for those of gzip's head that say nothing: the time, the kind of system."""
    path = put(tmp_path)
    sound = path.read_bytes()
    before = list(read(path).states()), list(read(path).changes())
    for at in range(len(sound)):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 0x41]) + sound[at + 1 :])
        try:
            found = read(path)
        except (SnapshotDamaged, SnapshotNewer):
            continue
        assert at < 10
        assert (list(found.states()), list(found.changes())) == before


@pytest.mark.parametrize("value", [b"", msgpack.packb([1, 2]), msgpack.packb({"schema": "1"}), b"\xc1", b"\xdf\xff"])
def test_what_is_no_snapshot(tmp_path: Path, value: bytes) -> None:
    path = tmp_path / "2026-11-23.snapshot"
    path.write_bytes(gzip.compress(value))
    with pytest.raises(SnapshotDamaged, match=r"2026-11-23\.snapshot"):
        read(path)


def test_one_that_does_not_say_all(tmp_path: Path) -> None:
    path = tmp_path / "2026-11-23.snapshot"
    path.write_bytes(gzip.compress(msgpack.packb({"schema": 1, "journal": "j"})))
    with pytest.raises(SnapshotDamaged, match="does not say its 'day'"):
        read(path)


def test_a_newer_one_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "2026-11-22")
    head = {"schema": snapshots.SCHEMA_VERSION + 1, "another": "way"}
    (tmp_path / "2026-11-23.snapshot").write_bytes(gzip.compress(msgpack.packb(head)))
    with pytest.raises(SnapshotNewer, match=r"2026-11-23\.snapshot was written by a newer version of Gridbeat"):
        newest(tmp_path, pytest.fail)


def test_a_field_that_a_later_version_adds_is_no_trouble(tmp_path: Path) -> None:
    """Within one schema what is not known is not asked for."""
    head = {
        "schema": 1,
        "journal": "j",
        "day": "d",
        "made": 1,
        "last": 2,
        "states_last": 1,
        "fields": ["unit"],
        "new": 7,
    }
    body = msgpack.packb(head) + msgpack.packb(["state", ["p1"]]) + msgpack.packb(["else", 1])
    (tmp_path / "2026-11-23.snapshot").write_bytes(gzip.compress(body))
    found = newest(tmp_path, pytest.fail)
    assert found is not None
    assert list(found.states()) == [("p1",)]
    assert list(found.changes()) == []


def test_the_newest_is_taken_whatever_else_lies_there(tmp_path: Path) -> None:
    assert newest(tmp_path, pytest.fail) is None
    assert newest(tmp_path / "nowhere", pytest.fail) is None
    for day in ("2026-11-23", "2026-12-01", "2026-11-30"):
        put(tmp_path, day)
    (tmp_path / "chain.jsonl").touch()
    (tmp_path / "2026-12-02.snapshot.new").touch()
    found = newest(tmp_path, pytest.fail)
    assert found is not None
    assert found.about.day == "2026-12-01"


def test_one_that_was_made_while_the_clock_was_ahead_is_not_the_newest_for_years(tmp_path: Path) -> None:
    for day, last in (("2026-11-22", 5), ("2026-11-23", 9), ("2030-01-01", 7)):
        write(tmp_path, replace(about(day), last=last), [], [])
    found = newest(tmp_path, pytest.fail)
    assert found is not None
    assert found.about.day == "2026-11-23"


def test_one_of_another_journal_is_not_ours(tmp_path: Path) -> None:
    put(tmp_path, "2026-11-22")
    put(tmp_path, "2026-11-23", "k")
    told: list[str] = []
    found = newest(tmp_path, told.append, journal="j")
    assert found is not None
    assert found.about.day == "2026-11-22"
    assert told == ["2026-11-23.snapshot is of another journal"]


CITY = 30_000
CELL = {"geometry": {"type": "Polygon", "coordinates": [[[117.0 + i / 7, 30.0 + i / 3] for i in range(9)]]}}


def _city() -> Iterator[tuple[str, Change]]:
    for number in range(CITY):
        fields: dict[str, Any] = {"id": f"c{number}", **CELL}
        yield ENTITY, ("area", f"c{number}", fields)


def test_memory_does_not_grow_with_the_city(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        write(tmp_path, about(), (), _city())
        found = newest(tmp_path, pytest.fail)
        assert found is not None
        assert sum(1 for _ in found.changes()) == CITY
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8 << 20, "the whole would be some 60 MB"


WRITER = """
import sys
from itertools import islice
from pathlib import Path
from tests.storage.archive.test_snapshots import about, _city
from storage.archive.snapshots import write
def slowly():
    for number, change in enumerate(_city()):
        if number == 20_000:
            print("half", flush=True)
            sys.stdin.read()
        yield change
write(Path(sys.argv[1]), about(), (), slowly())
"""


def test_a_writer_that_is_killed_leaves_nothing_that_counts(tmp_path: Path) -> None:
    put(tmp_path, "2026-11-22")
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"half\n"
        child.send_signal(signal.SIGKILL)
    found = newest(tmp_path, pytest.fail)
    assert found is not None
    assert found.about.day == "2026-11-22"
    assert list(read(put(tmp_path)).changes()) == CHANGES  # what was left is in nobody's way
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-11-22.snapshot", "2026-11-23.snapshot"]


@pytest.mark.parametrize("cut", [-1, -9, -4000])
def test_a_large_file_is_sound_to_its_end_or_not_at_all(tmp_path: Path, cut: int) -> None:
    put(tmp_path, "2026-11-22")
    write(tmp_path, about(), (), islice(_city(), 3000))
    path = tmp_path / "2026-11-23.snapshot"
    path.write_bytes(path.read_bytes()[:cut])
    told: list[str] = []
    found = newest(tmp_path, told.append)
    assert found is not None
    assert (found.about.day, len(told)) == ("2026-11-22", 1)
