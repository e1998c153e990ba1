"""Wrong tokens, codes and ids are answered slowly once there are many of them; right ones never are.

A token of 130 bits is not found by trying, so nobody is locked out for wrong ones: neither the device whose id somebody
else tries tokens for, nor the thousands of phones that a mobile network puts behind the address he does it from. What
is bounded is what trying costs us. The one thing that registering hands out to whoever knows a terminal's number, a
fresh JT/T 808 code, is rationed for each terminal, because each is a change in the journal.
"""

from __future__ import annotations

from storage.networks import counted_as
from tracker.counters import Counters
from tracker.phone_limits import Rates

RATE = 1 / 6
"""Wrong tries a second, for each address and for each device's id,"""
BURST = 20
"""and at once: a phone with an old token tries again every few seconds at most."""
HOLD_S = 5.0
"""How long a refusal waits beyond that; the link hears nothing meanwhile, and is not heard."""
CODE_RATE = 1 / 600
CODE_BURST = 6
"""JT/T 808 codes a terminal is handed at once, and one every ten minutes: it needs one in its life."""
MOST = 20_000
"""Addresses and ids that are remembered, some 3 MB."""


class LoginLimits:
    """One for all protocols."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._addresses = Rates(RATE, BURST, MOST)
        self._identities = Rates(RATE, BURST, MOST)
        self._codes = Rates(CODE_RATE, CODE_BURST, MOST)

    def wrong(self, protocol: str, identity: str, address: str, now: int) -> float:
        """Somebody at this address could not prove to be this device: for how many seconds the answer is to wait."""
        # Both count, whatever the other says.
        slow = not self._addresses.allows(counted_as(address), 1, now)
        slow = not self._identities.allows(f"{protocol} {identity[:64]}", 1, now) or slow
        if slow:
            self._counters.refuse(protocol, "slowed_down")
        return HOLD_S if slow else 0.0

    def may_register(self, protocol: str, identity: str, now: int) -> bool:
        """Whether this device is handed another code now."""
        allowed = self._codes.allows(f"{protocol} {identity}", 1, now)
        if not allowed:
            self._counters.refuse(protocol, "slowed_down")
        return allowed
