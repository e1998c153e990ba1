"""The terminal's side, sans-I/O: for the simulator and for tests.

A :class:`Terminal` outlives its connections. Positions that were not acknowledged, or were made while there
was no authenticated connection, are kept in a bounded queue; after the next authentication they go out again as
0x0704 of type 1 (blind area), oldest first, a frame full at a time; photos that were not acknowledged follow.
Whoever drives it calls :meth:`Terminal.connect` for every new connection, feeds :meth:`Terminal.receive_data` and
writes :meth:`Terminal.data_to_send`. What a platform asks is done and answered at once (duties.py), but for photos:
those are answered with :meth:`Terminal.photos`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Final

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.jt808.client_events import (
    Acknowledged,
    Authenticated,
    Broken,
    ClientEvent,
    Located,
    MediaTaken,
    Registered,
    Resent,
    TimeTold,
    Unsupported,
)
from protocols.jt808.downlinks import decode_downlink
from protocols.jt808.duties import Duties, PhotoAsked
from protocols.jt808.fragments import Reassembler
from protocols.jt808.framing import BadFrame, Framer
from protocols.jt808.header import BODY_LIMIT, FRAGMENT_BIT, Header, decode_header, phone_bytes
from protocols.jt808.media import MediaAnswer, MediaBody, PhotoAnswer, ResendRequest
from protocols.jt808.messages import (
    AuthenticationBody,
    GeneralAnswer,
    MessageId,
    RegistrationAnswer,
    RegistrationBody,
    Result,
    TimeAnswer,
    padded,
    text,
)
from protocols.jt808.outbox import LongMessages, fragments
from protocols.jt808.positions import BASE_SIZE, Batch, LocationAnswer, Position

__all__ = [
    "Acknowledged",
    "Authenticated",
    "Broken",
    "ClientEvent",
    "Located",
    "MediaTaken",
    "PhotoAsked",
    "Registered",
    "Resent",
    "Terminal",
    "TimeTold",
    "Unsupported",
]

_HEADER_VERSION: Final[dict[int, int | None]] = {2011: None, 2013: None, 2019: 1}
QUEUE_LIMIT: Final = 10_000
MEDIA_LIMIT: Final = 8
"""Media that wait for their acknowledgement; beyond it the oldest is lost. What was sent can be asked for again."""
_LONG_BYTES: Final = 4 * 1024 * 1024
_RESENDS: Final = 50


class Terminal:
    """One terminal. Public state: ``token``, ``authenticated``, ``dropped`` (positions lost to the queue's limit),
    ``refused`` (positions that the platform will never take), ``duties`` (settings), and for tests ``lose``: indices
    of fragments that get lost the first time that they are sent."""

    def __init__(
        self,
        phone: str,
        *,
        version: int = 2013,
        token: str = "",
        imei: str = "",
        software: str = "",
        clock_offset: int = 8 * 3_600_000,
        queue_limit: int = QUEUE_LIMIT,
    ) -> None:
        """``version`` 2011, 2013 or 2019. ``clock_offset``: of the clock in 0x8004, see Connection.

        ``queue_limit``: positions kept without acknowledgement; ten thousand are a day at one in nine seconds, and
        some 600 kB of memory. Beyond it the oldest is dropped and counted.
        """
        self.token = token
        self.authenticated = False
        self.dropped = 0
        self.refused = 0
        self.duties = Duties()
        self.lose: Container[int] = ()
        self._layout = version
        self._version = _HEADER_VERSION[version]
        self._phone = phone_bytes(phone, self._version)
        self._imei, self._software = imei, software
        self._clock_offset = clock_offset
        self._queue_limit = queue_limit
        self._serial = 0
        self._framer = Framer()
        self._inbox = Reassembler()
        self._long = LongMessages(max_messages=MEDIA_LIMIT, max_bytes=_LONG_BYTES, max_resends=_RESENDS)
        self._media: dict[int, bytes] = {}  # body by id, oldest first
        self._media_sent: dict[int, int] = {}  # id -> serial of the first fragment
        self._media_id = 0
        self._output: list[bytes] = []
        self._sent: dict[int, tuple[bytes, ...]] = {}  # serial -> positions on their way, oldest first
        self._waiting: deque[bytes] = deque()  # positions for the next batch
        self._count = 0  # positions in both
        self._newest = Position.of(946_656_000_000, None, None).encode()

    # -- verbs --

    def connect(self) -> None:
        """A new connection has been made: nothing of the old one can be answered any more."""
        self._framer = Framer()
        self._inbox.clear()
        self._media_sent.clear()
        self._output.clear()
        self.authenticated = False
        self._requeue(list(self._sent))

    def register(
        self,
        *,
        province: int = 0,
        city: int = 0,
        maker: str = "",
        model: str = "",
        terminal: str = "",
        colour: int = 1,
        plate: str = "",
    ) -> int:
        """0x0100; returns its serial."""
        body = RegistrationBody.of(
            self._layout,
            province=province,
            city=city,
            maker=maker,
            model=model,
            terminal=terminal,
            colour=colour,
            plate=plate,
        )
        return self._send(MessageId.REGISTRATION, body.encode())

    def authenticate(self, token: str | None = None) -> int:
        """0x0102 with the token given, or the one that registration brought; returns its serial."""
        raw = (self.token if token is None else token).encode("gbk")
        body = AuthenticationBody(raw)
        if self._layout == 2019:
            body = AuthenticationBody(raw, padded(self._imei, 15)[:15], padded(self._software, 20)[:20])
        return self._send(MessageId.AUTHENTICATION, body.encode())

    def position(
        self,
        fix_time: int,
        latitude: int | None,
        longitude: int | None,
        *,
        altitude: int = 0,
        speed: int = 0,
        course: int = 0,
        status: int = 0,
        alarm: int = 0,
        items: dict[str, object] | None = None,
    ) -> int | None:
        """0x0200 in the units of a report; returns its serial, or ``None`` when it waits for a connection."""
        position = Position.of(
            fix_time,
            latitude,
            longitude,
            altitude=altitude,
            speed=speed,
            course=course,
            status=status,
            alarm=alarm,
            items=items,
        )
        body = self._newest = position.encode()
        self._make_room(1)
        if not self.authenticated:
            self._waiting.append(body)
            return None
        return self._track(self._send(MessageId.POSITION, body), (body,))

    def batch(self, positions: Iterable[Position], kind: int = 0) -> int:
        """0x0704 of ``kind`` 0 collected or 1 blind area; in fragments when it is long. Returns the serial that will
        be acknowledged, the last fragment's."""
        bodies = tuple(position.encode() for position in positions)
        if not self.authenticated:
            raise LocalProtocolError("not_authenticated", "a batch needs a connection")
        if len(bodies) > self._queue_limit:
            raise LocalProtocolError("batch_too_long", f"{len(bodies)} positions")
        self._make_room(len(bodies))
        return self._send_batch(bodies, kind)

    def heartbeat(self) -> int:
        """0x0002; returns its serial."""
        return self._send(MessageId.HEARTBEAT, b"")

    def logout(self) -> int:
        """0x0003; returns its serial."""
        self.authenticated = False
        return self._send(MessageId.LOGOUT, b"")

    def ask_time(self) -> int:
        """0x0004; returns its serial."""
        return self._send(MessageId.TIME_REQUEST, b"")

    def photos(self, asked: PhotoAsked, pictures: Sequence[bytes]) -> list[int]:
        """The pictures that a camera took when it was asked, one or none: 0x0805 and 0x0801 each. Returns their ids.

        A terminal of 2011 has no 0x0805 and says 0x0001 instead.
        """
        ids = [self._next_media() for _ in pictures]
        if self._layout == 2011:
            answer = GeneralAnswer(asked.serial, asked.photo.message_id, Result.OK if ids else Result.FAILED)
            self._send(MessageId.TERMINAL_ANSWER, answer.encode())
        else:
            result, told = (Result.OK, tuple(ids)) if ids else (Result.FAILED, None)
            self._send(MessageId.PHOTO_ANSWER, PhotoAnswer(asked.serial, result, told).encode())
        for ident, picture in zip(ids, pictures, strict=True):
            self._keep_media(MediaBody(ident, 0, 0, 0, asked.photo.channel, self._place(), picture))
        return ids

    def medium(self, data: bytes, *, kind: int = 0, format: int = 0, event: int = 1, channel: int = 1) -> int:
        """0x0801 that nobody asked for, such as a photo at an alarm; waits for a connection. Returns its id."""
        ident = self._next_media()
        self._keep_media(MediaBody(ident, kind, format, event, channel, self._place(), data))
        return ident

    @property
    def media(self) -> frozenset[int]:
        """Ids of the media that the platform has not acknowledged."""
        return frozenset(self._media)

    @property
    def unacknowledged(self) -> int:
        """Positions that are not known to be safe."""
        return self._count

    @property
    def pending(self) -> frozenset[int]:
        """Serials of the messages with positions that were sent on this connection and not acknowledged yet."""
        return frozenset(self._sent)

    def data_to_send(self) -> list[bytes]:
        """All queued frames, in order. Empties the queue."""
        output, self._output = self._output, []
        return output

    def receive_data(self, data: bytes, now: int = 0) -> list[ClientEvent]:
        """Bytes from the platform, cut anywhere; never raises. ``now`` in ms counts for 0x8202 and for fragments."""
        events: list[ClientEvent] = []
        for payload in self._framer.receive_data(data):
            if isinstance(payload, BadFrame):
                events.append(Broken(payload.reason))
                continue
            try:
                header, body = decode_header(payload, self._layout)
                if header.phone != self._phone:
                    raise RemoteProtocolError("foreign_phone")
                if header.attributes & FRAGMENT_BIT:
                    whole = self._inbox.receive(header, body, now, ordered=True)
                    if whole is None:
                        continue
                    header.serial, body = whole
                events.append(self._read(header, body, now))
            except RemoteProtocolError as error:
                events.append(Broken(error.reason))
        return events

    # -- inside --

    def _read(self, header: Header, body: bytes, now: int) -> ClientEvent:
        reader = _READERS.get(header.message_id)
        if reader is not None:
            return reader(self, header, body)
        try:
            downlink = decode_downlink(header.message_id, body, header.version)
        except RemoteProtocolError as error:
            unknown = error.reason == "unsupported"
            result = Result.UNSUPPORTED if unknown else Result.BAD_MESSAGE
            self._send(MessageId.TERMINAL_ANSWER, GeneralAnswer(header.serial, header.message_id, result).encode())
            if unknown:
                return Unsupported(header.message_id, header.serial)
            raise
        event, answer = self.duties.obey(downlink, header.serial, now)
        if answer is not None:
            self._send(*answer)
        return event

    def _asked_again(self, header: Header, body: bytes) -> ClientEvent:
        asked = ResendRequest.decode(body, header.version is not None)
        return self._resend_fragments(asked.serial, asked.indices)

    def _media_answered(self, header: Header, body: bytes) -> ClientEvent:
        read = MediaAnswer.decode(body)
        if read.missing:
            if read.ident not in self._media_sent:
                raise RemoteProtocolError("fragments_gone")
            return self._resend_fragments(self._media_sent[read.ident], read.missing)
        self._media.pop(read.ident, None)
        self._media_sent.pop(read.ident, None)
        return MediaTaken(read.ident)

    def _resend_fragments(self, serial: int, indices: Sequence[int]) -> ClientEvent:
        frames = self._long.again(serial, indices)
        self._output += frames
        return Resent(len(frames))

    def _place(self) -> bytes:
        return b"" if self._layout == 2011 else self._newest[:BASE_SIZE]

    def _next_media(self) -> int:
        self._media_id += 1
        return self._media_id

    def _keep_media(self, body: MediaBody) -> None:
        self._media[body.ident] = body.encode()
        while len(self._media) > MEDIA_LIMIT:
            del self._media[next(iter(self._media))]
        if self.authenticated:
            self._send_media(body.ident)

    def _send_media(self, ident: int) -> None:
        self._media_sent[ident] = self._serial
        self._send(MessageId.MEDIA, self._media[ident])

    def _registered(self, header: Header, body: bytes) -> ClientEvent:
        read = RegistrationAnswer.decode(body)
        if read.result == 0:
            self.token = text(read.token_raw)
        return Registered(read.result, text(read.token_raw))

    def _answered(self, header: Header, body: bytes) -> ClientEvent:
        read = GeneralAnswer.decode(body)
        if read.serial is None or read.message_id is None or read.result is None:
            raise RemoteProtocolError("bad_body", "an empty answer")
        if read.message_id == MessageId.AUTHENTICATION:
            self.authenticated = read.result == 0
            if self.authenticated:
                self._resend()
            return Authenticated(read.result)
        settled = 0
        positions = self._sent.get(read.serial)
        if positions is not None and read.message_id in (MessageId.POSITION, MessageId.BATCH):
            if read.result == Result.FAILED:
                self._requeue([read.serial])  # not now: it goes out again after the next authentication
            else:
                del self._sent[read.serial]
                self._count -= len(positions)
                if read.result in (Result.BAD_MESSAGE, Result.UNSUPPORTED):
                    self.refused += len(positions)
                else:
                    settled = len(positions)
        return Acknowledged(read.serial, read.message_id, read.result, settled)

    def _asked_where(self, header: Header, body: bytes) -> ClientEvent:
        self._send(MessageId.LOCATION_ANSWER, LocationAnswer(header.serial, self._newest).encode())
        return Located(header.serial)

    def _told_time(self, header: Header, body: bytes) -> ClientEvent:
        return TimeTold(TimeAnswer.decode(body).time(self._clock_offset))

    def _send(self, message_id: int, body: bytes) -> int:
        """One message, in fragments when it does not fit a frame; returns the last serial used."""
        first = self._serial
        frames = fragments(message_id, self._phone, self._version, first, body)
        self._serial = (first + len(frames)) & 0xFFFF
        self._long.remember(first, frames)
        self._output += [data for index, data in enumerate(frames, 1) if len(frames) == 1 or index not in self.lose]
        return (self._serial - 1) & 0xFFFF

    def _send_batch(self, bodies: tuple[bytes, ...], kind: int) -> int:
        return self._track(self._send(MessageId.BATCH, Batch(len(bodies), kind, bodies).encode()), bodies)

    def _track(self, serial: int, bodies: tuple[bytes, ...]) -> int:
        if serial in self._sent:  # the serials went round and this one was never answered
            self._requeue([serial])
        self._sent[serial] = bodies
        return serial

    def _resend(self) -> None:
        """All that waits: positions in batches that fit one frame each, then media."""
        while self._waiting:
            bodies: list[bytes] = []
            size = 3
            while self._waiting and (not bodies or size + 2 + len(self._waiting[0]) <= BODY_LIMIT):
                size += 2 + len(self._waiting[0])
                bodies.append(self._waiting.popleft())
            self._send_batch(tuple(bodies), 1)
        for ident in self._media:
            self._send_media(ident)

    def _requeue(self, serials: list[int]) -> None:
        """Positions on their way become positions that wait, before the younger ones."""
        back = [body for serial in serials for body in self._sent.pop(serial)]
        self._waiting.extendleft(reversed(back))

    def _make_room(self, wanted: int) -> None:
        """Counts new positions in and drops the oldest beyond the limit, those of one message together.

        What waits during a conversation has been sent back and is older than what is on its way; what waits
        without one is younger.
        """
        self._count += wanted
        while self._count > self._queue_limit and (self._waiting or self._sent):
            if self._waiting and (self.authenticated or not self._sent):
                self._waiting.popleft()
                lost = 1
            else:
                lost = len(self._sent.pop(next(iter(self._sent))))
            self._count -= lost
            self.dropped += lost


_READERS: Final[dict[int, Callable[[Terminal, Header, bytes], ClientEvent]]] = {
    MessageId.REGISTRATION_ANSWER: Terminal._registered,
    MessageId.PLATFORM_ANSWER: Terminal._answered,
    MessageId.LOCATE: Terminal._asked_where,
    MessageId.TIME_ANSWER: Terminal._told_time,
    MessageId.RESEND: Terminal._asked_again,
    MessageId.MEDIA_ANSWER: Terminal._media_answered,
}
