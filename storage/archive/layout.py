"""Where everything of the archive lies, and which city day a moment belongs to. Names only; nothing is written here.

A *run* is what was sealed from the journal at one time: a folder ``open/<first>-<last>`` whose files hold, by class
and city day, all journal records of that range. A *part* is one such file. A run whose range lies within that of
another one has been merged into it and counts no more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

FIXES, EVENTS, ACCESS, PHOTOS, SNAPSHOTS = "fixes", "events", "access", "photos", "snapshots"
CLASSES = (FIXES, EVENTS, ACCESS, PHOTOS, SNAPSHOTS)
"""What is kept, each for as long as its retention says, each with a chain of its own."""
SEALED = (FIXES, EVENTS, ACCESS)
"""Those that come out of the journal, hour by hour."""

MERGED = "merged"
"""An empty file that says so in a run made of others: it is not written again with every night's."""

_RUN = re.compile(r"(\d{12})-(\d{12})")
_OURS = re.compile(r"\d{12}-\d{12}(\.new)?|spill")
_PART = re.compile(r"([a-z]+)\.(\d{4}-\d\d-\d\d)\.parquet")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Run:
    """The journal records ``first`` .. ``last``, sealed."""

    first: int
    last: int
    path: Path

    def parts(self, kind: str, first_day: str = "0000-00-00", last_day: str = "9999-99-99") -> dict[str, Path]:
        """The parts of a class by city day, of the days from one to another. Empty for a run that was taken away
        meanwhile."""
        # Compared first: a clock that told any time has made thousands of days, and a question wants one or two.
        low, high = f"{kind}.{first_day}", f"{kind}.{last_day}.~"
        names = (name for name in _names(self.path) if low <= name < high)
        return {match[2]: self.path / match[0] for match in map(_PART.fullmatch, sorted(names)) if match}


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one archive; ``root`` is ``data/archive``."""

    root: Path

    @property
    def about(self) -> Path:
        return self.root / "about.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def states(self) -> Path:
        """The states of all units an hour ago at most, as a snapshot of nothing else. It is in no chain."""
        return self.root / "states.snapshot"

    @property
    def placed(self) -> Path:
        """Names the files of a day that is being closed, until the chain knows them."""
        return self.root / "placed.json"

    @property
    def open(self) -> Path:
        return self.root / "open"

    def folder(self, kind: str) -> Path:
        """Of the closed days of a class."""
        return self.root / kind

    def chain(self, kind: str) -> Path:
        return self.root / kind / "chain.jsonl"

    def run(self, first: int, last: int) -> Path:
        return self.open / f"{first:012d}-{last:012d}"

    def runs(self) -> list[Run]:
        """All runs that count, oldest first."""
        found = []
        for name in sorted(_names(self.open)):
            match = _RUN.fullmatch(name)
            if match:
                found.append(Run(int(match[1]), int(match[2]), self.open / name))
        counting: list[Run] = []
        for run in sorted(found, key=lambda run: (run.first, -run.last)):
            if not counting or run.last > counting[-1].last:
                counting.append(run)
        return counting

    def obsolete(self) -> list[Path]:
        """Folders in ``open`` that do not count: merged runs, and what a killed child had not finished. What somebody
        else put there is not ours to take away."""
        counting = {run.path.name for run in self.runs()}
        return [
            self.open / name for name in sorted(_names(self.open)) if name not in counting and _OURS.fullmatch(name)
        ]


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def details_of(name: str) -> str:
    """The name of the second file of a closed day of fixes."""
    return name.removesuffix(".parquet") + ".details.parquet"


def day_in(name: str) -> str:
    """The city day that a file of a closed day or supplement belongs to, by its name."""
    match = _DAY.match(name)
    if match is None:
        raise ValueError(f"{name} is not named by a day")
    return match[0]


class Days:
    """The days of a city: names like ``2026-11-23`` in its time zone, moments in ms since 1970 UTC."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self._found: tuple[int, int, str] = (0, 0, "")

    def day_of(self, ms: int) -> str:
        """The day of a moment."""
        start, end, day = self._found
        if start <= ms < end:
            return day
        day = datetime.fromtimestamp(ms / 1000, self.zone).strftime("%Y-%m-%d")
        self._found = (*self.span(day), day)
        return day

    def span(self, day: str) -> tuple[int, int]:
        """When a day begins and when it has ended (excluded)."""
        first = date.fromisoformat(day)
        return self._midnight(first), self._midnight(first + timedelta(days=1))

    def _midnight(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC).timestamp() * 1000)

    def days(self, first: str, last: str) -> Iterator[str]:
        """The names of the days from one to another, both included."""
        day, end = date.fromisoformat(first), date.fromisoformat(last)
        while day <= end:
            yield day.isoformat()
            day += timedelta(days=1)


def shifted(day: str, by: int) -> str:
    """The day so many days later, or earlier."""
    return (date.fromisoformat(day) + timedelta(days=by)).isoformat()
