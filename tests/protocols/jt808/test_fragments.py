"""Fragments: shuffled, missing, twice, interleaved, too many; memory that stays where its limit says."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError
from protocols.jt808.fragments import Budget, Missing, Reassembler
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


# -- asking again --


def asked(reassembler: Reassembler, now: int) -> list[tuple[int, tuple[int, ...], int]]:
    reassembler.handle_timer(now)
    found = [(missing.first, missing.indices, missing.attempt) for missing in reassembler.wanted]
    reassembler.wanted.clear()
    return found


def test_missing_fragments_are_asked_for_three_times_with_growing_pauses() -> None:
    reassembler = Reassembler()
    reassembler.receive(part(2, 4, 12), b"b", 0, ordered=False)
    reassembler.receive(part(4, 4, 14), b"d", 1000, ordered=False)
    found = []
    while (due := reassembler.get_timer()) is not None:
        found.append((due, asked(reassembler, due)))
    assert found == [
        (6000, [(11, (1, 3), 0)]),
        (16000, [(11, (1, 3), 1)]),
        (36000, [(11, (1, 3), 2)]),
        (61000, []),
    ]
    assert (len(reassembler), reassembler.dropped) == (0, ["fragments_timeout"])


def test_a_new_fragment_starts_the_pauses_anew_and_a_copy_does_not() -> None:
    reassembler = Reassembler()
    reassembler.receive(part(1, 4, 1), b"a", 0, ordered=False)
    assert asked(reassembler, 5000) == [(1, (2, 3, 4), 0)]
    reassembler.receive(part(1, 4, 1), b"a", 6000, ordered=False)
    assert reassembler.get_timer() == 15_000
    reassembler.receive(part(2, 4, 2), b"b", 7000, ordered=False)
    assert reassembler.get_timer() == 12_000
    assert asked(reassembler, 12_000) == [(1, (3, 4), 0)]


def test_a_timer_that_comes_late_asks_once() -> None:
    reassembler = Reassembler()
    reassembler.receive(part(1, 2, 1), b"a", 0, ordered=False)
    assert asked(reassembler, 20_000) == [(1, (2,), 0)]
    assert asked(reassembler, 20_000) == []
    assert reassembler.get_timer() == 35_000


def test_a_request_names_the_serial_of_the_first_fragment_even_if_others_came_between() -> None:
    reassembler = Reassembler()
    reassembler.receive(part(1, 4, 1233), b"a", 0, ordered=True)
    reassembler.receive(part(2, 4, 1250), b"b", 0, ordered=True)
    assert asked(reassembler, 5000) == [(1233, (3, 4), 0)]


def test_a_fragment_with_another_serial_is_not_taken_for_the_missing_one() -> None:
    """It could belong to the next photo, which may have as many fragments."""
    reassembler = Reassembler()
    reassembler.receive(part(2, 3, 12), b"b", 0, ordered=True)
    reassembler.receive(part(3, 3, 13), b"c", 0, ordered=True)
    reassembler.handle_timer(5000)
    assert reassembler.receive(part(1, 3, 50), b"x", 6000, ordered=True) is None
    assert reassembler.receive(part(1, 3, 11), b"a", 6000, ordered=True) == (13, b"abc")


def test_a_request_has_at_most_255_indices() -> None:
    reassembler = Reassembler()
    reassembler.receive(part(1, 1000, 1), b"a", 0, ordered=False)
    ((_, indices, _),) = asked(reassembler, 5000)
    assert indices == tuple(range(2, 257))


def test_nothing_is_asked_for_after_a_late_copy_but_for_a_message_that_comes_again() -> None:
    reassembler = Reassembler()
    for header, body in message(0, 5, b"a"):
        reassembler.receive(header, body, 0, ordered=False)
    again = message(0, 5, b"a")
    for header, body in again[:2]:
        reassembler.receive(header, body, 10, ordered=False)
    assert reassembler.get_timer() == 60_010
    reassembler.receive(*again[4], 10, ordered=False)
    assert asked(reassembler, 5010) == [(1, (3, 4), 0)]


def test_questions_by_their_bytes() -> None:
    def question(attempt: int, version: int | None, message_id: int, start: bytes) -> tuple[int, str]:
        header = Header.of(message_id, bytes(6), 1, version, 9, 1)
        ident, body = Missing(header, 0x1099, (2, 3), attempt, start).question()
        return ident, body.hex(" ", 2)

    assert question(0, None, 0x0801, b"") == (0x8003, "10 9902 0002 0003")
    assert question(0, 1, 0x0801, bytes(9)) == (0x8003, "1099 0002 0002 0003")
    assert question(1, 1, 0x0801, b"\0\0\0\x81\0\0") == (0x8800, "00 0000 8102 0002 0003")
    assert question(1, 1, 0x0801, b"\0\0\0") == (0x8003, "1099 0002 0002 0003")  # the id is not known
    assert question(1, 1, 0x0704, bytes(9)) == (0x8003, "1099 0002 0002 0003")
    assert question(2, None, 0x0801, bytes(9)) == (0x8003, "10 9902 0002 0003")


def test_a_terminal_that_begins_anew_leaves_nothing() -> None:
    reassembler = Reassembler()
    for header, body in message(0, 2, b"a"):
        reassembler.receive(header, body, 0, ordered=False)
    reassembler.receive(part(1, 2, 10), b"a", 0, ordered=False)
    reassembler.clear()
    assert (len(reassembler), reassembler.get_timer(), reassembler.dropped) == (0, None, ["fragments_restart"])
    reassembler.receive(part(1, 2, 1), b"a", 0, ordered=False)
    assert reassembler.get_timer() == 5000  # not taken for a late copy


def test_photos_may_be_longer_than_other_messages() -> None:
    def fill(message_id: int) -> int:
        reassembler = Reassembler()
        for index in range(1, 5000):
            try:
                reassembler.receive(part(index, 5000, index, message_id), bytes(1000), 0, ordered=True)
            except RemoteProtocolError:
                return index
        return 0

    assert 100 < fill(0x0704) * 1128 // 1024 <= 129
    assert 2000 < fill(0x0801) * 1128 // 1024 <= 2049


@given(st.data())
def test_the_budget_of_all_terminals(data: st.DataObject) -> None:
    """Whatever comes of their messages, the budget holds what they hold, and never more than its limit."""
    budget = Budget(limit=3000)
    terminals = [Reassembler(budget=budget, timeout=1000) for _ in range(3)]
    now = 0
    for _ in range(data.draw(st.integers(1, 60))):
        terminal = data.draw(st.sampled_from(terminals))
        doing = data.draw(st.sampled_from(["part", "part", "part", "part", "clear", "wait"]))
        if doing == "clear":
            terminal.clear()
        elif doing == "wait":
            now += data.draw(st.integers(1, 1500))
            terminal.handle_timer(now)
        else:
            total = data.draw(st.integers(2, 4))
            index = data.draw(st.integers(1, total))
            body = bytes(data.draw(st.integers(0, 900)))
            with suppress(RemoteProtocolError):
                terminal.receive(part(index, total, index, 0x0801), body, now, ordered=False)
        assert budget.held == sum(one.bytes_held for one in terminals) <= budget.limit


def test_who_asks_too_much_takes_nothing_from_others() -> None:
    budget = Budget(limit=1000)
    first, second = Reassembler(budget=budget), Reassembler(budget=budget)
    first.receive(part(1, 2, 1), bytes(700), 0, ordered=True)
    with pytest.raises(RemoteProtocolError, match="too many"):
        second.receive(part(1, 2, 1), bytes(700), 0, ordered=True)
    assert first.receive(part(2, 2, 2), b"", 0, ordered=True) == (2, bytes(700))
    assert budget.held == 0
    second.receive(part(1, 2, 1), bytes(700), 0, ordered=True)
    assert budget.held > 700
