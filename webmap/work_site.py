"""The collector's page on the field's site: ``/work``, its few files, and the city's ground for its map.

Nobody needs a login for the files: what makes a phone somebody's is its token, which the page has from ``/join``. With
it, as Basic auth, it asks for the ground and the grids. The service worker keeps the files, so that the page opens
where there is no network; which files, and of which edition, is written above its source here.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Protocol

from klein import Klein
from twisted.web.pages import notFound
from xstatic.pkg import leaflet

from webmap.basemaps import hosts
from webmap.front import Front
from webmap.page import STATIC, policy
from webmap.reach import own_grid
from webmap.rights import Action, Role, Who
from webmap.routes import header_of, told
from webmap.services import Services
from webmap.tiles import Tiles
from webmap.upload_site import device_of
from webmap.views import AreasText

_JS, _CSS, _PNG = "text/javascript; charset=utf-8", "text/css; charset=utf-8", "image/png"
_PARTS = (
    "alarm", "answer", "card", "client", "duty", "ground", "health", "identity", "ids", "link", "list", "map", "me",
    "msgpack", "notices", "offer", "outbox", "parts", "photos", "pictures", "position", "problem", "queue", "sos",
    "store", "tasks", "uploads", "voice", "way", "words",
)  # fmt: skip
_SHARED = (
    "basemap_layer", "basemaps", "boot", "canvas_layer", "dom", "geo", "grids", "i18n", "labels", "names_layer",
    "prefs", "projection", "sizes", "theme",
)  # fmt: skip
FILES = {
    "work.js": _JS, **{f"work_{name}.js": _JS for name in _PARTS}, **{f"{name}.js": _JS for name in _SHARED},
    **dict.fromkeys(("tokens.css", "work.css", "work_screens.css", "work_alerts.css"), _CSS),
    "icon.svg": "image/svg+xml", "icon-192.png": _PNG, "icon-512.png": _PNG,
}  # fmt: skip
"""All that the page loads besides the library of maps; no other file of the console is here."""
MANIFEST, WORKER, PAGE = "manifest.webmanifest", "sw.js", "/work"


class Ground(Protocol):
    """What the map is made of. Each raises :class:`~webmap.routes.ApiError` for who is no device of ours."""

    @property
    def hosts(self) -> Sequence[str]:
        """Of others, whose pictures the page may ask for."""

    def basemap(self, request: Any) -> bytes:
        """GeoJSON."""

    def grids(self, request: Any) -> bytes:
        """JSON: ``center``, ``own`` (a grid's id), ``grids`` (GeoJSON), ``maps`` (base maps of pictures)."""

    def tile(self, request: Any, number: int, zoom: int, x: int, y: int) -> Awaitable[bytes]:
        """A picture from a file of ours."""


class _Kept:
    """Something as it is served: compressed once, with its digest."""

    def __init__(self, content: bytes, kind: str) -> None:
        self.content, self.kind = content, kind
        self.compressed = b"" if kind == _PNG else gzip.compress(content, 6)
        self.tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'

    def send(self, request: Any) -> bytes:
        request.setHeader("content-type", self.kind)
        request.setHeader("cache-control", "no-cache")
        request.setHeader("vary", "accept-encoding")
        request.setHeader("etag", self.tag)
        if self.tag in header_of(request, b"if-none-match"):
            request.setResponseCode(304)
            return b""
        if self.compressed and "gzip" in header_of(request, b"accept-encoding"):
            request.setHeader("content-encoding", "gzip")
            return self.compressed
        return self.content


def make_work(ground: Ground) -> Front:
    """What is put at ``/work`` of the field's site."""
    files = _files()
    html = _Kept((STATIC / "work.html").read_bytes(), "text/html; charset=utf-8")
    # Pictures and sounds that were taken with this phone are shown to who took them.
    rules = policy(("blob:", *ground.hosts)) + "; media-src 'self' blob:"
    app, grounds = Klein(), _Grounds()

    @app.route("/", strict_slashes=False)
    def page(request: Any) -> bytes:
        request.setHeader("content-security-policy", rules)
        return html.send(request)

    async def basemap(request: Any) -> bytes:
        return grounds.send(request, ground.basemap(request))

    async def grids(request: Any) -> bytes:
        return grounds.send(request, ground.grids(request))

    async def tile(request: Any, number: int, zoom: int, x: int, y: int) -> bytes:
        return await ground.tile(request, number, zoom, x, y)

    app.route("/basemap")(told(basemap))
    app.route("/grids")(told(grids))
    app.route("/tiles/<int:number>/<int:zoom>/<int:x>/<int:y>")(told(tile))

    @app.route("/<string:name>")
    def file(request: Any, name: str) -> Any:
        if name not in files:
            return notFound()
        if name == WORKER:
            request.setHeader("service-worker-allowed", PAGE)  # the page's own path has no slash behind it
        return files[name].send(request)

    return Front(app, ())


def _files() -> dict[str, _Kept]:
    """Everything below ``/work/``, by name."""
    found = {name: _Kept((STATIC / name).read_bytes(), kind) for name, kind in FILES.items()}
    for name, kind in (("leaflet.js", _JS), ("leaflet.css", _CSS)):
        found[name] = _Kept((Path(leaflet.BASE_DIR) / name).read_bytes(), kind)
    found[MANIFEST] = _Kept((STATIC / "work.webmanifest").read_bytes(), "application/manifest+json")
    page = (STATIC / "work.html").read_bytes()
    edition = hashlib.sha256(b"".join([page, *(found[name].content for name in sorted(found))])).hexdigest()[:16]
    paths = [PAGE, *(f"{PAGE}/{name}" for name in sorted(found))]
    source = f"const EDITION = {json.dumps(edition)};\nconst FILES = {json.dumps(paths)};\n"
    found[WORKER] = _Kept(source.encode() + (STATIC / "work_sw.js").read_bytes(), _JS)
    return found


class _Grounds:
    """The ground and the grids as they are asked for; what is asked for again is compressed once."""

    LIMIT = 64
    """Of them: the city's ground, and the grids of those who come in the morning; some 10 kB each."""

    def __init__(self) -> None:
        self._kept: dict[bytes, _Kept] = {}

    def send(self, request: Any, content: bytes) -> bytes:
        kept = self._kept.pop(content, None) or _Kept(content, "application/json; charset=utf-8")
        self._kept[content] = kept
        while len(self._kept) > self.LIMIT:
            del self._kept[next(iter(self._kept))]
        return kept.send(request)


class CityGround:
    """The city's ground for any of its handhelds, and to each the grids that its person may see."""

    def __init__(self, services: Services) -> None:
        self._services, self._city = services, services.city
        self._areas = AreasText(services.intake.roster)
        self._tiles = Tiles(self._city.tiles, services.reactor, services.pool)
        self._maps = json.dumps([choice.view() for choice in self._city.basemaps], ensure_ascii=False).encode()
        self.hosts = hosts(self._city.basemaps)

    def basemap(self, request: Any) -> bytes:
        device_of(self._services, request)
        return self._city.basemap

    def grids(self, request: Any) -> bytes:
        who = Who("", Role.COLLECTOR, device_of(self._services, request).unit.id)
        own = own_grid(self._services.intake.roster, who)
        head = json.dumps({"center": self._city.center, "own": own}).encode()
        areas = self._areas(who.scope(Action.GRIDS), own)
        return b"".join((head[:-1], b', "maps": ', self._maps, b', "grids": ', areas, b"}"))

    def tile(self, request: Any, number: int, zoom: int, x: int, y: int) -> Awaitable[bytes]:
        device_of(self._services, request)
        return self._tiles.answer(request, number, zoom, x, y)
