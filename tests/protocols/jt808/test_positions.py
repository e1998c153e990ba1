"""Positions: the golden frame by value, every bit that matters, batches, and round trips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.jt808.header import decode_header
from protocols.jt808.positions import Batch, LocationAnswer, Position, decode_report
from protocols.report import CoordinateSystem
from tests.protocols.jt808.frames import GOLDEN, GOLDEN_TIME, payload

BODY = decode_header(payload(GOLDEN))[1]


def body(status: int, **changes: int) -> bytes:
    fields = {"alarm": 0, "latitude": 12_222_222, "longitude": 132_444_444, "altitude": 40, "speed": 60, "course": 24}
    fields |= changes
    return Position(status=status, time=bytes.fromhex("181015101010"), **fields).encode()


def test_the_golden_frame() -> None:
    report = decode_report(BODY, live=True)
    assert report.fix_time == GOLDEN_TIME
    assert (report.latitude, report.longitude) == (122_222_220, 1_324_444_440)
    assert (report.altitude, report.speed, report.course, report.accuracy) == (40, 167, 0, None)
    assert (report.alarm, report.status, report.live, report.device_time) == (1, 2, True, GOLDEN_TIME)
    assert decode_report(BODY, live=False).device_time is None  # stored earlier: says nothing of the clock now
    assert report.crs == CoordinateSystem.WGS84
    assert report.items == {"mileage_m": 10_000, "fuel_l": 12.5}


def test_the_golden_frame_as_the_wire_has_it() -> None:
    position = Position.decode(BODY)
    assert (position.latitude, position.longitude, position.speed) == (12_222_222, 132_444_444, 60)
    assert position.time.hex() == "181015101010"
    assert position.items == ((1, b"\0\0\0\x64"), (2, b"\0\x7d"))
    assert position.tail == b""
    assert position.encode() == BODY


def test_south_and_west() -> None:
    assert [
        (report.latitude, report.longitude)
        for report in (decode_report(body(status), live=True) for status in (0b0010, 0b0110, 0b1010, 0b1110))
    ] == [
        (122_222_220, 1_324_444_440),
        (-122_222_220, 1_324_444_440),
        (122_222_220, -1_324_444_440),
        (-122_222_220, -1_324_444_440),
    ]


def test_not_located_is_no_position_but_keeps_what_was_said() -> None:
    report = decode_report(body(0b0100), live=True)
    assert (report.latitude, report.longitude, report.fix_time) == (None, None, GOLDEN_TIME)
    assert report.items == {"unlocated": [-122_222_220, 1_324_444_440]}


def test_shifted_coordinates_are_declared() -> None:
    assert decode_report(body(0x22), live=False).crs == CoordinateSystem.GCJ02
    assert decode_report(body(0x22), live=False).live is False


def test_altitude_is_signed_and_courses_are_courses() -> None:
    assert decode_report(body(2, altitude=0x10000 - 154), live=True).altitude == -154
    assert [decode_report(body(2, course=course), live=True).course for course in (0, 359, 360, 361, 65535)] == [
        0, 359, 0, None, None,
    ]  # fmt: skip


def test_a_position_without_items_has_none() -> None:
    assert decode_report(body(2), live=True).items is None
    assert decode_report(body(2) + bytes(3), live=True).items is None


def test_a_short_body_and_a_bad_time_are_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        decode_report(BODY[:27], live=True)
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        Position.decode(BODY[:27])
    with pytest.raises(RemoteProtocolError, match="bad_time"):
        decode_report(BODY[:22] + bytes(6), live=True)


COORDINATE = st.one_of(
    st.none(), st.tuples(st.integers(-90_000_000, 90_000_000), st.integers(-(18 * 10**7), 18 * 10**7))
)


@given(
    st.integers(946_656_000, 4_102_415_999), COORDINATE, st.integers(-500, 9000), st.integers(0, 0xFFFF),
    st.integers(0, 359), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 255),
    st.integers(0, 0xFFFFFFFF),
)  # fmt: skip
def test_positions_come_back(
    seconds: int, place: tuple[int, int] | None, altitude: int, speed: int, course: int, status: int, alarm: int,
    satellites: int, mileage: int,
) -> None:  # fmt: skip
    latitude, longitude = (None, None) if place is None else (place[0] * 10, place[1] * 10)
    items: dict[str, object] = {"satellites": satellites, "mileage_m": mileage * 100}
    position = Position.of(
        seconds * 1000, latitude, longitude, altitude=altitude, speed=(speed * 50 + 9) // 18, course=course,
        status=status, alarm=alarm, items=items,
    )  # fmt: skip
    report = decode_report(position.encode(), live=True)
    assert Position.decode(position.encode()) == position
    assert (report.fix_time, report.latitude, report.longitude) == (seconds * 1000, latitude, longitude)
    assert (report.altitude, report.speed, report.course) == (altitude, (speed * 50 + 9) // 18, course)
    assert (report.status | 0xE, report.alarm) == (status | 0xE, alarm)
    if latitude is None:
        items["unlocated"] = [0, 0]
    assert report.items == items


def test_positions_that_cannot_be_written_are_our_fault() -> None:
    for change in ({"course": -1}, {"speed": 10**9}, {"items": {"raw": [[1, bytes(256)]]}}):
        with pytest.raises(LocalProtocolError):
            Position.of(GOLDEN_TIME, 0, 0, **change)  # type: ignore[arg-type]


def test_a_batch() -> None:
    data = bytes.fromhex("000201") + (b"\0\x26" + BODY) * 2
    batch = Batch.decode(data)
    assert (batch.count, batch.kind, batch.bodies, batch.tail) == (2, 1, (BODY, BODY), b"")
    assert batch.encode() == data


def test_a_batch_that_ends_early_keeps_what_came() -> None:
    data = bytes.fromhex("000300") + b"\0\x26" + BODY + b"\0\x26" + BODY[:5]
    batch = Batch.decode(data)
    assert (batch.bodies, batch.tail) == ((BODY,), b"\0\x26" + BODY[:5])
    assert batch.encode() == data
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        Batch.decode(b"\0\1")


@given(st.binary(min_size=28, max_size=100))
def test_any_bytes_are_written_as_they_were_read(data: bytes) -> None:
    assert Position.decode(data).encode() == data
    assert Batch.decode(data).encode() == data
    assert LocationAnswer.decode(data).encode() == data


def test_an_answer_to_a_locate() -> None:
    answer = LocationAnswer.decode(b"\x12\x34" + BODY)
    assert (answer.serial, answer.position) == (0x1234, BODY)
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        LocationAnswer.decode(b"\x12")
