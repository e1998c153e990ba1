"""Who may use which way, as mappers write it down."""

from __future__ import annotations

import pytest

from dispatch.roads_tags import BACKWARD, BOTH, FORWARD, hidden, uses

ALL = {"vehicle": BOTH, "ebike": BOTH, "walk": BOTH}
FEET = {"walk": BOTH}
SLOW = {"ebike": BOTH, "walk": BOTH}


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("highway=residential", ALL),
        ("highway=primary_link", ALL),
        ("highway=residential oneway=yes", {**ALL, "vehicle": FORWARD}),
        ("highway=residential oneway=-1", {**ALL, "vehicle": BACKWARD}),
        ("highway=residential oneway=no", ALL),
        ("highway=residential oneway=alternating", ALL),
        ("highway=residential junction=roundabout", {**ALL, "vehicle": FORWARD}),
        ("highway=motorway", {"vehicle": FORWARD}),
        ("highway=motorway oneway=no", {"vehicle": BOTH}),
        ("highway=motorway_link", {"vehicle": BOTH}),
        ("highway=trunk", ALL),
        ("highway=trunk motorroad=yes oneway=yes", {"vehicle": FORWARD}),
        ("highway=trunk foot=use_sidepath bicycle=no", {"vehicle": BOTH}),
        ("highway=footway", FEET),
        ("highway=footway bicycle=designated", SLOW),
        ("highway=cycleway", SLOW),
        ("highway=cycleway foot=no", {"ebike": BOTH}),
        ("highway=path", SLOW),
        ("highway=steps", FEET),
        ("highway=pedestrian bicycle=no", FEET),
        ("highway=pedestrian area=yes", SLOW),
        ("highway=service area=yes", SLOW),
        ("highway=service access=private", SLOW),
        ("highway=service access=no", {}),
        ("highway=service access=no foot=yes", FEET),
        ("highway=residential motor_vehicle=no", SLOW),
        ("highway=residential vehicle=no bicycle=yes", SLOW),
        ("highway=residential vehicle=no motorcar=yes", {"vehicle": BOTH, "walk": BOTH}),
        ("highway=track motor_vehicle=agricultural", SLOW),
        ("highway=construction", {}),
        ("highway=proposed", {}),
        ("highway=raceway", {}),
        ("route=ferry foot=yes motor_vehicle=yes", {}),
        ("railway=rail", {}),
    ],
)
def test_who_may_use_it(tags: str, found: dict[str, int]) -> None:
    assert uses(dict(word.split("=") for word in tags.split())) == found


@pytest.mark.parametrize(
    ("tags", "below"),
    [
        ({"highway": "residential"}, False),
        ({"highway": "service", "tunnel": "building_passage"}, False),
        ({"highway": "service", "tunnel": "yes"}, True),
        ({"highway": "service", "location": "underground"}, True),
        ({"highway": "footway", "indoor": "yes"}, True),
        ({"highway": "corridor"}, True),
    ],
)
def test_where_nobody_is_found(tags: dict[str, str], below: bool) -> None:
    assert hidden(tags) is below
