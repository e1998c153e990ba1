"""kill -9 of the server and of its Valkey at random moments under load: what was acknowledged is there, once."""

from __future__ import annotations

import os
import random
import signal
import time
from functools import partial

import pytest

from tests.faults.fleet import Device
from tests.faults.server import Server, until
from tests.faults.traffic import Traffic


@pytest.fixture
def kills(long_run: bool) -> int:
    return 100 if long_run else 20


def test_server_killed(server: Server, fleet: list[Device], rng: random.Random, kills: int) -> None:
    server.start()
    added: list[str] = []
    with Traffic(server, fleet, seed=rng.randrange(1 << 32)) as traffic:
        traffic.flows()
        valkey = server.valkey_pid()
        for number in range(kills):
            # Changes of who is who are promises too.
            name = f"新来的 {number}"
            server.api("/api/v1/units", {"kind": "person", "name": name})
            added.append(name)
            time.sleep(rng.uniform(0.0, 1.0))
            server.kill()
            # As long as an operator takes, or no time at all.
            time.sleep(rng.choice((0.0, rng.uniform(0.0, 0.5))))
            server.start()
        traffic.flows()
        told = traffic.drain()
    until(server.settled, "live state is complete")
    # The Valkey that outlived its server was found each time, and never a second one started.
    assert server.valkey_pid() == valkey
    print(f"{kills} kills of the server: {traffic.check(told)}")
    names = [unit["name"] for unit in server.api("/api/v1/units")["units"]]
    assert [names.count(name) for name in added] == [1] * kills


def test_embedded_server_killed(server: Server, fleet: list[Device], rng: random.Random, kills: int) -> None:
    server.start()
    with Traffic(server, fleet, seed=rng.randrange(1 << 32)) as traffic:
        traffic.flows()
        slowest = 0.0
        for _ in range(kills):
            time.sleep(rng.uniform(0.0, 2.0))
            valkey = server.valkey_pid()
            assert valkey is not None
            os.kill(valkey, signal.SIGKILL)
            slowest = max(slowest, until(partial(_is_replaced, server, valkey), "another one is started"))
        told = traffic.drain()
    until(server.settled, "live state is complete")
    print(f"{kills} kills of the embedded server, replaced after {slowest:.1f} s at most: {traffic.check(told)}")


def _is_replaced(server: Server, pid: int) -> bool:
    return server.valkey_pid() not in (None, pid)


def test_both_killed(server: Server, fleet: list[Device], rng: random.Random, long_run: bool) -> None:
    """The machine loses its power, as far as a test can tell: both are gone at once."""
    kills = 100 if long_run else 5
    server.start()
    with Traffic(server, fleet, seed=rng.randrange(1 << 32)) as traffic:
        traffic.flows()
        for _ in range(kills):
            time.sleep(rng.uniform(0.0, 1.5))
            valkey = server.valkey_pid()
            server.kill()
            if valkey is not None:
                os.kill(valkey, signal.SIGKILL)
            server.start()
        told = traffic.drain()
    until(server.settled, "live state is complete")
    print(f"{kills} kills of both: {traffic.check(told)}")
