"""What has changed on the map and where everybody is, made once for all who look: what of it lies in a box."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

Box = tuple[float, float, float, float]
"""South, west, north, east in degrees."""
Brief = tuple[int, int]
"""What is told of a unit wherever one looks: its presence, and 1 if it calls for help."""

BAND = 48
"""So many between a box's south and north are compared with its sides one by one; more all at once."""
_NOWHERE = (float("nan"), float("nan"))


class Row:
    """A unit as viewers see it: ``values`` are those of its JSON array; ``changed`` and ``turned`` are the sequence
    numbers of its last change and of the last one of its ``brief``."""

    def __init__(
        self,
        latitude: float | None,
        longitude: float | None,
        brief: Brief,
        values: list[Any],
        changed: int,
        turned: int,
    ) -> None:
        self.latitude = latitude
        self.longitude = longitude
        self.brief = brief
        self.values = values
        self.changed = changed
        self.turned = turned

    @cached_property
    def text(self) -> str:
        """The JSON array; made when somebody needs this row alone."""
        return as_json(self.values)


class Changes:
    """What one sequence number has changed, made once for all viewers."""

    def __init__(self, units: list[str], rows: list[Row], before: list[Row | None]) -> None:
        self.units, self.rows = units, rows
        self._before = before

    @cached_property
    def bounds(self) -> Box | None:
        """The smallest box around all of them; ``None`` if one is nowhere."""
        places = [(row.latitude, row.longitude) for row in self.rows]
        latitudes, longitudes = zip(*places, strict=True) if places else ((None,), (None,))
        if None in latitudes or None in longitudes:
            return None
        return min(latitudes), min(longitudes), max(latitudes), max(longitudes)

    @cached_property
    def places_before(self) -> dict[str, tuple[float, float]]:
        """Where each unit was."""
        return dict(zip(self.units, map(_place, self._before), strict=True))

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Each unit's place in the list."""
        return {unit: n for n, unit in enumerate(self.units)}

    @cached_property
    def turned(self) -> list[int]:
        """Places in the list of those whose brief has changed."""
        return [n for n, row in enumerate(self.rows) if row.turned == row.changed]

    @cached_property
    def text(self) -> str:
        """All rows as they stand in a frame."""
        return as_json([row.values for row in self.rows])[1:-1]

    @cached_property
    def _now(self) -> Ground:
        return Ground([*map(_place, self.rows)])

    @cached_property
    def _then(self) -> Ground:
        return Ground([*map(_place, self._before)])

    def seen(self, box: Box) -> tuple[list[int], list[int]]:
        """Places in the list of those that are in the box, and of those that were and are no more."""
        now, before = self._now.within(box), self._then.within(box)
        if not before or now == before:
            return now, []
        return now, sorted(set(before).difference(now))


class Ground:
    """Many places, as latitude and longitude, and which of them lie in a box. They are sorted by latitude once for all
    boxes: who looks at one street is shown the few that lie as far north, not the whole town."""

    def __init__(self, places: list[tuple[float, float]]) -> None:
        self._order = sorted((n for n, place in enumerate(places) if place is not _NOWHERE), key=lambda n: places[n][0])
        self._latitudes = [places[n][0] for n in self._order]
        self._longitudes = [places[n][1] for n in self._order]

    @cached_property
    def _arrays(self) -> tuple[Any, Any]:
        return np.array(self._order, int), np.array(self._longitudes)

    def within(self, box: Box) -> list[int]:
        """The numbers of those in the box, in no order that means anything."""
        south, west, north, east = box
        first, last = bisect_left(self._latitudes, south), bisect_right(self._latitudes, north)
        if last - first > BAND:
            order, longitudes = self._arrays[0][first:last], self._arrays[1][first:last]
            over, under = longitudes >= west, longitudes <= east
            found: list[int] = order[over & under if west <= east else over | under].tolist()
            return found
        band = zip(self._order[first:last], self._longitudes[first:last], strict=True)
        if west <= east:
            return [n for n, longitude in band if west <= longitude <= east]
        return [n for n, longitude in band if longitude >= west or longitude <= east]


class Everybody:
    """All rows at one moment, for those who have just begun to look somewhere."""

    def __init__(self, rows: dict[str, Row]) -> None:
        self.units, self.rows = list(rows), list(rows.values())

    @cached_property
    def _arrays(self) -> Any:
        return np.array([*map(_place, self.rows)]).reshape(-1, 2).T

    def seen(self, box: Box | None, follow: str | None) -> Any:
        """A truth for each: whether it is in the box or followed."""
        seen = np.zeros(len(self.rows), bool) if box is None else within(box, *self._arrays)
        if follow is not None and follow in self.units:
            seen[self.units.index(follow)] = True
        return seen

    def text(self, numbers: Iterable[int]) -> str:
        """These rows as they stand in a frame. Many at once take a third of what they take one by one, and few have
        been made before; in a quiet town it is the other way round."""
        rows = [self.rows[n] for n in numbers]
        if 2 * sum("text" in vars(row) for row in rows) < len(rows):
            return as_json([row.values for row in rows])[1:-1]
        return ",".join([row.text for row in rows])


def _place(row: Row | None) -> tuple[float, float]:
    if row is None or row.latitude is None or row.longitude is None:
        return _NOWHERE
    return row.latitude, row.longitude


def within(box: Box, latitudes: Any, longitudes: Any) -> Any:
    """Which places are in a box. Nowhere is in none: comparisons with it are all false."""
    south, west, north, east = box
    across = (
        (longitudes >= west) & (longitudes <= east) if west <= east else (longitudes >= west) | (longitudes <= east)
    )
    return across & (latitudes >= south) & (latitudes <= north)


as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
