"""The console in a real browser, against the stand-in server."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.browser import Browser, Page
from tests.webmap.conftest import READY, Console

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}\u202e"


def place_of(page: Page, unit: str) -> tuple[float, float]:
    """Where a unit is drawn, in the window's coordinates."""
    x, y = page.wait(
        f"(() => {{ const at = gridbeat.unitsLayer.placeOf('{unit}'); if (!at) return null;"
        " const box = gridbeat.map.getContainer().getBoundingClientRect(); return [box.x + at.x, box.y + at.y]; })()"
    )
    return x, y


def row(unit: str) -> str:
    return f".row[data-id={unit}]"


def ink(page: Page, unit: str) -> bool:
    """Whether the canvas of the units has paint at a unit's place."""
    drawn: bool = page.run(
        f"(() => {{ const layer = gridbeat.unitsLayer, item = layer.drawn.find(i => i.unit.id === '{unit}');"
        " if (!item) return false; const r = layer.view.ratio;"
        " return layer.ctx.getImageData(item.x * r, item.y * r, 1, 1).data[3] > 0; })()"
    )
    return drawn


@pytest.mark.parametrize(("width", "height", "phone"), [(1366, 768, False), (390, 844, True)])
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_loads_clean_at_every_size(
    browser: Browser, console: Console, width: int, height: int, phone: bool, language: str, scheme: str
) -> None:
    page = console.enter(browser.page(width, height, phone=phone, prefers_color_scheme=scheme), language)
    page.wait("document.getElementById('pulse').dataset.link === 'live'")
    assert page.run("document.documentElement.dataset.theme") == scheme
    assert page.run("document.documentElement.lang").startswith(language)
    # nothing wider than the window, whatever the language
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    assert page.run("document.getElementById('tools').getBoundingClientRect().right <= innerWidth")
    hosts = {urlsplit(address).netloc for address in page.requests if not address.startswith("data:")} - {""}
    assert hosts == {urlsplit(console.base).netloc}
    assert page.problems == []
    page.close()


def test_draws_units_on_the_canvas(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    assert page.run("gridbeat.unitsLayer.detail") == "labels"
    assert all(ink(page, unit) for unit in page.run("gridbeat.unitsLayer.drawn.map(item => item.unit.id)"))
    counts = page.run("[...document.querySelectorAll('.chip b')].map(node => node.textContent)")
    assert counts == ["0", "21", "1", "1", "1", "2"]
    page.close()


def test_list_and_map_in_step(browser: Browser, console: Console) -> None:
    console.switch("freeze", frozen=True)
    page = console.enter(browser.page())
    page.move_to(*place_of(page, "u0003"))
    page.wait(f"document.querySelector('{row('u0003')}.is-hover')")
    page.click_at(*place_of(page, "u0003"))
    page.wait(f"document.querySelector('{row('u0003')}').getAttribute('aria-selected') === 'true'")
    name = page.run("gridbeat.units.all.get('u0003').name")
    page.wait(f"document.querySelector('.card-name').textContent === '{name}'")
    page.move_to(*page.place(row("u0008")))
    page.wait("gridbeat.view.hovered === 'u0008'")
    page.click(row("u0008"))
    page.wait(
        "gridbeat.view.selected === 'u0008' && document.querySelector('.card-state').textContent.includes('no fix')"
    )
    page.key("Escape")
    page.wait("document.getElementById('card').hidden")
    page.close()


def test_filters_hold_for_list_and_map(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    page.click(".chip[data-state='2']")
    page.wait("document.querySelectorAll('.row').length === 1 && gridbeat.unitsLayer.drawn.length === 1")
    page.click(".chip[data-state='2']")
    page.wait("gridbeat.unitsLayer.drawn.length > 20")
    page.run(
        "(s => { s.value = s.options[1].value; s.dispatchEvent(new Event('change')); })"
        "(document.getElementById('team'))"
    )
    team = page.run("gridbeat.view.team")
    page.wait(f"gridbeat.view.rows().length < 26 && gridbeat.view.rows().every(unit => unit.team === '{team}')")
    page.key("/")
    page.type("no such person")
    page.wait("!document.getElementById('empty').hidden && gridbeat.unitsLayer.drawn.length === 0")
    page.click("#clear")
    page.wait("gridbeat.view.rows().length === 26 && document.getElementById('search').value === ''")
    page.click(".switch")
    page.run("void gridbeat.map.setView([30.9, 117.9], 15, {animate: false})")
    page.wait("gridbeat.view.rows().length === 0")
    page.close()


def test_search_by_keyboard_selects_and_follows(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page(), "zh")
    page.key("/")
    page.type("巡查1号")
    page.wait("gridbeat.view.rows().length === 1")
    page.key("Enter")
    page.wait("gridbeat.view.selected === 'u0025'")
    page.key("Escape")  # leaves the field and clears it
    page.wait("gridbeat.view.rows().length === 26 && gridbeat.view.selected === 'u0025'")
    page.run("void gridbeat.map.setZoom(17, {animate: false})")
    page.key("f")
    page.wait("document.querySelector('[data-action=follow]').getAttribute('aria-pressed') === 'true'")
    start = page.run("gridbeat.map.getCenter().lng")
    page.wait(f"Math.abs(gridbeat.map.getCenter().lng - {start}) > 1e-5")
    page.wait("gridbeat.units.all.get('u0025').trail.length > 300")  # 10 minutes came, and it grows
    page.drag((800, 400), (700, 400))
    page.wait("!gridbeat.view.following")
    page.close()


def test_keys_for_language_theme_layers_and_help(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page(prefers_color_scheme="light"), "zh")
    page.key("l")
    page.wait("document.querySelector('.panel-head h1').textContent.startsWith('Units')")
    page.key("d")
    page.wait("document.documentElement.dataset.theme === 'dark'")
    page.key("g")
    page.wait("document.getElementById('grids').getAttribute('aria-pressed') === 'false'")
    page.key("c")
    page.wait("document.getElementById('cells').getAttribute('aria-pressed') === 'true'")
    page.key("t")
    page.wait("document.getElementById('trails').getAttribute('aria-pressed') === 'true'")
    page.key("w")
    page.wait("document.getElementById('panel').getBoundingClientRect().width === 0")
    page.key("w")
    page.wait("document.getElementById('panel').getBoundingClientRect().width > 200")
    zoom = page.run("gridbeat.map.getZoom()")
    page.key("+")
    page.wait(f"gridbeat.map.getZoom() > {zoom}")
    page.key("?")
    page.wait("document.getElementById('help').open")
    page.key("Escape")
    page.wait("!document.getElementById('help').open")
    page.key("j")
    page.key("j")
    page.wait("gridbeat.view.selected === gridbeat.view.rows()[1].id")
    page.key("k")
    page.wait("gridbeat.view.selected === gridbeat.view.rows()[0].id")
    # remembered: the same after a reload
    page.goto(f"{console.base}/")
    page.wait(READY)
    assert page.run("document.documentElement.dataset.theme") == "dark"
    assert page.run("document.documentElement.lang") == "en"
    assert page.run("document.getElementById('cells').getAttribute('aria-pressed')") == "true"
    page.close()


def test_locate_shows_the_state_of_the_command(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    page.run("gridbeat.view.select('u0002')")
    page.click("[data-action=locate]")
    page.wait("document.querySelector('.order').dataset.state === 'done'")
    page.close()


def test_a_broken_link_shows_its_age_and_resumes_without_reload(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    page.run("window.sameDocument = true")
    console.switch("cut")
    page.wait("!document.getElementById('banner').hidden && document.body.classList.contains('is-stale')")
    page.wait("/from \\d+ s ago/.test(document.getElementById('banner-text').textContent)")
    assert page.run("document.getElementById('pulse').dataset.link") == "broken"
    assert page.wait("Number(getComputedStyle(gridbeat.map.getPane('gb-units')).opacity) < 0.6")
    seq = page.run("gridbeat.feed.seq")
    console.switch("mend")
    page.click("#banner-retry")
    page.wait("gridbeat.feed.live && document.getElementById('banner').hidden")
    assert page.run("window.sameDocument === true")
    resumed = [watch for watch in console.switch("mend")["watches"] if watch["since"] is not None]
    assert resumed
    assert resumed[0]["instance"] == "double-1"
    assert resumed[0]["since"] >= seq
    page.close()


def test_comes_back_by_itself_after_a_restart(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    console.switch("restart")
    page.wait("gridbeat.feed.instance === 'double-1+' && gridbeat.feed.live")
    page.wait("gridbeat.feed.seq < 1e6 && gridbeat.unitsLayer.drawn.length > 20")
    page.close()


def test_silence_and_lag_are_not_shown_as_live(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    console.switch("behind", behind=65_000)
    page.wait("document.getElementById('banner').dataset.kind === 'behind'")
    page.wait("document.getElementById('banner-text').textContent.includes('1 min')")
    console.switch("mend")
    page.wait("document.getElementById('banner').hidden")
    console.switch("silence", silent=True)
    page.wait("document.getElementById('pulse').dataset.link === 'broken'")
    page.wait("!document.getElementById('banner').hidden")
    console.switch("mend")
    page.wait("gridbeat.feed.live")
    page.close()


def test_a_call_for_help_comes_first(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    console.switch("unit", id="u0017", alarm=1)
    page.wait("gridbeat.view.rows()[0].id === 'u0017' && document.querySelector('.row.is-sos')")
    page.wait("!document.querySelector('.chip[data-state=sos]').hidden")
    page.wait("document.getElementById('notice').dataset.level === 'sos'")
    page.close()


def test_hostile_names_are_only_text(browser: Browser, console: Console) -> None:
    console.switch("unit", id="u0002", name=HOSTILE, team=HOSTILE, street=HOSTILE, device_protocol=HOSTILE, alarm=1)
    page = console.enter(browser.page())
    page.run("gridbeat.view.select('u0002', {center: true})")
    page.wait("document.querySelector('.card-name').textContent.startsWith('<img src=x')")
    page.wait("document.querySelector('.row-name').textContent.startsWith('<img src=x')")
    page.wait("[...document.getElementById('team').options].some(option => option.text.startsWith('<img'))")
    assert page.run("document.querySelectorAll('img[src=x], .panel script, .card script').length") == 0
    assert page.dialogs == []
    assert page.problems == []
    assert not [address for address in page.requests if address.endswith("/x")]
    page.close()


def test_the_watch_follows_the_map(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    page.run("void gridbeat.map.setView([30.6605, 117.4905], 17, {animate: false})")
    page.wait("gridbeat.unitsLayer.drawn.length < 10")
    page.wait("[...gridbeat.units.all.values()].filter(unit => unit.near).length < 20")
    box = console.switch("mend")["watches"][-1]["box"]
    bounds = page.run("(b => [b.getSouth(), b.getWest(), b.getNorth(), b.getEast()])(gridbeat.map.getBounds())")
    assert box[0] < bounds[0] < bounds[2] < box[2]
    assert box[1] < bounds[1] < bounds[3] < box[3]
    # states of the others still count
    assert page.run("document.querySelector('.chip[data-state=\"0\"] b').textContent") == "21"
    page.close()


def test_a_long_drag_shows_who_comes_into_sight(browser: Browser, console: Console) -> None:
    """The part of the town that a drag brings along is asked for on the way, not when the hand lets go."""
    console.switch("freeze", frozen=True)
    page = console.enter(browser.page())
    page.run("void gridbeat.map.setView([30.6605, 117.4905], 17, {animate: false})")
    page.wait("[...gridbeat.units.all.values()].filter(unit => unit.near).length < 20")
    asked = len(console.switch("mend")["watches"])
    x, y = page.place(".leaflet-container")
    page.send("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, button="left", clickCount=1)
    for step in range(1, 40):
        page.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y - 40 * step, button="left", buttons=1)
        page.run("new Promise((done) => requestAnimationFrame(done))")
    shown = (
        "gridbeat.map.dragging.moving() && [...gridbeat.units.all.values()].filter(unit => gridbeat.map.getBounds()"
        ".contains([unit.lat ?? 0, unit.lon ?? 0])).every(unit => unit.near)"
    )
    page.wait(shown)
    assert len(console.switch("mend")["watches"]) > asked
    page.send("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y - 1560, button="left", clickCount=1)
    page.close()


def test_choosing_a_street_goes_there(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    page.run("void gridbeat.map.setView([30.9, 117.9], 15, {animate: false})")
    page.wait("[...gridbeat.units.all.values()].every(unit => !unit.near)")
    street = page.run("document.getElementById('street').options[1].value")
    page.run(
        "(select => { select.selectedIndex = 1; select.dispatchEvent(new Event('change')); })"
        "(document.getElementById('street'))"
    )
    inside = f"[...gridbeat.units.all.values()].filter(unit => unit.street === '{street}')"
    page.wait(
        f"{inside}.length > 0 && {inside}.every(unit => unit.near && gridbeat.view.bounds.contains(unit.lat, unit.lon))"
    )
    page.close()


def test_ages_are_known_out_of_sight_unless_all_is_well(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    page.run("void gridbeat.map.setView([30.9, 117.9], 15, {animate: false})")
    page.wait("gridbeat.unitsLayer.seen.length === 0 && [...gridbeat.units.all.values()].every(unit => !unit.near)")
    page.wait("document.querySelector('.row').querySelector('.row-age').textContent === '5 min ago'")
    # Rows are renewed as their states come in: at the end each of them says so.
    told = "(r.children[4].textContent === '') === (r.dataset.sign[0] === '0')"
    page.wait(f"[...document.querySelectorAll('.row')].every(r => {told})")
    page.close()


CROWDED = "gridbeat.unitsLayer.groups.length === 1 && gridbeat.unitsLayer.groups[0].items.length"


def test_a_crowd_is_one_sign_that_opens(browser: Browser, console: Console) -> None:
    console.switch("freeze", frozen=True)
    page = console.enter(browser.page())
    page.run("void gridbeat.map.setZoom(9, {animate: false})")
    page.wait(f"{CROWDED} === 26 && gridbeat.unitsLayer.drawn.length === 0")
    # who is chosen, in the list too, steps out of it
    page.move_to(*page.place(row("u0003")))
    page.wait(f"{CROWDED} === 25 && gridbeat.unitsLayer.drawn[0].unit.id === 'u0003'")
    page.move_to(700, 30)
    page.wait(f"{CROWDED} === 26")
    page.run("gridbeat.view.filter({query: 'no such person'})")
    page.wait("gridbeat.unitsLayer.groups.length === 0")
    page.run("gridbeat.view.clear()")
    page.wait(f"{CROWDED} === 26")
    x, y = page.run(
        "(g => { const l = gridbeat.unitsLayer, b = gridbeat.map.getContainer().getBoundingClientRect();"
        " const c = gridbeat.map.getPixelBounds().min;"
        " return [g.x + l.view.left - c.x + b.x, g.y + l.view.top - c.y + b.y]; })(gridbeat.unitsLayer.groups[0])"
    )
    page.move_to(x, y)
    page.wait("gridbeat.map.getContainer().title.endsWith('…')")
    page.click_at(x, y)
    page.wait("gridbeat.map.getZoom() > 12 && gridbeat.unitsLayer.drawn.length > 15")
    assert page.run("gridbeat.view.selected") is None
    assert page.problems == []
    page.close()


def test_who_cannot_be_parted_is_walked_through(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    ids = ["u0001", "u0002", "u0004", "u0005"]
    seen = []
    for _ in [*ids, ids]:
        page.run(f"gridbeat.mapView.open({ids}.map(id => ({{id, lat: 30.66, lon: 117.49}})))")
        seen.append(page.run("gridbeat.view.selected"))
    assert seen == [*ids, ids[0]]
    page.close()


def test_names_give_way_to_units(browser: Browser, console: Console) -> None:
    console.switch("freeze", frozen=True)
    page = console.enter(browser.page())
    page.wait("gridbeat.unitsLayer.detail === 'labels' && gridbeat.names.words.length > 10")
    # a unit is put into the middle of a grid's name: the name steps back, and comes again when the unit is hidden
    page.run(
        "(w => { const v = gridbeat.names.view, u = gridbeat.units.all.get('u0003'); window.word = w.key;"
        " u.x = u.fromX = ((w.box[0] + w.box[2]) / 2 + v.left) / v.scale;"
        " u.y = u.fromY = ((w.box[1] + w.box[3]) / 2 + v.top) / v.scale; gridbeat.unitsLayer.redraw(); })"
        "(gridbeat.names.words.find(w => w.key.startsWith('grid') && w.box[0] > 300 && w.box[1] > 250))"
    )
    page.wait("gridbeat.names.covered.has(word)")
    page.run("gridbeat.view.filter({query: 'no such person'})")
    page.wait("gridbeat.names.covered.size === 0")
    page.close()


def test_many_units_become_dots(browser: Browser) -> None:
    console = Console(crowd=1500)
    page = console.enter(browser.page())
    page.wait("gridbeat.unitsLayer.detail === 'dots' && gridbeat.unitsLayer.drawn.length > 1400")
    # only the rows in sight exist
    assert page.run("document.querySelectorAll('.row').length") < 40
    page.close()
    console.close()


def test_the_phone_has_list_card_and_tools_in_reach(browser: Browser, console: Console) -> None:
    console.switch("freeze", frozen=True)
    page = console.enter(browser.page(390, 844, phone=True), "zh")
    page.click("#grip")
    page.wait("document.getElementById('panel').getBoundingClientRect().top < 400")
    page.wait("document.getElementById('search').getBoundingClientRect().width > 300")
    page.click(row("u0003"))
    page.wait("gridbeat.view.selected === 'u0003' && !document.getElementById('card').hidden")
    page.wait("document.getElementById('card').getBoundingClientRect().bottom <= innerHeight + 1")
    heights = page.run(
        "[...document.querySelectorAll('.card-buttons .button')].map(b => b.getBoundingClientRect().height)"
    )
    assert min(heights) >= 44
    page.click(".card-head .tool")
    page.wait("document.getElementById('card').hidden")
    page.click("#more")
    page.click("#theme")
    page.wait("document.documentElement.dataset.theme === 'dark'")
    page.close()


def test_login_says_what_is_wrong_and_lets_in(browser: Browser, console: Console) -> None:
    page = browser.page(390, 844, phone=True)
    page.goto(f"{console.base}/")
    page.wait("location.pathname === '/login' && document.getElementById('submit').textContent")
    page.click("#submit")
    page.wait("!document.getElementById('error').hidden")
    page.click("#name")
    page.type("demo")
    page.click("#password")
    page.type("wrong")
    page.key("Enter")
    page.wait("document.getElementById('error').textContent.includes('Wrong name, password or code')")
    page.click("#language")
    page.wait("document.getElementById('error').textContent === '用户名、密码或动态码不正确'")
    page.problems.clear()  # the refused login is in the browser's log
    page.run("document.getElementById('password').value = ''")
    page.click("#password")
    page.type("demo-password")
    page.key("Enter")
    page.wait(READY)
    assert page.problems == []
    page.click("#more")
    page.click("#logout")
    page.wait("location.pathname === '/login'")
    page.close()


def test_an_ended_session_leads_to_the_login(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    page.run("fetch('/api/v1/logout', {method: 'POST'}).then(answer => answer.status)")
    page.run("void gridbeat.feed.connect()")
    page.wait("location.pathname === '/login'")
    page.close()
