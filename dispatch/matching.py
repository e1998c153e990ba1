"""Who goes where, for all open tasks and everybody at once: as many tasks as can be, at the least cost together.

A small round is a matrix, solved whole. In a larger one only pairs that are near enough are made, and a column of its
own for each task, dear enough that nobody takes it without need, lets a task wait. Where many stand close together
each task is matched among those who cost least: a search in *seconds space* (:func:`_nearest`) finds them without
looking at everybody, and a task whose nearest all went elsewhere is matched in another pass among those who are left.
That is the best there is unless tasks are about as many as people; then a few more wait than would have to.

What is solved is relative to what it costs to leave the task for later. Otherwise, when tasks are more than there are
people, the latest tasks, which cost most, would be those that are left. Weights are whole numbers that floats hold
exactly, with the unit's place in the order of ids as their last digits: so the same input has the same answer, and of
units that cost the same the smaller id goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

from dispatch.model import NOBODY, Task, TaskId, TaskState
from dispatch.ranking import NO_WAYS, NONE, Crew, Round, Ways
from dispatch.travel import Array
from tracker.model import UnitId

WIDE = 2
"""The level at which whoever is on duty goes, from as far as the city's rules have it."""
DENSE = 160_000
"""Cells up to which a matrix is solved whole: 400 × 400."""
NEAREST = 20
"""Candidates of a task, if it has so many, when there are more cells."""
LOOK, LEAST_LOOK = 64, 4
"""Units that are looked at to find them, and of each mode at the least; four times as many where that is too few."""
SAMPLE = 64
"""Tasks that are asked, or a few more, how many are near them."""
_WAIT = 1_000_000.0
"""Seconds that leaving a task for later costs in comparison: no detour of others is as much."""
_NO_INDEX = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Match:
    """Who is to be asked for a task. Seconds."""

    task: TaskId
    unit: UnitId
    eta: int
    cost: int


def match(tasks: Iterable[Task], crew: Crew, now: int, *, dense: int = DENSE, ways: Ways = NO_WAYS) -> list[Match]:
    """One offer a unit at the most, in order of tasks. Tasks that are not queued, and those that a dispatcher has given
    to somebody, are left alone. ``now`` in ms; ``ways`` of this crew."""
    open = Round((task for task in tasks if task.state is TaskState.QUEUED and task.pinned == NOBODY), crew, now, ways)
    if not len(crew) or not open.tasks:
        return []
    rows, columns = _whole(open) if len(open.tasks) * len(crew) <= dense else _in_passes(open)
    cells = open.pairs(rows, columns)
    etas, costs = cells.travel + crew.backlog[columns], cells.cost
    return [
        Match(open.tasks[row].id, crew.candidates[column].unit, int(eta), int(cost))
        for row, column, eta, cost in sorted(
            zip(rows.tolist(), columns.tolist(), etas.tolist(), costs.tolist(), strict=True)
        )
    ]


def widened(tasks: Sequence[Task], crew: Crew, now: int, ways: Ways = NO_WAYS) -> list[Task]:
    """The tasks as they are to be matched, copies where they differ: for one of which the best who may go would be
    late, somebody is looked for at once as far off as he would be later, when it would be too late. A large round has
    no time for that: its tasks stay as they are."""
    open = Round(tasks, crew, now, ways)
    if not len(crew) or not open.tasks or len(open.tasks) * len(crew) > DENSE:
        return list(tasks)
    cells = open.matrix()
    soonest = np.where(cells.reason == NONE, cells.late, np.inf).min(axis=1)
    return [
        replace(task, level=WIDE) if task.level < WIDE and 0.0 < late < np.inf else task
        for task, late in zip(open.tasks, soonest.tolist(), strict=True)
    ]


def _weight(open: Round, rows: Array, columns: Array, cost: Array) -> Array:
    """What a pair costs beside leaving its task, with the column as the last digits."""
    return (cost - open.later[rows]) * _scale(open) + columns


def _scale(open: Round) -> float:
    """More than any sum of columns."""
    return float(len(open.tasks) * len(open.crew) + 1)


def _whole(open: Round) -> tuple[Array, Array]:
    cells = open.matrix()
    can = cells.reason == NONE
    rows, columns = np.arange(len(open.tasks))[:, None], np.arange(len(open.crew))[None, :]
    weight = np.where(can, _weight(open, rows, columns, cells.cost), _WAIT * _scale(open))
    found_rows, found_columns = linear_sum_assignment(weight)
    kept = can[found_rows, found_columns]
    return found_rows[kept], found_columns[kept]


def _in_passes(open: Round) -> tuple[Array, Array]:
    free = np.ones(len(open.crew), np.bool_)
    left = np.arange(len(open.tasks))
    found_rows, found_columns = [_NO_INDEX], [_NO_INDEX]
    while len(left):
        rows, columns, cost, all_seen = _within(open, left, free) or _nearest(open, left, free)
        if not len(rows):
            break
        taken_rows, taken_columns = _sparse(open, rows, columns, cost)
        found_rows.append(taken_rows)
        found_columns.append(taken_columns)
        free[taken_columns] = False
        # Those who could see everybody have nobody left to see.
        left = np.setdiff1d(left[~all_seen], taken_rows)
    return np.concatenate(found_rows), np.concatenate(found_columns)


def _sparse(open: Round, rows: Array, columns: Array, cost: Array) -> tuple[Array, Array]:
    """The best of these pairs, each row and column once."""
    tasks, row = _distinct(rows, len(open.tasks))
    units, column = _distinct(columns, len(open.crew))
    weight = _weight(open, rows, columns, cost)
    # An edge of zero is no edge to scipy.
    weight += 1 - weight.min()
    own = np.arange(len(tasks))
    edges = csr_matrix(
        (
            np.concatenate((weight, np.full(len(tasks), _WAIT * _scale(open)))),
            (np.concatenate((row, own)), np.concatenate((column, len(units) + own))),
        ),
        shape=(len(tasks), len(units) + len(tasks)),
    )
    found_rows, found_columns = min_weight_full_bipartite_matching(edges)
    kept = found_columns < len(units)
    return tasks[found_rows[kept]], units[found_columns[kept]]


def _distinct(numbers: Array, end: int) -> tuple[Array, Array]:
    """The different ones of these numbers in order, and where each stands among them."""
    there = np.zeros(end, np.bool_)
    there[numbers] = True
    found = np.flatnonzero(there)
    place = np.zeros(end, np.int64)
    place[found] = np.arange(len(found))
    return found, place[numbers]


def _within(open: Round, left: Array, free: Array) -> tuple[Array, Array, Array, Array] | None:
    """As :func:`_nearest`, but everybody who may be sent; ``None`` if that is more than :data:`LOOK` for a task."""
    members = np.flatnonzero(free & (open.crew.reason == NONE))
    tree = cKDTree(open.crew.place[members])
    points, caps = open.place[left], open.cap[left] * 1000.0 + 1.0
    # A few tasks tell how close people stand.
    some = slice(None, None, 1 + len(left) // SAMPLE)
    counts = tree.query_ball_point(points[some], caps[some], return_length=True)
    if counts.mean() > LOOK:
        return None
    found = [members[near] for near in tree.query_ball_point(points, caps)]
    rows, columns = np.repeat(left, [len(near) for near in found]), np.concatenate(found)
    cells = open.pairs(rows, columns)
    kept = cells.reason == NONE
    return rows[kept], columns[kept], cells.cost[kept], np.ones(len(left), np.bool_)


def _nearest(open: Round, left: Array, free: Array) -> tuple[Array, Array, Array, Array]:
    """Pairs of these rows and free columns: of each row those who cost least, :data:`NEAREST` or more if there are so
    many. Rows, columns and costs, and of each of ``left`` whether all who can go are among them.

    A unit stands in seconds space where it sets out, in seconds of its mode's travel, and as high as the seconds that
    it costs wherever it is sent. The distance from there to a task is never more than travel and height together, so
    whoever is beyond the farthest one found costs at least that much, and what costs less is known for certain.
    """
    crew = open.crew
    ready = free & (crew.reason == NONE)
    height = crew.backlog + crew.extra
    modes = [(mode, np.flatnonzero(ready & (crew.mode == mode))) for mode in range(len(crew.paces))]
    trees = [_Tree(open, members, height[members], open.paces[mode]) for mode, members in modes if len(members)]
    width = sum(tree.width for tree in trees)
    found_rows, found_columns, found_cost = [_NO_INDEX], [_NO_INDEX], [np.zeros(0)]
    all_seen = np.zeros(len(open.tasks), np.bool_)
    todo, look = left, LOOK
    while len(todo):
        beyond = np.full(len(open.tasks), np.inf)
        parts = [_owners(open, todo, ready)]
        for tree in trees:
            rows, columns, least = tree.near(todo, max(LEAST_LOOK, round(look * tree.width / width)))
            parts.append((rows, columns))
            beyond[todo] = np.minimum(beyond[todo], least)
        rows, columns = (np.concatenate(part) for part in zip(*parts, strict=True))
        cells = open.pairs(rows, columns)
        kept = (cells.reason == NONE) & (cells.cost < beyond[rows])
        # Owners were in the first part already.
        kept[len(parts[0][0]) :] &= ~cells.own[len(parts[0][0]) :]
        rows, columns, cost = rows[kept], columns[kept], cells.cost[kept]
        count = np.bincount(rows, minlength=len(open.tasks))
        all_seen[todo] = np.isinf(beyond[todo])
        enough = (count >= NEAREST) | all_seen
        done = enough[rows]
        found_rows.append(rows[done])
        found_columns.append(columns[done])
        found_cost.append(cost[done])
        todo = todo[~enough[todo]]
        look *= 4
    return np.concatenate(found_rows), np.concatenate(found_columns), np.concatenate(found_cost), all_seen[left]


def _owners(open: Round, rows: Array, ready: Array) -> tuple[Array, Array]:
    """The pairs of these tasks and the owners of their grids."""
    found = [(row, column) for row in rows.tolist() for column in open.crew.owners(open.tasks[row].grid)]
    pairs = np.array(found, np.int64).reshape(-1, 2)
    pairs = pairs[ready[pairs[:, 1]]]
    return pairs[:, 0], pairs[:, 1]


class _Tree:
    """Units of one mode in seconds space."""

    def __init__(self, open: Round, members: Array, height: Array, pace: float) -> None:
        self._open, self._members = open, members
        self._pace = pace / 1000.0
        # As many are within the same seconds, beside the other modes.
        self.width = len(members) / pace**2
        self._floor = float(height.min())
        self._top = float(height.max()) - self._floor
        # Of what each costs anywhere, what makes no task late.
        self._calm = float(open.crew.extra[members].max())
        self._tree = cKDTree(np.column_stack((open.crew.place[members] * self._pace, height - self._floor)))

    def near(self, rows: Array, look: int) -> tuple[Array, Array, Array]:
        """So many pairs of each row, and for each row what everybody else of this mode costs at least: infinity if all
        the others are too far to be sent."""
        open, count = self._open, len(self._members)
        points = np.column_stack((open.place[rows] * self._pace, np.zeros(len(rows))))
        # Nobody who is higher or farther can go.
        far = np.hypot(open.cap[rows].max() * self._pace * 1000.0, self._top) + 1.0
        distances, members = self._tree.query(points, k=range(1, min(look, count) + 1), distance_upper_bound=far)
        hit = members < count
        least = np.where(hit[:, -1] & (look < count), distances[:, -1], np.inf)
        # Every term was rounded: a second less.
        least = least + self._floor - 1.0
        late = np.maximum(least - self._calm - open.left[rows], 0.0)
        least = least + open.crew.weights.foreign + open.crew.weights.lateness * late
        return np.broadcast_to(rows[:, None], hit.shape)[hit], self._members[members[hit]], least
