"""Calls for help (SOS): who calls, where, who was told, and whether a seat has acknowledged it. A pure core.

A call lasts from the first message with the alarm until the device takes the alarm back, or until a seat has
acknowledged it and the alarm has not come again for :data:`OVER_MS`; what comes meanwhile is the same call. All times
are ms. Events are ``("sos", id, fields)``, each about one unit, ``fields["unit"]``, so that one person's can be taken
out of the journal.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NewType

from dispatch.model import Spot
from tracker.model import DeviceId, UnitId
from tracker.refusal import Change, Refusal

SOS = "sos"
"""The type of the events."""
SosId = NewType("SosId", str)
NO_DEVICE = DeviceId("")
OVER_MS = 600_000
"""After a seat has acknowledged it and so long nothing has come, an alarm is a new call."""
KEPT = 200
"""Calls that can be asked for; the journal has all of them."""


@dataclass(frozen=True, slots=True)
class Near:
    """A colleague who was told; metres, straight."""

    unit: UnitId
    metres: int


@dataclass(slots=True)
class Call:
    """``at`` is when it was pressed, ``came`` when that came here. ``accuracy`` in metres."""

    id: SosId
    unit: UnitId
    at: int
    came: int
    spot: Spot | None = None
    accuracy: float | None = None
    near: list[Near] = field(default_factory=list)
    by: str = ""
    acknowledged: int = 0
    last: int = 0
    """When the alarm last came."""
    ended: int = 0
    """When the device took it back."""
    device: DeviceId = NO_DEVICE
    """The one that called, and that takes it back; empty if that is not known."""

    @property
    def ringing(self) -> bool:
        return not self.acknowledged


class SosBook:
    """The calls for help."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._calls: OrderedDict[SosId, Call] = OrderedDict()
        self._of: dict[UnitId, SosId] = {}
        """The last one of each unit."""

    # -- looking

    def get(self, id: SosId) -> Call | None:
        return self._calls.get(id)

    def all(self) -> list[Call]:
        """The oldest first."""
        return list(self._calls.values())

    def shown(self, now: int) -> list[Call]:
        """Those that nobody has acknowledged, and the others of the last hour."""
        return [call for call in self._calls.values() if call.ringing or now - call.acknowledged < 3_600_000]

    def running(self, unit: UnitId) -> Call | None:
        """The call that a message with the alarm belongs to, if it is no new one."""
        id = self._of.get(unit)
        return None if id is None else self._calls.get(id)

    # -- judging

    def needs_help(self, unit: UnitId, now: int) -> bool:
        """Whether somebody calls now: nobody asks him for anything else."""
        call = self.running(unit)
        return call is not None and not call.ended and not self._over(call, now)

    def plan_alarm(
        self, unit: UnitId, at: int, spot: Spot | None, accuracy: float | None, now: int, device: DeviceId = NO_DEVICE
    ) -> list[Change]:
        """A message with the alarm: a call, its first place, or nothing new."""
        call = self.running(unit)
        if call is not None and not self._over(call, now):
            if call.spot is None and spot is not None:
                place = (spot.latitude, spot.longitude)
                return [_event(call.id, "place", unit, now, spot=place, accuracy=accuracy)]
            # Not for each of them: only so that it is known that it lasts, or that it was taken back too soon.
            lasts = now - call.last > OVER_MS // 2 or 0 < call.ended < at
            return [_event(call.id, "again", unit, now)] if lasts else []
        if call is not None and at <= call.last:
            return []  # what a phone had kept of a call that is over
        place_of = None if spot is None else (spot.latitude, spot.longitude)
        return [_event(SosId(f"{unit}:{at}"), "raise", unit, now, when=at, spot=place_of, accuracy=accuracy,
                       device=device)]  # fmt: skip

    def plan_quiet(self, unit: UnitId, now: int, device: DeviceId = NO_DEVICE) -> list[Change]:
        """A message about now without the alarm: the device has taken it back, if there was one. Another device of the
        same person says nothing of it."""
        call = self.running(unit)
        if call is None or call.ended or (device and call.device and device != call.device):
            return []
        return [_event(call.id, "end", unit, now)]

    def plan_told(self, id: SosId, near: Iterable[Near], now: int) -> list[Change]:
        """These colleagues hear of it."""
        return [_event(id, "told", one.unit, now, metres=one.metres) for one in near]

    def plan_acknowledge(self, id: SosId, by: str, now: int) -> list[Change]:
        """A seat takes care of it. Raises Refusal; twice is no trouble."""
        call = self._calls.get(id)
        if call is None:
            raise Refusal("no_sos", "there is no such call", "没有这个求助")
        return [_event(id, "acknowledge", call.unit, now, by=by)] if call.ringing else []

    def _over(self, call: Call, now: int) -> bool:
        if call.ringing:
            return False
        return bool(call.ended) or now - max(call.last, call.acknowledged) > OVER_MS

    # -- the journal

    def replay(self, event: Change) -> None:
        """It is in the journal."""
        _, identity, fields = event
        assert fields is not None
        id, unit, at, what = SosId(identity), UnitId(fields["unit"]), fields["at"], fields["what"]
        if what == "raise":
            spot = None if fields["spot"] is None else Spot(*fields["spot"])
            self._calls[id] = Call(id, unit, fields["when"], at, spot, fields["accuracy"], last=at,
                                   device=DeviceId(fields.get("device", "")))  # fmt: skip
            self._of[unit] = id
            self._tidy()
            return
        call = self._calls.get(id)
        if call is None:
            return
        if what == "told":
            call.near.append(Near(unit, fields["metres"]))
        elif what == "place":
            call.spot, call.accuracy, call.last = Spot(*fields["spot"]), fields["accuracy"], at
        elif what == "again":
            call.last, call.ended = at, 0
        elif what == "end":
            call.ended = at
        elif what == "acknowledge":
            call.by, call.acknowledged = fields["by"], at

    def events(self) -> Iterator[Change]:
        """What :meth:`replay` makes this book of again."""
        for call in self._calls.values():
            spot = None if call.spot is None else (call.spot.latitude, call.spot.longitude)
            yield _event(call.id, "raise", call.unit, call.came, when=call.at, spot=spot, accuracy=call.accuracy,
                         device=call.device)  # fmt: skip
            yield from self.plan_told(call.id, call.near, call.came)
            if call.last != call.came:
                yield _event(call.id, "again", call.unit, call.last)
            if call.ended:
                yield _event(call.id, "end", call.unit, call.ended)
            if call.acknowledged:
                yield _event(call.id, "acknowledge", call.unit, call.acknowledged, by=call.by)

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit any more."""
        for call in [call for call in self._calls.values() if call.unit == unit]:
            del self._calls[call.id]
        for call in self._calls.values():
            call.near = [one for one in call.near if one.unit != unit]
        self._of.pop(unit, None)

    def _tidy(self) -> None:
        while len(self._calls) > self._kept:
            quiet = next((id for id, call in self._calls.items() if not call.ringing), None)
            id = quiet or next(iter(self._calls))
            call = self._calls.pop(id)
            if self._of.get(call.unit) == id:
                del self._of[call.unit]


def _event(id: SosId, what: str, unit: UnitId, at: int, **fields: Any) -> Change:
    return SOS, id, {"what": what, "unit": unit, "at": at, **fields}
