"""A unit's points out of the archive's files: exactly as they went in, whatever happens to the files meanwhile."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from storage.archive.layout import FIXES, details_of
from storage.archive.reader import Reader
from tests.tracker.archive_house import DAY, HOUR, ArchiveHouse
from tests.tracker.helpers import NO_AREAS, record
from tracker import archive_tracks
from tracker.archive_nearby import ArchiveNearby
from tracker.archive_tracks import ALL, ArchiveTracks, Lost, TooMuch
from tracker.nearby import Circle
from tracker.pipeline import judge
from tracker.record import ReportRecord

EIGHT = 1_795_392_000_000
"""2026-11-23 08:00 in the city."""
TODAY, TOMORROW = "2026-11-23", "2026-11-24"
ALWAYS = (EIGHT - 90 * DAY, EIGHT + 90 * DAY)


@pytest.fixture
def house(tmp_path: Path) -> ArchiveHouse:
    return ArchiveHouse(tmp_path, EIGHT)


@pytest.fixture
def tracks(house: ArchiveHouse) -> Iterator[ArchiveTracks]:
    reader = Reader(house.archive.layout.root)
    yield ArchiveTracks(house.archive, reader)
    reader.close()


def read(
    tracks: ArchiveTracks, unit: str = "p1", start: int = ALWAYS[0], end: int = ALWAYS[1]
) -> tuple[list[Any], set[str]]:
    """Records with the doubts that are stored with them, None where none are; and the days with gaps."""

    def work(lost: Lost) -> tuple[list[Any], set[str]]:
        found: list[Any] = []
        for listed in tracks.sources([(start, end, ALL)]).values():
            day = tracks.day(unit, listed, lost)
            if day.final:
                found += zip(day.records, day.doubts, strict=True)
            else:
                found += [(one, None) for one in (*day.records, *day.others)]
        return found, lost.days

    return tracks.retrying(work)


def records_in(found: list[Any]) -> list[ReportRecord]:
    return [one for one, _ in found]


def strange(random: Random, moment: int) -> ReportRecord:
    """A located report with any values that there may be."""

    def number(*others: int | None) -> Any:
        return random.choice([*others, random.randrange(1 << 31), -random.randrange(1 << 31), random.randrange(100)])

    return record(
        moment, random.randrange(-900_000_000, 900_000_001), random.randrange(-1_800_000_000, 1_800_000_001),
        device=random.choice(["d1", "设备'2", ""]), duty=random.choice([0, 1, 1 << 40]),
        server_time=random.choice([moment + random.randrange(DAY), 0, 1 << 62]),
        device_time=random.choice([None, moment, -5, 1 << 50]), altitude=number(None, 1 << 31, 1 << 63, 1.5),
        speed=number(None), course=number(None, "north"), accuracy=number(None, 40_000),
        status=random.choice([0, (1 << 32) - 1, (1 << 64) - 1]), alarm=random.choice([0, 1, 1 << 63]),
        marks=random.randrange(8), original=random.choice([None, (1, -2), (900_000_000, 0)]),
        items=random.choice([None, {}, {"a": (1, b"\x00\xff", None, "文", {"b": 2.5})}, {7: True}]),
    )  # fmt: skip


def test_reports_come_back_exactly_from_parts_and_from_closed_days(house: ArchiveHouse, tracks: ArchiveTracks) -> None:
    random = Random(4)
    given = [strange(random, EIGHT + i * 1000) for i in range(300)]
    house.put(*given, record(EIGHT, unit="p2"), record(None, None, None))
    assert read(tracks) == ([], set())
    house.seal()
    found, gaps = read(tracks)
    assert sorted(records_in(found), key=lambda one: one.fix_time or 0) == given
    assert gaps == set()
    assert records_in(read(tracks, start=EIGHT + 1000, end=EIGHT + 2000)[0]) == given[1:3]
    house.now += 9 * DAY
    assert house.close_days() == [f"{TODAY}.parquet"]
    found, _ = read(tracks)
    assert sorted(records_in(found), key=lambda one: one.fix_time or 0) == given
    assert {doubts for _, doubts in found} == {None}, "what no column holds was not judged with the others"


def test_a_closed_day_has_its_flags_with_it(house: ArchiveHouse, tracks: ArchiveTracks) -> None:
    random = Random(5)
    given = [
        record(EIGHT + i * 60_000, random.choice([306_600_000, 316_600_000]), accuracy=random.choice([10, 9000]))
        for i in range(100)
    ]
    house.put(*given)
    house.seal()
    house.now += 9 * DAY
    house.close_days()
    assert read(tracks)[0] == [(one, doubts) for one, doubts, _ in judge(given, NO_AREAS)]


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def exchange(path: Path) -> None:
    shutil.copy(path.parent / details_of(f"{TOMORROW}.parquet"), path)


@pytest.mark.parametrize(
    ("name", "how", "reason"),
    [
        (f"{TODAY}.parquet", damage, "magic"),
        (f"{TODAY}.parquet", Path.unlink, "it is missing"),
        (details_of(f"{TODAY}.parquet"), damage, "magic"),
        (details_of(f"{TODAY}.parquet"), Path.unlink, "it is missing"),
        (details_of(f"{TODAY}.parquet"), exchange, "its two files do not belong together"),
    ],
)
def test_a_damaged_file_costs_its_own_points_and_is_named(
    house: ArchiveHouse, tracks: ArchiveTracks, name: str, how: Any, reason: str
) -> None:
    today, tomorrow = [record(EIGHT + i) for i in range(5)], [record(EIGHT + DAY + i) for i in range(7)]
    house.put(*today, *tomorrow)
    house.seal()
    house.now += 9 * DAY
    house.close_days()
    path = house.archive.layout.folder(FIXES) / name
    whole = path.read_bytes()
    how(path)
    found, gaps = read(tracks)
    assert (records_in(found), gaps) == (tomorrow, {TODAY})
    ((told, why),) = tracks.reader.damaged.items()
    assert (told, reason in why) == (path, True), why
    assert read(tracks, start=EIGHT + DAY)[1] == set(), "who does not ask for it is not told"
    path.write_bytes(whole)
    assert records_in(read(tracks)[0]) == [*today, *tomorrow]
    assert tracks.reader.damaged == {}


def test_a_damaged_part_costs_its_own_points(house: ArchiveHouse, tracks: ArchiveTracks) -> None:
    for hour in range(3):
        house.put(record(EIGHT + hour * HOUR))
        house.seal()
    damage(house.archive.layout.runs()[1].parts(FIXES)[TODAY])
    found, gaps = read(tracks)
    assert [one.fix_time for one in records_in(found)] == [EIGHT, EIGHT + 2 * HOUR]
    assert gaps == {TODAY}
    circle = Circle(306_600_000, 1_174_900_000, 10)
    nearby = ArchiveNearby(tracks).find(circle, *ALWAYS, [])
    assert [(visit.fixes, visit.last) for visit in nearby.visits] == [(2, EIGHT + 2 * HOUR)]
    assert nearby.unreadable == [TODAY]


def test_whoever_was_near_is_doubted_as_history_doubts_it(house: ArchiveHouse, tracks: ArchiveTracks) -> None:
    house.put(
        record(EIGHT),
        record(EIGHT + 10_000, 316_600_000),
        record(EIGHT + 20_000),
        record(EIGHT + 30_000, accuracy=9000),
    )
    circle = Circle(316_600_000, 1_174_900_000, 10)
    house.seal()
    find = ArchiveNearby(tracks).find
    assert [(visit.fixes, visit.doubted) for visit in find(circle, *ALWAYS, []).visits] == [(1, 0)]
    house.now += 9 * DAY
    house.close_days()
    assert [(visit.fixes, visit.doubted) for visit in find(circle, *ALWAYS, []).visits] == [(1, 1)]
    here = Circle(306_600_000, 1_174_900_000, 10)
    assert [(visit.fixes, visit.doubted) for visit in find(here, *ALWAYS, []).visits] == [(3, 1)]


def test_too_much_is_told_before_it_is_read(
    house: ArchiveHouse, tracks: ArchiveTracks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_tracks, "DAYS_UNCOUNTED", 2)
    for day in range(4):
        house.put(*[record(EIGHT + day * DAY + i) for i in range(10)])
    house.seal()
    house.now += 9 * DAY
    house.close_days()

    def count(limit: int) -> None:
        tracks.retrying(lambda lost: tracks.count("p1", tracks.sources([(*ALWAYS, ALL)]), lost, limit))

    count(20)
    with pytest.raises(TooMuch):
        count(19)
    assert tracks.reader.damaged == {}


def test_files_are_swapped_while_they_are_read(house: ArchiveHouse, tracks: ArchiveTracks) -> None:
    """Merged and closed in another thread, all the time."""
    given = [record(EIGHT + day * DAY + i * HOUR) for day in range(6) for i in range(6)]
    for one in given:
        house.put(one)
        house.seal()
    jobs = iter([("merge", 0), *(("close", 8 + day) for day in range(6)), ("merge", 0)])
    stopped = threading.Event()

    def swap() -> None:
        try:
            for job, days in jobs:
                house.now = EIGHT + days * DAY
                house.do(job)
        finally:
            stopped.set()

    thread = threading.Thread(target=swap)
    thread.start()
    rounds = 0
    while not stopped.is_set() or not rounds:
        found, gaps = read(tracks)
        assert (sorted(records_in(found)), gaps) == (given, set())
        rounds += 1
    thread.join()
    assert (sorted(records_in(read(tracks)[0])), tracks.reader.damaged) == (given, {})
    assert next(jobs, None) is None, "every job came to its end"
