"""GT06 messages of real devices against what an independent decoder says of them."""

from __future__ import annotations

import pytest

from protocols.gt06 import Gt06
from protocols.report import Report
from tests.data import needs_shared
from tests.protocols.trackers import Readers, Record, check, conversations, frames, name

WORDS = {
    "tampering": "tamper",
    "lowBattery": "low_battery",
    "sos": "sos",
    "removing": "removed",
    "hardAcceleration": "hard_acceleration",
    "hardBraking": "hard_braking",
    "accident": "collision",
    "vibration": "vibration",
    "powerCut": "power_cut",
    "geofenceEnter": "fence_in",
    "geofenceExit": "fence_out",
    "overspeed": "overspeed",
    "fallDown": "fall",
    "door": "door",
    "powerOff": "power_off",
}


def _item(report: Report, item: str) -> object:
    return (report.items or {}).get(item)


def _alarm(report: Report) -> object:
    (word,) = (report.items or {})["alarms"]  # type: ignore[misc]
    return next(theirs for theirs, ours in WORDS.items() if ours == word)


READERS: Readers = {
    "alarm": _alarm,
    "altitude": lambda r: r.altitude,
    "battery": lambda r: _item(r, "battery_v"),
    "batteryLevel": lambda r: _item(r, "battery"),
    "charge": lambda r: _item(r, "charging"),
    "door": lambda r: _item(r, "door"),
    "driverUniqueId": lambda r: _item(r, "driver"),
    "humidity": lambda r: _item(r, "humidity"),
    "iccid": lambda r: _item(r, "iccid"),
    "ignition": lambda r: _item(r, "ignition"),
    "power": lambda r: _item(r, "power_v"),
    "result": lambda r: _item(r, "module"),
    "rssi": lambda r: _item(r, "signal"),
    "sat": lambda r: _item(r, "satellites"),
    "serial": lambda r: _item(r, "tag"),
    "tag1Temp": lambda r: _item(r, "temperature"),
    "temp1": lambda r: _item(r, "temperature"),
}

ALARM_0C = "alarm 0C is 'power on' in the makers' texts; the other decoder calls it tampering"
BY_MODEL = "the layout depends on the model, which the frame does not tell"
ONE_MAKER = "a reading of one maker in a type that others use otherwise; nothing of a position in it"
LEFT_OUT = {
    "testDecode-8": ONE_MAKER,
    "testDecode-9": ONE_MAKER,
    "testDecode-20": "the altitude that is expected is the frame's CRC; ours stands before the serial",
    "testDecode-32": BY_MODEL,
    "testDecode-34": "driving time behind a position: a tail of one maker",
    "testDecode-41": ALARM_0C,
    "testDecode-67": "a tail of one maker behind a position; the position is read",
    "testDecode-141": "says what the heartbeat before said: a sign of life and nothing to store",
    "testDecode-169": BY_MODEL,
    "testDecode-174": BY_MODEL,
    "testDecode-176": BY_MODEL,
    "testDecode-186": "the number of an alarm that no text names",
}
"""Readings that are not looked for, with the reason. What they have of a position is checked in the same way."""

RECORDS = frames("gt06")
FOUND = conversations(Gt06, RECORDS)


@needs_shared
@pytest.mark.parametrize("record", RECORDS, ids=name)
def test_a_frame_of_a_device(record: Record) -> None:
    record, events = FOUND[name(record)]
    if name(record) in LEFT_OUT:
        assert record["kind"].startswith("verifyAttribute")
        record = {**record, "expected": None, "kind": "verifyNotNull"}
    check(record, events, READERS)
