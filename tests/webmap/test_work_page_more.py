"""The collector's page: calls for help, reports, what a phone without a place or an owner sees, and its codec."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator

import msgpack
import pytest

from tests.browser import Browser
from tests.server import until
from tests.webmap.phone_page import ONLINE, WORDS, Field, Phone, now_ms, task

pytestmark = pytest.mark.browser
TARGETS = """[...document.querySelectorAll("button, a, select, textarea, .take, .words span")]
  .filter((node) => node.offsetParent !== null || getComputedStyle(node).position === "fixed")
  .map((node) => [node.id || node.className || node.textContent, node.getBoundingClientRect()])
  .filter(([, box]) => box.width && box.height && (box.height < 47.5 || box.width < 47.5))
  .map(([name, box]) => `${name} ${Math.round(box.width)}x${Math.round(box.height)}`)"""
WIDE = "document.documentElement.scrollWidth > innerWidth || document.getElementById('sheet').scrollWidth > innerWidth"


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


def alarms(field: Field) -> list[list[int | None]]:
    return [point for message in field.said("fix") for point in message["p"] if len(point) > 8 and point[8]]


def test_help_is_called_by_holding_the_button_also_off_duty_and_without_a_place(browser: Browser, field: Field) -> None:
    phone = Phone(browser, field, duty=False, place=None)
    x, y = phone.page.place("#sos")
    press = {"x": x, "y": y, "button": "left", "clickCount": 1}
    phone.page.click("#sos")  # a short one does nothing
    phone.wait("document.getElementById('sos-hint').textContent.includes('two seconds')")
    assert phone.page.run("gridbeatWork.sos.active") is None
    phone.page.send("Input.dispatchMouseEvent", type="mousePressed", **press)
    phone.wait("!document.getElementById('help').hidden")
    phone.page.send("Input.dispatchMouseEvent", type="mouseReleased", **press)
    until("it is there", lambda: len(alarms(field)) == 1)
    assert alarms(field)[0][1:3] == [None, None]
    assert "off duty" in phone.text("#help")
    phone.wait("document.getElementById('help').innerText.includes('waiting for an answer')")
    phone.open()  # who opens the page anew is still told of it
    phone.wait(ONLINE)
    phone.wait("document.getElementById('alarms').innerText.includes('waiting for a dispatcher')")
    field("tell", t="sos", what="acknowledged", id="u1:1", unit="", lat=None, lon=None, at=0, metres=0)
    phone.wait("document.getElementById('help').innerText.includes('A dispatcher has your call')")


def test_a_colleagues_call_is_on_every_screen(browser: Browser, field: Field) -> None:
    phone = Phone(browser, field)
    phone.go("report")
    call = {"t": "sos", "id": "u2:5", "unit": "李强", "lat": 306_622_000, "lon": 1_174_888_000, "at": now_ms()}
    field("tell", what="colleague", metres=260, **call)
    phone.wait("document.getElementById('alarms').innerText.includes('李强')")
    assert " m · NW" in phone.text("#alarms")
    field("tell", what="over", metres=0, **call)
    phone.wait("document.getElementById('alarms').innerText === ''")


def test_a_report_is_a_draft_until_it_is_sent_and_arrives_once(browser: Browser, field: Field) -> None:
    phone = Phone(browser, field)
    phone.go("report")
    phone.tap("#problem-text")
    phone.page.type("A lamp is broken")
    phone.take_photo("report")
    phone.page.run("gridbeatWork.screens.report.save()")
    phone.open()
    phone.wait("window.gridbeatWork?.screens")
    phone.go("report")
    phone.tap("#screen-report .row")
    phone.wait("document.getElementById('problem-text').value === 'A lamp is broken'")
    phone.page.run("const select = document.getElementById('problem-class'); select.value = '0101';"
                   " select.dispatchEvent(new Event('change'))")  # fmt: skip
    phone.tap("#screen-report .strong")
    until("its photo is there", lambda: len(field()["photos"]) == 1)
    (problem,) = field.said("problem")
    ((sha, photo),) = field()["photos"].items()
    assert (problem["text"], problem["klass"], problem["photos"]) == ("A lamp is broken", "0101", [sha])
    assert (photo["problem"], round(problem["lat"] / 1e7, 4)) == (problem["event"], 30.6602)
    phone.wait("gridbeatWork.outbox.made.length === 0")
    phone.go("report")
    phone.wait("document.querySelectorAll('#screen-report .row').length === 0")


def test_everything_is_large_enough_for_a_glove_on_the_smallest_phone(browser: Browser, field: Field) -> None:
    phone = Phone(browser, field, size=(360, 640))
    field("tell", **task("T-1", what="hold", state="accepted", until=0))
    field("tell", **task("T-2"))
    phone.wait("!document.getElementById('offer').hidden")
    assert phone.page.run(TARGETS) == []
    phone.tap(".offer .yes")
    phone.wait("document.body.dataset.screen === 'task'")
    for hash in ("tasks", "task/T-1", "answer/T-1", "report", "queue", "me"):
        phone.go(hash)
        phone.wait(f"document.querySelector('#screen-{hash.partition('/')[0]}').children.length")
        assert phone.page.run(TARGETS) == [], hash
        assert not phone.page.run(WIDE), hash
    assert phone.page.problems == []


def test_the_seat_calls_the_roll_and_asks_where_the_phone_is(browser: Browser, field: Field) -> None:
    phone = Phone(browser, field)
    field("command", id="c-1", kind="roll_call", until=now_ms() + 60_000)
    phone.wait("document.getElementById('ask').open")
    phone.tap("#ask .good")
    until("he is here", lambda: {"id": "c-1", "ok": True} in field()["done"])
    field("command", id="c-2", kind="locate")
    phone.stand(30.661, 117.491)
    until("it is there", lambda: {"id": "c-2", "ok": True} in field()["done"])
    field("command", id="c-3", kind="dance")
    until("it cannot", lambda: {"id": "c-3", "ok": False} in field()["done"])


def test_a_phone_that_is_nobodys_is_told_to_scan_the_code(browser: Browser, field: Field) -> None:
    page = browser.page(390, 844, phone=True)
    page.goto(f"{field.base}/work")
    page.wait("document.querySelector('#screen-start a')?.getAttribute('href') === '/join'")
    page.close()


def test_the_codec_and_pythons_say_the_same(browser: Browser, field: Field) -> None:
    page = browser.page(390, 844)
    page.goto(f"{field.base}/work")
    edges = [0, 1, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**53 - 1]
    numbers = [*edges, *(-n for n in (1, 32, 33, 128, 129, 32768, 32769, 2**31, 2**31 + 1, 2**53 - 1)), 1.5, -1e-300]
    texts = ["", "a" * 31, "a" * 32, "王" * 100, "x" * 300, "y" * 70_000, "\U0001f6a8"]
    values = [None, True, False, *numbers, *texts, b"", b"\0" * 300, [], [[1]] * 20, list(range(70_000)), {},
              {f"k{n}": n for n in range(20)}, {"t": "fix", "p": [[1, None, None]]}, {"__proto__": 1}]  # fmt: skip
    packed = [msgpack.packb(value).hex() for value in values]
    turn = """(async (all) => {
      const { decode, encode } = await import("/work/work_msgpack.js");
      const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));
      const hex = (found) => Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
      return all.map((one) => { try { return hex(encode(decode(bytes(one)))); } catch (error) { return "fails"; } });
    })"""
    assert page.run(f"{turn}({json.dumps(packed)})") == packed
    # Other ways to write the same.
    wide = [
        b"\xd3" + struct.pack(">q", -5),
        b"\xcf" + struct.pack(">Q", 5),
        b"\xdb\0\0\0\1a",
        b"\xca" + struct.pack(">f", 0.5),
    ]
    assert page.run(f"{turn}({json.dumps([one.hex() for one in wide])})") == [
        msgpack.packb(value).hex() for value in (-5, 5, "a", 0.5)
    ]
    bad = [b"", b"\xc1", b"\xa5abc", b"\x92\x01", b"\x01\x01", b"\x81\x01\x02", b"\xdf\xff\xff\xff\xff", b"\xa1\xff",
           b"\x91" * 40 + b"\x01", b"\xcf" + b"\xff" * 8, b"\xd4\x01\x00"]  # fmt: skip
    assert page.run(f"{turn}({json.dumps([one.hex() for one in bad])})") == ["fails"] * len(bad)
    sums = """(async (texts) => {
      const { sha256 } = await import("/work/work_ids.js");
      const hex = (found) => Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
      return texts.map((text) => hex(sha256(new TextEncoder().encode(text))));
    })"""
    assert page.run(f"{sums}({json.dumps(texts)})") == [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    page.close()
