"""Inside, on the edge, outside: the geometry of attendance."""

from __future__ import annotations

from math import cos, radians

import pytest

from tests.tracker.helpers import square
from tracker.attendance import Where
from tracker.own_grid import TOLERANCE_M, OwnGrid

WEST, SOUTH = 117.49, 30.66
EAST, NORTH = 117.50, 30.67
METRE = 1e7 / 111_320
GRID = square("g1", "grid", WEST, SOUTH, EAST, NORTH).geometry
BESIDE = square("g2", "grid", EAST, SOUTH, EAST + 0.01, NORTH).geometry


def where(own: OwnGrid, *places: tuple[float, float]) -> list[Where]:
    """Of places as metres north and east of the grid's north-east corner."""
    squeeze = cos(radians((SOUTH + NORTH) / 2))
    north = [round(NORTH * 1e7 + metres * METRE) for metres, _ in places]
    east = [round(EAST * 1e7 + metres * METRE / squeeze) for _, metres in places]
    return list(map(Where, own.where(north, east).tolist()))


@pytest.mark.parametrize("side", [(1, 0), (0, 1)])
def test_metres_are_as_long_east_as_north(side: tuple[int, int]) -> None:
    own = OwnGrid([GRID])
    places = [(metres * side[0] - 100 * side[1], metres * side[1] - 100 * side[0])
              for metres in (-200.0, -1.0, 1.0, TOLERANCE_M - 1, TOLERANCE_M + 1, 500.0)]  # fmt: skip
    assert [one.name for one in where(own, *places)] == ["INSIDE", "INSIDE", "EDGE", "EDGE", "OUTSIDE", "OUTSIDE"]


def test_two_grids_are_one_place() -> None:
    own = OwnGrid([GRID, BESIDE])
    assert where(own, (-10, 1.0), (-10, 400.0)) == [Where.INSIDE, Where.INSIDE]
    assert where(OwnGrid([GRID]), (-10, 1.0), (-10, 400.0)) == [Where.EDGE, Where.OUTSIDE]
    assert where(own) == []
