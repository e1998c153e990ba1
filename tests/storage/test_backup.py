"""Backups of a folder: what is in them, what is not copied twice, and that half of one never counts."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage import backup, backup_files, backup_journal
from storage.backup_files import BackupError, backups, read_about
from storage.journal_files import JournalFiles, day_files
from storage.upgrade import FORMAT, FolderError
from tests.faults.disks import fill, small_disk
from tests.storage.data_folders import KEPT, ZONE, back_up, found, records, verify
from tests.storage.helpers import DAY, NOON
from tests.storage.killing import killed_at

MODULES = [backup, backup_files, backup_journal]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    found(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def usb(tmp_path: Path) -> Path:
    return tmp_path / "usb disk"


def counting(target: Path) -> list[Path]:
    return [path for path, _ in backups(target)]


# -- what is in it


def test_a_backup_holds_all_that_cannot_be_made_again(data: Path, usb: Path, tmp_path: Path) -> None:
    settings = tmp_path / "my city.toml"
    settings.write_text('[server]\ndata = "data"\n')
    made = back_up(data, usb, settings=settings)
    assert made.path == usb / "gridbeat-2026-11-25-200000"
    assert verify(made.path) == {f"data/{name}" for name in KEPT} | {"my city.toml"}
    for name in KEPT:
        if not name.startswith("journal/"):
            assert (made.path / "data" / name).read_bytes() == (data / name).read_bytes()
    assert records(made.path / "data" / "journal") == records(data / "journal")
    about = made.about
    assert about == read_about(made.path)
    assert (about.format, about.city, about.settings) == (FORMAT, "滨江", "my city.toml")
    assert (about.journal, about.first, about.last) == (JournalFiles(data / "journal").newest()[0], 1, 100)
    assert about.made == datetime(2026, 11, 25, 20, tzinfo=ZONE)
    assert about.delete_after == about.made + timedelta(days=30)
    assert made.odd == ()


def test_only_its_owner_can_read_it(data: Path, usb: Path) -> None:
    made = back_up(data, usb)
    for path in [made.path, *made.path.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_anybody_can_check_it_without_us(data: Path, usb: Path) -> None:
    made = back_up(data, usb)
    words = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(words, cwd=made.path, check=False).returncode == 0
    (made.path / "data" / "secret").write_text("other")
    assert subprocess.run(words, cwd=made.path, check=False, capture_output=True).returncode == 1


def test_a_folder_that_lies_on_another_disk_is_in_it(data: Path, usb: Path, tmp_path: Path) -> None:
    (data / "media").rename(tmp_path / "large disk")
    (data / "media").symlink_to(tmp_path / "large disk")
    (data / "archive" / "loop").symlink_to(data)
    (data / "archive" / "nowhere").symlink_to(tmp_path / "nowhere")
    assert verify(back_up(data, usb).path) == {f"data/{name}" for name in KEPT}


def test_a_name_that_no_list_can_hold_is_left_out_and_told(data: Path, usb: Path) -> None:
    (data / "a\nb").write_text("x")
    made = back_up(data, usb)
    assert verify(made.path) == {f"data/{name}" for name in KEPT}
    assert "a\\nb" in made.odd[0]


def test_a_gap_in_the_journal_is_told_and_the_rest_is_kept(tmp_path: Path, usb: Path) -> None:
    found(tmp_path / "data", days=3)
    (tmp_path / "data" / "journal" / "2026-11-24.db").unlink()
    made = back_up(tmp_path / "data", usb)
    assert "lacks records 51..100" in made.odd[0]
    assert (made.about.first, made.about.last) == (1, 150)


def test_the_first_release_s_folder_has_no_archive(data: Path, usb: Path) -> None:
    shutil.rmtree(data / "archive")
    (data / "format").unlink()
    assert back_up(data, usb).about.format == 1
    assert not (data / "archive").exists()


# -- while it is written to


def test_the_open_day_is_copied_as_it_was_when_that_began(
    tmp_path: Path, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    bench = found(data)
    before = records(data / "journal")
    monkeypatch.setattr(backup_journal, "PAGES", 1)
    written = 0

    def moved(_: int) -> None:
        nonlocal written
        bench.write(("while it is copied", written))
        written += 1

    target = tmp_path / "copy" / "2026-11-24.db"
    target.parent.mkdir()
    backup_journal.copy_day(day_files(data / "journal")[1], target, moved)
    assert written > 3, "the file is larger than a step"
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert records(target.parent) == before[50:]
    assert len(records(data / "journal")) == len(before) + written


def test_nothing_is_sealed_or_deleted_while_files_are_copied(data: Path, usb: Path) -> None:
    told: list[str] = []
    waiting = threading.Event()

    def tell(text: str) -> None:
        told.append(text)
        waiting.set()

    with (data / "archive" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=back_up, args=(data, usb), kwargs={"tell": tell})
        thread.start()
        assert waiting.wait(60)
        assert counting(usb) == []
    thread.join()
    assert "waiting until the archive's work has ended" in told[0]
    assert len(counting(usb)) == 1


def test_a_photo_that_is_taken_away_meanwhile_is_no_trouble(
    data: Path, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = backup_files.Copier.copy

    def slow(self: Any, source: Path, name: str) -> str:
        (data / "media" / "2026-11-20" / "a.jpg").unlink(missing_ok=True)
        return copy(self, source, name)

    monkeypatch.setattr(backup_files.Copier, "copy", slow)
    assert verify(back_up(data, usb).path) == {f"data/{name}" for name in KEPT - {"media/2026-11-20/a.jpg"}}


# -- what is not copied twice


def test_a_daily_backup_costs_one_day(data: Path, usb: Path) -> None:
    first = back_up(data, usb)
    (data / "archive" / "fixes" / "2026-11-21.parquet").write_text("new")
    (data / "archive" / "fixes" / "chain.jsonl").write_text("entry\nentry\n")
    rewritten = data / "archive" / "snapshots" / "2026-11-20.snapshot"
    rewritten.write_text("T" * rewritten.stat().st_size)
    second = back_up(data, usb, now=NOON + 3 * DAY)
    fresh = {"archive/fixes/2026-11-21.parquet", "archive/fixes/chain.jsonl", "journal/2026-11-24.db",
             "archive/snapshots/2026-11-20.snapshot"}  # fmt: skip
    assert verify(second.path) == {f"data/{name}" for name in KEPT | fresh}
    for name in KEPT | fresh:
        inode = (second.path / "data" / name).stat().st_ino
        was = first.path / "data" / name
        assert (was.exists() and was.stat().st_ino == inode) == (name not in fresh), name
        assert (data / name).stat().st_ino != inode
    assert second.linked > 3000
    verify(first.path)
    backup.remove(first.path)
    verify(second.path)


@pytest.mark.parametrize("why", ["no links", "too many", "another city's", "damaged"])
def test_where_nothing_can_be_linked_all_is_copied(
    data: Path, usb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    of_another = tmp_path / "other"
    found(of_another)
    first = back_up(of_another if why == "another city's" else data, usb)
    link, links = os.link, 0

    def refuse(source: Path, target: Path) -> None:
        nonlocal links
        links += 1
        if why == "no links" or (why == "too many" and links > 1):  # the first is the trial
            raise OSError(errno.EMLINK if why == "too many" else errno.EPERM, "no")
        link(source, target)

    monkeypatch.setattr(os, "link", refuse)
    if why == "damaged":
        (first.path / "SHA256SUMS").write_text("")
    second = back_up(data, usb, now=NOON + 3 * DAY)
    assert second.linked == 0
    assert verify(second.path) == {f"data/{name}" for name in KEPT}


# -- when it cannot be done


def test_what_makes_no_sense_is_refused_with_what_to_do(data: Path, usb: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"Is its disk mounted\?(?s:.)*磁盘是否已挂载"):
        backup.make(data, usb, settings=None, city="", zone=ZONE, keep_days=1, now=NOON)
    with pytest.raises(BackupError, match="within the data folder"):
        back_up(data, data / "backups")
    with pytest.raises(BackupError, match="nothing to back up"):
        back_up(tmp_path / "nothing", usb)
    (data / "restoring").mkdir()
    with pytest.raises(BackupError, match="A restore into"):
        back_up(data, usb)
    (data / "restoring").rmdir()
    (tmp_path / "empty" / "restoring").mkdir(parents=True)
    with pytest.raises(BackupError, match="A restore into"):
        back_up(tmp_path / "empty", usb)
    (data / "format").write_text(str(FORMAT + 1))
    with pytest.raises(FolderError, match="newer version"):
        back_up(data, usb)
    assert list(usb.iterdir()) == []


def test_no_room_says_how_much_is_needed(data: Path, usb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "free_bytes", lambda _: 3 << 20)
    with pytest.raises(BackupError, match=r"16\.\d MB are needed and 3\.0 MB are free(?s:.)*空间不足"):
        back_up(data, usb)
    assert list(usb.iterdir()) == []


def test_a_disk_that_fills_up_on_the_way(data: Path, usb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(BackupError, match="There is no room"):
        back_up(data, usb)
    assert list(usb.iterdir()) == []


def test_a_journal_that_cannot_be_read_is_told(data: Path, usb: Path) -> None:
    with sqlite3.connect(data / "journal" / "2026-11-24.db") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (data / "journal" / "2026-11-24.db").open("r+b") as file:
        file.write(b"no database")
    with pytest.raises(BackupError, match=r"cannot be read \((?s:.)*无法读取"):
        back_up(data, usb)
    assert list(usb.iterdir()) == []


def test_two_at_a_time_are_one_too_many(data: Path, usb: Path) -> None:
    left = usb / "gridbeat-2026-11-01-000000.partial"
    left.mkdir(parents=True)
    with (left / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BackupError, match="Another backup is being written"):
            back_up(data, usb)
        assert left.exists()
    back_up(data, usb)
    assert not left.exists(), "it was left by one that was killed"


def test_a_full_disk_can_be_backed_up(data: Path, usb: Path, tmp_path: Path) -> None:
    """The first thing that an operator should do then. The server was killed: its log is there, the log's index not."""
    disk = tmp_path / "small"
    with small_disk(disk, 8):
        shutil.copytree(data, disk / "data", ignore=shutil.ignore_patterns("*-shm", "lock"))
        fill(disk / "ballast", 0)
        made = back_up(disk / "data", usb)
        assert (disk / "data" / "journal" / "2026-11-24.db-wal").stat().st_size > 0
    assert verify(made.path) == {f"data/{name}" for name in KEPT}
    assert records(made.path / "data" / "journal") == records(data / "journal")


# -- kills


def test_killed_at_any_line_there_is_never_half_a_backup(data: Path, usb: Path, long_run: bool) -> None:
    first = back_up(data, usb)
    line, step = 0, 1 if long_run else 29
    while not killed_at(line, MODULES, lambda: back_up(data, usb, now=NOON + 3 * DAY)):
        for path in counting(usb):
            verify(path)
            if path != first.path:
                shutil.rmtree(path)  # or each run would have one more to look through than the last
        line += step
        assert line < 50_000
    assert line > 20 * step
    assert len(counting(usb)) == 2
    verify(first.path)
    assert len(list(usb.iterdir())) == len(counting(usb)), "what kills left is gone"


def test_killed_while_it_deletes(data: Path, usb: Path) -> None:
    line = 0
    back_up(data, usb)
    while True:
        old = back_up(data, usb, now=NOON + 9 * DAY)
        ended = killed_at(line, MODULES, lambda old=old: backup.remove(old.path))  # type: ignore[misc]
        for path in counting(usb):
            verify(path)
        if ended:
            break
        line += 1
        if old.path.exists():
            backup.remove(old.path)
    assert line > 3


# -- the age limit


def test_a_backup_past_its_limit_is_found(data: Path, usb: Path, tmp_path: Path) -> None:
    old = back_up(data, usb, now=NOON)
    new = back_up(data, usb, now=NOON + 29 * DAY)
    found(tmp_path / "other")
    back_up(tmp_path / "other", usb, now=NOON)
    when = datetime.fromtimestamp((NOON + 30 * DAY) / 1000, ZONE)
    assert backup.expired(usb, old.about.journal, when) == []
    late = when + timedelta(seconds=1)
    assert [path for path, _ in backup.expired(usb, old.about.journal, late)] == [old.path]
    backup.remove(old.path)
    assert backup.expired(usb, old.about.journal, late) == []
    assert len(counting(usb)) == 2
    verify(new.path)


def test_two_in_one_second_have_two_names(data: Path, usb: Path) -> None:
    assert {back_up(data, usb).path.name for _ in range(3)} == {
        "gridbeat-2026-11-25-200000", "gridbeat-2026-11-25-200000-2", "gridbeat-2026-11-25-200000-3",
    }  # fmt: skip


def test_what_is_no_backup_is_passed_over(usb: Path) -> None:
    for name, text in {"gridbeat-a": "{}", "gridbeat-b": "", "gridbeat-c": json.dumps({"made": "now"})}.items():
        (usb / name).mkdir(parents=True)
        (usb / name / "backup.json").write_text(text)
    (usb / "gridbeat-d").mkdir()
    (usb / "gridbeat-e").write_text("")
    assert counting(usb) == []
