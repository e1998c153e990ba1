"""Takes what is for a unit to its devices, and again until it is acknowledged or over.

What a device has not acknowledged follows from the tasks themselves (:meth:`~dispatch.shelf.Shelf.to_send`), so there
is no queue that could be lost or overflow: a device that comes is told all that it has, then what is over, then what it
is asked. A handheld is told at once or when it comes; a vehicle's terminal gets a text as a command, which is repeated
and confirmed as commands are (tracker/commands.py), and which is withdrawn with its offer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from dispatch.desk import Desk
from dispatch.draft import Send
from dispatch.messages import message, text, words
from dispatch.model import AttemptInput, AttemptState, Task, TaskId
from tracker.admission import Admitted
from tracker.catalogue import CATALOGUE
from tracker.commands_model import Command, State
from tracker.intake import Intake, StoreFailed
from tracker.links import Links
from tracker.model import Device, DeviceId, UnitId
from tracker.refusal import Refusal
from tracker.roster import Carrier
from tracker.telling import tell_all

HANDHELD = "handheld"
LATER_S = 3600
"""For so long a text that is no offer waits for its terminal."""
LOOKED_AT = 100
"""Commands of a device among which its texts are looked for: as many as it may have open."""


_TOLD = frozenset(name for name, protocol in CATALOGUE.items() if name == HANDHELD or "text" in protocol.commands)


def tells(protocol: str) -> bool:
    """Whether a device of this protocol can be told of a task."""
    return protocol in _TOLD


class Courier:
    """``photo_limit``: bytes of the largest photo that is taken, for devices to know."""

    def __init__(self, intake: Intake, links: Links, desk: Desk, clock: Any, zone: ZoneInfo, photo_limit: int) -> None:
        self._intake, self._links, self._desk, self._clock, self._zone = intake, links, desk, clock, zone
        self._words = words(desk.rules, photo_limit)
        self._log = Logger(namespace="gridbeat.dispatch")
        desk.to_unit = self.send
        links.came.append(self.came)
        links.ended.append(self._ended)
        intake.stored.append(self._stored)
        self._whose: dict[DeviceId, UnitId] = {}
        """To whom each device belonged when it was told what he has."""

    def reaches(self, unit: UnitId) -> tuple[bool, bool]:
        """Whether a unit has a device that can be told of a task, and whether such a one has a link now."""
        device = linked = False
        for one in self._intake.roster.devices_of(unit):
            if not one.revoked and tells(one.protocol):
                device = True
                linked = linked or self._links.shows_tasks(one.id)
        return device, linked

    def send(self, send: Send) -> None:
        """Something new; an offer is repeated while nothing acknowledges it."""
        self._send(send)
        if send.what == "offer":
            for seconds in self._desk.rules.waits.resend_s:
                self._clock.callLater(seconds, self._again, send)

    def _again(self, send: Send) -> None:
        task = self._desk.book.get(send.task)
        attempt = None if task is None else task.find(send.attempt)
        if attempt is not None and attempt.state is AttemptState.OFFERED:
            self._send(send)

    def _send(self, send: Send) -> None:
        task = self._desk.book.get(send.task)
        if task is None:
            return
        for device in self._intake.roster.devices_of(send.unit):
            if device.protocol == HANDHELD:
                self._tell(device.id, task, send)
            elif tells(device.protocol):
                self._text(device, task, send)

    def _tell(self, device: DeviceId, task: Task, send: Send) -> None:
        if send.what == "revoke":
            about = {"task": send.task, "attempt": send.attempt, "reason": send.reason}
            self._links.tell(device, "revoke", about)
            return
        attempt = task.find(send.attempt)
        if attempt is not None:
            self._links.tell(device, "task", message(task, attempt, send.what, self._intake.wall(), send.reason))

    # -- a device comes

    def came(self, device: DeviceId) -> None:
        """All that a unit has, for one of its devices."""
        known = self._intake.roster.devices.get(device)
        if known is None or not known.unit:
            return
        self._whose[device] = known.unit
        self._desk.heard(known.unit)
        if known.protocol != HANDHELD or not self._links.tell(device, "words", self._words):
            waiting = self._desk.book.to_send(known.unit) if tells(known.protocol) else []
            for send in waiting:
                task = self._desk.book.get(send.task)
                if task is not None:
                    self._text(known, task, send)
            return
        have = [(task, one) for task in self._desk.book.unsettled(known.unit) if (one := task.attempt) is not None
                and one.unit == known.unit]  # fmt: skip
        self._links.tell(device, "held", {"tasks": [(task.id, one.number) for task, one in have]})
        for task, one in have:
            if one.state is not AttemptState.OFFERED:
                self._links.tell(device, "task", message(task, one, "hold", self._intake.wall()))
        for send in self._desk.book.to_send(known.unit):
            task_of = self._desk.book.get(send.task)
            if task_of is not None:
                self._tell(device, task_of, send)

    def _stored(self, carrier: Carrier, records: Sequence[Admitted]) -> None:
        """Who is given a device that has a link is to see his tasks there, and not those of who had it before."""
        device = carrier.device
        if device.unit and self._whose.get(device.id, device.unit) != device.unit:
            tell_all(self._links.came, device.id)

    # -- texts for terminals

    def _text(self, device: Device, task: Task, send: Send) -> None:
        """As a command, unless one of the same is on its way; whatever was to be said of it before is not, if it is
        over."""
        told = text(task, self._desk.rules, send.what, send.reason, self._zone)
        about = [send.what, send.task, send.attempt]
        for open in self._texts(device.id):
            if open.arguments["about"] == about:
                return
            if send.what == "revoke" and open.arguments["about"][1:] == about[1:]:
                self._quietly(self._links.cancel(open.id))
        if told is not None:
            lasts = self._desk.rules.waits.deliver_s if send.what == "offer" else LATER_S
            arguments = {"text": told, "urgent": True, "display": True, "speak": True, "about": about}
            self._quietly(self._links.ask(device.id, "text", arguments, lasts))

    def _texts(self, device: DeviceId) -> list[Command]:
        open = (State.QUEUED, State.SENT, State.ACCEPTED)
        commands = self._links.commands.of(device, LOOKED_AT)
        return [one for one in commands if one.kind == "text" and one.state in open and "about" in one.arguments]

    def _ended(self, command: Command) -> None:
        """A terminal has shown a text, or has not."""
        about, unit = command.arguments.get("about"), self._intake.roster.carried_by(command.device, command.created)
        if about is None or command.state is not State.DONE:
            return
        what, task, attempt = str(about[0]), TaskId(about[1]), int(about[2])
        if what == "offer":
            self._quietly(self._desk.told(task, attempt, unit, AttemptInput.DELIVER))
        elif what in ("revoke", "return"):
            self._quietly(self._desk.acknowledged(task, attempt, unit))

    def _quietly(self, work: Any) -> None:
        """What fails here shows in the task: the offer runs out, the seat hears of it."""

        async def run() -> None:
            try:
                await work
            except (Refusal, StoreFailed) as error:
                self._log.warn("a text for a terminal: {reason}", reason=str(error))

        Deferred.fromCoroutine(run())
