"""A real server with roads: who is on this bank is asked, and the decision says so; a broken file stops its start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dispatch.model import Spot
from dispatch.roads_file import save
from tests.dispatch.street import at
from tests.dispatch.town import riverside
from tests.server import Server, until
from tests.webmap.devices import Handheld, now_ms

SETTINGS = {"dispatch": {"roads": "roads.npz"}}
AROUND = [(-2500, -2500), (2500, -2500), (2500, 2500), (-2500, 2500), (-2500, -2500)]


def degrees(spot: Spot) -> tuple[float, float]:
    return spot.latitude / 1e7, spot.longitude / 1e7


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with (tmp_path / "roads.npz").open("wb") as file:
        save(file, {mode: net.streets for mode, net in riverside().nets.items()})
    with Server(tmp_path, SETTINGS) as started:
        yield started


def test_who_is_on_this_bank_is_asked(server: Server) -> None:
    ring = [degrees(at(*corner))[::-1] for corner in AROUND]
    grid = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {"id": "g1"}}
    assert server.api("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": [grid]}).status == 201
    people = {"across": at(0, -200), "bank": at(900)}
    assert server.api("POST", "/api/v1/units", [{"id": id, "name": id} for id in people]).status == 201
    with ExitStack() as stack:
        for id, spot in people.items():
            device = server.register("handheld", f"hh-{id}", unit=id)
            handheld = stack.enter_context(Handheld(server, f"hh-{id}", device["token"], tasks=True))
            handheld.log_in()
            handheld.report((now_ms(), spot.latitude, spot.longitude, 50))
        latitude, longitude = degrees(at(0))
        until("both are there", lambda: not there(server, latitude, longitude) ^ set(people))
        task = {"kind": "verify", "klass": "0101", "text": "", "address": "", "lat": latitude, "lon": longitude,
                "crs": "wgs84"}  # fmt: skip
        id = server.api("POST", "/api/v1/tasks", task).json["id"]
        [decision] = until(
            "somebody is asked", lambda: server.api("GET", f"/api/v1/tasks/{id}/decisions").json["decisions"]
        )
    assert (decision["recomputed"], decision["same"]) == (decision["chosen"], True)
    told = dict(line.split() for line in server.api("GET", "/metrics").body.decode().splitlines() if line[:1] != "#")
    late, asked = float(told["gridbeat_roads_late_total"]), float(told["gridbeat_roads_asked_total"])
    assert 0 <= late <= asked
    if decision["way"] == "roads":
        assert decision["chosen"] == "bank"
        assert decision["roads"] == [pytest.approx(900, abs=5), pytest.approx(2200, abs=5)]
        seat = {one["unit"]: one for one in server.api("GET", f"/api/v1/tasks/{id}/candidates").json["candidates"]}
        assert (seat["across"]["way"], seat["across"]["metres"]) == ("roads", pytest.approx(2200, abs=5))
    else:
        # This machine has had better to do for 50 ms.
        assert (decision["chosen"], late > 0) == ("across", True)


def there(server: Server, latitude: float, longitude: float) -> set[Any]:
    """Those who could be sent; nothing was searched for that place, so they are measured straight."""
    asked = server.api("GET", f"/api/v1/candidates?lat={latitude}&lon={longitude}&crs=wgs84&kind=verify")
    return {one["unit"] for one in asked.json["candidates"] if one["reason"] is None and one["way"] == "straight_line"}


def test_a_file_that_is_broken_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "roads.npz").write_bytes(b"torn")
    server = Server(tmp_path, SETTINGS)
    with pytest.raises(AssertionError):
        server.start()
    assert "Make it with ./run build-graph" in server.told()
