"""The routes of devices: registered, amended, given to somebody, shown their token once, shut out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

from protocols.phone_setup import APPS
from tracker.bindings import NOBODY
from tracker.catalogue import CATALOGUE
from tracker.device_plans import plan_binding, plan_revocation, plan_token
from tracker.model import Device, DeviceId, UnitId
from tracker.roster import Change, Refusal, Roster
from tracker.tokens import hashed, new_token
from webmap.access import address_of
from webmap.phone_api import base_of, setup_view
from webmap.reach import device_within, plan_device, plan_devices, unit_within
from webmap.rights import Action, Scope
from webmap.routes import LIST_LIMIT, ApiError, Route, answer, body_of, error_view, moment_of, who_of
from webmap.services import Services

DEVICES_AT_ONCE = 1000
"""Devices of one list: with a person each they are still one commit, so all of them are in or none."""


def add_devices(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    intake, roster = services.intake, services.intake.roster

    def view(request: Any, device: Device) -> dict[str, Any]:
        who = who_of(request)
        told = device_view(roster, who.scope(Action.DEVICES), device, secrets=who.may(Action.DEVICES_CHANGE))
        return told | {"connected": services.links.connected(device.id)}

    def reached(request: Any, action: Action, device: str) -> DeviceId:
        found = device_within(roster, who_of(request).scope(action), device)
        if found is None:
            raise Refusal("no_device", f"there is no device {device!r}", f"没有编号为 {device} 的设备")
        return found.id

    def shown(request: Any, device: Device, token: str, base: str | None) -> dict[str, Any]:
        """A device with what it proves itself with, which nobody is told again."""
        secret = token if CATALOGUE[device.protocol].secret else None
        told = view(request, device) | {"external_id": device.external_id, "token": secret}
        if base is not None and device.protocol in APPS:
            told["setup"] = setup_view(device.protocol, base, device.external_id, secret)
        return told

    @route("GET", "/api/v1/devices", Action.DEVICES)
    def devices(request: Any) -> bytes:
        who = who_of(request)
        scope, adopts = who.scope(Action.DEVICES), who.may(Action.DEVICES_CHANGE)
        found = [view(request, device) for device in roster.devices.values() if device_within(roster, scope, device.id)]
        unknown = [
            {"protocol": protocol, "external_id": external, "times": times, "last": last}
            for (protocol, external), (times, last) in reversed(intake.unknown.items())
            if adopts
        ]
        return answer(request, {"devices": found, "unknown": unknown})

    @route("POST", "/api/v1/devices", Action.DEVICES_CHANGE)
    async def add_device(request: Any) -> bytes:
        given = body_of(request, LIST_LIMIT)
        wanted = given if isinstance(given, list) else [given]
        if not all(isinstance(entry, dict) for entry in wanted) or len(wanted) > DEVICES_AT_ONCE:
            text = f"send one device as a JSON object, or a list of up to {DEVICES_AT_ONCE}"
            raise ApiError(
                422, "bad_device", text, f"请以 JSON 对象发送一个设备，或至多 {DEVICES_AT_ONCE} 个设备的列表"
            )
        scope = who_of(request).scope(Action.DEVICES_CHANGE)
        tokens = [new_token() for _ in wanted]
        bases = [base_of(entry["base"]) if entry.get("base") is not None else None for entry in wanted]
        wanted = [{**entry, "token": hashed(token)} for entry, token in zip(wanted, tokens, strict=True)]

        def registered(device: Device, number: int) -> dict[str, Any]:
            intake.unknown.pop((device.protocol, device.external_id), None)
            return shown(request, device, tokens[number], bases[number])

        if isinstance(given, dict):
            device = await intake.change(lambda: plan_device(roster, scope, wanted[0]))
            request.concerns = device.unit
            return answer(request, registered(device, 0), 201)
        results = await intake.change(lambda: plan_devices(roster, scope, wanted))
        made = [
            {"error": error_view(one)} if isinstance(one, Refusal) else registered(one, number)
            for number, one in enumerate(results)
        ]
        return answer(request, {"devices": made}, 207 if any("error" in one for one in made) else 201)

    @route("GET", "/api/v1/devices/<string:device>", Action.DEVICES)
    def one(request: Any, device: str) -> bytes:
        return answer(request, view(request, roster.devices[reached(request, Action.DEVICES, device)]))

    @route("PATCH", "/api/v1/devices/<string:device>", Action.DEVICES_CHANGE)
    async def amend(request: Any, device: str) -> bytes:
        identity, given = reached(request, Action.DEVICES_CHANGE, device), body_of(request)
        if not isinstance(given, dict):
            raise ApiError(422, "bad_change", "send the changes as a JSON object", "请以 JSON 对象发送修改")
        before = roster.devices[identity].networks
        amended = await intake.change(lambda: roster.plan_amendment(identity, given))
        if amended.networks != before:
            services.links.cut(identity)  # it comes again, if it may from where it is
        return answer(request, view(request, amended))

    @route("POST", "/api/v1/devices/<string:device>/token", Action.DEVICES_CHANGE)
    async def renew(request: Any, device: str) -> bytes:
        identity, given = reached(request, Action.DEVICES_CHANGE, device), _optional(request)
        base = base_of(given["base"]) if given.get("base") is not None else None
        token = new_token()
        renewed = await intake.change(lambda: plan_token(roster, identity, hashed(token)))
        services.links.cut(identity)
        return answer(request, shown(request, renewed, token, base))

    @route("DELETE", "/api/v1/devices/<string:device>/token", Action.DEVICES_CHANGE)
    async def revoke(request: Any, device: str) -> bytes:
        identity = reached(request, Action.DEVICES_CHANGE, device)
        revoked = await intake.change(lambda: plan_revocation(roster, identity))
        services.links.cut(identity)
        return answer(request, view(request, revoked))

    @route("POST", "/api/v1/devices/<string:device>/binding", Action.ENROL)
    async def bind(request: Any, device: str) -> bytes:
        identity, given = reached(request, Action.ENROL, device), body_of(request)
        scope = who_of(request).scope(Action.ENROL)
        if not isinstance(given, dict) or "unit" not in given or type(given.get("shift", False)) is not bool:
            text = "send unit (null for nobody), and from, to and shift if you like"
            raise ApiError(422, "bad_binding", text, "请提供 unit（null 表示收回），可另提供 from、to、shift")
        unit = UnitId(str(given["unit"] or ""))
        start, end = (moment_of(services, given.get(name), name) for name in ("from", "to"))
        if unit != NOBODY and unit_within(roster, scope, unit) is None:
            raise Refusal("no_unit", f"there is no unit {unit!r}", f"没有编号为 {unit} 的人员或车辆")
        _reaches_back(roster, scope, identity, start)

        def plan() -> tuple[Device, list[Change]]:
            shift = bool(given.get("shift", False))
            return plan_binding(roster, identity, unit, services.wall(), start, end, shift=shift)

        bound = await intake.change(plan)
        services.access.looked(who_of(request), "grant", unit, address=address_of(request), device=identity)
        return answer(request, view(request, bound))


def device_view(roster: Roster, scope: Scope, device: Device, *, secrets: bool) -> dict[str, Any]:
    """A device as the API tells of it. ``bindings``: who carried it, as far as the scope goes. ``secrets``: with ids
    that let in whoever knows them."""
    entry = CATALOGUE[device.protocol]
    told = asdict(device) | {"networks": list(device.networks), "commands": list(entry.commands)}
    for name in ("token", "next", "token_serial"):
        del told[name]
    told["unit"] = device.unit or None
    if entry.issued and not entry.secret and not secrets:
        told["external_id"] = None
    force = roster.bindings.in_force(device.id)
    ends = [binding.start for binding in force[1:]]
    told["shift"] = bool(force) and force[-1].shift
    told["bindings"] = [
        {"unit": binding.unit, "from": binding.start, "to": end, "shift": binding.shift}
        for binding, end in zip_longest(force, ends)
        if unit_within(roster, scope, binding.unit) is not None
    ]
    return told


def _reaches_back(roster: Roster, scope: Scope, device: DeviceId, start: int | None) -> None:
    """Whose a device was in the past is changed by who reaches all those whose it was."""
    if start is None or scope.everything:
        return
    carried = [binding.unit for binding in roster.bindings.of(device)] or [roster.devices[device].unit]
    if any(unit != NOBODY and unit_within(roster, scope, unit) is None for unit in carried):
        text = "somebody else carried the device then: ask an admin to correct it"
        raise Refusal("out_of_reach", text, "该设备当时由您管辖范围以外的人员使用，请联系管理员更正")


def _optional(request: Any) -> Mapping[str, Any]:
    """The JSON object of a request that may come without a body."""
    if not request.content.read(1):
        return {}
    request.content.seek(0)
    given = body_of(request)
    return given if isinstance(given, dict) else {}
