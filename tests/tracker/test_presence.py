"""Every edge of how present a unit is."""

from __future__ import annotations

import pytest

from tracker.model import Presence
from tracker.presence import PresenceLimits, presence

NOW = 10_000_000
LIMITS = PresenceLimits(online=120_000, offline=900_000)


@pytest.mark.parametrize(
    ("silence", "age", "on_duty", "expected"),
    [
        (0, 0, True, Presence.ONLINE_FIX),
        (120_000, 120_000, True, Presence.ONLINE_FIX),
        (120_000, 120_001, True, Presence.ONLINE_NO_FIX),
        (0, None, True, Presence.ONLINE_NO_FIX),
        (120_001, 120_001, True, Presence.STALE),
        (120_001, 0, True, Presence.STALE),
        (900_000, None, True, Presence.STALE),
        (900_001, 0, True, Presence.OFFLINE),
        (None, None, True, Presence.OFFLINE),
        (None, 0, True, Presence.OFFLINE),
        (0, 0, False, Presence.OFF_SHIFT),
        (None, None, False, Presence.OFF_SHIFT),
        (0, -110_000, True, Presence.ONLINE_FIX),  # a clock that is a little ahead
        (-120_000, 0, True, Presence.ONLINE_FIX),  # the server's own clock was set back
        (-120_001, 0, True, Presence.STALE),
        (-86_400_000, 0, True, Presence.OFFLINE),
    ],
)
def test_presence(silence: int | None, age: int | None, on_duty: bool, expected: Presence) -> None:
    last_message = None if silence is None else NOW - silence
    last_fix = None if age is None else NOW - age
    assert presence(last_message, last_fix, on_duty, NOW, LIMITS) is expected


def test_the_limits_are_the_citys() -> None:
    assert presence(NOW - 11, NOW - 11, True, NOW, PresenceLimits(10, 20)) is Presence.STALE
    assert presence(NOW - 21, NOW, True, NOW, PresenceLimits(10, 20)) is Presence.OFFLINE
