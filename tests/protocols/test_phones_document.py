"""docs/wire/phones.md: its requests are read as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protocols import readings, traccar

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "wire" / "phones.md").read_text(encoding="utf-8")


def example(language: str) -> bytes:
    (text,) = re.findall(rf"```{language}\n(.*?)\n```", PAGE, re.S)
    return str(text).encode()


@pytest.mark.parametrize("form", ["query", "form", "json"])
def test_the_examples_are_the_same_report(form: str) -> None:
    delivery = {
        "query": lambda: traccar.decode(example("text"), b"", ""),
        "form": lambda: traccar.decode(b"", example("text"), "application/x-www-form-urlencoded"),
        "json": lambda: traccar.decode(b"", example("json"), "application/json"),
    }[form]()
    report = delivery.report
    assert delivery.device_id == "7f3a9c"
    assert (report.fix_time, report.latitude, report.longitude) == (1_700_000_000_000, 311774276, 1215272106)
    assert (report.course, report.altitude, report.accuracy, report.items and report.items["battery"]) == (
        90,
        4,
        50,
        83,
    )
    assert report.speed in (118, 120)  # 2.3 knots, 1.2 m/s


def test_every_field_and_limit_is_on_the_page() -> None:
    for name in traccar._NAMES:
        assert f"`{name}" in PAGE
    for name in traccar._ITEMS:
        assert f"`{name}`" in PAGE
    assert f"{traccar.FIELD_LIMIT} fields; {readings.ATTRIBUTE_LIMIT} attributes" in PAGE
    assert f"{traccar.REQUEST_LIMIT // 1024} KiB a request" in PAGE
