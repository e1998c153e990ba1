"""Fixtures of the fault tests."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.fleet import Device, found_city
from tests.faults.server import Server

DEVICES = 200


@pytest.fixture
def rng() -> random.Random:
    """Other moments in every run; the seed is printed, and shown by pytest when the test fails."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.fixture
def settings() -> dict[str, str]:
    """Lines of the settings file by section; a module may have its own."""
    return {}


@pytest.fixture
def server(tmp_path: Path, settings: dict[str, str]) -> Iterator[Server]:
    """A server that is not started yet, over an empty folder."""
    with Server(tmp_path / "city", settings) as server:
        yield server


@pytest.fixture
def fleet(server: Server) -> list[Device]:
    """200 devices of all protocols, registered in the server's folder."""
    return found_city(server.data, DEVICES)
