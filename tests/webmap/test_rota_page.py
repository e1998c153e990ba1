"""The page of rota and attendance in a real browser, against the stand-in server: by mouse, by keyboard, on a phone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.browser import Browser, Page
from tests.webmap.conftest import Console

READY = "document.getElementById('main')?.dataset.state === 'ready'"
WEEK, HOLIDAY = "#week/2026-09-28", "#week/2026-10-05"

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    """One for all: its clock stands, and each test plans people or days of its own."""
    server = Console()
    yield server
    server.close()


@pytest.fixture
def rota(browser: Browser, console: Console) -> Iterator[Open]:
    """Opens the page, logged in."""

    def open_page(
        hash: str = WEEK, size: tuple[int, int] = (1366, 768), language: str = "en", scheme: str = "light"
    ) -> Page:
        page = browser.page(*size, phone=size[0] < 720, prefers_color_scheme=scheme)
        page.goto(f"{console.base}/login")
        page.run(
            "fetch('/api/v1/login', {method: 'POST', headers: {'Content-Type': 'application/json'},"
            " body: JSON.stringify({name: 'demo', password: 'demo-password'})}).then(answer => answer.status)"
        )
        page.run(f"localStorage.setItem('gridbeat', JSON.stringify({{language: '{language}'}}))")
        page.goto(f"{console.base}/rota{hash}")
        page.wait(READY)
        return page

    yield open_page
    console.switch("rota")


def cell(row: int, column: int) -> str:
    return f"#c-{row}-{column}"


def shown(row: int, column: int) -> str:
    """What stands in a cell."""
    return f"(document.querySelector('{cell(row, column)} .block')?.textContent ?? '')"


def keys(page: Page, *pressed: str, shift: bool = False, control: bool = False) -> None:
    """Presses keys in the matrix."""
    for key in pressed:
        told = json.dumps({"key": key, "shiftKey": shift, "ctrlKey": control, "bubbles": True, "cancelable": True})
        page.run(f"document.getElementById('matrix').dispatchEvent(new KeyboardEvent('keydown', {told})), 1")


def settled(page: Page, unit: str, day: str, shift: str) -> None:
    """Waits until the server has it: the page shows a change before it is sent."""
    path = f"/api/v1/rota?from={day}&to={day}&unit={unit}"
    given = f"told.units[0].days['{day}']?.shift"
    page.wait(f"fetch('{path}').then(answer => answer.json()).then(told => {given} === '{shift}')")


def unit_of(page: Page, row: int) -> str:
    name = page.run(f"document.querySelector('.mx-row[aria-rowindex=\"{row + 2}\"] .mx-name b').textContent")
    found: str = page.run(
        "fetch('/api/v1/rota').then(answer => answer.json()).then(told => "
        f"told.units.find(unit => unit.name === {json.dumps(name)}).id)"
    )
    return found


@pytest.mark.browser
@pytest.mark.parametrize(
    ("size", "language", "scheme", "hash"),
    [((1366, 768), "zh", "light", WEEK), ((1366, 768), "en", "dark", "#month/2026-10-05"),
     ((390, 844), "zh", "dark", WEEK), ((390, 844), "en", "light", WEEK)],
)  # fmt: skip
def test_fits_at_every_size(rota: Open, size: tuple[int, int], language: str, scheme: str, hash: str) -> None:
    page = rota(hash, size, language, scheme)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    assert page.run("document.documentElement.dataset.theme") == scheme
    rows = (
        "document.querySelectorAll('.mx-row').length"
        if size[0] > 720
        else "document.querySelectorAll('.list li').length"
    )
    assert page.run(rows) > 8
    assert page.run("/\\b(state|mark|shift|deadline|fill)_[a-z]/.test(document.body.innerText)") is False
    assert page.problems == []
    page.close()


@pytest.mark.browser
def test_days_say_what_they_are_and_rows_what_came_of_them(rota: Open) -> None:
    page = rota(HOLIDAY, language="zh")
    kinds = page.run("[...document.querySelectorAll('.mx-day')].map(day => day.dataset.kind)")
    assert kinds == ["holiday"] * 3 + ["workday"] * 2 + ["makeup", "weekend"]
    heads = page.run("[...document.querySelectorAll('.mx-day')].map(day => day.textContent)")
    assert "国庆节" in heads[0]
    assert "国庆节调休上班" in heads[5]
    page.click("#before")
    page.wait("document.querySelectorAll('.mark-absent, .mark-off_post').length > 0")
    page.click("#before")
    page.wait("document.querySelector('.mx-day').title.startsWith('2026-09-21')")
    page.wait("document.querySelectorAll('.mark-late, .mark-early').length > 0")
    mark = page.run(
        "(m => [m.closest('.mx-cell').id, m.textContent])(document.querySelector('.mark-late, .mark-early'))"
    )
    page.click(f"#{mark[0]}")
    page.wait(f"document.getElementById('detail').innerText.includes({json.dumps(mark[1])})")
    assert "首末定位" in page.run("document.getElementById('detail').innerText")
    assert "format=csv" in page.run("document.getElementById('table').href")
    assert page.problems == []
    page.close()


@pytest.mark.browser
def test_painted_by_mouse_and_taken_back(rota: Open) -> None:
    page = rota()
    unit = unit_of(page, 2)
    before = page.run(f"[{shown(2, 4)}, {shown(4, 5)}]")
    page.run("[...document.querySelectorAll('.brush')].find(one => /夜班/.test(one.textContent)).click(), 1")
    page.drag(page.place(cell(2, 4)), page.place(cell(4, 5)))
    page.wait(f"{shown(2, 4)} === '夜班' && {shown(4, 5)} === '夜班' && {shown(3, 4)} === '夜班'")
    assert page.run("document.querySelectorAll('.mx-cell[aria-selected]').length") == 6
    page.wait("!document.getElementById('undo').disabled")
    settled(page, unit, "2026-10-02", "s3")
    page.click("#undo")
    page.wait(f"{shown(2, 4)} === {json.dumps(before[0])} && {shown(4, 5)} === {json.dumps(before[1])}")
    settled(page, unit, "2026-10-02", "off")
    page.click("#redo")
    page.wait(f"{shown(4, 5)} === '夜班'")
    page.click("#undo")
    page.wait(f"{shown(4, 5)} !== '夜班'")
    assert page.problems == []
    page.close()


@pytest.mark.browser
def test_planned_by_keyboard_alone(rota: Open) -> None:
    page = rota()
    unit = unit_of(page, 8)
    page.run("document.getElementById('matrix').focus(), 1")
    keys(page, "ArrowDown", *["ArrowDown"] * 7, *["ArrowRight"] * 3)
    assert page.run("document.getElementById('matrix').getAttribute('aria-activedescendant')") == "c-8-3"
    before = page.run(f"[{shown(8, 3)}, {shown(10, 6)}]")
    keys(page, "ArrowRight", "ArrowDown", shift=True)
    keys(page, "1")
    assert page.run(f"[{shown(8, 3)}, {shown(9, 4)}]") == ["早班", "早班"]
    keys(page, "c", control=True)
    keys(page, "End")
    keys(page, "ArrowLeft", shift=True)
    keys(page, "v", control=True)
    assert page.run(f"[{shown(9, 5)}, {shown(10, 6)}]") == ["早班", "早班"]
    keys(page, "0")
    assert page.run(shown(10, 6)) == "Off"
    keys(page, "Delete")
    assert page.run(shown(10, 6)) == ""
    for _ in range(4):
        page.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'z', ctrlKey: true, bubbles: true})), 1")
    page.wait("document.getElementById('undo').disabled")
    assert page.run(f"[{shown(8, 3)}, {shown(10, 6)}]") == before
    page.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'y', ctrlKey: true, bubbles: true})), 1")
    page.wait(f"{shown(8, 3)} === '早班'")
    settled(page, unit, "2026-10-01", "s1")
    page.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'z', ctrlKey: true, bubbles: true})), 1")
    assert page.problems == []
    page.close()


@pytest.mark.browser
def test_many_at_once(rota: Open) -> None:
    page = rota("#week/2026-10-12")
    assert page.run("document.querySelectorAll('.mx-cell .block').length") == 0
    page.click("#repeat")
    page.wait("document.querySelectorAll('.mx-cell .block').length > 20")
    page.click("#undo")
    page.wait("document.querySelectorAll('.mx-cell .block').length === 0")
    page.click("#fill")
    page.run("[...document.querySelectorAll('#dialog .chip')].slice(0, 2).forEach(chip => chip.click()), 1")
    page.run("document.querySelector('#dialog input[type=number]').value = 1, 1")
    page.run("document.querySelector('#dialog [data-strong]').click(), 1")
    page.wait("!document.getElementById('dialog').open && document.querySelectorAll('.mx-cell .block').length > 50")
    assert page.run(f"[{shown(0, 0)}, {shown(0, 1)}, {shown(1, 0)}, {shown(0, 5)}]") in (
        ["早班", "中班", "中班", "Off"],
        ["中班", "早班", "早班", "Off"],
    )
    page.click("#undo")
    page.wait("document.querySelectorAll('.mx-cell .block').length === 0")
    assert page.problems == []
    page.close()


@pytest.mark.browser
def test_shifts_and_deadlines_in_their_boxes(rota: Open) -> None:
    page = rota()
    page.click("#shifts")
    page.wait("document.querySelectorAll('.shift-row').length === 5")
    page.run("window.row = [...document.querySelectorAll('.shift-row')].at(-1), 1")
    page.run("[row.children[0].value, row.children[1].value] = ['<b>应急', 'noon'], 1")
    page.run("row.lastChild.click(), 1")
    page.wait("/08:00-12:00/.test(document.getElementById('dialog-trouble').textContent)")
    page.run("row.children[1].value = '10:00-16:00', 1")
    page.run("row.lastChild.click(), 1")
    page.wait("document.querySelectorAll('.shift-row').length === 6")
    page.run("document.getElementById('dialog-close').click(), 1")
    assert page.run("[...document.querySelectorAll('.brush b')].some(one => one.textContent === '<b>应急')")
    page.click("#deadline")
    page.wait("document.querySelector('#dialog .found')?.textContent.length > 5")
    page.run("window.fields = document.querySelectorAll('#dialog input'), 1")
    page.run("[fields[0].value, fields[1].value] = ['2026-09-30T17:00', '2'], 1")
    page.run("fields[1].dispatchEvent(new Event('input')), 1")
    page.wait("/2026-10-08 09:00/.test(document.querySelector('#dialog .found').textContent)")
    assert all("422" in problem for problem in page.problems), page.problems
    page.close()


@pytest.mark.browser
def test_what_the_server_does_not_take_is_not_shown(rota: Open, console: Console) -> None:
    page = rota()
    before = page.run(shown(5, 2))
    console.switch("rota", fails=True)
    page.click(cell(5, 2))
    keys(page, "2")
    page.wait(f"!document.getElementById('trouble').hidden && {shown(5, 2)} === {json.dumps(before)}")
    assert page.run("document.getElementById('undo').disabled")
    page.close()


@pytest.mark.browser
def test_who_may_only_look_sees_only_that(rota: Open, console: Console) -> None:
    console.switch("rota", role="auditor")
    page = rota()
    assert page.run("document.getElementById('palette').hidden && document.getElementById('fill').hidden")
    before = page.run(shown(5, 2))
    page.click(cell(5, 2))
    keys(page, "2")
    assert page.run(shown(5, 2)) == before
    page.close()


@pytest.mark.browser
def test_on_a_phone_a_day_of_all_and_a_week_of_one(rota: Open, console: Console) -> None:
    page = rota(size=(390, 844))
    assert page.run("document.querySelectorAll('.list li').length") == 26
    page.click("#after")
    page.wait("/29/.test(document.getElementById('period').textContent)")
    page.run("document.querySelector('.list-name').click(), 1")
    page.wait("document.querySelectorAll('.list li').length === 7")
    page.run("window.last = [...document.querySelectorAll('.list select')].at(-1), 1")
    page.run("last.value = 's2', last.dispatchEvent(new Event('change')), 1")
    page.wait("[...document.querySelectorAll('.list select')].at(-1).className === 'colour-2'")
    unit = page.run("fetch('/api/v1/rota').then(answer => answer.json()).then(told => told.units[4].id)")
    page.close()
    # A collector sees one's own week, and changes nothing.
    console.switch("rota", role="collector", unit=unit)
    page = rota(size=(390, 844))
    page.wait("document.querySelectorAll('.list li').length === 7")
    assert page.run("document.querySelectorAll('.list select').length") == 0
    assert page.problems == []
    page.close()


def test_a_long_reading_of_attendance_says_how_far_it_is(rota: Open) -> None:
    page = rota()
    page.run("""(() => {
        const ask = window.fetch, gates = [];
        window.fetch = (url, given) =>
            !String(url).includes('/api/v1/attendance') ? ask(url, given)
                : new Promise((go) => gates.push(go)).then(() => ask(url, given));
        window.release = () => gates.splice(0).forEach((go) => go());
    })()""")
    assert page.run("document.getElementById('reading').hidden")
    page.click("#before")
    page.wait("!document.getElementById('reading').hidden")
    assert page.run(
        "/^Reading attendance: 0 of [1-9]\\d* people$/.test(document.getElementById('reading').textContent)"
    )
    page.run("setInterval(() => window.release(), 20), 0")
    page.wait("document.getElementById('reading').hidden")
    page.wait("document.querySelector('.mark') !== null")
