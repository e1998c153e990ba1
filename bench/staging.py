"""A city to measure in, entered before the server starts: areas, units and devices written to a new journal.

Run as ``python -m bench.staging FOLDER PROTOCOL=NUMBER...``: it makes the data folder of a server there, with
the demo town's 25 grids and 2,500 cells and a unit for each device, and ``devices.json`` with what the devices
know of themselves. It goes the same way as the API (plan, journal, take in), only in a few large commits.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.python.threadpool import ThreadPool

from simulator.city import make_city
from storage.journal import Journal
from tracker.areas import read_areas
from tracker.intake import Intake
from tracker.roster import Change, Roster
from tracker.tokens import hashed, new_token


def external_id(protocol: str, number: int) -> str:
    """The id of the ``number``-th device: an app's name, or the number that a terminal or tracker is made with."""
    made = {"jt808": "1390{:07d}", "gt06": "86812345{:07d}", "h02": "410{:07d}", "watch": "352{:07d}"}
    return made.get(protocol, "B{:05d}").format(number)


def changes(roster: Roster, numbers: dict[str, int], tokens: dict[str, str]) -> Iterator[Change]:
    """Everything that is entered. ``roster`` is a scratch one: each change is judged against those before it.
    ``tokens`` is given each device's token, by the device's id."""
    city = make_city()
    both = {"type": "FeatureCollection", "features": [*city.grids["features"], *city.cells["features"]]}
    yield from roster.plan_areas(read_areas(json.loads(json.dumps(both))))
    for protocol, number in numbers.items():
        for i in range(number):
            wish = {"protocol": protocol, "external_id": external_id(protocol, i), "name": f"{protocol} {i}"}
            token = new_token()
            device, made = roster.plan_device({**wish, "token": hashed(token)})
            tokens[device.id] = token
            for change in made:
                roster.apply(change)
                yield change


async def stage(reactor: Any, folder: Path, numbers: dict[str, int]) -> None:
    """Write the journal and ``devices.json``."""
    folder.mkdir(parents=True)
    os.chmod(folder, 0o700)
    writer = ThreadPool(1, 1, "journal")
    writer.start()
    journal = Journal(folder / "journal", reactor, writer, lambda: time.time_ns() // 1_000_000)
    intake = Intake(journal, lambda: time.time_ns() // 1_000_000)
    tokens: dict[str, str] = {}
    entered = list(changes(Roster(), numbers, tokens))
    await intake.change(lambda: (None, entered))
    await journal.close()
    writer.stop()
    devices = [
        {"protocol": device.protocol, "id": device.external_id, "token": tokens[device.id]}
        for device in intake.roster.devices.values()
    ]
    (folder / "devices.json").write_text(json.dumps(devices))


def main(reactor: Any, folder: str, *asked: str) -> Deferred[None]:
    numbers = {protocol: int(number) for protocol, _, number in (word.partition("=") for word in asked)}
    return Deferred.fromCoroutine(stage(reactor, Path(folder), numbers))


if __name__ == "__main__":
    task.react(main, sys.argv[1:])
