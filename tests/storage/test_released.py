"""Data folders that released versions left behind (released/): this version starts on each and has everything."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from storage import upgrade
from storage.restore import restore
from storage.upgrade import FORMAT, format_of, prepare
from tests.server import Server, until
from tests.storage.data_folders import back_up
from tests.storage.killing import killed_at
from tests.webmap.devices import Handheld, phone_report

RELEASED = sorted((Path(__file__).parent / "released").glob("format-*.tar.xz"))
KEPT_LONG = {"fixes_days": 36_500, "events_days": 36_500, "access_days": 36_500, "photos_days": 36_500}
"""So that these tests can be run in years."""
UNIT = ("id", "kind", "name", "team", "street", "grid")
DEVICE = ("id", "protocol", "external_id", "unit", "networks", "header", "coordinates", "lenient")
COMMAND = ("id", "device", "kind", "arguments", "created", "expires", "answered", "result")
POINT = ("fix_time", "device_time", "server_time", "lat", "lon", "altitude", "speed", "course", "accuracy", "alarm",
         "status", "device")  # fmt: skip


def unpack(archive: Path, folder: Path) -> Any:
    """The data folder into ``folder/data``; what its release said of it."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return json.loads((folder / "expected.json").read_text())


def only(names: tuple[str, ...], entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: entry[name] for name in names} for entry in entries]


def compare(server: Server, expected: Any) -> None:
    """Everything that the release answered is answered now: as it was, or with more to it."""
    assert only(UNIT, server.get("/api/v1/units")["units"]) == only(UNIT, expected["units"])
    assert only(DEVICE, server.get("/api/v1/devices")["devices"]) == only(DEVICE, expected["devices"])
    assert server.get("/api/v1/grids") == expected["grids"]
    first, last = expected["span"]
    for unit, points in expected["tracks"].items():
        track = server.get(f"/api/v1/units/{unit}/track?from={first}&to={last}&reason=test")["points"]
        assert only(POINT, track) == only(POINT, points)
    for device, commands in expected["commands"].items():
        found = server.get(f"/api/v1/devices/{device}/commands")["commands"]
        assert only(COMMAND, found) == only(COMMAND, commands)
        for now, then in zip(found, commands, strict=True):
            assert now["state"] == then["state"] or (then["state"], now["state"]) == ("queued", "expired")
    for device, photos in expected["photos"].items():
        found = server.get(f"/api/v1/devices/{device}/photos")["photos"]
        assert [photo["id"] for photo in found] == [photo["id"] for photo in photos]
        for photo in found:
            digest = hashlib.sha256(server.api("GET", photo["url"]).body).hexdigest()
            assert digest == expected["digests"][photo["id"]]


@pytest.mark.parametrize("archive", RELEASED, ids=lambda path: path.name.partition(".")[0])
def test_this_version_starts_on_it_after_kills_and_has_everything(archive: Path, tmp_path: Path) -> None:
    expected = unpack(archive, tmp_path / "then")
    server = Server(tmp_path / "now", {"archive": KEPT_LONG})
    # By way of a backup that was made before the upgrade.
    made = back_up(tmp_path / "then" / "data", tmp_path / "usb")
    assert made.about.format == int(archive.name.removeprefix("format-").partition(".")[0])
    restore(made.path, server.data)
    line = 0
    while not killed_at(line, [upgrade], lambda: os.close(prepare(server.data, "Asia/Shanghai"))):
        line += 7
    assert line > 20
    assert format_of(server.data) == FORMAT
    with server:
        until("live state is rebuilt", lambda: server.get("/healthz")["live"]["stored"])
        compare(server, expected)
        # Who it knew gets in as ever, and what comes now is added.
        unit = expected["devices"][0]["unit"]
        with Handheld(server, expected["devices"][0]["external_id"], expected["tokens"]["h1"]) as handheld:
            handheld.log_in()
            handheld.report((expected["span"][0] + 1000, 312_000_000, 1_215_000_000, 50, 0, 0))
        assert phone_report(server, expected["devices"][3]["external_id"], lat=31.2, lon=121.5,
                            timestamp=expected["span"][0] // 1000 + 2).status == 200  # fmt: skip
        start, end = expected["span"]
        first = server.get(f"/api/v1/units/{unit}/track?from={start}&to={end}&reason=test")["points"]
        assert len(first) == len(expected["tracks"][unit]) + 1


def test_a_folder_of_a_newer_version_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.data.mkdir()
    (server.data / "format").write_text(str(FORMAT + 1))
    with pytest.raises(AssertionError, match=rf"newer version of Gridbeat \(format {FORMAT + 1}(?s:.)*更新版本"):
        server.start()
    assert "Traceback" not in server.told()
    assert {path.name for path in server.data.iterdir()} == {"format", "lock"}


def test_every_released_format_has_its_folder() -> None:
    assert [path.name for path in RELEASED] == [f"format-{number}.tar.xz" for number in range(1, FORMAT)]
