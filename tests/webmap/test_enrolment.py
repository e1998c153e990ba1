"""A phone is given to somebody over the field's site, taken back, shut out: against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.browser import Browser
from tests.server import Answer, Server, until
from tests.webmap.devices import Handheld, now_ms
from tests.webmap.people import enter


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("enrolment")) as running:
        yield running


def field(server: Server) -> str:
    return f"http://127.0.0.1:{server.ports['field']}"


def person(server: Server, name: str, **fields: Any) -> str:
    made = server.api("POST", "/api/v1/units", {"name": name, **fields}).json["units"]
    return str(made[0]["id"])


def code(server: Server, unit: str, app: str = "traccar", **fields: Any) -> Any:
    answer = server.api("POST", f"/api/v1/units/{unit}/enrolment", {"app": app, "base": field(server), **fields})
    assert answer.status == 201, answer
    return answer.json


def join(server: Server, **given: Any) -> Answer:
    return server.ask(
        "POST", "/api/v1/join", json.dumps({"base": field(server), **given}).encode(),
        {"content-type": "application/json"}, port="field",
    )  # fmt: skip


def test_any_phone_becomes_somebodys_and_then_somebody_elses(server: Server) -> None:
    ali, bao = person(server, "Ali"), person(server, "Bao")
    offer = code(server, ali)
    assert offer["link"].startswith(f"{field(server)}/join#")
    told = join(server, code=f"{offer['digits'][:3]} {offer['digits'][3:]}").json
    assert (told["name"], told["again"]) == ("Ali", False)
    assert told["setup"]["link"].startswith("org.traccar.client://config?")
    seen = server.get(f"/api/v1/enrolments/{offer['id']}")
    assert (seen["state"], seen["device"]) == ("used", told["device"])
    assert "digits" not in seen
    assert join(server, code=offer["digits"]).code == "bad_code"
    # The same phone, the next shift: nothing to set up.
    offer = code(server, bao)
    own = {"device": told["device"], "secret": told["secret"]}
    again = join(server, secret=offer["link"].partition("#")[2], own=own).json
    assert (again["device"], again["name"], again["again"], again["setup"]) == (told["device"], "Bao", True, None)
    device = server.get(f"/api/v1/devices/{told['device']}")
    assert device["unit"] == bao
    assert [binding["unit"] for binding in device["bindings"]] == [ali, bao]
    # Who does not prove it is another device.
    offer = code(server, ali)
    other = join(server, code=offer["digits"], own={**own, "secret": "guessed"}).json
    assert other["device"] != told["device"]


def test_a_handheld_gets_its_configuration_and_is_cut_off_when_it_is_shut_out(server: Server) -> None:
    offer = code(server, person(server, "Cai"), "handheld")
    told = join(server, code=offer["digits"]).json
    config = json.loads(told["config"])
    assert config["server"] == f"{field(server).replace('http', 'ws')}/handheld"
    with Handheld(server, config["device"], config["token"]) as handheld:
        handheld.log_in()
        assert server.api("DELETE", f"/api/v1/devices/{told['device']}/token").json["revoked"] is True
        until("it is cut off", handheld.is_closed)
    with Handheld(server, config["device"], config["token"]) as handheld:
        assert handheld.is_closed()
    renewed = server.api("POST", f"/api/v1/devices/{told['device']}/token").json
    with Handheld(server, config["device"], renewed["token"]) as handheld:
        handheld.log_in()


def test_a_device_that_may_not_speak_from_where_it_is_any_more_is_cut_off(server: Server) -> None:
    made = server.register("handheld", "elsewhere")
    path = f"/api/v1/devices/{made['id']}"
    with Handheld(server, "elsewhere", made["token"]) as handheld:
        handheld.log_in()
        assert server.api("PATCH", path, {"networks": ["192.0.2.0/24"]}).status == 200
        until("it is cut off", handheld.is_closed)
    with Handheld(server, "elsewhere", made["token"]) as handheld:
        assert handheld.is_closed()
    assert server.api("PATCH", path, {"networks": ["127.0.0.0/8"]}).status == 200
    with Handheld(server, "elsewhere", made["token"]) as handheld:
        handheld.log_in()


def test_a_seat_withdraws_a_code_and_is_told_what_cannot_be(server: Server) -> None:
    unit = person(server, "Dan")
    offer = code(server, unit)
    assert server.api("DELETE", f"/api/v1/enrolments/{offer['id']}").json["state"] == "withdrawn"
    assert join(server, secret=offer["link"].partition("#")[2]).code == "bad_code"
    path = f"/api/v1/units/{unit}/enrolment"
    assert server.api("POST", path, {"app": "jt808", "base": field(server)}).code == "bad_app"
    assert server.api("POST", path, {"app": "traccar", "base": "phone"}).code == "bad_base"
    shift = {"app": "traccar", "base": field(server), "shift": True}
    assert server.api("POST", path, shift).code == "no_shift"
    events = person(server, "Eve", duty="events")
    assert code(server, events, shift=True)["shift"] is True
    door = server.get("/api/v1/enrolments")["door"]
    assert (door["port"], door["local"]) == (server.ports["field"], True)


@pytest.mark.parametrize("change", [{"disabled": True}, {"streets": ["Other"]}, {"role": "auditor"}, None])
def test_a_right_that_has_ended_leaves_no_code_behind(server: Server, change: dict[str, Any] | None) -> None:
    unit, name = person(server, "Fan", street="Here"), f"giver-{change}".replace(" ", "").replace(":", "")
    with enter(server, name, role="street", streets=["Here"]) as giver:
        given = {"app": "traccar", "base": field(server)}
        offer = giver.ask("POST", f"/api/v1/units/{unit}/enrolment", given).json
    path = f"/api/v1/accounts/{quote(name)}"
    assert (server.api("PATCH", path, change) if change else server.api("DELETE", path)).status == 200
    assert join(server, code=offer["digits"]).code == "bad_code"
    assert join(server, secret=offer["link"].partition("#")[2]).code == "bad_code"


def test_a_correction_shows_in_tracks(server: Server) -> None:
    ali, bao = person(server, "Track A"), person(server, "Track B")
    device = server.register("handheld", "corrected", unit=ali)
    now = now_ms()
    with Handheld(server, "corrected", device["token"]) as handheld:
        handheld.log_in()
        handheld.report((now - 600_000, 311_500_000, 1_215_500_000))
        until("it is stored", lambda: len(points(server, ali, now)) == 1)
    bound = server.api("POST", f"/api/v1/devices/{device['id']}/binding", {"unit": bao, "from": now - 900_000}).json
    assert bound["unit"] == bao
    assert len(points(server, bao, now)) == 1
    assert points(server, ali, now) == []
    back = server.api("POST", f"/api/v1/devices/{device['id']}/binding", {"unit": None}).json
    assert back["unit"] is None
    assert len(points(server, bao, now)) == 1


def test_a_correction_shows_nothing_else_of_who_had_it_and_nothing_of_off_duty(server: Server) -> None:
    """The other's own phone goes on being his, and where somebody was off duty nobody is told by this way either."""
    ali, bao = person(server, "Track C"), person(server, "Track D", duty="events")
    now = now_ms()
    token = {name: server.register("handheld", name, unit=ali) for name in ("his own", "in between")}
    for n, (name, device) in enumerate(token.items()):
        with Handheld(server, name, device["token"]) as handheld:
            handheld.log_in()
            handheld.report(*((now - 600_000 + 1000 * k, 311_500_000 + 10 * n + k, 1_215_500_000) for k in range(4)))
    until("they are stored", lambda: len(points(server, ali, now)) == 8)
    on = {"on": True, "at": now - 600_000, "until": now - 598_000}
    assert server.api("POST", f"/api/v1/units/{bao}/duty", on).status == 201
    path = f"/api/v1/devices/{token['in between']['id']}/binding"
    assert server.api("POST", path, {"unit": bao, "from": now - 900_000}).status == 200
    assert [point["lat"] for point in points(server, bao, now)] == [31.150001, 31.1500011]
    assert len(points(server, ali, now)) == 4


def points(server: Server, unit: str, now: int) -> list[Any]:
    found: list[Any] = server.get(f"/api/v1/units/{unit}/track?from={now - 1_000_000}&to={now}&reason=test")["points"]
    return found


def test_the_field_has_the_page_and_nothing_of_the_console(server: Server) -> None:
    page = server.ask("GET", "/join", port="field")
    assert page.status == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for name in ("join.js", "dom.js", "i18n.js", "join_words.js", "boot.js", "tokens.css", "join.css", "icon.svg"):
        assert name.encode() in page.body or name in ("dom.js", "i18n.js", "join_words.js")
        assert server.ask("GET", f"/join/{name}", port="field").status == 200
    for path in ("/join/api.js", "/static/api.js", "/api/v1/units", "/api/v1/login", "/join/..%2fapi.js", "/login"):
        assert server.ask("GET", path, port="field").status in (404, 405)
    typed = server.ask("GET", "/", headers={"accept": "text/html,*/*"}, port="field")
    assert (typed.status, typed.headers["location"]) == (302, "/join"), "who types the address is led to the page"
    assert server.ask("GET", "/", port="field").status == 400
    forged = {"origin": "http://elsewhere.example", "content-type": "application/json"}
    assert server.ask("POST", "/api/v1/join", b"{}", forged, port="field").status == 403


@pytest.mark.browser
def test_a_code_that_is_scanned_while_the_page_is_open_counts(server: Server, browser: Browser) -> None:
    page = browser.page(390, 844, phone=True)
    page.goto(f"{field(server)}/join")
    page.wait("document.activeElement.id === 'code'")
    page.run("location.hash = 'a-secret', 1")
    page.wait("document.getElementById('code-box')?.hidden && location.hash === ''")
    assert page.problems == []
    page.close()
