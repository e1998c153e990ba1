"""What goes over the desk besides tasks: what a new one is made of, and what seats are told."""

from __future__ import annotations

from dataclasses import dataclass

from dispatch.model import NOBODY, Spot, TaskId
from tracker.model import UnitId

NO_TASK = TaskId("")


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task as somebody asks for it. ``id`` empty: one is made. ``spot`` is in WGS-84. ``pinned``: who shall do it;
    ``independent``: who reported what is to be seen, and may have to be another. ``due`` (ms) instead of the city's
    limit."""

    kind: str
    spot: Spot
    id: TaskId = NO_TASK
    klass: str = ""
    address: str = ""
    text: str = ""
    source: str = ""
    pinned: UnitId = NOBODY
    independent: UnitId = NOBODY
    due: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person at a seat should hear of, ``to`` seat, leader, group or call (somebody is to be called).
    ``version`` is the desk's when it came up."""

    version: int
    at: int
    to: str
    what: str
    task: TaskId
    attempt: int = 0
    unit: UnitId = NOBODY
    reason: str = ""
