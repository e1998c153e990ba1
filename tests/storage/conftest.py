"""Fixtures of the storage tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.logger import globalLogBeginner, globalLogPublisher


@pytest.fixture
def quiet() -> Iterator[None]:
    """Twisted's log prints failures to stderr when nobody observes; here they are expected."""

    def swallow(_: object) -> None:
        pass

    globalLogBeginner.beginLoggingTo([swallow], discardBuffer=True, redirectStandardIO=False)
    yield
    globalLogPublisher.removeObserver(swallow)
