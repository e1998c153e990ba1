"""Verifying: what was done to an archive is found and named, and what is in order is no finding."""

from __future__ import annotations

import fcntl
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.archive import verify as module
from storage.archive.heads import Head
from storage.archive.layout import EVENTS, FIXES, PHOTOS, SNAPSHOTS
from storage.archive.verify import Deletions, Finding, Proof, Removal, Report, verify
from tests.storage.archive.sealed import DAYS, House, edited

FIRST, SECOND, THIRD = (f"archive/fixes/{day}.parquet" for day in DAYS)
PHOTO, OTHER = "media/2026-11-20/one.jpg", "media/2026-11-21/two.jpg"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "data")


def told(report: Report) -> list[tuple[str, str, str]]:
    return sorted((one.what, one.name, one.other) for one in report.findings)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[7] ^= 1
    path.write_bytes(data)


def swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def add(house: House, name: str, content: str = "mine") -> None:
    house.path(name).write_text(content)


def test_what_is_as_it_was_sealed_is_sound(house: House) -> None:
    progress: list[dict[str, Any]] = []
    report = verify(house.data, tell=progress.append)
    assert report.sound
    assert (report.findings, report.proofs, dict(report.counts), report.waiting) == ([], [], {}, 0)
    assert (report.files, report.entries) == (15, 9)
    assert report.bytes == sum(path.stat().st_size for path in house.data.rglob("2026-11-2*") if path.is_file()) + sum(
        path.stat().st_size for path in house.data.rglob("*.jpg")
    )
    percents = [one["percent"] for one in progress]
    assert percents == sorted(set(percents))
    assert percents[-1] == 100
    assert progress[-1]["bytes"] == progress[-1]["of"] == report.bytes
    assert progress[0]["name"] == "archive/fixes/2026-11-20.details.parquet"


def test_of_nothing_nothing_is_found(tmp_path: Path) -> None:
    assert verify(tmp_path).sound


@pytest.mark.parametrize(
    ("done", "wanted"),
    [
        (lambda house: flip(house.path(FIRST)), [("changed", FIRST, "")]),
        (lambda house: os.truncate(house.path(SECOND), 5), [("changed", SECOND, "")]),
        (lambda house: flip(house.path(PHOTO)), [("changed", PHOTO, "")]),
        (lambda house: house.path(SECOND).unlink(), [("missing", SECOND, "")]),
        (lambda house: shutil.rmtree(house.path("media/2026-11-21")),
         [("missing", "media/2026-11-21/one.jpg", ""), ("missing", OTHER, "")]),
        (lambda house: add(house, "archive/fixes/2026-11-25.parquet"),
         [("unsealed", "archive/fixes/2026-11-25.parquet", "")]),
        (lambda house: add(house, "archive/events/2026-11-20.parquet"),
         [("unsealed", "archive/events/2026-11-20.parquet", "")]),
        (lambda house: add(house, "media/2026-11-20/three.jpg"), [("unsealed", "media/2026-11-20/three.jpg", "")]),
        (lambda house: swap(house.path(FIRST), house.path(THIRD)),
         [("swapped", FIRST, THIRD), ("swapped", THIRD, FIRST)]),
        (lambda house: swap(house.path(PHOTO), house.path(FIRST)),
         [("swapped", FIRST, PHOTO), ("swapped", PHOTO, FIRST)]),
        (lambda house: house.path(FIRST).rename(house.path("archive/fixes/2026-11-19.parquet")),
         [("renamed", FIRST, "archive/fixes/2026-11-19.parquet")]),
        (lambda house: house.path(FIRST).rename(house.path("archive/events/2026-11-20.parquet")),
         [("renamed", FIRST, "archive/events/2026-11-20.parquet")]),
        (lambda house: shutil.copy(house.path(FIRST), house.path("archive/fixes/2026-11-19.parquet")),
         [("copied", "archive/fixes/2026-11-19.parquet", FIRST)]),
        (lambda house: (house.path(FIRST).unlink(), house.path(FIRST).mkdir()),
         [("unreadable", FIRST, "not a file")]),
    ],
)  # fmt: skip
def test_what_was_done_to_a_file_is_named(
    house: House, done: Callable[[House], object], wanted: list[tuple[str, str, str]]
) -> None:
    done(house)
    report = verify(house.data)
    assert told(report) == sorted(wanted)
    assert not report.sound
    assert report.counts.total() == len(wanted)


def test_a_file_that_cannot_be_read_is_named(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    read = module.digest_of

    def failing(path: Path, *more: Any) -> str:
        if path == house.path(SECOND):
            raise OSError(5, "Input/output error")
        return read(path, *more)

    monkeypatch.setattr(module, "digest_of", failing)
    assert told(verify(house.data)) == [("unreadable", SECOND, "Input/output error")]


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda lines: [lines[0], edited(lines[1], day="2026-11-19"), lines[2]], [("edited", 2)]),
        (lambda lines: [edited(lines[0], made=1), *lines[1:]], [("edited", 1)]),
        (lambda lines: [lines[0], lines[1].replace(b'"rows":50', b'"rows":49'), lines[2]], [("edited", 2)]),
        (lambda lines: [lines[0], b" " + lines[1], lines[2]], [("edited", 2)]),
        (lambda lines: [lines[0], b"\n", *lines[1:]], [("garbled", 2)]),
        (lambda lines: [lines[0], lines[2], lines[1]], [("order", 2), ("order", 3)]),
        (lambda lines: [lines[0], *lines], [("order", 2)]),
        (lambda lines: [*lines, lines[2]], [("order", 4)]),
    ],
)
def test_what_was_done_to_a_chain_has_its_line(
    house: House, change: Callable[[list[bytes]], list[bytes]], wanted: list[tuple[str, int]]
) -> None:
    house.put_lines(FIXES, change(house.lines(FIXES)))
    found = [(one.what, one.name) for one in verify(house.data).findings]
    assert found == [(what, f"archive/fixes/chain.jsonl:{line}") for what, line in wanted]


def test_a_removed_entry_leaves_its_files_without_one(house: House) -> None:
    lines = house.lines(FIXES)
    house.put_lines(FIXES, [lines[0], lines[2]])
    assert told(verify(house.data)) == [
        ("order", "archive/fixes/chain.jsonl:2", ""),
        ("unsealed", "archive/fixes/2026-11-21.details.parquet", ""),
        ("unsealed", SECOND, ""),
    ]


def test_an_entry_of_another_chain_does_not_fit(house: House, tmp_path: Path) -> None:
    other = House(tmp_path / "other")
    other.path(FIRST).write_text("another city")
    other.seal_anew(FIXES)
    lines = house.lines(FIXES)
    house.put_lines(FIXES, [lines[0], other.lines(FIXES)[1], lines[2]])
    assert told(verify(house.data)) == [
        ("link", "archive/fixes/chain.jsonl:2", ""),
        ("link", "archive/fixes/chain.jsonl:3", ""),
    ]


def test_all_chains_gone_leave_everything_unsealed(house: House) -> None:
    for kind in (FIXES, SNAPSHOTS, PHOTOS):
        house.layout.chain(kind).unlink()
    report = verify(house.data)
    assert report.counts == {"unsealed": 9}
    assert report.waiting == 6


def test_work_under_way_is_no_finding(house: House) -> None:
    add(house, "archive/fixes/2026-11-25.parquet.new")
    add(house, "media/2026-11-20/three.jpg.part")
    with house.layout.chain(FIXES).open("ab") as file:
        file.write(b'{"day":"2026-11-')
    assert verify(house.data).sound


def test_photos_of_an_open_day_wait(house: House) -> None:
    house.write(PHOTOS, "2026-11-23/new.jpg")
    report = verify(house.data)
    assert report.sound
    assert report.waiting == 1


# -- deletions and removals


def test_deletions_and_removals_verify_and_are_listed(house: House) -> None:
    house.delete(FIXES, DAYS[0], f"{DAYS[0]}.parquet", f"{DAYS[0]}.details.parquet")
    house.delete(FIXES, DAYS[1], f"{DAYS[1]}.parquet", f"{DAYS[1]}.details.parquet")
    house.delete(PHOTOS, DAYS[1], f"{DAYS[1]}/one.jpg", f"{DAYS[1]}/two.jpg", reason="budget")
    file = house.write(FIXES, f"{DAYS[2]}.parquet", "without her")
    removal = house.append(FIXES, "removal", DAYS[2], [file], reason="request 7")
    report = verify(house.data)
    assert report.sound
    assert report.deletions == {
        (FIXES, "retention"): Deletions(2, 4, DAYS[0], DAYS[1]),
        (PHOTOS, "budget"): Deletions(1, 2, DAYS[1], DAYS[1]),
    }
    assert report.removals == [Removal(FIXES, 6, DAYS[2], removal.made, "request 7", 1)]
    assert report.counts == {"removal": 1}


def test_deleted_files_that_come_back_are_found(house: House) -> None:
    keep = house.path(FIRST).read_bytes()
    house.delete(FIXES, DAYS[0], f"{DAYS[0]}.parquet")
    house.path(FIRST).write_bytes(keep)
    assert told(verify(house.data)) == [("unsealed", FIRST, "")]


def test_the_old_file_in_the_place_of_the_rewritten_one_is_found(house: House) -> None:
    keep = house.path(FIRST).read_bytes()
    file = house.write(FIXES, f"{DAYS[0]}.parquet", "without her")
    house.append(FIXES, "removal", DAYS[0], [file])
    house.path(FIRST).write_bytes(keep)
    assert told(verify(house.data)) == [("changed", FIRST, "")]


def test_a_removal_that_was_cut_short_is_told_as_such(house: House) -> None:
    """The chain says so before the new file takes the old one's name."""
    keep = house.path(FIRST).read_bytes()
    house.append(FIXES, "removal", DAYS[0], [house.write(FIXES, f"{DAYS[0]}.parquet", "without her")])
    house.path(FIRST).rename(house.path(FIRST + ".part"))
    house.path(FIRST).write_bytes(keep)
    assert told(verify(house.data)) == [("interrupted", FIRST, FIRST + ".part")]
    house.path(FIRST).unlink()
    assert told(verify(house.data)) == [("interrupted", FIRST, FIRST + ".part")]
    flip(house.path(FIRST + ".part"))
    assert told(verify(house.data)) == [("missing", FIRST, "")]


# -- heads


def test_heads_prove_what_was_there_when_they_went_out(house: House) -> None:
    first = house.head()
    house.seal(FIXES, "2026-11-23", "2026-11-23.parquet")
    second = house.head()
    house.seal(FIXES, "2026-11-24", "2026-11-24.parquet")
    report = verify(house.data, heads=[first, second])
    assert report.sound
    proofs = {one.kind: one for one in report.proofs}
    assert proofs[FIXES] == Proof(FIXES, first.at, 3, second.at, 4, "2026-11-23", 1)
    assert proofs[SNAPSHOTS] == Proof(SNAPSHOTS, first.at, 3, second.at, 3, DAYS[2], 0)
    assert proofs[EVENTS] == Proof(EVENTS, first.at, 0, second.at, 0, "", 0)


def test_an_end_that_was_cut_off_is_found_by_a_head_alone(house: House) -> None:
    house.seal(SNAPSHOTS, "2026-11-23", "2026-11-23.snapshot")
    head = house.head()
    house.put_lines(SNAPSHOTS, house.lines(SNAPSHOTS)[:3])
    house.path("archive/snapshots/2026-11-23.snapshot").unlink()
    assert verify(house.data).sound
    early = Head("Gridbeat", 5, {SNAPSHOTS: (0, "0" * 64)})
    report = verify(house.data, heads=[early, head])
    assert report.findings == [Finding(SNAPSHOTS, "tail", "archive/snapshots/chain.jsonl", "", 4, head.at)]
    assert next(one for one in report.proofs if one.kind == SNAPSHOTS) == Proof(SNAPSHOTS, 5, 0, 5, 0, "", 3)


def test_a_class_that_is_gone_with_its_chain_is_found_by_a_head_alone(house: House) -> None:
    head = house.head()
    shutil.rmtree(house.folder(SNAPSHOTS))
    assert verify(house.data).sound
    assert [(one.what, one.name) for one in verify(house.data, heads=[head]).findings] == [
        ("tail", "archive/snapshots/chain.jsonl")
    ]


def test_a_chain_written_anew_is_found_by_a_head_alone(house: House) -> None:
    head = house.head()
    later = house.seal(FIXES, "2026-11-23", "2026-11-23.parquet")
    flip(house.path(SECOND))
    house.seal_anew(FIXES)
    assert verify(house.data).sound
    report = verify(house.data, heads=[head, house.head()])
    assert report.findings == [Finding(FIXES, "rewritten", "archive/fixes/chain.jsonl", "", 3, head.at)]
    # The head that went out after it was written anew fits, and proves no more than that.
    assert next(one for one in report.proofs if one.kind == FIXES).since == later.made


def test_the_first_entry_that_is_another_one_says_it_for_all(house: House) -> None:
    heads = []
    for day in range(23, 28):
        house.seal(FIXES, f"2026-11-{day}", f"2026-11-{day}.parquet")
        heads.append(house.head())
    flip(house.path(THIRD))
    house.seal_anew(FIXES)
    house.put_lines(FIXES, house.lines(FIXES)[:6])
    for day in range(26, 28):
        house.path(f"archive/fixes/2026-11-{day}.parquet").unlink()
    found = verify(house.data, heads=heads).findings
    assert [(one.what, one.number, one.at) for one in found] == [
        ("rewritten", 4, heads[0].at),
        ("tail", 8, heads[4].at),
    ]


# -- beside a server at work


def test_what_is_being_sealed_and_deleted_meanwhile_is_no_finding(house: House) -> None:
    """The files change after the chain was read; a file lies there before its entry does."""
    new = house.write(FIXES, "2026-11-23.parquet")
    done: list[str] = []

    def work(progress: dict[str, Any]) -> None:
        if progress.get("percent") is not None and "began" not in done:
            done.append("began")
            house.delete(FIXES, DAYS[1], f"{DAYS[1]}.parquet")
            file = house.write(FIXES, f"{DAYS[2]}.parquet", "without her")
            house.append(FIXES, "removal", DAYS[2], [file])
        if "lock" in progress:
            done.append("lock")
            house.append(FIXES, "day", "2026-11-23", [new])

    assert verify(house.data, tell=work).findings == []
    assert done == ["began", "lock"]


def test_what_looked_wrong_and_still_does_is_not_read_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    flip(house.path(FIRST))
    read: list[str] = []
    digest_of = module.digest_of

    def noting(path: Path, *more: Any) -> str:
        read.append(path.name)
        return digest_of(path, *more)

    monkeypatch.setattr(module, "digest_of", noting)
    assert told(verify(house.data)) == [("changed", FIRST, "")]
    assert read.count(f"{DAYS[0]}.parquet") == 1


def test_the_second_look_waits_for_the_lock(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    add(house, "archive/fixes/2026-11-23.parquet")
    handle = os.open(house.layout.lock, os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            house.path("archive/fixes/2026-11-23.parquet").unlink()
            os.close(handle)

    monkeypatch.setattr(module.time, "sleep", sleep)  # type: ignore[attr-defined]
    assert verify(house.data).sound
    assert len(slept) == 3


@pytest.mark.parametrize("locked", [False, True])
def test_it_does_not_wait_for_ever_nor_for_its_own_caller(
    house: House, monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    flip(house.path(FIRST))
    monkeypatch.setattr(module, "PATIENCE_S", -1)
    handle = os.open(house.layout.lock, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert told(verify(house.data, locked=locked)) == [("changed", FIRST, "")]
    finally:
        os.close(handle)


def test_a_copy_without_a_lock_is_verified_too(house: House) -> None:
    house.layout.lock.unlink()
    flip(house.path(FIRST))
    assert told(verify(house.data)) == [("changed", FIRST, "")]
    assert not house.layout.lock.exists()


# -- bounds


def test_more_than_can_be_listed_is_counted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    for number in range(10):
        add(house, f"archive/fixes/{number}.parquet", str(number))
    report = verify(house.data)
    assert len(report.findings) == 3
    assert report.counts == {"unsealed": 10}


def test_a_large_file_takes_no_more_memory_than_a_small_one(house: House) -> None:
    house.append(FIXES, "day", "2026-11-23", [house.write(FIXES, "2026-11-23.parquet", "x" * 400_000)])
    assert house.path("archive/fixes/2026-11-23.parquet").stat().st_size == 20_000_000
    tracemalloc.start()
    try:
        assert verify(house.data).sound
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 3_000_000


@given(st.data())
def test_any_byte_of_any_file_counts(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    house = House(tmp_path_factory.mktemp("house") / "data")
    head = house.head()
    paths = sorted(path for path in house.data.rglob("*") if path.is_file() and path != house.layout.lock)
    path = data.draw(st.sampled_from(paths))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    report = verify(house.data, heads=[head])
    name = path.relative_to(house.data).as_posix()
    assert report.findings
    if name.endswith("chain.jsonl"):
        assert any(one.name.startswith(name) for one in report.findings)
    else:
        assert told(report) == [("changed", name, "")]
