"""The notices and surveys of the stand-in server: the real books and views over the walkers of its town.

``switch("notices", read=[unit, …], shown=[unit, …])`` is what they do with the newest notice, ``done=[grid, …]`` those
whose part of a survey is closed.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from dispatch.model import AttemptInput, Result, TaskId
from dispatch.notices import Notice, NoticeBook
from tests.webmap.double_city import OFF_SHIFT, Town
from tests.webmap.double_tasks import BY, Tasks
from tracker.model import Unit, UnitId
from tracker.refusal import Refusal
from webmap.notice_api import Told, head_view, whole_view
from webmap.survey_api import _view

HOUR = 3_600_000


class Notices:
    """What the API has of both."""

    def __init__(self, town: Town, tasks: Tasks) -> None:
        self._town, self._tasks = town, tasks
        self.book = NoticeBook()
        self.asked: list[Any] = []

    def switch(self, now: int, *, read: Any = (), shown: Any = (), done: Any = ()) -> None:
        for unit in shown:
            self._take(self.book.plan_shown(self.book.all()[0].id, UnitId(unit), now))
        for unit in read:
            self._take(self.book.plan_read(self.book.all()[0].id, UnitId(unit), now))
        for task in [one for one in self._tasks.book.all() if one.id.partition(":")[2] in done]:
            self._answer(task.id, now)
        self._tasks.version += 1

    def _answer(self, id: TaskId, now: int) -> None:
        """Somebody goes there and says that it is done."""
        tasks, book, unit = self._tasks, self._tasks.book, UnitId(next(iter(self._town.walkers)))
        tasks.do(id, book.plan_assign(id, unit, BY, 300, now), now)
        tasks.do(id, book.plan_told(id, 1, unit, AttemptInput.ACCEPT, now), now)
        tasks.do(id, book.plan_report(id, "e", Result("done", unit, 1, now, "12 盏", now, closes=True), now), now)

    def _take(self, events: Any) -> None:
        for event in events:
            self.book.replay(event)

    # -- as the API

    def answer(self, method: str, parts: list[str], body: Any, now: int) -> tuple[int, Any]:
        if method == "POST":
            self.asked.append(body)
        try:
            return (self._notices if parts[0] == "notices" else self._surveys)(method, parts[1:], body, now)
        except Refusal as refusal:
            return 422, {"error": {"code": refusal.code, "text": str(refusal), "zh": refusal.zh}}

    def _notices(self, method: str, parts: list[str], body: Any, now: int) -> tuple[int, Any]:
        if method == "POST":
            id, about = f"n:{len(self.asked)}", {key: body[key] for key in ("street", "team") if body.get(key)}
            units = [
                UnitId(walker.id) for walker in self._town.walkers.values()
                if all(walker.about[key] == value for key, value in about.items())
                and walker.id in body.get("units", [walker.id])
                and (walker.state != OFF_SHIFT or body.get("off_duty"))
            ]  # fmt: skip
            self._take(self.book.plan(id, body["text"], units, about, body.get("until", now + 6 * HOUR), BY, now))
            parts = [id]
        if not parts:
            return 200, {"notices": [head_view(one, self._told(one)) for one in self.book.all()]}
        notice = self.book.get(parts[0])
        assert notice is not None
        return (201 if method == "POST" else 200), whole_view(notice, self._told(notice), now)

    def _told(self, notice: Notice) -> Told:
        return {id: (self._unit(id), receipt) for id, receipt in notice.units.items()}

    def _unit(self, id: UnitId) -> Unit:
        about = self._town.walkers[id].about
        return Unit(id, about["kind"], about["name"], about["team"], about["street"], about["grid"] or "")

    def _surveys(self, method: str, parts: list[str], body: Any, now: int) -> tuple[int, Any]:
        id = f"s-{len(self.asked)}" if method == "POST" else parts[0]
        if method == "POST":
            for grid in body["grids"]:
                self._make(f"{id}:{grid}", grid, body, now)
        units = {one: self._unit(UnitId(one)) for one in self._town.walkers}
        roster: Any = SimpleNamespace(units=units)
        found = [task for task in self._tasks.book.all() if task.id.startswith(f"{id}:")]
        services: Any = SimpleNamespace(
            surveys=SimpleNamespace(of=lambda _: found), intake=SimpleNamespace(roster=roster)
        )
        sight: Any = SimpleNamespace(reaches=lambda task: True, shows=lambda unit: True)
        return (201 if method == "POST" else 200), _view(services, sight, id)

    def _make(self, id: str, grid: str, body: Any, now: int) -> None:
        feature = next(one for one in self._town.city.grids["features"] if one["id"] == grid)
        west, south = feature["geometry"]["coordinates"][0][0]
        owner = next((one.id for one in self._town.walkers.values() if one.about["grid"] == grid), "")
        given = {"kind": "survey", "lat": south, "lon": west, "address": feature["properties"]["name"],
                 "text": body["text"], "unit": owner}  # fmt: skip
        self._tasks.make(TaskId(id), given, now, BY)
