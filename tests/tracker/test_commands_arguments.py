"""What may be said with a command: every field by name, and the same again as JT/T 808 says it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.jt808.areas import Box, Circle, Polygon
from protocols.jt808.downlinks import (
    DeleteAreas,
    Downlink,
    Follow,
    Locate,
    Photo,
    QueryParameters,
    SetCircles,
    SetParameters,
    SetPolygon,
    SetRectangles,
    Text,
)
from protocols.jt808.parameters import PARAMETERS
from tracker.catalogue import CATALOGUE
from tracker.commands_arguments import FORBIDDEN, expiry, read
from tracker.commands_jt808 import downlink, readable, told
from tracker.commands_model import KINDS, LONGEST
from tracker.roster import Refusal

POINTS = [{"lat": 31.0, "lon": 121.0}, {"lat": 31.5, "lon": 121.0}, {"lat": 31.0, "lon": 121.25}]
AREA = {"id": 1, "center": POINTS[0], "radius": 50}


def refused(kind: Any, given: dict[str, Any]) -> Refusal:
    with pytest.raises(Refusal) as found:
        downlink(kind, read(kind, given))
    assert found.value.zh
    return found.value


@pytest.mark.parametrize(
    ("kind", "given", "made"),
    [
        ("text", {"text": "a"}, Text("a", False, True, True)),
        ("text", {"text": "a", "urgent": True, "display": False, "speak": False}, Text("a", True, False, False)),
        ("locate", {}, Locate()),
        ("follow", {"interval": 5, "duration": 60}, Follow(5, 60)),
        ("follow", {"interval": 0}, Follow(0, 0)),
        ("parameters", {"values": {"report_s": 5, "0x0055": 60}}, SetParameters({0x29: 5, 0x55: 60})),
        ("query_parameters", {}, QueryParameters()),
        ("query_parameters", {"parameters": ["report_s", "0xF001"]}, QueryParameters([0x29, 0xF001])),
        ("areas_delete", {"shape": "rectangle", "ids": [1, 2]}, DeleteAreas(0x8602, [1, 2])),  # type: ignore[arg-type]
        ("photo", {}, Photo(1, 1, 0, resolution=2, quality=5)),
        (
            "photo",
            {"channel": 2, "count": 3, "interval": 4, "resolution": "1024x768", "quality": 1},
            Photo(2, 3, 4, resolution=4, quality=1),
        ),
    ],
)
def test_what_a_terminal_is_sent(kind: str, given: dict[str, Any], made: Downlink) -> None:
    assert downlink(kind, read(kind, given)) == made


def test_areas() -> None:
    circles = downlink("areas_set", read("areas_set", {"shape": "circle", "areas": [AREA, {**AREA, "id": 2}]}))
    assert isinstance(circles, SetCircles)
    first = circles.areas[0]
    assert isinstance(first, Circle)
    assert (first.ident, first.latitude, first.longitude, first.radius) == (1, 310_000_000, 1_210_000_000, 50)
    assert first.rules.alerts == 0x28
    area = {"id": 3, "north_west": POINTS[1], "south_east": POINTS[2], "alarm_on_entry": False}
    boxes = downlink("areas_set", read("areas_set", {"shape": "rectangle", "areas": [area]}))
    assert isinstance(boxes, SetRectangles)
    box = boxes.areas[0]
    assert isinstance(box, Box)
    assert (box.north, box.west, box.south, box.east) == (315_000_000, 1_210_000_000, 310_000_000, 1_212_500_000)
    assert box.rules.alerts == 0x20
    polygon = downlink("areas_set", read("areas_set", {"shape": "polygon", "areas": [{"id": 4, "points": POINTS}]}))
    assert isinstance(polygon, SetPolygon)
    assert isinstance(polygon.area, Polygon)
    assert polygon.area.points[1] == (315_000_000, 1_210_000_000)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("text", {}, "text is missing"),
        ("text", {"text": " "}, "text must be a text"),
        ("text", {"text": 7}, "text must be a text"),
        ("text", {"text": "a" * 1025}, "text must be a text of 1 to 1024"),
        ("text", {"text": "😀"}, "text: characters that a terminal cannot show"),
        ("text", {"text": "字" * 513}, "text: "),
        ("text", {"text": "a\0"}, "text: "),
        ("text", {"text": "a", "loud": True}, "loud is not known here; known are: text, urgent, display, speak"),
        ("locate", {"x": 1}, "x is not known here; known are: none"),
        ("follow", {"interval": True}, "interval must be a whole number"),
        ("follow", {"interval": 1.0}, "interval must be a whole number"),
        ("follow", {"interval": 65536}, "interval must be a whole number from 0 to 65535"),
        ("follow", {"interval": 1}, "duration must say"),
        ("parameters", {"values": {}}, "values must be an object"),
        ("parameters", {"values": []}, "values must be an object"),
        ("parameters", {"values": {"report_s": 1.5}}, "values.report_s must be"),
        ("parameters", {"values": {"report_s": True}}, "values.report_s must be"),
        ("parameters", {"values": {"report_s": "5"}}, "parameters: report_s is a number"),
        ("parameters", {"values": {"report_s": 0}}, "parameters: report_s must be 1"),
        ("parameters", {"values": {"": 0}}, "values must be the name"),
        ("parameters", {"values": {"0xzz": 0}}, "values.0xzz is no parameter"),
        ("parameters", {"values": {"0xF001": 0}}, "parameters: no parameter 0xf001"),
        ("parameters", {"values": {"0x29": 5, "report_s": 5}}, "values name one parameter twice"),
        ("query_parameters", {"parameters": "report_s"}, "parameters must be a list"),
        ("query_parameters", {"parameters": ["nothing"]}, "parameters[0] is no parameter"),
        ("query_parameters", {"parameters": ["0x1ffffffff"]}, "parameters[0] is no parameter"),
        ("areas_set", {"shape": "circle"}, "areas is missing"),
        ("areas_set", {"shape": "circle", "areas": []}, "areas must be a list of 1 to 100"),
        ("areas_set", {"shape": "circle", "areas": [1]}, "areas[0] must be an object"),
        ("areas_set", {"shape": "circle", "areas": [AREA, AREA]}, "areas name one circle twice"),
        ("areas_set", {"shape": "circle", "areas": [{**AREA, "radius": 0}]}, "areas[0].radius must be"),
        ("areas_set", {"shape": "circle", "areas": [{**AREA, "points": []}]}, "areas[0].points is not known"),
        (
            "areas_set",
            {"shape": "circle", "areas": [{**AREA, "center": {"lat": 91, "lon": 0}}]},
            "areas[0].center.lat must be a number from -90 to 90",
        ),
        (
            "areas_set",
            {"shape": "circle", "areas": [{**AREA, "center": {"lat": float("nan"), "lon": 0}}]},
            "areas[0].center.lat must be",
        ),
        (
            "areas_set",
            {"shape": "rectangle", "areas": [{"id": 1, "north_west": POINTS[2], "south_east": POINTS[1]}]},
            "areas_set: ",
        ),
        ("areas_set", {"shape": "polygon", "areas": [{"id": 1, "points": POINTS[:2]}]}, "areas[0].points must be"),
        (
            "areas_set",
            {"shape": "polygon", "areas": [{"id": 1, "points": POINTS}, {"id": 2, "points": POINTS}]},
            "areas must be one polygon",
        ),
        ("areas_delete", {"shape": "circle"}, "ids is missing"),
        ("areas_delete", {"shape": "circle", "ids": [0]}, "ids[0] must be"),
        ("photo", {"channel": 0}, "channel must be"),
        ("photo", {"count": 11}, "count must be"),
        ("photo", {"resolution": ["640x480"]}, "resolution must be one of"),
        ("photo", {"save": True}, "save is not known"),
        ("fly", {}, "kind must be one of text"),
        (None, {}, "kind must be one of text"),
    ],
)
def test_what_is_refused_and_by_which_field(kind: Any, given: dict[str, Any], said: str) -> None:
    refusal = refused(kind, given)
    assert refusal.code == "bad_command"
    assert str(refusal).startswith(said)


@pytest.mark.parametrize("kind", [*sorted(FORBIDDEN), " Listen "])
def test_nobody_is_listened_to(kind: str) -> None:
    refusal = refused(kind, {"phone": "1"})
    assert refusal.code == "forbidden_command"
    assert "监听" in refusal.zh


@pytest.mark.parametrize("name", ["listen_phone", "0x0048", "0X48"])
def test_nor_by_a_parameter(name: str) -> None:
    assert refused("parameters", {"values": {name: "13800000000", "report_s": 5}}).code == "forbidden_command"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 40) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["text", "interval", "duration", "values", "parameters", "shape", "areas", "ids", "count", "channel", "quality"]
)


@given(
    st.sampled_from(sorted(CATALOGUE["jt808"].commands)), st.dictionaries(NAMES | st.text(max_size=8), JSON, max_size=4)
)
def test_whatever_is_given_it_is_refused_or_can_be_sent(kind: str, given: dict[str, Any]) -> None:
    try:
        made = downlink(kind, read(kind, given))
    except Refusal as refusal:
        assert refusal.code in ("bad_command", "forbidden_command")  # noqa: PT017
    else:
        for version in (None, 1):
            assert isinstance(made.encode(version), bytes)


def test_how_long_it_holds() -> None:
    assert expiry("locate", {}, None) == 60
    assert expiry("locate", {}, 5) == 5
    assert expiry("photo", {"count": 3, "interval": 100}, None) == 800
    for asked in (0, LONGEST + 1, "60", True, 1.5):
        with pytest.raises(Refusal):
            expiry("locate", {}, asked)


def test_every_kind_can_be_said() -> None:
    assert {kind for kind in KINDS if KINDS[kind].expiry > LONGEST} == set()
    for kind in KINDS:
        with pytest.raises(Refusal, match="is not known here"):
            read(kind, {"nonsense": 1})


def test_answers_in_words() -> None:
    assert told({1: ("no", "否")}, 1) == ("no", "否")
    assert told({}, 7) == ("the terminal answered 7", "终端应答 7")
    assert readable({0x29: 30, 0xF001: b"\x01\xff", 0x83: "沪A"}) == {"report_s": 30, "0xf001": "01ff", "plate": "沪A"}
    assert len({parameter.name for parameter in PARAMETERS.values()}) == len(PARAMETERS)
