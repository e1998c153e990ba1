"""Role × action × own and foreign: real requests of every kind of account against one server with a city in two
streets. What somebody may reach follows here from the table of rights and from the labels, and from nothing else that
the server does; what is out of reach must be answered like what is not there, and be found in no answer at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from protocols.jt808.client import MediaTaken
from tests.server import Answer, Server, until
from tests.webmap.devices import Vehicle, now_ms, phone_report
from tests.webmap.matrix import (
    BELONGS,
    CALL,
    CASES,
    COMMAND,
    DEVICE,
    ELSEWHERE,
    ENROLMENT,
    GRID,
    MESSAGES,
    NOTICE,
    PHONE,
    PHOTO,
    SEAT,
    TASK,
    UNIT,
    VEHICLE,
    Case,
)
from tests.webmap.people import Person, admin_of, enter
from tests.webmap.test_api import routes
from tests.webmap.wire import Socket
from webmap import websocket
from webmap.pages import PAGES
from webmap.rights import MATRIX, UNDIVIDED, Action, Reach, Role

EAST, WEST, ONE, TWO = "东街道", "西街道", "一中队", "二中队"
WORLD = [-90, -180, 90, 180]
MISSING = dict.fromkeys((UNIT, SEAT, CALL, NOTICE, GRID, ENROLMENT, TASK), "nobody") | dict.fromkeys(
    (DEVICE, PHONE, VEHICLE), "d99999"
)
MISSING |= {COMMAND: "AAAAAAAAAAAA", PHOTO: "a" * 24}
JPEG = b"\xff\xd8\xff\xe0"


@dataclass
class Unit:
    """A unit of the city and all that belongs to it: ``ids`` by what they name, and ``marks`` that no answer to others
    may hold."""

    id: str
    street: str
    team: str
    grid: str
    ids: dict[str, str] = field(default_factory=dict)
    marks: set[bytes] = field(default_factory=set)

    def know(self, what: str, identity: str) -> None:
        self.ids[what] = identity
        self.marks.add(f'"{identity}"'.encode())


def make_units() -> dict[str, Unit]:
    found = {}
    for identity, street, team in (("east-one", EAST, ONE), ("east-two", EAST, TWO), ("west-one", WEST, ONE),
                                   ("east-car", EAST, ONE), ("west-car", WEST, TWO)):  # fmt: skip
        unit = found[identity] = Unit(identity, street, team, "g-east" if street == EAST else "g-west")
        unit.know(UNIT, identity)
        unit.marks |= {f"name of {identity}".encode(), f"id of {identity}".encode()}
    return found


ACCOUNTS: dict[str, dict[str, Any]] = {
    "collector": {"role": "collector", "unit": "east-one"},
    "collector-of-nobody": {"role": "collector"},
    "crew": {"role": "crew", "unit": "east-car"},
    "dispatcher": {"role": "dispatcher"},
    "dispatcher-west": {"role": "dispatcher", "streets": [WEST]},
    "street": {"role": "street", "streets": [EAST]},
    "street-team": {"role": "street", "teams": [ONE]},
    "leader": {"role": "leader"},
    "leader-both": {"role": "leader", "streets": [EAST], "teams": [TWO]},
    "auditor": {"role": "auditor"},
    "auditor-west": {"role": "auditor", "streets": [WEST], "unit": "west-one"},
    "admin-east": {"role": "admin", "streets": [EAST]},
    "system": {"role": "system"},
    "system-east": {"role": "system", "streets": [EAST]},
}
NAMES = [*ACCOUNTS, "admin"]


class City:
    def __init__(self, server: Server) -> None:
        self.server, self.units = server, make_units()
        self.people: dict[str, Person] = {}

    def build(self) -> None:
        server = self.server
        grids = []
        for n, street in enumerate((EAST, WEST)):
            west, south = 121.0 + n / 20, 31.0
            ring = [[west, south], [west + 0.05, south], [west + 0.05, south + 0.1], [west, south + 0.1], [west, south]]
            name = "g-east" if street == EAST else "g-west"
            shape = {"type": "Polygon", "coordinates": [ring]}
            grids.append(
                {
                    "type": "Feature",
                    "geometry": shape,
                    "properties": {"id": name, "name": f"{name} 网格", "street": street},
                }
            )
            grids.append(
                {
                    "type": "Feature",
                    "geometry": shape,
                    "properties": {"id": f"{name}-cell", "level": "cell", "parent": name},
                }
            )
        assert server.api("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": grids}).status == 201
        # From now on there is no import to take back.
        assert server.api("PATCH", "/api/v1/grids/g-east", {"owner": "n"}).status == 200
        wanted = [
            {"id": unit.id, "kind": "vehicle" if "car" in unit.id else "person", "name": f"name of {unit.id}",
             "street": unit.street, "team": unit.team, "grid": unit.grid}
            for unit in self.units.values()
        ]  # fmt: skip
        assert server.api("POST", "/api/v1/units", wanted).status == 201
        for number, unit in enumerate(self.units.values()):
            if "car" in unit.id:
                self._car(unit, f"1390000000{number}")
            else:
                made = server.register("traccar", f"id of {unit.id}", unit=unit.id, networks=["127.0.0.0/8"])
                unit.know(DEVICE, made["id"])
                unit.know(PHONE, made["id"])
                wish = {"app": "handheld", "base": "http://city.example:8080"}
                offer = server.api("POST", f"/api/v1/units/{unit.id}/enrolment", wish)
                assert offer.status == 201, offer
                unit.know(ENROLMENT, offer.json["id"])
        seats = {
            street: server.api("POST", "/api/v1/seats", {"name": f"seat of {grid}", "street": street}).json["id"]
            for street, grid in ((EAST, "g-east"), (WEST, "g-west"))
        }
        call = server.api("POST", "/api/v1/roll-calls", {"units": list(self.units)})
        assert call.status == 201, call
        notice = server.api("POST", "/api/v1/notices", {"text": "n", "units": list(self.units), "off_duty": True})
        assert notice.status == 201, notice
        for unit in self.units.values():
            unit.ids |= {GRID: unit.grid, SEAT: seats[unit.street], CALL: call.json["id"], NOTICE: notice.json["id"]}
        for unit in self.units.values():
            place = {"lat": 31.05, "lon": 121.04 if unit.street == EAST else 121.06, "crs": "wgs84"}
            task = server.api("POST", "/api/v1/tasks", {"kind": "verify", **place})
            assert task.status == 201, task
            unit.ids[TASK] = task.json["id"]
            asked = server.api("POST", f"/api/v1/tasks/{task.json['id']}/assign", {"unit": unit.id})
            assert asked.status == 200, asked
        for name, about in ACCOUNTS.items():
            self.people[name] = enter(server, name, **about)
        self.people["admin"] = admin_of(server)
        self.report(now_ms() // 1000 - 60)

    def _car(self, unit: Unit, phone: str) -> None:
        server = self.server
        made = server.register("jt808", phone, unit=unit.id)
        unit.know(DEVICE, made["id"])
        unit.know(VEHICLE, made["id"])
        unit.marks.add(phone.encode())
        with Vehicle(server, phone) as vehicle:
            vehicle.log_in()
            vehicle.terminal.medium(JPEG + unit.id.encode(), event=3)
            vehicle.flush()
            vehicle.wait(MediaTaken)
        asked = server.api("POST", f"/api/v1/devices/{made['id']}/commands", {"kind": "text", "text": f"for {unit.id}"})
        assert asked.status == 202, asked
        unit.know(COMMAND, asked.json["id"])
        unit.marks.add(f"for {unit.id}".encode())
        (photo,) = server.get(f"/api/v1/devices/{made['id']}/photos")["photos"]
        unit.know(PHOTO, photo["id"])
        unit.marks.add(JPEG + unit.id.encode())

    def report(self, at: int) -> None:
        """Every phone reports from its own grid."""
        for unit in self.units.values():
            if PHONE in unit.ids:
                lon = 121.04 if unit.street == EAST else 121.06
                answer = phone_report(self.server, f"id of {unit.id}", lat=31.05, lon=lon, timestamp=at)
                assert answer.status == 200, answer

    def within(self, person: Person, action: Action) -> set[str]:
        """Whom somebody reaches with an action."""
        reach = reach_of(person, action)
        if reach is Reach.OWN:
            return {person.unit} & set(self.units)
        if reach is Reach.NONE or (reach is Reach.AREA and not (person.streets or person.teams)):
            return set()
        return {
            unit.id for unit in self.units.values()
            if (not person.streets or unit.street in person.streets) and (not person.teams or unit.team in person.teams)
        }  # fmt: skip

    def reached(self, person: Person, case: Case) -> set[str]:
        """The units by which somebody reaches what a case names."""
        within = self.within(person, case.action)
        if case.also is not None:
            within = within & self.within(person, case.also)
        if case.thing == TASK:
            return self.tasks(person, case.action)
        if case.thing in (CALL, NOTICE):
            return set(self.units) if within else set()
        if case.thing in (GRID, SEAT) and reach_of(person, case.action) is not Reach.NONE:
            return {unit.id for unit in self.units.values() if not person.streets or unit.street in person.streets}
        return within

    def tasks(self, person: Person, action: Action) -> set[str]:
        """The units whose tasks somebody reaches: his own, or those of his streets, whoever is to do them."""
        reach = reach_of(person, action)
        if reach is Reach.OWN:
            return {person.unit} & set(self.units)
        if reach is Reach.NONE or (reach is Reach.AREA and not (person.streets or person.teams)):
            return set()
        return {unit.id for unit in self.units.values() if not person.streets or unit.street in person.streets}

    def grids(self, person: Person) -> set[str]:
        """The grids that somebody is shown."""
        if reach_of(person, Action.GRIDS) is Reach.OWN:
            return {self.units[person.unit].grid} if person.unit else set()
        return {
            grid
            for grid, street in (("g-east", EAST), ("g-west", WEST))
            if not person.streets or street in person.streets
        }


def reach_of(person: Person, action: Action) -> Reach:
    if action in UNDIVIDED and (person.streets or person.teams):
        return Reach.NONE
    return MATRIX[action][Role(person.role)]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with Server(tmp_path_factory.mktemp("matrix")) as server, ExitStack() as stack:
        made = City(server)
        made.build()
        for person in made.people.values():
            stack.enter_context(person)
        until("all of it is on the map", lambda: server.get("/api/v1/units/west-one")["position"])
        yield made


def keyed() -> set[str]:
    return {f"{method.upper()} {path}" for method, path in routes()}


# The lists are whole.


def test_every_route_is_in_the_table() -> None:
    assert keyed() == CASES.keys() | ELSEWHERE


def test_every_message_of_the_socket_is_in_the_table() -> None:
    assert {op: action for op, (action, _) in websocket.MESSAGES.items()} == MESSAGES


def test_every_route_asks_for_the_right_that_the_table_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the walk below cannot agree with a route that asks for another right of the same roles."""
    declared: dict[str, set[Action]] = {}

    def put(method: str, path: str, action: Action) -> Callable[[Any], Any]:
        declared[f"{method} " + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)] = {action}
        return lambda handler: handler

    monkeypatch.setattr("webmap.api.make_route", lambda app, gate: put)
    routes()
    assert {key: {case.action for case in cases} for key, cases in CASES.items()} == {
        key: actions for key, actions in declared.items() if key not in ELSEWHERE
    }


# The walk.


@pytest.mark.parametrize("name", NAMES)
def test_every_route(city: City, name: str) -> None:
    person = city.people[name]
    for key, cases in CASES.items():
        for case in cases:
            walk(city, person, key, case)


def walk(city: City, person: Person, key: str, case: Case) -> None:
    def ask(unit: Unit | None, named: str) -> Answer:
        method, path = key.split(" ")
        values = {"number": "1", "verb": "phone", "device": named, "street": "", "team": ""}
        values[case.thing or "thing"] = named
        if unit is not None:
            values |= {"street": unit.street, "team": unit.team}
        path = re.sub(r"{(\w+)}", lambda found: values.get(found[1], named), path)
        body: Any = case.body
        if body is not None and not isinstance(body, bytes):
            body = re.sub(r"{(\w+)}", lambda found: values[found[1]], json.dumps(body, ensure_ascii=False)).encode()
        query = re.sub(r"{(\w+)}", lambda found: values[found[1]], case.query)
        return person.ask(method, path + query, body, {"content-type": case.kind} if body is not None else {})

    def plain(answer: Answer, named: str) -> tuple[int, str | None, bytes]:
        return answer.status, answer.headers.get("content-type"), answer.body.replace(named.encode(), b"it")

    if case.thing not in BELONGS:
        answer = ask(None, case.named)
        if reach_of(person, case.action) is Reach.NONE:
            assert (answer.status, answer.code) == (403, "no_right"), (person, key, answer)
        else:
            assert answer.status in case.good, (person, key, answer)
            complete(city, person, case, answer, city.within(person, case.action))
        silent(city, person, key, case, answer, "")
        return
    missing = plain(ask(None, MISSING[case.thing]), MISSING[case.thing])
    if reach_of(person, case.action) is Reach.NONE:
        assert missing[0] == 403
    within, reached = city.within(person, case.action), city.reached(person, case)
    for unit in city.units.values():
        named = unit.ids.get(case.thing)
        if named is None:
            continue
        if case.real and unit.id in reached:
            continue
        answer = ask(unit, named)
        silent(city, person, key, case, answer, named)
        if unit.id in reached:
            assert answer.status in case.good, (person, key, unit.id, answer)
            if len(reached) < len(city.units):
                assert plain(answer, named) != missing, (person, key, unit.id, "reached, and answered like nothing")
            complete(city, person, case, answer, within if case.thing in (CALL, NOTICE) else {unit.id})
        else:
            assert plain(answer, named) == missing, (person, key, unit.id)


def silent(city: City, person: Person, key: str, case: Case, answer: Answer, named: str) -> None:
    """Nothing of anybody out of reach is in an answer, whatever its status."""
    body = answer.body
    if named:
        body = body.replace(named.encode(), b"")
    reached = city.within(person, case.tells or case.action)
    for unit in city.units.values():
        if unit.id not in reached:
            for mark in unit.marks:
                assert mark not in body, (person, key, mark, answer)
    for unit in set(city.units) - city.tasks(person, Action.TASKS):
        assert f'"{city.units[unit].ids[TASK]}"'.encode() not in body, (person, key, unit)
    grids = city.grids(person) | {city.units[unit].grid for unit in reached}
    for grid in {"g-east", "g-west"} - grids:
        assert grid.encode() not in body, (person, key, grid)


def complete(city: City, person: Person, case: Case, answer: Answer, reached: set[str]) -> None:
    """What is within reach is there."""
    if case.lists == "grid":
        told = {feature["id"] for feature in answer.json["features"]}
        assert told == {name for grid in city.grids(person) for name in (grid, f"{grid}-cell")}
    elif case.lists == "seen":
        located = {unit for unit in reached if PHONE in city.units[unit].ids}
        assert {visit["unit"] for visit in answer.json["units"]} == located
    elif case.lists:
        for unit in reached:
            named = city.units[unit].ids.get(case.lists)
            assert named is None or named.encode() in answer.body, (person, unit)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_counted(city: City, name: str) -> None:
    person = city.people[name]
    if reach_of(person, Action.HEALTH) is Reach.NONE:
        return
    reached = city.within(person, Action.HEALTH)
    health = person.ask("GET", "/healthz").json
    assert (health["units"], health["devices_connected"]) == (len(reached), 0)
    families = text_string_to_metric_families(person.ask("GET", "/metrics").body.decode())
    (units,) = (family for family in families if family.name == "gridbeat_units")
    assert sum(sample.value for sample in units.samples) == len(reached)


@pytest.mark.parametrize("name", NAMES)
def test_strangers_are_shown_to_those_who_could_adopt_them(city: City, name: str) -> None:
    phone_report(city.server, "a-stranger", lat=31.0, lon=121.0, timestamp=now_ms() // 1000)
    person = city.people[name]
    adopts = reach_of(person, Action.DEVICES_CHANGE) is not Reach.NONE
    for path in ("/api/v1/devices", "/api/v1/phones"):
        assert bool(person.ask("GET", path).json.get("unknown")) is adopts, path


@pytest.mark.parametrize("name", NAMES)
def test_every_page(city: City, name: str) -> None:
    person = city.people[name]
    for page, action in PAGES.items():
        answer = city.server.ask("GET", f"/{page}", headers={"cookie": f"session={person.token}"})
        if reach_of(person, action) is Reach.NONE:
            assert (answer.status, answer.headers["location"]) == (302, "/"), page
        else:
            assert answer.status == 200, page


# The feed.


@pytest.mark.parametrize("name", NAMES)
def test_the_feed(city: City, name: str) -> None:
    """Rows, roster, states and what is gone; and a message that is none."""
    person = city.people[name]
    if reach_of(person, Action.LIVE) is Reach.NONE:
        with Socket(city.server, person.token) as feed:
            assert feed.rest() == (websocket.NO_RIGHT, "no right to the live map")
        return
    reached = city.within(person, Action.LIVE)
    located = {unit for unit in reached if PHONE in city.units[unit].ids}
    with Socket(city.server, person.token) as feed, Socket(city.server, city.people["admin"].token) as whole:
        for one in (feed, whole):
            one.say({"op": "watch", "box": WORLD, "follow": None})
            one.until(lambda message: message["op"] == "full")
        # That the desk has something new is a number, for whoever it is.
        hello, roster, full = [message for message in feed.heard if message["op"] != "desk"][:3]
        assert (hello["op"], roster["op"], full["op"]) == ("hello", "roster", "full")
        assert set(hello) == {"op", "instance", "now", "city", "demo", "limits"}
        assert set(roster["units"]) == reached
        assert {row[0] for row in full["units"]} == located
        assert {state[0] for state in full["states"]} == reached - located
        # Somebody foreign is followed, and everybody moves.
        for follow in ("west-one", "east-two", "nobody"):
            feed.say({"op": "watch", "box": None, "follow": follow})
            told = feed.until(lambda message, follow=follow: message["op"] == "full" and message["follow"] == follow)
            assert {row[0] for row in told["units"]} == {follow} & located
        feed.say({"op": "watch", "box": WORLD, "follow": None})
        at = now_ms() // 1000
        city.report(at)
        rest = {unit for unit in city.units if PHONE in city.units[unit].ids}
        while rest:
            rest -= {row[0] for row in whole.hear().get("units", ()) if row[6] is not None and row[6] >= at * 1000}
        if located:
            feed.until(
                lambda message: any(row[6] >= at * 1000 for row in message.get("units", ()) if row[6] is not None)
            )
        feed.say({"op": "no such thing"})
        assert feed.rest() == (3003, "not understood")
        for unit in set(city.units) - reached:
            told = [message for message in feed.heard if message.get("follow") != unit]
            text = json.dumps(told, ensure_ascii=False).encode()
            assert not [mark for mark in city.units[unit].marks if mark in text], unit


def test_a_change_of_rights_is_felt_at_once(tmp_path_factory: pytest.TempPathFactory, city: City) -> None:
    """An account that is disabled, or reaches less, is shown nothing more over a socket that is open."""
    for n, change in enumerate(({"disabled": True}, {"streets": [WEST]}, {"role": "collector"})):
        name = f"short-lived-{n}"
        with enter(city.server, name, role="dispatcher") as person, Socket(city.server, person.token) as feed:
            feed.say({"op": "watch", "box": WORLD, "follow": None})
            feed.until(lambda message: message["op"] == "full")
            assert city.people["admin"].ask("PATCH", f"/api/v1/accounts/{name}", change).status == 200
            code, _ = feed.rest() or (0, "")
            assert code in (websocket.SESSION_ENDED, websocket.RIGHTS_CHANGED), change
            if "disabled" in change:
                assert person.ask("GET", "/api/v1/me").status == 401


# What narrowed accounts change.


def test_a_narrowed_account_changes_its_own_part_only(city: City) -> None:
    """The whole way: add, amend, register, draw; nothing of it lands or reaches elsewhere."""
    leader, admin = city.people["leader-both"], city.people["admin"]
    made = leader.ask("POST", "/api/v1/units", {"name": "new"})
    assert made.status == 201, made
    (unit,) = made.json["units"]
    assert (unit["street"], unit["team"]) == (EAST, TWO)
    for body in ({"name": "x", "street": WEST}, {"id": unit["id"], "name": "x", "street": WEST}):
        assert leader.ask("POST", "/api/v1/units", body).code == "out_of_reach"
    device = leader.ask("POST", "/api/v1/devices", {"protocol": "handheld", "external_id": "new-h", "unit": unit["id"]})
    assert device.status == 201, device
    taken = leader.ask("POST", "/api/v1/devices", {"protocol": "traccar", "external_id": "id of west-one"})
    assert taken.status == 409
    assert city.units["west-one"].ids[DEVICE] not in taken.json["error"]["text"]
    # Moved out of reach by somebody else, it is gone for the leader.
    moved = {"id": unit["id"], "name": "new", "street": WEST, "team": TWO}
    assert admin.ask("POST", "/api/v1/units", moved).status == 201
    for path in (f"/api/v1/units/{unit['id']}", f"/api/v1/devices/{device.json['id']}"):
        assert leader.ask("GET", path).status == 404
