"""Somebody's data is removed from a running city, killed on the way: nothing of it can be found in the data folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from redis import Redis

from protocols.handheld import TaskTold
from protocols.report import ALARM_SOS
from storage.archive.verify import verify
from storage.embedded import socket_path
from tests.server import ROOT, Server, until
from tests.traces import traces
from tests.webmap.devices import Handheld, now_ms
from tests.webmap.people import enter
from tests.webmap.test_uploads import Phone, picture, sha_of

GONE, NAME, TERMINAL = "staff-90417", "司马长空", "TERM-GONE-55"
STAYS, OTHER = "staff-77881", "诸葛留存"
LAT, LON = 301_234_567, 1_173_456_789
WORDS = [GONE, NAME, TERMINAL]
PLACES = [(LAT + n, LON) for n in range(3)]


def job(server: Server, name: str, **arguments: Any) -> dict[str, Any]:
    """A job of the archive at once, whatever the hour, as the server's archivist starts it."""
    request = {"job": name, "data": str(server.data), "zone": "Asia/Shanghai", "now": now_ms() + 3_600_000,
               "arguments": arguments}  # fmt: skip
    words = [sys.executable, "-P", "-m", "dispatch.archiving"]
    done = subprocess.run(
        words, input=json.dumps(request), capture_output=True, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
        timeout=60,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["done"]
    return result


def in_redis(server: Server) -> bytes:
    """All names and values of live state."""
    found = []
    with Redis(unix_socket_path=str(socket_path(server.data / "redis")), protocol=2) as redis:
        for name in redis.keys("*"):
            kind = redis.type(name)
            values: Any = (
                redis.hgetall(name).items() if kind == b"hash"
                else redis.zrange(name, 0, -1) if kind == b"zset" else [redis.get(name)]
            )  # fmt: skip
            found.append(b"%r %r" % (name, list(values)))
            for value in values:
                found += [part for part in (value if isinstance(value, tuple) else (value,)) if part]
    return b"\0".join(found)


def report(server: Server, device: dict[str, Any], start: int) -> None:
    with Handheld(server, device["external_id"], device["token"]) as handheld:
        handheld.log_in()
        for n in range(3):
            handheld.report((now_ms() - 3000 + n, LAT + start + n, LON))


def work(server: Server, device: dict[str, Any]) -> str:
    """The person is sent somewhere, answers with a photo, reports a problem and calls for help; another photo is on its
    way. The task's id."""
    phone, data = Phone(server, device), picture(0, 60) + NAME.encode()
    with Handheld(server, device["external_id"], device["token"], tasks=True) as handheld:
        handheld.log_in()
        handheld.report((now_ms(), LAT, LON))
        until("live state has it", lambda: server.get(f"/api/v1/units/{GONE}")["position"])
        place = {"lat": (LAT + 5000) / 1e7, "lon": LON / 1e7, "crs": "wgs84"}
        made = server.api("POST", "/api/v1/tasks", {"kind": "verify", "klass": "0101", "text": "井盖", **place})
        assert made.status == 201, made
        told = handheld.wait(TaskTold)
        answer = {"text": f"{NAME}: not there", "word": "not_exist", "photos": [sha_of(data)]}
        for what, more in (("delivered", {}), ("accept", {}), ("arrive", {}), ("report", answer)):
            handheld.client.add_answer(told.task, told.attempt, what, f"e-{what}", now_ms(), **more)
        handheld.client.add_problem("e-1", now_ms(), LAT + 2, LON, klass="0101", text=f"{NAME} saw it")
        handheld.report((now_ms(), LAT + 2, LON, None, None, None, None, 0, ALARM_SOS))
        use = f"task={told.task}&attempt={told.attempt}"
        assert phone.send(data, use=use).status == 201
        assert phone.piece(picture(1, 400), 0, 9000, use).status == 200
    shown = server.api("GET", f"/api/v1/photos/{sha_of(data)}")
    assert shown.status == 200
    until("somebody calls", lambda: server.get("/api/v1/desk")["sos"])
    return str(told.task)


@pytest.fixture
def server(tmp_path: Path) -> Any:
    with Server(tmp_path, {"city": {"zone": "Asia/Shanghai"}}) as running:
        yield running


def look(server: Server, why: str) -> None:
    """Somebody asks for the track, and names the person."""
    server.get(f"/api/v1/units/{GONE}/track?{urlencode({'reason': f'{NAME} {why}'})}")


def removal(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.get(f"/api/v1/units/{GONE}/removal")
    return found


def test_nothing_is_left_after_a_removal_that_was_killed(server: Server) -> None:
    devices = {}
    for unit, name, terminal in ((GONE, NAME, TERMINAL), (STAYS, OTHER, "TERM-STAYS")):
        assert server.api("POST", "/api/v1/units", {"id": unit, "name": name}).status == 201
        devices[unit] = server.register("handheld", terminal, unit=unit)
        report(server, devices[unit], 0 if unit == GONE else 100)
    enter(server, "keeper", role="collector", unit=GONE).__exit__()
    task = work(server, devices[GONE])
    look(server, "before it is sealed")
    command = {"kind": "locate"}
    assert server.api("POST", f"/api/v1/devices/{devices[GONE]['id']}/commands", command).status == 202
    until("live state has it", lambda: server.get(f"/api/v1/units/{GONE}")["position"])
    last = server.get("/healthz")["journal"]["last"]
    assert job(server, "seal", upto=last, before=now_ms() + 1)["records"] == last
    socket = socket_path(server.data / "redis")
    assert job(server, "snapshot", upto=last, redis=f"unix://{socket}")["made"]
    report(server, devices[GONE], 1)
    look(server, "after that")
    assert NAME.encode() in in_redis(server)
    before = traces(server.data, WORDS, PLACES)
    assert {one.partition("/")[0] for one in before} == {"journal", "archive", "redis", "media", "uploads"}
    assert list(server.data.glob("copies/*/*"))

    path = f"/api/v1/units/{GONE}/removal"
    assert removal(server) == {"state": "none", "holds": {"devices": 1, "photos": 1, "exports": 0}}
    for body, code in (
        ({"confirm": STAYS, "reason": "x"}, "not_confirmed"),
        ({"confirm": GONE, "reason": " "}, "no_reason"),
        ({"confirm": GONE, "reason": f"{NAME} has left"}, "named"),
        ([], "not_confirmed"),
    ):
        answer = server.api("POST", path, body)
        assert (answer.status, answer.code) == (422, code)
    with Handheld(server, TERMINAL, devices[GONE]["token"]) as handheld:
        handheld.log_in()
        asked = server.api("POST", path, {"confirm": GONE, "reason": "has left the city's service"})
        assert (asked.status, asked.json["state"]) == (202, "running")
        assert handheld.is_closed()
    server.kill()
    server.start(well=False)
    assert server.api("GET", f"/api/v1/units/{GONE}").status == 404
    assert server.api("GET", f"/api/v1/units/{GONE}/track").status == 404
    done = until("it is done", lambda: (found := removal(server))["state"] == "done" and found)
    assert done["counts"]["records"] >= 10
    assert done["backups_before"] == done["done"]

    assert traces(server.data, WORDS, PLACES) == []
    assert not [*server.data.glob("copies/*/*"), *server.data.glob("media/*/*"), *server.data.glob("uploads/*")]
    desk = server.get("/api/v1/desk")
    assert (desk["sos"], desk["problems"]) == ([], [])
    story = server.get(f"/api/v1/tasks/{task}")
    assert (story["state"], story["result"], story["attempts"]) == ("queued", None, [])
    assert GONE not in str(server.get(f"/api/v1/tasks/{task}/decisions"))
    assert not [word for word in WORDS if word.encode() in in_redis(server)]
    assert server.get(f"/api/v1/units/{STAYS}")["position"]
    assert len(server.get(f"/api/v1/units/{STAYS}/track?reason=test")["points"]) == 3
    verdict = verify(server.data)
    assert verdict.sound, verdict.findings
    assert {one.kind for one in verdict.removals} == {"snapshots"}  # no day is closed yet
    devices_left = server.get("/api/v1/devices")
    assert [one["unit"] for one in devices_left["devices"]] == [STAYS]
    # Its terminal is a stranger, and a start from what is left knows nobody else.
    with pytest.raises(AssertionError), Handheld(server, TERMINAL, devices[GONE]["token"]) as handheld:
        handheld.log_in()
    for _ in range(2):
        # Who looked, and when, is on record; and whose the account was is nowhere.
        looks = server.get("/api/v1/access-log?what=track")["entries"]
        mine = [(one["who"], one["unit"], one["reason"], one["removed"]) for one in looks if one["unit"] != STAYS]
        assert mine == [("admin", None, "", True)] * 2
        assert server.get("/api/v1/accounts/keeper")["unit"] is None
        server.stop()
        server.start()
    assert [one["id"] for one in server.get("/api/v1/units")["units"]] == [STAYS]
    assert removal(server) == done
