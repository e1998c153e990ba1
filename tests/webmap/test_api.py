"""The API of a real server, against its own description: every answer here is held to the document's schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from klein import Klein
from openapi_spec_validator import validate

from tests.server import ROOT, Answer, Server, until
from tests.webmap.devices import Handheld, now_ms, phone_report
from webmap.api import add_api
from webmap.routes import Gate

DOCUMENT: dict[str, Any] = json.loads((ROOT / "webmap" / "openapi.json").read_text("utf-8"))
PAGES = {
    "/",
    "/ca",
    "/ca.crt",
    "/certificate",
    "/phones",
    "/roster",
    "/storage",
    "/seats",
    "/grids",
    "/rota",
    "/accounts",
    "/access",
    "/profile",
    "/login",
    "/tiles/<int:number>/<int:zoom>/<int:x>/<int:y>",
    "/favicon.ico",
    "/assets/<path:name>",
    "/static/<string:name>",
    "/feed",
}
DAY = 86_400_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("api")) as running:
        yield running


# The document.


class Absent:
    """Stands for all services: routes are made before anybody is asked for anything."""

    def __getattr__(self, name: str) -> Absent:
        return self


def routes() -> set[tuple[str, str]]:
    """Method and path of every route of the API, the path as the document writes it."""
    app = Klein()
    services = cast(Any, Absent())
    add_api(app, services, Gate(services))
    found = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        found |= {(method.lower(), path) for method in rule.methods - {"HEAD", "OPTIONS"}}
    return found


def test_the_document_is_valid() -> None:
    validate(DOCUMENT)


def test_the_document_and_the_routes_are_the_same() -> None:
    described = {(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == routes()


def test_the_document_is_complete_in_small_things() -> None:
    ids = []
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            ids.append(operation["operationId"])
            named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path)), path
            if path != "/api/v1/login":
                assert {"401", "429", "500"} <= operation["responses"].keys(), path
            assert ("requestBody" in operation) == ("415" in operation["responses"]), (method, path)
    assert len(ids) == len(set(ids))
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, about in schema.get("properties", {}).items():
            if {"integer", "number"} & {
                *([about.get("type")] if isinstance(about.get("type"), str) else about.get("type", ()))
            }:
                assert about.get("description"), f"{name}.{field} has no unit"


@cache
def validator(method: str, path: str, status: int) -> Draft202012Validator:
    """The schema of an answer, for a path as the document writes it."""
    operation = DOCUMENT["paths"][path][method]
    found = operation["responses"][str(status)]
    if "$ref" in found:
        found = DOCUMENT["components"]["responses"][found["$ref"].rpartition("/")[2]]
    schema = found["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def check(method: str, path: str, answer: Answer) -> Answer:
    """That an answer is what the document says; answers it."""
    path = path.partition("?")[0]
    for pattern in sorted(DOCUMENT["paths"], key=lambda pattern: pattern.count("{")):
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), path):
            kind = answer.headers["content-type"]
            if kind.startswith("application/json"):
                validator(method.lower(), pattern, answer.status).validate(answer.json)
            assert str(answer.status) in DOCUMENT["paths"][pattern][method.lower()]["responses"]
            return answer
    raise AssertionError(f"{path} is not described")


@pytest.fixture
def call(server: Server) -> Callable[..., Any]:
    """Ask with a login; the answer's JSON after a look at the status and the schema."""

    def ask(method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = check(method, path, server.api(method, path, body))
        assert answer.status == status, answer
        return answer.json

    return ask


def error(found: Any) -> tuple[str, str]:
    assert found["error"]["zh"]
    return found["error"]["code"], found["error"]["text"]


Call = Callable[..., Any]


# Units.


def test_units_are_added_and_amended(call: Call) -> None:
    made = call("POST", "/api/v1/units", {"name": "王伟", "team": "一班"}, status=201)["units"]
    assert [(one["name"], one["kind"], one["state"], one["position"]) for one in made] == [
        ("王伟", "person", "OFFLINE", None)
    ]
    identity = made[0]["id"]
    many = [{"id": identity, "name": "王伟", "street": "河东"}, {"name": "巡查", "kind": "vehicle"}]
    amended, vehicle = call("POST", "/api/v1/units", many, status=201)["units"]
    assert (amended["id"], amended["team"], amended["street"]) == (identity, "", "河东")
    assert vehicle["kind"] == "vehicle"
    assert call("POST", "/api/v1/units", {"units": [{"name": "n"}]}, status=201)["units"][0]["name"] == "n"
    assert call("GET", f"/api/v1/units/{identity}")["street"] == "河东"
    assert identity in [one["id"] for one in call("GET", "/api/v1/units")["units"]]


@pytest.mark.parametrize(
    ("body", "code", "entry"),
    [
        ([{"name": "A"}, {"name": ""}], "no_name", 2),
        ([{"name": "A"}, {"name": "B"}, {"name": "C", "kind": "dog"}], "bad_kind", 3),
        ({"id": "a/b", "name": "A"}, "bad_id", 1),
        ([1], "bad_units", None),
        ("word", "bad_units", None),
        ({"name": "\ud800"}, "bad_value", None),
    ],
)
def test_units_that_cannot_be(call: Call, body: Any, code: str, entry: int | None) -> None:
    before = len(call("GET", "/api/v1/units")["units"])
    found = call("POST", "/api/v1/units", body, status=422)
    assert error(found)[0] == code
    assert found["error"].get("entry") == entry
    assert len(call("GET", "/api/v1/units")["units"]) == before


@pytest.mark.parametrize(
    "path",
    ["/api/v1/units/nobody", "/api/v1/units/nobody/track", "/api/v1/commands/none", "/api/v1/units/%F0%9F%9A%B2"],
)
def test_what_is_not_there(call: Call, path: str) -> None:
    assert error(call("GET", path, status=404))[0] == "not_found"


# Devices.


@pytest.mark.parametrize(
    ("wanted", "protocol", "external"),
    [
        ({"protocol": "handheld", "external_id": "H-1"}, "handheld", "H-1"),
        ({"protocol": "msgpack", "external_id": "H-2"}, "handheld", "H-2"),
        ({"protocol": "jt808", "external_id": "013900000001"}, "jt808", "13900000001"),
        ({"protocol": "JT/T808", "external_id": "13900000002", "header": 2013}, "jt808", "13900000002"),
        ({"protocol": "traccar", "external_id": "phone-1"}, "traccar", "phone-1"),
        ({"protocol": "osmand", "external_id": "phone-2", "networks": ["10.0.0.0/8"]}, "traccar", "phone-2"),
        ({"protocol": "traccar"}, "traccar", None),
    ],
)
def test_a_device_is_registered(call: Call, wanted: dict[str, Any], protocol: str, external: str | None) -> None:
    made = call("POST", "/api/v1/devices", wanted, status=201)
    assert made["protocol"] == protocol
    assert made["header"] == wanted.get("header", 0)
    assert made["connected"] is False
    if external is None:
        assert re.fullmatch("[0-9a-f]{15}", made["external_id"])
    else:
        assert made["external_id"] == external
    if protocol == "traccar":
        assert made["token"] is None
        assert made["networks"] == ([] if external is None else wanted.get("networks", made["networks"]))
    else:
        assert re.fullmatch("[a-z2-7]{26}", made["token"])
    unit = call("GET", f"/api/v1/units/{made['unit']}")
    assert unit["kind"] == ("vehicle" if protocol == "jt808" else "person")
    assert unit["device"] == made["id"]
    listed = {one["id"]: one for one in call("GET", "/api/v1/devices")["devices"]}
    assert listed[made["id"]] == {key: value for key, value in made.items() if key != "token"}
    again = wanted | {"external_id": made["external_id"]}
    code, text = error(call("POST", "/api/v1/devices", again, status=409))
    assert code == "exists"
    assert f"as {made['id']}" in text


@pytest.mark.parametrize(
    ("wanted", "code", "word"),
    [
        ({}, "bad_protocol", "handheld, jt808"),
        ({"protocol": "tk", "external_id": "1"}, "bad_protocol", "handheld, jt808"),
        ({"protocol": "handheld"}, "bad_external_id", "1 to 64"),
        ({"protocol": "handheld", "external_id": "x" * 65}, "bad_external_id", "1 to 64"),
        ({"protocol": "jt808", "external_id": "12a"}, "bad_external_id", "20 digits"),
        ({"protocol": "jt808", "external_id": "1" * 21}, "bad_external_id", "20 digits"),
        ({"protocol": "jt808", "external_id": "77", "header": 2012}, "bad_header", "2011, 2013 or 2019"),
        ({"protocol": "traccar", "networks": ["10.0.0.1/8"]}, "bad_networks", "10.0.0.0/8"),
        ({"protocol": "traccar", "networks": 7}, "bad_networks", "10.0.0.0/8"),
        ({"protocol": "traccar", "unit": "nobody"}, "no_unit", "nobody"),
        ({"protocol": "traccar", "unit": "\ud800"}, "no_unit", "ud800"),
        ({"protocol": "traccar", "kind": "dog"}, "bad_kind", "person or vehicle"),
        ("word", "bad_device", "JSON object"),
        ([{}] * 1001, "bad_device", "1000"),
        ([7], "bad_device", "list"),
    ],
)
def test_a_device_that_cannot_be(call: Call, wanted: Any, code: str, word: str) -> None:
    before = call("GET", "/api/v1/devices")
    found = error(call("POST", "/api/v1/devices", wanted, status=422))
    assert found[0] == code
    assert word in found[1]
    assert call("GET", "/api/v1/devices") == before


def test_many_devices_at_once(call: Call) -> None:
    wanted: list[dict[str, Any]] = [
        {"protocol": "handheld", "external_id": "many-1"},
        {"protocol": "handheld", "external_id": "many-1"},
        {"protocol": "jt808", "external_id": "many"},
        {"protocol": "traccar"},
    ]
    made = call("POST", "/api/v1/devices", wanted, status=207)["devices"]
    assert [one.get("error", {}).get("code") for one in made] == [None, "exists", "bad_external_id", None]
    assert [one["error"]["entry"] for one in made[1:3]] == [2, 3]
    assert made[0]["id"] in made[1]["error"]["text"]
    assert made[0]["unit"] != made[3]["unit"]
    listed = [one["id"] for one in call("GET", "/api/v1/devices")["devices"]]
    assert {made[0]["id"], made[3]["id"]} <= set(listed)
    assert len(call("POST", "/api/v1/devices", [{"protocol": "traccar"}] * 2, status=201)["devices"]) == 2
    assert call("POST", "/api/v1/devices", [], status=201) == {"devices": []}


def test_a_new_token_ends_the_old_one(call: Call, server: Server) -> None:
    made = server.register("handheld", "renewed")
    renewed = call("POST", f"/api/v1/devices/{made['id']}/token")
    assert renewed["token"] != made["token"]
    with Handheld(server, "renewed", made["token"]) as device:
        assert device.is_closed()
    with Handheld(server, "renewed", renewed["token"]) as device:
        device.log_in()
    assert error(call("POST", "/api/v1/devices/d0/token", status=404))[0] == "no_device"


def test_unknown_devices_can_be_adopted(call: Call, server: Server) -> None:
    assert phone_report(server, "stranger-7", lat=31.0, lon=121.0, timestamp=now_ms() // 1000).status == 400
    unknown = call("GET", "/api/v1/devices")["unknown"]
    assert [(one["protocol"], one["external_id"], one["times"]) for one in unknown][:1] == [
        ("traccar", "stranger-7", 1)
    ]
    server.register("traccar", "stranger-7")
    assert "stranger-7" not in [one["external_id"] for one in call("GET", "/api/v1/devices")["unknown"]]
    assert phone_report(server, "stranger-7", lat=31.0, lon=121.0, timestamp=now_ms() // 1000).status == 200


# Tracks.


def test_a_track_has_three_times_and_flags(call: Call, server: Server) -> None:
    made = server.register("handheld", "tracked", name="T")
    before, now = now_ms(), now_ms()
    old = now - 3_600_000
    with Handheld(server, "tracked", made["token"], crs="gcj02") as device:
        device.log_in()
        # An hour ago, stored and sent later; then about now; then from a clock that runs ahead.
        device.report((old, 311_000_000, 1_215_000_000, 50, 100, 90, 4))
        device.report((now, 311_010_000, 1_215_000_000, 50, 120, 0, 5))
        device.report((now + 600_000, 311_020_000, 1_215_000_000))
    span = f"from={old}&to={now + DAY}&reason=test"
    first, second, third = call("GET", f"/api/v1/units/{made['unit']}/track?{span}")["points"]
    assert (first["fix_time"], second["fix_time"], third["fix_time"]) == (old, now, now + 600_000)
    for point in (first, second, third):
        assert before <= point["server_time"] <= now_ms()
        assert before - 1000 <= point["device_time"] <= now_ms()
        assert point["device"] == made["id"]
        assert "converted" in point["flags"]
        assert abs(point["original"][0] - 31.1) < 0.01
        assert point["original"] != [point["lat"], point["lon"]]
    assert "backfill" in first["flags"]
    assert "future" in third["flags"]
    assert (first["speed"], first["course"], first["accuracy"], first["altitude"]) == (1.0, 90, 5.0, 4)
    until("all of it is judged", lambda: call("GET", "/healthz")["live"]["behind_ms"] == 0)
    path = f"/api/v1/units/{made['unit']}"
    until("it is on the map", lambda: (call("GET", path)["position"] or {}).get("fix_time", 0) >= now)
    unit = call("GET", path)
    assert unit["position"]["fix_time"] == now, "what is ahead of the clock is kept and not believed"
    assert unit["position"]["lat"] == second["lat"]


def test_spans_of_a_track(call: Call, server: Server) -> None:
    made = server.register("traccar", "spanned")
    path = f"/api/v1/units/{made['unit']}/track"
    start = (now_ms() - 3_600_000) // 1000 * 1000
    for at in range(0, 50_000, 10_000):
        report = phone_report(server, "spanned", lat=31.0, lon=121.0 + at / 1e7, timestamp=(start + at) // 1000)
        assert report.status == 200

    def times(query: str) -> list[int]:
        found = call("GET", f"{path}?{query}&reason=test")["points"]
        return [point["fix_time"] - start for point in found]

    until("all of it is stored", lambda: len(times("")) == 5)
    assert times(f"from={start}&to={start + 20_000}") == [0, 10_000, 20_000], "both ends are included"
    assert times(f"from={start + 1}&to={start + 19_999}") == [10_000]
    moment = datetime.fromtimestamp(start / 1000, UTC)
    assert times(f"to={moment.isoformat().replace('+', '%2B')}") == [0]
    assert times(f"to={moment.isoformat()}") == [0], "a plus sign that became a space"
    local = moment.timestamp() + 8 * 3600
    assert times(f"to={datetime.fromtimestamp(local, UTC).replace(tzinfo=None).isoformat()}") == [0], "the city's time"
    assert times("to=0") == []
    flags = call("GET", f"{path}?reason=test")["points"][0]["flags"]
    assert "unauthenticated" in flags, "whoever knows the id could have sent it"
    for query, code in (("from=soon", "bad_time"), ("to=12:00", "bad_time"), ("from=10&to=5", "bad_span")):
        assert error(call("GET", f"{path}?{query}", status=422))[0] == code


def test_a_long_track_comes_in_pages(call: Call, server: Server) -> None:
    made = server.register("handheld", "long-track")
    start, count = now_ms() - DAY // 2, 50_003
    with Handheld(server, "long-track", made["token"], limit=count) as device:
        device.log_in()
        device.report(*((start + at * 100, 311_000_000 + at, 1_215_000_000) for at in range(count)))
    path = f"/api/v1/units/{made['unit']}/track?to={start + DAY}&reason=test"
    first = call("GET", f"{path}&from={start}")
    assert len(first["points"]) == 50_000
    assert first["next"] == start + 50_000 * 100
    rest = call("GET", f"{path}&from={first['next']}")
    assert rest["next"] is None
    found = [point["fix_time"] for point in first["points"] + rest["points"]]
    assert found == [start + at * 100 for at in range(count)]


def test_who_was_near_a_place(call: Call, server: Server) -> None:
    near, far = (server.register("traccar", name, name=name) for name in ("near-place", "far-place"))
    at = (now_ms() - 600_000) // 1000
    for device, lat, when in (("near-place", 31.5, at), ("near-place", 31.5009, at + 10), ("far-place", 31.51, at)):
        assert phone_report(server, device, lat=lat, lon=121.9, timestamp=when).status == 200

    def found(query: str) -> Any:
        return call("GET", f"/api/v1/nearby?{query}&reason=test")

    place = "lat=31.5&lon=121.9"
    (visit,) = found(f"{place}&radius=150")["units"]
    assert visit == {
        "unit": near["unit"], "name": "near-place", "kind": "person", "fixes": 2, "doubted": 0, "first": at * 1000,
        "last": (at + 10) * 1000, "nearest": 0.0, "nearest_time": at * 1000,
    }  # fmt: skip
    assert [one["unit"] for one in found(f"{place}&radius=2000")["units"]] == [near["unit"], far["unit"]]
    assert [one["nearest"] for one in found(f"{place}&radius=2000")["units"]] == [0.0, 1112.0]
    assert found(f"{place}&radius=150&to={at * 1000 - 1}")["units"] == []
    assert found(f"{place}&radius=150&from={at * 1000 + 1}")["units"][0]["nearest"] == 100.1
    empty = found("lat=-90&lon=180&radius=5000")
    assert (empty["units"], empty["unreadable"]) == ([], [])


@pytest.mark.parametrize(
    ("query", "code", "word"),
    [
        ("lon=1&radius=5", "bad_place", "lat"),
        ("lat=91&lon=1&radius=5", "bad_place", "-90 to 90"),
        ("lat=1&lon=nan&radius=5", "bad_place", "lon"),
        ("lat=1&lon=1&radius=5001", "bad_place", "1 to 5000"),
        ("lat=1&lon=1&radius=0", "bad_place", "radius"),
        ("lat=1&lon=1&radius=5&from=10&to=5", "bad_span", "after"),
        ("lat=1&lon=1&radius=5&from=0&to=2678400001", "bad_span", "31 days"),
        ("lat=1&lon=1&radius=5&from=now", "bad_time", "from"),
    ],
)
def test_places_that_cannot_be_asked_for(call: Call, query: str, code: str, word: str) -> None:
    told = error(call("GET", f"/api/v1/nearby?{query}", status=422))
    assert told[0] == code
    assert word in told[1]


# Grids.


def polygon(identity: str, rings: list[Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"id": identity, **properties},
            "geometry": {"type": "Polygon", "coordinates": rings}}  # fmt: skip


def ring(west: float, south: float, side: float) -> list[list[float]]:
    east, north = west + side, south + side
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def test_grids_come_out_as_they_went_in(call: Call, server: Server) -> None:
    many = polygon("g2", [], name="河西", owner="二中队", note="特殊")
    many["geometry"] = {"type": "MultiPolygon", "coordinates": [[ring(121.6, 31.2, 0.01)], [ring(121.7, 31.2, 0.01)]]}
    features = [
        polygon("c1", [ring(121.5, 31.2, 0.001)], name="一号", level="cell", parent="g1"),
        polygon("g1", [ring(121.5, 31.2, 0.01), ring(121.502, 31.202, 0.001)], name="河东", street="河东街道"),
        many,
    ]
    wanted = {"type": "FeatureCollection", "features": features}
    assert call("POST", "/api/v1/grids", wanted, status=201) == {"grids": 2, "cells": 1, "removed": 0}
    found = call("GET", "/api/v1/grids")
    assert [one["id"] for one in found["features"]] == ["g1", "g2", "c1"], "grids first"
    by_id = {one["id"]: one for one in found["features"]}
    for feature in features:
        there = by_id[feature["properties"]["id"]]
        assert there["geometry"] == feature["geometry"]
        assert feature["properties"].items() <= there["properties"].items()
    assert by_id["g1"]["properties"]["parent"] is None
    assert call("POST", "/api/v1/grids", found, status=201) == {"grids": 2, "cells": 1, "removed": 0}
    assert call("GET", "/api/v1/grids") == found, "what is exported can be imported"

    made = server.register("handheld", "in-grid")
    with Handheld(server, "in-grid", made["token"]) as device:
        device.log_in()
        device.report((now_ms(), 312_005_000, 1_215_005_000))
    path = f"/api/v1/units/{made['unit']}"
    until("it is on the map", lambda: call("GET", path)["position"])
    assert (call("GET", path)["position"]["grid"], call("GET", path)["position"]["cell"]) == ("g1", "c1")
    assert call("GET", path + "/track?reason=test")["points"][0]["grid"] == "g1"


def test_grids_that_cannot_be(call: Call) -> None:
    before = call("GET", "/api/v1/grids")
    bow = [[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    bad = [polygon("ok", [ring(1, 1, 1)]), polygon("bow", [bow]), polygon("far", [ring(31, 121, 1)])]
    code, text = error(call("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": bad}, status=422))
    assert code == "bad_geojson"
    assert "feature 2: its outline is not valid" in text
    assert "feature 3: its coordinates are no longitude and latitude" in text
    assert error(call("POST", "/api/v1/grids", {"type": "Feature"}, status=422))[0] == "bad_geojson"
    assert call("GET", "/api/v1/grids") == before


# Numbers.


def test_counters(call: Call, server: Server) -> None:
    before = call("GET", "/api/v1/counters")
    made = server.register("traccar", "counted", networks=["127.0.0.0/8"])
    server.register("traccar", "elsewhere", networks=["10.0.0.0/8"])
    now = now_ms() // 1000
    assert phone_report(server, "counted", lat=31.0, lon=121.0, timestamp=now).status == 200
    assert phone_report(server, "counted", lat=31.0, lon=121.0, timestamp=now).status == 200
    assert phone_report(server, "counted", lat=91.0, lon=121.0, timestamp=now, port="field").status == 200
    assert phone_report(server, "elsewhere", lat=31.0, lon=121.0, timestamp=now).status == 400
    until("all of it is judged", lambda: call("GET", "/healthz")["live"]["behind_ms"] == 0)
    after = call("GET", "/api/v1/counters")

    def grown(*path: str) -> int:
        there, here = after, before
        for key in path:
            there, here = there.get(key, {}), here.get(key, {})
        return int(there or 0) - int(here or 0)

    assert grown("protocols", "traccar", "accepted") == 2
    assert grown("protocols", "traccar", "refused", "foreign_network") == 1
    assert (
        sum(after["protocols"]["traccar"]["refused"].values())
        - sum(before["protocols"].get("traccar", {}).get("refused", {}).values())
        == 2
    ), after
    assert grown("kept_aside", "duplicate") == 1
    assert len(call("GET", f"/api/v1/units/{made['unit']}/track?reason=test")["points"]) == 1


def test_the_description_and_the_map(call: Call) -> None:
    assert call("GET", "/api/v1/openapi.json") == DOCUMENT
    assert call("GET", "/api/v1/basemap") == {"type": "FeatureCollection", "features": []}
    assert call("GET", "/healthz")["status"] == "ok"


# Bodies.


@pytest.mark.parametrize("path", ["/api/v1/login", "/api/v1/units", "/api/v1/devices", "/api/v1/grids"])
def test_bodies_that_are_none(server: Server, path: str) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain", ""):
        answer = check("POST", path, server.api("POST", path, b"{}", {"content-type": kind}))
        assert (answer.status, answer.code) == (415, "content_type"), kind
    for body in (b"", b"{", b"\xff\xfe", b"[" * 8000, b"9" * 8000):
        answer = check("POST", path, server.api("POST", path, body, {"content-type": "application/json"}))
        assert (answer.status, answer.code) == (400, "bad_json"), body[:10]


def test_geojson_has_a_content_type_of_its_own(server: Server) -> None:
    body = json.dumps({"type": "FeatureCollection", "features": []}).encode()
    answer = server.api("POST", "/api/v1/grids", body, {"content-type": "application/geo+json; charset=utf-8"})
    assert (answer.status, answer.json) == (201, {"grids": 0, "cells": 0, "removed": 0})
