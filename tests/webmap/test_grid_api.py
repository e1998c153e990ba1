"""Grids over a real server: judged, put in, taken back, amended and removed; by those who may, within their reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.server import Server
from tests.tracker.test_area_judging import at, file
from tests.webmap.people import Person, enter
from tests.webmap.test_api import check


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("grids")) as running:
        yield running


def call(server: Server, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
    answer = check(method, path, server.api(method, path, body))
    assert answer.status == status, answer
    return answer.json


def known(server: Server) -> dict[str, Any]:
    return {one["id"]: one["properties"] for one in call(server, "GET", "/api/v1/grids")["features"]}


def test_judged_put_in_and_taken_back(server: Server) -> None:
    first = file(
        at(0, 0, street="东街"), at(1, 0, street="西街"), at(0, 0, "c1", level="cell", parent="g00", share=0.5)
    )
    verdict = call(server, "POST", "/api/v1/grids?check=1", first)
    assert (verdict["good"], verdict["grids"], verdict["cells"], verdict["new"]) == (True, 2, 1, ["g00", "g10", "c1"])
    assert known(server) == {}, "nothing is written"
    assert call(server, "POST", "/api/v1/grids", first, status=201) == {"grids": 2, "cells": 1, "removed": 0}
    crossed = at(2, 0)
    crossed["geometry"]["coordinates"][0][1:3] = reversed(crossed["geometry"]["coordinates"][0][1:3])
    verdict = call(server, "POST", "/api/v1/grids?check=1", file(crossed, 7))
    assert (verdict["good"], [one["code"] for one in verdict["problems"]]) == (False, ["not_valid", "not_geojson"])
    refused = call(server, "POST", "/api/v1/grids", file(crossed, 7), status=422)["error"]
    assert refused["text"].startswith("feature 1: its outline is not valid")
    assert "第 2 个要素" in refused["zh"]
    before = known(server)
    second = file(at(0, 0, street="东街", owner="王"), at(5, 0, street="东街"))
    told = call(server, "POST", "/api/v1/grids?remove_missing=1", second, status=201)
    assert told == {"grids": 2, "cells": 0, "removed": 1}
    assert set(known(server)) == {"g00", "g50", "c1"}
    last = call(server, "GET", "/api/v1/grid-import")["last"]
    assert (last["by"], last["grids"], last["removed"]) == (server.login[0], 2, 1)
    assert call(server, "DELETE", "/api/v1/grid-import") == {"restored": 3}
    assert known(server) == before
    assert call(server, "GET", "/api/v1/grid-import") == {"last": None}
    assert call(server, "DELETE", "/api/v1/grid-import", status=409)["error"]["code"] == "no_import"


def test_one_is_amended_and_removed(server: Server) -> None:
    call(
        server,
        "POST",
        "/api/v1/grids",
        file(at(0, 1), at(0, 1, "c9", level="cell", parent="g01", share=0.5)),
        status=201,
    )
    changed = call(server, "PATCH", "/api/v1/grids/g01", {"owner": " 李  四 ", "street": "南街"})
    assert (changed["owner"], changed["street"]) == ("李 四", "南街")
    assert known(server)["g01"]["owner"] == "李 四"
    assert call(server, "GET", "/api/v1/grid-import") == {"last": None}, (
        "an import is not taken back over other changes"
    )
    for body, code in (
        ({"name": " "}, "no_name"),
        ({"id": "x"}, "bad_change"),
        ({"owner": 7}, "bad_change"),
        ([], "bad_change"),
    ):
        assert call(server, "PATCH", "/api/v1/grids/g01", body, status=422)["error"]["code"] == code
    assert call(server, "DELETE", "/api/v1/grids/g01", status=409)["error"]["code"] == "has_cells"
    assert call(server, "DELETE", "/api/v1/grids/g01?cells=1") == {"removed": 2}
    assert {"g01", "c9"}.isdisjoint(known(server))
    assert call(server, "DELETE", "/api/v1/grids/g01", status=404)["error"]["code"] == "not_found"
    assert call(server, "PATCH", "/api/v1/grids/none", {"name": "x"}, status=404)["error"]["code"] == "not_found"


@pytest.fixture
def leader(server: Server) -> Iterator[Person]:
    with enter(server, "leader-east", role="leader", streets=["东街"]) as person:
        yield person


def test_who_is_narrowed_to_a_street_changes_its_grids_alone(server: Server, leader: Person) -> None:
    call(server, "POST", "/api/v1/grids", file(at(0, 3, street="东街"), at(1, 3, street="西街")), status=201)
    own, other = "/api/v1/grids/g03", "/api/v1/grids/g13"
    assert check("PATCH", own, leader.ask("PATCH", own, {"owner": "王"})).status == 200
    assert check("PATCH", other, leader.ask("PATCH", other, {"owner": "王"})).status == 404
    assert check("DELETE", other, leader.ask("DELETE", other)).status == 404
    assert leader.ask("PATCH", own, {"street": "西街"}).code == "out_of_reach"
    verdict = check("POST", "/api/v1/grids", leader.ask("POST", "/api/v1/grids?check=1", file(at(0, 3)))).json
    assert "g13" not in str(verdict), "what is out of reach is not told of"
    assert leader.ask("POST", "/api/v1/grids?remove_missing=1", file(at(0, 3, street="东街"))).status == 201
    assert "g13" in known(server), "nor removed"
    assert leader.ask("GET", "/api/v1/grid-import").json["last"]["by"] == "leader-east"
