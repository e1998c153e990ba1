"""Which days are worked: the week's pattern, statutory holidays, and the weekends that are worked to make up for them.

No rule gives these days: the State Council announces them a year at a time. So there is a data file for each year in
``tracker/holidays/``, and a city may have one of its own that adds days and takes the place of ours. In a year without
a file weekends are taken as they are, and whoever shows days says so.

A file is JSON: ``years`` that it is the whole announcement for, ``holidays`` each with ``zh`` and ``en`` (its names),
``from`` and ``to`` (days, both included) and ``work`` (weekends that are worked in exchange), and ``workdays``: days
that are worked whatever a file before said. Any of the three may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("holidays")
WEEK = frozenset(range(1, 6))
"""The days that are usually worked, Monday is 1."""
FILE_LIMIT = 256 * 1024
"""Bytes of a city's own file: a thousand times what a year needs; a wrong path may name anything."""
HOLIDAY_LIMIT = 62
"""Days of one holiday: a slip in its year would else make half a life of it."""


class CalendarError(Exception):
    """A file of holidays cannot be used; the text names the file and says what to mend."""


class Kind(StrEnum):
    """What a day is."""

    WORKDAY = "workday"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    MAKEUP = "makeup"


@dataclass(frozen=True, slots=True)
class Day:
    """What a day is, and the holiday's name if it is one or is worked for one."""

    kind: Kind
    zh: str = ""
    en: str = ""

    @property
    def worked(self) -> bool:
        return self.kind in (Kind.WORKDAY, Kind.MAKEUP)


_PLAIN = {True: Day(Kind.WORKDAY), False: Day(Kind.WEEKEND)}


class Calendar:
    """The days of a city, named ``2026-11-23``."""

    def __init__(
        self, week: Iterable[int] = WEEK, named: Mapping[str, Day] | None = None, years: Iterable[int] = ()
    ) -> None:
        self.week = frozenset(week)
        self.years = frozenset(years)
        """Those whose holidays are known."""
        self._named = dict(named or {})

    def day(self, day: str) -> Day:
        """What this day is. Raises :class:`ValueError` if it is none."""
        named = self._named.get(day)
        return _PLAIN[date.fromisoformat(day).isoweekday() in self.week] if named is None else named

    def missing(self, today: str) -> int | None:
        """The year whose holidays should be known on this day and are not: this one, and in December the next, which is
        announced in November. None is missed where none is known."""
        year = int(today[:4])
        wanted = (year, year + 1) if today[5:7] == "12" else (year,)
        return next((year for year in wanted if year not in self.years), None) if self.years else None

    def with_file(self, name: str, document: Any) -> Calendar:
        """This calendar with what a file says besides. Raises :class:`CalendarError`."""
        if not isinstance(document, Mapping) or not document.keys() <= {"years", "holidays", "workdays", "source"}:
            raise CalendarError(f'{name}: must be a JSON object with "years", "holidays" and "workdays"')
        years = document.get("years", [])
        if not isinstance(years, list) or not all(type(year) is int and 2000 <= year < 2100 for year in years):
            raise CalendarError(f'{name}: "years" must be a list such as [2026]')
        # What is announced for a year takes the place of all that was said of it before.
        named = {day: kind for day, kind in self._named.items() if int(day[:4]) not in years}
        for each in _list(name, document, "holidays"):
            if not isinstance(each, Mapping):
                raise CalendarError(f"{name}: a holiday must be an object with zh, en, from, to and work")
            zh, en = (str(each.get(key) or "").strip()[:40] for key in ("zh", "en"))
            if not zh and not en:
                raise CalendarError(f"{name}: a holiday without a name in zh or en")
            zh, en = zh or en, en or zh
            first = _day(name, each.get("from"))
            last = _day(name, each.get("to", each.get("from")))
            if not 0 <= (last - first).days < HOLIDAY_LIMIT:
                raise CalendarError(f"{name}: {en} must last 1 to {HOLIDAY_LIMIT} days")
            for n in range((last - first).days + 1):
                named[(first + timedelta(days=n)).isoformat()] = Day(Kind.HOLIDAY, zh, en)
            for worked in _list(name, each, "work"):
                named[_day(name, worked).isoformat()] = Day(Kind.MAKEUP, zh, en)
        for worked in _list(name, document, "workdays"):
            found = _day(name, worked)
            usual = found.isoweekday() in self.week
            named[found.isoformat()] = Day(Kind.WORKDAY if usual else Kind.MAKEUP)
        return Calendar(self.week, named, self.years | set(years))


def _list(name: str, document: Mapping[str, Any], key: str) -> list[Any]:
    found = document.get(key, [])
    if not isinstance(found, list):
        raise CalendarError(f'{name}: "{key}" must be a list')
    return found


def _day(name: str, given: Any) -> date:
    try:
        return date.fromisoformat(given)
    except (TypeError, ValueError):
        raise CalendarError(f"{name}: {str(given)[:40]!r} is not a day such as 2026-10-01") from None


def read_calendar(country: str, week: Iterable[int] = WEEK, own: Path | None = None) -> Calendar:
    """The calendar of a country's files, and of the city's own file if there is one. Raises :class:`CalendarError`."""
    calendar = Calendar(week)
    for path in sorted(FOLDER.glob(f"{country.lower()}-*.json")):
        calendar = calendar.with_file(path.name, json.loads(path.read_text("utf-8")))
    return calendar if own is None else calendar.with_file(str(own), _own(own))


def _own(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise CalendarError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    if len(content) > FILE_LIMIT:
        raise CalendarError(f"{path}: larger than {FILE_LIMIT // 1024} KiB, so no file of holidays")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CalendarError(f"{path}: this is no JSON: {error}") from None


def countries() -> tuple[str, ...]:
    """Those that there are files of."""
    return tuple(sorted({path.name.partition("-")[0] for path in FOLDER.glob("*-*.json")}))
