"""The server's side of NMEA 0183, docs/wire/nmea.md: bytes in, reports out.

It answers nothing: the protocol has no words for it. Nothing that a peer sends raises. What is held: one unfinished
line, and the values of one epoch.
"""

from __future__ import annotations

import re

from protocols.dialogue import Event, Heartbeat, Login, Peer, Refused, Reported
from protocols.nmea.epochs import Epochs
from protocols.nmea.fast import read
from protocols.nmea.names import named_by_line, named_by_sentence, named_in_front
from protocols.nmea.sentences import LINE_LIMIT, checksum, kind_of
from protocols.report import Report

HOLD_MS = 400
"""After so long without a further sentence an epoch is taken for whole. At 4,800 baud a sentence takes up to 170 ms."""

_ENDS = re.compile(rb"[\r\n]+|(?<=\*[0-9A-Fa-f][0-9A-Fa-f])(?=\$)")
"""What ends a line: its end, or the next sentence behind a checksum. Some devices write no line ends."""
_CONTEXT = 3
"""Bytes of a line that is passed over which :data:`_ENDS` may look back at."""
_WHOLE = re.compile(rb"[^$]*\$[^*]*\*[0-9A-Fa-f]{2}", re.S)
_ADDRESS = re.compile(r"[0-9A-Z]{3,8}[,=]", re.ASCII | re.I)


class NmeaCore:
    """One link's conversation. A :class:`~protocols.dialogue.TrackerCore`."""

    def __init__(self, peer: Peer) -> None:
        self.closing = False
        self._address = peer.address.removeprefix("::ffff:")
        self._lenient = peer.lenient
        self._name: str | None = None
        self._epochs = Epochs()
        self._rest = b""
        self._skipping = False
        self._due: int | None = None

    def receive_data(self, data: bytes, now: int) -> list[Event]:
        """Bytes of a stream, cut anywhere."""
        events: list[Event] = []
        *lines, rest = _ENDS.split(self._rest + data)
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif line:
                self._line(line, now, events)
        if len(rest) > LINE_LIMIT and not self._skipping:
            events.append(Refused("line_too_long"))
            self._skipping = True
        self._rest = rest[-_CONTEXT:] if self._skipping else rest
        if rest and not self._skipping and _WHOLE.fullmatch(rest):
            self._due = now + HOLD_MS
        return events

    def receive_datagram(self, data: bytes, now: int) -> list[Event]:
        """Whole lines; an epoch may go on in the next datagram."""
        events: list[Event] = []
        for line in _ENDS.split(data):
            if line:
                self._line(line, now, events)
        return events

    def get_timer(self) -> int | None:
        return self._due

    def handle_timer(self, now: int) -> list[Event]:
        """The device has paused: what it has said of this moment is all, and a line with a checksum needs no end."""
        events: list[Event] = []
        if self._due is None or now < self._due:
            return events
        self._due = None
        if not self._skipping and _WHOLE.fullmatch(self._rest):
            line, self._rest = self._rest, b""
            self._line(line, now, events)
        self._report(self._epochs.finish(), events)
        self._due = None
        return events

    def accept(self, event: Login) -> None:
        pass

    def refuse(self, event: Login) -> None:
        """The link stays: a gateway's next line may be another device's. Who never names a known one is closed by the
        shell."""

    def acknowledge(self, event: Reported | Heartbeat) -> None:
        pass

    def data_to_send(self) -> list[bytes]:
        return []

    # -- lines

    def _line(self, line: bytes, now: int, events: list[Event]) -> None:
        if len(line) > LINE_LIMIT:
            events.append(Refused("line_too_long"))
            return
        # Binary that other makers put around a sentence does no harm: no id and no sentence has such characters.
        prefix, *bodies = line.decode("latin-1").split("$")
        if not bodies:
            identity = named_by_line(prefix.partition("*")[0])
            if identity is not None and self._sound(prefix, identity, events, bare=True):
                self._call(identity, events)
                events.append(Heartbeat())
            elif identity is None and not prefix.isspace():
                events.append(Refused("garbage"))
            return
        if prefix and any(map(kind_of, bodies)):
            identity = named_in_front(prefix)
            if identity is not None:
                self._call(identity, events)
        for body in bodies:
            if body:
                self._sentence(body, now, events)

    def _sentence(self, told: str, now: int, events: list[Event]) -> None:
        body = told.partition("*")[0]
        if kind_of(body):
            if not self._sound(told, self._name or self._address, events):
                return
            sentence = read(body)
            if sentence is None:
                events.append(Refused("bad_sentence"))
                return
            self._report(self._epochs.take(sentence, now), events)
            self._due = now + HOLD_MS
            return
        identity = named_by_sentence(body)
        if identity is not None:
            if self._sound(told, identity, events, bare=True):
                self._call(identity, events)
                events.append(Heartbeat())
        elif not _ADDRESS.match(body):
            events.append(Refused("garbage"))
        else:
            # Of no use to us, but it tells how good the line is.
            self._sound(told, self._name or self._address, events, bare=True)

    def _sound(self, told: str, identity: str, events: list[Event], *, bare: bool = False) -> bool:
        """Whether the checksum behind ``*`` is right, or none of our business. ``bare``: there need not be one.

        What comes after it is passed over: makers append readings.
        """
        if identity in self._lenient:
            return True
        body, star, rest = told.partition("*")
        if not star:
            if not bare:
                events.append(Refused("no_checksum"))
            return bare
        try:
            right = len(rest) > 1 and int(rest[:2], 16) == checksum(body.encode("latin-1"))
        except ValueError:
            right = False
        if not right:
            events.append(Refused("bad_checksum"))
        return right

    # -- what is made of them

    def _call(self, identity: str, events: list[Event]) -> None:
        """The device has said its name."""
        if identity == self._name:
            return
        if self._name is not None:
            self._report(self._epochs.finish(), events)
            self._epochs.forget()
        self._name = identity
        events.append(Login(identity))

    def _report(self, report: Report | None, events: list[Event]) -> None:
        if report is None:
            return
        if self._name is None:
            # Nothing was said until now: it is who we have at this address.
            self._call(self._address, events)
        events.append(Reported([report]))
