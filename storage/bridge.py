"""The one place where asyncio and Twisted meet.

redis-py speaks asyncio, everything else speaks Twisted. Code that lives on Twisted's side calls
:func:`as_deferred`; code on asyncio's side calls :func:`as_future`. Awaiting the other kind directly raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


def as_deferred(coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """Run an asyncio coroutine as a task and hand back a Deferred of its result.

    Needs the asyncio reactor: under any other the Deferred would silently never fire, so that is refused.
    """
    from twisted.internet import reactor  # not at import: that would install the default reactor

    loop = getattr(reactor, "_asyncioEventloop", None)
    if loop is None:
        coroutine.close()
        raise RuntimeError(
            "as_deferred needs the asyncio reactor: install it before twisted.internet.reactor is imported"
        )
    return Deferred.fromFuture(loop.create_task(coroutine))


def as_future(deferred: Deferred[T]) -> asyncio.Future[T]:
    """Hand back an asyncio future of a Deferred's result, for use inside a task. Cancelling goes through."""
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def succeed(result: T) -> None:
        if not future.done():
            future.set_result(result)

    def fail(failure: Failure) -> None:
        if not future.done():
            future.set_exception(failure.value or RuntimeError(failure.getErrorMessage()))

    def cancel(ended: asyncio.Future[T]) -> None:
        if ended.cancelled():
            deferred.cancel()

    deferred.addCallbacks(succeed, fail)
    future.add_done_callback(cancel)
    return future


def end_if_cancelled() -> None:
    """Raise CancelledError if the task that runs has been cancelled. To be asked by every loop without an end.

    Waiting with a limit may take a cancellation for its own end (``asyncio.wait_for`` does when what it waits for is
    there at the same moment), and what is built on it then goes on as if nothing had been said.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
