"""Puts into the journal how commands end, and goes on trying while the disk does not take it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storage.journal import JournalFull
from tracker.commands import CommandBook
from tracker.commands_model import Command
from tracker.intake import Intake

AT_ONCE = 200
"""Outcomes in one commit, and one commit under way: fifty thousand that run out together must not crowd out the
reports, nor hold the interpreter."""
RETRY_SECONDS = 1.0


class OutcomeWriter:
    """Empties the book's ``outcomes_to_write``. ``clock`` calls later; ``told`` hears of each that is on disk."""

    def __init__(
        self, book: CommandBook, intake: Intake, clock: Any, told: Callable[[Command], None] = lambda command: None
    ) -> None:
        self._told = told
        self._book = book
        self._intake = intake
        self._clock = clock
        self._under_way = False
        self._retry: Any = None
        self._stopped = False

    def write(self) -> None:
        """Write what has been decided. While the disk refuses, the next try is not before its time."""
        waits = self._under_way or self._retry is not None or self._stopped
        ended = [] if waits else self._book.outcomes_to_write(AT_ONCE)
        if not ended:
            return
        self._under_way = True
        try:
            events = [("command", command.id, command.outcome_fields()) for command in ended]
            self._intake.note(events, lambda first: self._done(ended, first is not None))
        except JournalFull:
            self._done(ended, False)

    def stop(self) -> None:
        """What is not written is decided again after the next start."""
        self._stopped = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _done(self, ended: list[Command], ok: bool) -> None:
        self._under_way = False
        for command in ended:
            (self._book.written if ok else self._book.unwritten)(command)
        if ok:
            for command in ended:
                self._told(command)
            self.write()
        elif self._retry is None and not self._stopped:
            self._retry = self._clock.callLater(RETRY_SECONDS, self._again)

    def _again(self) -> None:
        self._retry = None
        self.write()
