"""What one terminal has been asked over one connection: the commands by our serials, and what its answers say."""

from __future__ import annotations

from protocols.jt808 import Answer, Connection, ParametersAnswer, PhotoTaken, Positions, Result
from protocols.jt808.downlinks import Locate, Photo
from tracker.commands_jt808 import ANSWERS, PHOTO_ANSWERS, downlink, readable, told
from tracker.commands_model import Command
from tracker.links import Links
from tracker.model import DeviceId

ASKED_LIMIT = 64
"""Messages of ours whose answers are known as such. Four commands are unanswered at a time; photos come later."""


class Asking:
    """``device`` is whose connection it is by now; answers to what nobody asked are nothing."""

    def __init__(self, core: Connection, links: Links) -> None:
        self._core = core
        self._links = links
        self._asked: dict[int, tuple[int, str]] = {}
        """Serial -> message id and command."""

    def ask(self, command: Command) -> None:
        """Queue what a command is on the wire."""
        asked = downlink(command.kind, command.arguments)
        serial = self._core.send(asked)
        self._asked.pop(serial, None)  # serials go round
        self._asked[serial] = asked.message_id, command.id
        if len(self._asked) > ASKED_LIMIT:
            self._asked.pop(next(iter(self._asked)))

    def _command(self, serial: int | None, *message_ids: int) -> str | None:
        """The command that was sent as one of these messages with this serial.

        The serial alone is not enough: serials begin anew with each link, and an answer may be one to the link before.
        """
        asked = None if serial is None else self._asked.get(serial)
        return asked[1] if asked is not None and asked[0] in message_ids else None

    def answer(self, event: Answer, device: DeviceId) -> None:
        """0x0001."""
        command = self._command(event.serial, event.message_id)
        if command is None:
            return
        if event.result == Result.OK:
            self._links.accepted(command, device)
        else:
            self._links.answered(command, device, False, *told(ANSWERS, event.result))

    def parameters(self, event: ParametersAnswer, device: DeviceId) -> None:
        """0x0104."""
        command = self._command(event.answers, 0x8104, 0x8106)
        if command is not None:
            self._links.answered(command, device, True, result={"parameters": readable(event.values)})

    def photo_taken(self, event: PhotoTaken, device: DeviceId) -> None:
        """0x0805; the photos themselves come as media."""
        command = self._command(event.answers, Photo.message_id)
        if command is None:
            return
        if event.result == Result.OK:
            self._links.photos_taken(command, device, event.media_ids)
        else:
            self._links.answered(command, device, False, *told(PHOTO_ANSWERS, event.result))

    def located(self, event: Positions, device: DeviceId, kept: bool) -> None:
        """0x0201 is on disk, or was not to be ``kept``. Other positions answer nothing."""
        command = self._command(event.answers, Locate.message_id)
        if command is None:
            return
        text, zh = "", ""
        if not kept:
            text, zh = "the position is not kept: off duty, or impossible", "位置未保存：不在岗或数值不合理"
        elif all(report.latitude is None for report in event.reports):
            text, zh = "the terminal has no fix", "终端未定位"
        self._links.answered(command, device, kept, text, zh)
