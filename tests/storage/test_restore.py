"""Restore: what comes back, what is refused, and that it may be killed at any line and run again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from storage import backup_files, restore
from storage.backup import Made
from storage.backup_files import BackupError
from storage.upgrade import FORMAT, FolderError, prepare
from tests.storage.data_folders import KEPT, ZONE, back_up, found, records
from tests.storage.helpers import DAY, NOON
from tests.storage.killing import killed_at


@pytest.fixture
def made(tmp_path: Path) -> Made:
    found(tmp_path / "data")
    return back_up(tmp_path / "data", tmp_path / "usb")


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "another machine" / "data"


def check(backup: Path, data: Path) -> None:
    there = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}
    assert there - {"lock"} == KEPT
    for name in KEPT:
        assert (data / name).read_bytes() == (backup / "data" / name).read_bytes()
        assert (data / name).stat().st_mode & 0o777 == 0o600


def test_what_was_there_is_there_again(made: Made, new: Path, tmp_path: Path) -> None:
    restored = restore.restore(made.path, new)
    assert (restored.about, restored.files) == (made.about, len(KEPT))
    check(made.path, new)
    assert records(new / "journal") == records(tmp_path / "data" / "journal")
    os.close(prepare(new, ZONE.key))
    # Unchanged, as far as the next backup sees.
    again = back_up(new, tmp_path / "usb", now=NOON + 3 * DAY)
    assert again.linked > again.copied


def test_a_folder_that_is_there_and_empty_will_do(made: Made, new: Path) -> None:
    (new / "lost+found").mkdir(parents=True)
    restore.restore(made.path, new)
    (new / "lost+found").rmdir()
    check(made.path, new)


def test_nothing_is_put_over_what_is_there(made: Made, new: Path) -> None:
    new.mkdir(parents=True)
    (new / "secret").write_text("of the city that is there")
    with pytest.raises(BackupError, match=r"is not empty \(there is secret\)(?s:.)*mv (?s:.)*不是空目录"):
        restore.restore(made.path, new)
    assert {path.name for path in new.iterdir()} <= {"secret", "lock"}
    handle = prepare(new, ZONE.key)
    with pytest.raises(FolderError, match="Another Gridbeat is running"):
        restore.restore(made.path, new)
    os.close(handle)


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        ("flipped", "data/archive/fixes/2026-11-20.parquet"),
        ("cut", r"2\.9 KB of|1 KB of"),
        ("missing", "data/secret"),
        ("sums", "SHA256SUMS"),
        ("no sums", "SHA256SUMS"),
        ("about", r"backup\.json"),
        ("moment", r"backup\.json"),
    ],
)
def test_a_damaged_backup_is_refused_by_name_and_nothing_comes(made: Made, new: Path, harm: str, named: str) -> None:
    path = made.path / "data" / "archive" / "fixes" / "2026-11-20.parquet"
    about = json.loads((made.path / "backup.json").read_text())
    if harm == "flipped":
        path.write_bytes(b"p" + path.read_bytes()[1:])
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif harm == "missing":
        (made.path / "data" / "secret").unlink()
    elif harm == "sums":
        with (made.path / "SHA256SUMS").open("a") as file:
            file.write(f"{'0' * 64}  data/more\n")
    elif harm == "no sums":
        (made.path / "SHA256SUMS").unlink()
    elif harm == "about":
        (made.path / "backup.json").write_text(json.dumps(about | {"last": "100"}))
    else:
        (made.path / "backup.json").write_text(json.dumps(about | {"made": "2026-11-25T20:00:00"}))
    with pytest.raises(BackupError, match=rf"is damaged; nothing was put in place(?s:.)*({named})(?s:.)*已损坏"):
        restore.restore(made.path, new)
    assert not new.exists() or {path.name for path in new.iterdir()} <= {"lock"}


@pytest.mark.parametrize("name", ["data/../../outside", "/outside", "data//x", "./data/x", "data/a\0b"])
def test_a_list_that_leads_elsewhere_is_refused(made: Made, new: Path, name: str) -> None:
    """Whoever can write to the disk with the backups can make digests of his own."""
    sums = (made.path / "SHA256SUMS").read_bytes() + f"{hashlib.sha256(b'').hexdigest()}  {name}\n".encode()
    (made.path / "SHA256SUMS").write_bytes(sums)
    about = json.loads((made.path / "backup.json").read_text())
    about |= {"sums": hashlib.sha256(sums).hexdigest(), "files": about["files"] + 1}
    (made.path / "backup.json").write_text(json.dumps(about))
    with pytest.raises(BackupError, match="is damaged"):
        restore.restore(made.path, new)


def test_what_is_no_whole_backup_is_refused(made: Made, new: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"is no backup: there is no backup\.json in it(?s:.)*不是备份"):
        restore.restore(tmp_path / "usb", new)
    partial = made.path.rename(made.path.with_name(made.path.name + ".partial"))
    with pytest.raises(BackupError, match=r"not whole(?s:.)*不完整"):
        restore.restore(partial, new)
    inside = tmp_path / "data" / "copy"
    shutil.copytree(partial, inside)
    with pytest.raises(BackupError, match="lies within"):
        restore.restore(inside, tmp_path / "data")


@pytest.mark.parametrize("field", ["format", "schema"])
def test_one_of_a_newer_version_is_refused(made: Made, new: Path, field: str) -> None:
    about = json.loads((made.path / "backup.json").read_text())
    (made.path / "backup.json").write_text(json.dumps(about | {field: FORMAT + 1}))
    with pytest.raises(FolderError, match=r"newer version(?s:.)*更新版本"):
        restore.restore(made.path, new)


def test_no_room_says_how_much_is_needed(made: Made, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore, "free_bytes", lambda _: 1 << 20)
    with pytest.raises(BackupError, match=r"16\.\d MB are needed and 1\.0 MB are free(?s:.)*空间不足"):
        restore.restore(made.path, new)
    monkeypatch.undo()
    restore.restore(made.path, new)
    check(made.path, new)


def test_killed_at_any_line_it_is_run_again(made: Made, new: Path, long_run: bool) -> None:
    line, step, states = 0, 3 if long_run else 11, set()
    modules = [restore, backup_files]
    while not killed_at(line, modules, lambda: restore.restore(made.path, new)):
        line += step
        # A server starts over nothing or all of it, and over nothing in between.
        if not (new / "secret").exists() or (new / "restoring").exists():
            states.add("between")
            if (new / "restoring").exists():
                with pytest.raises(FolderError):
                    os.close(prepare(new, ZONE.key))
        else:
            states.add("whole")
            break
        assert line < 50_000
    check(made.path, new)
    assert line > 30 * step
    assert "between" in states
    os.close(prepare(new, ZONE.key))


def test_killed_at_any_line_of_a_folder_each(made: Made, new: Path, long_run: bool) -> None:
    """The second run brings it to its end, from wherever the first one stopped."""
    line, ended = 0, False
    while not ended:
        ended = killed_at(line, [restore], lambda: restore.restore(made.path, new))
        if not ended and not ((new / "secret").exists() and not any((new / "restoring").glob("*"))):
            restore.restore(made.path, new)
        os.close(prepare(new, ZONE.key))
        check(made.path, new)
        shutil.rmtree(new)
        line += 3 if long_run else 13


def test_what_is_there_already_is_not_copied_again(
    made: Made, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made.path / "data", new / "restoring")
    (new / "restoring" / "of another").write_text("x")
    (new / "restoring" / "secret").write_text("z" * 32)
    copied: list[str] = []
    copy = backup_files.Copier.copy

    def noted(self: backup_files.Copier, source: Path, name: str) -> str:
        copied.append(name)
        return copy(self, source, name)

    monkeypatch.setattr(backup_files.Copier, "copy", noted)
    restore.restore(made.path, new)
    assert copied == ["secret"]
    assert (new / "secret").read_text() == "s" * 32
    assert not (new / "of another").exists()


def test_the_last_step_of_another_restore_is_not_mixed_with_this(made: Made, new: Path, tmp_path: Path) -> None:
    (new / "restoring").mkdir(parents=True)
    (new / "restoring" / "complete").write_text("0" * 64)
    (new / "restoring" / "secret").write_text("other")
    with pytest.raises(BackupError, match="another backup"):
        restore.restore(made.path, new)
