"""Notices and surveys over a real server: from the desk to handhelds, and what comes back of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from protocols.handheld import NoticeTold
from tests.server import Server, until
from tests.webmap.devices import Handheld, now_ms
from tests.webmap.people import Person, enter
from tests.webmap.test_api import check

Call = Callable[..., Any]
HOUR = 3_600_000


def square(id: str, street: str, lon: float) -> dict[str, Any]:
    ring = [[lon, 31.0], [lon + 0.01, 31.0], [lon + 0.01, 31.01], [lon, 31.01], [lon, 31.0]]
    about = {"level": "grid", "name": f"网格 {id}", "street": street}
    return {"type": "Feature", "id": id, "properties": about, "geometry": {"type": "Polygon", "coordinates": [ring]}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("notices")) as running:
        grids = [square("e1", "东街", 121.00), square("e2", "东街", 121.01), square("w1", "西街", 121.02)]
        made = running.api("POST", "/api/v1/grids", {"type": "FeatureCollection", "features": grids})
        assert made.status in (200, 201), made
        for unit, street, grid in (("wang", "东街", "e1"), ("li", "东街", "e2"), ("zhao", "西街", "w1")):
            about = {"id": unit, "name": f"名 {unit}", "street": street, "grid": grid, "team": "一队"}
            assert running.api("POST", "/api/v1/units", about).status == 201
        yield running


@pytest.fixture
def call(server: Server) -> Call:
    def ask(method: str, path: str, body: Any = None, *, status: int = 200, who: Person | None = None) -> Any:
        found = server.api(method, path, body) if who is None else who.ask(method, path, body)
        assert found.status == status, found
        check(method, path, found)
        return found.json

    return ask


@pytest.fixture(scope="module")
def street(server: Server) -> Iterator[Person]:
    """The leader of 东街, who knows of nobody else."""
    with enter(server, "east", role="street", streets=["东街"]) as person:
        yield person


def told_so(call: Call, path: str, counts: tuple[int, int, int]) -> bool:
    """Whether so many are told of it, have it, and have read it."""
    return tuple(call("GET", path)["counts"].values()) == counts


def test_a_notice_reaches_a_street_and_comes_back_read(server: Server, call: Call, street: Person) -> None:
    made = server.register("handheld", "N-1", unit="wang")
    link = Handheld(server, "N-1", made["token"], tasks=True)
    link.log_in()
    about = {"text": "今日有大风", "street": "东街"}
    notice = call("POST", "/api/v1/notices", about, status=201)
    assert [one["unit"] for one in notice["units"]] == ["wang", "li"]
    end = datetime.fromtimestamp(notice["until"] / 1000, ZoneInfo("Asia/Shanghai"))
    assert (end.hour, end.minute) == (0, 0)
    assert 0 < notice["until"] - now_ms() <= 24 * HOUR
    path = f"/api/v1/notices/{notice['id']}"
    told = link.wait(NoticeTold)
    assert (told.id, told.text, told.until) == (notice["id"], "今日有大风", notice["until"])
    for what, counts in (("shown", (2, 1, 0)), ("read", (2, 1, 1))):
        link.client.add_answer(told.id, 1, what, what, now_ms())
        link.settle()
        until(what, partial(told_so, call, path, counts))
    # Whoever reaches one of the two sees him alone; out of reach it does not exist.
    assert call("GET", path, who=street)["counts"] == {"units": 2, "delivered": 1, "read": 1}
    far = call("POST", "/api/v1/notices", {"text": "x", "units": ["zhao"], "until": now_ms() + HOUR}, status=201)
    assert call("GET", f"/api/v1/notices/{far['id']}", status=404, who=street)["error"]["code"] == "not_found"
    assert [one["id"] for one in call("GET", "/api/v1/notices", who=street)["notices"]] == [notice["id"]]
    assert [one["id"] for one in call("GET", "/api/v1/notices")["notices"]] == [far["id"], notice["id"]]
    link.socket.close()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "bad_notice"),
        ({"words": "x"}, "bad_notice"),
        ({"text": "x", "units": "wang"}, "bad_notice"),
        ({"text": "x", "units": ["zhao"]}, "no_unit"),
        ({"text": " ", "units": ["wang"]}, "bad_text"),
        ({"text": "x", "street": 7}, "bad_street"),
        ({"text": "x", "team": "二队"}, "nobody"),
        ({"text": "x", "until": "tomorrow"}, "bad_time"),
        ({"text": "x", "until": 1}, "bad_until"),
    ],
)
def test_what_is_no_notice(call: Call, street: Person, body: Any, code: str) -> None:
    assert call("POST", "/api/v1/notices", body, status=422, who=street)["error"]["code"] == code


def test_a_survey_of_a_street_is_a_task_for_each_grid(call: Call, street: Person) -> None:
    path = "/api/v1/surveys"
    made = call("POST", path, {"id": "lamps", "street": "东街", "text": "清点路灯"}, status=201, who=street)
    assert [(row["task"], row["unit"], row["address"]) for row in made["rows"]] == [
        ("lamps:e1", "wang", "网格 e1"), ("lamps:e2", "li", "网格 e2"),
    ]  # fmt: skip
    due = now_ms() + HOUR
    wider = call("POST", path, {"id": "lamps", "grids": ["w1", "e1"], "text": "清点路灯", "due": due}, status=201)
    assert (wider["counts"]["tasks"], wider["by"]) == (3, "east")
    assert [row["grid"] for row in wider["rows"]] == ["e1", "e2", "w1"]
    cancelled = call("POST", "/api/v1/tasks/lamps:e2/cancel", {"reason": "重复"})
    assert cancelled["state"] == "cancelled"
    seen = call("GET", f"{path}/lamps", who=street)
    assert (seen["counts"]["tasks"], seen["counts"]["cancelled"]) == (2, 1)
    assert call("GET", f"{path}/lamp", status=404)["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": "x"}, "bad_grids"),
        ({"text": "x", "street": "东街", "grids": ["e1"]}, "bad_grids"),
        ({"text": "x", "grids": "e1"}, "bad_grids"),
        ({"text": "x", "street": "西街"}, "bad_grids"),
        ({"text": "x", "grids": ["w1"]}, "no_grid"),
        ({"text": " ", "grids": ["e1"]}, "bad_text"),
        ({"text": "x", "grids": ["e1"], "id": "a b"}, "bad_id"),
        ({"text": "x", "grids": ["e1"], "id": "a" * 33}, "bad_id"),
        ({"text": "x", "grids": ["e1"], "due": 1}, "bad_due"),
        ({"text": "x", "grids": ["e1"], "when": 1}, "bad_task"),
    ],
)
def test_what_is_no_survey(call: Call, street: Person, body: Any, code: str) -> None:
    assert call("POST", "/api/v1/surveys", body, status=422, who=street)["error"]["code"] == code
