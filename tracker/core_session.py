"""What a session has in common with others over a core of bytes: the way in, the timer, and what waits for the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracker.intake import Intake
from tracker.links import Links
from tracker.roster import Carrier

WAITING_LIMIT = 64
"""Messages of one device that wait for the disk before its link is read no further: a batch of backlog is one."""


class CoreSession:
    """``send`` writes messages, ``close`` ends the link after what was written, ``clock`` calls later."""

    def __init__(
        self,
        core: Any,
        intake: Intake,
        links: Links,
        address: str,
        send: Callable[[list[bytes]], None],
        close: Callable[[], None],
        clock: Any,
    ) -> None:
        self._core = core
        self._intake = intake
        self._links = links
        self._address = address
        self._send = send
        self._close = close
        self._clock = clock
        self._timer: Any = None
        self._refusal: Any = None  # waits for its time; nothing is heard meanwhile
        self._carrier: Carrier | None = None
        self.waiting = 0
        self.authenticated = False
        self.on_drained: Callable[[], None] = lambda: None

    @property
    def full(self) -> bool:
        """Too much waits for the disk: read no further until :attr:`on_drained` is called."""
        return self.waiting >= WAITING_LIMIT

    def receive(self, data: bytes, *, datagram: bool = False) -> None:
        """Bytes of the device."""
        if self._refusal is not None:
            return
        now = self._intake.wall()
        core = self._core
        self._handle(core.receive_datagram(data, now) if datagram else core.receive_data(data, now))

    def tick(self) -> None:
        """Called now and then. Cores that wait for something have a timer of their own."""

    def _handle(self, events: list[Any]) -> None:
        """Do what the core's events ask for. The subclass's business."""

    def _due(self) -> None:
        self._timer = None
        self._handle(self._core.handle_timer(self._intake.wall()))
