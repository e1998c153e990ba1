"""What stands before every route: the headers of each answer, and that no other site's page changes anything."""

from __future__ import annotations

from typing import Any

import pytest
from klein import Klein
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from webmap.front import HEADERS, Front, is_ours

HOST = "console.example:8080"
OWN = f"http://{HOST}"


class Site:
    """A console of three routes, and what was done there."""

    def __init__(self) -> None:
        app = Klein()
        self.done: list[str] = []

        @app.route("/thing", methods=["GET", "POST", "DELETE"])
        def thing(request: Any) -> bytes:
            self.done.append(request.method.decode())
            return b"done"

        @app.route("/broken")
        def broken(request: Any) -> bytes:
            raise ValueError("hidden")

        self.front = Front(app, ("https://map.example",))

    def ask(self, method: str, path: str = "/thing", *, secure: bool = False, **headers: str) -> Request:
        channel: Any = DummyChannel()
        if secure:
            channel.transport = DummyChannel.SSL()
        request = Request(channel, False)
        for name, value in {"host": HOST, **headers}.items():
            request.requestHeaders.addRawHeader(name.replace("_", "-"), value)
        request.gotLength(0)
        channel.site.resource = self.front
        request.requestReceived(method.encode(), path.encode(), b"HTTP/1.1")
        return request


@pytest.fixture
def site() -> Site:
    return Site()


COOKIE = {"cookie": "session=s"}


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({}, True),
        ({"authorization": "Bearer t"}, True),
        ({**COOKIE, "authorization": "Bearer t"}, True),
        (COOKIE, False),
        ({**COOKIE, "origin": OWN}, True),
        ({**COOKIE, "origin": OWN.upper().replace("HTTP", "http")}, True),
        ({**COOKIE, "origin": "https://map.example"}, True),
        ({**COOKIE, "sec_fetch_site": "same-origin"}, True),
        ({**COOKIE, "sec_fetch_site": "same-site"}, False),
        ({**COOKIE, "sec_fetch_site": "cross-site"}, False),
        ({**COOKIE, "origin": "null"}, False),
        ({**COOKIE, "origin": "null", "sec_fetch_site": "same-origin"}, False),
        ({**COOKIE, "origin": ""}, False),
        ({**COOKIE, "origin": "http://evil.example"}, False),
        ({**COOKIE, "origin": f"{OWN}.evil.example"}, False),
        ({**COOKIE, "origin": "http://console.example"}, False),
        ({**COOKIE, "origin": "http://evil.example", "sec_fetch_site": "same-origin"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://evil.example", "authorization": "Basic YTpi"}, False),
        ({"sec_fetch_site": "cross-site", "authorization": "Basic YTpi"}, False),
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_only_our_own_pages_change_something(site: Site, method: str, headers: dict[str, str], taken: bool) -> None:
    request = site.ask(method, **headers)
    assert (request.code, site.done) == ((200, [method]) if taken else (403, []))


def test_what_only_reads_is_asked_by_whoever_links_to_it(site: Site) -> None:
    for method in ("GET", "HEAD"):
        assert site.ask(method, **COOKIE, origin="http://evil.example", sec_fetch_site="cross-site").code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/thing", 200), ("GET", "/nowhere", 404), ("PUT", "/thing", 403), ("GET", "/broken", 500),
     ("OPTIONS", "/thing", 405), ("POST", "/thing", 403)],
)  # fmt: skip
def test_every_answer_has_the_headers(site: Site, method: str, path: str, status: int) -> None:
    request = site.ask(method, path, **COOKIE)
    assert request.code == status
    for name, value in HEADERS.items():
        assert request.responseHeaders.getRawHeaders(name) == [value], name


@pytest.mark.parametrize(("scheme", "taken"), [("http", False), ("https", True)])
def test_over_tls_a_page_that_came_without_it_is_another_sites(site: Site, scheme: str, taken: bool) -> None:
    """Whoever can write to the line makes up any page of http on our own name; the cookie would come with it."""
    site.ask("POST", secure=True, **COOKIE, origin=f"{scheme}://{HOST}")
    assert site.done == ["POST"] * taken


def test_what_is_ours() -> None:
    assert is_ours("http://a", "a", ())
    assert is_ours("https://a:1", "A:1", ())
    for origin, host in (("null", ""), ("", ""), ("http://", ""), ("http://a", "a:1"), ("a", "a"), ("http://a@b", "b")):
        assert not is_ours(origin, host, ("http://other",)), (origin, host)
