"""A process that writes a journal and says on stdout what it was told, for tests that kill or trace it.

``writer FOLDER busy LIFE BEGAN`` appends as fast as it is told, through days that last half a second (noon was
at BEGAN), until it is killed or has ended itself at a random moment within LIFE seconds (0: never). A line is
the first number of a call and its records.

``writer FOLDER asked`` appends the words of each line of its stdin and answers with the number, or ``None``.
An empty line ends it.
"""
# ruff: noqa: E402 - the reactor is chosen before anything imports it

from __future__ import annotations

import os
import random
import sys
import threading
import time
import uuid
from pathlib import Path

from twisted.internet import asyncioreactor

asyncioreactor.install()

from twisted.internet import reactor, stdio
from twisted.protocols.basic import LineReceiver

from storage.journal import Journal
from tests.storage.helpers import NOON

_SPEED = 200_000_000
"""Milliseconds of the journal's wall clock in a second of ours: 0.43 s are a day."""


def _say(text: str) -> None:
    # One write below the pipe's atomic size: the reader never sees half a line.
    os.write(1, text.encode() + b"\n")


def _write_busily(journal: Journal) -> None:
    words = [uuid.uuid4().hex for _ in range(random.randint(1, 20))]

    def done(first: int | None) -> None:
        _say(f"{first} {' '.join(words)}")
        reactor.callLater(0, _write_busily, journal)

    journal.append([(word, random.randbytes(random.randint(0, 300))) for word in words], done)


class _Asked(LineReceiver):
    delimiter = b"\n"

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def lineReceived(self, line: bytes) -> None:
        if not line:
            self._journal.close().addBoth(lambda _: reactor.stop())
            return
        self._journal.append([(word.decode(),) for word in line.split()], lambda first: _say(str(first)))


def main(folder: str, how: str, life: str = "0", began: str = "0") -> None:
    def wall() -> int:
        return NOON if how == "asked" else NOON + int((time.time() - float(began)) * _SPEED)

    journal = Journal(Path(folder), reactor, reactor.getThreadPool(), wall, group_delay=0.001)

    def start() -> None:
        if how == "asked":
            stdio.StandardIO(_Asked(journal))
            _say("ready")
            return
        if float(life):
            end = threading.Timer(random.uniform(0, float(life)), os._exit, [9])
            end.daemon = True
            end.start()
        for _ in range(5):
            _write_busily(journal)

    reactor.callWhenRunning(start)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
