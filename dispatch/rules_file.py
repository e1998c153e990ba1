"""The file of a city's rules: TOML in, frozen values out, and every mistake in it named by its line.

:func:`read_rules` raises one :class:`ConfigError` that lists everything that is wrong, such as ``rules.toml:12:
[arrival] radius_m must be 10..1000, not 5``. The files in ``dispatch/cities/`` are whole cities, and show every
setting.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from dispatch.rules import (
    IN_DAYS,
    OPTIONAL,
    RESULTS,
    Arrival,
    Duplicates,
    Escalation,
    Kind,
    Limit,
    Proof,
    Ranking,
    ResultWord,
    Rules,
    Shares,
    TimeKind,
    Waits,
    Word,
    class_code,
    length,
    needed,
    one_of,
    rule,
)
from storage.checks import shown
from storage.toml import ConfigError, Place, Source, parse

CITIES = Path(__file__).with_name("cities")
"""Rules of whole cities, to start from."""
FILE_LIMIT = 256 * 1024
"""Bytes of a file of rules: a hundred times what it needs; a wrong path may name anything."""
LIMITS_LIMIT = 500
"""Limits of a city: it has some 200 subclasses of components and events, and two kinds of tasks."""
CLASSES_LIMIT = 500
"""The same of classes."""
WORDS_LIMIT = 20
"""Reasons to decline: what a screen shows without being scrolled."""


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit as it is written."""

    kind: str = needed(one_of(RESULTS))
    limit: tuple[int, str] = needed(length)
    time: str = needed(one_of(TimeKind))
    klass: str = rule("", class_code, "class")


_SECTIONS: Mapping[str, type[Any]] = {
    "shares": Shares, "waits": Waits, "escalation": Escalation, "ranking": Ranking, "arrival": Arrival, "proof": Proof,
    "duplicates": Duplicates,
}  # fmt: skip


def read_rules(path: Path) -> Rules:
    """The rules in the file; raises :class:`ConfigError` with everything that is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise ConfigError([f"{path}: {(error.strerror or 'cannot be read').lower()}"]) from None
    if len(data) > FILE_LIMIT:
        raise ConfigError([f"{path}: larger than {FILE_LIMIT // 1024} KiB, so no file of rules"])
    return parse_rules(path.name, data)


def parse_rules(name: str, data: bytes) -> Rules:
    """The same of what a file holds."""
    document, lines = parse(name, data)
    reader = _Reader(Source(name, lines))
    reader.unknown((), document, {*_SECTIONS, *RESULTS, "declines", "classes", "limit"})
    kinds = {
        kind: reader.kind(kind, document.get(kind)) for kind in RESULTS if kind in document or kind not in OPTIONAL
    }
    limits = reader.limits(document.get("limit"), kinds)
    declines = reader.declines(document.get("declines"))
    classes = reader.classes(document.get("classes", {}))
    sections = {each: reader.section((each,), document.get(each, {}), kind) for each, kind in _SECTIONS.items()}
    if not reader.problems:
        reader.cross_check(sections)
    if reader.problems:
        raise ConfigError([told for _, told in sorted(reader.problems)])
    return Rules(sha256(data).hexdigest()[:12], kinds, limits, declines, classes, **sections)


class _Reader:
    """One file on its way to rules; collects the problems with their line numbers."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.problems: list[tuple[int, str]] = []

    def complain(self, place: Place, told: str) -> None:
        line = next((found for n in range(len(place), 0, -1) if (found := self._source.lines.get(place[:n]))), 1)
        self.problems.append((line, f"{self._source.name}:{line}: {told}"))

    def unknown(self, place: Place, given: Mapping[str, Any], choices: Collection[str]) -> None:
        """What the file names and nobody reads is a mistake, or its writer believes that it works."""
        for key in given.keys() - set(choices):
            near = difflib.get_close_matches(key.lower(), sorted(choices), 1)
            hint = f"did you mean {near[0]}?" if near else "there are " + ", ".join(sorted(choices))
            self.complain((*place, key), f"{_head(place)}{key} is nothing that can be set; {hint}")

    def table(self, place: Place, given: Any, like: str) -> dict[str, Any]:
        """A table, or nothing and a complaint."""
        if isinstance(given, dict):
            return given
        told = f"is missing: write {like}" if given is None else f"must be {like}, not {shown(given)}"
        self.complain(place, f"{'.'.join(place)} {told}")
        return {}

    def section(self, place: Place, given: Any, kind: type[Any], besides: Iterable[str] = ()) -> Any:
        """A value of a class above, by its fields; ``None`` if something that it needs is missing or wrong."""
        table = self.table(place, given, f"a section {_head(place).strip()}")
        fields = {field.metadata["key"] or field.name: field for field in dataclasses.fields(kind) if field.metadata}
        self.unknown(place, table, {*fields, *besides})
        values: dict[str, Any] = {}
        for key, field in fields.items():
            if key in table:
                try:
                    values[field.name] = field.metadata["check"](table[key])
                except ValueError as error:
                    self.complain((*place, key), f"{_head(place)}{key} {error}")
            elif field.metadata["needed"] and isinstance(given, dict):
                self.complain(place, f'{_head(place)}{key} is missing: write {key} = "..."')
        lacking = any(field.metadata["needed"] and field.name not in values for field in fields.values())
        return None if lacking else kind(**values)

    def kind(self, kind: str, given: Any) -> Any:
        found = self.section((kind,), given, Kind, besides=["results"])
        if not isinstance(given, dict):
            return found
        place: Place = (kind, "results")
        table = self.table(place, given.get("results"), f"a section [{kind}.results]")
        if table:
            self.unknown(place, table, RESULTS[kind])
        results = {}
        for word in RESULTS[kind] if table else ():
            if word in table:
                results[word] = self.section((*place, word), table[word], ResultWord)
            else:
                self.complain(place, f'{_head(place)}{word} is missing: write {word} = {{ zh = "...", en = "..." }}')
        return None if found is None else dataclasses.replace(found, results=results)

    def declines(self, given: Any) -> dict[str, Any]:
        place: Place = ("declines",)
        table = self.table(place, given, "a section [declines]")
        if isinstance(given, dict) and not 0 < len(table) <= WORDS_LIMIT:
            self.complain(place, f"[declines] must hold 1 to {WORDS_LIMIT} reasons, not {len(table)}")
        found = {}
        for word, value in table.items():
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", word):
                self.complain((*place, word), f"[declines] {shown(word)} must be a word of small letters, such as busy")
            found[word] = self.section((*place, word), value, Word)
        return found

    def classes(self, given: Any) -> dict[str, Any]:
        place: Place = ("classes",)
        table = self.table(place, given, "a section [classes]")
        if len(table) > CLASSES_LIMIT:
            self.complain(place, f"[classes] must hold {CLASSES_LIMIT} at the most, not {len(table)}")
        found = {}
        for code, value in table.items():
            try:
                found[class_code(code)] = self.section((*place, code), value, Word)
            except ValueError as error:
                self.complain((*place, code), f"[classes] {shown(code)} {error}")
        return found

    def limits(self, given: Any, kinds: Collection[str]) -> dict[tuple[str, str], Limit]:
        found: dict[tuple[str, str], Limit] = {}
        if not isinstance(given, list) or not 0 < len(given) <= LIMITS_LIMIT:
            self.complain(("limit",), f"[[limit]] must be there, once for each limit, {LIMITS_LIMIT} times at the most")
            return found
        for count, table in enumerate(given):
            place: Place = ("limit", str(count))
            one = self.section(place, table, _Limit)
            if one is None:
                continue
            key = (one.kind, one.klass)
            if one.kind not in kinds:
                self.complain(place, f"[[limit]] there is no section [{one.kind}] that says what that is")
            if key in found:
                self.complain(place, f"[[limit]] there is one of kind {one.kind} and class {shown(one.klass)} already")
            days = one.limit[1] == "d"
            if days != (one.time in IN_DAYS):
                right = '"3 d"' if one.time in IN_DAYS else '"30 min" or "24 h"'
                self.complain((*place, "limit"), f"[[limit]] limit must be like {right} with time {one.time}")
            found[key] = Limit(TimeKind(one.time), one.limit[0])
        for kind in kinds:
            if (kind, "") not in found and not self.problems:
                self.complain(("limit",), f'[[limit]] there is none of kind "{kind}" without a class, for all the rest')
        return found

    def cross_check(self, sections: Mapping[str, Any]) -> None:
        """What two values must be to each other."""
        for section, less, more in _ORDER:
            low, high = (getattr(sections[section], key) for key in (less, more))
            low = max(low, default=0) if isinstance(low, tuple) else low
            if low >= high:
                key = less if (section, less) in self._source.lines else more
                self.complain((section, key), f"[{section}] {less} must be less than {more} ({high}), not {low}")


_ORDER = (
    ("shares", "warn", "critical"),
    ("shares", "yellow", "red"),
    ("waits", "resend_s", "deliver_s"),
    ("waits", "question_s", "alert_s"),
)


def _head(place: Place) -> str:
    if not place:
        return ""
    return "[[limit]] " if place[0] == "limit" else f"[{'.'.join(place)}] "
