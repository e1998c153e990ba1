"""The forms in which a device says who it is, and what is none of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.nmea.names import named_by_line, named_by_sentence, named_in_front

IMEI = "355797031609284"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("GBID,crane-2", "crane-2"),
        ("GBID,crane 2 ", "crane 2"),
        (f"IMEI={IMEI}", IMEI),
        (f"IMEI,{IMEI}", IMEI),
        (f"PGID,{IMEI}", IMEI),
        (f"DEVID,{IMEI}", IMEI),
        ("GPFID,ID123456ABC", "ID123456ABC"),
        ("PCPTI,Router 7,184453,184453.0,6F", "Router 7"),
        (f'CONNECT,{IMEI},NETWORK,"net",V,120.69', IMEI),
        (f"ID,{IMEI},666,370", IMEI),
        ("gbid,a", "a"),
        ("GBID,", None),
        ("GBID,-", None),
        ("GBID," + "x" * 65, None),
        ("GBIDX,a", None),
        ("GPGSV,1,1,00", None),
        ("PMTK,1", None),
    ],
)
def test_lines_with_a_dollar(body: str, expected: str | None) -> None:
    assert named_by_sentence(body) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (IMEI, IMEI),
        (f" {IMEI} ", IMEI),
        (f"IMEI {IMEI}", IMEI),
        (f"IMEI:{IMEI}", IMEI),
        (f"imei={IMEI};", IMEI),
        (f"##,imei:{IMEI},A;", IMEI),
        ("ID: crane-2", "crane-2"),
        ("12345678901234", None),
        (IMEI + "0", None),
        ("hello", None),
        ("GET / HTTP/1.1", None),
        ("", None),
    ],
)
def test_lines_without(line: str, expected: str | None) -> None:
    assert named_by_line(line) == expected


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("123456789", "123456789"),
        ("crane-2,", "crane-2"),
        ("crane_2: ", "crane_2"),
        (f"4711/{IMEI}/", IMEI),
        ("depot/crane-2/", "crane-2"),
        ("id=crane-2&", "crane-2"),
        ("/?id=crane-2&gprmc=", "crane-2"),
        (f"imei={IMEI}&rmc=", IMEI),
        (f"imei:{IMEI}rmc:", IMEI),
        (f"STX,{IMEI},", IMEI),
        (f"\x00\x04 8   {IMEI} 12 ", IMEI),
        ("2026-11-23 12:00:00 ", None),
        ("\\s:a,c:1*4A\\", None),
        ("#07d8cd5198", None),
        ("paid=5&x ", None),
        ("", None),
        (",", None),
        ("x" * 65, None),
    ],
)
def test_what_stands_in_front(prefix: str, expected: str | None) -> None:
    assert named_in_front(prefix) == expected


@given(st.text(max_size=80))
def test_no_text_raises(text: str) -> None:
    for name in (named_by_line(text), named_by_sentence(text), named_in_front(text)):
        assert name is None or 1 <= len(name) <= 64
