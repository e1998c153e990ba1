"""What is asked of devices: commands that wait, go out, are answered or run out. A pure core.

A command is *planned* (judged), written to the journal by the caller, then *added*; the same for how it ends: the
book decides it, the caller writes it down, and only then it has ended. So a command that was promised survives
everything, and none ends that a restart would bring back. What is not journalled is that it was sent: after a
restart whatever has not ended goes out again, so a device may be told twice.

A link that is lost puts what was unanswered back into the queue. On a link that stays, a command goes out again
after ``TIMEOUT``, ``TRIES`` times in all; then it waits for the next login, because the usual reason for silence is
a link that is dead and does not know it yet. ``TRIES_IN_ALL`` ends what no device would ever answer.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from tracker.commands_model import KINDS, TABLE, Command, Input, Moment, Outcome, State
from tracker.media import ON_COMMAND
from tracker.model import DeviceId
from tracker.roster import Refusal

TIMEOUT = 20_000
"""ms that an answer may take: a device locates itself within 20 s or not at all."""
TRIES = 3
"""Within one login."""
TRIES_IN_ALL = 12
PER_DEVICE = 100
"""Open commands of one device: more than a dispatcher types in a day, and an hour of a program gone wild."""
IN_ALL = 50_000
"""Open commands of all devices, some 50 MB besides their arguments."""
ARGUMENTS = 16 << 20
"""Characters of the arguments of all open commands as they would be written out, some 100 MB: a hundred areas take
fifteen thousand."""
KEPT = 1000
"""Ended commands that can still be asked for; the journal has all of them."""
LOOKED_AT = 200
"""Commands that run out in one go, some 2 ms with all that follows: fifty thousand may have the same end."""
AT_ONCE = 4
"""Unanswered commands of one device: terminals have small input queues and drop what is too much without a word."""


class CommandBook:
    """All commands that are open, and the last ones that are not."""

    def __init__(
        self, *, per_device: int = PER_DEVICE, in_all: int = IN_ALL, arguments: int = ARGUMENTS, kept: int = KEPT,
        at_once: int = AT_ONCE,
    ) -> None:  # fmt: skip
        self._per_device, self._in_all, self._kept, self._at_once = per_device, in_all, kept, at_once
        self._arguments, self._held = arguments, 0
        self._open: dict[str, Command] = {}
        self._queues: dict[DeviceId, dict[str, Command]] = {}
        """The open ones of each device in the order in which they were asked for."""
        self._ended: OrderedDict[str, Command] = OrderedDict()
        self._decided: dict[str, Command] = {}
        """Open ones whose outcome nobody is writing down yet."""
        self._timers: list[tuple[int, str]] = []
        """A heap of (due, id); entries that no longer hold are passed over, and swept out when they are many."""

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    # -- looking

    def get(self, id: str) -> Command | None:
        return self._open.get(id) or self._ended.get(id)

    def of(self, device: DeviceId, limit: int) -> list[Command]:
        """A device's commands, the newest first."""
        ended = (command for command in reversed(self._ended.values()) if command.device == device)
        found = [*reversed(self._queues.get(device, {}).values()), *ended]
        return sorted(found, key=lambda command: command.created, reverse=True)[:limit]

    # -- beginning

    def plan(
        self, id: str, device: DeviceId, kind: str, arguments: Mapping[str, Any], expires_s: int, at: Moment
    ) -> Command:
        """A command that may be journalled and then added. Raises Refusal ``queue_full``."""
        if len(self._queues.get(device, ())) >= self._per_device:
            text = f"{self._per_device} commands wait for this device already; cancel some or wait"
            raise Refusal("queue_full", text, f"该设备已有 {self._per_device} 条指令等待，请取消一些或稍后再试")
        if len(self._open) >= self._in_all or self._held + _size(arguments) > self._arguments:
            raise Refusal(
                "queue_full", f"{len(self._open)} commands wait already; try again later",
                f"已有 {len(self._open)} 条指令等待，请稍后再试",
            )  # fmt: skip
        return Command(id, device, kind, arguments, at.wall, at.wall + 1000 * expires_s)

    def add(self, command: Command, at: Moment) -> None:
        """It is in the journal."""
        self._open[command.id] = self._queues.setdefault(command.device, {})[command.id] = command
        self._held += _size(command.arguments)
        command.deadline = at.steady + command.expires - at.wall
        self._wake(command, command.deadline)

    def replay(self, id: str, fields: Mapping[str, Any], at: Moment) -> None:
        """Take in what the journal holds of a command, in its order."""
        if "created" in fields:
            self.add(Command(id=id, **fields), at)
            return
        command = self._open.get(id)
        if command is not None:
            command.sent, command.tries, command.result = fields["sent"], fields["tries"], fields["result"]
            command.outcome = Outcome(State(fields["state"]), fields["answered"], fields["text"], fields["zh"])
            self.written(command)

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What :meth:`replay` makes this book of again, but for photos of what is open: id and fields."""
        for command in self._ended.values():
            yield command.id, command.created_fields()
            yield command.id, command.outcome_fields()
        for command in self._open.values():
            yield command.id, command.created_fields()

    # -- the device's link

    def login(self, device: DeviceId) -> None:
        """A new link: what was not answered over the one before goes out again."""
        for command in self._queues.get(device, {}).values():
            command.tries_here = 0

    def logout(self, device: DeviceId) -> None:
        """The link is gone, and with it every answer that was to come over it."""
        for command in self._queues.get(device, {}).values():
            self._back(command, Input.LOST)

    def commands_to_send(self, device: DeviceId, at: Moment) -> list[Command]:
        """What goes out to a device now, in this order; it counts as sent. Call again when an answer has come."""
        queue = self._queues.get(device, {})
        unanswered = sum(command.state is State.SENT and command.outcome is None for command in queue.values())
        room = self._at_once - unanswered
        out: list[Command] = []
        for command in queue.values():
            if len(out) >= room:
                break
            # The timer may be late, and what has run out is never sent.
            if command.tries_here < TRIES and at.steady < command.deadline and self._step(command, Input.SEND):
                command.sent = at.wall
                command.tries += 1
                command.tries_here += 1
                self._wake(command, min(at.steady + TIMEOUT, command.deadline))
                out.append(command)
        return out

    # -- answers

    def accepted(self, id: str, device: DeviceId, at: Moment) -> None:
        """The device has taken the command. Of some kinds nothing more will come, then it is done."""
        command = self._theirs(id, device)
        if command is None:
            return
        if not KINDS[command.kind].content:
            self._decide(command, Input.SUCCEED, at)
        elif self._step(command, Input.ACCEPT):
            self._wake(command, command.deadline)

    def answered(
        self, id: str, device: DeviceId, ok: bool, at: Moment, text: str = "", zh: str = "",
        result: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """The device has done it, or will not. Answers to what is not open, or of another device, are nothing."""
        command = self._theirs(id, device)
        if command is not None and self._decide(command, Input.SUCCEED if ok else Input.FAIL, at, text, zh):
            command.result = result if result is not None else command.result

    def _theirs(self, id: str, device: DeviceId) -> Command | None:
        command = self._open.get(id)
        return command if command is not None and command.device == device else None

    # -- photos

    def taken(self, id: str, device: DeviceId, media_ids: Iterable[int], at: Moment) -> None:
        """The terminal has taken photos and names them; they may have come already."""
        command = self._theirs(id, device)
        if command is not None:
            command.expected = frozenset(media_ids)
            if self._step(command, Input.ACCEPT):
                self._wake(command, command.deadline)
            self._complete(command, at)

    def photographer(self, device: DeviceId, media_id: int, channel: int, event: int) -> str | None:
        """The command that a photo answers: one that expects its id, else, if the terminal says by its ``event``
        that it was asked for one, the first that was sent for this camera and lacks some.

        Next, when the photo is in the journal: ``photographed``; if it will not be: ``missed``.
        """
        waiting = [
            command for command in self._queues.get(device, {}).values()
            if command.kind == "photo" and command.outcome is None and command.tries
        ]  # fmt: skip
        if any(media_id in command.coming for command in waiting):
            return None  # the same once more
        for command in waiting:
            if media_id in command.expected:
                command.coming.add(media_id)
                return command.id
        for command in waiting:
            lacking = len(_photos(command)) + len(command.coming) < command.arguments["count"]
            if event == ON_COMMAND and lacking and command.arguments["channel"] == channel:
                command.coming.add(media_id)
                return command.id
        return None

    def missed(self, id: str, media_id: int) -> None:
        """A photo of this command could not be kept, or is known already."""
        command = self._open.get(id)
        if command is not None:
            command.coming.discard(media_id)

    def photographed(self, id: str, photo: dict[str, Any], at: Moment) -> None:
        """A photo of this command is in the journal. ``photo`` has ``id``, ``media_id`` and ``size``."""
        command = self._open.get(id)
        if command is not None:
            command.coming.discard(photo["media_id"])
            if command.outcome is None:
                command.result = {"photos": [*_photos(command), photo]}
                self._complete(command, at)

    def _complete(self, command: Command, at: Moment) -> None:
        came, wanted = len(_photos(command)), int(command.arguments["count"])
        if came >= wanted:
            self._decide(command, Input.SUCCEED, at)
        elif command.expected and command.expected <= {photo["media_id"] for photo in _photos(command)}:
            text, zh = f"the terminal took {came} of {wanted} photos", f"终端拍摄了 {wanted} 张中的 {came} 张"
            self._decide(command, Input.FAIL, at, text, zh)

    # -- ending

    def cancel(self, id: str) -> Command:
        """Decide that it is cancelled; the caller writes that and says ``written`` or ``withdraw``. Raises Refusal."""
        command = self._open.get(id)
        if command is None or command.outcome is not None:
            raise Refusal("ended", "it has ended already", "该指令已结束")
        command.outcome = Outcome(TABLE[command.state][Input.CANCEL])
        return command

    def withdraw(self, command: Command) -> None:
        """The cancellation could not be written: it goes on."""
        command.outcome = None
        self._wake(command, command.due)

    def outcomes_to_write(self, limit: int) -> list[Command]:
        """Commands whose end is to be journalled; for each say ``written`` or ``unwritten``."""
        out = list(islice(self._decided.values(), limit))
        for command in out:
            del self._decided[command.id]
        return out

    def unwritten(self, command: Command) -> None:
        """The disk did not take it: it is among ``outcomes_to_write`` again."""
        if command.id in self._open:
            self._decided[command.id] = command

    def written(self, command: Command) -> None:
        """Its outcome is in the journal: it has ended."""
        end = command.outcome
        assert end is not None
        command.state, command.answered, command.text, command.zh = end.state, end.answered, end.text, end.zh
        command.outcome = None
        if self._open.pop(command.id, None) is None:
            return  # forgotten meanwhile
        self._held -= _size(command.arguments)
        self._decided.pop(command.id, None)
        queue = self._queues.get(command.device, {})
        queue.pop(command.id, None)
        if not queue:
            self._queues.pop(command.device, None)
        self._ended[command.id] = command
        if len(self._ended) > self._kept:
            self._ended.popitem(last=False)

    def forget(self, device: DeviceId) -> None:
        """Know nothing of a device's commands any more, open or ended."""
        for id, command in self._queues.pop(device, {}).items():
            self._held -= _size(command.arguments)
            del self._open[id]
            self._decided.pop(id, None)
        for id in [id for id, command in self._ended.items() if command.device == device]:
            del self._ended[id]

    # -- time

    def get_timer(self) -> int | None:
        """When :meth:`handle_timer` wants to be called, by the steady clock."""
        while self._timers:
            due, id = self._timers[0]
            command = self._open.get(id)
            if command is not None and command.outcome is None and command.due == due:
                return due
            heapq.heappop(self._timers)
        return None

    def handle_timer(self, at: Moment, limit: int = LOOKED_AT) -> set[DeviceId]:
        """Ends what has run out and takes back what was not answered, so many at the most: if more is due,
        :meth:`get_timer` says so. The devices that may be sent something now."""
        devices: set[DeviceId] = set()
        for _ in range(limit):
            due = self.get_timer()
            if due is None or due > at.steady:
                break
            _, id = heapq.heappop(self._timers)
            command = self._open[id]
            devices.add(command.device)
            if at.steady >= command.deadline:
                self._run_out(command)
            else:
                self._back(command, Input.UNANSWERED)
        return devices

    def _wake(self, command: Command, due: int) -> None:
        command.due = due
        heapq.heappush(self._timers, (due, command.id))
        if len(self._timers) > 2 * len(self._open) + 64:
            self._timers = [(open.due, open.id) for open in self._open.values() if open.outcome is None]
            heapq.heapify(self._timers)

    def _run_out(self, command: Command) -> None:
        came = len(_photos(command))
        if came:
            wanted = command.arguments["count"]
            text, zh = f"{came} of {wanted} photos came in time", f"期限内收到 {wanted} 张中的 {came} 张照片"
            self._decide(command, Input.FAIL, None, text, zh)
        else:
            self._decide(command, Input.EXPIRE, None)

    def _back(self, command: Command, why: Input) -> None:
        """Into the queue again, where it was before."""
        if not self._step(command, why):
            return
        command.expected = frozenset()
        self._wake(command, command.deadline)
        if command.tries >= TRIES_IN_ALL:
            text, zh = f"sent {command.tries} times and never answered", f"已发送 {command.tries} 次，均无应答"
            self._decide(command, Input.FAIL, None, text, zh)

    # -- the machine

    def _step(self, command: Command, what: Input) -> bool:
        """One step of the table that ends nothing, if it is in the table."""
        after = None if command.outcome is not None else TABLE[command.state].get(what)
        if after is None:
            return False
        command.state = after
        return True

    def _decide(self, command: Command, what: Input, at: Moment | None, text: str = "", zh: str = "") -> bool:
        """One step that ends it, once that has been written. ``at``: when the device said so, if it did."""
        after = None if command.outcome is not None else TABLE[command.state].get(what)
        if after is None:
            return False
        command.outcome = Outcome(after, None if at is None else at.wall, text, zh)
        self._decided[command.id] = command
        return True


def _size(arguments: Mapping[str, Any]) -> int:
    return len(repr(arguments))


def _photos(command: Command) -> list[dict[str, Any]]:
    return list((command.result or {}).get("photos", ()))
