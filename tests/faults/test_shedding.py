"""History fills the disk, on a small real file system: the oldest of it goes first and with a record, the reserve stays
until history has no more to give, and what the patrol lives on (reports, map, commands, logging in) goes on throughout,
logging in and the map even with no byte left."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from storage import backup
from storage.archive.archive import Archive
from storage.archive.budgets import RECENT
from storage.archive.chain import SealedFile
from storage.archive.layout import FIXES, PHOTOS, shifted
from tests.faults.disks import MEGABYTE, fill, free, full, small_disk
from tests.faults.fleet import found_city
from tests.faults.server import Server, until
from tests.faults.test_commands import Truck, state
from tests.faults.traffic import Traffic
from tests.faults.viewer import Viewer

DISK = 128
RESERVE = 16
LOW, CRITICAL = RESERVE * MEGABYTE, 4 * MEGABYTE
ZONE = "Asia/Shanghai"
NOW = 1_795_400_000_000
DEVICES = 50
OLD, NEW = 40, 6
"""Closed days that may go, and such of the last month, a megabyte each."""


@pytest.fixture
def settings() -> dict[str, str]:
    return {"server": f"reserve_mb = {RESERVE}"}


@pytest.fixture
def disk(server: Server) -> Iterator[Server]:
    """The server's data folder is a disk of its own."""
    with small_disk(server.data, DISK), server:
        yield server


def history(server: Server) -> None:
    """Closed days: of fixes, and one of photos that is older than all of them."""
    archive = Archive(server.data / "archive", ZONE)
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    photo = server.data / "media" / shifted(today, -200) / "a.jpg"
    photo.parent.mkdir(parents=True)
    for days, kind in [
        (200, PHOTOS),
        *((RECENT + 1 + n, FIXES) for n in range(OLD)),
        *((12 + n, FIXES) for n in range(NEW)),
    ]:
        day, data = shifted(today, -days), os.urandom(MEGABYTE)
        name = f"{day}/a.jpg" if kind == PHOTOS else f"{day}.parquet"
        (photo if kind == PHOTOS else archive.layout.folder(kind) / name).write_bytes(data)
        files = [SealedFile(name, len(data), 1, sha256(data).hexdigest())]
        archive.chains[kind].append("day", day, 1, files=files, upto=0)


def days(server: Server, kind: str = FIXES) -> list[str]:
    """The files of a class, after a look whether the chain says the same."""
    archive = Archive(server.data / "archive", ZONE)
    chain = archive.chains[kind]
    chain.check()
    folder = server.data / "media" if kind == PHOTOS else archive.layout.folder(kind)
    there = sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.name[0] != "c" and path.is_file()
    )
    assert set(chain.files()) <= set(there), "nothing is gone without a record"
    return there


class Patrol:
    """What has to go on, asked for again and again."""

    def __init__(self, server: Server, traffic: Traffic, viewer: Viewer, truck: Truck) -> None:
        self.server, self.traffic, self.viewer, self.truck = server, traffic, viewer, truck
        self.said = 0

    def goes_on(self) -> None:
        """Reports are acknowledged and seen on the map, somebody logs in, a driver is told something."""
        frames = len(self.viewer.updates())
        self.traffic.flows(100)
        until(lambda: len(self.viewer.updates()) > frames + 1, "the map moves")
        assert self.server.login_again()
        self.said += 1
        command: dict[str, Any] = self.server.api(
            f"/api/v1/devices/d{DEVICES}/commands", {"kind": "text", "text": f"{self.said}"}
        )
        self.truck.pump(lambda: state(self.server, command["id"]) == "done", "the driver is told")
        assert f"{self.said}" in self.truck.texts()


def test_history_fills_the_disk(disk: Server) -> None:
    server = disk
    fleet = found_city(server.data, DEVICES, kinds=(*["handheld"] * 4, "jt808"))
    history(server)
    server.start()
    until((server.data / "reserve").exists, "the reserve is made")
    ballast = server.data / "ballast"
    truck = Truck(server, fleet[-1]).connect()
    with Traffic(server, fleet[:-1], pace=0.25) as traffic, Viewer(server) as viewer:
        patrol = Patrol(server, traffic, viewer, truck)
        patrol.goes_on()
        assert len(days(server)) == OLD + NEW
        before = days(server)
        # It grows until there is no more room than the reserve once more.
        fill(ballast, LOW - MEGABYTE)
        until(lambda: "space" in server.problems(), "the limit is seen")
        patrol.goes_on()
        until(lambda: "space" not in server.problems(), "history makes room")
        assert (server.data / "reserve").exists(), "which nobody had to touch"
        assert days(server, PHOTOS) == [], "the oldest day first"
        left = days(server)
        assert left == before[-len(left) :], "and then the next"
        assert OLD + NEW - 8 < len(left) < OLD + NEW, "no more than was needed"
        # More and more, until nothing may go any more.
        while len(days(server)) > NEW:
            fill(ballast, CRITICAL + 2 * MEGABYTE)
            time.sleep(0.1)
        patrol.goes_on()
        assert days(server) == before[-NEW:], "never the last month"
        assert (server.data / "reserve").exists()
        fill(ballast, CRITICAL // 2)
        until(lambda: "reserve" in server.problems(), "the second limit is seen")
        assert not (server.data / "reserve").exists()
        patrol.goes_on()
        with full(server.data):
            until(lambda: "journal" in server.problems(), "the journal cannot write")
            assert free(server.data) == 0
            assert server.login_again()
            with Viewer(server) as again:
                until(lambda: len(again.positions()) >= DEVICES - 1, "the map is there")
            told = server.api("/api/v1/storage")
            assert (told["disk"]["level"], told["disk"]["exhausted"]) == ("critical", True)
            assert days(server) == before[-NEW:]
            deleted = {one["class"]: one["deleted"] for one in told["classes"]}
            assert deleted == {
                "fixes": {"disk": OLD},
                "photos": {"disk": 1},
                "events": {},
                "access": {},
                "snapshots": {},
            }
        truck.cut()


def test_a_disk_that_is_filled_at_once(disk: Server, tmp_path: Path) -> None:
    """No byte is left before anybody has looked, and others take what history gives: all of it goes that may, and a
    backup is made all the same."""
    server = disk
    fleet = found_city(server.data, 20)
    history(server)
    (server.data / "archive" / "room").write_bytes(bytes(MEGABYTE))  # of the night before
    server.start()
    with Traffic(server, fleet, pace=0.25) as traffic:
        traffic.flows(50)
        with full(server.data):
            until(lambda: len(days(server)) == NEW, "history goes")
            until(lambda: "journal" in server.problems(), "the journal cannot write")
            made = backup.make(server.data, tmp_path, settings=None, city="", zone=ZoneInfo(ZONE), keep_days=1, now=NOW)
            assert made.about.last >= 50
        before = traffic.acknowledged
        until(lambda: traffic.acknowledged > before + 50, "reports are taken")
