"""The conversation of a GT06 tracker: login, what is reported, what is answered when, and any bytes at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.alarms import SOS_HELD_MS
from protocols.dialogue import Event, Heartbeat, Login, Peer, Refused, Reported
from protocols.gt06 import Gt06, client
from protocols.gt06.core import NEAR_MS
from protocols.gt06.framing import frame, plain_frame
from protocols.gt06.messages import LATE_MS
from protocols.report import ALARM_SOS, Report
from tests.protocols.trackers import LENIENT, NOW, STRICT, answer, cuts, fed, near, reports, told

IMEI = "123456789012345"
LAT, LON = 306_600_000, 1_174_900_000
EAST_8 = 8 * 3_600_000


def logged_in(zone: int | None = None, peer: Peer = STRICT) -> Gt06:
    core = Gt06(peer)
    (event,) = core.receive_data(client.login(IMEI, 1, zone), NOW)
    assert isinstance(event, Login)
    core.accept(event)
    assert client.answers(b"".join(core.data_to_send())) == [(0x01, 1)]
    return core


def one(core: Gt06, data: bytes, now: int = NOW) -> Report:
    (report,) = reports(core.receive_data(data, now))
    return report


def test_a_login_is_answered_when_it_is_accepted_and_not_otherwise() -> None:
    core = Gt06(STRICT)
    (event,) = core.receive_data(client.login(IMEI, 7), NOW)
    assert isinstance(event, Login)
    assert event.device_id == IMEI
    assert core.data_to_send() == []
    core.refuse(event)
    assert core.closing
    assert core.data_to_send() == []


@pytest.mark.parametrize(("bcd", "name"), [("0012345678901234", "012345678901234"), ("9123456789012345",) * 2])
def test_an_id_has_its_fifteen_digits_or_all_sixteen(bcd: str, name: str) -> None:
    (event,) = Gt06(STRICT).receive_data(frame(1, bytes.fromhex(bcd), 1), NOW)
    assert isinstance(event, Login)
    assert event.device_id == name


@pytest.mark.parametrize("content", ["012345678901234f", "01234567", ""])
def test_a_login_without_an_id_is_refused(content: str) -> None:
    assert Gt06(STRICT).receive_data(frame(1, bytes.fromhex(content), 1), NOW) == [Refused("bad_login")]


@pytest.mark.parametrize(("north", "east"), [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_a_position_is_acknowledged_when_it_is_on_disk(north: int, east: int) -> None:
    core = logged_in()
    (event,) = core.receive_data(client.position(NOW - 4000, north * LAT, east * LON, 9, speed=36), NOW)
    assert isinstance(event, Reported)
    (report,) = event.reports
    assert report.fix_time == NOW - 4000
    assert report.device_time is None  # the time of the fix says nothing of when it was sent
    assert report.latitude is not None
    assert report.longitude is not None
    assert abs(report.latitude - north * LAT) <= 3
    assert abs(report.longitude - east * LON) <= 3
    assert (report.speed, report.live, report.alarm) == (1000, True, 0)
    assert report.items == {"ignition": True, "satellites": 9}
    assert core.data_to_send() == []
    core.acknowledge(event)
    assert client.answers(b"".join(core.data_to_send())) == [(0x22, 9)]


def test_what_was_stored_is_not_about_now() -> None:
    core = logged_in()
    assert not one(core, client.position(NOW - 60_000, LAT, LON, stored=True)).live
    assert one(core, client.position(NOW - 60_000, LAT, LON)).live
    # 0x12 has no word for it: its age tells.
    plain = bytes(8)
    assert one(core, frame(0x12, client.fix(NOW - LATE_MS, LAT, LON) + plain)).live
    assert not one(core, frame(0x12, client.fix(NOW - LATE_MS - 1000, LAT, LON) + plain)).live


def test_without_a_fix_there_is_no_position_but_the_cell() -> None:
    content = client.fix(NOW, LAT, LON, located=False) + bytes.fromhex("01cc00287d001f71")
    report = one(logged_in(), frame(0x12, content))
    assert report.latitude is report.longitude is None
    assert report.items is not None
    assert report.items["cells"] == [[460, 0, 0x287D, 0x1F71, 0]]
    assert report.items["unlocated"] == [LAT, LON]


PLACE = client.fix(NOW, LAT, LON)
TIME = PLACE[:6]


@pytest.mark.parametrize(
    ("kind", "content", "long"),
    [
        (0x12, PLACE, False),
        (0x12, bytes.fromhex("0123456789012345") + PLACE, False),
        (0x25, b"\1" + bytes.fromhex("0123456789012345") + TIME + PLACE + bytes(20), False),
        (0x34, bytes(4) + PLACE + bytes(9), False),
        (0x1E, PLACE + bytes.fromhex("01cc00287d001f713e"), False),
        (0x2D, PLACE + bytes(8), False),
        (0x37, PLACE + bytes(8), False),
        (0xA0, PLACE + bytes.fromhex("81cc00010000912e000000000718798d000e00"), False),
        (0xA2, PLACE + bytes(30), False),
        (0xA4, PLACE + b"\x10" + bytes(15) + bytes.fromhex("42050400 02ff"), False),
        (0x32, TIME + b"\x0c" + PLACE[6:] + b"\x09" + bytes(20), True),
        (0xE1, PLACE + b"of a maker that nobody knows", False),
        (0x8C, TIME + b"\1,73=0,2" + PLACE[6:], True),
    ],
)
def test_all_types_with_a_position(kind: int, content: bytes, long: bool) -> None:
    report = one(logged_in(), frame(kind, content, long=long))
    assert (report.fix_time, report.latitude, report.longitude) == (NOW, LAT, LON)


CELL = bytes.fromhex("01cc00287d001f71")


@pytest.mark.parametrize(
    ("kind", "content", "cells"),
    [
        (0x11, TIME + CELL, [[460, 0, 0x287D, 0x1F71, 0]]),
        (0x18, TIME + CELL + b"\x3e" + bytes(6), [[460, 0, 0x287D, 0x1F71, 62]]),
        (0x28, TIME + CELL + b"\x3e" + bytes.fromhex("287d001f723d"), [[460, 0, 0x287D, 0x1F71, 62]]),
        (0xA1, TIME + bytes.fromhex("81cc00010000912e000000000718798d3e"), [[460, 1, 0x912E, 0x718798D, 62]]),
        (0x24, TIME + b"\0\x01\xcc\0\1\x28\x7d\0\x1f\x71\x3e", [[460, 0, 0x287D, 0x1F71, 62]]),
        (0x19, CELL + bytes.fromhex("4006040002"), [[460, 0, 0x287D, 0x1F71, 0]]),
        (0x32, TIME + b"\0\x09" + CELL + bytes(9), [[460, 0, 0x287D, 0x1F71, 0]]),
    ],
)
def test_types_with_cells(kind: int, content: bytes, cells: list[list[int]]) -> None:
    report = one(logged_in(), frame(kind, content, long=kind == 0x32))
    assert report.latitude is None
    assert report.items is not None
    assert report.items["cells"][: len(cells)] == cells  # type: ignore[index]


def test_an_alarm_is_a_word_and_a_bit_and_answered() -> None:
    core = logged_in()
    (event,) = core.receive_data(client.alarm(NOW, LAT, LON, 3), NOW)
    assert isinstance(event, Reported)
    (report,) = event.reports
    assert report.alarm == ALARM_SOS
    assert report.items is not None
    assert report.items["alarms"] == ["sos"]
    assert report.items["battery"] == 60
    core.acknowledge(event)
    assert client.answers(b"".join(core.data_to_send())) == [(0x26, 3)]
    fall = one(logged_in(), client.alarm(NOW, LAT, LON, 4, 0x23))
    assert fall.items is not None
    assert fall.items["alarms"] == ["fall"]
    assert not fall.alarm & ALARM_SOS


def test_a_call_for_help_stands_for_ten_minutes() -> None:
    core = logged_in()
    one(core, client.alarm(NOW, LAT, LON))
    assert one(core, client.position(NOW, LAT, LON), NOW + SOS_HELD_MS - 1).alarm == ALARM_SOS
    assert one(core, client.position(NOW, LAT, LON, stored=True), NOW + 1000).alarm == 0
    assert one(core, client.position(NOW, LAT, LON), NOW + SOS_HELD_MS).alarm == 0


def test_an_alarm_in_a_heartbeat_is_stored_each_time_and_prolongs_the_call() -> None:
    """The disk may not have taken the one before; then the tracker says the same again."""
    core = logged_in()
    beat = frame(0x13, bytes([4 << 3, 4, 4, 0, 2]))
    for at in (NOW, NOW + SOS_HELD_MS - 1):
        assert one(core, beat, at).alarm == ALARM_SOS
    assert one(core, client.position(NOW, LAT, LON), NOW + 2 * SOS_HELD_MS - 2).alarm == ALARM_SOS


def test_a_heartbeat_is_stored_when_it_says_something_new() -> None:
    core = logged_in()
    report = one(core, client.heartbeat(1, level=2))
    assert report.items == {"battery": 15, "signal": 4, "charging": True, "ignition": False}
    assert report.fix_time is None
    (again,) = core.receive_data(client.heartbeat(2, level=2), NOW)
    assert isinstance(again, Heartbeat)
    core.acknowledge(again)
    assert client.answers(b"".join(core.data_to_send())) == [(0x13, 2)]
    assert one(core, client.heartbeat(3, level=1)).items != report.items


def test_the_clock_is_told() -> None:
    (event,) = logged_in().receive_data(frame(0x8A, b"", 6), NOW)
    assert isinstance(event, Heartbeat)
    assert event.ticket == frame(0x8A, bytes((26, 11, 23, 12, 0, 0)), 6)


def test_requests_for_an_address_are_not_answered() -> None:
    (event,) = logged_in().receive_data(frame(0x2A, client.fix(NOW, LAT, LON) + bytes(23), 6), NOW)
    assert event == Heartbeat(b"")


def test_what_cannot_be_read_is_counted_and_answered_once_and_for_all() -> None:
    core = logged_in()
    assert core.receive_data(frame(0x22, b"\xff" * 29, 5), NOW) == [
        Refused("bad_body"),
        Heartbeat(frame(0x22, serial=5)),
    ]
    assert core.receive_data(frame(0xFD, b"text", 6), NOW)[0] == Refused("unsupported")


def test_a_wrong_crc_is_counted_and_not_answered_unless_the_device_is_known_for_it() -> None:
    damaged = bytearray(client.position(NOW, LAT, LON))
    damaged[-3] ^= 1
    assert logged_in().receive_data(bytes(damaged), NOW) == [Refused("bad_checksum")]
    assert reports(logged_in(peer=LENIENT).receive_data(bytes(damaged), NOW))
    login = bytearray(client.login(IMEI))
    login[-3] ^= 1
    assert Gt06(Peer("", {"999"})).receive_data(bytes(login), NOW) == [Refused("bad_checksum")]
    assert isinstance(Gt06(Peer("", {IMEI})).receive_data(bytes(login), NOW)[0], Login)
    login = bytearray(client.login("012345678901234"))
    login[-3] ^= 1
    assert isinstance(Gt06(Peer("", {"12345678901234"})).receive_data(bytes(login), NOW)[0], Login)


def test_the_time_that_a_tracker_keeps_is_seen_at_its_first_message_of_now() -> None:
    utc, local = logged_in(480), logged_in(480)
    assert one(utc, client.position(NOW, LAT, LON)).fix_time == NOW
    report = one(local, client.position(NOW + EAST_8, LAT, LON))
    assert (report.fix_time, report.live) == (NOW, True)
    # From then on for stored ones too.
    old = NOW - 7 * NEAR_MS
    assert one(local, client.position(old + EAST_8, LAT, LON, stored=True)).fix_time == old
    assert one(utc, client.position(old, LAT, LON, stored=True)).fix_time == old
    west = logged_in(-210)
    assert one(west, client.position(NOW - 210 * 60_000, LAT, LON)).fix_time == NOW


def test_pocket_trackers_get_their_own_answers() -> None:
    core = Gt06(STRICT)
    got = []
    at = client.fix(NOW, LAT, LON)
    wifi = bytes.fromhex("261123120000") + b"\1\2\3\4\5\6\x50" + b"\1\x01\xcc\0\x28\x7d\x1f\x71\x46"
    for data in (
        plain_frame(0x01, bytes.fromhex("0123456789012345") + b"\x34", 13),
        plain_frame(0x10, at, 18),
        plain_frame(0x69, wifi, 1),
        plain_frame(0x13, b"\x5d\x0b\x08\x0b\x64"),
        plain_frame(0x30),
        plain_frame(0x08),
    ):
        for event in core.receive_data(data, NOW):
            got.append(event)
            answer(core, event)
    login, position, places, state, clock, beat = got
    assert isinstance(login, Login)
    assert login.device_id == IMEI
    assert [reports([event])[0].live for event in (position, places, state)] == [True] * 3
    assert reports([places])[0].items == {
        "wifi": [["01:02:03:04:05:06", -80]],
        "cells": [[460, 0, 0x287D, 0x1F71, 70]],
    }
    assert reports([state])[0].items == {"battery": 93, "signal": 11}
    assert clock == Heartbeat(bytes.fromhex("78780730 07ea0b170c0000 0d0a"))
    assert beat == Heartbeat(b"")
    assert [one.hex() for one in core.data_to_send()] == [
        "787801010d0a",
        "787807101a0b170c00000d0a",
        "787800692611231200000d0a",
        "78780213080d0a",
        "7878073007ea0b170c00000d0a",
    ]


SAMPLES = [
    client.login(IMEI, zone=480),
    client.position(NOW, LAT, LON),
    client.alarm(NOW, -LAT, -LON),
    client.heartbeat(),
    frame(0x8A),
    frame(0xA0, client.fix(NOW, LAT, LON) + bytes.fromhex("81cc00010000912e000000000718798d000e00")),
    frame(0x2C, bytes.fromhex("1a0b170c0000013604") + bytes(range(42)) + b"\7\1" + bytes(range(7))),
    frame(0x94, b"\x0a" + bytes(26), 4, long=True),
    frame(0x70, bytes.fromhex("00330012") + bytes(range(18)), 4, long=True),
    frame(0x95, bytes.fromhex("140a060e2208055d4a800209d9c014c5910000"), 5),
    frame(0x21, b"\0\0\0\0\1Lat:N54.7,Lon:E25.2,Course:1.5,Speed:0.5,DateTime:2026-11-23 12:00:00", 5, long=True),
    plain_frame(0x10, client.fix(NOW, LAT, LON), 18),
    plain_frame(0x69, bytes.fromhex("261123120000") + bytes(7) + b"\0\x01\xcc\0", 1),
]


def test_any_cut_gives_the_same_events() -> None:
    stream = b"".join(SAMPLES)
    whole = fed(Gt06, [stream])
    assert len(whole) == len(SAMPLES)
    for parts in cuts(stream):
        assert fed(Gt06, parts) == whole


@given(st.binary(max_size=400) | near(SAMPLES), st.sampled_from([STRICT, LENIENT]))
@settings(max_examples=400, deadline=None)
def test_no_bytes_do_harm(data: bytes, peer: Peer) -> None:
    core = Gt06(peer)
    events: list[Event] = []
    for part in (client.login(IMEI), data, data[::-1]):
        events += core.receive_data(part, NOW)
    assert fed(Gt06, [data], peer) == fed(Gt06, [data[i : i + 1] for i in range(len(data))], peer)
    assert all(told(event) for event in events)
    for report in reports(events):
        assert (report.latitude is None) is (report.longitude is None)
        assert report.fix_time is None or report.fix_time % 1000 == 0
