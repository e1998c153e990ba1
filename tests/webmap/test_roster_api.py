"""A pasted table of people, by somebody who reaches a part of the city: of grids elsewhere it tells nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.server import Server
from tests.webmap.people import Person, enter

PATH = "/api/v1/units/table"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("table")) as running:
        features = [grid(number, name, street) for number, (name, street) in enumerate(GRIDS, 1)]
        made = running.api("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": features})
        assert made.status == 201, made
        yield running


@pytest.fixture(scope="module")
def narrowed(server: Server) -> Iterator[Person]:
    with enter(server, "narrowed", role="leader", streets=["North"]) as person:
        yield person


GRIDS = [("Mill", "North"), ("Harbour", "South")]


def grid(number: int, name: str, street: str) -> dict[str, Any]:
    west = 117.0 + number / 100
    ring = [[west, 31], [west + 0.005, 31], [west + 0.005, 31.005], [west, 31.005], [west, 31]]
    return {
        "type": "Feature", "id": f"g{number}", "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"id": f"g{number}", "name": name, "street": street, "level": "grid"},
    }  # fmt: skip


@pytest.mark.parametrize("of", ["name", "id"])
def test_a_grid_out_of_reach_is_one_that_there_is_not(server: Server, narrowed: Person, of: str) -> None:
    near, far, none = ("Mill", "Harbour", "Moon") if of == "name" else ("g1", "g2", "g9")

    def told(grid: str) -> tuple[int, str]:
        answer = narrowed.ask("POST", PATH, {"table": f"name,grid\nAda,{grid}\n"})
        return answer.status, answer.body.decode().replace(grid, "…")

    assert told(near)[0] == 200
    assert told(far) == told(none)
    assert told(far)[0] == 422
    assert server.api("POST", PATH, {"table": f"name,grid\nAda,{far}\n"}).status == 200
