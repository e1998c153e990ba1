"""Sealing: hours of the journal become parts, runs become one, and what a killed child leaves does not count."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from storage.archive.archive import Archive
from storage.archive.layout import EVENTS, FIXES, MERGED
from tests.tracker.archive_house import DAY, HOUR, ArchiveHouse
from tests.tracker.helpers import record
from tracker import sealing
from tracker.archive_context import JobIncomplete
from tracker.record import ENTITY, EVENT

EIGHT = 1_795_392_000_000
"""2026-11-23 08:00 in Shanghai, when UTC's day begins."""
TODAY = "2026-11-23"


@pytest.fixture
def house(tmp_path: Path) -> ArchiveHouse:
    return ArchiveHouse(tmp_path, EIGHT)


def fixes(start: int, count: int, **others: object) -> list[object]:
    return [record(start + i * 1000, **others) for i in range(count)]


def test_an_hour_that_is_over_is_sealed_and_the_one_that_runs_is_not(house: ArchiveHouse) -> None:
    house.now = EIGHT + 10
    house.put(*fixes(EIGHT, 3))
    house.now = EIGHT + HOUR + 10
    house.put(*fixes(EIGHT + HOUR, 2))
    house.now = EIGHT + HOUR + 60_000
    last = house.bench.journal.last
    assert house.do("seal", upto=last, before=EIGHT + HOUR) == {"runs": 1, "records": 3, "sealed": 3}
    assert house.archive.sealed == 3
    assert house.parts() == fixes(EIGHT, 3)
    assert house.do("seal", upto=last, before=EIGHT + HOUR) == {"runs": 0, "records": 0, "sealed": 3}
    house.now = EIGHT + 2 * HOUR
    assert house.do("seal", upto=last, before=EIGHT + 2 * HOUR)["sealed"] == 5
    assert [(run.first, run.last) for run in house.archive.layout.runs()] == [(1, 3), (4, 5)]


def test_a_commit_of_the_future_does_not_stop_the_sealing(house: ArchiveHouse) -> None:
    house.now = EIGHT + 5 * HOUR  # by a clock that is set right afterwards
    house.put(*fixes(EIGHT, 1))
    house.now = EIGHT + 10
    house.put(*fixes(EIGHT + 1000, 1))
    house.now = EIGHT + HOUR + 1
    assert house.do("seal", upto=2, before=EIGHT + HOUR)["sealed"] == 2


def test_parts_are_by_the_city_day_of_the_fix(house: ArchiveHouse) -> None:
    midnight = EIGHT + 16 * HOUR
    house.put(record(midnight - 1), record(midnight), record(None, None, None), record(EIGHT - 30 * DAY))
    house.seal()
    (run,) = house.archive.layout.runs()
    assert sorted(run.parts(FIXES)) == ["2026-10-24", "2026-11-23", "2026-11-24"]
    assert [row.fix_time for row in house.parts("2026-11-24", "2026-11-24")] == [midnight]
    assert {row.fix_time for row in house.parts("2026-11-23", "2026-11-23")} == {midnight - 1, None}


def test_a_zone_whose_midnight_is_within_an_hour_of_utc(tmp_path: Path) -> None:
    house = ArchiveHouse(tmp_path, EIGHT, "Asia/Kathmandu")
    midnight = EIGHT - 5 * HOUR - 45 * 60_000
    house.put(record(midnight - 1), record(midnight))
    house.seal()
    assert [row.fix_time for row in house.parts("2026-11-22", "2026-11-22")] == [midnight - 1]
    assert [row.fix_time for row in house.parts("2026-11-23", "2026-11-23")] == [midnight]


def test_who_is_who_and_what_was_asked_is_sealed_too(house: ArchiveHouse) -> None:
    house.put((ENTITY, EIGHT, "unit", "p1", {"name": "王芳"}), record(EIGHT), (ENTITY, EIGHT, "unit", "p1", None))
    house.put((EVENT, EIGHT + 1, "command", "c1", {"state": "queued"}))
    house.seal()
    (run,) = house.archive.layout.runs()
    rows = house.rows(run.parts(EVENTS)["2026-11-23"])
    assert [(row["number"], row["what"], row["kind"], row["id"], row["fields"] is None) for row in rows] == [
        (1, ENTITY, "unit", "p1", False),
        (3, ENTITY, "unit", "p1", True),
        (4, EVENT, "command", "c1", False),
    ]


def test_a_long_journal_becomes_many_runs(house: ArchiveHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "RUN_RECORDS", 5)
    monkeypatch.setattr(sealing, "CHUNK_RECORDS", 2)
    for start in range(0, 20, 2):
        house.put(*fixes(EIGHT + start * 1000, 2))
    house.seal()
    assert [(run.first, run.last) for run in house.archive.layout.runs()] == [(1, 6), (7, 12), (13, 18), (19, 20)]
    assert house.parts() == fixes(EIGHT, 20)
    assert {"sealed": 12, "of": 20} in house.told


def test_records_that_the_journal_no_longer_has_do_not_stop_it(house: ArchiveHouse) -> None:
    house.put(*fixes(EIGHT, 2))
    house.now = EIGHT + DAY
    house.put(*fixes(EIGHT + DAY, 2))
    (house.data / "journal" / "2026-11-23.db").unlink()
    house.seal()
    assert [(run.first, run.last) for run in house.archive.layout.runs()] == [(3, 4)]
    assert house.parts() == fixes(EIGHT + DAY, 2)


def test_runs_that_were_lost_after_the_journal_let_go_of_their_days_do_not_stop_it(house: ArchiveHouse) -> None:
    house.put(*fixes(EIGHT, 2))
    house.seal()
    house.now = EIGHT + 9 * DAY
    house.close_days()
    house.put(*fixes(EIGHT + 2000, 1), *fixes(house.now, 1))
    (house.data / "journal" / "2026-11-23.db").unlink()
    shutil.rmtree(house.archive.layout.open)
    house.archive.layout.open.mkdir()
    assert house.seal() == {"runs": 1, "records": 4, "sealed": 4}
    assert house.parts() == [*fixes(EIGHT + 2000, 1), *fixes(house.now, 1)]


def test_runs_of_a_night_become_one(house: ArchiveHouse) -> None:
    for hour in range(3):
        house.put(*fixes(EIGHT + hour * HOUR, 2, unit=f"p{3 - hour}"))
        house.seal()
    whole = sorted(house.parts())
    assert house.do("merge") == {"runs": 3}
    (run,) = house.archive.layout.runs()
    assert (run.first, run.last) == (1, 6)
    assert [row["unit"] for row in house.rows(run.parts(FIXES)["2026-11-23"])] == ["p1", "p1", "p2", "p2", "p3", "p3"]
    assert sorted(house.parts()) == whole
    assert house.do("merge") == {"runs": 0}
    house.put(*fixes(EIGHT + 4 * HOUR, 1))
    house.seal()
    assert house.do("merge") == {"runs": 1}
    assert [(run.first, run.last) for run in house.archive.layout.runs()] == [(1, 6), (7, 7)]


def test_a_run_that_has_been_merged_is_not_taken_in_by_others(house: ArchiveHouse) -> None:
    for hour in range(3):
        house.put(*fixes(EIGHT + hour * HOUR, 1))
        house.seal()
        house.do("merge")
    for run in house.archive.layout.runs()[::2]:
        (run.path / MERGED).unlink()  # a child was killed while it took a run away
    whole = house.parts()
    house.do("merge")
    assert house.parts() == whole == [fix for hour in range(3) for fix in fixes(EIGHT + hour * HOUR, 1)]


def test_what_is_left_of_many_nights_becomes_one(house: ArchiveHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "FOLD_RUNS", 4)
    ahead = []
    for night in range(12):
        ahead.append(record(EIGHT + 100 * DAY + night))
        house.put(*fixes(house.now, 1), ahead[-1])
        house.seal()
        house.do("merge")
        house.close_days()
        house.now += DAY
        assert len(house.archive.layout.runs()) <= 12
    # The days of a week are open, so are their runs. Those before, which hold nothing but days to come, are one.
    assert len(house.archive.layout.runs()) < 8
    assert sorted(house.parts("2027-01-01")) == ahead
    assert len(house.archive.sources(FIXES, "2027-01-01", "2100-01-01")) < 8


def test_a_late_part_of_a_closed_day_does_not_join_what_was_before_the_closing(
    house: ArchiveHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "FOLD_RUNS", 2)
    house.put(*fixes(EIGHT, 1), *fixes(EIGHT + 100 * DAY, 1))
    house.seal()
    house.now += 9 * DAY
    house.close_days()
    house.put(*fixes(EIGHT + 5000, 1))
    house.seal()
    for count in (2, 0):
        assert house.do("merge") == {"runs": count}
        assert house.parts() == [*fixes(EIGHT + 5000, 1), *fixes(EIGHT + 100 * DAY, 1)]
    house.close_days()
    assert house.do("merge") == {"runs": 2}
    assert house.parts() == fixes(EIGHT + 100 * DAY, 1)


def test_a_part_that_cannot_be_read_does_not_stop_the_others(house: ArchiveHouse) -> None:
    for hour in range(5):
        house.put(*fixes(EIGHT + hour * HOUR, 1))
        house.seal()
    runs = house.archive.layout.runs()
    (runs[2].path / MERGED).touch()
    (runs[0].path / f"fixes.{TODAY}.parquet").write_bytes(b"nothing of ours")
    with pytest.raises(JobIncomplete, match="1-2: "):
        house.do("merge")
    assert [(run.first, run.last) for run in house.archive.layout.runs()] == [(1, 1), (2, 2), (3, 3), (4, 5)]


def test_what_a_killed_child_left_does_not_count(house: ArchiveHouse) -> None:
    house.put(*fixes(EIGHT, 2))
    house.seal()
    house.put(*fixes(EIGHT + HOUR, 2))
    open_ = house.archive.layout.open
    (open_ / "000000000003-000000000004.new").mkdir()
    (open_ / "spill").mkdir()
    # Killed after the rename of a merged run and before the runs in it went.
    merged = open_ / "000000000001-000000000002" / "fixes.2026-11-23.parquet"
    assert house.parts() == fixes(EIGHT, 2)
    house.seal()
    wide = open_ / "000000000001-000000000004"
    wide.mkdir()
    (wide / merged.name).write_bytes(merged.read_bytes())
    assert house.parts() == fixes(EIGHT, 2)
    house.do("merge")
    assert [path.name for path in open_.iterdir()] == [wide.name]


def test_a_sealing_that_fails_leaves_nothing(house: ArchiveHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house.put(*fixes(EIGHT, 2))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sealing, "sync_file", full)
    with pytest.raises(OSError, match="No space"):
        house.seal()
    assert list(house.archive.layout.open.iterdir()) == []
    monkeypatch.undo()
    assert house.seal()["sealed"] == 2


def test_an_archive_keeps_its_zone(tmp_path: Path) -> None:
    Archive(tmp_path, "Asia/Shanghai")
    Archive(tmp_path, "Asia/Shanghai")
    with pytest.raises(Exception, match='set zone = "Asia/Shanghai"'):
        Archive(tmp_path, "Asia/Urumqi")
