"""What a plain request to a port of TLS is answered: the way to the authority, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from storage import authority
from webmap.authority_page import AuthorityPage, rows
from webmap.page import STATIC


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> x509.Certificate:
    folder: Path = tmp_path_factory.mktemp("authority")
    return authority.make(folder, "Town <b>", ["127.0.0.1"], datetime.now(UTC)).authority


@pytest.fixture(scope="module")
def private(made: x509.Certificate) -> AuthorityPage:
    return AuthorityPage(STATIC, "Town <b>{name}", lambda: made)


def ask(page: AuthorityPage, request: str) -> tuple[int, dict[str, str], bytes]:
    head, _, body = page.plain(request.encode("latin-1"), "192.0.2.1", 8081).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


def test_the_page_and_the_file(private: AuthorityPage, made: x509.Certificate) -> None:
    status, headers, body = ask(private, "GET /ca HTTP/1.1\r\nHost: map.lan:8081\r\nAccept-Language: en-GB\r\n\r\n")
    assert (status, headers["content-language"], int(headers["content-length"])) == (200, "en", len(body))
    assert b"https://map.lan:8081/" in body
    assert b"Town &lt;b&gt;{name}" in body, "what was filled in is not looked at again"
    status, headers, body = ask(private, "GET /ca.crt HTTP/1.1\r\nHost: map.lan:8081\r\n\r\n")
    assert (status, headers["content-type"]) == (200, "application/x-x509-ca-cert")
    assert body == made.public_bytes(Encoding.DER)
    assert ask(private, "HEAD /ca HTTP/1.1\r\nHost: map.lan:8081\r\n\r\n")[2] == b""
    assert (
        ask(private, "GET /ca?lang=zh HTTP/1.1\r\nHost: x\r\nAccept-Language: en\r\n\r\n")[1]["content-language"]
        == "zh"
    )


@pytest.mark.parametrize(
    ("request_", "status", "told"),
    [
        ("GET / HTTP/1.1\r\nHost: a:8081\r\nAccept: text/html,*/*\r\n\r\n", 302, "http://a:8081/ca"),
        ("GET /api/v1/units HTTP/1.1\r\nHost: a:8081\r\n\r\n", 400, "https://a:8081/"),
        ("POST /api/v1/login HTTP/1.1\r\nHost: a:8081\r\n\r\nsecret", 400, "https://a:8081/"),
        ("GET /ca HTTP/1.1\r\nHost: evil\\@x y\r\n\r\n", 200, "https://192.0.2.1:8081/"),
        ("GET / HTTP/1.1\r\n\r\n", 400, "https://192.0.2.1:8081/"),
        ("GET", 400, "https://192.0.2.1:8081/"),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n", 400, "https://a/"),
        ("GET /\x01 HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n", 400, "https://a/"),
    ],
)
def test_everything_else(private: AuthorityPage, request_: str, status: int, told: str) -> None:
    answer = ask(private, request_)
    assert answer[0] == status
    assert told in answer[1].get("location", "") or told in answer[2].decode()
    assert b"secret" not in answer[2]


def test_without_an_authority_of_our_own_it_leads_to_https() -> None:
    page = AuthorityPage(STATIC, "Town", lambda: None)
    assert ask(page, "GET /x?y HTTP/1.1\r\nHost: a:1\r\n\r\n")[:2][0] == 307
    assert ask(page, "GET /x?y HTTP/1.1\r\nHost: a:1\r\n\r\n")[1]["location"] == "https://a:1/x?y"
    assert ask(page, "POST /x HTTP/1.1\r\nHost: a:1\r\n\r\n")[0] == 400
    assert page.answer("/ca", "a", {}).status == 404
    assert page.answer("/ca.crt", "a", {}).status == 404


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    page = AuthorityPage(STATIC, "Town", lambda: None)
    for request in (data, b"GET / HTTP/1.1\r\nHost: " + data + b"\r\n\r\n", b"GET /" + data + b" HTTP/1.1\r\n\r\n"):
        answer = page.plain(request, "::1", 8081)
        head = answer.partition(b"\r\n\r\n")[0]
        assert answer.startswith((b"HTTP/1.1 307 ", b"HTTP/1.1 400 "))
        assert all(line.count(b": ") >= 1 for line in head.split(b"\r\n")[1:]), "no header of their own making"


def test_rows_are_short_enough_for_a_phone() -> None:
    assert rows(":".join(f"{n:02X}" for n in range(32)))[1] == "08 09 0A 0B 0C 0D 0E 0F"
