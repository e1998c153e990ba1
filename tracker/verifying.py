"""Is history what was sealed? ``./run verify``, and the job ``verify`` for the console's page.

The command needs no server and stops none: it reads the data folder that the settings name. It ends with 0 when
everything is as it was sealed, with 1 when it is not or could not be read, and with 2 for words that make no sense.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from storage import config
from storage.archive import verdict
from storage.archive.heads import Head, HeadsUnreadable, read_heads
from storage.archive.verify import verify as read_all
from storage.toml import ConfigError
from tracker.archive_context import Arguments, Context, Result
from tracker.catalogue import PORTS

LINES_SHOWN = 10
"""Line numbers that are told of what is unreadable in a file of heads."""


def verify(context: Context, arguments: Arguments) -> Result:
    """The job: reads everything, tells the progress, answers what :func:`storage.archive.verdict.result` makes."""
    report = read_all(context.data, tell=context.tell, locked=True)
    return verdict.result(report, context.archive.days.zone)


class Failed(Exception):
    """It cannot be verified; the text says why."""


def main(words: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(words)
    try:
        settings = _settings(given.config)
        heads = _heads(given.head, settings.city.name) if given.head else []
        if not (settings.data / "archive").is_dir():
            raise Failed(f"there is no archive in {settings.data}\n    {settings.data} 中没有归档")
        _say(f"verifying 核验 {settings.data}")
        report = read_all(settings.data, heads=heads, tell=_progress)
    except Failed as failed:
        _say(f"verify: {failed}")
        return 1
    except OSError as error:
        _say(f"verify: {error.filename}: {error.strerror}\n    无法读取 {error.filename}")
        return 1
    for line in verdict.lines(report, ZoneInfo(settings.city.zone)):
        print(line)
    return 0 if report.sound else 1


def _settings(path: Path | None) -> config.Settings:
    named = path or os.environ.get("GRIDBEAT_CONFIG")
    try:
        return config.read(Path(named), PORTS) if named else config.defaults(PORTS)
    except ConfigError as error:
        raise Failed(f"the settings cannot be used 设置文件有误:\n{error}") from None


def _heads(path: Path, city: str) -> list[Head]:
    """The heads of this city in a file; several cities may write to one."""
    try:
        found, bad = read_heads(path)
    except HeadsUnreadable as error:
        raise Failed(f"{error}\n    {path} 不是链头文件") from None
    if bad:
        shown = ", ".join(map(str, bad[:LINES_SHOWN])) + (" …" if len(bad) > LINES_SHOWN else "")
        _say(f"{path}: {len(bad)} line(s) are no heads 有 {len(bad)} 行不是链头: {shown}")
    heads = [head for head in found if head.city == city]
    others = sorted({head.city for head in found} - {city})
    if others:
        _say(f"{path}: heads of other cities are left out 忽略其他城市: {', '.join(others[:LINES_SHOWN])}")
    if not heads:
        raise Failed(f"{path} holds no head of {city}; is [city] name still what it was?\n    其中没有 {city} 的链头")
    return heads


def _progress(told: dict[str, Any]) -> None:
    if "percent" in told:
        _say(f"{told['percent']:3} %  {told['name']}")
    else:
        _say("waiting for the archive to be at rest 等待归档任务结束")


def _say(text: str) -> None:
    """To the terminal beside what is answered."""
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run verify",
        description="Compares all sealed history with what was sealed. docs/archive.md says what that proves.",
    )
    parser.add_argument("--config", type=Path, help="the city's settings (default: $GRIDBEAT_CONFIG, else the demo)")
    parser.add_argument(
        "--head", type=Path, metavar="FILE", help="heads that went out: a file of lines as archive.head_file is written"
    )
    return parser


if __name__ == "__main__":
    os.nice(19)  # the server goes first
    sys.exit(main())
