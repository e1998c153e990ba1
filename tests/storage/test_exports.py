"""Exports on the disk: whose they are, how long and how many, and what is left of those that nobody went on with."""

from __future__ import annotations

from pathlib import Path

from storage.exports import FOLDER, KEPT_MS, MOST, Export, announce, drop_exports, exports, file_of, half_of, tidy

NOW = 1_795_435_200_000


def made(data: Path, ticket: str, unit: str = "p1", at: int = NOW, size: int = 3) -> None:
    announce(data, Export(ticket, unit, at))
    if size:
        file_of(data, ticket).write_bytes(bytes(size))


def test_the_newest_comes_first(tmp_path: Path) -> None:
    assert exports(tmp_path) == []
    made(tmp_path, "a", at=NOW - 1)
    made(tmp_path, "b", "p2", size=0)
    assert exports(tmp_path) == [Export("b", "p2", NOW, 0), Export("a", "p1", NOW - 1, 3)]
    assert exports(tmp_path)[1].expires == NOW - 1 + KEPT_MS
    assert (tmp_path / FOLDER).stat().st_mode & 0o77 == 0


def test_what_is_old_too_much_or_left_behind_goes(tmp_path: Path) -> None:
    for number in range(MOST + 3):
        made(tmp_path, f"n{number:02}", at=NOW - number)
    made(tmp_path, "old", at=NOW - KEPT_MS)
    made(tmp_path, "ahead", at=NOW + 1)  # the clock was set back
    made(tmp_path, "busy", size=0)
    half_of(tmp_path, "busy").write_bytes(b"x")
    made(tmp_path, "left", size=0)
    half_of(tmp_path, "left").write_bytes(b"x")
    half_of(tmp_path, "nobody").write_bytes(b"x")
    (tmp_path / FOLDER / "broken.json").write_text("{")
    tidy(tmp_path, NOW, busy={"busy"})
    assert [one.ticket for one in exports(tmp_path)] == ["busy", *(f"n{number:02}" for number in range(MOST - 3))]
    left = {path.name for path in (tmp_path / FOLDER).iterdir() if path.suffix != ".json"}
    assert left == {"busy.zip.part", *(f"n{number:02}.zip" for number in range(MOST - 3))}


def test_those_of_a_unit_go(tmp_path: Path) -> None:
    made(tmp_path, "a")
    made(tmp_path, "b", "p2")
    half_of(tmp_path, "a").write_bytes(b"x")
    assert drop_exports(tmp_path, "p1") == 1
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == ["b.json", "b.zip"]
