"""Sessions of a real server while Redis is killed and emptied and the server restarts; and a password that is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from storage import keys
from storage.embedded import socket_path
from tests.server import ROOT, Server, until
from tests.webmap.people import enter, password_of
from webmap.lost_password import REFUSED, REQUEST


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("kept")) as running:
        yield running


def in_redis(server: Server, ask: Callable[[Any], Any]) -> Any:
    """An answer of the embedded server; ``None`` while it is away."""
    with suppress(RedisError, OSError):
        link = Redis(unix_socket_path=str(socket_path(server.data / "redis")), protocol=2)
        try:
            return ask(link)
        finally:
            link.close()
    return None


def stored(server: Server) -> int:
    """Sessions that Redis has; one field is the mark."""
    return int(in_redis(server, lambda link: link.hlen(keys.SESSIONS)) or 0) - 1


def login(server: Server, name: str, password: str) -> tuple[int, dict[str, Any]]:
    answer = server.ask("POST", "/api/v1/login", {"name": name, "password": password})
    return answer.status, answer.json


def test_signing_in_needs_no_redis_and_a_restart_signs_nobody_out(server: Server) -> None:
    with enter(server, "before", role="leader") as before:
        until("the sessions are stored", lambda: stored(server) == 2)
        os.kill(server.redis_pid, signal.SIGKILL)
        with enter(server, "during", role="leader") as during:
            assert before.ask("GET", "/api/v1/me").status == 200
            assert during.ask("GET", "/api/v1/me").status == 200
            until("what waited is stored", lambda: stored(server) == 3)
            in_redis(server, lambda link: link.flushall())
            until("they are stored again", lambda: stored(server) == 3)
            tokens = [before.token, during.token, server.session]
    server.kill()
    server.start(well=False)
    for token in tokens:

        def asked(token: str = token) -> int:
            answer = server.ask("GET", "/api/v1/me", headers={"authorization": f"Bearer {token}"})
            page = server.ask("GET", "/", headers={"cookie": f"session={token}"})
            assert (answer.status, page.status) in ((200, 200), (503, 200), (503, 503)), (answer, page)
            return answer.status

        until("it is known again", lambda asked=asked: asked() == 200)


def command(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "webmap.password_tool", *words],
        cwd=server.folder, env={**os.environ, "PYTHONPATH": str(ROOT), "GRIDBEAT_CONFIG": str(server.config)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_lost_password_is_made_anew_by_whoever_runs_the_server(server: Server) -> None:
    with enter(server, "lost", role="admin") as lost:
        server.api("PATCH", "/api/v1/accounts/lost", {"disabled": True})
        done = command(server, "Lost")
        assert done.returncode == 0, done
        name, _, password = done.stdout.splitlines()[0].partition(" / ")
        assert (name, "in force now" in done.stdout) == ("Lost", True)
        assert not (server.data / REQUEST).exists()
        assert login(server, "lost", password_of("lost"))[0] == 401
        assert lost.ask("GET", "/api/v1/me").status == 401
    status, told = login(server, "lost", password)
    assert (status, told["must_change"]) == (200, True)
    about = server.get("/api/v1/accounts/lost")
    assert (about["disabled"], about["totp"]) == (False, False)


def test_a_password_for_nobody_and_for_no_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = command(server, "nobody")
    assert (wrong.returncode, "no such account" in wrong.stderr) == (1, True)
    assert not (server.data / REFUSED).exists()
    (server.data / REQUEST).write_text("{}")
    until("what is no request is refused", (server.data / REFUSED).exists)
    server.stop()
    assert server.login[0] == "admin"
    from webmap import password_tool

    monkeypatch.setattr(password_tool, "PATIENCE_S", 0.2)
    assert password_tool.main(["--config", str(server.config)]) == 0
    request = server.data / REQUEST
    assert request.stat().st_mode & 0o777 == 0o600
    assert "argon2id" in request.read_text()
    server.start(well=False)
    until("the request is taken up", lambda: not request.exists())
    assert not (server.data / "first-login.txt").exists(), "a note of the former one would mislead"


def test_where_there_is_no_city_nothing_is_asked(server: Server, tmp_path: Any) -> None:
    config = tmp_path / "city.toml"
    config.write_text(f'[server]\ndata = "{tmp_path}/data"\n')
    wrong = command(server, "--config", str(config))
    assert (wrong.returncode, "holds no data" in wrong.stderr) == (1, True)
