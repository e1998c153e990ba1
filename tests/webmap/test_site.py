"""The doors of a real server: nothing answers without a login, nothing too large or too slow is waited for, and the
log stays silent about where people are."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from protocols.handheld import Framer, decode, encode, frame
from protocols.jt808.client import Terminal
from tests.server import ROOT, Answer, Server, until
from tests.webmap.devices import Handheld, Vehicle, now_ms, phone_report
from tests.webmap.test_api import DOCUMENT, PAGES, check
from tests.webmap.wire import handshake, raw, rest
from tracker.site import IDLE_SECONDS, REQUEST_SECONDS, BoundedSite
from webmap.pages import PAGES as PAPERS

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
OPEN_PAGES = {"/login", "/favicon.ico"}
"""What anybody may see: the page to log in, and what it is made of."""


def last_record(server: Server) -> int:
    """The number of the journal's last record, when all that has happened is in it: who has changed something is noted
    behind the change."""
    found = until("the journal is written", lambda: (one := server.get("/healthz")["journal"])["waiting"] == 0 and one)
    return int(found["last"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("site")) as running:
        yield running


# Without a login.


def fits(path: str, concrete: str) -> bool:
    """Whether a path of the document is this one too: ``units/table`` is a unit of that name to whoever asks for it."""
    return re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), concrete) is not None


@pytest.mark.parametrize("path", sorted(DOCUMENT["paths"]))
def test_no_route_of_the_api_answers_without_a_login(server: Server, path: str) -> None:
    concrete = re.sub(r"{\w+}", "d1", path)
    for method in METHODS:
        answer = server.ask(method, concrete, {} if method in ("POST", "PUT", "PATCH") else None)
        taken = {verb for other in DOCUMENT["paths"] if fits(other, concrete) for verb in DOCUMENT["paths"][other]}
        if method.lower() not in taken:
            assert answer.status == 405, (method, concrete)
        elif path == "/api/v1/login":
            assert answer.code == "bad_login"
        else:
            assert (answer.status, answer.code) == (401, "login"), (method, concrete)
            if method.lower() in DOCUMENT["paths"][path]:
                check(method, concrete, answer)
            assert "www-authenticate" in answer.headers
    assert server.ask("HEAD", concrete).body == b""


def test_pages_lead_to_the_login(server: Server) -> None:
    for method in ("GET", "POST", "HEAD"):
        answer = server.ask(method, "/")
        assert answer.status == 302
        assert answer.headers["location"].endswith("/login")
        assert answer.body == b""
    for path in ("/feed", "/feed?redirect=http://evil.example"):
        answer = server.ask("GET", path)
        assert (answer.status, answer.body, answer.headers.get("location")) == (426, b"", None)
    assert handshake(server, "/feed")[1] == [b"\x11\x31log in first"]


def test_what_anybody_may_see(server: Server) -> None:
    page = server.ask("GET", "/login")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    links = re.findall(r'(?:href|src)="(/[^"]*)"', page.body.decode())
    assert links
    for link in [*links, "/favicon.ico"]:
        answer = server.ask("GET", link)
        assert answer.status == 200, link
        assert answer.headers["x-content-type-options"] == "nosniff"
    for path in ("/static/none.js", "/static/", "/static/..%2fapi.py", "/static/../api.py", "/assets/none", "/assets/",
                 "/assets/..%2f..%2fsecret", "/data/secret", "/first-login.txt", "/api", "/api/v1", "/api/v2/units",
                 "//etc/passwd", "/%ff"):  # fmt: skip
        answer = server.ask("GET", path)
        assert answer.status in (301, 308, 400, 404), path
        assert b"secret" not in answer.body


def test_files_are_compressed_and_asked_for_again_only_when_changed(server: Server) -> None:
    plain = server.ask("GET", "/static/app.js")
    packed = server.ask("GET", "/static/app.js", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    same = server.ask("GET", "/static/app.js", headers={"if-none-match": plain.headers["etag"]})
    assert (same.status, same.body) == (304, b"")
    odd = server.ask("GET", "/static/app.js", headers={"if-none-match": "\xff", "accept-encoding": "\xff"})
    assert odd.body == plain.body


def test_the_pages_of_the_site_are_those_that_are_known_here(server: Server) -> None:
    """A new page must be thought about: this list and the document are all that there is."""
    source = (ROOT / "webmap" / "service.py").read_text("utf-8")
    papers = {f"/{name}" for name in PAPERS}
    assert set(re.findall(r'@app\.route\("([^"]+)"', source)) | papers == PAGES


@pytest.mark.parametrize("port", ["field", "phones"])
def test_no_route_of_the_console_exists_outside(server: Server, port: str) -> None:
    headers = {"authorization": f"Bearer {server.session}"}
    for path in [re.sub(r"{\w+}", "d1", path) for path in DOCUMENT["paths"]] + ["/login", "/static/app.js", "/feed"]:
        for method in ("GET", "POST"):
            answer = server.ask(method, path, b"{}" if method == "POST" else None, headers, port=port)
            assert answer.status == 404, (method, path)
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert server.ask(method, "/", port=port).status == 405


@pytest.mark.parametrize("port", ["field", "phones"])
def test_phones_that_nobody_knows_are_refused(server: Server, port: str) -> None:
    before = last_record(server)
    assert server.ask("GET", "/", port=port).status == 400
    assert server.ask("GET", "/?id=nobody&lat=31&lon=121&timestamp=1", port=port).status == 400
    body = {"device_id": "nobody", "location": {"timestamp": "2026-11-23T00:00:00Z", "coords": {}}}
    assert server.ask("POST", "/", body, port=port).status in (400, 404)
    odd = {"content-type": "\xff\xfe"}
    assert server.ask("POST", "/?id=nobody", b"\xff", odd, port=port).status in (400, 404)
    assert last_record(server) == before


HELLO = {"t": "hello", "v": 1, "app": "1.0.0", "crs": "wgs84", "now": 0}


@pytest.mark.parametrize(
    "message",
    [
        {**HELLO, "device": "nobody", "token": "x" * 26},
        {**HELLO, "device": "known", "token": "x" * 26},
        {**HELLO, "device": "known", "token": ""},
        {"t": "fix", "seq": 1, "now": 0, "live": True, "p": [[0, 0, 0]]},
        {"t": "ping", "now": 0},
    ],
)
def test_handhelds_that_do_not_log_in_are_refused(server: Server, message: dict[str, Any]) -> None:
    if "known" not in [one["external_id"] for one in server.get("/api/v1/devices")["devices"]]:
        server.register("handheld", "known")
    before = last_record(server)
    link = raw(server, "handheld", frame(encode(message)))
    told = [decode(payload) for payload in Framer().receive_data(rest(link))]
    assert [one["t"] for one in told] == ["error"], told
    assert last_record(server) == before


def test_the_handhelds_socket_is_for_handhelds(server: Server) -> None:
    assert server.ask("GET", "/handheld", port="field").status == 426
    assert handshake(server, "/feed", port="field")[0] == 404


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_terminals_that_do_not_log_in_are_refused(server: Server, kind: socket.SocketKind) -> None:
    before = last_record(server)
    with socket.socket(socket.AF_INET, kind) as link:
        link.settimeout(60)
        link.connect(("127.0.0.1", server.ports["jt808"]))
        terminal = Terminal("13900009999")
        results = []
        for message in ("register", "authenticate"):
            terminal.register() if message == "register" else terminal.authenticate("x" * 26)
            for data in terminal.data_to_send():
                link.send(data)
            events: list[Any] = []
            while not events:
                events = terminal.receive_data(link.recv(4096))
            results.append(events[0].result)
        assert results == [4, 1], "no such terminal; failed"
    assert last_record(server) == before


# Too large, too slow.


def test_bodies_that_are_too_large(server: Server) -> None:
    head = "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: {}\r\nAuthorization: Bearer {}\r\n"
    form = "application/x-www-form-urlencoded"
    limits = {"console": 64 << 20, "field": 1 << 20, "phones": 1 << 20}
    doors = [(port, limit, "application/json") for port, limit in limits.items()]
    for port, limit, kind in [*doors, *((port, 64 << 10, form) for port in limits)]:
        path = "/api/v1/units" if port == "console" else "/"
        start = head.format(path, kind, server.session)
        link = raw(server, port, f"{start}Content-Length: {limit + 1}\r\n\r\n".encode())
        link.sendall(bytes(limit + 1))
        assert rest(link).startswith(b"HTTP/1.1 413 "), port
        # Announced by nobody: it is cut when it grows past the limit.
        link = raw(server, port, f"{start}Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(limit // 0x10000 + 1):
            link.sendall(chunk)
        link.sendall(b"0\r\n\r\n")
        assert rest(link).startswith(b"HTTP/1.1 413 "), port


def test_heads_that_are_too_large(server: Server) -> None:
    for port in ("console", "field", "phones"):
        link = raw(server, port, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n")
        assert rest(link)[9:12] in (b"400", b""), port
        many = b"".join(b"X-%d: a\r\n" % number for number in range(2000))
        link = raw(server, port, b"GET / HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n")
        assert rest(link)[9:12] in (b"400", b""), port
    assert server.get("/healthz")["status"] == "ok"


class Hello(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> Any:
        return NOT_DONE_YET if request.path == b"/wait" else b"hello"

    def render_POST(self, request: Any) -> bytes:
        return b"%d" % len(request.content.read())


class Link:
    """One connection to a site in memory, on a clock that is moved by hand."""

    def __init__(self, clock: Clock, site: BoundedSite) -> None:
        self.transport = StringTransport()  # type: ignore[no-untyped-call]
        self.cut = False
        self.transport.abortConnection = self._abort  # type: ignore[method-assign]
        self._connection = site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        self.turned_away = self._connection is None
        if self._connection is not None:
            self._connection.makeConnection(self.transport)

    def _abort(self) -> None:
        self.cut = True

    def send(self, data: bytes) -> None:
        self._connection.dataReceived(data)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(clock: Clock) -> Iterator[BoundedSite]:
    made = BoundedSite(Hello(), clock, body_limit=1000, connections=3)  # type: ignore[no-untyped-call]
    made.doStart()
    yield made
    made.doStop()


def test_a_request_that_drips_is_cut(clock: Clock, site: BoundedSite) -> None:
    slow, silent = Link(clock, site), Link(clock, site)
    for byte in b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: aaaaaaaaaaa":
        slow.send(bytes([byte]))
        clock.pump([1])
        if slow.cut:
            break
    assert slow.cut
    assert clock.seconds() <= REQUEST_SECONDS + 6
    assert not silent.cut
    clock.pump([1] * (IDLE_SECONDS + 1))
    assert silent.transport.disconnecting or silent.cut, "who says nothing at all goes later"


def test_a_body_that_drips_is_cut(clock: Clock, site: BoundedSite) -> None:
    slow = Link(clock, site)
    slow.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n")
    for _ in range(REQUEST_SECONDS + 6):
        slow.send(b"a")
        clock.pump([1])
    assert slow.cut


def test_request_after_request_is_never_cut(clock: Clock, site: BoundedSite) -> None:
    steady = Link(clock, site)
    for _ in range(20):
        steady.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        clock.pump([1] * 10)
    assert not steady.cut
    assert steady.transport.value().count(b"hello") == 20  # type: ignore[no-untyped-call]


def test_whoever_comes_when_all_places_are_taken_gets_that_of_the_one_who_never_asked(
    clock: Clock, site: BoundedSite
) -> None:
    links = [Link(clock, site) for _ in range(3)]
    links[0].send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    links[1].send(b"GET / HTTP/1.1\r\nHost: x\r\n")
    late = Link(clock, site)
    assert not late.turned_away
    assert [link.cut for link in links] == [False, True, False]
    assert (site.pushed_out, site.turned_away) == (1, 0)


def test_connections_that_ask_nothing_any_more_keep_nobody_out(clock: Clock, site: BoundedSite) -> None:
    """One cheap request on each, and then silence for as long as keep-alive lasts."""
    links = [Link(clock, site) for _ in range(3)]
    for link in (links[0], links[2], links[1]):
        link.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    links[0].send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
    assert not Link(clock, site).turned_away
    assert [link.cut for link in links] == [False, False, True], "the one that has asked nothing for longest"


def test_nobody_who_has_asked_is_pushed_out(clock: Clock, site: BoundedSite) -> None:
    links = [Link(clock, site) for _ in range(3)]
    for link in links:
        link.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
    assert Link(clock, site).turned_away
    assert site.turned_away == 1
    assert not any(link.cut for link in links)


def test_only_who_may_upload_is_listened_to_for_long(clock: Clock) -> None:
    asked = []

    def uploads(request: Any) -> bool:
        asked.append(request.getHeader(b"authorization"))
        return bool(asked[-1] == b"Bearer good")

    made = BoundedSite(Hello(), clock, body_limit=1000, connections=9, uploads=uploads)  # type: ignore[no-untyped-call]
    for token, size, status in ((b"bad", 1000, 200), (b"bad", 1001, 413), (b"good", 5000, 200)):
        for announced in (b"Content-Length: %d\r\n\r\n" % size, b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size):
            link = Link(clock, made)
            link.send(b"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s" % (token, announced))
            link.send(bytes(size))
            link.send(b"\r\n0\r\n\r\n" if b"chunked" in announced else b"")
            assert link.transport.value().startswith(b"HTTP/1.1 %d " % status), (token, size, announced)
    assert b"Bearer bad" in asked


# Health and numbers.


def test_health_says_in_words_what_is_wrong(tmp_path: Path) -> None:
    """Redis is stopped, not killed: a killed one is there again before anybody could look."""
    with Server(tmp_path) as server:
        made = server.register("traccar", "phone", networks=["127.0.0.0/8"])
        os.kill(server.redis_pid, signal.SIGSTOP)
        try:
            now = now_ms() // 1000
            assert phone_report(server, "phone", lat=31.2304, lon=121.4737, timestamp=now).status == 200
            sick = until("it notices", lambda: (one := server.api("GET", "/healthz")).status == 503 and one)
            check("GET", "/healthz", sick)
            assert sick.json["status"] == "degraded"
            live = until(
                "it says so",
                lambda: [one for one in server.api("GET", "/healthz").json["problems"] if one["what"] == "live"],
            )
            assert "Live state is not written" in live[0]["text"]
            assert "实时状态未写入" in live[0]["zh"]
            points = server.get(f"/api/v1/units/{made['unit']}/track?reason=test")["points"]
            assert len(points) == 1, "what was acknowledged is there without Redis"
            check("GET", "/api/v1/counters", server.api("GET", "/api/v1/counters"))
        finally:
            os.kill(server.redis_pid, signal.SIGCONT)
        server.until_well()
        os.kill(server.redis_pid, signal.SIGKILL)
        until("another one runs", lambda: server.api("GET", "/metrics").status == 200)
        server.until_well()
        assert server.get(f"/api/v1/units/{made['unit']}")["position"]["lat"] == 31.2304


def metrics(answer: Answer) -> dict[str, dict[tuple[str, ...], float]]:
    """Samples by name and label values."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_metrics_can_be_read(server: Server) -> None:
    server.register("traccar", "metered", networks=["127.0.0.0/8"])
    last_record(server)
    answer = server.api("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    before = metrics(answer)
    for _ in range(3):
        assert phone_report(server, "metered", lat=31.0, lon=121.0, timestamp=now_ms() // 1000).status == 200
    assert phone_report(server, "unheard-of", lat=31.0, lon=121.0, timestamp=now_ms() // 1000).status == 400
    after = metrics(server.api("GET", "/metrics"))

    def grown(name: str, *labels: str) -> float:
        return after[name][labels] - before.get(name, {}).get(labels, 0)

    assert grown("gridbeat_reports_accepted_total", "traccar") == 3
    assert grown("gridbeat_reports_refused_total", "traccar", "unknown_device") == 1
    assert grown("gridbeat_journal_last_record") == 3
    assert set(after["gridbeat_units"]) == {
        ("online_fix",), ("online_no_fix",), ("stale",), ("offline",), ("off_shift",),
    }  # fmt: skip
    assert all(name.startswith("gridbeat_") for name in after)


# The log.


def test_the_log_holds_no_place_and_no_secret(tmp_path: Path) -> None:
    latitude, longitude = 312_345_678, 1_214_567_891
    with Server(tmp_path) as server:
        hand = server.register("handheld", "log-h")
        wheel = server.register("jt808", "013900001234")
        server.register("traccar", "log-t", networks=["127.0.0.0/8"])
        with Handheld(server, "log-h", hand["token"]) as device:
            device.log_in()
            device.report((now_ms(), latitude, longitude), (now_ms(), 10**12, longitude), (10**18, latitude, longitude))
        with Handheld(server, "log-h", "wrong" + hand["token"]) as device:
            assert device.is_closed()
        with Vehicle(server, "13900001234") as vehicle:
            vehicle.log_in()
            vehicle.report(now_ms() // 1000 * 1000, latitude // 10 * 10, longitude // 10 * 10)
            vehicle.socket.sendall(b"\x7e" + struct.pack(">II", latitude, longitude) + b"\x7e")
        for port in ("phones", "field"):
            for fields in ({"timestamp": now_ms() // 1000}, {"timestamp": "never"}, {"timestamp": 1, "speed": "fast"}):
                phone_report(server, "log-t", port, lat=latitude / 1e7, lon=longitude / 1e7, **fields)
        odd = f"GET /?id=log-t&lat={latitude / 1e7}&lon=\xff HTTP/1.0\r\n\r\n".encode("latin-1")
        assert rest(raw(server, "field", odd))
        name, password = server.login
        server.ask("POST", "/api/v1/login", {"name": name, "password": "wrong-" + password[:-1]})
        server.api("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": [{"at": [latitude / 1e7]}]})
        server.ask("GET", f"/api/v1/units?token={server.session}")
        server.get(f"/api/v1/units/{hand['unit']}/track?reason=test")
        session = server.session
        log = server.data / "log" / "gridbeat.log"
        until("the failed login is in the log", lambda: "login refused" in log.read_text("utf-8"))
        kill_redis(server)
    text = log.read_text("utf-8")
    for line in text.splitlines():
        event = json.loads(line)
        assert {"time", "level", "namespace", "text"} <= event.keys()
        assert event["level"] not in ("error", "critical") or event["namespace"] == "gridbeat.embedded", event
    said = server.told().replace(password, "", 1)
    for told in (text, said):
        for secret in (hand["token"], wheel["token"], session, password, "31.234", "312345", "121.456", "1214567"):
            assert secret not in told, secret


def kill_redis(server: Server) -> None:
    """Trouble, so that more than the usual is logged."""
    os.kill(server.redis_pid, signal.SIGKILL)
    server.until_well()
