"""The routes of the rota: shifts, who has which on a day, the calendar of workdays, and working-time arithmetic.

Who reaches some streets or teams plans their people; a shift is the same for all, so only those who reach the whole
city change one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from twisted.internet.threads import deferToThreadPool

from storage.archive.layout import shifted
from storage.hours import spelled
from tracker.model import Unit, UnitId
from tracker.rota import KEPT_DAYS
from tracker.shifts import Shift
from tracker.working_time import NoWorkingTime
from webmap.reach import unit_within
from webmap.rights import Action
from webmap.routes import LIST_LIMIT, ApiError, Route, answer, body_of, missing, time_of, who_of
from webmap.services import Services

SPAN_DAYS = 62
"""Days of the rota in one answer: two months."""
DAYS_LIMIT = 100_000
"""Days of units in one answer: a month of 3,200 people, some 3 MB."""
LIMIT_S = 366 * 86_400
"""The longest limit in working time: more than a year of days and nights."""
_MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")
_DAY = re.compile(r"20\d\d-\d\d-\d\d")


def add_rota(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    intake = services.intake

    def within(request: Any, action: Action) -> Callable[[UnitId], bool]:
        roster, scope = intake.roster, who_of(request).scope(action)
        return lambda unit: unit_within(roster, scope, unit) is not None

    def whole_city(request: Any) -> None:
        if not who_of(request).scope(Action.ROTA_CHANGE).everything:
            text = "shifts are those of the whole city: ask somebody whose account reaches all of it"
            raise ApiError(403, "no_right", text, "班次全市通用，请由负责全市的账号修改")

    def known(shift: str) -> None:
        if shift not in services.rota.shifts:
            raise missing("shift", "班次")

    @route("GET", "/api/v1/shifts", Action.ROTA)
    def shifts(request: Any) -> bytes:
        return answer(request, {"shifts": [shift_view(shift) for shift in services.rota.shifts.values()]})

    @route("POST", "/api/v1/shifts", Action.ROTA_CHANGE)
    async def add_shift(request: Any) -> bytes:
        wanted = _object(body_of(request))
        whole_city(request)
        return answer(request, shift_view(await intake.change(lambda: services.rota.plan_shift(wanted))), 201)

    @route("PATCH", "/api/v1/shifts/<string:shift>", Action.ROTA_CHANGE)
    async def change_shift(request: Any, shift: str) -> bytes:
        wanted = _object(body_of(request))
        whole_city(request)
        known(shift)
        changed = await intake.change(lambda: services.rota.plan_shift_change(shift, wanted, today(services)))
        return answer(request, shift_view(changed))

    @route("DELETE", "/api/v1/shifts/<string:shift>", Action.ROTA_CHANGE)
    async def remove_shift(request: Any, shift: str) -> bytes:
        whole_city(request)
        known(shift)
        retired = await intake.change(lambda: services.rota.plan_shift_removal(shift, today(services)))
        return answer(request, {"retired": retired})

    @route("GET", "/api/v1/rota", Action.ROTA)
    async def planned(request: Any) -> bytes:
        first, last = span_of(request, services, SPAN_DAYS)
        units = chosen(services, request, Action.ROTA)
        days = list(services.rota.days.days(first, last))
        if len(units) * len(days) > DAYS_LIMIT:
            raise too_much("ask for fewer days, or for one street or team", "请减少天数，或只查询一个街道、队伍")
        assignments = services.rota.assignments([unit.id for unit in units], first, last)
        told: dict[str, Any] = {"from": first, "to": last, "today": today(services), "now": services.wall()}
        told["calendar"] = [day_view(services, day) for day in days]

        def render() -> bytes:
            found: dict[UnitId, dict[str, Any]] = {unit.id: {} for unit in units}
            for unit, day, assigned in assignments:
                found[unit][day] = {"shift": assigned.shift, "grids": list(assigned.grids)}
            people = [
                {"id": unit.id, "kind": unit.kind, "name": unit.name, "team": unit.team, "street": unit.street,
                 "grid": unit.grid, "days": found[unit.id]}
                for unit in units
            ]  # fmt: skip
            return json.dumps({**told, "units": people}, ensure_ascii=False, separators=(",", ":")).encode()

        # In a thread: a month of a thousand people takes 100 ms.
        return answer(request, await deferToThreadPool(services.reactor, services.pool, render))

    @route("PUT", "/api/v1/rota", Action.ROTA_CHANGE)
    async def plan(request: Any) -> bytes:
        wanted, reach = _object(body_of(request, LIST_LIMIT)), within(request, Action.ROTA_CHANGE)
        given, calendar = wanted.get("assignments"), services.working_time.calendar
        if given is None:
            worked = lambda day: calendar.day(day).worked  # noqa: E731
            changed = await intake.change(lambda: services.rota.plan_pattern(wanted, today(services), worked, reach))
        elif isinstance(given, list) and all(isinstance(entry, dict) for entry in given):
            covers = who_of(request).scope(Action.ROTA_CHANGE).covers_area
            changed = await intake.change(lambda: services.rota.plan_assignments(given, today(services), reach, covers))
        else:
            text = "assignments must be a list of objects with unit, day and shift"
            raise ApiError(422, "bad_assignments", text, "assignments 须为对象的列表，各含 unit、day、shift")
        return answer(request, {"changed": changed})

    @route("DELETE", "/api/v1/rota", Action.ROTA_CHANGE)
    async def clear(request: Any) -> bytes:
        first, last = span_of(request, services, SPAN_DAYS)
        if not request.args.get(b"unit"):
            raise ApiError(422, "no_units", "say whose plan is to go: unit", "请指定人员或车辆：unit")
        units = [unit.id for unit in chosen(services, request, Action.ROTA_CHANGE)]
        wanted = {"units": units, "from": first, "to": last, "pattern": [None]}
        changed = await intake.change(lambda: services.rota.plan_pattern(wanted, today(services), lambda day: True))
        return answer(request, {"changed": changed})

    @route("GET", "/api/v1/calendar", Action.ROTA)
    def month(request: Any) -> bytes:
        given = text_of(request, "month") or today(services)[:7]
        if not _MONTH.fullmatch(given):
            text = "month must be a month such as 2026-11"
            raise ApiError(422, "bad_month", text, "month 须为月份，如 2026-11")
        first = date.fromisoformat(f"{given}-01")
        days = [(first + timedelta(days=n)).isoformat() for n in range(31)]
        shown = [day_view(services, day) for day in days if day.startswith(given)]
        hours = [spelled(period) for period in services.working_time.hours]
        told = {"month": given, "today": today(services), "zone": str(services.city.zone)}
        return answer(request, {**told, "hours": hours, "days": shown})

    @route("GET", "/api/v1/working-time", Action.ROTA)
    def deadline(request: Any) -> bytes:
        start = time_of(services, request, "start", services.wall())
        given = text_of(request, "limit_s") or "0"
        if not (given.isascii() and given.isdigit() and int(given[:10]) <= LIMIT_S):
            text = f"limit_s must be seconds of working time, 0..{LIMIT_S}"
            raise ApiError(422, "bad_limit", text, f"limit_s 须为工作时间的秒数，0..{LIMIT_S}")
        calendar = services.working_time.calendar
        try:
            end = services.working_time.deadline(start, int(given) * 1000)
        except NoWorkingTime as error:
            raise ApiError(422, "no_working_time", str(error), "十年内没有这么多工作时间，或时间超出范围") from None
        last = services.rota.days.day_of(end)
        days = (int(day[:4]) for day in (services.rota.days.day_of(start), last))
        sure = all(year in calendar.years for year in range(next(days), int(last[:4]) + 1))
        told = {"start": start, "limit_s": int(given), "deadline": end, "elapsed_s": (end - start) // 1000}
        return answer(request, {**told, "day": day_view(services, last), "known": sure})


def shift_view(shift: Shift) -> dict[str, Any]:
    """A shift as the API shows it."""
    earlier = [{"before": day, "periods": list(map(spelled, periods))} for day, periods in shift.earlier]
    return {
        "id": shift.id, "name": shift.name, "periods": list(map(spelled, shift.periods)), "colour": shift.colour,
        "retired": shift.retired, "earlier": earlier,
    }  # fmt: skip


def day_view(services: Services, day: str) -> dict[str, Any]:
    """A day of the calendar; ``known`` is false in a year whose holidays nobody has told us."""
    calendar = services.working_time.calendar
    found = calendar.day(day)
    known = int(day[:4]) in calendar.years
    return {
        "day": day, "kind": str(found.kind), "worked": found.worked, "zh": found.zh, "en": found.en, "known": known,
    }  # fmt: skip


def today(services: Services) -> str:
    """The city day that it is."""
    return services.rota.days.day_of(services.wall())


def chosen(services: Services, request: Any, action: Action) -> list[Unit]:
    """The units that a request is about and reaches: those of ``unit`` (once or more), ``street`` and ``team``."""
    roster, scope = services.intake.roster, who_of(request).scope(action)
    asked = [given.decode("utf-8", "replace") for given in request.args.get(b"unit", []) if given]
    found = []
    for unit in dict.fromkeys(asked):
        known = unit_within(roster, scope, unit)
        if known is None:
            raise missing("unit", "人员或车辆")
        found.append(known)
    if not asked:
        found = [unit for unit in roster.units.values() if scope.covers(unit)]
    street, team = text_of(request, "street"), text_of(request, "team")
    return [unit for unit in found if street in ("", unit.street) and team in ("", unit.team)]


def span_of(request: Any, services: Services, most: int) -> tuple[str, str]:
    """The days ``from`` .. ``to`` of a request; without them today."""
    now = today(services)
    first = _day(request, "from", now, now)
    last = _day(request, "to", first, now)
    if first > last:
        raise ApiError(422, "bad_span", "from must not be after to", "开始日期不能晚于结束日期")
    if shifted(first, most) <= last:
        raise ApiError(422, "bad_span", f"ask for {most} days at the most", f"一次至多查询 {most} 天")
    return first, last


def _day(request: Any, name: str, default: str, now: str) -> str:
    given = text_of(request, name) or default
    try:
        if _DAY.fullmatch(given) and abs(date.fromisoformat(given) - date.fromisoformat(now)).days <= KEPT_DAYS:
            return given
    except ValueError:
        pass  # there is no such day in the month
    text = f"{name} must be a day such as {now}, within {KEPT_DAYS} days of today"
    raise ApiError(422, "bad_day", text, f"{name} 须为今天前后 {KEPT_DAYS} 天之内的日期，如 {now}")


def text_of(request: Any, name: str) -> str:
    """A parameter of the query; empty without it."""
    found: str = (request.args.get(name.encode()) or [b""])[0].decode("utf-8", "replace").strip()
    return found


def too_much(text: str, zh: str) -> ApiError:
    return ApiError(422, "too_much", f"this is too much at once: {text}", f"一次查询过多：{zh}")


def _object(given: Any) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise ApiError(422, "bad_body", "send a JSON object", "请发送 JSON 对象")
    return given
