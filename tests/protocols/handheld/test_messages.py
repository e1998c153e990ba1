"""Fields: exact types, ranges with their edges, and the bounds of msgpack. A bad position costs itself only."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError
from protocols.handheld.messages import decode, encode, read_health, read_positions
from protocols.report import CoordinateSystem
from tests.protocols.handheld.helpers import NOW, POSITION, fix, unhurried

GOLDEN_FIX = (
    "85a174a3666978a373657107a36e6f77cf0000018bcfe56800a46c697665c3a17091"
    "99cf0000018bcfe56800ce12954c44ce486f94aa32785a040000"
)


def test_golden_fix() -> None:
    """Made by hand: map of 5, u64 times, u32 degrees, small integers; the bytes and what they say."""
    message = decode(bytes.fromhex(GOLDEN_FIX))
    assert message == fix(7)
    assert encode(message).hex() == GOLDEN_FIX
    (report,), refused = read_positions(message, CoordinateSystem.GCJ02)
    assert refused == 0
    assert (report.fix_time, report.device_time) == (NOW, NOW)
    assert (report.latitude, report.longitude) == (311774276, 1215272106)
    assert (report.accuracy, report.speed, report.course, report.altitude) == (50, 120, 90, 4)
    assert (report.status, report.alarm, report.live, report.crs) == (0, 0, True, CoordinateSystem.GCJ02)
    assert report.items is None


def with_element(index: int, value: object) -> list[object]:
    return [*POSITION[:index], value, *POSITION[index + 1 :]]


EDGES = [
    (0, 946_684_800_000, 4_102_444_799_999),
    (1, -900_000_000, 900_000_000),
    (2, -1_800_000_000, 1_800_000_000),
    (3, 0, 1_000_000),
    (4, 0, 100_000),
    (5, 0, 360),
    (6, -1_000, 20_000),
    (7, 0, 0xFFFFFFFF),
    (8, 0, 0xFFFFFFFF),
]


@pytest.mark.parametrize(("index", "low", "high"), EDGES)
@pytest.mark.parametrize("extra", [[], [None]])  # nine elements go the fast way, ten the careful one
def test_edges_of_every_element(index: int, low: int, high: int, extra: list[None]) -> None:
    good = [[*with_element(index, value), *extra] for value in (low, high)]
    wrong: list[object] = [low - 1, high + 1, True, 1.0, "1", b"1", [], {}]
    bad = [[*with_element(index, value), *extra] for value in wrong]
    reports, refused = read_positions(decode(encode(fix(1, *good, *bad))), 0)
    assert (len(reports), refused) == (2, len(bad))


def test_a_course_of_360_is_north() -> None:
    (report,), _ = read_positions(fix(1, with_element(5, 360)), 0)
    assert report.course == 0


@pytest.mark.parametrize("length", range(3, 10))
def test_trailing_elements_may_be_left_out(length: int) -> None:
    whole = [NOW, 1, 2, 3, 4, 5, 6, 7, 8]
    (report,), _ = read_positions(fix(1, whole[:length]), 0)
    told = [report.fix_time, report.latitude, report.longitude, report.accuracy, report.speed, report.course]
    told += [report.altitude, report.status, report.alarm]
    assert told == whole[:length] + [None, None, None, None, None, None, None, 0, 0][length:]


def test_nil_is_not_told() -> None:
    (report,), _ = read_positions(fix(1, [NOW, None, None, None, None, None, None, None, None]), 0)
    assert (report.latitude, report.longitude, report.status, report.alarm) == (None, None, 0, 0)
    assert report.fix_time == NOW


@pytest.mark.parametrize(
    "bad",
    [
        None, 7, "x", {}, [], [NOW], [NOW, 1], [None, 1, 2], [NOW, 1, None], [NOW, None, 2], [NOW, *[1] * 16],
        [NOW, None, 2, 0, 0, 0, 0, 0, 0], msgpack.Timestamp(1), msgpack.ExtType(5, b"x"),
    ],
)  # fmt: skip
def test_a_bad_position_costs_only_itself(bad: object) -> None:
    reports, refused = read_positions(decode(encode(fix(1, POSITION, bad, POSITION))), 0)
    assert (len(reports), refused) == (2, 1)
    assert [report.live for report in reports] == [False, True]


def test_live_is_the_last_position_of_a_live_message() -> None:
    def live(**fields: object) -> list[bool]:
        return [report.live for report in read_positions(fix(1, POSITION, POSITION, **fields), 0)[0]]

    assert live(live=True) == [False, True]
    for no in (False, None, 1, "yes"):
        assert live(live=no) == [False, False]
    reports, _ = read_positions(fix(1, POSITION, "bad"), 0)
    assert [report.live for report in reports] == [False]  # the one about now could not be taken


@pytest.mark.parametrize("now", [None, True, 1.5, 0, -1, 10**15, "now"])
def test_an_impossible_clock_is_not_told(now: object) -> None:
    (report,), _ = read_positions(fix(1, now=now), 0)
    assert report.device_time is None


@pytest.mark.parametrize("p", [None, 1, "p", {}])
def test_no_list_of_positions_counts_as_one(p: object) -> None:
    assert read_positions(fix(1, p=p), 0) == ([], 1)


def test_health() -> None:
    told = {"battery": 83, "charging": False, "net": "4g", "fix": "3d", "screen": True, "uptime": 3600, "queue": 12}
    report, refused = read_health({"t": "health", "seq": 1, "now": NOW, **told}, CoordinateSystem.BD09)
    assert (report.items, refused) == (told, 0)
    assert (report.fix_time, report.latitude, report.longitude, report.device_time) == (None, None, None, NOW)
    assert report.live


def test_health_leaves_out_what_is_wrong() -> None:
    wrong = {"battery": 101, "charging": 1, "net": "6g", "fix": [], "screen": "on", "uptime": 1.0, "queue": True}
    assert read_health({"t": "health", **wrong}, 0)[1] == 7
    report, refused = read_health({"t": "health", **dict.fromkeys(wrong), "battery": 0}, 0)
    assert (report.items, refused) == ({"battery": 0}, 0)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\x80\x00",  # something behind the map
        b"\x80",
        b"\x81\xa1t\x01",
        b"\x81\x01\x02",
        b"\x81\xa1t\xa1\xff",  # not UTF-8
        b"\x91" * 1000 + b"\xc0",
        b"\x91" * 200_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        msgpack.packb({"t": "x" * 4097}),
        msgpack.packb({"t": "fix", "p": [0] * 501}),
        msgpack.packb({"t": "fix", **{str(i): i for i in range(32)}}),
        msgpack.packb({"t": "fix", "p": b"x" * 1025}),
    ],
)
def test_what_is_no_message(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(payload)
    assert caught.value.reason == "malformed"
    assert caught.value.detail


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
ELEMENT = VALUES | st.sampled_from([NOW, 0, 90, -900_000_000, 360])


@unhurried
@given(st.lists(st.lists(ELEMENT, max_size=17) | VALUES, max_size=6), VALUES)
def test_every_position_is_a_report_or_is_counted(positions: list[object], now: object) -> None:
    reports, refused = read_positions(fix(1, p=positions, now=now), 0)
    assert len(reports) + refused == len(positions)
    for report in reports:
        assert type(report.fix_time) is int
        assert (report.latitude is None) == (report.longitude is None)


@unhurried
@given(st.binary(max_size=200))
def test_only_the_remote_error_leaves(payload: bytes) -> None:
    try:
        assert type(decode(payload)["t"]) is str
    except RemoteProtocolError:
        return
