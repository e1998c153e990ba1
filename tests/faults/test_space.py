"""The disk fills up under load, on a small real file system: both limits, the reserve, its end, and the way back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.faults.disks import MEGABYTE, fill, free, full, small_disk
from tests.faults.fleet import found_city
from tests.faults.server import Server, until
from tests.faults.traffic import Traffic
from tests.faults.viewer import Viewer

DISK = 128
RESERVE = 16
LOW, CRITICAL = RESERVE * MEGABYTE, 4 * MEGABYTE


@pytest.fixture
def settings() -> dict[str, str]:
    return {"server": f"reserve_mb = {RESERVE}"}


@pytest.fixture
def disk(server: Server) -> Iterator[Server]:
    """The server's data folder is a disk of its own."""
    with small_disk(server.data, DISK), server:
        yield server


def _reserve(server: Server) -> Path:
    return server.data / "reserve"


def _takes_writes(redis: Redis) -> bool:
    try:
        return bool(redis.set("probe", b"x" * 5000))
    except RedisError:
        return False


def _shown(server: Server) -> int:
    return len([unit for unit in server.api("/api/v1/units")["units"] if unit["position"]])


def _nothing_is_taken(server: Server, traffic: Traffic, redis: Redis) -> None:
    until(lambda: "journal" in server.problems(), "the journal cannot write")
    until(lambda: not _takes_writes(redis), "Redis cannot write")
    time.sleep(0.5)  # what was committed before has been told by then
    before, marks = traffic.acknowledged, traffic.marks
    refused = ("traccar status 503", "handheld busy", "jt808 unanswered")
    until(lambda: all(traffic.marks[one] > marks[one] for one in refused), "every device is put off")
    assert traffic.acknowledged == before


def test_the_disk_fills_up_and_is_emptied(disk: Server) -> None:
    server = disk
    fleet = found_city(server.data, 200)
    server.start()
    until(lambda: _reserve(server).exists(), "the reserve is made")
    assert _reserve(server).stat().st_blocks * 512 >= RESERVE * MEGABYTE
    until(lambda: server.health()["status"] == "ok", "all is well")
    ballast = server.data / "ballast"
    with ExitStack() as stack:
        redis = stack.enter_context(closing(server.redis()))
        traffic = stack.enter_context(Traffic(server, fleet, pace=0.5))
        viewer = stack.enter_context(Viewer(server))
        traffic.flows(500)
        # The first limit: what the city can do without is refused, everything else goes on.
        fill(ballast, LOW - MEGABYTE)
        until(lambda: "space" in server.problems(), "the first limit is seen")
        assert _reserve(server).exists()
        traffic.flows(500)
        # The second: the reserve is the journal's and Redis's.
        fill(ballast, CRITICAL // 2)
        until(lambda: "reserve" in server.problems(), "the second limit is seen")
        assert not _reserve(server).exists()
        assert "space" not in server.problems()
        assert server.health()["disk"]["reserve_bytes"] == 0
        traffic.flows(500)
        assert free(server.data) > CRITICAL
        until(lambda: len(viewer.positions()) == len(fleet), "the map is full")
        # And all of that too.
        with full(server.data):
            _nothing_is_taken(server, traffic, redis)
            # Who looks may log in and sees the map as it stood, even when the server itself is killed meanwhile.
            server.kill()
            server.start()
            assert server.login_again()
            until(lambda: _shown(server) == len(fleet), "live state is read")
            with Viewer(server) as again:
                until(lambda: len(again.positions()) == len(fleet), "the map is there")
            _nothing_is_taken(server, traffic, redis)
        # Room again: all goes on without help.
        pid = server.pid
        recovered = until(lambda: _takes_writes(redis), "Redis writes again")
        traffic.flows(1000)
        until(lambda: _reserve(server).exists(), "the reserve is made again")
        told = traffic.drain()
        until(server.settled, "live state is complete")
        assert server.pid == pid
        kept = traffic.check(told)
        redis.delete("probe")
    server.kill()
    server.start()
    until(server.settled, "live state is complete after a restart")
    traffic.check(told)
    print(f"Redis wrote again {recovered:.1f} s after there was room; {kept}")


def test_kill_in_the_middle_of_it(disk: Server) -> None:
    """Killed at any moment while the disk fills up: the server, then its Valkey too, and again with no room at all."""
    server = disk
    fleet = found_city(server.data, 100)
    server.start()
    until(lambda: _reserve(server).exists(), "the reserve is made")
    ballast = server.data / "ballast"
    with Traffic(server, fleet, pace=0.1) as traffic:
        traffic.flows(500)
        fill(ballast, CRITICAL * 2)
        server.kill()
        server.start()
        with full(server.data):
            until(lambda: "journal" in server.problems(), "the journal cannot write")
            server.kill()
            valkey = server.valkey_pid()
            assert valkey is not None
            server.start()
            os.kill(valkey, signal.SIGKILL)
            until(lambda: {"journal", "live"} & server.problems(), "it says so after the start")
            before = traffic.acknowledged
        until(lambda: traffic.acknowledged > before + 500, "everything goes on")
        told = traffic.drain()
        until(server.settled, "live state is complete")
        print(traffic.check(told))
