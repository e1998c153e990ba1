"""Who may look: signed sessions, the account, and how a real server answers to wrong passwords and foreign pages."""

from __future__ import annotations

import base64
import http.client
import json
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.server import PATIENCE_S, Answer, Server, basic
from tests.webmap.wire import handshake
from webmap.sessions import NOBODY, SESSION_MS, TRIES, FirstAdmin, Sessions, hashed, matches, secret_of

SECRET = bytes(range(32))
NOON = 1_795_435_200_000


class Watch:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def sessions(watch: Watch) -> Sessions:
    return Sessions(SECRET, watch)


# Sessions.


@pytest.mark.parametrize("name", ["admin", "王伟", "a.b c;d", ""])
def test_a_session_is_good_for_a_week(sessions: Sessions, watch: Watch, name: str) -> None:
    session = sessions.open(name)
    assert ";" not in session
    assert session.isascii()
    for at in (0, SESSION_MS):
        watch.now = NOON + at
        assert sessions.read(session) == name
    watch.now = NOON + SESSION_MS + 1
    assert sessions.read(session) is None


def test_a_restart_logs_nobody_out_and_another_folder_nobody_in(sessions: Sessions, watch: Watch) -> None:
    session = sessions.open("admin")
    assert Sessions(SECRET, watch).read(session) == "admin"
    assert Sessions(bytes(32), watch).read(session) is None


def test_a_session_with_any_other_letter_is_none(sessions: Sessions) -> None:
    session = sessions.open("admin")
    for at, letter in enumerate(session):
        for other in "0aA.":
            if other != letter:
                assert sessions.read(session[:at] + other + session[at + 1 :]) is None
        assert sessions.read(session[:at]) is None
    assert sessions.read(session + "0") is None


@pytest.mark.parametrize(
    "session", ["", ".", "..", "a.b.c", "YWRtaW4.9999999999999.", "\x00\xff", "\ud800.1.2", "é.é.é"]
)
def test_what_is_no_session_at_all(sessions: Sessions, session: str) -> None:
    assert sessions.read(session) is None


def test_a_later_end_cannot_be_written_in(sessions: Sessions, watch: Watch) -> None:
    name, expiry, signature = sessions.open("admin").split(".")
    watch.now = NOON + SESSION_MS + 1
    assert sessions.read(f"{name}.{int(expiry) + SESSION_MS}.{signature}") is None
    other = base64.urlsafe_b64encode(b"root").decode().rstrip("=")
    watch.now = NOON
    assert sessions.read(f"{other}.{expiry}.{signature}") is None


def test_tries_are_counted_by_address_and_minute(sessions: Sessions, watch: Watch) -> None:
    for _ in range(TRIES):
        assert sessions.may_try("a")
        sessions.failed("a")
    assert not sessions.may_try("a")
    assert sessions.may_try("b")
    watch.now += 60_000
    assert not sessions.may_try("a")
    watch.now += 1
    assert sessions.may_try("a")
    sessions.failed("a")
    assert sessions.may_try("a"), "a new minute has begun"


def test_tries_of_many_addresses_are_forgotten_in_the_end(sessions: Sessions) -> None:
    for number in range(10_050):
        sessions.failed(f"a{number}")
    assert len(sessions._failures) == 10_000


def test_a_checked_password_is_remembered_for_a_while(sessions: Sessions, watch: Watch) -> None:
    sessions.remember("admin", "secret")
    assert sessions.checked("admin", "secret")
    assert not sessions.checked("admin", "secret ")
    assert not sessions.checked("admins", "ecret"), "where the name ends is part of it"
    assert b"secret" not in repr(sessions._checked).encode()
    watch.now += 300_000
    assert not sessions.checked("admin", "secret")


# The first account.


def test_the_first_start_makes_a_password(tmp_path: Path) -> None:
    first = FirstAdmin(tmp_path)
    assert first.password() is None
    stored = first.make()
    name, password = first.note.read_text().split()
    assert (first.name, first.password()) == (name, password)
    assert len(password) >= 16
    assert stat.S_IMODE(first.note.stat().st_mode) == 0o600
    assert password not in stored
    assert matches(stored, password)
    assert not matches(stored, password[:-1])
    assert not matches(stored, "\ud800")
    assert not matches(NOBODY, password)
    first.note.unlink()
    assert first.password() is None


def test_the_account_of_an_older_version_keeps_its_password(tmp_path: Path) -> None:
    former = tmp_path / "account.json"
    former.write_text(json.dumps({"name": "admin", "argon2id": hashed("as before")}))
    first = FirstAdmin(tmp_path)
    assert matches(first.make(), "as before")
    assert not first.note.exists()
    first.done()
    assert not former.exists()


def test_the_secret_of_a_folder_stays(tmp_path: Path) -> None:
    secret = secret_of(tmp_path)
    assert len(secret) == 32
    assert secret_of(tmp_path) == secret
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert secret_of(tmp_path / "other") != secret


# A real server.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("sessions"), {"console": {"origins": ["https://map.example"]}}) as running:
        yield running


def test_login_answers_a_token_and_sets_a_cookie(server: Server) -> None:
    name, password = server.login
    answer = server.ask("POST", "/api/v1/login", {"name": name, "password": password})
    assert (answer.status, answer.json["name"]) == (200, name)
    cookie = answer.headers["set-cookie"]
    first, *attributes = cookie.split("; ")
    assert first == f"session={answer.json['token']}"
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    for headers in ({"cookie": first}, {"cookie": f"a=b; {first}; c=d"}, basic(name, password),
                    {"authorization": f"Bearer {answer.json['token']}"},
                    {"authorization": f"bearer  {answer.json['token']} "}):  # fmt: skip
        assert server.ask("GET", "/api/v1/units", headers=headers).status == 200, headers
    out = server.ask("POST", "/api/v1/logout", headers={"cookie": first, "sec-fetch-site": "same-origin"})
    assert (out.status, "session=;" in out.headers["set-cookie"]) == (200, True)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cookie": "session="},
        {"cookie": "session=YWRtaW4.9999999999999.00"},
        {"cookie": "session=\xff\xfe"},
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


@pytest.mark.parametrize("body", [[], {}, {"name": "admin"}, {"name": 1, "password": 2}, "x"])
def test_a_login_that_is_none(server: Server, body: object) -> None:
    answer = server.ask("POST", "/api/v1/login", body)
    assert (answer.status, answer.code) == (422, "bad_login")


def ask_from(server: Server, address: str, password: str, name: str = "admin") -> Answer:
    """A login from another address of this machine."""
    port = server.ports["console"]
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S, source_address=(address, 0))
    try:
        body = json.dumps({"name": name, "password": password})
        link.request("POST", "/api/v1/login", body, {"content-type": "application/json"})
        response = link.getresponse()
        return Answer(response.status, {}, response.read())
    finally:
        link.close()


def test_too_many_wrong_passwords_lock_the_address(server: Server) -> None:
    name, password = server.login
    answers = [ask_from(server, "127.0.0.2", "wrong", "admin" if n % 2 else "root") for n in range(TRIES)]
    assert [(one.status, one.code) for one in answers] == [(401, "bad_login")] * TRIES
    locked = ask_from(server, "127.0.0.2", password, name)
    assert (locked.status, locked.code) == (429, "too_many_tries"), "the right one too: it could have been guessed"
    assert ask_from(server, "127.0.0.3", password, name).status == 200


def test_many_tries_at_once_are_no_more_than_one_after_the_other(server: Server) -> None:
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda n: ask_from(server, "127.0.0.4", f"wrong {n}"), range(40)))
    statuses = [one.status for one in answers]
    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= TRIES + 1, "two are checked at a time"


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


def test_a_form_of_another_site_changes_nothing(server: Server) -> None:
    """What a page elsewhere can send with the cookie and without asking first is not JSON by its content type."""
    cookie = {"cookie": f"session={server.session}", "sec-fetch-site": "same-origin"}
    for kind in ("application/x-www-form-urlencoded", "text/plain"):
        answer = server.ask("POST", "/api/v1/units", b'{"name": "forged"}', {**cookie, "content-type": kind})
        assert answer.status == 415
    assert server.get("/api/v1/units")["units"] == []
    answer = server.ask("OPTIONS", "/api/v1/units", headers={**cookie, "origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


# The feed.


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
