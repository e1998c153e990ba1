"""A town in which thousands move: the server that bench/map.py puts before the browser.

    python -m bench.crowd UNITS spread|burst [leaflet-realtime.js]

Prints its port and serves until its standard input closes. The page, its scripts, the feed and what it says are the
real ones (webmap); only the units are made up: people and cars who go to and fro on the demo town's streets, each of
them with a new fix every second. *spread* is a city: the feed tells ten times a second what has changed. *burst* has
all of them change at one moment of each second, so that an update is one frame. Each second one unit in a thousand
comes or goes.

Beside the console lie the peers' pages, ``/peers/<name>``, over the same feed: Leaflet's markers (an element of the
page for each), Leaflet's circle markers on its canvas, and folium's plugin Realtime, which asks for GeoJSON each
second, if its script is given (folium links it from elsewhere, and no package of Python's has it).
"""

from __future__ import annotations

import json
import mimetypes
import sys
import time
from pathlib import Path
from typing import Any

import folium
import numpy as np
from folium.plugins import Realtime
from folium.utilities import JsCode
from klein import Klein
from twisted.internet import reactor as running_reactor
from twisted.internet import stdio, task
from twisted.internet.protocol import Protocol
from twisted.web.server import Site
from xstatic.pkg import leaflet

from simulator.city import make_city
from webmap.changes import Brief
from webmap.feed import Feed
from webmap.feeds import Alike
from webmap.page import CONTENT_SECURITY_POLICY, STATIC, PageSettings, build_page
from webmap.rights import Role, Who
from webmap.websocket import FeedSockets

reactor: Any = running_reactor  # its interface is the union of many
PEERS = Path(__file__).with_name("peers")
SESSION = "of-the-crowd"
PARTS = 10
"""Frames of the feed in a second."""
TURNING = 0.001
ONLINE, STALE = 0, 2
SURNAMES, GIVEN = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂文云华"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Crowd:
    """Units that go to and fro on pieces of street; every tenth is a car."""

    def __init__(self, number: int) -> None:
        self.city = make_city()
        chance = np.random.default_rng(11)
        edges = [edge for edge in self.city.streets.edges if edge.in_town and edge.length > 60]
        weights = np.array([edge.length for edge in edges])
        chosen = [edges[n] for n in chance.choice(len(edges), number, p=weights / weights.sum())]
        self.ends = np.array([[*map(self.city.projection.degrees, (e.path[0], e.path[-1]))] for e in chosen])
        self.length = np.array([edge.length for edge in chosen])
        self.car = np.arange(number) % 10 == 9
        self.speed = np.where(self.car, 8.0, 1.3) * chance.uniform(0.7, 1.3, number)
        self.start = chance.uniform(0, 2, number) * self.length
        way = self.ends[:, 1] - self.ends[:, 0]
        self.heading = np.degrees(np.arctan2(way[:, 1] * np.cos(np.radians(30.66)), way[:, 0])) % 360
        self.state = np.where(chance.random(number) < 0.04, STALE, ONLINE)
        self.ids = [f"u{n:05d}" for n in range(number)]
        self.began = time.monotonic()
        self.rows: dict[str, tuple[Any, Any, Brief, list[Any]]] = {}
        self.chance = chance
        self.grids = self.city.grid_ids
        self.roster = json.dumps({unit: self.about(n) for n, unit in enumerate(self.ids)}, ensure_ascii=False)
        self.move(range(number))

    def about(self, n: int) -> dict[str, Any]:
        person = self.city.people[n % len(self.city.people)]
        name = SURNAMES[n % 20] + GIVEN[n // 20 % 25] + GIVEN[n // 7 % 25]
        return {
            "name": f"{name} {n}", "kind": "vehicle" if self.car[n] else "person", "team": person.team.zh,
            "street": person.street.zh, "grid": person.grid, "device_protocol": "handheld",
        }  # fmt: skip

    def move(self, numbers: Any) -> list[str]:
        """The units that have a new fix now; answers their ids."""
        chosen, now = np.asarray(numbers), now_ms()
        turned = chosen[self.chance.random(len(chosen)) < TURNING]
        self.state[turned] = np.where(self.state[turned] == ONLINE, STALE, ONLINE)
        length = self.length[chosen]
        along = (self.start[chosen] + self.speed[chosen] * (time.monotonic() - self.began)) % (2 * length)
        back = along > length
        share = np.where(back, 2 * length - along, along) / length
        a, b = self.ends[chosen, 0], self.ends[chosen, 1]
        places = np.round(a + (b - a) * share[:, None], 7).tolist()
        headings = np.round((self.heading[chosen] + 180 * back) % 360).astype(int).tolist()
        speeds = np.round(self.speed[chosen], 2).tolist()
        told = []
        for n, (latitude, longitude), course, speed, state in zip(
            chosen.tolist(), places, headings, speeds, self.state[chosen].tolist(), strict=True
        ):
            unit = self.ids[n]
            values = [
                unit,
                latitude,
                longitude,
                course,
                speed,
                state,
                now,
                now,
                5.0,
                0,
                80,
                self.grids[n % 25],
                None,
                0,
            ]
            self.rows[unit] = (latitude, longitude, (state, 0), values)
            told.append(unit)
        return told

    def geojson(self) -> bytes:
        """All units as folium's plugin wants them."""
        features = [
            {
                "type": "Feature",
                "properties": {"id": unit},
                "geometry": {"type": "Point", "coordinates": [row[1], row[0]]},
            }
            for unit, row in self.rows.items()
        ]
        return json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":")).encode()


def realtime_page(centre: tuple[float, float]) -> bytes:
    """What folium makes with its plugin at its quickest: circle markers on one canvas."""
    page = folium.Map(location=list(centre), zoom_start=14, tiles=None, prefer_canvas=True)
    page.default_js = [("leaflet", "/peers/leaflet.js")]
    page.default_css = [("leaflet_css", "/peers/leaflet.css")]
    layer = Realtime(
        "/peers/units.geojson",
        interval=1000,
        get_feature_id=JsCode("(feature) => feature.properties.id"),
        point_to_layer=JsCode("(feature, place) => L.circleMarker(place, {radius: 4, weight: 1})"),
    )
    layer.default_js = [("realtime", "/peers/leaflet-realtime.js")]
    page.add_child(layer)
    whole: str = page.get_root().render()
    return whole.replace("</html>", '<script src="/peers/watch_realtime.js"></script></html>').encode()


def peer_page(name: str) -> bytes:
    return (
        '<!DOCTYPE html><meta charset="utf-8"><link rel="stylesheet" href="/peers/leaflet.css">'
        '<style>html,body,#map{height:100%;margin:0}</style><div id="map"></div>'
        '<script src="/peers/leaflet.js"></script>'
        f'<script src="/peers/feed_to_leaflet.js" data-peer="{name}"></script>'
    ).encode()


def make_app(crowd: Crowd, sockets: FeedSockets, realtime: Path | None) -> Klein:
    """The console's routes as far as its map needs them, and the peers'."""
    app = Klein()
    page = build_page(PageSettings(center=crowd.city.centre))
    areas = {"type": "FeatureCollection", "features": [*crowd.city.grids["features"], *crowd.city.cells["features"]]}
    answers = {"grids": areas, "basemap": crowd.city.basemap}
    files = {name: Path(leaflet.BASE_DIR) / name for name in ("leaflet.js", "leaflet.css")}
    files |= {path.name: path for path in PEERS.glob("*.js")} | ({"leaflet-realtime.js": realtime} if realtime else {})

    def content(request: Any, body: bytes, kind: str) -> bytes:
        request.setHeader("Content-Type", kind)
        return body

    def html(request: Any, body: bytes) -> bytes:
        request.addCookie("session", SESSION, path="/", httpOnly=True)
        return content(request, body, "text/html; charset=utf-8")

    def file(request: Any, path: Path) -> bytes:
        return content(request, path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream")

    @app.route("/")
    def console(request: Any) -> bytes:
        request.setHeader("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        return html(request, page.html)

    @app.route("/assets/<path:name>")
    def asset(request: Any, name: str) -> bytes:
        return content(request, *page.files[f"/assets/{name}"])

    @app.route("/static/<name>")
    def static(request: Any, name: str) -> bytes:
        return file(request, STATIC / name)

    @app.route("/feed")
    def feed(request: Any) -> Any:
        return sockets.as_resource()

    @app.route("/favicon.ico")
    def icon(request: Any) -> bytes:
        return file(request, STATIC / "icon.svg")

    @app.route("/api/v1/<path:name>")
    def api(request: Any, name: str) -> bytes:
        found = answers.get(name, {"points": [], "commands": [], "warnings": []})
        return content(request, json.dumps(found, ensure_ascii=False).encode(), "application/json")

    @app.route("/peers/<name>")
    def peer(request: Any, name: str) -> bytes:
        if name == "units.geojson":
            return content(request, crowd.geojson(), "application/json")
        if name in files:
            return file(request, files[name])
        return html(request, realtime_page(crowd.city.centre) if name == "realtime" else peer_page(name))

    return app


class UntilInputCloses(Protocol):
    def connectionLost(self, reason: Any = None) -> None:
        if reactor.running:
            reactor.stop()


def main(units: str, pace: str, realtime: str = "") -> None:
    crowd = Crowd(int(units))
    hello = {"city": {"name": crowd.city.name.zh, "center": crowd.city.centre, "zone": "Asia/Shanghai"}}
    feed = Feed("crowd", crowd.rows.__getitem__, lambda: (1, crowd.roster), lambda now: hello)
    who = Who("bench", Role.ADMIN)
    sockets = FeedSockets(Alike(feed), lambda session: who, lambda: 0, now_ms, (), reactor)
    sockets.startFactory()
    parts = [range(n, len(crowd.ids), PARTS) for n in range(PARTS)] if pace == "spread" else [range(len(crowd.ids))]
    turn = 0

    def step() -> None:
        nonlocal turn
        feed.update(crowd.move(parts[turn % len(parts)]))
        turn += 1

    feed.update(crowd.ids)
    sockets.start()
    task.LoopingCall(step).start(1 / len(parts))
    site = Site(make_app(crowd, sockets, Path(realtime) if realtime else None).resource())
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    stdio.StandardIO(UntilInputCloses())
    print(port.getHost().port, flush=True)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
