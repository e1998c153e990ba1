"""The collector's page on the field's site of a real server: from the scanned code to somebody on duty."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator

import pytest

from tests.browser import Browser
from tests.server import Server, until
from tests.tiles import make_mbtiles, png
from tests.webmap.phone_page import ONLINE
from webmap.page import STATIC
from webmap.work_site import FILES


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("work")
    make_mbtiles(folder / "city.mbtiles", {(0, 0, 0): png(256, lambda x, y: (x, y, 0))}, attribution="© Town")
    elsewhere = {"kind": "xyz", "url": "https://tiles.example/{z}/{x}/{y}.png"}
    with Server(folder, {"basemap": [{"kind": "mbtiles", "file": "city.mbtiles"}, elsewhere]}) as running:
        yield running


def test_every_file_that_the_page_loads_is_there_and_no_other(server: Server) -> None:
    page = server.ask("GET", "/work", port="field")
    assert page.status == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "img-src 'self' blob: https://tiles.example;" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    wanted = {link.decode() for link in re.findall(rb'(?:href|src)="(/work/[^"]+)"', page.body)}
    modules = [name for name in FILES if name.endswith(".js")]
    for name in modules:
        source = (STATIC / name).read_text("utf-8")
        wanted |= {f"/work/{other}" for other in re.findall(r'(?:from|import) "\./([^"]+)"', source)}
    assert len(wanted) > 40
    assert {f"/work/{name}" for name in modules} - wanted == set(), "nothing is there that nobody loads"
    for path in sorted(wanted):
        assert server.ask("GET", path, port="field").status == 200, path
    worker = server.ask("GET", "/work/sw.js", port="field")
    assert worker.headers["service-worker-allowed"] == "/work"
    kept = set(json.loads(re.findall(rb"FILES = (.*);", worker.body)[0]))
    assert wanted | {"/work"} <= kept | {"/work/manifest.webmanifest"}
    manifest = json.loads(server.ask("GET", "/work/manifest.webmanifest", port="field").body)
    assert all(server.ask("GET", icon["src"], port="field").status == 200 for icon in manifest["icons"])
    for path in ("/work/api.js", "/work/app.js", "/work/..%2fapi.js", "/work/sw.js/x", "/work/nothing"):
        assert server.ask("GET", path, port="field").status == 404, path


def test_the_ground_is_for_those_who_have_a_token(server: Server) -> None:
    device = server.register("handheld", "grounded")
    for name in ("basemap", "grids", "tiles/0/0/0/0"):
        assert server.ask("GET", f"/work/{name}", port="field").status == 401
        wrong = {"authorization": "Basic " + base64.b64encode(b"grounded:wrong").decode()}
        assert server.ask("GET", f"/work/{name}", headers=wrong, port="field").status == 401
    right = {"authorization": "Basic " + base64.b64encode(f"grounded:{device['token']}".encode()).decode()}
    ground = server.ask("GET", "/work/basemap", headers=right, port="field")
    assert ground.json["type"] == "FeatureCollection"
    assert server.ask(
        "GET", "/work/basemap", headers={**right, "if-none-match": ground.headers["etag"]}, port="field"
    ).status == 304  # fmt: skip
    grids = server.ask("GET", "/work/grids", headers=right, port="field").json
    assert len(grids["center"]) == 2
    assert grids["grids"]["type"] == "FeatureCollection"
    assert [one["attribution"] for one in grids["maps"]] == ["© Town", ""]
    assert grids["maps"][0]["layers"][0]["url"].startswith("/tiles/0/{z}/")
    tile = server.ask("GET", "/work/tiles/0/0/0/0", headers=right, port="field")
    assert (tile.status, tile.headers["content-type"]) == (200, "image/png")


@pytest.mark.browser
def test_a_scanned_code_makes_a_browser_somebodys_phone(server: Server, browser: Browser) -> None:
    field = f"http://127.0.0.1:{server.ports['field']}"
    unit = server.api("POST", "/api/v1/units", {"name": "王芳", "duty": "events"}).json["units"][0]["id"]
    offer = server.api("POST", f"/api/v1/units/{unit}/enrolment", {"app": "handheld", "base": field}).json
    page = browser.page(390, 844, phone=True)
    page.goto(offer["link"])
    page.wait("document.getElementById('code-box').hidden")
    page.click("#go")
    page.wait("document.querySelector('a.open')?.getAttribute('href') === '/work'")
    page.click("a.open")
    page.wait(ONLINE)
    page.wait("gridbeatWork.link.name === '王芳' && gridbeatWork.tasks.words.version !== undefined")
    page.click(".empty .good")
    until("she is on duty", lambda: server.get(f"/api/v1/units/{unit}")["duty"]["on"] is True)
    page.wait("gridbeatWork.outbox.made.length === 0")
    assert page.problems == []
    page.close()
