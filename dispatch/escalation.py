"""Escalation: what is done when nobody has accepted a task, and when.

The level rises by one when a round finds nobody, when two attempts have come to nothing, when the task gets critical
and when it is overdue; from level 1 on also when time goes by. Nothing raises the level of a task that somebody has
accepted: that it is late is told to the seat. How far away somebody may be at each level is a rule of the city.
"""

from __future__ import annotations

from dataclasses import dataclass

from dispatch.model import Task, TaskState

WAITING = frozenset({TaskState.QUEUED, TaskState.ASSIGNED})
"""Nobody has accepted it."""


@dataclass(frozen=True, slots=True)
class Level:
    """``everybody``: whoever is on duty may be asked, whatever his role and area, and the vehicles. ``tells``: who
    hears of it, and as what."""

    everybody: bool = False
    tells: tuple[tuple[str, str], ...] = ()


LEVELS = (
    Level(),
    Level(),
    Level(everybody=True),
    # A list of everybody by his distance, for the seat to choose from; and all of the neighbourhood hear of it.
    Level(everybody=True, tells=(("seat", "ranked"), ("group", "call"))),
    Level(everybody=True, tells=(("leader", "call"),)),
)
HIGHEST = len(LEVELS) - 1


def can_rise(task: Task) -> bool:
    return task.state in WAITING and task.level < HIGHEST


def next_rise(task: Task) -> int | None:
    """When the level rises by time alone (ms), if it does. Offers that come to nothing do not stop that time."""
    if not can_rise(task) or task.level == 0:
        return None
    return task.raised + task.times.levels[task.level - 1]


def too_many_failures(task: Task) -> bool:
    return can_rise(task) and task.failed >= task.times.failed
