"""The alarms of the simple trackers by one word each, so that a fall is a fall whichever device reports it.

``Report.items["alarms"]`` holds the words that a message raised, ``Report.alarm`` their bits: the place of a word in
:data:`ALARMS`, the call for help first. Words are added at the end only, because the bits are stored for years.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    """Calls for help that trackers say once: their next position, ten seconds later, must not end them on the map.

    They stand by the device, not by the connection: who calls for help where the network is bad comes back over
    a new one. ``known``: whether such a device is registered, so that strangers' calls take no memory.
    """

    __slots__ = ("_known", "_until")

    def __init__(self, known: Callable[[str], bool] = lambda ident: True) -> None:
        self._known = known
        self._until: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._until)

    def take(self, ident: str, alarm: int, live: bool, now: int) -> int:
        """The alarm bits of a report of this device that came at ``now`` (ms), with a call that still stands."""
        if not live:
            return alarm
        if alarm & ALARM_SOS:
            if self._known(ident):
                self._until[ident] = now + SOS_HELD_MS
            return alarm
        until = self._until.get(ident)
        if until is None:
            return alarm
        if now < until:
            return alarm | ALARM_SOS
        del self._until[ident]
        return alarm
