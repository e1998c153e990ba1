"""The routes of grids and cells: look at them, judge a file, put it in, take that back, amend one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from twisted.internet.threads import deferToThreadPool

from tracker.area_judging import Finding, Verdict, judge
from tracker.model import Area, AreaId
from tracker.roster import Change
from tracker.site import UPLOAD_LIMIT
from webmap.reach import areas_wanted, own_grid
from webmap.rights import Action, Scope, with_street
from webmap.routes import ApiError, Route, answer, body_of, missing, who_of
from webmap.services import Services
from webmap.views import AreasText

TOLD = 10
"""Problems that an error names; ``check`` tells all."""
LABEL_LIMIT = 200


@dataclass(slots=True)
class _Import:
    """What brings back how it was before the last import, as long as nothing else has changed an area since."""

    by: str
    at: int
    grids: int
    cells: int
    removed: int
    back: list[Change]
    version: int


def add_grids(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    intake, roster = services.intake, services.intake.roster
    areas_text = AreasText(roster)
    last: list[_Import] = []
    """The last one, of this process: its areas are those that were there, not copies."""

    def parent_of(area: Area) -> Area | None:
        return roster.areas.get(AreaId(area.parent))

    def reach(scope: Scope, area: Area) -> bool:
        return scope.covers_area(with_street(area, parent_of(area)))

    def area_of(request: Any, id: str) -> Area:
        area = roster.areas.get(AreaId(id))
        if area is None or not reach(who_of(request).scope(Action.GRIDS_CHANGE), area):
            raise missing("grid", "网格")
        return area

    @route("GET", "/api/v1/grids", Action.GRIDS)
    def grids(request: Any) -> bytes:
        who = who_of(request)
        return answer(request, areas_text(who.scope(Action.GRIDS), own_grid(roster, who)))

    @route("POST", "/api/v1/grids", Action.GRIDS_CHANGE)
    async def put(request: Any) -> bytes:
        document, who = body_of(request, UPLOAD_LIMIT), who_of(request)
        scope = who.scope(Action.GRIDS_CHANGE)
        check, removing = _switch(request, b"check"), _switch(request, b"remove_missing")
        there = {area.id: area for area in roster.areas.values() if reach(scope, area)}
        verdict = await deferToThreadPool(
            services.reactor, services.pool, lambda: judge(document, there, closely=check)
        )
        if check:
            request.changed = False
            return answer(request, verdict_view(verdict))
        if verdict.problems:
            text, zh = _told(verdict)
            raise ApiError(422, "bad_geojson", text, f"GeoJSON 无法使用：{zh}")

        def plan() -> tuple[_Import, list[Change]]:
            areas = areas_wanted(roster, scope, verdict.areas)
            changes = roster.plan_areas(areas)
            gone = [id for id in verdict.missing if removing and id in roster.areas]
            changes += [("area", id, None) for id in gone]
            back = [_back(roster.areas.get(AreaId(id)), id) for _, id, _ in changes]
            levels = [area.level for area in areas]
            made = _Import(who.name, services.wall(), levels.count("grid"), levels.count("cell"), len(gone), back, 0)
            return made, changes

        made = await intake.change(plan)
        made.version = roster.areas_version
        last[:] = [made]
        return answer(request, {"grids": made.grids, "cells": made.cells, "removed": made.removed}, 201)

    @route("GET", "/api/v1/grid-import", Action.GRIDS_CHANGE)
    def imported(request: Any) -> bytes:
        return answer(request, {"last": _import_view(standing(request))})

    @route("DELETE", "/api/v1/grid-import", Action.GRIDS_CHANGE)
    async def undo(request: Any) -> bytes:
        if standing(request) is None:
            text = "there is no import to take back: the areas have been changed since, or the server was started anew"
            raise ApiError(409, "no_import", text, "没有可撤销的导入：网格此后已有改动，或服务已重新启动")
        made = last[0]
        await intake.change(lambda: (None, made.back))
        last.clear()
        return answer(request, {"restored": len(made.back)})

    def standing(request: Any) -> _Import | None:
        """The last import, if it can be taken back, by one who may have made it."""
        if not last or last[0].version != roster.areas_version:
            return None
        who = who_of(request)
        return last[0] if who.name == last[0].by or who.scope(Action.GRIDS_CHANGE).everything else None

    @route("PATCH", "/api/v1/grids/<string:grid>", Action.GRIDS_CHANGE)
    async def amend(request: Any, grid: str) -> bytes:
        given, scope = body_of(request), who_of(request).scope(Action.GRIDS_CHANGE)
        known = ("name", "street", "owner")
        if (
            not isinstance(given, dict)
            or given.keys() - set(known)
            or not all(isinstance(v, str) for v in given.values())
        ):
            raise ApiError(
                422, "bad_change", "send texts for name, street or owner", "请发送 name、street、owner 的文本"
            )
        if "name" in given and not given["name"].strip():
            raise ApiError(422, "no_name", "a grid needs a name", "网格须有名称")
        wanted: dict[str, Any] = {key: " ".join(value.split())[:LABEL_LIMIT] for key, value in given.items()}
        area_of(request, grid)

        def plan() -> tuple[Area, list[Change]]:
            (area,) = areas_wanted(roster, scope, [replace(area_of(request, grid), **wanted)])
            return area, roster.plan_areas([area])

        return answer(request, area_view(await intake.change(plan)))

    @route("DELETE", "/api/v1/grids/<string:grid>", Action.GRIDS_CHANGE)
    async def remove(request: Any, grid: str) -> bytes:
        area_of(request, grid)
        along = _switch(request, b"cells")

        def plan() -> tuple[int, list[Change]]:
            area = area_of(request, grid)
            cells = [one.id for one in roster.areas.values() if one.level == "cell" and one.parent == area.id]
            if cells and area.level == "grid" and not along:
                text = f"it has {len(cells)} cells: remove them with it by cells=1"
                raise ApiError(409, "has_cells", text, f"该网格下有 {len(cells)} 个单元网格，请以 cells=1 一并删除")
            gone = [area.id, *(cells if area.level == "grid" else ())]
            return len(gone), [("area", id, None) for id in gone]

        return answer(request, {"removed": await intake.change(plan)})


def _switch(request: Any, name: bytes) -> bool:
    return bool((request.args.get(name) or [b""])[0] in (b"1", b"true"))


def _back(before: Area | None, id: str) -> Change:
    return "area", id, None if before is None else asdict(before)


def _import_view(made: _Import | None) -> dict[str, Any] | None:
    if made is None:
        return None
    return {"by": made.by, "at": made.at, "grids": made.grids, "cells": made.cells, "removed": made.removed}


def area_view(area: Area) -> dict[str, Any]:
    """An area without its outline."""
    return {"id": area.id, "level": area.level, "name": area.name, "parent": area.parent or None,
            "street": area.street, "owner": area.owner or None}  # fmt: skip


def verdict_view(verdict: Verdict) -> dict[str, Any]:
    """What would come of a file. Places are longitude and latitude in degrees."""
    levels = [area.level for area in verdict.areas]
    return {
        "grids": levels.count("grid"), "cells": levels.count("cell"), "good": not verdict.problems,
        "problems": [_finding_view(one) for one in verdict.problems],
        "warnings": [_finding_view(one) for one in verdict.warnings], "untold": verdict.untold,
        "new": verdict.new, "changed": verdict.changed, "same": verdict.same, "missing": verdict.missing,
    }  # fmt: skip


def _finding_view(one: Finding) -> dict[str, Any]:
    place = None if one.place is None else [round(one.place[0], 7), round(one.place[1], 7)]
    return {"code": one.code, "feature": one.feature or None, "area": one.area or None, "other": one.other or None,
            "text": one.text, "zh": one.zh, "place": place}  # fmt: skip


def _told(verdict: Verdict) -> tuple[str, str]:
    """The first problems in words."""
    told: Sequence[Finding] = verdict.problems[:TOLD]
    more = len(verdict.problems) + verdict.untold - len(told)
    text = "; ".join(f"feature {one.feature}: {one.text}" if one.feature else one.text for one in told)
    zh = "；".join(f"第 {one.feature} 个要素：{one.zh}" if one.feature else one.zh for one in told)
    return (f"{text}; and {more} more", f"{zh}；另有 {more} 处") if more else (text, zh)
