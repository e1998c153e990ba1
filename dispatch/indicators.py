"""Indicators of tasks: how many were done in time of how many that should have been, how soon somebody had accepted,
was there, had answered. A pure core, fed with what happens to tasks.

- 按时核实率, 按时核查率: answers in time of tasks of that kind that were due. A task is due once: when it is answered,
  or else when its time is over; it counts on that day. One that is cancelled or put aside before that was never due.
- 超时率: of the same tasks those that were not answered in time.
- Response: from the making of a task until the first time that somebody accepts it. Travel: from accepting to arriving.
  Reach: from the making of a task to the first arrival. Answer: from the making to the answer that counts.

An answer that is sent back counts no more; what was late stays late. Sums are kept by day, kind and street, and by day,
kind and unit for a shorter time; whoever comes late in a report has the sums, not the tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, fields
from datetime import date, timedelta
from typing import Any

from dispatch.deeds import TASK_EVENT
from dispatch.model import ACTIVE, NOBODY, OPEN, AttemptState
from tracker.model import UnitId
from tracker.refusal import Change

TALLY = "tally"
"""The type of the events that hold sums; what is summed up comes as events of tasks."""
CITY_DAYS, UNIT_DAYS = 400, 62
"""How long sums are kept: a year and a month to compare with, two months of who did what."""

_OVER = frozenset({"decline", "undelivered", "unanswered", "recall", "abandon", "supersede"})
_ENDS = frozenset({"close", "cancel", "expire"})


@dataclass(slots=True)
class Sums:
    """Numbers of tasks, and ms in all of what was measured."""

    due: int = 0
    on_time: int = 0
    late: int = 0
    accepted: int = 0
    accept_ms: int = 0
    travelled: int = 0
    travel_ms: int = 0
    reached: int = 0
    reach_ms: int = 0
    answered: int = 0
    answer_ms: int = 0

    def add(self, other: Mapping[str, int], times: int = 1) -> None:
        for name, value in other.items():
            setattr(self, name, getattr(self, name) + times * value)

    def merge(self, other: Sums) -> None:
        self.add({one.name: getattr(other, one.name) for one in fields(other)})


def percent(part: int, whole: int) -> float | None:
    """To two digits, halves up; ``None`` of nothing."""
    return None if whole == 0 else (20_000 * part + whole) // (2 * whole) / 100


@dataclass(slots=True)
class _Open:
    """A task that has not ended."""

    kind: str
    street: str
    created: int
    due: int
    units: dict[int, UnitId] = field(default_factory=dict)
    accepted: dict[int, int] = field(default_factory=dict)
    """Attempts -> when they were accepted."""
    holder: int = 0
    reported: bool = False
    arrived: bool = False
    late: bool = False
    answer: tuple[str, UnitId, dict[str, int]] | None = None
    """What the answer that counts has added: day, unit, sums."""

    @property
    def unit(self) -> UnitId:
        return self.units.get(self.holder, NOBODY)


class Tally:
    """The sums. ``day_of`` gives the city's day of a moment (ms) as ``2026-11-23``."""

    def __init__(self, day_of: Callable[[int], str]) -> None:
        self._day_of = day_of
        self._open: dict[str, _Open] = {}
        self._city: dict[tuple[str, str, str], Sums] = {}
        self._units: dict[tuple[str, str, UnitId], Sums] = {}
        self._newest = ""

    # -- looking

    def city(self, first: str, last: str) -> Iterator[tuple[str, str, str, Sums]]:
        """Day, kind, street and sums of the days from ``first`` to ``last``."""
        return ((*key, sums) for key, sums in self._city.items() if first <= key[0] <= last)

    def units(self, first: str, last: str) -> Iterator[tuple[str, str, UnitId, Sums]]:
        """Day, kind, unit and sums."""
        return ((*key, sums) for key, sums in self._units.items() if first <= key[0] <= last)

    # -- what happens

    def take(self, events: Iterable[Change]) -> None:
        """These are in the journal."""
        for event in events:
            self.replay(event)

    def replay(self, event: Change) -> None:
        """Take in what the journal or a snapshot holds. In a snapshot the sums come after the tasks."""
        kind, id, fields = event
        assert fields is not None
        if kind == TALLY:
            self._restore(id, fields)
        elif kind == TASK_EVENT:
            self._happened(id, fields)

    def events(self) -> Iterator[Change]:
        """What makes these sums of any others; each names one unit at the most."""
        yield TALLY, "", {"what": "anew"}
        for (day, kind, street), sums in self._city.items():
            yield TALLY, f"{day}:{kind}:{street}", {"what": "city", "key": (day, kind, street), "sums": astuple(sums)}
        for (day, kind, unit), sums in self._units.items():
            about = {"what": "unit", "key": (day, kind), "unit": unit, "sums": astuple(sums)}
            yield TALLY, f"{unit}:{day}:{kind}", about

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit any more; the city's sums stay."""
        self._units = {key: sums for key, sums in self._units.items() if key[2] != unit}
        for task in self._open.values():
            for number in [number for number, one in task.units.items() if one == unit]:
                task.units[number] = NOBODY
            if task.answer is not None and task.answer[1] == unit:
                task.answer = (task.answer[0], NOBODY, task.answer[2])

    def _restore(self, id: str, fields: Mapping[str, Any]) -> None:
        if fields["what"] == "anew":
            self._city.clear()
            self._units.clear()
        elif fields["what"] == "city":
            day, kind, street = fields["key"]
            self._city[day, kind, street] = Sums(*fields["sums"])
            self._newest = max(self._newest, day)
        else:
            day, kind = fields["key"]
            self._units[day, kind, UnitId(fields["unit"])] = Sums(*fields["sums"])

    def _happened(self, id: str, fields: Mapping[str, Any]) -> None:
        what = fields["what"]
        if what == "task":
            if id not in self._open and fields["state"] in OPEN:
                late = bool(fields["overdue"])
                self._open[id] = _Open(fields["kind"], fields["street"], fields["created"], fields["due"], late=late)
            return
        task = self._open.get(id)
        if task is None:
            return
        if what in _ENDS:
            del self._open[id]
        elif what in _OVER:
            if fields["attempt"] == task.holder:
                self._set_aside(task)
                task.holder = 0
        elif what in _DEEDS:
            _DEEDS[what](self, task, fields)

    # -- deeds

    def _offer(self, task: _Open, fields: Mapping[str, Any]) -> None:
        task.holder = fields["attempt"]
        task.units[task.holder] = UnitId(fields["unit"])

    def _accept(self, task: _Open, fields: Mapping[str, Any]) -> None:
        at, number = fields["at"], fields["attempt"]
        if not task.accepted:
            self._count(task, at, task.units.get(number, NOBODY), accepted=1, accept_ms=at - task.created)
        task.accepted[number] = at

    def _arrive(self, task: _Open, fields: Mapping[str, Any]) -> None:
        at, number = fields["at"], fields["attempt"]
        measured = {}
        if number in task.accepted:
            measured = {"travelled": 1, "travel_ms": at - task.accepted[number]}
        if not task.arrived:
            measured |= {"reached": 1, "reach_ms": at - task.created}
        task.arrived = True
        self._count(task, at, task.units.get(number, NOBODY), **measured)

    def _report(self, task: _Open, fields: Mapping[str, Any]) -> None:
        if fields["attempt"] == task.holder and not task.reported:
            self._answered(task, fields["at"])

    def _adopt(self, task: _Open, fields: Mapping[str, Any]) -> None:
        self._offer(task, fields)
        self._answered(task, fields["given"])

    def _return(self, task: _Open, fields: Mapping[str, Any]) -> None:
        self._set_aside(task)

    def _mark(self, task: _Open, fields: Mapping[str, Any]) -> None:
        if fields["mark"] == "overdue" and not fields["attempt"] and not task.late:
            task.late = True
            self._count(task, fields["at"], task.unit, due=1, late=1)

    def _amend(self, task: _Open, fields: Mapping[str, Any]) -> None:
        task.street = fields.get("street", task.street)

    def _resume(self, task: _Open, fields: Mapping[str, Any]) -> None:
        task.due = fields["due"]

    def _attempt_row(self, task: _Open, fields: Mapping[str, Any]) -> None:
        """As what is left of a task is written down of which something was taken out."""
        number, state = fields["number"], AttemptState(fields["state"])
        task.units[number] = UnitId(fields["unit"])
        if AttemptState.ACCEPTED in fields["came"]:
            task.accepted[number] = fields["came"][AttemptState.ACCEPTED]
        task.arrived |= AttemptState.ON_SCENE in fields["came"]
        if state in ACTIVE:
            task.holder, task.reported = number, state is AttemptState.REPORTED

    def _answered(self, task: _Open, at: int) -> None:
        task.reported = True
        measured = {"answered": 1, "answer_ms": at - task.created}
        if not task.late and at <= task.due:
            measured |= {"due": 1, "on_time": 1}
        elif not task.late:
            task.late = True
            self._count(task, at, task.unit, due=1, late=1)
        task.answer = (self._day_of(at), task.unit, measured)
        self._count(task, at, task.unit, **measured)

    def _set_aside(self, task: _Open) -> None:
        task.reported = False
        if task.answer is not None:
            day, unit, measured = task.answer
            if (day, task.kind, task.street) in self._city:
                self._put(day, task, unit, measured, -1)
            task.answer = None

    def _count(self, task: _Open, at: int, unit: UnitId, **measured: int) -> None:
        self._put(self._day_of(at), task, unit, measured)

    def _put(self, day: str, task: _Open, unit: UnitId, measured: Mapping[str, int], times: int = 1) -> None:
        self._city.setdefault((day, task.kind, task.street), Sums()).add(measured, times)
        if unit != NOBODY:
            self._units.setdefault((day, task.kind, unit), Sums()).add(measured, times)
        if day > self._newest:
            self._newest = day
            oldest, oldest_of_units = (_before(day, days) for days in (CITY_DAYS, UNIT_DAYS))
            self._city = {key: sums for key, sums in self._city.items() if key[0] > oldest}
            self._units = {key: sums for key, sums in self._units.items() if key[0] > oldest_of_units}


def _before(day: str, days: int) -> str:
    return (date.fromisoformat(day) - timedelta(days=days)).isoformat()


_DEEDS: dict[str, Callable[[Tally, _Open, Mapping[str, Any]], None]] = {
    "offer": Tally._offer,
    "accept": Tally._accept,
    "arrive": Tally._arrive,
    "report": Tally._report,
    "adopt": Tally._adopt,
    "return": Tally._return,
    "mark": Tally._mark,
    "amend": Tally._amend,
    "resume": Tally._resume,
    "attempt": Tally._attempt_row,
}
