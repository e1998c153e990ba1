"""The words of ./run backup and ./run restore: settings, limits, and what is told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.backup_files import backups
from tests.storage.data_folders import back_up, found
from tests.storage.helpers import DAY, NOON
from tracker.backups import main


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """What belongs to the process is given back."""
    nice: list[int] = []
    monkeypatch.setattr(os, "nice", nice.append)
    monkeypatch.delenv("GRIDBEAT_CONFIG", raising=False)
    mask = os.umask(0o022)
    yield nice
    os.umask(mask)


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """A city's settings, beside its data."""
    found(tmp_path / "city" / "data")
    config = tmp_path / "city" / "city.toml"
    config.write_text(
        '[city]\nname = "滨江"\n[archive]\nphotos_days = 40\n[[basemap]]\nkind = "mbtiles"\nfile = "map.mbtiles"\n'
    )
    return config


@pytest.fixture
def usb(tmp_path: Path) -> Path:
    (tmp_path / "usb").mkdir()
    return tmp_path / "usb"


def said(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    return out + err


def test_a_backup_says_what_it_is_and_until_when(
    city: Path, usb: Path, calm: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backup", str(usb), "--config", str(city)]) == 0
    ((path, about),) = backups(usb)
    assert (about.delete_after - about.made).days == 40, "what is kept shortest"
    assert about.city == "滨江"
    told = said(capsys)
    for words in (
        str(path),
        "up to record 100",
        f"{about.delete_after:%Y-%m-%d}",
        "map.mbtiles",
        "备份完成",
        "同一磁盘",
    ):
        assert words in told
    assert calm == [19]


def test_old_backups_are_named_and_deleted_when_asked(
    city: Path, usb: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = back_up(city.parent / "data", usb, now=NOON)
    monkeypatch.setattr("time.time_ns", lambda: (NOON + 100 * DAY) * 1_000_000)
    monkeypatch.setenv("GRIDBEAT_CONFIG", str(city))
    assert main(["backup", str(usb)]) == 0
    assert f"--prune 可删除: {old.path} (2026-12-23)" in said(capsys)
    assert main(["backup", str(usb), "--prune"]) == 0
    assert f"已删除: {old.path}" in said(capsys)
    assert len(list(usb.iterdir())) == 2


def test_settings_are_brought_where_there_are_none(
    city: Path, usb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["backup", str(usb), "--config", str(city)])
    ((path, _),) = backups(usb)
    there = tmp_path / "there" / "my.toml"
    there.parent.mkdir()
    said(capsys)
    assert main(["restore", str(path)]) == 1
    assert "请指定设置文件" in said(capsys)
    assert main(["restore", str(path), "--config", str(there)]) == 0
    assert there.read_text() == city.read_text()
    assert (there.parent / "data" / "secret").read_text() == "s" * 32
    assert {one.name for one in there.parent.iterdir()} == {"my.toml", "data"}
    assert f"./run --config {there}" in said(capsys)
    assert main(["restore", str(path), "--config", str(there)]) == 1
    assert "is not empty" in said(capsys)


def test_settings_that_are_there_stay_and_say_where_the_data_goes(
    city: Path, usb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["backup", str(usb), "--config", str(city)])
    ((path, _),) = backups(usb)
    there = tmp_path / "there.toml"
    there.write_text(f'[server]\ndata = "{tmp_path}/large disk/data"\n')
    assert main(["restore", str(path), "--config", str(there)]) == 0
    assert (tmp_path / "large disk" / "data" / "secret").exists()
    assert there.read_text().startswith("[server]")
    assert "stays as it is" in said(capsys)


def test_a_restore_that_fails_leaves_no_settings(
    city: Path, usb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["backup", str(usb), "--config", str(city)])
    ((path, _),) = backups(usb)
    (path / "data" / "account.json").write_text("[]")
    there = tmp_path / "there" / "city.toml"
    there.parent.mkdir()
    assert main(["restore", str(path), "--config", str(there)]) == 1
    assert "data/account.json" in said(capsys)
    assert list(there.parent.glob("city*")) == []
    assert main(["restore", str(path), "--config", str(tmp_path / "nowhere" / "city.toml")]) == 1
    assert "nowhere 不存在" in said(capsys)
    shutil.rmtree(path)
    assert main(["restore", str(path), "--config", str(there)]) == 1
    assert "不是备份" in said(capsys)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[server]\ndatas = 1\n", "The settings cannot be used 设置有误"),
        ('[server]\ndata = "nothing"\n', "没有可备份的内容"),
    ],
)
def test_what_cannot_be_done_is_told(
    city: Path, usb: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    city.write_text(text)
    assert main(["backup", str(usb), "--config", str(city)]) == 1
    assert told in said(capsys)
    with pytest.raises(SystemExit, match="2"):
        main(["backup"])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied", "secret"), "secret: Permission denied. Run it as the user"),
        (OSError(5, "Input/output error", "photo"), "photo: Input/output error"),
        (KeyboardInterrupt(), "broken off 已中断"),
    ],
)
def test_what_goes_wrong_on_the_way_is_told_and_leaves_nothing(
    city: Path, usb: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    error: BaseException, told: str,
) -> None:  # fmt: skip
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("storage.backup_files.Copier.copy", fail)
    assert main(["backup", str(usb), "--config", str(city)]) == 1
    assert told in said(capsys)
    assert list(usb.iterdir()) == []
