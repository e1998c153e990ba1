"""The table of parameters, their lists byte for byte, and the one that is never set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError
from protocols.jt808.header import decode_header
from protocols.jt808.parameters import (
    PARAMETERS,
    Forbidden,
    Kind,
    ParameterList,
    ParametersBody,
    checked,
    gbk,
    value_of,
)
from tests.data import needs_shared
from tests.protocols.jt808.frames import ROWS, payload


@needs_shared
def test_the_lists_of_the_shared_settings_come_back_byte_for_byte() -> None:
    """The list of 0x8103 is that of 0x0104, which is written with a serial before it."""
    seen = 0
    for row in ROWS:
        if row.good and row.message_id == 0x8103:
            body = decode_header(payload(row.data))[1]
            listed = ParameterList.decode(body)
            assert listed.whole, row.line
            assert ParametersBody(7, listed).encode() == b"\0\x07" + body, row.line
            seen += 1
    assert len(ROWS) != 419 or seen == 7


@needs_shared
def test_the_shared_answers_have_numbers_and_texts_where_the_table_says_so() -> None:
    kinds = {Kind.U8: int, Kind.U16: int, Kind.U32: int, Kind.TEXT: str, Kind.RAW: bytes}
    told = matching = 0
    for row in ROWS:
        if not row.good or row.message_id != 0x0104 or row.fragment:
            continue
        for ident, value in ParametersBody.decode(decode_header(payload(row.data))[1]).listed.values().items():
            if ident in PARAMETERS:
                told += 1
                matching += isinstance(value, kinds[PARAMETERS[ident].kind])
    # Some frames were made by hand with empty values, which stay bytes.
    assert matching >= 0.9 * told


@pytest.mark.parametrize(
    ("ident", "value", "raw"),
    [
        (0x0029, 30, "0000001e"),
        (0x0031, 500, "01f4"),
        (0x0084, 2, "02"),
        (0x0083, "豫E12345", "d4a54531323334 35"),
        (0x0013, "", ""),
        (0x0032, bytes([22, 0, 5, 30]), "1600051e"),
        (0x0110, bytes(8), "00" * 8),
    ],
)
def test_values_and_their_bytes(ident: int, value: int | str | bytes, raw: str) -> None:
    assert checked(ident, value) == bytes.fromhex(raw)
    assert value_of(ident, bytes.fromhex(raw)) == value


@pytest.mark.parametrize(
    ("ident", "value", "words"),
    [
        (0x0029, 0, "report_s must be 1..86400, not 0"),
        (0x0029, 86_401, "must be 1..86400"),
        (0x0029, "30", "is a number"),
        (0x0029, True, "is a number"),
        (0x0029, 30.0, "is a number"),
        (0x0083, 5, "is a text"),
        (0x0083, "豫" * 17, "0..32 bytes"),
        (0x0083, "\U0001f697E1", "cannot show"),
        (0x0032, bytes(3), "4..4 bytes"),
        (0x0032, "2200", "is bytes"),
        (0x0075, bytes(21), "no parameter 0x0075"),
        (0xF001, 1, "no parameter 0xf001"),
    ],
)
def test_what_is_not_set(ident: int, value: int | str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        checked(ident, value)
    assert not isinstance(caught.value, Forbidden)


@pytest.mark.parametrize("value", ["", "13800138000", 0, b""])
def test_the_phone_that_listens_is_read_and_never_set(value: int | str | bytes) -> None:
    with pytest.raises(Forbidden):
        checked(0x0048, value)
    assert value_of(0x0048, b"13800138000") == "13800138000"
    assert [ident for ident, row in PARAMETERS.items() if not row.settable] == [0x0045, 0x0048]


@pytest.mark.parametrize("value", [0, 1])
def test_a_terminal_is_never_told_to_pick_up_by_itself(value: int) -> None:
    with pytest.raises(Forbidden):
        checked(0x0045, value)
    assert value_of(0x0045, bytes((0, 0, 0, value))) == value


def test_names_are_used_once_and_bounds_fit_their_kind() -> None:
    assert len({row.name for row in PARAMETERS.values()}) == len(PARAMETERS)
    for row in PARAMETERS.values():
        assert 0 <= row.low <= row.high
        most = 255 if row.kind in (Kind.TEXT, Kind.RAW) else 256 ** int(row.kind.value) - 1
        assert row.high <= most


def test_what_a_terminal_tells_is_taken_as_it_is() -> None:
    assert value_of(0x0029, b"\x01") == b"\x01"  # a number of another width
    assert value_of(0x0083, b"\x81") == b"\x81"  # no GBK
    assert value_of(0x0083, b"A1\0\0") == "A1"
    assert value_of(0xF364, b"xyz") == b"xyz"
    twice = ParameterList(2, ((0x40, b"1"), (0x40, b"2")))
    assert twice.values() == {0x40: "2"}


def test_lists_that_are_cut_off() -> None:
    assert ParameterList.decode(b"\x00") == ParameterList(0, ())
    assert ParameterList.decode(bytes.fromhex("0100000001040000")) == ParameterList(
        1, (), bytes.fromhex("00000001040000")
    )
    assert not ParameterList.decode(bytes.fromhex("02000000010101")).whole
    assert not ParameterList.decode(bytes.fromhex("0000")).whole
    for body in (b"", b"\0", b"\0\1"):
        with pytest.raises(RemoteProtocolError, match="bad_body"):
            ParametersBody.decode(body)


def test_texts_name_what_a_terminal_cannot_show() -> None:
    assert gbk("巡查ABC") == bytes.fromhex("d1b2b2e9414243")
    with pytest.raises(ValueError, match=r"\\u20ac \\U0001f600"):
        gbk("a\U0001f600€b")
    with pytest.raises(ValueError, match=r"\\x00"):
        gbk("a\0")


@given(st.binary(max_size=80))
def test_any_list_comes_back(body: bytes) -> None:
    try:
        read = ParametersBody.decode(body)
    except RemoteProtocolError:
        return
    assert read.encode() == body
    read.listed.values()
