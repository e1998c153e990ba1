"""Where connections come from: each listener takes those of its networks and counts the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from storage.networks import Network, within
from tracker.counters import Counters

REFUSED = "refused_network"


class Sources:
    """The networks of one listener, ``None`` for all; ``now`` gives ms since 1970."""

    def __init__(
        self, name: str, networks: Sequence[Network] | None, counters: Counters, now: Callable[[], int]
    ) -> None:
        self.name = name
        self._networks = networks
        self._counters = counters
        self._now = now
        self.refused = 0
        self.last = ""
        """The address that was refused last, and when."""
        self.last_at = 0

    def admit(self, host: str) -> bool:
        """Whether an address may connect; if not, it is counted."""
        if self._networks is None or within(self._networks, host):
            return True
        self.refused += 1
        self.last, self.last_at = host, self._now()
        self._counters.refuse(self.name, REFUSED)
        return False
