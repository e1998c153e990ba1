"""Overland: points of a queue, the newest of them, and whose each is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocols.delivery import Delivery, PhoneRequest, Unusable
from protocols.errors import RemoteProtocolError
from protocols.overland import POINTS_LIMIT, decode, encode
from protocols.report import Report

NOW = 1_700_000_000_000


def told(message: Any, query: str = "id=d", **headers: str) -> Delivery:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return decode(PhoneRequest(query.encode(), body, headers), NOW)


def point(**properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [121.5272106, 31.1774276]},
        "properties": {"timestamp": "2023-11-14T22:13:10Z", **properties},
    }


def report(**properties: Any) -> Report:
    (result,) = told({"locations": [point(**properties)]}).results
    assert isinstance(result, Report)
    return result


def test_readings() -> None:
    made = report(
        altitude=12, speed=4, course=360, horizontal_accuracy=30, battery_level=0.8, battery_state="full",
        motion=["driving", "stationary", 3], wifi="home",
    )  # fmt: skip
    assert (made.latitude, made.longitude, made.fix_time) == (311774276, 1215272106, NOW - 10_000)
    assert (made.altitude, made.speed, made.course, made.accuracy) == (12, 400, 0, 300)
    assert made.items == {"battery": 80, "charging": True, "net": "wifi", "activity": "driving,stationary"}


def test_negative_is_not_known() -> None:
    made = report(speed=-1, course=-1, horizontal_accuracy=-1, battery_level=-1, battery_state="unknown", wifi="")
    assert (made.speed, made.course, made.accuracy, made.items) == (None, None, None, None)


@pytest.mark.parametrize("stamp", ["2023-11-14T14:13:10-0800", "2023-11-15T06:13:10+08:00", "2023-11-14T22:13:10.000Z"])
def test_time_zones(stamp: str) -> None:
    assert report(timestamp=stamp).fix_time == NOW - 10_000


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (7, "bad_position"),
        ({}, "bad_position"),
        ({**point(), "geometry": None}, "bad_position"),
        ({**point(), "geometry": {"coordinates": [1]}}, "bad_position"),
        ({**point(), "geometry": {"coordinates": [181, 1]}}, "bad_position"),
        ({**point(), "geometry": {"coordinates": [1, "x"]}}, "bad_position"),
        (point(timestamp=None), "bad_time"),
        (point(action="visit"), "not_a_location"),
        (point(type="trip", mode="bicycle"), "not_a_location"),
    ],
)
def test_what_cannot_be_taken_is_a_value_and_the_rest_goes_on(bad: object, reason: str) -> None:
    first, second = told({"locations": [bad, point()]}).results
    assert first == Unusable(reason)
    assert isinstance(second, Report)


def stamps(delivery: Delivery) -> list[tuple[int | None, bool]]:
    return [(r.fix_time, r.live) for r in delivery.results if isinstance(r, Report)]


def test_the_newest_of_a_short_queue_is_about_now() -> None:
    late, early = point(timestamp="2023-11-14T22:13:10Z"), point(timestamp="2023-11-14T22:12:10Z")
    assert stamps(told({"locations": [late, early]})) == [(NOW - 10_000, True), (NOW - 70_000, False)]
    old = point(timestamp="2023-11-14T20:00:00Z")
    assert [live for _, live in stamps(told({"locations": [old]}))] == [False]


def test_current_is_about_now_and_nothing_else() -> None:
    old, now = point(timestamp="2023-11-14T20:00:00Z"), point()
    assert [live for _, live in stamps(told({"locations": [old, now], "current": now}))] == [False, False, True]
    # A phone that lies still has an old one, and that is where it is.
    assert [live for _, live in stamps(told({"locations": [], "current": old}))] == [True]
    assert told({"locations": [now], "current": 7}).results[1] == Unusable("bad_position")


def test_whose_it_is() -> None:
    points = [point(device_id="old"), point(device_id=""), point(device_id="new")]
    delivery = told({"locations": points, "current": point(device_id="now")}, "")
    assert delivery.names == ("now", "new", "old")
    assert delivery.owners == ("old", "", "new", "now")
    assert told({"locations": points}, "device_id=zhang").names[0] == "zhang"
    with pytest.raises(RemoteProtocolError, match="no_device"):
        told({"locations": [point()]}, "")
    crowd = told({"locations": [point(device_id=f"d{i}") for i in range(100)]}, "")
    assert crowd.names[0] == "d99"
    assert len(crowd.names) == 8


def test_the_secret() -> None:
    assert told({"locations": []}, authorization="Bearer abc").secret == "abc"
    assert told({"locations": []}, "id=d&token=abc").secret == "abc"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "malformed"),
        ([], "malformed"),
        ({}, "malformed"),
        ({"locations": {}}, "malformed"),
        ({"locations": [0] * (POINTS_LIMIT + 1)}, "too_many"),
    ],
)
def test_what_is_no_request(message: Any, reason: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        told(message)
    assert caught.value.reason == reason


def test_trips_are_passed_over() -> None:
    trip = {"mode": "car", "start": "x", "current_location": point(), "start_location": None}
    assert len(told({"locations": [point()], "trip": trip}).results) == 1


def test_what_is_encoded_is_decoded() -> None:
    sent = Report(NOW - 10_000, 311774276, 1215272106, 12, 400, 271, 50, items={"battery": 80, "charging": False})
    delivery = told(encode("7f3a9c", [sent], sent), "")
    assert delivery.names == ("7f3a9c",)
    names = ("fix_time", "latitude", "longitude", "altitude", "speed", "course", "accuracy", "items")
    for again in delivery.results:
        assert isinstance(again, Report)
        assert [getattr(again, name) for name in names] == [getattr(sent, name) for name in names]
    # A thousand points are some 350 kB.
    assert len(encode("7f3a9c", [sent] * 1000)) < 600_000
    with pytest.raises(ValueError, match="positions only"):
        encode("d", [Report(NOW, None, None)])
