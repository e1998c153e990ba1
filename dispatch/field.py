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
from tracker.intake import Intake
from tracker.mirror import Mirror
from tracker.model import Unit, UnitId
from tracker.refusal import Change
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


class Field:
    """``reaches`` answers of a unit whether it has a device that can be told of a task, and whether that has a link;
    ``scene`` are the seconds that a task is expected to take, ``mode`` answers how a unit goes."""

    def __init__(
        self,
        intake: Intake,
        mirror: Mirror,
        rota: Rota,
        book: TaskBook,
        reaches: Callable[[UnitId], tuple[bool, bool]],
        mode: Callable[[UnitId], str],
        scene: float,
    ) -> None:
        self._roster, self._mirror, self._rota, self._book = intake.roster, mirror, rota, book
        self._wall = intake.wall
        self._reaches, self._mode, self._scene = reaches, mode, scene
        self._loads: dict[UnitId, _Load] = {}
        self._done: dict[UnitId, list[int]] = {}
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
        state, duty = self._mirror.units.get(id), self._roster.on_duty(id, now)
        load, kind = self._loads.get(id, _NOTHING), unit.kind
        streets = frozenset((unit.street,)) if unit.street else frozenset[str]()
        # Where somebody was before he came on duty is not where he is.
        if duty is None or state is None or state.fix_time is None or state.fix_time < duty.start:
            return Candidate(
                id, None, NO_FIX, 0.0, self._mode(id), duty is not None, False, kind, frozenset(), streets,
                load.committed, load.suspect,
            )  # fmt: skip
        assert state.latitude is not None
        assert state.longitude is not None
        device, linked = self._reaches(id)
        shift = self._rota.at(id, now)
        resting = shift is not None and not any(start <= now < end for start, end in self._rota.planned(id, shift[0]))
        grids = self._rota.own_grids(id, None if shift is None else shift[1])
        done = sum(at >= duty.start for at in self._done.get(id, ()))
        accuracy = UNKNOWN_ACCURACY if state.accuracy is None else state.accuracy / 10
        return Candidate(
            id, Spot(state.latitude, state.longitude), max(0.0, (now - state.fix_time) / 1000), accuracy,
            self._mode(id), True, resting, kind, frozenset(map(str, grids)), streets, load.committed, load.suspect,
            device, linked, done,
        )  # fmt: skip
