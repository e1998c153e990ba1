"""An archive over a journal, moved by hand: records go in at a moment, jobs are done at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from storage.archive import parquet
from storage.archive.archive import Archive
from storage.archive.layout import FIXES
from storage.journal_files import JournalFiles
from tests.storage.helpers import Bench
from tracker.archive_columns import records_of
from tracker.archive_context import Context, Result
from tracker.archiving import JOBS
from tracker.record import ReportRecord

ZONE = "Asia/Shanghai"
HOUR = 3_600_000
DAY = 24 * HOUR


class ArchiveHouse:
    """``now`` is the time of everything; :meth:`put` journals, :meth:`do` does a job in this process."""

    def __init__(self, data: Path, now: int, zone: str = ZONE) -> None:
        self.data, self.zone = data, zone
        self.bench = Bench(data / "journal")
        self.bench.now = now
        self.archive = Archive(data / "archive", zone)
        self.told: list[Result] = []

    @property
    def now(self) -> int:
        return self.bench.now

    @now.setter
    def now(self, now: int) -> None:
        self.bench.now = now

    def put(self, *records: Sequence[Any]) -> None:
        """Journal these, in one commit."""
        number = self.bench.write(*(tuple(record) for record in records))
        assert number is not None

    def context(self) -> Context:
        """What a job is given now."""
        journal = JournalFiles(self.data / "journal")
        return Context(self.data, Archive(self.data / "archive", self.zone), journal, self.now, self.told.append)

    def do(self, job: str, **arguments: Any) -> Result:
        """Do a job as the archivist's child does."""
        result = JOBS[job](self.context(), arguments)
        self.archive.refresh()
        return result

    def seal(self) -> Result:
        """Seal what there is, whatever the hour."""
        return self.do("seal", upto=self.bench.journal.last, before=self.now + 1)

    def close_days(self) -> list[str]:
        """Close what may be closed; the names of the files."""
        return list(self.do("close")["closed"])

    def parts(self, day: str = "2000-01-01", last: str = "2100-01-01") -> list[ReportRecord]:
        """The reports of the parts that count."""
        paths = [source.path for source in self.archive.sources(FIXES, day, last) if source.kind == "part"]
        return list(records_of(self.rows(*paths)))

    def rows(self, *paths: Path) -> list[dict[str, Any]]:
        """The rows of these files."""
        found = []
        for path in paths:
            db = parquet.connect()
            cursor = db.execute(f"SELECT * FROM {parquet.table([path])}")
            names = [column[0] for column in cursor.description or ()]
            found += [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            db.close()
        return found
