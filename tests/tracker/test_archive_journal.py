"""Which days of the journal may go: never one that anybody needs, whatever is not as it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.archive.layout import SNAPSHOTS
from storage.journal_files import DayFile, day_files
from tests.tracker.archive_house import DAY, HOUR, ArchiveHouse
from tests.tracker.helpers import NO_AREAS, NOON, record
from tracker import checkpoint
from tracker.archive_journal import OpenPart, deletable_days, drop_days
from tracker.pipeline import STATE_FORMAT, Pipeline

FILES = [DayFile("2026-11-20", 1, 10), DayFile("2026-11-21", 11, 20), DayFile("2026-11-22", 0, 0),
         DayFile("2026-11-23", 21, 30), DayFile("2026-12-10", 31, 40)]  # fmt: skip
DAYS = [file.day for file in FILES[:-1]]
LATER = NOON + 20 * DAY
MIDNIGHT = NOON + 12 * HOUR
"""The end of the 23rd."""


def test_all_but_the_newest_when_nobody_needs_them() -> None:
    assert deletable_days(FILES, [], 40, 40, LATER) == DAYS
    assert deletable_days(FILES[:1], [], 40, 40, LATER) == []
    assert deletable_days([], [], 40, 40, LATER) == []


@pytest.mark.parametrize(
    ("sealed", "covered", "days"),
    [(30, 30, 4), (29, 30, 3), (30, 29, 3), (20, 40, 3), (19, 40, 1), (40, 10, 1), (40, 9, 0), (0, 40, 0)],
)
@pytest.mark.parametrize("early", [False, True])
def test_what_is_not_sealed_or_not_covered_stays(sealed: int, covered: int, days: int, early: bool) -> None:
    assert deletable_days(FILES, [], sealed, covered, LATER, early=early) == DAYS[:days]


@pytest.mark.parametrize("early", [False, True])
def test_what_live_tracks_may_be_filled_from_stays(early: bool) -> None:
    hot = 49 * HOUR
    assert deletable_days(FILES, [], 40, 40, MIDNIGHT + hot, early=early) == DAYS
    assert deletable_days(FILES, [], 40, 40, MIDNIGHT + hot - 1, early=early) == DAYS[:3]
    assert deletable_days(FILES, [], 40, 40, MIDNIGHT - DAY + hot - 1, early=early) == DAYS[:2]


@pytest.mark.parametrize(
    ("part", "days"),
    [
        (("2026-11-21", 1, 5), 0),
        (("2026-11-21", 10, 10), 0),  # the city's day may be the one after
        (("2026-11-22", 10, 10), 4),
        (("2026-11-22", 10, 11), 1),
        (("2026-11-23", 11, 12), 4),
        (("2026-11-24", 25, 50), 3),
        (("2026-11-25", 25, 50), 4),  # of a device whose clock is ahead: closed when that day is
        (("2026-11-01", 31, 50), 4),  # came late, and after these
        (("2026-11-01", 15, 50), 1),
    ],
)
def test_what_may_be_of_an_open_day_stays_unless_the_disk_is_low(part: OpenPart, days: int) -> None:
    assert deletable_days(FILES, [part], 40, 40, LATER) == DAYS[:days]
    assert deletable_days(FILES, [part], 40, 40, LATER, early=True) == DAYS


def test_what_stays_has_no_gap() -> None:
    """A day that could go stays behind one that could not."""
    assert deletable_days(FILES, [("2026-11-20", 5, 5)], 40, 40, LATER) == []


# -- the jobs themselves


class Archived:
    """A house with three points a day, received and sealed, for so many days."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
        self.house = ArchiveHouse(folder, NOON)
        for _ in range(days):
            self.house.put(*(record(self.house.now - 60_000 * i, server_time=self.house.now) for i in range(3)))
            self.house.now += DAY
        name = f"{self.house.bench.journal.id}:{STATE_FORMAT}"

        def stored(url: str) -> tuple[str, int, list[bytes]]:
            line = Pipeline(lambda: NO_AREAS)
            for batch in self.house.bench.journal.read(1, 1 << 30):
                for each in batch.records:
                    line.take(each)
            return name, self.house.bench.journal.last, [state.pack() for state in line.states.values()]

        monkeypatch.setattr(checkpoint, "stored_states", stored)

    def night(self, *jobs: str) -> None:
        for job in jobs:
            if job == "seal":
                self.house.seal()
            else:
                self.house.do(job, upto=self.house.bench.journal.last, redis="")

    def drop(self, before: str = "9999-12-31", *, early: bool = False) -> int:
        return drop_days(self.house.context(), before, early=early)

    @property
    def days(self) -> int:
        return len(day_files(self.house.data / "journal"))


@pytest.fixture
def archived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archived:
    return Archived(tmp_path, monkeypatch, 12)


def test_a_day_goes_when_each_job_has_done_its_part(archived: Archived) -> None:
    for job, days in [("seal", 12), ("merge", 12), ("snapshot", 12), ("close", 8)]:
        archived.night(job)
        archived.drop()
        assert archived.days == days
    # Days that ended seven days ago are closed: up to the 27th, and a file's points may be of the day after it.
    assert day_files(archived.house.data / "journal")[0].stem == "2026-11-27"
    # And once more that much as the disk is low, down to what live tracks are filled from.
    assert archived.drop(early=True) == 6
    assert archived.days == 2
    archived.house.bench.close()


def test_only_days_before_the_one_named_go(archived: Archived) -> None:
    archived.night("seal", "close", "snapshot")
    assert archived.drop("2026-11-25") == 2
    assert archived.drop("2026-11-25") == 0
    assert archived.house.told[-2:] == [{"journal_day": "2026-11-23"}, {"journal_day": "2026-11-24"}]
    archived.house.bench.close()


def test_without_a_sound_snapshot_nothing_goes(archived: Archived) -> None:
    archived.night("seal", "close", "snapshot")
    (path,) = archived.house.archive.layout.folder(SNAPSHOTS).glob("*.snapshot")
    path.write_bytes(path.read_bytes()[:-1])
    assert archived.drop(early=True) == 0
    archived.house.bench.close()
