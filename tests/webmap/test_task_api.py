"""Tasks over the API of a real server: made once however often they are sent, with a place that is one, decided by
those who may, told to the case system; and from there to a person's device and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from protocols.handheld import TaskTold
from tests.server import ROOT, Answer, Server, until
from tests.webmap.devices import Handheld, now_ms
from tests.webmap.hook_taker import Taker
from tests.webmap.people import Person, enter
from tests.webmap.test_api import check
from tracker.coordinates import gcj02_to_bd09, wgs84_to_gcj02

HERE = {"lat": 31.05, "lon": 121.02, "crs": "wgs84"}
TASK = {"kind": "verify", "klass": "0101", "text": "井盖缺失", "address": "东街1号", **HERE}
E7 = 10_000_000


@dataclass
class City:
    server: Server
    taker: Taker
    people: dict[str, Person] = field(default_factory=dict)

    def ask(self, name: str, method: str, path: str, body: Any = None, key: str = "") -> Answer:
        """An answer that is as the document says."""
        answer = self.people[name].ask(method, path, body, {"idempotency-key": key} if key else {})
        return check(method, path, answer)

    def make(self, name: str = "case", key: str = "", **others: Any) -> Any:
        answer = self.ask(name, "POST", "/api/v1/tasks", {**TASK, **others}, key)
        assert answer.status == 201, answer
        return answer.json

    def get(self, task: str, name: str = "case") -> Any:
        answer = self.ask(name, "GET", f"/api/v1/tasks/{task}")
        assert answer.status == 200, answer
        return answer.json

    def decide(self, task: str, verb: str, name: str = "case", **given: Any) -> Answer:
        return self.ask(name, "POST", f"/api/v1/tasks/{task}/{verb}", given)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("tasks")
    with ExitStack() as stack:
        taker = stack.enter_context(Taker(folder))
        server = stack.enter_context(Server(folder, {"webhook": taker.settings}))
        made = City(server, taker)
        areas = []
        for n, street in enumerate(("east", "west")):
            west = 121.0 + n / 20
            ring = [[west, 31.0], [west + 0.05, 31.0], [west + 0.05, 31.1], [west, 31.1], [west, 31.0]]
            areas.append({"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]},
                          "properties": {"id": f"g-{street}", "street": street}})  # fmt: skip
        assert server.api("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": areas}).status == 201
        units = [
            {"id": f"p-{street}", "name": f"somebody of {street}", "street": street} for street in ("east", "west")
        ]
        assert server.api("POST", "/api/v1/units", units).status == 201
        accounts: dict[str, dict[str, Any]] = {
            "case": {"role": "system"}, "dispatcher": {"role": "dispatcher"}, "auditor": {"role": "auditor"},
            "east": {"role": "street", "streets": ["east"]}, "west": {"role": "street", "streets": ["west"]},
            "collector": {"role": "collector", "unit": "p-east"},
        }  # fmt: skip
        for name, about in accounts.items():
            made.people[name] = stack.enter_context(enter(server, name, **about))
        yield made


# Made once.


def test_a_task_is_made_once_by_its_key(city: City) -> None:
    made = city.make(key="order-1")
    again = city.ask("case", "POST", "/api/v1/tasks", TASK, "order-1")
    assert (again.status, again.json["id"], again.json["created"]) == (200, made["id"], made["created"])
    other = city.ask("case", "POST", "/api/v1/tasks", {**TASK, "text": "another"}, "order-1")
    assert (other.status, other.code) == (422, "idempotency_mismatch")
    assert city.make("dispatcher", key="order-1")["id"] != made["id"], "another account's keys are its own"
    assert city.make()["id"] != city.make()["id"], "without a key each is another"


def test_what_was_amended_meanwhile_is_the_same_order(city: City) -> None:
    made = city.make(key="order-2")
    amended = city.ask("case", "PATCH", f"/api/v1/tasks/{made['id']}", {"text": "井盖松动", "seen": made["seen"]})
    assert (amended.status, amended.json["text"]) == (200, "井盖松动")
    assert city.ask("case", "POST", "/api/v1/tasks", TASK, "order-2").status == 200


def test_a_task_is_made_once_by_its_id(city: City) -> None:
    made = city.make(id="CASE-1")
    assert made["id"] == "CASE-1"
    assert city.ask("case", "POST", "/api/v1/tasks", {**TASK, "id": "CASE-1"}).status == 200
    other = city.ask("case", "POST", "/api/v1/tasks", {**TASK, "id": "CASE-1", "klass": "0203"})
    assert (other.status, other.code) == (409, "known")


def test_at_the_same_moment_it_is_made_once(city: City) -> None:
    def send(n: int) -> Answer:
        with Person(city.server, "case", city.people["case"].token, {"role": "system"}) as one:
            return one.ask("POST", "/api/v1/tasks", TASK, {"idempotency-key": "order-3"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.json["id"] for answer in answers}) == 1


def test_the_pages_own_example_is_taken(city: City) -> None:
    page = (ROOT / "docs" / "dispatch.md").read_text("utf-8")
    (key,) = re.findall(r"Idempotency-Key: ([^']+)'", page)
    password, body = map(json.loads, re.findall(r"-d '({.*?})'", page))
    assert set(password) == {"old", "new"}
    # The page's place is in the demo city, which is elsewhere.
    made = city.make(key=key, **{**body, "lat": TASK["lat"], "lon": TASK["lon"]})
    assert (made["text"], made["street"]) == ("井盖缺失", "east")


# Where it is.


@pytest.mark.parametrize("crs", ["wgs84", "gcj02", "bd09"])
def test_places_of_all_systems_come_to_the_same(city: City, crs: str) -> None:
    lat, lon = HERE["lat"], HERE["lon"]
    assert isinstance(lat, float)
    assert isinstance(lon, float)
    if crs != "wgs84":
        lat, lon = wgs84_to_gcj02(lat, lon)
    if crs == "bd09":
        lat, lon = gcj02_to_bd09(lat, lon)
    spot = city.make(lat=lat, lon=lon, crs=crs)["spot"]
    assert spot == pytest.approx([HERE["lat"], HERE["lon"]], abs=2e-5)


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"lat": None, "lon": None}, "no_position", "lat and lon"),
        ({"lon": None}, "no_position", "lat and lon"),
        ({"lat": "", "lon": ""}, "no_position", "lat and lon"),
        ({"crs": None}, "no_crs", "wgs84, gcj02 or bd09"),
        ({"crs": "mars"}, "bad_crs", "wgs84, gcj02 or bd09"),
        ({"lat": "31.05"}, "bad_position", "degrees"),
        ({"lat": 95}, "bad_position", "swapped"),
        ({"lat": 10**400}, "bad_position", "degrees"),
        ({"lon": 120.99}, "outside_city", "953 m outside"),
        ({"lat": 0, "lon": 0}, "outside_city", "km outside"),
        ({"kind": "patrol"}, "bad_kind", "verify, check"),
        ({"klass": "01-01"}, "bad_klass", "0203"),
        ({"text": "x" * 1001}, "bad_text", "1000"),
        ({"id": "../x"}, "bad_id", "letters"),
        ({"unit": "nobody"}, "no_unit", "nobody"),
        ({"reporter": "nobody"}, "no_unit", "nobody"),
        ({"due": 1}, "bad_due", "ahead"),
        ({"due": "soon"}, "bad_due", "whole number"),
        ({"colour": "red"}, "bad_task", "not colour"),
    ],
)
def test_what_cannot_be_made(city: City, change: dict[str, Any], code: str, word: str) -> None:
    answer = city.ask("case", "POST", "/api/v1/tasks", {**TASK, **change})
    assert (answer.status, answer.code) == (422, code), answer
    assert word in answer.json["error"]["text"]
    assert answer.json["error"]["zh"]


def test_a_key_that_is_none(city: City) -> None:
    assert city.ask("case", "POST", "/api/v1/tasks", TASK, "with space").code == "bad_key"


def test_a_task_moves_with_its_place(city: City) -> None:
    made = city.make()
    assert (made["grid"], made["street"]) == ("g-east", "east")
    path = f"/api/v1/tasks/{made['id']}"
    version = city.ask("east", "GET", "/api/v1/desk").json["version"]
    assert city.ask("case", "PATCH", path, {"lat": 31.05, "lon": 121.07}).code == "no_crs"
    moved = city.ask("case", "PATCH", path, {"lat": 31.05, "lon": 121.07, "crs": "wgs84"})
    assert (moved.json["grid"], moved.json["street"]) == ("g-west", "west")
    assert city.ask("east", "GET", path).status == 404
    desk = city.ask("east", "GET", f"/api/v1/desk?since={version}").json
    assert (desk["gone"], desk["whole"]) == ([made["id"]], False)
    assert city.ask("west", "GET", path).status == 200


# Decided.


def test_the_life_of_a_task_by_hand(city: City) -> None:
    id = city.make()["id"]
    seen = city.get(id)["seen"]
    assert city.decide(id, "assign", "dispatcher", unit="p-east", seen=seen).json["holder"]["unit"] == "p-east"
    late = city.decide(id, "assign", "dispatcher", unit="p-west", seen=seen)
    assert (late.status, late.code) == (409, "changed")
    assert city.decide(id, "phone", "dispatcher", attempt=1, what="accept").json["state"] == "in_progress"
    assert city.decide(id, "phone", "dispatcher", attempt=1, what="accept").code == "not_now"
    recalled = city.decide(id, "recall", "dispatcher", reason="wrong place")
    assert (recalled.json["state"], recalled.json["pinned"]) == ("queued", "")
    assert city.decide(id, "recall", "dispatcher").code == "nobody"
    assert city.decide(id, "suspend", reason="waits").json["state"] == "suspended"
    assert city.decide(id, "suspend").code == "not_now"
    assert city.decide(id, "resume").json["state"] == "queued"
    assert city.decide(id, "close").code == "no_result"
    assert city.decide(id, "cancel", reason="withdrawn").json["state"] == "cancelled"
    whole = city.get(id)
    decided = ["task", "offer", "pin", "accept", "recall", "suspend", "resume", "cancel"]
    deeds = [deed["what"] for deed in whole["events"] if deed["what"] in decided]
    assert list(dict.fromkeys(deeds)) == decided
    assert whole["attempts"][0]["reason"] == "wrong place"
    assert city.ask("case", "PATCH", f"/api/v1/tasks/{id}", {"text": "x"}).code == "not_now"


@pytest.mark.parametrize(
    ("verb", "given", "status", "code"),
    [
        ("explode", {}, 404, "not_found"),
        ("assign", {}, 422, "no_unit"), ("assign", {"unit": "nobody"}, 422, "no_unit"),
        ("phone", {"what": "sing", "attempt": 1}, 422, "bad_what"), ("phone", {"what": "accept"}, 422, "bad_attempt"),
        ("adopt", {"attempt": 1}, 422, "bad_at"), ("adopt", {"attempt": 1, "at": 1}, 409, "no_result"),
        ("cancel", {"reason": 1}, 422, "bad_reason"), ("cancel", {"colour": 1}, 422, "bad_task"),
    ],
)  # fmt: skip
def test_what_cannot_be_decided(city: City, verb: str, given: dict[str, Any], status: int, code: str) -> None:
    answer = city.people["dispatcher"].ask("POST", f"/api/v1/tasks/{city.make()['id']}/{verb}", given)
    assert (answer.status, answer.code) == (status, code), answer


def test_tasks_are_found(city: City) -> None:
    first = city.make(text="needle-1")["id"]
    second = city.make(text="needle-2")["id"]
    assert city.decide(first, "cancel").status == 200

    def found(query: str) -> list[str]:
        return [row["id"] for row in city.ask("case", "GET", f"/api/v1/tasks?q=needle{query}").json["tasks"]]

    assert found("") == [second, first]
    assert found("&state=open") == [second]
    assert found("&state=cancelled") == [first]
    page = city.ask("case", "GET", "/api/v1/tasks?q=needle&limit=1").json
    assert ([row["id"] for row in page["tasks"]], page["more"]) == ([second], True)
    for query in ("state=none", "limit=0", "limit=201", "before=x"):
        assert city.ask("case", "GET", f"/api/v1/tasks?{query}").status == 422


def test_tasks_are_counted_for_prometheus(city: City) -> None:
    def counted(name: str) -> dict[str, float]:
        families = text_string_to_metric_families(city.people[name].ask("GET", "/metrics").body.decode())
        found = {one.name: sum(sample.value for sample in one.samples) for one in families}
        return {name: value for name, value in found.items() if "task" in name or "round" in name or "webhook" in name}

    before = {name: counted(name)["gridbeat_tasks_open"] for name in ("dispatcher", "east", "west")}
    city.make()
    after = {name: counted(name)["gridbeat_tasks_open"] for name in before}
    assert {name: after[name] - before[name] for name in before} == {"dispatcher": 1, "east": 1, "west": 0}
    numbers = counted("dispatcher")
    assert numbers["gridbeat_webhooks_delivered"] > 0
    assert {"gridbeat_tasks_late", "gridbeat_tasks_level", "gridbeat_dispatch_rounds"} <= numbers.keys()


# Who sees what.


def test_a_street_has_its_own_tasks_and_people(city: City) -> None:
    id = city.make()["id"]
    assert city.decide(id, "assign", "dispatcher", unit="p-west").status == 200
    row = city.get(id, "east")
    assert (row["holder"]["unit"], row["holder"]["name"], row["pinned"]) == (None, None, "")
    assert "p-west" not in str(row)
    assert city.ask("west", "GET", f"/api/v1/tasks/{id}").status == 404
    assert city.decide(id, "cancel", "west").status == 404
    assert city.decide(id, "assign", "east", unit="p-west").code == "no_unit"
    outside = city.ask("west", "POST", "/api/v1/tasks", TASK)
    assert outside.code == "out_of_reach"
    taken = city.ask("west", "POST", "/api/v1/tasks", {**TASK, "lon": 121.07, "id": id})
    assert (taken.status, taken.code) == (409, "taken")
    candidates = city.ask("east", "GET", f"/api/v1/tasks/{id}/candidates").json["candidates"]
    assert {one["unit"] for one in candidates} == {"p-east"}


def test_candidates_of_a_task_that_is_held_and_of_a_place(city: City) -> None:
    id = city.make()["id"]
    city.decide(id, "assign", "dispatcher", unit="p-east")
    whole = city.get(id)
    path = f"/api/v1/tasks/{id}/candidates"
    holder = next(one for one in city.ask("dispatcher", "GET", path).json["candidates"] if one["unit"] == "p-east")
    assert holder["terms"]["backlog"] == 0, "the task itself does not stand before it"
    lat, lon = whole["spot"]
    place = f"/api/v1/candidates?lat={lat}&lon={lon}&crs=wgs84"
    links = city.ask("dispatcher", "GET", f"{place}&klass={whole['klass']}").json["links"]
    assert [(one["task"], one["metres"]) for one in links if one["task"] == id] == [(id, 0)]
    assert city.ask("dispatcher", "GET", f"{place}&klass=0999").json["links"] == []
    assert city.ask("dispatcher", "GET", place).json["links"] == []


def test_the_case_system_is_not_told_where_people_are(city: City) -> None:
    id = city.make()["id"]
    place = "?lat=31.05&lon=121.02&crs=wgs84"
    for path in (f"/api/v1/tasks/{id}/candidates", f"/api/v1/candidates{place}"):
        assert city.ask("case", "GET", path).json["candidates"] == []
        assert city.ask("dispatcher", "GET", path).json["candidates"]
    assert city.ask("case", "GET", "/api/v1/desk").json["sos"] == []
    put = city.people["case"].ask("POST", "/api/v1/units", {"id": "p-new", "name": "n"})
    assert set(put.json["units"][0]) == {"id", "kind", "name", "team", "street", "grid", "vehicle", "duty"}


def test_people_grids_and_shifts_may_be_sent_again(city: City) -> None:
    """A replay is harmless: what is there stays as it is, or is plainly refused."""
    case = city.people["case"]
    unit = {"id": "p-again", "name": "again", "street": "east"}
    ring = [[121.2, 31.0], [121.3, 31.0], [121.3, 31.1], [121.2, 31.0]]
    grid = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {"id": "g-again"}}
    shift = {"name": "早班", "periods": ["06:00-14:00"]}
    sent: dict[str, Any] = {}
    for method, path, body, first, again in (
        ("POST", "/api/v1/units", unit, 201, 201),
        ("POST", "/api/v1/units", [{"name": "without an id"}], 201, 201),
        ("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": [grid]}, 201, 201),
        ("POST", "/api/v1/shifts", shift, 201, 409),
        ("PUT", "/api/v1/rota", sent, 200, 200),
    ):
        if path == "/api/v1/rota":
            shifts = {one["name"]: one["id"] for one in city.server.get("/api/v1/shifts")["shifts"]}
            day = city.ask("case", "GET", "/api/v1/indicators").json["to"]
            sent["assignments"] = [{"unit": "p-again", "day": day, "shift": shifts["早班"]}]
        headers = {"idempotency-key": "people-1"}
        assert case.ask(method, path, body, headers).status == first, path
        assert case.ask(method, path, body, headers).status == again, path
    units = city.server.get("/api/v1/units")["units"]
    assert len([unit for unit in units if unit["name"] in ("again", "without an id")]) == 2
    assert city.server.api("DELETE", "/api/v1/grids/g-again").status == 200


# The whole way.


def test_from_the_case_system_to_a_device_and_back(city: City) -> None:
    server = city.server
    for row in city.ask("case", "GET", "/api/v1/tasks?state=open").json["tasks"]:
        assert city.decide(row["id"], "cancel").status == 200
    device = server.register("handheld", "hh-east", unit="p-east")
    before = now_ms()
    with Handheld(server, "hh-east", device["token"], tasks=True) as handheld:
        handheld.log_in()
        handheld.report((before, round(31.0501 * E7), round(121.0201 * E7), 50))
        id = city.make(text="whole way", klass="0203")["id"]

        def told() -> TaskTold:
            offer: TaskTold = handheld.wait(TaskTold, lambda event: event.task == id and event.what == "offer")
            return offer

        attempt = told().attempt
        for n, what in enumerate(("delivered", "accept", "start", "arrive")):
            handheld.client.add_answer(id, attempt, what, f"e{n}", now_ms())
            handheld.settle()
        handheld.client.add_answer(id, attempt, "report", "e9", now_ms(), word="exist", text="在")
        handheld.settle()
    row = until("it is answered", lambda: (found := city.get(id))["result"] and found)
    assert (row["result"]["word"], row["result"]["unit"], row["result"]["missing"]) == ("exist", "p-east", 1)
    assert city.decide(id, "close", "dispatcher").json["state"] == "closed"
    # Told to the case system, in order, each signed.
    wanted = ["task.created", "task.assigned", "task.accepted", "task.arrived", "task.result", "task.closed"]
    until("all of it is told", lambda: city.taker.types(id) == wanted)
    assert city.taker.wrong == []
    # Recomputed by an auditor, who is on record for that.
    decisions = city.ask("auditor", "GET", f"/api/v1/tasks/{id}/decisions").json["decisions"]
    (chosen,) = (one for one in decisions if one["attempt"] == attempt)
    assert (chosen["chosen"], chosen["recomputed"], chosen["same"]) == ("p-east", "p-east", True)
    assert city.people["dispatcher"].ask("GET", f"/api/v1/tasks/{id}/decisions").code == "no_right"
    looks = city.people["auditor"].ask("GET", "/api/v1/access-log?what=decision").json["entries"]
    assert [entry["about"]["task"] for entry in looks] == [id]
    # Counted.
    for by, key in (("kind", "verify"), ("street", "east"), ("unit", "p-east")):
        rows = city.ask("dispatcher", "GET", f"/api/v1/indicators?by={by}").json["rows"]
        (counted,) = (one for one in rows if one[by] == key)
        assert counted["on_time"] == {"count": 1, "of": 1, "percent": 100.0}
        assert counted["response"]["count"] >= 1
    assert city.ask("west", "GET", "/api/v1/indicators?by=unit").json["rows"] == []
    own = city.ask("collector", "GET", "/api/v1/indicators").json["rows"]
    assert own[0]["on_time"]["count"] == 1
    assert id in {task["id"] for task in city.ask("collector", "GET", "/api/v1/desk").json["tasks"]}
    for query in ("from=yesterday", "by=colour", "from=2026-01-02&to=2026-01-01"):
        assert city.ask("dispatcher", "GET", f"/api/v1/indicators?{query}").status == 422


def test_a_call_for_help_is_shown_until_somebody_takes_care(city: City) -> None:
    device = city.server.register("handheld", "hh-west", unit="p-west")
    with Handheld(city.server, "hh-west", device["token"], tasks=True) as handheld:
        handheld.log_in()
        handheld.report((now_ms(), round(31.05 * E7), round(121.07 * E7), 50, None, None, None, 0, 1))
        handheld.client.add_problem(
            "p1", now_ms(), round(31.05 * E7), round(121.07 * E7), 50, klass="0203", text="塌陷"
        )
        handheld.settle()
    (call,) = until("the seat sees it", lambda: city.ask("west", "GET", "/api/v1/desk").json["sos"])
    assert (call["unit"], call["acknowledged"], call["near"]) == ("p-west", None, [])
    assert city.ask("east", "GET", "/api/v1/desk").json["sos"] == []
    path = f"/api/v1/sos/{call['id']}/acknowledge"
    assert city.ask("east", "POST", path, {}).status == 404
    assert city.ask("west", "POST", path, {}).json["acknowledged"]["by"] == "west"
    (report,) = until("the report is there", lambda: city.ask("west", "GET", "/api/v1/problems").json["problems"])
    assert (report["text"], report["state"]) == ("塌陷", "new")
    taken_up = f"/api/v1/problems/{report['id']}/task"
    assert city.ask("east", "POST", taken_up, {}).status == 404
    made = city.ask("west", "POST", taken_up, {})
    assert (made.status, made.json["klass"]) == (201, "0203")
    assert city.ask("west", "POST", taken_up, {}).json["id"] == made.json["id"]
    assert city.ask("west", "GET", "/api/v1/problems").json["problems"][0]["task"] == made.json["id"]
    assert city.ask("west", "POST", f"/api/v1/problems/{report['id']}/seen", {}).json["state"] == "task"
    types = {message["type"] for _, message in city.taker.taken}
    until("the case system knows", lambda: {"sos.raised", "sos.acknowledged", "problem.reported"} <= types | {
        message["type"] for _, message in city.taker.taken})  # fmt: skip


# After everything else: the server is killed.


def test_what_could_not_be_told_outlives_a_kill(city: City, tmp_path: Path) -> None:
    city.taker.status = 503
    id = city.make(key="order-9")["id"]
    city.decide(id, "suspend")
    city.decide(id, "resume")
    tries = city.taker.tries
    until("it was tried", lambda: city.taker.tries > tries)
    city.server.kill()
    city.taker.status = 204
    city.server.start()
    with Person(city.server, "case", city.people["case"].token, {"role": "system"}) as city.people["case"]:
        city.decide(id, "cancel")
        wanted = ["task.created", "task.suspended", "task.resumed", "task.cancelled"]
        until("all of it is told", lambda: city.taker.types(id) == wanted)
        again = city.ask("case", "POST", "/api/v1/tasks", TASK, "order-9")
        assert (again.status, again.json["id"], again.json["state"]) == (200, id, "cancelled")
        desk = city.ask("case", "GET", "/api/v1/desk?since=1").json
        assert desk["whole"]
        assert desk["words"]["kinds"]["verify"]["results"]["exist"]["zh"]
        assert city.ask("case", "GET", "/api/v1/desk?since=x").code == "bad_since"
