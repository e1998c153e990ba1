"""All that dispatch knows and the journal holds, by the types of its events: for the start, and for snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from dispatch.book import TaskBook
from dispatch.deeds import TASK_EVENT
from dispatch.exhibits import EVIDENCE, Exhibits
from dispatch.indicators import TALLY, Tally
from dispatch.notices import NOTICE, NoticeBook
from dispatch.problems import PROBLEM, ProblemBook
from dispatch.sos import SOS, SosBook
from dispatch.travel import TRIP, Detours
from dispatch.webhooks import HOOK, Outbox
from tracker.ledger import Book
from tracker.refusal import Change


class Books:
    """One of each. ``day_of`` gives the city's day of a moment (ms)."""

    def __init__(self, day_of: Callable[[int], str]) -> None:
        self.tasks = TaskBook()
        self.tally = Tally(day_of)
        self.detours = Detours()
        self.sos = SosBook()
        self.problems = ProblemBook()
        self.notices = NoticeBook()
        self.exhibits = Exhibits()
        self.outbox = Outbox(self.tasks.get)

    def by_type(self) -> Mapping[str, Book]:
        """Whose an event is, in the order in which a snapshot holds them."""
        return {
            TASK_EVENT: Summed(self.tasks, self.tally), TALLY: self.tally, TRIP: self.detours, SOS: self.sos,
            PROBLEM: self.problems, NOTICE: self.notices, EVIDENCE: self.exhibits, HOOK: self.outbox,
        }  # fmt: skip


class Summed:
    """Tasks, and their sums beside them. A snapshot holds the tasks, then the sums, which count more tasks."""

    def __init__(self, tasks: TaskBook, tally: Tally) -> None:
        self._tasks, self._tally = tasks, tally

    def replay(self, event: Change) -> None:
        self._tasks.replay(event)
        self._tally.replay(event)

    def events(self) -> Iterator[Change]:
        return self._tasks.events()
