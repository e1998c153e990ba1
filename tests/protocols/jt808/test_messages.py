"""Bodies of the session: every shared frame byte for byte, our own vectors by value."""

from __future__ import annotations

import pytest

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.jt808.header import decode_header
from protocols.jt808.messages import (
    AuthenticationBody,
    GeneralAnswer,
    MessageId,
    RegistrationAnswer,
    RegistrationBody,
    TimeAnswer,
    decode_body,
    text,
)
from protocols.jt808.positions import Position, decode_report
from tests.data import needs_shared
from tests.protocols.jt808.frames import GOLDEN_TIME, ROWS, payload

UTC_OFFSET = 0


@needs_shared
def test_the_shared_bodies_come_back_byte_for_byte() -> None:
    seen: set[int] = set()
    for row in ROWS:
        if not row.good or row.message_id not in set(MessageId) or row.fragment or row.encryption:
            continue
        _, body = decode_header(payload(row.data))
        assert decode_body(row.message_id, body, row.long).encode() == body, row.line
        seen.add(row.message_id)
    # nobody captured the request for the time, whose body is empty, nor a terminal that wants fragments again
    assert len(ROWS) != 419 or seen == set(MessageId) - {MessageId.TIME_REQUEST, MessageId.RESEND_REQUEST}


@needs_shared
def test_the_shared_positions_are_reports() -> None:
    reports = [
        (decode_report(body, live=True), Position.decode(body))
        for row in ROWS
        if row.good and row.message_id == 0x0200
        for body in [decode_header(payload(row.data))[1]]
    ]
    for report, position in reports:
        assert (report.latitude is None) == (not position.status & 2)
        # no item is lost: it has a name, or it is raw, or padding, or malformed
        assert report.items is not None or not position.items


def test_other_messages_are_not_read_here() -> None:
    with pytest.raises(RemoteProtocolError, match="unsupported"):
        decode_body(0x0900, b"", False)


def vector(widths: tuple[int, int, int]) -> bytes:
    fields = zip((b"MAKER", b"MODEL-1", b"ID7"), widths, strict=True)
    return b"\x00\x29\x01\x02" + b"".join(a.ljust(b, b"\0") for a, b in fields) + b"\x01" + "豫E12345".encode("gbk")


@pytest.mark.parametrize(
    ("layout", "widths", "long"),
    [(2011, (5, 8, 7), False), (2013, (5, 20, 7), False), (2019, (11, 30, 30), True), (2013, (5, 20, 7), True)],
)
def test_registrations(layout: int, widths: tuple[int, int, int], long: bool) -> None:
    data = vector(widths)
    body = decode_body(0x0100, data, long)
    assert isinstance(body, RegistrationBody)
    assert (body.layout, body.province, body.city, body.colour) == (layout, 41, 258, 1)
    assert (text(body.maker_raw), text(body.model_raw), text(body.terminal_raw)) == ("MAKER", "MODEL-1", "ID7")
    assert text(body.plate_raw) == "豫E12345"
    assert body.encode() == data
    assert "12345" not in repr(body)
    made = RegistrationBody.of(
        layout, province=41, city=258, maker="MAKER", model="MODEL-1", terminal="ID7", colour=1, plate="豫E12345"
    )
    assert made == body


def test_a_vehicle_without_plate_in_the_layout_of_2011() -> None:
    data = RegistrationBody.of(2011, terminal="ID7", colour=0, plate="LSVAU033972000001").encode()
    assert len(data) == 42  # long enough for 2013
    body = RegistrationBody.decode(data, False)
    assert (body.layout, text(body.plate_raw)) == (2011, "LSVAU033972000001")


def test_registrations_too_short_or_not_to_be_written() -> None:
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        RegistrationBody.decode(bytes(24), True)
    with pytest.raises(LocalProtocolError):
        RegistrationBody.of(2013, maker="SIXSIX")


def test_authentication_of_2013_is_the_token_alone() -> None:
    body = decode_body(0x0102, b"token", False)
    assert body == AuthenticationBody(b"token")
    assert "token=" not in repr(body)


def test_authentication_of_2019() -> None:
    data = b"\x05token" + b"123456789012345" + b"3.7.15".ljust(20, b"\0")
    body = AuthenticationBody.decode(data, True)
    assert body == AuthenticationBody(b"token", b"123456789012345", b"3.7.15".ljust(20, b"\0"))
    assert body.encode() == data
    assert AuthenticationBody.decode(b"\x05token", True) == AuthenticationBody(b"\x05token")
    assert AuthenticationBody.decode(data, False) == AuthenticationBody(data)
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        AuthenticationBody.decode(b"", True)


def test_answers() -> None:
    assert GeneralAnswer.decode(bytes.fromhex("007d020001")) == GeneralAnswer(125, 0x0200, 1)
    assert GeneralAnswer.decode(bytes.fromhex("007d020001aa")).tail == b"\xaa"
    assert GeneralAnswer.decode(b"") == GeneralAnswer(None, None, None)
    assert RegistrationAnswer.decode(b"\x00\x07\x00abc") == RegistrationAnswer(7, 0, b"abc")
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        GeneralAnswer.decode(b"\0\0\0\0")
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        RegistrationAnswer.decode(b"\0\0")


def test_the_time() -> None:
    answer = TimeAnswer.of(GOLDEN_TIME + 500)
    assert answer.encode().hex() == "181015101010"
    assert answer.time() == GOLDEN_TIME
    assert TimeAnswer.of(GOLDEN_TIME, UTC_OFFSET).encode().hex() == "181015021010"
    assert TimeAnswer.of(GOLDEN_TIME, UTC_OFFSET).time(UTC_OFFSET) == GOLDEN_TIME
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        TimeAnswer.decode(b"\x18")
    with pytest.raises(RemoteProtocolError, match="bad_time"):
        TimeAnswer.decode(bytes(6)).time()
