"""The device's queue: what the server has not acknowledged, bounded, in numbered messages.

Positions wait unnumbered until a message is wanted, so that an hour without a link becomes a few full
messages. Once numbered, a message keeps its number and its content until it is acknowledged or shed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from protocols.handheld.messages import Message

Position = list[int | None]
"""``[fix_ms, lat_e7, lon_e7, accuracy_dm, speed_cms, course, altitude_m, status, alarm]``."""


@dataclass(slots=True)
class _Entry:
    """A numbered message that is not acknowledged: positions or a health message."""

    seq: int
    content: list[Position] | Message
    sent: bool = False

    @property
    def weight(self) -> int:
        return len(self.content) if isinstance(self.content, list) else 1


class Outbox:
    """See :class:`~protocols.handheld.client.Client` for the limits and their reasons."""

    def __init__(self, *, limit: int, batch_max: int, live_age: int, first_seq: int) -> None:
        self._limit = limit
        self._batch_max = self._batch_now = batch_max
        self._live_age = live_age
        self._seq = first_seq
        self._fresh: deque[Position] = deque()
        self._queue: deque[_Entry] = deque()  # oldest first; the first ``flying`` of them went out over this link
        self._newest = -1  # number of the newest message of positions
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

    def allow_batch(self, positions: int) -> None:
        """The server takes so many positions in a message."""
        self._batch_now = min(self._batch_max, positions)

    def next_message(self, now: int) -> Message | None:
        """The next message that has not gone out over this link, or ``None``."""
        if self.flying == len(self._queue):
            if not self._fresh:
                return None
            batch = [self._fresh.popleft() for _ in range(min(len(self._fresh), self._batch_now))]
            self._newest = self._number(batch)
        entry = self._queue[self.flying]
        self.flying += 1
        first, entry.sent = not entry.sent, True
        if not isinstance(entry.content, list):
            return {"t": "health", "seq": entry.seq, **entry.content}
        last = entry.content[-1][0]
        # Only what goes out for the first time, with nothing newer behind it, and soon, is about now.
        newest = entry.seq == self._newest and not self._fresh
        live = first and newest and last is not None and now - last <= self._live_age
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

    def _number(self, content: list[Position] | Message) -> int:
        seq = self._seq
        self._seq += 1
        self._queue.append(_Entry(seq, content))
        return seq

    def _pop(self) -> int:
        weight = self._queue.popleft().weight
        self.held -= weight
        self.flying = max(0, self.flying - 1)
        return weight

    def _shed(self) -> None:
        """Beyond the limit the oldest goes: a whole message once it is numbered, because its number is taken."""
        while self.held > self._limit:
            if self._queue:
                self.dropped += self._pop()
            else:
                self._fresh.popleft()
                self.held -= 1
                self.dropped += 1
