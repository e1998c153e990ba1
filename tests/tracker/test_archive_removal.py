"""A person's data is taken out of everything on the disk, whenever the one who does it is killed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.archive import parquet
from storage.archive.chain import Chain
from storage.archive.layout import ACCESS, CLASSES, FIXES, PHOTOS, SNAPSHOTS
from storage.archive.snapshots import newest
from storage.archive.verify import verify
from storage.exports import exports, half_of
from storage.journal_scrub import TOMBSTONE
from tests.tracker.helpers import stored
from tests.tracker.persons import DEVICES, GONE, NAMES, STAYS, People
from tracker import archive_removal, dispatch_events
from tracker.checkpoint import Kept
from tracker.dispatch_events import DECISION
from tracker.person import Person
from tracker.record import ENTITY, EVENT, is_access, masked


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city of two people, to be copied."""
    folder = tmp_path_factory.mktemp("people")
    people = People(folder)
    people.note()
    people.export_files()
    people.half_sent()
    people.bench.close()
    return folder


@pytest.fixture
def people(made: Path, tmp_path: Path) -> People:
    return again(shutil.copytree(made, tmp_path / "data"))


def again(data: Path) -> People:
    """The city over its folder, as after a restart."""
    found = People.__new__(People)
    super(People, found).__init__(data, 1_796_180_400_000)
    return found


class Killed(BaseException):
    pass


def killed_at(step: int) -> Callable[[Any], None]:
    """Counts steps down, and ends there."""
    left = step

    def tell(progress: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    return tell


def kept_of(people: People) -> list[Any]:
    """All that the archive has of who stays, in the order in which it lies there."""
    folder, db = people.archive.layout.folder(FIXES), parquet.connect()
    found: list[Any] = []
    paths = [folder / name for name in sorted(people.archive.chains[FIXES].files())]
    paths += [path for run in people.archive.layout.runs() for path in run.parts(FIXES).values()]
    for path in paths:
        found += db.execute(f"SELECT * FROM {parquet.table([path])} WHERE unit = '{STAYS}'").fetchall()
    db.close()
    return found


def test_nothing_of_the_person_is_left_and_everything_of_others(people: People) -> None:
    others, before = people.traces(STAYS), kept_of(people)
    assert len(before) > 60
    assert people.traces()
    records = people.bench.everything()
    result = people.remove()
    assert result["counts"]["records"] == sum(
        one[2] == GONE if one[0] == 1 else any(word in str(one) for word in (GONE, "of-gone", DEVICES[GONE]))
        for _, one in records
    )
    assert result["counts"]["photos"] == 10 + 10 + 1
    assert result["counts"]["uploads"] == 1
    assert result["counts"]["exports"] == 1
    people.done()
    assert people.traces() == []
    assert kept_of(people) == before
    assert set(people.traces(STAYS)) >= {one for one in others if "-wal" not in one}
    after = people.bench.everything()
    assert [number for number, _ in after] == [number for number, _ in records]
    assert [one for one in after if one[1][0] != TOMBSTONE] == [
        (number, masked(one)) if is_access(one) and one[4]["unit"] == GONE else (number, without(one))
        for number, one in records
        if is_access(one) or one[2] == DECISION or (GONE not in str(one) and "gone" not in str(one))
    ]
    people.bench.close()


def without(record: Any) -> Any:
    """A decision as it is read from the journal when the one has gone."""
    if record[2] != DECISION:
        return record
    assert dispatch_events.own_row(GONE, record[4])
    return stored([(*record[:4], dispatch_events.without(GONE, record[4]))])[0]


def looks(people: People) -> list[tuple[Any, ...]]:
    """What the archive has of who looked at whom, by record."""
    paths = [source.path for source in people.archive.sources(ACCESS, "0000-00-00", "9999-99-99")]
    rows = {row["number"]: row for row in people.rows(*paths)}
    return [tuple(rows[number][name] for name in ("server_time", "who", "what", "unit", "reason", "about"))
            for number in sorted(rows)]  # fmt: skip


def test_who_looked_at_them_stays_and_at_whom_goes(people: People) -> None:
    people.seal()
    before = looks(people)
    assert len([one for one in before if one[3] == GONE]) == 11
    people.remove()
    after = looks(people)
    assert [one[:3] for one in after] == [one[:3] for one in before]
    assert [one[3:] for one in after] == [("*", "*", "{}") if one[3] == GONE else one[3:] for one in before]
    people.bench.close()


def test_what_was_masked_before_it_was_sealed_is_sealed_so(people: People) -> None:
    people.remove()
    people.seal()
    assert {one[3:] for one in looks(people) if one[3] not in (STAYS, "")} == {("*", "*", "{}")}
    people.done()
    assert people.traces() == []
    people.bench.close()


def test_the_chain_verifies_and_tells_of_it_without_a_name(people: People) -> None:
    people.remove()
    people.done()
    report = verify(people.data)
    assert report.sound, report.findings
    assert {one.kind for one in report.removals} == set(CLASSES)
    assert {one.reason for one in report.removals} == {"request"}
    assert all(not chain.broken for chain in map(Chain, map(people.archive.layout.chain, CLASSES)))
    people.bench.close()


def test_what_comes_later_finds_nothing_of_them(people: People) -> None:
    people.remove()
    people.seal()
    people.do("merge")
    people.now += 9 * 86_400_000
    assert people.close_days()
    people.do("snapshot", upto=people.bench.journal.last, redis="unix:///nowhere")
    people.done()
    assert people.traces() == []
    assert verify(people.data).sound
    found = newest(people.archive.layout.folder(SNAPSHOTS), pytest.fail)
    assert found is not None
    assert {change[1] for _, change in found.changes() if change[0] == "unit"} == {STAYS}
    last, states = Kept(people.archive.layout, pytest.fail).states(people.bench.journal.id)
    assert [state.unit for state in states] == [STAYS]
    assert last <= people.bench.journal.last
    people.bench.close()


def test_it_may_be_killed_at_every_step(made: Path, tmp_path: Path, long_run: bool) -> None:
    whole = again(shutil.copytree(made, tmp_path / "whole"))
    steps: list[Any] = []
    whole.remove(steps.append)
    expected, before = whole.bench.everything(), kept_of(whole)
    whole.bench.close()
    assert len(steps) > 60
    # One of each sort, the second of those that there are more of; snapshots are swapped by ways of their own.
    sorts: dict[Any, list[int]] = {}
    for number, told in enumerate(steps):
        sorts.setdefault((told["step"], told.get("class") == SNAPSHOTS), []).append(number)
    chosen = range(len(steps)) if long_run else [numbers[:2][-1] for numbers in sorts.values()]
    for turn, step in enumerate(chosen):
        data = tmp_path / f"at-{step}"
        people = again(shutil.copytree(made, data))
        with pytest.raises(Killed):
            people.remove(killed_at(step))
        # Meanwhile the server is started again, and the night's work comes first.
        if turn % 2 == 0:
            people.seal()
            people.do("merge")
            people.close_days()
        people.remove()
        people.done()
        assert people.traces() == [], steps[step]
        report = verify(data)
        assert report.sound, (steps[step], report.findings)
        assert people.bench.everything() == expected
        assert {*before} <= {*kept_of(people)}
        people.bench.close()
        shutil.rmtree(data)


def test_again_is_nothing(people: People) -> None:
    people.remove()
    files = {path: path.read_bytes() for path in people.data.rglob("*.parquet")}
    heads = {kind: chain.head for kind, chain in people.archive.chains.items()}
    assert not sum(people.remove()["counts"].values())
    assert {path: path.read_bytes() for path in people.data.rglob("*.parquet")} == files
    assert {kind: chain.head for kind, chain in people.archive.chains.items()} == heads
    people.bench.close()


def test_what_killed_jobs_left_behind_goes_too(people: People) -> None:
    fixes, snapshots = people.archive.layout.folder(FIXES), people.archive.layout.folder(SNAPSHOTS)
    day = next(fixes.glob("*.parquet"))
    shutil.copy(day, fixes / "2026-11-30.parquet")
    shutil.copy(day, fixes / "2026-11-30.details.parquet.part")
    snapshot = next(snapshots.glob("*.snapshot"))
    shutil.copy(snapshot, snapshots / "2026-12-09.snapshot")
    (snapshots / "2026-12-10.snapshot").write_bytes(snapshot.read_bytes()[:-40])
    shutil.copy(snapshot, snapshots / "2026-12-11.snapshot.new")
    shutil.copy(snapshot, people.archive.layout.states)
    shutil.copytree(people.archive.layout.runs()[-1].path, people.archive.layout.open / "000000000900-000000000999.new")
    half_of(people.data, "ticket-x").write_text(NAMES[GONE])
    people.remove()
    people.done()
    assert people.traces() == []
    assert verify(people.data).counts.keys() <= {"removal", "unsealed", "copied"}
    assert [one.unit for one in exports(people.data)] == [STAYS]
    people.bench.close()


def test_a_day_that_somebody_took_away_is_no_trouble(people: People) -> None:
    name = min(people.archive.chains[FIXES].files())
    (people.archive.layout.folder(FIXES) / name).unlink()
    shutil.rmtree(people.data / "media" / "2026-11-24")
    people.remove()
    people.done()
    assert people.traces() == []
    assert {one.what for one in verify(people.data).findings} == {"missing"}
    people.bench.close()


def test_without_room_it_says_so_and_goes_on_later(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        full.setattr(archive_removal, "free_bytes", lambda folder: 1 << 20)
        with pytest.raises(archive_removal.RemovalFailed, match="too little room"):
            people.remove()
    people.remove()
    people.done()
    assert people.traces() == []
    people.bench.close()


def test_photos_are_gone_and_their_chain_says_which(people: People) -> None:
    chain = people.archive.chains[PHOTOS]
    assert len(chain.files()) > 10
    people.remove()
    left = {path.relative_to(people.data / "media").as_posix() for path in people.data.glob("media/*/*")}
    assert len(left) == 10 + 10 + 1
    assert {path.name for path in people.data.glob("copies/*/*")} <= {Path(name).name for name in left}
    assert set(chain.files()) <= left
    people.bench.close()


def test_who_is_known_by_which_id() -> None:
    person = Person("p1", {"d1"})
    device = {"unit": "p1", "id": "d2"}
    person.learn(ENTITY, "device", "d2", device)
    person.learn(EVENT, "command", "c1", {"device": "d2", "created": 1})
    person.learn(ENTITY, "device", "d2", {**device, "unit": "p2"})
    person.learn(EVENT, "command", "c2", {"device": "d2", "created": 1})
    person.learn(EVENT, "command", "c1", {"state": "done"})
    person.learn(EVENT, "photo", "f1", {"unit": "p1", "name": "2026-11-23/f1.jpg"})
    person.learn(EVENT, "photo", "f2", {"unit": "p2", "name": "2026-11-23/f2.jpg"})
    person.learn(ENTITY, "area", "p1", None)
    assert (person.commands, person.photos) == ({"c1"}, {"f1": "2026-11-23/f1.jpg"})
    assert person.has(ENTITY, "device", "d2", device)
    assert not person.has(ENTITY, "device", "d2", {**device, "unit": "p2"})
    assert person.has(ENTITY, "duty", "p1:3", None)
    assert not person.has(ENTITY, "duty", "p12:3", None)
    assert not person.has(ENTITY, "area", "p1", None)
    assert not person.has(EVENT, "removal", "t1", {"unit": "x"})
    assert not person.has_record((TOMBSTONE, b""))
    assert Person.of(person.plain()).plain() == person.plain()
