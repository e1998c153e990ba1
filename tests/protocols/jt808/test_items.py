"""Additional items: each of the standard by exact value, malformed ones beside good ones, and round trips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.jt808.items import (
    ITEMS_LIMIT,
    STANDARD,
    decode_items,
    encode_items,
    join_items,
    speed_from_wire,
    speed_to_wire,
    split_items,
)

VECTORS: list[tuple[str, dict[str, object]]] = [
    ("01 04 00000064", {"mileage_m": 10_000}),
    ("02 02 007d", {"fuel_l": 12.5}),
    ("03 02 003c", {"recorder_speed": 167}),
    ("04 02 1234", {"event": 0x1234}),
    ("05 1e 3738ff39" + "ff" * 26, {"tyre_pressure": [0x37, 0x38, None, 0x39]}),
    ("06 02 0019", {"carriage_temperature": 25}),
    ("06 02 8012", {"carriage_temperature": -18}),
    ("11 01 00", {"overspeed": {"place": 0, "area": None}}),
    ("11 05 0100000007", {"overspeed": {"place": 1, "area": 7}}),
    ("12 06 030000000901", {"area": {"place": 3, "area": 9, "direction": 1}}),
    ("13 07 0000000b012c01", {"route_time": {"road": 11, "time_s": 300, "result": 1}}),
    ("14 04 0000007f", {"video_alarm": 0x7F}),
    ("15 04 00000001", {"video_signal_lost": 1}),
    ("16 04 00000002", {"video_signal_blocked": 2}),
    ("17 02 0003", {"storage_fault": 3}),
    ("18 03 000732", {"abnormal_driving": {"behaviour": 7, "fatigue": 50}}),
    ("25 04 80000001", {"signals": 0x80000001}),
    ("2a 02 0001", {"io": 1}),
    ("2b 04 00020001", {"analog": [1, 2]}),
    ("30 01 1f", {"signal": 31}),
    ("31 01 0c", {"satellites": 12}),
]


def test_every_standard_item_has_a_vector() -> None:
    heads = {bytes.fromhex(data)[0] for data, _ in VECTORS}
    wanted = {1, 2, 3, 4, 5, 6, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x25, 0x2A, 0x2B, 0x30, 0x31}
    assert heads == wanted == {item.id for item in STANDARD}


@pytest.mark.parametrize(("data", "items"), VECTORS)
def test_standard_items(data: str, items: dict[str, object]) -> None:
    raw = bytes.fromhex(data)
    assert decode_items(raw, 0) == items
    assert join_items(encode_items(items)) == raw


@pytest.mark.parametrize(
    ("data", "items"),
    [
        ("", {}),
        ("00", {}),
        ("310105 0000000000", {"satellites": 5}),
        ("310105 00dd42", {"satellites": 5, "malformed": b"\x00\xdd\x42"}),
        ("310105 e1020102 e100 e10103", {"satellites": 5, "raw": [[0xE1, b"\x01\x02"], [0xE1, b""], [0xE1, b"\x03"]]}),
        ("2b080000000000000001 310105", {"satellites": 5, "malformed": bytes.fromhex("2b080000000000000001")}),
        ("310105 31", {"satellites": 5, "malformed": b"\x31"}),
        ("310105 330301", {"satellites": 5, "malformed": b"\x33\x03\x01"}),
        ("0101ff 1100 310105 ff", {"satellites": 5, "malformed": b"\x01\x01\xff\x11\x00\xff"}),
        ("310105 310106", {"satellites": 6}),
    ],
)
def test_what_is_not_standard_costs_nothing_else(data: str, items: dict[str, object]) -> None:
    assert decode_items(bytes.fromhex(data), 0) == items


def test_items_are_read_up_to_a_limit() -> None:
    items = decode_items(b"\xe1\x00" * 30_000, 0)
    assert items["raw"] == [[0xE1, b""]] * (ITEMS_LIMIT // 2)
    assert items["malformed"] == b"\xe1\x00" * (ITEMS_LIMIT // 2)
    padded = decode_items(b"\x31\x01\x05" + bytes(50_000) + b"\x01", 0)
    assert padded == {"satellites": 5}


@given(st.binary(max_size=200))
def test_any_bytes_are_items(data: bytes) -> None:
    decode_items(data, 0)
    assert join_items(*split_items(data, 0)) == data


@given(st.integers(0, 0xFFFF))
def test_speeds_come_back(value: int) -> None:
    assert speed_to_wire(speed_from_wire(value)) == value


def test_raw_items_are_written_as_they_were() -> None:
    assert encode_items({"raw": [[0xE1, b"ab"]], "signal": 3}) == ((0xE1, b"ab"), (0x30, b"\x03"))


@pytest.mark.parametrize(
    "items", [{"colour": 1}, {"signal": 256}, {"fuel_l": -1}, {"area": {"place": 1}}, {"event": "x"}]
)
def test_items_that_cannot_be_written_are_our_fault(items: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError):
        encode_items(items)
