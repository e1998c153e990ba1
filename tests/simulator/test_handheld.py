"""The handheld client against the server's side of its protocol, in memory."""

from __future__ import annotations

from random import Random

import pytest

from protocols.errors import RemoteProtocolError
from protocols.handheld import Answer, Batch, Conversation, Done, Framer, Health, Hello, Ping, frame
from protocols.report import Report
from simulator.bearer import Bearer
from simulator.city import City, make_city
from simulator.handheld import FramedHandheld, Handheld
from simulator.manner import Manner
from simulator.routes import Routes
from simulator.walker import ON_FOOT, Walker, beat_in_grid
from simulator.weather import Conditions, Weather

START = 1_790_000_000_000


@pytest.fixture(scope="module")
def city() -> City:
    return make_city()


class Forecast(Weather):
    """Weather that says what the test wants."""

    def __init__(self) -> None:
        super().__init__(0, 1, START)
        self.now = Conditions()

    def at(self, client: int, now: int) -> Conditions:
        return self.now


class Server:
    """The server's side, with everything on disk at once."""

    def __init__(self) -> None:
        self.conversation = Conversation()
        self.reports: list[Report] = []
        self.health: list[Report] = []
        self.done: list[Done] = []
        self.answers: list[Answer] = []

    def receive(self, messages: list[bytes], now: int) -> list[bytes]:
        for message in messages:
            for event in self.conversation.receive_message(message):
                match event:
                    case Hello():
                        self.conversation.welcome(now, "somebody")
                    case Batch(seq, reports, refused):
                        assert refused == 0
                        self.reports += reports
                        self.conversation.acknowledge(seq)
                    case Health(seq, report, refused):
                        assert refused == 0
                        self.health.append(report)
                        self.conversation.acknowledge(seq)
                    case Answer(seq, task, attempt, what, id):
                        assert (event.bad, event.refused) == ("", 0)
                        self.answers.append(event)
                        self.conversation.acknowledge(seq)
                        self.conversation.standing(
                            id, "ok", task, attempt, "reported" if what == "report" else "accepted"
                        )
                    case Ping():
                        self.conversation.pong(now)
                    case Done():
                        self.done.append(event)
                    case _:
                        raise AssertionError(event)
        return self.conversation.messages_to_send()


class World:
    """One collector, the weather and the link between client and server."""

    def __init__(self, city: City, manner: Manner | None = None) -> None:
        self.now = START
        self.weather = Forecast()
        self.walker = Walker(beat_in_grid(city.streets, 12, city.projection), ON_FOOT, Random(1), START)
        routes = Routes(city.streets, city.projection) if manner else None
        self.client = Handheld("XQ0013", "secret", Bearer(self.walker, self.weather, routes=routes), START, manner)
        self.server: Server | None = None
        self.notes: list[str] = []

    def connect(self) -> Server:
        self.server = Server()
        self.client.connected(self.now)
        self.exchange()
        return self.server

    def disconnect(self) -> None:
        self.server = None
        self.client.disconnected()

    def exchange(self) -> None:
        assert self.server is not None
        while messages := self.client.to_send(self.now):
            for answer in self.server.receive(messages, self.now):
                self.notes += self.client.receive(answer, self.now)

    def ticks(self, count: int) -> None:
        for _ in range(count):
            self.now += 5000
            self.client.tick(self.now)
            if self.server is not None:
                self.exchange()


@pytest.fixture
def world(city: City) -> World:
    return World(city)


def test_positions_and_health_arrive_and_are_forgotten(world: World) -> None:
    server = world.connect()
    assert world.notes == ["welcomed"]
    assert world.client.served
    world.ticks(24)
    assert len(server.reports) == 24
    assert [r.fix_time for r in server.reports] == [START + 5000 * i for i in range(1, 25)]
    assert all(r.live for r in server.reports)
    assert all(306_000_000 < (r.latitude or 0) < 307_500_000 for r in server.reports)
    assert all(r.speed is not None and 0 <= r.speed < 200 for r in server.reports)
    assert len(server.health) == 2
    items = server.health[0].items
    assert items is not None
    assert items["fix"] in ("2d", "3d")
    assert world.client.waiting == 0


def test_what_happened_without_a_link_follows_as_backfill(world: World) -> None:
    world.connect()
    world.ticks(3)
    world.disconnect()
    world.ticks(60)
    assert world.client.waiting >= 60
    server = world.connect()
    assert len(server.reports) == 60
    assert [r.live for r in server.reports] == [True] + [False] * 59, "where it is comes before where it was"
    assert world.client.waiting == 0


def test_indoors_only_health_says_that_it_lives(world: World) -> None:
    server = world.connect()
    world.ticks(2)
    positions = len(server.reports)
    world.weather.now = Conditions(indoors=True)
    world.ticks(12)
    assert len(server.reports) == positions
    told = [r.items["fix"] for r in server.health if r.items is not None]
    assert told[-3:] == ["none"] * 3
    world.weather.now = Conditions()
    world.ticks(1)
    assert len(server.reports) == positions + 1


def test_without_network_or_power_there_is_no_link(world: World) -> None:
    world.ticks(1)
    assert world.client.reachable
    world.weather.now = Conditions(network=False)
    world.ticks(10)
    assert not world.client.reachable
    assert world.client.waiting >= 10, "it goes on collecting"
    held = world.client.waiting
    world.weather.now = Conditions(powered=False)
    world.ticks(10)
    assert not world.client.reachable
    assert world.client.waiting == held, "switched off it sees nothing"


def test_a_clock_that_is_off_shows_in_the_device_time_and_drops_the_link_once(world: World) -> None:
    world.connect()
    world.weather.now = Conditions(clock=420_000)
    world.now += 5000
    world.client.tick(world.now)
    assert not world.client.reachable
    world.disconnect()
    server = world.connect()
    world.ticks(1)
    assert world.client.reachable
    assert server.reports[-1].fix_time == world.now + 420_000
    assert server.reports[-1].device_time == world.now + 420_000
    timer = world.client.get_timer()
    assert timer is not None
    assert world.now < timer <= world.now + 60_000, "timers are told in true time"


def test_it_answers_a_call_for_its_place(world: World) -> None:
    server = world.connect()
    world.ticks(1)
    server.conversation.command("c1", "locate")
    server.conversation.command("c2", "dance")
    for message in server.conversation.messages_to_send():
        world.notes += world.client.receive(message, world.now)
    world.exchange()
    assert server.done == [Done("c1", True, ""), Done("c2", False, "unknown command")]
    assert len(server.reports) == 2


def test_a_rejected_device_says_so_and_closes(world: World) -> None:
    world.client.connected(world.now)
    conversation = Conversation()
    for message in world.client.to_send(world.now):
        conversation.receive_message(message)
    conversation.refuse("unknown_device", "who are you")
    for answer in conversation.messages_to_send():
        world.notes += world.client.receive(answer, world.now)
    assert world.notes == ["rejected: unknown_device"]
    assert world.client.closing
    assert not world.client.served


def test_on_tcp_the_same_goes_in_frames_of_any_split(city: City) -> None:
    walker = Walker(beat_in_grid(city.streets, 0, city.projection), ON_FOOT, Random(1), START)
    client, server, framer = FramedHandheld("XQ0001", "secret", Bearer(walker), START), Server(), Framer()
    client.connected(START)
    for now in range(START + 5000, START + 60_000, 5000):
        client.tick(now)
        for _ in range(3):
            messages = framer.receive_data(b"".join(client.to_send(now)))
            for byte in b"".join(frame(answer) for answer in server.receive(messages, now)):
                client.receive(bytes([byte]), now)
    assert len(server.reports) == 11
    with pytest.raises(RemoteProtocolError):
        client.receive(b"\xff" * 8, START)


WORDS = {
    "kinds": {"verify": {"zh": "核实", "en": "Verify", "results": {"exist": {"zh": "属实", "en": "", "photos": 1}}}},
}


def test_a_task_is_taken_gone_to_and_answered_with_a_photo(city: City) -> None:
    world = World(city, Manner(accept=1, decline=0, answer_s=20, answer_spread=0, scene_s=60))
    server = world.connect()
    spot = city.streets.nodes[len(city.streets.nodes) // 2]
    latitude, longitude = city.projection.degrees(spot)
    server.conversation.words(WORDS)
    server.conversation.task(
        {
            "task": "T-1", "attempt": 1, "what": "offer", "state": "offered", "kind": "verify", "klass": "",
            "lat": round(latitude * 1e7), "lon": round(longitude * 1e7),
        }
    )  # fmt: skip
    world.ticks(1)
    assert [answer.what for answer in server.answers] == ["delivered"]
    timer = world.client.get_timer()
    assert timer is not None
    assert timer <= world.now + 20_000
    for _ in range(2000):
        world.ticks(1)
        if server.answers[-1].what == "report":
            break
    assert [answer.what for answer in server.answers] == ["delivered", "accept", "start", "report"]
    stayed = [r for r in server.reports if abs((r.latitude or 0) / 1e7 - latitude) < 0.0004 and not r.speed]
    assert len(stayed) >= 12, "a minute there, which the server can see"
    assert len({answer.event for answer in server.answers}) == 4
    piece = world.client.uploads.request()
    assert piece is not None
    assert piece.path == f"api/v1/uploads/{server.answers[-1].photos[0]}?task=T-1&attempt=1"
    assert piece.body.startswith(b"\xff\xd8")
    assert not world.walker.away, "and goes back to the beat"


def test_a_task_done_without_a_network_is_told_in_order(city: City) -> None:
    world = World(city, Manner(accept=1, decline=0, answer_s=20, answer_spread=0, scene_s=60))
    server = world.connect()
    server.conversation.words(WORDS)
    latitude, longitude = city.projection.degrees(world.walker.place)
    server.conversation.task(
        {"task": "T-1", "attempt": 1, "what": "offer", "state": "offered", "kind": "verify",
         "lat": round(latitude * 1e7), "lon": round(longitude * 1e7)}
    )  # fmt: skip
    world.ticks(1)
    assert [answer.what for answer in server.answers] == ["delivered"]
    world.disconnect()
    world.ticks(120)
    server = world.connect()
    assert [answer.what for answer in server.answers] == ["accept", "start", "report"]
    times = [r.fix_time or 0 for r in server.reports]
    before = [time for time in times if time <= (server.answers[-1].at or 0)]
    assert 10 < len(before) < len(times)
    assert times[: len(before)] == sorted(before), "what bears the report out comes before the rest"
