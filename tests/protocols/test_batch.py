"""Our batch endpoint: records with ids, packed or not, and an answer for each."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest

from protocols.batch import BODY_LIMIT, FIELDS, RECORDS_LIMIT, answer, decode, encode, packed
from protocols.delivery import Delivery, PhoneRequest, Unusable
from protocols.errors import RemoteProtocolError
from protocols.report import ALARM_SOS, CoordinateSystem, Report

NOW = 1_700_000_000_000
RECORD = {"id": "a1", "fix_time": NOW - 10_000, "lat": 31.1774276, "lon": 121.5272106}


def told(message: Any, **headers: str) -> Delivery:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return decode(PhoneRequest(b"", body, {name.replace("_", "-"): value for name, value in headers.items()}), NOW)


def one(*records: Any, **fields: Any) -> list[Report | Unusable]:
    return list(told({"device": "d", "records": list(records), **fields}).results)


def report(**fields: Any) -> Report:
    (result,) = one({**RECORD, **fields})
    assert isinstance(result, Report)
    return result


def test_a_whole_record() -> None:
    made = report(
        accuracy=4.8, speed=1.4, course=271, altitude=12, sos=True, battery=81, charging=False, activity="walking",
        event="start", net="4g", attributes={"team": 3, "deep": {}}, other=1,
    )  # fmt: skip
    assert (made.fix_time, made.latitude, made.longitude) == (NOW - 10_000, 311774276, 1215272106)
    assert (made.accuracy, made.speed, made.course, made.altitude, made.alarm) == (48, 140, 271, 12, ALARM_SOS)
    assert made.items == {
        "battery": 81, "charging": False, "activity": "walking", "event": "start", "net": "4g",
        "attributes": {"team": 3},
    }  # fmt: skip


def test_every_field_is_read() -> None:
    values: dict[str, Any] = dict.fromkeys(FIELDS, 1) | {
        "id": "a", "fix_time": NOW, "sos": True, "charging": True, "attributes": {"a": 1},
        **dict.fromkeys(("activity", "event", "net"), "x"),
    }  # fmt: skip
    (full,) = one(values)
    for name in FIELDS:
        without: list[Report | Unusable] = one({key: value for key, value in values.items() if key != name})
        assert repr_of(without[0]) != repr_of(full), name


def repr_of(result: Report | Unusable) -> object:
    if isinstance(result, Unusable):
        return result.reason
    return [getattr(result, name, None) for name in Report.__slots__]


def test_without_a_position() -> None:
    made = report(lat=None, lon=None, battery=5)
    assert (made.fix_time, made.latitude, made.longitude) == (NOW - 10_000, None, None)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (7, "malformed"),
        ({}, "no_id"),
        ({**RECORD, "id": 7}, "no_id"),
        ({**RECORD, "id": "a" * 65}, "no_id"),
        ({**RECORD, "id": "a\n"}, "no_id"),
        ({**RECORD, "lat": None}, "bad_position"),
        ({**RECORD, "lon": 181}, "bad_position"),
        ({**RECORD, "fix_time": None}, "bad_time"),
        ({**RECORD, "fix_time": "soon"}, "bad_time"),
    ],
)
def test_what_cannot_be_taken_is_a_value_and_the_rest_goes_on(record: object, reason: str) -> None:
    first, second = one(record, RECORD)
    assert first == Unusable(reason)
    assert isinstance(second, Report)


def test_which_is_about_now() -> None:
    late, early = RECORD, {**RECORD, "fix_time": NOW - 900_000}
    assert [r.live for r in one(early, late) if isinstance(r, Report)] == [False, True]
    assert [r.live for r in one(early) if isinstance(r, Report)] == [False]
    # By the client's own clock: what is wrong then is the clock, and the report says so.
    (behind,) = one(early, now=NOW - 890_000)
    assert isinstance(behind, Report)
    assert (behind.live, behind.device_time) == (True, NOW - 890_000)


@pytest.mark.parametrize("dead", ["late", 0, 86_400, 1e300, [], True])
def test_a_client_without_the_time_is_heard_all_the_same(dead: object) -> None:
    """Its clock may have begun anew in 1970; what it had stored before that is good."""
    made = one(RECORD, {**RECORD, "fix_time": NOW - 900_000}, now=dead)
    assert [(r.live, r.device_time) for r in made if isinstance(r, Report)] == [(True, None), (False, None)]


@pytest.mark.parametrize("name", ["wgs84", "gcj02", "bd09"])
def test_coordinates_are_as_declared(name: str) -> None:
    (made,) = one(RECORD, crs=name)
    assert isinstance(made, Report)
    assert made.crs == CoordinateSystem[name.upper()]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "malformed"),
        (b"\xff", "malformed"),
        ([], "malformed"),
        ({"device": "d"}, "malformed"),
        ({"device": "d", "records": {}}, "malformed"),
        ({"device": "d", "records": [], "crs": "wgs"}, "bad_crs"),
        ({"device": "d", "records": [], "crs": ["wgs84"]}, "bad_crs"),
        ({"records": []}, "no_device"),
        ({"device": "d", "records": [0] * (RECORDS_LIMIT + 1)}, "too_many"),
        (b" " * (BODY_LIMIT + 1), "too_long"),
    ],
)
def test_what_is_no_request(message: Any, reason: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        told(message)
    assert caught.value.reason == reason


BODY = json.dumps({"device": "d", "records": [RECORD]}).encode()


def test_packed() -> None:
    assert len(told(packed(BODY), content_encoding="gzip").results) == 1
    assert len(told(gzip.compress(BODY), content_encoding=" GZIP ").results) == 1
    assert packed(BODY) == packed(BODY)


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (BODY, "gzip", "malformed"),
        (packed(BODY)[:-1], "gzip", "malformed"),
        (packed(BODY) + b"x", "gzip", "malformed"),
        (packed(BODY) * 2, "gzip", "malformed"),
        (zlib.compress(BODY), "gzip", "malformed"),
        (BODY, "br", "bad_encoding"),
        (gzip.compress(b" " * (BODY_LIMIT + 1)), "gzip", "too_long"),
        # 50 MB in 50 kB: no more of it is unpacked than a body may have.
        (gzip.compress(bytes(50 << 20)), "gzip", "too_long"),
    ],
)
def test_packed_wrongly(body: bytes, encoding: str, reason: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        told(body, content_encoding=encoding)
    assert caught.value.reason == reason


def test_the_answer() -> None:
    assert json.loads(answer(("a", "b", "", "d"), ("", "duplicate", "no_id", "off_duty"))) == {
        "accepted": ["a"],
        "duplicate": ["b"],
        "rejected": [
            {"index": 2, "id": None, "reason": "no_id"},
            {"index": 3, "id": "d", "reason": "off_duty"},
        ],
    }


def test_what_is_encoded_is_decoded() -> None:
    items: dict[str, object] = {"battery": 80, "charging": False, "activity": "walking"}
    sent = Report(NOW - 10_000, 311774276, 1215272106, 12, 400, 271, 50, alarm=ALARM_SOS, items=items)
    delivery = told(encode("7f3a9c", [("a1", sent), ("a2", Report(NOW, None, None))], now=NOW))
    assert (delivery.names, delivery.ids) == (("7f3a9c",), ("a1", "a2"))
    again = delivery.results[0]
    assert isinstance(again, Report)
    names = ("fix_time", "latitude", "longitude", "altitude", "speed", "course", "accuracy", "alarm", "items")
    assert [getattr(again, name) for name in names] == [getattr(sent, name) for name in names]
