"""GT06 frames: whole, cut anywhere, damaged, of the plain kind, and never more memory than the limit."""

from __future__ import annotations

import pytest

from protocols.gt06 import framing
from protocols.gt06.client import heartbeat, login
from protocols.gt06.framing import LENGTH_LIMIT, Framer, Message, crc_itu, frame, plain_frame
from tests.protocols.trackers import cuts

LOGIN = bytes.fromhex("78780d01086471700328358100093f040d0a")  # with the serial 9 and a CRC made elsewhere
PLAIN_LOGIN = bytes.fromhex("78780d010359339075005244340d0a")
PLAIN_FIX = bytes.fromhex("7878121011091c0b1b2999058508040097a89e0034520d0a")
PLAIN_WIFI = plain_frame(0x69, bytes.fromhex("190121050903") + bytes(14) + bytes.fromhex("01028f0100750a0b5a"), 2)


def whole(stream: bytes) -> list[Message | str]:
    framer = Framer()
    found = framer.receive(stream)
    assert framer._held == b""
    return found


def test_the_crc_is_the_one_of_trackers() -> None:
    assert crc_itu(b"123456789") == 0x906E  # the check value of CRC-16/X-25
    assert whole(LOGIN) == [Message(1, bytes.fromhex("0864717003283581"), 9)]


@pytest.mark.parametrize("long", [False, True])
def test_what_is_framed_comes_back(long: bool) -> None:
    made = frame(0x94, b"\x0d\x0axx\x78\x78yy", 0xFFFE, long=long)
    assert made[:2] == (b"yy" if long else b"xx")
    assert whole(made) == [Message(0x94, b"\x0d\x0axx\x78\x78yy", 0xFFFE, True, long)]


def test_a_wrong_crc_is_told_and_nothing_else_is_wrong() -> None:
    damaged = bytearray(frame(0x13, b"\1\2\3\4\5", 7))
    damaged[-4] ^= 1
    (message,) = whole(bytes(damaged))
    assert message == Message(0x13, b"\1\2\3\4\5", 7, False)


@pytest.mark.parametrize(
    ("stream", "kind", "content"),
    [
        (PLAIN_LOGIN, 0x01, PLAIN_LOGIN[4:-2]),
        (PLAIN_FIX, 0x10, PLAIN_FIX[4:-2]),
        (PLAIN_WIFI, 0x69, PLAIN_WIFI[4:-2]),
        (plain_frame(0x08), 0x08, b""),
        (plain_frame(0x13, b"\x5d\x0b\x08\x0b\x64"), 0x13, b"\x5d\x0b\x08\x0b\x64"),
        (plain_frame(0x17, PLAIN_WIFI[4:-2], 2), 0x17, PLAIN_WIFI[4:-2]),
    ],
)
def test_plain_frames_are_told_by_their_type_and_length(stream: bytes, kind: int, content: bytes) -> None:
    (message,) = whole(stream)
    assert isinstance(message, Message)
    assert (message.kind, message.content, message.serial) == (kind, content, None)


STREAM = LOGIN + PLAIN_FIX + b"\0rubbish x" + frame(0x94, b"\x04ALM1=C5;", 3, long=True) + PLAIN_WIFI + b"zz" + LOGIN


def test_any_cut_gives_the_same_messages() -> None:
    expected = whole(STREAM)
    assert [m if isinstance(m, str) else m.kind for m in expected] == [1, 0x10, "garbage", 0x94, 0x69, "garbage", 1]
    for parts in cuts(STREAM):
        framer = Framer()
        assert [found for part in parts for found in framer.receive(part)] == expected


@pytest.mark.parametrize(
    "rubbish",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x78" * 9, b"\x79\x79\xff\xff", b"\x79\x79\0\1\2\3\4", b"\x78\x78\0\1\2\3", b"\0"],
)
def test_frames_after_rubbish_are_found(rubbish: bytes) -> None:
    # Rubbish may look like the head of a frame: its length is waited for, and what came in it is found afterwards.
    found = Framer().receive(rubbish + LOGIN * 20)
    assert [one if isinstance(one, str) else one.kind for one in found][:19] == ["garbage", *[1] * 18]


def test_a_frame_whose_end_is_missing_does_not_hide_the_next() -> None:
    cut = heartbeat()[:-2]
    found = whole(cut + login("123456789012345") + heartbeat())
    assert [one if isinstance(one, str) else one.kind for one in found] == ["garbage", 1, 0x13]


def test_memory_is_bounded() -> None:
    framer = Framer()
    framer.receive(b"\x79\x79" + LENGTH_LIMIT.to_bytes(2, "big"))
    for _ in range(100):
        framer.receive(b"\x79\x79\x07\xff" * 100)
        assert len(framer._held) <= LENGTH_LIMIT + 6


@pytest.mark.parametrize("head", [b"\x78", b"\x79"])
def test_a_flood_of_heads_is_passed_over_in_one_go(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at one by one, with a search through the rest each time, 64 kB of them held everybody up for 1.6 s."""
    looked: list[int] = []
    size = framing._size

    def counted(data: bytes, at: int, end: int) -> int:
        looked.append(at)
        return size(data, at, end)

    monkeypatch.setattr(framing, "_size", counted)
    framer = Framer()
    assert framer.receive(head * 65_536) == ["garbage"]
    assert len(looked) < 10
    # The last of them may stand for a length, so the first frames are waited for.
    found = framer.receive(b"".join(frame(0x94, bytes(20), serial) for serial in range(10)))
    assert [one for one in found if one != "garbage"] == [Message(0x94, bytes(20), serial) for serial in range(10)]
