"""Who could go, as a round sees them: each unit with its place, its duty, its links and what it has already.

What is known of tasks is kept for each unit and renewed when its tasks change, so that a round, which works in a
thread, reads nothing that somebody changes meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dispatch.book import TaskBook
from dispatch.model import AttemptState, Candidate, Spot, TaskId
from dispatch.rules import SURVEY
from storage.archive.layout import shifted
from tracker.intake import Intake
from tracker.mirror import Mirror
from tracker.model import FOREVER, Duty, Unit, UnitId
from tracker.refusal import Change
from tracker.roster import duty_at
from tracker.rota import Rota

DONE_MOST = 200
"""Tasks of one unit and shift that are counted."""
NO_FIX = 1e9
"""Seconds: the age of a fix that is not there."""
UNKNOWN_ACCURACY = 20.0
"""Metres, where a device does not say."""


@dataclass(frozen=True, slots=True)
class _Load:
    committed: tuple[tuple[Spot, float], ...] = ()
    suspect: bool = False


_NOTHING = _Load()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is planned for a unit from ``since`` to ``until``: nothing of it begins or ends meanwhile. Where somebody
    was before ``start`` is not where he is; ``None``: he is off duty."""

    unit: Unit
    duties: tuple[Duty, ...]
    since: int
    until: int
    start: int | None
    resting: bool
    grids: frozenset[str]
    streets: frozenset[str]
    mode: str


class Field:
    """``reaches`` answers of a unit whether it has a device that can be told of a task, and whether that has a link;
    ``scene`` are the seconds that a task is expected to take, ``mode`` answers how a unit goes, ``calls`` whether it
    calls for help at a moment (ms): then it is asked as little as on a break."""

    def __init__(
        self,
        intake: Intake,
        mirror: Mirror,
        rota: Rota,
        book: TaskBook,
        reaches: Callable[[UnitId], tuple[bool, bool]],
        mode: Callable[[UnitId], str],
        scene: float,
        calls: Callable[[UnitId, int], bool] = lambda unit, now: False,
    ) -> None:
        self._roster, self._mirror, self._rota, self._book = intake.roster, mirror, rota, book
        self._wall = intake.wall
        self._reaches, self._mode, self._scene, self.calls = reaches, mode, scene, calls
        self._loads: dict[UnitId, _Load] = {}
        self._done: dict[UnitId, list[int]] = {}
        self._plans: dict[UnitId, _Plan] = {}
        self._planned = rota.version
        for task in book.open():
            self.renew(task.id)
        for task in book.all():
            for attempt in task.attempts:
                if attempt.state is AttemptState.DONE:
                    self._count(attempt.unit, attempt.at[AttemptState.DONE])

    def took(self, event: Change) -> None:
        """A deed of a task is in the book."""
        _, id, fields = event
        assert fields is not None
        if fields["what"] == "finish":
            self._count(UnitId(fields["unit"]), fields["at"])
        if fields.get("unit"):
            self._load(UnitId(fields["unit"]))
        else:
            self.renew(TaskId(id))

    def renew(self, id: TaskId) -> None:
        """Something of a task has changed that concerns whoever has it."""
        task = self._book.get(id)
        for unit in {attempt.unit for attempt in task.attempts} if task is not None else ():
            self._load(unit)

    def forget(self, unit: UnitId) -> None:
        self._loads.pop(unit, None)
        self._done.pop(unit, None)
        self._plans.pop(unit, None)

    def _count(self, unit: UnitId, at: int) -> None:
        times = self._done.setdefault(unit, [])
        times.append(at)
        del times[:-DONE_MOST]

    def _load(self, unit: UnitId) -> None:
        held = self._book.held(unit)
        # A survey is done on the way, and keeps nobody from anything.
        committed = tuple(
            (task.spot, self._left(attempt.at.get(AttemptState.ON_SCENE)))
            for task, attempt in held if task.kind != SURVEY
        )  # fmt: skip
        load = _Load(committed, self._book.suspect(unit))
        if load == _NOTHING:
            self._loads.pop(unit, None)
        else:
            self._loads[unit] = load

    def _left(self, arrived: int | None) -> float:
        return self._scene if arrived is None else max(0.0, self._scene - (self._wall() - arrived) / 1000)

    # -- for rounds, in a thread too

    def candidates(self, now: int) -> list[Candidate]:
        """Everybody at a moment (ms)."""
        return [self.candidate(unit, now) for unit in list(self._roster.units.values())]

    def candidate(self, unit: Unit, now: int) -> Candidate:
        id = unit.id
        plan = self._plan(unit, now)
        state, load = self._mirror.units.get(id), self._loads.get(id, _NOTHING)
        if plan.start is None or state is None or state.fix_time is None or state.fix_time < plan.start:
            return Candidate(
                id, None, NO_FIX, 0.0, plan.mode, plan.start is not None, False, unit.kind, frozenset(), plan.streets,
                load.committed, load.suspect,
            )  # fmt: skip
        assert state.latitude is not None
        assert state.longitude is not None
        device, linked = self._reaches(id)
        ended = self._done.get(id)
        done = 0 if ended is None else sum(at >= plan.start for at in ended)
        return Candidate(
            id, Spot(state.latitude, state.longitude), max(0.0, (now - state.fix_time) / 1000),
            UNKNOWN_ACCURACY if state.accuracy is None else state.accuracy / 10, plan.mode, True,
            plan.resting or self.calls(id, now),
            unit.kind, plan.grids, plan.streets, load.committed, load.suspect, device, linked, done,
        )  # fmt: skip

    def _plan(self, unit: Unit, now: int) -> _Plan:
        if self._planned != self._rota.version:
            # What another thread finds out meanwhile is as good.
            self._planned, self._plans = self._rota.version, {}
        known, duties = self._plans.get(unit.id), self._roster.duties_of(unit.id)
        if known is not None and known.unit is unit and known.duties is duties and known.since <= now < known.until:
            return known
        found = self._plans[unit.id] = self._look(unit, duties, now)
        return found

    def _look(self, unit: Unit, duties: tuple[Duty, ...], now: int) -> _Plan:
        id, rota, duty = unit.id, self._rota, duty_at(duties, now)
        today = rota.days.day_of(now)
        shift, spans = rota.at(id, now), (*rota.planned(id, shifted(today, -1)), *rota.planned(id, today))
        resting = shift is not None and not any(start <= now < end for start, end in rota.planned(id, shift[0]))
        edges = (edge for span in (*spans, *((one.start, one.end) for one in duties)) for edge in span)
        until = min((edge for edge in edges if edge > now), default=FOREVER)
        return _Plan(
            unit, duties, now, min(until, rota.days.span(today)[1]), None if duty is None else duty.start, resting,
            frozenset(map(str, rota.own_grids(id, None if shift is None else shift[1]))),
            frozenset((unit.street,)) if unit.street else frozenset(), self._mode(id),
        )  # fmt: skip
