"""Commands and photos on a real server: the link cut and the server killed at each step of their way."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from protocols.jt808.client import MediaTaken, PhotoAsked, Resent, Terminal
from protocols.jt808.duties import Told
from tests.faults.fleet import Device, found_city
from tests.faults.server import PATIENCE, Server, until

PHOTO = 60_000


def picture(rng: random.Random, size: int = PHOTO) -> bytes:
    """Bytes that begin like a JPEG and hold what has to be escaped on the wire."""
    return b"\xff\xd8\xff\xe0\x7e\x7d\x01\x02" + rng.randbytes(size - 8)


class Truck:
    """A terminal that outlives its links. ``pictures`` is what its camera takes, one after the other."""

    def __init__(self, server: Server, device: Device) -> None:
        self.server = server
        self.core = Terminal(device.external_id, token=device.token)
        self.events: list[Any] = []
        self.pictures: list[bytes] = []
        self._link: socket.socket | None = None

    def connect(self) -> Truck:
        """A new link, as soon as there is a server, and the login over it."""
        self.cut()
        end = time.monotonic() + PATIENCE
        while self._link is None:
            assert time.monotonic() < end, "nobody listens"
            with suppress(OSError):
                self._link = socket.create_connection(("127.0.0.1", self.server.ports["jt808"]), PATIENCE)
                self._link.settimeout(0.05)
                self.core.connect()
                self.core.authenticate()
                self.pump(lambda: self.core.authenticated)
        return self

    def cut(self) -> None:
        """The link is gone, with all that nobody has read."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def receive(self) -> list[Any]:
        """What comes in one read; its answers are not sent yet."""
        link = self._link
        assert link is not None
        with suppress(TimeoutError):
            data = link.recv(65536)
            if not data:
                raise ConnectionResetError
            events = self.core.receive_data(data)
            for event in events:
                if isinstance(event, PhotoAsked):
                    taken = [self.pictures.pop(0) for _ in range(event.photo.count) if self.pictures]
                    self.core.photos(event, taken)
            self.events += events
            return events
        return []

    def send(self, frames: int | None = None) -> None:
        """What there is to say, or only so many frames of it."""
        assert self._link is not None
        self._link.sendall(b"".join(self.core.data_to_send()[:frames]))

    def pump(self, true: Callable[[], object], what: str = "the terminal has it") -> None:
        """Talk until something is true."""

        def step() -> object:
            self.send()
            return true() or (self.receive(), true())[1]

        until(step, what)

    def got(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def texts(self) -> list[str]:
        return [event.text for event in self.got(Told)]


@pytest.fixture
def truck(server: Server) -> Iterator[Truck]:
    """A vehicle registered as d1 on a server that is not started yet."""
    (device,) = found_city(server.data, 1, kinds=("jt808",))
    made = Truck(server, device)
    yield made
    made.cut()


def ask(server: Server, kind: str, **given: Any) -> str:
    command: dict[str, Any] = server.api("/api/v1/devices/d1/commands", {"kind": kind, "expires_s": 600, **given})
    return str(command["id"])


def state(server: Server, id: str) -> str:
    return str(server.api(f"/api/v1/commands/{id}")["state"])


def cut_unread(truck: Truck) -> None:
    """The command is on the link, and nobody reads it."""


def cut_read(truck: Truck) -> None:
    """It has been read and done, and the answer is never sent."""
    before = len(truck.texts())
    until(lambda: truck.receive() and len(truck.texts()) > before, "the command comes")
    truck.core.data_to_send()


def cut_answered(truck: Truck) -> None:
    """The answer is on the link when that is cut; the server may get it or not."""
    before = len(truck.texts())
    until(lambda: truck.receive() and len(truck.texts()) > before, "the command comes")
    truck.send()


STEPS = [cut_unread, cut_read, cut_answered]


def test_the_link_is_cut_at_each_step(server: Server, truck: Truck) -> None:
    server.start()
    for number in range(4):
        for step in STEPS:
            truck.connect()
            id = ask(server, "text", text=f"{step.__name__} {number}")
            step(truck)
            truck.cut()
            # While it is away, another is asked for: it comes behind.
            later = ask(server, "text", text=f"later {step.__name__} {number}")
            truck.connect()
            truck.pump(lambda id=id, later=later: {state(server, id), state(server, later)} == {"done"})
            told = truck.texts()
            assert f"{step.__name__} {number}" in told
            assert told[-1] == f"later {step.__name__} {number}"
            assert 1 <= told.count(f"{step.__name__} {number}") <= 2, "at least once, and seldom twice"
            truck.cut()


def test_the_server_is_killed_at_each_step(server: Server, truck: Truck, rng: random.Random) -> None:
    server.start()
    for step in (None, *STEPS):
        if step is not None:
            truck.connect()
        name = step.__name__ if step else "offline"
        ids = [ask(server, "text", text=f"{name} {n}") for n in range(6)]
        cancelled = ids.pop(rng.randrange(4, 6))  # only four are on the link at once
        if step is not None:
            step(truck)
        dropped = server.api(f"/api/v1/commands/{cancelled}", method="DELETE")["arguments"]["text"]
        told_before = truck.texts().count(dropped)
        server.kill()
        truck.cut()
        server.start()
        assert state(server, cancelled) == "cancelled"
        truck.connect()
        truck.pump(lambda ids=ids: {state(server, id) for id in ids} == {"done"})
        told = truck.texts()
        for n in range(6):
            text = f"{name} {n}"
            assert told.count(text) == told_before if text == dropped else told.count(text) >= 1
        truck.cut()
    server.kill()
    server.start()
    assert {state(server, id) for id in ids} == {"done"}, "what has ended stays so"


def fetch(server: Server, id: str) -> list[bytes]:
    """The photos of a command, as a browser gets them."""
    found = []
    for number, photo in enumerate(server.api(f"/api/v1/commands/{id}")["result"]["photos"], 1):
        for url in (photo["url"], f"/api/v1/commands/{id}/photo/{number}"):
            status, headers, data = server.ask(url)
            assert (status, headers["content-type"], headers["x-content-type-options"]) == (
                200,
                "image/jpeg",
                "nosniff",
            )
            assert len(data) == photo["size"]
        found.append(data)
    return found


def test_the_link_is_cut_within_a_photo(server: Server, truck: Truck, rng: random.Random) -> None:
    """The terminal sends it again; as the server asks again too, there may be a second one, and both are kept."""
    server.start()
    for frames in (0, 1, 2, rng.randrange(3, 60), None):
        truck.connect()
        first, second = picture(rng), picture(rng, 900)
        truck.pictures = [first, second]
        id = ask(server, "photo")
        until(lambda: truck.receive() and truck.got(PhotoAsked), "it is asked")
        truck.send(frames)
        truck.cut()
        truck.connect()
        truck.pump(lambda id=id: state(server, id) == "done" and not truck.core.media)
        (answer,) = fetch(server, id)
        assert answer in (first, second)
        listed = server.api("/api/v1/devices/d1/photos")["photos"]
        kept = [server.ask(photo["url"])[2] for photo in listed]
        assert kept.count(first) == 1
        assert kept.count(second) == (not truck.pictures)
        assert {photo["command"] for photo in listed} >= {id}
        truck.events.clear()
        truck.cut()


def test_lost_fragments_come_again_and_the_photo_is_the_same_to_the_bit(
    server: Server, truck: Truck, rng: random.Random
) -> None:
    server.start()
    truck.connect()
    # Of the second, which has two, one comes: of what is lost to the last the server knows nothing.
    truck.core.lose = {1, *rng.sample(range(3, 61), 7)}
    taken = [picture(rng), picture(rng, 1500)]
    truck.pictures = list(taken)
    id = ask(server, "photo", count=2)
    truck.pump(lambda: state(server, id) == "done" and not truck.core.media)
    assert truck.got(Resent)
    assert sorted(fetch(server, id)) == sorted(taken)
    assert len(truck.got(MediaTaken)) == 2


def test_the_server_is_killed_within_a_photo(server: Server, truck: Truck, rng: random.Random) -> None:
    """What was acknowledged is there after the kill, whole; what was not comes again."""
    server.start()
    taken = []
    for _ in range(8):
        truck.connect()
        taken.append(picture(rng, rng.randrange(500, 40_000)))
        truck.core.medium(taken[-1], event=2)
        truck.send(rng.choice((0, 1, 5, None)))
        for _ in range(rng.randrange(3)):
            truck.receive()
        time.sleep(rng.uniform(0, 0.05))
        server.kill()
        server.start()
        listed = server.api("/api/v1/devices/d1/photos")["photos"]
        assert len(listed) >= len(taken) - len(truck.core.media)
        for photo in listed:
            assert server.ask(photo["url"])[2] in taken
        assert not list((server.data / "media").rglob("*.part"))
    truck.connect()
    truck.pump(lambda: not truck.core.media)
    listed = server.api("/api/v1/devices/d1/photos")["photos"]
    assert sorted(server.ask(photo["url"])[2] for photo in listed) == sorted(taken), "each once"
    assert {(photo["command"], photo["event"]) for photo in listed} == {(None, 2)}


def test_commands_of_a_device_that_never_comes_run_out(server: Server, truck: Truck) -> None:
    server.start()
    short = ask(server, "text", text="a", expires_s=1)
    long = ask(server, "text", text="b")
    until(lambda: state(server, short) == "expired", "it runs out")
    server.kill()
    server.start()
    assert (state(server, short), state(server, long)) == ("expired", "queued")
    truck.connect()
    truck.pump(lambda: state(server, long) == "done")
    assert truck.texts() == ["b"]
