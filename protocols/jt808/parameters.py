"""A terminal's parameters: which there are, what they may be, and their list as 0x8103 and 0x0104 write it.

One table, :data:`PARAMETERS`, after tables 11 and 12 of the 2013 text with what 2019 added (0x0023 to 0x0026,
0x0032) and kept. A list is count u8, then for each id u32, length u8, value; numbers are big-endian, text is GBK.
What a terminal tells is taken whatever its id, what we set is in the table and in its range, or it is refused.

The phone number that a terminal calls by itself so that somebody can listen in (0x0048), and whether it picks up calls
by itself (0x0045), can be read and never be set: nobody in a vehicle would know of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from protocols.errors import RemoteProtocolError

Value: TypeAlias = int | str | bytes


class Forbidden(ValueError):
    """What this house never sends to a terminal: it would let somebody listen in unseen."""


class Kind(Enum):
    """How a value is written."""

    U8 = 1
    U16 = 2
    U32 = 4
    TEXT = "text"
    RAW = "raw"


class Parameter(NamedTuple):
    """One row of the table. ``low`` and ``high`` bound a number, or the bytes of a text or of raw bytes."""

    name: str
    kind: Kind
    low: int
    high: int
    settable: bool = True


_DAY: Final = 86_400
_ALL: Final = 0xFFFFFFFF


def _text(name: str, high: int = 255) -> Parameter:
    return Parameter(name, Kind.TEXT, 0, high)


def _seconds(name: str, low: int = 1, high: int = _DAY) -> Parameter:
    return Parameter(name, Kind.U32, low, high)


PARAMETERS: Final[Mapping[int, Parameter]] = {
    0x0001: _seconds("heartbeat_s"),
    0x0002: _seconds("tcp_answer_timeout_s"),
    0x0003: Parameter("tcp_resends", Kind.U32, 0, 255),
    0x0004: _seconds("udp_answer_timeout_s"),
    0x0005: Parameter("udp_resends", Kind.U32, 0, 255),
    0x0006: _seconds("sms_answer_timeout_s"),
    0x0007: Parameter("sms_resends", Kind.U32, 0, 255),
    0x0010: _text("main_apn"),
    0x0011: _text("main_apn_user"),
    0x0012: _text("main_apn_password"),
    0x0013: _text("main_server"),
    0x0014: _text("backup_apn"),
    0x0015: _text("backup_apn_user"),
    0x0016: _text("backup_apn_password"),
    0x0017: _text("backup_server"),
    0x0018: Parameter("tcp_port", Kind.U32, 1, 65535),
    0x0019: Parameter("udp_port", Kind.U32, 1, 65535),
    0x001A: _text("card_server"),
    0x001B: Parameter("card_tcp_port", Kind.U32, 1, 65535),
    0x001C: Parameter("card_udp_port", Kind.U32, 1, 65535),
    0x001D: _text("card_backup_server"),
    0x0020: Parameter("report_strategy", Kind.U32, 0, 2),
    0x0021: Parameter("report_scheme", Kind.U32, 0, 1),
    0x0022: _seconds("report_logged_out_s"),
    0x0023: _text("second_apn"),
    0x0024: _text("second_apn_user"),
    0x0025: _text("second_apn_password"),
    0x0026: _text("second_server"),
    0x0027: _seconds("report_asleep_s"),
    0x0028: _seconds("report_emergency_s"),
    0x0029: _seconds("report_s"),
    0x002C: Parameter("report_m", Kind.U32, 1, 1_000_000),
    0x002D: Parameter("report_logged_out_m", Kind.U32, 1, 1_000_000),
    0x002E: Parameter("report_asleep_m", Kind.U32, 1, 1_000_000),
    0x002F: Parameter("report_emergency_m", Kind.U32, 1, 1_000_000),
    0x0030: Parameter("corner_deg", Kind.U32, 0, 179),
    0x0031: Parameter("moved_while_parked_m", Kind.U16, 0, 0xFFFF),
    0x0032: Parameter("forbidden_hours", Kind.RAW, 4, 4),
    0x0040: _text("centre_phone", 32),
    0x0041: _text("reset_phone", 32),
    0x0042: _text("factory_reset_phone", 32),
    0x0043: _text("centre_sms", 32),
    0x0044: _text("alarm_sms", 32),
    0x0045: Parameter("pick_up", Kind.U32, 0, 1, settable=False),
    0x0046: Parameter("longest_call_s", Kind.U32, 0, _ALL),
    0x0047: Parameter("longest_calls_a_month_s", Kind.U32, 0, _ALL),
    0x0048: Parameter("listen_phone", Kind.TEXT, 0, 0, settable=False),
    0x0049: _text("privileged_sms", 32),
    0x0050: Parameter("alarms_masked", Kind.U32, 0, _ALL),
    0x0051: Parameter("alarms_by_sms", Kind.U32, 0, _ALL),
    0x0052: Parameter("alarms_with_photo", Kind.U32, 0, _ALL),
    0x0053: Parameter("alarm_photos_stored", Kind.U32, 0, _ALL),
    0x0054: Parameter("alarms_key", Kind.U32, 0, _ALL),
    0x0055: Parameter("speed_limit_kmh", Kind.U32, 0, 300),
    0x0056: _seconds("overspeed_s", 0),
    0x0057: _seconds("driving_limit_s", 0),
    0x0058: _seconds("driving_limit_a_day_s", 0),
    0x0059: _seconds("rest_s", 0),
    0x005A: _seconds("parking_limit_s", 0, 30 * _DAY),
    0x005B: Parameter("overspeed_warning_dkmh", Kind.U16, 0, 0xFFFF),
    0x005C: Parameter("fatigue_warning_s", Kind.U16, 0, 0xFFFF),
    0x005D: Parameter("collision", Kind.U16, 0, 0xFFFF),
    0x005E: Parameter("rollover", Kind.U16, 0, 0xFFFF),
    0x0064: Parameter("timed_photos", Kind.U32, 0, _ALL),
    0x0065: Parameter("distance_photos", Kind.U32, 0, _ALL),
    0x0070: Parameter("picture_quality", Kind.U32, 1, 10),
    0x0071: Parameter("brightness", Kind.U32, 0, 255),
    0x0072: Parameter("contrast", Kind.U32, 0, 127),
    0x0073: Parameter("saturation", Kind.U32, 0, 127),
    0x0074: Parameter("chroma", Kind.U32, 0, 255),
    0x0080: Parameter("odometer_hm", Kind.U32, 0, _ALL),
    0x0081: Parameter("province", Kind.U16, 0, 0xFFFF),
    0x0082: Parameter("city", Kind.U16, 0, 0xFFFF),
    0x0083: _text("plate", 32),
    0x0084: Parameter("plate_colour", Kind.U8, 0, 255),
    0x0090: Parameter("gnss_systems", Kind.U8, 0, 15),
    0x0091: Parameter("gnss_baud", Kind.U8, 0, 5),
    0x0092: Parameter("gnss_output", Kind.U8, 0, 4),
    0x0093: _seconds("gnss_sample_s"),
    0x0094: Parameter("gnss_upload", Kind.U8, 0, 13),
    0x0095: Parameter("gnss_upload_setting", Kind.U32, 0, _ALL),
    0x0100: Parameter("can1_sample_ms", Kind.U32, 0, _ALL),
    0x0101: Parameter("can1_upload_s", Kind.U16, 0, 0xFFFF),
    0x0102: Parameter("can2_sample_ms", Kind.U32, 0, _ALL),
    0x0103: Parameter("can2_upload_s", Kind.U16, 0, 0xFFFF),
    0x0110: Parameter("can_id", Kind.RAW, 8, 8),
}
"""Id -> what it is. ``_hm`` counts 0.1 km, ``_dkmh`` 0.1 km/h; bits of the alarms as in 0x0200. 0x0018 and 0x0019
are of 2011 and 2013; since 2019 the port is written behind the server's name."""


def gbk(value: str) -> bytes:
    """The GBK bytes of a text for a terminal; raises :class:`ValueError` naming the characters that it cannot show."""
    try:
        raw = value.encode("gbk")
    except UnicodeEncodeError:
        raw = b"\0"
    if b"\0" in raw:
        odd = sorted({char for char in value if char == "\0" or not char.encode("gbk", "ignore")})
        raise ValueError(f"characters that a terminal cannot show: {' '.join(ascii(c)[1:-1] for c in odd)}")
    return raw


def checked(ident: int, value: Value) -> bytes:
    """The bytes of a value that we may set; raises :class:`Forbidden` and :class:`ValueError`."""
    row = PARAMETERS.get(ident)
    if row is None:
        raise ValueError(f"no parameter {ident:#06x}")
    if not row.settable:
        raise Forbidden(f"parameter {ident:#06x} ({row.name}) is never set")
    if row.kind is Kind.TEXT:
        if not isinstance(value, str):
            raise ValueError(f"{row.name} is a text")
        raw = gbk(value)
    elif row.kind is Kind.RAW:
        if not isinstance(value, bytes):
            raise ValueError(f"{row.name} is bytes")
        raw = bytes(value)
    else:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"{row.name} is a number")
        if not row.low <= value <= row.high:
            raise ValueError(f"{row.name} must be {row.low}..{row.high}, not {value}")
        return int(value).to_bytes(row.kind.value, "big")
    if not row.low <= len(raw) <= row.high:
        raise ValueError(f"{row.name} must have {row.low}..{row.high} bytes, not {len(raw)}")
    return raw


def value_of(ident: int, raw: bytes) -> Value:
    """What a terminal told: a number or a text where the table says so and the bytes allow it, else the bytes."""
    row = PARAMETERS.get(ident)
    if row is None or row.kind is Kind.RAW:
        return raw
    if row.kind is not Kind.TEXT:
        return int.from_bytes(raw, "big") if len(raw) == row.kind.value else raw
    try:
        return raw.rstrip(b"\0").decode("gbk")
    except UnicodeDecodeError:
        return raw


@dataclass(frozen=True, slots=True)
class ParameterList:
    """What was read of a list: ``count`` as declared, items in their order, bytes left over."""

    count: int
    items: tuple[tuple[int, bytes], ...]
    tail: bytes = b""

    @classmethod
    def decode(cls, body: bytes, at: int = 0) -> ParameterList:
        """From offset ``at``. Raises ``bad_body`` when there is no count; items that are cut off go to ``tail``."""
        if len(body) <= at:
            raise RemoteProtocolError("bad_body", "no list of parameters")
        count, at, end = body[at], at + 1, len(body)
        items: list[tuple[int, bytes]] = []
        while at + 5 <= end and len(items) < count:
            following = at + 5 + body[at + 4]
            if following > end:
                break
            items.append((int.from_bytes(body[at : at + 4], "big"), body[at + 5 : following]))
            at = following
        return cls(count, tuple(items), body[at:])

    @property
    def whole(self) -> bool:
        """As many items as declared and nothing left over."""
        return len(self.items) == self.count and not self.tail

    def values(self) -> dict[int, Value]:
        """Id -> value; of an id that stands there twice (several phones of the centre) the last."""
        return {ident: value_of(ident, raw) for ident, raw in self.items}


@dataclass(frozen=True, slots=True)
class ParametersBody:
    """0x0104: the serial of our 0x8104 or 0x8106, and the list."""

    serial: int
    listed: ParameterList

    @classmethod
    def decode(cls, body: bytes) -> ParametersBody:
        """Raises ``bad_body`` when serial or count are missing."""
        return cls(int.from_bytes(body[:2], "big"), ParameterList.decode(body, 2))

    def encode(self) -> bytes:
        """Byte for byte what was decoded."""
        parts = [self.serial.to_bytes(2, "big"), self.listed.count.to_bytes(1, "big")]
        for ident, raw in self.listed.items:
            parts.append(ident.to_bytes(4, "big") + len(raw).to_bytes(1, "big") + raw)
        return b"".join(parts) + self.listed.tail
