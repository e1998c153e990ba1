"""What messages tell of a device's clock, and what all devices tell of the server's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracker.helpers import HOUR, NO_AREAS, NOON, record
from tracker.clockwatch import CLOCKS_LIMIT, FLEET_LEAST, WINDOW_MS, Clock, note, server_ahead, skew_of
from tracker.model import Mark, UnitId
from tracker.pipeline import UnitState, advance

MINUTE = 60_000


def clock_of(*messages: tuple[int, int | None, int]) -> int | None:
    """Offset after messages of one device: when it came, its device time, its fix time, all after noon."""
    clocks: dict[str, Clock] = {}
    for came, sent, fix in messages:
        note(clocks, "d1", NOON + came, None if sent is None else NOON + sent, NOON + fix)
    return skew_of(clocks["d1"])


def test_a_device_that_says_when_it_sends_tells_its_offset() -> None:
    assert clock_of((1000, 1000 + HOUR, 0)) == HOUR
    assert clock_of((1000, 1000 - HOUR, 0)) == -HOUR
    assert clock_of((1000, 1000 + HOUR, 0), (2000, 1900, 0)) == -100
    assert clock_of((1000, 1000, 0), (2000, None, -HOUR)) == 0


def test_a_device_that_does_not_is_ahead_as_far_as_its_fixes_are() -> None:
    assert clock_of((1000, None, 1000 + HOUR)) == HOUR
    assert clock_of((1000, None, 1000 + HOUR - 5000), (2000, None, 2000 + HOUR), (3000, None, HOUR)) == HOUR
    assert clock_of((1000, None, 0)) == -1000


def test_what_seems_far_behind_may_be_a_queue() -> None:
    assert clock_of((1000, None, -HOUR)) is None
    assert clock_of((1000, None, -HOUR), (2000, None, 1000)) == -1000
    assert skew_of(None) is None


def test_a_clock_that_was_set_right_is_right_after_two_windows() -> None:
    wrong = (0, None, HOUR)
    later = [(minute * MINUTE, None, minute * MINUTE - 1000) for minute in range(1, 25)]
    assert clock_of(wrong, *later[:9]) == HOUR
    assert clock_of(wrong, *later) == -1000
    assert clock_of(wrong, (3 * WINDOW_MS, None, 3 * WINDOW_MS - 500)) == -500


def test_a_server_whose_clock_is_set_back_begins_anew() -> None:
    assert clock_of((0, None, 1000), (-HOUR, None, -HOUR - 2000)) == -2000


def test_the_clocks_of_a_unit_are_bounded() -> None:
    clocks: dict[str, Clock] = {}
    for number in range(CLOCKS_LIMIT + 3):
        note(clocks, f"d{number}", NOON + number, NOON, NOON)
    assert len(clocks) == CLOCKS_LIMIT
    assert "d2" not in clocks
    assert "d3" in clocks


# -- through the pipeline


def test_each_device_of_a_unit_has_its_own_clock() -> None:
    state = UnitState(UnitId("p1"))
    for each in (
        record(NOON, device="d1", device_time=NOON + HOUR, server_time=NOON),
        record(NOON + 2 * HOUR, device="d2", server_time=NOON),
        record(NOON - HOUR, device="d3", server_time=NOON, marks=int(Mark.BACKFILL), device_time=NOON + HOUR),
        record(None, None, None, device="d4", server_time=NOON),
        record(None, None, None, device="d5", server_time=NOON, device_time=NOON - HOUR),
    ):
        advance(state, each, NO_AREAS)
    assert {device: skew_of(clock) for device, clock in state.clocks.items()} == {
        "d1": HOUR, "d2": 2 * HOUR, "d5": -HOUR,
    }  # fmt: skip
    assert UnitState.unpack(state.pack()).clocks == state.clocks


# -- the fleet


def fleet(*offsets: int, at: int = NOON) -> list[Clock]:
    return [(offset, at, 0, 0) for offset in offsets]


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ([-90_000] * 5, 90_000),  # all devices are behind: the server is ahead
        ([90_000] * 5, -90_000),
        ([-90_000] * 4, None),
        ([-60_000] * 9, None),
        ([-60_001] * 9, 60_001),
        ([-HOUR] * 4 + [0] * 5, None),  # some phones with a wrong clock
        ([-HOUR, -90_000, -80_000, -70_000, HOUR], 80_000),
        ([], None),
    ],
)
def test_the_server_is_wrong_when_the_fleet_agrees_that_it_is(offsets: list[int], expected: int | None) -> None:
    assert server_ahead(fleet(*offsets), NOON) == expected


def test_only_what_came_lately_counts() -> None:
    old = fleet(*[HOUR] * 9, at=NOON - WINDOW_MS - 1)
    assert server_ahead(old, NOON) is None
    assert server_ahead(old + fleet(0, 0, 0, 0, 0), NOON) is None
    assert server_ahead(fleet(*[HOUR] * 5, at=NOON - WINDOW_MS), NOON) == -HOUR
    assert server_ahead(fleet(*[HOUR] * 5, at=NOON + HOUR), NOON) is None  # the server's clock was set back since


def test_phones_that_empty_their_queues_after_an_outage_are_no_evidence() -> None:
    clocks: dict[str, Clock] = {}
    for phone in range(9):
        for minute in range(30):
            note(clocks, f"d{phone}", NOON + minute, None, NOON - HOUR + minute * MINUTE)
    assert server_ahead(clocks.values(), NOON) is None
    for phone in range(9):
        note(clocks, f"d{phone}", NOON, None, NOON + HOUR)
    assert server_ahead(clocks.values(), NOON) == -HOUR


@given(st.lists(st.integers(-2 * HOUR, 2 * HOUR), max_size=30))
def test_a_minority_never_blames_the_server(wrong: list[int]) -> None:
    right = fleet(*[0] * max(FLEET_LEAST, len(wrong) + 1))
    assert server_ahead(fleet(*wrong) + right, NOON) is None
