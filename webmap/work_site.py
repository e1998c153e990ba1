"""The collector's page on the field's site: ``/work``, its few files, and the city's ground for its map.

Nobody needs a login for the files: what makes a phone somebody's is its token, which the page has from ``/join``. With
it, as Basic auth, it asks for the ground and the grids. The service worker keeps the files, so that the page opens
where there is no network; which files, and of which edition, is written above its source here.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from klein import Klein
from twisted.web.pages import notFound
from xstatic.pkg import leaflet

from webmap.front import Front
from webmap.page import CONTENT_SECURITY_POLICY, STATIC
from webmap.reach import own_grid
from webmap.rights import Action, Role, Who
from webmap.routes import header_of, told
from webmap.services import Services
from webmap.upload_site import device_of
from webmap.views import AreasText

_JS, _CSS, _PNG = "text/javascript; charset=utf-8", "text/css; charset=utf-8", "image/png"
_PARTS = (
    "alarm", "answer", "card", "client", "duty", "ground", "health", "identity", "ids", "link", "list", "map", "me",
    "msgpack", "offer", "outbox", "parts", "photos", "position", "problem", "queue", "sos", "store", "tasks",
    "uploads", "voice", "way", "words",
)  # fmt: skip
_SHARED = (
    "basemap_layer", "boot", "canvas_layer", "dom", "geo", "grids", "i18n", "labels", "names_layer", "prefs",
    "projection", "sizes", "theme",
)  # fmt: skip
FILES = {
    "work.js": _JS, **{f"work_{name}.js": _JS for name in _PARTS}, **{f"{name}.js": _JS for name in _SHARED},
    **dict.fromkeys(("tokens.css", "work.css", "work_screens.css", "work_alerts.css"), _CSS),
    "icon.svg": "image/svg+xml", "icon-192.png": _PNG, "icon-512.png": _PNG,
}  # fmt: skip
"""All that the page loads besides the library of maps; no other file of the console is here."""
MANIFEST, WORKER, PAGE = "manifest.webmanifest", "sw.js", "/work"

POLICY = CONTENT_SECURITY_POLICY.replace("img-src 'self'", "img-src 'self' blob:") + "; media-src 'self' blob:"
"""Pictures and sounds that were taken with this phone are shown to who took them."""

Ground = Callable[[Any, str], bytes]
"""Answers ``basemap`` (GeoJSON) or ``grids`` to the device that asks; raises :class:`~webmap.routes.ApiError`."""


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
    app, grounds = Klein(), _Grounds(ground)

    @app.route("/", strict_slashes=False)
    def page(request: Any) -> bytes:
        request.setHeader("content-security-policy", POLICY)
        return html.send(request)

    async def shown(request: Any, name: str) -> bytes:
        return grounds(request, name)

    for name in ("basemap", "grids"):
        app.route(f"/{name}", endpoint=name, defaults={"name": name})(told(shown))

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

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._kept: dict[bytes, _Kept] = {}

    def __call__(self, request: Any, name: str) -> bytes:
        content = self._ground(request, name)
        kept = self._kept.pop(content, None) or _Kept(content, "application/json; charset=utf-8")
        self._kept[content] = kept
        while len(self._kept) > self.LIMIT:
            del self._kept[next(iter(self._kept))]
        return kept.send(request)


def ground_of(services: Services) -> Ground:
    """The city's ground for any of its handhelds, and to each the grids that its person may see."""
    roster, city = services.intake.roster, services.city
    areas = AreasText(roster)

    def ground(request: Any, name: str) -> bytes:
        carrier = device_of(services, request)
        if name == "basemap":
            return city.basemap
        who = Who("", Role.COLLECTOR, carrier.unit.id)
        own = own_grid(roster, who)
        head = json.dumps({"center": city.center, "own": own}).encode()
        return head[:-1] + b', "grids": ' + areas(who.scope(Action.GRIDS), own) + b"}"

    return ground
