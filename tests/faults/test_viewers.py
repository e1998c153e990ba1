"""A viewer that stops reading neither grows the server's memory nor slows anybody else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from tests.faults.fleet import found_city
from tests.faults.server import Server, resident, until
from tests.faults.traffic import Traffic
from tests.faults.viewer import Viewer

UNITS = 2000
STALLED = 20
MOVES = 4.0
"""So often a second each of them moves its map, which asks for everything again."""
FILL_SECONDS = 12.0
"""After that what the kernel keeps for a socket (4 MB at most) is full, and the rest would be in the server."""
WATCHED_SECONDS = 15.0


def test_viewers_that_stop_reading(server: Server, long_run: bool) -> None:
    seconds = 120.0 if long_run else WATCHED_SECONDS
    fleet = found_city(server.data, UNITS, reports=1)
    server.start()
    with ExitStack() as stack:
        reader = stack.enter_context(Viewer(server))
        until(lambda: len(reader.positions()) == UNITS, "the map is full")
        whole = reader.received
        traffic = stack.enter_context(Traffic(server, fleet[:200], pace=0.25))
        traffic.flows(1000)
        alone = _pace(reader, traffic, 5.0, [])
        stalled = [stack.enter_context(Viewer(server, reading=False, buffer=8192)) for _ in range(STALLED)]
        until(lambda: server.health()["viewers"] == STALLED + 1, "all viewers are there")
        _pace(reader, traffic, FILL_SECONDS, stalled)
        memory = resident(server.pid)
        among = _pace(reader, traffic, seconds, stalled)
        grown, asked = resident(server.pid) - memory, int(seconds * MOVES) * STALLED * whole
        print(
            f"{STALLED} viewers that do not read, for which {asked / 1e6:.0f} MB were due: memory grew by "
            f"{grown / 1e6:.1f} MB; the one that reads had {alone[0]:.1f} frames a second before and {among[0]:.1f} "
            f"then, devices {alone[1]:.0f} and {among[1]:.0f} acknowledgements a second"
        )
        assert grown < asked / 10
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
