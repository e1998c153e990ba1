"""Whom a request reaches, and what somebody who is narrowed to streets and teams may add and amend.

What is out of reach is answered exactly like what does not exist: by the same error, with the same words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tracker.catalogue import ALIASES, CATALOGUE
from tracker.model import Area, AreaId, Device, DeviceId, Unit, UnitId
from tracker.roster import Change, Refusal, Roster
from webmap.rights import Action, Scope, Who, with_street
from webmap.routes import missing, who_of
from webmap.services import Services


def unit_within(roster: Roster, scope: Scope, unit: str) -> Unit | None:
    """The unit, if there is one and it is within the scope."""
    found = roster.units.get(UnitId(unit))
    return found if found is not None and scope.covers(found) else None


def device_within(roster: Roster, scope: Scope, device: str) -> Device | None:
    """The device, if there is one and its unit is within the scope."""
    found = roster.devices.get(DeviceId(device))
    if found is None or (not found.unit and scope.everything):
        return found  # one that was taken back is nobody's, and the whole city's
    return found if unit_within(roster, scope, found.unit) is not None else None


def reached(services: Services, request: Any, action: Action, unit: str) -> UnitId:
    """The unit that a request names, if whoever asks reaches it with this; else 404, as for one that does not exist."""
    found = unit_within(services.intake.roster, who_of(request).scope(action), unit)
    if found is None:
        raise missing("unit", "人员或车辆")
    return found.id


def device_reached(services: Services, request: Any, action: Action, device: str) -> Device:
    """The same for a device, which is reached through its unit."""
    found = device_within(services.intake.roster, who_of(request).scope(action), device)
    if found is None:
        raise missing("device", "设备")
    return found


def own_grid(roster: Roster, who: Who) -> str:
    """The grid of the person that an account is of; empty without one."""
    unit = roster.units.get(who.unit)
    return unit.grid if unit is not None else ""


# -- what somebody narrowed may add and amend


def units_wanted(roster: Roster, scope: Scope, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Units to add or amend, with the labels that keep them within the scope. Who is narrowed chooses no ids: an id
    that is taken out of reach could not be told from a free one. Raises :class:`Refusal`."""
    if scope.everything:
        return wanted
    found = []
    for number, fields in enumerate(wanted, 1):
        try:
            identity = str(fields.get("id") or "")
            if identity and unit_within(roster, scope, identity) is None:
                raise _no_unit(identity)
            vehicle = str(fields.get("vehicle") or "")
            if vehicle and unit_within(roster, scope, vehicle) is None:
                raise _no_unit(vehicle)
            found.append(_labelled(scope, fields))
        except Refusal as refusal:
            refusal.entry = number
            raise
    return found


def plan_device(roster: Roster, scope: Scope, wanted: Mapping[str, Any]) -> tuple[Device, list[Change]]:
    """:meth:`Roster.plan_device` for what is within the scope."""
    if scope.everything:
        return roster.plan_device(wanted)
    try:
        return roster.plan_device(_device_wanted(roster, scope, wanted))
    except Refusal as refusal:
        raise _untold(roster, scope, wanted, refusal) from None


def plan_devices(
    roster: Roster, scope: Scope, wanted: list[dict[str, Any]]
) -> tuple[list[Device | Refusal], list[Change]]:
    """:meth:`Roster.plan_devices` for what is within the scope; what is not is refused where it stands."""
    if scope.everything:
        return roster.plan_devices(wanted)
    results: dict[int, Device | Refusal] = {}
    judged: dict[int, Mapping[str, Any]] = {}
    for number, fields in enumerate(wanted, 1):
        try:
            judged[number] = _device_wanted(roster, scope, fields)
        except Refusal as refusal:
            results[number] = refusal
    made, changes = roster.plan_devices(judged.values())
    for number, one in zip(judged, made, strict=True):
        results[number] = one if isinstance(one, Device) else _untold(roster, scope, judged[number], one)
    for number, result in results.items():
        if isinstance(result, Refusal):
            result.entry = number
    return [results[number] for number in sorted(results)], changes


def areas_wanted(roster: Roster, scope: Scope, areas: list[Area]) -> list[Area]:
    """Grids and cells to put in, all of them within the scope, as must be those in whose place they come. Raises
    :class:`Refusal`. That an id is taken cannot be hidden: two areas cannot share one."""
    if scope.everything or not scope.streets:
        return areas
    one = next(iter(scope.streets)) if len(scope.streets) == 1 else ""
    labelled = [replace(area, street=one) if one and area.level == "grid" and not area.street else area
                for area in areas]  # fmt: skip
    theirs = {area.id: area for area in labelled}
    for number, area in enumerate(labelled, 1):
        before = roster.areas.get(area.id)
        parent = theirs.get(AreaId(area.parent)) or roster.areas.get(AreaId(area.parent))
        refusal = None
        if not scope.covers_area(with_street(area, parent)):
            refusal = _outside("street", scope.streets)
        elif before is not None and not scope.covers_area(with_street(before, roster.areas.get(AreaId(before.parent)))):
            refusal = Refusal("taken", f"the id {area.id!r} cannot be used", f"编号 {area.id} 不能使用")
        if refusal is not None:
            refusal.entry = number
            raise refusal
    return labelled


def _no_unit(unit: str) -> Refusal:
    return Refusal("no_unit", f"there is no unit {unit!r}", f"没有编号为 {unit} 的人员或车辆")


def _outside(key: str, labels: Iterable[str]) -> Refusal:
    known = ", ".join(sorted(labels))
    return Refusal("out_of_reach", f"{key} must be one of your account's: {known}", f"{key} 须在账号范围内：{known}")


def _labelled(scope: Scope, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What is wanted of a unit, with the account's label where none is given and there is only one."""
    found = dict(fields)
    for key, labels in (("street", scope.streets), ("team", scope.teams)):
        if not labels:
            continue
        given = str(fields.get(key) or "").strip()[:100]
        if not given and len(labels) == 1:
            (given,) = labels
        if given not in labels:
            raise _outside(key, labels)
        found[key] = given
    return found


def _device_wanted(roster: Roster, scope: Scope, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    unit = str(wanted.get("unit") or "")
    if not unit:
        return _labelled(scope, wanted)
    if unit_within(roster, scope, unit) is None:
        raise _no_unit(unit)
    return wanted


def _untold(roster: Roster, scope: Scope, wanted: Mapping[str, Any], refusal: Refusal) -> Refusal:
    """A refusal that names nobody out of reach: which device has this id already is nobody else's business."""
    if refusal.code != "exists":
        return refusal
    protocol = str(wanted.get("protocol", "")).strip().lower()
    protocol = ALIASES.get(protocol, protocol)
    external = CATALOGUE[protocol].normal(str(wanted.get("external_id") or "").strip())
    held = roster.find(protocol, external)
    if held is None or scope.covers(held.unit):
        return refusal
    return Refusal("exists", "a device with this id cannot be registered", "该编号的设备不能登记")
