"""The steps from a record to the live state, one by one and together, and a track's final flags."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.report import ALARM_SOS
from tests.tracker.helpers import LAT, LON, NO_AREAS, NOON, record, square, stored
from tracker import pipeline
from tracker.areas import AreaIndex
from tracker.clockwatch import skew_of
from tracker.model import DISBELIEVED, Doubt, Mark, UnitId
from tracker.pipeline import Pipeline, Point, UnitState, advance, judge, lead_in
from tracker.record import ReportRecord

SECOND = 1000
METRE = 90
"""About a metre to the north, in 1e-7 degrees."""
P1 = UnitId("p1")


def fresh(**fields: Any) -> UnitState:
    state = UnitState(P1)
    for name, value in fields.items():
        setattr(state, name, value)
    return state


def at_noon(**fields: Any) -> UnitState:
    return fresh(**{"device": "d1", "fix_time": NOON, "latitude": LAT, "longitude": LON, **fields})


def point(at: int = NOON, north: int = 0, **others: Any) -> Point:
    given = {"device": "d1", "server_time": at, "accuracy": None, "live": True, "timed": False, **others}
    return Point(given["device"], given["server_time"], at, LAT + north * METRE, LON, given["accuracy"],
                 given["live"], given["timed"])  # fmt: skip


def run(records: list[Any], state: UnitState | None = None, areas: AreaIndex = NO_AREAS) -> tuple[UnitState, list[int]]:
    state = state or fresh()
    return state, [advance(state, r, areas) for r in records]


def values(state: UnitState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in UnitState.__slots__}


# -- each step alone


@pytest.mark.parametrize(
    ("ahead", "live", "timed", "expected"),
    [
        (120_000, True, True, 0),
        (120_001, True, True, Doubt.FUTURE),
        (120_001, False, False, Doubt.FUTURE),
        (-600_000, True, True, 0),
        (-600_001, True, True, Doubt.SKEW),
        (-600_001, False, True, 0),  # backfill may be as old as it likes
        (-600_001, True, False, 0),  # so may what does not say when it was sent
    ],
)
def test_clock(ahead: int, live: bool, timed: bool, expected: int) -> None:
    assert pipeline.clock(fresh(), point(NOON + ahead, server_time=NOON, live=live, timed=timed)) == expected


@pytest.mark.parametrize(("at", "expected"), [(NOON - 1, Doubt.LATE), (NOON, Doubt.LATE), (NOON + 1, 0)])
def test_order(at: int, expected: int) -> None:
    assert pipeline.order(at_noon(), point(at)) == expected
    assert pipeline.order(fresh(), point(at)) == 0


def test_primary() -> None:
    assert pipeline.primary(fresh(), point(device="d2")) == 0
    assert pipeline.primary(at_noon(), point(NOON + 1, device="d1")) == 0
    assert pipeline.primary(at_noon(), point(NOON + 60_000, device="d2")) == Doubt.SECONDARY
    assert pipeline.primary(at_noon(), point(NOON + 60_001, device="d2")) == 0


def test_accuracy() -> None:
    expected = {None: 0, 0: 0, 2000: 0, 2001: Doubt.INACCURATE}
    assert {given: pipeline.accuracy(fresh(), point(accuracy=given)) for given in expected} == expected


@pytest.mark.parametrize(
    ("metres", "seconds", "expected"),
    [
        (490, 0, 0),  # noise
        (510, 0, Doubt.JUMP),
        (690, 10, 0),
        (710, 10, Doubt.JUMP),
        (7100, 100, Doubt.JUMP),
        (6900, 100, 0),
        (6900, -100, 0),
    ],
)
def test_jump(metres: int, seconds: int, expected: int) -> None:
    # 111.2 m are a thousandth of a degree.
    moved = Point("d1", NOON, NOON + seconds * SECOND, LAT + round(metres / 111.195 * 10_000), LON, None, True, True)
    assert pipeline.jump(at_noon(), moved) == expected
    assert pipeline.jump(fresh(), moved) == 0


# -- together


def test_the_first_point_is_believed_and_everything_of_it_taken() -> None:
    state, doubts = run(
        [record(altitude=9, speed=120, course=7, accuracy=50, marks=int(Mark.UNAUTHENTICATED), device="d7")]
    )
    assert doubts == [0]
    taken = values(state)
    assert (taken["device"], taken["fix_time"], taken["latitude"], taken["longitude"]) == ("d7", NOON, LAT, LON)
    assert (taken["altitude"], taken["speed"], taken["course"], taken["accuracy"]) == (9, 120, 7, 50)
    assert (taken["marks"], taken["seen"], taken["doubts"]) == (Mark.UNAUTHENTICATED, NOON + 1000, 0)


@pytest.mark.parametrize(
    ("doubted", "expected"),
    [
        (record(NOON + 200_000, server_time=NOON), Doubt.FUTURE),
        (record(NOON - 1), Doubt.LATE),
        (record(NOON), Doubt.LATE),
        (record(NOON + 5000, device="d2"), Doubt.SECONDARY),
        (record(NOON + 5000, accuracy=5000), Doubt.INACCURATE),
        (record(NOON + 5000, LAT + 10_000 * METRE), Doubt.JUMP),
        (record(NOON - 5000, LAT + 10_000 * METRE, accuracy=5000, device="d2"),
         Doubt.LATE | Doubt.SECONDARY | Doubt.INACCURATE | Doubt.JUMP),
        (record(NOON + 5000, None, None), Doubt.NO_FIX),
        (record(None, None, None, server_time=NOON + 9000), Doubt.NO_FIX),
    ],
)  # fmt: skip
def test_a_doubted_point_moves_nothing_but_the_unit_was_seen(doubted: Any, expected: int) -> None:
    state, _ = run([record(speed=5)])
    before = values(state)
    state.seen = 0
    assert run([doubted], state)[1] == [expected]
    after = values(state)
    assert after["seen"] == doubted.server_time
    moved = {name for name in before if before[name] != after[name]}
    assert moved <= {"seen", "doubts", "jumps", "jump_latitude", "jump_longitude", "jump_time"}


def test_a_skewed_point_is_believed() -> None:
    state, doubts = run([record(NOON, server_time=NOON + 700_000, device_time=NOON)])
    assert doubts == [Doubt.SKEW]
    assert (state.fix_time, skew_of(state.clocks["d1"])) == (NOON, -700_000)


def test_only_messages_about_now_tell_of_clock_and_battery() -> None:
    state, _ = run([record(device_time=NOON + 400, items={"battery": 80, "charging": True, "net": "4g", "fix": "3d"})])
    assert (state.device_time, skew_of(state.clocks["d1"])) == (NOON + 400, -600)
    assert (state.battery, state.charging, state.network, state.fix_state) == (80, True, "4g", "3d")
    old = record(NOON - 9000, marks=int(Mark.BACKFILL), device_time=NOON - 9000, items={"battery": 99})
    run([old], state)
    assert (state.device_time, state.battery) == (NOON + 400, 80)


def test_readings_of_wrong_types_are_passed_over() -> None:
    state, _ = run([record(items={"battery": "full", "charging": 1, "net": 4, "fix": None})])
    assert (state.battery, state.charging, state.network, state.fix_state) == (None, None, None, None)


def test_three_jumps_that_agree_are_believed() -> None:
    there = [record(NOON + i * 5000, LAT + 10_000 * METRE + i * METRE) for i in range(1, 5)]
    state, doubts = run([record(), *there])
    assert doubts == [0, Doubt.JUMP, Doubt.JUMP, 0, 0]
    assert state.latitude == there[-1].latitude
    assert state.distance == 0  # being carried there is no distance walked


def test_jumps_that_do_not_agree_are_never_believed() -> None:
    wild = [record(NOON + i * 5000, LAT + (-1) ** i * 100_000 * METRE) for i in range(1, 9)]
    state, doubts = run([record(), *wild])
    assert doubts == [0, *[Doubt.JUMP] * 8]
    assert state.latitude == LAT


def test_a_good_point_between_jumps_starts_their_count_anew() -> None:
    far = LAT + 10_000 * METRE
    jumps_and_back = [record(NOON + i * 5000, place) for i, place in enumerate([LAT, far, far, LAT, far, far, far])]
    assert run(jumps_and_back)[1] == [0, Doubt.JUMP, Doubt.JUMP, 0, Doubt.JUMP, Doubt.JUMP, 0]


def test_another_device_takes_over_after_a_minute() -> None:
    state, doubts = run(
        [
            record(NOON),
            record(NOON + 60_000, device="d2"),
            record(NOON + 61_000, device="d2"),
            record(NOON + 62_000),
            record(NOON + 63_000, device="d2"),
        ]
    )
    assert doubts == [0, Doubt.SECONDARY, 0, Doubt.SECONDARY, 0]
    assert state.device == "d2"


def test_a_primary_whose_fixes_are_bad_is_replaced_too() -> None:
    bad = [record(NOON + i * 10_000, accuracy=9000) for i in range(1, 7)]
    state, _ = run([record(), *bad, record(NOON + 61_000, device="d2")])
    assert state.device == "d2"


def test_distance_is_counted_in_steps_of_twenty_metres() -> None:
    noise = [record(NOON + i * SECOND, LAT + (i % 2) * 15 * METRE) for i in range(20)]
    state, _ = run(noise)
    assert state.distance == 0
    walk = [record(NOON + (30 + i) * SECOND, LAT + i * 15 * METRE) for i in range(21)]
    run(walk, state)
    assert state.distance == pytest.approx(300 * METRE / 89.93, rel=0.01)


def test_grid_and_cell_are_those_of_the_place() -> None:
    west, south = (LON - 10_000) / 1e7, (LAT - 10_000) / 1e7
    areas = AreaIndex(
        [
            square("g", "grid", west, south, west + 1, south + 0.002),
            square("c", "cell", west, south, west + 1, LAT / 1e7),
        ]
    )
    state, _ = run([record()], areas=areas)
    assert (state.grid, state.cell) == ("g", "c")
    run([record(NOON + 60_000, LAT + 100 * METRE)], state, areas)
    assert (state.grid, state.cell) == ("g", None)
    run([record(NOON + 120_000, LAT + 400 * METRE)], state, areas)
    assert (state.grid, state.cell) == (None, None)


# -- alarms


@pytest.mark.parametrize(
    "calling",
    [
        record(NOON + 200_000, server_time=NOON + 5000, alarm=1),  # a clock that is ahead
        record(NOON - 60_000, server_time=NOON + 5000, alarm=1),  # with the last place there was
        record(946_684_800_000, None, None, server_time=NOON + 5000, alarm=1),  # a clock that was never set
        record(4_000_000_000_000, None, None, server_time=NOON + 5000, alarm=1),
        record(None, None, None, server_time=NOON + 5000, alarm=1),
        record(NOON + 5000, device="d2", alarm=1),
        record(NOON + 5000, accuracy=9000, alarm=1),
        record(NOON + 5000, LAT + 100_000 * METRE, alarm=1),
    ],
)
def test_an_alarm_counts_whatever_becomes_of_the_position(calling: Any) -> None:
    state, _ = run([record(), calling])
    assert state.alarm == ALARM_SOS
    assert state.fix_time == NOON


def test_a_wrong_clock_does_not_silence_the_next_call() -> None:
    state, _ = run(
        [
            record(4_000_000_000_000, None, None, server_time=NOON, alarm=0x100),
            record(NOON + 5000, alarm=0),
            record(NOON + 10_000, alarm=1),
        ]
    )
    assert state.alarm == 1


def test_an_alarm_ends_with_a_later_message_of_its_device_and_not_with_a_health_message() -> None:
    state, _ = run([record(alarm=1), record(None, None, None, server_time=NOON + 2000)])
    assert state.alarm == 1
    run([record(NOON - 5000, server_time=NOON + 2500, marks=int(Mark.BACKFILL))], state)
    assert state.alarm == 1  # older than the call
    run([record(NOON + 5000)], state)
    assert state.alarm == 0


def test_another_device_of_the_unit_does_not_end_a_call_for_help() -> None:
    state, _ = run([record(alarm=1), record(NOON + 5000, device="d2"), record(NOON + 6000, device="d2", alarm=0x80)])
    assert state.alarm == 1
    run([record(NOON + 7000, device="d2", alarm=1)], state)
    run([record(NOON + 8000)], state)
    assert state.alarm == 1  # now it is the second device that calls
    run([record(NOON + 9000, device="d2")], state)
    assert state.alarm == 0


def test_an_old_call_for_help_that_comes_late_is_taken_when_nothing_newer_says_otherwise() -> None:
    state, _ = run([record(NOON, alarm=1, marks=int(Mark.BACKFILL), server_time=NOON + 900_000)])
    assert (state.alarm, state.alarm_time) == (1, NOON)


# -- duplicates


def take_all(records: list[Any], **options: Any) -> tuple[Pipeline, list[bool]]:
    line = Pipeline(lambda: NO_AREAS, **options)
    return line, [line.take(r) for r in records]


def test_the_same_point_in_another_message_is_a_duplicate_that_shows_life() -> None:
    line, kept = take_all(
        [record(), record(server_time=NOON + 9000, marks=int(Mark.BACKFILL), speed=3, accuracy=4, device_time=5)]
    )
    assert kept == [True, False]
    assert line.duplicates == 1
    assert line.states[P1].seen == NOON + 9000
    assert line.states[P1].speed is None


@pytest.mark.parametrize(
    "other",
    [{"device": "d2"}, {"at": NOON + 1}, {"latitude": LAT + 1}, {"longitude": LON + 1}, {"status": 2}, {"alarm": 1}],
)
def test_a_point_that_differs_is_another_point(other: dict[str, Any]) -> None:
    assert take_all([record(), record(**other)])[1] == [True, True]


def test_messages_without_a_place_are_never_duplicates() -> None:
    health = record(None, None, None, items={"battery": 5})
    assert take_all([health, health, health])[1] == [True, True, True]


def test_the_memory_for_duplicates_is_bounded_and_forgets_the_oldest() -> None:
    points = [record(NOON + i) for i in range(1000)]
    line, _ = take_all(points, remembered=80)
    assert len(line._identities) <= 80
    assert line.take(points[-1]) is False
    assert line.take(points[-70]) is False
    assert line.take(points[0]) is True


def test_every_doubt_is_counted() -> None:
    line, _ = take_all([record(), record(NOON - 1, accuracy=5000), record(NOON - 2)])
    assert {doubt: n for doubt, n in line.doubted.items() if n} == {Doubt.LATE: 2, Doubt.INACCURATE: 1}


# -- the state as it is stored


# Few values, so that equal ones meet.
moments = st.integers(-4, 60).map(lambda step: NOON + step * 5000)
receipts = st.sampled_from([NOON, NOON + 1000, NOON + 60_000])
raw_points = st.builds(
    record,
    st.one_of(moments),
    st.sampled_from([LAT, LAT + 5 * METRE, LAT + 30 * METRE, LAT + 20_000 * METRE]),
    st.sampled_from([LON, LON + 40]),
    device=st.sampled_from(["d1", "d2"]),
    server_time=receipts,
    accuracy=st.sampled_from([None, 30, 4000]),
    alarm=st.sampled_from([0, 0, 0, 1, 0x80]),
    status=st.sampled_from([0, 2]),
    marks=st.sampled_from([0, int(Mark.BACKFILL), int(Mark.UNAUTHENTICATED)]),
    device_time=st.one_of(st.none(), moments),
    items=st.sampled_from([None, {"battery": 7, "charging": False, "net": "5g", "fix": "none"}]),
)
no_fixes = st.builds(record, st.none(), st.none(), st.none(), server_time=receipts)
histories = st.lists(st.one_of(raw_points, raw_points, raw_points, no_fixes), max_size=30)


@given(histories)
def test_a_state_survives_packing(records: list[Any]) -> None:
    state, _ = run(records)
    assert values(UnitState.unpack(state.pack())) == values(state)


def test_a_state_of_another_shape_is_not_taken_for_one_of_ours() -> None:
    with pytest.raises(ValueError, match="argument"):
        UnitState.unpack(b"\x92\xa2p1\xa2d1")


@given(histories)
def test_the_same_records_give_the_same_states_also_out_of_the_journal(records: list[Any]) -> None:
    straight, kept = take_all(records)
    again, kept_again = take_all(stored(records))
    assert kept == kept_again
    assert {u: values(s) for u, s in straight.states.items()} == {u: values(s) for u, s in again.states.items()}


@given(histories, st.integers(0, 30))
def test_a_loaded_state_goes_on_as_if_nothing_had_been(records: list[Any], cut: int) -> None:
    """Only what a repetition would do may differ, so there is none here."""
    unique = list({r.identity if r.latitude else id(r): r for r in records}.values())
    straight, _ = take_all(unique)
    before, _ = take_all(unique[:cut])
    after = Pipeline(lambda: NO_AREAS)
    after.load([state.pack() for state in before.states.values()])
    for each in unique[cut:]:
        after.take(each)
    assert {u: values(s) for u, s in straight.states.items()} == {u: values(s) for u, s in after.states.items()}


@given(histories)
def test_the_live_position_never_moves_back_and_is_never_of_the_future(records: list[Any]) -> None:
    state = fresh()
    for each in records:
        before = state.fix_time
        advance(state, each, NO_AREAS)
        assert before is None or (state.fix_time is not None and state.fix_time >= before)
        if state.fix_time != before:
            assert state.fix_time is not None
            assert state.fix_time <= each.server_time + 120_000


# -- history


def shuffled(records: list[ReportRecord]) -> st.SearchStrategy[list[ReportRecord]]:
    return st.lists(st.sampled_from(records), max_size=12).flatmap(lambda extra: st.permutations([*records, *extra]))


arrivals = st.lists(raw_points, min_size=1, max_size=12).flatmap(lambda rs: st.tuples(st.just(rs), shuffled(rs)))


@given(arrivals)
def test_history_does_not_depend_on_the_order_of_arrival(given_: tuple[list[ReportRecord], list[ReportRecord]]) -> None:
    records, shuffled_records = given_
    assert judge(shuffled_records, NO_AREAS) == judge(records, NO_AREAS)


@given(arrivals)
def test_history_holds_each_point_once_in_fix_time_order(
    given_: tuple[list[ReportRecord], list[ReportRecord]],
) -> None:
    judged = [r for r, _, _ in judge(given_[1], NO_AREAS)]
    assert {r.identity for r in judged} == {r.identity for r in given_[0]}
    assert len({r.identity for r in judged}) == len(judged)
    times = [r.fix_time or 0 for r in judged]
    assert times == sorted(times)
    for kept in judged:
        assert kept.server_time == min(r.server_time for r in given_[0] if r.identity == kept.identity)


def test_history_keeps_every_raw_point_and_says_what_is_wrong_with_it() -> None:
    far = LAT + 10_000 * METRE
    late = record(NOON + 5000, server_time=NOON + 90_000, marks=int(Mark.BACKFILL))
    records = [
        record(),
        record(NOON + 10_000, far),
        record(NOON + 20_000, accuracy=9000),
        late,
        record(None, None, None),
    ]
    judged = [(r.fix_time, doubts) for r, doubts, _ in judge(records, NO_AREAS)]
    assert judged == [(NOON, 0), (NOON + 5000, 0), (NOON + 10_000, Doubt.JUMP), (NOON + 20_000, Doubt.INACCURATE)]


def test_history_names_the_grid_of_each_believed_point_itself() -> None:
    west, south, half = (LON - 50_000) / 1e7, (LAT - 50_000) / 1e7, LON / 1e7
    areas = AreaIndex(
        [
            square("a", "grid", west, south, half, south + 0.01),
            square("b", "grid", half, south, half + 0.005, south + 0.01),
        ]
    )
    judged = judge(
        [
            record(longitude=LON - 10),
            record(longitude=LON + 10),
            record(NOON + 9000, longitude=LON + 10, accuracy=9000),
        ],
        areas,
    )
    assert [(grid, bool(doubts & DISBELIEVED)) for _, doubts, grid in judged] == [
        ("a", False),
        ("b", False),
        (None, True),
    ]


def test_points_that_differ_in_nothing_but_their_bits_have_one_order() -> None:
    same_moment = [record(status=status, alarm=alarm) for status in (0, 2) for alarm in (0, 1)]
    assert judge(same_moment[::-1], NO_AREAS) == judge(same_moment, NO_AREAS)


def test_of_copies_of_the_same_millisecond_always_the_same_one_counts() -> None:
    copies = [record(accuracy=accuracy, speed=speed) for accuracy in (None, 30) for speed in (None, 5)]
    assert judge(copies[::-1], NO_AREAS) == judge(copies, NO_AREAS)


scattered = st.builds(
    lambda minute, metres, device: record(NOON + minute * 60_000, LAT + metres * METRE, device=device),
    st.integers(0, 360),
    st.sampled_from([0, 0, 0, 40_000, 400_000]),
    st.sampled_from(["d1", "d2"]),
)


@given(st.lists(scattered, max_size=40), st.integers(0, 360))
def test_the_flags_of_a_part_of_a_track_are_those_of_the_whole(records: list[ReportRecord], minute: int) -> None:
    start = NOON + minute * 60_000
    part = [r for r in records if (r.fix_time or 0) >= lead_in(start)]
    whole, found = ([j for j in judge(of, NO_AREAS) if (j[0].fix_time or 0) >= start] for of in (records, part))
    assert found == whole


def test_an_hour_is_judged_by_the_hour_before_it_and_nothing_else() -> None:
    far = LAT + 400_000 * METRE
    for silence, doubts in ((59, Doubt.JUMP), (121, 0)):
        assert judge([record(), record(NOON + silence * 60_000, far)], NO_AREAS)[1][1] == doubts
