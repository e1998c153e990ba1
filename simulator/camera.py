"""A camera in a vehicle: a coarse picture of a street as a JPEG, made without any library.

The picture is a mosaic: each block of 8 x 8 points has one colour, so a block is one number a colour (its mean) and
"nothing else follows". That is a complete baseline JPEG (ITU-T T.81) that every viewer shows, of a few kB.
"""

from __future__ import annotations

from random import Random

SIZES = {
    1: (320, 240),
    2: (640, 480),
    3: (800, 600),
    4: (1024, 768),
    5: (176, 144),
    6: (352, 288),
    7: (704, 288),
    8: (704, 576),
}
"""Resolution as a platform asks for it -> width and height in points."""

Colour = tuple[int, int, int]
"""Y, Cb and Cr, 0 to 255."""

_DC_LENGTHS = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
"""How many codes there are of each length; the values are the numbers of bits that follow, 0 to 11."""
_DC_CODES = {0: "00", 1: "010", 2: "011", 3: "100", 4: "101", 5: "110"} | {
    size: "1" * (size - 3) + "0" for size in range(6, 12)
}
_AC_LENGTHS = bytes([1]) + bytes(15)
_BLOCK_ENDS = "0"
"""The only code of the second table: no finer detail in this block."""
_STEP = 8
"""With it a block's coefficient is its colour less 128."""


def photograph(resolution: int, random: Random) -> bytes:
    """One look out of the windscreen in one of :data:`SIZES`; what stands along the street comes from ``random``."""
    width, height = SIZES[resolution]
    return jpeg(street(-(-width // 8), -(-height // 8), random), width, height)


def street(columns: int, rows: int, random: Random) -> list[list[Colour]]:
    """Rows of blocks: sky, houses on both sides, a road that narrows to the horizon, and the bonnet."""
    horizon = rows * 2 // 5
    roofs: list[int] = []
    fronts: list[int] = []
    while len(roofs) < columns:
        wide = random.randint(3, 9)
        roofs += [random.randint(horizon // 4, horizon - 2)] * wide
        fronts += [random.randint(70, 170)] * wide
    picture = []
    for row in range(rows):
        line: list[Colour] = []
        for column in range(columns):
            middle = abs(2 * column + 1 - columns) / columns
            if row < horizon:
                house = row >= roofs[column] and middle > 0.12
                window = house and row % 3 == 1 and column % 2 == 0
                line.append((fronts[column] // (2 if window else 1), 124, 132) if house else (190 - row, 145, 115))
            elif row >= rows - rows // 10 and middle < 0.8:
                line.append((45 + column % 3, 128, 128))
            else:
                depth = (row - horizon + 1) / (rows - horizon)
                if middle < 0.04 * depth + 0.005 and (row * 7 // rows) % 2 == 0:
                    line.append((220, 124, 130))
                elif middle < 0.95 * depth + 0.06:
                    line.append((95 + random.randint(-4, 4), 128, 128))
                else:
                    line.append((120 + random.randint(-6, 6), 112, 118))
        picture.append(line)
    return picture


def jpeg(blocks: list[list[Colour]], width: int, height: int) -> bytes:
    """The file of a mosaic, row by row; ``width`` and ``height`` in points say how much of the last blocks shows."""
    bits: list[str] = []
    last = [0, 0, 0]
    for row in blocks:
        for colour in row:
            for at, value in enumerate(colour):
                bits.append(_difference(value - 128 - last[at]) + _BLOCK_ENDS)
                last[at] = value - 128
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    data = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\x00")
    frame = b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x03"
    frame += b"".join(bytes([ident, 0x11, 0]) for ident in (1, 2, 3))
    scan = b"\x03" + b"".join(bytes([ident, 0]) for ident in (1, 2, 3)) + b"\x00\x3f\x00"
    return (
        b"\xff\xd8"
        + _segment(0xE0, b"JFIF\0\x01\x01\x00\x00\x01\x00\x01\x00\x00")
        + _segment(0xDB, b"\x00" + bytes([_STEP]) * 64)
        + _segment(0xC0, frame)
        + _segment(0xC4, b"\x00" + _DC_LENGTHS + bytes(range(12)))
        + _segment(0xC4, b"\x10" + _AC_LENGTHS + b"\x00")
        + _segment(0xDA, scan)
        + data
        + b"\xff\xd9"
    )


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def _difference(value: int) -> str:
    size = abs(value).bit_length()
    if not size:
        return _DC_CODES[0]
    rest = value if value > 0 else value + (1 << size) - 1
    return _DC_CODES[size] + format(rest, f"0{size}b")
