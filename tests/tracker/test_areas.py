"""Grids and cells: what GeoJSON may say, and which of them a point lies in."""

from __future__ import annotations

from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from simulator.city import make_city
from tests.tracker.helpers import square
from tracker import areas as module
from tracker.areas import LEVELS, SQUARE, AreaIndex, GeoJSONError, Membership, read_areas
from tracker.model import Area, AreaId

RING = [[117.0, 30.0], [117.1, 30.0], [117.1, 30.1], [117.0, 30.1], [117.0, 30.0]]


def feature(identity: Any = "g1", geometry: Any = None, **properties: Any) -> dict[str, Any]:
    polygon = {"type": "Polygon", "coordinates": [RING]}
    return {"type": "Feature", "id": identity, "properties": properties, "geometry": geometry or polygon}


def collection(*features: Any, **others: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features), **others}


def e7(degrees: float) -> int:
    return round(degrees * 1e7)


class Oracle:
    """The rule itself: of all areas that hold or touch the point, the smallest id of each level."""

    def __init__(self, areas: list[Area]) -> None:
        self._shapes = {level: [(a.id, shape(a.geometry)) for a in areas if a.level == level] for level in LEVELS}

    def locate(self, latitude: int, longitude: int) -> Membership:
        point = shapely.Point(longitude / 1e7, latitude / 1e7)
        grid, cell = (
            min((identity for identity, polygon in self._shapes[level] if polygon.intersects(point)), default=None)
            for level in LEVELS
        )
        return grid, cell


# -- reading


def test_all_that_a_feature_says_is_kept() -> None:
    (area,) = read_areas(
        collection(
            feature(
                7, name="第一网格", level="cell", street="东街", owner="张", parent="", phone=5, deep={"a": 1}, on=True
            )
        )
    )
    assert (area.id, area.level, area.name, area.street, area.owner) == ("7", "cell", "第一网格", "东街", "张")
    assert area.properties == {"phone": "5"}
    assert area.geometry == {"type": "Polygon", "coordinates": [RING]}


def test_the_property_id_counts_before_the_features_own_and_stands_in_for_a_name() -> None:
    (area,) = read_areas(collection(feature("outer", id="inner")))
    assert (area.id, area.name, area.level) == ("inner", "inner", "grid")


@pytest.mark.parametrize("crs", ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4490"])
def test_wgs84_by_any_of_its_names_is_taken(crs: str) -> None:
    assert len(read_areas(collection(feature(), crs={"type": "name", "properties": {"name": crs}}))) == 1


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (None, "FeatureCollection"),
        ([], "FeatureCollection"),
        (feature(), "FeatureCollection"),
        ({"type": "FeatureCollection"}, "not a list"),
        (collection(feature(), crs={"properties": {"name": "EPSG:4549"}}), "convert it to WGS-84"),
    ],
)
def test_a_document_that_is_none_says_why(document: Any, text: str) -> None:
    with pytest.raises(GeoJSONError, match=text):
        read_areas(document)


def polygon(*points: list[Any]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [list(points)]}


BOW = polygon([117.0, 30.0], [117.1, 30.1], [117.1, 30.0], [117.0, 30.1], [117.0, 30.0])
SWAPPED = polygon([30.0, 117.0], [30.1, 117.0], [30.1, 117.1], [30.0, 117.0])
METRES = polygon([500_000, 3_000_000], [500_100, 3_000_000], [500_100, 3_000_100], [500_000, 3_000_000])


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ("text", "not a Feature"),
        ({"type": "Polygon"}, "not a Feature"),
        (feature(None), '"id"'),
        (feature(""), '"id"'),
        (feature("x" * 65), '"id"'),
        (feature(["x"]), '"id"'),
        (feature("g0"), "used twice"),
        (feature(level="district"), '"level"'),
        (feature(level=["grid"]), '"level"'),
        (feature(geometry={"type": "Point", "coordinates": [117, 30]}), "Polygon or a MultiPolygon"),
        (feature(geometry="POLYGON"), "Polygon or a MultiPolygon"),
        (feature(geometry={"type": "Polygon"}), "cannot be read"),
        (feature(geometry={"type": "Polygon", "coordinates": 5}), "cannot be read"),
        (feature(geometry=polygon([117, "x"], [118, 30], [118, 31])), "cannot be read"),
        (feature(geometry=polygon([117, 30], [118, 31])), "cannot be read"),
        (feature(geometry={"type": "Polygon", "coordinates": []}), "empty"),
        (feature(geometry=SWAPPED), "longitude comes first"),
        (feature(geometry=METRES), "longitude comes first"),
        (feature(geometry=polygon([float("nan"), 30], [118, 30], [118, 31], [117, 30])), "coordinates|outline"),
        (feature(geometry=BOW), "outline is not valid: Self-intersection"),
    ],
)
def test_every_problem_names_its_feature(bad: Any, text: str) -> None:
    with pytest.raises(GeoJSONError, match=f"feature 2: .*({text})") as caught:
        read_areas(collection(feature("g0"), bad, feature("g3")))
    assert "feature 1" not in str(caught.value)
    assert "feature 3" not in str(caught.value)


def test_all_problems_are_told_at_once_but_not_without_end() -> None:
    with pytest.raises(GeoJSONError, match=r"feature 2.*feature 4"):
        read_areas(collection(feature("a"), feature(None), feature("b"), feature(None)))
    with pytest.raises(GeoJSONError, match=r"feature 10: .*; and 90 more$"):
        read_areas(collection(*[feature(None)] * 100))


def test_a_cell_names_a_grid_of_its_file_when_the_file_has_grids() -> None:
    with pytest.raises(GeoJSONError, match=r"cell 'c1': its parent 'g9'"):
        read_areas(collection(feature("g1"), feature("c1", level="cell", parent="g9")))
    assert read_areas(collection(feature("c1", level="cell", parent="g9")))[0].parent == "g9"
    assert len(read_areas(collection(feature("g1"), feature("c1", level="cell", parent="g1")))) == 2


# -- looking up


def test_without_areas_nobody_is_anywhere() -> None:
    assert AreaIndex().locate(0, 0) == (None, None)
    assert len(AreaIndex()) == 0


def test_a_hole_is_outside_and_its_edge_is_in() -> None:
    hole = [[117.04, 30.04], [117.06, 30.04], [117.06, 30.06], [117.04, 30.06], [117.04, 30.04]]
    (area,) = read_areas(collection(feature(geometry={"type": "Polygon", "coordinates": [RING, hole]})))
    index = AreaIndex([area])
    assert index.locate(e7(30.05), e7(117.02)) == ("g1", None)
    assert index.locate(e7(30.05), e7(117.05)) == (None, None)
    assert index.locate(e7(30.05), e7(117.04)) == ("g1", None)
    assert index.locate(e7(30.2), e7(117.05)) == (None, None)


def test_the_parts_of_a_multi_polygon_are_one_area() -> None:
    far = [[x + 1, y] for x, y in RING]
    (area,) = read_areas(collection(feature(geometry={"type": "MultiPolygon", "coordinates": [[RING], [far]]})))
    index = AreaIndex([area])
    assert index.locate(e7(30.05), e7(117.05)) == ("g1", None)
    assert index.locate(e7(30.05), e7(118.05)) == ("g1", None)
    assert index.locate(e7(30.05), e7(117.5)) == (None, None)


def test_grid_and_cell_are_answered_independently() -> None:
    index = AreaIndex([square("g", "grid", 117, 30, 117.1, 30.1), square("c", "cell", 117.05, 30, 117.2, 30.1)])
    assert index.locate(e7(30.05), e7(117.01)) == ("g", None)
    assert index.locate(e7(30.05), e7(117.07)) == ("g", "c")
    assert index.locate(e7(30.05), e7(117.15)) == (None, "c")


@pytest.mark.parametrize("order", [1, -1])
def test_a_shared_border_has_one_answer_whatever_the_order_of_the_areas(order: int) -> None:
    four = [
        square(name, "grid", 117 + i * 0.05, 30 + j * 0.05, 117.05 + i * 0.05, 30.05 + j * 0.05)
        for name, (i, j) in {"d": (0, 0), "c": (1, 0), "b": (0, 1), "a": (1, 1)}.items()
    ][::order]
    index = AreaIndex(four)
    middle = e7(30.05), e7(117.05)
    assert index.locate(*middle) == ("a", None)
    assert index.locate(e7(30.02), middle[1]) == ("c", None)
    assert index.locate(middle[0], e7(117.02)) == ("b", None)
    # Asked in another order, from squares that are remembered.
    assert index.locate(*middle) == ("a", None)


def test_of_areas_that_overlap_the_smaller_id_counts() -> None:
    index = AreaIndex([square("b", "grid", 117, 30, 117.1, 30.1), square("a", "grid", 117.05, 30, 117.2, 30.1)])
    assert index.locate(e7(30.05), e7(117.02)) == ("b", None)
    assert index.locate(e7(30.05), e7(117.07)) == ("a", None)
    assert index.locate(e7(30.05), e7(117.15)) == ("a", None)


CITY = make_city()
TOWN = read_areas(CITY.grids) + read_areas(CITY.cells)
TOWN_ORACLE = Oracle(TOWN)
TOWN_INDEX = AreaIndex(TOWN)
CORNERS = [corner for area in TOWN[:60] for corner in area.geometry["coordinates"][0]]  # type: ignore[index]
WEST, SOUTH, EAST, NORTH = (e7(v) for v in shapely.union_all([shape(a.geometry) for a in TOWN]).bounds)


def test_the_demo_city_is_whole() -> None:
    assert len(TOWN) == 25 + 2500
    for cell in TOWN[25::97]:
        inside = shape(cell.geometry).representative_point()
        assert TOWN_INDEX.locate(e7(inside.y), e7(inside.x)) == (cell.parent, cell.id)


anywhere = st.tuples(st.integers(SOUTH - 5000, NORTH + 5000), st.integers(WEST - 5000, EAST + 5000))
# Corners and what lies beside them, and points along the borders of the lookup's own squares.
at_corners = st.builds(
    lambda corner, dy, dx: (e7(corner[1]) + dy, e7(corner[0]) + dx),
    st.sampled_from(CORNERS), st.integers(-2, 2), st.integers(-2, 2),
)  # fmt: skip
at_squares = st.builds(
    lambda p, dy, dx: (p[0] // SQUARE * SQUARE + dy, p[1] // SQUARE * SQUARE + dx),
    anywhere, st.integers(-1, 1), st.integers(-1, 1),
)  # fmt: skip


@settings(max_examples=400)
@given(st.one_of(anywhere, at_corners, at_squares))
def test_the_lookup_agrees_with_asking_every_area(point: tuple[int, int]) -> None:
    assert TOWN_INDEX.locate(*point) == TOWN_ORACLE.locate(*point)


# Small areas on a lattice that is finer than the lookup's squares, so that many meet in one.
LATTICE = 700
boxes = st.tuples(*[st.integers(0, 12)] * 4).map(
    lambda v: (min(v[0], v[1]), min(v[2], v[3]), max(v[0], v[1]) + 1, max(v[2], v[3]) + 1)
)


@given(
    st.lists(st.tuples(boxes, st.sampled_from(LEVELS)), max_size=8),
    st.lists(st.tuples(st.integers(-2, 15), st.integers(-2, 15), st.integers(-1, 1)), min_size=1, max_size=12),
)
def test_the_lookup_agrees_where_small_areas_overlap_and_touch(
    given_: list[tuple[tuple[int, int, int, int], str]], asked: list[tuple[int, int, int]]
) -> None:
    made = [
        square(f"a{i}", level, *(v * LATTICE / 1e7 for v in (west, south, east, north)))
        for i, ((west, south, east, north), level) in enumerate(given_)
    ]
    index, oracle = AreaIndex(reversed(made)), Oracle(made)
    for y, x, off in asked:
        point = (y * LATTICE + off, x * LATTICE)
        assert index.locate(*point) == oracle.locate(*point)


def test_what_is_remembered_of_three_thousand_cells_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHE_LIMIT", 500)
    across = 55
    cells = [
        square(f"c{i:04}", "cell", 117 + x / 1000, 30 + y / 1000, 117.001 + x / 1000, 30.001 + y / 1000)
        for i, (y, x) in enumerate((y, x) for y in range(across) for x in range(across))
    ]
    assert len(cells) > 3000
    index = AreaIndex(cells)
    most = 0
    for i in range(len(cells)):
        y, x = divmod(i, across)
        found = index.locate(e7(30.0005 + y / 1000), e7(117.0005 + x / 1000))
        assert found == (None, AreaId(f"c{i:04}"))
        most = max(most, len(index._squares))
    assert 400 < most <= 500
