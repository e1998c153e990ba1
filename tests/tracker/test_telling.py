"""Whoever listens and fails harms neither the others nor whoever tells."""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs

from tests.tracker.helpers import House, report
from tracker.telling import tell_all


def _fails(*given: Any) -> None:
    raise ValueError("a fault of ours")


def test_the_others_are_told() -> None:
    told: list[int] = []
    with capturedLogs() as logged:
        tell_all([_fails, told.append], 5)
    assert told == [5]
    assert [event["log_format"] for event in logged] == ["a listener failed"]


def test_a_device_hears_that_its_reports_are_on_disk_whoever_listens_and_fails(house: House) -> None:
    house.register("handheld", "h1")
    carrier = house.intake.find("handheld", "h1", "192.0.2.1")
    assert carrier is not None
    heard: list[int] = []
    house.intake.stored += [_fails, lambda carrier, records: heard.append(len(records))]
    done: list[int | None] = []
    house.intake.submit(carrier, [report()], done.append)
    house.settle()
    assert (done, heard) == ([1], [1])
