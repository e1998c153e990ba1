"""What is told of on and off duty, and when a unit was on duty by that: the events of one unit, in any order.

A unit is on duty at a moment if an "on" reaches it, that is, if no "off" lies between the two and the on has not ended
by itself. So it does not matter in which order the events of a phone without a network come in, or how often; an off at
the very moment of an on wins.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tracker.duty_spans import Span
from tracker.model import FOREVER, UnitId
from tracker.roster import Change

DUTY = "duty"
"""Type of the events that tell of an on or off."""
OFF_DUTY = "off_duty"
"""Type of the events that tell of the removal of what turned out to be off duty."""
KEPT_MS = 31 * 86_400_000
"""Told events and intervals are known for so long: a phone that was off for a month may still deliver, and what is
older is off duty. The intervals of before are in the journal and the archive."""


@dataclass(slots=True)
class UnitBook:
    """What was told of one unit. ``ons``: by moment and by whom, until when they last; ``back``: what was taken back,
    and stays so if it is told again. ``crews``, of a vehicle: by person, from when to when they crewed it."""

    ons: dict[tuple[int, str], int] = field(default_factory=dict)
    offs: set[int] = field(default_factory=set)
    back: set[tuple[int, str]] = field(default_factory=set)
    crews: dict[str, list[Span]] = field(default_factory=dict)

    def copy(self) -> UnitBook:
        return UnitBook(
            dict(self.ons), set(self.offs), set(self.back), {name: list(spans) for name, spans in self.crews.items()}
        )

    def take(self, fields: dict[str, Any]) -> None:
        """An event, in any order and any number of times. The latest word on how long the rota's lasts counts."""
        at, by, until = fields["at"], fields["by"], fields["until"]
        if by == "crew":
            self._take_crew(fields["person"], at, fields["on"])
        elif fields["back"]:
            self.back.add((at, _key(fields)))
            if fields["on"]:
                self.ons.pop((at, by), None)
            else:
                self.offs.discard(at)
        elif by == "rota":
            self.ons[at, by] = until
        elif (at, _key(fields)) in self.back:
            pass
        elif fields["on"]:
            self.ons[at, by] = max(until, self.ons.get((at, by), 0))
        else:
            self.offs.add(at)

    def _take_crew(self, person: str, at: int, joined: bool) -> None:
        if not person:  # one of the crew is forgotten: what was until then can no longer be worked out
            kept = {name: [(max(a, at), b) for a, b in spans if b > at] for name, spans in self.crews.items()}
            self.crews = {name: spans for name, spans in kept.items() if spans} | {"": [(at, at)]}
            return
        spans = [span for span in self.crews.get(person, []) if span[0] < at]
        if joined:
            spans.append((at, FOREVER))
        elif spans:
            spans[-1] = (spans[-1][0], min(spans[-1][1], at))
        self.crews[person] = spans

    def spans(self) -> list[tuple[int, int, str]]:
        """Start, end and who said so first, of each time on duty that follows from this."""
        offs, found = sorted(self.offs), list[tuple[int, int, str]]()
        for (at, by), until in sorted(self.ons.items()):
            place = bisect_left(offs, at)
            end = min(until, offs[place]) if place < len(offs) else until
            if end <= at:
                continue
            if found and at <= found[-1][1]:
                found[-1] = (found[-1][0], max(found[-1][1], end), found[-1][2])
            else:
                found.append((at, end, by))
        return found

    def forget_before(self, horizon: int) -> None:
        """Know nothing of before a moment, or of before the on that reaches over it."""
        cut = min((start for start, end, _ in self.spans() if start < horizon < end), default=horizon)
        self.ons = {key: until for key, until in self.ons.items() if key[0] >= cut}
        self.offs = {at for at in self.offs if at >= cut}
        self.back = {key for key in self.back if key[0] >= cut}
        self.crews = {
            name: kept for name, spans in self.crews.items() if (kept := [s for s in spans if s[1] > horizon])
        }

    @property
    def first(self) -> int:
        """The first moment of which something is known."""
        return min([*(at for at, _ in self.ons), *self.offs, *(at for at, _ in self.back)], default=FOREVER)

    def __len__(self) -> int:
        return len(self.ons) + len(self.offs) + len(self.back)


def told(
    unit: UnitId, at: int, on: bool, by: str, until: int = 0, *, who: str = "", id: str = "", back: bool = False
) -> Change:
    """An event: ``who`` said so at the seat, ``id`` is the device's own, ``back`` takes back what was told before."""
    fields = {"unit": unit, "at": at, "on": on, "by": by, "until": until, "who": who, "id": id, "back": back}
    return DUTY, f"{unit}:{at}:{'on' if on else 'off'}:{by}", fields


def crewed(vehicle: UnitId, person: str, at: int, joined: bool) -> Change:
    """The event that somebody crews a vehicle from then on, or does not. Without a person: that one is forgotten."""
    fields = {"unit": vehicle, "at": at, "on": joined, "by": "crew", "until": 0, "person": person, "back": False}
    return DUTY, f"{person}:{at}:{'joined' if joined else 'left'}:{vehicle}", fields


def _key(fields: dict[str, Any]) -> str:
    return f"on {fields['by']}" if fields["on"] else "off"


class DutyEvents:
    """The events of all units that still matter, for a snapshot."""

    def __init__(self) -> None:
        self._events: dict[str, Change] = {}

    def take(self, event: Change, now: int) -> None:
        """The next one, in the journal's order; ``now`` in ms."""
        _, id, fields = event
        assert fields is not None
        # Two days more than is asked of them: an on of before may reach over the edge.
        if fields["by"] == "crew" or fields["at"] >= now - KEPT_MS - 2 * 86_400_000:
            self._events.pop(id, None)
            self._events[id] = event

    def events(self) -> Iterator[Change]:
        """In the order in which they are to be taken in again."""
        return iter(self._events.values())
