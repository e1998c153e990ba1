"""A process that keeps an embedded server over a folder, for tests that kill it.

``keeper FOLDER [SECONDS]`` prints the server's pid each time that another one answers on the socket, and ends
it cleanly when a line comes on its stdin, or by force after SECONDS. After the pid it says ``started`` or
``adopted``.
"""
# ruff: noqa: E402 - the reactor is chosen before anything imports it

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from twisted.internet import asyncioreactor

asyncioreactor.install()

from twisted.internet import reactor, stdio
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from storage.bridge import as_deferred
from storage.embedded import EmbeddedServer
from tests.storage.helpers import answering_pid


class _Asked(LineReceiver):
    delimiter = b"\n"

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server

    def lineReceived(self, line: bytes) -> None:
        def stopped(result: object) -> None:
            os.write(1, f"{'failed' if isinstance(result, Failure) else 'stopped'}\n".encode())
            reactor.stop()

        self._server.stop().addBoth(stopped)


async def _tell(server: EmbeddedServer) -> None:
    told: int | None = None
    while True:
        pid = await answering_pid(server.socket)
        if pid is not None and pid != told:
            told = pid
            server.answered()
            own = server._child is not None and server._child.transport.pid == pid
            os.write(1, f"{pid} {'started' if own else 'adopted'}\n".encode())
        await asyncio.sleep(0.02)


def main(folder: str, seconds: str = "60") -> None:
    server = EmbeddedServer(Path(folder), reactor, stop_seconds=float(seconds))

    def start() -> None:
        stdio.StandardIO(_Asked(server))
        server.start()
        as_deferred(_tell(server))

    reactor.callWhenRunning(start)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
