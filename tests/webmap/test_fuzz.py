"""Every endpoint of a real server, asked with what the API's document allows and with what it does not, made up by
schemathesis: no answer is a fault of ours, and each is one that the document describes.

Half of the ids in paths are those of things that are there, so that more than the way to a 404 is tried.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.server import ROOT, Server
from tests.webmap.devices import now_ms, phone_report
from tests.webmap.people import Person, enter

SCHEMA = schemathesis.openapi.from_path(ROOT / "webmap" / "openapi.json")
OPERATIONS = {one.ok().label: one.ok() for one in SCHEMA.get_all_operations()}
ENDS_THE_SESSION = {"POST /api/v1/logout"}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
TRIES, LONG_TRIES = 8, 400
"""Examples of an operation, of which half keep to the document."""


@dataclass
class City:
    """A server with one of each thing, and an admin whose own account nothing hangs on."""

    server: Server
    admin: Person
    known: dict[str, str]
    session: requests.Session


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with Server(tmp_path_factory.mktemp("fuzz")) as server, requests.Session() as session:
        unit = server.api("POST", "/api/v1/units", {"name": "n", "street": "s", "team": "t", "grid": "g"}).json[
            "units"
        ][0]
        device = server.register("jt808", "13900000001", unit=unit["id"])
        phone = server.register("traccar", "phone", unit=unit["id"], networks=["127.0.0.0/8"])
        command = server.api("POST", f"/api/v1/devices/{device['id']}/commands", {"kind": "text", "text": "t"})
        for at in range(5):
            phone_report(server, "phone", lat=31.0, lon=121.0 + at / 1000, timestamp=now_ms() // 1000 - 60 + at)
        ring = [[121.0, 31.0], [121.1, 31.0], [121.1, 31.1], [121.0, 31.0]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        grid = {"type": "Feature", "geometry": shape, "properties": {"id": "g", "street": "s"}}
        assert server.api("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": [grid]}).status == 201
        place = {"kind": "verify", "lat": 31.05, "lon": 121.07, "crs": "wgs84"}
        task = server.api("POST", "/api/v1/tasks", place)
        assert task.status == 201, task
        known = {"unit": unit["id"], "device": device["id"], "phone": phone["id"], "command": command.json["id"],
                 "task": task.json["id"], "grid": "g", "number": "1", "name": "somebody"}  # fmt: skip
        enter(server, "somebody", role="dispatcher")
        with enter(server, "fuzz", role="admin") as admin:
            yield City(server, admin, known, session)


def test_the_whole_document_is_tried() -> None:
    assert len(OPERATIONS) > 60
    assert OPERATIONS.keys() >= ENDS_THE_SESSION


def ask(city: City, case: Any) -> None:
    for name, value in list((case.path_parameters or {}).items()):
        if name in city.known and zlib.crc32(str(value).encode("utf-8", "replace")) % 2:
            case.path_parameters[name] = city.known[name]
    headers = {"authorization": f"Bearer {city.admin.token}"}
    answer = case.call(
        base_url=f"http://127.0.0.1:{city.server.ports['console']}", session=city.session, headers=headers
    )
    case.validate_response(answer, checks=CHECKS)


def tried(label: str, city: City, examples: int) -> None:
    for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):

        @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
        @settings(max_examples=examples // 2, deadline=None, derandomize=examples == TRIES, database=None,
                  suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink])  # fmt: skip
        def run(case: Any) -> None:
            ask(city, case)

        run()
    alive = city.admin.ask("GET", "/api/v1/me")
    assert alive.status == 200, "whoever asks is still somebody"


@pytest.mark.parametrize("label", sorted(OPERATIONS.keys() - ENDS_THE_SESSION))
def test_every_operation(city: City, label: str) -> None:
    tried(label, city, TRIES)


@pytest.mark.long
@pytest.mark.parametrize("label", sorted(OPERATIONS.keys() - ENDS_THE_SESSION))
def test_every_operation_for_long(city: City, label: str) -> None:
    tried(label, city, LONG_TRIES)
