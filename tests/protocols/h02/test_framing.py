"""H02 messages in a stream: text, binary of two lengths, rubbish between, any cut, a bounded memory."""

from __future__ import annotations

import pytest

from protocols.h02.client import binary, heartbeat, position
from protocols.h02.framing import LONG, SHORT, TEXT_LIMIT, Framer
from tests.protocols.trackers import NOW, cuts

TEXT = position("1234567890", NOW, 306_600_000, 1_174_900_000)
SMALL = binary("1234567890", NOW, 306_600_000, 1_174_900_000)
BIG = binary("1234567890", NOW, 306_600_000, 1_174_900_000, size=LONG)


def test_messages_are_as_long_as_they_should() -> None:
    assert (len(SMALL), len(BIG)) == (SHORT, LONG)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (TEXT + heartbeat("1"), [TEXT, heartbeat("1")]),
        (TEXT + b"\r\n" + TEXT, [TEXT, TEXT]),
        (SMALL + TEXT, [SMALL, TEXT]),
        (SMALL + SMALL + TEXT, [SMALL, SMALL, TEXT]),
        (BIG + BIG, [BIG, BIG]),
        (BIG + TEXT, [BIG, TEXT]),
        (b"rubbish" + TEXT + b"more" + TEXT, ["garbage", TEXT, "garbage", TEXT]),
        (TEXT[:30] + TEXT, ["garbage", TEXT]),
        (b"$$$" + TEXT, ["garbage", TEXT]),
    ],
)
def test_any_cut_gives_the_same_messages(stream: bytes, expected: list[bytes | str]) -> None:
    assert Framer().receive(stream, last=True) == expected
    for parts in cuts(stream):
        framer = Framer()
        assert [found for part in parts for found in framer.receive(part)] == expected


def test_a_short_one_alone_is_whole_after_a_pause() -> None:
    framer = Framer()
    assert framer.receive(SMALL) == []
    assert framer.waiting
    assert framer.settle() == [SMALL]
    assert not framer.waiting
    assert framer.settle() == []
    # Its length is known as soon as another follows; then nothing waits any more.
    assert framer.receive(SMALL + SMALL + SMALL) == [SMALL, SMALL, SMALL]
    assert framer.receive(SMALL) == [SMALL]


def test_the_pause_does_not_cut_a_long_one() -> None:
    framer = Framer()
    framer.receive(BIG[:SHORT])
    assert framer.waiting
    assert framer.receive(BIG[SHORT:]) == [BIG]


def test_memory_is_bounded() -> None:
    framer = Framer()
    for _ in range(50):
        framer.receive(b"*HQ," + b"1" * 100)
        assert len(framer._held) <= TEXT_LIMIT
    assert framer.receive(TEXT)[-1] == TEXT
