"""TOML with the line of everything in it: tomllib's values, and beside them where each was written."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Place = tuple[str, ...]
"""A section, or a section and a key, or deeper. Of sections written ``[[so]]`` the number, from "0", comes after the
name: ("so", "1", "key")."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file by its name and the line of everything in it; without a name, what is so without any file."""

    name: str = ""
    lines: Mapping[Place, int] = field(default_factory=dict)

    def line(self, *place: str) -> int:
        """The line of a place, or of what it is in, or the first."""
        return self.lines.get(place) or self.lines.get(place[:-1]) or self.lines.get(place[:1]) or 1

    def place(self, section: str, key: str, instead: str = "") -> str:
        """``city.toml:12`` of a key; of the same key in the section ``instead`` where only that has it."""
        if instead and (section, key) not in self.lines and (instead, key) in self.lines:
            section = instead
        return f"{self.name}:{self.line(section, key)}" if self.name else "settings"


class ConfigError(Exception):
    """The settings cannot be used. ``problems`` has one line for each, and so has the text."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def parse(name: str, data: bytes) -> tuple[dict[str, Any], dict[Place, int]]:
    """The values of a file and the line on which each section and key begins; raises :class:`ConfigError`."""
    try:
        written = data.decode("utf-8-sig")  # editors on Windows put a mark first
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{name}:{line}: not UTF-8; save the file in that encoding"]) from None
    try:
        return tomllib.loads(written), _lines(written)
    except tomllib.TOMLDecodeError as error:
        told = str(error)
        place = re.search(r" \(at line (\d+), column (\d+)\)$", told)
        line = int(place[1]) if place else written.rstrip("\n").count("\n") + 1
        what = f"{told[: place.start()]} (column {place[2]})" if place else told
        raise ConfigError([f"{name}:{line}: {what}"]) from None


def _lines(written: str) -> dict[Place, int]:
    """The line on which each section and each key of a file begins.

    tomllib keeps no positions. But a statement ends with the first line at which it is TOML by itself, so the file
    is cut there, and each piece says what it names, however it is quoted, dotted or nested.
    """
    found: dict[Place, int] = {}
    section: Place = ()
    counts: dict[Place, int] = {}
    piece, start = "", 1
    for number, line in enumerate(written.split("\n"), 1):
        piece += line + "\n"
        try:
            named = tomllib.loads(piece)
        except tomllib.TOMLDecodeError:
            continue
        places = list(_places(named))
        if piece.lstrip().startswith("["):
            section = places[-1]
            if piece.lstrip().startswith("[["):
                number_of = counts[section] = counts.get(section, -1) + 1
                section = (*section, str(number_of))
            places = [section]
        else:
            places = [section + place for place in places]
        for place in places:
            for length in range(1, len(place) + 1):
                found.setdefault(place[:length], start)
        piece, start = "", number + 1
    return found


def _places(table: dict[str, Any]) -> Iterator[Place]:
    for key, value in table.items():
        yield (key,)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = value[0]
        if isinstance(value, dict):
            yield from ((key, *rest) for rest in _places(value))
