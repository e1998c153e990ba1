"""The sentences of real devices: places as pynmea2 and the sources state them, wrong checksums refused or tolerated."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import reduce
from operator import xor
from typing import Any

import pynmea2
import pytest

from protocols.dialogue import Event, Peer, Refused, Reported
from protocols.nmea import NmeaCore
from protocols.nmea.fast import read_fast
from protocols.nmea.sentences import kind_of, read_with_pynmea2
from tests.data import SHARED, needs_shared

NOW = 1_795_435_200_000
FILES = ("t55.jsonl", "nmea_any_protocol.jsonl")


def cases() -> list[tuple[str, dict[str, Any]]]:
    """Every sentence of a kind that we read, from ``$`` on, with the record that it stands in."""
    found: dict[str, dict[str, Any]] = {}
    for name in FILES if SHARED else ():
        for line in (SHARED / "frames" / name).read_text().splitlines():  # type: ignore[operator]
            case = json.loads(line)
            hexed = case.get("format") == "hex"
            text = bytes.fromhex(case["frame"]).decode("latin-1") if hexed else case["frame"]
            for told in re.findall(r"\$[^$\r\n]+", text):
                if kind_of(told[1:]):
                    found.setdefault(told, case)
    return list(found.items())


def sound(told: str) -> bool | None:
    body, star, rest = told[1:].partition("*")
    return int(rest[:2], 16) == reduce(xor, body.encode("latin-1")) if star else None


CASES = cases()
each = pytest.mark.parametrize(("told", "case"), CASES, ids=[told[:24] for told, _ in CASES])


def take(raw: str, lenient: bool = False) -> list[Event]:
    one = NmeaCore(Peer("192.0.2.7", {"192.0.2.7"} if lenient else ()))
    events = one.receive_data(raw.encode("latin-1") + b"\r\n", NOW)
    return events + one.handle_timer(one.get_timer() or 0)


def expected_of(told: str) -> Any:
    """What pynmea2 makes of it, ``None`` if that is no position with a time."""
    parsed = pynmea2.parse(told.partition("*")[0])
    valid = parsed.gps_qual if parsed.sentence_type == "GGA" else parsed.status == "A"
    if isinstance(parsed.timestamp, str) or isinstance(getattr(parsed, "datestamp", None), str):
        return None
    if not valid:
        return (None, None)
    return pytest.approx((parsed.latitude, parsed.longitude), abs=1e-5)


@needs_shared
@each
def test_each_sentence(told: str, case: dict[str, Any]) -> None:
    right, wanted = sound(told), expected_of(told)
    if right:
        events = take(told)
    else:
        refused = take(told)
        assert refused == [Refused("no_checksum" if right is None else "bad_checksum")]
        events = take(told, lenient=True)
    if wanted is None:
        assert events == [Refused("bad_sentence")]
        return
    _, reported = events
    assert isinstance(reported, Reported)
    (report,) = reported.reports
    degrees = None if report.latitude is None or report.longitude is None else report.latitude / 1e7
    assert (degrees, None if report.longitude is None else report.longitude / 1e7) == wanted


@needs_shared
@each
def test_where_a_source_states_the_position_it_is_that(told: str, case: dict[str, Any]) -> None:
    stated = (case.get("expected") or {}).get("position")
    if not stated or "latitude" not in stated:
        assert case["nmea"]
        return
    *_, reported = take(told)
    assert isinstance(reported, Reported)
    (report,) = reported.reports
    assert report.latitude is not None
    assert report.longitude is not None
    assert (report.latitude / 1e7, report.longitude / 1e7) == pytest.approx(
        (stated["latitude"], stated["longitude"]), abs=1e-5
    )
    at = datetime.strptime(stated["time_utc"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
    assert report.fix_time == round(at.timestamp() * 1000)


@needs_shared
@each
def test_the_fast_path_agrees_with_pynmea2(told: str, case: dict[str, Any]) -> None:
    body = told[1:].partition("*")[0]
    assert read_fast(body) in (None, read_with_pynmea2(body))


@needs_shared
def test_the_connections_of_one_source() -> None:
    """All records of a connection in their order, names and sentences, as one stream: nothing is lost on the way."""
    core = NmeaCore(Peer("192.0.2.7"))
    events: list[Event] = []
    assert SHARED is not None
    records = [json.loads(line) for line in (SHARED / "frames" / "t55.jsonl").read_text().splitlines()]
    for case in records:
        events += core.receive_data(case["frame"].encode() + b"\r\n", NOW)
    events += core.handle_timer(core.get_timer() or 0)
    right = sum(bool(sound(told)) for told, case in CASES if case["protocol"] == "t55")
    moments = {told[7:] for told, case in CASES if sound(told) and case["protocol"] == "t55" and told[3:6] == "RMC"}
    assert len(moments) <= sum(isinstance(event, Reported) for event in events) <= right
    wrong = sum(sound(told) is False for case in records for told in re.findall(r"\$G[^$]+", case["frame"]))
    assert sum(event == Refused("bad_checksum") for event in events) == wrong
