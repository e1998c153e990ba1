"""Wrong passwords are counted so that nobody can guess, and nobody can lock others out. A pure core.

Each address has ten wrong tries a minute (of IPv6 each network of 64 bits, which is what one customer has). A name has
thirty from anywhere in a quarter of an hour; after that everybody whom it does not know waits for a turn, of which
there is one in ten seconds. A browser that has signed in to the name before is known by its cookie
(:mod:`webmap.browsers`) and counted on its own: neither what others do from its address nor what they do to its name
is any trouble to it. An address from which somebody has signed in to the name is spared the turns, not its own count.

Codes of the second step, which are six digits, are counted besides, behind the right password.
"""

from __future__ import annotations

from collections import OrderedDict

from storage.networks import counted_as

TRIES = 10
"""Wrong ones of an address, or of a browser that is known, in a minute; the next are refused without a look."""
SPAN_MS = 60_000
NAME_TRIES = 30
"""Wrong ones on a name, from whomever it does not know."""
NAME_SPAN_MS = 15 * 60_000
TURN_MS = 10_000
"""From one turn to the next, on a name that is being guessed at: 8,640 tries a day."""
CODE_TRIES = 10
"""Wrong codes a day behind the right password, from a browser that is known or from all others together,"""
CODE_SPAN_MS = 86_400_000
CODE_TURN_MS = 300_000
"""and then one in five minutes. Three codes in a million are good: who has the password alone needs years."""
COUNTED = 10_000
"""Addresses and names that are counted; those counted longest ago are forgotten first."""
HOMES = 8
"""Addresses remembered for each name."""


class Tries:
    """Times are milliseconds. ``browser`` is the id of a browser that is known to the name, or empty."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()
        self._turns: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._homes: OrderedDict[str, list[str]] = OrderedDict()

    def wait(self, now: int, name: str, address: str, browser: str = "") -> int:
        """How long to wait before the next try, in ms; 0: it may be made now, and a turn is taken if it needs one."""
        source = ("browser", browser) if browser else ("address", counted_as(address))
        count, since = self._counted(now, source, SPAN_MS)
        if count >= TRIES:
            return max(1, since + SPAN_MS - now)
        if browser or source[1] in self._homes.get(name, ()):
            return 0
        if self._counted(now, ("name", name), NAME_SPAN_MS)[0] < NAME_TRIES:
            return 0
        return self._turn(now, ("name", name), TURN_MS)

    def code_wait(self, now: int, name: str, browser: str = "") -> int:
        """The same for a code, of somebody whose password is right: so waiting tells no stranger anything, and it takes
        the password to make others wait."""
        key = ("code", browser or name)
        return 0 if self._counted(now, key, CODE_SPAN_MS)[0] < CODE_TRIES else self._turn(now, key, CODE_TURN_MS)

    def code_failed(self, now: int, name: str, browser: str = "") -> None:
        """A code was wrong."""
        self._count(now, ("code", browser or name), CODE_SPAN_MS)

    def _turn(self, now: int, key: tuple[str, str], length: int) -> int:
        """How long to wait for the next turn, or 0 and it is taken."""
        left = self._turns.get(key, 0) - now
        if 0 < left <= length:
            return left
        self._turns.pop(key, None)
        self._turns[key] = now + length
        if len(self._turns) > COUNTED:
            self._turns.popitem(last=False)
        return 0

    def failed(self, now: int, name: str, address: str, browser: str = "") -> None:
        """A try was wrong."""
        if browser:
            self._count(now, ("browser", browser), SPAN_MS)
            return
        source = counted_as(address)
        self._count(now, ("address", source), SPAN_MS)
        if source not in self._homes.get(name, ()):
            self._count(now, ("name", name), NAME_SPAN_MS)

    def passed(self, name: str, address: str) -> None:
        """Somebody signed in to an account."""
        homes = self._homes.pop(name, [])
        source = counted_as(address)
        self._homes[name] = [*(one for one in homes if one != source), source][-HOMES:]
        if len(self._homes) > COUNTED:
            self._homes.popitem(last=False)

    def _counted(self, now: int, key: tuple[str, str], span: int) -> tuple[int, int]:
        count, since = self._counts.get(key, (0, now))
        # A clock that was set back begins anew.
        return (count, since) if 0 <= now - since <= span else (0, now)

    def _count(self, now: int, key: tuple[str, str], span: int) -> None:
        count, since = self._counted(now, key, span)
        self._counts.pop(key, None)
        self._counts[key] = count + 1, since
        if len(self._counts) > COUNTED:
            self._counts.popitem(last=False)
