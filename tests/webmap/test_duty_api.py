"""On and off duty over a real server: told by a handheld and at the seat; nothing of off duty is stored, and what was
stored before a late "off" came is taken out again, whatever is killed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from protocols.handheld import Acknowledged
from tests.server import Server, until
from tests.traces import traces
from tests.webmap.devices import Handheld, now_ms
from tests.webmap.people import enter

LAT, LON = 306_611_000, 1_174_922_000
SECOND = 1000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("duty")) as made:
        yield made


def registered(server: Server, name: str) -> tuple[str, str]:
    """A person whose duty is told by events, with a handheld of this name; unit and token."""
    made = server.api("POST", "/api/v1/units", {"name": name, "duty": "events"}).json["units"][0]
    assert made["duty"] == {"mode": "events", "on": False, "since": None, "until": None, "by": None}
    device = server.api("POST", "/api/v1/devices", {"protocol": "handheld", "external_id": name, "unit": made["id"]})
    return made["id"], device.json["token"]


def tell(device: Handheld, on: bool, at: int, id: str) -> None:
    device.client.add_duty(on, at, id)
    device.flush()
    device.wait(Acknowledged)


def unit_of(server: Server, unit: str) -> Any:
    return server.api("GET", f"/api/v1/units/{unit}").json


def called(server: Server, call: str) -> Any:
    """What came of asking somebody alone."""
    return server.get(f"/api/v1/roll-calls/{call}")["units"][0]


def left(server: Server, *latitudes: int) -> list[str]:
    return traces(server.data, [], [(latitude, 0) for latitude in latitudes])


def test_off_duty_nothing_is_stored_and_nothing_is_told(server: Server) -> None:
    unit, token = registered(server, "h-off")
    with Handheld(server, "h-off", token) as device:
        device.log_in()
        device.report((now_ms(), LAT + 1, LON), (now_ms() - 5, LAT + 2, LON, None, 5))
        device.client.add_health(now_ms(), battery=71)
        device.settle()
    view = unit_of(server, unit)
    assert (view["state"], view["position"], view["last_message"]) == ("OFF_SHIFT", None, None)
    assert left(server, LAT + 1, LAT + 2) == []


def test_a_device_tells_and_is_shown_from_its_first_new_fix_on(server: Server) -> None:
    unit, token = registered(server, "h-on")
    start = now_ms()
    with Handheld(server, "h-on", token) as device:
        device.log_in()
        tell(device, True, start, "e1")
        tell(device, True, start, "e1")
        device.report((now_ms(), LAT + 11, LON))
        until("it is shown", lambda: unit_of(server, unit)["position"])
        view = unit_of(server, unit)
        assert view["duty"] == {
            "mode": "events", "on": True, "since": start, "until": start + 16 * 3_600_000, "by": "device",
        }  # fmt: skip
        assert view["position"]["lat"] == (LAT + 11) / 1e7
        tell(device, False, now_ms(), "e2")
        off = until("it is off duty", lambda: (v := unit_of(server, unit))["state"] == "OFF_SHIFT" and v)
        assert off["position"] is None
        tell(device, True, now_ms(), "e3")
        assert unit_of(server, unit)["duty"]["on"]
        assert unit_of(server, unit)["position"] is None
    duty = server.api("GET", f"/api/v1/units/{unit}/duty").json
    assert [one["by"] for one in duty["intervals"]] == ["device", "device"]


def test_a_call_for_help_off_duty_is_kept_and_only_its_first_place(server: Server) -> None:
    unit, token = registered(server, "h-sos")
    with Handheld(server, "h-sos", token) as device:
        device.log_in()
        for n in range(3):
            device.report((now_ms(), LAT + 20 + n, LON, None, None, None, None, 0, 1))
        device.report((now_ms(), LAT + 23, LON))
    view = until("it is shown", lambda: (v := unit_of(server, unit))["position"] and v)
    assert view["state"] == "OFF_SHIFT"
    assert view["position"]["lat"] == (LAT + 20) / 1e7
    assert view["alarm"] == 1
    assert left(server, LAT + 21, LAT + 22, LAT + 23) == []


def test_the_seat_tells_corrects_and_takes_back(server: Server) -> None:
    unit, _ = registered(server, "h-seat")
    path = f"/api/v1/units/{unit}/duty"
    told = server.api("POST", path, {"on": True})
    assert told.status == 201
    assert told.json["on"]
    assert told.json["by"] == "seat"
    assert server.api("DELETE", f"{path}/{told.json['told']}").json["intervals"] == []
    assert server.api("DELETE", f"{path}/{told.json['told']}").status == 404
    at = now_ms() - 3_600_000
    corrected = server.api("POST", path, {"on": True, "at": at, "until": at + 60_000}).json
    assert corrected["intervals"] == [{"start": at, "end": at + 60_000, "by": "seat"}]
    for body, code in (
        ({"on": 1}, "bad_duty"),
        ({"on": True, "at": -1}, "bad_time"),
        ({"on": True, "at": at, "until": at}, "bad_time"),
        ({"on": True, "at": now_ms() + 1_000_000}, "future"),
        ({"on": True, "at": 0}, "too_old"),
    ):
        refused = server.api("POST", path, body)
        assert (refused.status, refused.code) == (422, code)
    always = server.api("POST", "/api/v1/units", {"name": "always"}).json["units"][0]["id"]
    assert server.api("POST", f"/api/v1/units/{always}/duty", {"on": False}).code == "always"


def test_a_collector_tells_only_how_it_is_now(server: Server) -> None:
    unit, _ = registered(server, "h-own")
    path = f"/api/v1/units/{unit}/duty"
    with enter(server, "collector-of-duty", role="collector", unit=unit) as collector:
        told = collector.ask("POST", path, {"on": True})
        assert told.status == 201
        assert collector.ask("POST", path, {"on": False, "at": now_ms() - 60_000}).code == "not_now"
        assert collector.ask("POST", path, {"on": True, "until": now_ms()}).code == "not_now"
        assert collector.ask("DELETE", f"{path}/{now_ms() - 600_000}-on").code == "too_late"
        assert collector.ask("DELETE", f"{path}/{told.json['told']}").json["on"] is False
        other = server.api("POST", "/api/v1/units", {"name": "another"}).json["units"][0]["id"]
        assert collector.ask("POST", f"/api/v1/units/{other}/duty", {"on": True}).status == 404


def test_a_late_off_takes_out_what_was_stored_whatever_is_killed(server: Server) -> None:
    unit, token = registered(server, "h-late")
    start = now_ms() - 100 * SECOND
    latitudes = [LAT + 100 + n for n in range(6)]
    with Handheld(server, "h-late", token) as device:
        device.log_in()
        tell(device, True, start, "e1")
        for n, latitude in enumerate(latitudes):
            device.report((start + (n + 1) * 10 * SECOND, latitude, LON))
        device.report((start + 90 * SECOND, LAT + 150, LON, None, None, None, None, 0, 1))
        until("it is on the map", lambda: unit_of(server, unit)["position"])
        call = server.api("POST", "/api/v1/roll-calls", {"units": [unit]}).json["id"]
        device.report((now_ms(), LAT + 160, LON))
        answered = until("it answers the call", lambda: called(server, call)["position"])
        assert answered["lat"] == (LAT + 160) / 1e7
        assert left(server, *latitudes)
        tell(device, False, start + 35 * SECOND, "e2")
    server.kill()
    server.start()

    def half_done() -> bool:
        running = server.get("/api/v1/storage")["jobs"]["running"]
        return (running is not None and running["job"] == "remove_off_duty") or not left(server, *latitudes[3:])

    # Promised and killed; begun and killed; and after that all the same.
    until("it is begun", half_done)
    server.kill()
    server.start()
    path = f"/api/v1/units/{unit}/track?from={start}&to={now_ms()}&reason=test"
    kept = [latitude / 1e7 for latitude in [*latitudes[:3], LAT + 150]]
    until("they are gone", lambda: not left(server, *latitudes[3:], LAT + 160))
    assert (called(server, call)["state"], called(server, call)["position"]) == ("position", None)
    assert [point["lat"] for point in server.api("GET", path).json["points"]] == kept
    view = unit_of(server, unit)
    assert (view["state"], view["duty"]["on"]) == ("OFF_SHIFT", False)
    # What stays of that time is the call for help, and that is what is shown.
    assert view["position"]["lat"] == (LAT + 150) / 1e7
    assert left(server, LAT + 150)
