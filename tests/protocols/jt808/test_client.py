"""The terminal's side against ours: sessions of every version, lost connections, and nothing lost or kept for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.jt808 import (
    Authentication,
    Connection,
    Event,
    Heartbeat,
    Locate,
    Logout,
    Position,
    Positions,
    Registration,
    Terminal,
)
from protocols.jt808.client import (
    Acknowledged,
    Authenticated,
    Broken,
    ClientEvent,
    Located,
    Registered,
    TimeTold,
    Unsupported,
)
from protocols.jt808.events import Answer, TimeRequest
from protocols.jt808.framing import frame
from protocols.jt808.header import Header
from protocols.jt808.messages import GeneralAnswer
from tests.protocols.jt808.frames import GOLDEN, GOLDEN_TIME, PHONE, message

NOW = GOLDEN_TIME


class Pair:
    """A terminal and a connection joined in memory; ``server`` and ``client`` collect the events."""

    def __init__(self, terminal: Terminal, *, result: int = 0) -> None:
        self.terminal = terminal
        self.connection = Connection()
        self.server: list[Event] = []
        self.client: list[ClientEvent] = []
        self.result = result
        self.lossy = False
        terminal.connect()

    def pump(self) -> None:
        while True:
            data = b"".join(self.terminal.data_to_send())
            events = self.connection.receive_data(data, NOW)
            self.server += events
            for event in events:
                self._answer(event)
            output = self.connection.data_to_send()
            if not data and not output:
                return
            self.client += self.terminal.receive_data(b"".join(output))

    def _answer(self, event: Event) -> None:
        if isinstance(event, Registration):
            self.connection.answer_registration(event, 0, "令牌7")
        elif isinstance(event, Authentication):
            self.connection.answer_authentication(event, 0 if event.token == "令牌7" else 1)
        elif isinstance(event, Positions):
            if not self.lossy:
                self.connection.acknowledge(event, self.result)
        elif isinstance(event, Heartbeat | Logout):
            self.connection.acknowledge(event)
        elif isinstance(event, TimeRequest):
            self.connection.answer_time(event, NOW)

    def times(self) -> list[int | None]:
        return [report.fix_time for event in self.server if isinstance(event, Positions) for report in event.reports]


def joined(version: int = 2013, **settings: int) -> Pair:
    pair = Pair(Terminal(PHONE, version=version, token="令牌7", **settings))
    pair.terminal.authenticate()
    pair.pump()
    assert pair.terminal.authenticated
    return pair


def walk(terminal: Terminal, count: int, start: int = 0) -> list[int]:
    times = [NOW + 1000 * (start + step) for step in range(count)]
    for moment in times:
        terminal.position(moment, 311_000_000, 1_214_000_000, items={"satellites": 9})
    return times


@pytest.mark.parametrize("version", [2011, 2013, 2019])
def test_a_life_of_a_terminal(version: int) -> None:
    pair = Pair(Terminal(PHONE, version=version, imei="123456789012345", software="1.0"))
    pair.terminal.register(plate="豫E12345", terminal="ID7")
    pair.pump()
    assert pair.client == [Registered(0, "令牌7")]
    pair.terminal.authenticate()
    pair.pump()
    assert pair.client[1:] == [Authenticated(0)]
    serial = pair.terminal.position(NOW, -311_000_000, 1_214_000_000, speed=167, course=90, alarm=1)
    assert serial is not None
    assert pair.terminal.unacknowledged == 1
    pair.pump()
    assert pair.client[2:] == [Acknowledged(serial, 0x0200, 0, 1)]
    assert (pair.terminal.unacknowledged, pair.terminal.pending) == (0, frozenset())
    beat = pair.terminal.heartbeat()
    clock = pair.terminal.ask_time()
    pair.pump()
    assert pair.client[3:] == [Acknowledged(beat, 2, 0, 0), TimeTold(NOW)]
    assert clock == beat + 1
    out = pair.terminal.logout()
    pair.pump()
    assert pair.client[5:] == [Acknowledged(out, 3, 0, 0)]
    registration, authentication, positions = pair.server[:3]
    assert isinstance(registration, Registration)
    assert (registration.plate, registration.terminal, registration.phone) == ("豫E12345", "ID7", PHONE)
    assert isinstance(authentication, Authentication)
    assert (authentication.imei, authentication.software) == (
        ("123456789012345", "1.0") if version == 2019 else (None, None)
    )
    assert isinstance(positions, Positions)
    (report,) = positions.reports
    assert (report.latitude, report.longitude, report.speed, report.alarm) == (-311_000_000, 1_214_000_000, 167, 1)


def test_a_wrong_token() -> None:
    pair = Pair(Terminal(PHONE, token="no"))
    pair.terminal.authenticate()
    pair.pump()
    assert pair.client == [Authenticated(1)]
    assert (pair.terminal.authenticated, pair.connection.closing) == (False, True)


def test_a_locate_is_answered_with_the_newest_position() -> None:
    pair = joined()
    pair.terminal.position(NOW, 10, 20)
    pair.pump()
    serial = pair.connection.send(Locate())
    pair.pump()
    assert pair.client[-1] == Located(serial)
    event = pair.server[-1]
    assert isinstance(event, Positions)
    assert (event.answers, event.reports[0].latitude, event.reports[0].longitude) == (serial, 10, 20)
    assert pair.terminal.unacknowledged == 0


def test_a_locate_before_any_position_is_answered_without_fix() -> None:
    pair = joined()
    pair.connection.send(Locate())
    pair.pump()
    event = pair.server[-1]
    assert isinstance(event, Positions)
    assert event.reports[0].latitude is None


def test_what_was_not_acknowledged_comes_again_as_blind_area_batches() -> None:
    pair = joined()
    pair.lossy = True
    times = walk(pair.terminal, 30)
    pair.pump()
    assert pair.terminal.unacknowledged == 30
    again = Pair(pair.terminal)
    times += walk(pair.terminal, 40, 30)  # no connection is authenticated yet: they wait
    assert pair.terminal.unacknowledged == 70
    again.terminal.authenticate()
    again.pump()
    batches = [event for event in again.server if isinstance(event, Positions)]
    assert {event.message_id for event in batches} == {0x0704}
    assert not any(report.live for event in batches for report in event.reports)
    assert again.times() == times
    assert len(batches) == 3  # 31 bytes and a length each: 30 fit a frame
    assert (again.terminal.unacknowledged, again.terminal.dropped) == (0, 0)


def test_a_long_batch_goes_in_fragments_and_is_acknowledged_as_one() -> None:
    pair = joined(2019)
    serial = pair.terminal.batch([Position.of(NOW + 1000 * step, 1, 1) for step in range(100)])
    assert pair.terminal.unacknowledged == 100
    assert len(pair.terminal._output) == 4
    pair.pump()
    assert pair.client[-1] == Acknowledged(serial, 0x0704, 0, 100)
    assert len(pair.times()) == 100


def test_refused_for_good_and_refused_for_now() -> None:
    pair = joined()
    pair.result = 2
    walk(pair.terminal, 2)
    pair.pump()
    assert (pair.terminal.unacknowledged, pair.terminal.refused) == (0, 2)
    pair.result = 1
    walk(pair.terminal, 2)
    pair.pump()
    assert (pair.terminal.unacknowledged, pair.terminal.refused, pair.terminal.pending) == (2, 2, frozenset())
    pair.result = 0
    pair.terminal.authenticate()
    pair.pump()
    assert pair.terminal.unacknowledged == 0


@pytest.mark.parametrize("online", [False, True])
def test_the_queue_is_bounded_and_the_oldest_go_first(online: bool) -> None:
    pair = joined(queue_limit=10)
    pair.lossy = True
    if not online:
        pair.terminal.connect()
    times = walk(pair.terminal, 25)
    assert (pair.terminal.unacknowledged, pair.terminal.dropped) == (10, 15)
    again = Pair(pair.terminal)
    again.terminal.authenticate()
    again.pump()
    assert again.times() == times[-10:]


def test_serials_that_go_round_lose_nothing() -> None:
    pair = joined()
    pair.lossy = True
    first = pair.terminal.position(NOW, 1, 1)
    assert first is not None
    pair.terminal._serial = first
    pair.terminal.position(NOW + 1000, 1, 1)
    assert pair.terminal.unacknowledged == 2
    again = Pair(pair.terminal)
    again.terminal.authenticate()
    again.pump()
    assert sorted(again.times(), key=lambda time: time or 0) == [NOW, NOW + 1000]


def test_an_unknown_command_is_answered_3() -> None:
    pair = joined()
    assert pair.terminal.receive_data(message(0x8500, b"\0", serial=9)) == [Unsupported(0x8500, 9)]
    pair.pump()
    event = pair.server[-1]
    assert isinstance(event, Answer)
    assert (event.serial, event.message_id, event.result) == (9, 0x8500, 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (GOLDEN[:-2] + b"\x00\x7e", "bad_checksum"),
        (message(0x8201, phone="1"), "foreign_phone"),
        (message(0x8001), "bad_body"),
        (message(0x8001, b"\0\0"), "bad_body"),
        (message(0x8100, b"\0\0"), "bad_body"),
        (message(0x8004, bytes(6)), "bad_time"),
        (message(0x8201, version=1), "bad_length"),
    ],
)
def test_damage_is_told_and_lived_with(data: bytes, reason: str) -> None:
    terminal = Terminal(PHONE)
    assert terminal.receive_data(data) == [Broken(reason)]
    assert terminal.receive_data(message(0x8201, serial=3)) == [Located(3)]


def test_answers_to_what_was_never_sent_settle_nothing() -> None:
    pair = joined()
    walk(pair.terminal, 1)
    body = GeneralAnswer(999, 0x0200, 0).encode()
    assert pair.terminal.receive_data(message(0x8001, body)) == [Acknowledged(999, 0x0200, 0, 0)]
    assert pair.terminal.unacknowledged == 1


def test_our_own_mistakes_are_ours() -> None:
    with pytest.raises(LocalProtocolError):
        Terminal(PHONE).batch([])
    with pytest.raises(LocalProtocolError):
        joined(queue_limit=1).terminal.batch([Position.of(NOW, 1, 1)] * 2)
    with pytest.raises(LocalProtocolError):
        Terminal("12345678901234")
    with pytest.raises(LocalProtocolError):
        Terminal(PHONE).register(terminal="far too long for seven")


@given(st.lists(st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda ident, body, serial: frame(Header.of(ident, bytes.fromhex(PHONE), serial, None).encode(body)),
        st.sampled_from([0x8001, 0x8004, 0x8100, 0x8201, 0x8300]), st.binary(max_size=30), st.integers(0, 0xFFFF),
    ),
), max_size=8))  # fmt: skip
def test_no_bytes_of_a_platform_raise(pieces: list[bytes]) -> None:
    terminal = Terminal(PHONE, token="t")
    walk(terminal, 3)
    for piece in pieces:
        terminal.receive_data(piece)
    terminal.connect()
    assert terminal.unacknowledged <= 3


@given(st.lists(st.sampled_from(["walk", "lose", "reconnect", "pump"]), max_size=25))
def test_every_position_arrives_whatever_the_network_does(steps: list[str]) -> None:
    terminal = Terminal(PHONE, token="令牌7")
    pair = Pair(terminal)
    made: list[int] = []
    arrived: set[int | None] = set()
    for step in [*steps, "reconnect", "pump"]:
        if step == "walk":
            made += walk(terminal, 3, len(made))
        elif step == "lose":
            pair.lossy = True
        elif step == "pump":
            pair.pump()
        else:
            arrived.update(pair.times())
            pair = Pair(terminal)
            terminal.authenticate()
    arrived.update(pair.times())
    assert arrived == set(made)
    assert terminal.unacknowledged == 0
