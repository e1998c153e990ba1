"""OwnTracks: where it says whose it is, what is about now, and that a bad record is a value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocols.delivery import Delivery, PhoneRequest, Unusable, basic
from protocols.errors import RemoteProtocolError
from protocols.owntracks import OBJECTS_LIMIT, decode, encode
from protocols.report import Report
from tests.data import SHARED, needs_shared

NOW = 1_700_000_000_000
TST = NOW // 1000 - 10
WHERE = {"_type": "location", "lat": 31.1774276, "lon": 121.5272106, "tst": TST}


def told(message: Any = WHERE, query: str = "", **headers: str) -> Delivery:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    delivery = decode(PhoneRequest(query.encode(), body, named), NOW)
    assert delivery is not None
    return delivery


def report(**fields: Any) -> Report:
    (result,) = told({**WHERE, "tid": "JJ", **fields}).results
    assert isinstance(result, Report)
    return result


def reason(**fields: Any) -> str:
    (result,) = told({**WHERE, "tid": "JJ", **fields}).results
    assert isinstance(result, Unusable)
    return result.reason


@pytest.mark.parametrize(
    ("message", "query", "headers", "names"),
    [
        ({}, "", {"authorization": basic("jane", "s")}, ("jane",)),
        ({}, "", {"authorization": basic("jane", "s"), "x_limit_d": "nokia"}, ("jane", "jane/nokia")),
        ({}, "", {"x_limit_u": "jane", "x_limit_d": "nokia"}, ("jane", "jane/nokia")),
        # What iOS says when nobody has filled it in is nobody's name.
        ({"tid": "AC"}, "", {"x_limit_u": "user", "x_limit_d": "device"}, ("AC",)),
        ({}, "u=jane&d=nokia", {}, ("jane", "jane/nokia")),
        ({}, "d=nokia", {}, ("nokia",)),
        (
            {"topic": "owntracks/jane/nokia", "tid": "JN"},
            "",
            {},
            ("jane", "jane/nokia", "owntracks/jane/nokia", "JN"),
        ),
        ({"topic": "owntracks/user/22A67880"}, "", {}, ("22A67880", "owntracks/user/22A67880")),
        ({"topic": "owntracks/a/b/event"}, "", {"x_limit_u": "a"}, ("a", "a/b", "owntracks/a/b/event")),
        ({"topic": "patrol/7"}, "", {}, ("patrol/7",)),
        ({"topic": 7, "tid": 12}, "", {}, ("12",)),
        ({"tid": "JJ"}, "", {"x_limit_u": "a" * 65}, ("JJ",)),
        ({"tid": "JJ"}, "", {"x_limit_u": "a\x07b"}, ("JJ",)),
    ],
)  # fmt: skip
def test_whose_it_is(message: dict[str, Any], query: str, headers: dict[str, str], names: tuple[str, ...]) -> None:
    assert told({**WHERE, **message}, query, **headers).names == names


def test_nobody() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        told()
    assert caught.value.reason == "no_device"


def test_the_secret() -> None:
    assert told(authorization=basic("jane", "s:1")).secret == "s:1"
    assert told({**WHERE, "tid": "JJ"}, "token=abc").secret == "abc"
    assert told({**WHERE, "tid": "JJ"}, "token=abc", authorization="Basic ???").secret == "abc"
    assert told({**WHERE, "tid": "JJ"}).secret == ""


def test_zeros_that_say_nothing_and_readings_that_cannot_be() -> None:
    made = report(acc=0, vel=0, cog=360, batt=101, alt=-2000, bs=0, conn="x", motionactivities="walking", t="")
    assert (made.accuracy, made.speed, made.course, made.altitude, made.items) == (None, 0, 0, None, None)
    # The app leaves zeros out, also of coordinates.
    (result,) = told({"_type": "location", "tid": "JJ", "lon": -122, "tst": TST}).results
    assert isinstance(result, Report)
    assert (result.latitude, result.longitude) == (0, -1_220_000_000)


@pytest.mark.parametrize("bs", [{}, [], "2", True, 2.0, None])
def test_a_battery_state_of_another_type(bs: object) -> None:
    assert report(bs=bs).items is None


def test_one_made_just_now_is_live_and_tells_the_clock() -> None:
    made = report(created_at=TST + 5)
    assert (made.live, made.device_time) == (True, (TST + 5) * 1000)
    assert (report().live, report().device_time) == (True, TST * 1000)


def test_an_old_fix_told_just_now_does_not_blame_the_clock() -> None:
    made = report(tst=TST - 7200, created_at=TST)
    assert (made.live, made.device_time) == (True, None)


@pytest.mark.parametrize("created_at", ["yesterday", 0, -978307200, True, [], float("nan")])
def test_a_time_of_making_that_is_none_is_left_out(created_at: object) -> None:
    made = report(created_at=created_at)
    assert (made.live, made.device_time, made.fix_time) == (True, TST * 1000, TST * 1000)


def test_a_queued_one_is_backlog() -> None:
    made = report(tst=TST - 7201, created_at=TST - 7200)
    assert (made.live, made.device_time) == (False, (TST - 7200) * 1000)
    assert not report(tst=TST - 7200).live


def test_a_phone_an_hour_ahead_is_live_and_told_so() -> None:
    made = report(tst=TST + 3600, created_at=TST + 3600)
    assert (made.live, made.device_time) == (True, (TST + 3600) * 1000)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"_type": "transition", "event": "enter"}, "not_a_location"),
        ({"_type": "lwt"}, "not_a_location"),
        ({"_type": None}, "not_a_location"),
        ({"_type": "encrypted", "data": "x"}, "encrypted"),
        ({"lat": 91}, "bad_position"),
        ({"lat": None, "lon": None}, "bad_position"),
        ({"lat": "x"}, "bad_position"),
        ({"tst": 0}, "bad_time"),
        ({"tst": None}, "bad_time"),
    ],
)
def test_what_cannot_be_taken_is_a_value(fields: dict[str, Any], expected: str) -> None:
    assert reason(**fields) == expected


def test_a_body_that_is_none_of_somebody_who_says_who_it_is() -> None:
    delivery = told(b"{not json", authorization=basic("jane", "s"))
    assert (delivery.names, delivery.secret, delivery.results) == (("jane",), "s", (Unusable("malformed"),))
    with pytest.raises(RemoteProtocolError):
        told(b"{not json")


def test_an_array() -> None:
    delivery = told([{**WHERE, "tid": "JJ"}, 7, {"_type": "card"}])
    assert delivery.names == ("JJ",)
    first, *others = delivery.results
    assert isinstance(first, Report)
    assert others == [Unusable("malformed"), Unusable("not_a_location")]
    many = told([WHERE] * (OBJECTS_LIMIT + 1), authorization=basic("jane", "s"))
    assert many.results == (Unusable("malformed"),)


@pytest.mark.parametrize("body", [b"", b"  \n"])
def test_an_empty_body_says_nothing(body: bytes) -> None:
    assert decode(PhoneRequest(b"", body), NOW) is None


def test_what_is_encoded_is_decoded() -> None:
    items: dict[str, object] = {"battery": 83, "charging": False, "trigger": "t"}
    sent = Report(TST * 1000, 311774276, 1215272106, 41, 389, 88, 120, items=items)
    again = told(encode(sent, tid="9c", topic="owntracks/jane/nokia", created_at=NOW))
    (result,) = again.results
    assert isinstance(result, Report)
    names = ("fix_time", "latitude", "longitude", "altitude", "speed", "course", "accuracy", "items")
    assert [getattr(result, name) for name in names] == [getattr(sent, name) for name in names]
    assert result.device_time == NOW
    with pytest.raises(ValueError, match="positions only"):
        encode(Report(NOW, None, None))


@needs_shared
def test_recorded_requests() -> None:
    assert SHARED is not None
    lines = [json.loads(line) for line in (SHARED / "frames" / "owntracks.jsonl").read_text("utf-8").splitlines()]
    assert lines
    for line in lines:
        query = line["url"].partition("?")[2]
        headers = {name.lower(): value for name, value in (line["headers"] or {}).items()}
        delivery = decode(PhoneRequest(query.encode(), line["body"].encode(), headers), NOW)
        assert delivery is not None
        message = json.loads(line["body"])
        (result,) = delivery.results
        assert isinstance(result, Report)
        assert result.fix_time == message["tst"] * 1000
        assert (result.latitude, result.longitude) == (round(message["lat"] * 1e7), round(message["lon"] * 1e7))
        assert delivery.names[-1] == message["tid"]
        assert result.speed is None or result.speed == round(message["vel"] / 3.6 * 100)
