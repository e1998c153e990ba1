"""Attendance of many days: worked out once, and anew when anything that it was worked out from is another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from twisted.internet.defer import Deferred
from twisted.python.threadpool import ThreadPool

from storage.archive.layout import CLASSES
from storage.archive.reader import Reader
from tests.reactor import reactor, run_deferred
from tests.tracker.archive_house import DAY, HOUR, ZONE, ArchiveHouse
from tests.tracker.helpers import NO_AREAS, record, square
from tracker.archive_tracks import ArchiveTracks, TooMuch
from tracker.attendance import Attendance, State
from tracker.bindings import Binding
from tracker.day_facts import DayFacts
from tracker.model import AreaId, Duty, UnitId
from tracker.outages import Outages
from tracker.pipeline import judge
from tracker.presence import PresenceLimits
from tracker.record import OUTAGE
from tracker.roster import Roster
from tracker.rota import Rota
from tracker.tail import Tail
from tracker.tracks import Track
from webmap.attendance_days import RUNNING_MS, AttendanceDays

TODAY, TOMORROW = "2026-11-23", "2026-11-24"
EIGHT = 1_795_392_000_000
"""2026-11-23 08:00 in the city."""
MINUTE = 60_000
LAT, LON = 306_600_000, 1_174_900_000
GRID = square("g1", "grid", 117.48, 30.65, 117.50, 30.67)
AWAY = 1_000_000
"""Eleven kilometres north of the grid."""


class Town:
    """Two people who work from eight to twelve, over real files. ``read`` tells how each day was read."""

    def __init__(self, house: ArchiveHouse, reader: Reader, pool: ThreadPool) -> None:
        self.house = house
        self.records: list[Any] = []
        self.read: list[str] = []
        roster = self.roster = Roster()
        self.rota = Rota(roster, ZoneInfo(ZONE))
        self.outages = Outages()
        for register in (self.rota, self.outages):
            roster.attach(register)
        self.change(*roster.plan_areas([GRID]))
        self.change(*roster.plan_units([{"id": id, "kind": "person", "name": id, "grid": "g1"} for id in ("p1", "p2")]))
        shift, changes = self.rota.plan_shift({"name": "day", "periods": ["08:00-12:00"]})
        self.shift = shift.id
        self.change(*changes)
        self.plan(
            *({"unit": unit, "day": day, "shift": shift.id} for unit in ("p1", "p2") for day in (TODAY, TOMORROW))
        )
        self.tail = Tail()
        self.tail.begin(0)
        house.bench.journal.listen(self.tail.take)
        self.damaged: list[str] = []
        tracks = SimpleNamespace(archive=ArchiveTracks(house.archive, reader), tail=self.tail, read=self._track)
        self.services: Any = SimpleNamespace(
            tracks=tracks, intake=SimpleNamespace(roster=roster, journal=house.bench.journal), rota=self.rota,
            outages=self.outages, day_facts=DayFacts(), reactor=reactor(), pool=pool,
            wall=lambda: house.now, mirror=SimpleNamespace(limits=PresenceLimits(2 * MINUTE, 15 * MINUTE)),
        )  # fmt: skip
        self.days = AttendanceDays(self.services)
        together = self.days.fixes.read

        def noted(wanted: Any) -> Any:
            found = together(wanted)
            self.read += [f"{unit} from files" for unit in found]
            return found

        self.days.fixes.read = noted  # type: ignore[method-assign]

    async def _track(self, unit: str, start: int, end: int) -> Track:
        self.read.append(f"{unit} by track")
        if self.damaged == ["too much"]:
            raise TooMuch
        mine = [one for one in self.records if one.unit == unit and start <= one.fix_time <= end]
        return Track(judge(mine, NO_AREAS), self.damaged)

    def change(self, *changes: Any) -> None:
        for change in changes:
            self.roster.apply(change)

    def plan(self, *wanted: Any) -> None:
        self.change(*self.rota.plan_assignments(wanted, TODAY)[1])

    def put(self, *records: Any) -> None:
        self.records += records
        self.house.put(*records)

    def seal(self) -> None:
        self.house.seal()
        self.tail.drop(self.house.archive.sealed)

    def close(self) -> None:
        self.house.now += 9 * DAY
        assert self.house.close_days()

    def ask(self, day: str = TODAY, units: Sequence[str] = ("p1", "p2")) -> dict[str, Attendance]:
        async def asking() -> dict[str, Attendance]:
            chosen = [self.roster.units[UnitId(unit)] for unit in units]
            asked = await self.days.begin(chosen, day, day)
            found = {unit.id: found for unit, found in await asked.of(chosen, day)}
            self.now = asked.now
            return found

        self.read.clear()
        return run_deferred(Deferred.fromCoroutine(asking()))

    def anew(self) -> dict[str, Attendance]:
        """The same with nothing known before."""
        self.services.day_facts.clear()
        return self.ask()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    house = ArchiveHouse(tmp_path, EIGHT + 10 * HOUR)
    reader = Reader(house.archive.layout.root)
    pool = ThreadPool(1, 2)
    pool.start()
    made = Town(house, reader, pool)
    for unit in ("p1", "p2"):
        made.put(*(point(unit, minute) for minute in range(240)))
    made.seal()
    yield made
    pool.stop()
    reader.close()


def point(unit: str, minute: float, by: int = 0, **others: Any) -> Any:
    return record(EIGHT + int(minute * MINUTE), LAT + by, LON, unit=unit, device=f"d-{unit}", **others)


def test_what_is_known_is_not_read_again(town: Town) -> None:
    found = town.ask()
    assert town.read == ["p1 from files", "p2 from files"]
    assert (found["p1"].state, found["p1"].late, found["p1"].in_grid) == (State.PRESENT, 0, 1.0)
    assert town.ask() == found
    assert town.read == []
    town.close()
    assert town.ask() == found
    assert town.read == ["p1 from files", "p2 from files"], "it lies in other files now"
    town.house.now += HOUR
    assert town.ask() == found
    assert (town.read, town.now) == ([], town.house.now)


def late(town: Town) -> None:
    town.put(point("p1", 241), point("p1", 100.5, accuracy=9000))


def late_and_sealed(town: Town) -> None:
    late(town)
    town.seal()


def late_and_closed(town: Town) -> None:
    late_and_sealed(town)
    town.house.now += DAY
    town.house.close_days()


def off_duty(town: Town) -> None:
    gone = {"unit": "p1", "start": EIGHT, "end": EIGHT + HOUR, "stay": [], "photos": {}}
    town.records = [one for one in town.records if one.unit != "p1" or one.fix_time >= EIGHT + HOUR]
    town.house.do("remove_off_duty", stretches=[gone], first=1, upto=town.house.bench.journal.last)


def another_shift(town: Town) -> None:
    shift, changes = town.rota.plan_shift({"name": "late", "periods": ["07:00-12:00"]})
    town.change(*changes)
    town.plan({"unit": "p1", "day": TODAY, "shift": shift.id})


def other_hours(town: Town) -> None:
    town.change(*town.rota.plan_shift_change(town.shift, {"periods": ["07:00-12:00"], "from": TODAY}, TODAY)[1])


def off_at_ten(town: Town) -> None:
    first = town.roster.duties_of(UnitId("p1"))[0]
    town.change(("duty", f"p1:{first.number}", asdict(replace(first, end=EIGHT - HOUR))))
    told = Duty(UnitId("p1"), first.number + 1, EIGHT - HOUR, EIGHT + 2 * HOUR, "seat")
    town.change(("duty", f"p1:{told.number}", asdict(told)))


def another_grid(town: Town) -> None:
    town.change(*town.roster.plan_areas([replace(GRID, geometry=square("g1", "grid", 0, 0, 1, 1).geometry)]))


def own_grids(town: Town) -> None:
    town.change(*town.roster.plan_areas([square("g2", "grid", 0, 0, 1, 1)]))
    town.plan({"unit": "p1", "day": TODAY, "shift": town.shift, "grids": [AreaId("g2")]})


def deaf(town: Town) -> None:
    town.change((OUTAGE, "1", {"start": EIGHT - HOUR, "end": EIGHT + 5 * HOUR}))


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
@pytest.mark.parametrize(
    "change",
    [late, late_and_sealed, late_and_closed, off_duty, another_shift, other_hours, off_at_ten, another_grid, own_grids],
)
def test_whatever_it_came_of_changes_it(town: Town, change: Callable[[Town], None], closed: bool) -> None:
    if closed:
        town.close()
    before = town.ask()
    change(town)
    after = town.ask()
    assert after["p1"] != before["p1"]
    assert after == town.anew()
    again = town.ask()
    assert again == after
    assert any("by track" in one for one in town.read) == (change is late), "what is not in files yet is not kept"


def test_whose_a_device_was_and_when_nobody_heard(town: Town) -> None:
    """Neither makes another day of this one, but both may."""
    before = town.ask()
    deaf(town)
    assert town.ask() == before, "what was sent later of an outage is known"
    assert town.read == ["p1 from files", "p2 from files"]
    for number, (unit, made) in enumerate([("p1", 0), ("p2", EIGHT + DAY)]):
        told = Binding("d-p1", number, EIGHT - HOUR, UnitId(unit), False, made)  # type: ignore[arg-type]
        town.change((*told.change(),))
    town.ask()
    assert sorted(town.read) == ["p1 by track", "p2 by track"]


def test_a_day_that_goes_on_is_known_for_a_moment(town: Town) -> None:
    town.house.now = EIGHT + 2 * HOUR
    found = town.ask()
    assert (found["p1"].on_duty, found["p1"].early, town.now) == (2 * HOUR, None, town.house.now)
    town.house.now += RUNNING_MS
    assert town.ask() == found
    assert (town.read, town.now) == ([], town.house.now - RUNNING_MS), "it says which moment it speaks of"
    town.house.now += 1
    assert town.ask()["p1"].on_duty == 2 * HOUR + RUNNING_MS + 1
    assert town.read == ["p1 from files", "p2 from files"]
    assert town.now == town.house.now
    assert town.ask(TOMORROW)["p1"].state is State.AHEAD
    assert town.read == []


@pytest.mark.parametrize("damaged", [[TODAY], ["too much"]])
def test_what_cannot_be_read_is_unknown_and_asked_for_again(town: Town, damaged: list[str]) -> None:
    late(town)
    town.records.clear()
    town.damaged = damaged
    assert town.ask(units=["p1"])["p1"].state is State.UNKNOWN
    town.seal()
    town.days.fixes.read = lambda wanted: {}  # type: ignore[method-assign]
    for _ in range(2):
        assert town.ask(units=["p1"])["p1"].state is State.UNKNOWN
        assert town.read == ["p1 by track"]


def test_of_days_whose_fixes_are_deleted_nobody_knows(town: Town) -> None:
    town.close()
    assert town.ask()["p1"].late == 0
    town.house.now += 40 * DAY
    town.house.do("tidy", limits={kind: [30, 1 << 40] for kind in CLASSES})
    assert [found.state for found in town.ask().values()] == [State.UNKNOWN, State.UNKNOWN]


def test_of_who_is_removed_nothing_is_kept(town: Town) -> None:
    facts = town.services.day_facts
    town.ask()
    assert len(facts) == 2
    facts.forget(UnitId("p1"))
    assert len(facts) == 1

    # Somebody who is removed while the answer is worked out is not known afterwards either.
    read = town.days.fixes.read

    def removed(wanted: Any) -> Any:
        town.roster.units.pop(UnitId("p1"), None)
        return read(wanted)

    town.days.fixes.read = removed  # type: ignore[method-assign]
    town.ask()
    assert len(facts) == 1
    facts.clear()
    assert len(facts) == 0


def test_it_is_bounded() -> None:
    facts, found = DayFacts(most=2), Attendance(State.FREE)
    for unit in "abc":
        facts.keep((UnitId(unit), TODAY), "basis", 5, found)
    assert len(facts) == 2
    assert facts.of((UnitId("a"), TODAY), "basis", 0) is None
    assert facts.of((UnitId("b"), TODAY), "basis", 5) == (5, found)
    assert facts.of((UnitId("b"), TODAY), "basis", 6) is None
    assert facts.of((UnitId("b"), TODAY), "another", 0) is None
    facts.keep((UnitId("d"), TODAY), "basis", 5, found)
    assert facts.of((UnitId("b"), TODAY), "basis", 0) is not None, "it was asked for later than the other"
