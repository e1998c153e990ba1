"""What a platform asks and what a terminal does about it: serials, fragments, answers, settings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.jt808 import (
    Answer,
    Connection,
    Event,
    Follow,
    Locate,
    Media,
    ParametersAnswer,
    Photo,
    PhotoTaken,
    Positions,
    QueryParameters,
    Refused,
    SetParameters,
    Shape,
    Terminal,
    Text,
)
from protocols.jt808.areas import Circle, Mode, Polygon
from protocols.jt808.client import Broken, ClientEvent, Unsupported
from protocols.jt808.downlinks import DeleteAreas, SetCircles, SetPolygon
from protocols.jt808.duties import (
    DEFAULTS,
    AreasChanged,
    Duties,
    Followed,
    ParametersSet,
    ParametersTold,
    PhotoAsked,
    Told,
)
from protocols.jt808.header import decode_header
from tests.protocols.jt808.frames import GOLDEN_TIME, PHONE, message, payload
from tests.protocols.jt808.test_client import Pair, joined
from tests.protocols.jt808.test_session import authenticated, sent

NOW = GOLDEN_TIME
LONG = Text("巡查" * 256)


def heads(connection: Connection) -> list[tuple[int, int, int, int]]:
    """What is queued: id, serial, index, total."""
    found = []
    for data in connection.data_to_send():
        header, _ = decode_header(payload(data))
        found.append((header.message_id, header.serial, header.index, header.total))
    return found


# -- the platform's side --


def test_nobody_is_asked_before_authentication() -> None:
    with pytest.raises(LocalProtocolError, match="not_authenticated"):
        Connection().send(Locate())
    connection = authenticated()
    connection.receive_data(message(0x0003), NOW)
    with pytest.raises(LocalProtocolError, match="not_authenticated"):
        connection.send(Locate())


def test_a_downlink_is_written_for_the_header_of_the_terminal() -> None:
    connection = authenticated()
    assert connection.send(Text("A")) == 1
    assert connection.data_to_send() == [message(0x8300, b"\x0cA", serial=1)]
    phone = "1" * 20
    connection = authenticated(phone)
    assert connection.send(Text("A")) == 1
    assert connection.data_to_send() == [message(0x8300, b"\x0f\x01A", serial=1, phone=phone, version=1)]


def test_a_long_text_goes_in_fragments_and_is_known_by_its_first() -> None:
    connection = authenticated()
    connection._serial = 0xFFFF
    assert connection.send(LONG) == 0xFFFF
    assert connection.send(Locate()) == 1
    assert heads(connection) == [(0x8300, 0xFFFF, 1, 2), (0x8300, 0, 2, 2), (0x8201, 1, 0, 0)]
    for named, ours in ((0xFFFF, 0xFFFF), (0, 0xFFFF), (1, 1), (2, 2)):
        (event,) = connection.receive_data(message(0x0001, named.to_bytes(2, "big") + b"\x83\0\0"), NOW)
        assert isinstance(event, Answer)
        assert event.serial == ours


def test_answers_of_other_kinds_are_known_by_the_first_too() -> None:
    connection = authenticated()
    serial = connection.send(LONG)
    named = (serial + 1).to_bytes(2, "big")
    (told,) = connection.receive_data(message(0x0104, named + bytes.fromhex("01 00000029 04 0000001e")), NOW)
    assert isinstance(told, ParametersAnswer)
    assert (told.answers, told.values) == (serial, {0x29: 30})
    (taken,) = connection.receive_data(message(0x0805, named + bytes.fromhex("00 0001 00000009")), NOW)
    assert isinstance(taken, PhotoTaken)
    assert (taken.answers, taken.result, taken.media_ids) == (serial, 0, (9,))
    assert "30" not in repr(told)


def test_a_list_of_parameters_that_is_cut_off_is_taken_as_far_as_it_goes() -> None:
    connection = authenticated()
    body = bytes.fromhex("0001 02 00000029 04 0000001e 0000")
    refused, event = connection.receive_data(message(0x0104, body), NOW)
    assert refused == Refused("bad_body", PHONE, 0x0104)
    assert isinstance(event, ParametersAnswer)
    assert event.values == {0x29: 30}
    assert connection.receive_data(message(0x0104, body[:3]), NOW) == [Refused("bad_body", PHONE, 0x0104)]


@pytest.mark.parametrize("wide", [False, True])
def test_a_terminal_asks_for_fragments_again(wide: bool) -> None:
    connection = authenticated()
    serial = connection.send(LONG)
    first, second = connection.data_to_send()
    count = b"\0\x02" if wide else b"\x02"
    asked = message(0x0005, serial.to_bytes(2, "big") + count + b"\0\x02\0\x02", serial=40)
    for _ in range(5):
        assert connection.receive_data(asked, NOW) == []
        assert connection.data_to_send() == [second]
    # No more than that: a few bytes must not buy a thousand for ever.
    assert connection.receive_data(asked, NOW) == [Refused("fragments_gone", PHONE, 0x0005)]
    assert sent(connection) == [(0x8001, serial + 2, "0028000501")]
    assert first != second


def test_fragments_of_what_was_never_sent() -> None:
    connection = authenticated()
    connection.send(Locate())
    connection.data_to_send()
    assert connection.receive_data(message(0x0005, b"\0\x01\x01\0\x01", serial=7), NOW) == [
        Refused("fragments_gone", PHONE, 0x0005)
    ]
    assert connection.receive_data(message(0x0005, b"\0"), NOW) == [Refused("bad_body", PHONE, 0x0005)]
    assert [body for *_, body in sent(connection)] == ["0007000501", "0001000502"]
    assert Connection().receive_data(message(0x0005, b"\0\x01\x01\0\x01"), NOW) == [
        Refused("not_authenticated", PHONE, 0x0005)
    ]


def test_what_is_kept_of_long_messages_is_bounded() -> None:
    connection = authenticated()
    polygon = SetPolygon(Polygon(ident=1, points=((10, 10),) * 1000))
    for _ in range(40):
        connection.send(polygon)
        connection.data_to_send()
    assert len(connection._long) == 4
    assert connection._long.bytes_held <= 128 * 1024


# -- the terminal's side --


def asked(pair: Pair, downlink: Any) -> tuple[int, ClientEvent, Event | None]:
    """Sends; the serial, what the terminal made of it, and its answer."""
    before = len(pair.server)
    serial = pair.connection.send(downlink)
    pair.pump()
    return serial, pair.client[-1], pair.server[-1] if len(pair.server) > before else None


@pytest.mark.parametrize("version", [2011, 2013, 2019])
@pytest.mark.parametrize("text", [Text("去东街", urgent=True), LONG])
def test_a_text_is_told_and_answered(version: int, text: Text) -> None:
    serial, told, answer = asked(joined(version), text)
    assert told == Told(text.text, text.urgent, True, True)
    assert isinstance(answer, Answer)
    assert (answer.serial, answer.message_id, answer.result) == (serial, 0x8300, 0)


@pytest.mark.parametrize("version", [2013, 2019])
def test_parameters_are_set_and_told(version: int) -> None:
    pair = joined(version)
    serial, event, answer = asked(pair, SetParameters({0x29: 10, 0x83: "豫E1"}))
    assert event == ParametersSet((0x29, 0x83))
    assert isinstance(answer, Answer)
    assert (answer.serial, answer.result) == (serial, 0)
    serial, event, answer = asked(pair, QueryParameters([0x83, 0x29, 0x99]))
    assert event == ParametersTold(2)
    assert isinstance(answer, ParametersAnswer)
    assert (answer.answers, answer.values) == (serial, {0x83: "豫E1", 0x29: 10})
    _, event, answer = asked(pair, QueryParameters())
    assert isinstance(answer, ParametersAnswer)
    assert answer.values == DEFAULTS | {0x83: "豫E1", 0x29: 10}
    assert pair.terminal.duties.interval(0) == 10


def test_parameters_beyond_a_frame_are_told_in_fragments() -> None:
    pair = joined()
    names = dict.fromkeys((16, 17, 18, 19, 20, 21, 22, 23), "A" * 200)
    asked(pair, SetParameters(names))
    *_, answer = asked(pair, QueryParameters())
    assert isinstance(answer, ParametersAnswer)
    assert answer.values == DEFAULTS | names


def test_temporary_tracking_ends_by_itself_or_when_told() -> None:
    duties = Duties()
    assert (duties.interval(0), duties.followed(0)) == (30, False)
    event, _ = duties.obey(Follow(2, 60), 1, 1000)
    assert event == Followed(2, 60)
    assert [(duties.interval(now), duties.followed(now)) for now in (1000, 60_999, 61_000)] == [
        (2, True),
        (2, True),
        (30, False),
    ]
    duties.obey(Follow(2, 60), 2, 1000)
    duties.obey(Follow(0), 3, 2000)
    assert not duties.followed(2000)


def test_areas_are_kept() -> None:
    pair = joined(2019)
    circles = [Circle(ident=ident, latitude=10, longitude=10, radius=ident, name="圈") for ident in (1, 2, 3)]
    polygon = Polygon(ident=9, points=((10, 10), (10, 20), (20, 10)))
    for downlink, count in (
        (SetCircles(circles[:2]), 2),
        (SetCircles(circles[2:], Mode.APPEND), 3),
        (SetCircles([Circle(ident=2, latitude=10, longitude=10, radius=99)], Mode.CHANGE), 3),
        (DeleteAreas(Shape.CIRCLE, [1, 77]), 2),
        (SetCircles(circles[:1]), 1),
        (DeleteAreas(Shape.CIRCLE), 0),
    ):
        serial, event, answer = asked(pair, downlink)
        assert event == AreasChanged(Shape.CIRCLE, count)
        assert isinstance(answer, Answer)
        assert (answer.serial, answer.message_id, answer.result) == (serial, downlink.message_id, 0)
    asked(pair, SetPolygon(polygon))
    asked(pair, SetPolygon(polygon))
    assert pair.terminal.duties.areas == {Shape.CIRCLE: {}, Shape.BOX: {}, Shape.POLYGON: {9: polygon}}


def test_a_camera_that_fails() -> None:
    pair = joined()
    serial, event, answer = asked(pair, Photo(1))
    assert event == PhotoAsked(serial, Photo(1))
    assert answer is None  # the camera takes its time
    assert isinstance(event, PhotoAsked)
    assert pair.terminal.photos(event, []) == []
    pair.pump()
    taken = pair.server[-1]
    assert isinstance(taken, PhotoTaken)
    assert (taken.answers, taken.result, taken.media_ids) == (serial, 1, ())
    old = joined(2011)
    serial, event, _ = asked(old, Photo(1))
    assert isinstance(event, PhotoAsked)
    old.terminal.photos(event, [])
    old.pump()
    answer = old.server[-1]
    assert isinstance(answer, Answer)
    assert (answer.serial, answer.message_id, answer.result) == (serial, 0x8801, 1)


def test_media_wait_for_a_connection_and_the_oldest_is_lost() -> None:
    terminal = Terminal(PHONE, token="令牌7")
    for number in range(9):
        terminal.medium(bytes([number]))
    assert terminal.media == set(range(2, 10))
    pair = Pair(terminal)
    terminal.authenticate()
    pair.pump()
    events = [event for event in pair.server if isinstance(event, Media)]
    assert [(event.media_id, event.data, event.event) for event in events] == [
        (number + 1, bytes([number]), 1) for number in range(1, 9)
    ]
    again = Pair(terminal)  # nothing was acknowledged
    terminal.authenticate()
    again.pump()
    assert len([event for event in again.server if isinstance(event, Media)]) == 8


@pytest.mark.parametrize(
    ("message_id", "body", "result", "event"),
    [
        (0x8500, b"\0", 3, Unsupported(0x8500, 9)),
        (0x8400, b"\x01" + bytes(20), 3, Unsupported(0x8400, 9)),
        (0x9101, bytes(20), 3, Unsupported(0x9101, 9)),
        (0x8103, bytes.fromhex("01 00000048 01 31"), 2, Broken("bad_body")),
        (0x8801, b"\x01", 2, Broken("bad_body")),
    ],
)
def test_what_a_terminal_does_not_do(message_id: int, body: bytes, result: int, event: ClientEvent) -> None:
    pair = joined()
    assert pair.terminal.receive_data(message(message_id, body, serial=9)) == [event]
    pair.pump()
    answer = pair.server[-1]
    assert isinstance(answer, Answer)
    assert (answer.serial, answer.message_id, answer.result) == (9, message_id, result)


@pytest.mark.parametrize(
    ("message_id", "body", "reason"),
    [
        (0x8003, b"\0\x09\x01\0\x01", "fragments_gone"),
        (0x8003, b"\0", "bad_body"),
        (0x8800, b"\0\0\0\x09\x01\0\x01", "fragments_gone"),
        (0x8800, b"\0", "bad_body"),
    ],
)
def test_fragments_that_a_terminal_does_not_have(message_id: int, body: bytes, reason: str) -> None:
    assert joined().terminal.receive_data(message(message_id, body)) == [Broken(reason)]


ANY = st.builds(
    message,
    st.one_of(
        st.sampled_from([0x8003, 0x8103, 0x8104, 0x8106, 0x8202, 0x8300, 0x8600, 0x8602, 0x8604, 0x8800, 0x8801]),
        st.integers(0, 0xFFFF),
    ),
    st.binary(max_size=60),
    serial=st.integers(0, 0xFFFF),
    total=st.integers(0, 3),
    index=st.integers(0, 3),
)


@given(st.lists(st.one_of(ANY, st.binary(max_size=40)), max_size=8), st.integers(1, 50))
def test_no_bytes_of_a_platform_raise_and_no_cut_matters(pieces: list[bytes], size: int) -> None:
    stream = b"".join(pieces)
    whole, cut = Terminal(PHONE), Terminal(PHONE)
    expected = whole.receive_data(stream)
    found = [event for at in range(0, len(stream), size) for event in cut.receive_data(stream[at : at + size])]
    assert found == expected
    assert cut.data_to_send() == whole.data_to_send()


def test_a_locate_is_answered_beside_the_rest() -> None:
    pair = joined()
    pair.terminal.position(NOW, 10, 20)
    pair.pump()
    serial, _, answer = asked(pair, Locate())
    assert isinstance(answer, Positions)
    assert answer.answers == serial
