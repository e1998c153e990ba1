"""The alarms of the simple trackers by one word each, so that a fall is a fall whichever device reports it.

``Report.items["alarms"]`` holds the words that a message raised, ``Report.alarm`` their bits: the place of a word in
:data:`ALARMS`, the call for help first. Words are added at the end only, because the bits are stored for years.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocols.report import ALARM_SOS

ALARMS: Final = (
    "sos",
    "power_cut",
    "vibration",
    "fence_in",
    "fence_out",
    "overspeed",
    "moved",
    "low_battery",
    "low_external",
    "tamper",
    "removed",
    "fall",
    "door",
    "power_on",
    "power_off",
    "sim_changed",
    "blind_area",
    "false_station",
    "sound",
    "hard_acceleration",
    "hard_braking",
    "hard_turn",
    "collision",
    "unplugged",
    "health",
)
"""Bit 0 and up."""

BITS: Final = {word: 1 << place for place, word in enumerate(ALARMS)}

SOS_HELD_MS: Final = 600_000
"""How long a call for help stays in the reports of a device that says it once and nothing of alarms afterwards:
ten minutes of receipt, long enough to be seen and short enough to end by itself."""


def bits_of(words: Iterable[str]) -> int:
    """The bits of these words."""
    found = 0
    for word in words:
        found |= BITS[word]
    return found


class Held:
    """A call for help that a tracker says once: its next position, ten seconds later, must not end it on the map."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = 0

    def take(self, alarm: int, live: bool, now: int) -> int:
        """The alarm bits of a report that came at ``now`` (ms), with a call for help that still stands."""
        if not live:
            return alarm
        if alarm & ALARM_SOS:
            self._until = now + SOS_HELD_MS
        return alarm | ALARM_SOS if now < self._until else alarm
