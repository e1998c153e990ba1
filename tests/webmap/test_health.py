"""What /healthz says of clocks (five phones that agree, one that is alone) and of a full store of photos."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dispatch.webhook_sender import Trouble
from storage.blobs import LIMIT
from tests.server import Server, until
from tests.webmap.devices import now_ms, phone_report
from webmap.dispatch_health import webhook_problems
from webmap.storage_health import removal_problems

AHEAD_S = 90
DAY_MS = 86_400_000


def test_a_server_whose_clock_is_behind_that_of_all_devices_says_so(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        phones = [server.register("traccar") for _ in range(5)]

        def report(phone: dict[str, str], ahead: int) -> None:
            at = now_ms() // 1000 + ahead
            assert phone_report(server, phone["external_id"], lat=31.2, lon=121.5, timestamp=at).status == 200

        def skew(phone: dict[str, str]) -> int:
            view = server.get(f"/api/v1/units/{phone['unit']}")
            assert view["clock_skew_ms"] == view["devices"][0]["clock_skew_ms"]
            return int(view["clock_skew_ms"])

        for phone in phones[:4]:
            report(phone, AHEAD_S)
        report(phones[4], 0)
        until("the map has them", lambda: all(server.get(f"/api/v1/units/{p['unit']}")["position"] for p in phones))
        assert abs(skew(phones[0]) - AHEAD_S * 1000) < 30_000
        assert abs(skew(phones[4])) < 30_000
        report(phones[4], AHEAD_S)
        until("the last is there", lambda: skew(phones[4]) > 30_000)
        health = server.api("GET", "/healthz").json
        (problem,) = health["problems"]
        assert problem["what"] == "clock"
        assert "behind" in problem["text"]
        assert "慢" in problem["zh"]


def test_a_full_store_of_photos_says_so(tmp_path: Path) -> None:
    server = Server(tmp_path)
    day = server.data / "media" / "2026-01-01"
    day.mkdir(parents=True)
    with (day / "a.jpg").open("wb") as file:
        file.truncate(LIMIT)  # takes no room on the disk
    try:
        server.start(well=False)
        health = server.api("GET", "/healthz")
        problem = {one["what"]: one for one in health.json["problems"]}["media"]
        assert health.status == 503
        assert "1 files" in problem["text"]
        assert "photos_mb" in problem["zh"]
        terminal = server.register("jt808", "13912345678")
        path = f"/api/v1/devices/{terminal['id']}/commands"
        refused = server.api("POST", path, {"kind": "photo"})
        assert (refused.status, refused.json["error"]["code"]) == (507, "media_full")
        assert server.api("POST", path, {"kind": "locate"}).status == 202
    finally:
        server.stop()
        server.sweep_up()


def test_heads_that_could_not_go_out_for_two_days_are_a_problem(tmp_path: Path) -> None:
    """And no longer when they have gone."""
    head = {"city": "Gridbeat", "at": now_ms() - 3 * DAY_MS, "heads": {"fixes": {"number": 0, "digest": "0" * 64}}}
    disk = tmp_path / "usb"
    server = Server(tmp_path, {"archive": {"head_file": str(disk / "heads.jsonl")}})
    server.data.mkdir()
    waiting = {"file": {"waiting": [head], "failing": head["at"], "reason": "No such file or directory"}}
    (server.data / "heads.json").write_text(json.dumps(waiting))
    try:
        server.start(well=False)
        (problem,) = server.api("GET", "/healthz").json["problems"]
        assert problem["what"] == "heads"
        assert "For 3 days" in problem["text"]
        assert "head_file" in problem["text"]
        assert "3 天" in problem["zh"]
        server.stop()
        disk.mkdir()
        server.start()
        answer = server.api("GET", "/healthz").json
        assert (answer["problems"], answer["warnings"]) == ([], [])
        assert json.loads((disk / "heads.jsonl").read_bytes()) == head
    finally:
        server.stop()
        server.sweep_up()


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (Trouble(1, 7, 0, 0, "case.example", "it answered 503"), ["16 min", "case.example", "7 wait", "503"]),
        (Trouble(0, 1, 0, 2, "case.example", "it answered 422"), ["2 task(s)", "422"]),
        (Trouble(0, 10_000, 12, 0, "case.example", ""), ["12 were not kept", "GET /api/v1/tasks"]),
    ],
)
def test_what_the_case_system_does_not_hear_of_is_a_problem(trouble: Trouble, words: list[str]) -> None:
    told: list[tuple[str, str, str]] = []
    webhook_problems(trouble, 1 + 16 * 60_000, lambda *problem: told.append(problem))
    ((what, text, zh),) = told
    assert what == "webhook"
    assert [word for word in words if word not in text] == []
    assert "case.example" in zh


def test_what_was_promised_to_go_and_waits_is_a_problem() -> None:
    waiting = [SimpleNamespace(ticket="t1", problem="the disk is full")]

    class Open(list[str]):
        problem = ""

    off_duty = Open(["p1:x", "p2:y"])
    given: Any = SimpleNamespace(waiting=waiting), off_duty
    assert [one["what"] for one in removal_problems(*given)] == ["removal"]
    off_duty.problem = "the archive is busy"
    removal, late = removal_problems(*given)
    assert "t1" in removal["text"]
    for text in (late["text"], late["zh"]):
        assert "the archive is busy" in text
        assert "2" in text
        assert "p1" not in text
