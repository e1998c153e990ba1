"""A person's data over the API and from the command line, at a real server."""

from __future__ import annotations

import http.client
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server import ROOT, Server, until
from tests.webmap.devices import Handheld, now_ms
from tests.webmap.test_api import check


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("person")) as running:
        yield running


def call(server: Server, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
    answer = check(method, path, server.api(method, path, body))
    assert answer.status == status, answer
    return answer.json


WHY = {"reason": "asked for it"}


def tool(server: Server, *words: str, cwd: Path, asked: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "webmap.person_tool", *words, "--config", str(server.config),
               "--url", f"http://127.0.0.1:{server.ports['console']}"]  # fmt: skip
    return subprocess.run(
        command, cwd=cwd, env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True, input=asked,
        timeout=120,
    )  # fmt: skip


def person(server: Server, unit: str) -> None:
    call(server, "POST", "/api/v1/units", {"id": unit, "name": f"Name of {unit}"}, status=201)
    device = server.register("handheld", f"H-{unit}", unit=unit)
    with Handheld(server, f"H-{unit}", device["token"]) as handheld:
        handheld.log_in()
        handheld.report((now_ms() - 1000, 311_000_000, 1_215_000_000), (now_ms(), 311_000_100, 1_215_000_000))


def test_an_export_is_made_and_fetched(server: Server) -> None:
    person(server, "p-one")
    path = "/api/v1/units/p-one/export"
    assert call(server, "GET", path)["state"] == "none"
    assert server.api("GET", f"{path}/file?reason=r").status == 404
    assert call(server, "POST", path, WHY, status=202)["state"] in ("waiting", "running")
    ready = until("it is ready", lambda: (found := call(server, "GET", path))["state"] == "ready" and found)
    answer = check("GET", f"{path}/file", server.api("GET", f"{path}/file?reason=asked+for+it"))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/zip")
    assert len(answer.body) == ready["file"]["bytes"] == int(answer.headers["content-length"])
    assert answer.headers["content-disposition"].endswith("p-one.zip")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        (table,) = [name for name in archive.namelist() if name.startswith("points/")]
        assert len(archive.read(table).splitlines()) == 3
        assert b"token" not in archive.read("about.json")
    # Another takes its place.
    call(server, "POST", path, WHY, status=202)
    until("another", lambda: call(server, "GET", path)["file"]["made"] > ready["file"]["made"])
    until("the first is gone", lambda: len(list(server.data.glob("exports/*.zip"))) == 1)


def test_who_goes_away_in_the_middle_costs_nothing(server: Server) -> None:
    path = "/api/v1/units/p-one/export/file?reason=asked+for+it"
    (file,) = server.data.glob("exports/*.zip")
    original = file.read_bytes()
    file.write_bytes(original + bytes(8 << 20))
    link = http.client.HTTPConnection("127.0.0.1", server.ports["console"], timeout=60)
    link.request("GET", path, headers={"authorization": f"Bearer {server.session}"})
    response = link.getresponse()
    assert response.read(100) == original[:100]
    link.close()
    response.close()
    assert len(server.api("GET", path).body) == len(original) + (8 << 20)
    assert not [line for line in server.log() if line["level"] == "critical"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/v1/units/nobody/export", None, 404, "not_found"),
        ("POST", "/api/v1/units/nobody/export", {}, 404, "not_found"),
        ("GET", "/api/v1/units/nobody/export/file", None, 404, "not_found"),
        ("POST", "/api/v1/units/p-one/export", {}, 422, "no_reason"),
        ("GET", "/api/v1/units/p-one/export/file", None, 422, "no_reason"),
        ("GET", "/api/v1/units/nobody/removal", None, 404, "not_found"),
        ("POST", "/api/v1/units/nobody/removal", {"confirm": "nobody", "reason": "r"}, 404, "not_found"),
        ("POST", "/api/v1/units/p-one/removal", {"confirm": "p-one"}, 422, "no_reason"),
        ("POST", "/api/v1/units/p-one/removal", {"confirm": "p-one", "reason": "x" * 501}, 422, "no_reason"),
        ("POST", "/api/v1/units/p-one/removal", {"reason": "x"}, 422, "not_confirmed"),
        ("POST", "/api/v1/units/p-one/removal", {"confirm": "p-one", "reason": "H-P-ONE is his"}, 422, "named"),
    ],
)
def test_what_cannot_be(server: Server, method: str, path: str, body: Any, status: int, code: str) -> None:
    answer = check(method, path, server.api(method, path, body))
    assert (answer.status, answer.code) == (status, code)


def test_from_the_command_line(server: Server, tmp_path: Path) -> None:
    person(server, "p-two")
    done = tool(server, "export", "p-two", "--reason", "asked for it", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert zipfile.is_zipfile(tmp_path / "p-two.zip")
    assert (tmp_path / "p-two.zip").stat().st_mode & 0o77 == 0
    again = tool(server, "export", "p-two", cwd=tmp_path)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)
    asked = tool(server, "remove", "p-two", cwd=tmp_path)
    assert (asked.returncode, "--confirm" in asked.stderr) == (1, True)
    assert "cannot be undone" in asked.stdout
    wrong = tool(server, "remove", "p-two", "--reason", "left", "--confirm", "p-one", cwd=tmp_path)
    assert (wrong.returncode, "nothing was removed" in wrong.stderr) == (1, True)
    gone = tool(server, "remove", "p-two", "--reason", "left", "--confirm", "p-two", cwd=tmp_path)
    assert gone.returncode == 0, gone.stderr
    assert "may still hold the data" in gone.stdout
    assert not [one for one in server.data.glob("exports/*.json") if "p-two" in one.read_text()]
    # Asked again, it tells what became of it.
    told = tool(server, "remove", "p-two", cwd=tmp_path).stdout
    assert told == gone.stdout[gone.stdout.index("Removed") :]
    found = call(server, "GET", "/api/v1/units/p-two/removal")
    assert (found["state"], found["counts"]["exports"]) == ("done", 1)
    assert tool(server, "export", "p-two", cwd=tmp_path).returncode == 1
