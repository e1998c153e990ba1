"""Fixes of many units at once: what the tracks say, or nothing; and what shows that there is something else to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from storage.archive.layout import CLASSES, FIXES
from storage.archive.reader import Reader
from tests.tracker.archive_house import DAY, HOUR, ArchiveHouse
from tests.tracker.helpers import LAT, LON, NO_AREAS, record
from tracker.archive_tracks import ArchiveTracks
from tracker.day_fixes import DayFixes, Look
from tracker.model import DISBELIEVED
from tracker.pipeline import judge
from tracker.tail import Tail

EIGHT = 1_795_392_000_000
"""2026-11-23 08:00 in the city."""
TODAY, TOMORROW = "2026-11-23", "2026-11-24"
SPAN = EIGHT - HOUR, EIGHT + 9 * HOUR
STEP = 900
"""1e-7 degrees: ten metres."""


@pytest.fixture
def house(tmp_path: Path) -> ArchiveHouse:
    return ArchiveHouse(tmp_path, EIGHT + 10 * HOUR)


@pytest.fixture
def fixes(house: ArchiveHouse) -> Iterator[DayFixes]:
    reader = Reader(house.archive.layout.root)
    yield DayFixes(ArchiveTracks(house.archive, reader))
    reader.close()


def walk(unit: str, *, every: int = 60_000, number: int = 400, **others: Any) -> list[Any]:
    return [
        record(EIGHT + n * every, LAT + n * STEP, LON, unit=unit, device=f"d-{unit}", **others) for n in range(number)
    ]


def strangers(random: Random) -> dict[str, list[Any]]:
    """Days of units, each with something of its own."""
    jumpy = walk("jumpy")
    jumpy[50:52] = [one._replace(latitude=LAT + 9_000_000) for one in jumpy[50:52]]
    again = walk("again")
    two = [one._replace(device="d-other") if n % 7 == 0 else one for n, one in enumerate(walk("two"))]
    same_time = walk("same-time")
    return {
        "plain": walk("plain"),
        "vague": [one._replace(accuracy=9000) if random.random() < 0.1 else one for one in walk("vague")],
        "ahead": [one._replace(server_time=one.server_time - 200_000) if n == 9 else one
                  for n, one in enumerate(walk("ahead"))],
        "sos": [*walk("sos"), record(EIGHT + 30_000, LAT, LON, unit="sos", device="d-sos", duty=0, alarm=1)],
        "lost": [*walk("lost"), record(EIGHT + 10_000, None, None, unit="lost", device="d-lost")],
        "jumpy": jumpy,
        "again": [*again, *again[20:40]],
        "later": [*walk("later"), *(one._replace(server_time=one.server_time + HOUR, marks=2)
                                    for one in walk("later")[3:9])],
        "two": two,
        "same-time": [*same_time, same_time[7]._replace(longitude=LON + 20)],
        "wide": [*walk("wide"), record(EIGHT + 5000, LAT, LON, unit="wide", device="d-wide", speed="fast")],
        "nobody": [],
    }  # fmt: skip


PLAIN = {"plain", "vague", "ahead", "sos", "lost", "again", "later", "nobody"}
"""Those of whom nothing is in doubt but by itself."""


def expected(records: Sequence[Any], start: int, end: int) -> list[tuple[int, int, int]]:
    return [
        (one.fix_time, one.latitude, one.longitude)
        for one, doubts, _ in judge(records, NO_AREAS)
        if not doubts & int(DISBELIEVED) and one.duty and start <= one.fix_time <= end
    ]


def found(fixes: DayFixes, units: Sequence[str], span: tuple[int, int] = SPAN) -> dict[str, list[tuple[int, ...]]]:
    return {
        unit: list(zip(of.times.tolist(), of.latitudes.tolist(), of.longitudes.tolist(), strict=True))
        for unit, of in fixes.read(dict.fromkeys(units, span)).items()
    }


def put(house: ArchiveHouse, days: dict[str, list[Any]]) -> None:
    house.put(*sorted((one for of in days.values() for one in of), key=lambda one: one.server_time))
    house.seal()


def test_of_an_open_day_it_says_what_the_track_says_or_nothing(house: ArchiveHouse, fixes: DayFixes) -> None:
    days = strangers(Random(1))
    put(house, days)
    answered = found(fixes, [*days])
    assert answered == {unit: expected(days[unit], *SPAN) for unit in PLAIN}
    part = EIGHT + HOUR + 1, EIGHT + 3 * HOUR
    assert found(fixes, [*days], part) == {unit: expected(days[unit], *part) for unit in PLAIN}


def test_of_a_closed_day_it_says_what_was_judged(house: ArchiveHouse, fixes: DayFixes) -> None:
    days = strangers(Random(2))
    wide = {"wide": days.pop("wide")}
    put(house, days)
    house.now += 9 * DAY
    house.close_days()
    assert found(fixes, [*days]) == {unit: expected(of, *SPAN) for unit, of in days.items()}
    # What comes later belongs to a supplement in the end; whom it is about is read as a track from then on.
    house.put(record(EIGHT + 1500, LAT, LON, unit="plain", device="d-plain", server_time=house.now))
    house.seal()
    assert found(fixes, [*days]).keys() == days.keys() - {"plain"}
    house.now += DAY
    house.close_days()
    assert found(fixes, [*days]).keys() == days.keys() - {"plain"}
    # A value that no column holds is found by reading tracks.
    put(house, {unit: [one._replace(fix_time=one.fix_time + DAY) for one in of] for unit, of in wide.items()})
    house.now += 9 * DAY
    house.close_days()
    assert found(fixes, ["wide", "plain"], (EIGHT, EIGHT + 2 * DAY)) == {}


def test_a_night_lies_in_two_days(house: ArchiveHouse, fixes: DayFixes) -> None:
    night = [one._replace(fix_time=one.fix_time + 14 * HOUR) for one in walk("night", number=300)]
    put(house, {"night": night, "day": walk("day")})
    span = EIGHT + 13 * HOUR, EIGHT + 23 * HOUR
    assert found(fixes, ["night"], span) == {"night": expected(night, *span)}
    house.now += 8 * DAY  # the first of the two is closed
    assert house.close_days() == [f"{TODAY}.parquet"]
    assert found(fixes, ["night"], span) == {"night": expected(night, *span)}


def test_of_a_damaged_file_it_says_nothing(house: ArchiveHouse, fixes: DayFixes) -> None:
    put(house, {"plain": walk("plain")})
    (path,) = house.archive.layout.runs()[0].parts(FIXES).values()
    path.write_bytes(path.read_bytes()[:-50])
    assert found(fixes, ["plain"]) == {}


def look(fixes: DayFixes, tail: Tail | None = None) -> Look:
    tail = tail or Tail()
    return fixes.look(TODAY, TOMORROW, tail.sealed, tail.units, tail.points())


def test_it_shows_when_something_has_changed(house: ArchiveHouse, fixes: DayFixes) -> None:
    seen = [look(fixes).files]

    def changed() -> set[str]:
        seen.append(look(fixes).files)
        return {day for day in seen[-1] if seen[-1][day] != seen[-2][day]}

    put(house, {"plain": walk("plain"), "gone": walk("gone")})
    assert changed() == {TODAY}
    assert changed() == set()
    put(house, {"late": walk("late")})
    assert changed() == {TODAY}
    house.do("merge")
    assert changed() == {TODAY}
    off = {"unit": "late", "start": EIGHT, "end": EIGHT + HOUR, "stay": [], "photos": {}}
    house.do("remove_off_duty", stretches=[off], first=1, upto=house.bench.journal.last)
    assert changed() == {TODAY}
    house.now += 9 * DAY
    house.close_days()
    assert changed() == {TODAY}
    house.do("remove_off_duty", stretches=[{**off, "unit": "plain"}], first=1, upto=house.bench.journal.last)
    assert changed() == {TODAY}, "a closed day is written anew under its name"
    put(house, {"plain": [record(EIGHT + 2 * HOUR + 1, unit="plain", server_time=house.now)]})
    assert changed() == {TODAY}


def test_it_knows_of_whom_something_is_not_sealed_yet(house: ArchiveHouse, fixes: DayFixes) -> None:
    tail = Tail()
    tail.begin(0)
    house.bench.journal.listen(tail.take)
    house.put(record(EIGHT, unit="a"), record(EIGHT + DAY, unit="b"), record(EIGHT - DAY, unit="c"))
    assert look(fixes, tail).fresh == {TODAY: {"a"}, TOMORROW: {"b"}}
    house.seal()
    house.put(record(EIGHT + 20 * HOUR, unit="a"))
    tail.drop(house.archive.sealed)
    assert look(fixes, tail).fresh == {TODAY: set(), TOMORROW: {"a"}}


def test_days_whose_files_were_deleted_are_told(house: ArchiveHouse, fixes: DayFixes) -> None:
    put(house, {"plain": walk("plain")})
    house.now += 40 * DAY
    house.close_days()
    assert look(fixes).gone == set()
    house.do("tidy", limits={kind: [30, 1 << 40] for kind in CLASSES})
    assert look(fixes).gone == {TODAY}
