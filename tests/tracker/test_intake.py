"""The way in: unknown devices, submissions, and changes of who is who that are on disk before they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from protocols.report import Report
from storage.journal import JournalFull
from tests.tracker.helpers import LAT, LON, NOON, House, report, square
from tracker import intake as module
from tracker.counters import REASONS_LIMIT, Counters
from tracker.intake import UNKNOWN_LIMIT, StoreFailed
from tracker.roster import Carrier, Refusal


def carrier(house: House) -> Carrier:
    house.register("handheld", "h1")
    found = house.intake.find("handheld", "h1", "192.0.2.1")
    assert found is not None
    return found


def submit(house: House, by: Carrier, *reports: Report) -> list[int | None]:
    told: list[int | None] = []
    house.intake.submit(by, reports, told.append)
    return told


def test_what_is_admitted_is_told_when_it_is_on_disk(house: House) -> None:
    told = submit(house, carrier(house), report(), report(NOON + 1), report(0))
    assert told == []
    house.settle()
    assert told == [1]
    assert [r.fix_time for r in house.records] == [NOON, NOON + 1]
    assert house.intake.counters.view() == {
        "handheld": {"messages": 1, "accepted": 2, "refused": {"impossible_time": 1}, "connections": 0}
    }


def test_what_holds_nothing_to_store_is_told_at_once(house: House) -> None:
    assert submit(house, carrier(house), report(0)) == [0]
    assert submit(house, carrier_of(house)) == [0]
    assert not house.journal.waiting


def carrier_of(house: House) -> Carrier:
    found = house.roster.find("handheld", "h1")
    assert found is not None
    return found


def test_a_failed_disk_is_told_and_nothing_is_accepted(house: House) -> None:
    by = carrier(house)
    house.hands.broken = True
    told = submit(house, by, report())
    house.settle()
    assert told == [None]
    assert house.intake.counters.accepted["handheld"] == 0
    house.hands.broken = False
    assert submit(house, by, report()) == []
    house.settle()
    assert len(house.records) == 1


def test_a_full_journal_takes_nothing(tmp_path: Path) -> None:
    house = House(tmp_path / "j", max_waiting=1)
    by = carrier(house)
    with pytest.raises(JournalFull):
        submit(house, by, report(), report(NOON + 1))
    assert house.refused("handheld") == {"busy": 2}
    assert house.intake.counters.messages["handheld"] == 0
    house.close()


def test_a_value_that_cannot_be_stored_is_counted_and_passed_by(house: House) -> None:
    assert submit(house, carrier(house), report(items={"x": object()})) == [0]
    assert house.refused("handheld") == {"unstorable": 1}


def test_unknown_devices_are_remembered_up_to_a_bound(house: House) -> None:
    intake = house.intake
    for i in range(UNKNOWN_LIMIT + 5):
        assert intake.find("traccar", f"x{i}", "192.0.2.1") is None
        intake.find("traccar", "often", "192.0.2.1")
    assert len(intake.unknown) == UNKNOWN_LIMIT
    assert intake.unknown["traccar", "often"] == (UNKNOWN_LIMIT + 5, NOON)
    assert ("traccar", "x0") not in intake.unknown
    intake.find("traccar", "y" * 500, "192.0.2.1")
    assert max(len(external) for _, external in intake.unknown) == 64


def change(house: House, plan: Any) -> list[Any]:
    """The result of a change, or its failure; empty while the disk has not answered."""
    ended: list[Any] = []
    Deferred.fromCoroutine(house.intake.change(plan)).addBoth(ended.append)
    return ended


def test_a_change_holds_when_it_is_on_disk_and_not_before(house: House) -> None:
    ended = change(house, lambda: house.roster.plan_device({"protocol": "handheld", "external_id": "h1"}))
    assert ended == []
    assert not house.roster.devices
    house.settle()
    assert [d.id for d in ended] == ["d1"]
    assert list(house.roster.devices) == ["d1"]


def test_a_refusal_and_a_failed_disk_change_nothing(house: House) -> None:
    (failure,) = change(house, lambda: house.roster.plan_device({"protocol": "gopher"}))
    assert failure.check(Refusal)
    house.hands.broken = True
    ended = change(house, lambda: house.roster.plan_device({"protocol": "handheld", "external_id": "h1"}))
    house.settle()
    assert ended[0].check(StoreFailed)
    assert not house.roster.devices
    assert house.journal.last == 0
    house.hands.broken = False
    ended = change(house, lambda: house.roster.plan_device({"protocol": "handheld", "external_id": "h1"}))
    house.settle()
    assert ended[0].id == "d1"


def test_changes_are_judged_one_after_another(house: House) -> None:
    wishes = [
        change(house, lambda: house.roster.plan_device({"protocol": "handheld", "external_id": "same"}))
        for _ in range(2)
    ]
    house.settle()
    house.settle()
    first, second = (ended[0] for ended in wishes)
    assert first.id == "d1"
    assert second.value.code == "exists"


def test_many_changes_are_committed_in_parts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHANGES_AT_ONCE", 10)
    cells = [square(f"c{i:03}", "cell", i, 0, i + 1, 1) for i in range(35)]
    ended = change(house, lambda: (len(cells), house.roster.plan_areas(cells)))
    for _ in range(4):
        house.settle()
    assert ended == [35]
    assert len(house.batches) == 4
    assert house.intake.areas().locate(5_000_000, 75_000_000) == (None, "c007")


def test_a_restart_replays_who_is_who(house: House) -> None:
    intake = house.intake
    for external in ("h1", "h2"):
        change(
            house, lambda external=external: house.roster.plan_device({"protocol": "handheld", "external_id": external})
        )
        house.settle()
    change(house, lambda: (None, house.roster.plan_areas([square("g", "grid", 117, 30, 118, 31)])))
    house.settle()
    submit(house, carrier_of(house), report())
    house.settle()
    again = module.Intake(house.journal, intake.wall)
    again.replay()
    assert again.roster.units == house.roster.units
    assert again.roster.devices == house.roster.devices
    assert again.areas().locate(LAT, LON) == ("g", None)


def test_the_index_follows_the_areas(house: House) -> None:
    index = house.intake.areas()
    assert house.intake.areas() is index
    for step in house.roster.plan_areas([square("g", "grid", 117, 30, 118, 31)]):
        house.roster.apply(step)
    assert house.intake.areas().locate(LAT, LON) == ("g", None)
    house.roster.apply(("area", "g", None))
    assert house.intake.areas().locate(LAT, LON) == (None, None)


def test_reasons_are_bounded() -> None:
    counters = Counters()
    for i in range(REASONS_LIMIT + 10):
        counters.refuse("p", f"r{i}", 2)
    view = counters.view()["p"]["refused"]
    assert isinstance(view, dict)
    assert len(view) == REASONS_LIMIT + 1
    assert view["other"] == 20
