"""How format-1.tar.xz was made: a small city on a server of the first release, over three days, killed at the end.

In a work tree of that release, with its requirements installed (its tests are used to talk to it):

    git worktree add ../first 8d29166
    cd ../first && PYTHONPATH=. python <here>/make_format_1.py <here>/format-1.tar.xz

The archive holds ``data`` as the kill left it, without what is rebuilt (redis, reserve, log), and ``expected.json``:
what the release itself answered for people, devices, grids, tracks, commands and photos. The clock of each start is set
back by a module that the interpreter imports first, so that the journal has three files, the last with an open log.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from protocols.jt808.client import MediaTaken, PhotoAsked
from protocols.jt808.duties import Told
from tests.server import Server
from tests.webmap import devices as talking
from tests.webmap.devices import Handheld, Vehicle, phone_report

DAY_S = 86_400
SETTER = """
import os, time
_back = int(os.environ.get("BACK_S", "0"))
_ns, _s = time.time_ns, time.time
time.time_ns = lambda: _ns() - _back * 10**9
time.time = lambda: _s() - _back
"""
GRIDS = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"id": id, "name": name, "level": level, "parent": parent, "street": "城南街道"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[west, 31.2], [east, 31.2], [east, 31.21], [west, 31.21], [west, 31.2]]],
            },
        }
        for id, name, level, parent, west, east in (
            ("g1", "城南一", "grid", "", 121.50, 121.51),
            ("g2", "城南二", "grid", "", 121.51, 121.52),
            ("c1", "单元一", "cell", "g1", 121.50, 121.505),
            ("c2", "单元二", "cell", "g2", 121.51, 121.515),
        )
    ],
}


def walk(rng: random.Random, start: int, points: int) -> list[tuple[int, int, int, int, int, int]]:
    """Fix time (ms), latitude, longitude (1e-7 degrees), accuracy (dm), speed (cm/s), course; ten seconds apart."""
    latitude, longitude, course, found = 31.2 + rng.random() * 0.01, 121.5 + rng.random() * 0.02, rng.random() * 6, []
    for number in range(points):
        speed = rng.randrange(80, 160)
        course += rng.uniform(-0.4, 0.4)
        latitude += math.cos(course) * speed * 10 / 100 / 111_000
        longitude += math.sin(course) * speed * 10 / 100 / 95_000
        at = start + number * 10_000
        found.append(
            (at, round(latitude * 1e7), round(longitude * 1e7), rng.randrange(30, 90), speed, int(course * 57) % 360)
        )
    return found


def now() -> int:
    return (time.time_ns() // 10**9 - int(os.environ["BACK_S"])) * 1000


def day(server: Server, rng: random.Random, made: dict[str, Any], number: int) -> None:
    """What everybody does on one day."""
    start = now() - 3_600_000
    for name in ("h1", "h2"):
        with Handheld(server, made[name]["external_id"], made[name]["token"]) as handheld:
            handheld.log_in()
            walked = walk(rng, start, 80)
            handheld.report(*walked, *walked[:5])
    with Vehicle(server, made["v1"]["external_id"]) as vehicle:
        vehicle.log_in()
        for at, latitude, longitude, *_ in walk(rng, start, 40):
            vehicle.report(at, latitude, longitude, altitude=4)
        vehicle.terminal.medium(b"\xff\xd8\xff\xe0" + rng.randbytes(1500), event=2)
        if number == 0:
            ask(server, made, {"kind": "text", "text": "去城南一看看"})
            vehicle.wait(Told)
        if number == 1:
            ask(server, made, {"kind": "photo"})
            asked = vehicle.wait(PhotoAsked)
            vehicle.terminal.photos(asked, [b"\xff\xd8\xff\xe0" + rng.randbytes(2500)])
        vehicle.flush()
        while vehicle.terminal.media:
            vehicle.wait(MediaTaken)
            vehicle.flush()
    for at, latitude, longitude, accuracy, speed, course in walk(rng, start, 40):
        fields = {"lat": latitude / 1e7, "lon": longitude / 1e7, "timestamp": at // 1000, "accuracy": accuracy / 10}
        assert (
            phone_report(server, made["p1"]["external_id"], **fields, speed=speed / 51.44, bearing=course).status == 200
        )


def enter(server: Server) -> dict[str, Any]:
    """Who is who, on the first day."""
    assert server.api("POST", "/api/v1/grids", GRIDS).status < 300
    people = [
        {"kind": "person", "name": "王建国", "team": "一中队", "street": "城南街道", "grid": "g1"},
        {"kind": "person", "name": "李秀英", "team": "一中队", "street": "城南街道", "grid": "g2"},
        {"kind": "vehicle", "name": "沪A12345", "team": "机动"},
        {"kind": "person", "name": "赵敏", "team": "二中队"},
    ]
    units = [unit["id"] for unit in server.api("POST", "/api/v1/units", people).json["units"]]
    made = {
        "h1": server.register("handheld", "hand-1", unit=units[0]),
        "h2": server.register("handheld", "hand-2", unit=units[1]),
        "v1": server.register("jt808", "13912345678", unit=units[2]),
        "p1": server.register("traccar", unit=units[3]),
    }
    # A token that was replaced: the first one is no longer good.
    made["h2"] |= {"token": server.api("POST", f"/api/v1/devices/{made['h2']['id']}/token").json["token"]}
    return made


def amend(server: Server, made: dict[str, Any]) -> None:
    """Later changes, so that the roster is more than its first entries; and commands that wait."""
    server.api(
        "POST", "/api/v1/units", [{"id": made["h2"]["unit"], "kind": "person", "name": "李秀英", "team": "二中队"}]
    )
    ask(server, made, {"kind": "text", "text": "明天开会"})
    gone = ask(server, made, {"kind": "text", "text": "不用了"})
    assert server.api("DELETE", f"/api/v1/commands/{gone}").status == 200


def ask(server: Server, made: dict[str, Any], command: dict[str, Any]) -> str:
    """A command to the vehicle; its id."""
    asked = server.api("POST", f"/api/v1/devices/{made['v1']['id']}/commands", command)
    assert asked.status == 202, asked
    return str(asked.json["id"])


def answers(server: Server, made: dict[str, Any]) -> dict[str, Any]:
    """What the release says of all of it."""
    units = server.get("/api/v1/units")["units"]
    devices = server.get("/api/v1/devices")["devices"]
    first, last = now() - 4 * DAY_S * 1000, now() + DAY_S * 1000
    photos = {one["id"]: server.get(f"/api/v1/devices/{one['id']}/photos")["photos"] for one in devices}
    return {
        "units": units,
        "devices": devices,
        "tokens": {name: one.get("token") for name, one in made.items()},
        "grids": server.get("/api/v1/grids"),
        "span": [first, last],
        "tracks": {
            one["id"]: server.get(f"/api/v1/units/{one['id']}/track?from={first}&to={last}")["points"] for one in units
        },
        "commands": {one["id"]: server.get(f"/api/v1/devices/{one['id']}/commands")["commands"] for one in devices},
        "photos": photos,
        "digests": {
            photo["id"]: hashlib.sha256(server.api("GET", photo["url"]).body).hexdigest()
            for found in photos.values()
            for photo in found
        },
    }


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as made_in:
        folder = Path(made_in)
        (folder / "setter").mkdir()
        (folder / "setter" / "sitecustomize.py").write_text(SETTER)
        os.environ["PYTHONPATH"] = f"{folder / 'setter'}:{os.environ['PYTHONPATH']}"
        talking.now_ms = now  # type: ignore[assignment]
        rng, made = random.Random(1), dict[str, Any]()
        server = Server(folder / "city")
        for number in range(3):
            os.environ["BACK_S"] = str((3 - number) * DAY_S)
            server.start(well=False)
            made = made or enter(server)
            day(server, rng, made, number)
            if number == 2:
                amend(server, made)
            if number < 2:
                server.stop()
        expected = answers(server, made)
        server.kill()
        (server.data / "redis").rename(folder / "redis")
        os.kill(int((folder / "redis" / "valkey.pid").read_text()), 9)
        (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False))
        with tarfile.open(target, "w:xz", preset=9) as tar:
            for path in sorted(server.data.rglob("*")):
                name = path.relative_to(server.data)
                if path.is_file() and name.parts[0] not in ("reserve", "log", "lock") and path.suffix != ".db-shm":
                    tar.add(path, Path("data") / name, filter=_nobody)
            tar.add(folder / "expected.json", "expected.json", filter=_nobody)


def _nobody(about: tarfile.TarInfo) -> tarfile.TarInfo:
    about.uid = about.gid = 0
    about.uname = about.gname = ""
    return about


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
