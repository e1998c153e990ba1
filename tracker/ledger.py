"""What has happened, as far as it still matters: commands, photos, roll calls and duty, from the journal's events and
as events again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tracker.commands import CommandBook
from tracker.commands_model import Moment
from tracker.duty_events import DUTY, OFF_DUTY, DutyEvents
from tracker.media import PhotoIndex
from tracker.roll_call import ROLL_CALL, RollBook
from tracker.roster import Change


@dataclass(slots=True)
class Ledger:
    """The two that events are taken into, in the journal's order."""

    commands: CommandBook = field(default_factory=CommandBook)
    photos: PhotoIndex = field(default_factory=PhotoIndex)
    roll_calls: RollBook = field(default_factory=RollBook)
    removals: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By ticket, how far the removal of somebody's data has come."""
    duty: DutyEvents = field(default_factory=DutyEvents)
    off_duty: dict[str, Change] = field(default_factory=dict)
    """What is to be removed because it was off duty."""

    def replay(self, event: Change, at: Moment) -> None:
        """Take in what the journal holds."""
        kind, identity, fields = event
        assert fields is not None
        if kind == "command":
            self.commands.replay(identity, fields, at)
        elif kind == "photo":
            photo = self.photos.replay(identity, fields)
            if photo.command is not None:
                self.commands.photographed(photo.command, photo.told(), at)
        elif kind == ROLL_CALL:
            self.roll_calls.replay(event)
        elif kind == DUTY:
            self.duty.take(event, at.wall)
        elif kind == OFF_DUTY:
            if fields["done"] is None:
                self.off_duty[identity] = event
            else:
                self.off_duty.pop(identity, None)
        elif kind == "removal":
            self.removals[identity] = fields

    def events(self) -> Iterator[Change]:
        """Events that come to the same: those of commands first, because photos are looked for by them."""
        for id, fields in self.commands.events():
            yield "command", id, fields
        for photo in self.photos.all():
            yield "photo", photo.id, photo.fields()
        yield from self.roll_calls.events()
        yield from self.duty.events()
        yield from self.off_duty.values()
        for ticket, removal in self.removals.items():
            yield "removal", ticket, removal
