"""``python -m simulator``: reads a plan (plan.py) as one line of JSON from standard input and plays the city.

It ends when standard input closes: whoever started it has gone, and no city is left behind without a parent.
Notable events go to standard error, one line each; no coordinate and no token is among them.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

from twisted.logger import (
    FilteringLogObserver,
    LogEvent,
    LogLevel,
    PredicateResult,
    globalLogBeginner,
    textFileLogObserver,
)

from simulator.plan import PlanError, read_plan

PLAN_LIMIT = 16 * 1024 * 1024
"""Bytes of a plan: a hundred for each client, so room for a hundred thousand."""


def now() -> int:
    """The wall clock in ms UTC."""
    return time.time_ns() // 1_000_000


def notable(event: LogEvent) -> Any:
    """Our own lines, and whatever went wrong; libraries that tell of every factory and socket are left out."""
    level = event.get("log_level", LogLevel.info)
    ours = event.get("log_namespace", "").startswith("simulator.") or level >= LogLevel.error
    return PredicateResult.yes if ours else PredicateResult.no


def main() -> int:
    """Runs until standard input closes; the exit status is 2 for a plan that cannot be used."""
    line = sys.stdin.buffer.readline(PLAN_LIMIT)
    # The reactor is installed by this import; the plan is read before, so that a wrong one costs nothing.
    from twisted.internet import reactor as installed

    from simulator.service import Simulation

    reactor: Any = installed  # its interfaces depend on the platform
    predicates: Any = [notable]  # the interface's result is a constant without a type
    ours = FilteringLogObserver(textFileLogObserver(sys.stderr), predicates)
    globalLogBeginner.beginLoggingTo([ours], redirectStandardIO=False)
    try:
        simulation = Simulation(reactor, read_plan(line.decode("utf-8", "replace")), now)
    except PlanError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2

    def watch_parent() -> None:
        # Not through the reactor: epoll cannot watch a file, and a plan may well be fed from one.
        while os.read(sys.stdin.fileno(), 4096):
            pass
        reactor.callFromThread(reactor.stop)

    def begin() -> None:
        simulation.start()
        threading.Thread(target=watch_parent, daemon=True).start()

    reactor.callWhenRunning(begin)
    reactor.addSystemEventTrigger("before", "shutdown", simulation.stop)
    reactor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
