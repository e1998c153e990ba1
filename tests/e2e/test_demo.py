"""What a newcomer sees: the demo city of a real server in a real browser, and what happens when parts of it die."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from tests.browser import Browser, BrowserError, Page
from tests.e2e.conftest import COLLECTORS, PATROL, READY, VEHICLES, Demo, Enter, hosts

pytestmark = pytest.mark.browser

FIRST_LOOK = 30.0
"""Seconds after the server's start until the map must show the patrol: it is what the README promises."""


def moves(page: Page, least: int) -> None:
    """Waits until so many units stand elsewhere than now."""
    places = "[...gridbeat.units.all.values()].map(unit => [unit.id, unit.x])"
    page.run(f"void (window.stood = new Map({places}))")
    page.wait(f"{places}.filter(([id, x]) => stood.get(id) !== x).length >= {least}")


def painted(pane: str) -> str:
    """The expression that tells how much of a layer's canvas is painted, in sampled pixels."""
    return (
        "(c => { const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', {willReadFrequently: true});"
        " copy.drawImage(c, 0, 0); const d = copy.getImageData(0, 0, c.width, c.height).data; let n = 0;"
        " for (let i = 3; i < d.length; i += 28) n += d[i] > 0; return n; })"
        f"(gridbeat.map.getPane('{pane}').firstChild)"
    )


def choose(page: Page, select: str) -> str:
    """Chooses the first real option of a select, as a person does, and answers it."""
    value: str = page.run(
        f"(s => {{ s.value = s.options[1].value; s.dispatchEvent(new Event('change')); return s.value; }})"
        f"(document.getElementById('{select}'))"
    )
    return value


def pressed(page: Page, button: str, state: str) -> None:
    page.wait(f"document.querySelector('{button}').getAttribute('aria-pressed') === '{state}'")


def test_the_patrol_moves_before_the_eyes_of_a_newcomer(browser: Browser, demo: Demo) -> None:
    page = browser.page(1366, 768, prefers_color_scheme="light")
    page.goto(f"{demo.base}/")
    page.wait("location.pathname === '/login' && document.activeElement.id === 'name'")
    name, password = demo.login
    page.type(name)
    page.click("#password")
    page.type(password)
    page.key("Enter")
    page.wait(PATROL, patience=FIRST_LOOK - (time.monotonic() - demo.began))
    page.wait(f"gridbeat.unitsLayer.seen.length === {COLLECTORS + VEHICLES}")
    counts = page.run("[...document.querySelectorAll('.chip b')].map(node => Number(node.textContent))")
    assert sum(counts[1:]) == COLLECTORS + VEHICLES
    assert page.run("document.querySelectorAll('.row').length") > 8
    moves(page, 20)
    page.wait(READY)
    assert page.run(painted("gb-basemap")) > 10_000
    assert page.run(painted("gb-units")) > 300
    assert page.run("document.getElementById('city').textContent")
    assert hosts(page) == {urlsplit(demo.base).netloc}
    assert page.problems == []
    page.close()


def test_the_door(browser: Browser, demo: Demo) -> None:
    page = browser.page(390, 844, phone=True, prefers_color_scheme="dark")
    page.goto(f"{demo.base}/")
    page.wait("location.pathname === '/login' && document.getElementById('submit').textContent")
    assert page.problems == []
    name, password = demo.login
    page.click("#name")
    page.type(name)
    page.click("#password")
    page.type(f"{password}?")
    page.key("Enter")
    page.wait("/wrong|不正确/.test(document.getElementById('error').textContent)")
    assert page.run("location.pathname") == "/login"
    page.problems.clear()  # the browser notes the refusal
    page.run("document.getElementById('password').value = ''")
    page.click("#password")
    page.type(password)
    page.click("#submit")
    page.wait(READY)
    page.click("#more")
    page.click("#logout")
    page.wait("location.pathname === '/login'")
    assert page.problems == []
    # the way back is closed
    page.goto(f"{demo.base}/")
    page.wait("location.pathname === '/login'")
    assert page.run("fetch('/api/v1/units').then(answer => answer.status)") == 401
    page.close()


def test_filters_search_and_the_list_in_step_with_the_map(enter: Enter) -> None:
    page = enter()
    for select, field in (("team", "team"), ("street", "street")):
        value = choose(page, select)
        page.wait(
            f"(r => r.length > 0 && r.length < 26 && r.every(u => u.{field} === '{value}'))(gridbeat.view.rows())"
        )
        page.wait(f"gridbeat.unitsLayer.seen.every(item => item.unit.{field} === '{value}')")
        page.run("gridbeat.view.clear()")
        page.wait("gridbeat.unitsLayer.seen.length === 26")
    page.click(".chip[data-state='0']")
    page.wait("(r => r.length > 0 && r.every(unit => unit.state === 0))(gridbeat.view.rows())")
    page.wait("gridbeat.unitsLayer.seen.every(item => item.unit.state === 0)")
    page.click(".chip[data-state='0']")
    page.wait("gridbeat.view.rows().length === 26")
    name = page.run("gridbeat.units.all.get('c03').name")
    page.key("/")
    page.type(name)
    page.wait("gridbeat.view.rows().length === 1")
    page.key("Enter")
    page.wait(f"document.querySelector('.card-name').textContent === '{name}'")
    page.key("Escape")
    page.wait("gridbeat.view.rows().length === 26")
    # from the list to the map, and from the map to the list
    page.move_to(*page.place(".row:nth-child(4)"))
    page.wait("document.querySelector('.row.is-hover').dataset.id === gridbeat.view.hovered")
    page.key("Escape")
    page.wait("document.getElementById('card').hidden")
    page.run("void gridbeat.map.setView([gridbeat.units.all.get('v1').lat, gridbeat.units.all.get('v1').lon], 16)")
    page.wait("gridbeat.map.getZoom() === 16 && !gridbeat.map._animatingZoom")

    # The vehicle drives on between the look and the click, farther on a busy machine: one aims again, as people do.
    for _ in range(20):
        x, y = page.wait(
            "(at => at && (b => [b.x + at.x, b.y + at.y])(gridbeat.map.getContainer().getBoundingClientRect()))"
            "(gridbeat.unitsLayer.placeOf('v1'))"
        )
        page.click_at(x, y)
        if page.run("gridbeat.view.selected === 'v1'"):
            break
    assert page.run("gridbeat.view.selected") == "v1"
    page.wait("document.querySelector('.row[data-id=v1]').getAttribute('aria-selected') === 'true'")
    # only what the map shows
    page.click(".switch")
    page.wait("(r => r.length > 0 && r.length < 20 && r.some(u => u.id === 'v1'))(gridbeat.view.rows())")
    page.click(".switch")


def test_following_with_a_trail(enter: Enter) -> None:
    page = enter()
    # somebody who is walking: the vehicle may stand at a crossing
    unit = page.wait(
        "[...gridbeat.units.all.values()].find(u => u.state === 0 && u.speed > 1 && u.kind === 'person')?.id"
    )
    page.run(f"gridbeat.view.select('{unit}', {{center: true}})")
    page.run("void gridbeat.map.setZoom(19, {animate: false})")
    page.key("f")
    pressed(page, "[data-action=follow]", "true")
    # what lies before this page was opened comes from the track, the rest grows with the feed
    page.run(f"void (window.walker = gridbeat.units.all.get('{unit}'))")
    page.wait("walker.trail.length >= 9 && walker.trail[0] < walker.fix - 5000")
    points = page.run("walker.trail.length")
    start = page.run("[gridbeat.map.getCenter().lat, gridbeat.map.getCenter().lng]")
    page.wait(f"walker.trail.length > {points}")
    page.wait(f"{painted('gb-halo')} > 50")
    page.wait(f"(c => Math.hypot(c.lat - {start[0]}, c.lng - {start[1]}) > 5e-5)(gridbeat.map.getCenter())")
    page.drag((800, 400), (700, 400))
    pressed(page, "[data-action=follow]", "false")


def test_layers(enter: Enter) -> None:
    page = enter()
    page.run("void gridbeat.map.setZoom(15, {animate: false})")
    page.wait("gridbeat.map.getZoom() === 15")
    drawn = page.wait(painted("gb-grids"))
    page.key("c")
    pressed(page, "#cells", "true")
    page.wait(f"{painted('gb-grids')} > {drawn * 2}")
    page.key("c")
    page.click("#grids")
    pressed(page, "#grids", "false")
    page.wait(f"{painted('gb-grids')} === 0")


def test_a_device_is_asked_where_it_is(enter: Enter, demo: Demo) -> None:
    page = enter()
    protocols = {unit["id"]: unit["devices"][0]["protocol"] for unit in demo.api("/api/v1/units")["units"]}
    for protocol in ("handheld", "jt808"):
        # the simulator's weather takes networks away: one who is online now
        unit = next(
            unit
            for unit in page.run("[...gridbeat.units.all.values()].filter(u => u.state === 0).map(u => u.id)")
            if protocols[unit] == protocol
        )
        page.run(f"gridbeat.view.select('{unit}')")
        page.click("[data-action=locate]")
        page.wait("document.querySelector('.order[data-kind=locate]')?.dataset.state === 'done'")


def test_keyboard_language_and_night(enter: Enter, demo: Demo) -> None:
    page = enter(language="zh")
    page.wait("document.querySelector('.panel-head h1').textContent.startsWith('人员与车辆')")
    page.key("l")
    page.wait("document.querySelector('.panel-head h1').textContent.startsWith('Units')")
    page.key("d")
    page.wait("document.documentElement.dataset.theme === 'dark'")
    page.key("j")
    page.key("j")
    page.wait("gridbeat.view.selected === gridbeat.view.rows()[1].id && !document.getElementById('card').hidden")
    page.key("Escape")
    page.wait("document.getElementById('card').hidden")
    page.key("?")
    page.wait("document.getElementById('help').open")
    page.key("Escape")
    page.wait("!document.getElementById('help').open")
    page.key("w")
    page.wait("document.body.classList.contains('is-wall') && gridbeat.unitsLayer.scale > 1")
    page.key("w")
    page.goto(f"{demo.base}/")
    page.wait(READY)
    assert page.run("[document.documentElement.dataset.theme, document.documentElement.lang]") == ["dark", "en"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_in_a_hand(enter: Enter, language: str) -> None:
    page = enter(390, 844, language=language, scheme="dark")
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    page.wait("gridbeat.unitsLayer.seen.length === 26")
    page.click("#grip")
    page.wait(
        "(p => p.classList.contains('is-open') && p.getAnimations().length === 0)(document.getElementById('panel'))"
    )
    page.click(".row:nth-child(3)")
    page.wait("!document.getElementById('card').hidden && gridbeat.card.commands.ready")
    page.wait(
        "(b => b.bottom <= innerHeight + 1 && b.left >= 0)(document.getElementById('card').getBoundingClientRect())"
    )
    page.click("[data-action=follow]")
    pressed(page, "[data-action=follow]", "true")
    page.click(".card-head .tool")
    page.wait("document.getElementById('card').hidden")


def test_who_is_entered_appears_at_once(enter: Enter, demo: Demo) -> None:
    page = enter()
    demo.api("/api/v1/units", {"id": "x1", "kind": "person", "name": "Never Seen", "team": "Reserve"})
    demo.api("/api/v1/devices", {"protocol": "handheld", "external_id": "x1-device", "unit": "x1"})
    page.wait("gridbeat.units.all.get('x1')?.state === 3")
    page.wait("document.querySelector('.chip[data-state=\"3\"] b').textContent !== '0'")
    page.run("gridbeat.view.filter({query: 'never seen'})")
    page.wait("document.querySelector('.row .row-age').textContent === 'never located'")
    page.run("gridbeat.view.select('x1', {center: true})")
    page.wait("document.querySelector('.card-age').textContent === 'No position yet'")
    page.click("[data-action=locate]")
    page.wait("/Waits for the device/.test(document.querySelector('.order[data-state=queued]')?.textContent)")


def test_a_killed_server_leaves_a_banner_and_comes_back_by_itself(enter: Enter, demo: Demo) -> None:
    page = enter(troubled=True)
    page.run("void (window.sameDocument = true)")
    instance = page.run("gridbeat.feed.instance")
    demo.kill()
    page.wait(
        "!document.getElementById('banner').hidden && document.getElementById('banner').dataset.kind === 'broken'"
    )
    page.wait("/from [2-9] s ago/.test(document.getElementById('banner-text').textContent)")
    page.wait("Number(getComputedStyle(gridbeat.map.getPane('gb-units')).opacity) < 0.6")
    demo.start()
    page.wait(f"gridbeat.feed.live && gridbeat.feed.instance !== '{instance}'")
    page.wait("document.getElementById('banner').hidden && !document.body.classList.contains('is-stale')")
    page.wait(PATROL)
    moves(page, 15)
    assert page.run("window.sameDocument === true")


def test_while_redis_is_away_the_map_says_that_it_is_behind(enter: Enter, demo: Demo) -> None:
    page = enter(troubled=True)
    page.run("void (window.sameDocument = true)")
    end = time.monotonic() + 60
    while not page.run("document.getElementById('banner').dataset.kind === 'behind'"):
        # it is started again at once, so it is killed again at once
        if (pid := demo.valkey_pid()) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > end:
            raise BrowserError("the page never said that it is behind")
        time.sleep(0.05)
    assert page.run("document.getElementById('pulse').dataset.link") == "behind"
    assert page.run("/Positions are \\d+ s behind/.test(document.getElementById('banner-text').textContent)")
    page.wait("gridbeat.feed.live && document.getElementById('banner').hidden")
    moves(page, 15)
    assert page.run("window.sameDocument === true")
