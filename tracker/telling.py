"""Telling those who listen: what one of them does wrong concerns neither the others nor whoever tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.logger import Logger

_log = Logger(namespace="gridbeat.telling")


def tell_all(listeners: Iterable[Callable[..., object]], *given: Any) -> None:
    """Call each of them."""
    for told in listeners:
        try:
            told(*given)
        except Exception:
            _log.failure("a listener failed")
