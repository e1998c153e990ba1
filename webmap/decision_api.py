"""The route of decision records: why somebody was chosen, and the same made again out of what was known then.

A record says where people were. Who reads one is on record, like who looks at a track.
"""

from __future__ import annotations

from typing import Any

from dispatch.decision import ROUND, Record, recompute
from tracker.model import UnitId
from webmap.access import address_of
from webmap.rights import Action
from webmap.routes import Route, answer, missing, who_of
from webmap.services import Services
from webmap.stories import Stories
from webmap.task_view import Sight


def add_decisions(route: Route, services: Services, stories: Stories) -> None:
    """Put the route on the console's app."""

    @route("GET", "/api/v1/tasks/<string:task>/decisions", Action.DECISIONS)
    async def decisions(request: Any, task: str) -> bytes:
        sight = Sight(services, who_of(request), Action.DECISIONS)
        story = await stories.read(task)
        if story.task is None or not sight.reaches(story.task):
            raise missing("task", "任务")
        await services.access.record(sight.who, "decision", [""], address=address_of(request), task=story.task.id)
        found = [_view(sight, number, record) for number, record in sorted(story.decisions.items())]
        return answer(request, {"decisions": found, "unreadable": list(story.unreadable)})


def _view(sight: Sight, attempt: int, record: Record) -> dict[str, Any]:
    """A record with what comes of it again; of whom the asker does not reach there is nothing in it. ``same`` is
    whether the rules choose the same, ``None`` where a dispatcher chose or this version does not know those rules."""
    try:
        again = recompute(record)
    except ValueError:
        again = None
    chosen = UnitId(record["chosen"])
    same = None if again is None or record["by"] != ROUND else again == chosen
    rows = [n for n, row in enumerate(record["units"]) if sight.shows(UnitId(row[0]))]
    shown = {
        **_plain(sight, record),
        "units": [record["units"][n] for n in rows],
        "terms": [record["terms"][n] for n in rows],
    }
    names = {unit: _named(sight, unit) for unit in (again, chosen)}
    return {"attempt": attempt, **shown, "chosen": names[chosen], "recomputed": names[again], "same": same}


def _plain(sight: Sight, record: Record) -> dict[str, Any]:
    *task, independent = record["task"]
    return {**record, "task": [*task, _named(sight, UnitId(independent)) or ""]}


def _named(sight: Sight, unit: UnitId | None) -> str | None:
    return unit if unit is None or not unit or sight.shows(unit) else None
