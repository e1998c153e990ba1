"""A real server with a certificate: every site, socket and handheld over TLS, new certificates without a restart, and
plain requests answered with nothing but the way to the authority."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from protocols.handheld import Acknowledged
from tests.server import PATIENCE_S, ROOT, SECURE, Server, until
from tests.webmap.devices import Handheld, now_ms, phone_report
from tests.webmap.test_api import check
from tests.webmap.wire import Socket, handshake, raw, rest
from tracker.catalogue import PORTS

SITES = ("console", "field", "phones")


def make_certificate(server: Server, *names: str) -> str:
    """What the command tells."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tracker.certifying", *names],
        env={"PYTHONPATH": str(ROOT), "GRIDBEAT_CONFIG": str(server.config), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True, timeout=PATIENCE_S,
    )  # fmt: skip
    return done.stdout


def trusting(server: Server) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=server.data / "tls" / "ca.crt")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # The field is bound to every network, as a real one: phones are led there.
    made = Server(tmp_path_factory.mktemp("tls"), {"field": {"bind": "0.0.0.0"}, "limits": {"login_s": 2}})
    made._write_config()
    make_certificate(made, "map.lan")
    made.secure = trusting(made)
    with made as running:
        yield running


def test_the_feed_over_tls_is_for_pages_and_cookies_of_tls(server: Server) -> None:
    """A page or a cookie that came in the clear may be anybody's."""
    here = f"127.0.0.1:{server.ports['console']}"
    with Socket(server, server.session, headers=(f"Origin: https://{here}",)) as feed:
        assert feed.hear()["op"] == "hello"
    refused = [b"\x11\x31log in first"]
    cookie = f"session={server.session}"
    assert handshake(server, "/feed", origin=f"http://{here}", cookie=f"__Host-{cookie}")[1] == refused
    assert handshake(server, "/feed", origin=f"https://{here}", cookie=cookie)[1] == refused


@pytest.mark.parametrize(
    ("port", "path", "status"), [("console", "/ca", 200), ("field", "/ca", 200), ("phones", "/", 400)]
)
def test_sites_speak_tls(server: Server, port: str, path: str, status: int) -> None:
    assert server.ask("GET", path, port=port).status == status
    with server.connect(port) as link:
        assert isinstance(link, ssl.SSLSocket)
        assert link.version() == "TLSv1.3"


@pytest.mark.parametrize("port", SECURE)
def test_old_versions_are_refused(server: Server, port: str) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", server.ports[port]), PATIENCE_S) as link, pytest.raises(ssl.SSLError):
        old.wrap_socket(link)


def test_who_is_not_trusted_is_not_talked_to(server: Server) -> None:
    strict = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", server.ports["console"]), PATIENCE_S) as link:
        with pytest.raises(ssl.SSLCertVerificationError):
            strict.wrap_socket(link, server_hostname="127.0.0.1")
        link.close()
    with socket.create_connection(("127.0.0.1", server.ports["console"]), PATIENCE_S) as link:
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            trusting(server).wrap_socket(link, server_hostname="bank.example")
        link.close()


def test_cookies_are_for_tls_alone(server: Server) -> None:
    name, password = server.login
    answer = server.ask("POST", "/api/v1/login", {"name": name, "password": password})
    assert answer.status == 200
    assert "secure" in answer.headers["set-cookie"].lower()
    assert "strict-transport-security" not in answer.headers, "an authority of one's own can be lost"


def test_a_large_answer_arrives_whole(server: Server) -> None:
    page = server.ask("GET", "/static/app.js")
    assert page.status == 200
    assert page.body == (ROOT / "webmap" / "static" / "app.js").read_bytes()
    document = server.api("GET", "/api/v1/openapi.json")
    assert json.loads(document.body) == json.loads((ROOT / "webmap" / "openapi.json").read_text("utf-8"))


def test_a_handheld_and_the_live_map(server: Server) -> None:
    """From its send to the viewer's frame, both over TLS."""
    made = server.register("handheld", "h1", name="李伟")
    with Socket(server, server.session) as feed, Handheld(server, "h1", made["token"]) as handheld:
        feed.say({"op": "watch", "box": [-90, -180, 90, 180], "follow": None})
        feed.until(lambda message: message["op"] == "full")
        handheld.log_in()
        handheld.client.add_position(now_ms(), 312_300_000, 1_214_700_000)
        handheld.flush()
        handheld.wait(Acknowledged)
        feed.until(lambda message: [row for row in message.get("units", ()) if row[0] == made["unit"]])


def test_a_phone_reports(server: Server) -> None:
    server.register("traccar", "phone-1", networks=["127.0.0.0/8"])
    assert phone_report(server, "phone-1", lat=31.23, lon=121.47, timestamp=now_ms() // 1000).status == 200


def test_commands_of_this_machine_trust_the_certificate(server: Server, tmp_path: Path) -> None:
    """Whatever names it has; and no other server on that port."""
    people = tmp_path / "people.csv"
    people.write_text("id,name\np7,王芳\n")
    environment = {"PYTHONPATH": str(ROOT), "GRIDBEAT_CONFIG": str(server.config), "PATH": "/usr/bin:/bin"}
    words = [sys.executable, "-P", "-m", "webmap.importer", str(people)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert server.get("/api/v1/units/p7")["name"] == "王芳"


def test_a_device_that_has_no_tls_goes_on_without(server: Server) -> None:
    doors = {door["name"]: door for door in server.get("/healthz")["doors"]}
    assert set(doors) == {*SECURE, "jt808", *PORTS}
    for name, door in doors.items():
        assert ("tls" in door["transports"]) == (name in SECURE)
    assert doors["field"]["networks"] is None
    assert "http" + "s://0.0.0.0:" in server.told()
    assert f"tls://127.0.0.1:{server.ports['handheld']}" in server.told()


@pytest.mark.parametrize("port", SITES)
def test_a_plain_request_is_led_to_the_authority(server: Server, port: str) -> None:
    where = f"127.0.0.1:{server.ports[port]}"

    def plain(request: str) -> bytes:
        with closing(socket.create_connection(("127.0.0.1", server.ports[port]), PATIENCE_S)) as link:
            link.sendall(request.encode())
            return rest(link)

    head = f"HTTP/1.1\r\nHost: {where}\r\nAccept: text/html\r\n\r\n"
    assert f"\r\nlocation: http://{where}/ca\r\n".encode() in plain(f"GET / {head}")
    page = plain(f"GET /ca {head}")
    assert page.startswith(b"HTTP/1.1 200 ")
    assert "安装证书".encode() in page
    certificate = plain(f"GET /ca.crt {head}").partition(b"\r\n\r\n")[2]
    assert ssl.DER_cert_to_PEM_cert(certificate) == (server.data / "tls" / "ca.crt").read_text()
    for other in (f"GET /api/v1/units HTTP/1.1\r\nHost: {where}\r\n\r\n", "POST /api/v1/login HTTP/1.1\r\n\r\n{}"):
        answer = plain(other)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert f"https://{where}/".encode() in answer


def test_plain_text_to_the_handhelds_port_is_nothing(server: Server) -> None:
    with closing(socket.create_connection(("127.0.0.1", server.ports["handheld"]), PATIENCE_S)) as link:
        link.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert not rest(link).startswith(b"HTTP")


def test_a_handshake_that_never_comes_to_its_end_is_cut(server: Server) -> None:
    """On the handhelds' port as one that does not log in."""
    with closing(socket.create_connection(("127.0.0.1", server.ports["handheld"]), PATIENCE_S)) as link:
        link.sendall(b"\x16\x03\x01\x02\x00\x01")
        began = time.monotonic()
        assert rest(link) == b""
        assert time.monotonic() - began < PATIENCE_S


def test_the_page_of_the_certificate(server: Server) -> None:
    answer = server.api("GET", "/api/v1/certificate?host=192.168.7.7:8080")
    check("GET", "/api/v1/certificate", answer)
    told = answer.json
    assert (told["tls"], told["private"]) == (True, True)
    assert {"map.lan", "127.0.0.1"} <= set(told["names"])
    assert told["link"] == f"http://192.168.7.7:{server.ports['field']}/ca"
    assert told["qr"].startswith("<svg")
    made = make_certificate(server)
    assert ":".join(told["fingerprint"]).replace(" ", ":") in made
    bad = server.api("GET", "/api/v1/certificate?host=a/b")
    check("GET", "/api/v1/certificate", bad)
    assert (bad.status, bad.code) == (422, "bad_host")


def test_a_new_certificate_is_taken_without_a_restart(server: Server) -> None:
    def serial() -> bytes:
        with server.connect("console") as link:
            assert isinstance(link, ssl.SSLSocket)
            return link.getpeercert(binary_form=True) or b""

    before = serial()
    with Handheld(server, "none", "") as old:
        assert "map.lan, new.lan" in make_certificate(server, "map.lan", "new.lan")
        until("it is taken", lambda: serial() != before)
        assert old.socket.fileno() > 0
    (server.data / "tls" / "server.pem").write_text("nothing")
    now = serial()
    sick = until("it complains", lambda: (one := server.api("GET", "/healthz")).status == 503 and one)
    check("GET", "/healthz", sick)
    assert [one["what"] for one in sick.json["problems"]] == ["certificate"]
    assert "holds no certificate" in sick.json["problems"][0]["text"]
    assert serial() == now, "the one before is still shown"
    make_certificate(server)
    server.until_well()


def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("bad")
    bad = Server(tmp_path, {"tls": {"certificate": str(tmp_path / "bad.pem")}})
    with pytest.raises(AssertionError, match=r"city\.toml:\d+: \[tls\] .*bad\.pem holds no certificate"):
        bad.start()


def test_a_network_that_is_not_named_is_refused(tmp_path: Path) -> None:
    apart = {"jt808": {"networks": ["10.0.0.0/8"]}, "phones": {"networks": ["10.0.0.0/8"]}}
    with Server(tmp_path, apart) as server:
        for port in ("jt808", "phones"):
            assert rest(raw(server, port, b"")) == b""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.sendto(b"\x7e", ("127.0.0.1", server.ports["jt808"]))
        until("all three are told", lambda: sum(door["refused"] for door in server.get("/healthz")["doors"]) == 3)
        health = server.api("GET", "/healthz")
        check("GET", "/healthz", health)
        assert [one["what"] for one in health.json["warnings"]].count("networks") == 2
        assert "[jt808] refused 2 connection(s)" in str(health.json["warnings"])
