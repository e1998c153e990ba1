"""Sentences of one moment become one report, and a time of the day becomes a moment.

A receiver says what it knows of one moment in several sentences, at most one of each kind and talker, all with the
same UTC time where they have one. Only RMC and ZDA know the date. This module has no bytes and no clock.
"""

from __future__ import annotations

from protocols.nmea.sentences import POSITIONS, Sentence
from protocols.report import Report

DAY = 86_400_000
EARLIEST = 946_684_800_000
LATEST = 4_102_444_800_000
"""2000 to 2100 in ms: a receiver without a fix that says otherwise has not found the time yet."""

ACCURACY_PER_DOP = 50
"""Decimetres for an HDOP of 1: the usual error of a range measured by a receiver of one frequency is 5 m."""


class Epochs:
    """The sentences of one device in the order in which they came. At most one epoch is held, of at most
    :data:`~protocols.nmea.sentences.KINDS` times talkers sentences, of which the values are kept only."""

    def __init__(self) -> None:
        self._ahead = 0
        self._begin()

    def _begin(self) -> None:
        self._seen: set[str] = set()
        self._last = ""
        self.open = False
        """Whether sentences are held."""
        self._told = self._void = False
        self._began = 0
        self._time: int | None = None
        self._day: int | None = None
        self._latitude: int | None = None
        self._longitude: int | None = None
        self._speed: int | None = None
        self._course: int | None = None
        self._altitude: int | None = None
        self._hdop: float | None = None
        self._satellites: int | None = None
        self._quality: str | None = None
        self._dimension: int | None = None

    def forget(self) -> None:
        """Another device speaks from here on: what is known of the date was said by the one before."""
        self._ahead = 0
        self._begin()

    def take(self, sentence: Sentence, now: int) -> Report | None:
        """The report of the epoch that this sentence ends, if it ends one. ``now``: when it came, ms since 1970."""
        ended = None
        name = sentence.talker + sentence.kind
        if self.open and (self._elsewhen(sentence) or self._repeats(sentence.kind, name)):
            ended = self.finish()
        if not self.open:
            self.open, self._began = True, now
        self._seen.add(name)
        self._last = sentence.kind
        self._merge(sentence)
        return ended

    def _elsewhen(self, sentence: Sentence) -> bool:
        return sentence.time is not None and self._time is not None and sentence.time != self._time

    def _repeats(self, kind: str, name: str) -> bool:
        """A receiver of several systems writes one GSA for each, one after another."""
        return name in self._seen and not (kind == "GSA" and self._last == "GSA")

    def _merge(self, sentence: Sentence) -> None:
        """What is said first stays: the sentences of an epoch agree but for their digits. A fix that one of them calls
        void is none."""
        _, _, time, day, void, latitude, longitude, speed, course, altitude, hdop, satellites, quality, dimension = (
            sentence
        )
        if sentence.kind in POSITIONS:
            self._told = True
            self._void = self._void or void
        if self._time is None:
            self._time = time
        if self._day is None:
            self._day = day
        if self._latitude is None:
            self._latitude, self._longitude = latitude, longitude
        if self._speed is None:
            self._speed = speed
        if self._course is None:
            self._course = course
        if self._altitude is None:
            self._altitude = altitude
        if self._hdop is None:
            self._hdop = hdop
        if self._satellites is None:
            self._satellites = satellites
        if quality is not None and (self._quality is None or sentence.kind == "GGA"):
            self._quality = quality  # RMC has fewer words for it
        if dimension is not None and dimension > (self._dimension or 0):
            self._dimension = dimension  # a system of several may have no satellites in use

    def finish(self) -> Report | None:
        """End the epoch that is held: its report, or ``None`` if nothing in it told of a position."""
        if not self.open:
            return None
        moment = self._moment()
        report = self._report(moment) if self._told else None
        self._begin()
        return report

    def _report(self, moment: int | None) -> Report:
        items: dict[str, object] = {}
        if self._satellites is not None:
            items["satellites"] = self._satellites
        if self._dimension is not None:
            items["fix"] = ("none", "2d", "3d")[self._dimension - 1]
        if self._void or self._latitude is None:
            if moment is not None and not EARLIEST <= moment < LATEST:
                moment = None
            return Report(moment, None, None, items=items or None)
        if self._quality is not None:
            items["fix_quality"] = self._quality
        accuracy = None if self._hdop is None else round(self._hdop * ACCURACY_PER_DOP)
        return Report(
            moment, self._latitude, self._longitude, self._altitude, self._speed, self._course, accuracy,
            items=items or None,
        )  # fmt: skip

    def _moment(self) -> int | None:
        """ms since 1970. Without a date it is the time of the day that is nearest to now, by the device's own clock
        where it has told a date before: a backlog sent today stays in its day, and midnight is passed."""
        if self._time is None:
            return None
        if self._day is None:
            expected = self._began + self._ahead
            off = (self._time - expected) % DAY
            return expected + (off - DAY if off >= DAY // 2 else off)
        moment = self._day * DAY + self._time
        if not self._void:
            self._ahead = moment - self._began
        return moment
