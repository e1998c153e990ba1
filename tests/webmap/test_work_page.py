"""The collector's page in a real browser at a phone's size, before a stand-in server that speaks the protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import Browser
from tests.server import until
from tests.webmap.phone_page import WORDS, Field, Phone, task

pytestmark = pytest.mark.browser
OFFERED = "!document.getElementById('offer').hidden"


@pytest.fixture(scope="module")
def running() -> Iterator[Field]:
    field = Field()
    yield field
    field.close()


@pytest.fixture
def field(running: Field) -> Field:
    running("reset")
    running("tell", keep=True, **WORDS)
    return running


def whats(field: Field) -> list[str]:
    return [message["what"] for message in field.said()]


def test_an_offer_rings_is_accepted_and_answered_with_a_photo(browser: Browser, field: Field) -> None:
    phone = Phone(browser, field)
    field("tell", **task())
    phone.wait(OFFERED)
    phone.wait("gridbeatWork.alarm.rung > 0")
    assert "128 Qingshi Road, T-1" in phone.text("#offer")
    assert "NE" in phone.text("#offer"), "which way it is"
    phone.tap(".offer .yes")
    phone.wait("document.body.dataset.screen === 'task'")
    phone.tap("#acts .strong")
    phone.wait("document.querySelectorAll('.steps .done').length === 2")
    phone.go("answer/T-1")
    phone.tap(".words label:first-child span")
    assert "a photo" in phone.text(".lacks")
    assert phone.page.run("document.querySelector('#acts .good').disabled")
    phone.take_photo("answer")
    phone.tap("#acts .good")
    until("the photo is there", lambda: len(field()["photos"]) == 1)
    until("all is said", lambda: whats(field) == ["delivered", "accept", "start", "report"])
    report = field.said()[-1]
    ((sha, photo),) = field()["photos"].items()
    assert (report["task"], report["attempt"], report["word"], report["photos"]) == ("T-1", 1, "exist", [sha])
    assert photo["jpeg"]
    assert (photo["task"], photo["attempt"], photo["type"]) == ("T-1", "1", "image/jpeg")
    seqs = [message["seq"] for message in field()["said"]]
    assert seqs == sorted(set(seqs)), "each number once, in order"
    assert any(message["t"] == "duty" and message["on"] for message in field()["said"])
    positions = [point for message in field.said("fix") for point in message["p"]]
    assert [round(number / 1e7, 4) for number in positions[0][1:3]] == [30.6602, 117.4902]
    phone.wait("gridbeatWork.uploads.all.length === 0 && gridbeatWork.tasks.open.length === 0")
    assert "Received" in phone.text("#sheet")
    assert phone.page.problems == []


def test_what_is_done_without_a_network_arrives_once_and_in_order(browser: Browser, field: Field) -> None:
    phone = Phone(browser, field)
    phone.wait("navigator.serviceWorker.controller")
    field("tell", **task(what="hold", state="accepted", until=0))
    phone.wait("gridbeatWork.tasks.open.length === 1")
    phone.network(False)
    phone.wait("gridbeatWork.link.status === 'offline'")
    phone.go("task/T-1")
    phone.tap("#acts .strong")
    phone.tap("#acts .big:first-child")
    phone.wait("gridbeatWork.tasks.state(gridbeatWork.tasks.all.get('T-1')) === 'on_scene'")
    phone.go("answer/T-1")
    phone.tap(".words label:first-child span")
    phone.take_photo("answer")
    phone.wait("document.querySelector('.lacks').textContent === ''")
    phone.page.run("gridbeatWork.screens.answer.save()")
    # The phone is switched off and on again, still in the dead spot: page, draft and queue are there.
    phone.open()
    phone.wait("window.gridbeatWork?.screens && gridbeatWork.outbox.made.length === 2")
    phone.go("answer/T-1")
    phone.wait("document.querySelectorAll('.shot').length === 1")
    phone.tap("#acts .good")
    phone.wait("document.body.dataset.screen === 'tasks'")
    phone.go("queue")
    phone.wait("document.querySelectorAll('#screen-queue .row').length >= 4")
    assert "Not sent yet" in phone.text("#sheet")
    assert field.said() == []
    field("choke", n=1)  # and the first piece of the photo is turned away
    phone.network(True)
    until("all is said", lambda: whats(field) == ["start", "arrive", "report"])
    until("the photo is there", lambda: list(field()["photos"]) == field.said()[-1]["photos"])
    events = [message["event"] for message in field.said()]
    assert len(set(events)) == 3
    phone.wait("gridbeatWork.outbox.made.length === 0")


def test_what_was_not_acknowledged_comes_again_under_the_same_number(browser: Browser, field: Field) -> None:
    phone = Phone(browser, field)
    field("tell", keep=True, **task(what="hold", state="accepted", until=0))
    phone.wait("gridbeatWork.tasks.open.length === 1")
    field("lose", n=1)
    phone.go("task/T-1")
    phone.tap("#acts .strong")
    until("it was lost", lambda: any("lost" in message for message in field()["said"]))
    field("cut")
    phone.wait("gridbeatWork.link.status === 'offline'")
    field("mend")
    phone.page.run("gridbeatWork.link.now()")
    until("it came again", lambda: "start" in whats(field))
    told = [message for message in field()["said"] if message.get("what") == "start" or "lost" in message]
    assert len({message["seq"] for message in told if message["t"] == "answer"}) == 1
    phone.wait("gridbeatWork.tasks.all.get('T-1').local === null")


def test_an_offer_is_declined_with_a_word_of_the_city(browser: Browser, field: Field) -> None:
    phone = Phone(browser, field, language="zh")
    field("tell", **task())
    phone.wait(OFFERED)
    phone.tap(".offer .no")
    phone.wait("document.getElementById('ask').open")
    phone.tap("#ask .list .big:nth-child(2)")
    until("it is said", lambda: whats(field) == ["delivered", "decline"])
    assert field.said()[-1]["reason"] == "too_far"
    phone.wait("document.getElementById('offer').hidden && gridbeatWork.tasks.open.length === 0")
    assert "已拒绝" in phone.text("#sheet")


def test_what_the_server_takes_back_goes_and_what_it_returns_comes_again(browser: Browser, field: Field) -> None:
    phone = Phone(browser, field)
    field("tell", **task("T-1", what="hold", state="accepted", until=0))
    field("tell", **task("T-2", what="hold", state="accepted", until=0))
    phone.wait("gridbeatWork.tasks.open.length === 2")
    # Who has begun to answer can still send it: nobody's work is thrown away.
    phone.go("answer/T-2")
    phone.tap(".words label:last-child span")
    phone.page.run("gridbeatWork.screens.answer.save()")
    for id in ("T-1", "T-2"):
        field("tell", t="revoke", task=id, attempt=1, reason="better")
    phone.wait("gridbeatWork.tasks.open.length === 0")
    until("both are confirmed", lambda: whats(field) == ["revoked", "revoked"])
    phone.wait("document.querySelector('#screen-answer .callout')")
    phone.page.run("document.getElementById('answer-text').focus()")
    phone.page.type("nobody there")
    phone.tap("#acts .good")
    until("it is sent all the same", lambda: whats(field)[2:] == ["report"])
    phone.wait("gridbeatWork.tasks.all.size === 0")
    field("tell", **task("T-3", what="return", state="accepted", until=0, reason="too dark"))
    until("he knows of it", lambda: whats(field)[3:] == ["informed"])
    phone.go("task/T-3")
    phone.wait("document.querySelector('#screen-task .callout')")
    assert "too dark" in phone.text("#screen-task")
    # After a new welcome: what it does not name is over.
    field("tell", t="held", tasks=[])
    phone.wait("gridbeatWork.tasks.all.size === 0")
