"""Downlinks: every layout by its bytes, the shared messages of platforms, and what can never be asked."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import protocols.jt808
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.jt808 import Connection, downlinks
from protocols.jt808.areas import Box, Circle, Mode, Polygon, Shape
from protocols.jt808.downlinks import (
    DOWNLINKS,
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
    decode_downlink,
)
from protocols.jt808.header import decode_header
from protocols.jt808.parameters import PARAMETERS, Forbidden, Kind
from tests.data import needs_shared
from tests.protocols.jt808.frames import ROWS, payload
from tests.protocols.jt808.test_areas import areas

CIRCLE = Circle(ident=7, latitude=10, longitude=20, radius=5)
BOX = Box(ident=8, north=30, west=10, south=20, east=20)
POLYGON = Polygon(ident=9, points=((10, 10), (10, 20), (20, 10)))
RULED = "0028 0000000100000002"  # attributes of both alerts and a place

VECTORS: list[tuple[Downlink, int, str, str]] = [
    (Text("AB"), 0x8300, "0c 4142", "0f 01 4142"),
    (Text("巡", urgent=True, speak=False), 0x8300, "05 d1b2", "06 01 d1b2"),
    (Text("A", display=False, speak=False), 0x8300, "00 41", "03 01 41"),
    (SetParameters({0x29: 30, 0x83: "豫E1"}), 0x8103, *["02 00000029 04 0000001e 00000083 04 d4a54531"] * 2),
    (QueryParameters(), 0x8104, "", ""),
    (QueryParameters([0x29, 0xF001]), 0x8106, *["02 00000029 0000f001"] * 2),
    (Locate(), 0x8201, "", ""),
    (Follow(5, 600), 0x8202, *["0005 00000258"] * 2),
    (Follow(0), 0x8202, *["0000 00000000"] * 2),
    (SetCircles([CIRCLE]), 0x8600, "00 01 00000007" + RULED + "00000005", "00 01 00000007" + RULED + "00000005 0000"),
    (
        SetRectangles([BOX, BOX], Mode.APPEND),
        0x8602,
        "01 02" + 2 * "00000008 0028 00000003 00000001 00000002 00000002",
        "01 02" + 2 * "00000008 0028 00000003 00000001 00000002 00000002 0000",
    ),
    (
        SetPolygon(POLYGON),
        0x8604,
        "00000009 0028 0003 00000001 00000001 00000001 00000002 00000002 00000001",
        "00000009 0028 0003 00000001 00000001 00000001 00000002 00000002 00000001 0000",
    ),
    (DeleteAreas(Shape.CIRCLE, [1, 2]), 0x8601, *["02 00000001 00000002"] * 2),
    (DeleteAreas(Shape.BOX), 0x8603, "00", "00"),
    (DeleteAreas(Shape.POLYGON, [9]), 0x8605, *["01 00000009"] * 2),
    (Photo(1), 0x8801, *["01 0001 0000 00 02 05 80 40 40 80"] * 2),
    (Photo(2, 3, 10, True, 6, 1, 255, 127, 127, 255), 0x8801, *["02 0003 000a 01 06 01 ff 7f 7f ff"] * 2),
]


@pytest.mark.parametrize(("downlink", "message_id", "old", "new"), VECTORS)
def test_both_layouts_by_their_bytes(downlink: Downlink, message_id: int, old: str, new: str) -> None:
    assert downlink.message_id == message_id
    assert (downlink.encode(None), downlink.encode(1)) == (bytes.fromhex(old), bytes.fromhex(new))
    for version in (None, 1):
        assert decode_downlink(message_id, downlink.encode(version), version) == downlink


def test_every_downlink_has_a_vector() -> None:
    assert {type(downlink) for downlink, *_ in VECTORS} == set(DOWNLINKS)


def attempted(message_id: int, body: bytes, version: int | None) -> Downlink | None:
    """What a body says, ``None`` when it is bad; any other refusal leaves as it is."""
    try:
        return decode_downlink(message_id, body, version)
    except RemoteProtocolError as error:
        if error.reason != "bad_body":
            raise
        return None


OURS = {
    **dict.fromkeys(range(34304, 34310), 0),
    0x8300: 0,
    0x8103: 0,
    0x8104: 0,
    0x8106: 0,
    0x8201: 0,
    0x8202: 0,
    0x8801: 0,
}


@needs_shared
def test_the_shared_messages_of_platforms_come_back_byte_for_byte() -> None:
    """All that say what we can say: the others have flags, values or counts that are not for us to write."""
    same, foreign = dict(OURS), []
    for row in ROWS:
        if not row.good or row.message_id not in OURS:
            continue
        body = decode_header(payload(row.data))[1]
        version = 1 if row.long else None
        read = attempted(row.message_id, body, version)
        if read is None:
            foreign.append(row.message_id)
            continue
        assert read.message_id == row.message_id
        if read.encode(version) == body:
            same[row.message_id] += 1
        else:
            # Only flags that we do not write can differ: the text behind them is what came.
            assert isinstance(read, Text), row.line
            assert read.encode(version)[2:] == body[2:], row.line
            foreign.append(row.message_id)
    if len(ROWS) == 419:
        assert {ident for ident, count in same.items() if not count} == {0x8603, 0x8605}
        # Settings made of random letters, a film, an end of a series, and texts with reserved bits or for a CAN bus.
        assert sorted(foreign) == [0x8103] * 5 + [0x8300] * 3 + [0x8801] * 2


# -- what is refused when it is made --


@pytest.mark.parametrize(
    "make",
    [
        lambda: Text(""),
        lambda: Text("巡" * 513),
        lambda: Text("\U0001f697"),
        lambda: SetParameters({}),
        lambda: SetParameters({0x29: 0}),
        lambda: SetParameters({0x7777: 1}),
        lambda: QueryParameters(range(256)),
        lambda: QueryParameters([-1]),
        lambda: Follow(-1, 1),
        lambda: Follow(65536, 1),
        lambda: Follow(5),
        lambda: Follow(5, 2**32),
        lambda: Follow(True, 5),
        lambda: SetCircles([]),
        lambda: SetCircles([CIRCLE] * 256),
        lambda: SetCircles([BOX]),  # type: ignore[list-item]
        lambda: SetRectangles([CIRCLE]),  # type: ignore[list-item]
        lambda: SetRectangles([BOX], 3),  # type: ignore[arg-type]
        lambda: SetPolygon(CIRCLE),  # type: ignore[arg-type]
        lambda: DeleteAreas(Shape.CIRCLE, [0] * 126),
        lambda: DeleteAreas(Shape.CIRCLE, [2**32]),
        lambda: DeleteAreas(0x8601),  # type: ignore[arg-type]
        lambda: Photo(0),
        lambda: Photo(256),
        lambda: Photo(1, 0),
        lambda: Photo(1, 0xFFFF),
        lambda: Photo(1, interval=-1),
        lambda: Photo(1, resolution=0),
        lambda: Photo(1, resolution=9),
        lambda: Photo(1, quality=11),
        lambda: Photo(1, contrast=128),
    ],
)
def test_what_cannot_be_asked(make: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        make()


def test_the_longest_text() -> None:
    assert len(Text("巡" * 512).encode(1)) == 1026


# -- what nobody may ever ask --


def listened(body: bytes) -> bool:
    """Whether the parameter of the listening phone is in a body of 0x8103: an own reading of the standard."""
    at, found = 1, False
    for _ in range(body[0]):
        found |= body[at : at + 4] == b"\0\0\0\x48"
        at += 5 + body[at + 4]
    assert at == len(body)
    return found


def test_the_listening_phone_cannot_be_set() -> None:
    for values in ({0x48: "13800138000"}, {0x48: ""}, {0x29: 30, 0x48: b"1"}, {0x29: 30, 0x48: 1}):
        with pytest.raises(Forbidden):
            SetParameters(values)
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        decode_downlink(0x8103, bytes.fromhex("01 00000048 01 31"), None)


def test_no_other_way_leads_there() -> None:
    class Number(int):
        """Claims to be another id until it is written."""

        def __hash__(self) -> int:
            return hash(0x29)

        def __eq__(self, other: object) -> bool:
            return other == 0x29

    with pytest.raises(Forbidden):
        SetParameters({Number(0x48): 30})
    values: dict[int, int | str | bytes] = {0x29: 30}
    asked = SetParameters(values)
    values[0x48] = "13800138000"
    assert asked.encode(None).hex() == "0100000029040000001e"
    with pytest.raises(TypeError):
        asked.values[0x48] = "1"  # type: ignore[index]


SETTABLE = {
    Kind.TEXT: st.text("豫E1\x01H", max_size=40),
    Kind.RAW: st.binary(max_size=40),
}


@given(
    st.dictionaries(
        st.one_of(st.sampled_from(sorted(PARAMETERS)), st.integers(0, 2**32)),
        st.one_of(st.integers(-1, 2**32), *SETTABLE.values(), st.just("\0\0\0H"), st.just(b"\0\0\0H\x01\x31\0\0")),
        max_size=6,
    )
)
def test_whatever_values_are_given_the_listening_phone_is_not_among_them(values: Any) -> None:
    try:
        body = SetParameters(values).encode(None)
    except ValueError:
        return
    assert not listened(body)


def test_listening_calls_have_no_class() -> None:
    """0x8400 and 0x9101 can be built by nothing that is public, so no type of theirs can be either."""
    found = set()
    for module in (protocols.jt808, downlinks):
        for thing in vars(module).values():
            if inspect.isclass(thing) and hasattr(thing, "encode") and hasattr(thing, "message_id"):
                found.add(thing)
    assert found == set(DOWNLINKS)
    ids = {downlink.message_id for downlink, *_ in VECTORS}
    assert ids == set(OURS)
    for message_id in (0x8400, 0x9101):
        with pytest.raises(RemoteProtocolError, match="unsupported"):
            decode_downlink(message_id, b"\x01" + bytes(20), None)


def test_a_connection_sends_nothing_but_these() -> None:
    class Listen:
        message_id = 0x8400

        def encode(self, version: int | None) -> bytes:
            return b"\x01" + b"13800138000".ljust(20, b"\0")

    class Sly(Locate):
        message_id = 0x8400

    for thing in (Listen(), Sly(), b"\x01", None):
        with pytest.raises(LocalProtocolError, match="no_downlink"):
            Connection().send(thing)  # type: ignore[arg-type]


# -- reading --


@pytest.mark.parametrize(
    ("message_id", "body"),
    [
        (0x8300, ""),
        (0x8300, "0c"),
        (0x8103, ""),
        (0x8103, "00"),
        (0x8103, "0200000029040000001e"),
        (0x8103, "0100000029040000001e00"),
        (0x8103, "01000000290100"),
        (0x8106, ""),
        (0x8106, "00"),
        (0x8106, "0200000029"),
        (0x8202, "00"),
        (0x8202, "0005"),
        (0x8600, "00"),
        (0x8600, "0000"),
        (0x8600, "0301" + "00000007" + RULED + "00000005"),
        (0x8600, "0001" + "00000007" + RULED + "00000005ff"),
        (0x8602, "0001" + "00000007" + RULED + "00000005"),
        (0x8604, "00000009 0028 0000"),
        (0x8604, "00000009 0028 0003 00000001 00000001 00000001 00000002 00000002 00000001 00"),
        (0x8601, ""),
        (0x8605, "01"),
        (0x8801, "01"),
        (0x8801, "01ffff000000010aff646464"),
    ],
)
def test_bodies_that_are_none(message_id: int, body: str) -> None:
    with pytest.raises(RemoteProtocolError, match="bad_body"):
        decode_downlink(message_id, bytes.fromhex(body), None)


def test_texts_are_read_as_well_as_can_be() -> None:
    assert decode_downlink(0x8300, b"\xff\x41\x81", None) == Text("A?", urgent=True)
    assert decode_downlink(0x8300, b"\x05\x01AB\0", 1) == Text("AB", speak=False)  # a service


TEXTS = st.builds(Text, st.text("巡查AB1", min_size=1, max_size=512), st.booleans(), st.booleans(), st.booleans())
AREAS = st.lists(areas(), min_size=1, max_size=5)


def grouped(found: list[Any]) -> list[Downlink]:
    circles = [area for area in found if isinstance(area, Circle)]
    boxes = [area for area in found if isinstance(area, Box)]
    polygons: list[Downlink] = [SetPolygon(area) for area in found if isinstance(area, Polygon)]
    return (
        polygons + ([SetCircles(circles)] if circles else []) + ([SetRectangles(boxes, Mode.CHANGE)] if boxes else [])
    )


@given(st.one_of(TEXTS.map(lambda text: [text]), AREAS.map(grouped)))
def test_what_is_written_is_read(made: list[Downlink]) -> None:
    for downlink in made:
        assert decode_downlink(downlink.message_id, downlink.encode(1), 1) == downlink


@given(st.sampled_from(sorted(OURS)), st.binary(max_size=80), st.sampled_from([None, 1]))
def test_no_body_raises_anything_else(message_id: int, body: bytes, version: int | None) -> None:
    read = attempted(message_id, body, version)
    if read is not None:
        assert decode_downlink(message_id, read.encode(version), version) == read
