"""What is wrong with a file of grids and cells, all of it at once and each with its place, and what it would change.

Problems stop the file: it cannot be used as it is. Warnings do not: borders that were drawn by hand overlap by a metre,
and a city may want a hole. Pure; it takes a second or so for a city's 20,000 cells, so it belongs in a thread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy
import shapely
from shapely.geometry import shape

from tracker.areas import GeoJSONError, features_of, read_area, used_twice
from tracker.model import Area, AreaId

PROBLEMS = 200
"""Problems and warnings that are told one by one; a file that is wrong throughout is wrong for one reason."""
COMPARED = 20_000
"""Areas of a level that are laid over each other, and over their grids: some seconds."""
PAIRS = 200_000
"""Pairs of areas that touch and are laid over each other; in a city each has some four. A file in which all lie on one
place would have hundreds of millions."""
_AT_ONCE = 256
SLIVER = 0.01
"""Share of the smaller area below which an overlap is how two people drew one border."""
LEAST_M2 = 100.0
"""Overlaps, gaps and what lies outside its grid below this are nothing: half a grid is half a million."""
FAR_DEGREES = 1.0
"""Some 100 km from the middle of what is there: another city, or longitude and latitude of another system."""
CHINA = shapely.box(73.4, 3.8, 135.1, 53.6)
_METRES = 111_320.0
"""Of a degree of latitude."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``feature`` counts from 1, 0 for the file as a whole; ``place`` is longitude and latitude in degrees."""

    code: str
    feature: int
    area: str
    text: str
    zh: str
    place: tuple[float, float] | None = None
    other: str = ""
    """The area with which it is at odds."""


@dataclass(slots=True)
class Verdict:
    """``areas`` are those that can be read; with ``problems`` nothing of them is to be written. ``changed`` are ids
    with what differs, ``missing`` those that are there and not in the file."""

    areas: list[Area] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    untold: int = 0
    """Problems and warnings beyond :data:`PROBLEMS`."""
    new: list[AreaId] = field(default_factory=list)
    changed: dict[AreaId, list[str]] = field(default_factory=dict)
    same: int = 0
    missing: list[AreaId] = field(default_factory=list)

    def problem(self, finding: Finding) -> None:
        self._add(self.problems, finding)

    def warning(self, finding: Finding) -> None:
        self._add(self.warnings, finding)

    @property
    def full(self) -> bool:
        """Whether no more warnings are told."""
        return len(self.problems) + len(self.warnings) >= PROBLEMS

    def _add(self, where: list[Finding], finding: Finding) -> None:
        if not self.full or (where is self.problems and not self.problems):
            where.append(finding)
        else:
            self.untold += 1


def judge(document: Any, there: Mapping[AreaId, Area], *, closely: bool = True) -> Verdict:
    """Judge a parsed GeoJSON document against the areas that are ``there``. Without ``closely`` no warnings are looked
    for, which take the time."""
    verdict = Verdict()
    try:
        features = features_of(document)
    except GeoJSONError as error:
        verdict.problem(Finding(error.code, 0, "", str(error), error.zh))
        return verdict
    numbers: dict[AreaId, int] = {}
    for number, feature in enumerate(features, 1):
        try:
            area = read_area(feature)
            if area.id in numbers:
                raise used_twice(area.id)
        except GeoJSONError as error:
            named = _name_of(feature)
            verdict.problem(Finding(error.code, number, named, str(error), error.zh, error.place or _place_of(feature)))
            continue
        numbers[area.id] = number
        verdict.areas.append(area)
    _compare(verdict, there)
    shapes = {area.id: shape(area.geometry) for area in verdict.areas}
    _parents(verdict, numbers, shapes, there, closely)
    if not closely:
        return verdict
    _position(verdict, numbers, shapes, there)
    for level in ("grid", "cell"):
        _neighbours(verdict, numbers, [(a.id, shapes[a.id]) for a in verdict.areas if a.level == level], level)
    return verdict


def _name_of(feature: Any) -> str:
    properties = feature.get("properties") if isinstance(feature, Mapping) else None
    found = properties.get("id", feature.get("id")) if isinstance(properties, Mapping) else None
    return str(found)[:64] if isinstance(found, str | int) else ""


def _place_of(feature: Any) -> tuple[float, float] | None:
    """The first corner of a feature that cannot be read otherwise, so that it is found on a map."""
    found = feature.get("geometry") if isinstance(feature, Mapping) else None
    found = found.get("coordinates") if isinstance(found, Mapping) else None
    while isinstance(found, list) and found and isinstance(found[0], list):
        found = found[0]
    if isinstance(found, list) and len(found) >= 2 and all(type(value) in (int, float) for value in found[:2]):
        longitude, latitude = float(found[0]), float(found[1])
        if abs(longitude) <= 180 and abs(latitude) <= 90:
            return longitude, latitude
    return None


def _compare(verdict: Verdict, there: Mapping[AreaId, Area]) -> None:
    named = {area.id for area in verdict.areas}
    levels = {area.level for area in verdict.areas}
    for area in verdict.areas:
        before = there.get(area.id)
        if before is None:
            verdict.new.append(area.id)
            continue
        fields = ("level", "name", "parent", "street", "owner", "properties")
        differs = [name for name in fields if getattr(area, name) != getattr(before, name)]
        if _plain(area.geometry) != _plain(before.geometry):
            differs.append("geometry")
        if differs:
            verdict.changed[area.id] = differs
        else:
            verdict.same += 1
    verdict.missing = [area.id for area in there.values() if area.level in levels and area.id not in named]


def _plain(geometry: Mapping[str, Any]) -> Any:
    """Coordinates as they compare: what has been in the journal has tuples for lists."""

    def lists(value: Any) -> Any:
        return [lists(one) for one in value] if isinstance(value, list | tuple) else value

    return geometry.get("type"), lists(geometry.get("coordinates"))


def _parents(
    verdict: Verdict, numbers: Mapping[AreaId, int], shapes: Mapping[AreaId, Any], there: Mapping[AreaId, Area],
    closely: bool,
) -> None:  # fmt: skip
    """Each cell's grid is known, and holds it. Cells may come before any grids."""
    grids: dict[str, Any] = {area.id: shapes[area.id] for area in verdict.areas if area.level == "grid"}
    stray = verdict.problem if grids or any(area.level == "grid" for area in there.values()) else verdict.warning
    compared = 0
    for area in verdict.areas:
        if area.level != "cell" or not area.parent:
            continue
        number = numbers[area.id]
        if area.parent not in grids:
            before = there.get(AreaId(area.parent))
            if before is None or before.level != "grid":
                text, zh = f"its parent {area.parent!r} is no grid", f"所属网格 {area.parent} 不存在"
                stray(Finding("no_parent", number, area.id, text, zh, _middle(shapes[area.id]), area.parent))
                continue
            grids[area.parent] = shape(before.geometry)
        compared += 1
        if compared > COMPARED or not closely:
            continue
        grid, cell = grids[area.parent], shapes[area.id]
        if grid.covers(cell):
            continue
        outside = cell.difference(grid)
        metres = _metres2(outside)
        if metres > max(LEAST_M2, SLIVER * _metres2(cell)):
            text = f"{_spelled(metres)} of it lie outside its grid {area.parent!r}"
            zh = f"有 {_spelled(metres)} 位于所属网格 {area.parent} 之外"
            verdict.warning(Finding("outside_grid", number, area.id, text, zh, _middle(outside), area.parent))


def _position(
    verdict: Verdict, numbers: Mapping[AreaId, int], shapes: Mapping[AreaId, Any], there: Mapping[AreaId, Area]
) -> None:
    """It lies in China's box, and near to what is there."""
    known = shapely.total_bounds([shape(area.geometry) for area in there.values()]) if there else None
    for area in verdict.areas:
        box = shapes[area.id].bounds
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        if not CHINA.intersects(shapely.Point(*middle)):
            swapped = CHINA.intersects(shapely.Point(middle[1], middle[0]))
            text = "it lies outside China" + (": are latitude and longitude swapped?" if swapped else "")
            zh = "位于中国范围之外" + ("：经纬度是否颠倒？" if swapped else "")
        elif known is not None and area.id not in there and _away(middle, known):
            text, zh = "it lies far from all grids that are there", "远离现有的全部网格"
        else:
            continue
        verdict.warning(Finding("far_away", numbers[area.id], area.id, text, zh, middle))


def _away(middle: tuple[float, float], known: Sequence[float]) -> bool:
    east = max(known[0] - middle[0], middle[0] - known[2], 0.0)
    north = max(known[1] - middle[1], middle[1] - known[3], 0.0)
    return bool(math.hypot(east, north) > FAR_DEGREES)


def _neighbours(
    verdict: Verdict, numbers: Mapping[AreaId, int], found: Sequence[tuple[AreaId, Any]], level: str
) -> None:
    """Areas of one level lie beside each other, without gaps that are enclosed."""
    if not 1 < len(found) <= COMPARED:
        if found[1:]:
            text = f"more than {COMPARED} areas of level {level}: overlaps and gaps were not looked for"
            zh = f"{level} 层超过 {COMPARED} 个，未检查重叠与空隙"
            verdict.warning(Finding("not_compared", 0, "", text, zh))
        return
    shapes = numpy.array([one for _, one in found], dtype=object)
    tree, left = shapely.STRtree(shapes), PAIRS
    for start in range(0, len(shapes), _AT_ONCE):
        first, second = tree.query(shapes[start : start + _AT_ONCE], predicate="intersects")
        first = first + start
        pairs = numpy.flatnonzero(first < second)[:left]
        first, second, left = first[pairs], second[pairs], left - len(pairs)
        common = shapely.intersection(shapes[first], shapes[second])
        smaller = numpy.minimum(shapely.area(shapes[first]), shapely.area(shapes[second]))
        for at in numpy.flatnonzero(shapely.area(common) > SLIVER * smaller):
            if verdict.full:
                verdict.untold += 1
                continue
            metres = _metres2(common[at])
            if metres > LEAST_M2:
                one, other = found[int(first[at])][0], found[int(second[at])][0]
                text, zh = f"it overlaps {other!r} by {_spelled(metres)}", f"与 {other} 重叠 {_spelled(metres)}"
                verdict.warning(Finding("overlap", numbers[one], one, text, zh, _middle(common[at]), other))
        if not left:
            return
    whole = shapely.union_all(shapes)
    for part in shapely.get_parts(whole):
        for ring in shapely.get_rings(part)[1:]:
            gap = shapely.Polygon(ring)
            metres = _metres2(gap)
            if metres > LEAST_M2:
                text = f"a gap of {_spelled(metres)} that no {level} covers"
                zh = f"有 {_spelled(metres)} 的空隙不属于任何{'责任网格' if level == 'grid' else '单元网格'}"
                verdict.warning(Finding("gap", 0, "", text, zh, _middle(gap)))


def _middle(geometry: Any) -> tuple[float, float]:
    """A point that surely lies in it."""
    point = geometry.representative_point()
    return float(point.x), float(point.y)


def _metres2(geometry: Any) -> float:
    """Square metres, near enough for a city."""
    _, south, _, north = geometry.bounds
    return float(geometry.area * _METRES**2 * math.cos(math.radians((south + north) / 2)))


def _spelled(metres: float) -> str:
    return f"{metres / 1e6:.2f} km²" if metres >= 100_000 else f"{metres:.0f} m²"
