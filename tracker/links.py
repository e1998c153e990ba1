"""Who is connected, and what was asked of whom.

One session a device: a second login takes over, the first link is closed. A command goes out over the link
that is there now; its state is kept for a while so that whoever asked can look.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tracker.model import DeviceId

COMMANDS_KEPT = 1000
COMMAND_TIMEOUT = 60_000
"""ms after which an answer is no longer waited for: a device locates itself within 20 s or not at all."""


class Session(Protocol):
    """A device's conversation over some transport."""

    def locate(self, command: str) -> bool:
        """Ask for the position now; the answer is told to :meth:`Links.answered`. False if it cannot be asked."""

    def take_over(self) -> None:
        """The device has logged in elsewhere: say so and close."""


@dataclass(slots=True)
class Command:
    """``state``: sent, done, failed, expired. Times in ms."""

    id: str
    device: DeviceId
    kind: str
    created: int
    state: str = "sent"
    answered: int | None = None
    text: str = ""


class Links:
    """The sessions by device, and the commands by id. ``new_id`` makes ids that nobody can guess."""

    def __init__(self, wall: Callable[[], int], new_id: Callable[[], str]) -> None:
        self._wall = wall
        self._new_id = new_id
        self._sessions: dict[DeviceId, Session] = {}
        self._commands: OrderedDict[str, Command] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def login(self, device: DeviceId, session: Session) -> None:
        """The device speaks over this session from now on."""
        before = self._sessions.get(device)
        self._sessions[device] = session
        if before is not None and before is not session:
            before.take_over()

    def logout(self, device: DeviceId, session: Session) -> None:
        """The session ended; a newer one of the same device stays."""
        if self._sessions.get(device) is session:
            del self._sessions[device]

    def connected(self, device: DeviceId) -> bool:
        return device in self._sessions

    def locate(self, device: DeviceId) -> Command | None:
        """Ask a device for its position; ``None`` if it is not connected."""
        session = self._sessions.get(device)
        if session is None:
            return None
        command = Command(self._new_id(), device, "locate", self._wall())
        self._commands[command.id] = command
        if len(self._commands) > COMMANDS_KEPT:
            self._commands.popitem(last=False)
        if not session.locate(command.id):
            command.state, command.answered = "failed", self._wall()
            command.text = "the device cannot be asked over this link"
        return command

    def answered(self, id: str, device: DeviceId, ok: bool, text: str = "") -> None:
        """A device answered. Answers to what is not open, or of another device, are nothing."""
        command = self._commands.get(id)
        if command is not None and command.device == device and self._current(command).state == "sent":
            command.state, command.answered, command.text = ("done" if ok else "failed"), self._wall(), text

    def command(self, id: str) -> Command | None:
        command = self._commands.get(id)
        return None if command is None else self._current(command)

    def _current(self, command: Command) -> Command:
        if command.state == "sent" and self._wall() - command.created > COMMAND_TIMEOUT:
            command.state = "expired"
        return command

    def view(self, command: Command) -> dict[str, Any]:
        """A command as the API shows it."""
        return {
            "id": command.id, "device": command.device, "kind": command.kind, "state": command.state,
            "created": command.created, "answered": command.answered, "text": command.text,
        }  # fmt: skip
