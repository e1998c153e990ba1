"""Turns: a device that sends much at once is taken a part at a time, so that whoever sends little never waits for it.

After an outage a whole fleet comes back with an hour of positions each. Taken as it arrives, the backlog of a thousand
would stand in the reactor, in the journal and before the map for half a minute, and every live position behind it. So
a link that has brought more than a report or two is read no further and waits here. One after the other gets a turn, of
one read each, for a few milliseconds in each round of the reactor; what others send comes in between.

A turn makes records, and live positions queue behind records. So there are none while the disk has enough to do, and
few while the map is behind: what is between a live position and the map stays bounded, however much is waiting here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

PROMPT_BYTES = 512
"""What is taken at once: a report of any protocol, or the four that a terminal has under way; no frame of a backlog."""
READ_BYTES = 8192
"""Of one read of a device's link, and so of a turn: some 260 positions and 6 ms; 20,000 links hold 160 MB at most."""
SLICE = 0.01
"""Seconds of turns before everybody else comes first."""
SHARE = 9
"""While the map is behind, so many times what a turn took goes by before the next: the map has the rest of the time,
on a machine that is busy with other things too."""
PAUSE = 0.02
"""Seconds until the disk is asked again whether it has room."""
WAITING_RECORDS = 20_000
"""Records that wait for the disk without keeping turns from being given; live reports may fill the rest of 50,000."""
BEHIND_RECORDS = 20_000
"""Records that the map may be behind before turns become few: a third of a second of its work."""


class Waiting(Protocol):
    """A link that holds bytes."""

    def take_turn(self) -> None:
        """Take what is held, and read on."""


class Turns:
    """``open``: whether the disk has room for more. ``hurry``: whether the map keeps up, or cannot be helped anyway."""

    def __init__(
        self,
        reactor: Any,
        open: Callable[[], bool] = lambda: True,
        hurry: Callable[[], bool] = lambda: True,
    ) -> None:
        self._reactor = reactor
        self._open = open
        self._hurry = hurry
        self._queue: deque[Waiting] = deque()  # one place a link: as many as there are links
        self._call: Any = None
        self.given = 0

    def __len__(self) -> int:
        return len(self._queue)

    def wait(self, link: Waiting) -> None:
        """Give this link a turn, after those that wait already. It asks again only when it has had that."""
        self._queue.append(link)
        if self._call is None:
            self._call = self._reactor.callLater(0, self._give)

    def _give(self) -> None:
        began = self._reactor.seconds()
        hurry = self._hurry()
        pause = PAUSE
        while self._queue and self._open():
            self.given += 1
            self._queue.popleft().take_turn()
            took = self._reactor.seconds() - began
            if not hurry:
                pause = max(PAUSE, took * SHARE)
                break
            if took >= SLICE:
                pause = 0.0
                break
        self._call = None
        if self._queue:
            self._call = self._reactor.callLater(pause, self._give)
