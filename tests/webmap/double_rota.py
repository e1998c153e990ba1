"""The rota of the stand-in server: the real routes over a real rota, with a journal of nothing, and attendance that is
made up. Its clock stands: on the last Tuesday before National Day, 2026."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast
from zlib import crc32
from zoneinfo import ZoneInfo

from klein import Klein
from twisted.internet import reactor as running_reactor
from twisted.internet.defer import Deferred

from storage.hours import read_periods
from tracker.model import Area, AreaId, UnitId
from tracker.roster import Change, Roster
from tracker.rota import OFF, Rota
from tracker.workdays import read_calendar
from tracker.working_time import WorkingTime
from webmap.rights import Action, Role, Who
from webmap.rota_api import add_rota
from webmap.routes import answer, told

reactor: Any = running_reactor  # its interface is the union of many
ZONE = ZoneInfo("Asia/Shanghai")
NOW = int(datetime(2026, 9, 29, 16, 30, tzinfo=ZONE).timestamp() * 1000)
TODAY = "2026-09-29"
MINUTE = 60_000
PLANNED = 60
"""People who have a rota; a crowd has none."""
SHIFTS = (
    ("早班", ["06:00-14:00"], 0), ("中班", ["14:00-22:00"], 2), ("夜班", ["22:00-06:00"], 3),
    ("白班", ["08:00-12:00", "14:00-18:00"], 1),
)  # fmt: skip


class RotaDouble:
    """``switch(role=…, unit=…, streets=…, fails=…)`` says who is asking and whether the disk takes changes."""

    def __init__(self, people: Mapping[str, Mapping[str, Any]]) -> None:
        self.roster = roster = Roster()
        grids = sorted({str(about["grid"]) for about in people.values() if about.get("grid")})
        for grid in grids:
            roster.areas[AreaId(grid)] = Area(AreaId(grid), "grid", grid)
        self._take(roster.plan_units([{**about, "id": unit} for unit, about in people.items()]))
        self.rota = rota = Rota(roster, ZONE)
        roster.attach(rota)
        for name, periods, colour in SHIFTS:
            self._take(rota.plan_shift({"name": name, "periods": periods, "colour": colour})[1])
        calendar = read_calendar("cn")
        units = list(people)[:PLANNED]
        half = len(units) // 2
        early = {"units": units[:half], "from": "2026-09-21", "to": "2026-10-11", "pattern": ["s4"], "workdays": True}
        late = {"units": units[half:-2], "from": "2026-09-21", "to": TODAY, "rotate": 1,
                "pattern": ["s1", "s1", "s2", "s2", "s3", OFF]}  # fmt: skip
        for wanted in (early, late):
            self._take(rota.plan_pattern(wanted, TODAY, lambda day: calendar.day(day).worked)[1])
        self.who = Who("demo", Role.ADMIN)
        self.fails = False
        self.services = cast(Any, SimpleNamespace(
            intake=SimpleNamespace(roster=roster, change=self._change), rota=rota, wall=lambda: NOW,
            working_time=WorkingTime(calendar, read_periods(["08:00-12:00", "14:00-18:00"]), ZONE),
            city=SimpleNamespace(zone=ZONE), reactor=reactor, pool=reactor.getThreadPool(),
        ))  # fmt: skip

    def switch(self, role: str = "admin", unit: str = "", streets: tuple[str, ...] = (), fails: bool = False) -> None:
        self.who = Who("demo", Role(role), UnitId(unit), frozenset(streets))
        self.fails = fails

    def _take(self, changes: list[Change]) -> None:
        for change in changes:
            self.roster.apply(change)

    async def _change(self, plan: Callable[[], tuple[Any, list[Change]]]) -> Any:
        if self.fails:
            raise OSError("the disk does not take it")
        result, changes = plan()
        self._take(changes)
        return result

    def mount(self, app: Klein, guest: Callable[[Any], bool]) -> None:
        """Put the routes on the stand-in's app."""

        def route(method: str, path: str, action: Action) -> Callable[[Any], Any]:
            def put(handler: Any) -> Any:
                async def run(request: Any, *args: Any, **kwargs: Any) -> bytes:
                    if guest(request):
                        return answer(request, {"error": {"code": "login", "text": "Log in", "zh": "请先登录"}}, 401)
                    request.who = self.who
                    value = handler(request, *args, **kwargs)
                    found: bytes = await value if isinstance(value, Coroutine | Deferred) else value
                    return found

                app.route(path, methods=[method], endpoint=f"{method} {path}")(told(run))
                return handler

            return put

        add_rota(route, self.services)

        @route("GET", "/api/v1/attendance", Action.ATTENDANCE)
        def attendance(request: Any) -> bytes:
            units = [UnitId(given.decode()) for given in request.args[b"unit"]]
            first, last = (request.args[key][0].decode() for key in (b"from", b"to"))
            rows = [self._row(unit, day) for unit in units for day in self.rota.days.days(first, last)]
            return answer(request, {"from": first, "to": last, "now": NOW, "rows": rows})

    def _row(self, unit: UnitId, day: str) -> dict[str, Any]:
        """The day of a unit, always the same: some are late, some leave early, are off post, or do not come."""
        assigned, planned = self.rota.of(unit, day), self.rota.planned(unit, day)
        row: dict[str, Any] = {
            "unit": unit, "day": day, "shift": assigned.shift if assigned else None, "state": "free", "planned_ms": 0,
            "on_duty_ms": 0, "late_ms": None, "early_ms": None, "off_post_ms": None, "in_grid": None, "with_fix": None,
            "first_fix": None, "last_fix": None, "stretches": [], "told": False,
        }  # fmt: skip
        if not planned:
            return row
        begin, end = planned[0][0], planned[-1][1]
        length = sum(b - a for a, b in planned)
        row["planned_ms"] = length
        if begin > NOW:
            return row | {"state": "ahead"}
        luck = (crc32(f"{day} {unit}".encode()) >> 7) % 16
        if luck == 0:
            return row | ({"state": "absent"} if end <= NOW else {"state": "awaited", "late_ms": NOW - begin})
        if luck == 1:
            return row | {"state": "unknown"}
        late, off = (12 * MINUTE if luck == 2 else 0), (9 * MINUTE if luck == 3 else 0)
        early = None if end > NOW else 25 * MINUTE if luck == 4 else 0
        stretches = [[begin + 60 * MINUTE, begin + 69 * MINUTE]] if off else []
        return row | {
            "state": "present", "on_duty_ms": min(length, NOW - begin), "late_ms": late, "early_ms": early,
            "off_post_ms": off, "in_grid": 0.8 + luck / 100, "with_fix": 0.9 + luck / 200, "told": luck > 8,
            "first_fix": begin + late, "last_fix": min(end, NOW), "stretches": stretches,
        }  # fmt: skip
