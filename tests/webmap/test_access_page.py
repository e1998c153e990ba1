"""The page of the access log in a real browser, against the stand-in server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser import Browser, Page
from tests.webmap.conftest import Console
from tests.webmap.double_access import HOSTILE

pytestmark = pytest.mark.browser

ROWS = "[...document.querySelectorAll('.look')]"
FOCUSED = "document.activeElement?.dataset.entry"

Open = Callable[..., Page]


@pytest.fixture
def log(browser: Browser, console: Console) -> Open:
    """Opens the page, logged in."""

    def open_page(
        width: int = 1366, height: int = 768, language: str = "en", scheme: str = "light", hash: str = ""
    ) -> Page:
        page = console.enter(browser.page(width, height, phone=width < 720, prefers_color_scheme=scheme), language)
        page.goto(f"{console.base}/access{hash}")
        page.wait("document.getElementById('main')?.dataset.state === 'ready'")
        return page

    return open_page


def words(selector: str) -> str:
    return f"(document.querySelector({json.dumps(selector)})?.textContent ?? '')"


def looks(*whom: str, what: str = "attendance") -> list[dict[str, Any]]:
    """Looks of one account at these, within some seconds, the newest first."""
    now = int(time.time() * 1000)
    return [
        {"id": f"{what}-{unit}", "time": now - 500 * number, "who": "demo", "role": "admin", "what": what,
         "unit": unit, "name": unit.upper(), "removed": False, "reason": "", "address": "10.8.0.21", "about": {}}
        for number, unit in enumerate(whom)
    ]  # fmt: skip


def asked(console: Console) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = console.switch("mend")["looks"]
    return found


def fill(page: Page, field: str, value: str) -> None:
    page.run(
        f"(f => {{ f.value = {json.dumps(value)}; f.dispatchEvent(new Event('input', {{bubbles: true}}));"
        f" f.dispatchEvent(new Event('change', {{bubbles: true}})); }})(document.getElementById('{field}'))"
    )


@pytest.mark.parametrize(
    ("width", "height", "language", "scheme"),
    [(1366, 768, "zh", "dark"), (390, 844, "en", "light")],
)
def test_fits_and_what_people_typed_is_text(log: Open, width: int, height: int, language: str, scheme: str) -> None:
    page = log(width, height, language, scheme)
    page.run("document.querySelectorAll('details')[0].open = true, 1")
    page.wait("document.querySelector('.detail') !== null")
    assert page.run(words(".look-reason")) == HOSTILE
    assert page.run("document.querySelectorAll('#entries img').length") == 0
    assert page.run("document.title").endswith("Gridbeat")
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    # No word without its translation, and nothing to tap that is too small for a thumb.
    assert page.run("/\\b(what|role|view|detail|filter|unit)_[a-z]/.test(document.body.innerText)") is False
    if width < 720:
        small = "[...document.querySelectorAll('main button, main input, main select, .look')]"
        assert page.run(f"{small}.filter(n => n.offsetHeight && n.offsetHeight < 38).length") == 0
    assert page.problems == []
    page.close()


def test_reading_by_keyboard(log: Open, console: Console) -> None:
    page = log()
    assert page.run(f"{ROWS}.length") == 100
    page.key("j")
    page.key("ArrowDown")
    assert page.run(f"{FOCUSED} === {ROWS}[1].dataset.entry")
    page.key("Enter")
    page.wait("document.querySelectorAll('details')[1].open")
    page.key("k")
    assert page.run(f"{FOCUSED} === {ROWS}[0].dataset.entry")
    page.key("n")
    page.wait(f"{ROWS}.length === 200")
    assert page.run(f"{FOCUSED} === {ROWS}[100].dataset.entry"), "one reads on where the page ended"
    assert asked(console)[-1]["after"] == "100-0"
    page.key("/")
    page.wait("document.activeElement.id === 'unit'")
    page.close()


def test_filters_ask_the_server(log: Open, console: Console) -> None:
    page = log()
    name = page.run("fetch('/api/v1/units').then(a => a.json()).then(told => told.units[0].name)")
    fill(page, "unit", name)
    page.wait(
        f"{ROWS}.length > 0 && {ROWS}.every(row => row.querySelector('.look-unit').textContent.includes('u0000'))"
    )
    assert asked(console)[-1]["unit"] == "u0000"
    fill(page, "what", "track")
    page.wait(f"{ROWS}.every(row => row.querySelector('.what').textContent === 'Track')")
    fill(page, "unit", "nobody of this name")
    page.wait("!document.getElementById('trouble').hidden")
    assert "Nobody is called" in page.run(words("#trouble"))
    page.click("#clear")
    page.wait(f"{ROWS}.length === 100")
    page.run(f"{ROWS}[0].click()")
    page.run("[...document.querySelectorAll('.detail-acts button')][0].click()")
    page.wait(f"document.getElementById('who').value && {ROWS}.every(row =>"
              " row.querySelector('.look-who b').textContent === document.getElementById('who').value)")  # fmt: skip
    link = page.run("document.getElementById('table').getAttribute('href')")
    assert link.startswith("/api/v1/access-log.csv?who=")
    fill(page, "from", "2001-01-01")
    fill(page, "to", "2001-01-02")
    page.wait("!document.getElementById('none').hidden")
    last = asked(console)[-1]
    assert (last["from"], last["to"]) == ("2001-01-01T00:00:00", "2001-01-02T23:59:59.999")
    console.switch("looks", fails="the disk is away")
    fill(page, "to", "2001-01-03")
    page.wait("document.getElementById('trouble').textContent.includes('the disk is away')")
    page.close()


def test_a_link_brings_its_question(log: Open) -> None:
    page = log(hash="#unit=u0003")
    assert page.run("document.getElementById('unit').value").endswith("(u0003)")
    assert page.run(f"{ROWS}.every(row => row.querySelector('.look-unit').textContent.includes('u0003'))")
    page.close()


def test_a_collector_reads_who_looked_at_him(log: Open, console: Console) -> None:
    console.switch("rota", role="collector", unit="u0000")
    page = log(390, 844, "zh")
    assert page.run(words("#log-title")) == "谁查看了我的数据"
    assert page.run("[...document.querySelectorAll('#views button')].map(one => one.dataset.view)") == ["me", "mine"]
    assert page.run("document.getElementById('field-who').hidden && document.getElementById('field-unit').hidden")
    assert page.run(f"{ROWS}.length > 0 && {ROWS}.every(row => row.textContent.includes('u0000'))")
    assert asked(console)[-1]["unit"] == "u0000"
    page.run("document.querySelector('[data-view=mine]').click()")
    page.wait("document.querySelector('[data-view=mine]').getAttribute('aria-pressed') === 'true'")
    page.wait(f"{ROWS}.every(row => row.querySelector('.look-who b')?.textContent === 'demo')")
    page.close()


def test_many_looked_at_at_once_are_one_row(log: Open, console: Console) -> None:
    entries = [*looks("u1", "u2", "u3", "u4"), *looks("u1", "u2", what="roll_call"), *looks("u1", "u1", what="follow")]
    console.switch("looks", entries=entries)
    page = log()
    told = page.run("[...document.querySelectorAll('.look-unit b')].map(one => one.textContent)")
    assert told == ["4 people and vehicles", "U1", "U2", "U1", "U1"], "two are two"
    page.key("j")
    page.key("Enter")
    page.wait("document.querySelectorAll('.group .look-unit b').length === 5")
    page.key("j")
    page.wait(f"{FOCUSED} === 'attendance-u1'")
    page.key("Enter")
    page.wait("/10.8.0.21/.test(" + words(".group .detail") + ")")
    page.close()
