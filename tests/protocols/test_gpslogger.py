"""GPSLogger: every name that its custom URL may use, wherever it stands; what it does not know; files sent again."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from protocols.delivery import Delivery, PhoneRequest, Unusable, basic
from protocols.errors import RemoteProtocolError
from protocols.gpslogger import NAMES, decode, encode
from protocols.report import Report

NOW = 1_700_000_000_000
FIX = NOW - 10_000
WHERE = {"id": "7f3a9c", "lat": "31.1774276", "lon": "121.5272106", "timestamp": "1699999990"}


def told(query: dict[str, Any] | None = None, body: bytes = b"", **headers: str) -> Delivery:
    return decode(PhoneRequest(urlencode(query or {}).encode(), body, headers), NOW)


def report(**fields: Any) -> Report:
    (result,) = told({**WHERE, **fields}).results
    assert isinstance(result, Report)
    return result


READ: dict[str, tuple[str, Any]] = {
    "speed": ("1.4", 140),
    "speed_kmh": ("5.04", 140),
    "altitude": ("41.0", 41),
    "accuracy": ("4.8", 48),
    "course": ("271.5", 272),
    "battery": ("81.0", 81),
    "charging": ("true", True),
    "satellites": ("11", 11),
    "hdop": ("0.9", 0.9),
    "provider": ("gps", "gps"),
    "note": ("a broken lamp", "a broken lamp"),
    "activity": ("walking", "walking"),
}


@pytest.mark.parametrize(("what", "name"), [(what, name) for what in READ for name in NAMES[what]])
@pytest.mark.parametrize("capitals", [False, True])
def test_every_name_of_a_reading(what: str, name: str, capitals: bool) -> None:
    text, expected = READ[what]
    made = report(**{name.upper() if capitals else name: text})
    attribute = "speed" if what == "speed_kmh" else what
    found = getattr(made, attribute, None) if hasattr(made, attribute) else (made.items or {}).get(attribute)
    assert found == expected
    assert "attributes" not in (made.items or {})


@pytest.mark.parametrize("name", NAMES["lat"])
@pytest.mark.parametrize("other", NAMES["lon"])
def test_every_name_of_a_place(name: str, other: str) -> None:
    (result,) = told({"id": "a", name: "31.5", other: "121.5", "time": "2023-11-14T22:13:10.000Z"}).results
    assert isinstance(result, Report)
    assert (result.latitude, result.longitude, result.fix_time) == (315_000_000, 1_215_000_000, FIX)


@pytest.mark.parametrize(
    ("name", "stamp"),
    [("timestamp", "1699999990"), ("epoch", "1699999990000"), ("timeoffset", "2023-11-15T06:13:10.000+08:00")],
)
def test_every_name_of_a_time(name: str, stamp: str) -> None:
    (result,) = told({"id": "a", "lat": "1", "lon": "2", name: stamp}).results
    assert isinstance(result, Report)
    assert result.fix_time == FIX


@pytest.mark.parametrize("name", NAMES["device"])
def test_every_name_of_a_device(name: str) -> None:
    assert told({**{k: v for k, v in WHERE.items() if k != "id"}, name: "zhang"}).names == ("zhang",)


def test_the_likeliest_name_comes_first() -> None:
    delivery = told({**WHERE, "aid": "41f3e2", "ser": "unknown"}, authorization=basic("jane", "s"))
    assert delivery.names == ("7f3a9c", "jane", "41f3e2", "unknown")
    with pytest.raises(RemoteProtocolError) as caught:
        told({"lat": "1", "lon": "2"})
    assert caught.value.reason == "no_device"


def test_the_secret() -> None:
    assert told(WHERE, authorization=basic("jane", "s")).secret == "s"
    assert told({**WHERE, "token": "t"}).secret == "t"
    assert told({**WHERE, "key": "k"}).secret == "k"
    assert told(WHERE, b"token=body").secret == "body"
    assert told({**WHERE, "token": "t"}, authorization="Bearer b").secret == "b"


def test_query_form_and_json_are_one() -> None:
    query = {"id": "a", "lat": "31.5"}
    for body in (b"lon=121.5&timestamp=1699999990&team=3&", b'{"lon": 121.5, "timestamp": 1699999990, "team": 3}'):
        (result,) = told(query, body).results
        assert isinstance(result, Report)
        assert (result.latitude, result.longitude, result.fix_time) == (315_000_000, 1_215_000_000, FIX)
        assert result.items == {"attributes": {"team": 3}}
    with pytest.raises(RemoteProtocolError, match="malformed"):
        told(query, b"{lon")


def test_what_it_writes_for_what_it_does_not_know() -> None:
    made = report(alt="0.0", acc="0.0", dir="0.0", spd="0.0", sat="0", batt="0.0", hdop="null", prov="", desc="")
    assert (made.altitude, made.accuracy, made.course, made.speed) == (None, None, None, 0)
    assert made.items is None


def test_a_file_sent_again_is_not_about_now() -> None:
    assert report().live
    assert not report(timestamp="1699990000").live
    assert report().device_time is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"lat": "%LAT"}, "bad_position"),
        ({"lat": "95"}, "bad_position"),
        ({"lon": ""}, "bad_position"),
        ({"timestamp": "never"}, "bad_time"),
        ({"timestamp": ""}, "bad_time"),
    ],
)
def test_what_cannot_be_taken_is_a_value(fields: dict[str, str], reason: str) -> None:
    assert told({**WHERE, **fields}).results == (Unusable(reason),)


def test_what_is_encoded_is_decoded() -> None:
    items: dict[str, object] = {"battery": 81, "charging": True, "satellites": 11, "provider": "gps"}
    sent = Report(FIX, 311774276, 1215272106, 41, 140, 272, 48, items=items)
    names = ("fix_time", "latitude", "longitude", "altitude", "speed", "course", "accuracy", "items")
    for query, body in ((b"id=a&" + encode(sent), b""), (b"id=a", encode(sent))):
        (again,) = decode(PhoneRequest(query, body), NOW).results
        assert isinstance(again, Report)
        assert [getattr(again, name) for name in names] == [getattr(sent, name) for name in names]
    with pytest.raises(ValueError, match="positions only"):
        encode(Report(NOW, None, None))


def test_an_unknown_key_keeps_its_name() -> None:
    assert report(Team="03", note2="x").items == {"attributes": {"Team": "03", "note2": "x"}}
    assert json.dumps(report(x="1" * 500).items)
