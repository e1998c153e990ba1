"""The routes of tasks: make one, look at it, amend it, choose who does it, and decide what becomes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from twisted.internet.threads import deferToThreadPool

from dispatch.desk import Desk
from dispatch.model import OPEN, Spot, Task, TaskId, TaskState
from dispatch.ranking import Standing
from tracker.model import UnitId
from tracker.working_time import NoWorkingTime
from webmap.reach import unit_within
from webmap.rights import Action, Scope
from webmap.routes import ApiError, Route, answer, body_of, missing, who_of
from webmap.services import Services
from webmap.stories import Stories
from webmap.task_view import Sight
from webmap.task_wishes import (
    REASON,
    better_of,
    fields_of,
    key_of,
    klass_of,
    new_of,
    number_of,
    refused,
    same,
    spot_of,
    text_of,
)

ROWS = 200
"""Tasks in one answer, at the most."""
_OPEN = "open"
_SEARCHED = ("id", "klass", "address", "text", "source")
_DECIDED = frozenset({"seen", "unit", "reason", "attempt", "at", "what"})

Decide = Callable[[Desk, Task, str, dict[str, Any]], Awaitable[Task]]


def add_tasks(route: Route, services: Services, stories: Stories) -> None:
    """Put the routes on the console's app."""
    desk, roster = services.desk, services.intake.roster

    def sight_of(request: Any, action: Action = Action.TASKS) -> Sight:
        return Sight(services, who_of(request), action)

    def unit_of(scope: Scope, unit: UnitId) -> None:
        if unit and unit_within(roster, scope, unit) is None:
            raise refused("no_unit", f"there is no unit {unit!r}", f"没有编号为 {unit} 的人员或车辆")

    async def standings(task: Task) -> list[Standing]:
        """Everybody for a task, in a thread: of a thousand people it takes some 20 ms."""
        frozen = replace(task, declined=dict(task.declined))
        found: list[Standing] = await deferToThreadPool(
            services.reactor, services.pool, services.rounds.standings, frozen
        )
        return found

    def in_reach(scope: Scope, spot: Spot) -> None:
        if not scope.covers_street(desk.place(spot)[1]):
            text = "this lies in no street of your account"
            raise refused("out_of_reach", text, "该位置不在账号负责的街道内")

    @route("POST", "/api/v1/tasks", Action.DISPATCH)
    async def make(request: Any) -> bytes:
        sight = sight_of(request, Action.DISPATCH)
        scope, account = sight.who.scope(Action.DISPATCH), sight.who.name
        key = key_of(request)
        new = new_of(services, body_of(request), key, account)
        for unit in (new.pinned, new.independent):
            unit_of(scope, unit)
        in_reach(scope, new.spot)
        task, made = await desk.create(new, account)
        if not made:
            if not sight.reaches(task):
                raise ApiError(409, "taken", f"the id {new.id!r} cannot be used", f"编号 {new.id} 不能使用")
            if not same(task, desk.history(task.id), new, account):
                raise _otherwise(task, key)
        return answer(request, sight.row(task), 201 if made else 200)

    @route("GET", "/api/v1/tasks", Action.TASKS)
    def listed(request: Any) -> bytes:
        sight = sight_of(request)
        state, query, limit, before = _asked(request)
        wanted = [
            task
            for task in desk.book.all()
            if sight.reaches(task) and (before is None or task.created < before) and _fits(task, state, query)
        ]
        wanted.sort(key=lambda task: (task.created, task.id), reverse=True)
        rows = [sight.row(task) for task in wanted[:limit]]
        return answer(request, {"tasks": rows, "more": len(wanted) > limit})

    @route("GET", "/api/v1/tasks/<string:task>", Action.TASKS)
    async def one(request: Any, task: str) -> bytes:
        sight = sight_of(request)
        found = desk.book.get(TaskId(task))
        if found is not None and sight.reaches(found):
            return answer(request, sight.whole(found, desk.history(found.id)))
        if found is not None:
            raise missing("task", "任务")
        story = await stories.read(task)
        if story.task is None or not sight.reaches(story.task):
            raise missing("task", "任务")
        return answer(request, sight.whole(story.task, story.deeds))

    @route("PATCH", "/api/v1/tasks/<string:task>", Action.DISPATCH)
    async def amend(request: Any, task: str) -> bytes:
        sight = sight_of(request, Action.DISPATCH)
        found = sight.task(task)
        seen, better = better_of(services, body_of(request))
        if "spot" in better:
            in_reach(sight.who.scope(Action.DISPATCH), better["spot"])
        return answer(request, sight.row(await desk.amend(found.id, sight.who.name, seen, **better)))

    @route("GET", "/api/v1/tasks/<string:task>/candidates", Action.DISPATCH)
    async def candidates(request: Any, task: str) -> bytes:
        sight = sight_of(request, Action.DISPATCH)
        found = sight.task(task)
        return answer(request, {"candidates": sight.candidates(await standings(found))})

    @route("GET", "/api/v1/candidates", Action.DISPATCH)
    async def candidates_at(request: Any) -> bytes:
        sight, asked = sight_of(request, Action.DISPATCH), _query(request)
        kind = asked.get("kind", "verify")
        if kind not in desk.rules.kinds:
            words = ", ".join(desk.rules.kinds)
            raise refused("bad_kind", f"kind must be one of {words}", f"kind 须为 {words} 之一")
        place = {name: _number(asked[name]) for name in ("lat", "lon") if asked.get(name)}
        spot = spot_of(services, {**place, "crs": asked.get("crs")})
        in_reach(sight.who.scope(Action.DISPATCH), spot)
        klass = klass_of(asked)
        wanted = _imagined(services, kind, klass, spot)
        links = sight.linked(desk.near(klass, spot)) if klass else []
        return answer(request, {"candidates": sight.candidates(await standings(wanted)), "links": links})

    @route("POST", "/api/v1/tasks/<string:task>/<string:verb>", Action.DISPATCH)
    async def decide(request: Any, task: str, verb: str) -> bytes:
        sight = sight_of(request, Action.DISPATCH)
        decision = _DECISIONS.get(verb)
        if decision is None:
            raise missing("decision", "操作")
        found = sight.task(task)
        given = fields_of(body_of(request), _DECIDED)
        given |= {"seen": text_of(given, "seen", 64), "reason": text_of(given, "reason", REASON)}
        if verb == "assign":
            unit = given.get("unit")
            if not isinstance(unit, str) or not unit:
                raise refused("no_unit", "unit is missing: say who is to go", "缺少 unit：请指明派给谁")
            unit_of(sight.who.scope(Action.DISPATCH), UnitId(unit))
            given["eta"] = next((one.eta for one in await standings(found) if one.unit == unit), 0)
        return answer(request, sight.row(await decision(desk, found, sight.who.name, given)))


def _imagined(services: Services, kind: str, klass: str, spot: Spot) -> Task:
    """A task as it would be, for those who want to see who could go."""
    desk, now = services.desk, services.wall()
    try:
        due = desk.deadlines.begin(desk.rules.limit(kind, klass), now).due
    except NoWorkingTime as error:
        raise refused("no_working_time", str(error), "十年内没有足够的工作时间") from None
    grid, street = desk.place(spot)
    return Task(TaskId(""), kind, klass, spot, "", "", "", now, due - now, due, due, due, grid=grid, street=street,
                times=desk.rules.times(kind))  # fmt: skip


def _adopt(desk: Desk, task: Task, by: str, given: dict[str, Any]) -> Awaitable[Task]:
    return desk.adopt(task.id, number_of(given, "attempt"), number_of(given, "at"), by, given["seen"])


def _phone(desk: Desk, task: Task, by: str, given: dict[str, Any]) -> Awaitable[Task]:
    what = given.get("what")
    if what not in ("accept", "decline"):
        raise refused("bad_what", "what must be accept or decline", "what 须为 accept 或 decline")
    return desk.told_by_phone(task.id, number_of(given, "attempt"), what, by, given["reason"], given["seen"])


_DECISIONS: dict[str, Decide] = {
    "assign": lambda desk, task, by, given: desk.assign(
        task.id, UnitId(given["unit"]), by, given["seen"], given["eta"]
    ),
    "unpin": lambda desk, task, by, given: desk.unpin(task.id, by, given["seen"]),
    "recall": lambda desk, task, by, given: desk.recall(task.id, by, given["reason"], given["seen"]),
    "return": lambda desk, task, by, given: desk.return_(task.id, by, given["reason"], given["seen"]),
    "adopt": _adopt,
    "close": lambda desk, task, by, given: desk.close(task.id, by, given["seen"]),
    "suspend": lambda desk, task, by, given: desk.suspend(task.id, by, given["reason"], given["seen"]),
    "cancel": lambda desk, task, by, given: desk.cancel(task.id, by, given["reason"], given["seen"]),
    "resume": lambda desk, task, by, given: desk.resume(task.id, by, given["seen"]),
    "phone": _phone,
}
"""What may be decided of a task, as routes call it."""


def _otherwise(task: Task, key: str | None) -> ApiError:
    if key is not None:
        text = "this Idempotency-Key was used for another task: send the same again, or another key"
        return ApiError(422, "idempotency_mismatch", text, "该 Idempotency-Key 已用于另一任务：请重发相同内容或更换")
    text = f"there is a task {task.id!r} that says otherwise: amend it by PATCH"
    return ApiError(409, "known", text, f"编号为 {task.id} 的任务已存在且内容不同，请用 PATCH 修改")


def _query(request: Any) -> dict[str, str]:
    return {name.decode("utf-8", "replace"): values[0].decode("utf-8", "replace").strip()
            for name, values in request.args.items()}  # fmt: skip


def _number(given: str) -> float:
    try:
        return float(given)
    except ValueError:
        raise refused("bad_position", "lat and lon must be numbers, degrees", "lat、lon 须为以度为单位的数字") from None


def _asked(request: Any) -> tuple[str, str, int, int | None]:
    asked = _query(request)
    state, numbers = asked.get("state", ""), []
    if state and state != _OPEN and state not in tuple(TaskState):
        words = ", ".join((_OPEN, *TaskState))
        raise refused("bad_state", f"state must be one of {words}", f"state 须为 {words} 之一")
    for name, most in (("limit", ROWS), ("before", 1 << 53)):
        value = asked.get(name, "")
        if value and not (value.isascii() and value.isdigit() and len(value) <= 16 and 0 < int(value) <= most):
            raise refused(
                f"bad_{name}", f"{name} must be a whole number up to {most}", f"{name} 须为不超过 {most} 的整数"
            )
        numbers.append(int(value) if value else None)
    return state, asked.get("q", "").lower()[:100], numbers[0] or ROWS, numbers[1]


def _fits(task: Task, state: str, query: str) -> bool:
    if state and (task.state not in OPEN if state == _OPEN else task.state != state):
        return False
    return not query or any(query in getattr(task, name).lower() for name in _SEARCHED)
