"""Messages of real watches against what an independent decoder says of them."""

from __future__ import annotations

import pytest

from protocols.watch import Watch
from tests.data import needs_shared
from tests.protocols.trackers import Readers, Record, check, conversations, frames, name, place, reports

READERS: Readers = {
    "alarm": lambda r: (r.items or {})["alarms"][0],  # type: ignore[index]
    "batteryLevel": lambda r: (r.items or {}).get("battery"),
    "bloodOxygen": lambda r: (r.items or {}).get("oxygen"),
    "heartRate": lambda r: (r.items or {}).get("heart_rate"),
    "steps": lambda r: (r.items or {}).get("steps"),
    "temp1": lambda r: (r.items or {}).get("temperature"),
}
NOWHERE = {"testDecode-45", "testDecode-47"}
"""Without a fix at 0° 0°: the other decoder has a position there, we have none to keep."""

RECORDS = frames("watch")
FOUND = conversations(Watch, RECORDS)


@needs_shared
@pytest.mark.parametrize("record", RECORDS, ids=name)
def test_a_frame_of_a_device(record: Record) -> None:
    record, events = FOUND[name(record)]
    if name(record) in NOWHERE:
        (report,) = reports(events)
        assert report.fix_time
        assert place(report) is None
        record = {**record, "kind": "verifyNotNull"}
    check(record, events, READERS)
