"""The routes of attendance: what came of the rota on each day, as JSON and as a table for a spreadsheet.

It reads where people were and shows no place: no reason is asked for, and each look at others is on record. One day of
one unit is read at a time, so that a long question waits for others and they for it.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.internet.threads import deferToThreadPool

from storage.bridge import as_deferred
from tracker.archive_tracks import TooMuch
from tracker.attendance import TOLD, Attendance, Facts, Rules, State, Where, attendance
from tracker.export_files import table
from tracker.model import DISBELIEVED, AreaId, Unit
from tracker.own_grid import OwnGrid
from tracker.rota import OFF
from tracker.tracks import Track
from webmap.access import address_of
from webmap.rights import Action
from webmap.rota_api import chosen, span_of, text_of, too_much
from webmap.routes import ApiError, Route, answer, who_of
from webmap.services import Services

SPAN_DAYS = 31
UNIT_DAYS = 400
"""Days of units in one answer; each with 6,000 fixes takes a tenth of a second."""
TABLE_DAYS = 20_000
"""The same of a table, which is sent as it is made: a month of 645 people."""
AROUND_MS = 3_600_000
"""So long before and after a shift the first and the last fix are looked for."""
GRIDS_KEPT = 500
"""Sets of own grids whose geometry is at hand."""
HEAD = (
    "日期 day", "编号 unit", "姓名 name", "队伍 team", "街道 street", "班次 shift", "状态 state",
    "计划分钟 planned_min", "在岗分钟 on_duty_min", "迟到分钟 late_min", "早退分钟 early_min", "离岗分钟 off_post_min",
    "在网格率 in_grid", "有定位率 with_fix", "首次定位 first_fix", "末次定位 last_fix",
)  # fmt: skip

_DISBELIEVED = int(DISBELIEVED)


def add_attendance(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    reading = DeferredLock()
    grids = OwnGrids(services)

    async def found_of(unit: Unit, day: str) -> Attendance:
        rota, roster, now = services.rota, services.intake.roster, services.wall()
        planned = rota.planned(unit.id, day)
        if not planned:
            return attendance(Facts((), (), ()), now)
        begin, end = planned[0][0], planned[-1][1]
        own = grids.of(rota.own_grids(unit.id, rota.of(unit.id, day)))
        duties = tuple((duty.start, duty.end, duty.by in TOLD) for duty in roster.duties_of(unit.id))
        outages = services.outages.within(begin, end)
        track = Track([], [])
        if now > begin - AROUND_MS:
            async with reading:
                try:
                    track = await as_deferred(services.tracks.read(unit.id, begin - AROUND_MS, end + AROUND_MS))
                except TooMuch:
                    track = Track([], [day])
        if track.unreadable:
            # A damaged file, or more than there can be: what nobody can read, nobody can be blamed for.
            outages = [(begin, end)]
        rules = Rules(hold=services.mirror.limits.online, silence=services.mirror.limits.offline)

        def judged() -> Attendance:
            points = [record for record, doubts, _ in track.points if not doubts & _DISBELIEVED and record.duty]
            where = own.where([p.latitude or 0 for p in points], [p.longitude or 0 for p in points]) if own else None
            fixes = [(p.fix_time or 0, where[n] if where else Where.INSIDE) for n, p in enumerate(points)]
            return attendance(Facts(planned, duties, fixes, outages, own is not None), now, rules)

        return await deferToThreadPool(services.reactor, services.pool, judged)

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
        if form == "json":
            shown = [row_view(services, unit, day, await found_of(unit, day)) for day in days for unit in units]
            return answer(request, {"from": first, "to": last, "now": services.wall(), "rows": shown})
        request.setHeader("content-type", "text/csv; charset=utf-8")
        request.setHeader("content-disposition", f'attachment; filename="attendance-{first}-{last}.csv"')
        request.setHeader("cache-control", "no-store")
        gone: list[Any] = []
        request.notifyFinish().addErrback(gone.append)
        head: tuple[str, ...] = HEAD
        for day in days:
            # A day at a time: a table of a month takes minutes, and who waits for it sees it come.
            rows = []
            for unit in units:
                if gone:
                    return b""
                rows.append(csv_row(services, unit, day, await found_of(unit, day)))
            lines = list(table(head, rows))
            request.write("".join(lines if head else lines[1:]).encode())
            head = ()
        return b""


class OwnGrids:
    """The geometry of units' own grids, made once for all who share them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._made: OrderedDict[tuple[AreaId, ...], OwnGrid] = OrderedDict()
        self._version = -1

    def of(self, areas: tuple[AreaId, ...]) -> OwnGrid | None:
        """The grids together; ``None`` if the unit owns none that exists."""
        roster = self._services.intake.roster
        if roster.areas_version != self._version:
            self._made.clear()
            self._version = roster.areas_version
        known = tuple(sorted(area for area in areas if area in roster.areas))
        if not known:
            return None
        made = self._made.pop(known, None) or OwnGrid(roster.areas[area].geometry for area in known)
        self._made[known] = made
        if len(self._made) > GRIDS_KEPT:
            self._made.popitem(last=False)
        return made


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
