"""Links that are of no use are closed: never logged in, fallen silent, half a request; and those in use are not."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing

import pytest

from protocols.handheld import Client, Framer, frame
from protocols.jt808.client import Terminal
from tests.faults.fleet import Device, found_city, wall
from tests.faults.server import PATIENCE, Server

LOGIN_SECONDS = 2
IDLE_SECONDS = 5
SETTINGS = {"limits": f"login_s = {LOGIN_SECONDS}\nidle_s = {IDLE_SECONDS}"}


@pytest.fixture
def settings() -> dict[str, str]:
    return SETTINGS


def _connect(server: Server, door: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.ports[door]), PATIENCE)


def _closed(link: socket.socket) -> bool:
    """Whether the other side has closed; what it said before is read and forgotten."""
    link.setblocking(False)
    try:
        while link.recv(65536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _log_in_handheld(link: socket.socket, device: Device) -> None:
    core, framer = Client(device.external_id, device.token), Framer()
    core.connected(wall())
    link.sendall(b"".join(frame(message) for message in core.messages_to_send(wall())))
    while core.state.name != "ONLINE":
        for message in framer.receive_data(link.recv(65536)):
            core.receive_message(message, wall())


def _log_in_terminal(link: socket.socket, device: Device) -> None:
    core = Terminal(device.external_id, token=device.token)
    core.connect()
    core.authenticate()
    link.sendall(b"".join(core.data_to_send()))
    while not core.authenticated:
        core.receive_data(link.recv(65536))


LOGINS: dict[str, Callable[[socket.socket, Device], None]] = {
    "handheld": _log_in_handheld,
    "jt808": _log_in_terminal,
}


BEGINNINGS = {"handheld": b"\x00\x00\x10\x00", "jt808": b"\x7e\x01\x02"}
"""Messages that are not ended."""


def test_idle_and_half_open_links_are_closed(server: Server) -> None:
    fleet = {device.kind: device for device in found_city(server.data, 2, kinds=tuple(LOGINS))}
    server.start()
    with ExitStack() as stack:
        links: dict[str, socket.socket] = {}
        for door, log_in in LOGINS.items():
            for way in ("mute", "dripping", "silent"):
                links[f"{door}, {way}"] = stack.enter_context(closing(_connect(server, door)))
            # A device whose network is gone says no goodbye: to the server it is one that falls silent.
            log_in(links[f"{door}, silent"], fleet[door])
            links[f"{door}, dripping"].sendall(BEGINNINGS[door])
        began = time.monotonic()
        while links:
            assert time.monotonic() - began < PATIENCE, f"still open: {', '.join(links)}"
            for name, link in list(links.items()):
                if _closed(link) or (name.endswith("dripping") and not _drip(link)):
                    print(f"{name}: closed after {time.monotonic() - began:.1f} s")
                    del links[name]
            time.sleep(0.25)
        counters = server.api("/api/v1/counters")["protocols"]
    for door in LOGINS:
        assert counters[door]["refused"]["no_login"] == 2
        assert counters[door]["refused"]["idle"] == 1
        assert counters[door]["connections"] == 0


def _drip(link: socket.socket) -> bool:
    """One more byte of a message that never ends; false when the other side is gone."""
    try:
        link.setblocking(True)
        link.sendall(b"\x01")
    except OSError:
        return False
    return True


def test_link_in_use_is_kept(server: Server) -> None:
    """Twice the idle time with a sign of life now and then."""
    (device,) = found_city(server.data, 1, kinds=("jt808",))
    server.start()
    with closing(_connect(server, "jt808")) as link:
        core = Terminal(device.external_id, token=device.token)
        core.connect()
        core.authenticate()
        for _ in range(4 * IDLE_SECONDS):
            link.sendall(b"".join(core.data_to_send()))
            core.receive_data(link.recv(65536))
            assert core.authenticated
            core.heartbeat()
            time.sleep(0.5)
        assert not _closed(link)


@pytest.mark.long
@pytest.mark.parametrize("door", ["console", "field", "phones"])
def test_half_a_request_is_cut(server: Server, door: str) -> None:
    server.start()
    with closing(_connect(server, door)) as link:
        link.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        began = time.monotonic()
        while not _closed(link):
            assert time.monotonic() - began < 120
            link.setblocking(True)
            link.sendall(b"a")
            time.sleep(0.5)


def test_device_that_never_reads_costs_nothing(server: Server) -> None:
    """It sends and sends and leaves the answers: it is read no further, and closed as one that is silent."""
    (device,) = found_city(server.data, 1, kinds=("jt808",))
    server.start()
    with closing(socket.socket()) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.settimeout(PATIENCE)
        link.connect(("127.0.0.1", server.ports["jt808"]))
        _log_in_terminal(link, device)
        core = Terminal(device.external_id)
        for _ in range(1000):
            core.heartbeat()
        beats = b"".join(core.data_to_send())
        while _takes(link, beats):
            pass
    assert server.health()["status"] == "ok"


def _takes(link: socket.socket, data: bytes) -> bool:
    """Whether the link is still there; a link that takes nothing for long raises TimeoutError."""
    try:
        link.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True
