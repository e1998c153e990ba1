"""The conversation: every pair of the table, every answer by its bytes, and peers that break the rules."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.jt808 import (
    Answer,
    Authentication,
    Connection,
    Event,
    Heartbeat,
    Locate,
    Logout,
    Media,
    Positions,
    Refused,
    Registration,
    RegistrationResult,
    Result,
    TimeRequest,
)
from protocols.jt808.framing import frame
from protocols.jt808.header import decode_header, phone_text
from protocols.jt808.messages import AuthenticationBody, GeneralAnswer, MessageId, RegistrationBody, decode_body
from protocols.jt808.positions import Batch
from protocols.jt808.states import TABLE, Input, State, diagram
from tests.data import needs_shared
from tests.protocols.jt808.frames import GOLDEN, GOLDEN_TIME, PHONE, ROWS, message, payload

NOW = GOLDEN_TIME + 1000
BODY = decode_header(payload(GOLDEN))[1]
BAD_TIME = BODY[:22] + bytes(6)
DOC = Path(__file__).resolve().parents[3] / "docs" / "wire" / "jt808.md"


def authenticated(phone: str = PHONE, **settings: Any) -> Connection:
    connection = Connection(**settings)
    version = None if len(phone) <= 12 else 1
    (event,) = connection.receive_data(message(0x0102, b"token", phone=phone, version=version), NOW)
    assert isinstance(event, Authentication)
    connection.answer_authentication(event, 0)
    connection.data_to_send()
    return connection


def sent(connection: Connection) -> list[tuple[int, int, str]]:
    """What is queued: id, our serial, body in hex."""
    found = []
    for data in connection.data_to_send():
        header, body = decode_header(payload(data))
        found.append((header.message_id, header.serial, body.hex()))
    return found


def answers(connection: Connection) -> list[tuple[int | None, int | None, int | None]]:
    """General answers that are queued: serial, id, result."""
    found = []
    for data in connection.data_to_send():
        header, body = decode_header(payload(data))
        assert header.message_id == 0x8001
        read = GeneralAnswer.decode(body)
        found.append((read.serial, read.message_id, read.result))
    return found


# -- the golden path --


def test_a_whole_session_of_2013() -> None:
    connection = Connection()
    registration = RegistrationBody.of(2013, province=41, maker="M", model="T", terminal="7", colour=1, plate="豫E1")
    (event,) = connection.receive_data(message(0x0100, registration.encode(), serial=10), NOW)
    assert isinstance(event, Registration)
    assert (event.phone, event.province, event.maker, event.plate) == (PHONE, 41, "M", "豫E1")
    connection.answer_registration(event, RegistrationResult.OK, "secret")
    assert connection.data_to_send() == [message(0x8100, b"\x00\x0a\x00secret", serial=0)]

    (event,) = connection.receive_data(message(0x0102, b"secret", serial=11), NOW)
    assert isinstance(event, Authentication)
    assert (event.token, event.imei, event.software) == ("secret", None, None)
    assert (connection.authenticated, connection.phone) == (False, None)
    connection.answer_authentication(event, Result.OK)
    assert (connection.authenticated, connection.phone, connection.closing) == (True, PHONE, False)
    assert connection.data_to_send() == [message(0x8001, bytes.fromhex("000b010200"), serial=1)]

    (event,) = connection.receive_data(GOLDEN, NOW)
    assert isinstance(event, Positions)
    assert (event.serial, event.message_id, event.phone, event.answers) == (126, 0x0200, PHONE, None)
    assert [(report.fix_time, report.latitude, report.live) for report in event.reports] == [
        (GOLDEN_TIME, 122_222_220, True)
    ]
    assert connection.data_to_send() == []  # nothing before it is on disk
    connection.acknowledge(event)
    assert connection.data_to_send() == [message(0x8001, bytes.fromhex("007e020000"), serial=2)]

    (event,) = connection.receive_data(message(0x0002, serial=13), NOW)
    assert isinstance(event, Heartbeat)
    connection.acknowledge(event)
    assert answers(connection) == [(13, 2, 0)]

    (event,) = connection.receive_data(message(0x0003, serial=14), NOW)
    assert isinstance(event, Logout)
    connection.acknowledge(event)
    assert answers(connection) == [(14, 3, 0)]
    assert (connection.authenticated, connection.phone) == (False, None)


def test_a_session_of_2019_is_answered_with_its_header() -> None:
    connection = Connection()
    body = AuthenticationBody(b"tok", b"123456789012345", b"1.2".ljust(20, b"\0")).encode()
    (event,) = connection.receive_data(message(0x0102, body, version=1, serial=5), NOW)
    assert isinstance(event, Authentication)
    assert (event.token, event.imei, event.software) == ("tok", "123456789012345", "1.2")
    connection.answer_authentication(event, 0)
    assert connection.data_to_send() == [message(0x8001, bytes.fromhex("0005010200"), serial=0, version=1)]
    (event,) = connection.receive_data(message(0x0004, version=1, serial=6), NOW)
    assert isinstance(event, TimeRequest)
    connection.answer_time(event, GOLDEN_TIME)
    assert connection.data_to_send() == [message(0x8004, bytes.fromhex("181015101010"), serial=1, version=1)]
    assert connection.send(Locate()) == 2
    assert connection.data_to_send() == [message(0x8201, serial=2, version=1)]


def test_the_clock_that_is_told_can_be_utc() -> None:
    connection = Connection(clock_offset=0)
    (event,) = connection.receive_data(message(0x0004, version=1), NOW)
    assert isinstance(event, TimeRequest)
    connection.answer_time(event, GOLDEN_TIME)
    assert sent(connection) == [(0x8004, 0, "181015021010")]


@pytest.mark.parametrize("result", list(RegistrationResult))
def test_registration_results(result: RegistrationResult) -> None:
    connection = Connection()
    (event,) = connection.receive_data(message(0x0100, bytes(40), serial=3), NOW)
    assert isinstance(event, Registration)
    connection.answer_registration(event, result, "t")
    assert sent(connection) == [(0x8100, 0, f"0003{result:02x}" + ("74" if result == 0 else ""))]
    assert not connection.closing


def test_a_wrong_token_is_answered_1_and_closed() -> None:
    connection = Connection()
    (event,) = connection.receive_data(message(0x0102, b"wrong", serial=9), NOW)
    assert isinstance(event, Authentication)
    connection.answer_authentication(event, Result.FAILED)
    assert (connection.closing, connection.authenticated, connection.phone) == (True, False, None)
    assert answers(connection) == [(9, 0x0102, 1)]
    assert connection.receive_data(GOLDEN, NOW) == [Refused("closing", PHONE, 0x0200)]
    assert connection.data_to_send() == []


def test_decisions_that_come_late_do_no_harm() -> None:
    connection = Connection()
    first, second = connection.receive_data(message(0x0102, b"a") + message(0x0102, b"b"), NOW)
    assert isinstance(first, Authentication)
    assert isinstance(second, Authentication)
    connection.answer_authentication(first, 1)
    connection.answer_authentication(second, 0)
    assert (connection.closing, connection.authenticated, connection.phone) == (True, False, None)


def test_two_terminals_cannot_share_a_connection() -> None:
    connection = Connection()
    first, second = connection.receive_data(
        message(0x0102, b"a", phone="1") + message(0x0102, b"b", phone="2", serial=8), NOW
    )
    assert isinstance(first, Authentication)
    assert isinstance(second, Authentication)
    connection.answer_authentication(first, 0)
    connection.data_to_send()
    connection.answer_authentication(second, 0)
    assert (connection.phone, connection.authenticated, answers(connection)) == ("1", True, [(8, 0x0102, 1)])


def test_our_serial_wraps() -> None:
    connection = authenticated()
    assert connection.send(Locate()) == 1
    connection._serial = 0xFFFF
    assert [connection.send(Locate()), connection.send(Locate())] == [0xFFFF, 0]


# -- positions --


def test_an_answer_to_a_locate_carries_our_serial_and_is_not_acknowledged() -> None:
    connection = authenticated()
    serial = connection.send(Locate())
    connection.data_to_send()
    (event,) = connection.receive_data(message(0x0201, serial.to_bytes(2, "big") + BODY, serial=20), NOW)
    assert isinstance(event, Positions)
    assert (event.answers, event.reports[0].live, event.message_id) == (serial, True, 0x0201)
    connection.acknowledge(event)
    assert connection.data_to_send() == []


def test_a_general_answer_of_the_terminal() -> None:
    connection = authenticated()
    events = connection.receive_data(message(0x0001, bytes.fromhex("0005820103")), NOW)
    (event,) = events
    assert isinstance(event, Answer)
    assert (event.serial, event.message_id, event.result) == (5, 0x8201, Result.UNSUPPORTED)
    assert connection.receive_data(message(0x0001), NOW) == [Refused("bad_body", PHONE, 0x0001)]
    assert connection.data_to_send() == []  # an answer is never answered


@pytest.mark.parametrize("kind", [0, 1])
def test_a_batch_is_backfill(kind: int) -> None:
    connection = authenticated()
    body = Batch(2, kind, (BODY, BODY)).encode()
    (event,) = connection.receive_data(message(0x0704, body, serial=30), NOW)
    assert isinstance(event, Positions)
    assert [report.live for report in event.reports] == [False, False]
    connection.acknowledge(event)
    assert answers(connection) == [(30, 0x0704, 0)]


@pytest.mark.parametrize(
    ("batch", "reasons", "taken"),
    [
        (Batch(3, 0, (BODY, BAD_TIME, BODY)), ["bad_time"], 2),
        (Batch(2, 0, (BODY, BODY[:20])), ["bad_body"], 1),
        (Batch(2, 0, (BODY,), b"\x00\x26\x01"), ["bad_body"], 1),
        (Batch(2, 0, (BODY,)), ["bad_body"], 1),
        (Batch(1, 0, (BODY, BODY)), [], 2),
    ],
)
def test_a_bad_position_does_not_cost_its_batch(batch: Batch, reasons: list[str], taken: int) -> None:
    connection = authenticated()
    *refused, event = connection.receive_data(message(0x0704, batch.encode()), NOW)
    assert refused == [Refused(reason, PHONE, 0x0704) for reason in reasons]
    assert isinstance(event, Positions)
    assert len(event.reports) == taken


BAD_BODIES: list[tuple[int, bytes, str]] = [
    (0x0200, BODY[:27], "bad_body"),
    (0x0200, BAD_TIME, "bad_time"),
    (0x0201, b"\x00", "bad_body"),
    (0x0201, b"\x00\x01" + BAD_TIME, "bad_time"),
    (0x0704, b"\x00", "bad_body"),
    (0x0704, b"\x00\x00\x00", "bad_body"),
    (0x0704, Batch(1, 0, (BAD_TIME,)).encode(), "bad_time"),
    (0x0100, bytes(10), "bad_body"),
    (0x0102, b"", "bad_body"),
]


@pytest.mark.parametrize(("message_id", "body", "reason"), BAD_BODIES)
def test_bad_bodies_are_refused_and_answered_2(message_id: int, body: bytes, reason: str) -> None:
    connection = authenticated()
    assert connection.receive_data(message(message_id, body, serial=77), NOW) == [Refused(reason, PHONE, message_id)]
    assert answers(connection) == [(77, message_id, 2)]
    assert not connection.closing


# -- what is refused otherwise --


def test_positions_before_authentication() -> None:
    connection = Connection()
    assert connection.receive_data(GOLDEN, NOW) == [Refused("not_authenticated", PHONE, 0x0200)]
    assert answers(connection) == [(126, 0x0200, 1)]
    assert not connection.closing


def test_a_stranger_gets_no_memory_for_fragments() -> None:
    connection = Connection()
    piece = message(0x0100, bytes(20), total=2, index=1)
    assert connection.receive_data(piece, NOW) == [Refused("not_authenticated", PHONE, 0x0100)]
    assert connection.get_timer() is None


@pytest.mark.parametrize("message_id", [0x0002, 0x0102, 0x0200, 0x0003])
def test_another_terminal_on_the_same_connection(message_id: int) -> None:
    connection = authenticated()
    data = message(message_id, BODY, phone="99", serial=4)
    assert connection.receive_data(data, NOW) == [Refused("foreign_phone", "99", message_id)]
    (data,) = connection.data_to_send()
    header, body = decode_header(payload(data))
    assert (header.phone.hex(), body.hex()) == ("000000000099", f"0004{message_id:04x}01")
    assert connection.phone == PHONE


def test_the_same_terminal_may_change_its_header() -> None:
    connection = authenticated()
    (event,) = connection.receive_data(message(0x0002, version=1), NOW)
    assert isinstance(event, Heartbeat)
    connection.acknowledge(event)
    assert connection.data_to_send() == [message(0x8001, bytes.fromhex("0001000200"), serial=1, version=1)]


@pytest.mark.parametrize("bits", [0x0400, 0x0800, 0x1000, 0x1C00])
def test_encrypted_messages_are_refused_and_answered(bits: int) -> None:
    connection = authenticated()
    data = message(0x0200, BODY, serial=6, attributes=bits)
    assert connection.receive_data(data, NOW) == [Refused("encrypted", PHONE, 0x0200)]
    assert answers(connection) == [(6, 0x0200, 3)]
    assert isinstance(connection.receive_data(GOLDEN, NOW)[0], Positions)


def test_unsupported_messages_are_answered_3_but_never_those_of_a_platform() -> None:
    connection = authenticated()
    assert connection.receive_data(message(0x0900, b"x", serial=7), NOW) == [Refused("unsupported", PHONE, 0x0900)]
    assert answers(connection) == [(7, 0x0900, 3)]
    assert connection.receive_data(message(0x8001, bytes(5)), NOW) == [Refused("unsupported", PHONE, 0x8001)]
    assert connection.data_to_send() == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (GOLDEN[:-2] + b"\x00\x7e", "bad_checksum"),
        (b"\x7e\x7d\x7e", "bad_escape"),
        (b"\x7e\x05\x05\x7e", "bad_header"),
        (b"\x7e" + bytes(16) + b"\x7e", "bad_length"),
        (b"\x7e" + bytes(5000) + b"\x7e", "too_long"),
        (frame(bytes.fromhex("0002 0000 01380013800a 0001")), "bad_header"),
    ],
)
def test_damage_is_counted_not_answered_and_the_connection_lives(data: bytes, reason: str) -> None:
    connection = authenticated()
    assert connection.receive_data(data, NOW) == [Refused(reason)]
    assert connection.data_to_send() == []
    assert isinstance(connection.receive_data(GOLDEN, NOW)[0], Positions)


def test_a_terminal_that_lies_about_its_version() -> None:
    data = frame(bytes.fromhex("000240000138001380000007"))
    assert Connection().receive_data(data, NOW) == [Refused("wrong_version")]
    for settings in ({"version": 2013}, {"misflagged": {"13800138000"}}):
        assert Connection(**settings).receive_data(data, NOW) == [  # type: ignore[arg-type]
            Refused("not_authenticated", "13800138000", 0x0002)
        ]


# -- fragments --


def pieces(count: int) -> list[bytes]:
    body = Batch(40, 1, (BODY,) * 40).encode()
    size = -(-len(body) // count)
    return [
        message(0x0704, body[at * size : (at + 1) * size], serial=100 + at, total=count, index=at + 1)
        for at in range(count)
    ]


@given(st.permutations(range(5)), st.booleans())
def test_a_long_batch_is_answered_once_with_its_last_serial(order: list[int], datagrams: bool) -> None:
    connection = authenticated()
    receive = connection.receive_datagram if datagrams else connection.receive_data
    parts = pieces(5)
    events = [event for at in order for event in receive(parts[at], NOW)]
    (event,) = events
    assert isinstance(event, Positions)
    assert (len(event.reports), event.serial) == (40, 104)
    connection.acknowledge(event)
    assert answers(connection) == [(104, 0x0704, 0)]
    assert connection.get_timer() is None


def test_a_missing_fragment_times_out_by_the_timer_or_by_the_next_message() -> None:
    connection = authenticated(fragment_timeout=1000)
    assert connection.receive_data(pieces(3)[0], NOW) == []
    assert connection.get_timer() == NOW + 1000
    assert connection.handle_timer(NOW + 999) == []
    assert connection.handle_timer(NOW + 1000) == [Refused("fragments_timeout", PHONE)]
    assert connection.receive_data(pieces(3)[1], NOW + 2000) == []
    assert connection.receive_data(pieces(2)[0], NOW + 9000) == [Refused("fragments_timeout", PHONE)]
    assert connection.data_to_send() == []


def test_impossible_fragments_are_answered_2() -> None:
    connection = authenticated(max_bytes=500)
    data = message(0x0704, b"x", total=2, index=3, serial=5)
    assert connection.receive_data(data, NOW) == [Refused("bad_fragment", PHONE, 0x0704)]
    assert connection.receive_data(pieces(2)[0], NOW) == [Refused("fragments_overflow", PHONE, 0x0704)]
    assert answers(connection) == [(5, 0x0704, 2), (100, 0x0704, 2)]


# -- datagrams --


def test_a_datagram_with_two_frames_and_one_that_is_cut() -> None:
    connection = authenticated()
    first, second = connection.receive_datagram(GOLDEN + message(0x0002, serial=9), NOW)
    assert isinstance(first, Positions)
    assert isinstance(second, Heartbeat)
    assert connection.receive_datagram(GOLDEN[:20], NOW) == [Refused("truncated")]
    assert connection.receive_datagram(GOLDEN[20:], NOW) == [Refused("garbage")]
    connection.acknowledge(first)
    connection.acknowledge(second)
    assert len(connection.data_to_send()) == 2


# -- the table --

PROBES: dict[Input, bytes] = {
    Input.REGISTRATION: message(0x0100, bytes(40)),
    Input.AUTHENTICATION: message(0x0102, b"t"),
    Input.POSITIONS: GOLDEN,
    Input.HEARTBEAT: message(0x0002),
    Input.LOGOUT: message(0x0003),
    Input.TIME_REQUEST: message(0x0004),
    Input.ANSWER: message(0x0001, bytes(5)),
    Input.PARAMETERS: message(0x0104, bytes(3)),
    Input.PHOTO_TAKEN: message(0x0805, bytes(3)),
    Input.MEDIA: message(0x0801, bytes(8) + BODY),
}
"""One for each message. 0x0005 has tests of its own: it needs something that was sent before."""


def in_state(state: State) -> Connection:
    connection = Connection()
    if state is not State.CONNECTED:
        (event,) = connection.receive_data(message(0x0102, b"t"), NOW)
        assert isinstance(event, Authentication)
        connection.answer_authentication(event, 0 if state is State.AUTHENTICATED else 1)
    connection.data_to_send()
    return connection


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("probe", list(PROBES))
def test_every_message_in_every_state(state: State, probe: Input) -> None:
    connection = in_state(state)
    (event,) = connection.receive_data(PROBES[probe], NOW)
    assert isinstance(event, Refused) == (probe not in TABLE[state])
    assert connection.state is TABLE[state].get(probe, state)
    answered = probe not in TABLE[state] and state is State.CONNECTED and probe is not Input.ANSWER
    assert len(connection.data_to_send()) == answered


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("result", [0, 1])
def test_every_decision_in_every_state(state: State, result: int) -> None:
    (event,) = Connection().receive_data(message(0x0102, b"t"), NOW)
    assert isinstance(event, Authentication)
    connection = in_state(state)
    connection.answer_authentication(event, result)
    assert connection.state is TABLE[state][Input.REJECTED if result else Input.ACCEPTED]


def test_the_diagram_in_the_documentation_is_the_table() -> None:
    assert diagram() in DOC.read_text(encoding="utf-8")


def test_our_own_mistakes_are_ours() -> None:
    with pytest.raises(LocalProtocolError):
        Connection().send(Locate())
    with pytest.raises(LocalProtocolError):
        Connection().acknowledge(Refused("x"))  # type: ignore[arg-type]


# -- everything at once --


def drive(connection: Connection, events: list[Event]) -> None:
    for event in events:
        if isinstance(event, Registration):
            connection.answer_registration(event, 0, "t")
        elif isinstance(event, Authentication):
            connection.answer_authentication(event, 0)
        elif isinstance(event, Positions | Heartbeat | Logout):
            connection.acknowledge(event)
        elif isinstance(event, TimeRequest):
            connection.answer_time(event, NOW)
        elif isinstance(event, Media):
            connection.acknowledge_media(event)


@needs_shared
@pytest.mark.parametrize("datagrams", [False, True])
def test_the_shared_frames_through_a_connection(datagrams: bool) -> None:
    for row in ROWS:
        phone = phone_text(decode_header(payload(row.data))[0].phone) if row.good else PHONE
        connection = authenticated(phone)
        receive = connection.receive_datagram if datagrams else connection.receive_data
        events = receive(row.data, NOW)
        refused = [event for event in events if isinstance(event, Refused)]
        if not row.good or row.encryption:
            assert len(refused) == len(events) == 1, row.line
        elif row.message_id >= 0x8000 or row.message_id not in READ:
            assert events == [Refused("unsupported", phone, row.message_id)], row.line
        elif row.message_id in MIXED:  # among them are bodies that do not keep to their own lengths
            assert {event.reason for event in refused} <= {"bad_body", "bad_time"}, row.line
            assert len(events) == (not row.fragment) + (len(refused) if len(events) > 1 else 0), row.line
        else:
            assert not refused, row.line
            assert len(events) == (not row.fragment), row.line
        drive(connection, events)
        if connection.authenticated:  # the logout among the frames ends that, not the connection
            (event,) = receive(message(0x0002, phone=phone, version=None if len(phone) <= 12 else 1), NOW)
            assert isinstance(event, Heartbeat), row.line


READ = {0x0001, 0x0002, 0x0003, 0x0004, 0x0100, 0x0102, 0x0104, 0x0200, 0x0201, 0x0704, 0x0801, 0x0805}
MIXED = {0x0104, 0x0801}


@needs_shared
def test_all_shared_frames_as_one_stream_cut_anywhere() -> None:
    stream = b"".join(row.data for row in ROWS)
    whole = authenticated()
    expected = [repr(event) for event in whole.receive_data(stream, NOW)]
    output = whole.data_to_send()
    for size in (1, 7, 1460):
        connection = authenticated()
        events = [
            repr(event)
            for at in range(0, len(stream), size)
            for event in connection.receive_data(stream[at : at + size], NOW)
        ]
        assert events == expected
        assert connection.data_to_send() == output


SOUND = st.builds(
    message,
    st.one_of(
        st.sampled_from([1, 2, 3, 4, 5, 0x100, 0x102, 0x104, 0x200, 0x201, 0x704, 0x801, 0x805]), st.integers(0, 0xFFFF)
    ),
    st.one_of(st.binary(max_size=120), st.just(BODY), st.binary(max_size=60).map(lambda tail: BODY + tail)),
    serial=st.integers(0, 0xFFFF),
    phone=st.sampled_from([PHONE, "7"]),
    version=st.sampled_from([None, 1]),
    total=st.integers(0, 3),
    index=st.integers(0, 4),
    attributes=st.sampled_from([0, 0, 0, 0x400, 0x8000]),
)
STREAMS = st.lists(st.one_of(SOUND, st.binary(max_size=50), SOUND.map(lambda data: data[3:-4])), max_size=8).map(
    b"".join
)


@given(STREAMS, st.lists(st.integers(0, 1500), max_size=10), st.sampled_from([None, 2013, 2019]))
def test_no_bytes_raise_and_no_cut_matters(stream: bytes, cuts: list[int], version: int | None) -> None:
    whole, cut = Connection(version=version), Connection(version=version)
    expected = whole.receive_data(stream, NOW)
    drive(whole, expected)
    marks = [0, *sorted(cuts), len(stream)]
    events = [event for a, b in pairwise(marks) for event in cut.receive_data(stream[a:b], NOW)]
    drive(cut, events)
    assert list(map(repr, events)) == list(map(repr, expected))
    assert whole.data_to_send() == cut.data_to_send()
    again = whole.receive_data(stream, NOW)  # now authenticated, if there was a token in it
    drive(whole, again)
    while (due := whole.get_timer()) is not None:
        whole.handle_timer(due)


@given(st.lists(STREAMS, max_size=4))
def test_no_datagram_raises(datagrams: list[bytes]) -> None:
    connection = authenticated()
    for data in datagrams:
        drive(connection, connection.receive_datagram(data, NOW))
    connection.data_to_send()


@given(st.sampled_from(sorted(MessageId)), st.binary(max_size=120))
def test_any_body_that_is_read_is_written_as_it_was(message_id: int, body: bytes) -> None:
    for long in (False, True):
        with suppress(RemoteProtocolError):
            assert decode_body(message_id, body, long).encode() == body
