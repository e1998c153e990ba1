"""The API: JSON under ``/api/v1``, described by ``/api/v1/openapi.json``. Nothing answers without a login.

A session comes as cookie (pages), as ``Authorization: Bearer`` (what login answered) or as Basic auth. Errors
are ``{"error": {"code", "text", "zh"}}``: a stable code, and what to do in two languages.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from datetime import datetime
from functools import wraps
from importlib import resources
from typing import Any

from klein import Klein
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from storage.bridge import as_deferred
from tracker import tracks
from tracker.areas import GeoJSONError, read_areas
from tracker.intake import StoreFailed
from tracker.model import Device, DeviceId, UnitId
from tracker.roster import WITHOUT_SECRET, Change, Refusal
from webmap import metrics
from webmap.health import health
from webmap.services import Services
from webmap.views import areas_geojson, unit_view

COOKIE = "session"
DEFAULT_SPAN_MS = 24 * 3_600_000
POINTS_LIMIT = 50_000
"""Points of one answer; ``next`` then says from where to go on."""

DEVICES_AT_ONCE = 1000
"""Devices of one list: with a person each they are still one commit, so all of them are in or none."""

_log = Logger(namespace="gridbeat.api")


class ApiError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, text: str, zh: str, entry: int = 0) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.zh, self.entry = status, code, text, zh, entry


def missing(what: str, zh: str) -> ApiError:
    return ApiError(404, "not_found", f"there is no such {what}", f"没有这个{zh}")


def answer(request: Any, value: Any, status: int = 200) -> bytes:
    """JSON, or bytes that are JSON already."""
    request.setResponseCode(status)
    request.setHeader("content-type", "application/json; charset=utf-8")
    request.setHeader("cache-control", "no-store")
    if not isinstance(value, bytes):
        # JSON can spell half a character, and an error may quote it.
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    request.setHeader("content-length", str(len(value)))
    body: bytes = value
    return body


def answer_error(request: Any, error: ApiError) -> bytes:
    if error.status == 401 and request.getHeader(b"x-requested-with") is None and not request.getCookie(b"session"):
        # Tools then ask for a password; a page would be covered by the browser's own box.
        request.setHeader("www-authenticate", 'Bearer realm="Gridbeat"')
    if error.status == 503:
        request.setHeader("retry-after", "5")
    return answer(request, {"error": error_view(error)}, error.status)


def error_view(error: ApiError | Refusal) -> dict[str, Any]:
    """An error as it is answered; ``entry`` is its place in the list that was sent, from 1."""
    view = {"code": error.code, "text": str(error), "zh": error.zh}
    return view | {"entry": error.entry} if error.entry else view


class Gate:
    """Who is asking."""

    def __init__(self, services: Services) -> None:
        self._services = services
        # argon2 takes 64 MB and 50 ms of a core each time: two at once leave the machine to the patrol.
        self._verifying = DeferredSemaphore(2)

    async def name(self, request: Any) -> str | None:
        """The account behind a request, or ``None``."""
        sessions = self._services.sessions
        header = header_of(request, b"authorization")
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer":
            return sessions.read(value.strip())
        if scheme.lower() == "basic":
            try:
                name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, ValueError):
                return None
            # Remembered ones are not for those who are guessing.
            if sessions.may_try(request.getClientAddress().host) and sessions.checked(name, password):
                return name
            return name if await self.verify(request, name, password) else None
        cookie = request.getCookie(COOKIE.encode())
        return sessions.read(cookie.decode("latin-1")) if cookie else None

    async def verify(self, request: Any, name: str, password: str) -> bool:
        """Check a password; raises :class:`ApiError` 429 after too many wrong ones from this address."""
        services, address = self._services, request.getClientAddress().host
        # Looked at when it is our turn: else a thousand tries at once would all be before the first failure.
        async with self._verifying:
            if not services.sessions.may_try(address):
                raise ApiError(
                    429, "too_many_tries", "too many wrong passwords; wait a minute", "密码错误次数过多，请一分钟后再试"
                )
            check = services.account.verify
            good = bool(await deferToThreadPool(services.reactor, services.pool, check, name, password))
            if good:
                services.sessions.remember(name, password)
            else:
                services.sessions.failed(address)
        return good


def guarded(gate: Gate, handler: Callable[..., Any]) -> Callable[..., Deferred[bytes]]:
    """The handler behind the login, its errors as answers."""

    async def run(request: Any, *args: Any, **kwargs: Any) -> bytes:
        if await gate.name(request) is None:
            raise ApiError(401, "login", "log in first: POST /api/v1/login", "请先登录")
        value = handler(request, *args, **kwargs)
        result: bytes = await value if isinstance(value, Coroutine | Deferred) else value
        return result

    return told(run)


def told(handler: Callable[..., Coroutine[Any, Any, bytes]]) -> Callable[..., Deferred[bytes]]:
    """Errors become answers that say what to do next."""

    async def run(request: Any, *args: Any, **kwargs: Any) -> bytes:
        try:
            return await handler(request, *args, **kwargs)
        except ApiError as error:
            return answer_error(request, error)
        except Refusal as refusal:
            status = 409 if refusal.code == "exists" else 404 if refusal.code == "no_device" else 422
            return answer_error(request, ApiError(status, refusal.code, str(refusal), refusal.zh, refusal.entry))
        except StoreFailed as failed:
            text, zh = "nothing was changed", "未作任何更改"
            if failed.written:
                text, zh = f"only the first {failed.written} changes are in", f"仅前 {failed.written} 项更改已写入"
            text = f"the disk does not take it now; {text}, try again"
            return answer_error(request, ApiError(503, "store", text, f"磁盘暂时无法写入，{zh}，请稍后重试"))
        except Exception:
            _log.failure("a request failed", path=request.path.decode("latin-1"))
            return answer_error(
                request, ApiError(500, "internal", "internal error; see the log", "内部错误，请查看日志")
            )

    @wraps(handler)
    def deferred(*args: Any, **kwargs: Any) -> Deferred[bytes]:
        return Deferred.fromCoroutine(run(*args, **kwargs))

    return deferred


def header_of(request: Any, name: bytes) -> str:
    """A header's text; empty if there is none. As text, twisted.web fails on bytes that are no UTF-8."""
    return (request.getHeader(name) or b"").decode("utf-8", "replace")


def body_of(request: Any) -> Any:
    """The JSON of a request. A form of another site cannot send this content type unasked: no request forgery."""
    kind = header_of(request, b"content-type").partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/geo+json"):
        raise ApiError(
            415, "content_type", "send JSON with content-type: application/json", "请以 application/json 发送 JSON"
        )
    try:
        return json.loads(request.content.read())
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_json", f"this is no JSON: {error}", f"不是有效的 JSON：{error}") from None


def time_of(services: Services, request: Any, name: str, default: int) -> int:
    """A time parameter: ms since 1970, or ISO 8601 (without an offset: the city's time)."""
    given = request.args.get(name.encode())
    if not given or not given[0]:
        return default
    text = given[0].decode("utf-8", "replace").strip().replace(" ", "+")
    try:
        if text.lstrip("-").isdigit():
            return int(text)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=services.city.zone)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ApiError(
            422, "bad_time", f"{name} must be milliseconds since 1970 or ISO 8601", f"{name} 须为毫秒时间戳或 ISO 8601"
        ) from None


def add_api(app: Klein, services: Services) -> None:
    """Put the routes on the console's app."""
    intake, roster, gate = services.intake, services.intake.roster, Gate(services)

    def route(method: str, path: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def put(handler: Callable[..., Any]) -> Callable[..., Any]:
            app.route(path, methods=[method], endpoint=f"{method} {path}")(guarded(gate, handler))
            return handler

        return put

    async def login(request: Any) -> bytes:
        given = body_of(request)
        name, password = (given.get(k) for k in ("name", "password")) if isinstance(given, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(password, str):
            raise ApiError(422, "bad_login", "send name and password", "请提供用户名和密码")
        if not await gate.verify(request, name, password):
            _log.info("login refused", address=request.getClientAddress().host)
            raise ApiError(401, "bad_login", "wrong name or password", "用户名或密码不正确")
        session = services.sessions.open(name)
        secure = "; Secure" if request.isSecure() else ""
        request.responseHeaders.addRawHeader(
            "set-cookie", f"{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800{secure}"
        )
        return answer(request, {"token": session, "name": name})

    app.route("/api/v1/login", methods=["POST"], endpoint="POST /api/v1/login")(told(login))

    @route("POST", "/api/v1/logout")
    def logout(request: Any) -> bytes:
        request.responseHeaders.addRawHeader("set-cookie", f"{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
        return answer(request, {})

    @route("GET", "/api/v1/units")
    def units(request: Any) -> bytes:
        return answer(request, {"units": [unit_view(intake, services.mirror, unit) for unit in roster.units]})

    @route("POST", "/api/v1/units")
    async def add_units(request: Any) -> bytes:
        given = body_of(request)
        wanted = given if isinstance(given, list) else given.get("units", [given]) if isinstance(given, dict) else None
        if not isinstance(wanted, list) or not all(isinstance(entry, dict) for entry in wanted):
            raise ApiError(422, "bad_units", "send a unit or a list of units", "请发送一个或一组人员、车辆")

        def plan() -> tuple[list[str], list[Change]]:
            changes = roster.plan_units(wanted)
            return [identity for kind, identity, _ in changes if kind == "unit"], changes

        added = await intake.change(plan)
        return answer(request, {"units": [unit_view(intake, services.mirror, UnitId(unit)) for unit in added]}, 201)

    def known_unit(unit: str) -> UnitId:
        if unit not in roster.units:
            raise missing("unit", "人员或车辆")
        return UnitId(unit)

    @route("GET", "/api/v1/units/<string:unit>")
    def unit(request: Any, unit: str) -> bytes:
        return answer(request, unit_view(intake, services.mirror, known_unit(unit)))

    @route("GET", "/api/v1/units/<string:unit>/track")
    async def track(request: Any, unit: str) -> bytes:
        identity = known_unit(unit)
        end = time_of(services, request, "to", services.wall() + 120_000)
        start = time_of(services, request, "from", end - DEFAULT_SPAN_MS)
        if start > end:
            raise ApiError(422, "bad_span", "from must not be after to", "开始时间不能晚于结束时间")
        try:
            judged = await as_deferred(services.tracks.read(identity, start, end))
        except tracks.TooMuch:
            text = f"more than {tracks.RECORDS_LIMIT} records: ask for a shorter span"
            raise ApiError(422, "too_much", text, "记录过多，请缩短时间范围") from None
        more = judged[POINTS_LIMIT][0].fix_time if len(judged) > POINTS_LIMIT else None

        def render() -> bytes:
            points = [tracks.view(*point) for point in judged[:POINTS_LIMIT]]
            value = {"unit": identity, "from": start, "to": end, "next": more, "points": points}
            return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

        # In a thread: a day has 17,000 points.
        return answer(request, await deferToThreadPool(services.reactor, services.pool, render))

    def device_view(device: DeviceId) -> dict[str, Any]:
        held = roster.devices[device]
        view = asdict(held) | {"networks": list(held.networks), "connected": services.links.connected(device)}
        view.pop("token_serial")
        return view

    @route("GET", "/api/v1/devices")
    def devices(request: Any) -> bytes:
        unknown = [
            {"protocol": protocol, "external_id": external, "times": times, "last": last}
            for (protocol, external), (times, last) in reversed(intake.unknown.items())
        ]
        return answer(request, {"devices": [device_view(device) for device in roster.devices], "unknown": unknown})

    @route("POST", "/api/v1/devices")
    async def add_device(request: Any) -> bytes:
        given = body_of(request)
        wanted = given if isinstance(given, list) else [given]
        if not all(isinstance(entry, dict) for entry in wanted) or len(wanted) > DEVICES_AT_ONCE:
            text = f"send one device as a JSON object, or a list of up to {DEVICES_AT_ONCE}"
            raise ApiError(
                422, "bad_device", text, f"请以 JSON 对象发送一个设备，或至多 {DEVICES_AT_ONCE} 个设备的列表"
            )
        if wanted is not given:
            return answer(request, registered(await intake.change(lambda: roster.plan_device(given))), 201)
        results = await intake.change(lambda: roster.plan_devices(wanted))
        made = [{"error": error_view(one)} if isinstance(one, Refusal) else registered(one) for one in results]
        return answer(request, {"devices": made}, 207 if any("error" in one for one in made) else 201)

    def registered(device: Device) -> dict[str, Any]:
        intake.unknown.pop((device.protocol, device.external_id), None)
        token = None if device.protocol in WITHOUT_SECRET else intake.tokens.token(device)
        return device_view(device.id) | {"token": token}

    @route("POST", "/api/v1/devices/<string:device>/token")
    async def renew(request: Any, device: str) -> bytes:
        renewed = await intake.change(lambda: roster.plan_token(DeviceId(device)))
        return answer(request, device_view(renewed.id) | {"token": intake.tokens.token(renewed)})

    @route("POST", "/api/v1/devices/<string:device>/commands")
    def command(request: Any, device: str) -> bytes:
        if device not in roster.devices:
            raise missing("device", "设备")
        given = body_of(request)
        if not isinstance(given, dict) or given.get("kind") != "locate":
            raise ApiError(422, "bad_command", 'kind must be "locate"', "kind 须为 locate")
        sent = services.links.locate(DeviceId(device))
        if sent is None:
            text = "the device is not connected; try again when it is online"
            raise ApiError(409, "not_connected", text, "设备未连接，请在其上线后重试")
        return answer(request, services.links.view(sent), 202)

    @route("GET", "/api/v1/commands/<string:command>")
    def command_state(request: Any, command: str) -> bytes:
        sent = services.links.command(command)
        if sent is None:
            raise missing("command", "指令")
        return answer(request, services.links.view(sent))

    @route("GET", "/api/v1/grids")
    def grids(request: Any) -> bytes:
        return answer(request, areas_geojson(roster))

    @route("POST", "/api/v1/grids")
    async def add_grids(request: Any) -> bytes:
        document = body_of(request)
        try:
            areas = await deferToThreadPool(services.reactor, services.pool, read_areas, document)
        except GeoJSONError as error:
            raise ApiError(422, "bad_geojson", str(error), f"GeoJSON 无法使用：{error}") from None
        await intake.change(lambda: (None, roster.plan_areas(areas)))
        levels = [area.level for area in areas]
        return answer(request, {"grids": levels.count("grid"), "cells": levels.count("cell")}, 201)

    @route("GET", "/api/v1/basemap")
    def basemap(request: Any) -> bytes:
        return answer(request, services.city.basemap)

    @route("GET", "/api/v1/counters")
    def counters(request: Any) -> bytes:
        pipeline = services.applier.pipeline
        doubts = {(doubt.name or "").lower(): number for doubt, number in pipeline.doubted.items()}
        doubts["duplicate"] = pipeline.duplicates
        return answer(
            request,
            {"protocols": intake.counters.view(), "kept_aside": doubts, "unknown_devices": len(intake.unknown)},
        )

    @route("GET", "/api/v1/openapi.json")
    def openapi(request: Any) -> bytes:
        return answer(request, resources.files("webmap").joinpath("openapi.json").read_bytes())

    @route("GET", "/healthz")
    def healthz(request: Any) -> bytes:
        view = health(services)
        return answer(request, view, 200 if view["status"] == "ok" else 503)

    @route("GET", "/metrics")
    def numbers(request: Any) -> bytes:
        body = metrics.render(services)
        request.setHeader("content-type", metrics.CONTENT_TYPE)
        return body
