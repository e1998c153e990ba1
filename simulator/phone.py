"""A private phone with the Traccar Client app: one position a request, and the next when the last was answered.

As in the app, what was not answered with 2xx stays at the head of the queue and is sent again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from protocols.report import Report
from protocols.traccar import encode_json, encode_query
from simulator.bearer import Bearer, e7

QUEUE_LIMIT = 20_000
"""Reports kept while the server is away: more than a day at one in five seconds, some 10 MB. Then the oldest goes."""


@dataclass(frozen=True, slots=True)
class Request:
    """One POST: what follows the question mark, and the body with its type."""

    query: bytes
    body: bytes
    content_type: str | None


class Phone:
    """The app on one phone. ``form`` is ``query`` (up to version 8) or ``json`` (since 9)."""

    def __init__(
        self, device_id: str, form: Literal["query", "json"], bearer: Bearer, *, limit: int = QUEUE_LIMIT
    ) -> None:
        # The id is the only secret of this protocol: it stays out of the log.
        self.name = f"phone ({form})"
        self.dropped = 0
        self._id = device_id
        self._form = form
        self._bearer = bearer
        self._limit = limit
        self._queue: deque[Report] = deque()
        self._sent: Report | None = None

    @property
    def reachable(self) -> bool:
        return self._bearer.reachable

    @property
    def waiting(self) -> int:
        """Reports that the server has not taken."""
        return len(self._queue)

    def tick(self, now: int) -> None:
        """One interval has passed: keep what is seen. Without a fix it is a heartbeat without coordinates."""
        sighting = self._bearer.sense(now)
        if sighting is None:
            return
        accuracy = sighting.accuracy
        self._queue.append(
            Report(
                self._bearer.time(now),
                e7(sighting.latitude),
                e7(sighting.longitude),
                sighting.altitude,
                round(sighting.speed * 100),
                sighting.course,
                None if accuracy is None else round(accuracy * 10),
                items={"battery": sighting.battery, "charging": False},
            )
        )
        if len(self._queue) > self._limit:
            self._queue.popleft()
            self.dropped += 1

    def request(self) -> Request | None:
        """The request to send now; None while one is under way or nothing waits. Next: :meth:`answered`."""
        if self._sent is not None or not self._queue or not self.reachable:
            return None
        self._sent = self._queue[0]
        if self._form == "query":
            return Request(encode_query(self._id, self._sent), b"", None)
        return Request(b"", encode_json(self._id, self._sent), "application/json")

    def answered(self, status: int | None) -> bool:
        """The server's status, or None if no answer came; whether the report is delivered."""
        sent, self._sent = self._sent, None
        delivered = status is not None and 200 <= status < 300
        # It may have left the queue meanwhile, as the oldest of too many.
        if delivered and self._queue and self._queue[0] is sent:
            self._queue.popleft()
        return delivered
