"""Who is connected, what is asked of whom, and what comes back.

One session a device: a second login takes over, the first link is closed. Commands are in the journal before
anybody is told of them (tracker/commands.py), go out over the link that is there or at the next login, and end when
that is in the journal too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import DeferredLock

from tracker.commands import CommandBook
from tracker.commands_model import Command, Moment
from tracker.commands_writer import OutcomeWriter
from tracker.intake import Intake
from tracker.ledger import Ledger
from tracker.media import Photo, Taken
from tracker.model import DeviceId, UnitId
from tracker.photos import Fate, Photos
from tracker.roster import Carrier, Change, Refusal
from tracker.telling import tell_all

Wanted = tuple[DeviceId, str, Mapping[str, Any], int]
"""A command that is asked for: device, kind, arguments, and the seconds for which it holds."""


class Session(Protocol):
    """A device's conversation over some transport."""

    def carry_out(self, command: Command) -> bool:
        """Say it to the device now; what comes of it is told to :class:`Links`. False if this link cannot say it."""

    def take_over(self) -> None:
        """The device has logged in elsewhere: say so and close."""

    def shows_tasks(self) -> bool:
        """Whether somebody reads there what he is asked to do."""

    def tell(self, what: str, about: Mapping[str, Any]) -> bool:
        """Say something now that needs no answer, or has its own. False if this device does not know such a thing."""


class Links:
    """The sessions by device, and the commands. ``clock`` gives seconds that only go forward, and calls later;
    ``new_id`` makes ids that nobody can guess."""

    def __init__(self, intake: Intake, photos: Photos, clock: Any, new_id: Callable[[], str]) -> None:
        self._intake = intake
        self._clock = clock
        self._new_id = new_id
        self._sessions: dict[DeviceId, Session] = {}
        self._planning = DeferredLock()
        self._timer: Any = None
        self._timer_due: int | None = None
        self.commands = CommandBook()
        self._outcomes = OutcomeWriter(self.commands, intake, clock, self._ended)
        self.photos = photos
        self.ended: list[Callable[[Command], object]] = []
        """Told of each command that a device or the time has ended, when that is in the journal."""
        self.came: list[Callable[[DeviceId], object]] = []
        """Told of each device that has logged in, when what waited for it has gone out."""

    def __len__(self) -> int:
        return len(self._sessions)

    # -- starting and stopping

    def replay(self, event: Change) -> None:
        """Take in what the journal holds, at start."""
        Ledger(self.commands, self.photos.index).replay(event, self._now())

    def start(self) -> None:
        """Go on with what was open. After the replay."""
        self._go_on()

    def stop(self) -> None:
        """Nothing more is sent or written."""
        self._sessions.clear()
        self._outcomes.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    # -- sessions

    def login(self, device: DeviceId, session: Session) -> None:
        """The device speaks over this session from now on; what waits for it goes out."""
        before = self._sessions.get(device)
        if before is session:
            return
        self._sessions[device] = session
        if before is not None:
            self.commands.logout(device)
            before.take_over()
        self.commands.login(device)
        self._go_on(device)
        tell_all(self.came, device)

    def logout(self, device: DeviceId, session: Session) -> None:
        """The session ended; a newer one of the same device stays."""
        if self._sessions.get(device) is session:
            del self._sessions[device]
            self.commands.logout(device)
            self._go_on()

    def cut(self, device: DeviceId) -> None:
        """What the device proved itself with is good no more: its link is closed at once."""
        session = self._sessions.pop(device, None)
        if session is not None:
            self.commands.logout(device)
            session.take_over()
            self._go_on()

    def forget(self, unit: UnitId, devices: Iterable[DeviceId]) -> None:
        """A unit's data is being removed: close its devices' links, and know nothing of what was asked of them."""
        for device in devices:
            session = self._sessions.pop(device, None)
            self.commands.forget(device)
            if session is not None:
                session.take_over()
        self.photos.index.forget(unit)

    def connected(self, device: DeviceId) -> bool:
        return device in self._sessions

    def shows_tasks(self, device: DeviceId) -> bool:
        """Whether a device is there, and can be told of tasks."""
        session = self._sessions.get(device)
        return session is not None and session.shows_tasks()

    def tell(self, device: DeviceId, what: str, about: Mapping[str, Any]) -> bool:
        """Say something to a device that is there and knows such things; whether it was said."""
        session = self._sessions.get(device)
        return session is not None and session.tell(what, about)

    def _ended(self, command: Command) -> None:
        tell_all(self.ended, command)

    # -- what is asked

    async def ask(self, device: DeviceId, kind: str, arguments: Mapping[str, Any], expires_s: int) -> Command:
        """A new command; it is in the journal, and sent if the device is there. Raises Refusal and StoreFailed."""
        # One at a time, so that none is judged against a queue that another is about to fill.
        await self._planning.acquire()
        try:
            if device not in self._intake.roster.devices:
                raise Refusal("no_device", f"there is no device {device!r}", f"没有编号为 {device} 的设备")
            command = self.commands.plan(self._new_id(), device, kind, arguments, expires_s, self._now())
            await self._intake.keep([("command", command.id, command.created_fields())])
            self.commands.add(command, self._now())
        finally:
            self._planning.release()
        self._go_on(device)
        return command

    async def ask_all(
        self, wanted: Sequence[Wanted], beside: Callable[[Sequence[Command | None]], Sequence[Change]]
    ) -> None:
        """Several commands, and the events that belong with them, in one commit: all of it is there, or nothing.
        ``beside`` is given the commands, ``None`` for one whose device has too many waiting. Raises StoreFailed."""
        await self._planning.acquire()
        try:
            now = self._now()
            commands: list[Command | None] = []
            for device, kind, arguments, expires_s in wanted:
                try:
                    planned = self.commands.plan(self._new_id(), device, kind, arguments, expires_s, now)
                except Refusal:
                    commands.append(None)
                else:
                    commands.append(planned)
            asked = [command for command in commands if command is not None]
            events: list[Change] = [*beside(commands)]
            await self._intake.keep([*events, *(("command", one.id, one.created_fields()) for one in asked)])
            for command in asked:
                self.commands.add(command, now)
        finally:
            self._planning.release()
        for device in dict.fromkeys(command.device for command in asked):
            self._send(device)
        self._go_on()

    async def cancel(self, id: str) -> Command:
        """End an open command; that is in the journal. Raises Refusal and StoreFailed."""
        command = self.commands.cancel(id)
        try:
            await self._intake.keep([("command", command.id, command.outcome_fields())])
        except Exception:
            self.commands.withdraw(command)
            self._go_on(command.device)
            raise
        self.commands.written(command)
        self._go_on(command.device)
        return command

    # -- what comes back

    def accepted(self, id: str, device: DeviceId) -> None:
        """The device has taken a command and, if more is to come of it, will send that."""
        self.commands.accepted(id, device, self._now())
        self._go_on(device)

    def answered(
        self, id: str, device: DeviceId, ok: bool, text: str = "", zh: str = "", result: dict[str, Any] | None = None
    ) -> None:
        """The device has carried a command out, or will not."""
        self.commands.answered(id, device, ok, self._now(), text, zh, result)
        self._go_on(device)

    def photos_taken(self, id: str, device: DeviceId, media_ids: tuple[int, ...]) -> None:
        """The terminal has taken the photos that a command asked for; they come, or have come."""
        self.commands.taken(id, device, media_ids, self._now())
        self._go_on(device)

    def photo(self, carrier: Carrier, taken: Taken, done: Callable[[bool], None]) -> None:
        """A photo came. ``done`` is told whether the terminal may forget it."""
        device = carrier.device.id
        command = self.commands.photographer(device, taken.media_id, taken.channel, taken.event)

        def told(fate: Fate, photo: Photo | None) -> None:
            done(fate is not Fate.LATER)
            if command is None:
                return
            if photo is not None:
                self.commands.photographed(command, photo.told(), self._now())
            else:
                self.commands.missed(command, taken.media_id)
            if fate is Fate.OFF_DUTY:
                text, zh = "the photo is not kept: off duty", "不在岗，照片未保存"
                self.commands.answered(command, device, False, self._now(), text, zh)
            self._go_on(device)

        self.photos.keep(carrier, taken, command, told)

    # -- going on

    def _now(self) -> Moment:
        return Moment(self._intake.wall(), round(self._clock.seconds() * 1000))

    def _go_on(self, device: DeviceId | None = None) -> None:
        """Something has happened: send what may be sent, write what has ended, wait for what is next."""
        if device is not None:
            self._send(device)
        self._outcomes.write()
        due = self.commands.get_timer()
        waiting = self._timer is not None and self._timer.active()
        if waiting and due == self._timer_due:
            return
        if waiting:
            self._timer.cancel()
        self._timer_due = due
        self._timer = (
            None if due is None else self._clock.callLater(max(0, due / 1000 - self._clock.seconds()), self._due)
        )

    def _due(self) -> None:
        for device in self.commands.handle_timer(self._now()):
            self._send(device)
        self._go_on()

    def _send(self, device: DeviceId) -> None:
        session = self._sessions.get(device)
        if session is None:
            return
        for command in self.commands.commands_to_send(device, self._now()):
            if self._sessions.get(device) is not session:
                return  # writing has ended the link: the others are back in the queue
            if self._handed_over(command):
                text, zh = "not said: the device has been given to somebody else", "设备已换人使用，未下发"
                self.commands.answered(command.id, device, False, self._now(), text, zh)
                continue
            if not session.carry_out(command):
                text, zh = "this cannot be said over the device's link", "该设备的连接无法传达此指令"
                self.commands.answered(command.id, device, False, self._now(), text, zh)

    def _handed_over(self, command: Command) -> bool:
        """Whether the device is another's than when this was asked: what is meant for one is not said to the next."""
        roster, known = self._intake.roster, self._intake.roster.devices.get(command.device)
        return known is not None and roster.carried_by(command.device, command.created) != known.unit
