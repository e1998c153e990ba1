"""Signing in, one's own account and everybody's in a real browser, against the stand-in server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.browser import Browser, Page
from tests.webmap.conftest import Console
from tests.webmap.double_accounts import CODE, RECOVERY

READY = "document.getElementById('main')?.dataset.state === 'ready'"
HOSTILE = "<img src=x onerror=alert(1)>"

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def desk() -> Iterator[Console]:
    """One stand-in for all tests here."""
    server = Console()
    yield server
    server.close()


@pytest.fixture
def console(desk: Console) -> Console:
    """Its accounts as they were."""
    desk.switch("accounts", anew=True)
    return desk


@pytest.fixture
def open_page(browser: Browser, console: Console) -> Open:
    """Opens a page, logged in."""

    def opened(name: str, width: int = 1366, height: int = 768, language: str = "en", scheme: str = "light") -> Page:
        page = browser.page(width, height, phone=width < 720, prefers_color_scheme=scheme)
        page.goto(f"{console.base}/login")
        page.run(
            "fetch('/api/v1/login', {method: 'POST', headers: {'Content-Type': 'application/json'},"
            " body: JSON.stringify({name: 'demo', password: 'demo-password'})}).then(answer => answer.status)"
        )
        page.run(f"localStorage.setItem('gridbeat', JSON.stringify({{language: '{language}'}}))")
        page.goto(f"{console.base}/{name}")
        page.wait(READY)
        return page

    return opened


def words(selector: str) -> str:
    return f"(document.querySelector({json.dumps(selector)})?.textContent ?? '')"


def enter(page: Page, selector: str, text: str) -> None:
    page.click(selector)
    page.run(f"document.querySelector({json.dumps(selector)}).select()")
    page.type(text)


def sign_in(page: Page, name: str, password: str) -> None:
    enter(page, "#name", name)
    enter(page, "#password", password)
    page.key("Enter")


@pytest.mark.browser
@pytest.mark.parametrize("name", ["profile", "accounts"])
@pytest.mark.parametrize(
    ("width", "height", "language", "scheme"), [(1366, 768, "zh", "light"), (390, 844, "en", "dark")]
)
def test_fits_at_every_size(
    open_page: Open, console: Console, name: str, width: int, height: int, language: str, scheme: str
) -> None:
    console.switch("accounts", unit="u0003", crowd=12)
    page = open_page(name, width, height, language, scheme)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    assert page.run("document.documentElement.dataset.theme") == scheme
    # no word without its translation: keys are never shown
    assert (
        page.run("/\\b(right|reach|role|state|field|totp|session|account)_[a-z]/.test(document.body.innerText)")
        is False
    )
    assert page.problems == []
    page.close()


@pytest.mark.browser
def test_the_menu_leads_everywhere_that_one_may_go(open_page: Open) -> None:
    page = open_page("profile")
    page.wait("document.querySelector('#nav-menu a') !== null")
    page.key("m")
    page.wait("!document.getElementById('nav-menu').hidden")
    assert page.run("document.activeElement.id") == "nav-map"
    page.key("ArrowUp")
    assert page.run("document.activeElement.id") == "nav-out"
    page.key("Escape")
    assert page.run("document.getElementById('nav-menu').hidden && document.activeElement.id === 'nav'")
    page.click("#nav")
    page.click("#nav-accounts")
    page.wait(f"location.pathname === '/accounts' && {READY}")
    page.key("Escape")
    page.wait("location.pathname === '/' && document.getElementById('nav') !== null")
    page.key("m")
    page.click("#nav-out")
    page.wait("location.pathname === '/login' && location.search === ''")
    page.close()


@pytest.mark.browser
def test_a_code_is_asked_for_and_a_first_password_changed(browser: Browser, console: Console) -> None:
    page = browser.page()
    page.goto(f"{console.base}/login?to=profile")
    page.run("localStorage.setItem('gridbeat', JSON.stringify({language: 'en'}))")
    page.goto(f"{console.base}/login?to=profile")
    assert page.run("document.getElementById('code-row').hidden")
    sign_in(page, "careful", "demo-password")
    page.wait("document.activeElement.id === 'code' && document.getElementById('error').hidden")
    page.type("000000")
    page.key("Enter")
    page.wait("/Wrong name, password or code/.test(" + words("#error") + ")")
    enter(page, "#code", CODE)
    page.key("Enter")
    page.wait("location.pathname === '/profile'")

    page.goto(f"{console.base}/login?to=//evil.example")
    sign_in(page, "fresh", "first-password")
    page.wait("document.activeElement.id === 'new'")
    enter(page, "#new", "my own sentence")
    enter(page, "#again", "not the same one")
    page.key("Enter")
    page.wait("/not the same/.test(" + words("#fresh-error") + ")")
    enter(page, "#again", "my own sentence")
    page.key("Enter")
    page.wait("location.pathname === '/'")
    page.close()


@pytest.mark.browser
def test_ones_own_password_second_step_and_sessions(open_page: Open, console: Console) -> None:
    page = open_page("profile")
    enter(page, "#old", "wrong")
    enter(page, "#new", "another sentence")
    enter(page, "#again", "another sentence")
    page.key("Enter")
    page.wait("/not right/.test(" + words("#password-error") + ")")
    enter(page, "#old", "demo-password")
    page.key("Enter")
    page.wait("/is changed/.test(" + words("#password-done") + ")")

    page.click("#totp button")
    page.type("another sentence")
    page.key("Enter")
    page.wait("document.querySelector('#totp .qr svg') !== null && document.activeElement.matches('#totp input')")
    page.type(CODE)
    page.key("Enter")
    page.wait("document.querySelectorAll('#totp .codes li').length === 8")
    assert page.run("[...document.querySelectorAll('#totp .codes li')].map(one => one.textContent)") == RECOVERY
    page.key("Enter")
    page.wait("/8 recovery codes are left/.test(" + words("#totp") + ")")

    assert page.run("document.querySelectorAll('#sessions .tag').length") == 1
    assert "Safari · iPhone" in page.run(words("#sessions li:nth-child(2)"))
    page.click("#sessions li:nth-child(2) button")
    page.wait("document.querySelectorAll('#sessions li').length === 2")
    page.click("#others")
    page.wait("document.querySelectorAll('#sessions li').length === 1 && document.getElementById('others').hidden")
    page.close()


@pytest.mark.browser
def test_accounts_are_made_amended_reset_and_removed(open_page: Open, console: Console) -> None:
    console.switch("accounts", crowd=8)
    page = open_page("accounts")
    assert page.run("document.querySelectorAll('#roles tbody tr').length") > 20
    page.click("#add")
    page.type(HOSTILE.replace(" ", "_"))
    page.run("document.getElementById('role').value = 'street', 1")
    page.key("Enter")
    page.wait("/street seat needs streets/.test(" + words("#edit-error") + ")")
    enter(page, "#streets", "东街街道，湖滨街道")
    enter(page, "#person", "nobody at all")
    page.key("Enter")
    page.wait("/no such person/.test(" + words("#edit-error") + ")")
    enter(page, "#person", "u0003")
    page.key("Enter")
    page.wait("document.getElementById('first').open")
    assert page.run(words("#first-password")) == "k7m2-9fqd-x4tp-3wch"
    page.click("#first .strong")
    page.wait("!document.getElementById('first').open && document.querySelectorAll('.account').length === 12")
    page.wait(words("#first-password") + " === ''")
    assert page.run("document.querySelectorAll('img[src=x]').length") == 0

    page.key("/")
    page.type("东街")
    page.wait("document.querySelectorAll('.account').length < 12")
    enter(page, "#search", "user-04")
    page.wait("document.querySelectorAll('.account').length === 1")
    page.click(".account")
    page.click("#disabled")
    page.click("#save")
    page.wait("document.querySelector('.account[data-off]') !== null")
    page.click(".account")
    page.click("#reset")
    page.click("#sure-yes")
    page.wait("document.getElementById('first').open")
    page.click("#first .strong")
    page.click(".account")
    page.click("#remove")
    page.click("#sure-yes")
    page.wait("!document.getElementById('none').hidden && /user-04 is removed/.test(" + words("#done") + ")")
    assert page.problems == [problem for problem in page.problems if "status of 422" in problem], (
        "what the server refused, and nothing else"
    )
    page.close()
