"""The shared frames as rows, and small vectors of our own with what they must decode to."""

from __future__ import annotations

import csv
from typing import NamedTuple

from protocols.jt808.framing import frame, unframe
from protocols.jt808.header import Header
from tests.data import SHARED


class Row(NamedTuple):
    """One line of jt808_frames.tsv."""

    line: int
    message_id: int
    long: bool
    fragment: bool
    encryption: int
    length: int
    length_ok: bool
    checksum_ok: bool
    data: bytes

    @property
    def good(self) -> bool:
        return self.length_ok and self.checksum_ok


def rows() -> list[Row]:
    if SHARED is None:
        return []
    with (SHARED / "frames" / "jt808_frames.tsv").open(encoding="utf-8") as file:
        return [
            Row(
                line,
                int(row["msg_id"], 16),
                row["version"] == "2019",
                row["fragmented"] == "frag",
                int(row["encrypt"]),
                int(row["body_len"]),
                row["len_check"] == "lenok",
                row["checksum"] == "ok",
                bytes.fromhex(row["hex"]),
            )
            for line, row in enumerate(csv.DictReader(file, delimiter="\t"), 2)
        ]


ROWS = rows()

GOLDEN = bytes.fromhex(
    "7E02000026123456789012007D02000000010000000200BA7F0E07E4F11C0028003C00001810151010100104000000640202007D01137E"
)
"""The reference frame of the design: serial 126 is escaped as 7d 02, fuel 125 as 7d 01."""
GOLDEN_TIME = 1_539_569_410_000
"""2018-10-15 10:10:10 +08 in milliseconds UTC."""
PHONE = "123456789012"


def message(
    message_id: int, body: bytes = b"", *, serial: int = 1, phone: str = PHONE, version: int | None = None,
    total: int = 0, index: int = 0, attributes: int = 0,
) -> bytes:  # fmt: skip
    """A frame as a terminal sends it."""
    raw = bytes.fromhex(phone.zfill(12 if version is None else 20))
    header = Header.of(message_id, raw, serial, version, total, index)
    header.attributes |= attributes
    return frame(header.encode(body))


def payload(data: bytes) -> bytes:
    """The payload of one frame that is known to be sound."""
    result = unframe(data[1:-1])
    assert isinstance(result, bytes)
    return result
