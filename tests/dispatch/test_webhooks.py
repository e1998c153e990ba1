"""Messages to the case system: which, in which order, once or more often and never not at all."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from random import Random
from typing import Any

import pytest

from dispatch.book import TaskBook
from dispatch.draft import Step
from dispatch.webhooks import GAP, HOOK, LONGEST_PAUSE, TYPES, Hook, Outbox, hooks_of, signed
from tests.dispatch.desk import MINUTE, NOON, A, B, Desk, T, task
from tests.tree import ROOT
from tracker.refusal import Change

SECRET = b"a secret that both of us know"
PAGE = (ROOT / "docs" / "webhooks.md").read_text("utf-8")


class Told(Desk):
    """A desk whose steps go into an outbox too, each with its messages in one commit."""

    def __init__(self, *tasks: Any, limit: int = 100) -> None:
        self.book, self.now = TaskBook(), NOON
        self.outbox = Outbox(self.book.get, limit=limit)
        self.journal: list[Change] = []
        for one in tasks:
            self.do(self.book.plan_create(one, self.now))

    def do(self, step: Step) -> Step:
        hooks = self.outbox.plan(step)
        super().do(step)
        self.note(*hooks)
        return step

    def note(self, *events: Change) -> None:
        self.journal += events
        for event in events:
            self.outbox.replay(event)

    def sent(self, hook: Hook) -> None:
        self.note(self.outbox.plan_sent(hook, self.now))
        self.outbox.done(hook)

    def deliver(self) -> list[Hook]:
        """All of it, as to somebody who takes everything."""
        out = []
        while hooks := self.outbox.to_send(self.now):
            for hook in hooks:
                out.append(hook)
                self.sent(hook)
        return out


def again(events: list[Change], limit: int = 100) -> Outbox:
    outbox = Outbox(lambda id: None, limit=limit)
    for kind, id, fields in events:
        if kind == HOOK:
            outbox.replay((kind, id, fields))
    return outbox


def test_the_life_of_a_task_is_told() -> None:
    desk = Told(task())
    desk.offer()
    desk.told("deliver", "accept", "depart", "arrive")
    desk.report(photos=("f" * 64,), text="在")
    desk.do(desk.book.plan_close(T, "zhou", desk.now))
    hooks = desk.deliver()
    types = ["task.created", "task.assigned", "task.accepted", "task.arrived", "task.result", "task.closed"]
    assert [hook.type for hook in hooks] == types
    assert len({hook.id for hook in hooks}) == 6
    created, assigned, _, _, result, closed = (json.loads(hook.body) for hook in hooks)
    assert created == {
        "type": "task.created", "timestamp": "2023-11-14T22:13:20.000Z",
        "data": {"task": "t1", "kind": "verify", "source": "hotline", "text": "井盖缺失", "klass": "0101",
                 "address": "东街1号", "created": NOON, "due": NOON + 30 * MINUTE, "lat": 31.1, "lon": 121.4},
    }  # fmt: skip
    assert assigned["data"] == {"task": "t1", "kind": "verify", "source": "hotline", "attempt": 1, "unit": "a",
                                "by": "round", "eta": 200}  # fmt: skip
    assert result["data"]["word"] == "exist"
    assert result["data"]["counts"] is True
    assert result["data"]["photos"] == ["f" * 64]
    assert closed["data"]["by"] == "zhou"
    assert len(desk.outbox) == 0


@pytest.mark.parametrize(("what", "type"), [("suspend", "task.suspended"), ("cancel", "task.cancelled")])
def test_what_ends_it_is_told(what: str, type: str) -> None:
    desk = Told(task())
    desk.do(getattr(desk.book, f"plan_{what}")(T, "case", "withdrawn", desk.now))
    hook = desk.deliver()[-1]
    assert (hook.type, hook.data["reason"]) == (type, "withdrawn")
    if what == "suspend":
        desk.do(desk.book.plan_resume(T, "case", desk.now + MINUTE))
        assert desk.deliver()[-1].type == "task.resumed"


def test_what_is_late_is_told_once_and_what_expires() -> None:
    desk = Told(task())
    desk.wait(30 * MINUTE)
    assert [hook.type for hook in desk.deliver()] == ["task.created", "task.overdue"]
    desk.wait(25 * 60 * MINUTE)
    assert [hook.type for hook in desk.deliver()] == ["task.expired"]


def test_a_late_answer_is_told_as_what_it_is() -> None:
    desk = Told(task())
    desk.offer()
    desk.told("accept")
    desk.do(desk.book.plan_assign(T, B, "zhou", 10, desk.now))
    desk.deliver()
    desk.report(word="not_exist")
    (late,) = desk.deliver()
    assert (late.type, late.data["counts"], late.data["unit"]) == ("task.result", False, "a")
    desk.do(desk.book.plan_adopt(T, 1, desk.now, "zhou", desk.now))
    adopted = desk.deliver()[-1]
    assert {"counts": True, "adopted": True, "word": "not_exist", "unit": "a"}.items() <= adopted.data.items()


def test_other_things_are_told_too() -> None:
    sos = ("sos", "u1:1700", {"what": "raise", "at": NOON, "unit": "u1", "spot": (311_000_000, 1_214_000_000)})
    problem = ("problem", "u1:e", {"what": "report", "at": NOON, "unit": "u1", "klass": "0101", "text": "坑"})
    found = hooks_of([sos, problem, ("trip", "walk", {"at": NOON}), ("gone", "x", None)], lambda id: None)
    assert [fields["type"] for _, _, fields in found if fields] == ["sos.raised", "problem.reported"]
    assert [fields["data"] for _, _, fields in found if fields] == [
        {"sos": "u1:1700", "lat": 31.1, "lon": 121.4}, {"problem": "u1:e", "klass": "0101", "text": "坑"},
    ]  # fmt: skip
    assert {fields["unit"] for _, _, fields in found if fields} == {"u1"}


def test_those_about_one_thing_go_one_after_the_other_and_others_meanwhile() -> None:
    desk = Told(task(), task("t2"))
    desk.offer()
    first = desk.outbox.to_send(desk.now)
    assert [(hook.about, hook.type) for hook in first] == [("task:t1", "task.created"), ("task:t2", "task.created")]
    assert desk.outbox.to_send(desk.now) == []
    desk.sent(first[0])
    assert [hook.type for hook in desk.outbox.to_send(desk.now)] == ["task.assigned"]


def test_a_message_that_is_refused_holds_up_its_own_task_only() -> None:
    desk = Told(task(), task("t2"))
    desk.offer()
    bad, good = desk.outbox.to_send(desk.now)
    desk.outbox.failed(bad, desk.now, "it answered 422", everything=False)
    desk.sent(good)
    assert desk.outbox.to_send(desk.now) == []
    assert desk.outbox.get_timer() == desk.now + 1000
    assert desk.outbox.stuck(desk.now + 2, patience=1) == 1
    pauses = []
    for _ in range(14):
        due = desk.outbox.get_timer()
        assert due is not None
        pauses.append((due - desk.now) // 1000)
        desk.now = due
        (hook,) = desk.outbox.to_send(desk.now)
        assert hook == bad
        desk.outbox.failed(hook, desk.now, "it answered 422", everything=False)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]
    desk.now += LONGEST_PAUSE
    assert [hook.type for hook in desk.deliver()] == ["task.created", "task.assigned"]


def test_while_nobody_answers_one_message_is_tried() -> None:
    desk = Told(*(task(f"t{n}") for n in range(1, 9)))
    four = desk.outbox.to_send(desk.now)
    assert len(four) == 4
    for hook in four:
        desk.outbox.failed(hook, desk.now, "nobody there", everything=True)
    assert desk.outbox.failing_since == desk.now
    assert desk.outbox.to_send(desk.now + 999) == []
    assert desk.outbox.get_timer() == desk.now + 1000
    desk.now += 1000
    (one,) = desk.outbox.to_send(desk.now)
    desk.sent(one)
    assert desk.outbox.failing_since == 0
    assert len(desk.outbox.to_send(desk.now)) == 4


def test_what_waits_outlives_a_restart_and_comes_with_the_same_id_and_body() -> None:
    desk = Told(task(), task("t2"))
    desk.offer()
    sent, _ = desk.outbox.to_send(desk.now)
    desk.sent(sent)
    for outbox in (again(desk.journal), again(list(again(desk.journal).events()))):
        waiting = {hook.id: hook.body for hook in outbox.to_send(desk.now)}
        assert len(outbox) == 2
        assert waiting.items() >= {(hook.id, hook.body) for hook in desk.outbox.to_send(desk.now)}
    # It was taken over there, and we were killed before that was on disk: the same comes again.
    before = again(desk.journal[:-1])
    assert sent.id in {hook.id for hook in before.to_send(desk.now)}


def test_what_there_is_no_room_for_is_counted_and_told() -> None:
    desk = Told(task(), limit=3)
    desk.offer()
    desk.told("deliver", "accept")
    desk.told("arrive")
    desk.report()
    desk.do(desk.book.plan_close(T, "zhou", desk.now))
    assert (len(desk.outbox), desk.outbox.missed) == (3, 3)
    copy = again(desk.journal, 3)
    assert (len(copy), copy.missed) == (3, 3)
    hooks = desk.deliver()
    assert [hook.type for hook in hooks if hook.type != GAP] == ["task.created", "task.assigned", "task.accepted"]
    (gap,) = (hook for hook in hooks if hook.type == GAP)
    assert json.loads(gap.body)["data"] == {"missed": 3}
    assert (desk.outbox.missed, again(desk.journal, 3).missed) == (0, 0)
    assert desk.outbox.get_timer() is None


def test_a_gap_that_is_refused_waits_like_everything_else() -> None:
    desk = Told(task(), limit=1)
    desk.offer()
    (created,) = desk.outbox.to_send(desk.now)
    desk.sent(created)
    (gap,) = desk.outbox.to_send(desk.now)
    assert gap.type == GAP
    desk.outbox.failed(gap, desk.now, "it answered 400", everything=False)
    assert desk.outbox.to_send(desk.now) == []
    assert desk.outbox.get_timer() == desk.now + 1000
    desk.now += 1000
    assert [hook.type for hook in desk.deliver()] == [GAP]


def test_of_who_is_removed_nothing_is_told_any_more() -> None:
    desk = Told(task())
    desk.offer()
    desk.outbox.forget(A)
    assert [hook.type for hook in desk.deliver()] == ["task.created"]
    desk.told("accept")
    (on_its_way,) = desk.outbox.to_send(desk.now)
    desk.outbox.forget(A)
    desk.outbox.failed(on_its_way, desk.now, "", everything=False)
    assert (len(desk.outbox), desk.outbox.get_timer(), list(desk.outbox.events())) == (0, None, [])


def test_every_message_of_a_person_carries_the_unit_by_itself() -> None:
    """So that it is found when a person's data is removed."""
    desk = Told(task())
    desk.offer()
    desk.told("accept", "arrive")
    desk.report()
    hooks = [fields for kind, _, fields in desk.journal if kind == HOOK and fields is not None]
    assert [fields.get("unit") for fields in hooks][:5] == [None, "a", "a", "a", "a"]
    assert not any("unit" in fields["data"] for fields in hooks)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    hook = Hook("msg_1", "task:t1", "task.created", NOON, {"task": "t1"})
    headers = signed(hook, SECRET, NOON + 5999)
    assert headers[b"webhook-id"] == b"msg_1"
    at = headers[b"webhook-timestamp"]
    assert int(at) == NOON // 1000 + 5
    expected = hmac.new(SECRET, b"msg_1." + at + b"." + hook.body, hashlib.sha256).digest()
    assert headers[b"webhook-signature"] == b"v1," + base64.b64encode(expected)


def test_the_page_names_every_message() -> None:
    told = set(re.findall(r"`((?:task|problem|sos)\.\w+|gap)`", PAGE))
    assert told == {*TYPES.values(), GAP}


def test_the_check_of_the_page_works() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    known: dict[str, Any] = {}
    exec(example, known)
    secret = f"whsec_{base64.b64encode(SECRET).decode()}\n"
    hook = Hook("msg_1", "task:t1", "task.created", NOON, {"task": "t1", "text": "井盖"})
    headers = {name.decode(): value.decode() for name, value in signed(hook, SECRET, NOON).items()}
    assert known["verified"](headers, hook.body, secret)["data"]["text"] == "井盖"
    for wrong in (hook.body.replace(b"t1", b"t2"), hook.body + b" "):
        with pytest.raises(ValueError, match="not signed"):
            known["verified"](headers, wrong, secret)


def test_a_text_that_is_no_unicode_is_sent_all_the_same() -> None:
    assert json.loads(Hook("m", "a", "t", NOON, {"text": "\ud800"}).body)["data"] == {"text": "?"}


@pytest.mark.parametrize("seed", range(10))
def test_whatever_fails_and_whenever_it_is_killed_all_arrives_in_order(seed: int) -> None:
    random = Random(seed)
    desk = Told(*(task(f"t{n}") for n in range(1, 5)))
    for n in range(1, 5):
        id = f"t{n}"
        desk.do(desk.book.plan_offer(id, A, 1, desk.now))  # type: ignore[arg-type]
        desk.do(desk.book.plan_cancel(id, "case", "", desk.now))  # type: ignore[arg-type]
    arrived: dict[str, list[str]] = {}
    on_their_way: list[Hook] = []
    for _ in range(10_000):
        if not len(desk.outbox) and not on_their_way:
            break
        on_their_way += desk.outbox.to_send(desk.now)
        if random.random() < 0.05:  # killed: what was on its way may have been taken, and nobody knows
            for hook in on_their_way:
                if random.random() < 0.5:
                    arrived.setdefault(hook.about, []).append(hook.id)
            on_their_way, desk.outbox = [], again(desk.journal)
        elif on_their_way:
            hook = on_their_way.pop(random.randrange(len(on_their_way)))
            if random.random() < 0.4:
                desk.outbox.failed(hook, desk.now, "no", everything=random.random() < 0.5)
            else:
                arrived.setdefault(hook.about, []).append(hook.id)
                desk.sent(hook)
        else:
            desk.now = desk.outbox.get_timer() or desk.now
    else:
        pytest.fail("something never goes")
    for about, ids in arrived.items():
        once = list(dict.fromkeys(ids))
        made = [id for kind, id, fields in desk.journal if kind == HOOK and fields and fields.get("about") == about]
        assert once == made
    assert len(arrived) == 4
