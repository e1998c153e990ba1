"""Values of phone apps: every form of a time, and what is no number, flag or attribute."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError
from protocols.readings import ATTRIBUTE_LIMIT, TEXT_LIMIT, attributes_of, clean, flag_of, number_of, time_of, typed

SOME_MS = 1_453_920_947_000  # 2016-01-27 18:55:47 UTC


@pytest.mark.parametrize(
    ("stamp", "moment"),
    [
        ("1453920947", SOME_MS),
        (1453920947, SOME_MS),
        ("1453920947.25", SOME_MS + 250),
        ("1453920947123", SOME_MS + 123),
        (1453920947123, SOME_MS + 123),
        ("2147483647", 2_147_483_647_000),
        ("2147483648000", 2_147_483_648_000),
        ("2016-01-27T18:55:47Z", SOME_MS),
        ("2016-01-27t18:55:47z", SOME_MS),
        ("2016-01-27T18:55:47.862Z", SOME_MS + 862),
        ("2016-01-27T18:55:47.8Z", SOME_MS + 800),
        ("2016-01-27T18:55:47.862999Z", SOME_MS + 862),
        ("2016-01-27T18:55Z", SOME_MS - 47_000),
        ("2016-01-27T18:55:47", SOME_MS),
        ("2016-01-28T02:55:47+08:00", SOME_MS),
        ("2016-01-28T02:55:47+0800", SOME_MS),
        ("2016-01-28T02:55:47 08:00", SOME_MS),  # a plus that was not encoded
        ("2016-01-27T13:25:47-05:30", SOME_MS),
        ("2016-01-27 18:55:47", SOME_MS),
        ("2000-01-01 00:00:00", 946_684_800_000),
        ("2099-12-31 23:59:59", 4_102_444_799_000),
    ],
)
def test_every_form_of_a_time(stamp: object, moment: int) -> None:
    assert time_of(stamp) == moment
    assert type(time_of(stamp)) is int


@pytest.mark.parametrize(
    "stamp",
    [
        "yesterday", "2016-02-30 00:00:00", "2016-01-27", "2016-01-27T25:00:00Z", "1999-12-31 23:59:59", "0", "-1",
        "1970-01-01 00:00:00", "2100-01-01 00:00:00", 4_102_444_800_000, "9" * 40, "1e308", "-1e308", 1e308, True,
        None, [], {}, math.nan, math.inf, "0000-00-00 00:00:00", "2016-01-27T18:55:47+", "１４５３９２０９４７",
    ],
)  # fmt: skip
def test_what_is_no_time(stamp: object) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        time_of(stamp)
    assert caught.value.reason == "bad_time"


@pytest.mark.parametrize(("told", "number"), [("1", 1), ("-1.5", -1.5), (".5", 0.5), ("1e2", 100), (3, 3), (2.5, 2.5)])
def test_numbers(told: object, number: float) -> None:
    assert number_of(told) == number


@pytest.mark.parametrize(
    "told", ["", "x", "nan", "inf", "1_0", "0x1", "1e999", " 1", "9" * 33, True, None, [], math.nan, math.inf, 1 << 63]
)
def test_no_numbers(told: object) -> None:
    assert number_of(told) is None


def test_flags() -> None:
    assert [flag_of(v) for v in ("true", "1", "TRUE", True)] == [True] * 4
    assert [flag_of(v) for v in ("false", "0", False)] == [False] * 3
    assert [flag_of(v) for v in ("", "yes", 1, None)] == [None] * 4


def test_a_querys_values_are_typed_as_in_json() -> None:
    assert [typed(v) for v in ("12", "-1.5", "true", "false")] == [12, -1.5, True, False]
    assert [typed(v) for v in ("007", "1e5", "", "9" * 16, "x")] == ["007", "1e5", "", "9" * 16, "x"]


def test_attributes_are_bounded() -> None:
    kept = attributes_of({str(i): i for i in range(100)})
    assert len(kept) == ATTRIBUTE_LIMIT
    bad = {"": 1, "x" * 65: 1, "a\n": 1, "list": [1], "map": {}, "none": None, "nan": math.nan, "big": 1 << 64}
    assert attributes_of(bad) == {}
    assert attributes_of({"long": "x" * 1000, "half": "\ud800"}) == {"long": "x" * TEXT_LIMIT, "half": " "}


@given(st.text(max_size=300))
@settings(deadline=None)
def test_what_is_kept_can_be_written(text: str) -> None:
    assert len(clean(text).encode()) <= 4 * TEXT_LIMIT
    assert clean(text).isprintable()


@given(st.text(max_size=45) | st.floats() | st.integers() | st.from_regex(r"\A\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\Z"))
@settings(deadline=None)
def test_only_the_remote_error_leaves(stamp: object) -> None:
    try:
        assert 946_684_800_000 <= time_of(stamp) <= 4_102_444_800_000
    except RemoteProtocolError:
        return
