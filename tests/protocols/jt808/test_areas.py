"""Areas: the shared messages byte for byte, our own in both layouts, and shapes that are none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError
from protocols.jt808.areas import (
    ENTER_DRIVER,
    ENTER_PLATFORM,
    LEAVE_DRIVER,
    LEAVE_PLATFORM,
    NAME_LIMIT,
    POINTS_LIMIT,
    Area,
    AreaReader,
    Box,
    Circle,
    Period,
    Polygon,
    Rules,
    Shape,
)

KNOWN = ENTER_DRIVER | ENTER_PLATFORM | LEAVE_DRIVER | LEAVE_PLATFORM


def test_a_circle_of_2013_and_of_2019() -> None:
    rules = Rules(0, Period(bytes.fromhex("200726000000"), bytes.fromhex("200726232359")), 200, 30, 40)
    circle = Circle(ident=1, rules=rules, name="围栏1", latitude=1_231_230, longitude=1_123_120, radius=123)
    old = "00000001 0003 0001e0f3 0001b6b8 0000007b 200726000000 200726232359 00c8 1e"
    assert circle.encode(None) == bytes.fromhex(old)
    assert circle.encode(1) == bytes.fromhex(old + "0028 0005 cea7c0b831")


def test_a_box_south_and_west_without_limits() -> None:
    box = Box(ident=9, north=-10, west=-400, south=-300, east=-20)
    assert box.encode(None) == bytes.fromhex("00000009 00e8 00000001 00000028 0000001e 00000002")
    assert box.encode(1) == box.encode(None) + b"\0\0"


def test_a_polygon_has_its_newer_fields_behind_its_points() -> None:
    points = ((10, 20), (10, 40), (30, 20))
    polygon = Polygon(ident=2, rules=Rules(0, None, 60, 5), name="A", points=points)
    old = "00000002 0002 003c 05 0003 00000001 00000002 00000001 00000004 00000003 00000002"
    assert polygon.encode(None) == bytes.fromhex(old)
    assert polygon.encode(1) == bytes.fromhex(old + "003c 0001 41")  # the limit by day holds at night too


def test_periods() -> None:
    assert Period.daily(510, 1080) == Period(bytes.fromhex("000000083000"), bytes.fromhex("000000180000"))
    assert Period.between(1_539_569_410_000, 1_539_569_411_000).start.hex() == "181015101010"
    for make in (
        lambda: Period.daily(-1, 5),
        lambda: Period.daily(0, 1440),
        lambda: Period.between(5, 5),
        lambda: Period.between(0, 5),
        lambda: Period(bytes(5), bytes(6)),
        lambda: Period(b"\x0a" * 6, bytes(6)),
    ):
        with pytest.raises(ValueError, match=r"minutes|ends after|two digits|BCD"):
            make()


@pytest.mark.parametrize(
    "change",
    [
        {"ident": -1},
        {"ident": 2**32},
        {"radius": 0},
        {"radius": 2**32},
        {"latitude": 900_000_001},
        {"longitude": -1_800_000_001},
        {"name": "长" * (NAME_LIMIT // 2 + 1)},
        {"name": "\U0001f697"},
    ],
)
def test_circles_that_are_none(change: dict[str, Any]) -> None:
    sound: dict[str, Any] = {"ident": 1, "latitude": 1, "longitude": 1, "radius": 1}
    Circle(**sound)
    with pytest.raises(ValueError, match=r"32 bits|radius|outside|name|cannot show"):
        Circle(**sound | change)


def test_boxes_polygons_and_rules_that_are_none() -> None:
    for corners in ((1, 2, 5, 9), (5, 9, 1, 2), (5, -2, 1, 2), (5, 1, -5, 2)):
        with pytest.raises(ValueError, match=r"north above|one side"):
            Box(ident=1, north=corners[0], west=corners[1], south=corners[2], east=corners[3])
    for count in (2, POINTS_LIMIT + 1):
        with pytest.raises(ValueError, match="points"):
            Polygon(ident=1, points=((1, 1),) * count)
    for bad in ((1, None, None, 10, None), (0x40, None, None, 10, None), (-4, None, None, 10, None)):
        with pytest.raises(ValueError, match="alerts"):
            Rules(*bad)
    for speed, seconds, night in ((None, 10, 5), (-1, 10, None), (5, 256, None), (5, 10, 0x10000)):
        with pytest.raises(ValueError, match="speed limit"):
            Rules(0, None, speed, seconds, night)


PERIODS = st.one_of(st.none(), st.builds(Period.daily, st.integers(0, 1439), st.integers(0, 1439)))
LIMITS = st.one_of(
    st.just((None, 10, None)),
    st.tuples(st.integers(0, 300), st.integers(0, 255), st.integers(0, 300)),
)


@st.composite
def areas(draw: st.DrawFn) -> Area:
    """Any area whose places lie on the wire's raster of 1e-6 degrees."""
    north, east = draw(st.sampled_from([-10, 10])), draw(st.sampled_from([-10, 10]))
    latitudes = st.integers(1, 90_000_000).map(lambda value: value * north)
    longitudes = st.integers(1, 180_000_000).map(lambda value: value * east)
    limits = draw(LIMITS)
    rules = Rules(draw(st.integers(0, 15)) << 2, draw(PERIODS), *limits)
    common: dict[str, Any] = {
        "ident": draw(st.integers(0, 2**32 - 1)),
        "rules": rules,
        "name": draw(st.text("围栏A1", max_size=20)),
    }
    shape = draw(st.sampled_from(list(Shape)))
    if shape is Shape.CIRCLE:
        radius = draw(st.integers(1, 2**32 - 1))
        return Circle(**common, latitude=draw(latitudes), longitude=draw(longitudes), radius=radius)
    if shape is Shape.BOX:
        south, top = sorted((draw(latitudes), draw(latitudes)))
        west, right = sorted((draw(longitudes), draw(longitudes)))
        return Box(**common, north=top, south=south, west=west, east=right)
    points = draw(st.lists(st.tuples(latitudes, longitudes), min_size=3, max_size=9))
    return Polygon(**common, points=tuple(points))


@given(areas())
def test_what_is_written_is_read(area: Area) -> None:
    reader = AreaReader(area.encode(1))
    assert reader.area(area.shape, 1) == area
    assert reader.done
    old = AreaReader(area.encode(None))
    read = old.area(area.shape, None)
    assert old.done
    assert (read.ident, read.rules.period, read.rules.speed) == (area.ident, area.rules.period, area.rules.speed)
    assert read.name == ""


@given(areas(), st.data())
def test_areas_that_are_cut_off(area: Area, data: st.DataObject) -> None:
    body = area.encode(1)
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        AreaReader(body[:cut]).area(area.shape, 1)
