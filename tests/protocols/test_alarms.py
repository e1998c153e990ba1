"""Calls for help that are said once: they stand for ten minutes, by the device, and take no memory for ever."""

from __future__ import annotations

from protocols.alarms import SOS_HELD_MS, Held
from protocols.report import ALARM_SOS

FALL = 1 << 11


def test_a_call_stands_by_its_device_and_ends() -> None:
    held = Held()
    assert held.take("a", ALARM_SOS, True, 0) == ALARM_SOS
    assert held.take("b", 0, True, 1) == 0
    assert held.take("a", FALL, True, SOS_HELD_MS - 1) == FALL | ALARM_SOS
    assert held.take("a", 0, False, 5) == 0, "what was stored is of another time"
    assert held.take("a", FALL, True, SOS_HELD_MS) == FALL
    assert len(held) == 0


def test_strangers_take_no_memory() -> None:
    held = Held({"a"}.__contains__)
    for ident in ("a", "b", "c"):
        assert held.take(ident, ALARM_SOS, True, 0) == ALARM_SOS
    assert len(held) == 1
