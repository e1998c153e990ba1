"""Stands in for the server in tests of the page: the same HTTP and feed, with a town that moves, and no rest.

Run as ``python -m tests.webmap.console_double``: prints its port on the first line, stops when its standard input
closes. ``POST /double/<verb>`` breaks things on purpose: ``cut``, ``mend``, ``restart``, ``silence``, ``behind``,
``unit``, ``freeze`` and ``storage``; each takes a JSON object. What happens to devices goes to double_devices.py.
"""

# twisted.web, klein and autobahn carry no types to check this file against.
# mypy: allow-subclassing-any, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import json
import mimetypes
import sys
import time
from typing import Any

from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from klein import Klein
from twisted.internet import reactor as running_reactor
from twisted.internet import stdio, task
from twisted.internet.protocol import Protocol
from twisted.web.server import Site

from tests.webmap.double_access import Looks
from tests.webmap.double_accounts import AccountsDouble
from tests.webmap.double_areas import Areas
from tests.webmap.double_calls import Calls
from tests.webmap.double_certificate import Certificate
from tests.webmap.double_city import Town
from tests.webmap.double_devices import Devices
from tests.webmap.double_notices import Notices
from tests.webmap.double_person import Persons
from tests.webmap.double_roster import People
from tests.webmap.double_rota import RotaDouble
from tests.webmap.double_scene import morning
from tests.webmap.double_storage import Storage
from tests.webmap.double_tasks import Tasks
from webmap.authority_site import AuthorityFiles
from webmap.me_api import rights_of
from webmap.page import CONTENT_SECURITY_POLICY, STATIC, PageSettings, build_page
from webmap.pages import PAGES, open_to
from webmap.rights import Who

reactor: Any = running_reactor  # its interface is the union of many

NAME, PASSWORD, SESSION = "demo", "demo-password", "of-the-double"
TICK = 1.0
HTML = "text/html; charset=utf-8"


def me(who: Who) -> dict[str, Any]:
    """Who is signed in: an admin, who may do everything, unless a test says otherwise."""
    about = {"name": NAME, "role": str(who.role), "unit": who.unit or None, "streets": sorted(who.streets)}
    about |= {"teams": [], "totp": False}
    return {**about, "rights": rights_of(who), "pages": open_to(who)}


def now_ms() -> int:
    return int(time.time() * 1000)


class Feed(WebSocketServerProtocol):
    """One viewer: everything that lies in its box, once a second."""

    box: list[float] | None = None
    followed: str | None = None
    watching = False
    desk = 0

    def onConnect(self, request: Any) -> None:
        if SESSION not in request.headers.get("cookie", ""):
            self.ended = True

    def onOpen(self) -> None:
        if getattr(self, "ended", False):
            self.sendClose(4401, "session ended")
        elif self.factory.double.cut:
            self.sendClose(4013, "cut")

    def onMessage(self, payload: bytes, is_binary: bool) -> None:
        double = self.factory.double
        message = json.loads(payload)
        double.watches.append(message)
        self.box, self.followed = message["box"], message["follow"]
        if not self.watching:
            self.watching = True
            double.viewers.add(self)
            double.greet(self)
        double.tell(self, "delta" if message["since"] and message["instance"] == double.instance else "full")

    def onClose(self, clean: bool, code: int, reason: str) -> None:
        self.factory.double.viewers.discard(self)

    def tell(self, value: dict[str, Any]) -> None:
        self.sendMessage(json.dumps(value, ensure_ascii=False).encode(), False)


class Double:
    """The town, its viewers and the switches that break it."""

    def __init__(self, crowd: int) -> None:
        self.town = Town(now_ms(), crowd=crowd)
        self.viewers: set[Feed] = set()
        self.watches: list[dict[str, Any]] = []
        self.instance, self.seq, self.behind = "double-1", 0, 0
        self.cut = self.silent = self.frozen = False
        self.devices = Devices(self.roster(), now_ms())
        self.people = People(self.devices)
        self.storage = Storage(now_ms())
        self.persons = Persons(self.take_off)
        self.certificate = Certificate()
        self.calls = Calls(self.town, now_ms())
        self.areas = Areas(self.town)
        self.rota = RotaDouble(self.roster())
        self.accounts = AccountsDouble(self.roster(), now_ms)
        self.looks = Looks(self.roster(), now_ms())
        self.tasks = Tasks(self.town, now_ms())
        self.notices = Notices(self.town, self.tasks)

    def take_off(self, unit: str) -> None:
        """A unit is nobody any more."""
        del self.town.walkers[unit]
        for viewer in list(self.viewers):
            viewer.tell({"op": "roster", "units": self.roster()})

    def greet(self, viewer: Feed) -> None:
        city = self.town.city
        viewer.tell(
            {
                "op": "hello",
                "instance": self.instance,
                "now": now_ms(),
                "city": {"name": city.name.zh, "center": city.centre, "zone": "Asia/Shanghai"},
                "limits": {"online_s": 120, "offline_s": 900},
            }
        )
        viewer.tell({"op": "roster", "units": self.roster()})

    def roster(self) -> dict[str, Any]:
        return {walker.id: walker.about for walker in self.town.walkers.values()}

    def tell(self, viewer: Feed, op: str) -> None:
        inside, outside = [], []
        for walker in self.town.walkers.values():
            box = viewer.box
            seen = box is not None and box[0] <= walker.latitude <= box[2] and box[1] <= walker.longitude <= box[3]
            if seen or walker.id == viewer.followed:
                inside.append(self.town.row(walker, now_ms()))
            else:
                outside.append([walker.id, walker.state, walker.fix, walker.alarm & 1])
        frame = {"op": op, "seq": self.seq, "now": now_ms(), "behind": self.behind, "units": inside, "states": outside}
        viewer.tell({**frame, "gone": []})
        if viewer.desk != self.tasks.version:
            viewer.desk = self.tasks.version
            viewer.tell({"op": "desk", "version": viewer.desk})

    def tick(self) -> None:
        self.seq += 1
        self.devices.tick(now_ms())
        self.calls.tick(now_ms())
        self.storage.tick(now_ms())
        if not self.frozen:
            self.town.step(now_ms(), TICK)
        if not self.silent:
            for viewer in list(self.viewers):
                self.tell(viewer, "delta")

    def switch(self, verb: str, given: dict[str, Any]) -> None:
        if verb == "cut":
            self.cut = True
            for viewer in list(self.viewers):
                viewer.transport.abortConnection()
        elif verb == "restart":
            self.instance, self.seq = f"{self.instance}+", 0
            for viewer in list(self.viewers):
                viewer.sendClose(4012, "restart")
        elif verb == "unit":
            walker = self.town.walkers[given.pop("id")]
            for key in ("state", "alarm"):
                setattr(walker, key, given.pop(key, getattr(walker, key)))
            walker.about = {**walker.about, **given}
            for viewer in list(self.viewers):
                viewer.tell({"op": "roster", "units": self.roster()})
        elif verb == "mend":
            self.cut = self.silent = False
            self.behind = 0
        elif verb == "certificate":
            self.certificate.kind = given["kind"]
        elif verb == "persons":
            self.persons.fails = given["fails"]
        elif verb == "rota":
            self.rota.switch(**given)
        elif verb == "calls":
            self.calls.switch(now_ms(), **given)
        elif verb == "notices":
            self.notices.switch(now_ms(), **given)
        elif verb == "accounts":
            self.accounts.switch(**given)
        elif verb == "looks":
            self.looks.switch(**given)
        elif verb == "tasks":
            if given.pop("scene", False):
                morning(self.tasks, now_ms())
            self.tasks.switch(now_ms(), **given)
        elif verb == "storage":
            self.storage.switch(**given)
        elif verb in ("joined", "guessed"):
            getattr(self.people, verb)(**given)
        elif verb in ("freeze", "silence", "behind"):
            self.__dict__.update(given)
        else:
            self.devices.switch(verb, given)


def make_app(double: Double, socket: WebSocketResource) -> Klein:
    """The console's routes, as far as the page uses them."""
    app = Klein()
    page = build_page(PageSettings(center=double.town.city.centre))

    def answer(request: Any, value: Any, code: int = 200) -> bytes:
        request.setResponseCode(code)
        request.setHeader("Content-Type", "application/json; charset=utf-8")
        return json.dumps(value, ensure_ascii=False).encode()

    def content(request: Any, body: bytes, kind: str) -> bytes:
        request.setHeader("Content-Type", kind)
        request.setHeader("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        request.setHeader("X-Content-Type-Options", "nosniff")
        return body

    def guest(request: Any) -> bool:
        return bool(request.getCookie(b"session") != SESSION.encode())

    @app.route("/")
    def console(request: Any) -> bytes:
        if guest(request):
            request.redirect(b"/login")
            return b""
        return content(request, page.html, "text/html; charset=utf-8")

    console_page = page

    def put_page(name: str) -> None:
        @app.route(f"/{name}", endpoint=name)
        def page(request: Any) -> bytes:
            if guest(request):
                request.redirect(f"/login?to={name}".encode())
                return b""
            return content(request, console_page.dressed((STATIC / f"{name}.html").read_bytes())[0], HTML)

    for name in PAGES:
        put_page(name)

    @app.route("/login")
    def login_page(request: Any) -> bytes:
        return content(request, (STATIC / "login.html").read_bytes(), "text/html; charset=utf-8")

    @app.route("/assets/<path:name>")
    def asset(request: Any, name: str) -> bytes:
        return content(request, *page.files[f"/assets/{name}"])

    @app.route("/static/<name>")
    def static(request: Any, name: str) -> bytes:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return content(request, (STATIC / name).read_bytes(), kind)

    @app.route("/ca")
    @app.route("/ca.crt")
    def authority(request: Any) -> AuthorityFiles:
        return AuthorityFiles(double.certificate.page)

    @app.route("/feed")
    def feed(request: Any) -> WebSocketResource:
        return socket

    @app.route("/api/v1/login", methods=["POST"])
    def login(request: Any) -> bytes:
        code, value = double.accounts.login(json.loads(request.content.read()))
        if code == 200:
            request.addCookie("session", SESSION, path="/", httpOnly=True)
        return answer(request, value, code)

    @app.route("/api/v1/logout", methods=["POST"])
    def logout(request: Any) -> bytes:
        request.addCookie("session", "", path="/", max_age="0")
        return answer(request, {})

    double.rota.mount(app, guest)
    double.accounts.mount(app, guest)

    @app.route("/api/v1/<path:name>", methods=["GET", "POST", "PATCH", "DELETE"])
    def api(request: Any, name: str) -> bytes:
        if guest(request):
            return answer(request, {"error": {"code": "session", "text": "Log in first", "zh": "请先登录"}}, 401)
        parts = name.split("/")
        if parts == ["me"]:
            return answer(request, me(double.rota.who) | double.accounts.me())
        if parts == ["certificate"]:
            return answer(request, double.certificate.answer(request.uri.decode().partition("?")[2]))
        if parts == ["basemap"]:
            return answer(request, double.town.city.basemap)
        body = request.content.read()
        query = request.uri.decode().partition("?")[2]
        if parts[0] in ("grids", "grid-import", "seats", "roll-calls"):
            asked, method = json.loads(body) if body else None, request.method.decode()
            if parts[0] in ("grids", "grid-import"):
                code, value = double.areas.answer(method, parts, query, asked, now_ms())
            else:
                code, value = double.calls.answer(method, parts, asked, now_ms())
            return content(request, value, "text/csv") if isinstance(value, bytes) else answer(request, value, code)
        if parts[0] in ("desk", "tasks", "candidates", "problems", "sos", "photos"):
            asked, method = json.loads(body) if body else None, request.method.decode()
            told = double.tasks.answer(method, parts, query, asked, now_ms())
            return content(request, told, "image/png") if isinstance(told, bytes) else answer(request, told[1], told[0])
        if parts[0] in ("notices", "surveys"):
            asked, method = json.loads(body) if body else None, request.method.decode()
            code, value = double.notices.answer(method, parts, asked, now_ms())
            return answer(request, value, code)
        if parts[0] in ("access-log", "access-log.csv"):
            code, value = double.looks.answer(parts, query, double.rota.who)
            return content(request, value, "text/csv") if isinstance(value, bytes) else answer(request, value, code)
        if parts[0] == "storage":
            return answer(request, double.storage.answer(parts[1:], query, request.method == b"POST", now_ms()))
        if parts[0] == "units" and parts[2:3] in (["export"], ["removal"]):
            asked = json.loads(body) if body else None
            code, value = double.persons.answer(request.method.decode(), parts[1], parts[2:], asked, now_ms())
            if code == 200 and isinstance(value, bytes):
                return content(request, value, "application/zip")
            return answer(request, value, code)
        asked, method = json.loads(body) if body else None, request.method.decode()
        found = double.people.answer(method, parts, asked, now_ms())
        found = double.devices.answer(method, parts, query, asked) if found is None else found
        if isinstance(found, bytes):
            return content(request, found, "image/png")
        if found is not None:
            return answer(request, found[1], found[0])
        trail = walker.trail if (walker := double.town.walkers.get(parts[1])) else []
        points = [{"fix_time": t, "lat": lat, "lon": lon, "flags": []} for t, lat, lon in trail]
        return answer(request, {"unit": parts[1], "points": points})

    @app.route("/double/<verb>", methods=["POST"])
    def switch(request: Any, verb: str) -> bytes:
        double.switch(verb, json.loads(request.content.read() or b"{}"))
        return answer(request, {"watches": double.watches, "viewers": len(double.viewers), "seq": double.seq,
                                "devices": list(double.devices.devices.values()),
                                "commands": list(double.devices.commands.values()),
                                "removals": double.persons.asked, "looks": double.looks.asked,
                                "calls": double.calls.asked, "areas": double.areas.count,
                                "tasks": double.tasks.asked, "notices": double.notices.asked})  # fmt: skip

    return app


class _UntilInputCloses(Protocol):
    def connectionLost(self, reason: Any = None) -> None:
        if reactor.running:
            reactor.stop()


def main(crowd: int) -> None:
    double = Double(crowd)
    factory = WebSocketServerFactory()
    factory.protocol = Feed
    factory.double = double
    factory.startFactory()
    site = Site(make_app(double, WebSocketResource(factory)).resource())
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    task.LoopingCall(double.tick).start(TICK)
    stdio.StandardIO(_UntilInputCloses())
    print(port.getHost().port, flush=True)
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
