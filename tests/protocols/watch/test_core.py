"""The conversation of a watch: who speaks, what is reported, what is answered when, and any bytes at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.alarms import SOS_HELD_MS
from protocols.dialogue import Event, Heartbeat, Login, Refused, Reported
from protocols.report import ALARM_SOS, Report
from protocols.watch import Watch, client
from protocols.watch.framing import frame
from protocols.watch.messages import LATE_MS, angle
from tests.protocols.trackers import NOW, STRICT, answer, cuts, fed, near, reports, told

ID = "8800000015"
LAT, LON = 306_600_000, 1_174_900_000


def one(data: bytes, now: int = NOW) -> Report:
    (report,) = reports(Watch(STRICT).receive_data(data, now))
    return report


def says(content: str) -> dict[str, object] | None:
    found = reports(Watch(STRICT).receive_data(frame("3G", ID, content.encode()), NOW))
    return found[0].items if found else None


def test_every_message_says_who_speaks_and_a_login_is_told_once() -> None:
    core = Watch(STRICT)
    login, first, second, other, _ = core.receive_data(client.link(ID) * 2 + client.link("123456"), NOW)
    assert isinstance(login, Login)
    assert isinstance(other, Login)
    assert (login.device_id, other.device_id) == (ID, "123456")
    assert isinstance(first, Reported)
    assert isinstance(second, Heartbeat)  # it says nothing new
    core.accept(login)
    assert core.data_to_send() == []
    core.refuse(other)
    assert core.closing


@pytest.mark.parametrize(("north", "east"), [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_a_position_comes_through(north: int, east: int) -> None:
    report = one(client.position(ID, NOW - 4000, north * LAT, east * LON, speed=36, tail=",0,0,12.4"))
    assert (report.fix_time, report.device_time, report.live) == (NOW - 4000, None, True)
    assert (report.latitude, report.longitude) == (north * LAT, east * LON)
    assert (report.speed, report.course, report.altitude, report.alarm) == (1000, 90, 12, 0)
    assert report.items == {"satellites": 7, "signal": 60, "battery": 80, "steps": 0, "turns": 0}


@pytest.mark.parametrize(
    ("text", "mark", "value"),
    [
        ("22.5", "N", 225_000_000),
        ("22.5", "S", -225_000_000),
        ("-22.5", "N", -225_000_000),
        ("-22.5", "S", -225_000_000),
        (" 9.25", "", 92_500_000),
        ("2230.0", "N", 225_000_000),
        ("90.1", "N", None),
        ("9001.0", "N", None),
        ("x", "N", None),
        ("", "N", None),
    ],
)
def test_degrees_have_a_sign_or_a_letter(text: str, mark: str, value: int | None) -> None:
    assert angle(text, mark, 90) == value


def test_the_surroundings_are_kept_where_there_is_no_fix() -> None:
    tail = ",2,255,460,1,9529,21809,158,55C0,3B882A2,133,2,a]b,1C:fa:68:13:a5:b4,-61,c,1c:fa:68:13:a5:b5,-87,65.8"
    void = one(client.position(ID, NOW, LAT, LON, fixed=False, tail=tail))
    assert void.latitude is void.longitude is void.accuracy is None
    assert void.items is not None
    assert void.items["unlocated"] == [LAT, LON]
    assert void.items["cells"] == [[460, 1, 9529, 21809, 158], [460, 1, 0x55C0, 0x3B882A2, 133]]
    assert void.items["wifi"] == [["1c:fa:68:13:a5:b4", -61], ["1c:fa:68:13:a5:b5", -87]]
    fixed = one(client.position(ID, NOW, LAT, LON, tail=tail))
    assert fixed.accuracy == 658
    assert fixed.items is not None
    assert not {"cells", "wifi"} & fixed.items.keys()


def test_stored_positions_have_a_type_of_their_own_or_are_old() -> None:
    assert not one(client.position(ID, NOW, LAT, LON, kind="UD2")).live
    assert one(client.position(ID, NOW - LATE_MS, LAT, LON, kind="UD_LTE")).live
    assert not one(client.position(ID, NOW - LATE_MS - 1000, LAT, LON)).live


@pytest.mark.parametrize(
    ("bit", "word"),
    [
        (16, "sos"),
        (17, "low_battery"),
        (18, "fence_out"),
        (19, "fence_in"),
        (20, "removed"),
        (21, "fall"),
        (22, "health"),
        (0, None),
        (4, None),
    ],
)
def test_alarms_are_the_upper_bits_of_the_state(bit: int, word: str | None) -> None:
    report = one(client.position(ID, NOW, LAT, LON, kind="AL", state=1 << bit))
    assert (report.items or {}).get("alarms") == ([word] if word else None)
    assert bool(report.alarm & ALARM_SOS) is (word == "sos")
    assert bool(report.alarm) is (word is not None)
    assert report.status == 1 << bit


def test_a_call_for_help_stands_for_ten_minutes() -> None:
    core = Watch(STRICT)
    core.receive_data(client.position(ID, NOW, LAT, LON, kind="AL_LTE", state=client.SOS), NOW)
    for after, alarm in ((1000, ALARM_SOS), (SOS_HELD_MS - 1, ALARM_SOS), (SOS_HELD_MS, 0)):
        assert reports(core.receive_data(client.position(ID, NOW, LAT, LON), NOW + after))[0].alarm == alarm


@pytest.mark.parametrize(
    ("content", "items"),
    [
        ("LK", None),
        ("LK,50,3,90", {"steps": 50, "turns": 3, "battery": 90}),
        ("heart,71", {"heart_rate": 71}),
        ("PULSE,72", {"heart_rate": 72}),
        ("heart,0", None),
        ("BLOOD,109,68", {"blood_pressure": [109, 68]}),
        ("bphrt,120,79,73,,,,", {"blood_pressure": [120, 79], "heart_rate": 73}),
        ("bphrt,0,0,0,,,,", None),
        ("oxygen,0,98", {"oxygen": 98}),
        ("TEMP,36.5", {"temperature": 36.5}),
        ("btemp2,1,36.6", {"temperature": 36.6}),
        ("btemp2,1,1", None),
        ("UPLOAD", None),
    ],
)
def test_readings(content: str, items: dict[str, object] | None) -> None:
    assert says(content) == items


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("[SG*8800000015*0002*LK]", "[SG*8800000015*0002*LK]"),
        ("[3G*8800000015*000b*LK,0,10,100]", "[3G*8800000015*0002*LK]"),
        ("[ZJ*8800000015*00a1*0002*LK]", "[ZJ*8800000015*00a1*0002*LK]"),
        ("[CS*8800000015*0008*PULSE,72]", "[CS*8800000015*0005*PULSE]"),
        ("[3G*8800000015*0013*bphrt,120,79,73,,,,]", "[3G*8800000015*0005*bphrt]"),
        ("[3G*8800000015*000B*oxygen,0,98]", "[3G*8800000015*0008*oxygen,1]"),
        ("[3G*8800000015*0003*TKQ]", "[3G*8800000015*0003*TKQ]"),
        ("[3G*8800000015*0005*TK,ab]", "[3G*8800000015*0004*TK,0]"),
        ("[3G*8800000015*0004*INIT]", "[3G*8800000015*0006*INIT,1]"),
        ("[3G*8800000015*0006*UPLOAD]", ""),
    ],
)
def test_what_is_answered(sent: str, answered: str) -> None:
    core = Watch(STRICT)
    for event in core.receive_data(sent.encode(), NOW):
        answer(core, event)
    assert b"".join(core.data_to_send()).decode() == answered


def test_alarms_are_acknowledged_when_they_are_on_disk_and_positions_never() -> None:
    core = Watch(STRICT)
    login, alarm, plain = core.receive_data(
        client.position(ID, NOW, LAT, LON, kind="AL_LTE", state=client.SOS) + client.position(ID, NOW, LAT, LON), NOW
    )
    assert isinstance(login, Login)
    assert isinstance(alarm, Reported)
    assert isinstance(plain, Reported)
    core.accept(login)
    assert core.data_to_send() == []
    core.acknowledge(alarm)
    core.acknowledge(plain)
    assert core.data_to_send() == [b"[3G*8800000015*0002*AL]"]


@pytest.mark.parametrize(
    "content",
    ["UD", "UD,231126,120000", "AL,231126,120000,A,99,N,1,E,0", "UD,321326,120000,A,1,N,1,E,0,0,0,0,0,0,0,0,0"],
)
def test_a_position_that_cannot_be_read_is_counted(content: str) -> None:
    events = Watch(STRICT).receive_data(frame("3G", ID, content.encode()), NOW)
    assert Refused("bad_body") in events
    assert not reports(events)


SAMPLES = [
    client.link(ID, 77, 10),
    client.position(ID, NOW, LAT, LON, tail=",1,0,460,1,2,3,4,1,n,01:02:03:04:05:06,-3,5.5"),
    client.position(ID, NOW, -LAT, -LON, kind="AL", fixed=False, state=client.SOS, index="00ab", maker="ZJ"),
    frame("3G", ID, b"bphrt,120,79,73,,,,"),
    frame("SG", ID, b"TK,}\x01\x02[]"),
    frame("SG", ID, b"oxygen,0,97"),
]


def test_any_cut_gives_the_same_events() -> None:
    stream = b"".join(SAMPLES)
    whole = fed(Watch, [stream])
    assert len(whole) == len(SAMPLES) + 1
    for parts in cuts(stream):
        assert fed(Watch, parts) == whole


@given(st.binary(max_size=300) | near(SAMPLES))
@settings(max_examples=400, deadline=None)
def test_no_bytes_do_harm(data: bytes) -> None:
    core = Watch(STRICT)
    events: list[Event] = core.receive_data(data, NOW)
    events += core.receive_data(data[::-1], NOW)
    events += core.receive_datagram(data, NOW)
    assert all(told(event) for event in events)
    assert fed(Watch, [data]) == fed(Watch, [data[i : i + 1] for i in range(len(data))])
    for report in reports(events):
        assert (report.latitude is None) is (report.longitude is None)
