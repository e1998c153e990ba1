"""A day of collectors in the lattice city, with its own clock: tasks come, a rule says whom to ask, people answer, go,
look and are free again.

A rule is a callable. It sees what a server would see (:class:`Waiting`, :class:`Seen`) each time when something has
happened while a task is open, and at the least every time when positions have come; it answers with offers. An offer
reaches who is online within 30 s, or is taken back; it is accepted, declined or not answered. What is accepted is done
in its order. Lunch is eaten when everything that was accepted is done, and whoever should eat is not to be asked. Who
has nothing to do rides back to the own grid and patrols it, or goes to a post that he is given. The day is over when
the last task is done.

Nothing here knows a real clock; the same day with the same rule ends the same way.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from simulator.lattice import Lattice
from simulator.lattice_walk import LatticeWalk
from simulator.street_plan import ANSWERS, REPORTS, Customs, DayPlan, Errand


@dataclass(slots=True)
class Waiting:
    """An open task that nobody holds. ``refused`` has until when who is not to be asked again."""

    number: int
    crossing: int
    grid: int
    created: float
    limit: float
    refused: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """A collector on duty, by its number, which is that of the own grid. ``x``, ``y`` and ``age`` (s) are of the last
    position that came. ``committed`` are the crossings of what was accepted and asked, in order; ``arrived`` is when
    work on the first of them began, if it has."""

    number: int
    x: float
    y: float
    age: float
    resting: bool
    suspect: bool
    """An offer did not reach the device, and nothing has come from it since."""
    committed: tuple[int, ...]
    arrived: float | None
    done: int = 0
    """Tasks of this day."""


Rule = Callable[[float, Sequence[Waiting], Sequence[Seen]], Sequence[tuple[int, int]]]
"""Now (s), the open tasks by number, the collectors by number -> offers as (task, collector)."""


Posts = Callable[[Sequence[Seen]], Mapping[int, int]]
"""The collectors -> the crossing at which somebody is to wait who has nothing to do."""
POSTS_EVERY = 300.0
"""Seconds."""


@dataclass(slots=True)
class Visit:
    """What became of a task: who did it, and when (s) he went, was there and was done; ``asked`` is how many were."""

    errand: Errand
    asked: int = 0
    by: int = -1
    accepted: float = math.inf
    departed: float = math.inf
    arrived: float = math.inf
    done: float = math.inf

    @property
    def response(self) -> float:
        """Seconds until somebody was there."""
        return self.arrived - self.errand.created

    @property
    def on_time(self) -> bool:
        return self.done - self.errand.created <= self.errand.limit


class _Collector:
    __slots__ = ("accepted", "at_work", "done", "fix", "held", "hungry", "resting", "suspect", "walk")

    def __init__(self, walk: LatticeWalk) -> None:
        self.walk = walk
        self.held: list[int] = []
        """Accepted and asked for, in the order of the offers."""
        self.accepted: list[int] = []
        self.at_work = False
        self.done = 0
        self.hungry = self.resting = False
        self.suspect = -math.inf
        self.fix = (-1, 0.0, 0.0)
        """The number of the last position, and where it says."""


class StreetDay:
    """One day under one rule. ``mode`` is how people travel: a name of the customs' speeds. With ``posts`` whoever is
    given one does not patrol: he walks there, or rides if he comes from a task."""

    def __init__(
        self, lattice: Lattice, customs: Customs, plan: DayPlan, mode: str, rule: Rule, posts: Posts | None = None
    ) -> None:
        self._customs, self._plan, self._rule, self._posts = customs, plan, rule, posts
        self._post: Mapping[int, int] = {}
        self._speed = customs.speeds[mode]
        beats: list[list[int]] = [[] for _ in range(lattice.grids_a_side**2)]
        for node in lattice.crossings:
            beats[lattice.grid[node]].append(node)
        self._people = {
            n: _Collector(LatticeWalk(lattice, beat, customs.patrol, Random(plan.seed * 1000 + n)))
            for n, beat in enumerate(beats)
            if n not in plan.absent
        }
        self.visits = [Visit(errand) for errand in plan.errands]
        self._waiting = [Waiting(e.number, e.crossing, e.grid, e.created, e.limit) for e in plan.errands]
        self._open: set[int] = set()
        self._left = len(self.visits)
        self._events: list[tuple[float, int, Callable[..., None], tuple[int, ...]]] = []
        self._count = 0
        self._now = 0.0
        self._looks = False
        self.rounds = 0

    def run(self) -> list[Visit]:
        """Let it happen."""
        for errand in self._plan.errands:
            self._at(errand.created, self._appear, errand.number)
        for n in self._people:
            self._at(self._customs.lunch[n % len(self._customs.lunch)], self._lunch, n)
        if self._posts is not None:
            self._at(POSTS_EVERY, self._place)
        while self._left:
            self._now, _, deed, about = heapq.heappop(self._events)
            deed(*about)
            if self._open:
                self._round()
        return self.visits

    def place(self, collector: int, now: float) -> tuple[float, float]:
        """Where somebody really was, in metres."""
        return self._people[collector].walk.place(now)

    def _at(self, when: float, deed: Callable[..., None], *about: int) -> None:
        self._count += 1  # what is due at the same time happens in the order in which it was foreseen
        heapq.heappush(self._events, (when, self._count, deed, about))

    # What the server sees and says.

    def _appear(self, task: int) -> None:
        self._open.add(task)

    def _look(self) -> None:
        self._looks = False

    def _round(self) -> None:
        self.rounds += 1
        tasks = [self._waiting[n] for n in sorted(self._open)]
        offers = self._rule(self._now, tasks, [self._seen(n, who) for n, who in self._people.items()])
        for task, collector in offers:
            if task in self._open:
                self._offer(task, collector)
        if self._open and not self._looks:
            self._looks = True
            self._at(self._now + self._customs.every, self._look)

    def _seen(self, n: int, who: _Collector) -> Seen:
        every, phase = self._customs.every, self._plan.phase[n]
        slot = math.floor((self._now - phase) / every)
        for begin, end in reversed(self._plan.offline[n]):
            if begin <= phase + slot * every < end:
                slot = math.floor((begin - phase) / every)
        slot = max(slot, 0)
        if who.fix[0] != slot:
            x, y = who.walk.place(phase + slot * every)
            error = self._plan.errors[n, slot % REPORTS]
            who.fix = (slot, x + float(error[0]), y + float(error[1]))
        told = phase + slot * every
        first = self.visits[who.accepted[0]] if who.accepted and who.at_work else None
        return Seen(
            n,
            who.fix[1],
            who.fix[2],
            max(0.0, self._now - told),
            who.resting or who.hungry,
            told <= who.suspect,
            tuple(self._waiting[task].crossing for task in who.held),
            first.arrived if first and first.arrived <= self._now else None,
            who.done,
        )

    def _offer(self, task: int, n: int) -> None:
        visit = self.visits[task]
        self._open.remove(task)
        self._people[n].held.append(task)
        visit.asked += 1
        delivered = self._now
        for begin, end in self._plan.offline[n]:
            if begin <= delivered < end:
                delivered = end
        if delivered > self._now + self._customs.undelivered:
            self._at(self._now + self._customs.undelivered, self._undelivered, task, n)
            return
        chance, delay = visit.errand.answers[(visit.asked - 1) % ANSWERS]
        answered = delivered + self._customs.answer_median * math.exp(self._customs.answer_sigma * delay)
        if chance < self._customs.accepted:
            self._at(answered, self._accepted, task, n)
        elif chance < self._customs.accepted + self._customs.declined:
            self._at(answered, self._refused, task, n)
        else:
            self._at(delivered + self._customs.unanswered, self._refused, task, n)

    def _undelivered(self, task: int, n: int) -> None:
        self._people[n].suspect = self._now
        self._back(task, n)

    def _refused(self, task: int, n: int) -> None:
        self._waiting[task].refused[n] = self._now + self._customs.cool_down
        self._back(task, n)

    def _back(self, task: int, n: int) -> None:
        self._people[n].held.remove(task)
        self._open.add(task)

    # What people do.

    def _accepted(self, task: int, n: int) -> None:
        visit, who = self.visits[task], self._people[n]
        visit.by, visit.accepted = n, self._now
        who.accepted.append(task)
        self._next(n, who)

    def _next(self, n: int, who: _Collector) -> None:
        """What somebody turns to who has done something, or has been given something to do."""
        if who.at_work or who.resting:
            return
        if who.accepted:
            visit, who.at_work = self.visits[who.accepted[0]], True
            visit.departed = self._now
            visit.arrived = who.walk.go(self._now, visit.errand.crossing, self._speed / visit.errand.pace)
            visit.done = visit.arrived + visit.errand.scene
            self._at(visit.done, self._done, n)
            if who.held[0] != visit.errand.number:  # who was asked for something else before it and has not answered
                who.held.remove(visit.errand.number)
                who.held.insert(0, visit.errand.number)
        elif who.hungry:
            who.hungry, who.resting = False, True
            who.walk.stand(self._now)
            self._at(self._now + self._customs.lunch_length, self._rested, n)
        elif n in self._post:
            who.walk.go(self._now, self._post[n], self._speed)
        else:
            who.walk.patrol(self._now, self._speed)

    def _place(self) -> None:
        assert self._posts is not None
        self._post = self._posts([self._seen(n, who) for n, who in self._people.items()])
        for n, post in self._post.items():
            who = self._people[n]
            if not (who.at_work or who.resting or who.hungry or who.accepted):
                who.walk.go(self._now, post, self._customs.patrol)
        self._at(self._now + POSTS_EVERY, self._place)

    def _done(self, n: int) -> None:
        who = self._people[n]
        who.held.remove(who.accepted.pop(0))
        who.at_work = False
        who.done += 1
        self._left -= 1
        self._next(n, who)

    def _lunch(self, n: int) -> None:
        self._people[n].hungry = True
        self._next(n, self._people[n])

    def _rested(self, n: int) -> None:
        self._people[n].resting = False
        self._next(n, self._people[n])
