"""What the terminal says: where everything is, and the first password once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server import Server
from tracker.catalogue import DOORS


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "city")


def test_the_password_is_told_by_the_start_that_made_it(server: Server) -> None:
    with server:
        name, password = (server.data / "first-login.txt").read_text().split()
        told = server.told()
        assert told.count(password) == 1
        assert f"{name} / {password} (noted in " in told
        assert [door for door in DOORS if str(server.ports[door]) not in told] == []
        server.stop()
        server.start()
        told = server.told()
        assert password not in told
        assert "admin, with the password in " in told
        (server.data / "first-login.txt").unlink()
        server.stop()
        server.start(well=False)
        assert "./run new-password" in server.told()
