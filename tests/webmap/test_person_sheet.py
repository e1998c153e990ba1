"""The sheet of a person's data, in a real browser against the stand-in server."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.browser import Browser, Page
from tests.webmap.conftest import Console
from tests.webmap.test_card_commands import tap

pytestmark = pytest.mark.browser

UNIT = "u0000"
SHEET = "document.querySelector('dialog.person')"

Open = Callable[..., Page]


@pytest.fixture
def sheet(browser: Browser, console: Console) -> Open:
    """Opens the sheet of a unit from its card."""

    def open_sheet(width: int = 1366, height: int = 768, language: str = "en") -> Page:
        page = console.enter(browser.page(width, height, phone=width < 720), language)
        page.run(f"gridbeat.view.select('{UNIT}')")
        page.wait("!document.getElementById('card').hidden")
        # Not with the pointer: the card grows under it while the devices are asked for what they can do.
        page.run("document.querySelector('.card-data').click()")
        page.wait(f"{SHEET}.open && !{SHEET}.querySelector('[data-action=begin-removal]').disabled")
        return page

    return open_sheet


def words(page: Page, selector: str = "") -> str:
    found: str = page.run(f"{SHEET}{f'.querySelector({selector!r})' if selector else ''}.textContent")
    return found


def type_in(page: Page, field: str, value: str) -> None:
    page.run(f"document.getElementById('{field}').focus()")
    page.run(
        f"(f => {{ f.value = {value!r}; f.dispatchEvent(new Event('input', {{bubbles: true}})); }})"
        f"(document.getElementById('{field}'))"
    )


def give_reason(page: Page, number: str) -> None:
    """By keyboard alone: a number and Enter."""
    page.wait("document.activeElement?.id === 'why'")
    page.key(number)
    page.key("Enter")
    page.wait("document.querySelector('dialog.why') === null")


def removals(console: Console) -> list[Any]:
    found: list[Any] = console.switch("mend")["removals"]
    return found


def test_an_export_is_made_and_offered(sheet: Open) -> None:
    page = sheet()
    assert page.run(f"{SHEET}.querySelector('a.button')") is None
    tap(page, "[data-action=make-export]")
    give_reason(page, "2")
    page.wait(f"{SHEET}.querySelector('progress') !== null")
    page.wait(f"{SHEET}.textContent.includes('2 of 3 days')")
    page.wait(f"{SHEET}.querySelector('a.button') !== null")
    assert page.run(f"{SHEET}.querySelector('a.button').getAttribute('href')") == (
        f"/api/v1/units/{UNIT}/export/file?reason=Check%20of%20work"
    )
    assert "Download (4 MB)" in words(page)
    made = page.run(f"fetch('/api/v1/units/{UNIT}/export').then(answer => answer.json()).then(told => told.file.made)")
    told = re.search(r"Made (\S+ \S+),", words(page))
    assert told, "in the city's time, wherever the browser is"
    shown = datetime.strptime(told[1], "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    assert abs(shown.timestamp() - made / 1000) < 600
    assert page.run(f"{SHEET}.querySelector('progress')") is None


def test_a_refusal_is_told_in_the_servers_words(sheet: Open, console: Console) -> None:
    page = sheet(language="zh")
    console.switch("persons", fails="the disk is filling up")
    tap(page, "[data-action=make-export]")
    give_reason(page, "1")
    page.wait(f"{SHEET}.querySelector('[role=alert]').textContent.includes('磁盘空间不足')")
    console.switch("persons", fails="")
    tap(page, "[data-action=make-export]")
    page.wait(f"{SHEET}.querySelector('[role=alert]').hidden")


def test_a_removal_is_asked_twice(sheet: Open, console: Console) -> None:
    page = sheet()
    tap(page, "[data-action=begin-removal]")
    page.wait("document.activeElement.id === 'person-reason'")
    assert "devices (1)" in words(page, ".person-what")
    assert "photos (12)" in words(page, ".person-what")
    button = f"{SHEET}.querySelector('[data-action=remove]')"
    assert page.run(f"{button}.disabled")
    type_in(page, "person-confirm", "u0001")
    type_in(page, "person-reason", "has left")
    assert page.run(f"{button}.disabled")
    page.key("Enter")
    assert removals(console) == []
    type_in(page, "person-confirm", UNIT)
    assert not page.run(f"{button}.disabled")
    type_in(page, "person-reason", "")
    assert page.run(f"{button}.disabled")
    type_in(page, "person-reason", "named")
    page.key("Enter")
    page.wait(f"!{SHEET}.querySelector('[role=alert]').hidden")
    assert page.run("document.getElementById('person-confirm').value") == UNIT
    type_in(page, "person-reason", "has left")
    page.key("Enter")
    page.wait(f"{SHEET}.textContent.includes('History 2026-11-21')")
    page.wait(f"{SHEET}.textContent.includes('Backups made before')")
    assert removals(console)[-1] == {"confirm": UNIT, "reason": "has left"}
    assert page.run(f"gridbeat.units.all.has('{UNIT}')") is False
    assert page.run("document.getElementById('card').hidden")
    assert page.run(f"{SHEET}.querySelectorAll('input, a.button').length") == 0


def test_it_is_left_as_it_was_entered(sheet: Open, console: Console) -> None:
    page = sheet()
    tap(page, "[data-action=begin-removal]")
    page.wait("document.activeElement.id === 'person-reason'")
    page.run("gridbeat.setLanguage ? gridbeat.setLanguage('zh') : document.getElementById('language').click()")
    page.wait(f"{SHEET}.textContent.includes('永久删除')")
    page.key("Escape")
    page.wait(f"!{SHEET}.open")
    assert page.run(f"gridbeat.view.selected === '{UNIT}'")
    page.run("document.querySelector('.card-data').click()")
    page.wait(f"{SHEET}.open && {SHEET}.querySelector('form') === null")
    assert removals(console) == []


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
def test_nothing_is_cut_off(sheet: Open, width: int, height: int) -> None:
    page = sheet(width, height, "zh")
    tap(page, "[data-action=begin-removal]")
    page.wait("document.activeElement.id === 'person-reason'")
    wide = page.run(
        f"[...{SHEET}.querySelectorAll('*')].filter(n => n.scrollWidth > n.clientWidth + 1 && n.clientWidth > 0"
        " && getComputedStyle(n).display !== 'inline').map(n => n.className || n.tagName)"
    )
    assert wide == []
    box = page.run(f"(r => [r.left, r.top, r.right, r.bottom])({SHEET}.getBoundingClientRect())")
    assert box[0] >= 0
    assert box[1] >= 0
    assert box[2] <= width
    assert box[3] <= height
    if width < 720:
        small = page.run(
            f"[...{SHEET}.querySelectorAll('button, input')].filter(n => n.offsetHeight && n.offsetHeight < 44"
            " && !n.classList.contains('tool')).length"
        )
        assert small == 0
