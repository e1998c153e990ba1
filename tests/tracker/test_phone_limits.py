"""How much a phone may send, and which ids are known: both bounded."""

from __future__ import annotations

import pytest

from tracker import phone_limits
from tracker.phone_limits import BURST, RATE, Rates, RecentIds


def test_a_backlog_at_once_and_then_the_rate() -> None:
    rates = Rates()
    assert rates.allows("a", BURST, 0)
    assert not rates.allows("a", 1, 0)
    assert rates.allows("b", 1, 0)
    assert not rates.allows("a", RATE + 1, 1000)
    assert rates.allows("a", RATE, 1000)
    assert rates.allows("a", BURST, 1000 + 1000 * BURST // RATE)


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    rates = Rates()
    assert rates.allows("a", BURST, 10_000)
    assert not rates.allows("a", 1, 0)
    assert rates.allows("a", RATE, 1000)


def test_only_so_many_phones_are_remembered() -> None:
    rates = Rates(most=2)
    for phone in "abc":
        assert rates.allows(phone, BURST, 0)
    assert rates.allows("a", BURST, 0), "forgotten"
    assert not rates.allows("c", 1, 0)


def test_ids_belong_to_a_device() -> None:
    ids = RecentIds()
    ids.add("d1", ["x", "y"])
    assert ids.knows("d1", "x")
    assert not ids.knows("d2", "x")
    assert not ids.knows("d1", "z")


def test_only_so_many_ids_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_limits, "IDS", 80)
    ids = RecentIds()
    ids.add("d", map(str, range(80)))
    assert all(ids.knows("d", str(i)) for i in range(80))
    ids.add("d", ["80"])
    known = [i for i in range(81) if ids.knows("d", str(i))]
    assert known == list(range(11, 81)), "the oldest went, with some to spare"
