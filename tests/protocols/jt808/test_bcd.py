"""BCD times: exact values, every impossible one, and a cache that a peer cannot grow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.jt808 import bcd
from tests.protocols.jt808.frames import GOLDEN_TIME

FIRST = 946_656_000_000  # 2000-01-01 00:00:00 +08
LAST = 4_102_415_999_000  # 2099-12-31 23:59:59 +08


def decode(digits: str) -> int:
    raw = bytes.fromhex(digits)
    return bcd.decode_time(raw[:5], raw[5])


@pytest.mark.parametrize(
    ("digits", "moment"),
    [
        ("181015101010", GOLDEN_TIME),
        ("000101000000", FIRST),
        ("991231235959", LAST),
        ("240229080000", 1_709_164_800_000),
        ("700101080000", 3_155_760_000_000),
    ],
)
def test_exact_moments(digits: str, moment: int) -> None:
    assert decode(digits) == moment
    assert bcd.encode_time(moment) == bytes.fromhex(digits)


@pytest.mark.parametrize(
    "digits",
    ["000000000000", "ffffffffffff", "181315101010", "180229101010", "181015241010", "181015106010", "181015101060",
     "18101510101a", "1810151010a0", "1a1015101010", "1810151a1010"],
)  # fmt: skip
def test_impossible_times_are_refused(digits: str) -> None:
    with pytest.raises(RemoteProtocolError, match="bad_time"):
        decode(digits)


@given(st.integers(FIRST // 1000, LAST // 1000))
def test_times_come_back(seconds: int) -> None:
    raw = bcd.encode_time(seconds * 1000 + 999)
    assert bcd.decode_time(raw[:5], raw[5]) == seconds * 1000


def test_years_outside_the_century_cannot_be_written() -> None:
    with pytest.raises(LocalProtocolError):
        bcd.encode_time(0)


def test_the_cache_is_bounded() -> None:
    for minute in range(10_000):
        bcd.decode_minute(bcd.encode_time(FIRST + minute * 60_000)[:5])
    assert len(bcd._MINUTES) <= bcd._MINUTES_LIMIT
