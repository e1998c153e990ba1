"""A city whose journal and archive are compared: each point has a time of its own, so that it shows when one is there
twice or not at all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from storage.archive import parquet
from storage.archive.layout import EVENTS, FIXES, details_of
from tests.storage.helpers import numbered
from tests.tracker.archive_house import HOUR, ArchiveHouse
from tests.tracker.helpers import record
from tracker.record import ENTITY

EIGHT = 1_795_392_000_000
"""2026-11-23 08:00 in Shanghai."""
NIGHT = ("seal", "merge", "close")


class City:
    """A house with everything that went into its journal, each point with a time of its own."""

    def __init__(self, data: Path, zone: str = "Asia/Shanghai") -> None:
        self.house = ArchiveHouse(data, EIGHT, zone)
        self._db = parquet.connect()
        self._sent = 0

    def put(self, *ages: int) -> None:
        """Points so many ms old, and an event."""
        house = self.house
        reports = []
        for age in ages:
            self._sent += 1
            at = house.now - age - self._sent
            reports.append(record(at, unit=f"p{self._sent % 3}", server_time=house.now))
        house.put(*reports, (ENTITY, house.now, "unit", f"p{self._sent}", {"name": "a"}))

    def do(self, job: str) -> None:
        self.house.do(job, **(self.sealable if job == "seal" else {}))

    @property
    def sealable(self) -> dict[str, int]:
        """What a sealing is told now."""
        return {"upto": self.house.bench.journal.last, "before": self.house.now // HOUR * HOUR}

    def _rows(self, kind: str, columns: str) -> Counter[tuple[Any, ...]]:
        self.house.archive.refresh()
        found: Counter[tuple[Any, ...]] = Counter()
        for source in self.house.archive.sources(kind, "2000-01-01", "2100-01-01"):
            path = source.path
            if kind == FIXES and source.kind != "part":
                main, path = path, path.with_name(details_of(path.name))
                located = self._db.execute(f"SELECT count(*) FROM {parquet.table([path])} WHERE located").fetchone()
                assert located == (parquet.rows(self._db, main),)
            for row in self._db.execute(f"SELECT {columns} FROM {parquet.table([path])}").fetchall():
                assert self.house.archive.days.day_of(row[0]) == source.day
                found[row] += 1
        return found

    def check(self) -> None:
        """Every point and event that is sealed is in the archive once; nothing else is."""
        sealed = self.house.archive.sealed
        points: Counter[tuple[Any, ...]] = Counter()
        events: Counter[tuple[Any, ...]] = Counter()
        for number, one in numbered(self.house.bench.heard):
            if number > sealed:
                break
            if one[0] == ENTITY:
                events[one[1], number] += 1
            else:
                points[one[6], one[2]] += 1
        assert self._rows(FIXES, "moment, unit") == points
        assert self._rows(EVENTS, "server_time, number") == events

    def settle(self) -> None:
        """A night after whatever happened, two hours later: everything is sealed, and nothing is left lying about."""
        self.house.now = max(self.house.now, *(batch.received for batch in self.house.bench.heard), 0) + 2 * HOUR
        for job in NIGHT:
            self.do(job)
            self.check()
        assert self.house.archive.sealed == self.house.bench.journal.last
        layout = self.house.archive.layout
        assert layout.obsolete() == []
        for kind in (FIXES, EVENTS):
            named = {path.name for path in layout.folder(kind).iterdir()} - {"chain.jsonl"}
            assert named == set(self.house.archive.chains[kind].files())
