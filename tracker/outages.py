"""When the server did not hear: before its first start, and from its last record to its next start.

Nobody is late or absent in that time. A quiet night counts with it, because nothing tells one from the other; that errs
on the side of those who work. A pure core beside the roster.
"""

from __future__ import annotations

from collections.abc import Iterable

from storage.journal_files import Batch
from tracker.model import UnitId
from tracker.record import ENTITY, EVENT, OUTAGE, REPORT
from tracker.roster import Change
from tracker.working_time import Span

LEAST_MS = 60_000
"""A shorter pause is a restart, for which devices keep what they have to say."""
KEPT = 200
"""Outages remembered, the newest: a restart on every other day of a year."""


class Outages:
    """The state; a register of the roster's (:class:`tracker.roster.Register`)."""

    kinds = (OUTAGE,)

    def __init__(self) -> None:
        self._spans: dict[str, Span] = {}

    def within(self, start: int, end: int) -> list[Span]:
        """Those that have a part of a span, in order."""
        return sorted(span for span in self._spans.values() if span[0] < end and span[1] > start)

    def plan(self, last: int | None, now: int) -> tuple[None, list[Change]]:
        """What a start at ``now`` has to note. ``last`` is the time of the last record, ``None`` without any: before
        its first start a server has never heard."""
        last = 0 if last is None else last
        if now - last < LEAST_MS:
            return None, []
        newest_last = sorted(self._spans, key=lambda identity: self._spans[identity])
        oldest = newest_last[: max(0, len(newest_last) + 1 - KEPT)]
        gone: list[Change] = [(OUTAGE, identity, None) for identity in oldest]
        return None, [*gone, (OUTAGE, str(last), {"start": last, "end": now})]

    def apply(self, change: Change) -> None:
        _, identity, fields = change
        if fields is None:
            self._spans.pop(identity, None)
        else:
            self._spans[identity] = (fields["start"], fields["end"])

    def changes(self) -> Iterable[Change]:
        for identity, (start, end) in self._spans.items():
            yield OUTAGE, identity, {"start": start, "end": end}

    def remove(self, unit: UnitId) -> None:
        """It says nothing of anybody."""


def last_heard(batches: Iterable[Batch]) -> int | None:
    """The time of the last record among some of the journal; ``None`` if none has one."""
    times = [
        record[4] if record[0] == REPORT else record[1]
        for batch in batches
        for record in batch.records
        if record[0] in (REPORT, ENTITY, EVENT)
    ]
    return max(times, default=None)
