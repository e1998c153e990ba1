"""When the journal's days may be deleted, and the deleting: for the job ``tidy``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from storage.archive import snapshots
from storage.archive.layout import SEALED, SNAPSHOTS, shifted
from storage.client import HOT_SECONDS
from storage.journal_files import DayFile
from tracker.archive_context import Context

DAY_MS = 86_400_000
HOT_MS = HOT_SECONDS * 1000 + 3_600_000
"""What was received within this time may be wanted again for the tracks in live state, which go by whole hours."""

OpenPart = tuple[str, int, int]
"""The city day of a part that counts, and the first and last record number of its run."""


def deletable_days(
    files: Sequence[DayFile], parts: Iterable[OpenPart], sealed: int, covered: int, now: int, *, early: bool = False
) -> list[str]:
    """The days of the journal, oldest first, whose files nobody needs any more. ``files`` are all there are.

    Their records are in the archive (``sealed``), a snapshot is later than they are (``covered``), and nobody fills
    live tracks from them. Unless ``early``, the archive has closed every city day that their points may be of, which
    is a good week later: till then there are two copies of what has not been looked through yet. The newest file always
    stays, for it is written to; and what stays is without a gap.
    """
    counting = list(parts)
    days = []
    for file in files[:-1]:
        ended = int(datetime.fromisoformat(file.day).replace(tzinfo=UTC).timestamp() * 1000) + DAY_MS
        if min(sealed, covered) < file.last or now < ended + HOT_MS:
            break
        # The city's day may be the one after the day of receipt, which is counted in UTC.
        latest = shifted(file.day, 1)
        closed = not any(
            day <= latest and first <= file.last and last >= file.first for day, first, last in counting
        )  # fmt: skip
        if not (early or closed):
            break
        days.append(file.day)
    return days


def drop_days(context: Context, before: str, *, early: bool = False) -> int:
    """Delete the journal's days before a day (UTC) that may be deleted; how many. ``early`` is for a disk that is
    filling up: see :func:`deletable_days`."""
    archive = context.archive
    archive.refresh()
    snapshot = snapshots.newest(
        context.layout.folder(SNAPSHOTS), lambda text: None, journal=context.journal.newest()[0]
    )
    if snapshot is None:
        return 0
    parts = [
        (source.day, source.first, source.last)
        for kind in SEALED
        for source in archive.sources(kind, "0000-00-00", "9999-99-99")
        if source.kind == "part"
    ]
    covered = min(snapshot.about.last, snapshot.about.states_last)
    days = deletable_days(context.journal.days(), parts, archive.sealed, covered, context.now, early=early)
    going = [day for day in days if day < before]
    for day in going:
        context.journal.delete(day)
        context.tell({"journal_day": day})
    return len(going)
