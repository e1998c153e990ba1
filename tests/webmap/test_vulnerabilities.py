"""Weaknesses that others of this trade have had, tried on us: Traccar's and Mumble's published ones, and those of web
servers in general. Each test says which one it is after, and fails if it works here.

What these lists have of missing authorisation on objects of others is walked whole in tests/webmap/test_matrix.py,
hostile names on every page in tests/webmap/test_hostile_names.py, guessing of passwords and what becomes of sessions in
tests/webmap/test_login.py.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import socket
import zipfile
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from protocols.jt808.client import MediaTaken
from tests.server import Answer, Server, until
from tests.webmap.devices import Vehicle, now_ms, phone_report
from tests.webmap.matrix import CASES
from tests.webmap.people import Person, enter
from tests.webmap.wire import Socket, handshake, raw, rest
from webmap.feed import EDGE_LIMIT
from webmap.rights import Action
from webmap.websocket import MESSAGE_LIMIT

DOORS = ("console", "field", "phones")
WORLD = [-90, -180, 90, 180]
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>'
BOMB = b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03" + bytes(64)
"""A JPEG that says it is 65,535 by 65,535 points."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("weak")) as running:
        yield running


@pytest.fixture(scope="module")
def reader(server: Server) -> Iterator[Person]:
    """Somebody who may read everything and change nothing."""
    with enter(server, "reader", role="auditor") as person:
        yield person


def secrets_of(server: Server) -> list[bytes]:
    """What no answer may ever hold."""
    return [(server.data / "secret").read_bytes(), server.login[1].encode(), b"[console]", b"root:x:0:"]


def files_of(server: Server) -> set[str]:
    """Every file beside what a running server writes all the time."""
    own = ("journal", "redis", "log", "archive")
    return {
        str(path.relative_to(server.folder)) for path in server.folder.rglob("*")
        if path.is_file() and not set(path.relative_to(server.folder).parts) & set(own)
    }  # fmt: skip


# Paths.


UP = ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "%2e%2e%5c", "..\\", "..%255c", "..%252f", "..%c0%af", "....//",
      "..;/", "%00../", "..%00/"]  # fmt: skip


@pytest.mark.parametrize("up", UP)
def test_no_way_up_out_of_a_folder(server: Server, up: str) -> None:
    """CVE-2025-61666 (Traccar 6.1 to 6.8.1 on Windows: any file by encoded backslashes, without a login), and the rest
    of that family."""
    secrets = secrets_of(server)
    session = {"authorization": f"Bearer {server.session}", "cookie": f"session={server.session}"}
    for folder in ("/", "/static/", "/assets/", "/assets/images/", "/tiles/0/", "/api/v1/photos/",
                   "/api/v1/units/"):  # fmt: skip
        for file in ("secret", "data/secret", "city.toml", "first-login.txt", "etc/passwd", "api.py"):
            path = folder + up * 6 + file
            for door in DOORS if folder == "/" else ("console",):
                answer = server.ask("GET", path, headers=session, port=door)
                assert answer.status in (301, 302, 308, 400, 401, 404), (door, path, answer)
                assert not [one for one in secrets if one in answer.body], (door, path)


@pytest.mark.parametrize(
    "given",
    ["/etc/cron.d/x", "../../x", "..\\..\\x", "C:\\x", "~/x", "x\0y", "x\ny", ".", "..", "a/b", "${HOME}", "x" * 65],
)
def test_an_id_is_never_a_path(server: Server, given: str) -> None:
    """CVE-2024-24809 and CVE-2026-23521 (Traccar to 6.11.1: a device's id, absolute or with dots, was the path under
    which its picture was written)."""
    before = files_of(server)
    assert server.api("POST", "/api/v1/units", {"id": given, "name": "n"}).code == "bad_id"
    made = server.api("POST", "/api/v1/devices", {"protocol": "handheld", "external_id": given})
    jt808 = server.api("POST", "/api/v1/devices", {"protocol": "jt808", "external_id": given})
    assert (jt808.status, jt808.code) == (422, "bad_external_id")
    if made.status == 201:
        assert made.json["id"][1:].isdigit(), "what stands in paths is ours"
    for path in (f"/api/v1/devices/{'%2e%2e%2f' * 3}photos", "/api/v1/units/..%2f..%2fsecret/export/file?reason=x"):
        assert server.api("GET", path).status == 404
    assert files_of(server) == before


def test_a_picture_is_stored_under_a_name_of_ours_and_shown_as_nothing_else(server: Server) -> None:
    """CVE-2024-31214 (Traccar 5.1 to 5.12: whatever was sent as a device's picture was stored with the ending that the
    sender chose, and run). An SVG with a script, a page and an image bomb come the way that pictures come."""
    made = server.register("jt808", "13900000077")
    before = files_of(server)
    sent = [SVG, b"<html><script>alert(1)</script></html>", b"<%@page import='java.util.*'%>", b"#!/bin/sh\nid", BOMB]
    with Vehicle(server, "13900000077") as vehicle:
        vehicle.log_in()
        for data in sent:
            vehicle.terminal.medium(data, event=3)
            vehicle.flush()
            vehicle.wait(MediaTaken)
    photos = server.get(f"/api/v1/devices/{made['id']}/photos")["photos"]
    assert len(photos) == len(sent)
    for photo in photos:
        answer = server.api("GET", photo["url"])
        assert answer.body in sent, "as it came: nobody unpacks it"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        jpeg = answer.body == BOMB
        assert answer.headers["content-type"] == ("image/jpeg" if jpeg else "application/octet-stream")
        assert jpeg or answer.headers["content-disposition"].startswith("attachment")
    new = {path.rpartition("/")[2] for path in files_of(server) - before}
    assert len(new) == len(sent)
    assert all(name.replace(".", "").isalnum() and name.endswith((".jpg", ".bin")) for name in new), new


# Rights.


def test_who_only_reads_changes_nothing_by_any_route(server: Server, reader: Person) -> None:
    """CVE-2026-44314 (Traccar before 6.13.0: one route for uploading lacked the guard of all the others, so a read-only
    user could use it)."""
    allowed = {Action.SELF, Action.EXPORT, Action.VERIFY}
    for key, cases in CASES.items():
        method, path = key.split(" ")
        if method == "GET" or cases[0].action in allowed:
            continue
        answer = reader.ask(method, path.replace("{", "").replace("}", ""), {})
        assert (answer.status, answer.code) == (403, "no_right"), (key, answer)


def test_a_method_is_what_it_is_and_a_path_too(server: Server, reader: Person) -> None:
    """Guards that look at another method or path than the route does."""
    unit = server.api("POST", "/api/v1/units", {"name": "to stay"}).json["units"][0]["id"]
    confirm = {"confirm": unit, "reason": "r"}
    for headers in ({"x-http-method-override": "POST"}, {"x-method-override": "POST"}, {"x-http-method": "POST"}):
        assert reader.ask("GET", f"/api/v1/units/{unit}/removal?_method=POST", confirm, headers).status == 403
    for path in (f"/api/v1/units/{unit}/removal/", f"//api/v1/units/{unit}/removal",
                 f"/api/v1/units/{unit}/removal;a=b", f"/api/v1/./units/{unit}/removal",
                 f"/API/v1/units/{unit}/removal",
                 f"/api/v1/units/{unit}%2fremoval",
                 f"/api/v1/units/{unit}/removal%00", f"/static/../api/v1/units/{unit}/removal"):  # fmt: skip
        for method in ("POST", "post", "PUT"):
            assert reader.ask(method, path, confirm).status in (301, 308, 400, 403, 404, 405, 501), (method, path)
    assert server.api("GET", f"/api/v1/units/{unit}").status == 200


def test_nobody_makes_himself_more_than_he_is(server: Server, reader: Person) -> None:
    """Mass assignment: what a form does not have is taken from the body all the same."""
    more = {"role": "admin", "administrator": True, "streets": [], "rights": {"remove": "city"}, "disabled": False}
    reader.ask("POST", "/api/v1/me/password", {"old": "x", "new": "y", **more})
    server.ask("POST", "/api/v1/login", {"name": "reader", "password": "reader: a sentence nobody else has", **more})
    for body in (more, {"name": "reader", **more}, {"name": "another", **more}):
        assert reader.ask("POST", "/api/v1/accounts", body).status == 403
        assert reader.ask("PATCH", "/api/v1/accounts/reader", body).status == 403
    assert reader.ask("GET", "/api/v1/me").json["role"] == "auditor"


# Sessions and sockets.


def test_a_token_in_an_address_opens_nothing(server: Server) -> None:
    """Traccar takes a token in the address, of pages and of its socket: from there it goes into logs, histories and
    ``Referer``."""
    token = server.session
    for name in ("token", "session", "access_token", "Authorization", "auth", "jwt"):
        for path in ("/api/v1/units", "/", "/storage"):
            assert server.ask("GET", f"{path}?{name}={token}").status in (302, 401), name
        assert handshake(server, f"/feed?{name}={token}")[1] == [b"\x11\x31log in first"], name
    with raw(server, "console", b"") as link:
        link.close()
    basic = ("Authorization: Bearer " + token, f"Sec-WebSocket-Protocol: {token}")
    with Socket(server, "", headers=basic) as feed:
        assert feed.status != 101 or feed.rest() == (4401, "log in first")


def test_nobody_listens_without_a_session(server: Server) -> None:
    """Sockets that answer before a login."""
    for cookie in (
        None,
        "session=",
        "session=admin",
        "session=..",
        "JSESSIONID=1",
        "session=\xff",
        "session=" + "a" * 4000,
    ):
        assert handshake(server, "/feed", cookie=cookie)[1] in ([b"\x11\x31log in first"], []), cookie


def test_a_session_that_was_chosen_by_another_is_not_taken_up(server: Server) -> None:
    """Session fixation: a cookie that was there before the login is a session after it."""
    name = "fixed"
    with enter(server, name, role="dispatcher"):
        chosen = "a" * 43
        body = {"name": name, "password": "fixed: a sentence nobody else has"}
        answer = server.ask(
            "POST", "/api/v1/login", body, {"cookie": f"session={chosen}", "sec-fetch-site": "same-origin"}
        )
        assert answer.status == 200
        assert chosen not in answer.headers["set-cookie"]
        assert server.ask("GET", "/api/v1/me", headers={"cookie": f"session={chosen}"}).status == 401


def test_a_login_that_has_ended_ends_everything(server: Server) -> None:
    """Expired and disabled logins that kept their access, as Traccar's did."""
    for n, end in enumerate((
        lambda person: person.ask("POST", "/api/v1/logout", {}),
        lambda person: server.api("PATCH", f"/api/v1/accounts/{person.name}", {"disabled": True}),
        lambda person: server.api("DELETE", f"/api/v1/accounts/{person.name}"),
        lambda person: server.api("POST", f"/api/v1/accounts/{person.name}/password", {}),
    )):  # fmt: skip
        with enter(server, f"ended-{n}", role="dispatcher") as person, Socket(server, person.token) as feed:
            feed.say({"op": "watch", "box": WORLD, "follow": None})
            feed.until(lambda message: message["op"] == "full")
            assert end(person).status == 200
            assert (feed.rest() or (0,))[0] == 4401
            assert person.ask("GET", "/api/v1/units").status == 401
            assert handshake(server, "/feed", cookie=f"session={person.token}")[1] == [b"\x11\x31log in first"]


# Too large, too deep, too many.


@pytest.mark.parametrize(
    ("path", "size", "known"), [("/api/v1/login", 20_000, False), ("/api/v1/me/password", 300_000, True)]
)
def test_a_long_body_is_taken_apart_only_where_one_is_wanted(
    server: Server, reader: Person, path: str, size: int, known: bool
) -> None:
    """JSON of sixty million brackets: it held everybody up for twenty seconds, and nobody had to sign in for it."""
    body = b"[" + b"[]," * (size // 3) + b"[]]"
    kind = {"content-type": "application/json"}
    answer = reader.ask("POST", path, body, kind) if known else server.ask("POST", path, body, kind)
    assert (answer.status, answer.code) == (413, "too_long")


@pytest.mark.parametrize("token", ["", "Bearer none", "Basic YTpi"])
def test_what_strangers_send_does_not_fill_the_disk(server: Server, token: str) -> None:
    head = f"POST /api/v1/grids HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: {60 << 20}\r\n\r\n"
    with raw(server, "console", head.encode()) as link:
        link.sendall(bytes(60 << 20))  # read and forgotten
        assert rest(link).startswith(b"HTTP/1.1 413 ")


def test_frames_that_are_too_large(server: Server) -> None:
    """Oversized frames: by their announced length, in parts, and as control frames; and none is ever unpacked."""
    frames = [
        bytes((0x81, 0xFF)) + (1 << 62).to_bytes(8, "big") + bytes(4),
        bytes((0x81, 0xFE)) + (MESSAGE_LIMIT + 1).to_bytes(2, "big") + bytes(4),
        bytes((0x01, 0xFE))
        + MESSAGE_LIMIT.to_bytes(2, "big")
        + bytes(4 + MESSAGE_LIMIT)
        + bytes((0x80, 0x81))
        + bytes(5),
        bytes((0x89, 0xFE)) + (200).to_bytes(2, "big") + bytes(204),
        bytes((0xC1, 0x80)) + bytes(4),
        bytes((0x81, 0x01)) + b"x",
    ]
    for data in frames:
        with Socket(server, server.session) as feed:
            feed._link.sendall(data)
            code, _ = feed.rest() or (0, "")
            assert code in (1002, 1006, 1009), (data[:12], code)
    offered = ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",)
    link = raw(server, "console", "\r\n".join([
        "GET /feed HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", *offered, "", "",
    ]).encode())  # fmt: skip
    assert b"sec-websocket-extensions" not in rest(link).lower()


def test_one_who_floods_slows_nobody(server: Server) -> None:
    """CVE-2018-20743 (Mumble: whoever sent many messages kept the server from all the others)."""
    made = server.register("traccar", "flooded", networks=["127.0.0.0/8"])
    with Socket(server, server.session) as calm, Socket(server, server.session) as loud:
        calm.say({"op": "watch", "box": WORLD, "follow": None})
        calm.until(lambda message: message["op"] == "full")
        for n in range(3000):
            loud.say({"op": "watch", "box": [-90, -180, 90, 180 - n / 1e4], "follow": f"u{n}"})
        at = now_ms() // 1000
        assert phone_report(server, "flooded", lat=31.0, lon=121.0, timestamp=at).status == 200
        calm.until(lambda message: any(row[0] == made["unit"] for row in message.get("units", ())))
    entries = server.get("/api/v1/access-log?what=follow")["entries"]
    assert not [one for one in entries if str(one["unit"]).startswith("u")], "and writes nothing about nobody"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"name":' + b"9" * 1_000_000 + b"}",
        b'{"name":"n","lat":1e999999,"lon":NaN,"street":Infinity}',
        b'{"name": "' + b"x" * 1_000_000 + b'"}',
        json.dumps([{"name": "\ud800"}]).encode(),
        b'{"__proto__": {"role": "admin"}, "constructor": {"prototype": 1}, "name": ""}',
        gzip.compress(b'{"name": "' + bytes(10_000_000) + b'"}'),
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
        b"",
        b"\xff\xfe{\x00}\x00",
    ],
    ids=["deep list", "deep object", "digits", "no numbers", "long", "half a character", "prototype", "zip bomb",
         "entities", "nothing", "utf-16"],
)  # fmt: skip
def test_bodies_that_are_bombs(server: Server, body: bytes) -> None:
    """Zip and XML bombs, endless numbers and nesting: refused with words, unpacked by nobody."""
    count = len(server.get("/api/v1/units")["units"])
    for path in ("/api/v1/units", "/api/v1/devices", "/api/v1/grids", "/api/v1/login"):
        for extra in ({}, {"content-encoding": "gzip"}):
            headers = {"content-type": "application/json", **extra}
            answer = server.api("POST", path, body, headers)
            if path == "/api/v1/units" and answer.status == 201:
                assert len(answer.json["units"][0]["name"]) <= 100
                count += 1
            else:
                # 207: a list of devices, of which each is answered by itself.
                assert 400 <= answer.status < 500 or answer.status == 207, (path, answer.status)
                assert len(answer.body) < 10_000, "nor is all of it told back"
    assert len(server.get("/api/v1/units")["units"]) == count


def test_two_lengths_are_none(server: Server) -> None:
    """Request smuggling: a proxy and a server that disagree about where a request ends."""
    hidden = b"GET /api/v1/units HTTP/1.1\r\nHost: x\r\n\r\n"
    for lines in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n",
                  b"Transfer-Encoding: xchunked\r\n", b"Content-Length: +5\r\n",
                  b"Content-Length: 5, 5\r\n"):  # fmt: skip
        link = raw(server, "console", b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n0\r\n\r\n" + hidden)
        link.shutdown(socket.SHUT_WR)
        assert rest(link).count(b"HTTP/1.1 ") <= 1, lines


# What answers say.


def test_nothing_is_told_before_a_login(server: Server) -> None:
    """Mumble answers anybody's ping with its version and how many are there; here nobody learns either."""
    for door in DOORS:
        for path in ("/", "/healthz", "/metrics", "/api/v1/openapi.json", "/api/v1/me", "/version", "/api/server"):
            answer = server.ask("GET", path, port=door)
            assert answer.status in (302, 400, 401, 404), (door, path)
            assert b"version" not in answer.body.lower(), (door, path)
    assert server.ask("GET", "/login").headers["server"] == "Gridbeat"


def test_nobody_is_sent_elsewhere(server: Server) -> None:
    """Open redirects: of the login page, of doubled slashes and of the WebSocket library's own page."""
    for path in ("/", "/storage", "/phones?to=//evil.example", "//evil.example/", "//evil.example/%2e%2e",
                 "/\\evil.example",
                 "/static//evil.example", "/login?to=https://evil.example", "/feed?redirect=http://evil.example&after=0",
                 "/%2f%2fevil.example", "/?x=%0d%0aLocation:%20http://evil.example"):  # fmt: skip
        answer = server.ask("GET", path, headers={"host": "console.example"})
        where = urlsplit(answer.headers.get("location", ""))
        assert where.hostname in (None, "console.example"), (path, answer.headers)
        assert not where.path.startswith(("//", "/\\")), (path, answer.headers)


def test_no_line_of_ours_comes_from_a_request(server: Server) -> None:
    """Response splitting: line ends in what an answer's head repeats."""
    for path in ("/api/v1/units/a%0d%0aX-Evil:%201/export/file?reason=x", "/api/v1/photos/a%0d%0aX-Evil:%201",
                 "/%0d%0aX-Evil:1",
                 "/storage%0d%0aX-Evil:1", "//%0d%0aX-Evil:1//"):  # fmt: skip
        answer = server.api("GET", path)
        assert "x-evil" not in answer.headers, path


def test_errors_are_ours(server: Server) -> None:
    """Stack traces and quoted markup: an error repeats what was asked as text that no browser takes for a page."""
    for path in ("/api/v1/units/<script>alert(1)<%2fscript>", "/api/v1/devices/%3Cimg%20src=x%20onerror=alert(1)%3E",
                 "/<script>alert(1)</script>", "/static/<script>", "/api/v1/units?<script>"):  # fmt: skip
        answer = server.api("GET", path.replace(" ", "%20"))
        assert b"Traceback" not in answer.body
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        if answer.headers["content-type"].startswith("text/html"):
            assert b"<script" not in answer.body, path
    assert server.ask("TRACE", "/api/v1/units").status in (405, 501), "cross-site tracing"


def test_every_answer_keeps_foreign_script_out(server: Server) -> None:
    """Stored and reflected script, framing, sniffing: the headers are on every answer, errors and all,
    but for those of ``/feed``, which have no body."""
    for method, path in (("GET", "/"), ("GET", "/login"), ("GET", "/nowhere"), ("POST", "/api/v1/login"),
                         ("GET", "/healthz"),
                         ("PUT", "/api/v1/units"), ("GET", "/tiles/0/0/0/0"), ("GET", "/assets/none"),
                         ("GET", "/favicon.ico"), ("DELETE", "/static/app.js")):  # fmt: skip
        answer = server.ask(method, path)
        assert "content-security-policy" in answer.headers, (method, path)
        for part in ("script-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"):
            assert part in answer.headers["content-security-policy"], (method, path)
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff", (method, path)
        assert "access-control-allow-origin" not in answer.headers


FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "=cmd|'/c calc'!A1", "＝1+1"]


def cells(answer: Answer) -> list[str]:
    text = answer.body.decode("utf-8-sig")
    return [cell for row in csv.reader(io.StringIO(text)) for cell in row]


def test_no_cell_of_a_table_is_a_formula(server: Server) -> None:
    """Formulas in exports: a name that a spreadsheet runs when the table is opened."""
    units = [{"name": name, "team": name, "street": name} for name in FORMULAS]
    made = server.api("POST", "/api/v1/units", units)
    assert made.status == 201
    ids = [unit["id"] for unit in made.json["units"]]
    call = server.api("POST", "/api/v1/roll-calls", {"units": ids})
    assert call.status == 201, call
    for id in ids:
        server.api("GET", f"/api/v1/units/{id}/track?reason=%3D1%2B1")
    tables = [
        f"/api/v1/roll-calls/{call.json['id']}/csv",
        "/api/v1/attendance?format=csv&from=2026-11-01&to=2026-11-01",
        "/api/v1/access-log.csv",
    ]
    for path in tables:
        answer = server.api("GET", path)
        assert answer.status == 200, answer
        found = cells(answer)
        assert any("1+1" in cell for cell in found), path
        assert [
            cell for cell in found if cell.lstrip().startswith(("=", "+", "@", "-1", "＝")) and len(cell) > 1
        ] == [], path


def test_no_table_of_an_export_is_a_formula(server: Server) -> None:
    """The same in what a person is given of everything about him; and the folder in the file has plain names."""
    unit = server.api("POST", "/api/v1/units", {"id": "asks-for-all", "name": "=1+1"}).json["units"][0]["id"]
    assert server.api("POST", f"/api/v1/units/{unit}/export", {"reason": "=1+1"}).status == 202
    path = f"/api/v1/units/{unit}/export"
    until("it is made", lambda: server.get(f"{path}?reason=r")["state"] == "ready")
    packed = server.api("GET", f"{path}/file?reason=r")
    with zipfile.ZipFile(io.BytesIO(packed.body)) as file:
        for name in file.namelist():
            assert not name.startswith("/")
            assert ".." not in name
            assert "\\" not in name
            if name.endswith(".csv"):
                found = cells(Answer(200, {}, file.read(name)))
                assert [cell for cell in found if cell.startswith(("=", "+", "@", "\t"))] == [], name


# Texts.


def test_texts_to_devices_have_a_length_and_no_markup(server: Server) -> None:
    """CVE-2014-3755 and -3756 (Mumble: SVG and markup in messages were drawn by the receivers' programs) and messages
    of any length: a text is a text, up to 1,024 characters."""
    made = server.register("jt808", "13900000078")
    path = f"/api/v1/devices/{made['id']}/commands"
    for text in ("x" * 1025, "", 7, None, ["x"], {"a": 1}):
        assert server.api("POST", path, {"kind": "text", "text": text}).code == "bad_command", text
    given = SVG.decode()
    answer = server.api("POST", path, {"kind": "text", "text": given})
    assert answer.status == 202
    assert answer.json["arguments"]["text"] == given
    assert answer.headers["content-type"].startswith("application/json")


def test_boxes_and_names_of_the_feed_are_bounded(server: Server) -> None:
    """Values that a viewer chooses and the server keeps: numbers that are none, and names of any length."""
    for message in (
        {"op": "watch", "box": [EDGE_LIMIT * 2, 0, 0, 0], "follow": None}, {"op": "watch", "box": [None] * 4},
        {"op": "watch", "box": "x"}, {"op": "watch", "box": [1, 2, 3]}, {"op": "watch", "follow": "x\ny"},
        {"op": ["watch"]},
        {"op": "__proto__"}, {"op": None}, [], "", "{", "[" * 4000, {"op": "watch", "follow": {"a": 1}},
    ):  # fmt: skip
        with Socket(server, server.session) as feed:
            feed.say(message)
            assert feed.rest() == (3003, "not understood"), message
