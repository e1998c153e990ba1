"""What holds for all tests: the reactor, the profiles of hypothesis, and which tests are run.

Tests marked ``long`` run only with ``--long`` (or ``GRIDBEAT_LONG=1``, which ``--long`` sets, so that child processes
and modules see it too); without it they are deselected. A test that runs always but does more then asks the fixture
``long_run``.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from twisted.internet import asyncioreactor

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

# As twistd.tac does, and before anything imports the reactor: the first import installs another one otherwise.
_LOOP = asyncio.new_event_loop()
if "twisted.internet.reactor" not in sys.modules:
    asyncioreactor.install(_LOOP)  # type: ignore[no-untyped-call]

# No deadlines: a slow machine is no failure. The usual run is the same every time; the long one looks for more.
_CALM = [HealthCheck.too_slow]
settings.register_profile("usual", max_examples=100, derandomize=True, deadline=None, suppress_health_check=_CALM)
settings.register_profile("long", max_examples=5000, deadline=None, suppress_health_check=_CALM, print_blob=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests marked long too")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--long"):
        os.environ["GRIDBEAT_LONG"] = "1"
    settings.load_profile("long" if _is_long() else "usual")


def pytest_unconfigure() -> None:
    # Nobody else will: the reactor keeps its loop to the end, and an open one is a warning.
    _LOOP.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _is_long():
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture(scope="session")
def long_run() -> bool:
    """Whether this is the long run, for tests that do more of the same then."""
    return _is_long()


def _is_long() -> bool:
    return os.environ.get("GRIDBEAT_LONG") == "1"
