"""A viewer that stops reading neither grows the server's memory nor slows anybody else."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from tests.faults.fleet import found_city
from tests.faults.server import Server, resident, until
from tests.faults.traffic import Traffic
from tests.faults.viewer import Viewer

UNITS = 2000
STALLED = 20
LONG_STALLED = 1000
MOVES = 4.0
"""So often a second twenty of them move their maps, which asks for everything again."""
EACH = 512 * 1024
"""Bytes of memory that one of them may cost: the frame that it has not read, and itself."""
FILL_SECONDS = 12.0
"""After that what the kernel keeps for a socket (4 MB at most) is full, and the rest would be in the server."""
WATCHED_SECONDS = 15.0


def test_viewers_that_stop_reading(server: Server, long_run: bool) -> None:
    seconds, number = (120.0, LONG_STALLED) if long_run else (WATCHED_SECONDS, STALLED)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * LONG_STALLED)), hard))
    fleet = found_city(server.data, UNITS, reports=1)
    server.start()
    with ExitStack() as stack:
        reader = stack.enter_context(Viewer(server))
        until(lambda: len(reader.positions()) == UNITS, "the map is full")
        whole = reader.received
        traffic = stack.enter_context(Traffic(server, fleet[:200], pace=0.25))
        traffic.flows(1000)
        alone = _pace(reader, traffic, 5.0, [])
        before = resident(server.pid)
        stalled = [stack.enter_context(Viewer(server, reading=False, buffer=8192)) for _ in range(number)]
        until(lambda: server.health()["viewers"] == number + 1, "all viewers are there")
        moving = stalled[:STALLED]
        _pace(reader, traffic, FILL_SECONDS, moving)
        memory = resident(server.pid)
        # The best of four: others may need this machine for a while, but those who do not read are always there.
        among = max(_pace(reader, traffic, seconds / 4, moving) for _ in range(4))
        grown, asked = resident(server.pid) - memory, int(seconds * MOVES) * STALLED * whole
        print(
            f"{number} viewers that do not read, {(memory - before) / number / 1e3:.0f} kB each; {asked / 1e6:.0f} MB "
            f"were due to {STALLED} of them: memory grew by {grown / 1e6:.1f} MB; who reads had {alone[0]:.1f} frames "
            f"a second before and {among[0]:.1f} then, devices {alone[1]:.0f} and {among[1]:.0f} answers a second"
        )
        assert grown < asked / 10
        assert memory - before < number * EACH
        assert among[0] > 0.5 * alone[0]
        assert among[1] > 0.5 * alone[1]
        told = traffic.drain()
        until(server.settled, "live state is complete")
        if not long_run:
            # Who reads again sees everything as it is now; in the long run it has been closed long before.
            stalled[0].read()
            until(lambda: stalled[0].positions() == reader.positions(), "the one that reads again has caught up")
        print(traffic.check(told))


def _pace(reader: Viewer, traffic: Traffic, seconds: float, moving: Sequence[Viewer]) -> tuple[float, float]:
    """Frames and acknowledgements a second, while some viewers move their maps."""
    began, frames, acknowledged = time.monotonic(), len(reader.updates()), traffic.acknowledged
    while time.monotonic() - began < seconds:
        for viewer in moving:
            with suppress(OSError):  # in the long run they are closed one day
                viewer.watch()
        time.sleep(1 / MOVES)
    took = time.monotonic() - began
    return (len(reader.updates()) - frames) / took, (traffic.acknowledged - acknowledged) / took
