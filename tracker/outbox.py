"""What goes to one TLS link, a piece at a time.

Over plain sockets a thousand viewers who do not read wait for the same bytes. TLS makes a copy for each: so no more of
them is encrypted than the link takes, and what is shared stays shared.
"""

from __future__ import annotations

from collections import deque
from typing import Any

PIECE = 64 * 1024 + 1
"""Bytes: just more than what the link holds before it says that it is full, so that it says so after each."""


class Outbox:
    """Writes to ``link`` until told that it is full. Whoever is the link's producer calls :meth:`hold` and
    :meth:`go_on`; what is written past it overtakes what waits here."""

    def __init__(self, link: Any) -> None:
        self._link = link
        self._rest: deque[memoryview] = deque()  # as many as are put while it is full: whoever puts bounds them
        self._held = False

    def __bool__(self) -> bool:
        """Whether something waits."""
        return bool(self._rest)

    def put(self, data: bytes) -> None:
        """After what waits."""
        self._rest.append(memoryview(data))
        self._write()

    def hold(self) -> None:
        """The link is full."""
        self._held = True

    def go_on(self) -> None:
        """It is not any more."""
        self._held = False
        self._write()

    def _write(self) -> None:
        while self._rest and not self._held:
            first = self._rest[0]
            if len(first) > PIECE:
                self._rest[0] = first[PIECE:]
            else:
                self._rest.popleft()
            self._link.write(bytes(first[:PIECE]))
