"""Connections that get nowhere, of every kind and on every port, and a service that goes on beside them. How quickly it
answers is for bench/half_open.py, which does the same with thousands."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from bench.half_open import KINDS, half_open
from protocols.handheld import Acknowledged
from storage import authority
from tests.server import Server, until
from tests.webmap.devices import Handheld, now_ms

EACH = 50


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("half-open")
    made = Server(folder, {"limits": {"login_s": 3}})
    authority.make(made.data / "tls", "Town", ["127.0.0.1"], datetime.now(UTC))
    made.secure = ssl.create_default_context(cafile=made.data / "tls" / "ca.crt")
    with made as running:
        yield running


def ended(link: socket.socket) -> bool:
    """Whether the server has hung up; reads what there is."""
    link.setblocking(False)
    try:
        while data := link.recv(4096):
            assert data
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        pass
    return True


def test_the_service_goes_on_beside_half_open_connections(server: Server) -> None:
    assert server.secure is not None
    made = server.register("handheld", "h1")
    with ExitStack() as held:
        links = {
            kind: [held.enter_context(half_open(kind, number, server.ports, server.secure)) for number in range(EACH)]
            for kind in KINDS
        }
        assert sum(map(len, links.values())) == 200
        with Handheld(server, "h1", made["token"]) as handheld:
            handheld.log_in()
            for number in range(10):
                handheld.client.add_position(now_ms() + number, 312_300_000, 1_214_700_000)
                handheld.flush()
                handheld.wait(Acknowledged)
                assert server.get("/api/v1/me")["name"] == "admin"
        assert server.get("/healthz")["status"] == "ok"
        # Those that said not who they are have their time, and no more.
        silent = [link for link in links["socket"] if not ended(link)]
        while silent:
            select.select(silent, [], [], 60)
            silent = [link for link in silent if not ended(link)]
    until("all are forgotten", lambda: server.get("/healthz")["devices_connected"] == 0)
