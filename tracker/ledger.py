"""What has happened, as far as it still matters: commands, photos, roll calls and duty, from the journal's events and
as events again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tracker.commands import CommandBook
from tracker.commands_model import Moment
from tracker.duty_events import DUTY, OFF_DUTY, DutyEvents
from tracker.media import PhotoIndex
from tracker.roll_call import ROLL_CALL, RollBook
from tracker.roster import Change


class Book(Protocol):
    """What events of a type make, and can be made of again."""

    def replay(self, event: Change) -> None:
        """Take in what the journal holds."""

    def events(self) -> Iterator[Change]:
        """Events that come to the same."""


@dataclass(slots=True)
class Ledger:
    """What events are taken into, in the journal's order. ``others`` are the books of who knows the tracker, by the
    type of their events; the root hands them over."""

    commands: CommandBook = field(default_factory=CommandBook)
    photos: PhotoIndex = field(default_factory=PhotoIndex)
    roll_calls: RollBook = field(default_factory=RollBook)
    removals: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By ticket, how far the removal of somebody's data has come."""
    duty: DutyEvents = field(default_factory=DutyEvents)
    off_duty: dict[str, Change] = field(default_factory=dict)
    """What is to be removed because it was off duty."""
    others: Mapping[str, Book] = field(default_factory=dict)

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
        elif kind in self.others:
            self.others[kind].replay(event)

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
        for book in self.others.values():
            yield from book.events()
