"""A phone that sends GCJ-02 and was registered without saying so: told, amended, gone; over a real server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.server import Server, until
from tests.webmap.devices import now_ms, phone_report
from tracker.coordinates import wgs84_to_gcj02

SOUTH, WEST, SIDE = 31.20, 121.40, 0.009
GRID = {
    "type": "Feature",
    "properties": {"id": "g1", "name": "One"},
    "geometry": {
        "type": "Polygon",
        "coordinates": [
            [[WEST, SOUTH], [WEST + SIDE, SOUTH], [WEST + SIDE, SOUTH + SIDE], [WEST, SOUTH + SIDE], [WEST, SOUTH]]
        ],
    },
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as running:
        yield running


def walk(server: Server, device: dict[str, Any], start: int, points: int) -> int:
    """A collector goes about in the grid, a point a minute; each is on the map before the next is sent."""
    chance = Random(start)
    for number in range(points):
        at = start + number * 60_000
        place = SOUTH + chance.random() * SIDE, WEST + chance.random() * SIDE
        lat, lon = wgs84_to_gcj02(*place)
        assert phone_report(server, device["external_id"], timestamp=at, lat=lat, lon=lon).status == 200
        until("the point is on the map", partial(is_at, server, device, at))
    return start + points * 60_000


def is_at(server: Server, device: dict[str, Any], at: int) -> bool:
    position = server.get(f"/api/v1/units/{device['unit']}")["position"]
    return position is not None and position["fix_time"] == at


def test_a_forgotten_declaration_is_told_and_mended(server: Server) -> None:
    assert server.api("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": [GRID]}).status == 201
    device = server.register("osmand", name="Walker", grid="g1")
    unit = f"/api/v1/units/{device['unit']}"
    now = walk(server, device, now_ms() - 2 * 3_600_000, 40)
    (warning,) = server.get(unit)["warnings"]
    assert (warning["code"], warning["device"], warning["coordinates"]) == ("coordinates", device["id"], "gcj02")
    assert "GCJ-02" in warning["text"]
    assert "GCJ-02" in warning["zh"]
    answer = server.api("GET", "/healthz")
    assert answer.status == 200
    assert [one["what"] for one in answer.json["warnings"]] == ["coordinates", "heads"]
    assert b"gridbeat_coordinate_warnings 1.0" in server.api("GET", "/metrics").body

    assert server.api("PATCH", f"/api/v1/devices/{device['id']}", {"coordinates": "gcj02"}).status == 200
    assert server.get(unit)["warnings"] == []
    now = walk(server, device, now, 25)
    found = server.get(unit)
    assert found["warnings"] == []
    assert found["position"]["grid"] == "g1"
    assert [one["what"] for one in server.get("/healthz")["warnings"]] == ["heads"]
    assert b"gridbeat_coordinate_warnings 0.0" in server.api("GET", "/metrics").body
