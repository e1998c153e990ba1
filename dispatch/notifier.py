"""Takes notices to those whom they are meant for, again on every link until they were read, and their receipts back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from dispatch.desk import Desk
from dispatch.draft import Step
from dispatch.notices import NOTICE, Notice, NoticeBook
from dispatch.steps import Steps
from tracker.catalogue import CATALOGUE
from tracker.commands_model import Command, State
from tracker.intake import Intake
from tracker.links import Links
from tracker.model import DeviceId, UnitId

PREFIX = "n:"
"""Of the ids of notices, which no task has."""


class Notifier:
    """``book`` has what the journal holds, ``new_id`` makes ids."""

    def __init__(
        self, intake: Intake, links: Links, desk: Desk, steps: Steps, book: NoticeBook, new_id: Callable[[], str]
    ) -> None:
        self._intake, self._links, self._desk, self._steps, self._new_id = intake, links, desk, steps, new_id
        self._log = Logger(namespace="gridbeat.dispatch")
        self.book = book
        steps.attach(NOTICE, book.replay)
        links.came.append(self._came)
        links.ended.append(self._ended)

    async def create(self, text: str, units: Sequence[UnitId], about: Mapping[str, str], until: int, by: str) -> Notice:
        """Tell these units something; it is in the journal. Raises Refusal and StoreFailed."""
        id = PREFIX + self._new_id()
        await self._steps.carry_out([id], lambda now: Step(self.book.plan(id, text, units, about, until, by, now)))
        notice = self.book.get(id)
        assert notice is not None
        for unit in notice.units:
            for device in self._intake.roster.devices_of(unit):
                self._tell(device.id, notice)
                if "text" in CATALOGUE[device.protocol].commands:
                    self._show(device.id, notice, unit)
        self._desk.renew()
        return notice

    async def said(self, id: str, unit: UnitId, what: str) -> bool:
        """A device has shown it, or its person has read it; whether there is such a notice. Raises StoreFailed."""
        plan = self.book.plan_read if what == "read" else self.book.plan_shown
        step = await self._steps.carry_out([id], lambda now: Step(plan(id, unit, now)))
        if step.events:
            self._desk.renew()
        return self.book.get(id) is not None

    def _came(self, device: DeviceId) -> None:
        known = self._intake.roster.devices.get(device)
        if known is not None and known.unit:
            for notice in self.book.to_send(known.unit, self._intake.wall()):
                self._tell(device, notice)

    def _tell(self, device: DeviceId, notice: Notice) -> None:
        about = {"id": notice.id, "text": notice.text, "by": notice.by, "at": notice.at, "until": notice.until}
        self._links.tell(device, "notice", about)

    def _show(self, device: DeviceId, notice: Notice, unit: UnitId) -> None:
        """On a terminal, as a text, which waits for it as commands do."""
        lasts = max(1, (notice.until - self._intake.wall()) // 1000)
        arguments = {
            "text": f"【今日提示】{notice.text}"[:400], "urgent": False, "display": True, "speak": True,
            "notice": notice.id,
        }  # fmt: skip
        asked = Deferred.fromCoroutine(self._links.ask(device, "text", arguments, min(lasts, 7 * 86_400)))
        asked.addErrback(self._failed)

    def _ended(self, command: Command) -> None:
        notice: Any = command.arguments.get("notice")
        if notice and command.state is State.DONE:
            unit = self._intake.roster.carried_by(command.device, command.created)
            Deferred.fromCoroutine(self.said(notice, unit, "shown")).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self._log.error("a notice: {reason}", reason=failure.getErrorMessage())
