"""The routes of devices."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tracker.catalogue import CATALOGUE
from tracker.model import Device, DeviceId
from tracker.roster import Refusal
from webmap.reach import device_within, plan_device, plan_devices
from webmap.rights import Action
from webmap.routes import ApiError, Route, answer, body_of, error_view, who_of
from webmap.services import Services

DEVICES_AT_ONCE = 1000
"""Devices of one list: with a person each they are still one commit, so all of them are in or none."""


def add_devices(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    intake, roster = services.intake, services.intake.roster

    def device_view(device: DeviceId) -> dict[str, Any]:
        held = roster.devices[device]
        view = asdict(held) | {"networks": list(held.networks), "connected": services.links.connected(device)}
        view |= {"commands": list(CATALOGUE[held.protocol].commands)}
        view.pop("token_serial")
        return view

    def reached(request: Any, action: Action, device: str) -> DeviceId:
        found = device_within(roster, who_of(request).scope(action), device)
        if found is None:
            raise Refusal("no_device", f"there is no device {device!r}", f"没有编号为 {device} 的设备")
        return found.id

    @route("GET", "/api/v1/devices", Action.DEVICES)
    def devices(request: Any) -> bytes:
        who = who_of(request)
        scope, adopts = who.scope(Action.DEVICES), who.may(Action.DEVICES_CHANGE)
        found = [device.id for device in roster.devices.values() if scope.covers(roster.units[device.unit])]
        unknown = [
            {"protocol": protocol, "external_id": external, "times": times, "last": last}
            for (protocol, external), (times, last) in reversed(intake.unknown.items())
            if adopts
        ]
        return answer(request, {"devices": [device_view(device) for device in found], "unknown": unknown})

    @route("POST", "/api/v1/devices", Action.DEVICES_CHANGE)
    async def add_device(request: Any) -> bytes:
        given = body_of(request)
        wanted = given if isinstance(given, list) else [given]
        if not all(isinstance(entry, dict) for entry in wanted) or len(wanted) > DEVICES_AT_ONCE:
            text = f"send one device as a JSON object, or a list of up to {DEVICES_AT_ONCE}"
            raise ApiError(
                422, "bad_device", text, f"请以 JSON 对象发送一个设备，或至多 {DEVICES_AT_ONCE} 个设备的列表"
            )
        scope = who_of(request).scope(Action.DEVICES_CHANGE)
        if wanted is not given:
            return answer(request, registered(await intake.change(lambda: plan_device(roster, scope, given))), 201)
        results = await intake.change(lambda: plan_devices(roster, scope, wanted))
        made = [{"error": error_view(one)} if isinstance(one, Refusal) else registered(one) for one in results]
        return answer(request, {"devices": made}, 207 if any("error" in one for one in made) else 201)

    def registered(device: Device) -> dict[str, Any]:
        intake.unknown.pop((device.protocol, device.external_id), None)
        token = intake.tokens.token(device) if CATALOGUE[device.protocol].secret else None
        return device_view(device.id) | {"token": token}

    @route("GET", "/api/v1/devices/<string:device>", Action.DEVICES)
    def one(request: Any, device: str) -> bytes:
        return answer(request, device_view(reached(request, Action.DEVICES, device)))

    @route("PATCH", "/api/v1/devices/<string:device>", Action.DEVICES_CHANGE)
    async def amend(request: Any, device: str) -> bytes:
        identity, given = reached(request, Action.DEVICES_CHANGE, device), body_of(request)
        if not isinstance(given, dict):
            raise ApiError(422, "bad_change", "send the changes as a JSON object", "请以 JSON 对象发送修改")
        amended = await intake.change(lambda: roster.plan_amendment(identity, given))
        return answer(request, device_view(amended.id))

    @route("POST", "/api/v1/devices/<string:device>/token", Action.DEVICES_CHANGE)
    async def renew(request: Any, device: str) -> bytes:
        identity = reached(request, Action.DEVICES_CHANGE, device)
        renewed = await intake.change(lambda: roster.plan_token(identity))
        return answer(request, device_view(renewed.id) | {"token": intake.tokens.token(renewed)})
