"""The console's site and the field's site, made from the services."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from typing import Any

from klein import Klein
from twisted.web.pages import notFound
from twisted.web.resource import Resource
from twisted.web.util import Redirect

from tracker.http import BODY_LIMIT, PhoneReports
from tracker.site import CONNECTIONS, BoundedSite
from tracker.websocket import HandheldSockets
from webmap.api import add_api
from webmap.authority_page import FILE, PAGE, AuthorityPage
from webmap.authority_site import AuthorityFiles
from webmap.cookies import SESSION, cookie_of
from webmap.front import Front
from webmap.join_site import make_join
from webmap.page import CONTENT_SECURITY_POLICY, STATIC, PageSettings, build_page
from webmap.pages import PAGES
from webmap.rights import Action
from webmap.routes import Gate
from webmap.services import Services
from webmap.tiles import Tiles
from webmap.websocket import FeedSockets
from webmap.work_site import CityGround, make_work

COMPRESS_FROM = 1024


class _File:
    """A file as it is served: its bytes, compressed once, and its digest."""

    def __init__(self, content: bytes, kind: str) -> None:
        self.content, self.kind = content, kind
        self.compressed = gzip.compress(content, 6) if len(content) > COMPRESS_FROM and kind != "image/png" else None
        self.tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'

    def send(self, request: Any, cache: str, policy: str = CONTENT_SECURITY_POLICY) -> bytes:
        request.setHeader("content-security-policy", policy)
        request.setHeader("content-type", self.kind)
        request.setHeader("cache-control", cache)
        request.setHeader("vary", "accept-encoding")
        request.setHeader("etag", self.tag)
        if self.tag.encode() in (request.getHeader(b"if-none-match") or b""):
            request.setResponseCode(304)
            return b""
        if self.compressed is not None and b"gzip" in (request.getHeader(b"accept-encoding") or b""):
            request.setHeader("content-encoding", "gzip")
            return self.compressed
        return self.content


def _to_login(request: Any, gate: Gate, path: str) -> bytes:
    """The page of somebody who is not signed in; but for a moment after a start nobody can say who is."""
    if not gate.must_wait(cookie_of(request, SESSION)):
        request.redirect(path.encode())
        return b""
    request.setResponseCode(503)
    request.setHeader("retry-after", "2")
    request.setHeader("refresh", "2")
    request.setHeader("content-type", "text/plain; charset=utf-8")
    request.setHeader("cache-control", "no-store")
    return "服务器正在启动，请稍候…\nThe server is starting; one moment…\n".encode()


def _static_files() -> dict[str, _File]:
    files = {}
    for path in STATIC.iterdir():
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        if kind in ("application/javascript", "text/javascript"):
            kind = "text/javascript"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        files[path.name] = _File(path.read_bytes(), kind)
    return files


def make_console(
    services: Services, sockets: FeedSockets, reactor: Any, origins: tuple[str, ...], authority: AuthorityPage
) -> BoundedSite:
    """The intranet's site: pages, feed, API. ``origins`` are accepted besides its own."""
    app = Klein()
    page = build_page(PageSettings(center=services.city.center, basemaps=services.city.basemaps))
    html = _File(page.html, "text/html; charset=utf-8")
    assets = {path: _File(content, kind) for path, (content, kind) in page.files.items()}
    static = _static_files()
    revalidate = "no-cache"

    gate = Gate(services)

    def known(request: Any) -> bool:
        return gate.signed_in(request) is not None

    @app.route("/")
    def console(request: Any) -> bytes:
        if not known(request):
            return _to_login(request, gate, "/login")
        return html.send(request, revalidate, page.policy)

    def put_page(name: str, action: Action) -> None:
        content, policy = page.dressed(static[f"{name}.html"].content)
        file = _File(content, "text/html; charset=utf-8")

        @app.route(f"/{name}", endpoint=name)
        def shown(request: Any) -> bytes:
            who = gate.signed_in(request)
            if who is None:
                return _to_login(request, gate, f"/login?to={name}")
            if not who.may(action):
                request.redirect(b"/")
                return b""
            return file.send(request, revalidate, policy)

    for name, action in PAGES.items():
        put_page(name, action)

    @app.route("/login")
    def login(request: Any) -> bytes:
        return static["login.html"].send(request, revalidate)

    @app.route("/favicon.ico")
    def icon(request: Any) -> bytes:
        return static["icon.svg"].send(request, revalidate)

    @app.route("/assets/<path:name>")
    def asset(request: Any, name: str) -> Any:
        file = assets.get(f"/assets/{name}")
        lasting = revalidate if name.startswith("images/") else "public, max-age=31536000, immutable"
        return notFound() if file is None else file.send(request, lasting)

    @app.route("/static/<string:name>")
    def static_file(request: Any, name: str) -> Any:
        file = static.get(name)
        return notFound() if file is None else file.send(request, revalidate)

    @app.route("/ca")
    def install(request: Any) -> Any:
        return AuthorityFiles(authority)

    @app.route("/ca.crt")
    def authority_file(request: Any) -> Any:
        return AuthorityFiles(authority)

    @app.route("/feed")
    def feed(request: Any) -> Any:
        return sockets.as_resource()

    tiles = Tiles(services.city.tiles, services.reactor, services.pool)

    @app.route("/tiles/<int:number>/<int:zoom>/<int:x>/<int:y>")
    async def tile(request: Any, number: int, zoom: int, x: int, y: int) -> bytes:
        if not known(request):
            request.setResponseCode(401)
            return b""
        return await tiles.answer(request, number, zoom, x, y)

    add_api(app, services, gate)
    return BoundedSite(Front(app, origins), reactor, body_limit=BODY_LIMIT, uploads=gate.may_upload)


def make_phones(phones: PhoneReports, reactor: Any) -> BoundedSite:
    """The phone apps' own port."""
    return BoundedSite(phones, reactor, body_limit=BODY_LIMIT)


def make_field(
    phones: PhoneReports, sockets: HandheldSockets, reactor: Any, authority: AuthorityPage, services: Services
) -> BoundedSite:
    """What is reached from the street: handhelds' WebSocket, phone apps, the page that gives a phone to somebody, and
    the collector's own.
    No route of the console exists here."""
    root = _Field(phones)
    for path in (PAGE, FILE):
        root.putChild(path[1:].encode(), AuthorityFiles(authority))
    root.putChild(b"handheld", sockets.as_resource())
    page, api = make_join(services)
    root.putChild(b"join", page)
    root.putChild(b"work", make_work(CityGround(services)))
    root.putChild(b"api", api)
    # As many as on the other doors of devices, for a handheld keeps its WebSocket; and those of phones, or who only
    # holds WebSockets would be let in by the sockets and by nobody before them.
    return BoundedSite(root, reactor, body_limit=BODY_LIMIT, connections=sockets.limits.connections + CONNECTIONS)


class _Field(Resource):
    def __init__(self, phones: PhoneReports) -> None:
        super().__init__()
        self._phones = phones

    def getChild(self, path: bytes, request: Any) -> Any:
        if request.uri == b"/" and b"text/html" in (request.getHeader(b"accept") or b""):
            return Redirect(b"/join")  # a browser: apps say whose phone it is
        return self._phones.getChildWithDefault(path, request)
