"""The believed fixes of many units at once, as columns: what is counted of a day and not shown.

One question to a day's files answers for some fifty units, where :mod:`tracker.archive_tracks` makes a record of each
point of one. That is exact where it answers: a closed day has its final flags, and of an open one those units are
answered of whose points none can be in doubt but by itself. The others are left out, and whoever asks reads their
tracks: somebody with two devices, a jump, a late supplement, what is not sealed yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from storage.archive.layout import FIXES, details_of
from storage.archive.reader import Columns, Rows, TooLarge
from tracker.archive_tracks import ALL, ArchiveTracks, Listed, Lost
from tracker.model import DISBELIEVED
from tracker.pipeline import ACCURACY_LIMIT, FUTURE_MS, JUMP_DISTANCE, JUMP_SPEED, lead_in
from tracker.tail import Points

Values = Any
"""A numpy array."""
Span = tuple[int, int]
"""Fix times, both included, ms."""

_UNIT = "list_position(?, unit)::INTEGER - 1 AS n"
_MAIN = f"""SELECT {_UNIT}, fix_time, latitude, longitude, (flags >> 8) & {int(DISBELIEVED)} = 0 AS believed
    FROM {{files}} WHERE unit IN ({{units}}) AND fix_time BETWEEN ? AND ?"""
_DETAILS = """SELECT located, duty <> 0 AS on_duty
    FROM {files} WHERE unit IN ({units}) AND moment BETWEEN ? AND ? AND (located OR raw IS NOT NULL)"""
_PARTS = f"""SELECT {_UNIT}, fix_time, latitude, longitude, duty <> 0 AS on_duty, status, alarm,
    raw IS NOT NULL AS strange,
    coalesce(accuracy > {ACCURACY_LIMIT}, false) OR fix_time - server_time > {FUTURE_MS} AS doubted, device
    FROM {{files}} WHERE unit IN ({{units}}) AND moment BETWEEN ? AND ?
    AND (latitude IS NOT NULL AND fix_time IS NOT NULL OR raw IS NOT NULL)"""
_SOME = f"SELECT DISTINCT {_UNIT} FROM {{files}} WHERE unit IN ({{units}})"
_METRES = 111_195e-7
"""Of 1e-7 degrees of latitude."""


@dataclass(frozen=True, slots=True)
class Fixes:
    """Fixes in the order of time, as arrays; coordinates in 1e-7 degrees."""

    times: Values
    latitudes: Values
    longitudes: Values


@dataclass(frozen=True, slots=True)
class Look:
    """What there is of some city days: ``files`` by day, each with what changes when it is written anew; by day the
    units of whom something is not sealed yet (``fresh``); and the days whose files have been deleted (``gone``)."""

    files: Mapping[str, tuple[Any, ...]]
    fresh: Mapping[str, Collection[str]]
    gone: Collection[str]


class DayFixes:
    """Everything runs in a thread."""

    def __init__(self, tracks: ArchiveTracks) -> None:
        self._tracks = tracks

    def look(self, first: str, last: str, sealed: int, units: Sequence[str], points: Iterable[Points]) -> Look:
        """What there is of these days, both included, and of what the tail has noted: :attr:`Tail.sealed`,
        :attr:`Tail.units` and :meth:`Tail.points`, taken before the archive is looked at."""
        days = list(self._tracks.days.days(first, last))
        begins = [self._tracks.days.span(day)[0] for day in days]
        fresh: dict[str, set[str]] = {day: set() for day in days}
        ends = self._tracks.days.span(last)[1]
        for block in points:
            some = (block.number > sealed) & (block.fix_time >= begins[0]) & (block.fix_time < ends)
            place = np.searchsorted(begins, block.fix_time[some], side="right") - 1
            for pair in np.unique(block.unit[some] * len(days) + place).tolist():
                fresh[days[pair % len(days)]].add(units[pair // len(days)])
        files: dict[str, list[Any]] = {day: [] for day in days}
        for source in self._tracks.archive.sources(FIXES, first, last):
            files[source.day].append(_mark(source.path))
        links = self._tracks.archive.chains[FIXES].links
        gone = {day for day in days if day in links.upto and f"{day}.parquet" not in links.files}
        return Look({day: tuple(of) for day, of in files.items()}, fresh, gone)

    def read(self, wanted: Mapping[str, Span]) -> dict[str, Fixes]:
        """The believed fixes on duty of those units that can be answered this way; of nobody if a file is damaged or it
        is too much. What is not sealed yet is not among them."""
        units = list(wanted)
        start, end = min(start for start, _ in wanted.values()), max(end for _, end in wanted.values())

        def work(lost: Lost) -> dict[str, Fixes]:
            # A day is judged by itself: see tracker.pipeline.judge.
            left = _all(units)
            found = []
            for listed in self._tracks.sources([(lead_in(start), end, ALL)]).values():
                columns, certain = _day(units, listed, lost)
                found.append(columns)
                left &= certain
            if lost.days:
                return {}
            whole = {name: np.concatenate([_EMPTY[name], *(one[name] for one in found)]) for name in _EMPTY}
            whole = _sorted(whole)
            edges = np.searchsorted(whole["n"], np.arange(len(units) + 1))
            return {
                unit: _cut({name: values[edges[n] : edges[n + 1]] for name, values in whole.items()}, *wanted[unit])
                for n, unit in enumerate(units)
                if left[n]
            }

        try:
            return self._tracks.retrying(work)
        except TooLarge:
            return {}


_EMPTY: Columns = {
    "n": np.empty(0, np.int32), "fix_time": np.empty(0, np.int64),
    "latitude": np.empty(0, np.int32), "longitude": np.empty(0, np.int32),
}  # fmt: skip


def _mark(path: Path) -> tuple[Any, ...]:
    try:
        told = path.stat()
    except FileNotFoundError:
        return path.name, 0
    return path.name, path.parent.name, told.st_ino, told.st_mtime_ns, told.st_size


def _cut(columns: Columns, start: int, end: int) -> Fixes:
    some = slice(*np.searchsorted(columns["fix_time"], [start, end + 1]))
    return Fixes(columns["fix_time"][some], columns["latitude"][some], columns["longitude"][some])


def _day(units: Sequence[str], listed: Sequence[Listed], lost: Lost) -> tuple[Columns, Values]:
    """The believed fixes in the files of a day, and of which units they are all there is."""
    certain = _all(units)
    closed = [one for one in listed if one[0].kind == "day"]
    others = [one for one in listed if one[0].kind != "day"]
    if not closed:
        return _open(units, listed, lost) if all(one.kind == "part" for one, _, _ in others) else (_EMPTY, ~certain)
    ((source, start, end),) = closed
    details = source.path.with_name(details_of(source.path.name))
    for columns in lost.asked(_of(_SOME, units), [one.path for one, _, _ in others], [units, *units]) if others else ():
        certain[columns["n"]] = False
    parameters = [*units, start, end]
    found = _EMPTY
    for columns in lost.joined(
        Rows(_of(_MAIN, units), [source.path], [units, *parameters]), Rows(_of(_DETAILS, units), [details], parameters)
    ):
        if not columns["located"].all():
            return _EMPTY, ~_all(units)  # a value that fits no column: hardly ever, and of whom is not asked
        some = columns["on_duty"] & columns["believed"]
        found = {name: np.ma.getdata(columns[name])[some] for name in _EMPTY}
    return found, certain


def _all(units: Sequence[str]) -> Values:
    return np.ones(len(units), np.bool_)


def _of(query: str, units: Sequence[str]) -> str:
    return query.replace("{units}", ", ".join("?" * len(units)))


def _open(units: Sequence[str], listed: Sequence[Listed], lost: Lost) -> tuple[Columns, Values]:
    """The same of a day that is nothing but parts."""
    certain = _all(units)
    _, start, end = listed[0]
    found = _EMPTY
    query, parameters = _of(_PARTS, units), [units, *units, start, end]
    devices = f"SELECT n FROM ({query}) GROUP BY n HAVING min(device) <> max(device)"
    paths = [source.path for source, _, _ in listed]
    for columns in lost.asked(devices, paths, parameters):
        certain[columns["n"]] = False
    for columns in lost.asked(f"SELECT * EXCLUDE (device) FROM ({query})", paths, parameters):
        if not len(columns["n"]):
            continue
        certain[columns["n"][columns["strange"]]] = False
        whole = _sorted({name: np.ma.getdata(values) for name, values in columns.items() if name != "strange"})
        certain[_suspects(whole)] = False
        some = whole["on_duty"] & ~whole["doubted"]
        again = np.append(False, (np.diff(whole["n"]) == 0) & (np.diff(whole["fix_time"]) == 0))
        found = {name: whole[name][some & ~again] for name in _EMPTY}
    return found, certain


def _sorted(columns: Columns) -> Columns:
    order = np.lexsort((columns["fix_time"], columns["n"]))
    return {name: values[order] for name, values in columns.items()}


def _suspects(columns: Columns) -> Values:
    """The units of whom a point may be in doubt by the one before it. A point that is in doubt by itself says nothing
    about the others, and a copy of a point that differs in nothing that counts says nothing new."""
    n, again = columns["n"], (np.diff(columns["n"]) == 0) & (np.diff(columns["fix_time"]) == 0)
    same = np.logical_and.reduce([
        columns[name][1:] == columns[name][:-1]
        for name in ("latitude", "longitude", "status", "alarm", "on_duty", "doubted")
    ])  # fmt: skip
    some = ~columns["doubted"]
    of, times = n[some], columns["fix_time"][some]
    latitudes, longitudes = columns["latitude"][some].astype(np.float64), columns["longitude"][some].astype(np.float64)
    north = np.diff(latitudes) * _METRES
    east = np.diff(longitudes) * _METRES * np.cos(np.radians(latitudes[1:] / 1e7))
    # Coarse, within a few per mille of the great circle: 5 per cent make it err on the safe side.
    moved, seconds = np.hypot(north, east), np.diff(times) / 1000
    far = (moved > 0.95 * JUMP_DISTANCE) & (moved > 0.95 * JUMP_SPEED * seconds) & (np.diff(of) == 0)
    return np.concatenate((n[1:][again & ~same], of[1:][far]))
