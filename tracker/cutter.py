"""Connections that are cut a few at a time: thousands at once would hold everybody else up for part of a second."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

AT_ONCE = 50
"""Some 10 ms of work where all of them speak TLS."""
PAUSE = 0.02
"""Seconds between two such turns: 12,500 connections are gone before the next look at them."""


class Cutter:
    """``cut`` cuts one connection. ``reactor`` gives the time."""

    def __init__(self, reactor: Any, cut: Callable[[Any], None]) -> None:
        self._reactor = reactor
        self._cut = cut
        self._waiting: dict[Any, None] = {}  # at most all that there are
        self._call: Any = None

    def __contains__(self, connection: Any) -> bool:
        return connection in self._waiting

    def add(self, connections: Iterable[Any]) -> None:
        """Cut these; the first at once."""
        self._waiting.update(dict.fromkeys(connections))
        if self._call is None:
            self._go_on()

    def forget(self, connection: Any) -> None:
        """It is gone by itself."""
        self._waiting.pop(connection, None)

    def stop(self) -> None:
        """Cut no more."""
        self._waiting.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _go_on(self) -> None:
        self._call = None
        for connection in list(self._waiting)[:AT_ONCE]:
            self._waiting.pop(connection, None)
            self._cut(connection)
        if self._waiting:
            self._call = self._reactor.callLater(PAUSE, self._go_on)
