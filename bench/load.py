"""The load: a thousand devices in one process, each with its window of messages in flight.

Run by bench/ingest.py as ``python -m bench.load MODE PORT FOLDER CONNECTIONS``. It connects and authenticates, says
``ready``, and then obeys its standard input: ``run SECONDS`` sends as fast as answers come and, when the time is
over, waits for the last ones; it answers with a line of JSON. One epoll loop without any framework, so that the
machine's second core is enough for it.

The reports are those of the demo town's people, walked beforehand: each connection follows a walker some metres
beside the others, a fix a second from nine minutes ago on (time goes faster here, it may not go beyond now).
"""

from __future__ import annotations

import json
import random
import select
import sys
import time
from pathlib import Path
from typing import Any

from bench.devices import MODES, STEP_MS, Mode, Place, connect
from simulator.city import make_city
from simulator.walker import DRIVING, ON_FOOT, Walker, beat_in_grid, beat_of_vehicle

WALKERS = 100
STEPS = 700


def walks(protocol: str) -> list[list[Place]]:
    """What each walker's device sees, a second apart; moments without a fix are left out."""
    city, driving = make_city(), protocol == "jt808"
    found = []
    for number in range(WALKERS):
        grid = number % len(city.grid_ids)
        beat = (
            beat_of_vehicle(city.streets, city.projection)
            if driving
            else beat_in_grid(city.streets, grid, city.projection)
        )
        walker = Walker(beat, DRIVING if driving else ON_FOOT, random.Random(number), 0)
        places: list[Place] = []
        at = 0
        while len(places) < STEPS:
            at += STEP_MS
            seen = walker.step(at)
            if seen.latitude is not None and seen.longitude is not None and seen.accuracy is not None:
                places.append(
                    (
                        round(seen.latitude * 1e7), round(seen.longitude * 1e7), round(seen.accuracy * 10),
                        round(seen.speed * 100), seen.course, seen.altitude,
                    )
                )  # fmt: skip
        found.append(places)
    return found


class Load:
    """All connections."""

    def __init__(self, mode: Mode, port: int, devices: list[dict[str, str]]) -> None:
        self.mode = mode
        self._poll = select.epoll()
        self._devices = {each.sock.fileno(): each for each in connect(mode, port, devices, walks(mode.protocol))}
        for handle in self._devices:
            self._poll.register(handle, select.EPOLLIN)

    def run(self, seconds: float) -> dict[str, Any]:
        """Send for so long, then wait for what is not acknowledged."""
        mode, devices, poll = self.mode, self._devices, self._poll
        began = time.monotonic()
        sent = acknowledged = in_flight = 0
        for device in devices.values():
            device.sock.send(device.messages(mode.window))
            device.waiting = mode.window
            sent += mode.window
        in_flight = sent
        end, last = began + seconds, began
        while in_flight:
            ready = poll.poll(10)
            last = time.monotonic()
            if not ready:
                raise RuntimeError(f"{in_flight} messages are not acknowledged")
            for handle, _ in ready:
                device = devices[handle]
                data = device.sock.recv(65536)
                if not data:
                    raise RuntimeError("the server closed a connection")
                number = device.acknowledged(data)
                device.waiting -= number
                acknowledged += number
                in_flight -= number
                if number and last < end:
                    # What one read brings is a few hundred bytes, and no more is on its way: it fits the buffer.
                    device.sock.send(device.messages(number))
                    device.waiting += number
                    sent += number
                    in_flight += number
        each = mode.reports
        return {"sent": sent * each, "acknowledged": acknowledged * each, "seconds": last - began}


def main(mode: str, port: str, folder: str, connections: str) -> None:
    known = json.loads((Path(folder) / "devices.json").read_text())
    chosen = [device for device in known if device["protocol"] == MODES[mode].protocol][: int(connections)]
    load = Load(MODES[mode], int(port), chosen)
    print(json.dumps({"ready": len(chosen)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(load.run(float(line.split()[1]))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
