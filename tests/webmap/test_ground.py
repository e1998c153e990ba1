"""Base maps of pictures in a real browser over a real server: what is drawn lies on what the pictures show.

Each picture has squares of colour at the corners of a grid and at a unit's place. The page is photographed with
everything of ours hidden, the squares are looked for, and must be where our own drawing puts those places.
"""

from __future__ import annotations

import json
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser import Browser, Page
from tests.server import Server, until
from tests.tiles import Colour, Picture, make_mbtiles, make_pmtiles, pixel
from tests.webmap.devices import now_ms, phone_report
from tracker.coordinates import wgs84_to_gcj02

pytestmark = pytest.mark.browser

SOUTH, WEST, NORTH, EAST = 31.2300, 121.4700, 31.2362, 121.4772
UNIT = (31.2333, 121.4741)
PLACES: dict[Colour, tuple[float, float]] = {
    (255, 0, 40): (SOUTH, WEST),
    (255, 0, 120): (SOUTH, EAST),
    (255, 0, 200): (NORTH, EAST),
    (200, 120, 0): (NORTH, WEST),
    (0, 40, 255): UNIT,
}
HALF = 6  # pixels of a square on each side of its middle
ZOOM = 16
SIZES = [(1366, 768, False), (390, 844, True)]
BASEMAPS = {"mbtiles": "0", "pmtiles": "1", "gcj02": "2"}
"""The numbers in the settings of those that are compared."""

Shift = Callable[[float, float], tuple[float, float]]


def draw(zoom: int, x: int, y: int, shift: Shift) -> bytes:
    picture = Picture(zoom, x, y)
    for colour, place in PLACES.items():
        picture.mark(*shift(*place), colour, HALF)
    return picture.png()


class TileServer:
    """Serves pictures in GCJ-02, or fails when told to; notes who sent the browser."""

    def __init__(self) -> None:
        self.failing = False
        self.referrers: set[str | None] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.referrers.add(self.headers["referer"])
                zoom, x, y = map(int, self.path.strip("/").split("/"))
                body = b"" if outer.failing else draw(zoom, x, y, wgs84_to_gcj02)
                self.send_response(503 if outer.failing else 200)
                self.send_header("content-type", "image/png")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.base = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def tile_server() -> Iterator[TileServer]:
    server = TileServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tile_server: TileServer) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("ground")
    (west, south), (east, north) = (pixel(*place, ZOOM) for place in ((SOUTH, WEST), (NORTH, EAST)))
    columns = range(int(west // 256) - 4, int(east // 256) + 5)
    rows = range(int(north // 256) - 4, int(south // 256) + 5)
    tiles = {(ZOOM, x, y): draw(ZOOM, x, y, lambda *place: place) for x in columns for y in rows}
    make_mbtiles(folder / "city.mbtiles", tiles, attribution="© Town <b>Survey</b>")
    make_pmtiles(folder / "city.pmtiles", tiles)
    basemaps = [
        {"kind": "mbtiles", "file": "city.mbtiles"},
        {"kind": "pmtiles", "file": "city.pmtiles", "name": "Aerial", "imagery": True},
        {
            "kind": "xyz", "url": f"{tile_server.base}/{{z}}/{{x}}/{{y}}", "coordinates": "gcj02", "name": "Shifted",
            "attribution": "© Maps https://maps.example/licence",
        },
    ]  # fmt: skip
    with Server(folder, {"basemap": basemaps}) as running:
        ring = [[WEST, SOUTH], [EAST, SOUTH], [EAST, NORTH], [WEST, NORTH], [WEST, SOUTH]]
        grid = {"type": "Feature", "properties": {"id": "g1"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        assert running.api("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": [grid]}).status == 201
        device = running.register("osmand", name="Walker", grid="g1")
        answer = phone_report(running, device["external_id"], timestamp=now_ms(), lat=UNIT[0], lon=UNIT[1])
        assert answer.status == 200
        yield running


def enter(page: Page, server: Server, ground: str | None = None, **prefs: Any) -> Page:
    base = f"http://127.0.0.1:{server.ports['console']}"
    name, password = server.login
    page.goto(f"{base}/login")
    page.run(
        "fetch('/api/v1/login', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: "
        f"{json.dumps(json.dumps({'name': name, 'password': password}))}}}).then(answer => answer.status)"
    )
    middle = [(SOUTH + NORTH) / 2, (WEST + EAST) / 2, ZOOM]
    kept = {"language": "en", "view": middle, **({"ground": ground} if ground else {}), **prefs}
    page.run(f"localStorage.setItem('gridbeat', {json.dumps(json.dumps(kept))})")
    page.goto(f"{base}/")
    page.wait("window.gridbeat && gridbeat.feed.live && gridbeat.grids.all.size === 1")
    page.wait("gridbeat.unitsLayer.drawn.length === 1")
    return page


def came(page: Page) -> None:
    page.wait(
        "(t => t.length > 3 && t.every(one => one.classList.contains('leaflet-tile-loaded') &&"
        " getComputedStyle(one).opacity === '1'))([...document.querySelectorAll('.leaflet-tile')])"
    )


def middles(shot: bytes, ratio: int) -> dict[Colour, tuple[float, float]]:
    """Where the squares are in a picture of the page, in the window's pixels."""
    width, rows, step = unpacked(shot)
    found: dict[Colour, list[tuple[int, int]]] = {colour: [] for colour in PLACES}
    for y, row in enumerate(rows):
        for x in range(width):
            colour = (row[x * step], row[x * step + 1], row[x * step + 2])
            if colour in found:
                found[colour].append((x, y))
    return {
        colour: tuple((min(axis) + max(axis) + 1) / 2 / ratio for axis in zip(*points, strict=True))
        for colour, points in found.items()
        if len(points) >= (2 * HALF * ratio) ** 2 * 0.8
    }


def unpacked(data: bytes) -> tuple[int, list[bytearray], int]:
    """Width, rows and bytes per pixel of a PNG as Chromium writes it (8 bits, not interlaced)."""
    assert data.startswith(b"\x89PNG")
    packed, at, width, step = b"", 8, 0, 4
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if name == b"IHDR":
            width, _, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            assert (depth, interlaced) == (8, 0)
            step = {2: 3, 6: 4}[kind]
        elif name == b"IDAT":
            packed += body
        at += length + 12
    raw, rows = zlib.decompress(packed), []
    before = bytearray(width * step)
    for start in range(0, len(raw), width * step + 1):
        row = bytearray(raw[start + 1 : start + 1 + width * step])
        _unfilter(raw[start], row, before, step)
        rows.append(row)
        before = row
    return width, rows, step


def _unfilter(kind: int, row: bytearray, above: bytearray, step: int) -> None:
    for i in range(len(row)):
        left = row[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        if kind == 1:
            add = left
        elif kind == 2:
            add = above[i]
        elif kind == 3:
            add = (left + above[i]) // 2
        elif kind == 4:
            guess = left + above[i] - corner
            add = min((left, above[i], corner), key=lambda one: abs(guess - one))
        else:
            return
        row[i] = (row[i] + add) & 0xFF


def ours(page: Page) -> dict[Colour, tuple[float, float]]:
    """Where our own drawing has those places, in the window's pixels: the ring of the grid and the unit's sign."""
    found = page.run(
        "(() => { const { map, grids, unitsLayer } = gridbeat, box = map.getContainer().getBoundingClientRect();"
        " const corner = map.getPixelBounds().min, scale = 256 * 2 ** map.getZoom();"
        " const ring = grids.all.get('g1').rings[0], at = [0, 1, 2, 3].map(i =>"
        " [box.x + ring[2 * i] * scale - corner.x, box.y + ring[2 * i + 1] * scale - corner.y]);"
        " const sign = unitsLayer.placeOf(unitsLayer.drawn[0].unit.id);"
        " return [...at, [box.x + sign.x, box.y + sign.y]]; })()"
    )
    return dict(zip(PLACES, [(x, y) for x, y in found], strict=True))


def painted(page: Page) -> bool:
    """Whether there is paint of the grids at each of its corners."""
    there: bool = page.run(
        "(() => { const { grids } = gridbeat; const layer = Object.values(gridbeat.map._layers)"
        ".find(one => one.paneName === 'gb-grids'), { view, canvas } = layer, ring = grids.all.get('g1').rings[0];"
        " const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });"
        " const ctx = copy.getContext('2d', { willReadFrequently: true }); ctx.drawImage(canvas, 0, 0);"
        " return [0, 1, 2, 3].every(i => ctx.getImageData((ring[2 * i] * view.scale - view.left) * view.ratio - 1,"
        " (ring[2 * i + 1] * view.scale - view.top) * view.ratio - 1, 3, 3).data.some(value => value > 0)); })()"
    )
    return there


def compare(page: Page, folder: Path, name: str, ratio: int) -> None:
    came(page)
    page.wait("gridbeat.unitsLayer.drawn.length === 1 && !gridbeat.map._animatingZoom")
    page.screenshot(folder / f"{name}.png")
    assert painted(page)
    wanted = ours(page)
    everything = "for (const one of document.querySelectorAll('.stage, .panel, .leaflet-pane[class*=gb-]'))"
    page.run(f"{everything} one.style.visibility = 'hidden'")
    page.screenshot(folder / f"{name}-tiles.png")
    page.run(f"{everything} one.style.visibility = ''")
    shown = middles((folder / f"{name}-tiles.png").read_bytes(), ratio)
    assert shown.keys() == wanted.keys()
    for colour, (x, y) in wanted.items():
        assert shown[colour] == pytest.approx((x, y), abs=1.5), (name, colour)


@pytest.mark.parametrize(("width", "height", "phone"), SIZES)
def test_what_is_drawn_lies_on_the_pictures(
    browser: Browser, server: Server, tmp_path: Path, width: int, height: int, phone: bool
) -> None:
    page = enter(browser.page(width, height, phone=phone), server, BASEMAPS["gcj02"])
    for name in ("gcj02", "mbtiles", "pmtiles", "gcj02"):  # there and back: the plane is changed under a live map
        page.run(f"gridbeat.basemaps.choose('{BASEMAPS[name]}')")
        assert page.run("gridbeat.plane.system") == ("gcj02" if name == "gcj02" else "wgs84")
        compare(page, tmp_path, f"{name}-{width}", 2 if phone else 1)
    assert page.problems == []
    page.close()


def test_clicks_and_boxes_are_wgs84_on_a_shifted_map(browser: Browser, server: Server) -> None:
    page = enter(browser.page(), server, BASEMAPS["gcj02"])
    x, y = ours(page)[(0, 40, 255)]
    page.click_at(x, y)
    page.wait("gridbeat.view.unit?.name === 'Walker'")
    back = page.run(
        "(() => { const box = gridbeat.map.getContainer().getBoundingClientRect();"
        f" const at = gridbeat.map.containerPointToLatLng([{x} - box.x, {y} - box.y]); return [at.lat, at.lng]; }})()"
    )
    assert back == pytest.approx(UNIT, abs=1e-5)
    page.run("gridbeat.view.select(gridbeat.view.selected, {again: true, center: true})")
    page.wait(
        f"!gridbeat.map._panAnim?._inProgress && Math.abs(gridbeat.map.getCenter().lat - {UNIT[0]}) < 1e-4"
        f" && Math.abs(gridbeat.map.getCenter().lng - {UNIT[1]}) < 1e-4"
    )
    south, west, north, east = page.run("gridbeat.mapView.box()")
    assert (south + north) / 2 == pytest.approx(UNIT[0], abs=5e-4)
    assert (west + east) / 2 == pytest.approx(UNIT[1], abs=5e-4)
    # what is remembered is WGS-84 too: the same place with and without the shift
    center = page.run("(c => [c.lat, c.lng])(gridbeat.map.getCenter())")
    page.key("b")
    page.wait("gridbeat.basemaps.shown === null && gridbeat.plane.system === 'wgs84'")
    assert page.run("(c => [c.lat, c.lng])(gridbeat.map.getCenter())") == pytest.approx(center, abs=4e-5)
    page.close()


def test_the_shift_in_the_browser_is_that_of_the_server(browser: Browser, server: Server) -> None:
    chance = Random(7)
    places = [(31.1774276, 121.5272106), (39.911954, 116.377817), (22.543847, 113.912316), (48.85, 2.35), (0.5, 100.0)]
    places += [(chance.uniform(1.0, 55.5), chance.uniform(72.1, 137.7)) for _ in range(300)]
    page = enter(browser.page(), server)
    there, back = page.run(
        f"import('/static/projection.js').then(m => {{ const there = {json.dumps(places)}.map(p => m.toGcj02(...p));"
        " return [there, there.map(p => m.fromGcj02(...p))]; })"
    )
    assert there[0] == pytest.approx((31.17530398364597, 121.531541859215), abs=1e-12)
    assert there[2] == pytest.approx((22.540796131694766, 113.9171764808363), abs=1e-12)
    assert there[3] == list(places[3])
    for place, shifted, again in zip(places, there, back, strict=True):
        assert shifted == pytest.approx(wgs84_to_gcj02(*place), abs=1e-9)
        assert again == pytest.approx(place, abs=1e-7)
    page.close()


def test_the_switch_the_credit_and_who_is_asked(browser: Browser, server: Server, tile_server: TileServer) -> None:
    page = enter(browser.page(), server)
    came(page)
    # a photograph of a surveyed town asks nobody, and its maker's words are text
    assert page.run("document.getElementById('credit').textContent") == "© Town Survey"
    page.click("#ground")
    words = "[...document.querySelectorAll('.ground-item')].map(one => one.textContent)"
    assert page.run(words) == ["Base map 1", "Aerial", "Shifted", "Grids alone"]
    page.click(".ground-item[data-ground='2']")
    page.wait("document.getElementById('ground-menu').hidden && gridbeat.basemaps.shown.id === '2'")
    came(page)
    link = page.run("(a => [a.href, a.textContent, a.rel])(document.querySelector('#credit a'))")
    assert link == ["https://maps.example/licence", "maps.example", "noopener noreferrer"]
    base = f"http://127.0.0.1:{server.ports['console']}"
    assert tile_server.referrers == {f"{base}/"}, "a tile server learns which site, and no more"
    hosts = {urlsplit(address).netloc for address in page.requests if not address.startswith("data:")} - {""}
    assert hosts == {urlsplit(base).netloc, urlsplit(tile_server.base).netloc}
    page.goto(f"{base}/")
    page.wait("window.gridbeat && gridbeat.basemaps.shown?.id === '2'")
    page.wait("gridbeat.feed.live")
    page.key("l")
    page.wait("document.querySelector('.ground-item:last-child').textContent === '仅网格'")
    page.click("#ground")
    page.click(".ground-item[data-ground='none']")
    page.wait("document.querySelectorAll('.leaflet-tile').length === 0 && document.getElementById('credit').hidden")
    assert page.problems == []
    page.close()


def test_a_base_map_that_does_not_come_is_told_once_and_the_map_goes_on(
    browser: Browser, server: Server, tile_server: TileServer
) -> None:
    tile_server.failing = True
    try:
        page = enter(browser.page(), server, BASEMAPS["gcj02"])
        page.wait("document.getElementById('notice').textContent === 'Base map not reachable: showing grids alone'")
        page.run("document.getElementById('notice').textContent = ''")
        page.run("void gridbeat.map.setZoom(15, {animate: false})")
        page.click_at(*ours(page)[(0, 40, 255)])
        page.wait("gridbeat.view.unit?.name === 'Walker'")
        assert page.run("document.getElementById('notice').textContent") == ""
    finally:
        tile_server.failing = False
    page.run("void gridbeat.map.eachLayer(layer => { layer.redraw(); })")
    page.wait("document.getElementById('notice').textContent === 'The base map is back'")
    page.close()


def test_places_that_a_file_does_not_have_are_no_failure(browser: Browser, server: Server) -> None:
    page = enter(browser.page(), server, BASEMAPS["mbtiles"])
    came(page)
    page.requests.clear()
    page.run("void gridbeat.map.setView([31.9, 121.9], 16, {animate: false})")
    until("places are asked for", lambda: sum("/tiles/0/16/" in one for one in page.requests) > 3)
    page.run("new Promise(done => setTimeout(done, 500))")
    assert page.run("gridbeat.basemaps.away") is False
    assert page.problems == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_are_dimmed_at_night_alone(browser: Browser, server: Server, scheme: str) -> None:
    page = enter(browser.page(prefers_color_scheme=scheme), server)
    looks = "getComputedStyle(gridbeat.map.getPane('tilePane')).filter"
    for number, dark in (("0", "invert(1)"), ("1", "brightness(0.6)")):
        page.run(f"gridbeat.basemaps.choose('{number}')")
        assert (dark in page.run(looks)) == (scheme == "dark")
    page.close()
