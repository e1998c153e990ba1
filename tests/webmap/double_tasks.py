"""The desk of the stand-in server: the real book of tasks in memory, seen as the API shows it.

``switch("tasks", …)`` changes it: ``many=n`` adds n rows that nobody works at. ``sos`` and ``problem`` are units that
call for help and that report something, ``tell`` a note for the seats, ``meanwhile=(task, unit)`` what another seat
does, ``fails=True`` no answer of the desk. A morning's work of the town is in double_scene.py.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from dispatch.book import TaskBook
from dispatch.draft import Step
from dispatch.duplicates import DuplicateIndex
from dispatch.messages import words
from dispatch.model import NOBODY, OPEN, AttemptInput, Result, Spot, Task, TaskId, TaskState
from dispatch.rules_file import CITIES, read_rules
from tests.webmap.double_city import OFF_SHIFT, OFFLINE, ONLINE, STALE, Town, Walker
from tests.webmap.double_devices import photo
from tracker.coordinates import distance
from tracker.model import UnitId
from tracker.refusal import Refusal

BY = "demo"
PACE = 3.3 / 1.35
"""Metres a second, straight."""
FAR = 2500
REASONS = {OFF_SHIFT: "off_duty", OFFLINE: "offline", STALE: "stale"}
Answer = tuple[int, Any]


def degrees(spot: Spot) -> list[float]:
    return [spot.latitude / 1e7, spot.longitude / 1e7]


class Tasks:
    """What the API has of tasks."""

    def __init__(self, town: Town, now: int) -> None:
        self.town = town
        self.rules = read_rules(CITIES / "round-the-clock.toml")
        self.book = TaskBook()
        self.links = DuplicateIndex(self.rules.duplicates)
        self.version = now
        self.versions: dict[TaskId, int] = {}
        self.many: list[dict[str, Any]] = []
        self.notes: list[dict[str, Any]] = []
        self.sos: dict[str, dict[str, Any]] = {}
        self.problems: dict[str, dict[str, Any]] = {}
        self.asked: list[list[Any]] = []
        """What pages have asked to be done: verb or route, task, body."""
        self.fails = False
        self._made: dict[str, TaskId] = {}

    # -- what happens

    def do(self, id: TaskId, step: Step, at: int) -> Task:
        """A step has been written down."""
        self.book.take(step.events)
        self.version += 1
        self.versions[id] = self.version
        for send in step.sends:
            if send.to != "unit":
                self.tell(at, send.to, send.what, id, send.attempt, send.unit, send.reason)
        task = self.book.get(id)
        assert task is not None
        self.links.add(id, task.klass, task.spot, task.created)
        return task

    def tell(self, at: int, to: str, what: str, task: str, attempt: int = 0, unit: str = "", reason: str = "") -> None:
        note = {"at": at, "to": to, "what": what, "task": task, "attempt": attempt, "unit": unit, "reason": reason}
        self.notes.append({"n": self.version, **note})

    def make(self, id: str, given: dict[str, Any], now: int, source: str = "12345") -> Task:
        """A new task; ``given`` as the API takes it."""
        kind, klass = given["kind"], given.get("klass", "")
        spot = Spot(round(given["lat"] * 1e7), round(given["lon"] * 1e7))
        limit = self.rules.limit(kind, klass).length
        grid = self._grid(spot)
        task = Task(
            TaskId(id), kind, klass, spot, given.get("address", ""), given.get("text", ""), source, now,
            limit, now + limit // 2, now + limit * 4 // 5, now + limit, grid=grid,
            street=next((w.about["street"] for w in self.town.walkers.values() if w.about["grid"] == grid), ""),
            pinned=UnitId(given.get("unit", NOBODY)), times=self.rules.times(kind),
        )  # fmt: skip
        return self.do(task.id, self.book.plan_create(task, now), now)

    def _grid(self, spot: Spot) -> str:
        def away(walker: Walker) -> float:
            return self._metres(walker, spot)

        people = [walker for walker in self.town.walkers.values() if walker.about["grid"]]
        return str(min(people, key=away).about["grid"])

    def _metres(self, walker: Walker, spot: Spot) -> float:
        return distance(round(walker.latitude * 1e7), round(walker.longitude * 1e7), spot.latitude, spot.longitude)

    def switch(self, now: int, **given: Any) -> None:
        self.version += 1
        if "fails" in given:
            self.fails = given["fails"]
        for n in range(given.get("many", 0)):
            self.many.append(self._row_of_many(n, now))
        if "meanwhile" in given:
            id, unit = given["meanwhile"]
            self.do(TaskId(id), self.book.plan_assign(TaskId(id), UnitId(unit), "seat-2", 300, now), now)
        if "sos" in given:
            self._call_for_help(given["sos"], now)
        if "problem" in given:
            unit, text = given["problem"]
            self._problem(unit, text, now)
        if "tell" in given:
            self.tell(now, *given["tell"])

    def _row_of_many(self, n: int, now: int) -> dict[str, Any]:
        latitude, longitude = self.town.city.centre
        left = (n * 7919 % 3600 - 300) * 1000
        return {
            "id": f"many-{n:05}", "kind": "verify", "klass": "0501", "state": "queued", "level": n % 4,
            "overdue": left < 0, "light": "red" if left < 0 else "green", "address": f"鼓楼街{n}号",
            "text": "占道经营", "source": "12345", "warn": now + left - 900_000, "critical": now + left - 360_000,
            "spot": [latitude + (n % 100 - 50) * 4e-4, longitude + (n // 100 - 50) * 4e-4], "created": now - 600_000,
            "due": now + left, "grid": "", "street": "",
            "pinned": "", "seen": "queued.0", "since": now - 600_000, "holder": None, "result": None, "kept": 0,
            "links": 0, "version": self.version,
        }  # fmt: skip

    def _call_for_help(self, unit: str, now: int) -> None:
        walker = self.town.walkers[unit]
        walker.alarm = 1
        here = Spot(round(walker.latitude * 1e7), round(walker.longitude * 1e7))
        others = [one for one in self.town.walkers.values() if one.id != unit and one.state == ONLINE]
        near = sorted((round(self._metres(one, here)), one.id, one.about["name"]) for one in others)[:3]
        self.sos[f"{unit}-{now}"] = {
            "id": f"{unit}-{now}", "unit": unit, "name": walker.about["name"], "at": now, "spot": degrees(here),
            "accuracy": 12, "near": [{"unit": id, "name": name, "metres": metres} for metres, id, name in near],
            "acknowledged": None,
        }  # fmt: skip

    def _problem(self, unit: str, text: str, now: int) -> None:
        walker = self.town.walkers[unit]
        id = f"{unit}:p{len(self.problems)}"
        self.problems[id] = {
            "id": id, "unit": unit, "name": walker.about["name"], "at": now, "accuracy": 80,
            "spot": [walker.latitude, walker.longitude], "klass": "0201", "text": text, "photos": ["a" * 64],
            "voice": None, "task": None, "state": "new",
        }  # fmt: skip

    # -- as the API shows it

    def row(self, task: Task, now: int) -> dict[str, Any]:
        holder, result = task.attempt, task.result
        at = result.at if result is not None else task.since if task.state not in OPEN else now
        light = "red" if at >= task.due else "yellow" if at >= task.critical else "green"
        return {
            "id": task.id, "kind": task.kind, "klass": task.klass, "state": str(task.state), "level": task.level,
            "overdue": task.overdue, "light": light, "spot": degrees(task.spot), "address": task.address,
            "text": task.text, "source": task.source, "created": task.created, "warn": task.warn,
            "critical": task.critical, "due": task.due, "grid": task.grid, "street": task.street,
            "pinned": task.pinned, "seen": task.seen, "since": task.since,
            "holder": None if holder is None else {
                "attempt": holder.number, "unit": holder.unit, "name": self._name(holder.unit),
                "state": str(holder.state), "eta": holder.eta, "by": holder.by,
                "at": {str(state): when for state, when in holder.at.items()},
            },
            "result": None if result is None else self._result(result), "kept": len(task.kept),
            "links": len(self.links.links(task.id)), "version": self.versions[task.id],
        }  # fmt: skip

    def _result(self, result: Result) -> dict[str, Any]:
        return {
            "word": result.word, "unit": result.unit, "name": self._name(result.unit), "attempt": result.attempt,
            "at": result.at, "said": result.said, "text": result.text, "photos": list(result.arrived),
            "missing": result.missing, "marks": list(result.marks),
        }  # fmt: skip

    def _name(self, unit: str) -> str:
        walker = self.town.walkers.get(unit)
        return unit if walker is None else str(walker.about["name"])

    def whole(self, task: Task, now: int) -> dict[str, Any]:
        attempts = [
            {"attempt": one.number, "unit": one.unit, "name": self._name(one.unit), "by": one.by, "eta": one.eta,
             "state": str(one.state), "reason": one.reason, "at": {str(k): v for k, v in one.at.items()}}
            for one in task.attempts
        ]  # fmt: skip
        links = self.links.links(task.id)
        return {
            **self.row(task, now), "attempts": attempts, "events": self.book.history(task.id),
            "links": [{"task": link.task, "metres": round(link.metres), "later": link.later} for link in links],
            "kept": [self._result(result) for result in task.kept], "photos": [],
        }  # fmt: skip

    def candidates(self, spot: Spot, task: Task | None) -> dict[str, Any]:
        found = []
        for walker in self.town.walkers.values():
            metres = round(self._metres(walker, spot))
            held = len(self.book.held(UnitId(walker.id)))
            travel = round(metres / (PACE if walker.about["kind"] == "person" else 6))
            reason = REASONS.get(walker.state) or ("wrong_role" if walker.about["kind"] == "vehicle" else None)
            if reason is None and task is not None and walker.id in task.declined:
                reason = "declined"
            reason = reason or ("too_far" if metres > FAR else None)
            foreign = 0 if task is None or walker.about["grid"] == task.grid else 120
            terms = {"backlog": 420 * held, "travel": travel, "late": 0, "foreign": foreign, "accuracy": 4, "stale": 0,
                     "fair": 0}  # fmt: skip
            found.append(
                {"unit": walker.id, "name": walker.about["name"], "reason": reason, "metres": metres,
                 "eta": terms["backlog"] + travel, "cost": sum(terms.values()), "terms": terms, "way": "straight_line",
                 "spot": [walker.latitude, walker.longitude]}
            )  # fmt: skip
        return {"candidates": sorted(found, key=lambda one: (one["reason"] is not None, one["cost"]))}

    def desk(self, since: int, now: int) -> dict[str, Any]:
        whole = since == 0 or since > self.version
        tasks = [self.row(task, now) for task in self.book.all() if whole or self.versions[task.id] > since]
        return {
            "version": self.version, "now": now, "whole": whole, "gone": [], "words": words(self.rules, 8_000_000),
            "tasks": tasks + [row for row in self.many if whole or row["version"] > since],
            "sos": list(self.sos.values()), "problems": list(self.problems.values()),
            "notes": [note for note in self.notes if whole or note["n"] > since],
        }  # fmt: skip

    # -- the API

    def answer(self, method: str, parts: list[str], query: str, body: Any, now: int) -> Answer | bytes:
        if self.fails:
            return 503, {"error": {"code": "away", "text": "not now", "zh": "暂不可用"}}
        given = {name: values[0] for name, values in parse_qs(query).items()}
        if method == "POST":
            self.asked.append([*parts[1:], body])
        try:
            if parts[0] == "desk":
                return 200, self.desk(int(given["since"]), now)
            if parts[0] == "photos":
                return photo(int(parts[1][0], 16))
            if parts[0] == "candidates":
                spot = Spot(round(float(given["lat"]) * 1e7), round(float(given["lon"]) * 1e7))
                links = self.links.near(given["klass"], spot, now) if given.get("klass") else []
                near = [{"task": link.task, "metres": round(link.metres), "later": link.later} for link in links]
                return 200, {**self.candidates(spot, None), "links": near}
            if parts[0] == "sos":
                self.sos[parts[1]]["acknowledged"] = {"by": BY, "at": now}
                self.version += 1
                return 200, self.sos[parts[1]]
            if parts[0] == "problems":
                return self._settle(parts[1], now) if parts[2] == "seen" else self._take_up(parts[1], now)
            return self._tasks(method, parts[1:], body, now)
        except Refusal as refusal:
            status = {"changed": 409, "not_now": 409, "no_task": 404}.get(refusal.code, 422)
            return status, {"error": {"code": refusal.code, "text": str(refusal), "zh": refusal.zh}}

    def _settle(self, id: str, now: int) -> Answer:
        self.problems[id]["state"] = "seen"
        self.version += 1
        return 200, self.problems[id]

    def _take_up(self, id: str, now: int) -> Answer:
        problem = self.problems[id]
        lat, lon = problem["spot"]
        made = {"kind": "verify", "klass": problem["klass"], "lat": lat, "lon": lon, "text": problem["text"]}
        task = self.make(f"P{len(self.problems):04}", {**made, "address": "现场上报"}, now, problem["name"])
        problem |= {"task": task.id, "state": "task"}
        return 201, self.row(task, now)

    def _tasks(self, method: str, parts: list[str], body: Any, now: int) -> Answer:
        if not parts:
            if method == "GET":
                return 200, {"tasks": [self.row(task, now) for task in self.book.all()]}
            key = json.dumps(body, sort_keys=True)
            known = self.book.get(self._made.get(key, TaskId("")))
            if known is None:
                known = self.make(f"N{len(self._made) + 1:04}", body, now, BY)
                self._made[key] = known.id
            return 201, self.row(known, now)
        id = TaskId(parts[0])
        task = self.book.get(id)
        if task is None:
            raise Refusal("no_task", f"there is no task {id!r}", f"没有编号为 {id} 的任务")
        if method == "GET":
            return 200, self.candidates(task.spot, task) if parts[1:] else self.whole(task, now)
        step = self._step(parts[1], task, body, now)
        return 200, self.row(self.do(id, step, now), now)

    def _step(self, verb: str, task: Task, body: dict[str, Any], now: int) -> Step:
        id, seen, reason, book = task.id, body["seen"], body.get("reason", ""), self.book
        if verb == "assign":
            unit = UnitId(body["unit"])
            eta = round(self._metres(self.town.walkers[unit], task.spot) / PACE)
            return book.plan_assign(id, unit, BY, eta, now, seen=seen)
        if verb == "adopt":
            return book.plan_adopt(id, body["attempt"], body["at"], BY, now, seen=seen)
        if verb == "phone":
            holder = task.attempt
            if holder is None or task.state is not TaskState.ASSIGNED:
                raise Refusal("not_now", "nobody is being asked for it now", "该任务当前没有待答复的派发")
            what = AttemptInput(body["what"])
            return book.plan_told(id, holder.number, holder.unit, what, now, reason=reason or f"phone:{BY}")
        if verb == "unpin":
            return book.plan_unpin(id, BY, now, seen=seen)
        if verb == "close":
            return book.plan_close(id, BY, now, seen=seen)
        if verb == "resume":
            return book.plan_resume(id, BY, now, seen=seen)
        plan = {"recall": book.plan_recall, "return": book.plan_return, "suspend": book.plan_suspend,
                "cancel": book.plan_cancel}[verb]  # fmt: skip
        return plan(id, BY, reason, now, seen=seen)
