"""What has become of each city day, by class, as the chains tell it: closed, added to, deleted and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from storage.archive.chain import Entry


@dataclass(frozen=True, slots=True)
class Sealed:
    """A closing or a supplement: entry ``number`` of the chain with its ``digest``, ``made`` at ms, of so many
    ``bytes`` and ``rows``."""

    number: int
    digest: str
    made: int
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A deletion: why, and when (ms)."""

    reason: str
    made: int


@dataclass(slots=True)
class DayOfClass:
    """One city day of one class. ``closed`` and ``supplements`` are what is there; ``gone`` is the last deletion;
    ``removals`` counts how often somebody's data was taken out of it."""

    closed: Sealed | None = None
    supplements: list[Sealed] = field(default_factory=list)
    gone: Gone | None = None
    removals: int = 0


@dataclass(slots=True)
class Daybook:
    """The days of each class; ``deleted`` counts deletions by class and reason since the archive was made."""

    days: dict[str, dict[str, DayOfClass]] = field(default_factory=dict)
    deleted: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(self, kind: str, entries: Iterable[Entry]) -> None:
        """Take in the entries of a class's chain, oldest first."""
        days = self.days.setdefault(kind, {})
        for entry in entries:
            day = days.setdefault(entry.day, DayOfClass())
            if entry.kind == "deletion":
                day.closed, day.supplements, day.gone = None, [], Gone(entry.reason, entry.made)
                key = kind, entry.reason
                self.deleted[key] = self.deleted.get(key, 0) + 1
            elif entry.kind == "removal":
                day.removals += 1
            else:
                # The second file of a day of fixes has a row for each of the first: a day has as many as the larger.
                rows = max((file.rows for file in entry.files), default=0)
                size = sum(file.bytes for file in entry.files)
                sealed = Sealed(entry.number, entry.digest, entry.made, size, rows)
                if entry.kind == "supplement" or day.closed is not None:
                    day.supplements.append(sealed)
                else:
                    day.closed = sealed

    def named(self) -> list[str]:
        """Every day that any class has heard of, newest first."""
        return sorted({day for days in self.days.values() for day in days}, reverse=True)

    def of(self, day: str) -> Mapping[str, DayOfClass]:
        """The classes that have heard of a day."""
        return {kind: days[day] for kind, days in self.days.items() if day in days}
