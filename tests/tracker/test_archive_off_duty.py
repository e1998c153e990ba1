"""A stretch of somebody's time is taken out of everything on the disk, whenever the one who does it is killed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.archive.archive import Archive
from storage.archive.layout import EVENTS, FIXES, PHOTOS, SNAPSHOTS
from storage.archive.snapshots import About, newest, write
from storage.archive.verify import verify
from storage.exports import Export, announce, exports, file_of
from storage.journal_files import JournalFiles, day_of
from storage.journal_scrub import TOMBSTONE
from tests.traces import traces
from tests.tracker.archive_house import DAY, HOUR, ZONE
from tests.tracker.helpers import record
from tests.tracker.persons import DEVICES, EIGHT, GONE, LATITUDES, STAYS, People, photo_id
from tracker import archive_off_duty
from tracker.archive_context import Context
from tracker.archive_off_duty import OffDuty, Stretch
from tracker.dispatch_events import is_masked
from tracker.model import UnitId
from tracker.pipeline import STATE_FIELDS, UnitState
from tracker.record import EVENT, REPORT
from tracker.roll_call import Asked, Reply, Way
from tracker.roll_call import Place as RollCallPlace

SOS = 500_000
"""Latitudes of calls for help are so much farther north."""
CLOSED = EIGHT + DAY
LAST = EIGHT + 9 * DAY


class Patrol(People):
    """The same two people, who call for help each day: the second message repeats the first, the third has no fix.
    And each day they answer a roll call, from a place of its own."""

    def day(self, unit: str, day: int) -> None:
        super().day(unit, day)
        own: dict[str, Any] = {"unit": unit, "device": DEVICES[unit], "alarm": 1}
        for n in range(2):
            self.put(record(self.now + 2500 + n, LATITUDES[unit] + SOS + 10 * day + n, **own))
        self.put(record(None, None, None, server_time=self.now + 2600, **own))
        answered = Asked(UnitId(unit), Way.CONFIRM, "c", Reply.POSITION, self.now + 2000, called_at(unit, day))
        self.event(EVENT, "roll_call", f"rc{day}:{unit}", answered.fields())
        self.event(EVENT, "decision", f"t{day}:{unit[:1]}", {
            "at": self.now + 2000, "task": ["t", 1, 2, ""], "chosen": unit, "terms": [["", 1.0]],
            "units": [[unit, [known_at(unit, day), 1], 0.5]],
        })  # fmt: skip


def called_at(unit: str, day: int) -> RollCallPlace:
    return RollCallPlace(EIGHT + day * DAY + 2000, LATITUDES[unit] + 2 * SOS + day, 1, None, True)


def known_at(unit: str, day: int) -> int:
    """Where somebody was believed to be when a task came, on the way from one point to the next."""
    return LATITUDES[unit] + 3 * SOS + day


def stretches() -> list[Stretch]:
    """The closed day's morning from its second point on, and everything since the last."""
    photo = photo_id(GONE, 1)
    return [
        Stretch(
            GONE, CLOSED + 1000, CLOSED + HOUR, frozenset({CLOSED + 2500}), {photo: f"{day_of(CLOSED)}/{photo}.jpg"}
        ),
        Stretch(GONE, LAST + 1000, LAST + DAY, frozenset({LAST + 2500}), {}),
    ]


def photos(people: People) -> list[str]:
    return [path.relative_to(people.data / "media").as_posix() for path in (people.data / "media").rglob("*.jpg")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patrol")
    Patrol(folder).bench.close()
    return folder


@pytest.fixture
def people(made: Path, tmp_path: Path) -> Patrol:
    return again(shutil.copytree(made, tmp_path / "data"))


def again(data: Path) -> Patrol:
    """The city over its folder, as after a restart."""
    found = Patrol.__new__(Patrol)
    super(People, found).__init__(data, 1_796_180_400_000)
    return found


def remove(people: People, told: Callable[[Any], None] | None = None, first: int = 1) -> Any:
    archive = Archive(people.data / "archive", ZONE)
    context = Context(
        people.data, archive, JournalFiles(people.data / "journal"), people.now, told or people.told.append
    )
    plain = [
        {"unit": s.unit, "start": s.start, "end": s.end, "stay": sorted(s.stay), "photos": dict(s.photos)}
        for s in stretches()
    ]
    try:
        return archive_off_duty.remove_off_duty(
            context, {"stretches": plain, "first": first, "upto": people.bench.journal.last}
        )
    finally:
        people.archive.refresh()


def takes(people: People) -> list[tuple[Any, ...]]:
    """The reports of the journal that go."""
    subject = OffDuty(stretches())
    return [one for number, one in people.bench.everything() if one[0] == REPORT and subject.goes(number, one)]


def archived(people: People) -> list[tuple[Any, ...]]:
    """What the archive's files of fixes hold, by what tells rows apart."""
    archive = people.archive
    folder = archive.layout.folder(FIXES)
    paths = [folder / name for name in sorted(archive.chains[FIXES].files())]
    paths += [path for run in archive.layout.runs() for path in run.parts(FIXES).values()]
    return [
        (path.name, row["unit"], row.get("moment", row.get("fix_time")), row.get("latitude"), row.get("alarm"))
        for path in paths
        for row in people.rows(path)
    ]


def goes(row: tuple[Any, ...]) -> bool:
    """The rule again, for rows."""
    _, unit, moment, _, _ = row
    if unit != GONE:
        return False
    closed = CLOSED + 1000 <= moment < CLOSED + HOUR and moment not in (CLOSED + 2500, CLOSED + 2600)
    return closed or (LAST + 1000 <= moment < LAST + DAY and moment not in (LAST + 2500, LAST + 2600))


def test_the_time_goes_from_everywhere_and_nothing_else(people: Patrol) -> None:
    before, records, gone = archived(people), people.bench.everything(), takes(people)
    places = [(one[7], 0) for one in gone if one[7] is not None]
    assert len(places) == 13
    calls = {f"rc{day}:{GONE}": (called_at(GONE, day).latitude, 0) for day in (1, 9)}
    places += calls.values()
    places += [(known_at(GONE, day), 0) for day in (1, 9)]
    for export in (Export("t1", GONE, CLOSED), Export("t2", GONE, CLOSED + DAY), Export("t3", STAYS, CLOSED + DAY)):
        announce(people.data, export)
        file_of(people.data, export.ticket).write_bytes(b"zip")
    announce(people.data, Export("t4", GONE, CLOSED + DAY))  # asked for, and made when this is done
    assert traces(people.data, [], places)
    picture = next(name for name in photos(people) if photo_id(GONE, 1) in name)
    result = remove(people)
    # And the photo's event, two answers to roll calls, and two decisions, of which something stays.
    assert result["counts"]["records"] == len(gone) + 5
    assert traces(people.data, [], places) == []
    assert archived(people) == [row for row in before if not goes(row)]
    after = people.bench.everything()
    assert [number for number, _ in after] == [number for number, _ in records]
    left = [one for _, one in after if one[0] != TOMBSTONE]
    assert [one for one in left if one[2] != "decision"] == [
        one
        for _, one in records
        if one not in gone and one[2] != "decision" and not (one[0] == EVENT and one[3] in (photo_id(GONE, 1), *calls))
    ]
    decisions = [one[4] for one in left if one[2] == "decision"]
    assert len(decisions) == len([one for _, one in records if one[2] == "decision"])
    assert [one["at"] - 2000 for one in decisions if is_masked(one)] == [CLOSED, LAST]
    assert {one.ticket for one in exports(people.data)} == {"t1", "t3", "t4"}
    assert picture not in photos(people)
    assert len(photos(people)) == 19 + 20
    people.bench.close()


def test_calls_for_help_stay_where_they_began_and_those_without_a_place(people: Patrol) -> None:
    remove(people)
    calls = [one for _, one in people.bench.everything() if one[0] == REPORT and one[2] == GONE and one[14]]
    theirs = [one for one in calls if CLOSED <= Stretch.moment(one) < CLOSED + DAY]
    assert [(one[6], one[7]) for one in theirs] == [(CLOSED + 2500, LATITUDES[GONE] + SOS + 10), (None, None)]
    places = [(LATITUDES[GONE] + SOS + 10, 0)]
    assert traces(people.data, [], places)
    people.bench.close()


def test_the_chains_say_so_and_hold(people: Patrol) -> None:
    remove(people)
    for kind in (FIXES, EVENTS, PHOTOS):
        entries = [entry for entry in people.archive.chains[kind].entries if entry.kind == "removal"]
        assert entries
        assert {entry.reason for entry in entries} == {"off_duty"}
        assert GONE not in str(entries)
    assert verify(people.data).sound
    again_ = remove(people)
    assert not again_["counts"].get("records")
    assert not again_["counts"].get("rows")
    people.bench.close()


def test_of_the_journal_only_what_can_hold_it_is_looked_at(people: Patrol) -> None:
    last = [number for number, one in people.bench.everything() if one[0] == REPORT and one[4] >= LAST]
    remove(people, first=last[0])
    left = takes(people)
    assert left
    assert all(one[4] < LAST for one in left)
    people.bench.close()


class Killed(BaseException):
    pass


def test_it_may_be_killed_anywhere(made: Path, tmp_path: Path) -> None:
    whole = again(shutil.copytree(made, tmp_path / "whole"))
    remove(whole)
    expected, records = archived(whole), whole.bench.everything()
    steps = len(whole.told)
    whole.bench.close()
    for step in range(1, steps, 4):
        data = shutil.copytree(made, tmp_path / f"at{step}")
        people, left = again(data), step

        def tell(progress: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        with pytest.raises(Killed):
            remove(people, tell)
        people.archive.refresh()
        remove(people)
        assert archived(people) == expected
        assert people.bench.everything() == records
        people.bench.close()


def test_a_state_that_knows_of_it_is_left_out_of_snapshots(people: Patrol) -> None:
    states = []
    for unit, at in ((GONE, LAST + 2000), (STAYS, LAST + 2000)):
        state = UnitState(unit)  # type: ignore[arg-type]
        state.fix_time, state.latitude, state.longitude = at, LATITUDES[unit] + 33, 1
        states.append(state.pack())
    last = people.bench.journal.last
    about = About(people.bench.journal.id, "2026-12-03", people.now, last, last, STATE_FIELDS)
    write(people.archive.layout.states.parent, about, states, (), name=people.archive.layout.states.name)
    folder = people.archive.layout.folder(SNAPSHOTS)
    sealed = write(folder, about, states, [("event", ("photo", photo_id(GONE, 1), {"unit": GONE, "name": "x"}))])
    people.archive.chains[SNAPSHOTS].append("day", "2026-12-03", people.now, files=[sealed])
    remove(people)
    found = newest(folder, lambda reason: None)
    assert found is not None
    at = found.about.fields.index("unit")
    assert [state[at] for state in found.states()] == [STAYS]
    assert list(found.changes()) == []
    assert not traces(people.data, [], [(LATITUDES[GONE] + 33, 0)])
    assert traces(people.data, [], [(LATITUDES[STAYS] + 33, 0)])
    people.bench.close()
