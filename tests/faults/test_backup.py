"""Backup under load, and restore elsewhere: what was acknowledged before is there, who is who, what was asked."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.backup_files import About, backups
from storage.restore import RESTORING
from tests.faults.fleet import Device
from tests.faults.server import PATIENCE, ROOT, Server
from tests.faults.test_commands import Truck, picture, state
from tests.faults.traffic import Traffic, reports_in
from tests.storage.data_folders import verify


def command(*words: object) -> subprocess.Popen[str]:
    """``./run`` from where Python takes over."""
    python = [sys.executable, "-P", "-m", "tracker.backups", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("GRIDBEAT_CONFIG", None)
    return subprocess.Popen(
        python, cwd="/", env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def done(process: subprocess.Popen[str]) -> str:
    """What it has told when it has ended well."""
    told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    return told


def killed(process: subprocess.Popen[str], after: float) -> None:
    time.sleep(after)
    process.kill()
    process.communicate()


def the_only(target: Path) -> tuple[Path, About]:
    (found,) = backups(target)
    return found


@pytest.fixture
def usb(tmp_path: Path) -> Path:
    (tmp_path / "usb").mkdir()
    return tmp_path / "usb"


def test_what_was_acknowledged_before_is_there_on_another_machine(
    server: Server, fleet: list[Device], rng: random.Random, usb: Path, tmp_path: Path, long_run: bool
) -> None:
    vehicle = next(device for device in fleet if device.kind == "jt808")
    others = [device for device in fleet if device is not vehicle]
    before, meanwhile = others[:80], others[80:]
    server.start()
    known = server.api("/api/v1/devices")["devices"]
    device = next(one["id"] for one in known if one["external_id"] == vehicle.external_id)
    shot = picture(rng)
    truck = Truck(server, vehicle).connect()
    truck.pictures = [shot]
    asked = [server.api(f"/api/v1/devices/{device}/commands", {"kind": "photo"})["id"]]
    truck.pump(lambda: state(server, asked[0]) == "done" and not truck.core.media)
    truck.cut()
    text = {"kind": "text", "text": "稍后", "expires_s": 3600}
    asked.append(server.api(f"/api/v1/devices/{device}/commands", text)["id"])
    with Traffic(server, before, seed=rng.randrange(1 << 32)) as first:
        first.flows()
        told = first.drain()
    with Traffic(server, meanwhile, seed=rng.randrange(1 << 32)) as load:
        load.flows()
        for _ in range(40 if long_run else 3):
            killed(command("backup", usb, "--config", server.config), rng.uniform(0.2, 1.5))
            for path, _ in backups(usb):
                verify(path)
        for path, _ in backups(usb):
            shutil.rmtree(path)  # one that was quicker than its kill
        acknowledged = load.acknowledged
        answer = done(command("backup", usb, "--config", server.config))
        load.flows()
    path, about = the_only(usb)
    assert str(path) in answer
    assert "lacks" not in answer
    assert list(usb.iterdir()) == [path], "what kills left is gone"
    names = verify(path)
    assert {"city.toml", "data/secret", "data/first-login.txt", "data/archive/about.json"} <= names
    assert not any(name.startswith(("data/redis", "data/log", "data/reserve")) for name in names)
    assert 0 < about.last < server.health()["journal"]["last"]
    units = server.api("/api/v1/units")["units"]
    server.stop(signal.SIGTERM)

    with Server(tmp_path / "other machine") as other:
        killed(command("restore", path, "--config", other.config), rng.uniform(0.1, 0.6))
        if (other.data / RESTORING).exists() or not (other.data / "secret").exists():
            assert "./run --config" in done(command("restore", path, "--config", other.config))
        of_load = {one.unit for one in meanwhile}
        assert len({report for report in reports_in(other.data / "journal") if report[0] in of_load}) >= acknowledged
        again = command("restore", path, "--config", other.config)
        assert "不是空目录" in again.communicate()[0]
        assert again.returncode == 1
        other.start()
        Traffic(other, before, seed=1).check_some(told, before)
        assert [unit["id"] for unit in other.api("/api/v1/units")["units"]] == [unit["id"] for unit in units]
        assert [state(other, id) for id in asked] == ["done", "queued"]
        (photo,) = other.api(f"/api/v1/devices/{device}/photos")["photos"]
        assert other.ask(photo["url"])[2] == shot
        # Its token is good, and what waited for it is delivered.
        back = Truck(other, vehicle).connect()
        back.pump(lambda: state(other, asked[1]) == "done")
        assert back.texts() == ["稍后"]
        back.cut()
