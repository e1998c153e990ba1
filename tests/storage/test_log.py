"""The log: one line of JSON and one for the terminal for each event, whatever it holds."""

from __future__ import annotations

import json
from typing import Any

from twisted.logger import Logger, capturedLogs
from twisted.python.failure import Failure

from storage.log import lines

HOSTILE = "\x1b[2J\x9b31m\r\n12:00:00 info  all is well\u2028\x07"


def the_event(captured: list[Any]) -> dict[str, Any]:
    (event,) = captured
    return dict(event)


def test_nothing_in_an_event_is_obeyed_by_a_terminal_or_makes_a_line_of_its_own() -> None:
    log = Logger(namespace="gridbeat.test")
    with capturedLogs() as captured:
        log.error("a request failed: {path}", path=f"/{HOSTILE}", other=HOSTILE)
    written, shown = lines(the_event(captured))
    assert shown.endswith("\n")
    assert shown.removesuffix("\n").isprintable()
    assert "\\x1b[2J\\x9b31m" in shown
    assert written.count("\n") == 1
    assert json.loads(written)["path"] == f"/{HOSTILE}"


def test_a_traceback_keeps_its_lines_and_nothing_else() -> None:
    log = Logger(namespace="gridbeat.test")
    with capturedLogs() as captured:
        try:
            raise ValueError("\x1b]0;owned\x07")
        except ValueError:
            log.failure("it failed", failure=Failure())  # type: ignore[no-untyped-call]
    written, shown = lines(the_event(captured))
    assert "Traceback" in shown
    assert shown.count("\n") > 3
    assert all(line.isprintable() for line in shown.split("\n"))
    assert "owned" in json.loads(written)["traceback"]
