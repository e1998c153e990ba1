"""What must not go wrong when something else does: clocks, devices that change hands, disks and faults of our own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail

from dispatch.model import RESULTS
from dispatch.sos import Near
from dispatch.sos_watch import TEXT_S
from protocols.report import ALARM_SOS
from tests.dispatch.city import City, Handheld, spot
from tests.tracker.helpers import House
from tracker.device_plans import plan_binding
from tracker.intake import StoreFailed
from tracker.model import UnitId

DIGEST = "ab" * 32
HOUR = 3_600_000


@pytest.fixture
def city(house: House) -> City:
    return City(house)


def give(city: City, device: Any, unit: str, at: int) -> None:
    for change in plan_binding(city.house.roster, device.id, UnitId(unit), at)[1]:
        city.house.roster.apply(change)


def told(handheld: Any, at: int, what: str, event: str, task: str = "t1", attempt: int = 1, **fields: Any) -> None:
    """An answer as of a time of the device's own clock."""
    handheld.client.add_answer(task, attempt, what, event, at, **fields)
    handheld.city.later(1)


def test_an_answer_counts_though_the_clock_of_its_phone_stands_before_it_was_given_to_anybody(city: City) -> None:
    city.unit("one", "person")
    phone = city.person("before")
    city.later(60)
    give(city, phone.device, "one", city.house.now)
    phone.at(spot(300))
    city.task()
    city.later(2)
    told(phone, city.house.now - 400 * 24 * HOUR, "accept", "e1")
    told(phone, city.house.now - 400 * 24 * HOUR, "report", "e2", word="exist")
    assert [standing.code for standing in phone.standings][-2:] == ["ok", "ok"]
    task = city.see()
    assert task.result is not None
    assert task.result.unit == "one"


def test_whoever_has_a_phone_now_says_nothing_in_the_name_of_who_had_it_before(city: City) -> None:
    old, one = city.person("old"), city.person("one", spot(300))
    # The phone of "old" was "one"'s until an hour ago.
    give(city, old.device, "one", city.house.now)
    city.later(60)
    give(city, old.device, "old", city.house.now)
    city.later(60)
    one.at(spot(300))
    city.task()
    city.later(2)
    assert city.states() == ["assigned", "one:delivered"]
    told(old, city.house.now - 90_000, "decline", "e1", reason="busy")
    assert city.states() == ["assigned", "one:delivered"]
    assert [standing.code for standing in old.standings] == ["stale"]


def test_an_answer_is_kept_though_the_rules_do_not_know_its_kind_any_more(city: City) -> None:
    one = city.person("one", spot(300))
    city.task()
    city.later(2)
    one.does("accept")
    city.desk.rules = replace(city.desk.rules, kinds={})
    one.does("report", word="exist", text="在")
    assert one.standings[-1].code == "ok"
    task = city.see()
    assert task.result is not None
    assert (task.result.word, task.result.closes) == ("exist", False)


def test_a_listener_that_fails_keeps_nobody_from_hearing_and_no_timer_from_beginning(city: City) -> None:
    def fails(*given: Any) -> None:
        raise ValueError("a fault of ours")

    heard: list[int] = []
    for each in (fails, lambda: heard.append(city.desk.version)):
        city.desk.listen(each)
    city.links.came.insert(0, fails)
    one = city.person("one", spot(300))
    city.task()
    city.later(2)
    assert city.states() == ["assigned", "one:delivered"]
    assert heard
    assert one.words is not None


def test_who_arrives_while_the_disk_fails_has_arrived_when_it_works_again(city: City) -> None:
    one = city.person("one", spot(300))
    city.task()
    city.later(2)
    one.does("accept")
    one.goes(spot(), 100)
    assert city.states() == ["in_progress", "one:en_route"]
    carry_out = city.steps.carry_out
    city.steps.carry_out = lambda *given, **how: fail(StoreFailed("the disk"))  # type: ignore[method-assign]
    one.stays(60)
    city.steps.carry_out = carry_out  # type: ignore[method-assign]
    assert city.states() == ["in_progress", "one:en_route"]
    one.stays(60)
    assert city.states() == ["in_progress", "one:on_scene"]


@pytest.mark.parametrize("closed", [True, False])
def test_a_restart_makes_no_good_proof_worse(city: City, closed: bool) -> None:
    one = city.person("one", spot(300))
    task = city.task()
    city.later(2)
    one.does("accept")
    one.goes(spot(), 100)
    one.stays(40)
    one.does("report", word="exist", photos=[DIGEST])
    if closed:
        city.done(city.desk.note_photo(task.id, 1, one.unit, DIGEST))
    assert city.states()[0] == ("closed" if closed else "resulted")
    city.kill()
    for handheld in city.handhelds:
        handheld.connect()
    city.later(1)
    one.at(spot(900))
    city.later(5)
    result = city.see().result
    assert result is not None
    assert result.marks == (), "what was seen before the restart proves it"


def test_what_is_kept_of_positions_is_what_may_prove_something(city: City) -> None:
    one = city.person("one", spot(300))
    task = city.task()
    city.later(2)
    one.does("accept")
    one.goes(spot(), 100)
    one.does("report", word="exist", photos=[DIGEST])
    city.done(city.desk.note_photo(task.id, 1, one.unit, DIGEST))
    one.goes(spot(2000), 600)
    (known,) = city.geofence._units.values()
    assert all(fix.at <= known.answers[task.id, 1][1] + 1000 * city.desk.rules.proof.window_s for fix in known.fixes)
    assert known.fixes


def test_a_task_that_is_closed_is_still_proved_after_a_restart(city: City) -> None:
    one = city.person("one", spot(300))
    task = city.task()
    city.later(2)
    one.does("accept")
    one.does("report", word="exist", photos=[DIGEST])
    city.done(city.desk.note_photo(task.id, 1, one.unit, DIGEST))
    result = city.see().result
    assert result is not None
    assert result.marks == ("no_proof",)
    city.kill()
    one.connect()
    for _ in range(3):
        one.at(spot())
        city.later(5)
    result = city.see().result
    assert result is not None
    assert result.marks == ()


def test_positions_change_nothing_but_their_own_marks_and_of_the_last_answer(city: City) -> None:
    one = city.person("one", spot(300))
    task = city.task()
    city.later(2)
    one.does("accept")
    one.does("report", word="unable", photos=[DIGEST])
    city.done(city.desk.return_(task.id, "seat", "看不清"))
    city.later(250, 10)
    one.does("report", word="unable", photos=[DIGEST])
    for _ in range(3):
        one.at(spot())
        city.later(5)
    result = city.see().result
    assert result is not None
    assert result.marks == ("no_text",)


def second(city: City, of: Handheld) -> Handheld:
    """Another device of the same person."""
    device = city.house.register("handheld", f"h2-{of.unit}", unit=of.unit)
    handheld = Handheld(city, device)
    city.handhelds.append(handheld)
    handheld.connect()
    return handheld


def test_a_call_for_help_is_ended_by_the_device_that_calls(city: City) -> None:
    one = city.person("one", spot(300))
    other = second(city, one)
    one.at(spot(300), alarm=ALARM_SOS)
    city.later(5)
    (call,) = city.books.sos.all()
    other.at(spot(300))
    city.later(5)
    assert not call.ended, "the other device says nothing of it"
    city.kill()
    for handheld in (one, other):
        handheld.connect()
    other.at(spot(300))
    city.later(5)
    (call,) = city.books.sos.all()
    assert not call.ended
    one.at(spot(300))
    city.later(5)
    assert call.ended


def test_whoever_calls_for_help_is_asked_for_nothing_until_that_is_over(city: City) -> None:
    one = city.person("one", spot(300))
    one.at(spot(300), alarm=ALARM_SOS)
    city.later(2)
    city.task()
    city.later(8)
    assert city.states() == ["queued"]
    (call,) = city.books.sos.all()
    city.done(city.sos.acknowledge(call.id, "seat"))
    city.later(8)
    assert city.states() == ["queued"], "somebody takes care of it; it is not over"
    one.at(spot(300))
    city.later(8)
    assert city.states() == ["assigned", "one:delivered"]


def test_a_terminal_that_comes_again_and_again_is_told_once_of_a_call_for_help(city: City) -> None:
    one = city.person("one", spot(300))
    city.unit("car", "vehicle")
    device = city.house.register("jt808", "013800000001", unit="car")
    one.at(spot(300), alarm=ALARM_SOS)
    city.later(2)
    (call,) = city.books.sos.all()
    call.near.append(Near(UnitId("car"), 100))
    for _ in range(3):
        city.sos.come(UnitId("car"))
        city.later(1)
    assert len(city.links.commands.of(device.id, 100)) == 1
    city.later(TEXT_S + 1, 10)
    city.sos.come(UnitId("car"))
    city.later(1)
    assert len(city.links.commands.of(device.id, 100)) == 2, "the first one did not come there in time"


def test_who_calls_again_before_a_seat_has_seen_it_calls(city: City) -> None:
    one = city.person("one", spot(300))
    for alarm in (ALARM_SOS, 0, ALARM_SOS):
        one.at(spot(300), alarm=alarm)
        city.later(5)
    (call,) = city.books.sos.all()
    assert (call.ringing, call.ended) == (True, 0)


def test_one_device_that_answers_without_end_pushes_nobody_out(city: City) -> None:
    one, two = city.person("one", spot(300)), city.person("two", spot(1200))
    task = city.task()
    city.later(2)
    one.does("accept")
    one.does("report", word="not_exist")
    city.done(city.desk.return_(task.id, "seat", "看不清"))
    city.done(city.desk.assign(task.id, two.unit, "seat"))
    city.later(2)
    for n in range(30):
        told(one, city.house.now, "report", f"again-{n}", word="exist")
    deeds = len(city.desk.history(task.id))
    for n in range(30, 60):
        told(one, city.house.now, "report", f"again-{n}", word="exist")
    assert len(city.desk.history(task.id)) - deeds < 10, "time goes on, and nothing else"
    assert one.standings[-1].code == "stale"
    assert len(city.see().kept) == RESULTS


def test_a_phone_that_is_given_to_somebody_while_it_has_a_link_shows_what_is_his(city: City) -> None:
    one = city.person("one", spot(300))
    city.task()
    city.later(2)
    one.does("accept")
    city.unit("two", "person")
    other = city.task(2000)
    city.done(city.desk.assign(other.id, UnitId("two"), "seat"))
    give(city, one.device, "two", city.house.now)
    one.at(spot(300))
    city.later(1)
    assert list(one.screen) == [other.id]


def test_nobody_is_assigned_who_is_removed_while_it_waits_for_the_disk(city: City) -> None:
    one = city.person("one")
    task = city.task()
    city.house.hands.hold()
    found: list[Any] = []
    first = Deferred.fromCoroutine(city.desk.amend(task.id, "seat", text="不同"))
    Deferred.fromCoroutine(city.desk.assign(task.id, one.unit, "seat")).addErrback(found.append)
    city.house.settle()
    for change in city.house.roster.remove(one.unit):
        city.house.roster.apply(change)
    city.house.hands.release()
    for _ in range(4):
        city.house.settle()
    assert first.called
    assert [failure.value.code for failure in found] == ["no_unit"]
    assert city.states() == ["queued"]


def test_the_notes_say_nothing_more_of_who_is_removed(city: City) -> None:
    one = city.person("one", spot(300))
    city.task()
    city.later(2)
    one.does("decline", reason="busy")
    assert any(note.unit == one.unit for note in city.desk.notes)
    city.desk.forget(one.unit)
    assert not any(note.unit == one.unit for note in city.desk.notes)


def test_nor_is_he_asked_again_whom_a_dispatcher_has_chosen(city: City) -> None:
    one = city.person("one", spot(300))
    task = city.task()
    city.done(city.desk.assign(task.id, one.unit, "seat"))
    city.later(2)
    one.at(spot(300), alarm=ALARM_SOS)
    city.later(8)
    assert city.states() == ["queued", "one:recalled"]
    one.at(spot(300))
    city.later(8)
    assert city.states() == ["assigned", "one:recalled", "one:delivered"]
