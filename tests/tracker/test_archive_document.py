"""docs/archive.md says what the files hold, and what it tells auditors to do works on files that the archivist made."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from storage.archive.chain import FAULTS, KINDS, START, Chain, Links, scan
from storage.archive.head_sender import MOST_WAITING
from storage.archive.heads import parse
from storage.archive.layout import ACCESS, EVENTS, FIXES
from storage.archive.verdict import FINDINGS, REASONS
from storage.archive.verify import verify
from tests.storage.archive.sealed import House
from tests.test_docs import section
from tests.tracker.archive_house import DAY, ArchiveHouse
from tests.tracker.helpers import record
from tests.tree import ROOT
from tracker.model import Doubt, Mark
from tracker.record import ENTITY, EVENT

TEXT = (ROOT / "docs" / "archive.md").read_text("utf-8")
NOON = 1_794_715_200_000
"""2026-11-15 12:00 in the city."""


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)[number]


def told_columns(head: str) -> list[tuple[str, str]]:
    rows = TEXT[TEXT.index(head) :].partition("\n| column |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \| (\w+) \|", rows, re.MULTILINE)


@pytest.fixture
def house(tmp_path: Path) -> ArchiveHouse:
    """A closed day with two points of one unit and a message without a fix."""
    house = ArchiveHouse(tmp_path, NOON + 60_000)
    house.put(
        record(NOON, unit="u1", device="d1", alarm=1, server_time=NOON + 60_000),
        record(NOON + 30_000, unit="u1", device="d1", server_time=NOON + 60_000),
        record(None, unit="u1", device="d1", server_time=NOON + 60_000),
        (ENTITY, NOON, "unit", "u1", {"name": "王"}),
        (EVENT, NOON, "access", "a1", {"who": "li", "role": "leader", "unit": "u1", "what": "track", "reason": "why",
                                       "address": "10.0.0.7", "about": {}}),
    )  # fmt: skip
    house.seal()
    house.now += 9 * DAY
    house.close_days()
    return house


def test_the_columns_are_those_of_the_files(house: ArchiveHouse) -> None:
    layout = house.archive.layout
    for head, path in (
        ("`fixes/<day>.parquet` has", layout.folder(FIXES) / "2026-11-15.parquet"),
        ("`fixes/<day>.details.parquet` has", layout.folder(FIXES) / "2026-11-15.details.parquet"),
        ("### Columns of events", layout.folder(EVENTS) / "2026-11-15.parquet"),
        ("### Columns of who looked at whom", layout.folder(ACCESS) / "2026-11-15.parquet"),
    ):
        with duckdb.connect() as db:
            found = db.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
        assert told_columns(head) == [(name, kind) for name, kind, *_ in found]


def test_the_bits_are_those_of_marks_and_doubts() -> None:
    told = {int(bit): name for bit, name in re.findall(r"^\| (\d+) \| `([A-Z_]+)`", TEXT, re.MULTILINE)}
    assert told == {int(one): one.name for one in Mark} | {int(one) << 8: one.name for one in Doubt}


def test_the_questions_can_be_asked(house: ArchiveHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house.archive.layout.root)
    with duckdb.connect() as db:
        track, devices, events = (db.execute(block("sql", number)).fetchall() for number in range(3))
    assert [row[0] for row in track] == ["u1", "u1"]
    assert [(row[2], row[3]) for row in devices] == [("d1", 1), ("d1", 0)]
    assert [row[2:] for row in events] == [("unit", "u1")]


def test_the_example_is_a_chain(tmp_path: Path) -> None:
    path = tmp_path / "chain.jsonl"
    path.write_text(block("jsonl"), "utf-8")
    links = Links()
    assert [links.take(line) for line in scan(path)] == ["", ""]
    assert not links.files
    command = next(one for one in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) if "sed" in one)
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    first, second = Chain(path).entries
    assert done.stdout.split()[0] == first.digest == second.previous
    head = parse(json.loads(block("json")))
    assert head.heads[FIXES] == (first.number, first.digest)


def test_every_key_and_word_is_told() -> None:
    text = section("docs/archive.md", "The chain")
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == set(json.loads(block("jsonl").splitlines()[0]))
    for word in (*KINDS, *REASONS, "request"):
        assert f"`{word}`" in text
    verifying = section("docs/archive.md", "Verifying")
    rows = re.findall(r"^\| ((?:`\w+` ?)+)\|", verifying, re.MULTILINE)
    assert {word for row in rows for word in re.findall(r"\w+", row)} == set(FINDINGS)
    assert set(FAULTS) <= set(FINDINGS)
    assert f"up to {MOST_WAITING} heads" in TEXT


# -- without anything of ours


def by_hand(folder: Path, *words: str) -> tuple[int, list[str]]:
    script = folder / "verify.py"
    script.write_text(block("python"), "utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(script), *words], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_the_script_is_short_and_needs_nothing() -> None:
    lines = [line for line in block("python").splitlines() if line]
    assert len(lines) <= 28
    assert lines[0] == "import hashlib, json, pathlib, sys"


def test_by_hand_what_is_sound_is_sound(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    house.delete(FIXES, "2026-11-20", "2026-11-20.parquet", "2026-11-20.details.parquet")
    number, digest = house.chains[FIXES].head
    assert by_hand(house.data, "archive/fixes") == (0, [f"4 files, 0 wrong; head: {number} {digest}"])
    number, digest = house.chains["photos"].head
    assert by_hand(house.data, "archive/photos", "media") == (0, [f"6 files, 0 wrong; head: {number} {digest}"])
    (house.layout.folder(EVENTS) / "chain.jsonl").touch()
    assert by_hand(house.data, "archive/events") == (0, [f"0 files, 0 wrong; head: 0 {START}"])


def test_by_hand_what_was_changed_is_named(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    house.path("archive/fixes/2026-11-21.parquet").write_bytes(b"other")
    house.path("archive/fixes/2026-11-22.parquet").unlink()
    assert by_hand(house.data, "archive/fixes")[1][:2] == [
        "not as it was sealed: 2026-11-21.parquet",
        "not as it was sealed: 2026-11-22.parquet",
    ]
    lines = house.lines(FIXES)
    for broken, line in (
        ([lines[0], lines[2]], 2),
        ([lines[0], lines[1].replace(b'"upto":200', b'"upto":201'), lines[2]], 2),
        ([lines[1], lines[0], lines[2]], 1),
    ):
        house.put_lines(FIXES, broken)
        assert by_hand(house.data, "archive/fixes") == (1, [f"line {line} is broken"])


def test_by_hand_and_by_command_agree_on_what_the_archivist_made(house: ArchiveHouse) -> None:
    number, digest = house.archive.chains[FIXES].head
    assert number == 1
    assert by_hand(house.data, "archive/fixes") == (0, [f"2 files, 0 wrong; head: {number} {digest}"])
    report = verify(house.data)
    assert (report.sound, report.files, report.entries) == (True, 4, 3)
