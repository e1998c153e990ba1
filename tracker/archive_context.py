"""What a job of the archivist is given, and how it says how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.archive.archive import Archive
from storage.archive.layout import Layout
from storage.journal_files import JournalFiles
from tracker.ledger import Book

Books = Callable[[Callable[[int], str]], Mapping[str, Book]]
"""Makes empty books of who knows the tracker, by the type of their events, out of what tells the city's day of a
moment (ms)."""
Arguments = Mapping[str, Any]
Result = dict[str, Any]

AFTER_MIDNIGHT = 1_800_000
"""Milliseconds after which a city day counts as begun: what devices said before midnight has mostly come by then."""


def no_books(day_of: Callable[[int], str]) -> Mapping[str, Book]:
    """Of nobody."""
    return {}


@dataclass(frozen=True, slots=True)
class Context:
    """``data`` is the data folder, ``now`` ms since 1970. ``tell`` takes what a person may see of the progress."""

    data: Path
    archive: Archive
    journal: JournalFiles
    now: int
    tell: Callable[[Result], None]
    books: Books = no_books

    @property
    def layout(self) -> Layout:
        return self.archive.layout


class JobIncomplete(Exception):
    """A job went on past what it could not do, and comes back to that the next time. The text names it, as far as
    anybody reads on."""

    def __init__(self, failures: Sequence[str]) -> None:
        more = len(failures) - 3
        told = [failure.partition("\n")[0][:300] for failure in failures[:3]]
        super().__init__("; ".join([*told, *([f"and {more} more"] if more > 0 else [])]))


Job = Callable[[Context, Arguments], Result]
"""Runs under the archive's lock, in a process of its own; raises what it cannot mend."""
