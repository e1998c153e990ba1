"""The routes of roll calls: ask a group, watch the answers come in, take the list away."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tracker.export_files import cell
from tracker.model import Unit, UnitId
from tracker.roll_call import ANSWERED, Asked, Reply, RollCall
from tracker.roster import Refusal
from webmap.access import address_of
from webmap.rights import Action, Scope
from webmap.routes import ApiError, Route, answer, body_of, missing, who_of
from webmap.services import Services

_FULL = {"calls_full": 409}
_KEYS = ("street", "team", "grid")
_WORDS = {
    Reply.ASKED: "已询问 asked", Reply.OFFLINE: "离线 offline", Reply.NO_DEVICE: "无可询问的设备 no device to ask",
    Reply.POSITION: "已定位 located", Reply.CONFIRMED: "已到岗 confirmed", Reply.SILENT: "无应答 silent",
}  # fmt: skip


def add_roll_calls(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    roster = services.intake.roster

    def scope_of(request: Any) -> Scope:
        return who_of(request).scope(Action.ROLL_CALL)

    def reached(call: RollCall, scope: Scope) -> dict[UnitId, tuple[Unit, Asked]]:
        """The units of a call that somebody may know of."""
        found = ((roster.units.get(one.unit), one) for one in call.units.values())
        return {unit.id: (unit, one) for unit, one in found if unit is not None and scope.covers(unit)}

    def call_of(request: Any, id: str) -> tuple[RollCall, dict[UnitId, tuple[Unit, Asked]]]:
        services.roll_calls.look()
        call = services.roll_calls.book.get(id)
        units = {} if call is None else reached(call, scope_of(request))
        if call is None or not units:
            raise missing("roll call", "点名")
        who = who_of(request)
        if who.name != call.by:
            services.access.looked(who, "roll_call", address=address_of(request), call=id)
        return call, units

    @route("POST", "/api/v1/roll-calls", Action.ROLL_CALL)
    async def ask(request: Any) -> bytes:
        given, scope, who = body_of(request), scope_of(request), who_of(request)
        if not isinstance(given, dict) or given.keys() - {"units", "seconds", "off_duty", *_KEYS}:
            text = "send units, or street, team and grid, and besides seconds and off_duty"
            raise ApiError(422, "bad_roll_call", text, "请发送 units，或 street、team、grid；另可有 seconds、off_duty")
        units = _wanted(given, [unit for unit in roster.units.values() if scope.covers(unit)])
        if given.get("off_duty") is not True:
            now = services.wall()
            units = [unit for unit in units if roster.on_duty(unit.id, now) is not None]
        about = {key: given[key] for key in _KEYS if given.get(key)}
        # Before the first position comes in: who asks where people are is on record.
        await services.access.record(who, "roll_call", [unit.id for unit in units], address=address_of(request))
        try:
            call = await services.roll_calls.call([unit.id for unit in units], who.name, given.get("seconds"), about)
        except Refusal as refusal:
            raise ApiError(_FULL.get(refusal.code, 422), refusal.code, str(refusal), refusal.zh) from None
        return answer(request, whole_view(services, call, reached(call, scope)), 201)

    @route("GET", "/api/v1/roll-calls", Action.ROLL_CALL)
    def listed(request: Any) -> bytes:
        services.roll_calls.look()
        scope = scope_of(request)
        calls = [(call, reached(call, scope)) for call in services.roll_calls.book.all()]
        return answer(request, {"roll_calls": [head_view(call, units) for call, units in calls if units]})

    @route("GET", "/api/v1/roll-calls/<string:call>", Action.ROLL_CALL)
    def one(request: Any, call: str) -> bytes:
        return answer(request, whole_view(services, *call_of(request, call)))

    @route("GET", "/api/v1/roll-calls/<string:call>/csv", Action.ROLL_CALL)
    def table(request: Any, call: str) -> bytes:
        found, units = call_of(request, call)
        body = _table(services, units).encode("utf-8-sig")  # without the mark, office programs take it for GBK
        request.setHeader("content-type", "text/csv; charset=utf-8")
        request.setHeader(
            "content-disposition", f'attachment; filename="roll-call-{_moment(services, found.asked)}.csv"'
        )
        request.setHeader("content-length", str(len(body)))
        request.setHeader("cache-control", "no-store")
        request.setHeader("x-content-type-options", "nosniff")
        return body


def _wanted(given: Mapping[str, Any], units: list[Unit]) -> list[Unit]:
    """The units that are meant, of those within reach."""
    listed = given.get("units")
    if listed is not None:
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise ApiError(422, "bad_roll_call", "units must be a list of ids", "units 须为编号列表")
        known = {str(unit.id): unit for unit in units}
        strange = next((one for one in listed if one not in known), None)
        if strange is not None:
            raise ApiError(422, "no_unit", f"there is no unit {strange!r}", f"没有编号为 {strange} 的人员或车辆")
        units = [known[one] for one in dict.fromkeys(listed)]
    for key in _KEYS:
        value = given.get(key)
        if value is not None and not isinstance(value, str):
            raise ApiError(422, "bad_roll_call", f"{key} must be a text", f"{key} 须为文本")
        if value:
            units = [unit for unit in units if getattr(unit, key) == value]
    return units


def head_view(call: RollCall, units: Mapping[UnitId, tuple[Unit, Asked]]) -> dict[str, Any]:
    """A call as the API lists it: times in ms, and how many units gave which answer."""
    replies = [one.reply for _, one in units.values()]
    return {
        "id": call.id, "by": call.by, "asked": call.asked, "ends": call.ends, "ended": call.ended,
        **{key: call.about.get(key) for key in _KEYS},
        "counts": {"units": len(replies)} | {str(reply): replies.count(reply) for reply in Reply},
        "silent": [unit for unit, (_, one) in units.items() if one.reply not in ANSWERED],
    }  # fmt: skip


def whole_view(services: Services, call: RollCall, units: Mapping[UnitId, tuple[Unit, Asked]]) -> dict[str, Any]:
    """The same with everybody in it. Degrees, metres, ms."""
    rows = []
    for unit, one in units.values():
        place = one.place
        position = None if place is None else {
            "fix_time": place.at, "lat": place.latitude / 1e7, "lon": place.longitude / 1e7,
            "accuracy": None if place.accuracy is None else place.accuracy / 10, "in_own_grid": place.own,
        }  # fmt: skip
        rows.append({
            "unit": unit.id, "name": unit.name, "kind": unit.kind, "team": unit.team, "street": unit.street,
            "grid": unit.grid or None, "state": str(one.reply), "way": str(one.way), "at": one.at,
            "position": position, "text": one.text, "last_message": services.mirror.last_message(unit.id),
        })  # fmt: skip
    return {**head_view(call, units), "now": services.wall(), "units": rows}


def _moment(services: Services, at: int) -> str:
    return datetime.fromtimestamp(at / 1000, services.city.zone).strftime("%Y%m%d-%H%M%S")


def _table(services: Services, units: Mapping[UnitId, tuple[Unit, Asked]]) -> str:
    """Who is silent stands first."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["编号 id", "姓名 name", "队伍 team", "街道 street", "应答 answer", "时间 time", "纬度 latitude",
                     "经度 longitude", "精度（米） accuracy (m)", "在本网格 in own grid", "说明 text"])  # fmt: skip
    for unit, one in sorted(units.values(), key=lambda pair: (pair[1].reply in ANSWERED, pair[0].street, pair[0].name)):
        place, at = one.place, one.at
        told = (
            "" if at is None else datetime.fromtimestamp(at / 1000, services.city.zone).isoformat(" ", "seconds")[:19]
        )
        where = ["", "", "", ""] if place is None else [
            f"{place.latitude / 1e7:.6f}", f"{place.longitude / 1e7:.6f}",
            "" if place.accuracy is None else f"{place.accuracy / 10:g}",
            {True: "是 yes", False: "否 no", None: ""}[place.own],
        ]  # fmt: skip
        row = [unit.id, unit.name, unit.team, unit.street, _WORDS[one.reply], told, *where, one.text]
        writer.writerow([cell(value) for value in row])
    return out.getvalue()
