"""Watch messages in a stream: both heads, wrong lengths, contents with brackets, any cut, a bounded memory."""

from __future__ import annotations

import pytest

from protocols.watch.framing import CONTENT_LIMIT, Framer, Message, frame
from tests.protocols.trackers import cuts

LK = b"[SG*8800000015*0002*LK]"
ONE = Message("SG", "8800000015", b"LK")


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (LK + LK, [ONE, ONE]),
        (LK + b"\r\n" + LK, [ONE, ONE]),
        (b"[ZJ*5678901234*0001*0009*TEMP,36.5]", [Message("ZJ", "5678901234", b"TEMP,36.5", "0001")]),
        (b"[3G*12345*0004*FACE]", [Message("3G", "12345", b"FACE")]),
        (b"[3G*12345*0005*UD,a]]", [Message("3G", "12345", b"UD,a]")]),
        # Longer than it says; and longer than it is, with the next behind it.
        (b"[3G*12345*0002*UD,1]" + LK, [Message("3G", "12345", b"UD,1"), ONE]),
        (b"[3G*12345*0009*UD,1]" + LK, [Message("3G", "12345", b"UD,1"), ONE]),
        (b"rubbish" + LK + b"more[x" + LK, ["garbage", ONE, "garbage", ONE]),
        (b"[3G*12345*0020*UD,1" + LK + LK, ["garbage", ONE, ONE]),
        (b"[3G*12345*ffff*TK," + b"]" * (0xFFFF - 3) + b"]" + LK, ["too_long", ONE]),
    ],
)
def test_streams(stream: bytes, expected: list[Message | str]) -> None:
    assert Framer().receive(stream) == expected
    framer = Framer()
    assert [found for i in range(len(stream)) for found in framer.receive(stream[i : i + 1])] == expected
    if len(stream) < 200:
        for parts in cuts(stream):
            framer = Framer()
            assert [found for part in parts for found in framer.receive(part)] == expected


def test_what_is_framed_comes_back() -> None:
    for index in (None, "00ff"):
        assert Framer().receive(frame("3G", "123456789012345", b"AL", index)) == [
            Message("3G", "123456789012345", b"AL", index)
        ]


def test_memory_is_bounded() -> None:
    framer = Framer()
    framer.receive(b"[3G*12345*0fff*")
    for _ in range(100):
        framer.receive(b"x" * 1000 + b"[3G*12345*ff")
        assert len(framer._held) <= CONTENT_LIMIT + 100
