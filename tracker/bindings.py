"""Who carried which device when, for devices that were ever given to another.

A binding says: from ``start`` on, the device is this unit's. One told later counts before all that were told earlier,
wherever it begins: so a mistake is corrected by a binding that begins in the past, and what was believed before stays
readable. A point is stored with the unit in force at its fix time as it was known then. It is never written anew:
whoever asks for a track is told which other units' points may be this one's by now, and which of its own are not
(:meth:`Bindings.relabelled`).

A device that never changed hands has no entry here: it is its unit's, always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from tracker.model import DeviceId, UnitId
from tracker.record import BINDING

NOBODY = UnitId("")
"""Whose a device is that was taken back: its positions are acknowledged, counted and stored nowhere."""
KEPT = 64
"""Bindings of one device that are remembered, some 200 bytes each: a phone of three shifts a day, given and taken back
each time, for ten days. What it made before the oldest of them is nobody's."""


@dataclass(frozen=True, slots=True)
class Binding:
    """``number`` is counted per device; ``start`` and ``made``, when it was told, in ms. ``shift``: it ends with the
    unit's duty."""

    device: DeviceId
    number: int
    start: int
    unit: UnitId
    shift: bool = False
    made: int = 0

    @property
    def key(self) -> str:
        """Its id in the journal."""
        return f"{self.device}:{self.number}"

    def change(self) -> tuple[str, str, dict[str, Any] | None]:
        return BINDING, self.key, asdict(self)


Label = Callable[[str, int, bool, str], bool]
"""Whether a point of a device and a fix time (ms), a call for help or not, stored as of this unit, is of the unit that
is asked for."""
OnDuty = Callable[[int], bool]
"""Whether the unit that is asked for was on duty at a time (ms)."""


class Bindings:
    """All of them, in memory."""

    def __init__(self) -> None:
        self._told: dict[DeviceId, tuple[Binding, ...]] = {}
        self._force: dict[DeviceId, tuple[Binding, ...]] = {}
        self._corrected: set[DeviceId] = set()
        self.corrections = 0
        """Grows whenever something changes about a device with a corrected binding."""
        self.for_shifts: set[DeviceId] = set()
        """Devices that are given to somebody for a shift now."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bindings) and self._told == other._told

    __hash__ = None  # type: ignore[assignment]

    def of(self, device: DeviceId) -> tuple[Binding, ...]:
        """What was told of a device, in that order; nothing if it never changed hands."""
        return self._told.get(device, ())

    def in_force(self, device: DeviceId) -> tuple[Binding, ...]:
        """What counts of it, by time; each to the start of the next."""
        return self._force.get(device, ())

    def at(self, device: DeviceId, at: int) -> Binding | None:
        """The binding in force at a time; ``None`` for a device that never changed hands, or before what is kept."""
        return _at(self._force.get(device, ()), at)

    def carried(self, device: DeviceId) -> set[UnitId]:
        """All units that it was ever said to be of."""
        return {binding.unit for binding in self.of(device)} - {NOBODY}

    def changes(self) -> Iterable[tuple[str, str, dict[str, Any] | None]]:
        for told in self._told.values():
            for binding in told:
                yield binding.change()

    def apply(self, key: str, fields: Mapping[str, Any] | None) -> DeviceId:
        """Take in a change; answers whose device it is."""
        device = DeviceId(key.rpartition(":")[0])
        number = int(key.rpartition(":")[2])
        told = [binding for binding in self.of(device) if binding.number != number]
        if fields is not None:
            told.append(Binding(**fields))
        self._set(device, told)
        return device

    def drop(self, device: DeviceId) -> None:
        """Know nothing of a device any more."""
        self._set(device, ())

    def blank(self, unit: UnitId) -> list[Binding]:
        """What was a unit's is nobody's from now on, under the same numbers; answers those bindings."""
        found = []
        for device, told in list(self._told.items()):
            if any(binding.unit == unit for binding in told):
                told = tuple(replace(one, unit=NOBODY) if one.unit == unit else one for one in told)
                self._set(device, told)
                found += [binding for binding in told if binding.unit == NOBODY]
        return found

    def _set(self, device: DeviceId, told: Iterable[Binding]) -> None:
        ordered = tuple(sorted(told, key=lambda binding: binding.number))
        self.corrections += device in self._corrected or any(one.start < one.made for one in ordered)
        if not ordered:
            self._told.pop(device, None)
            self._force.pop(device, None)
            self._corrected.discard(device)
            self.for_shifts.discard(device)
            return
        self._told[device], self._force[device] = ordered, _effective(ordered)
        (self._corrected.add if any(one.start < one.made for one in ordered) else self._corrected.discard)(device)
        (self.for_shifts.add if ordered[-1].shift else self.for_shifts.discard)(device)

    def relabelled(
        self, unit: UnitId, start: int, end: int, on_duty: OnDuty = lambda at: True
    ) -> tuple[frozenset[UnitId], Label | None]:
        """Which other units' stored points of a span may be this one's, and how to tell; (nothing, ``None``) when no
        binding that matters was corrected. What was stored as another's was judged by that one's duty: of this one it
        is shown only if this one was on duty too."""
        sources: set[UnitId] = set()
        touched = False
        for device in self._corrected:
            told = self._told[device]
            for place, one in enumerate(told):
                # Points of that time that came before it was told have the label of before; those since have its own.
                if not (one.start < one.made and one.start <= end and one.made > start):
                    continue
                before = {known.unit for known in told[:place]}
                after = {known.unit for known in told[place:]}
                touched = touched or unit in before or unit in after
                if unit in after:
                    sources |= before
        if not touched:
            return frozenset(), None
        return frozenset(sources - {unit, NOBODY}), self._label_of(unit, on_duty)

    def _label_of(self, unit: UnitId, on_duty: OnDuty) -> Label:
        # As it is now: the answer is put together in a thread.
        force = {device: self._force[device] for device in self._corrected}

        def label(device: str, at: int, help: bool, stored: str) -> bool:
            held = force.get(DeviceId(device))
            if held is None:
                return stored == unit  # never corrected; those of others come along with those that were
            binding = _at(held, at)
            if binding is None or binding.unit == NOBODY:
                return binding is not None and help
            return binding.unit == unit and (help or stored == unit or on_duty(at))

        return label


def _at(force: tuple[Binding, ...], at: int) -> Binding | None:
    for binding in reversed(force):
        if binding.start <= at:
            return binding
    return None


def _effective(told: Iterable[Binding]) -> tuple[Binding, ...]:
    """Those that count, by their start: each overrules all that was told before it for the time from its start on."""
    force: list[Binding] = []
    for binding in told:
        while force and force[-1].start >= binding.start:
            force.pop()
        force.append(binding)
    return tuple(force)
