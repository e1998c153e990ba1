"""The vehicle's terminal against the server's side of JT/T 808, in memory."""

from __future__ import annotations

from random import Random

import pytest

from protocols.jt808.areas import Circle
from protocols.jt808.downlinks import (
    Downlink,
    Follow,
    Locate,
    Photo,
    QueryParameters,
    SetCircles,
    SetParameters,
    Text,
)
from protocols.jt808.events import (
    Answer,
    Authentication,
    Heartbeat,
    Media,
    ParametersAnswer,
    PhotoTaken,
    Positions,
    Registration,
)
from protocols.jt808.session import Connection
from protocols.report import Report
from simulator.bearer import Bearer
from simulator.city import City, make_city
from simulator.vehicle import HEARTBEAT, PHOTOS_LIMIT, SILENCE, VehicleTerminal
from simulator.walker import DRIVING, Walker, beat_of_vehicle

START = 1_790_000_000_000


@pytest.fixture(scope="module")
def city() -> City:
    return make_city()


class Server:
    """The server's side; ``token`` is the one that it takes."""

    def __init__(self, token: str = "t0k3n") -> None:
        self.connection = Connection()
        self.token = token
        self.reports: list[Report] = []
        self.located: list[int] = []
        self.registrations: list[Registration] = []
        self.heartbeats = 0
        self.answers: list[Answer | ParametersAnswer | PhotoTaken] = []
        self.photos: list[Media] = []

    def receive(self, data: bytes, now: int) -> bytes:
        for event in self.connection.receive_data(data, now):
            match event:
                case Registration():
                    self.registrations.append(event)
                    self.connection.answer_registration(event, 0, self.token)
                case Authentication():
                    self.connection.answer_authentication(event, 0 if event.token == self.token else 1)
                case Positions():
                    self.reports += event.reports
                    if event.answers is not None:
                        self.located.append(event.answers)
                    self.connection.acknowledge(event)
                case Heartbeat():
                    self.heartbeats += 1
                    self.connection.acknowledge(event)
                case Answer() | ParametersAnswer() | PhotoTaken():
                    self.answers.append(event)
                case Media():
                    self.photos.append(event)
                    self.connection.acknowledge_media(event)
                case _:
                    raise AssertionError(event)
        return b"".join(self.connection.data_to_send())


class World:
    def __init__(self, city: City, token: str | None = None) -> None:
        walker = Walker(beat_of_vehicle(city.streets, city.projection), DRIVING, Random(2), START)
        self.client = VehicleTerminal("19900000001", token, "皖Z0T001", Bearer(walker))
        self.now = START
        self.notes: list[str] = []

    def connect(self, server: Server) -> None:
        self.client.connected(self.now)
        self.exchange(server)

    def exchange(self, server: Server) -> None:
        while messages := self.client.to_send(self.now):
            self.notes += self.client.receive(server.receive(b"".join(messages), self.now), self.now)

    def ask(self, server: Server, downlink: Downlink) -> int:
        serial = server.connection.send(downlink)
        self.notes += self.client.receive(b"".join(server.connection.data_to_send()), self.now)
        self.exchange(server)
        return serial

    def ticks(self, count: int, server: Server | None) -> None:
        for _ in range(count):
            self.now += 5000
            self.client.tick(self.now)
            if server is not None:
                self.exchange(server)


def test_it_registers_authenticates_and_tells_where_it_is(city: City) -> None:
    world, server = World(city), Server()
    world.connect(server)
    assert world.notes == ["registered", "welcomed"]
    assert world.client.served
    assert server.registrations[0].plate == "皖Z0T001"
    assert server.connection.phone == "19900000001"
    world.ticks(20, server)
    assert len(server.reports) == 20
    assert all(r.live and r.latitude is not None for r in server.reports)
    assert max(r.speed or 0 for r in server.reports) > 500
    items = server.reports[-1].items
    assert items is not None
    assert items["satellites"] == 17
    assert world.client.waiting == 0


def test_the_second_link_needs_no_registration_and_brings_the_backfill(city: City) -> None:
    world, first = World(city), Server()
    world.connect(first)
    world.ticks(2, first)
    world.client.disconnected()
    world.ticks(40, None)
    assert world.client.waiting == 40
    second = Server()
    world.connect(second)
    assert second.registrations == []
    assert [r.live for r in second.reports] == [False] * 40
    assert world.client.waiting == 0


def test_a_token_that_is_refused_leads_to_a_new_registration(city: City) -> None:
    world, server = World(city, token="old"), Server()
    world.connect(server)
    assert world.client.closing
    assert world.notes == ["authentication refused: 1"]
    world.client.disconnected()
    server = Server()
    world.connect(server)
    assert world.client.served
    assert not world.client.closing
    assert len(server.registrations) == 1


def served(city: City) -> tuple[World, Server]:
    world, server = World(city), Server()
    world.connect(server)
    world.ticks(1, server)
    return world, server


def test_it_answers_where_it_is(city: City) -> None:
    world, server = served(city)
    serial = world.ask(server, Locate())
    assert server.located == [serial]
    assert world.notes[-1] == "command: locate"


@pytest.mark.parametrize(
    ("downlink", "note"),
    [
        (Text("去东街"), "command: text, 3 characters, shown and spoken"),
        (Text("A", display=False, speak=False), "command: text, 1 characters, kept"),
        (SetParameters({0x29: 10}), "command: 1 parameters set"),
        (QueryParameters([0x29]), "command: 1 parameters told"),
        (SetCircles([Circle(ident=1, latitude=10, longitude=10, radius=5)]), "command: 1 areas of shape circle"),
    ],
)
def test_it_does_what_it_is_asked(city: City, downlink: Downlink, note: str) -> None:
    world, server = served(city)
    serial = world.ask(server, downlink)
    (answer,) = server.answers
    assert serial == (answer.serial if isinstance(answer, Answer) else answer.answers)
    assert world.notes[-1] == note


def test_it_takes_photos(city: City) -> None:
    world, server = served(city)
    serial = world.ask(server, Photo(1, 2, resolution=1))
    (taken,) = server.answers
    assert isinstance(taken, PhotoTaken)
    assert (taken.answers, taken.media_ids) == (serial, (1, 2))
    assert [(photo.data[:2], photo.data[-2:]) for photo in server.photos] == [(b"\xff\xd8", b"\xff\xd9")] * 2
    assert len({photo.data for photo in server.photos}) == 2
    assert all(photo.report is not None and photo.report.latitude is not None for photo in server.photos)
    assert world.notes[-2:] == ["photo 1 is safe", "photo 2 is safe"]
    world.ask(server, Photo(1, 5000))
    assert len(server.photos) == 2 + PHOTOS_LIMIT


def test_it_is_followed_for_a_while(city: City) -> None:
    world, server = served(city)
    before = len(server.reports)
    world.ask(server, Follow(2, 7))
    moments = []
    while (due := world.client.get_timer()) is not None and due < world.now + HEARTBEAT / 2:
        world.now = due
        world.client.handle_timer(due)
        world.exchange(server)
        moments.append(due - START - 5000)
    assert moments == [2000, 4000, 6000, 8000]  # at the last it is over
    assert len(server.reports) == before + 3
    world.ask(server, Follow(2, 60))
    world.ask(server, Follow(0))
    due = world.client.get_timer()
    assert due is not None
    assert due > world.now + 2000


def test_heartbeats_and_a_server_that_fell_silent(city: City) -> None:
    world, server = World(city), Server()
    world.connect(server)
    assert world.client.get_timer() == START + HEARTBEAT
    world.now += HEARTBEAT
    world.client.handle_timer(world.now)
    world.exchange(server)
    assert server.heartbeats == 1
    for _ in range(3):
        world.now += HEARTBEAT
        world.client.handle_timer(world.now)
        world.client.to_send(world.now)
    assert world.now == START + HEARTBEAT + SILENCE
    assert world.client.closing
