"""A task from the seat to the street and back, over the real links and the real journal."""

from __future__ import annotations

import pytest

from dispatch.desk_model import NewTask
from dispatch.model import TaskId
from dispatch.surveys import Surveys
from tests.dispatch.city import ZONE, City, spot
from tests.tracker.helpers import House
from tracker.model import UnitId
from tracker.refusal import Refusal
from tracker.rota import Rota

DIGEST = "ab" * 32


@pytest.fixture
def city(house: House) -> City:
    return City(house)


def test_the_nearest_is_asked_at_once_goes_is_seen_to_arrive_and_answers(city: City) -> None:
    near, far = city.person("near", spot(300)), city.person("far", spot(1200))
    city.task(address="东街1号", text="井盖缺失")
    city.later(2)
    assert city.states() == ["assigned", "near:delivered"]
    told = near.screen["t1"]
    assert (told.address, told.text, told.kind, told.what) == ("东街1号", "井盖缺失", "verify", "offer")
    seconds = (told.until - city.see().created) / 1000
    assert 60 <= seconds <= 62, "what runs down on the screen is the time to answer"
    assert not far.screen
    assert near.words is not None
    assert near.words.kinds["verify"].results["exist"].photos == 1
    near.does("accept")
    near.goes(spot(), 100)
    assert city.states() == ["in_progress", "near:en_route"]
    near.stays(60)
    assert city.states() == ["in_progress", "near:on_scene"]
    assert near.screen["t1"].state == "on_scene", "what its positions have shown, its screen shows"
    near.does("report", word="exist", text="在", photos=[DIGEST])
    task = city.see()
    assert city.states() == ["resulted", "near:reported"]
    assert task.result is not None
    assert (task.result.word, task.result.missing, task.result.marks) == ("exist", 1, ())
    city.done(city.desk.note_photo(task.id, 1, near.unit, DIGEST))
    assert city.states() == ["closed", "near:done"]
    words = [deed["what"] for deed in city.desk.history(task.id)]
    assert words == ["task", "offer", "deliver", "accept", "depart", "arrive", "report", "photo", "finish", "close"]
    assert [one.code for one in near.standings] == ["ok"] * 3
    assert list(city.rounds.decisions) == ["t1:1"]


def test_who_says_no_is_not_asked_again_and_the_next_is(city: City) -> None:
    one, two = city.person("one", spot(300)), city.person("two", spot(1200))
    city.task()
    city.later(2)
    one.does("decline", reason="busy")
    city.later(2)
    assert city.states() == ["assigned", "one:declined", "two:delivered"]
    assert "t1" in two.screen
    assert [note.what for note in city.desk.notes] == ["new", "declined"]


def test_who_has_no_link_is_not_asked_and_when_nobody_can_be_the_seat_hears_of_it(city: City) -> None:
    one = city.person("one", spot(300))
    one.cut()
    city.task()
    city.later(2)
    assert city.states() == ["queued"]
    assert city.see().level == 1
    assert city.rounds.decisions["t1:0"]["chosen"] == ""
    one.connect()
    city.later(2)
    assert city.states() == ["assigned", "one:delivered"]


def test_a_dispatcher_chooses_and_no_round_undoes_it(city: City) -> None:
    one, two = city.person("one", spot(300)), city.person("two", spot(1200))
    two.cut()
    task = city.task()
    city.later(2)
    one.does("accept")
    seen = city.see().seen
    city.done(city.desk.assign(task.id, two.unit, "seat", seen))
    city.later(2)
    assert one.told[-1] == "revoke t1.1 reassigned"
    assert city.states() == ["assigned", "one:recalled", "two:offered"]
    city.later(60)
    assert city.states() == ["queued", "one:recalled", "two:undelivered"], "nobody else is asked"
    two.connect()
    city.later(8)
    assert two.told[0] == "revoke t1.2 ", "what is over comes before what is asked"
    assert city.states()[-1] == "two:delivered"
    with pytest.raises(Refusal, match="changed"):
        city.done(city.desk.recall(task.id, "other", "mistake", seen))


def test_nobody_acknowledges_and_the_next_is_asked_within_35_seconds(city: City) -> None:
    one, two = city.person("one", spot(300)), city.person("two", spot(1200))
    deaf = one.session
    assert deaf is not None
    one._receive = lambda messages: None  # type: ignore[method-assign]
    deaf._send = lambda messages: None
    city.task()
    city.later(35)
    assert city.states() == ["assigned", "one:undelivered", "two:delivered"]
    assert city.books.tasks.suspect(one.unit)
    assert "t1" in two.screen


def test_a_vehicle_is_told_by_a_text_and_the_confirmation_counts(city: City) -> None:
    city.unit("v1", "vehicle")
    device = city.house.register("jt808", "013912345678", unit="v1").id
    task = city.task(address="东街1号")
    city.done(city.desk.assign(task.id, UnitId("v1"), "seat"))
    (command,) = city.links.commands.of(device, 10)
    assert command.kind == "text"
    assert "【核实】东街1号" in command.arguments["text"]
    city.links.answered(command.id, device, True)
    city.later(1)
    assert city.states() == ["assigned", "v1:delivered"]
    city.done(city.desk.told_by_phone(task.id, 1, "accept", "seat"))
    assert city.states() == ["in_progress", "v1:accepted"]
    city.done(city.desk.cancel(task.id, "seat", "no longer"))
    city.later(1)
    texts = [one.arguments["text"] for one in city.links.commands.of(device, 10)]
    assert any("任务撤回" in text for text in texts)


def test_what_was_done_in_a_dead_spot_arrives_once_and_in_order(city: City) -> None:
    one = city.person("one", spot(300))
    city.task()
    city.later(2)
    one.does("accept")
    one.cut()
    one.goes(spot(), 100)
    one.stays(60)
    one.does("report", word="not_exist", photos=[DIGEST])
    assert city.states() == ["in_progress", "one:accepted"]
    one.connect()
    city.later(3)
    assert city.states() == ["resulted", "one:reported"]
    words = [deed["what"] for deed in city.desk.history(city.see().id)]
    assert words == ["task", "offer", "deliver", "accept", "depart", "arrive", "report"]
    result = city.see().result
    assert result is not None
    assert result.marks == (), "the positions of then came too"


STEPS = ["created", "offered", "delivered", "accepted", "en_route", "on_scene", "reported"]


@pytest.mark.parametrize("step", STEPS)
def test_a_server_that_is_killed_at_each_step(city: City, step: str) -> None:
    one = city.person("one", spot(300))
    moment = iter(STEPS)

    def kill(now: str) -> None:
        assert next(moment) == now
        if now == step:
            city.kill()
            one.connect()
            one.at(one.spot or spot(300))
            city.later(8)

    if step == "created":
        one.cut()
    if step == "offered":
        one.say = lambda *given, **fields: None  # type: ignore[method-assign]
    city.task()
    kill("created")
    city.later(2)
    if step == "offered":
        assert city.states()[-1] == "one:offered"
        del one.say
    kill("offered")
    assert city.states() == ["assigned", "one:delivered"]
    kill("delivered")
    one.does("accept")
    kill("accepted")
    one.goes(spot(), 100)
    kill("en_route")
    one.stays(60)
    kill("on_scene")
    one.does("report", word="exist", photos=[DIGEST])
    kill("reported")
    assert city.states() == ["resulted", "one:reported"]
    assert (city.see().attempts[0].number, len(city.see().attempts)) == (1, 1)
    assert one.screen["t1"].state in ("on_scene", "reported", "accepted", "en_route", "delivered", "offered")


def test_the_end_of_the_shift_and_silence_give_a_task_to_others(city: City) -> None:
    one, two = city.person("one", spot(300)), city.person("two", spot(1200))
    city.task()
    city.later(2)
    one.does("accept")
    one.cut()
    for _ in range(25):
        city.later(30, 30)
        two.at(spot(1200))
        if "one:abandoned" in city.states():
            break
    assert city.see().attempts[0].reason in ("silent", "not_departed")
    assert "two:delivered" in city.states() or "two:offered" in city.states() or city.see().state == "queued"


def test_sos_reaches_the_seats_and_the_nearest_three_until_it_is_acknowledged(city: City) -> None:
    calls = city.person("calls", spot())
    others = [city.person(f"p{n}", spot(200 * n)) for n in (1, 2, 3, 4)]
    city.task(800)
    city.later(2)
    before = city.desk.version
    calls.at(spot(), alarm=1)
    city.later(0.1, 0.1)
    (call,) = city.books.sos.all()
    assert call.ringing
    assert [near.unit for near in call.near] == ["p1", "p2", "p3"]
    assert [len(one.help) for one in others] == [1, 1, 1, 0]
    assert (others[0].help[0].what, others[0].help[0].unit) == ("colleague", "calls")
    assert city.desk.version > before
    calls.at(spot(5), alarm=1)
    assert len(city.books.sos.all()) == 1, "it is the same call"
    city.kill()
    (call,) = city.books.sos.all()
    assert call.ringing
    assert len(call.near) == 3
    calls.connect()
    city.done(city.sos.acknowledge(call.id, "seat"))
    assert not call.ringing
    assert [one.what for one in calls.help] == ["acknowledged"]


def test_a_call_that_was_on_disk_when_the_server_was_killed_is_heard_at_the_next_start(city: City) -> None:
    calls = city.person("calls", spot())
    # Killed between the disk and whoever is told of it.
    city.house.intake.stored.clear()
    city.mirror._listeners.clear()
    calls.at(spot(), alarm=1)
    city.later(1)
    assert not city.books.sos.all()
    city.kill()
    city.later(1)
    assert [call.unit for call in city.books.sos.all()] == ["calls"]


def test_whoever_calls_for_help_has_no_task_any_more(city: City) -> None:
    one = city.person("one", spot(300))
    city.person("two", spot(1200))
    city.task()
    city.later(2)
    one.does("accept")
    one.at(spot(290), alarm=1)
    city.later(3)
    assert city.states() == ["assigned", "one:abandoned", "two:delivered"]
    assert city.see().attempts[0].reason == "sos"


def test_an_answer_from_elsewhere_is_taken_and_marked_and_later_positions_mend_that(city: City) -> None:
    one = city.person("one", spot(900))
    city.task()
    city.later(2)
    one.does("accept")
    one.stays(30)
    one.does("report", word="unable", text="进不去")
    result = city.see().result
    assert result is not None
    assert (result.marks, city.states()[0]) == (("not_on_scene",), "resulted"), "unable is for a dispatcher to close"
    # The phone had kept positions of the scene.
    for seconds in (40, 30, 20):
        there = spot()
        one.client.add_position(city.house.now - 1000 * seconds, there.latitude, there.longitude, 50)
    one.talk()
    city.later(2)
    result = city.see().result
    assert result is not None
    assert result.marks == ()
    assert city.desk.history(city.see().id)[-1]["what"] == "proof"


def test_trips_teach_the_city_how_long_its_ways_are(city: City) -> None:
    one = city.person("one", spot(900))
    city.task()
    city.later(2)
    one.does("accept")
    one.goes(spot(), 400)
    one.stays(60)
    assert city.states()[-1] == "one:on_scene"
    (trip,) = city.books.detours.events()
    assert trip[:2] == ("trip", "ebike")
    before = city.books.detours.factor("ebike")
    city.kill()
    assert list(city.books.detours.events()) == [trip]
    assert city.books.detours.factor("ebike") == before


def test_a_task_is_amended_and_its_holder_hears_of_it(city: City) -> None:
    one = city.person("one", spot(300))
    task = city.task(address="东街1号")
    city.later(2)
    one.does("accept")
    city.done(city.desk.amend(task.id, "case", address="西街2号", spot=spot(-500)))
    city.later(1)
    assert (one.screen["t1"].address, one.screen["t1"].latitude) == ("西街2号", spot(-500).latitude)
    one.goes(spot(-500), 300)
    one.stays(60)
    assert city.states()[-1] == "one:on_scene", "where it is now"


def test_a_reporter_does_not_check_his_own_report(city: City) -> None:
    city.person("one", spot(100))
    city.person("two", spot(900))
    city.task(kind="check", independent="one")
    city.later(2)
    assert city.states() == ["assigned", "two:delivered"]


def test_the_same_id_is_the_same_task(city: City) -> None:
    new = NewTask("verify", spot(), TaskId("case-7"))
    first, made = city.done(city.desk.create(new, "case"))
    again, made_again = city.done(city.desk.create(new, "case"))
    assert (made, made_again, first is again) == (True, False, True)
    city.kill()
    assert city.done(city.desk.create(new, "case"))[1] is False


def test_deadlines_fire_and_what_nobody_takes_climbs_to_the_leader(city: City) -> None:
    city.task()
    city.later(31 * 60, 10)
    task = city.see()
    assert (task.overdue, task.level) == (True, 4)
    whats = [(note.to, note.what) for note in city.desk.notes]
    assert ("seat", "ranked") in whats
    assert ("leader", "call") in whats
    assert ("seat", "overdue") in whats
    assert city.desk.light(task, city.house.now) == "red"


def test_nothing_is_accepted_that_the_disk_did_not_take(city: City) -> None:
    one = city.person("one", spot(300))
    city.task()
    city.later(2)
    city.house.hands.broken = True
    one.does("accept")
    assert city.states()[-1] == "one:delivered"
    city.house.hands.broken = False
    city.later(40)
    assert city.states()[-1] in ("one:accepted", "one:en_route")


def test_a_survey_is_a_task_for_each_grid_and_its_owner_and_keeps_nobody_from_anything(city: City) -> None:
    owner = city.person("owner", spot(300), grid="g1")
    city.person("near", spot(100))
    surveys = Surveys(city.house.intake, Rota(city.house.roster, ZONE), city.desk)
    (task,) = city.done(surveys.create("s1", ["g1"], "统计共享单车", "seat", None))
    assert (task.id, task.pinned, task.street) == ("s1:g1", "owner", "东街")
    city.later(8)
    assert city.states("s1:g1") == ["assigned", "owner:delivered"]
    owner.does("accept", "s1:g1")
    city.task()
    city.later(2)
    assert city.states("t1") == ["assigned", "owner:delivered"], "as if he had nothing to do"
    for _ in range(20):
        owner.at(spot(300))
        city.later(60, 60)
    assert city.states("s1:g1") == ["in_progress", "owner:accepted"], "nobody asks why he has not set out"
    owner.does("report", "s1:g1", word="done", text="42 辆")
    assert city.states("s1:g1") == ["closed", "owner:done"]
    assert [one.id for one in surveys.of("s1")] == ["s1:g1"]
    assert city.done(surveys.create("s1", ["g1"], "again", "seat", None)) == [task], "twice is once"
    with pytest.raises(Refusal, match="no grid"):
        city.done(surveys.create("s2", ["nowhere"], "", "seat", None))


def test_a_notice_comes_on_every_link_until_it_was_read(city: City) -> None:
    one, two = city.person("one", spot(300)), city.person("two", spot(1200))
    two.cut()
    until = city.house.now + 3_600_000
    units = [one.unit, two.unit]
    notice = city.done(city.notifier.create("今日有大风", units, {}, until, "seat"))
    city.later(1)
    assert [(one.text, one.until) for one in one.notices] == [("今日有大风", until)]
    assert bool(notice.units[one.unit].delivered), "it is shown"
    assert not notice.units[two.unit].delivered
    city.kill()
    for handheld in (one, two):
        handheld.connect()
    city.later(1)
    assert (len(one.notices), len(two.notices)) == (2, 1), "shown is not read"
    one.client.add_answer(notice.id, 1, "read", "r1", city.house.now)
    city.later(1)
    one.cut()
    one.connect()
    assert len(one.notices) == 2
    found = city.books.notices.get(notice.id)
    assert found is not None
    assert [bool(receipt.read) for receipt in found.units.values()] == [True, False]


def test_whoever_was_not_reached_is_asked_again_when_something_comes_from_him(city: City) -> None:
    one = city.person("one", spot(300))
    one.say = lambda *given, **fields: None  # type: ignore[method-assign]
    city.task()
    city.later(32)
    del one.say
    assert city.states() == ["queued", "one:undelivered"]
    assert city.books.tasks.suspect(one.unit)
    one.at(spot(290))
    city.later(8)
    assert not city.books.tasks.suspect(one.unit)
    assert city.states() == ["assigned", "one:undelivered", "one:delivered"]


def test_what_somebody_had_who_is_removed_waits_for_others(city: City) -> None:
    one, two = city.person("one", spot(300)), city.person("two", spot(1200))
    city.task()
    city.later(2)
    one.does("accept")
    one.cut()
    for part in (city.books.tasks, city.geofence, city.rounds):
        part.forget(one.unit)
    for change in city.house.roster.remove(one.unit):
        city.house.roster.apply(change)
    city.later(8)
    assert city.states() == ["assigned", "two:delivered"]
    assert "t1" in two.screen


def test_who_calls_without_a_place_is_helped_by_those_near_where_he_was_last(city: City) -> None:
    calls = city.person("calls", spot())
    one = city.person("one", spot(200))
    calls.client.add_position(city.house.now, None, None, alarm=1)
    calls.talk()
    city.later(1)
    (call,) = city.books.sos.all()
    assert (call.spot, [near.unit for near in call.near]) == (None, ["one"])
    assert [told.what for told in one.help] == ["colleague"]
    calls.at(spot(5), alarm=1)
    city.later(1)
    assert call.spot == spot(5)
    assert [near.unit for near in call.near] == ["one"], "nobody is told twice"
