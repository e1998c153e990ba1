"""Who can go to a task, and what it would cost to send each of them: seconds, and the same for one task and for all.

``eta = backlog + travel``, from where a unit will be when it has done what it has already. Whoever fails a hard filter
is excluded under the first :class:`Reason` that applies; for everybody else the cost is the sum of a
:class:`Standing`'s terms. All of them are whole seconds: nobody knows arrivals better than that, a sum that is read is
the sum of what was added, and equal costs are equal, so that the smaller id decides between them.

A :class:`Crew` is everybody at a moment and a :class:`Round` what there is to do for it; both put their input in order
of ids, so nothing depends on the order in which it came. Where :class:`Ways` has measured by road how far it is, that
counts; elsewhere the straight line with its factor does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter

import numpy as np
from scipy.spatial.distance import cdist

from dispatch.model import Candidate, Spot, Task, TaskId
from dispatch.travel import SPEEDS, Array, Travel, places
from tracker.model import UnitId


@dataclass(frozen=True, slots=True)
class Weights:
    """A city's rules for who goes. Seconds and metres."""

    version: str = "default"
    """Names these rules in decision records."""
    foreign: int = 120
    """For everybody but the owners of the task's grid: they know it."""
    lateness: float = 2.0
    """For each second beyond the time limit by which the result is expected."""
    scene: int = 300
    """Expected between arrival and result."""
    interval: float = 30.0
    """Between two positions of a device."""
    stale: int = 60
    """For a position older than three intervals."""
    oldest: float = 900.0
    """Older than that a position says nothing any more."""
    fair_each: int = 30
    """For each task that it has done more than the mean of those on duty, and a bonus for each less."""
    fair_most: int = 90
    cooldown: int = 900
    """For so long after a unit has said no to a task it is not asked again."""
    backlog: int = 3
    """Tasks at a time."""
    caps: tuple[float, ...] = (1500.0, 2500.0, 4000.0)
    """How far off, straight, somebody is sent from, by level of escalation; the last holds beyond."""
    anybody: int = 2
    """From this level on vehicles go too, and everybody to any street."""
    later: int = 600
    """When a task that nobody is sent to in this round will be reached: tasks that are more than there are people
    compete by what waiting costs them."""

    def cap(self, level: int) -> float:
        return self.caps[min(level, len(self.caps) - 1)]


class Reason(StrEnum):
    """Why a unit is not asked. Of several the first counts."""

    OFF_DUTY = "off_duty"
    RESTING = "resting"
    NO_DEVICE = "no_device"
    """It has none that can show a task."""
    OFFLINE = "offline"
    """No such device has a link now; whoever is asked would not hear of it."""
    SUSPECT = "suspect"
    """An offer did not reach it, and nothing has come from it since."""
    NO_POSITION = "no_position"
    STALE = "stale"
    BUSY = "busy"
    WRONG_ROLE = "wrong_role"
    WRONG_AREA = "wrong_area"
    """It is of another street."""
    REPORTER = "reporter"
    """It reported what somebody else has to check."""
    DECLINED = "declined"
    TOO_FAR = "too_far"


REASONS = tuple(Reason)
NONE = 255
"""In arrays of reasons, which hold indices into :data:`REASONS`: can go."""
(
    _OFF, _RESTING, _MUTE, _OFFLINE, _SUSPECT, _NOWHERE, _STALE, _BUSY, _ROLE, _AREA, _REPORTER, _DECLINED, _FAR,
) = range(len(REASONS))  # fmt: skip
_MODES = {mode: n for n, mode in enumerate(SPEEDS)}
_NO_SPOT = Spot(0, 0)
STRAIGHT, ROADS = "straight_line", "roads"
"""How a way was measured."""
ROUND_ABOUT = 2.0
"""Nobody is sent who has more than so many times the cap by road: where streets have no water, railway or wall to go
round it is hardly ever so much."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A unit's terms for one task, whole seconds but for ``metres``, which are straight from where it sets out, and
    ``None`` if nobody knows where that is."""

    unit: UnitId
    reason: Reason | None
    """Why it is not asked; the terms are there all the same."""
    metres: int | None
    backlog: int
    """Until it has done what it has already."""
    travel: int
    late: int
    foreign: int
    accuracy: int
    stale: int
    fair: int
    roads: int | None = None
    """Metres by road, from which ``travel`` follows; ``None`` if the straight line is what it follows from. More than
    ``ROUND_ABOUT`` times the cap stands for: farther than was searched."""

    @property
    def way(self) -> str:
        return STRAIGHT if self.roads is None else ROADS

    @property
    def eta(self) -> int:
        return self.backlog + self.travel

    @property
    def cost(self) -> int:
        return self.eta + self.late + self.foreign + self.accuracy + self.stale + self.fair


@dataclass(frozen=True, slots=True)
class Ways:
    """How far it is by road to tasks, for one crew: of each task two arrays of the same length, its columns for which
    that is known, in order, and whole metres. Whoever decides with it also writes it down with it."""

    of: Mapping[TaskId, tuple[Array, Array]] = field(default_factory=dict)


NO_WAYS = Ways()


class Crew:
    """Candidates as columns, in order of their ids; what does not depend on the task is calculated once."""

    def __init__(
        self, candidates: Iterable[Candidate], weights: Weights, travel: Travel, mean: float | None = None
    ) -> None:
        """``mean``: of tasks done, if it is another than that of these candidates on duty."""
        self.weights, self.travel = weights, travel
        self.candidates: list[Candidate] = sorted(candidates, key=attrgetter("unit"))
        each, count = self.candidates, len(self.candidates)
        self.index = {one.unit: n for n, one in enumerate(each)}
        self.mode = np.array([_MODES[one.mode] for one in each], np.int64)
        self.paces = np.array([travel.pace(mode) for mode in _MODES])
        """Of each mode in order, seconds a metre."""
        self.pace = self.paces[self.mode]
        self.vehicle = np.array([one.kind == "vehicle" for one in each], np.bool_)
        self.known = np.array([one.spot is not None for one in each], np.bool_)
        self.place = places((one.committed[-1][0] if one.committed else one.spot or _NO_SPOT) for one in each)
        self.backlog = self._backlog()
        self.road_paces = 1.0 / np.array([SPEEDS[mode] for mode in _MODES])
        """By road, without a factor."""
        speeds = np.array([SPEEDS[mode] for mode in _MODES])[self.mode]
        age = np.fromiter((one.age for one in each), np.float64, count)
        self.accuracy = np.rint(np.fromiter((one.accuracy for one in each), np.float64, count) / speeds)
        self.stale = np.where(age > 3 * weights.interval, float(weights.stale), 0.0)
        done = np.fromiter((one.done for one in each), np.float64, count)
        present = np.array([one.on_duty and not one.resting for one in each], np.bool_)
        self.mean = mean if mean is not None else round(float(done[present].mean()), 2) if present.any() else 0.0
        self.fair = np.rint(np.clip(weights.fair_each * (done - self.mean), -weights.fair_most, weights.fair_most))
        self.extra = self.accuracy + self.stale + self.fair
        """Of the cost, what is the same for every task."""
        self.reason = self._reasons(age)
        self._owners = _positions(one.areas for one in each)
        self._streets = _positions(one.streets for one in each)
        self._anywhere = np.array([not one.streets for one in each], np.bool_)

    def __len__(self) -> int:
        return len(self.candidates)

    def owners(self, grid: str) -> list[int]:
        return self._owners.get(grid, []) if grid else []

    def of_street(self, street: str) -> Array:
        """Which of them belong to a street: everybody, if the street is not known."""
        found = self._anywhere.copy() if street else np.ones(len(self), np.bool_)
        found[self._streets.get(street, [])] = True
        return found

    def _backlog(self) -> Array:
        """Seconds until each has done what it has: the ways from one of its tasks to the next, and the time there."""
        who: list[int] = []
        starts: list[Spot] = []
        ends: list[Spot] = []
        scenes: list[float] = []
        for n, one in enumerate(self.candidates):
            at = one.spot
            for spot, scene in one.committed:
                who.append(n)
                starts.append(at or spot)
                ends.append(spot)
                scenes.append(scene)
                at = spot
        metres = np.sqrt(((places(starts) - places(ends)) ** 2).sum(axis=1)) / 1000.0
        seconds = metres * self.pace[who] + np.array(scenes, np.float64)
        return np.rint(np.bincount(np.array(who, np.int64), seconds, len(self.candidates)))

    def _reasons(self, age: Array) -> Array:
        found = np.full(len(self.candidates), NONE, np.uint8)
        tests = (
            (_BUSY, np.array([len(one.committed) >= self.weights.backlog for one in self.candidates], np.bool_)),
            (_STALE, age > self.weights.oldest),
            (_NOWHERE, ~self.known),
            (_SUSPECT, np.array([one.suspect for one in self.candidates], np.bool_)),
            (_OFFLINE, np.array([not one.linked for one in self.candidates], np.bool_)),
            (_MUTE, np.array([not one.device for one in self.candidates], np.bool_)),
            (_RESTING, np.array([one.resting for one in self.candidates], np.bool_)),
            (_OFF, np.array([not one.on_duty for one in self.candidates], np.bool_)),
        )
        for code, failed in tests:
            found[failed] = code
        return found


@dataclass(frozen=True, slots=True)
class Cells:
    """What some pairs of task and unit come to, as arrays of one shape. ``metres`` straight, ``roads`` metres by road,
    the others seconds."""

    reason: Array
    """uint8: :data:`NONE` or an index into :data:`REASONS`."""
    metres: Array
    roads: Array | None
    """NaN where they are not known; ``None`` if they are nowhere."""
    travel: Array
    own: Array
    """Whether the unit owns the task's grid."""
    foreign: Array
    late: Array
    cost: Array
    """Of those who cannot go too."""


class Round:
    """Tasks beside a crew at a moment, ``now`` in ms. Rows are tasks in order of their ids, columns the crew's."""

    def __init__(self, tasks: Iterable[Task], crew: Crew, now: int, ways: Ways = NO_WAYS) -> None:
        self.crew, self.now = crew, now
        self.tasks: list[Task] = sorted(tasks, key=attrgetter("id"))
        each, weights, count = self.tasks, crew.weights, len(self.tasks)
        self.place = places(one.spot for one in each)
        self.left = np.fromiter(((one.due - now) / 1000.0 - weights.scene for one in each), np.float64, count)
        """Seconds within which somebody must arrive, so that the result is in time."""
        self.cap = np.array([weights.cap(one.level) for one in each], np.float64)
        self.open = np.array([one.level >= weights.anybody for one in each], np.bool_)
        self.later = weights.later + np.rint(weights.lateness * np.maximum(weights.later - self.left, 0.0))
        """What it costs to leave each for later."""
        self._owned, self._grid = _table(len(crew), [one.grid for one in each], crew.owners)
        self._within, self._street = _table(len(crew), [one.street for one in each], crew.of_street)
        self._barred = self._bar()
        self._roads = self._by_road(ways)
        self.paces = crew.paces if self._roads is None else np.minimum(crew.paces, crew.road_paces)
        """Of each mode in order, seconds a metre of the straight line at the least."""

    def _by_road(self, ways: Ways) -> tuple[Array, Array] | None:
        """Pairs that are measured by road, as row × units + column in order, and metres."""
        found = [
            (row * len(self.crew) + columns, metres)
            for row, (columns, metres) in (
                (row, ways.of[one.id]) for row, one in enumerate(self.tasks) if one.id in ways.of
            )
            if len(columns)
        ]
        if not found:
            return None
        return np.concatenate([keys for keys, _ in found]), np.concatenate([metres for _, metres in found])

    def _bar(self) -> tuple[Array, Array]:
        """Pairs that are excluded by themselves, as row × units + column in order, and their reasons."""
        index, since = self.crew.index, self.now - 1000 * self.crew.weights.cooldown
        found: dict[int, int] = {}
        for row, task in enumerate(self.tasks):
            first = row * len(self.crew)
            for unit, at in task.declined.items():
                if at > since and unit in index:
                    found[first + index[unit]] = _DECLINED
            if task.independent in index:
                found[first + index[task.independent]] = _REPORTER
        keys = sorted(found)
        return np.array(keys, np.int64), np.array([found[key] for key in keys], np.uint8)

    def pairs(self, rows: Array, columns: Array) -> Cells:
        """These pairs, as two arrays of the same length."""
        line = self.place[rows] - self.crew.place[columns]
        roads = None
        if self._roads is not None:
            at, hit = _found(self._roads[0], rows * len(self.crew) + columns)
            roads = np.where(hit, self._roads[1][at], np.nan)
        cells = self._cells(rows, columns, np.sqrt((line * line).sum(axis=1)) / 1000.0, roads)
        keys, codes = self._barred
        if len(keys):
            at, hit = _found(keys, rows * len(self.crew) + columns)
            cells.reason[hit] = np.minimum(cells.reason[hit], codes[at[hit]])
        return cells

    def matrix(self) -> Cells:
        """All pairs, tasks × units."""
        rows, columns = np.arange(len(self.tasks))[:, None], np.arange(len(self.crew))[None, :]
        roads = None
        if self._roads is not None:
            roads = np.full((len(self.tasks), len(self.crew)), np.nan)
            roads.reshape(-1)[self._roads[0]] = self._roads[1]
        cells = self._cells(rows, columns, cdist(self.place, self.crew.place) / 1000.0, roads)
        keys, codes = self._barred
        reason = cells.reason.reshape(-1)
        reason[keys] = np.minimum(reason[keys], codes)
        return cells

    def _cells(self, rows: Array, columns: Array, metres: Array, roads: Array | None) -> Cells:
        crew, weights = self.crew, self.crew.weights
        travel, far = np.rint(metres * crew.pace[columns]), metres > self.cap[rows]
        if roads is not None:
            travel = np.where(np.isnan(roads), travel, np.rint(roads * crew.road_paces[crew.mode[columns]]))
            far = far | (roads > ROUND_ABOUT * self.cap[rows])
        late = travel + (crew.backlog[columns] - self.left[rows])
        late = np.rint(weights.lateness * np.maximum(late, 0.0))
        own = self._owned[self._grid[rows], columns]
        foreign = np.where(own, 0.0, float(weights.foreign))
        cost = travel + late + foreign + (crew.backlog + crew.extra)[columns]
        # Codes are in order of precedence: of several the least.
        reason = np.where(far, np.uint8(_FAR), np.uint8(NONE))
        closed = ~self.open[rows]
        stranger = closed & ~(self._within[self._street[rows], columns] | own)
        reason = np.minimum(reason, np.where(stranger, np.uint8(_AREA), np.uint8(NONE)))
        reason = np.minimum(reason, np.where(closed & crew.vehicle[columns], np.uint8(_ROLE), np.uint8(NONE)))
        reason = np.minimum(reason, crew.reason[columns])
        return Cells(reason, metres, roads, travel, own, foreign, late, cost)

    def standings(self, row: int) -> list[Standing]:
        """Everybody for one task: those who can go by cost, then those who cannot by distance."""
        return self.best(row, len(self.crew), len(self.crew))

    def best(self, row: int, able: int, unable: int, always: Iterable[int] = ()) -> list[Standing]:
        """As :meth:`standings`, but only the first ``able`` of those who can go, the nearest ``unable`` of those who
        cannot, and ``always`` these columns."""
        crew = self.crew
        cells = self.pairs(np.full(len(crew), row), np.arange(len(crew)))
        can = cells.reason == NONE
        first, rest = np.flatnonzero(can), np.flatnonzero(~can)
        first = first[np.argsort(cells.cost[first], kind="stable")]
        rest = rest[np.lexsort((rest, cells.metres[rest], ~crew.known[rest]))]
        wanted = {*first[:able].tolist(), *rest[:unable].tolist(), *always}
        return [self._standing(cells, n) for n in (*first.tolist(), *rest.tolist()) if n in wanted]

    def reasons(self, row: int) -> Counter[str]:
        """How many are excluded from a task for which reason; those who can go are under the empty one."""
        found = self.pairs(np.full(len(self.crew), row), np.arange(len(self.crew))).reason
        return Counter(
            {"" if code == NONE else str(REASONS[code]): int((found == code).sum()) for code in set(found.tolist())}
        )

    def _standing(self, cells: Cells, n: int) -> Standing:
        crew, code, known = self.crew, int(cells.reason[n]), bool(self.crew.known[n])
        roads = math.nan if cells.roads is None else float(cells.roads[n])
        return Standing(
            unit=crew.candidates[n].unit,
            reason=None if code == NONE else REASONS[code],
            metres=round(float(cells.metres[n])) if known else None,
            backlog=int(crew.backlog[n]),
            travel=int(cells.travel[n]) if known else 0,
            late=int(cells.late[n]) if known else 0,
            foreign=int(cells.foreign[n]),
            accuracy=int(crew.accuracy[n]),
            stale=int(crew.stale[n]),
            fair=int(crew.fair[n]),
            roads=None if math.isnan(roads) else int(roads),
        )


def _positions(sets: Iterable[frozenset[str]]) -> dict[str, list[int]]:
    """Where each word occurs."""
    found: dict[str, list[int]] = {}
    for n, words in enumerate(sets):
        for word in words:
            found.setdefault(word, []).append(n)
    return found


def _table(width: int, words: list[str], members: Callable[[str], Array | list[int]]) -> tuple[Array, Array]:
    """Which columns are members of each distinct word, as rows of truth values, and the row of each word."""
    rows = {word: n for n, word in enumerate(dict.fromkeys(words))}
    table = np.zeros((len(rows), width), np.bool_)
    for word, n in rows.items():
        table[n, members(word)] = True
    return table, np.array([rows[word] for word in words], np.int64)


def _found(keys: Array, wanted: Array) -> tuple[Array, Array]:
    """Where among these keys, of which there are some and which are in order, each wanted one stands, and whether it is
    there."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return at, keys[at] == wanted


def rank(task: Task, crew: Crew, now: int, ways: Ways = NO_WAYS) -> list[Standing]:
    """Everybody for one task: those who can go by cost, then those who cannot by distance."""
    return Round([task], crew, now, ways).standings(0)
