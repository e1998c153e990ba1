"""Who looked at whom, at a real server: what is on record, what is asked for, and who reads it."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.server import Server, until
from tests.webmap.people import Person, admin_of, enter
from tests.webmap.test_api import check
from tests.webmap.wire import Socket

HERE, THERE = "p-here", "p-there"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("access")) as running:
        for unit, street in ((HERE, "east"), (THERE, "west")):
            made = running.api("POST", "/api/v1/units", {"id": unit, "name": f"Name of {unit}", "street": street})
            assert made.status == 201
        yield running


@pytest.fixture(scope="module")
def people(server: Server) -> Iterator[dict[str, Person]]:
    found = {
        "admin": admin_of(server),
        "auditor": enter(server, "auditor", role="auditor"),
        "leader": enter(server, "leader", role="leader"),
        "east": enter(server, "east", role="street", streets=["east"]),
        "here": enter(server, "here", role="collector", unit=HERE),
    }
    yield found
    for one in found.values():
        one.__exit__()


def ask(person: Person, path: str, status: int = 200, **asked: Any) -> Any:
    answer = check("GET", path, person.ask("GET", f"{path}?{urlencode(asked)}"))
    assert answer.status == status, answer
    return answer.json


def track(person: Person, unit: str, status: int = 200, **asked: Any) -> Any:
    return ask(person, f"/api/v1/units/{unit}/track", status, **asked)


def log(person: Person, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(person, "/api/v1/access-log", **asked)["entries"]
    return found


def test_a_reason_is_asked_for_anothers_track_and_is_on_record(people: dict[str, Person]) -> None:
    leader = people["leader"]
    assert track(leader, HERE, 422)["error"]["code"] == "no_reason"
    assert track(leader, HERE, 422, reason="  ")["error"]["code"] == "no_reason"
    assert track(leader, HERE, 422, reason="x" * 501)["error"]["code"] == "no_reason"
    assert log(people["auditor"], who="leader", what="track") == []
    before = int(time.time() * 1000)
    start = before - 3_600_000
    track(leader, HERE, reason="投诉 2026-118", **{"from": start, "to": before})
    (entry,) = log(people["auditor"], who="leader", what="track")
    assert before <= entry.pop("time") <= time.time() * 1000
    assert len(entry.pop("id")) == 16
    assert entry == {
        "who": "leader", "role": "leader", "what": "track", "unit": HERE, "name": f"Name of {HERE}", "removed": False,
        "reason": "投诉 2026-118", "address": "127.0.0.1", "about": {"start": start, "end": before},
    }  # fmt: skip


def test_the_pages_of_one_question_are_one_look(people: dict[str, Person]) -> None:
    admin, end = people["admin"], int(time.time() * 1000)
    for start in (end - 90_000_000, end - 80_000_000, end - 90_000_000):
        track(admin, THERE, reason="pages", **{"from": start, "to": end})
    assert len(log(admin, unit=THERE, who=admin.name, what="track")) == 1
    track(admin, THERE, reason="pages", **{"from": end - 190_000_000, "to": end})
    track(admin, THERE, reason="another", **{"from": end - 90_000_000, "to": end})
    assert len(log(admin, unit=THERE, who=admin.name, what="track")) == 3


def test_the_line_behind_a_unit_on_the_live_map_needs_no_reason(people: dict[str, Person]) -> None:
    track(people["leader"], THERE, **{"from": int(time.time() * 1000) - 600_000})
    (entry,) = log(people["auditor"], what="trail")
    assert (entry["who"], entry["unit"], entry["reason"]) == ("leader", THERE, "")


def test_ones_own_needs_none_and_is_no_look(people: dict[str, Person]) -> None:
    track(people["here"], HERE)
    assert log(people["auditor"], who="here", what="track") == []


def test_who_is_followed_is_on_record(server: Server, people: dict[str, Person]) -> None:
    with Socket(server, people["leader"].token) as socket:
        socket.say({"op": "watch", "box": [30, 120, 32, 122], "follow": THERE, "since": 0, "instance": ""})
        (entry,) = until("it is on record", lambda: log(people["auditor"], what="follow"))
    assert (entry["who"], entry["unit"]) == ("leader", THERE)


def test_a_collector_reads_who_looked_and_nothing_of_others(people: dict[str, Person]) -> None:
    track(people["leader"], HERE, reason="check")
    track(people["leader"], THERE, reason="check")
    mine = log(people["here"])
    assert {entry["unit"] for entry in mine} == {HERE, ""}
    assert {entry["who"] for entry in mine if not entry["unit"]} == {"here"}
    (look,) = [entry for entry in mine if entry["reason"] == "check"]
    assert (look["who"], look["address"]) == ("leader", None), "where somebody sits is not his business"
    assert log(people["here"], unit=THERE) == []
    assert log(people["here"], who="leader", what="login") == []


def test_who_reaches_a_street_reads_of_it(people: dict[str, Person]) -> None:
    track(people["east"], HERE, reason="east asks")
    assert track(people["east"], THERE, 404, reason="east asks")["error"]["code"] == "not_found"
    found = log(people["east"])
    assert {entry["unit"] for entry in found if entry["who"] != "east"} <= {HERE}
    assert log(people["east"], unit=THERE) == []


def test_what_was_not_shown_is_no_look(people: dict[str, Person]) -> None:
    assert [entry for entry in log(people["auditor"], who="east") if entry["unit"] == THERE] == []


def test_pages_of_the_log(people: dict[str, Person]) -> None:
    whole = [entry["id"] for entry in log(people["auditor"], limit=1000)]
    assert len(whole) > 10
    found: list[str] = []
    after = ""
    while after is not None:
        page = ask(people["auditor"], "/api/v1/access-log", limit=4, after=after)
        found += [entry["id"] for entry in page["entries"]]
        after = page["next"]
    assert found == whole


def test_as_a_table_no_cell_is_a_formula(people: dict[str, Person]) -> None:
    track(people["admin"], HERE, reason="=HYPERLINK(1)", **{"from": 1})
    path = f"/api/v1/access-log.csv?{urlencode({'unit': HERE})}"
    answer = check("GET", "/api/v1/access-log.csv", people["auditor"].ask("GET", path))
    assert answer.status == 200
    rows = list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"))))
    assert rows[0]["reason"] == "'=HYPERLINK(1)"
    assert {row["unit"] for row in rows} == {HERE}
    assert len(rows) == len(log(people["auditor"], unit=HERE))


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"from": "soon"}, "bad_time"),
        ({"from": 9, "to": 8}, "bad_span"),
        ({"after": "12"}, "bad_after"),
        ({"after": "9" * 40 + "-1"}, "bad_after"),
        ({"limit": 0}, "bad_limit"),
        ({"limit": "ten"}, "bad_limit"),
        ({"who": "x" * 65}, "bad_who"),
    ],
)
def test_what_cannot_be_asked_for(people: dict[str, Person], asked: Any, code: str) -> None:
    assert ask(people["auditor"], "/api/v1/access-log", 422, **asked)["error"]["code"] == code


@pytest.mark.parametrize(
    "asked", [{"from": "-" + "9" * 40, "to": "9" * 40}, {"from": 0, "to": 1}, {"who": "' OR ''='"}]
)
def test_odd_questions_have_an_answer(people: dict[str, Person], asked: Any) -> None:
    assert isinstance(log(people["auditor"], **asked), list)


def test_a_track_that_was_answered_is_on_record_after_a_kill(server: Server, people: dict[str, Person]) -> None:
    answer = people["leader"].ask("GET", f"/api/v1/units/{THERE}/track?reason=right+before+the+kill&from=5")
    server.kill()
    assert answer.status == 200
    server.start()
    (entry,) = [one for one in log(admin_of(server), unit=THERE) if one["reason"] == "right before the kill"]
    assert (entry["who"], entry["about"]["start"]) == ("leader", 5)
