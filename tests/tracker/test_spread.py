"""Who comes back when."""

from __future__ import annotations

from tracker.spread import LEAST_SPREAD_MS, MOST_SPREAD_MS, RECONNECTS_A_SECOND, reconnect_ms, spread


def test_each_has_a_moment_of_its_own_and_keeps_it() -> None:
    moments = [spread(f"device-{n}", 1000) for n in range(10_000)]
    assert moments == [spread(f"device-{n}", 1000) for n in range(10_000)]
    assert set(moments) <= set(range(1000))
    assert max(moments.count(moment) for moment in set(moments)) < 40


def test_a_fleet_comes_back_no_faster_than_it_can_be_taken() -> None:
    for devices in (1, 100, 1000, 5000):
        pauses = [reconnect_ms(f"device-{n}", devices) for n in range(devices)]
        width = max(devices * 1000 // RECONNECTS_A_SECOND, LEAST_SPREAD_MS)
        assert max(pauses) < width
        seconds = [sum(1 for pause in pauses if pause // 1000 == second) for second in range(width // 1000)]
        assert max(seconds) <= RECONNECTS_A_SECOND * 1.3
    assert reconnect_ms("one", 10**9) < MOST_SPREAD_MS
