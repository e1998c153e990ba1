"""The routes of attendance: what came of the rota on each day, as JSON and as a table for a spreadsheet.

It reads where people were and shows no place: no reason is asked for, and each look at others is on record.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tracker.attendance import Attendance, State
from tracker.export_files import table
from tracker.model import Unit
from tracker.rota import OFF
from webmap.access import address_of
from webmap.attendance_days import UNITS_AT_ONCE, AttendanceDays
from webmap.rights import Action
from webmap.rota_api import chosen, span_of, text_of, too_much
from webmap.routes import ApiError, Route, answer, who_of
from webmap.services import Services

SPAN_DAYS = 31
UNIT_DAYS = 400
"""Days of units in one answer: half a second's work at a fix in five seconds, and 150 kB."""
TABLE_DAYS = 20_000
"""The same of a table, which is sent as it is made: a month of 645 people."""
HEAD = (
    "日期 day", "编号 unit", "姓名 name", "队伍 team", "街道 street", "班次 shift", "状态 state",
    "计划分钟 planned_min", "在岗分钟 on_duty_min", "迟到分钟 late_min", "早退分钟 early_min", "离岗分钟 off_post_min",
    "在网格率 in_grid", "有定位率 with_fix", "首次定位 first_fix", "末次定位 last_fix",
)  # fmt: skip


def add_attendance(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    reading = AttendanceDays(services)

    @route("GET", "/api/v1/attendance", Action.ATTENDANCE)
    async def report(request: Any) -> bytes:
        who = who_of(request)
        first, last = span_of(request, services, SPAN_DAYS)
        units = chosen(services, request, Action.ATTENDANCE)
        days = list(services.rota.days.days(first, last))
        form = text_of(request, "format") or "json"
        if form not in ("json", "csv"):
            raise ApiError(422, "bad_format", "format must be json or csv", "format 须为 json 或 csv")
        most = UNIT_DAYS if form == "json" else TABLE_DAYS
        if len(units) * len(days) > most:
            raise too_much(f"ask for {most} days of people at the most", f"至多 {most} 个人天")
        start, end = services.rota.days.span(first)[0], services.rota.days.span(last)[1]
        for unit in units:
            if unit.id != who.unit:
                services.access.looked(who, "attendance", unit.id, address=address_of(request), start=start, end=end)
        asked = await reading.begin(units, first, last)
        if form == "json":
            shown = [row_view(services, unit, day, found) for day in days for unit, found in await asked.of(units, day)]
            return answer(request, {"from": first, "to": last, "now": asked.now, "rows": shown})
        request.setHeader("content-type", "text/csv; charset=utf-8")
        request.setHeader("content-disposition", f'attachment; filename="attendance-{first}-{last}.csv"')
        request.setHeader("cache-control", "no-store")
        gone: list[Any] = []
        request.notifyFinish().addErrback(gone.append)
        head: tuple[str, ...] = HEAD
        for day in days:
            for n in range(0, len(units), UNITS_AT_ONCE):
                if gone:
                    return b""
                # As it is made: who waits for a long table sees it come.
                found = await asked.of(units[n : n + UNITS_AT_ONCE], day)
                lines = list(table(head, [csv_row(services, unit, day, one) for unit, one in found]))
                request.write("".join(lines if head else lines[1:]).encode())
                head = ()
        return b""


def row_view(services: Services, unit: Unit, day: str, found: Attendance) -> dict[str, Any]:
    """A unit's day as the API shows it."""
    assigned = services.rota.of(unit.id, day)
    return {
        "unit": unit.id, "day": day, "shift": None if assigned is None else assigned.shift, "state": str(found.state),
        "planned_ms": found.planned, "on_duty_ms": found.on_duty, "late_ms": found.late, "early_ms": found.early,
        "off_post_ms": found.off_post, "in_grid": _share(found.in_grid), "with_fix": _share(found.with_fix),
        "first_fix": found.first_fix, "last_fix": found.last_fix, "stretches": [list(span) for span in found.stretches],
        "told": found.told,
    }  # fmt: skip


def csv_row(services: Services, unit: Unit, day: str, found: Attendance) -> tuple[Any, ...]:
    """The same as :data:`HEAD` has it; empty for what is not known."""
    assigned = services.rota.of(unit.id, day)
    shift = None if assigned is None else services.rota.shifts.get(assigned.shift)
    name = shift.name if shift is not None else "休 off" if assigned is not None and assigned.shift == OFF else ""

    def clock(ms: int | None) -> str:
        return "" if ms is None else datetime.fromtimestamp(ms / 1000, services.city.zone).strftime("%Y-%m-%d %H:%M:%S")

    return (
        day, unit.id, unit.name, unit.team, unit.street, name, STATES[found.state], _minutes(found.planned),
        _minutes(found.on_duty), _minutes(found.late), _minutes(found.early), _minutes(found.off_post),
        _blank(_share(found.in_grid)), _blank(_share(found.with_fix)), clock(found.first_fix), clock(found.last_fix),
    )  # fmt: skip


STATES = {
    State.FREE: "无班 free", State.AHEAD: "未开始 ahead", State.AWAITED: "未到岗 awaited",
    State.PRESENT: "出勤 present", State.ABSENT: "缺勤 absent", State.UNKNOWN: "未知 unknown",
}  # fmt: skip


def _share(value: float | None) -> float | None:
    return None if value is None else round(min(1.0, value), 4)


def _minutes(ms: int | None) -> str:
    return "" if ms is None else f"{ms / 60_000:.1f}"


def _blank(value: Any) -> Any:
    return "" if value is None else value
