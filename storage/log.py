"""The log: words for whoever watches the terminal, and lines of JSON for programs, in files that stay bounded.

A line of JSON has ``time`` (ISO 8601, UTC), ``level``, ``namespace`` (``gridbeat.…`` for what is ours), ``text``, and
the fields of the event by name (docs/operations.md lists them). No event carries a coordinate.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from twisted.logger import LogLevel, formatEvent
from twisted.python.logfile import LogFile

FILE_BYTES = 10_000_000
FILES = 10
_INHERITED = {"time", "system", "isError", "message", "format", "failure", "why"}
"""What Twisted's older interface adds to every event."""


def observer(folder: Path, terminal: TextIO | None = None) -> Callable[[dict[str, Any]], None]:
    """An observer that writes to ``folder/gridbeat.log`` and to the terminal."""
    folder.mkdir(parents=True, exist_ok=True)
    file: Any = LogFile("gridbeat.log", str(folder), rotateLength=FILE_BYTES, maxRotatedFiles=FILES, defaultMode=0o600)  # type: ignore[no-untyped-call]
    screen = terminal or sys.stdout

    def observe(event: dict[str, Any]) -> None:
        level = event.get("log_level", LogLevel.info)
        namespace = str(event.get("log_namespace", ""))
        if level < LogLevel.info or (level == LogLevel.info and not namespace.startswith("gridbeat")):
            return
        moment = datetime.fromtimestamp(event.get("log_time", 0), UTC)
        text = formatEvent(event)
        fields = {key: _plain(event[key]) for key in event if not key.startswith("log_") and key not in _INHERITED}
        line = {"time": moment.isoformat(timespec="milliseconds"), "level": level.name, "namespace": namespace}
        line |= fields
        failure = event.get("log_failure")
        if failure is not None:
            line["traceback"] = failure.getTraceback()
        try:
            file.write(json.dumps({**line, "text": text}, ensure_ascii=False) + "\n")
            said = str(event.get("log_format"))
            told = " ".join(f"{key}={value}" for key, value in fields.items() if f"{{{key}}}" not in said)
            screen.write(f"{moment.astimezone():%H:%M:%S} {level.name:5} {text}{'  ' + told if told else ''}\n")
            if failure is not None:
                screen.write(line["traceback"])
            screen.flush()
        except (OSError, ValueError):
            pass  # a full disk or a closed terminal must not stop the patrol

    return observe


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
