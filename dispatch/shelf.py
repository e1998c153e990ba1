"""All tasks: what is known of them, and how it comes out of the journal. A pure core."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

import msgpack

from dispatch.deeds import TASK_EVENT, apply, begin, events_of, forget
from dispatch.draft import Send
from dispatch.model import OPEN, Attempt, AttemptState, Task, TaskId, Timer
from dispatch.timers import Timers, owes, rows
from tracker.model import UnitId
from tracker.refusal import Change

OPEN_TASKS = 50_000
"""Some 3 KB each: a large city's of a month without anybody to do them."""
KEPT = 5_000
"""Ended ones that can be asked for; the journal has all of them."""
AT_ONCE = 200
"""Timers that are looked at in one go, some 10 ms."""


class Shelf:
    """The open tasks, and the last ones that are not."""

    def __init__(self, *, open: int = OPEN_TASKS, kept: int = KEPT) -> None:
        self._most, self._kept = open, kept
        self._tasks: dict[TaskId, Task] = {}
        self._ended: OrderedDict[TaskId, None] = OrderedDict()
        self._log: dict[TaskId, list[bytes]] = {}
        """All that has happened to each, packed."""
        self._units: dict[UnitId, set[TaskId]] = {}
        """In which tasks there is something of a unit that is not settled."""
        self.timers = Timers()
        self.passed_over = 0
        """Events that the tables did not allow when they came."""

    # -- looking

    def __len__(self) -> int:
        return len(self._tasks)

    def all(self) -> list[Task]:
        """In the order in which they were first heard of."""
        return list(self._tasks.values())

    def holders(self) -> list[UnitId]:
        """Units of which something is not settled."""
        return sorted(self._units)

    def unsettled(self, unit: UnitId) -> list[Task]:
        """In which there is something of a unit that is not done with."""
        return self._of(unit)

    def get(self, id: TaskId) -> Task | None:
        return self._tasks.get(id)

    def open(self) -> list[Task]:
        """The oldest first."""
        found = (task for task in self._tasks.values() if task.state in OPEN)
        return sorted(found, key=lambda task: (task.created, task.id))

    def held(self, unit: UnitId) -> list[tuple[Task, Attempt]]:
        """What a unit has accepted or been asked for and not answered yet, in the order in which it was asked."""
        found = [(task, task.attempt) for task in self._of(unit)]
        mine = [
            (task, one) for task, one in found
            if one is not None and one.unit == unit and one.state is not AttemptState.REPORTED
        ]  # fmt: skip
        return sorted(mine, key=lambda pair: (min(pair[1].at.values()), pair[0].id))

    def suspect(self, unit: UnitId) -> bool:
        """Whether an offer did not reach it, and nothing has come from it since."""
        return any(is_suspect(one) for task in self._of(unit) for one in task.attempts if one.unit == unit)

    def to_send(self, unit: UnitId) -> list[Send]:
        """What its devices have not acknowledged, again: what is over first, so that no offer is taken for it."""
        over, asked = [], []
        for task in self._of(unit):
            for one in task.attempts:
                if one.unit == unit and owes(one):
                    over.append(Send("unit", "revoke", task.id, one.number, unit, one.reason))
                elif one.unit == unit and one.state is AttemptState.OFFERED:
                    asked.append(Send("unit", "offer", task.id, one.number, unit))
                elif one.unit == unit and one.active and "returned" in one.marks and "informed" not in one.marks:
                    asked.append(Send("unit", "return", task.id, one.number, unit, one.reason))
        return over + asked

    def _of(self, unit: UnitId) -> list[Task]:
        return [self._tasks[id] for id in sorted(self._units.get(unit, ()))]

    # -- the journal

    def take(self, events: Iterable[Change]) -> None:
        """These are in the journal now, in this order."""
        touched: dict[TaskId, None] = {}
        for _, identity, fields in events:
            assert fields is not None
            id = TaskId(identity)
            task = self._tasks.get(id)
            try:
                if fields["what"] == "task" and task is None:
                    self._tasks[id] = begin(id, fields)
                elif task is not None:
                    apply(task, fields)
                else:
                    raise LookupError(id)
            except LookupError:
                self.passed_over += 1
            else:
                touched[id] = None
                self._log.setdefault(id, []).append(_pack(fields))
        for id in touched:
            self._know(self._tasks[id])
        while len(self._ended) > self._kept:
            self._drop(next(iter(self._ended)))

    def replay(self, event: Change) -> None:
        """Take in what the journal or a snapshot holds."""
        self.take((event,))

    def events(self) -> Iterator[Change]:
        """What :meth:`replay` makes this book of again."""
        for id in self._ended:
            yield from self._said(id)
        for id in self._tasks:
            if id not in self._ended:
                yield from self._said(id)

    def history(self, id: TaskId) -> list[dict[str, Any]]:
        """All that has happened to a task, in order."""
        return [_unpack(packed) for packed in self._log.get(id, ())]

    def _said(self, id: TaskId) -> Iterator[Change]:
        for fields in self.history(id):
            yield TASK_EVENT, id, fields

    def forget(self, unit: UnitId) -> None:
        """Know nothing of a unit any more; what it held is in the queue."""
        for task in self._tasks.values():
            forget(task, unit)
            if any(fields.get("unit") == unit for fields in self.history(task.id)):
                # What is left of its past would not come to what it is now.
                self._log[task.id] = [_pack(fields) for _, _, fields in events_of(task)]
            self._know(task)
        self._units.pop(unit, None)

    def _know(self, task: Task) -> None:
        self.timers.put(task.id, rows(task))
        if task.state not in OPEN:
            self._ended.setdefault(task.id)
        unsettled = {one.unit for one in task.attempts if one.active or owes(one) or is_suspect(one)}
        for unit in {one.unit for one in task.attempts}:
            if unit in unsettled:
                self._units.setdefault(unit, set()).add(task.id)
            else:
                self._settle(unit, task.id)

    def _settle(self, unit: UnitId, id: TaskId) -> None:
        tasks = self._units.get(unit, set())
        tasks.discard(id)
        if not tasks:
            self._units.pop(unit, None)

    def _drop(self, id: TaskId) -> None:
        del self._ended[id], self._log[id]
        self.timers.put(id, ())
        for unit in {one.unit for one in self._tasks.pop(id).attempts}:
            self._settle(unit, id)

    # -- time

    def get_timer(self) -> int | None:
        """When :meth:`due` has something, ms."""
        return self.timers.get_timer()

    def due(self, now: int, limit: int = AT_ONCE) -> list[Timer]:
        """Timers to look at, each with its step on disk before the next one of its task."""
        return self.timers.due(now, limit)


def _pack(fields: Any) -> bytes:
    return bytes(msgpack.packb(fields))


def _unpack(packed: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = msgpack.unpackb(packed, use_list=False)
    return fields


def is_suspect(attempt: Attempt) -> bool:
    """Whether its offer did not reach anybody, and nothing has come from there since."""
    return attempt.state is AttemptState.UNDELIVERED and "heard" not in attempt.marks
