"""The device's queue: what the server has not acknowledged, bounded, in numbered messages.

Positions wait unnumbered until a message is wanted, so that an hour without a link becomes a few full
messages. Once numbered, a message keeps its number and its content until it is acknowledged or shed.

Where the device is now comes before where it was: the newest position goes out first, by itself, and of the backlog
one message at a time is under way, so that a newer position never waits for more than that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

from protocols.handheld.messages import Message

BACKLOG = 20
"""More positions than these in a message are a backlog: at one in five seconds, more than a minute and a half."""
BEFORE = 100
"""Positions in a message that goes out before a statement: any server takes as many."""

Position = list[int | None]
"""``[fix_ms, lat_e7, lon_e7, accuracy_dm, speed_cms, course, altitude_m, status, alarm]``."""


@dataclass(slots=True)
class _Entry:
    """A numbered message that is not acknowledged: positions, a health message or a statement of the person's."""

    seq: int
    content: list[Position] | Message
    live: bool = False
    """It ended with the newest position when it got its number."""
    backlog: bool = False
    sent: bool = False

    @property
    def weight(self) -> int:
        return len(self.content) if isinstance(self.content, list) else 0 if self.is_kept else 1

    @property
    def is_kept(self) -> bool:
        return not isinstance(self.content, list) and "t" in self.content


class Outbox:
    """See :class:`~protocols.handheld.client.Client` for the limits and their reasons."""

    def __init__(self, *, limit: int, batch_max: int, live_age: int, first_seq: int) -> None:
        self._limit = limit
        self._batch_max = self._batch_now = batch_max
        self._live_age = live_age
        self._seq = first_seq
        self._fresh: deque[Position] = deque()
        self._queue: deque[_Entry] = deque()  # oldest first; the first ``flying`` of them went out over this link
        self._newest = 0  # ms: fix time of the newest position that has a number
        self.flying = 0
        self.held = 0
        """Positions and health messages in here: what counts against the limit."""
        self.dropped = 0

    def add_position(self, position: Position) -> None:
        self._fresh.append(position)
        self.held += 1
        self._shed()

    def add_health(self, health: Message) -> None:
        self._number(health)
        self.held += 1
        self._shed()

    def add_duty(self, duty: Message) -> None:
        """Never thrown away: they are few, and what is stored or not depends on them."""
        self._number(duty)

    def add_statement(self, statement: Message, *, behind: bool) -> None:
        """An answer or a problem, never thrown away; ``behind`` the positions before it, which bear it out."""
        while behind and self._fresh:
            count = min(len(self._fresh), self._batch_now, BEFORE)
            live = (self._fresh[-1][0] or 0) > self._newest and count == len(self._fresh)
            self._number([self._fresh.popleft() for _ in range(count)], live=live, backlog=count > BACKLOG)
        self._number(statement)

    def allow_batch(self, positions: int) -> None:
        """The server takes so many positions in a message."""
        self._batch_now = min(self._batch_max, positions)

    def next_message(self, now: int) -> Message | None:
        """The next message that has not gone out over this link, or ``None``."""
        if self.flying == len(self._queue) and not (self._fresh and self._number_positions(now)):
            return None
        entry = self._queue[self.flying]
        if entry.backlog and self._backlog_flies():
            return None
        self.flying += 1
        first, entry.sent = not entry.sent, True
        if not isinstance(entry.content, list):
            return {"t": "health", "seq": entry.seq, **entry.content}
        live = first and self._is_now(entry, now)
        return {"t": "fix", "seq": entry.seq, "now": now, "live": live, "p": entry.content}

    def acknowledge(self, seq: int) -> bool:
        """Forgets everything up to ``seq``; false if no such number was ever given."""
        if seq >= self._seq:
            return False
        while self._queue and self._queue[0].seq <= seq:
            self._pop()
        return True

    def rewind(self) -> None:
        """What was under way counts as not sent."""
        self.flying = 0

    def _number_positions(self, now: int) -> bool:
        """The next message of positions that were not sent yet; false while it has to wait for an acknowledgement."""
        fresh = self._fresh
        last = fresh[-1][0]
        # Only what goes out for the first time, with nothing newer behind it, and soon, is about now.
        live = last is not None and last > self._newest and now - last <= self._live_age
        if live and len(fresh) > BACKLOG:
            self._number([fresh.pop()], live=True)
            return True
        count = min(len(fresh), self._batch_now)
        backlog = count > BACKLOG
        if backlog and self._backlog_flies():
            return False
        self._number([fresh.popleft() for _ in range(count)], live=live and not fresh, backlog=backlog)
        return True

    def _number(self, content: list[Position] | Message, *, live: bool = False, backlog: bool = False) -> None:
        if isinstance(content, list):
            self._newest = max(self._newest, content[-1][0] or 0)
        self._queue.append(_Entry(self._seq, content, live, backlog))
        self._seq += 1

    def _backlog_flies(self) -> bool:
        return any(entry.backlog for entry in islice(self._queue, self.flying))

    def _is_now(self, entry: _Entry, now: int) -> bool:
        """Whether it ends with the newest position there is, which is not old."""
        last = entry.content[-1][0] or 0 if isinstance(entry.content, list) else 0
        newer = self._fresh[-1][0] or 0 if self._fresh else 0
        return entry.live and last == self._newest and newer <= last and now - last <= self._live_age

    def _pop(self, place: int = 0) -> int:
        weight = self._queue[place].weight
        del self._queue[place]
        self.held -= weight
        self.flying -= place < self.flying
        return weight

    def _shed(self) -> None:
        """Beyond the limit the oldest goes: a whole message once it is numbered, because its number is taken."""
        while self.held > self._limit:
            place = next((n for n, entry in enumerate(self._queue) if not entry.is_kept), None)
            if place is not None and not (self._fresh and _time(self._queue[place]) > (self._fresh[0][0] or 0)):
                self.dropped += self._pop(place)
            else:
                self._fresh.popleft()
                self.held -= 1
                self.dropped += 1


def _time(entry: _Entry) -> int:
    """Fix time of a message's first position, ms; 0 for a health message, which goes before any position."""
    return (entry.content[0][0] or 0) if isinstance(entry.content, list) else 0
