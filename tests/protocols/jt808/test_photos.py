"""Photos and other long messages across a bad network: bit-identical, asked for again, and in bounded memory."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.jt808 import (
    Authentication,
    Connection,
    Event,
    Media,
    ParametersAnswer,
    Photo,
    PhotoTaken,
    Positions,
    Refused,
    Terminal,
)
from protocols.jt808.client import ClientEvent, MediaTaken, Resent
from protocols.jt808.duties import PhotoAsked
from protocols.jt808.fragments import BYTES_LIMIT
from protocols.jt808.header import decode_header
from protocols.jt808.media import MediaBody
from tests.protocols.jt808.frames import GOLDEN, GOLDEN_TIME, PHONE, message, payload
from tests.protocols.jt808.test_session import authenticated, sent

NOW = GOLDEN_TIME
PLACE = decode_header(payload(GOLDEN))[1][:28]


def picture(size: int, seed: int = 0) -> bytes:
    """Bytes that begin and end like a JPEG, full of what has to be escaped."""
    return (
        b"\xff\xd8"
        + Random(seed).choices([b"\x7e", b"\x7d", b"\x00", b"\xff"], k=1)[0] * 7
        + (Random(seed).randbytes(max(0, size - 11)) + b"\xff\xd9")
    )


def medium(data: bytes, *, ident: int = 5, place: bytes = PLACE) -> bytes:
    return MediaBody(ident, 0, 0, 0, 1, place, data).encode()


def pieces(body: bytes, size: int = 500, *, serial: int = 100, version: int | None = None) -> list[bytes]:
    cut = [body[at : at + size] for at in range(0, len(body), size)]
    return [
        message(0x0801, piece, serial=serial + at, total=len(cut), index=at + 1, version=version)
        for at, piece in enumerate(cut)
    ]


def only(events: list[Event]) -> Media:
    (event,) = events
    assert isinstance(event, Media)
    return event


# -- one photo --


def test_a_photo_in_one_frame() -> None:
    connection = authenticated()
    event = only(connection.receive_data(message(0x0801, medium(picture(300)), serial=9), NOW))
    assert (event.media_id, event.kind, event.format, event.event, event.channel) == (5, 0, 0, 0, 1)
    assert (event.data, event.phone) == (picture(300), PHONE)
    assert event.report is not None
    assert (event.report.fix_time, event.report.latitude, event.report.live) == (GOLDEN_TIME, 122_222_220, False)
    assert "data" not in repr(event)
    assert connection.data_to_send() == []  # nothing before it is on disk
    connection.acknowledge_media(event)
    assert sent(connection) == [(0x8800, 1, "00000005")]


def test_each_fragment_but_the_one_that_completes_it_is_answered_at_once() -> None:
    """There are terminals that wait for it before they send the next; what may be forgotten only 0x8800 says."""
    connection = authenticated()
    frames = pieces(medium(picture(1500)))
    assert [connection.receive_data(data, NOW) for data in frames[:3]] == [[], [], []]
    assert sent(connection) == [(0x8001, 1 + at, f"{100 + at:04x}080100") for at in range(3)]
    event = only(connection.receive_data(frames[3], NOW))
    assert event.data == picture(1500)
    assert connection.data_to_send() == []
    connection.acknowledge_media(event)
    assert sent(connection) == [(0x8800, 4, "00000005")]
    assert connection.get_timer() is None


def test_a_photo_that_comes_again_is_told_again() -> None:
    connection = authenticated()
    data = b"".join(pieces(medium(picture(1500))))
    first, second = only(connection.receive_data(data, NOW)), only(connection.receive_data(data, NOW))
    assert first.data == second.data == picture(1500)


def test_a_terminal_of_2011_does_not_say_where() -> None:
    event = only(authenticated().receive_data(message(0x0801, medium(picture(300), place=b"")), NOW))
    assert (event.report, event.data) == (None, picture(300))


def test_a_clock_that_is_not_set_does_not_cost_the_photo() -> None:
    place = PLACE[:22] + bytes(6)
    refused, event = authenticated().receive_data(message(0x0801, medium(picture(300), place=place)), NOW)
    assert refused == Refused("bad_time", PHONE, 0x0801)
    assert isinstance(event, Media)
    assert (event.report, event.data) == (None, picture(300))


def test_a_photo_that_is_none() -> None:
    connection = authenticated()
    assert connection.receive_data(message(0x0801, bytes(20), serial=3), NOW) == [Refused("bad_body", PHONE, 0x0801)]
    assert sent(connection) == [(0x8001, 1, "0003080102")]


def test_a_stranger_gets_no_memory_and_no_answer_but_a_no() -> None:
    connection = Connection()
    for data in pieces(medium(picture(1500))):
        assert connection.receive_data(data, NOW) == [Refused("not_authenticated", PHONE, 0x0801)]
    assert connection.get_timer() is None
    assert len(connection._fragments) == 0
    assert {body[-2:] for _, _, body in sent(connection)} == {"01"}


# -- asking again --


@pytest.mark.parametrize("version", [None, 1])
@pytest.mark.parametrize("datagrams", [False, True])
def test_missing_fragments_are_asked_for_and_come(version: int | None, datagrams: bool) -> None:
    phone = PHONE if version is None else "1" * 20
    connection = authenticated(phone)
    receive = connection.receive_datagram if datagrams else connection.receive_data
    body = medium(picture(2500))
    frames = [
        message(
            0x0801,
            body[at * 500 : at * 500 + 500],
            serial=100 + at,
            phone=phone,
            total=6,
            index=at + 1,
            version=version,
        )
        for at in range(6)
    ]
    for at in (0, 2, 5):
        assert receive(frames[at], NOW) == []
    connection.data_to_send()
    questions = []
    for _ in range(3):
        due = connection.get_timer()
        assert due is not None
        assert connection.handle_timer(due) == []
        questions.append((due - NOW, *sent(connection)))
    count = "03" if version is None else "0003"
    indices = "000200040005"
    assert questions == [
        (5000, (0x8003, 4, "0064" + count + indices)),
        (15_000, (0x8800, 5, "0000000503" + indices)),
        (35_000, (0x8003, 6, "0064" + count + indices)),
    ]
    events = [event for at in (4, 1, 3) for event in receive(frames[at], NOW + 59_000)]
    assert only(events).data == picture(2500)


def test_a_terminal_that_does_not_care_costs_three_questions() -> None:
    connection = authenticated()
    connection.receive_data(pieces(medium(picture(1500)))[0], NOW)
    connection.data_to_send()
    events: list[Event] = []
    while (due := connection.get_timer()) is not None:
        events += connection.handle_timer(due)
    assert events == [Refused("fragments_timeout", PHONE)]
    assert len(connection.data_to_send()) == 3


def test_a_terminal_that_authenticates_anew_may_count_from_the_beginning() -> None:
    connection = authenticated()
    frames, others = pieces(medium(picture(1500))), pieces(medium(picture(1500, 1)))
    connection.receive_data(frames[0] + frames[1], NOW)
    (event,) = connection.receive_data(message(0x0102, b"token"), NOW)
    assert isinstance(event, Authentication)
    connection.answer_authentication(event, 0)
    restarted, photo = connection.receive_data(b"".join(others), NOW)
    assert restarted == Refused("fragments_restart", PHONE)
    assert isinstance(photo, Media)
    assert photo.data == picture(1500, 1)  # not two halves


@given(st.integers(0, 2**32), st.integers(1, 120))
@settings(max_examples=20)
def test_memory_is_bounded_whatever_a_terminal_sends(seed: int, count: int) -> None:
    random, connection = Random(seed), authenticated(max_bytes=20_000)
    for _ in range(count):
        data = message(
            random.choice([0x0801, 0x0704, 0x0104]),
            bytes(random.choice([0, 500, 1000])),
            serial=random.choice([random.randrange(0x10000), random.randrange(20)]),
            total=random.choice([3, 30, 65535]),
            index=random.randrange(1, 4),
        )
        connection.receive_data(data, NOW)
        assert connection._fragments.bytes_held <= 20_000
        assert len(connection._fragments) <= 4
    assert BYTES_LIMIT == 2 * 1024 * 1024


# -- a terminal and a platform with a bad network between them --


class Network:
    """Datagrams between the two: each may be lost, doubled and overtaken."""

    def __init__(self, terminal: Terminal, random: Random, loss: float) -> None:
        self.terminal, self.random, self.loss = terminal, random, loss
        self.connection = Connection()
        self.now = NOW
        self.server: list[Event] = []
        self.client: list[ClientEvent] = []
        self.pictures: list[bytes] = []

    def carried(self, frames: list[bytes], loss: float) -> list[bytes]:
        arrived = [data for data in frames if self.random.random() >= loss]
        arrived += [data for data in arrived if self.random.random() < loss]
        if loss:
            self.random.shuffle(arrived)
        return arrived

    def pump(self, loss: float) -> None:
        while True:
            up = self.terminal.data_to_send()
            for data in self.carried(up, loss):
                for event in self.connection.receive_datagram(data, self.now):
                    self.server.append(event)
                    if isinstance(event, Authentication):
                        self.connection.answer_authentication(event, 0)
                    elif isinstance(event, Media):
                        self.connection.acknowledge_media(event)
                    elif isinstance(event, Positions):
                        self.connection.acknowledge(event)
            down = self.connection.data_to_send()
            for data in self.carried(down, loss):
                self._told(self.terminal.receive_data(data, self.now))
            if not up and not down:
                return

    def _told(self, events: list[ClientEvent]) -> None:
        self.client += events
        for event in events:
            if isinstance(event, PhotoAsked):
                self.terminal.photos(event, self.pictures)

    def log_in(self) -> None:
        self.terminal.connect()
        self.terminal.authenticate()
        self.pump(0.0)

    def wait(self, loss: float) -> None:
        """Until nothing is under way any more."""
        while (due := self.connection.get_timer()) is not None:
            self.now = due
            self.server += self.connection.handle_timer(due)
            self.pump(loss)

    def media(self) -> dict[int, set[bytes]]:
        found: dict[int, set[bytes]] = {}
        for event in self.server:
            if isinstance(event, Media):
                found.setdefault(event.media_id, set()).add(event.data)
        return found


@pytest.mark.parametrize("version", [2011, 2013, 2019])
def test_asked_taken_sent_and_forgotten(version: int) -> None:
    network = Network(Terminal(PHONE, version=version, token="t"), Random(1), 0.0)
    network.pictures = [picture(30_000, 1), picture(500, 2)]
    network.terminal.position(NOW, 311_000_000, 1_214_000_000)
    network.log_in()
    serial = network.connection.send(Photo(3, 2))
    network.pump(0.0)
    first, second = [event for event in network.server if isinstance(event, Media)]
    assert [first.data, second.data] == network.pictures
    assert (first.channel, first.event) == (3, 0)
    assert (first.report is None) == (version == 2011)
    taken = [event for event in network.server if isinstance(event, PhotoTaken)]
    if version != 2011:
        assert [(event.answers, event.result, event.media_ids) for event in taken] == [(serial, 0, (1, 2))]
    assert network.client[-2:] == [MediaTaken(1), MediaTaken(2)]
    assert network.terminal.media == frozenset()


def test_the_fragments_that_a_terminal_is_told_to_lose_are_asked_for_in_one_go() -> None:
    network = Network(Terminal(PHONE, version=2019, token="t"), Random(1), 0.0)
    network.log_in()
    network.terminal.lose = {1, 7, 30}
    network.terminal.medium(picture(30_000))
    network.pump(0.0)
    network.wait(0.0)
    assert network.media() == {1: {picture(30_000)}}
    assert [event for event in network.client if isinstance(event, Resent)] == [Resent(3)]


def test_the_list_in_0x8800_is_honoured_like_0x8003() -> None:
    terminal = Terminal(PHONE, token="t")
    terminal.connect()
    terminal.authenticate()
    terminal.receive_data(message(0x8001, bytes.fromhex("0000010200")))
    terminal.medium(picture(3000))
    first = terminal.data_to_send()[1:]
    assert terminal.receive_data(message(0x8800, bytes.fromhex("00000001 02 0002 0004"))) == [Resent(2)]
    assert terminal.data_to_send() == [first[1], first[3]]
    assert terminal.media == {1}
    assert terminal.receive_data(message(0x8800, bytes.fromhex("00000001 00"))) == [MediaTaken(1)]
    assert terminal.media == frozenset()


SIZES = st.lists(st.integers(0, 9000), min_size=1, max_size=4)


@given(SIZES, st.integers(0, 2**32), st.sampled_from([0.05, 0.2, 0.5]), st.sampled_from([2013, 2019]))
@settings(max_examples=60)
def test_photos_arrive_as_they_were_taken_whatever_the_network_does(
    sizes: list[int], seed: int, loss: float, version: int
) -> None:
    network = Network(Terminal(PHONE, version=version, token="t"), Random(seed), loss)
    network.pictures = [picture(size, size) for size in sizes]
    network.log_in()
    expected = {}
    for data in network.pictures:
        expected[network.terminal.medium(data)] = {data}
    network.pump(loss)
    network.wait(loss)
    assert all(found == expected[ident] for ident, found in network.media().items())  # whole or not at all
    while network.terminal.media:  # what was given up goes out again on the next connection
        network.log_in()
        network.wait(0.0)
    assert network.media() == expected
    reasons = {event.reason for event in network.server if isinstance(event, Refused)}
    assert reasons <= {"fragments_timeout", "fragments_restart", "fragments_overflow"}


@given(st.permutations(range(7)), st.lists(st.integers(0, 6), max_size=4), st.booleans())
def test_any_order_and_any_copies_are_one_photo(order: list[int], copies: list[int], datagrams: bool) -> None:
    connection = authenticated()
    receive = connection.receive_datagram if datagrams else connection.receive_data
    frames = pieces(medium(picture(3400)))
    assert len(frames) == 7
    for at in copies:
        order.insert(at, order[0])
    events = [event for at in order for event in receive(frames[at], NOW)]
    assert only(events).data == picture(3400)


def test_parameters_in_fragments() -> None:
    connection = authenticated()
    body = bytes.fromhex("0007 02 00000029 04 0000001e 0000f001 c8") + bytes(200)
    frames = [
        message(0x0104, body[at : at + 100], serial=50 + at // 100, total=3, index=at // 100 + 1)
        for at in range(0, len(body), 100)
    ]
    (event,) = connection.receive_data(b"".join(frames), NOW)
    assert isinstance(event, ParametersAnswer)
    assert (event.answers, event.values) == (7, {0x29: 30, 0xF001: bytes(200)})
    assert connection.data_to_send() == []  # an answer is never answered
