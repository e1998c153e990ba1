"""Who looked at whom, at a real server: what is on record, what is asked for, and who reads it."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from twisted.internet.defer import Deferred

from storage.journal import JournalFull
from tests.server import Server, until
from tests.webmap.people import Person, admin_of, enter
from tests.webmap.test_api import check
from tests.webmap.wire import Socket
from tracker.model import UnitId
from tracker.roster import Change
from webmap import access
from webmap.access import Access
from webmap.rights import Role, Who

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


# -- the entries, without a server


class Desk:
    """An intake that takes notes, or does not."""

    def __init__(self) -> None:
        self.now, self.noted = 1_000_000, list[Change]()
        self.works: Any = True
        self.roster = SimpleNamespace(leaving=set())
        self.access = Access(cast(Any, self), cast(Any, None))

    def wall(self) -> int:
        return self.now

    def note(self, events: Sequence[Change], done: Any) -> None:
        if isinstance(self.works, Exception):
            raise self.works
        if self.works:
            self.noted += events
        done(len(self.noted) if self.works else None)

    def record(self, *units: str, **about: Any) -> Any:
        """How it ended: a refusal's code, or nothing."""
        failed: list[Any] = []
        recorded = Deferred.fromCoroutine(self.access.record(LEADER, "track", units, "why", "10.0.0.7", **about))
        recorded.addErrback(failed.append)
        return failed[0].value.code if failed else None

    def told(self) -> list[tuple[str, str]]:
        return [(fields["what"], fields["unit"]) for _, _, fields in self.noted if fields is not None]


LEADER = Who("leader", Role.LEADER, UnitId("p-leader"))


@pytest.mark.parametrize("works", [False, JournalFull("50,000 wait")])
def test_what_cannot_be_on_record_is_not_shown_and_nothing_else_stops(works: Any) -> None:
    desk = Desk()
    desk.works = works
    assert desk.record("p1", "p2") == "no_record"
    desk.access.looked(LEADER, "follow", "p1")
    assert desk.access.failed == 3
    desk.works = True
    assert desk.record("p1", "p2") is None, "what was not on record is not remembered as if it were"
    assert desk.told() == [("track", "p1"), ("track", "p2")]


def test_the_same_question_within_a_minute_is_one_look() -> None:
    desk = Desk()
    desk.record("p1", start=0, end=1_000_000)
    desk.now += 59_000
    desk.record("p1", start=500_000, end=1_059_000)
    desk.access.looked(LEADER, "track", "p1", "why", "10.0.0.7", start=0, end=1)
    assert len(desk.noted) == 1
    desk.record("p1", start=0, end=1_000_000, device="d1")
    desk.record("p2", start=0, end=1_000_000)
    desk.record("p1", start=0, end=2_000_000)
    assert len(desk.noted) == 4
    desk.now += 60_001
    desk.record("p1", start=0, end=1_000_000)
    desk.now -= 90_000
    desk.record("p2", start=0, end=1_000_000)
    assert len(desk.noted) == 6, "nor does a clock that was set back hide one"


def test_remembering_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "RECENT_LIMIT", 2)
    desk = Desk()
    for unit in ("p1", "p2", "p3", "p1", "p3"):
        desk.record(unit)
    assert [unit for _, unit in desk.told()] == ["p1", "p2", "p3", "p1"]


def test_ones_own_is_no_look_but_a_copy_is() -> None:
    desk = Desk()
    desk.record("p-leader")
    desk.access.looked(LEADER, "export", "p-leader")
    assert desk.told() == [("export", "p-leader")]


def test_who_is_being_removed_is_not_named_any_more() -> None:
    desk = Desk()
    desk.roster.leaving.add("p1")
    desk.access.looked(LEADER, "track", "p1", "about p1", device="d-of-p1")
    ((_, _, fields),) = desk.noted
    assert fields is not None
    assert (fields["unit"], fields["reason"], fields["about"]) == ("*", "*", {})


# -- at a real server


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


def test_who_has_changed_something_is_on_record(people: dict[str, Person]) -> None:
    leader, unit = people["leader"], "p-changed"

    def ask(method: str, path: str, body: Any, status: int) -> Any:
        answer = leader.ask(method, path, body)
        assert answer.status == status, answer
        return answer.json

    ring = [[120, 30], [120.01, 30], [120.01, 30.01], [120, 30.01], [120, 30]]
    properties, geometry = {"level": "grid", "name": "G"}, {"type": "Polygon", "coordinates": [ring]}
    grid = {"type": "Feature", "id": "g-changed", "properties": properties, "geometry": geometry}
    grids = {"type": "FeatureCollection", "features": [grid]}
    for name in ("One", "Two", "Three"):
        ask("POST", "/api/v1/units", {"id": unit, "name": name, "street": "east"}, 201)
    device = ask("POST", "/api/v1/devices", {"protocol": "handheld", "external_id": "changed", "unit": unit}, 201)["id"]
    ask("PATCH", f"/api/v1/devices/{device}", {"coordinates": "gcj02"}, 200)
    ask("POST", f"/api/v1/devices/{device}/binding", {"unit": unit}, 200)
    ask("DELETE", f"/api/v1/devices/{device}/token", None, 200)
    ask("POST", "/api/v1/grids?check=1", grids, 200)
    ask("POST", "/api/v1/units/table", {"table": "name\nFour\n"}, 200)
    ask("POST", "/api/v1/units", {"id": unit, "name": ""}, 422)
    expected = [
        *[("change", "POST /api/v1/units", unit)] * 3,
        ("change", "POST /api/v1/devices", unit),
        ("change", "PATCH /api/v1/devices/{device}", unit),
        ("grant", None, unit),
        ("change", "DELETE /api/v1/devices/{device}/token", unit),
    ]

    def noted() -> list[Any]:
        return [
            (one["what"], one["about"].get("route"), one["unit"])
            for one in reversed(log(people["auditor"], who="leader"))
            if one["what"] in ("change", "grant")
        ]

    until("the last of it is noted", lambda: len(noted()) >= len(expected))
    assert noted() == expected


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
    with admin_of(server) as admin:
        (entry,) = [one for one in log(admin, unit=THERE) if one["reason"] == "right before the kill"]
    assert (entry["who"], entry["about"]["start"]) == ("leader", 5)
