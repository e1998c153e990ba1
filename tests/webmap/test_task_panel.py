"""The task panel beside the map in a real browser, against the stand-in server and its real book of tasks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser import Browser, Page
from tests.webmap.conftest import Console
from tests.webmap.test_console import place_of

pytestmark = pytest.mark.browser

SEAT = "gridbeat.seat"
CARD = "document.getElementById('task-card')"
QUEUED, ASKED, ANSWERED = "261123001", "261123005", "261123007"


def enter(console: Console, page: Page, language: str = "en") -> Page:
    """The console with its tasks beside the map; by keyboard where there is one."""
    console.enter(page, language)
    page.wait("!document.getElementById('panel-tabs').hidden")
    page.run(f"{SEAT}.panel('tasks')")
    page.wait(f"{SEAT}.desk.loaded")
    # A busy machine is no person who has thought for long enough.
    page.run("void (window.setTimeout = ((real) => (what, ms) => real(what, [6000, 8000].includes(ms) ? 1e6 : ms))"
             "(window.setTimeout.bind(window)))")  # fmt: skip
    return page


def asked(console: Console) -> list[list[Any]]:
    """What pages have asked to be done: [task, verb, body]."""
    found: list[list[Any]] = console.switch("mend")["tasks"]
    return found


def words(page: Page, selector: str) -> str:
    found: str = page.run(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''")
    return found


def test_a_task_is_given_by_keys_taken_back_and_given_by_hand(browser: Browser, console: Console) -> None:
    console.switch("freeze", frozen=True)
    console.switch("tasks", scene=True)
    page = enter(console, browser.page())
    # Who needs a seat stands on top, then whatever is due first.
    order = page.run(f"{SEAT}.list.list.items.map(row => [row.level >= 3, row.state, row.due])")
    assert order[0][0]
    assert [row[0] for row in order].count(True) == 1
    running = [due for level, state, due in order if not level and state not in ("resulted", "suspended")]
    assert running == sorted(running)
    page.run(f"{SEAT}.pick('{QUEUED}', true)")
    page.wait(f"{CARD}.querySelectorAll('.time-line li').length === 1")
    page.key("a")
    page.wait(f"{CARD}.querySelectorAll('.candidate kbd').length >= 2")
    first = page.run(f"{SEAT}.choice.list[0].unit")
    page.key("1")
    page.wait(f"{SEAT}.desk.row.holder?.unit === '{first}'")
    assert asked(console) == [[QUEUED, "assign", {"seen": "queued.0", "unit": first}]]
    page.wait(f"{CARD}.querySelectorAll('.time-line li').length === 3")
    page.key("u")
    page.wait(f"{SEAT}.desk.row.holder === null && {SEAT}.desk.row.pinned === ''")
    # Dragged from its row onto a person on the map, who need not be the first.
    second = page.wait(
        "gridbeat.unitsLayer.drawn.map(({unit}) => unit.id).find(id => { const at = gridbeat.unitsLayer.placeOf(id);"
        f" return id !== '{first}' && at.x > 80 && at.x < 560 && at.y > 60 && at.y < 600; }})"
    )
    page.drag(page.place(f".task[data-id='{QUEUED}']"), place_of(page, second), steps=4)
    page.wait(f"{SEAT}.desk.row.holder?.unit === '{second}' || {CARD}.querySelector('[data-pane=anyway]') !== null")
    if page.run(f"{SEAT}.desk.row.holder === null"):  # too far away for the rules: one is asked first
        page.key("Enter")
    page.wait(f"{SEAT}.desk.row.holder?.unit === '{second}'")
    # Another seat is faster: nothing of its choice is overwritten, and one sees it.
    page.run(f"{SEAT}.pick('{ASKED}')")
    page.run(f"{SEAT}.desk.take = () => {{}}")  # the news has not come yet
    before = page.run(f"{SEAT}.desk.row.seen")
    console.switch("tasks", meanwhile=[ASKED, "u0012"])
    page.run(f"{CARD}.querySelector('[data-deed=recall]').click()")
    page.click(".why-chip")
    page.key("Enter")
    page.wait("document.getElementById('notice').textContent.includes('faster')")
    assert asked(console)[-1][2]["seen"] == before
    assert page.run(f"{SEAT}.desk.row.holder.unit") == "u0012"
    assert [text for text in page.problems if "409" not in text] == []


def test_what_cannot_be_undone_is_sent_when_there_was_time_to_think(browser: Browser, console: Console) -> None:
    console.switch("tasks", scene=True)
    page = enter(console, browser.page())

    def close() -> None:
        page.run(f"{SEAT}.pick('{ANSWERED}')")
        page.click("[data-deed=close]")
        page.wait("document.querySelector('.toast-undo') !== null")

    close()
    assert page.run(f"{CARD}.querySelector('[data-deed]') === null"), "nothing else meanwhile"
    page.key("u")
    page.wait(f"{CARD}.querySelector('[data-deed=close]') !== null")
    assert asked(console) == []
    close()
    page.goto(f"{console.base}/login")  # who leaves has meant it
    page.wait("fetch('/api/v1/desk?since=0').then(r => r.json()).then(desk =>"
              f" desk.tasks.find(task => task.id === '{ANSWERED}').state === 'closed')")  # fmt: skip
    assert [verb for _, verb, _ in asked(console)] == ["close"]


def test_a_call_is_written_down_located_and_sent_once(browser: Browser, console: Console) -> None:
    console.switch("tasks", scene=True)
    page = enter(console, browser.page(), "zh")
    page.key("h")
    page.wait("document.activeElement.id === 'task-caller'")
    page.type("张女士")
    typed = (
        "(fields => { for (const [name, value] of Object.entries(fields)) { const one ="
        " document.getElementById(`task-${name}`); one.value = value;"
        " one.dispatchEvent(new Event('input', {bubbles: true})); } })"
    )
    leak = page.run(f"{SEAT}.desk.rows.get('261123012').spot")
    page.run(f"{typed}({{phone: '13800000000', what: '水管爆裂', klass: '0402', address: '30.65, 117.4951'}})")
    page.wait("document.querySelectorAll('.form-systems .why-chip').length === 3")
    assert page.run("document.getElementById('task-send').disabled"), "a number without its system is no place"
    page.click(".form-systems .why-chip:nth-of-type(2)")
    page.wait("document.querySelectorAll('#task-form .candidate').length === 3")
    shifted = page.run(f"{SEAT}.form.draft.spot")
    assert 300 < 111_320 * ((shifted[0] - 30.65) ** 2 + (0.86 * (shifted[1] - 117.4951)) ** 2) ** 0.5 < 700
    # A reload forgets nothing; a name of the city's moves the map; a click says where it is, and what may be the same.
    page.goto(f"{console.base}/")
    page.wait(f"window.gridbeat && {SEAT}.form.open && document.getElementById('task-caller').value === '张女士'")
    page.wait("gridbeat.grids.all.size > 25")
    grid = page.run("gridbeat.grids.grids[0].properties.name")
    page.run(f"{typed}({{address: '{grid} 某巷'}})")
    page.wait(f"{SEAT}.form.named === '{grid}'.toLowerCase()")
    page.run(f"void gridbeat.map.setView([{leak[0]}, {leak[1]}], 17, {{animate: false}})")
    page.run(f"window.target = gridbeat.map.latLngToContainerPoint([{leak[0]} + 1e-4, {leak[1]}])")
    box = page.run("gridbeat.map.getContainer().getBoundingClientRect().toJSON()")
    page.click_at(box["x"] + page.run("target.x"), box["y"] + page.run("target.y"))
    page.wait("document.querySelectorAll('.form-same .link').length === 2")
    page.click("#task-send")
    page.wait(f"!{SEAT}.form.open && {SEAT}.desk.row !== null")
    ((sent,),) = asked(console)
    assert (sent["crs"], sent["kind"], sent["source"]) == ("wgs84", "verify", "热线")
    assert sent["text"] == "水管爆裂\n来电：张女士 13800000000"
    assert abs(sent["lat"] - leak[0] - 1e-4) < 2e-5
    assert page.run("sessionStorage.getItem('gridbeat-task-draft')") is None
    assert page.problems == []


def test_ten_thousand_tasks_cost_what_is_in_sight(browser: Browser, console: Console) -> None:
    console.switch("tasks", many=10_000)
    page = enter(console, browser.page())
    page.wait(f"{SEAT}.desk.rows.size === 10000")
    page.wait(f"{SEAT}.tasksLayer.detail === 'dots' && {SEAT}.tasksLayer.drawn.length > 1000")
    most = "document.querySelectorAll('#task-list .task').length"
    page.wait(f"{most} > 5")
    assert page.run(most) < 30
    sorted_ = page.run(f"{SEAT}.desk.sorted")
    paints = page.run(f"{SEAT}.tasksLayer.paints")
    page.run("document.getElementById('task-list').scrollTop = 400000")
    page.wait("document.querySelector('#task-list .task').style.transform.includes('39')")
    seen = console.switch("mend")["seq"]
    page.wait(f"gridbeat.feed.seq > {seen + 2}")
    assert page.run(most) < 30
    assert page.run(f"{SEAT}.desk.sorted") == sorted_, "neither scrolling nor people who move sort tasks"
    assert page.run(f"{SEAT}.tasksLayer.paints") <= paints + 1, "nor do they draw them"
    page.run(f"{SEAT}.desk.look({{query: '鼓楼街77号'}})")
    page.wait(f"{most} === 1 && {SEAT}.tasksLayer.detail === 'pins'")
    place = page.run(f"{SEAT}.tasksLayer.placeOf('many-00077')")
    if place is None:
        page.run(f"{SEAT}.pick('many-00077', true)")
        place = page.wait(f"{SEAT}.tasksLayer.placeOf('many-00077')")
        page.run(f"{SEAT}.desk.select(null)")
        page.wait(f"{SEAT}.tasksLayer.drawn.length > 0")
    box = page.run("gridbeat.map.getContainer().getBoundingClientRect().toJSON()")
    page.click_at(box["x"] + place["x"], box["y"] + place["y"])
    page.wait(f"{SEAT}.desk.selected === 'many-00077'")
    assert [text for text in page.problems if "404" not in text] == []


@pytest.mark.parametrize(("width", "height", "language"), [(1366, 768, "zh"), (390, 844, "en")])
def test_a_call_for_help_rings_until_somebody_takes_it(
    browser: Browser, console: Console, width: int, height: int, language: str
) -> None:
    page = enter(console, browser.page(width, height, phone=width < 720), language)
    console.switch("tasks", sos="u0006", problem=["u0004", "桥下有人倾倒垃圾"], tell=["seat", "overdue", QUEUED])
    page.wait("!document.getElementById('sos-panel').hidden && !document.getElementById('alarms-count').hidden")
    assert page.run(f"{SEAT}.sounder.ringing")
    assert page.run("document.querySelectorAll('.sos-chip').length") == 3
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    page.key("y")
    page.wait("document.getElementById('sos-panel').dataset.acknowledged === 'true'")
    assert not page.run(f"{SEAT}.sounder.ringing")
    assert "demo" in words(page, ".sos-by")
    page.key("e")
    page.wait("document.querySelectorAll('#alarms .alarm').length === 1")
    assert page.run("document.getElementById('alarms-count').hidden"), "what has been looked at is no news"
    page.key("o")
    page.wait("document.querySelectorAll('#problems .problem').length === 1")
    page.click("#problems .button.strong")
    page.wait(f"{SEAT}.desk.row?.state === 'queued' && document.getElementById('problems-count').hidden")
    assert page.problems == []
