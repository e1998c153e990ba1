"""How present a unit is, from three facts: its last message, its last believed fix, and its duty."""

from __future__ import annotations

from dataclasses import dataclass

from tracker.model import Presence


@dataclass(frozen=True, slots=True)
class PresenceLimits:
    """``online``: silence after which a unit counts as stale, and age beyond which a fix counts as none; ms.
    ``offline``: silence after which it counts as offline; ms."""

    online: int = 120_000
    offline: int = 900_000


def presence(
    last_message: int | None, last_fix: int | None, on_duty: bool, now: int, limits: PresenceLimits
) -> Presence:
    """The state at ``now``. Times in ms, ``None`` for never; each limit itself still counts as within.

    A last message that seems to be still to come was before the server's clock was set back: it says as little as one
    that is long past.
    """
    if not on_duty:
        return Presence.OFF_SHIFT
    silence = limits.offline + 1 if last_message is None else abs(now - last_message)
    if silence > limits.offline:
        return Presence.OFFLINE
    if silence > limits.online:
        return Presence.STALE
    if last_fix is None or now - last_fix > limits.online:
        return Presence.ONLINE_NO_FIX
    return Presence.ONLINE_FIX
