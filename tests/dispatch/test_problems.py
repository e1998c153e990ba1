"""What people report from the street: once each, bounded, made into a task at most once, and gone with the person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatch.desk_model import NewTask
from dispatch.exhibits import EVIDENCE, Use
from dispatch.model import NOBODY, Spot
from dispatch.problems import PHOTOS, TEXT, ProblemBook, ProblemState, Told, task_of
from dispatch.reporting import AHEAD_MS
from protocols.handheld import Problem
from protocols.report import CoordinateSystem
from tests.dispatch.city import City, spot
from tests.tracker.helpers import House
from tracker.coordinates import distance
from tracker.device_plans import plan_binding
from tracker.model import UnitId
from tracker.refusal import Refusal

A, B = UnitId("a"), UnitId("b")
TOLD = Told("e1", 5, Spot(1, 2), 40, "0101", "井盖缺失", ("a" * 64,), "b" * 64)


def take(book: ProblemBook, events: Any) -> None:
    for event in events:
        book.replay(event)


def reported(*events: str, most: int = 5000) -> ProblemBook:
    book = ProblemBook(most)
    for event in events:
        changes, code = book.plan_report(A, replace(TOLD, event=event), 9)
        assert code == "ok"
        take(book, changes)
    return book


def test_a_report_comes_once() -> None:
    book = reported("e1")
    (one,) = book.all()
    assert (one.id, one.unit, one.told, one.received, one.state) == ("a:e1", A, TOLD, 9, ProblemState.NEW)
    assert book.plan_report(A, TOLD, 10) == ([], "again")
    assert book.has(A, "e1")
    assert not book.has(B, "e1")
    assert len(take_all(book)) == 1


def take_all(book: ProblemBook) -> list[Any]:
    return [*book.events()]


@pytest.mark.parametrize("told", [replace(TOLD, event=""), replace(TOLD, klass="", text="", photos=(), voice="")])
def test_what_says_nothing_is_no_report(told: Told) -> None:
    assert ProblemBook().plan_report(A, told, 9) == ([], "bad")


def test_a_report_has_a_size() -> None:
    long = replace(TOLD, event="e" * 99, text="长" * 999, klass="9" * 99, photos=("a" * 64,) * 20)
    ((_, _, fields),), _ = ProblemBook().plan_report(A, long, 9)
    assert fields is not None
    assert (len(fields["event"]), len(fields["text"]), len(fields["klass"]), len(fields["photos"])) == (
        64, TEXT, 64, PHOTOS,
    )  # fmt: skip


def test_it_is_settled_once_and_a_replay_makes_the_same_of_it() -> None:
    book = reported("e1", "e2", "e3")
    for _ in range(2):
        take(book, book.plan_seen("a:e1", "seat", 20))
        take(book, book.plan_task("a:e2", "seat", 21))
    take(book, book.plan_task("a:e1", "other", 22))  # somebody looked again
    states = {one.id: (one.state, one.by, one.changed, one.task) for one in book.all()}
    assert states == {
        "a:e1": (ProblemState.TASK, "other", 22, task_of("a:e1")),
        "a:e2": (ProblemState.TASK, "seat", 21, task_of("a:e2")),
        "a:e3": (ProblemState.NEW, "", 0, ""),
    }  # fmt: skip
    again = ProblemBook()
    take(again, book.events())
    assert again.all() == book.all()
    assert [one.id for one in book.all()] == ["a:e3", "a:e2", "a:e1"]
    with pytest.raises(Refusal):
        book.plan_seen("a:e9", "seat", 20)
    # Of somebody whose data is gone there may be such a part in a journal.
    take(again, [("problem", "x:e1", {"what": "seen", "by": "seat", "at": 1})])
    assert again.get("x:e1") is None


def test_those_that_are_settled_go_first() -> None:
    book = reported("e1", "e2", most=3)
    take(book, book.plan_seen("a:e2", "seat", 20))
    take(book, reported("e3", "e4").events())
    assert [one.id for one in book.all()] == ["a:e4", "a:e3", "a:e1"]
    take(book, reported("e5").events())
    assert [one.id for one in book.all()] == ["a:e5", "a:e4", "a:e3"]


def test_who_reports_without_end_pushes_out_his_own() -> None:
    book = ProblemBook(3)
    for unit, event in ((A, "e1"), *((B, f"e{n}") for n in range(9))):
        take(book, book.plan_report(unit, replace(TOLD, event=event), 10)[0])
    assert sorted(one.id for one in book.all()) == ["a:e1", "b:e7", "b:e8"]


def test_it_goes_with_the_person() -> None:
    book = reported("e1")
    changes, _ = book.plan_report(B, TOLD, 9)
    take(book, changes)
    book.forget(A)
    assert [one.unit for one in book.all()] == [B]
    assert "staff-90417" not in task_of("staff-90417:e1")


# -- on its way to the desk


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    house = House(tmp_path / "journal")
    found = City(house)
    found.person("a", spot())
    yield found
    house.close()


def said(**others: Any) -> Problem:
    given = {"seq": 1, "event": "e1", "at": None, "latitude": spot().latitude, "longitude": spot().longitude,
             "accuracy": 40, "klass": "0101", "text": "井盖缺失"}  # fmt: skip
    return Problem(**given | others)


def report(city: City, problem: Problem, unit: UnitId = A) -> str:
    code: str = city.done(city.reporting.problem(unit, problem))
    return code


def test_a_report_is_on_disk_before_the_device_hears_of_it(city: City) -> None:
    version = city.desk.version
    assert report(city, said()) == "ok"
    assert city.desk.version > version
    assert report(city, said()) == "again"
    city.kill()
    (one,) = city.books.problems.all()
    assert one.told.spot == spot()


def test_a_place_is_kept_in_one_system(city: City) -> None:
    report(city, said(crs=CoordinateSystem.GCJ02))
    place = city.books.problems.all()[0].told.spot
    assert place is not None
    assert 100 < distance(place.latitude, place.longitude, spot().latitude, spot().longitude) < 800


def test_off_duty_there_is_none(city: City) -> None:
    city.house.roster.apply(("duty", "a:1", {"unit": "a", "number": 1, "start": 0, "end": city.house.now - 10}))
    before = city.house.now - 1000
    for unit, at, code in ((A, None, "bad"), (A, before, "ok"), (NOBODY, before, "bad")):
        assert report(city, said(event=f"e{at}", at=at), unit) == code
    assert len(city.books.problems) == 1


def test_a_clock_that_is_ahead_does_not_say_when(city: City) -> None:
    report(city, said(at=city.house.now + AHEAD_MS + 1))
    assert city.books.problems.all()[0].told.at <= city.house.now


def test_a_task_is_made_of_it_once_whoever_is_killed(city: City) -> None:
    report(city, said())
    task, made = city.done(city.reporting.make_task("a:e1", "verify", "seat"))
    assert made
    assert (task.spot, task.text, task.independent, task.source) == (spot(), "井盖缺失", task.independent, "seat")
    assert city.books.problems.all()[0].task == task.id
    # As after a kill between the two: the task is there, and the report does not say so.
    city.books.problems._all["a:e1"] = replace(city.books.problems.all()[0], state=ProblemState.NEW)
    again, made = city.done(city.reporting.make_task("a:e1", "verify", "other"))
    assert (again.id, made) == (task.id, False)
    assert len(city.desk.book.open()) == 1
    with pytest.raises(Refusal):
        city.done(city.reporting.make_task("a:e9", "verify", "seat"))
    report(city, said(event="e2", latitude=None, longitude=None))
    with pytest.raises(Refusal) as error:
        city.done(city.reporting.make_task("a:e2", "verify", "seat"))
    assert error.value.code == "no_position"


def test_what_an_upload_is_for(city: City) -> None:
    report(city, said())
    reporting, device = city.reporting, city.handhelds[0].device.id
    task, _ = city.done(city.reporting.make_task("a:e1", "check", "seat"))
    city.person("b", spot(20))
    city.later(30)
    attempt = city.desk.book.get(task.id).attempts[0]  # type: ignore[union-attr]
    use = Use(task.id, attempt.number)
    assert reporting.belongs(use, attempt.unit)
    assert not reporting.belongs(use, UnitId("x"))
    assert not reporting.belongs(Use(task.id, 9), attempt.unit)
    assert reporting.belongs(Use(problem="e1"), A)
    assert not reporting.belongs(Use(problem="e2"), A)
    assert reporting.whose(Use("nothing", 1), device, city.house.now) == A
    version = city.desk.version
    city.done(reporting.arrived(Use(problem="e1"), A, "a" * 64))
    assert city.desk.version > version
    city.done(reporting.arrived(use, attempt.unit, "a" * 64))  # before its answer: it is asked for again then
    assert EVIDENCE in city.books.by_type()


def test_a_phone_that_was_passed_on_sends_what_is_of_the_one_before(city: City) -> None:
    task, _ = city.done(city.desk.create(NewTask("verify", spot(30)), "seat"))
    city.later(30)
    attempt = city.desk.book.get(task.id).attempts[0]  # type: ignore[union-attr]
    assert attempt.unit == A
    device = city.handhelds[0].device.id
    city.unit("c", "person")
    roster = city.house.roster
    _, changes = plan_binding(roster, device, UnitId("c"), city.house.now, city.house.now)
    for change in changes:
        roster.apply(change)
    assert city.reporting.whose(Use(task.id, attempt.number), device, city.house.now + 1) == A
    assert city.reporting.whose(Use(problem="e7"), device, city.house.now + 1) == "c"


def test_a_photo_that_was_on_record_when_the_server_was_killed_reaches_its_answer(city: City) -> None:
    task, _ = city.done(city.desk.create(NewTask("verify", spot(30)), "seat"))
    city.later(30)
    sha = "d" * 64
    for what, more in (("delivered", {}), ("accept", {}), ("report", {"word": "exist", "photos": [sha]})):
        city.handhelds[0].say(task.id, 1, what, **more)
        city.later(5)
    fields = {"unit": A, "device": "d1", "size": 3, "type": "image/jpeg", "at": 7, "name": f"2026-11-23/{sha}-n.jpg"}
    city.books.exhibits.take((EVIDENCE, f"{sha}:{A}", fields | Use(task.id, 1)._asdict()))
    known = city.desk.book.get(task.id)
    assert known is not None
    assert known.result is not None
    assert known.result.missing == 1
    for _ in range(2):
        city.done(city.reporting.begin())
    assert known.result.arrived == (sha,)
    assert known.result.missing == 0
