"""One terminal's conversation, sans-I/O: bytes in, events out; verbs in, frames out.

The shell feeds reads (or datagrams) and the time, looks at the events, does what they ask for, and answers with the
verbs. Answers that need no decision are queued by the core itself: 0x8001 with result 1 before authentication and for
a foreign terminal, 2 for a body that cannot be read, 3 for what is unsupported or encrypted, 0 for the fragments of a
photo that is not complete yet; requests for missing fragments; fragments of ours that a terminal wants again.
Frames whose check code or length is wrong are not answered: nothing in them can be believed. 0x0001 and messages that
only a platform sends are never answered, or two programs could answer each other for ever.

Nothing that a peer sends raises. See states.py for the order of things and fragments.py for long messages.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container
from typing import Final

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.jt808.bcd import GMT8_MS
from protocols.jt808.downlinks import DOWNLINKS, Downlink
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
from protocols.jt808.fragments import BYTES_LIMIT, MESSAGES_LIMIT, TIMEOUT_MS, Budget, Reassembler
from protocols.jt808.framing import FRAME_LIMIT, BadFrame, Framer, frame, split_datagram
from protocols.jt808.header import ENCRYPTION_MASK, FRAGMENT_BIT, Header, decode_header, phone_text
from protocols.jt808.media import MediaAnswer, ResendRequest
from protocols.jt808.messages import MessageId, RegistrationAnswer, Result, TimeAnswer
from protocols.jt808.outbox import LongMessages, fragments
from protocols.jt808.readers import READERS, Reader
from protocols.jt808.states import TABLE, Input, State

_PLATFORM_IDS: Final = 0x8000
"""From here on ids are those of messages that a platform sends."""
_SHORT_ANSWER: Final = struct.Struct(">HH6sHHHB")
_LONG_ANSWER: Final = struct.Struct(">HHB10sHHHB")
_BAD_RESULT: Final = {"unsupported": 3, "encrypted": 3, "not_authenticated": 1, "foreign_phone": 1, "fragments_gone": 1}
"""Reason -> result of the general answer; 2 (message has errors) for all others."""


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
        max_messages: int = MESSAGES_LIMIT,
        max_bytes: int = BYTES_LIMIT,
        fragment_timeout: int = TIMEOUT_MS,
        budget: Budget | None = None,
    ) -> None:
        """``version`` and ``misflagged``: see :func:`~protocols.jt808.header.decode_header`.

        ``clock_offset``: milliseconds by which the clock told in 0x8004 is ahead of UTC. Positions are always GMT+8; on
        this message sources differ, some say UTC (0).
        ``frame_limit``: bytes of an unfinished frame. The other four: see fragments.py.
        """
        self.closing = False
        self.phone: str | None = None
        self._state = State.CONNECTED
        self._version = version
        self._misflagged = misflagged
        self._clock_offset = clock_offset
        self._frame_limit = frame_limit
        self._framer = Framer(limit=frame_limit)
        self._fragments = Reassembler(
            max_messages=max_messages, max_bytes=max_bytes, timeout=fragment_timeout, budget=budget
        )
        self._long = LongMessages()
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
        """Asks for fragments that did not come, three times, then forgets the message: one ``fragments_timeout``."""
        self._fragments.handle_timer(now)
        for missing in self._fragments.wanted:
            self._send(missing.header, *missing.question())
        self._fragments.wanted.clear()
        events: list[Event] = []
        self._tell_dropped(events)
        return events

    def ended(self) -> None:
        """The link is gone, and with it what was unfinished."""
        self._fragments.clear()

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
            self._fragments.clear()
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

    def acknowledge_media(self, event: Media) -> None:
        """Queues 0x8800: all of it is safe on disk, the terminal may forget it."""
        self._send(event.header, MessageId.MEDIA_ANSWER, MediaAnswer(event.media_id).encode())

    def send(self, downlink: Downlink) -> int:
        """Queues a downlink, in fragments when it does not fit a frame, and returns the serial that answers name.

        The answer is an :class:`Answer` with that ``serial``, or what the downlink's class says (downlinks.py).
        Raises :class:`LocalProtocolError` when no terminal is authenticated, and for anything but those classes.
        """
        if type(downlink) not in DOWNLINKS:
            raise LocalProtocolError("no_downlink", type(downlink).__name__)
        peer = self._peer
        if peer is None or not self.authenticated:
            raise LocalProtocolError("not_authenticated", "nobody to ask")
        serial = self._serial
        frames = fragments(downlink.message_id, peer.phone, peer.version, serial, downlink.encode(peer.version))
        self._serial = (serial + len(frames)) & 0xFFFF
        self._long.remember(serial, frames)
        self._output += frames
        return serial

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
                    if message_id == MessageId.MEDIA:
                        self._answer(header, serial, Result.OK)
                    return
                serial, body = whole
            _READERS[message_id][1](header, phone, serial, body, events)
            if message_id in _DEEDS:
                _DEEDS[message_id](self, body, header.version is not None, events)
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

    # -- what some messages do besides being told --

    def _logged_out(self, body: bytes, long: bool, events: list[Event]) -> None:
        self._state = TABLE[self._state][Input.LOGOUT]
        self.phone = self._peer = None

    def _name_ours(self, body: bytes, long: bool, events: list[Event]) -> None:
        """An answer may name any fragment of what it answers; we know it by the first."""
        event = events[-1]
        if isinstance(event, Answer):
            event.serial = self._long.original(event.serial)
        elif isinstance(event, ParametersAnswer | PhotoTaken):
            event.answers = self._long.original(event.answers)

    def _resend(self, body: bytes, long: bool, events: list[Event]) -> None:
        asked = ResendRequest.decode(body, long)
        self._output += self._long.again(asked.serial, asked.indices)


_READERS: Final[dict[int, tuple[Input, Reader]]] = {
    **READERS,
    MessageId.RESEND_REQUEST: (Input.RESEND, lambda *_: None),  # answered by the core alone
}
_DEEDS: Final[dict[int, Callable[[Connection, bytes, bool, list[Event]], None]]] = {
    MessageId.LOGOUT: Connection._logged_out,
    MessageId.TERMINAL_ANSWER: Connection._name_ours,
    MessageId.PARAMETERS_ANSWER: Connection._name_ours,
    MessageId.PHOTO_ANSWER: Connection._name_ours,
    MessageId.RESEND_REQUEST: Connection._resend,
}
