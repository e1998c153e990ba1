"""H02 messages of real devices against what an independent decoder says of them."""

from __future__ import annotations

import pytest

from protocols.h02 import H02
from tests.data import needs_shared
from tests.protocols.trackers import Readers, Record, check, conversations, frames, name

READERS: Readers = {
    "alarm": lambda r: {"sos": "sos", "power_cut": "powerCut"}[(r.items or {})["alarms"][0]],  # type: ignore[index]
    "batteryLevel": lambda r: (r.items or {}).get("battery"),
    "ignition": lambda r: (r.items or {}).get("ignition"),
    "status": lambda r: r.status,
}
RECORDS = frames("h02")
FOUND = conversations(H02, RECORDS)


@needs_shared
@pytest.mark.parametrize("record", RECORDS, ids=name)
def test_a_frame_of_a_device(record: Record) -> None:
    check(*FOUND[name(record)], READERS)
