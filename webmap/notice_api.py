"""The routes of notices (今日提示): tell a group something, and see who has it and who has read it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from dispatch.notices import TEXT, Notice, Receipt
from tracker.model import Unit, UnitId
from webmap.rights import Action, Scope
from webmap.routes import Route, answer, body_of, missing, moment_of, who_of
from webmap.services import Services
from webmap.task_wishes import refused, text_of

_KEYS = ("street", "team")
_FIELDS = frozenset({"text", "units", "until", "off_duty", *_KEYS})

Told = dict[UnitId, tuple[Unit, Receipt]]


def add_notices(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    roster = services.intake.roster

    def reached(notice: Notice, scope: Scope) -> Told:
        """The units of a notice that somebody may know of."""
        found = ((roster.units.get(id), receipt) for id, receipt in notice.units.items())
        return {unit.id: (unit, receipt) for unit, receipt in found if unit is not None and scope.covers(unit)}

    @route("POST", "/api/v1/notices", Action.DISPATCH)
    async def make(request: Any) -> bytes:
        given, who = body_of(request), who_of(request)
        if not isinstance(given, dict) or given.keys() - _FIELDS:
            text = "send text, and street, team or units, and besides until and off_duty"
            raise refused("bad_notice", text, "请发送 text，以及 street、team 或 units；另可有 until、off_duty")
        scope = who.scope(Action.DISPATCH)
        about = {key: value for key in _KEYS if (value := text_of(given, key, 100))}
        units = _wanted(given, about, [unit for unit in roster.units.values() if scope.covers(unit)])
        if given.get("off_duty") is not True:
            now = services.wall()
            units = [unit for unit in units if roster.on_duty(unit.id, now) is not None]
        until = moment_of(services, given.get("until"), "until")
        until = end_of_day(services) if until is None else until
        text, named = text_of(given, "text", TEXT), [unit.id for unit in units]
        notice = await services.notifier.create(text, named, about, until, who.name)
        return answer(request, whole_view(notice, reached(notice, scope), services.wall()), 201)

    @route("GET", "/api/v1/notices", Action.TASKS)
    def listed(request: Any) -> bytes:
        scope = who_of(request).scope(Action.TASKS)
        notices = [(notice, reached(notice, scope)) for notice in services.notifier.book.all()]
        return answer(request, {"notices": [head_view(notice, told) for notice, told in notices if told]})

    @route("GET", "/api/v1/notices/<string:notice>", Action.TASKS)
    def one(request: Any, notice: str) -> bytes:
        found = services.notifier.book.get(notice)
        told = {} if found is None else reached(found, who_of(request).scope(Action.TASKS))
        if found is None or not told:
            raise missing("notice", "提示")
        return answer(request, whole_view(found, told, services.wall()))


def _wanted(given: Mapping[str, Any], about: Mapping[str, str], units: list[Unit]) -> list[Unit]:
    """Whom a notice is for, of those within reach. What is out of reach is answered like what does not exist."""
    listed = given.get("units")
    if listed is not None:
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise refused("bad_notice", "units must be a list of ids", "units 须为编号列表")
        known = {str(unit.id): unit for unit in units}
        strange = next((one for one in listed if one not in known), None)
        if strange is not None:
            raise refused("no_unit", f"there is no unit {strange!r}", f"没有编号为 {strange} 的人员或车辆")
        units = [known[one] for one in dict.fromkeys(listed)]
    return [unit for unit in units if all(getattr(unit, key) == value for key, value in about.items())]


def end_of_day(services: Services) -> int:
    """When the city's day ends, ms: midnight by its own clock."""
    zone = services.city.zone
    day = datetime.fromtimestamp(services.wall() / 1000, zone).date() + timedelta(days=1)
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def head_view(notice: Notice, told: Told) -> dict[str, Any]:
    """A notice as the API lists it: times in ms, and how many of those within reach have it and have read it."""
    receipts = [receipt for _, receipt in told.values()]
    return {
        "id": notice.id, "by": notice.by, "at": notice.at, "until": notice.until, "text": notice.text,
        **{key: notice.about.get(key) for key in _KEYS},
        "counts": {"units": len(receipts), "delivered": sum(one.delivered > 0 for one in receipts),
                   "read": sum(one.read > 0 for one in receipts)},
    }  # fmt: skip


def whole_view(notice: Notice, told: Told, now: int) -> dict[str, Any]:
    """The same with everybody in it, and when."""
    rows = [
        {"unit": unit.id, "name": unit.name, "kind": unit.kind, "team": unit.team, "street": unit.street,
         "delivered": receipt.delivered or None, "read": receipt.read or None}
        for unit, receipt in told.values()
    ]  # fmt: skip
    return {**head_view(notice, told), "now": now, "units": rows}
