"""One head to one address, over real sockets: what counts as delivered, and who is believed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import ssl
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHostnameResolver
from twisted.web.client import BrowserLikePolicyForHTTPS
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer

from storage.archive.head_post import NotDelivered, host_of, post
from tests.reactor import reactor, run_deferred

SECRET = "word-of-the-hook"


class Taker(Resource):
    """Answers every request with ``code`` and notes it; ``code`` 0 never answers."""

    isLeaf = True

    def __init__(self, code: int, body: bytes = b"thanks", **headers: str) -> None:
        super().__init__()
        self.code, self.body, self.headers = code, body, headers
        self.taken: list[tuple[bytes, bytes, str | None]] = []

    def render(self, request: Any) -> Any:
        self.taken.append((request.method, request.content.read(), request.getHeader("content-type")))
        if not self.code:
            return NOT_DONE_YET
        request.setResponseCode(self.code)
        for name, value in self.headers.items():
            request.setHeader(name, value)
        return self.body


@implementer(IHostnameResolver)
class Names:
    """Names of this machine. Twisted's own asks in the threads of a reactor that is running."""

    def resolveHostName(self, receiver: Any, name: str, portNumber: int = 0, *_: Any, **__: Any) -> Any:
        receiver.resolutionBegan(None)
        receiver.addressResolved(IPv4Address("TCP", {"localhost": "127.0.0.1"}.get(name, name), portNumber))
        receiver.resolutionComplete()
        return receiver


@pytest.fixture
def listening() -> Iterator[Any]:
    ports = []
    before = reactor().installNameResolver(Names())

    def listen(taker: Taker, context: Any = None) -> int:
        site = Site(taker)
        where = {"interface": "127.0.0.1"}
        port = reactor().listenSSL(0, site, context, **where) if context else reactor().listenTCP(0, site, **where)
        ports.append(port)
        return int(port.getHost().port)

    yield listen
    for port in ports:
        run_deferred(port.stopListening())
    reactor().installNameResolver(before)


def url(port: int, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{port}/hooks/{SECRET}?key={SECRET}"


def refusal(*words: Any, **more: Any) -> str:
    with pytest.raises(NotDelivered) as caught:
        run_deferred(post(*words, reactor(), **more))
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("code", [200, 201, 202, 204])
def test_2xx_is_delivered(listening: Any, code: int) -> None:
    taker = Taker(code, b"" if code == 204 else b"x" * 100_000)
    run_deferred(post(url(listening(taker)), b'{"a":1}', reactor()))
    assert taker.taken == [(b"POST", b'{"a":1}', "application/json")]


def test_the_path_is_asked_for_as_it_is(listening: Any) -> None:
    paths: list[bytes] = []
    taker = Taker(200)
    taker.render = lambda request: paths.append(request.uri) or b""  # type: ignore[func-returns-value, method-assign]
    port = listening(taker)
    for path in ("", "/", "/a%20b/c?d=%2F&e"):
        run_deferred(post(f"http://127.0.0.1:{port}{path}", b"{}", reactor()))
    assert paths == [b"/", b"/", b"/a%20b/c?d=%2F&e"]


@pytest.mark.parametrize("code", [400, 404, 500, 503])
def test_anything_else_is_not(listening: Any, code: int) -> None:
    assert refusal(url(listening(Taker(code))), b"{}") == f"it answered {code}"


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_nobody_sends_it_elsewhere(listening: Any, code: int) -> None:
    elsewhere = Taker(200)
    other = listening(elsewhere)
    taker = Taker(code, location=url(other))
    assert refusal(url(listening(taker)), b"{}") == f"it answered {code}"
    assert len(taker.taken) == 1
    assert elsewhere.taken == []


def test_who_never_answers_is_not_waited_for(listening: Any) -> None:
    told = refusal(url(listening(Taker(0))), b"{}", timeout=0.2)
    assert told == "127.0.0.1 did not answer in time"


def test_who_is_not_there(listening: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        told = refusal(url(free.getsockname()[1]), b"{}")
    assert told.startswith("127.0.0.1: Connection was refused")


def make_certificate(folder: Path) -> tuple[Any, Any]:
    """A certificate for 127.0.0.1 that nobody has signed but itself: its context, and the one who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(secret + pem)
    own = ssl.PrivateCertificate.loadPEM((folder / "both.pem").read_bytes())
    trusting = BrowserLikePolicyForHTTPS(ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(pem)]))
    return own.options(), trusting


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")  # by Twisted itself
def test_a_certificate_is_believed_when_its_authority_is(listening: Any, tmp_path: Path) -> None:
    context, trusting = make_certificate(tmp_path)
    taker = Taker(200)
    port = listening(taker, context)
    told = refusal(url(port, "https"), b"{}")
    assert told == "127.0.0.1: certificate verify failed"
    other = url(port, "https").replace("127.0.0.1", "localhost")
    assert refusal(other, b"{}", policy=trusting) == "localhost: its certificate is for another name"
    assert taker.taken == []
    run_deferred(post(url(port, "https"), b"{}", reactor(), policy=trusting))
    assert len(taker.taken) == 1


def test_of_an_address_only_its_host_is_told() -> None:
    assert host_of(f"https://watch.example:8443/{SECRET}?{SECRET}") == "watch.example"
