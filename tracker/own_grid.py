"""Whether fixes are inside a unit's own grids, on their edge or outside: the geometry of attendance."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from math import cos, radians
from typing import Any

import numpy as np
import shapely
from shapely.geometry import shape

from tracker.attendance import Values, Where
from tracker.model import AreaId
from tracker.roster import Roster

TOLERANCE_M = 30.0
"""How far outside a fix may be by the error of a good receiver between houses."""
KEPT = 500
"""Sets of own grids whose geometry is at hand."""
_DEGREE_M = 111_320.0


class OwnGrid:
    """The grids of one unit together; ``geometries`` are GeoJSON polygons."""

    def __init__(self, geometries: Iterable[Any], tolerance: float = TOLERANCE_M) -> None:
        grids = shapely.union_all([shape(geometry) for geometry in geometries])
        # In metres as far as a city goes: a degree of longitude is as long as its middle's latitude makes it.
        self._squeeze = cos(radians(grids.centroid.y)) if not grids.is_empty else 1.0
        self._grids = shapely.transform(grids, self._metres)
        self._edge = self._grids.buffer(tolerance)
        shapely.prepare(self._grids)
        shapely.prepare(self._edge)

    def where(self, latitudes: Sequence[int] | Values, longitudes: Sequence[int] | Values) -> Values:
        """What :class:`Where` says of each of these places (1e-7 degrees), as an array."""
        places = self._metres(np.column_stack((np.asarray(longitudes) / 1e7, np.asarray(latitudes) / 1e7)))
        x, y = places[:, 0], places[:, 1]
        inside, near = shapely.intersects_xy(self._grids, x, y), shapely.intersects_xy(self._edge, x, y)
        return np.where(inside, Where.INSIDE, np.where(near, Where.EDGE, Where.OUTSIDE)).astype(np.int8)

    def _metres(self, places: Any) -> Any:
        return places * np.array([_DEGREE_M * self._squeeze, _DEGREE_M])


class OwnGrids:
    """Grids of units as the roster has them, made once for all who share them."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._made: OrderedDict[tuple[AreaId, ...], OwnGrid] = OrderedDict()
        self._version = -1

    def of(self, areas: Iterable[AreaId]) -> OwnGrid | None:
        """These together; ``None`` if none of them exists."""
        roster = self._roster
        if roster.areas_version != self._version:
            self._made.clear()
            self._version = roster.areas_version
        known = tuple(sorted(area for area in areas if area in roster.areas))
        if not known:
            return None
        made = self._made.pop(known, None) or OwnGrid(roster.areas[area].geometry for area in known)
        self._made[known] = made
        if len(self._made) > KEPT:
            self._made.popitem(last=False)
        return made
