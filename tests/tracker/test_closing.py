"""Closing: a day becomes its files, each point once with its final flags; what comes later a supplement."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.archive.chain import Chain
from storage.archive.layout import CLASSES, EVENTS, FIXES, details_of
from tests.tracker.archive_house import DAY, HOUR, ArchiveHouse
from tests.tracker.helpers import LAT, LON, record
from tracker import closing
from tracker.archive_context import JobIncomplete
from tracker.areas import AreaIndex
from tracker.model import Doubt, Mark
from tracker.pipeline import judge
from tracker.record import ENTITY, ReportRecord

EIGHT = 1_795_392_000_000
TODAY = "2026-11-23"
BACKFILL = int(Mark.BACKFILL)


@pytest.fixture
def house(tmp_path: Path) -> ArchiveHouse:
    return ArchiveHouse(tmp_path, EIGHT)


def sealed(house: ArchiveHouse, name: str = f"{TODAY}.parquet") -> list[tuple[ReportRecord, int]]:
    """The located reports of a closed day with the doubts about them, put together from its two files."""
    folder = house.archive.layout.folder(FIXES)
    main, details = house.rows(folder / name), house.rows(folder / details_of(name))
    found = []
    for row, more in zip(main, [one for one in details if one["located"]], strict=True):
        assert (row["unit"], row["fix_time"]) == (more["unit"], more["moment"])
        found.append(
            (
                record(
                    row["fix_time"], row["latitude"], row["longitude"], unit=row["unit"], speed=row["speed"],
                    course=row["course"], accuracy=row["accuracy"], marks=row["flags"] & 0xFF,
                    server_time=row["fix_time"] + row["delay"], device=more["device"], duty=more["duty"],
                    device_time=more["device_time"], altitude=more["altitude"], status=more["status"],
                    alarm=more["alarm"],
                ),
                row["flags"] >> 8,
            )
        )  # fmt: skip
    return found


def judged(records: Sequence[ReportRecord]) -> list[tuple[ReportRecord, int]]:
    units = sorted({one.unit for one in records})
    return [
        (one, doubts)
        for unit in units
        for one, doubts, _ in judge([one for one in records if one.unit == unit], AreaIndex())
    ]


def close_after(house: ArchiveHouse, days: int) -> list[str]:
    house.now += days * DAY
    return house.close_days()


def test_a_day_closes_a_week_after_it_ended(house: ArchiveHouse) -> None:
    house.put(record(EIGHT))
    house.seal()
    house.now = EIGHT + 16 * HOUR + 7 * DAY - 1
    assert house.close_days() == []
    house.now += 1
    assert house.close_days() == [f"{TODAY}.parquet"]
    assert house.parts() == []
    assert sealed(house) == [(record(EIGHT), 0)]
    assert house.archive.sealed == 1
    assert house.close_days() == []


def test_the_entry_is_true_of_the_files(house: ArchiveHouse) -> None:
    house.put(record(EIGHT), record(None, None, None, server_time=EIGHT), record(EIGHT + 1000, unit="p2"))
    house.seal()
    close_after(house, 8)
    (entry,) = house.archive.chains[FIXES].entries
    assert (entry.kind, entry.day, entry.upto, entry.made) == ("day", TODAY, 3, house.now)
    assert [(one.name, one.rows) for one in entry.files] == [(f"{TODAY}.parquet", 2), (f"{TODAY}.details.parquet", 3)]
    for one in entry.files:
        data = (house.archive.layout.folder(FIXES) / one.name).read_bytes()
        assert (one.bytes, one.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_nothing_of_a_day_is_lost(house: ArchiveHouse) -> None:
    strange = record(EIGHT + 5)._replace(altitude=1 << 40)
    without = record(None, None, None, server_time=EIGHT + 7, items={"battery": 5})
    house.put(strange, without, record(EIGHT, items={"raw": ((1, b"\x02"),)}, original=(LAT + 1, LON + 1)))
    house.seal()
    close_after(house, 8)
    details = house.rows(house.archive.layout.folder(FIXES) / f"{TODAY}.details.parquet")
    assert [(row["located"], row["moment"], row["server_time"]) for row in details] == [
        (True, EIGHT, None),
        (False, EIGHT + 5, strange.server_time),
        (False, EIGHT + 7, EIGHT + 7),
    ]
    assert details[0]["items"] is not None
    assert (details[0]["original_latitude"], details[0]["original_longitude"]) == (LAT + 1, LON + 1)
    assert details[1]["raw"] is not None


def test_what_comes_later_is_a_supplement_without_what_is_known(house: ArchiveHouse) -> None:
    first, late = record(EIGHT), record(EIGHT + 1000, marks=BACKFILL)
    house.put(first)
    house.seal()
    close_after(house, 8)
    house.put(first._replace(server_time=house.now, marks=BACKFILL), late)
    house.seal()
    assert len(house.parts()) == 2
    assert house.close_days() == [f"{TODAY}.late-2026-12-01.parquet"]
    assert sealed(house, f"{TODAY}.late-2026-12-01.parquet") == [(late, 0)]
    assert [entry.kind for entry in house.archive.chains[FIXES].entries] == ["day", "supplement"]
    # Once more on the same day: it waits for the next one.
    house.put(record(EIGHT + 2000))
    house.seal()
    assert house.close_days() == []
    assert len(house.parts()) == 1
    assert close_after(house, 1) == [f"{TODAY}.late-2026-12-02.parquet"]


def test_only_known_points_again_make_no_supplement(house: ArchiveHouse) -> None:
    house.put(record(EIGHT))
    house.seal()
    close_after(house, 8)
    house.put(record(EIGHT, server_time=house.now))
    house.seal()
    assert house.close_days() == []
    assert house.parts() == []


def test_a_copy_that_was_sent_at_once_comes_in_after_one_that_was_stored(house: ArchiveHouse) -> None:
    stored = record(EIGHT, marks=BACKFILL)
    house.put(stored)
    house.seal()
    close_after(house, 8)
    house.put(stored._replace(marks=0, server_time=house.now))
    house.seal()
    assert house.close_days() == [f"{TODAY}.late-2026-12-01.parquet"]


def test_a_kill_between_entry_and_cleaning_up_counts_nothing_twice(house: ArchiveHouse, tmp_path: Path) -> None:
    house.put(record(EIGHT))
    house.seal()
    kept = tmp_path / "kept"
    shutil.copytree(house.archive.layout.open, kept)
    close_after(house, 8)
    shutil.rmtree(house.archive.layout.open)
    shutil.copytree(kept, house.archive.layout.open)
    assert house.parts() == []
    house.put(record(EIGHT + 1000))
    house.seal()
    assert house.parts() == [record(EIGHT + 1000)]
    assert house.do("merge") == {"runs": 2}
    assert house.parts() == [record(EIGHT + 1000)]
    assert house.close_days() == [f"{TODAY}.late-2026-12-01.parquet"]


def test_a_day_whose_files_cannot_be_read_does_not_stop_the_others(house: ArchiveHouse) -> None:
    house.put(record(EIGHT), record(EIGHT + DAY))
    house.seal()
    close_after(house, 9)
    (house.archive.layout.folder(FIXES) / f"{TODAY}.parquet").write_bytes(b"nothing of ours")
    house.put(record(EIGHT + 1000), record(EIGHT + DAY + 1000))
    house.seal()
    with pytest.raises(JobIncomplete, match=f"fixes of {TODAY}: "):
        house.do("close")
    assert house.parts() == [record(EIGHT + 1000)]
    assert [entry.day for entry in house.archive.chains[FIXES].entries] == [TODAY, "2026-11-24", "2026-11-24"]


def test_files_of_a_closing_that_was_killed_are_taken_back(
    house: ArchiveHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.put(record(EIGHT))
    house.seal()
    close_after(house, 8)
    house.put(record(EIGHT + 1000))
    house.seal()

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Chain, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            house.do("close")
    assert close_after(house, 1) == [f"{TODAY}.late-2026-12-02.parquet"]
    names = {path.name for path in house.archive.layout.folder(FIXES).iterdir()}
    assert names == {"chain.jsonl", *house.archive.chains[FIXES].files()}
    assert not house.archive.layout.placed.exists()


def test_an_archive_that_lost_its_runs_gets_them_from_the_journal(house: ArchiveHouse) -> None:
    house.put(record(EIGHT))
    house.seal()
    close_after(house, 8)
    house.put(record(EIGHT + 1000), record(house.now))
    house.seal()
    shutil.rmtree(house.archive.layout.open)
    house.archive.layout.open.mkdir()
    house.seal()
    assert sorted(house.parts()) == sorted([record(EIGHT + 1000), record(house.now)])


def test_days_past_their_keep_are_left_to_tidying(house: ArchiveHouse) -> None:
    house.put(record(EIGHT - 40 * DAY), record(EIGHT - 20 * DAY))
    house.seal()
    limits = {kind: [30, 0] for kind in CLASSES}
    assert house.do("close", limits=limits)["closed"] == ["2026-11-03.parquet"]
    assert len(house.parts()) == 1
    house.do("tidy", limits=limits)
    assert house.parts() == []
    assert [entry.day for entry in house.archive.chains[FIXES].entries] == ["2026-11-03"]


def test_events_are_closed_in_their_order(house: ArchiveHouse) -> None:
    house.put((ENTITY, EIGHT, "unit", "p1", {"name": "a"}))
    house.seal()
    house.put((ENTITY, EIGHT + 1, "unit", "p1", None))
    house.seal()
    close_after(house, 8)
    rows = house.rows(house.archive.layout.folder(EVENTS) / f"{TODAY}.parquet")
    assert [row["number"] for row in rows] == [1, 2]


_POINTS = st.lists(
    st.builds(
        lambda second, unit, device, north, delay, live, timed, accuracy, status: record(
            EIGHT + second * 1000, LAT + north * 90, LON, unit=f"p{unit}", device=f"d{unit}{device}",
            server_time=EIGHT + second * 1000 + delay, marks=0 if live else BACKFILL, accuracy=accuracy,
            status=status, device_time=EIGHT + second * 1000 if timed else None,
        ),
        st.integers(0, 40), st.integers(0, 2), st.integers(0, 1) | st.just(0),
        st.sampled_from([0, 0, 0, 1, 5, 400, 3000, 40_000]), st.sampled_from([0, 500, 700_000, -130_000, 90_000_000]),
        st.booleans(), st.booleans(), st.sampled_from([None, 50, 2500]), st.sampled_from([0, 0, 0, 3]),
    ),
    min_size=1, max_size=40,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=_POINTS, cut=st.integers(0, 40))
def test_a_closed_day_is_what_judging_all_of_it_gives(
    records: list[ReportRecord], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    house = ArchiveHouse(tmp_path_factory.mktemp("house"), EIGHT)
    for some in (records[:cut], records[cut:]):
        if some:
            house.put(*some)
            house.seal()
    close_after(house, 8)
    assert sealed(house) == judged(records)


def test_the_days_of_many_units_are_written_in_pieces(house: ArchiveHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "CHUNK_ROWS", 5)
    records = [record(EIGHT + i * 1000, unit=f"p{unit:02d}") for i in range(3) for unit in range(10)]
    house.put(*records)
    house.seal()
    close_after(house, 8)
    assert sealed(house) == judged(records)
    assert {"closing": TODAY, "units": 4, "of": 10} in house.told


def test_jumps_are_found(house: ArchiveHouse) -> None:
    away: list[Any] = [record(EIGHT), record(EIGHT + 1000, LAT + 9_000_000), record(EIGHT + 2000)]
    house.put(*away)
    house.seal()
    close_after(house, 8)
    assert [doubts for _, doubts in sealed(house)] == [0, int(Doubt.JUMP), 0]
