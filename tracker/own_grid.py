"""Whether fixes are inside a unit's own grids, on their edge or outside: the geometry of attendance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import cos, radians
from typing import Any

import numpy as np
import shapely
from shapely.geometry import shape

from tracker.attendance import Where

TOLERANCE_M = 30.0
"""How far outside a fix may be by the error of a good receiver between houses."""
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

    def where(self, latitudes: Sequence[int], longitudes: Sequence[int]) -> list[Where]:
        """Where each of these places (1e-7 degrees) is."""
        places = self._metres(np.column_stack((np.array(longitudes) / 1e7, np.array(latitudes) / 1e7)))
        x, y = places[:, 0], places[:, 1]
        inside, near = shapely.intersects_xy(self._grids, x, y), shapely.intersects_xy(self._edge, x, y)
        found = np.where(inside, Where.INSIDE, np.where(near, Where.EDGE, Where.OUTSIDE))
        return [Where(one) for one in found.tolist()]

    def _metres(self, places: Any) -> Any:
        return places * np.array([_DEGREE_M * self._squeeze, _DEGREE_M])
