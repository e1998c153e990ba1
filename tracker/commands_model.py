"""The nouns of commands to devices: states and the table of what may follow what, kinds, and the command itself.

``TABLE`` is the whole life of a command. ``ACCEPTED`` is a sent one whose device has said that it will do it, of a
kind that is done only when something comes of it (a position, a photo); outside it shows as sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from tracker.model import DeviceId


class Moment(NamedTuple):
    """Now, twice, in ms: ``wall`` as people read it, ``steady`` of a clock that only goes forward, for waiting."""

    wall: int
    steady: int


class State(StrEnum):
    """Where a command is."""

    QUEUED = "queued"
    SENT = "sent"
    ACCEPTED = "accepted"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Input(StrEnum):
    """What can happen to it."""

    SEND = "send"
    LOST = "lost"
    """The link is gone."""
    UNANSWERED = "unanswered"
    """``TIMEOUT`` has passed."""
    ACCEPT = "accept"
    SUCCEED = "succeed"
    FAIL = "fail"
    EXPIRE = "expire"
    CANCEL = "cancel"


_ENDS = {
    Input.SUCCEED: State.DONE, Input.FAIL: State.FAILED, Input.EXPIRE: State.EXPIRED, Input.CANCEL: State.CANCELLED,
}  # fmt: skip

TABLE: dict[State, dict[Input, State]] = {
    # Answers may come to what is queued: late ones, and those to what was sent before a restart.
    State.QUEUED: {Input.SEND: State.SENT, Input.ACCEPT: State.ACCEPTED, **_ENDS},
    State.SENT: {
        Input.LOST: State.QUEUED, Input.UNANSWERED: State.QUEUED, Input.ACCEPT: State.ACCEPTED, **_ENDS,
    },
    State.ACCEPTED: {Input.LOST: State.QUEUED, **_ENDS},
    State.DONE: {},
    State.FAILED: {},
    State.EXPIRED: {},
    State.CANCELLED: {},
}  # fmt: skip
"""What is not in it changes nothing: devices answer twice, late, and what nobody asked."""


@dataclass(frozen=True, slots=True)
class Kind:
    """``expiry``: seconds unless said otherwise. ``content``: done when something comes of it, not when accepted."""

    expiry: int
    content: bool = False


LONGEST = 7 * 86_400
"""Seconds after which nobody means a command any more."""

KINDS: dict[str, Kind] = {
    "text": Kind(86_400),
    "locate": Kind(60, content=True),
    "follow": Kind(600),
    "parameters": Kind(86_400),
    "query_parameters": Kind(600, content=True),
    "areas_set": Kind(86_400),
    "areas_delete": Kind(86_400),
    "photo": Kind(600, content=True),
    "roll_call": Kind(120, content=True),
}
"""A text or a setting still makes sense tomorrow; where somebody is, or what is in front of a camera, does not."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ends. ``answered``: when the device said so, ms, or ``None`` when it did not."""

    state: State
    answered: int | None = None
    text: str = ""
    zh: str = ""


@dataclass(eq=False, slots=True)
class Command:
    """Times in ms by the wall clock. ``result`` grows while photos come in."""

    id: str
    device: DeviceId
    kind: str
    arguments: Mapping[str, Any] = field(repr=False)
    """Areas and passwords of access points among them: not for a log."""
    created: int
    expires: int
    state: State = State.QUEUED
    sent: int | None = None
    tries: int = 0
    answered: int | None = None
    text: str = ""
    zh: str = ""
    result: dict[str, Any] | None = field(default=None, repr=False)
    outcome: Outcome | None = None
    """Decided and not on disk yet: nothing else can happen to it."""
    tries_here: int = 0
    """Within this login."""
    expected: frozenset[int] = frozenset()
    """Ids of the photos that the terminal says it has taken."""
    coming: set[int] = field(default_factory=set)
    """Ids of those that have come and are not on disk yet."""
    deadline: int = field(default=0, repr=False)
    due: int = field(default=0, repr=False)
    """When the book has to look at it next, by the steady clock."""

    def created_fields(self) -> dict[str, Any]:
        """What the journal holds of it from the beginning."""
        return {
            "device": self.device, "kind": self.kind, "arguments": dict(self.arguments),
            "created": self.created, "expires": self.expires,
        }  # fmt: skip

    def outcome_fields(self) -> dict[str, Any]:
        """What the journal holds of its end, decided or written."""
        end = self.outcome or Outcome(self.state, self.answered, self.text, self.zh)
        return {
            "state": str(end.state), "answered": end.answered, "text": end.text, "zh": end.zh,
            "sent": self.sent, "tries": self.tries, "result": self.result,
        }  # fmt: skip
