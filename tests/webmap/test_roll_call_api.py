"""Roll calls and seats over a real server: sixty terminals of three protocols, of which five say nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.server import Server, until
from tests.webmap.devices import Handheld, Vehicle, now_ms, phone_report
from tests.webmap.people import Person, enter
from tests.webmap.test_api import check

HANDHELDS, VEHICLES, PHONES = 38, 12, 10
SILENT = {3, 17, 36, 41, 55}
"""Three handhelds, a vehicle and a phone."""
LAT, LON = 306_600_000, 1_174_900_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("calls")) as running:
        yield running


def call(server: Server, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
    answer = check(method, path, server.api(method, path, body))
    assert answer.status == status, answer
    return answer.json


@pytest.fixture(scope="module")
def ending(server: Server) -> dict[str, Any]:
    """A call of ten seconds, made before all else."""
    about = {"name": '=HYPERLINK("x")', "street": "北街"}
    unit = call(server, "POST", "/api/v1/units", about, status=201)["units"][0]["id"]
    made: dict[str, Any] = call(server, "POST", "/api/v1/roll-calls", {"units": [unit], "seconds": 10}, status=201)
    return made


class Terminal:
    """One of the sixty: it may be asked, answer, and come back after the server was killed."""

    def __init__(self, server: Server, number: int, made: dict[str, Any]) -> None:
        self.server, self.number, self.made, self.unit = server, number, made, str(made["unit"])
        self.link: Any = None
        self.token = ""

    def connect(self) -> None:
        if self.made["protocol"] == "handheld":
            self.link = Handheld(self.server, self.made["external_id"], self.made["token"])
            self.link.log_in()
        elif self.made["protocol"] == "jt808":
            self.link = Vehicle(self.server, self.made["external_id"], token=self.token)
            if self.token:
                assert self.link.authenticate() == 0
            else:
                self.token = self.link.log_in()

    def cut(self) -> None:
        if self.link is not None:
            self.link.socket.close()

    def answer(self) -> None:
        """Read the question, send a position, and press."""
        lat, lon = LAT + self.number * 1000, LON + self.number * 1000
        if self.made["protocol"] == "handheld":
            asked = self.link.command()
            assert (asked.kind, asked.until > now_ms()) == ("roll_call", True)
            self.link.report((now_ms(), lat, lon, 50))
            self.link.done(asked.id, True)
        elif self.made["protocol"] == "jt808":
            self.link.report(now_ms() // 1000 * 1000, lat, lon)
            self.link.be_located()
        else:
            at = now_ms() // 1000
            told = phone_report(self.server, self.made["external_id"], lat=lat / 1e7, lon=lon / 1e7, timestamp=at)
            assert told.status == 200


def terminals(server: Server) -> list[Terminal]:
    wanted: list[dict[str, Any]] = []
    for number in range(HANDHELDS + VEHICLES + PHONES):
        about = {"name": f"队员 {number}", "team": "点名队", "street": "东街" if number % 2 else "西街"}
        if number < HANDHELDS:
            wanted.append({"protocol": "handheld", "external_id": f"RC-{number}", **about})
        elif number < HANDHELDS + VEHICLES:
            wanted.append({"protocol": "jt808", "external_id": f"{13_800_000_000 + number}", **about})
        else:
            wanted.append({"protocol": "traccar", "external_id": f"roll-call-{number}", **about})
    return [Terminal(server, number, server.register(**one)) for number, one in enumerate(wanted)]


def test_of_sixty_terminals_exactly_the_five_that_say_nothing_are_listed(server: Server, ending: Any) -> None:
    fleet = terminals(server)
    absent = {one.unit for one in fleet if one.number in SILENT}
    for one in fleet:
        one.connect()
    made = call(server, "POST", "/api/v1/roll-calls", {"team": "点名队", "seconds": 1800}, status=201)
    path = f"/api/v1/roll-calls/{made['id']}"
    assert (made["counts"]["units"], len(made["silent"]), made["ended"]) == (60, 60, None)
    for one in fleet:
        if one.number not in SILENT and one.number % 2:
            one.answer()
    early = {one.unit for one in fleet if one.number % 2 and one.number not in SILENT}
    until(
        "the first have answered", lambda: {one.unit for one in fleet} - early == {*call(server, "GET", path)["silent"]}
    )
    server.kill()
    for one in fleet:
        one.cut()
    server.start()
    for one in fleet:
        one.connect()
    for one in fleet:
        if one.number not in SILENT and not one.number % 2:
            one.answer()
    until("all but five have answered", lambda: len(call(server, "GET", path)["silent"]) <= len(SILENT))
    found = call(server, "GET", path)
    assert {*found["silent"]} == absent
    until("they have pressed", lambda: call(server, "GET", path)["counts"]["confirmed"] == HANDHELDS - 3)
    found = {one["unit"]: one for one in call(server, "GET", path)["units"]}
    for one in fleet:
        told = found[one.unit]
        if one.number in SILENT:
            # The five come back after the kill as the others do: those that can be asked have been told again.
            assert told["state"] == ("no_device" if one.number >= HANDHELDS + VEHICLES else "asked")
            assert told["position"] is None
        else:
            assert told["state"] == ("confirmed" if one.number < HANDHELDS else "position")
            assert round(told["position"]["lat"] * 1e7) == LAT + one.number * 1000
            assert told["position"]["fix_time"] >= made["asked"] // 1000 * 1000
    # As a table: the five stand first.
    table = server.api("GET", f"{path}/csv")
    check("GET", f"{path}/csv", table)
    rows = list(csv.reader(io.StringIO(table.body.decode("utf-8-sig"))))
    assert len(rows) == 61
    assert {row[0] for row in rows[1:6]} == absent
    for one in fleet:
        one.cut()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"units": ["nobody"]}, "no_unit"),
        ({"units": "p1"}, "bad_roll_call"),
        ({"street": 7}, "bad_roll_call"),
        ({"whom": "all"}, "bad_roll_call"),
        ([], "bad_roll_call"),
        ({"street": "没有这条街"}, "nobody"),
        ({"units": []}, "nobody"),
        ({"street": "东街", "seconds": 5}, "bad_seconds"),
    ],
)
def test_calls_that_cannot_be(server: Server, body: Any, code: str) -> None:
    assert call(server, "POST", "/api/v1/roll-calls", body, status=422)["error"]["code"] == code
    assert call(server, "GET", "/api/v1/roll-calls/none", status=404)["error"]["code"] == "not_found"


@pytest.fixture(scope="module")
def east(server: Server) -> Iterator[Person]:
    with enter(server, "east", role="street", streets=["东关"]) as person:
        yield person


Ask = Callable[..., Any]


def test_a_street_calls_its_own_and_knows_of_no_others(server: Server, east: Person) -> None:
    mine, other = (
        call(server, "POST", "/api/v1/units", {"name": street, "street": street}, status=201)["units"][0]["id"]
        for street in ("东关", "西关")
    )
    both = call(server, "POST", "/api/v1/roll-calls", {"units": [mine, other]}, status=201)
    theirs = call(server, "POST", "/api/v1/roll-calls", {"units": [other]}, status=201)
    seen = check("GET", f"/api/v1/roll-calls/{both['id']}", east.ask("GET", f"/api/v1/roll-calls/{both['id']}")).json
    assert ([one["unit"] for one in seen["units"]], seen["silent"]) == ([mine], [mine])
    assert [one["id"] for one in east.ask("GET", "/api/v1/roll-calls").json["roll_calls"]] == [both["id"]]
    assert east.ask("GET", f"/api/v1/roll-calls/{theirs['id']}").status == 404
    assert other.encode() not in east.ask("GET", f"/api/v1/roll-calls/{both['id']}/csv").body
    refused = east.ask("POST", "/api/v1/roll-calls", {"units": [other]})
    assert (refused.status, refused.code) == (422, "no_unit")
    own = east.ask("POST", "/api/v1/roll-calls", {}).json
    assert ([one["unit"] for one in own["units"]], own["by"]) == ([mine], "east")


def test_a_seat_is_manned_while_its_account_is_there(server: Server, east: Person) -> None:
    always = {"periods": ["00:00-24:00"], "weekdays": [1, 2, 3, 4, 5, 6, 7]}
    mine = call(server, "POST", "/api/v1/seats", {"name": "东关街道", "street": "东关", **always}, status=201)
    other = call(server, "POST", "/api/v1/seats", {"name": "西关街道", "street": "西关", **always}, status=201)
    east.ask("GET", "/api/v1/me")
    found = {one["id"]: one for one in call(server, "GET", "/api/v1/seats")["seats"]}
    assert (found[mine["id"]]["state"], found[mine["id"]]["present"]) == ("manned", ["east"])
    assert (found[other["id"]]["state"], found[other["id"]]["present"]) == ("waited_for", [])
    assert [one["id"] for one in check("GET", "/api/v1/seats", east.ask("GET", "/api/v1/seats")).json["seats"]] == [
        mine["id"]
    ]
    assert east.ask("POST", "/api/v1/seats", {"name": "x", "street": "东关"}).code == "no_right"
    changed = call(server, "PATCH", f"/api/v1/seats/{other['id']}", {"accounts": ["east"], "weekdays": None})
    assert (changed["present"], changed["weekdays"]) == (["east"], None)
    assert call(server, "DELETE", f"/api/v1/seats/{other['id']}") == {}
    assert call(server, "DELETE", f"/api/v1/seats/{other['id']}", status=404)["error"]["code"] == "not_found"
    assert call(server, "POST", "/api/v1/seats", {"chair": 1}, status=422)["error"]["code"] == "bad_seat"
    assert (
        call(server, "POST", "/api/v1/seats", {"name": "东关街道", "street": "x"}, status=409)["error"]["code"]
        == "exists"
    )


def test_a_call_ends_and_says_so(server: Server, ending: dict[str, Any]) -> None:
    """Also when the server was killed meanwhile."""
    path, (unit,) = f"/api/v1/roll-calls/{ending['id']}", ending["units"]
    assert unit["state"] == "no_device"
    until("it is over", lambda: call(server, "GET", path)["ended"])
    assert call(server, "GET", path)["silent"] == [unit["unit"]]
    table = server.api("GET", f"{path}/csv").body.decode("utf-8-sig")
    assert "\"'=HYPERLINK" in table, "no formula leaves the house"
