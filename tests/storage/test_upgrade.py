"""The data folder's format: what is refused, and that an upgrade may be killed at any line."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from storage import upgrade
from storage.archive.archive import Archive
from storage.upgrade import FORMAT, FolderError, format_of, prepare
from tests.storage.helpers import DAY, Bench
from tests.storage.killing import killed_at

ZONE = "Asia/Shanghai"


def prepared(data: Path) -> None:
    os.close(prepare(data, ZONE))


def old_folder(data: Path) -> None:
    """As the first release left it: a journal of two days, of which it was killed in the second, and no format."""
    bench = Bench(data / "journal")
    bench.write(("a",))
    bench.now += DAY
    bench.write(("b",), ("c",))
    for path in (data / "journal").glob("*.db"):
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version=1")
    (data / "secret").write_bytes(bytes(32))


def check(data: Path) -> None:
    assert (data / "format").read_text() == f"{FORMAT}\n"
    Archive(data / "archive", ZONE)
    bench = Bench(data / "journal")
    assert [record for _, record in bench.everything()] == [("a",), ("b",), ("c",)]
    for path in (data / "journal").glob("*.db"):
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (2,)
    assert not list(data.rglob("*.new"))


def test_a_new_folder_is_of_our_format(tmp_path: Path) -> None:
    prepared(tmp_path / "city" / "data")
    assert format_of(tmp_path / "city" / "data") == FORMAT
    assert json.loads((tmp_path / "city" / "data" / "archive" / "about.json").read_text())["zone"] == ZONE


def test_a_folder_of_the_first_release_is_upgraded_once(tmp_path: Path) -> None:
    old_folder(tmp_path)
    prepared(tmp_path)
    check(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    prepared(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_zone_of_the_days_stays(tmp_path: Path) -> None:
    os.close(prepare(tmp_path, "Europe/Berlin"))
    (tmp_path / "format").unlink()
    prepared(tmp_path)
    assert json.loads((tmp_path / "archive" / "about.json").read_text())["zone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (f"{FORMAT + 1}", f"newer version of Gridbeat (format {FORMAT + 1}"),
        ("120\n", "请运行更新的版本"),
        ("", "the folder is damaged"),
        ("two", "已损坏"),
        ("0", "./run restore"),
        ("²", "damaged"),
    ],
)
def test_what_is_newer_or_damaged_is_refused_untouched(tmp_path: Path, told: str, words: str) -> None:
    old_folder(tmp_path)
    (tmp_path / "format").write_text(told)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(FolderError, match=re.escape(words)):
        prepare(tmp_path, ZONE)
    assert {path: path.read_bytes() for path in before} == before
    assert not (tmp_path / "archive").exists()


def test_one_server_a_folder(tmp_path: Path) -> None:
    handle = prepare(tmp_path, ZONE)
    with pytest.raises(FolderError, match=r"Another Gridbeat is running.*\n.*请先停止它"):
        prepare(tmp_path, ZONE)
    os.close(handle)
    prepared(tmp_path)


def test_a_restore_that_was_broken_off_is_not_started_over(tmp_path: Path) -> None:
    (tmp_path / "restoring").mkdir()
    with pytest.raises(FolderError, match=r"Run \./run restore again"):
        prepare(tmp_path, ZONE)
    assert not (tmp_path / "format").exists()


def test_no_room_for_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_folder(tmp_path)
    monkeypatch.setattr(upgrade, "free_bytes", lambda _: upgrade.NEEDED - 1)
    with pytest.raises(FolderError, match="make 4 MB of room"):
        prepare(tmp_path, ZONE)
    assert not (tmp_path / "format").exists()
    # Nothing is written to one that is ours already.
    (tmp_path / "format").write_text(str(FORMAT))
    prepared(tmp_path)


def test_killed_at_every_line(tmp_path: Path) -> None:
    """A child is killed before its first line of the upgrade, another before its second, and so on."""
    folder, line = tmp_path / "data", 0
    old_folder(folder)
    while not killed_at(line, [upgrade], lambda: prepared(folder)):
        line += 1
        with suppress(FolderError):
            assert format_of(folder) in (1, FORMAT)
    assert line > 20
    check(folder)


def test_killed_at_any_line_of_a_folder_each(tmp_path: Path, long_run: bool) -> None:
    """The next start after any kill does it all."""
    line, ended = 0, False
    while not ended:
        folder = tmp_path / str(line)
        old_folder(folder)
        ended = killed_at(line, [upgrade], lambda folder=folder: prepared(folder))  # type: ignore[misc]
        prepared(folder)
        check(folder)
        line += 1 if long_run else 5
    assert line > 20
