"""The page of storage in a real browser, against the stand-in server: everything fits, by mouse and by keyboard."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.browser import Browser, Page
from tests.webmap.conftest import Console

READY = (
    "document.getElementById('main')?.dataset.state === 'ready' && document.querySelectorAll('#days > li').length > 10"
)

Open = Callable[..., Page]


@pytest.fixture
def storage(browser: Browser, console: Console) -> Open:
    """Opens the page, logged in."""

    def open_page(width: int = 1366, height: int = 768, language: str = "en", scheme: str = "light") -> Page:
        page = console.enter(browser.page(width, height, phone=width < 720, prefers_color_scheme=scheme), language)
        page.goto(f"{console.base}/storage")
        page.wait(READY)
        return page

    return open_page


def words(selector: str) -> str:
    return f"(document.querySelector({json.dumps(selector)})?.textContent ?? '')"


def look_again(page: Page) -> None:
    """Somebody comes back to the window; the page would look by itself in some seconds."""
    page.run("window.dispatchEvent(new Event('focus'))")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("width", "height", "language", "scheme"),
    [(1366, 768, "zh", "light"), (1366, 768, "en", "dark"), (390, 844, "zh", "dark"), (390, 844, "en", "light")],
)
def test_fits_at_every_size(storage: Open, width: int, height: int, language: str, scheme: str) -> None:
    page = storage(width, height, language, scheme)
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert page.run(wide)
    assert page.run("document.documentElement.dataset.theme") == scheme
    assert page.run("document.documentElement.lang").startswith(language)
    page.run("document.querySelectorAll('#days details').forEach(one => one.open = true), 1")
    assert page.run(wide)
    # no word without its translation: keys are never shown
    assert page.run("/\\b(part|rung|job|reason|day)_[a-z]/.test(document.body.innerText)") is False
    assert page.problems == []
    page.close()


@pytest.mark.browser
def test_what_history_takes_in_plain_words(storage: Open, console: Console) -> None:
    page = storage()
    assert "At the rate of the last week it lasts for more than ten years" in page.run(words("#disk-forecast"))
    photos = page.run(words(".class.part-photos"))
    assert "1.6 GB of 2 GB" in photos
    assert "days at the rate of the last week" in photos
    assert "10 days beyond the budget" in photos
    assert page.run("document.querySelector('.class.part-photos').dataset.alarm") == "none"
    assert page.run("document.querySelectorAll('.bar').length") == 1, "without a budget there is no bar"
    place = "(b => { const m = b.querySelector('.bar-mark').getBoundingClientRect(), r = b.getBoundingClientRect();"
    assert (
        page.run(f"{place} return Math.round(100 * (m.left - r.left) / r.width); }})(document.querySelector('.bar'))")
        == 80
    )
    # a bound that is nearly reached, and a disk that fills up
    told = {"what": "space", "text": "It fills up.", "zh": "空间不足。"}
    console.switch("storage", photos_mb=1800, level="low", problems=[told])
    look_again(page)
    page.wait("document.querySelector('.class.part-photos').dataset.alarm === 'soon'")
    assert page.run(words("#problems li")) == "It fills up."
    assert page.run("document.getElementById('disk-forecast').dataset.level") == "low"
    rungs = page.run("[...document.querySelectorAll('#ladder li')].map(one => 'now' in one.dataset)")
    assert rungs == [True, True, True, True, False, False, False]
    console.switch("storage", exhausted=True)
    look_again(page)
    page.wait("/no history is left/.test(" + words("#disk-forecast") + ")")
    page.close()


@pytest.mark.browser
def test_verifying_by_keyboard(storage: Open, console: Console) -> None:
    page = storage()
    page.key("v")
    page.wait("document.getElementById('verify').disabled && !document.getElementById('verify-progress').hidden")
    page.wait("/archive\\/fixes/.test(" + words("#verify-progress") + ")")
    page.wait("document.getElementById('verdict').dataset.sound === 'true'")
    assert "As it was sealed" in page.run(words("#verdict"))
    assert page.run(words("#heads")) == "Heads went out 5 h ago"
    console.switch("storage", heads=False)
    look_again(page)
    page.wait("/Heads do not leave this server/.test(" + words("#heads") + ")")
    page.wait("!document.getElementById('verify').disabled")
    console.switch("storage", sound=False)
    page.click("#verify")
    page.wait("document.getElementById('verdict').dataset.sound === 'false'")
    assert page.run("[...document.querySelectorAll('.findings code')].map(one => one.textContent)") == [
        "archive/fixes/2026-10-02.parquet",
        "archive/events/2026-09-14.parquet",
    ]
    page.close()


@pytest.mark.browser
def test_the_days_by_keyboard(storage: Open) -> None:
    page = storage()
    page.key("j")
    page.wait("document.activeElement === document.querySelectorAll('#days summary')[0]")
    page.key("ArrowDown")
    page.key("Enter")
    page.wait("document.querySelectorAll('#days details')[1].open")
    assert "not closed yet" in page.run(words("#days li:nth-child(2) .day-parts"))
    assert page.run(
        "[...document.querySelectorAll('#days .state')].map(one => one.dataset.state).join(' ')"
    ).startswith("open " * 8 + "closed closed")
    assert "1 supplement" in page.run(words("#days li:nth-child(21) .day-notes"))
    before = page.run("document.querySelectorAll('#days > li').length")
    for _ in range(7):
        page.run("document.getElementById('more').scrollIntoView({block: 'center'})")
        page.click("#more")
        page.wait(f"document.querySelectorAll('#days > li').length > {before}")
        before = page.run("document.querySelectorAll('#days > li').length")
    assert page.run("document.getElementById('more').hidden")
    assert "beyond the budget" in page.run(words("#days li:last-child .day-notes"))
    assert page.run("document.querySelectorAll('#days details')[1].open"), "what is open stays open"
    page.key("l")
    page.wait(
        "document.documentElement.lang === 'zh-CN' && /超出配额/.test(" + words("#days li:last-child .day-notes") + ")"
    )
    page.close()


@pytest.mark.browser
def test_from_the_map_and_back_and_without_a_login(browser: Browser, console: Console) -> None:
    page = console.enter(browser.page())
    page.key("s")
    page.wait(f"location.pathname === '/storage' && {READY}")
    page.key("Escape")
    page.wait("location.pathname === '/' && document.getElementById('nav') !== null")
    page.click("#nav")
    page.click("#nav-storage")
    page.wait("location.pathname === '/storage'")
    page.close()
    guest = browser.page()
    guest.goto(f"{console.base}/login?to=storage")
    guest.click("#name")
    guest.type("demo")
    guest.click("#password")
    guest.type("demo-password")
    guest.key("Enter")
    guest.wait(f"location.pathname === '/storage' && {READY}")
    guest.close()


@pytest.mark.browser
def test_a_city_of_today(browser: Browser, console: Console) -> None:
    console.switch("storage", rows=0)
    page = console.enter(browser.page())
    page.goto(f"{console.base}/storage")
    page.wait("document.getElementById('main')?.dataset.state === 'ready'")
    page.wait("/nothing sealed yet/.test(" + words("#chains") + ")")
    assert page.problems == []
    page.close()
