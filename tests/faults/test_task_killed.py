"""A task on a real server that is killed at each step of its way: what was acknowledged is not lost, nobody holds it
twice, and whoever has it goes on."""

from __future__ import annotations

import hashlib
import http.client
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from protocols.handheld import Acknowledged, Client, Framer, Held, Revoked, Standing, TaskTold, Welcome, frame
from tests.faults.fleet import Device, found_city
from tests.faults.server import PATIENCE, Server, until

PICTURE = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + bytes(300_000) + b"\xff\xd9"
DIGEST = hashlib.sha256(PICTURE).hexdigest()


class Handheld:
    """One that outlives its links and the server."""

    def __init__(self, server: Server, device: Device) -> None:
        self.server, self.device = server, device
        self.client = Client(device.external_id, device.token, tasks=True)
        self.screen: dict[str, TaskTold] = {}
        self.codes: dict[str, str] = {}
        """What was answered last, by our own ids."""
        self.acknowledged = 0
        self._said = 0
        self._link: socket.socket | None = None
        self._framer = Framer()

    def connect(self) -> None:
        """A new link, as soon as there is a server."""
        self.cut()
        end = time.monotonic() + PATIENCE
        while self._link is None:
            assert time.monotonic() < end, "nobody listens"
            with suppress(OSError):
                self._link = socket.create_connection(("127.0.0.1", self.server.ports["handheld"]), PATIENCE)
        self._link.settimeout(0.05)
        self._framer = Framer()
        self.client.connected(now())
        heard: list[Any] = []
        self.screen.clear()
        self.pump(lambda: Welcome in map(type, heard), "the welcome", heard.append)

    def cut(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
            self.client.disconnected()

    def pump(self, true: Callable[[], object], what: str, told: Callable[[Any], object] = lambda event: None) -> None:
        """Talk until something is true."""

        def step() -> object:
            assert self._link is not None
            for message in self.client.messages_to_send(now()):
                self._link.sendall(frame(message))
            with suppress(TimeoutError):
                data = self._link.recv(65536)
                assert data, "the server has closed the link"
                for payload in self._framer.receive_data(data):
                    for event in self.client.receive_message(payload, now()):
                        self._hear(event)
                        told(event)
            return true()

        until(step, what)

    def _hear(self, event: Any) -> None:
        match event:
            case TaskTold():
                self.screen[event.task] = event
                if event.what == "offer":
                    self.say("delivered", event.task)
            case Revoked():
                self.screen.pop(event.task, None)
            case Held():
                self.screen = {id: one for id, one in self.screen.items() if id in dict(event.tasks)}
            case Standing():
                self.codes[event.event] = event.code
            case Acknowledged():
                self.acknowledged += 1

    def say(self, what: str, task: str, **fields: Any) -> None:
        self._said += 1
        self.client.add_answer(task, self.screen[task].attempt, what, f"e{self._said}", now(), **fields)

    def does(self, what: str, task: str, **fields: Any) -> None:
        """Say it, and wait until the server has answered."""
        self.say(what, task, **fields)
        # What was answered and not acknowledged comes again, and so do the answers to it.
        event = f"e{self._said}"
        self.pump(lambda: event in self.codes, f"an answer to {what}")

    def stands(self, latitude: int, longitude: int) -> None:
        before = self.acknowledged
        self.client.add_position(now(), latitude, longitude, 50)
        self.pump(lambda: self.acknowledged > before, "the position is taken")


def now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def handheld(server: Server) -> Iterator[Handheld]:
    (device,) = found_city(server.data, 1, kinds=("handheld",))
    made = Handheld(server, device)
    yield made
    made.cut()


def test_killed_at_each_step(server: Server, handheld: Handheld) -> None:
    place = handheld.device.latitude, handheld.device.longitude
    server.start()
    handheld.connect()
    handheld.stands(*place)
    made = create(server, "case-1", place)
    handheld.pump(lambda: "case-1" in handheld.screen, "the offer")
    steps: list[tuple[str, Callable[[], object]]] = [
        ("delivered", lambda: handheld.pump(lambda: holder(server)["state"] == "delivered", "delivered")),
        ("accepted", lambda: handheld.does("accept", "case-1")),
        ("en_route", lambda: handheld.does("start", "case-1")),
        ("on_scene", lambda: handheld.does("arrive", "case-1")),
        ("reported", lambda: handheld.does("report", "case-1", word="exist", photos=[DIGEST])),
    ]
    for state, step in steps:
        step()
        handheld.cut()
        server.kill()
        server.start()
        handheld.connect()
        handheld.pump(lambda: "case-1" in handheld.screen, "what it holds")
        assert (holder(server)["state"], holder(server)["attempt"]) == (state, 1)
        assert handheld.screen["case-1"].state == state
    again = create(server, "case-1", place)
    assert again["id"] == made["id"], "a replay of the case system is harmless"
    upload(server, handheld, at_kill=200_000)
    until(lambda: task(server)["state"] == "closed", "the task is closed")
    server.kill()
    server.start()
    found = task(server)
    assert (found["state"], found["result"]["word"], found["result"]["missing"]) == ("closed", "exist", 0)
    whats = [event["what"] for event in found["events"]]
    assert whats == ["task", "offer", "deliver", "accept", "depart", "arrive", "report", "photo", "finish", "close"]
    assert set(handheld.codes.values()) <= {"ok", "again"}, "what was answered and not acknowledged yet is sent again"


def create(server: Server, id: str, place: tuple[int, int]) -> dict[str, Any]:
    wanted = {"id": id, "kind": "verify", "klass": "0101", "lat": place[0] / 1e7, "lon": place[1] / 1e7, "crs": "wgs84",
              "address": "东街1号", "text": "井盖缺失"}  # fmt: skip
    made: dict[str, Any] = server.api("/api/v1/tasks", wanted)
    return made


def task(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.api("/api/v1/tasks/case-1")
    return found


def holder(server: Server) -> dict[str, Any]:
    held: dict[str, Any] = task(server)["holder"]
    return held


def upload(server: Server, handheld: Handheld, at_kill: int) -> None:
    """In pieces; the server is killed when it has so many bytes, and the phone goes on where it was."""
    killed = False
    while True:
        status, headers, _ = ask_field(server, handheld, "HEAD", "")
        offset = int(headers.get("upload-offset", 0)) if status == 200 else 0
        piece = PICTURE[offset : offset + 100_000]
        about = {"upload-offset": str(offset), "upload-length": str(len(PICTURE)), "content-type": "image/jpeg"}
        status, _, body = ask_field(server, handheld, "PATCH", "?task=case-1&attempt=1", piece, about)
        assert status in (200, 201), body
        if status == 201:
            return
        if offset + len(piece) >= at_kill and not killed:
            killed = True
            server.kill()
            server.start()


def ask_field(
    server: Server, handheld: Handheld, method: str, query: str, body: bytes | None = None, about: Any = None
) -> tuple[int, dict[str, str], bytes]:
    token = b64encode(f"{handheld.device.external_id}:{handheld.device.token}".encode()).decode()
    link = http.client.HTTPConnection("127.0.0.1", server.ports["field"], timeout=PATIENCE)
    try:
        link.request(
            method, f"/api/v1/uploads/{DIGEST}{query}", body, {"authorization": f"Basic {token}", **(about or {})}
        )
        answer = link.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        link.close()
