"""All that dispatch knows and the journal holds, by the types of its events: for the start, and for snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dispatch.book import TaskBook
from dispatch.deeds import TASK_EVENT
from dispatch.exhibits import EVIDENCE, Exhibits
from dispatch.problems import PROBLEM, ProblemBook
from dispatch.sos import SOS, SosBook
from dispatch.travel import TRIP, Detours
from dispatch.webhooks import HOOK, Outbox
from tracker.ledger import Book


@dataclass(frozen=True, slots=True)
class Books:
    """One of each."""

    tasks: TaskBook = field(default_factory=TaskBook)
    detours: Detours = field(default_factory=Detours)
    sos: SosBook = field(default_factory=SosBook)
    problems: ProblemBook = field(default_factory=ProblemBook)
    exhibits: Exhibits = field(default_factory=Exhibits)
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "outbox", Outbox(self.tasks.get))

    def by_type(self) -> Mapping[str, Book]:
        """Whose an event is."""
        return {
            TASK_EVENT: self.tasks, TRIP: self.detours, SOS: self.sos, PROBLEM: self.problems,
            EVIDENCE: self.exhibits, HOOK: self.outbox,
        }  # fmt: skip
