"""What history takes, as a real server tells it: every answer held to the document, with an archive of small files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from storage.archive.archive import Archive
from storage.archive.chain import SealedFile
from storage.archive.layout import EVENTS, FIXES, PHOTOS, SNAPSHOTS, shifted
from tests.noon import NOON
from tests.server import Server, until
from tests.webmap.test_api import check

ZONE = NOON
TODAY = datetime.now(ZoneInfo(ZONE)).strftime("%Y-%m-%d")
MEGABYTE = 1 << 20
KEPT = 12


def seal(archive: Archive, kind: str, day: str, size: int, late: str = "") -> None:
    name = f"{day}.snapshot" if kind == SNAPSHOTS else f"{day}{late}.parquet"
    (archive.layout.folder(kind) / name).write_bytes(bytes(size))
    files = [SealedFile(name, size, 3, sha256(bytes(size)).hexdigest())]
    archive.chains[kind].append("supplement" if late else "day", day, 1_700_000_000_000, files=files, upto=1)


def history(data: Path) -> None:
    """Days of fixes 15 days ago to 9 days ago, an older one that was deleted, photos beyond four fifths of 1 MB."""
    archive = Archive(data / "archive", ZONE)
    for back in range(15, 8, -1):
        seal(archive, FIXES, shifted(TODAY, -back), 1000 * back)
    seal(archive, FIXES, shifted(TODAY, -12), 77, late=f".late-{shifted(TODAY, -2)}")
    seal(archive, EVENTS, shifted(TODAY, -9), 50)
    seal(archive, FIXES, shifted(TODAY, -40), 5)
    archive.chains[FIXES].append(
        "deletion", shifted(TODAY, -40), 1_700_000_000_001, gone=[f"{shifted(TODAY, -40)}.parquet"], reason="retention"
    )
    (archive.layout.folder(FIXES) / f"{shifted(TODAY, -40)}.parquet").unlink()
    for back in range(7, 0, -1):
        photo = data / "media" / shifted(TODAY, -back) / "a.jpg"
        photo.parent.mkdir(parents=True)
        photo.write_bytes(bytes(MEGABYTE // 8))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("storage")
    server = Server(folder, {"city": {"zone": ZONE}, "archive": {"photos_mb": 1, "fixes_days": 1000}})
    history(server.data)
    try:
        server.start(well=False)
        until("it has looked", lambda: server.api("GET", "/api/v1/storage").status == 200)
        yield server
    finally:
        server.stop()
        server.sweep_up()


def get(server: Server, path: str, status: int = 200) -> Any:
    answer = check("GET", path, server.api("GET", path))
    assert answer.status == status, answer
    return answer.json


def test_what_history_takes(server: Server) -> None:
    told = get(server, "/api/v1/storage")
    assert (told["today"], told["zone"], told["disk"]["level"]) == (TODAY, ZONE, "ok")
    classes = {one["class"]: one for one in told["classes"]}
    fixes, photos = classes[FIXES], classes[PHOTOS]
    assert (fixes["used_bytes"], fixes["days"], fixes["keep_days"]) == (84_077, 7, 1000)
    assert (fixes["budget_bytes"], fixes["full_in_days"], fixes["alarm"]) == (None, None, False)
    assert fixes["deleted"] == {"retention": 1}
    assert (photos["used_bytes"], photos["alarm"], photos["per_day_bytes"]) == (7 * MEGABYTE // 8, True, MEGABYTE // 8)
    assert (photos["full_in_days"], photos["full_on"]) == (1, shifted(TODAY, 1))
    assert told["journal"] == {"bytes": 0, "days": 0, "oldest": None}, "nothing has been said yet"
    assert told["live"]["embedded"]
    assert [one["number"] for one in told["chains"]][:2] == [10, 1]
    assert not any(rung["now"] for rung in told["ladder"])
    assert told["jobs"]["next_seal"] > told["now"]


def test_a_budget_that_is_nearly_full_says_so(server: Server) -> None:
    health = check("GET", "/healthz", server.api("GET", "/healthz"))
    told = {one["what"]: one for one in health.json["problems"]}
    assert health.status == 503
    assert "Photos take 87 % of the room that they may" in told["budget"]["text"]
    assert "photos_mb" in told["budget"]["zh"]
    assert told["budget"] in get(server, "/api/v1/storage")["problems"]
    text = server.api("GET", "/metrics").body.decode()
    for line in (
        'gridbeat_history_bytes{class="fixes"} 84077.0',
        'gridbeat_history_budget_bytes{class="photos"} 1.048576e+06',
        'gridbeat_history_full_in_days{class="photos"} 1.0',
        'gridbeat_history_deleted_days_total{class="fixes",reason="retention"} 1.0',
        "gridbeat_disk_level 0.0",
    ):
        assert line in text


def test_the_days(server: Server) -> None:
    told = get(server, "/api/v1/storage/days")
    days = {one["day"]: one for one in told["days"]}
    assert [one["day"] for one in told["days"]] == sorted(days, reverse=True)
    assert told["next"] is None
    late = days[shifted(TODAY, -12)]
    (part,) = late["classes"]
    assert (late["state"], part["closed"]["rows"], part["closed"]["bytes"]) == ("closed", 3, 12_000)
    assert len(part["closed"]["digest"]) == 64
    assert [one["bytes"] for one in part["supplements"]] == [77]
    gone = days[shifted(TODAY, -40)]
    assert (gone["state"], gone["bytes"]) == ("deleted", 0)
    assert gone["classes"][0]["deleted"] == {"reason": "retention", "at": 1_700_000_000_001}
    assert days[shifted(TODAY, -1)]["state"] == "open"
    assert [one["class"] for one in days[shifted(TODAY, -9)]["classes"]] == [FIXES, EVENTS]


def test_the_days_in_pages(server: Server) -> None:
    every = [one["day"] for one in get(server, "/api/v1/storage/days")["days"]]
    found: list[str] = []
    path = "/api/v1/storage/days?limit=4"
    while path:
        told = get(server, path)
        found += [one["day"] for one in told["days"]]
        path = f"/api/v1/storage/days?limit=4&before={told['next']}" if told["next"] else ""
    assert found == every
    for query, code in (("limit=0", "bad_limit"), ("limit=x", "bad_limit"), ("before=today", "bad_day")):
        assert get(server, f"/api/v1/storage/days?{query}", 422)["error"]["code"] == code


def test_verifying_finds_what_was_changed(server: Server) -> None:
    assert get(server, "/api/v1/storage/verify") == {"state": "idle", "progress": {}, "last": None}

    def verdict() -> Any:
        begun = check("POST", "/api/v1/storage/verify", server.api("POST", "/api/v1/storage/verify"))
        assert begun.status == 202
        assert begun.json["state"] in ("waiting", "running")
        again = server.api("POST", "/api/v1/storage/verify").json
        assert again["state"] != "idle", "one at a time"
        until("it has ended", lambda: get(server, "/api/v1/storage/verify")["state"] == "idle")
        return get(server, "/api/v1/storage/verify")["last"]["verdict"]

    assert verdict()["sound"]
    path = server.data / "archive" / FIXES / f"{shifted(TODAY, -10)}.parquet"
    before = path.read_bytes()
    path.write_bytes(b"x" + before[1:])
    found = verdict()
    assert not found["sound"]
    assert [one["name"] for one in found["findings"]] == [f"archive/fixes/{path.name}"]
    told = {one["what"]: one for one in get(server, "/api/v1/storage")["problems"]}
    assert "./run verify" in told["chain"]["text"]
    path.write_bytes(before)
    assert verdict()["sound"]
    assert "chain" not in {one["what"] for one in get(server, "/api/v1/storage")["problems"]}
