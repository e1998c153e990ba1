"""What all phone apps share, and that no request of any makes a decoder raise anything but its one error."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols import batch, gpslogger, overland, owntracks
from protocols.delivery import Delivery, PhoneRequest, basic, credentials_of, fields_of, name_of, names_of
from protocols.errors import RemoteProtocolError
from protocols.report import Report

NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("header", "query", "expected"),
    [
        (basic("jane", "s:1"), {}, ("jane", "s:1")),
        (basic("王", "密"), {}, ("王", "密")),
        ("basic " + b64encode(b"jane:s").decode(), {}, ("jane", "s")),
        ("Basic " + b64encode(b"jane").decode(), {"token": "t"}, ("jane", "t")),
        ("Basic kpl4xgxk:", {"token": "t"}, ("", "t")),
        ("Basic \u00e9", {}, ("", "")),
        ("Bearer abc ", {"token": "t"}, ("", "abc")),
        ("Digest x", {"key": "k"}, ("", "k")),
        ("", {}, ("", "")),
    ],
)
def test_credentials(header: str, query: dict[str, str], expected: tuple[str, str]) -> None:
    assert credentials_of({"authorization": header}, query) == expected


def test_fields() -> None:
    assert fields_of(b"a=1&a=2&b=&a=&c=%E7%8E%8B+x&") == {"a": "2", "b": "", "c": "王 x"}
    assert fields_of(b"a=%ff\xff") == {"a": "\ufffd\ufffd"}
    with pytest.raises(RemoteProtocolError):
        fields_of("&".join(f"k{i}=" for i in range(101)).encode())


@pytest.mark.parametrize("value", [None, "", True, 1 << 63, 1.5, [], "a" * 65, "a\x00", "\ud800"])
def test_what_is_no_name(value: object) -> None:
    assert name_of(value) == ""


def test_names() -> None:
    assert names_of("", "a", 7, "a", None) == ("a", "7")
    with pytest.raises(RemoteProtocolError):
        names_of("", None)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(NOW // 1000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
LATS = st.floats(-91, 91) | VALUES
OWNTRACKS = st.fixed_dictionaries(
    {"_type": st.just("location") | VALUES, "lat": LATS, "lon": LATS, "tst": st.just(NOW // 1000) | VALUES},
    optional=dict.fromkeys(
        ("tid", "topic", "acc", "vel", "cog", "alt", "batt", "bs", "conn", "motionactivities", "created_at"), VALUES
    ),
)
POINTS = st.fixed_dictionaries(
    {
        "geometry": st.fixed_dictionaries({"coordinates": st.lists(LATS, max_size=3) | VALUES}),
        "properties": st.fixed_dictionaries(
            {"timestamp": st.just("2023-11-14T22:13:10Z") | VALUES, "device_id": st.just("d") | VALUES},
            optional=dict.fromkeys(
                ("speed", "motion", "battery_state", "battery_level", "action", "type", "wifi"), VALUES
            ),
        ),
    }
)  # fmt: skip
OVERLAND = st.fixed_dictionaries(
    {"locations": st.lists(POINTS | VALUES, max_size=4) | VALUES}, optional={"current": POINTS | VALUES}
)
RECORDS = st.fixed_dictionaries(
    {"id": st.just("a") | VALUES, "fix_time": st.just(NOW) | VALUES},
    optional={name: LATS for name in batch.FIELDS if name not in ("id", "fix_time")},
)
BATCH = st.fixed_dictionaries(
    {"device": st.just("d") | VALUES, "records": st.lists(RECORDS | VALUES, max_size=4) | VALUES},
    optional={"crs": VALUES | st.just("gcj02"), "now": VALUES},
)
FORMS = st.lists(
    st.tuples(
        st.sampled_from([name for names in gpslogger.NAMES.values() for name in names]),
        st.text(max_size=12) | st.floats() | st.just(NOW),
    ),
    max_size=8,
).map(lambda fields: urlencode(fields, errors="replace").encode())
BODIES = (OWNTRACKS | OVERLAND | BATCH | VALUES).map(lambda told: json.dumps(told).encode())


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(
    FORMS | st.binary(max_size=40),
    BODIES | FORMS | st.binary(max_size=60) | BODIES.map(batch.packed),
    st.fixed_dictionaries(
        {},
        optional={
            "authorization": st.just(basic("d", "s")) | st.text(max_size=20),
            "x-limit-u": st.text(max_size=8),
            "x-limit-d": st.text(max_size=8),
            "content-encoding": st.sampled_from(["gzip", "br", ""]),
        },
    ),
)
@pytest.mark.parametrize("decode", [owntracks.decode, gpslogger.decode, overland.decode, batch.decode])
def test_only_the_remote_error_leaves(decode: Any, query: bytes, body: bytes, headers: dict[str, str]) -> None:
    try:
        delivery: Delivery | None = decode(PhoneRequest(query, body, headers), NOW)
    except RemoteProtocolError:
        return
    if delivery is None:
        return
    assert delivery.names
    assert all(len(delivery.results) == len(each) for each in (delivery.owners, delivery.ids) if each)
    for result in delivery.results:
        if isinstance(result, Report):
            assert (result.latitude is None) == (result.longitude is None)
            assert result.fix_time is not None
            # It can be journalled.
            msgpack.packb([getattr(result, name, None) for name in Report.__slots__])


@settings(deadline=None)
@given(OWNTRACKS, OVERLAND, BATCH)
def test_what_has_the_apps_shape_is_read(message: Any, points: Any, records: Any) -> None:
    """The strategies above reach past the first check."""
    headers = {"authorization": basic("d", "s")}
    assert owntracks.decode(PhoneRequest(b"", json.dumps(message).encode(), headers), NOW) is not None
    for decode, told, key in ((overland.decode, points, "locations"), (batch.decode, records, "records")):
        if type(told[key]) is list and told.get("crs", "gcj02") == "gcj02" and told.get("now") is None:
            assert decode(PhoneRequest(b"", json.dumps(told).encode(), headers), NOW).names
