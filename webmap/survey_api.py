"""The routes of surveys (普查): one question to many grids, and how far they have come with it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

from dispatch.model import NOBODY, Task, TaskState
from tracker.model import AreaId
from webmap.rights import Action, Scope
from webmap.routes import Route, answer, body_of, missing, who_of
from webmap.services import Services
from webmap.task_view import Sight
from webmap.task_wishes import TEXTS, fields_of, id_from, key_of, number_of, refused, text_of

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,31}")
_TASK_ID = 64
"""Characters: a survey's id and a grid's are the id of a task, of which devices take so many."""
_FIELDS = frozenset({"id", "grids", "street", "text", "due"})


def add_surveys(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""

    @route("POST", "/api/v1/surveys", Action.DISPATCH)
    async def make(request: Any) -> bytes:
        who, key = who_of(request), key_of(request)
        fields = fields_of(body_of(request), _FIELDS)
        id = fields.get("id") or (f"s-{secrets.token_hex(6)}" if key is None else id_from(who.name, key))
        text = text_of(fields, "text", TEXTS["text"])
        if not text:
            raise refused("bad_text", "say what is to be looked at", "请写明普查内容")
        grids = _grids(services, fields, who.scope(Action.DISPATCH))
        if not isinstance(id, str) or not _ID.fullmatch(id) or any(len(f"{id}:{grid}") > _TASK_ID for grid in grids):
            text = "id must have 1 to 32 letters, digits and . _ -, the first a letter or a digit"
            raise refused("bad_id", text, "id 须为 1 至 32 位字母、数字及 . _ -，首位为字母或数字")
        due = None if "due" not in fields else number_of(fields, "due")
        await services.surveys.create(id, grids, text, who.name, due)
        return answer(request, _view(services, Sight(services, who), id), 201)

    @route("GET", "/api/v1/surveys/<string:survey>", Action.TASKS)
    def one(request: Any, survey: str) -> bytes:
        return answer(request, _view(services, Sight(services, who_of(request)), survey))


def _grids(services: Services, fields: Mapping[str, Any], scope: Scope) -> list[str]:
    """The grids that are asked, all of them within reach; one that is not is answered like one that does not exist."""
    areas = services.intake.roster.areas
    street, listed = text_of(fields, "street", 100), fields.get("grids")
    if (listed is None) is (not street):
        raise refused(
            "bad_grids", "send grids, or street for all of its grids", "请发送 grids，或以 street 指定整个街道"
        )
    if listed is None:
        return [area.id for area in areas.values()
                if area.level == "grid" and area.street == street and scope.covers_area(area)]  # fmt: skip
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise refused("bad_grids", "grids must be a list of ids", "grids 须为编号列表")
    for grid in listed:
        area = areas.get(AreaId(grid))
        if area is None or area.level != "grid" or not scope.covers_area(area):
            raise refused("no_grid", f"there is no grid {grid!r}", f"没有编号为 {grid} 的网格")
    return listed


def _view(services: Services, sight: Sight, id: str) -> dict[str, Any]:
    """A survey by its grids, as far as somebody reaches them. Times in ms."""
    tasks = sorted((task for task in services.surveys.of(id) if sight.reaches(task)), key=lambda task: task.id)
    if not tasks:
        raise missing("survey", "普查")
    states = [task.state for task in tasks]
    first = tasks[0]
    return {
        "id": id, "by": first.source, "at": first.created, "due": first.due, "text": first.text,
        "counts": {"tasks": len(tasks)} | {str(state): states.count(state) for state in TaskState},
        "rows": [_row(services, sight, task) for task in tasks],
    }  # fmt: skip


def _row(services: Services, sight: Sight, task: Task) -> dict[str, Any]:
    """One grid of a survey: who has done it, does it, or is to do it."""
    unit = task.result.unit if task.result else task.attempt.unit if task.attempt else task.pinned
    unit = unit if unit != NOBODY and sight.shows(unit) else NOBODY
    known = services.intake.roster.units.get(unit)
    return {
        "task": task.id, "grid": task.id.partition(":")[2], "address": task.address, "state": str(task.state),
        "unit": unit or None, "name": (unit or None) if known is None else known.name,
        "word": task.result.word if task.result else None, "text": task.result.text if task.result else None,
        "since": task.since,
    }  # fmt: skip
