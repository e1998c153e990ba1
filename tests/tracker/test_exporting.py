"""Exports that are asked for: one at a time of each unit, none on a disk that fills up, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from storage.exports import KEPT_MS, exports, file_of
from tests.tracker.helpers import House
from tracker import exporting
from tracker.archivist import JobFailed
from tracker.exporting import Exports, Making, NoRoom
from tracker.model import UnitId
from tracker.roster import Refusal


class Archivist:
    """Does nothing by itself."""

    def __init__(self) -> None:
        self.asked: list[tuple[Mapping[str, Any], Deferred[Any]]] = []
        self.running: Any = None

    def ask(self, job: str, arguments: Mapping[str, Any]) -> Deferred[Any]:
        assert job == "export_person"
        self.asked.append((arguments, Deferred()))
        return self.asked[-1][1]


class Desk:
    def __init__(self, folder: Path) -> None:
        self.house = House(folder / "journal")
        self.data = folder
        self.archivist = Archivist()
        self.room = True
        space: Any = SimpleNamespace(may_export=lambda: self.room, low=5)
        hands: Any = self.house.hands
        archivist: Any = self.archivist
        ids = iter(f"t{number}" for number in range(100))
        self.exports = Exports(folder, self.house.intake, archivist, space, hands, hands, ids.__next__)
        self.units = [self.house.register("handheld", f"H-{n}", name=f"N{n}").unit for n in range(12)]

    def ask(self, unit: UnitId) -> Making:
        found: list[Making] = []
        Deferred.fromCoroutine(self.exports.ask(unit)).addCallback(found.append)
        return found[0]

    def refused(self, unit: UnitId) -> BaseException:
        failed: list[Any] = []
        Deferred.fromCoroutine(self.exports.ask(unit)).addErrback(failed.append)
        error: BaseException = failed[0].value
        return error

    def newest(self, unit: UnitId) -> Any:
        found: list[Any] = []
        Deferred.fromCoroutine(self.exports.newest(unit)).addCallback(found.append)
        return found[0]

    def finish(self, number: int) -> None:
        arguments, done = self.archivist.asked[number]
        file_of(self.data, arguments["ticket"]).write_bytes(b"zip")
        done.callback({})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk(tmp_path)
    yield found
    found.house.close()


def test_one_is_made_and_takes_the_place_of_the_one_before(desk: Desk) -> None:
    unit = desk.units[0]
    making = desk.ask(unit)
    assert desk.ask(unit) is making
    (arguments, _), *others = desk.archivist.asked
    assert not others
    assert arguments["floor"] == 5
    assert arguments["about"]["unit"]["name"] == "N0"
    assert "token_serial" not in arguments["about"]["devices"][0]
    assert arguments["about"]["duties"][0]["end"] is None
    desk.archivist.running = SimpleNamespace(arguments=arguments, progress={"done": 1})
    assert desk.exports.making(unit) is making
    assert making.progress == {"done": 1}
    assert desk.newest(unit) is None
    desk.finish(0)
    assert desk.exports.making(unit) is None
    assert desk.newest(unit).ticket == "t0"
    desk.house.now += 1
    desk.ask(unit)
    desk.finish(1)
    assert [one.ticket for one in exports(desk.data)] == ["t1"]
    desk.house.now += KEPT_MS
    assert desk.newest(unit) is None


def test_none_on_a_disk_that_fills_up(desk: Desk) -> None:
    desk.room = False
    assert isinstance(desk.refused(desk.units[0]), NoRoom)
    assert exports(desk.data) == []


def test_no_more_than_so_many_at_once(desk: Desk) -> None:
    for unit in desk.units[: exporting.WAITING]:
        desk.ask(unit)
    refused = desk.refused(desk.units[-1])
    assert isinstance(refused, Refusal)
    assert refused.code == "queue_full"


def test_one_that_fails_says_why_and_leaves_nothing(desk: Desk) -> None:
    unit = desk.units[0]
    desk.ask(unit)
    desk.archivist.asked[0][1].errback(JobFailed("ExportFailed: the disk is filling up"))
    making = desk.exports.making(unit)
    assert making is not None
    assert (making.done, making.problem) == (True, "the disk is filling up")
    assert exports(desk.data) == []
    desk.ask(unit)
    desk.exports.forget(unit)
    assert desk.exports.making(unit) is None


def test_a_disk_that_does_not_take_the_note(desk: Desk) -> None:
    desk.house.hands.broken = True
    assert isinstance(desk.refused(desk.units[0]), OSError)
    desk.house.hands.broken = False
    assert not desk.archivist.asked
    desk.ask(desk.units[0])


def test_a_file_that_went_is_none(desk: Desk) -> None:
    unit = desk.units[0]
    desk.ask(unit)
    desk.finish(0)
    newest = desk.exports.newest

    async def and_went(unit: UnitId) -> Any:
        export = await newest(unit)
        file_of(desk.data, "t0").unlink()
        return export

    desk.exports.newest = and_went  # type: ignore[method-assign]
    found: list[Any] = []
    Deferred.fromCoroutine(desk.exports.open(unit)).addCallback(found.append)
    assert found == [None]


def test_what_was_left_goes_at_start(desk: Desk) -> None:
    desk.ask(desk.units[0])
    desk.exports.forget(desk.units[0])  # as after a restart: nobody goes on with it
    desk.exports.start()
    assert exports(desk.data) == []
    desk.exports.stop()
