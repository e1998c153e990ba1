"""Which files count, also for one who looks while they are swapped; and what lies in the folder of the runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from storage.archive.archive import Archive
from storage.archive.chain import SealedFile
from storage.archive.layout import FIXES, MERGED, Run

DAY = "2026-11-23"
FILE = SealedFile(f"{DAY}.parquet", 0, 1, "0" * 64)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive", "Asia/Shanghai")


def run(archive: Archive, first: int, last: int, *days: str) -> Path:
    path = archive.layout.run(first, last)
    path.mkdir()
    for day in days:
        (path / f"{FIXES}.{day}.parquet").touch()
    return path


def sources(archive: Archive, day: str = DAY) -> list[tuple[str, int, int]]:
    return [(source.kind, source.first, source.last) for source in archive.sources(FIXES, day, day)]


def test_a_part_counts_until_its_day_is_closed_beyond_it(archive: Archive) -> None:
    for first in (1, 11, 21):
        run(archive, first, first + 9, DAY, "2026-11-24")
    archive.chains[FIXES].append("day", DAY, 1, files=[FILE], upto=20)
    assert sources(archive) == [("day", 0, 0), ("part", 21, 30)]
    assert sources(archive, "2026-11-24") == [("part", 1, 10), ("part", 11, 20), ("part", 21, 30)]
    assert archive.sealed == 30


def test_who_looks_while_runs_are_merged_finds_them_merged(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [run(archive, 1, 10, DAY), run(archive, 11, 20, DAY)]
    listed = Run.parts

    def merged_first(self: Run, *wanted: str) -> dict[str, Path]:
        if paths:
            run(archive, 1, 20, DAY)
            while paths:
                shutil.rmtree(paths.pop())
        return listed(self, *wanted)

    monkeypatch.setattr(Run, "parts", merged_first)
    assert sources(archive) == [("part", 1, 20)]


def test_who_looks_while_a_day_is_closed_finds_it(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    run(archive, 1, 10, DAY)
    chain = archive.chains[FIXES]
    chain.append("day", "2026-11-22", 1, files=[SealedFile("2026-11-22.parquet", 0, 1, "0" * 64)], upto=1)

    def told_meanwhile(name: str) -> str:
        # Another thread takes in, from the same chain, what has just been closed.
        chain.append("day", DAY, 2, files=[FILE], upto=10)
        return "day"

    with monkeypatch.context() as patch:
        patch.setattr("storage.archive.archive._kind_of", told_meanwhile)
        found = archive.sources(FIXES, "2026-11-22", DAY)
    assert [(source.kind, source.day) for source in found] == [("day", "2026-11-22"), ("part", DAY)]
    assert sources(archive) == [("day", 0, 0)]


def test_what_is_not_ours_among_the_runs_is_left_alone(archive: Archive) -> None:
    run(archive, 1, 10, DAY)
    (archive.layout.open / "a note.txt").touch()
    for name in ("spill", "000000000011-000000000012.new", "lost+found"):
        (archive.layout.open / name).mkdir()
    assert sorted(path.name for path in archive.layout.obsolete()) == ["000000000011-000000000012.new", "spill"]


def test_a_run_says_which_days_it_has(archive: Archive) -> None:
    path = run(archive, 1, 10, "2026-11-20", "2026-11-21", "2026-11-22")
    (path / MERGED).touch()
    (path / "events.2026-11-21.parquet").touch()
    (one,) = archive.layout.runs()
    assert list(one.parts(FIXES)) == ["2026-11-20", "2026-11-21", "2026-11-22"]
    assert list(one.parts(FIXES, "2026-11-21", "2026-11-22")) == ["2026-11-21", "2026-11-22"]
    assert Run(1, 2, path / "gone").parts(FIXES) == {}
