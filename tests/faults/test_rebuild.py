"""Live state is lost together with the journal's older days: a snapshot and what came later make all of it again."""

from __future__ import annotations

import os
import shutil
import signal
from typing import Any

from storage.archive.layout import CLASSES
from storage.journal_files import day_files
from tests.faults.fleet import HOUR, Device, found_city, wall
from tests.faults.server import Server, until
from tests.faults.traffic import Traffic
from tracker.archiving import do

MIX = ("jt808", "handheld", "handheld", "traccar")
"""The first one can be told something."""
DAYS_AGO = 12
OLD_POINTS = 5


def job(server: Server, name: str, **arguments: Any) -> None:
    """Do a job of the archivist's child, beside the server."""
    request = {"job": name, "data": str(server.data), "zone": "Asia/Shanghai", "now": wall(), "arguments": arguments}
    do(request, lambda progress: None)


def night(server: Server) -> None:
    """What the archivist does each night, now."""
    upto = server.health()["journal"]["last"]
    job(server, "seal", upto=upto, before=wall() + 1000)
    job(server, "merge")
    job(server, "close")
    job(server, "snapshot", upto=upto, redis=f"unix://{server.redis_socket}")
    job(server, "tidy", limits={kind: [36_500, 0] for kind in CLASSES})


def everything(server: Server) -> dict[str, Any]:
    """Who is who, where everybody is, and what is asked of whom."""
    units = server.api("/api/v1/units")["units"]
    for unit in units:
        del unit["state"], unit["last_message"]  # they go with the time, and with heartbeats that are written nowhere
    devices = server.api("/api/v1/devices")["devices"]
    for device in devices:
        del device["connected"]
    commands = server.api("/api/v1/devices/d1/commands")["commands"]
    return {"units": {unit["id"]: unit for unit in units}, "devices": devices, "commands": commands}


def old_points(server: Server, device: Device) -> int:
    begin = device.start - HOUR - DAYS_AGO * 24 * HOUR
    return len(server.api(f"/api/v1/units/{device.unit}/track?from={begin}&to={begin + HOUR}&reason=test")["points"])


def test_live_state_and_old_days_of_the_journal_are_lost(server: Server) -> None:
    fleet = found_city(server.data, 50, reports=OLD_POINTS, kinds=MIX, days_ago=DAYS_AGO)
    server.start()
    ask = {"kind": "text", "text": "请核实", "expires_s": 86_400}
    with Traffic(server, fleet[1:], pace=0.2) as traffic:
        traffic.flows(300)
        before = server.api("/api/v1/devices/d1/commands", ask)["id"]
        until(server.settled, "live state is complete")
        night(server)
        (today,) = day_files(server.data / "journal")
        # What happens after the snapshot is in the journal alone.
        server.api("/api/v1/units", {"id": fleet[1].unit, "kind": "person", "name": "改名"})
        after = server.api("/api/v1/devices/d1/commands", ask)["id"]
        traffic.flows(300)
        told = traffic.drain()
        until(server.settled, "live state is complete")
        known = everything(server)
        valkey = server.valkey_pid()
        assert valkey is not None
        server.kill()
        os.kill(valkey, signal.SIGKILL)
        shutil.rmtree(server.data / "redis")

        server.start()
        until(server.settled, "live state is made again")
        assert everything(server) == known
        assert {command["id"]: command["state"] for command in known["commands"]} == {before: "queued", after: "queued"}
        assert known["units"][fleet[1].unit]["name"] == "改名"
        assert known["units"][fleet[0].unit]["position"], "of days ago, and in the snapshot alone"
        assert len(known["units"]) == len(fleet)
        print(traffic.check_some(told, fleet[1:]), "points, each there once")
        assert {old_points(server, device) for device in fleet} == {OLD_POINTS}
        assert day_files(server.data / "journal") == [today]


def test_the_whole_journal_is_lost(server: Server) -> None:
    """Who is who and where everybody was comes from the snapshot; numbers go on, and so does everything else."""
    fleet = found_city(server.data, 20, reports=OLD_POINTS, kinds=MIX, days_ago=DAYS_AGO)
    server.start()
    until(server.settled, "live state is complete")
    night(server)
    known = everything(server)
    last = server.health()["journal"]["last"]
    server.stop()
    for folder in ("journal", "redis"):
        shutil.rmtree(server.data / folder)
    server.start()
    server.login_again()  # sessions went with live state
    until(server.settled, "live state is made again")
    assert everything(server) == known
    assert server.health()["journal"]["last"] >= last  # a start and a sign-in are events too
    with Traffic(server, fleet, pace=0.2) as traffic:
        traffic.flows(100)
        told = traffic.drain()
        until(server.settled, "live state is complete")
        traffic.check_some(told, fleet)
    assert {old_points(server, device) for device in fleet} == {OLD_POINTS}
    server.kill()
    server.start()
    assert server.health()["journal"]["last"] > last
