"""Responsibility grids and cells: read from GeoJSON, and which of them a point lies in.

Membership is asked for every report, so it is answered from a raster of small squares: most squares lie
wholly inside one area of each level and answer without any geometry; only squares on a border test the
polygons that cross them. Squares are classified when they are first asked for, and the cache is bounded.
A point on a shared border belongs to the area with the smaller id, so that every point has one answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry import shape

from tracker.coordinates import distance
from tracker.model import Area, AreaId

LEVELS = ("grid", "cell")
Membership = tuple[AreaId | None, AreaId | None]
"""The grid and the cell, each ``None`` outside all."""

SQUARE = 2500
"""Side of a square in 1e-7 degrees: about 28 m north to south, a quarter of a cell."""
_CACHE_LIMIT = 200_000
"""Squares remembered, about 55 MB at the most: 130 km² in use at a time. Beyond it the cache starts anew."""


class GeoJSONError(ValueError):
    """The GeoJSON cannot be used; the text names the feature and says what to mend, ``zh`` the same in Chinese.
    ``code`` is stable; ``place`` is where it is, longitude and latitude, if it is at one place."""

    def __init__(
        self, text: str, code: str = "not_geojson", zh: str = "", place: tuple[float, float] | None = None
    ) -> None:
        super().__init__(text)
        self.code, self.zh, self.place = code, zh, place


def read_areas(document: Any) -> list[Area]:
    """Areas of a GeoJSON FeatureCollection (RFC 7946: longitude first, WGS-84).

    Properties: ``id`` (or the feature's id), ``name``, ``level`` ``grid`` or ``cell`` (default ``grid``),
    ``parent``, ``street``, ``owner``; other texts are kept. Raises :class:`GeoJSONError` with every problem.
    """
    features = features_of(document)
    areas: list[Area] = []
    problems: list[str] = []
    seen: set[str] = set()
    for index, feature in enumerate(features, 1):
        try:
            area = read_area(feature)
            if area.id in seen:
                raise used_twice(area.id)
            seen.add(area.id)
            areas.append(area)
        except GeoJSONError as error:
            problems.append(f"feature {index}: {error}")
    known = {area.id for area in areas if area.level == "grid"}
    problems += [
        f"cell {area.id!r}: its parent {area.parent!r} is not a grid of this file"
        for area in areas
        if area.level == "cell" and area.parent and known and area.parent not in known
    ]
    if problems:
        more = f"; and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise GeoJSONError("; ".join(problems[:10]) + more)
    return areas


def features_of(document: Any) -> list[Any]:
    """The features of a FeatureCollection in WGS-84. Raises :class:`GeoJSONError`."""
    if not isinstance(document, Mapping) or document.get("type") != "FeatureCollection":
        text = 'not a GeoJSON FeatureCollection: the top object needs "type": "FeatureCollection"'
        raise GeoJSONError(text, zh='不是 GeoJSON FeatureCollection：顶层对象须有 "type": "FeatureCollection"')
    crs = document.get("crs")
    if crs is not None and not any(word in str(crs) for word in ("CRS84", "4326", "4490")):
        text = "the file names another coordinate system: convert it to WGS-84 (EPSG:4326) first"
        raise GeoJSONError(text, "coordinates", "文件声明了其他坐标系，请先转换为 WGS-84（EPSG:4326）")
    features = document.get("features")
    if not isinstance(features, list):
        raise GeoJSONError('"features" is not a list', zh="“features”不是列表")
    return features


def used_twice(identity: str) -> GeoJSONError:
    """Of two features with one id."""
    return GeoJSONError(f"the id {identity!r} is used twice", "duplicate_id", f"编号 {identity} 重复")


_REASONS = {
    "Self-intersection": "自相交", "Ring Self-intersection": "环自相交", "Hole lies outside shell": "内环在外环之外",
    "Holes are nested": "内环互相嵌套", "Interior is disconnected": "内部不连通", "Nested shells": "多个外环嵌套",
    "Duplicate Rings": "环重复", "Too few points in geometry component": "顶点过少", "Invalid Coordinate": "坐标无效",
    "Ring is not closed": "环未闭合",
}  # fmt: skip
_PLACE = re.compile(r"(.*?)\[(\S+) (\S+?)(?: \S+)?\]$")


def _not_valid(reason: str) -> GeoJSONError:
    """From what shapely says, such as ``Self-intersection[117.1 30.2]``."""
    told = _PLACE.match(reason)
    what, place = (reason, None) if told is None else (told[1], (float(told[2]), float(told[3])))
    text = f"its outline is not valid: {reason}"
    return GeoJSONError(text, "not_valid", f"边界无效：{_REASONS.get(what.strip(), what)}", place)


def read_area(feature: Any) -> Area:
    """The area that a feature is. Raises :class:`GeoJSONError`."""
    if not isinstance(feature, Mapping) or feature.get("type") != "Feature":
        raise GeoJSONError("not a Feature", zh="不是 Feature")
    given = feature.get("properties")
    properties = given if isinstance(given, Mapping) else {}
    identity = properties.get("id", feature.get("id"))
    if not isinstance(identity, str | int) or not 0 < len(str(identity)) <= 64:
        raise GeoJSONError('it needs an "id" of 1 to 64 characters', "no_id", "缺少 1 至 64 个字符的编号 id")
    level = properties.get("level", "grid")
    if level not in LEVELS:
        raise GeoJSONError(f'"level" must be grid or cell, not {level!r}', "bad_level", "level 须为 grid 或 cell")
    geometry = feature.get("geometry")
    if not isinstance(geometry, Mapping) or geometry.get("type") not in ("Polygon", "MultiPolygon"):
        text = "its geometry must be a Polygon or a MultiPolygon"
        raise GeoJSONError(text, "bad_geometry", "图形须为 Polygon 或 MultiPolygon")
    try:
        polygon = shape(geometry)
        valid: bool = polygon.is_valid
        west, south, east, north = polygon.bounds
    except Exception as error:  # shapely raises half a dozen unrelated types on what people write
        text = f"its coordinates cannot be read ({type(error).__name__})"
        raise GeoJSONError(text, "bad_geometry", "坐标无法读取") from None
    if polygon.is_empty:
        raise GeoJSONError("its geometry is empty", "bad_geometry", "图形为空")
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        text = "its coordinates are no longitude and latitude in degrees (longitude comes first)"
        raise GeoJSONError(text, "not_degrees", "坐标不是以度为单位的经纬度（经度在前）")
    if not valid:
        raise _not_valid(shapely.is_valid_reason(polygon))

    def word(name: str) -> str:
        value = properties.get(name)
        return str(value)[:200] if isinstance(value, str | int | float) and not isinstance(value, bool) else ""

    own = {"id", "name", "level", "parent", "street", "owner"}
    others = {str(k)[:40]: word(k) for k in list(properties)[:40] if k not in own and word(k)}
    return Area(
        AreaId(str(identity)), level, word("name") or str(identity), word("parent"), word("street"), word("owner"),
        {"type": geometry["type"], "coordinates": geometry["coordinates"]}, others,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Square:
    """Areas that hold the whole square, and those that cut it with their geometry; by level."""

    whole: Membership
    cut: tuple[tuple[int, AreaId, Any], ...]


class AreaIndex:
    """Which grid and which cell a point lies in."""

    def __init__(self, areas: Iterable[Area] = ()) -> None:
        self._areas = sorted(areas, key=lambda area: area.id)
        self._shapes = [shape(area.geometry) for area in self._areas]
        shapely.prepare(self._shapes)
        self._tree = shapely.STRtree(self._shapes)
        self._squares: dict[tuple[int, int], _Square] = {}

    def __len__(self) -> int:
        return len(self._areas)

    def center(self) -> tuple[float, float] | None:
        """Latitude and longitude in degrees of the middle of all areas."""
        if not self._shapes:
            return None
        west, south, east, north = shapely.total_bounds(self._shapes)
        return (float(south + north) / 2, float(west + east) / 2)

    def locate(self, latitude: int, longitude: int) -> Membership:
        """The grid and the cell of a point in 1e-7 degrees."""
        key = (latitude // SQUARE, longitude // SQUARE)
        square = self._squares.get(key)
        if square is None:
            square = self._classify(key)
        if not square.cut:
            return square.whole
        found: list[AreaId | None] = list(square.whole)
        x, y = longitude / 1e7, latitude / 1e7
        for level, identity, polygon in square.cut:
            holder = found[level]
            # A lower id that is certain already cannot be beaten; a higher one can, on a border.
            if (holder is None or identity < holder) and shapely.intersects_xy(polygon, x, y):
                found[level] = identity
        return (found[0], found[1])

    def distance(self, latitude: int, longitude: int) -> float | None:
        """How far a point in 1e-7 degrees is from the nearest area, in metres; 0 within one, ``None`` without any."""
        if not self._shapes:
            return None
        if self.locate(latitude, longitude) != (None, None):
            return 0.0
        # A degree of longitude is shorter than one of latitude: the nearest by degrees may not be it, but is near it.
        point = shapely.Point(longitude / 1e7, latitude / 1e7)
        there = shapely.get_coordinates(shapely.shortest_line(point, self._shapes[self._tree.nearest(point)]))[1]
        return distance(latitude, longitude, round(there[1] * 1e7), round(there[0] * 1e7))

    def _classify(self, key: tuple[int, int]) -> _Square:
        if len(self._squares) >= _CACHE_LIMIT:
            self._squares.clear()
        south, west = key[0] * SQUARE / 1e7, key[1] * SQUARE / 1e7
        side = SQUARE / 1e7
        box = shapely.box(west, south, west + side, south + side)
        whole: list[AreaId | None] = [None, None]
        cut: list[tuple[int, AreaId, Any]] = []
        for i in sorted(self._tree.query(box)):
            area, polygon = self._areas[i], self._shapes[i]
            level = LEVELS.index(area.level)
            if whole[level] is None and polygon.contains_properly(box):
                whole[level] = area.id
            elif polygon.intersects(box):
                cut.append((level, area.id, polygon))
        square = self._squares[key] = _Square((whole[0], whole[1]), tuple(cut))
        return square
