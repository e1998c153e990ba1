"""Photos and requests for lost fragments by their bytes, and long messages that are kept to be sent again."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError
from protocols.jt808.framing import unframe
from protocols.jt808.header import decode_header
from protocols.jt808.media import MediaAnswer, MediaBody, PhotoAnswer, ResendRequest
from protocols.jt808.outbox import FRAGMENT_SIZE, LongMessages, fragments
from tests.protocols.jt808.frames import GOLDEN, payload

PLACE = decode_header(payload(GOLDEN))[1][:28]
JPEG = bytes.fromhex("ffd8ffe000104a464946")
HEAD = bytes.fromhex("00000081 00 00 01 02")


def test_a_photo_of_2013_has_its_place() -> None:
    body = MediaBody.decode(HEAD + PLACE + JPEG, False)
    assert body == MediaBody(0x81, 0, 0, 1, 2, PLACE, JPEG)
    assert body.encode() == HEAD + PLACE + JPEG


def test_a_photo_of_2011_has_none() -> None:
    body = MediaBody.decode(HEAD + JPEG, False)
    assert body == MediaBody(0x81, 0, 0, 1, 2, b"", JPEG)
    assert body.encode() == HEAD + JPEG
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        MediaBody.decode(HEAD + JPEG, True)  # but a header of 2019 does


def test_sound_is_not_taken_for_a_photo() -> None:
    head = HEAD[:5] + b"\x03" + HEAD[6:]
    assert MediaBody.decode(head + b"\xff\xd8" + bytes(30), False).data == bytes(4)


@pytest.mark.parametrize("body", [b"", HEAD[:7], HEAD + PLACE[:27]])
def test_media_that_are_cut_off(body: bytes) -> None:
    for long in (False, True):
        with pytest.raises(RemoteProtocolError, match="bad_body"):
            MediaBody.decode(body, long)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("f4c0 00 0002 00000001 00000002", PhotoAnswer(0xF4C0, 0, (1, 2))),
        ("f4c0 00 0000", PhotoAnswer(0xF4C0, 0, ())),
        ("f4c0 01", PhotoAnswer(0xF4C0, 1)),
    ],
)
def test_photo_answers(data: str, expected: PhotoAnswer) -> None:
    assert PhotoAnswer.decode(bytes.fromhex(data)) == expected
    assert expected.encode() == bytes.fromhex(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("00000081", MediaAnswer(0x81)),
        ("00000081 00", MediaAnswer(0x81, ())),
        ("00000081 02 0001 0102", MediaAnswer(0x81, (1, 0x102))),
    ],
)
def test_media_answers(data: str, expected: MediaAnswer) -> None:
    assert MediaAnswer.decode(bytes.fromhex(data)) == expected
    assert expected.encode() == bytes.fromhex(data)


def test_requests_for_fragments_in_both_widths() -> None:
    old, new = bytes.fromhex("1099 02 0001 0002"), bytes.fromhex("1099 0002 0001 0002")
    assert ResendRequest.decode(old, False) == ResendRequest(0x1099, (1, 2), False)
    assert ResendRequest.decode(new, True) == ResendRequest(0x1099, (1, 2), True)
    for body in (old, new):
        for long in (False, True):  # the other width is understood too
            assert ResendRequest.decode(body, long).encode() == body


@pytest.mark.parametrize("body", ["", "1099", "1099 02 0001", "1099 0003 0001 0002", "1099 00 0001"])
def test_requests_that_are_cut_off(body: str) -> None:
    for long in (False, True):
        with pytest.raises(RemoteProtocolError, match="bad_body"):
            ResendRequest.decode(bytes.fromhex(body), long)


@pytest.mark.parametrize("body", ["", "00", "0000 00 0001", "0000 00 0000 00"])
def test_answers_that_are_cut_off(body: str) -> None:
    for read in (PhotoAnswer.decode, MediaAnswer.decode):
        with suppress(RemoteProtocolError):
            assert read(bytes.fromhex(body)).encode() == bytes.fromhex(body)
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        PhotoAnswer.decode(bytes.fromhex(body))


# -- long messages --

PHONE = bytes(6)


@given(st.integers(0, 5000), st.integers(0, 0xFFFF), st.sampled_from([None, 1]))
def test_pieces_make_the_whole(size: int, serial: int, version: int | None) -> None:
    phone = PHONE if version is None else bytes(10)
    body = bytes(at % 251 for at in range(size))
    frames = fragments(0x8300, phone, version, serial, body)
    assert len(frames) == (1 if size <= 1023 else -(-size // FRAGMENT_SIZE))
    whole = b""
    for at, data in enumerate(frames):
        raw = unframe(data[1:-1])
        assert isinstance(raw, bytes)
        header, piece = decode_header(raw)
        assert (header.serial, header.version) == ((serial + at) & 0xFFFF, version)
        assert (header.total, header.index) == ((len(frames), at + 1) if len(frames) > 1 else (0, 0))
        whole += piece
    assert whole == body


def kept(*serials: int, **limits: int) -> LongMessages:
    messages = LongMessages(**limits)
    for serial in serials:
        messages.remember(serial, [b"%d" % (serial + at) for at in range(3)])
    return messages


def test_any_fragment_names_its_message() -> None:
    messages = kept(10, 0xFFFE)
    assert [messages.original(serial) for serial in (9, 10, 11, 12, 13)] == [9, 10, 10, 10, 13]
    assert [messages.original(serial) for serial in (0xFFFD, 0xFFFE, 0xFFFF, 0, 1)] == [
        0xFFFD,
        0xFFFE,
        0xFFFE,
        0xFFFE,
        1,
    ]


def test_a_serial_that_is_used_again_names_the_new_message() -> None:
    messages = kept(10, 20)
    messages.remember(12, [b"short"])
    assert [messages.original(serial) for serial in (10, 12, 21)] == [10, 12, 20]
    messages.remember(18, [b"a", b"b", b"c"])
    assert (messages.original(20), len(messages)) == (18, 1)


def test_fragments_go_out_again_each_once() -> None:
    messages = kept(10)
    assert messages.again(10, [3, 1, 3, 0, 4]) == [b"10", b"12"]
    assert messages.again(12, [2]) == [b"11"]  # named by another fragment
    for serial, indices in ((9, [1]), (10, []), (10, [0, 4])):
        with pytest.raises(RemoteProtocolError, match="fragments_gone"):
            messages.again(serial, indices)


def test_asking_for_ever_does_not_pay() -> None:
    messages = kept(10, max_resends=2)
    messages.again(10, [1])
    messages.again(10, [1])
    with pytest.raises(RemoteProtocolError, match="fragments_gone"):
        messages.again(10, [1])


def test_what_is_kept_is_bounded() -> None:
    messages = kept(10, 20, 30, max_messages=2)
    assert (len(messages), messages.original(11)) == (2, 11)
    messages = LongMessages(max_bytes=100)
    for serial in (0, 10, 20):
        messages.remember(serial, [bytes(30), bytes(20)])
        assert messages.bytes_held <= 100
    messages.remember(30, [bytes(300), bytes(300)])
    assert (len(messages), messages.bytes_held) == (1, 600)  # the newest stays whatever its size


@given(st.sampled_from([MediaAnswer.decode, PhotoAnswer.decode]), st.binary(max_size=30))
def test_any_body_that_is_read_is_written_as_it_was(read: type[MediaAnswer], body: bytes) -> None:
    with suppress(RemoteProtocolError):
        assert read(body).encode() == body  # type: ignore[arg-type, call-arg]


@given(st.binary(max_size=90), st.booleans())
def test_media_and_requests_come_back(body: bytes, long: bool) -> None:
    for read in (MediaBody.decode, ResendRequest.decode):
        with suppress(RemoteProtocolError):
            assert read(body, long).encode() == body
