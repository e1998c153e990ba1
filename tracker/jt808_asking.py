"""What one terminal has been asked over one connection: the commands by our serials, and what its answers say."""

from __future__ import annotations

from protocols.jt808 import Answer, Connection, ParametersAnswer, PhotoTaken, Positions, Result
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
        self._asked: dict[int, str] = {}

    def ask(self, command: Command) -> None:
        """Queue what a command is on the wire."""
        serial = self._core.send(downlink(command.kind, command.arguments))
        self._asked.pop(serial, None)  # serials go round
        self._asked[serial] = command.id
        if len(self._asked) > ASKED_LIMIT:
            self._asked.pop(next(iter(self._asked)))

    def answer(self, event: Answer, device: DeviceId) -> None:
        """0x0001."""
        command = self._asked.get(event.serial)
        if command is None:
            return
        if event.result == Result.OK:
            self._links.accepted(command, device)
        else:
            self._links.answered(command, device, False, *told(ANSWERS, event.result))

    def parameters(self, event: ParametersAnswer, device: DeviceId) -> None:
        """0x0104."""
        command = self._asked.get(event.answers)
        if command is not None:
            self._links.answered(command, device, True, result={"parameters": readable(event.values)})

    def photo_taken(self, event: PhotoTaken, device: DeviceId) -> None:
        """0x0805; the photos themselves come as media."""
        command = self._asked.get(event.answers)
        if command is None:
            return
        if event.result == Result.OK:
            self._links.photos_taken(command, device, event.media_ids)
        else:
            self._links.answered(command, device, False, *told(PHOTO_ANSWERS, event.result))

    def located(self, event: Positions, device: DeviceId, kept: bool) -> None:
        """0x0201 is on disk, or was not to be ``kept``. Other positions answer nothing."""
        command = None if event.answers is None else self._asked.get(event.answers)
        if command is None:
            return
        text, zh = "", ""
        if not kept:
            text, zh = "the position is not kept: off duty, or impossible", "位置未保存：不在岗或数值不合理"
        elif all(report.latitude is None for report in event.reports):
            text, zh = "the terminal has no fix", "终端未定位"
        self._links.answered(command, device, kept, text, zh)
