"""What people on the street report by themselves: a place, what is wrong there, photos and a voice note. A pure core.

A report is an event ``("problem", "<unit>:<client event id>", fields)``; the same id again is the same report. What a
seat does with it follows under the same id: it was seen, or a task was made of it, whose id follows from the report's,
so that whoever is interrupted in between makes the same task again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from dispatch.model import NOBODY, Spot, TaskId
from tracker.model import UnitId
from tracker.refusal import Change, Refusal

PROBLEM = "problem"
"""The type of the events."""
KNOWN = 5_000
"""Reports that are known, some 2 kB each: a large city's of a fortnight; the archive has all of them."""
TEXT = 500
WORD = 64
PHOTOS = 9


class ProblemState(StrEnum):
    """What became of it."""

    NEW = "new"
    SEEN = "seen"
    """Somebody has read it, and there is nothing to do."""
    TASK = "task"


@dataclass(frozen=True, slots=True)
class Told:
    """What the device said; ``spot`` in WGS-84, ``at`` ms, ``accuracy`` dm."""

    event: str
    at: int
    spot: Spot | None
    accuracy: int | None
    klass: str
    text: str
    photos: tuple[str, ...] = ()
    voice: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """One that is on record. ``received`` ms; ``by`` and ``changed``: who settled it, and when."""

    id: str
    unit: UnitId
    told: Told
    received: int
    state: ProblemState = ProblemState.NEW
    by: str = ""
    changed: int = 0
    task: TaskId = TaskId("")  # noqa: RUF009 - a NewType of a text


def task_of(id: str) -> TaskId:
    """The id of the task that is made of a report. It says nothing of who reported it: the device's own event id is
    in it, which nobody guesses."""
    return TaskId(f"p-{hashlib.sha256(id.encode()).hexdigest()[:20]}")


def no_problem(id: str) -> Refusal:
    return Refusal("no_problem", f"there is no report {id!r}", f"没有编号为 {id} 的上报")


class ProblemBook:
    """The last reports, at most ``most``; of those that are settled the oldest go first, then those of who has
    reported the most: one device does not push out what others have seen."""

    def __init__(self, most: int = KNOWN) -> None:
        self._most = most
        self._all: dict[str, Report] = {}

    def __len__(self) -> int:
        return len(self._all)

    # -- looking

    def get(self, id: str) -> Report | None:
        return self._all.get(id)

    def has(self, unit: UnitId, event: str) -> bool:
        return f"{unit}:{event}" in self._all

    def all(self) -> list[Report]:
        """The newest first."""
        return [*reversed(self._all.values())]

    # -- planning

    def plan_report(self, unit: UnitId, told: Told, now: int) -> tuple[list[Change], str]:
        """The event to journal, and what the device hears: ``ok``, ``again``, or ``bad`` for what says nothing."""
        id = f"{unit}:{told.event}"
        if id in self._all:
            return [], "again"
        if not told.event or not (told.text or told.photos or told.voice or told.klass):
            return [], "bad"
        spot = None if told.spot is None else (told.spot.latitude, told.spot.longitude)
        said = {
            **asdict(told), "event": told.event[:WORD], "spot": spot, "text": told.text[:TEXT],
            "klass": told.klass[:WORD], "photos": told.photos[:PHOTOS],
        }  # fmt: skip
        return [(PROBLEM, id, {"what": "report", "unit": unit, "received": now, **said})], "ok"

    def plan_seen(self, id: str, by: str, now: int) -> list[Change]:
        """There is nothing to do. Raises Refusal."""
        report = self._of(id)
        if report.state is not ProblemState.NEW:
            return []
        return [(PROBLEM, id, {"what": "seen", "by": by, "at": now})]

    def plan_task(self, id: str, by: str, now: int) -> list[Change]:
        """A task was made of it, under the id that follows from its own. Raises Refusal."""
        report = self._of(id)
        if report.state is ProblemState.TASK:
            return []
        return [(PROBLEM, id, {"what": "task", "by": by, "at": now, "task": task_of(id)})]

    def _of(self, id: str) -> Report:
        report = self._all.get(id)
        if report is None:
            raise no_problem(id)
        return report

    # -- the journal

    def replay(self, event: Change) -> None:
        """Take in what the journal or a snapshot holds; of what was somebody's whose data is gone there may be but a
        part, which says nothing."""
        _, id, fields = event
        assert fields is not None
        if fields["what"] == "report":
            self._all.setdefault(id, _report(id, fields))
        elif id in self._all:
            known = self._all[id]
            task = TaskId(fields.get("task", known.task))
            state = ProblemState.TASK if fields["what"] == "task" else ProblemState.SEEN
            self._all[id] = replace(known, state=state, by=fields["by"], changed=fields["at"], task=task)
        if len(self._all) > self._most:
            self._make_room()

    def _make_room(self) -> None:
        """For one more: the oldest that is settled goes, or else the oldest of who has reported the most."""
        settled = (one.id for one in self._all.values() if one.state is not ProblemState.NEW)
        oldest = next(settled, "")
        if not oldest:
            ((most, _),) = Counter(one.unit for one in self._all.values()).most_common(1)
            oldest = next(one.id for one in self._all.values() if one.unit == most)
        del self._all[oldest]

    def events(self) -> Iterator[Change]:
        """What :meth:`replay` makes this book of again."""
        for one in self._all.values():
            fields = asdict(one.told)
            fields["spot"] = None if one.told.spot is None else (one.told.spot.latitude, one.told.spot.longitude)
            yield PROBLEM, one.id, {"what": "report", "unit": one.unit, "received": one.received, **fields}
            if one.state is not ProblemState.NEW:
                settled = {"what": str(one.state), "by": one.by, "at": one.changed}
                yield PROBLEM, one.id, settled | ({"task": one.task} if one.task else {})

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit's any more."""
        self._all = {id: one for id, one in self._all.items() if one.unit != unit}


def _report(id: str, fields: Mapping[str, Any]) -> Report:
    spot: Sequence[int] | None = fields["spot"]
    told = Told(
        fields["event"], fields["at"], None if spot is None else Spot(*spot), fields["accuracy"], fields["klass"],
        fields["text"], tuple(fields["photos"]), fields["voice"],
    )  # fmt: skip
    return Report(id, UnitId(fields.get("unit", NOBODY)), told, fields["received"])
