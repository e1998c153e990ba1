"""Imports point one way. The checker is tested first: one that cannot fail would hold nothing."""

from __future__ import annotations

import pytest

from tests import layering
from tests.layering import ABOVE_ALL, MAY_IMPORT, faults
from tests.tree import ROOT, files

MODULES = [path for path in files(".py") if path.partition("/")[0] in MAY_IMPORT]


@pytest.mark.parametrize(
    ("path", "source", "told"),
    [
        ("protocols/a.py", "import tracker.model", "protocols does not know tracker"),
        ("protocols/a.py", "from storage import keys", "protocols does not know storage"),
        ("protocols/a/tcp.py", "import socket", "protocols has no use for socket"),
        ("protocols/tcp.py", "from twisted.internet import protocol", "protocols has no use for twisted"),
        ("protocols/a.py", "def f():\n    import time", "protocols has no use for time"),
        ("protocols/a.py", "from urllib.request import urlopen", "protocols has no use for urllib.request"),
        ("protocols/a.py", "from urllib import request", "protocols has no use for urllib.request"),
        ("protocols/a.py", "from random import Random", "protocols has no use for random"),
        ("protocols/a.py", "import importlib", "protocols has no use for importlib"),
        ("simulator/a.py", "from tracker import model", "simulator does not know tracker"),
        ("storage/a.py", "import protocols.report", "storage does not know protocols"),
        ("tracker/a.py", "from webmap.feed import Feed", "tracker does not know webmap"),
        ("tracker/tcp.py", "import simulator", "tracker does not know simulator"),
        ("tracker/a.py", "from ..webmap import feed", "tracker does not know webmap"),
        ("webmap/http.py", "from simulator.city import City", "webmap does not know simulator"),
        ("webmap/http.py", "import tests.data", "nothing imports tests"),
        ("storage/a.py", "import bench", "nothing imports bench"),
        ("webmap/service.py", "import twistd", "nothing imports twistd"),
        ("tracker/presence.py", "import os.path", "only shells, stores, services and storage import os"),
        ("tracker/a.py", "from redis import asyncio", "only shells, stores, services and storage import redis"),
        ("webmap/page.py", "if TYPE_CHECKING:\n    import asyncio", "and storage import asyncio"),
        ("webmap/a.py", "from twisted.web import resource", "and storage import twisted"),
        ("tracker/a.py", "from datetime import datetime\nx = datetime.now(UTC)", "asks the clock (datetime.now)"),
        ("tracker/a.py", "import datetime\nx = datetime.datetime.utcnow()", "(datetime.datetime.utcnow)"),
        ("tracker/a.py", "clock = datetime.now", "tracker/a.py:1: asks the clock"),
        ("webmap/a.py", "x = date.today()", "asks the clock (date.today)"),
        ("webmap/a.py", "x = time.time()", "asks the clock (time.time)"),
    ],
)
def test_a_wrong_arrow_is_found(path: str, source: str, told: str) -> None:
    found = faults(path, source)
    assert found
    assert told in "\n".join(found)
    assert all(line.startswith(f"{path}:") for line in found)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "protocols/a/b.py",
            "from datetime import datetime\nfrom urllib.parse import urlencode\nimport protocols.report",
        ),
        ("protocols/a/b.py", "from . import c\nfrom .. import report\nfrom .c import D"),
        ("protocols/a.py", "def f(now: int) -> int:\n    return self.now() + now"),
        ("simulator/tcp.py", "import os, time, asyncio\nfrom protocols.report import Report\nx = time.time()"),
        ("storage/journal.py", "import os\nfrom datetime import datetime\nx = datetime.now()"),
        ("tracker/store.py", "from redis import asyncio\nfrom storage.client import Client\nimport protocols"),
        ("webmap/websocket.py", "from twisted.internet import defer\nimport tracker, storage, protocols"),
    ],
)
def test_a_right_one_is_not(path: str, source: str) -> None:
    assert faults(path, source) == []


def test_imports_point_one_way() -> None:
    assert MODULES
    assert [fault for path in MODULES for fault in faults(path, (ROOT / path).read_text("utf-8"))] == []


def test_every_package_has_its_place_in_the_table() -> None:
    packages = {path.partition("/")[0] for path in files(".py") if path.endswith("/__init__.py")}
    assert packages - ABOVE_ALL == set(MAY_IMPORT)


def test_the_list_of_shells_is_no_longer_than_it_must_be() -> None:
    """A shell that imports nothing of the outside world is a core, and is held to that."""
    idle = []
    for package, names in layering.MORE_SHELLS.items():
        for name in sorted(names):
            path = f"{package}/{name}.py"
            if path in MODULES and not faults(f"{package}/core.py", (ROOT / path).read_text("utf-8")):
                idle.append(path)
    assert idle == []
