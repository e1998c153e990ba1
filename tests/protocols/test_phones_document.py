"""docs/wire/phones.md: its requests are read as it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from protocols import batch, delivery, gpslogger, overland, owntracks, readings, traccar
from protocols.delivery import PhoneRequest, basic
from protocols.phone_setup import APPS, setup
from protocols.report import Report
from tracker import phone_limits
from tracker.phone_apps import PATHS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "wire" / "phones.md").read_text(encoding="utf-8")
NOW = 1_700_000_010_000
FIX = 1_700_000_000_000


def example(language: str) -> bytes:
    (text,) = re.findall(rf"```{language}\n(.*?)\n```", PAGE, re.S)
    return str(text).encode()


def section(head: str) -> str:
    (text,) = re.findall(rf"^## {head}.*?\n(.*?)(?=^## |\Z)", PAGE, re.S | re.M)
    return str(text)


@pytest.mark.parametrize("form", ["query", "form", "json"])
def test_the_examples_are_the_same_report(form: str) -> None:
    made = {
        "query": lambda: traccar.decode(example("text"), b"", ""),
        "form": lambda: traccar.decode(b"", example("text"), "application/x-www-form-urlencoded"),
        "json": lambda: traccar.decode(b"", example("json"), "application/json"),
    }[form]()
    report = made.report
    assert made.device_id == "7f3a9c"
    assert (report.fix_time, report.latitude, report.longitude) == (FIX, 311774276, 1215272106)
    assert (report.course, report.altitude, report.accuracy, report.items and report.items["battery"]) == (
        90,
        4,
        50,
        83,
    )
    assert report.speed in (118, 120)  # 2.3 knots, 1.2 m/s


@pytest.mark.parametrize("app", ["owntracks", "gpslogger", "overland", "batch"])
def test_the_examples_of_the_others(app: str) -> None:
    headers = {"authorization": basic("7f3a9c", "s")}
    query, body = (example(app), b"") if app == "gpslogger" else (b"", example(app))
    decode = {"owntracks": owntracks, "gpslogger": gpslogger, "overland": overland, "batch": batch}[app].decode
    told = decode(PhoneRequest(query, body, headers), NOW)
    assert told is not None
    assert told.names[0] == "7f3a9c"
    first = told.results[0]
    assert isinstance(first, Report)
    assert (first.fix_time, first.latitude, first.longitude, first.live) == (FIX, 311774276, 1215272106, True)
    assert first.items
    assert (first.items["battery"], first.items["charging"]) == (83, False)
    assert all(isinstance(result, Report) for result in told.results)


def test_the_answer_of_a_batch() -> None:
    assert batch.answer(("a1", "a2", "a3"), ("", "duplicate", "bad_time")) == example("answer")


def test_every_field_and_limit_is_on_the_page() -> None:
    for name in (*traccar._NAMES, *traccar._SHORT, *(n for names in gpslogger.NAMES.values() for n in names)):
        assert f"`{name}" in PAGE
    for name in (*traccar._ITEMS, *batch.FIELDS, *batch.SYSTEMS, *gpslogger._IGNORED):
        assert f"`{name}`" in PAGE
    assert f"{delivery.FIELD_LIMIT} fields of a query or form; {readings.ATTRIBUTE_LIMIT} attributes" in PAGE
    assert f"{traccar.REQUEST_LIMIT // 1024} KiB a request" in PAGE
    assert f"up to {overland.POINTS_LIMIT:,} points" in PAGE
    assert f"up to {batch.RECORDS_LIMIT:,}" in section("Batch")
    assert f"up to {owntracks.OBJECTS_LIMIT:,} objects" in PAGE
    assert f"last {phone_limits.IDS:,} ids" in PAGE
    assert f"faster than {phone_limits.RATE} records a second, beyond a backlog of {phone_limits.BURST:,}" in PAGE
    assert delivery.LIVE_MS == 10 * 60_000


def test_every_path_and_body_limit_is_on_the_page() -> None:
    rows = dict(re.findall(r"^\| [^|]+\| `/(\w*)` \| [^|]+\| ([^|]+) \|$", PAGE, re.M))
    assert rows.pop("") == "64 KiB"
    assert {path.encode() for path in rows} == set(PATHS)
    for path, told in rows.items():
        limit = PATHS[path.encode()].body_limit
        assert told.startswith(f"{limit >> 20} MiB" if limit >> 20 else f"{limit >> 10} KiB")


def test_the_links_are_those_that_are_made() -> None:
    links = re.findall(r"^\| [^|]+ \| `(\S+?)[`…]", section("Links"), re.M)
    made = [setup(app, "http://x", "d", "t").link for app in APPS]
    assert len(links) == len(made)
    for told, link in zip(links, made, strict=True):
        assert link.startswith(told)


def test_what_owntracks_and_overland_are_read_for() -> None:
    """Every field of the tables that is said to be read changes what is read of the example."""
    for app, decode, whole in (
        ("OwnTracks", owntracks.decode, json.loads(example("owntracks"))),
        ("Overland", overland.decode, json.loads(example("overland"))),
    ):
        names = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| ([^|]+) \|", section(app), re.M)))
        place = whole if app == "OwnTracks" else whole["locations"][0]["properties"]
        for name in set(names) & set(place):
            kept = place.pop(name)
            body = json.dumps(whole).encode()
            place[name] = kept
            headers = {"authorization": basic("d", "s")}
            one, other = (decode(PhoneRequest(b"", sent, headers), NOW) for sent in (body, json.dumps(whole).encode()))
            assert told_by(one) != told_by(other) or name in ("wifi",), name


def told_by(made: delivery.Delivery | None) -> object:
    assert made is not None
    fields = [[getattr(r, n, None) for n in Report.__slots__] for r in made.results if isinstance(r, Report)]
    return fields, made.names, made.owners, [r for r in made.results if not isinstance(r, Report)]
