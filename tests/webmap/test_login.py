"""The door of a real server: who gets in, what wrong passwords cost, and what ends when somebody is put out."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.server import PATIENCE_S, Answer, Server, basic, until
from tests.webmap.people import enter, password_of
from tests.webmap.test_api import check
from tests.webmap.wire import Socket, handshake
from webmap.codes import STEP_MS, code_at
from webmap.tries import TRIES

OURS = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("login"), {"console": {"origins": ["https://map.example"]}}) as running:
        yield running


class Browser:
    """What a browser keeps of the console: its cookies, and where it is."""

    def __init__(self, server: Server, address: str = "127.0.0.1") -> None:
        self._server, self._address = server, address
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """One request, its answer held to the document."""
        port = self._server.ports["console"]
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S, source_address=(self._address, 0))
        headers = {**OURS, "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        try:
            sent = None if body is None else json.dumps(body)
            link.request(method, path, sent, headers | ({"content-type": "application/json"} if sent else {}))
            response = link.getresponse()
            for name, value in response.getheaders():
                if name.lower() == "set-cookie":
                    cookie, _, kept = value.partition(";")
                    name, _, value = cookie.partition("=")
                    self.cookies[name] = value
                    assert {"Path=/", "HttpOnly", "SameSite=Strict"} <= set(kept.strip().split("; "))
            answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            link.close()
        return check(method, path, answer) if path.startswith("/api") else answer

    def login(self, name: str, password: str, code: str | None = None) -> Answer:
        return self.ask("POST", "/api/v1/login", {"name": name, "password": password, "code": code})

    @property
    def inside(self) -> bool:
        return self.ask("GET", "/api/v1/me").status == 200


def test_login_answers_a_token_and_sets_a_cookie(server: Server) -> None:
    name, password = server.login
    browser = Browser(server)
    answer = browser.login(f" {name.upper()}", password)
    assert (answer.status, answer.json["name"], answer.json["must_change"]) == (200, name, False)
    token = answer.json["token"]
    assert browser.cookies["session"] == token
    for headers in ({"cookie": f"session={token}"}, {"cookie": f"a=b; session={token}; c=d"}, basic(name, password),
                    {"authorization": f"Bearer {token}"}, {"authorization": f"bearer  {token} "}):  # fmt: skip
        assert server.ask("GET", "/api/v1/units", headers=headers).status == 200, headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cookie": "session="},
        {"cookie": "session=YWRtaW4.9999999999999.00"},
        {"cookie": "session=\xff\xfe"},
        {"cookie": "__Host-session=none"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer YWRtaW4.9999999999999.00"},
        {"authorization": "Basic"},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic /////w=="},
        {"authorization": "Digest admin"},
        {"authorization": "\xff"},
    ],
)
def test_what_is_no_login(server: Server, headers: dict[str, str]) -> None:
    answer = server.ask("GET", "/api/v1/units", headers=headers)
    assert (answer.status, answer.code) == (401, "login")
    assert answer.json["error"]["zh"]


def test_a_header_that_is_wrong_beats_a_cookie_that_is_right(server: Server) -> None:
    headers = {"cookie": f"session={server.session}", "authorization": "Bearer none"}
    assert server.ask("GET", "/api/v1/units", headers=headers).status == 401


@pytest.mark.parametrize(
    "body", [[], {}, {"name": "admin"}, {"name": 1, "password": 2}, "x", {"name": "a", "password": "b", "code": 1}]
)
def test_a_login_that_is_none(server: Server, body: object) -> None:
    answer = server.ask("POST", "/api/v1/login", body)
    assert (answer.status, answer.code) == (422, "bad_login")


# Wrong passwords.


def test_too_many_wrong_passwords_lock_the_address(server: Server) -> None:
    name, password = server.login
    stranger = Browser(server, "127.0.0.2")
    answers = [stranger.login("admin" if n % 2 else "root", "wrong") for n in range(TRIES)]
    assert [(one.status, one.code) for one in answers] == [(401, "bad_login")] * TRIES
    locked = stranger.login(name, password)
    assert (locked.status, locked.code) == (429, "too_many_tries"), "the right one too: it could have been guessed"
    assert 0 < int(locked.headers["retry-after"]) <= 60
    assert Browser(server, "127.0.0.3").login(name, password).status == 200


def test_a_browser_that_has_signed_in_before_is_not_locked_out_with_its_address(server: Server) -> None:
    name, password = server.login
    desk, guesser = Browser(server, "127.0.0.9"), Browser(server, "127.0.0.9")
    assert desk.login(name, password).status == 200
    while guesser.login(name, "wrong").status == 401:
        pass
    assert guesser.login(name, password).status == 429
    assert desk.login(name, password).status == 200
    for _ in range(TRIES):
        assert desk.login(name, "wrong").status == 401
    assert desk.login(name, password).status == 429, "it is counted on its own"


def test_many_tries_at_once_are_no_more_than_one_after_the_other(server: Server) -> None:
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda n: Browser(server, "127.0.0.4").login("root", f"wrong {n}"), range(40)))
    statuses = [one.status for one in answers]
    assert set(statuses) == {401, 429}
    assert statuses.count(401) == TRIES


def test_basic_auth_counts_tries_too(server: Server) -> None:
    def from_five(password: str) -> int:
        link = http.client.HTTPConnection(
            "127.0.0.1", server.ports["console"], timeout=PATIENCE_S, source_address=("127.0.0.5", 0)
        )
        try:
            link.request("GET", "/healthz", headers=basic("admin", password))
            return link.getresponse().status
        finally:
            link.close()

    assert [from_five("wrong") for _ in range(TRIES)] == [401] * TRIES
    assert from_five("wrong") == 429
    assert server.ask("GET", "/healthz", headers=basic(*server.login)).status == 200
    assert from_five(server.login[1]) == 429, "not even a password that was found right a moment ago"
    path = "/api/v1/access-log?who=admin&what=login_refused"
    noted = until("it is on record", lambda: server.get(path)["entries"])
    assert "127.0.0.5" in {one["address"] for one in noted}


def test_whatever_is_wrong_is_answered_alike(server: Server) -> None:
    server.api("POST", "/api/v1/accounts", {"name": "off", "role": "leader"})
    server.api("PATCH", "/api/v1/accounts/off", {"disabled": True})
    stranger = Browser(server, "127.0.0.6")
    tries = [("nobody", "x"), ("off", "x"), ("admin", "x"), ("admin", "x" * 5000), ("admin", "\ud800"), ("", ""),
             ("x" * 5000, "x")]  # fmt: skip
    answers = [stranger.login(*one) for one in tries]
    assert len({one.body for one in answers}) == 1
    assert {one.status for one in answers} == {401}


# Sessions.


def test_a_session_of_before_the_login_does_not_survive_it(server: Server) -> None:
    """Whoever plants a session in somebody's browser has nothing of it."""
    name, password = server.login
    planted = Browser(server)
    planted.login(name, password)
    victim = Browser(server)
    victim.cookies["session"] = planted.cookies["session"]
    assert victim.login(name, password).status == 200
    assert victim.cookies["session"] != planted.cookies["session"]
    assert (planted.inside, victim.inside) == (False, True)
    victim.cookies["session"] = "made-up-by-somebody"
    victim.login(name, password)
    assert victim.cookies["session"] != "made-up-by-somebody"


def test_logout_ends_the_session_for_whoever_holds_it(server: Server) -> None:
    browser = Browser(server)
    token = browser.login(*server.login).json["token"]
    with Socket(server, token) as feed:
        assert feed.hear()["op"] == "hello"
        assert browser.ask("POST", "/api/v1/logout").status == 200
        assert feed.rest() == (4401, "the session has ended")
    assert browser.cookies["session"] == ""
    assert server.ask("GET", "/api/v1/units", headers={"authorization": f"Bearer {token}"}).status == 401


def test_one_sees_and_ends_ones_own_sessions(server: Server) -> None:
    with enter(server, "sessions", role="leader"):
        password = password_of("sessions")
    here, there, third = (Browser(server) for _ in range(3))
    for one in (there, third, here):
        one.login("sessions", password)
    found = here.ask("GET", "/api/v1/me/sessions").json["sessions"]
    assert [one["this"] for one in found].count(True) == 1
    assert len(found) == 4, "and the one it was made with"
    assert here.cookies["session"] not in json.dumps(found)
    (mine,) = there.ask("GET", "/api/v1/me/sessions").json["sessions"][:1]
    assert mine["this"]
    assert here.ask("DELETE", f"/api/v1/me/sessions/{mine['id']}").json == {"ended": 1}
    assert [one.inside for one in (here, there, third)] == [True, False, True]
    assert here.ask("DELETE", f"/api/v1/me/sessions/{mine['id']}").status == 404
    assert Browser(server).ask("DELETE", "/api/v1/me/sessions").status == 401
    assert here.ask("DELETE", "/api/v1/me/sessions").json == {"ended": 2}
    assert [one.inside for one in (here, there, third)] == [True, False, False]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"disabled": True}),
        ("PATCH", "", {"role": "collector"}),
        ("POST", "/password", None),
        ("DELETE", "", None),
    ],
)
def test_who_is_put_out_is_out_at_once(server: Server, method: str, path: str, body: dict[str, Any] | None) -> None:
    name = f"out-{method}{path.replace('/', '-')}-{next(iter(body or ['all']))}".lower()
    with enter(server, name, role="leader") as person, Socket(server, person.token) as feed:
        assert feed.hear()["op"] == "hello"
        assert person.ask("GET", "/api/v1/me").status == 200
        answer = server.api(method, f"/api/v1/accounts/{name}{path}", body)
        assert check(method, f"/api/v1/accounts/x{path}", answer).status == 200, answer
        # No wait for the feed's next look at sessions: that it ends here at all is told by the code and its words.
        assert feed.rest() == (4401, "the session has ended")
        assert person.ask("GET", "/api/v1/me").status == 401
        found = handshake(server, "/feed", cookie=f"session={person.token}")
        assert found == (101, [b"\x11\x31log in first"])


# Passwords, and the second step.


def test_a_first_password_opens_nothing_but_the_way_to_another(server: Server) -> None:
    made = server.api("POST", "/api/v1/accounts", {"name": "新人", "role": "dispatcher"})
    assert check("POST", "/api/v1/accounts", made).status == 201
    first = made.json["password"]
    browser = Browser(server)
    assert browser.login("新人", first).json["must_change"] is True
    for path in ("/api/v1/me", "/api/v1/units", "/api/v1/me/sessions"):
        answer = server.ask("GET", path, headers={"cookie": f"session={browser.cookies['session']}"})
        assert (answer.status, answer.code) == (403, "must_change"), path
    assert browser.ask("GET", "/").headers["location"] == "/login"
    assert server.ask("GET", "/api/v1/units", headers=basic("新人", first)).code == "must_change"
    token = browser.cookies["session"]
    assert handshake(server, "/feed", cookie=f"session={token}")[1] == [b"\x11\x31log in first"]
    wrong = {"old": "not it", "new": "a sentence of my own"}
    assert browser.ask("POST", "/api/v1/me/password", wrong).code == "wrong_password"
    for new in (first, "short", "新人新人新人新人新人新人", 12, None):
        assert browser.ask("POST", "/api/v1/me/password", {"old": first, "new": new}).code == "bad_password"
    right = {"old": first, "new": "a sentence of my own"}
    assert browser.ask("POST", "/api/v1/me/password", right).status == 200
    assert browser.inside
    assert browser.cookies["session"] != token
    assert Browser(server).login("新人", first).status == 401
    assert Browser(server).login("新人", "a sentence of my own").json["must_change"] is False


def test_two_step_sign_in(server: Server) -> None:
    with enter(server, "careful", role="leader"):
        pass
    password, browser = password_of("careful"), Browser(server)
    browser.login("careful", password)
    assert browser.ask("POST", "/api/v1/me/totp", {"password": "wrong"}).code == "wrong_password"
    begun = browser.ask("POST", "/api/v1/me/totp", {"password": password}).json
    assert begun["qr"].startswith("<svg")
    assert browser.ask("POST", "/api/v1/me/totp/confirm", {"code": "000000"}).code == "bad_code"

    def code(ahead: int) -> str:
        return code_at(begun["secret"], time.time_ns() // 1_000_000 // STEP_MS + ahead)

    done = browser.ask("POST", "/api/v1/me/totp/confirm", {"code": code(-1)})
    assert (done.status, len(done.json["recovery_codes"])) == (200, 8)
    assert browser.ask("GET", "/api/v1/me").json["totp"] is True

    other = Browser(server, "127.0.0.7")
    asked = other.login("careful", password)
    assert (asked.status, asked.code, "session" in other.cookies) == (401, "code_needed", False)
    assert other.login("careful", "wrong", code(0)).code == "bad_login"
    assert other.login("careful", password, "123").code == "bad_login"
    assert other.login("careful", password, code(0)).status == 200
    assert other.login("careful", password, code(0)).code == "bad_login", "a code works once"
    spare = done.json["recovery_codes"][2]
    assert other.login("careful", password, spare.upper()).status == 200
    assert other.login("careful", password, spare).code == "bad_login", "and so does a recovery code"
    assert other.ask("GET", "/api/v1/me").json["recovery_codes"] == 7
    program = server.ask("GET", "/api/v1/units", headers=basic("careful", password))
    assert (program.status, program.code) == (401, "code_needed")

    assert browser.ask("POST", "/api/v1/me/totp/off", {"password": password}).status == 200
    assert not other.inside
    assert Browser(server).login("careful", password).status == 200


# Accounts.


def test_accounts_are_listed_without_what_opens_them(server: Server) -> None:
    listed = server.api("GET", "/api/v1/accounts")
    found = check("GET", "/api/v1/accounts", listed).json["accounts"]
    assert "admin" in {one["name"] for one in found}
    assert b"argon2" not in listed.body
    assert (
        check("GET", "/api/v1/roles", server.api("GET", "/api/v1/roles")).json["actions"]["accounts"]["admin"] == "city"
    )
    assert server.api("GET", "/api/v1/accounts/nobody").status == 404
    for body, code in (
        ({"name": "admin", "role": "admin"}, "exists"), ({"name": "x"}, "bad_role"), ({"name": "a b"}, "bad_name"),
        ({"name": "x", "role": "street"}, "no_streets"), ({"name": "x", "role": "admin", "unit": "no"}, "no_unit"),
        ({"name": "x", "role": "admin", "password": "mine"}, "bad_account"), ([], "bad_account"),
    ):  # fmt: skip
        answer = server.api("POST", "/api/v1/accounts", body)
        assert check("POST", "/api/v1/accounts", answer).code == code, body


def test_the_last_admin_stays_one(server: Server) -> None:
    for method, body in (("PATCH", {"role": "leader"}), ("PATCH", {"disabled": True}), ("DELETE", None)):
        answer = server.api(method, "/api/v1/accounts/admin", body)
        assert (answer.status, answer.code) == (409, "last_admin")


def test_signing_in_is_on_record(server: Server) -> None:
    with enter(server, "noted", role="leader"):
        Browser(server).login("noted", "wrong")

    def seen() -> set[str]:
        return {one["what"] for one in server.get("/api/v1/access-log?who=noted")["entries"]}

    until("the looks are there", lambda: {"login", "login_refused", "account_change"} <= seen())


# Pages and the feed.


def test_a_form_of_another_site_changes_nothing(server: Server) -> None:
    """What a page elsewhere can send with the cookie and without asking first is not JSON by its content type."""
    cookie = {"cookie": f"session={server.session}", **OURS}
    for kind in ("application/x-www-form-urlencoded", "text/plain"):
        answer = server.ask("POST", "/api/v1/units", b'{"name": "forged"}', {**cookie, "content-type": kind})
        assert answer.status == 415
    assert server.get("/api/v1/units")["units"] == []
    answer = server.ask("OPTIONS", "/api/v1/units", headers={**cookie, "origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


Open = Callable[..., tuple[int, list[bytes]]]


@pytest.fixture
def open_feed(server: Server) -> Open:
    def call(origin: str | None = None, cookie: str | None = None) -> tuple[int, list[bytes]]:
        return handshake(server, "/feed", origin=origin, cookie=cookie)

    return call


def test_the_feed_is_for_sessions_only(server: Server, open_feed: Open) -> None:
    good = f"session={server.session}"
    status, frames = open_feed(cookie=good)
    assert (status, json.loads(frames[0])["op"]) == (101, "hello")
    for cookie in (None, "session=", "session=forged", f"other={server.session}"):
        assert open_feed(cookie=cookie) == (101, [b"\x11\x31log in first"]), "closed with 4401, told nothing"


def test_the_feed_is_for_our_own_pages_only(server: Server, open_feed: Open) -> None:
    good, own = f"session={server.session}", f"127.0.0.1:{server.ports['console']}"
    for origin in (f"http://{own}", f"https://{own}", "https://map.example"):
        status, frames = open_feed(origin, good)
        assert (status, json.loads(frames[0])["op"]) == (101, "hello"), origin
    for origin in ("http://evil.example", f"http://{own}.evil.example", "https://map.example.evil", "null", "http://"):
        status, frames = open_feed(origin, good)
        assert b"hello" not in b"".join(frames), origin
