"""A removal's course in the server: promised or not, gone on with after every kill, tried again when something was
away."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.tracker.helpers import House
from tracker.archive_removal import NOTES, note_path
from tracker.archivist import JobFailed
from tracker.intake import StoreFailed
from tracker.mirror import Mirror
from tracker.model import Duty, UnitId
from tracker.presence import PresenceLimits
from tracker.record import EVENT
from tracker.removals import RETRY_S, Removal, Removals
from tracker.roster import Refusal
from tracker.store import MemoryLiveStore
from tracker.tail import Tail

SECRET = b"s" * 32


class Desk:
    """One start of the server over a folder: live state and archivist do what a test says, and note what they did."""

    def __init__(self, folder: Path, fails: Sequence[BaseException | None] = ()) -> None:
        self.data = folder
        self.house = House(folder / "journal")
        self.links = self.house.make_links()
        self.links.start()
        self.done: list[str] = []
        self._fails = list(fails)
        hands: Any = self.house.hands
        mirror = Mirror(
            MemoryLiveStore(), lambda: self.house.now, lambda unit, at: Duty(unit, 1, 0), PresenceLimits(1, 2)
        )
        ids = iter(f"t{number}" for number in range(9))
        me: Any = self
        self.removals = Removals(
            folder, SECRET, self.house.intake, self.links, me, mirror, Tail(), me, hands, hands, ids.__next__,
            lambda unit, devices: self.done.append(f"forgotten {len(devices)}"), self._rewrite,
        )  # fmt: skip
        happened: list[Any] = []
        self.house.intake.replay(happened.append)
        self.removals.begin(happened)

    # What the applier, the archivist and live state are asked for.

    def _step(self, name: str) -> None:
        self.done.append(name)
        failure = self._fails.pop(0) if self._fails else None
        if failure is not None:
            raise failure

    def forget(self, unit: UnitId, entities: Sequence[tuple[str, str]], upto: int, done: Any) -> None:
        assert upto == self.house.journal.last
        self._step(f"live {len(entities)}")
        done()

    def ask(self, job: str, arguments: Mapping[str, Any]) -> Deferred[Any]:
        assert note_path(self.data, str(arguments["ticket"])).exists()
        done: Deferred[Any] = Deferred()
        try:
            self._step(job)
        except Exception as error:
            done.errback(error)
        else:
            done.callback({"counts": {"records": 2}})
        return done

    async def _rewrite(self) -> None:
        self._step("rewrite")

    # What a test does.

    def person(self) -> UnitId:
        changes = self.house.roster.plan_units([{"id": "staff-9", "name": "司马长空"}])
        _, more = self.house.roster.plan_device({"protocol": "handheld", "external_id": "H-9"})
        records = [*changes, *((kind, id, {**fields, "unit": "staff-9"}) for kind, id, fields in more[-1:] if fields)]
        self.run(self.house.intake.change(lambda: (None, records)))
        return UnitId("staff-9")

    def run(self, work: Any) -> Any:
        found: list[Any] = []
        Deferred.fromCoroutine(work).addBoth(found.append)
        for _ in range(9):
            self.house.settle()
        if found and hasattr(found[0], "raiseException"):
            found[0].raiseException()
        return found[0] if found else None

    def settle(self, seconds: float = 1) -> None:
        for _ in range(9):
            self.house.hands.clock.advance(seconds / 9)

    def events(self) -> list[dict[str, Any]]:
        return [one[4] for batch in self.house.journal.read(1, 1 << 30) for one in batch.records
                if one[0] == EVENT and one[2] == "removal"]  # fmt: skip

    def notes(self) -> list[str]:
        return sorted(path.name for path in (self.data / NOTES).glob("*"))

    def close(self) -> None:
        self.removals.stop()
        self.links.stop()
        self.house.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk(tmp_path)
    yield found
    found.close()


def test_the_whole_course(desk: Desk) -> None:
    unit = desk.person()
    removal = desk.run(desk.removals.ask(unit, "has left"))
    desk.settle()
    assert desk.done == ["forgotten 1", "live 3", "forgotten 1", "remove_person", "live 3", "forgotten 1", "rewrite"]
    assert (removal.step, removal.counts, removal.unit) == ("done", {"records": 2}, "")
    assert unit not in desk.house.roster.units
    assert unit not in desk.house.roster.leaving
    assert desk.notes() == []
    assert [one["step"] for one in desk.events()] == ["stored", "live", "done"]
    assert unit not in json.dumps(desk.events())
    assert desk.removals.of(unit) is removal
    assert desk.removals.of("somebody") is None
    assert desk.removals.waiting == []


def test_what_is_refused(desk: Desk) -> None:
    unit = desk.person()
    for reason in ("Staff-9 left", "司马长空离职", "gave back h-9"):
        with pytest.raises(Refusal) as refused:
            desk.run(desk.removals.ask(unit, reason))
        assert refused.value.code == "named"
    with pytest.raises(Refusal):
        desk.run(desk.removals.ask(UnitId("nobody"), "left"))
    assert desk.events() == []
    assert desk.notes() == []
    assert unit in desk.house.roster.units


def test_a_disk_that_does_not_take_the_promise(desk: Desk) -> None:
    unit = desk.person()
    desk.house.hands.broken = True
    with pytest.raises(StoreFailed):
        desk.run(desk.removals.ask(unit, "left"))
    desk.house.hands.broken = False
    assert unit in desk.house.roster.units
    assert desk.notes() == []
    assert desk.removals.of(unit) is None
    assert desk.run(desk.removals.ask(unit, "left")).unit in (unit, "")


@pytest.mark.parametrize("error", [None, RuntimeError("away")], ids=["", "ours"])
@pytest.mark.parametrize("step", range(4))
def test_what_fails_is_tried_again(tmp_path: Path, step: int, error: Exception | None) -> None:
    """Whatever fails: a fault of ours too."""
    failures: list[BaseException | None] = [None] * step
    desk = Desk(tmp_path, [*failures, error or (JobFailed("away") if step == 1 else ConnectionError("away"))])
    removal = desk.run(desk.removals.ask(desk.person(), "left"))
    desk.settle()
    assert removal.done is None
    assert [one.problem for one in desk.removals.waiting] == ["away"]
    assert len(desk.notes()) == 1
    desk.settle(RETRY_S + 1)
    desk.settle()
    assert removal.step == "done"
    assert desk.removals.waiting == []
    desk.close()


@pytest.mark.parametrize("step", range(4))
def test_after_a_kill_the_next_start_goes_on(tmp_path: Path, step: int) -> None:
    failures: list[BaseException | None] = [None] * step
    desk = Desk(tmp_path, [*failures, ConnectionError("and then it was killed")])
    unit = desk.person()
    desk.run(desk.removals.ask(unit, "left"))
    desk.close()
    again = Desk(tmp_path)
    # Before anything listens: what the journal still has of it makes nobody of it.
    assert unit not in again.house.roster.units
    assert again.house.roster.find("handheld", "H-9") is None
    assert unit in again.house.roster.leaving
    again.removals.start()
    again.settle()
    found = again.removals.of(unit)
    assert found is not None
    assert (found.step, found.reason, again.notes()) == ("done", "left", [])
    again.close()
    last = Desk(tmp_path)
    last.removals.start()
    assert last.done == []
    assert last.removals.of(unit) is not None
    last.close()


def test_a_note_without_a_promise_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / NOTES).mkdir()
    note_path(tmp_path, "never").write_text("{")
    (tmp_path / NOTES / "half.json.new").write_text("{")
    desk = Desk(tmp_path)
    assert desk.notes() == []
    assert desk.removals.all == {}
    desk.close()


def test_a_promise_without_its_note_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [ConnectionError("killed")])
    unit = desk.person()
    desk.run(desk.removals.ask(unit, "left"))
    desk.close()
    for name in desk.notes():
        (tmp_path / NOTES / name).unlink()
    again = Desk(tmp_path)
    again.removals.start()
    found = again.removals.of(unit)
    assert found is not None
    assert "ask for it again" in found.problem
    assert unit in again.house.roster.units
    assert again.run(again.removals.ask(unit, "left")) is again.removals.of(unit)
    again.settle()
    assert again.removals.of(unit).step == "done"  # type: ignore[union-attr]
    again.close()


def test_what_is_kept_of_it_is_what_is_read_again() -> None:
    one = Removal("t", "digest", "left", 1, UnitId("p1"), "files", None, {"rows": 3}, "away")
    fields = one.fields()
    assert "p1" not in json.dumps(fields)
    assert Removal("t", **fields) == Removal("t", "digest", "left", 1, UnitId(""), "files", None, {"rows": 3}, "")
