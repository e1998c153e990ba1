"""The log: words for whoever watches the terminal, and lines of JSON for programs, in files that stay bounded.

A line of JSON has ``time`` (ISO 8601, UTC), ``level``, ``namespace`` (``gridbeat.…`` for what is ours), ``text``, and
the fields of the event by name (docs/operations.md lists them). No event carries a coordinate.
"""

from __future__ import annotations

import json
import re
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
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


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
        written, shown = lines(event)
        try:
            file.write(written)
            screen.write(shown)
            screen.flush()
        except (OSError, ValueError):
            pass  # a full disk or a closed terminal must not stop the patrol

    return observe


def lines(event: dict[str, Any]) -> tuple[str, str]:
    """An event as the file has it and as the terminal shows it."""
    level, namespace = event.get("log_level", LogLevel.info), str(event.get("log_namespace", ""))
    moment = datetime.fromtimestamp(event.get("log_time", 0), UTC)
    text = formatEvent(event)
    fields = {key: _plain(event[key]) for key in event if not key.startswith("log_") and key not in _INHERITED}
    line = {"time": moment.isoformat(timespec="milliseconds"), "level": level.name, "namespace": namespace}
    line |= fields
    failure = event.get("log_failure")
    if failure is not None:
        line["traceback"] = failure.getTraceback()
    said = str(event.get("log_format"))
    told = " ".join(f"{key}={value}" for key, value in fields.items() if f"{{{key}}}" not in said)
    shown = f"{moment.astimezone():%H:%M:%S} {level.name:5} {_harmless(f'{text}  {told}' if told else text)}\n"
    if failure is not None:
        shown += "".join(_harmless(one) + "\n" for one in line["traceback"].split("\n") if one)
    return json.dumps({**line, "text": text}, ensure_ascii=False) + "\n", shown


def _harmless(text: str) -> str:
    """Without signs that a terminal obeys, which a path or a name may hold: a line stays a line."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
