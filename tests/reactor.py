"""Runs coroutines and Deferreds on the loop under Twisted's reactor, for as long as one of them takes.

The asyncio reactor hangs its timers, its sockets and what its threads hand over on its loop, so nothing but
that loop has to run. The limit only keeps a test that would wait for ever from doing so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")
LIMIT = 120.0
"""Seconds; far beyond what any test needs on the slowest machine."""


def reactor() -> Any:
    """The one reactor, which tests/conftest.py has installed."""
    from twisted.internet import reactor as installed

    return installed


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of asyncio's side until it is done."""
    loop: asyncio.AbstractEventLoop = reactor()._asyncioEventloop
    return loop.run_until_complete(asyncio.wait_for(work, LIMIT))


def run_deferred(deferred: Deferred[T]) -> T:
    """Run until a Deferred has fired."""

    async def wait() -> T:
        return await deferred.asFuture(asyncio.get_running_loop())

    return run(wait())


async def until(true: Callable[[], object]) -> None:
    """Let everything else go on until something is true."""
    while not true():
        await asyncio.sleep(0.001)
