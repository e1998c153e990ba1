"""The vehicle's camera: a baseline JPEG, read back block by block by an own reader."""

from __future__ import annotations

from random import Random

import pytest

from simulator.camera import SIZES, Colour, jpeg, photograph, street


def blocks_of(data: bytes) -> tuple[int, int, list[Colour]]:
    """Width, height and the blocks' colours of a JPEG whose blocks have nothing but a mean."""
    assert data.startswith(b"\xff\xd8")
    assert data.endswith(b"\xff\xd9")
    at, tables, step, size = 2, {}, 0, (0, 0)
    while True:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xDB:
            step = body[1]
        elif marker == 0xC0:
            assert body[5] == 3
            size = (int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big"))
        elif marker == 0xC4:
            codes, code, value = {}, 0, 17
            for bits, count in enumerate(body[1:17], 1):
                for _ in range(count):
                    codes[format(code, f"0{bits}b")] = body[value]
                    code, value = code + 1, value + 1
                code <<= 1
            tables[body[0]] = codes
        elif marker == 0xDA:
            break
    raw = data[at:-2].replace(b"\xff\x00", b"\xff")
    stream = "".join(format(byte, "08b") for byte in raw)
    found: list[Colour] = []
    last, at = [0, 0, 0], 0

    def taken(table: int) -> int:
        nonlocal at
        code = ""
        while code not in tables[table]:
            code, at = code + stream[at], at + 1
        return tables[table][code]

    for _ in range(-(-size[0] // 8) * -(-size[1] // 8)):
        for part in range(3):
            bits = taken(0x00)
            if bits:
                rest = int(stream[at : at + bits], 2)
                last[part] += rest if stream[at] == "1" else rest - (1 << bits) + 1
                at += bits
            assert taken(0x10) == 0
        found.append((last[0] * step // 8 + 128, last[1] * step // 8 + 128, last[2] * step // 8 + 128))
    assert set(stream[at:]) <= {"1"}
    assert len(stream) - at < 8
    return *size, found


@pytest.mark.parametrize("resolution", sorted(SIZES))
def test_every_resolution_has_its_size_and_shows_the_street(resolution: int) -> None:
    width, height = SIZES[resolution]
    blocks = street(-(-width // 8), -(-height // 8), Random(3))
    expected = [colour for row in blocks for colour in row]
    assert blocks_of(photograph(resolution, Random(3))) == (width, height, expected)


def test_the_whole_range_of_colours() -> None:
    row: list[Colour] = [(0, 255, 0), (255, 0, 255), (0, 0, 0), (128, 128, 128), (255, 255, 255), (1, 254, 127)]
    assert blocks_of(jpeg([row], 48, 8)) == (48, 8, row)


def test_no_two_looks_are_the_same() -> None:
    random = Random(1)
    assert photograph(2, random) != photograph(2, random)
