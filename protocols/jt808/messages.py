"""Message ids, result words and the bodies of the session: decoded and encoded byte for byte.

Strings of fixed width keep their padding and strings keep their GBK bytes, because neither comes back
exactly from text; properties give the text. Positions are in positions.py. Clauses are those of the 2013 text.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Protocol

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.jt808.bcd import GMT8_MS, decode_time, encode_time
from protocols.jt808.media import MediaAnswer, MediaBody, PhotoAnswer, ResendRequest
from protocols.jt808.parameters import ParametersBody
from protocols.jt808.positions import Batch, LocationAnswer, Position


class MessageId(IntEnum):
    """The messages that this package reads or writes, but for what a platform asks: that is in downlinks.py."""

    TERMINAL_ANSWER = 0x0001
    HEARTBEAT = 0x0002
    LOGOUT = 0x0003
    TIME_REQUEST = 0x0004
    RESEND_REQUEST = 0x0005
    REGISTRATION = 0x0100
    AUTHENTICATION = 0x0102
    PARAMETERS_ANSWER = 0x0104
    POSITION = 0x0200
    LOCATION_ANSWER = 0x0201
    BATCH = 0x0704
    MEDIA = 0x0801
    PHOTO_ANSWER = 0x0805
    PLATFORM_ANSWER = 0x8001
    RESEND = 0x8003
    TIME_ANSWER = 0x8004
    REGISTRATION_ANSWER = 0x8100
    LOCATE = 0x8201
    MEDIA_ANSWER = 0x8800


class Result(IntEnum):
    """Result of a general answer, 0x8001 and 0x0001 (clauses 8.1, 8.2)."""

    OK = 0
    FAILED = 1
    BAD_MESSAGE = 2
    UNSUPPORTED = 3
    ALARM_CONFIRMED = 4


class RegistrationResult(IntEnum):
    """Result of a registration, 0x8100 (clause 8.6)."""

    OK = 0
    VEHICLE_TAKEN = 1
    NO_VEHICLE = 2
    TERMINAL_TAKEN = 3
    NO_TERMINAL = 4


def text(raw: bytes) -> str:
    """The text of a GBK field without its padding; what is not GBK becomes U+FFFD."""
    return raw.strip(b"\0 ").decode("gbk", "replace")


def padded(value: str, width: int) -> bytes:
    """GBK bytes, padded with zeros behind to ``width``."""
    return value.encode("gbk").ljust(width, b"\0")


class Body(Protocol):
    """What every body can do."""

    def encode(self) -> bytes:
        """The bytes of the body."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A body without fields: 0x0002, 0x0003, 0x0004, 0x8201. Bytes that a terminal puts there are kept."""

    data: bytes = b""

    def encode(self) -> bytes:
        """Byte for byte what was decoded."""
        return self.data


_ANSWER: Final = struct.Struct(">HHB")


@dataclass(frozen=True, slots=True)
class GeneralAnswer:
    """0x0001 and 0x8001: which message (serial, id) is answered, and how.

    Captured frames have bodies that are empty (all three are ``None``) or longer than five bytes (``tail``).
    """

    serial: int | None
    message_id: int | None
    result: int | None
    tail: bytes = b""

    @classmethod
    def decode(cls, body: bytes) -> GeneralAnswer:
        """Raises ``bad_body`` on one to four bytes."""
        if not body:
            return cls(None, None, None)
        if len(body) < _ANSWER.size:
            raise RemoteProtocolError("bad_body", f"{len(body)} bytes of answer")
        serial, message_id, result = _ANSWER.unpack_from(body)
        return cls(serial, message_id, result, body[_ANSWER.size :])

    def encode(self) -> bytes:
        """Byte for byte what was decoded."""
        if self.serial is None or self.message_id is None or self.result is None:
            return self.tail
        return _ANSWER.pack(self.serial, self.message_id, self.result) + self.tail


COLOURS: Final = frozenset({0, 1, 2, 3, 4, 5, 9, 91, 92, 93, 94})
"""Plate colours of the standards used so far; 0 means no plate: the text is the frame number (VIN)."""
WIDTHS: Final = {2011: (5, 8, 7), 2013: (5, 20, 7), 2019: (11, 30, 30)}
"""Layout -> widths of maker, model and terminal id."""


def _registration_layout(body: bytes, long: bool) -> int:
    """The three layouts are told apart by length, and between 2011 and 2013 by where a plate colour stands."""
    if long and len(body) >= 76:
        return 2019
    if len(body) < 37:
        return 2011
    return 2011 if body[36] not in COLOURS and body[24] in COLOURS else 2013


@dataclass(frozen=True, slots=True)
class RegistrationBody:
    """0x0100 (clause 8.5): province u16, city u16, maker, model, terminal id, plate colour u8, plate or VIN."""

    layout: int
    province: int
    city: int
    maker_raw: bytes
    model_raw: bytes
    terminal_raw: bytes
    colour: int
    plate_raw: bytes = field(repr=False)

    @classmethod
    def decode(cls, body: bytes, long: bool) -> RegistrationBody:
        """``long``: it came under a 17-byte header. Raises ``bad_body`` below the 25 bytes of 2011."""
        if len(body) < 25:
            raise RemoteProtocolError("bad_body", f"{len(body)} bytes of registration")
        layout = _registration_layout(body, long)
        maker, model, terminal = WIDTHS[layout]
        first, second = 4 + maker, 4 + maker + model
        third = second + terminal
        return cls(
            layout,
            body[0] << 8 | body[1],
            body[2] << 8 | body[3],
            body[4:first],
            body[first:second],
            body[second:third],
            body[third],
            body[third + 1 :],
        )

    @classmethod
    def of(
        cls,
        layout: int,
        *,
        province: int = 0,
        city: int = 0,
        maker: str = "",
        model: str = "",
        terminal: str = "",
        colour: int = 0,
        plate: str = "",
    ) -> RegistrationBody:
        """From texts; each is padded to the width of the layout and must fit it."""
        widths = WIDTHS[layout]
        first, second, third = (
            padded(value, width) for value, width in zip((maker, model, terminal), widths, strict=True)
        )
        if (len(first), len(second), len(third)) != widths:
            raise LocalProtocolError("bad_registration", "a text is longer than its field")
        return cls(layout, province, city, first, second, third, colour, plate.encode("gbk"))

    def encode(self) -> bytes:
        """Byte for byte what was decoded."""
        head = self.province.to_bytes(2, "big") + self.city.to_bytes(2, "big")
        return head + self.maker_raw + self.model_raw + self.terminal_raw + bytes([self.colour]) + self.plate_raw


@dataclass(frozen=True, slots=True)
class RegistrationAnswer:
    """0x8100 (clause 8.6): serial of the registration, result, and with result 0 the token."""

    serial: int
    result: int
    token_raw: bytes = field(default=b"", repr=False)

    @classmethod
    def decode(cls, body: bytes) -> RegistrationAnswer:
        """Raises ``bad_body`` below three bytes."""
        if len(body) < 3:
            raise RemoteProtocolError("bad_body", f"{len(body)} bytes of registration answer")
        return cls(body[0] << 8 | body[1], body[2], body[3:])

    def encode(self) -> bytes:
        """Byte for byte what was decoded."""
        return self.serial.to_bytes(2, "big") + bytes([self.result]) + self.token_raw


@dataclass(frozen=True, slots=True)
class AuthenticationBody:
    """0x0102 (clause 8.8): up to 2013 the token alone; 2019 length u8, token, IMEI 15 bytes, software 20 bytes."""

    token_raw: bytes = field(repr=False)
    imei_raw: bytes | None = None
    software_raw: bytes | None = None

    @classmethod
    def decode(cls, body: bytes, long: bool) -> AuthenticationBody:
        """``long``: it came under a 17-byte header. Raises ``bad_body`` when it is empty.

        Some terminals send the old body under the new header: only the exact length makes it the new one.
        """
        if not body:
            raise RemoteProtocolError("bad_body", "no token")
        end = 1 + body[0]
        if long and len(body) == end + 35:
            return cls(body[1:end], body[end : end + 15], body[end + 15 :])
        return cls(body)

    def encode(self) -> bytes:
        """Byte for byte what was decoded."""
        if self.imei_raw is None or self.software_raw is None:
            return self.token_raw
        return bytes([len(self.token_raw)]) + self.token_raw + self.imei_raw + self.software_raw


@dataclass(frozen=True, slots=True)
class TimeAnswer:
    """0x8004 (2019): the platform's time, six BCD bytes."""

    time_raw: bytes

    @classmethod
    def decode(cls, body: bytes) -> TimeAnswer:
        """Raises ``bad_body`` when it has not six bytes."""
        if len(body) != 6:
            raise RemoteProtocolError("bad_body", f"{len(body)} bytes of time")
        return cls(body)

    @classmethod
    def of(cls, now: int, offset: int = GMT8_MS) -> TimeAnswer:
        """From UTC milliseconds, on a clock ``offset`` ms ahead of UTC."""
        return cls(encode_time(now, offset))

    def time(self, offset: int = GMT8_MS) -> int:
        """UTC milliseconds; raises ``bad_time``."""
        return decode_time(self.time_raw[:5], self.time_raw[5]) + GMT8_MS - offset

    def encode(self) -> bytes:
        """Byte for byte what was decoded."""
        return self.time_raw


_LAYOUTS: Final[dict[int, Callable[[bytes, bool], Body]]] = {
    MessageId.REGISTRATION: RegistrationBody.decode,
    MessageId.AUTHENTICATION: AuthenticationBody.decode,
    MessageId.MEDIA: MediaBody.decode,
    MessageId.RESEND: ResendRequest.decode,
    MessageId.RESEND_REQUEST: ResendRequest.decode,
}
_BODIES: Final[dict[int, Callable[[bytes], Body]]] = {
    MessageId.TERMINAL_ANSWER: GeneralAnswer.decode,
    MessageId.PLATFORM_ANSWER: GeneralAnswer.decode,
    MessageId.REGISTRATION_ANSWER: RegistrationAnswer.decode,
    MessageId.TIME_ANSWER: TimeAnswer.decode,
    MessageId.POSITION: Position.decode,
    MessageId.BATCH: Batch.decode,
    MessageId.LOCATION_ANSWER: LocationAnswer.decode,
    MessageId.HEARTBEAT: Plain,
    MessageId.LOGOUT: Plain,
    MessageId.TIME_REQUEST: Plain,
    MessageId.LOCATE: Plain,
    MessageId.PARAMETERS_ANSWER: ParametersBody.decode,
    MessageId.PHOTO_ANSWER: PhotoAnswer.decode,
    MessageId.MEDIA_ANSWER: MediaAnswer.decode,
}


def decode_body(message_id: int, body: bytes, long: bool) -> Body:
    """The body of any message of :class:`MessageId`, as the wire has it; ``long``: under a 17-byte header.

    Raises ``bad_body``, and ``unsupported`` for other ids.
    """
    if message_id in _LAYOUTS:
        return _LAYOUTS[message_id](body, long)
    if message_id not in _BODIES:
        raise RemoteProtocolError("unsupported", f"message {message_id:#06x}")
    return _BODIES[message_id](body)
