"""Headers of both lengths: every shared frame, round trips, and terminals that lie about their version."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.jt808.framing import Framer, frame
from protocols.jt808.header import Header, decode_header, phone_bytes, phone_text
from tests.data import needs_shared
from tests.protocols.jt808.frames import GOLDEN, PHONE, ROWS, message, payload

MISFLAGGED = bytes.fromhex("0102400c012345678901000a") + b"AUTHENTICATE"
"""A 2013 header of terminal 12345678901 that carries the version flag of 2019."""


@needs_shared
def test_the_shared_frames_have_sound_headers_exactly_where_their_columns_say() -> None:
    good = [row for row in ROWS if row.good]
    for row in good:
        (data,) = Framer().receive_data(row.data)
        assert isinstance(data, bytes)
        header, body = decode_header(data)
        found = (header.message_id, header.version is not None, header.total > 0, header.encryption, len(body))
        assert found == (row.message_id, row.long, row.fragment, row.encryption, row.length), row.line
        assert frame(header.encode(body)) == row.data, row.line
    assert len(ROWS) != 419 or (len(good) == 377 and sum(row.encryption > 0 for row in good) == 1)


@needs_shared
def test_the_other_shared_frames_are_refused_with_a_reason() -> None:
    reasons: dict[str, int] = {}
    for row in ROWS:
        if row.good:
            continue
        (data,) = Framer().receive_data(row.data)
        if isinstance(data, bytes):
            with pytest.raises(RemoteProtocolError) as caught:
                decode_header(data)
            reason = caught.value.reason
        else:
            reason = data.reason
        reasons[reason] = reasons.get(reason, 0) + 1
    assert set(reasons) <= {"bad_checksum", "bad_escape", "bad_header", "bad_length", "wrong_version"}


def test_the_golden_header() -> None:
    header, body = decode_header(payload(GOLDEN))
    assert header == Header(0x0200, 0x0026, None, bytes.fromhex(PHONE), 126)
    assert phone_text(header.phone) == PHONE
    assert len(body) == 38
    assert frame(header.encode(body)) == GOLDEN


def test_a_golden_header_of_2019_with_a_fragment() -> None:
    data = bytes.fromhex("0704 6003 01 00000000013800138000 fffe 0003 0002 aabbcc")
    header, body = decode_header(data)
    assert header == Header(0x0704, 0x6003, 1, bytes.fromhex("00000000013800138000"), 65534, 3, 2)
    assert phone_text(header.phone) == "13800138000"
    assert body == b"\xaa\xbb\xcc"
    assert header.encode(body) == data
    assert "2/3" in repr(header)


@given(
    st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.one_of(st.none(), st.integers(0, 255)),
    st.integers(0, 10**12 - 1), st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)), st.booleans(),
    st.sampled_from([0, 0x400, 0x1C00, 0x8000]), st.binary(max_size=1023),
)  # fmt: skip
def test_headers_come_back(
    message_id: int, serial: int, version: int | None, phone: int, part: tuple[int, int], fragment: bool, bits: int,
    body: bytes,
) -> None:  # fmt: skip
    total, index = part if fragment else (0, 0)
    attributes = bits | (0x2000 if fragment else 0) | (0 if version is None else 0x4000) | len(body)
    header = Header(message_id, attributes, version, phone_bytes(str(phone), version), serial, total, index)
    assert decode_header(header.encode(body)) == (header, body)
    assert phone_text(header.phone) == str(phone)


@given(st.binary(max_size=60), st.sampled_from([None, 2011, 2013, 2019]))
def test_any_bytes_are_a_header_or_refused(data: bytes, version: int | None) -> None:
    with suppress(RemoteProtocolError):  # anything else that comes out is a bug of ours
        header, body = decode_header(data, version, {"0"})
        assert header.encode(body) == data


def test_a_version_flag_on_a_2013_header_is_named_and_can_be_overridden() -> None:
    with pytest.raises(RemoteProtocolError, match="wrong_version"):
        decode_header(MISFLAGGED)
    with pytest.raises(RemoteProtocolError, match="wrong_version"):
        decode_header(MISFLAGGED, misflagged={"1"})
    for version, names in ((2013, set()), (2011, set()), (None, {"12345678901"})):
        header, body = decode_header(MISFLAGGED, version, names)
        assert (header.version, header.serial, body) == (None, 10, b"AUTHENTICATE")
        assert header.encode(body) == MISFLAGGED


def test_a_known_liar_that_speaks_2019_is_still_understood() -> None:
    data = payload(message(0x0002, phone="12345678901", version=1))
    assert decode_header(data, misflagged={"12345678901"})[0].version == 1


def test_a_forced_2019_header_without_its_flag() -> None:
    data = bytes.fromhex("0002 0000 01 00000000013800138000 0005")
    header, _ = decode_header(data, 2019)
    assert (header.version, header.serial) == (1, 5)
    assert header.encode(b"") == data


def test_terminal_numbers() -> None:
    assert phone_text(bytes(6)) == "0"
    with pytest.raises(RemoteProtocolError, match="bad_header"):
        phone_text(b"\x01\x23\x4a\x00\x00\x00")
    with pytest.raises(LocalProtocolError):
        phone_bytes("1234567890123", None)
    with pytest.raises(LocalProtocolError):
        phone_bytes("12a", None)
    with pytest.raises(LocalProtocolError):
        Header.of(2, bytes(6), 0, None).encode(bytes(1024))
    assert Header.of(2, bytes(6), 0, None) != 1


def test_the_lengths_of_both_headers_never_fit_the_same_frame() -> None:
    """Why ``misflagged`` is safe: a frame that is sound as 2019 is read as 2019 whoever sent it."""
    for size in range(60):
        data = payload(message(0x0200, bytes(size), phone="0", version=1))
        header, body = decode_header(data, misflagged={"0", "10000000000"})
        assert (header.version, len(body)) == (1, size)
