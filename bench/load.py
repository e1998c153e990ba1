"""The load: a thousand devices in one process, each with its window of messages in flight.

Run by bench/ingest.py as ``python -m bench.load MODE PORT FOLDER CONNECTIONS CONSOLE TOKEN``. It connects and
authenticates, says ``ready``, and then obeys its standard input: ``run SECONDS`` sends as fast as answers come and,
when the time is over, waits for the last ones; it answers with a line of JSON. One epoll loop without any framework,
so that the machine's second core is enough for it.

Where a protocol has no answers, each device sends one message and the load goes on when the server's own counters
(over the API, at the port CONSOLE) say that all but the last two of each have been accepted.

The reports are those of the demo town's people, walked beforehand: each connection follows a walker some metres
beside the others, a fix a second from nine minutes ago on (time goes faster here, it may not go beyond now).
"""

from __future__ import annotations

import http.client
import json
import random
import select
import sys
import time
from pathlib import Path
from typing import Any

from bench.connections import connect
from bench.devices import MODES, STEP_MS, Device, Mode, Place
from simulator.city import make_city
from simulator.walker import DRIVING, ON_FOOT, Walker, beat_in_grid, beat_of_vehicle

WALKERS = 100
STEPS = 700
LOOK_S = 0.05
"""Between two looks at the counters: each costs the server a quarter of a millisecond, which is in the figures."""
HELD = 2
"""Messages of each device that may be on their way in a protocol without answers; of an NMEA device the newest report
is held until the next begins."""
PATIENCE_S = 30
IN_FLIGHT = 30_000
"""Reports on their way at a time: with 50,000 waiting for the disk the server tells phones to come again later."""


def walks(protocol: str) -> list[list[Place]]:
    """What each walker's device sees, a second apart, there and back again; moments without a fix are left out."""
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
        found.append(places + places[-2:0:-1])
    return found


class Load:
    """All connections."""

    def __init__(self, mode: Mode, port: int, devices: list[dict[str, str]], console: int, token: str) -> None:
        self.mode = mode
        self._api, self._token = http.client.HTTPConnection("127.0.0.1", console, timeout=30), token
        self._poll = select.epoll()
        self._devices = {each.sock.fileno(): each for each in connect(mode, port, devices, walks(mode.protocol))}
        for handle in self._devices:
            self._poll.register(handle, select.EPOLLIN)

    def run(self, seconds: float) -> dict[str, Any]:
        """Send for so long, then wait for what is not acknowledged."""
        sent, acknowledged, took = self._unanswered(seconds) if self.mode.silent else self._answered(seconds)
        each = self.mode.reports
        return {"sent": sent * each, "acknowledged": acknowledged * each, "seconds": took}

    def _unanswered(self, seconds: float) -> tuple[int, int, float]:
        devices = list(self._devices.values())
        before = self._accepted()
        began, sent = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            for device in devices:
                _send(device, 1)
            sent += len(devices)
            self._wait(before + sent - HELD * len(devices))
        self._wait(before + sent)
        return sent, self._accepted() - before, time.monotonic() - began

    def _wait(self, number: int) -> None:
        end = time.monotonic() + PATIENCE_S
        while self._accepted() < number:
            if time.monotonic() > end:
                raise RuntimeError("the server does not accept what was sent")
            time.sleep(LOOK_S)

    def _accepted(self) -> int:
        """Reports of this protocol that the server has accepted since it started."""
        self._api.request("GET", "/api/v1/counters", headers={"authorization": f"Bearer {self._token}"})
        told = json.loads(self._api.getresponse().read())
        return int(told["protocols"].get(self.mode.protocol, {"accepted": 0})["accepted"])

    def _answered(self, seconds: float) -> tuple[int, int, float]:
        mode, devices, poll = self.mode, self._devices, self._poll
        began = time.monotonic()
        sent = acknowledged = in_flight = 0
        for device in devices.values():
            _send(device, mode.window)
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
                    _send(device, number)
                    device.waiting += number
                    sent += number
                    in_flight += number
        return sent, acknowledged, last - began


def _send(device: Device, number: int) -> None:
    """The next messages. What the window allows always fits the socket's buffer."""
    message = device.messages(number)
    if device.sock.send(message) != len(message):
        raise RuntimeError("a socket is full")


def main(mode: str, port: str, folder: str, connections: str, console: str, token: str) -> None:
    known = json.loads((Path(folder) / "devices.json").read_text())
    number = min(int(connections), IN_FLIGHT // (MODES[mode].reports * MODES[mode].window))
    chosen = [device for device in known if device["protocol"] == MODES[mode].protocol][:number]
    load = Load(MODES[mode], int(port), chosen, int(console), token)
    print(json.dumps({"ready": len(chosen)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(load.run(float(line.split()[1]))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
