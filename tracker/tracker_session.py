"""A simple tracker's conversation between its core and the intake, the same for every protocol in the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from protocols.dialogue import Event, Heartbeat, Login, Refused, Reported, TrackerCore
from storage.journal import JournalFull
from tracker.commands_model import Command
from tracker.core_session import CoreSession
from tracker.intake import Intake
from tracker.links import Links


class TrackerSession(CoreSession):
    """``send`` writes messages, ``close`` ends the link after what was written, ``clock`` calls later.

    A device that changes its name on one link is another device from there on: a gateway may speak for several.
    """

    def __init__(
        self,
        protocol: str,
        core: TrackerCore,
        intake: Intake,
        links: Links,
        address: str,
        send: Callable[[list[bytes]], None],
        close: Callable[[], None],
        clock: Any,
    ) -> None:
        super().__init__(core, intake, links, address, send, close, clock)
        self._protocol = protocol
        self._arrived: list[Reported] = []

    def ended(self) -> None:
        """The link is gone. What the core still held back was whole: it is taken."""
        self._take_held()
        self._leave()

    def _take_held(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._handle(self._core.handle_timer(self._core.get_timer() or 0))

    # -- the Session of tracker.links

    def carry_out(self, command: Command) -> bool:
        return False

    def shows_tasks(self) -> bool:
        return False

    def tell(self, what: str, about: Mapping[str, Any]) -> bool:
        return False  # all that such a device can be told is a command

    def take_over(self) -> None:
        self._take_held()
        self._leave()  # of the device that was named in what was held, if another was
        self._close()

    # -- events

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            _HANDLERS[type(event)](self, event)
        self._store_arrived()
        self._flush()
        due = self._core.get_timer()
        if due is not None and self._timer is None:
            self._timer = self._clock.callLater(max(0, due - self._intake.wall()) / 1000, self._due)

    def _flush(self) -> None:
        out = self._core.data_to_send()
        if out:
            self._send(out)
        if self._core.closing:
            self._close()

    def _login(self, event: Login) -> None:
        carrier = self._intake.find(self._protocol, event.device_id, self._address)
        if carrier is not self._carrier:
            self._store_arrived()
            self._leave()
        if carrier is None:
            self._core.refuse(event)
            return
        self._core.accept(event)
        self._carrier, self.authenticated = carrier, True
        self._links.login(carrier.device.id, self)

    def _leave(self) -> None:
        if self._carrier is not None:
            self._links.logout(self._carrier.device.id, self)
        self._carrier, self.authenticated = None, False

    def _reported(self, event: Reported) -> None:
        if self._carrier is None:
            self._intake.counters.refuse(self._protocol, "not_authenticated")
        else:
            self._arrived.append(event)

    def _heartbeat(self, event: Heartbeat) -> None:
        if self._carrier is None:
            self._intake.counters.refuse(self._protocol, "not_authenticated")
            return
        self._intake.counters.messages[self._protocol] += 1
        self._core.acknowledge(event)
        self._intake.heard(self._carrier)

    def _refused(self, event: Refused) -> None:
        self._intake.counters.refuse(self._protocol, event.reason)

    def _store_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        if not arrived or self._carrier is None:
            return

        def stored(first: int | None) -> None:
            self.waiting -= len(arrived)
            if first is not None:  # else no answer: a device that waits for one sends it again
                for event in arrived:
                    self._core.acknowledge(event)
                self._flush()
            self.on_drained()

        self.waiting += len(arrived)
        try:
            self._intake.submit(self._carrier, [report for event in arrived for report in event.reports], stored)
        except JournalFull:
            self.waiting -= len(arrived)


_HANDLERS: dict[type, Callable[[TrackerSession, Any], None]] = {
    Login: TrackerSession._login,
    Reported: TrackerSession._reported,
    Heartbeat: TrackerSession._heartbeat,
    Refused: TrackerSession._refused,
}
"""What is done about each event of a core."""
