"""A task from the queue to its end: who is asked, what devices say, what dispatchers decide."""

from __future__ import annotations

import msgpack
import pytest

from dispatch.book import TaskBook
from dispatch.draft import Answer
from dispatch.model import ATTEMPTS, RESULTS, SEEN, AttemptInput, AttemptState, Result, TaskId, Times
from tests.dispatch.desk import HOUR, MINUTE, NOON, A, B, C, Desk, S, T, rebuilt, same, task, told_to
from tracker.model import UnitId
from tracker.refusal import Change, Refusal


@pytest.fixture
def desk() -> Desk:
    return Desk(task())


def through(events: list[Change]) -> list[Change]:
    """As they come back from the disk."""
    packed = msgpack.packb(events, use_bin_type=True)
    return list(msgpack.unpackb(packed, use_list=False, strict_map_key=False))


# -- the usual way


def test_a_task_is_offered_accepted_done_and_closed(desk: Desk) -> None:
    offer = desk.offer()
    assert told_to(offer) == [("unit", "offer", A)]
    assert (offer.sends[0].task, offer.sends[0].attempt) == (T, 1)
    assert desk.states == ("assigned", "offered")
    desk.told("deliver", "accept")
    assert desk.states == ("in_progress", "accepted")
    desk.told("depart", "arrive")
    assert told_to(desk.report()) == [("seat", "report", A)]
    assert desk.states == ("resulted", "reported")
    desk.do(desk.book.plan_close(T, "wang", desk.now))
    assert desk.states == ("closed", "done")
    assert desk.task.result == Result("exist", A, 1, NOON)
    assert desk.book.get_timer() is None
    assert desk.book.open() == []


def test_nothing_changes_before_it_is_on_disk(desk: Desk) -> None:
    before = through(list(desk.book.events()))
    step = desk.book.plan_offer(T, A, 200, NOON)
    desk.book.plan_cancel(T, "wang", "no", NOON)
    assert through(list(desk.book.events())) == before
    assert {timer.what for timer in step.timers} == {"deliver"}
    desk.do(step)
    assert set(step.timers) <= desk.book.timers.of(T)


def test_every_event_names_one_unit_at_the_most() -> None:
    desk = Desk(task(independent=C))
    desk.offer()
    desk.do(desk.book.plan_assign(T, B, "wang", 90, NOON))
    desk.told("accept", unit=B, attempt=2)
    desk.report(unit=B, attempt=2)
    desk.report(unit=A, event="late")
    desk.do(desk.book.plan_adopt(T, 1, NOON, "wang", NOON))
    for _, id, fields in [*desk.journal, *desk.book.events()]:
        assert fields is not None
        assert id == T
        named = {unit for unit in (A, B, C) if msgpack.packb(unit) in msgpack.packb(fields)}
        assert named <= {fields.get("unit")}


# -- offers


def test_an_offer_that_is_not_delivered_makes_its_unit_suspect(desk: Desk) -> None:
    desk.offer()
    steps = desk.wait(30 * S)
    assert told_to(*steps) == [("unit", "revoke", A), ("seat", "undelivered", A)]
    assert desk.states == ("queued", "undelivered")
    assert desk.book.suspect(A)
    with pytest.raises(Refusal, match="suspect"):
        desk.offer()
    assert [send.what for send in desk.book.to_send(A)] == ["revoke"]
    assert desk.book.plan_heard(B, desk.now).events == []
    desk.do(desk.book.plan_heard(A, desk.now))
    assert not desk.book.suspect(A)
    assert desk.book.plan_heard(A, desk.now).events == []
    desk.offer()
    assert [send.what for send in desk.book.to_send(A)] == ["revoke", "offer"]
    desk.do(desk.book.plan_acknowledged(T, 1, A, desk.now))
    desk.told("deliver", attempt=2)
    assert desk.book.to_send(A) == []


def test_an_offer_is_answered_in_time_or_goes_to_the_next(desk: Desk) -> None:
    desk.offer()
    desk.told("deliver")
    assert told_to(*desk.wait(30 * S)) == [("unit", "remind", A)]
    assert told_to(*desk.wait(29 * S)) == []
    assert told_to(*desk.wait(S)) == [("unit", "revoke", A), ("call", "unanswered", A)]
    assert desk.states == ("queued", "unanswered")
    with pytest.raises(Refusal, match="declined"):
        desk.offer()
    desk.offer(B)


def test_a_kind_may_wait_longer() -> None:
    desk = Desk(task(times=Times(answer=120_000)))
    desk.offer()
    desk.told("deliver")
    desk.wait(119 * S)
    assert desk.states == ("assigned", "delivered")
    desk.wait(S)
    assert desk.states == ("queued", "unanswered")


def test_who_declines_is_left_alone_for_a_while(desk: Desk) -> None:
    desk.offer()
    desk.told("deliver")
    (step,) = desk.told("decline", reason="far", event="e1")
    assert step.answer == Answer("ok", T, 1, "declined")
    assert desk.task.attempts[0].reason == "far"
    with pytest.raises(Refusal, match="declined"):
        desk.offer()
    desk.wait(15 * MINUTE - 1)
    with pytest.raises(Refusal, match="declined"):
        desk.offer()
    desk.wait(1)
    desk.offer()


def test_a_round_may_think_again_until_somebody_has_accepted(desk: Desk) -> None:
    desk.offer()
    assert told_to(desk.offer(B)) == [("unit", "revoke", A), ("unit", "offer", B)]
    assert desk.states == ("assigned", "recalled", "offered")
    assert desk.task.declined == {}
    desk.told("accept", unit=B, attempt=2)
    with pytest.raises(Refusal, match="held"):
        desk.offer(C)


def test_nobody_checks_what_he_has_reported() -> None:
    desk = Desk(task(independent=A))
    with pytest.raises(Refusal) as refused:
        desk.offer()
    assert refused.value.code == "independent"
    with pytest.raises(Refusal) as refused:
        desk.do(desk.book.plan_assign(T, A, "wang", 90, NOON))
    assert refused.value.code == "independent"


def test_attempts_are_bounded(desk: Desk) -> None:
    for n in range(ATTEMPTS):
        desk.do(desk.book.plan_offer(T, UnitId(f"u{n}"), 60, desk.now))
        desk.told("decline", unit=UnitId(f"u{n}"), attempt=n + 1)
    for plan in (lambda: desk.book.plan_offer(T, A, 60, desk.now), lambda: desk.book.plan_assign(T, A, "w", 60, NOON)):
        with pytest.raises(Refusal) as refused:
            plan()
        assert refused.value.code == "too_many"


# -- by hand


def test_no_round_undoes_what_a_dispatcher_has_set(desk: Desk) -> None:
    desk.offer()
    step = desk.do(desk.book.plan_assign(T, B, "wang", 90, desk.now))
    assert told_to(step) == [("unit", "revoke", A), ("unit", "offer", B)]
    assert desk.states == ("assigned", "recalled", "offered")
    with pytest.raises(Refusal, match="pinned"):
        desk.offer(C)
    desk.told("decline", unit=B, attempt=2, reason="far")
    with pytest.raises(Refusal, match="pinned"):
        desk.offer(C)
    desk.do(desk.book.plan_unpin(T, "wang", desk.now))
    desk.offer(C)


def test_to_choose_who_holds_it_already_only_pins_it(desk: Desk) -> None:
    desk.offer()
    desk.told("accept")
    step = desk.do(desk.book.plan_assign(T, A, "wang", 90, desk.now))
    assert [event[2]["what"] for event in step.events if event[2]] == ["pin"]
    assert desk.states == ("in_progress", "accepted")
    assert desk.book.plan_assign(T, A, "wang", 90, desk.now).events == []


def test_two_at_the_table_do_not_overwrite_each_other(desk: Desk) -> None:
    seen = desk.task.seen
    desk.do(desk.book.plan_assign(T, A, "wang", 90, NOON, seen=seen))
    for plan in (
        lambda: desk.book.plan_assign(T, B, "li", 90, NOON, seen=seen),
        lambda: desk.book.plan_cancel(T, "li", "no", NOON, seen=seen),
        lambda: desk.book.plan_recall(T, "li", "no", NOON, seen=seen),
    ):
        with pytest.raises(Refusal) as refused:
            plan()
        assert refused.value.code == "changed"
    desk.do(desk.book.plan_recall(T, "li", "no", NOON, seen=desk.task.seen))


def test_a_recall_is_acknowledged_or_somebody_calls(desk: Desk) -> None:
    desk.offer()
    desk.told("accept")
    desk.do(desk.book.plan_recall(T, "wang", "mistake", desk.now))
    assert desk.states == ("queued", "recalled")
    with pytest.raises(Refusal, match="declined"):
        desk.offer()
    desk.offer(B)
    assert ("call", "revoke", A) not in told_to(*desk.wait(30 * S - 1))
    assert ("call", "revoke", A) in told_to(*desk.wait(1))
    assert [send.what for send in desk.book.to_send(A)] == ["revoke"]
    step = desk.do(desk.book.plan_acknowledged(T, 1, A, desk.now))
    assert step.answer == Answer("ok", T, 1, "recalled")
    assert desk.book.to_send(A) == []
    assert desk.book.plan_acknowledged(T, 1, A, desk.now).events == []


def test_who_acknowledges_in_time_is_not_called(desk: Desk) -> None:
    desk.offer()
    desk.told("accept")
    desk.do(desk.book.plan_recall(T, "wang", "mistake", desk.now))
    desk.do(desk.book.plan_acknowledged(T, 1, A, desk.now))
    assert ("call", "revoke", A) not in told_to(*desk.wait(MINUTE))


def test_a_recall_by_hand_takes_the_pin_away(desk: Desk) -> None:
    desk.do(desk.book.plan_assign(T, A, "wang", 90, desk.now))
    desk.do(desk.book.plan_recall(T, "wang", "mistake", desk.now))
    assert desk.task.pinned == ""
    desk.offer(B)


# -- on the way and on the scene


def test_who_does_not_set_out_is_asked_and_then_another_is(desk: Desk) -> None:
    desk.offer()
    desk.told("deliver", "accept")
    assert told_to(*desk.wait(180 * S)) == [("unit", "remind", A)]
    assert told_to(*desk.wait(180 * S)) == [("unit", "revoke", A), ("seat", "abandoned", A)]
    assert (desk.states, desk.task.attempts[0].reason) == (("queued", "abandoned"), "not_departed")


def test_a_second_task_waits_for_the_first() -> None:
    desk = Desk(task(), task("t2"))
    desk.offer()
    desk.told("accept", "depart", "arrive")
    desk.do(desk.book.plan_offer(TaskId("t2"), A, 200, desk.now))
    desk.do(desk.book.plan_told(TaskId("t2"), 1, A, AttemptInput.ACCEPT, desk.now))
    assert [one.id for one, _ in desk.book.held(A)] == [T, "t2"]
    assert told_to(*desk.wait(14 * MINUTE)) == []
    assert desk.states == ("in_progress", "on_scene")
    desk.report()
    assert [one.id for one, _ in desk.book.held(A)] == ["t2"]
    steps = desk.wait(6 * MINUTE)
    second = desk.book.get(TaskId("t2"))
    assert second is not None
    assert ("unit", "remind", A) in told_to(*steps)
    assert second.attempts[0].state is AttemptState.ABANDONED


def test_who_does_not_arrive_is_asked_and_then_another_is(desk: Desk) -> None:
    desk.offer(eta=200)
    desk.told("accept", "depart")
    wait = 300 * S + 120 * S
    assert told_to(*desk.wait(wait)) == [("unit", "question", A)]
    assert ("seat", "abandoned", A) in told_to(*desk.wait(wait))
    assert desk.task.attempts[0].reason == "not_arrived"


def test_who_stays_long_is_asked_and_then_the_seat_is_told() -> None:
    desk = Desk(task(warn=NOON + 5 * HOUR, critical=NOON + 6 * HOUR, due=NOON + 7 * HOUR))
    desk.offer()
    desk.told("accept", "arrive")
    assert told_to(*desk.wait(20 * MINUTE)) == [("unit", "question", A)]
    assert told_to(*desk.wait(10 * MINUTE)) == [("seat", "alert", A)]
    assert told_to(*desk.wait(2 * HOUR)) == []
    assert desk.states == ("in_progress", "on_scene")


@pytest.mark.parametrize("first", ["depart", "arrive"])
def test_who_sets_out_has_accepted(desk: Desk, first: str) -> None:
    desk.offer()
    desk.told(first)
    assert desk.task.state == "in_progress"
    (late,) = desk.told("accept", event="e9")
    assert (late.events, late.answer and late.answer.code) == ([], "stale")


@pytest.mark.parametrize(("upto", "ended"), [("deliver", "recalled"), ("accept", "abandoned"), ("arrive", "abandoned")])
def test_who_cannot_go_on_gives_it_back(desk: Desk, upto: str, ended: str) -> None:
    desk.offer()
    desk.told(upto)
    desk.do(desk.book.plan_abandon(T, 1, "sos", desk.now))
    assert (desk.states, desk.task.attempts[0].reason) == (("queued", ended), "sos")
    assert desk.book.plan_abandon(T, 1, "sos", desk.now).events == []


def test_who_has_answered_has_nothing_to_give_back(desk: Desk) -> None:
    desk.offer()
    desk.report()
    assert desk.book.plan_abandon(T, 1, "shift", desk.now).events == []


# -- answers


def test_an_answer_without_anything_before_it_counts(desk: Desk) -> None:
    desk.offer()
    step = desk.report()
    assert step.answer == Answer("ok", T, 1, "reported")
    assert desk.states == ("resulted", "reported")


def test_the_same_message_counts_once(desk: Desk) -> None:
    desk.offer()
    desk.report(event="e1", word="exist")
    step = desk.report(event="e1", word="exist")
    assert (step.events, step.answer) == ([], Answer("again", T, 1, "reported"))
    desk.do(desk.book.plan_return(T, "wang", "blurred", desk.now))
    assert desk.report(event="e1").events == []
    assert desk.states == ("in_progress", "accepted")


def test_known_messages_are_bounded(desk: Desk) -> None:
    desk.offer()
    desk.report(event="e")
    for n in range(2 * SEEN):
        desk.do(desk.book.plan_return(T, "wang", "blurred", desk.now))
        desk.report(event=f"e{n}", word=f"w{n}")
    assert len(desk.task.attempts[0].seen) == SEEN
    assert len(desk.task.kept) == RESULTS
    assert getattr(desk.task.result, "word", "") == f"w{2 * SEEN - 1}"
    assert desk.report(event="one too many").answer == Answer("stale", T, 1, "reported")


def test_an_old_token_hears_where_it_stands(desk: Desk) -> None:
    desk.offer()
    desk.offer(B)
    (step,) = desk.told("accept", event="e1")
    assert (step.events, step.answer) == ([], Answer("stale", T, 1, "recalled"))
    (step,) = desk.told("accept", unit=C, attempt=2)
    assert (step.events, step.answer) == ([], Answer("stale", T, 0, ""))
    (step,) = desk.told("accept", unit=B, attempt=7)
    assert (step.events, step.answer) == ([], Answer("stale", T, 2, "offered"))
    unknown = desk.book.plan_told(TaskId("none"), 1, A, AttemptInput.ACCEPT, NOON)
    assert (unknown.events, unknown.answer) == ([], Answer("unknown", TaskId("none")))


def test_a_late_answer_is_kept_and_may_be_adopted(desk: Desk) -> None:
    desk.offer()
    desk.told("accept")
    desk.wait(6 * MINUTE)
    desk.offer(B)
    desk.told("accept", unit=B, attempt=2)
    late = desk.report(event="e5", word="not_exist", photos=("h1",), required=1)
    assert late.answer == Answer("kept", T, 1, "abandoned")
    assert desk.states == ("in_progress", "abandoned", "accepted")
    step = desk.do(desk.book.plan_adopt(T, 1, desk.now, "wang", desk.now))
    assert told_to(step) == [("unit", "revoke", B), ("unit", "adopted", A)]
    assert desk.states == ("resulted", "abandoned", "superseded", "reported")
    assert (desk.task.kept, desk.task.result and desk.task.result.word) == ([], "not_exist")
    desk.do(desk.book.plan_photo(T, 1, A, "h1", desk.now))
    assert desk.task.result is not None
    assert desk.task.result.missing == 0
    desk.do(desk.book.plan_return(T, "wang", "unclear", desk.now))
    assert desk.holder is not None
    assert (desk.holder.unit, desk.holder.number) == (A, 3)
    with pytest.raises(Refusal):
        desk.book.plan_adopt(T, 9, desk.now, "wang", desk.now)


def test_another_answer_may_be_taken_for_the_one_that_is_there(desk: Desk) -> None:
    desk.offer()
    desk.offer(B)
    desk.report(unit=B, attempt=2, word="exist")
    desk.report(word="not_exist")
    desk.do(desk.book.plan_adopt(T, 1, desk.now, "wang", desk.now))
    assert desk.task.result is not None
    assert desk.task.result.word == "not_exist"
    assert [result.word for result in desk.task.kept] == ["exist"]


def test_a_late_answer_to_what_has_ended_is_kept_and_changes_nothing(desk: Desk) -> None:
    desk.offer()
    desk.do(desk.book.plan_cancel(T, "wang", "no", desk.now))
    desk.report()
    assert desk.states == ("cancelled", "recalled")
    assert [result.word for result in desk.task.kept] == ["exist"]
    with pytest.raises(Refusal) as refused:
        desk.book.plan_adopt(T, 1, desk.now, "wang", desk.now)
    assert refused.value.code == "not_now"


def test_photos_come_by_their_hashes(desk: Desk) -> None:
    desk.offer()
    desk.report(photos=("h1", "h2"), required=1, arrived=("h1",), closes=True)
    assert desk.states == ("resulted", "reported")
    for hash, code in (("h9", "stale"), ("h1", "stale")):
        step = desk.do(desk.book.plan_photo(T, 1, A, hash, desk.now))
        assert step.answer is not None
        assert (step.events, step.answer.code) == ([], code)
    desk.do(desk.book.plan_photo(T, 1, A, "h2", desk.now))
    assert desk.states == ("closed", "done")


def test_an_answer_may_have_fewer_photos_than_it_must(desk: Desk) -> None:
    desk.offer()
    desk.report(photos=("h1",), required=2, arrived=("h1",), closes=True)
    assert desk.task.state == "resulted"
    desk.do(desk.book.plan_photo(T, 1, A, "h2", desk.now))
    assert desk.task.state == "closed"


def test_the_seat_hears_of_photos_that_do_not_come(desk: Desk) -> None:
    desk.offer()
    desk.report(photos=("h1", "h2"), required=2)
    assert told_to(*desk.wait(19 * MINUTE)) == []
    desk.do(desk.book.plan_photo(T, 1, A, "h2", desk.now))
    assert told_to(*desk.wait(10 * MINUTE)) == [("unit", "evidence", A), ("seat", "evidence", A)]
    assert desk.states == ("resulted", "reported")
    desk.do(desk.book.plan_close(T, "wang", desk.now))


def test_an_answer_that_nobody_closes_is_shown_again(desk: Desk) -> None:
    desk.offer()
    desk.report()
    assert told_to(*desk.wait(2 * HOUR)) == [("seat", "review", A)] * 2
    assert desk.task.state == "resulted"


def test_a_returned_answer_is_wanted_from_the_same_person(desk: Desk) -> None:
    desk.offer()
    desk.told("accept", "arrive")
    desk.report(word="exist")
    step = desk.do(desk.book.plan_return(T, "wang", "blurred", desk.now))
    assert told_to(step) == [("unit", "return", A)]
    assert desk.states == ("in_progress", "accepted")
    assert [(send.what, send.reason) for send in desk.book.to_send(A)] == [("return", "blurred")]
    desk.do(desk.book.plan_acknowledged(T, 1, A, desk.now))
    assert desk.book.to_send(A) == []
    desk.report(event="e2", word="not_exist")
    assert desk.task.result is not None
    assert (desk.task.result.word, [one.word for one in desk.task.kept]) == ("not_exist", ["exist"])
    with pytest.raises(Refusal):
        desk.book.plan_adopt(T, 1, NOON - 1, "wang", desk.now)


def test_what_has_no_answer_is_not_closed(desk: Desk) -> None:
    with pytest.raises(Refusal) as refused:
        desk.book.plan_close(T, "wang", desk.now)
    assert refused.value.code == "no_result"
    for plan in (desk.book.plan_return, desk.book.plan_recall):
        with pytest.raises(Refusal) as refused:
            plan(T, "wang", "", desk.now)
        assert refused.value.code == "nobody"
    with pytest.raises(Refusal) as refused:
        desk.book.plan_close(TaskId("none"), "wang", desk.now)
    assert refused.value.code == "no_task"


# -- clocks


def test_the_clock_stands_while_it_is_put_aside(desk: Desk) -> None:
    desk.offer()
    desk.told("accept")
    step = desk.do(desk.book.plan_suspend(T, "case", "weather", desk.now))
    assert ("unit", "revoke", A) in told_to(step)
    desk.wait(3 * HOUR)
    assert desk.states == ("suspended", "recalled")
    assert not desk.task.overdue
    desk.do(desk.book.plan_resume(T, "case", desk.now))
    assert desk.task.due == NOON + 3 * HOUR + 30 * MINUTE
    desk.offer()
    desk.do(desk.book.plan_suspend(T, "case", "weather", desk.now))
    lights = (desk.now + 1, desk.now + 2, desk.now + 3)
    desk.do(desk.book.plan_resume(T, "case", desk.now, lights=lights))
    assert (desk.task.warn, desk.task.critical, desk.task.due) == lights


def test_what_is_put_aside_is_not_forgotten(desk: Desk) -> None:
    desk.do(desk.book.plan_suspend(T, "case", "weather", desk.now))
    assert told_to(*desk.wait(49 * HOUR)) == [("seat", "review", "")] * 2


def test_an_answer_survives_that_its_task_is_put_aside(desk: Desk) -> None:
    desk.offer()
    desk.report()
    desk.do(desk.book.plan_suspend(T, "case", "weather", desk.now))
    assert (desk.task.result, [one.word for one in desk.task.kept]) == (None, ["exist"])
    desk.do(desk.book.plan_resume(T, "case", desk.now))
    desk.do(desk.book.plan_adopt(T, 1, NOON, "wang", desk.now))
    assert desk.task.state == "resulted"


def test_nobody_wants_it_a_day_after_its_deadline(desk: Desk) -> None:
    desk.offer()
    desk.told("accept", "arrive")
    steps = desk.wait(30 * MINUTE)
    assert [send for send in told_to(*steps) if send[0] == "seat"] == [
        ("seat", "critical", A), ("seat", "overdue", A), ("seat", "alert", A),
    ]  # fmt: skip
    assert (desk.task.overdue, desk.task.level) == (True, 0)
    steps = desk.wait(24 * HOUR)
    assert told_to(*steps)[:2] == [("unit", "revoke", A), ("seat", "expired", "")]
    assert desk.states == ("expired", "recalled")


# -- the journal


def a_day() -> Desk:
    """One of everything."""
    desk = Desk(task(independent=C), task("t2"), task("t3", pinned=B))
    desk.offer()
    desk.wait(31 * S)
    desk.do(desk.book.plan_heard(A, desk.now))
    desk.offer(B)
    desk.told("deliver", "accept", "depart", "arrive", unit=B, attempt=2, event="")
    desk.report(unit=B, attempt=2, photos=("h1", "h2"), required=1, marks=("no_proof",))
    desk.do(desk.book.plan_photo(T, 2, B, "h1", desk.now))
    desk.do(desk.book.plan_return(T, "wang", "blurred", desk.now))
    desk.report(unit=A, event="e7", word="not_exist")
    desk.do(desk.book.plan_cancel(TaskId("t2"), "case", "twice", desk.now))
    desk.wait(10 * MINUTE)
    return desk


def test_a_replay_and_a_snapshot_make_the_same_book() -> None:
    desk = a_day()
    assert same(rebuilt(through(desk.journal)), desk.book)
    snapshot = through(list(desk.book.events()))
    again = rebuilt(snapshot)
    assert same(again, desk.book)
    assert through(list(again.events())) == snapshot
    assert desk.book.passed_over == 0


def test_what_the_tables_do_not_allow_is_passed_over(desk: Desk) -> None:
    first, second = desk.book.plan_offer(T, A, 60, NOON), desk.book.plan_offer(T, B, 60, NOON)
    desk.do(first)
    desk.do(second)
    assert desk.states == ("assigned", "offered")
    assert desk.book.passed_over == 1
    assert same(rebuilt(desk.journal), desk.book)


def test_two_answers_at_once_are_both_there(desk: Desk) -> None:
    desk.offer()
    desk.told("accept")
    plans = [
        desk.book.plan_report(T, f"e{n}", Result(f"w{n}", A, 1, NOON), NOON) for n in range(2)
    ]  # fmt: skip
    for plan in plans:
        desk.do(plan)
    assert desk.task.result is not None
    assert (desk.task.result.word, [one.word for one in desk.task.kept]) == ("w0", ["w1"])


def test_open_tasks_and_ended_ones_are_bounded() -> None:
    desk = Desk(*(task(f"t{n}") for n in range(3)), open=3, kept=2)
    with pytest.raises(Refusal) as refused:
        desk.book.plan_create(task("t9"), NOON)
    assert refused.value.code == "too_many"
    with pytest.raises(Refusal) as refused:
        desk.book.plan_create(task("t1"), NOON)
    assert refused.value.code == "known"
    desk.offer()
    for id in ("t1", "t0", "t2"):
        desk.do(desk.book.plan_cancel(TaskId(id), "case", "", NOON))
    assert [id for id in ("t0", "t1", "t2") if desk.book.get(TaskId(id))] == ["t0", "t2"]
    assert desk.book.to_send(A) == []


def test_whoever_is_forgotten_is_nowhere() -> None:
    desk = a_day()
    for unit in (B, C, A):
        desk.book.forget(unit)
    events = list(desk.book.events())
    assert all("unit" not in (fields or {}) for _, _, fields in events)
    assert [desk.book.to_send(unit) + desk.book.held(unit) for unit in (A, B, C)] == [[], [], []]
    assert desk.task.state == "queued"
    assert same(rebuilt(events), desk.book)


def test_a_journal_without_somebody_makes_tasks_all_the_same() -> None:
    desk = a_day()
    left = [event for event in desk.journal if event[2] is not None and event[2].get("unit") != B]
    book = rebuilt(left)
    found = book.get(T)
    assert found is not None
    assert [one.unit for one in found.attempts] == [A]
    assert book.timers.of(T)


def test_an_empty_book_has_nothing_to_do() -> None:
    book = TaskBook()
    assert (book.get_timer(), book.due(NOON), book.open(), list(book.events())) == (None, [], [], [])
