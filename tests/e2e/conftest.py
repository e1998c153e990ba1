"""The demo city on free ports, run by twistd as a newcomer runs it, and browser pages that are logged in to it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from tests.browser import Browser, Page, find_chromium
from tests.faults.server import Server

COLLECTORS, VEHICLES = 25, 1
PATROL = (
    "window.gridbeat && gridbeat.feed.live && (u => u.filter(x => x.near && x.kind === 'person').length === 25"
    " && u.filter(x => x.near && x.kind === 'vehicle').length === 1)([...gridbeat.units.all.values()])"
)
"""The page knows where all 25 collectors and the vehicle are."""
READY = f"{PATROL} && gridbeat.grids.all.size > 2000 && gridbeat.basemap.shapes.length > 100"


class Demo(Server):
    """The demo city. ``began`` is when the server listened, in seconds of the monotonic clock."""

    began = 0.0

    def start(self) -> Server:
        super().start()
        self.began = time.monotonic()
        return self

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.ports['console']}"

    @property
    def login(self) -> tuple[str, str]:
        name, password = (self.data / "first-login.txt").read_text().split()
        return name, password


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if find_chromium() is None:
        pytest.skip("no Chromium or Chrome on this machine")
    with Browser() as running:
        yield running


@pytest.fixture(scope="session")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One for all tests: its people walk on from test to test."""
    city = Demo(tmp_path_factory.mktemp("demo") / "city", {"server": "demo = true"})
    with city:
        city.start()
        yield city


def hosts(page: Page) -> set[str]:
    """Everywhere that the page has asked."""
    return {urlsplit(address).netloc for address in page.requests if not address.startswith("data:")} - {""}


Enter = Callable[..., Page]


@pytest.fixture
def enter(browser: Browser, demo: Demo) -> Iterator[Enter]:
    """Opens the console, logged in, in English and light unless told otherwise. Afterwards no page may have asked
    anybody else or have complained; ``troubled`` pages, whose server was taken away, may complain."""
    opened: list[tuple[Page, bool]] = []

    def open_page(
        width: int = 1366, height: int = 768, *, language: str = "en", scheme: str = "light", troubled: bool = False
    ) -> Page:
        page = browser.page(width, height, phone=width < 720, prefers_color_scheme=scheme)
        opened.append((page, troubled))
        page.send("Network.setCookie", name="session", value=demo.session(), url=demo.base)
        page.goto(f"{demo.base}/login")
        page.run(f"localStorage.setItem('gridbeat', {json.dumps(json.dumps({'language': language}))})")
        page.goto(f"{demo.base}/")
        page.wait(READY)
        return page

    yield open_page
    for page, troubled in opened:
        assert hosts(page) == {urlsplit(demo.base).netloc}
        assert troubled or page.problems == []
        page.close()
