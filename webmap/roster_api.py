"""People and vehicles of a table that somebody pasted: judged by the rules of ``./run import``, then put in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tracker.model import Area
from tracker.roster import Change
from webmap.reach import units_wanted
from webmap.rights import Action
from webmap.routes import ApiError, Route, answer, body_of, who_of
from webmap.services import Services
from webmap.tables import Table, TableError, Told, in_chinese, judge_people, read_file

TABLE_LIMIT = 2 << 20
"""Characters of a table: 20,000 people are half of it. More is for ``./run import``."""
BODY_LIMIT = 6 * TABLE_LIMIT + 1024
"""Bytes: JSON may spell a character with six."""
NAME = "table"


def add_roster(route: Route, services: Services) -> None:
    """Put the route on the console's app."""
    intake, roster = services.intake, services.intake.roster

    @route("POST", "/api/v1/units/table", Action.PEOPLE_CHANGE)
    async def table(request: Any) -> bytes:
        given, scope = body_of(request, BODY_LIMIT), who_of(request).scope(Action.PEOPLE_CHANGE)
        pasted = given.get("table") if isinstance(given, dict) else None
        if not isinstance(pasted, str) or len(pasted) > TABLE_LIMIT or type(given.get("put", False)) is not bool:
            text = f"send table, a CSV of up to {TABLE_LIMIT} characters, and put to have it put in"
            raise ApiError(422, "bad_table", text, f"请发送不超过 {TABLE_LIMIT} 字符的 CSV 表格 table")

        def plan() -> tuple[dict[str, Any], list[Change]]:
            try:
                read = read_file(NAME, pasted.encode("utf-8", "replace"))
                if not isinstance(read, Table) or read.kind != "people":
                    text = "this is no table of people and vehicles: it needs a column name"
                    raise TableError([Told(NAME, 1, text, "这不是人员表：需要“姓名”列（name）")])
                present = [
                    {"id": unit.id, "kind": unit.kind, "name": unit.name, "team": unit.team, "street": unit.street,
                     "grid": unit.grid}
                    for unit in roster.units.values() if scope.covers(unit)
                ]  # fmt: skip
                wishes = judge_people(read, present, _grids(filter(scope.covers_area, roster.areas.values())))
            except TableError as error:
                told, zh = "\n".join(error.problems), "\n".join(in_chinese(error.problems))
                raise ApiError(422, "bad_table", told, f"表格有误：\n{zh}") from None
            wanted = [{**fields} for _, fields in (*wishes.new, *wishes.amended)]
            told_of = {
                "added": len(wishes.new), "changed": len(wishes.amended), "unchanged": wishes.unchanged,
                "notes": wishes.notes, "notes_zh": in_chinese(wishes.notes),
            }  # fmt: skip
            changes = roster.plan_units(units_wanted(roster, scope, wanted))
            request.changed = bool(given.get("put"))
            return told_of, changes if request.changed else []

        return answer(request, await intake.change(plan))


def _grids(areas: Iterable[Area]) -> dict[str, str]:
    """Ids of grids by id and by name; a name of several is none's."""
    grids = [area for area in areas if area.level == "grid"]
    found: dict[str, str] = {}
    twice: set[str] = set()
    for area in grids:
        twice |= {area.name} & found.keys()
        found[area.name] = area.id
    for name in twice:
        del found[name]
    return found | {area.id: area.id for area in grids}
