"""The page of phones in a real browser, against the stand-in server; its two routes, against a real one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest

from protocols.phone_setup import APPS
from tests.browser import Browser, Page
from tests.server import Server
from tests.webmap.conftest import Console
from webmap.phone_api import is_local, own_address, qr_svg

READY = "document.querySelectorAll('.app').length === 3 && document.getElementById('grid').options.length > 3"
AN_HOUR_ON = "void (performance.now = (now => () => now() + 3.6e6)(performance.now.bind(performance)))"
"""More than the minute after which the page says what to check, without waiting for it."""
PHONE = "http://192.168.1.20:5055"

Open = Callable[..., Page]


@pytest.fixture
def phones(browser: Browser, console: Console) -> Open:
    """Opens the page, logged in; by way of the map, as a person comes."""

    def open_page(width: int = 1366, height: int = 768, language: str = "en", scheme: str = "light") -> Page:
        page = console.enter(browser.page(width, height, phone=width < 720, prefers_color_scheme=scheme), language)
        page.goto(f"{console.base}/phones")
        page.wait(READY)
        return page

    return open_page


def words(selector: str) -> str:
    return f"(document.querySelector({json.dumps(selector)})?.textContent ?? '')"


def tap(page: Page, selector: str) -> None:
    """Clicks what may lie below the edge of the window."""
    page.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
    page.click(selector)


def name(page: Page, typed: str) -> None:
    tap(page, "#name")
    page.type(typed)


def state(page: Page, wanted: str) -> None:
    page.wait(f"document.querySelector('.watch')?.dataset.state === '{wanted}'")


def made(page: Page) -> str:
    """The id of the device that is being set up."""
    page.wait("document.querySelector('.qr svg') !== null")
    device: str = page.run("location.hash.slice(1)")
    return device


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_at_every_size(phones: Open, width: int, height: int, language: str, scheme: str) -> None:
    page = phones(width, height, language, scheme)
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert page.run(wide)
    assert page.run("document.documentElement.dataset.theme") == scheme
    assert page.run("document.documentElement.lang").startswith(language)
    name(page, "Li Xiaoming")
    tap(page, "#make-button")
    made(page)
    assert page.run(wide)
    # dark on white, whatever the theme is: phones read it from the screen
    assert page.run("getComputedStyle(document.querySelector('.qr')).backgroundColor") == "rgb(255, 255, 255)"
    assert page.run("document.querySelector('.qr svg').getBoundingClientRect().width") > 200
    assert page.problems == []
    page.close()


@pytest.mark.browser
def test_a_new_person_s_phone_from_the_map_to_the_first_fix_by_keyboard(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    page.key("p")
    page.wait(f"location.pathname === '/phones' && {READY} && document.activeElement.id === 'name'")
    page.type("Li Xiaoming")
    page.key("Enter")  # takes the choice that is offered: a new person
    page.wait("document.getElementById('names').hidden")
    page.key("Enter")
    device = made(page)
    one = next(one for one in console.switch("mend")["devices"] if one["id"] == device)
    assert one["protocol"] == "traccar"
    assert page.run(words("#setup-name")) == "Li Xiaoming"
    assert one["external_id"] in page.run(words(".steps"))
    state(page, "waiting")
    assert "No sign of life yet" in page.run(words(".watch"))
    console.switch("heard", device=device)
    state(page, "heard")
    console.switch("point", device=device, flags=["inaccurate"], accuracy=420)
    state(page, "doubt")
    assert "420 m" in page.run(words(".watch"))
    console.switch("fix", device=device)
    state(page, "fixed")
    assert re.search(r"First fix \d\d:\d\d:\d\d, accuracy 8 m", page.run(words(".watch")))
    page.wait(f"document.querySelector('.phone[data-device={device}]').dataset.state === 'green'")
    page.key("Escape")
    page.wait("document.getElementById('setup').hidden && !document.getElementById('make').hidden")
    assert page.problems == []
    page.key("Escape")  # leaves the field
    page.key("Escape")  # and then the page
    page.wait("location.pathname === '/'")
    page.close()


@pytest.mark.browser
def test_somebody_who_is_known_is_found_by_typing(phones: Open, console: Console) -> None:
    page = phones(language="zh")
    name(page, "李德胜")
    page.wait("document.querySelector('.choices li[aria-selected=true] b')?.textContent === '李德胜'")
    page.key("Enter")
    page.wait("document.getElementById('about').hidden && /已有 1 台设备/.test(" + words("#name-note") + ")")
    page.run("document.querySelector('input[value=iphone]').click()")
    page.wait("document.querySelector('input[value=overland]') !== null")
    page.run("document.querySelector('input[value=overland]').click()")
    tap(page, "#make-button")
    device = made(page)
    devices = console.switch("mend")["devices"]
    one = next(one for one in devices if one["id"] == device)
    assert one["protocol"] == "overland"
    # the unit that he was, with both devices now
    assert [other["protocol"] for other in devices if other["unit"] == one["unit"]] == ["traccar", "overland"]
    # followed by another device, this one's fix is a fix all the same
    console.switch("point", device=device, flags=["secondary"])
    state(page, "fixed")
    page.close()


@pytest.mark.browser
def test_a_grid_brings_its_street_and_the_next_phone_the_same(phones: Open) -> None:
    page = phones()
    page.run(
        "(g => { g.value = g.options[2].value; g.dispatchEvent(new Event('change')); })"
        "(document.getElementById('grid'))"
    )
    street, grid = page.run("[document.getElementById('street').value, document.getElementById('grid').value]")
    assert street
    name(page, "First")
    tap(page, "#make-button")
    made(page)
    page.run("window.before = true, void location.reload()")
    page.wait("window.before === undefined")
    # a page that is loaded again shows the same phone, but its code was shown once
    page.wait("document.querySelector('.once') !== null && document.querySelector('.qr') === null")
    tap(page, ".setup-foot button")
    page.wait(READY)
    page.wait(f"document.getElementById('grid').value === {json.dumps(grid)}")
    assert page.run("document.getElementById('street').value") == street
    page.close()


@pytest.mark.browser
def test_says_when_phones_cannot_reach_the_address(phones: Open, console: Console) -> None:
    page = phones()
    assert page.run("document.getElementById('address').value") == "http://127.0.0.1:5055"
    assert "Phones cannot reach 127.0.0.1" in page.run(words("#address-note"))
    page.click("#address-note button")  # the machine's own address is offered
    page.wait(f"document.getElementById('address').value === '{PHONE}'")
    assert page.run("document.getElementById('address-box').dataset.fit") == "ok"
    name(page, "Li")
    tap(page, "#make-button")
    made(page)
    assert PHONE in page.run(words(".steps"))
    before = page.run("document.querySelector('.qr svg').innerHTML")
    page.run(
        "(f => { f.value = 'https://city.example:5055/'; f.dispatchEvent(new Event('change')); })"
        "(document.getElementById('address'))"
    )
    page.wait("document.querySelector('.once') !== null")  # that code led to the address before
    tap(page, ".once button")
    page.click("#ask-yes")
    page.wait("/https:\\/\\/city\\.example:5055/.test(" + words(".steps") + ")")
    assert page.run("document.querySelector('.qr svg').innerHTML") != before
    console.switch("door", bind="127.0.0.1", address="192.168.1.20")
    page.goto(f"{console.base}/login")
    page.goto(f"{console.base}/phones")
    page.wait(READY)
    assert page.run("document.getElementById('address').value") == "https://city.example:5055"  # remembered
    assert '[phones] bind = "0.0.0.0"' in page.run(words("#address-note"))
    page.run(
        "(f => { f.value = 'nonsense'; f.dispatchEvent(new Event('change')); })(document.getElementById('address'))"
    )
    name(page, "Li")
    tap(page, "#make-button")
    page.wait("document.activeElement.id === 'address'")
    assert "such as http://" in page.run(words("#address-note"))
    console.switch("door", bind="0.0.0.0", address="192.168.1.20", tls=True)
    page.run("localStorage.clear()")
    page.goto(f"{console.base}/login")
    page.goto(f"{console.base}/phones")
    page.wait("document.getElementById('address')?.value === 'https://127.0.0.1:5055'")
    page.close()


@pytest.mark.browser
def test_says_what_to_check_when_nothing_comes(phones: Open, console: Console) -> None:
    page = phones()
    page.click("#address-note button")
    name(page, "Li")
    tap(page, "#make-button")
    made(page)
    assert page.run("document.querySelector('.check').hidden")
    # at once, if a phone reports under a name that nobody has
    console.switch("stranger", id="04771", times=1)
    page.wait('/reports as "04771"/.test(' + words(".check") + ")")
    assert page.run("document.querySelectorAll('.check li').length") == 1
    page.run(AN_HOUR_ON)
    page.wait("document.querySelectorAll('.check li').length === 5")
    told = page.run(words(".check"))
    assert f"Open {PHONE}" in told
    assert "battery" in told
    page.close()


@pytest.mark.browser
def test_shown_once_and_with_a_new_token(phones: Open, console: Console) -> None:
    page = phones()
    name(page, "Li")
    page.run("document.querySelector('input[value=owntracks]').click()")
    tap(page, "#make-button")
    device = made(page)
    row = f".phone[data-device={device}]"
    before = page.run(words(".steps"))
    tap(page, ".setup-head .tool")
    page.wait("document.getElementById('setup').hidden")
    page.click(f"{row} .again")
    page.wait("document.querySelector('.once') !== null")
    assert page.run("document.querySelector('.steps') === null")
    page.click(f"{row} .renew")
    page.wait("document.getElementById('ask').open")
    page.key("Escape")  # no is the easy answer
    page.wait("!document.getElementById('ask').open")
    assert page.run("document.querySelector('.steps') === null")
    page.click(f"{row} .renew")
    page.click("#ask-yes")
    page.wait(f"{words('.steps')} !== '' && {words('.steps')} !== {json.dumps(before)}")
    page.close()


@pytest.mark.browser
def test_errors_are_the_server_s_words_and_the_name_is_needed(phones: Open) -> None:
    page = phones(language="zh")
    tap(page, "#make-button")
    page.wait("/请输入姓名/.test(" + words("#make-error") + ")")
    name(page, "Refused")
    page.wait("document.getElementById('make-error').hidden")
    tap(page, "#make-button")
    page.wait("/缺少姓名/.test(" + words("#make-error") + ")")
    page.key("l")  # the whole page in the other language, as on the map
    page.wait("/Who carries the phone/.test(" + words("#make") + ")")
    page.close()


@pytest.mark.browser
def test_a_login_leads_back_here(browser: Browser, console: Console) -> None:
    page = browser.page()
    page.goto(f"{console.base}/phones")
    page.wait("location.pathname === '/login' && document.activeElement.id === 'name'")
    page.type("demo")
    page.click("#password")
    page.type("demo-password")
    page.key("Enter")
    page.wait(f"location.pathname === '/phones' && {READY}")
    page.close()


@pytest.mark.browser
def test_a_fix_leads_to_its_unit_on_the_map(phones: Open, console: Console) -> None:
    page = phones()
    tap(page, ".phone[data-device=d2] .again")
    page.wait("document.querySelector('.once') !== null")
    tap(page, ".setup-foot a")
    page.wait("window.gridbeat && gridbeat.view.selected === 'u0001' && location.hash === ''")
    page.close()


# The routes.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("phones")) as running:
        yield running


@pytest.mark.parametrize("app", APPS)
def test_a_phone_is_told_what_it_needs(server: Server, app: str) -> None:
    device = server.register(app, name="Li", base=f"{PHONE}/")
    told = device["setup"]
    assert told["app"] == app
    assert any(device["external_id"] in step["value"] for step in told["steps"])
    assert bool(device["token"]) == any(step["value"] == device["token"] for step in told["steps"])
    assert told["qr"] == qr_svg(told["link"])
    assert "setup" not in server.get(f"/api/v1/devices/{device['id']}")
    again = server.api("POST", f"/api/v1/devices/{device['id']}/token", {"base": PHONE}).json
    assert again["setup"]["link"] != told["link"]
    listed = server.get("/api/v1/phones")
    assert listed["door"]["port"] == server.ports["phones"]
    assert listed["door"]["local"] is True
    mine = next(one for one in listed["phones"] if one["device"] == device["id"])
    assert (mine["name"], mine["protocol"], mine["state"], mine["last_message"]) == ("Li", app, "OFFLINE", None)
    assert {one["protocol"]: one["secret"] for one in listed["apps"]}[app] == (device["token"] is not None)


@pytest.mark.parametrize(
    "base",
    [
        "",
        "phone",
        "http://",
        "ftp://a:1",
        "http://a b",
        "http://a:0",
        "http://a:65536",
        "http://a?x",
        "http://" + "a" * 200,
    ],
)
def test_an_address_that_is_none_is_refused(server: Server, base: str) -> None:
    device = server.register("traccar")["id"]
    answer = server.api("POST", f"/api/v1/devices/{device}/token", {"base": base})
    assert (answer.status, answer.code) == (422, "bad_base")


def test_what_is_no_phone_is_not_set_up(server: Server) -> None:
    device = server.register("jt808", "13900000001", base=PHONE)
    assert device["token"]
    assert "setup" not in device
    assert server.api("POST", "/api/v1/devices/nobody/token", {"base": PHONE}).code == "no_device"


def test_doors_that_only_this_machine_gets_through() -> None:
    assert is_local("127.0.0.1")
    assert is_local("::1")
    assert not any(map(is_local, ("", "0.0.0.0", "::", "192.168.1.20")))
    found = own_address()
    assert found is None or not is_local(found)


def test_a_code_carries_its_link() -> None:
    """Dark on white, square, four modules of quiet around; another link is another picture."""
    one, other = qr_svg("org.traccar.client://config?id=1"), qr_svg("org.traccar.client://config?id=2")
    assert one != other
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', one)
    assert size
    assert size[1] == size[2]
    assert f'fill="#fff" d="M0 0h{size[1]}v{size[1]}h-{size[1]}z"' in one
    assert 'stroke="#000" d="M4 4.5h7' in one
    assert "style" not in one
    assert "<script" not in one
