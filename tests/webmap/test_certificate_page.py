"""The page of the certificate, and the one from which phones install it, in a real browser."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from tests.browser import Browser, Page
from tests.webmap.conftest import Console
from webmap.authority_page import system_of

SIZES = [(1366, 768, "zh", "light"), (1366, 768, "en", "dark"), (390, 844, "zh", "dark"), (390, 844, "en", "light")]
READY = "document.getElementById('main')?.dataset.state === 'ready'"
WIDE = "document.documentElement.scrollWidth <= innerWidth"

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    made = Console()
    yield made
    made.close()


@pytest.fixture
def certificate(browser: Browser, console: Console) -> Iterator[Open]:
    """Opens the page, logged in."""

    def open_page(width: int = 1366, height: int = 768, language: str = "en", scheme: str = "light") -> Page:
        page = console.enter(browser.page(width, height, phone=width < 720, prefers_color_scheme=scheme), language)
        page.goto(f"{console.base}/certificate")
        page.wait(READY)
        return page

    yield open_page
    console.switch("certificate", kind="private")


def told(console: Console, page: Page) -> dict[str, object]:
    found: dict[str, object] = page.run("fetch('/api/v1/certificate?host=127.0.0.1').then(answer => answer.json())")
    return found


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height", "language", "scheme"), SIZES)
def test_fits_at_every_size(certificate: Open, width: int, height: int, language: str, scheme: str) -> None:
    page = certificate(width, height, language, scheme)
    assert page.run(WIDE)
    assert page.run("document.documentElement.lang").startswith(language)
    assert page.run("/\\b(cert_[a-z]|to_map|map\\b)/.test(document.querySelector('.top').innerText)") is False
    assert page.run("/\\bcert_[a-z]/.test(document.body.innerText)") is False
    assert page.run("document.querySelector('.qr svg').getBoundingClientRect().width") > 200
    assert page.problems == []
    page.close()


@pytest.mark.browser
def test_shows_where_it_is_and_what_to_compare(certificate: Open, console: Console) -> None:
    page = certificate()
    about = told(console, page)
    assert page.run("document.getElementById('link').href") == about["link"] == "http://127.0.0.1:8081/ca"
    assert page.run("document.getElementById('print').textContent.split('\\n')") == about["fingerprint"]
    assert str(about["name"]) in page.run("document.getElementById('print-name').textContent")
    assert "map.qiqiao.lan, 192.168.1.20" in page.run("document.getElementById('facts').textContent")
    page.click("#copy")
    page.wait("document.getElementById('speak').textContent === 'Copied'")
    page.click("#language")
    page.wait("document.getElementById('speak') && document.documentElement.lang.startsWith('zh')")
    assert "核对指纹" in page.run("document.body.innerText")
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("kind", "told"),
    [("none", "There is no TLS"), ("public", "install nothing"), ("local", "open to this machine only")],
)
def test_says_what_is_in_use(certificate: Open, console: Console, kind: str, told: str) -> None:
    console.switch("certificate", kind=kind)
    page = certificate()
    assert told in page.run("document.getElementById('state-text').textContent")
    assert page.run("document.getElementById('install').hidden") is True
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height", "language", "scheme"), SIZES)
def test_a_phone_finds_its_steps(
    browser: Browser, console: Console, width: int, height: int, language: str, scheme: str
) -> None:
    page = browser.page(width, height, phone=width < 720, prefers_color_scheme=scheme)
    page.goto(f"{console.base}/ca?lang={language}")
    assert page.run(WIDE)
    page.run("document.querySelectorAll('details').forEach(one => { one.name = ''; one.open = true; }), 1")
    assert page.run(WIDE)
    assert page.run("document.documentElement.lang").startswith(language)
    assert page.run("document.querySelectorAll('.steps > li').length") == 4
    assert ("安装证书" in page.run("document.body.innerText")) is (language == "zh")
    assert page.run("/[{}]/.test(document.body.innerText)") is False
    assert page.run("getComputedStyle(document.querySelector('.button')).borderRadius") == "12px", "styles apply"
    # Nothing of the other language but the link to it.
    other = "安装" if language == "en" else "Install the certificate"
    assert other not in page.run("document.body.innerText")
    assert page.problems == []
    page.close()


def test_the_page_asks_for_nothing_else(console: Console) -> None:
    """One document: a phone that does not trust us yet could load nothing more over https."""
    with urllib.request.urlopen(f"{console.base}/ca", timeout=20) as answer:
        body, policy = answer.read().decode(), answer.headers["content-security-policy"]
    assert "src=" not in body
    assert "<link" not in body
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("agent", "system"),
    [
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/131.0 Mobile Safari/537.36", "android"),
        ("Mozilla/5.0 (Phone; OpenHarmony 5.0) Chrome/114.0 ArkWeb/4.1 Mobile HuaweiBrowser", "harmony"),
        ("Mozilla/5.0 (Linux; Android 12; HarmonyOS; NOH-AN00) AppleWebKit/537.36 HuaweiBrowser/14", "harmony"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Safari", "iphone"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36", "windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "other"),
        ("", "other"),
    ],
)  # fmt: skip
def test_the_steps_of_ones_own_system_are_open(console: Console, agent: str, system: str) -> None:
    assert system_of(agent) == system
    request = urllib.request.Request(f"{console.base}/ca?lang=en", headers={"user-agent": agent})
    with urllib.request.urlopen(request, timeout=20) as answer:
        body = answer.read().decode()
    (opened,) = [line for line in body.splitlines() if "<details" in line and " open>" in line]
    shown = {"harmony": "HarmonyOS", "iphone": "iPhone", "other": "Linux"}.get(system, system.capitalize())
    assert f"<summary>{shown}" in opened, json.dumps(opened)
