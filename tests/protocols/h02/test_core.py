"""The conversation of an H02 tracker: who speaks, what is reported, what is answered when, and any bytes at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.dialogue import Event, Heartbeat, Login, Refused, Reported
from protocols.h02 import H02, client
from protocols.h02.framing import PAUSE_MS
from protocols.h02.messages import ALL_QUIET, LATE_MS, degrees
from protocols.report import ALARM_SOS, Report
from tests.protocols.trackers import LENIENT, NOW, STRICT, answer, cuts, fed, near, reports, told

ID = "4109177024"
LAT, LON = 306_600_000, 1_174_900_000
NOW_TOLD = "20261123120000"


def one(data: bytes, now: int = NOW) -> Report:
    (report,) = reports(H02(STRICT).receive_data(data, now))
    return report


def answers(data: str) -> list[bytes]:
    core = H02(STRICT)
    for event in core.receive_data(data.encode(), NOW):
        answer(core, event)
    return core.data_to_send()


def test_every_message_says_who_speaks_and_a_login_is_told_once() -> None:
    core = H02(STRICT)
    stream = client.heartbeat(ID) + client.position(ID, NOW, LAT, LON) + client.heartbeat("2")
    login, beat, report, other, _ = core.receive_data(stream, NOW)
    assert isinstance(login, Login)
    assert isinstance(other, Login)
    assert (login.device_id, other.device_id) == (ID, "2")
    assert isinstance(beat, Heartbeat)
    assert isinstance(report, Reported)
    core.accept(login)
    assert core.data_to_send() == []
    core.refuse(other)
    assert core.closing


@pytest.mark.parametrize(("north", "east"), [(1, 1), (-1, 1), (1, -1), (-1, -1)])
@pytest.mark.parametrize("make", [client.position, client.binary])
def test_positions_come_through_in_both_forms(make: object, north: int, east: int) -> None:
    assert callable(make)
    report = one(make(ID, NOW - 4000, north * LAT, east * LON) + client.heartbeat(ID))
    assert (report.fix_time, report.device_time, report.live) == (NOW - 4000, None, True)
    assert report.latitude is not None
    assert report.longitude is not None
    assert abs(report.latitude - north * LAT) <= 10
    assert abs(report.longitude - east * LON) <= 10
    assert (report.course, report.alarm, report.status) == (90, 0, ALL_QUIET)


def test_speeds_are_knots() -> None:
    assert one(client.position(ID, NOW, LAT, LON, knots=10)).speed == 514
    binary = H02(STRICT).receive_datagram(client.binary(ID, NOW, LAT, LON), NOW)
    assert reports(binary)[0].speed == 257


@pytest.mark.parametrize(
    ("text", "mark", "value"),
    [
        ("2828.2297", "N", 284_704_950),
        ("954.9490", "E", 99_158_167),
        ("38.6508", "W", -6_441_800),
        ("-23-3.3408", "S", -230_556_800),
        ("09021.3302", "E", 903_555_033),
        ("9000.0000", "S", -900_000_000),
        ("9000.0001", "N", None),
        ("18000.0001", "E", None),
        ("2860.0000", "N", None),
        ("", "N", None),
        (".", "N", None),
        ("12x4.1", "N", None),
    ],
)
def test_degrees_are_written_in_several_ways(text: str, mark: str, value: int | None) -> None:
    assert degrees(text, mark) == value


def test_a_void_fix_is_no_position() -> None:
    report = one(client.position(ID, NOW, LAT, LON, fixed=False))
    assert report.latitude is report.longitude is None
    assert report.fix_time == NOW
    assert report.items is not None
    where = report.items["unlocated"]
    assert isinstance(where, list)
    assert abs(where[0] - LAT) <= 10


def test_what_is_old_was_stored() -> None:
    assert one(client.position(ID, NOW - LATE_MS, LAT, LON)).live
    assert not one(client.position(ID, NOW - LATE_MS - 1000, LAT, LON)).live


@pytest.mark.parametrize(
    ("bit", "word"),
    [
        (0, "vibration"),
        (1, "sos"),
        (2, "overspeed"),
        (4, "fence_in"),
        (7, "fence_out"),
        (18, "sos"),
        (19, "power_cut"),
    ],
)
def test_alarms_are_bits_that_are_zero(bit: int, word: str) -> None:
    report = one(client.position(ID, NOW, LAT, LON, state=ALL_QUIET & ~(1 << bit)))
    assert report.items is not None
    assert report.items["alarms"] == [word]
    assert bool(report.alarm & ALARM_SOS) is (word == "sos")
    assert report.status == ALL_QUIET & ~(1 << bit)


def test_ignition_is_a_bit_and_no_alarm() -> None:
    assert one(client.position(ID, NOW, LAT, LON, state=0xFFFFFBFF)).items == {"ignition": False}
    assert one(client.position(ID, NOW, LAT, LON)).items is None


@pytest.mark.parametrize(("told", "percent"), [("6", 100), ("1", 0), ("0", None), ("24", 24), ("126", None)])
def test_the_battery_is_a_level_or_percent(told: str, percent: int | None) -> None:
    items = one(client.position(ID, NOW, LAT, LON, tail=f",460,0,4,5,{told}")).items
    assert (items or {}).get("battery") == percent


def test_the_forms_without_a_position() -> None:
    cells = one(b"*HQ,1,NBR,112315,724,10,2,2,215,2135,123,215,2131,121,011215,FFFFFFFF,3#")
    assert cells.items == {"cells": [[724, 10, 215, 2135, 123], [724, 10, 215, 2131, 121]], "battery": 20}
    assert one(b"*HQ,1,V3,095426,46001,01,010278,045142,128,-92,02DE,0,X,090517,FFFFFFFF#").items == {
        "cells": [[460, 1, 10278, 45142, 128]]
    }
    assert one(b"*hq,1,VP1,V,470,002,92,3565,0Y92,19433,30#").items == {
        "cells": [[470, 2, 92, 3565, 0], [470, 2, 92, 19433, 30]]
    }
    link = one(b"*HQ,1,LINK,180902,15,7,84,1200,0,240517,FFFFFBFF#").items
    assert link is not None
    assert (link["battery"], link["signal"], link["satellites"], link["steps"]) == (84, 15, 7, 1200)


def test_a_heartbeat_is_stored_when_it_says_something_new() -> None:
    core = H02(STRICT)
    first = core.receive_data(client.heartbeat(ID, 80), NOW)[1:]
    assert [report.items for report in reports(first)] == [{"battery": 80}]
    assert core.receive_data(client.heartbeat(ID, 80), NOW) == [Heartbeat(f"*HQ,{ID},HTBT#".encode())]
    assert reports(core.receive_data(client.heartbeat(ID, 79), NOW))


def test_an_alarm_in_a_heartbeat_is_stored_each_time() -> None:
    """The disk may not have taken the one before; then the tracker says the same again."""
    core = H02(STRICT)
    said = b"*HQ,1,LINK,120000,15,7,84,1200,0,231126,FFFFFFFD#"
    for _ in range(2):
        assert [report.alarm for report in reports(core.receive_data(said, NOW))] == [ALARM_SOS]


def test_the_form_without_a_clock_has_a_day() -> None:
    text = "*hq,1,VP1,A,2702.7245,S,15251.9311,E,0.48,0.0000,{}#"
    assert one(text.format("231126").encode()).fix_time == NOW
    assert one(text.format("080917").encode()).fix_time == 1_504_828_800_000


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("*HQ,1,V1,120000,A,3000.0,N,11700.0,E,0,0,231126,FFFFFFFF#", f"*HQ,1,V4,V1,{NOW_TOLD}#"),
        ("*TH,1,V6,120000,A,3000.0,N,11700.0,E,0,0,231126,FFFFFFFF#", f"*TH,1,V4,V6,{NOW_TOLD}#"),
        ("*HQ,1,SMS,120000,A,3000.0,N,11700.0,E,0,0,231126,FFFFFFFF#", f"*HQ,1,V4,SMS,{NOW_TOLD}#"),
        ("*HQ,1,LINK,180902,15,7,84,1200,0,240517,FFFFFBFF#", f"*HQ,1,V4,LINK,{NOW_TOLD}#"),
        ("*HQ,1,NBR,112315,724,10,2,1,215,2135,123,011215,FFFFFFFF#", f"*HQ,1,V4,NBR,{NOW_TOLD}#"),
        ("*HQ,1,HTBT,50#", "*HQ,1,HTBT#"),
        ("*HQ,1,R12#", f"*HQ,1,R12,{NOW_TOLD}#"),
        ("*HQ,1,V4,S20,DONE,130305,120000,A,3000.0,N,11700.0,E,0,0,231126,FFFFFFFF#", ""),
        ("*HQ,1,VI1,120000,A,3000.0,N,11700.0,E,0,0,231126,FFFFFFFF,460,0,1,2#", ""),
    ],
)
def test_what_is_answered(message: str, expected: str) -> None:
    assert b"".join(answers(message)).decode() == expected


def test_a_position_is_acknowledged_when_it_is_on_disk() -> None:
    core = H02(STRICT)
    login, event = core.receive_data(client.position(ID, NOW, LAT, LON), NOW)
    assert isinstance(login, Login)
    assert isinstance(event, Reported)
    core.accept(login)
    assert core.data_to_send() == []
    core.acknowledge(event)
    assert core.data_to_send() == [f"*HQ,{ID},V4,V1,{NOW_TOLD}#".encode()]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("*HQ,12345#", "bad_body"),
        ("*HQ,12x,V1,1#", "bad_login"),
        ("*HQ,,V1,120000,A,3000.0,N,11700.0,E,0,0,231126,FFFFFFFF#", "bad_login"),
        ("*HQ,1,V1,120000,A,9900.0,N,11700.0,E,0,0,231126,FFFFFFFF#", "bad_body"),
        ("*HQ,1,V1,250000,A,3000.0,N,11700.0,E,0,0,231126,FFFFFFFF#", "bad_body"),
        ("*HQ,1,V1,120000,A,3000.0,N,11700.0,E,0,0,991326,FFFFFFFF#", "bad_body"),
        ("*HQ,1,V9,1#", "bad_body"),
    ],
)
def test_what_cannot_be_read_is_counted(message: str, reason: str) -> None:
    events = H02(STRICT).receive_data(message.encode(), NOW)
    assert [event.reason for event in events if isinstance(event, Refused)] == [reason]
    assert not reports(events)


def test_a_short_binary_message_alone_comes_after_a_pause() -> None:
    core = H02(STRICT)
    assert core.receive_data(client.binary(ID, NOW, LAT, LON), NOW) == []
    assert core.get_timer() == NOW + PAUSE_MS
    assert core.handle_timer(NOW + PAUSE_MS - 1) == []
    assert len(reports(core.handle_timer(NOW + PAUSE_MS))) == 1
    assert core.get_timer() is None


def test_a_datagram_is_whole() -> None:
    for data in (client.binary(ID, NOW, LAT, LON), client.binary(ID, NOW, LAT, LON, size=45)):
        assert len(reports(H02(STRICT).receive_datagram(data, NOW))) == 1


SAMPLES = [
    client.position(ID, NOW, LAT, LON),
    client.position(ID, NOW, -LAT, -LON, fixed=False, state=client.SOS, tail=",460,0,1,2,5"),
    client.heartbeat(ID, 77),
    b"*HQ,1,NBR,112315,724,10,2,2,215,2135,123,215,2131,121,011215,FFFFFFFF#",
    b"*HQ,1,V3,095426,46001,01,010278,045142,128,-92,02DE,0,X,090517,FFFFFFFF#",
    b"*HQ,1,LINK,180902,15,7,84,1200,0,240517,FFFFFBFF#",
    b"*HQ,1,V4,S20,DONE,130305,120000,A,-23-3.3,S,-48-2.8926,W,0,0,231126,FFFFFFFF#",
    client.binary(ID, NOW, LAT, LON, size=45),
]


def test_any_cut_gives_the_same_events() -> None:
    stream = b"".join(SAMPLES)
    whole = fed(H02, [stream])
    for parts in cuts(stream):
        assert fed(H02, parts) == whole


@given(st.binary(max_size=300) | near(SAMPLES))
@settings(max_examples=400, deadline=None)
def test_no_bytes_do_harm(data: bytes) -> None:
    core = H02(LENIENT)
    events: list[Event] = core.receive_data(data, NOW)
    events += core.receive_data(data[::-1], NOW)
    events += core.handle_timer(NOW + PAUSE_MS)
    events += core.receive_datagram(data, NOW)
    assert all(told(event) for event in events)
    assert fed(H02, [data]) == fed(H02, [data[i : i + 1] for i in range(len(data))])
    for report in reports(events):
        assert (report.latitude is None) is (report.longitude is None)
