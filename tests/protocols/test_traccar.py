"""Traccar Client in both forms: the shared requests, every field, and bytes that nobody should send."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols.readings import ATTRIBUTE_LIMIT
from protocols.report import ALARM_SOS, Report
from protocols.traccar import REQUEST_LIMIT, Delivery, DeliveryError, decode, encode_json, encode_query
from tests.data import SHARED, needs_shared

FIX = 1_377_177_267_000
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def query(**fields: object) -> Delivery:
    told = {"id": "123456", "timestamp": 1377177267, "lat": "60.0", "lon": "30.0", **fields}
    return decode(urlencode({k: v for k, v in told.items() if v is not None}).encode(), b"", "")


def posted(location: object, **fields: object) -> Delivery:
    return decode(b"", json.dumps({"location": location, "device_id": "123456", **fields}).encode(), JSON)


def items(report: Report) -> dict[str, Any]:
    return dict(report.items or {})


CASES = [json.loads(line) for line in (SHARED / "frames" / "osmand.jsonl").read_text().splitlines()] if SHARED else []


@needs_shared
@pytest.mark.parametrize("case", CASES, ids=[f"{c['kind']}-{c['seq']}" for c in CASES])
def test_shared_requests(case: dict[str, Any]) -> None:
    """Each as its ``expected`` says; where that is null, inside the ranges that the other decoder's tests state."""
    request = urlsplit(case["url"]).query.encode()
    content_type = (case["headers"] or {}).get("Content-Type", "")
    body = (case["body"] or "").encode()
    expected = case["expected"] or {}
    if expected.get("null"):
        with pytest.raises(DeliveryError) as caught:
            decode(request, body, content_type)
        assert caught.value.reason == "no_device"
        return
    delivery = decode(request, body, content_type)
    report = delivery.report
    assert delivery.form == ("json" if body else "query")
    assert delivery.device_id in case["url"] + body.decode()
    assert report.fix_time is not None
    assert report.fix_time >= 915_148_800_000
    assert report.latitude is not None
    assert report.longitude is not None
    assert 0 <= (report.speed or 0) <= 44_705
    if "attribute" in expected:
        told = items(report)
        known = told | told.get("attributes", {})
        assert known[expected["attribute"]["key"]] == expected["attribute"]["value"]


def test_the_shared_requests_to_the_digit() -> None:
    report = decode(
        b"id=902064&lat=42.06288&lon=-88.23412&timestamp=2016-01-27T18%3A55%3A47Z&hdop=6.0&altitude=224.0&speed=0.0",
        b"", "",
    ).report  # fmt: skip
    assert (report.latitude, report.longitude, report.altitude, report.speed) == (420628800, -882341200, 224, 0)
    assert (report.fix_time, report.items) == (1_453_920_947_000, {"hdop": 6.0})


@pytest.mark.parametrize("way", ["query", "form", "both", "untyped"])
def test_query_string_and_form_are_one(way: str) -> None:
    told = b"id=123456&timestamp=1377177267&lat=60.0&lon=30.0"
    delivery = {
        "query": lambda: decode(told, b"", ""),
        "form": lambda: decode(b"", told + b"\r\n", FORM + "; charset=UTF-8"),
        "both": lambda: decode(told[:9], told[10:], FORM),
        "untyped": lambda: decode(b"", told, ""),
    }[way]()
    assert (delivery.device_id, delivery.form) == ("123456", "query")
    report = delivery.report
    assert (report.fix_time, report.latitude, report.longitude) == (FIX, 600000000, 300000000)
    assert (report.crs, report.live, report.device_time, report.status, report.alarm) == (0, True, None, 0, 0)
    assert report.items is None


def test_every_field_of_the_query() -> None:
    report = query(
        speed="10", bearing="359.6", altitude="12.6", accuracy="4.26", hdop="0.9", batt="85.4", charge="true",
        alarm="SOS", driverUniqueId="D1", activity="walking", odometer="1234.5", mock="false", event="motionchange",
        is_moving="true", note="东街", count="3",
    ).report  # fmt: skip
    assert (report.speed, report.course, report.altitude, report.accuracy) == (514, 0, 13, 43)
    assert report.alarm == ALARM_SOS
    assert report.items == {
        "battery": 85, "charging": True, "hdop": 0.9, "driver": "D1", "activity": "walking", "odometer_m": 1234,
        "mock": False, "event": "motionchange", "moving": True, "alarm": "SOS",
        "attributes": {"note": "东街", "count": 3},
    }  # fmt: skip


def test_every_field_of_the_json() -> None:
    report = posted(
        {
            "timestamp": "2025-06-15T13:45:12.862Z",
            "coords": {
                "latitude": 37.4219983, "longitude": -122.084, "accuracy": 5, "speed": 1.5, "heading": 90.4,
                "altitude": 5.5,
            },
            "is_moving": True, "odometer": 120.7, "event": "motionchange", "mock": True, "alarm": "sos",
            "battery": {"level": 0.57, "is_charging": False}, "activity": {"type": "still"},
            "extras": {"a": 1.25, "b": False, "c": None, "d": [1]}, "_": "&id=5",
        }
    ).report  # fmt: skip
    assert report.fix_time == 1_749_995_112_862
    assert (report.latitude, report.longitude) == (374219983, -1220840000)
    assert (report.accuracy, report.speed, report.course, report.altitude) == (50, 150, 90, 6)
    assert report.alarm == ALARM_SOS
    assert report.items == {
        "battery": 57, "charging": False, "activity": "still", "odometer_m": 121, "mock": True,
        "event": "motionchange", "moving": True, "alarm": "sos", "attributes": {"a": 1.25, "b": False},
    }  # fmt: skip


def test_minus_one_is_not_known_in_json() -> None:
    coords = dict.fromkeys(("accuracy", "speed", "heading", "altitude"), -1)
    report = posted(
        {"timestamp": 1377177267, "coords": {"latitude": 1, "longitude": 2, **coords}, "battery": {"level": -1}}
    ).report
    assert (report.accuracy, report.speed, report.course, report.altitude) == (None, None, None, None)
    assert report.items is None
    assert query(altitude="-1").report.altitude == -1


def test_readings_that_make_no_sense_are_left_out() -> None:
    told: dict[str, Any] = {"batt": "120", "bearing": "361", "heading": "-1", "charge": "perhaps", "hdop": "-1"}
    told |= {"speed": "1e308", "accuracy": "0.0", "altitude": "high"}
    report = query(**told).report
    assert (report.speed, report.course, report.altitude, report.accuracy) == (None, None, None, None)
    assert report.items is None


def test_names_that_mean_the_same() -> None:
    assert decode(b"deviceid=7", b"", "").device_id == "7"
    assert query(heading="45").report.course == 45
    report = query(lat=None, lon=None, location="60.0, 30.0").report
    assert (report.latitude, report.longitude) == (600000000, 300000000)
    assert posted({}, device_id=123456).device_id == "123456"


@pytest.mark.parametrize(
    "delivery",
    [
        lambda: query(lat=None, lon=None, batt=50),
        lambda: query(lat="", lon="", batt=50),
        lambda: query(valid="false", batt=50),
        lambda: query(valid="0", batt=50),
        lambda: posted({"timestamp": 1377177267, "battery": {"level": 0.5}}),
        lambda: posted({"timestamp": 1377177267, "coords": None, "battery": {"level": 0.5}}),
    ],
)
def test_a_heartbeat_is_a_report_without_a_fix(delivery: Any) -> None:
    report = delivery().report
    assert (report.latitude, report.longitude) == (None, None)
    assert report.fix_time == FIX
    assert report.items == {"battery": 50}


def test_a_heartbeat_needs_no_time() -> None:
    for delivery in (decode(b"id=1", b"", "", now=FIX), posted({}), posted(None)):
        assert (delivery.report.fix_time, delivery.report.latitude) == (None, None)


def test_a_position_without_a_time_has_the_time_of_receipt() -> None:
    told = b"id=1&lat=1&lon=2"
    assert decode(told, b"", "", now=FIX).report.fix_time == FIX
    with pytest.raises(DeliveryError) as caught:
        decode(told, b"", "")
    assert (caught.value.reason, caught.value.device_id) == ("no_time", "1")


@pytest.mark.parametrize("way", [encode_query, encode_json])
def test_what_had_waited_in_the_phone_is_backlog(way: Any) -> None:
    told = way("1", Report(FIX, 600000000, 300000000))
    parts = (told, b"", "") if way is encode_query else (b"", told, "application/json")
    ages = (-3_600_000, 0, 600_000, 600_001, 86_400_000)
    assert [decode(*parts, now=FIX + age).report.live for age in ages] == [True, True, True, False, False]
    assert decode(b"id=1&batt=50", b"", "", now=FIX).report.live


@pytest.mark.parametrize("valid", ["true", "1", "", "perhaps"])
def test_only_false_is_invalid(valid: str) -> None:
    assert query(valid=valid).report.latitude == 600000000


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"lat": "91"}, "bad_position"),
        ({"lat": "-90.1"}, "bad_position"),
        ({"lon": "180.1"}, "bad_position"),
        ({"lat": "north"}, "bad_position"),
        ({"lon": ""}, "bad_position"),
        ({"lat": None}, "bad_position"),
        ({"lat": "nan"}, "bad_position"),
        ({"lat": None, "lon": None, "location": "60"}, "bad_position"),
        ({"lat": None, "lon": None, "location": "60,30,1"}, "bad_position"),
        ({"timestamp": "soon"}, "bad_time"),
        ({"timestamp": "5"}, "bad_time"),
    ],
)
def test_what_can_never_be_accepted_says_whose_it_is(told: dict[str, object], reason: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        query(**told)
    assert (caught.value.reason, caught.value.device_id, caught.value.form) == (reason, "123456", "query")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"[]", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"[" * 60_000, "malformed"),
        (b'{"device_id":"1","location":[]}', "malformed"),
        (b'{"device_id":"1","location":{"coords":5}}', "malformed"),
        (b'{"device_id":' + b"9" * 5000 + b"}", "malformed"),
        (b"{}", "no_device"),
        (b'{"device_id":""}', "no_device"),
        (b'{"device_id":true}', "no_device"),
        (b'{"device_id":1.5}', "no_device"),
        (b'{"device_id":"a\\nb"}', "no_device"),
        (b'{"device_id":"\\ud800"}', "no_device"),
        (b'{"device_id":"' + b"x" * 65 + b'"}', "no_device"),
        (b'{"device_id":"1","location":{"timestamp":1e400}}', "bad_time"),
        (b'{"device_id":"1","location":{"timestamp":1e9,"coords":{"latitude":NaN,"longitude":1}}}', "bad_position"),
        (b'{"device_id":"1","location":{"timestamp":1e9,"coords":{"latitude":true,"longitude":1}}}', "bad_position"),
        (b" " * (REQUEST_LIMIT + 1), "too_long"),
    ],
)  # fmt: skip
def test_bad_json(body: bytes, reason: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        decode(b"", body, JSON)
    assert (caught.value.reason, caught.value.form) == (reason, "json")


def test_too_many_fields() -> None:
    with pytest.raises(DeliveryError) as caught:
        decode("&".join(f"k{i}={i}" for i in range(101)).encode(), b"", "")
    assert caught.value.reason == "malformed"
    attributes = items(query(**{f"k{i}": i for i in range(90)}).report)["attributes"]
    assert len(attributes) == ATTRIBUTE_LIMIT


def test_short_names_of_gpslogger() -> None:
    short: dict[str, Any] = {"acc": 4.8, "alt": 41.0, "dir": 271.5, "ischarging": "true", "spd": 1.4, "sat": 11}
    made = query(**short).report
    assert (made.accuracy, made.altitude, made.course, made.speed) == (48, 41, 272, 140)
    assert items(made) == {"charging": True, "attributes": {"sat": 11}}
    assert query(spd=1.4, speed=1).report.speed == 51, "what the form itself says counts"
    # Without its speed they may be anybody's: acc is a vehicle's ignition too.
    assert items(query(acc=1, alt=2).report) == {"attributes": {"acc": 1, "alt": 2}}


def test_golden_requests() -> None:
    report = Report(
        FIX, 600000000, -300000000, 12, 514, 90, 43, alarm=ALARM_SOS, items={"battery": 85, "charging": True}
    )
    assert encode_query("H 7", report) == (
        b"id=H+7&timestamp=1377177267&lat=60.0000000&lon=-30.0000000&speed=9.9914&accuracy=4.3&bearing=90&altitude=12"
        b"&batt=85&charge=true&alarm=sos"
    )
    assert encode_json("H 7", report) == (
        b'{"location":{"is_moving":true,"timestamp":"2013-08-22T13:14:27.000Z","coords":{"latitude":60.0,'
        b'"longitude":-30.0,"accuracy":4.3,"speed":5.14,"heading":90,"altitude":12},"battery":{"level":0.85,'
        b'"is_charging":true},"alarm":"sos"},"device_id":"H 7"}'
    )


def maybe(low: int, high: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(low, high)


@settings(deadline=None)
@given(
    st.integers(946_684_800_000, 4_102_444_799_999),
    st.none() | st.tuples(st.integers(-900_000_000, 900_000_000), st.integers(-1_800_000_000, 1_800_000_000)),
    st.tuples(maybe(0, 9_000), maybe(0, 90_000), maybe(0, 359), maybe(1, 900_000)),
    maybe(0, 100),
    st.booleans(),
)
def test_what_is_encoded_is_decoded(
    fix: int,
    place: tuple[int, int] | None,
    readings: tuple[int | None, int | None, int | None, int | None],
    battery: int | None,
    sos: bool,
) -> None:
    latitude, longitude = place or (None, None)
    told: dict[str, object] = {"charging": True} | ({} if battery is None else {"battery": battery})
    report = Report(fix, latitude, longitude, *readings, alarm=int(sos), items=told)
    names = ["fix_time", "latitude", "longitude", "alarm"] + (
        ["altitude", "speed", "course", "accuracy"] if place is not None else []
    )
    for delivery in (decode(encode_query("王 7", report), b"", ""), decode(b"", encode_json("王 7", report), JSON)):
        again = delivery.report
        assert delivery.device_id == "王 7"
        assert [getattr(again, name) for name in names] == [getattr(report, name) for name in names]
        assert {name: items(again)[name] for name in told} == told


KEYS = st.sampled_from(
    ["id", "lat", "lon", "location", "timestamp", "speed", "batt", "valid", "alarm", "x", "accuracy"]
)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
PLACES = st.sampled_from(["timestamp", "coords", "battery", "activity", "extras", "odometer", "event", "alarm", "mock"])
COORDS = st.dictionaries(
    st.sampled_from(["latitude", "longitude", "speed", "accuracy", "heading", "altitude"]),
    JSON_VALUES | st.floats(-90, 90),
)
JSON_BODIES = st.builds(
    lambda location, coords, device: json.dumps({"location": {**location, **coords}, "device_id": device}).encode(),
    st.dictionaries(PLACES, JSON_VALUES, max_size=6),
    st.just({}) | st.builds(lambda coords: {"coords": coords, "timestamp": 1377177267}, COORDS),
    st.just("1") | JSON_VALUES,
)
QUERIES = st.builds(
    lambda fields: urlencode(fields, errors="replace").encode(),
    st.lists(st.tuples(KEYS, st.text(max_size=12) | st.floats() | st.integers()), max_size=8),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(QUERIES | st.binary(max_size=60), JSON_BODIES | st.binary(max_size=60), st.sampled_from([JSON, FORM, "", "x/y"]))
def test_only_the_remote_error_leaves(request_query: bytes, body: bytes, content_type: str) -> None:
    try:
        report = decode(request_query, body, content_type, now=FIX).report
    except DeliveryError:
        return
    assert (report.latitude is None) == (report.longitude is None)
    assert report.latitude is None or report.fix_time is not None
    json.dumps(report.items, allow_nan=False).encode()
