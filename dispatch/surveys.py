"""Surveys (普查): one question to the grids of a city, as a task for each, done by whoever owns it.

The tasks of a survey have its id and their grid's for theirs, so that a survey that was sent twice, or of which the
server had made half when it was killed, is one survey.
"""

from __future__ import annotations

from collections.abc import Sequence

from shapely.geometry import shape

from dispatch.desk import Desk
from dispatch.desk_model import NewTask
from dispatch.model import NOBODY, Spot, Task, TaskId
from dispatch.rules import SURVEY
from tracker.intake import Intake
from tracker.model import Area, AreaId, UnitId
from tracker.refusal import Refusal
from tracker.rota import Rota

GRIDS = 3000
"""Of one survey: those of the largest city."""


class Surveys:
    """``desk`` has the tasks."""

    def __init__(self, intake: Intake, rota: Rota, desk: Desk) -> None:
        self._intake, self._rota, self._desk = intake, rota, desk

    async def create(self, id: str, grids: Sequence[str], text: str, by: str, due: int | None) -> list[Task]:
        """A task for each of these grids; those that are there already stay as they are. Raises Refusal and
        StoreFailed."""
        if SURVEY not in self._desk.rules.kinds:
            raise Refusal("no_survey", "the city's rules have no [survey]", "本市规则未设置普查（[survey]）")
        areas = [self._area(grid) for grid in dict.fromkeys(grids)]
        if not 0 < len(areas) <= GRIDS:
            raise Refusal("bad_grids", f"name 1 to {GRIDS} grids", f"请指定 1 至 {GRIDS} 个网格")
        owners = self._owners()
        made = []
        for area in areas:
            point = shape(area.geometry).representative_point()
            spot, of = Spot(round(point.y * 1e7), round(point.x * 1e7)), TaskId(f"{id}:{area.id}")
            new = NewTask(SURVEY, spot, of, "", area.name, text, by, owners.get(area.id, NOBODY), due=due)
            task, _ = await self._desk.create(new, by)
            made.append(task)
        return made

    def of(self, id: str) -> list[Task]:
        """The tasks of a survey that are known."""
        return [task for task in self._desk.book.all() if task.kind == SURVEY and task.id.startswith(f"{id}:")]

    def _area(self, grid: str) -> Area:
        area = self._intake.roster.areas.get(AreaId(grid))
        if area is None or area.level != "grid":
            raise Refusal("no_grid", f"there is no grid {grid!r}", f"没有编号为 {grid} 的网格")
        return area

    def _owners(self) -> dict[str, UnitId]:
        """Who owns which grid now: whoever is on duty before whoever is not, then the smaller id."""
        now, roster = self._intake.wall(), self._intake.roster
        found: dict[str, UnitId] = {}
        units = sorted(roster.units.values(), key=lambda unit: (roster.on_duty(unit.id, now) is None, unit.id))
        for unit in units:
            for grid in self._rota.grids(unit.id, now) if unit.kind == "person" else ():
                found.setdefault(grid, unit.id)
        return found
