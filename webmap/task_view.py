"""How tasks look from outside, and how much of them somebody sees.

A task lies in a street: who reaches that sees it, whoever does it. Who does it is told to those who reach the person;
for the others somebody does. An account that reaches itself alone sees what its person is or was asked to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dispatch.desk_model import Note
from dispatch.duplicates import Link
from dispatch.model import NOBODY, Attempt, Result, Spot, Task, TaskId
from dispatch.problems import ProblemState, Report
from dispatch.ranking import Standing
from dispatch.sos import Call
from tracker.model import UnitId
from webmap.rights import Action, Reach, Who
from webmap.routes import missing
from webmap.services import Services

SETTLED_MS = 86_400_000
"""For so long a report that has been settled is shown at the desk."""
_PRIVATE = frozenset({"unit", "event", "arrived", "hash"})
"""What a deed says of who did it."""


def degrees(spot: Spot | None) -> list[float] | None:
    """Latitude and longitude."""
    return None if spot is None else [spot.latitude / 1e7, spot.longitude / 1e7]


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody sees of tasks, and of whom they may decide with ``action``."""

    services: Services
    who: Who
    action: Action = Action.TASKS

    # -- within reach

    def reaches(self, task: Task) -> bool:
        scope = self.who.scope(self.action)
        if scope.reach is Reach.OWN:
            return bool(scope.unit) and any(one.unit == scope.unit for one in task.attempts)
        return scope.covers_street(task.street)

    def task(self, id: str) -> Task:
        """The task, if there is one within reach; else 404. Raises :class:`~webmap.routes.ApiError`."""
        task = self.services.desk.book.get(TaskId(id))
        if task is None or not self.reaches(task):
            raise missing("task", "任务")
        return task

    def shows(self, unit: UnitId, action: Action | None = None) -> bool:
        """Whether somebody may know who it is; of whom nothing is left, who reaches everything."""
        scope = self.who.scope(action or self.action)
        known = self.services.intake.roster.units.get(unit)
        return scope.everything if known is None else scope.covers(known)

    def reported(self, report: Report) -> bool:
        """Whether a report is within reach: its very id says who made it."""
        return self.shows(report.unit)

    # -- tasks

    def row(self, task: Task) -> dict[str, Any]:
        """A task as a list shows it. Times in ms, degrees, ``eta`` in seconds."""
        desk, holder = self.services.desk, task.attempt
        return {
            "id": task.id, "kind": task.kind, "klass": task.klass, "state": str(task.state), "level": task.level,
            "overdue": task.overdue, "light": desk.light(task, self.services.wall()), "spot": degrees(task.spot),
            "address": task.address, "text": task.text, "source": task.source, "created": task.created,
            "warn": task.warn, "critical": task.critical, "due": task.due, "grid": task.grid, "street": task.street,
            "pinned": task.pinned if task.pinned == NOBODY or self.shows(task.pinned) else NOBODY, "seen": task.seen,
            "since": task.since, "holder": None if holder is None else self._attempt(holder),
            "result": None if task.result is None else self._result(task.result), "kept": len(task.kept),
            "links": len(self._links(task)), "version": desk.version_of(task.id),
        }  # fmt: skip

    def whole(self, task: Task, deeds: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """A task with all that has happened to it."""
        return {
            **self.row(task),
            "attempts": [self._attempt(one) for one in task.attempts],
            "kept": [self._result(one) for one in task.kept],
            "events": [self._deed(one) for one in deeds],
            "links": self._links(task),
            "photos": self._photos(task),
        }

    def _attempt(self, attempt: Attempt) -> dict[str, Any]:
        return {
            "attempt": attempt.number, **self._who(attempt.unit), "state": str(attempt.state), "eta": attempt.eta,
            "at": {str(state): at for state, at in attempt.at.items()}, "by": attempt.by, "reason": attempt.reason,
        }  # fmt: skip

    def _result(self, result: Result) -> dict[str, Any]:
        return {
            "word": result.word, **self._who(result.unit), "attempt": result.attempt, "at": result.at,
            "said": result.said, "text": result.text, "photos": list(result.arrived), "missing": result.missing,
            "marks": list(result.marks),
        }  # fmt: skip

    def _who(self, unit: UnitId) -> dict[str, Any]:
        if not self.shows(unit):
            return {"unit": None, "name": None}
        known = self.services.intake.roster.units.get(unit)
        return {"unit": unit, "name": unit if known is None else known.name}

    def _deed(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        unit = fields.get("unit")
        if unit is None or self.shows(UnitId(unit)):
            return dict(fields)
        return {name: value for name, value in fields.items() if name not in _PRIVATE}

    def _links(self, task: Task) -> list[dict[str, Any]]:
        return self.linked(self.services.desk.links(task))

    def linked(self, links: Iterable[Link]) -> list[dict[str, Any]]:
        """Of tasks that may be the same, those within reach."""
        found = []
        for link in links:
            other = self.services.desk.book.get(link.task)
            if other is not None and self.reaches(other):
                found.append({"task": link.task, "metres": round(link.metres), "later": link.later})
        return found

    def _photos(self, task: Task) -> list[dict[str, Any]]:
        """Those of all answers that are on disk."""
        found = []
        for result in [*task.kept, *([] if task.result is None else [task.result])]:
            for sha in result.arrived:
                one = self.services.evidence.exhibits.get(sha, result.unit)
                if one is not None:
                    about = {"sha": sha, "size": one.size, "type": one.type, "at": one.at}
                    found.append({**about, "unit": self._who(result.unit)["unit"]})
        return found

    # -- who could go

    def candidates(self, standings: Iterable[Standing]) -> list[dict[str, Any]]:
        """Those of whom one may know where they are: to say how far they are says that."""
        units, mirror = self.services.intake.roster.units, self.services.mirror
        found = []
        for one in standings:
            if one.unit not in units or not (self.shows(one.unit) and self.shows(one.unit, Action.LIVE)):
                continue
            state = mirror.units.get(one.unit) if mirror.shows(one.unit) else None
            spot = None
            if state is not None and state.latitude is not None and state.longitude is not None:
                spot = [state.latitude / 1e7, state.longitude / 1e7]
            reason = None if one.reason is None else str(one.reason)
            found.append({
                "unit": one.unit, "name": units[one.unit].name, "reason": reason,
                "metres": one.metres if one.roads is None else one.roads, "way": one.way,
                "eta": one.eta, "cost": one.cost, "spot": spot,
                "terms": {"backlog": one.backlog, "travel": one.travel, "late": one.late, "foreign": one.foreign,
                          "accuracy": one.accuracy, "stale": one.stale, "fair": one.fair},
            })  # fmt: skip
        return found

    # -- what else a seat is shown

    def calls(self) -> list[dict[str, Any]]:
        """Calls for help of those whose place one may see."""
        return [self.call(one) for one in self.services.sos.book.shown(self.services.wall()) if self.hears(one)]

    def hears(self, call: Call) -> bool:
        """Whether a call for help is within reach."""
        return self.shows(call.unit) and self.shows(call.unit, Action.LIVE)

    def call(self, call: Call) -> dict[str, Any]:
        acknowledged = {"by": call.by, "at": call.acknowledged} if call.acknowledged else None
        near = [{**self._who(one.unit), "metres": one.metres} for one in call.near if self.shows(one.unit)]
        return {
            "id": call.id, **self._who(call.unit), "at": call.at, "spot": degrees(call.spot), "accuracy": call.accuracy,
            "near": near, "acknowledged": acknowledged,
        }  # fmt: skip

    def reports(self) -> list[dict[str, Any]]:
        """What people have reported from the street: all that nobody has settled, and what was settled lately."""
        oldest = self.services.wall() - SETTLED_MS
        found = (
            one for one in self.services.reporting.book.all() if one.state is ProblemState.NEW or one.changed > oldest
        )
        return [self.report(one) for one in found if self.reported(one)]

    def report(self, report: Report) -> dict[str, Any]:
        told = report.told
        return {
            "id": report.id, **self._who(report.unit), "at": told.at,
            "spot": degrees(told.spot), "accuracy": None if told.accuracy is None else told.accuracy / 10,
            "klass": told.klass, "text": told.text, "photos": list(told.photos), "voice": told.voice or None,
            "state": str(report.state), "task": report.task or None,
        }  # fmt: skip

    def notes(self, since: int) -> list[dict[str, Any]]:
        """What people at seats should hear of, and came up after a version of the desk."""
        if self.who.scope(self.action).reach is Reach.OWN:
            return []
        return [self._note(one) for one in self.services.desk.notes if one.version > since and self._noted(one)]

    def _noted(self, note: Note) -> bool:
        task = self.services.desk.book.get(note.task)
        return task is not None and self.reaches(task)

    def _note(self, note: Note) -> dict[str, Any]:
        unit = note.unit if note.unit == NOBODY or self.shows(note.unit) else NOBODY
        return {"n": note.version, "at": note.at, "to": note.to, "what": note.what, "task": note.task,
                "attempt": note.attempt, "unit": unit, "reason": note.reason}  # fmt: skip

    def had(self, task: Task) -> bool:
        """Whether a task that is out of reach was within it before its place was mended."""
        scope = self.who.scope(self.action)
        if scope.reach is Reach.OWN:
            return False
        deeds = self.services.desk.history(task.id)
        return any("street" in one and scope.covers_street(one["street"]) for one in deeds)
