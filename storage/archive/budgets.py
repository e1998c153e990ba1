"""What history may take of the disk, when it is full, and who goes without first when the disk is. Pure: sizes in,
decisions out; :mod:`tracker.archive_tidy` carries them out.

Three reasons why a day of history goes: it is older than its class is kept (``retention``), its class takes more than
it may (``budget``), or the disk is filling up (``disk``). What goes on a disk that fills up, and in which order, is one
table: :data:`LADDER`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum, StrEnum

from storage.archive.layout import ACCESS, CLASSES, EVENTS, FIXES, PHOTOS, SNAPSHOTS, shifted

ALARM = 0.8
"""The part of a budget from which on somebody should do something about it."""
RECENT = 30
"""The last days of history, which a disk that fills up never costs, nor photos their own budget: what happened this
month is what is asked for."""
WEEK = 7
"""Whole days before today whose mean is the present rate."""
HORIZON = 3650
"""Days of a forecast. What lasts for ten years has no end that anybody plans for."""
SOON = 30
"""Days ahead at which a disk that will be full is a problem, and not only a number on a page."""


class Level(IntEnum):
    """How much room there is on the disk of the data folder."""

    OK = 0
    LOW = 1
    """Nothing is stored any more that the city can do without, and history goes."""
    CRITICAL = 2
    """The reserve is given up, or could not be made: what is left is for journal and live state."""


class Reason(StrEnum):
    """Why a day was deleted, as its record in the chain says."""

    RETENTION = "retention"
    BUDGET = "budget"
    DISK = "disk"


class Way(StrEnum):
    """How room is made."""

    REFUSE = "refuse"
    """No more is begun or stored."""
    DROP = "drop"
    """What is kept elsewhere too is deleted: nothing is lost."""
    SHED = "shed"
    """The oldest closed day is deleted, one at a time, until there is room."""
    GIVE = "give"
    """The reserve's room is given to journal and live state."""


@dataclass(frozen=True, slots=True)
class Rung:
    """``at`` this level and below it in room, ``what`` goes in this ``way``; never the last ``spare`` days of it."""

    at: Level
    way: Way
    what: tuple[str, ...]
    spare: int = 0


EXPORTS, JOURNAL, RESERVE = "exports", "journal", "reserve"

LADDER = (
    Rung(Level.LOW, Way.REFUSE, (EXPORTS,)),
    Rung(Level.LOW, Way.REFUSE, (PHOTOS,)),
    Rung(Level.LOW, Way.DROP, (JOURNAL,)),  # days that are sealed, and covered by a snapshot
    Rung(Level.LOW, Way.SHED, (SNAPSHOTS,), RECENT),
    Rung(Level.LOW, Way.SHED, (FIXES, PHOTOS), RECENT),
    Rung(Level.LOW, Way.SHED, (EVENTS, ACCESS), RECENT),  # small, and the word on who did what: last
    Rung(Level.CRITICAL, Way.GIVE, (RESERVE,)),
)
"""What goes when the disk is filling up, first things first. A rung is used when those above it gave too little."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Of one class: days that it is kept, and bytes that it may take (0: as many as there are)."""

    keep: int
    budget: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of one class by city day: of days that are ``closed``, and of days that are ``open`` still."""

    closed: Mapping[str, int] = field(default_factory=dict)
    open: Mapping[str, int] = field(default_factory=dict)

    @property
    def used(self) -> int:
        return sum(self.closed.values()) + sum(self.open.values())


Usages = Mapping[str, Usage]
Limits = Mapping[str, Limit]


@dataclass(frozen=True, slots=True)
class Goes:
    """One day of one class is to be deleted."""

    kind: str
    day: str
    reason: Reason


def limits_from(settings: Mapping[str, int]) -> dict[str, Limit]:
    """Every class's limits from settings such as ``fixes_days`` and ``fixes_mb``; snapshots are kept as long as the
    fixes that they explain."""
    days = {kind: settings.get(f"{kind}_days", settings[f"{FIXES}_days"]) for kind in CLASSES}
    return {kind: Limit(days[kind], settings[f"{kind}_mb"] << 20) for kind in CLASSES}


def refused(what: str, level: Level) -> bool:
    """Whether so little room is left that ``what`` must wait."""
    return any(rung.way is Way.REFUSE and what in rung.what and level >= rung.at for rung in LADDER)


def expired(usages: Usages, limits: Limits, today: str) -> Iterator[Goes]:
    """The days that are older than their class is kept, open ones too: what came for a day that is gone goes as well.
    The newest snapshot stays, whatever its age."""
    for kind, usage in usages.items():
        first = shifted(today, -limits[kind].keep)
        stays = max(usage.closed, default="") if kind == SNAPSHOTS else ""
        for day in sorted({*usage.closed, *usage.open}):
            if day < first and day != stays:
                yield Goes(kind, day, Reason.RETENTION)


def over_budget(usages: Usages, limits: Limits, today: str) -> Iterator[Goes]:
    """The oldest closed days of classes for which the next day would not fit, so many that it does. Sizes and budgets
    may be numbers of files as well as bytes."""
    for kind, usage in usages.items():
        budget, used = limits[kind].budget, usage.used
        if not budget:
            continue
        # A tenth at most: a day that was out of all measure must not cost more days than it takes room. A fiftieth at
        # least: a class that is full gets nothing, and its rate would say that nothing is needed.
        target = budget - min(max(rate(usage, today), budget // 50), budget // 10)
        # A camera that is set off again and again must not push out what somebody asked for this month.
        spare = RECENT if kind == PHOTOS else 0
        for day in _sheddable(kind, usage, spare, today):
            if used <= target:
                break
            used -= usage.closed[day]
            yield Goes(kind, day, Reason.BUDGET)


def to_shed(usages: Usages, today: str) -> Iterator[Goes]:
    """What a disk that fills up costs, in the order of :data:`LADDER`. The caller takes one at a time and looks
    whether there is room now."""
    for rung in LADDER:
        if rung.way is Way.SHED:
            days = [
                (day, kind)
                for kind in rung.what
                for day in _sheddable(kind, usages.get(kind, Usage()), rung.spare, today)
            ]
            yield from (Goes(kind, day, Reason.DISK) for day, kind in sorted(days))


def _sheddable(kind: str, usage: Usage, spare: int, today: str) -> list[str]:
    """Closed days before the spared ones, oldest first. The newest snapshot always stays: it is what everything can
    be rebuilt from."""
    days = sorted(usage.closed)
    if kind == SNAPSHOTS:
        days = days[:-1]
    return [day for day in days if day < shifted(today, -spare)]


def rate(usage: Usage, today: str) -> int:
    """Bytes a day, as the mean of the last seven whole days; of fewer while there are no more."""
    first = min((*usage.closed, *usage.open), default=today)
    days = [day for day in (shifted(today, -back) for back in range(1, WEEK + 1)) if day >= first]
    total = sum(usage.closed.get(day, 0) + usage.open.get(day, 0) for day in days)
    return total // len(days) if days else 0


def full_in(room: int, classes: Sequence[tuple[Usage, Limit]], today: str) -> int | None:
    """Days until classes that have ``room`` bytes left between them have used it up at the present rate; 0 when they
    have, ``None`` when they never will, because what comes is no more than what retention takes away."""
    if room <= 0:
        return 0
    leaving: dict[int, int] = {}
    end = date.fromisoformat(today)
    coming: list[tuple[int, int]] = []
    for usage, limit in classes:
        for days in (usage.closed, usage.open):
            for day, size in days.items():
                ahead = max(1, (date.fromisoformat(day) - end).days + limit.keep + 1)
                leaving[ahead] = leaving.get(ahead, 0) + size
        coming.append((rate(usage, today), limit.keep))
    last = min(HORIZON, max((keep for _, keep in coming), default=0) + 1)
    for ahead in range(1, last + 1):
        # What comes from now on is taken away too, when its time has come.
        room += leaving.get(ahead, 0) - sum(each for each, keep in coming if ahead <= keep)
        if room <= 0:
            return ahead
    return None


def alarming(usage: Usage, limit: Limit) -> bool:
    """Whether a class has used so much of its budget that somebody should be told."""
    return bool(limit.budget) and usage.used >= ALARM * limit.budget
