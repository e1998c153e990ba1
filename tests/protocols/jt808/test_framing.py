"""Frames: whole, byte by byte, with a tail, damaged, and never more memory than the limit."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.jt808.framing import (
    BAD_CHECKSUM,
    BAD_ESCAPE,
    GARBAGE,
    TOO_LONG,
    TRUNCATED,
    BadFrame,
    Framer,
    checksum,
    frame,
    split_datagram,
    unframe,
)
from tests.data import needs_shared
from tests.protocols.jt808.frames import GOLDEN, ROWS, payload

FIRST, SECOND = b"\x00\x02\x7e\x7d\x01", b"second"


@given(st.binary(max_size=3000))
def test_checksum_is_the_exclusive_or_of_all_bytes(data: bytes) -> None:
    assert checksum(data) == reduce(xor, data, 0)


@given(st.binary(max_size=1100))
def test_what_is_framed_comes_back(data: bytes) -> None:
    whole = frame(data)
    assert b"\x7e" not in whole[1:-1]
    assert unframe(whole[1:-1]) == data


def test_escapes_are_written_as_the_standard_has_them() -> None:
    # 30 7e 08 7d 55 is the standard's own example; its check code is 6e
    assert frame(bytes.fromhex("307e087d55")) == bytes.fromhex("7e307d02087d01556e7e")


def test_a_check_code_that_is_a_delimiter_is_escaped_too() -> None:
    assert frame(b"\x7f\x01") == b"\x7e\x7f\x01\x7d\x02\x7e"


def test_escapes_are_undone_once() -> None:
    assert unframe(frame(b"\x7d\x02\x7d\x01")[1:-1]) == b"\x7d\x02\x7d\x01"


CASES: list[tuple[str, bytes, list[bytes | BadFrame]]] = [
    ("one", frame(FIRST), [FIRST]),
    ("two", frame(FIRST) + frame(SECOND), [FIRST, SECOND]),
    ("shared delimiter", frame(FIRST) + frame(SECOND)[1:], [FIRST, SECOND]),
    ("idle delimiters", b"\x7e\x7e\x7e" + frame(FIRST) + b"\x7e\x7e", [FIRST]),
    ("garbage before", b"GET / HTTP" + frame(FIRST), [GARBAGE, FIRST]),
    ("garbage between", frame(FIRST) + b"junk" + frame(SECOND), [FIRST, BAD_CHECKSUM, SECOND]),
    ("end lost", frame(FIRST)[:-3] + frame(SECOND), [BAD_CHECKSUM, SECOND]),
    ("begin lost", frame(FIRST)[3:] + frame(SECOND), [GARBAGE, SECOND]),
    ("bad escape", b"\x7e\x01\x7d\x03\x7e" + frame(SECOND), [BAD_ESCAPE, SECOND]),
    ("escape at the end", b"\x7e\x01\x7d\x7e" + frame(SECOND), [BAD_ESCAPE, SECOND]),
    ("bad check", b"\x7e\x01\x02\x7e" + frame(SECOND), [BAD_CHECKSUM, SECOND]),
    ("too long", b"\x7e" + bytes(9000) + b"\x7e" + frame(SECOND), [TOO_LONG, SECOND]),
    ("garbage without end", bytes(9000) + frame(SECOND), [GARBAGE, SECOND]),
]


@pytest.mark.parametrize(("data", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_stream_gives_the_same_however_it_is_cut(data: bytes, expected: list[bytes | BadFrame]) -> None:
    assert Framer().receive_data(data) == expected
    framer = Framer()
    assert [result for at in range(len(data)) for result in framer.receive_data(data[at : at + 1])] == expected
    framer = Framer()
    tail = frame(b"tail")
    assert framer.receive_data(data + tail[:4]) == expected
    assert framer.receive_data(tail[4:]) == [b"tail"]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_any_bytes_in_any_cut(noise: bytes, cuts: list[int]) -> None:
    data = GOLDEN + noise + b"\x7e" + GOLDEN
    framer = Framer(limit=100)
    marks = [0, *sorted(cuts), len(data)]
    pieces = [result for a, b in pairwise(marks) for result in framer.receive_data(data[a:b])]
    assert pieces == Framer(limit=100).receive_data(data)
    assert pieces[-1] == payload(GOLDEN)


def test_a_peer_that_never_ends_a_frame_cannot_fill_the_memory() -> None:
    framer = Framer(limit=1000)
    framer.receive_data(b"\x7e")
    for _ in range(1000):
        assert framer.receive_data(bytes(999)) == []
        assert len(framer._rest) <= 1000
    assert framer.receive_data(b"\x7e" + frame(SECOND)) == [TOO_LONG, SECOND]


DATAGRAMS: list[tuple[str, bytes, list[bytes | BadFrame]]] = [
    ("empty", b"", []),
    ("one", frame(FIRST), [FIRST]),
    ("two", frame(FIRST) + frame(SECOND), [FIRST, SECOND]),
    ("garbage", b"junk", [GARBAGE]),
    ("garbage before", b"junk" + frame(FIRST), [GARBAGE, FIRST]),
    ("cut off", frame(FIRST) + frame(SECOND)[:-1], [FIRST, TRUNCATED]),
    ("too long", b"\x7e" + bytes(5000) + b"\x7e", [TOO_LONG]),
]


@pytest.mark.parametrize(("data", "expected"), [case[1:] for case in DATAGRAMS], ids=[case[0] for case in DATAGRAMS])
def test_a_datagram_holds_whole_frames_only(data: bytes, expected: list[bytes | BadFrame]) -> None:
    assert split_datagram(data) == expected


def test_bad_frames_are_values() -> None:
    assert BadFrame("garbage") == GARBAGE
    assert BadFrame("x") != GARBAGE
    assert len({BadFrame("garbage"), GARBAGE}) == 1
    assert repr(GARBAGE) == "<BadFrame garbage>"


@needs_shared
def test_the_shared_frames_are_sound_exactly_where_their_column_says() -> None:
    for row in ROWS:
        (result,) = Framer().receive_data(row.data)
        assert isinstance(result, bytes) == row.checksum_ok, row.line
        if row.good:
            assert isinstance(result, bytes)
            assert frame(result) == row.data, row.line
