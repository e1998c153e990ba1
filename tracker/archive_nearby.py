"""Who was near a place, day by day: out of the archive's files, and with them what is not sealed yet.

A closed day without anything beside it holds each point once, and is counted where it lies. Of every other day the
copies of a point are put together first, wherever they come from; points of one time and place count as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np

from storage.archive.layout import details_of
from storage.archive.reader import Columns, Damaged, Reader, Rows
from tracker.archive_tracks import ALL, ArchiveTracks, Listed, Lost
from tracker.model import Doubt
from tracker.nearby import Circle, Visit, together
from tracker.pipeline import ACCURACY_LIMIT, FUTURE_MS
from tracker.record import ReportRecord

_DOUBTED = int(Doubt.FUTURE | Doubt.JUMP | Doubt.INACCURATE)
"""What says of a point that its unit was not there. Being another device's says nothing of the kind."""

_CLOSED = f"""SELECT unit, fix_time, latitude, longitude, (flags >> 8) & {_DOUBTED} <> 0 AS doubted
    FROM {{files}} WHERE fix_time BETWEEN ? AND ?"""
_PARTS = f"""SELECT unit, fix_time, latitude, longitude,
    coalesce(accuracy > {ACCURACY_LIMIT}, false) OR fix_time - server_time > {FUTURE_MS} AS doubted
    FROM {{files}} WHERE fix_time BETWEEN ? AND ? AND latitude IS NOT NULL"""
_RAW = "SELECT raw FROM {files} WHERE moment BETWEEN ? AND ? AND raw IS NOT NULL"
_ONCE = "SELECT unit, fix_time, latitude, longitude, bool_and(doubted) AS doubted"
_VISITS = """SELECT unit, count(*) AS fixes, count_if(doubted) AS doubted, min(fix_time) AS first,
    max(fix_time) AS last, min(metres) AS nearest, arg_min(fix_time, (metres, fix_time)) AS nearest_at"""


@dataclass(frozen=True, slots=True)
class Found:
    """Who was near a place, the nearest first; ``unreadable`` are the city days of which something is missing."""

    visits: list[Visit]
    unreadable: list[str]


class ArchiveNearby:
    """Answers in a thread."""

    def __init__(self, tracks: ArchiveTracks) -> None:
        self._tracks = tracks
        self._reader: Reader = tracks.reader

    def find(self, circle: Circle, start: int, end: int, fresh: Iterable[Columns]) -> Found:
        """The visits with ``start <= fix time <= end`` (ms). ``fresh`` are points that are not sealed yet, as arrays
        like the columns of a closed day, with ``doubted``.

        Raises :class:`storage.archive.reader.TooLarge`.
        """
        days = self._by_day(circle, start, end, fresh)

        def work(lost: Lost) -> Found:
            sources = self._tracks.sources([(start, end, ALL)])
            visits = [
                visit
                for day in sorted({*sources, *days})
                for visit in self._day(circle, sources.get(day, ()), days.get(day), lost)
            ]
            return Found(together(visits), sorted(lost.days))

        return self._tracks.retrying(work)

    def _by_day(self, circle: Circle, start: int, end: int, fresh: Iterable[Columns]) -> dict[str, Columns]:
        parts: dict[str, list[Columns]] = {}
        for points in fresh:
            mask = (points["fix_time"] >= start) & (points["fix_time"] <= end)
            mask &= circle.within(points["latitude"], points["longitude"])
            left = {name: values[mask] for name, values in points.items()}
            while len(left["fix_time"]):
                day = self._tracks.days.day_of(int(left["fix_time"].min()))
                within = left["fix_time"] < self._tracks.days.span(day)[1]
                parts.setdefault(day, []).append({name: values[within] for name, values in left.items()})
                left = {name: values[~within] for name, values in left.items()}
        return {day: _joined(of) for day, of in parts.items()}

    def _day(self, circle: Circle, listed: Sequence[Listed], fresh: Columns | None, lost: Lost) -> Iterator[Visit]:
        rows: dict[str, Rows] = {}
        raw = []
        for closed in (True, False):
            of = [(source, span) for source, *span in listed if (source.kind != "part") is closed]
            if of:
                files = [source.path for source, _ in of]
                rows["closed" if closed else "parts"] = Rows(_CLOSED if closed else _PARTS, files, of[0][1])
                beside = [path.with_name(details_of(path.name)) if closed else path for path in files]
                for columns in lost.asked(_RAW, beside, of[0][1]):
                    raw += columns["raw"].tolist()
        if raw:
            start, end = listed[0][1:]
            more = _columns(_records(raw))
            for extra in self._by_day(circle, start, end, [more] if more else []).values():
                fresh = extra if fresh is None else _joined([fresh, extra])
        tables = {} if fresh is None else {"fresh": fresh}
        while (rows := lost.sound(rows)) or tables:
            try:
                yield from _visits(self._reader.ask(_question(circle, rows, tables), rows, tables))
                return
            except Damaged as damaged:
                lost.damaged(damaged.path)


def _question(circle: Circle, rows: Mapping[str, Rows], tables: Mapping[str, Columns]) -> str:
    each = [f"SELECT unit, fix_time, latitude, longitude, doubted FROM {name}" for name in (*rows, *tables)]
    points = f"FROM ({' UNION ALL '.join(each)}) WHERE {circle.box_sql()}"
    if not (len(each) == 1 and "closed" in rows and len(rows["closed"].files) == 1):
        points = f"{_ONCE} {points} GROUP BY unit, fix_time, latitude, longitude"
    return (
        f"{_VISITS} FROM (SELECT *, {circle.distance_sql()} AS metres FROM ({points})) "
        f"WHERE metres <= {circle.radius!r} GROUP BY unit"
    )


def _visits(columns: Columns) -> Iterator[Visit]:
    names = ("unit", "fixes", "doubted", "first", "last", "nearest", "nearest_at")
    for row in zip(*(columns[name].tolist() for name in names), strict=True):
        yield Visit(*row)


def _joined(parts: Sequence[Columns]) -> Columns:
    return parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _records(raw: Iterable[bytes]) -> list[ReportRecord]:
    unpacked = (msgpack.unpackb(one, use_list=False, strict_map_key=False) for one in raw)
    return [record for record in map(ReportRecord._make, unpacked) if record.latitude is not None]


def _columns(records: Sequence[ReportRecord]) -> Columns | None:
    """Located records as arrays."""
    return columns_of_points([(r.unit, r.fix_time, r.latitude, r.longitude, is_doubted(r)) for r in records])


def is_doubted(record: Sequence[Any]) -> bool:
    """Whether a located report says of itself that its unit need not be there."""
    return (record[12] or 0) > ACCURACY_LIMIT or record[6] - record[4] > FUTURE_MS


def columns_of_points(points: Sequence[tuple[Any, ...]]) -> Columns | None:
    """Unit, fix time, latitude, longitude and doubt of points as arrays by column; None of none."""
    if not points:
        return None
    units, times, latitudes, longitudes, doubted = zip(*points, strict=True)
    return {
        "unit": np.array(units, dtype=object),
        "fix_time": np.array(times, dtype=np.int64),
        "latitude": np.array(latitudes, dtype=np.int64),
        "longitude": np.array(longitudes, dtype=np.int64),
        "doubted": np.array(doubted, dtype=np.bool_),
    }
