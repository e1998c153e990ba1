"""Fragments: shuffled, missing, twice, interleaved, too many; memory that stays where its limit says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError
from protocols.jt808.fragments import Reassembler
from protocols.jt808.header import Header


def part(index: int, total: int, serial: int, message_id: int = 0x0704) -> Header:
    return Header.of(message_id, bytes(6), serial & 0xFFFF, None, total, index)


def message(base: int, total: int, fill: bytes) -> list[tuple[Header, bytes]]:
    return [(part(index, total, base + index), fill + bytes([index])) for index in range(1, total + 1)]


@given(st.data())
def test_messages_come_together_in_any_order(data: st.DataObject) -> None:
    total = data.draw(st.integers(2, 12))
    first, second = message(65530, total, b"a"), message(65530 + total, total, b"b")
    order = data.draw(st.permutations(first + second))
    twice = [piece for piece in order for _ in range(data.draw(st.integers(1, 2)))]
    reassembler = Reassembler()
    seen: set[int] = set()
    whole: list[tuple[int, bytes]] = []
    for header, body in twice:
        if header.serial in seen and not any(
            header.serial == (p.base + header.index) & 0xFFFF for p in reassembler._partials
        ):
            continue  # a copy that comes after its message is complete begins a leftover: the next test but one
        seen.add(header.serial)
        result = reassembler.receive(header, body, 0, ordered=False)
        if result is not None:
            whole.append(result)
    assert sorted(whole) == sorted(
        ((65530 + shift) & 0xFFFF, b"".join(body for _, body in pieces))
        for shift, pieces in ((total, first), (2 * total, second))
    )
    assert (len(reassembler), reassembler.bytes_held, reassembler.dropped) == (0, 0, [])


def test_a_message_of_one_fragment() -> None:
    assert Reassembler().receive(part(1, 1, 7), b"x", 0, ordered=True) == (7, b"x")


def test_a_missing_fragment_times_out() -> None:
    reassembler = Reassembler(timeout=1000)
    assert reassembler.get_timer() is None
    reassembler.receive(part(1, 3, 1), b"a", 0, ordered=True)
    reassembler.receive(part(3, 3, 3), b"c", 500, ordered=True)
    reassembler.receive(part(3, 3, 3), b"c", 900, ordered=True)  # a copy buys no time
    assert reassembler.get_timer() == 1500
    reassembler.handle_timer(1499)
    assert len(reassembler) == 1
    reassembler.handle_timer(1500)
    assert (len(reassembler), reassembler.dropped, reassembler.get_timer()) == (0, ["fragments_timeout"], None)
    assert reassembler.receive(part(2, 3, 2), b"b", 1600, ordered=True) is None


def test_a_late_copy_is_a_leftover_that_times_out() -> None:
    reassembler = Reassembler(timeout=1000)
    for header, body in message(0, 2, b"a"):
        reassembler.receive(header, body, 0, ordered=True)
    assert reassembler.receive(part(2, 2, 2), b"a\x02", 1, ordered=True) is None
    reassembler.handle_timer(2000)
    assert reassembler.dropped == ["fragments_timeout"]


def test_a_whole_message_sent_again_is_complete_again() -> None:
    reassembler = Reassembler()
    for _ in range(2):
        results = [reassembler.receive(*piece, 0, ordered=True) for piece in message(0, 3, b"a")]
        assert results == [None, None, (3, b"a\x01a\x02a\x03")]


def test_other_messages_between_two_fragments_are_tolerated_where_order_is_kept() -> None:
    first, second = part(1, 2, 1233), part(2, 2, 1250)
    reassembler = Reassembler()
    assert reassembler.receive(first, b"a", 0, ordered=True) is None
    assert reassembler.receive(second, b"b", 0, ordered=True) == (1250, b"ab")
    assert reassembler.receive(first, b"a", 0, ordered=False) is None
    assert reassembler.receive(second, b"b", 0, ordered=False) is None


def test_a_fragment_that_is_not_the_next_one_is_not_guessed() -> None:
    reassembler = Reassembler()
    reassembler.receive(part(1, 3, 10), b"a", 0, ordered=True)
    assert reassembler.receive(part(3, 3, 30), b"c", 0, ordered=True) is None
    assert len(reassembler) == 2
    reassembler = Reassembler()
    reassembler.receive(part(1, 2, 10), b"a", 0, ordered=True)
    assert reassembler.receive(part(2, 2, 5), b"b", 0, ordered=True) is None  # an older serial


@pytest.mark.parametrize(("index", "total"), [(0, 2), (3, 2), (0, 0), (1, 0)])
def test_impossible_numbers(index: int, total: int) -> None:
    header = part(index, total, 1)
    header.total, header.index = total, index
    with pytest.raises(RemoteProtocolError, match="bad_fragment"):
        Reassembler().receive(header, b"", 0, ordered=True)


def test_too_many_messages_push_out_the_oldest() -> None:
    reassembler = Reassembler(max_messages=2)
    for base in (0, 100, 200):
        reassembler.receive(part(1, 9, base), b"a", 0, ordered=False)
    assert (len(reassembler), reassembler.dropped) == (2, ["fragments_overflow"])


def flood(reassembler: Reassembler, size: int) -> None:
    for index in range(1, 65535):
        reassembler.receive(part(index, 65535, index), bytes(size), 0, ordered=True)


def test_one_message_beyond_the_limit_is_refused() -> None:
    reassembler = Reassembler(max_bytes=10_000)
    with pytest.raises(RemoteProtocolError, match="fragments_overflow"):
        flood(reassembler, 1000)
    assert (len(reassembler), reassembler.bytes_held) == (0, 0)


def test_empty_fragments_are_not_free() -> None:
    with pytest.raises(RemoteProtocolError, match="fragments_overflow"):
        flood(Reassembler(max_bytes=10_000), 0)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 40), st.integers(0, 500), st.booleans()),
        max_size=60,
    )
)
def test_memory_is_bounded_whatever_comes(pieces: list[tuple[int, int, int, int, bool]]) -> None:
    reassembler = Reassembler(max_messages=3, max_bytes=2000, timeout=50)
    for now, (index, total, serial, size, ordered) in enumerate(pieces):
        header = part(index, total, serial)
        header.total = total
        try:
            reassembler.receive(header, bytes(size), now, ordered=ordered)
        except RemoteProtocolError as error:
            reassembler.dropped.append(error.reason)
        assert len(reassembler) <= 3
        assert reassembler.bytes_held <= 2000
    assert set(reassembler.dropped) <= {"bad_fragment", "fragments_overflow", "fragments_timeout"}
