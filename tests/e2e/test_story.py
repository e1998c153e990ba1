"""The whole story of a task: the case system asks, the nearest phone rings, its person accepts, walks there, answers
with a photo; the case system and the seat hear of it, and the choice is made again. Real server, real browsers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.browser import Browser, Page
from tests.server import Server, until
from tests.webmap.phone_page import ONLINE, PHOTO

pytestmark = pytest.mark.browser
SECRET = b"0123456789abcdef0123456789abcdef"
CENTER = (30.66, 117.49)
METRE = 1 / 111_195


class CaseSystem:
    """Takes webhooks, and trusts none that is not signed."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        told = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                id, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
                digest = hmac.digest(SECRET, f"{id}.{at}.".encode() + body, hashlib.sha256)
                good = f"v1,{base64.b64encode(digest).decode()}" in self.headers["webhook-signature"].split()
                if good and all(one["id"] != id for one in told):
                    told.append({"id": id, **json.loads(body)})
                self.send_response(204 if good else 401)
                self.end_headers()

            def log_message(self, *words: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def types(self) -> list[str]:
        return [one["type"] for one in self.heard]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def cases() -> Iterator[CaseSystem]:
    running = CaseSystem()
    yield running
    running.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, cases: CaseSystem) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("story")
    secret: Path = folder / "webhook-secret.txt"
    secret.write_text("whsec_" + base64.b64encode(SECRET).decode() + "\n")
    secret.chmod(0o600)
    settings = {"city": {"center": list(CENTER)}, "webhook": {"url": cases.url, "secret_file": str(secret)}}
    with Server(folder, settings) as running:
        west, south, side = CENTER[1] - 0.02, CENTER[0] - 0.02, 0.04
        ring = [[west, south], [west + side, south], [west + side, south + side], [west, south + side], [west, south]]
        grid = {"type": "Feature", "properties": {"id": "g1", "name": "鼓楼网格", "level": "grid", "street": "东街"},
                "geometry": {"type": "Polygon", "coordinates": [ring]}}  # fmt: skip
        assert running.api("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": [grid]}).status < 300
        yield running


class Phone:
    """A person's phone, joined by the code that a seat has made."""

    def __init__(self, browser: Browser, server: Server, name: str, place: tuple[float, float]) -> None:
        self.server = server
        self.base = f"http://127.0.0.1:{server.ports['field']}"
        made = server.api("POST", "/api/v1/units", {"name": name, "grid": "g1"}).json["units"]
        self.unit = str(made[0]["id"])
        offer = server.api("POST", f"/api/v1/units/{self.unit}/enrolment", {"app": "handheld", "base": self.base}).json
        self.page: Page = browser.page(390, 844, phone=True)
        browser.send("Browser.grantPermissions", origin=self.base, browserContextId=self.page.context,
                     permissions=["geolocation"])  # fmt: skip
        self.stand(*place)
        self.page.goto(offer["link"])
        self.wait("document.getElementById('go')?.disabled === false && document.getElementById('code-box').hidden")
        self.page.click("#go")
        self.wait("document.querySelector('a.open[href=\"/work\"]')")
        self.page.click('a.open[href="/work"]')
        self.wait(ONLINE)
        self.page.run("document.querySelector('.empty .good')?.click()")
        self.wait("gridbeatWork.duty.on")
        self.stand(*place)  # where one was before is nobody's business
        until("he is on the map", lambda: server.get(f"/api/v1/units/{self.unit}")["position"])

    def stand(self, latitude: float, longitude: float) -> None:
        self.place = latitude, longitude
        self.page.send("Emulation.setGeolocationOverride", latitude=latitude, longitude=longitude, accuracy=5)

    def walk(self, to: tuple[float, float], until_then: Callable[[], object], metres: float = 10) -> None:
        """A step each second, and standing there, until something is seen."""
        end = time.monotonic() + 180
        while not until_then():
            assert time.monotonic() < end, "nobody has seen it"
            away = [(there - here) / METRE for here, there in zip(self.place, to, strict=True)]
            far = max(map(abs, away))
            part = min(1.0, metres / far) if far else 1.0
            here = [one + (there - one) * part for one, there in zip(self.place, to, strict=True)]
            self.stand(*(here if far > 0.5 else self._wobble(to)))
            time.sleep(1)

    def _wobble(self, to: tuple[float, float]) -> tuple[float, float]:
        """A browser tells nothing of whoever does not move at all."""
        return to[0] + (time.time() % 2 - 1) * METRE, to[1]

    def wait(self, condition: str) -> Any:
        return self.page.wait(f"!!({condition})")

    def tap(self, selector: str) -> None:
        quoted = json.dumps(selector)
        self.wait(f"document.querySelector({quoted})")
        self.page.run(f"document.querySelector({quoted}).scrollIntoView({{block: 'center'}})")
        self.page.click(selector)

    def answer(self, id: str) -> None:
        """The first word of the kind, with a photo."""
        self.page.run(f"void (location.hash = 'answer/{id}')")
        self.wait("document.body.dataset.screen === 'answer'")
        self.tap(".words label:first-child span")
        self.page.run(PHOTO.replace("SCREEN", "answer"))
        self.wait("document.querySelectorAll('.shot').length === 1")
        self.tap("#acts .good")

    def network(self, on: bool) -> None:
        self.page.send(
            "Network.emulateNetworkConditions", offline=not on, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )


def asks(server: Server, key: str, place: tuple[float, float]) -> dict[str, Any]:
    """The case system, which may ask twice."""
    wanted = {"kind": "verify", "klass": "0101", "lat": place[0], "lon": place[1], "crs": "wgs84",
              "address": "东街1号", "text": "井盖缺失", "source": "案件系统"}  # fmt: skip
    answers = [server.api("POST", "/api/v1/tasks", wanted, {"idempotency-key": key}) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 200]
    made: dict[str, Any] = answers[0].json
    assert answers[1].json["id"] == made["id"]
    return made


def task(server: Server, id: str) -> dict[str, Any]:
    found: dict[str, Any] = server.get(f"/api/v1/tasks/{id}")
    return found


def holder(server: Server, id: str) -> str:
    held = task(server, id)["holder"]
    return "" if held is None else str(held["state"])


def seat(browser: Browser, server: Server) -> Page:
    page = browser.page(1366, 768)
    base = f"http://127.0.0.1:{server.ports['console']}"
    page.send("Network.setCookie", name="session", value=server.session, url=base)
    page.goto(f"{base}/login")
    page.run("localStorage.setItem('gridbeat', '{\"language\":\"zh\"}')")
    page.goto(f"{base}/")
    page.wait("window.gridbeat && gridbeat.feed.live")
    return page


def test_from_the_case_system_to_the_street_and_back(
    browser: Browser, server: Server, cases: CaseSystem, tmp_path: Path
) -> None:
    near = Phone(browser, server, "王芳", (CENTER[0] + 130 * METRE, CENTER[1]))
    far = Phone(browser, server, "李强", (CENTER[0] - 1100 * METRE, CENTER[1]))
    console = seat(browser, server)
    id = asks(server, "case-2026-1", CENTER)["id"]
    near.wait("!document.getElementById('offer').hidden")
    near.wait("gridbeatWork.alarm.rung > 0")
    console.wait("document.getElementById('tasks-count').textContent === '1'")
    console.click("#tab-tasks")
    console.wait("document.getElementById('task-rows').innerText.includes('东街1号')")
    near.tap(".offer .yes")
    until("accepted", lambda: holder(server, id) == "accepted")
    near.walk(CENTER, lambda: holder(server, id) == "on_scene")
    near.answer(id)
    until("closed", lambda: task(server, id)["state"] == "closed")
    found = task(server, id)
    assert (found["result"]["word"], found["result"]["unit"], found["result"]["marks"]) == ("exist", near.unit, [])
    whats = [event["what"] for event in found["events"]]
    assert [what for what in whats if what not in ("photo", "mark")] == [
        "task", "offer", "deliver", "accept", "depart", "arrive", "report", "finish", "close",
    ]  # fmt: skip
    until("the case system knows", lambda: cases.types and cases.types[-1] == "task.closed")
    assert [one for one in cases.types if one != "task.overdue"] == [
        "task.created", "task.assigned", "task.accepted", "task.arrived", "task.result", "task.closed",
    ]  # fmt: skip
    (decision,) = server.get(f"/api/v1/tasks/{id}/decisions")["decisions"]
    assert (decision["chosen"], decision["recomputed"], decision["same"]) == (near.unit, near.unit, True)
    (sha,) = found["result"]["photos"]
    copy = server.ask("GET", f"/api/v1/photos/{sha}", None, {"authorization": f"Bearer {server.session}"})
    assert (copy.status, copy.body[:3]) == (200, b"\xff\xd8\xff")
    assert near.page.problems == far.page.problems == console.problems == []


def test_a_phone_that_is_offline_in_the_middle(browser: Browser, server: Server, cases: CaseSystem) -> None:
    del cases.heard[:]
    place = (CENTER[0] + 900 * METRE, CENTER[1] + 900 * METRE)
    phone = Phone(browser, server, "赵敏", (place[0] + 60 * METRE, place[1]))
    id = asks(server, "case-2026-2", place)["id"]
    phone.wait("!document.getElementById('offer').hidden")
    phone.tap(".offer .yes")
    until("accepted", lambda: holder(server, id) in ("accepted", "en_route"))
    phone.network(False)
    phone.wait("gridbeatWork.link.status === 'offline'")
    began = time.monotonic()
    phone.walk(place, lambda: time.monotonic() - began > 35)
    phone.answer(id)
    assert task(server, id)["state"] == "in_progress", "nobody knows yet"
    phone.network(True)
    until("closed", lambda: task(server, id)["state"] == "closed")
    found = task(server, id)
    assert [event["what"] for event in found["events"]].count("report") == 1
    assert found["result"]["marks"] == [], "where he was came too"
    until("the case system knows", lambda: cases.types and cases.types[-1] == "task.closed")
    assert cases.types.count("task.result") == 1
