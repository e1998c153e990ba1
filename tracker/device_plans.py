"""What may be done to a device that is registered: to whom it is given, and what it proves itself with.

Each plan judges and answers the changes to journal, or raises :class:`~tracker.roster.Refusal`. Tokens come as digests:
whoever shows one has made it (:mod:`tracker.tokens`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import asdict, replace

from tracker.bindings import KEPT, NOBODY, Binding
from tracker.catalogue import CATALOGUE
from tracker.model import Device, DeviceId, UnitId
from tracker.record import BINDING
from tracker.roster import Change, Refusal, Roster
from tracker.tokens import hashed


def known_device(roster: Roster, device: DeviceId) -> Device:
    """The device; a refusal if there is none."""
    if device not in roster.devices:
        raise Refusal("no_device", f"there is no device {device!r}", f"没有编号为 {device} 的设备")
    return roster.devices[device]


def plan_token(roster: Roster, device: DeviceId, token: str) -> tuple[Device, list[Change]]:
    """Another token in place of those before; it also lets a device in again that was shut out. A device without a
    secret whose id was issued by us gets another id, which is all that it proves itself with."""
    known = known_device(roster, device)
    entry, external = CATALOGUE[known.protocol], known.external_id
    if entry.issued and not entry.secret and not known.networks:
        external = secrets.token_hex(8)[:15]
    kept = token if entry.secret else ""
    return _changed(replace(known, external_id=external, token=kept, next="", revoked=False))


def plan_code(roster: Roster, device: DeviceId, code: str) -> tuple[Device, list[Change]]:
    """A terminal that registers is handed another code. The one it has stays good until this one is used: the answer
    may be lost on its way."""
    return _changed(replace(known_device(roster, device), next=code))


def plan_used(roster: Roster, device: DeviceId, code: str) -> tuple[Device, list[Change]]:
    """A terminal has used the code that was handed out last: the one before is none any more."""
    known = known_device(roster, device)
    return _changed(replace(known, token=code, next="")) if known.next == code else (known, [])


def plan_revocation(roster: Roster, device: DeviceId) -> tuple[Device, list[Change]]:
    """Shut a device out: nothing that it knows lets it in."""
    known = known_device(roster, device)
    return (known, []) if known.revoked else _changed(replace(known, token="", next="", revoked=True))


def plan_digests(roster: Roster, token_of: Callable[[Device], str]) -> list[Change]:
    """The digests of tokens that nobody has written down yet: ``token_of`` tells those of older data folders."""
    changes: list[Change] = []
    for device in roster.devices.values():
        if device.token is None:
            token = hashed(token_of(device)) if CATALOGUE[device.protocol].secret else ""
            changes += _changed(replace(device, token=token))[1]
    return changes


def plan_binding(
    roster: Roster, device: DeviceId, unit: UnitId, now: int, start: int | None = None, end: int | None = None,
    *, shift: bool = False,
) -> tuple[Device, list[Change]]:  # fmt: skip
    """Give a device to a unit, or to nobody, from ``start`` on (ms; now unless it is told). With ``end`` only until
    then: from there on it is whose it was before. ``shift``: until the duty ends in which it is carried."""
    known = known_device(roster, device)
    start = now if start is None else start
    if unit != NOBODY and unit not in roster.units:
        raise Refusal("no_unit", f"there is no unit {unit!r}", f"没有编号为 {unit} 的人员或车辆")
    if not 0 <= start <= now or (end is not None and not start < end <= now):
        text = "from must not be ahead, and to must lie between from and now"
        raise Refusal("bad_span", text, "开始时间不能在将来，结束时间须在开始时间与现在之间")
    if shift:
        check_shift(roster, unit)
    told = roster.bindings.of(device)
    changes: list[Change] = []
    if not told:
        told = (Binding(device, 0, 0, known.unit),)
        changes.append(told[0].change())
    number = told[-1].number + 1
    made = [Binding(device, number, start, unit, shift and unit != NOBODY, now)]
    if end is not None:
        made += _again(told if not roster.bindings.of(device) else roster.bindings.in_force(device), end, number, now)
    for old in told[: max(0, len(told) + len(made) - KEPT)]:
        changes.append((BINDING, old.key, None))
    changes += [binding.change() for binding in made]
    last = max(made, key=lambda binding: binding.number)
    bound = replace(known, unit=last.unit)
    # The device says whose it is now, for those who know of nothing else.
    return bound, [*changes, ("device", device, asdict(bound))]


def plan_enrolment(
    roster: Roster, unit: UnitId, app: str, now: int, token: str, *, shift: bool, own: Device | None = None
) -> tuple[Device, list[Change]]:
    """A phone is the unit's from now on: ``own`` if it has a device already, else a new one of this app. What it made
    before is not the unit's."""
    if own is not None:
        return plan_binding(roster, own.id, unit, now, shift=shift)
    if unit not in roster.units:
        raise Refusal("no_unit", f"there is no unit {unit!r}", f"没有编号为 {unit} 的人员或车辆")
    issued = "" if CATALOGUE[app].issued else f"app-{secrets.token_hex(6)}"
    device, changes = roster.plan_device({"protocol": app, "external_id": issued, "unit": unit, "token": token})
    return device, [Binding(device.id, 0, now, unit, shift, now).change(), *changes]


def check_shift(roster: Roster, unit: UnitId) -> None:
    """A refusal if a device cannot be given to this unit for a shift."""
    if unit in roster.units and roster.units[unit].duty == "always":
        text = "this unit is on duty always: a device cannot be given to it for a shift"
        raise Refusal("no_shift", text, "该人员或车辆始终在岗，不能按班次绑定设备")


def _again(force: tuple[Binding, ...], end: int, number: int, now: int) -> list[Binding]:
    """What was in force at ``end`` and after it, told once more."""
    later = [binding for binding in force if binding.start > end]
    held = [binding for binding in force if binding.start <= end]
    found = [replace(held[-1], start=end)] if held else []
    return [replace(one, number=number + place, made=now) for place, one in enumerate([*found, *later], 1)]


def plan_shift_ends(roster: Roster, now: int) -> list[Change]:
    """Take back what was given for a shift that has ended: from its end on such a device is nobody's."""
    changes: list[Change] = []
    for device in list(roster.bindings.for_shifts):
        force = roster.bindings.in_force(device)
        if not force or not force[-1].shift or device not in roster.devices:
            continue
        ended = [
            duty.end for duty in roster.duties_of(force[-1].unit)
            if force[-1].start < duty.end <= now and duty.start < duty.end
        ]  # fmt: skip
        if ended:
            # Told as of then, so that it is no correction: what came since was off duty.
            changes += plan_binding(roster, device, NOBODY, min(ended))[1]
    return changes


def _changed(device: Device) -> tuple[Device, list[Change]]:
    return device, [("device", device.id, asdict(device))]
