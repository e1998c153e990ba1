"""The length prefix: any split gives the same messages, and no peer makes us keep more than the limit."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError
from protocols.handheld import MESSAGE_LIMIT, Framer, frame
from tests.protocols.handheld.helpers import unhurried

MESSAGES = [b"first", b"", b"\x00\x00\x00\x01", b"x" * 300]
STREAM = b"".join(map(frame, MESSAGES))


def test_golden_bytes() -> None:
    assert frame(b"\x81\xa1t\xa3bye") == bytes.fromhex("0000000781a174a3627965")


def test_whole() -> None:
    assert Framer().receive_data(STREAM) == MESSAGES


def test_byte_by_byte() -> None:
    framer = Framer()
    assert [m for byte in STREAM for m in framer.receive_data(bytes([byte]))] == MESSAGES


def test_with_a_tail() -> None:
    framer = Framer()
    assert framer.receive_data(STREAM + b"\x00\x00\x00\x02a") == MESSAGES
    assert framer.receive_data(b"") == []
    assert framer.receive_data(b"b") == [b"ab"]


@unhurried
@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_any_split(cuts: list[int]) -> None:
    framer, edges = Framer(), [0, *sorted(cuts), len(STREAM)]
    assert [m for a, b in pairwise(edges) for m in framer.receive_data(STREAM[a:b])] == MESSAGES


def test_the_limit_itself_is_allowed() -> None:
    assert Framer(limit=5).receive_data(frame(b"12345")) == [b"12345"]


@pytest.mark.parametrize("length", [MESSAGE_LIMIT + 1, 0xFFFFFFFF])
def test_beyond_the_limit(length: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Framer().receive_data(length.to_bytes(4, "big"))
    assert caught.value.reason == "too_long"


@unhurried
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_only_the_remote_error_leaves(parts: list[bytes]) -> None:
    framer = Framer(limit=64)
    try:
        for part in parts:
            assert all(len(message) <= 64 for message in framer.receive_data(part))
    except RemoteProtocolError:
        return
