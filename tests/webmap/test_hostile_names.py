"""Names that are scripts, markup, formulas and tricks of writing, on every page of a real server in a real browser.

Whatever a person or a device can name is named so: units, teams, streets, grids, accounts, shifts, seats, devices,
reasons, browsers. No page may make an element of it, run it, or ask anybody anything; where a page shows names, it
shows them as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import Browser, Page
from tests.server import Server, until
from tests.webmap.devices import now_ms, phone_report
from tests.webmap.people import enter, password_of
from webmap.pages import PAGES

pytestmark = pytest.mark.browser

MARK = "evilname"
MARKUP = f"<img data-evil src=x onerror=\"window.evil='img'\"><evil-element>{MARK}</evil-element>"
NAMES = [
    MARKUP,
    f"</script></style></textarea></title><script data-evil>window.evil='script'</script>{MARK}",
    f"\"'><svg data-evil onload=\"window.evil='svg'\">{MARK}",
    f"{MARK} {{{{constructor.constructor('window.evil=1')()}}}} ${{window.evil=2}} #{{7*7}} %s %n",
    f"javascript:window.evil='link'//{MARK}",
    f"\u202e\u2066{MARK}\u2069\u202c\u200b\ufeff",
    f"{MARK}\nline\r\nbreak\u2028\u2029\ttab",
    f"=1+1+cmd|'/c calc'!A1 {MARK}",
    f"{MARK} " + "x" * 500,
    f"{MARK} Z̡͊͠͝a̮̘̻l͔̣̫g͍̙̮o " + "🚔" * 40,
]
IDS = ["__proto__", "constructor", "hasOwnProperty", "toString", *(f"u{n}" for n in range(len(NAMES) - 4))]
ACCOUNT = f'"><evil-element-data-evil>{MARK}'
SHOWN = {"", "phones", "rota", "accounts", "access", "profile"}
"""Pages that show names, and so must show these."""
QUIET = """(() => {
  const now = performance.getEntriesByType('resource').length + document.querySelectorAll('*').length;
  const same = window.quietCount === now;
  window.quietCount = now;
  window.quietTimes = same ? (window.quietTimes ?? 0) + 1 : 0;
  return document.readyState === 'complete' && window.quietTimes > 12;
})()"""
"""Nothing has been loaded or made for a while."""
MADE = """[
  window.evil ?? null,
  document.querySelectorAll('[data-evil], evil-element, evil-element-data-evil, [onerror], [onload], [src=x]').length,
  [...document.querySelectorAll('a, form, iframe, object, embed')].filter((one) =>
    /^\\s*(javascript|data|vbscript):/i.test(one.getAttribute('href') ?? one.getAttribute('action') ?? '')).length,
  [...document.scripts].filter((one) => !one.src).length,
]"""


class City:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.base = f"http://127.0.0.1:{server.ports['console']}"

    def post(self, path: str, body: Any, status: int = 201) -> Any:
        answer = self.server.api("POST", path, body)
        assert answer.status == status, (path, answer)
        return answer.json

    def build(self) -> None:
        server = self.server
        ring = [[121.4, 31.2], [121.5, 31.2], [121.5, 31.3], [121.4, 31.3], [121.4, 31.2]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        grid = {"id": NAMES[0][:64], "name": NAMES[0], "street": NAMES[1], "owner": NAMES[2], NAMES[0][:40]: NAMES[0]}
        self.post("/api/v1/grids", {"type": "FeatureCollection", "features": [
            {"type": "Feature", "geometry": shape, "properties": grid}]})  # fmt: skip
        self.post("/api/v1/units", [
            {"id": identity, "name": name, "team": name, "street": name, "grid": NAMES[0][:64]}
            for identity, name in zip(IDS, NAMES, strict=True)
        ])  # fmt: skip
        networks = ["127.0.0.0/8"]
        for number, identity in enumerate(IDS):
            wish = {
                "protocol": "traccar",
                "external_id": f"{MARKUP[:50]}{number}",
                "unit": identity,
                "networks": networks,
            }
            self.post("/api/v1/devices", wish)
            at = now_ms() // 1000
            answer = phone_report(server, f"{MARKUP[:50]}{number}", lat=31.25 + number / 1e3, lon=121.45, timestamp=at)
            assert answer.status == 200
        phone_report(server, MARKUP[:64], lat=31, lon=121, timestamp=now_ms() // 1000)
        self.post("/api/v1/shifts", {"name": NAMES[0][:30], "periods": ["08:00-12:00"]})
        for name in NAMES[:3]:
            self.post("/api/v1/seats", {"name": name[:60], "street": NAMES[0][:100]})
        self.post("/api/v1/roll-calls", {"units": IDS})
        server.api("GET", f"/api/v1/units/{IDS[-1]}/track", headers={"x": "y"})
        for name in NAMES[:4]:
            self.post(f"/api/v1/units/{IDS[-1]}/export", {"reason": name}, 202)
        until("they are on the map", lambda: server.get(f"/api/v1/units/{IDS[-1]}")["position"])

    def session(self) -> str:
        """One of an account whose name is hostile, opened by a browser with such a name."""
        enter(self.server, ACCOUNT, role="admin").__exit__()
        body = {"name": ACCOUNT, "password": password_of(ACCOUNT)}
        answer = self.server.ask("POST", "/api/v1/login", body, {"user-agent": f"Mozilla/5.0 ({MARKUP})"})
        assert answer.status == 200, answer
        return str(answer.json["token"])


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with Server(tmp_path_factory.mktemp("hostile")) as server:
        made = City(server)
        made.build()
        yield made


def test_no_page_makes_anything_of_a_name(browser: Browser, city: City) -> None:
    session = city.session()
    for language in ("zh", "en"):
        page = browser.page(1366, 768)
        page.send("Network.setCookie", name="session", value=session, url=city.base)
        page.goto(f"{city.base}/login")
        page.run(f"localStorage.setItem('gridbeat', {json.dumps(json.dumps({'language': language}))})")
        for name in ("", *PAGES):
            page.goto(f"{city.base}/{name}")
            look(page, name)
            if name == "":
                for identity in IDS if language == "en" else IDS[:1]:
                    page.goto(f"{city.base}/#unit={identity}")
                    page.run("location.reload()")
                    look(page, "")
        assert page.dialogs == []
        assert page.problems == [], "not even something that the policy had to stop"
        assert [one for one in page.requests if not one.startswith((city.base, f"ws{city.base[4:]}", "data:"))] == []
        page.close()


def look(page: Page, name: str) -> None:
    page.wait(QUIET)
    assert page.run(MADE) == [None, 0, 0, 0], name
    if name in SHOWN:
        page.wait(f"document.body.innerText.includes('{MARK}') || document.body.outerHTML.includes('{MARK}')")
