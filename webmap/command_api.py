"""The routes of commands to devices, and of the photos that come of them. docs/commands.md is for their callers."""

from __future__ import annotations

from typing import Any

from dispatch.media import Sort
from tracker.catalogue import CATALOGUE
from tracker.commands_arguments import expiry, read
from tracker.commands_jt808 import downlink
from tracker.commands_model import Command, State
from tracker.media import JPEG, Photo, type_of
from tracker.roster import Refusal
from webmap.access import address_of
from webmap.evidence_api import SHA, copy
from webmap.reach import device_reached, device_within, unit_within
from webmap.rights import Action, Scope
from webmap.routes import ApiError, Route, answer, body_of, missing, who_of
from webmap.services import Services

LISTED, LISTED_MOST = 50, 1000
"""Entries of one answer, unless asked for otherwise, and at most."""

_CHECKS = {"jt808": downlink}
"""Protocols that judge a command's arguments themselves, by making the message."""


def command_view(command: Command) -> dict[str, Any]:
    """A command as the API shows it. Times in ms since 1970 UTC."""
    state = State.SENT if command.state is State.ACCEPTED else command.state
    result = command.result
    if result is not None and "photos" in result:
        result = {"photos": [{**photo, "url": f"/api/v1/photos/{photo['id']}"} for photo in result["photos"]]}
    return {
        "id": command.id, "device": command.device, "kind": command.kind, "arguments": command.arguments,
        "state": state, "created": command.created, "expires": command.expires, "sent": command.sent,
        "tries": command.tries, "answered": command.answered, "text": command.text, "zh": command.zh,
        "result": result,
    }  # fmt: skip


def photo_view(photo: Photo) -> dict[str, Any]:
    """A photo as the API lists it."""
    return {
        "id": photo.id, "device": photo.device, "unit": photo.unit, "command": photo.command,
        "media_id": photo.media_id, "channel": photo.channel, "event": photo.event, "taken": photo.taken,
        "received": photo.received, "size": photo.size, "type": photo.type, "url": f"/api/v1/photos/{photo.id}",
    }  # fmt: skip


def add_commands(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    roster = services.intake.roster

    def limit_of(request: Any) -> int:
        given = (request.args.get(b"limit") or [b""])[0].decode("ascii", "replace")
        if given and not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= LISTED_MOST):
            raise ApiError(
                422, "bad_limit", f"limit must be a number from 1 to {LISTED_MOST}", f"limit 须为 1 至 {LISTED_MOST}"
            )
        return int(given) if given else LISTED

    def shown(scope: Scope, command: Command) -> bool:
        """Whether a command may be read: what was said to whoever carried the device then is not said to the next."""
        unit = roster.carried_by(command.device, command.created)
        return scope.everything or unit_within(roster, scope, unit) is not None

    def command_of(request: Any, action: Action, id: str) -> Command:
        command, scope = services.links.commands.get(id), who_of(request).scope(action)
        if command is None or device_within(roster, scope, command.device) is None or not shown(scope, command):
            raise missing("command", "指令")
        return command

    @route("POST", "/api/v1/devices/<string:device>/commands", Action.COMMAND)
    async def ask(request: Any, device: str) -> bytes:
        identity, given = device_reached(services, request, Action.COMMAND, device).id, body_of(request)
        if not isinstance(given, dict):
            raise ApiError(422, "bad_command", "send a command as a JSON object", "请以 JSON 对象发送指令")
        kind = given.get("kind")
        arguments = read(kind, {name: value for name, value in given.items() if name not in ("kind", "expires_s")})
        protocol = roster.devices[identity].protocol
        if kind not in CATALOGUE[protocol].commands:
            known_kinds = ", ".join(CATALOGUE[protocol].commands) or "none"
            text = f"devices of {protocol} cannot do {kind}; known to them: {known_kinds}"
            raise ApiError(422, "not_supported", text, f"{protocol} 设备不支持 {kind}，可用：{known_kinds}")
        seconds = expiry(kind, arguments, given.get("expires_s"))
        if protocol in _CHECKS:
            _CHECKS[protocol](kind, arguments)
        blobs = services.links.photos.blobs
        if kind == "photo" and blobs.full:
            blobs.recount()
            text = "there is no room for photos: the limit is reached or the disk is filling up"
            raise ApiError(507, "media_full", text, "照片存储空间已满，或磁盘空间不足")
        # Before it goes out: who has somebody's place or cabin looked at is on record.
        who, address, unit = who_of(request), address_of(request), roster.devices[identity].unit
        await services.access.record(who, "command", [unit], address=address, device=identity, kind=str(kind))
        try:
            command = await services.links.ask(identity, kind, arguments, seconds)
        except Refusal as refusal:
            raise ApiError(
                409 if refusal.code == "queue_full" else 422, refusal.code, str(refusal), refusal.zh
            ) from None
        return answer(request, command_view(command), 202)

    @route("GET", "/api/v1/devices/<string:device>/commands", Action.DEVICES)
    def listed(request: Any, device: str) -> bytes:
        identity = device_reached(services, request, Action.DEVICES, device).id
        commands, scope = services.links.commands.of(identity, limit_of(request)), who_of(request).scope(Action.DEVICES)
        return answer(request, {"commands": [command_view(command) for command in commands if shown(scope, command)]})

    @route("GET", "/api/v1/commands/<string:command>", Action.DEVICES)
    def state(request: Any, command: str) -> bytes:
        return answer(request, command_view(command_of(request, Action.DEVICES, command)))

    @route("DELETE", "/api/v1/commands/<string:command>", Action.COMMAND)
    async def cancel(request: Any, command: str) -> bytes:
        command_of(request, Action.COMMAND, command)
        try:
            cancelled = await services.links.cancel(command)
        except Refusal as refusal:
            raise ApiError(409, refusal.code, str(refusal), refusal.zh) from None
        return answer(request, command_view(cancelled))

    async def picture(request: Any, id: str) -> bytes:
        photo = services.links.photos.index.get(id)
        # Whoever carried the device then is in it, whoever carries it now.
        if photo is None or unit_within(roster, who_of(request).scope(Action.PHOTOS), photo.unit) is None:
            raise missing("photo", "照片")
        try:
            data = await services.links.photos.blobs.read(photo.name)
        except FileNotFoundError:
            raise missing("file of this photo any more", "照片文件") from None
        who, address = who_of(request), address_of(request)
        await services.access.record(who, "photo", [photo.unit], address=address, photo=photo.id)
        kind = type_of(data)
        request.setHeader("content-type", kind)
        request.setHeader("content-length", str(len(data)))
        request.setHeader("x-content-type-options", "nosniff")
        request.setHeader("content-security-policy", "default-src 'none'; sandbox")
        request.setHeader("cache-control", "private, max-age=86400, immutable")
        if kind != JPEG:
            request.setHeader("content-disposition", f'attachment; filename="{photo.id}.bin"')
        return data

    @route("GET", "/api/v1/devices/<string:device>/photos", Action.PHOTOS)
    def photos(request: Any, device: str) -> bytes:
        scope = who_of(request).scope(Action.PHOTOS)
        identity = device_reached(services, request, Action.PHOTOS, device).id
        listed = services.links.photos.index.of(identity, limit_of(request))
        found = [photo for photo in listed if unit_within(roster, scope, photo.unit) is not None]
        return answer(request, {"photos": [photo_view(photo) for photo in found]})

    @route("GET", "/api/v1/photos/<string:photo>", Action.TASKS)
    async def photo_file(request: Any, photo: str) -> bytes:
        """Of a task or a report by its SHA-256, as a copy; of a vehicle's camera by its id, as it came."""
        if len(photo) == SHA:
            return await copy(services, request, photo, Sort.PHOTO)
        if not who_of(request).may(Action.PHOTOS):
            raise missing("photo", "照片")
        return await picture(request, photo)

    @route("GET", "/api/v1/commands/<string:command>/photo/<string:number>", Action.PHOTOS)
    async def command_photo(request: Any, command: str, number: str) -> bytes:
        taken = (command_of(request, Action.PHOTOS, command).result or {}).get("photos", ())
        if not (number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= len(taken)):
            raise missing("photo", "照片")
        return await picture(request, taken[int(number) - 1]["id"])
