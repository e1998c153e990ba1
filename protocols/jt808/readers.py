"""What the messages of a terminal say: a body into events. Who may say it when is for session.py to judge.

Each reader gets the header, the terminal number, the serial to acknowledge (of a message in fragments the last one's)
and the whole body, and adds to the events. It raises :class:`RemoteProtocolError` when the body cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.errors import RemoteProtocolError
from protocols.jt808.events import (
    Answer,
    Authentication,
    Event,
    Heartbeat,
    Logout,
    Media,
    ParametersAnswer,
    PhotoTaken,
    Positions,
    Refused,
    Registration,
    TimeRequest,
)
from protocols.jt808.header import Header
from protocols.jt808.media import MediaBody, PhotoAnswer
from protocols.jt808.messages import AuthenticationBody, GeneralAnswer, MessageId, RegistrationBody, text
from protocols.jt808.parameters import ParametersBody
from protocols.jt808.positions import Batch, LocationAnswer, decode_report
from protocols.jt808.states import Input

Reader = Callable[[Header, str, int, bytes, list[Event]], None]


def _registration(header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
    read = RegistrationBody.decode(body, header.version is not None)
    events.append(
        Registration(
            header,
            phone,
            read.province,
            read.city,
            text(read.maker_raw),
            text(read.model_raw),
            text(read.terminal_raw),
            read.colour,
            text(read.plate_raw),
        )
    )


def _authentication(header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
    read = AuthenticationBody.decode(body, header.version is not None)
    imei = None if read.imei_raw is None else text(read.imei_raw)
    software = None if read.software_raw is None else text(read.software_raw)
    events.append(Authentication(header, phone, text(read.token_raw), imei, software))


def _position(header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
    events.append(Positions([decode_report(body, True)], header, phone, serial, header.message_id))


def _location_answer(header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
    read = LocationAnswer.decode(body)
    report = decode_report(read.position, True)
    events.append(Positions([report], header, phone, serial, header.message_id, read.serial))


def _batch(header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
    """What can be read is taken and acknowledged, what cannot is counted: it would not get better when resent."""
    batch = Batch.decode(body)
    reports = []
    bad = ["bad_body"] if batch.tail or len(batch.bodies) < batch.count else []
    for position in batch.bodies:
        try:
            reports.append(decode_report(position, False))
        except RemoteProtocolError as error:
            bad.append(error.reason)
    if not reports:
        raise RemoteProtocolError(bad[0] if bad else "bad_body", "no position in the batch")
    events += [Refused(reason, phone, header.message_id) for reason in bad]
    events.append(Positions(reports, header, phone, serial, header.message_id))


def _heartbeat(header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
    events.append(Heartbeat(header, phone))


def _logout(header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
    events.append(Logout(header, phone))


def _time_request(header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
    events.append(TimeRequest(header, phone))


def _answer(header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
    read = GeneralAnswer.decode(body)
    if read.serial is None or read.message_id is None or read.result is None:
        raise RemoteProtocolError("bad_body", "an empty answer")
    events.append(Answer(header, phone, read.serial, read.message_id, read.result))


def _parameters(header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
    """As with a batch, what can be read is taken."""
    read = ParametersBody.decode(body)
    if not read.listed.whole:
        if not read.listed.items:
            raise RemoteProtocolError("bad_body", "no parameter in the list")
        events.append(Refused("bad_body", phone, header.message_id))
    events.append(ParametersAnswer(header, phone, read.serial, read.listed.values()))


def _photo_answer(header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
    read = PhotoAnswer.decode(body)
    events.append(PhotoTaken(header, phone, read.serial, read.result, read.ids or ()))


def _media(header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
    """A clock that is not set must not cost the photo: where it was taken is then not known."""
    read = MediaBody.decode(body, header.version is not None)
    report = None
    if read.position:
        try:
            report = decode_report(read.position, False)
        except RemoteProtocolError as error:
            events.append(Refused(error.reason, phone, header.message_id))
    events.append(Media(read.ident, read.kind, read.format, read.event, read.channel, report, read.data, header, phone))


READERS: Final[dict[int, tuple[Input, Reader]]] = {
    MessageId.REGISTRATION: (Input.REGISTRATION, _registration),
    MessageId.AUTHENTICATION: (Input.AUTHENTICATION, _authentication),
    MessageId.POSITION: (Input.POSITIONS, _position),
    MessageId.LOCATION_ANSWER: (Input.POSITIONS, _location_answer),
    MessageId.BATCH: (Input.POSITIONS, _batch),
    MessageId.HEARTBEAT: (Input.HEARTBEAT, _heartbeat),
    MessageId.LOGOUT: (Input.LOGOUT, _logout),
    MessageId.TIME_REQUEST: (Input.TIME_REQUEST, _time_request),
    MessageId.TERMINAL_ANSWER: (Input.ANSWER, _answer),
    MessageId.PARAMETERS_ANSWER: (Input.PARAMETERS, _parameters),
    MessageId.PHOTO_ANSWER: (Input.PHOTO_TAKEN, _photo_answer),
    MessageId.MEDIA: (Input.MEDIA, _media),
}
"""Message id -> what it is for the state machine, and who reads it."""
