"""./run verify: what it prints, how it ends, and the same as a job."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from storage.archive.archive import Archive
from storage.archive.heads import Head, line_of
from storage.archive.layout import FIXES
from storage.journal_files import JournalFiles
from tests.storage.archive.sealed import House
from tests.tree import ROOT
from tracker.archive_context import Context
from tracker.verifying import main, verify


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    (tmp_path / "city.toml").write_text('[city]\nname = "江城"\n', "utf-8")
    monkeypatch.setenv("GRIDBEAT_CONFIG", str(tmp_path / "city.toml"))
    return House(tmp_path / "data")


def head_file(city: House, *heads: Head) -> str:
    path = city.data.parent / "heads.jsonl"
    path.write_bytes(b"".join(map(line_of, heads)))
    return str(path)


def named(head: Head, city: str) -> Head:
    return Head(city, head.at, head.heads)


def test_sound(city: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out, progress = capsys.readouterr()
    assert out.startswith("As it was sealed: 15 files")
    assert "与封存时一致" in out
    assert "100 %  archive/snapshots/2026-11-22.snapshot" in progress


def test_each_file_is_named_and_the_status_is_1(city: House, capsys: pytest.CaptureFixture[str]) -> None:
    city.path("archive/fixes/2026-11-21.parquet").unlink()
    assert main([]) == 1
    out, progress = capsys.readouterr()
    assert out.splitlines()[:2] == [
        "archive/fixes/2026-11-21.parquet: it is missing, and no entry says that it was deleted",
        "    文件缺失，且没有删除记录",
    ]
    assert "NOT as it was sealed: 1 finding(s)" in out
    assert "waiting for the archive to be at rest" in progress


def test_with_heads_of_several_cities(city: House, capsys: pytest.CaptureFixture[str]) -> None:
    other = Head("别处", 5, {FIXES: (9, "f" * 64)})
    path = head_file(city, other, named(city.head(), "江城"))
    assert main(["--head", path]) == 0
    out, said = capsys.readouterr()
    assert "fixes: entries 1 to 3 (closed days up to 2026-11-22)" in out
    assert "and as the heads say." in out
    assert "别处" in said
    city.put_lines(FIXES, city.lines(FIXES)[:1])
    assert main(["--head", path]) == 1
    assert "entry 3 went out as the head" in capsys.readouterr().out


def test_lines_that_are_no_heads_are_told(city: House, capsys: pytest.CaptureFixture[str]) -> None:
    path = head_file(city, named(city.head(), "江城"))
    Path(path).write_bytes(b"{}\n" + Path(path).read_bytes() + b'{"city":"\xe6\xb1')
    assert main(["--head", path]) == 0
    assert "1 line(s) are no heads 有 1 行不是链头: 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "no such file"), (b"", "there is no head in it"), (b"hello\n", "there is no head in it")],
)
def test_without_a_head_in_it_a_file_proves_nothing(
    city: House, capsys: pytest.CaptureFixture[str], content: bytes | None, told: str
) -> None:
    path = city.data.parent / "heads.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert main(["--head", str(path)]) == 1
    assert told in capsys.readouterr().err


def test_heads_of_other_cities_alone_prove_nothing(city: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--head", head_file(city, city.head())]) == 1
    assert "holds no head of 江城" in capsys.readouterr().err


def test_without_an_archive(city: House, capsys: pytest.CaptureFixture[str]) -> None:
    (city.data.parent / "city.toml").write_text('[server]\ndata = "elsewhere"\n')
    assert main([]) == 1
    assert "there is no archive in" in capsys.readouterr().err
    (city.data.parent / "city.toml").write_text("[server]\nport = 1\n")
    assert main([]) == 1
    assert "city.toml:2: [server] port is not a setting" in capsys.readouterr().err


def test_as_a_command_it_leaves_everything_as_it_was(city: House) -> None:
    before = {path: path.stat().st_mtime_ns for path in city.data.rglob("*")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tracker.verifying"],
        env={"PYTHONPATH": str(ROOT), "GRIDBEAT_CONFIG": str(city.data.parent / "city.toml"), "LC_ALL": "C"},
        capture_output=True,
        cwd=city.data.parent,
        check=False,
    )
    assert (done.returncode, "与封存时一致" in done.stdout.decode()) == (0, True)
    assert {path: path.stat().st_mtime_ns for path in city.data.rglob("*")} == before


def test_as_a_job_it_answers_what_a_page_can_show(city: House) -> None:
    (city.data / "journal").mkdir()
    city.path("media/2026-11-21/one.jpg").write_bytes(b"another face")
    told: list[dict[str, object]] = []
    archive = Archive(city.data / "archive", "Asia/Shanghai")
    result = verify(Context(city.data, archive, JournalFiles(city.data / "journal"), city.now, told.append), {})
    assert json.loads(json.dumps(result)) == result
    assert not result["sound"]
    assert [one["name"] for one in result["findings"]] == ["media/2026-11-21/one.jpg"]
    assert told[-2]["percent"] == 100
