"""Rota, calendar, working time and attendance of a real server, every answer held to the document."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from tests.server import Server, until
from tests.webmap.devices import phone_report
from tests.webmap.people import enter
from tests.webmap.test_api import check, error

ZONE = ZoneInfo("Asia/Shanghai")
NORTH, SOUTH = "北街道", "南街道"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("rota"), {"working_time": {"country": "cn"}}) as running:
        ring = [[121.0, 31.0], [121.1, 31.0], [121.1, 31.1], [121.0, 31.1], [121.0, 31.0]]
        grid = {"type": "Feature", "properties": {"id": "g1", "street": NORTH},
                "geometry": {"type": "Polygon", "coordinates": [ring]}}  # fmt: skip
        assert running.api("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": [grid]}).status == 201
        units = [
            {"id": "zhang", "name": "=张伟", "street": NORTH, "grid": "g1"},
            {"id": "li", "name": "李", "street": SOUTH},
        ]
        assert running.api("POST", "/api/v1/units", units).status == 201
        running.register("traccar", "phone-of-zhang", unit="zhang", networks=["127.0.0.0/8"])
        yield running


@pytest.fixture
def call(server: Server) -> Callable[..., Any]:
    def ask(method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = check(method, path, server.api(method, path, body))
        assert answer.status == status, answer
        return answer.json

    return ask


Call = Callable[..., Any]


def day(by: int = 0) -> str:
    return (datetime.now(ZONE) + timedelta(days=by)).strftime("%Y-%m-%d")


def shift(call: Call, name: str, *periods: str) -> str:
    known = {one["name"]: one["id"] for one in call("GET", "/api/v1/shifts")["shifts"]}
    made: str = (
        known.get(name) or call("POST", "/api/v1/shifts", {"name": name, "periods": list(periods)}, status=201)["id"]
    )
    return made


def days_of(call: Call, unit: str, first: str, last: str) -> Any:
    told = call("GET", f"/api/v1/rota?from={first}&to={last}&unit={unit}")
    return told["units"][0]["days"]


def test_shifts_come_and_go(call: Call) -> None:
    made = call("POST", "/api/v1/shifts", {"name": "临时", "periods": ["22:00-06:00"], "colour": 3}, status=201)
    assert (made["periods"], made["colour"], made["retired"], made["earlier"]) == (["22:00-06:00"], 3, False, [])
    path = f"/api/v1/shifts/{made['id']}"
    changed = call("PATCH", path, {"periods": ["20:00-04:00"], "from": day(1)})
    assert changed["earlier"] == [{"before": day(1), "periods": ["22:00-06:00"]}]
    assert (
        error(call("POST", "/api/v1/shifts", {"name": "临时", "periods": ["01:00-02:00"]}, status=409))[0] == "exists"
    )
    call("PUT", "/api/v1/rota", {"assignments": [{"unit": "li", "day": day(3), "shift": made["id"]}]})
    assert error(call("DELETE", path, status=422))[0] == "in_use"
    call("DELETE", f"/api/v1/rota?unit=li&from={day(3)}")
    assert call("DELETE", path) == {"retired": False}
    for method in ("PATCH", "DELETE"):
        assert error(call(method, path, {} if method == "PATCH" else None, status=404))[0] == "not_found"
    assert error(call("POST", "/api/v1/shifts", [], status=422))[0] == "bad_body"


def test_a_plan_is_put_read_and_cleared(call: Call) -> None:
    white = shift(call, "白班", "08:00-12:00", "14:00-18:00")
    wanted = {"assignments": [{"unit": "zhang", "day": day(10), "shift": white, "grids": ["g1"]},
                              {"unit": "li", "day": day(10), "shift": "off"}]}  # fmt: skip
    assert call("PUT", "/api/v1/rota", wanted) == {"changed": 2}
    assert call("PUT", "/api/v1/rota", wanted) == {"changed": 0}
    assert days_of(call, "zhang", day(9), day(11)) == {day(10): {"shift": white, "grids": ["g1"]}}
    pattern = {"units": ["zhang", "li"], "from": day(17), "to": day(17), "repeat": 7}
    assert call("PUT", "/api/v1/rota", pattern) == {"changed": 2}
    both = call("GET", f"/api/v1/rota?from={day(17)}&to={day(17)}")
    assert [unit["days"][day(17)]["shift"] for unit in both["units"] if unit["id"] in ("zhang", "li")] == [white, "off"]
    assert [one["day"] for one in both["calendar"]] == [day(17)]
    assert call("DELETE", f"/api/v1/rota?unit=zhang&unit=li&from={day(10)}&to={day(17)}") == {"changed": 4}
    assert days_of(call, "zhang", day(9), day(20)) == {}
    narrowed = call("GET", f"/api/v1/rota?street={quote(SOUTH)}")
    assert [unit["id"] for unit in narrowed["units"]] == ["li"]


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/api/v1/rota?from=yesterday", None, "bad_day"),
        ("GET", "/api/v1/rota?from=2026-02-30", None, "bad_day"),
        ("GET", "/api/v1/rota?from=2020-01-01", None, "bad_day"),
        ("PUT", "/api/v1/rota", {"assignments": ["x"]}, "bad_assignments"),
        ("PUT", "/api/v1/rota", {}, "no_units"),
        ("PUT", "/api/v1/rota", {"assignments": [{"unit": "nobody"}]}, "no_unit"),
        ("DELETE", "/api/v1/rota", None, "no_units"),
        ("GET", "/api/v1/calendar?month=2026-13", None, "bad_month"),
        ("GET", "/api/v1/working-time?limit_s=-1", None, "bad_limit"),
        ("GET", "/api/v1/working-time?start=0&limit_s=1", None, "no_working_time"),
        ("GET", "/api/v1/attendance?format=pdf", None, "bad_format"),
    ],
)
def test_what_cannot_be_asked(call: Call, method: str, path: str, body: Any, code: str) -> None:
    assert error(call(method, path, body, status=422))[0] == code


def test_spans_are_bounded_and_nobody_is_not_found(call: Call) -> None:
    assert error(call("GET", f"/api/v1/rota?from={day()}&to={day(62)}", status=422))[0] == "bad_span"
    assert error(call("GET", f"/api/v1/rota?from={day(1)}&to={day()}", status=422))[0] == "bad_span"
    assert error(call("GET", f"/api/v1/attendance?from={day(-31)}&to={day()}", status=422))[0] == "bad_span"
    for path in ("rota", "attendance"):
        assert error(call("GET", f"/api/v1/{path}?unit=nobody", status=404))[0] == "not_found"


def test_months_and_deadlines(call: Call) -> None:
    month = call("GET", "/api/v1/calendar?month=2026-10")
    assert month["hours"] == ["08:00-12:00", "14:00-18:00"]
    assert (len(month["days"]), month["zone"]) == (31, "Asia/Shanghai")
    kinds = [one["kind"] for one in month["days"][:11]]
    assert kinds == ["holiday"] * 7 + ["workday"] * 2 + ["makeup", "weekend"]
    assert not call("GET", "/api/v1/calendar?month=2031-02")["days"][0]["known"]
    assert len(call("GET", "/api/v1/calendar")["days"]) >= 28
    told = call("GET", "/api/v1/working-time?start=2026-09-30T17:00&limit_s=7200")
    assert datetime.fromtimestamp(told["deadline"] / 1000, ZONE).strftime("%Y-%m-%d %H:%M") == "2026-10-08 09:00"
    assert (told["day"]["day"], told["known"]) == ("2026-10-08", True)
    assert not call("GET", "/api/v1/working-time?start=2026-12-31T17:00&limit_s=36000")["known"]


def test_a_street_seat_gives_its_own_grids_and_those_that_somebody_has(server: Server, call: Call) -> None:
    white = shift(call, "白班", "08:00-12:00", "14:00-18:00")

    def wanted(grid: str, ahead: int) -> dict[str, Any]:
        return {"assignments": [{"unit": "li", "day": day(ahead), "shift": white, "grids": [grid]}]}

    with enter(server, "seat-south", role="street", streets=[SOUTH]) as seat:
        answers = [seat.ask("PUT", "/api/v1/rota", wanted(grid, 30)) for grid in ("g1", "g9")]
        assert [one.code for one in answers] == ["no_grid", "no_grid"]
        assert answers[0].body == answers[1].body, "one out of reach is one that there is not"
        call("PUT", "/api/v1/rota", wanted("g1", 31))
        assert seat.ask("PUT", "/api/v1/rota", wanted("g1", 31)).status == 200


def test_a_street_seat_plans_its_own_people(server: Server, call: Call) -> None:
    white = shift(call, "白班", "08:00-12:00", "14:00-18:00")
    with enter(server, "seat-north", role="street", streets=[NORTH]) as seat:
        mine = {"assignments": [{"unit": "zhang", "day": day(20), "shift": white}]}
        assert seat.ask("PUT", "/api/v1/rota", mine).json == {"changed": 1}
        theirs = {"assignments": [{"unit": "li", "day": day(20), "shift": white}]}
        nobody = {"assignments": [{"unit": "nobody", "day": day(20), "shift": white}]}
        refused = [seat.ask("PUT", "/api/v1/rota", body) for body in (theirs, nobody)]
        assert [answer.status for answer in refused] == [422, 422]
        assert refused[0].json == refused[1].json
        assert [unit["id"] for unit in seat.ask("GET", "/api/v1/rota").json["units"]] == ["zhang"]
        for method, path, body in (("POST", "/api/v1/shifts", {"name": "x", "periods": ["01:00-02:00"]}),
                                   ("PATCH", f"/api/v1/shifts/{white}", {"colour": 1}),
                                   ("DELETE", f"/api/v1/shifts/{white}", None)):  # fmt: skip
            answer = check(method, path, seat.ask(method, path, body))
            assert (answer.status, answer.code) == (403, "no_right")


def test_attendance_of_a_day(server: Server, call: Call) -> None:
    """Half an hour without a fix, and twenty minutes outside the grid; nobody looks without a trace. It was before the
    server's first start: what a phone sends later is known, and whether anybody was late is not."""
    morning = shift(call, "上午", "08:00-10:00")
    yesterday = day(-1)
    plan = [{"unit": unit, "day": yesterday, "shift": morning} for unit in ("zhang", "li")]
    call("PUT", "/api/v1/rota", {"assignments": plan})
    start = int(datetime.fromisoformat(f"{yesterday} 08:00").replace(tzinfo=ZONE).timestamp())
    for minute in range(30, 120, 2):
        lat = 31.5 if 60 <= minute < 80 else 31.05
        answer = phone_report(server, "phone-of-zhang", lat=lat, lon=121.05, timestamp=start + minute * 60)
        assert answer.status == 200

    def row(unit: str) -> Any:
        (found,) = call("GET", f"/api/v1/attendance?from={yesterday}&unit={unit}")["rows"]
        return found

    until("all of it is there", lambda: row("zhang")["last_fix"] == (start + 118 * 60) * 1000)
    found = row("zhang")
    assert (found["state"], found["shift"], found["told"]) == ("present", morning, False)
    assert (found["planned_ms"], found["on_duty_ms"]) == (7_200_000, 7_200_000)
    assert (found["late_ms"], found["early_ms"]) == (None, 0)
    # The way there and back is too fast for anybody: those fixes are not believed, and what is unknown blames nobody.
    assert found["off_post_ms"] % 120_000 == 0
    assert found["with_fix"] == 1.0
    assert 0.7 < found["in_grid"] < 1.0
    assert row("li")["state"] == "unknown"
    (free,) = call("GET", f"/api/v1/attendance?from={day(-2)}&unit=li")["rows"]
    assert (free["state"], free["shift"]) == ("free", None)

    told = server.api("GET", f"/api/v1/attendance?from={day(-2)}&to={yesterday}&format=csv")
    assert told.status == 200
    assert told.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(told.body.decode("utf-8-sig"))))
    assert len(rows) == 1 + 2 * 2
    (zhang,) = [dict(zip(rows[0], each, strict=True)) for each in rows if each[:2] == [yesterday, "zhang"]]
    assert zhang["姓名 name"] == "'=张伟", "no spreadsheet takes a name for a formula"
    assert (zhang["计划分钟 planned_min"], zhang["迟到分钟 late_min"]) == ("120.0", "")
    assert zhang["状态 state"] == "出勤 present"

    def looked_at() -> set[str]:
        return {entry["unit"] for entry in call("GET", "/api/v1/access-log?what=attendance")["entries"]}

    until("both looks are on record", lambda: looked_at() >= {"zhang", "li"})
    with enter(server, "zhang-himself", role="collector", unit="zhang") as zhang_himself:
        own = zhang_himself.ask("GET", f"/api/v1/attendance?from={yesterday}").json["rows"]
        assert [one["unit"] for one in own] == ["zhang"]
        assert zhang_himself.ask("GET", "/api/v1/attendance?unit=li").status == 404
