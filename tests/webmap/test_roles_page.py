"""What the pages offer to each role in a real browser, against the stand-in server: nothing that would be refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.browser import Browser, Page
from tests.webmap.conftest import Console
from webmap.pages import open_to
from webmap.rights import Role, Who

Open = Callable[..., Page]

STAFF = {"phones", "certificate", "storage", "seats", "grids", "access", "rota", "roster", "profile"}


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    """One for all: nothing here changes anything but who asks."""
    server = Console()
    yield server
    server.close()


@pytest.fixture
def page(browser: Browser, console: Console) -> Iterator[Page]:
    page = browser.page()
    page.goto(f"{console.base}/login")
    page.run(
        "fetch('/api/v1/login', {method: 'POST', headers: {'Content-Type': 'application/json'},"
        " body: JSON.stringify({name: 'demo', password: 'demo-password'})}).then(answer => answer.status)"
    )
    page.run("localStorage.setItem('gridbeat', JSON.stringify({language: 'en'}))")
    yield page
    page.close()
    console.switch("rota")


def words(selector: str) -> str:
    return f"(document.querySelector({json.dumps(selector)})?.textContent ?? '')"


@pytest.mark.parametrize(
    ("role", "pages"),
    [
        (Role.COLLECTOR, STAFF - {"phones", "storage", "seats"}),
        (Role.CREW, STAFF - {"phones", "storage", "seats"}),
        (Role.DISPATCHER, STAFF - {"phones", "storage"}),
        (Role.STREET, STAFF - {"phones", "storage"}),
        (Role.LEADER, STAFF),
        (Role.AUDITOR, STAFF - {"phones"}),
        (Role.ADMIN, STAFF | {"accounts"}),
    ],
)
def test_the_menu_holds_what_one_can_use(role: Role, pages: set[str]) -> None:
    assert set(open_to(Who("n", role, streets=frozenset({"east"} if role is Role.STREET else ())))) == pages


@pytest.mark.browser
def test_the_maps_keys_are_those_that_do_something(console: Console, page: Page) -> None:
    for role, there in (("leader", True), ("collector", False)):
        console.switch("rota", role=role, unit="u0003")
        page.goto(f"{console.base}/")
        page.wait("document.querySelectorAll('#nav-menu a').length > 3")
        told = page.run("[...document.querySelectorAll('#keys dd')].map(one => one.textContent)")
        assert [word in told for word in ("Phones", "Storage", "Roll call")] == [there] * 3, role
    for key in "ps":
        page.key(key)
    page.key("?")
    page.wait("document.getElementById('help').open")
    assert page.run("location.pathname") == "/"


@pytest.mark.browser
def test_who_may_not_verify_is_not_offered_it(console: Console, page: Page) -> None:
    for role, hidden in (("auditor", False), ("leader", True)):
        console.switch("rota", role=role)
        page.goto(f"{console.base}/storage")
        page.wait(
            "document.getElementById('chains')?.childElementCount > 0 && document.querySelector('#nav-menu a') !== null"
        )
        page.wait(f"document.getElementById('verify').hidden === {json.dumps(hidden)}")


@pytest.mark.browser
def test_ones_own_reach_is_told_as_it_is(console: Console, page: Page) -> None:
    for role, streets, reach in (("collector", [], "One's own data"), ("street", ["东街街道"], "东街街道"),
                                 ("leader", [], "The whole city")):  # fmt: skip
        console.switch("rota", role=role, unit="u0003" if role == "collector" else "", streets=streets)
        page.goto(f"{console.base}/profile")
        page.wait("document.getElementById('main')?.dataset.state === 'ready'")
        assert page.run("[...document.querySelectorAll('#facts dd')].map(one => one.textContent)")[2] == reach
    assert page.run("document.querySelectorAll('#rights li').length") > 10


@pytest.mark.browser
def test_who_may_not_plan_is_not_told_how(console: Console, page: Page) -> None:
    console.switch("rota", role="auditor")
    page.goto(f"{console.base}/rota#week/2026-10-05")
    page.wait("document.getElementById('main')?.dataset.state === 'ready'")
    assert page.run("document.getElementById('matrix').getAttribute('aria-label')") == "Rota: arrows move"
    assert "digits" not in page.run(words("#detail"))
    page.click("#back")
    page.wait("location.pathname === '/'")
