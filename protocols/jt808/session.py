"""One terminal's conversation, sans-I/O: bytes in, events out; verbs in, frames out.

The shell feeds reads (or datagrams) and the time, looks at the events, does what they ask for, and answers with the
verbs. Answers that need no decision are queued by the core itself: 0x8001 with result 1 before authentication and for
a foreign terminal, 2 for a body that cannot be read, 3 for what is unsupported or encrypted. Frames whose
check code or length is wrong are not answered: nothing in them can be believed. 0x0001 and messages that only a
platform sends are never answered, or two programs could answer each other for ever.

Nothing that a peer sends raises. See states.py for the order of things and fragments.py for long messages.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container
from typing import Final

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.jt808 import fragments
from protocols.jt808.bcd import GMT8_MS
from protocols.jt808.events import (
    Answer,
    Authentication,
    Event,
    Heartbeat,
    Logout,
    Positions,
    Refused,
    Registration,
    TimeRequest,
)
from protocols.jt808.framing import FRAME_LIMIT, BadFrame, Framer, frame, split_datagram
from protocols.jt808.header import ENCRYPTION_MASK, FRAGMENT_BIT, Header, decode_header, phone_text
from protocols.jt808.messages import (
    AuthenticationBody,
    GeneralAnswer,
    MessageId,
    RegistrationAnswer,
    RegistrationBody,
    Result,
    TimeAnswer,
    text,
)
from protocols.jt808.positions import Batch, LocationAnswer, decode_report
from protocols.jt808.states import TABLE, Input, State

_PLATFORM_IDS: Final = 0x8000
"""From here on ids are those of messages that a platform sends."""
_SHORT_ANSWER: Final = struct.Struct(">HH6sHHHB")
_LONG_ANSWER: Final = struct.Struct(">HHB10sHHHB")
_BAD_RESULT: Final = {"unsupported": 3, "encrypted": 3, "not_authenticated": 1, "foreign_phone": 1}
"""Reason -> result of the general answer; 2 (message has errors) for all others."""

_Reader = Callable[["Connection", Header, str, int, bytes, list[Event]], None]


class Connection:
    """A TCP connection, or the datagrams of one UDP address.

    ``closing``: write what is queued, then close. ``phone``: the authenticated terminal, else ``None``.
    """

    def __init__(
        self,
        *,
        version: int | None = None,
        misflagged: Container[str] = (),
        clock_offset: int = GMT8_MS,
        frame_limit: int = FRAME_LIMIT,
        max_messages: int = fragments.MESSAGES_LIMIT,
        max_bytes: int = fragments.BYTES_LIMIT,
        fragment_timeout: int = fragments.TIMEOUT_MS,
    ) -> None:
        """``version`` and ``misflagged``: see :func:`~protocols.jt808.header.decode_header`.

        ``clock_offset``: milliseconds by which the clock told in 0x8004 is ahead of UTC. Positions are always GMT+8; on
        this message sources differ, some say UTC (0).
        ``frame_limit``: bytes of an unfinished frame. The other three: see :class:`fragments.Reassembler`.
        """
        self.closing = False
        self.phone: str | None = None
        self._state = State.CONNECTED
        self._version = version
        self._misflagged = misflagged
        self._clock_offset = clock_offset
        self._frame_limit = frame_limit
        self._framer = Framer(limit=frame_limit)
        self._fragments = fragments.Reassembler(
            max_messages=max_messages, max_bytes=max_bytes, timeout=fragment_timeout
        )
        self._peer: Header | None = None  # header of the authentication: how the terminal is to be addressed
        self._serial = 0
        # Grows by at most one answer for each frame, and by what the shell sends: it drains it after each read.
        self._output: list[bytes] = []

    @property
    def authenticated(self) -> bool:
        """The terminal has been accepted and did not log out since."""
        return self._state is State.AUTHENTICATED

    @property
    def state(self) -> State:
        """Where the conversation stands (states.py)."""
        return self._state

    # -- what comes in --

    def receive_data(self, data: bytes, now: int) -> list[Event]:
        """Bytes of the TCP stream, cut anywhere; ``now`` in UTC milliseconds."""
        events: list[Event] = []
        for payload in self._framer.receive_data(data):
            self._receive(payload, now, True, events)
        return events

    def receive_datagram(self, data: bytes, now: int) -> list[Event]:
        """One UDP datagram: one or more whole frames."""
        events: list[Event] = []
        for payload in split_datagram(data, limit=self._frame_limit):
            self._receive(payload, now, False, events)
        return events

    def get_timer(self) -> int | None:
        """UTC milliseconds at which :meth:`handle_timer` wants to be called, or ``None``."""
        return self._fragments.get_timer()

    def handle_timer(self, now: int) -> list[Event]:
        """Forgets fragments whose missing ones did not come; one ``fragments_timeout`` for each message."""
        self._fragments.expire(now)
        events: list[Event] = []
        self._tell_dropped(events)
        return events

    # -- what the shell decides --

    def answer_registration(self, event: Registration, result: int, token: str = "") -> None:
        """Queues 0x8100; ``result`` is a :class:`RegistrationResult`, the token goes out with result 0 only."""
        token_raw = token.encode("gbk") if result == 0 else b""
        body = RegistrationAnswer(event.header.serial, result, token_raw).encode()
        self._send(event.header, MessageId.REGISTRATION_ANSWER, body)

    def answer_authentication(self, event: Authentication, result: int) -> None:
        """Queues 0x8001; result 0 lets the terminal in, any other ends the connection.

        A second terminal on a connection that has one already is answered 1, whatever ``result`` is.
        """
        if self.phone not in (None, event.phone):
            self._answer(event.header, event.header.serial, Result.FAILED)
            return
        self._state = TABLE[self._state][Input.REJECTED if result else Input.ACCEPTED]
        if self._state is State.AUTHENTICATED:
            self.phone, self._peer = event.phone, event.header
        self.closing = self._state is State.CLOSING
        self._answer(event.header, event.header.serial, result)

    def acknowledge(self, event: Positions | Heartbeat | Logout, result: int = 0) -> None:
        """Queues 0x8001 for what is safe on disk. Nothing for 0x0201: it is an answer itself."""
        if isinstance(event, Positions):
            if event.message_id != MessageId.LOCATION_ANSWER:
                self._answer(event.header, event.serial, result)
        elif isinstance(event, Heartbeat | Logout):
            self._answer(event.header, event.header.serial, result)
        else:
            raise LocalProtocolError("not_acknowledgeable", type(event).__name__)

    def answer_time(self, event: TimeRequest, now: int) -> None:
        """Queues 0x8004 with the time ``now``, UTC milliseconds."""
        self._send(event.header, MessageId.TIME_ANSWER, TimeAnswer.of(now, self._clock_offset).encode())

    def send_locate(self) -> int:
        """Queues 0x8201, asking where the terminal is; returns our serial, to be found in ``Positions.answers``."""
        if self._peer is None or not self.authenticated:
            raise LocalProtocolError("not_authenticated", "nobody to ask")
        return self._send(self._peer, MessageId.LOCATE, b"")

    def data_to_send(self) -> list[bytes]:
        """All queued frames, in order: one datagram each, or joined for TCP. Empties the queue."""
        output, self._output = self._output, []
        return output

    # -- inside --

    def _receive(self, payload: bytes | BadFrame, now: int, ordered: bool, events: list[Event]) -> None:
        if isinstance(payload, BadFrame):
            events.append(Refused(payload.reason))
            return
        try:
            header, body = decode_header(payload, self._version, self._misflagged)
            phone = self.phone
            if phone is None or self._peer is None or header.phone != self._peer.phone:
                phone = phone_text(header.phone)
        except RemoteProtocolError as error:
            events.append(Refused(error.reason))
            return
        message_id, serial = header.message_id, header.serial
        try:
            self._admit(header, phone)
            if header.attributes & FRAGMENT_BIT:
                whole = self._fragments.receive(header, body, now, ordered=ordered)
                self._tell_dropped(events)
                if whole is None:
                    return
                serial, body = whole
            _READERS[message_id][1](self, header, phone, serial, body, events)
        except RemoteProtocolError as error:
            self._tell_dropped(events)
            events.append(Refused(error.reason, phone, message_id))
            answerable = message_id < _PLATFORM_IDS and message_id != MessageId.TERMINAL_ANSWER
            if answerable and self._state is not State.CLOSING:
                self._answer(header, serial, _BAD_RESULT.get(error.reason, Result.BAD_MESSAGE))

    def _admit(self, header: Header, phone: str) -> None:
        """Raises unless this message of this terminal may come now."""
        if self.phone is not None and phone != self.phone:
            raise RemoteProtocolError("foreign_phone")
        if header.attributes & ENCRYPTION_MASK:
            raise RemoteProtocolError("encrypted")
        reader = _READERS.get(header.message_id)
        if reader is None:
            raise RemoteProtocolError("unsupported")
        following = TABLE[self._state].get(reader[0])
        if following is None:
            raise RemoteProtocolError("closing" if self._state is State.CLOSING else "not_authenticated")
        if header.attributes & FRAGMENT_BIT and not self.authenticated:
            # Only long lists of positions come in fragments: strangers get no memory.
            raise RemoteProtocolError("not_authenticated")

    def _tell_dropped(self, events: list[Event]) -> None:
        if self._fragments.dropped:
            events += [Refused(reason, self.phone) for reason in self._fragments.dropped]
            self._fragments.dropped.clear()

    def _send(self, header: Header, message_id: int, body: bytes) -> int:
        serial = self._serial
        self._serial = (serial + 1) & 0xFFFF
        ours = Header.of(message_id, header.phone, serial, header.version)
        self._output.append(frame(ours.encode(body)))
        return serial

    def _answer(self, header: Header, answered: int, result: int) -> None:
        """A general answer, 0x8001, built in one go: one goes out for every message that comes in."""
        serial = self._serial
        self._serial = (serial + 1) & 0xFFFF
        phone, message_id, version = header.phone, header.message_id, header.version
        if version is None:
            payload = _SHORT_ANSWER.pack(0x8001, 5, phone, serial, answered, message_id, result)
        else:
            payload = _LONG_ANSWER.pack(0x8001, 0x4005, version, phone, serial, answered, message_id, result)
        self._output.append(frame(payload))

    # -- readers: a body into events --

    def _registration(self, header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
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

    def _authentication(self, header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
        read = AuthenticationBody.decode(body, header.version is not None)
        imei = None if read.imei_raw is None else text(read.imei_raw)
        software = None if read.software_raw is None else text(read.software_raw)
        events.append(Authentication(header, phone, text(read.token_raw), imei, software))

    def _position(self, header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
        events.append(Positions([decode_report(body, True)], header, phone, serial, header.message_id))

    def _location_answer(self, header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
        read = LocationAnswer.decode(body)
        report = decode_report(read.position, True)
        events.append(Positions([report], header, phone, serial, header.message_id, read.serial))

    def _batch(self, header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
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

    def _heartbeat(self, header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
        events.append(Heartbeat(header, phone))

    def _logout(self, header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
        self._state = TABLE[self._state][Input.LOGOUT]
        self.phone = self._peer = None
        events.append(Logout(header, phone))

    def _time_request(self, header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
        events.append(TimeRequest(header, phone))

    def _terminal_answer(self, header: Header, phone: str, serial: int, body: bytes, events: list[Event]) -> None:
        read = GeneralAnswer.decode(body)
        if read.serial is None or read.message_id is None or read.result is None:
            raise RemoteProtocolError("bad_body", "an empty answer")
        events.append(Answer(header, phone, read.serial, read.message_id, read.result))


_READERS: Final[dict[int, tuple[Input, _Reader]]] = {
    MessageId.REGISTRATION: (Input.REGISTRATION, Connection._registration),
    MessageId.AUTHENTICATION: (Input.AUTHENTICATION, Connection._authentication),
    MessageId.POSITION: (Input.POSITIONS, Connection._position),
    MessageId.LOCATION_ANSWER: (Input.POSITIONS, Connection._location_answer),
    MessageId.BATCH: (Input.POSITIONS, Connection._batch),
    MessageId.HEARTBEAT: (Input.HEARTBEAT, Connection._heartbeat),
    MessageId.LOGOUT: (Input.LOGOUT, Connection._logout),
    MessageId.TIME_REQUEST: (Input.TIME_REQUEST, Connection._time_request),
    MessageId.TERMINAL_ANSWER: (Input.ANSWER, Connection._terminal_answer),
}
