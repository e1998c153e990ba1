"""docs/wire/trackers.md against the code: alarms, items, counted reasons, ports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protocols.alarms import ALARMS
from protocols.dialogue import Event, Refused
from protocols.gt06 import Gt06
from protocols.gt06.messages import _STATE_ALARMS, ALARM_WORDS
from protocols.h02 import H02
from protocols.h02.messages import _ALARMS
from protocols.watch import Watch
from protocols.watch.messages import ALARM_BITS
from tests.protocols.gt06 import test_core as gt06_tests
from tests.protocols.h02 import test_core as h02_tests
from tests.protocols.trackers import Make, conversations, frames, reports
from tests.protocols.watch import test_core as watch_tests
from tracker.catalogue import DOORS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/wire/trackers.md").read_text("utf-8")


def table(title: str) -> list[list[str]]:
    """The rows of the first table of a section, without its head."""
    text = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_alarms_are_listed_in_the_order_of_their_bits() -> None:
    assert [row[0].strip("`") for row in table("Alarms")] == list(ALARMS)


def test_where_alarms_come_from() -> None:
    for word, gt06, h02, watch in table("Alarms"):
        name = word.strip("`")
        codes = {code for code, one in ALARM_WORDS.items() if one == name}
        states = {f"state {place}" for place, one in enumerate(_STATE_ALARMS) if one == name}
        told = set(re.split(r"[,;] ", gt06)) - {""}
        assert told == {f"{code:02X}" for code in codes} | states, name
        assert set(h02.split(", ")) - {""} == {str(bit) for bit, one in _ALARMS if one == name}, name
        assert set(watch.split(", ")) - {""} == {str(bit) for bit, one in ALARM_BITS if one == name}, name


def test_ports_and_silence_are_the_doors() -> None:
    names = re.findall(r"\| +\| (\w+) \| (\w+) \| (\w+) \|", PAGE)[0]
    ports = re.search(r"^\| port \| (\d+), (.*?) \| (\d+), (.*?) \| (\d+), (.*?) \|$", PAGE, re.MULTILINE)
    quiet = re.search(r"^\| silence .*? \| (\d+) s \| (\d+) s \| (\d+) s \|$", PAGE, re.MULTILINE)
    assert ports
    assert quiet
    for place, name in enumerate(names):
        door = DOORS[name.lower()]
        assert int(ports[2 * place + 1]) == door.port
        assert ports[2 * place + 2].lower() == " and ".join(door.transports)
        assert int(quiet[place + 1]) == door.quiet_s


@pytest.mark.parametrize(
    ("make", "protocol", "samples"),
    [
        (Gt06, "gt06", gt06_tests.SAMPLES),
        (H02, "h02", h02_tests.SAMPLES),
        (Watch, "watch", watch_tests.SAMPLES),
    ],
)
def test_items_and_reasons_that_are_made_are_listed(make: Make, protocol: str, samples: list[bytes]) -> None:
    items = {name for row in table("Items") for name in re.findall(r"`(\w+)`", row[0])}
    reasons = {row[0].strip("`") for row in table("What is counted")}
    events: list[Event] = make(gt06_tests.LENIENT).receive_data(b"".join(samples) + b"!!", gt06_tests.NOW)
    for _, found in conversations(make, frames(protocol)).values():
        events += found
    made = {name for report in reports(events) for name in report.items or ()}
    assert made
    assert made <= items
    told = {event.reason for event in events if isinstance(event, Refused)}
    assert "garbage" in told
    assert told <= reasons
