"""The journal's disk fails under load: nothing is acknowledged that is not kept, devices are told to come again, and
when the disk is well the server goes on without a restart."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.faults.disks import full, small_disk
from tests.faults.fleet import Device, found_city
from tests.faults.server import Server, until
from tests.faults.tracing import injected, may_trace
from tests.faults.traffic import Traffic

FAILING_SECONDS = 6.0
Fault = Callable[[Server], AbstractContextManager[None]]


@contextmanager
def no_room_for_files(server: Server) -> Iterator[None]:
    """No file of the server may grow beyond its first page: every write of the journal fails with EFBIG."""
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def syncs_fail(server: Server) -> Iterator[None]:
    """Writes succeed and fdatasync says EIO: what was written may be on disk or not."""
    with injected(server.pid, server.folder, "fdatasync,fsync", "error=EIO"):
        yield


@contextmanager
def writes_fail(server: Server) -> Iterator[None]:
    """Whatever is written at a place, as SQLite does, finds no room; what is appended does."""
    with injected(server.pid, server.folder, "pwrite64", "error=ENOSPC"):
        yield


@contextmanager
def disk_full(server: Server) -> Iterator[None]:
    """A real full file system below journal, log and Valkey."""
    with full(server.data):
        yield


def _fails_and_recovers(
    server: Server, fleet: list[Device], fault: Callable[[Server], AbstractContextManager[None]]
) -> str:
    with Traffic(server, fleet, pace=0.25) as traffic:
        traffic.flows(1000)
        with fault(server):
            until(lambda: "journal" in server.problems(), "the journal fails")
            # Whatever was committed before has been told by now, to the slowest line of the load's output too.
            time.sleep(1.0)
            before, marks = traffic.acknowledged, traffic.marks
            time.sleep(FAILING_SECONDS)
            told = traffic.marks
            assert traffic.acknowledged == before
            assert told["traccar status 503"] > marks["traccar status 503"]
            assert told["retry traccar"] > 0
            assert told["handheld busy"] > 0
            assert told["retry handheld"] > 0
            assert told["handheld rejected"] == 0
            status, headers, _ = server.ask("/api/v1/units", {"kind": "person", "name": "无人"})
            assert status == 503
            assert int(headers["retry-after"]) > 0
        pid = server.pid
        recovered = until(lambda: "journal" not in server.problems(), "the journal writes again")
        traffic.flows(1000)
        assert server.pid == pid
        end = traffic.drain()
    until(server.settled, "live state is complete")
    kept = traffic.check(end)
    assert all(unit["name"] != "无人" for unit in server.api("/api/v1/units")["units"])
    # And the same after a restart, which reads everything from the disk.
    server.kill()
    server.start()
    until(server.settled, "live state is complete after a restart")
    traffic.check(end)
    assert all(unit["name"] != "无人" for unit in server.api("/api/v1/units")["units"])
    return f"recovered {recovered:.1f} s after the fault; {kept}"


def test_files_cannot_grow(server: Server, fleet: list[Device]) -> None:
    server.start()
    print("EFBIG:", _fails_and_recovers(server, fleet, no_room_for_files))


def test_syncs_fail(server: Server, fleet: list[Device]) -> None:
    reason = may_trace()
    if reason:
        pytest.skip(reason)
    server.start()
    print("EIO:", _fails_and_recovers(server, fleet, syncs_fail))


def test_writes_fail(server: Server, fleet: list[Device]) -> None:
    reason = may_trace()
    if reason:
        pytest.skip(reason)
    server.start()
    print("ENOSPC of single writes:", _fails_and_recovers(server, fleet, writes_fail))


def test_disk_full(server: Server) -> None:
    with small_disk(server.data, 48):
        fleet = found_city(server.data, 200)
        with server:
            server.start()
            print("ENOSPC:", _fails_and_recovers(server, fleet, disk_full))
