"""One browser for all tests of the page, and a fresh stand-in server for each that breaks things."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import Browser, Page, find_chromium

ROOT = Path(__file__).resolve().parents[2]
READY = (
    "window.gridbeat && gridbeat.feed.link === 'live' && gridbeat.units.all.size >= 26 && gridbeat.grids.all.size > 25"
    " && gridbeat.unitsLayer.drawn.length > 10 && gridbeat.basemap.shapes.length > 0"
)


class Console:
    """The stand-in server as a process of its own."""

    def __init__(self, crowd: int = 0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.webmap.console_double", str(crowd)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.base = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def switch(self, verb: str, **given: Any) -> dict[str, Any]:
        """Breaks or mends something; answers what the server noted so far."""
        request = urllib.request.Request(f"{self.base}/double/{verb}", json.dumps(given).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            noted: dict[str, Any] = json.load(answer)
        return noted

    def close(self) -> None:
        """The server stops when its input closes."""
        self._process.communicate(timeout=20)

    def enter(self, page: Page, language: str = "en") -> Page:
        """Logs in without the form, chooses a language and opens the console."""
        page.goto(f"{self.base}/login")
        page.run(
            "fetch('/api/v1/login', {method: 'POST', headers: {'Content-Type': 'application/json'},"
            " body: JSON.stringify({name: 'demo', password: 'demo-password'})}).then(answer => answer.status)"
        )
        page.run(f"localStorage.setItem('gridbeat', JSON.stringify({{language: '{language}'}}))")
        page.goto(f"{self.base}/")
        page.wait(READY)
        return page


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if find_chromium() is None:
        pytest.skip("no Chromium or Chrome on this machine")
    with Browser() as running:
        yield running


@pytest.fixture(scope="module")
def browser(chromium: Browser) -> Iterator[Browser]:
    yield chromium
    chromium.close_pages()


@pytest.fixture(autouse=True)
def no_page_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test closes what it has opened; what a fixture of its module has stays."""
    if "browser" not in request.fixturenames:
        yield
        return
    running: Browser = request.getfixturevalue("browser")
    before = running.pages()
    yield
    running.close_pages(but=before)


@pytest.fixture
def console() -> Iterator[Console]:
    server = Console()
    yield server
    server.close()
